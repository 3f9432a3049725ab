//! Sent, delivered, read; once and in order, on every transport.

use std::collections::BTreeSet;

use parley_protocol::wire::{Receipt, Send, send};
use parley_protocol::{Code, Message as _, wire};

use crate::common::session::{Ask, Said, conversation_of, entries_of, send_into, send_to, text_of};
use crate::common::{Api, Launch, Person, Server, Session, Transport, text_body};

/// A server with two people.
pub(crate) async fn ann_and_ben() -> (tempfile::TempDir, Server, Person, Person) {
    ann_and_ben_with(|launch| launch).await
}

/// The same with settings.
pub(crate) async fn ann_and_ben_with(
    set: impl FnOnce(Launch) -> Launch,
) -> (tempfile::TempDir, Server, Person, Person) {
    let folder = tempfile::tempdir().unwrap();
    let server = set(Launch::new(&folder.path().join("data"))).start().await;
    let api = Api::plain(&server.ready);
    let (ann, ben) = (api.sign_up("ann", "phone").await, api.sign_up("ben", "phone").await);
    (folder, server, ann, ben)
}

async fn receipt(
    session: &mut Session,
    person: &Person,
    done: impl Fn(&Receipt) -> bool,
) -> Receipt {
    let receipt = session.pushed(|said| match said {
        Said::Receipt(receipt) if receipt.user == person.user.to_wire() && done(receipt) => {
            Some(receipt.clone())
        }
        _ => None,
    });
    receipt.await.unwrap()
}

#[tokio::test]
async fn a_message_is_sent_delivered_and_read_between_all_transports() {
    let (_folder, server, ann, ben) = ann_and_ben().await;
    // Who never wrote back shows nothing of deliveries.
    let mut first = Session::open(&server.ready, Transport::Tls, &ben).await;
    let sent = first.say(&ann, "first", "hello").await;
    first.delivered(&conversation_of(&sent), sent.seq).await.unwrap();
    let mut seq = sent.seq;
    drop(first);
    for from in Transport::ALL {
        for to in Transport::ALL {
            let mut sender = Session::open(&server.ready, from, &ann).await;
            let mut reader = Session::open(&server.ready, to, &ben).await;
            seq += 1;
            let text = format!("{from:?} to {to:?}");
            let sent = sender.say(&ben, &text, &text).await;
            assert_eq!((sent.seq, sent.ordinal, sent.duplicate), (seq, seq, false), "{text}");
            let conversation = conversation_of(&sent);
            let entry = reader.delivered_up_to(&conversation, seq).await.pop().unwrap();
            assert_eq!((text_of(&entry), &entry.sender), (text.clone(), &ann.user.to_wire()));
            assert_eq!((entry.time_ms, entry.ordinal), (sent.time_ms, sent.ordinal));

            let Ok(Said::Moved(moved)) = reader.delivered(&conversation, seq).await else {
                panic!("{text}: delivered was not taken");
            };
            assert_eq!(moved.delivered, seq);
            let delivered = receipt(&mut sender, &ben, |receipt| receipt.delivered == seq).await;
            assert!(delivered.read < seq, "{delivered:?}");
            assert_eq!(reader.must_read(&conversation, seq).await.read, seq);
            let read = receipt(&mut sender, &ben, |receipt| receipt.read == seq).await;
            assert_eq!(read.conversation, conversation.to_wire());
            assert!(read.time_ms >= sent.time_ms, "{read:?}");

            let described = sender.describe(&conversation).await;
            let member = described.members.iter().find(|member| member.user == ben.user.to_wire());
            let member = member.unwrap();
            assert_eq!((member.name.as_str(), member.delivered, member.read), ("ben", seq, seq));
            assert!(member.delivered_ms > 0 && member.read_ms >= member.delivered_ms);
        }
    }
}

#[tokio::test]
async fn a_resend_over_any_transport_gets_the_first_answer() {
    let (_folder, mut server, ann, ben) = ann_and_ben().await;
    let mut session = Session::open(&server.ready, Transport::Quic, &ann).await;
    let first = session.say(&ben, "the id", "hello").await;
    session.say(&ben, "another id", "hello").await;
    for round in 0..2 {
        for transport in Transport::ALL {
            let mut again = Session::open(&server.ready, transport, &ann).await;
            let sent = again.say(&ben, "the id", "hello").await;
            let expected = wire::Sent { duplicate: true, feed_position: 0, ..first.clone() };
            assert_eq!(sent, expected, "round {round}, {transport:?}");
            // The same id under the conversation's name is the same send.
            let sent = again.send(send_into(&conversation_of(&first), "the id", "hello")).await;
            assert_eq!(sent.unwrap(), expected);
        }
        server.restart().await;
    }
    let mut session = Session::open(&server.ready, Transport::Tls, &ben).await;
    let all = session.fetch_all(&conversation_of(&first), 0).await.unwrap();
    assert_eq!(all.len(), 2);
}

