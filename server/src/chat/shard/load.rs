//! Loading a conversation from the store into its shard.

use parley_core::conversation::Conversation;
use parley_protocol::{ConversationId, UserId};

use super::{Error, Shards};
use crate::base::clock::wall_ms;
use crate::base::reads::blocking;
use crate::chat::expiry;
use crate::storage::store::{Place, state as rows};

/// Members read with a conversation; groups above it are refused when made.
const MEMBERS: usize = 100_000;

/// What a conversation without entries would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fresh {
    /// There is none then.
    None,
    /// The 1:1 of these two.
    Direct(UserId, UserId),
    /// A group about to be made.
    Group,
}

impl Shards {
    /// Makes sure the conversation is in its shard's memory. Returns false
    /// when there is none and `fresh` doesn't say what it would be.
    ///
    /// Reads on the blocking pool. Cancel safe.
    pub(crate) async fn load(&self, id: ConversationId, fresh: Fresh) -> Result<bool, Error> {
        let place = self.place_of(id);
        loop {
            let as_of = {
                let mut state = self.states.lock(place.shard);
                if state.conversation(id).is_some() {
                    return Ok(true);
                }
                state.evictions()
            };
            let this = self.clone();
            let stored = blocking(move || this.restore(place)).await?;
            let conversation = match (stored, fresh) {
                (Some(stored), _) => stored,
                (None, Fresh::Direct(a, b)) => Conversation::direct(a, b),
                (None, Fresh::Group) => Conversation::group(id),
                (None, Fresh::None) => return Ok(false),
            };
            if self.states.lock(place.shard).load(conversation, as_of) {
                return Ok(true);
            }
        }
    }

    fn restore(&self, place: Place) -> Result<Option<Conversation>, Error> {
        let Some(stored) = self.store.conversation(place)? else {
            return Ok(None);
        };
        let head = self.log.tail(place)?.unwrap_or_default();
        let cursors = self.store.cursors(place, MEMBERS)?;
        let progress = rows::to_progress(&cursors);
        let state = expiry::state_of(&self.store, place, &stored, wall_ms())?;
        Ok(Some(Conversation::restore(place.conversation, state, progress, head)))
    }
}
