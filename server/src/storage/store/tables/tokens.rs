//! Who a session token belongs to: shard, kind, SHA-256 of the token → [`TokenRow`].

use bytes::Bytes;
use parley_protocol::ids::{DeviceId, IdError, ShardId, UserId};

use crate::storage::store::engine::Write;
use crate::storage::store::keys::RowKey;
use crate::storage::store::{Store, StoreError};

/// The owner of a token.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct TokenRow {
    /// The user, 16 bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub user: Bytes,
    /// The device, 16 bytes.
    #[prost(bytes = "bytes", tag = "2")]
    pub device: Bytes,
    /// When it was last used, to the day, in milliseconds of the node's lasting
    /// clock; 0 when that was never written.
    #[prost(uint64, tag = "3")]
    pub used_ms: u64,
}

impl TokenRow {
    /// The row for a device's token.
    #[must_use]
    pub fn new(user: UserId, device: DeviceId) -> Self {
        Self { user: user.to_wire(), device: device.to_wire(), used_ms: 0 }
    }

    /// The owner.
    ///
    /// # Errors
    /// [`IdError`] when a field is not an id.
    pub fn owner(&self) -> Result<(UserId, DeviceId), IdError> {
        Ok((UserId::from_slice(&self.user)?, DeviceId::from_slice(&self.device)?))
    }
}

/// The write that makes the token valid.
#[must_use]
pub fn put(shard: ShardId, token_hash: [u8; 32], row: &TokenRow) -> Write {
    super::put(&RowKey::Token { shard, token_hash }, row)
}

/// The write that ends the token.
#[must_use]
pub fn delete(shard: ShardId, token_hash: [u8; 32]) -> Write {
    super::delete(&RowKey::Token { shard, token_hash })
}

impl Store {
    /// The owner of the token with this hash.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn token(
        &self,
        shard: ShardId,
        token_hash: [u8; 32],
    ) -> Result<Option<TokenRow>, StoreError> {
        self.row(&RowKey::Token { shard, token_hash })
    }
}
