//! The log of one node: one commit thread in front of the local store.
//!
//! Group commit: whatever gathered while the last sync was running is the next
//! batch. While little comes nothing waits for more; what does, and how long, is
//! `queue`'s. One thread, so the order of a shard is the order
//! of the queue. The first failed write or sync ends it: the thread calls
//! `on_fatal` and stops, nothing is tried again, nothing more is acknowledged.
//!
//! Bounds: the queue by [`Options::queue_appends`] and [`Options::queue_bytes`]
//! (overflow is [`ReserveError::Full`](super::ReserveError)), a batch by
//! [`Options::batch_appends`] and [`Options::batch_bytes`].

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use parking_lot::Mutex;

use parley_protocol::UserId;

use super::budget::{Budget, Permit};
use super::committer::{Committer, Queued};
use super::counts::Counts;
use super::queue::Queue;
use super::view::View;
use super::{Append, Committed, Log, LogError, Progress, ReserveError};
use crate::base::clock;
use crate::storage::store::{Store, StoreError};

/// Bounds of a local log.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Appends on their way at once, reserved ones included.
    pub queue_appends: usize,
    /// Bytes of appends on their way at once.
    pub queue_bytes: usize,
    /// Appends in one batch.
    pub batch_appends: usize,
    /// Bytes in one batch; one append is taken whatever its size.
    pub batch_bytes: usize,
    /// An append from this size on closes the batch of smaller ones before it,
    /// so that they don't wait until it is on the disk.
    pub big_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            queue_appends: 8 * 1024,
            queue_bytes: 64 * 1024 * 1024,
            batch_appends: 2 * 1024,
            batch_bytes: 4 * 1024 * 1024,
            big_bytes: 64 * 1024,
        }
    }
}

/// Why a local log did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system gives no thread.
    #[error("could not start the commit thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// A log on the local store.
///
/// Dropping it closes it: what was handed over is committed first.
pub struct LocalLog<T> {
    view: Arc<View>,
    budget: Arc<Budget>,
    counts: Arc<Counts>,
    queue: Arc<Queue<Queued<T>>>,
    begun: Arc<Mutex<Option<Instant>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl<T: Send + 'static> LocalLog<T> {
    /// Starts the commit thread.
    ///
    /// `sink` is called on it with each batch in order, once the batch is as
    /// durable as its appends asked; what takes it long delays the next batch.
    /// `on_fatal` is called at most once, on the same thread, and nothing is
    /// committed after it: the node prints the error and ends the process.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(
        store: Store,
        options: Options,
        sink: impl FnMut(Vec<Committed<T>>) + Send + 'static,
        on_fatal: impl FnOnce(LogError) + Send + 'static,
    ) -> Result<Self, StartError> {
        let view = Arc::new(View::new(store));
        let budget = Budget::new(options.queue_appends, options.queue_bytes);
        let counts = Arc::new(Counts::new());
        // Bounded by the budget: every item holds a permit.
        let queue = Arc::new(Queue::new(|queued: &Queued<T>| queued.append.urgency));
        let begun = Arc::default();
        let thread = CommitThread {
            committer: Committer::new(Arc::clone(&view), Arc::clone(&counts))?,
            queue: Arc::clone(&queue),
            options,
            budget: Arc::clone(&budget),
            begun: Arc::clone(&begun),
            sink,
            on_fatal: Some(on_fatal),
        };
        let handle =
            thread::Builder::new().name("parley-commit".to_owned()).spawn(|| thread.run())?;
        Ok(Self { view, budget, counts, queue, begun, thread: Mutex::new(Some(handle)) })
    }
}

impl<T: Send> Log<T> for LocalLog<T> {
    fn reserve(&self, size_bytes: usize) -> Result<Permit, ReserveError> {
        self.admit(None, size_bytes)
    }

    fn reserve_for(&self, user: UserId, size_bytes: usize) -> Result<Permit, ReserveError> {
        self.admit(Some(user), size_bytes)
    }

