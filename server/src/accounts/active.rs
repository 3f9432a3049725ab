//! When devices were last active, kept to the minute.
//!
//! In memory as it happens; written at most once a minute for each device, and
//! without a sync: nobody is told that it is kept. What is to be written gathers
//! for a moment, and for a second while there is always something, so that many devices
//! share a read and a commit, which wake other threads. Bounded: when as many
//! devices are remembered as may be, those not heard for a minute are forgotten
//! (what was written stays), and if that is not enough all are; as many may wait
//! to be written. The wall's clock is what is shown; how long ago it was goes by the
//! one that never steps.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use parking_lot::Mutex;
use parley_protocol::{DeviceId, UserId};
use tokio::time::Instant;

use super::idle::DAY_MS;
use super::tokens::TokenHash;
use super::{Accounts, Credential};
use crate::base::clock;
use crate::base::clock::wall_ms;
use crate::storage::store::tables::{seen, tokens};
use crate::storage::store::{SeenRow, TokenRow};

/// How often it is written for one device.
pub(crate) const EVERY: Duration = Duration::from_secs(60);

/// How long what is to be written gathers: short, since a kill forgets it.
const GATHER: Duration = Duration::from_millis(50);

/// Least time from one write to the next.
const PAUSE: Duration = Duration::from_secs(1);

/// Devices that are written at once: whoever signs in or out meanwhile waits for it.
const AT_ONCE: usize = 256;

pub(super) struct Active {
    most: usize,
    devices: Mutex<HashMap<DeviceId, Times>>,
    waiting: Mutex<Vec<Heard>>,
    /// When the last were taken to be written.
    taken: Mutex<Option<Instant>>,
}

/// A device to be written down.
#[derive(Clone, Copy)]
struct Heard {
    user: UserId,
    device: DeviceId,
    at_ms: u64,
    token: TokenHash,
}

#[derive(Clone, Copy)]
struct Times {
    /// On the wall's clock.
    heard_ms: u64,
    heard: Instant,
    written: Option<Instant>,
}

impl Active {
    /// Remembers at most `most` devices.
    pub(super) fn new(most: usize) -> Self {
        Self { most, devices: Mutex::default(), waiting: Mutex::default(), taken: Mutex::default() }
    }

    /// The device was heard. Returns whether that is to be written.
    fn note(&self, device: DeviceId, wall_ms: u64, now: Instant) -> bool {
        let ago = |at: Instant| now.saturating_duration_since(at);
        let mut devices = self.devices.lock();
        if devices.len() >= self.most && !devices.contains_key(&device) {
            devices.retain(|_, times| ago(times.heard) < EVERY);
            if devices.len() >= self.most {
                devices.clear();
            }
        }
        let new = Times { heard_ms: 0, heard: now, written: None };
        let times = devices.entry(device).or_insert(new);
        (times.heard_ms, times.heard) = (wall_ms, now);
        let due = times.written.is_none_or(|at| ago(at) >= EVERY);
        if due {
            times.written = Some(now);
        }
        due
    }

    /// It is to be written. Returns true for the first that waits: its caller has
    /// [`Active::take`] called.
    fn gather(&self, heard: Heard) -> bool {
        let mut waiting = self.waiting.lock();
        // One that finds no room is written after the next minute.
        if waiting.len() < self.most {
            waiting.push(heard);
        }
        waiting.len() == 1
    }

    /// How long the first that waits may gather others.
    fn patience(&self, now: Instant) -> Duration {
        let since = self.taken.lock().map(|taken| now.saturating_duration_since(taken));
        since.map_or(GATHER, |since| PAUSE.saturating_sub(since).max(GATHER))
    }

