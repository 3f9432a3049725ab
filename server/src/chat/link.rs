//! What the rest of the server holds of a session: a bounded queue of what is
//! to be written to it, and a way to end it.
//!
//! Whoever pushes never waits. A queue over its byte cap is emptied and its
//! session ends as a slow consumer: what it missed is in the log, and a slow
//! reader never makes others wait or the node keep copies for it.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use parley_core::conversation::Interval;
use parley_core::session::{Window, reply};
use parley_core::user::Sign;
use parley_protocol::wire::server_envelope::Kind;
use parley_protocol::wire::{Deliver, ServerEnvelope};
use parley_protocol::{Code, ConversationId, DeviceId, Message, SessionId, UserId};

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
        /// Where.
        conversation: ConversationId,
        /// The receiver's feed position after it.
        feed_position: u64,
        /// Its seq.
        seq: u64,
        /// The encoded entry, shared by all receivers.
        entry: Bytes,
    },
}

/// A session as fan-out and accounts see it.
#[derive(Debug)]
pub struct Link {
    /// Its id.
    pub id: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// On which device.
    pub device: DeviceId,
    /// Whether it wants `Receipt`.
    pub receipts: bool,
    cap_bytes: usize,
    /// The last sign of life: milliseconds shifted left by one, and whether
    /// it is in the foreground.
    sign: AtomicU64,
    queue: Mutex<Queue>,
    /// Somebody pushed, and the session has not looked since.
    pushed: AtomicBool,
    session: AtomicWaker,
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
    /// With what each counts for.
    items: VecDeque<(Item, usize)>,
    /// What they count for together.
    waiting: usize,
    window: Window,
    end: Option<Code>,
    /// Somebody will look after what was pushed without a wake.
    looked_after: bool,
}

