//! Frames: a varint length, then that many bytes of one envelope.
//!
//! The same framing runs on QUIC streams and on TLS; a WebSocket message is an
//! envelope without the prefix. The decoder is pure: the caller reads bytes
//! into a buffer and takes frames out of it. The length is checked against the
//! cap before anything is reserved for the body, so a lying prefix costs
//! nothing. Lengths are canonical base-128 varints (the shortest form), at most
//! five bytes, and never zero.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Longest prefix of a 32-bit length.
pub const PREFIX_BYTES: usize = 5;

/// Why the bytes at the front of a buffer are not a frame. All end the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The prefix says zero bytes; an envelope is never empty.
    #[error("a frame is never empty")]
    Empty,
    /// The prefix promises more than the cap.
    #[error("a frame of {length} bytes is above the limit of {max}")]
    TooLarge {
        /// What the prefix says.
        length: u64,
        /// The cap in force.
        max: u32,
    },
    /// The prefix is longer than needed or than five bytes.
    #[error("the length prefix is not the shortest form of a 32-bit length")]
    BadPrefix,
}

/// Takes frames off the front of a buffer.
///
/// Drive it so: read into the buffer, call [`Decoder::next`] until it returns
/// `None`, read again. After an error the connection is to be closed.
#[derive(Debug, Clone)]
pub struct Decoder {
    max_bytes: u32,
}

impl Decoder {
    /// A decoder that refuses frames of more than `max_bytes`.
    #[must_use]
    pub const fn new(max_bytes: u32) -> Self {
        Self { max_bytes }
    }

    /// Changes the cap, for example once the session is authenticated.
    pub const fn set_max_bytes(&mut self, max_bytes: u32) {
        self.max_bytes = max_bytes;
    }

    /// The next whole frame without its prefix, or `None` when more bytes are
    /// needed. The frame shares the buffer's memory; nothing is copied.
    ///
    /// # Errors
    /// [`FrameError`] when the prefix is malformed or above the cap.
    pub fn next(&self, buffer: &mut BytesMut) -> Result<Option<Bytes>, FrameError> {
        let Some((length, prefix)) = self.peek(buffer)? else {
            return Ok(None);
        };
        if buffer.len() < prefix + length {
            return Ok(None);
        }
        buffer.advance(prefix);
        Ok(Some(buffer.split_to(length).freeze()))
    }

    /// How many more bytes the frame at the front needs, at least one. Lets a
    /// reader reserve once for a large frame, after its length was checked.
    ///
    /// # Errors
    /// As [`Decoder::next`].
    pub fn missing(&self, buffer: &[u8]) -> Result<usize, FrameError> {
        Ok(match self.peek(buffer)? {
            Some((length, prefix)) => (prefix + length).saturating_sub(buffer.len()).max(1),
            None => 1,
        })
    }

    fn peek(&self, buffer: &[u8]) -> Result<Option<(usize, usize)>, FrameError> {
        let mut length = 0u64;
        for (index, byte) in buffer.iter().take(PREFIX_BYTES).enumerate() {
            length |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 != 0 {
                continue;
            }
            if *byte == 0 && index > 0 {
                return Err(FrameError::BadPrefix);
            }
            return self.check(length, index + 1).map(Some);
        }
        if buffer.len() >= PREFIX_BYTES { Err(FrameError::BadPrefix) } else { Ok(None) }
    }

    fn check(&self, length: u64, prefix: usize) -> Result<(usize, usize), FrameError> {
        if length == 0 {
            return Err(FrameError::Empty);
        }
        match usize::try_from(length) {
            Ok(bytes) if length <= u64::from(self.max_bytes) => Ok((bytes, prefix)),
            _ => Err(FrameError::TooLarge { length, max: self.max_bytes }),
        }
    }
}

/// Appends `message` to `out` as one frame.
pub fn encode(message: &impl prost::Message, out: &mut BytesMut) {
    let length = message.encoded_len();
    put_prefix(length, out);
    out.reserve(length);
    // The buffer grows, so encoding can't run out of room.
    let _ = message.encode(out);
}

/// Appends the length prefix of a body of `length` bytes.
pub fn put_prefix(length: usize, out: &mut BytesMut) {
    prost::encoding::encode_varint(length as u64, out);
}

/// Appends an already encoded envelope as one frame.
pub fn put(envelope: &[u8], out: &mut BytesMut) {
    put_prefix(envelope.len(), out);
    out.put_slice(envelope);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode_all(decoder: &Decoder, bytes: &[u8]) -> Result<Vec<Bytes>, FrameError> {
        let mut buffer = BytesMut::from(bytes);
        let mut frames = Vec::new();
        while let Some(frame) = decoder.next(&mut buffer)? {
            frames.push(frame);
        }
        Ok(frames)
    }

    proptest! {
        #[test]
        fn frames_survive_any_split(
            bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..300), 0..20),
            cuts in prop::collection::vec(1usize..64, 1..200),
        ) {
            let mut wire = BytesMut::new();
            for body in &bodies {
                put(body, &mut wire);
            }
            let decoder = Decoder::new(300);
            let (mut buffer, mut got, mut cuts) = (BytesMut::new(), Vec::new(), cuts.iter().cycle());
            while !wire.is_empty() {
                let cut = (*cuts.next().unwrap()).min(wire.len());
                buffer.unsplit(wire.split_to(cut));
                while let Some(frame) = decoder.next(&mut buffer).unwrap() {
                    got.push(frame.to_vec());
                }
            }
            prop_assert_eq!(got, bodies);
        }

        #[test]
        fn arbitrary_bytes_never_panic_and_never_exceed_the_cap(bytes: Vec<u8>) {
            if let Ok(frames) = decode_all(&Decoder::new(64), &bytes) {
                prop_assert!(frames.iter().all(|frame| (1..=64).contains(&frame.len())));
            }
            let _ = Decoder::new(64).missing(&bytes);
        }
    }

    #[test]
    fn the_cap_is_checked_before_the_body_arrives() {
        let decoder = Decoder::new(1000);
        let prefix = |length: u64| {
            let mut out = BytesMut::new();
            prost::encoding::encode_varint(length, &mut out);
            out
        };
        assert_eq!(decoder.next(&mut prefix(1000)), Ok(None));
        for length in [1001, 16 << 20, 1 << 31, u64::from(u32::MAX)] {
            let too_large = Err(FrameError::TooLarge { length, max: 1000 });
            assert_eq!(decoder.next(&mut prefix(length)), too_large);
        }
        assert_eq!(decoder.next(&mut prefix(u64::MAX)), Err(FrameError::BadPrefix));
    }

    #[test]
    fn odd_prefixes_are_refused() {
        let decoder = Decoder::new(1000);
        assert_eq!(decode_all(&decoder, &[0]), Err(FrameError::Empty));
        assert_eq!(decode_all(&decoder, &[0x81, 0x00, 7]), Err(FrameError::BadPrefix));
        assert_eq!(decode_all(&decoder, &[0x80; 5]), Err(FrameError::BadPrefix));
        assert_eq!(decode_all(&decoder, &[0x80; 4]), Ok(vec![]));
    }

    #[test]
    fn missing_counts_down_to_the_end_of_the_frame() {
        let decoder = Decoder::new(1000);
        assert_eq!(decoder.missing(&[]), Ok(1));
        assert_eq!(decoder.missing(&[0x80]), Ok(1));
        assert_eq!(decoder.missing(&[0x80, 0x01]), Ok(128));
        assert_eq!(decoder.missing(&[2, 1, 1, 9]), Ok(1));
    }
}
