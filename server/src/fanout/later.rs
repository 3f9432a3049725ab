//! What can wait a moment goes out with something else.
//!
//! While the node is busy, a receipt and the answer to a cursor's move wait for
//! the next frame to their session, at most [`LATER`]: alone each would cost a
//! wake, a record and a system call, as much as a message.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::link::{Item, Link};

/// The longest that anything waits.
const LATER: Duration = Duration::from_millis(100);

/// Sessions to look after, each once.
#[derive(Default)]
pub(super) struct Later {
    busy: bool,
    links: Vec<Arc<Link>>,
    due: Option<Instant>,
}

impl Later {
    /// On a busy node. The default is for one that isn't: everything goes at once.
    pub(super) fn busy() -> Self {
        Self { busy: true, ..Self::default() }
    }

    /// Pushes something that can wait.
    pub(super) fn push(&mut self, link: &Arc<Link>, item: Item) {
        if !self.busy {
            link.push(item);
        } else if link.push_later(item) {
            self.due.get_or_insert_with(|| Instant::now() + LATER);
            self.links.push(Arc::clone(link));
        }
    }

    /// Resolves when something has waited long enough; never, when nothing waits.
    /// Cancel safe.
    pub(super) async fn due(&self) {
        match self.due {
            Some(due) => tokio::time::sleep_until(due).await,
            None => std::future::pending().await,
        }
    }

    /// Lets go what has waited; what came meanwhile goes with it.
    pub(super) fn send(&mut self) {
        self.due = None;
        self.links.drain(..).for_each(|link| link.look_after());
        // A burst must not hold its memory for ever.
        self.links.shrink_to(1024);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;
    use parley_protocol::wire::ServerEnvelope;
    use parley_protocol::{DeviceId, SessionId, UserId};

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
}
