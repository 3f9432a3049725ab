//! `parley serve` as a child process.
//!
//! A [`Server`] dies with its value. When a test panics, the end of the
//! server's standard error is printed. Variables named `PARLEY_*` of the test
//! run itself (seeds, sizes) never reach the server.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::PATIENCE;

/// What the ready line says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ready {
    pub(crate) quic: String,
    pub(crate) tls: String,
    pub(crate) http: String,
    pub(crate) operator: Option<String>,
    pub(crate) fingerprint: String,
    pub(crate) data: PathBuf,
}

impl Ready {
    pub(crate) fn quic_address(&self) -> SocketAddr {
        address(&self.quic, "quic://")
    }

    pub(crate) fn tls_address(&self) -> SocketAddr {
        address(&self.tls, "tls://")
    }

    pub(crate) fn http_address(&self) -> SocketAddr {
        address(&self.http, "http://")
    }
}

impl Ready {
    /// The same node, as its operators ask it.
    pub(crate) fn operator(&self) -> Self {
        let http = self.operator.clone().expect("health and metrics are on");
        Self { http, ..self.clone() }
    }
}

fn address(url: &str, scheme: &str) -> SocketAddr {
    let rest = url.strip_prefix(scheme).unwrap_or_else(|| panic!("{url} is not {scheme}"));
    rest.parse().unwrap_or_else(|error| panic!("{url}: {error}"))
}

/// How to start a server.
#[derive(Debug, Clone)]
pub(crate) struct Launch {
    data: PathBuf,
    listen: String,
    http: String,
    operator: String,
    variables: Vec<(String, String)>,
    shell: Option<String>,
    accept_loss: Option<String>,
}

/// A server that ended before it was ready.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<String>,
    pub(crate) stderr: String,
}

impl Launch {
    /// On ports the system picks, with every limit on, which loopback is spared otherwise:
    /// a test that needs more says of what and why. Sessions of these tests say nothing for as
    /// long as a slow machine takes: their heartbeats are far apart.
    pub(crate) fn new(data: &Path) -> Self {
        Self {
            data: data.to_owned(),
            listen: "127.0.0.1:0".to_owned(),
            http: "127.0.0.1:0".to_owned(),
            operator: "127.0.0.1:0".to_owned(),
            variables: vec![
                ("PARLEY_SESSIONS__HEARTBEAT_MS".to_owned(), "30000".to_owned()),
                ("PARLEY_RATES__LIMIT_LOOPBACK".to_owned(), "true".to_owned()),
                ("PARLEY_CONNECTIONS__LIMIT_LOOPBACK".to_owned(), "true".to_owned()),
                // Folders are many here, and some are copied.
                ("PARLEY_STORAGE__RESERVE_BYTES".to_owned(), "4096".to_owned()),
                // Everybody in a test signs up within a moment, from one address.
                ("PARLEY_RATES__SIGN_UPS_BURST".to_owned(), "60".to_owned()),
            ],
            shell: None,
            accept_loss: None,
        }
    }

    /// On ports that stay the same over restarts.
    pub(crate) fn on_fixed_ports(mut self) -> Self {
        self.listen = format!("127.0.0.1:{}", free_port());
        self.http = format!("127.0.0.1:{}", free_port());
        self.operator = format!("127.0.0.1:{}", free_port());
        self
    }

    /// With a `PARLEY_*` setting.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_string()));
        self
    }

    /// Going on without what a start said is missing.
    pub(crate) fn accepting(mut self, loss: &str) -> Self {
        self.accept_loss = Some(loss.to_owned());
        self
    }

    /// With shell commands run before the server in the same process, for limits.
    pub(crate) fn after_shell(mut self, commands: &str) -> Self {
        self.shell = Some(commands.to_owned());
        self
    }

    fn command(&self) -> Command {
        let mut command = match &self.shell {
            None => parley(),
            Some(commands) => {
                let mut shell = Command::new("sh");
                shell.arg("-c").arg(format!("{commands}; exec \"$@\"")).arg("sh");
                shell.arg(env!("CARGO_BIN_EXE_parley"));
                without_parley_variables(&mut shell);
                shell
            }
        };
        command.arg("serve").arg("--data").arg(&self.data);
        command.args(["--listen", &self.listen, "--http", &self.http]);
        command.args(["--operator", &self.operator]);
        if let Some(loss) = &self.accept_loss {
            command.args(["--accept-loss", loss]);
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts the server and waits until it is ready.
    ///
    /// # Errors
    /// [`Refused`] when it ends before that.
    pub(crate) async fn try_start(&self) -> Result<Server, Refused> {
        Server::run(self.command(), Some(self.clone())).await
    }

    /// Starts the server, which is to be killed after a while, ready or not.
    pub(crate) async fn start_for(&self, a_while: Duration) -> Child {
        let mut command = self.command();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("the binary starts");
        tokio::time::sleep(a_while).await;
        child
    }

    /// Starts the server and waits until it is ready.
    pub(crate) async fn start(&self) -> Server {
        match self.try_start().await {
            Ok(server) => server,
            Err(refused) => panic!("the server did not start: {refused:?}"),
        }
    }
}

/// The binary under test, without the variables of the test run.
pub(crate) fn parley() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_parley"));
    without_parley_variables(&mut command);
    command
}

fn without_parley_variables(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PARLEY_") {
            command.env_remove(name);
        }
    }
}

