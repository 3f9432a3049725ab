//! The operators' listener: health and metrics, with places that no client of the
//! other listeners can take.
//!
//! Bounds: [`PLACES`] connections at a time, each with one request and a few seconds;
//! more wait in the kernel, and none is refused. It answers while the others refuse
//! everybody, and until the drain is over.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use super::accept::Acceptor;
use super::linger::Lingering;

/// Connections at a time.
const PLACES: usize = 16;

/// What one connection has in all.
const PATIENCE: Duration = Duration::from_secs(5);

/// Accepts until `shutdown`, then waits for the requests to end.
pub(super) async fn run(
    listener: Option<TcpListener>,
    router: Router,
    shutdown: CancellationToken,
) {
    let Some(listener) = listener else { return };
    let mut acceptor = Acceptor::new(listener, shutdown);
    let places = Arc::new(Semaphore::new(PLACES));
    let tasks = TaskTracker::new();
    // The semaphore is never closed.
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let Some((socket, _)) = acceptor.next().await else { break };
        let router = router.clone();
        tasks.spawn(async move {
            if timeout(PATIENCE, serve(socket, router)).await.is_err() {
                tracing::debug!("an operator's connection took too long");
            }
            drop(place);
        });
    }
    drop(acceptor);
    tasks.close();
    tasks.wait().await;
}

async fn serve(socket: TcpStream, router: Router) {
    let _ = socket.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        router.clone().oneshot(request.map(Body::new))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(false)
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(Lingering::new(socket)), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "an operator's connection broke");
    }
}
