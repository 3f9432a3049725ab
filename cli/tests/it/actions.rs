//! Edits, deletions, reactions, pins and mentions: who may, what others get,
//! and that a deleted text is gone for every reader.

use parley_protocol::wire::{
    ConversationSettings, Delete, Edit, Entry, EntryKind, Mention, Pin, Reaction, Text,
    mention::Who,
};
use parley_protocol::{Code, Message as _};

use crate::common::session::{Said, conversation_of, entries_of, send_into};
use crate::common::{Api, Launch, Session, Transport};
use crate::groups::{create, people, people_with, put, seen};

fn edit(seq: u64, text: &str) -> Edit {
    Edit { seq, text: text.to_owned(), mentions: Vec::new() }
}

fn reaction(seq: u64, emoji: &str) -> Reaction {
    Reaction { seq, emoji: emoji.to_owned(), removed: false }
}

#[tokio::test]
async fn a_message_is_edited_by_its_author_alone_and_everyone_gets_the_edit() {
    let (_folder, server, [ann, ben]) = people(["ann", "ben"]).await;
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let mut b = Session::open(&server.ready, Transport::Quic, &ben).await;
    let sent = a.say(&ben, "1", "helo").await;
    let id = conversation_of(&sent);
    b.deliver().await.unwrap();
    let by_ben = put(&id, "x", EntryKind::Edit, &edit(1, "hijacked"));
    assert_eq!(b.refused(by_ben).await, Some(Code::Forbidden));
    let edited = a.send(put(&id, "2", EntryKind::Edit, &edit(1, "hello"))).await.unwrap();
    // An edit is an entry, and no message.
    assert_eq!((edited.seq, edited.ordinal), (2, 1));
    let entry = entries_of(&b.deliver().await.unwrap().entries).remove(0);
    assert_eq!(Edit::decode(entry.body).unwrap(), edit(1, "hello"));
    let nothing = put(&id, "3", EntryKind::Edit, &edit(9, "no such message"));
    assert_eq!(a.refused(nothing).await, Some(Code::TargetInvalid));
    // An edit is no message that could be edited.
    let again = put(&id, "4", EntryKind::Edit, &edit(2, "edit of an edit"));
    assert_eq!(a.refused(again).await, Some(Code::TargetInvalid));
    assert_eq!(b.sync(0).await.unwrap().entries[0].unread, 1);
}

#[tokio::test]
async fn a_deleted_message_and_its_edits_are_gone_for_every_reader() {
    let (_folder, mut server, [ann, ben]) = people(["ann", "ben"]).await;
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let mut b = Session::open(&server.ready, Transport::WebSocket, &ben).await;
    let id = conversation_of(&a.say(&ben, "1", "the first secret").await);
    a.send(put(&id, "2", EntryKind::Edit, &edit(1, "the second secret"))).await.unwrap();
    a.send(send_into(&id, "3", "what stays")).await.unwrap();
    let wrong = put(&id, "x", EntryKind::Delete, &Delete { seq: 1, ordinal: 2 });
    assert_eq!(a.refused(wrong).await, Some(Code::TargetInvalid));
    let delete = Delete { seq: 1, ordinal: 1 };
    let by_ben = put(&id, "x", EntryKind::Delete, &delete);
    assert_eq!(b.refused(by_ben).await, Some(Code::Forbidden));
    a.send(put(&id, "4", EntryKind::Delete, &delete)).await.unwrap();
    for round in 0..2 {
        let mut b = Session::open(&server.ready, Transport::Tls, &ben).await;
        let entries = seen(&mut b, &id).await;
        let bodies: Vec<(u64, bool, bool)> = entries
            .iter()
            .map(|entry: &Entry| (entry.seq, entry.erased, entry.body.is_empty()))
            .collect();
        let expected = [(1, true, true), (2, true, true), (3, false, false), (4, false, false)];
        assert_eq!(bodies, expected, "round {round}");
        assert_eq!((entries[0].ordinal, entries[2].ordinal), (1, 2));
        // What is gone takes nothing more.
        let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
        for (kind, body) in [
            (EntryKind::Edit, edit(1, "back").encode_to_vec()),
            (EntryKind::Reaction, reaction(1, "x").encode_to_vec()),
            (EntryKind::Delete, delete.encode_to_vec()),
        ] {
            let ask = crate::groups::put_bytes(&id, "late", kind, body);
            assert_eq!(a.refused(ask).await, Some(Code::TargetInvalid), "{kind:?}");
        }
        server.kill();
        server.restart().await;
    }
}

#[tokio::test]
async fn an_admin_deletes_what_others_said_in_a_group() {
    let (_folder, server, [ann, ben]) = people(["ann", "ben"]).await;
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let mut b = Session::open(&server.ready, Transport::Tls, &ben).await;
    let made = a.send(create("g", ConversationSettings::default(), &[&ben])).await.unwrap();
    let group = conversation_of(&made);
    b.send(send_into(&group, "2", "rude")).await.unwrap();
    let own = a.send(send_into(&group, "3", "fine")).await.unwrap();
    let delete = Delete { seq: own.seq, ordinal: own.ordinal };
    let ask = put(&group, "x", EntryKind::Delete, &delete);
    assert_eq!(b.refused(ask).await, Some(Code::Forbidden));
    let delete = Delete { seq: 2, ordinal: 1 };
    a.send(put(&group, "4", EntryKind::Delete, &delete)).await.unwrap();
    assert!(seen(&mut b, &group).await[1].erased);
}

