//! What a script is told: one JSON object on a line, with one main key.
//!
//! Ids are text, times Unix milliseconds, users are named by their names.
//! Fields may be added; scripts pass over what they don't know. The terminal
//! reads the same reports to show what was asked for by a slash command.

mod group;
mod message;
mod names;
mod of;
mod people;

use parley_client::{Session, State};
use serde::Serialize;

pub(crate) use self::group::{AboutReport, ChangeReport, GroupReport, InviteReport};
pub(crate) use self::message::{
    ConversationReport, DamagedReport, DeedReport, HiddenReport, HistoryAbout, HistoryItem,
    MemberReceiptReport, MessageReport, MovedReport, PreferencesReport, ReceiptReport,
    ReceiptsReport, SentReport, TypingReport, UnknownReport,
};
pub(crate) use self::names::Names;
pub(crate) use self::of::{
    about_report, device_report, history_items, invite_report, preview_report, profile_report,
};
pub(crate) use self::people::{
    AccountReport, AccountSettingsReport, DeviceReport, PresenceDone, PresenceReport,
    ProfileReport, SignInReport, UserReport,
};
use crate::chat::link::code_and_name;

/// One line of output.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Report {
    Ready(Ready),
    State(StateReport),
    Message(MessageReport),
    Edit(DeedReport),
    Delete(DeedReport),
    Reaction(DeedReport),
    Pin(DeedReport),
    /// Messages the user deleted for themselves; the key is `delete` too.
    #[serde(rename = "delete")]
    Hidden(HiddenReport),
    Group(Box<GroupReport>),
    UnknownEntry(UnknownReport),
    DamagedEntry(DamagedReport),
    Reset(ResetReport),
    Sent(SentReport),
    Read(MovedReport),
    Delivered(MovedReport),
    Conversation(Box<ConversationReport>),
    Preferences(PreferencesReport),
    Receipt(ReceiptReport),
    Receipts(ReceiptsReport),
    Typing(TypingReport),
    Presence(PresenceReport),
    #[serde(rename = "presence")]
    PresenceDone(PresenceDone),
    Profile(Box<ProfileReport>),
    Contact(UserReport),
    Block(UserReport),
    Unblock(UserReport),
    #[serde(rename = "report")]
    Reported(UserReport),
    Settings(AccountSettingsReport),
    Account(AccountReport),
    SignedIn(SignInReport),
    /// One line of the account's export, as the server wrote it.
    Export(serde_json::Value),
    FellBack(FellBackReport),
    Lagged(LaggedReport),
    Error(ErrorReport),
    #[serde(untagged)]
    History {
        history: Vec<HistoryItem>,
        #[serde(flatten)]
        about: HistoryAbout,
    },
    #[serde(untagged)]
    Conversations {
        conversations: Vec<ConversationReport>,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
    },
    #[serde(untagged)]
    Contacts {
        contacts: Vec<ProfileReport>,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
    },
    #[serde(untagged)]
    Blocked {
        blocked: Vec<ProfileReport>,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
    },
    #[serde(untagged)]
    Devices {
        devices: Vec<DeviceReport>,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
    },
}

#[derive(Debug, Serialize)]
pub(crate) struct Ready {
    user: String,
    user_id: String,
    device: String,
    device_id: String,
    transport: String,
    server: String,
    text_chars: u32,
}

#[derive(Debug, Serialize)]
pub(crate) struct StateReport {
    name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    transport: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_in_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorReport>,
}

#[derive(Debug, Serialize)]
pub(crate) struct FellBackReport {
    pub(crate) from: String,
    pub(crate) to: String,
}

/// What this device held was dropped: the server has another store.
#[derive(Debug, Serialize)]
pub(crate) struct ResetReport {
    /// All of it, when none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) conversation: Option<String>,
    pub(crate) reason: &'static str,
}

/// Events that were missed; the log still has everything.
#[derive(Debug, Serialize)]
pub(crate) struct LaggedReport {
    pub(crate) missed: u64,
}

#[derive(Debug, Serialize)]
pub(crate) struct ErrorReport {
    pub(crate) code: u32,
    pub(crate) name: String,
    pub(crate) text: String,
    /// How long to wait before trying again, when the server says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retry_after_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
}

impl Report {
    pub(crate) fn ready(session: &Session, device: &str, server: &str) -> Self {
        Self::Ready(Ready {
            user: session.user.name.to_string(),
            user_id: session.user.id.to_string(),
            device: device.to_owned(),
            device_id: session.device.to_string(),
            transport: session.transport.to_string(),
            server: server.to_owned(),
            text_chars: session.text_chars,
        })
    }

    pub(crate) fn state(state: &State) -> Self {
        let mut report =
            StateReport { name: "unknown", transport: None, retry_in_ms: None, error: None };
        match state {
            State::Idle => report.name = "idle",
            State::SigningIn => report.name = "signing_in",
            State::Connecting => report.name = "connecting",
            State::Handshaking => report.name = "handshaking",
            State::Ready(session) => {
                report.name = "ready";
                report.transport = Some(session.transport.to_string());
            }
            State::Waiting { retry_in, error } => {
                report.name = "waiting";
                report.retry_in_ms = u64::try_from(retry_in.as_millis()).ok();
                report.error = Some(ErrorReport::of(error, None));
            }
            State::Draining => report.name = "draining",
            State::Closed(error) => {
                report.name = "closed";
                report.error = error.as_ref().map(|error| ErrorReport::of(error, None));
            }
            _ => {}
        }
        Self::State(report)
    }

    pub(crate) fn error(error: &parley_client::Error, id: Option<String>) -> Self {
        Self::Error(ErrorReport::of(error, id))
    }

    /// The line as it is written, with its end.
    pub(crate) fn to_line(&self) -> Option<Vec<u8>> {
        let mut line = serde_json::to_vec(self).ok()?;
        line.push(b'\n');
        Some(line)
    }
}

impl ErrorReport {
    fn of(error: &parley_client::Error, id: Option<String>) -> Self {
        let (code, name) = code_and_name(error);
        let retry_after_ms =
            error.retry_after().and_then(|wait| u64::try_from(wait.as_millis()).ok());
        Self { code, name, text: error.to_string(), retry_after_ms, id }
    }
}

/// What is false is left out of a line.
fn is_false(flag: &bool) -> bool {
    !flag
}

#[cfg(test)]
mod tests;
