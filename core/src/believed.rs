//! How far the wall's clock is believed where nothing can be undone.
//!
//! A wall clock may be wrong by any amount, for a moment or from the start on. What
//! is erased by it does not come back when it is put right. So the time that erasing
//! goes by follows the wall only as fast as time passes by the clock that never steps.
//! Where the wall is ahead of it (the node was off, or the clock is wrong, which look
//! alike) it catches up slowly, and only once both clocks have agreed for a while.
//! It is noted in the store, and a start goes on from there.
//!
//! A clock that shows a time from before there was Parley is wrong for sure: it sets
//! nothing back. And while the wall is behind, entries are stamped by this time.

/// A difference of the clocks that is no step: what daemons correct at once.
pub const STEP_MS: u64 = 60_000;

/// How long the clocks have to agree before anything is caught up.
pub const AGREED_MS: u64 = 10 * 60_000;

/// 2026-01-01, before which there was no Parley: whatever shows an earlier time knows
/// none.
pub const EARLIEST_MS: u64 = 1_767_225_600_000;

/// Caught up for each unit of time that passes: a day an hour.
pub const GAIN: u64 = 24;

/// The believed time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Believed {
    time_ms: u64,
    /// Both clocks when they were read last.
    wall_ms: u64,
    steady_ms: u64,
    /// Since when they agree, by the one that never steps.
    agreed_since_ms: u64,
}

impl Believed {
    /// Goes on from what was noted; a store that knows nothing takes the wall's word,
    /// as soon as that can be right.
    /// Both clocks are in milliseconds: the wall's since the Unix epoch, the one that
    /// never steps from anywhere.
    #[must_use]
    pub fn start(noted_ms: Option<u64>, wall_ms: u64, steady_ms: u64) -> Self {
        let time_ms = noted_ms.filter(|noted_ms| *noted_ms >= EARLIEST_MS).unwrap_or(wall_ms);
        Self { time_ms, wall_ms, steady_ms, agreed_since_ms: steady_ms }
    }

    /// Takes what the clocks show now. Returns the time to go by: never after the
    /// wall's, never sooner than time passed.
    pub fn tick(&mut self, wall_ms: u64, steady_ms: u64) -> u64 {
        let passed = steady_ms.saturating_sub(self.steady_ms);
        let can_be = wall_ms >= EARLIEST_MS;
        if !can_be || wall_ms.abs_diff(self.wall_ms.saturating_add(passed)) > STEP_MS {
            self.agreed_since_ms = steady_ms;
        }
        (self.wall_ms, self.steady_ms) = (wall_ms, steady_ms);
        let agreed = steady_ms.saturating_sub(self.agreed_since_ms) >= AGREED_MS;
        let speed = if agreed { 1 + GAIN } else { 1 };
        let time_ms = self.time_ms.saturating_add(passed.saturating_mul(speed));
        let follows = self.time_ms.saturating_add(passed).saturating_add(STEP_MS) >= wall_ms;
        // A wall that stepped back for a moment must not be caught up with for years.
        let lowers = agreed || wall_ms >= self.time_ms;
        self.time_ms = if can_be && self.time_ms < EARLIEST_MS {
            wall_ms
        } else {
            match (follows, lowers) {
                (true, true) => wall_ms,
                (true, false) => self.time_ms.saturating_add(passed),
                (false, _) => time_ms.min(wall_ms),
            }
        };
        self.time_ms.min(wall_ms)
    }

    /// The time at a moment after the last tick, had nothing been caught up since:
    /// milliseconds to add to the clock that never steps.
    #[must_use]
    pub const fn offset_ms(&self) -> u64 {
        self.time_ms.saturating_sub(self.steady_ms)
    }

    /// What a start goes on from, for the store.
    #[must_use]
    pub const fn to_note_ms(&self) -> u64 {
        self.time_ms
    }

    /// How far the wall is ahead, in milliseconds.
    #[must_use]
    pub const fn behind_ms(&self) -> u64 {
        self.wall_ms.saturating_sub(self.time_ms)
    }
}

