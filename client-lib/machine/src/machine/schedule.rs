//! Which conversations have something to ask or say, now or at a time.
//!
//! Descriptions and fetches go side by side up to a bound; conversations that
//! find no place wait until others are done. It knows ids and moments only: what
//! is to be done is the conversation's own to say.

use std::collections::BTreeSet;
use std::ops::Bound::{Excluded, Unbounded};

use parley_protocol::ids::ConversationId;

/// Descriptions and fetches on their way at a time, each.
const SIDE_BY_SIDE: usize = 8;

#[derive(Debug, Default)]
pub(crate) struct Schedule {
    /// Those to look at now.
    awake: BTreeSet<ConversationId>,
    /// Those to look at when their time has come.
    timers: BTreeSet<(u64, ConversationId)>,
    /// Those that wait for a description or a fetch of others to be done.
    waiting: BTreeSet<ConversationId>,
    describing: usize,
    fetching: usize,
    busy: bool,
}

impl Schedule {
    /// It may have something to ask or say.
    pub(crate) fn wake(&mut self, id: ConversationId) {
        self.awake.insert(id);
    }

    /// The first to look at after another one.
    pub(crate) fn next(&self, after: Option<ConversationId>) -> Option<ConversationId> {
        match after {
            None => self.awake.first().copied(),
            Some(last) => self.awake.range((Excluded(last), Unbounded)).next().copied(),
        }
    }

    /// It has nothing to ask or say.
    pub(crate) fn rest(&mut self, id: ConversationId) {
        self.awake.remove(&id);
    }

    /// It has nothing to ask or say before that moment.
    pub(crate) fn rest_until(&mut self, at_ms: u64, id: ConversationId) {
        self.awake.remove(&id);
        self.timers.insert((at_ms, id));
    }

    /// It waits for a description or a fetch of others to be done.
    pub(crate) fn wait(&mut self, id: ConversationId) {
        self.awake.remove(&id);
        self.waiting.insert(id);
    }

    /// Takes a place for a description. Returns false when there is none.
    pub(crate) const fn start_description(&mut self) -> bool {
        let free = self.describing < SIDE_BY_SIDE;
        if free {
            self.describing += 1;
        }
        free
    }

    /// A description was answered or refused.
    pub(crate) fn finish_description(&mut self) {
        self.describing = self.describing.saturating_sub(1);
        self.wake_waiting();
    }

    /// Takes a place for a fetch. Returns false when there is none.
    pub(crate) const fn start_fetch(&mut self) -> bool {
        let free = self.fetching < SIDE_BY_SIDE;
        if free {
            self.fetching += 1;
        }
        free
    }

    /// A fetch was answered or refused.
    pub(crate) fn finish_fetch(&mut self) {
        self.fetching = self.fetching.saturating_sub(1);
        self.wake_waiting();
    }

    fn wake_waiting(&mut self) {
        // Two, because the first may turn out to need nothing any more.
        for _ in 0..2 {
            self.awake.extend(self.waiting.pop_first());
        }
    }

    /// Whether readers are behind: catching up then goes slowly.
    pub(crate) const fn set_busy(&mut self, busy: bool) {
        self.busy = busy;
    }

    pub(crate) const fn is_busy(&self) -> bool {
        self.busy
    }

    /// When the next one is to be looked at.
    pub(crate) fn deadline(&self) -> Option<u64> {
        self.timers.first().map(|(at_ms, _)| *at_ms)
    }

    /// Wakes those whose time has come.
    pub(crate) fn handle_timeout(&mut self, now_ms: u64) {
        while let Some((at_ms, id)) = self.timers.first().copied()
            && at_ms <= now_ms
        {
            self.timers.pop_first();
            self.awake.insert(id);
        }
    }

    /// Forgets what belonged to one session.
    pub(crate) fn end_session(&mut self) {
        self.describing = 0;
        self.fetching = 0;
        self.timers.clear();
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(byte: u8) -> ConversationId {
        ConversationId::new([byte; 16])
    }

    #[test]
    fn those_awake_are_looked_at_in_order_and_rest_until_their_time() {
        let mut schedule = Schedule::default();
        schedule.wake(id(2));
        schedule.wake(id(1));
        assert_eq!(schedule.next(None), Some(id(1)));
        assert_eq!(schedule.next(Some(id(1))), Some(id(2)));
        schedule.rest_until(50, id(1));
        schedule.rest(id(2));
        assert_eq!((schedule.next(None), schedule.deadline()), (None, Some(50)));
        schedule.handle_timeout(49);
        assert_eq!(schedule.next(None), None);
        schedule.handle_timeout(50);
        assert_eq!((schedule.next(None), schedule.deadline()), (Some(id(1)), None));
    }

    #[test]
    fn places_are_bounded_and_the_next_two_wake_when_one_is_free() {
        let mut schedule = Schedule::default();
        let taken = std::iter::repeat_with(|| schedule.start_fetch()).take_while(|it| *it).count();
        assert_eq!(taken, SIDE_BY_SIDE);
        assert!(schedule.start_description(), "each has places of its own");
        for byte in 1..=3 {
            schedule.wake(id(byte));
            schedule.wait(id(byte));
        }
        schedule.finish_fetch();
        assert_eq!((schedule.next(None), schedule.next(Some(id(1)))), (Some(id(1)), Some(id(2))));
        assert_eq!(schedule.next(Some(id(2))), None);
        assert!(schedule.start_fetch() && !schedule.start_fetch());
    }

    #[test]
    fn a_session_that_ends_frees_all_places() {
        let mut schedule = Schedule::default();
        while schedule.start_fetch() {}
        schedule.rest_until(5, id(1));
        schedule.wait(id(2));
        schedule.end_session();
        assert!(schedule.start_fetch());
        schedule.handle_timeout(5);
        schedule.finish_fetch();
        assert_eq!(schedule.next(None), None);
    }
}
