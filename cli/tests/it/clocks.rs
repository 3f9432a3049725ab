//! Wall clocks that are wrong, while the server runs and when it starts: what they
//! decide is right again once they are.
//!
//! A small library between the server and the C library adds seconds to the wall's
//! clock, as many as a file says; the clock that never steps is left alone. It is made
//! with `cc`, which Rust links with.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hyper::Method;
use parley_protocol::ConversationId;
use parley_protocol::http::{Discovery, Ticket};
use parley_protocol::wire::{
    ConversationSettings, Entry, FeedEntry, InviteLink, NewInvite, Presence, fetch::From, invites,
};

use crate::common::asks;
use crate::common::session::{Said, conversation_of, entries_of, hello, send_into, text_of};
use crate::common::{Api, Connection, Launch, Person, Server, Session, Transport, patiently};
use crate::history::{done, fetched, group, seqs};

/// What stands between: no memory is asked for and nothing is looked up, so that it works
/// from the first instruction on, whatever allocates.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile long long *seconds;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("WALL_SHIFT");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *there = mmap(0, sizeof(long long), PROT_READ, MAP_SHARED, file, 0);
    if (there != MAP_FAILED) seconds = there;
    close(file);
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    int failed = (int)syscall(SYS_clock_gettime, clock, time);
    int wall = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
    if (!failed && wall && seconds) time->tv_sec += *seconds;
    return failed;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    struct timespec now;
    (void)zone;
    int failed = clock_gettime(CLOCK_REALTIME, &now);
    if (!failed) { time->tv_sec = now.tv_sec; time->tv_usec = now.tv_nsec / 1000; }
    return failed;
}

time_t time(time_t *to) {
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
    if (to) *to = now.tv_sec;
    return now.tv_sec;
}
"#;

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;
/// How far stamps may be from the clock when it is right.
const NEAR_MS: u64 = 5 * MINUTE_MS;
/// 2038-01-19T03:14:08Z, 2100-01-01, 9999-12-25: a certificate of 12 days ends after 9999.
const YEARS: [i64; 3] = [2_147_483_648, 4_102_444_800, 253_401_782_400];

/// A wall clock of its own, for servers.
struct Wall {
    folder: tempfile::TempDir,
    seconds: File,
}

impl Wall {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("wall.c"), SHIM).unwrap();
        let made = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .args([at("wall.so"), at("wall.c")])
            .output()
            .expect("`cc` runs: this test makes a library with it, as Rust links with it");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let seconds = File::create(at("seconds")).unwrap();
        let wall = Self { folder, seconds };
        wall.shift(0);
        wall
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A server by this clock, which erases often.
    fn launch(&self) -> Launch {
        Launch::new(&self.path("data"))
            .with("LD_PRELOAD", self.path("wall.so").to_str().unwrap())
            .with("WALL_SHIFT", self.path("seconds").to_str().unwrap())
            .with("PARLEY_STORAGE__ERASE_EVERY_MS", "50")
    }

    /// It is ahead by so much; behind below zero.
    fn shift(&self, seconds: i64) {
        self.seconds.write_all_at(&seconds.to_ne_bytes(), 0).unwrap();
    }

    /// It shows this moment, in seconds since 1970.
    fn set(&self, to: i64) {
        self.shift(to - now_s());
    }
}

fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

fn now_s() -> i64 {
    i64::try_from(now_ms() / 1000).unwrap()
}

fn is_near(time_ms: u64) -> bool {
    time_ms.abs_diff(now_ms()) < NEAR_MS
}

