//! What is done to messages, and what one sets for a conversation, on all devices.

use parley_client::{
    Client, Code, Entry, Event, Message, NewGroup, NewMessage, PreferencesChange, Range,
    SendHandle, Sent,
};

use crate::common::patiently;
use crate::support::{ann_and_ben, builder, messages, pick, server};

async fn sent(handle: Result<SendHandle, parley_client::Error>) -> Sent {
    patiently("the commit", handle.unwrap().sent()).await.unwrap()
}

/// One message of a conversation as it is now.
async fn message(client: &Client, of: Sent) -> Message {
    let range = Range::After(of.seq - 1);
    let page = patiently("history", client.history(of.conversation, range, 1)).await.unwrap();
    page.entries[0].message().unwrap().clone()
}

#[tokio::test]
async fn edits_reactions_and_deletions_reach_everybody_and_last() {
    let (_folder, server) = server().await;
    let (ann, ben) = ann_and_ben(&server.ready).await;
    let mut saw = ben.events();
    let said = sent(ann.send("ben", "Helo").await).await;
    let place = said.conversation;
    messages(&mut saw, 1).await;
    sent(ann.edit(place, said.seq, "Hello").await).await;
    let edit = pick(&mut saw, "the edit", |event| match event {
        Event::Edited(edit) => Some((edit.target, edit.text.to_string())),
        _ => None,
    });
    assert_eq!(edit.await, (said.seq, "Hello".to_owned()));
    sent(ben.react(place, said.seq, "👍").await).await;
    sent(ben.react(place, said.seq, "🎉").await).await;
    sent(ben.unreact(place, said.seq, "🎉").await).await;
    sent(ann.pin(place, said.seq).await).await;
    let now = message(&ben, said).await;
    assert_eq!((&*now.text, now.edited.is_some(), now.pinned), ("Hello", true, true));
    assert_eq!(now.reactions.len(), 1);
    assert_eq!((&*now.reactions[0].emoji, &*now.reactions[0].users[0].name), ("👍", "ben"));
    let pinned = patiently("pins", ben.history(place, Range::Pinned, 0)).await.unwrap();
    assert_eq!(pinned.entries.iter().filter_map(Entry::message).count(), 1);
    let edits = patiently("edits", ben.history(place, Range::EditsOf(said.seq), 0)).await.unwrap();
    assert!(matches!(&edits.entries[..], [Entry::Edit(edit)] if &*edit.text == "Hello"));

    let others = patiently("no", ben.edit(place, said.seq, "mine").await.unwrap().sent()).await;
    assert_eq!(others.unwrap_err().code(), Some(Code::Forbidden as u32));
    sent(ann.delete_for_all(place, said.seq).await).await;
    pick(&mut saw, "the deletion", |event| match event {
        Event::Deleted(deletion) => (deletion.target == said.seq).then_some(()),
        _ => None,
    })
    .await;
    let gone = message(&ben, said).await;
    assert!(gone.deleted && gone.text.is_empty() && gone.reactions.is_empty());
    let again = patiently("no", ann.delete_for_all(place, said.seq)).await;
    assert_eq!(again.unwrap_err().code(), Some(Code::TargetInvalid as u32));
}

