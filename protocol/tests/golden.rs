//! The golden vectors: the files are what the source says, prost and an encoder
//! made from the `.proto` files alone agree about them, and each odd one gets
//! the verdict written beside it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeSet;

use bytes::{Bytes, BytesMut};
use parley_protocol::body::ValidatedBody;
use parley_protocol::cursors::delivered_every_ms;
use parley_protocol::frame::{Decoder, FrameError};
use parley_protocol::wire::{ClientEnvelope, Entry, EntryKind, ServerEnvelope};
use parley_protocol::{Message, UserId, limits, wire};
use serde_json::Value;
use support::schema::Schema;
use support::vectors::{self, Vector};
use support::{from_hex, proto_json};

#[test]
fn the_files_are_what_the_source_says() {
    for file in vectors::files() {
        let there = std::fs::read_to_string(&file.path).unwrap_or_default();
        assert!(there == file.text, "{} is stale: run `make fix`", file.path.display());
    }
}

#[test]
fn prost_reads_every_vector_and_writes_the_same_bytes() {
    for vector in all() {
        let bytes = vector.bytes.as_slice();
        let again = match vector.message {
            "ClientEnvelope" => ClientEnvelope::decode(bytes).unwrap().encode_to_vec(),
            "ServerEnvelope" => ServerEnvelope::decode(bytes).unwrap().encode_to_vec(),
            "Entry" => Entry::decode(bytes).unwrap().encode_to_vec(),
            other => body_again(other, bytes),
        };
        if vector.late_choice {
            // The same fields in another order.
            let schema = Schema::load();
            let fields = |bytes| proto_json::from_bytes(&schema, vector.message, bytes).unwrap();
            assert_eq!(again.len(), bytes.len(), "{}", vector.name);
            assert_eq!(fields(&again), fields(bytes), "{}", vector.name);
        } else {
            assert_eq!(again == bytes, vector.canonical, "{}", vector.name);
        }
    }
}

/// A body read by prost and written again.
fn body_again(message: &str, bytes: &[u8]) -> Vec<u8> {
    macro_rules! again {
        ($($name:ident)*) => {
            match message {
                $(stringify!($name) => wire::$name::decode(bytes).unwrap().encode_to_vec(),)*
                other => panic!("{other}"),
            }
        };
    }
    again! {
        ConversationChanged Delete Edit GroupCreated HistoryErased MemberJoined MemberLeft
        MemberRemoved MemberUnbanned MembersAdded Pin Reaction RoleChanged Text
    }
}

/// Reads the files as a foreign SDK would: fields in, bytes out.
#[test]
fn an_encoder_made_from_the_proto_files_writes_the_same_bytes() {
    let schema = Schema::load();
    let mut seen = 0;
    for file in vectors::files() {
        let json: Value = serde_json::from_str(&file.text).unwrap();
        for vector in json["vectors"].as_array().unwrap() {
            let Some(fields) = vector.get("fields") else { continue };
            let (name, message) = (&vector["name"], vector["message"].as_str().unwrap());
            let bytes = from_hex(vector["bytes"].as_str().unwrap());
            let written = proto_json::to_bytes(&schema, message, fields);
            assert_eq!(written == bytes, vector["canonical"] == true, "{name}");
            seen += 1;
        }
    }
    assert_eq!(seen, all().len());
}

#[test]
fn every_kind_of_envelope_has_a_vector() {
    let schema = Schema::load();
    for (message, vectors) in
        [("ClientEnvelope", vectors::client()), ("ServerEnvelope", vectors::server())]
    {
        let written: Vec<_> = vectors
            .iter()
            .map(|vector| proto_json::from_bytes(&schema, message, &vector.bytes).unwrap())
            .collect();
        for field in &schema.messages[message] {
            let name = field.json_name();
            assert!(written.iter().any(|fields| fields.get(&name).is_some()), "{message}.{name}");
        }
    }
}

#[test]
fn every_field_of_every_message_has_a_vector() {
    let schema = Schema::load();
    let mut written = BTreeSet::new();
    for vector in all() {
        let fields = proto_json::from_bytes(&schema, vector.message, &vector.bytes).unwrap();
        note_fields(&schema, vector.message, &fields, &mut written);
    }
    for (message, fields) in &schema.messages {
        for field in fields {
            let name = format!("{message}.{}", field.name);
            assert!(written.contains(&name), "no vector has {name}");
        }
    }
}

fn note_fields(schema: &Schema, message: &str, value: &Value, written: &mut BTreeSet<String>) {
    for field in &schema.messages[message] {
        let Some(value) = value.get(field.json_name()) else { continue };
        written.insert(format!("{message}.{}", field.name));
        if schema.messages.contains_key(&field.kind) {
            let many = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
            many.iter().for_each(|value| note_fields(schema, &field.kind, value, written));
        }
    }
}

