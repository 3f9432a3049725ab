//! What one reader sees of a conversation: what everybody in their place does,
//! less what is too old to keep, and less what they took out of their own
//! sight. What is gone in the middle keeps its place, without a body.

use std::collections::HashSet;

use parley_protocol::{ConversationId, UserId, limits};

use super::Visible;
use crate::base::clock::wall_ms;
use crate::chat::expiry::Gone;
use crate::chat::shard::Shards;
use crate::storage::store::StoreError;

/// What one reader sees. Made for each read anew.
#[derive(Debug)]
pub(super) struct Sight {
    /// Who is in it, and the reader's place.
    pub(super) visible: Visible,
    /// Entries up to this seq are not there for the reader.
    pub(super) floor: u64,
    /// What is too old to keep.
    pub(super) gone: Gone,
    /// Messages whose bodies are not there for the reader.
    pub(super) hidden: HashSet<u64>,
}

impl Sight {
    /// Blocks.
    pub(super) fn new(
        shards: &Shards,
        visible: Visible,
        user: UserId,
        id: ConversationId,
    ) -> Result<Self, StoreError> {
        let store = shards.store();
        let home = shards.count().of_user(user);
        let preferences = store.preferences(home, user, id)?.unwrap_or_default();
        let floor = visible.floor.max(preferences.cleared_up_to).min(visible.last_seq);
        let Visible { place, state, last_seq, .. } = &visible;
        let gone = Gone::look(store, *place, state, *last_seq, wall_ms())?;
        let floor = gone.floor(state, floor);
        let hidden = if preferences.hidden > 0 {
            store.hidden(home, user, id, 0, limits::HIDDEN_SEQS)?.into_iter().collect()
        } else {
            HashSet::new()
        };
        Ok(Self { visible, floor, gone, hidden })
    }

    /// Whether the entry with this seq is there for the reader, if only as a
    /// tombstone.
    pub(super) const fn sees(&self, seq: u64) -> bool {
        seq > self.floor && seq <= self.visible.last_seq
    }
}
