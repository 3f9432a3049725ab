//! One conversation: what its log's entries mean.
//!
//! A [`Conversation`] is the state that follows from the entries applied so
//! far. The leader holds it twice in effect: [`Head`] counts what was stamped,
//! the rest what was committed. `apply` is the same on every replica and never
//! fails; what may be refused is refused before, when stamping.

mod apply;
mod cursor;
pub mod dedupe;
mod direct;
mod send;

pub use apply::Applied;
pub use cursor::{Cursor, Given, Interval, Move, MovedCursor};
pub use direct::direct_id;
pub use send::{Admitted, Stamped};

use parley_protocol::{ConversationId, UserId};

/// What sort of conversation it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Two users, or one with themselves.
    Direct,
    /// Any number of users.
    Group,
}

/// The end of a conversation's log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Head {
    /// Seq of the last entry; 0 for an empty log.
    pub seq: u64,
    /// Countable entries up to it.
    pub ordinal: u64,
    /// Its time in Unix milliseconds.
    pub time_ms: u64,
}

/// One member and how far they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub user: UserId,
    /// Entries up to this seq are not theirs to see; 0 sees all.
    pub joined_after: u64,
    /// Everything up to here is on at least one of their devices.
    pub delivered: Cursor,
    /// Everything up to here was read.
    pub read: Cursor,
    /// The two as far as they are committed: what others may be told.
    pub told: Told,
}

/// A member's cursors as far as they are committed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told {
    /// As [`Member::delivered`].
    pub delivered: Cursor,
    /// As [`Member::read`].
    pub read: Cursor,
}

impl Member {
    /// A member with these committed cursors.
    #[must_use]
    pub fn with_cursors(self, delivered: Cursor, read: Cursor) -> Self {
        Self { delivered, read, told: Told { delivered, read }, ..self }
    }

    /// A member who has seen nothing yet.
    #[must_use]
    pub fn new(user: UserId) -> Self {
        Self {
            user,
            joined_after: 0,
            delivered: Cursor::default(),
            read: Cursor::default(),
            told: Told::default(),
        }
    }
}

/// A conversation's state.
///
/// Its leader calls [`Conversation::stamp`] for each admitted send, hands the
/// result to the log, and calls [`Conversation::apply`] once it is committed,
/// in the same order. A replica only applies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    id: ConversationId,
    kind: Kind,
    members: Vec<Member>,
    committed: Head,
    stamped: Head,
    /// Cursor moves handed to the log and not yet committed.
    moves_in_flight: u32,
}

impl Conversation {
    /// A direct conversation in which nothing was said yet.
    #[must_use]
    pub fn direct(a: UserId, b: UserId) -> Self {
        let mut members = vec![Member::new(a)];
        if a != b {
            members.push(Member::new(b));
        }
        Self::restore(direct_id(a, b), Kind::Direct, members, Head::default())
    }

    /// A conversation as the store remembers it.
    #[must_use]
    pub fn restore(id: ConversationId, kind: Kind, members: Vec<Member>, head: Head) -> Self {
        Self { id, kind, members, committed: head, stamped: head, moves_in_flight: 0 }
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> ConversationId {
        self.id
    }

    /// What sort it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Its members, in order of joining.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The member with this id, if they are one.
    #[must_use]
    pub fn member(&self, user: UserId) -> Option<&Member> {
        self.members.iter().find(|member| member.user == user)
    }

    /// The end of what is committed: all that a reader may see.
    #[must_use]
    pub const fn committed(&self) -> Head {
        self.committed
    }

    /// Whether nothing is between here and its commit, so that the state may
    /// be dropped and restored from the store.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.committed == self.stamped && self.moves_in_flight == 0
    }
}
