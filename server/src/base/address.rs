//! What limits take for one address. Caps on connections and rate limits of
//! accounts share it; it knows neither.

use std::net::{IpAddr, Ipv6Addr};

/// What counts as one address: IPv4 as it is, also when mapped into IPv6, and
/// the /64 of IPv6, which is what one customer gets.
#[must_use]
pub fn prefix(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => {
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_ipv6_network_is_one_address() {
        assert_eq!(
            prefix("2001:db8::1".parse().unwrap()),
            prefix("2001:db8::2:0:0:1".parse().unwrap())
        );
        assert_ne!(
            prefix("2001:db8::1".parse().unwrap()),
            prefix("2001:db8:0:1::1".parse().unwrap())
        );
        assert_eq!(
            prefix("::ffff:192.0.2.1".parse().unwrap()),
            prefix("192.0.2.1".parse().unwrap())
        );
    }
}
