//! `parley-bench`: load for a running server, and the floors beside it.
//!
//! Each scenario prints its result as JSON (to `--json` or standard output)
//! with the fields of `benches/load/result.schema.json`, and progress to
//! standard error. It exits with 1 when messages were lost, doubled or out of
//! order, and with 2 when the run is void: the generator itself fell behind.
//!
//! A scenario is one file. They share the connections (`net`, `link`), the
//! accounts, the task that plays one user (`player`), the schedule (`pacer`), the
//! measuring (`run`, `probe`) and the audit. The binary measures a server from
//! outside: it knows the protocol, never the server crate.

mod accounts;
mod args;
mod audit;
mod dialect;
mod floor;
mod group;
mod idle;
mod link;
mod net;
mod pacer;
mod pairs;
mod player;
mod probe;
mod relay;
mod report;
mod run;
mod trust;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;

use args::Command;

fn main() -> ExitCode {
    match args::Cli::try_parse() {
        Ok(cli) => match start(&cli.command) {
            Ok(code) => code,
            Err(error) => {
                eprintln!("parley-bench: {error:#}");
                ExitCode::from(3)
            }
        },
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
            Command::Pairs(args) => {
                let result = pairs::measure(args).await?;
                report::write(&result, args.target.json.as_deref())?;
                Ok(result.exit_code())
            }
            Command::Group(args) => {
                let result = group::measure(args).await?;
                report::write(&result, args.target.json.as_deref())?;
                Ok(result.exit_code())
            }
            Command::Idle(args) => {
                let result = idle::measure(args).await?;
                report::write(&result, args.target.json.as_deref())?;
                Ok(ExitCode::SUCCESS)
            }
            Command::Floor(args) => {
                let result = floor::measure(args).await?;
                report::write(&result, args.json.as_deref())?;
                Ok(ExitCode::SUCCESS)
            }
            Command::Relay(args) => {
                relay::serve(args.transport).await?;
                Ok(ExitCode::SUCCESS)
            }
        }
    })
}