/// A port free for TCP and UDP, below the range the system gives to clients,
/// so that no connection of another test takes it while the server is down.
pub(crate) fn free_port() -> u16 {
    loop {
        let port = fastrand::u16(10_000..30_000);
        let free = TcpListener::bind(("127.0.0.1", port)).is_ok()
            && UdpSocket::bind(("127.0.0.1", port)).is_ok();
        if free {
            return port;
        }
    }
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) ready: Ready,
    launch: Option<Launch>,
    stdout: Arc<Mutex<Vec<String>>>,
    stderr: PathBuf,
    _logs: tempfile::TempDir,
}

impl Server {
    /// Runs `command` and waits for the ready line.
    pub(crate) async fn run(mut command: Command, launch: Option<Launch>) -> Result<Self, Refused> {
        let logs = tempfile::tempdir().expect("a folder for the log");
        let stderr = logs.path().join("stderr.log");
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command.stderr(File::create(&stderr).expect("the log file"));
        let mut child = command.spawn().expect("the binary starts");
        let out = BufReader::new(child.stdout.take().expect("piped"));
        let stdout = Arc::new(Mutex::new(Vec::new()));
        let (ready_to, ready_from) = tokio::sync::oneshot::channel();
        std::thread::spawn({
            let stdout = Arc::clone(&stdout);
            move || read_stdout(out, &stdout, ready_to)
        });
        let ready = match tokio::time::timeout(PATIENCE, ready_from).await {
            Ok(Ok(ready)) => ready,
            Ok(Err(_)) => {
                let status = child.wait().expect("the end of the server");
                let stdout = stdout.lock().expect("lines").clone();
                let stderr = std::fs::read_to_string(&stderr).unwrap_or_default();
                return Err(Refused { status, stdout, stderr });
            }
            Err(_) => {
                let _ = child.kill();
                let log = std::fs::read_to_string(&stderr).unwrap_or_default();
                panic!("no ready line within {PATIENCE:?}; its log:\n{log}");
            }
        };
        Ok(Self { child, ready, launch, stdout, stderr, _logs: logs })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Every line the server has written to standard output.
    pub(crate) fn stdout(&self) -> Vec<String> {
        self.stdout.lock().expect("lines").clone()
    }

    /// Everything the server has written to standard error.
    pub(crate) fn stderr(&self) -> String {
        std::fs::read_to_string(&self.stderr).unwrap_or_default()
    }

    /// Ends the process at once.
    pub(crate) fn kill(&mut self) {
        kill(&mut self.child, || ());
    }

    /// The same while it may be waiting for a disk, of which `let_go` lets go.
    pub(crate) fn kill_and(&mut self, let_go: impl FnOnce()) {
        kill(&mut self.child, let_go);
    }

    /// The same, if it hasn't ended by itself.
    pub(crate) fn kill_if_running(&mut self) {
        if self.is_running() {
            self.kill();
        }
    }

    /// Asks the server to end.
    pub(crate) fn terminate(&self) {
        let pid = self.pid().to_string();
        let status = Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs");
        assert!(status.success(), "SIGTERM to {pid}");
    }

    /// Has the server read its certificate again.
    pub(crate) fn hang_up(&self) {
        let pid = self.pid().to_string();
        let status = Command::new("kill").args(["-HUP", &pid]).status().expect("kill runs");
        assert!(status.success(), "SIGHUP to {pid}");
    }

    /// Waits for the end of the process.
    pub(crate) async fn exited(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("the state of the server") {
                return status;
            }
            assert!(Instant::now() < deadline, "the server still runs after {PATIENCE:?}");
            // The process gives no event that works without a signal handler.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("the state of the server").is_none()
    }

    /// Kills the server and starts it again on the same data.
    pub(crate) async fn restart(&mut self) {
        if self.is_running() {
            self.kill();
        }
        let launch = self.launch.clone().expect("made by a Launch");
        *self = launch.start().await;
    }

    /// Resident memory in bytes.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()))
            .expect("the status of the server");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
        let kib = line.split_whitespace().nth(1).and_then(|word| word.parse::<u64>().ok());
        kib.expect("a number of KiB") * 1024
    }

    /// Open file descriptors.
    pub(crate) fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid())).expect("its descriptors").count()
    }
}

/// Kills a process and waits for its end; in between, `let_go`.
pub(crate) fn kill(child: &mut Child, let_go: impl FnOnce()) {
    child.kill().expect("SIGKILL");
    let_go();
    child.wait().expect("the end of the server");
}

fn read_stdout(
    out: BufReader<std::process::ChildStdout>,
    lines: &Mutex<Vec<String>>,
    ready_to: tokio::sync::oneshot::Sender<Ready>,
) {
    let mut ready_to = Some(ready_to);
    for line in out.lines().map_while(Result::ok) {
        lines.lock().expect("lines").push(line.clone());
        let Some(json) = line.strip_prefix("ready ") else { continue };
        let ready = serde_json::from_str(json).expect("the ready line holds its JSON object");
        if let Some(ready_to) = ready_to.take() {
            let _ = ready_to.send(ready);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.stderr();
            let lines: Vec<_> = log.lines().collect();
            let end = &lines[lines.len().saturating_sub(40)..];
            eprintln!("--- the server's last lines ---\n{}", end.join("\n"));
        }
    }
}
