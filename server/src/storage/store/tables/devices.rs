//! A user's devices: shard, kind, user, device → [`DeviceRow`].

use bytes::Bytes;
use parley_protocol::ids::{DeviceId, ShardId, UserId};

use crate::storage::store::engine::{Order, Scan, Write};
use crate::storage::store::keys::{Key, RowKey, Table};
use crate::storage::store::{Store, StoreError};

/// One device.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct DeviceRow {
    /// What its owner calls it.
    #[prost(string, tag = "1")]
    pub name: String,
    /// What it says it is.
    #[prost(string, tag = "2")]
    pub platform: String,
    /// When it first logged in, Unix milliseconds.
    #[prost(uint64, tag = "3")]
    pub created_ms: u64,
    /// Its valid session tokens, oldest first.
    #[prost(message, repeated, tag = "4")]
    pub tokens: Vec<DeviceToken>,
    /// SHA-256 of tokens it had before, the newest last, 32 bytes each.
    #[prost(bytes = "bytes", repeated, tag = "5")]
    pub past: Vec<Bytes>,
    /// When somebody last signed in under its name, Unix milliseconds.
    #[prost(uint64, tag = "6")]
    pub signed_in_ms: u64,
    /// From where, as text.
    #[prost(string, tag = "7")]
    pub signed_in_from: String,
}

impl DeviceRow {
    /// Past tokens that are remembered.
    const PAST: usize = 8;

    /// These tokens have ended; the device may still show that it had them.
    pub fn remember(&mut self, ended: impl IntoIterator<Item = DeviceToken>) {
        self.past.extend(ended.into_iter().map(|token| token.hash));
        let excess = self.past.len().saturating_sub(Self::PAST);
        self.past.drain(..excess);
    }
}

/// One session token of a device, hashed.
#[derive(Clone, PartialEq, Eq, prost::Message)]
#[prost(skip_debug)]
pub struct DeviceToken {
    /// SHA-256 of the token, 32 bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub hash: Bytes,
    /// When it was made, Unix milliseconds.
    #[prost(uint64, tag = "2")]
    pub created_ms: u64,
}

/// Without the hash.
impl std::fmt::Debug for DeviceToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeviceToken").field("created_ms", &self.created_ms).finish_non_exhaustive()
    }
}

/// The write that creates or replaces the device.
#[must_use]
pub fn put(shard: ShardId, user: UserId, device: DeviceId, row: &DeviceRow) -> Write {
    super::put(&RowKey::Device { shard, user, device }, row)
}

/// The write that deletes the device.
#[must_use]
pub fn delete(shard: ShardId, user: UserId, device: DeviceId) -> Write {
    super::delete(&RowKey::Device { shard, user, device })
}

impl Store {
    /// One device.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn device(
        &self,
        shard: ShardId,
        user: UserId,
        device: DeviceId,
    ) -> Result<Option<DeviceRow>, StoreError> {
        self.row(&RowKey::Device { shard, user, device })
    }

    /// A user's devices by id, which is the order they were made in; at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn devices(
        &self,
        shard: ShardId,
        user: UserId,
        limit: usize,
    ) -> Result<Vec<(DeviceId, DeviceRow)>, StoreError> {
        let (from, to) = super::under(&Key::prefix(Table::Devices, shard).with(user.as_bytes()));
        let scan = Scan { from, to, order: Order::Ascending, rows: limit, bytes: usize::MAX };
        self.rows(Table::Devices, &scan, |key, row| match key {
            RowKey::Device { device, .. } => Some((device, row)),
            _ => None,
        })
    }
}
