//! Well-formed requests that ask for the wrong thing: one Failure each, and the
//! session goes on.

use bytes::Bytes;
use parley_protocol::wire::{Delivered, Describe, Fetch, Lookup, Read, Send, fetch, lookup, send};
use parley_protocol::{Code, ConversationId, Message as _, UserId, limits};

use crate::common::session::{Ask, Said, conversation_of, hello, send_into, send_to};
use crate::common::{Api, Connection, Session, Transport, text_body};
use crate::honest::Besieged;

fn send(to: Option<send::To>, id: &[u8], kind: u32, body: Bytes) -> Ask {
    Ask::Send(Send { to, client_message_id: Bytes::copy_from_slice(id), kind, body })
}

#[tokio::test]
async fn sends_that_can_not_be() {
    let besieged = Besieged::begin().await;
    let peer = || Some(send::To::Peer(besieged.ben.user.to_wire()));
    let other = |bytes: &'static [u8]| Some(send::To::Peer(Bytes::from_static(bytes)));
    let into = |bytes: &'static [u8]| Some(send::To::Conversation(Bytes::from_static(bytes)));
    let text = || text_body("hello");
    let not_utf8 = Bytes::from_static(b"\x0a\x02\xff\xff");
    let huge = vec![0u8; limits::BODY_BYTES + 1];
    let cases = [
        ("no target", send(None, b"1", 1, text()), Code::BadRequest),
        ("an empty user id", send(other(b""), b"1", 1, text()), Code::BadRequest),
        ("15 bytes", send(other(&[1; 15]), b"1", 1, text()), Code::BadRequest),
        ("17 bytes", send(into(&[1; 17]), b"1", 1, text()), Code::BadRequest),
        ("no such user", send(other(&[1; 16]), b"1", 1, text()), Code::NotFound),
        ("user zero", send(other(&[0; 16]), b"1", 1, text()), Code::NotFound),
        ("no such conversation", send(into(&[1; 16]), b"1", 1, text()), Code::NotFound),
        ("no id", send(peer(), b"", 1, text()), Code::BadRequest),
        ("a long id", send(peer(), &[7; 65], 1, text()), Code::BadRequest),
        ("no kind", send(peer(), b"1", 0, text()), Code::KindInvalid),
        ("an unknown kind", send(peer(), b"1", 77, text()), Code::KindInvalid),
        ("the largest kind", send(peer(), b"1", u32::MAX, text()), Code::KindInvalid),
        ("an empty text", send(peer(), b"1", 1, text_body("")), Code::TextEmpty),
        ("no body", send(peer(), b"1", 1, Bytes::new()), Code::TextEmpty),
        ("no UTF-8", send(peer(), b"1", 1, not_utf8), Code::KindInvalid),
        ("no protobuf", send(peer(), b"1", 1, Bytes::from_static(b"\xff")), Code::KindInvalid),
        ("a huge body", send(peer(), b"1", 1, huge.into()), Code::BodyTooLarge),
    ];
    for transport in Transport::ALL {
        let mut session = besieged.eve(transport).await;
        for (what, ask, expected) in &cases {
            let code = session.refused(ask.clone()).await;
            assert_eq!(code, Some(*expected), "{what} on {transport:?}");
        }
        // All ids are still free, and the session is as before.
        let id = format!("{transport:?}");
        assert!(!session.say(&besieged.ben, &id, "hello").await.duplicate);
        let longest = format!("{id:x<64}");
        assert!(!session.say(&besieged.ben, &longest, "hello").await.duplicate);
    }
    besieged.unharmed("sends").await;
}

