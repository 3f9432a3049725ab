//! What a request says of the browser it came from, and the cookies that keep
//! sign-ins where no script can read them.
//!
//! A browser may be signed in to several accounts, each in a slot with a cookie
//! of its own; the header `Parley-Account` chooses. That header, which pages of
//! other sites can't send without asking first (and nobody answers them), is
//! what makes a cookie count at all; what the browser says of the page that
//! asks (`Sec-Fetch-Site`, `Origin`) must not speak against it either.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use parley_protocol::Code;
use parley_protocol::limits::{ACCOUNT_SLOTS, TOKEN_BYTES};
use zeroize::Zeroizing;

use super::credential::from_hex;
use super::{ApiError, Port};
use crate::edge::listen::is_at;

/// Seconds a browser keeps a cookie: the 400 days that browsers allow at most.
/// It is given anew with each ticket.
const KEPT_SECONDS: u32 = 400 * 24 * 60 * 60;

/// The header that names the slot.
const ACCOUNT: &str = "parley-account";

/// What a request says of the browser and the page that sent it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Browser {
    slot: Option<Result<u8, ()>>,
    encrypted: bool,
    foreign: bool,
}

impl FromRequestParts<Port> for Browser {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, port: &Port) -> Result<Self, Infallible> {
        let headers = &parts.headers;
        // The loopback port has an encrypting proxy before it, or none.
        let proxied = headers.get("x-forwarded-proto").is_some_and(|scheme| scheme == "https");
        Ok(Self {
            slot: headers.get(ACCOUNT).map(slot),
            encrypted: port.encrypted || proxied,
            foreign: is_foreign(headers, &parts.uri),
        })
    }
}

impl Browser {
    /// The slot whose cookie a request without a token means; `None` when it
    /// means none.
    ///
    /// # Errors
    /// `bad_request` for what is no slot, `forbidden` for pages of other sites.
    pub(super) fn slot(&self) -> Result<Option<Slot>, ApiError> {
        self.slot.map(|slot| self.own(slot)).transpose()
    }

    /// The slot of a new sign-in: the first, unless another is named.
    ///
    /// # Errors
    /// As [`Browser::slot`].
    pub(super) fn slot_or_first(&self) -> Result<Slot, ApiError> {
        self.own(self.slot.unwrap_or(Ok(0)))
    }

    /// Every slot there is.
    ///
    /// # Errors
    /// As [`Browser::slot`].
    pub(super) fn slots(&self) -> Result<impl Iterator<Item = Slot> + use<>, ApiError> {
        self.own(Ok(0))?;
        let encrypted = self.encrypted;
        Ok((0..ACCOUNT_SLOTS).map(move |number| Slot { number, encrypted }))
    }

    fn own(&self, slot: Result<u8, ()>) -> Result<Slot, ApiError> {
        if self.foreign {
            let text = "pages of other sites may not use this browser's sign-ins";
            return Err(ApiError::new(Code::Forbidden, text));
        }
        let number = slot.map_err(|()| {
            let text = format!("Parley-Account is a number from 0 to {}", ACCOUNT_SLOTS - 1);
            ApiError::new(Code::BadRequest, text)
        })?;
        Ok(Slot { number, encrypted: self.encrypted })
    }
}

fn slot(value: &HeaderValue) -> Result<u8, ()> {
    match value.as_bytes() {
        [digit @ b'0'..=b'9'] if digit - b'0' < ACCOUNT_SLOTS => Ok(digit - b'0'),
        _ => Err(()),
    }
}

/// Whether a browser says that the page is not this server's own. Other clients
/// say nothing of it.
fn is_foreign(headers: &HeaderMap, uri: &Uri) -> bool {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    if site.is_some_and(|site| !matches!(site, b"same-origin" | b"none")) {
        return true;
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return false };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    // HTTP/2 has it in the URI.
    let host = host.or_else(|| uri.authority().map(|authority| authority.as_str()));
    let origin = origin.to_str().ok();
    !host.zip(origin).is_some_and(|(host, origin)| is_at(origin, host))
}

/// One account's place in a browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot {
    number: u8,
    encrypted: bool,
}

impl Slot {
    /// Its number.
    pub(super) const fn number(self) -> u8 {
        self.number
    }

    /// The token in this slot's cookie.
    pub(super) fn token(self, headers: &HeaderMap) -> Option<Zeroizing<[u8; TOKEN_BYTES]>> {
        let name = self.name();
        headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find_map(|(key, value)| (key == name).then(|| from_hex(value)))
            .flatten()
    }

