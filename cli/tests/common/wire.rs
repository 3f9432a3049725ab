//! One connection to the server on any of the three transports.
//!
//! Writes envelopes, or any bytes at all; reads envelopes until the connection
//! ends and then tells how it ended. Reading is cancel safe.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt, StreamExt};
use parley_protocol::frame::{self, Decoder};
use parley_protocol::wire::{ClientEnvelope, Close, ServerEnvelope, server_envelope};
use parley_protocol::{Code, Message as _, version};
use quinn::crypto::rustls::QuicClientConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::Message;

use super::server::Ready;
use super::tls::client_config;

/// What carries the envelopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Transport {
    Quic,
    Tls,
    WebSocket,
}

impl Transport {
    pub(crate) const ALL: [Self; 3] = [Self::Quic, Self::Tls, Self::WebSocket];
}

/// How a connection ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ended {
    /// The server's last frame, when it was a Close.
    pub(crate) close: Option<Close>,
    /// The application code of the QUIC close, or the WebSocket close code.
    pub(crate) transport_code: Option<u64>,
    /// What the transport said.
    pub(crate) reason: String,
}

impl Ended {
    /// The code the server gave, from the Close frame or else the transport's close.
    pub(crate) fn code(&self) -> Option<Code> {
        let number = match (&self.close, self.transport_code) {
            (Some(close), _) => close.code,
            (None, Some(code @ 4000..5000)) => u32::try_from(code - 4000).ok()?,
            (None, code) => u32::try_from(code?).ok()?,
        };
        Code::from_number(number)
    }

