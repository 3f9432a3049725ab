//! Sockets: where clients come in.
//!
//! One UDP port takes QUIC (WebTransport by ALPN, if that is on), one TCP port
//! takes TLS (framed sessions, HTTP and WebSocket by ALPN), and a plain-HTTP port
//! is bound to loopback only. Operators have a port of their own, whose places no
//! client can take. Each listener counts its connections against the
//! caps, does the transport's handshake in bounded time, and hands framed
//! connections to a [`SessionHost`]. It does not look into what a session says.
//!
//! The node binds [`Sockets`] first, so that a taken port is an error before
//! anything else runs, and drives [`Sockets::run`] until its token is cancelled.

mod accept;
mod allowance;
mod connection;
mod forwarded;
mod framed;
mod gate;
mod h2_frames;
mod http_connection;
mod http_peer;
mod limits;
mod linger;
mod metered;
mod operator;
mod origin;
mod pace;
mod proxy_protocol;
mod quic;
mod quic_ids;
mod quic_queue;
mod rest;
mod tcp;
mod transport;
mod websocket;
mod webtransport;

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpSocket};
use tokio_util::sync::CancellationToken;

pub use connection::{
    DeliverSize, FrameReader, FrameWriter, Peer, Proof, ReadError, SessionHost, encode_deliver,
};
pub use forwarded::{ForwardedBy, Proxies};
pub use framed::serve_framed;
pub use http_connection::{Http, serve_http1};
pub use http_peer::{HttpClient, HttpPeer};
pub use limits::{CapReached, ConnectionCaps, ConnectionPermit, Connections, State};
pub use origin::{TicketCheck, is_at, is_own_host};
pub use pace::Pace;
pub use transport::Transport;
pub use websocket::{UpgradeRefused, WebSockets};
pub use webtransport::web_transport_request;

/// How long a connection that is being closed may take for its last bytes.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Connections the kernel completes ahead of accept.
const BACKLOG: u32 = 1024;

/// Ports tried until one is free for both TCP and UDP, when port 0 is asked for.
const PORT_TRIES: usize = 32;

/// Where and how to listen.
#[derive(Debug, Clone)]
pub struct Options {
    /// QUIC and TLS; port 0 picks one that is free for both.
    pub address: SocketAddr,
    /// Plain HTTP; a loopback address.
    pub http: SocketAddr,
    /// Health and metrics, for operators; none of it anywhere else without.
    pub operator: Option<SocketAddr>,
    /// Time from accept to authentication, and for one HTTP head or body.
    pub handshake: Duration,
    /// Silence after which QUIC drops a connection.
    pub idle: Duration,
    /// Bytes of the largest frame, once authenticated.
    pub frame_bytes: u32,
    /// Origins of web pages that may open a WebSocket, besides the server's own.
    pub origins: Vec<String>,
    /// Whether QUIC takes WebTransport.
    pub web_transport: bool,
    /// Which proxies are believed.
    pub proxies: Arc<Proxies>,
}

/// Why the sockets could not be bound.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Plain HTTP would be reachable from elsewhere.
    #[error("plain HTTP may only listen on a loopback address, not on {0}: it has no encryption")]
    NotLoopback(SocketAddr),
    /// The operating system refused.
    #[error("cannot listen on {address} ({protocol}): {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// "TCP" or "UDP".
        protocol: &'static str,
        /// What it said.
        source: io::Error,
    },
}

/// The addresses in use, ports filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// QUIC on UDP.
    pub quic: SocketAddr,
    /// TLS on TCP; the same port as QUIC.
    pub tls: SocketAddr,
    /// Plain HTTP.
    pub http: SocketAddr,
    /// Health and metrics.
    pub operator: Option<SocketAddr>,
}

/// Bound sockets on which nobody is served yet.
pub struct Sockets {
    udp: UdpSocket,
    tls: TcpListener,
    http: TcpListener,
    operator: Option<TcpListener>,
    addresses: Addresses,
}

