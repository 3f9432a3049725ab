//! A server of its own for each test.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

use crate::limits::LIMITS;

/// A running server; ended and removed with this.
pub(crate) struct Server {
    process: Child,
    /// Stays open as long as it runs.
    _output: BufReader<ChildStdout>,
    folder: PathBuf,
    pub(crate) quic: String,
    pub(crate) tls: String,
    pub(crate) ws: String,
    pub(crate) operator: String,
    pub(crate) fingerprint: String,
}

impl Server {
    /// Starts one on free ports, with cheap password hashes.
    pub(crate) fn start() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let binary = Path::new(env!("CARGO_BIN_EXE_parley-bench")).with_file_name("parley");
        assert!(binary.exists(), "build the workspace first: {} is missing", binary.display());
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("scenario-{}-{number}", std::process::id());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let mut process = Command::new(binary)
            .args(["serve", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"])
            .args(["--operator", "127.0.0.1:0", "--data"])
            .arg(&folder)
            .env("PARLEY_ACCOUNTS__HASH_MEMORY_KIB", "1024")
            .envs(LIMITS)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let ready: Value =
            serde_json::from_str(line.strip_prefix("ready ").expect("a ready line")).unwrap();
        let field = |name: &str| ready[name].as_str().unwrap().to_owned();
        let http = field("http");
        Self {
            process,
            _output: output,
            folder,
            quic: field("quic"),
            tls: field("tls"),
            ws: http.replace("http://", "ws://"),
            operator: field("operator"),
            fingerprint: field("fingerprint"),
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
