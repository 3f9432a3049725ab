//! The session as a whole: any envelopes, answers and pauses in any order.
//! Nothing comes after the end, requests in flight stay bounded, silence ends
//! it at the deadline and not before.

use arbitrary::Arbitrary;
use bytes::Bytes;
use parley_core::conversation::Interval;
use parley_core::session::{Action, Identity, Options, Session};
use parley_protocol::wire::client_envelope::Kind;
use parley_protocol::wire::{self, ClientEnvelope, Hello};
use parley_protocol::{ConversationId, DeviceId, Message, SessionId, UserId};

use crate::program::{Blob, steps};

const IN_FLIGHT: u32 = 4;

#[derive(Debug, Arbitrary)]
enum Step {
    Bytes(Blob),
    Hello { version: u8, token: u8 },
    Ping { request: u64 },
    Send { request: u64, to: [u8; 16], id: Blob, kind: u8, body: Blob },
    Fetch { request: u64, conversation: [u8; 16], after: u64, limit: u32 },
    Read { request: u64, conversation: [u8; 16], up_to: u64 },
    Sync { request: u64, position: u64 },
    Other { request: u64, what: u8, id: Blob, number: u64, text: Blob },
    Goodbye,
    Authenticated,
    Answered,
    Given { conversation: [u8; 16], from: u64, length: u8 },
    Wait { ms: u16 },
    WaitForDeadline { early: bool },
}

/// Bytes read as a list of steps.
pub fn session(data: &[u8]) {
    let mut session = fresh();
    let (mut now_ms, mut over, mut unanswered, mut authenticating) = (0u64, false, 0u32, false);
    for step in steps::<Step>(data) {
        if over && matches!(step, Step::Hello { .. }) {
            (session, now_ms, over, unanswered, authenticating) = (fresh(), 0, false, 0, false);
        }
        let envelope = match step {
            Step::Authenticated => {
                let welcome = session.handle_authenticated(
                    &identity(),
                    wire::Changes::default(),
                    3,
                    9,
                    now_ms,
                );
                assert_eq!(welcome.is_some(), authenticating, "a welcome out of turn");
                assert!(!authenticating || session.is_open());
                authenticating = false;
                continue;
            }
            Step::Answered => {
                if unanswered > 0 {
                    session.handle_answered();
                    unanswered -= 1;
                }
                continue;
            }
            Step::Given { conversation, from, length } => {
                let interval = Interval { from, to: from.saturating_add(length.into()) };
                session.handle_given(ConversationId::new(conversation), interval);
                continue;
            }
            Step::Wait { .. } | Step::WaitForDeadline { .. } => {
                now_ms = match step {
                    Step::Wait { ms } => now_ms + u64::from(ms),
                    Step::WaitForDeadline { early } => {
                        now_ms.max(session.deadline_ms() - u64::from(early))
                    }
                    _ => now_ms,
                };
                let due = now_ms >= session.deadline_ms() && !over;
                assert_eq!(session.handle_timeout(now_ms).is_some(), due, "at {now_ms}");
                over |= due;
                authenticating &= !due;
                continue;
            }
            Step::Bytes(bytes) => Bytes::from(bytes.0),
            other => envelope(other),
        };
        if !session.wants_input() && !over {
            // The driver doesn't read now.
            continue;
        }
        let action = session.handle_envelope(envelope, now_ms);
        if over {
            assert_eq!(action, Action::Nothing, "a session spoke after its end");
        }
        check(&session, &action);
        over |= matches!(action, Action::Close(_) | Action::End);
        authenticating = matches!(action, Action::Authenticate(_));
        unanswered += u32::from(action.request().is_some());
        assert!(unanswered <= IN_FLIGHT, "{unanswered} requests in flight");
    }
}

/// What holds after every action.
pub(crate) fn check(session: &Session, action: &Action) {
    match action {
        Action::Close(_) | Action::End => assert!(!session.is_open() && !session.wants_input()),
        Action::Ping(_) | Action::MoveCursor(..) | Action::Subscribe(..) | Action::Request(_) => {
            assert!(session.is_open());
        }
        Action::Reply(envelope) => assert!(!envelope.encode_to_vec().is_empty()),
        Action::Authenticate(_) => assert!(!session.is_open() && !session.wants_input()),
        Action::Nothing => {}
    }
}

pub(crate) fn fresh() -> Session {
    let limits = wire::Limits {
        text_chars: 10,
        frame_bytes: 1000,
        requests_in_flight: IN_FLIGHT,
        fetch_entries: 50,
        group_members: 4,
        least_retention_s: 1,
    };
    let options = Options {
        limits,
        heartbeat_ms: 100,
        background_heartbeat_ms: 300,
        handshake_ms: 1000,
        incarnation: [4; 16],
    };
    Session::new(std::sync::Arc::new(options), SessionId::new([5; 16]), 0)
}

