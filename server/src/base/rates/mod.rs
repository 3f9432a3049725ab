//! How much one user may do in a time: token buckets for everything that costs
//! others, asked before the log.
//!
//! The buckets are the user's: another device, transport or connection has the
//! same ones. They are kept in memory on this node and are full at start.
//! Connections from loopback are exempt unless the operator says otherwise: a
//! reverse proxy, and every test suite, comes from there. How often an address
//! may sign up or log in is the accounts' to ask, with the same `limit`.
//!
//! Every limit here is open when it has no room for a key, but for those that
//! hold back strangers who look for people or fill groups, which are shared.

mod bounded;
pub(crate) mod limit;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parley_protocol::{ConversationId, UserId};

use crate::base::address::prefix;
pub use limit::Bucket;
use limit::{Limit, WhenFull};

/// The buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Whether loopback is held to them as well.
    pub limit_loopback: bool,
    /// Keys remembered by each limit.
    pub keys: usize,
    /// Entries of one user to one conversation.
    pub sends: Bucket,
    /// Bytes of one user that come in at once.
    pub inbound_burst_bytes: u32,
    /// Bytes of one user that come in each second beyond that.
    pub inbound_bytes_per_second: u32,
    /// Look-ups by name of one user.
    pub lookups: Bucket,
    /// Look-ups by name from one address.
    pub address_lookups: Bucket,
    /// Look-ups by id of one user.
    pub id_lookups: Bucket,
    /// Profiles one user reads.
    pub profiles: Bucket,
    /// Groups one user makes.
    pub groups: Bucket,
    /// People one user brings into groups.
    pub adds: Bucket,
    /// Invite links one user makes, looks at or follows.
    pub invites: Bucket,
    /// Reports of one user.
    pub reports: Bucket,
    /// Typing notices of one user.
    pub typing: Bucket,
    /// Changes of one user's account, and of what they set for conversations.
    pub changes: Bucket,
    /// Exports of one user's data.
    pub exports: Bucket,
}

/// Something that is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charge {
    /// An entry for a conversation.
    Send(ConversationId),
    /// A look-up by name.
    Lookup,
    /// A look-up by id.
    IdLookup,
    /// A profile read.
    Profile,
    /// A group made.
    Group,
    /// So many people brought into a group.
    Adds(usize),
    /// An invite link made, looked at or followed.
    Invite,
    /// A report.
    Report,
    /// A typing notice.
    Typing,
    /// A change of the account or of what is set for a conversation.
    Change,
    /// An export.
    Export,
}

/// The limits of this node. Cheap to clone.
#[derive(Clone)]
pub struct Rates {
    inner: Arc<Inner>,
}

struct Inner {
    limit_loopback: bool,
    sends: Limit<(UserId, ConversationId)>,
    inbound: Limit<UserId>,
    lookups: Limit<UserId>,
    address_lookups: Limit<IpAddr>,
    id_lookups: Limit<UserId>,
    profiles: Limit<UserId>,
    groups: Limit<UserId>,
    adds: Limit<UserId>,
    invites: Limit<UserId>,
    reports: Limit<UserId>,
    typing: Limit<UserId>,
    changes: Limit<UserId>,
    exports: Limit<UserId>,
}

