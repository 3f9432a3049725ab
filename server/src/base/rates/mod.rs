//! How much one user may do in a time: token buckets for everything that costs
//! others, asked before the log.
//!
//! The buckets are the user's: another device, transport or connection has the
//! same ones. They are kept in memory on this node and are full at start.
//! What counts for an address does not for loopback unless the operator says
//! otherwise: a reverse proxy that is not trusted brings everybody from there.
//!
//! A limit is one line of `list`. Those of its first part, of sign-ups and
//! logins, are asked by the accounts (`SignInLimits`), all others here. A limit
//! that holds back strangers who look for people or fill groups is shared when
//! it has no room for a key, others are open (`bounded`).

pub(crate) mod address;
mod bounded;
mod failures;
pub(crate) mod limit;
pub(crate) mod list;
mod spent;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parley_protocol::{ConversationId, UserId};

use address::AddressLimit;
pub(crate) use failures::{Debt, Failures};
pub use limit::Bucket;
use limit::{Limit, WhenFull};
use list::limits;
use spent::Spent;

macro_rules! make {
    ($(
        [$options:ident $limits:ident]
        $($name:ident: $limit:ty $(= $request:ident)?
            [$($role:ident $key:ident = $default:expr),*] $full:ident $help:literal;)*
    )*) => {
        $(
            /// The sizes of the buckets.
            #[derive(Debug, Clone, Copy, PartialEq, Eq)]
            pub struct $options {
                /// Whether loopback is held to them as well.
                pub limit_loopback: bool,
                /// Keys remembered by each limit.
                pub keys: usize,
                $(#[doc = concat!($help, ".")] pub $name: Bucket,)*
            }

            /// The buckets, full at start.
            pub(crate) struct $limits {
                $(pub(crate) $name: $limit,)*
            }

            impl $limits {
                pub(crate) fn new(options: &$options) -> Self {
                    let keys = options.keys;
                    Self {
                        $($name: <$limit>::new(
                            stringify!($name), options.$name, keys, WhenFull::$full,
                        ),)*
                    }
                }
            }
        )*

        /// A request that takes one out of its user's bucket.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum PerUser {
            $($($(#[doc = concat!($help, ".")] $request,)?)*)*
        }

        #[cfg(test)]
        impl PerUser {
            const ALL: &[Self] = &[$($($(Self::$request,)?)*)*];
        }

        impl Limits {
            fn per_user(&self, request: PerUser) -> &Limit<UserId> {
                match request {
                    $($($(PerUser::$request => &self.$name,)?)*)*
                }
            }
        }
    };
}

limits!(make);

/// Bytes that the smallest frame counts as: it costs more than its bytes.
const FRAME_BYTES: u32 = 1024;

/// Something that is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charge {
    /// An entry, for whichever conversation.
    Entry,
    /// An entry for a conversation.
    Send(ConversationId),
    /// So many people who don't know the user are written to for the first time,
    /// or brought into a group.
    Strangers(usize),
    /// A first message to somebody who doesn't know the user.
    FirstTo(UserId),
    /// Somebody who doesn't know the user is brought into a group.
    GroupOf(UserId),
    /// An entry that takes so many bytes in the store.
    Stored(usize),
    /// A look-up by name, which counts for the address as well.
    Lookup,
    /// So many people brought into a group.
    Adds(usize),
    /// One of whatever counts for the user alone.
    One(PerUser),
}

/// The limits of this node. Cheap to clone.
#[derive(Clone)]
pub struct Rates {
    inner: Arc<Inner>,
}

struct Inner {
    limit_loopback: bool,
    limits: Limits,
}

impl Rates {
    /// Full buckets.
    #[must_use]
    pub fn new(options: &Options) -> Self {
        let limit_loopback = options.limit_loopback;
        Self { inner: Arc::new(Inner { limit_loopback, limits: Limits::new(options) }) }
    }

    /// Takes what `user` does, who connects from `from`, out of its bucket.
    ///
    /// # Errors
    /// How long until it may be done.
    pub fn check(&self, from: IpAddr, user: UserId, charge: Charge) -> Result<(), Duration> {
        let limits = &self.inner.limits;
        match charge {
            // Many come from loopback behind a proxy that isn't said to be one.
            Charge::Entry | Charge::Strangers(_) | Charge::FirstTo(_) | Charge::GroupOf(_)
                if self.exempts(from) =>
            {
                Ok(())
            }
            Charge::Entry => limits.entries.check(&user),
            Charge::Send(conversation) => limits.sends.check(&(user, conversation)),
            Charge::Stored(bytes) => {
                limits.stored.check_n(&user, u32::try_from(bytes).unwrap_or(u32::MAX))
            }
            Charge::Strangers(people) => {
                limits.strangers.check_n(&user, u32::try_from(people).unwrap_or(u32::MAX))
            }
            Charge::FirstTo(other) => limits.first_messages.check(&other),
            Charge::GroupOf(other) => limits.stranger_groups.check(&other),
            Charge::Lookup => {
                limits.lookups.check(&user)?;
                if self.exempts(from) { Ok(()) } else { limits.address_lookups.check(&from) }
            }
            Charge::Adds(people) => {
                limits.adds.check_n(&user, u32::try_from(people).unwrap_or(u32::MAX))
            }
            Charge::One(request) => limits.per_user(request).check(&user),
        }
    }

    /// Takes bytes that came in out of the user's bucket. A user who has none
    /// left is not refused; their connection is read again after the wait.
    ///
    /// # Errors
    /// How long to wait before asking again.
    pub fn check_inbound(&self, user: UserId, bytes: usize) -> Result<(), Duration> {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).max(FRAME_BYTES);
        self.inner.limits.inbound_bytes.check_n(&user, bytes)
    }

    /// Whether the user has any work left that queries may cost, and has not asked
    /// too often for what isn't there.
    ///
    /// # Errors
    /// How long until they may ask.
    pub fn check_query(&self, from: IpAddr, user: UserId) -> Result<(), Duration> {
        if self.exempts(from) {
            return Ok(());
        }
        self.inner.limits.work.check(&user)?;
        self.inner.limits.misses.check(&user)
    }

    /// Whether the user has not asked too often for what isn't there. For what costs no
    /// reading to speak of: who read too much still writes.
    ///
    /// # Errors
    /// How long until they may.
    pub fn check_misses(&self, from: IpAddr, user: UserId) -> Result<(), Duration> {
        if self.exempts(from) { Ok(()) } else { self.inner.limits.misses.check(&user) }
    }

    /// Counts the work that a query turned out to be, in rows.
    pub(crate) fn worked(&self, from: IpAddr, user: UserId, rows: u64) {
        if !self.exempts(from) {
            self.inner.limits.work.take(&user, rows);
        }
    }

    /// Counts an answer that there is no such thing.
    pub fn missed(&self, from: IpAddr, user: UserId) {
        if !self.exempts(from) {
            self.inner.limits.misses.take(&user, 1);
        }
    }

    /// How many people who don't know the user they may reach with one act; no
    /// bound where nothing is counted.
    #[must_use]
    pub fn strangers_at_once(&self, from: IpAddr) -> usize {
        if self.exempts(from) {
            return usize::MAX;
        }
        usize::try_from(self.inner.limits.strangers.burst()).unwrap_or(usize::MAX)
    }

    /// Users and conversations for which a bucket is kept.
    #[cfg(test)]
    pub(crate) fn send_buckets(&self) -> usize {
        self.inner.limits.sends.len()
    }

    /// Whether nothing is counted for that address.
    pub(crate) fn exempts(&self, from: IpAddr) -> bool {
        !self.inner.limit_loopback && from.to_canonical().is_loopback()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: UserId = UserId::new([1; 16]);
    const BOB: UserId = UserId::new([2; 16]);

    fn rates(limit_loopback: bool) -> Rates {
        let per_hour = |burst, count| Bucket::default().burst(burst).per_hour(count);
        let few = per_hour(2, 3600);
        Rates::new(&Options {
            limit_loopback,
            keys: 100,
            entries: per_hour(100, 3600),
            sends: per_hour(60, 3600),
            strangers: few,
            first_messages: few,
            stranger_groups: few,
            work: per_hour(100, 3600),
            misses: few,
            inbound_bytes: Bucket::default().burst_bytes(2000).bytes_per_second(2000),
            stored: Bucket::default().burst_bytes(2000).bytes_per_second(1000),
            lookups: few,
            address_lookups: per_hour(3, 60),
            id_lookups: few,
            profiles: few,
            groups: few,
            adds: per_hour(100, 60),
            invites: few,
            reports: few,
            typing: few,
            changes: few,
            exports: few,
        })
    }

    fn from(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_burst_after_a_flight_passes_and_each_target_has_its_own() {
        let rates = rates(false);
        let here = from("192.0.2.1");
        let target = |n| Charge::Send(ConversationId::new([n; 16]));
        assert!((0..60).all(|_| rates.check(here, ANN, target(1)).is_ok()));
        let wait = rates.check(here, ANN, target(1)).unwrap_err();
        assert!(wait <= Duration::from_secs(1), "{wait:?}");
        assert!(rates.check(here, ANN, target(2)).is_ok());
        assert!(rates.check(here, BOB, target(1)).is_ok());
        // Another network is the same user.
        assert!(rates.check(from("198.51.100.7"), ANN, target(1)).is_err());
    }

    #[test]
    fn every_charge_runs_out() {
        let here = from("192.0.2.1");
        let one = PerUser::ALL.iter().map(|request| Charge::One(*request));
        let more = [Charge::Lookup, Charge::Adds(50), Charge::Strangers(1)];
        for charge in one.chain(more) {
            let rates = rates(false);
            assert!((0..2).all(|_| rates.check(here, ANN, charge).is_ok()), "{charge:?}");
            assert!(rates.check(here, ANN, charge).is_err(), "{charge:?}");
            assert!(rates.check(here, BOB, charge).is_ok(), "{charge:?}");
        }
    }

    #[test]
    fn many_accounts_at_one_address_share_its_look_ups() {
        let rates = rates(false);
        let user = |n| UserId::new([n; 16]);
        let here = from("192.0.2.1");
        assert!((1..=3).all(|n| rates.check(here, user(n), Charge::Lookup).is_ok()));
        assert!(rates.check(here, user(4), Charge::Lookup).is_err());
        assert!(rates.check(from("192.0.2.2"), user(4), Charge::Lookup).is_ok());
    }

    #[test]
    fn loopback_is_exempt_as_an_address_alone_and_unless_the_operator_says_otherwise() {
        let user = |n| UserId::new([n; 16]);
        for here in ["127.0.0.1", "::1", "::ffff:127.0.0.1"].map(from) {
            let (lax, strict) = (rates(false), rates(true));
            assert!((0..10).all(|n| lax.check(here, user(n), Charge::Lookup).is_ok()));
            assert!((0..3).all(|n| strict.check(here, user(n), Charge::Lookup).is_ok()));
            assert!(strict.check(here, user(4), Charge::Lookup).is_err());
            // A user is one from there too.
            for charge in PerUser::ALL.iter().map(|request| Charge::One(*request)) {
                assert!((0..2).all(|_| lax.check(here, ANN, charge).is_ok()), "{charge:?}");
                assert!(lax.check(here, ANN, charge).is_err(), "{charge:?}");
            }
        }
    }

    #[test]
    fn many_small_frames_are_waited_for() {
        let rates = rates(true);
        assert!(rates.check_inbound(ANN, 2).is_ok());
        assert!(rates.check_inbound(ANN, 2).is_err(), "two count as two thousand bytes");
    }

    #[test]
    fn what_targets_bear_is_theirs_whoever_comes() {
        let rates = rates(true);
        let here = from("127.0.0.1");
        let user = |n| UserId::new([n; 16]);
        for charge in [Charge::FirstTo(BOB), Charge::GroupOf(BOB)] {
            assert!((1..=2).all(|n| rates.check(here, user(n), charge).is_ok()));
            assert!(rates.check(here, user(3), charge).is_err(), "{charge:?}");
        }
        assert!(rates.check(here, ANN, Charge::FirstTo(user(9))).is_ok());
        assert_eq!(rates.strangers_at_once(here), 2);
        assert_eq!(super::tests::rates(false).strangers_at_once(here), usize::MAX);
    }

    #[test]
    fn queries_are_paid_after_the_fact_and_misses_too() {
        let rates = rates(true);
        let here = from("127.0.0.1");
        assert!(rates.check_query(here, ANN).is_ok());
        rates.worked(here, ANN, 130);
        let wait = rates.check_query(here, ANN).unwrap_err();
        assert!(wait > Duration::from_secs(25) && wait <= Duration::from_secs(31), "{wait:?}");
        assert!(rates.check_misses(here, ANN).is_ok(), "who read too much still writes");
        assert!(rates.check_query(here, BOB).is_ok());
        (0..2).for_each(|_| rates.missed(here, BOB));
        assert!(rates.check_query(here, BOB).is_err() && rates.check_misses(here, BOB).is_err());
    }

    #[test]
    fn what_one_user_stores_is_counted_from_everywhere_and_nobody_elses() {
        let rates = rates(false);
        let stored =
            |from_: &str, user, bytes| rates.check(from(from_), user, Charge::Stored(bytes));
        assert!(stored("127.0.0.1", ANN, 1500).is_ok());
        let wait = stored("192.0.2.1", ANN, 1500).unwrap_err();
        assert!(wait > Duration::from_millis(800) && wait <= Duration::from_secs(1), "{wait:?}");
        assert!(stored("192.0.2.1", BOB, 1500).is_ok());
        assert!(stored("192.0.2.1", UserId::new([3; 16]), usize::MAX).is_ok(), "one is let in");
    }

    #[test]
    fn bytes_are_waited_for() {
        let rates = rates(true);
        assert!(rates.check_inbound(ANN, 2000).is_ok());
        let wait = rates.check_inbound(ANN, 1500).unwrap_err();
        assert!(wait <= Duration::from_millis(750) && wait > Duration::from_millis(600));
        assert!(rates.check_inbound(BOB, 1500).is_ok());
    }
}
