//! Several devices of one user: all see everything, and a return after any gap
//! brings exactly what is missing.

use std::collections::BTreeMap;

use parley_protocol::wire::{Changes, FeedEntry};
use parley_protocol::{Code, ConversationId};

use crate::common::session::{Said, conversation_of, entries_of, send_to, text_of};
use crate::common::{Api, Session, Transport};
use crate::delivery::ann_and_ben;

fn only(changes: &Changes) -> &FeedEntry {
    assert_eq!(changes.entries.len(), 1, "{changes:?}");
    assert!(!changes.more);
    &changes.entries[0]
}

#[tokio::test]
async fn all_devices_see_all_messages_also_their_own_users() {
    let (_folder, server, ann, ben) = ann_and_ben().await;
    let api = Api::plain(&server.ready);
    let tablet = api.login("ann", "tablet").await;
    let laptop = api.login("ann", "laptop").await;
    let mut phone = Session::open(&server.ready, Transport::Quic, &ann).await;
    let mut tablet = Session::open(&server.ready, Transport::Tls, &tablet).await;
    let mut laptop = Session::open(&server.ready, Transport::WebSocket, &laptop).await;
    let mut peer = Session::open(&server.ready, Transport::Tls, &ben).await;
    let sent = phone.say(&ben, "1", "from the phone").await;
    let conversation = conversation_of(&sent);
    peer.say(&ann, "1", "from ben").await;
    tablet.say(&ben, "1", "from the tablet").await;
    // A device that sends nothing is told everything.
    let entries = laptop.delivered_up_to(&conversation, 3).await;
    let texts: Vec<_> = entries.iter().map(text_of).collect();
    assert_eq!(texts, ["from the phone", "from ben", "from the tablet"]);
    let senders: Vec<_> = entries.iter().map(|entry| entry.sender.clone()).collect();
    assert_eq!(senders, [ann.user.to_wire(), ben.user.to_wire(), ann.user.to_wire()]);
    // One that sends is told at least what others sent, its own user's included.
    let last = phone.delivered_up_to(&conversation, 3).await.pop().unwrap();
    assert_eq!(text_of(&last), "from the tablet");
    let log = laptop.fetch_all(&conversation, 0).await.unwrap();
    for session in [&mut phone, &mut tablet, &mut peer] {
        assert_eq!(session.fetch_all(&conversation, 0).await.unwrap(), log);
    }
}

#[tokio::test]
async fn a_return_brings_exactly_what_is_missing() {
    let (_folder, mut server, ann, _) = ann_and_ben().await;
    let api = Api::plain(&server.ready);
    let mut others = Vec::new();
    for number in 0..10 {
        others.push(api.sign_up(&format!("other{number}"), "phone").await);
    }
    let mut first = Session::open(&server.ready, Transport::Quic, &ann).await;
    assert_eq!(first.welcome.changes.as_ref().unwrap().entries, []);
    let mut conversations = Vec::new();
    for other in &others {
        conversations.push(conversation_of(&first.say(other, "hello", "hello").await));
    }
    let position = first.ping().await.unwrap().feed_position;
    let nothing = first.sync(position).await.unwrap();
    assert_eq!((nothing.entries.len(), nothing.feed_position), (0, position), "{nothing:?}");
    assert_eq!(first.sync(0).await.unwrap().entries.len(), 10);
    first.wire.shut().await;

    // While ann is away, two conversations of ten change.
    for (number, count) in [(3usize, 2), (7, 300)] {
        let mut session = Session::open(&server.ready, Transport::Tls, &others[number]).await;
        let asks = (0..count).map(|n| send_to(&ann.user, &n.to_string(), &format!("news {n}")));
        session.ask_all(asks.collect()).await.unwrap();
    }
    for (round, transport) in Transport::ALL.into_iter().enumerate() {
        let mut back = Session::resume(&server.ready, transport, &ann, position).await.unwrap();
        let changes = back.welcome.changes.clone().unwrap();
        let changed: BTreeMap<_, _> = changes
            .entries
            .iter()
            .map(|entry| (ConversationId::from_slice(&entry.conversation).unwrap(), entry))
            .collect();
        for (number, conversation) in conversations.iter().enumerate() {
            match changed.get(conversation) {
                // After a crash the feed may name more, but nothing new in it.
                Some(change) if round > 0 && number != 3 && number != 7 => {
                    assert_eq!((change.last_seq, change.unread), (1, 0));
                }
                change => assert_eq!(change.is_some(), matches!(number, 3 | 7), "{transport:?}"),
            }
        }
        assert!(changes.feed_position > position && !changes.more);
        for number in [3, 7] {
            let (conversation, change) = (conversations[number], changed[&conversations[number]]);
            let missing = back.fetch_all(&conversation, 1).await.unwrap();
            let seqs: Vec<_> = entries_of(&missing).iter().map(|entry| entry.seq).collect();
            assert!(seqs.iter().copied().eq(2..=change.last_seq), "{transport:?}: {seqs:?}");
            assert_eq!(change.unread, change.last_seq - 1, "the first one is ann's own");
        }
        assert_eq!(back.ping().await.unwrap().feed_position, changes.feed_position);
        if round == 0 {
            // The same again after a crash.
            server.restart().await;
        }
    }
}

