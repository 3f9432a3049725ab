//! Each adapter for another server, end to end: the server as a comparison starts it, a small
//! closed and a small open load, the audit.
//!
//! Runs where the server's programs are installed (`benches/compare/install` brings them) and says
//! on standard error which it left out. Nothing here says how fast anything is.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

/// A server with all its processes; ended with this.
struct Peer {
    process: Child,
    output: BufReader<ChildStdout>,
    folder: PathBuf,
    url: String,
    durability: String,
}

impl Peer {
    /// Starts it; none, and a word about it, when one of `programs` isn't there.
    fn start(name: &str, programs: &[&str]) -> Option<Self> {
        if let Some(missing) = programs.iter().find(|program| !is_there(program)) {
            // Past the test runner, which keeps what a test prints to itself.
            let line = format!("SKIPPED: {name} is not tested, {missing} is missing\n");
            std::io::stderr().write_all(line.as_bytes()).unwrap();
            return None;
        }
        // Not in the target folder: these servers run as users of their own when we are root.
        let folder = std::env::temp_dir().join(format!("parley-{name}-{}", std::process::id()));
        let mut process = Command::new("bash")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/compare/server"))
            .arg(name)
            .arg(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let ready = line.strip_prefix("ready ").unwrap_or_else(|| panic!("{name} did not start"));
        let ready: Value = serde_json::from_str(ready).unwrap();
        let field = |name: &str| ready[name].as_str().unwrap().to_owned();
        assert_eq!(ready["pid"], process.id());
        Some(Self { process, output, folder, url: field("url"), durability: field("durability") })
    }

    /// Runs `pairs` against it; nothing may be lost, doubled or out of order.
    fn pairs(&self, load: &[&str]) -> Value {
        let pid = self.process.id().to_string();
        let output = Command::new(env!("CARGO_BIN_EXE_parley-bench"))
            .args(["pairs", "--server", &self.url, "--server-pid", &pid, "--users", "4"])
            .args(["--seconds", "1", "--warmup", "0.2"])
            .args(load)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(matches!(output.status.code(), Some(0 | 2)), "{}: {said}", self.url);
        let result: Value = serde_json::from_slice(&output.stdout).unwrap();
        for audit in ["lost", "duplicates", "reordered", "unanswered", "broken_connections"] {
            assert_eq!(result[audit], 0, "{audit}: {said}");
        }
        let scheme = self.url.split_once("://").unwrap().0;
        assert_eq!((&result["scenario"], &result["transport"]), (&"pairs".into(), &scheme.into()));
        for figure in ["/delivered_per_s", "/latency_us/p50", "/sent_latency_us/p50"] {
            let value = result.pointer(figure).and_then(Value::as_f64);
            assert!(value.unwrap() > 0.0, "{figure}: {said}");
        }
        assert!(result["server_cpu_us"].is_u64() && result["durability"].is_string(), "{result}");
        result
    }

    /// A closed and an open load; returns how many messages there were.
    fn both_loads(&self) -> u64 {
        let closed = self.pairs(&["--window", "3"]);
        assert_eq!(closed["window"], 3);
        let open = self.pairs(&["--rate", "100", "--arrivals", "constant", "--durability", "so"]);
        assert_eq!(open["durability"], "so");
        // 1.2 s at 100 a second, whatever the server does.
        let messages = open["messages"].as_u64().unwrap();
        assert!(messages.abs_diff(120) <= 1, "{messages}");
        messages + closed["messages"].as_u64().unwrap()
    }

    /// Ends it in order; returns what it said at the end. Nothing listens any more.
    fn stop(mut self) -> String {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").arg(pid).status().unwrap().success());
        let mut said = String::new();
        self.output.read_to_string(&mut said).unwrap();
        assert!(self.process.wait().unwrap().success());
        let address = self.url.split_once("://").unwrap().1.split('/').next().unwrap();
        assert!(TcpStream::connect(address).is_err(), "{address} still listens");
        assert!(!self.folder.join("data").exists() && !self.folder.join("sql").exists());
        said
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // In order, so that its own children end too.
        let _ =
            Command::new("kill").arg(self.process.id().to_string()).stderr(Stdio::null()).status();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Whether a program is in the path, or a file below a folder whose name begins so.
fn is_there(program: &str) -> bool {
    let Some((folder, start)) = program.rsplit_once('/') else {
        let paths = std::env::var_os("PATH").unwrap_or_default();
        let system = ["/usr/sbin".into(), "/usr/bin".into()];
        return std::env::split_paths(&paths).chain(system).any(|path| path.join(program).exists());
    };
    let entries = Path::new(folder).read_dir().into_iter().flatten().flatten();
    entries.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with(start))
}

#[test]
fn ejabberd_passes_messages_and_receipts_on() {
    let Some(peer) = Peer::start("ejabberd", &["ejabberdctl", "erl", "setpriv"]) else { return };
    assert!(peer.durability.starts_with("nothing"));
    peer.both_loads();
    assert_eq!(peer.stop(), "");
}

#[test]
fn ejabberd_archives_each_message_for_both() {
    let programs =
        ["ejabberdctl", "erl", "setpriv", "/usr/lib/erlang/lib/p1_pgsql-", "/usr/lib/postgresql/"];
    let Some(peer) = Peer::start("ejabberd-archive", &programs) else { return };
    assert!(peer.durability.contains("synced"));
    let messages = peer.both_loads();
    assert_eq!(peer.stop(), format!("archived {}\n", 2 * messages));
}

#[test]
fn jetstream_keeps_and_delivers() {
    let Some(peer) = Peer::start("nats", &["nats-server", "setpriv"]) else { return };
    assert!(peer.durability.starts_with("page cache"));
    peer.both_loads();
    peer.stop();
}

#[test]
fn redis_syncs_each_append_and_gives_it_back() {
    let Some(peer) = Peer::start("redis", &["redis-server", "setpriv"]) else { return };
    assert!(peer.durability.starts_with("synced"));
    let result = peer.pairs(&["--window", "2"]);
    // As its configuration says itself.
    assert!(result["durability"].as_str().unwrap().starts_with("synced"));
    peer.both_loads();
    peer.stop();
}

#[test]
fn what_another_server_can_not_do_is_refused() {
    let bench = |more: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_parley-bench"))
            .args(["pairs", "--server", "nats://127.0.0.1:1", "--users", "2", "--window", "1"])
            .args(more)
            .output()
            .unwrap()
    };
    for (flags, word) in [
        (&["--large-share", "0.1"][..], "--large-share"),
        (&["--metrics", "http://127.0.0.1:1/metrics"], "--metrics"),
        (&["--seconds", "1"], "TCP"),
    ] {
        let output = bench(flags);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains(word), "{flags:?}: {said}");
    }
}
