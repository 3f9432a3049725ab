//! Names, presence, typing and acknowledgements: the machine against hand-made envelopes.

#![allow(clippy::unwrap_used, reason = "tests may")]

use bytes::Bytes;
use parley_client_machine::{
    Backoff, Call, CallId, CatchUp, Config, Error, Event, Machine, Output, Reply, Saved, Tick,
    Token, Transport,
};
use parley_protocol::ids::{ConversationId, UserId};
use parley_protocol::limits;
use parley_protocol::wire;
use parley_protocol::wire::client_envelope::Kind;
use parley_protocol::wire::server_envelope::Kind as Answer;
use prost::Message as _;

/// More than a wait between two attempts.
const AGAIN_MS: u64 = 1_000;

const ME: UserId = UserId::new([1; 16]);
const BEN: UserId = UserId::new([2; 16]);
const EVE: UserId = UserId::new([3; 16]);
const PLACE: ConversationId = ConversationId::new([9; 16]);

fn at(now_ms: u64) -> Tick {
    Tick { now_ms, wall_ms: now_ms, random: 0 }
}

fn say(machine: &mut Machine, now_ms: u64, request: u64, kind: Answer) {
    let envelope = wire::ServerEnvelope { request, kind: Some(kind) };
    machine.handle_envelope(at(now_ms), envelope);
}

fn asked(machine: &mut Machine, now_ms: u64) -> Vec<(u64, Kind)> {
    let all = std::iter::from_fn(|| machine.poll_transmit(now_ms));
    all.map(|envelope| (envelope.request, envelope.kind.unwrap())).collect()
}

fn events(machine: &mut Machine) -> Vec<Event> {
    let all = std::iter::from_fn(|| machine.poll_output());
    all.filter_map(|output| match output {
        Output::Emit(event) => Some(event),
        _ => None,
    })
    .collect()
}

fn connect(machine: &mut Machine, now_ms: u64) {
    machine.handle_connected(at(now_ms), Transport::Tls);
    let (request, _) = asked(machine, now_ms).remove(0);
    let welcome = wire::Welcome {
        version: 1,
        session: vec![1; 16].into(),
        user: ME.to_wire(),
        device: vec![1; 16].into(),
        user_name: "me".into(),
        limits: Some(wire::Limits { requests_in_flight: 256, ..wire::Limits::default() }),
        heartbeat_ms: 4_000,
        background_heartbeat_ms: 30_000,
        account_revision: 7,
        ..wire::Welcome::default()
    };
    say(machine, now_ms, request, Answer::Welcome(welcome));
}

/// A machine in session, in a group with Ben.
fn machine() -> Machine {
    machine_among(0)
}

/// A machine in session that knows no conversation.
fn connected() -> Machine {
    let config = Config {
        backoff: Backoff::default(),
        request_timeout_ms: 30_000,
        catch_up: CatchUp::Undelivered,
        can_sign_in: false,
        has_token: true,
        client_name: ("test".into(), "1".into()),
        keeps: false,
    };
    let mut machine = Machine::new(config, Saved::default());
    machine.handle_token(Token::new([1; 32]));
    machine.start();
    connect(&mut machine, 0);
    machine
}

/// A machine in session, in a group with Ben and so many others.
fn machine_among(others: u8) -> Machine {
    let mut machine = connected();
    deliver(&mut machine, &text(1, BEN));
    let (request, _) = asked(&mut machine, 0)
        .into_iter()
        .find(|(_, kind)| matches!(kind, Kind::Describe(_)))
        .unwrap();
    let member = |user: UserId, name: &str| wire::Member {
        user: user.to_wire(),
        name: name.into(),
        joined_seq: 1,
        ..wire::Member::default()
    };
    let others = (0..others).map(|other| member(UserId::new([100 + other; 16]), "one"));
    let described = wire::Described {
        conversation: PLACE.to_wire(),
        kind: wire::ConversationKind::Group as i32,
        members: [member(ME, "me"), member(BEN, "ben")].into_iter().chain(others).collect(),
        last_seq: 1,
        ..wire::Described::default()
    };
    say(&mut machine, 0, request, Answer::Described(described));
    machine
}

fn text(seq: u64, sender: UserId) -> wire::Entry {
    let body = wire::Text { text: "hi".into(), ..wire::Text::default() };
    wire::Entry {
        seq,
        sender: sender.to_wire(),
        kind: wire::EntryKind::Text as u32,
        body: body.encode_to_vec().into(),
        ..wire::Entry::default()
    }
}