#[tokio::test]
async fn a_heartbeat_tells_of_a_change_that_was_not_pushed() {
    let (_folder, server, ann, ben) = ann_and_ben().await;
    let mut session = Session::open(&server.ready, Transport::Tls, &ann).await;
    let before = session.ping().await.unwrap();
    let mut peer = Session::open(&server.ready, Transport::Tls, &ben).await;
    let sent = peer.say(&ann, "1", "one").await;
    let deliver = session.deliver().await.unwrap();
    let after = session.ping().await.unwrap();
    assert!(after.feed_position > before.feed_position);
    assert_eq!(after.feed_position, deliver.feed_position);
    assert!(after.server_time_ms >= before.server_time_ms);
    // As if the push had been lost.
    let changes = session.sync(before.feed_position).await.unwrap();
    assert_eq!(only(&changes).last_seq, sent.seq);
    assert_eq!(changes.feed_position, after.feed_position);
}

#[tokio::test]
async fn a_feed_position_from_nowhere_harms_nobody() {
    let (_folder, server, ann, ben) = ann_and_ben().await;
    let mut peer = Session::open(&server.ready, Transport::Tls, &ben).await;
    peer.say(&ann, "1", "one").await;
    for transport in Transport::ALL {
        let ahead = Session::resume(&server.ready, transport, &ann, u64::MAX).await;
        let mut ahead = ahead.unwrap();
        let changes = ahead.welcome.changes.clone().unwrap();
        // A position the server never gave: everything again, or nothing new,
        // but the position the client then has is one the server gave.
        let position = ahead.ping().await.unwrap().feed_position;
        assert!(changes.feed_position <= position, "{changes:?}, {position}");
        assert_eq!(ahead.sync(0).await.unwrap().entries.len(), 1);
    }
}

#[tokio::test]
async fn unread_counts_are_right() {
    let (_folder, mut server, ann, ben) = ann_and_ben().await;
    let tablet = Api::plain(&server.ready).login("ann", "tablet").await;
    let mut phone = Session::open(&server.ready, Transport::Quic, &ann).await;
    let mut peer = Session::open(&server.ready, Transport::WebSocket, &ben).await;
    let unread = |changes: &Changes| only(changes).unread;
    for number in 1..=5 {
        peer.say(&ann, &number.to_string(), "x").await;
    }
    let conversation = conversation_of(&peer.say(&ann, "6", "x").await);
    phone.delivered_up_to(&conversation, 6).await;
    assert_eq!(unread(&phone.sync(0).await.unwrap()), 6);
    assert_eq!(unread(&peer.sync(0).await.unwrap()), 0, "own messages are read");
    // Delivered is not read.
    phone.delivered(&conversation, 6).await.unwrap();
    assert_eq!(unread(&phone.sync(0).await.unwrap()), 6);
    phone.must_read(&conversation, 4).await;
    assert_eq!(unread(&phone.sync(0).await.unwrap()), 2);
    // An older position does not bring it back.
    assert_eq!(phone.must_read(&conversation, 1).await.read, 4);
    assert_eq!(unread(&phone.sync(0).await.unwrap()), 2);
    // The other device sees the same, also after a crash.
    server.restart().await;
    let mut tablet = Session::open(&server.ready, Transport::Tls, &tablet).await;
    let change = only(tablet.welcome.changes.as_ref().unwrap()).clone();
    assert_eq!((change.unread, change.read, change.last_seq), (2, 4, 6));
    // Who answers has read.
    tablet.say(&ben, "answer", "y").await;
    assert_eq!(unread(&tablet.sync(0).await.unwrap()), 0);
    let mut peer = Session::open(&server.ready, Transport::Tls, &ben).await;
    assert_eq!(unread(&peer.sync(0).await.unwrap()), 1);
}

