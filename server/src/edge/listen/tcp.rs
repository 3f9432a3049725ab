//! The TCP listeners: TLS for everybody, plain HTTP for loopback.
//!
//! ALPN decides what a TLS connection carries: `parley/1` is a framed session,
//! `h2` and `http/1.1` (or nothing) the HTTP API with the WebSocket bridge.
//! Batching: one write per flush, Nagle off. Failure: over a cap the socket is
//! closed before a byte is read; a handshake that takes too long is dropped.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use parley_protocol::version;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Options;
use super::accept::Acceptor;
use super::connection::{Peer, SessionHost};
use super::framed;
use super::http_connection::{self, Http, HttpPeer};
use super::limits::{ConnectionPermit, Connections};
use super::transport::Transport;
use crate::base::clock;
use crate::base::metrics::list as metric;

/// Plaintext rustls may hold for one connection while the socket is full.
const TLS_BUFFER: usize = 32 * 1024;

/// What the TLS listener serves.
pub(super) struct Tls<H> {
    pub(super) config: Arc<rustls::ServerConfig>,
    pub(super) router: Router,
    pub(super) host: H,
}

/// What all connections of the TLS listener share.
struct Shared<H> {
    tls: Tls<H>,
    options: Arc<Options>,
    shutdown: CancellationToken,
    tasks: TaskTracker,
}

/// Accepts TLS until `shutdown`, then waits for the connections to end.
pub(super) async fn run_tls<H: SessionHost>(
    listener: TcpListener,
    tls: Tls<H>,
    options: Arc<Options>,
    connections: Connections,
    shutdown: CancellationToken,
) {
    let mut acceptor = Acceptor::new(listener, shutdown.clone());
    let tasks = TaskTracker::new();
    let shared = Arc::new(Shared { tls, options, shutdown, tasks });
    while let Some((socket, address)) = acceptor.next().await {
        let Ok(permit) = connections.admit(address, Transport::Tls) else { continue };
        let own = Arc::clone(&shared);
        shared.tasks.spawn(async move {
            let deadline = Instant::from(clock::now()) + own.options.handshake;
            match handshake(&own.tls.config, socket, deadline).await {
                Ok(stream) => serve(&own, stream, address, permit, deadline),
                Err(error) => {
                    metric::handshakes_failed(Transport::Tls.name()).increment(1);
                    tracing::debug!(%error, "a TLS handshake failed");
                }
            }
        });
    }
    // Stop being connectable while the open ones end.
    drop(acceptor);
    shared.tasks.close();
    shared.tasks.wait().await;
}

/// Accepts plain HTTP until `shutdown`, then waits for the requests to end.
pub(super) async fn run_plain(
    listener: TcpListener,
    router: Router,
    options: Arc<Options>,
    connections: Connections,
    shutdown: CancellationToken,
) {
    let tasks = TaskTracker::new();
    let mut acceptor = Acceptor::new(listener, shutdown.clone());
    while let Some((socket, address)) = acceptor.next().await {
        let Ok(permit) = connections.admit(address, Transport::WebSocket) else { continue };
        let _ = socket.set_nodelay(true);
        let peer = HttpPeer::new(address, options.handshake, permit);
        let http = Http { router: router.clone(), peer, shutdown: shutdown.clone() };
        tasks.spawn(http_connection::serve_http1(socket, http));
    }
    drop(acceptor);
    tasks.close();
    tasks.wait().await;
}

async fn handshake(
    config: &Arc<rustls::ServerConfig>,
    socket: TcpStream,
    deadline: Instant,
) -> io::Result<TlsStream<TcpStream>> {
    socket.set_nodelay(true)?;
    let acceptor = TlsAcceptor::from(Arc::clone(config));
    let accepted =
        acceptor.accept_with(socket, |connection| connection.set_buffer_limit(Some(TLS_BUFFER)));
    timeout_at(deadline, accepted).await.map_err(|_| io::ErrorKind::TimedOut)?
}

/// Begins what the connection is for, in a task of its own: what lives long
/// must not keep the room that a handshake takes.
fn serve<H: SessionHost>(
    shared: &Shared<H>,
    stream: TlsStream<TcpStream>,
    address: SocketAddr,
    permit: ConnectionPermit,
    deadline: Instant,
) {
    let Shared { tls, options, shutdown, tasks } = shared;
    let protocol = stream.get_ref().1.alpn_protocol();
    if protocol == Some(version::ALPN) {
        let peer = Peer { address, transport: Transport::Tls, proof: None };
        let (reader, writer) = framed::pair(stream, deadline);
        let host = tls.host.clone();
        tasks.spawn(async move { host.serve(reader, writer, peer, permit).await });
        return;
    }
    let second = protocol == Some(b"h2");
    let http = Http {
        router: tls.router.clone(),
        peer: HttpPeer::new(address, options.handshake, permit),
        shutdown: shutdown.clone(),
    };
    if second {
        tasks.spawn(http_connection::serve_http2(stream, http));
    } else {
        tasks.spawn(http_connection::serve_http1(stream, http));
    }
}
