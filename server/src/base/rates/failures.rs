//! How often a password may be wrong.
//!
//! Only failures count: who knows the password may log in as often as the
//! address may. Each try is a debt of a part of a minute, taken before the
//! password is looked at, so that many at once don't pass together, and given
//! back when it was right; time pays off the rest. A key with a full minute of
//! debt is refused, and never owes more than that. Bounded in memory: when as
//! many keys are remembered as may be, further ones share a thousand debts,
//! which is stricter, never laxer.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::bounded::{SHARED, WhenFull};
use super::limit::{Bucket, limited};

const MINUTE: Duration = Duration::from_secs(60);

/// The debts of keys.
pub(crate) struct Failures {
    name: &'static str,
    cost: Duration,
    keys: usize,
    hasher: RandomState,
    // By the key's hash: when its debt is paid.
    paid: Mutex<HashMap<u64, Instant>>,
}

/// A debt that was taken on; it stays unless it is given back.
#[derive(Debug)]
#[must_use = "a try that was no failure is to be given back"]
pub(crate) struct Debt(u64);

impl Failures {
    /// The limit `name`, of at most `keys` keys. `bucket` says how many failures a
    /// minute holds.
    pub(super) fn new(
        name: &'static str,
        bucket: Bucket,
        keys: usize,
        when_full: WhenFull,
    ) -> Self {
        assert_eq!(when_full, WhenFull::Shared, "a key without room must not be free to guess");
        let (cost, hasher) = (bucket.every, RandomState::new());
        Self { name, cost, keys, hasher, paid: Mutex::default() }
    }

    /// Takes on the debt of one failure, or none.
    ///
    /// # Errors
    /// How long until another try is allowed.
    pub(crate) fn take(&self, key: &impl Hash, now: Instant) -> Result<Debt, Duration> {
        let own = self.hasher.hash_one(key);
        let mut paid = self.paid.lock();
        if paid.len() >= self.keys && !paid.contains_key(&own) {
            paid.retain(|_, paid| *paid > now);
        }
        let debt = [own, shared(own)]
            .iter()
            .filter_map(|key| paid.get(key))
            .map(|paid| paid.saturating_duration_since(now))
            .max()
            .unwrap_or_default();
        let wait = (debt + self.cost).saturating_sub(MINUTE);
        if !wait.is_zero() {
            return Err(limited(self.name, wait));
        }
        let room = paid.len() < self.keys || paid.contains_key(&own);
        let key = if room { own } else { shared(own) };
        let paid = paid.entry(key).or_insert(now);
        *paid = (*paid).max(now) + self.cost;
        Ok(Debt(key))
    }

    /// The try was no failure.
    #[expect(clippy::needless_pass_by_value, reason = "what was given back is gone")]
    pub(crate) fn give_back(&self, debt: Debt) {
        if let Some(paid) = self.paid.lock().get_mut(&debt.0) {
            *paid = paid.checked_sub(self.cost).unwrap_or(*paid);
        }
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
            let _wrong = failures.take(&"bob", now).unwrap();
        }
        assert_eq!(failures.take(&"bob", now).unwrap_err(), Duration::from_secs(20));
        assert!(failures.take(&"eve", now).is_ok());
        let later = now + Duration::from_secs(20);
        let _wrong = failures.take(&"bob", later).unwrap();
        assert!(failures.take(&"bob", later).is_err());
        assert!(failures.take(&"bob", now + Duration::from_secs(90)).is_ok());
    }

    #[test]
    fn what_was_right_is_given_back_and_refusals_cost_nothing() {
        let failures = failures(3);
        let now = Instant::now();
        for _ in 0..100 {
            let right = failures.take(&"bob", now).unwrap();
            failures.give_back(right);
        }
        for _ in 0..3 {
            let _wrong = failures.take(&"bob", now).unwrap();
        }
        for _ in 0..1000 {
            assert!(failures.take(&"bob", now).is_err());
        }
        assert!(
            failures.take(&"bob", now + Duration::from_secs(20)).is_ok(),
            "the debt has a top, however many tried"
        );
    }

    #[test]
    fn tries_at_once_do_not_pass_together() {
        let failures = failures(3);
        let now = Instant::now();
        let passed: usize = std::thread::scope(|scope| {
            let tries: Vec<_> = (0..16)
                .map(|_| scope.spawn(|| (0..50).filter(|_| failures.take(&7, now).is_ok()).count()))
                .collect();
            tries.into_iter().map(|tries| tries.join().unwrap()).sum()
        });
        assert_eq!(passed, 3);
    }

    #[test]
    fn memory_is_bounded_and_full_is_never_laxer() {
        let failures = failures(1);
        let now = Instant::now();
        for name in 0..5000 {
            let _ = failures.take(&name, now);
        }
        assert!(failures.paid.lock().len() <= 10 + usize::try_from(SHARED).unwrap());
        for name in 0..5000 {
            assert!(failures.take(&name, now).is_err(), "{name}");
        }
        let _wrong = failures.take(&"later", now + 2 * MINUTE);
        assert!(failures.paid.lock().len() <= 1 + usize::try_from(SHARED).unwrap());
    }
}
