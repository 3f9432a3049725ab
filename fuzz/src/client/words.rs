//! What the servers of this target say: answers with any content, and entries
//! of every kind, right and wrong.

use bytes::Bytes;
use parley_client::{ConversationId, UserId};
use parley_protocol::wire::server_envelope::Kind;
use parley_protocol::wire::{self, client_envelope};
use parley_protocol::{Code, Message};

/// An answer of the right kind with any content, or one of the wrong kind.
pub(super) fn answer(asked: &client_envelope::Kind, how: u8, a: u8, b: u8) -> Option<Kind> {
    use client_envelope::Kind as Asked;
    if how == 0 {
        return Some(Kind::Pong(wire::Pong { feed_position: a.into(), server_time_ms: b.into() }));
    }
    if how == 1 {
        return None;
    }
    if how % 8 == 2 {
        let code = Code::ALL.get(usize::from(a)).map_or(u32::from(a), |code| *code as u32);
        return Some(Kind::Failure(wire::Failure {
            code,
            text: "x".into(),
            retry_after_ms: b.into(),
        }));
    }
    Some(match asked {
        Asked::Hello(_) => Kind::Welcome(welcome(how, a, b)),
        Asked::Ping(_) => Kind::Pong(wire::Pong { feed_position: a.into(), server_time_ms: 5 }),
        Asked::Send(_) => Kind::Sent(wire::Sent {
            conversation: id(b),
            seq: u64::from(a % 24),
            time_ms: 5,
            ordinal: a.into(),
            duplicate: how.is_multiple_of(3),
            feed_position: a.into(),
        }),
        Asked::Fetch(fetch) => {
            let from = match fetch.from {
                Some(wire::fetch::From::AfterSeq(seq)) if how % 4 != 3 => seq.saturating_add(1),
                _ => u64::from(b % 24),
            };
            Kind::Fetched(wire::Fetched {
                conversation: if how % 16 == 5 { id(b) } else { fetch.conversation.clone() },
                entries: (from..from.saturating_add(u64::from(a % 6))).map(entry).collect(),
                at_start: how.is_multiple_of(2),
                at_end: how.is_multiple_of(3),
                last_seq: b.into(),
                related: (0..u64::from(b % 4)).map(|n| entry(n * 5)).collect(),
                related_cut: how % 8 == 7,
            })
        }
        Asked::Delivered(cursor) => moved(&cursor.conversation, a, b),
        Asked::Read(cursor) => moved(&cursor.conversation, a, b),
        Asked::Sync(_) => Kind::Changes(changes(a, b, how % 4 == 3, how)),
        Asked::Lookup(_) => Kind::Found(wire::Found { user: (how % 4 != 3).then(|| user(a)) }),
        Asked::Describe(describe) => Kind::Described(wire::Described {
            conversation: describe.conversation.clone(),
            kind: i32::from(how % 3),
            members: (0..a % 4).map(|n| member(n, b)).collect(),
            last_seq: b.into(),
            former: how % 8 == 6,
            pinned: vec![b.into(), a.into()],
            first_after: u64::from(a % 5),
            ..wire::Described::default()
        }),
        _ => return None,
    })
}

pub(super) fn welcome(how: u8, a: u8, b: u8) -> wire::Welcome {
    let limits = wire::Limits {
        text_chars: 100,
        frame_bytes: 1000,
        requests_in_flight: 8,
        fetch_entries: 4,
        group_members: 3,
        least_retention_s: 1,
    };
    wire::Welcome {
        version: if how == 9 { 7 } else { 1 },
        features: vec![1, 99],
        session: id(9),
        user: if how == 11 { Bytes::from_static(b"short") } else { id(0) },
        device: id(8),
        user_name: "ann".into(),
        limits: (how != 13).then_some(if how == 15 { wire::Limits::default() } else { limits }),
        server_time_ms: 5,
        heartbeat_ms: if how == 17 { 0 } else { 100 },
        changes: (how != 19).then(|| changes(a, b, how % 4 == 3, a)),
        background_heartbeat_ms: if how == 21 { 0 } else { 300 },
        account_revision: b.into(),
        incarnation: if how == 23 { id(b) } else { id(7) },
    }
}

