//! What this machine can do at best, measured like the scenarios.
//!
//! The disk's sync latency, on a file that grows and on one that was written before; group commit of
//! the server's own store, by the program `parley-bench-store`; and
//! bare relays over TLS and QUIC under the same load as `pairs`. A result of the
//! server is best given as a ratio to these, taken in the same minutes: absolute
//! times hold for one machine and day only.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use hdrhistogram::Histogram;
use serde::Serialize;

use super::{handshake, pairs};
use crate::args::{Floor, FloorArgs, LoadArgs, RelayTransport};
use crate::driver::workers::Workers;
use crate::driver::{self, Plan};
use crate::measure::histogram::Percentiles;
use crate::measure::run::Run;
use crate::net::Connector;
use crate::relay;
use crate::report::Result;
use crate::user::{self, User};

/// Bytes of one synced write.
const BLOCK: usize = 4096;

/// Bytes of the larger ones, as group commits make them.
const LARGER: [usize; 4] = [16 << 10, 64 << 10, 256 << 10, 1 << 20];

/// Seconds of each batch size of the store, at most.
const STORE_S: f64 = 5.0;

/// Syncs of one measurement, at most.
const SYNCS: usize = 2000;

/// Time of one measurement of syncs, at most.
const SYNC_TIME: Duration = Duration::from_secs(2);

/// Seconds of bare handshakes, at most.
const HANDSHAKES_S: f64 = 10.0;

/// In flight for each sender when nothing is said: the bursty regime.
const WINDOW: usize = 16;

/// All floors.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Floors {
    version: &'static str,
    scenario: &'static str,
    /// fdatasync after 4 KiB at the end of a growing file.
    sync_growing: Option<Syncs>,
    /// The same in a file that was written before.
    sync_written: Option<Syncs>,
    /// Growing, at several sizes.
    sync_sizes: Option<Vec<Syncs>>,
    /// Group commit of the server's store; none where its program isn't beside this one.
    store: Option<serde_json::Value>,
    /// The relays; their fields are those of `pairs`.
    relay_tls: Option<Result>,
    relay_quic: Option<Result>,
    /// Bare handshakes with the relays; their fields are those of `handshake`.
    handshake_tls: Option<Result>,
    handshake_quic: Option<Result>,
}

/// Writes of one size, each with a sync.
#[derive(Debug, Clone, Serialize)]
struct Syncs {
    bytes: usize,
    calls: u64,
    calls_per_s: f64,
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
    let mut floors =
        Floors { version: env!("CARGO_PKG_VERSION"), scenario: "floor", ..Floors::default() };
    if args.wants(Floor::Syncs) {
        let dir = args.dir.clone();
        let (growing, written) = tokio::task::spawn_blocking(move || syncs(&dir)).await??;
        floors.sync_growing = growing.first().cloned();
        floors.sync_sizes = Some(growing);
        floors.sync_written = Some(written);
    }
    if args.wants(Floor::Store) {
        let (dir, seconds) = (args.dir.clone(), load.seconds.min(STORE_S));
        floors.store = tokio::task::spawn_blocking(move || store(&dir, seconds)).await??;
    }
    if args.wants(Floor::Relays) {
        floors.relay_tls = Some(relay(args, &load, RelayTransport::Tls).await?);
        floors.relay_quic = Some(relay(args, &load, RelayTransport::Quic).await?);
    }
    if args.wants(Floor::Handshakes) {
        floors.handshake_tls = Some(handshakes(args, RelayTransport::Tls).await?);
        floors.handshake_quic = Some(handshakes(args, RelayTransport::Quic).await?);
    }
    Ok(floors)
}

/// Group commit of the server's store, measured by a process of its own.
fn store(dir: &Path, seconds: f64) -> anyhow::Result<Option<serde_json::Value>> {
    let program = std::env::current_exe()?.with_file_name("parley-bench-store");
    if !program.exists() {
        eprintln!("no store: {} is missing", program.display());
        return Ok(None);
    }
    let output = Command::new(program)
        .arg("--dir")
        .arg(dir)
        .args(["--seconds", &seconds.to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("parley-bench-store")?;
    ensure!(output.status.success(), "parley-bench-store failed");
    Ok(Some(serde_json::from_slice(&output.stdout)?))
}

async fn relay(
    args: &FloorArgs,
    load: &LoadArgs,
    transport: RelayTransport,
) -> anyhow::Result<Result> {
    eprintln!("bare relay over {}", transport.name());
    let (process, ready) = tokio::task::spawn_blocking(move || relay::start(transport)).await??;
    let workers = Workers::start(&ready.url, Some(&ready.fingerprint)).await?;
    let run = Arc::new(Run::new()?);
    let users = workers
        .open(0..args.users, |index, connector| {
            let (run, size) = (Arc::clone(&run), load.size);
            Ok(async move { User::relay(&connector, &run, index, size).await })
        })
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
    user::conclude_pairs(&plan, &run, driver::drive(&plan, &run, &workers, users).await?)
}

async fn handshakes(args: &FloorArgs, transport: RelayTransport) -> anyhow::Result<Result> {
    eprintln!("bare handshakes over {}", transport.name());
    let (process, ready) = tokio::task::spawn_blocking(move || relay::start(transport)).await??;
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

/// Those of a growing file by size, and of a written one.
fn syncs(dir: &Path) -> anyhow::Result<(Vec<Syncs>, Syncs)> {
    let path = dir.join(format!("parley-bench-sync-{}", std::process::id()));
    let result = (|| {
        let mut file =
            OpenOptions::new().write(true).create_new(true).open(&path).context("--dir")?;
        eprintln!("syncs of a growing file");
        let mut growing = vec![sync_loop(&mut file, BLOCK)?];
        // The same blocks once more: nothing about the file changes but its content.
        file.seek(SeekFrom::Start(0))?;
        eprintln!("syncs of a written file");
        let written = sync_loop(&mut file, BLOCK)?;
        file.seek(SeekFrom::End(0))?;
        for bytes in LARGER {
            eprintln!("syncs of {bytes} bytes");
            growing.push(sync_loop(&mut file, bytes)?);
        }
        Ok((growing, written))
    })();
    let _ = fs::remove_file(&path);
    result
}

fn sync_loop(file: &mut File, bytes: usize) -> anyhow::Result<Syncs> {
    let mut latencies = Histogram::<u64>::new_with_bounds(1, 60_000_000, 3)?;
    let block = vec![0x5a; bytes];
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
    let calls_per_s = calls as f64 / began.elapsed().as_secs_f64();
    Ok(Syncs {
        bytes,
        calls,
        calls_per_s,
        latency_us: Percentiles::from(&latencies),
        core_us_per_call,
    })
}

/// CPU time of this thread, in nanoseconds.
fn thread_cpu_ns() -> anyhow::Result<u64> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    text.split_whitespace().next().context("schedstat")?.parse().context("schedstat")
}