#[tokio::test]
async fn the_other_devices_learn_what_was_read() {
    let (_folder, server, ann, ben) = ann_and_ben().await;
    let tablet = Api::plain(&server.ready).login("ann", "tablet").await;
    let mut phone = Session::open(&server.ready, Transport::Quic, &ann).await;
    let mut tablet = Session::open(&server.ready, Transport::Tls, &tablet).await;
    let mut peer = Session::open(&server.ready, Transport::WebSocket, &ben).await;
    let conversation = conversation_of(&peer.say(&ann, "1", "x").await);
    let deliver = tablet.deliver().await.unwrap();
    phone.delivered_up_to(&conversation, 1).await;
    phone.must_read(&conversation, 1).await;
    // By a push to the own user's other devices, and at the latest by the heartbeat.
    let own = tablet.pushed(|said| match said {
        Said::Receipt(receipt) if receipt.user == ann.user.to_wire() => Some(receipt.clone()),
        _ => None,
    });
    let own = own.await.unwrap();
    assert_eq!((own.read, &own.conversation), (1, &conversation.to_wire()));
    assert!(own.feed_position > deliver.feed_position, "{own:?}");
    let pong = tablet.ping().await.unwrap();
    assert!(pong.feed_position > deliver.feed_position, "the feed tells of the read cursor");
    let changes = tablet.sync(deliver.feed_position).await.unwrap();
    assert_eq!((only(&changes).read, only(&changes).unread), (1, 0));
}

#[tokio::test]
async fn cursors_move_forward_only_and_never_past_what_was_given() {
    let (_folder, mut server, ann, ben) = ann_and_ben().await;
    let mut phone = Session::open(&server.ready, Transport::Quic, &ann).await;
    let mut peer = Session::open(&server.ready, Transport::WebSocket, &ben).await;
    let conversation = conversation_of(&peer.say(&ann, "1", "x").await);
    for number in 2..=9 {
        peer.say(&ann, &number.to_string(), "x").await;
    }
    phone.delivered_up_to(&conversation, 9).await;
    for ahead in [10, u64::MAX] {
        let code = |said| match said {
            Ok(Said::Failure(failure)) => Code::from_number(failure.code),
            other => panic!("{ahead}: {other:?}"),
        };
        assert_eq!(code(phone.delivered(&conversation, ahead).await), Some(Code::CursorAhead));
        assert_eq!(code(phone.read(&conversation, ahead).await), Some(Code::CursorAhead));
    }
    assert_eq!(phone.must_read(&conversation, 3).await.read, 3);
    server.restart().await;
    // A new session was given nothing yet.
    let mut phone = Session::open(&server.ready, Transport::Tls, &ann).await;
    match phone.read(&conversation, 9).await {
        Ok(Said::Failure(failure)) => assert_eq!(failure.code, Code::CursorAhead as u32),
        other => panic!("{other:?}"),
    }
    assert_eq!(phone.must_read(&conversation, 2).await.read, 3, "never back");
    phone.fetch_after(&conversation, 3, 0).await.unwrap();
    let moved = phone.must_read(&conversation, 9).await;
    assert_eq!((moved.read, moved.delivered), (9, 9), "read implies delivered");
}

#[tokio::test]
async fn a_conversation_with_oneself_works() {
    let (_folder, server, ann, _) = ann_and_ben().await;
    let tablet = Api::plain(&server.ready).login("ann", "tablet").await;
    let mut phone = Session::open(&server.ready, Transport::Quic, &ann).await;
    let mut tablet = Session::open(&server.ready, Transport::Tls, &tablet).await;
    let conversation = conversation_of(&phone.say(&ann, "1", "a note").await);
    let entries = tablet.delivered_up_to(&conversation, 1).await;
    assert_eq!(text_of(&entries[0]), "a note");
    assert_eq!(only(&tablet.sync(0).await.unwrap()).unread, 0);
    assert_eq!(phone.describe(&conversation).await.members.len(), 1);
}