/// The time that entries are stamped with. The wall's, also when it is ahead, since
/// people must see what clocks show after the node was off; but while it is behind
/// what is believed, that.
#[must_use]
pub const fn to_stamp_ms(wall_ms: u64, believed_ms: u64) -> u64 {
    let behind = wall_ms.saturating_add(STEP_MS) < believed_ms;
    if behind && believed_ms >= EARLIEST_MS { believed_ms } else { wall_ms }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: u64 = 3_600_000;
    const DAY: u64 = 24 * HOUR;
    const YEAR: u64 = 365 * DAY;
    const NOW: u64 = 60 * YEAR;

    #[test]
    fn clocks_that_agree_are_believed_at_once() {
        let mut believed = Believed::start(None, NOW, 5);
        assert_eq!(believed.tick(NOW + 10_000, 10_005), NOW + 10_000);
        // A daemon corrects it, forwards and back.
        assert_eq!(believed.tick(NOW + 50_000, 20_005), NOW + 50_000);
        assert_eq!(believed.tick(NOW + 30_000, 30_005), NOW + 30_000);
        // After a short stop.
        let mut again = Believed::start(Some(NOW), NOW + 40_000, 0);
        assert_eq!(again.tick(NOW + 40_000, 0), NOW + 40_000);
    }

    #[test]
    fn a_jump_for_a_moment_is_not_followed() {
        for jump in [2 * HOUR, DAY, 2 * YEAR] {
            let mut believed = Believed::start(None, NOW, 0);
            assert_eq!(believed.tick(NOW + jump, 6_000), NOW + 6_000);
            assert_eq!(believed.behind_ms(), jump - 6_000);
            assert_eq!(believed.tick(NOW + 12_000, 12_000), NOW + 12_000);
        }
    }

    #[test]
    fn a_start_far_ahead_is_caught_up_with_slowly_and_a_right_one_too() {
        let mut believed = Believed::start(Some(NOW), NOW + 2 * YEAR, 0);
        let mut tick = |steady| believed.tick(NOW + 2 * YEAR + steady, steady);
        assert_eq!(tick(2_000), NOW + 2_000);
        assert_eq!(tick(AGREED_MS - 1), NOW + AGREED_MS - 1);
        let an_hour = tick(AGREED_MS - 1 + HOUR);
        assert_eq!(an_hour, NOW + AGREED_MS - 1 + HOUR + DAY);
        // Off for a week: caught up with within a third of a day.
        let mut believed = Believed::start(Some(NOW), NOW + 7 * DAY, 0);
        let mut at = 0;
        while believed.behind_ms() > 0 {
            at += 10_000;
            believed.tick(NOW + 7 * DAY + at, at);
        }
        assert!(at > 7 * HOUR && at < 8 * HOUR, "{at}");
    }

    #[test]
    fn a_wall_in_1970_holds_and_does_not_set_back() {
        let mut believed = Believed::start(None, NOW, 0);
        assert_eq!(believed.tick(6_000, 6_000), 6_000);
        assert_eq!(believed.tick(NOW + 12_000, 12_000), NOW + 12_000);
        // One that was wrong for long enough to be believed is left when it is put right.
        let mut ahead = Believed::start(Some(NOW + YEAR), NOW, 0);
        assert_eq!(ahead.tick(NOW + AGREED_MS, AGREED_MS), NOW + AGREED_MS);
        assert_eq!(ahead.to_note_ms(), NOW + AGREED_MS);
    }

    #[test]
    fn a_wall_from_before_parley_is_never_believed() {
        let mut believed = Believed::start(Some(NOW), 0, 0);
        // A day in 1970, and what is written then bears a time that can be right.
        assert_eq!(believed.tick(DAY, DAY), DAY);
        assert_eq!(believed.to_note_ms(), NOW + DAY);
        assert_eq!(to_stamp_ms(DAY, DAY + believed.offset_ms()), NOW + DAY);
        assert_eq!(believed.tick(NOW + DAY + 1, DAY + 1), NOW + DAY + 1);
        // A store that knows nothing takes the first word that can be right.
        for noted in [None, Some(7)] {
            let mut new = Believed::start(noted, 9, 0);
            assert_eq!(to_stamp_ms(10, 1 + new.offset_ms()), 10);
            assert_eq!(new.tick(HOUR, HOUR), HOUR);
            assert_eq!(new.tick(NOW, HOUR + 1), NOW);
        }
    }

    #[test]
    fn stamps_follow_the_wall_ahead_and_are_held_behind_until_it_is_believed() {
        assert_eq!(to_stamp_ms(NOW + YEAR, NOW), NOW + YEAR);
        assert_eq!(to_stamp_ms(NOW - STEP_MS, NOW), NOW - STEP_MS);
        let mut believed = Believed::start(None, NOW, 0);
        believed.tick(NOW - DAY + 1000, 1000);
        assert_eq!(to_stamp_ms(NOW - DAY + 2000, 2000 + believed.offset_ms()), NOW + 2000);
        believed.tick(NOW - DAY + 1000 + AGREED_MS, 1000 + AGREED_MS);
        let at = AGREED_MS + 2000;
        assert_eq!(to_stamp_ms(NOW - DAY + at, at + believed.offset_ms()), NOW - DAY + at);
    }

    proptest! {
        /// Whatever the wall shows: the time never is after it, and gains no more than
        /// a step and a day an hour over the time that passed.
        #[test]
        fn it_is_never_after_the_wall_nor_faster_than_it_may_be(
            walls in prop::collection::vec((0..4 * YEAR, 1..HOUR), 1..60),
        ) {
            let mut believed = Believed::start(Some(NOW), NOW, 0);
            let (mut steady, mut before) = (0, NOW);
            for (offset, passed) in walls {
                steady += passed;
                let wall = NOW - 2 * YEAR + offset;
                let time = believed.tick(wall, steady);
                prop_assert!(time <= wall);
                prop_assert!(believed.to_note_ms() <= before + passed * (1 + GAIN) + STEP_MS);
                before = believed.to_note_ms();
            }
        }
    }
}
