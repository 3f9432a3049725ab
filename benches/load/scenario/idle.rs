//! Connections that are held: what each costs the server in memory and CPU.
//!
//! A first tenth of the connections is opened before the baseline is taken, so that what
//! the server allocates once (pools, caches, its first tables) isn't counted as
//! theirs, and the baseline waits until an allocator would have given back what start-up left.
//! Resident memory still moves by some megabytes for other reasons: hold thousands of
//! connections, and compare with what the allocator itself says. Heartbeats go on as
//! the server asks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use tokio::sync::watch;

use crate::args::IdleArgs;
use crate::driver::workers::Workers;
use crate::driver::{Actor as _, Phase, Source};
use crate::measure::run::Run;
use crate::measure::system::{self, Sample, Usage};
use crate::net::accounts::{self, Account};
use crate::report::{Details, Idle, Result};
use crate::user::User;

/// How long the server's memory settles before a sample of it: jemalloc gives unused pages
/// back over 10 s, and a moment more after that.
const SETTLE: Duration = Duration::from_secs(25);

/// Connections opened before they run.
const BATCH: usize = 500;

/// The scenario.
///
/// # Errors
/// When the server can't be reached, refuses or can't be sampled.
pub(crate) async fn measure(args: &IdleArgs) -> anyhow::Result<Result> {
    ensure!(args.users >= 20, "--users is at least 20");
    ensure!(args.per_user >= 1, "--per-user is at least 1");
    let connections = args.users * args.per_user;
    let target = &args.target;
    let workers = Workers::start(&target.server, target.trust.as_deref()).await?;
    let accounts = accounts::prepare(target, args.users, 1).await?;
    let run = Arc::new(Run::new()?);
    let (phase, watcher) = watch::channel(Phase::Waiting);
    let sample = || system::sample(target.server_pid, target.metrics.as_deref());

    let first = connections / 10;
    // Each runs from the moment it is open: the heartbeats must go on.
    let spawn = |(index, user): (usize, User)| {
        workers.spawn(index, user.run(Source::Silent, watcher.clone()))
    };
    let mut tasks = Vec::with_capacity(connections);
    let users = open(&workers, &run, &accounts, 0..first).await?;
    let heartbeat_s = users.first().map(|user| user.heartbeat().as_secs_f64());
    for playing in users.into_iter().enumerate().map(spawn) {
        tasks.push(playing?);
    }
    tokio::time::sleep(SETTLE).await;
    let baseline = sample().await?;
    let began = Instant::now();
    for from in (first..connections).step_by(BATCH) {
        let batch = from..connections.min(from + BATCH);
        let users = open(&workers, &run, &accounts, batch).await?;
        for playing in (from..).zip(users).map(spawn) {
            tasks.push(playing?);
        }
    }
    let opening_s = began.elapsed().as_secs_f64();
    let opened = sample().await?;
    eprintln!("{} connections are open", tasks.len());

    tokio::time::sleep(Duration::from_secs_f64(args.warmup).max(SETTLE)).await;
    let before = sample().await?;
    tokio::time::sleep(Duration::from_secs_f64(args.seconds)).await;
    let after = sample().await?;
    phase.send_replace(Phase::Ended);
    let mut broken = Vec::new();
    for task in tasks {
        broken.extend(task.await?.broke);
    }

    let counted = (connections - first) as f64;
    let grown = |bytes: fn(&Sample) -> Option<u64>| {
        let (baseline, now) = (bytes(&baseline)?, bytes(&before)?);
        Some((now as f64 - baseline as f64) / counted)
    };
    let usage = Usage::between(&before, &after, args.seconds);
    let opening = Usage::between(&baseline, &opened, opening_s);
    let mut result = Result {
        warmup_s: args.warmup,
        seconds: args.seconds,
        bytes_per_connection: grown(|sample| Some(sample.server?.anonymous_bytes)),
        broken_connections: broken.len() as u64,
        details: Some(Details::Idle(Idle {
            connections,
            heartbeat_s,
            allocated_bytes_per_connection: baseline
                .counters
                .zip(before.counters)
                .map(|(baseline, now)| (now.allocated_bytes - baseline.allocated_bytes) / counted),
            resident_bytes_per_connection: grown(|sample| Some(sample.server?.resident_bytes)),
            server_us_per_connection_s: usage
                .server_cpu_us
                .map(|us| us as f64 / args.seconds / connections as f64),
            server_us_per_open: opening.server_cpu_us.map(|us| us as f64 / counted),
            opened_per_s: counted / opening_s,
        })),
        usage,
        ..Result::new("idle", workers.transport().name(), args.users)
    };
    if let Some(reason) = broken.first() {
        result.void(format!("{} connections broke, one because {reason}", broken.len()));
    }
    Ok(result)
}

async fn open(
    workers: &Workers,
    run: &Arc<Run>,
    accounts: &[Account],
    range: std::ops::Range<usize>,
) -> anyhow::Result<Vec<User>> {
    workers
        .open(range, |index, connector| {
            let own = accounts.get(index % accounts.len()).context("too few users")?.clone();
            let run = Arc::clone(run);
            Ok(async move { User::idle(&connector, &run, index, &own).await })
        })
        .await
}
