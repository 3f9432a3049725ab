//! How often one address may sign up or log in, a password may be wrong, and one
//! account gain a device. A key without room of its own shares a bucket
//! (`crate::base::rates`).
//!
//! What others can use up never refuses the owner: wrong passwords count by name
//! and source, and a device that the account knows has a count of its own and
//! passes all others. Strangers who fail too often at one name, from wherever,
//! only make every source slower there.
//!
//! As an address loopback has its own, generous limit: a reverse proxy that is not
//! trusted brings everybody from there. The operator may make it one like any other.
//! What counts for a name, a device or an account counts from there too.

use std::net::IpAddr;
use std::time::Duration;

use parley_protocol::{Code, DeviceId, UserId};

use super::AccountError;
use super::tokens::TokenHash;
use crate::base::clock;
use crate::base::rates::{Debt, SignInLimits, SignInOptions};

pub(super) struct Rates {
    limits: SignInLimits,
    limit_loopback: bool,
}

/// One look at a password, counted as wrong until it is [`Rates::right`].
#[must_use = "a try with the right password is to be given back"]
pub(super) struct Try {
    own: Option<(Counter, Debt)>,
    all: Option<Debt>,
}

#[derive(Clone, Copy)]
enum Counter {
    /// Of a name and a source.
    Source,
    /// The same, once strangers have failed too often at the name.
    Slowed,
    /// Of a device that the account knows.
    Known,
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

    /// A login by a device that has shown nothing, before anything is read.
    pub(super) fn login(&self, from: IpAddr) -> Result<(), AccountError> {
        let checked = if self.is_lenient(from) {
            self.limits.loopback.check(&"login")
        } else {
            self.limits.logins.check(&from)
        };
        checked.map_err(later)
    }

    /// A stranger is about to try a password for `name`.
    pub(super) fn stranger(&self, from: IpAddr, name: &str) -> Result<Try, AccountError> {
        let now = clock::now();
        let own = self.limits.failures.take(&(name, from), now).map_err(later)?;
        if let Ok(all) = self.limits.unknown_devices.take(&name, now) {
            return Ok(Try { own: Some((Counter::Source, own)), all: Some(all) });
        }
        let slowed = self.limits.slowed.take(&(name, from), now);
        // What is refused here costs the source nothing there.
        self.limits.failures.give_back(own);
        Ok(Try { own: Some((Counter::Slowed, slowed.map_err(later)?)), all: None })
    }

    /// A device that the account knows is about to try a password.
    pub(super) fn known(&self, user: UserId, device: DeviceId) -> Result<Try, AccountError> {
        self.of_known(&(user, device))
    }

    /// Who is signed in is about to say the password again. Counted for the token
    /// and the source: whoever stole one doesn't use up another's.
    pub(super) fn signed_in(&self, from: IpAddr, token: &TokenHash) -> Result<Try, AccountError> {
        self.of_known(&(token, from))
    }

    fn of_known(&self, key: &impl std::hash::Hash) -> Result<Try, AccountError> {
        let debt = self.limits.known.take(key, clock::now()).map_err(later)?;
        Ok(Try { own: Some((Counter::Known, debt)), all: None })
    }

    /// The password was right, or nobody looked at it.
    pub(super) fn right(&self, tried: Try) {
        if let Some((counter, debt)) = tried.own {
            let limit = match counter {
                Counter::Source => &self.limits.failures,
                Counter::Slowed => &self.limits.slowed,
                Counter::Known => &self.limits.known,
            };
            limit.give_back(debt);
        }
        if let Some(debt) = tried.all {
            self.limits.unknown_devices.give_back(debt);
        }
    }

    /// The account gets a device it never had.
    pub(super) fn new_device(&self, user: UserId) -> Result<(), AccountError> {
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
            unknown_devices: per_minute(6),
            slowed: per_minute(1),
            known: per_minute(3),
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
        assert!((0..4).all(|_| rates.login(one).is_ok()));
        assert!(rates.login(one).is_err());
        assert!(rates.login(two).is_ok());
        assert!(rates.login(from("127.0.0.1")).is_ok());
    }

    fn fail(rates: &Rates, source: IpAddr, name: &str) -> bool {
        rates.stranger(source, name).is_ok()
    }

    #[test]
    fn strangers_use_up_their_own_tries_and_then_slow_each_other() {
        let rates = rates(100);
        let (one, two, three) = (from("192.0.2.1"), from("192.0.2.2"), from("192.0.2.3"));
        assert!((0..3).all(|_| fail(&rates, one, "bob")));
        assert!(!fail(&rates, one, "bob"), "its own are used up");
        assert!(fail(&rates, one, "eve"));
        assert!((0..3).all(|_| fail(&rates, two, "bob")));
        assert!(fail(&rates, three, "bob"), "the owner at a new place has a try all the same");
        assert!(!fail(&rates, three, "bob"), "but not many");
        assert!(fail(&rates, three, "eve"));
    }

    #[test]
    fn the_right_password_costs_nothing_also_when_slowed() {
        let rates = rates(100);
        for last in 1..=2 {
            let source = IpAddr::from([198, 51, 100, last]);
            assert!((0..3).all(|_| fail(&rates, source, "bob")));
        }
        for _ in 0..50 {
            let tried = rates.stranger(from("192.0.2.1"), "bob").unwrap();
            rates.right(tried);
        }
    }

    #[test]
    fn a_known_device_passes_whatever_strangers_did_and_guesses_no_faster() {
        let rates = rates(100);
        for last in 0..=255 {
            let source = IpAddr::from([198, 51, 100, last]);
            while fail(&rates, source, "bob") {}
        }
        let (bob, source) = (UserId::new([1; 16]), from("198.51.100.1"));
        let (phone, laptop) = (DeviceId::new([1; 16]), DeviceId::new([2; 16]));
        assert!((0..3).all(|_| rates.known(bob, phone).is_ok()));
        assert!(rates.known(bob, phone).is_err());
        assert!(rates.known(bob, laptop).is_ok(), "each has its own");
        let (own, stolen) = (TokenHash([1; 32]), TokenHash([2; 32]));
        while rates.signed_in(source, &stolen).is_ok() {}
        assert!(rates.signed_in(source, &own).is_ok());
        assert!(
            rates.signed_in(from("192.0.2.1"), &stolen).is_ok(),
            "a copy elsewhere counts apart"
        );
    }

    #[test]
    fn an_account_gains_devices_slowly() {
        let rates = rates(100);
        let (ann, bob) = (UserId::new([1; 16]), UserId::new([2; 16]));
        assert!((0..2).all(|_| rates.new_device(ann).is_ok()));
        let wait = rates.new_device(ann).unwrap_err().retry_after_ms().unwrap();
        assert!((1..=120_000).contains(&wait), "{wait}");
        assert!(rates.new_device(bob).is_ok());
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
