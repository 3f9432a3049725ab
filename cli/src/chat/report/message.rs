//! Messages, what was done to them, and lines of the conversation list.

use serde::Serialize;

use super::is_false;

/// A message as it stands.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(PartialEq))]
pub(crate) struct MessageReport {
    pub(crate) conversation: String,
    pub(crate) seq: u64,
    pub(crate) from: String,
    /// Empty when it was deleted.
    pub(crate) text: String,
    pub(crate) time_ms: u64,
    pub(crate) own: bool,
    /// Seq of the message it answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reply_to: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) mentions: Vec<MentionReport>,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) forwarded: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) edited: bool,
    /// For all, or by this user for themselves.
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) deleted: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) pinned: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) reactions: Vec<ReactionsReport>,
}

/// A part of a text that names somebody, in characters.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(PartialEq))]
pub(crate) struct MentionReport {
    /// The name, or the id where the name isn't known; absent for everyone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<String>,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) everyone: bool,
    pub(crate) start: u32,
    pub(crate) length: u32,
}

/// One reaction and who gave it.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(test, derive(PartialEq))]
pub(crate) struct ReactionsReport {
    pub(crate) emoji: String,
    pub(crate) users: Vec<String>,
}

/// Something that was done to a message, by an entry of its own.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct DeedReport {
    pub(crate) conversation: String,
    /// The message it was done to.
    pub(crate) seq: u64,
    #[serde(flatten)]
    pub(crate) deed: Deed,
    pub(crate) from: String,
    pub(crate) time_ms: u64,
    pub(crate) own: bool,
    /// The entry that did it.
    pub(crate) entry_seq: u64,
}

/// What was done to a message.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub(crate) enum Deed {
    Edit {
        text: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        mentions: Vec<MentionReport>,
    },
    Delete {
        r#for: &'static str,
    },
    Reaction {
        emoji: String,
        removed: bool,
    },
    Pin {
        removed: bool,
    },
}

/// An entry of a kind this build doesn't know.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct UnknownReport {
    pub(crate) conversation: String,
    pub(crate) seq: u64,
    pub(crate) from: String,
    pub(crate) kind: u32,
    pub(crate) time_ms: u64,
}

/// An entry that the server can't read any more.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct DamagedReport {
    pub(crate) conversation: String,
    pub(crate) seq: u64,
    pub(crate) damaged: bool,
}

/// An entry of a history that is no message: what stands beside it in common,
/// and one field that says what it is.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct EventItem {
    pub(crate) conversation: String,
    pub(crate) seq: u64,
    pub(crate) from: String,
    pub(crate) time_ms: u64,
    pub(crate) own: bool,
    #[serde(flatten)]
    pub(crate) event: ItemEvent,
}

impl EventItem {
    /// The text that a message got, if it was an edit.
    pub(crate) fn edited_text(&self) -> Option<&str> {
        match &self.event {
            ItemEvent::Edit(ItemDeed { deed: Deed::Edit { text, .. }, .. }) => Some(text),
            _ => None,
        }
    }
}

/// What an entry of a history is.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ItemEvent {
    Edit(ItemDeed),
    Delete(ItemDeed),
    Reaction(ItemDeed),
    Pin(ItemDeed),
    Group(super::group::ChangeReport),
}

/// What a history says of something done to a message.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ItemDeed {
    /// The message it was done to.
    pub(crate) seq: u64,
    #[serde(flatten)]
    pub(crate) deed: Deed,
}

#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub(crate) enum HistoryItem {
    Message(MessageReport),
    Event(EventItem),
    Unknown(UnknownReport),
    Damaged(DamagedReport),
}

/// What stands beside the list of a history.
#[derive(Debug, Default, Serialize)]
pub(crate) struct HistoryAbout {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) conversation: Option<String>,
    pub(crate) last_seq: u64,
    pub(crate) at_start: bool,
    pub(crate) at_end: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct SentReport {
    pub(crate) id: String,
    pub(crate) conversation: String,
    pub(crate) seq: u64,
    pub(crate) time_ms: u64,
    pub(crate) duplicate: bool,
}

/// Answers a move of an own cursor.
#[derive(Debug, Serialize)]
pub(crate) struct MovedReport {
    pub(crate) conversation: String,
    pub(crate) up_to: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
}

/// Answers a deletion for oneself.
#[derive(Debug, Serialize)]
pub(crate) struct HiddenReport {
    pub(crate) conversation: String,
    pub(crate) seqs: Vec<u64>,
    pub(crate) r#for: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct ConversationReport {
    pub(crate) conversation: String,
    /// `direct` or `group`; absent until known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<&'static str>,
    /// The other user's name; absent until known, and in groups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) with: Option<String>,
    /// Groups only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) title: Option<String>,
    /// The user's own; groups only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) role: Option<&'static str>,
    /// No longer a member.
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) former: bool,
    /// A stranger began it and it was not taken up.
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) request: bool,
    pub(crate) last_seq: u64,
    pub(crate) unread: u64,
    pub(crate) mentions: u64,
    pub(crate) read: u64,
    pub(crate) peer_delivered: u64,
    pub(crate) peer_read: u64,
    pub(crate) last_time_ms: u64,
    /// Muted at this moment.
    pub(crate) muted: bool,
    pub(crate) archived: bool,
    pub(crate) pinned: bool,
    pub(crate) marked_unread: bool,
}

/// What the user set for a conversation.
#[derive(Debug, Serialize)]
pub(crate) struct PreferencesReport {
    pub(crate) conversation: String,
    pub(crate) muted_until_ms: u64,
    pub(crate) archived: bool,
    pub(crate) pinned: bool,
    pub(crate) marked_unread: bool,
    pub(crate) level: &'static str,
    pub(crate) draft: String,
    pub(crate) draft_reply_to: u64,
    pub(crate) cleared_up_to: u64,
    pub(crate) accepted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct ReceiptReport {
    pub(crate) conversation: String,
    pub(crate) user: String,
    pub(crate) user_id: String,
    pub(crate) delivered: u64,
    pub(crate) read: u64,
    pub(crate) time_ms: u64,
}

/// Who has a message, and since when.
#[derive(Debug, Serialize)]
pub(crate) struct ReceiptsReport {
    pub(crate) conversation: String,
    pub(crate) seq: u64,
    pub(crate) members: Vec<MemberReceiptReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
}

/// Times are 0 for not yet.
#[derive(Debug, Serialize)]
pub(crate) struct MemberReceiptReport {
    pub(crate) user: String,
    pub(crate) delivered_ms: u64,
    pub(crate) read_ms: u64,
}

#[derive(Debug, Serialize)]
pub(crate) struct TypingReport {
    pub(crate) conversation: String,
    pub(crate) user: String,
    pub(crate) user_id: String,
    pub(crate) active: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
}
