//! When something is due, and what is due when time has passed.

use super::Machine;
use super::connect::{Step, Tick};
use crate::error::{Error, ErrorKind};

impl Machine {
    /// When [`Machine::handle_timeout`] wants to be called, in the driver's milliseconds.
    #[must_use]
    pub fn deadline(&self, now_ms: u64) -> Option<u64> {
        let ready = self.connect.is_ready();
        let while_ready = [
            Some(self.liveness.deadline(self.requests.oldest_ms())),
            self.overdue_at_ms(),
            self.outbox.deadline(now_ms),
            self.conversations.deadline(),
            self.feed.deadline(now_ms),
            self.names.lookup_deadline(now_ms),
            self.presence.watch_deadline(now_ms),
        ];
        let always = [
            self.connect.deadline(),
            self.calls.deadline(),
            self.outbox.drain_until_ms(),
            self.presence.typing_deadline(),
        ];
        let ready_ones = while_ready.into_iter().filter(|_| ready);
        ready_ones.chain(always).flatten().filter(|at| *at != u64::MAX).min()
    }

    /// When the oldest request has waited too long.
    fn overdue_at_ms(&self) -> Option<u64> {
        let oldest_ms = self.requests.oldest_ms()?;
        Some(oldest_ms.saturating_add(self.config.request_timeout_ms))
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, tick: Tick) {
        let now_ms = tick.now_ms;
        self.conversations.handle_timeout(now_ms);
        self.expire_calls(now_ms);
        for (id, user) in self.presence.expire_typing(now_ms) {
            self.emit_typing(id, user, false);
        }
        if self.connect.is_ready() {
            let overdue = self.overdue_at_ms().is_some_and(|at| at <= now_ms);
            let dead_at_ms = self.liveness.dead_at_ms(self.requests.oldest_ms());
            if overdue || dead_at_ms <= now_ms {
                let error = Error::new(ErrorKind::Timeout, "the server went silent");
                self.handle_failure(tick, error);
            }
        }
        let step = self.connect.handle_timeout(tick);
        if matches!(step, Step::Wait) {
            self.end_session();
        }
        self.apply_step(step, now_ms);
        self.finish_input(now_ms);
    }
}
