//! Streams for the readers of frames and of WebSockets.

use crate::{hex, name, put, vectors};

/// Streams for the readers: around the limits, then frames of every size.
pub(crate) fn connections() {
    let frame = |length: u16, byte: u8| {
        let mut bytes = piece(0, 2);
        bytes.extend(length.to_le_bytes());
        bytes.push(byte);
        bytes
    };
    let lengths = [0u16, 1, 127, 128, 4095, 4096, 4097, 16_384, 39_999];
    for (index, length) in (0u8..).zip(lengths) {
        let two = [frame(length, index), frame(7, 8)].concat();
        put("framed", &format!("length-{length}"), &[&[index % 4, 3], two.as_slice()].concat());
    }
    let many: Vec<u8> = (0..40).flat_map(|byte| frame(4000, byte)).collect();
    put("framed", "before-authentication", &[&[0, 255], many.as_slice()].concat());
    put("framed", "after-authentication", &[&[1, 255], many.as_slice()].concat());
    for vector in vectors("frames") {
        let stream = hex(&vector["stream"]);
        if let Ok(length @ 0..64) = u8::try_from(stream.len()) {
            let raw = [&[0, 0], piece(1, 2).as_slice(), &[length], &stream].concat();
            put("framed", &name(&vector), &raw);
        }
    }

    let message = |text: u8, length: u16, parts: u8| {
        [&piece(0, 4), [text].as_slice(), &length.to_le_bytes(), &[b'x', parts]].concat()
    };
    let control = |what: u8, length: u8| [&piece(1, 4), [what, length].as_slice()].concat();
    let wild =
        |first: u8, second: u8| [&piece(2, 4), [first, second, 3, 1, 2, 3].as_slice()].concat();
    let programs = [
        ("one", message(0, 5, 0)),
        ("in-parts", [message(0, 100, 3), message(0, 7, 0)].concat()),
        ("text", message(255, 5, 0)),
        ("empty", message(0, 0, 0)),
        ("largest", message(0, 4096, 0)),
        ("over-the-largest", message(0, 4097, 0)),
        ("over-the-largest-in-parts", message(0, 4097, 3)),
        ("ping-pong", [control(0, 125), message(0, 5, 2), control(150, 0)].concat()),
        ("close", [message(0, 5, 0), control(255, 1), message(0, 5, 0)].concat()),
        ("unmasked", wild(0x82, 3)),
        ("reserved-bits", wild(0xf2, 0x83)),
        (
            "long-length",
            [piece(2, 4), vec![0x82, 0xff, 8, 0xff, 255, 255, 255, 255, 255, 255, 255]].concat(),
        ),
        ("continuation-of-nothing", wild(0x80, 0x83)),
        ("control-in-parts", wild(0x09, 0x83)),
        ("before-authentication", message(0, 4096, 0).repeat(20)),
    ];
    for (index, (name, program)) in (0u8..).zip(programs) {
        put("websocket", name, &[&[index % 3, 200], program.as_slice()].concat());
    }
}

/// The number that `arbitrary` reads as this variant of an enum of so many.
pub(crate) fn piece(variant: u32, of: u32) -> Vec<u8> {
    let low = (u64::from(variant) << 32).div_ceil(u64::from(of));
    u32::try_from(low).unwrap().to_le_bytes().to_vec()
}
