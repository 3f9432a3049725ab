//! All goals in one go: measures each of P1 to P15 in interleaved rounds, and prints the table.
//!
//! A round is every measurement once, each with a fresh server in a fresh folder, floors in between;
//! then the next round, so that a slow hour of the machine meets all of them. What a figure
//! is, and its target, is in `rows`; what is run for it in `steps`; `server` starts servers, `limits` says what they allow;
//! `table` is the Markdown. Raw results stay in the folder, failed ones too.

mod limits;
mod rows;
mod search;
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
use crate::driver::priority;
use crate::report::compare;
use server::Server;
use steps::{Step, Work};

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
    if args.resume {
        ensure_resumable(args)?;
    }
    let (mut rounds, mut failed, mut again) = (Vec::new(), Vec::new(), Vec::new());
    for number in 1..=args.rounds {
        let folder = args.out.join(format!("round-{number}"));
        fs::create_dir_all(&folder)?;
        let mut round = Round::default();
        for step in steps.iter().filter(|step| number == 1 || !step.once) {
            eprintln!("goals: round {number} of {}: {}", args.rounds, step.name);
            let kept = if args.resume { kept(step, &folder) } else { None };
            let taken = kept.map_or_else(|| take(args, step, &folder), Ok).and_then(|result| {
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
        Work::Scenario { transport, load } => scenario(args, transport, &[load], &path),
        Work::Soak { transport, fill, load } => scenario(args, transport, &[fill, load], &path),
        Work::Search { transport, rates, first, load } => {
            let found = search::highest(rates, *first, |rate| {
                let mut load = load.clone();
                load.extend(["--rate".to_owned(), rate.to_string()]);
                let path = path.with_extension(format!("{rate}.json"));
                scenario(args, transport, &[&load], &path)
            })?;
            fs::write(&path, serde_json::to_string_pretty(&found)? + "\n")?;
            Ok(found)
        }
    }
}

/// The result of a step that an earlier run left in the folder; none when it was no result.
fn kept(step: &Step, folder: &Path) -> Option<Value> {
    let text = fs::read_to_string(folder.join(format!("{}.json", step.name))).ok()?;
    let result = serde_json::from_str(&text).ok()?;
    eprintln!("goals: {} was measured before", step.name);
    Some(result)
}

/// That an earlier run into the folder was made as this one is.
fn ensure_resumable(args: &GoalsArgs) -> anyhow::Result<()> {
    let path = args.out.join("goals.json");
    let Ok(text) = fs::read_to_string(&path) else { return Ok(()) };
    let earlier: Value =
        serde_json::from_str(&text).with_context(|| format!("reading {}", path.display()))?;
    let now = json!({
        "seconds": args.seconds, "warmup_s": args.warmup, "scale": args.scale, "prefix": args.prefix,
    });
    for (field, value) in now.as_object().into_iter().flatten() {
        let was = &earlier["conditions"][field];
        ensure!(was == value, "--resume: in {} {field} was {was}, not {value}", path.display());
    }
    Ok(())
}

/// Scenarios against a server of their own, one after another; the last one's result counts.
fn scenario(
    args: &GoalsArgs,
    transport: &str,
    loads: &[&Vec<String>],
    path: &Path,
) -> anyhow::Result<Value> {
    let server = Server::start(args, &path.with_extension("server.log"))?;
    let (url, pid) = (server.url(transport)?, server.pid().to_string());
    let metrics = format!("{}/metrics", server.operator());
    let (mut result, last) = (None, loads.len() - 1);
    for (index, load) in loads.iter().enumerate() {
        let (name, rest) = load.split_first().context("no scenario")?;
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
        // One that goes before has a file of its own: half a step is not its result.
        let own = if index == last { path } else { &path.with_extension(format!("{index}.json")) };
        let measured = bench(args, &all, own)?;
        ensure!(index == last || !is_broken(&measured), "broken promises, see {}", own.display());
        result = Some(measured);
    }
    result.context("no scenario")
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
    use crate::args::{Cli, Command as Commands};
    use clap::Parser as _;

    fn resumed(out: &Path, more: &str) -> GoalsArgs {
        let line = format!("parley-bench goals --resume --out {} {more}", out.display());
        match Cli::parse_from(line.split_whitespace()).command {
            Commands::Goals(args) => args,
            _ => unreachable!("goals was asked for"),
        }
    }

    #[test]
    fn whole_results_of_an_ended_run_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let steps = steps::all(&resumed(folder.path(), "--only P14"));
        let path = folder.path().join("sync-tls.json");
        assert_eq!(kept(&steps[0], folder.path()), None);
        // Ended in the middle of writing it.
        fs::write(&path, r#"{"scenario": "sy"#).unwrap();
        assert_eq!(kept(&steps[0], folder.path()), None);
        fs::write(&path, r#"{"scenario": "sync"}"#).unwrap();
        assert_eq!(kept(&steps[0], folder.path()), Some(json!({ "scenario": "sync" })));
    }

    #[test]
    fn results_of_other_conditions_are_not_mixed() {
        let folder = tempfile::tempdir().unwrap();
        let short = resumed(folder.path(), "--seconds 10 --warmup 4");
        ensure_resumable(&short).unwrap();
        report(&short, &[], &[], &[]).unwrap();
        ensure_resumable(&short).unwrap();
        let error = ensure_resumable(&resumed(folder.path(), "--seconds 20 --warmup 4"));
        assert!(error.unwrap_err().to_string().contains("seconds was 10.0, not 20.0"));
    }
}
