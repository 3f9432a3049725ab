//! 1:1 conversations: user 0 with 1, 2 with 3, and so on; each sends to the other.
//!
//! [`drive`] is the course of every run with messages, also of those against the bare
//! relay: warm-up, window, drain, settle, audit. The samples of the server are taken
//! at both ends of the window.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use futures_util::{StreamExt as _, TryStreamExt as _};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::accounts;
use crate::args::{Load, LoadArgs, PairsArgs};
use crate::audit;
use crate::net::Connector;
use crate::pacer::{self, Schedule};
use crate::player::{Outcome, Phase, Player, Source};
use crate::probe::{self, Usage};
use crate::report::{self, Percentiles, Result};
use crate::run::Run;

/// Handshakes at a time.
pub(crate) const PARALLEL: usize = 64;

/// A generator later than this at p99 measured itself.
const LATE_P99_US: u64 = 1000;

/// How long what is on its way may take once nothing new is sent.
const DRAIN: Duration = Duration::from_secs(15);

/// How long the last acknowledgements may take.
const SETTLE: Duration = Duration::from_secs(3);

/// What [`drive`] needs besides its players.
pub(crate) struct Plan<'a> {
    pub(crate) scenario: &'static str,
    pub(crate) transport: &'static str,
    pub(crate) load: &'a LoadArgs,
    pub(crate) server_pid: Option<u32>,
    pub(crate) metrics: Option<&'a str>,
    pub(crate) cast: Cast,
}

/// Who talks to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cast {
    /// Neighbours, both ways.
    Pairs,
    /// So many to a group; the first of each talks to the others.
    Groups(usize),
}

impl Cast {
    const fn sends(self, index: usize) -> bool {
        match self {
            Self::Pairs => true,
            Self::Groups(members) => index.is_multiple_of(members),
        }
    }

    /// Who takes a message.
    const fn takers(self) -> u64 {
        match self {
            Self::Pairs => 1,
            Self::Groups(members) => (members - 1) as u64,
        }
    }
}

/// The scenario: makes users, connects, drives.
///
/// # Errors
/// When the server can't be reached or refuses, or the arguments make no sense.
pub(crate) async fn measure(args: &PairsArgs) -> anyhow::Result<Result> {
    check(args.users, &args.load)?;
    let target = &args.target;
    let connector = Connector::new(&target.server, target.trust.as_deref()).await?;
    let accounts = accounts::prepare(target, args.users).await?;
    let run = Arc::new(Run::new()?);
    let (connector, accounts, shared) = (&connector, &accounts, &run);
    let players = futures_util::stream::iter(0..args.users)
        .map(|index| async move {
            let own = accounts.get(index).context("too few users")?;
            let peer = accounts.get(index ^ 1).context("too few users")?;
            Player::parley(connector, shared, index, args.load.size, own, peer).await
        })
        .buffered(PARALLEL)
        .try_collect()
        .await?;
    let plan = Plan {
        scenario: "pairs",
        transport: connector.transport.name(),
        load: &args.load,
        server_pid: target.server_pid,
        metrics: target.metrics.as_deref(),
        cast: Cast::Pairs,
    };
    drive(&plan, &run, players).await
}

/// Whether pairs can be made of so many users, with messages of that size.
pub(crate) fn check(users: usize, load: &LoadArgs) -> anyhow::Result<()> {
    ensure!(users >= 2 && users.is_multiple_of(2), "--users is an even number above 0");
    check_load(load)
}

/// Whether such a load can be made.
pub(crate) fn check_load(load: &LoadArgs) -> anyhow::Result<()> {
    ensure!(
        (crate::dialect::LEAST_BYTES..=100_000).contains(&load.size),
        "--size is from 48 (every message carries a mark) to 100000"
    );
    ensure!(load.seconds > 0.0 && load.warmup >= 0.0, "--seconds is above 0, --warmup not below");
    load.load().map(|_| ())
}

/// Runs players that are connected, and reports.
///
/// # Errors
/// When the server can't be sampled.
pub(crate) async fn drive(
    plan: &Plan<'_>,
    run: &Arc<Run>,
    players: Vec<Player>,
) -> anyhow::Result<Result> {
    let load = plan.load.load()?;
    let users = players.len();
    let (phase, watcher) = watch::channel(Phase::Waiting);
    let mut queues = Vec::new();
    let tasks: Vec<JoinHandle<Outcome>> = players
        .into_iter()
        .enumerate()
        .map(|(index, player)| {
            let source = match load {
                _ if !plan.cast.sends(index) => Source::Silent,
                Load::Open { .. } => {
                    let (queue, due) = mpsc::channel(pacer::QUEUE);
                    queues.push(queue);
                    Source::Schedule(due)
                }
                Load::Closed { window } => Source::Window(window),
            };
            tokio::spawn(player.play(source, watcher.clone()))
        })
        .collect();

    let start_ns = run.now_ns() + 200_000_000;
    let from_ns = start_ns + nanos(plan.load.warmup());
    let to_ns = from_ns + nanos(plan.load.seconds());
    run.set_window(from_ns, to_ns);
    let pacer = match load {
        Load::Open { rate, arrivals } => {
            let schedule = Schedule::new(queues.len(), rate, arrivals, start_ns, run.id);
            Some(pacer::spawn(Arc::clone(run), schedule, queues, to_ns))
        }
        Load::Closed { .. } => None,
    };
    phase.send_replace(Phase::Sending);
    let progress = tokio::spawn(progress(Arc::clone(run)));
    sleep_until(run, from_ns).await;
    let before = probe::sample(plan.server_pid, plan.metrics).await?;
    let sampled_ns = run.now_ns();
    sleep_until(run, to_ns).await;
    let after = probe::sample(plan.server_pid, plan.metrics).await?;
    let sampled_s = (run.now_ns() - sampled_ns) as f64 / 1e9;

    phase.send_replace(Phase::Draining);
    let overflow = match pacer {
        Some(pacer) => tokio::task::spawn_blocking(|| pacer.join()).await?.unwrap_or(u64::MAX),
        None => 0,
    };
    drain(run, plan.cast.takers()).await;
    phase.send_replace(Phase::Settling);
    settle(run, users).await;
    phase.send_replace(Phase::Ended);
    progress.abort();
    let mut outcomes = Vec::with_capacity(users);
    for task in tasks {
        outcomes.push(task.await?);
    }
    let usage = Usage::between(&before, &after, sampled_s);
    conclude(plan, load, run, &outcomes, usage, overflow)
}

