//! What all users of one run share: the clock, the measured window, histograms.
//!
//! Latencies count when their *intended* time lies in the window, so that a
//! stalled server can't hide behind messages that were sent late. Rates count
//! what arrived within it. Each thread that runs users has its own histograms, so that
//! nobody waits for their lock, and users hand theirs over in batches.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use hdrhistogram::Histogram;

use super::histogram::histogram;
use crate::threads;

/// The shared part of one run.
pub(crate) struct Run {
    /// Marks this run's messages.
    pub(crate) id: u64,
    pub(crate) clock: Clock,
    from_ns: AtomicU64,
    to_ns: AtomicU64,
    shards: Vec<Mutex<Shard>>,
    /// Messages written, in all.
    pub(crate) written: AtomicU64,
    /// Messages acknowledged, in all.
    pub(crate) acknowledged: AtomicU64,
    /// Deliveries that the acknowledged messages are to have, in all.
    pub(crate) expected: AtomicU64,
    /// Messages that reached somebody, in all.
    pub(crate) delivered: AtomicU64,
    /// Messages without an answer that will never get one: refused.
    pub(crate) refused: AtomicU64,
    /// Messages acknowledged within the window.
    pub(crate) window_acknowledged: AtomicU64,
    /// Messages delivered within the window.
    pub(crate) window_delivered: AtomicU64,
    /// Receipts received within the window.
    pub(crate) window_receipts: AtomicU64,
    /// Users whose acknowledgements and receipts are complete.
    pub(crate) settled: AtomicU64,
}

/// Turns a run's times into instants.
#[derive(Clone, Copy)]
pub(crate) struct Clock(Instant);

impl Clock {
    /// One that shows 0 now.
    pub(crate) fn starting_now() -> Self {
        Self(Instant::now())
    }

    /// The instant of a time of [`Run::now_ns`].
    pub(crate) fn instant(self, ns: u64) -> Instant {
        self.0 + std::time::Duration::from_nanos(ns)
    }
}

/// Histograms of some users.
struct Shard {
    all: Latencies,
    /// Deliveries since the last [`Run::take_recent`].
    recent: Histogram<u64>,
}

/// Latencies in microseconds.
#[derive(Clone)]
pub(crate) struct Latencies {
    /// From the intended send to the receipt, messages of the ordinary size.
    pub(crate) delivery: Histogram<u64>,
    /// The same for large ones.
    pub(crate) large: Histogram<u64>,
    /// From the intended send to `Sent`, ordinary size.
    pub(crate) sent: Histogram<u64>,
    /// From the intended send to the write.
    pub(crate) late: Histogram<u64>,
    /// From the first recipient of a message to the last.
    pub(crate) spread: Histogram<u64>,
}

/// One user's samples, not yet handed over: (intended time, latency) in nanoseconds.
#[derive(Default)]
pub(crate) struct Samples {
    pub(crate) delivery: Vec<(u64, u64)>,
    pub(crate) large: Vec<(u64, u64)>,
    pub(crate) sent: Vec<(u64, u64)>,
    pub(crate) late: Vec<(u64, u64)>,
    pub(crate) spread: Vec<(u64, u64)>,
}

impl Run {
    /// A run whose window has not begun.
    ///
    /// # Errors
    /// When the histograms can't be made.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let shards = (0..threads::count())
            .map(|_| Ok(Mutex::new(Shard { all: Latencies::new()?, recent: histogram()? })));
        Ok(Self {
            id: fastrand::u64(..),
            clock: Clock::starting_now(),
            from_ns: AtomicU64::new(u64::MAX),
            to_ns: AtomicU64::new(u64::MAX),
            shards: shards.collect::<anyhow::Result<_>>()?,
            written: AtomicU64::new(0),
            acknowledged: AtomicU64::new(0),
            expected: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            window_acknowledged: AtomicU64::new(0),
            window_delivered: AtomicU64::new(0),
            window_receipts: AtomicU64::new(0),
            settled: AtomicU64::new(0),
        })
    }

    /// Nanoseconds since the run was made.
    pub(crate) fn now_ns(&self) -> u64 {
        u64::try_from(self.clock.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// The instant of a time of [`Run::now_ns`].
    pub(crate) fn instant(&self, ns: u64) -> Instant {
        self.clock.instant(ns)
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

    /// Counts a message acknowledged at `now_ns` that so many are to receive.
    pub(crate) fn count_acknowledged(&self, now_ns: u64, recipients: u64) {
        self.expected.fetch_add(recipients, Ordering::Relaxed);
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
        if self.measures(now_ns) {
            self.window_acknowledged.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a message that reached one recipient at `now_ns`.
    pub(crate) fn count_delivered(&self, now_ns: u64) {
        self.delivered.fetch_add(1, Ordering::Relaxed);
        if self.measures(now_ns) {
            self.window_delivered.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a receipt received at `now_ns`.
    pub(crate) fn count_receipt(&self, now_ns: u64) {
        if self.measures(now_ns) {
            self.window_receipts.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes a user's samples; those outside the window are dropped.
    pub(crate) fn record(&self, user: usize, samples: &mut Samples) {
        if samples.is_empty() {
            return;
        }
        let Some(shard) = self.shards.get(threads::of_user(user)) else { return };
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let Shard { all, recent } = &mut *shard;
        for (_, latency_ns) in &samples.delivery {
            recent.saturating_record((latency_ns / 1000).max(1));
        }
        for (histogram, samples) in [
            (&mut all.delivery, &mut samples.delivery),
            (&mut all.large, &mut samples.large),
            (&mut all.sent, &mut samples.sent),
            (&mut all.late, &mut samples.late),
            (&mut all.spread, &mut samples.spread),
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
            all.delivery.add(&shard.all.delivery)?;
            all.large.add(&shard.all.large)?;
            all.sent.add(&shard.all.sent)?;
            all.late.add(&shard.all.late)?;
            all.spread.add(&shard.all.spread)?;
        }
        Ok(all)
    }

    /// Delivery latencies since the last call, whatever the window.
    ///
    /// # Errors
    /// As [`Run::latencies`].
    pub(crate) fn take_recent(&self) -> anyhow::Result<Histogram<u64>> {
        let mut recent = histogram()?;
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            recent.add(&shard.recent)?;
            shard.recent.reset();
        }
        Ok(recent)
    }
}

impl Latencies {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            delivery: histogram()?,
            large: histogram()?,
            sent: histogram()?,
            late: histogram()?,
            spread: histogram()?,
        })
    }
}

impl Samples {
    const fn is_empty(&self) -> bool {
        self.delivery.is_empty()
            && self.large.is_empty()
            && self.sent.is_empty()
            && self.late.is_empty()
            && self.spread.is_empty()
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

    #[test]
    fn what_is_recent_is_taken_once() {
        let run = Run::new().unwrap();
        let mut samples = Samples::default();
        samples.delivery.extend([(1, 5_000_000), (2, 7_000_000)]);
        run.record(0, &mut samples);
        samples.delivery.push((3, 9_000_000));
        run.record(5, &mut samples);
        assert_eq!(run.take_recent().unwrap().len(), 3);
        assert_eq!(run.take_recent().unwrap().len(), 0);
    }
}
