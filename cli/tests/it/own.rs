//! What is one's own in a conversation: settings, drafts, what was hidden and
//! cleared; who has one's message, and what strangers wait for.

use parley_protocol::wire::{
    AccountSettings, Audience, Changes, FeedEntry, NotifyLevel, fetch::From, update_account,
};
use parley_protocol::{Code, ConversationId};

use crate::common::asks;
use crate::common::session::{Ask, Said, conversation_of, entries_of, send_into};
use crate::common::{Session, Transport};
use crate::groups::people;
use crate::history::{done, feed, fetched, group, seqs};

async fn changed(session: &mut Session, ask: Ask) -> u64 {
    match session.ask(ask).await {
        Ok(Said::Changed(changed)) => changed.feed_position,
        other => panic!("not Changed: {other:?}"),
    }
}

/// The next Changes that a session is told of by itself.
async fn told(session: &mut Session) -> Changes {
    let changes = session.pushed(|said| match said {
        Said::Changes(changes) => Some(changes.clone()),
        _ => None,
    });
    changes.await.unwrap()
}

/// Seqs whose bodies are there, and those without.
async fn bodies(session: &mut Session, id: &ConversationId) -> (Vec<u64>, Vec<u64>) {
    let entries = entries_of(&fetched(session, id, From::AfterSeq(0), 0).await.entries);
    let (gone, there): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| entry.erased);
    assert!(gone.iter().all(|entry| entry.body.is_empty()));
    (seqs(&there), seqs(&gone))
}

#[tokio::test]
async fn preferences_are_the_same_on_all_devices_and_nobody_elses() {
    let (_folder, mut server, [ann, ben]) = people(["ann", "ben"]).await;
    let mut phone = Session::open(&server.ready, Transport::Quic, &ann).await;
    let mut laptop = Session::open(&server.ready, Transport::WebSocket, &ann).await;
    let mut b = Session::open(&server.ready, Transport::Tls, &ben).await;
    let id = conversation_of(&b.say(&ann, "1", "hello").await);
    b.say(&ann, "2", "there").await;
    phone.delivered_up_to(&id, 2).await;
    laptop.delivered_up_to(&id, 2).await;

    let set = asks::prefer(&id, |set| {
        set.muted_until_ms = Some(u64::MAX);
        set.archived = Some(true);
        set.level = Some(NotifyLevel::Mentions as i32);
        set.draft = Some("I was about to".to_owned());
        set.draft_reply_to = Some(2);
    });
    let position = changed(&mut phone, set.clone()).await;
    let changes = told(&mut laptop).await;
    assert!(!changes.more && changes.feed_position == position);
    let [entry] = &changes.entries[..] else { panic!("one entry: {changes:?}") };
    assert_eq!((entry.version, entry.unread, entry.last_seq), (position, 2, 2));
    let preferences = entry.preferences.clone().unwrap();
    assert_eq!(preferences.draft, "I was about to");
    assert!(preferences.archived && !preferences.pinned && preferences.muted_until_ms == u64::MAX);
    assert_eq!((preferences.level(), preferences.draft_reply_to), (NotifyLevel::Mentions, 2));
    // The same again changes nothing, and what is not given stays.
    assert_eq!(changed(&mut phone, set).await, position);
    let pin = asks::prefer(&id, |set| set.pinned = Some(true));
    let later = changed(&mut laptop, pin).await;
    assert!(later > position);
    let seen = told(&mut phone).await.entries[0].preferences.clone().unwrap();
    assert_eq!(seen, parley_protocol::wire::Preferences { pinned: true, ..preferences });
    // Whoever was away finds exactly that.
    let away = laptop.sync(position).await.unwrap();
    assert_eq!((away.entries.len(), away.feed_position), (1, later));
    assert_eq!(b.sync(0).await.unwrap().entries[0].preferences, None);
    for _ in 0..2 {
        server.kill();
        server.restart().await;
        let mut phone =
            Session::resume(&server.ready, Transport::Tls, &ann, position).await.unwrap();
        let changes = phone.welcome.changes.take().unwrap();
        let entry: Vec<_> =
            changes.entries.into_iter().filter_map(|entry| entry.preferences).collect();
        assert_eq!(entry, std::slice::from_ref(&seen));
        assert_eq!(feed(&mut phone, &id).await.preferences, Some(seen.clone()));
    }
}

