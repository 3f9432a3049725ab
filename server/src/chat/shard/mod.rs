//! The shards of this node: each a pure state behind a lock held for
//! microseconds.
//!
//! A command enters by [`Shards::send`] or [`Shards::move_cursor`]: room in the
//! log is reserved, then under the shard's lock the command is decided, stamped
//! and queued, so that the order of commits is the order of stamps. What
//! follows from a commit is the fan-out's, which comes back here to apply.
//! Conversations are loaded on the blocking pool. Under the lock one row is looked
//! up, whether a send is a repeat: in memory and by filters, seldom on the disk
//! (decision 0043 says how seldom, and why there); for a deletion the edits it takes
//! along, and for joining by a link the link.

mod answer;
mod cursor;
mod damaged;
mod effects;
mod error;
mod facts;
mod invite;
mod load;
mod own;
mod pending;
mod send;
mod sending;

use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use parley_core::conversation::{Bounds, Conversation};
use parley_core::shard::Shard;
use parley_core::shard::placement::ShardCount;
use parley_protocol::{ConversationId, ShardId, UserId};

use crate::base::slots::Slots;
use crate::chat::dates::Dates;
use crate::storage::log::Log;
use crate::storage::store::{Place, Store, StoreError};
pub(crate) use answer::{answer_again, moved_answer, sent_answer};
pub use cursor::{MoveRequest, Pair, Visibility};
pub(crate) use effects::mentioned;
pub use error::Error;
pub(crate) use invite::is_good;
pub use invite::{InviteChange, InviteId, invite_id};
pub(crate) use load::{Asker, Fresh};
pub use pending::{Pending, PendingCursor, PendingEntry, PendingOwn, ReplyTo};
pub use send::{SendRequest, SendTo};

/// Says whether users may know of conversations; the homes do.
pub trait Feeds: Send + Sync + 'static {
    /// Whether the conversation is in the user's feed. Blocks.
    ///
    /// # Errors
    /// [`StoreError`] when the store can't be read.
    fn holds(&self, user: UserId, id: ConversationId) -> Result<bool, StoreError>;
}

/// What the shards of one node need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Conversations kept in memory, over all shards.
    pub conversations: usize,
    /// Epoch of this start: the number of starts of the data folder.
    pub epoch: u64,
    /// What a conversation may have.
    pub bounds: Bounds,
}

/// The states of all shards; shared by the way in and the fan-out.
pub struct States {
    count: ShardCount,
    shards: Slots<Mutex<Shard>>,
}

impl States {
    /// Empty states of `count` shards.
    #[must_use]
    pub fn new(count: ShardCount, options: Options) -> Self {
        let capacity = options.conversations.div_ceil(usize::from(count.get()));
        let shards = Slots::new(usize::from(count.get()), || {
            Mutex::new(Shard::new(options.epoch, capacity, options.bounds))
        });
        Self { count, shards }
    }

    /// How many shards there are.
    #[must_use]
    pub const fn count(&self) -> ShardCount {
        self.count
    }

    /// Locks a shard.
    pub(crate) fn lock(&self, shard: ShardId) -> MutexGuard<'_, Shard> {
        self.shards.slot(shard.0.into()).lock()
    }

    /// Conversations loaded now.
    #[must_use]
    pub fn loaded(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().loaded()).sum()
    }
}

/// The way into the shards. Cheap to clone.
#[derive(Clone)]
pub struct Shards {
    states: Arc<States>,
    log: Arc<dyn Log<Pending>>,
    store: Store,
    /// Their feeds say who may know of a conversation.
    feeds: Arc<dyn Feeds>,
    invites: Arc<invite::Links>,
    dates: Arc<Dates>,
}

impl Shards {
    /// The way into `states` over `log`, for the users of `feeds`.
    #[must_use]
    pub fn new(
        states: Arc<States>,
        log: Arc<dyn Log<Pending>>,
        store: Store,
        feeds: Arc<dyn Feeds>,
        dates: Arc<Dates>,
    ) -> Self {
        Self { states, log, store, feeds, invites: Arc::default(), dates }
    }

    /// How many shards there are.
    #[must_use]
    pub fn count(&self) -> ShardCount {
        self.states.count
    }

    /// The log the shards append to.
    #[must_use]
    pub fn log(&self) -> &Arc<dyn Log<Pending>> {
        &self.log
    }

    /// The store beneath.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// Looks at a conversation under its shard's lock, loading it if need be;
    /// `None` when there is none for `asker`. `look` must be short.
    ///
    /// # Errors
    /// [`Error::Store`] when it can't be loaded.
    pub(crate) async fn with<T>(
        &self,
        asker: Asker,
        id: ConversationId,
        look: impl Fn(&Conversation, Place) -> T,
    ) -> Result<Option<T>, Error> {
        let place = self.place_of(id);
        while self.load(id, Fresh::None, asker).await? {
            if let Some(found) = self.states.lock(place.shard).conversation(id) {
                return Ok(Some(look(found, place)));
            }
        }
        Ok(None)
    }

    /// Where the conversation lies.
    #[must_use]
    pub fn place_of(&self, conversation: ConversationId) -> Place {
        Place::of(self.states.count, conversation)
    }
}
