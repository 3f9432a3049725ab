//! The order of a session's life, and each request's form.

use super::*;
use crate::conversation::Move;
use parley_protocol::wire::{client_envelope::Kind, fetch, send};
use proptest::prelude::*;

const NOW: u64 = 1_000_000;

fn options() -> Options {
    Options {
        limits: wire::Limits {
            text_chars: 10,
            frame_bytes: 1000,
            requests_in_flight: 2,
            fetch_entries: 50,
            group_members: 200,
            least_retention_s: 3600,
        },
        heartbeat_ms: 100,
        background_heartbeat_ms: 1000,
        handshake_ms: 1000,
        incarnation: [4; 16],
    }
}

fn fresh() -> Session {
    Session::new(Arc::new(options()), SessionId::new([5; 16]), NOW)
}

fn identity() -> Identity {
    Identity { user: UserId::new([1; 16]), name: "ann".into(), device: DeviceId::new([2; 16]) }
}

fn frame(request: u64, kind: Kind) -> Bytes {
    wire::ClientEnvelope { request, kind: Some(kind) }.encode_to_vec().into()
}

fn hello() -> wire::Hello {
    wire::Hello {
        version_min: 1,
        version_max: 1,
        token: vec![7; 32].into(),
        features: vec![1, 99],
        feed_position: 42,
        ..Default::default()
    }
}

fn open() -> Session {
    let mut session = fresh();
    assert!(matches!(
        session.handle_envelope(frame(1, Kind::Hello(hello())), NOW),
        Action::Authenticate(_)
    ));
    assert!(
        session.handle_authenticated(&identity(), wire::Changes::default(), 3, 77, NOW).is_some()
    );
    session
}

fn text_send(request: u64) -> Bytes {
    frame(
        request,
        Kind::Send(wire::Send {
            to: Some(send::To::Peer(vec![3; 16].into())),
            client_message_id: "a".into(),
            kind: 1,
            body: wire::Text { text: "hi".into(), ..wire::Text::default() }.encode_to_vec().into(),
        }),
    )
}

#[test]
fn hello_leads_through_authentication_to_welcome() {
    let mut session = fresh();
    let Action::Authenticate(hello) = session.handle_envelope(frame(9, Kind::Hello(hello())), NOW)
    else {
        panic!()
    };
    assert_eq!((hello.token, hello.feed_position, &*hello.features), (Some([7; 32]), 42, &[1][..]));
    assert!(!session.wants_input());
    let welcome = session
        .handle_authenticated(&identity(), wire::Changes::default(), 3, 77, NOW + 1)
        .unwrap();
    assert_eq!(welcome.request, 9);
    let Some(server_envelope::Kind::Welcome(welcome)) = welcome.kind else { panic!() };
    assert_eq!((welcome.version, &*welcome.features, &*welcome.user_name), (1, &[1][..], "ann"));
    assert_eq!(welcome.incarnation, vec![4; 16]);
    assert!(session.is_open() && session.wants_input());
}

#[test]
fn anything_but_hello_first_closes() {
    for kind in [
        Kind::Ping(wire::Ping::default()),
        Kind::Goodbye(wire::Goodbye {}),
        Kind::Sync(wire::Sync::default()),
    ] {
        let mut session = fresh();
        assert_eq!(
            session.handle_envelope(frame(1, kind), NOW),
            Action::Close(Code::HelloExpected)
        );
        assert_eq!(session.handle_envelope(frame(1, Kind::Hello(hello())), NOW), Action::Nothing);
    }
    let mut session = fresh();
    assert_eq!(
        session.handle_envelope(Bytes::from_static(b"\xff\xff"), NOW),
        Action::Close(Code::BadEnvelope)
    );
}

#[test]
fn malformed_hellos_close_with_the_reason() {
    type Spoil = fn(&mut wire::Hello);
    let cases: [(Spoil, Code); 5] = [
        (|h| h.version_min = 2, Code::VersionUnsupported),
        (|h| h.version_max = 0, Code::VersionUnsupported),
        (|h| h.token = vec![1; 31].into(), Code::TokenInvalid),
        (|h| h.client_name = "x".repeat(65), Code::BadRequest),
        (|h| h.features = vec![1; 65], Code::BadRequest),
    ];
    for (spoil, code) in cases {
        let mut bad = hello();
        spoil(&mut bad);
        assert_eq!(fresh().handle_envelope(frame(1, Kind::Hello(bad)), NOW), Action::Close(code));
    }
}

