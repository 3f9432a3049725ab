//! Rows that are one user's own and go with a conversation: they take the same
//! way as entries, and the user's feed changes with them.

use parley_core::user::FeedEntry;
use parley_protocol::{Code, ConversationId, UserId};
use tokio::sync::oneshot;

use super::{Error, Pending, PendingOwn, Shards};
use crate::storage::log::{Append, Op, Urgency};
use crate::storage::store::Write;

impl Shards {
    /// Makes `rows` durable and merges `change` into the feed of `user`.
    /// Returns the feed position after it. Dropped, it has done so or not.
    ///
    /// # Errors
    /// [`Error::Log`] when the log is full or closed.
    pub async fn keep_own(
        &self,
        conversation: ConversationId,
        user: UserId,
        rows: Vec<Write>,
        change: FeedEntry,
    ) -> Result<u64, Error> {
        let (done, committed) = oneshot::channel();
        let append = Append {
            shard: self.place_of(conversation).shard,
            ops: vec![Op::Rows(rows), Op::Touched(conversation)],
            urgency: Urgency::Synced,
            context: Pending::Own(Box::new(PendingOwn { conversation, user, change, done })),
        };
        let permit = self.log.reserve_for(user, append.size_bytes())?;
        self.log.append(permit, append);
        // The log drops what it can't commit.
        committed.await.map_err(|_| Code::Draining.into())
    }
}
