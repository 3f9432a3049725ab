//! When something is due, and what is due when time has passed.

use super::Machine;
use super::connect::{Step, Tick};
use crate::error::{Error, ErrorKind};

/// How long a server may say nothing while a request waits.
const SILENCE_MS: u64 = 10_000;

impl Machine {
    /// When [`Machine::handle_timeout`] wants to be called, in the driver's milliseconds.
    #[must_use]
    pub fn deadline(&self, now_ms: u64) -> Option<u64> {
        let ready = self.connect.is_ready();
        let while_ready = [
            Some(self.ping_at_ms.min(self.dead_at_ms())),
            self.requests
                .oldest_ms()
                .map(|made| made.saturating_add(self.config.request_timeout_ms)),
            self.outbox.deadline(now_ms),
            self.timers.first().map(|(at, _)| *at),
            self.sync_at_ms.filter(|at| *at > now_ms),
            Some(self.lookup_at_ms).filter(|at| *at > now_ms),
            self.watch_at_ms.filter(|at| *at > now_ms),
        ];
        let always = [
            self.connect.deadline(),
            self.calls.values().next().map(|(_, until)| *until),
            self.drain_until_ms,
            self.typing_deadline(),
        ];
        let ready_ones = while_ready.into_iter().filter(|_| ready);
        ready_ones.chain(always).flatten().filter(|at| *at != u64::MAX).min()
    }

    /// When the link counts as dead: nothing at all was heard for two and a half
    /// heartbeats, or for [`SILENCE_MS`] (at least one heartbeat) with a request
    /// waiting. A transport that keeps no connection state in the kernel, as
    /// QUIC, does not notice by itself that a server was killed.
    fn dead_at_ms(&self) -> u64 {
        let idle = self.heard_ms.saturating_add(self.heartbeat_ms().saturating_mul(5) / 2);
        let patience = SILENCE_MS.max(self.heartbeat_ms());
        let asked = self
            .requests
            .oldest_ms()
            .map_or(u64::MAX, |made| made.max(self.heard_ms).saturating_add(patience));
        idle.min(asked)
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, tick: Tick) {
        let now_ms = tick.now_ms;
        while let Some((at, id)) = self.timers.first().copied()
            && at <= now_ms
        {
            self.timers.pop_first();
            self.work.insert(id);
        }
        self.expire_calls(now_ms);
        self.expire_typing(now_ms);
        if self.connect.is_ready() {
            let unanswered = self
                .requests
                .oldest_ms()
                .is_some_and(|made| made.saturating_add(self.config.request_timeout_ms) <= now_ms);
            if unanswered || self.dead_at_ms() <= now_ms {
                let error = Error::new(ErrorKind::Timeout, "the server went silent");
                self.handle_failure(tick, error);
            }
        }
        let step = self.connect.handle_timeout(tick);
        if matches!(step, Step::Wait) {
            self.forget_session();
        }
        self.follow(step, now_ms);
        self.settle(now_ms);
    }
}
