//! Acknowledging what was taken.
//!
//! Automatic, cumulative, at most one acknowledgement on its way for each
//! conversation; the first goes at once, further ones with the pauses of
//! [`parley_protocol::cursors`]. The server takes a cursor only over entries that this very
//! session was given, so that is tracked, and what an earlier session took
//! without a confirmed acknowledgement is fetched once more.

/// Refusals in one session after which it is left to the next one.
const REFUSALS: u32 = 3;

#[derive(Debug, Default)]
pub(crate) struct Acknowledged {
    /// The server's cursor, as far as known.
    confirmed: u64,
    /// The highest entry of somebody else that was taken.
    wanted: u64,
    /// What is up to here is not there for this user, and counts as given.
    floor: u64,
    /// Everything from `confirmed` up to this was given in this session.
    covered: u64,
    /// A run of given entries ahead of `covered`.
    ahead: Option<(u64, u64)>,
    on_its_way: bool,
    not_before_ms: u64,
    /// It was the server that asked for that.
    is_asked: bool,
    refusals: u32,
    recovering: bool,
}

impl Acknowledged {
    pub(crate) fn new(confirmed: u64, wanted: u64) -> Self {
        Self { confirmed, wanted, covered: confirmed, ..Self::default() }
    }

    pub(crate) const fn confirmed(&self) -> u64 {
        self.confirmed
    }

    pub(crate) const fn wanted(&self) -> u64 {
        self.wanted
    }

    pub(crate) const fn covered(&self) -> u64 {
        self.covered
    }

    /// An entry of another user was taken.
    pub(crate) fn handle_taken(&mut self, seq: u64) {
        self.wanted = self.wanted.max(seq);
    }

    /// The session was given `from..=to`, all of them. Seqs come from the network
    /// and may be anything.
    pub(crate) fn handle_given(&mut self, from: u64, to: u64) {
        let next = |seq: u64| seq.saturating_add(1);
        if from <= next(self.covered) {
            self.covered = self.covered.max(to);
        } else {
            self.ahead = Some(match self.ahead {
                Some((low, high)) if from <= next(high) && low <= next(to) => {
                    (low.min(from), high.max(to))
                }
                _ => (from, to),
            });
        }
        if let Some((low, high)) = self.ahead
            && low <= next(self.covered)
        {
            self.covered = self.covered.max(high);
            self.ahead = None;
        }
    }

    /// Nothing up to here is there for this user.
    pub(crate) fn handle_floor(&mut self, floor: u64) {
        self.floor = self.floor.max(floor);
        self.cover(self.floor);
    }

    /// Where the server says the cursor stands.
    pub(crate) fn handle_confirmed(&mut self, up_to: u64) {
        self.confirmed = self.confirmed.max(up_to);
        self.cover(self.confirmed);
    }

    fn cover(&mut self, up_to: u64) {
        self.covered = self.covered.max(up_to);
        // May close the hole below the run ahead.
        if let Some((low, high)) = self.ahead {
            self.ahead = None;
            self.handle_given(low, high);
        }
    }

    /// What to acknowledge of what is held, and not before when.
    pub(crate) fn due(&self, held: u64) -> Option<(u64, u64)> {
        let up_to = held.min(self.covered);
        let due = !self.on_its_way
            && !self.recovering
            && self.refusals < REFUSALS
            && self.wanted > self.confirmed
            && up_to > self.confirmed;
        due.then_some((self.not_before_ms, up_to))
    }

    /// Whether something is to be acknowledged yet, now or later.
    pub(crate) fn is_pending(&self) -> bool {
        self.on_its_way || (self.wanted > self.confirmed && self.refusals < REFUSALS)
    }

    /// It is said; the next one not before `next_ms`.
    pub(crate) const fn start(&mut self, next_ms: u64) {
        self.on_its_way = true;
        self.not_before_ms = next_ms;
        self.is_asked = false;
    }

    /// `confirmed` as the server answered, or `None` when it refused.
    pub(crate) fn finish(&mut self, confirmed: Option<u64>) {
        self.on_its_way = false;
        match confirmed {
            Some(confirmed) => {
                self.refusals = 0;
                self.handle_confirmed(confirmed);
            }
            None => {
                // The session was given less than we believed: start over.
                self.refusals += 1;
                self.covered = self.confirmed.max(self.floor);
                self.ahead = None;
            }
        }
    }

    /// The server refused it often enough: nothing more is given to this session for it.
    pub(crate) const fn is_stuck(&self) -> bool {
        self.refusals >= REFUSALS
    }

    /// Waits no longer to acknowledge several at once; a pause the server asked for stays.
    pub(crate) const fn skip_pause(&mut self) {
        if !self.is_asked {
            self.not_before_ms = 0;
        }
    }

