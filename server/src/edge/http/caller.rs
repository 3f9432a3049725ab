//! Who asks: the bearer token or the cookie of a request, and the address it
//! came from.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use parley_protocol::Code;
use parley_protocol::limits::TOKEN_BYTES;
use zeroize::Zeroizing;

use super::browser::{Browser, Slot};
use super::credential::from_hex;
use super::{ApiError, Port};
use crate::accounts::{Asking, Credential, Identity};
use crate::edge::listen::{HttpClient, HttpPeer};

/// The token or cookie of a request, and whom it speaks for.
pub(super) struct Authenticated {
    pub(super) credential: Credential,
    pub(super) identity: Identity,
    /// The place of the cookie, when it was one.
    pub(super) slot: Option<Slot>,
}

impl Authenticated {
    /// The same for the accounts, and the place of its cookie.
    pub(super) fn asking(self, from: IpAddr) -> (Asking, Option<Slot>) {
        let Self { credential, identity, slot } = self;
        (Asking { identity, credential, from }, slot)
    }
}

impl FromRequestParts<Port> for Authenticated {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, port: &Port) -> Result<Self, ApiError> {
        let CookieSlot(slot) = CookieSlot::from_request_parts(parts, port).await?;
        let token = match slot {
            Some(slot) => slot.token(&parts.headers),
            None => bearer(parts),
        };
        let token = token.ok_or(Code::TokenInvalid)?;
        let credential = Credential::of_token(&*token).ok_or(Code::TokenInvalid)?;
        let accounts = &port.shared.accounts;
        let identity = accounts.identify(&credential).await?;
        accounts.note_active(identity.user, identity.device, &credential);
        note_signed_in(parts.extensions.get());
        Ok(Self { credential, identity, slot })
    }
}

/// A token or cookie that need not be good: a device shows that it was here.
pub(super) struct Shown(pub(super) Option<Credential>);

impl FromRequestParts<Port> for Shown {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, port: &Port) -> Result<Self, ApiError> {
        let token = match CookieSlot::from_request_parts(parts, port).await {
            Ok(CookieSlot(Some(slot))) => slot.token(&parts.headers),
            Ok(CookieSlot(None)) => bearer(parts),
            // A page of another site shows nothing.
            Err(_) => None,
        };
        Ok(Self(token.and_then(|token| Credential::of_token(&*token))))
    }
}

/// The place of the cookie that a request is to be judged by: it names a slot,
/// and brings no token of its own.
pub(super) struct CookieSlot(pub(super) Option<Slot>);

impl FromRequestParts<Port> for CookieSlot {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, port: &Port) -> Result<Self, ApiError> {
        if parts.headers.contains_key(header::AUTHORIZATION) {
            return Ok(Self(None));
        }
        let Ok(browser) = Browser::from_request_parts(parts, port).await;
        Ok(Self(browser.slot()?))
    }
}

/// The signed-in device that asks.
pub(super) struct Caller(pub(super) Identity);

impl FromRequestParts<Port> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, port: &Port) -> Result<Self, ApiError> {
        Ok(Self(Authenticated::from_request_parts(parts, port).await?.identity))
    }
}

/// The address a request came from, also through a trusted proxy.
pub(super) struct ClientAddress(pub(super) IpAddr);

impl<S: Send + Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        if let Some(client) = parts.extensions.get::<HttpClient>() {
            return Ok(Self(client.address.ip()));
        }
        // The listeners always put it there; without it limits would not hold.
        let peer = parts.extensions.get::<Arc<HttpPeer>>().ok_or(Code::Internal)?;
        Ok(Self(peer.address().ip()))
    }
}

/// Tells the connection that somebody signed in uses it.
pub(super) fn note_signed_in(peer: Option<&Arc<HttpPeer>>) {
    if let Some(peer) = peer {
        peer.set_signed_in();
    }
}

fn bearer(parts: &Parts) -> Option<Zeroizing<[u8; TOKEN_BYTES]>> {
    let value = parts.headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, hex) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    from_hex(hex.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    fn bearer_of(value: &str) -> Option<[u8; TOKEN_BYTES]> {
        let request = Request::builder().header(header::AUTHORIZATION, value).body(()).unwrap();
        bearer(&request.into_parts().0).map(|token| *token)
    }

    #[test]
    fn a_bearer_is_64_hex_digits() {
        assert_eq!(bearer_of(&format!("Bearer {}", "0a".repeat(32))), Some([10; 32]));
        assert_eq!(bearer_of(&format!("bearer {}", "FF".repeat(32))), Some([255; 32]));
        for bad in [
            "",
            "Bearer",
            "Bearer ",
            "Basic 00",
            &format!("Bearer {}", "0".repeat(63)),
            &format!("Bearer {}", "+a".repeat(32)),
            &format!("Bearer {}", "é".repeat(32)),
        ] {
            assert_eq!(bearer_of(bad), None, "{bad}");
        }
    }
}