#[tokio::test]
async fn unread_and_mentions_are_right_after_deletions_on_every_device() {
    let (_folder, server) = server().await;
    let (ann, ben) = ann_and_ben(&server.ready).await;
    let phone = builder(&server.ready, &server.ready.tls, "ben").device_name("phone");
    let phone = patiently("phone", phone.connect()).await.unwrap();
    let ben_id = ben.ready().await.unwrap().user.id;
    let group = NewGroup::titled("Counted").member(ben_id);
    let place = sent(ann.create_group(group).await).await.conversation;
    let one = sent(ann.send(place, "one").await).await;
    let named = NewMessage::text("@ben two").mention(0, 4, ben_id);
    let two = sent(ann.send(place, named).await).await;
    sent(ann.send(place, NewMessage::text("@all three").mention_everyone(0, 4)).await).await;
    let counts = async |client: &Client, unread: u64, mentions: u64| {
        let wait = async {
            loop {
                let lines = client.conversations().await.unwrap();
                let line = lines.iter().find(|line| line.id == place);
                if line.is_some_and(|line| (line.unread, line.mentions) == (unread, mentions)) {
                    return;
                }
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        patiently(&format!("{unread} unread, {mentions} mentions"), wait).await;
    };
    for device in [&ben, &phone] {
        counts(device, 3, 2).await;
    }
    let mentions = Range::MentionsBefore(u64::MAX);
    let page = patiently("mentions", ben.history(place, mentions, 0)).await.unwrap();
    assert!(page.entries.iter().filter_map(Entry::message).all(|message| message.mentions_me));
    assert_eq!(page.entries.len(), 2);
    sent(ann.delete_for_all(place, two.seq).await).await;
    for device in [&ben, &phone] {
        counts(device, 2, 1).await;
    }
    // Amid the unread; then to the end, by an answer.
    patiently("reading", phone.mark_read(place, one.seq)).await.unwrap();
    for device in [&ben, &phone] {
        counts(device, 1, 1).await;
    }
    sent(phone.send(place, NewMessage::text("yes").reply_to(one.seq)).await).await;
    for device in [&ben, &phone] {
        counts(device, 0, 0).await;
    }
    let page = patiently("history", ann.history(place, Range::Latest, 1)).await.unwrap();
    assert_eq!((page.quoted[0].seq, &*page.quoted[0].text), (one.seq, "one"));
}

#[tokio::test]
async fn what_one_sets_and_hides_is_the_same_on_all_devices() {
    let (_folder, server) = server().await;
    let (ann, ben) = ann_and_ben(&server.ready).await;
    let phone = builder(&server.ready, &server.ready.tls, "ben").device_name("phone");
    let phone = patiently("phone", phone.connect()).await.unwrap();
    let mut phone_saw = phone.events();
    let said = sent(ann.send("ben", "hide me").await).await;
    let place = said.conversation;
    messages(&mut phone_saw, 1).await;
    let change = PreferencesChange {
        archived: Some(true),
        draft: Some("later".into()),
        ..PreferencesChange::default()
    };
    patiently("setting", ben.set_preferences(place, change)).await.unwrap();
    pick(&mut phone_saw, "the draft", |event| match event {
        Event::Conversation(line) if line.preferences.archived => {
            assert_eq!(&*line.preferences.draft, "later");
            Some(())
        }
        _ => None,
    })
    .await;
    patiently("hiding", ben.hide(place, &[said.seq])).await.unwrap();
    let hidden = pick(&mut phone_saw, "what is hidden", |event| match event {
        Event::Hidden { seqs, .. } => Some(seqs),
        _ => None,
    });
    assert_eq!(hidden.await, vec![said.seq]);
    assert!(message(&phone, said).await.deleted);
    assert!(!message(&ann, said).await.deleted, "nobody else notices");

    let change =
        PreferencesChange { cleared_up_to: Some(said.seq), ..PreferencesChange::default() };
    patiently("clearing", phone.set_preferences(place, change)).await.unwrap();
    let page = patiently("history", ben.history(place, Range::Latest, 0)).await.unwrap();
    assert!(page.entries.is_empty());
}

#[tokio::test]
async fn a_group_sees_who_has_a_message_and_who_read_it() {
    let (_folder, server) = server().await;
    let (ann, ben) = ann_and_ben(&server.ready).await;
    let group = NewGroup::titled("Ticks").member(ben.ready().await.unwrap().user.id);
    let place = sent(ann.create_group(group).await).await.conversation;
    let handle = ann.send(place, "who reads this?").await.unwrap();
    let said = patiently("delivered", handle.delivered()).await.unwrap();
    patiently("reading", ben.mark_read(place, said.seq)).await.unwrap();
    patiently("read", handle.read()).await.unwrap();
    let receipts = patiently("receipts", ann.receipts(place, said.seq)).await.unwrap();
    assert_eq!(receipts.len(), 1);
    assert_eq!(&*receipts[0].user.name, "ben");
    assert!(receipts[0].read_ms >= receipts[0].delivered_ms && receipts[0].read_ms.is_some());
}
