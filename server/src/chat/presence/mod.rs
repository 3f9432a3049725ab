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
//! [`Presence::reconsider`] nothing is told by what held before.
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

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, select};
use metrics::{Counter, Gauge, Histogram};
use parking_lot::Mutex;
use parley_core::shard::placement::ShardCount;
use parley_protocol::UserId;

use crate::base::clock::Monotonic;
use crate::base::metrics::list as metric;
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
    /// Wakes the thread early; one waiting nudge says it all.
    nudge: (Sender<()>, Receiver<()>),
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
        Self { inner: Arc::new(Inner { parts, table, nudge: bounded(1), figures }) }
    }

    /// From here on the session's signs count. Its first one was noted before.
    pub fn attach(&self, link: &Arc<Link>) {
        self.inner.table.lock().attach(link);
        self.inner.wake();
    }

    /// The session is over, and with it what it subscribed to.
    pub fn detach(&self, link: &Link, gone: Gone) {
        let watched = self.inner.table.lock().detach(link, gone);
        self.inner.figures.subscriptions.decrement(watched as f64);
        self.inner.wake();
    }

    /// The session came to the foreground or left it.
    pub fn turned(&self, user: UserId) {
        self.inner.table.lock().stir(user);
        self.inner.wake();
    }

    /// What this user may know of others, or others of them, has changed.
    /// Nothing is told by what held before once this returned; whoever watches
    /// hears what holds now within a moment.
    pub fn reconsider(&self, user: UserId) {
        self.inner.table.lock().reconsider(user);
        self.inner.wake();
    }

    /// As [`Presence::reconsider`], for what is on its way through the log: it
    /// is looked at in a second or two.
    pub fn reconsider_soon(&self, user: UserId) {
        self.inner.table.lock().reconsider_soon(user);
    }

    /// The user deletes their account: when they were last seen is not written
    /// down any more.
    pub fn forget(&self, user: UserId) {
        self.inner.table.lock().forget(user);
    }

    /// The user's profile has changed: whoever watches them is given the new one.
    pub fn profile_changed(&self, user: UserId) {
        self.inner.table.lock().profile_changed(user);
        self.inner.wake();
    }
}

impl Inner {
    fn wake(&self) {
        let _ = self.nudge.0.try_send(());
    }
}

/// The thread that watches. Stops, after writing down who was seen when, when
/// dropped.
pub struct Watcher {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watcher {
    /// Starts watching.
    ///
    /// # Errors
    /// The operating system's, when it gives no thread.
    pub fn start(presence: &Presence) -> std::io::Result<Self> {
        let (stop, stopped) = bounded(0);
        let inner = Arc::clone(&presence.inner);
        let run = move || run(&inner, &stopped);
        let thread = std::thread::Builder::new().name("parley-presence".into()).spawn(run)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

fn run(inner: &Inner, stopped: &Receiver<()>) {
    let clock = &inner.parts.clock;
    let sweep_ms = u64::try_from(SWEEP.as_millis()).unwrap_or(u64::MAX);
    let mut swept_ms = clock.now_ms();
    loop {
        let rest = Duration::from_millis((swept_ms + sweep_ms).saturating_sub(clock.now_ms()));
        select! {
            recv(stopped) -> _ => break,
            recv(inner.nudge.1) -> _ => {}
            default(rest) => {}
        }
        let now = clock.moment();
        let all = now.ms >= swept_ms + sweep_ms;
        if all {
            swept_ms = now.ms;
        }
        inner.pass(now, all);
        if !matches!(stopped.recv_timeout(PAUSE), Err(crossbeam_channel::RecvTimeoutError::Timeout))
        {
            break;
        }
    }
    inner.save_all(clock.moment());
}

impl Drop for Watcher {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the presence thread panicked");
        }
    }
}
