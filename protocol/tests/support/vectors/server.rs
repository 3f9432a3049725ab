//! What a server writes: every kind, and the odd forms a client must take.

use parley_protocol::wire::server_envelope::Kind;
use parley_protocol::wire::{
    Changes, Close, ConversationKind, Deliver, Described, Drain, Failure, Feature, FeedEntry,
    Fetched, Found, Limits, Member, Moved, Pong, Receipt, Sent, ServerEnvelope, User, Welcome,
};
use parley_protocol::{Code, Message, limits};

use super::Vector;
use super::cast::{ALICE, BOB, DEVICE, SESSION, TALK, TIME_MS, wire};
use super::entries::{first, from_the_future, second};

pub fn vectors() -> Vec<Vector> {
    let mut all = opening();
    all.extend(conversation());
    all.extend(people());
    all.extend(ending());
    all.extend(odd());
    all
}

fn opening() -> Vec<Vector> {
    vec![
        server(
            "welcome_new_device",
            "The answer to hello; nothing changed yet.",
            1,
            Kind::Welcome(welcome()),
        ),
        server(
            "welcome_with_changes",
            "One conversation changed while the device was away.",
            1,
            Kind::Welcome(Welcome {
                changes: Some(Changes {
                    entries: vec![feed_entry()],
                    feed_position: 4711,
                    more: false,
                }),
                ..welcome()
            }),
        ),
        server(
            "pong",
            "The heartbeat's answer says where the feed is.",
            2,
            Kind::Pong(Pong { feed_position: 4712, server_time_ms: TIME_MS }),
        ),
        server(
            "changes",
            "A page of the feed with more to follow.",
            13,
            Kind::Changes(Changes { entries: vec![feed_entry()], feed_position: 4711, more: true }),
        ),
        server(
            "changes_none",
            "Nothing changed.",
            14,
            Kind::Changes(Changes { feed_position: 4711, ..Changes::default() }),
        ),
    ]
}

fn conversation() -> Vec<Vector> {
    let sent = Sent {
        conversation: wire(&TALK),
        seq: 1,
        time_ms: TIME_MS,
        ordinal: 1,
        duplicate: false,
        feed_position: 4713,
    };
    vec![
        server("sent", "The entry is committed.", 3, Kind::Sent(sent.clone())),
        server(
            "sent_duplicate",
            "The same client message id again: the same answer.",
            4,
            Kind::Sent(Sent { duplicate: true, feed_position: 0, ..sent }),
        ),
        server(
            "deliver",
            "Two new entries; request is 0, nobody asked.",
            0,
            Kind::Deliver(Deliver {
                conversation: wire(&TALK),
                feed_position: 4713,
                entries: vec![first(), second()],
            }),
        ),
        server(
            "deliver_unknown_kind",
            "An entry of a kind this version doesn't know.",
            0,
            Kind::Deliver(Deliver {
                conversation: wire(&TALK),
                feed_position: 4714,
                entries: vec![from_the_future()],
            }),
        ),
        server(
            "fetched",
            "A range, oldest first, that reaches neither end.",
            9,
            Kind::Fetched(Fetched {
                conversation: wire(&TALK),
                entries: vec![first(), second()],
                last_seq: 9,
                ..Fetched::default()
            }),
        ),
        server(
            "fetched_nothing",
            "An empty conversation: both ends are reached.",
            10,
            Kind::Fetched(Fetched {
                conversation: wire(&TALK),
                at_start: true,
                at_end: true,
                ..Fetched::default()
            }),
        ),
        server(
            "moved",
            "Where the user's cursors stand now.",
            6,
            Kind::Moved(Moved { conversation: wire(&TALK), delivered: 7, read: 3 }),
        ),
        server(
            "receipt",
            "Bob's cursors moved.",
            0,
            Kind::Receipt(Receipt {
                conversation: wire(&TALK),
                user: wire(&BOB),
                delivered: 7,
                read: 7,
                time_ms: TIME_MS,
                feed_position: 0,
            }),
        ),
        server(
            "receipt_own",
            "Another device of the same user read; the feed moved.",
            0,
            Kind::Receipt(Receipt {
                conversation: wire(&TALK),
                user: wire(&ALICE),
                delivered: 7,
                read: 7,
                time_ms: TIME_MS,
                feed_position: 4715,
            }),
        ),
    ]
}

