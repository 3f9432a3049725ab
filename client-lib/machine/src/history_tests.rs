//! Entries as they are read, and pages as they are put together.

use super::*;
use parley_protocol::ids::UserId;

const ANN: UserId = UserId::new([1; 16]);
const BEN: UserId = UserId::new([2; 16]);
const PLACE: ConversationId = ConversationId::new([9; 16]);

fn raw(seq: u64, sender: UserId, kind: EntryKind, body: &impl prost::Message) -> wire::Entry {
    wire::Entry {
        seq,
        ordinal: seq,
        time_ms: 100 + seq,
        sender: sender.to_wire(),
        kind: kind as u32,
        body: body.encode_to_vec().into(),
        ..wire::Entry::default()
    }
}

fn text(seq: u64, text: &str) -> wire::Entry {
    let body = wire::Text { text: text.to_owned(), ..wire::Text::default() };
    raw(seq, ANN, EntryKind::Text, &body)
}

fn reaction(seq: u64, by: UserId, target: u64, removed: bool) -> wire::Entry {
    let body = wire::Reaction { seq: target, emoji: "x".to_owned(), removed };
    raw(seq, by, EntryKind::Reaction, &body)
}

fn edit(seq: u64, target: u64, text: &str) -> wire::Entry {
    let body = wire::Edit { seq: target, text: text.to_owned(), mentions: Vec::new() };
    raw(seq, ANN, EntryKind::Edit, &body)
}

fn read(entry: wire::Entry) -> Entry {
    Reader { conversation: PLACE, me: Some(BEN), name: &User::nameless }.entry(entry)
}

fn page(entries: Vec<wire::Entry>, related: Vec<wire::Entry>) -> HistoryPage {
    let page = Page { entries, related, ..Page::default() };
    Reader { conversation: PLACE, me: Some(BEN), name: &User::nameless }.page(page)
}

fn messages(page: &HistoryPage) -> Vec<&Message> {
    page.entries.iter().filter_map(Entry::message).collect()
}

#[test]
fn unknown_kinds_and_broken_bodies_are_passed_on() {
    assert_eq!(read(text(3, "hi")).message().map(|message| &*message.text), Some("hi"));
    let newer = wire::Entry { kind: 77, ..text(3, "hi") };
    let broken = wire::Entry { body: Bytes::from_static(b"\xff\xff"), ..text(3, "hi") };
    let nobody = raw(3, ANN, EntryKind::MemberRemoved, &wire::MemberRemoved::default());
    for odd in [newer, broken, nobody, wire::Entry { kind: u32::MAX, ..text(3, "hi") }] {
        let Entry::Unknown(unknown) = read(odd.clone()) else { panic!("{odd:?}") };
        assert_eq!((unknown.seq, unknown.kind, unknown.body), (3, odd.kind, odd.body));
    }
}

#[test]
fn a_message_says_whom_it_names_and_what_it_answers() {
    let named = wire::Mention { start: 0, length: 4, who: Some(mention::Who::User(BEN.to_wire())) };
    let body = wire::Text {
        text: "@ben look".to_owned(),
        reply_to: 2,
        mentions: vec![named],
        forwarded: true,
    };
    let Entry::Message(message) = read(raw(5, ANN, EntryKind::Text, &body)) else { panic!() };
    assert!(message.mentions_me && message.forwarded && !message.own && !message.deleted);
    assert_eq!((message.reply_to, message.ordinal), (Some(2), 5));
    let mention = Mention { start: 0, length: 4, who: Mentioned::User(BEN) };
    assert_eq!(message.mentions, vec![mention]);
}

#[test]
fn what_is_erased_says_so() {
    let erased = |entry: wire::Entry| wire::Entry { body: Bytes::new(), erased: true, ..entry };
    let Entry::Message(message) = read(erased(text(3, "hi"))) else { panic!() };
    assert!(message.deleted && message.text.is_empty());
    let Entry::Erased(gone) = read(erased(edit(4, 3, "ho"))) else { panic!() };
    assert_eq!((gone.origin.seq, gone.kind), (4, EntryKind::Edit as u32));
}

#[test]
fn a_page_shows_messages_as_they_are_now() {
    let entries = vec![text(1, "one"), text(2, "two"), text(3, "three"), edit(4, 1, "older")];
    let deletion = raw(9, BEN, EntryKind::Delete, &wire::Delete { seq: 2, ordinal: 2 });
    let pin = raw(10, ANN, EntryKind::Pin, &wire::Pin { seq: 3, removed: false });
    // In no order.
    let related = vec![
        pin,
        reaction(8, BEN, 1, false),
        edit(7, 1, "newest"),
        deletion,
        reaction(6, ANN, 1, false),
        reaction(11, ANN, 2, false),
    ];
    let page = page(entries, related);
    let [one, two, three] = messages(&page)[..] else { panic!() };
    assert_eq!((&*one.text, one.edited), ("newest", Some(Edited { seq: 7, time_ms: 107 })));
    let users: Vec<UserId> = one.reactions[0].users.iter().map(|user| user.id).collect();
    assert_eq!(users, vec![ANN, BEN]);
    assert!(two.deleted && two.text.is_empty() && two.reactions.is_empty());
    assert!(three.pinned && three.reactions.is_empty());
}

#[test]
fn a_reaction_taken_back_does_not_stand() {
    let related = vec![reaction(5, BEN, 1, false), reaction(6, BEN, 1, true)];
    let page = page(vec![text(1, "one")], related);
    assert!(messages(&page)[0].reactions.is_empty());
}

#[test]
fn an_emoji_with_and_without_its_variation_selector_is_one_reaction() {
    let react = |seq, by, emoji: &str, removed| {
        let body = wire::Reaction { seq: 1, emoji: emoji.to_owned(), removed };
        raw(seq, by, EntryKind::Reaction, &body)
    };
    let thumbs = ["\u{1f44d}", "\u{1f44d}\u{fe0f}"];
    let both = vec![react(5, ANN, thumbs[0], false), react(6, BEN, thumbs[1], false)];
    let one = page(vec![text(1, "one")], both.clone());
    let groups = &messages(&one)[0].reactions;
    assert_eq!((groups.len(), groups[0].users.len()), (1, 2));
    let back = both.into_iter().chain([react(7, ANN, thumbs[1], true)]).collect();
    let one = page(vec![text(1, "one")], back);
    assert_eq!(messages(&one)[0].reactions[0].users[0].id, BEN);
    assert!(!same_emoji("\u{1f44d}", "\u{1f44d}\u{1f3fb}"));
}

#[test]
fn what_is_answered_comes_along_with_its_newest_text() {
    let body = wire::Text { text: "yes".to_owned(), reply_to: 2, ..wire::Text::default() };
    let entries = vec![raw(8, ANN, EntryKind::Text, &body)];
    let page = page(entries, vec![text(2, "really?"), edit(3, 2, "sure?")]);
    assert_eq!(page.quoted.len(), 1);
    assert_eq!((page.quoted[0].seq, &*page.quoted[0].text), (2, "sure?"));
}

#[test]
fn everybody_an_entry_names_is_asked_for() {
    let added = wire::MembersAdded { users: vec![BEN.to_wire(), vec![3; 16].into()] };
    let added = raw(4, ANN, EntryKind::MembersAdded, &added);
    assert_eq!(people(&added), vec![ANN, BEN, UserId::new([3; 16])]);
    assert_eq!(target(&edit(4, 3, "x")), Some(3));
    assert_eq!((target(&text(4, "x")), target(&edit(4, 0, "x"))), (None, None));
}