    fn because(reason: impl std::fmt::Display) -> Self {
        Self { close: None, transport_code: None, reason: reason.to_string() }
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for Ended {}

/// A connection.
pub(crate) struct Connection {
    io: Io,
    decoder: Decoder,
    buffer: BytesMut,
    close: Option<Close>,
}

enum Io {
    Quic {
        endpoint: quinn::Endpoint,
        connection: quinn::Connection,
        send: quinn::SendStream,
        recv: quinn::RecvStream,
    },
    Tls(Box<TlsStream<TcpStream>>),
    WebSocket(Box<WebSocketStream<TcpStream>>),
}

impl Connection {
    /// Connects; nothing is sent above the transport yet.
    pub(crate) async fn open(ready: &Ready, transport: Transport) -> Result<Self, Ended> {
        Self::open_from(ready, transport, "127.0.0.1").await
    }

    /// As [`Connection::open`], from one of the machine's addresses.
    pub(crate) async fn open_from(
        ready: &Ready,
        transport: Transport,
        from: &str,
    ) -> Result<Self, Ended> {
        let from = SocketAddr::new(from.parse().expect("an address"), 0);
        let io = match transport {
            Transport::Quic => open_quic(ready, from).await,
            Transport::Tls => open_tls(ready, from, version::ALPN).await.map(Io::Tls),
            Transport::WebSocket => open_websocket(ready, from, "/v1/ws").await.map(Io::WebSocket),
        }?;
        Ok(Self::over(io))
    }

    /// A WebSocket whose URL has a ticket in it.
    pub(crate) async fn open_with_ticket(ready: &Ready, ticket: &str) -> Result<Self, Ended> {
        let path = format!("/v1/ws?ticket={ticket}");
        let opened = open_websocket(ready, ([127, 0, 0, 1], 0).into(), &path).await;
        Ok(Self::over(Io::WebSocket(opened?)))
    }

    fn over(io: Io) -> Self {
        Self { io, decoder: Decoder::new(u32::MAX), buffer: BytesMut::new(), close: None }
    }

    pub(crate) const fn transport(&self) -> Transport {
        match self.io {
            Io::Quic { .. } => Transport::Quic,
            Io::Tls(_) => Transport::Tls,
            Io::WebSocket(_) => Transport::WebSocket,
        }
    }

    /// Writes envelopes with one write where the transport allows.
    pub(crate) async fn write(&mut self, envelopes: &[ClientEnvelope]) -> Result<(), Ended> {
        if let Io::WebSocket(stream) = &mut self.io {
            for envelope in envelopes {
                let message = Message::Binary(envelope.encode_to_vec().into());
                stream.feed(message).await.map_err(Ended::because)?;
            }
            return stream.flush().await.map_err(Ended::because);
        }
        let mut out = BytesMut::new();
        for envelope in envelopes {
            frame::encode(envelope, &mut out);
        }
        self.write_bytes(&out).await
    }

    /// Writes `body` as one frame or one message, whatever it holds.
    pub(crate) async fn write_body(&mut self, body: &[u8]) -> Result<(), Ended> {
        if let Io::WebSocket(stream) = &mut self.io {
            let message = Message::Binary(Bytes::copy_from_slice(body));
            return stream.send(message).await.map_err(Ended::because);
        }
        let mut out = BytesMut::new();
        frame::put(body, &mut out);
        self.write_bytes(&out).await
    }

    /// Writes a text message; only a WebSocket has them.
    pub(crate) async fn write_text(&mut self, text: &str) -> Result<(), Ended> {
        match &mut self.io {
            Io::WebSocket(stream) => stream.send(Message::text(text)).await.map_err(Ended::because),
            Io::Quic { .. } | Io::Tls(_) => panic!("only a WebSocket has text messages"),
        }
    }

    /// Writes bytes past every rule: below the framing, and below the
    /// WebSocket's own frames.
    pub(crate) async fn write_bytes(&mut self, bytes: &[u8]) -> Result<(), Ended> {
        match &mut self.io {
            Io::Quic { send, .. } => send.write_all(bytes).await.map_err(Ended::because),
            Io::Tls(stream) => {
                stream.write_all(bytes).await.map_err(Ended::because)?;
                stream.flush().await.map_err(Ended::because)
            }
            Io::WebSocket(stream) => {
                stream.get_mut().write_all(bytes).await.map_err(Ended::because)
            }
        }
    }

    /// The next envelope, or how the connection ended. Cancel safe.
    pub(crate) async fn read(&mut self) -> Result<ServerEnvelope, Ended> {
        let body = self.read_body().await?;
        let envelope = ServerEnvelope::decode(body)
            .map_err(|error| Ended::because(format!("the server wrote nonsense: {error}")))?;
        if let Some(server_envelope::Kind::Close(close)) = &envelope.kind {
            self.close = Some(close.clone());
        }
        Ok(envelope)
    }

    /// The next envelope's bytes, or how the connection ended. Cancel safe.
    async fn read_body(&mut self) -> Result<Bytes, Ended> {
        loop {
            if !matches!(self.io, Io::WebSocket(_)) {
                match self.decoder.next(&mut self.buffer) {
                    Ok(Some(body)) => return Ok(body),
                    Ok(None) => {}
                    Err(error) => return Err(Ended::because(format!("bad frame: {error}"))),
                }
            }
            let (transport_code, reason) = match &mut self.io {
                Io::Quic { recv, connection, .. } => match recv.read_chunk(64 * 1024, true).await {
                    Ok(Some(chunk)) => {
                        self.buffer.extend_from_slice(&chunk.bytes);
                        continue;
                    }
                    Ok(None) => quic_end(connection).await,
                    Err(quinn::ReadError::ConnectionLost(error)) => quic_reason(error),
                    Err(error) => (None, error.to_string()),
                },
                Io::Tls(stream) => match stream.read_buf(&mut self.buffer).await {
                    Ok(0) => (None, "end of stream".to_owned()),
                    Ok(_) => continue,
                    Err(error) => (None, error.to_string()),
                },
                Io::WebSocket(stream) => match stream.next().await {
                    Some(Ok(Message::Binary(body))) => return Ok(body),
                    Some(Ok(Message::Close(frame))) => match frame {
                        Some(frame) => {
                            (Some(u16::from(frame.code).into()), frame.reason.to_string())
                        }
                        None => (None, "closed without a code".to_owned()),
                    },
                    Some(Ok(Message::Text(text))) => (None, format!("a text message: {text}")),
                    Some(Ok(_)) => continue,
                    Some(Err(error)) => (None, error.to_string()),
                    None => (None, "end of stream".to_owned()),
                },
            };
            return Err(Ended { close: self.close.clone(), transport_code, reason });
        }
    }

    /// Reads until the connection ends, passing over everything but the Close.
    pub(crate) async fn ended(&mut self) -> Ended {
        loop {
            if let Err(ended) = self.read().await {
                return ended;
            }
        }
    }

    /// The QUIC connection below, on that transport.
    pub(crate) fn quic(&self) -> Option<&quinn::Connection> {
        match &self.io {
            Io::Quic { connection, .. } => Some(connection),
            Io::Tls(_) | Io::WebSocket(_) => None,
        }
    }

    /// Lets the packets of a QUIC connection go nowhere from now on, without a
    /// word to the server.
    pub(crate) fn vanish(self) {
        let Io::Quic { endpoint, .. } = &self.io else { panic!("only QUIC can vanish so") };
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
        endpoint.rebind(socket).expect("another socket");
        // Dropping it would say goodbye.
        std::mem::forget(self);
    }

    /// Ends politely below the protocol: the transport's own close.
    pub(crate) async fn shut(mut self) {
        match &mut self.io {
            Io::Quic { endpoint, connection, .. } => {
                connection.close(0u32.into(), b"");
                endpoint.wait_idle().await;
            }
            Io::Tls(stream) => drop(stream.shutdown().await),
            Io::WebSocket(stream) => drop(stream.close().await),
        }
    }
}

async fn quic_end(connection: &quinn::Connection) -> (Option<u64>, String) {
    // The stream ends first, the connection right after it.
    match tokio::time::timeout(Duration::from_secs(5), connection.closed()).await {
        Ok(error) => quic_reason(error),
        Err(_) => (None, "the stream ended, the connection did not".to_owned()),
    }
}

fn quic_reason(error: quinn::ConnectionError) -> (Option<u64>, String) {
    match error {
        quinn::ConnectionError::ApplicationClosed(close) => {
            (Some(close.error_code.into_inner()), close.to_string())
        }
        other => (None, other.to_string()),
    }
}

async fn open_quic(ready: &Ready, from: SocketAddr) -> Result<Io, Ended> {
    let crypto = client_config(&ready.fingerprint, version::ALPN);
    let crypto = QuicClientConfig::try_from(crypto).expect("TLS 1.3");
    let mut config = quinn::ClientConfig::new(Arc::new(crypto));
    let mut transport = quinn::TransportConfig::default();
    transport.max_idle_timeout(Some(Duration::from_secs(30).try_into().expect("in range")));
    config.transport_config(Arc::new(transport));
    let endpoint = quinn::Endpoint::client(from).map_err(Ended::because)?;
    let connecting = endpoint.connect_with(config, ready.quic_address(), "localhost");
    let connection = connecting.map_err(Ended::because)?.await.map_err(Ended::because)?;
    let (send, recv) = connection.open_bi().await.map_err(Ended::because)?;
    Ok(Io::Quic { endpoint, connection, send, recv })
}

/// TLS on TCP with one ALPN name, or none when it is empty.
pub(crate) async fn open_tls(
    ready: &Ready,
    from: SocketAddr,
    alpn: &[u8],
) -> Result<Box<TlsStream<TcpStream>>, Ended> {
    let stream = open_tcp(ready.tls_address(), from).await?;
    let connector = TlsConnector::from(Arc::new(client_config(&ready.fingerprint, alpn)));
    let name = "localhost".try_into().expect("a name");
    Ok(Box::new(connector.connect(name, stream).await.map_err(Ended::because)?))
}

async fn open_websocket(
    ready: &Ready,
    from: SocketAddr,
    path: &str,
) -> Result<Box<WebSocketStream<TcpStream>>, Ended> {
    let stream = open_tcp(ready.http_address(), from).await?;
    let url = format!("ws://{}{path}", ready.http_address());
    let mut request = url.into_client_request().expect("a URL");
    let protocol = HeaderValue::from_static(version::WEBSOCKET_PROTOCOL);
    request.headers_mut().insert("sec-websocket-protocol", protocol);
    let opened = tokio_tungstenite::client_async(request, stream).await;
    let (stream, _) = opened.map_err(Ended::because)?;
    Ok(Box::new(stream))
}

/// A TCP connection from one of the machine's addresses.
pub(crate) async fn open_tcp(to: SocketAddr, from: SocketAddr) -> Result<TcpStream, Ended> {
    let socket = TcpSocket::new_v4().map_err(Ended::because)?;
    socket.bind(from).map_err(Ended::because)?;
    let stream = socket.connect(to).await.map_err(Ended::because)?;
    stream.set_nodelay(true).map_err(Ended::because)?;
    Ok(stream)
}