fn deliver(machine: &mut Machine, entry: &wire::Entry) {
    let entries = vec![Bytes::from(entry.encode_to_vec())];
    let deliver =
        wire::Deliver { conversation: PLACE.to_wire(), feed_position: entry.seq, entries };
    say(machine, 0, 0, Answer::Deliver(deliver));
}

fn typed(stopped: bool) -> Answer {
    Answer::Typed(wire::Typed {
        conversation: PLACE.to_wire(),
        user: BEN.to_wire(),
        stopped,
        expires_ms: 6_000,
    })
}

fn typing(machine: &mut Machine) -> Vec<(String, bool)> {
    let all = events(machine).into_iter().filter_map(|event| match event {
        Event::Typing(typing) => Some((typing.user.name.to_string(), typing.active)),
        _ => None,
    });
    all.collect()
}

#[test]
fn who_writes_stops_by_themselves_by_word_and_by_sending() {
    let mut machine = machine();
    say(&mut machine, 0, 0, typed(false));
    say(&mut machine, 3_000, 0, typed(false));
    assert_eq!(typing(&mut machine), vec![("ben".into(), true)], "said again is no news");
    assert!(machine.deadline(8_999).unwrap() <= 9_000);
    machine.handle_timeout(at(8_999));
    assert_eq!(typing(&mut machine), vec![]);
    machine.handle_timeout(at(9_000));
    assert_eq!(typing(&mut machine), vec![("ben".into(), false)]);
    say(&mut machine, 9_001, 0, typed(false));
    say(&mut machine, 9_002, 0, typed(true));
    assert_eq!(typing(&mut machine), vec![("ben".into(), true), ("ben".into(), false)]);
    say(&mut machine, 9_003, 0, typed(false));
    deliver(&mut machine, &text(2, BEN));
    assert_eq!(typing(&mut machine), vec![("ben".into(), true), ("ben".into(), false)]);
}

#[test]
fn own_typing_is_said_every_three_seconds_and_its_end_once() {
    let mut machine = machine();
    asked(&mut machine, 0);
    let said = |machine: &mut Machine, now_ms: u64, active: bool| -> Vec<bool> {
        machine.typing(at(now_ms), PLACE, active);
        let all = asked(machine, now_ms).into_iter().filter_map(|(request, kind)| match kind {
            Kind::Typing(typing) if request == 0 => Some(typing.stopped),
            _ => None,
        });
        all.collect()
    };
    assert_eq!(said(&mut machine, 0, true), vec![false]);
    assert_eq!(said(&mut machine, 2_999, true), Vec::<bool>::new());
    assert_eq!(said(&mut machine, 3_000, true), vec![false]);
    assert_eq!(said(&mut machine, 3_001, false), vec![true]);
    assert_eq!(said(&mut machine, 3_002, false), Vec::<bool>::new());
}

#[test]
fn an_unknown_author_is_asked_for_and_a_message_waits_for_nothing_else() {
    let mut machine = machine();
    asked(&mut machine, 0);
    events(&mut machine);
    let authors = |machine: &mut Machine| -> Vec<String> {
        let all = events(machine).into_iter().filter_map(|event| match event {
            Event::Message(message) => Some(message.sender.name.to_string()),
            _ => None,
        });
        all.collect()
    };
    deliver(&mut machine, &text(2, EVE));
    assert_eq!(authors(&mut machine), Vec::<String>::new());
    let wanted = asked(&mut machine, 0);
    let wanted: Vec<u64> = wanted
        .iter()
        .filter(|(_, kind)| matches!(kind, Kind::GetProfile(it) if it.user == EVE.to_wire()))
        .map(|(request, _)| *request)
        .collect();
    assert_eq!(wanted.len(), 1);
    let (user, name) = (EVE.to_wire(), "eve".to_owned());
    let profile = wire::Profile { user, name, ..wire::Profile::default() };
    say(&mut machine, 0, wanted[0], Answer::Profile(profile));
    deliver(&mut machine, &text(3, EVE));
    assert_eq!(authors(&mut machine), vec!["eve", "eve"]);

    // One whom the server doesn't name is called by the id, and asked for once.
    let nobody = UserId::new([8; 16]);
    deliver(&mut machine, &text(4, nobody));
    let (request, _) = asked(&mut machine, 0)
        .into_iter()
        .find(|(_, kind)| matches!(kind, Kind::GetProfile(_)))
        .unwrap();
    let failure = wire::Failure { code: 301, ..wire::Failure::default() };
    say(&mut machine, 0, request, Answer::Failure(failure));
    deliver(&mut machine, &text(5, nobody));
    assert_eq!(authors(&mut machine), vec![nobody.to_string(), nobody.to_string()]);
    assert!(!asked(&mut machine, 0).iter().any(|(_, kind)| matches!(kind, Kind::GetProfile(_))));
}

