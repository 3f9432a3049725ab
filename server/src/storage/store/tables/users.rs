//! Accounts: shard, kind, user → [`UserRow`].

use parley_protocol::ids::{ShardId, UserId};

use crate::storage::store::engine::{Order, Scan, Write};
use crate::storage::store::keys::{Key, RowKey, Table};
use crate::storage::store::{Store, StoreError};

/// One account.
#[derive(Clone, PartialEq, Eq, prost::Message)]
#[prost(skip_debug)]
pub struct UserRow {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The password's hash in PHC form, parameters and salt included.
    #[prost(string, tag = "2")]
    pub password_hash: String,
    /// When it was made, Unix milliseconds.
    #[prost(uint64, tag = "3")]
    pub created_ms: u64,
    /// When it was deleted, Unix milliseconds; 0 while it is there. What is
    /// left then keeps its name from being taken again.
    #[prost(uint64, tag = "4")]
    pub deleted_ms: u64,
}

impl UserRow {
    /// Whether the account is no more.
    #[must_use]
    pub const fn is_deleted(&self) -> bool {
        self.deleted_ms != 0
    }
}

/// Without the hash: whoever has it can try passwords in peace.
impl std::fmt::Debug for UserRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserRow")
            .field("name", &self.name)
            .field("created_ms", &self.created_ms)
            .finish_non_exhaustive()
    }
}

/// The write that creates or replaces the account.
#[must_use]
pub fn put(shard: ShardId, user: UserId, row: &UserRow) -> Write {
    super::put(&RowKey::User { shard, user }, row)
}

impl Store {
    /// Some accounts of a shard, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn users(&self, shard: ShardId, limit: usize) -> Result<Vec<UserRow>, StoreError> {
        let (from, to) = super::under(&Key::prefix(Table::Users, shard));
        let scan = Scan { from, to, order: Order::Ascending, rows: limit, bytes: usize::MAX };
        self.readable_rows(Table::Users, &scan, |key, row| match key {
            RowKey::User { .. } => Some(row),
            _ => None,
        })
    }

    /// One account.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn user(&self, shard: ShardId, user: UserId) -> Result<Option<UserRow>, StoreError> {
        self.row(&RowKey::User { shard, user })
    }
}
