//! Writing: what waits in the link goes out in as few system calls as possible.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use parley_core::conversation::Interval;
use parley_core::session::close;
use parley_protocol::Code;

use super::refusal::retry_after_ms;
use super::{End, Host, Running};
use crate::base::clock;
use crate::chat::link::{Item, Next};
use crate::edge::listen::{FrameWriter, Pace};

/// Bytes gathered for one flush. More than a few TLS records bring nothing.
const BATCH_BYTES: usize = 64 * 1024;

impl Running<'_> {
    /// Writes all that waits, until nothing does.
    pub(super) async fn write<W: FrameWriter>(&mut self, writer: &mut W) -> Result<(), End> {
        loop {
            match self.opened.link.next(BATCH_BYTES) {
                Next::End(code) => return Err(End::Close(code)),
                Next::Idle if writer.buffered() == 0 => return Ok(()),
                Next::Idle => self.flush(writer).await?,
                Next::Write(items, bytes) => {
                    for (item, _) in items {
                        self.put(writer, item);
                    }
                    let flushed = self.flush(writer).await;
                    self.opened.link.written(bytes);
                    flushed?;
                }
            }
        }
    }

    fn put<W: FrameWriter>(&mut self, writer: &mut W, item: Item) {
        match item {
            Item::Notice(envelope) => writer.put(&envelope),
            Item::Answer(envelope) => {
                writer.put(&envelope);
                self.session.handle_answered();
            }
            Item::Fetched(envelope, conversation, given) => {
                writer.put(&envelope);
                self.session.handle_answered();
                if let Some(interval) = given {
                    self.session.handle_given(conversation, interval);
                }
            }
            Item::Sent(envelope, conversation, seq) => {
                writer.put(&envelope);
                self.session.handle_answered();
                self.session.handle_given(conversation, Interval { from: seq, to: seq });
            }
            Item::Deliver { conversation, feed_position, seq, entry } => {
                writer.put_deliver(&conversation, feed_position, &[entry]);
                self.session.handle_given(conversation, Interval { from: seq, to: seq });
            }
        }
    }

    /// Flushes, unless the session is to end or the peer takes nothing.
    async fn flush<W: FrameWriter>(&mut self, writer: &mut W) -> Result<(), End> {
        // Nearly always there is room, and no timer has to be made.
        if let Some(result) = poll_once(writer.flush()).await {
            return result.map_err(|_| End::Gone);
        }
        let link = &self.opened.link;
        let ended = async {
            loop {
                link.woken().await;
                if let Some(code) = link.ending() {
                    return code;
                }
            }
        };
        tokio::pin!(ended);
        let now = || tokio::time::Instant::from(clock::now());
        let patience = self.host.inner.options.write_timeout;
        let mut pace = Pace::begin(patience, writer.moved(), now());
        loop {
            tokio::select! {
                biased;
                result = writer.flush() => return result.map_err(|_| End::Gone),
                code = &mut ended => return Err(End::Close(code)),
                () = tokio::time::sleep_until(pace.until()) => {}
            }
            // A slow line takes its time; a peer that takes nothing has none.
            if !pace.goes_on(writer.moved(), now()) {
                return Err(End::Close(Code::SlowConsumer));
            }
        }
    }
}

/// The output of a future that is ready now. The waker it leaves behind is the
/// task's own, so that polling it again later works.
async fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

impl Host {
    /// Says why, as far as the peer still listens, and ends the connection.
    pub(super) async fn close<W: FrameWriter>(&self, writer: &mut W, end: End) {
        match end {
            End::Gone | End::Goodbye => writer.close(None).await,
            End::Close(code) => {
                // A peer that doesn't read gets no more into its buffer.
                if code != Code::SlowConsumer {
                    writer.put(&close(code, retry_after_ms(code)));
                }
                writer.close(Some(code)).await;
            }
        }
    }
}
