//! Where log lines go: standard error, always. Standard output belongs to the
//! ready line and to the JSON lines of scripts.

use std::io::IsTerminal as _;

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
        .with_ansi(std::io::stderr().is_terminal());
    let started = match options.format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("cannot start logging: {error}"))
}
