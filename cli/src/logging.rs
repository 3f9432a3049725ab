//! Where log lines go: standard error, always. Standard output belongs to the
//! ready line and to the JSON lines of scripts.

use std::fmt;
use std::io::{IsTerminal as _, Write as _};

use parley_server::node::config::{LogFormat, Logging};
use tracing_subscriber::EnvFilter;

/// What is logged.
pub(crate) fn filter(options: &Logging) -> anyhow::Result<EnvFilter> {
    EnvFilter::try_new(&options.level).map_err(|error| {
        anyhow::anyhow!("logging.level: {error}; write error, warn, info or target=level")
    })
}

/// Starts logging; once a process.
pub(crate) fn start(options: &Logging) -> anyhow::Result<()> {
    let filter = filter(options)?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // It would say so on standard error, and panic where that is what can't be written.
        .log_internal_errors(false)
        .with_ansi(std::io::stderr().is_terminal());
    let started = match options.format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("cannot start logging: {error}"))
}

/// Writes a line for the operator to standard error. Nobody is told when that can't be
/// written: it may be a file on the very disk that is full.
pub(crate) fn tell(line: fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
