//! Frames on a byte stream: what QUIC and TLS share.
//!
//! The reader keeps no buffer while nothing is on its way, so that an idle
//! connection costs nothing here: bytes are read to the stack first and only
//! the rest of a large frame goes straight to the heap, in steps no larger than
//! what has already come. The writer gathers frames and gives them to the
//! transport in as few calls as it takes. How a transport closes is its
//! [`ByteSink`].

use std::future::{Future, poll_fn};
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use parley_protocol::frame::{self, Decoder};
use parley_protocol::limits::UNAUTHENTICATED_BYTES;
use parley_protocol::{Code, ConversationId};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::time::Instant;

use super::connection::{
    DeliverSize, FrameReader, FrameWriter, Peer, ReadError, SessionHost, encode_deliver,
};
use super::gate::Gate;
use super::limits::ConnectionPermit;
use super::linger::linger;

/// Read on the stack; larger frames go to the heap.
const STACK_BYTES: usize = 8 * 1024;

/// Smallest step in which the buffer of a large frame grows.
const STEP_BYTES: usize = 16 * 1024;

/// Reads frames from a byte stream.
pub(super) struct StreamReader<S> {
    io: S,
    buffer: BytesMut,
    decoder: Decoder,
    gate: Gate,
}

impl<S: AsyncRead + Unpin + Send> StreamReader<S> {
    /// A reader that must be authenticated by `deadline`.
    pub(super) fn new(io: S, deadline: Instant) -> Self {
        Self {
            io,
            buffer: BytesMut::new(),
            decoder: Decoder::new(UNAUTHENTICATED_BYTES),
            gate: Gate::until(deadline),
        }
    }

    async fn fill(&mut self, missing: usize) -> Result<usize, ReadError> {
        let Self { io, buffer, gate, .. } = self;
        let read = fill(io, buffer, missing);
        tokio::pin!(read);
        poll_fn(|cx| {
            if let Poll::Ready(read) = read.as_mut().poll(cx) {
                return Poll::Ready(read.map_err(ReadError::Io));
            }
            ready!(gate.poll_late(cx));
            Poll::Ready(Err(ReadError::Late))
        })
        .await
    }
}