#[test]
fn the_odd_client_envelopes_read_as_their_notes_say() {
    let kind = |name: &str| {
        let vector = vectors::client().into_iter().find(|vector| vector.name == name).unwrap();
        ClientEnvelope::decode(vector.bytes.as_slice()).unwrap().kind
    };
    assert_eq!(kind("unknown_request"), None);
    assert_eq!(kind("no_kind"), None);
    let ping = Some(wire::client_envelope::Kind::Ping(wire::Ping::default()));
    for name in ["fields_in_other_order", "two_kinds", "long_varint", "unknown_field"] {
        assert_eq!(kind(name), ping, "{name}");
    }
}

/// ProtoJSON has no form for two choices of a one-of: decoders must refuse it.
#[test]
fn fields_hold_one_choice_of_each_one_of() {
    let schema = Schema::load();
    let mut choices = 0;
    for vector in all() {
        let fields = proto_json::from_bytes(&schema, vector.message, &vector.bytes).unwrap();
        choices += count_choices(&schema, vector.message, &fields, vector.name);
    }
    assert!(choices > 100, "{choices}");
}

fn count_choices(schema: &Schema, message: &str, value: &Value, name: &str) -> usize {
    let mut seen = BTreeSet::new();
    let mut count = 0;
    for field in &schema.messages[message] {
        let Some(value) = value.get(field.json_name()) else { continue };
        if let Some(oneof) = &field.oneof {
            assert!(seen.insert(oneof), "{name}: two choices of {message}.{oneof}");
            count += 1;
        }
        if schema.messages.contains_key(&field.kind) {
            let many = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
            count +=
                many.iter().map(|it| count_choices(schema, &field.kind, it, name)).sum::<usize>();
        }
    }
    count
}

/// The rule as docs/protocol.md has it, with numbers of its own.
#[test]
fn pace_follows_the_documents_rule() {
    for vector in vectors::pace() {
        let middle = (10 * vector.members).min(2000);
        let last = usize::from(vector.user[15]);
        let rule = if middle <= 100 { 100 } else { (middle * (384 + last) / 512).max(100) };
        let said = delivered_every_ms(vector.members, UserId::new(vector.user));
        assert_eq!(said, rule as u64, "{}", vector.name);
    }
}

#[test]
fn frames_are_cut_as_the_vectors_say() {
    for vector in vectors::frames() {
        let decoder = Decoder::new(limits::FRAME_BYTES);
        let mut buffer = BytesMut::from(vector.stream.as_slice());
        let mut frames = Vec::new();
        let error = loop {
            match decoder.next(&mut buffer) {
                Ok(Some(frame)) => frames.push(frame.to_vec()),
                Ok(None) => break None,
                Err(FrameError::TooLarge { .. }) => break Some("frame_too_large"),
                Err(FrameError::Empty | FrameError::BadPrefix) => break Some("bad_frame"),
            }
        };
        assert_eq!(frames, vector.frames, "{}", vector.name);
        assert_eq!(error, vector.error, "{}", vector.name);
        if error.is_none() {
            assert_eq!(buffer.len(), vector.rest, "{}", vector.name);
        }
    }
}

#[test]
fn bodies_get_the_verdict_of_the_vectors() {
    for vector in vectors::bodies() {
        let body = Bytes::from(vector.body.clone());
        let verdict = ValidatedBody::new(vector.kind, body, vector.text_chars);
        assert_eq!(verdict.err().map(|code| code.name()), vector.error, "{}", vector.name);
    }
}

/// Each kind has a body that is taken and one that is refused.
#[test]
fn every_kind_of_entry_has_its_verdicts() {
    for kind in (1..64).filter_map(|number| EntryKind::try_from(number).ok()) {
        for good in [true, false] {
            let there = vectors::bodies()
                .iter()
                .any(|vector| vector.kind == kind as u32 && vector.error.is_none() == good);
            assert!(there, "{}: no body with the verdict {good}", kind.as_str_name());
        }
    }
}

#[test]
fn refused_frames_hold_no_envelope() {
    for vector in vectors::refused() {
        assert!(ClientEnvelope::decode(vector.bytes.as_slice()).is_err(), "{}", vector.name);
    }
}

#[test]
fn names_are_unique() {
    let mut names: Vec<_> = all().iter().map(|vector| (vector.message, vector.name)).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

fn all() -> Vec<Vector> {
    let mut all = vectors::client();
    all.extend(vectors::server());
    all.extend(vectors::entries());
    all
}
