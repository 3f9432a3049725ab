//! The routes of people: the same requests as in a session, with JSON.

use axum::Json;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::StatusCode;
use parley_protocol::http::{
    Audience, ErrorBody, FoundUser, OwnProfile, People, Profile, ProfileChange, Report, Revision,
    Settings,
};
use parley_protocol::wire::client_envelope::Kind as Ask;
use parley_protocol::wire::server_envelope::Kind as Answer;
use parley_protocol::wire::update_account::Change;
use parley_protocol::wire::{self, AccountState, GetAccount, GetProfile, Lookup, UpdateAccount};
use parley_protocol::{Code, ConversationId, UserId};

use super::ApiError;
use super::body::JsonBody;
use super::refusals::{BodyRefused, NotFound, NotWritten, RateLimited, TokenRefused};
use super::requests::Requests;

type Done<T> = Result<Json<T>, ApiError>;

type Named = Result<Path<String>, PathRejection>;

/// The user with exactly this name.
#[utoipa::path(
    get, path = "/v1/users/{name}", tag = "people",
    params(("name" = String, Path, min_length = 3, max_length = 32, pattern = "^[a-z][a-z0-9._-]*$", description = "The user's name.")),
    responses(
        (status = 200, description = "The user.", body = FoundUser),
        TokenRefused, NotFound, RateLimited,
    )
)]
pub(super) async fn user(requests: Requests, path: Named) -> Done<FoundUser> {
    let Path(name) = path.map_err(|_| Code::NotFound)?;
    let by = Some(wire::lookup::By::Name(name));
    let Answer::Found(found) = requests.ask(Ask::Lookup(Lookup { by })).await? else {
        return Err(Code::Internal.into());
    };
    let user = found.user.unwrap_or_default();
    Ok(Json(FoundUser { user_id: text(&user.id), name: user.name }))
}

/// What somebody says about themselves, as far as the caller may know.
#[utoipa::path(
    get, path = "/v1/profiles/{user}", tag = "people",
    params(("user" = String, Path, format = "uuid", description = "The user's id.")),
    responses(
        (status = 200, description = "The profile.", body = Profile),
        TokenRefused, NotFound, RateLimited,
    )
)]
pub(super) async fn profile(requests: Requests, path: Named) -> Done<Profile> {
    let user = named(path)?.to_wire();
    match requests.ask(Ask::GetProfile(GetProfile { user })).await? {
        Answer::Profile(found) => Ok(Json(profile_of(found))),
        _ => Err(Code::Internal.into()),
    }
}

/// The caller's own profile and settings.
#[utoipa::path(
    get, path = "/v1/profile", tag = "people",
    responses(
        (status = 200, description = "Profile and settings.", body = OwnProfile),
        TokenRefused,
    )
)]
pub(super) async fn own(requests: Requests) -> Done<OwnProfile> {
    let account = account(requests).await?;
    let settings = account.settings.unwrap_or_default();
    Ok(Json(OwnProfile {
        profile: profile_of(account.profile.unwrap_or_default()),
        settings: Settings {
            presence: audience(settings.presence),
            phone: audience(settings.phone),
            email: audience(settings.email),
            group_adds: audience(settings.group_adds),
            messages: audience(settings.messages),
            read_receipts: settings.read_receipts,
            typing: settings.typing,
        },
        revision: account.revision,
    }))
}

/// Changes the caller's profile.
#[utoipa::path(
    patch, path = "/v1/profile", tag = "people", request_body = ProfileChange,
    responses(
        (status = 200, description = "It is so now.", body = Revision),
        TokenRefused, BodyRefused, RateLimited, NotWritten,
    )
)]
pub(super) async fn change_profile(
    requests: Requests,
    JsonBody(change): JsonBody<ProfileChange>,
) -> Done<Revision> {
    let ProfileChange { display_name, about, picture, phone, email } = change;
    let change = wire::ProfileChange { display_name, about, picture, phone, email };
    update(requests, Change::Profile(change)).await
}

/// Changes how the caller's account behaves towards others.
#[utoipa::path(
    patch, path = "/v1/settings", tag = "people", request_body = Settings,
    responses(
        (status = 200, description = "It is so now.", body = Revision),
        TokenRefused, BodyRefused, RateLimited, NotWritten,
    )
)]
pub(super) async fn change_settings(
    requests: Requests,
    JsonBody(change): JsonBody<Settings>,
) -> Done<Revision> {
    let change = wire::AccountSettings {
        presence: number(change.presence),
        phone: number(change.phone),
        email: number(change.email),
        group_adds: number(change.group_adds),
        messages: number(change.messages),
        read_receipts: change.read_receipts,
        typing: change.typing,
    };
    update(requests, Change::Settings(change)).await
}

/// The caller's contacts.
#[utoipa::path(
    get, path = "/v1/contacts", tag = "people",
    responses(
        (status = 200, description = "The people.", body = People),
        TokenRefused,
    )
)]
pub(super) async fn contacts(requests: Requests) -> Done<People> {
    Ok(Json(people(account(requests).await?.contacts)))
}

/// Those whom the caller blocked.
#[utoipa::path(
    get, path = "/v1/blocks", tag = "people",
    responses(
        (status = 200, description = "The people.", body = People),
        TokenRefused,
    )
)]
pub(super) async fn blocks(requests: Requests) -> Done<People> {
    Ok(Json(people(account(requests).await?.blocked)))
}

