//! Reading anywhere in a conversation: by seq, by time, by mention, by pin,
//! with what belongs to the messages; and what is not there to be read.

use std::collections::BTreeSet;
use std::time::Duration;

use parley_protocol::wire::{ConversationSettings, Entry, FeedEntry, Fetched, Member, fetch::From};
use parley_protocol::{Code, ConversationId};

use crate::common::asks;
use crate::common::session::{Ask, Said, conversation_of, entries_of, send_into, text_of};
use crate::common::{Launch, Person, Server, Session, Transport};
use crate::groups::{people, people_with};

pub(crate) async fn fetched(
    session: &mut Session,
    id: &ConversationId,
    from: From,
    limit: u32,
) -> Fetched {
    match session.ask(asks::fetch(id, from, limit)).await {
        Ok(Said::Fetched(fetched)) => fetched,
        other => panic!("not Fetched: {other:?}"),
    }
}

pub(crate) fn seqs(entries: &[Entry]) -> Vec<u64> {
    entries.iter().map(|entry| entry.seq).collect()
}

async fn page(session: &mut Session, id: &ConversationId, from: From, limit: u32) -> Vec<u64> {
    seqs(&entries_of(&fetched(session, id, from, limit).await.entries))
}

async fn related(session: &mut Session, id: &ConversationId, from: From) -> Vec<u64> {
    let fetched = fetched(session, id, from, 0).await;
    assert!(!fetched.related_cut);
    seqs(&entries_of(&fetched.related))
}

pub(crate) async fn done(session: &mut Session, ask: Ask) -> u64 {
    match session.send(ask).await {
        Ok(sent) => sent.seq,
        Err(failure) => panic!("refused: {failure:?}"),
    }
}

/// A group with these people.
pub(crate) async fn group(session: &mut Session, members: &[&Person]) -> ConversationId {
    let members: Vec<_> = members.iter().map(|person| person.user).collect();
    let ask = asks::new_group("group", "Friends", ConversationSettings::default(), &members);
    conversation_of(&session.send(ask).await.unwrap())
}

/// Ann and Ben with a session each and a group of theirs, whose first entry is
/// its creation.
struct Pair {
    _folder: tempfile::TempDir,
    server: Server,
    people: [Person; 2],
    a: Session,
    b: Session,
    id: ConversationId,
}

async fn pair() -> Pair {
    // Histories of up to some seventy entries.
    let more = |launch: Launch| launch.with("PARLEY_RATES__SENDS_BURST", "200");
    let (folder, server, people) = people_with(["ann", "ben"], more).await;
    let mut a = Session::open(&server.ready, Transport::Tls, &people[0]).await;
    let b = Session::open(&server.ready, Transport::Quic, &people[1]).await;
    let id = group(&mut a, &[&people[1]]).await;
    Pair { _folder: folder, server, people, a, b, id }
}