    fn append(&self, permit: Permit, append: Append<T>) {
        // After the thread ended the append is dropped.
        self.queue.push(Queued { append, permit });
    }

    fn view(&self) -> &View {
        &self.view
    }

    fn is_strained(&self) -> bool {
        self.budget.is_strained()
    }

    fn counts(&self) -> &Counts {
        &self.counts
    }

    fn progress(&self) -> Progress {
        let at_work = self.begun.lock().map(|begun| clock::now().saturating_duration_since(begun));
        Progress { at_work, waiting: self.budget.waiting() }
    }

    fn close(&self) {
        self.shut();
    }
}

impl<T> LocalLog<T> {
    /// Takes room in the queue and on the disk.
    fn admit(&self, user: Option<UserId>, size_bytes: usize) -> Result<Permit, ReserveError> {
        let space = self.view.store().space();
        if !space.takes_writes() {
            return Err(ReserveError::NoRoom);
        }
        let permit = self.budget.reserve(user, size_bytes)?;
        space.take(size_bytes);
        Ok(permit)
    }

    fn shut(&self) {
        self.budget.close();
        let Some(thread) = self.thread.lock().take() else { return };
        self.queue.close();
        // From the sink there is nothing to wait for: the thread ends after it.
        if thread.thread().id() != thread::current().id() && thread.join().is_err() {
            tracing::error!("the commit thread panicked");
        }
    }
}

impl<T> Drop for LocalLog<T> {
    fn drop(&mut self) {
        self.shut();
    }
}

/// What the thread owns.
struct CommitThread<T, S, F: FnOnce(LogError)> {
    committer: Committer,
    queue: Arc<Queue<Queued<T>>>,
    options: Options,
    budget: Arc<Budget>,
    /// When the commit at work began.
    begun: Arc<Mutex<Option<Instant>>>,
    sink: S,
    on_fatal: Option<F>,
}

impl<T, S: FnMut(Vec<Committed<T>>), F: FnOnce(LogError)> CommitThread<T, S, F> {
    fn run(mut self) {
        loop {
            let mut size = GroupSize::default();
            let options = self.options;
            let group = self.queue.next_group(|queued| size.take(queued, &options));
            if group.is_empty() {
                break;
            }
            *self.begun.lock() = Some(clock::now());
            let committed = self.committer.commit(group);
            *self.begun.lock() = None;
            match committed {
                Ok((committed, permits)) => {
                    (self.sink)(committed);
                    drop(permits);
                }
                Err(error) => return self.fail(error),
            }
        }
        self.on_fatal = None;
    }

    fn fail(&mut self, error: LogError) {
        self.budget.close();
        if let Some(on_fatal) = self.on_fatal.take() {
            on_fatal(error);
        }
    }
}

/// However the thread ends without having been closed, somebody is told.
impl<T, S, F: FnOnce(LogError)> Drop for CommitThread<T, S, F> {
    fn drop(&mut self) {
        self.budget.close();
        self.queue.abandon();
        if let Some(on_fatal) = self.on_fatal.take() {
            on_fatal(LogError::Panicked);
        }
    }
}

/// What a group holds so far.
#[derive(Default)]
struct GroupSize {
    appends: usize,
    bytes: usize,
    small: usize,
}

impl GroupSize {
    /// Takes an append, unless the group has no room for it.
    fn take<T>(&mut self, queued: &Queued<T>, options: &Options) -> bool {
        let bytes = queued.append.size_bytes();
        let big_behind_small = bytes >= options.big_bytes && self.small > 0;
        let room = self.appends < options.batch_appends
            && self.bytes.saturating_add(bytes) <= options.batch_bytes
            && !big_behind_small;
        if room || self.appends == 0 {
            self.appends += 1;
            self.bytes = self.bytes.saturating_add(bytes);
            self.small += usize::from(bytes < options.big_bytes);
        }
        room
    }
}

#[cfg(test)]
#[path = "local_tests.rs"]
mod tests;