#[test]
fn a_subscription_is_renewed_in_every_session() {
    let mut machine = machine();
    asked(&mut machine, 0);
    let subscribe = |users: &[UserId], drop: &[UserId]| {
        let ids = |list: &[UserId]| list.iter().map(|user| user.to_wire()).collect();
        let subscribe = wire::Subscribe { users: ids(users), drop: ids(drop), once: false };
        Call::Ask(Kind::Subscribe(subscribe))
    };
    machine.call(at(0), CallId(1), subscribe(&[BEN, EVE], &[]));
    machine.call(at(0), CallId(2), subscribe(&[], &[EVE]));
    machine.handle_failure(at(1), Error::closed());
    machine.handle_timeout(at(AGAIN_MS));
    connect(&mut machine, AGAIN_MS);
    events(&mut machine);
    let renewed =
        asked(&mut machine, AGAIN_MS).into_iter().find_map(|(request, kind)| match kind {
            Kind::Subscribe(subscribe) if subscribe.users == vec![BEN.to_wire()] => {
                subscribe.drop.is_empty().then_some(request)
            }
            _ => None,
        });
    let presence = wire::Presence { user: BEN.to_wire(), online: true, last_seen_ms: 0 };
    let subscribed = wire::Subscribed { presence: vec![presence] };
    say(&mut machine, AGAIN_MS, renewed.unwrap(), Answer::Subscribed(subscribed));
    let came = events(&mut machine).into_iter().find_map(|event| match event {
        Event::Presence(presence) => Some((presence.user.id, presence.online)),
        _ => None,
    });
    assert_eq!(came, Some((BEN, true)));
    let many: Vec<UserId> =
        (0..=limits::SUBSCRIPTIONS as u128).map(|n| UserId::new(n.to_be_bytes())).collect();
    machine.call(at(AGAIN_MS), CallId(3), subscribe(&many, &[]));
    let refused = std::iter::from_fn(|| machine.poll_output()).find_map(|output| match output {
        Output::Reply(CallId(3), Err(error)) => error.code_name(),
        _ => None,
    });
    assert_eq!(refused, Some("list_full"));
}

#[test]
fn going_behind_is_said_at_once_and_pings_less_often() {
    let mut machine = machine();
    asked(&mut machine, 0);
    machine.set_background(at(100), true);
    let pings = |machine: &mut Machine, now_ms: u64| -> Vec<bool> {
        let all = asked(machine, now_ms).into_iter().filter_map(|(_, kind)| match kind {
            Kind::Ping(ping) => Some(ping.background),
            _ => None,
        });
        all.collect()
    };
    assert_eq!(pings(&mut machine, 100), vec![true]);
    assert_eq!(pings(&mut machine, 30_099), Vec::<bool>::new());
    assert_eq!(pings(&mut machine, 30_100), vec![true]);
    machine.set_background(at(30_101), false);
    assert_eq!(pings(&mut machine, 30_101), vec![false]);
    assert_eq!(pings(&mut machine, 34_101), vec![false]);
}

#[test]
fn another_device_that_changes_the_account_is_told_and_our_own_is_not() {
    let mut machine = machine();
    let changed = |machine: &mut Machine, request: u64, revision: u64| -> Vec<u64> {
        let kind = Answer::AccountChanged(wire::AccountChanged { revision });
        say(machine, 0, request, kind);
        let all = events(machine).into_iter().filter_map(|event| match event {
            Event::AccountChanged { revision } => Some(revision),
            _ => None,
        });
        all.collect()
    };
    assert_eq!(changed(&mut machine, 0, 7), Vec::<u64>::new(), "known since the welcome");
    assert_eq!(changed(&mut machine, 0, 8), vec![8]);
    machine.call(at(0), CallId(1), Call::Ask(Kind::UpdateAccount(wire::UpdateAccount::default())));
    let (request, _) = asked(&mut machine, 0)
        .into_iter()
        .find(|(_, kind)| matches!(kind, Kind::UpdateAccount(_)))
        .unwrap();
    assert_eq!(changed(&mut machine, request, 9), Vec::<u64>::new());
    assert_eq!(changed(&mut machine, 0, 9), Vec::<u64>::new());
}

