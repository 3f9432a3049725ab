//! When users were last online: shard, kind, user → [`PresenceRow`].

use parley_protocol::ids::{ShardId, UserId};

use crate::storage::store::engine::Write;
use crate::storage::store::keys::RowKey;
use crate::storage::store::{Store, StoreError};

/// When one user was last online.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct PresenceRow {
    /// Unix milliseconds. While they are online it lags behind a little.
    #[prost(uint64, tag = "1")]
    pub last_seen_ms: u64,
}

/// The write that creates or replaces the row.
#[must_use]
pub fn put(shard: ShardId, user: UserId, row: &PresenceRow) -> Write {
    super::put(&RowKey::Presence { shard, user }, row)
}

/// The write that deletes the row.
#[must_use]
pub fn delete(shard: ShardId, user: UserId) -> Write {
    super::delete(&RowKey::Presence { shard, user })
}

impl Store {
    /// When a user was last online, if ever.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn presence(
        &self,
        shard: ShardId,
        user: UserId,
    ) -> Result<Option<PresenceRow>, StoreError> {
        self.row_or_lost(&RowKey::Presence { shard, user })
    }
}
