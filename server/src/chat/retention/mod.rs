//! Takes out of the store what is too old to keep: the bodies of entries whose
//! period of retention has passed, and of those a group's owner erased.
//!
//! Readers are held back by time and state, not by this: what is too old is not
//! there for them before it is gone from the disk. Seqs, ordinals and times
//! stay, so that the log stays dense and counts stay right. What counted as
//! unread no longer does; the feeds are told.
//!
//! Fan-out notes conversations whose rules changed; a thread goes through them
//! now and then, one small append at a time, so that messages hardly notice.
//! Doing it twice changes nothing. Not its business: who may see what.
//!
//! Readers go by the wall's clock; what is erased goes by a time that a wrong wall
//! clock does not push ([`dates`](super::dates)), since that can't be undone. Of the
//! newest entry of a clock that was wrong it is noted when it was seen: as long as
//! nothing comes behind it, that says how old it is.

mod step;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use parley_core::conversation::{Spent, State};
use parley_core::shard::placement::ShardCount;
use parley_protocol::{ConversationId, ShardId, UserId};
use tokio::sync::oneshot;

use crate::base::clock::now;
use crate::base::metrics::list as metric;
use crate::base::worker::{Stop, Worker};
use crate::chat::dates::{Dates, Tick};
use crate::chat::expiry::{self, Gone};
use crate::chat::shard::{Pending, States};
use crate::storage::log::{Append, Log, Op, ReserveError, Urgency};
use crate::storage::store::{ConversationRow, Place, Store, StoreError, Write, state};
use step::Step;

/// Conversations remembered as having something to erase now or later. Beyond
/// it every pass looks at all conversations: the named overflow.
const REMEMBERED: usize = 1_000_000;

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
    /// Since when the write-ahead log holds words that are gone elsewhere.
    erased: Option<Instant>,
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

    /// Words were erased that the write-ahead log still holds. Never waits.
    pub fn note_erased(&self) {
        self.known.lock().erased.get_or_insert_with(now);
    }

    fn forget(&self, conversation: ConversationId) {
        self.known.lock().ids.remove(&conversation);
    }
}

/// Who tells people that messages are gone which they may not have read.
pub trait Feeds: Send + Sync {
    /// There is less in the conversation, for these members. Blocks.
    fn tell(&self, conversation: ConversationId, members: &[UserId]);
}

/// What the eraser needs.
pub struct Parts {
    /// Which conversations to look at.
    pub candidates: Arc<Candidates>,
    /// How many shards there are.
    pub count: ShardCount,
    /// Where entries lie.
    pub store: Store,
    /// The way to change them.
    pub log: Arc<dyn Log<Pending>>,
    /// The conversations in memory.
    pub states: Arc<States>,
    /// Whom to tell.
    pub feeds: Arc<dyn Feeds>,
    /// What is too old.
    pub dates: Arc<Dates>,
}

/// Erases, pass after pass.
pub struct Eraser {
    parts: Parts,
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
    /// An eraser of these parts.
    #[must_use]
    pub const fn new(parts: Parts) -> Self {
        Self { parts }
    }

    /// Starts the thread that looks at all conversations once, and every `every`
    /// at those it knows of. No write-ahead log holds what was erased much longer
    /// than `log_age`. Dropping it stops it; what is left is erased later.
    ///
    /// # Errors
    /// The operating system's, when it gives no thread.
    pub fn start(self, every: Duration, log_age: Duration) -> std::io::Result<Worker> {
        Worker::start("parley-eraser", move |stop| self.run(every, log_age, stop))
    }

    fn run(&self, every: Duration, log_age: Duration, stop: &Stop) {
        let mut all = true;
        loop {
            match self.pass(all, self.parts.dates.tick(), stop) {
                Ok(()) => all = false,
                // The log's own trouble is told where it happens.
                Err(Trouble::Log(_)) => {}
                Err(Trouble::Store(error)) => {
                    tracing::error!(%error, "old entries could not be erased; tried again later");
                }
            }
            self.roll(log_age);
            if stop.sleep(every) {
                return;
            }
        }
    }

    /// Begins a new write-ahead log once what was erased lies in it for so long.
    fn roll(&self, log_age: Duration) {
        let Parts { candidates, store, .. } = &self.parts;
        if !store.space().takes_writes() {
            return;
        }
        let due =
            candidates.known.lock().erased.take_if(|since| now().duration_since(*since) >= log_age);
        if due.is_some()
            && let Err(error) = store.roll()
        {
            tracing::error!(%error, "the write-ahead log could not be begun anew");
            candidates.note_erased();
        }
    }

