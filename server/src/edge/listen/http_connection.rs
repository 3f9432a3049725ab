//! One connection that carries HTTP: the bounds of hyper, and the router.
//!
//! A head must come within the handshake time and fit 16 KiB; a connection
//! lives five minutes at most before it is asked to finish. Bodies are bounded
//! where they are read (`http::body`). The requests get an [`HttpPeer`] as an
//! extension; the WebSocket upgrade takes the connection's place out of it.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, server::conn::http1, server::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::limits::ConnectionPermit;
use super::linger::Lingering;

/// Bytes in the head of a request.
const HEAD_BYTES: usize = 16 * 1024;

/// Header fields of a request.
const HEADERS: usize = 64;

/// Requests at a time on one HTTP/2 connection.
const STREAMS: u32 = 32;

/// Streams a client may reset before its connection counts as an attack.
const RESETS: usize = 32;

/// Age at which a connection is asked to finish.
const AGE: Duration = Duration::from_secs(300);

/// What requests in progress get once asked to finish.
const GRACE: Duration = Duration::from_secs(5);

/// The connection a request came on.
pub struct HttpPeer {
    address: SocketAddr,
    patience: Duration,
    permit: Mutex<Option<ConnectionPermit>>,
}

impl HttpPeer {
    /// Public for tests that call a router without a connection.
    #[must_use]
    pub fn new(address: SocketAddr, patience: Duration, permit: ConnectionPermit) -> Arc<Self> {
        Arc::new(Self { address, patience, permit: Mutex::new(Some(permit)) })
    }

    /// Where it came from.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// How long a head or a body may take.
    #[must_use]
    pub const fn patience(&self) -> Duration {
        self.patience
    }

    /// Takes the connection's place, for a session that goes on without HTTP.
    pub(super) fn take_permit(&self) -> Option<ConnectionPermit> {
        self.permit.lock().take()
    }
}

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
    let handshake = peer.patience;
    let service = service_fn(move |request| answer(router.clone(), Arc::clone(&peer), request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(handshake)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS)
        .serve_connection(TokioIo::new(Lingering::new(stream)), service)
        .with_upgrades();
    finish(pin!(connection), |connection| connection.graceful_shutdown(), &shutdown).await;
}

/// Serves HTTP/2 until the connection ends.
pub(super) async fn serve_http2<S>(stream: S, http: Http)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Http { router, peer, shutdown } = http;
    let handshake = peer.patience;
    let service = service_fn(move |request| answer(router.clone(), Arc::clone(&peer), request));
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_pending_accept_reset_streams(RESETS)
        .max_local_error_reset_streams(RESETS)
        .max_header_list_size(u32::try_from(HEAD_BYTES).unwrap_or(u32::MAX))
        .initial_stream_window_size(64 * 1024)
        .initial_connection_window_size(256 * 1024)
        .max_send_buf_size(64 * 1024)
        .keep_alive_interval(handshake)
        .keep_alive_timeout(handshake)
        .serve_connection(TokioIo::new(stream), service);
    finish(pin!(connection), |connection| connection.graceful_shutdown(), &shutdown).await;
}

async fn answer(
    router: Router,
    peer: Arc<HttpPeer>,
    request: Request<Incoming>,
) -> Result<axum::response::Response, std::convert::Infallible> {
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(peer);
    router.oneshot(request).await
}

/// Drives a connection; at shutdown or of age it may finish what it is at.
async fn finish<C, E>(
    mut connection: Pin<&mut C>,
    graceful: impl FnOnce(Pin<&mut C>),
    shutdown: &CancellationToken,
) where
    C: Future<Output = Result<(), E>>,
    E: std::fmt::Display,
{
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = shutdown.cancelled() => None,
        () = sleep(AGE) => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            graceful(connection.as_mut());
            match timeout(GRACE, connection).await {
                Ok(ended) => ended,
                Err(_) => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "an HTTP connection broke");
    }
}
