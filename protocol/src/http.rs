//! The JSON bodies of the HTTP API, shared by the server and the Rust SDK.
//!
//! Ids are in their text form, times in Unix milliseconds. Unknown fields of a
//! request are refused, of an answer ignored: clients may be older than the
//! server, never the other way round without a version in the path.
//!
//! What the schemas allow of a request, the server takes as far as its form
//! goes; a test sends it. Lengths in a schema are in characters: where the server
//! counts bytes, a pattern allows as many characters of ASCII, or a quarter as
//! many of any kind. The long patterns are `visible`'s rules as far as a pattern
//! without looking around can have them: printable ASCII, and what is not hidden,
//! with variation selectors and joiners only behind and between the latter.

use serde::{Deserialize, Serialize};

/// Body of `POST /v1/accounts` (sign up) and `POST /v1/login`.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// The user name: 3 to 32 of a to z, 0 to 9, dot, dash, underscore.
    #[cfg_attr(
        feature = "openapi",
        schema(min_length = 3, max_length = 32, pattern = "^[a-z][a-z0-9._-]*$")
    )]
    pub name: String,
    /// The password: 8 to 256 bytes. Never logged.
    #[cfg_attr(
        feature = "openapi",
        schema(min_length = 8, max_length = 256, pattern = "^([ -~]{8,256}|[\\s\\S]{8,64})$")
    )]
    pub password: String,
    /// The device that signs in.
    pub device: DeviceLabel,
    /// Where the token goes: into the answer, or into a cookie that no script reads.
    #[serde(default, skip_serializing_if = "SessionKind::is_token")]
    pub session: SessionKind,
}

/// How a client keeps its session token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum SessionKind {
    /// By itself: it is in the answer.
    #[default]
    Token,
    /// In a browser's cookie, under the slot that the header `Parley-Account` names.
    Cookie,
}

impl SessionKind {
    const fn is_token(&self) -> bool {
        matches!(self, Self::Token)
    }
}

