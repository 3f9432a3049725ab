//! What a conversation is: shard, kind, conversation → [`ConversationRow`].

use bytes::Bytes;
use parley_protocol::ids::{ConversationId, ShardId};

use crate::storage::store::engine::{Order, Scan, Write};
use crate::storage::store::keys::{Key, RowKey, Table};
use crate::storage::store::{Place, Store, StoreError};

/// A conversation: who is in it and how it works.
#[derive(Clone, PartialEq, Eq, prost::Message)]
#[prost(skip_debug)]
pub struct ConversationRow {
    /// A number of `wire::ConversationKind`.
    #[prost(uint32, tag = "1")]
    pub kind: u32,
    /// Members and former members.
    #[prost(message, repeated, tag = "2")]
    pub members: Vec<MemberRow>,
    /// When its first entry was stamped, Unix milliseconds.
    #[prost(uint64, tag = "3")]
    pub created_ms: u64,
    /// A group's title.
    #[prost(string, tag = "4")]
    pub title: String,
    /// What a group is about.
    #[prost(string, tag = "5")]
    pub description: String,
    /// Where a group's picture is.
    #[prost(string, tag = "6")]
    pub picture: String,
    /// How it works; absent: as at first.
    #[prost(message, optional, tag = "7")]
    pub settings: Option<SettingsRow>,
    /// Seqs of the pinned messages, ascending.
    #[prost(uint64, repeated, tag = "8")]
    pub pinned: Vec<u64>,
    /// Nobody sees entries up to this seq.
    #[prost(uint64, tag = "9")]
    pub erased_up_to: u64,
    /// For how long entries are kept.
    #[prost(message, repeated, tag = "10")]
    pub periods: Vec<PeriodRow>,
    /// Newcomers see entries from this seq on; 0 when they see only what follows
    /// their joining.
    #[prost(uint64, tag = "11")]
    pub open_from: u64,
    /// Who may not come in, 16 bytes each.
    #[prost(bytes = "bytes", repeated, tag = "12")]
    pub banned: Vec<Bytes>,
    /// Whether `periods` and `open_from` say it. Rows from before have only
    /// `settings`.
    #[prost(bool, tag = "13")]
    pub dated: bool,
    /// Seqs of entries whose time is lower than that of the one before, ascending.
    #[prost(uint64, repeated, tag = "14")]
    pub turns: Vec<u64>,
}

/// A run of seqs that are kept for the same time.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct PeriodRow {
    /// Whose entries, 16 bytes; everybody's when empty.
    #[prost(bytes = "bytes", tag = "1")]
    pub of: Bytes,
    /// It covers entries above this seq.
    #[prost(uint64, tag = "2")]
    pub after: u64,
    /// The last seq it covers; 0 while it is in force.
    #[prost(uint64, tag = "3")]
    pub up_to: u64,
    /// For how many seconds they are kept.
    #[prost(uint64, tag = "4")]
    pub retention_s: u64,
}

/// Without title and description: they are people's words.
impl std::fmt::Debug for ConversationRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConversationRow")
            .field("kind", &self.kind)
            .field("members", &self.members.len())
            .finish_non_exhaustive()
    }
}

/// Somebody who is or was a member.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct MemberRow {
    /// The user, 16 bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub user: Bytes,
    /// Seq of the entry that brought them in.
    #[prost(uint64, tag = "2")]
    pub joined_seq: u64,
    /// 0 member, 1 admin, 2 owner.
    #[prost(uint32, tag = "3")]
    pub role: u32,
    /// Messages up to `joined_seq`.
    #[prost(uint64, tag = "4")]
    pub joined_ordinal: u64,
    /// Entries up to this seq are not theirs to see.
    #[prost(uint64, tag = "5")]
    pub sees_after: u64,
    /// Seq of the entry that put them out; 0 while they are in.
    #[prost(uint64, tag = "6")]
    pub left_seq: u64,
}

/// How a conversation works. Roles as in [`MemberRow`].
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct SettingsRow {
    /// Who sends.
    #[prost(uint32, tag = "1")]
    pub send: u32,
    /// Who adds people.
    #[prost(uint32, tag = "2")]
    pub add: u32,
    /// Who changes info and pins.
    #[prost(uint32, tag = "3")]
    pub edit_info: u32,
    /// Newcomers see everything.
    #[prost(bool, tag = "4")]
    pub history_for_newcomers: bool,
    /// Seconds after which entries are erased; 0 for never.
    #[prost(uint64, tag = "5")]
    pub retention_s: u64,
}

/// The write that creates or replaces the row.
#[must_use]
pub fn put(Place { shard, conversation }: Place, row: &ConversationRow) -> Write {
    super::put(&RowKey::Conversation { shard, conversation }, row)
}

impl Store {
    /// The conversations of a shard above `after`, by id, at most `limit`, but for
    /// those whose rows can't be read.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn conversations(
        &self,
        shard: ShardId,
        after: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<(ConversationId, ConversationRow)>, StoreError> {
        let prefix = Key::prefix(Table::Conversations, shard);
        let (from, to) = super::under(&prefix);
        let from = match after {
            // No key is between an id and the same with a zero behind it.
            Some(after) => prefix.with(after.as_bytes()).with(&[0]),
            None => from,
        };
        let scan = Scan { from, to, order: Order::Ascending, rows: limit, bytes: usize::MAX };
        self.readable_rows(Table::Conversations, &scan, |key, row| match key {
            RowKey::Conversation { conversation, .. } => Some((conversation, row)),
            _ => None,
        })
    }

    /// What the conversation is.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn conversation(
        &self,
        Place { shard, conversation }: Place,
    ) -> Result<Option<ConversationRow>, StoreError> {
        self.row(&RowKey::Conversation { shard, conversation })
    }
}