    /// The server can't take it now; again at that moment.
    pub(crate) const fn postpone(&mut self, until_ms: u64) {
        self.on_its_way = false;
        self.not_before_ms = until_ms;
        self.is_asked = true;
    }

    /// From where entries have to be fetched once more before they can be
    /// acknowledged; `None` when that is not so.
    pub(crate) fn fetch_from(&self, held: u64) -> Option<u64> {
        let needed = self.wanted > self.confirmed
            && self.wanted > self.covered
            && held > self.covered
            && !self.recovering
            && self.refusals < REFUSALS;
        needed.then_some(self.covered)
    }

    pub(crate) fn start_recovery(&mut self) {
        self.recovering = true;
    }

    pub(crate) fn finish_recovery(&mut self, brought_something: bool) {
        self.recovering = false;
        if !brought_something {
            self.refusals += 1;
        }
    }

    pub(crate) fn end_session(&mut self) {
        let floor = self.floor;
        *self = Self::new(self.confirmed, self.wanted);
        self.handle_floor(floor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_goes_at_once_and_the_rest_is_coalesced() {
        let mut acknowledged = Acknowledged::new(0, 0);
        acknowledged.handle_given(1, 1);
        acknowledged.handle_taken(1);
        assert_eq!(acknowledged.due(1), Some((0, 1)));
        acknowledged.start(1000);
        acknowledged.handle_given(2, 4);
        acknowledged.handle_taken(4);
        assert_eq!(acknowledged.due(4), None);
        acknowledged.finish(Some(1));
        assert_eq!(acknowledged.due(4), Some((1000, 4)));
        acknowledged.start(1100);
        acknowledged.finish(Some(4));
        assert!(!acknowledged.is_pending());
    }

    #[test]
    fn own_entries_need_no_acknowledgement_of_their_own() {
        let mut acknowledged = Acknowledged::new(3, 3);
        acknowledged.handle_given(4, 4);
        assert_eq!(acknowledged.due(4), None);
        acknowledged.handle_given(5, 5);
        acknowledged.handle_taken(5);
        assert_eq!(acknowledged.due(5), Some((0, 5)));
    }

    #[test]
    fn only_what_this_session_was_given_is_acknowledged() {
        let mut acknowledged = Acknowledged::new(3, 3);
        acknowledged.handle_given(6, 6);
        acknowledged.handle_given(7, 7);
        acknowledged.handle_taken(7);
        assert_eq!(acknowledged.due(7), None);
        acknowledged.handle_given(4, 5);
        assert_eq!(acknowledged.due(7), Some((0, 7)));
    }

    #[test]
    fn after_a_reconnect_the_unconfirmed_is_fetched_once_more() {
        let mut acknowledged = Acknowledged::new(3, 3);
        acknowledged.handle_given(4, 6);
        acknowledged.handle_taken(6);
        acknowledged.start(0);
        acknowledged.end_session();
        assert_eq!(acknowledged.fetch_from(6), Some(3));
        acknowledged.start_recovery();
        assert_eq!(acknowledged.fetch_from(6), None);
        acknowledged.handle_given(4, 6);
        acknowledged.finish_recovery(true);
        assert_eq!(acknowledged.due(6), Some((0, 6)));
    }

    #[test]
    fn what_is_not_there_counts_as_given_in_every_session() {
        let mut acknowledged = Acknowledged::new(0, 0);
        acknowledged.handle_given(2, 4);
        acknowledged.handle_taken(4);
        assert_eq!(acknowledged.due(4), None);
        acknowledged.handle_floor(1);
        assert_eq!(acknowledged.due(4), Some((0, 4)));
        acknowledged.end_session();
        acknowledged.handle_given(2, 4);
        assert_eq!(acknowledged.due(4), Some((0, 4)));
        acknowledged.start(0);
        acknowledged.finish(None);
        assert_eq!(acknowledged.fetch_from(4), Some(1));
    }

    #[test]
    fn another_device_can_confirm_for_us() {
        let mut acknowledged = Acknowledged::new(3, 6);
        acknowledged.handle_confirmed(6);
        assert_eq!((acknowledged.fetch_from(6), acknowledged.due(6)), (None, None));
    }

    #[test]
    fn a_server_that_always_refuses_is_left_alone() {
        let mut acknowledged = Acknowledged::new(0, 0);
        for _ in 0..REFUSALS {
            acknowledged.handle_given(1, 1);
            acknowledged.handle_taken(1);
            assert!(acknowledged.due(1).is_some());
            acknowledged.start(0);
            acknowledged.finish(None);
        }
        acknowledged.handle_given(1, 1);
        assert_eq!((acknowledged.due(1), acknowledged.fetch_from(1)), (None, None));
        acknowledged.end_session();
        assert!(acknowledged.fetch_from(1).is_some());
    }
}
