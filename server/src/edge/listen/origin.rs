//! Which web pages may connect, and whose session a connection is before a
//! frame was read.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::{HeaderMap, Uri, header};
use parley_protocol::Code;

use super::connection::Proof;

/// Redeems the ticket in a request's target: returns whose session it will be,
/// if the target brings one.
pub type TicketCheck = Arc<dyn Fn(&Uri) -> Result<Option<Proof>, Code> + Send + Sync>;

/// Whether the page may open a WebSocket on the host that answered. Browsers
/// always name the page's origin; other clients need not.
pub(super) fn may_upgrade(headers: &HeaderMap, origins: &[String]) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    may(headers, origins, |origin| host.is_some_and(|host| is_at(origin, host)))
}

/// Whether the page may open a WebTransport on this host. The page may have
/// come from the host's other port, so ports don't matter.
pub(super) fn may_reach(headers: &HeaderMap, host: &str, origins: &[String]) -> bool {
    may(headers, origins, |origin| {
        let own = origin.split_once("://").map_or("", |(_, authority)| authority);
        !host.is_empty() && host.eq_ignore_ascii_case(split(own).0)
    })
}

fn may(headers: &HeaderMap, origins: &[String], own: impl Fn(&str) -> bool) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    origins.iter().any(|known| is_same(known, origin)) || own(origin)
}

/// Whether a page's origin is on the host that a request names, with its default port
/// spelled out or not.
#[must_use]
pub fn is_at(origin: &str, host: &str) -> bool {
    let Some((scheme, own)) = origin.split_once("://") else { return false };
    let ((host, port), (own, own_port)) = (split(host), split(own));
    let usual = usual_port(scheme);
    !host.is_empty() && host.eq_ignore_ascii_case(own) && port.or(usual) == own_port.or(usual)
}

fn is_same(known: &str, origin: &str) -> bool {
    let Some((scheme, authority)) = known.split_once("://") else { return false };
    let same = |other: &str| other.eq_ignore_ascii_case(scheme);
    origin.split_once("://").is_some_and(|(other, _)| same(other)) && is_at(origin, authority)
}

fn usual_port(scheme: &str) -> Option<u16> {
    if scheme.eq_ignore_ascii_case("https") {
        Some(443)
    } else if scheme.eq_ignore_ascii_case("http") {
        Some(80)
    } else {
        None
    }
}

/// The host of an authority, and its port.
pub(super) fn split(authority: &str) -> (&str, Option<u16>) {
    let digits = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    match authority.rsplit_once(':') {
        Some((host, port)) if digits(port) => match port.parse() {
            Ok(port) => (host, Some(port)),
            // Not a port there is: nothing is the same.
            Err(_) => (authority, None),
        },
        _ => (authority, None),
    }
}

/// Whether a host that a request names is this machine under one of its own names, or
/// one of `names`. A page whose name was made to point here asks under its own.
#[must_use]
pub fn is_own_host(host: &str, names: &[String]) -> bool {
    let (name, _) = split(host.trim());
    let address = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    address.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
        || name == "localhost"
        || name.ends_with(".localhost")
        || names.iter().any(|own| own.eq_ignore_ascii_case(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(origin: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::ORIGIN, origin.parse().unwrap());
        headers
    }

    #[test]
    fn pages_of_the_host_reach_it_whatever_their_port() {
        assert!(may_reach(&HeaderMap::new(), "127.0.0.1", &[]), "no page");
        for own in ["http://127.0.0.1:7480", "https://127.0.0.1", "https://127.0.0.1:7443"] {
            assert!(may_reach(&from(own), "127.0.0.1", &[]), "{own}");
        }
        assert!(may_reach(&from("https://[::1]:7443"), "[::1]", &[]));
        let evil = ["http://127.0.0.1.evil.example", "https://evil.example:1", "null", "127.0.0.1"];
        for other in evil {
            assert!(!may_reach(&from(other), "127.0.0.1", &[]), "{other}");
        }
        let known = ["https://evil.example:1".to_owned()];
        assert!(may_reach(&from("https://evil.example:1"), "127.0.0.1", &known), "allowed");
        assert!(!may_reach(&from("https://"), "", &[]), "no host");
    }

    #[test]
    fn a_default_port_may_be_spelled_out_on_either_side() {
        for (origin, host) in [
            ("https://chat.example", "chat.example:443"),
            ("https://chat.example:443", "chat.example"),
            ("http://Chat.example", "chat.EXAMPLE:80"),
            ("https://chat.example:7443", "chat.example:7443"),
            ("https://[::1]", "[::1]:443"),
        ] {
            assert!(is_at(origin, host), "{origin} {host}");
        }
        for (origin, host) in [
            ("https://chat.example", "chat.example:80"),
            ("http://chat.example", "chat.example:443"),
            ("https://chat.example:7443", "chat.example"),
            ("https://chat.example", "chat.example:7443"),
            ("https://chat.example.evil", "chat.example"),
            ("https://", ""),
            ("https://:443", ":443"),
            ("null", "null"),
            ("https://chat.example:99999", "chat.example:99998"),
        ] {
            assert!(!is_at(origin, host), "{origin} {host}");
        }
        let known = ["https://web.example:443".to_owned()];
        let mut page = from("https://web.example");
        page.insert(header::HOST, "chat.example".parse().unwrap());
        assert!(may_upgrade(&page, &known));
        assert!(!may_upgrade(&page, &["http://web.example:443".to_owned()]));
    }

    #[test]
    fn only_own_names_are_hosts_of_this_machine() {
        let names = ["chat.example".to_owned()];
        for own in [
            "localhost",
            "LOCALHOST:7480",
            "web.localhost:1",
            "127.0.0.1:7480",
            "127.9.9.9",
            "[::1]",
            "[::1]:7480",
            "chat.example:80",
            "Chat.Example.",
            "[::ffff:127.0.0.1]:1",
        ] {
            assert!(is_own_host(own, &names), "{own}");
        }
        for other in ["", "evil.example", "localhost.evil.example", "192.0.2.1", "x", "[::2]:1"] {
            assert!(!is_own_host(other, &names), "{other}");
        }
    }
}
