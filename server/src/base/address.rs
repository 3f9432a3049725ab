//! What limits take for one address, and networks by their prefix. Caps on
//! connections, rate limits of accounts and the list of trusted proxies share it; it
//! knows none of them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// What counts as one address: IPv4 as it is, also when mapped into IPv6, and
/// the /64 of IPv6, which is what one customer gets at least.
#[must_use]
pub fn prefix(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => masked(IpAddr::V6(v6), 64),
        other => other,
    }
}

/// The networks an address counts in, from the smallest on, and how many times an
/// address's share each may have: a customer may hold a /56 or a /48, and then has
/// hundreds or thousands of /64.
pub fn shares(address: IpAddr) -> impl Iterator<Item = (Network, u32)> {
    let address = address.to_canonical();
    let levels: &[(u8, u32)] = match address {
        IpAddr::V4(_) => &[(32, 1)],
        IpAddr::V6(v6) if v6.is_loopback() => &[(128, 1)],
        IpAddr::V6(_) => &[(64, 1), (56, 4), (48, 16)],
    };
    levels.iter().map(move |(bits, times)| (Network::new(address, *bits), *times))
}

/// How many networks an address counts in at most.
pub const LEVELS: usize = 3;

/// Addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// The network of so many bits that holds the address.
    #[must_use]
    pub fn new(address: IpAddr, bits: u8) -> Self {
        Self { address: masked(address, bits), bits }
    }

    /// Whether the address is in it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && masked(address, self.bits) == self.address
    }

    /// Whether it is within this machine.
    #[must_use]
    pub const fn is_loopback(&self) -> bool {
        self.address.is_loopback()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

/// The text is no address and no prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no address such as 10.0.0.7 and no prefix such as 10.0.0.0/8 or fd00::/8")]
pub struct NoNetwork;

impl FromStr for Network {
    type Err = NoNetwork;

    fn from_str(text: &str) -> Result<Self, NoNetwork> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NoNetwork)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= most).ok_or(NoNetwork)?,
            None => most,
        };
        Ok(Self::new(address, bits))
    }
}

fn masked(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(bits.into())).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask))
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(bits.into())).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_ipv6_network_is_one_address() {
        assert_eq!(prefix(address("2001:db8::1")), prefix(address("2001:db8::2:0:0:1")));
        assert_ne!(prefix(address("2001:db8::1")), prefix(address("2001:db8:0:1::1")));
        assert_eq!(prefix(address("::ffff:192.0.2.1")), prefix(address("192.0.2.1")));
    }

    #[test]
    fn a_customers_prefixes_count_too() {
        let of = |text| shares(address(text)).map(|(network, _)| network.to_string());
        let all: Vec<_> = of("2001:db8:1:2345::9").collect();
        assert_eq!(all, ["2001:db8:1:2345::/64", "2001:db8:1:2300::/56", "2001:db8:1::/48"]);
        assert_eq!(of("::ffff:192.0.2.1").collect::<Vec<_>>(), ["192.0.2.1/32"]);
        assert_eq!(of("::1").collect::<Vec<_>>(), ["::1/128"]);
        assert!(shares(address("2001:db8::")).count() <= LEVELS);
    }

    #[test]
    fn networks_are_read_and_hold_what_they_say() {
        let net = |text: &str| text.parse::<Network>();
        assert!(net("10.0.0.0/8").unwrap().contains(address("10.255.0.1")));
        assert!(net("10.0.0.0/8").unwrap().contains(address("::ffff:10.1.1.1")));
        assert!(!net("10.0.0.0/8").unwrap().contains(address("11.0.0.1")));
        assert!(!net("0.0.0.0/0").unwrap().contains(address("::2")));
        assert!(net("0.0.0.0/0").unwrap().contains(address("192.0.2.1")));
        assert!(net("fd00::/8").unwrap().contains(address("fd12::1")));
        assert!(net("::1").unwrap().contains(address("::1")));
        assert!(!net("127.0.0.1").unwrap().contains(address("127.0.0.2")));
        for bad in ["", "x", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0/8", "::/129", "10.0.0.1/", "1/"]
        {
            assert_eq!(net(bad), Err(NoNetwork), "{bad}");
        }
    }
}
