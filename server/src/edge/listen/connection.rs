//! What a session sees of a connection: envelopes in, envelopes out.
//!
//! The three transports differ in framing, in how they close and in what a
//! system call costs; behind [`FrameReader`] and [`FrameWriter`] they don't.
//! A listener does the transport's handshake, builds the pair and hands it to
//! its [`SessionHost`], which owns it until the session ends. Nothing here knows
//! what a session is.
//!
//! Invariants: before [`FrameReader::set_authenticated`] a connection yields at
//! most 64 KiB and only until its deadline; every wait is bounded or cancel
//! safe; a closed pair never reads or writes again.

use std::future::Future;
use std::io;
use std::net::SocketAddr;

use bytes::{BufMut, Bytes, BytesMut};
use parley_protocol::frame::FrameError;
use parley_protocol::{Code, ConversationId};
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len};

use super::limits::ConnectionPermit;
use super::transport::Transport;

/// Reads envelopes from one connection.
pub trait FrameReader: Send {
    /// The next envelope, without its prefix; `None` when the peer ended cleanly.
    ///
    /// Cancel safe: nothing that was read is lost.
    ///
    /// # Errors
    /// [`ReadError`]; after one the connection is to be closed, with
    /// [`ReadError::code`].
    fn next(&mut self) -> impl Future<Output = Result<Option<Bytes>, ReadError>> + Send;

    /// Lifts the byte budget and the deadline of unauthenticated connections;
    /// from here on frames may have `frame_bytes` each.
    fn set_authenticated(&mut self, frame_bytes: u32);
}

/// Writes envelopes to one connection, many per system call.
pub trait FrameWriter: Send {
    /// Buffers one envelope.
    ///
    /// The buffer has no bound of its own: whoever calls looks at
    /// [`FrameWriter::buffered`] first.
    fn put(&mut self, envelope: &impl prost::Message);

    /// Buffers a `Deliver` without an intermediate allocation. The bytes are
    /// those [`FrameWriter::put`] would make.
    fn put_deliver(&mut self, conversation: &ConversationId, feed_position: u64, entries: &[Bytes]);

    /// Bytes taken and not yet given to the transport.
    fn buffered(&self) -> usize;

    /// Bytes given to the transport, ever: they grow while the peer takes something.
    fn moved(&self) -> u64;

    /// Hands what is buffered to the transport; returns at once when nothing is.
    ///
    /// Cancel safe: the next call continues where this one was.
    ///
    /// # Errors
    /// The transport's; the connection is gone.
    fn flush(&mut self) -> impl Future<Output = io::Result<()>> + Send;

    /// Flushes, then ends the connection the transport's way: a QUIC
    /// application close with the code's number, a TLS `close_notify`, a
    /// WebSocket close frame with 4000 + number. `None` ends it without
    /// blame. Best effort and bounded in time; call it once, as the last thing.
    fn close(&mut self, code: Option<Code>) -> impl Future<Output = ()> + Send;
}

/// Runs the session on a connection that a listener has made ready.
pub trait SessionHost: Clone + Send + Sync + 'static {
    /// Owns the pair until the session is over. The listener drops nothing
    /// early: when it shuts down it waits for these futures.
    fn serve<R, W>(
        &self,
        reader: R,
        writer: W,
        peer: Peer,
        permit: ConnectionPermit,
    ) -> impl Future<Output = ()> + Send
    where
        R: FrameReader + 'static,
        W: FrameWriter + 'static;
}

/// Why nothing more can be read from a connection.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The bytes are not a frame, or it is too large.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A WebSocket message was text.
    #[error("a WebSocket message was text")]
    Text,
    /// More bytes came before authentication than may.
    #[error("the bytes of an unauthenticated connection are used up")]
    BudgetUsed,
    /// More came that carries no envelope than may.
    #[error("a flood of frames that carry nothing")]
    Flood,
    /// The connection did not authenticate in time.
    #[error("the connection did not authenticate in time")]
    Late,
    /// The connection broke, or ended in mid-frame.
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
}

impl ReadError {
    /// The code to close with; `None` when there is nobody left to tell.
    #[must_use]
    pub const fn code(&self) -> Option<Code> {
        match self {
            Self::Frame(FrameError::TooLarge { .. }) => Some(Code::FrameTooLarge),
            Self::Frame(FrameError::Empty | FrameError::BadPrefix) => Some(Code::BadFrame),
            Self::Text => Some(Code::TextFrame),
            Self::BudgetUsed => Some(Code::UnauthenticatedBytes),
            Self::Flood => Some(Code::RateLimited),
            Self::Late => Some(Code::HandshakeTimeout),
            Self::Io(_) => None,
        }
    }
}

