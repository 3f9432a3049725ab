//! How long tokens have not been used, by a clock that no wrong one can push.
//!
//! The lasting clock goes as fast as the monotonic one while the node runs, and over
//! a stop as far as the wall clock says, but [`STOP`] at most: a wall clock that
//! jumps ends no token, whatever it says, and one that steps back holds none.
//! It is noted with what it dates, at most once a day for each token, without a
//! sync: what a crash forgets makes a token live a little longer.

use std::time::{Duration, Instant};

use crate::storage::store::tables::meta;
use crate::storage::store::{Fact, Store, StoreError, Write};

/// The most that a stop counts for.
const STOP: Duration = Duration::from_secs(7 * 86_400);

/// How often it is noted that a token is used.
pub(super) const DAY_MS: u64 = 86_400_000;

/// The lasting clock.
pub(super) struct Clock {
    began_ms: u64,
    began: Instant,
}

impl Clock {
    /// Goes on from what was noted.
    pub(super) fn start(store: &Store, wall_ms: u64, now: Instant) -> Result<Self, StoreError> {
        let noted = store.fact(Fact::Clock)?;
        Ok(Self { began_ms: began(noted.as_deref(), wall_ms), began: now })
    }

    /// The time by it. Never 0.
    pub(super) fn now_ms(&self, now: Instant) -> u64 {
        let passed = now.saturating_duration_since(self.began).as_millis();
        self.began_ms.saturating_add(u64::try_from(passed).unwrap_or(u64::MAX)).max(1)
    }

    /// The write that notes it.
    pub(super) fn note(&self, wall_ms: u64, now: Instant) -> Write {
        let both = [self.now_ms(now).to_be_bytes(), wall_ms.to_be_bytes()].concat();
        meta::note(Fact::Clock, &both)
    }
}

fn began(noted: Option<&[u8]>, wall_ms: u64) -> u64 {
    let Some((time, wall)) = noted.and_then(|noted| noted.split_first_chunk::<8>()) else {
        return 1;
    };
    let wall = <[u8; 8]>::try_from(wall).map_or(wall_ms, u64::from_be_bytes);
    let most = u64::try_from(STOP.as_millis()).unwrap_or(u64::MAX);
    u64::from_be_bytes(*time).saturating_add(wall_ms.saturating_sub(wall).min(most))
}

/// Whether a token that was last used then has ended. What was never noted has not.
pub(super) const fn has_ended(used_ms: u64, now_ms: u64, idle: Duration) -> bool {
    let idle_ms = idle.as_millis();
    idle_ms > 0 && used_ms > 0 && (now_ms.saturating_sub(used_ms) as u128) > idle_ms
}

#[cfg(test)]
mod tests {
    use super::*;

    const YEAR_MS: u64 = 365 * DAY_MS;

    fn noted(time: u64, wall: u64) -> Vec<u8> {
        [time.to_be_bytes(), wall.to_be_bytes()].concat()
    }

    #[test]
    fn it_goes_on_over_a_stop_and_follows_no_jump() {
        let wall = 50 * YEAR_MS;
        assert_eq!(began(None, wall), 1, "the first start");
        assert_eq!(began(Some(&noted(100, wall)), wall + 5), 105);
        assert_eq!(began(Some(&noted(100, wall)), wall + 3 * YEAR_MS), 100 + 7 * DAY_MS);
        assert_eq!(began(Some(&noted(100, wall)), wall - YEAR_MS), 100, "a step back");
        assert_eq!(began(Some(b"rubbish"), wall), 1);
        assert_eq!(began(Some(&noted(100, wall)[..12]), wall), 100);
    }

    #[test]
    fn a_token_ends_after_its_idle_time_and_not_when_unknown() {
        let idle = Duration::from_millis(90 * DAY_MS);
        assert!(!has_ended(1, 1 + 90 * DAY_MS, idle));
        assert!(has_ended(1, 2 + 90 * DAY_MS, idle));
        assert!(!has_ended(0, YEAR_MS, idle), "never noted");
        assert!(!has_ended(1, YEAR_MS, Duration::ZERO), "switched off");
        assert!(!has_ended(YEAR_MS, 1, idle), "noted by a clock that was lost");
    }
}
