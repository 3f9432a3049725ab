//! The log: where a stamped entry becomes a committed one.
//!
//! [`Log`] is one contract with several implementations: [`local`] for one
//! node, [`memory`] for tests and simulation; later one that replicates. All
//! pass the same conformance suite, also across crash and reopen. The log
//! takes batches that are already decided and stamped; it never looks into
//! them, assigns no seq, and knows no sessions. Shards drive it.
//!
//! Invariants: appends of one shard commit in the order they were handed over;
//! the sink is called only for what is durable as asked; after a failed write
//! or sync nothing is acknowledged any more and the process is to end.

pub mod local;
pub mod memory;

mod budget;
mod committer;
mod counts;
mod pace;
mod queue;
mod view;

#[cfg(test)]
mod conformance;

use std::time::Duration;

use bytes::Bytes;
use parley_core::conversation::Position;
use parley_protocol::ids::{ClientMessageId, ConversationId, DeviceId, ShardId, UserId};

use crate::storage::store::{
    DedupeRow, EngineError, Place, ReadLimit, ReadRange, StoreError, StoredEntry, Write,
};

pub use budget::Permit;
pub use counts::Counts;
pub use local::{LocalLog, Options};
pub use memory::MemoryLog;
pub use view::View;

/// An append-only log of every conversation, in shards.
///
/// Along one conversation:
///
/// ```text
///   seq   1 ............... c   c+1 .......... w   w+1 ......... s
///         [   committed     ]   [  written,    ]   [  stamped,   ]
///         [                 ]   [  not synced  ]   [  queued     ]
///         `- read, tail and     `- seen by nobody, may be gone
///            find see these        after a crash, from the end
///                           ^
///                           the sink was called up to here
/// ```
///
/// What is committed never goes, and never changes but for a body that a later
/// append erases. What is not may be gone after a crash, but never with a hole:
/// what survives is a prefix.
///
/// How to call it: [`reserve`](Log::reserve) room first, then stamp, then
/// [`append`](Log::append), so that a full log refuses before a seq is taken.
/// From `append` until the sink is called for it, the caller keeps in memory
/// what it stamped: its own view of the end of the conversation and of the
/// sends on their way, since [`tail`](Log::tail) and [`find`](Log::find)
/// answer from what is committed alone.
///
/// `T` is whatever the caller wants back with the commit. Reads may block on
/// the disk; `reserve` and `append` never do.
pub trait Log<T: Send>: Send + Sync {
    /// Room for one append of about `size_bytes`.
    ///
    /// # Errors
    /// [`ReserveError::Full`] while appends and bytes on their way are at their
    /// bound; [`ReserveError::NoRoom`] while the disk has none;
    /// [`ReserveError::Closed`] once the log is closed or has failed.
    fn reserve(&self, size_bytes: usize) -> Result<Permit, ReserveError>;

    /// As [`reserve`](Log::reserve), of the share of `user`.
    ///
    /// # Errors
    /// As `reserve`; [`ReserveError::Full`] also while as much of the user's is on
    /// its way as one may have.
    fn reserve_for(&self, user: UserId, size_bytes: usize) -> Result<Permit, ReserveError>;

    /// Hands an append over. Appends of one shard commit in the order of these
    /// calls; the sink is called once for each that commits. If the log closes
    /// or fails first the append is dropped: it may or may not have been
    /// written, and is never acknowledged.
    fn append(&self, permit: Permit, append: Append<T>);

    /// [`reserve`](Log::reserve) and [`append`](Log::append) in one, for appends
    /// that need no stamp.
    ///
    /// # Errors
    /// As `reserve`, and the append is given back.
    fn try_append(&self, append: Append<T>) -> Result<(), TryAppendError<T>> {
        match self.reserve(append.size_bytes()) {
            Ok(permit) => {
                self.append(permit, append);
                Ok(())
            }
            Err(error) => Err(TryAppendError { error, append: Box::new(append) }),
        }
    }

    /// The store as its readers may see it.
    fn view(&self) -> &View;

    /// Committed entries, ascending and dense, bounded by `limit`. Of those up to
    /// `last`, which are known to be there, none is left out (`Store::entries`).
    ///
    /// # Errors
    /// [`StoreError`].
    fn read(
        &self,
        place: Place,
        range: ReadRange,
        limit: ReadLimit,
        last: u64,
    ) -> Result<Vec<StoredEntry>, StoreError> {
        self.view().read(place, range, limit, last)
    }

    /// Where the last committed entry stands; `None` for a conversation without
    /// entries.
    ///
    /// # Errors
    /// [`StoreError`].
    fn tail(&self, place: Place) -> Result<Option<Position>, StoreError> {
        self.view().tail(place)
    }

    /// The answer a committed send got.
    ///
    /// # Errors
    /// [`StoreError`].
    fn find(
        &self,
        place: Place,
        device: DeviceId,
        client_message_id: &ClientMessageId,
    ) -> Result<Option<DedupeRow>, StoreError> {
        self.view().find(place, device, client_message_id)
    }

