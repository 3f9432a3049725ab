//! How often one address may sign up or log in; how often a name may fail to is
//! in `failures`.
//!
//! Kept in memory, per node, empty at start. Bounded: when as many keys are
//! remembered as may be, further ones share a thousand buckets with each other,
//! which is stricter, never laxer. Loopback has its own, generous limit: a
//! reverse proxy, and every test suite, comes from there.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use governor::clock::{Clock as _, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use parking_lot::Mutex;
use parley_protocol::Code;

use super::AccountError;
use super::failures::Failures;
use crate::metrics::list as metric;

/// Buckets that keys without a place of their own share.
const SHARED: u64 = 1024;

/// A key that was not seen for this long has its full quota again.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// The limits, each with a burst of the same size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateOptions {
    /// Sign-ups from one address.
    pub sign_ups_per_minute: u32,
    /// Logins from one address.
    pub logins_per_minute: u32,
    /// Failed logins to one name, from anywhere but loopback.
    pub failures_per_name_per_minute: u32,
    /// Sign-ups, and logins, from loopback.
    pub loopback_per_minute: u32,
    /// Keys remembered by each limit.
    pub keys: usize,
}

pub(super) struct Rates {
    sign_ups: Limit<IpAddr>,
    logins: Limit<IpAddr>,
    failures: Failures,
    loopback: Limit<&'static str>,
}

impl Rates {
    pub(super) fn new(options: &RateOptions) -> Self {
        let keys = options.keys;
        Self {
            sign_ups: Limit::new("sign_ups", options.sign_ups_per_minute, keys),
            logins: Limit::new("logins", options.logins_per_minute, keys),
            failures: Failures::new(options.failures_per_name_per_minute, keys),
            loopback: Limit::new("loopback", options.loopback_per_minute, keys),
        }
    }

    pub(super) fn sign_up(&self, from: IpAddr) -> Result<(), AccountError> {
        if from.is_loopback() { self.loopback.check("sign_up") } else { self.sign_ups.check(from) }
    }

    pub(super) fn login(&self, from: IpAddr, name: &str) -> Result<(), AccountError> {
        if from.is_loopback() {
            return self.loopback.check("login");
        }
        self.logins.check(from)?;
        self.failures.check(name, Instant::now()).map_err(|after| limited("failures", after))
    }

    /// The password was wrong, or the name unknown.
    pub(super) fn login_failed(&self, from: IpAddr, name: &str) {
        if !from.is_loopback() {
            self.failures.note(name, Instant::now());
        }
    }
}

fn limited(limit: &'static str, after: Duration) -> AccountError {
    metrics::counter!(metric::RATE_LIMITED, "limit" => limit).increment(1);
    let after = after.max(Duration::from_millis(1));
    AccountError::Later { code: Code::RateLimited, after }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key<K> {
    Own(K),
    Shared(u64),
}

struct Limit<K: Hash + Eq + Clone> {
    name: &'static str,
    limiter: RateLimiter<Key<K>, HashMapStateStore<Key<K>>, DefaultClock>,
    keys: usize,
    hasher: RandomState,
    swept: Mutex<Instant>,
}

impl<K: Hash + Eq + Clone> Limit<K> {
    fn new(name: &'static str, per_minute: u32, keys: usize) -> Self {
        let quota = Quota::per_minute(NonZeroU32::new(per_minute).unwrap_or(NonZeroU32::MIN));
        Self {
            name,
            limiter: RateLimiter::hashmap(quota),
            keys,
            hasher: RandomState::new(),
            swept: Mutex::new(Instant::now()),
        }
    }

    fn check(&self, key: K) -> Result<(), AccountError> {
        self.sweep();
        let key = if self.limiter.len() < self.keys {
            Key::Own(key)
        } else {
            Key::Shared(self.hasher.hash_one(&key) % SHARED)
        };
        let Err(not_until) = self.limiter.check_key(&key) else { return Ok(()) };
        Err(limited(self.name, not_until.wait_time_from(DefaultClock::default().now())))
    }

    /// Forgets keys that no longer hold anybody back, now and then.
    fn sweep(&self) {
        // Whoever finds the lock taken leaves the work to its holder.
        let Some(mut swept) = self.swept.try_lock() else { return };
        if swept.elapsed() >= SWEEP_EVERY {
            *swept = Instant::now();
            self.limiter.retain_recent();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(keys: usize) -> Rates {
        Rates::new(&RateOptions {
            sign_ups_per_minute: 2,
            logins_per_minute: 4,
            failures_per_name_per_minute: 3,
            loopback_per_minute: 1000,
            keys,
        })
    }

    fn from(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_and_a_name_run_out_on_their_own() {
        let rates = rates(100);
        let (one, two) = (from("192.0.2.1"), from("192.0.2.2"));
        assert!(rates.sign_up(one).is_ok() && rates.sign_up(one).is_ok());
        let refused = rates.sign_up(one).unwrap_err();
        assert_eq!(refused.code(), Code::RateLimited);
        assert!((1..=30_000).contains(&refused.retry_after_ms().unwrap()));
        assert!(rates.sign_up(two).is_ok());
        assert!((0..4).all(|_| rates.login(one, "bob").is_ok()));
        assert!(rates.login(one, "bob").is_err());
        for _ in 0..3 {
            assert!(rates.login(two, "bob").is_ok());
            rates.login_failed(two, "bob");
        }
        assert!(
            rates.login(from("192.0.2.3"), "bob").is_err(),
            "the name has run out from everywhere"
        );
        assert!(rates.login(from("192.0.2.3"), "eve").is_ok());
        assert!(rates.login(from("127.0.0.1"), "bob").is_ok());
    }

    #[test]
    fn loopback_is_generous() {
        let rates = rates(100);
        assert!((0..500).all(|_| rates.sign_up(from("127.0.0.1")).is_ok()));
    }

    #[test]
    fn memory_is_bounded_and_full_is_never_laxer() {
        let rates = rates(10);
        let taken = (0..=255u8)
            .flat_map(|high| (0..=255u8).map(move |low| IpAddr::from([10, 0, high, low])))
            .filter(|address| rates.sign_up(*address).is_ok())
            .count();
        assert!(rates.sign_ups.limiter.len() <= 10 + usize::try_from(SHARED).unwrap());
        assert!(taken <= 10 + 2 * usize::try_from(SHARED).unwrap() + 10, "{taken}");
    }
}
