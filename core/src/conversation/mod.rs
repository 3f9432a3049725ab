//! One conversation: what its log's entries mean.
//!
//! A [`Conversation`] is the state that follows from the entries applied so
//! far. The leader holds it twice in effect: what was stamped, by which it
//! admits the next entry, and what was committed, by which it delivers and
//! lets read. `apply` is the same on every replica and never fails; what may
//! be refused is refused before, when stamping.

mod act;
mod apply;
mod change;
mod cursor;
pub mod dating;
pub mod dedupe;
mod direct;
mod group;
mod ordinals;
mod position;
mod retention;
mod send;
mod senders;
mod state;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

pub use act::{Act, Target, reaction_hash, reaction_hashes};
pub use apply::Applied;
pub use change::Change;
pub use cursor::{Given, Interval, Move, MovedCursor, Passed, Shown, Telling};
pub use direct::direct_id;
pub use group::group_id;
pub use position::{AHEAD_MS, Position};
pub use retention::{Period, Spent};
pub use send::{Admitted, Stamping};
pub use state::{Bounds, Info, Kind, Membership, Role, Settings, State};

use ordinals::Ordinals;
use parley_protocol::{ConversationId, UserId};
use senders::Senders;

/// How far one member is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Everything up to here is on at least one of their devices. Nobody needs
    /// its ordinal, so that it isn't always known.
    pub delivered: Position,
    /// Everything up to here was read.
    pub read: Position,
    /// The two as far as they are committed and others may be told.
    pub told: Told,
}

/// A member's cursors as others may be told of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told {
    /// As [`Progress::delivered`].
    pub delivered: Position,
    /// As [`Progress::read`].
    pub read: Position,
}

/// A conversation's state.
///
/// Its leader calls [`Conversation::stamp`] for each admitted send, hands the
/// result to the log, and calls [`Conversation::apply`] once it is committed,
/// in the same order. A replica only applies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    id: ConversationId,
    /// As committed.
    state: Arc<State>,
    /// With everything stamped.
    next: Arc<State>,
    /// Of those who ever moved a cursor.
    progress: HashMap<UserId, Progress>,
    senders: Senders,
    ordinals: Ordinals,
    /// Who is known to have taken part, or not to have: what the store said.
    takes_part: Vec<(UserId, bool)>,
    committed: Position,
    stamped: Position,
    /// Cursor moves handed to the log and not yet committed.
    moves_in_flight: u32,
    /// What others will be told once the moves in flight are committed, so that
    /// the row of a later move doesn't say less than that of an earlier one.
    telling: HashMap<UserId, Told>,
    /// Deletions stamped last, each with its message: what is known of a target
    /// may be from just before.
    deleted: VecDeque<(u64, u64)>,
    /// Deletions up to this seq are no longer among those.
    deletions_after: u64,
    /// Messages with edits between stamp and commit, and how many.
    editing: HashMap<u64, u32>,
}

impl Conversation {
    /// A direct conversation in which nothing was said yet.
    #[must_use]
    pub fn direct(a: UserId, b: UserId) -> Self {
        Self::restore(direct_id(a, b), State::direct(a, b), HashMap::new(), Position::default())
    }

    /// A group before its first entry.
    #[must_use]
    pub fn group(id: ConversationId) -> Self {
        Self::restore(id, State::empty(), HashMap::new(), Position::default())
    }

    /// A conversation as the store remembers it.
    #[must_use]
    pub fn restore(
        id: ConversationId,
        state: State,
        progress: HashMap<UserId, Progress>,
        head: Position,
    ) -> Self {
        let state = Arc::new(state);
        Self {
            id,
            next: Arc::clone(&state),
            state,
            progress,
            senders: Senders::unknown_up_to(head.seq),
            ordinals: Ordinals::unknown_up_to(head.seq),
            takes_part: Vec::new(),
            committed: head,
            stamped: head,
            moves_in_flight: 0,
            telling: HashMap::default(),
            deleted: VecDeque::new(),
            deletions_after: head.seq,
            editing: HashMap::new(),
        }
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> ConversationId {
        self.id
    }

    /// Who is in it and how it works, as committed: by this it is delivered
    /// and read.
    #[must_use]
    pub const fn state(&self) -> &Arc<State> {
        &self.state
    }

    /// The same with everything stamped: by this the next entry is admitted.
    #[must_use]
    pub const fn next_state(&self) -> &Arc<State> {
        &self.next
    }

    /// Whether it has begun, if only with what is stamped, and `user` is or was
    /// in it.
    #[must_use]
    pub fn concerns(&self, user: UserId) -> bool {
        self.stamped.seq > 0
            && (self.state.member(user).is_some() || self.next.member(user).is_some())
    }

    /// How far somebody is; at the beginning, for whoever never moved.
    #[must_use]
    pub fn progress(&self, user: UserId) -> Progress {
        self.progress.get(&user).copied().unwrap_or_default()
    }

    /// The end of what is committed: all that a reader may see.
    #[must_use]
    pub const fn committed(&self) -> Position {
        self.committed
    }

    /// Whether an edit of the message with this seq is stamped and not yet
    /// committed: its deletion has to wait, or would leave that edit's text.
    #[must_use]
    pub fn is_editing(&self, seq: u64) -> bool {
        self.editing.contains_key(&seq)
    }

    /// Whether deletions may be unknown here to whoever read of a message when
    /// the log ended at `as_of`: they have to read again.
    #[must_use]
    pub const fn forgot_since(&self, as_of: u64) -> bool {
        as_of < self.deletions_after
    }

    /// Whether it is there for its members: its first entry is committed.
    #[must_use]
    pub const fn is_begun(&self) -> bool {
        self.committed.seq > 0
    }

    /// Whether nothing was stamped in it yet.
    #[must_use]
    pub const fn is_blank(&self) -> bool {
        self.stamped.seq == 0
    }

    /// Drops from the state what has no effect any more.
    pub fn tidy(&mut self, spent: &Spent) {
        let same = Arc::ptr_eq(&self.state, &self.next);
        Arc::make_mut(&mut self.next).tidy(spent);
        if same {
            self.state = Arc::clone(&self.next);
        } else {
            Arc::make_mut(&mut self.state).tidy(spent);
        }
    }

    /// Messages up to `seq`, as far as that is known without asking the log.
    #[must_use]
    pub fn ordinal_at(&self, seq: u64) -> Option<u64> {
        if seq == self.committed.seq {
            return Some(self.committed.ordinal);
        }
        self.ordinals.at(seq, self.committed)
    }

    /// Whether `user` wrote in this 1:1 or accepted it, as far as that is known
    /// here; asked of the store otherwise, and then noted by
    /// [`Conversation::note_taking_part`].
    #[must_use]
    pub fn takes_part(&self, user: UserId) -> Option<bool> {
        if self.senders.contains(user) {
            return Some(true);
        }
        self.takes_part.iter().find(|(known, _)| *known == user).map(|(_, takes)| *takes)
    }

    /// Notes what the store says of a user of this 1:1. Who takes part does so
    /// for ever.
    pub fn note_taking_part(&mut self, user: UserId, takes: bool) {
        if self.state.kind != Kind::Direct || self.state.member(user).is_none() {
            return;
        }
        match self.takes_part.iter_mut().find(|(known, _)| *known == user) {
            Some((_, known)) => *known |= takes,
            None => self.takes_part.push((user, takes)),
        }
    }

    /// Whether nothing is between here and its commit, so that the state may
    /// be dropped and restored from the store.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.committed == self.stamped && self.moves_in_flight == 0
    }
}
