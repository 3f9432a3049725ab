//! Which names look alike: shard of the skeleton, kind, skeleton → the name that
//! has it, as text.

use bytes::Bytes;
use parley_protocol::ids::ShardId;

use crate::storage::store::engine::Write;
use crate::storage::store::keys::{RowKey, Table};
use crate::storage::store::{Store, StoreError};

/// The write that notes that a name has this skeleton.
#[must_use]
pub fn put(shard: ShardId, skeleton: &str, name: &str) -> Write {
    Write {
        table: Table::Skeletons,
        key: RowKey::Skeleton { shard, name: skeleton.to_owned() }.encode(),
        value: Some(Bytes::copy_from_slice(name.as_bytes())),
    }
}

impl Store {
    /// Whether there is a name with this skeleton.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn has_skeleton(&self, shard: ShardId, skeleton: &str) -> Result<bool, StoreError> {
        let key = RowKey::Skeleton { shard, name: skeleton.to_owned() }.encode();
        Ok(self.value(Table::Skeletons, &key)?.is_some())
    }
}
