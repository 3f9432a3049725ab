//! The TCP listeners: TLS for everybody, plain HTTP for loopback.
//!
//! ALPN decides what a TLS connection carries: `parley/1` is a framed session,
//! `h2` and `http/1.1` (or nothing) the HTTP API with the WebSocket bridge.
//! Batching: one write per flush, Nagle off. Failure: over a cap the socket is
//! closed before a byte is read; a trusted proxy may first say for whom it speaks; a
//! handshake that takes too long is dropped.

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
use super::forwarded::Proxies;
use super::framed;
use super::http_connection::{self, Http};
use super::http_peer::HttpPeer;
use super::limits::{ConnectionPermit, Connections};
use super::proxy_protocol;
use super::transport::Transport;
use crate::base::clock;
use crate::base::metrics::list as metric;

/// Plaintext rustls may hold for one connection while the socket is full.
const TLS_BUFFER: usize = 32 * 1024;

/// Bytes the kernel may hold unsent for one connection; more are asked for once there
/// are fewer.
const UNSENT_BYTES: u32 = 128 * 1024;

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
        let proxies = &shared.options.proxies;
        let Some(come) = admit(&connections, proxies, address, Transport::Tls) else { continue };
        let own = Arc::clone(&shared);
        shared.tasks.spawn(async move {
            let proxies = &own.options.proxies;
            let deadline = come.born + own.options.handshake;
            let Some((come, socket)) = come.introduced(proxies, socket, deadline).await else {
                return;
            };
            match handshake(&own.tls.config, socket, deadline).await {
                Ok(stream) => serve(&own, stream, come),
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
        let proxies = &options.proxies;
        let Some(come) = admit(&connections, proxies, address, Transport::WebSocket) else {
            continue;
        };
        let (router, shutdown, options) = (router.clone(), shutdown.clone(), Arc::clone(&options));
        tasks.spawn(async move {
            let deadline = come.born + options.handshake;
            let introduced = come.introduced(&options.proxies, socket, deadline);
            // Boxed: what lives long must not keep its room.
            let Some((come, socket)) = Box::pin(introduced).await else { return };
            prepare(&socket);
            let http = Http { router, peer: come.peer(&options), shutdown };
            http_connection::serve_http1(socket, http).await;
        });
    }
    drop(acceptor);
    tasks.close();
    tasks.wait().await;
}

/// A connection that has come and holds its place.
struct Come {
    address: SocketAddr,
    permit: ConnectionPermit,
    born: Instant,
}

/// Takes a place for a connection, if there is one.
fn admit(
    connections: &Connections,
    proxies: &Proxies,
    address: SocketAddr,
    transport: Transport,
) -> Option<Come> {
    let admitted = if proxies.trusts(address.ip()) {
        connections.admit_proxy(transport)
    } else {
        connections.admit(address, transport)
    };
    Some(Come { address, permit: admitted.ok()?, born: Instant::from(clock::now()) })
}

impl Come {
    /// Hears from a proxy that speaks the PROXY protocol who its client is.
    async fn introduced(
        mut self,
        proxies: &Proxies,
        mut socket: TcpStream,
        deadline: Instant,
    ) -> Option<(Self, TcpStream)> {
        if proxies.protocol && proxies.trusts(self.address.ip()) {
            let read = timeout_at(deadline, proxy_protocol::read(&mut socket)).await;
            let client = read.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
            match client {
                Ok(Some(client)) => {
                    self.permit.move_to(client.ip()).ok()?;
                    self.address = client;
                }
                Ok(None) => {}
                Err(error) => {
                    metric::handshakes_failed(Transport::Tls.name()).increment(1);
                    tracing::debug!(%error, proxy = %self.address, "the PROXY protocol failed");
                    return None;
                }
            }
        }
        Some((self, socket))
    }

    /// For HTTP on it.
    fn peer(self, options: &Options) -> Arc<HttpPeer> {
        let Self { address, permit, born } = self;
        HttpPeer::born(address, options.handshake, permit, born, Arc::clone(&options.proxies))
    }
}

/// Sends at once, and keeps little unsent in the kernel, so that it shows whether the
/// peer takes what it is sent.
fn prepare(socket: &TcpStream) {
    let _ = socket.set_nodelay(true);
    let _ = socket2::SockRef::from(socket).set_tcp_notsent_lowat(UNSENT_BYTES);
}

async fn handshake(
    config: &Arc<rustls::ServerConfig>,
    socket: TcpStream,
    deadline: Instant,
) -> io::Result<TlsStream<TcpStream>> {
    prepare(&socket);
    let acceptor = TlsAcceptor::from(Arc::clone(config));
    let accepted =
        acceptor.accept_with(socket, |connection| connection.set_buffer_limit(Some(TLS_BUFFER)));
    timeout_at(deadline, accepted).await.map_err(|_| io::ErrorKind::TimedOut)?
}

/// Begins what the connection is for, in a task of its own: what lives long
/// must not keep the room that a handshake takes.
fn serve<H: SessionHost>(shared: &Shared<H>, stream: TlsStream<TcpStream>, come: Come) {
    let Shared { tls, options, shutdown, tasks } = shared;
    let protocol = stream.get_ref().1.alpn_protocol();
    if protocol == Some(version::ALPN) {
        let Come { address, permit, born } = come;
        let peer = Peer { address, transport: Transport::Tls, proof: None };
        let (reader, writer) = framed::pair(stream, born + options.handshake);
        let host = tls.host.clone();
        tasks.spawn(async move { host.serve(reader, writer, peer, permit).await });
        return;
    }
    let second = protocol == Some(b"h2");
    let http =
        Http { router: tls.router.clone(), peer: come.peer(options), shutdown: shutdown.clone() };
    if second {
        tasks.spawn(http_connection::serve_http2(stream, http));
    } else {
        tasks.spawn(http_connection::serve_http1(stream, http));
    }
}
