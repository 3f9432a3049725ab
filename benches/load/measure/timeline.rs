//! The run over time: throughput, latency, and what the server used, point by point.
//!
//! For the plots of the report, and for [`Drift`]: whether a long run ends as it began.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::median;
use super::process::{self, Process};
use super::run::Run;

/// Points of one run, about.
const POINTS: f64 = 120.0;

/// Points below which the ends of a run can't be compared.
const LEAST_POINTS: usize = 12;

/// What happened between the point before and this one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Point {
    /// End of the interval, in seconds since the load began; the warm-up is in it.
    pub(crate) at_s: f64,
    pub(crate) sent_per_s: f64,
    pub(crate) delivered_per_s: f64,
    /// Delivery, by when it arrived; 0 when nothing did.
    pub(crate) p50_us: u64,
    pub(crate) p99_us: u64,
    pub(crate) server_cores: Option<f64>,
    pub(crate) server_anonymous_bytes: Option<u64>,
}

/// The last sixth of a run against the first: 1 means flat.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Drift {
    pub(crate) p99: Option<f64>,
    pub(crate) memory: Option<f64>,
    pub(crate) cpu: Option<f64>,
}

/// Seconds between two points of a run that lasts so long.
pub(crate) fn step(whole: Duration) -> Duration {
    Duration::from_secs_f64((whole.as_secs_f64() / POINTS).max(1.0).round())
}

/// Adds a point each `step`, and says on standard error where the run is; ends when
/// `stop` does.
pub(crate) async fn follow(
    run: Arc<Run>,
    server_pid: Option<u32>,
    step: Duration,
    stop: tokio::sync::oneshot::Receiver<()>,
) -> Vec<Point> {
    let mut points = Vec::new();
    let began = Instant::now();
    let mut tick = tokio::time::interval_at(began + step, step);
    // Looked for once: that takes a look at every process of the machine.
    let family = family(server_pid);
    let mut before = (began, 0, 0, usage(&family).map(|usage| usage.cpu_us));
    tokio::pin!(stop);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            _ = &mut stop => return points,
        }
        let now = Instant::now();
        let sent = run.acknowledged.load(Ordering::Relaxed);
        let delivered = run.delivered.load(Ordering::Relaxed);
        let used = usage(&family);
        let cpu = used.map(|used| used.cpu_us);
        let seconds = (now - before.0).as_secs_f64().max(0.001);
        let Ok(recent) = run.take_recent() else { return points };
        let point = Point {
            at_s: (now - began).as_secs_f64(),
            sent_per_s: (sent - before.1) as f64 / seconds,
            delivered_per_s: (delivered - before.2) as f64 / seconds,
            p50_us: recent.value_at_quantile(0.5),
            p99_us: recent.value_at_quantile(0.99),
            server_cores: cpu
                .zip(before.3)
                .map(|(now, before)| now.saturating_sub(before) as f64 / 1e6 / seconds),
            server_anonymous_bytes: used.map(|used| used.anonymous_bytes),
        };
        let state = if run.measures(run.now_ns()) { "measuring" } else { "warming up or draining" };
        eprintln!(
            "{state}: {:.0} delivered a second, p99 {:.1} ms, {delivered} in all",
            point.delivered_per_s,
            point.p99_us as f64 / 1000.0
        );
        points.push(point);
        before = (now, sent, delivered, cpu);
    }
}

/// The server's process and those it started, as numbers in /proc.
fn family(pid: Option<u32>) -> Vec<String> {
    let Some(Ok((root, others))) = pid.map(process::family) else { return Vec::new() };
    std::iter::once(root).chain(others).map(|pid| pid.to_string()).collect()
}

/// What they use together; none when there is none any more.
fn usage(family: &[String]) -> Option<Process> {
    let there = family.iter().filter_map(|pid| process::usage(pid).ok());
    there.reduce(|sum, one| Process {
        cpu_us: sum.cpu_us + one.cpu_us,
        anonymous_bytes: sum.anonymous_bytes + one.anonymous_bytes,
        ..sum
    })
}

/// Compares the ends of what lies in the window from `from_s` to `to_s`; none when it has too few points.
pub(crate) fn drift(points: &[Point], from_s: f64, to_s: f64) -> Option<Drift> {
    let inside = |point: &&Point| point.at_s > from_s && point.at_s <= to_s + 0.5;
    let points: Vec<&Point> = points.iter().filter(inside).collect();
    if points.len() < LEAST_POINTS {
        return None;
    }
    let sixth = points.len() / 6;
    let (first, last) = (points.get(..sixth)?, points.get(points.len() - sixth..)?);
    let ratio = |value: fn(&Point) -> Option<f64>| {
        let middle = |points: &[&Point]| median(points.iter().filter_map(|point| value(point)));
        let (before, after) = (middle(first)?, middle(last)?);
        (before > 0.0).then(|| after / before)
    };
    Some(Drift {
        p99: ratio(|point| Some(point.p99_us as f64)),
        memory: ratio(|point| point.server_anonymous_bytes.map(|bytes| bytes as f64)),
        cpu: ratio(|point| point.server_cores),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(at_s: f64, p99_us: u64, bytes: u64) -> Point {
        Point {
            at_s,
            p99_us,
            server_anonymous_bytes: Some(bytes),
            server_cores: None,
            ..Point::default()
        }
    }

    #[test]
    fn a_flat_run_does_not_drift_and_one_slow_second_is_no_drift() {
        let mut points: Vec<Point> = (1..=60).map(|at| point(f64::from(at), 900, 1000)).collect();
        points[58].p99_us = 90_000;
        let drift = drift(&points, 0.0, 60.0).unwrap();
        assert_eq!((drift.p99, drift.memory, drift.cpu), (Some(1.0), Some(1.0), None));
    }

    #[test]
    fn growth_is_the_last_sixth_over_the_first_and_the_warm_up_is_not_in_it() {
        let points: Vec<Point> = (1..=70_u32)
            .map(|at| point(f64::from(at), 100, if at <= 10 { 1 } else { u64::from(at) }))
            .collect();
        let drift = drift(&points, 10.0, 70.0).unwrap();
        // Seconds 11 to 20 have 15.5 in the middle, 61 to 70 have 65.5.
        assert!((drift.memory.unwrap() - 65.5 / 15.5).abs() < 1e-9);
    }

    #[test]
    fn too_few_points_say_nothing() {
        assert_eq!(drift(&[point(1.0, 1, 1); 11], 0.0, 60.0), None);
    }

    #[test]
    fn long_runs_have_wider_steps() {
        assert_eq!(step(Duration::from_secs(60)), Duration::from_secs(1));
        assert_eq!(step(Duration::from_secs(1800)), Duration::from_secs(15));
    }
}
