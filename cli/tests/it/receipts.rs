//! Receipts of a large group: all are told, and few frames tell them.

use std::collections::HashMap;

use parley_protocol::wire::ConversationSettings;

use crate::common::session::{Ask, Said, conversation_of, send_into};
use crate::common::{Api, Launch, Ready, Session, Transport, asks};
use crate::groups::create;

const MEMBERS: usize = 200;
const MESSAGES: u64 = 20;

async fn figure(ready: &Ready, name: &str) -> u64 {
    let metrics = Api::plain(&ready.operator()).get("/metrics", None).await;
    let text = String::from_utf8_lossy(&metrics.body).into_owned();
    let line = text.lines().find(|line| line.split(' ').next() == Some(name));
    line.and_then(|line| line.split(' ').nth(1)).map_or(0, |value| value.parse().unwrap())
}

#[tokio::test]
async fn two_hundred_members_do_not_drown_in_receipts() {
    let folder = tempfile::tempdir().unwrap();
    // Two hundred passwords are not what is tested.
    let server = Launch::new(&folder.path().join("data"))
        .with("PARLEY_ACCOUNTS__HASH_MEMORY_KIB", "8")
        .with("PARLEY_ACCOUNTS__HASH_PASSES", "1")
        .with("PARLEY_SESSIONS__HEARTBEAT_MS", "60000")
        // All of them sign up from one address.
        .with("PARLEY_RATES__SIGN_UPS_BURST", "1000")
        // One of them brings the others in, whom they don't know.
        .with("PARLEY_RATES__STRANGERS_BURST", "1000")
        .start()
        .await;
    let api = Api::plain(&server.ready);
    let mut members = Vec::new();
    for n in 0..MEMBERS {
        members.push(api.sign_up(&format!("member{n}"), "phone").await);
    }
    let mut author = Session::open(&server.ready, Transport::Quic, &members[0]).await;
    let others: Vec<_> = members[1..].iter().collect();
    let made = author.send(create("g", ConversationSettings::default(), &others)).await.unwrap();
    let group = conversation_of(&made);
    let mut sessions = Vec::new();
    for person in &others {
        sessions.push(Session::open(&server.ready, Transport::Tls, person).await);
    }
    let texts: Vec<Ask> =
        (0..MESSAGES).map(|n| send_into(&group, &format!("m{n}"), "a message")).collect();
    author.ask_all(texts).await.unwrap();
    let last = 1 + MESSAGES;
    // Everybody acknowledges each message by itself, and reads the last.
    let acknowledged = sessions.iter_mut().map(async |session| {
        session.delivered_up_to(&group, last).await;
        // What came before the session was opened is fetched.
        session.fetch_all(&group, 0).await.unwrap();
        let moves = (1..=last).map(|seq| asks::delivered(&group, seq));
        let moves = moves.chain([asks::read(&group, last)]).collect();
        for said in session.ask_all(moves).await.unwrap() {
            assert!(matches!(said, Said::Moved(_)), "{said:?}");
        }
    });
    futures_util::future::join_all(acknowledged).await;

    let (mut told, mut frames) = (HashMap::new(), 0u64);
    let all = author.pushed(|said| {
        if let Said::Receipt(receipt) = said {
            frames += 1;
            assert_eq!(receipt.conversation, group.to_wire());
            let known: &mut (u64, u64) = told.entry(receipt.user.clone()).or_default();
            assert!(receipt.delivered >= known.0 && receipt.read >= known.1, "only forward");
            *known = (receipt.delivered, receipt.read);
        }
        let done = told.values().filter(|state| **state == (last, last)).count();
        (done == MEMBERS - 1).then_some(())
    });
    all.await.unwrap();
    // Who only reads is told nothing of other readers.
    for session in &mut sessions {
        session.ping().await.unwrap();
        assert!(!session.pushes.iter().any(|said| matches!(said, Said::Receipt(_))));
    }
    let noted = figure(&server.ready, "parley_receipts_noted_total").await;
    let sent = figure(&server.ready, "parley_receipts_told_total").await;
    println!("{noted} receipts noted, {sent} told, {frames} frames to their reader");
    assert!(noted >= (MEMBERS as u64 - 1) * MESSAGES, "{noted}");
    assert_eq!(frames, sent);
    assert!(frames * 3 <= noted, "{frames} frames for {noted} receipts");
}
