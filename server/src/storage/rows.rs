//! The way of rows into the log for those that are no shard: accounts and people
//! write through a [`Commit`] they are constructed with, and know no log.

use futures_util::future::BoxFuture;
use parley_protocol::ShardId;

use crate::storage::store::Write;

/// Makes writes durable; the node implements it over the log.
pub trait Commit: Send + Sync + 'static {
    /// Resolves once all of `writes` are durable. They commit together or not
    /// at all. Dropping the future does not take them back.
    fn commit(&self, shard: ShardId, writes: Vec<Write>) -> BoxFuture<'_, Result<(), CommitError>>;

    /// As [`Commit::commit`], but resolves before a sync: a killed process keeps
    /// the writes, a power cut may lose them. For what nobody is told is kept.
    fn write_unsynced(
        &self,
        shard: ShardId,
        writes: Vec<Write>,
    ) -> BoxFuture<'_, Result<(), CommitError>> {
        self.commit(shard, writes)
    }
}

/// Why writes were not committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// The commit queue is full; nothing was accepted.
    #[error("the commit queue is full")]
    Full,
    /// The disk has no room; nothing was accepted.
    #[error("the disk is full")]
    NoRoom,
    /// The node is closing or its disk failed. Whether the writes were kept is
    /// unknown.
    #[error("the log is closed")]
    Closed,
}
