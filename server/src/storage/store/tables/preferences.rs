//! What a user set for a conversation: shard, kind, user, conversation →
//! [`PreferencesRow`].

use parley_protocol::ids::{ConversationId, ShardId, UserId};

use crate::storage::store::engine::Write;
use crate::storage::store::keys::RowKey;
use crate::storage::store::{Store, StoreError};

/// What one user set for one conversation. Nobody else sees it.
#[derive(Clone, PartialEq, Eq, prost::Message)]
#[prost(skip_debug)]
pub struct PreferencesRow {
    /// Quiet until then, Unix milliseconds; 2^64-1 for ever.
    #[prost(uint64, tag = "1")]
    pub muted_until_ms: u64,
    /// Put away.
    #[prost(bool, tag = "2")]
    pub archived: bool,
    /// Kept on top.
    #[prost(bool, tag = "3")]
    pub pinned: bool,
    /// Shown as unread whatever was read.
    #[prost(bool, tag = "4")]
    pub marked_unread: bool,
    /// A number of `wire::NotifyLevel`.
    #[prost(int32, tag = "5")]
    pub level: i32,
    /// A message not sent yet.
    #[prost(string, tag = "6")]
    pub draft: String,
    /// What the draft answers.
    #[prost(uint64, tag = "7")]
    pub draft_reply_to: u64,
    /// The user cleared everything up to this seq for themselves.
    #[prost(uint64, tag = "8")]
    pub cleared_up_to: u64,
    /// Countable entries up to `cleared_up_to`: they don't count as unread.
    #[prost(uint64, tag = "9")]
    pub cleared_ordinal: u64,
    /// The user took up what a stranger began.
    #[prost(bool, tag = "10")]
    pub accepted: bool,
    /// Grows with every change, hiding included.
    #[prost(uint64, tag = "11")]
    pub revision: u64,
    /// How many messages the user hid here.
    #[prost(uint32, tag = "12")]
    pub hidden: u32,
}

/// Without the draft: it is what somebody writes.
impl std::fmt::Debug for PreferencesRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PreferencesRow")
            .field("revision", &self.revision)
            .field("cleared_up_to", &self.cleared_up_to)
            .field("accepted", &self.accepted)
            .field("hidden", &self.hidden)
            .field("draft_bytes", &self.draft.len())
            .finish_non_exhaustive()
    }
}

/// The write that creates or replaces the row. `shard` is the user's home.
#[must_use]
pub fn put(
    shard: ShardId,
    user: UserId,
    conversation: ConversationId,
    row: &PreferencesRow,
) -> Write {
    super::put(&RowKey::Preferences { shard, user, conversation }, row)
}

/// The write that deletes the row.
#[must_use]
pub fn delete(shard: ShardId, user: UserId, conversation: ConversationId) -> Write {
    super::delete(&RowKey::Preferences { shard, user, conversation })
}

impl Store {
    /// What the user set for the conversation; nothing without a row that can be read.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn preferences(
        &self,
        shard: ShardId,
        user: UserId,
        conversation: ConversationId,
    ) -> Result<Option<PreferencesRow>, StoreError> {
        self.row_or_lost(&RowKey::Preferences { shard, user, conversation })
    }
}
