//! When devices were last active: home shard, kind, user, device →
//! [`SeenRow`]. Written apart from the device, since nobody is told it is kept.

use parley_protocol::ids::{DeviceId, ShardId, UserId};

use crate::storage::store::engine::{Order, Scan, Write};
use crate::storage::store::keys::{Key, RowKey, Table};
use crate::storage::store::{Store, StoreError};

/// When one device was last active.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct SeenRow {
    /// Unix milliseconds.
    #[prost(uint64, tag = "1")]
    pub active_ms: u64,
}

/// The write that creates or replaces the row.
#[must_use]
pub fn put(shard: ShardId, user: UserId, device: DeviceId, row: &SeenRow) -> Write {
    super::put(&RowKey::Seen { shard, user, device }, row)
}

/// The write that deletes the row.
#[must_use]
pub fn delete(shard: ShardId, user: UserId, device: DeviceId) -> Write {
    super::delete(&RowKey::Seen { shard, user, device })
}

impl Store {
    /// When a user's devices were last active, by id, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn seen(
        &self,
        shard: ShardId,
        user: UserId,
        limit: usize,
    ) -> Result<Vec<(DeviceId, SeenRow)>, StoreError> {
        let (from, to) = super::under(&Key::prefix(Table::Seen, shard).with(user.as_bytes()));
        let scan = Scan { from, to, order: Order::Ascending, rows: limit, bytes: usize::MAX };
        self.rows(Table::Seen, &scan, |key, row| match key {
            RowKey::Seen { device, .. } => Some((device, row)),
            _ => None,
        })
    }
}
