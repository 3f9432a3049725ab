//! How often to sync: as soon as possible while little comes, and less often
//! the more comes.
//!
//! A sync takes the processor as long for one message as for thirty. Below
//! about two thousand messages a second nothing waits. Above, groups begin so
//! far apart that about the square of the rate shares them, up to
//! [`LONGEST`]: at ten thousand a second twenty messages share a sync, and
//! one waits a millisecond on average, which it would otherwise wait for a
//! processor.

use std::time::{Duration, Instant};

/// The longest time between the beginnings of two groups that anything waits for.
const LONGEST: Duration = Duration::from_millis(2);

/// Shorter ones are not worth a timer.
const SHORTEST: Duration = Duration::from_micros(400);

/// Time between groups for each message a second.
const PER_RATE_NS: f64 = 200.0;

/// The rate forgets over about this time.
const MEMORY_S: f64 = 0.05;

/// What the last groups say of the next.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// When the last group with anything urgent began.
    began: Option<Instant>,
    /// Urgent items a second, lately.
    rate: f64,
}

impl Pace {
    /// A group with so many urgent items begins.
    pub(super) fn began(&mut self, now: Instant, urgent: usize) {
        if urgent == 0 {
            return;
        }
        let since = self.began.replace(now).map(|before| now.saturating_duration_since(before));
        // The first says nothing of how many come.
        let Some(since) = since.map(|since| since.as_secs_f64().max(1e-6)) else { return };
        let weight = 1.0 - (-since / MEMORY_S).exp();
        self.rate += weight * (urgent as f64 / since - self.rate);
    }

    /// How long the next group may still gather.
    pub(super) fn rest(&self, now: Instant) -> Duration {
        let apart = Duration::from_nanos((self.rate * PER_RATE_NS) as u64).min(LONGEST);
        if apart < SHORTEST {
            return Duration::ZERO;
        }
        let since = self.began.map_or(LONGEST, |began| now.saturating_duration_since(began));
        apart.saturating_sub(since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pace after `seconds` in which `urgent` items came with each group, `apart`.
    fn after(groups: u32, urgent: usize, apart: Duration) -> (Pace, Instant) {
        let mut pace = Pace::default();
        let start = Instant::now();
        let mut now = start;
        for _ in 0..groups {
            pace.began(now, urgent);
            now += apart;
        }
        (pace, now - apart)
    }

    #[test]
    fn a_thousand_a_second_never_wait() {
        let (pace, now) = after(1000, 1, Duration::from_millis(1));
        assert_eq!(pace.rest(now), Duration::ZERO);
        assert_eq!(Pace::default().rest(now), Duration::ZERO);
    }

    #[test]
    fn ten_thousand_a_second_share_a_sync_every_two_milliseconds() {
        let (pace, now) = after(1000, 10, Duration::from_millis(1));
        let rest = pace.rest(now);
        assert!(rest > Duration::from_micros(1900) && rest <= LONGEST, "{rest:?}");
        assert_eq!(pace.rest(now + LONGEST), Duration::ZERO);
    }

    #[test]
    fn nothing_waits_longer_than_the_longest_and_silence_is_forgotten() {
        let (mut pace, now) = after(1000, 1000, Duration::from_millis(1));
        assert_eq!(pace.rest(now), LONGEST);
        let later = now + Duration::from_secs(1);
        pace.began(later, 1);
        assert_eq!(pace.rest(later), Duration::ZERO);
        // Groups without anything urgent say nothing of those with.
        pace.began(later + Duration::from_micros(1), 0);
        assert_eq!(pace.rest(later), Duration::ZERO);
    }
}
