//! The contract that scripts rely on: the ready line and `parley chat --json`.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use crate::common::server::{Server, parley};
use crate::common::{Api, Chat, Launch, Ready};

const URLS: [fn(&Ready) -> String; 5] = [
    |ready| ready.quic.clone(),
    |ready| ready.tls.clone(),
    |ready| ready.http.replace("http://", "ws://"),
    |ready| ready.tls.replace("tls://", "wss://"),
    |ready| ready.tls.replace("tls://", "parley://"),
];

async fn history(chat: &mut Chat, with: &str, after_seq: u64) -> Vec<Value> {
    chat.tell(&json!({"history": {"with": with, "after_seq": after_seq, "limit": 100}}));
    let history = chat.event("history").await;
    history.as_array().unwrap_or_else(|| panic!("not a list: {history}")).clone()
}

fn texts(history: &[Value]) -> Vec<&str> {
    history.iter().map(|message| message["text"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn two_chats_a_kill_and_nothing_acknowledged_is_gone() {
    for (round, url) in URLS.into_iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let launch = Launch::new(&folder.path().join("data")).on_fixed_ports();
        let mut server = launch.start().await;
        let url = url(&server.ready);
        let ready = server.ready.clone();
        let start = |name: &str| Chat::start(&url, &ready, name, folder.path(), &["--sign-up"]);
        let (mut ann, mut ben) = (start("ann"), start("ben"));
        let hello = ann.event("ready").await;
        assert_eq!(hello["user"], "ann", "{hello}");
        ben.event("ready").await;

        let mut acked = Vec::new();
        for number in 1..=10 {
            let (id, text) = (format!("my-{number}"), format!("hello {number}"));
            ann.send("ben", &id, &text);
            let sent = ann.sent(&id).await;
            assert_eq!(sent["seq"], number, "{url}: {sent}");
            let message = ben.event("message").await;
            assert_eq!((&message["text"], &message["from"]), (&json!(text), &json!("ann")));
            assert_eq!(
                (&message["seq"], &message["conversation"]),
                (&sent["seq"], &sent["conversation"])
            );
            assert!(message["time_ms"].as_u64().unwrap() > 1_700_000_000_000, "{message}");
            acked.push((id, text, sent));
        }
        ben.send("ann", "of-ben", "hello back");
        assert_eq!(ben.sent("of-ben").await["seq"], 11);
        ann.event_where("message", |message| message["text"] == "hello back").await;

        server.restart().await;
        assert_eq!(server.ready, ready, "the same addresses, certificate and folder");
        // The same processes go on by themselves.
        ann.send("ben", "after", "still there?");
        assert_eq!(ann.sent("after").await["seq"], 12);
        ben.event_where("message", |message| message["text"] == "still there?").await;
        // The same id, the same answer.
        for (id, text, sent) in &acked {
            ann.send("ben", id, text);
            let again = ann.sent(id).await;
            assert_eq!(
                (&again["seq"], &again["time_ms"]),
                (&sent["seq"], &sent["time_ms"]),
                "{again}"
            );
        }
        let all = history(&mut ben, "ann", 0).await;
        let expected = acked.iter().map(|(_, text, _)| text.as_str());
        let expected: Vec<_> = expected.chain(["hello back", "still there?"]).collect();
        assert_eq!(texts(&all), expected, "{url}");
        assert!(all.iter().map(|message| message["seq"].as_u64().unwrap()).eq(1..=12));
        assert_eq!(history(&mut ann, "ben", 10).await.len(), 2);

        ann.tell(&json!({"quit": {}}));
        assert_eq!(ann.exited().await.code(), Some(0), "{url}: quit");
        ben.close_input();
        assert_eq!(ben.exited().await.code(), Some(0), "{url}: end of input");

        // A fresh process on the same device resends after its own death too.
        if round < 2 {
            let mut again = Chat::start(&url, &ready, "ann", folder.path(), &[]);
            again.event("ready").await;
            again.send("ben", "my-3", "hello 3");
            assert_eq!(again.sent("my-3").await["seq"], 3, "{url}: a new process, the same answer");
        }
    }
}

#[tokio::test]
async fn a_chat_that_dies_resends_without_doubling() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Launch::new(&folder.path().join("data")).on_fixed_ports().start().await;
    let url = server.ready.quic.clone();
    let ready = server.ready.clone();
    let start = |name: &str| {
        Chat::start(&url, &ready, name, folder.path(), &["--sign-up", "--device", "script"])
    };
    let mut ben = start("ben");
    ben.event("ready").await;
    let mut ann = start("ann");
    ann.event("ready").await;
    // Both die somewhere between the first byte and the last answer.
    for number in 0..50 {
        ann.send("ben", &format!("id-{number}"), &format!("text {number}"));
    }
    ann.sent("id-10").await;
    ann.kill();
    server.restart().await;
    let mut ann = start("ann");
    ann.event("ready").await;
    for number in 0..50 {
        ann.send("ben", &format!("id-{number}"), &format!("text {number}"));
    }
    ann.sent("id-49").await;
    let all = history(&mut ben, "ann", 0).await;
    let expected: Vec<_> = (0..50).map(|number| format!("text {number}")).collect();
    assert_eq!(texts(&all), expected);
}

#[tokio::test]
async fn wrong_commands_get_an_error_and_the_chat_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let server = Launch::new(&folder.path().join("data")).start().await;
    let mut ann =
        Chat::start(&server.ready.tls, &server.ready, "ann", folder.path(), &["--sign-up"]);
    ann.event("ready").await;
    let long = format!("{}\n", "x".repeat(3 << 20));
    let lines = [
        "not JSON\n",
        "{}\n",
        "[]\n",
        "{\"dance\":{}}\n",
        "{\"send\":{}}\n",
        "{\"send\":{\"to\":\"ann\",\"text\":\"\\ud800\",\"id\":\"x\"}}\n",
        "{\"send\":{\"to\":7,\"text\":\"x\",\"id\":\"x\"}}\n",
        "{\"history\":{\"with\":\"ann\",\"after_seq\":-1,\"limit\":1}}\n",
        &long,
    ];
    for line in lines {
        ann.write(line);
        let error = ann.event("error").await;
        assert!(error["code"].is_u64() && error["name"].is_string(), "{error}");
        assert!(error["text"].is_string(), "{error}");
    }
    ann.write_bytes(b"\xff\xfe\n");
    ann.event("error").await;
    ann.send("nobody", "to-nobody", "x");
    assert_eq!(ann.event("error").await["name"], "not_found");
    ann.send("ann", "empty", "");
    assert_eq!(ann.event("error").await["name"], "text_empty");
    ann.send("ann", "long", &"x".repeat(100_001));
    assert_eq!(ann.event("error").await["name"], "text_too_long");
    for (id, text) in [("all", "x".repeat(100_000)), ("odd", "\0 \u{202e} 👩‍👩‍👧‍👦".to_owned())]
    {
        ann.send("ann", id, &text);
        ann.sent(id).await;
        let own = history(&mut ann, "ann", 0).await;
        assert_eq!(own.last().unwrap()["text"], text);
    }
}

