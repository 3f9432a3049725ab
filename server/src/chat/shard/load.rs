//! Loading a conversation from the store into its shard.
//!
//! Whether somebody may know of a conversation is asked of their own feed,
//! before anything of the conversation is read: for whoever never was in it, one
//! that exists costs what one that doesn't costs, and no time tells who talks
//! with whom.

use parley_core::conversation::Conversation;
use parley_protocol::{ConversationId, UserId};

use super::{Error, Shards};
use crate::base::reads::blocking;
use crate::chat::expiry;
use crate::storage::store::{Place, state as rows};

/// Members read with a conversation; groups above it are refused when made.
const MEMBERS: usize = 100_000;

/// On whose behalf a conversation is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asker {
    /// Somebody, to whom a conversation they never were in is none.
    User(UserId),
    /// The node itself, or somebody who proved that they may know of it.
    Node,
}

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
    /// when there is none for `asker` and `fresh` doesn't say what it would be.
    ///
    /// Reads on the blocking pool. Cancel safe.
    pub(crate) async fn load(
        &self,
        id: ConversationId,
        fresh: Fresh,
        asker: Asker,
    ) -> Result<bool, Error> {
        let place = self.place_of(id);
        // Whose feed is to be asked still.
        let mut unknown = match (asker, fresh) {
            (Asker::User(user), Fresh::None) => Some(user),
            (Asker::User(_) | Asker::Node, _) => None,
        };
        loop {
            let as_of = {
                let mut state = self.states.lock(place.shard);
                let found = state.conversation(id);
                if found.is_some_and(|found| unknown.is_none_or(|user| found.concerns(user))) {
                    return Ok(true);
                }
                state.evictions()
            };
            let this = self.clone();
            let read = move || match unknown {
                Some(user) if !this.feeds.holds(user, id)? => Ok::<_, Error>(None),
                Some(_) | None => Ok(Some(this.restore(place)?)),
            };
            let Some(stored) = blocking(read).await? else { return Ok(false) };
            unknown = None;
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
        let members = stored.members.iter().filter_map(|row| UserId::from_slice(&row.user).ok());
        let cursors = self.store.readable_cursors(place, members, MEMBERS)?;
        let progress = rows::to_progress(&cursors);
        let state = expiry::state_of(&self.store, place, &stored, self.dates.erase_ms())?;
        Ok(Some(Conversation::restore(place.conversation, state, progress, head)))
    }
}
