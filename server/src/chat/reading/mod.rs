//! From a conversation to what can be read of it.
//!
//! Finds the conversation's shard and asks it; on this node it is always
//! here. Every read passes [`Shards::visible`], the one check of who may see
//! what, at the moment the data is read. Whoever may not see a conversation is
//! told what one is told of one that doesn't exist.

mod acquaintance;
mod describe;
mod fetch;
mod former;
mod invites;
mod reader;
mod receipts;
mod related;
mod sight;

pub use acquaintance::{pair, takes_part};
pub use describe::describe;
pub use fetch::{Page, fetch};
pub use invites::{invites, peek, resolve};
pub use receipts::receipts;

use std::sync::Arc;

use parley_core::conversation::{Conversation, Membership, State};
use parley_core::session::Identity;
use parley_protocol::{Code, ConversationId};

use crate::base::reads;
use crate::chat::shard::{Asker, Error, Shards};
use crate::storage::store::{Place, StoreError};

/// What a member, or former member, may see of a conversation.
#[derive(Debug, Clone)]
pub struct Visible {
    /// Where it lies.
    pub place: Place,
    /// Who is in it and how it works.
    pub state: Arc<State>,
    /// The asker in it.
    pub member: Membership,
    /// Seqs up to this one are not theirs to see: from before they joined, or
    /// erased.
    pub floor: u64,
    /// Last committed seq that is theirs to see.
    pub last_seq: u64,
}

impl Visible {
    fn of(conversation: &Conversation, place: Place, identity: &Identity) -> Option<Self> {
        let state = conversation.state();
        // Before its first entry it is not there.
        let member = state.member(identity.user).filter(|_| conversation.is_begun());
        member.map(|member| Self {
            place,
            state: Arc::clone(state),
            member: *member,
            floor: member.sees_after.max(state.erased_up_to),
            last_seq: member.left_seq.unwrap_or(conversation.committed().seq),
        })
    }
}

impl Shards {
    /// What `identity` may see of the conversation. May load it from the store.
    ///
    /// # Errors
    /// [`Code::NotFound`] when there is no such conversation or they are no
    /// member of it and never were.
    pub async fn visible(
        &self,
        identity: &Identity,
        conversation: ConversationId,
    ) -> Result<Visible, Error> {
        let asker = Asker::User(identity.user);
        let seen =
            self.with(asker, conversation, |found, place| Visible::of(found, place, identity));
        seen.await?.flatten().ok_or(Error::Refused(Code::NotFound))
    }
}

/// Runs a read of the store on the blocking pool; whoever asks holds a place.
async fn blocking<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Code> {
    reads::blocking(read).await.map_err(|error| {
        if let Error::Store(error) = &error {
            tracing::error!(%error, "a conversation could not be read");
        }
        error.code()
    })
}

/// An entry that is committed is there, unless the store is damaged.
fn missing(conversation: ConversationId) -> Error {
    Error::Store(StoreError::corrupt(
        crate::storage::store::Table::Entries,
        conversation.as_bytes(),
    ))
}
