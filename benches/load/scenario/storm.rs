//! All clients come back at once, as after a restart or an outage of their network, and catch up.
//!
//! Before it each has synced, gone, and been sent something. A client is back when it holds
//! what it missed and has acknowledged it. As many bare handshakes, as many at a time, are
//! made with the relay before and after the storm: their mean is what it is compared with.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use futures_util::{StreamExt as _, TryStreamExt as _};

use super::backlog;
use crate::args::{RelayTransport, StormArgs};
use crate::driver::workers::PARALLEL;
use crate::measure::audit::ReceivedLog;
use crate::measure::histogram::{self, Percentiles, curve};
use crate::measure::per;
use crate::measure::process;
use crate::measure::system::{self, Usage};
use crate::net::accounts::{self, Account};
use crate::net::protocol;
use crate::net::session::{self, Session};
use crate::net::{Connector, Transport};
use crate::relay;
use crate::report::{Details, Result, Storm};

/// Attempts of one client before the run is given up.
const ATTEMPTS: u32 = 30;

/// Wait before another attempt: from half of this to all of it.
const BACKOFF: Duration = Duration::from_millis(300);

/// How long the server has to notice that everybody went.
const PAUSE: Duration = Duration::from_secs(1);

/// The scenario.
///
/// # Errors
/// When the server can't be reached or sampled, or a client never comes back.
pub(crate) async fn measure(args: &StormArgs) -> anyhow::Result<Result> {
    ensure!(args.users >= 2 && args.users.is_multiple_of(2), "--users is an even number above 0");
    ensure!(args.missed >= 1, "--missed is at least 1");
    ensure!((protocol::LEAST_BYTES..=100_000).contains(&args.size), "--size is from 48 to 100000");
    let parallel = args.parallel.unwrap_or(args.users).max(1);
    let target = &args.target;
    let connector = &Connector::new(&target.server, target.trust.as_deref()).await?;
    let accounts = accounts::prepare(target, args.users, 1).await?;
    let run_id = fastrand::u64(..);
    eprintln!("everybody syncs and goes, then is written to");
    let positions = each(&accounts, PARALLEL, |_, own| sync(connector, own)).await?;
    each(&accounts, PARALLEL, |index, own| {
        let peer = accounts.get(index ^ 1);
        async move {
            let mut session = session::open(connector, own, 0, u64::MAX).await?.session;
            let peer = peer.context("no peer")?.user()?;
            session.send_many(backlog::messages(run_id, &peer, args.missed, args.size)).await?;
            session.close().await;
            anyhow::Ok(())
        }
    })
    .await?;
    tokio::time::sleep(PAUSE).await;

    let relay = match connector.transport {
        Transport::Quic => Some(RelayTransport::Quic),
        Transport::Tls | Transport::WebSocketTls => Some(RelayTransport::Tls),
        Transport::WebSocket => None,
    };
    let bare_before = bare(relay, args.users, parallel).await?;
    eprintln!("the storm");
    let retries = &AtomicU64::new(0);
    let before = system::sample(target.server_pid, target.metrics.as_deref()).await?;
    let began = Instant::now();
    let back = each(&accounts, parallel, |index, own| {
        let position = positions.get(index).copied().unwrap_or_default();
        async move {
            let (link, received) = reconnect(connector, own, position, run_id, retries).await?;
            // Held until all are back.
            anyhow::Ok((link, received, began.elapsed()))
        }
    })
    .await?;
    let all_back_s = began.elapsed().as_secs_f64();
    let after = system::sample(target.server_pid, target.metrics.as_deref()).await?;
    let usage = Usage::between(&before, &after, all_back_s);

    let mut latencies = histogram::histogram()?;
    let mut result = Result::new("storm", connector.transport.name(), args.users);
    for (_, received, took) in &back {
        latencies.saturating_record(u64::try_from(took.as_micros())?.max(1));
        result.lost += (args.missed as u64).saturating_sub(received.count);
        result.duplicates += received.duplicates;
        result.reordered += received.reordered;
    }
    // Gone before as many are opened again: both would take twice the descriptors.
    for (session, ..) in back {
        session.close().await;
    }
    let bare_after = bare(relay, args.users, parallel).await?;
    let count = args.users as u64;
    let mean = |value: fn(&Bare) -> Option<f64>| {
        let (one, other) = (bare_before.as_ref()?, bare_after.as_ref()?);
        Some(f64::midpoint(value(one)?, value(other)?))
    };
    let (bare_s, bare_us) = (mean(|bare| Some(bare.seconds)), mean(|bare| bare.us_per_handshake));
    let server_us = per(usage.server_cpu_us, count);
    result.size_bytes = args.size;
    result.seconds = all_back_s;
    result.messages = count * args.missed as u64;
    result.delivered_per_s = Some(result.messages as f64 / all_back_s);
    result.server_core_us_per_delivery = per(usage.server_cpu_us, result.messages);
    result.latency_us = Some(Percentiles::from(&latencies));
    result.latency_curve = curve(&latencies);
    result.usage = usage;
    result.details = Some(Details::Storm(Storm {
        missed: args.missed,
        all_back_s,
        back_per_s: count as f64 / all_back_s,
        server_us_per_client: server_us,
        retries: retries.load(Ordering::Relaxed),
        bare_s,
        bare_us_per_handshake: bare_us,
        against_bare: bare_s.map(|bare| all_back_s / bare),
        cpu_against_bare: server_us.zip(bare_us).map(|(server, bare)| server / bare),
    }));
    Ok(result)
}

