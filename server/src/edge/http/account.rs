//! The routes of accounts and devices.

use std::convert::Infallible;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::StreamExt as _;
use parley_protocol::http::{
    Account, Confirmation, Credentials, Devices, ErrorBody, PasswordChange, Renewed, SessionKind,
    SignedIn,
};
use parley_protocol::{Code, DeviceId};

use super::ApiError;
use super::body::JsonBody;
use super::browser::{Browser, Slot};
use super::caller::{Authenticated, Caller, ClientAddress, CookieSlot, Shown};
use super::refusals::{BodyRefused, NotFound, NotWritten, RateLimited, TokenRefused};
use crate::accounts::{Accounts, Ending, Exports};

type Answer<T> = Result<T, ApiError>;

/// Makes an account and signs its first device in.
#[utoipa::path(
    post, path = "/v1/accounts", tag = "accounts", request_body = Credentials, security(()),
    responses(
        (status = 201, description = "The account exists and the device is signed in.", body = SignedIn),
        BodyRefused, RateLimited, NotWritten,
        (status = 400, description = "name_invalid, password_invalid, device_invalid or bad_request.", body = ErrorBody),
        (status = 403, description = "sign_up_closed; forbidden: a page of another site asks for a cookie.", body = ErrorBody),
        (status = 409, description = "name_taken, name_reserved or name_too_similar.", body = ErrorBody),
        (status = 500, description = "internal.", body = ErrorBody),
    )
)]
pub(super) async fn sign_up(
    State(accounts): State<Accounts>,
    browser: Browser,
    ClientAddress(address): ClientAddress,
    JsonBody(request): JsonBody<Credentials>,
) -> Answer<Response> {
    let kept = kept_in(browser, &request)?;
    let signed_in = accounts.sign_up(address, request).await?;
    answer(StatusCode::CREATED, signed_in, kept)
}

/// Signs a device in. The same device name is the same device. A token or cookie
/// that it had before, good or ended, may come along: others can't keep such a
/// device from trying.
#[utoipa::path(
    post, path = "/v1/login", tag = "accounts", request_body = Credentials, security(()),
    responses(
        (status = 200, description = "The device is signed in.", body = SignedIn),
        BodyRefused, RateLimited, NotWritten,
        (status = 400, description = "name_invalid, password_invalid, device_invalid or bad_request.", body = ErrorBody),
        (status = 401, description = "credentials_wrong.", body = ErrorBody),
        (status = 403, description = "forbidden: a page of another site asks for a cookie.", body = ErrorBody),
        (status = 409, description = "too_many_devices.", body = ErrorBody),
        (status = 500, description = "internal.", body = ErrorBody),
    )
)]
pub(super) async fn login(
    State(accounts): State<Accounts>,
    browser: Browser,
    ClientAddress(address): ClientAddress,
    Shown(shown): Shown,
    JsonBody(request): JsonBody<Credentials>,
) -> Answer<Response> {
    let kept = kept_in(browser, &request)?;
    let signed_in = accounts.login(address, request, shown).await?;
    answer(StatusCode::OK, signed_in, kept)
}

/// The place of the cookie that is to hold the token, if one is.
fn kept_in(browser: Browser, request: &Credentials) -> Answer<Option<Slot>> {
    match request.session {
        SessionKind::Cookie => browser.slot_or_first().map(Some),
        SessionKind::Token => Ok(None),
    }
}

/// The token goes into the cookie, or else into the answer; never into both.
fn answer(status: StatusCode, mut signed_in: SignedIn, kept: Option<Slot>) -> Answer<Response> {
    let cookie = match kept {
        Some(slot) => Some(slot.keep(&std::mem::take(&mut signed_in.token))?),
        None => None,
    };
    let mut response = (status, Json(signed_in)).into_response();
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// Signs the asking device out: its tokens end and its sessions close.
#[utoipa::path(
    post, path = "/v1/logout", tag = "accounts",
    responses(
        (status = 204, description = "Signed out."),
        TokenRefused, NotWritten,
        (status = 404, description = "not_found: it was signed out meanwhile.", body = ErrorBody),
    )
)]
pub(super) async fn logout(
    State(accounts): State<Accounts>,
    CookieSlot(slot): CookieSlot,
    caller: Answer<Authenticated>,
) -> Answer<Response> {
    let done = match caller {
        Ok(caller) => accounts.logout(&caller.identity).await.map_err(ApiError::from),
        Err(error) => Err(error),
    };
    // A cookie whose token is dead would stay for ever otherwise.
    let over = done.as_ref().err().is_none_or(|error| error.code() == Code::TokenInvalid);
    let response = done.map(|()| StatusCode::NO_CONTENT).into_response();
    forgotten(response, slot.filter(|_| over))
}

/// Has the browser forget the cookie, if there was one.
fn forgotten(mut response: Response, slot: Option<Slot>) -> Answer<Response> {
    if let Some(slot) = slot {
        response.headers_mut().append(header::SET_COOKIE, slot.forget()?);
    }
    Ok(response)
}

