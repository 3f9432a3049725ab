//! `parley doctor` with the real binary: a node that is well while it runs and after, one
//! that is damaged, and the store that is salvaged of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

use crate::common::server::parley;
use crate::common::session::{conversation_of, entries_of, send_to, text_of};
use crate::common::{Api, Launch, Session, Transport};
use crate::delivery::ann_and_ben;

async fn doctor(data: &Path, more: &[&str]) -> Output {
    let mut command = parley();
    command.args(["doctor", "--quiet", "--data"]).arg(data).args(more);
    // Ports that nobody has; a running server answers for itself.
    command.args(["--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let of =
        |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    text.lines().map(of).collect()
}

fn of<'a>(lines: &'a [Value], check: &str) -> &'a Value {
    let found = lines.iter().find(|line| line["check"] == check);
    found.unwrap_or_else(|| panic!("no line {check}: {lines:#?}"))
}

fn problems(lines: &[Value]) -> Vec<&Value> {
    lines.iter().filter(|line| line["status"] == "problem").collect()
}

const CHECKS: [&str; 26] = [
    "configuration",
    "folder",
    "space",
    "disk",
    "descriptors",
    "machine",
    "certificate",
    "ports",
    "store",
    "database",
    "wal",
    "checksums",
    "rows",
    "logs",
    "conversations",
    "dedupe",
    "relations",
    "mentions",
    "cursors",
    "retention",
    "outbox",
    "feeds",
    "accounts",
    "people",
    "clock",
    "summary",
];

#[tokio::test]
async fn a_node_is_well_while_it_runs_and_after() {
    let (_folder, mut server, ann, ben) = ann_and_ben().await;
    let data = server.ready.data.clone();
    let operator = server.ready.operator.clone().unwrap();
    let operator = operator.trim_start_matches("http://").to_owned();
    let mut session = Session::open(&server.ready, Transport::Tls, &ann).await;
    for n in 0..50 {
        session.say(&ben, &format!("m{n}"), &format!("text {n} {}", "x".repeat(n * 200))).await;
    }
    let pid = server.pid().to_string();
    let output = doctor(&data, &["--json", "--operator", &operator]).await;
    let found = lines(&output);
    assert_eq!(output.status.code(), Some(0), "{found:#?}");
    assert_eq!(problems(&found), Vec::<&Value>::new());
    assert!(of(&found, "store")["found"].as_str().unwrap().contains(&pid), "{found:#?}");
    assert!(of(&found, "ports")["found"].as_str().unwrap().contains("/readyz 200"), "{found:#?}");
    let names = |found: &[Value]| -> Vec<String> {
        let name = |line: &Value| line["check"].as_str().unwrap_or("summary").to_owned();
        found.iter().map(name).collect()
    };
    assert_eq!(names(&found), CHECKS);
    let summary = &found.last().unwrap()["summary"];
    let keys: Vec<_> = summary.as_object().unwrap().keys().map(String::as_str).collect();
    for key in ["status", "problems", "warnings", "rows", "bytes", "seconds"] {
        assert!(keys.contains(&key), "{keys:?}");
    }
    assert!(summary["rows"].as_u64().unwrap() > 150, "{summary}");
    server.kill();
    let output = doctor(&data, &["--json", "--operator", ""]).await;
    assert_eq!(output.status.code(), Some(0), "{:#?}", lines(&output));
    let output = doctor(&data, &["--quick", "--operator", ""]).await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("ok       database       it opens\n"), "{text}");
    assert!(!text.contains("checksums") && text.contains("0 problems"), "{text}");
}

#[tokio::test]
async fn what_is_no_store_could_not_be_checked() {
    let folder = tempfile::tempdir().unwrap();
    let output = doctor(folder.path(), &["--operator", ""]).await;
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("holds no store that can be looked at"), "{said}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left there");
}

/// The biggest file of this kind.
fn biggest(data: &Path, extension: &str) -> Option<PathBuf> {
    let all = fs::read_dir(data.join("db")).unwrap().map(|entry| entry.unwrap().path());
    let known = all.filter(|path| path.extension().is_some_and(|found| found == extension));
    known.max_by_key(|path| fs::metadata(path).unwrap().len())
}

#[tokio::test]
async fn a_damaged_store_is_salvaged_and_serves_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let (data, new) = (folder.path().join("data"), folder.path().join("new"));
    let mut server = Launch::new(&data)
        .with("PARLEY_STORAGE__WRITE_BUFFER_BYTES", "1048576")
        .with("PARLEY_RATES__SENDS_BURST", "1000")
        .start()
        .await;
    let api = Api::over_tls(&server.ready);
    let (ann, ben) = (api.sign_up("ann", "phone").await, api.sign_up("ben", "phone").await);
    let mut session = Session::open(&server.ready, Transport::Tls, &ann).await;
    // Long texts lie in files of their own.
    let text = |n: u64| format!("{n} {}", fastrand_text(n));
    let mut conversation = None;
    for n in 1..=300 {
        let sent = session.send(send_to(&ben.user, &n.to_string(), &text(n))).await.unwrap();
        conversation = Some(conversation_of(&sent));
    }
    let conversation = conversation.unwrap();
    let fingerprint = server.ready.fingerprint.clone();
    drop(session);
    server.terminate();
    server.exited().await;
    let blob = biggest(&data, "blob").expect("long texts were written to a file");
    let mut bytes = fs::read(&blob).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&blob, bytes).unwrap();

    let output = doctor(&data, &["--json", "--operator", ""]).await;
    let found = lines(&output);
    assert_eq!(output.status.code(), Some(1), "{found:#?}");
    let names: Vec<_> =
        problems(&found).iter().map(|line| line["check"].as_str().unwrap()).collect();
    assert_eq!(names, ["checksums", "logs"], "{found:#?}");
    let place = of(&found, "logs")["examples"][0].as_str().unwrap().to_owned();
    assert!(place.contains(&conversation.to_string()), "{place}");

    let target = new.to_str().unwrap();
    let output = doctor(&data, &["--operator", "", "--salvage", target]).await;
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("299 entries of 1 conversations; 1 entries are lost"), "{said}");
    let again = doctor(&data, &["--operator", "", "--salvage", target]).await;
    assert_eq!(again.status.code(), Some(2), "{again:?}");

    let server = Launch::new(&new).start().await;
    assert_eq!(server.ready.fingerprint, fingerprint);
    let mut session = Session::open(&server.ready, Transport::Tls, &ben).await;
    let mut read = 0;
    for after in 0..300 {
        let page = session.fetch_after(&conversation, after, 1).await.unwrap();
        let entry = &entries_of(&page.entries)[0];
        assert_eq!((entry.seq, page.last_seq), (after + 1, 300));
        if entry.damaged {
            continue;
        }
        assert_eq!(text_of(entry), text(entry.seq));
        read += 1;
    }
    assert_eq!(read, 299);
    let sent = session.say(&ann, "later", "it goes on").await;
    assert_eq!(sent.seq, 301);
    drop(session);
    let mut server = server;
    server.terminate();
    server.exited().await;
    let output = doctor(&new, &["--json", "--operator", ""]).await;
    let found = lines(&output);
    assert_eq!(output.status.code(), Some(0), "{found:#?}");
    assert_eq!(of(&found, "logs")["status"], "warning", "one place is held");
}

/// Words that don't compress, the same each time.
fn fastrand_text(seed: u64) -> String {
    let mut dice = fastrand::Rng::with_seed(seed);
    (0..6000).map(|_| dice.alphanumeric()).collect()
}