#[tokio::test]
async fn an_id_used_for_other_content_is_an_error() {
    let (_folder, mut server, ann, ben) = ann_and_ben().await;
    let mut session = Session::open(&server.ready, Transport::Quic, &ann).await;
    session.say(&ben, "the id", "hello").await;
    for transport in Transport::ALL {
        let mut again = Session::open(&server.ready, transport, &ann).await;
        let code = again.refused(send_to(&ben.user, "the id", "Hello")).await;
        assert_eq!(code, Some(Code::MessageIdReused), "{transport:?}");
    }
    server.restart().await;
    let mut again = Session::open(&server.ready, Transport::Tls, &ann).await;
    let code = again.refused(send_to(&ben.user, "the id", "Hello")).await;
    assert_eq!(code, Some(Code::MessageIdReused));
    // Another device, and the other person, have their own ids.
    let tablet = Api::plain(&server.ready).login("ann", "tablet").await;
    let mut session = Session::open(&server.ready, Transport::Tls, &tablet).await;
    assert_eq!(session.say(&ben, "the id", "from the tablet").await.seq, 2);
    let mut session = Session::open(&server.ready, Transport::Tls, &ben).await;
    assert_eq!(session.say(&ann, "the id", "from ben").await.seq, 3);
}

#[tokio::test]
async fn ids_are_the_conversations_own() {
    let (_folder, server, ann, ben) = ann_and_ben().await;
    let cid = Api::plain(&server.ready).sign_up("cid", "phone").await;
    let mut session = Session::open(&server.ready, Transport::Tls, &ann).await;
    let to_ben = session.say(&ben, "the id", "hello ben").await;
    let to_cid = session.say(&cid, "the id", "hello cid").await;
    assert_ne!(to_ben.conversation, to_cid.conversation);
    assert_eq!((to_cid.seq, to_cid.duplicate), (1, false));
}

#[tokio::test]
async fn many_at_once_keep_their_order() {
    // Six hundred messages to one person.
    let more = |launch: Launch| launch.with("PARLEY_RATES__SENDS_BURST", "1000");
    let (_folder, server, ann, ben) = ann_and_ben_with(more).await;
    let mut reader = Session::open(&server.ready, Transport::WebSocket, &ben).await;
    let mut conversation = None;
    for (round, transport) in Transport::ALL.into_iter().enumerate() {
        let mut session = Session::open(&server.ready, transport, &ann).await;
        let texts: Vec<_> = (0..200).map(|number| format!("{round} {number}")).collect();
        let asks = texts.iter().map(|text| send_to(&ben.user, text, text)).collect();
        let answers = session.ask_all(asks).await.unwrap();
        let mut seqs = Vec::new();
        for answer in answers {
            let Said::Sent(sent) = answer else { panic!("not Sent: {answer:?}") };
            conversation = Some(conversation_of(&sent));
            seqs.push(sent.seq);
        }
        let first = round as u64 * 200 + 1;
        assert!(seqs.iter().copied().eq(first..first + 200), "{transport:?}: {seqs:?}");
        let read = reader.delivered_up_to(&conversation.unwrap(), first + 199).await;
        let read: Vec<_> = read.iter().map(text_of).collect();
        assert_eq!(read, texts, "{transport:?}");
    }
}

#[tokio::test]
async fn two_who_write_at_once_see_the_same_order() {
    // A hundred messages of each to the other.
    let more = |launch: Launch| launch.with("PARLEY_RATES__SENDS_BURST", "1000");
    let (_folder, server, ann, ben) = ann_and_ben_with(more).await;
    let mut sessions = Vec::new();
    for (person, peer, transport) in
        [(&ann, &ben, Transport::Quic), (&ben, &ann, Transport::WebSocket)]
    {
        let mut session = Session::open(&server.ready, transport, person).await;
        let peer = peer.user;
        let name = person.name.clone();
        sessions.push(tokio::spawn(async move {
            for number in 0..100 {
                let text = format!("{name} {number}");
                session.send(send_to(&peer, &text, &text)).await.unwrap();
            }
            session
        }));
    }
    let mut ann_session = sessions.remove(0).await.unwrap();
    let mut ben_session = sessions.remove(0).await.unwrap();
    let conversation = conversation_of(&ann_session.say(&ben, "last", "last").await);
    let of_ann = ann_session.fetch_all(&conversation, 0).await.unwrap();
    let of_ben = ben_session.fetch_all(&conversation, 0).await.unwrap();
    assert_eq!(of_ann, of_ben);
    let entries = entries_of(&of_ann);
    let seqs: BTreeSet<u64> = entries.iter().map(|entry| entry.seq).collect();
    assert_eq!((entries.len(), seqs.len()), (201, 201));
    for person in ["ann", "ben"] {
        let own: Vec<_> = entries
            .iter()
            .map(text_of)
            .filter_map(|text| text.strip_prefix(&format!("{person} ")).map(str::to_owned))
            .collect();
        let expected: Vec<_> = (0..100).map(|number: u32| number.to_string()).collect();
        assert_eq!(own, expected, "{person}");
    }
}