#[tokio::test]
async fn other_peoples_conversations_are_not_there() {
    let besieged = Besieged::begin().await;
    let api = Api::plain(&besieged.server.ready);
    let (ann, cid) = (api.sign_up("ann", "phone").await, api.sign_up("cid", "phone").await);
    let mut owner = Session::open(&besieged.server.ready, Transport::Tls, &ann).await;
    let theirs = conversation_of(&owner.say(&cid, "1", "private").await);
    let nowhere = ConversationId::new([0x5a; 16]);
    for transport in Transport::ALL {
        let mut eve = besieged.eve(transport).await;
        let mut answers = Vec::new();
        for conversation in [theirs, nowhere] {
            let id = conversation.to_wire();
            let asks = [
                send_into(&conversation, "eve", "let me in"),
                Ask::Fetch(Fetch {
                    conversation: id.clone(),
                    from: Some(fetch::From::AfterSeq(0)),
                    limit: 1,
                }),
                Ask::Fetch(Fetch {
                    conversation: id.clone(),
                    from: Some(fetch::From::BeforeSeq(9)),
                    limit: 1,
                }),
                Ask::Fetch(Fetch {
                    conversation: id.clone(),
                    from: Some(fetch::From::AroundSeq(1)),
                    limit: 1,
                }),
                Ask::Describe(Describe { conversation: id.clone() }),
                Ask::Delivered(Delivered { conversation: id.clone(), up_to: 1 }),
                Ask::Read(Read { conversation: id.clone(), up_to: 1 }),
                Ask::Read(Read { conversation: id.clone(), up_to: 0 }),
            ];
            let said = eve.ask_all(asks.to_vec()).await.unwrap();
            for (ask, said) in asks.iter().zip(&said) {
                let Said::Failure(failure) = said else {
                    panic!("{transport:?} {ask:?}: {said:?}");
                };
                assert_eq!(failure.code, Code::NotFound as u32, "{transport:?} {ask:?}");
            }
            answers.push(said);
        }
        assert_eq!(answers[0], answers[1], "denied looks like not there");
        assert_eq!(eve.sync(0).await.unwrap().entries, [], "{transport:?}");
    }
    // The owner's view has not changed, and nobody was added.
    let described = owner.describe(&theirs).await;
    assert_eq!((described.members.len(), described.last_seq), (2, 1));
    assert!(described.members.iter().all(|member| member.user != besieged.eve.user.to_wire()));
    besieged.unharmed("other people's conversations").await;
}

#[tokio::test]
async fn malformed_reads_are_refused() {
    let besieged = Besieged::begin().await;
    let short = Bytes::from_static(&[1; 15]);
    let empty = Bytes::new();
    let mut cases = Vec::new();
    for id in [short, empty] {
        cases.push(Ask::Fetch(Fetch {
            conversation: id.clone(),
            from: Some(fetch::From::AfterSeq(0)),
            limit: 1,
        }));
        cases.push(Ask::Describe(Describe { conversation: id.clone() }));
        cases.push(Ask::Delivered(Delivered { conversation: id.clone(), up_to: 1 }));
        cases.push(Ask::Read(Read { conversation: id.clone(), up_to: u64::MAX }));
        cases.push(Ask::Lookup(Lookup { by: Some(lookup::By::User(id)) }));
    }
    cases.push(Ask::Lookup(Lookup { by: None }));
    for transport in Transport::ALL {
        let mut eve = besieged.eve(transport).await;
        for ask in &cases {
            assert_eq!(
                eve.refused(ask.clone()).await,
                Some(Code::BadRequest),
                "{transport:?} {ask:?}"
            );
        }
        let nobody = Lookup { by: Some(lookup::By::User(UserId::new([9; 16]).to_wire())) };
        assert_eq!(eve.refused(Ask::Lookup(nobody)).await, Some(Code::NotFound));
        let sent = eve.say(&besieged.ben, &format!("{transport:?}"), "hello").await;
        let no_range = Fetch { conversation: sent.conversation, from: None, limit: 1 };
        assert_eq!(eve.refused(Ask::Fetch(no_range)).await, Some(Code::BadRequest));
    }
    besieged.unharmed("malformed reads").await;
}

