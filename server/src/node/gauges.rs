//! Figures that are read now and then rather than counted as they change.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::base::memory::Memory;
use crate::base::metrics::{Metrics, list as metric};
use crate::chat::home::Homes;
use crate::chat::shard::States;
use crate::storage::store::Store;

const EVERY: Duration = Duration::from_secs(5);

pub(super) struct Gauges {
    homes: Arc<Homes>,
    states: Arc<States>,
    store: Store,
    memory: Arc<Memory>,
    metrics: Metrics,
}

impl Gauges {
    pub(super) const fn new(
        homes: Arc<Homes>,
        states: Arc<States>,
        store: Store,
        memory: Arc<Memory>,
        metrics: Metrics,
    ) -> Self {
        Self { homes, states, store, memory, metrics }
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
        metrics::gauge!(metric::SESSION_MEMORY_BYTES).set(self.memory.used() as f64);
        metrics::gauge!(metric::FEED_DIRTY).set(self.homes.dirty() as f64);
        metrics::gauge!(metric::CONVERSATIONS_LOADED).set(self.states.loaded() as f64);
        self.read_store();
        self.metrics.upkeep();
    }

    /// Reads counters that the engine keeps in memory; no data.
    fn read_store(&self) {
        let usage = self.store.usage();
        for family in &usage.families {
            let set =
                |name, value: u64| metrics::gauge!(name, "family" => family.name).set(value as f64);
            set(metric::STORE_ROWS, family.rows);
            set(metric::STORE_DISK_BYTES, family.table_bytes + family.blob_bytes);
            set(metric::STORE_MEMORY_BYTES, family.memory_bytes);
            set(metric::STORE_COMPACTION_BYTES, family.compaction_bytes);
        }
        metrics::gauge!(metric::STORE_MEMORY_BYTES, "family" => "cache")
            .set(usage.cache_bytes as f64);
        let stopped = if usage.writes_stopped { 1.0 } else { 0.0 };
        metrics::gauge!(metric::STORE_WRITES_STOPPED).set(stopped);
    }
}