#[tokio::test]
async fn a_wrong_password_ends_the_chat_with_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let server = Launch::new(&folder.path().join("data")).start().await;
    Api::plain(&server.ready).sign_up("ann", "phone").await;
    let password = folder.path().join("other");
    fs::write(&password, "some other password\n").unwrap();
    let more = ["--password-file", password.to_str().unwrap()];
    let mut command = parley();
    command.args(["chat", "--json", "--server", &server.ready.tls, "--user", "ann"]);
    command.args(["--trust", &server.ready.fingerprint]).args(more);
    command.stdin(std::process::Stdio::piped());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("credentials_wrong"), "{text}");
}

#[tokio::test]
async fn another_certificate_is_not_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let server = Launch::new(&folder.path().join("data")).start().await;
    Api::plain(&server.ready).sign_up("ann", "phone").await;
    let mut wrong = server.ready.clone();
    wrong.fingerprint = "0".repeat(64);
    for url in [&server.ready.quic, &server.ready.tls] {
        let mut ann = Chat::start(url, &wrong, "ann", folder.path(), &[]);
        // It either ends or tries for ever; it never gets as far as ready.
        let lines = async {
            while let Some(line) = ann.line().await {
                assert!(line.get("ready").is_none(), "{url}: {line}");
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(3), lines).await;
    }
}

#[tokio::test]
async fn the_ready_line_is_the_only_output_and_keeps_its_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Launch::new(&folder.path().join("data")).start().await;
    let first = server.ready.clone();
    let line = server.stdout().remove(0);
    assert!(line.starts_with("ready {"), "{line}");
    let keys: Value = serde_json::from_str(&line["ready ".len()..]).unwrap();
    let mut keys: Vec<_> = keys.as_object().unwrap().keys().cloned().collect();
    keys.sort();
    assert_eq!(keys, ["data", "fingerprint", "http", "operator", "quic", "tls"]);
    assert!(first.data.is_absolute());
    assert_eq!(first.fingerprint.len(), 64);
    assert!(first.fingerprint.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')));
    assert_ne!(first.tls_address().port(), 0);
    assert_eq!(first.tls_address().port(), first.quic_address().port(), "one port");
    Api::over_tls(&first).sign_up("ann", "phone").await;
    server.restart().await;
    assert_eq!(server.ready.fingerprint, first.fingerprint, "the certificate is kept");
    assert_eq!(server.stdout().len(), 1);
}

#[tokio::test]
async fn with_no_flags_it_uses_the_folder_it_is_in_and_the_known_ports() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = parley();
    command.arg("serve").current_dir(folder.path());
    match Server::run(command, None).await {
        Ok(server) => {
            assert_eq!(server.ready.quic, "quic://127.0.0.1:7443");
            assert_eq!(server.ready.tls, "tls://127.0.0.1:7443");
            assert_eq!(server.ready.http, "http://127.0.0.1:7480");
            assert_eq!(server.ready.operator.as_deref(), Some("http://127.0.0.1:7481"));
            let data = folder.path().canonicalize().unwrap().join("parley-data");
            assert_eq!(server.ready.data.canonicalize().unwrap(), data);
            Api::over_tls(&server.ready).sign_up("ann", "phone").await;
        }
        // Somebody works with a server of their own on this machine.
        Err(refused)
            if ["7443", "7480", "7481"].iter().any(|port| refused.stderr.contains(port)) =>
        {
            println!("skipped: the known ports are taken: {}", refused.stderr);
        }
        Err(refused) => panic!("{refused:?}"),
    }
}
