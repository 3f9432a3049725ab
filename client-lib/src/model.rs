//! What the application sees: users, conversations, messages, states, events.
//!
//! Plain data, cheap to clone. Message text is an `Arc<str>` and stays out of
//! `Debug` output, and so out of logs.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parley_protocol::ids::{ClientMessageId, ConversationId, DeviceId, SessionId, UserId};

use crate::error::Error;

/// A user, as others see them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The user's id; it never changes.
    pub id: UserId,
    /// The user's name.
    pub name: Arc<str>,
}

/// Whom a message is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum To {
    /// The 1:1 conversation with the user of this name; looked up when the message leaves.
    Name(String),
    /// The 1:1 conversation with this user.
    User(UserId),
    /// A conversation the sender is a member of.
    Conversation(ConversationId),
}

impl From<&str> for To {
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

impl From<String> for To {
    fn from(name: String) -> Self {
        Self::Name(name)
    }
}

impl From<UserId> for To {
    fn from(user: UserId) -> Self {
        Self::User(user)
    }
}

impl From<ConversationId> for To {
    fn from(conversation: ConversationId) -> Self {
        Self::Conversation(conversation)
    }
}

/// Names a send within this client; grows with every send. With a store it
/// goes on after a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalId(pub u64);

/// A send the server committed: durable, never lost from here on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// The conversation it went to.
    pub conversation: ConversationId,
    /// Its position there.
    pub seq: u64,
    /// The server's clock, Unix milliseconds.
    pub time_ms: u64,
    /// The server already had it from an earlier try.
    pub duplicate: bool,
}

/// How far a send is. It only moves forward.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum SendStatus {
    /// In the outbox; [`crate::SendHandle::abort`] still works.
    Queued,
    /// On its way, or waiting for the answer; it may have arrived.
    Sending,
    /// Committed.
    Sent(Sent),
    /// A device of somebody else in the conversation has it.
    Delivered(Sent),
    /// Somebody else in the conversation read it.
    Read(Sent),
    /// The server refused it for good, or the client closed without a store.
    Failed(Error),
    /// Taken back while queued; it never left.
    Aborted,
}

impl SendStatus {
    /// The server's answer, once there is one.
    #[must_use]
    pub fn sent(&self) -> Option<Sent> {
        match self {
            Self::Sent(sent) | Self::Delivered(sent) | Self::Read(sent) => Some(*sent),
            Self::Queued | Self::Sending | Self::Failed(_) | Self::Aborted => None,
        }
    }
}

/// One message.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Where it is.
    pub conversation: ConversationId,
    /// Its position there.
    pub seq: u64,
    /// Who wrote it.
    pub sender: User,
    /// What it says.
    pub text: Arc<str>,
    /// The server's clock, Unix milliseconds.
    pub time_ms: u64,
    /// Whether this user wrote it, on this or another device.
    pub own: bool,
}

// The text stays out of debug output, and so out of logs.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("conversation", &self.conversation)
            .field("seq", &self.seq)
            .field("sender", &self.sender.id)
            .field("own", &self.own)
            .finish_non_exhaustive()
    }
}

/// An entry of a kind this build doesn't know, or whose body it can't read.
#[derive(Clone, PartialEq, Eq)]
pub struct UnknownEntry {
    /// Where it is.
    pub conversation: ConversationId,
    /// Its position there.
    pub seq: u64,
    /// Who wrote it.
    pub sender: User,
    /// What the body holds: a number of a newer `EntryKind`.
    pub kind: u32,
    /// The body as it came.
    pub body: Bytes,
    /// The server's clock, Unix milliseconds.
    pub time_ms: u64,
}

impl fmt::Debug for UnknownEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnknownEntry")
            .field("conversation", &self.conversation)
            .field("seq", &self.seq)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// One entry of a history page.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Entry {
    /// A message.
    Message(Message),
    /// Something newer than this build.
    Unknown(UnknownEntry),
}

impl Entry {
    /// The entry's position in its conversation.
    #[must_use]
    pub fn seq(&self) -> u64 {
        match self {
            Self::Message(message) => message.seq,
            Self::Unknown(entry) => entry.seq,
        }
    }

    /// The message, unless it is something else.
    #[must_use]
    pub fn message(&self) -> Option<&Message> {
        match self {
            Self::Message(message) => Some(message),
            Self::Unknown(_) => None,
        }
    }
}

/// Which part of a conversation to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// Entries above this seq, oldest first; `After(0)` is the beginning.
    After(u64),
    /// The newest entries below this seq, in order.
    Before(u64),
    /// Entries on both sides of this seq, in order.
    Around(u64),
    /// The newest entries, in order.
    Latest,
}

/// A part of a conversation, in order of seq.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryPage {
    /// The entries.
    pub entries: Vec<Entry>,
    /// Nothing older exists for this reader than the first entry.
    pub at_start: bool,
    /// Nothing newer existed than the last entry.
    pub at_end: bool,
    /// The highest seq of the conversation when this was read.
    pub last_seq: u64,
    /// Whether it came from the local store, because the server was out of reach.
    pub from_cache: bool,
}

