//! Bodies of entries. A body that is taken is within every limit; what it is
//! refused for is true of it.

use bytes::Bytes;
use parley_protocol::body::{ValidatedBody, is_countable};
use parley_protocol::wire::{EntryKind, Text};
use parley_protocol::{Code, Message, limits};

/// First byte: the kind. Second: how many characters are allowed. The rest is
/// the body.
pub fn body(data: &[u8]) {
    let [kind, most, body @ ..] = data else { return };
    let (kind, most) = (u32::from(*kind), u32::from(*most));
    let text = Text::decode(body).ok().map(|text| text.text);
    let chars = text.as_ref().map(|text| text.chars().count());
    match ValidatedBody::new(kind, Bytes::copy_from_slice(body), most) {
        Ok(taken) => {
            assert_eq!(taken.kind() as u32, kind);
            assert_eq!(taken.bytes(), body);
            assert!(is_countable(kind));
            assert!((1..=most as usize).contains(&chars.unwrap_or(0)));
        }
        Err(Code::TextEmpty) => assert_eq!(chars, Some(0)),
        Err(Code::TextTooLong) => assert!(chars > Some(most as usize)),
        Err(Code::KindInvalid) => assert!(kind != EntryKind::Text as u32 || text.is_none()),
        Err(Code::BodyTooLarge) => assert!(body.len() > limits::BODY_BYTES),
        Err(other) => panic!("refused with {other}"),
    }
}
