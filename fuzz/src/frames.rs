//! The frame decoder. Any stream, cut anywhere, yields the same frames and the
//! same error as in one piece; no frame is empty or above the cap; what was
//! decoded and is encoded again is what was read.

use bytes::{Bytes, BytesMut};
use parley_protocol::frame::{self, Decoder, FrameError};

/// First byte: the cap. Second: where to cut. The rest is the stream.
pub fn frames(data: &[u8]) {
    let [cap, cut, stream @ ..] = data else { return };
    let max = 1 + u32::from(*cap) * 8;
    let whole = decode(max, std::iter::once(stream));
    let pieces = decode(max, stream.chunks(1 + usize::from(*cut)));
    assert_eq!(whole, pieces, "the cuts changed what was read");

    let (frames, error) = whole;
    let mut again = BytesMut::new();
    for frame in &frames {
        assert!(!frame.is_empty() && frame.len() <= max as usize, "{} bytes", frame.len());
        frame::put(frame, &mut again);
    }
    assert!(stream.starts_with(&again), "frames encode to other bytes");
    if let Some(FrameError::TooLarge { length, .. }) = error {
        assert!(length > u64::from(max));
    }
}

fn decode<'a>(
    max: u32,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> (Vec<Bytes>, Option<FrameError>) {
    let decoder = Decoder::new(max);
    let (mut buffer, mut frames) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match decoder.next(&mut buffer) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(decoder.missing(&buffer), Err(error));
                    return (frames, Some(error));
                }
            }
        }
        if let Ok(missing) = decoder.missing(&buffer) {
            assert!(
                (1..=max as usize + frame::PREFIX_BYTES).contains(&missing),
                "{missing} missing"
            );
        }
    }
    (frames, None)
}
