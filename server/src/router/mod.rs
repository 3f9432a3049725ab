//! From a conversation to what can be read of it.
//!
//! Finds the conversation's shard and asks it; on this node it is always
//! here. Every read passes [`Shards::visible`], the one check of who may see
//! what, at the moment the data is read. Whoever may not see a conversation is
//! told what one is told of one that doesn't exist.

mod describe;
mod fetch;

pub use describe::describe;
pub use fetch::{Page, fetch};

use parley_core::conversation::{Conversation, Kind};
use parley_core::session::Identity;
use parley_protocol::{Code, ConversationId, ShardId};

use crate::shard::{Error, Shards};

/// What a member may see of a conversation.
#[derive(Debug, Clone)]
pub struct Visible {
    /// The shard that owns it.
    pub shard: ShardId,
    /// What sort it is.
    pub kind: Kind,
    /// Seqs up to this one are from before the member joined.
    pub joined_after: u64,
    /// Last committed seq.
    pub last_seq: u64,
}

impl Visible {
    fn of(conversation: &Conversation, shard: ShardId, identity: &Identity) -> Option<Self> {
        conversation.member(identity.user).map(|member| Self {
            shard,
            kind: conversation.kind(),
            joined_after: member.joined_after,
            last_seq: conversation.committed().seq,
        })
    }
}

impl Shards {
    /// What `identity` may see of the conversation. May load it from the store.
    ///
    /// # Errors
    /// [`Code::NotFound`] when there is no such conversation or they are no
    /// member of it.
    pub async fn visible(
        &self,
        identity: &Identity,
        conversation: ConversationId,
    ) -> Result<Visible, Error> {
        let seen =
            self.with(conversation, |found, shard| Visible::of(found, shard, identity)).await?;
        seen.flatten().ok_or(Error::Refused(Code::NotFound))
    }
}
