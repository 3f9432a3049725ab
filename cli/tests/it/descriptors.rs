//! Few file descriptors: connections are held to what the store leaves, and a
//! start says so.

use std::fs;

use tokio::net::TcpStream;

use crate::common::session::{conversation_of, text_of};
use crate::common::{Api, Launch, Person, Ready, Server, Session, Transport, patiently};

/// More than any limit here leaves room for, and fewer than one address may have.
const IDLE: usize = 400;

/// Sets both limits, as `LimitNOFILE=` does.
fn limited(launch: &Launch, files: u32) -> Launch {
    launch.clone().after_shell(&format!("ulimit -n {files}"))
}

/// Connects and says nothing. Who is refused is cut, which these don't look at.
async fn idle(ready: &Ready, count: usize) -> Vec<TcpStream> {
    let mut held = Vec::new();
    for number in 0..count {
        let to = if number % 2 == 0 { ready.tls_address() } else { ready.http_address() };
        held.push(TcpStream::connect(to).await.unwrap());
    }
    held
}

async fn figure(ready: &Ready, name: &str) -> f64 {
    let reply = Api::plain(&ready.operator()).get("/metrics", None).await;
    let text = String::from_utf8(reply.body.to_vec()).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let of = |line: &str| {
        let (of, value) = line.rsplit_once(' ')?;
        let (bare, _) = of.split_once('{').unwrap_or((of, ""));
        (bare == name).then(|| value.parse::<f64>().unwrap())
    };
    lines.filter_map(of).sum()
}

fn limit_of(server: &Server) -> (String, String) {
    let text = fs::read_to_string(format!("/proc/{}/limits", server.pid())).unwrap();
    let line = text.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let mut words = line.split_whitespace().skip(3);
    (words.next().unwrap().to_owned(), words.next().unwrap().to_owned())
}

fn unharmed(server: &mut Server) {
    let log = server.stderr();
    assert!(server.is_running(), "{log}");
    for word in ["Too many open files", "panicked", "fatal"] {
        assert!(!log.contains(word), "{word}: {log}");
    }
}

/// Messages that make the store begin new files.
async fn talk(from: &mut Session, to: &mut Session, with: &Person, name: &str) {
    for number in 0..60 {
        let text: String = (0..40_000).map(|_| fastrand::alphanumeric()).collect();
        let sent = from.say(with, &format!("{name}{number}"), &text).await;
        let entry = to.delivered_up_to(&conversation_of(&sent), sent.seq).await.pop();
        assert!(text_of(&entry.unwrap()) == text, "{name} {number}");
    }
}

#[tokio::test]
async fn idle_connections_leave_the_store_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let launch = Launch::new(&folder.path().join("data"))
        .with("PARLEY_STORAGE__WRITE_BUFFER_BYTES", "1048576")
        .with("PARLEY_RATES__SENDS_BURST", "10000")
        // The idle ones stay for the whole test.
        .with("PARLEY_CONNECTIONS__HANDSHAKE_MS", "60000")
        .with("PARLEY_TLS__RELOAD_MS", "86400000");
    let mut server = limited(&launch, 256).start().await;
    let ready = server.ready.clone();
    let api = Api::plain(&ready);
    let (ann, ben) = (api.sign_up("ann", "phone").await, api.sign_up("ben", "phone").await);
    let mut from = Session::open(&ready, Transport::Tls, &ann).await;
    let mut to = Session::open(&ready, Transport::WebSocket, &ben).await;
    let held = idle(&ready, IDLE).await;
    patiently("the idle ones are refused", async {
        while figure(&ready, "parley_connections_refused_total").await < 100.0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    talk(&mut from, &mut to, &ben, "beside").await;
    assert!(server.descriptors() < 256, "{}", server.descriptors());
    // What opens files of its own.
    let before = server.stderr().matches("a new certificate is in force").count();
    server.hang_up();
    patiently("the certificate is read", async {
        while server.stderr().matches("a new certificate is in force").count() == before {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // Who leaves makes room.
    drop(held);
    patiently("room again", async {
        while Session::resume(&ready, Transport::Tls, &ann, 0).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let export = api.get("/v1/account/export", Some(&ann.bearer)).await;
    assert!(export.status.is_success() && export.body.len() > 60 * 40_000, "{}", export.status);
    unharmed(&mut server);
    // A start replays and compacts under the same limit, beside the same crowd.
    server.restart().await;
    let ready = server.ready.clone();
    let mut from = Session::open(&ready, Transport::Quic, &ann).await;
    let mut to = Session::open(&ready, Transport::Tls, &ben).await;
    let _held = idle(&ready, IDLE).await;
    talk(&mut from, &mut to, &ben, "again").await;
    unharmed(&mut server);
}

#[tokio::test]
async fn a_limit_that_can_be_raised_is_raised() {
    let folder = tempfile::tempdir().unwrap();
    let launch = Launch::new(&folder.path().join("data"))
        .with("PARLEY_CONNECTIONS__TOTAL", "500")
        .after_shell("ulimit -S -n 64; ulimit -H -n 2000");
    let server = launch.start().await;
    assert_eq!(limit_of(&server), ("2000".to_owned(), "2000".to_owned()));
    assert_eq!(figure(&server.ready, "parley_open_files_limit").await, 2000.0);
    assert_eq!(figure(&server.ready, "parley_connections_limit").await, 500.0);
    let log = server.stderr();
    let said: Vec<_> = log.lines().filter(|line| line.contains("open files")).collect();
    assert!(matches!(&said[..], [line] if line.contains("2000")), "{log}");
    assert!(!log.contains("LimitNOFILE"), "nothing is wrong: {log}");
}

#[tokio::test]
async fn more_connections_than_descriptors_are_lowered_with_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let launch = Launch::new(&folder.path().join("data")).with("PARLEY_CONNECTIONS__TOTAL", "900");
    let server = limited(&launch, 512).start().await;
    let limit = figure(&server.ready, "parley_connections_limit").await;
    assert!(limit > 100.0 && limit < 512.0, "{limit}");
    let log = server.stderr();
    let line = log.lines().find(|line| line.contains("WARN") && line.contains("open files"));
    let line = line.unwrap_or_else(|| panic!("no warning: {log}"));
    for word in ["connections.total", "900", "512", "LimitNOFILE", "ulimit -n"] {
        assert!(line.contains(word), "{word}: {line}");
    }
    assert!(line.contains(&format!("{limit}")), "{limit}: {line}");
}

#[tokio::test]
async fn a_limit_too_low_for_the_store_refuses_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    // With so few not even threads and libraries would do; above them it is the server's word.
    let refused = match limited(&Launch::new(&data), 64).try_start().await {
        Ok(server) => panic!("it serves: {:?}", server.ready),
        Err(refused) => refused,
    };
    let text = &refused.stderr;
    assert!(text.contains("64") && text.contains("LimitNOFILE"), "{text}");
    assert!(!text.contains("panicked"), "{text}");
    assert!(!data.exists(), "a refused server makes no folder");
    // The figure it names is enough.
    let needed = text.split("at least ").nth(1).and_then(|rest| rest.split_whitespace().next());
    let needed: u32 = needed.unwrap().trim_matches(',').parse().unwrap();
    let server = limited(&Launch::new(&data), needed).start().await;
    Api::plain(&server.ready).sign_up("ann", "phone").await;
}
