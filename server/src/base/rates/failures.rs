//! How often a password may be wrong for one name.
//!
//! Only failures count: who knows the password may log in as often as the
//! address may. Each failure is a debt of a part of a minute, which time pays
//! off; a name with a full minute of debt is refused. Bounded in memory: when as
//! many names are remembered as may be, further ones share a thousand debts,
//! which is stricter, never laxer.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::bounded::{SHARED, WhenFull};
use super::limit::{Bucket, limited};

const MINUTE: Duration = Duration::from_secs(60);

/// The debts of names.
pub(crate) struct Failures {
    name: &'static str,
    cost: Duration,
    names: usize,
    hasher: RandomState,
    // By the name's hash: when its debt is paid.
    paid: Mutex<HashMap<u64, Instant>>,
}

impl Failures {
    /// The limit `name`, of at most `names` names. `bucket` says how many
    /// failures a minute holds.
    pub(super) fn new(
        name: &'static str,
        bucket: Bucket,
        names: usize,
        when_full: WhenFull,
    ) -> Self {
        assert_eq!(when_full, WhenFull::Shared, "a name without room must not be free to guess");
        let (cost, hasher) = (bucket.every, RandomState::new());
        Self { name, cost, names, hasher, paid: Mutex::default() }
    }

    /// Whether another try is allowed.
    ///
    /// # Errors
    /// How long until it is.
    pub(crate) fn check(&self, name: &str, now: Instant) -> Result<(), Duration> {
        let own = self.hasher.hash_one(name);
        let paid = self.paid.lock();
        let debt = [own, shared(own)]
            .iter()
            .filter_map(|key| paid.get(key))
            .map(|paid| paid.saturating_duration_since(now))
            .max()
            .unwrap_or_default();
        match (debt + self.cost).saturating_sub(MINUTE) {
            Duration::ZERO => Ok(()),
            wait => Err(limited(self.name, wait)),
        }
    }

    /// Counts one failure.
    pub(crate) fn note(&self, name: &str, now: Instant) {
        let own = self.hasher.hash_one(name);
        let mut paid = self.paid.lock();
        if paid.len() >= self.names && !paid.contains_key(&own) {
            paid.retain(|_, paid| *paid > now);
        }
        let room = paid.len() < self.names || paid.contains_key(&own);
        let paid = paid.entry(if room { own } else { shared(own) }).or_insert(now);
        *paid = (*paid).max(now) + self.cost;
    }
}

const fn shared(own: u64) -> u64 {
    own % SHARED
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failures(per_minute: u32) -> Failures {
        let bucket = Bucket::default().per_minute(per_minute);
        Failures::new("test", bucket, 10, WhenFull::Shared)
    }

    #[test]
    fn failures_run_out_and_time_pays() {
        let failures = failures(3);
        let now = Instant::now();
        for _ in 0..3 {
            assert_eq!(failures.check("bob", now), Ok(()));
            failures.note("bob", now);
        }
        assert_eq!(failures.check("bob", now), Err(Duration::from_secs(20)));
        assert_eq!(failures.check("eve", now), Ok(()));
        assert_eq!(failures.check("bob", now + Duration::from_secs(20)), Ok(()));
        failures.note("bob", now + Duration::from_secs(20));
        assert!(failures.check("bob", now + Duration::from_secs(20)).is_err());
        assert_eq!(failures.check("bob", now + Duration::from_secs(90)), Ok(()));
    }

    #[test]
    fn memory_is_bounded_and_full_is_never_laxer() {
        let failures = failures(1);
        let now = Instant::now();
        for name in 0..5000 {
            failures.note(&name.to_string(), now);
        }
        assert!(failures.paid.lock().len() <= 10 + usize::try_from(SHARED).unwrap());
        for name in 0..5000 {
            assert!(failures.check(&name.to_string(), now).is_err(), "{name}");
        }
        failures.note("later", now + 2 * MINUTE);
        assert!(failures.paid.lock().len() <= 1 + usize::try_from(SHARED).unwrap());
    }
}
