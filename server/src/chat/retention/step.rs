//! One step of erasing: the writes of one append.

use parley_core::believed::EARLIEST_MS;
use parley_core::conversation::dating::is_odd;
use parley_core::conversation::{Period, Position};
use parley_protocol::wire::{Entry, EntryKind};
use parley_protocol::{Message as _, UserId, body};

use crate::chat::expiry::{self, Gone};
use crate::chat::shard::mentioned;
use crate::storage::store::{
    ConversationRow, EntryHead, ErasedRow, Place, ReadLimit, ReadRange, RetentionRow, Store,
    StoreError, StoredEntry, Write, tables,
};

/// Entries and bytes looked at for one append.
const LOOK: ReadLimit = ReadLimit { entries: 500, bytes: 1 << 20 };

/// Writes of one append, about: a message takes its edits and reactions along.
const WRITES: usize = 5000;

/// What refers to one message at most: edits, a deletion, reactions.
const REFERRING: usize = 20_000;

/// The steps of one conversation.
pub(super) struct Step<'a> {
    store: &'a Store,
    place: Place,
    gone: &'a Gone,
    /// How far it is.
    progress: RetentionRow,
}

/// The writes of one step.
#[derive(Default)]
pub(super) struct Made {
    pub(super) rows: Vec<Write>,
    /// Bodies that go.
    pub(super) erased: u64,
    /// Messages among them.
    pub(super) messages: u64,
    /// Ordinals of messages one after another: the last, its seq, how many.
    run: Option<(u64, u64, u64)>,
}

impl<'a> Step<'a> {
    /// Takes up what was done before. Blocks.
    pub(super) fn new(
        store: &'a Store,
        place: Place,
        gone: &'a Gone,
        row: &ConversationRow,
    ) -> Result<Self, StoreError> {
        let mut progress = store.retention(place)?.unwrap_or_default();
        // Of a period that the row names no longer nothing is left to do.
        progress.periods.retain(|known| {
            let mut named = row.periods.iter();
            !row.dated || named.any(|at| at.of == known.of && at.after == known.after)
        });
        Ok(Self { store, place, gone, progress })
    }

    /// Takes it down that the entries up to the newest are there by now, if its own
    /// time says nothing of that: it is ahead of every clock, or from one that knew
    /// none. Returns the write, if that was not known.
    pub(super) fn see(&mut self, newest: Position, latest_ms: u64) -> Option<Write> {
        let known =
            self.progress.seen_seq >= newest.seq && !is_odd(self.progress.seen_ms, latest_ms);
        if known || latest_ms < EARLIEST_MS || !is_odd(newest.time_ms, latest_ms) {
            return None;
        }
        (self.progress.seen_seq, self.progress.seen_ms) = (newest.seq, latest_ms);
        Some(tables::retention::put(self.place, &self.progress))
    }

    /// Whether a period has ended and nothing of it is left.
    pub(super) fn is_over(&self, period: &Period) -> bool {
        period.up_to.is_some_and(|last| expiry::done(&self.progress, period) >= last)
    }

    /// Erases the next entries of the beginning, up to `to`.
    pub(super) fn of_beginning(&mut self, to: u64) -> Result<Option<Made>, StoreError> {
        if self.progress.seq >= to {
            return Ok(None);
        }
        let (mut made, before) = (Made::default(), self.progress.seq);
        for stored in self.page(before, to)? {
            let head = self.head(&stored, to)?;
            self.erase(&stored, &head, &mut made)?;
            self.progress.ordinal = self.progress.ordinal.max(head.ordinal);
            self.progress.seq = stored.seq;
            if made.rows.len() >= WRITES {
                break;
            }
        }
        let moved = self.progress.seq > before;
        Ok(moved.then(|| self.finished(made)))
    }

    /// Erases the next entries of the first period of which some are left.
    pub(super) fn of_periods(&mut self, periods: &[Period]) -> Result<Option<Made>, StoreError> {
        for period in periods {
            let to = self.gone.up_to(period);
            let done = expiry::done(&self.progress, period).max(self.progress.seq.min(to));
            if done < to
                && let Some(made) = self.of_period(period, done, to)?
            {
                return Ok(Some(made));
            }
        }
        Ok(None)
    }

