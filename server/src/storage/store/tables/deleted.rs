//! Which messages were deleted for all, or expired: shard, kind, conversation, ordinal
//! → [`DeletedRow`].
//!
//! By ordinal, so that those among the unread are a range.

use crate::storage::store::engine::{Order, Scan, Write};
use crate::storage::store::keys::{RowKey, Table};
use crate::storage::store::{Place, Store, StoreError};

/// More rows than this in one range are not counted.
pub const COUNTED: usize = 10_000;

/// The deleted message, or the last of several one after another that expired.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct DeletedRow {
    /// Its seq.
    #[prost(uint64, tag = "1")]
    pub seq: u64,
    /// How many, this one and those before it; 0 stands for one.
    #[prost(uint64, tag = "2")]
    pub count: u64,
}

/// The write that notes that the message with this ordinal was deleted.
#[must_use]
pub fn put(Place { shard, conversation }: Place, ordinal: u64, seq: u64) -> Write {
    put_run(Place { shard, conversation }, ordinal, seq, 0)
}

/// The write that notes that `count` messages up to the one with this ordinal
/// are gone.
#[must_use]
pub fn put_run(Place { shard, conversation }: Place, ordinal: u64, seq: u64, count: u64) -> Write {
    super::put(&RowKey::Deleted { shard, conversation, ordinal }, &DeletedRow { seq, count })
}

impl Store {
    /// How many messages with an ordinal above `above` and up to `up_to` were
    /// deleted or are erased as expired, by up to [`COUNTED`] rows.
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
            order: Order::Descending,
            rows: COUNTED,
            bytes: usize::MAX,
        };
        // A run that ends above may reach down into the range.
        let over = Scan {
            from: key(up_to.saturating_add(1)),
            to: key(u64::MAX),
            rows: 1,
            order: Order::Ascending,
            ..scan.clone()
        };
        let mut rows = self.deleted_rows(&over)?;
        rows.extend(self.deleted_rows(&scan)?);
        let (mut gone, mut lowest) = (0, up_to.saturating_add(1));
        for (ordinal, count) in rows {
            let first = ordinal.saturating_sub(count.max(1) - 1).max(above + 1);
            // What was deleted one by one may lie within a run.
            let last = ordinal.min(lowest - 1);
            if first <= last {
                gone += last - first + 1;
                lowest = first;
            }
        }
        Ok(gone)
    }

    fn deleted_rows(&self, scan: &Scan) -> Result<Vec<(u64, u64)>, StoreError> {
        self.readable_rows(Table::Deleted, scan, |key, row: DeletedRow| match key {
            RowKey::Deleted { ordinal, .. } => Some((ordinal, row.count)),
            _ => None,
        })
    }
}
