//! What all users of one run share: the clock, the measured window, histograms.
//!
//! Latencies count when their *intended* time lies in the window, so that a
//! stalled server can't hide behind messages that were sent late. Rates count
//! what arrived within it. Histograms are split into a few, each behind its own
//! lock, and users hand theirs over in batches.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use hdrhistogram::Histogram;

/// Histograms of each kind; users are spread over them.
const SHARDS: usize = 8;

/// Longest latency that is told apart, in microseconds.
const LONGEST_US: u64 = 60_000_000;

/// The shared part of one run.
pub(crate) struct Run {
    /// Marks this run's messages.
    pub(crate) id: u64,
    started: Instant,
    from_ns: AtomicU64,
    to_ns: AtomicU64,
    shards: Vec<Mutex<Latencies>>,
    /// Messages written, in all.
    pub(crate) written: AtomicU64,
    /// Messages acknowledged, in all.
    pub(crate) acknowledged: AtomicU64,
    /// Messages that reached the peer, in all.
    pub(crate) delivered: AtomicU64,
    /// Messages without an answer that will never get one: refused.
    pub(crate) refused: AtomicU64,
    /// Messages acknowledged within the window.
    pub(crate) window_acknowledged: AtomicU64,
    /// Messages delivered within the window.
    pub(crate) window_delivered: AtomicU64,
    /// Users whose acknowledgements and receipts are complete.
    pub(crate) settled: AtomicU64,
}

/// Latencies in microseconds.
#[derive(Clone)]
pub(crate) struct Latencies {
    /// From the intended send to the peer's receipt.
    pub(crate) delivery: Histogram<u64>,
    /// From the intended send to `Sent`.
    pub(crate) sent: Histogram<u64>,
    /// From the intended send to the write.
    pub(crate) late: Histogram<u64>,
}

/// One user's samples, not yet handed over: (intended time, latency) in nanoseconds.
#[derive(Default)]
pub(crate) struct Samples {
    pub(crate) delivery: Vec<(u64, u64)>,
    pub(crate) sent: Vec<(u64, u64)>,
    pub(crate) late: Vec<(u64, u64)>,
}

impl Run {
    /// A run whose window has not begun.
    ///
    /// # Errors
    /// When the histograms can't be made.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let shards = (0..SHARDS).map(|_| Latencies::new().map(Mutex::new));
        Ok(Self {
            id: fastrand::u64(..),
            started: Instant::now(),
            from_ns: AtomicU64::new(u64::MAX),
            to_ns: AtomicU64::new(u64::MAX),
            shards: shards.collect::<anyhow::Result<_>>()?,
            written: AtomicU64::new(0),
            acknowledged: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            window_acknowledged: AtomicU64::new(0),
            window_delivered: AtomicU64::new(0),
            settled: AtomicU64::new(0),
        })
    }

    /// Nanoseconds since the run was made.
    pub(crate) fn now_ns(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// The instant of a time of [`Run::now_ns`].
    pub(crate) fn instant(&self, ns: u64) -> Instant {
        self.started + std::time::Duration::from_nanos(ns)
    }

    /// Sets the measured window.
    pub(crate) fn set_window(&self, from_ns: u64, to_ns: u64) {
        self.from_ns.store(from_ns, Ordering::Relaxed);
        self.to_ns.store(to_ns, Ordering::Relaxed);
    }

    /// Whether a time lies in the window.
    pub(crate) fn measures(&self, ns: u64) -> bool {
        (self.from_ns.load(Ordering::Relaxed)..self.to_ns.load(Ordering::Relaxed)).contains(&ns)
    }

    /// Takes a user's samples; those outside the window are dropped.
    pub(crate) fn record(&self, user: usize, samples: &mut Samples) {
        let Some(shard) = self.shards.get(user % SHARDS) else { return };
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let Latencies { delivery, sent, late } = &mut *shard;
        for (histogram, samples) in [
            (delivery, &mut samples.delivery),
            (sent, &mut samples.sent),
            (late, &mut samples.late),
        ] {
            for (intended_ns, latency_ns) in samples.drain(..) {
                if self.measures(intended_ns) {
                    histogram.saturating_record((latency_ns / 1000).max(1));
                }
            }
        }
    }

    /// All latencies together.
    ///
    /// # Errors
    /// When the histograms can't be added, which is a bug.
    pub(crate) fn latencies(&self) -> anyhow::Result<Latencies> {
        let mut all = Latencies::new()?;
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            all.delivery.add(&shard.delivery)?;
            all.sent.add(&shard.sent)?;
            all.late.add(&shard.late)?;
        }
        Ok(all)
    }
}

impl Latencies {
    fn new() -> anyhow::Result<Self> {
        let histogram = || Histogram::new_with_bounds(1, LONGEST_US, 3);
        Ok(Self { delivery: histogram()?, sent: histogram()?, late: histogram()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_intended_within_the_window_counts() {
        let run = Run::new().unwrap();
        run.set_window(1_000, 2_000);
        let mut samples = Samples::default();
        samples.delivery.extend([(999, 5_000_000), (1_000, 7_000_000), (2_000, 9_000_000)]);
        run.record(3, &mut samples);
        let latencies = run.latencies().unwrap();
        assert_eq!(latencies.delivery.len(), 1);
        assert_eq!(latencies.delivery.max(), latencies.delivery.highest_equivalent(7_000));
        assert!(samples.delivery.is_empty());
    }

    #[test]
    fn nothing_counts_before_the_window_is_set() {
        let run = Run::new().unwrap();
        assert!(!run.measures(0));
        assert!(!run.measures(run.now_ns()));
    }
}
