//! What the rest of the server holds of a session: a bounded queue of what is
//! to be written to it, and a way to end it.
//!
//! Pushing never waits. A queue over its byte cap is emptied and its
//! session ends as a slow consumer: what it missed is in the log, and a slow
//! reader never makes others wait or the node keep copies for it.

mod drawn;
mod single;

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use parley_core::conversation::Interval;
use parley_core::session::{Window, notice};
use parley_core::user::Sign;
use parley_protocol::wire::server_envelope::Kind;
use parley_protocol::wire::{Deliver, ServerEnvelope};
use parley_protocol::{Code, ConversationId, DeviceId, Message, SessionId, UserId};

use crate::base::memory::{Memory, Room};
use drawn::Drawn;
pub use single::session_id;

/// Something to be written to a session.
pub enum Item {
    /// What the server says by itself.
    Notice(ServerEnvelope),
    /// The answer to a request.
    Answer(ServerEnvelope),
    /// The answer to a fetch, and which entries it holds.
    Fetched(ServerEnvelope, ConversationId, Option<Interval>),
    /// The session's own send, committed. Its author holds it already.
    Sent(ServerEnvelope, ConversationId, u64),
    /// A new entry.
    Deliver {
        /// The conversation it was committed to.
        conversation: ConversationId,
        /// The receiver's feed position after it.
        feed_position: u64,
        /// The entry's position in the conversation.
        seq: u64,
        /// The encoded entry, shared by all receivers.
        entry: Bytes,
    },
}

/// What a session was opened with, and from where: by this it is ended when its
/// credential is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Opener {
    /// Names the credential, without being it.
    pub credential: [u8; 32],
    /// The source it was opened from, as limits count sources.
    pub source: IpAddr,
}

/// Without the credential.
impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener").finish_non_exhaustive()
    }
}

/// A session as fan-out and accounts see it.
#[derive(Debug)]
pub struct Link {
    /// The session.
    pub id: SessionId,
    /// The user it is open for.
    pub user: UserId,
    /// The user's device at the other end.
    pub device: DeviceId,
    /// Whether its client asked for `Receipt` in its hello.
    pub receipts: bool,
    /// Nothing for what is no session.
    opener: Mutex<Option<Opener>>,
    cap_bytes: usize,
    /// The last sign of life: milliseconds shifted left by one, and whether
    /// it is in the foreground.
    sign: AtomicU64,
    queue: Mutex<Queue>,
    /// Somebody pushed, and the session has not looked since.
    pushed: AtomicBool,
    session: AtomicWaker,
}

/// When a session writes an item that is queued for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// At once: it is woken.
    Now,
    /// With the rest of what its group of commits has for it: it is woken by
    /// [`Link::wake`] after the last.
    WithGroup,
    /// With the next item that wakes it, or when it is flushed, or once a few
    /// wait: alone it is worth no write.
    Soon,
}

/// What is not worth much waiting for: it is dropped once as much waits for
/// the session, so that messages have the room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shed {
    /// Who is there and who writes: from an eighth of the cap on.
    Early,
    /// Who has what: from a half on.
    Late,
}

#[derive(Debug)]
struct Queue {
    /// Items and the bytes each counts for.
    items: VecDeque<(Item, usize)>,
    /// Bytes they count for together.
    waiting: usize,
    window: Window,
    /// What it takes of the node's memory.
    drawn: Drawn,
    end: Option<Code>,
    /// Somebody is going to call [`Link::flush`].
    flush_owed: bool,
}

/// So many items that may go soon are worth a write.
const FEW: usize = 8;

impl Queue {
    /// Returns whether the session has something new to look at: an item, or that
    /// it is over the cap and has ended. False when it had ended before.
    fn push(&mut self, item: Item) -> bool {
        if self.end.is_some() {
            return false;
        }
        let bytes = item.size_bytes();
        if self.window.queue(bytes).is_err() {
            self.end(Code::SlowConsumer);
        } else if self.drawn.fit(self.window.queued()) == Room::None {
            self.end(Code::MemoryShort);
        } else {
            self.waiting += bytes;
            self.items.push_back((item, bytes));
        }
        true
    }

    /// Ends it; what waits is given up, and what the writer has is still held.
    fn end(&mut self, code: Code) {
        self.end = Some(code);
        self.items = VecDeque::new();
        self.window.written(std::mem::take(&mut self.waiting));
        let _ = self.drawn.fit(self.window.queued());
    }
}