#[tokio::test]
async fn a_page_brings_what_belongs_to_its_messages() {
    let Pair { mut a, mut b, server, people, id, _folder } = pair().await;
    for n in 2..=60 {
        done(&mut a, send_into(&id, &n.to_string(), &format!("message {n}"))).await;
    }
    // 61 and 62 edit 10; 63 edits 11; 64 answers 12; reactions to 10 by both.
    done(&mut a, asks::edit(&id, "e1", 10, "ten")).await;
    done(&mut a, asks::edit(&id, "e2", 10, "TEN")).await;
    done(&mut a, asks::edit(&id, "e3", 11, "eleven")).await;
    assert_eq!(done(&mut b, asks::text(&id, "r", "indeed", 12, &[])).await, 64);
    done(&mut b, asks::react(&id, "l1", 10, "😂")).await;
    done(&mut a, asks::react(&id, "l2", 10, "😂")).await;
    done(&mut b, asks::react(&id, "l3", 10, "👍")).await;
    done(&mut b, asks::unreact(&id, "l4", 10, "😂")).await;
    done(&mut a, asks::pin(&id, "p", 10, false)).await;
    assert_eq!(done(&mut a, asks::delete(&id, "d", 11, 10)).await, 70);

    // The newest edits, the deletion, the pin, the reactions that stand.
    let around = related(&mut b, &id, From::AroundSeq(10)).await;
    assert_eq!(around, [62, 63, 66, 67, 69, 70]);
    let both = fetched(&mut b, &id, From::AroundSeq(10), 5).await;
    assert_eq!(seqs(&entries_of(&both.entries)), [8, 9, 10, 11, 12]);
    let eleven = &entries_of(&both.entries)[3];
    assert!(eleven.erased && eleven.body.is_empty() && eleven.ordinal == 10);
    // A page without them has nothing; one with an answer has what it answers.
    assert!(related(&mut b, &id, From::BeforeSeq(9)).await.is_empty());
    assert_eq!(related(&mut b, &id, From::AfterSeq(63)).await, [12]);
    // What is in the page is there twice: related is the whole truth.
    assert_eq!(related(&mut b, &id, From::AfterSeq(9)).await, [62, 63, 66, 67, 69, 70]);

    assert_eq!(page(&mut b, &id, From::EditsOf(10), 0).await, [61, 62]);
    assert_eq!(page(&mut b, &id, From::EditsOf(10), 1).await, [62]);
    assert_eq!(page(&mut b, &id, From::EditsOf(12), 0).await, [0u64; 0]);
    for not_a_message in [1, 61, 99] {
        let ask = asks::fetch(&id, From::EditsOf(not_a_message), 0);
        assert_eq!(b.refused(ask).await, Some(Code::TargetInvalid), "{not_a_message}");
    }
    let pinned = fetched(&mut b, &id, From::Pinned(true), 0).await;
    assert_eq!(seqs(&entries_of(&pinned.entries)), [10]);
    assert!(pinned.at_start && pinned.at_end);
    done(&mut a, asks::pin(&id, "q", 10, true)).await;
    assert!(page(&mut b, &id, From::Pinned(true), 0).await.is_empty());
    assert_eq!(related(&mut b, &id, From::AroundSeq(10)).await, [62, 63, 66, 67, 70]);
    // Only what is read without a hole lets a cursor move.
    let mut fresh = Session::open(&server.ready, Transport::Tls, &people[1]).await;
    page(&mut fresh, &id, From::AroundSeq(70), 1).await;
    page(&mut fresh, &id, From::EditsOf(10), 0).await;
    page(&mut fresh, &id, From::MentionsBefore(u64::MAX), 0).await;
    assert_eq!(fresh.refused(asks::read(&id, 62)).await, Some(Code::CursorAhead));
}