#[tokio::test]
async fn the_first_of_an_id_wins_when_two_sessions_race() {
    let besieged = Besieged::begin().await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..9 {
        let mut eve = besieged.eve(Transport::ALL[number % 3]).await;
        let peer = besieged.ben.user;
        tasks.spawn(async move {
            let mut answers = Vec::new();
            for round in 0..20 {
                let ask = send_to(&peer, &format!("race {round}"), &format!("text {round}"));
                answers.push(eve.send(ask).await.unwrap());
            }
            answers
        });
    }
    let all = tasks.join_all().await;
    for round in 0..20 {
        let seqs: Vec<_> = all.iter().map(|answers| answers[round].seq).collect();
        assert!(seqs.iter().all(|seq| *seq == seqs[0]), "round {round}: {seqs:?}");
        let fresh = all.iter().filter(|answers| !answers[round].duplicate).count();
        assert_eq!(fresh, 1, "round {round}");
    }
    besieged.unharmed("a race for ids").await;
}

#[tokio::test]
async fn more_requests_at_once_than_allowed_wait_and_are_answered() {
    let besieged = Besieged::begin().await;
    for transport in Transport::ALL {
        let mut eve = besieged.eve(transport).await;
        let most = eve.welcome.limits.as_ref().unwrap().requests_in_flight as usize;
        let asks: Vec<_> = (0..4 * most)
            .map(|number| send_to(&besieged.ben.user, &format!("{transport:?} {number}"), "x"))
            .collect();
        let said = eve.ask_all(asks).await.unwrap();
        for said in said {
            let fine = match &said {
                Said::Sent(_) => true,
                Said::Failure(failure) => failure.code == Code::TooManyRequests as u32,
                _ => false,
            };
            assert!(fine, "{transport:?}: {said:?}");
        }
        eve.ping().await.unwrap();
    }
    besieged.unharmed("many requests").await;
}

#[tokio::test]
async fn the_same_device_many_times_is_many_sessions() {
    let besieged = Besieged::begin().await;
    let mut sessions = Vec::new();
    for number in 0..30 {
        sessions.push(besieged.eve(Transport::ALL[number % 3]).await);
    }
    for session in &mut sessions {
        session.ping().await.unwrap();
    }
    assert_eq!(besieged.api.sessions(&besieged.eve).await, 30);
    let mut ids: Vec<_> = sessions.iter().map(|session| session.welcome.session.clone()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 30, "each has an id of its own");
    besieged.unharmed("many sessions").await;
}

#[tokio::test]
async fn a_goodbye_ends_the_session_without_a_word() {
    let besieged = Besieged::begin().await;
    for transport in Transport::ALL {
        let mut eve = besieged.eve(transport).await;
        let goodbye = parley_protocol::wire::Goodbye {};
        let asks = [crate::common::session::envelope(7, Ask::Goodbye(goodbye))];
        eve.wire.write(&asks).await.unwrap();
        let ended = eve.ended().await;
        assert_eq!((ended.close.clone(), ended.code()), (None, None), "{transport:?}: {ended}");
    }
    // What follows a goodbye is not read.
    let mut wire = Connection::open(&besieged.server.ready, Transport::Tls).await.unwrap();
    let asks = [
        Ask::Hello(hello(&besieged.eve.token, 0)),
        Ask::Goodbye(parley_protocol::wire::Goodbye {}),
        send_to(&besieged.ben.user, "after", "too late"),
    ];
    let all: Vec<_> =
        (1..).zip(asks).map(|(id, ask)| crate::common::session::envelope(id, ask)).collect();
    assert!(all.iter().all(|envelope| envelope.encoded_len() > 0));
    wire.write(&all).await.unwrap();
    wire.ended().await;
    let mut eve = besieged.eve(Transport::Tls).await;
    assert!(!eve.say(&besieged.ben, "after", "too late").await.duplicate);
    besieged.unharmed("goodbyes").await;
}
