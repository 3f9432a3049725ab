//! The client in Python (`docs/examples/python`), made from the documents alone:
//! its code passes the golden vectors, and it chats with the real binary.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use parley_protocol::ConversationId;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::common::http::password_of;
use crate::common::session::{entries_of, text_of};
use crate::common::{Api, Chat, Launch, PATIENCE, Person, Ready, Session, Transport, patiently};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/examples/python");

/// A Python of its own, without files beside the sources.
fn python() -> Command {
    let mut command = Command::new("python3");
    command.arg("-B").current_dir(FOLDER);
    command
}

/// `chat.py` as a child process.
struct Script {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: mpsc::UnboundedReceiver<String>,
    seen: Vec<String>,
}

impl Script {
    fn start(ready: &Ready, folder: &Path, user: &str, mode: &[&str]) -> Self {
        let password = folder.join(format!("{user}.password"));
        std::fs::write(&password, format!("{}\n", password_of(user))).unwrap();
        let mut command = python();
        command.args(["chat.py", "--server", &ready.tls, "--trust", &ready.fingerprint]);
        command.args(["--user", user, "--sign-up", "--password-file"]).arg(password);
        command.arg("--state").arg(folder.join(format!("{user}.json"))).args(mode);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("python3, which .ci/setup test installs");
        let (to, lines) = mpsc::unbounded_channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let _ = to.send(line);
            }
        });
        Self { stdin: child.stdin.take(), child, lines, seen: Vec::new() }
    }

    fn type_line(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("an open input");
        writeln!(stdin, "{line}").and_then(|()| stdin.flush()).unwrap();
    }

    async fn line(&mut self) -> String {
        match timeout(PATIENCE, self.lines.recv()).await {
            Ok(Some(line)) => {
                self.seen.push(line.clone());
                line
            }
            end => panic!("no further line ({end:?}) after {:#?}", self.seen),
        }
    }

    /// The next line that somebody wrote.
    async fn said(&mut self) -> String {
        loop {
            let line = self.line().await;
            if !line.starts_with('*') {
                return line;
            }
        }
    }

    async fn line_with(&mut self, part: &str) -> String {
        loop {
            let line = self.line().await;
            if line.contains(part) {
                return line;
            }
        }
    }
}

impl Script {
    /// Ends it at once: two of them must not share a file.
    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Somebody is there once their file is.
async fn signed_up(folder: &Path, user: &str) {
    patiently("a sign-up", async {
        while !folder.join(format!("{user}.json")).exists() {
            // A file gives no event.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

/// The texts of the 1:1 of two people, read apart from all of it.
async fn texts(ready: &Ready, person: &Person) -> Vec<(bool, String)> {
    let mut session = Session::open(ready, Transport::Tls, person).await;
    let changes = session.sync(0).await.unwrap();
    assert_eq!(changes.entries.len(), 1, "one conversation");
    let id = ConversationId::from_slice(&changes.entries[0].conversation).unwrap();
    let entries = entries_of(&session.fetch_all(&id, 0).await.unwrap());
    assert!(entries.iter().map(|entry| entry.seq).eq(1..=entries.len() as u64));
    let own = person.user.to_wire();
    entries.iter().map(|entry| (entry.sender == own, text_of(entry))).collect()
}

#[test]
fn its_code_passes_the_golden_vectors() {
    let output = python().args(["-m", "unittest"]).output().expect("python3");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("Ran 5 tests"), "{said}");
}

#[tokio::test]
async fn an_echo_answers_everything_once_through_kills() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Launch::new(&folder.path().join("data")).on_fixed_ports().start().await;
    let ready = server.ready.clone();
    let echo = || Script::start(&ready, folder.path(), "ben", &["--echo"]);
    let mut ben = echo();
    let mut ann = Chat::start(&ready.tls, &ready, "ann", folder.path(), &["--sign-up"]);
    ann.event("ready").await;
    signed_up(folder.path(), "ben").await;

    for round in 0..4 {
        let text = |n: u32| format!("{round}.{n}");
        for n in 0..10 {
            ann.send("ben", &format!("id-{round}-{n}"), &text(n));
        }
        match round {
            // The server, the client, both, while answers are on their way.
            1 => server.restart().await,
            2 => {
                ben.kill();
                ben = echo();
            }
            3 => {
                server.restart().await;
                ben.kill();
                ben = echo();
            }
            _ => {}
        }
        for n in 0..10 {
            let echoed = text(n);
            ann.event_where("message", |it| it["text"] == echoed && it["from"] == "ben").await;
        }
    }
    ben.line_with("ben: 3.9").await;
    let reader = Api::plain(&ready).login("ben", "reader").await;
    let all = texts(&ready, &reader).await;
    let (echoes, sent): (Vec<_>, Vec<_>) = all.into_iter().partition(|(own, _)| *own);
    let expected: Vec<_> =
        (0..4).flat_map(|round| (0..10).map(move |n| format!("{round}.{n}"))).collect();
    assert!(sent.iter().map(|(_, text)| text).eq(&expected), "{sent:?}");
    assert!(echoes.iter().map(|(_, text)| text).eq(&expected), "{echoes:?}");
}

#[tokio::test]
async fn two_people_talk_see_ticks_and_page_back() {
    let folder = tempfile::tempdir().unwrap();
    let server = Launch::new(&folder.path().join("data")).start().await;
    let mut ben = Script::start(&server.ready, folder.path(), "ben", &["--with", "ann"]);
    let mut ann = Script::start(&server.ready, folder.path(), "ann", &["--with", "ben"]);
    signed_up(folder.path(), "ben").await;
    for n in 1..=45 {
        ann.type_line(&format!("line {n}"));
    }
    for n in 1..=45 {
        assert_eq!(ben.said().await, format!("{n} ann: line {n}"));
    }
    ben.type_line("yes");
    assert_eq!(ann.line_with("yes").await, "46 ben: yes");
    // Ticks come once the other one has answered.
    ann.type_line("again");
    ann.line_with("ben has all up to 47, has read up to 47").await;

    for (first, last) in [(28, 47), (8, 27), (1, 7)] {
        ben.type_line("/more");
        for seq in first..=last {
            let who = match seq {
                46 => "ben: yes".to_owned(),
                47 => "ann: again".to_owned(),
                _ => format!("ann: line {seq}"),
            };
            ben.line_with(&format!("* {seq} {who}")).await;
        }
    }
    ben.line_with("that is the beginning").await;
    // The end of the input is the end, once all is sent.
    ann.type_line("bye");
    ann.stdin = None;
    ben.line_with("48 ann: bye").await;
    let ended = tokio::task::spawn_blocking(move || ann.child.wait().unwrap().success()).await;
    assert!(ended.unwrap());
    assert!(json!(ben.seen).to_string().contains("line 45"));
}
