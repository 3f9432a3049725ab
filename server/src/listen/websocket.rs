//! The WebSocket bridge: one binary message is one envelope.
//!
//! The router hands `GET /v1/ws` to [`WebSockets::upgrade`], which checks the
//! request and goes on with the bare connection. Batching: messages gather in a
//! small write buffer until a flush. Failure: a text message or an oversize one
//! ends the session with its code; so do more than 64 KiB before
//! authentication, counted on the connection, whatever the messages look like.
//! There is no compression.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header};
use bytes::{Bytes, BytesMut};
use futures_util::{Sink, Stream};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use parley_protocol::errors::websocket_close_code;
use parley_protocol::frame::FrameError;
use parley_protocol::limits::UNAUTHENTICATED_BYTES;
use parley_protocol::version::WEBSOCKET_PROTOCOL;
use parley_protocol::{Code, ConversationId};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::error::{CapacityError, Error as WsError};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_util::task::TaskTracker;

use super::connection::{
    DeliverSize, FrameReader, FrameWriter, Peer, ReadError, SessionHost, Transport, encode_deliver,
};
use super::framed::linger;
use super::gate::Gate;
use super::http_connection::HttpPeer;
use super::{CLOSE_TIMEOUT, ConnectionPermit, Options};

/// Read and write buffers of one connection.
const BUFFER_BYTES: usize = 4 * 1024;

/// Messages up to this size are copied out of the read buffer, which they
/// would keep alive as a whole.
const COPY_BYTES: usize = 16 * 1024;

/// Why a request did not become a WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct UpgradeRefused {
    /// The code to answer with.
    pub code: Code,
    /// What was wrong, for a person.
    pub text: &'static str,
}

/// Turns HTTP requests into sessions. Cheap to clone.
#[derive(Clone)]
pub struct WebSockets<H> {
    host: H,
    options: Arc<Options>,
    sessions: TaskTracker,
}

impl<H: SessionHost> WebSockets<H> {
    /// A bridge to `host`.
    #[must_use]
    pub fn new(host: H, options: Options) -> Self {
        Self { host, options: Arc::new(options), sessions: TaskTracker::new() }
    }

    /// Answers a request for an upgrade; the session runs on by itself.
    ///
    /// # Errors
    /// [`UpgradeRefused`] when the request is not a WebSocket handshake of this
    /// protocol or comes from a foreign web page.
    pub fn upgrade(&self, mut request: Request<Body>) -> Result<Response<Body>, UpgradeRefused> {
        let key = check(&request, &self.options.origins)?;
        let missing =
            UpgradeRefused { code: Code::BadRequest, text: "this connection cannot be upgraded" };
        let on_upgrade = request.extensions_mut().remove::<OnUpgrade>().ok_or(missing)?;
        let peer = request.extensions().get::<Arc<HttpPeer>>().ok_or(missing)?;
        let address = peer.address();
        let mut permit = peer.take_permit().ok_or(missing)?;
        permit.set_transport(Transport::WebSocket);
        let peer = Peer { address, transport: Transport::WebSocket };
        let (host, options) = (self.host.clone(), Arc::clone(&self.options));
        self.sessions.spawn(async move {
            let deadline = Instant::now() + options.handshake;
            if let Ok(Ok(upgraded)) = timeout_at(deadline, on_upgrade).await {
                serve(host, upgraded, deadline, options.frame_bytes, peer, permit).await;
            }
        });
        Ok(switching(&key))
    }

    /// Resolves when every session has ended; no upgrade is taken afterwards.
    pub async fn closed(&self) {
        self.sessions.close();
        self.sessions.wait().await;
    }
}

fn switching(key: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(WEBSOCKET_PROTOCOL));
    // Base64 is always a valid header value.
    if let Ok(accept) = HeaderValue::from_str(&derive_accept_key(key.as_bytes())) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    response
}

