//! What this device holds of one conversation: the gap rule.
//!
//! Entries are taken in order, each once. One that is ahead waits in a small
//! stash; what does not fit there is dropped, because the log has it and the
//! fetch of the gap brings it again. Whether a gap is fetched at once or after
//! a short grace depends on how it was found.

use std::collections::BTreeMap;

use parley_protocol::wire;

/// Bounds of the stash of one conversation.
const STASH_ENTRIES: usize = 64;
const STASH_BYTES: usize = 1 << 20;

/// An own send is often answered just before the entries below it are pushed:
/// so long a gap found that way may fill by itself.
pub(crate) const GRACE_MS: u64 = 200;

/// Bounds what a hostile or broken server can make the client ask again and again.
const STALLS: u32 = 3;

#[derive(Debug, Default)]
pub(crate) struct Log {
    /// Everything up to this seq was taken.
    held: u64,
    /// The highest seq known to exist.
    last: u64,
    stash: BTreeMap<u64, wire::Entry>,
    stash_bytes: usize,
    fetching: bool,
    /// Not before this moment, unless something is found out meanwhile.
    fetch_at_ms: u64,
    /// Fetches in a row that brought nothing.
    stalls: u32,
}

impl Log {
    pub(crate) fn new(held: u64, last: u64) -> Self {
        Self { held, last: last.max(held), ..Self::default() }
    }

    pub(crate) const fn held(&self) -> u64 {
        self.held
    }

    pub(crate) const fn last(&self) -> u64 {
        self.last
    }

    /// Sets where a conversation begins that this device held nothing of.
    pub(crate) fn begin_at(&mut self, held: u64) {
        self.skip_to(held);
    }

    /// A seq is known to exist. A push or the feed says so reliably; our own
    /// send's answer says so a little early.
    pub(crate) fn note_last(&mut self, last: u64, now_ms: u64, early: bool) {
        if last > self.last {
            self.last = last;
            self.stalls = 0;
            self.fetch_at_ms = if early { now_ms + GRACE_MS } else { now_ms };
        }
    }

    /// Takes notice of an entry. Returns false when it was known.
    pub(crate) fn offer(&mut self, entry: wire::Entry) -> bool {
        let seq = entry.seq;
        self.last = self.last.max(seq);
        if seq <= self.held || self.stash.get(&seq).is_some_and(|there| *there == entry) {
            return false;
        }
        // The last word counts: what waits may be of an earlier session.
        if let Some(older) = self.stash.remove(&seq) {
            self.stash_bytes -= older.body.len();
        }
        let size = entry.body.len();
        let fits = self.stash.len() < STASH_ENTRIES && self.stash_bytes + size <= STASH_BYTES;
        // The next one in order always fits: without it nothing can move.
        if fits || seq == self.next() {
            self.stash_bytes += size;
            self.stash.insert(seq, entry);
        }
        true
    }

    /// The lowest seq that waits in the stash.
    pub(crate) fn first_waiting(&self) -> Option<u64> {
        self.stash.keys().next().copied()
    }

    /// The next entry in order, without taking it.
    pub(crate) fn peek(&self) -> Option<&wire::Entry> {
        self.stash.get(&self.next())
    }

    /// Takes the next entry in order.
    pub(crate) fn take(&mut self) -> Option<wire::Entry> {
        let entry = self.stash.remove(&self.next())?;
        self.held = entry.seq;
        self.stash_bytes -= entry.body.len();
        self.stalls = 0;
        Some(entry)
    }

    /// Whether something is missing that is not waiting in the stash.
    pub(crate) fn has_gap(&self) -> bool {
        self.held < self.last && self.peek().is_none()
    }

    /// When to fetch the gap; `None` when there is none, or a fetch is on its way.
    pub(crate) fn fetch_at_ms(&self) -> Option<u64> {
        let due = self.has_gap() && !self.fetching && self.stalls < STALLS;
        due.then_some(self.fetch_at_ms)
    }

    pub(crate) fn start_fetch(&mut self) {
        self.fetching = true;
    }

    /// The answer to a fetch after `held` was offered entry by entry before this.
    /// `first` is the page's lowest seq, `at_start` that nothing older exists for
    /// this reader.
    pub(crate) fn finish_fetch(&mut self, first: Option<u64>, at_start: bool, now_ms: u64) {
        self.fetching = false;
        if let Some(first) = first
            && at_start
            && first > self.next()
        {
            // Who joins a group late can't see what was before.
            self.skip_to(first - 1);
        }
        if self.has_gap() && first.is_none_or(|first| first > self.next()) {
            self.stalls += 1;
            self.fetch_at_ms = now_ms + 1000;
        } else {
            self.fetch_at_ms = now_ms;
        }
    }

