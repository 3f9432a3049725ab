//! Bytes of a stream, good and bad, and frames that hold no envelope.

use parley_protocol::limits::FRAME_BYTES;

use super::super::proto_json::put_varint;
use super::{FrameVector, Refused};

/// Ping with request 2.
const PING: &[u8] = b"\x08\x02\x1a\x00";

pub fn vectors() -> Vec<FrameVector> {
    let mut all = vec![
        good("one", "One frame.", b"\x04\x08\x02\x1a\x00", &[PING], 0),
        good(
            "two",
            "Two frames in one read.",
            b"\x04\x08\x02\x1a\x00\x04\x08\x02\x1a\x00",
            &[PING, PING],
            0,
        ),
        good("cut_in_the_body", "Two bytes are missing.", b"\x04\x08\x02", &[], 3),
        good(
            "one_and_a_half",
            "A frame and the start of another.",
            b"\x04\x08\x02\x1a\x00\x04\x08",
            &[PING],
            2,
        ),
        good("cut_in_the_prefix", "The prefix goes on.", b"\x80", &[], 1),
        good("nothing", "No bytes, no frame.", b"", &[], 0),
        good(
            "largest",
            "The prefix of a frame of the highest size; its body is to come.",
            &prefix(FRAME_BYTES.into()),
            &[],
            3,
        ),
        bad(
            "one_over",
            "One byte above the highest size.",
            &prefix(u64::from(FRAME_BYTES) + 1),
            "frame_too_large",
        ),
        bad(
            "promises_16_mib",
            "A lying prefix is refused before anything is reserved.",
            &prefix(16 << 20),
            "frame_too_large",
        ),
        bad("promises_2_31", "2 to the 31st.", &prefix(1 << 31), "frame_too_large"),
        bad(
            "promises_2_32_less_1",
            "The highest 32-bit length.",
            &prefix(u32::MAX.into()),
            "frame_too_large",
        ),
        bad(
            "promises_2_35_less_1",
            "The most five bytes can say.",
            &prefix((1 << 35) - 1),
            "frame_too_large",
        ),
        bad("zero", "A frame is never empty.", b"\x00", "bad_frame"),
        bad("not_the_shortest", "One, written in two bytes.", b"\x81\x00\x07", "bad_frame"),
        bad(
            "too_long",
            "A prefix of more than five bytes.",
            b"\x80\x80\x80\x80\x80\x01",
            "bad_frame",
        ),
    ];
    // A text in the place of a frame: its first byte reads as a length.
    let mut text = good(
        "text_line",
        "An HTTP request reads as a frame of 71 bytes to come.",
        b"GET / HTTP/1.1\r\n\r\n",
        &[],
        18,
    );
    text.rest = text.stream.len();
    all.push(text);
    all
}

pub fn refused() -> Vec<Refused> {
    let refused = |name, about, bytes: &[u8]| Refused { name, about, bytes: bytes.to_vec() };
    vec![
        refused(
            "cut_in_a_message",
            "Hello promises 5 bytes and has 2.",
            b"\x08\x01\x12\x05\x08\x01",
        ),
        refused("cut_in_a_number", "The request number goes on.", b"\x08\x80"),
        refused(
            "number_too_long",
            "A number of eleven bytes.",
            b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        ),
        refused("field_zero", "There is no field 0.", b"\x02\x00"),
        refused("wire_type_seven", "There is no wire type 7.", b"\x0f\x00"),
        refused("request_as_bytes", "Field 1 is a number.", b"\x0a\x01\x01"),
        refused("name_not_utf8", "A string is UTF-8.", b"\x08\x01\x4a\x04\x0a\x02\xff\xfe"),
        refused("group_without_start", "The end of a group that never began.", b"\x08\x01\x0c"),
        refused("group_without_end", "A group of field 100 that never ends.", b"\x08\x01\xa3\x06"),
        refused(
            "groups_too_deep",
            "200 nested groups in an unknown field.",
            &[b"\xa3\x06".repeat(200), b"\xa4\x06".repeat(200)].concat(),
        ),
    ]
}

fn prefix(length: u64) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(length, &mut out);
    out
}

fn good(
    name: &'static str,
    about: &'static str,
    stream: &[u8],
    frames: &[&[u8]],
    rest: usize,
) -> FrameVector {
    let frames = frames.iter().map(|frame| frame.to_vec()).collect();
    FrameVector { name, about, stream: stream.to_vec(), frames, rest, error: None }
}

fn bad(name: &'static str, about: &'static str, stream: &[u8], error: &'static str) -> FrameVector {
    FrameVector {
        name,
        about,
        stream: stream.to_vec(),
        frames: Vec::new(),
        rest: 0,
        error: Some(error),
    }
}
