//! What a conversation is: shard, kind, conversation → [`ConversationRow`].

use bytes::Bytes;
use parley_protocol::ids::{ConversationId, ShardId};

use crate::store::engine::Write;
use crate::store::keys::RowKey;
use crate::store::{Store, StoreError};

/// A conversation and its members.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct ConversationRow {
    /// A number of `wire::ConversationKind`.
    #[prost(uint32, tag = "1")]
    pub kind: u32,
    /// Members in the order they joined.
    #[prost(message, repeated, tag = "2")]
    pub members: Vec<MemberRow>,
    /// When its first entry was stamped, Unix milliseconds.
    #[prost(uint64, tag = "3")]
    pub created_ms: u64,
}

/// One member.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct MemberRow {
    /// The user, 16 bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub user: Bytes,
    /// Entries from this seq on are theirs to see.
    #[prost(uint64, tag = "2")]
    pub joined_seq: u64,
}

/// The write that creates or replaces the row.
#[must_use]
pub fn put(shard: ShardId, conversation: ConversationId, row: &ConversationRow) -> Write {
    super::put(&RowKey::Conversation { shard, conversation }, row)
}

impl Store {
    /// What the conversation is.
    ///
    /// # Errors
    /// [`StoreError`] when the disk can't be read or the row doesn't decode.
    pub fn conversation(
        &self,
        shard: ShardId,
        conversation: ConversationId,
    ) -> Result<Option<ConversationRow>, StoreError> {
        self.row(&RowKey::Conversation { shard, conversation })
    }
}
