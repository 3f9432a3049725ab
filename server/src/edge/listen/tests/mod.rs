//! The listeners on real sockets, with a host that echoes.
//!
//! One file per concern: what each transport carries and how it closes, what is
//! cut before authentication, and the caps.

mod before_auth;
mod caps;
mod carry;
mod unknown;

use std::time::Duration;

use axum::Extension;
use axum::routing::get;
use parley_protocol::wire::{Close, Pong, ServerEnvelope, server_envelope::Kind};
use parley_protocol::{Code, Message as _, frame, version};
use rustls::RootCertStore;
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::*;
use crate::edge::tls;

/// Echoes envelopes. The first one authenticates, unless it is told never to;
/// request 99 makes it say goodbye with `Draining`.
#[derive(Clone)]
struct Echo {
    authenticates: bool,
}

impl SessionHost for Echo {
    async fn serve<R, W>(
        &self,
        mut reader: R,
        mut writer: W,
        _peer: Peer,
        mut permit: ConnectionPermit,
    ) where
        R: FrameReader + 'static,
        W: FrameWriter + 'static,
    {
        let code = loop {
            match reader.next().await {
                Ok(Some(frame)) => {
                    if self.authenticates {
                        reader.set_authenticated(524_288);
                        permit.set_authenticated();
                    }
                    let Ok(envelope) = ServerEnvelope::decode(frame) else {
                        break Some(Code::BadEnvelope);
                    };
                    if envelope.request == 99 {
                        break Some(Code::Draining);
                    }
                    writer.put(&envelope);
                    if writer.flush().await.is_err() {
                        break None;
                    }
                }
                Ok(None) => break None,
                Err(error) => break error.code(),
            }
        };
        if let Some(code) = code {
            let close = Close { code: code as u32, text: String::new(), retry_after_ms: 0 };
            writer.put(&ServerEnvelope { request: 0, kind: Some(Kind::Close(close)) });
        }
        writer.close(code).await;
    }
}

/// A running set of listeners.
struct Running {
    addresses: Addresses,
    connections: Connections,
    roots: Arc<RootCertStore>,
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<io::Result<()>>,
    _folder: tempfile::TempDir,
}

#[derive(Clone)]
struct Setup {
    handshake: Duration,
    caps: ConnectionCaps,
    authenticates: bool,
    origins: Vec<String>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(20),
            caps: ConnectionCaps {
                total: 100,
                per_address: 100,
                unauthenticated: 100,
                limit_loopback: true,
            },
            authenticates: true,
            origins: Vec::new(),
        }
    }
}

fn local() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

fn start(setup: Setup) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let certificates = tls::Certificates::load(tls::Options {
        files: None,
        folder: folder.path().join("tls"),
        names: Vec::new(),
        tls12: false,
        reload: Duration::from_secs(60),
        web_transport: false,
    })
    .unwrap();
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(folder.path().join("tls/certificate.pem")).unwrap())
        .unwrap();
    let options = Options {
        address: local(),
        http: local(),
        operator: Some(local()),
        handshake: setup.handshake,
        idle: Duration::from_secs(30),
        frame_bytes: 524_288,
        origins: setup.origins,
        web_transport: false,
        proxies: Arc::default(),
    };
    let sockets = Sockets::bind(&options).unwrap();
    let addresses = sockets.addresses();
    let host = Echo { authenticates: setup.authenticates };
    let connections = Connections::new(setup.caps);
    let websockets = WebSockets::new(host.clone(), options.clone());
    let upgrades = websockets.clone();
    let known = |Extension(peer): Extension<Arc<HttpPeer>>| async move { peer.set_signed_in() };
    let router = Router::new().route("/known", get(known));
    let router = router.route("/livez", get(|| async { "alive" })).route(
        "/v1/ws",
        get(move |request| async move {
            upgrades
                .upgrade(request, None)
                .map_err(|refused| (axum::http::StatusCode::BAD_REQUEST, refused.text))
        }),
    );
    let services = Services {
        host,
        connections: connections.clone(),
        websockets,
        tls_router: router.clone(),
        plain_router: router,
        operator_router: Router::new().route("/livez", get(|| async { "alive" })),
        tcp_tls: certificates.tcp_config().unwrap(),
        quic_tls: certificates.quic_config().unwrap(),
        quic_reset_key: certificates.quic_reset_key().unwrap(),
        ticket_check: Arc::new(|_| Ok(None)),
    };
    let shutdown = CancellationToken::new();
    let task = tokio::spawn(sockets.run(options, services, shutdown.clone()));
    Running { addresses, connections, roots: Arc::new(roots), shutdown, task, _folder: folder }
}

