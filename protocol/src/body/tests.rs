//! Bodies that are taken and bodies that are refused.

use super::*;
use crate::wire::mention::Who;
use crate::wire::{GroupInfo, Role};

fn text(text: &str) -> Bytes {
    Text { text: text.to_owned(), ..Text::default() }.encode_to_vec().into()
}

fn check(kind: u32, bytes: Bytes) -> Result<(), Code> {
    ValidatedBody::new(kind, bytes, 100_000).map(|_| ())
}

fn body(kind: EntryKind, message: &impl Message) -> Result<(), Code> {
    check(kind as u32, message.encode_to_vec().into())
}

#[test]
fn the_limit_counts_characters_not_bytes() {
    assert_eq!(check(1, text(&"x".repeat(100_000))), Ok(()));
    assert_eq!(check(1, text(&"😀".repeat(100_000))), Ok(()));
    assert_eq!(check(1, text(&"x".repeat(100_001))), Err(Code::TextTooLong));
    assert_eq!(check(1, text(&"😀".repeat(100_001))), Err(Code::TextTooLong));
}

#[test]
fn every_script_and_control_character_is_taken() {
    for odd in ["\0", "\u{202e}abc", "한국어 العربية עברית", "e\u{301}", "👩‍👩‍👧‍👦", "\u{feff}"]
    {
        assert_eq!(check(1, text(odd)), Ok(()), "{odd:?}");
    }
}

#[test]
fn malformed_bodies_and_unknown_kinds_are_refused() {
    assert_eq!(check(1, text("")), Err(Code::TextEmpty));
    assert_eq!(check(0, text("x")), Err(Code::KindInvalid));
    assert_eq!(check(4_000_000_000, text("x")), Err(Code::KindInvalid));
    // A string field that is not UTF-8, and one that is cut short.
    assert_eq!(check(1, Bytes::from_static(b"\x0a\x02\xff\xff")), Err(Code::KindInvalid));
    assert_eq!(check(1, Bytes::from_static(b"\x0a\x05a")), Err(Code::KindInvalid));
    assert_eq!(check(1, vec![0; limits::BODY_BYTES + 1].into()), Err(Code::BodyTooLarge));
}

fn mention(start: u32, length: u32, user: usize) -> Mention {
    Mention { start, length, who: Some(Who::User(vec![7; user].into())) }
}

#[test]
fn mentions_lie_within_the_text_in_order_and_name_somebody() {
    let with = |mentions| {
        let text = Text { text: "😀 @ben hi".to_owned(), mentions, ..Text::default() };
        body(EntryKind::Text, &text)
    };
    assert_eq!(with(vec![mention(2, 4, 16)]), Ok(()));
    assert_eq!(with(vec![mention(0, 1, 16), mention(2, 7, 16)]), Ok(()));
    let nobody = Mention { start: 0, length: 1, who: None };
    let not_all = Mention { start: 0, length: 1, who: Some(Who::Everyone(false)) };
    for wrong in [
        vec![mention(2, 8, 16)],
        vec![mention(2, 0, 16)],
        vec![mention(2, 4, 15)],
        vec![mention(2, 4, 16), mention(5, 1, 16)],
        vec![mention(u32::MAX, u32::MAX, 16)],
        vec![nobody],
        vec![not_all],
        (0..101).map(|_| mention(0, 1, 16)).collect(),
    ] {
        assert_eq!(with(wrong), Err(Code::BadRequest));
    }
}

#[test]
fn what_refers_to_a_message_names_one() {
    let edit = |seq| Edit { seq, text: "x".to_owned(), mentions: Vec::new() };
    assert_eq!(body(EntryKind::Edit, &edit(1)), Ok(()));
    assert_eq!(body(EntryKind::Edit, &edit(0)), Err(Code::BadRequest));
    let reaction = |emoji: &str| Reaction { seq: 3, emoji: emoji.to_owned(), removed: false };
    assert_eq!(body(EntryKind::Reaction, &reaction("👍🏽")), Ok(()));
    for wrong in ["", "\n", &"x".repeat(65)] {
        assert_eq!(body(EntryKind::Reaction, &reaction(wrong)), Err(Code::BadRequest));
    }
}

#[test]
fn a_group_has_a_title_and_names_each_member_once() {
    let created = |title: &str, members: Vec<Vec<u8>>| {
        let info = GroupInfo { title: title.to_owned(), ..GroupInfo::default() };
        let members = members.into_iter().map(Bytes::from).collect();
        body(EntryKind::GroupCreated, &GroupCreated { info: Some(info), settings: None, members })
    };
    assert_eq!(created("Friends", vec![vec![1; 16], vec![2; 16]]), Ok(()));
    assert_eq!(created(&"é".repeat(128), vec![]), Ok(()));
    assert_eq!(created(&"é".repeat(129), vec![]), Err(Code::BadRequest));
    assert_eq!(created("  ", vec![]), Err(Code::BadRequest));
    assert_eq!(created("x", vec![vec![1; 16], vec![1; 16]]), Err(Code::BadRequest));
    assert_eq!(created("x", vec![vec![1; 15]]), Err(Code::BadRequest));
}

#[test]
fn only_the_server_writes_how_somebody_joined() {
    assert_eq!(check(EntryKind::MemberJoined as u32, Bytes::new()), Ok(()));
    let body = Bytes::from_static(b"\x0a\x01a");
    assert_eq!(check(EntryKind::MemberJoined as u32, body), Err(Code::KindInvalid));
}

#[test]
fn roles_and_settings_are_known_ones() {
    let role = |role| RoleChanged { user: vec![1; 16].into(), role };
    assert_eq!(body(EntryKind::RoleChanged, &role(Role::Owner as i32)), Ok(()));
    assert_eq!(body(EntryKind::RoleChanged, &role(0)), Err(Code::BadRequest));
    assert_eq!(body(EntryKind::RoleChanged, &role(9)), Err(Code::BadRequest));
    assert_eq!(
        body(EntryKind::ConversationChanged, &ConversationChanged::default()),
        Err(Code::BadRequest)
    );
}
