//! A limit of what comes from one address: of IPv6 also from its /56 and its /48, which
//! may be one customer's as well and have larger buckets.

use std::net::IpAddr;
use std::time::Duration;

use super::limit::{Bucket, Limit, WhenFull};
use crate::base::address::{LEVELS, Network, shares};

/// A bucket for each address, and for each prefix it is in.
pub(crate) struct AddressLimit {
    levels: [Limit<Network>; LEVELS],
}

impl AddressLimit {
    pub(crate) fn new(
        name: &'static str,
        bucket: Bucket,
        keys: usize,
        when_full: WhenFull,
    ) -> Self {
        let of = |times| Limit::new(name, bucket.times(times), keys, when_full);
        Self { levels: [of(1), of(4), of(16)] }
    }

    /// Takes one out of the buckets of the address, from the smallest network on: whoever
    /// is refused in that takes nothing from their neighbours.
    ///
    /// # Errors
    /// How long until there is one.
    pub(crate) fn check(&self, address: &IpAddr) -> Result<(), Duration> {
        let mut levels = shares(*address).zip(&self.levels);
        levels.try_for_each(|((network, _), limit)| limit.check(&network))
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.levels.iter().map(Limit::len).max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv6Addr;

    #[test]
    fn a_whole_site_has_sixteen_times_what_a_network_has() {
        let bucket = Bucket::default().burst(3).per_hour(1);
        let limit = AddressLimit::new("test", bucket, 100_000, WhenFull::Shared);
        let at = |net: u16| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, net, 0, 0, 0, 1));
        let pass = |nets: std::ops::Range<u16>| {
            nets.flat_map(|net| (0..5).map(move |_| at(net)))
                .filter(|address| limit.check(address).is_ok())
                .count()
        };
        assert_eq!(pass(0..1), 3, "a /64");
        assert_eq!(pass(1..0x100), 9, "the rest of its /56");
        assert_eq!(pass(0x100..0x2000), 36, "the rest of its /48");
        assert!(limit.check(&"2001:db8:2::1".parse().unwrap()).is_ok(), "another /48");
        assert!((0..3).all(|_| limit.check(&"192.0.2.1".parse().unwrap()).is_ok()));
        assert!(limit.check(&"192.0.2.1".parse().unwrap()).is_err());
        assert!(limit.check(&"192.0.2.2".parse().unwrap()).is_ok(), "the next of IPv4");
    }
}
