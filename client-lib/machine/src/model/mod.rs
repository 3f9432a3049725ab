//! What the application sees and says: users, sends, and, each in its own
//! file, entries, conversations, people, actions, events, the connection.
//!
//! Plain data, cheap to clone. What people write and are called stays out of
//! `Debug` output, and so out of logs.

mod action;
mod connection;
mod conversation;
mod entry;
mod event;
mod people;
mod to;

use std::fmt;
use std::sync::Arc;

use parley_protocol::ids::{ConversationId, UserId};

pub use action::{Action, ConversationChange, NewGroup, NewMessage};
pub use connection::{Session, State, Transport};
pub use conversation::{
    Conversation, ConversationKind, ConversationSettings, Description, HistoryPage, Info, Invite,
    InviteId, InvitePreview, Member, MemberReceipt, NotifyLevel, Preferences, PreferencesChange,
    Range, Receipt, Role, Who,
};
pub use entry::{
    Change, DamagedEntry, Deletion, Edit, Edited, Entry, Erased, Mention, Mentioned, Message,
    Origin, Pin, Reaction, ReactionGroup, UnknownEntry, What,
};
pub use event::{Event, Reset, ResetReason, SignIn, Typing};
pub use people::{
    Account, AccountSettings, AccountSettingsChange, Audience, Presence, Profile, ProfileChange,
    Report,
};
pub use to::To;

use crate::error::Error;

/// A user, as others see them.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// The user's id; it never changes.
    pub id: UserId,
    /// The user's name.
    pub name: Arc<str>,
}

impl User {
    /// A user whose name is not known: called by the id.
    #[must_use]
    pub fn nameless(id: UserId) -> Self {
        Self { id, name: Arc::from(id.to_string()) }
    }
}

// Names stay out of debug output, and so out of logs.
impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("User").field(&self.id).finish()
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
    /// In the outbox; `SendHandle::abort` still works.
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

    /// Whether nothing more comes after it.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        match self {
            Self::Read(_) | Self::Failed(_) | Self::Aborted => true,
            Self::Queued | Self::Sending | Self::Sent(_) | Self::Delivered(_) => false,
        }
    }
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
