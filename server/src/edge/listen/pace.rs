//! Whether a peer takes what it is sent, however slowly.
//!
//! A deadline for all of it would cut whoever is on a slow line; none would let a
//! trickle hold memory for ever. So time is counted from the last step of so many
//! bytes: who takes them in time goes on for as long as there is something.

use std::time::Duration;

use tokio::time::Instant;

/// Bytes that have to move within the patience: at 20 seconds, some 6 kbit/s.
pub(super) const STEP_BYTES: u64 = 16 * 1024;

/// Watches one flush.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    patience: Duration,
    moved: u64,
    until: Instant,
}

impl Pace {
    /// Begins now, with so many bytes moved before.
    #[must_use]
    pub fn begin(patience: Duration, moved: u64, now: Instant) -> Self {
        Self { patience, moved, until: now + patience }
    }

    /// When to look again.
    #[must_use]
    pub const fn until(&self) -> Instant {
        self.until
    }

    /// The count from which on a step was made.
    #[must_use]
    pub const fn enough(&self) -> u64 {
        self.moved + STEP_BYTES
    }

    /// Looks: with `moved` bytes by now, whether it may go on.
    #[must_use]
    pub fn goes_on(&mut self, moved: u64, now: Instant) -> bool {
        if moved.saturating_sub(self.moved) >= STEP_BYTES {
            (self.moved, self.until) = (moved, now + self.patience);
            return true;
        }
        now < self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_begin_the_wait_anew_and_crumbs_do_not() {
        let begin = Instant::from(crate::base::clock::now());
        let at = |seconds| begin + Duration::from_secs(seconds);
        let mut pace = Pace::begin(Duration::from_secs(20), 0, begin);
        assert!(pace.goes_on(STEP_BYTES, at(19)));
        assert!(pace.goes_on(2 * STEP_BYTES, at(38)));
        assert!(pace.goes_on(2 * STEP_BYTES + 100, at(57)));
        assert!(!pace.goes_on(2 * STEP_BYTES + 200, at(58)), "a trickle");
    }
}
