//! Where the server is, and opening connections to it.
//!
//! Resumption is off, so every connection costs a full handshake. QUIC shares a few UDP
//! sockets, TCP connections have one each.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail};
use parley_protocol::version;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{TransportConfig, VarInt};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;

use super::link::{Duplex, Link, websocket_config};
use super::trust;

/// UDP sockets of all QUIC connections together.
const QUIC_SOCKETS: usize = 4;

/// Size asked of the kernel for a UDP socket, each way; the server asks for the same.
const SOCKET_BUFFER: usize = 4 * 1024 * 1024;

/// Patience with one handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// How the generator talks to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Quic,
    Tls,
    WebSocketTls,
    WebSocket,
}

impl Transport {
    /// As the URL's scheme says it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Quic => "quic",
            Self::Tls => "tls",
            Self::WebSocketTls => "wss",
            Self::WebSocket => "ws",
        }
    }
}

/// What becomes of a TCP connection that is dropped.
#[derive(Clone, Copy)]
enum Ending {
    Orderly,
    Abrupt,
}

/// Opens connections to one server.
pub(crate) struct Connector {
    pub(crate) transport: Transport,
    authority: String,
    host: String,
    address: SocketAddr,
    tls: Option<Arc<rustls::ClientConfig>>,
    quic: Vec<quinn::Endpoint>,
    next: AtomicUsize,
}

impl Connector {
    /// Reads the URL and makes the sockets.
    ///
    /// # Errors
    /// For a bad URL, a name without address, or a missing fingerprint.
    pub(crate) async fn new(url: &str, fingerprint: Option<&str>) -> anyhow::Result<Self> {
        let (scheme, authority) =
            url.split_once("://").context("--server is a URL such as quic://127.0.0.1:7443")?;
        let authority = authority.trim_end_matches('/');
        let transport = match scheme {
            "quic" => Transport::Quic,
            "tls" => Transport::Tls,
            "wss" => Transport::WebSocketTls,
            "ws" => Transport::WebSocket,
            _ => bail!("--server begins with quic://, tls://, wss:// or ws://"),
        };
        let (host, _) = authority.rsplit_once(':').context("--server names a port")?;
        let address = tokio::net::lookup_host(authority)
            .await?
            .next()
            .context("the server's name has no address")?;
        let tls = match transport {
            Transport::WebSocket => None,
            _ => {
                let alpn: &[u8] = match transport {
                    Transport::WebSocketTls => b"http/1.1",
                    _ => version::ALPN,
                };
                let pin = fingerprint.context("--trust FINGERPRINT is needed with TLS")?;
                Some(trust::client_config(pin, alpn)?)
            }
        };
        let mut quic = Vec::new();
        if let (Transport::Quic, Some(tls)) = (transport, &tls) {
            let config = quic_config(tls.clone())?;
            for _ in 0..QUIC_SOCKETS {
                let any = match address {
                    SocketAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
                    SocketAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
                };
                let mut endpoint = endpoint(SocketAddr::new(any, 0), None)?;
                endpoint.set_default_client_config(config.clone());
                quic.push(endpoint);
            }
        }
        Ok(Self {
            transport,
            authority: authority.to_owned(),
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            address,
            tls: tls.map(Arc::new),
            quic,
            next: AtomicUsize::new(0),
        })
    }

    /// Opens one connection.
    ///
    /// # Errors
    /// When it is refused, fails, or takes more than 20 s.
    pub(crate) async fn open(&self) -> anyhow::Result<Link> {
        self.connect(Ending::Orderly).await
    }

    /// Opens one that is dropped soon: TCP then keeps nothing of it.
    ///
    /// # Errors
    /// As [`Connector::open`].
    pub(crate) async fn open_briefly(&self) -> anyhow::Result<Link> {
        self.connect(Ending::Abrupt).await
    }

    async fn connect(&self, ending: Ending) -> anyhow::Result<Link> {
        tokio::time::timeout(CONNECT_TIMEOUT, async {
            match self.transport {
                Transport::Quic => self.quic().await,
                Transport::Tls => Ok(Link::framed(self.tls(ending).await?)),
                Transport::WebSocketTls => self.websocket(self.tls(ending).await?).await,
                Transport::WebSocket => self.websocket(Box::new(self.tcp(ending).await?)).await,
            }
        })
        .await
        .context("the handshake took more than 20 s")?
    }

    async fn tcp(&self, ending: Ending) -> anyhow::Result<TcpStream> {
        let tcp = TcpStream::connect(self.address).await.context("TCP")?;
        tcp.set_nodelay(true)?;
        if matches!(ending, Ending::Abrupt) {
            tcp.set_zero_linger()?;
        }
        Ok(tcp)
    }

    async fn tls(&self, ending: Ending) -> anyhow::Result<Box<dyn Duplex>> {
        let config = Arc::clone(self.tls.as_ref().context("no TLS configuration")?);
        let name = ServerName::try_from(self.host.clone())?;
        let tls = TlsConnector::from(config).connect(name, self.tcp(ending).await?).await;
        Ok(Box::new(tls.context("TLS handshake")?))
    }

    async fn quic(&self) -> anyhow::Result<Link> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % QUIC_SOCKETS;
        let endpoint = self.quic.get(turn).context("no UDP socket")?;
        let connection =
            endpoint.connect(self.address, &self.host)?.await.context("QUIC handshake")?;
        let (send, receive) = connection.open_bi().await?;
        Ok(Link::framed(Box::new(tokio::io::join(receive, send))))
    }

    async fn websocket(&self, stream: Box<dyn Duplex>) -> anyhow::Result<Link> {
        let scheme = self.transport.name();
        let mut request = format!("{scheme}://{}/v1/ws", self.authority).into_client_request()?;
        request.headers_mut().insert(
            "sec-websocket-protocol",
            HeaderValue::from_static(version::WEBSOCKET_PROTOCOL),
        );
        let config = Some(websocket_config());
        let (socket, _) = tokio_tungstenite::client_async_with_config(request, stream, config)
            .await
            .context("WebSocket handshake")?;
        Ok(Link::socket(socket))
    }
}

/// A QUIC endpoint with as much room for what comes at once as the server has: with the kernel's
/// default, a thousand handshakes at a time are mostly dropped packets.
///
/// # Errors
/// When there is no socket.
pub(crate) fn endpoint(
    address: SocketAddr,
    server: Option<quinn::ServerConfig>,
) -> anyhow::Result<quinn::Endpoint> {
    let socket = std::net::UdpSocket::bind(address)?;
    let buffers = socket2::SockRef::from(&socket);
    // Best effort: the kernel's limit may be lower.
    let _ = buffers.set_recv_buffer_size(SOCKET_BUFFER);
    let _ = buffers.set_send_buffer_size(SOCKET_BUFFER);
    let (config, runtime) = (quinn::EndpointConfig::default(), Arc::new(quinn::TokioRuntime));
    Ok(quinn::Endpoint::new(config, server, socket, runtime)?)
}

fn quic_config(tls: rustls::ClientConfig) -> anyhow::Result<quinn::ClientConfig> {
    let mut transport = TransportConfig::default();
    // The protocol's own heartbeat keeps the connection; sizes as in the SDK.
    transport
        .max_idle_timeout(Some(Duration::from_secs(60).try_into()?))
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .stream_receive_window(VarInt::from_u32(1 << 20))
        .receive_window(VarInt::from_u32(1 << 20))
        .send_window(1 << 20);
    let mut config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls)?));
    config.transport_config(Arc::new(transport));
    Ok(config)
}
