//! All goals in one go: measures each of P1 to P15 in interleaved rounds, and prints the table.
//!
//! A round is every measurement once, each with a fresh server in a fresh folder, floors in between;
//! then the next round, so that a slow hour of the machine meets all of them. What a figure
//! is, and its target, is in `rows`; what is run for it in `steps`; `server` starts servers;
//! `table` is the Markdown. Raw results stay in the folder, failed ones too.

mod rows;
mod server;
mod steps;
mod table;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::args::GoalsArgs;
use crate::compare;
use crate::priority;
use server::Server;
use steps::{Step, Work};
pub(crate) use table::number;

/// p99 up to which a rate counts as carried, in microseconds.
const CARRIED_P99_US: f64 = 20_000.0;

/// The flag of [`priority::forbid`].
const ORDINARY: &str = "--ordinary-priority";

/// The results of one round, by the names of its steps.
#[derive(Debug, Default)]
pub(crate) struct Round(BTreeMap<String, Value>);

impl Round {
    /// A figure of a step.
    fn figure(&self, step: &str, pointer: &str) -> Option<f64> {
        self.0.get(step)?.pointer(pointer)?.as_f64()
    }

    /// Whether one of these steps is void; `step/part` is a part of its result.
    fn is_void(&self, steps: &[&str]) -> bool {
        steps.iter().any(|step| {
            let (step, part) = step.split_once('/').unwrap_or((step, ""));
            let result = self.0.get(step);
            let part = if part.is_empty() { result } else { result.and_then(|all| all.get(part)) };
            part.and_then(|part| part.get("void")?.as_bool()) == Some(true)
        })
    }
}

/// Measures, and writes `goals.md` and `goals.json` into the folder.
///
/// # Errors
/// When the folder can't be written or no server starts.
pub(crate) fn run(args: &GoalsArgs) -> anyhow::Result<ExitCode> {
    ensure!(args.rounds >= 1, "--rounds is at least 1");
    ensure!(args.seconds > 0.0 && args.warmup >= 0.0, "--seconds is above 0, --warmup not below");
    ensure!(args.scale > 0.0 && args.scale <= 1.0, "--scale is above 0 and at most 1");
    let args = &steps::fitted(args)?;
    let steps = steps::all(args);
    ensure!(!steps.is_empty(), "--only names no goal: P1 to P15");
    eprintln!(
        "goals: {} steps, windows of {} s after {} s; all rounds take about {:.0} minutes",
        steps.len(),
        args.seconds,
        args.warmup,
        (steps::estimate(args) / 60.0).ceil()
    );
    fs::create_dir_all(&args.out).with_context(|| format!("making {}", args.out.display()))?;
    let (mut rounds, mut failed, mut again) = (Vec::new(), Vec::new(), Vec::new());
    for number in 1..=args.rounds {
        let folder = args.out.join(format!("round-{number}"));
        fs::create_dir_all(&folder)?;
        let mut round = Round::default();
        for step in steps.iter().filter(|step| number == 1 || !step.once) {
            eprintln!("goals: round {number} of {}: {}", args.rounds, step.name);
            let taken = take(args, step, &folder).and_then(|result| {
                let Some(reason) = void(&result).filter(|_| !is_broken(&result)) else {
                    return Ok(result);
                };
                eprintln!("goals: {} is void and measured once more: {reason}", step.name);
                again.push(format!("round {number}, {}: {reason}", step.name));
                let path = folder.join(&step.name);
                fs::rename(path.with_extension("json"), path.with_extension("void.json"))?;
                take(args, step, &folder)
            });
            match taken {
                Ok(result) => {
                    round.0.insert(step.name.clone(), result);
                }
                // The others can still be measured; the table says what is missing.
                Err(error) => {
                    eprintln!("goals: {}: {error:#}", step.name);
                    failed.push(format!("round {number}, {}: {error:#}", step.name));
                }
            }
        }
        rounds.push(round);
        // After each round, so that an end in the middle leaves what there is.
        report(args, &rounds, &failed, &again)?;
    }
    print!("{}", fs::read_to_string(args.out.join("goals.md"))?);
    let broken = rounds.iter().flat_map(|round| round.0.values()).any(is_broken);
    Ok(match (broken, failed.is_empty()) {
        (true, _) => ExitCode::from(1),
        (false, false) => ExitCode::from(2),
        (false, true) => ExitCode::SUCCESS,
    })
}

