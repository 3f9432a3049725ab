//! What is gone, and what still refers to it: answers, reactions, pins, drafts,
//! mentions, counts, lists, reports and exports, for those who were there, those
//! who come later and those who were away.

use parley_protocol::wire::{
    self, ConversationSettings, EntryKind, Role, Text, fetch::From, invites,
};
use parley_protocol::{Code, ConversationId, Message};

use super::groups::{people, people_with};
use crate::common::session::{Said, conversation_of, entries_of, send_into, text_of};
use crate::common::{Api, Launch, Person, Server, Session, Transport, asks};
use crate::history::{done, feed, fetched, group, seqs};

async fn short_lived<const N: usize>(
    names: [&str; N],
    erase_every_ms: &str,
) -> (tempfile::TempDir, Server, [Person; N]) {
    let erase_every_ms = erase_every_ms.to_owned();
    people_with(names, move |launch: Launch| {
        launch
            .with("PARLEY_RATES__SENDS_BURST", "1000")
            .with("PARLEY_GROUPS__LEAST_RETENTION_S", "1")
            .with("PARLEY_STORAGE__ERASE_EVERY_MS", &erase_every_ms)
    })
    .await
}

const NEVER: &str = "3600000";

fn keeps(retention_s: u64) -> ConversationSettings {
    ConversationSettings { retention_s, ..ConversationSettings::default() }
}

/// All that a page shows, in it and beside it.
fn shown(page: &wire::Fetched) -> String {
    let entries = page.entries.iter().chain(&page.related).cloned().collect::<Vec<_>>();
    entries_of(&entries)
        .iter()
        .map(|entry| String::from_utf8_lossy(&entry.body).into_owned())
        .collect()
}

/// Every page that could show the words of a message.
async fn everywhere(session: &mut Session, id: &ConversationId, seq: u64) -> String {
    let mut all = String::new();
    for from in [
        From::AfterSeq(0),
        From::BeforeSeq(u64::MAX),
        From::AroundSeq(seq),
        From::AroundTimeMs(1),
        From::MentionsBefore(u64::MAX),
        From::Pinned(true),
        From::EditsOf(seq),
    ] {
        if let Said::Fetched(page) = session.ask(asks::fetch(id, from, 0)).await.unwrap() {
            all += &shown(&page);
        }
    }
    all
}

#[tokio::test]
async fn an_answer_quotes_nothing_of_what_is_gone() {
    let (_folder, mut server, [ann, ben, eve]) = short_lived(["ann", "ben", "eve"], NEVER).await;
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let mut b = Session::open(&server.ready, Transport::Quic, &ben).await;
    let id = group(&mut a, &[&ben]).await;
    // Each message has an edit and a reaction, and goes in another way.
    let mut targets = Vec::new();
    for (n, way) in ["erased", "deleted", "taken", "expired"].into_iter().enumerate() {
        if way == "expired" {
            done(&mut a, asks::settings(&id, "keep", keeps(1))).await;
        }
        let said = format!("secret {way}");
        let sent = b.send(asks::text(&id, way, &said, 0, &[ann.user])).await.unwrap();
        done(&mut b, asks::edit(&id, &format!("e{n}"), sent.seq, &format!("secret {way} anew")))
            .await;
        done(&mut a, asks::react(&id, &format!("r{n}"), sent.seq, "x")).await;
        done(&mut a, asks::pin(&id, &format!("p{n}"), sent.seq, false)).await;
        targets.push(sent);
    }
    done(&mut a, asks::settings(&id, "for ever", keeps(0))).await;
    let [erased, deleted, taken, expired] = &targets[..] else { panic!("four") };
    let mut answers = Vec::new();
    for target in &targets {
        let ask = asks::text(&id, &format!("a{}", target.seq), "so", target.seq, &[]);
        answers.push(done(&mut a, ask).await);
    }
    done(&mut a, asks::erase(&id, "erase", erased.seq)).await;
    done(&mut b, asks::delete(&id, "delete", deleted.seq, deleted.ordinal)).await;
    done(&mut a, asks::delete(&id, "take", taken.seq, taken.ordinal)).await;
    tokio::time::sleep(std::time::Duration::from_millis(1200)).await;
    // Answers to them are taken all the same, and again a repeat is the same one.
    for target in &targets {
        let ask = asks::text(&id, &format!("late{}", target.seq), "late", target.seq, &[]);
        let first = done(&mut b, ask.clone()).await;
        assert_eq!(done(&mut b, ask).await, first);
    }
    // Nothing else refers to them any more.
    for target in [deleted, taken, expired] {
        let gone = Some(Code::TargetInvalid);
        let name = |what: &str| format!("{what}{}", target.seq);
        assert_eq!(a.refused(asks::react(&id, &name("x"), target.seq, "y")).await, gone);
        assert_eq!(a.refused(asks::unreact(&id, &name("u"), target.seq, "x")).await, gone);
        assert_eq!(b.refused(asks::edit(&id, &name("y"), target.seq, "again")).await, gone);
        assert_eq!(a.refused(asks::pin(&id, &name("z"), target.seq, false)).await, gone);
    }
    done(&mut a, asks::add(&id, "in", &[eve.user])).await;
    for round in 0..2 {
        let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
        let mut b = Session::open(&server.ready, Transport::WebSocket, &ben).await;
        let mut e = Session::open(&server.ready, Transport::Quic, &eve).await;
        for target in &targets {
            for session in [&mut a, &mut b, &mut e] {
                let all = everywhere(session, &id, target.seq).await;
                assert!(!all.contains("secret"), "round {round}, of {}: {all:?}", target.seq);
            }
        }
        // The answers stand, and say of what they are.
        let page = fetched(&mut a, &id, From::AfterSeq(0), 0).await;
        let entries = entries_of(&page.entries);
        for (answer, target) in answers.iter().zip(&targets) {
            let entry = entries.iter().find(|entry| entry.seq == *answer).unwrap();
            let text = Text::decode(entry.body.clone()).unwrap();
            assert_eq!((text.text.as_str(), text.reply_to), ("so", target.seq));
        }
        assert!(a.describe(&id).await.pinned.is_empty(), "round {round}");
        assert_eq!(feed(&mut a, &id).await.mentions, 0, "round {round}");
        server.kill();
        server.restart().await;
    }
}

