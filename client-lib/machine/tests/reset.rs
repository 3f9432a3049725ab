//! A server whose store is another one: the machine against hand-made envelopes.

#![allow(clippy::unwrap_used, reason = "tests may")]

use bytes::Bytes;
use parley_client_machine::{
    Action, Backoff, CatchUp, Config, DamagedEntry, Error, ErrorKind, Event, Machine, NewMessage,
    Output, Reset, ResetReason, Save, Saved, SavedAccount, Tick, To, Token, Transport, User,
    compose,
};
use parley_protocol::ids::{ClientMessageId, ConversationId, DeviceId, UserId};
use parley_protocol::wire::client_envelope::Kind;
use parley_protocol::wire::server_envelope::Kind as Answer;
use parley_protocol::wire::{self, EntryKind};
use prost::Message as _;

const ME: UserId = UserId::new([1; 16]);
const BEN: UserId = UserId::new([2; 16]);
const PLACE: ConversationId = ConversationId::new([9; 16]);
const FIRST: [u8; 16] = [1; 16];
const SECOND: [u8; 16] = [2; 16];

const TICK: Tick = Tick { now_ms: 0, wall_ms: 0, random: 0 };

struct Scene {
    machine: Machine,
    events: Vec<Event>,
    saves: Vec<Save>,
}

impl Scene {
    /// A client with a store, which noted this incarnation in an earlier run.
    fn new(noted: Option<[u8; 16]>) -> Self {
        let config = Config {
            backoff: Backoff::default(),
            request_timeout_ms: 30_000,
            catch_up: CatchUp::Undelivered,
            can_sign_in: false,
            has_token: true,
            client_name: ("test".into(), "1".into()),
            keeps: true,
        };
        let user = User { id: ME, name: "me".into() };
        let device = DeviceId::new([1; 16]);
        let account = SavedAccount { user, device, revision: 7, incarnation: noted };
        let saved = Saved { account: Some(account), feed_position: 5, ..Saved::default() };
        let mut machine = Machine::new(config, saved);
        machine.handle_token(Token::new([1; 32]));
        machine.start();
        Self { machine, events: Vec::new(), saves: Vec::new() }
    }

    fn settle(&mut self) {
        self.saves.extend(self.machine.take_saves());
        while let Some(output) = self.machine.poll_output() {
            if let Output::Emit(event) = output {
                self.events.push(event);
            }
        }
    }

    fn asked(&mut self) -> Vec<(u64, Kind)> {
        let all = std::iter::from_fn(|| self.machine.poll_transmit(0));
        all.map(|envelope| (envelope.request, envelope.kind.unwrap())).collect()
    }

    fn say(&mut self, request: u64, kind: Answer) {
        let envelope = wire::ServerEnvelope { request, kind: Some(kind) };
        self.machine.handle_envelope(TICK, envelope);
        self.settle();
    }

    /// Connects anew.
    fn connect(&mut self, incarnation: &[u8], changes: wire::Changes) {
        self.machine.handle_failure(TICK, Error::new(ErrorKind::Network, "cut"));
        self.machine.force_reconnect(TICK);
        self.machine.handle_connected(TICK, Transport::Tls);
        let (request, hello) = self.asked().remove(0);
        assert!(matches!(hello, Kind::Hello(_)));
        let welcome = wire::Welcome {
            version: 1,
            session: vec![1; 16].into(),
            user: ME.to_wire(),
            device: vec![1; 16].into(),
            user_name: "me".into(),
            limits: Some(wire::Limits { requests_in_flight: 256, ..wire::Limits::default() }),
            heartbeat_ms: 4_000,
            background_heartbeat_ms: 30_000,
            account_revision: 3,
            changes: Some(changes),
            incarnation: Bytes::copy_from_slice(incarnation),
            ..wire::Welcome::default()
        };
        self.say(request, Answer::Welcome(welcome));
    }

    /// Holds the messages up to this seq in a 1:1 with Ben.
    fn hold(&mut self, last: u64) {
        for seq in 1..=last {
            self.deliver(&text(seq, 10));
            self.answer_description();
        }
    }

    fn deliver(&mut self, entry: &wire::Entry) {
        let entries = vec![entry.encode_to_vec().into()];
        let conversation = PLACE.to_wire();
        let deliver = wire::Deliver { conversation, feed_position: 6, entries };
        self.say(0, Answer::Deliver(deliver));
    }

    fn answer_description(&mut self) {
        let member = |user: UserId, name: &str| wire::Member {
            user: user.to_wire(),
            name: name.into(),
            ..wire::Member::default()
        };
        for (request, kind) in self.asked() {
            if matches!(kind, Kind::Describe(_)) {
                let described = wire::Described {
                    conversation: PLACE.to_wire(),
                    kind: wire::ConversationKind::Direct as i32,
                    members: vec![member(ME, "me"), member(BEN, "ben")],
                    last_seq: 1,
                    ..wire::Described::default()
                };
                self.say(request, Answer::Described(described));
            }
        }
    }

