//! `parley reports`: what users told the operators, as JSON lines.

use std::io::Write as _;
use std::process::ExitCode;

use parley_server::people;

use crate::arguments::ReportsArguments;

/// Prints the reports, oldest first.
pub(crate) fn run(arguments: &ReportsArguments) -> anyhow::Result<ExitCode> {
    let reports = people::reports(&arguments.data, arguments.since_ms, arguments.limit)?;
    let mut text = String::new();
    for report in reports {
        text.push_str(&serde_json::to_string(&report)?);
        text.push('\n');
    }
    // A reader that stops early (`| head`) is no failure.
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}
