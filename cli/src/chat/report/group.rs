//! What a conversation is, who is in it, and what changed of that.

use serde::Serialize;

use super::is_false;

/// A group as it stands, with what just happened to it or was asked of it.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct GroupReport {
    pub(crate) conversation: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(crate) change: Option<ChangeReport>,
    /// Seq and time of the change's entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) time_ms: Option<u64>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(crate) about: Option<AboutReport>,
    /// The link just made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) invite: Option<InviteReport>,
    /// The links that work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) invites: Option<Vec<InviteReport>>,
    /// Who is kept out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) banned: Option<Vec<String>>,
    /// What an invite link leads to.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(crate) preview: Option<PreviewReport>,
}

/// What changed, by whom.
#[derive(Debug, Clone, Default, Serialize)]
#[cfg_attr(test, derive(PartialEq, Eq))]
pub(crate) struct ChangeReport {
    /// `created`, `info`, `added`, `removed`, `banned`, `unbanned`, `left`, `joined`, `role`, `erased`.
    pub(crate) change: &'static str,
    pub(crate) by: String,
    /// Who came, went or got a role.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) users: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) role: Option<&'static str>,
    /// In a history: the title that was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) new_title: Option<String>,
    /// Everything up to here was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) erased_up_to: Option<u64>,
}

/// What a conversation is.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct AboutReport {
    /// `direct` or `group`.
    pub(crate) kind: &'static str,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) picture: String,
    pub(crate) members: Vec<MemberReport>,
    pub(crate) settings: SettingsReport,
    /// Seqs of the pinned messages.
    pub(crate) pinned: Vec<u64>,
    /// The reader is no longer in it.
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) former: bool,
    pub(crate) last_seq: u64,
    /// Entries up to here are gone for this reader.
    pub(crate) first_after: u64,
    pub(crate) created_ms: u64,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct MemberReport {
    pub(crate) user: String,
    pub(crate) user_id: String,
    pub(crate) role: &'static str,
    pub(crate) delivered: u64,
    pub(crate) read: u64,
}

/// How a group works.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct SettingsReport {
    pub(crate) send: &'static str,
    pub(crate) add: &'static str,
    pub(crate) edit_info: &'static str,
    pub(crate) history_for_newcomers: bool,
    pub(crate) retention_s: u64,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct InviteReport {
    /// Names it to revoke it.
    pub(crate) id: String,
    /// What is given to others.
    pub(crate) code: String,
    pub(crate) created_by: String,
    pub(crate) created_ms: u64,
    /// 0 for never.
    pub(crate) expires_ms: u64,
    /// 0 without limit.
    pub(crate) max_uses: u32,
    pub(crate) uses: u32,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct PreviewReport {
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) member_count: u32,
    /// The asker is in it already.
    pub(crate) joined: bool,
}
