//! Reader and writer on an upgraded connection.
//!
//! Both work on the same socket; one task polls them, so the lock is never
//! contended. What comes before authentication is counted on the connection,
//! below the parser: 64 KiB are 64 KiB, whatever the messages look like.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures_util::{Sink, Stream};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use parley_protocol::errors::websocket_close_code;
use parley_protocol::frame::FrameError;
use parley_protocol::limits::UNAUTHENTICATED_BYTES;
use parley_protocol::{Code, ConversationId};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::error::{CapacityError, Error as WsError, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};

use crate::base::metrics::list as metric;
use crate::edge::listen::CLOSE_TIMEOUT;
use crate::edge::listen::allowance::Allowance;
use crate::edge::listen::connection::{
    DeliverSize, FrameReader, FrameWriter, ReadError, encode_deliver,
};
use crate::edge::listen::gate::Gate;
use crate::edge::listen::linger::linger;

/// Read and write buffers of one connection.
const BUFFER_BYTES: usize = 4 * 1024;

/// Pings and pongs at once, and a second: each is read, and pings are answered.
const CONTROL_BURST: u32 = 64;
const CONTROL_PER_SECOND: u32 = 4;

/// Bytes that the fragments of one message may take besides it.
const OVERHEAD_BYTES: usize = 64 * 1024;

/// Messages up to this size are copied out of the read buffer, which they
/// would keep alive as a whole.
const COPY_BYTES: usize = 16 * 1024;

/// The two halves of a connection that must authenticate by `deadline`, and has spent so
/// many bytes on it before.
pub(super) async fn pair(
    upgraded: Upgraded,
    deadline: Instant,
    frame_bytes: u32,
    spent: usize,
) -> (WebSocketReader, WebSocketWriter) {
    let budget = Arc::new(Budget::of(spent, frame_bytes as usize + OVERHEAD_BYTES));
    let io = Metered { io: TokioIo::new(upgraded), budget: Arc::clone(&budget), written: 0 };
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
    let gate = Gate::until(deadline);
    let control = Allowance::new(CONTROL_BURST, CONTROL_PER_SECOND);
    let reader = WebSocketReader { socket: Arc::clone(&socket), gate, budget, control };
    (reader, WebSocketWriter { socket, out: VecDeque::new(), bytes: 0, unflushed: false })
}

type Socket = Arc<Mutex<WebSocketStream<Metered>>>;

pub(super) struct WebSocketReader {
    socket: Socket,
    gate: Gate,
    budget: Arc<Budget>,
    control: Allowance,
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
            if matches!(message, Some(Ok(_))) {
                self.budget.delivered();
            }
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
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {
                    // Before, every byte counts.
                    if self.budget.is_open() && !self.control.take() {
                        metric::connections_cut("control_flood").increment(1);
                        return Err(ReadError::Flood);
                    }
                }
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
            _ if self.budget.is_flooded() => {
                metric::connections_cut("control_flood").increment(1);
                ReadError::Flood
            }
            WsError::Capacity(CapacityError::MessageTooLong { size, max_size }) => {
                ReadError::Frame(FrameError::TooLarge {
                    length: size as u64,
                    max: u32::try_from(max_size).unwrap_or(u32::MAX),
                })
            }
            WsError::Utf8(_) => ReadError::Text,
            // It is gone, and has broken no rule before.
            WsError::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
                ReadError::Io(io::ErrorKind::UnexpectedEof.into())
            }
            WsError::Protocol(_) => FrameError::BadPrefix.into(),
            WsError::Io(error) => ReadError::Io(error),
            other => ReadError::Io(io::Error::other(other)),
        }
    }
}

pub(super) struct WebSocketWriter {
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

    fn moved(&self) -> u64 {
        // A message may be larger than what the peer takes at a time.
        self.socket.lock().get_ref().written
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

/// Bytes read from a connection: in all before it has authenticated, and at any time
/// for one message.
struct Budget {
    read: AtomicUsize,
    of_message: AtomicUsize,
    most_of_message: usize,
}

/// Above any count: the budget is lifted.
const OPEN: usize = usize::MAX;

impl Budget {
    const fn of(spent: usize, most_of_message: usize) -> Self {
        let (read, of_message) = (AtomicUsize::new(spent), AtomicUsize::new(0));
        Self { read, of_message, most_of_message }
    }

    fn open(&self) {
        self.read.store(OPEN, Ordering::Relaxed);
    }

    fn is_open(&self) -> bool {
        self.read.load(Ordering::Relaxed) == OPEN
    }

    fn is_used_up(&self) -> bool {
        let read = self.read.load(Ordering::Relaxed);
        read != OPEN && read > UNAUTHENTICATED_BYTES as usize
    }

    /// Whether fragments go on and no message comes of them.
    fn is_flooded(&self) -> bool {
        self.of_message.load(Ordering::Relaxed) > self.most_of_message
    }

    /// A message, or a ping, was whole.
    fn delivered(&self) {
        self.of_message.store(0, Ordering::Relaxed);
    }

    // One task reads and opens, so load and store need not be one step.
    fn spend(&self, bytes: usize) {
        let of_message = self.of_message.load(Ordering::Relaxed);
        self.of_message.store(of_message.saturating_add(bytes), Ordering::Relaxed);
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
    written: u64,
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.budget.is_used_up() || self.budget.is_flooded() {
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
        let written = ready!(Pin::new(&mut self.io).poll_write(cx, buf))?;
        self.written += written as u64;
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
