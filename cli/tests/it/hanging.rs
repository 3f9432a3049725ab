//! A disk that hangs: seen at once, nobody is cut for it, and the process still ends.
//!
//! `strace` holds the syncs of the running server back; where it is missing, or may not
//! look into other processes, these say so and are skipped.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use parley_protocol::Code;
use parley_protocol::wire::Ping;

use crate::common::session::{Ask, Said, conversation_of, entries_of, envelope, send_to, text_of};
use crate::common::{Api, Launch, Person, Ready, Server, Session, Transport, patiently};

/// A disk whose syncs don't return until this is dropped.
struct Hang(Child);

impl Hang {
    fn begin(server: &Server) -> Option<Self> {
        let pid = server.pid().to_string();
        let calls = "fsync,fdatasync,sync_file_range";
        let mut strace = Command::new("strace")
            .args(["-f", "-p", &pid, "-o", "/dev/null", "-e", &format!("trace={calls}")])
            .args(["-e", &format!("inject={calls}:delay_enter=600000000")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .ok()?;
        // It says so once all threads are held.
        let said = BufReader::new(strace.stderr.take().unwrap()).lines().map_while(Result::ok);
        let attached = said.take(1).any(|line| line.contains("attached"));
        let hang = Self(strace);
        if !attached {
            println!("skipped: strace may not look into the server");
        }
        attached.then_some(hang)
    }
}

impl Drop for Hang {
    fn drop(&mut self) {
        // On SIGTERM it lets go of the threads it holds.
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

async fn readyz(ready: &Ready) -> Result<(), Code> {
    let reply = Api::plain(&ready.operator()).get("/readyz", None).await;
    if reply.status.is_success() { Ok(()) } else { Err(reply.code()) }
}

async fn until_readyz(ready: &Ready, wanted: Result<(), Code>) {
    patiently("/readyz follows the disk", async {
        while readyz(ready).await != wanted {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

fn lines(server: &Server, words: &str) -> usize {
    server.stderr().lines().filter(|line| line.contains(words)).count()
}

async fn seconds_at_work(ready: &Ready) -> f64 {
    let reply = Api::plain(&ready.operator()).get("/metrics", None).await;
    let text = String::from_utf8(reply.body.to_vec()).unwrap();
    let line = text.lines().find(|line| line.starts_with("parley_log_commit_seconds "));
    line.unwrap().rsplit(' ').next().unwrap().parse().unwrap()
}

async fn two(server: &Server) -> (Person, Person) {
    let api = Api::plain(&server.ready);
    (api.sign_up("ann", "phone").await, api.sign_up("ben", "phone").await)
}

/// Reads until so many of these came.
async fn until(session: &mut Session, mut count: u32, wanted: impl Fn(&Said) -> bool) {
    while count > 0 {
        let said = patiently("an answer", session.wire.read()).await.unwrap();
        count -= u32::from(said.kind.is_some_and(|said| wanted(&said)));
    }
}

const BEGINS: &str = "the disk does not answer";
const ENDS: &str = "the disk answers again";

#[tokio::test]
async fn a_disk_that_hangs_is_seen_and_nobody_is_cut_while_it_does() {
    let folder = tempfile::tempdir().unwrap();
    let launch = Launch::new(&folder.path().join("data"))
        .with("PARLEY_SESSIONS__HEARTBEAT_MS", "2000")
        .with("PARLEY_RATES__SENDS_BURST", "10000");
    let mut server = launch.start().await;
    let ready = server.ready.clone();
    let (ann, ben) = two(&server).await;
    // A session on each transport with as many requests on their way as it may have.
    let mut sessions = Vec::new();
    for transport in Transport::ALL {
        let mut session = Session::open(&ready, transport, &ann).await;
        session.say(&ben, &format!("before {transport:?}"), "hello").await;
        sessions.push(session);
    }
    let Some(hang) = Hang::begin(&server) else { return };
    let allowed = sessions[0].welcome.limits.as_ref().unwrap().requests_in_flight;
    for (number, session) in sessions.iter_mut().enumerate() {
        let asks = (0..allowed).map(|id| {
            let ask = send_to(&ben.user, &format!("{number}-{id}"), "waits");
            envelope(1000 + u64::from(id), ask)
        });
        session.wire.write(&asks.collect::<Vec<_>>()).await.unwrap();
    }
    // One that asks for more waits too; what it says after that isn't heard meanwhile.
    let mut greedy = Session::open(&ready, Transport::Tls, &ben).await;
    let more: Vec<_> = (0..allowed + 10)
        .map(|id| envelope(1000 + u64::from(id), send_to(&ann.user, &id.to_string(), "waits")))
        .collect();
    greedy.wire.write(&more).await.unwrap();
    until_readyz(&ready, Err(Code::StorageFailed)).await;
    assert!(seconds_at_work(&ready).await > 0.0);
    // Far longer than a session may be silent.
    for round in 0..24 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        for session in &mut sessions {
            let ping = envelope(9000 + round, Ask::Ping(Ping::default()));
            session.wire.write(&[ping]).await.unwrap();
            let pong = |said: &Said| matches!(said, Said::Pong(_));
            until(session, 1, pong).await;
        }
    }
    assert_eq!((lines(&server, BEGINS), lines(&server, ENDS)), (1, 0), "{}", server.stderr());
    drop(hang);
    // Then all is answered.
    let sent = |said: &Said| matches!(said, Said::Sent(_));
    for session in &mut sessions {
        until(session, allowed, sent).await;
    }
    until(&mut greedy, allowed + 10, sent).await;
    until_readyz(&ready, Ok(())).await;
    assert_eq!((lines(&server, BEGINS), lines(&server, ENDS)), (1, 1), "{}", server.stderr());
    assert!(server.is_running());
}

#[tokio::test]
async fn a_disk_that_hangs_does_not_keep_the_process() {
    for signals in [1, 2] {
        let folder = tempfile::tempdir().unwrap();
        let drain_ms = if signals == 1 { "0" } else { "3600000" };
        let launch =
            Launch::new(&folder.path().join("data")).with("PARLEY_SESSIONS__DRAIN_MS", drain_ms);
        let mut server = launch.start().await;
        let (ann, ben) = two(&server).await;
        let mut session = Session::open(&server.ready, Transport::Tls, &ann).await;
        let sent = session.say(&ben, "kept", "acknowledged").await;
        let Some(hang) = Hang::begin(&server) else { return };
        let asks: Vec<_> = (0..5u64)
            .map(|id| envelope(100 + id, send_to(&ben.user, &id.to_string(), "waits")))
            .collect();
        session.wire.write(&asks).await.unwrap();
        until_readyz(&server.ready, Err(Code::StorageFailed)).await;
        server.terminate();
        if signals == 2 {
            patiently("the first signal is heard", async {
                while lines(&server, "told to stop") == 0 {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            })
            .await;
            assert!(server.is_running());
            server.terminate();
        }
        let status = server.exited().await;
        assert_eq!(status.code(), Some(1), "{status:?}");
        let log = server.stderr();
        let last = log.lines().last().unwrap();
        assert!(last.starts_with("parley: ") && last.contains("not synced"), "{log}");
        assert!(!log.contains("panicked"), "{log}");
        drop(hang);
        let server = launch.start().await;
        let mut session = Session::open(&server.ready, Transport::Quic, &ben).await;
        let all = entries_of(&session.fetch_all(&conversation_of(&sent), 0).await.unwrap());
        assert!(all.iter().map(|entry| entry.seq).eq(1..=all.len() as u64), "dense");
        assert_eq!(text_of(&all[0]), "acknowledged");
    }
}

#[tokio::test]
async fn a_healthy_disk_ends_with_zero_and_without_a_word() {
    let folder = tempfile::tempdir().unwrap();
    let launch = Launch::new(&folder.path().join("data")).with("PARLEY_SESSIONS__DRAIN_MS", "100");
    let mut server = launch.start().await;
    let (ann, ben) = two(&server).await;
    let mut session = Session::open(&server.ready, Transport::Tls, &ann).await;
    session.say(&ben, "one", "hello").await;
    assert!(readyz(&server.ready).await.is_ok());
    server.terminate();
    assert_eq!(server.exited().await.code(), Some(0));
    let log = server.stderr();
    for words in [BEGINS, ENDS, "not synced"] {
        assert!(!log.contains(words), "{words}: {log}");
    }
}