    /// The header that makes the browser keep a token here.
    pub(super) fn keep(self, token: &str) -> Result<HeaderValue, ApiError> {
        self.cookie(token, KEPT_SECONDS)
    }

    /// The header that makes the browser forget what is here.
    pub(super) fn forget(self) -> Result<HeaderValue, ApiError> {
        self.cookie("", 0)
    }

    fn cookie(self, value: &str, seconds: u32) -> Result<HeaderValue, ApiError> {
        let secure = if self.encrypted { "; Secure" } else { "" };
        let name = self.name();
        let text =
            format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}");
        let mut cookie = HeaderValue::try_from(text).map_err(|_| Code::Internal)?;
        cookie.set_sensitive(true);
        Ok(cookie)
    }

    fn name(self) -> String {
        let prefix = if self.encrypted { "__Host-" } else { "" };
        format!("{prefix}parley-{}", self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut request = Request::builder();
        for (name, value) in pairs {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0.headers
    }

    fn foreign(uri: &str, pairs: &[(&str, &str)]) -> bool {
        is_foreign(&headers(pairs), &uri.parse().unwrap())
    }

    #[test]
    fn only_the_servers_own_pages_are_not_foreign() {
        let host = ("host", "chat.example:7443");
        assert!(!foreign("/", &[host]), "no browser");
        for site in ["same-origin", "none"] {
            assert!(!foreign("/", &[host, ("sec-fetch-site", site)]));
        }
        for site in ["same-site", "cross-site", "", "Same-Origin", "same-origin, cross-site"] {
            assert!(foreign("/", &[host, ("sec-fetch-site", site)]), "{site}");
        }
        for origin in ["https://chat.example:7443", "http://CHAT.example:7443"] {
            assert!(!foreign("/", &[host, ("origin", origin)]), "{origin}");
        }
        for origin in [
            "null",
            "",
            "https://chat.example",
            "https://chat.example:7444",
            "https://evil.example:7443",
            "https://chat.example:7443.evil",
            "chat.example:7443",
        ] {
            assert!(foreign("/", &[host, ("origin", origin)]), "{origin}");
        }
        let both =
            [host, ("sec-fetch-site", "cross-site"), ("origin", "https://chat.example:7443")];
        assert!(foreign("/", &both), "one word against it is enough");
        let http2 = "https://chat.example:7443/v1/ticket";
        assert!(!foreign(http2, &[("origin", "https://chat.example:7443")]));
        assert!(foreign(http2, &[("origin", "https://evil.example")]));
        assert!(foreign("/", &[("origin", "https://"), ("host", "")]));
    }

    #[test]
    fn a_slot_is_one_digit_below_eight() {
        for number in 0..ACCOUNT_SLOTS {
            assert_eq!(slot(&HeaderValue::try_from(number.to_string()).unwrap()), Ok(number));
        }
        for bad in ["", "8", "9", "-1", "00", "0 ", "a", "0, 1"] {
            assert!(slot(&HeaderValue::from_str(bad).unwrap()).is_err(), "{bad}");
        }
    }

    #[test]
    fn each_slot_has_its_own_cookie() {
        let plain = Slot { number: 0, encrypted: false };
        let (one, two) = ("01".repeat(32), "02".repeat(32));
        let some = format!("theme=dark; parley-0={one};parley-1={two}");
        let cookies = headers(&[("cookie", &some), ("cookie", "parley-2=short")]);
        assert_eq!(plain.token(&cookies).map(|token| *token), Some([1; 32]));
        let number = |number| Slot { number, encrypted: false };
        assert_eq!(number(1).token(&cookies).map(|token| *token), Some([2; 32]));
        assert!(number(2).token(&cookies).is_none(), "not a token");
        assert!(number(3).token(&cookies).is_none(), "not there");
        // What a plain page could have set doesn't count where it is encrypted.
        assert!(Slot { number: 0, encrypted: true }.token(&cookies).is_none());
    }

    #[test]
    fn the_cookies_are_out_of_reach_of_scripts_and_other_sites() {
        let text = |value: HeaderValue| value.to_str().unwrap().to_owned();
        let secure = Slot { number: 3, encrypted: true };
        assert_eq!(
            text(secure.keep("00").unwrap()),
            "__Host-parley-3=00; Path=/; HttpOnly; SameSite=Strict; Max-Age=34560000; Secure"
        );
        let plain = Slot { number: 0, encrypted: false };
        assert_eq!(
            text(plain.forget().unwrap()),
            "parley-0=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0"
        );
    }
}
