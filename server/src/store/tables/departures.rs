//! Deleted accounts that have not left everything yet: home shard, kind, user
//! → [`DepartureRow`]. Written with the deletion and deleted when the last
//! group is left, so that a crash in between is made up for at the next start.

use bytes::Bytes;
use parley_protocol::ids::{ShardId, UserId};

use crate::store::engine::{Order, Scan, Write};
use crate::store::keys::{Key, RowKey, Table};
use crate::store::{Store, StoreError};

/// One account that is leaving.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct DepartureRow {
    /// The device that deleted the account, 16 bytes: it says goodbye in the groups.
    #[prost(bytes = "bytes", tag = "1")]
    pub device: Bytes,
}

/// The write that creates the row.
#[must_use]
pub fn put(shard: ShardId, user: UserId, row: &DepartureRow) -> Write {
    super::put(&RowKey::Departure { shard, user }, row)
}

/// The write that deletes the row.
#[must_use]
pub fn delete(shard: ShardId, user: UserId) -> Write {
    super::delete(&RowKey::Departure { shard, user })
}

impl Store {
    /// A shard's accounts that are leaving, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`] when the disk can't be read or a row doesn't decode.
    pub fn departures(
        &self,
        shard: ShardId,
        limit: usize,
    ) -> Result<Vec<(UserId, DepartureRow)>, StoreError> {
        let (from, to) = super::under(&Key::prefix(Table::Departures, shard));
        let scan = Scan { from, to, order: Order::Ascending, rows: limit, bytes: usize::MAX };
        self.rows(Table::Departures, &scan, |key, row| match key {
            RowKey::Departure { user, .. } => Some((user, row)),
            _ => None,
        })
    }
}
