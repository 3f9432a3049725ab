//! The disk of the data folder gets full: by one account, by many, by somebody else's
//! file, also while the server is down. Nothing acknowledged is lost, reading goes on, and
//! so does everything else once there is room.

use std::fs;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use parley_protocol::wire::update_account::Change;
use parley_protocol::wire::{ConversationSettings, ProfileChange};
use parley_protocol::{Code, ConversationId, wire};

use crate::common::http::{credentials, password_of};
use crate::common::mount::Mount;
use crate::common::session::{Said, conversation_of, entries_of, send_into, send_to, text_of};
use crate::common::{
    Api, Chat, Launch, Person, Ready, Server, Session, Transport, asks, patiently,
};

/// Its limits let one account write as fast as it can.
fn launch(place: &Path) -> Launch {
    Launch::new(&place.join("data"))
        .with("PARLEY_RATES__SENDS_BURST", "100000")
        .with("PARLEY_RATES__ENTRIES_BURST", "100000")
        .with("PARLEY_RATES__STORED_BURST_BYTES", "4294967295")
        .with("PARLEY_RATES__INBOUND_BURST_BYTES", "4294967295")
}

/// With a mark so far from the next, and from the way back, that a log which has gone into
/// files, and gives its room back, makes no difference.
fn marked(place: &Path) -> Launch {
    launch(place).with("PARLEY_STORAGE__FREE_BYTES", "50331648")
}

/// Random text, which does not compress.
fn words(chars: usize) -> String {
    (0..chars).map(|_| fastrand::alphanumeric()).collect()
}

/// What somebody was told is kept.
#[derive(Default)]
struct Kept {
    conversation: Option<ConversationId>,
    texts: Vec<(u64, String)>,
}

impl Kept {
    /// Writes until so many are kept, or it is refused; returns the refusal.
    async fn write(
        &mut self,
        session: &mut Session,
        to: &Person,
        most: usize,
    ) -> Option<wire::Failure> {
        for _ in 0..most {
            let text = words(90_000);
            let id = format!("{}", self.texts.len());
            match session.send(send_to(&to.user, &id, &text)).await {
                Ok(sent) => {
                    self.conversation = Some(conversation_of(&sent));
                    self.texts.push((sent.seq, text));
                }
                Err(failure) => return Some(failure),
            }
        }
        None
    }

    /// Writes until the disk is low and stays so: what is counted between two looks is
    /// counted high, and a log that has gone into files gives its room back a little later.
    async fn fill(&mut self, session: &mut Session, to: &Person, ready: &Ready) {
        let mut low = 0;
        while low < 6 {
            if let Some(failure) = self.write(session, to, 10).await {
                assert!(is_low(&failure), "{failure:?}");
                let is_low = metric(ready, "parley_storage_level ").await > 0.0;
                low = if is_low { low + 1 } else { 0 };
                // Longer than from one look to the next.
                tokio::time::sleep(Duration::from_millis(600)).await;
            }
            assert!(self.texts.len() < 2_000, "it never got full");
        }
    }

    /// Whether all of it is there for this reader, and dense.
    async fn check(&self, session: &mut Session, gone: &[u64]) {
        let Some(conversation) = self.conversation else { return };
        let all = entries_of(&session.fetch_all(&conversation, 0).await.unwrap());
        assert!(all.iter().map(|entry| entry.seq).eq(1..=all.len() as u64), "dense");
        for (seq, text) in self.texts.iter().filter(|(seq, _)| !gone.contains(seq)) {
            assert_eq!(all.get(*seq as usize - 1).map(text_of).as_ref(), Some(text), "seq {seq}");
        }
    }
}

fn is_low(failure: &wire::Failure) -> bool {
    assert!(failure.retry_after_ms > 0, "{failure:?}");
    failure.code == Code::StorageLow as u32
}

/// A metric, summed over its labels.
async fn metric(ready: &Ready, name: &str) -> f64 {
    let reply = Api::plain(&ready.operator()).get("/metrics", None).await;
    let text = String::from_utf8(reply.body.to_vec()).unwrap();
    let lines = text.lines().filter(|line| line.starts_with(name));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
}

