//! What a browser says of the page that asks.

use arbitrary::Arbitrary;

/// The host that every request names.
pub(crate) const HOST: &str = "parley:7443";

/// What origins are made of.
const PIECES: [&str; 9] =
    ["https://", HOST, "http://", "PARLEY:7443", ".evil.example", "://", "null", "@", "parley"];

#[derive(Debug, Arbitrary)]
pub(crate) struct Page {
    site: u8,
    origin: u8,
    pieces: [u8; 3],
}

impl Page {
    fn site(&self) -> Option<&'static str> {
        match self.site {
            0 => Some("cross-site"),
            1 => Some("same-site"),
            2 => Some("none"),
            3 => Some("same-origin"),
            4 => Some("Same-Origin"),
            _ => None,
        }
    }

    pub(crate) fn origin(&self) -> Option<String> {
        let piece = |byte: &u8| PIECES.get(usize::from(byte % 16)).copied().unwrap_or_default();
        match self.origin {
            0..32 => Some(self.pieces.iter().map(piece).collect()),
            32..48 => Some(format!("https://{HOST}")),
            _ => None,
        }
    }

    /// Whether the origin is that of the host. Written from the rule: a scheme,
    /// then the host as it was asked for, in any case.
    fn is_of_host(origin: &str) -> bool {
        let origin = origin.to_lowercase();
        let Some(at) = origin.find("://") else { return false };
        &origin[at + 3..] == HOST
    }

    /// Whether cookies count for it.
    pub(crate) fn is_own(&self) -> bool {
        let site = self.site().is_none_or(|site| site == "none" || site == "same-origin");
        site && self.may_open()
    }

    /// Whether it may open a WebSocket.
    pub(crate) fn may_open(&self) -> bool {
        self.origin().is_none_or(|origin| Self::is_of_host(&origin))
    }

    /// Whether it may open a WebTransport on the host: its port doesn't matter.
    pub(crate) fn may_reach(&self) -> bool {
        let Some(origin) = self.origin() else { return true };
        let origin = origin.to_lowercase();
        let Some((_, authority)) = origin.split_once("://") else { return false };
        let host = authority.trim_end_matches(|c: char| c.is_ascii_digit());
        authority == "parley" || host == "parley:"
    }

    pub(crate) fn fields(&self) -> String {
        let site = self.site().map(|site| format!("Sec-Fetch-Site: {site}\r\n"));
        let origin = self.origin().map(|origin| format!("Origin: {origin}\r\n"));
        site.unwrap_or_default() + &origin.unwrap_or_default()
    }
}