#[tokio::test]
async fn a_preference_is_told_from_the_outbox_when_the_feed_forgot_it() {
    let (_folder, mut server, [ann, ben]) = people(["ann", "ben"]).await;
    let mut a = Session::open(&server.ready, Transport::Quic, &ann).await;
    let ids = [
        conversation_of(&a.say(&ben, "1", "x").await),
        conversation_of(&a.say(&ann, "1", "x").await),
        group(&mut a, &[&ben]).await,
    ];
    let start = a.sync(0).await.unwrap().feed_position;
    for (n, id) in ids.iter().enumerate() {
        changed(&mut a, asks::prefer(id, |set| set.draft = Some(format!("draft {n}")))).await;
    }
    // Before the feed was written, most likely; after it, the same must hold.
    server.kill();
    server.restart().await;
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let since = a.sync(start).await.unwrap().entries;
    assert_eq!(since.len(), 3, "all three changed since");
    for (n, id) in ids.iter().enumerate() {
        let preferences = feed(&mut a, id).await.preferences.unwrap();
        assert_eq!(preferences.draft, format!("draft {n}"));
    }
}

#[tokio::test]
async fn what_is_hidden_is_hidden_from_oneself_on_all_devices() {
    let (_folder, mut server, [ann, ben]) = people(["ann", "ben"]).await;
    let mut a = Session::open(&server.ready, Transport::Quic, &ann).await;
    let mut a2 = Session::open(&server.ready, Transport::Tls, &ann).await;
    let mut b = Session::open(&server.ready, Transport::WebSocket, &ben).await;
    let id = conversation_of(&b.say(&ann, "1", "one").await);
    for n in 2..=6 {
        done(&mut b, send_into(&id, &n.to_string(), "more")).await;
    }
    changed(&mut a, asks::hide(&id, &[4, 2, 4])).await;
    let entry = told(&mut a2).await.entries.remove(0);
    assert_eq!((entry.hidden, entry.unread), (2, 4));
    changed(&mut a2, asks::hide(&id, &[2, 5])).await;
    assert_eq!(told(&mut a).await.entries[0].hidden, 3);
    for refused in [7, 0] {
        let code = a.refused(asks::hide(&id, &[refused])).await;
        assert!(
            matches!(code, Some(Code::TargetInvalid | Code::BadRequest)),
            "{refused}: {code:?}"
        );
    }
    for _ in 0..2 {
        let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
        let mut b = Session::open(&server.ready, Transport::Quic, &ben).await;
        assert_eq!(bodies(&mut a, &id).await, (vec![1, 3, 6], vec![2, 4, 5]));
        assert_eq!(bodies(&mut b, &id).await, (vec![1, 2, 3, 4, 5, 6], vec![]));
        let listed = |said| match said {
            Ok(Said::HiddenSeqs(hidden)) => (hidden.seqs, hidden.total),
            other => panic!("not HiddenSeqs: {other:?}"),
        };
        assert_eq!(listed(a.ask(asks::hidden(&id, 0)).await), (vec![2, 4, 5], 3));
        assert_eq!(listed(a.ask(asks::hidden(&id, 2)).await), (vec![5], 3));
        assert_eq!(listed(b.ask(asks::hidden(&id, 0)).await), (vec![], 0));
        server.kill();
        server.restart().await;
    }
}

#[tokio::test]
async fn what_is_cleared_is_gone_for_oneself_and_read() {
    let (_folder, server, [ann, ben]) = people(["ann", "ben"]).await;
    let mut a = Session::open(&server.ready, Transport::Quic, &ann).await;
    let mut b = Session::open(&server.ready, Transport::Tls, &ben).await;
    let id = conversation_of(&b.say(&ann, "1", "one").await);
    for n in 2..=6 {
        done(&mut b, send_into(&id, &n.to_string(), "more")).await;
    }
    changed(&mut a, asks::prefer(&id, |set| set.cleared_up_to = Some(4))).await;
    let clear = |seq| asks::prefer(&id, |set| set.cleared_up_to = Some(seq));
    assert_eq!(a.refused(clear(7)).await, Some(Code::TargetInvalid));
    changed(&mut a, clear(2)).await;
    let entry = feed(&mut a, &id).await;
    assert_eq!((entry.unread, entry.preferences.unwrap().cleared_up_to), (2, 4));
    assert_eq!(bodies(&mut a, &id).await, (vec![5, 6], vec![]));
    assert_eq!(a.describe(&id).await.first_after, 4);
    assert_eq!(bodies(&mut b, &id).await.0.len(), 6);
    // Only one who is or was in it has preferences there.
    let elsewhere = ConversationId::new([7; 16]);
    let set = asks::prefer(&elsewhere, |set| set.pinned = Some(true));
    assert_eq!(a.refused(set).await, Some(Code::NotFound));
    assert_eq!(a.refused(asks::hidden(&elsewhere, 0)).await, Some(Code::NotFound));
}

