//! Counts the instructions of each step and compares them with the committed baseline.
//!
//! `parley-instructions check` is for CI, `parley-instructions record` writes the baseline
//! anew. It runs itself under valgrind twice for each step, with N and 2·N repetitions; the
//! difference has no start-up in it. Times are noisy on a shared machine, instructions are not:
//! what moves them a little is hash maps' and the store's random seeds. Valgrind shows programs a
//! processor of its own, so the C library chooses the same routines on every machine with AVX2.
//!
//! The counts belong to one compiler, which the baseline names. With another one they
//! are shown and a warning is printed, but nothing is judged.
//!
//! Exit status: 0 when nothing grew by more than the tolerance or the compiler is another, 1 when
//! something grew, 2 when the baseline lacks a step, 3 when it could not be measured.

mod baseline;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, bail};
use clap::{Parser, Subcommand};

use baseline::Baseline;
use parley_server_benches::all;

/// Repetitions of the shorter run.
const REPETITIONS: u64 = 16_000;

/// How many more instructions a step may take than the baseline says.
const TOLERANCE: f64 = 0.03;

#[derive(Parser)]
#[command(name = "parley-instructions", about = "Instruction counts of the hot path")]
struct Cli {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Compares with the baseline.
    Check {
        /// The baseline.
        #[arg(default_value = "benches/server/instructions/baseline.json")]
        baseline: PathBuf,
    },
    /// Writes the baseline.
    Record {
        /// The baseline.
        #[arg(default_value = "benches/server/instructions/baseline.json")]
        baseline: PathBuf,
    },
    /// Takes one step so often; what valgrind runs.
    #[command(hide = true)]
    Take { step: String, times: u64 },
}

fn main() -> ExitCode {
    let done = match Cli::parse().action {
        Action::Check { baseline } => check(&baseline),
        Action::Record { baseline } => record(&baseline),
        Action::Take { step, times } => take(&step, times),
    };
    done.unwrap_or_else(|error| {
        eprintln!("parley-instructions: {error:#}");
        ExitCode::from(3)
    })
}

fn check(path: &Path) -> anyhow::Result<ExitCode> {
    let baseline = Baseline::load(path)?;
    let now = measure()?;
    println!("{:<18} {:>10} {:>10}", "step", "baseline", "now");
    for (step, count) in &now.instructions {
        let (was, change) = baseline.judge(step, *count, TOLERANCE);
        let was = was.map_or_else(|| "-".to_owned(), |was| format!("{was:.0}"));
        println!("{step:<18} {was:>10} {count:>10.0} {}", change.name());
    }
    if baseline.compiler != now.compiler {
        println!(
            "warning: nothing was judged, the baseline is of {}, this is {}",
            baseline.compiler, now.compiler
        );
    }
    Ok(ExitCode::from(baseline.verdict(&now, TOLERANCE)))
}

fn record(path: &Path) -> anyhow::Result<ExitCode> {
    measure()?.save(path)?;
    Ok(ExitCode::SUCCESS)
}

fn measure() -> anyhow::Result<Baseline> {
    let own = std::env::current_exe()?;
    let mut now = Baseline { compiler: compiler()?, ..Baseline::default() };
    for step in all() {
        let times = REPETITIONS / step.messages;
        let less = count(&own, step.name, times)?;
        let more = count(&own, step.name, 2 * times)?;
        let each = more.saturating_sub(less) as f64 / times as f64;
        now.instructions.insert(step.name.to_owned(), (each * 10.0).round() / 10.0);
    }
    Ok(now)
}

/// Instructions of a whole process that takes a step so often.
fn count(own: &Path, step: &str, times: u64) -> anyhow::Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"])
        .arg(own)
        .args(["take", step, &times.to_string()])
        .output()
        .context("valgrind (is it installed?)")?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("valgrind failed on {step}: {said}");
    }
    baseline::parse_count(&said).with_context(|| format!("valgrind gave no count: {said}"))
}

fn take(name: &str, times: u64) -> anyhow::Result<ExitCode> {
    let step = all().find(|step| step.name == name).context("no such step")?;
    let mut take = (step.start)();
    (0..times).for_each(|_| take());
    Ok(ExitCode::SUCCESS)
}

fn compiler() -> anyhow::Result<String> {
    let output = Command::new("rustc").arg("--version").output().context("rustc")?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