fn conclude(
    plan: &Plan<'_>,
    load: Load,
    run: &Run,
    outcomes: &[Outcome],
    usage: Usage,
    overflow: u64,
) -> anyhow::Result<Result> {
    let latencies = run.latencies()?;
    let seconds = plan.load.seconds;
    let sent = run.window_acknowledged.load(Ordering::Relaxed);
    let delivered = run.window_delivered.load(Ordering::Relaxed);
    let per = |total: Option<u64>, count: u64| {
        total.filter(|_| count > 0).map(|total| total as f64 / count as f64)
    };
    let (rate, arrivals, window) = report::load_fields(load);
    let mut result = Result {
        version: env!("CARGO_PKG_VERSION"),
        scenario: plan.scenario,
        transport: plan.transport,
        users: outcomes.len(),
        size_bytes: plan.load.size,
        rate,
        arrivals,
        window,
        warmup_s: plan.load.warmup,
        seconds,
        sent_per_s: sent as f64 / seconds,
        delivered_per_s: delivered as f64 / seconds,
        server_core_us_per_message: per(usage.server_cpu_us, sent),
        server_core_us_per_delivery: per(usage.server_cpu_us, delivered),
        server_switches_per_message: per(usage.server_switches, sent),
        latency_us: Percentiles::from(&latencies.delivery),
        sent_latency_us: Percentiles::from(&latencies.sent),
        late_us: Percentiles::from(&latencies.late),
        usage,
        bytes_per_connection: None,
        messages: outcomes.iter().map(|outcome| outcome.said.next).sum(),
        refused: run.refused.load(Ordering::Relaxed),
        unanswered: 0,
        lost: 0,
        duplicates: 0,
        reordered: 0,
        gaps: outcomes.iter().map(|outcome| outcome.gaps).sum(),
        without_receipt: outcomes.iter().filter(|outcome| outcome.without_receipt).count() as u64,
        broken_connections: outcomes.iter().filter(|outcome| outcome.broke.is_some()).count()
            as u64,
        void: false,
        void_reasons: Vec::new(),
    };
    let mut audited = |from: &Outcome, to: &Outcome| {
        let verdict = audit::check(&from.said, &to.heard);
        result.lost += verdict.lost;
        result.duplicates += verdict.duplicates;
        result.reordered += verdict.reordered;
    };
    let together = match plan.cast {
        Cast::Pairs => 2,
        Cast::Groups(members) => members,
    };
    for talk in outcomes.chunks_exact(together) {
        let Some((one, others)) = talk.split_first() else { continue };
        for other in others {
            audited(one, other);
            if plan.cast == Cast::Pairs {
                audited(other, one);
            }
        }
    }
    result.unanswered =
        outcomes.iter().map(|outcome| outcome.said.not_acknowledged.len() as u64).sum();
    result.unanswered = result.unanswered.saturating_sub(result.refused);
    judge(&mut result, load, outcomes, overflow);
    Ok(result)
}

fn judge(result: &mut Result, load: Load, outcomes: &[Outcome], overflow: u64) {
    let mut void = |reason: String| result.void_reasons.push(reason);
    if matches!(load, Load::Open { .. }) && result.late_us.p99 > LATE_P99_US {
        void(format!("the generator was late by {} us at p99", result.late_us.p99));
    }
    if overflow > 0 {
        void(format!("{overflow} messages found their user's queue full"));
    }
    if result.delivered_per_s == 0.0 {
        void("nothing was delivered within the window".to_owned());
    }
    if let Some(reason) = outcomes.iter().find_map(|outcome| outcome.broke.as_ref()) {
        void(format!("{} connections broke, one because {reason}", result.broken_connections));
    }
    result.void = !result.void_reasons.is_empty();
}

/// Waits until all that was acknowledged is delivered and all that was said is answered.
async fn drain(run: &Run, takers: u64) {
    wait(DRAIN, || {
        let load = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        let answered = load(&run.acknowledged) + load(&run.refused);
        load(&run.written) <= answered && load(&run.acknowledged) * takers <= load(&run.delivered)
    })
    .await;
}

async fn settle(run: &Run, users: usize) {
    wait(SETTLE, || run.settled.load(Ordering::Relaxed) >= users as u64).await;
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

async fn progress(run: Arc<Run>) {
    let mut before = 0;
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    loop {
        tick.tick().await;
        let delivered = run.delivered.load(Ordering::Relaxed);
        let state = if run.measures(run.now_ns()) { "measuring" } else { "warming up or draining" };
        eprintln!("{state}: {} delivered a second, {delivered} in all", delivered - before);
        before = delivered;
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 4)
}
