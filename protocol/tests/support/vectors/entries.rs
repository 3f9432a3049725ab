//! Entries, the bodies in them, and what a server says to odd bodies.

use bytes::Bytes;
use parley_protocol::wire::{Entry, EntryKind, Text};
use parley_protocol::{Message, limits};

use super::cast::{ALICE, BOB, TIME_MS, wire};
use super::{BodyVector, Vector};

/// One text in every direction, with what breaks naive code.
const ODD_TEXT: &str = "\0 e\u{301} \u{202e}abc\u{202c} 한국어 العربية 👩‍👩‍👧‍👦";

pub fn first() -> Bytes {
    entry(1, 1, TIME_MS, ALICE, "hi").encode_to_vec().into()
}

pub fn second() -> Bytes {
    entry(2, 2, TIME_MS + 5, BOB, "hello").encode_to_vec().into()
}

pub fn from_the_future() -> Bytes {
    let mut bytes = Entry {
        seq: 3,
        ordinal: 2,
        time_ms: TIME_MS + 9,
        epoch: 1,
        sender: wire(&BOB),
        kind: 4000,
        body: wire(b"\x08\x01"),
        erased: false,
        damaged: false,
    }
    .encode_to_vec();
    // Field 100, a number.
    bytes.extend_from_slice(b"\xa0\x06\x2a");
    bytes.into()
}

pub fn vectors() -> Vec<Vector> {
    vec![
        vector("entry", "A text, first of its conversation.", "Entry", &first(), true),
        vector("entry_reply", "The answer to it.", "Entry", &second(), true),
        vector(
            "entry_from_the_future",
            "Kind 4000 and field 100: kept and passed on as they are, byte for byte.",
            "Entry",
            &from_the_future(),
            false,
        ),
        vector(
            "entry_highest_numbers",
            "Every number at its highest.",
            "Entry",
            &Entry {
                seq: u64::MAX,
                ordinal: u64::MAX,
                time_ms: u64::MAX,
                epoch: u64::MAX,
                sender: wire(&[0xff; 16]),
                kind: u32::MAX,
                body: Bytes::new(),
                erased: false,
                damaged: false,
            }
            .encode_to_vec(),
            true,
        ),
        vector("text", "The body of an entry of kind 1.", "Text", &text("hi"), true),
        vector(
            "text_odd",
            "A zero byte, marks, both directions, a family.",
            "Text",
            &text(ODD_TEXT),
            true,
        ),
        vector("text_empty", "No bytes at all; a server refuses it.", "Text", &text(""), true),
    ]
}

pub fn bodies() -> Vec<BodyVector> {
    let text_kind = EntryKind::Text as u32;
    let body = |name, about, kind, body, text_chars, error| BodyVector {
        name,
        about,
        kind,
        body,
        text_chars,
        error,
    };
    let full = limits::TEXT_CHARS;
    vec![
        body("text", "A short text.", text_kind, text("hi"), full, None),
        body(
            "text_odd",
            "Every script and control character is taken.",
            text_kind,
            text(ODD_TEXT),
            full,
            None,
        ),
        body(
            "text_at_the_limit",
            "Five characters where five are allowed.",
            text_kind,
            text("한국어👋!"),
            5,
            None,
        ),
        body(
            "text_over_the_limit",
            "Six characters where five are allowed.",
            text_kind,
            text("한국어👋!!"),
            5,
            Some("text_too_long"),
        ),
        body("text_empty", "An empty text.", text_kind, text(""), full, Some("text_empty")),
        body("kind_unspecified", "Kind 0.", 0, text("hi"), full, Some("kind_invalid")),
        body(
            "kind_unknown",
            "A kind this version doesn't know.",
            4000,
            text("hi"),
            full,
            Some("kind_invalid"),
        ),
        body(
            "text_not_utf8",
            "A lone surrogate, as some languages write it.",
            text_kind,
            b"\x0a\x03\xed\xa0\x80".to_vec(),
            full,
            Some("kind_invalid"),
        ),
        body(
            "text_cut_short",
            "The text's length promises five bytes and one is there.",
            text_kind,
            b"\x0a\x05a".to_vec(),
            full,
            Some("kind_invalid"),
        ),
        body(
            "text_unknown_field",
            "A field a newer client added is kept.",
            text_kind,
            b"\x0a\x02hi\xa0\x06\x2a".to_vec(),
            full,
            None,
        ),
    ]
}

fn entry(seq: u64, ordinal: u64, time_ms: u64, sender: [u8; 16], words: &str) -> Entry {
    Entry {
        seq,
        ordinal,
        time_ms,
        epoch: 1,
        sender: wire(&sender),
        kind: EntryKind::Text as u32,
        body: text(words).into(),
        erased: false,
        damaged: false,
    }
}

fn text(words: &str) -> Vec<u8> {
    Text { text: words.into(), ..Text::default() }.encode_to_vec()
}

fn vector(
    name: &'static str,
    about: &'static str,
    message: &'static str,
    bytes: &[u8],
    canonical: bool,
) -> Vector {
    Vector { name, about, message, bytes: bytes.to_vec(), canonical, late_choice: false }
}