/// One line of the conversation list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// Its id.
    pub id: ConversationId,
    /// The other user of a 1:1 (or the user itself, in a conversation with
    /// oneself); `None` until known, and in groups.
    pub peer: Option<User>,
    /// The highest seq known to exist.
    pub last_seq: u64,
    /// Messages this user has not read.
    pub unread: u64,
    /// Up to where this user has read, on any device.
    pub read: u64,
    /// Up to where a device of somebody else has everything.
    pub peer_delivered: u64,
    /// Up to where somebody else has read.
    pub peer_read: u64,
    /// Time of the last entry, Unix milliseconds; 0 when unknown.
    pub last_time_ms: u64,
}

/// One member of a conversation, with cursors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub user: User,
    /// Up to where one of the member's devices has everything.
    pub delivered: u64,
    /// Up to where the member has read.
    pub read: u64,
    /// When `delivered` last moved, Unix milliseconds; 0 for never.
    pub delivered_ms: u64,
    /// When `read` last moved, Unix milliseconds; 0 for never.
    pub read_ms: u64,
}

/// What a conversation is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Its id.
    pub conversation: ConversationId,
    /// Whether it is 1:1 (with somebody, or with oneself).
    pub direct: bool,
    /// Its members.
    pub members: Vec<Member>,
    /// Its highest seq.
    pub last_seq: u64,
}

/// Somebody's cursors moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Where.
    pub conversation: ConversationId,
    /// Whose.
    pub user: UserId,
    /// Up to where one of the user's devices has everything.
    pub delivered: u64,
    /// Up to where the user has read.
    pub read: u64,
    /// When, Unix milliseconds.
    pub time_ms: u64,
}

/// A way to reach the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Transport {
    /// Frames on one QUIC stream.
    Quic,
    /// Frames on TLS over TCP.
    Tls,
    /// WebSocket without TLS; for loopback.
    WebSocket,
    /// WebSocket over TLS.
    WebSocketTls,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Quic => "quic",
            Self::Tls => "tls",
            Self::WebSocket => "ws",
            Self::WebSocketTls => "wss",
        })
    }
}

/// An open session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Identifies the connection in logs of both sides; proves nothing.
    pub id: SessionId,
    /// Who is signed in.
    pub user: User,
    /// On which device.
    pub device: DeviceId,
    /// How it is connected.
    pub transport: Transport,
    /// Characters the server takes in one text.
    pub text_chars: u32,
    /// The server's clock when the session opened, Unix milliseconds.
    pub server_time_ms: u64,
}

/// Where the connection stands.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum State {
    /// Not started.
    Idle,
    /// Getting a token with the credentials or the callback.
    SigningIn,
    /// Opening a transport.
    Connecting,
    /// Connected; the server has not accepted the token yet.
    Handshaking,
    /// In session.
    Ready(Arc<Session>),
    /// Lost; trying again by itself.
    Waiting {
        /// How long from the moment of this change.
        retry_in: Duration,
        /// Why.
        error: Error,
    },
    /// Finishing what is queued; nothing new is taken.
    Draining,
    /// Over. With an error when it was not asked for.
    Closed(Option<Error>),
}

impl State {
    /// Whether a session is open.
    #[must_use]
    pub const fn is_ready(&self) -> bool {
        matches!(self, Self::Ready(_))
    }

    /// Whether the client is over.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self, Self::Closed(_))
    }
}

/// What happened. Entries of one conversation come in order of seq, each once.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// A message, somebody else's or this user's own from any device.
    Message(Message),
    /// An entry of a kind this build doesn't know.
    UnknownEntry(UnknownEntry),
    /// Somebody's cursors moved.
    Receipt(Receipt),
    /// One of this client's sends was committed.
    Sent {
        /// Which.
        local_id: LocalId,
        /// Its id on the wire.
        client_message_id: ClientMessageId,
        /// The server's answer.
        sent: Sent,
    },
    /// One of this client's sends was refused for good.
    SendFailed {
        /// Which.
        local_id: LocalId,
        /// Its id on the wire.
        client_message_id: ClientMessageId,
        /// Why.
        error: Error,
    },
    /// A line of the conversation list changed: unread count, last seq, cursors, name.
    Conversation(Conversation),
    /// The connection changed state.
    StateChanged(State),
    /// The preferred transport failed and the next one took over.
    FellBack {
        /// What failed.
        from: Transport,
        /// What is tried instead.
        to: Transport,
        /// Why.
        error: Error,
    },
    /// This reader was too slow and missed that many events. Conversations and
    /// history still have everything.
    Lagged(u64),
}

/// Where a device that holds nothing of a conversation starts to emit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CatchUp {
    /// At what no device of the user has acknowledged yet.
    #[default]
    Undelivered,
    /// At what the user has not read yet.
    Unread,
    /// At the beginning: downloads everything.
    Everything,
}
