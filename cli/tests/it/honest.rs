//! Two honest people who go on chatting while somebody misbehaves.
//!
//! They use each transport in turn; a message that is not acknowledged and
//! delivered fails the test. At the end the server must be the same process,
//! without a panic, and with about as much memory as before.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use crate::common::session::{conversation_of, text_of};
use crate::common::{Api, Launch, Person, Server, Session, Transport};

/// What honest people and their server hold during a test.
pub(crate) struct Besieged {
    pub(crate) server: Server,
    pub(crate) api: Api,
    /// Somebody who may misbehave.
    pub(crate) eve: Person,
    /// Whom eve knows.
    pub(crate) ben: Person,
    stop: Arc<AtomicBool>,
    chat: JoinHandle<(u64, Duration)>,
    resident_before: u64,
    _folder: tempfile::TempDir,
}

/// How much memory the server may have gained when it is over.
const GROWTH_BYTES: u64 = 64 << 20;

impl Besieged {
    /// A server on which honest people chat.
    pub(crate) async fn begin() -> Self {
        Self::with(|launch| launch).await
    }

    /// The same with settings.
    pub(crate) async fn with(set: impl FnOnce(Launch) -> Launch) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let launch = Launch::new(&folder.path().join("data"))
            // The honest people write a hundred messages a second to each other.
            .with("PARLEY_RATES__SENDS_BURST", "1000000")
            .with("PARLEY_RATES__ENTRIES_BURST", "1000000");
        let launch = set(launch);
        let server = launch.start().await;
        let api = Api::plain(&server.ready);
        let [one, two] =
            [api.sign_up("honest1", "phone").await, api.sign_up("honest2", "phone").await];
        let (eve, ben) = (api.sign_up("eve", "phone").await, api.sign_up("ben", "phone").await);
        let stop = Arc::new(AtomicBool::new(false));
        let ready = server.ready.clone();
        let (started, begun) = tokio::sync::oneshot::channel();
        let chat = tokio::spawn({
            let stop = Arc::clone(&stop);
            async move {
                let (mut count, mut slowest) = (0, Duration::ZERO);
                let mut started = Some(started);
                while !stop.load(Ordering::Relaxed) {
                    for transport in Transport::ALL {
                        let mut from = Session::open(&ready, transport, &one).await;
                        let mut to = Session::open(&ready, transport, &two).await;
                        for _ in 0..10 {
                            count += 1;
                            let text = format!("honest {count}");
                            let begin = Instant::now();
                            let sent = from.say(&two, &text, &text).await;
                            let conversation = conversation_of(&sent);
                            let entry = to.delivered_up_to(&conversation, sent.seq).await.pop();
                            assert_eq!(text_of(&entry.unwrap()), text);
                            slowest = slowest.max(begin.elapsed());
                            // A pace, not a wait: two cores are shared with the attack.
                            tokio::time::sleep(Duration::from_millis(10)).await;
                        }
                    }
                    if let Some(started) = started.take() {
                        let _ = started.send(());
                    }
                }
                (count, slowest)
            }
        });
        let resident_before = {
            begun.await.expect("the honest people chat");
            server.resident_bytes()
        };
        Self { server, api, eve, ben, stop, chat, resident_before, _folder: folder }
    }

    /// A session of eve's.
    pub(crate) async fn eve(&self, transport: Transport) -> Session {
        Session::open(&self.server.ready, transport, &self.eve).await
    }

    /// Resident bytes gained since the beginning.
    pub(crate) fn growth(&self) -> u64 {
        self.server.resident_bytes().saturating_sub(self.resident_before)
    }

    /// Ends the chat and looks at the damage.
    pub(crate) async fn unharmed(self, attack: &str) {
        self.unharmed_within(GROWTH_BYTES, attack).await;
    }

    /// The same, with another bound for what the attack may cost.
    pub(crate) async fn unharmed_within(mut self, growth_bytes: u64, attack: &str) {
        self.stop.store(true, Ordering::Relaxed);
        let (count, slowest) = self.chat.await.expect("the honest people were disturbed");
        let growth = self.server.resident_bytes().saturating_sub(self.resident_before);
        println!("{attack}: {count} honest messages, slowest {slowest:?}, {growth} bytes more");
        assert!(count > 0);
        assert!(self.server.is_running());
        let log = self.server.stderr();
        assert!(!log.contains("panicked"), "{log}");
        assert!(growth < growth_bytes, "{attack}: {growth} bytes more");
    }
}
