//! Whether the link is alive: heartbeats, and how long it may be silent.
//!
//! A transport that keeps no connection state in the kernel, as QUIC, does not
//! notice by itself that a server was killed.

/// How long a server may say nothing while a request waits.
const SILENCE_MS: u64 = 10_000;

/// Heartbeats before the first session.
const HEARTBEAT_MS: u64 = 30_000;

#[derive(Debug)]
pub(crate) struct Liveness {
    heartbeat_ms: u64,
    /// While the application is in the background.
    background_heartbeat_ms: u64,
    background: bool,
    ping_at_ms: u64,
    heard_ms: u64,
}

impl Liveness {
    pub(crate) const fn new() -> Self {
        Self {
            heartbeat_ms: HEARTBEAT_MS,
            background_heartbeat_ms: HEARTBEAT_MS,
            background: false,
            ping_at_ms: u64::MAX,
            heard_ms: 0,
        }
    }

    /// A session begins, with heartbeats as the server says; 0 in the background
    /// stands for the same as in front.
    pub(crate) fn begin_session(&mut self, now_ms: u64, heartbeat_ms: u32, background_ms: u32) {
        let background_ms = if background_ms == 0 { heartbeat_ms } else { background_ms };
        self.heartbeat_ms = bounded(heartbeat_ms);
        self.background_heartbeat_ms = bounded(background_ms);
        self.ping_at_ms = now_ms + self.interval_ms();
    }

    /// Forgets what belonged to one session.
    pub(crate) const fn end_session(&mut self) {
        self.ping_at_ms = u64::MAX;
    }

    /// The transport opened, or something came over it.
    pub(crate) const fn handle_heard(&mut self, now_ms: u64) {
        self.heard_ms = now_ms;
    }

    /// The application went to the background, or came back. Returns whether
    /// that is news.
    pub(crate) const fn set_background(&mut self, background: bool) -> bool {
        let news = self.background != background;
        self.background = background;
        news
    }

    pub(crate) const fn is_background(&self) -> bool {
        self.background
    }

    /// A sign of life is wanted now.
    pub(crate) const fn probe(&mut self, now_ms: u64) {
        self.ping_at_ms = now_ms;
    }

    /// Whether to ping now. The ping counts as sent.
    pub(crate) fn take_ping(&mut self, now_ms: u64) -> bool {
        let due = self.ping_at_ms <= now_ms;
        if due {
            self.ping_at_ms = now_ms + self.interval_ms();
        }
        due
    }

    /// When the link counts as dead: nothing at all was heard for two and a half
    /// heartbeats, or for [`SILENCE_MS`] (at least one heartbeat) with a request
    /// waiting, the oldest made at `oldest_ms`.
    pub(crate) fn dead_at_ms(&self, oldest_ms: Option<u64>) -> u64 {
        let idle = self.heard_ms.saturating_add(self.interval_ms().saturating_mul(5) / 2);
        let patience = SILENCE_MS.max(self.interval_ms());
        let asked =
            oldest_ms.map_or(u64::MAX, |made| made.max(self.heard_ms).saturating_add(patience));
        idle.min(asked)
    }

    /// When to ping, or to give the link up.
    pub(crate) fn deadline(&self, oldest_ms: Option<u64>) -> u64 {
        self.ping_at_ms.min(self.dead_at_ms(oldest_ms))
    }

    const fn interval_ms(&self) -> u64 {
        if self.background { self.background_heartbeat_ms } else { self.heartbeat_ms }
    }
}

/// A server can't make the client ping without end, nor forget it.
fn bounded(heartbeat_ms: u32) -> u64 {
    u64::from(heartbeat_ms).clamp(50, 3_600_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_session(heartbeat_ms: u32, background_ms: u32) -> Liveness {
        let mut liveness = Liveness::new();
        liveness.handle_heard(1_000);
        liveness.begin_session(1_000, heartbeat_ms, background_ms);
        liveness
    }

    #[test]
    fn a_ping_goes_every_heartbeat_and_at_once_when_probed() {
        let mut liveness = in_session(4_000, 0);
        assert!(!liveness.take_ping(4_999));
        assert!(liveness.take_ping(5_000));
        assert!(!liveness.take_ping(8_999));
        liveness.probe(6_000);
        assert!(liveness.take_ping(6_000));
        liveness.end_session();
        assert!(!liveness.take_ping(u64::MAX - 1));
    }

    #[test]
    fn in_the_background_pings_are_rarer() {
        let mut liveness = in_session(4_000, 30_000);
        assert!(liveness.set_background(true) && !liveness.set_background(true));
        liveness.probe(2_000);
        assert!(liveness.take_ping(2_000));
        assert!(!liveness.take_ping(31_999));
        assert!(liveness.take_ping(32_000));
    }

    #[test]
    fn silence_ends_the_link_sooner_while_a_request_waits() {
        let liveness = in_session(8_000, 0);
        assert_eq!(liveness.dead_at_ms(None), 1_000 + 20_000);
        assert_eq!(liveness.dead_at_ms(Some(3_000)), 3_000 + SILENCE_MS);
        assert_eq!(liveness.dead_at_ms(Some(0)), 1_000 + SILENCE_MS, "counted from the last word");
        assert_eq!(liveness.deadline(None), 9_000);
    }

    #[test]
    fn what_the_server_asks_for_is_bounded() {
        let mut liveness = in_session(0, u32::MAX);
        assert!(!liveness.take_ping(1_049));
        assert!(liveness.take_ping(1_050));
        liveness.set_background(true);
        assert_eq!(liveness.dead_at_ms(None), 1_000 + 9_000_000);
    }
}
