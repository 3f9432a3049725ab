//! The stream below hyper: counts what a connection reads before somebody signs in,
//! the frames of HTTP/2 that carry nothing, and how fast the peer takes answers.
//!
//! A connection on which nobody signed in is read no further once its bytes are used
//! up; a request that signs it in lets it go on, and its deadline ends it otherwise.
//! A flood of frames, and a peer that takes nothing, break the connection.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::h2_frames::FrameMeter;
use super::http_peer::HttpPeer;
use super::pace::Pace;
use crate::base::clock;
use crate::base::metrics::list as metric;

/// How long a peer may take for a step of an answer, and one that is not known.
const PATIENCE: Duration = Duration::from_secs(20);
const UNKNOWNS_PATIENCE: Duration = Duration::from_secs(5);

/// A stream that is counted.
pub(super) struct Metered<S> {
    io: S,
    peer: Arc<HttpPeer>,
    frames: Option<FrameMeter>,
    written: u64,
    /// While the peer takes nothing.
    slow: Option<(Pace, Pin<Box<Sleep>>)>,
}

impl<S> Metered<S> {
    /// Of HTTP/1.1.
    pub(super) const fn http1(io: S, peer: Arc<HttpPeer>) -> Self {
        Self { io, peer, frames: None, written: 0, slow: None }
    }

    /// Of HTTP/2, whose frames are counted.
    pub(super) fn http2(io: S, peer: Arc<HttpPeer>) -> Self {
        Self { io, peer, frames: Some(FrameMeter::new()), written: 0, slow: None }
    }

    /// Passes on what a write came to, unless the peer takes too long.
    fn judge<T>(
        &mut self,
        cx: &mut Context<'_>,
        wrote: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        self.peer.set_blocked(wrote.is_pending());
        if wrote.is_ready() {
            // The wait itself goes on: a crumb now and then is not enough.
            if self.slow.as_ref().is_some_and(|(pace, _)| self.written > pace.enough()) {
                self.slow = None;
            }
            return wrote;
        }
        let written = self.written;
        let patience = if self.peer.is_signed_in() { PATIENCE } else { UNKNOWNS_PATIENCE };
        let (pace, late) = self.slow.get_or_insert_with(|| {
            let pace = Pace::begin(patience, written, Instant::from(clock::now()));
            (pace, Box::pin(sleep_until(pace.until())))
        });
        while late.as_mut().poll(cx).is_ready() {
            if !pace.goes_on(written, Instant::from(clock::now())) {
                metric::connections_cut("slow_reader").increment(1);
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            late.as_mut().reset(pace.until());
        }
        Poll::Pending
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.peer.poll_may_read(cx));
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.io).poll_read(cx, buf))?;
        let read = buf.filled().get(before..).unwrap_or_default();
        this.peer.spend(read.len());
        if let Some(frames) = &mut this.frames
            && frames.read(read).is_err()
        {
            metric::connections_cut("control_flood").increment(1);
            tracing::debug!(peer = %this.peer.address(), "cut for a flood of HTTP/2 frames");
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let wrote = Pin::new(&mut this.io).poll_write(cx, buf);
        if let Poll::Ready(Ok(bytes)) = wrote {
            this.written += bytes as u64;
            if let Some(frames) = &mut this.frames {
                frames.wrote(bytes);
            }
        }
        this.judge(cx, wrote)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.io).poll_flush(cx);
        this.judge(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
