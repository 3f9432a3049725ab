//! The phases of every run with messages, also of those against the bare relay: warm-up,
//! window, drain, settle. What all of them report is in `conclude`.
//!
//! The samples of the server are taken at both ends of the window. Who the actors are and
//! how they are audited is the scenario's.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::ensure;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::priority;
use super::schedule::{self, Schedule};
use super::workers::Workers;
use crate::args::{Load, LoadArgs, TargetArgs};
use crate::measure::run::Run;
use crate::measure::system::{self, Usage};
use crate::measure::timeline::{self, Point};

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
    /// Times that the schedule gives.
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
    fn run(
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

/// What a run left: its actors' outcomes and what it used.
pub(crate) struct Finished<T> {
    pub(crate) outcomes: Vec<T>,
    pub(super) usage: Usage,
    /// Messages that found their sender's queue full.
    pub(super) overflow: u64,
    /// Messages of an open loop that were due within the window.
    pub(super) planned: Option<u64>,
    pub(super) priority: String,
    pub(super) timeline: Vec<Point>,
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
    let sizes = crate::net::protocol::LEAST_BYTES..=100_000;
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
    workers: &Workers,
    actors: Vec<A>,
) -> anyhow::Result<Finished<A::Outcome>> {
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
                    let (queue, due) = mpsc::channel(schedule::QUEUE);
                    queues.push((workers.thread_of(index), queue));
                    Source::Schedule(due)
                }
                Load::Closed { window } => Source::Window(window),
            };
            workers.spawn(index, actor.run(source, watcher.clone()))
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
            priority = workers.raise_priority().await?;
            // Each thread goes through the whole schedule and keeps the times of its own users.
            let schedule = Schedule::new(queues.len(), rate, arrivals, start_ns, run.id);
            let due = schedule.clone().map(|(due_ns, _)| due_ns);
            let due = due.take_while(|due_ns| *due_ns < to_ns);
            planned = Some(due.filter(|due_ns| *due_ns >= from_ns).count() as u64);
            workers.spawn_on_each(|thread| {
                let own = |(place, queue): &(usize, mpsc::Sender<u64>)| {
                    (*place == thread).then(|| queue.clone())
                };
                schedule::keep(run.clock, schedule.clone(), queues.iter().map(own).collect(), to_ns)
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
    let before = system::sample(plan.server_pid, plan.metrics).await?;
    let sampled_ns = run.now_ns();
    sleep_until(run, to_ns).await;
    let after = system::sample(plan.server_pid, plan.metrics).await?;
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
    Ok(Finished { outcomes, usage, overflow, planned, priority, timeline: timeline.await? })
}

/// Waits until all that was acknowledged is delivered and all that was sent is answered. An
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
