//! A server of its own for one measurement.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::Context as _;
use serde_json::Value;

use super::limits::LIMITS;
use crate::args::GoalsArgs;

/// A running server; ended and its folder removed with this.
pub(super) struct Server {
    process: Child,
    /// Stays open as long as it runs.
    _output: BufReader<ChildStdout>,
    folder: PathBuf,
    ready: Value,
}

impl Server {
    /// Starts one on free ports. Its password hashes are cheap: signing thousands of users up is
    /// no part of a measurement.
    pub(super) fn start(args: &GoalsArgs, log: &Path) -> anyhow::Result<Self> {
        let folder = args.dir.join(format!("parley-goals-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        let program = match &args.parley {
            Some(path) => path.clone(),
            None => std::env::current_exe()?.with_file_name("parley"),
        };
        let mut process = prefixed(args, &program)
            .args(["serve", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"])
            .args(["--operator", "127.0.0.1:0", "--data"])
            .arg(&folder)
            .env("PARLEY_ACCOUNTS__HASH_MEMORY_KIB", "1024")
            .envs(LIMITS)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(log)?)
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let output = process.stdout.take().context("the server has no output")?;
        let mut server =
            Self { process, _output: BufReader::new(output), folder, ready: Value::Null };
        let mut line = String::new();
        server._output.read_line(&mut line)?;
        let ready = line.strip_prefix("ready ");
        let ready = ready.with_context(|| format!("no server, see {}", log.display()))?;
        server.ready = serde_json::from_str(ready)?;
        Ok(server)
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Its URL for a transport of the generator.
    pub(super) fn url(&self, transport: &str) -> anyhow::Result<String> {
        let (field, scheme) = match transport {
            "quic" => ("quic", "quic"),
            "ws" => ("http", "ws"),
            "wss" => ("tls", "wss"),
            _ => ("tls", "tls"),
        };
        let url = self.ready[field].as_str().context("no such address in the ready line")?;
        let (_, authority) = url.split_once("://").context("no URL in the ready line")?;
        Ok(format!("{scheme}://{authority}"))
    }

    pub(super) fn operator(&self) -> &str {
        self.ready["operator"].as_str().unwrap_or_default()
    }

    pub(super) fn fingerprint(&self) -> &str {
        self.ready["fingerprint"].as_str().unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A command for `program`, behind the prefix that was asked for.
pub(super) fn prefixed(args: &GoalsArgs, program: &Path) -> Command {
    let prefix: Vec<String> =
        args.prefix.iter().flat_map(|all| all.split(' ')).map(str::to_owned).collect();
    super::command(&prefix, program)
}