#[tokio::test]
async fn reactions_are_few_each_and_can_be_taken_back() {
    let (_folder, server, [ann, ben]) = people(["ann", "ben"]).await;
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let mut b = Session::open(&server.ready, Transport::Tls, &ben).await;
    let id = conversation_of(&a.say(&ben, "1", "hello").await);
    for n in 0..8 {
        let given = reaction(1, &format!("r{n}"));
        b.send(put(&id, &format!("r{n}"), EntryKind::Reaction, &given)).await.unwrap();
    }
    let ninth = || put(&id, "ninth", EntryKind::Reaction, &reaction(1, "r9"));
    assert_eq!(b.refused(ninth()).await, Some(Code::ListFull));
    let back = Reaction { removed: true, ..reaction(1, "r3") };
    b.send(put(&id, "back", EntryKind::Reaction, &back)).await.unwrap();
    b.send(ninth()).await.unwrap();
    // Another's count is their own.
    a.send(put(&id, "mine", EntryKind::Reaction, &reaction(1, "r1"))).await.unwrap();
}

#[tokio::test]
async fn pins_are_kept_with_the_conversation_and_a_pin_comes_off_once() {
    let (_folder, mut server, [ann, ben]) = people(["ann", "ben"]).await;
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let id = conversation_of(&a.say(&ben, "1", "remember").await);
    let pin = |removed| Pin { seq: 1, removed };
    a.send(put(&id, "pin", EntryKind::Pin, &pin(false))).await.unwrap();
    let twice = put(&id, "twice", EntryKind::Pin, &pin(false));
    assert_eq!(a.refused(twice).await, Some(Code::TargetInvalid));
    server.kill();
    server.restart().await;
    let mut b = Session::open(&server.ready, Transport::Tls, &ben).await;
    b.send(put(&id, "off", EntryKind::Pin, &pin(true))).await.unwrap();
    let again = put(&id, "again", EntryKind::Pin, &pin(true));
    assert_eq!(b.refused(again).await, Some(Code::TargetInvalid));
}

#[tokio::test]
async fn everyone_is_called_by_an_admin_only() {
    let (_folder, server, [ann, ben]) = people(["ann", "ben"]).await;
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let mut b = Session::open(&server.ready, Transport::Tls, &ben).await;
    let made = a.send(create("g", ConversationSettings::default(), &[&ben])).await.unwrap();
    let group = conversation_of(&made);
    let mention = Mention { start: 0, length: 4, who: Some(Who::Everyone(true)) };
    let text = Text { text: "@all".to_owned(), mentions: vec![mention], ..Text::default() };
    let ask = || put(&group, "all", EntryKind::Text, &text);
    assert_eq!(b.refused(ask()).await, Some(Code::Forbidden));
    a.send(ask()).await.unwrap();
}

#[tokio::test]
async fn an_answer_names_a_message_that_is_there() {
    let (_folder, server, [ann, ben]) = people(["ann", "ben"]).await;
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let id = conversation_of(&a.say(&ben, "1", "question").await);
    let answer = |reply_to| Text { text: "answer".to_owned(), reply_to, ..Text::default() };
    let ask = put(&id, "none", EntryKind::Text, &answer(7));
    assert_eq!(a.refused(ask).await, Some(Code::TargetInvalid));
    a.send(put(&id, "2", EntryKind::Text, &answer(1))).await.unwrap();
}

#[tokio::test]
async fn no_edit_survives_a_deletion_that_races_it() {
    // Thirty edits in each of twenty rounds.
    let more = |launch: Launch| launch.with("PARLEY_RATES__SENDS_BURST", "1000");
    let (_folder, server, [ann, ben]) = people_with(["ann", "ben"], more).await;
    let again = Api::plain(&server.ready).login("ann", "tablet").await;
    let mut phone = Session::open(&server.ready, Transport::Tls, &ann).await;
    let mut tablet = Session::open(&server.ready, Transport::Quic, &again).await;
    for round in 1..=20 {
        let sent = phone.say(&ben, &format!("{round}"), "to be regretted").await;
        let id = conversation_of(&sent);
        let edits: Vec<_> = (0..30)
            .map(|n| put(&id, &format!("{round}/{n}"), EntryKind::Edit, &edit(sent.seq, "secret")))
            .collect();
        let delete = Delete { seq: sent.seq, ordinal: sent.ordinal };
        let delete = put(&id, &format!("{round}/x"), EntryKind::Delete, &delete);
        let pause = std::time::Duration::from_micros(fastrand::u64(0..8000));
        let deleting = async {
            tokio::time::sleep(pause).await;
            tablet.send(delete).await
        };
        let (answers, deleted) = tokio::join!(phone.ask_all(edits), deleting);
        let deleted = deleted.unwrap();
        // Before it edits were taken, behind it none.
        for said in answers.unwrap() {
            match said {
                Said::Sent(edit) => assert!(edit.seq < deleted.seq, "round {round}"),
                Said::Failure(failure) => assert_eq!(failure.code, Code::TargetInvalid as u32),
                other => panic!("{other:?}"),
            }
        }
        let all = seen(&mut tablet, &id).await;
        let of_round = all.iter().filter(|entry| entry.seq >= sent.seq);
        let told: Vec<_> = of_round.filter(|entry| !entry.erased).map(|entry| entry.kind).collect();
        assert_eq!(told, [EntryKind::Delete as u32], "round {round}");
    }
}