fn report(
    args: &GoalsArgs,
    rounds: &[Round],
    failed: &[String],
    again: &[String],
) -> anyhow::Result<()> {
    let peers = match &args.peers {
        Some(path) => compare::load(path)?.into_iter().next(),
        None => None,
    };
    let rows = rows::judge(rounds, peers.as_ref());
    let conditions = table::conditions(args, rounds);
    let mut page = table::markdown(&conditions, &rows, rounds, failed);
    for run in again {
        let _ = writeln!(page, "\nMeasured once more after a void run: {run}");
    }
    fs::write(args.out.join("goals.md"), page)?;
    let whole = json!({ "conditions": conditions, "rows": rows, "failed": failed, "again": again });
    fs::write(args.out.join("goals.json"), serde_json::to_string_pretty(&whole)? + "\n")?;
    Ok(())
}

/// Why a result, or a relay in it, is void.
fn void(result: &Value) -> Option<String> {
    let parts = [Some(result), result.get("relay_tls"), result.get("relay_quic")];
    parts.into_iter().flatten().find_map(compare::void)
}

/// Whether a result broke a promise.
fn is_broken(result: &Value) -> bool {
    let count = |field| result.get(field).and_then(Value::as_u64).unwrap_or(0);
    ["lost", "duplicates", "reordered", "gaps"].into_iter().any(|field| count(field) > 0)
}

fn take(args: &GoalsArgs, step: &Step, folder: &Path) -> anyhow::Result<Value> {
    let path = folder.join(format!("{}.json", step.name));
    match &step.work {
        Work::Floor(load) => {
            let dir = args.dir.to_string_lossy().into_owned();
            let mut all = vec!["floor".to_owned(), "--dir".to_owned(), dir];
            all.extend_from_slice(load);
            bench(args, &all, &path)
        }
        Work::Scenario { transport, load } => scenario(args, transport, load, &path),
        Work::Search { transport, rates, first, load } => {
            let found = search(rates, *first, |rate| {
                let mut load = load.clone();
                load.extend(["--rate".to_owned(), rate.to_string()]);
                scenario(args, transport, &load, &path.with_extension(format!("{rate}.json")))
            })?;
            fs::write(&path, serde_json::to_string_pretty(&found)? + "\n")?;
            Ok(found)
        }
    }
}

/// One scenario against a server of its own.
fn scenario(
    args: &GoalsArgs,
    transport: &str,
    load: &[String],
    path: &Path,
) -> anyhow::Result<Value> {
    let server = Server::start(args, &path.with_extension("server.log"))?;
    let (url, pid) = (server.url(transport)?, server.pid().to_string());
    let (name, rest) = load.split_first().context("no scenario")?;
    let metrics = format!("{}/metrics", server.http());
    let mut all: Vec<String> = [
        name,
        "--server",
        &url,
        "--trust",
        server.fingerprint(),
        "--server-pid",
        &pid,
        "--metrics",
        &metrics,
    ]
    .map(str::to_owned)
    .to_vec();
    all.extend_from_slice(rest);
    bench(args, &all, path)
}

