//! How far a conversation is erased from this store: its beginning, and of each
//! period of retention. Shard, kind, conversation → [`RetentionRow`].
//!
//! Derived from the entries' times and the conversation's periods: it says
//! how far the work is, readers are held back before it is done.

use bytes::Bytes;

use crate::storage::store::engine::Write;
use crate::storage::store::keys::RowKey;
use crate::storage::store::{Place, Store, StoreError};

/// How far a conversation is erased.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct RetentionRow {
    /// Entries up to this seq have no bodies any more.
    #[prost(uint64, tag = "1")]
    pub seq: u64,
    /// Countable entries up to it: they don't count as unread.
    #[prost(uint64, tag = "2")]
    pub ordinal: u64,
    /// How far each period is.
    #[prost(message, repeated, tag = "3")]
    pub periods: Vec<ErasedRow>,
    /// Up to here entries were there at `seen_ms`; noted of those whose own times
    /// say nothing.
    #[prost(uint64, tag = "4")]
    pub seen_seq: u64,
    /// A moment by a clock that was right, Unix milliseconds.
    #[prost(uint64, tag = "5")]
    pub seen_ms: u64,
}

/// How far a period of retention is erased.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ErasedRow {
    /// Whose it is, as in the conversation's row.
    #[prost(bytes = "bytes", tag = "1")]
    pub of: Bytes,
    /// Where it begins.
    #[prost(uint64, tag = "2")]
    pub after: u64,
    /// Its entries up to this seq have no bodies any more.
    #[prost(uint64, tag = "3")]
    pub seq: u64,
}

/// The write that notes how far it is erased.
#[must_use]
pub fn put(Place { shard, conversation }: Place, row: &RetentionRow) -> Write {
    super::put(&RowKey::Retention { shard, conversation }, row)
}

impl Store {
    /// How far the conversation's beginning is erased; not at all without a row that can
    /// be read: erasing twice changes nothing.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn retention(
        &self,
        Place { shard, conversation }: Place,
    ) -> Result<Option<RetentionRow>, StoreError> {
        self.row_or_lost(&RowKey::Retention { shard, conversation })
    }
}
