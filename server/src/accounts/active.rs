//! When devices were last active, kept to the minute.
//!
//! In memory as it happens; written at most once a minute for each device, and
//! without a sync: nobody is told that it is kept. Bounded: when as many
//! devices are remembered as may be, those not heard for a minute are forgotten
//! (what was written stays), and if that is not enough all are.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use parley_protocol::{DeviceId, UserId};

use super::Accounts;
use crate::clock::wall_ms;
use crate::store::SeenRow;
use crate::store::tables::seen;

/// How often it is written for one device.
pub(crate) const EVERY: Duration = Duration::from_secs(60);

pub(super) struct Active {
    most: usize,
    devices: Mutex<HashMap<DeviceId, Times>>,
}

#[derive(Clone, Copy)]
struct Times {
    heard_ms: u64,
    written_ms: u64,
}

impl Active {
    /// Remembers at most `most` devices.
    pub(super) fn new(most: usize) -> Self {
        Self { most, devices: Mutex::default() }
    }

    /// The device was heard. Returns whether that is to be written.
    fn note(&self, device: DeviceId, now_ms: u64) -> bool {
        let every_ms = u64::try_from(EVERY.as_millis()).unwrap_or(u64::MAX);
        let mut devices = self.devices.lock();
        if devices.len() >= self.most && !devices.contains_key(&device) {
            devices.retain(|_, times| times.heard_ms.saturating_add(every_ms) > now_ms);
            if devices.len() >= self.most {
                devices.clear();
            }
        }
        let times = devices.entry(device).or_insert(Times { heard_ms: 0, written_ms: 0 });
        times.heard_ms = times.heard_ms.max(now_ms);
        let due = times.written_ms.saturating_add(every_ms) <= now_ms;
        if due {
            times.written_ms = now_ms;
        }
        due
    }

    /// When it was last heard, as far as that is in memory; 0 otherwise.
    pub(super) fn last_ms(&self, device: DeviceId) -> u64 {
        self.devices.lock().get(&device).map_or(0, |times| times.heard_ms)
    }

    pub(super) fn forget(&self, device: DeviceId) {
        self.devices.lock().remove(&device);
    }
}

impl Accounts {
    /// A device was heard just now. Returns at once; within a minute more calls
    /// for the same device cost a look-up.
    pub fn note_active(&self, user: UserId, device: DeviceId) {
        let now_ms = wall_ms();
        if !self.inner.active.note(device, now_ms) {
            return;
        }
        let this = self.clone();
        tokio::spawn(async move {
            // Under the lock, so that a device that is signed out leaves nothing.
            let _lock = this.inner.users.lock(user).await;
            let home = this.inner.shards.of_user(user);
            let there = this.read(move |inner| inner.store.device(home, user, device)).await;
            if matches!(there, Ok(Some(_))) {
                let write = seen::put(home, user, device, &SeenRow { active_ms: now_ms });
                // When the log is full the next minute has another try.
                let _ = this.inner.commit.keep(home, vec![write]).await;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(n: u16) -> DeviceId {
        let mut id = [0; 16];
        id[..2].copy_from_slice(&n.to_be_bytes());
        DeviceId::new(id)
    }

    #[test]
    fn it_is_written_once_a_minute_and_known_at_once() {
        let active = Active::new(10);
        assert!(active.note(device(1), 1_000_000));
        assert!(!active.note(device(1), 1_059_999));
        assert_eq!(active.last_ms(device(1)), 1_059_999);
        assert!(active.note(device(1), 1_060_000));
        // A clock that steps back doesn't.
        assert!(!active.note(device(1), 1));
        assert_eq!(active.last_ms(device(1)), 1_060_000);
        active.forget(device(1));
        assert_eq!(active.last_ms(device(1)), 0);
    }

    #[test]
    fn memory_is_bounded() {
        let active = Active::new(10);
        for n in 0..1000 {
            active.note(device(n), 1_000_000 + u64::from(n));
            assert!(active.devices.lock().len() <= 10);
        }
        assert_eq!(active.last_ms(device(999)), 1_000_999);
    }
}
