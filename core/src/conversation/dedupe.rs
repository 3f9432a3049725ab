//! Once: the same (device, client message id) gives one entry and the same
//! answer, for ever; with other content it is an error.

use parley_protocol::{ClientMessageId, Code, ConversationId, DeviceId};
use xxhash_rust::xxh3::Xxh3;

use super::Position;

/// Names one send of one device within a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SendKey {
    /// The conversation that is sent to.
    pub conversation: ConversationId,
    /// The device that sends.
    pub device: DeviceId,
    /// What the device calls it.
    pub id: ClientMessageId,
}

/// What is remembered of a send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// The answer it got.
    pub answer: Position,
    /// [`digest`] of its content.
    pub digest: u64,
}

impl Known {
    /// The answer to a send with the same key and content of this `digest`.
    ///
    /// # Errors
    /// [`Code::MessageIdReused`] when the content is another one.
    pub fn again(&self, digest: u64) -> Result<Position, Code> {
        let same = self.digest == digest || self.digest == FORGOTTEN;
        if same { Ok(self.answer) } else { Err(Code::MessageIdReused) }
    }
}

/// Stands for the digest of what was erased: of few words it would still say what
/// they were. Whatever comes under the id then is taken for the same.
pub const FORGOTTEN: u64 = 0;

/// Tells contents apart: XXH3 over kind and body. Whoever makes it collide
/// deceives nobody but their own device. The value is stored, so it is pinned.
#[must_use]
pub fn digest(kind: u32, body: &[u8]) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(&kind.to_be_bytes());
    hash.update(body);
    hash.digest()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_content_gets_the_same_answer() {
        let answer = Position { seq: 4, ordinal: 3, time_ms: 9 };
        let known = Known { answer, digest: digest(1, b"hi") };
        assert_eq!(known.again(digest(1, b"hi")), Ok(answer));
        assert_eq!(known.again(digest(2, b"hi")), Err(Code::MessageIdReused));
        assert_eq!(known.again(digest(1, b"ho")), Err(Code::MessageIdReused));
        let forgotten = Known { answer, digest: FORGOTTEN };
        assert_eq!(forgotten.again(digest(1, b"ho")), Ok(answer));
    }

    #[test]
    fn the_digest_is_pinned() {
        // Stored in every dedupe row: it may never change. XXH3-64 with seed 0
        // of `00000001` and the body, computed by another implementation.
        assert_eq!(digest(1, b"hi"), 0x3987_69fc_bb8f_0fff);
        assert_eq!(digest(20, b""), 0x18fa_5409_0ceb_3681);
    }
}