/// What a session has to do next.
#[derive(Debug)]
pub enum Next {
    /// Write these; say [`Link::written`] with the bytes once they are out.
    Write(VecDeque<(Item, usize)>, usize),
    /// Close with this code.
    End(Code),
    /// Nothing waits.
    Idle,
}

impl Link {
    /// A session whose queue holds up to `cap_bytes`.
    #[must_use]
    pub fn new(
        id: SessionId,
        user: UserId,
        device: DeviceId,
        receipts: bool,
        cap_bytes: usize,
    ) -> Self {
        let queue = Queue {
            items: VecDeque::new(),
            waiting: 0,
            window: Window::new(cap_bytes),
            drawn: Drawn::default(),
            end: None,
            flush_owed: false,
        };
        Self {
            id,
            user,
            device,
            receipts,
            opener: Mutex::new(None),
            cap_bytes,
            sign: AtomicU64::new(0),
            queue: Mutex::new(queue),
            pushed: AtomicBool::new(false),
            session: AtomicWaker::new(),
        }
    }

    /// The same session, opened with this.
    #[must_use]
    pub fn opened_by(self, opener: Opener) -> Self {
        *self.opener.lock() = Some(opener);
        self
    }

    /// What it was opened with.
    #[must_use]
    pub fn opener(&self) -> Option<Opener> {
        *self.opener.lock()
    }

    /// Another credential took the place of the one it was opened with.
    pub fn renew(&self, credential: [u8; 32]) {
        if let Some(opener) = self.opener.lock().as_mut() {
            opener.credential = credential;
        }
    }

    /// The same, which takes what it holds of `memory`.
    #[must_use]
    pub fn drawing_on(self, memory: Arc<Memory>) -> Self {
        self.queue.lock().drawn = Drawn::from(memory);
        self
    }

    /// Bytes it takes of the node's memory.
    #[must_use]
    pub fn drawn_bytes(&self) -> usize {
        self.queue.lock().drawn.bytes()
    }

    /// Says how many bytes are kept for the session beside its queue.
    pub fn keeps(&self, bytes: usize) {
        self.queue.lock().drawn.keep(bytes);
    }

    /// Notes that something came from the device at `now_ms`. Returns whether it
    /// came to the foreground or left it with this.
    pub fn heard(&self, now_ms: u64, foreground: bool) -> bool {
        // One session's task alone calls this; others only read.
        let was = self.sign().foreground;
        if foreground || was {
            self.sign.store(now_ms << 1 | u64::from(foreground), Ordering::Relaxed);
        }
        foreground != was
    }

    /// The last sign of life in the foreground.
    #[must_use]
    pub fn sign(&self) -> Sign {
        let sign = self.sign.load(Ordering::Relaxed);
        Sign { foreground: sign & 1 == 1, seen_ms: sign >> 1 }
    }

    /// Queues an item and wakes the session. Over the cap the session ends instead.
    pub fn push(&self, item: Item) {
        let _ = self.enqueue(item, When::Now);
    }

    /// Queues an item, to be written at the time asked for. Over the cap the
    /// session ends instead.
    ///
    /// Returns whether the caller owes the session a call for it, as nobody else
    /// is going to make it: [`Link::wake`] after [`When::WithGroup`],
    /// [`Link::flush`] after [`When::Soon`].
    #[must_use]
    pub fn enqueue(&self, item: Item, when: When) -> bool {
        let mut queue = self.queue.lock();
        if !queue.push(item) {
            return false;
        }
        match when {
            When::Soon if queue.items.len() < FEW && queue.end.is_none() => {
                !std::mem::replace(&mut queue.flush_owed, true)
            }
            When::WithGroup => {
                drop(queue);
                self.mark_pushed()
            }
            When::Now | When::Soon => {
                drop(queue);
                self.wake_once();
                false
            }
        }
    }

    /// Wakes the session for what was queued with its group.
    pub fn wake(&self) {
        self.session.wake();
    }

    /// Wakes the session for what was queued to go soon, if it still waits.
    pub fn flush(&self) {
        let mut queue = self.queue.lock();
        queue.flush_owed = false;
        let waits = !queue.items.is_empty();
        drop(queue);
        if waits {
            self.wake_once();
        }
    }

    /// Wakes the session, once until it looks.
    fn wake_once(&self) {
        if self.mark_pushed() {
            self.wake();
        }
    }

