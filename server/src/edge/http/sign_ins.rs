//! What browsers need besides: which accounts they hold cookies for, and
//! tickets that open a session without showing the token to a script or a URL.

use axum::Json;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, Uri, header};
use axum::response::{IntoResponse as _, Response};
use parley_protocol::Code;
use parley_protocol::http::{ErrorBody, SignIn, SignIns, Ticket};
use serde::Deserialize;

use super::ApiError;
use super::browser::Browser;
use super::caller::Authenticated;
use super::credential::from_hex;
use super::refusals::{RateLimited, TokenRefused};
use crate::accounts::Accounts;
use crate::edge::listen::Proof;

/// The accounts whose cookies this browser holds and that are still good.
#[utoipa::path(
    get, path = "/v1/sign-ins", tag = "accounts", security(()),
    responses(
        (status = 200, description = "Those accounts, by slot.", body = SignIns),
        (status = 403, description = "forbidden: a page of another site asks.", body = ErrorBody),
        (status = 500, description = "internal.", body = ErrorBody),
    )
)]
pub(super) async fn sign_ins(
    State(accounts): State<Accounts>,
    browser: Browser,
    headers: HeaderMap,
) -> Result<Json<SignIns>, ApiError> {
    let mut sign_ins = Vec::new();
    for slot in browser.slots()? {
        let Some(token) = slot.token(&headers) else { continue };
        match accounts.authenticate(&*token).await {
            Ok(identity) => sign_ins.push(SignIn {
                slot: slot.number(),
                user_id: identity.user.to_string(),
                name: identity.name.to_string(),
                device_id: identity.device.to_string(),
            }),
            Err(error) if error.code() == Code::TokenInvalid => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Json(SignIns { sign_ins }))
}

/// A ticket for one session: good once, for 30 seconds. Gives the cookie it was
/// asked with anew.
#[utoipa::path(
    post, path = "/v1/ticket", tag = "accounts",
    responses(
        (status = 200, description = "The ticket.", body = Ticket),
        TokenRefused, RateLimited,
        (status = 403, description = "forbidden: a page of another site asks with a cookie.", body = ErrorBody),
        (status = 503, description = "overloaded.", body = ErrorBody),
    )
)]
pub(super) async fn ticket(
    State(accounts): State<Accounts>,
    caller: Authenticated,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let ticket = accounts.ticket(&caller.credential, &caller.identity)?;
    let mut response = Json(ticket).into_response();
    if let Some((slot, token)) = caller.slot.and_then(|slot| Some((slot, slot.token(&headers)?))) {
        let token = base16ct::lower::encode_string(&*token);
        response.headers_mut().append(header::SET_COOKIE, slot.keep(&token)?);
    }
    Ok(response)
}

/// The query of a WebSocket's URL.
#[derive(Deserialize)]
struct UpgradeQuery {
    ticket: Option<String>,
}

/// Whose session it will be, when the URL brings a ticket. Uses that up.
pub(super) fn proof(accounts: &Accounts, uri: &Uri) -> Result<Option<Proof>, ApiError> {
    let Query(query) = Query::<UpgradeQuery>::try_from_uri(uri).map_err(|_| Code::BadRequest)?;
    let Some(ticket) = query.ticket else { return Ok(None) };
    let credential = from_hex(&ticket).and_then(|ticket| accounts.redeem(&*ticket));
    Ok(Some(Proof(credential.ok_or(Code::TicketInvalid)?.to_bytes())))
}