    pub(crate) fn end_session(&mut self) {
        self.fetching = false;
        self.stalls = 0;
        self.fetch_at_ms = 0;
    }

    /// Whether the log can't be completed: the server lacks what it said exists.
    pub(crate) fn is_stalled(&self) -> bool {
        self.stalls >= STALLS
    }

    /// The seq that comes next. Seqs come from the network and may be anything.
    const fn next(&self) -> u64 {
        self.held.saturating_add(1)
    }

    fn skip_to(&mut self, held: u64) {
        if held > self.held {
            self.held = held;
            self.last = self.last.max(held);
            let kept = self.stash.split_off(&held.saturating_add(1));
            self.stash = kept;
            self.stash_bytes = self.stash.values().map(|entry| entry.body.len()).sum();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use proptest::prelude::*;

    fn entry(seq: u64) -> wire::Entry {
        wire::Entry { seq, body: Bytes::from_static(b"body"), ..wire::Entry::default() }
    }

    fn take_all(log: &mut Log) -> Vec<u64> {
        std::iter::from_fn(|| log.take()).map(|entry| entry.seq).collect()
    }

    #[test]
    fn what_is_ahead_waits_for_the_gap() {
        let mut log = Log::new(4, 5);
        assert_eq!(log.fetch_at_ms(), Some(0));
        log.offer(entry(7));
        assert_eq!(take_all(&mut log), Vec::<u64>::new());
        log.start_fetch();
        assert_eq!(log.fetch_at_ms(), None);
        log.offer(entry(5));
        log.offer(entry(6));
        log.finish_fetch(Some(5), false, 9);
        assert_eq!(take_all(&mut log), vec![5, 6, 7]);
        assert_eq!(log.fetch_at_ms(), None);
    }

    #[test]
    fn an_early_word_of_a_gap_gets_a_grace_and_a_sure_one_does_not() {
        let mut log = Log::new(4, 4);
        log.note_last(6, 1000, true);
        assert_eq!(log.fetch_at_ms(), Some(1000 + GRACE_MS));
        log.note_last(7, 1001, false);
        assert_eq!(log.fetch_at_ms(), Some(1001));
    }

    #[test]
    fn a_late_joiner_skips_what_it_may_not_see() {
        let mut log = Log::new(0, 9);
        log.start_fetch();
        log.offer(entry(6));
        log.finish_fetch(Some(6), true, 0);
        assert_eq!(take_all(&mut log), vec![6]);
        assert!(log.has_gap());
    }

    #[test]
    fn a_server_that_lacks_what_it_announced_is_not_asked_for_ever() {
        let mut log = Log::new(0, 3);
        for _ in 0..STALLS {
            assert!(log.fetch_at_ms().is_some());
            log.start_fetch();
            log.finish_fetch(None, true, 0);
        }
        assert_eq!(log.fetch_at_ms(), None);
        assert!(log.is_stalled());
        log.note_last(4, 0, false);
        assert!(log.fetch_at_ms().is_some());
    }

    proptest! {
        /// Whatever order, doubles and losses: taken in order, each once, and
        /// fetching what is missing always completes it.
        #[test]
        fn everything_is_taken_once_and_in_order(
            pushes in prop::collection::vec(1u64..300, 0..400),
            page in 1u64..50,
        ) {
            let mut log = Log::new(0, 0);
            let mut taken = Vec::new();
            for seq in &pushes {
                log.offer(entry(*seq));
                taken.extend(take_all(&mut log));
            }
            let last = pushes.iter().copied().max().unwrap_or(0);
            while log.fetch_at_ms().is_some() {
                log.start_fetch();
                let from = log.held() + 1;
                for seq in from..(from + page).min(last + 1) {
                    log.offer(entry(seq));
                    taken.extend(take_all(&mut log));
                }
                log.finish_fetch(Some(from), false, 0);
            }
            prop_assert_eq!(taken, (1..=last).collect::<Vec<_>>());
            prop_assert_eq!((log.stash_bytes, log.stash.len()), (0, 0));
        }
    }
}