/// The account and device of the token.
#[utoipa::path(
    get, path = "/v1/account", tag = "accounts",
    responses(
        (status = 200, description = "The account.", body = Account),
        TokenRefused,
    )
)]
pub(super) async fn account(
    State(accounts): State<Accounts>,
    Caller(caller): Caller,
) -> Answer<Json<Account>> {
    let user = accounts.find_by_id(caller.user).await?.ok_or(Code::TokenInvalid)?;
    Ok(Json(Account {
        user_id: user.id.to_string(),
        name: user.name,
        created_ms: user.created_ms,
        device_id: caller.device.to_string(),
    }))
}

/// Gives the account another password and signs all other devices out.
#[utoipa::path(
    post, path = "/v1/account/password", tag = "accounts", request_body = PasswordChange,
    responses(
        (status = 200, description = "It is the password now; all other tokens have ended, and the asking one is replaced.", body = Renewed),
        (status = 204, description = "The same, with the new token in the cookie."),
        TokenRefused, BodyRefused, RateLimited, NotWritten,
        (status = 400, description = "password_invalid or bad_request.", body = ErrorBody),
        (status = 401, description = "credentials_wrong: the old password is wrong; or token_invalid.", body = ErrorBody),
    )
)]
pub(super) async fn change_password(
    State(accounts): State<Accounts>,
    caller: Authenticated,
    ClientAddress(address): ClientAddress,
    JsonBody(change): JsonBody<PasswordChange>,
) -> Answer<Response> {
    let PasswordChange { old, new } = change;
    let (asking, slot) = caller.asking(address);
    renewed(accounts.change_password(&asking, old, new).await?, slot)
}

/// The token goes to where the old one was: into the cookie, or into the answer.
fn renewed(renewed: Renewed, kept: Option<Slot>) -> Answer<Response> {
    let Some(slot) = kept else { return Ok(Json(renewed).into_response()) };
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().append(header::SET_COOKIE, slot.keep(&renewed.token)?);
    Ok(response)
}

/// Ends the account: it leaves every group, and all but what it wrote is erased.
/// The name stays taken.
#[utoipa::path(
    delete, path = "/v1/account", tag = "accounts", request_body = Confirmation,
    responses(
        (status = 204, description = "It is gone."),
        TokenRefused, BodyRefused, RateLimited,
        (status = 401, description = "credentials_wrong or token_invalid.", body = ErrorBody),
        (status = 503, description = "overloaded, storage_failed or storage_low; it may be gone.", body = ErrorBody),
    )
)]
pub(super) async fn delete(
    State(ending): State<Ending>,
    caller: Authenticated,
    ClientAddress(address): ClientAddress,
    JsonBody(confirmation): JsonBody<Confirmation>,
) -> Answer<Response> {
    let (asking, slot) = caller.asking(address);
    ending.end(asking, confirmation.password).await?;
    forgotten(StatusCode::NO_CONTENT.into_response(), slot)
}

/// The account's own data, one JSON object a line; a whole export ends with
/// {"end":true}.
#[utoipa::path(
    get, path = "/v1/account/export", tag = "accounts",
    responses(
        (status = 200, description = "The data.", body = String, content_type = "application/x-ndjson"),
        TokenRefused, RateLimited,
    )
)]
pub(super) async fn export(
    State(exports): State<Exports>,
    caller: Authenticated,
    ClientAddress(address): ClientAddress,
) -> Answer<Response> {
    let (asking, _) = caller.asking(address);
    let lines = exports.begin(asking)?.map(Ok::<_, Infallible>);
    let kind = HeaderValue::from_static("application/x-ndjson");
    Ok(([(header::CONTENT_TYPE, kind)], Body::from_stream(lines)).into_response())
}

/// The account's devices, oldest first.
#[utoipa::path(
    get, path = "/v1/devices", tag = "accounts",
    responses(
        (status = 200, description = "The devices.", body = Devices),
        TokenRefused,
    )
)]
pub(super) async fn devices(
    State(accounts): State<Accounts>,
    Caller(caller): Caller,
) -> Answer<Json<Devices>> {
    Ok(Json(Devices { devices: accounts.devices(&caller).await? }))
}

/// Ends every token of the account but the asking one, and replaces that.
#[utoipa::path(
    delete, path = "/v1/devices", tag = "accounts",
    responses(
        (status = 200, description = "Signed out; the asking token is replaced.", body = Renewed),
        (status = 204, description = "The same, with the new token in the cookie."),
        TokenRefused, NotWritten,
    )
)]
pub(super) async fn revoke_others(
    State(accounts): State<Accounts>,
    caller: Authenticated,
    ClientAddress(address): ClientAddress,
) -> Answer<Response> {
    let (asking, slot) = caller.asking(address);
    renewed(accounts.revoke_others(&asking).await?, slot)
}

/// Signs one of the account's devices out.
#[utoipa::path(
    delete, path = "/v1/devices/{device_id}", tag = "accounts",
    params(("device_id" = String, Path, format = "uuid", description = "The device's id.")),
    responses(
        (status = 204, description = "Signed out."),
        TokenRefused, NotFound, NotWritten,
    )
)]
pub(super) async fn revoke(
    State(accounts): State<Accounts>,
    Caller(caller): Caller,
    path: Result<Path<String>, PathRejection>,
) -> Answer<StatusCode> {
    // What is no id names no device.
    let Path(device) = path.map_err(|_| Code::NotFound)?;
    let device: DeviceId = device.parse().map_err(|_| Code::NotFound)?;
    accounts.revoke(caller.user, device).await?;
    Ok(StatusCode::NO_CONTENT)
}
