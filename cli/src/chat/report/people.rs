//! People, the account and its devices.

use serde::Serialize;

use super::is_false;

#[derive(Debug, Clone, Serialize)]
pub(crate) struct PresenceReport {
    pub(crate) user: String,
    pub(crate) user_id: String,
    pub(crate) online: bool,
    /// 0 when unknown or hidden.
    pub(crate) last_seen_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
}

/// Answers what is no question about presence.
#[derive(Debug, Serialize)]
pub(crate) struct PresenceDone {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unsubscribed: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) background: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
}

/// What somebody says about themselves; what the asker may not see is empty.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ProfileReport {
    pub(crate) user: String,
    pub(crate) user_id: String,
    pub(crate) display_name: String,
    pub(crate) about: String,
    pub(crate) picture: String,
    pub(crate) phone: String,
    pub(crate) email: String,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) deleted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
}

/// Answers what was done about somebody.
#[derive(Debug, Serialize)]
pub(crate) struct UserReport {
    pub(crate) user: String,
    /// Whether they are in the list of contacts now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) contact: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
}

/// How the account behaves towards others.
#[derive(Debug, Serialize)]
pub(crate) struct AccountSettingsReport {
    pub(crate) presence: &'static str,
    pub(crate) phone: &'static str,
    pub(crate) email: &'static str,
    pub(crate) group_adds: &'static str,
    pub(crate) messages: &'static str,
    pub(crate) read_receipts: bool,
    pub(crate) typing: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct DeviceReport {
    pub(crate) device_id: String,
    pub(crate) name: String,
    pub(crate) platform: String,
    pub(crate) created_ms: u64,
    /// 0 when unknown.
    pub(crate) last_active_ms: u64,
    pub(crate) current: bool,
    pub(crate) sessions: u32,
}

/// Something about the account as a whole.
#[derive(Debug, Default, Serialize)]
pub(crate) struct AccountReport {
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) password_changed: bool,
    /// Lines of the export.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) exported: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<String>,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) deleted: bool,
    /// Another device changed profile, settings, contacts or blocks.
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) changed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
}

/// Somebody signed in to the user's account.
#[derive(Debug, Serialize)]
pub(crate) struct SignInReport {
    /// What the device is called.
    pub(crate) device: String,
    pub(crate) device_id: String,
    /// The account did not have it; otherwise it has one token more.
    pub(crate) new_device: bool,
    pub(crate) time_ms: u64,
}
