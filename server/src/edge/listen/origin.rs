//! Which web pages may connect, and whose session a connection is before a
//! frame was read.

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
    may(headers, origins, |own| host.is_some_and(|host| same(host, own)))
}

/// Whether the page may open a WebTransport on this host. The page may have
/// come from the host's other port, so ports don't matter.
pub(super) fn may_reach(headers: &HeaderMap, host: &str, origins: &[String]) -> bool {
    may(headers, origins, |own| same(host, without_port(own)))
}

fn may(headers: &HeaderMap, origins: &[String], own: impl Fn(&str) -> bool) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    origins.iter().any(|known| known.eq_ignore_ascii_case(origin))
        || origin.split_once("://").is_some_and(|(_, authority)| own(authority))
}

fn same(host: &str, own: &str) -> bool {
    !host.is_empty() && host.eq_ignore_ascii_case(own)
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
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
}
