//! When a member's cursor moved where: shard, kind, conversation, user, which
//! cursor, seq → [`StepRow`].
//!
//! A cursor is cumulative: the first step at or above a message says when that
//! message was reached. Written only for what others may be told.

use parley_protocol::ids::UserId;

use crate::storage::store::engine::{Order, Scan, Write};
use crate::storage::store::keys::{RowKey, Table, Which};
use crate::storage::store::{Place, Store, StoreError};

/// One move of a cursor.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct StepRow {
    /// When it was made, Unix milliseconds.
    #[prost(uint64, tag = "1")]
    pub time_ms: u64,
}

/// The write that notes that a cursor moved to `seq`.
#[must_use]
pub fn put(
    Place { shard, conversation }: Place,
    user: UserId,
    which: Which,
    seq: u64,
    time_ms: u64,
) -> Write {
    super::put(&RowKey::Step { shard, conversation, user, which, seq }, &StepRow { time_ms })
}

impl Store {
    /// When a member's cursor came to `seq` or past it; `None` while it didn't.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn step(
        &self,
        Place { shard, conversation }: Place,
        user: UserId,
        which: Which,
        seq: u64,
    ) -> Result<Option<u64>, StoreError> {
        let key = |seq| RowKey::Step { shard, conversation, user, which, seq }.encode();
        let scan = Scan {
            from: key(seq),
            // No log reaches seq 2^64-1.
            to: key(u64::MAX),
            order: Order::Ascending,
            rows: 1,
            bytes: usize::MAX,
        };
        let found = self.readable_rows(Table::Steps, &scan, |_, row: StepRow| Some(row.time_ms))?;
        Ok(found.first().copied())
    }
}
