//! Closing so that the peer sees the last bytes and then the end.
//!
//! Closing a socket with unread bytes resets it, and a reset may overtake the
//! last frame or the answer to a request whose body was refused. So the own
//! side ends first, and what still comes is read and thrown away, within a
//! bound of bytes and time.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::CLOSE_TIMEOUT;

/// Bytes read and thrown away.
const LINGER_BYTES: usize = 1024 * 1024;

/// Ends a stream. Bounded in time.
pub(super) async fn linger(io: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<()> {
    Lingering::new(io).shutdown().await
}

/// A stream whose shutdown lingers.
pub(super) struct Lingering<S> {
    io: S,
    ending: Option<Ending>,
}

struct Ending {
    shut_down: bool,
    left: usize,
    late: Pin<Box<Sleep>>,
}

impl<S> Lingering<S> {
    pub(super) const fn new(io: S) -> Self {
        Self { io, ending: None }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lingering<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { io, ending } = self.get_mut();
        let ending = ending.get_or_insert_with(|| Ending {
            shut_down: false,
            left: LINGER_BYTES,
            late: Box::pin(sleep(CLOSE_TIMEOUT)),
        });
        if ending.late.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        if !ending.shut_down {
            ready!(Pin::new(&mut *io).poll_shutdown(cx))?;
            ending.shut_down = true;
        }
        while ending.left > 0 {
            let mut discarded = [0; 4096];
            let mut read = ReadBuf::new(&mut discarded);
            ready!(Pin::new(&mut *io).poll_read(cx, &mut read))?;
            match read.filled().len() {
                0 => break,
                bytes => ending.left = ending.left.saturating_sub(bytes),
            }
        }
        Poll::Ready(Ok(()))
    }
}
