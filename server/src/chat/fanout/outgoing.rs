//! What goes out when, so that sessions write much at once.
//!
//! While the node is busy, sessions are woken once all that a group of commits
//! has for them is in their queues: woken by the first of it, they would write
//! each frame by itself. And a receipt and the answer to a cursor's move wait for
//! the next frame to their session, at most [`SOON`]: alone each would cost a
//! wake, a record and a system call, as much as a message. Each session is
//! flushed at a time of its own: flushed all at once, thousands would hold up
//! the messages.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::base::clock;
use crate::chat::link::{Item, Link, When};

/// The longest that anything waits, about.
const SOON: Duration = Duration::from_millis(200);

/// What is due within this is flushed too: fewer wakes of the task that does it.
const STEP: Duration = Duration::from_millis(5);

/// Users reached in one turn, about.
const TURN_USERS: usize = 4096;

/// Bytes of entries in one turn: all may be for one session, whose queue has an
/// end, and who has had no turn is not slow.
const TURN_BYTES: usize = 128 * 1024;

/// What was handed out since sessions were last woken and had their turn.
#[derive(Default)]
pub(super) struct Turn {
    users: usize,
    bytes: usize,
}

impl Turn {
    /// Counts an entry of so many bytes that went to so many users. Returns whether
    /// the sessions are to have their turn now.
    pub(super) fn ends_with(&mut self, users: usize, bytes: usize) -> bool {
        self.users += users;
        self.bytes += bytes;
        let ends = self.users >= TURN_USERS || self.bytes >= TURN_BYTES;
        if ends {
            *self = Self::default();
        }
        ends
    }
}

/// What fan-out queued for sessions and has to wake or flush them for.
#[derive(Default)]
pub(super) struct Outgoing {
    busy: bool,
    /// Sessions to wake after the group.
    to_wake: Vec<Arc<Link>>,
    /// Sessions to flush, each once, in the order of their times.
    to_flush: VecDeque<(Instant, Arc<Link>)>,
}

impl Outgoing {
    /// On a busy node. The default is for one that isn't: everything goes at once.
    pub(super) fn busy() -> Self {
        Self { busy: true, ..Self::default() }
    }

    /// Queues something that waits for the rest of its group at most: the sessions
    /// are woken by [`Outgoing::wake_group`].
    pub(super) fn push_with_group(&mut self, link: &Arc<Link>, item: Item) {
        if !self.busy {
            link.push(item);
        } else if link.enqueue(item, When::WithGroup) {
            self.to_wake.push(Arc::clone(link));
        }
    }

    /// Wakes the sessions to write what was queued with the group.
    pub(super) fn wake_group(&mut self) {
        self.to_wake.drain(..).for_each(|link| link.wake());
        self.to_wake.shrink_to(1024);
    }

    /// Queues something that can wait.
    pub(super) fn push_soon(&mut self, link: &Arc<Link>, item: Item) {
        if !self.busy {
            link.push(item);
        } else if link.enqueue(item, When::Soon) {
            self.to_flush.push_back((Instant::from(clock::now()) + SOON, Arc::clone(link)));
        }
    }

    /// Resolves when something has waited long enough; never, when nothing waits.
    /// Cancel safe.
    pub(super) async fn due(&self) {
        match self.to_flush.front() {
            Some((due, _)) => tokio::time::sleep_until(*due).await,
            None => std::future::pending().await,
        }
    }

    /// Flushes the sessions whose time has come; what came meanwhile goes with it.
    pub(super) fn flush_due(&mut self) {
        self.flush_until(Instant::from(clock::now()) + STEP);
    }

    /// Flushes all sessions for which something waits.
    pub(super) fn flush_all(&mut self) {
        self.to_flush.drain(..).for_each(|(_, link)| link.flush());
    }

