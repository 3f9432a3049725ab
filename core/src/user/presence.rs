//! When a user counts as online.
//!
//! Somebody is online while at least one of their sessions is in the
//! foreground and was heard of lately. A connection that is lost without a
//! word says nothing: its last sign holds until the patience is over, so that
//! who reconnects meanwhile was never gone. A goodbye takes the sign away.

/// The last sign of life of one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sign {
    /// The app was in front of its user.
    pub foreground: bool,
    /// When it was last heard of in the foreground, milliseconds.
    pub seen_ms: u64,
}

/// Whether these signs make their user online at `now_ms`.
#[must_use]
pub fn is_online(signs: impl IntoIterator<Item = Sign>, now_ms: u64, patience_ms: u64) -> bool {
    signs
        .into_iter()
        .any(|sign| sign.foreground && now_ms < sign.seen_ms.saturating_add(patience_ms))
}

/// How long silence is borne: what is configured, but never less than two and a
/// half heartbeats, or a healthy client would come and go.
#[must_use]
pub fn patience_ms(offline_after_ms: u64, heartbeat_ms: u32) -> u64 {
    offline_after_ms.max(u64::from(heartbeat_ms) * 5 / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn sign(foreground: bool, seen_ms: u64) -> Sign {
        Sign { foreground, seen_ms }
    }

    #[test]
    fn one_fresh_session_in_the_foreground_is_enough_and_needed() {
        assert!(!is_online([], 5, 10));
        assert!(!is_online([sign(false, 5)], 5, 10));
        assert!(is_online([sign(false, 5), sign(true, 1)], 10, 10));
        assert!(!is_online([sign(false, 11), sign(true, 1)], 11, 10));
        assert!(is_online([sign(true, u64::MAX - 1)], u64::MAX - 1, 10));
    }

    #[test]
    fn a_client_that_keeps_its_heartbeat_may_miss_one() {
        assert_eq!(patience_ms(10_000, 4_000), 10_000);
        assert_eq!(patience_ms(10_000, 30_000), 75_000);
        assert_eq!(patience_ms(1_000, u32::MAX), u64::from(u32::MAX) * 5 / 2);
    }
}
