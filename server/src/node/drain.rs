//! Closing without surprise: readiness goes first, then clients are told, then
//! their sessions are closed one by one over a window, so that they come back
//! elsewhere spread out instead of all at once.

use std::sync::Arc;
use std::time::Duration;

use parley_core::session::notice;
use parley_protocol::Code;
use parley_protocol::wire::{self, server_envelope::Kind};
use tokio_util::sync::CancellationToken;

use crate::base::clock;
use crate::chat::home::Homes;
use crate::chat::link::Item;
use crate::edge::http::Readiness;

/// Closes the sessions of a node.
pub(super) struct Drain {
    pub(super) homes: Arc<Homes>,
    pub(super) readiness: Readiness,
    /// Cancelled first: no new session opens.
    pub(super) draining: CancellationToken,
    /// Over how long the closes are spread.
    pub(super) spread: Duration,
}

impl Drain {
    /// Returns once every session was told to end. `now` skips the waiting.
    pub(super) async fn run(&self, now: &CancellationToken) {
        self.readiness.set_ready(false);
        self.draining.cancel();
        let sessions = self.homes.sessions();
        tracing::info!(sessions = sessions.len(), "draining");
        let within_ms = u64::try_from(self.spread.as_millis()).unwrap_or(u64::MAX);
        for link in &sessions {
            link.push(Item::Notice(notice(Kind::Drain(wire::Drain { within_ms }))));
        }
        let step = self
            .spread
            .checked_div(u32::try_from(sessions.len()).unwrap_or(u32::MAX))
            .unwrap_or_default();
        let end = tokio::time::Instant::from(clock::now()) + self.spread;
        for link in sessions {
            // A session that ended by itself needs no waiting for.
            if !self.homes.is_attached(&link) {
                continue;
            }
            let pause = tokio::time::sleep_until(
                (tokio::time::Instant::from(clock::now()) + step).min(end),
            );
            tokio::select! {
                () = pause => {}
                () = now.cancelled() => {}
            }
            link.end(Code::Draining);
        }
        // Sessions that opened while the list was made.
        for link in self.homes.sessions() {
            link.end(Code::Draining);
        }
    }
}
