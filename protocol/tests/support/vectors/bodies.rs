//! The body of each kind of entry, and what a server says to odd ones.

use bytes::Bytes;
use parley_protocol::wire::mention::Who as Named;
use parley_protocol::wire::{
    ConversationChanged, ConversationSettings, Delete, Edit, Entry, EntryKind, GroupCreated,
    GroupInfo, HistoryErased, MemberJoined, MemberLeft, MemberRemoved, MemberUnbanned,
    MembersAdded, Mention, Pin, Reaction, Role, RoleChanged, Text, Who,
};
use parley_protocol::{Message, limits};

use super::cast::{ALICE, BOB, CAROL, INVITE, TIME_MS, wire};
use super::{BodyVector, Vector};

/// A name, what it shows, the kind and the body. The first letters of the name
/// are those of no other vector.
type Example = (&'static str, &'static str, EntryKind, &'static str, Vec<u8>);

pub fn text_answer() -> Text {
    Text {
        text: "@bob @all 👋 see above".into(),
        reply_to: 7,
        mentions: vec![user(0, 4, BOB), everyone(5, 4)],
        forwarded: true,
    }
}

pub fn edit() -> Edit {
    Edit { seq: 7, text: "hi, @bob".into(), mentions: vec![user(4, 4, BOB)] }
}

pub fn delete() -> Delete {
    Delete { seq: 7, ordinal: 5 }
}

pub fn reaction() -> Reaction {
    Reaction { seq: 7, emoji: "👍🏽".into(), removed: false }
}

pub fn pin() -> Pin {
    Pin { seq: 7, removed: false }
}

pub fn info() -> GroupInfo {
    GroupInfo {
        title: "Walkers".into(),
        description: "Sundays at nine\nat the bridge".into(),
        picture: "media/0123".into(),
    }
}

pub fn settings() -> ConversationSettings {
    ConversationSettings {
        send: Who::Members as i32,
        add: Who::Admins as i32,
        edit_info: Who::Admins as i32,
        history_for_newcomers: true,
        retention_s: 2_592_000,
    }
}

pub fn created() -> GroupCreated {
    GroupCreated {
        info: Some(info()),
        settings: Some(settings()),
        members: vec![wire(&BOB), wire(&CAROL)],
    }
}

pub fn vectors() -> Vec<Vector> {
    let mut all: Vec<Vector> = examples()
        .into_iter()
        .map(|(name, about, _, message, bytes)| Vector {
            name,
            about,
            message,
            bytes,
            canonical: true,
            late_choice: false,
        })
        .collect();
    let erased = Entry {
        seq: 7,
        ordinal: 5,
        time_ms: TIME_MS,
        epoch: 1,
        sender: wire(&BOB),
        kind: EntryKind::Text as u32,
        body: Bytes::new(),
        erased: true,
        damaged: false,
    };
    all.push(Vector {
        name: "entry_erased",
        about: "A message that was deleted: all but its body is as it was.",
        message: "Entry",
        bytes: erased.encode_to_vec(),
        canonical: true,
        late_choice: false,
    });
    all.push(Vector {
        name: "entry_damaged",
        about: "The server's disk lost it: its place is true, all else is missing.",
        message: "Entry",
        bytes: Entry { seq: 8, damaged: true, ..Entry::default() }.encode_to_vec(),
        canonical: true,
        late_choice: false,
    });
    all.push(Vector {
        name: "member_joined",
        about: "As the server writes it; a client sends an empty body.",
        message: "MemberJoined",
        bytes: MemberJoined { invite: wire(&INVITE) }.encode_to_vec(),
        canonical: true,
        late_choice: false,
    });
    all
}

pub fn verdicts() -> Vec<BodyVector> {
    let mut all: Vec<BodyVector> = examples()
        .into_iter()
        .map(|(name, about, kind, _, body)| taken(name, about, kind, body))
        .collect();
    all.push(taken(
        "member_joined",
        "The server says which link.",
        EntryKind::MemberJoined,
        vec![],
    ));
    all.extend(refused_messages());
    all.extend(refused_changes());
    all
}

fn examples() -> Vec<Example> {
    let changed = ConversationChanged {
        title: Some("Runners".into()),
        description: Some(String::new()),
        picture: Some("media/0124".into()),
        settings: Some(settings()),
    };
    let title = ConversationChanged { title: Some("Runners".into()), ..Default::default() };
    let small = GroupCreated {
        info: Some(GroupInfo { title: "W".into(), ..GroupInfo::default() }),
        ..GroupCreated::default()
    };
    let unpin = Pin { removed: true, ..pin() };
    let back = Reaction { removed: true, ..reaction() };
    let added = MembersAdded { users: vec![wire(&BOB), wire(&CAROL)] };
    let removed = MemberRemoved { user: wire(&CAROL), ban: false };
    let banned = MemberRemoved { user: wire(&CAROL), ban: true };
    let unbanned = MemberUnbanned { user: wire(&CAROL) };
    let role = RoleChanged { user: wire(&BOB), role: Role::Owner as i32 };
    vec![
        (
            "text_answer",
            "Answers seq 7, names bob and everybody, passed on. Ranges count characters: the hand is one.",
            EntryKind::Text,
            "Text",
            text_answer().encode_to_vec(),
        ),
        (
            "edit",
            "The message at 7 gets another text.",
            EntryKind::Edit,
            "Edit",
            edit().encode_to_vec(),
        ),
        (
            "delete",
            "The message at 7, ordinal 5, is deleted for all.",
            EntryKind::Delete,
            "Delete",
            delete().encode_to_vec(),
        ),
        (
            "reaction",
            "Two scalar values, eight bytes, one reaction.",
            EntryKind::Reaction,
            "Reaction",
            reaction().encode_to_vec(),
        ),
        (
            "reaction_removed",
            "It is taken back.",
            EntryKind::Reaction,
            "Reaction",
            back.encode_to_vec(),
        ),
        ("pin", "The message at 7 is pinned.", EntryKind::Pin, "Pin", pin().encode_to_vec()),
        ("pin_removed", "The pin is taken off.", EntryKind::Pin, "Pin", unpin.encode_to_vec()),
        (
            "group_created",
            "A group of three with all that can be said of it.",
            EntryKind::GroupCreated,
            "GroupCreated",
            created().encode_to_vec(),
        ),
        (
            "group_created_bare",
            "A group of one with a title.",
            EntryKind::GroupCreated,
            "GroupCreated",
            small.encode_to_vec(),
        ),
        (
            "conversation_changed",
            "Everything; the empty description is said and so taken away.",
            EntryKind::ConversationChanged,
            "ConversationChanged",
            changed.encode_to_vec(),
        ),
        (
            "conversation_changed_title",
            "The title alone; the rest stays.",
            EntryKind::ConversationChanged,
            "ConversationChanged",
            title.encode_to_vec(),
        ),
        (
            "members_added",
            "Two come in.",
            EntryKind::MembersAdded,
            "MembersAdded",
            added.encode_to_vec(),
        ),
        (
            "member_removed",
            "One is put out.",
            EntryKind::MemberRemoved,
            "MemberRemoved",
            removed.encode_to_vec(),
        ),
        (
            "member_banned",
            "One is put out and may not come in again.",
            EntryKind::MemberRemoved,
            "MemberRemoved",
            banned.encode_to_vec(),
        ),
        (
            "member_unbanned",
            "One may come in again.",
            EntryKind::MemberUnbanned,
            "MemberUnbanned",
            unbanned.encode_to_vec(),
        ),
        (
            "member_left",
            "The sender goes; no bytes at all.",
            EntryKind::MemberLeft,
            "MemberLeft",
            MemberLeft {}.encode_to_vec(),
        ),
        (
            "role_changed",
            "The group is handed over.",
            EntryKind::RoleChanged,
            "RoleChanged",
            role.encode_to_vec(),
        ),
        (
            "history_erased",
            "Everything up to 7 is gone for all.",
            EntryKind::HistoryErased,
            "HistoryErased",
            HistoryErased { up_to: 7 }.encode_to_vec(),
        ),
    ]
}

fn refused_messages() -> Vec<BodyVector> {
    let bad = "bad_request";
    let text =
        |mentions| Text { text: "hi @bob".into(), mentions, ..Text::default() }.encode_to_vec();
    let react =
        |emoji: &str| Reaction { seq: 7, emoji: emoji.into(), removed: false }.encode_to_vec();
    let nobody = Mention { start: 0, length: 1, who: None };
    let not_all = Mention { who: Some(Named::Everyone(false)), ..nobody.clone() };
    let short = Mention { who: Some(Named::User(wire(&BOB[..15]))), ..nobody.clone() };
    let many = vec![user(0, 1, BOB); limits::MENTIONS + 1];
    vec![
        refused(
            "mention_past_the_end",
            "Characters 3 to 8 of seven.",
            EntryKind::Text,
            text(vec![user(3, 5, BOB)]),
            bad,
        ),
        refused(
            "mention_of_nothing",
            "No characters.",
            EntryKind::Text,
            text(vec![user(3, 0, BOB)]),
            bad,
        ),
        refused(
            "mentions_overlap",
            "One ends where the next has begun.",
            EntryKind::Text,
            text(vec![user(0, 4, BOB), user(3, 4, CAROL)]),
            bad,
        ),
        refused(
            "mentions_out_of_order",
            "Later first.",
            EntryKind::Text,
            text(vec![user(3, 1, BOB), user(0, 1, CAROL)]),
            bad,
        ),
        refused(
            "mention_of_nobody",
            "It says whom of neither kind.",
            EntryKind::Text,
            text(vec![nobody]),
            bad,
        ),
        refused(
            "mention_not_of_everyone",
            "Everyone, false.",
            EntryKind::Text,
            text(vec![not_all]),
            bad,
        ),
        refused("mention_short_id", "15 bytes.", EntryKind::Text, text(vec![short]), bad),
        refused("mentions_too_many", "101 of them.", EntryKind::Text, text(many), bad),
        refused(
            "edit_of_nothing",
            "Seq 0.",
            EntryKind::Edit,
            Edit { seq: 0, ..edit() }.encode_to_vec(),
            bad,
        ),
        refused(
            "edit_empty",
            "Deleting is another kind.",
            EntryKind::Edit,
            Edit { text: String::new(), mentions: vec![], ..edit() }.encode_to_vec(),
            "text_empty",
        ),
        refused(
            "delete_of_nothing",
            "Seq 0.",
            EntryKind::Delete,
            Delete { seq: 0, ordinal: 1 }.encode_to_vec(),
            bad,
        ),
        refused("reaction_empty", "With nothing.", EntryKind::Reaction, react(""), bad),
        refused(
            "reaction_too_long",
            "65 bytes.",
            EntryKind::Reaction,
            react(&"a".repeat(limits::EMOJI_BYTES + 1)),
            bad,
        ),
        refused(
            "reaction_with_a_control_character",
            "A line end.",
            EntryKind::Reaction,
            react("a\n"),
            bad,
        ),
        refused(
            "pin_of_nothing",
            "Seq 0.",
            EntryKind::Pin,
            Pin { seq: 0, removed: false }.encode_to_vec(),
            bad,
        ),
    ]
}

fn refused_changes() -> Vec<BodyVector> {
    let bad = "bad_request";
    let created = |info| GroupCreated { info, ..created() }.encode_to_vec();
    let title = |title: String| created(Some(GroupInfo { title, ..info() }));
    let changed = |settings| {
        ConversationChanged { settings: Some(settings), ..Default::default() }.encode_to_vec()
    };
    let users = |users: &[&[u8]]| {
        MembersAdded { users: users.iter().map(|id| wire(id)).collect() }.encode_to_vec()
    };
    let role = |role| RoleChanged { user: wire(&BOB), role }.encode_to_vec();
    vec![
        refused(
            "group_without_info",
            "A group has a title.",
            EntryKind::GroupCreated,
            created(None),
            bad,
        ),
        refused(
            "group_without_title",
            "Blanks are none.",
            EntryKind::GroupCreated,
            title("  ".into()),
            bad,
        ),
        refused(
            "group_title_too_long",
            "129 characters.",
            EntryKind::GroupCreated,
            title("é".repeat(limits::TITLE_CHARS + 1)),
            bad,
        ),
        refused(
            "group_title_of_two_lines",
            "A line end.",
            EntryKind::GroupCreated,
            title("a\nb".into()),
            bad,
        ),
        refused(
            "group_description_too_long",
            "2,049 characters.",
            EntryKind::GroupCreated,
            created(Some(GroupInfo {
                description: "é".repeat(limits::DESCRIPTION_CHARS + 1),
                ..info()
            })),
            bad,
        ),
        refused(
            "group_picture_too_long",
            "513 bytes.",
            EntryKind::GroupCreated,
            created(Some(GroupInfo { picture: "p".repeat(limits::PICTURE_BYTES + 1), ..info() })),
            bad,
        ),
        refused(
            "change_of_nothing",
            "Nothing is given.",
            EntryKind::ConversationChanged,
            vec![],
            bad,
        ),
        refused(
            "settings_from_the_future",
            "Who is 9.",
            EntryKind::ConversationChanged,
            changed(ConversationSettings { send: 9, ..settings() }),
            bad,
        ),
        refused(
            "retention_too_long",
            "More than a hundred years.",
            EntryKind::ConversationChanged,
            changed(ConversationSettings { retention_s: u64::MAX, ..settings() }),
            bad,
        ),
        refused("nobody_added", "No user.", EntryKind::MembersAdded, users(&[]), bad),
        refused(
            "added_twice",
            "The same user.",
            EntryKind::MembersAdded,
            users(&[&BOB, &BOB]),
            bad,
        ),
        refused(
            "added_short_id",
            "15 bytes.",
            EntryKind::MembersAdded,
            users(&[&ALICE[..15]]),
            bad,
        ),
        refused("removed_nobody", "No user.", EntryKind::MemberRemoved, vec![], bad),
        refused("unbanned_nobody", "No user.", EntryKind::MemberUnbanned, vec![], bad),
        refused(
            "left_cut_short",
            "A field without its value.",
            EntryKind::MemberLeft,
            b"\x08".to_vec(),
            "kind_invalid",
        ),
        refused("role_unspecified", "None.", EntryKind::RoleChanged, role(0), bad),
        refused("role_from_the_future", "Role 4.", EntryKind::RoleChanged, role(4), bad),
        refused(
            "joined_by_own_word",
            "Only the server says which link.",
            EntryKind::MemberJoined,
            MemberJoined { invite: wire(&INVITE) }.encode_to_vec(),
            "kind_invalid",
        ),
        refused(
            "erased_up_to_nothing",
            "Seq 0.",
            EntryKind::HistoryErased,
            HistoryErased { up_to: 0 }.encode_to_vec(),
            bad,
        ),
    ]
}

fn user(start: u32, length: u32, id: [u8; 16]) -> Mention {
    Mention { start, length, who: Some(Named::User(wire(&id))) }
}

fn everyone(start: u32, length: u32) -> Mention {
    Mention { start, length, who: Some(Named::Everyone(true)) }
}

fn taken(name: &'static str, about: &'static str, kind: EntryKind, body: Vec<u8>) -> BodyVector {
    BodyVector { name, about, kind: kind as u32, body, text_chars: limits::TEXT_CHARS, error: None }
}

fn refused(
    name: &'static str,
    about: &'static str,
    kind: EntryKind,
    body: Vec<u8>,
    error: &'static str,
) -> BodyVector {
    BodyVector { error: Some(error), ..taken(name, about, kind, body) }
}
