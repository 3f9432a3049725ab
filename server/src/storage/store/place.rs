//! Where the rows of a conversation lie.

use parley_core::shard::placement::ShardCount;
use parley_protocol::ids::{ConversationId, ShardId};

/// A conversation and the shard that owns it: what nearly every key of a
/// conversation's tables begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    /// The conversation's shard.
    pub shard: ShardId,
    /// The conversation.
    pub conversation: ConversationId,
}

impl Place {
    /// The place of a conversation among this many shards.
    #[must_use]
    pub fn of(count: ShardCount, conversation: ConversationId) -> Self {
        Self { shard: count.of_conversation(conversation), conversation }
    }
}
