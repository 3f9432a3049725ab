//! What a client writes: every kind, and the odd forms a server must take.

use parley_protocol::Message;
use parley_protocol::wire::client_envelope::Kind;
use parley_protocol::wire::{
    ClientEnvelope, Delivered, Describe, EntryKind, Feature, Fetch, Goodbye, Hello, Lookup, Ping,
    Read, Send, Sync, Text, fetch, lookup, send,
};

use super::Vector;
use super::cast::{ALICE, BOB, TALK, TOKEN, wire};

pub fn vectors() -> Vec<Vector> {
    let mut all = opening();
    all.extend(sending());
    all.extend(reading());
    all.extend(odd());
    all
}

fn opening() -> Vec<Vector> {
    vec![
        client("hello", "The first frame of a session.", 1, Kind::Hello(hello())),
        client(
            "hello_resumes",
            "A device that holds the feed up to 4711.",
            1,
            Kind::Hello(Hello { feed_position: 4711, ..hello() }),
        ),
        client(
            "hello_bare",
            "No client name and no features.",
            1,
            Kind::Hello(Hello {
                version_min: 1,
                version_max: 1,
                token: wire(&TOKEN),
                ..Hello::default()
            }),
        ),
        client("ping", "A heartbeat.", 2, Kind::Ping(Ping::default())),
        client("goodbye", "The client leaves; nothing is answered.", 0, Kind::Goodbye(Goodbye {})),
    ]
}

fn sending() -> Vec<Vector> {
    let to_peer = Send {
        to: Some(send::To::Peer(wire(&BOB))),
        client_message_id: wire(b"my-1"),
        kind: EntryKind::Text as u32,
        body: Text { text: "hi".into(), ..Text::default() }.encode_to_vec().into(),
    };
    vec![
        client(
            "send_to_peer",
            "The 1:1 conversation is made if needed.",
            3,
            Kind::Send(to_peer.clone()),
        ),
        client(
            "send_to_conversation",
            "A conversation the client knows.",
            4,
            Kind::Send(Send { to: Some(send::To::Conversation(wire(&TALK))), ..to_peer.clone() }),
        ),
        client(
            "send_longest_message_id",
            "A client message id is 64 bytes at most, and any bytes.",
            5,
            Kind::Send(Send { client_message_id: wire(&[0xff; 64]), ..to_peer }),
        ),
        client(
            "delivered",
            "This device holds everything up to 7.",
            6,
            Kind::Delivered(Delivered { conversation: wire(&TALK), up_to: 7 }),
        ),
        client(
            "read",
            "The user has read up to 7.",
            7,
            Kind::Read(Read { conversation: wire(&TALK), up_to: 7 }),
        ),
        client(
            "read_beyond_everything",
            "The highest number; refused with cursor_ahead.",
            8,
            Kind::Read(Read { conversation: wire(&TALK), up_to: u64::MAX }),
        ),
    ]
}

fn reading() -> Vec<Vector> {
    let fetch =
        |from, limit| Kind::Fetch(Fetch { conversation: wire(&TALK), from: Some(from), limit });
    vec![
        client(
            "fetch_after",
            "Entries above 5, oldest first.",
            9,
            fetch(fetch::From::AfterSeq(5), 100),
        ),
        client(
            "fetch_from_the_start",
            "A zero inside the one-of is written.",
            10,
            fetch(fetch::From::AfterSeq(0), 0),
        ),
        client(
            "fetch_newest",
            "Before the highest number: the newest entries.",
            11,
            fetch(fetch::From::BeforeSeq(u64::MAX), 50),
        ),
        client("fetch_around", "Both sides of 500.", 12, fetch(fetch::From::AroundSeq(500), 20)),
        client("sync", "What changed since 4711.", 13, Kind::Sync(Sync { feed_position: 4711 })),
        client(
            "sync_from_zero",
            "The whole feed; the message is empty.",
            14,
            Kind::Sync(Sync::default()),
        ),
        client(
            "lookup_name",
            "Who is bob?",
            15,
            Kind::Lookup(Lookup { by: Some(lookup::By::Name("bob".into())) }),
        ),
        client(
            "lookup_user",
            "What is this user called?",
            16,
            Kind::Lookup(Lookup { by: Some(lookup::By::User(wire(&ALICE))) }),
        ),
        client(
            "describe",
            "What is this conversation?",
            17,
            Kind::Describe(Describe { conversation: wire(&TALK) }),
        ),
    ]
}

fn odd() -> Vec<Vector> {
    vec![
        client(
            "ping_unanswered",
            "Request 0 asks for no answer and isn't written.",
            0,
            Kind::Ping(Ping::default()),
        ),
        client(
            "ping_highest_request",
            "The highest request number.",
            u64::MAX,
            Kind::Ping(Ping::default()),
        ),
        raw(
            "hello_from_the_future",
            "Versions 1 to 9, features 1 and 77, and field 200: read as hello with what is known.",
            &{
                let mut inner = Hello {
                    version_min: 1,
                    version_max: 9,
                    token: wire(&TOKEN),
                    features: vec![Feature::Receipts as i32, 77],
                    ..Hello::default()
                }
                .encode_to_vec();
                // Field 200, two bytes.
                inner.extend_from_slice(b"\xc2\x0c\x02hi");
                let mut bytes = b"\x08\x01\x12".to_vec();
                bytes.push(u8::try_from(inner.len()).unwrap());
                bytes.extend_from_slice(&inner);
                bytes
            },
        ),
        raw(
            "unknown_request",
            "Field 200 as the kind: refused with unknown_request.",
            b"\x08\x12\xc2\x0c\x00",
        ),
        Vector {
            canonical: true,
            ..raw("no_kind", "A request number alone: refused with unknown_request.", b"\x08\x13")
        },
        raw("fields_in_other_order", "The kind before the request number.", b"\x1a\x00\x08\x14"),
        raw("two_kinds", "Goodbye, then Ping: the last one counts.", b"\x08\x15\x5a\x00\x1a\x00"),
        raw("long_varint", "Request 1 in two bytes, as protobuf permits.", b"\x08\x81\x00\x1a\x00"),
        raw(
            "unknown_field",
            "Field 100 beside the kind is passed over.",
            b"\x08\x16\x1a\x00\xa0\x06\x2a",
        ),
    ]
}

fn hello() -> Hello {
    Hello {
        version_min: 1,
        version_max: 1,
        token: wire(&TOKEN),
        client_name: "example".into(),
        client_version: "1.0".into(),
        features: vec![Feature::Receipts as i32],
        ..Hello::default()
    }
}

fn client(name: &'static str, about: &'static str, request: u64, kind: Kind) -> Vector {
    let bytes = ClientEnvelope { request, kind: Some(kind) }.encode_to_vec();
    Vector { name, about, message: "ClientEnvelope", bytes, canonical: true, late_choice: false }
}

fn raw(name: &'static str, about: &'static str, bytes: &[u8]) -> Vector {
    Vector {
        name,
        about,
        message: "ClientEnvelope",
        bytes: bytes.to_vec(),
        canonical: false,
        late_choice: false,
    }
}