/// Checks the handshake of RFC 6455 section 4.2.1; gives the key.
fn check(request: &Request<Body>, origins: &[String]) -> Result<String, UpgradeRefused> {
    let bad = |text| UpgradeRefused { code: Code::BadRequest, text };
    let headers = request.headers();
    if request.method() != Method::GET || request.version() != Version::HTTP_11 {
        return Err(bad("a WebSocket starts with GET over HTTP/1.1"));
    }
    if !has_token(headers, header::CONNECTION, "upgrade")
        || !has_token(headers, header::UPGRADE, "websocket")
    {
        return Err(bad("the request asks for no upgrade to websocket"));
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(bad("the WebSocket version must be 13"));
    }
    if !has_token(headers, header::SEC_WEBSOCKET_PROTOCOL, WEBSOCKET_PROTOCOL) {
        return Err(bad("the WebSocket subprotocol must be parley.v1"));
    }
    if !origin_may(headers, origins) {
        return Err(bad("web pages of this origin may not connect"));
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY).and_then(|key| key.to_str().ok());
    key.filter(|key| key.len() == 24)
        .map(str::to_owned)
        .ok_or_else(|| bad("the WebSocket key is missing"))
}

fn has_token(headers: &HeaderMap, name: header::HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|part| part.trim().eq_ignore_ascii_case(token))
}

/// Browsers always name the page's origin; other clients need not.
fn origin_may(headers: &HeaderMap, origins: &[String]) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    if origins.iter().any(|known| known.eq_ignore_ascii_case(origin)) {
        return true;
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let of_origin = origin.split_once("://").map(|(_, authority)| authority);
    matches!((host, of_origin), (Some(host), Some(own)) if !host.is_empty() && own.eq_ignore_ascii_case(host))
}

async fn serve<H: SessionHost>(
    host: H,
    upgraded: Upgraded,
    deadline: Instant,
    frame_bytes: u32,
    peer: Peer,
    permit: ConnectionPermit,
) {
    let budget = Arc::new(Budget::default());
    let io = Metered { io: TokioIo::new(upgraded), budget: Arc::clone(&budget) };
    let frame = frame_bytes as usize;
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES)
        // Room for what is gathered and one message more, which may be larger
        // than a client's: a page of history.
        .max_write_buffer_size(BUFFER_BYTES + 4 * frame)
        .max_message_size(Some(frame))
        .max_frame_size(Some(frame));
    let socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
    let socket = Arc::new(Mutex::new(socket));
    let reader =
        WebSocketReader { socket: Arc::clone(&socket), gate: Gate::until(deadline), budget };
    let writer = WebSocketWriter { socket, out: VecDeque::new(), bytes: 0, unflushed: false };
    host.serve(reader, writer, peer, permit).await;
}

type Socket = Arc<Mutex<WebSocketStream<Metered>>>;

struct WebSocketReader {
    socket: Socket,
    gate: Gate,
    budget: Arc<Budget>,
}

impl FrameReader for WebSocketReader {
    async fn next(&mut self) -> Result<Option<Bytes>, ReadError> {
        loop {
            let Self { socket, gate, .. } = self;
            let message = poll_fn(|cx| {
                if let Poll::Ready(message) = Pin::new(&mut *socket.lock()).poll_next(cx) {
                    return Poll::Ready(Ok(message));
                }
                ready!(gate.poll_late(cx));
                Poll::Ready(Err(ReadError::Late))
            })
            .await?;
            match message {
                None | Some(Ok(Message::Close(_)) | Err(WsError::ConnectionClosed)) => {
                    return Ok(None);
                }
                Some(Ok(Message::Binary(envelope))) if envelope.is_empty() => {
                    return Err(FrameError::Empty.into());
                }
                Some(Ok(Message::Binary(envelope))) if envelope.len() <= COPY_BYTES => {
                    return Ok(Some(Bytes::copy_from_slice(&envelope)));
                }
                Some(Ok(Message::Binary(envelope))) => return Ok(Some(envelope)),
                Some(Ok(Message::Text(_))) => return Err(ReadError::Text),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Err(error)) => return Err(self.blame(error)),
            }
        }
    }

    fn set_authenticated(&mut self, _frame_bytes: u32) {
        self.gate.open();
        self.budget.open();
    }
}

