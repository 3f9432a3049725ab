//! What goes out when, so that sessions write much at once.
//!
//! While the node is busy, sessions are woken once all that a group of commits
//! has for them is in their queues: woken by the first of it, they would write
//! each frame by itself. And while the node is busy, a receipt and the answer to a cursor's move wait for
//! the next frame to their session, at most [`LATER`]: alone each would cost a
//! wake, a record and a system call, as much as a message. Each session has a
//! time of its own: let go all at once, thousands would hold up the messages.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::chat::link::{Item, Link};

/// The longest that anything waits, about.
const LATER: Duration = Duration::from_millis(200);

/// What is due within this goes too: fewer wakes of the task that sees to it.
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
    /// Counts an entry of so many bytes that went to so many users. Gives whether
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

/// Sessions to look after, each once, in the order of their times.
#[derive(Default)]
pub(super) struct Later {
    busy: bool,
    /// Sessions that something was pushed to and that sleep yet.
    asleep: Vec<Arc<Link>>,
    links: VecDeque<(Instant, Arc<Link>)>,
}

impl Later {
    /// On a busy node. The default is for one that isn't: everything goes at once.
    pub(super) fn busy() -> Self {
        Self { busy: true, ..Self::default() }
    }

    /// Pushes something that can't wait, but for the others of its group: they
    /// are sent by [`Later::wake`].
    pub(super) fn push_now(&mut self, link: &Arc<Link>, item: Item) {
        if !self.busy {
            link.push(item);
        } else if link.push_unwoken(item) {
            self.asleep.push(Arc::clone(link));
        }
    }

    /// Lets the sessions write what was pushed for now.
    pub(super) fn wake(&mut self) {
        self.asleep.drain(..).for_each(|link| link.rouse());
        self.asleep.shrink_to(1024);
    }

    /// Pushes something that can wait.
    pub(super) fn push(&mut self, link: &Arc<Link>, item: Item) {
        if !self.busy {
            link.push(item);
        } else if link.push_later(item) {
            self.links.push_back((Instant::now() + LATER, Arc::clone(link)));
        }
    }

    /// Resolves when something has waited long enough; never, when nothing waits.
    /// Cancel safe.
    pub(super) async fn due(&self) {
        match self.links.front() {
            Some((due, _)) => tokio::time::sleep_until(*due).await,
            None => std::future::pending().await,
        }
    }

    /// Lets go what has waited; what came meanwhile goes with it.
    pub(super) fn send(&mut self) {
        self.send_until(Instant::now() + STEP);
    }

    /// Lets go all that waits.
    pub(super) fn send_all(&mut self) {
        self.links.drain(..).for_each(|(_, link)| link.look_after());
    }

    fn send_until(&mut self, until: Instant) {
        while let Some((_, link)) = self.links.pop_front_if(|(due, _)| *due <= until) {
            link.look_after();
        }
        // A burst must not hold its memory for ever.
        if self.links.is_empty() {
            self.links.shrink_to(1024);
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
    async fn what_can_wait_goes_at_once_on_an_idle_node_and_is_let_go_on_a_busy_one() {
        let (link, mut later) = (link(), Later::default());
        let woken = || link.woken().now_or_never().is_some();
        later.push(&link, item());
        assert!(woken() && later.due().now_or_never().is_none());
        let _ = link.next(1 << 20);
        later = Later::busy();
        (0..3).for_each(|_| later.push(&link, item()));
        assert!(!woken() && later.links.len() == 1);
        later.due().await;
        later.send();
        assert!(woken() && later.links.is_empty() && later.due().now_or_never().is_none());
    }

    #[tokio::test]
    async fn on_a_busy_node_a_session_is_woken_once_for_all_that_a_group_has() {
        let (link, mut later) = (link(), Later::busy());
        let woken = || link.woken().now_or_never().is_some();
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let mut sleeping = Box::pin(link.woken());
        assert!(sleeping.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        (0..3).for_each(|_| later.push_now(&link, item()));
        // What others push meanwhile is woken for with it.
        link.push(item());
        assert_eq!((count.0.load(Ordering::Relaxed), later.asleep.len()), (0, 1));
        later.wake();
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert!(woken() && !woken());
        let Next::Write(items, _) = link.next(1 << 20) else { panic!("nothing to write") };
        assert_eq!(items.len(), 4);
    }

    #[test]
    fn who_reads_in_each_turn_is_never_too_slow() {
        let (link, mut later, mut turn) = (link(), Later::busy(), Turn::default());
        let entry = Bytes::from(vec![b'x'; 20_000]);
        let mut read = 0;
        for seq in 1..=200 {
            let conversation = ConversationId::new([3; 16]);
            let entry = entry.clone();
            later.push_now(&link, Item::Deliver { conversation, feed_position: 0, seq, entry });
            if turn.ends_with(2, 20_000) {
                later.wake();
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
        let mut later = Later::busy();
        links.iter().for_each(|link| later.push(link, item()));
        let times: Vec<_> = later.links.iter().map(|(due, _)| *due).collect();
        assert!(times.is_sorted());
        later.links[2].0 += 4 * STEP;
        later.send_until(times[2]);
        assert!(woken(&links[0]) && woken(&links[1]) && !woken(&links[2]));
        later.send_all();
        assert!(woken(&links[2]));
    }
}