/// What the listeners hand connections to.
pub struct Services<H> {
    /// Runs sessions.
    pub host: H,
    /// Counts connections.
    pub connections: Connections,
    /// Takes the WebSockets that the routers accept.
    pub websockets: WebSockets<H>,
    /// HTTP on the TLS port.
    pub tls_router: Router,
    /// HTTP on the loopback port.
    pub plain_router: Router,
    /// HTTP for operators.
    pub operator_router: Router,
    /// TLS on TCP.
    pub tcp_tls: Arc<rustls::ServerConfig>,
    /// TLS in QUIC.
    pub quic_tls: Arc<rustls::ServerConfig>,
    /// Signs QUIC's stateless resets; the same after a restart.
    pub quic_reset_key: [u8; 64],
    /// Knows whose session a WebTransport will be.
    pub ticket_check: TicketCheck,
}

impl Sockets {
    /// Binds all of them. Call it within a runtime.
    ///
    /// # Errors
    /// [`BindError`] names the address and the reason.
    pub fn bind(options: &Options) -> Result<Self, BindError> {
        if !options.http.ip().is_loopback() {
            return Err(BindError::NotLoopback(options.http));
        }
        let (tls, udp) = bind_pair(options.address)?;
        let http = bind_tcp(options.http)?;
        let operator = options.operator.map(bind_tcp).transpose()?;
        let address = |listener: &TcpListener, asked| listener.local_addr().unwrap_or(asked);
        let tls_address = address(&tls, options.address);
        let addresses = Addresses {
            quic: tls_address,
            tls: tls_address,
            http: address(&http, options.http),
            operator: operator.as_ref().and_then(|operator| operator.local_addr().ok()),
        };
        Ok(Self { udp, tls, http, operator, addresses })
    }

    /// The addresses in use.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Accepts connections until `shutdown` is cancelled, then waits for every
    /// session and request to end; the host is to end its sessions itself.
    ///
    /// # Errors
    /// When the QUIC endpoint can't be made. Errors of single connections and
    /// of accept are counted and survived.
    pub async fn run<H: SessionHost>(
        self,
        options: Options,
        services: Services<H>,
        shutdown: CancellationToken,
    ) -> io::Result<()> {
        let options = Arc::new(options);
        let endpoint =
            quic::endpoint(self.udp, services.quic_tls, &services.quic_reset_key, &options)?;
        let quic = quic::run(
            endpoint,
            Arc::clone(&options),
            services.connections.clone(),
            services.host.clone(),
            services.ticket_check,
            shutdown.clone(),
        );
        let tls = tcp::run_tls(
            self.tls,
            tcp::Tls { config: services.tcp_tls, router: services.tls_router, host: services.host },
            Arc::clone(&options),
            services.connections.clone(),
            shutdown.clone(),
        );
        let http = tcp::run_plain(
            self.http,
            services.plain_router,
            options,
            services.connections,
            shutdown.clone(),
        );
        let operator = operator::run(self.operator, services.operator_router, shutdown);
        tokio::join!(quic, tls, http, operator);
        services.websockets.closed().await;
        Ok(())
    }
}

fn bind_pair(address: SocketAddr) -> Result<(TcpListener, UdpSocket), BindError> {
    let mut tries = if address.port() == 0 { PORT_TRIES } else { 1 };
    loop {
        tries -= 1;
        let tcp = bind_tcp(address)?;
        let same = tcp.local_addr().unwrap_or(address);
        match UdpSocket::bind(same) {
            Ok(udp) => return Ok((tcp, udp)),
            Err(error) if tries > 0 && error.kind() == io::ErrorKind::AddrInUse => {}
            Err(source) => return Err(BindError::Bind { address: same, protocol: "UDP", source }),
        }
    }
}

fn bind_tcp(address: SocketAddr) -> Result<TcpListener, BindError> {
    let bind = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // A restarted server must not wait for its old connections to time out.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    let mut tries = if address.port() == 0 { PORT_TRIES } else { 1 };
    loop {
        tries -= 1;
        match bind() {
            Ok(listener) => return Ok(listener),
            // With addresses reused, a free port may be one that somebody else
            // is about to listen on, which only listening tells.
            Err(error) if tries > 0 && error.kind() == io::ErrorKind::AddrInUse => {}
            Err(source) => return Err(BindError::Bind { address, protocol: "TCP", source }),
        }
    }
}

#[cfg(test)]
mod tests;
