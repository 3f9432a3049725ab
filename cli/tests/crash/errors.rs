//! A disk whose calls fail: from a random one on, once or for good, also while the server
//! starts.
//!
//! The server says which error it was and ends, is not up at all, or the call was one it
//! can do without. Then the disk is whole again, sometimes after a power cut, and all that
//! was acknowledged is there.

use std::collections::BTreeMap;

use rustix::io::Errno;

use crate::common::session::{Said, conversation_of, entries_of, send_to, text_of};
use crate::common::{Api, Launch, Person, Server, Session, Transport};
use crate::lossy::Mounted;
use crate::lossy::trouble::{Call, Planned};
use crate::setting;

/// How many of a kind of call go well at most: about as many as there are in a round.
const fn reach(call: Call) -> usize {
    match call {
        Call::Open => 60,
        Call::Write => 400,
        Call::Sync => 150,
        Call::SyncFolder => 12,
        Call::Rename | Call::Truncate => 5,
    }
}

fn planned(random: &mut fastrand::Rng) -> Planned {
    let call = Call::ALL[random.usize(..Call::ALL.len())];
    let errno = if random.bool() { Errno::IO } else { Errno::NOSPC };
    Planned { call, after: random.usize(..reach(call)), errno, for_good: random.bool() }
}

/// What the operating system calls it.
fn words(errno: Errno) -> &'static str {
    if errno == Errno::IO { "input/output error" } else { "no space left" }
}

struct Talk {
    ann: Person,
    ben: Person,
    acked: BTreeMap<u64, String>,
    conversation: parley_protocol::ConversationId,
    sends: usize,
}

impl Talk {
    async fn begin(server: &Server) -> Self {
        let api = Api::plain(&server.ready);
        let (ann, ben) = (api.sign_up("ann", "phone").await, api.sign_up("ben", "phone").await);
        let mut session = Session::open(&server.ready, Transport::Tls, &ann).await;
        let sent = session.say(&ben, "first", "first").await;
        let acked = BTreeMap::from([(sent.seq, "first".to_owned())]);
        Self { ann, ben, acked, conversation: conversation_of(&sent), sends: 0 }
    }

    /// Sends for a while, or until that fails, which is returned.
    async fn fails(&mut self, server: &Server, random: &mut fastrand::Rng) -> bool {
        let session = Session::resume(&server.ready, Transport::Tls, &self.ann, 0).await;
        let Ok(mut session) = session else { return true };
        for _ in 0..random.u8(50..150) {
            self.sends += 1;
            let text = format!("{} {}", self.sends, "x".repeat(random.usize(..20_000)));
            let ask = send_to(&self.ben.user, &self.sends.to_string(), &text);
            match session.ask(ask).await {
                Ok(Said::Sent(sent)) => {
                    let before = self.acked.insert(sent.seq, text);
                    assert_eq!(before, None, "seq {} was given twice", sent.seq);
                }
                // Which is not to say that it isn't stored.
                Ok(Said::Failure(_)) | Err(_) => return true,
                Ok(other) => panic!("{other:?}"),
            }
        }
        false
    }

    async fn check(&self, server: &Server, round: u64, planned: Planned) {
        let mut session = Session::open(&server.ready, Transport::Quic, &self.ben).await;
        let all = session.fetch_all(&self.conversation, 0).await.expect("everything");
        let all = entries_of(&all);
        assert!(all.iter().map(|entry| entry.seq).eq(1..=all.len() as u64), "dense");
        for (seq, text) in &self.acked {
            let there = all.get(*seq as usize - 1).map(text_of);
            assert!(there.as_ref() == Some(text), "round {round}, {planned:?}: seq {seq} is gone");
        }
    }
}

/// Says why it ended, without a panic.
fn is_clear(log: &str, planned: Planned) {
    assert!(!log.contains("panicked"), "{planned:?}: {log}");
    let last = log.lines().rfind(|line| line.starts_with("parley: ")).unwrap_or_default();
    let named = last.to_lowercase().contains(words(planned.errno));
    assert!(named, "{planned:?}: the last line does not say what it was: {log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root and /dev/fuse: make test runs it where they are"]
async fn a_failing_disk_is_named_and_nothing_acknowledged_is_lost() {
    let rounds = setting("PARLEY_CRASH_ERRORS", 30);
    let seed = setting("PARLEY_SEED", fastrand::u64(..));
    println!("{rounds} rounds, PARLEY_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let folder = tempfile::tempdir().unwrap();
    let mut disk = Mounted::new(&folder.path().join("disk")).expect("mounting");
    let launch = Launch::new(&disk.folder().join("data"))
        .with("PARLEY_RATES__SENDS_BURST", "10000000")
        .with("PARLEY_RATES__SIGN_UPS_BURST", "10000000");
    let mut server = launch.start().await;
    let mut talk = Talk::begin(&server).await;
    server.kill();
    let mut met = 0;
    let mut ways = BTreeMap::<String, usize>::new();
    for round in 1..=rounds {
        let planned = planned(&mut random);
        disk.disk().begin_trouble(planned);
        let way = match launch.try_start().await {
            Err(refused) => {
                is_clear(&refused.stderr, planned);
                assert_ne!(refused.status.code(), Some(0), "{planned:?}");
                "refused to start"
            }
            Ok(mut server) => {
                if talk.fails(&server, &mut random).await {
                    assert_ne!(server.exited().await.code(), Some(0), "{planned:?}");
                    is_clear(&server.stderr(), planned);
                    "ended"
                } else {
                    server.kill();
                    "went on"
                }
            }
        };
        let failed = disk.disk().end_trouble();
        let way_of = match failed {
            0 => "met no error".to_owned(),
            _ => format!("{way} after {:?}", planned.call),
        };
        *ways.entry(way_of).or_default() += 1;
        met += u64::from(failed > 0 && way != "went on");
        assert!(failed > 0 || way == "went on", "{planned:?}: {way} without an error");
        if random.bool() {
            disk.disk().stop();
            disk.disk().let_go();
            disk.come_back(&mut random);
        }
        let mut server = launch.start().await;
        talk.check(&server, round, planned).await;
        server.kill();
    }
    println!("{ways:?}, {} acknowledged", talk.acked.len());
    assert!(met * 4 >= rounds, "void: {ways:?}");
}
