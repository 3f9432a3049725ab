//! The feed: where its position stands, and from where it is asked next.
//!
//! The position is what this device has taken whole. A stale count asks once more
//! from where the position was before (a resync); should that not bring the
//! conversation, from the version of what is known of it.

use super::inbound::AGAIN_MS;

/// Resyncs in a row that leave a stale count, after which it stays so until the
/// next change.
const RESYNCS: u32 = 4;

/// A resync waits so long for what follows its cause.
const RESYNC_MS: u64 = AGAIN_MS / 5;

#[derive(Debug)]
pub(crate) struct Feed {
    position: u64,
    /// From where the feed is to be asked again, when that is before the position.
    resync_from: Option<u64>,
    /// It is to be asked for all there is, whatever is being asked now.
    restart: bool,
    /// From where it is being asked.
    asked_from: Option<u64>,
    /// A count became stale since the last input.
    resync_wanted: bool,
    /// Resyncs in a row that left a stale count.
    resyncs: u32,
    /// All pages of the first answer were taken.
    synced: bool,
    /// A device without a feed position begins where its catch-up says.
    fresh: bool,
    sync_at_ms: Option<u64>,
}

/// What the answer to a question about the feed means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answered {
    /// There is more; the next page is asked for.
    Partly,
    /// That was all.
    Whole {
        /// It was the first whole answer that this device ever took.
        first: bool,
    },
}

impl Feed {
    /// As a store knows the position; 0 for a device that knows nothing yet.
    pub(crate) const fn new(position: u64) -> Self {
        Self {
            position,
            resync_from: None,
            restart: false,
            asked_from: None,
            resync_wanted: false,
            resyncs: 0,
            synced: false,
            fresh: position == 0,
            sync_at_ms: None,
        }
    }

    /// Whether this device has not taken the feed whole yet.
    pub(crate) const fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// Whether the feed was taken whole in this session.
    pub(crate) const fn is_synced(&self) -> bool {
        self.synced
    }

    /// From where the feed has to be asked, were it asked now; what a store keeps.
    pub(crate) fn resume_position(&self) -> u64 {
        let start = self.restart.then_some(0);
        let from = [start, self.resync_from, self.asked_from].into_iter().flatten().min();
        from.map_or(self.position, |from| from.min(self.position))
    }

    /// The question is made: returns from where.
    pub(crate) fn ask(&mut self) -> u64 {
        let from = self.resume_position();
        (self.resync_from, self.restart) = (None, false);
        self.asked_from = Some(from);
        from
    }

    /// Makes the question when it is due. One at a time: what was asked from is
    /// forgotten with the answer.
    pub(crate) fn take_sync(&mut self, now_ms: u64) -> Option<u64> {
        self.sync_at_ms.filter(|at| *at <= now_ms && self.asked_from.is_none())?;
        self.sync_at_ms = None;
        Some(self.ask())
    }

    /// An answer came whose last position is this, with more to follow or not.
    pub(crate) fn handle_answer(&mut self, position: u64, more: bool, now_ms: u64) -> Answered {
        self.asked_from = None;
        // Nothing was pushed before the first answer of a session: it is right also
        // when it is lower.
        self.position = if self.synced { self.position.max(position) } else { position };
        if more {
            // The position may be further already, by what was pushed meanwhile.
            self.resync_from = Some(position);
            self.sync_at_ms = Some(now_ms);
            return Answered::Partly;
        }
        self.synced = true;
        Answered::Whole { first: std::mem::replace(&mut self.fresh, false) }
    }

    /// A push or an answer moved the feed. Returns whether the position moves:
    /// while pages of the feed are missing, only they move it, or what they hold
    /// would be skipped.
    pub(crate) const fn advance(&mut self, position: u64) -> bool {
        let moves = self.synced && position > self.position;
        if moves {
            self.position = position;
        }
        moves
    }

    /// The server says where its feed stands: what is missing is asked for.
    pub(crate) fn handle_position(&mut self, position: u64, now_ms: u64) {
        if position > self.position {
            self.sync_at_ms.get_or_insert(now_ms);
        }
    }

    /// A question was refused: again at that moment.
    pub(crate) fn handle_refused(&mut self, again_ms: u64) {
        self.handle_unanswered();
        self.sync_at_ms = Some(again_ms);
    }

    fn handle_unanswered(&mut self) {
        if self.asked_from.is_some() {
            self.resync_from = Some(self.resume_position());
            self.asked_from = None;
        }
    }

    /// A count became stale: the feed is asked again from here.
    pub(crate) fn request_resync(&mut self) {
        self.resync_from = Some(self.resume_position());
        self.resync_wanted = true;
    }

    /// The feed knows something by now that it doesn't tell this session by itself.
    pub(crate) fn resync_now(&mut self, now_ms: u64) {
        self.resync_from = Some(self.resume_position());
        self.sync_at_ms = Some(now_ms);
    }