    /// All that waits.
    fn take(&self) -> Vec<Heard> {
        *self.taken.lock() = Some(Instant::from(clock::now()));
        std::mem::take(&mut *self.waiting.lock())
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
    pub fn note_active(&self, user: UserId, device: DeviceId, by: &Credential) {
        let (at_ms, now, token) = (wall_ms(), clock::now(), by.0);
        let active = &self.inner.active;
        let heard = Heard { user, device, at_ms, token };
        let lasting_ms = self.inner.lasting.now_ms(now);
        // Other tokens of a device are used by others than the one heard last.
        let due = active.note(device, at_ms, Instant::from(now))
            | self.inner.cache.is_due(&token, lasting_ms);
        if !due || !active.gather(heard) {
            return;
        }
        // Nothing is held while it waits: who closes the node need not wait for it.
        let inner = Arc::downgrade(&self.inner);
        let patience = active.patience(Instant::from(clock::now()));
        tokio::spawn(async move {
            tokio::time::sleep(patience).await;
            if let Some(inner) = inner.upgrade() {
                Self { inner }.write_active().await;
            }
        });
    }

    /// Writes down all that waits. Under its users' lock a device that is signed
    /// out leaves nothing: those whose lock is free share a read and a commit, the
    /// others are waited for one after the other.
    pub(super) async fn write_active(&self) {
        let users = &self.inner.users;
        let mut waiting = self.inner.active.take();
        waiting.sort_unstable_by_key(|heard| users.stripe(heard.user));
        for some in waiting.chunks(AT_ONCE) {
            let (mut locks, mut free, mut held) = (Vec::new(), Vec::new(), Vec::new());
            for heard in
                some.chunk_by(|one, other| users.stripe(one.user) == users.stripe(other.user))
            {
                let Some(first) = heard.first() else { continue };
                match users.try_lock(first.user) {
                    Some(lock) => {
                        locks.push(lock);
                        free.extend_from_slice(heard);
                    }
                    None => held.push(heard.to_vec()),
                }
            }
            self.write_heard(free).await;
            drop(locks);
            for heard in held {
                let Some(first) = heard.first() else { continue };
                let _lock = users.lock(first.user).await;
                self.write_heard(heard).await;
            }
        }
    }

    /// Writes these down, under the locks of their users.
    async fn write_heard(&self, heard: Vec<Heard>) {
        if heard.is_empty() {
            return;
        }
        let (wall_ms, now) = (wall_ms(), clock::now());
        let there = self.read(move |inner| {
            let mut writes = HashMap::<_, Vec<_>>::new();
            let lasting_ms = inner.lasting.now_ms(now);
            for Heard { user, device, at_ms, token } in heard {
                let home = inner.shards.of_user(user);
                // One that can't be read must not keep the others from it.
                if matches!(inner.store.device(home, user, device), Ok(Some(_))) {
                    let write = seen::put(home, user, device, &SeenRow { active_ms: at_ms });
                    writes.entry(home).or_default().push(write);
                }
                // Under the user's lock: a token that has ended does not come back.
                let shard = inner.shards.of_bytes(&token.0);
                let Ok(Some(row)) = inner.store.token(shard, token.0) else { continue };
                if row.used_ms == 0 || row.used_ms.saturating_add(DAY_MS) <= lasting_ms {
                    let row = TokenRow { used_ms: lasting_ms, ..row };
                    let writes = writes.entry(shard).or_default();
                    writes.push(tokens::put(shard, token.0, &row));
                    writes.push(inner.lasting.note(wall_ms, now));
                }
            }
            Ok(writes)
        });
        let Ok(writes) = there.await else { return };
        let kept =
            writes.into_iter().map(|(home, writes)| self.inner.commit.write_unsynced(home, writes));
        // When the log is full the next minute has another try.
        let _ = join_all(kept).await;
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
        let (active, first) = (Active::new(10), Instant::now());
        assert!(active.note(device(1), 1_000_000, first));
        assert!(!active.note(device(1), 1_059_999, first + EVERY / 2));
        assert_eq!(active.last_ms(device(1)), 1_059_999);
        assert!(active.note(device(1), 1_060_000, first + EVERY));
        // A clock that is ahead for a moment is shown as long, and keeps nothing back.
        assert!(active.note(device(1), 9_000_000, first + 2 * EVERY));
        assert!(active.note(device(1), 1_180_000, first + 3 * EVERY));
        assert_eq!(active.last_ms(device(1)), 1_180_000);
        active.forget(device(1));
        assert_eq!(active.last_ms(device(1)), 0);
    }

    #[test]
    fn memory_is_bounded() {
        let (active, first) = (Active::new(10), Instant::now());
        for n in 0..1000 {
            let now = first + Duration::from_millis(n.into());
            active.note(device(n), 1_000_000 + u64::from(n), now);
            assert!(active.devices.lock().len() <= 10);
        }
        assert_eq!(active.last_ms(device(999)), 1_000_999);
    }

    #[test]
    fn one_is_written_soon_and_many_once_a_second() {
        let active = Active::new(10);
        assert_eq!(active.patience(Instant::now()), GATHER);
        active.take();
        let taken = active.taken.lock().unwrap();
        assert_eq!(active.patience(taken), PAUSE);
        assert_eq!(active.patience(taken + PAUSE / 2), PAUSE / 2);
        assert_eq!(active.patience(taken + PAUSE), GATHER);
    }

    #[test]
    fn the_first_that_waits_is_seen_to_and_all_are_taken() {
        let active = Active::new(3);
        let heard = |n| Heard {
            user: UserId::new([1; 16]),
            device: device(n),
            at_ms: 1,
            token: TokenHash([1; 32]),
        };
        assert!(active.gather(heard(1)));
        assert!(!active.gather(heard(2)) && !active.gather(heard(3)) && !active.gather(heard(4)));
        assert_eq!(active.take().len(), 3, "memory is bounded");
        assert!(active.gather(heard(5)), "the next batch is seen to as well");
    }
}
