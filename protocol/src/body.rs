//! The bodies of entries: what a client may send, checked once at the border.
//!
//! The log never looks inside a body. Kinds this build doesn't know can't be
//! sent through it, but are stored and passed on when they come from a newer
//! node.

use bytes::Bytes;
use prost::Message;

use crate::errors::Code;
use crate::limits;
use crate::wire::{EntryKind, Text};

/// A body that may become an entry: of a known kind, well formed, within limits.
#[derive(Clone, PartialEq, Eq)]
pub struct ValidatedBody {
    kind: EntryKind,
    bytes: Bytes,
}

// What people write stays out of debug output, and so out of logs.
impl std::fmt::Debug for ValidatedBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ValidatedBody")
            .field("kind", &self.kind)
            .field("bytes", &self.bytes.len())
            .finish()
    }
}

impl ValidatedBody {
    /// Checks `bytes` as the body of an entry of `kind`, with at most
    /// `text_chars` characters of text.
    ///
    /// # Errors
    /// [`Code::BodyTooLarge`], [`Code::KindInvalid`], [`Code::TextEmpty`] or
    /// [`Code::TextTooLong`].
    pub fn new(kind: u32, bytes: Bytes, text_chars: u32) -> Result<Self, Code> {
        if bytes.len() > limits::BODY_BYTES {
            return Err(Code::BodyTooLarge);
        }
        let kind = i32::try_from(kind)
            .ok()
            .and_then(|kind| EntryKind::try_from(kind).ok())
            .ok_or(Code::KindInvalid)?;
        match kind {
            EntryKind::Unspecified => return Err(Code::KindInvalid),
            EntryKind::Text => check_text(bytes.clone(), text_chars)?,
        }
        Ok(Self { kind, bytes })
    }

    /// What the bytes hold.
    #[must_use]
    pub const fn kind(&self) -> EntryKind {
        self.kind
    }

    /// The encoded body, as the client sent it.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

/// Whether entries of this kind count as messages: they move the ordinal, and
/// with it the unread counts. Kinds this build doesn't know don't.
#[must_use]
pub const fn is_countable(kind: u32) -> bool {
    kind == EntryKind::Text as u32
}

fn check_text(bytes: Bytes, text_chars: u32) -> Result<(), Code> {
    let body = Text::decode(bytes).map_err(|_| Code::KindInvalid)?;
    if body.text.is_empty() {
        return Err(Code::TextEmpty);
    }
    // A text has at least a quarter as many characters as bytes, at most as many.
    let within =
        body.text.len() <= text_chars as usize || body.text.chars().count() <= text_chars as usize;
    if within { Ok(()) } else { Err(Code::TextTooLong) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Bytes {
        Text { text: text.to_owned() }.encode_to_vec().into()
    }

    fn check(kind: u32, bytes: Bytes) -> Result<(), Code> {
        ValidatedBody::new(kind, bytes, 100_000).map(|_| ())
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
}
