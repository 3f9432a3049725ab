//! One conversation as one device sees it: what it holds, acknowledged, and waits for.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::history::History;

/// One conversation on one device.
pub(crate) struct View {
    /// Its place in the membership.
    pub(crate) index: usize,
    pub(crate) conversation: Bytes,
    /// Devices that are to receive what is sent here, without the sender.
    pub(crate) recipients: u64,
    /// Least time between two acknowledgements, as in the SDK.
    every: Duration,
    pub(crate) history: History,
    /// Messages sent here by this device.
    pub(crate) next_number: u32,
    /// Highest seq that somebody else sent.
    wanted: u64,
    confirmed: u64,
    acknowledging: bool,
    acknowledged_at: Option<Instant>,
    /// A `Fetch` has no answer yet.
    pub(crate) fetching: bool,
}

impl View {
    /// A conversation that stood at `base` before the run, all of it acknowledged.
    pub(crate) fn new(
        index: usize,
        conversation: Bytes,
        recipients: u64,
        every: Duration,
        base: u64,
        keeps: bool,
    ) -> Self {
        Self {
            index,
            conversation,
            recipients,
            every,
            history: History::new(base, keeps),
            next_number: 0,
            wanted: base,
            confirmed: base,
            acknowledging: false,
            acknowledged_at: None,
            fetching: false,
        }
    }

    /// Somebody else's entry came.
    pub(crate) fn want(&mut self, seq: u64) {
        self.wanted = self.wanted.max(seq);
    }

    /// The server confirmed the cursor.
    pub(crate) fn confirm(&mut self, up_to: u64) {
        self.acknowledging = false;
        self.confirmed = self.confirmed.max(up_to);
    }

    /// The session is another: answers to what was asked will not come.
    pub(crate) const fn reconnect(&mut self) {
        self.acknowledging = false;
        self.fetching = false;
        self.history.reconnect();
    }

    /// What is to be acknowledged, own messages too `at_the_end`.
    fn due(&self, at_the_end: bool) -> Option<u64> {
        let held = self.history.held();
        let up_to = if at_the_end { held } else { held.min(self.wanted) };
        (up_to > self.confirmed && !self.acknowledging && !self.fetching).then_some(up_to)
    }

    /// When the next acknowledgement may be made, if one is wanted.
    pub(crate) fn acknowledges_at(&self) -> Option<Instant> {
        self.due(false)?;
        Some(self.acknowledged_at.map_or_else(Instant::now, |at| at + self.every))
    }

    /// Up to where an acknowledgement is to be sent now; it is then on its way.
    pub(crate) fn acknowledge(&mut self, at_the_end: bool) -> Option<u64> {
        let up_to = self.due(at_the_end)?;
        let early = self.acknowledged_at.is_some_and(|at| at.elapsed() < self.every);
        if early && !at_the_end {
            return None;
        }
        self.acknowledging = true;
        self.acknowledged_at = Some(Instant::now());
        Some(up_to)
    }

    /// An acknowledgement was refused as beyond what this session was given: returns from where
    /// to fetch, so that it is given.
    pub(crate) fn refused(&mut self) -> u64 {
        self.acknowledging = false;
        self.confirmed
    }

    /// Holds nothing that isn't acknowledged.
    pub(crate) fn is_settled(&self) -> bool {
        !self.fetching && self.confirmed >= self.history.held()
    }

    /// From where to fetch in a new session, when the feed says that the conversation stands
    /// at `last` and the user's cursor at `delivered`.
    pub(crate) fn missing(&self, last: u64, delivered: u64) -> Option<u64> {
        let held = self.history.held();
        (last > held || held > delivered).then_some(held.min(delivered))
    }

    /// The same when the feed says nothing.
    pub(crate) fn unconfirmed(&self) -> Option<u64> {
        (self.history.held() > self.confirmed).then_some(self.confirmed)
    }
}

#[cfg(test)]
mod tests {
    use super::super::history::Origin;
    use super::*;

    fn view() -> View {
        View::new(0, Bytes::new(), 3, Duration::from_secs(60), 10, false)
    }

    #[test]
    fn own_messages_are_acknowledged_at_the_end_only() {
        let mut view = view();
        view.history.take(11, None, Origin::Requested);
        assert_eq!(view.acknowledge(false), None);
        assert_eq!(view.acknowledge(true), Some(11));
        assert!(!view.is_settled());
        view.confirm(11);
        assert!(view.is_settled());
    }

    #[tokio::test]
    async fn one_acknowledgement_is_on_its_way_at_a_time_and_none_passes_a_gap() {
        let mut view = view();
        for seq in [11, 13] {
            view.history.take(seq, None, Origin::Pushed);
            view.want(seq);
        }
        assert!(view.acknowledges_at().is_some());
        assert_eq!(view.acknowledge(false), Some(11));
        view.history.take(12, None, Origin::Requested);
        assert_eq!(view.acknowledge(true), None);
        view.confirm(11);
        // Too early for another.
        assert_eq!(view.acknowledge(false), None);
        assert_eq!(view.acknowledge(true), Some(13));
        assert_eq!(view.refused(), 11);
    }

    #[test]
    fn a_new_session_fetches_from_where_the_server_knows_us() {
        let mut view = view();
        for seq in 11..=14 {
            view.history.take(seq, None, Origin::Pushed);
        }
        view.confirm(12);
        view.reconnect();
        assert_eq!(view.missing(20, 12), Some(12));
        assert_eq!(view.missing(20, 17), Some(14));
        assert_eq!(view.missing(14, 14), None);
        assert_eq!(view.unconfirmed(), Some(12));
    }
}
