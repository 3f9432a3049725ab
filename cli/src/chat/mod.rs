//! `parley chat`: the terminal client, and the same for scripts.
//!
//! `act` is what a user can want and how it is carried out, `report` what came of
//! it; `app` is the terminal's pure state, `view` draws it, `terminal` drives both; `script` is
//! the JSON mode. Both speak to the server through the SDK only. Text of
//! messages is user data: it goes to the screen or to standard output, never to
//! a log.

mod act;
mod app;
mod clock;
mod link;
mod report;
mod script;
mod session;
mod terminal;
mod text;
mod view;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use anyhow::Context as _;

use crate::arguments::ChatArguments;

/// Runs the client until it is told to quit.
pub(crate) fn run(arguments: ChatArguments) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let has_terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let result = if arguments.json || !has_terminal {
        Ok(runtime.block_on(script::run(arguments)))
    } else {
        runtime.block_on(terminal::run(arguments))
    };
    // A thread may still wait for standard input; the process ends without it.
    runtime.shutdown_background();
    result
}
