//! Figures that are read now and then rather than counted as they change.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::home::Homes;
use crate::metrics::{Metrics, list as metric};
use crate::shard::States;

const EVERY: Duration = Duration::from_secs(5);

pub(super) struct Gauges {
    homes: Arc<Homes>,
    states: Arc<States>,
    metrics: Metrics,
}

impl Gauges {
    pub(super) const fn new(homes: Arc<Homes>, states: Arc<States>, metrics: Metrics) -> Self {
        Self { homes, states, metrics }
    }

    /// Reads them until `shutdown`.
    pub(super) async fn run(self, shutdown: CancellationToken) {
        let mut every = tokio::time::interval(EVERY);
        while !shutdown.is_cancelled() {
            tokio::select! {
                _ = every.tick() => self.read(),
                () = shutdown.cancelled() => {}
            }
        }
    }

    fn read(&self) {
        let queued: usize = self.homes.sessions().iter().map(|link| link.queued_bytes()).sum();
        metrics::gauge!(metric::SESSION_QUEUE_BYTES).set(queued as f64);
        metrics::gauge!(metric::FEED_DIRTY).set(self.homes.dirty() as f64);
        metrics::gauge!(metric::CONVERSATIONS_LOADED).set(self.states.loaded() as f64);
        self.metrics.upkeep();
    }
}