impl Rates {
    /// Full buckets.
    #[must_use]
    pub fn new(options: &Options) -> Self {
        let keys = options.keys;
        let of_user = |name, bucket, when_full| Limit::new(name, bucket, keys, when_full);
        let (open, shared) = (WhenFull::Open, WhenFull::Shared);
        let inner = Inner {
            limit_loopback: options.limit_loopback,
            sends: Limit::new("sends", options.sends, keys, open),
            inbound: Limit::of_bytes(
                "inbound_bytes",
                options.inbound_burst_bytes,
                options.inbound_bytes_per_second,
                keys,
                open,
            ),
            lookups: of_user("lookups", options.lookups, shared),
            address_lookups: Limit::new("address_lookups", options.address_lookups, keys, shared),
            id_lookups: of_user("id_lookups", options.id_lookups, open),
            profiles: of_user("profiles", options.profiles, open),
            groups: of_user("groups", options.groups, shared),
            adds: of_user("adds", options.adds, shared),
            invites: of_user("invites", options.invites, shared),
            reports: of_user("reports", options.reports, shared),
            typing: of_user("typing", options.typing, open),
            changes: of_user("changes", options.changes, open),
            exports: of_user("exports", options.exports, shared),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Takes what `user` does, who connects from `from`, out of its bucket.
    ///
    /// # Errors
    /// How long until it may be done.
    pub fn check(&self, from: IpAddr, user: UserId, charge: Charge) -> Result<(), Duration> {
        if self.exempts(from) {
            return Ok(());
        }
        let inner = &*self.inner;
        match charge {
            Charge::Send(conversation) => inner.sends.check(&(user, conversation)),
            Charge::Lookup => {
                inner.lookups.check(&user)?;
                inner.address_lookups.check(&prefix(from))
            }
            Charge::IdLookup => inner.id_lookups.check(&user),
            Charge::Profile => inner.profiles.check(&user),
            Charge::Group => inner.groups.check(&user),
            Charge::Adds(people) => {
                inner.adds.check_n(&user, u32::try_from(people).unwrap_or(u32::MAX))
            }
            Charge::Invite => inner.invites.check(&user),
            Charge::Report => inner.reports.check(&user),
            Charge::Typing => inner.typing.check(&user),
            Charge::Change => inner.changes.check(&user),
            Charge::Export => inner.exports.check(&user),
        }
    }

    /// Takes bytes that came in out of the user's bucket. Whoever has none left
    /// is not refused but read from no further for as long as this says.
    ///
    /// # Errors
    /// How long to wait before asking again.
    pub fn check_inbound(&self, from: IpAddr, user: UserId, bytes: usize) -> Result<(), Duration> {
        if self.exempts(from) {
            return Ok(());
        }
        self.inner.inbound.check_n(&user, u32::try_from(bytes).unwrap_or(u32::MAX))
    }

    /// Whether nothing is counted for connections from there.
    #[must_use]
    pub fn exempts(&self, from: IpAddr) -> bool {
        !self.inner.limit_loopback && prefix(from).is_loopback()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: UserId = UserId::new([1; 16]);
    const BOB: UserId = UserId::new([2; 16]);

    fn rates(limit_loopback: bool) -> Rates {
        let few = Bucket { burst: 2, per_hour: 3600 };
        Rates::new(&Options {
            limit_loopback,
            keys: 100,
            sends: Bucket { burst: 60, per_hour: 3600 },
            inbound_burst_bytes: 1000,
            inbound_bytes_per_second: 1000,
            lookups: few,
            address_lookups: Bucket { burst: 3, per_hour: 60 },
            id_lookups: few,
            profiles: few,
            groups: few,
            adds: Bucket { burst: 100, per_hour: 60 },
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
        for charge in [
            Charge::Lookup,
            Charge::IdLookup,
            Charge::Profile,
            Charge::Group,
            Charge::Invite,
            Charge::Report,
            Charge::Typing,
            Charge::Change,
            Charge::Export,
            Charge::Adds(50),
        ] {
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
    fn loopback_is_exempt_unless_the_operator_says_otherwise() {
        for here in ["127.0.0.1", "::1", "::ffff:127.0.0.1"].map(from) {
            assert!((0..500).all(|_| rates(false).check(here, ANN, Charge::Lookup).is_ok()));
            let strict = rates(true);
            assert!((0..2).all(|_| strict.check(here, ANN, Charge::Lookup).is_ok()));
            assert!(strict.check(here, ANN, Charge::Lookup).is_err());
        }
    }

    #[test]
    fn bytes_are_waited_for() {
        let rates = rates(true);
        let here = from("127.0.0.1");
        assert!(rates.check_inbound(here, ANN, 1000).is_ok());
        let wait = rates.check_inbound(here, ANN, 500).unwrap_err();
        assert!(wait <= Duration::from_millis(500) && wait > Duration::from_millis(400));
        assert!(rates.check_inbound(here, BOB, 500).is_ok());
    }
}
