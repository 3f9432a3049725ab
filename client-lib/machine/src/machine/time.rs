//! When something is due, and what is due when time has passed.

use super::connect::{Step, Tick};
use super::{Machine, Save};
use crate::error::{Error, ErrorKind};

/// What the server's clock says, as far as known: as much ahead of the driver's
/// as it was at the beginning of the last session, or the device's without one.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    /// Ahead of the driver's.
    ahead_ms: Option<i64>,
    /// Ahead of the device's.
    skew_ms: i64,
}

impl Clock {
    /// The time, before a session told better.
    fn see(&mut self, tick: Tick) {
        self.ahead_ms.get_or_insert_with(|| ahead(tick.wall_ms, tick.now_ms));
    }

    /// A session began.
    pub(crate) fn handle_welcome(&mut self, tick: Tick, server_ms: u64) {
        if server_ms > 0 {
            self.ahead_ms = Some(ahead(server_ms, tick.now_ms));
            self.skew_ms = ahead(server_ms, tick.wall_ms);
        }
    }

    const fn server_ms(&self, now_ms: u64) -> u64 {
        match self.ahead_ms {
            Some(ahead_ms) => now_ms.saturating_add_signed(ahead_ms),
            None => 0,
        }
    }

    /// A moment of the server's clock by the driver's; at once when it is not known.
    const fn steady_ms(&self, server_ms: u64) -> u64 {
        match self.ahead_ms {
            Some(ahead_ms) => server_ms.saturating_add_signed(ahead_ms.saturating_neg()),
            None => 0,
        }
    }

    /// A moment of the server's clock by the device's.
    pub(crate) fn device_ms(&self, server_ms: Option<u64>) -> Option<u64> {
        server_ms.map(|at_ms| at_ms.saturating_add_signed(self.skew_ms.saturating_neg()))
    }
}

fn ahead(one_ms: u64, other_ms: u64) -> i64 {
    let signed = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
    signed(one_ms).saturating_sub(signed(other_ms))
}

impl Machine {
    /// It is so late by the server's clock: what expired goes.
    fn expire(&mut self, server_ms: u64) {
        let me = self.me();
        for (id, stale) in self.conversations.handle_time(server_ms, me) {
            if stale {
                self.feed.request_resync();
            }
            if let Some(conversation) = self.conversations.get(id) {
                let expiry = conversation.expiry().clone();
                self.outputs.save(Save::Expired(id, expiry, server_ms));
            }
            self.conversations.mark_changed(id);
            self.conversations.touch(id);
        }
    }

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
            self.conversations.expiry_ms().map(|at_ms| self.clock.steady_ms(at_ms)),
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
        self.clock.see(tick);
        self.expire(self.clock.server_ms(now_ms));
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
