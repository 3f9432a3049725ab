//! Whom users know: home shard, kind, user, contact → [`KnownRow`].

use parley_protocol::ids::{ShardId, UserId};

use crate::storage::store::engine::{Order, Scan, Write};
use crate::storage::store::keys::{Key, RowKey, Table};
use crate::storage::store::{Store, StoreError};

/// One user in the list of another.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct KnownRow {
    /// When they came into it, Unix milliseconds.
    #[prost(uint64, tag = "1")]
    pub since_ms: u64,
}

/// The write that puts somebody into the list.
#[must_use]
pub fn put(shard: ShardId, user: UserId, contact: UserId, row: &KnownRow) -> Write {
    super::put(&RowKey::Contact { shard, user, contact }, row)
}

/// The write that takes somebody off the list.
#[must_use]
pub fn delete(shard: ShardId, user: UserId, contact: UserId) -> Write {
    super::delete(&RowKey::Contact { shard, user, contact })
}

impl Store {
    /// A user's contacts by id, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn contacts(
        &self,
        shard: ShardId,
        user: UserId,
        limit: usize,
    ) -> Result<Vec<UserId>, StoreError> {
        let (from, to) = super::under(&Key::prefix(Table::Contacts, shard).with(user.as_bytes()));
        let scan = Scan { from, to, order: Order::Ascending, rows: limit, bytes: usize::MAX };
        self.readable_rows(Table::Contacts, &scan, |key, _: KnownRow| match key {
            RowKey::Contact { contact, .. } => Some(contact),
            _ => None,
        })
    }
}
