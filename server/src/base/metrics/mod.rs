//! Metrics: what the node counts, and the text of `/metrics`.
//!
//! [`list`] names every metric. [`Metrics::install`] puts the Prometheus
//! recorder in place, once a process, before anything is counted; handles made
//! earlier count nowhere. The node drives [`Metrics::upkeep`].

pub mod list;

use std::sync::OnceLock;
use std::time::Instant;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::base::clock;

/// Buckets of every histogram in seconds: from a quick sync to a stuck disk.
const SECONDS: &[f64] = &[
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0,
];

/// Buckets of every other histogram: sizes of batches.
const SIZES: &[f64] = &[
    1.0,
    2.0,
    4.0,
    8.0,
    16.0,
    32.0,
    64.0,
    128.0,
    256.0,
    512.0,
    1024.0,
    4096.0,
    16384.0,
    65536.0,
    1_048_576.0,
];

/// The installed recorder. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
    started: Instant,
}

static INSTALLED: OnceLock<Metrics> = OnceLock::new();

fn builder() -> Result<PrometheusBuilder, metrics_exporter_prometheus::BuildError> {
    PrometheusBuilder::new()
        .set_buckets(SIZES)?
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)
}

impl Metrics {
    /// Installs the recorder; a second call returns the same one. Should another
    /// recorder be in place, nothing is counted here, and it is logged.
    pub fn install() -> Self {
        INSTALLED.get_or_init(Self::first).clone()
    }

    fn first() -> Self {
        let recorder = builder().unwrap_or_else(|error| {
            // The buckets are constants that a test has seen taken.
            tracing::error!(%error, "the buckets of histograms are not as they should be");
            PrometheusBuilder::new()
        });
        let recorder = recorder.build_recorder();
        let handle = recorder.handle();
        if let Err(error) = metrics::set_global_recorder(recorder) {
            tracing::error!(%error, "another metrics recorder is in place; /metrics stays empty");
        }
        for metric in list::ALL {
            let (name, unit, help) = (metric.name, metric.unit, metric.help);
            match metric.kind {
                list::Kind::Counter => metrics::describe_counter!(name, unit, help),
                list::Kind::Gauge => metrics::describe_gauge!(name, unit, help),
                list::Kind::Histogram => metrics::describe_histogram!(name, unit, help),
            }
        }
        Self { handle, started: clock::now() }
    }

    /// The text of `/metrics`.
    #[must_use]
    pub fn render(&self) -> String {
        self.observe();
        self.handle.render()
    }

    /// Folds histograms and looks at the process. The node calls it every few
    /// seconds; without it memory would grow with every recorded value.
    pub fn upkeep(&self) {
        self.handle.run_upkeep();
        self.observe();
    }

    fn observe(&self) {
        set(list::UPTIME_SECONDS, self.started.elapsed().as_secs());
        if let Some(bytes) = resident_bytes() {
            set(list::RESIDENT_BYTES, bytes);
        }
        if let Some(files) = open_files() {
            set(list::OPEN_FILES, files);
        }
        observe_allocator();
    }
}

/// Open descriptors; `None` where nobody says. Linux gives their number as the
/// folder's size since 6.2; before, they are counted, which takes long.
fn open_files() -> Option<u64> {
    const FOLDER: &str = "/proc/self/fd";
    match std::fs::metadata(FOLDER).ok()?.len() {
        0 => Some(std::fs::read_dir(FOLDER).ok()?.count() as u64),
        files => Some(files),
    }
}

/// From `/proc/self/statm`; `None` where there is none.
fn resident_bytes() -> Option<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = pages.split_whitespace().nth(1)?.parse().ok()?;
    // statm counts in pages, which are 4 KiB on every platform served.
    Some(pages * 4096)
}

/// jemalloc's own figures; a process with another allocator has none.
fn observe_allocator() {
    use tikv_jemalloc_ctl::{epoch, stats};
    // The figures are a snapshot that this call renews.
    if epoch::advance().is_err() {
        return;
    }
    let figures = [
        (list::ALLOCATOR_ALLOCATED_BYTES, stats::allocated::read()),
        (list::ALLOCATOR_ACTIVE_BYTES, stats::active::read()),
        (list::ALLOCATOR_RESIDENT_BYTES, stats::resident::read()),
        (list::ALLOCATOR_RETAINED_BYTES, stats::retained::read()),
    ];
    for (name, bytes) in figures {
        if let Ok(bytes) = bytes {
            set(name, bytes as u64);
        }
    }
}

fn set(name: &'static str, value: u64) {
    // Exact up to 2^53, which no figure here reaches.
    #[expect(clippy::cast_precision_loss, reason = "gauges are floating point")]
    metrics::gauge!(name).set(value as f64);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_names_explains_and_counts() {
        assert!(builder().is_ok());
        let metrics = Metrics::install();
        metrics::counter!(list::SIGN_UPS, "outcome" => "done").increment(2);
        metrics::histogram!(list::PASSWORD_HASH_SECONDS).record(0.003);
        Metrics::install().upkeep();
        let text = metrics.render();
        assert!(text.contains("# HELP parley_sign_ups_total Sign-ups by outcome."), "{text}");
        assert!(text.contains("parley_sign_ups_total{outcome=\"done\"}"), "{text}");
        assert!(text.contains("parley_password_hash_seconds_bucket{le=\"0.005\"}"), "{text}");
        assert!(text.contains("parley_resident_bytes"), "{text}");
    }

    #[test]
    fn open_files_are_counted() {
        let files: Vec<_> =
            (0..50).map(|_| std::fs::File::open("/proc/self/statm").unwrap()).collect();
        let open = open_files().unwrap();
        assert!(open >= files.len() as u64, "{open}");
    }
}