/// Runs this program once more; a void or broken run is a result too.
fn bench(args: &GoalsArgs, arguments: &[String], path: &Path) -> anyhow::Result<Value> {
    let log = fs::File::create(path.with_extension("log"))?;
    // An old result must not stand for this one.
    let _ = fs::remove_file(path);
    let mut command = server::prefixed(args, &std::env::current_exe()?);
    if priority::is_forbidden() && !arguments.iter().any(|argument| argument == ORDINARY) {
        command.arg(ORDINARY);
    }
    let status = command
        .args(arguments)
        .arg("--json")
        .arg(path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .status()?;
    ensure!(
        matches!(status.code(), Some(0..=2)),
        "{status}, see {}",
        path.with_extension("log").display()
    );
    compare::load(path)?.into_iter().next().context("no result")
}

/// Looks for the highest rate that is carried: from `first` up as long as it goes well, else down.
fn search(
    rates: &[u32],
    first: usize,
    mut run: impl FnMut(u32) -> anyhow::Result<Value>,
) -> anyhow::Result<Value> {
    let mut tried = Vec::new();
    let mut highest: Option<u32> = None;
    let mut at = Some(first);
    while let Some(rate) = at.and_then(|at| rates.get(at)) {
        let result = run(*rate)?;
        let carried = is_carried(*rate, &result);
        let figure = |pointer: &str| result.pointer(pointer).cloned().unwrap_or_default();
        tried.push(json!({
            "rate": rate, "carried": carried, "p99_us": figure("/latency_us/p99"),
            "delivered_per_s": figure("/delivered_per_s"), "late_p99_us": figure("/late_us/p99"),
            "server_cores": figure("/server_cores"), "generator_cores": figure("/generator_cores"),
        }));
        if is_broken(&result) {
            anyhow::bail!("messages were lost, doubled or out of order at {rate} a second");
        }
        let went_down = at < Some(first);
        at = match (carried, went_down) {
            (true, false) => at.map(|at| at + 1),
            (false, _) if highest.is_none() => at.and_then(|at| at.checked_sub(1)),
            _ => None,
        };
        if carried {
            highest = Some(*rate);
        }
    }
    Ok(json!({ "scenario": "search", "highest_rate": highest.unwrap_or(0), "tried": tried }))
}

/// Whether the server kept up. Latency counts from the intended time, so what the generator was
/// late is in it and need not void the run.
fn is_carried(rate: u32, result: &Value) -> bool {
    let figure = |pointer: &str| result.pointer(pointer).and_then(Value::as_f64);
    let broken = figure("/broken_connections").unwrap_or(0.0) + figure("/refused").unwrap_or(0.0);
    figure("/latency_us/p99").is_some_and(|p99| p99 > 0.0 && p99 <= CARRIED_P99_US)
        && figure("/delivered_per_s").is_some_and(|is| is >= 0.97 * f64::from(rate))
        && broken == 0.0
}

/// A command for `program`, behind the prefix that was asked for.
fn command(prefix: &[String], program: &Path) -> Command {
    match prefix.split_first() {
        Some((first, rest)) => {
            let mut command = Command::new(first);
            command.args(rest).arg(program);
            command
        }
        None => Command::new(program),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(p99: u64, delivered: f64) -> Value {
        json!({ "latency_us": { "p99": p99 }, "delivered_per_s": delivered })
    }

    /// The highest rate found on a machine that carries up to `most`, and how often it was tried.
    fn found(most: u32, first: usize) -> (u64, usize) {
        let mut runs = 0;
        let result = search(&[1000, 2000, 3000, 4000], first, |rate| {
            runs += 1;
            Ok(answer(if rate <= most { 900 } else { 90_000 }, f64::from(rate)))
        });
        (result.unwrap()["highest_rate"].as_u64().unwrap(), runs)
    }

    #[test]
    fn the_highest_rate_is_found_from_below_and_from_above() {
        assert_eq!(found(3000, 1), (3000, 3));
        assert_eq!(found(1000, 2), (1000, 3));
        assert_eq!(found(9000, 2), (4000, 2));
        assert_eq!(found(500, 2), (0, 3));
    }

    #[test]
    fn a_rate_is_carried_when_it_came_through_in_time() {
        assert!(is_carried(1000, &answer(20_000, 990.0)));
        assert!(!is_carried(1000, &answer(20_001, 990.0)));
        assert!(!is_carried(1000, &answer(900, 900.0)));
        let mut broken = answer(900, 1000.0);
        broken["broken_connections"] = 1.into();
        assert!(!is_carried(1000, &broken));
    }
}