// The password stays out of debug output, and so out of logs.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What a device calls itself. Signing in again with the same name is the same device.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct DeviceLabel {
    /// 1 to 64 printable characters; unique within the account.
    #[cfg_attr(
        feature = "openapi",
        schema(
            min_length = 1,
            max_length = 64,
            pattern = "^(?:[ -~]|[\\u00a0-\\u00ac\\u00ae-\\u034e\\u0350-\\u061b\\u061d-\\u115e\\u1161-\\u17b3\\u17b6-\\u180a\\u1810-\\u200a\\u2010-\\u2027\\u202f-\\u205f\\u2070-\\u3163\\u3165-\\ud7ff\\uf900-\\ufdcf\\ufdf0-\\ufdff\\ufe10-\\ufefe\\uff00-\\uff9f\\uffa1-\\uffef\\ufffc-\\ufffd\u{10000}-\u{1bc9f}\u{1bca4}-\u{1d172}\u{1d17b}-\u{1fffd}\u{20000}-\u{2fffd}\u{30000}-\u{3134f}][\\ufe0e\\ufe0f]?(?:[\\u200c\\u200d][\\u00a0-\\u00ac\\u00ae-\\u034e\\u0350-\\u061b\\u061d-\\u115e\\u1161-\\u17b3\\u17b6-\\u180a\\u1810-\\u200a\\u2010-\\u2027\\u202f-\\u205f\\u2070-\\u3163\\u3165-\\ud7ff\\uf900-\\ufdcf\\ufdf0-\\ufdff\\ufe10-\\ufefe\\uff00-\\uff9f\\uffa1-\\uffef\\ufffc-\\ufffd\u{10000}-\u{1bc9f}\u{1bca4}-\u{1d172}\u{1d17b}-\u{1fffd}\u{20000}-\u{2fffd}\u{30000}-\u{3134f}][\\ufe0e\\ufe0f]?)*)*(?:[!-~]|[\\u00a1-\\u00ac\\u00ae-\\u02ff\\u0370-\\u061b\\u061d-\\u115e\\u1161-\\u167f\\u1681-\\u17b3\\u17b6-\\u180a\\u1810-\\u1fff\\u2010-\\u2027\\u2030-\\u205e\\u2070-\\u27ff\\u2801-\\u2fff\\u3001-\\u3163\\u3165-\\ud7ff\\uf900-\\ufdcf\\ufdf0-\\ufdff\\ufe10-\\ufefe\\uff00-\\uff9f\\uffa1-\\uffef\\ufffc-\\ufffd\u{10000}-\u{1bc9f}\u{1bca4}-\u{1d172}\u{1d17b}-\u{1fffd}\u{20000}-\u{2fffd}\u{30000}-\u{3134f}][\\ufe0e\\ufe0f]?(?:[\\u200c\\u200d][\\u00a0-\\u00ac\\u00ae-\\u034e\\u0350-\\u061b\\u061d-\\u115e\\u1161-\\u17b3\\u17b6-\\u180a\\u1810-\\u200a\\u2010-\\u2027\\u202f-\\u205f\\u2070-\\u3163\\u3165-\\ud7ff\\uf900-\\ufdcf\\ufdf0-\\ufdff\\ufe10-\\ufefe\\uff00-\\uff9f\\uffa1-\\uffef\\ufffc-\\ufffd\u{10000}-\u{1bc9f}\u{1bca4}-\u{1d172}\u{1d17b}-\u{1fffd}\u{20000}-\u{2fffd}\u{30000}-\u{3134f}][\\ufe0e\\ufe0f]?)*)(?:[ -~]|[\\u00a0-\\u00ac\\u00ae-\\u034e\\u0350-\\u061b\\u061d-\\u115e\\u1161-\\u17b3\\u17b6-\\u180a\\u1810-\\u200a\\u2010-\\u2027\\u202f-\\u205f\\u2070-\\u3163\\u3165-\\ud7ff\\uf900-\\ufdcf\\ufdf0-\\ufdff\\ufe10-\\ufefe\\uff00-\\uff9f\\uffa1-\\uffef\\ufffc-\\ufffd\u{10000}-\u{1bc9f}\u{1bca4}-\u{1d172}\u{1d17b}-\u{1fffd}\u{20000}-\u{2fffd}\u{30000}-\u{3134f}][\\ufe0e\\ufe0f]?(?:[\\u200c\\u200d][\\u00a0-\\u00ac\\u00ae-\\u034e\\u0350-\\u061b\\u061d-\\u115e\\u1161-\\u17b3\\u17b6-\\u180a\\u1810-\\u200a\\u2010-\\u2027\\u202f-\\u205f\\u2070-\\u3163\\u3165-\\ud7ff\\uf900-\\ufdcf\\ufdf0-\\ufdff\\ufe10-\\ufefe\\uff00-\\uff9f\\uffa1-\\uffef\\ufffc-\\ufffd\u{10000}-\u{1bc9f}\u{1bca4}-\u{1d172}\u{1d17b}-\u{1fffd}\u{20000}-\u{2fffd}\u{30000}-\u{3134f}][\\ufe0e\\ufe0f]?)*)*$"
        )
    )]
    pub name: String,
    /// For example "linux"; at most 64 characters.
    #[serde(default)]
    #[cfg_attr(
        feature = "openapi",
        schema(max_length = 64, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$")
    )]
    pub platform: String,
}

/// Answer to a sign-up or login.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignedIn {
    /// The user's id.
    #[cfg_attr(feature = "openapi", schema(format = "uuid"))]
    pub user_id: String,
    /// The user's name.
    pub name: String,
    /// The device's id.
    #[cfg_attr(feature = "openapi", schema(format = "uuid"))]
    pub device_id: String,
    /// The session token, 64 hex digits: the secret of `Hello.token` (its 32
    /// bytes) and of `Authorization: Bearer`. Not there when it is in a cookie.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[cfg_attr(feature = "openapi", schema(pattern = "^[0-9a-f]{64}$"))]
    pub token: String,
}

impl std::fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignedIn").field("user_id", &self.user_id).finish_non_exhaustive()
    }
}

/// Answer to `POST /v1/ticket`: what opens one session instead of the token.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Ticket {
    /// 64 hex digits for the query of a WebSocket's URL. Good once.
    #[cfg_attr(feature = "openapi", schema(pattern = "^[0-9a-f]{64}$"))]
    pub ticket: String,
    /// Until when.
    pub expires_ms: u64,
}

