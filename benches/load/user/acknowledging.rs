//! One user's acknowledgements: cumulative, at most one on its way, as often as the SDK sends them.

use std::time::Duration;

use tokio::time::Instant;

/// How far one user holds the conversation, and how far the server knows it.
pub(super) struct Acknowledging {
    enabled: bool,
    /// Least time between two acknowledgements, as in the SDK.
    every: Duration,
    /// The highest seq of the peer's.
    wanted: u64,
    confirmed: u64,
    in_flight: bool,
    sent_at: Option<Instant>,
}

impl Acknowledging {
    /// Nothing is to be acknowledged yet.
    pub(super) const fn new(every: Duration) -> Self {
        Self { enabled: true, every, wanted: 0, confirmed: 0, in_flight: false, sent_at: None }
    }

    /// Sets the least time between two acknowledgements.
    pub(super) const fn set_every(&mut self, every: Duration) {
        self.every = every;
    }

    /// Acknowledges nothing from now on.
    pub(super) const fn disable(&mut self) {
        self.enabled = false;
    }

    /// Whether anything is acknowledged at all.
    pub(super) const fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// Least time between two acknowledgements.
    pub(super) const fn every(&self) -> Duration {
        self.every
    }

    /// The highest seq that is to be acknowledged.
    pub(super) const fn wanted(&self) -> u64 {
        self.wanted
    }

    /// The peer's entry with this seq was received.
    pub(super) fn want(&mut self, seq: u64) {
        self.wanted = self.wanted.max(seq);
    }

    /// The server took the acknowledgement up to this seq.
    pub(super) fn confirm(&mut self, up_to: u64) {
        self.in_flight = false;
        self.confirmed = self.confirmed.max(up_to);
    }

    /// The server pushed the acknowledgement back: the next one repeats it.
    pub(super) const fn refuse(&mut self) {
        self.in_flight = false;
    }

    /// Whether there is something to acknowledge and no answer to wait for before. Never when
    /// disabled: the timer would wake the user again and again.
    pub(super) const fn is_wanted(&self) -> bool {
        self.enabled && !self.in_flight && self.wanted > self.confirmed
    }

    /// Whether an acknowledgement is due now, `at_once` without the pause; it is then on its way.
    pub(super) fn begin(&mut self, at_once: bool) -> bool {
        let early = self.sent_at.is_some_and(|at| at.elapsed() < self.every);
        if !self.is_wanted() || early && !at_once {
            return false;
        }
        self.in_flight = true;
        self.sent_at = Some(Instant::now());
        true
    }

    /// Whether the server knows all that is held here.
    pub(super) const fn is_complete(&self) -> bool {
        self.wanted <= self.confirmed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_waits_for_acknowledgements_that_are_disabled() {
        let mut acknowledging = Acknowledging::new(Duration::from_secs(60));
        assert!(!acknowledging.is_wanted());
        acknowledging.want(5);
        assert!(acknowledging.is_wanted());
        acknowledging.disable();
        assert!(!acknowledging.is_wanted() && !acknowledging.begin(true));
    }

    #[test]
    fn one_is_on_its_way_at_a_time_and_the_next_waits_for_its_pause() {
        let mut acknowledging = Acknowledging::new(Duration::from_secs(60));
        acknowledging.want(5);
        assert!(acknowledging.begin(false));
        acknowledging.want(6);
        assert!(!acknowledging.begin(true), "the answer is awaited");
        acknowledging.confirm(5);
        assert!(!acknowledging.begin(false) && !acknowledging.is_complete());
        assert!(acknowledging.begin(true));
        acknowledging.refuse();
        assert!(acknowledging.begin(true), "it is said again");
        acknowledging.confirm(6);
        assert!(acknowledging.is_complete() && !acknowledging.is_wanted());
    }
}