    fn queue(&mut self, to: To, action: Action, id: &'static [u8]) {
        let id = ClientMessageId::new(Bytes::from_static(id)).unwrap();
        let (kind, body) = compose(&to, action).unwrap();
        self.machine.queue(to, id, kind, body);
        self.settle();
    }

    fn resets(&self) -> Vec<Reset> {
        let all = self.events.iter();
        all.filter_map(|event| if let Event::Reset(it) = event { Some(*it) } else { None })
            .collect()
    }

    fn taken(&self) -> Vec<u64> {
        let all = self.events.iter();
        all.filter_map(|event| if let Event::Message(it) = event { Some(it.seq) } else { None })
            .collect()
    }
}

fn text(seq: u64, time_ms: u64) -> wire::Entry {
    let body = wire::Text { text: "hi".into(), ..wire::Text::default() };
    wire::Entry {
        seq,
        ordinal: seq,
        time_ms,
        epoch: 1,
        sender: BEN.to_wire(),
        kind: EntryKind::Text as u32,
        body: body.encode_to_vec().into(),
        ..wire::Entry::default()
    }
}

fn changed(last_seq: u64, last_time_ms: u64) -> wire::Changes {
    let entry = wire::FeedEntry {
        conversation: PLACE.to_wire(),
        version: 7,
        last_seq,
        last_time_ms,
        ..wire::FeedEntry::default()
    };
    wire::Changes { entries: vec![entry], feed_position: 7, more: false }
}

fn page(entries: &[wire::Entry], last_seq: u64) -> Answer {
    let entries = entries.iter().map(|entry| entry.encode_to_vec().into()).collect();
    let conversation = PLACE.to_wire();
    Answer::Fetched(wire::Fetched { conversation, entries, last_seq, ..wire::Fetched::default() })
}

/// The question whether the log is still the same, if it was asked.
fn check(asked: &[(u64, Kind)]) -> Option<(u64, u64)> {
    asked.iter().find_map(|(request, kind)| match kind {
        Kind::Fetch(wire::Fetch {
            from: Some(wire::fetch::From::AfterSeq(seq)), limit: 1, ..
        }) => Some((*request, *seq)),
        _ => None,
    })
}

#[test]
fn another_incarnation_drops_the_copy_and_keeps_what_the_user_made() {
    let mut scene = Scene::new(Some(FIRST));
    scene.connect(&FIRST, wire::Changes::default());
    scene.hold(3);
    scene.machine.handle_failure(TICK, Error::new(ErrorKind::Network, "cut"));
    let message = || Action::Text(NewMessage::text("unsent"));
    scene.queue(To::Conversation(PLACE), message(), b"one");
    scene.queue(
        To::Conversation(PLACE),
        Action::React { seq: 3, emoji: "x".into(), removed: false },
        b"two",
    );
    scene.saves.clear();
    assert!(scene.resets().is_empty());
    scene.connect(&SECOND, changed(9, 9));
    let reason = ResetReason::StorePutBack;
    assert_eq!(scene.resets(), vec![Reset { conversation: None, reason }]);
    let at = |what: fn(&Event) -> bool| scene.events.iter().rposition(what).unwrap();
    let failed = at(|event| matches!(event, Event::SendFailed { .. }));
    let told = at(|event| matches!(event, Event::Reset(_)));
    assert!(failed < told, "what is about another message is refused at once");
    assert!(matches!(scene.events.last(), Some(Event::AccountChanged { revision: 3 })));
    let first = scene.saves.iter().position(|save| *save == Save::Reset).unwrap();
    let noted = scene.saves.iter().position(
        |save| matches!(save, Save::Account(it) if it.incarnation == Some(SECOND) && it.revision == 3),
    );
    assert!(first < noted.unwrap(), "in one commit, the old before the new");
    assert_eq!(scene.machine.queued(), 1);
    let asked = scene.asked();
    assert!(asked.iter().any(|(_, kind)| *kind == Kind::Sync(wire::Sync { feed_position: 0 })));
    // To the user: the conversation may have begun after the copy.
    let send = asked.iter().find_map(|(_, kind)| match kind {
        Kind::Send(send) => Some((send.to.clone(), send.client_message_id.clone())),
        _ => None,
    });
    let to_ben = Some(wire::send::To::Peer(BEN.to_wire()));
    assert_eq!(send, Some((to_ben, Bytes::from_static(b"one"))));
    // As on a new device, from where the server's cursor stands.
    scene.events.clear();
    let (sync, _) = asked.into_iter().find(|(_, kind)| matches!(kind, Kind::Sync(_))).unwrap();
    scene.say(sync, Answer::Changes(changed(2, 20)));
    scene.answer_description();
    let asked = scene.asked();
    let (gap, _) = asked.into_iter().find(|(_, kind)| matches!(kind, Kind::Fetch(_))).unwrap();
    scene.say(gap, page(&[text(1, 10), text(2, 20)], 2));
    assert_eq!(scene.taken(), vec![1, 2]);
    scene.connect(&SECOND, wire::Changes::default());
    assert!(scene.resets().is_empty(), "once");
}