/// Answer to `GET /v1/sign-ins`: the accounts a browser holds cookies for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignIns {
    /// By slot.
    pub sign_ins: Vec<SignIn>,
}

/// One account that a browser is signed in to.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignIn {
    /// What `Parley-Account` is for it.
    #[cfg_attr(feature = "openapi", schema(maximum = 7))]
    pub slot: u8,
    /// The user's id.
    #[cfg_attr(feature = "openapi", schema(format = "uuid"))]
    pub user_id: String,
    /// The user's name.
    pub name: String,
    /// The device's id.
    #[cfg_attr(feature = "openapi", schema(format = "uuid"))]
    pub device_id: String,
}

/// Answer to `GET /v1/account`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Account {
    /// The user's id.
    #[cfg_attr(feature = "openapi", schema(format = "uuid"))]
    pub user_id: String,
    /// The user's name.
    pub name: String,
    /// When the account was made.
    pub created_ms: u64,
    /// The device that asks.
    #[cfg_attr(feature = "openapi", schema(format = "uuid"))]
    pub device_id: String,
}

/// Answer to `GET /v1/devices`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Devices {
    /// The account's devices, oldest first.
    pub devices: Vec<Device>,
}

/// One device of the account.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Device {
    /// The device's id; `DELETE /v1/devices/{device_id}` signs it out.
    #[cfg_attr(feature = "openapi", schema(format = "uuid"))]
    pub device_id: String,
    /// Its name.
    pub name: String,
    /// Its platform.
    pub platform: String,
    /// When it first signed in.
    pub created_ms: u64,
    /// Whether it is the one that asks.
    pub current: bool,
    /// How many sessions it has open now.
    pub sessions: u32,
    /// When it was last active, to the minute; 0 when unknown.
    #[serde(default)]
    pub last_active_ms: u64,
    /// When somebody last signed in under its name; 0 when unknown.
    #[serde(default)]
    pub signed_in_ms: u64,
    /// From where: an IPv4 address or the /64 of an IPv6 one; empty when unknown.
    #[serde(default)]
    pub signed_in_from: String,
    /// How many tokens it has: as often somebody signed in under its name, at most
    /// eight.
    #[serde(default)]
    pub tokens: u32,
}

/// Body of `POST /v1/account/password`.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    /// The password as it is. Never logged.
    #[cfg_attr(
        feature = "openapi",
        schema(min_length = 8, max_length = 256, pattern = "^([ -~]{8,256}|[\\s\\S]{8,64})$")
    )]
    pub old: String,
    /// The password from now on: 8 to 256 bytes. Never logged.
    #[cfg_attr(
        feature = "openapi",
        schema(min_length = 8, max_length = 256, pattern = "^([ -~]{8,256}|[\\s\\S]{8,64})$")
    )]
    pub new: String,
}

/// Answer to what ends every other token of the account: the asking one was
/// replaced as well.
#[derive(Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct Renewed {
    /// The session token from now on, 64 hex digits; the one that asked works no
    /// more. Not there when it is in a cookie.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[cfg_attr(feature = "openapi", schema(pattern = "^[0-9a-f]{64}$"))]
    pub token: String,
}

/// Body of `DELETE /v1/account`.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// The account's password. Never logged.
    #[cfg_attr(
        feature = "openapi",
        schema(min_length = 8, max_length = 256, pattern = "^([ -~]{8,256}|[\\s\\S]{8,64})$")
    )]
    pub password: String,
}

/// Answer to `GET /v1/users/{name}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FoundUser {
    /// The user's id.
    #[cfg_attr(feature = "openapi", schema(format = "uuid"))]
    pub user_id: String,
    /// The user's name.
    pub name: String,
}

/// What somebody says about themselves, as far as the asker may know.
#[derive(Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct Profile {
    /// The user's id.
    #[cfg_attr(feature = "openapi", schema(format = "uuid"))]
    pub user_id: String,
    /// The unique name.
    pub name: String,
    /// What they want to be called; empty: the name.
    pub display_name: String,
    /// What they say about themselves.
    pub about: String,
    /// Where the picture is.
    pub picture: String,
    /// The phone number, for those who may see it.
    pub phone: String,
    /// The e-mail address, for those who may see it.
    pub email: String,
    /// The account was deleted; all else but the id is empty.
    pub deleted: bool,
}