fn people() -> Vec<Vector> {
    let member = |id: &[u8], name: &str| Member {
        user: wire(id),
        name: name.into(),
        delivered: 7,
        read: 3,
        delivered_ms: TIME_MS,
        read_ms: TIME_MS - 1000,
        ..Member::default()
    };
    vec![
        server(
            "found",
            "A user.",
            15,
            Kind::Found(Found { user: Some(User { id: wire(&BOB), name: "bob".into() }) }),
        ),
        server(
            "described",
            "A 1:1 conversation.",
            17,
            Kind::Described(Described {
                conversation: wire(&TALK),
                kind: ConversationKind::Direct as i32,
                members: vec![member(&ALICE, "alice"), member(&BOB, "bob")],
                last_seq: 7,
                ..Described::default()
            }),
        ),
    ]
}

fn ending() -> Vec<Vector> {
    vec![
        server(
            "failure",
            "One request failed; the session goes on.",
            5,
            Kind::Failure(Failure {
                code: Code::NotFound as u32,
                text: "no such user".into(),
                retry_after_ms: 0,
            }),
        ),
        server(
            "failure_retry_after",
            "Try again in 1.5 seconds.",
            5,
            Kind::Failure(Failure {
                code: Code::Overloaded as u32,
                text: "busy".into(),
                retry_after_ms: 1500,
            }),
        ),
        server(
            "close",
            "The device was signed out; the last frame.",
            0,
            Kind::Close(Close {
                code: Code::SessionRevoked as u32,
                text: "signed out".into(),
                retry_after_ms: 0,
            }),
        ),
        server(
            "close_retry_after",
            "Come back in 30 seconds.",
            0,
            Kind::Close(Close {
                code: Code::TooManyConnections as u32,
                text: "full".into(),
                retry_after_ms: 30_000,
            }),
        ),
        server("drain", "Reconnect within 5 seconds.", 0, Kind::Drain(Drain { within_ms: 5000 })),
    ]
}

fn odd() -> Vec<Vector> {
    vec![
        server(
            "failure_unknown_code",
            "A code this version doesn't know: treat it as retry_after.",
            5,
            Kind::Failure(Failure { code: 999, ..Failure::default() }),
        ),
        raw("unknown_kind", "Field 200 as the kind, unasked: passed over.", b"\xc2\x0c\x02hi"),
        raw("unknown_answer", "Field 200 as the answer to request 18.", b"\x08\x12\xc2\x0c\x00"),
        raw(
            "unknown_field_in_drain",
            "Field 15 inside Drain is passed over.",
            b"\x6a\x05\x08\x88\x27\x78\x01",
        ),
    ]
}

fn welcome() -> Welcome {
    Welcome {
        version: 1,
        features: vec![Feature::Receipts as i32],
        session: wire(&SESSION),
        user: wire(&ALICE),
        device: wire(&DEVICE),
        user_name: "alice".into(),
        limits: Some(Limits {
            text_chars: limits::TEXT_CHARS,
            frame_bytes: limits::FRAME_BYTES,
            requests_in_flight: limits::REQUESTS_IN_FLIGHT,
            fetch_entries: limits::FETCH_ENTRIES,
            ..Limits::default()
        }),
        server_time_ms: TIME_MS,
        heartbeat_ms: 10_000,
        changes: Some(Changes::default()),
        ..Welcome::default()
    }
}

fn feed_entry() -> FeedEntry {
    FeedEntry {
        conversation: wire(&TALK),
        version: 4711,
        last_seq: 7,
        unread: 2,
        read: 5,
        last_time_ms: TIME_MS,
        delivered: 5,
        ..FeedEntry::default()
    }
}

fn server(name: &'static str, about: &'static str, request: u64, kind: Kind) -> Vector {
    let bytes = ServerEnvelope { request, kind: Some(kind) }.encode_to_vec();
    Vector { name, about, message: "ServerEnvelope", bytes, canonical: true, late_choice: false }
}

fn raw(name: &'static str, about: &'static str, bytes: &[u8]) -> Vector {
    Vector {
        name,
        about,
        message: "ServerEnvelope",
        bytes: bytes.to_vec(),
        canonical: false,
        late_choice: false,
    }
}