#[tokio::test]
async fn an_export_has_nothing_of_what_is_gone() {
    let (_folder, server, [ann, ben]) = short_lived(["ann", "ben"], NEVER).await;
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let mut b = Session::open(&server.ready, Transport::Quic, &ben).await;
    let id = group(&mut b, &[&ann]).await;
    done(&mut b, asks::role(&id, "r", &ann.user, Role::Admin)).await;
    done(&mut a, send_into(&id, "1", "secret erased")).await;
    let up_to = done(&mut a, send_into(&id, "2", "secret erased")).await;
    let deleted = a.send(send_into(&id, "3", "secret deleted")).await.unwrap();
    done(&mut a, asks::edit(&id, "e", deleted.seq, "secret edit")).await;
    done(&mut a, send_into(&id, "4", "open")).await;
    done(&mut b, asks::settings(&id, "k", keeps(1))).await;
    done(&mut a, send_into(&id, "5", "secret expired")).await;
    done(&mut b, asks::delete(&id, "d", deleted.seq, deleted.ordinal)).await;
    done(&mut b, asks::erase(&id, "h", up_to)).await;
    // What she wrote in a group that she was put out of is hers still.
    let other = group_named(&mut b, "other", &ann).await;
    done(&mut a, send_into(&other, "6", "hers still")).await;
    done(&mut b, asks::ban(&other, "ban", &ann.user)).await;
    done(&mut b, send_into(&other, "7", "secret after")).await;
    tokio::time::sleep(std::time::Duration::from_millis(1200)).await;
    let reply = Api::plain(&server.ready).get("/v1/account/export", Some(&ann.bearer)).await;
    let text = String::from_utf8(reply.body.to_vec()).unwrap();
    assert!(text.contains("open") && text.contains("hers still"), "{text}");
    assert!(!text.contains("secret"), "{text}");
    // In hex as well, as other kinds are given.
    assert!(!text.contains(&base16ct::lower::encode_string(b"secret")), "{text}");
    assert!(text.ends_with("{\"end\":true}\n"), "{text}");
}

async fn group_named(session: &mut Session, id: &str, with: &Person) -> ConversationId {
    let made = asks::new_group(id, "Other", ConversationSettings::default(), &[with.user]);
    conversation_of(&session.send(made).await.unwrap())
}