/// The banned are in what the server says of a group, and in no description.
#[test]
fn who_asks_for_what_the_server_says_of_a_group_gets_all_of_it() {
    let mut machine = machine();
    asked(&mut machine, 0);
    let describe = wire::Describe { conversation: PLACE.to_wire() };
    machine.call(at(0), CallId(1), Call::Ask(Kind::Describe(describe)));
    let (request, _) = asked(&mut machine, 0)
        .into_iter()
        .find(|(_, kind)| matches!(kind, Kind::Describe(_)))
        .unwrap();
    let banned = vec![EVE.to_wire()];
    let described = wire::Described {
        conversation: PLACE.to_wire(),
        banned: banned.clone(),
        ..wire::Described::default()
    };
    say(&mut machine, 0, request, Answer::Described(described));
    let told = std::iter::from_fn(|| machine.poll_output()).find_map(|output| match output {
        Output::Reply(CallId(1), Ok(Reply::Answer(answer))) => Some(answer),
        _ => None,
    });
    assert!(matches!(told.as_deref(), Some(Answer::Described(told)) if told.banned == banned));
}

/// Up to where is acknowledged, and the request.
fn acknowledged(machine: &mut Machine, now_ms: u64) -> Option<(u64, u64)> {
    asked(machine, now_ms).into_iter().find_map(|(request, kind)| match kind {
        Kind::Delivered(delivered) => Some((delivered.up_to, request)),
        _ => None,
    })
}

/// Takes two entries, the first acknowledged and confirmed at 0, the second at 1.
fn take_two(machine: &mut Machine) {
    deliver(machine, &text(2, BEN));
    let (up_to, request) = acknowledged(machine, 0).unwrap();
    assert_eq!(up_to, 2);
    let moved = wire::Moved { conversation: PLACE.to_wire(), delivered: 2, read: 0 };
    say(machine, 1, request, Answer::Moved(moved));
    deliver(machine, &text(3, BEN));
    assert_eq!(acknowledged(machine, 1), None);
}

#[test]
fn the_more_members_there_are_the_longer_acknowledgements_are_gathered() {
    for (others, wait_ms) in [(0, 100), (98, 751)] {
        let mut machine = machine_among(others);
        take_two(&mut machine);
        assert_eq!(machine.deadline(1), Some(wait_ms), "{others}");
        machine.handle_timeout(at(wait_ms));
        assert_eq!(acknowledged(&mut machine, wait_ms).map(|(up_to, _)| up_to), Some(3));
    }
}

#[test]
fn whoever_ends_acknowledges_at_once() {
    let mut machine = machine_among(98);
    take_two(&mut machine);
    machine.drain(at(2), 60_000);
    let (up_to, request) = acknowledged(&mut machine, 2).unwrap();
    assert_eq!(up_to, 3);
    assert!(!is_over(&mut machine));
    let moved = wire::Moved { conversation: PLACE.to_wire(), delivered: 3, read: 0 };
    say(&mut machine, 3, request, Answer::Moved(moved));
    assert!(is_over(&mut machine));
}

#[test]
fn whoever_ends_waits_as_long_as_the_server_asks() {
    let mut machine = machine_among(98);
    take_two(&mut machine);
    machine.drain(at(2), 60_000);
    let (_, request) = acknowledged(&mut machine, 2).unwrap();
    let code = parley_protocol::Code::Overloaded as u32;
    let failure = wire::Failure { code, retry_after_ms: 500, ..wire::Failure::default() };
    say(&mut machine, 3, request, Answer::Failure(failure));
    assert_eq!(acknowledged(&mut machine, 3), None);
    machine.handle_timeout(at(2_000));
    assert_eq!(acknowledged(&mut machine, 2_000).map(|(up_to, _)| up_to), Some(3));
}

fn is_over(machine: &mut Machine) -> bool {
    std::iter::from_fn(|| machine.poll_output()).any(|output| matches!(output, Output::Drained(0)))
}

#[test]
fn whether_a_new_conversation_is_a_request_is_asked_before_it_is_shown() {
    let mut machine = connected();
    deliver(&mut machine, &text(1, EVE));
    let asked = asked(&mut machine, 0);
    let place = |wanted: fn(&Kind) -> bool| asked.iter().position(|(_, kind)| wanted(kind));
    let sync = place(|kind| matches!(kind, Kind::Sync(_))).unwrap();
    assert!(sync < place(|kind| matches!(kind, Kind::Describe(_))).unwrap());
    let feed = wire::FeedEntry {
        conversation: PLACE.to_wire(),
        last_seq: 1,
        version: 1,
        request: true,
        ..wire::FeedEntry::default()
    };
    let changes =
        wire::Changes { entries: vec![feed], feed_position: 1, ..wire::Changes::default() };
    say(&mut machine, 0, asked[sync].0, Answer::Changes(changes));
    let line = events(&mut machine).into_iter().find_map(|event| match event {
        Event::Conversation(line) => Some(line),
        _ => None,
    });
    assert!(line.unwrap().request);
}
