//! The one binary: the server, the operator's commands and the terminal client.
//!
//! This file only picks the command and turns its end into an exit code:
//! 0 for done, 1 for a failure, 2 for what the caller has to change (a flag, a
//! name, a password). A failure is one line on standard error that names the
//! cause and, where there is one, the remedy.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod arguments;
mod chat;
mod config;
mod doctor;
mod logging;
mod reports;
mod serve;
mod signals;
mod web;

use std::process::ExitCode;

use clap::Parser as _;

use self::arguments::{Arguments, Command};

// RocksDB links the same allocator; the figures of /metrics are its own.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.command {
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Chat(arguments) => chat::run(arguments),
        Command::Doctor(arguments) => Ok(doctor::run(&arguments)),
        Command::Reports(arguments) => reports::run(&arguments),
        Command::Config { command } => config::run(&command),
    };
    result.unwrap_or_else(|error| {
        logging::tell(format_args!("parley: {}", one_line(&error)));
        ExitCode::FAILURE
    })
}

/// The error and its causes on one line. Some errors name their cause in their
/// own text; it isn't said twice.
fn one_line(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |line, cause| {
        match (line.is_empty(), line.contains(&cause)) {
            (true, _) => cause,
            (false, true) => line,
            (false, false) => format!("{line}: {cause}"),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_named_once() {
        let cause = std::io::Error::other("disk full");
        let error = anyhow::Error::new(cause).context("cannot write x: disk full");
        assert_eq!(
            one_line(&error.context("cannot start")),
            "cannot start: cannot write x: disk full"
        );
        let error = anyhow::anyhow!("inner").context("outer");
        assert_eq!(one_line(&error), "outer: inner");
    }
}