#[test]
fn a_second_hello_closes() {
    assert_eq!(
        open().handle_envelope(frame(2, Kind::Hello(hello())), NOW),
        Action::Close(Code::HelloTwice)
    );
}

#[test]
fn silence_ends_a_session_and_dripping_does_not_stretch_the_handshake() {
    let mut session = fresh();
    assert_eq!(session.deadline_ms(), NOW + 1000);
    assert_eq!(session.handle_timeout(NOW + 999), None);
    assert_eq!(session.handle_timeout(NOW + 1000), Some(Code::HandshakeTimeout));
    assert_eq!(session.handle_timeout(NOW + 2000), None);

    let mut session = open();
    assert_eq!(session.deadline_ms(), NOW + 300);
    session.handle_envelope(frame(0, Kind::Ping(wire::Ping::default())), NOW + 250);
    assert_eq!(session.handle_timeout(NOW + 300), None);
    assert_eq!(session.handle_timeout(NOW + 550), Some(Code::HeartbeatMissed));
}

#[test]
fn silence_while_nothing_could_be_read_is_not_the_devices() {
    let mut session = open();
    session.handle_deafness(NOW + 299);
    assert_eq!(session.handle_timeout(NOW + 300), None);
    assert_eq!(session.handle_timeout(NOW + 599), Some(Code::HeartbeatMissed));
    // The handshake is no longer for it.
    let mut session = fresh();
    session.handle_deafness(NOW + 999);
    assert_eq!(session.handle_timeout(NOW + 1000), Some(Code::HandshakeTimeout));
}

#[test]
fn heartbeats_are_told_from_all_else() {
    assert!(Session::is_ping(&frame(0, Kind::Ping(wire::Ping::default()))));
    assert!(Session::is_ping(&frame(7, Kind::Ping(wire::Ping { background: true }))));
    for other in [
        frame(1, Kind::Goodbye(wire::Goodbye {})),
        text_send(1),
        Bytes::new(),
        Bytes::from_static(b"\xff\xff"),
    ] {
        assert!(!Session::is_ping(&other), "{other:?}");
    }
}

#[test]
fn a_session_that_is_over_takes_nothing_more() {
    let mut session = fresh();
    session.handle_envelope(frame(1, Kind::Hello(hello())), NOW);
    assert_eq!(session.handle_timeout(NOW + 1000), Some(Code::HandshakeTimeout));
    assert_eq!(session.handle_envelope(Bytes::from_static(b"\xff"), NOW), Action::Nothing);
    assert_eq!(
        session.handle_authenticated(&identity(), wire::Changes::default(), 3, 77, NOW),
        None
    );
    assert!(!session.is_open());
}

#[test]
fn reading_stops_while_too_many_requests_wait() {
    let mut session = open();
    for request in 1..=2 {
        assert!(session.wants_input());
        assert!(matches!(
            session.handle_envelope(text_send(request), NOW),
            Action::Request(Request::Submit(..))
        ));
    }
    assert!(!session.wants_input());
    session.handle_answered();
    assert!(session.wants_input());
}

#[test]
fn requests_that_need_an_answer_need_a_number() {
    let bad = Action::Reply(failure(None, Code::BadRequest, 0));
    assert_eq!(open().handle_envelope(text_send(0), NOW), bad);
    assert_eq!(open().handle_envelope(frame(0, Kind::Sync(wire::Sync::default())), NOW), bad);
}

#[test]
fn an_unknown_kind_of_request_fails_alone() {
    // Field 1000, a message: what a newer client might send.
    let mut bytes = frame(0, Kind::Ping(wire::Ping::default())).to_vec();
    bytes.clear();
    bytes.extend_from_slice(&[0x08, 0x07, 0xc2, 0x3e, 0x00]);
    let mut session = open();
    let answer = session.handle_envelope(bytes.into(), NOW);
    assert_eq!(answer, Action::Reply(failure(RequestNumber::new(7), Code::UnknownRequest, 0)));
    assert!(session.is_open());
}

