//! Who has a name: shard, kind, name → user id, its plain 16 bytes.

use bytes::Bytes;
use parley_protocol::ids::{ShardId, UserId};

use crate::storage::store::engine::Write;
use crate::storage::store::keys::{RowKey, Table};
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
