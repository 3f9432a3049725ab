//! Presence: who is there, when they were last seen, and who is told.
//!
//! Sessions note on their `Link` when they were last heard
//! of; nothing on the message path takes a lock for it. One thread looks at all
//! signs once a second, and at those it is pointed to at once, writes down when
//! users were last seen, and tells whoever subscribed. What it tells is what
//! is true when it gets to it: a hundred changes in between are one. When the
//! log or a session's queue is busy it tells later.
//!
//! Who may know is asked of [`Privacy`] at the moment of telling; after
//! [`Presence::privacy_changed`] nothing is told by what held before.
//!
//! Last seen is written beside the log and without a sync: a killed process
//! loses at most [`SAVE_MS`] of it.

mod pass;
mod privacy;
mod subscribe;
mod table;
#[cfg(test)]
mod tests;
mod typing;
mod user;

use std::sync::Arc;
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram};
use parking_lot::Mutex;
use parley_core::shard::placement::ShardCount;
use parley_protocol::UserId;

use crate::base::clock::Monotonic;
use crate::base::metrics::list as metric;
use crate::base::worker::{Nudge, Stop, Worker};
use crate::chat::link::Link;
use crate::storage::store::Store;
pub use privacy::Privacy;
pub use subscribe::Refusal;
use table::Table;
pub use typing::Typing;

/// How often all signs are looked at.
const SWEEP: Duration = Duration::from_secs(1);

/// The least time between two passes: what changes in between is told at once.
const PAUSE: Duration = Duration::from_millis(50);

/// How old the stored last seen of an online user may get, milliseconds.
pub const SAVE_MS: u64 = 30_000;

/// Bounds of presence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Silence after which a user is offline, milliseconds.
    pub patience_ms: u64,
}

/// What presence needs of the node.
pub struct Parts {
    /// Where last seen is kept.
    pub store: Store,
    /// Where users live.
    pub count: ShardCount,
    /// Who may know what.
    pub privacy: Arc<dyn Privacy>,
    /// Whether the node has better things to do.
    pub busy: Box<dyn Fn() -> bool + Send + Sync>,
    /// The clock of the links' signs.
    pub clock: Monotonic,
}

/// How a session went away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// The device or the server said so: it makes nobody online any more.
    Left,
    /// The connection is lost: it may be back in a moment.
    Lost,
}

/// Who is there. Cheap to clone.
#[derive(Clone)]
pub struct Presence {
    inner: Arc<Inner>,
}

struct Inner {
    parts: Parts,
    table: Mutex<Table>,
    /// Wakes the thread early.
    nudge: Nudge,
    figures: Figures,
}

/// Registered once: looking a metric up by name costs more than counting.
struct Figures {
    online: Gauge,
    subscriptions: Gauge,
    pushes: Counter,
    shed: Counter,
    pass_seconds: Histogram,
}

impl Presence {
    /// Nobody is there yet.
    #[must_use]
    pub fn new(options: Options, parts: Parts) -> Self {
        let figures = Figures {
            online: metric::users_online(),
            subscriptions: metric::presence_subscriptions(),
            pushes: metric::presence_pushes(),
            shed: metric::shed("presence"),
            pass_seconds: metric::presence_pass_seconds(),
        };
        let table = Mutex::new(Table::new(options.patience_ms));
        Self { inner: Arc::new(Inner { parts, table, nudge: Nudge::new(), figures }) }
    }

    /// Starts the thread that watches. Dropping it stops it, after writing down
    /// who was seen when.
    ///
    /// # Errors
    /// The operating system's, when it gives no thread.
    pub fn start(&self) -> std::io::Result<Worker> {
        let inner = Arc::clone(&self.inner);
        Worker::start("parley-presence", move |stop| inner.run(stop))
    }

    /// From here on the session's signs count. Its first one was noted before.
    pub fn attach(&self, link: &Arc<Link>) {
        self.inner.table.lock().attach(link);
        self.inner.nudge.wake();
    }

    /// The session is over, and with it what it subscribed to.
    pub fn detach(&self, link: &Link, gone: Gone) {
        let watched = self.inner.table.lock().detach(link, gone);
        self.inner.figures.subscriptions.decrement(watched as f64);
        self.inner.nudge.wake();
    }

    /// The session came to the foreground or left it.
    pub fn foreground_changed(&self, user: UserId) {
        self.inner.table.lock().foreground_changed(user);
        self.inner.nudge.wake();
    }

    /// What this user may know of others, or others of them, has changed.
    /// Nothing is told by what held before once this returned; a watcher
    /// hears what holds now within a moment.
    pub fn privacy_changed(&self, user: UserId) {
        self.inner.table.lock().privacy_changed(user);
        self.inner.nudge.wake();
    }

    /// As [`Presence::privacy_changed`], for what is on its way through the log: it
    /// is looked at in a second or two.
    pub fn privacy_will_change(&self, user: UserId) {
        self.inner.table.lock().privacy_will_change(user);
    }

    /// The user deletes their account: when they were last seen is not written
    /// down any more.
    pub fn forget(&self, user: UserId) {
        self.inner.table.lock().forget(user);
    }

    /// The user's profile has changed: whoever watches them is given the new one.
    pub fn profile_changed(&self, user: UserId) {
        self.inner.table.lock().profile_changed(user);
        self.inner.nudge.wake();
    }
}

impl Inner {
    fn run(&self, stop: &Stop) {
        let clock = &self.parts.clock;
        let sweep_ms = u64::try_from(SWEEP.as_millis()).unwrap_or(u64::MAX);
        let mut swept_ms = clock.now_ms();
        loop {
            let rest = Duration::from_millis((swept_ms + sweep_ms).saturating_sub(clock.now_ms()));
            if stop.sleep_until_nudged(&self.nudge, rest) {
                break;
            }
            let now = clock.moment();
            let all = now.ms >= swept_ms + sweep_ms;
            if all {
                swept_ms = now.ms;
            }
            self.pass(now, all);
            if stop.sleep(PAUSE) {
                break;
            }
        }
        self.save_all(clock.moment());
    }
}