/// Does the same for each user, so many at a time.
async fn each<'a, T, F>(
    accounts: &'a [Account],
    parallel: usize,
    work: impl Fn(usize, &'a Account) -> F,
) -> anyhow::Result<Vec<T>>
where
    F: Future<Output = anyhow::Result<T>>,
{
    futures_util::stream::iter(accounts.iter().enumerate())
        .map(|(index, account)| work(index, account))
        .buffered(parallel)
        .try_collect()
        .await
}

/// Takes everything there is; returns the feed position behind it.
async fn sync(connector: &Connector, account: &Account) -> anyhow::Result<u64> {
    let opened = session::open(connector, account, 0, 0).await?;
    let mut session = opened.session;
    let (entries, position) = session.rest_of_feed(opened.changes).await?;
    for entry in &entries {
        session.catch_up(entry).await?;
    }
    session.close().await;
    Ok(position)
}

async fn reconnect(
    connector: &Connector,
    account: &Account,
    position: u64,
    run: u64,
    retries: &AtomicU64,
) -> anyhow::Result<(Session, ReceivedLog)> {
    for _ in 0..ATTEMPTS {
        match session::open(connector, account, 0, position).await {
            Ok(opened) => {
                let mut session = opened.session;
                let (entries, _) = session.rest_of_feed(opened.changes).await?;
                let own = account.user()?;
                let mut received = ReceivedLog::default();
                for entry in entries.iter().filter(|entry| entry.last_seq > entry.delivered) {
                    let take = |entry| backlog::receive(&mut received, entry, run, &own);
                    let held = session.fetch(&entry.conversation, entry.delivered, take).await?;
                    session.delivered(&entry.conversation, held).await?;
                }
                return Ok((session, received));
            }
            Err(_) => {
                retries.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(BACKOFF.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
            }
        }
    }
    bail!("a client could not come back in {ATTEMPTS} attempts")
}

/// Bare handshakes with the relay.
struct Bare {
    seconds: f64,
    us_per_handshake: Option<f64>,
}

async fn bare(
    transport: Option<RelayTransport>,
    count: usize,
    parallel: usize,
) -> anyhow::Result<Option<Bare>> {
    let Some(transport) = transport else { return Ok(None) };
    eprintln!("bare handshakes over {}", transport.name());
    let (process, ready) = tokio::task::spawn_blocking(move || relay::start(transport)).await??;
    let connector = &Connector::new(&ready.url, Some(&ready.fingerprint)).await?;
    let before = process::usage(&process.pid().to_string())?;
    let began = Instant::now();
    let links: Vec<_> = futures_util::stream::iter(0..count)
        .map(|_| connector.open())
        .buffered(parallel)
        .try_collect()
        .await?;
    let seconds = began.elapsed().as_secs_f64();
    let after = process::usage(&process.pid().to_string())?;
    let cpu_us = after.cpu_us.saturating_sub(before.cpu_us);
    let bare = Bare { seconds, us_per_handshake: per(Some(cpu_us), links.len() as u64) };
    Ok(Some(bare))
}
