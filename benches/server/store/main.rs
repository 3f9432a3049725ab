//! `parley-bench-store`: bare group commit with the server's own store and options.
//!
//! A message is one put of 250 bytes into the log's table and one into the index of sends, as the
//! server's own messages are; a batch is written and synced as one, the next one only then. What
//! the server adds to this is everything else it does. Flushes and compactions are in it.
//! `parley-bench floor` starts this as a process of its own, so that the CPU is its own; by hand it
//! prints the same JSON.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use clap::Parser;
use hdrhistogram::Histogram;
use parley_protocol::{ClientMessageId, ConversationId, DeviceId, ShardId};
use parley_server::storage::store::tables::{dedupe, entries};
use parley_server::storage::store::{DedupeRow, Options, Place, Store, Write};
use serde::Serialize;

/// Bytes of a log record.
const RECORD: usize = 250;

/// Conversations that the messages go to in turn.
const CONVERSATIONS: u64 = 1000;

/// Microseconds of one tick in /proc: USER_HZ is 100 on every Linux.
const TICK_US: u64 = 10_000;

#[derive(Parser)]
#[command(name = "parley-bench-store", about = "Bare group commit of the server's store")]
struct Cli {
    /// A folder on the disk that is measured; what is written there is removed again.
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// Seconds of each batch size.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Messages of one batch and sync.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 64, 256, 1024])]
    batches: Vec<u64>,
}

/// What one batch size gave; `benches/load/result.schema.json` describes it.
#[derive(Debug, Serialize)]
struct Commits {
    batch: u64,
    bytes_per_message: usize,
    seconds: f64,
    appends_per_s: f64,
    syncs_per_s: f64,
    core_us_per_append: f64,
    /// Write and sync of one batch.
    latency_us: Latency,
}

#[derive(Debug, Serialize)]
struct Latency {
    p50: u64,
    p99: u64,
    max: u64,
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(64) } else { ExitCode::SUCCESS };
        }
    };
    match measure(&cli) {
        Ok(all) => {
            println!("{}", serde_json::json!(all));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("parley-bench-store: {error:#}");
            ExitCode::from(3)
        }
    }
}

fn measure(cli: &Cli) -> anyhow::Result<Vec<Commits>> {
    ensure!(cli.seconds > 0.0 && cli.seconds.is_finite(), "--seconds is above 0");
    let all = cli.batches.iter().map(|batch| {
        ensure!((1..=100_000).contains(batch), "a batch has 1 to 100000 messages");
        commit(&cli.dir, *batch, Duration::from_secs_f64(cli.seconds))
    });
    all.collect()
}

fn commit(dir: &Path, batch: u64, time: Duration) -> anyhow::Result<Commits> {
    eprintln!("group commit of {batch}");
    // Beside what is there, and gone with the value.
    let folder =
        tempfile::Builder::new().prefix("parley-bench-store-").tempdir_in(dir).context("--dir")?;
    let store = Store::open(&Options::new(folder.path().join("data")))?;
    let mut latencies = Histogram::<u64>::new_with_bounds(1, 60_000_000, 3)?;
    let mut rows: Vec<Write> = Vec::new();
    let mut bytes_per_message = 0;
    let mut number = 0;
    let (began, cpu_before) = (Instant::now(), cpu_us()?);
    while began.elapsed() < time {
        rows.clear();
        for _ in 0..batch {
            message(&mut rows, number)?;
            number += 1;
        }
        bytes_per_message =
            rows.iter().map(Write::size_bytes).sum::<usize>() / usize::try_from(batch)?;
        let call = Instant::now();
        store.write_synced(&rows)?;
        let us = u64::try_from(call.elapsed().as_micros()).unwrap_or(u64::MAX);
        latencies.saturating_record(us.max(1));
    }
    let seconds = began.elapsed().as_secs_f64();
    let used_us = cpu_us()?.saturating_sub(cpu_before);
    Ok(Commits {
        batch,
        bytes_per_message,
        seconds,
        appends_per_s: number as f64 / seconds,
        syncs_per_s: latencies.len() as f64 / seconds,
        core_us_per_append: used_us as f64 / number as f64,
        latency_us: Latency {
            p50: latencies.value_at_quantile(0.5),
            p99: latencies.value_at_quantile(0.99),
            max: latencies.max(),
        },
    })
}

/// The two puts of message `number`.
fn message(rows: &mut Vec<Write>, number: u64) -> anyhow::Result<()> {
    let shard = ShardId(u16::try_from(number % 64)?);
    let mut id = [0x5a; 16];
    id[..8].copy_from_slice(&(number % CONVERSATIONS).wrapping_mul(0x9e37_79b9).to_be_bytes());
    let place = Place { shard, conversation: ConversationId::new(id) };
    let seq = number / CONVERSATIONS + 1;
    // Repeated letters would compress and flatter the store.
    let mut record = vec![0; RECORD];
    fastrand::fill(&mut record);
    rows.push(entries::put_encoded(place, seq, record.into()));
    let client_message_id =
        ClientMessageId::new(Bytes::copy_from_slice(&fastrand::u128(..).to_be_bytes()))?;
    let answer = DedupeRow { seq, ordinal: seq, time_ms: 1_700_000_000_000, digest: !number };
    rows.push(dedupe::put(place, DeviceId::new(id), client_message_id, &answer));
    Ok(())
}

/// CPU time of this process and all its threads.
fn cpu_us() -> anyhow::Result<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').context("/proc/self/stat")?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut ticks = || fields.next().and_then(|field| field.parse::<u64>().ok()).context("stat");
    Ok((ticks()? + ticks()?) * TICK_US)
}
