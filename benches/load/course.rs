//! The course of every run with messages, also of those against the bare relay: warm-up,
//! window, drain, settle, and what all of them report.
//!
//! The samples of the server are taken at both ends of the window. Who the actors are and
//! how they are audited is the scenario's.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::ensure;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::args::{Load, LoadArgs, TargetArgs};
use crate::crew::Crew;
use crate::pacer::{self, Schedule};
use crate::priority;
use crate::probe::{self, Usage};
use crate::report::{self, Percentiles, Result, per};
use crate::run::Run;
use crate::timeline::{self, Point};

/// Handshakes at a time.
pub(crate) const PARALLEL: usize = 64;

/// A generator later than this at p99 measured itself.
pub(crate) const LATE_P99_US: u64 = 1000;

/// A server that acknowledges a smaller share of what was due, or was said, was not measured: it was
/// overloaded or dead. In percent.
const ANSWERED: u64 = 95;

/// How long nothing may arrive, once nothing new is sent, before what is missing counts as lost.
const DRAIN: Duration = Duration::from_secs(15);

/// How long the last acknowledgements may take.
const SETTLE: Duration = Duration::from_secs(3);

/// Where the run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Connections are being opened.
    Waiting,
    /// Messages are sent.
    Sending,
    /// Nothing new is sent; what is on its way arrives.
    Draining,
    /// The last acknowledgements.
    Settling,
    /// Goodbye.
    Ended,
}

/// What makes an actor send.
pub(crate) enum Source {
    /// Times that the pacer gives.
    Schedule(mpsc::Receiver<u64>),
    /// As many as this may wait for their `Sent`.
    Window(usize),
    /// Nothing.
    Silent,
}

/// Somebody on a connection, opened and waiting for the run to begin.
pub(crate) trait Actor: Send + 'static {
    /// What it knows at the end.
    type Outcome: Send + 'static;

    /// Whether it sends at all.
    fn sends(&self) -> bool;

    /// Plays until the phase is [`Phase::Ended`] or the connection breaks.
    fn play(
        self,
        source: Source,
        phase: watch::Receiver<Phase>,
    ) -> impl Future<Output = Self::Outcome> + Send;
}

/// What a run needs besides its actors.
pub(crate) struct Plan<'a> {
    pub(crate) scenario: &'static str,
    pub(crate) transport: &'static str,
    pub(crate) load: &'a LoadArgs,
    pub(crate) server_pid: Option<u32>,
    pub(crate) metrics: Option<&'a str>,
}

/// What a run gave.
pub(crate) struct Ran<T> {
    pub(crate) outcomes: Vec<T>,
    usage: Usage,
    /// Messages that found their sender's queue full.
    overflow: u64,
    /// Messages of an open loop that were due within the window.
    planned: Option<u64>,
    priority: String,
    timeline: Vec<Point>,
}

impl<'a> Plan<'a> {
    /// A run of `scenario` against the server of `target`.
    pub(crate) fn of(
        scenario: &'static str,
        transport: &'static str,
        target: &'a TargetArgs,
        load: &'a LoadArgs,
    ) -> Self {
        let (server_pid, metrics) = (target.server_pid, target.metrics.as_deref());
        Self { scenario, transport, load, server_pid, metrics }
    }
}

/// Whether such a load can be made.
///
/// # Errors
/// When not.
pub(crate) fn check_load(load: &LoadArgs) -> anyhow::Result<()> {
    let sizes = crate::dialect::LEAST_BYTES..=100_000;
    ensure!(
        sizes.contains(&load.size) && sizes.contains(&load.large_size),
        "--size and --large-size are from 48 (every message carries a mark) to 100000"
    );
    let share = load.large_share.unwrap_or(0.0);
    ensure!((0.0..=1.0).contains(&share), "--large-share is from 0 to 1");
    ensure!(load.seconds > 0.0 && load.warmup >= 0.0, "--seconds is above 0, --warmup not below");
    load.load().map(|_| ())
}

