//! How long to wait between attempts: with full jitter, and never for more than
//! a server may ask for.

use std::time::Duration;

/// How long to wait between attempts to connect: full jitter, so a wait is a
/// random part of `base * 2^attempt`, at most of `max`. For ever, unless
/// `attempts` says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The first bound.
    pub base: Duration,
    /// The last bound.
    pub max: Duration,
    /// Attempts in a row after which the client closes; `None` for never.
    pub attempts: Option<u32>,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { base: Duration::from_millis(500), max: Duration::from_secs(20), attempts: None }
    }
}

impl Backoff {
    /// How long to wait before the attempt after so many failed ones: a random
    /// part of `base * 2^attempt`, at most of `max`; on top of what the server
    /// asked for, so that many clients don't come back at the same moment.
    pub(crate) fn wait_ms(self, attempt: u32, random: u64, retry_after: Option<Duration>) -> u64 {
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let bound = millis(self.base)
            .saturating_mul(1u64.checked_shl(attempt).unwrap_or(u64::MAX))
            .min(millis(self.max));
        // A server can't send a client away for more than an hour.
        let floor = retry_after.map_or(0, millis).min(3_600_000);
        floor.saturating_add(random % bound.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn waits_stay_in_their_bounds(attempt: u32, random: u64, asked in 0u64..100_000) {
            let asked_for = Some(Duration::from_millis(asked));
            let wait = Backoff::default().wait_ms(attempt, random, asked_for);
            prop_assert!(wait >= asked && wait <= asked + 20_000);
            prop_assert!(Backoff::default().wait_ms(0, random, None) <= 500);
        }
    }
}
