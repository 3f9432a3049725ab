//! The JSON bodies of the HTTP API, shared by the server and the Rust SDK.
//!
//! Ids are in their text form, times in Unix milliseconds. Unknown fields of a
//! request are refused, of an answer ignored: clients may be older than the
//! server, never the other way round without a version in the path.

use serde::{Deserialize, Serialize};

/// Body of `POST /v1/accounts` (sign up) and `POST /v1/login`.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// The user name: 3 to 32 of a to z, 0 to 9, dot, dash, underscore.
    pub name: String,
    /// The password: 8 to 256 bytes. Never logged.
    pub password: String,
    /// The device that signs in.
    pub device: DeviceLabel,
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
    pub name: String,
    /// For example "linux"; at most 64 characters.
    #[serde(default)]
    pub platform: String,
}

/// Answer to a sign-up or login.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignedIn {
    /// The user's id.
    pub user_id: String,
    /// The user's name.
    pub name: String,
    /// The device's id.
    pub device_id: String,
    /// The session token, 64 hex digits: the secret of `Hello.token` (its 32
    /// bytes) and of `Authorization: Bearer`.
    pub token: String,
}

impl std::fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignedIn").field("user_id", &self.user_id).finish_non_exhaustive()
    }
}

/// Answer to `GET /v1/account`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Account {
    /// The user's id.
    pub user_id: String,
    /// The user's name.
    pub name: String,
    /// When the account was made.
    pub created_ms: u64,
    /// The device that asks.
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
}

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
    pub load: u8,
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