async fn until_level(ready: &Ready, wanted: impl Fn(f64) -> bool) {
    patiently("the level of the disk", async {
        while !wanted(metric(ready, "parley_storage_level ").await) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

async fn readyz(ready: &Ready) -> String {
    let reply = Api::plain(&ready.operator()).get("/readyz", None).await;
    assert!(reply.status.is_success(), "{reply:?}");
    String::from_utf8(reply.body.to_vec()).unwrap()
}

async fn code_of_sign_up(ready: &Ready, name: &str) -> Code {
    let credentials = credentials(name, &password_of(name), "phone");
    Api::plain(ready).post("/v1/accounts", None, &credentials).await.code()
}

fn lines(server: &Server, words: &str) -> usize {
    server.stderr().lines().filter(|line| line.contains(words)).count()
}

/// Table and blob files of the store.
fn tables(place: &Path) -> usize {
    let files = fs::read_dir(place.join("data/db")).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|is| is == "sst" || is == "blob")).count()
}

const PASSED: &str = "is almost full";
const ROOM_AGAIN: &str = "has room again";

#[tokio::test]
async fn one_account_fills_the_disk_and_the_others_read_delete_and_leave() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("small");
    let Some(mount) = Mount::new(&place, "128m") else { return };
    let mut server = marked(&place).start().await;
    let ready = server.ready.clone();
    let api = Api::plain(&ready);
    let (ann, ben) = (api.sign_up("ann", "phone").await, api.sign_up("ben", "phone").await);
    let carol = api.sign_up("carol", "phone").await;
    assert_eq!(readyz(&ready).await, "ready\n");
    let mut session = Session::open(&ready, Transport::Tls, &ann).await;
    let mut kept = Kept::default();
    kept.fill(&mut session, &ben, &ready).await;
    assert!(kept.texts.len() > 50, "{} were taken", kept.texts.len());
    let conversation = kept.conversation.unwrap();
    assert_eq!(readyz(&ready).await, "ready\nstorage_low\n");
    assert!(metric(&ready, "parley_storage_refused_total").await > 0.0);
    assert!(metric(&ready, "parley_disk_free_bytes ").await > 0.0);

    // What would stay is refused, whoever asks.
    let again = api.login("ben", "another phone").await;
    let mut other = Session::open(&ready, Transport::Quic, &again).await;
    let group = asks::new_group("g", "a group", ConversationSettings::default(), &[ann.user]);
    let profile = ProfileChange { about: Some("me".to_owned()), ..ProfileChange::default() };
    for ask in [
        send_into(&conversation, "short", "hi"),
        asks::react(&conversation, "r", 1, "👍"),
        group,
        asks::update(Change::Profile(profile)),
        asks::report(&ann.user, None, &[]),
    ] {
        assert_eq!(other.refused(ask).await, Some(Code::StorageLow));
    }
    let edit = asks::edit(&conversation, "e", 1, "other words");
    assert_eq!(session.refused(edit).await, Some(Code::StorageLow));
    assert_eq!(code_of_sign_up(&ready, "dora").await, Code::StorageLow);

    // Reading goes on, and what ends something.
    kept.check(&mut other, &[]).await;
    let last = kept.texts.last().unwrap().0;
    other.must_read(&conversation, last).await;
    session.send(asks::delete(&conversation, "d", 1, 1)).await.unwrap();
    let blocked = other.ask(asks::block(&carol.user)).await.unwrap();
    assert!(matches!(blocked, Said::AccountChanged(_)), "{blocked:?}");
    assert!(api.revoke(&ben, &again.device.to_string()).await.status.is_success());
    let password = serde_json::json!({ "password": password_of("carol") });
    let body = Bytes::from(password.to_string());
    let ended = api.call(Method::DELETE, "/v1/account", Some(&carol.bearer), Some(body)).await;
    assert!(ended.status.is_success(), "{ended:?}");

    // A client that is refused keeps what was to be sent.
    let home = tempfile::tempdir().unwrap();
    let mut waiting = Chat::start(&ready.tls, &ready, "ben", home.path(), &["--device", "script"]);
    let refused = metric(&ready, "parley_storage_refused_total").await;
    waiting.send("ann", "waits", "for room");
    patiently("the refusal", async {
        while metric(&ready, "parley_storage_refused_total").await <= refused {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;

    // With room it goes on by itself; a line said when it began, one that it is over.
    mount.remount("size=400m");
    until_level(&ready, |level| level == 0.0).await;
    assert_eq!(readyz(&ready).await, "ready\n");
    assert_eq!(waiting.sent("waits").await["id"], "waits");
    assert_eq!(kept.write(&mut session, &ben, 5).await, None);
    // Often enough the log's own files give a little back in between.
    let (passed, again) = (lines(&server, PASSED), lines(&server, ROOM_AGAIN));
    assert!(passed == again && (1..=3).contains(&passed), "{passed} and {again}");
    server.restart().await;
    let mut session = Session::open(&server.ready, Transport::Quic, &ben).await;
    kept.check(&mut session, &[1]).await;
}

#[tokio::test]
async fn many_fill_the_disk_and_a_kill_then_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("small");
    let Some(_mount) = Mount::new(&place, "128m") else { return };
    let mut server = marked(&place).start().await;
    let api = Api::plain(&server.ready);
    let ben = api.sign_up("ben", "phone").await;
    let mut all = tokio::task::JoinSet::new();
    let mut writers = Vec::new();
    // All of them before the first writes: on a disk that is almost full none is made.
    for number in 0..8 {
        writers.push(api.sign_up(&format!("writer-{number}"), "phone").await);
    }
    for writer in writers {
        let (ready, ben) = (server.ready.clone(), ben.clone());
        all.spawn(async move {
            let mut session = Session::open(&ready, Transport::Quic, &writer).await;
            let mut kept = Kept::default();
            kept.fill(&mut session, &ben, &ready).await;
            kept
        });
    }
    let all = all.join_all().await;
    assert!(all.iter().map(|kept| kept.texts.len()).sum::<usize>() > 50);
    // By its own filling it never gets so full that it can't start and write.
    server.restart().await;
    assert_eq!(lines(&server, "serves reading only"), 0);
    let mut session = Session::open(&server.ready, Transport::Tls, &ben).await;
    for kept in &all {
        kept.check(&mut session, &[]).await;
    }
    Api::plain(&server.ready).login("ben", "another").await;
}

#[tokio::test]
async fn a_file_of_somebody_else_stops_all_writing_and_no_reading() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("small");
    let Some(mount) = Mount::new(&place, "96m") else { return };
    let mut server = launch(&place).start().await;
    let ready = server.ready.clone();
    let api = Api::plain(&ready);
    let (ann, ben) = (api.sign_up("ann", "phone").await, api.sign_up("ben", "phone").await);
    let mut session = Session::open(&ready, Transport::Tls, &ann).await;
    let mut kept = Kept::default();
    assert_eq!(kept.write(&mut session, &ben, 30).await, None);
    let conversation = kept.conversation.unwrap();
    // First so that it is seen, then to the last byte.
    mount.fill(3 << 20);
    until_level(&ready, |level| level == 3.0).await;
    mount.fill(0);
    for ask in [
        send_into(&conversation, "short", "hi"),
        asks::delete(&conversation, "d", 1, 1),
        asks::read(&conversation, 1),
        asks::block(&ben.user),
    ] {
        assert_eq!(session.refused(ask).await, Some(Code::StorageLow));
    }
    assert_eq!(code_of_sign_up(&ready, "dora").await, Code::StorageLow);
    let login = api.post("/v1/login", None, &credentials("ben", &password_of("ben"), "x")).await;
    assert_eq!(login.code(), Code::StorageLow);
    // Who comes and goes meanwhile, and what is written beside the log, does no harm.
    for _ in 0..5 {
        let mut reader = Session::open(&ready, Transport::Quic, &ben).await;
        kept.check(&mut reader, &[]).await;
        let changes = reader.sync(0).await.unwrap();
        assert!(!changes.entries.is_empty());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert!(server.is_running());
    mount.free_it();
    until_level(&ready, |level| level == 0.0).await;
    assert_eq!(kept.write(&mut session, &ben, 5).await, None);
    server.restart().await;
    let mut reader = Session::open(&server.ready, Transport::Tls, &ben).await;
    kept.check(&mut reader, &[]).await;
}

#[tokio::test]
async fn a_disk_that_others_fill_in_a_moment_loses_nothing_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("small");
    let Some(mount) = Mount::new(&place, "96m") else { return };
    let launch = launch(&place);
    let mut server = launch.start().await;
    let api = Api::plain(&server.ready);
    let (ann, ben) = (api.sign_up("ann", "phone").await, api.sign_up("ben", "phone").await);
    let mut session = Session::open(&server.ready, Transport::Tls, &ann).await;
    let mut kept = Kept::default();
    assert_eq!(kept.write(&mut session, &ben, 10).await, None);
    let filled = std::thread::spawn(move || {
        mount.fill(0);
        mount
    });
    // It is refused, or the disk was full before anybody looked and the process ends.
    let mut ended = false;
    while !ended {
        let text = words(90_000);
        match session.ask(send_to(&ben.user, &kept.texts.len().to_string(), &text)).await {
            Ok(Said::Sent(sent)) => kept.texts.push((sent.seq, text)),
            Ok(Said::Failure(failure)) => {
                let failed = failure.code == Code::StorageFailed as u32;
                assert!(failed || is_low(&failure), "{failure:?}");
                ended = true;
            }
            Ok(other) => panic!("{other:?}"),
            Err(_) => ended = true,
        }
    }
    let mount = filled.join().unwrap();
    server.kill_if_running();
    // It starts on the full disk whatever happened.
    let mut server = launch.start().await;
    let mut reader = Session::open(&server.ready, Transport::Quic, &ben).await;
    kept.check(&mut reader, &[]).await;
    server.kill();
    mount.free_it();
    let server = launch.start().await;
    let mut reader = Session::open(&server.ready, Transport::Quic, &ben).await;
    kept.check(&mut reader, &[]).await;
    let mut session = Session::open(&server.ready, Transport::Tls, &ann).await;
    session.say(&ben, "after", "it goes on").await;
}

#[tokio::test]
async fn a_start_on_a_full_disk_serves_reading_and_ends_once_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("small");
    let Some(mount) = Mount::new(&place, "96m") else { return };
    // Of a mark it never meets, and a reserve too small for this.
    let launch = launch(&place).with("PARLEY_STORAGE__RESERVE_BYTES", "4096");
    let mut server = launch.start().await;
    let api = Api::plain(&server.ready);
    let (ann, ben) = (api.sign_up("ann", "phone").await, api.sign_up("ben", "phone").await);
    let mut session = Session::open(&server.ready, Transport::Tls, &ann).await;
    let mut kept = Kept::default();
    assert_eq!(kept.write(&mut session, &ben, 100).await, None);
    let conversation = kept.conversation.unwrap();
    server.kill();
    mount.fill(0);
    let files = tables(&place);
    for _ in 0..3 {
        let server = launch.start().await;
        let log = server.stderr();
        let line = log.lines().find(|line| line.contains("serves reading only")).unwrap();
        assert!(line.contains("MiB free and a start needs"), "{line}");
        assert!(line.contains(place.to_str().unwrap()), "{line}");
        assert_eq!(tables(&place), files, "it leaves files behind");
        assert_eq!(readyz(&server.ready).await, "ready\nstorage_low\n");
        let mut reader = Session::open(&server.ready, Transport::Quic, &ben).await;
        kept.check(&mut reader, &[]).await;
        let changes = reader.sync(0).await.unwrap();
        let [changed] = &*changes.entries else { panic!("{changes:?}") };
        assert_eq!(changed.last_seq, kept.texts.len() as u64, "the feed is worked out in memory");
        for ask in [
            send_into(&conversation, "short", "hi"),
            asks::delete(&conversation, "d", 1, 1),
            asks::read(&conversation, 1),
        ] {
            assert_eq!(reader.refused(ask).await, Some(Code::StorageLow));
        }
        assert_eq!(code_of_sign_up(&server.ready, "dora").await, Code::StorageLow);
    }
    // Whoever watches it starts it again, once it ends.
    let mut server = launch.start().await;
    mount.free_it();
    assert_eq!(server.exited().await.code(), Some(75), "{}", server.stderr());
    let server = launch.start().await;
    let mut reader = Session::open(&server.ready, Transport::Quic, &ben).await;
    kept.check(&mut reader, &[]).await;
    let mut session = Session::open(&server.ready, Transport::Tls, &ann).await;
    session.say(&ben, "after", "it goes on").await;
}