/// Answer to `GET /v1/profile`.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OwnProfile {
    /// The profile.
    pub profile: Profile,
    /// How the account behaves towards others.
    pub settings: Settings,
    /// Changes whenever profile, settings, contacts or blocks do.
    pub revision: u64,
}

/// Body of `PATCH /v1/profile`: what is not given stays.
#[derive(Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ProfileChange {
    /// At most 64 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "openapi",
        schema(
            max_length = 64,
            pattern = "^(?:(?:[ -~]|[\\u00a0-\\u00ac\\u00ae-\\u034e\\u0350-\\u061b\\u061d-\\u115e\\u1161-\\u17b3\\u17b6-\\u180a\\u1810-\\u200a\\u2010-\\u2027\\u202f-\\u205f\\u2070-\\u3163\\u3165-\\ud7ff\\uf900-\\ufdcf\\ufdf0-\\ufdff\\ufe10-\\ufefe\\uff00-\\uff9f\\uffa1-\\uffef\\ufffc-\\ufffd\u{10000}-\u{1bc9f}\u{1bca4}-\u{1d172}\u{1d17b}-\u{1fffd}\u{20000}-\u{2fffd}\u{30000}-\u{3134f}][\\ufe0e\\ufe0f]?(?:[\\u200c\\u200d][\\u00a0-\\u00ac\\u00ae-\\u034e\\u0350-\\u061b\\u061d-\\u115e\\u1161-\\u17b3\\u17b6-\\u180a\\u1810-\\u200a\\u2010-\\u2027\\u202f-\\u205f\\u2070-\\u3163\\u3165-\\ud7ff\\uf900-\\ufdcf\\ufdf0-\\ufdff\\ufe10-\\ufefe\\uff00-\\uff9f\\uffa1-\\uffef\\ufffc-\\ufffd\u{10000}-\u{1bc9f}\u{1bca4}-\u{1d172}\u{1d17b}-\u{1fffd}\u{20000}-\u{2fffd}\u{30000}-\u{3134f}][\\ufe0e\\ufe0f]?)*)*(?:[!-~]|[\\u00a1-\\u00ac\\u00ae-\\u02ff\\u0370-\\u061b\\u061d-\\u115e\\u1161-\\u167f\\u1681-\\u17b3\\u17b6-\\u180a\\u1810-\\u1fff\\u2010-\\u2027\\u2030-\\u205e\\u2070-\\u27ff\\u2801-\\u2fff\\u3001-\\u3163\\u3165-\\ud7ff\\uf900-\\ufdcf\\ufdf0-\\ufdff\\ufe10-\\ufefe\\uff00-\\uff9f\\uffa1-\\uffef\\ufffc-\\ufffd\u{10000}-\u{1bc9f}\u{1bca4}-\u{1d172}\u{1d17b}-\u{1fffd}\u{20000}-\u{2fffd}\u{30000}-\u{3134f}][\\ufe0e\\ufe0f]?(?:[\\u200c\\u200d][\\u00a0-\\u00ac\\u00ae-\\u034e\\u0350-\\u061b\\u061d-\\u115e\\u1161-\\u17b3\\u17b6-\\u180a\\u1810-\\u200a\\u2010-\\u2027\\u202f-\\u205f\\u2070-\\u3163\\u3165-\\ud7ff\\uf900-\\ufdcf\\ufdf0-\\ufdff\\ufe10-\\ufefe\\uff00-\\uff9f\\uffa1-\\uffef\\ufffc-\\ufffd\u{10000}-\u{1bc9f}\u{1bca4}-\u{1d172}\u{1d17b}-\u{1fffd}\u{20000}-\u{2fffd}\u{30000}-\u{3134f}][\\ufe0e\\ufe0f]?)*)(?:[ -~]|[\\u00a0-\\u00ac\\u00ae-\\u034e\\u0350-\\u061b\\u061d-\\u115e\\u1161-\\u17b3\\u17b6-\\u180a\\u1810-\\u200a\\u2010-\\u2027\\u202f-\\u205f\\u2070-\\u3163\\u3165-\\ud7ff\\uf900-\\ufdcf\\ufdf0-\\ufdff\\ufe10-\\ufefe\\uff00-\\uff9f\\uffa1-\\uffef\\ufffc-\\ufffd\u{10000}-\u{1bc9f}\u{1bca4}-\u{1d172}\u{1d17b}-\u{1fffd}\u{20000}-\u{2fffd}\u{30000}-\u{3134f}][\\ufe0e\\ufe0f]?(?:[\\u200c\\u200d][\\u00a0-\\u00ac\\u00ae-\\u034e\\u0350-\\u061b\\u061d-\\u115e\\u1161-\\u17b3\\u17b6-\\u180a\\u1810-\\u200a\\u2010-\\u2027\\u202f-\\u205f\\u2070-\\u3163\\u3165-\\ud7ff\\uf900-\\ufdcf\\ufdf0-\\ufdff\\ufe10-\\ufefe\\uff00-\\uff9f\\uffa1-\\uffef\\ufffc-\\ufffd\u{10000}-\u{1bc9f}\u{1bca4}-\u{1d172}\u{1d17b}-\u{1fffd}\u{20000}-\u{2fffd}\u{30000}-\u{3134f}][\\ufe0e\\ufe0f]?)*)*)?$"
        )
    )]
    pub display_name: Option<String>,
    /// At most 500 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "openapi",
        schema(
            max_length = 500,
            pattern = "^(?:[\\t\\n\\r -~]|[\\u00a0-\\u00ac\\u00ae-\\u034e\\u0350-\\u061b\\u061d-\\u115e\\u1161-\\u17b3\\u17b6-\\u180a\\u1810-\\u200a\\u2010-\\u2027\\u202f-\\u205f\\u2070-\\u3163\\u3165-\\ud7ff\\uf900-\\ufdcf\\ufdf0-\\ufdff\\ufe10-\\ufefe\\uff00-\\uff9f\\uffa1-\\uffef\\ufffc-\\ufffd\u{10000}-\u{1bc9f}\u{1bca4}-\u{1d172}\u{1d17b}-\u{1fffd}\u{20000}-\u{2fffd}\u{30000}-\u{3134f}][\\ufe0e\\ufe0f]?(?:[\\u200c\\u200d][\\u00a0-\\u00ac\\u00ae-\\u034e\\u0350-\\u061b\\u061d-\\u115e\\u1161-\\u17b3\\u17b6-\\u180a\\u1810-\\u200a\\u2010-\\u2027\\u202f-\\u205f\\u2070-\\u3163\\u3165-\\ud7ff\\uf900-\\ufdcf\\ufdf0-\\ufdff\\ufe10-\\ufefe\\uff00-\\uff9f\\uffa1-\\uffef\\ufffc-\\ufffd\u{10000}-\u{1bc9f}\u{1bca4}-\u{1d172}\u{1d17b}-\u{1fffd}\u{20000}-\u{2fffd}\u{30000}-\u{3134f}][\\ufe0e\\ufe0f]?)*)*$"
        )
    )]
    pub about: Option<String>,
    /// At most 512 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "openapi",
        schema(max_length = 512, pattern = "^([ -~]*|[\\s\\S]{0,128})$")
    )]
    pub picture: Option<String>,
    /// At most 64 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "openapi",
        schema(
            max_length = 64,
            pattern = "^(?:[ -~]*|(?:[ -~]|[\\u00a0-\\u00ac\\u00ae-\\u034e\\u0350-\\u061b\\u061d-\\u115e\\u1161-\\u17b3\\u17b6-\\u180a\\u1810-\\u200a\\u2010-\\u2027\\u202f-\\u205f\\u2070-\\u3163\\u3165-\\ud7ff\\uf900-\\ufdcf\\ufdf0-\\ufdff\\ufe10-\\ufefe\\uff00-\\uff9f\\uffa1-\\uffef\\ufffc-\\ufffd\u{10000}-\u{1bc9f}\u{1bca4}-\u{1d172}\u{1d17b}-\u{1fffd}\u{20000}-\u{2fffd}\u{30000}-\u{3134f}]){0,16})$"
        )
    )]
    pub phone: Option<String>,
    /// At most 254 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "openapi",
        schema(
            max_length = 254,
            pattern = "^(?:[ -~]*|(?:[ -~]|[\\u00a0-\\u00ac\\u00ae-\\u034e\\u0350-\\u061b\\u061d-\\u115e\\u1161-\\u17b3\\u17b6-\\u180a\\u1810-\\u200a\\u2010-\\u2027\\u202f-\\u205f\\u2070-\\u3163\\u3165-\\ud7ff\\uf900-\\ufdcf\\ufdf0-\\ufdff\\ufe10-\\ufefe\\uff00-\\uff9f\\uffa1-\\uffef\\ufffc-\\ufffd\u{10000}-\u{1bc9f}\u{1bca4}-\u{1d172}\u{1d17b}-\u{1fffd}\u{20000}-\u{2fffd}\u{30000}-\u{3134f}]){0,63})$"
        )
    )]
    pub email: Option<String>,
}

