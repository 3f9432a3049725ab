//! Whom a proxy speaks for: the address that `X-Forwarded-For` or `Forwarded`
//! (RFC 7239) names.
//!
//! Each proxy appends whom it heard, and everything before that is the word of
//! whoever it heard. So the list is read from its end: trusted proxies are passed
//! over, and the first other address is the client's. What hides itself or can't be
//! read ends the search: then the client is the last proxy that is known.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName, header};

use crate::base::address::Network;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Proxies looked at, from the last.
const HOPS: usize = 32;

/// The header in which the trusted proxies name their clients. The other one is the
/// clients' own word, and never read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ForwardedBy {
    /// `X-Forwarded-For`.
    #[default]
    XForwardedFor,
    /// `Forwarded`.
    Forwarded,
}

/// Which proxies are believed.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    /// Where they connect from.
    pub trusted: Vec<Network>,
    /// Where they say whom they speak for.
    pub by: ForwardedBy,
    /// Whether their connections begin with the PROXY protocol.
    pub protocol: bool,
}

impl Proxies {
    /// Whether somebody who connects from there is believed.
    #[must_use]
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(address))
    }

    /// The client of a request that a trusted proxy at `peer` brings.
    pub(super) fn client(&self, peer: SocketAddr, headers: &HeaderMap) -> SocketAddr {
        let mut known = peer;
        for hop in self.hops(headers).into_iter().rev().take(HOPS) {
            let Some(address) = hop else { break };
            known = address;
            if !self.trusts(address.ip()) {
                break;
            }
        }
        known
    }

    /// Everybody named, from the first; `None` for who can't be told.
    fn hops(&self, headers: &HeaderMap) -> Vec<Option<SocketAddr>> {
        let name = match self.by {
            ForwardedBy::XForwardedFor => X_FORWARDED_FOR,
            ForwardedBy::Forwarded => header::FORWARDED,
        };
        let mut hops = Vec::new();
        for value in headers.get_all(name) {
            let Ok(value) = value.to_str() else {
                hops.push(None);
                continue;
            };
            match self.by {
                ForwardedBy::XForwardedFor => hops.extend(value.split(',').map(node)),
                ForwardedBy::Forwarded => {
                    hops.extend(parts(value, ',').into_iter().map(|element| of_element(&element)));
                }
            }
        }
        hops
    }
}

/// Whether a request says that it came through a proxy.
pub(super) fn is_forwarded(headers: &HeaderMap) -> bool {
    headers.contains_key(X_FORWARDED_FOR) || headers.contains_key(header::FORWARDED)
}

/// The `for` of one element of `Forwarded`.
fn of_element(element: &str) -> Option<SocketAddr> {
    parts(element, ';').into_iter().find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| node(&unquoted(value.trim())))
    })?
}

/// Splits outside of quotes.
fn parts(text: &str, at: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let (mut quoted, mut escaped) = (false, false);
    for c in text.chars() {
        if c == at && !quoted {
            parts.push(String::new());
            continue;
        }
        if c == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = quoted && c == '\\' && !escaped;
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    parts
}

/// The value in a quoted string, or the token as it is.
fn unquoted(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return value.to_owned();
    };
    let mut escaped = false;
    inner
        .chars()
        .filter(|c| {
            escaped = *c == '\\' && !escaped;
            !escaped
        })
        .collect()
}

/// An address with or without a port, of IPv6 with or without brackets.
fn node(text: &str) -> Option<SocketAddr> {
    let text = text.trim();
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(SocketAddr::new(address, 0));
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(address);
    }
    let bare = |text: &str| Some(SocketAddr::new(text.parse().ok()?, 0));
    match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        // A port may be hidden (RFC 7239 section 6.3), and is of no matter.
        Some((address, rest)) if rest.is_empty() || rest.starts_with(":_") => bare(address),
        Some(_) => None,
        None => text.split_once(":_").and_then(|(address, _)| bare(address)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(by: ForwardedBy) -> Proxies {
        let trusted = ["127.0.0.1", "10.0.0.0/8"].map(|text| text.parse().unwrap()).to_vec();
        Proxies { trusted, by, protocol: false }
    }

    fn client(by: ForwardedBy, lines: &[(&'static str, &str)]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        proxies(by).client("127.0.0.1:9".parse().unwrap(), &headers).ip().to_string()
    }

    #[test]
    fn the_last_untrusted_address_of_x_forwarded_for_is_the_client() {
        let of = |lines: &[&str]| {
            let lines: Vec<_> = lines.iter().map(|line| ("x-forwarded-for", *line)).collect();
            client(ForwardedBy::XForwardedFor, &lines)
        };
        assert_eq!(of(&[]), "127.0.0.1", "nobody is named");
        assert_eq!(of(&["192.0.2.1"]), "192.0.2.1");
        assert_eq!(of(&["198.51.100.9, 192.0.2.1"]), "192.0.2.1", "the client made up the first");
        assert_eq!(of(&["198.51.100.9", "192.0.2.1, 10.1.2.3"]), "192.0.2.1", "two proxies");
        assert_eq!(of(&["10.9.9.9, 10.1.2.3"]), "10.9.9.9", "all of them are proxies");
        assert_eq!(of(&["192.0.2.1, unknown, 10.1.2.3"]), "10.1.2.3", "hidden");
        assert_eq!(of(&["192.0.2.1, "]), "127.0.0.1", "nothing");
        assert_eq!(of(&["192.0.2.1:443"]), "192.0.2.1");
        assert_eq!(of(&["2001:db8::1"]), "2001:db8::1");
        assert_eq!(of(&["[2001:db8::1]:443"]), "2001:db8::1");
        let many = vec!["10.0.0.1"; 5000].join(",");
        assert_eq!(of(&[&many]), "10.0.0.1");
        assert_eq!(
            client(ForwardedBy::XForwardedFor, &[("forwarded", "for=192.0.2.1")]),
            "127.0.0.1",
            "the other header is the client's"
        );
    }

    #[test]
    fn forwarded_is_read_with_quotes_and_hidden_names() {
        let of = |line: &str| client(ForwardedBy::Forwarded, &[("forwarded", line)]);
        assert_eq!(of("for=192.0.2.1"), "192.0.2.1");
        assert_eq!(of("For=\"[2001:db8:cafe::17]:4711\""), "2001:db8:cafe::17");
        assert_eq!(of("for=192.0.2.43, for=\"[2001:db8::17]\""), "2001:db8::17");
        assert_eq!(of("for=192.0.2.60;proto=http;by=203.0.113.43"), "192.0.2.60");
        assert_eq!(of("proto=https;host=\"a,b;for=1.1.1.1\";for=192.0.2.7"), "192.0.2.7");
        assert_eq!(of("for=\"192.0.2.4\\3:80\""), "192.0.2.43");
        assert_eq!(of("for=\"192.0.2.43:_x\""), "192.0.2.43");
        for hidden in ["for=unknown", "for=_secret", "for=", "proto=http", "", "for=\"", ",", "x"] {
            assert_eq!(of(&format!("for=192.0.2.1, {hidden}")), "127.0.0.1", "{hidden}");
        }
    }
}
