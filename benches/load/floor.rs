//! What this machine can do at best, measured like the scenarios.
//!
//! The disk's sync latency, on a file that grows and on one that was written before, and
//! bare relays over TLS and QUIC under the same load as `pairs`. A result of the
//! server is best given as a ratio to these, taken in the same minutes: absolute
//! times hold for one machine and day only.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use futures_util::{StreamExt as _, TryStreamExt as _};
use hdrhistogram::Histogram;
use serde::Serialize;

use crate::args::{FloorArgs, LoadArgs, RelayTransport};
use crate::course::{self, PARALLEL, Plan};
use crate::handshake;
use crate::net::Connector;
use crate::pairs;
use crate::player::Player;
use crate::relay::Ready;
use crate::report::{Percentiles, Result};
use crate::run::Run;

/// Bytes of one synced write.
const BLOCK: usize = 4096;

/// Syncs of one measurement, at most.
const SYNCS: usize = 2000;

/// Time of one measurement of syncs, at most.
const SYNC_TIME: Duration = Duration::from_secs(3);

/// Seconds of bare handshakes, at most.
const HANDSHAKES_S: f64 = 10.0;

/// In flight for each sender when nothing is said: the bursty regime.
const WINDOW: usize = 16;

/// All floors.
#[derive(Debug, Serialize)]
pub(crate) struct Floors {
    version: &'static str,
    scenario: &'static str,
    /// fdatasync after 4 KiB at the end of a growing file.
    sync_growing: Syncs,
    /// The same in a file that was written before.
    sync_written: Syncs,
    /// The relays; their fields are those of `pairs`.
    relay_tls: Result,
    relay_quic: Result,
    /// Bare handshakes with the relays; their fields are those of `handshake`.
    handshake_tls: Result,
    handshake_quic: Result,
}

/// Write and sync of 4 KiB.
#[derive(Debug, Serialize)]
struct Syncs {
    calls: u64,
    latency_us: Percentiles,
    core_us_per_call: f64,
}

/// Measures all of them.
///
/// # Errors
/// When the folder can't be written or a relay can't be started.
pub(crate) async fn measure(args: &FloorArgs) -> anyhow::Result<Floors> {
    let mut load = args.load.clone();
    if load.rate.is_none() && load.window.is_none() {
        load.window = Some(WINDOW);
    }
    pairs::check(args.users, &load)?;
    let dir = args.dir.clone();
    let (sync_growing, sync_written) = tokio::task::spawn_blocking(move || syncs(&dir)).await??;
    Ok(Floors {
        version: env!("CARGO_PKG_VERSION"),
        scenario: "floor",
        sync_growing,
        sync_written,
        relay_tls: relay(args, &load, RelayTransport::Tls).await?,
        relay_quic: relay(args, &load, RelayTransport::Quic).await?,
        handshake_tls: handshakes(args, RelayTransport::Tls).await?,
        handshake_quic: handshakes(args, RelayTransport::Quic).await?,
    })
}

async fn relay(
    args: &FloorArgs,
    load: &LoadArgs,
    transport: RelayTransport,
) -> anyhow::Result<Result> {
    eprintln!("bare relay over {}", transport.name());
    let (process, ready) = tokio::task::spawn_blocking(move || start(transport)).await??;
    let connector = &Connector::new(&ready.url, Some(&ready.fingerprint)).await?;
    let run = Arc::new(Run::new()?);
    let shared = &run;
    let players = futures_util::stream::iter(0..args.users)
        .map(|index| Player::relay(connector, shared, index, load.size))
        .buffered(PARALLEL)
        .try_collect()
        .await?;
    // The relay answers no hello: give the last one time to be read.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let plan = Plan {
        scenario: "relay",
        transport: transport.name(),
        load,
        server_pid: Some(process.pid()),
        metrics: None,
    };
    pairs::conclude(&plan, &run, course::drive(&plan, &run, players).await?)
}

async fn handshakes(args: &FloorArgs, transport: RelayTransport) -> anyhow::Result<Result> {
    eprintln!("bare handshakes over {}", transport.name());
    let (process, ready) = tokio::task::spawn_blocking(move || start(transport)).await??;
    let mut load = args.load.clone();
    (load.rate, load.window) = (None, Some(WINDOW));
    load.seconds = load.seconds.min(HANDSHAKES_S);
    load.warmup = load.warmup.min(1.0);
    let connector = Arc::new(Connector::new(&ready.url, Some(&ready.fingerprint)).await?);
    let plan = Plan {
        scenario: "handshake",
        transport: transport.name(),
        load: &load,
        server_pid: Some(process.pid()),
        metrics: None,
    };
    handshake::drive(&plan, connector, None).await
}

/// The relay's process, ended with this.
pub(crate) struct Relay(Child);

impl Relay {
    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a relay and waits until it listens.
///
/// # Errors
/// When it doesn't.
pub(crate) fn start(transport: RelayTransport) -> anyhow::Result<(Relay, Ready)> {
    let child = Command::new(std::env::current_exe()?)
        .args(["relay", "--transport", transport.name()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("starting the relay")?;
    let mut relay = Relay(child);
    let output = relay.0.stdout.take().context("the relay has no output")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line).context("the relay ended")?;
    let ready = line.strip_prefix("relay ").context("the relay said something else")?;
    let ready = serde_json::from_str(ready)?;
    Ok((relay, ready))
}

fn syncs(dir: &Path) -> anyhow::Result<(Syncs, Syncs)> {
    let path = dir.join(format!("parley-bench-sync-{}", std::process::id()));
    let result = (|| {
        let mut file =
            OpenOptions::new().write(true).create_new(true).open(&path).context("--dir")?;
        eprintln!("syncs of a growing file");
        let growing = sync_loop(&mut file)?;
        // The same blocks once more: nothing about the file changes but its content.
        file.seek(SeekFrom::Start(0))?;
        eprintln!("syncs of a written file");
        let written = sync_loop(&mut file)?;
        Ok((growing, written))
    })();
    let _ = fs::remove_file(&path);
    result
}

fn sync_loop(file: &mut File) -> anyhow::Result<Syncs> {
    let mut latencies = Histogram::<u64>::new_with_bounds(1, 60_000_000, 3)?;
    let block = [0x5a; BLOCK];
    let (began, cpu_before) = (Instant::now(), thread_cpu_ns()?);
    while (latencies.len() as usize) < SYNCS && began.elapsed() < SYNC_TIME {
        let call = Instant::now();
        file.write_all(&block)?;
        file.sync_data()?;
        let us = u64::try_from(call.elapsed().as_micros()).unwrap_or(u64::MAX);
        latencies.saturating_record(us.max(1));
    }
    let calls = latencies.len();
    ensure!(calls > 0, "not one sync");
    let core_us_per_call = (thread_cpu_ns()? - cpu_before) as f64 / 1000.0 / calls as f64;
    Ok(Syncs { calls, latency_us: Percentiles::from(&latencies), core_us_per_call })
}

/// CPU time of this thread, in nanoseconds.
fn thread_cpu_ns() -> anyhow::Result<u64> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    text.split_whitespace().next().context("schedstat")?.parse().context("schedstat")
}