/// Whom the user lets see or do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// Anybody.
    Everyone,
    /// Those in the user's own contact list.
    Contacts,
    /// Nobody.
    Nobody,
}

/// How an account behaves towards others. As body of `PATCH /v1/settings`, what
/// is not given stays; answers give all of it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Who sees whether the user is online and when they were last seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub presence: Option<Audience>,
    /// Who sees the phone number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<Audience>,
    /// Who sees the e-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<Audience>,
    /// Who may add the user to groups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_adds: Option<Audience>,
    /// Whose first message comes without asking.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages: Option<Audience>,
    /// Whether others learn what the user has read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_receipts: Option<bool>,
    /// Whether others learn that the user is typing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub typing: Option<bool>,
}

/// Answer to what changes profile, settings, contacts or blocks.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Revision {
    /// The account's revision now.
    pub revision: u64,
}

/// Answer to `GET /v1/contacts` and `GET /v1/blocks`.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct People {
    /// In order of id, with their names only.
    pub people: Vec<Profile>,
}

/// Body of `POST /v1/reports`.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Whom it is about.
    #[cfg_attr(feature = "openapi", schema(format = "uuid"))]
    pub user_id: String,
    /// Where it happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(format = "uuid"))]
    pub conversation_id: Option<String>,
    /// The messages, at most 100.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(max_items = 100))]
    pub seqs: Vec<u64>,
    /// 1 to 1,000 characters.
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 1000))]
    pub reason: String,
}