/// Until the eraser found the wall's clock so many seconds ahead.
async fn until_behind(server: &Server, is: impl Fn(f64) -> bool) {
    patiently("the eraser looks at the clock", async {
        loop {
            let reply = Api::plain(&server.ready.operator()).get("/metrics", None).await;
            let text = String::from_utf8(reply.body.to_vec()).unwrap();
            let line = text.lines().find(|line| line.starts_with("parley_erasing_behind_seconds "));
            let behind = line.and_then(|line| line.rsplit(' ').next()?.parse().ok());
            if behind.is_some_and(&is) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

/// A group whose entries are kept for two hours.
async fn kept(session: &mut Session, members: &[&Person]) -> ConversationId {
    let members: Vec<_> = members.iter().map(|person| person.user).collect();
    let settings = ConversationSettings { retention_s: 7_200, ..ConversationSettings::default() };
    let ask = asks::new_group("group", "Friends", settings, &members);
    conversation_of(&session.send(ask).await.unwrap())
}

async fn log(session: &mut Session, id: &ConversationId) -> Vec<Entry> {
    entries_of(&session.fetch_all(id, 0).await.unwrap())
}

/// What is said in it, of those that are not erased.
async fn words(session: &mut Session, id: &ConversationId) -> Vec<String> {
    let entries = log(session, id).await;
    let there = entries.iter().filter(|entry| !entry.erased && entry.kind == 1);
    there.map(text_of).collect()
}

/// The user's conversations with their times, by which lists are sorted.
async fn list(session: &mut Session) -> Vec<FeedEntry> {
    session.sync(0).await.unwrap().entries
}

async fn link(session: &mut Session, id: &ConversationId, expires_ms: u64) -> InviteLink {
    let act = invites::Act::Create(NewInvite { expires_ms, max_uses: 0 });
    match session.ask(asks::invites(id, act)).await {
        Ok(Said::InviteLinks(links)) => links.links.into_iter().next().unwrap(),
        other => panic!("not InviteLinks: {other:?}"),
    }
}

async fn presence(session: &mut Session, of: &Person) -> Presence {
    match session.ask(asks::subscribe(&[of.user], true)).await {
        Ok(Said::Subscribed(answer)) => answer.presence.into_iter().next().unwrap(),
        other => panic!("not Subscribed: {other:?}"),
    }
}

/// A ticket of the person opens a session.
async fn enter(server: &Server, person: &Person) {
    let api = Api::plain(&server.ready);
    let reply = api.call(Method::POST, "/v1/ticket", Some(&person.bearer), None).await;
    let ticket = reply.json::<Ticket>().ticket;
    let wire = Connection::open_with_ticket(&server.ready, &ticket).await.unwrap();
    Session::over(wire, hello(b"", 0)).await.unwrap();
}

#[tokio::test]
async fn a_day_ahead_for_a_moment_erases_nothing_and_is_forgotten() {
    let wall = Wall::new();
    let server = wall.launch().start().await;
    let api = Api::plain(&server.ready);
    let (ann, ben) = (api.sign_up("ann", "phone").await, api.sign_up("ben", "phone").await);
    let mut a = Session::open(&server.ready, Transport::Quic, &ann).await;
    let mut b = Session::open(&server.ready, Transport::Tls, &ben).await;
    let id = kept(&mut a, &[&ben]).await;
    done(&mut a, send_into(&id, "1", "before")).await;
    let pinned = done(&mut a, send_into(&id, "2", "pinned")).await;
    done(&mut a, asks::pin(&id, "pin", pinned, false)).await;
    let invite = link(&mut a, &id, now_ms() + HOUR_MS).await;
    until_behind(&server, |behind| behind < 1.0).await;

    wall.shift(86_400);
    until_behind(&server, |behind| behind > 80_000.0).await;
    let ahead = a.send(send_into(&id, "3", "ahead")).await.unwrap();
    assert!(ahead.time_ms > now_ms() + DAY_MS - NEAR_MS, "people see what the clock shows");
    assert_eq!(words(&mut b, &id).await, ["ahead"], "the rest is out of sight");
    // What makes room for others must not take for good what a wrong clock ended.
    done(&mut a, asks::pin(&id, "pin2", ahead.seq, false)).await;
    link(&mut a, &id, 0).await;
    a.say(&ben, "d1", "ahead, too").await;

    wall.shift(0);
    until_behind(&server, |behind| behind < 1.0).await;
    let after = a.send(send_into(&id, "4", "after")).await.unwrap();
    assert!(is_near(after.time_ms), "{}", after.time_ms);
    assert_eq!(words(&mut b, &id).await, ["before", "pinned", "ahead", "after"]);
    assert!(a.say(&ben, "d2", "after").await.time_ms < now_ms() + NEAR_MS);
    let newest = list(&mut a).await;
    assert!(newest.iter().all(|entry| is_near(entry.last_time_ms)), "{newest:?}");
    assert!(newest.iter().all(|entry| is_near(entry.last_message_ms)), "{newest:?}");
    assert_eq!(newest.len(), 2);
    // By time, the message of the day ahead stands where it was said.
    let since = fetched(&mut b, &id, From::AroundTimeMs(after.time_ms), 1).await;
    assert_eq!(seqs(&entries_of(&since.entries)), [ahead.seq]);
    let pins = fetched(&mut b, &id, From::Pinned(true), 0).await;
    assert_eq!(seqs(&entries_of(&pins.entries)), [pinned, ahead.seq]);
    let eve = api.sign_up("eve", "phone").await;
    let mut e = Session::open(&server.ready, Transport::WebSocket, &eve).await;
    e.send(asks::join(&invite.code, "join")).await.unwrap();
}

#[tokio::test]
async fn a_start_in_2100_leaves_everything_as_it_was() {
    let wall = Wall::new();
    let mut server = wall.launch().start().await;
    let api = Api::plain(&server.ready);
    let (ann, ben) = (api.sign_up("ann", "phone").await, api.sign_up("ben", "phone").await);
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let id = kept(&mut a, &[&ben]).await;
    done(&mut a, send_into(&id, "1", "before")).await;
    let invite = link(&mut a, &id, now_ms() + HOUR_MS).await;
    until_behind(&server, |behind| behind < 1.0).await;
    server.kill();

    wall.set(YEARS[1]);
    server.restart().await;
    until_behind(&server, |behind| behind > 1e9).await;
    let api = Api::plain(&server.ready);
    let again = api.login("ben", "tablet").await;
    enter(&server, &ann).await;
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let mut b = Session::open(&server.ready, Transport::Quic, &again).await;
    done(&mut b, send_into(&id, "2", "ahead")).await;
    link(&mut a, &id, 0).await;
    assert!(presence(&mut a, &ben).await.online);
    server.kill();

    wall.shift(0);
    server.restart().await;
    until_behind(&server, |behind| behind < 1.0).await;
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    // Written down in 2100, when he was there last.
    let seen = presence(&mut a, &ben).await;
    assert!(!seen.online && seen.last_seen_ms < now_ms() + NEAR_MS, "{seen:?}");
    let mut b = Session::open(&server.ready, Transport::Quic, &ben).await;
    assert_eq!(words(&mut a, &id).await, ["before", "ahead"]);
    assert!(is_near(a.send(send_into(&id, "3", "after")).await.unwrap().time_ms));
    assert!(list(&mut b).await.iter().all(|entry| is_near(entry.last_time_ms)));
    enter(&server, &again).await;
    let api = Api::plain(&server.ready);
    api.login("ann", "laptop").await;
    let devices = api.devices(&ben).await.devices;
    assert_eq!(devices.len(), 2, "{devices:?}");
    assert!(devices.iter().filter(|it| it.current).all(|it| is_near(it.last_active_ms)));
    let eve = api.sign_up("eve", "phone").await;
    let mut e = Session::open(&server.ready, Transport::WebSocket, &eve).await;
    e.send(asks::join(&invite.code, "join")).await.unwrap();
}

#[tokio::test]
async fn a_start_in_1970_works_and_what_was_written_then_stays() {
    let wall = Wall::new();
    wall.set(5);
    let mut server = wall.launch().start().await;
    let api = Api::plain(&server.ready);
    let (ann, ben) = (api.sign_up("ann", "phone").await, api.sign_up("ben", "phone").await);
    let mut id = None;
    for transport in [Transport::Tls, Transport::Quic, Transport::WebSocket] {
        let mut a = Session::open(&server.ready, transport, &ann).await;
        let at = match id {
            Some(id) => id,
            None => *id.insert(kept(&mut a, &[&ben]).await),
        };
        let sent = a.send(send_into(&at, &format!("{transport:?}"), "in 1970")).await.unwrap();
        assert!(sent.time_ms < DAY_MS, "{}", sent.time_ms);
    }
    let id = id.unwrap();
    enter(&server, &ben).await;

    wall.shift(0);
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    until_behind(&server, |behind| behind < 1.0).await;
    assert_eq!(words(&mut a, &id).await, ["in 1970"; 3], "nothing says that it is old");
    assert!(is_near(a.send(send_into(&id, "now", "now")).await.unwrap().time_ms));
    assert_eq!(words(&mut a, &id).await.len(), 4);
    assert!(list(&mut a).await.iter().all(|entry| is_near(entry.last_time_ms)));
    // Not killed: what the eraser saw of the clock is noted by then.
    server.terminate();
    assert_eq!(server.exited().await.code(), Some(0));

    // A store that knows better is not told so.
    wall.set(5);
    server.restart().await;
    let mut b = Session::open(&server.ready, Transport::Quic, &ben).await;
    assert!(is_near(b.send(send_into(&id, "b", "known")).await.unwrap().time_ms));
    let fresh = group(&mut b, &[&ann]).await;
    assert!(is_near(log(&mut b, &fresh).await[0].time_ms));
    wall.shift(0);
    assert_eq!(words(&mut b, &id).await.len(), 5);
}

#[tokio::test]
async fn it_starts_in_any_year_with_web_transport_too() {
    for second in YEARS {
        let wall = Wall::new();
        wall.set(second);
        let launch = wall.launch().with("PARLEY_WEBTRANSPORT__ENABLED", "true");
        let server = launch.start().await;
        let api = Api::over_tls(&server.ready);
        let discovery: Discovery = api.get("/v1/discovery", None).await.json();
        assert!(discovery.nodes[0].wt.is_some());
        let (ann, ben) = (api.sign_up("ann", "phone").await, api.sign_up("ben", "phone").await);
        for transport in [Transport::Tls, Transport::Quic, Transport::WebSocket] {
            let mut a = Session::open(&server.ready, transport, &ann).await;
            let sent = a.say(&ben, &format!("{transport:?}"), "hello").await;
            assert!(sent.time_ms / 1000 >= u64::try_from(second).unwrap(), "{}", sent.time_ms);
        }
        enter(&server, &ben).await;
        // It is put right while it runs, and back again.
        for at in [now_s(), second, 0, now_s()] {
            wall.set(at);
            let mut b = Session::open(&server.ready, Transport::Tls, &ben).await;
            b.say(&ann, &format!("at {at}"), "hello").await;
            assert_eq!(api.login("ann", "tablet").await.user, ann.user);
        }
        assert!(!server.stderr().contains("panicked"), "{}", server.stderr());
    }
}
