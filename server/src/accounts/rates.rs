//! How often one address may sign up or log in, a name fail to, and one account
//! gain a device. A key without room of its own shares a bucket
//! (`crate::base::rates`).
//!
//! Loopback has its own, generous limit: a reverse proxy, and every test suite,
//! comes from there. The operator may make it an address like any other.

use std::net::IpAddr;
use std::time::Duration;

use parley_protocol::{Code, UserId};

use super::AccountError;
use crate::base::clock;
use crate::base::rates::{SignInLimits, SignInOptions};

pub(super) struct Rates {
    limits: SignInLimits,
    limit_loopback: bool,
}

impl Rates {
    pub(super) fn new(options: &SignInOptions) -> Self {
        Self { limits: SignInLimits::new(options), limit_loopback: options.limit_loopback }
    }

    pub(super) fn sign_up(&self, from: IpAddr) -> Result<(), AccountError> {
        let checked = if self.is_lenient(from) {
            self.limits.loopback.check(&"sign_up")
        } else {
            self.limits.sign_ups.check(&from)
        };
        checked.map_err(later)
    }

    pub(super) fn login(&self, from: IpAddr, name: &str) -> Result<(), AccountError> {
        if self.is_lenient(from) {
            return self.limits.loopback.check(&"login").map_err(later);
        }
        self.limits.logins.check(&from).map_err(later)?;
        self.limits.failures.check(name, clock::now()).map_err(later)
    }

    /// The password was wrong, or the name unknown.
    pub(super) fn login_failed(&self, from: IpAddr, name: &str) {
        if !self.is_lenient(from) {
            self.limits.failures.note(name, clock::now());
        }
    }

    /// The account gets a device it never had.
    pub(super) fn new_device(&self, from: IpAddr, user: UserId) -> Result<(), AccountError> {
        if self.is_lenient(from) {
            return Ok(());
        }
        self.limits.new_devices.check(&user).map_err(later)
    }

    const fn is_lenient(&self, from: IpAddr) -> bool {
        from.is_loopback() && !self.limit_loopback
    }
}

fn later(after: Duration) -> AccountError {
    AccountError::Later { code: Code::RateLimited, after }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rates::Bucket;

    fn rates(keys: usize) -> Rates {
        let per_minute = |count| Bucket::default().per_minute(count);
        Rates::new(&SignInOptions {
            sign_ups: per_minute(2),
            logins: per_minute(4),
            failures: per_minute(3),
            new_devices: Bucket::default().burst(2).per_hour(30),
            loopback: per_minute(1000),
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
        assert!(rates.limits.sign_ups.len() <= 10 + shared);
        assert!(taken <= 10 + 2 * shared + 10, "{taken}");
    }
}
