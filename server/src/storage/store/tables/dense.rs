//! Reading logs so that nothing is left out: an entry that is known to be there and
//! can't be read is given as one that is damaged.
//!
//! A healthy range is one scan. Where that fails, or leaves out what should be there,
//! each entry is asked for by itself: a block or a blob that rotted costs what it
//! holds, and its neighbours are given. Failures of the disk as a whole stay errors:
//! whether it is one row's or the disk's, the rows beside it tell.

use std::ops::Range;

use super::entries::{ReadLimit, ReadRange, Record, StoredEntry};
use crate::storage::store::engine::Order;
use crate::storage::store::{Place, Store, StoreError};

impl Store {
    /// Entries of one conversation, ascending, bounded by `limit`. Those up to `last`
    /// are known to be there: none of them is left out, and what can't be read of them
    /// is [`Record::damaged`].
    ///
    /// Returns what is written, synced or not; `Log::read` returns what is committed.
    ///
    /// # Errors
    /// [`StoreError`] when the disk can't be read, or damage is above `last`.
    pub fn entries(
        &self,
        place: Place,
        range: ReadRange,
        limit: ReadLimit,
        last: u64,
    ) -> Result<Vec<StoredEntry>, StoreError> {
        let read = |from: u64, to: u64, order, limit: ReadLimit| {
            self.dense(place, from..to, order, limit, last)
        };
        match range {
            // No log reaches seq 2^64-1: the bound stays within the conversation's prefix.
            ReadRange::After(seq) => read(seq.saturating_add(1), u64::MAX, Order::Ascending, limit),
            ReadRange::Before(seq) => read(1, seq, Order::Descending, limit),
            ReadRange::Around(seq) => {
                let seq = seq.max(1);
                let older = usize::try_from(seq - 1).unwrap_or(usize::MAX).min(limit.entries / 2);
                let half = ReadLimit { entries: limit.entries - older, bytes: limit.bytes / 2 };
                let from_here = read(seq, u64::MAX, Order::Ascending, half)?;
                let used: usize = from_here.iter().map(StoredEntry::size_bytes).sum();
                let rest = ReadLimit {
                    entries: limit.entries - from_here.len(),
                    bytes: limit.bytes.saturating_sub(used),
                };
                let mut found = read(1, seq, Order::Descending, rest)?;
                // "One in any case" holds for the whole answer, not for each side.
                if !from_here.is_empty() {
                    let older: usize = found.iter().map(StoredEntry::size_bytes).sum();
                    if older > rest.bytes {
                        found.clear();
                    }
                }
                found.extend(from_here);
                Ok(found)
            }
        }
    }

    /// One entry that is known to be there.
    ///
    /// # Errors
    /// [`StoreError`] when the disk can't be read.
    pub fn known_entry(&self, place: Place, seq: u64) -> Result<Record, StoreError> {
        match self.entry(place, seq) {
            Ok(Some(record)) => Ok(record),
            Ok(None) => Ok(Record::damaged(seq)),
            Err(error) if error.is_damage() || self.reads_beside(place, seq, seq) => {
                tracing::debug!(%error, "an entry is given as damaged");
                Ok(Record::damaged(seq))
            }
            Err(error) => Err(error),
        }
    }

    fn dense(
        &self,
        place: Place,
        seqs: Range<u64>,
        order: Order,
        limit: ReadLimit,
        last: u64,
    ) -> Result<Vec<StoredEntry>, StoreError> {
        let known = Range { start: seqs.start, end: seqs.end.min(last.saturating_add(1)) };
        let found = self.entries_between(place, seqs, order, limit);
        let mut found = match found {
            Ok((found, more)) if is_whole(&found, more, &known, order) => found,
            Err(error) if known.is_empty() => return Err(error),
            Ok(_) => self.one_by_one(place, known, order, limit)?,
            Err(error) => {
                tracing::debug!(%error, "a range of entries is read one by one");
                self.one_by_one(place, known, order, limit)?
            }
        };
        if order == Order::Descending {
            found.reverse();
        }
        Ok(found)
    }

    /// As many entries of `seqs` as the limit allows, each asked for by itself.
    fn one_by_one(
        &self,
        place: Place,
        seqs: Range<u64>,
        order: Order,
        limit: ReadLimit,
    ) -> Result<Vec<StoredEntry>, StoreError> {
        let (mut found, mut bytes) = (Vec::new(), 0usize);
        let (mut failed, mut any_read) = (None, false);
        for step in 0..(seqs.end - seqs.start).min(limit.entries as u64) {
            let seq = match order {
                Order::Ascending => seqs.start + step,
                Order::Descending => seqs.end - 1 - step,
            };
            let record = match self.entry(place, seq) {
                Ok(Some(record)) => {
                    any_read = true;
                    record
                }
                Ok(None) => Record::damaged(seq),
                Err(error) => {
                    if !error.is_damage() {
                        failed = failed.or(Some(error));
                    }
                    Record::damaged(seq)
                }
            };
            let stored = StoredEntry { seq, record };
            bytes = bytes.saturating_add(stored.size_bytes());
            if bytes > limit.bytes && !found.is_empty() {
                break;
            }
            found.push(stored);
        }
        // One row that can't be read, or a disk that can't: the rows beside it tell.
        match (failed, found.first(), found.last()) {
            (Some(error), Some(first), Some(last)) if !any_read => {
                let (low, high) = (first.seq.min(last.seq), first.seq.max(last.seq));
                if self.reads_beside(place, low, high) { Ok(found) } else { Err(error) }
            }
            _ => Ok(found),
        }
    }

    /// Whether an entry right below or above these can be read.
    fn reads_beside(&self, place: Place, low: u64, high: u64) -> bool {
        let reads = |seq| self.entry(place, seq).is_ok_and(|found| found.is_some());
        (low > 1 && reads(low - 1)) || reads(high.saturating_add(1))
    }
}

/// Whether a scan found all that is known to be there, as far as its limits let it.
fn is_whole(found: &[StoredEntry], more: bool, known: &Range<u64>, order: Order) -> bool {
    if known.is_empty() {
        return true;
    }
    if found.iter().any(|stored| stored.record.head().is_err()) {
        return false;
    }
    let follows = |pair: &[StoredEntry]| match (pair, order) {
        ([a, b], Order::Ascending) => a.seq + 1 == b.seq,
        ([a, b], Order::Descending) => b.seq + 1 == a.seq,
        _ => true,
    };
    let (Some(first), Some(last)) = (found.first(), found.last()) else { return more };
    let whole = found.windows(2).all(follows);
    match order {
        Order::Ascending => {
            whole && first.seq == known.start && (more || last.seq + 1 >= known.end)
        }
        Order::Descending => {
            whole && first.seq + 1 >= known.end && (more || last.seq == known.start)
        }
    }
}