    /// A conversation begins anew: the feed is asked for all there is.
    pub(crate) const fn restart(&mut self, now_ms: u64) {
        self.restart = true;
        self.sync_at_ms = Some(now_ms);
    }

    /// Whether the feed is to be asked for all there is.
    pub(crate) const fn awaits_restart(&self) -> bool {
        self.restart
    }

    /// What became stale in this input is asked a little later, with what follows it.
    pub(crate) fn schedule_resync(&mut self, now_ms: u64) {
        if std::mem::take(&mut self.resync_wanted) {
            self.resyncs = 0;
            self.sync_at_ms.get_or_insert(now_ms + RESYNC_MS);
        }
    }

    /// The feed was taken whole; counts that are stale even so are asked from
    /// further back. `stale` is the lowest version such a count comes from.
    pub(crate) fn handle_stale(&mut self, stale: Option<u64>, now_ms: u64) {
        let Some(version) = stale else {
            self.resyncs = 0;
            return;
        };
        if self.resyncs >= RESYNCS {
            return;
        }
        self.resyncs += 1;
        // The entry itself again: its version is above the one asked from.
        let from = version.saturating_sub(1);
        self.resync_from = Some(self.resume_position().min(from));
        self.sync_at_ms.get_or_insert(now_ms + RESYNC_MS);
    }

    /// When the next question is due, if it is not due already.
    pub(crate) fn deadline(&self, now_ms: u64) -> Option<u64> {
        self.sync_at_ms.filter(|at| *at > now_ms)
    }

    /// Forgets what belonged to one session.
    pub(crate) fn end_session(&mut self) {
        self.sync_at_ms = None;
        self.handle_unanswered();
        self.synced = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn synced(position: u64) -> Feed {
        let mut feed = Feed::new(position);
        assert_eq!(feed.ask(), position);
        feed.handle_answer(position, false, 0);
        feed
    }

    #[test]
    fn only_the_first_whole_answer_of_a_fresh_device_is_the_first() {
        let mut feed = Feed::new(0);
        feed.ask();
        assert!(feed.is_fresh() && !feed.is_synced());
        assert_eq!(feed.handle_answer(3, true, 0), Answered::Partly);
        assert_eq!(feed.take_sync(0), Some(3));
        assert_eq!(feed.handle_answer(5, false, 0), Answered::Whole { first: true });
        feed.end_session();
        assert_eq!(feed.ask(), 5);
        assert_eq!(feed.handle_answer(5, false, 0), Answered::Whole { first: false });
    }

    #[test]
    fn pushes_move_the_position_only_once_nothing_before_them_is_missing() {
        let mut feed = Feed::new(2);
        feed.ask();
        assert!(!feed.advance(9));
        feed.handle_answer(4, false, 0);
        assert!(feed.advance(9) && !feed.advance(9) && !feed.advance(3));
        assert_eq!(feed.resume_position(), 9);
    }

    #[test]
    fn what_is_asked_and_not_answered_is_asked_again_from_there() {
        let mut feed = synced(4);
        feed.request_resync();
        feed.advance(9);
        assert_eq!(feed.resume_position(), 4, "a store must not skip what is asked again");
        assert_eq!(feed.ask(), 4);
        feed.end_session();
        assert_eq!((feed.resume_position(), feed.deadline(0)), (4, None));
        assert_eq!(feed.ask(), 4);
        feed.handle_refused(1_000);
        assert_eq!(feed.deadline(0), Some(1_000));
        assert_eq!(feed.take_sync(999), None);
        assert_eq!(feed.take_sync(1_000), Some(4));
        assert_eq!(feed.take_sync(1_000), None, "one at a time");
    }

    #[test]
    fn a_resync_waits_a_little_and_gives_up_after_some() {
        let mut feed = synced(8);
        feed.request_resync();
        feed.schedule_resync(0);
        assert_eq!(feed.deadline(0), Some(RESYNC_MS));
        for n in 0..RESYNCS {
            assert_eq!(feed.take_sync(u64::MAX), Some(if n == 0 { 8 } else { 2 }));
            feed.handle_answer(8, false, 0);
            feed.handle_stale(Some(3), 0);
        }
        assert_eq!(feed.take_sync(u64::MAX), Some(2));
        feed.handle_answer(8, false, 0);
        feed.handle_stale(Some(3), 0);
        assert_eq!(feed.take_sync(u64::MAX), None);
        feed.request_resync();
        feed.schedule_resync(0);
        assert_eq!(feed.take_sync(u64::MAX), Some(8), "a new cause begins anew");
    }

    #[test]
    fn the_servers_position_asks_for_what_is_missing() {
        let mut feed = synced(8);
        feed.handle_position(8, 5);
        assert_eq!(feed.take_sync(5), None);
        feed.handle_position(9, 5);
        assert_eq!(feed.take_sync(5), Some(8));
    }
}
