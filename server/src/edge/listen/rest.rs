//! What a handler left of a request's body.
//!
//! Over HTTP/1.1 the next request comes behind it. hyper passes over what has already
//! come and else ends the connection, without having said so. Here a short rest is
//! read and thrown away before the answer; with a long one the answer says that the
//! connection ends.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::header;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::Request;
use hyper::body::{Frame, Incoming, SizeHint};
use parking_lot::Mutex;
use tokio::time::timeout;

/// Bytes read and thrown away.
const MOST_BYTES: u64 = 64 * 1024;

/// How long they may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// The body of a request whose handler has it too.
pub(super) struct Rest {
    body: Shared,
    /// Whether the peer waits for a word before it sends the body.
    waits: bool,
}

impl Rest {
    /// Gives the handler a body of which the rest can be had. None when there is none.
    pub(super) fn of(request: Request<Incoming>) -> (Request<Body>, Option<Self>) {
        if request.body().is_end_stream() {
            return (request.map(Body::new), None);
        }
        let waits = request.headers().contains_key(header::EXPECT);
        let (head, body) = request.into_parts();
        let body = Shared(Arc::new(Mutex::new(body)));
        let rest = Self { body: Shared(Arc::clone(&body.0)), waits };
        (Request::from_parts(head, Body::new(body)), Some(rest))
    }

    /// Reads it to its end; false when that would be too much.
    pub(super) async fn drain(mut self) -> bool {
        if self.body.is_end_stream() {
            return true;
        }
        if self.waits || self.body.size_hint().lower() > MOST_BYTES {
            return false;
        }
        let all = async {
            let mut left = MOST_BYTES;
            while let Some(frame) = self.body.frame().await {
                let Ok(frame) = frame else { return false };
                let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
                let Some(less) = left.checked_sub(bytes) else { return false };
                left = less;
            }
            true
        };
        timeout(PATIENCE, all).await.unwrap_or(false)
    }
}

/// A body that two hold; one after the other reads it.
struct Shared(Arc<Mutex<Incoming>>);

impl HttpBody for Shared {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Pin::new(&mut *self.0.lock()).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().size_hint()
    }
}
