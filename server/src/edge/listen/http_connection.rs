//! One connection that carries HTTP: the bounds of hyper, and the router.
//!
//! A head must come within the handshake time and fit 16 KiB; bodies are bounded
//! where they are read (`http::body`). Until somebody signs in on it, a connection
//! has the handshake's time and 64 KiB, whatever it does; then it lives five minutes
//! at most before it is asked to finish. Who is asked may end what is at work, at a
//! pace. The requests get an [`HttpPeer`] as an extension; the WebSocket upgrade
//! takes the connection's place out of it.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::http::{HeaderValue, Version, header};
use axum::response::Response;
use bytes::Bytes;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper::{Request, server::conn::http1, server::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::CLOSE_TIMEOUT;
use super::http_peer::{AtWork, HttpPeer};
use super::linger::Lingering;
use super::metered::Metered;
use super::rest::Rest;
use crate::base::clock;
use crate::base::metrics::list as metric;

/// Bytes in the head of a request.
const HEAD_BYTES: usize = 16 * 1024;

/// Header fields of a request.
const HEADERS: usize = 64;

/// Requests at a time on one HTTP/2 connection.
const STREAMS: u32 = 32;

/// Streams a client may reset before its connection counts as an attack.
const RESETS: usize = 32;

/// Age at which a connection that somebody signed in on is asked to finish.
const AGE: Duration = Duration::from_secs(300);

/// What work in progress gets once asked to finish: when the server closes, on a
/// connection on which nobody signed in, and on others.
const GRACE: Duration = Duration::from_secs(5);
const UNKNOWNS_GRACE: Duration = Duration::from_secs(60);
const KNOWN_GRACE: Duration = AGE;

/// What serves one connection.
pub struct Http {
    /// Answers the requests.
    pub router: Router,
    /// Where they come from.
    pub peer: Arc<HttpPeer>,
    /// Cancelled when the connection should end.
    pub shutdown: CancellationToken,
}

/// Serves HTTP/1.1 until the connection ends or becomes a WebSocket. Public for
/// fuzz targets, whose streams lie in memory.
pub async fn serve_http1<S>(stream: S, http: Http)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Http { router, peer, shutdown } = http;
    let stream = Metered::http1(Lingering::new(stream), Arc::clone(&peer));
    let requests = Arc::clone(&peer);
    let service = service_fn(move |request| answer(router.clone(), Arc::clone(&requests), request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(peer.patience())
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    drive(pin!(connection), |connection| connection.graceful_shutdown(), &peer, &shutdown).await;
}

/// Serves HTTP/2 until the connection ends.
pub(super) async fn serve_http2<S>(stream: S, http: Http)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Http { router, peer, shutdown } = http;
    let stream = Metered::http2(stream, Arc::clone(&peer));
    let requests = Arc::clone(&peer);
    let service = service_fn(move |request| answer(router.clone(), Arc::clone(&requests), request));
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_pending_accept_reset_streams(RESETS)
        .max_local_error_reset_streams(RESETS)
        .max_header_list_size(u32::try_from(HEAD_BYTES).unwrap_or(u32::MAX))
        .initial_stream_window_size(64 * 1024)
        .initial_connection_window_size(256 * 1024)
        .max_send_buf_size(64 * 1024)
        .keep_alive_interval(peer.patience())
        .keep_alive_timeout(peer.patience())
        .serve_connection(TokioIo::new(stream), service);
    drive(pin!(connection), |connection| connection.graceful_shutdown(), &peer, &shutdown).await;
}

async fn answer(
    router: Router,
    peer: Arc<HttpPeer>,
    request: Request<Incoming>,
) -> Result<Response, std::convert::Infallible> {
    let at_work = peer.begin();
    let first = request.version() <= Version::HTTP_11;
    let (mut request, rest) =
        if first { Rest::of(request) } else { (request.map(Body::new), None) };
    request.extensions_mut().insert(Arc::clone(&peer));
    let mut response = router.oneshot(request).await?;
    // Said before it is done: who is not told sends the next request into the void.
    let unread = match rest {
        Some(rest) => !rest.drain().await,
        None => false,
    };
    let upgraded = response.status() == axum::http::StatusCode::SWITCHING_PROTOCOLS;
    if first && !upgraded && (unread || peer.is_worn()) {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response.map(|body| Body::new(Held { body, _at_work: at_work })))
}

/// A body that says when it is done.
struct Held {
    body: Body,
    _at_work: AtWork,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Drives a connection to its end: its own, or that of its time.
async fn drive<C, E>(
    mut connection: Pin<&mut C>,
    graceful: impl FnOnce(Pin<&mut C>),
    peer: &HttpPeer,
    shutdown: &CancellationToken,
) where
    C: Future<Output = Result<(), E>>,
    E: std::fmt::Display,
{
    let said = |ended: Result<(), E>| {
        if let Err(error) = ended {
            tracing::debug!(%error, "an HTTP connection broke");
        }
    };
    loop {
        let known = peer.is_signed_in();
        let over = if known { peer.accepted() + AGE } else { peer.deadline() };
        tokio::select! {
            ended = connection.as_mut() => return said(ended),
            () = shutdown.cancelled() => break,
            () = sleep_until(over) => if known == peer.is_signed_in() { break },
            () = peer.news() => if peer.has_read_much() { break },
        }
    }
    graceful(connection.as_mut());
    let now = || Instant::from(clock::now());
    let asked = now();
    loop {
        let grace = if shutdown.is_cancelled() {
            GRACE
        } else if peer.is_signed_in() {
            KNOWN_GRACE
        } else {
            UNKNOWNS_GRACE
        };
        tokio::select! {
            ended = connection.as_mut() => return said(ended),
            () = sleep(CLOSE_TIMEOUT) => {}
        }
        // An unknown with half its bytes left may use the rest of its time for them.
        let waits = !peer.is_signed_in() && now() < peer.deadline() && !shutdown.is_cancelled();
        if now() >= asked + grace || !(peer.is_busy() || waits) {
            if !peer.is_signed_in() && !shutdown.is_cancelled() {
                metric::connections_cut("handshake_timeout").increment(1);
            }
            return;
        }
    }
}