#[tokio::test]
async fn a_date_leads_to_the_first_entry_of_it() {
    let Pair { mut a, id, server: _server, _folder, .. } = pair().await;
    let mut times = Vec::new();
    // The first message must not share its millisecond with the next.
    tokio::time::sleep(Duration::from_millis(3)).await;
    for n in 2..=12 {
        let sent = a.send(send_into(&id, &n.to_string(), "x")).await.unwrap();
        times.push((sent.seq, sent.time_ms));
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    for (seq, time_ms) in &times {
        let first = times.iter().find(|(_, at)| at >= time_ms).unwrap().0;
        let around = page(&mut a, &id, From::AroundTimeMs(*time_ms), 1).await;
        assert_eq!(around, [first], "the time of {seq}");
    }
    assert_eq!(page(&mut a, &id, From::AroundTimeMs(0), 1).await, [1]);
    assert_eq!(page(&mut a, &id, From::AroundTimeMs(u64::MAX), 1).await, [12]);
    let middle = page(&mut a, &id, From::AroundTimeMs(times[5].1), 5).await;
    assert!(middle.contains(&times[5].0) && middle.len() == 5, "{middle:?}");
}

#[tokio::test]
async fn mentions_are_found_page_by_page_and_counted() {
    let Pair { mut a, mut b, mut server, id, people, _folder } = pair().await;
    let ben = people[1].user;
    let mut named = BTreeSet::new();
    for n in 2..=40u64 {
        let ask = match n % 5 {
            0 => asks::text(&id, &n.to_string(), "you", 0, &[ben]),
            1 => asks::to_everyone(&id, &n.to_string(), "all"),
            _ => asks::text(&id, &n.to_string(), "nobody", 0, &[people[0].user]),
        };
        let seq = done(&mut a, ask).await;
        if n % 5 < 2 {
            named.insert(seq);
        }
    }
    let (mut found, mut below) = (BTreeSet::new(), u64::MAX);
    loop {
        let answer = fetched(&mut b, &id, From::MentionsBefore(below), 3).await;
        let page = seqs(&entries_of(&answer.entries));
        assert_eq!(answer.at_end, below == u64::MAX);
        assert!(page.is_sorted() && page.len() <= 3);
        below = page[0];
        found.extend(page);
        if answer.at_start {
            break;
        }
    }
    assert_eq!(found, named);
    let unread = |entry: FeedEntry| (entry.unread, entry.mentions);
    assert_eq!(unread(feed(&mut b, &id).await), (39, 15));
    // A deleted message mentions nobody and is not unread.
    let first = *named.first().unwrap();
    done(&mut a, asks::delete(&id, "d", first, first - 1)).await;
    assert_eq!(unread(feed(&mut b, &id).await), (38, 14));
    assert!(!page(&mut b, &id, From::MentionsBefore(20), 0).await.contains(&first));
    b.fetch_all(&id, 0).await.unwrap();
    b.must_read(&id, 20).await;
    assert_eq!(unread(feed(&mut b, &id).await), (20, 8));
    for _ in 0..2 {
        server.kill();
        server.restart().await;
        let mut b = Session::open(&server.ready, Transport::WebSocket, &people[1]).await;
        assert_eq!(unread(feed(&mut b, &id).await), (20, 8));
    }
}

/// The group as it stands for the user.
pub(crate) async fn feed(session: &mut Session, id: &ConversationId) -> FeedEntry {
    let changes = session.sync(0).await.unwrap();
    let entry = changes.entries.into_iter().find(|entry| entry.conversation == id.to_wire());
    entry.expect("the conversation is in the feed")
}

#[tokio::test]
async fn newcomers_and_former_members_see_their_part() {
    let (_folder, server, [ann, ben, eve]) = people(["ann", "ben", "eve"]).await;
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let mut e = Session::open(&server.ready, Transport::WebSocket, &eve).await;
    let id = group(&mut a, &[&ben]).await;
    for n in 2..=9 {
        done(&mut a, send_into(&id, &n.to_string(), "before")).await;
    }
    assert_eq!(e.refused(asks::fetch(&id, From::AfterSeq(0), 0)).await, Some(Code::NotFound));
    done(&mut a, asks::add(&id, "add", &[eve.user])).await;
    done(&mut a, send_into(&id, "11", "with eve")).await;
    done(&mut a, asks::edit(&id, "e1", 11, "with EVE")).await;
    done(&mut a, asks::pin(&id, "p9", 9, false)).await;
    assert_eq!(page(&mut e, &id, From::AfterSeq(0), 0).await, [10, 11, 12, 13]);
    assert!(page(&mut e, &id, From::Pinned(true), 0).await.is_empty());
    let described = e.describe(&id).await;
    assert_eq!((described.first_after, described.former, described.last_seq), (9, false, 13));
    assert!(described.pinned.is_empty());
    assert_eq!((feed(&mut e, &id).await.unread, feed(&mut e, &id).await.mentions), (1, 0));

    assert_eq!(done(&mut a, asks::remove(&id, "rm", &eve.user)).await, 14);
    done(&mut a, send_into(&id, "15", "without eve")).await;
    done(&mut a, asks::edit(&id, "e2", 11, "without EVE")).await;
    done(&mut a, asks::react(&id, "l", 11, "x")).await;
    let last = fetched(&mut e, &id, From::BeforeSeq(u64::MAX), 2).await;
    assert_eq!(seqs(&entries_of(&last.entries)), [13, 14]);
    assert!(last.at_end && last.last_seq == 14);
    // Of what happened to it since, nothing.
    assert_eq!(related(&mut e, &id, From::AroundSeq(11)).await, [12]);
    assert_eq!(page(&mut e, &id, From::EditsOf(11), 0).await, [12]);
    assert_eq!(page(&mut e, &id, From::AfterSeq(14), 0).await, [0u64; 0]);
    done(&mut a, asks::title(&id, "t", "Secret plans")).await;
    done(&mut a, asks::pin(&id, "p11", 11, false)).await;
    let described = e.describe(&id).await;
    assert!(described.former && described.last_seq == 14);
    assert_eq!(described.info.as_ref().unwrap().title, "Friends");
    assert!(
        described.pinned.is_empty() && page(&mut e, &id, From::Pinned(true), 0).await.is_empty()
    );
    assert_eq!(a.describe(&id).await.info.unwrap().title, "Secret plans");
    let told = |member: &Member| member.delivered > 0 && member.user != eve.user.to_wire();
    assert!(!described.members.iter().any(told), "{described:?}");
    assert_eq!(feed(&mut e, &id).await.last_seq, 14);
}

#[tokio::test]
async fn what_the_owner_erased_is_there_for_nobody() {
    let Pair { mut a, mut b, id, server: _server, _folder, .. } = pair().await;
    for n in 2..=9 {
        done(&mut a, send_into(&id, &n.to_string(), &format!("text {n}"))).await;
    }
    assert_eq!(b.refused(asks::erase(&id, "x", 5)).await, Some(Code::Forbidden));
    done(&mut a, asks::erase(&id, "e", 5)).await;
    let all = entries_of(&fetched(&mut b, &id, From::AfterSeq(0), 0).await.entries);
    assert_eq!(seqs(&all), [6, 7, 8, 9, 10]);
    assert_eq!(text_of(&all[0]), "text 6");
    assert_eq!(a.describe(&id).await.first_after, 5);
}

#[tokio::test]
async fn pages_are_stable_while_messages_arrive_and_the_last_one_says_so() {
    let (_folder, server, [ann, ben]) = people(["ann", "ben"]).await;
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let mut b = Session::open(&server.ready, Transport::Tls, &ben).await;
    let id = conversation_of(&a.say(&ben, "1", "x").await);
    for n in 2..=50 {
        a.say(&ben, &n.to_string(), "x").await;
    }
    let (mut below, mut all) = (u64::MAX, Vec::new());
    for n in 51.. {
        let answer = fetched(&mut b, &id, From::BeforeSeq(below), 7).await;
        let page = seqs(&entries_of(&answer.entries));
        below = page[0];
        all.extend(page.into_iter().rev());
        if answer.at_start {
            break;
        }
        a.say(&ben, &n.to_string(), "meanwhile").await;
    }
    assert_eq!(all, (1..=50).rev().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_page_ends_early_rather_than_lack_an_edit() {
    let Pair { mut a, id, server: _server, _folder, .. } = pair().await;
    for n in 2..=6 {
        done(&mut a, send_into(&id, &n.to_string(), "short")).await;
    }
    let long = "x".repeat(60_000);
    for target in 2..=4 {
        done(&mut a, asks::edit(&id, &format!("e{target}"), target, &long)).await;
    }
    // Two such edits don't fit beside a page.
    let (mut after, mut pages) = (1, Vec::new());
    loop {
        let answer = fetched(&mut a, &id, From::AfterSeq(after), 0).await;
        assert!(!answer.related_cut);
        let (entries, related) = (entries_of(&answer.entries), entries_of(&answer.related));
        after = entries.last().unwrap().seq;
        pages.push((seqs(&entries), seqs(&related)));
        if answer.at_end {
            break;
        }
    }
    let expected = [(vec![2], vec![7]), (vec![3], vec![8]), (vec![4, 5, 6, 7, 8, 9], vec![9])];
    assert_eq!(pages, expected);
    let back = fetched(&mut a, &id, From::BeforeSeq(7), 0).await;
    assert_eq!(seqs(&entries_of(&back.entries)), [4, 5, 6]);
    assert_eq!((back.at_start, seqs(&entries_of(&back.related))), (false, vec![9]));
    let around = fetched(&mut a, &id, From::AroundSeq(3), 0).await;
    assert_eq!((seqs(&entries_of(&around.entries)), around.at_end), (vec![3], false));

    // The biggest text and an edit as big: the page is that message alone.
    let huge = "\u{10ffff}".repeat(100_000);
    let seq = done(&mut a, send_into(&id, "huge", &huge)).await;
    let edit = done(&mut a, asks::edit(&id, "huger", seq, &huge)).await;
    let answer = fetched(&mut a, &id, From::AfterSeq(seq - 1), 0).await;
    assert_eq!(seqs(&entries_of(&answer.entries)), [seq]);
    assert!(answer.related_cut && answer.related.is_empty());
    assert_eq!(page(&mut a, &id, From::EditsOf(seq), 0).await, [edit]);
}