#[test]
fn malformed_fields_fail_the_request_and_keep_the_session() {
    let fetch =
        |from| Kind::Fetch(wire::Fetch { conversation: vec![1; 16].into(), from, limit: 0 });
    let cases = [
        Kind::Send(wire::Send::default()),
        Kind::Send(wire::Send {
            to: Some(send::To::Peer(vec![3; 15].into())),
            ..Default::default()
        }),
        Kind::Lookup(wire::Lookup { by: None }),
        Kind::Describe(wire::Describe::default()),
        Kind::Delivered(wire::Delivered::default()),
        fetch(None),
    ];
    for kind in cases {
        let mut session = open();
        let answer = session.handle_envelope(frame(4, kind.clone()), NOW);
        assert_eq!(
            answer,
            Action::Reply(failure(RequestNumber::new(4), Code::BadRequest, 0)),
            "{kind:?}"
        );
        assert!(session.is_open());
    }
}

fn is_refused(kind: Kind) -> bool {
    let answer = open().handle_envelope(frame(4, kind), NOW);
    answer == Action::Reply(failure(RequestNumber::new(4), Code::BadRequest, 0))
}

#[test]
fn a_choice_that_says_no_asks_for_nothing() {
    let conversation = ConversationId::new([1; 16]).to_wire();
    for yes in [false, true] {
        let pinned = wire::Fetch {
            conversation: conversation.clone(),
            from: Some(fetch::From::Pinned(yes)),
            limit: 0,
        };
        let list = wire::Invites {
            conversation: conversation.clone(),
            act: Some(wire::invites::Act::List(yes)),
        };
        let accepted = wire::SetPreferences {
            conversation: conversation.clone(),
            accepted: Some(yes),
            ..Default::default()
        };
        let body = wire::GroupCreated {
            info: Some(wire::GroupInfo { title: "t".to_owned(), ..Default::default() }),
            ..Default::default()
        };
        let new_group = wire::Send {
            to: Some(send::To::NewGroup(yes)),
            client_message_id: "a".into(),
            kind: wire::EntryKind::GroupCreated as u32,
            body: body.encode_to_vec().into(),
        };
        let everyone = wire::Mention {
            length: 1,
            who: Some(wire::mention::Who::Everyone(yes)),
            ..Default::default()
        };
        let text = wire::Text { text: "hi".into(), mentions: vec![everyone], ..Default::default() };
        let mention = wire::Send {
            to: Some(send::To::Peer(vec![3; 16].into())),
            kind: 1,
            body: text.encode_to_vec().into(),
            ..new_group.clone()
        };
        for kind in [
            Kind::Fetch(pinned),
            Kind::Invites(list),
            Kind::SetPreferences(accepted),
            Kind::Send(new_group),
            Kind::Send(mention),
        ] {
            assert_eq!(is_refused(kind.clone()), !yes, "{kind:?}");
        }
    }
}

#[test]
fn lists_are_counted_as_they_are_given() {
    let hide = |seqs: Vec<u64>| {
        Kind::Hide(wire::Hide { conversation: ConversationId::new([1; 16]).to_wire(), seqs })
    };
    let seqs = |count| [7, 8].into_iter().cycle().take(count).collect();
    assert!(!is_refused(hide(seqs(limits::HIDE_SEQS))));
    assert!(is_refused(hide(seqs(limits::HIDE_SEQS + 1))));
    assert!(is_refused(hide(vec![7, 0])) && is_refused(hide(Vec::new())));
    let Action::Request(Request::Query(_, Query::Hide { seqs, .. })) =
        open().handle_envelope(frame(4, hide(vec![9, 2, 9])), NOW)
    else {
        panic!()
    };
    assert_eq!(seqs, [2, 9]);
    let report = |count| {
        Kind::Report(wire::Report {
            user: vec![3; 16].into(),
            seqs: vec![7; count],
            reason: "r".to_owned(),
            ..Default::default()
        })
    };
    assert!(
        !is_refused(report(limits::REPORT_SEQS)) && is_refused(report(limits::REPORT_SEQS + 1))
    );
    let subscribe = |users: usize, drop: usize| {
        Kind::Subscribe(wire::Subscribe {
            users: vec![vec![3; 16].into(); users],
            drop: vec![vec![3; 16].into(); drop],
            once: true,
        })
    };
    let most = limits::SUBSCRIPTIONS;
    assert!(!is_refused(subscribe(most, most)));
    assert!(is_refused(subscribe(most + 1, 0)) && is_refused(subscribe(0, most + 1)));
}

#[test]
fn fetch_limits_are_held_to_the_servers() {
    for (asked, gets) in [(0, 50), (20, 20), (51, 50), (u32::MAX, 50)] {
        let kind = Kind::Fetch(wire::Fetch {
            conversation: vec![1; 16].into(),
            from: Some(fetch::From::AfterSeq(3)),
            limit: asked,
        });
        let Action::Request(Request::Query(_, Query::Fetch { limit, range, .. })) =
            open().handle_envelope(frame(4, kind), NOW)
        else {
            panic!()
        };
        assert_eq!((limit, range), (gets, Range::After(3)));
    }
}

