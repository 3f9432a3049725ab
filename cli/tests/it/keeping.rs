//! For how long messages are kept: what was in force when one was written governs
//! it, whoever may set it; and that what is gone is gone for every request.

use std::time::Duration;

use parley_protocol::wire::{ConversationSettings, fetch::From};
use parley_protocol::{Code, ConversationId};

use crate::common::asks;
use crate::common::session::{Said, conversation_of, entries_of, send_into, text_of};
use crate::common::{Api, Launch, Person, Server, Session, Transport};
use crate::history::{done, feed, fetched, group, seqs};

/// A server whose members may keep messages for a second.
async fn short_lived<const N: usize>(
    names: [&str; N],
    every_ms: u32,
) -> (tempfile::TempDir, Server, [Person; N]) {
    let folder = tempfile::tempdir().unwrap();
    let launch = Launch::new(&folder.path().join("data"))
        .with("PARLEY_RATES__SENDS_BURST", "200")
        .with("PARLEY_GROUPS__LEAST_RETENTION_S", "1")
        .with("PARLEY_STORAGE__ERASE_EVERY_MS", &every_ms.to_string());
    let server = launch.start().await;
    let api = Api::plain(&server.ready);
    let mut people = Vec::new();
    for name in names {
        people.push(api.sign_up(name, "phone").await);
    }
    let people = people.try_into().unwrap_or_else(|_| unreachable!("as many as names"));
    (folder, server, people)
}

const fn keeps(retention_s: u64) -> ConversationSettings {
    ConversationSettings {
        send: 0,
        add: 0,
        edit_info: 0,
        history_for_newcomers: false,
        retention_s,
    }
}

/// The seqs that are there with a body.
async fn bodies(session: &mut Session, id: &ConversationId) -> Vec<u64> {
    let entries = entries_of(&session.fetch_all(id, 0).await.unwrap());
    entries.iter().filter(|entry| !entry.erased).map(|entry| entry.seq).collect()
}

