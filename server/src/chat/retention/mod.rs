//! Takes out of the store what is too old to keep: the bodies of entries below
//! a conversation's retention, and of those its owner erased.
//!
//! Readers are held back by time and state, not by this: what is too old is not
//! there for them before it is gone from the disk. Seqs, ordinals and times
//! stay, so that the log stays dense and counts stay right.
//!
//! Fan-out notes conversations whose rules changed; a thread goes through them
//! now and then, one small append at a time, so that messages hardly notice.
//! Doing it twice changes nothing. Not its business: who may see what.

mod expiry;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use parley_core::shard::placement::ShardCount;
use parley_protocol::{ConversationId, ShardId};
use tokio::sync::oneshot;

use crate::base::clock::wall_ms;
use crate::base::metrics::list as metric;
use crate::base::worker::{Stop, Worker};
use crate::chat::shard::Pending;
use crate::storage::log::{Append, Log, Op, ReserveError, Urgency};
use crate::storage::store::{
    ConversationRow, Place, ReadLimit, ReadRange, RetentionRow, Store, StoreError, Write, tables,
};
pub(crate) use expiry::{expired, first_from};

/// Conversations remembered as having something to erase now or later. Beyond
/// it every pass looks at all conversations: the named overflow.
const REMEMBERED: usize = 1_000_000;

/// Entries and bytes erased in one append.
const STEP: ReadLimit = ReadLimit { entries: 500, bytes: 1 << 20 };

/// Conversations read at a time when all are looked at.
const PAGE: usize = 1000;

/// Which conversations have something to erase, now or later.
#[derive(Debug, Default)]
pub struct Candidates {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    ids: HashSet<ConversationId>,
    /// More than are remembered.
    overflowed: bool,
}

impl Candidates {
    /// The conversation's retention or what was erased of it changed. Never waits.
    pub fn note(&self, conversation: ConversationId) {
        let mut known = self.known.lock();
        if known.ids.len() < REMEMBERED {
            known.ids.insert(conversation);
        } else if !known.ids.contains(&conversation) {
            known.overflowed = true;
        }
    }

    fn forget(&self, conversation: ConversationId) {
        self.known.lock().ids.remove(&conversation);
    }
}

/// Erases, pass after pass.
pub struct Eraser {
    candidates: Arc<Candidates>,
    count: ShardCount,
    store: Store,
    log: Arc<dyn Log<Pending>>,
}

/// Why a pass ended early.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log takes nothing now, or is closed: later, or never.
    #[error(transparent)]
    Log(#[from] ReserveError),
}

impl Eraser {
    /// Erases in `store`, by way of `log`, what `candidates` knows of.
    #[must_use]
    pub const fn new(
        candidates: Arc<Candidates>,
        count: ShardCount,
        store: Store,
        log: Arc<dyn Log<Pending>>,
    ) -> Self {
        Self { candidates, count, store, log }
    }

    /// Starts the thread that looks at all conversations once, and every `every`
    /// at those it knows of. Dropping it stops it; what is left is erased later.
    ///
    /// # Errors
    /// The operating system's, when it gives no thread.
    pub fn start(self, every: Duration) -> std::io::Result<Worker> {
        Worker::start("parley-eraser", move |stop| self.run(every, stop))
    }

    fn run(&self, every: Duration, stop: &Stop) {
        let mut all = true;
        loop {
            match self.pass(all, stop) {
                Ok(()) => all = false,
                // The log's own trouble is told where it happens.
                Err(Trouble::Log(_)) => {}
                Err(Trouble::Store(error)) => {
                    tracing::error!(%error, "old entries could not be erased; tried again later");
                }
            }
            if stop.sleep(every) {
                return;
            }
        }
    }

    fn pass(&self, all: bool, stop: &Stop) -> Result<(), Trouble> {
        let overflowed = std::mem::take(&mut self.candidates.known.lock().overflowed);
        if all || overflowed {
            self.look_at_all(stop)?;
        }
        let ids: Vec<ConversationId> = self.candidates.known.lock().ids.iter().copied().collect();
        for id in ids {
            // Forgotten first: what changes from here on is noted anew.
            self.candidates.forget(id);
            let place = Place::of(self.count, id);
            let erased = match self.store.conversation(place) {
                Ok(Some(row)) => self.erase(place, &row, stop).map(|()| retention_s(&row)),
                Ok(None) => Ok(0),
                Err(error) => Err(error.into()),
            };
            if !matches!(erased, Ok(0)) {
                self.candidates.note(id);
            }
            erased?;
        }
        Ok(())
    }

    /// Finds those that have something to erase, now or later.
    fn look_at_all(&self, stop: &Stop) -> Result<(), Trouble> {
        for shard in self.count.all() {
            let mut after = None;
            loop {
                let page = self.store.conversations(shard, after, PAGE)?;
                let Some((last, _)) = page.last() else { break };
                after = Some(*last);
                for (id, row) in page {
                    if retention_s(&row) > 0 || row.erased_up_to > 0 {
                        self.candidates.note(id);
                    }
                }
                if stop.is_set() {
                    return Err(ReserveError::Closed.into());
                }
            }
        }
        Ok(())
    }

    /// Erases what is to be erased of one conversation, step by step.
    fn erase(&self, place: Place, row: &ConversationRow, stop: &Stop) -> Result<(), Trouble> {
        let Some(tail) = self.log.tail(place)? else { return Ok(()) };
        let mut to = row.erased_up_to.min(tail.seq);
        if retention_s(row) > 0 {
            let range = (to, tail.seq);
            to = expired(&self.store, place, retention_s(row), range, wall_ms())?;
        }
        let mut done = self.store.retention(place)?.unwrap_or_default();
        while done.seq < to {
            let (rows, next, erased) = step(&self.store, place, done, to)?;
            let Some(next) = next else { break };
            self.commit(place.shard, rows)?;
            metric::entries_erased().increment(erased);
            done = next;
            if stop.is_set() {
                return Err(ReserveError::Closed.into());
            }
        }
        Ok(())
    }

    /// One append at a time: the next waits for this one.
    fn commit(&self, shard: ShardId, rows: Vec<Write>) -> Result<(), Trouble> {
        let (done, committed) = oneshot::channel();
        let append = Append {
            shard,
            ops: vec![Op::Rows(rows)],
            urgency: Urgency::Written,
            context: Pending::Rows(done),
        };
        self.log.try_append(append).map_err(|refused| refused.error)?;
        committed.blocking_recv().map_err(|_| ReserveError::Closed.into())
    }
}

fn retention_s(row: &ConversationRow) -> u64 {
    row.settings.map_or(0, |settings| settings.retention_s)
}

/// The writes that erase the next entries after `done`, up to `to`, where that
/// leads, and how many bodies go. Nowhere when there is no entry.
fn step(
    store: &Store,
    place: Place,
    done: RetentionRow,
    to: u64,
) -> Result<(Vec<Write>, Option<RetentionRow>, u64), StoreError> {
    let mut rows = Vec::new();
    let mut next = None;
    let mut erased = 0;
    let page = store.entries(place, ReadRange::After(done.seq), STEP)?;
    for stored in page.into_iter().take_while(|stored| stored.seq <= to) {
        let head = stored.record.head();
        if !head.as_ref().is_ok_and(|head| head.erased) {
            rows.push(tables::entries::erase(place, stored.seq, &stored.record));
            erased += 1;
        }
        let ordinal = head.map_or(done.ordinal, |head| head.ordinal);
        next = Some(RetentionRow { seq: stored.seq, ordinal });
    }
    rows.extend(next.map(|next| tables::retention::put(place, &next)));
    Ok((rows, next, erased))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