#[tokio::test]
async fn who_is_connected_and_reads_nothing_is_told_when_less_is_unread() {
    let (_folder, server, [ann, ben]) = short_lived(["ann", "ben"], "50").await;
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let id = group(&mut a, &[&ben]).await;
    let mut devices = Vec::new();
    for name in ["phone", "tablet"] {
        let device = Api::plain(&server.ready).login("ben", name).await;
        devices.push(Session::open(&server.ready, Transport::Quic, &device).await);
    }
    let mut sent = Vec::new();
    for n in 0..4 {
        let ask = asks::text(&id, &n.to_string(), "named", 0, &[ben.user]);
        sent.push(a.send(ask).await.unwrap());
    }
    for device in &mut devices {
        device.delivered_up_to(&id, sent[3].seq).await;
    }
    // Deleted: the entry tells it. Erased by the owner: the entry, too. Both count by
    // hand and by the server.
    done(&mut a, asks::delete(&id, "d", sent[3].seq, sent[3].ordinal)).await;
    done(&mut a, asks::erase(&id, "e", sent[0].seq)).await;
    for device in &mut devices {
        let left = feed(device, &id).await;
        assert_eq!((left.unread, left.mentions), (2, 2));
        // One that comes now counts from the same place.
        assert!(left.floor_ordinal >= sent[0].ordinal, "{left:?}");
        device.pushes.clear();
    }
    // By time: nobody writes, and both hear of it.
    done(&mut a, asks::settings(&id, "k", keeps(1))).await;
    let last = done(&mut a, asks::text(&id, "x", "named", 0, &[ben.user])).await;
    for device in &mut devices {
        let told = device
            .pushed(|said| match said {
                Said::Changes(changes) => {
                    let of = |entry: &&wire::FeedEntry| entry.conversation == id.to_wire();
                    changes
                        .entries
                        .iter()
                        .find(of)
                        .filter(|e| e.last_seq >= last && e.unread < 3)
                        .cloned()
                }
                _ => None,
            })
            .await
            .unwrap();
        assert_eq!((told.unread, told.mentions), (2, 2));
    }
}

#[tokio::test]
async fn what_is_gone_takes_its_drafts_marks_and_reports_nowhere() {
    let (_folder, server, [ann, ben]) = people(["ann", "ben"]).await;
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let mut b = Session::open(&server.ready, Transport::Quic, &ben).await;
    let id = group(&mut a, &[&ben]).await;
    let sent = a.send(send_into(&id, "1", "secret")).await.unwrap();
    b.ask(asks::prefer(&id, |set| {
        set.draft = Some("so".to_owned());
        set.draft_reply_to = Some(sent.seq);
    }))
    .await
    .unwrap();
    b.ask(asks::hide(&id, &[sent.seq])).await.unwrap();
    done(&mut a, asks::delete(&id, "d", sent.seq, sent.ordinal)).await;
    // The draft is there, answers what is gone, and can be sent so.
    let left = feed(&mut b, &id).await;
    let own = left.preferences.unwrap();
    assert_eq!((own.draft.as_str(), own.draft_reply_to), ("so", sent.seq));
    done(&mut b, asks::text(&id, "2", &own.draft, own.draft_reply_to, &[])).await;
    // Hidden and deleted is gone once, and hiding it again changes nothing.
    assert_eq!(left.unread, 0);
    b.ask(asks::hide(&id, &[sent.seq])).await.unwrap();
    assert_eq!(feed(&mut b, &id).await.hidden, 1);
    // A report may name it: what was there is for the operators to know.
    let report = asks::report(&ann.user, Some(&id), &[sent.seq]);
    assert!(matches!(b.ask(report).await, Ok(Said::Reported(_))));
    assert_eq!(b.refused(asks::receipts(&id, 900)).await, Some(Code::TargetInvalid));
}

#[tokio::test]
async fn pins_in_a_direct_conversation_make_room_when_they_expire() {
    let (_folder, server, [ann, ben]) = short_lived(["ann", "ben"], NEVER).await;
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let mut b = Session::open(&server.ready, Transport::Quic, &ben).await;
    let id = conversation_of(&a.say(&ben, "1", "kept").await);
    b.say(&ann, "2", "kept too").await;
    done(&mut a, asks::settings(&id, "k", keeps(1))).await;
    for n in 0..19 {
        let seq = a.say(&ben, &format!("m{n}"), "for a while").await.seq;
        done(&mut b, asks::pin(&id, &format!("p{n}"), seq, false)).await;
    }
    done(&mut b, asks::pin(&id, "own", 2, false)).await;
    assert_eq!(a.refused(asks::pin(&id, "full", 1, false)).await, Some(Code::ListFull));
    tokio::time::sleep(std::time::Duration::from_millis(1200)).await;
    // His are there, hers are not; nobody took them off.
    done(&mut a, asks::pin(&id, "room", 1, false)).await;
    for session in [&mut a, &mut b] {
        assert_eq!(session.describe(&id).await.pinned, [1, 2]);
        let page = fetched(session, &id, From::Pinned(true), 0).await;
        assert_eq!(seqs(&entries_of(&page.entries)), [1, 2]);
    }
}