    /// Returns whether the session has looked since the last mark.
    fn mark_pushed(&self) -> bool {
        !self.pushed.swap(true, Ordering::AcqRel)
    }

    /// Queues a notice, unless too much waits for what it is worth. Returns
    /// whether it was queued.
    pub fn offer(&self, notice: ServerEnvelope, shed: Shed) -> bool {
        let room = self.has_room(shed);
        if room {
            self.push(Item::Notice(notice));
        }
        room
    }

    /// Whether so little waits that something of this worth may be queued.
    #[must_use]
    pub fn has_room(&self, shed: Shed) -> bool {
        let room = match shed {
            Shed::Early => self.cap_bytes / 8,
            Shed::Late => self.cap_bytes / 2,
        };
        self.queued_bytes() < room
    }

    /// Ends the session with `code`; the first reason given stays. What waits
    /// is not written any more.
    pub fn end(&self, code: Code) {
        let mut queue = self.queue.lock();
        if queue.end.is_none() {
            queue.end(code);
        }
        drop(queue);
        self.wake_once();
    }

    /// Why the session is to end, if it is.
    #[must_use]
    pub fn ending(&self) -> Option<Code> {
        self.queue.lock().end
    }

    /// What to do next: at most about `most_bytes` to write.
    #[must_use]
    pub fn next(&self, most_bytes: usize) -> Next {
        let mut queue = self.queue.lock();
        if let Some(code) = queue.end {
            return Next::End(code);
        }
        if queue.items.is_empty() {
            return Next::Idle;
        }
        if queue.waiting <= most_bytes {
            let bytes = std::mem::take(&mut queue.waiting);
            return Next::Write(std::mem::take(&mut queue.items), bytes);
        }
        let mut items = VecDeque::new();
        let mut bytes = 0;
        while bytes < most_bytes
            && let Some((item, size)) = queue.items.pop_front()
        {
            bytes += size;
            items.push_back((item, size));
        }
        queue.waiting -= bytes;
        Next::Write(items, bytes)
    }

    /// `bytes` of what [`Link::next`] returned are with the transport.
    pub fn written(&self, bytes: usize) {
        let mut queue = self.queue.lock();
        queue.window.written(bytes);
        let waiting = queue.window.queued();
        let _ = queue.drawn.fit(waiting);
    }

    /// Bytes that wait now.
    #[must_use]
    pub fn queued_bytes(&self) -> usize {
        self.queue.lock().window.queued()
    }

    /// Waits until something is pushed or the session is to end. May wake for
    /// nothing. For the one task of the session. Cancel safe.
    pub async fn woken(&self) {
        poll_fn(|cx| {
            if self.pushed.swap(false, Ordering::AcqRel) {
                return Poll::Ready(());
            }
            self.session.register(cx.waker());
            // Pushed before the waker was there.
            if self.pushed.swap(false, Ordering::AcqRel) {
                return Poll::Ready(());
            }
            Poll::Pending
        })
        .await;
    }
}

/// Sizes only: what people write stays out of debug output, and so out of logs.
impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Notice(_) => "Notice",
            Self::Answer(_) => "Answer",
            Self::Fetched(..) => "Fetched",
            Self::Sent(..) => "Sent",
            Self::Deliver { .. } => "Deliver",
        };
        write!(f, "{name}({} bytes)", self.size_bytes())
    }
}

impl Item {
    /// The envelope a session would be written, for callers without a session.
    #[must_use]
    pub fn into_envelope(self) -> ServerEnvelope {
        match self {
            Self::Notice(envelope)
            | Self::Answer(envelope)
            | Self::Fetched(envelope, ..)
            | Self::Sent(envelope, ..) => envelope,
            Self::Deliver { conversation, feed_position, entry, .. } => {
                let conversation = conversation.to_wire();
                let entries = vec![entry];
                notice(Kind::Deliver(Deliver { conversation, feed_position, entries }))
            }
        }
    }

    /// Bytes it counts for in the window: about what it takes in memory.
    fn size_bytes(&self) -> usize {
        const OVERHEAD: usize = 96;
        OVERHEAD
            + match self {
                Self::Deliver { entry, .. } => entry.len(),
                Self::Notice(envelope)
                | Self::Answer(envelope)
                | Self::Fetched(envelope, ..)
                | Self::Sent(envelope, ..) => envelope.encoded_len(),
            }
    }
}

#[cfg(test)]
mod tests;
