//! `parley-bench`: load for a running server, and the floors beside it.
//!
//! Each scenario prints its result as JSON (to `--json` or standard output)
//! with the fields of `benches/load/result.schema.json`, and progress to
//! standard error. It exits with 1 when messages were lost, doubled or out of
//! order, and with 2 when the run is void: the generator itself fell behind.
//!
//! Rooms, each of which uses only those behind it: `goals` (runs everything), `scenario` (one file each),
//! `peers` (other servers), `user` (one user on one connection), `driver` (threads, schedule, phases of a run),
//! `relay` (processes beside the server), `report` (results, and what is made of them), `net`
//! (connections and envelopes), `measure` (clock, histograms, processors, audit). The binary measures a server from
//! outside: it knows the protocol, never the server crate.

mod args;
mod driver;
mod goals;
mod measure;
mod net;
mod peers;
mod relay;
mod report;
mod scenario;
mod threads;
mod user;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;
use serde::Serialize;

use args::{Command, TargetArgs};
use driver::priority;
use report::{capacity, compare, html, servers};
use scenario::{floor, group, handshake, idle, mixed, pairs, silence, storm, sync};

fn main() -> ExitCode {
    match args::Cli::try_parse() {
        Ok(cli) => {
            if let Some(threads) = cli.threads {
                threads::limit(threads);
            }
            if cli.ordinary_priority {
                priority::forbid();
            }
            start(&cli.command).unwrap_or_else(|error| {
                eprintln!("parley-bench: {error:#}");
                ExitCode::from(3)
            })
        }
        Err(error) => {
            let _ = error.print();
            if error.use_stderr() { ExitCode::from(64) } else { ExitCode::SUCCESS }
        }
    }
}

fn start(command: &Command) -> anyhow::Result<ExitCode> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no runtime")?;
    runtime.block_on(async {
        match command {
            Command::Pairs(args) => done(&args.target, &pairs::measure(args).await?),
            Command::Group(args) => done(&args.target, &group::measure(args).await?),
            Command::Mixed(args) => done(&args.target, &mixed::measure(args).await?),
            Command::Idle(args) => done(&args.target, &idle::measure(args).await?),
            Command::Storm(args) => done(&args.target, &storm::measure(args).await?),
            Command::Sync(args) => done(&args.target, &sync::measure(args).await?),
            Command::Handshake(args) => done(&args.target, &handshake::measure(args).await?),
            Command::Silence(args) => {
                let result = silence::measure(args).await?;
                report::write(&result, args.target.json.as_deref())?;
                Ok(ExitCode::from(u8::from(!result.is_silent())))
            }
            Command::Floor(args) => {
                let result = floor::measure(args).await?;
                report::write(&result, args.json.as_deref())?;
                draw(&result, args.html.as_deref(), "floor")?;
                Ok(ExitCode::SUCCESS)
            }
            Command::Compare(args) => compare::run(args),
            Command::Standing(args) => servers::run(args),
            Command::Report(args) => {
                let mut results = Vec::new();
                for path in &args.results {
                    let name = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy();
                    for result in compare::load(path)? {
                        results.push((name.clone().into_owned(), result));
                    }
                }
                html::write(&args.html, &results)?;
                Ok(ExitCode::SUCCESS)
            }
            Command::Capacity(args) => {
                capacity::run(args)?;
                Ok(ExitCode::SUCCESS)
            }
            Command::Goals(args) => goals::run(args),
            Command::Impair(args) => {
                relay::network::serve(args).await?;
                Ok(ExitCode::SUCCESS)
            }
            Command::Relay(args) => {
                relay::server::serve(args.transport).await?;
                Ok(ExitCode::SUCCESS)
            }
        }
    })
}

fn done(target: &TargetArgs, result: &report::Result) -> anyhow::Result<ExitCode> {
    report::write(result, target.json.as_deref())?;
    draw(result, target.html.as_deref(), result.scenario)?;
    Ok(result.exit_code())
}

fn draw(result: &impl Serialize, path: Option<&Path>, name: &str) -> anyhow::Result<()> {
    let Some(path) = path else { return Ok(()) };
    html::write(path, &[(name.to_owned(), serde_json::to_value(result)?)])
}
