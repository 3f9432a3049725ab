//! Who blocked whom, kept with both: home shard of the one who blocks, kind,
//! user, blocked → [`KnownRow`], and home shard of the one who is blocked,
//! kind, user, blocker → [`KnownRow`]. Both change in one batch.

use parley_protocol::ids::{ShardId, UserId};

use super::contacts::KnownRow;
use crate::storage::store::engine::{Order, Scan, Write};
use crate::storage::store::keys::{Key, RowKey, Table};
use crate::storage::store::{Store, StoreError};

/// A user and their home shard.
pub type Home = (ShardId, UserId);

/// The writes by which `by` blocks `whom`.
#[must_use]
pub fn put(by: Home, whom: Home, row: &KnownRow) -> Vec<Write> {
    vec![
        super::put(&RowKey::Block { shard: by.0, user: by.1, blocked: whom.1 }, row),
        super::put(&RowKey::BlockedBy { shard: whom.0, user: whom.1, blocker: by.1 }, row),
    ]
}

/// The writes that end the block.
#[must_use]
pub fn delete(by: Home, whom: Home) -> Vec<Write> {
    vec![
        super::delete(&RowKey::Block { shard: by.0, user: by.1, blocked: whom.1 }),
        super::delete(&RowKey::BlockedBy { shard: whom.0, user: whom.1, blocker: by.1 }),
    ]
}

impl Store {
    /// Those a user blocked, by id, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn blocked(
        &self,
        shard: ShardId,
        user: UserId,
        limit: usize,
    ) -> Result<Vec<UserId>, StoreError> {
        self.listed(Table::Blocks, shard, user, limit, |key| match key {
            RowKey::Block { blocked, .. } => Some(blocked),
            _ => None,
        })
    }

    /// Those who blocked a user, by id, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn blocked_by(
        &self,
        shard: ShardId,
        user: UserId,
        limit: usize,
    ) -> Result<Vec<UserId>, StoreError> {
        self.listed(Table::BlockedBy, shard, user, limit, |key| match key {
            RowKey::BlockedBy { blocker, .. } => Some(blocker),
            _ => None,
        })
    }

    fn listed(
        &self,
        table: Table,
        shard: ShardId,
        user: UserId,
        limit: usize,
        pick: impl Fn(RowKey) -> Option<UserId>,
    ) -> Result<Vec<UserId>, StoreError> {
        let (from, to) = super::under(&Key::prefix(table, shard).with(user.as_bytes()));
        let scan = Scan { from, to, order: Order::Ascending, rows: limit, bytes: usize::MAX };
        self.rows(table, &scan, |key, _: KnownRow| pick(key))
    }
}
