//! Which messages were deleted for all: shard, kind, conversation, ordinal → [`DeletedRow`].
//!
//! By ordinal, so that the deleted ones among the unread are a range.

use crate::storage::store::engine::{Order, Scan, Write};
use crate::storage::store::keys::{RowKey, Table};
use crate::storage::store::{Place, Store, StoreError};

/// More deleted messages than this in one range are not counted.
pub const COUNTED: usize = 10_000;

/// The deleted message.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct DeletedRow {
    /// Its seq.
    #[prost(uint64, tag = "1")]
    pub seq: u64,
}

/// The write that notes that the message with this ordinal was deleted.
#[must_use]
pub fn put(Place { shard, conversation }: Place, ordinal: u64, seq: u64) -> Write {
    super::put(&RowKey::Deleted { shard, conversation, ordinal }, &DeletedRow { seq })
}

impl Store {
    /// How many messages with an ordinal above `above` and up to `up_to` were
    /// deleted, counted up to [`COUNTED`].
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn count_deleted(
        &self,
        Place { shard, conversation }: Place,
        (above, up_to): (u64, u64),
    ) -> Result<u64, StoreError> {
        if above >= up_to {
            return Ok(0);
        }
        let key = |ordinal| RowKey::Deleted { shard, conversation, ordinal }.encode();
        let scan = Scan {
            from: key(above + 1),
            // No log reaches ordinal 2^64-1.
            to: key(up_to.saturating_add(1)),
            order: Order::Ascending,
            rows: COUNTED,
            bytes: usize::MAX,
        };
        Ok(self.scan(Table::Deleted, &scan)?.rows.len() as u64)
    }
}
