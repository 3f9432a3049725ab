//! Connections opened: the transport's handshake, with or without a session on it.
//!
//! Each is a full handshake and is given up at once, without the wait that TCP asks of who
//! closes first: thousands a second would soon use up the ports.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use tokio::sync::{Semaphore, mpsc};

use crate::args::{HandshakeArgs, Load};
use crate::driver::schedule::{self, Schedule};
use crate::driver::{self, LATE_P99_US, Plan};
use crate::measure::histogram::{Percentiles, curve};
use crate::measure::per;
use crate::measure::run::{Run, Samples};
use crate::measure::system::{self, Usage};
use crate::net::Connector;
use crate::net::accounts;
use crate::net::session::{self, Visibility};
use crate::report::{self, Details, Handshake, Result};

/// Handshakes on their way in an open loop, at most; more void the run.
const MOST: usize = 4096;

/// How long those on their way may take at the end.
const DRAIN: Duration = Duration::from_secs(20);

/// The scenario.
///
/// # Errors
/// When the server can't be reached or sampled, or the arguments make no sense.
pub(crate) async fn measure(args: &HandshakeArgs) -> anyhow::Result<Result> {
    ensure!(args.users >= 1, "--users is at least 1");
    driver::check_load(&args.load)?;
    let target = &args.target;
    let connector = Arc::new(Connector::new(&target.server, target.trust.as_deref()).await?);
    let tokens = if args.bare {
        None
    } else {
        let accounts = accounts::prepare(target, args.users, 1).await?;
        Some(accounts.iter().map(|account| account.token(0)).collect::<anyhow::Result<_>>()?)
    };
    let plan = Plan::of("handshake", connector.transport.name(), target, &args.load);
    drive(&plan, connector, tokens).await
}

/// What all openings of a run share.
struct Shared {
    run: Run,
    connector: Arc<Connector>,
    /// Of users who take turns; none for bare handshakes.
    tokens: Option<Vec<Bytes>>,
    turn: AtomicU64,
    failed: AtomicU64,
}

/// Opens connections under a load, with a session each when there are `tokens`.
///
/// # Errors
/// When the server can't be sampled.
pub(crate) async fn drive(
    plan: &Plan<'_>,
    connector: Arc<Connector>,
    tokens: Option<Vec<Bytes>>,
) -> anyhow::Result<Result> {
    let load = plan.load.load()?;
    let (run, turn, failed) = (Run::new()?, AtomicU64::new(0), AtomicU64::new(0));
    let shared = Arc::new(Shared { run, connector, tokens, turn, failed });
    let start_ns = shared.run.now_ns() + 50_000_000;
    let from_ns = start_ns + nanos(plan.load.warmup());
    let to_ns = from_ns + nanos(plan.load.seconds());
    shared.run.set_window(from_ns, to_ns);
    eprintln!("opening connections");
    let loader = tokio::spawn(generate(Arc::clone(&shared), load, start_ns, to_ns));
    tokio::time::sleep_until(shared.run.instant(from_ns).into()).await;
    let before = system::sample(plan.server_pid, plan.metrics).await?;
    let sampled_ns = shared.run.now_ns();
    tokio::time::sleep_until(shared.run.instant(to_ns).into()).await;
    let after = system::sample(plan.server_pid, plan.metrics).await?;
    let sampled_s = (shared.run.now_ns() - sampled_ns) as f64 / 1e9;
    let overflow = loader.await??;

    let latencies = shared.run.latencies()?;
    let opened = shared.run.window_acknowledged.load(Ordering::Relaxed);
    let failed = shared.failed.load(Ordering::Relaxed);
    let usage = Usage::between(&before, &after, sampled_s);
    let (rate, arrivals, window) = report::load_fields(load);
    let users = shared.tokens.as_ref().map_or(0, Vec::len);
    let late_us = latencies.late.value_at_quantile(0.99);
    let mut result = Result {
        rate,
        arrivals,
        window,
        warmup_s: plan.load.warmup,
        seconds: plan.load.seconds,
        latency_us: Some(Percentiles::from(&latencies.delivery)),
        late_us: Some(Percentiles::from(&latencies.late)),
        latency_curve: curve(&latencies.delivery),
        broken_connections: failed,
        details: Some(Details::Handshake(Handshake {
            bare: shared.tokens.is_none(),
            opened_per_s: opened as f64 / plan.load.seconds,
            server_us_per_open: per(usage.server_cpu_us, opened),
        })),
        usage,
        ..Result::new(plan.scenario, plan.transport, users)
    };
    if matches!(load, Load::Open { .. }) && late_us > LATE_P99_US {
        result.void(format!("the generator was late by {late_us} us at p99"));
    }
    if overflow > 0 {
        result.void(format!("{overflow} handshakes found too many others on their way"));
    }
    if failed > 0 {
        result.void(format!("{failed} connections could not be opened"));
    }
    if opened == 0 {
        result.void("nothing was opened within the window".to_owned());
    }
    Ok(result)
}

/// Opens until `to_ns`; returns how many found no room.
async fn generate(
    shared: Arc<Shared>,
    load: Load,
    start_ns: u64,
    to_ns: u64,
) -> anyhow::Result<u64> {
    match load {
        Load::Closed { window } => {
            let workers: Vec<_> = (0..window)
                .map(|worker| {
                    let shared = Arc::clone(&shared);
                    tokio::spawn(async move {
                        while shared.run.now_ns() < to_ns {
                            let now_ns = shared.run.now_ns();
                            shared.open(worker, now_ns).await;
                        }
                    })
                })
                .collect();
            for worker in workers {
                worker.await?;
            }
            Ok(0)
        }
        Load::Open { rate, arrivals } => {
            let (queue, mut due) = mpsc::channel(schedule::QUEUE);
            let schedule = Schedule::new(1, rate, arrivals, start_ns, shared.run.id);
            let pacer =
                tokio::spawn(schedule::keep(shared.run.clock, schedule, vec![Some(queue)], to_ns));
            let room = Arc::new(Semaphore::new(MOST));
            let mut overflow = 0;
            let mut worker = 0;
            while let Some(intended_ns) = due.recv().await {
                let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
                    overflow += 1;
                    continue;
                };
                worker += 1;
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    shared.open(worker, intended_ns).await;
                    drop(permit);
                });
            }
            let queued = pacer.await??;
            let most = u32::try_from(MOST).context("too many")?;
            let _ = tokio::time::timeout(DRAIN, room.acquire_many(most)).await;
            Ok(overflow + queued)
        }
    }
}

impl Shared {
    /// One connection, meant for `intended_ns`.
    async fn open(&self, worker: usize, intended_ns: u64) {
        let mut samples = Samples::default();
        samples.late.push((intended_ns, self.run.now_ns().saturating_sub(intended_ns)));
        if self.try_open().await.is_ok() {
            let now_ns = self.run.now_ns();
            samples.delivery.push((intended_ns, now_ns.saturating_sub(intended_ns)));
            self.run.count_acknowledged(now_ns, 0);
        } else {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        self.run.record(worker, &mut samples);
    }

    async fn try_open(&self) -> anyhow::Result<()> {
        let link = self.connector.open_briefly().await?;
        if let Some(tokens) = &self.tokens {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed) as usize % tokens.len().max(1);
            let token = tokens.get(turn).context("no users")?.clone();
            // From the end of the feed: what it holds is not measured here.
            session::welcome(link, token, u64::MAX, Visibility::Foreground).await?;
        }
        Ok(())
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 4)
}
