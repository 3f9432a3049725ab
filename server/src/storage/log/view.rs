//! What readers of a log may see: committed entries and nothing else.
//!
//! A written batch is visible in the store before it is synced. Until it is,
//! the lowest seq of each of its conversations is kept here as a ceiling, and
//! what reaches up to it is left out. The ceiling is looked at *after* the
//! store was read: whatever the store showed is then either committed or still
//! under a ceiling.

use parking_lot::RwLock;
use parley_core::conversation::Position;
use parley_protocol::ids::{ClientMessageId, ConversationId, DeviceId};
use rustc_hash::FxHashMap;

use crate::storage::store::{
    DedupeRow, Place, ReadLimit, ReadRange, Store, StoreError, StoredEntry, Table,
};

/// The store, seen up to what is committed: what [`Log`](super::Log) reads from.
pub struct View {
    store: Store,
    /// Per conversation of the batch being committed, its first seq in it.
    // A fast hash will do: the server makes the ids, and the map holds one batch.
    ceilings: RwLock<FxHashMap<ConversationId, u64>>,
}

impl View {
    pub(super) fn new(store: Store) -> Self {
        Self { store, ceilings: RwLock::default() }
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// Hides entries of a conversation from `seq` on. Before they are written.
    ///
    /// # Panics
    /// When the batch before is still hidden: its readers would see what is not
    /// yet committed.
    pub(super) fn hide(&self, firsts: impl Iterator<Item = (ConversationId, u64)>) {
        let mut ceilings = self.ceilings.write();
        assert!(ceilings.is_empty(), "one batch is committed at a time");
        ceilings.extend(firsts);
    }

    /// Shows all again. After they are as durable as they asked.
    pub(super) fn show_all(&self) {
        self.ceilings.write().clear();
    }

    fn ceiling(&self, conversation: ConversationId) -> u64 {
        self.ceilings.read().get(&conversation).copied().unwrap_or(u64::MAX)
    }

    pub(super) fn read(
        &self,
        place: Place,
        range: ReadRange,
        limit: ReadLimit,
        last: u64,
    ) -> Result<Vec<StoredEntry>, StoreError> {
        let mut found = self.store.entries(place, range, limit, last)?;
        let ceiling = self.ceiling(place.conversation);
        if found.last().is_some_and(|entry| entry.seq >= ceiling) {
            // Those in front of it may have been crowded out: read again below it.
            match range {
                ReadRange::Before(_) => {
                    let below = ReadRange::Before(ceiling);
                    found = self.store.entries(place, below, limit, last)?;
                }
                ReadRange::After(_) | ReadRange::Around(_) => {
                    found.retain(|entry| entry.seq < ceiling);
                }
            }
        }
        Ok(found)
    }

    pub(super) fn tail(&self, place: Place) -> Result<Option<Position>, StoreError> {
        let limit = ReadLimit { entries: 1, bytes: 0 };
        let newest = match self.read(place, ReadRange::Before(u64::MAX), limit, 0) {
            Ok(newest) => newest,
            Err(error) => return self.tail_beside(place, error),
        };
        let Some(StoredEntry { seq, record }) = newest.into_iter().next() else {
            return Ok(None);
        };
        match record.head() {
            Ok(head) if !head.damaged => Ok(Some(Position { seq, ..head.position() })),
            _ => {
                let error = StoreError::corrupt(Table::Entries, place.conversation.as_bytes());
                self.tail_beside(place, error)
            }
        }
    }

    /// The tail of a log whose last entries can't be read. What is on its way to the
    /// disk is not part of it.
    fn tail_beside(&self, place: Place, error: StoreError) -> Result<Option<Position>, StoreError> {
        let found = self.store.tail_beside(place, error)?;
        let ceiling = self.ceiling(place.conversation);
        if found.seq < ceiling {
            return Ok(Some(found));
        }
        let below = ceiling.saturating_sub(1);
        if below == 0 { Ok(None) } else { self.store.position(place, below, below).map(Some) }
    }

    pub(super) fn find(
        &self,
        place: Place,
        device: DeviceId,
        client_message_id: &ClientMessageId,
    ) -> Result<Option<DedupeRow>, StoreError> {
        let found = self.store.dedupe(place, device, client_message_id)?;
        let ceiling = self.ceiling(place.conversation);
        Ok(found.filter(|row| row.seq < ceiling))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::storage::store::engine::memory::MemoryEngine;

    #[test]
    #[should_panic(expected = "one batch is committed at a time")]
    fn a_batch_is_not_hidden_over_one_that_is() {
        let store = Store::over(Arc::new(MemoryEngine::new()), 4, [1; 16]).unwrap();
        let view = View::new(store);
        view.hide([(ConversationId::new([1; 16]), 1)].into_iter());
        view.hide([(ConversationId::new([2; 16]), 1)].into_iter());
    }
}
