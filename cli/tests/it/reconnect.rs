//! What it costs to come back: as much as changed, whatever there is.

use std::time::Instant;

use parley_protocol::Message as _;
use parley_protocol::wire::ConversationSettings;

use crate::common::asks;
use crate::common::session::{Said, conversation_of, send_into};
use crate::common::{Launch, Session, Transport};
use crate::groups::people_with;

const CONVERSATIONS: usize = 10_000;
const CHANGED: usize = 10;
const MOST_BYTES: usize = 4096;

#[tokio::test]
async fn with_ten_thousand_conversations_of_which_ten_changed_welcome_is_small() {
    // One person makes all the groups and brings the other in.
    let more = |launch: Launch| {
        let more = launch.with("PARLEY_RATES__GROUPS_BURST", "10000");
        more.with("PARLEY_RATES__ADDS_BURST", "10000")
            .with("PARLEY_RATES__ENTRIES_BURST", "20000")
            .with("PARLEY_RATES__STRANGERS_BURST", "10000")
            .with("PARLEY_RATES__STRANGER_GROUPS_BURST", "10000")
    };
    let (_folder, server, [ann, ben]) = people_with(["ann", "ben"], more).await;
    let mut b = Session::open(&server.ready, Transport::Tls, &ben).await;
    let mut ids = Vec::with_capacity(CONVERSATIONS);
    for batch in 0..CONVERSATIONS / 200 {
        let ask = |n| {
            let id = format!("{batch}-{n}");
            asks::new_group(&id, "Group", ConversationSettings::default(), &[ann.user])
        };
        for said in b.ask_all((0..200).map(ask).collect()).await.unwrap() {
            let Said::Sent(sent) = said else { panic!("not Sent: {said:?}") };
            ids.push(conversation_of(&sent));
        }
    }
    // A new device takes everything, page by page.
    let begun = Instant::now();
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let mut page = a.welcome.changes.take().unwrap();
    let (mut entries, mut bytes, mut pages) = (0, 0, 0);
    let position = loop {
        (entries, bytes, pages) =
            (entries + page.entries.len(), bytes + page.encoded_len(), pages + 1);
        if !page.more {
            break page.feed_position;
        }
        page = a.sync(page.feed_position).await.unwrap();
    };
    let first_ms = begun.elapsed().as_secs_f64() * 1000.0;
    assert_eq!(entries, CONVERSATIONS);
    drop(a);
    for id in ids.iter().step_by(CONVERSATIONS / CHANGED) {
        b.send(send_into(id, "news", "news")).await.unwrap();
    }
    let mut best_ms = f64::MAX;
    for transport in Transport::ALL.into_iter().cycle().take(9) {
        let begun = Instant::now();
        let a = Session::resume(&server.ready, transport, &ann, position).await.unwrap();
        best_ms = best_ms.min(begun.elapsed().as_secs_f64() * 1000.0);
        let changes = a.welcome.changes.as_ref().unwrap();
        let changed = changes.entries.iter().filter(|entry| entry.unread == 1).count();
        assert_eq!((changes.entries.len(), changed, changes.more), (CHANGED, CHANGED, false));
        let size = a.welcome.encoded_len();
        assert!(size < MOST_BYTES, "Welcome has {size} bytes");
        if transport == Transport::Tls {
            println!("Welcome: {size} bytes");
        }
    }
    println!("all {CONVERSATIONS}: {pages} pages, {bytes} bytes, {first_ms:.1} ms with connecting");
    println!("{CHANGED} changed: {best_ms:.1} ms from connecting to Welcome at best");
}
