//! One shard: admission and stamping for the conversations it owns.
//!
//! The server holds each shard behind one lock and enters it with one command
//! at a time; stamping and queueing for the log happen under the same hold, so
//! the order of commits is the order of stamps. Conversations are loaded from
//! the store on first use and dropped again when the shard holds too many.

mod cache;
pub mod placement;
mod send;

use std::collections::HashMap;

use parley_protocol::{Code, ConversationId, UserId};

use crate::conversation::dedupe::{Known, SendKey};
use crate::conversation::{
    Act, Applied, Bounds, Conversation, Given, Move, MovedCursor, Position, Spent, Telling, Told,
};
use cache::Cache;
pub use send::{Decision, SendCommand};

/// The state of one shard on its leader.
#[derive(Debug)]
pub struct Shard {
    epoch: u64,
    bounds: Bounds,
    conversations: Cache,
    /// Stamped, not yet committed.
    in_flight: HashMap<SendKey, Known>,
}

impl Shard {
    /// An empty shard led in `epoch` that keeps about `capacity` conversations,
    /// each within `bounds`.
    #[must_use]
    pub fn new(epoch: u64, capacity: usize, bounds: Bounds) -> Self {
        let conversations = Cache::new(capacity);
        Self { epoch, bounds, conversations, in_flight: HashMap::new() }
    }

    /// The epoch that goes into every entry stamped here.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The conversation, if it is loaded.
    #[must_use]
    pub fn conversation(&mut self, id: ConversationId) -> Option<&Conversation> {
        self.conversations.touch(id).map(|conversation| &*conversation)
    }

    /// How many conversations were dropped so far. Whoever reads one from the
    /// store notes this before reading, for [`Shard::load`].
    #[must_use]
    pub const fn evictions(&self) -> u64 {
        self.conversations.evictions()
    }

    /// Takes a conversation as the store remembered it when the shard had
    /// dropped `as_of` conversations. One that is already here stays: it may
    /// be ahead of the store. Returns whether the conversation is here now;
    /// if not, what was read may be stale and is to be read again.
    pub fn load(&mut self, conversation: Conversation, as_of: u64) -> bool {
        // Between the read and now it may have been loaded, appended to and
        // dropped by others, which only an eviction makes possible.
        let fresh = self.evictions() == as_of;
        if fresh {
            self.conversations.insert(conversation);
            return true;
        }
        self.conversations.touch(conversation.id()).is_some()
    }

    /// Whether this send is stamped and not yet committed.
    #[must_use]
    pub fn is_in_flight(&self, key: &SendKey) -> bool {
        self.in_flight.contains_key(key)
    }

    /// Takes a committed entry: the send is no longer in flight.
    ///
    /// # Panics
    /// When the conversation isn't loaded, or the entry isn't its next one or
    /// not at the position it was stamped: log and shard disagree.
    pub fn apply(&mut self, key: &SendKey, sender: UserId, act: &Act, entry: Position) -> Applied {
        if let Some(known) = self.in_flight.remove(key) {
            let answer = known.answer;
            assert!(answer == entry, "{}: stamped {answer:?}, got {entry:?}", key.conversation);
        }
        match self.conversations.touch(key.conversation) {
            Some(conversation) => conversation.apply(sender, act, entry),
            // Stamped entries keep their conversation here until now.
            None => unreachable!("{}: committed but not loaded", key.conversation),
        }
    }

    /// Checks a cursor move; see [`Conversation::check_move`].
    ///
    /// # Errors
    /// [`Code::NotFound`] also when the conversation isn't loaded.
    pub fn check_move(
        &mut self,
        id: ConversationId,
        user: UserId,
        which: Move,
        up_to: u64,
        given: Given,
        gone: u64,
    ) -> Result<bool, Code> {
        let conversation = self.conversations.touch(id).ok_or(Code::NotFound)?;
        conversation.check_move(user, which, up_to, given, gone)
    }

    /// Forgets a conversation in which nothing was said.
    pub fn forget_blank(&mut self, id: ConversationId) {
        if self.conversations.touch(id).is_some_and(|conversation| conversation.is_blank()) {
            self.conversations.remove(id);
        }
    }

    /// Drops from a conversation's state, if it is loaded, what has no effect any
    /// more.
    pub fn tidy(&mut self, id: ConversationId, spent: &Spent) {
        if let Some(conversation) = self.conversations.touch(id) {
            conversation.tidy(spent);
        }
    }

    /// Moves a cursor; `None` when there is no such member here.
    pub fn move_cursor(
        &mut self,
        id: ConversationId,
        user: UserId,
        which: Move,
        to: Position,
    ) -> Option<MovedCursor> {
        self.conversations.touch(id)?.move_cursor(user, which, to)
    }

    /// Notes what others will be told of a move on its way, see
    /// [`Conversation::will_tell`].
    pub fn will_tell(
        &mut self,
        id: ConversationId,
        user: UserId,
        telling: Telling,
    ) -> Option<Told> {
        Some(self.conversations.touch(id)?.will_tell(user, telling))
    }

    /// Takes a committed cursor move. Returns the conversation, for what follows, and
    /// up to which seq others were told before.
    pub fn apply_move(
        &mut self,
        id: ConversationId,
        user: UserId,
        telling: Telling,
    ) -> Option<(&Conversation, u64)> {
        let conversation = self.conversations.touch(id)?;
        let from_seq = conversation.settle_move(user, telling);
        Some((conversation, from_seq))
    }

    /// Notes what the store says of a user of a 1:1, if that is loaded.
    pub fn note_taking_part(&mut self, id: ConversationId, user: UserId, takes: bool) {
        if let Some(conversation) = self.conversations.touch(id) {
            conversation.note_taking_part(user, takes);
        }
    }

    /// How many conversations are loaded.
    #[must_use]
    pub fn loaded(&self) -> usize {
        self.conversations.len()
    }
}