/// What a connection showed on its way in and its host can tell a user by.
/// Listeners only carry it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Proof(pub [u8; 32]);

// A hash, but still what a session is opened with.
impl std::fmt::Debug for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proof").finish_non_exhaustive()
    }
}

/// Who is on the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Where the connection came from when it was accepted. QUIC may migrate.
    pub address: SocketAddr,
    /// What carries it.
    pub transport: Transport,
    /// Whose it is, when it came with a ticket.
    pub proof: Option<Proof>,
}

// Field numbers of ServerEnvelope and Deliver; a property test holds them to prost's.
const ENVELOPE_DELIVER: u32 = 5;
const DELIVER_CONVERSATION: u32 = 1;
const DELIVER_FEED_POSITION: u32 = 2;
const DELIVER_ENTRIES: u32 = 3;

/// The sizes of a `Deliver`: the whole envelope's, and the message's inside it.
pub struct DeliverSize {
    /// Of the whole envelope.
    pub envelope: usize,
    message: usize,
}

impl DeliverSize {
    /// Of a `Deliver` of these entries.
    #[must_use]
    pub fn of(feed_position: u64, entries: &[Bytes]) -> Self {
        let mut message = field_len(DELIVER_CONVERSATION, 16);
        if feed_position != 0 {
            message += key_len(DELIVER_FEED_POSITION) + encoded_len_varint(feed_position);
        }
        for entry in entries {
            message += field_len(DELIVER_ENTRIES, entry.len());
        }
        Self { envelope: field_len(ENVELOPE_DELIVER, message), message }
    }
}

/// Appends the envelope of a `Deliver`, without a frame prefix.
pub fn encode_deliver(
    size: &DeliverSize,
    conversation: &ConversationId,
    feed_position: u64,
    entries: &[Bytes],
    out: &mut BytesMut,
) {
    encode_key(ENVELOPE_DELIVER, WireType::LengthDelimited, out);
    encode_varint(size.message as u64, out);
    put_field(DELIVER_CONVERSATION, conversation.as_bytes(), out);
    if feed_position != 0 {
        encode_key(DELIVER_FEED_POSITION, WireType::Varint, out);
        encode_varint(feed_position, out);
    }
    for entry in entries {
        put_field(DELIVER_ENTRIES, entry, out);
    }
}

fn field_len(tag: u32, length: usize) -> usize {
    key_len(tag) + encoded_len_varint(length as u64) + length
}

fn put_field(tag: u32, bytes: &[u8], out: &mut BytesMut) {
    encode_key(tag, WireType::LengthDelimited, out);
    encode_varint(bytes.len() as u64, out);
    out.put_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use parley_protocol::Message as _;
    use parley_protocol::wire::{Deliver, ServerEnvelope, server_envelope::Kind};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn deliver_has_the_bytes_of_prost(
            conversation: [u8; 16],
            feed_position: u64,
            entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..5),
            zero: bool,
        ) {
            let feed_position = if zero { 0 } else { feed_position };
            let entries: Vec<Bytes> = entries.into_iter().map(Bytes::from).collect();
            let expected = ServerEnvelope {
                request: 0,
                kind: Some(Kind::Deliver(Deliver {
                    conversation: Bytes::copy_from_slice(&conversation),
                    feed_position,
                    entries: entries.clone(),
                })),
            }
            .encode_to_vec();
            let size = DeliverSize::of(feed_position, &entries);
            let mut out = BytesMut::new();
            let id = ConversationId::new(conversation);
            encode_deliver(&size, &id, feed_position, &entries, &mut out);
            prop_assert_eq!(&out[..], &expected[..]);
            prop_assert_eq!(size.envelope, out.len());
        }
    }

    #[test]
    fn every_read_error_of_a_live_peer_has_a_code() {
        let large = FrameError::TooLarge { length: 9, max: 8 };
        assert_eq!(ReadError::from(large).code(), Some(Code::FrameTooLarge));
        assert_eq!(ReadError::from(FrameError::Empty).code(), Some(Code::BadFrame));
        assert_eq!(ReadError::Text.code(), Some(Code::TextFrame));
        assert_eq!(ReadError::BudgetUsed.code(), Some(Code::UnauthenticatedBytes));
        assert_eq!(ReadError::Flood.code(), Some(Code::RateLimited));
        assert_eq!(ReadError::Late.code(), Some(Code::HandshakeTimeout));
        assert_eq!(ReadError::from(io::Error::other("x")).code(), None);
    }
}