impl Running {
    /// Stops and waits: it hangs, and the test with it, if a task is left over.
    async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap().unwrap();
        assert_eq!(self.connections.open(), 0);
    }

    fn client_tls(&self, alpn: &[&[u8]]) -> rustls::ClientConfig {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(Arc::clone(&self.roots))
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        config
    }

    async fn tls(&self, alpn: &[&[u8]]) -> io::Result<TlsStream<TcpStream>> {
        let socket = TcpStream::connect(self.addresses.tls).await?;
        let connector = TlsConnector::from(Arc::new(self.client_tls(alpn)));
        connector.connect(ServerName::try_from("localhost").unwrap(), socket).await
    }

    fn quic_endpoint(&self) -> quinn::Endpoint {
        let crypto =
            quinn::crypto::rustls::QuicClientConfig::try_from(self.client_tls(&[version::ALPN]))
                .unwrap();
        let mut endpoint = quinn::Endpoint::client(local()).unwrap();
        endpoint.set_default_client_config(quinn::ClientConfig::new(Arc::new(crypto)));
        endpoint
    }

    async fn quic(
        &self,
        endpoint: &quinn::Endpoint,
    ) -> Result<quinn::Connection, quinn::ConnectionError> {
        endpoint.connect(self.addresses.quic, "localhost").unwrap().await
    }
}

fn pong(request: u64) -> ServerEnvelope {
    ServerEnvelope {
        request,
        kind: Some(Kind::Pong(Pong { feed_position: request, server_time_ms: 1 })),
    }
}

/// An envelope of about `bytes` bytes.
fn large(request: u64, bytes: usize) -> ServerEnvelope {
    let close = Close { code: 1, text: "x".repeat(bytes), retry_after_ms: 0 };
    ServerEnvelope { request, kind: Some(Kind::Close(close)) }
}

fn closing(code: Code) -> ServerEnvelope {
    let close = Close { code: code as u32, text: String::new(), retry_after_ms: 0 };
    ServerEnvelope { request: 0, kind: Some(Kind::Close(close)) }
}

async fn send(stream: &mut (impl AsyncWrite + Unpin), envelope: &ServerEnvelope) {
    let mut out = bytes::BytesMut::new();
    frame::encode(envelope, &mut out);
    stream.write_all(&out).await.unwrap();
    stream.flush().await.unwrap();
}

/// The next envelope; `None` at the end, however it comes.
async fn receive(stream: &mut (impl AsyncRead + Unpin)) -> Option<ServerEnvelope> {
    let mut buffer = bytes::BytesMut::new();
    let decoder = frame::Decoder::new(1 << 20);
    loop {
        // Byte by byte, so that nothing of the next frame is lost.
        let byte = stream.read_u8().await.ok()?;
        buffer.extend_from_slice(&[byte]);
        if let Some(frame) = decoder.next(&mut buffer).unwrap() {
            return Some(ServerEnvelope::decode(frame).unwrap());
        }
    }
}

/// Everything until the peer closes, however it does.
async fn drain(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut all = Vec::new();
    let mut some = [0; 1024];
    while let Ok(read @ 1..) = stream.read(&mut some).await {
        all.extend_from_slice(&some[..read]);
    }
    all
}
