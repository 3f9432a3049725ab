//! Makes rows of accounts and people durable through the same log as everything else.

use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use parley_protocol::ShardId;
use tokio::sync::oneshot;

use crate::chat::shard::Pending;
use crate::storage::log::{Append, Log, Op, ReserveError, Urgency};
use crate::storage::rows::{Commit, CommitError};
use crate::storage::store::Write;

/// Commits rows over the log.
pub(super) struct Commits {
    log: Arc<dyn Log<Pending>>,
}

impl Commits {
    pub(super) const fn new(log: Arc<dyn Log<Pending>>) -> Self {
        Self { log }
    }
}

impl Commits {
    async fn append(
        &self,
        shard: ShardId,
        writes: Vec<Write>,
        urgency: Urgency,
    ) -> Result<(), CommitError> {
        let (done, committed) = oneshot::channel();
        let ops = vec![Op::Rows(writes)];
        let append = Append { shard, ops, urgency, context: Pending::Rows(done) };
        self.log.try_append(append).map_err(|refused| match refused.error {
            ReserveError::Full => CommitError::Full,
            ReserveError::NoRoom => CommitError::NoRoom,
            ReserveError::Closed => CommitError::Closed,
        })?;
        // The log drops what it can't commit.
        committed.await.map_err(|_| CommitError::Closed)
    }
}

impl Commit for Commits {
    fn commit(&self, shard: ShardId, writes: Vec<Write>) -> BoxFuture<'_, Result<(), CommitError>> {
        self.append(shard, writes, Urgency::Synced).boxed()
    }

    fn write_unsynced(
        &self,
        shard: ShardId,
        writes: Vec<Write>,
    ) -> BoxFuture<'_, Result<(), CommitError>> {
        self.append(shard, writes, Urgency::Written).boxed()
    }
}