/// Runs actors that are connected.
///
/// # Errors
/// When the server can't be sampled.
pub(crate) async fn drive<A: Actor>(
    plan: &Plan<'_>,
    run: &Arc<Run>,
    crew: &Crew,
    actors: Vec<A>,
) -> anyhow::Result<Ran<A::Outcome>> {
    let load = plan.load.load()?;
    let users = actors.len();
    let (phase, watcher) = watch::channel(Phase::Waiting);
    // Of those who send: on which thread, and the queue of what is due.
    let mut queues = Vec::new();
    let tasks: Vec<JoinHandle<A::Outcome>> = actors
        .into_iter()
        .enumerate()
        .map(|(index, actor)| {
            let source = match load {
                _ if !actor.sends() => Source::Silent,
                Load::Open { .. } => {
                    let (queue, due) = mpsc::channel(pacer::QUEUE);
                    queues.push((crew.place(index), queue));
                    Source::Schedule(due)
                }
                Load::Closed { window } => Source::Window(window),
            };
            crew.spawn(index, actor.play(source, watcher.clone()))
        })
        .collect::<anyhow::Result<_>>()?;

    let start_ns = run.now_ns() + 200_000_000;
    let from_ns = start_ns + nanos(plan.load.warmup());
    let to_ns = from_ns + nanos(plan.load.seconds());
    run.set_window(from_ns, to_ns);
    let mut planned = None;
    let mut priority = priority::ORDINARY.to_owned();
    let pacers = match load {
        Load::Open { rate, arrivals } => {
            priority = crew.hurry().await?;
            // Each thread goes through the whole schedule and keeps the times of its own users.
            let schedule = Schedule::new(queues.len(), rate, arrivals, start_ns, run.id);
            let due = schedule.clone().map(|(due_ns, _)| due_ns);
            let due = due.take_while(|due_ns| *due_ns < to_ns);
            planned = Some(due.filter(|due_ns| *due_ns >= from_ns).count() as u64);
            crew.spawn_on_each(|thread| {
                let own = |(place, queue): &(usize, mpsc::Sender<u64>)| {
                    (*place == thread).then(|| queue.clone())
                };
                pacer::keep(run.clock, schedule.clone(), queues.iter().map(own).collect(), to_ns)
            })
        }
        Load::Closed { .. } => Vec::new(),
    };
    drop(queues);
    phase.send_replace(Phase::Sending);
    let (stop, stopped) = oneshot::channel();
    let step = timeline::step(plan.load.warmup() + plan.load.seconds());
    let timeline = tokio::spawn(timeline::follow(Arc::clone(run), plan.server_pid, step, stopped));
    sleep_until(run, from_ns).await;
    let before = probe::sample(plan.server_pid, plan.metrics).await?;
    let sampled_ns = run.now_ns();
    sleep_until(run, to_ns).await;
    let after = probe::sample(plan.server_pid, plan.metrics).await?;
    let sampled_s = (run.now_ns() - sampled_ns) as f64 / 1e9;

    phase.send_replace(Phase::Draining);
    let mut overflow = 0;
    for pacer in pacers {
        overflow += pacer.await??;
    }
    drain(run).await;
    phase.send_replace(Phase::Settling);
    wait(SETTLE, || run.settled.load(Ordering::Relaxed) >= users as u64).await;
    phase.send_replace(Phase::Ended);
    let _ = stop.send(());
    let mut outcomes = Vec::with_capacity(users);
    for task in tasks {
        outcomes.push(task.await?);
    }
    let usage = Usage::between(&before, &after, sampled_s);
    Ok(Ran { outcomes, usage, overflow, planned, priority, timeline: timeline.await? })
}

/// What every run reports; the audit is the scenario's. `broke` says why connections ended
/// too early.
///
/// # Errors
/// When the histograms can't be added, which is a bug.
pub(crate) fn conclude<T>(
    plan: &Plan<'_>,
    run: &Run,
    ran: Ran<T>,
    broke: &[&str],
) -> anyhow::Result<Result> {
    let load = plan.load.load()?;
    let latencies = run.latencies()?;
    let seconds = plan.load.seconds;
    let sent = run.window_acknowledged.load(Ordering::Relaxed);
    let delivered = run.window_delivered.load(Ordering::Relaxed);
    let (rate, arrivals, window) = report::load_fields(load);
    let large_share = plan.load.large_share.unwrap_or(0.0);
    let Ran { outcomes, usage, overflow, planned, priority, timeline } = ran;
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
        latency_curve: report::curve(&latencies.delivery),
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
/// window too little within it, or of all that was said too little ever.
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

/// Waits until all that was acknowledged is delivered and all that was said is answered. An
/// overloaded server may be long at it: what comes late is not lost.
async fn drain(run: &Run) {
    let load = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    let arrived = || load(&run.acknowledged) + load(&run.refused) + load(&run.delivered);
    loop {
        let before = arrived();
        let done = || {
            let answered = load(&run.acknowledged) + load(&run.refused);
            load(&run.written) <= answered && load(&run.expected) <= load(&run.delivered)
        };
        wait(DRAIN, || done() || arrived() > before).await;
        if done() || arrived() == before {
            return;
        }
    }
}

async fn wait(at_most: Duration, done: impl Fn() -> bool) {
    let _ = tokio::time::timeout(at_most, async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

async fn sleep_until(run: &Run, ns: u64) {
    tokio::time::sleep_until(run.instant(ns).into()).await;
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 4)
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
