//! What fan-out still has to carry to home shards: shard, kind, index → [`OutboxRow`].
//!
//! The log writes one row per commit batch, in that batch and in the shard of its
//! first entry. Once the feeds that follow from it are written, the row is deleted.
//! After a crash the rows left over say which feeds to build again.

use bytes::Bytes;
use parley_protocol::ids::ShardId;

use crate::storage::store::engine::{Order, Scan, Write};
use crate::storage::store::keys::{Key, RowKey, Table};
use crate::storage::store::{Store, StoreError};

/// Rows above the newest readable one that may be there, more than is ever on its way.
const UNREADABLE: u64 = 100_000;

/// Which conversations got entries in one commit batch.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct OutboxRow {
    /// One per conversation.
    #[prost(message, repeated, tag = "1")]
    pub ranges: Vec<OutboxRange>,
}

/// New entries of one conversation.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct OutboxRange {
    /// The conversation, 16 bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub conversation: Bytes,
    /// First new seq.
    #[prost(uint64, tag = "2")]
    pub from_seq: u64,
    /// Last new seq, itself included.
    #[prost(uint64, tag = "3")]
    pub to_seq: u64,
}

/// The write that adds a row.
#[must_use]
pub fn put(shard: ShardId, index: u64, row: &OutboxRow) -> Write {
    super::put(&RowKey::Outbox { shard, index }, row)
}

/// The write that deletes a row once its feeds are written.
#[must_use]
pub fn delete(shard: ShardId, index: u64) -> Write {
    super::delete(&RowKey::Outbox { shard, index })
}

impl Store {
    /// Rows with an index above `after`, ascending, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn outbox(
        &self,
        shard: ShardId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<(u64, OutboxRow)>, StoreError> {
        let from = RowKey::Outbox { shard, index: after.saturating_add(1) }.encode();
        self.outbox_rows(shard, from, Order::Ascending, limit)
    }

    /// The highest index there is, 0 if there is none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn outbox_end(&self, shard: ShardId) -> Result<u64, StoreError> {
        let from = Key::prefix(Table::Outbox, shard);
        let newest = self.outbox_rows(shard, from.clone(), Order::Descending, 1)?;
        let newest = newest.first().map_or(0, |(index, _)| *index);
        let (_, to) = super::under(&from);
        let above = Scan {
            from: from.with(&newest.saturating_add(1).to_be_bytes()),
            to,
            order: Order::Descending,
            rows: 1,
            bytes: usize::MAX,
        };
        // Rows that can't be read may be above it, and none may be written over.
        match self.scan(Table::Outbox, &above) {
            Err(error) if error.is_damage() => Ok(newest.saturating_add(UNREADABLE)),
            found => found.map(|_| newest),
        }
    }

    fn outbox_rows(
        &self,
        shard: ShardId,
        from: Key,
        order: Order,
        limit: usize,
    ) -> Result<Vec<(u64, OutboxRow)>, StoreError> {
        let (_, to) = super::under(&Key::prefix(Table::Outbox, shard));
        let scan = Scan { from, to, order, rows: limit, bytes: usize::MAX };
        self.readable_rows(Table::Outbox, &scan, |key, row| match key {
            RowKey::Outbox { index, .. } => Some((index, row)),
            _ => None,
        })
    }
}