impl WebSocketReader {
    fn blame(&self, error: WsError) -> ReadError {
        match error {
            _ if self.budget.is_used_up() => ReadError::BudgetUsed,
            WsError::Capacity(CapacityError::MessageTooLong { size, max_size }) => {
                ReadError::Frame(FrameError::TooLarge {
                    length: size as u64,
                    max: u32::try_from(max_size).unwrap_or(u32::MAX),
                })
            }
            WsError::Utf8(_) => ReadError::Text,
            WsError::Protocol(_) => FrameError::BadPrefix.into(),
            WsError::Io(error) => ReadError::Io(error),
            other => ReadError::Io(io::Error::other(other)),
        }
    }
}

struct WebSocketWriter {
    socket: Socket,
    out: VecDeque<Bytes>,
    bytes: usize,
    unflushed: bool,
}

impl WebSocketWriter {
    fn push(&mut self, envelope: Bytes) {
        self.bytes += envelope.len();
        self.out.push_back(envelope);
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WsError>> {
        let mut socket = self.socket.lock();
        while !self.out.is_empty() {
            ready!(Pin::new(&mut *socket).poll_ready(cx))?;
            let Some(envelope) = self.out.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(envelope.len());
            self.unflushed = true;
            Pin::new(&mut *socket).start_send(Message::Binary(envelope))?;
        }
        if self.unflushed {
            ready!(Pin::new(&mut *socket).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    async fn say_goodbye(&mut self, code: Option<Code>) -> Result<(), WsError> {
        poll_fn(|cx| self.poll_send(cx)).await?;
        let (number, reason) = match code {
            Some(code) => (CloseCode::Library(websocket_close_code(code)), code.name()),
            None => (CloseCode::Normal, ""),
        };
        let frame = CloseFrame { code: number, reason: reason.into() };
        poll_fn(|cx| Pin::new(&mut *self.socket.lock()).poll_ready(cx)).await?;
        Pin::new(&mut *self.socket.lock()).start_send(Message::Close(Some(frame)))?;
        poll_fn(|cx| Pin::new(&mut *self.socket.lock()).poll_flush(cx)).await?;
        Ok(linger(&mut Raw(Arc::clone(&self.socket))).await?)
    }
}

impl FrameWriter for WebSocketWriter {
    fn put(&mut self, envelope: &impl prost::Message) {
        self.push(envelope.encode_to_vec().into());
    }

    fn put_deliver(
        &mut self,
        conversation: &ConversationId,
        feed_position: u64,
        entries: &[Bytes],
    ) {
        let size = DeliverSize::of(feed_position, entries);
        let mut envelope = BytesMut::with_capacity(size.envelope);
        encode_deliver(&size, conversation, feed_position, entries, &mut envelope);
        self.push(envelope.freeze());
    }

    fn buffered(&self) -> usize {
        self.bytes.max(usize::from(self.unflushed))
    }

    async fn flush(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_send(cx)).await.map_err(io::Error::other)
    }

    async fn close(&mut self, code: Option<Code>) {
        let _ = timeout(CLOSE_TIMEOUT, self.say_goodbye(code)).await;
    }
}

/// The connection under a WebSocket that has said goodbye.
struct Raw(Socket);

impl AsyncRead for Raw {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.lock().get_mut().io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Raw {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0.lock().get_mut().io).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.lock().get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.lock().get_mut().io).poll_shutdown(cx)
    }
}

/// Bytes read from a connection that has not authenticated.
#[derive(Default)]
struct Budget {
    read: AtomicUsize,
}

/// Above any count: the budget is lifted.
const OPEN: usize = usize::MAX;

impl Budget {
    fn open(&self) {
        self.read.store(OPEN, Ordering::Relaxed);
    }

    fn is_used_up(&self) -> bool {
        let read = self.read.load(Ordering::Relaxed);
        read != OPEN && read > UNAUTHENTICATED_BYTES as usize
    }

    // One task reads and opens, so load and store need not be one step.
    fn spend(&self, bytes: usize) {
        let read = self.read.load(Ordering::Relaxed);
        if read != OPEN {
            self.read.store(read.saturating_add(bytes), Ordering::Relaxed);
        }
    }
}

/// A connection whose bytes are counted before they are parsed.
struct Metered {
    io: TokioIo<Upgraded>,
    budget: Arc<Budget>,
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.budget.is_used_up() {
            return Poll::Ready(Err(io::ErrorKind::QuotaExceeded.into()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        self.budget.spend(buf.filled().len().saturating_sub(before));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Metered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
