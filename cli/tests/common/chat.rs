//! `parley chat --json` as a child process: JSON lines in, JSON lines out.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::PATIENCE;
use super::server::{Ready, parley};

/// A scripted chat.
pub(crate) struct Chat {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: mpsc::UnboundedReceiver<Value>,
    /// Everything it has written so far.
    pub(crate) seen: Vec<Value>,
}

impl Chat {
    /// Starts a chat of `name`, whose password file is made in `folder`.
    pub(crate) fn start(
        url: &str,
        ready: &Ready,
        name: &str,
        folder: &Path,
        more: &[&str],
    ) -> Self {
        let password = folder.join(format!("{name}.password"));
        // Written once: another device of the same person may be reading it.
        if !password.exists() {
            std::fs::write(&password, format!("password of {name}\n")).expect("the password file");
        }
        let mut command = parley();
        command.args(["chat", "--json", "--server", url, "--trust", &ready.fingerprint]);
        command.args(["--user", name, "--password-file"]).arg(&password).args(more);
        // Whatever it keeps, it keeps in the folder of the test.
        command.env("HOME", folder).env("XDG_DATA_HOME", folder).env("XDG_STATE_HOME", folder);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().expect("the binary starts");
        let stdin = child.stdin.take();
        let out = BufReader::new(child.stdout.take().expect("piped"));
        let (to, lines) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let value = serde_json::from_str(&line)
                    .unwrap_or_else(|error| panic!("not a JSON line: {error}: {line}"));
                if to.send(value).is_err() {
                    return;
                }
            }
        });
        Self { child, stdin, lines, seen: Vec::new() }
    }

    /// Writes a command.
    pub(crate) fn tell(&mut self, command: &Value) {
        self.write(&format!("{command}\n"));
    }

    /// Writes anything.
    pub(crate) fn write(&mut self, text: &str) {
        self.write_bytes(text.as_bytes());
    }

    /// Writes anything at all.
    pub(crate) fn write_bytes(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().expect("the input is open");
        stdin.write_all(bytes).and_then(|()| stdin.flush()).expect("the chat reads");
    }

    /// Sends a text under an id.
    pub(crate) fn send(&mut self, to: &str, id: &str, text: &str) {
        self.tell(&json!({"send": {"to": to, "text": text, "id": id}}));
    }

    /// The next line, or `None` at its end.
    pub(crate) async fn line(&mut self) -> Option<Value> {
        self.lines.recv().await
    }

    /// The next event with this name; others are passed over, and kept in `seen`.
    pub(crate) async fn event(&mut self, name: &str) -> Value {
        self.event_where(name, |_| true).await
    }

    /// The next event with this name that `wanted` takes.
    pub(crate) async fn event_where(
        &mut self,
        name: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        loop {
            let line = match timeout(PATIENCE, self.lines.recv()).await {
                Ok(Some(line)) => line,
                Ok(None) => panic!("the chat ended without {name:?}; it wrote {:#?}", self.seen),
                Err(_) => panic!("no {name:?} within {PATIENCE:?}; it wrote {:#?}", self.seen),
            };
            self.seen.push(line.clone());
            if let Some(event) = line.get(name).filter(|event| wanted(event)) {
                return event.clone();
            }
        }
    }

    /// The answer to a send.
    pub(crate) async fn sent(&mut self, id: &str) -> Value {
        self.event_where("sent", |sent| sent["id"] == id).await
    }

    /// Closes its input, the other way to say quit.
    pub(crate) fn close_input(&mut self) {
        self.stdin = None;
    }

    /// Ends it at once.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("SIGKILL");
        self.child.wait().expect("the end of the chat");
    }

    /// Waits for its end.
    pub(crate) async fn exited(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("the state of the chat") {
                return status;
            }
            assert!(Instant::now() < deadline, "the chat still runs after {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Chat {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
