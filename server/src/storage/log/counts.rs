//! What a log did so far, for metrics and tests.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use metrics::{Counter, Histogram, counter, histogram};

/// Counts of one log, and the same as metrics `parley_log_…`.
///
/// The metrics are registered when the log starts: install the recorder before.
pub struct Counts {
    batches: AtomicU64,
    appends: AtomicU64,
    entries: AtomicU64,
    bytes: AtomicU64,
    syncs: AtomicU64,
    metrics: Metrics,
}

struct Metrics {
    batches: Counter,
    appends: Counter,
    entries: Counter,
    bytes: Counter,
    syncs: Counter,
    sync_seconds: Histogram,
    batch_appends: Histogram,
}

/// What one commit batch was.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Batch {
    pub(super) appends: u64,
    pub(super) entries: u64,
    pub(super) bytes: u64,
    /// How long the sync took, if there was one.
    pub(super) sync: Option<Duration>,
}

impl Counts {
    pub(super) fn new() -> Self {
        Self {
            batches: AtomicU64::new(0),
            appends: AtomicU64::new(0),
            entries: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            syncs: AtomicU64::new(0),
            metrics: Metrics {
                batches: counter!("parley_log_batches_total"),
                appends: counter!("parley_log_appends_total"),
                entries: counter!("parley_log_records_total"),
                bytes: counter!("parley_log_bytes_total"),
                syncs: counter!("parley_log_syncs_total"),
                sync_seconds: histogram!("parley_log_sync_seconds"),
                batch_appends: histogram!("parley_log_batch_appends"),
            },
        }
    }

    pub(super) fn add(&self, batch: &Batch) {
        let both = |count: &AtomicU64, metric: &Counter, by| {
            count.fetch_add(by, Ordering::Relaxed);
            metric.increment(by);
        };
        both(&self.batches, &self.metrics.batches, 1);
        both(&self.appends, &self.metrics.appends, batch.appends);
        both(&self.entries, &self.metrics.entries, batch.entries);
        both(&self.bytes, &self.metrics.bytes, batch.bytes);
        self.metrics.batch_appends.record(batch.appends as f64);
        if let Some(time) = batch.sync {
            both(&self.syncs, &self.metrics.syncs, 1);
            self.metrics.sync_seconds.record(time.as_secs_f64());
        }
    }

    /// Commit batches.
    #[must_use]
    pub fn batches(&self) -> u64 {
        self.batches.load(Ordering::Relaxed)
    }

    /// Appends committed.
    #[must_use]
    pub fn appends(&self) -> u64 {
        self.appends.load(Ordering::Relaxed)
    }

    /// Entries committed.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.entries.load(Ordering::Relaxed)
    }

    /// Bytes of keys and values written.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Syncs of the disk.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }
}

impl std::fmt::Debug for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Counts")
            .field("batches", &self.batches())
            .field("appends", &self.appends())
            .field("entries", &self.entries())
            .field("bytes", &self.bytes())
            .field("syncs", &self.syncs())
            .finish()
    }
}
