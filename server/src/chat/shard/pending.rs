//! What waits for a commit: given to the log with each append, handed to the
//! fan-out once it is durable.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use parley_core::conversation::dedupe::SendKey;
use parley_core::conversation::{Act, MovedCursor, Position, Telling};
use parley_core::session::RequestNumber;
use parley_core::user::FeedEntry;
use parley_protocol::{ConversationId, UserId};
use tokio::sync::oneshot;

use crate::chat::link::Link;

/// What follows once an append is committed.
#[derive(Debug)]
pub enum Pending {
    /// A new entry: apply it, answer its author, deliver it.
    Entry(Box<PendingEntry>),
    /// A resend of an entry committed just before: answer as then.
    Again(ReplyTo, ConversationId, Position),
    /// A cursor was there already, or is by a move just before: answer.
    Unmoved(ReplyTo, ConversationId, MovedCursor),
    /// A cursor moved: answer, tell the others.
    Cursor(Box<PendingCursor>),
    /// A user's own rows: change their feed, say where it is.
    Own(Box<PendingOwn>),
    /// Other rows: say that they are durable.
    Rows(oneshot::Sender<()>),
}

/// A stamped entry.
pub struct PendingEntry {
    /// Which send it is.
    pub key: SendKey,
    /// Who wrote it.
    pub sender: UserId,
    /// Its position.
    pub stamped: Position,
    /// What it does.
    pub act: Act,
    /// The encoded entry.
    pub entry: Bytes,
    /// Members who are given it without its body.
    pub blind: Vec<UserId>,
    pub reply: ReplyTo,
}

/// Without the entry: what people write stays out of debug output, and so out of logs.
impl std::fmt::Debug for PendingEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PendingEntry")
            .field("conversation", &self.key.conversation)
            .field("stamped", &self.stamped)
            .field("entry_bytes", &self.entry.len())
            .finish_non_exhaustive()
    }
}

/// A moved cursor.
#[derive(Debug)]
pub struct PendingCursor {
    pub conversation: ConversationId,
    pub user: UserId,
    /// Where it stands.
    pub moved: MovedCursor,
    /// What others are told of it.
    pub telling: Telling,
    /// Who is told nothing whatever others are.
    pub hidden_from: Arc<HashSet<UserId>>,
    pub reply: ReplyTo,
}

/// A user's own rows of a conversation.
#[derive(Debug)]
pub struct PendingOwn {
    pub conversation: ConversationId,
    pub user: UserId,
    /// What they change in the user's feed.
    pub change: FeedEntry,
    /// Who waits for the feed position after it.
    pub done: oneshot::Sender<u64>,
}

/// The request to answer. The session may be gone by then.
#[derive(Debug, Clone)]
pub struct ReplyTo {
    pub link: Arc<Link>,
    /// Its number; without one it wants no answer.
    pub request: Option<RequestNumber>,
}