#[tokio::test]
async fn history_is_read_in_every_direction() {
    // A history of 450 messages.
    let more = |launch: Launch| launch.with("PARLEY_RATES__SENDS_BURST", "1000");
    let (_folder, server, ann, ben) = ann_and_ben_with(more).await;
    let mut session = Session::open(&server.ready, Transport::Quic, &ann).await;
    let asks = (1..=450).map(|n| send_to(&ben.user, &n.to_string(), &n.to_string())).collect();
    let answers = session.ask_all(asks).await.unwrap();
    let Some(Said::Sent(sent)) = answers.last() else { panic!("not Sent") };
    let conversation = conversation_of(sent);
    let mut reader = Session::open(&server.ready, Transport::WebSocket, &ben).await;
    let cases = [
        (wire::fetch::From::AfterSeq(0), 3, 1..=3, true, false),
        (wire::fetch::From::AfterSeq(447), 10, 448..=450, false, true),
        (wire::fetch::From::AfterSeq(0), 0, 1..=200, true, false),
        (wire::fetch::From::AfterSeq(0), 9_999, 1..=200, true, false),
        (wire::fetch::From::BeforeSeq(4), 10, 1..=3, true, false),
        (wire::fetch::From::BeforeSeq(451), 5, 446..=450, false, true),
        (wire::fetch::From::BeforeSeq(u64::MAX), 2, 449..=450, false, true),
    ];
    for (from, limit, expected, at_start, at_end) in cases {
        let ask = wire::Fetch { conversation: conversation.to_wire(), from: Some(from), limit };
        let Ok(Said::Fetched(page)) = reader.ask(Ask::Fetch(ask)).await else {
            panic!("{from:?} {limit}: not Fetched");
        };
        let seqs: Vec<_> = entries_of(&page.entries).iter().map(|entry| entry.seq).collect();
        assert_eq!(seqs, expected.collect::<Vec<_>>(), "{from:?} {limit}");
        assert_eq!((page.at_start, page.at_end), (at_start, at_end), "{from:?} {limit}");
        assert_eq!(page.last_seq, 450);
    }
    let around = Some(wire::fetch::From::AroundSeq(225));
    let ask = wire::Fetch { conversation: conversation.to_wire(), from: around, limit: 21 };
    let Ok(Said::Fetched(page)) = reader.ask(Ask::Fetch(ask)).await else { panic!("not Fetched") };
    let seqs: Vec<_> = entries_of(&page.entries).iter().map(|entry| entry.seq).collect();
    assert!(seqs.len() <= 21 && seqs.contains(&225), "{seqs:?}");
    assert!(seqs.iter().any(|seq| *seq < 225) && seqs.iter().any(|seq| *seq > 225), "{seqs:?}");
    assert!(seqs.windows(2).all(|pair| pair[1] == pair[0] + 1), "{seqs:?}");
}

#[tokio::test]
async fn a_fetch_past_the_end_is_empty() {
    let (_folder, server, ann, ben) = ann_and_ben().await;
    let mut session = Session::open(&server.ready, Transport::Tls, &ann).await;
    let conversation = conversation_of(&session.say(&ben, "1", "one").await);
    for after in [1, 2, u64::MAX - 1, u64::MAX] {
        let page = session.fetch_after(&conversation, after, 10).await.unwrap();
        assert!(page.entries.is_empty() && page.at_end && page.last_seq == 1, "{after}: {page:?}");
    }
}