async fn receipts(session: &mut Session, id: &ConversationId, seq: u64) -> Vec<(bool, bool)> {
    match session.ask(asks::receipts(id, seq)).await {
        Ok(Said::ReceiptList(list)) => {
            assert_eq!((list.seq, list.conversation), (seq, id.to_wire()));
            list.members.iter().map(|one| (one.delivered_ms > 0, one.read_ms > 0)).collect()
        }
        other => panic!("not ReceiptList: {other:?}"),
    }
}

#[tokio::test]
async fn who_has_a_message_is_known_as_far_as_they_let_know() {
    let (_folder, server, [ann, ben, eve]) = people(["ann", "ben", "eve"]).await;
    let mut a = Session::open(&server.ready, Transport::Quic, &ann).await;
    let mut b = Session::open(&server.ready, Transport::Tls, &ben).await;
    let mut e = Session::open(&server.ready, Transport::Tls, &eve).await;
    let id = group(&mut a, &[&ben, &eve]).await;
    for n in 2..=5 {
        done(&mut a, send_into(&id, &n.to_string(), "text")).await;
    }
    b.delivered_up_to(&id, 5).await;
    e.delivered_up_to(&id, 5).await;
    b.must_read(&id, 3).await;
    let hides = AccountSettings { read_receipts: Some(false), ..AccountSettings::default() };
    let hides = asks::update(update_account::Change::Settings(hides));
    assert!(matches!(e.ask(hides).await, Ok(Said::AccountChanged(_))));
    e.must_read(&id, 4).await;
    let sorted = |mut list: Vec<(bool, bool)>| {
        list.sort_unstable();
        list
    };
    assert_eq!(sorted(receipts(&mut a, &id, 3).await), [(true, false), (true, true)]);
    assert_eq!(sorted(receipts(&mut a, &id, 4).await), [(false, false), (true, false)]);
    assert_eq!(receipts(&mut a, &id, 5).await, [(false, false); 2]);
    // Of others' messages too; the author is left out.
    assert_eq!(receipts(&mut b, &id, 3).await.len(), 2);
    for not_a_message in [1, 99] {
        let code = a.refused(asks::receipts(&id, not_a_message)).await;
        assert_eq!(code, Some(Code::TargetInvalid));
    }
    // Who blocked the other is known nothing of.
    assert!(matches!(b.ask(asks::block(&ann.user)).await, Ok(Said::AccountChanged(_))));
    assert_eq!(sorted(receipts(&mut a, &id, 3).await), [(false, false), (true, false)]);
    let described = a.describe(&id).await;
    let of_ben = described.members.iter().find(|one| one.user == ben.user.to_wire()).unwrap();
    assert_eq!((of_ben.delivered, of_ben.read, of_ben.read_ms), (0, 0, 0));
    // Members come in order of joining; all three came with the first entry.
    assert!(described.members.iter().all(|member| member.joined_seq == 1));
}

async fn is_request(session: &mut Session, id: &ConversationId) -> bool {
    feed(session, id).await.request
}

#[tokio::test]
async fn a_stranger_waits_until_they_are_taken_up() {
    let (_folder, server, [ann, ben, eve]) = people(["ann", "ben", "eve"]).await;
    let mut a = Session::open(&server.ready, Transport::Quic, &ann).await;
    let mut b = Session::open(&server.ready, Transport::Tls, &ben).await;
    let mut e = Session::open(&server.ready, Transport::Tls, &eve).await;
    let only =
        AccountSettings { messages: Audience::Contacts as i32, ..AccountSettings::default() };
    let only = asks::update(update_account::Change::Settings(only));
    assert!(matches!(a.ask(only).await, Ok(Said::AccountChanged(_))));
    let of_ben = conversation_of(&b.say(&ann, "1", "hello").await);
    let of_eve = conversation_of(&e.say(&ann, "1", "hello").await);
    let shared = group(&mut b, &[&ann]).await;
    assert!(is_request(&mut a, &of_ben).await && is_request(&mut a, &of_eve).await);
    assert!(!is_request(&mut a, &shared).await && !is_request(&mut b, &of_ben).await);
    // Until then the stranger learns nothing.
    a.delivered_up_to(&of_ben, 1).await;
    a.must_read(&of_ben, 1).await;
    assert_eq!(receipts(&mut b, &of_ben, 1).await, [(false, false)]);
    // Taken up by answering, by saying so, or by knowing them.
    a.say(&ben, "r", "hello").await;
    assert!(!is_request(&mut a, &of_ben).await && is_request(&mut a, &of_eve).await);
    changed(&mut a, asks::prefer(&of_eve, |set| set.accepted = Some(true))).await;
    assert!(!is_request(&mut a, &of_eve).await);
    let taken: FeedEntry = feed(&mut a, &of_eve).await;
    assert!(taken.preferences.unwrap().accepted);
}