pub(crate) fn open() -> Session {
    let mut session = fresh();
    let action = session.handle_envelope(envelope(Step::Hello { version: 1, token: 1 }), 1);
    assert!(matches!(action, Action::Authenticate(_)));
    assert!(session.handle_authenticated(&identity(), wire::Changes::default(), 3, 9, 1).is_some());
    session
}

fn identity() -> Identity {
    Identity { user: UserId::new([1; 16]), name: "ann".into(), device: DeviceId::new([2; 16]) }
}

fn envelope(step: Step) -> Bytes {
    let (request, kind) = match step {
        Step::Hello { version, token } => {
            // Mostly good ones, or no session gets far.
            let length = if token % 8 == 0 { usize::from(token) } else { 32 };
            let token = vec![7; length].into();
            (
                1,
                Kind::Hello(Hello {
                    version_min: 1,
                    version_max: u32::from(version % 8),
                    token,
                    ..Hello::default()
                }),
            )
        }
        Step::Ping { request } => {
            (request, Kind::Ping(wire::Ping { background: request % 2 == 1 }))
        }
        Step::Send { request, to, id, kind, body } => {
            let to = Some(wire::send::To::Peer(to.to_vec().into()));
            (
                request,
                Kind::Send(wire::Send {
                    to,
                    client_message_id: id.0.into(),
                    kind: (kind % 25).into(),
                    body: body.0.into(),
                }),
            )
        }
        Step::Fetch { request, conversation, after, limit } => {
            let from = Some(wire::fetch::From::AfterSeq(after));
            let conversation = conversation.to_vec().into();
            (request, Kind::Fetch(wire::Fetch { conversation, from, limit }))
        }
        Step::Read { request, conversation, up_to } => {
            (request, Kind::Read(wire::Read { conversation: conversation.to_vec().into(), up_to }))
        }
        Step::Sync { request, position } => {
            (request, Kind::Sync(wire::Sync { feed_position: position }))
        }
        Step::Other { request, what, id, number, text } => {
            (request, other(what, id.0.into(), number, String::from_utf8_lossy(&text.0).into()))
        }
        _ => (0, Kind::Goodbye(wire::Goodbye {})),
    };
    ClientEnvelope { request, kind: Some(kind) }.encode_to_vec().into()
}

/// The requests that ask for something else than entries.
fn other(what: u8, id: Bytes, number: u64, text: String) -> Kind {
    let conversation = id.clone();
    let flag = number.is_multiple_of(2);
    match what % 14 {
        0 => Kind::Receipts(wire::Receipts { conversation, seq: number }),
        1 => Kind::Typing(wire::Typing { conversation, stopped: flag }),
        2 => {
            let users = vec![id; (number % 600) as usize];
            Kind::Subscribe(wire::Subscribe { users, drop: Vec::new(), once: flag })
        }
        3 => Kind::SetPreferences(wire::SetPreferences {
            conversation,
            level: Some(number as i32),
            draft: Some(text),
            accepted: Some(flag),
            ..wire::SetPreferences::default()
        }),
        4 => Kind::Hide(wire::Hide { conversation, seqs: vec![number; (number % 600) as usize] }),
        5 => Kind::Hidden(wire::Hidden { conversation, after: number as u32 }),
        6 => {
            let act = if flag {
                wire::invites::Act::Revoke(text.into_bytes().into())
            } else {
                wire::invites::Act::List(true)
            };
            Kind::Invites(wire::Invites { conversation, act: Some(act) })
        }
        7 => Kind::PeekInvite(wire::PeekInvite { code: text }),
        8 => Kind::GetProfile(wire::GetProfile { user: id }),
        9 => Kind::GetAccount(wire::GetAccount {}),
        10 => {
            let profile =
                wire::ProfileChange { about: Some(text), ..wire::ProfileChange::default() };
            let change = Some(wire::update_account::Change::Profile(profile));
            Kind::UpdateAccount(wire::UpdateAccount { change })
        }
        11 => {
            let change = Some(wire::update_account::Change::Block(id));
            Kind::UpdateAccount(wire::UpdateAccount { change })
        }
        12 => Kind::Report(wire::Report {
            user: id,
            conversation: Bytes::new(),
            seqs: vec![number],
            reason: text,
        }),
        _ => Kind::Describe(wire::Describe { conversation }),
    }
}