    fn of_period(
        &mut self,
        period: &Period,
        done: u64,
        to: u64,
    ) -> Result<Option<Made>, StoreError> {
        let (mut made, mut reached) = (Made::default(), done);
        for stored in self.page(done, to)? {
            reached = stored.seq;
            let head = self.head(&stored, to)?;
            if self.goes(period, &stored, &head)? {
                self.erase(&stored, &head, &mut made)?;
            }
            if made.rows.len() >= WRITES {
                break;
            }
        }
        if reached == done {
            return Ok(None);
        }
        let of = period.of.map(UserId::to_wire).unwrap_or_default();
        let known = self.progress.periods.iter_mut();
        match known.into_iter().find(|known| known.of == of && known.after == period.after) {
            Some(known) => known.seq = reached,
            None => {
                let row = ErasedRow { of, after: period.after, seq: reached };
                self.progress.periods.push(row);
            }
        }
        Ok(Some(self.finished(made)))
    }

    /// Whether an entry within a period goes with it. What is about a message goes
    /// with that message.
    fn goes(
        &self,
        period: &Period,
        stored: &StoredEntry,
        head: &EntryHead,
    ) -> Result<bool, StoreError> {
        if head.damaged {
            // Nobody can say whose it was. What may have to go goes.
            return Ok(true);
        }
        let sender = UserId::from_slice(&head.sender).ok();
        if period.of.is_some() && period.of != sender {
            return Ok(false);
        }
        if !expiry::is_about_another(head.kind) {
            return Ok(true);
        }
        match target(stored) {
            Some(target) => self.gone.has_message(self.store, self.place, target),
            // Erased already, or not to be read: nothing of it is left to keep.
            None => Ok(true),
        }
    }

    /// Erases an entry, and of a message all that is about it.
    fn erase(
        &self,
        stored: &StoredEntry,
        head: &EntryHead,
        made: &mut Made,
    ) -> Result<(), StoreError> {
        if head.erased {
            return Ok(());
        }
        let (store, place, seq) = (self.store, self.place, stored.seq);
        made.rows.push(if head.damaged {
            tables::entries::put_erased(place, seq, head)
        } else {
            tables::entries::erase(place, seq, &stored.record)
        });
        made.rows.extend(tables::dedupe::forget(place, &stored.record));
        made.erased += 1;
        if !body::is_countable(head.kind) {
            return Ok(());
        }
        made.messages += 1;
        made.count(place, head.ordinal, seq);
        for user in mentioned(&stored.record) {
            made.rows.push(tables::mentions::delete(place, user, seq));
        }
        for (target, relation, about) in store.relations(place, seq, seq, REFERRING)? {
            let record = store.known_entry(place, about)?;
            if record.head().is_ok_and(|head| !head.erased) {
                made.rows.push(tables::entries::erase(place, about, &record));
                made.rows.extend(tables::dedupe::forget(place, &record));
                made.erased += 1;
            }
            made.rows.push(tables::relations::delete(place, target, &relation));
        }
        Ok(())
    }

    /// The head of an entry. Of one that can't be read, where it stands, and whether
    /// it may have been a message.
    fn head(&self, stored: &StoredEntry, last: u64) -> Result<EntryHead, StoreError> {
        let head = stored.record.head().unwrap_or_default();
        if !head.damaged || head.erased {
            return Ok(head);
        }
        let at = self.store.position(self.place, stored.seq, last)?;
        let before = self.store.position(self.place, stored.seq - 1, last)?;
        let kind = if at.ordinal > before.ordinal { EntryKind::Text as u32 } else { 0 };
        Ok(EntryHead { ordinal: at.ordinal, time_ms: at.time_ms, kind, ..head })
    }

    fn page(&self, after: u64, to: u64) -> Result<Vec<StoredEntry>, StoreError> {
        let mut page = self.store.entries(self.place, ReadRange::After(after), LOOK, to)?;
        page.retain(|stored| stored.seq <= to);
        Ok(page)
    }

    fn finished(&self, mut made: Made) -> Made {
        made.end_run(self.place);
        made.rows.push(tables::retention::put(self.place, &self.progress));
        made
    }
}

impl Made {
    fn count(&mut self, place: Place, ordinal: u64, seq: u64) {
        match &mut self.run {
            Some((last, last_seq, count)) if *last + 1 == ordinal => {
                (*last, *last_seq, *count) = (ordinal, seq, *count + 1);
            }
            _ => {
                self.end_run(place);
                self.run = Some((ordinal, seq, 1));
            }
        }
    }

    fn end_run(&mut self, place: Place) {
        if let Some((ordinal, seq, count)) = self.run.take() {
            self.rows.push(tables::deleted::put_run(place, ordinal, seq, count));
        }
    }
}

/// Seq of the message that the entry is about. In the body of each such kind it
/// is the first field.
fn target(stored: &StoredEntry) -> Option<u64> {
    let entry = Entry::decode(stored.record.entry.clone()).ok()?;
    Some(entry).filter(|entry| !entry.erased).and_then(|entry| expiry::target_of(&entry.body))
}
