//! What is still known of a message that can't be read, for whoever deletes it.
//!
//! Its author is known by what their devices sent: the rows by which repeats are
//! recognised name it. Nobody else's message it is then known to be, and only who may
//! delete whatever anybody wrote deletes it.

use bytes::Bytes;
use parley_core::conversation::Target;
use parley_protocol::wire::EntryKind;
use parley_protocol::{DeviceId, Message as _, UserId};

use super::{Error, Shards};
use crate::storage::store::{EntryHead, Place, Record, StoreError};

/// Devices of one user that are looked at.
const DEVICES: usize = 1000;

/// Sends of one device that are looked at.
const SENDS: usize = 100_000;

/// A message that can't be read, as it is about to be deleted. By default by nobody:
/// what it is asked for otherwise, it is too damaged for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Damaged {
    /// Its ordinal, as who deletes it says.
    stated: Option<u64>,
}

impl Damaged {
    pub(super) const fn stated(ordinal: u64) -> Self {
        Self { stated: Some(ordinal) }
    }

    /// The message as the rules see it: nobody's, and there only to be deleted.
    pub(super) fn target(self, head: &EntryHead) -> Target {
        Target {
            sender: UserId::new([0; 16]),
            message: true,
            ordinal: self.ordinal(head),
            time_ms: head.time_ms,
            erased: head.erased || self.stated.is_none(),
        }
    }

    /// The ordinal by which it is deleted: who sees only that something is damaged says 0.
    pub(super) fn ordinal(self, head: &EntryHead) -> u64 {
        let unknown = |stated: u64| stated == 0 || (head.damaged && stated <= head.ordinal);
        self.stated.filter(|stated| unknown(*stated)).unwrap_or(head.ordinal)
    }
}

impl Shards {
    /// The record of a damaged entry up to `last`, as far as it can be told without
    /// reading it: whole but for the words if `user` sent it. Blocks.
    pub(super) fn recall(
        &self,
        place: Place,
        user: UserId,
        seq: u64,
        last: u64,
    ) -> Result<Record, Error> {
        let head = EntryHead { seq, kind: EntryKind::Text as u32, ..EntryHead::default() };
        for device in self.devices_of(user)? {
            let found = match self.store.send_of(place, device, seq, SENDS) {
                Ok(found) => found,
                Err(error) if error.is_damage() => continue,
                Err(error) => return Err(error.into()),
            };
            if let Some((id, row)) = found {
                let (ordinal, time_ms) = (row.ordinal, row.time_ms);
                let head = EntryHead { ordinal, time_ms, sender: user.to_wire(), ..head };
                return Ok(Record {
                    device: device.to_wire(),
                    client_message_id: Bytes::copy_from_slice(id.as_bytes()),
                    entry: head.encode_to_vec().into(),
                    ..Record::default()
                });
            }
        }
        let at = self.store.position(place, seq, last)?;
        let (ordinal, time_ms) = (at.ordinal, at.time_ms);
        let head = EntryHead { ordinal, time_ms, damaged: true, ..head };
        Ok(Record { entry: head.encode_to_vec().into(), ..Record::default() })
    }

    /// The user's devices, those that were signed out too.
    fn devices_of(&self, user: UserId) -> Result<Vec<DeviceId>, StoreError> {
        let home = self.count().of_user(user);
        let readable = |error: StoreError| if error.is_damage() { Ok(()) } else { Err(error) };
        let mut devices = Vec::new();
        match self.store.devices(home, user, DEVICES) {
            Ok(found) => devices.extend(found.into_iter().map(|(device, _)| device)),
            Err(error) => readable(error)?,
        }
        match self.store.ended(home, user) {
            Ok(ended) => devices.extend(
                ended.devices.iter().filter_map(|ended| DeviceId::from_slice(&ended.device).ok()),
            ),
            Err(error) => readable(error)?,
        }
        Ok(devices)
    }
}