#[tokio::test]
async fn a_text_may_hold_anything_and_comes_back_the_same() {
    let (_folder, mut server, ann, ben) = ann_and_ben().await;
    let mut texts: Vec<String> = [
        "\0",
        "a\0b",
        "\u{1}\u{7f}\u{9b}",
        "\u{202e}gnirts\u{202c}",
        "\u{feff}bom",
        "العربية",
        "עברית",
        "한국어",
        "日本語",
        "ไทย",
        "हिन्दी",
        "ქართული",
        "ᚱᚢᚾᛖᛋ",
        "𒀭𒂗𒆤",
        "Ελληνικά",
        "e\u{301} é",
        "👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪",
        "\u{10ffff}\u{e000}\u{fffe}\u{ffff}",
        " ",
        "\r\n\t",
        "{\"send\":{}}",
        "\u{1b}[2J\u{1b}]0;x\u{7}",
    ]
    .map(str::to_owned)
    .into();
    texts.push(format!("Z{}", "\u{334}".repeat(5000)));
    // The limit counts characters: these are 100,000, of 1 and of 4 bytes.
    texts.push("x".repeat(100_000));
    texts.push("😀".repeat(100_000));
    let mut conversation = None;
    for (index, text) in texts.iter().enumerate() {
        let transport = Transport::ALL[index % 3];
        let mut session = Session::open(&server.ready, transport, &ann).await;
        let sent = session.say(&ben, &index.to_string(), text).await;
        conversation = Some(conversation_of(&sent));
    }
    let conversation = conversation.unwrap();
    server.restart().await;
    for transport in Transport::ALL {
        let mut session = Session::open(&server.ready, transport, &ben).await;
        let all = session.fetch_all(&conversation, 0).await.unwrap();
        let read: Vec<_> = entries_of(&all).iter().map(text_of).collect();
        assert!(read == texts, "{transport:?}: {} texts", read.len());
    }
}

#[tokio::test]
async fn one_character_too_many_is_refused_and_nothing_else_happens() {
    let (_folder, server, ann, ben) = ann_and_ben().await;
    for transport in Transport::ALL {
        let mut session = Session::open(&server.ready, transport, &ann).await;
        let long = |text: &str| send_to(&ben.user, "long", &text.repeat(100_001));
        assert_eq!(session.refused(long("x")).await, Some(Code::TextTooLong), "{transport:?}");
        assert_eq!(session.refused(long("😀")).await, Some(Code::TextTooLong), "{transport:?}");
        // The refused id is free.
        let sent = session.say(&ben, &format!("{transport:?}"), "short").await;
        assert!(!sent.duplicate);
    }
    let mut session = Session::open(&server.ready, Transport::Tls, &ann).await;
    assert_eq!(session.say(&ben, "long", "not so long").await.seq, 4);
}

#[tokio::test]
async fn what_a_client_says_about_itself_is_not_believed() {
    let (_folder, server, ann, ben) = ann_and_ben().await;
    let mut session = Session::open(&server.ready, Transport::Quic, &ann).await;
    // Unknown fields of Send where others might keep author, device, seq and time.
    let send = Send {
        to: Some(send::To::Peer(ben.user.to_wire())),
        client_message_id: "forged".into(),
        kind: 1,
        body: text_body("hello"),
    };
    let mut inner = send.encode_to_vec();
    for field in [8u32, 9, 10, 20] {
        prost::encoding::bytes::encode(field, &ben.user.to_wire(), &mut inner);
        prost::encoding::uint64::encode(field + 100, &999, &mut inner);
    }
    let mut envelope = Vec::new();
    prost::encoding::uint64::encode(1, &77, &mut envelope);
    prost::encoding::bytes::encode(4, &inner, &mut envelope);
    session.wire.write_body(&envelope).await.unwrap();
    let said = session.wire.read().await.unwrap();
    let (77, Some(Said::Sent(sent))) = (said.request, said.kind.clone()) else {
        panic!("not the answer: {said:?}");
    };
    assert_eq!(sent.seq, 1);
    let page = session.fetch_after(&conversation_of(&sent), 0, 0).await.unwrap();
    let entry = entries_of(&page.entries).remove(0);
    assert_eq!(entry.sender, ann.user.to_wire());
    assert_eq!((entry.seq, entry.ordinal, entry.time_ms), (1, 1, sent.time_ms));
}

#[tokio::test]
async fn a_client_that_asks_for_much_and_reads_gets_it_all() {
    let (_folder, server, ann, ben) = ann_and_ben().await;
    let mut session = Session::open(&server.ready, Transport::Tls, &ann).await;
    let text = "x".repeat(100_000);
    for number in 0..12 {
        session.say(&ben, &number.to_string(), &text).await;
    }
    let conversation = conversation_of(&session.say(&ben, "last", "last").await);
    for transport in Transport::ALL {
        let mut reader = Session::open(&server.ready, transport, &ben).await;
        let from = |number: u64| Some(wire::fetch::From::AfterSeq(number % 9));
        let id = conversation.to_wire();
        let asks =
            (0..30).map(|n| wire::Fetch { conversation: id.clone(), from: from(n), limit: 3 });
        let pages = reader.ask_all(asks.map(Ask::Fetch).collect()).await;
        let pages = pages.unwrap_or_else(|ended| panic!("{transport:?}: {ended}"));
        for (number, page) in pages.into_iter().enumerate() {
            let Said::Fetched(page) = page else { panic!("{transport:?} {number}: {page:?}") };
            let entries = entries_of(&page.entries);
            assert_eq!(entries[0].seq, number as u64 % 9 + 1, "{transport:?} {number}");
            assert_eq!(entries.len(), 3, "{transport:?} {number}");
        }
    }
}