pub(super) fn changes(conversation: u8, last: u8, more: bool, feed: u8) -> wire::Changes {
    let entry = wire::FeedEntry {
        last_message_ms: 0,
        conversation: id(conversation),
        version: feed.into(),
        last_seq: u64::from(last % 32),
        unread: last.into(),
        read: u64::from(last / 2),
        last_time_ms: 5,
        delivered: u64::from(last / 3),
        last_ordinal: u64::from(last % 30),
        floor_ordinal: u64::from(feed % 32),
        mentions: u32::from(last % 3),
        preferences: (last % 5 == 4).then(|| wire::Preferences {
            muted_until_ms: u64::MAX,
            cleared_up_to: u64::from(last / 4),
            draft: "so".into(),
            ..wire::Preferences::default()
        }),
        hidden: u32::from(last % 4),
        request: last % 6 == 5,
    };
    wire::Changes { entries: vec![entry], feed_position: feed.into(), more }
}

pub(super) fn honest_move(conversation: Bytes, up_to: u64) -> Kind {
    Kind::Moved(wire::Moved { conversation, delivered: up_to, read: 0 })
}

pub(super) fn moved(conversation: &Bytes, delivered: u8, read: u8) -> Kind {
    let (delivered, read) = (delivered.into(), read.into());
    Kind::Moved(wire::Moved { conversation: conversation.clone(), delivered, read })
}

pub(super) fn entry(seq: u64) -> Bytes {
    if seq % 23 == 22 {
        return Bytes::from_static(b"\xff\xff");
    }
    let (kind, body) = content(seq);
    wire::Entry {
        seq,
        ordinal: seq,
        time_ms: 5,
        epoch: 1,
        sender: id((seq % 3) as u8),
        kind,
        body: body.into(),
        erased: seq % 13 == 12,
        damaged: seq % 19 == 18,
    }
    .encode_to_vec()
    .into()
}

/// Mostly texts; now and then each other kind, of a message that may not be
/// there, one of an unknown kind, and bodies that don't parse.
pub(super) fn content(seq: u64) -> (u32, Vec<u8>) {
    use wire::EntryKind as Kind;
    let (back, text) = (seq.saturating_sub(2), "ho".to_owned());
    let (kind, body) = match seq % 17 {
        3 => (Kind::Edit, wire::Edit { seq: back, text, mentions: Vec::new() }.encode_to_vec()),
        5 => (Kind::Delete, wire::Delete { seq: back, ordinal: back }.encode_to_vec()),
        6 => return (4000, b"hm".to_vec()),
        7 => (
            Kind::Reaction,
            wire::Reaction { seq: back, emoji: "x".into(), removed: seq.is_multiple_of(2) }
                .encode_to_vec(),
        ),
        8 => (Kind::Pin, wire::Pin { seq: seq + 9, removed: false }.encode_to_vec()),
        9 => {
            (Kind::MembersAdded, wire::MembersAdded { users: vec![id(3), id(255)] }.encode_to_vec())
        }
        10 => (
            Kind::MemberRemoved,
            wire::MemberRemoved { user: id((seq % 4) as u8), ban: false }.encode_to_vec(),
        ),
        11 => (Kind::HistoryErased, wire::HistoryErased { up_to: back }.encode_to_vec()),
        13 => (Kind::GroupCreated, b"\xff".to_vec()),
        14 => (Kind::RoleChanged, wire::RoleChanged { user: id(1), role: 9 }.encode_to_vec()),
        15 => (Kind::Edit, b"\xff".to_vec()),
        _ => (
            Kind::Text,
            wire::Text { text, reply_to: back, ..wire::Text::default() }.encode_to_vec(),
        ),
    };
    (kind as u32, body)
}

pub(super) fn user(number: u8) -> wire::User {
    wire::User {
        id: id(number % 3),
        name: if number.is_multiple_of(3) { "ann".into() } else { "ben".into() },
    }
}

pub(super) fn member(number: u8, up_to: u8) -> wire::Member {
    let wire::User { id, name } = user(number);
    wire::Member {
        user: id,
        name,
        delivered: up_to.into(),
        read: 1,
        delivered_ms: 5,
        read_ms: 5,
        ..wire::Member::default()
    }
}

/// Few ids, so that steps meet; sometimes one that is none.
pub(super) fn id(number: u8) -> Bytes {
    if number == 255 {
        Bytes::from_static(b"short")
    } else {
        UserId::new([number % 10; 16]).to_wire()
    }
}

pub(super) fn conversation_id(number: u8) -> ConversationId {
    ConversationId::new([number % 10; 16])
}