#[tokio::test]
async fn the_reserve_lets_it_start_on_a_full_disk_and_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("small");
    let Some(mount) = Mount::new(&place, "128m") else { return };
    let reserve = place.join("data/RESERVE");
    let launch = launch(&place).with("PARLEY_STORAGE__RESERVE_BYTES", "33554432");
    let mut server = launch.start().await;
    let api = Api::plain(&server.ready);
    let (ann, ben) = (api.sign_up("ann", "phone").await, api.sign_up("ben", "phone").await);
    let mut session = Session::open(&server.ready, Transport::Tls, &ann).await;
    let mut kept = Kept::default();
    assert_eq!(kept.write(&mut session, &ben, 100).await, None);
    let is_kept = || fs::metadata(&reserve).is_ok_and(|found| found.len() == 33_554_432);
    patiently("the reserve", async {
        while !is_kept() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    server.kill();
    mount.fill(0);
    let mut server = launch.start().await;
    assert_eq!(lines(&server, "serves reading only"), 0, "{}", server.stderr());
    assert!(!is_kept(), "it is given up");
    let mut reader = Session::open(&server.ready, Transport::Quic, &ben).await;
    kept.check(&mut reader, &[]).await;
    mount.free_it();
    patiently("the reserve comes back", async {
        while !is_kept() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    server.restart().await;
}

#[tokio::test]
async fn a_store_is_not_made_on_a_full_disk_and_the_figures_are_said() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("small");
    let Some(mount) = Mount::new(&place, "32m") else { return };
    mount.fill(2 << 20);
    let Err(refused) = launch(&place).try_start().await else { panic!("it serves") };
    let last = refused.stderr.lines().last().unwrap_or_default();
    assert!(last.contains("has 2 MiB free and a start needs 8 MiB"), "{last}");
    assert!(last.contains("free as much"), "{last}");
    mount.free_it();
    let server = launch(&place).start().await;
    Api::plain(&server.ready).sign_up("ann", "phone").await;
}

#[tokio::test]
async fn one_account_stores_no_more_than_it_may_and_the_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let server = Launch::new(&folder.path().join("data"))
        .with("PARLEY_RATES__SENDS_BURST", "100000")
        .with("PARLEY_RATES__STORED_BURST_BYTES", "16777216")
        .with("PARLEY_RATES__STORED_BYTES_PER_SECOND", "1024")
        .start()
        .await;
    let api = Api::plain(&server.ready);
    let (ann, ben) = (api.sign_up("ann", "phone").await, api.sign_up("ben", "phone").await);
    let mut session = Session::open(&server.ready, Transport::Tls, &ann).await;
    let mut kept = Kept::default();
    let failure = kept.write(&mut session, &ben, 1_000).await.expect("it never ends");
    assert_eq!(failure.code, Code::RateLimited as u32);
    assert!(failure.retry_after_ms > 0, "{failure:?}");
    let stored: usize = kept.texts.iter().map(|(_, text)| text.len()).sum();
    assert!(stored > 15 << 20 && stored <= 17 << 20, "{stored}");
    // Another device of hers has the same; deleting is never short of it.
    let other = api.login("ann", "laptop").await;
    let mut other = Session::open(&server.ready, Transport::Quic, &other).await;
    let refused = other.refused(send_to(&ben.user, "x", &words(90_000))).await;
    assert_eq!(refused, Some(Code::RateLimited));
    session.send(asks::delete(&kept.conversation.unwrap(), "d", 1, 1)).await.unwrap();
    let mut bens = Session::open(&server.ready, Transport::Tls, &ben).await;
    bens.say(&ann, "1", &words(90_000)).await;
}