/// So many items go out by themselves, however little they are worth alone.
const FEW: usize = 8;

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
            end: None,
            looked_after: false,
        };
        Self {
            id,
            user,
            device,
            receipts,
            cap_bytes,
            sign: AtomicU64::new(0),
            queue: Mutex::new(queue),
            pushed: AtomicBool::new(false),
            session: AtomicWaker::new(),
        }
    }

    /// Notes that something came from the device at `now_ms`. Gives true when it
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

    /// Queues an item. Over the cap the session ends instead.
    pub fn push(&self, item: Item) {
        if self.queue(&mut self.queue.lock(), item) {
            self.wake();
        }
    }

    /// Queues an item without waking the session. Gives true when the caller has
    /// to call [`Link::rouse`], soon: until then nobody else wakes it.
    #[must_use]
    pub fn push_unwoken(&self, item: Item) -> bool {
        self.queue(&mut self.queue.lock(), item) && !self.pushed.swap(true, Ordering::AcqRel)
    }

    /// Wakes the session for what [`Link::push_unwoken`] queued.
    pub fn rouse(&self) {
        self.session.wake();
    }

    /// Queues an item that goes out with the next one, or once
    /// [`Link::look_after`] is called. Gives true when nobody was going to call
    /// that yet: the caller sees to it.
    #[must_use]
    pub fn push_later(&self, item: Item) -> bool {
        let mut queue = self.queue.lock();
        if !self.queue(&mut queue, item) {
            return false;
        }
        let go = queue.items.len() >= FEW || queue.end.is_some();
        let see_to_it = !go && !std::mem::replace(&mut queue.looked_after, true);
        drop(queue);
        if go {
            self.wake();
        }
        see_to_it
    }

    /// What was pushed for later goes out now, if it hasn't yet.
    pub fn look_after(&self) {
        let mut queue = self.queue.lock();
        queue.looked_after = false;
        let waits = !queue.items.is_empty();
        drop(queue);
        if waits {
            self.wake();
        }
    }

    /// Gives false when the session has ended already.
    fn queue(&self, queue: &mut Queue, item: Item) -> bool {
        if queue.end.is_some() {
            return false;
        }
        let bytes = item.size_bytes();
        if queue.window.queue(bytes).is_ok() {
            queue.waiting += bytes;
            queue.items.push_back((item, bytes));
        } else {
            queue.end = Some(Code::SlowConsumer);
            queue.items = VecDeque::new();
        }
        true
    }

    /// Wakes the session, once until it looks.
    fn wake(&self) {
        if !self.pushed.swap(true, Ordering::AcqRel) {
            self.session.wake();
        }
    }

    /// Queues a notice, unless too much waits for what it is worth. Gives false
    /// when it was dropped.
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
            queue.end = Some(code);
            queue.items = VecDeque::new();
        }
        drop(queue);
        self.wake();
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
        let (mut items, mut bytes) = (VecDeque::new(), 0);
        while bytes < most_bytes
            && let Some((item, size)) = queue.items.pop_front()
        {
            bytes += size;
            items.push_back((item, size));
        }
        queue.waiting -= bytes;
        Next::Write(items, bytes)
    }

    /// `bytes` of what [`Link::next`] gave are with the transport.
    pub fn written(&self, bytes: usize) {
        self.queue.lock().window.written(bytes);
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
            match self.pushed.swap(false, Ordering::AcqRel) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
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
    /// The envelope a session would be written, for whoever has no session.
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
                reply(0, Kind::Deliver(Deliver { conversation, feed_position, entries }))
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
mod tests {
    use super::*;

    fn link(cap: usize) -> Link {
        Link::new(SessionId::new([0; 16]), UserId::new([1; 16]), DeviceId::new([2; 16]), true, cap)
    }

    fn deliver(seq: u64, size: usize) -> Item {
        let entry = Bytes::from(vec![0; size]);
        Item::Deliver { conversation: ConversationId::new([3; 16]), feed_position: seq, seq, entry }
    }

    #[test]
    fn items_come_out_in_order_and_in_bounded_batches() {
        let link = link(1 << 20);
        (1..=10).for_each(|seq| link.push(deliver(seq, 1000)));
        let mut seen = Vec::new();
        while let Next::Write(items, bytes) = link.next(2500) {
            assert!(items.len() <= 3);
            link.written(bytes);
            seen.extend(items.iter().map(|(item, _)| match item {
                Item::Deliver { seq, .. } => *seq,
                _ => 0,
            }));
        }
        assert_eq!(seen, (1..=10).collect::<Vec<_>>());
        assert_eq!(link.queued_bytes(), 0);
        assert_eq!(link.queue.lock().items.capacity(), 0, "an idle session holds no queue");
    }

    #[test]
    fn a_slow_reader_is_cut_off_and_its_queue_given_up() {
        let link = link(5000);
        (1..=10).for_each(|seq| link.push(deliver(seq, 1000)));
        assert!(matches!(link.next(100), Next::End(Code::SlowConsumer)));
        assert!(link.queue.lock().items.is_empty());
    }

    #[test]
    fn what_is_taken_but_not_written_still_counts() {
        let link = link(5000);
        (1..=4).for_each(|seq| link.push(deliver(seq, 1000)));
        let Next::Write(..) = link.next(1 << 20) else { panic!() };
        (5..=9).for_each(|seq| link.push(deliver(seq, 1000)));
        assert_eq!(link.ending(), Some(Code::SlowConsumer));
    }

    #[test]
    fn debug_output_has_no_text() {
        let entry = Bytes::from_static(b"a secret");
        let conversation = ConversationId::new([3; 16]);
        let item = Item::Deliver { conversation, feed_position: 1, seq: 1, entry };
        assert_eq!(format!("{item:?}"), "Deliver(104 bytes)");
    }

    #[test]
    fn what_is_worth_little_is_dropped_first() {
        let notice = || ServerEnvelope { request: 0, kind: None };
        let link = link(8000);
        assert!(link.offer(notice(), Shed::Early));
        link.push(deliver(1, 1000));
        assert!(!link.offer(notice(), Shed::Early));
        assert!(link.offer(notice(), Shed::Late));
        (2..=4).for_each(|seq| link.push(deliver(seq, 1000)));
        assert!(!link.offer(notice(), Shed::Late));
        assert_eq!(link.ending(), None);
    }

    #[test]
    fn the_sign_is_the_last_one_in_the_foreground() {
        let link = link(5000);
        assert!(!link.heard(3, false));
        assert_eq!(link.sign(), Sign { foreground: false, seen_ms: 0 });
        assert!(link.heard(5, true) && !link.heard(6, true));
        assert_eq!(link.sign(), Sign { foreground: true, seen_ms: 6 });
        assert!(link.heard(8, false) && !link.heard(9, false));
        assert_eq!(link.sign(), Sign { foreground: false, seen_ms: 8 });
    }

    #[test]
    fn what_comes_later_is_seen_to_once_and_goes_with_the_next() {
        use futures_util::FutureExt as _;
        let link = link(1 << 20);
        let woken = || link.woken().now_or_never().is_some();
        assert!(link.push_later(deliver(1, 10)) && !link.push_later(deliver(2, 10)) && !woken());
        link.look_after();
        assert!(woken());
        assert!(matches!(link.next(1 << 20), Next::Write(items, _) if items.len() == 2));
        // Gone with something else: nobody is woken for nothing.
        assert!(link.push_later(deliver(3, 10)));
        link.push(deliver(4, 10));
        assert!(woken() && matches!(link.next(1 << 20), Next::Write(items, _) if items.len() == 2));
        link.look_after();
        assert!(!woken());
        // Many don't wait, and nobody has to see to them.
        let seen_to = (0..FEW).map(|_| link.push_later(deliver(5, 10))).filter(|see| *see).count();
        assert!(seen_to == 1 && woken());
        link.end(Code::Draining);
        link.look_after();
        assert!(!link.push_later(deliver(6, 10)));
    }

    #[test]
    fn the_first_reason_to_end_stays() {
        let link = link(5000);
        link.end(Code::SessionRevoked);
        link.end(Code::Draining);
        link.push(deliver(1, 1));
        assert_eq!(link.ending(), Some(Code::SessionRevoked));
    }
}