    fn pass(&self, all: bool, mut tick: Tick, stop: &Stop) -> Result<(), Trouble> {
        let Parts { candidates, count, store, .. } = &self.parts;
        if let (Some(note), Some(shard)) = (tick.note.take(), count.all().next()) {
            self.commit(shard, vec![note])?;
        }
        let overflowed = std::mem::take(&mut candidates.known.lock().overflowed);
        if all || overflowed {
            self.look_at_all(stop)?;
        }
        let ids: Vec<ConversationId> = candidates.known.lock().ids.iter().copied().collect();
        let mut failed = None;
        for id in ids {
            // Forgotten first: what changes from here on is noted anew.
            candidates.forget(id);
            let place = Place::of(*count, id);
            let more = match store.conversation(place) {
                Ok(Some(row)) => self.erase(place, &row, &tick, stop),
                Ok(None) => Ok(false),
                Err(error) => Err(error.into()),
            };
            if !matches!(more, Ok(false)) {
                candidates.note(id);
            }
            match more {
                // What of one can't be read keeps no other from being erased.
                Err(Trouble::Store(error)) => failed = failed.or(Some(error)),
                more => drop(more?),
            }
        }
        // Damage was said, row by row; the rest of the pass is done.
        failed.filter(|error| !error.is_damage()).map_or(Ok(()), |error| Err(error.into()))
    }

    /// Finds those that have something to erase, now or later.
    fn look_at_all(&self, stop: &Stop) -> Result<(), Trouble> {
        for shard in self.parts.count.all() {
            let mut after = None;
            loop {
                let page = self.parts.store.conversations(shard, after, PAGE)?;
                let Some((last, _)) = page.last() else { break };
                after = Some(*last);
                for (id, row) in page {
                    if is_candidate(&row) {
                        self.parts.candidates.note(id);
                    }
                }
                if stop.is_set() {
                    return Err(ReserveError::Closed.into());
                }
            }
        }
        Ok(())
    }

    /// Erases what is to be erased of one conversation, step by step. Returns
    /// whether there will be more.
    fn erase(
        &self,
        place: Place,
        row: &ConversationRow,
        tick: &Tick,
        stop: &Stop,
    ) -> Result<bool, Trouble> {
        let Parts { store, log, states, feeds, .. } = &self.parts;
        let loaded = states
            .lock(place.shard)
            .conversation(place.conversation)
            .map(|found| found.committed())
            .filter(|committed| committed.seq > 0);
        let tail = match loaded {
            Some(committed) => Some(committed),
            None => log.tail(place)?,
        };
        let Some(tail) = tail else { return Ok(false) };
        let whole = state::to_state(row);
        let state = expiry::state_of(store, place, row, tick.erase_ms)?;
        let gone = Gone::look(store, place, &state, tail.seq, tick.erase_ms)?;
        let mut step = Step::new(store, place, &gone, row)?;
        if !state.periods.is_empty()
            && let Some(seen) = step.see(tail, tick.latest_ms)
        {
            self.commit(place.shard, vec![seen])?;
        }
        let mut messages = 0;
        loop {
            let made = match step.of_beginning(row.erased_up_to.min(tail.seq))? {
                Some(made) => Some(made),
                None => step.of_periods(&state.periods)?,
            };
            let Some(made) = made else { break };
            self.commit(place.shard, made.rows)?;
            metric::entries_erased().increment(made.erased);
            self.parts.candidates.note_erased();
            messages += made.messages;
            if stop.is_set() {
                return Err(ReserveError::Closed.into());
            }
        }
        let spent = spent(&whole, &state, &step);
        if !spent.is_empty() {
            states.lock(place.shard).tidy(place.conversation, &spent);
        }
        if messages > 0 {
            let members: Vec<_> = state.actives().map(|member| member.user).collect();
            feeds.tell(place.conversation, &members);
        }
        Ok(state.periods.iter().any(|period| !step.is_over(period)))
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
        self.parts.log.try_append(append).map_err(|refused| refused.error)?;
        committed.blocking_recv().map_err(|_| ReserveError::Closed.into())
    }
}

fn is_candidate(row: &ConversationRow) -> bool {
    let kept = row.settings.is_some_and(|settings| settings.retention_s > 0);
    kept || !row.periods.is_empty() || row.erased_up_to > 0
}

/// What of a stored state has no effect any more.
fn spent(whole: &State, left: &State, step: &Step<'_>) -> Spent {
    let pins = whole.pinned.iter().filter(|seq| !left.pinned.contains(seq));
    let over = whole.periods.iter().filter(|period| step.is_over(period));
    Spent {
        pins: pins.copied().collect(),
        periods: over.map(|period| (period.of, period.after)).collect(),
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
