//! How often one address may sign up or log in, and one account gain a device;
//! how often a name may fail to is in `failures`. A key without room of its own
//! shares a bucket (`crate::base::rates`).
//!
//! Loopback has its own, generous limit: a reverse proxy, and every test suite,
//! comes from there. The operator may make it an address like any other.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use parley_protocol::{Code, UserId};

use super::AccountError;
use super::failures::Failures;
use crate::base::metrics::list as metric;
use crate::base::rates::Bucket;
use crate::base::rates::limit::{Limit, WhenFull};

/// The limits, each with a burst of the same size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateOptions {
    /// Sign-ups from one address.
    pub sign_ups_per_minute: u32,
    /// Logins from one address.
    pub logins_per_minute: u32,
    /// Failed logins to one name, from anywhere but loopback.
    pub failures_per_name_per_minute: u32,
    /// Devices that sign in to one account for the first time.
    pub new_devices: Bucket,
    /// Sign-ups, and logins, from loopback.
    pub loopback_per_minute: u32,
    /// Whether loopback is an address like any other.
    pub limit_loopback: bool,
    /// Keys remembered by each limit.
    pub keys: usize,
}

pub(super) struct Rates {
    sign_ups: Limit<IpAddr>,
    logins: Limit<IpAddr>,
    failures: Failures,
    new_devices: Limit<UserId>,
    loopback: Limit<&'static str>,
    limit_loopback: bool,
}

impl Rates {
    pub(super) fn new(options: &RateOptions) -> Self {
        let keys = options.keys;
        Self {
            sign_ups: minutely("sign_ups", options.sign_ups_per_minute, keys),
            logins: minutely("logins", options.logins_per_minute, keys),
            failures: Failures::new(options.failures_per_name_per_minute, keys),
            new_devices: Limit::new("new_devices", options.new_devices, keys, WhenFull::Shared),
            loopback: minutely("loopback", options.loopback_per_minute, keys),
            limit_loopback: options.limit_loopback,
        }
    }

    pub(super) fn sign_up(&self, from: IpAddr) -> Result<(), AccountError> {
        let checked = if self.is_lenient(from) {
            self.loopback.check(&"sign_up")
        } else {
            self.sign_ups.check(&from)
        };
        checked.map_err(later)
    }

    pub(super) fn login(&self, from: IpAddr, name: &str) -> Result<(), AccountError> {
        if self.is_lenient(from) {
            return self.loopback.check(&"login").map_err(later);
        }
        self.logins.check(&from).map_err(later)?;
        self.failures.check(name, Instant::now()).map_err(|after| limited("failures", after))
    }

    /// The password was wrong, or the name unknown.
    pub(super) fn login_failed(&self, from: IpAddr, name: &str) {
        if !self.is_lenient(from) {
            self.failures.note(name, Instant::now());
        }
    }

    /// The account gets a device it never had.
    pub(super) fn new_device(&self, from: IpAddr, user: UserId) -> Result<(), AccountError> {
        if self.is_lenient(from) {
            return Ok(());
        }
        self.new_devices.check(&user).map_err(later)
    }

    const fn is_lenient(&self, from: IpAddr) -> bool {
        from.is_loopback() && !self.limit_loopback
    }
}

/// As many at once as in a minute.
fn minutely<K: std::hash::Hash + Eq + Clone>(
    name: &'static str,
    per_minute: u32,
    keys: usize,
) -> Limit<K> {
    let bucket = Bucket { burst: per_minute, per_hour: per_minute.saturating_mul(60) };
    Limit::new(name, bucket, keys, WhenFull::Shared)
}

fn later(after: Duration) -> AccountError {
    AccountError::Later { code: Code::RateLimited, after }
}

fn limited(limit: &'static str, after: Duration) -> AccountError {
    metrics::counter!(metric::RATE_LIMITED, "limit" => limit).increment(1);
    later(after.max(Duration::from_millis(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(keys: usize) -> Rates {
        Rates::new(&RateOptions {
            sign_ups_per_minute: 2,
            logins_per_minute: 4,
            failures_per_name_per_minute: 3,
            new_devices: Bucket { burst: 2, per_hour: 30 },
            loopback_per_minute: 1000,
            limit_loopback: false,
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
    fn an_account_gains_devices_slowly() {
        let rates = rates(100);
        let (ann, bob) = (UserId::new([1; 16]), UserId::new([2; 16]));
        let here = from("192.0.2.1");
        assert!((0..2).all(|_| rates.new_device(here, ann).is_ok()));
        let wait = rates.new_device(from("192.0.2.2"), ann).unwrap_err().retry_after_ms().unwrap();
        assert!((1..=120_000).contains(&wait), "{wait}");
        assert!(rates.new_device(here, bob).is_ok());
        assert!(rates.new_device(from("127.0.0.1"), ann).is_ok());
    }

    #[test]
    fn loopback_is_generous() {
        let rates = rates(100);
        assert!((0..500).all(|_| rates.sign_up(from("127.0.0.1")).is_ok()));
    }

    #[test]
    fn memory_is_bounded_and_full_is_never_laxer() {
        let rates = rates(10);
        let shared = usize::try_from(crate::base::rates::limit::SHARED).unwrap();
        let taken = (0..=255u8)
            .flat_map(|high| (0..=255u8).map(move |low| IpAddr::from([10, 0, high, low])))
            .filter(|address| rates.sign_up(*address).is_ok())
            .count();
        assert!(rates.sign_ups.len() <= 10 + shared);
        assert!(taken <= 10 + 2 * shared + 10, "{taken}");
    }
}