impl<S: AsyncRead + Unpin + Send> FrameReader for StreamReader<S> {
    async fn next(&mut self) -> Result<Option<Bytes>, ReadError> {
        loop {
            if let Some(frame) = self.decoder.next(&mut self.buffer)? {
                if self.buffer.is_empty() {
                    self.buffer = BytesMut::new();
                }
                return Ok(Some(frame));
            }
            self.gate.check()?;
            let missing = self.decoder.missing(&self.buffer)?;
            let read = self.fill(missing).await?;
            self.gate.spend(read);
            if read == 0 {
                if self.buffer.is_empty() {
                    return Ok(None);
                }
                return Err(ReadError::Io(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    fn set_authenticated(&mut self, frame_bytes: u32) {
        self.gate.open();
        self.decoder.set_max_bytes(frame_bytes);
    }
}

/// One read; cancel safe, since nothing is taken from `io` before it is in `buffer`.
async fn fill(
    io: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
    missing: usize,
) -> io::Result<usize> {
    if missing > STACK_BYTES {
        // A lying length costs its sender as many bytes as it costs us.
        buffer.reserve(missing.min(buffer.len().max(STEP_BYTES)));
        return io.read_buf(buffer).await;
    }
    poll_fn(|cx| {
        let mut stack = [const { MaybeUninit::uninit() }; STACK_BYTES];
        let mut read = ReadBuf::uninit(&mut stack);
        ready!(Pin::new(&mut *io).poll_read(cx, &mut read))?;
        buffer.extend_from_slice(read.filled());
        Poll::Ready(Ok(read.filled().len()))
    })
    .await
}

/// A byte stream that knows how its transport ends.
pub(super) trait ByteSink: AsyncWrite + Unpin + Send {
    /// Ends the connection after everything written has gone out. Bounded in time.
    fn close(&mut self, code: Option<Code>) -> impl Future<Output = ()> + Send;
}

/// Writes frames to a byte stream.
pub(super) struct StreamWriter<S> {
    io: S,
    out: BytesMut,
    moved: u64,
    // Written to the transport, which may still hold it: TLS needs a flush.
    unflushed: bool,
}

impl<S: ByteSink> StreamWriter<S> {
    pub(super) fn new(io: S) -> Self {
        Self { io, out: BytesMut::new(), moved: 0, unflushed: false }
    }
}

impl<S: ByteSink> FrameWriter for StreamWriter<S> {
    fn put(&mut self, envelope: &impl prost::Message) {
        frame::encode(envelope, &mut self.out);
    }

    fn put_deliver(
        &mut self,
        conversation: &ConversationId,
        feed_position: u64,
        entries: &[Bytes],
    ) {
        let size = DeliverSize::of(feed_position, entries);
        self.out.reserve(size.envelope + frame::PREFIX_BYTES);
        frame::put_prefix(size.envelope, &mut self.out);
        encode_deliver(&size, conversation, feed_position, entries, &mut self.out);
    }

    fn buffered(&self) -> usize {
        // Never zero before the transport has let everything go, so that a
        // cancelled flush is asked for again.
        self.out.len().max(usize::from(self.unflushed))
    }

    fn moved(&self) -> u64 {
        self.moved
    }

    async fn flush(&mut self) -> io::Result<()> {
        while !self.out.is_empty() {
            self.unflushed = true;
            let written = self.io.write(&self.out).await?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.out.advance(written);
            self.moved += written as u64;
        }
        self.out = BytesMut::new();
        if self.unflushed {
            self.io.flush().await?;
            self.unflushed = false;
        }
        Ok(())
    }

    async fn close(&mut self, code: Option<Code>) {
        // A peer that takes nothing must not hold its connection open.
        let flushed = tokio::time::timeout(super::CLOSE_TIMEOUT, self.flush()).await;
        if let Ok(Ok(())) = flushed {
            self.io.close(code).await;
        } else {
            tracing::debug!("a connection was closed with bytes unsent");
        }
    }
}

/// Both halves of a stream that one task reads and writes.
///
/// The lock is never contended: only that task polls.
struct Half<S> {
    stream: std::sync::Arc<parking_lot::Mutex<S>>,
}

/// Splits a stream for one task.
fn halves<S>(stream: S) -> (Half<S>, Half<S>) {
    let stream = std::sync::Arc::new(parking_lot::Mutex::new(stream));
    (Half { stream: std::sync::Arc::clone(&stream) }, Half { stream })
}

/// Reader and writer of a framed session on a byte stream that one task uses.
pub(super) fn pair<S>(
    stream: S,
    deadline: Instant,
) -> (impl FrameReader + 'static, impl FrameWriter + 'static)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (near, far) = halves(stream);
    (StreamReader::new(near, deadline), StreamWriter::new(far))
}

/// Runs a framed session on a byte stream. For fuzz targets, whose streams lie
/// in memory.
pub async fn serve_framed<S, H>(
    stream: S,
    host: &H,
    peer: Peer,
    permit: ConnectionPermit,
    deadline: Instant,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: SessionHost,
{
    let (reader, writer) = pair(stream, deadline);
    host.serve(reader, writer, peer, permit).await;
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> ByteSink for Half<S> {
    async fn close(&mut self, _code: Option<Code>) {
        let _ = linger(self).await;
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Half<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream.lock()).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Half<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.stream.lock()).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream.lock()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream.lock()).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::session::Host;
    use futures_util::FutureExt as _;
    use parley_protocol::Message as _;
    use parley_protocol::wire::{Deliver, Pong, ServerEnvelope, server_envelope::Kind};
    use std::time::Duration;
    use tokio::io::{DuplexStream, duplex};

    impl ByteSink for DuplexStream {
        async fn close(&mut self, _code: Option<Code>) {
            let _ = self.shutdown().await;
        }
    }

    fn reader(io: DuplexStream) -> StreamReader<DuplexStream> {
        StreamReader::new(io, Instant::now() + Duration::from_secs(10))
    }

    fn framed(body: &[u8]) -> BytesMut {
        let mut out = BytesMut::new();
        frame::put(body, &mut out);
        out
    }

    /// The size of the future that `serve` returns.
    fn size_of_served<F>(
        _: impl FnOnce(&'static Host, Pair, Peer, ConnectionPermit) -> F,
    ) -> usize {
        size_of::<F>()
    }

    type Pair = (StreamReader<Half<DuplexStream>>, StreamWriter<Half<DuplexStream>>);

    /// A session is held for hours in which nothing is said: what it seldom needs is boxed.
    #[test]
    fn a_session_takes_little_room() {
        let bytes = size_of_served(|host, (reader, writer), peer, permit| {
            host.serve(reader, writer, peer, permit)
        });
        assert!(bytes <= 2048, "{bytes}");
    }

    #[tokio::test]
    async fn frames_come_out_whole_however_they_are_cut() {
        let (mut near, far) = duplex(64);
        let mut reader = reader(far);
        reader.set_authenticated(1 << 20);
        let bodies: Vec<Vec<u8>> =
            [1usize, 5, 3000, 8192, 100_000, 2].iter().map(|n| vec![7; *n]).collect();
        let expected = bodies.clone();
        let writing = async move {
            for body in &bodies {
                near.write_all(&framed(body)).await.unwrap();
            }
        };
        let reading = async {
            let mut got = Vec::new();
            while let Some(frame) = reader.next().await.unwrap() {
                got.push(frame.to_vec());
            }
            got
        };
        let ((), got) = tokio::join!(writing, reading);
        assert_eq!(got, expected);
    }

    #[tokio::test]
    async fn a_cancelled_read_loses_nothing() {
        let (mut near, far) = duplex(64);
        let mut reader = reader(far);
        for byte in framed(b"hello") {
            assert!(reader.next().now_or_never().is_none());
            near.write_all(&[byte]).await.unwrap();
        }
        assert_eq!(reader.next().await.unwrap().unwrap(), &b"hello"[..]);
        assert_eq!(reader.buffer.capacity(), 0, "an idle reader holds no buffer");
    }

    #[tokio::test]
    async fn silence_before_authentication_ends_at_the_deadline() {
        let (_near, far) = duplex(64);
        let mut late = StreamReader::new(far, Instant::now());
        assert!(matches!(late.next().await, Err(ReadError::Late)));
    }

    #[tokio::test]
    async fn the_budget_ends_before_authentication_and_not_after() {
        let (mut near, far) = duplex(256 * 1024);
        let mut one = reader(far);
        for _ in 0..70 {
            near.write_all(&framed(&[1; 1000])).await.unwrap();
        }
        let mut frames = 0;
        let error = loop {
            match one.next().await {
                Ok(_) => frames += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(error, ReadError::BudgetUsed), "{error}");
        assert!((60..=75).contains(&frames), "{frames}");
        one.set_authenticated(1000);
        near.write_all(&framed(&[1; 1000])).await.unwrap();
        assert!(one.next().await.unwrap().is_some());
    }

    #[tokio::test]
    async fn oversize_and_lying_lengths_reserve_nothing() {
        for (length, authenticated) in
            [(65_537u64, false), (524_289, true), (1 << 31, true), ((1 << 32) - 1, true)]
        {
            let (mut near, far) = duplex(64);
            let mut reader = reader(far);
            if authenticated {
                reader.set_authenticated(524_288);
            }
            let mut prefix = BytesMut::new();
            prost::encoding::encode_varint(length, &mut prefix);
            near.write_all(&prefix).await.unwrap();
            let error = reader.next().await.unwrap_err();
            assert_eq!(error.code(), Some(Code::FrameTooLarge));
            assert!(reader.buffer.capacity() < 64);
        }
    }

    #[tokio::test]
    async fn the_end_in_mid_frame_is_an_error_and_between_frames_is_not() {
        let (mut near, far) = duplex(64);
        near.write_all(&framed(b"whole")).await.unwrap();
        drop(near);
        let mut whole = reader(far);
        assert!(whole.next().await.unwrap().is_some());
        assert!(whole.next().await.unwrap().is_none());
        let (mut near, far) = duplex(64);
        near.write_all(b"\x05abc").await.unwrap();
        drop(near);
        assert!(matches!(reader(far).next().await, Err(ReadError::Io(_))));
    }

    #[tokio::test]
    async fn a_cancelled_flush_goes_on_where_it_was() {
        let (near, far) = duplex(10);
        let mut writer = StreamWriter::new(near);
        let pong = ServerEnvelope {
            request: 9,
            kind: Some(Kind::Pong(Pong { feed_position: 1, server_time_ms: 2 })),
        };
        let entries = [Bytes::from_static(b"one"), Bytes::from(vec![3; 500])];
        let conversation = ConversationId::new([4; 16]);
        writer.put(&pong);
        writer.put_deliver(&conversation, 77, &entries);
        assert!(writer.flush().now_or_never().is_none());
        let mut reader = reader(far);
        let reading = async {
            let first = reader.next().await.unwrap().unwrap();
            (first, reader.next().await.unwrap().unwrap())
        };
        let (flushed, (first, second)) = tokio::join!(writer.flush(), reading);
        flushed.unwrap();
        assert_eq!(writer.buffered(), 0);
        assert_eq!(ServerEnvelope::decode(first).unwrap(), pong);
        let deliver = Deliver {
            conversation: conversation.to_wire(),
            feed_position: 77,
            entries: entries.to_vec(),
        };
        assert_eq!(ServerEnvelope::decode(second).unwrap().kind, Some(Kind::Deliver(deliver)));
    }

    #[tokio::test]
    async fn closing_on_a_peer_that_takes_nothing_is_bounded() {
        let (near, _far) = duplex(10);
        let mut writer = StreamWriter::new(near);
        writer.put_deliver(&ConversationId::new([4; 16]), 77, &[Bytes::from(vec![3; 500])]);
        writer.close(Some(Code::SlowConsumer)).await;
    }
}
