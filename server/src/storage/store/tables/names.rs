//! Who has a name: shard, kind, name → user id, its plain 16 bytes.

use bytes::Bytes;
use parley_protocol::ids::{ShardId, UserId};

use crate::storage::store::engine::{Order, Scan, Write};
use crate::storage::store::keys::{Key, RowKey, Table};
use crate::storage::store::{Store, StoreError};

/// The write that gives the name to a user. Whether it is free is checked by
/// the one task that owns the name's shard.
#[must_use]
pub fn put(shard: ShardId, name: &str, user: UserId) -> Write {
    Write {
        table: Table::Names,
        key: RowKey::Name { shard, name: name.to_owned() }.encode(),
        value: Some(Bytes::copy_from_slice(user.as_bytes())),
    }
}

/// The write that frees the name.
#[must_use]
pub fn delete(shard: ShardId, name: &str) -> Write {
    super::delete(&RowKey::Name { shard, name: name.to_owned() })
}

impl Store {
    /// Names of a shard in order, those after `after`; at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn names(
        &self,
        shard: ShardId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        let prefix = Key::prefix(Table::Names, shard);
        let (first, to) = super::under(&prefix);
        // The lowest key above a name is the name and a zero byte.
        let from = after.map_or(first, |name| prefix.with(name.as_bytes()).with(&[0]));
        let scan = Scan { from, to, order: Order::Ascending, rows: limit, bytes: usize::MAX };
        let found = self.scan_around(Table::Names, &scan)?;
        Ok(found
            .rows
            .into_iter()
            .filter_map(|(key, _)| match RowKey::decode(Table::Names.family(), &key) {
                Ok(RowKey::Name { name, .. }) => Some(name),
                _ => None,
            })
            .collect())
    }

    /// The user who has the name.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn user_of_name(&self, shard: ShardId, name: &str) -> Result<Option<UserId>, StoreError> {
        let key = RowKey::Name { shard, name: name.to_owned() }.encode();
        self.value(Table::Names, &key)?
            .map(|value| UserId::from_slice(&value))
            .transpose()
            .map_err(|_| StoreError::corrupt(Table::Names, key.as_bytes()))
    }
}