#[test]
fn a_copy_of_before_adopts_the_incarnation_and_a_silent_server_changes_nothing() {
    let mut scene = Scene::new(None);
    scene.connect(&[], wire::Changes::default());
    scene.hold(1);
    scene.connect(&FIRST, wire::Changes::default());
    scene.connect(&[], wire::Changes::default());
    scene.connect(&FIRST, wire::Changes::default());
    assert!(scene.resets().is_empty() && !scene.saves.contains(&Save::Reset));
    scene.connect(&SECOND, wire::Changes::default());
    assert_eq!(scene.resets().len(), 1);
}

#[test]
fn an_incarnation_of_another_length_is_no_welcome() {
    let mut scene = Scene::new(Some(FIRST));
    scene.connect(&[7; 15], wire::Changes::default());
    assert!(scene.resets().is_empty() && scene.asked().is_empty());
}

#[test]
fn a_feed_that_lags_behind_is_asked_about_and_nothing_is_dropped() {
    let mut scene = Scene::new(Some(FIRST));
    scene.connect(&FIRST, wire::Changes::default());
    scene.hold(3);
    // Killed and started again, the server's feed may say less than its log has.
    scene.connect(&FIRST, changed(2, 10));
    let (request, after) = check(&scene.asked()).unwrap();
    assert_eq!(after, 2);
    scene.say(request, page(&[text(3, 10)], 3));
    assert!(scene.resets().is_empty());
    assert_eq!(check(&scene.asked()), None, "once is enough");
    scene.connect(&FIRST, changed(3, 10));
    assert_eq!(check(&scene.asked()), None, "nothing is odd");
}

#[test]
fn a_log_that_ends_earlier_or_is_another_drops_the_conversation() {
    let cases = [
        (changed(2, 10), page(&[], 2), ResetReason::LogEndsEarlier),
        (changed(3, 11), page(&[text(3, 11)], 3), ResetReason::LogDiffers),
    ];
    for (changes, answer, reason) in cases {
        let mut scene = Scene::new(Some(FIRST));
        scene.connect(&FIRST, wire::Changes::default());
        scene.hold(3);
        scene.connect(&FIRST, changes.clone());
        let (request, _) = check(&scene.asked()).unwrap();
        scene.say(request, answer);
        assert_eq!(scene.resets(), vec![Reset { conversation: Some(PLACE), reason }]);
        assert!(scene.saves.contains(&Save::Dropped(PLACE)));
        assert_eq!(scene.saves.last(), Some(&Save::Feed(0)));
        let sync = Kind::Sync(wire::Sync { feed_position: 0 });
        assert!(scene.asked().iter().any(|(_, kind)| *kind == sync));
    }
}

#[test]
fn another_entry_at_a_held_seq_drops_the_conversation_and_the_same_one_does_not() {
    let erased = wire::Entry { body: Bytes::new(), erased: true, ..text(2, 10) };
    let damaged = wire::Entry { seq: 2, damaged: true, ..wire::Entry::default() };
    let other = wire::Entry { sender: ME.to_wire(), ..text(2, 10) };
    for (entry, resets) in [(text(2, 10), 0), (erased, 0), (damaged, 0), (other, 1)] {
        let mut scene = Scene::new(Some(FIRST));
        scene.connect(&FIRST, wire::Changes::default());
        scene.hold(3);
        scene.deliver(&entry);
        assert_eq!(scene.resets().len(), resets, "{entry:?}");
        assert_eq!(check(&scene.asked()), None);
    }
}

#[test]
fn what_the_server_lost_is_passed_on_as_such_and_what_follows_too() {
    let mut scene = Scene::new(Some(FIRST));
    scene.connect(&FIRST, wire::Changes::default());
    scene.hold(1);
    scene.deliver(&wire::Entry { seq: 2, damaged: true, ..wire::Entry::default() });
    scene.deliver(&text(3, 10));
    let lost = DamagedEntry { conversation: PLACE, seq: 2 };
    assert!(scene.events.iter().any(|event| matches!(event, Event::Damaged(it) if *it == lost)));
    assert_eq!(scene.taken(), vec![1, 3]);
    let asked = scene.asked();
    assert!(!asked.iter().any(|(_, kind)| matches!(kind, Kind::GetProfile(_))), "of nobody");
    assert!(
        asked.iter().any(|(_, kind)| matches!(kind, Kind::Describe(_))),
        "it may have been a change"
    );
}