    /// Whether over half of what may be on its way is: time to leave undone
    /// what can be.
    fn is_strained(&self) -> bool;

    /// What the log did so far.
    fn counts(&self) -> &Counts;

    /// What it does now. Never waits for the disk.
    fn progress(&self) -> Progress;

    /// Refuses new appends, commits those handed over before, and returns once
    /// the sink was called for them. Blocks. Calling it again does nothing.
    fn close(&self);
}

/// What a log does at this moment.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// How long the commit at work has taken so far, if one is.
    pub at_work: Option<Duration>,
    /// Appends on their way: none of them is acknowledged.
    pub waiting: usize,
}

/// One thing to be committed as a whole or not at all.
#[derive(Debug)]
pub struct Append<T> {
    /// The shard whose order it belongs to.
    pub shard: ShardId,
    /// What to write.
    pub ops: Vec<Op>,
    /// How soon it is written, and what the sink waits for.
    pub urgency: Urgency,
    /// Given back to the sink.
    pub context: T,
}

impl<T> Append<T> {
    /// Bytes of its ops, as the bounds of the log count them.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.ops.iter().map(Op::size_bytes).sum()
    }
}

/// Part of an append.
#[derive(Debug)]
pub enum Op {
    /// An entry of the append's shard. The log adds its dedupe row and its part
    /// of the batch's outbox row.
    Entry(StampedEntry),
    /// Other rows, of any shard.
    Rows(Vec<Write>),
    /// Rows of this append change what members' feeds say of a conversation:
    /// the outbox row names it, with seqs 0 to 0 when it gains no entry.
    Touched(ConversationId),
}

impl Op {
    /// Bytes it adds to a batch, about.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        match self {
            // Key, dedupe key and row, and its share of the outbox.
            Self::Entry(entry) => entry.record.len() + 200,
            Self::Rows(rows) => rows.iter().map(Write::size_bytes).sum(),
            Self::Touched(_) => 40,
        }
    }
}

/// An entry with its place, decided and encoded.
pub struct StampedEntry {
    /// The conversation.
    pub conversation: ConversationId,
    /// Its place: one above the entry before.
    pub seq: u64,
    /// The encoded [`Record`](crate::storage::store::Record).
    pub record: Bytes,
    /// The device that sent it.
    pub device: DeviceId,
    /// What the device called it.
    pub client_message_id: ClientMessageId,
    /// The answer to keep for a resend.
    pub dedupe: DedupeRow,
}

/// Without the record: it holds what people wrote.
impl std::fmt::Debug for StampedEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StampedEntry")
            .field("conversation", &self.conversation)
            .field("seq", &self.seq)
            .field("record_bytes", &self.record.len())
            .finish_non_exhaustive()
    }
}

/// How soon an append is written, and what the sink waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// Written as soon as possible and synced: a power cut keeps it. For what is
    /// acknowledged to a user.
    Synced,
    /// Written within a few milliseconds, with others if there are any, and
    /// flushed to the operating system: a killed process keeps it, a power cut may
    /// lose it. For cursors and what can be derived again.
    Written,
    /// As `Written`, but within a tenth of a second, as nobody looks out for it.
    /// For what a group's members say that they hold.
    Deferred,
}

/// An append that is durable as it asked.
#[derive(Debug, PartialEq, Eq)]
pub struct Committed<T> {
    /// The append's shard.
    pub shard: ShardId,
    /// The append's context.
    pub context: T,
    /// The outbox row of this commit batch, by shard and index, if the append had
    /// entries or touched a conversation. The appends of a batch share the row,
    /// whatever their shards: it may be deleted once all of them are carried to
    /// their feeds.
    pub outbox: Option<(ShardId, u64)>,
}

/// Why the log has no room for an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReserveError {
    /// As much is on its way as the bounds allow. Try again soon.
    #[error("the log's queue is full")]
    Full,
    /// The disk has no room. Try again once there is.
    #[error("the disk is full")]
    NoRoom,
    /// It was closed or has failed. Never try again.
    #[error("the log is closed")]
    Closed,
}

/// An append that was not taken.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct TryAppendError<T> {
    /// Whether to try again.
    pub error: ReserveError,
    /// The append, given back.
    pub append: Box<Append<T>>,
}

/// The log can't go on: the process must end without acknowledging anything more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// A write or sync failed. It is not tried again: after a failed sync the
    /// kernel may call lost pages clean.
    #[error("the log could not commit: {0}")]
    Engine(#[from] EngineError),
    /// A caller broke density: our own fault.
    #[error("conversation {conversation} was handed seq {seq} after {previous}")]
    OutOfOrder {
        /// The conversation.
        conversation: ConversationId,
        /// The seq before in the same batch.
        previous: u64,
        /// The seq that should have been one above.
        seq: u64,
    },
    /// The sink panicked: our own fault.
    #[error("the commit thread panicked")]
    Panicked,
}