    fn flush_until(&mut self, until: Instant) {
        while let Some((_, link)) = self.to_flush.pop_front_if(|(due, _)| *due <= until) {
            link.flush();
        }
        // A burst must not hold its memory for ever.
        if self.to_flush.is_empty() {
            self.to_flush.shrink_to(1024);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future as _;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Wake, Waker};

    use super::*;
    use crate::chat::link::Next;
    use bytes::Bytes;
    use futures_util::FutureExt as _;
    use parley_protocol::wire::ServerEnvelope;
    use parley_protocol::{ConversationId, DeviceId, SessionId, UserId};

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn link() -> Arc<Link> {
        let (id, user, device) =
            (SessionId::new([0; 16]), UserId::new([1; 16]), DeviceId::new([2; 16]));
        Arc::new(Link::new(id, user, device, true, 1 << 20))
    }

    fn item() -> Item {
        Item::Notice(ServerEnvelope { request: 0, kind: None })
    }

    #[tokio::test]
    async fn what_can_wait_goes_at_once_on_an_idle_node_and_is_flushed_on_a_busy_one() {
        let (link, mut outgoing) = (link(), Outgoing::default());
        let woken = || link.woken().now_or_never().is_some();
        outgoing.push_soon(&link, item());
        assert!(woken() && outgoing.due().now_or_never().is_none());
        let _ = link.next(1 << 20);
        outgoing = Outgoing::busy();
        (0..3).for_each(|_| outgoing.push_soon(&link, item()));
        assert!(!woken() && outgoing.to_flush.len() == 1);
        outgoing.due().await;
        outgoing.flush_due();
        assert!(woken() && outgoing.to_flush.is_empty() && outgoing.due().now_or_never().is_none());
    }

    #[tokio::test]
    async fn on_a_busy_node_a_session_is_woken_once_for_all_that_a_group_has() {
        let (link, mut outgoing) = (link(), Outgoing::busy());
        let woken = || link.woken().now_or_never().is_some();
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let mut sleeping = Box::pin(link.woken());
        assert!(sleeping.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        (0..3).for_each(|_| outgoing.push_with_group(&link, item()));
        // What others push meanwhile is woken for with it.
        link.push(item());
        assert_eq!((count.0.load(Ordering::Relaxed), outgoing.to_wake.len()), (0, 1));
        outgoing.wake_group();
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert!(woken() && !woken());
        let Next::Write(items, _) = link.next(1 << 20) else { panic!("nothing to write") };
        assert_eq!(items.len(), 4);
    }

    #[test]
    fn who_reads_in_each_turn_is_never_too_slow() {
        let (link, mut outgoing, mut turn) = (link(), Outgoing::busy(), Turn::default());
        let entry = Bytes::from(vec![b'x'; 20_000]);
        let mut read = 0;
        for seq in 1..=200 {
            let conversation = ConversationId::new([3; 16]);
            let entry = entry.clone();
            outgoing.push_with_group(
                &link,
                Item::Deliver { conversation, feed_position: 0, seq, entry },
            );
            if turn.ends_with(2, 20_000) {
                outgoing.wake_group();
                let Next::Write(items, bytes) = link.next(usize::MAX) else { panic!("{seq}") };
                read += items.len();
                link.written(bytes);
            }
        }
        assert!(read > 190 && link.ending().is_none());
    }

    #[tokio::test]
    async fn each_session_has_its_own_time() {
        let links = [link(), link(), link()];
        let woken = |link: &Link| link.woken().now_or_never().is_some();
        let mut outgoing = Outgoing::busy();
        links.iter().for_each(|link| outgoing.push_soon(link, item()));
        let times: Vec<_> = outgoing.to_flush.iter().map(|(due, _)| *due).collect();
        assert!(times.is_sorted());
        outgoing.to_flush[2].0 += 4 * STEP;
        outgoing.flush_until(times[2]);
        assert!(woken(&links[0]) && woken(&links[1]) && !woken(&links[2]));
        outgoing.flush_all();
        assert!(woken(&links[2]));
    }
}
