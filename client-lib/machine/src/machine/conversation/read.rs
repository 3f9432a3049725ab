//! Saying what the user has read.
//!
//! Only on the application's word. Cumulative: the highest position wins, at
//! most one is on its way for each conversation, and one that had no answer is
//! said again in the next session.

use crate::machine::CallId;

/// Refusals in a row after which those who wait get the refusal.
const REFUSALS: u32 = 3;

#[derive(Debug, Default)]
pub(crate) struct ReadMark {
    confirmed: u64,
    wanted: u64,
    on_its_way: bool,
    not_before_ms: u64,
    refusals: u32,
    waiting: Vec<(u64, CallId)>,
}

impl ReadMark {
    pub(crate) fn new(confirmed: u64, wanted: u64) -> Self {
        Self { confirmed, wanted: wanted.max(confirmed), ..Self::default() }
    }

    pub(crate) const fn confirmed(&self) -> u64 {
        self.confirmed
    }

    pub(crate) const fn wanted(&self) -> u64 {
        self.wanted
    }

    pub(crate) const fn is_pending(&self) -> bool {
        self.wanted > self.confirmed
    }

    /// The application says so, and `call` waits for the server's word.
    /// Returns false when that is known already.
    pub(crate) fn want(&mut self, up_to: u64, call: CallId) -> bool {
        if up_to <= self.confirmed {
            return false;
        }
        self.wanted = self.wanted.max(up_to);
        self.waiting.push((up_to, call));
        true
    }

    /// What to say, and not before when.
    pub(crate) fn due(&self) -> Option<(u64, u64)> {
        (self.is_pending() && !self.on_its_way).then_some((self.not_before_ms, self.wanted))
    }

    pub(crate) fn start(&mut self) {
        self.on_its_way = true;
    }

    /// The server took it, or another device's. Returns the calls that are done.
    pub(crate) fn handle_confirmed(&mut self, up_to: u64) -> Vec<CallId> {
        self.confirmed = self.confirmed.max(up_to);
        self.wanted = self.wanted.max(self.confirmed);
        let confirmed = self.confirmed;
        self.waiting.extract_if(.., |(seq, _)| *seq <= confirmed).map(|(_, call)| call).collect()
    }

    pub(crate) fn finish(&mut self) {
        self.on_its_way = false;
        self.refusals = 0;
    }

    /// The server refused. Returns the calls that fail, when it is for good.
    pub(crate) fn handle_failure(&mut self, now_ms: u64, again: bool) -> Vec<CallId> {
        self.on_its_way = false;
        self.refusals += 1;
        self.not_before_ms = now_ms + 200 * u64::from(self.refusals);
        if again && self.refusals < REFUSALS {
            return Vec::new();
        }
        self.refusals = 0;
        self.wanted = self.confirmed;
        self.waiting.drain(..).map(|(_, call)| call).collect()
    }

    /// A caller's patience ended; the position is still said.
    pub(crate) fn forget(&mut self, call: CallId) {
        self.waiting.retain(|(_, other)| *other != call);
    }

    /// The calls that still wait.
    pub(crate) fn into_waiting(self) -> Vec<CallId> {
        self.waiting.into_iter().map(|(_, call)| call).collect()
    }

    pub(crate) fn end_session(&mut self) {
        self.on_its_way = false;
        self.refusals = 0;
        self.not_before_ms = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_wins_and_every_caller_hears() {
        let mut read = ReadMark::new(2, 0);
        assert!(!read.want(2, CallId(1)));
        assert!(read.want(5, CallId(2)));
        assert!(read.want(4, CallId(3)));
        assert_eq!(read.due(), Some((0, 5)));
        read.start();
        assert_eq!(read.due(), None);
        read.finish();
        assert_eq!(read.handle_confirmed(5), vec![CallId(2), CallId(3)]);
        assert!(!read.is_pending());
    }

    #[test]
    fn what_had_no_answer_is_said_again() {
        let mut read = ReadMark::new(0, 0);
        read.want(5, CallId(1));
        read.start();
        read.end_session();
        assert_eq!(read.due(), Some((0, 5)));
    }

    #[test]
    fn a_refusal_for_good_fails_the_calls() {
        let mut read = ReadMark::new(0, 0);
        read.want(5, CallId(1));
        read.start();
        assert_eq!(read.handle_failure(10, true), vec![]);
        assert_eq!(read.due(), Some((210, 5)));
        read.start();
        assert_eq!(read.handle_failure(10, false), vec![CallId(1)]);
        assert_eq!(read.due(), None);
    }
}