macro_rules! quiet {
    ($($body:ident)*) => {
        // Secrets, and what people say of themselves and of others, stay out of
        // debug output, and so out of logs.
        $(impl std::fmt::Debug for $body {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($body)).finish_non_exhaustive()
            }
        })*
    };
}

quiet! { Ticket Renewed Profile OwnProfile ProfileChange People Report PasswordChange Confirmation }

/// Answer to `GET /v1/discovery`: where to connect, best first.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Discovery {
    /// The nodes that take clients.
    pub nodes: Vec<DiscoveredNode>,
    /// How long a client may keep this answer.
    pub ttl_ms: u64,
}

/// One node that takes clients.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DiscoveredNode {
    /// Its URLs, for example `quic://host:7443`, best transport first.
    pub urls: Vec<String>,
    /// Whether it is closing and wants no new clients.
    pub draining: bool,
    /// From 0 (idle) to 100 (full).
    #[cfg_attr(feature = "openapi", schema(maximum = 100))]
    pub load: u8,
    /// Where browsers find WebTransport, if the server has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wt: Option<WebTransport>,
}

/// WebTransport of one node.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WebTransport {
    /// The URL, to which a ticket is added: `https://host:7443/v1/wt`.
    pub url: String,
    /// SHA-256 of the certificate in base64, for `serverCertificateHashes`. Not
    /// there when the certificate is one that browsers trust by themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_sha256: Option<String>,
}

/// Body of every failed request.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErrorBody {
    /// The error.
    pub error: ErrorDetail,
}

/// What went wrong, from the error table.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErrorDetail {
    /// Its number.
    pub code: u32,
    /// Its name.
    pub name: String,
    /// For a person.
    pub text: String,
    /// `retry_now`, `retry_after`, `stop` or `sign_in`.
    pub retry: String,
    /// With `retry_after`: how long to wait, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}