/// Takes somebody into the caller's contacts.
#[utoipa::path(
    put, path = "/v1/contacts/{user}", tag = "people",
    params(("user" = String, Path, format = "uuid", description = "The user's id.")),
    responses(
        (status = 200, description = "It is so now.", body = Revision),
        TokenRefused, NotFound, RateLimited, NotWritten,
        (status = 400, description = "bad_request.", body = ErrorBody),
        (status = 409, description = "list_full.", body = ErrorBody),
    )
)]
pub(super) async fn add_contact(requests: Requests, path: Named) -> Done<Revision> {
    update(requests, Change::AddContact(named(path)?.to_wire())).await
}

/// Takes somebody off the caller's contacts.
#[utoipa::path(
    delete, path = "/v1/contacts/{user}", tag = "people",
    params(("user" = String, Path, format = "uuid", description = "The user's id.")),
    responses(
        (status = 200, description = "It is so now.", body = Revision),
        TokenRefused, NotFound, RateLimited, NotWritten,
        (status = 400, description = "bad_request.", body = ErrorBody),
    )
)]
pub(super) async fn remove_contact(requests: Requests, path: Named) -> Done<Revision> {
    update(requests, Change::RemoveContact(named(path)?.to_wire())).await
}

/// Blocks somebody: no messages, group adds, typing, presence or profile between the two.
#[utoipa::path(
    put, path = "/v1/blocks/{user}", tag = "people",
    params(("user" = String, Path, format = "uuid", description = "The user's id.")),
    responses(
        (status = 200, description = "It is so now.", body = Revision),
        TokenRefused, NotFound, RateLimited, NotWritten,
        (status = 400, description = "bad_request.", body = ErrorBody),
        (status = 409, description = "list_full.", body = ErrorBody),
    )
)]
pub(super) async fn block(requests: Requests, path: Named) -> Done<Revision> {
    update(requests, Change::Block(named(path)?.to_wire())).await
}

/// Ends a block.
#[utoipa::path(
    delete, path = "/v1/blocks/{user}", tag = "people",
    params(("user" = String, Path, format = "uuid", description = "The user's id.")),
    responses(
        (status = 200, description = "It is so now.", body = Revision),
        TokenRefused, NotFound, RateLimited, NotWritten,
        (status = 400, description = "bad_request.", body = ErrorBody),
    )
)]
pub(super) async fn unblock(requests: Requests, path: Named) -> Done<Revision> {
    update(requests, Change::Unblock(named(path)?.to_wire())).await
}

/// Tells the operators about somebody.
#[utoipa::path(
    post, path = "/v1/reports", tag = "people", request_body = Report,
    responses(
        (status = 204, description = "It was kept."),
        TokenRefused, BodyRefused, NotFound, RateLimited, NotWritten,
    )
)]
pub(super) async fn report(
    requests: Requests,
    JsonBody(report): JsonBody<Report>,
) -> Result<StatusCode, ApiError> {
    let Report { user_id, conversation_id, seqs, reason } = report;
    let user: UserId = user_id.parse().map_err(|_| Code::BadRequest)?;
    let conversation = match conversation_id {
        Some(id) => id.parse::<ConversationId>().map_err(|_| Code::BadRequest)?.to_wire(),
        None => bytes::Bytes::new(),
    };
    let report = wire::Report { user: user.to_wire(), conversation, seqs, reason };
    requests.ask(Ask::Report(report)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn update(requests: Requests, change: Change) -> Done<Revision> {
    let ask = Ask::UpdateAccount(UpdateAccount { change: Some(change) });
    match requests.ask(ask).await? {
        Answer::AccountChanged(changed) => Ok(Json(Revision { revision: changed.revision })),
        _ => Err(Code::Internal.into()),
    }
}

async fn account(requests: Requests) -> Result<AccountState, ApiError> {
    match requests.ask(Ask::GetAccount(GetAccount {})).await? {
        Answer::AccountState(account) => Ok(account),
        _ => Err(Code::Internal.into()),
    }
}

/// What is no id names nobody.
fn named(path: Named) -> Result<UserId, Code> {
    let Path(user) = path.map_err(|_| Code::NotFound)?;
    user.parse().map_err(|_| Code::NotFound)
}

fn people(found: Vec<wire::Profile>) -> People {
    People { people: found.into_iter().map(profile_of).collect() }
}

fn profile_of(found: wire::Profile) -> Profile {
    Profile {
        user_id: text(&found.user),
        name: found.name,
        display_name: found.display_name,
        about: found.about,
        picture: found.picture,
        phone: found.phone,
        email: found.email,
        deleted: found.deleted,
    }
}

fn text(id: &[u8]) -> String {
    UserId::from_slice(id).map(|id| id.to_string()).unwrap_or_default()
}

fn audience(number: i32) -> Option<Audience> {
    match wire::Audience::try_from(number) {
        Ok(wire::Audience::Everyone) => Some(Audience::Everyone),
        Ok(wire::Audience::Contacts) => Some(Audience::Contacts),
        Ok(wire::Audience::Nobody) => Some(Audience::Nobody),
        Ok(wire::Audience::Unspecified) | Err(_) => None,
    }
}

const fn number(audience: Option<Audience>) -> i32 {
    match audience {
        Some(Audience::Everyone) => wire::Audience::Everyone as i32,
        Some(Audience::Contacts) => wire::Audience::Contacts as i32,
        Some(Audience::Nobody) => wire::Audience::Nobody as i32,
        None => wire::Audience::Unspecified as i32,
    }
}
