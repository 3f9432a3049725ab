//! Frames on a byte stream: the same for QUIC and TLS.

use bytes::{Bytes, BytesMut};
use parley_protocol::{frame, limits};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

use super::network;
use crate::machine::{Error, ErrorKind};

/// Room for one read when no large frame is on its way.
const READ_BYTES: usize = 8 * 1024;

/// Envelopes that wait go out in one write of about this size.
const WRITE_BYTES: usize = 64 * 1024;

/// Reads frames into the queue until the stream ends; returns why, or `None` for
/// a clean end or when the driver is gone.
pub(super) async fn read(
    mut stream: impl AsyncRead + Unpin,
    to_driver: &mpsc::Sender<Result<Bytes, Error>>,
) -> Option<Error> {
    let decoder = frame::Decoder::new(limits::FRAME_BYTES);
    let mut buffer = BytesMut::new();
    loop {
        match decoder.next(&mut buffer) {
            Ok(Some(frame)) => {
                if to_driver.send(Ok(frame)).await.is_err() {
                    return None;
                }
                continue;
            }
            Ok(None) => {}
            Err(error) => return Some(malformed(error)),
        }
        match decoder.missing(&buffer) {
            Ok(missing) => buffer.reserve(missing.max(READ_BYTES)),
            Err(error) => return Some(malformed(error)),
        }
        match stream.read_buf(&mut buffer).await {
            Ok(0) => return None,
            Ok(_) => {}
            Err(error) => return Some(network("the connection broke", error)),
        }
    }
}

/// Writes the queue as frames until the driver drops it or the stream breaks,
/// then ends the stream. Whatever has gathered goes out in one write.
pub(super) async fn write(
    mut stream: impl AsyncWrite + Unpin,
    mut from_driver: mpsc::Receiver<Bytes>,
) {
    let mut buffer = BytesMut::new();
    while let Some(first) = from_driver.recv().await {
        frame::put(&first, &mut buffer);
        while buffer.len() < WRITE_BYTES
            && let Ok(next) = from_driver.try_recv()
        {
            frame::put(&next, &mut buffer);
        }
        // The reader hears of a broken stream, too, and says why.
        if stream.write_all(&buffer).await.is_err() || stream.flush().await.is_err() {
            return;
        }
        buffer.clear();
        if buffer.capacity() > 2 * WRITE_BYTES {
            buffer = BytesMut::new();
        }
    }
    let _ = stream.shutdown().await;
}

fn malformed(error: frame::FrameError) -> Error {
    Error::with_source(ErrorKind::Protocol, "the server sent a malformed frame", error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn envelopes_cross_a_stream_in_order_and_the_end_is_clean() {
        let (near, far) = tokio::io::duplex(16);
        let (outgoing, from_driver) = mpsc::channel(4);
        let writer = tokio::spawn(write(near, from_driver));
        let (to_driver, mut incoming) = mpsc::channel(4);
        let reader = tokio::spawn(async move { read(far, &to_driver).await });
        for n in 1..50u8 {
            outgoing.send(vec![n; usize::from(n)].into()).await.unwrap();
            assert_eq!(incoming.recv().await.unwrap().unwrap(), vec![n; usize::from(n)]);
        }
        drop(outgoing);
        writer.await.unwrap();
        assert!(reader.await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_lying_prefix_ends_it_before_anything_is_reserved() {
        let (mut near, far) = tokio::io::duplex(64);
        near.write_all(&[0xff, 0xff, 0xff, 0xff, 0x0f]).await.unwrap();
        let (to_driver, _incoming) = mpsc::channel(4);
        let error = read(far, &to_driver).await.unwrap();
        assert_eq!(error.kind(), ErrorKind::Protocol);
    }
}