async fn unread_comes_to(session: &mut Session, id: &ConversationId, unread: u64) {
    for _ in 0..400 {
        if feed(session, id).await.unread == unread {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("unread stays {}", feed(session, id).await.unread);
}

#[tokio::test]
async fn retention_erases_nothing_that_was_said_before_it_was_set() {
    let (_folder, mut server, [ann, ben]) = short_lived(["ann", "ben"], 50).await;
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let mut b = Session::open(&server.ready, Transport::Quic, &ben).await;
    let id = group(&mut a, &[&ben]).await;
    done(&mut b, send_into(&id, "2", "before")).await;
    assert_eq!(done(&mut a, asks::settings(&id, "s", keeps(1))).await, 3);
    done(&mut b, send_into(&id, "4", "meanwhile")).await;
    assert_eq!(done(&mut a, asks::settings(&id, "t", keeps(0))).await, 5);
    done(&mut b, send_into(&id, "6", "after")).await;
    // The sixth is gone at the latest when the fourth is.
    for _ in 0..400 {
        if bodies(&mut a, &id).await.len() == 4 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    assert_eq!(bodies(&mut a, &id).await, [1, 2, 3, 6]);
    // The middle keeps its place, and the beginning is there.
    let all = entries_of(&fetched(&mut b, &id, From::AfterSeq(0), 0).await.entries);
    assert_eq!(seqs(&all), [1, 2, 3, 4, 5, 6]);
    assert!(all[3].erased && all[3].body.is_empty() && all[3].ordinal == 2);
    assert_eq!(text_of(&all[1]), "before");
    assert_eq!(a.describe(&id).await.first_after, 0);
    server.kill();
    server.restart().await;
    let mut b = Session::open(&server.ready, Transport::Quic, &ben).await;
    assert_eq!(bodies(&mut b, &id).await, [1, 2, 3, 6]);
}

#[tokio::test]
async fn only_the_owner_sets_it_in_a_group_and_none_below_the_least() {
    let (_folder, server, [ann, ben]) = crate::groups::people(["ann", "ben"]).await;
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let mut b = Session::open(&server.ready, Transport::Quic, &ben).await;
    let id = group(&mut a, &[&ben]).await;
    done(&mut a, asks::role(&id, "r", &ben.user, parley_protocol::wire::Role::Admin)).await;
    assert_eq!(a.welcome.limits.unwrap().least_retention_s, 3600);
    let wanted = |name: &str, retention_s| asks::settings(&id, name, keeps(retention_s));
    assert_eq!(b.refused(wanted("b1", 86_400)).await, Some(Code::Forbidden));
    assert_eq!(a.refused(wanted("a1", 3599)).await, Some(Code::BadRequest));
    done(&mut a, wanted("a2", 3600)).await;
    // An admin changes the rest and leaves it as it is.
    let quiet = ConversationSettings { send: 2, ..keeps(3600) };
    done(&mut b, asks::settings(&id, "b2", quiet)).await;
    assert_eq!(b.refused(wanted("b3", 0)).await, Some(Code::Forbidden));
    assert_eq!(a.describe(&id).await.settings.unwrap().retention_s, 3600);
    let born = asks::new_group("short", "Short", keeps(60), &[]);
    assert_eq!(a.refused(born).await, Some(Code::BadRequest));
    // Sixteen may have something left; the one in force is one of them.
    for n in 1..16 {
        done(&mut a, wanted(&format!("n{n}"), 3600 + n)).await;
    }
    assert_eq!(a.refused(wanted("many", 9999)).await, Some(Code::ListFull));
    done(&mut a, wanted("none", 0)).await;
}

#[tokio::test]
async fn in_a_direct_conversation_each_side_keeps_its_own() {
    let (_folder, mut server, [ann, eve]) = short_lived(["ann", "eve"], 50).await;
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let mut e = Session::open(&server.ready, Transport::Quic, &eve).await;
    let id = conversation_of(&a.say(&eve, "1", "mine").await);
    e.say(&ann, "2", "before").await;
    assert_eq!(done(&mut e, asks::settings(&id, "s", keeps(1))).await, 3);
    e.say(&ann, "4", "gone soon").await;
    a.say(&eve, "5", "mine again").await;
    // Hers go, mine stay.
    for _ in 0..400 {
        if bodies(&mut a, &id).await.len() == 4 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    assert_eq!(bodies(&mut a, &id).await, [1, 2, 3, 5]);
    let of = |described: parley_protocol::wire::Described| {
        (described.settings.unwrap().retention_s, described.peer_retention_s)
    };
    assert_eq!(of(a.describe(&id).await), (0, 1));
    assert_eq!(of(e.describe(&id).await), (1, 0));
    server.kill();
    server.restart().await;
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    assert_eq!(bodies(&mut a, &id).await, [1, 2, 3, 5]);
    assert_eq!(of(a.describe(&id).await), (0, 1));
}

#[tokio::test]
async fn what_expired_is_no_target_before_it_is_erased() {
    // The eraser never comes.
    let (_folder, server, [ann, ben]) = short_lived(["ann", "ben"], 3_600_000).await;
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let mut b = Session::open(&server.ready, Transport::Quic, &ben).await;
    let made = asks::new_group("g", "Short", keeps(1), &[ben.user]);
    let id = conversation_of(&a.send(made).await.unwrap());
    done(&mut a, send_into(&id, "2", "short-lived")).await;
    done(&mut b, asks::text(&id, "3", "named", 0, &[ann.user])).await;
    for n in 4..24 {
        done(&mut a, send_into(&id, &n.to_string(), "pinned")).await;
    }
    for n in 4..24 {
        done(&mut a, asks::pin(&id, &format!("p{n}"), n, false)).await;
    }
    let full = asks::pin(&id, "full", 2, false);
    assert_eq!(a.refused(full).await, Some(Code::ListFull));
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let gone = Some(Code::TargetInvalid);
    assert_eq!(a.refused(asks::edit(&id, "e", 2, "other words")).await, gone);
    assert_eq!(a.refused(asks::react(&id, "r", 2, "x")).await, gone);
    assert_eq!(a.refused(asks::delete(&id, "d", 2, 1)).await, gone);
    assert_eq!(a.refused(asks::pin(&id, "p", 2, false)).await, gone);
    assert_eq!(a.refused(asks::receipts(&id, 2)).await, gone);
    assert_eq!(a.refused(asks::fetch(&id, From::EditsOf(4), 0)).await, gone);
    // An answer to it is an answer all the same.
    let answer = done(&mut b, asks::text(&id, "a", "to the past", 2, &[])).await;
    assert_eq!(a.refused(asks::text(&id, "n", "to nothing", 900, &[])).await, gone);
    // It left pins, unread and mentions with the second.
    let described = a.describe(&id).await;
    assert!(described.pinned.is_empty() && described.first_after == answer - 1, "{described:?}");
    assert!(fetched(&mut a, &id, From::Pinned(true), 0).await.entries.is_empty());
    assert!(fetched(&mut a, &id, From::MentionsBefore(u64::MAX), 0).await.entries.is_empty());
    let left = feed(&mut a, &id).await;
    assert_eq!((left.unread, left.mentions), (1, 0));
    let page = fetched(&mut b, &id, From::AfterSeq(0), 0).await;
    assert_eq!(seqs(&entries_of(&page.entries)), [answer]);
    assert!(page.related.is_empty() && page.at_start);
    done(&mut a, asks::pin(&id, "again", answer, false)).await;
    assert_eq!(a.describe(&id).await.pinned, [answer]);
}

#[tokio::test]
async fn cursors_pass_over_what_nobody_can_read_any_more() {
    let (_folder, server, [ann, ben]) = short_lived(["ann", "ben"], 50).await;
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let made = asks::new_group("g", "Short", keeps(1), &[ben.user]);
    let id = conversation_of(&a.send(made).await.unwrap());
    for n in 2..=4 {
        done(&mut a, send_into(&id, &n.to_string(), "short-lived")).await;
    }
    tokio::time::sleep(Duration::from_millis(1200)).await;
    let fresh = done(&mut a, send_into(&id, "fresh", "fresh")).await;
    let mut b = Session::open(&server.ready, Transport::Quic, &ben).await;
    // Nothing below was ever given, and nothing below is there to be given.
    let page = fetched(&mut b, &id, From::AfterSeq(0), 0).await;
    assert_eq!(seqs(&entries_of(&page.entries)), [fresh]);
    assert_eq!(b.must_read(&id, fresh).await.read, fresh);
    assert_eq!(feed(&mut b, &id).await.unread, 0);
    let Ok(Said::ReceiptList(list)) = a.ask(asks::receipts(&id, fresh)).await else {
        panic!("no receipts")
    };
    assert!(list.members[0].read_ms > 0, "{list:?}");
    // The same for what one cleared oneself, and what the owner erased.
    let last = done(&mut a, send_into(&id, "next", "next")).await;
    let last = done(&mut a, send_into(&id, "last", "last")).await.max(last);
    done(&mut a, asks::erase(&id, "erase", last - 1)).await;
    let mut again = Session::open(&server.ready, Transport::Tls, &ben).await;
    assert_eq!(
        seqs(&entries_of(&fetched(&mut again, &id, From::AfterSeq(0), 0).await.entries))[0],
        last
    );
    assert_eq!(again.must_read(&id, last).await.read, last);
}

#[tokio::test]
async fn who_cleared_their_history_moves_on_from_there() {
    let (_folder, server, [ann, ben]) = crate::groups::people(["ann", "ben"]).await;
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let mut b = Session::open(&server.ready, Transport::Quic, &ben).await;
    let id = conversation_of(&a.say(&ben, "1", "one").await);
    for n in 2..=5 {
        a.say(&ben, &n.to_string(), "more").await;
    }
    b.ask(asks::prefer(&id, |set| set.cleared_up_to = Some(4))).await.unwrap();
    let mut fresh = Session::open(&server.ready, Transport::Tls, &ben).await;
    assert_eq!(
        seqs(&entries_of(&fetched(&mut fresh, &id, From::AfterSeq(0), 0).await.entries)),
        [5]
    );
    assert_eq!(fresh.must_read(&id, 5).await.read, 5);
}

#[tokio::test]
async fn nothing_that_is_gone_is_unread() {
    let (_folder, server, [ann, ben]) = short_lived(["ann", "ben"], 50).await;
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let mut b = Session::open(&server.ready, Transport::Quic, &ben).await;
    let id = group(&mut a, &[&ben]).await;
    for n in 2..=4 {
        done(&mut a, asks::text(&id, &n.to_string(), "named", 0, &[ben.user])).await;
    }
    let counts = |entry: parley_protocol::wire::FeedEntry| (entry.unread, entry.mentions);
    assert_eq!(counts(feed(&mut b, &id).await), (3, 3));
    // What he hid, what was erased, what expires in the middle.
    b.ask(asks::hide(&id, &[4])).await.unwrap();
    assert_eq!(counts(feed(&mut b, &id).await), (2, 2));
    done(&mut a, asks::erase(&id, "e", 2)).await;
    assert_eq!(counts(feed(&mut b, &id).await), (1, 1));
    done(&mut a, asks::delete(&id, "d4", 4, 3)).await;
    assert_eq!(counts(feed(&mut b, &id).await), (1, 1), "hidden and deleted counts once");
    done(&mut a, asks::settings(&id, "s", keeps(1))).await;
    done(&mut a, asks::text(&id, "x", "named", 0, &[ben.user])).await;
    done(&mut a, asks::settings(&id, "t", keeps(0))).await;
    done(&mut a, send_into(&id, "y", "kept")).await;
    assert_eq!(counts(feed(&mut b, &id).await), (3, 2));
    b.pushes.clear();
    unread_comes_to(&mut b, &id, 2).await;
    assert_eq!(counts(feed(&mut b, &id).await), (2, 1));
    // Those who are there are told without asking.
    let told = b
        .pushed(|said| match said {
            Said::Changes(changes) => {
                changes.entries.first().filter(|entry| entry.unread == 2).cloned()
            }
            _ => None,
        })
        .await
        .unwrap();
    assert_eq!((told.conversation, told.unread), (id.to_wire(), 2));
}

#[tokio::test]
async fn pins_end_with_their_messages() {
    let more = |launch: Launch| launch.with("PARLEY_RATES__SENDS_BURST", "200");
    let (_folder, mut server, [ann, ben]) = crate::groups::people_with(["ann", "ben"], more).await;
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let id = group(&mut a, &[&ben]).await;
    for n in 2..=22 {
        done(&mut a, send_into(&id, &n.to_string(), "pinned")).await;
    }
    for n in 2..=21 {
        done(&mut a, asks::pin(&id, &format!("p{n}"), n, false)).await;
    }
    for n in 2..=21 {
        done(&mut a, asks::delete(&id, &format!("d{n}"), n, n - 1)).await;
    }
    assert!(a.describe(&id).await.pinned.is_empty());
    assert_eq!(a.refused(asks::pin(&id, "off", 2, true)).await, Some(Code::TargetInvalid));
    done(&mut a, asks::pin(&id, "p22", 22, false)).await;
    server.kill();
    server.restart().await;
    let mut b = Session::open(&server.ready, Transport::Quic, &ben).await;
    assert_eq!(b.describe(&id).await.pinned, [22]);
}

#[tokio::test]
async fn an_edit_of_a_hidden_message_shows_its_words_to_others_only() {
    let (_folder, server, [ann, ben]) = crate::groups::people(["ann", "ben"]).await;
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let mut b = Session::open(&server.ready, Transport::Quic, &ben).await;
    let id = conversation_of(&a.say(&ben, "1", "one").await);
    b.deliver().await.unwrap();
    b.ask(asks::hide(&id, &[1])).await.unwrap();
    done(&mut a, asks::edit(&id, "e", 1, "hidden words")).await;
    let given = entries_of(&b.deliver().await.unwrap().entries).remove(0);
    assert!(given.seq == 2 && given.erased && given.body.is_empty(), "{given:?}");
    let page = fetched(&mut b, &id, From::AfterSeq(0), 0).await;
    let all = [entries_of(&page.entries), entries_of(&page.related)].concat();
    assert!(all.iter().all(|entry| entry.erased), "{all:?}");
    let edits = entries_of(&fetched(&mut b, &id, From::EditsOf(1), 0).await.entries);
    assert!(edits.iter().all(|entry| entry.erased && entry.body.is_empty()));
    assert_eq!(entries_of(&fetched(&mut a, &id, From::EditsOf(1), 0).await.entries).len(), 1);
}

#[tokio::test]
async fn one_reaction_is_one_whether_or_not_colour_is_asked_for() {
    let (_folder, server, [ann, ben]) = crate::groups::people(["ann", "ben"]).await;
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let id = conversation_of(&a.say(&ben, "1", "one").await);
    done(&mut a, asks::react(&id, "r1", 1, "\u{2764}")).await;
    let last = done(&mut a, asks::react(&id, "r2", 1, "\u{2764}\u{fe0f}")).await;
    let page = fetched(&mut a, &id, From::AfterSeq(0), 1).await;
    assert_eq!(seqs(&entries_of(&page.related)), [last]);
    done(&mut a, asks::unreact(&id, "u", 1, "\u{2764}")).await;
    assert!(fetched(&mut a, &id, From::AfterSeq(0), 1).await.related.is_empty());
}

#[tokio::test]
async fn only_messages_move_the_time_of_a_conversation_in_a_list() {
    let (_folder, server, [ann, ben]) = crate::groups::people(["ann", "ben"]).await;
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let sent = a.say(&ben, "1", "one").await;
    let id = conversation_of(&sent);
    tokio::time::sleep(Duration::from_millis(5)).await;
    done(&mut a, asks::react(&id, "r", 1, "x")).await;
    done(&mut a, asks::edit(&id, "e", 1, "two")).await;
    let mut b = Session::open(&server.ready, Transport::Quic, &ben).await;
    let entry = feed(&mut b, &id).await;
    assert_eq!(entry.last_message_ms, sent.time_ms);
    assert!(entry.last_time_ms > sent.time_ms && entry.last_seq == 3);
}
