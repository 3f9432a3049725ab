//! Processes that stand beside a server: the bare relay, and the bad network in between.
//!
//! [`Relay`] starts this program once more as a relay and ends it; [`server`] is what runs there.
//! [`network`] passes on, late and with losses, what goes to a server.

pub(crate) mod network;
pub(crate) mod server;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;

use crate::args::RelayTransport;
use server::Ready;

/// The relay's process, ended with this.
pub(crate) struct Relay(Child);

impl Relay {
    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a relay and waits until it listens.
///
/// # Errors
/// When it doesn't.
pub(crate) fn start(transport: RelayTransport) -> anyhow::Result<(Relay, Ready)> {
    let child = Command::new(std::env::current_exe()?)
        .args(["relay", "--transport", transport.name()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("starting the relay")?;
    let mut relay = Relay(child);
    let output = relay.0.stdout.take().context("the relay has no output")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line).context("the relay ended")?;
    let ready = line.strip_prefix("relay ").context("the relay said something else")?;
    let ready = serde_json::from_str(ready)?;
    Ok((relay, ready))
}
