//! Deleted accounts that have not left everything yet: home shard, kind, user
//! → [`DepartureRow`]. Written with the deletion and deleted when the last
//! group is left, so that a crash in between is made up for at the next start.

use bytes::Bytes;
use parley_protocol::ids::{ShardId, UserId};

use crate::storage::store::engine::{Order, Scan, Write};
use crate::storage::store::keys::{Key, RowKey, Table};
use crate::storage::store::{Store, StoreError};

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

/// What a deleted account leaves at home: what was set for conversations, what
/// was hidden, and when they were last there.
const LEFT: [Table; 3] = [Table::Preferences, Table::Hidden, Table::Presence];

impl Store {
    /// The writes that erase what a deleted account left at home, at most
    /// `limit`; none once all is gone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn erasing(
        &self,
        shard: ShardId,
        user: UserId,
        limit: usize,
    ) -> Result<Vec<Write>, StoreError> {
        for table in LEFT {
            let (from, to) = super::under(&Key::prefix(table, shard).with(user.as_bytes()));
            let scan = Scan { from, to, order: Order::Ascending, rows: limit, bytes: usize::MAX };
            let rows = self.scan_around(table, &scan)?.rows;
            let erase = |(key, _): (Bytes, Bytes)| {
                let key = RowKey::decode(table.family(), &key);
                key.map(|key| super::delete(&key)).map_err(|_| StoreError::corrupt(table, &[]))
            };
            let writes = rows.into_iter().map(erase).collect::<Result<Vec<_>, _>>()?;
            if !writes.is_empty() {
                return Ok(writes);
            }
        }
        Ok(Vec::new())
    }

    /// A shard's accounts that are leaving, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn departures(
        &self,
        shard: ShardId,
        limit: usize,
    ) -> Result<Vec<(UserId, DepartureRow)>, StoreError> {
        let (from, to) = super::under(&Key::prefix(Table::Departures, shard));
        let scan = Scan { from, to, order: Order::Ascending, rows: limit, bytes: usize::MAX };
        self.readable_rows(Table::Departures, &scan, |key, row| match key {
            RowKey::Departure { user, .. } => Some((user, row)),
            _ => None,
        })
    }
}