/// As it was picked, typed and pasted: with and without the sign for colour, in
/// the middle of a family too. Skin colours are other reactions.
#[tokio::test]
async fn a_reaction_is_one_however_it_is_written_and_counts_once() {
    let (_folder, mut server, [ann, ben]) = people(["ann", "ben"]).await;
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let mut b = Session::open(&server.ready, Transport::Quic, &ben).await;
    let id = conversation_of(&a.say(&ben, "1", "hello").await);
    let written = ["\u{1f44d}", "\u{1f44d}\u{fe0f}"];
    let other = ["\u{1f44d}\u{1f3fd}", "\u{2764}", "\u{2764}\u{fe0f}\u{200d}\u{1f525}"];
    for (n, emoji) in written.iter().cycle().take(12).enumerate() {
        done(&mut b, asks::react(&id, &format!("w{n}"), 1, emoji)).await;
    }
    for (n, emoji) in other.iter().enumerate() {
        done(&mut b, asks::react(&id, &format!("o{n}"), 1, emoji)).await;
    }
    server.kill();
    server.restart().await;
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let mut b = Session::open(&server.ready, Transport::Quic, &ben).await;
    let standing = async |session: &mut Session| {
        let page = fetched(session, &id, From::AfterSeq(0), 1).await;
        let related = entries_of(&page.related);
        related.iter().filter(|entry| entry.kind == EntryKind::Reaction as u32).count()
    };
    assert_eq!(standing(&mut a).await, 4);
    // Each is taken back however it is written then.
    done(&mut b, asks::unreact(&id, "u1", 1, written[1])).await;
    done(&mut b, asks::unreact(&id, "u2", 1, "\u{2764}\u{fe0f}")).await;
    done(&mut b, asks::unreact(&id, "u3", 1, "\u{2764}\u{200d}\u{1f525}")).await;
    assert_eq!(standing(&mut a).await, 1);
    // Eight a person: the four that were taken back or written twice took no place.
    for n in 0..7u32 {
        let emoji = char::from_u32(0x1f600 + n).unwrap().to_string();
        done(&mut b, asks::react(&id, &format!("n{n}"), 1, &emoji)).await;
    }
    assert_eq!(b.refused(asks::react(&id, "ninth", 1, "x")).await, Some(Code::ListFull));
    done(&mut b, asks::react(&id, "again", 1, "\u{1f600}\u{fe0f}")).await;
}

#[tokio::test]
async fn only_messages_bring_a_conversation_up_in_a_list() {
    let (_folder, server, [ann, ben, eve]) = people(["ann", "ben", "eve"]).await;
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let mut b = Session::open(&server.ready, Transport::Quic, &ben).await;
    let id = group(&mut a, &[&ben]).await;
    done(&mut a, asks::role(&id, "r", &ben.user, Role::Admin)).await;
    let sent = a.send(send_into(&id, "1", "words")).await.unwrap();
    let other = a.send(send_into(&id, "2", "other words")).await.unwrap();
    let before = feed(&mut b, &id).await.last_message_ms;
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    let quiet = ConversationSettings { send: 2, ..ConversationSettings::default() };
    for ask in [
        asks::edit(&id, "e", sent.seq, "new"),
        asks::react(&id, "x", sent.seq, "x"),
        asks::pin(&id, "p", sent.seq, false),
        asks::title(&id, "t", "New"),
        asks::settings(&id, "s", quiet),
        asks::add(&id, "a", &[eve.user]),
        asks::role(&id, "up", &eve.user, Role::Admin),
        asks::ban(&id, "b", &eve.user),
        asks::unban(&id, "u", &eve.user),
        asks::erase(&id, "h", 1),
        // The newest message itself goes; the line stays where it is.
        asks::delete(&id, "d", other.seq, other.ordinal),
    ] {
        let shown = format!("{ask:?}");
        let seq = done(&mut a, ask).await;
        let left = feed(&mut b, &id).await;
        assert_eq!((left.last_seq, left.last_message_ms), (seq, before), "{shown}");
    }
    a.ask(asks::invites(&id, invites::Act::Create(Default::default()))).await.unwrap();
    assert_eq!(feed(&mut b, &id).await.last_message_ms, before);
    done(&mut a, send_into(&id, "3", "newest")).await;
    assert!(feed(&mut b, &id).await.last_message_ms > before);
    let page = fetched(&mut b, &id, From::BeforeSeq(u64::MAX), 1).await;
    assert_eq!(text_of(&entries_of(&page.entries)[0]), "newest");
}
