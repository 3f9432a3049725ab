//! What every run with messages reports, and when it says nothing.

use std::sync::atomic::Ordering;

use super::phases::{Finished, Plan};
use crate::args::Load;
use crate::measure::histogram::{Percentiles, curve};
use crate::measure::per;
use crate::measure::run::Run;
use crate::measure::timeline;
use crate::report::{self, Result};

/// A generator later than this at p99 measured itself.
pub(crate) const LATE_P99_US: u64 = 1000;

/// A server that acknowledges a smaller share of what was due, or was sent, was not measured: it was
/// overloaded or dead. In percent.
const ANSWERED: u64 = 95;

/// What every run reports; the audit is the scenario's. `broke` says why connections ended
/// too early.
///
/// # Errors
/// When the histograms can't be added, which is a bug.
pub(crate) fn conclude<T>(
    plan: &Plan<'_>,
    run: &Run,
    finished: Finished<T>,
    broke: &[&str],
) -> anyhow::Result<Result> {
    let load = plan.load.load()?;
    let latencies = run.latencies()?;
    let seconds = plan.load.seconds;
    let sent = run.window_acknowledged.load(Ordering::Relaxed);
    let delivered = run.window_delivered.load(Ordering::Relaxed);
    let (rate, arrivals, window) = report::load_fields(load);
    let large_share = plan.load.large_share.unwrap_or(0.0);
    let Finished { outcomes, usage, overflow, planned, priority, timeline } = finished;
    let mut result = Result {
        size_bytes: plan.load.size,
        rate,
        arrivals,
        window,
        large_share,
        large_bytes: (large_share > 0.0).then_some(plan.load.large_size),
        warmup_s: plan.load.warmup,
        seconds,
        sent_per_s: Some(sent as f64 / seconds),
        delivered_per_s: Some(delivered as f64 / seconds),
        server_core_us_per_message: per(usage.server_cpu_us, sent),
        server_core_us_per_delivery: per(usage.server_cpu_us, delivered),
        server_switches_per_message: per(usage.server_switches, sent),
        latency_us: Some(Percentiles::from(&latencies.delivery)),
        large_latency_us: (!latencies.large.is_empty())
            .then(|| Percentiles::from(&latencies.large)),
        sent_latency_us: Some(Percentiles::from(&latencies.sent)),
        late_us: Some(Percentiles::from(&latencies.late)),
        generator_priority: Some(priority),
        planned,
        latency_curve: curve(&latencies.delivery),
        drift: timeline::drift(&timeline, plan.load.warmup, plan.load.warmup + seconds),
        timeline,
        usage,
        refused: run.refused.load(Ordering::Relaxed),
        broken_connections: broke.len() as u64,
        ..Result::new(plan.scenario, plan.transport, outcomes.len())
    };
    let late_us = latencies.late.value_at_quantile(0.99);
    if matches!(load, Load::Open { .. }) && late_us > LATE_P99_US {
        result.void(format!("the generator was late by {late_us} us at p99"));
    }
    if overflow > 0 {
        result.void(format!("{overflow} messages found their user's queue full"));
    }
    if delivered == 0 {
        result.void("nothing was delivered within the window".to_owned());
    }
    if let Some(reason) = unanswered(run, planned) {
        result.void(reason);
    }
    if let Some(reason) = broke.first() {
        result.void(format!("{} connections broke, one because {reason}", broke.len()));
    }
    Ok(result)
}

/// Why too little was acknowledged for the run to say something: of what was due within the
/// window too little within it, or of all that was sent too little ever.
fn unanswered(run: &Run, planned: Option<u64>) -> Option<String> {
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    let too_few = |of: u64, all: u64| of.saturating_mul(100) < all.saturating_mul(ANSWERED);
    let (within, ever) = (count(&run.window_acknowledged), count(&run.acknowledged));
    if let Some(planned) = planned.filter(|planned| too_few(within, *planned)) {
        return Some(format!(
            "{within} messages were acknowledged within the window, {planned} were due"
        ));
    }
    let written = count(&run.written);
    too_few(ever, written).then(|| format!("{ever} of {written} messages were acknowledged at all"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_leaves_too_much_unanswered_was_not_measured() {
        let run = Run::new().unwrap();
        run.set_window(0, u64::MAX);
        run.written.store(100, Ordering::Relaxed);
        (0..95).for_each(|_| run.count_acknowledged(1, 1));
        assert_eq!(unanswered(&run, None), None);
        assert_eq!(unanswered(&run, Some(100)), None);
        // What was acknowledged later does not count for the window, and never is worse than late.
        assert!(unanswered(&run, Some(101)).unwrap().contains("95 messages"));
        run.written.store(101, Ordering::Relaxed);
        assert!(unanswered(&run, None).unwrap().contains("95 of 101"));
    }
}
