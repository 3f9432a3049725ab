//! How far a conversation's beginning is erased from this store: shard, kind,
//! conversation → [`RetentionRow`].
//!
//! Derived from the entries' times and the conversation's settings: it says
//! how far the work is, readers are held back before it is done.

use crate::storage::store::engine::Write;
use crate::storage::store::keys::RowKey;
use crate::storage::store::{Place, Store, StoreError};

/// How far a beginning is erased.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct RetentionRow {
    /// Entries up to this seq have no bodies any more.
    #[prost(uint64, tag = "1")]
    pub seq: u64,
    /// Countable entries up to it: they don't count as unread.
    #[prost(uint64, tag = "2")]
    pub ordinal: u64,
}

/// The write that notes how far it is erased.
#[must_use]
pub fn put(Place { shard, conversation }: Place, row: &RetentionRow) -> Write {
    super::put(&RowKey::Retention { shard, conversation }, row)
}

impl Store {
    /// How far the conversation's beginning is erased; not at all without a row.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn retention(
        &self,
        Place { shard, conversation }: Place,
    ) -> Result<Option<RetentionRow>, StoreError> {
        self.row(&RowKey::Retention { shard, conversation })
    }
}
