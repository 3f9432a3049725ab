//! So many at once and so many a second: what a connection may do of what costs
//! work and carries nothing.
//!
//! The clock is asked only once the burst is used up.

use std::time::Instant;

use crate::base::clock;

/// A token bucket of one connection.
pub(super) struct Allowance {
    burst: u32,
    per_second: u32,
    left: u32,
    filled: Instant,
}

impl Allowance {
    /// A full bucket.
    pub(super) fn new(burst: u32, per_second: u32) -> Self {
        Self { burst, per_second, left: burst, filled: clock::now() }
    }

    /// Takes one; false when there is none.
    pub(super) fn take(&mut self) -> bool {
        self.take_at(clock::now)
    }

    fn take_at(&mut self, now: impl FnOnce() -> Instant) -> bool {
        if self.left == 0 {
            let now = now();
            let seconds = now.saturating_duration_since(self.filled).as_secs_f64();
            let back = (seconds * f64::from(self.per_second)) as u32;
            if back == 0 {
                return false;
            }
            self.filled = now;
            self.give(back);
        }
        self.left = self.left.saturating_sub(1);
        true
    }

    /// Puts some back, up to the burst.
    pub(super) fn give(&mut self, count: u32) {
        self.left = self.left.saturating_add(count).min(self.burst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_burst_passes_and_then_time_gives_back() {
        let mut allowance = Allowance::new(3, 2);
        let begin = allowance.filled;
        let at = |ms| move || begin + Duration::from_millis(ms);
        assert!((0..3).all(|_| allowance.take_at(at(0))));
        assert!(!allowance.take_at(at(499)));
        assert!(allowance.take_at(at(500)));
        assert!(!allowance.take_at(at(999)));
        allowance.give(9);
        assert!((0..3).all(|_| allowance.take_at(at(999))), "never above the burst");
        assert!(!allowance.take_at(at(999)));
    }
}