#[test]
fn cursor_moves_carry_what_the_session_was_given() {
    let mut session = open();
    let conversation = ConversationId::new([1; 16]);
    session.handle_given(conversation, Interval { from: 1, to: 4 });
    let kind = Kind::Read(wire::Read { conversation: conversation.to_wire(), up_to: 4 });
    let Action::MoveCursor(None, CursorMove { given, which, .. }) =
        session.handle_envelope(frame(0, kind), NOW)
    else {
        panic!()
    };
    assert!(given.covers(0, 4) && which == Move::Read);
}

fn subscribe(once: bool) -> Kind {
    Kind::Subscribe(wire::Subscribe { users: vec![vec![3; 16].into()], once, ..Default::default() })
}

#[test]
fn what_wants_an_answer_waits_for_it_and_nothing_else_does() {
    let typing = Kind::Typing(wire::Typing { conversation: vec![1; 16].into(), stopped: false });
    let read = Kind::Read(wire::Read { conversation: vec![1; 16].into(), up_to: 1 });
    for kind in [Kind::Ping(wire::Ping::default()), typing, read] {
        let silent = open().handle_envelope(frame(0, kind.clone()), NOW);
        assert_eq!(silent.request(), None, "{kind:?}");
        let mut session = open();
        assert_eq!(session.handle_envelope(frame(9, kind), NOW).request(), RequestNumber::new(9));
        assert_eq!(session.unanswered, 1);
    }
    for kind in [subscribe(true), subscribe(false), Kind::Sync(wire::Sync::default())] {
        let asked = open().handle_envelope(frame(9, kind), NOW);
        assert_eq!(asked.request(), RequestNumber::new(9));
    }
}

#[test]
fn without_a_session_what_is_of_one_is_refused_and_the_rest_is_the_same() {
    let alone = |request, kind| {
        request_without_session(&options(), RequestNumber::new(request), Some(kind))
    };
    let read = Kind::Read(wire::Read { conversation: vec![1; 16].into(), up_to: 1 });
    let of_session = [
        Kind::Hello(hello()),
        Kind::Goodbye(wire::Goodbye {}),
        Kind::Ping(wire::Ping::default()),
        subscribe(false),
        read,
    ];
    for kind in of_session {
        assert_eq!(alone(9, kind.clone()).unwrap_err(), Code::SessionNeeded, "{kind:?}");
    }
    let sync = Kind::Sync(wire::Sync::default());
    assert_eq!(alone(0, sync).unwrap_err(), Code::BadRequest);
    let malformed = Kind::Read(wire::Read::default());
    assert_eq!(alone(0, malformed).unwrap_err(), Code::BadRequest, "the form comes first");
    let sync = alone(9, Kind::Sync(wire::Sync { feed_position: 5 })).unwrap();
    let number = RequestNumber::new(9).unwrap();
    assert_eq!(sync, Request::Query(number, Query::Sync { since: 5 }));
    let asked = alone(9, subscribe(true)).unwrap();
    assert_eq!(asked, Request::Query(number, Query::Presence(vec![UserId::new([3; 16])])));
    let typing = Kind::Typing(wire::Typing { conversation: vec![1; 16].into(), stopped: true });
    assert_eq!(alone(0, typing).unwrap().number(), None);
    let unknown = request_without_session(&options(), RequestNumber::new(7), None);
    assert_eq!(unknown.unwrap_err(), Code::UnknownRequest);
}

#[test]
fn what_a_session_remembers_is_bounded() {
    let mut session = open();
    for n in 0..2 * limits::GIVEN_CONVERSATIONS as u32 {
        let mut id = [0; 16];
        id[..4].copy_from_slice(&n.to_be_bytes());
        session.handle_given(ConversationId::new(id), Interval { from: 1, to: 1 });
        assert!(session.given.len() <= limits::GIVEN_CONVERSATIONS);
    }
}

proptest! {
    #[test]
    fn no_bytes_panic_in_any_phase(frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..8)) {
        let (mut fresh, mut open) = (fresh(), open());
        for bytes in frames {
            fresh.handle_envelope(bytes.clone().into(), NOW);
            open.handle_envelope(bytes.into(), NOW);
        }
    }
}
