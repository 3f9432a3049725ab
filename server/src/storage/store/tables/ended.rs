//! Devices that were signed out and may come back as the same: home shard, kind,
//! user → [`EndedRow`].

use bytes::Bytes;
use parley_protocol::ids::{DeviceId, ShardId, UserId};

use crate::storage::store::engine::Write;
use crate::storage::store::keys::RowKey;
use crate::storage::store::{Store, StoreError};

/// The signed-out devices of one user.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct EndedRow {
    /// Those that are remembered, the last one signed out last. One of each name.
    #[prost(message, repeated, tag = "1")]
    pub devices: Vec<EndedDevice>,
}

/// One device that was signed out.
#[derive(Clone, PartialEq, Eq, prost::Message)]
#[prost(skip_debug)]
pub struct EndedDevice {
    /// The device, 16 bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub device: Bytes,
    /// What its owner called it.
    #[prost(string, tag = "2")]
    pub name: String,
    /// SHA-256 of the tokens it had at the end, 32 bytes each.
    #[prost(bytes = "bytes", repeated, tag = "3")]
    pub tokens: Vec<Bytes>,
}

/// Without the hashes.
impl std::fmt::Debug for EndedDevice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EndedDevice").field("name", &self.name).finish_non_exhaustive()
    }
}

impl EndedRow {
    /// Remembers a device, as the last of at most `most`, in place of another of
    /// the same name.
    pub fn remember(&mut self, ended: EndedDevice, most: usize) {
        self.devices.retain(|known| known.name != ended.name);
        self.devices.push(ended);
        let excess = self.devices.len().saturating_sub(most);
        self.devices.drain(..excess);
    }

    /// The device of this name, which is no longer among the ended ones.
    pub fn take(&mut self, name: &str) -> Option<DeviceId> {
        let at = self.devices.iter().position(|known| known.name == name)?;
        DeviceId::from_slice(&self.devices.remove(at).device).ok()
    }

    /// The device that had this token at its end.
    #[must_use]
    pub fn of_token(&self, hash: &[u8; 32]) -> Option<DeviceId> {
        let had = |known: &&EndedDevice| known.tokens.iter().any(|token| token == hash.as_slice());
        DeviceId::from_slice(&self.devices.iter().find(had)?.device).ok()
    }
}

/// The write that creates or replaces the row.
#[must_use]
pub fn put(shard: ShardId, user: UserId, row: &EndedRow) -> Write {
    super::put(&RowKey::Ended { shard, user }, row)
}

/// The write that deletes the row.
#[must_use]
pub fn delete(shard: ShardId, user: UserId) -> Write {
    super::delete(&RowKey::Ended { shard, user })
}

impl Store {
    /// A user's signed-out devices, none if nothing is kept.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn ended(&self, shard: ShardId, user: UserId) -> Result<EndedRow, StoreError> {
        Ok(self.row_or_lost(&RowKey::Ended { shard, user })?.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(number: u8, name: &str) -> EndedDevice {
        EndedDevice {
            device: DeviceId::new([number; 16]).to_wire(),
            name: name.to_owned(),
            tokens: vec![Bytes::copy_from_slice(&[number; 32])],
        }
    }

    #[test]
    fn a_name_leads_to_the_device_that_had_it_last() {
        let mut row = EndedRow::default();
        row.remember(ended(1, "phone"), 3);
        row.remember(ended(2, "laptop"), 3);
        row.remember(ended(3, "phone"), 3);
        assert_eq!(row.of_token(&[3; 32]), Some(DeviceId::new([3; 16])));
        assert_eq!(row.of_token(&[1; 32]), None);
        assert_eq!(row.take("phone"), Some(DeviceId::new([3; 16])));
        assert_eq!(row.take("phone"), None);
        assert_eq!(row.take("laptop"), Some(DeviceId::new([2; 16])));
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let mut row = EndedRow::default();
        (0..10).for_each(|number| row.remember(ended(number, &number.to_string()), 3));
        let names: Vec<_> = row.devices.iter().map(|known| known.name.as_str()).collect();
        assert_eq!(names, ["7", "8", "9"]);
    }
}
