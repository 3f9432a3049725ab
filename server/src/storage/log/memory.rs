//! The log without a thread, for tests and simulation: commits where the
//! caller says, on an engine that knows what a crash loses.
//!
//! The rules are those of the local log: it uses the same committer.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

use parley_protocol::UserId;

use super::budget::{Budget, Permit};
use super::committer::{Committer, Queued};
use super::counts::Counts;
use super::local::Options;
use super::view::View;
use super::{Append, Committed, Log, LogError, Progress, ReserveError};
use crate::storage::store::{Store, StoreError};

/// When a memory log commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// In [`Log::append`], each append as its own batch.
    Inline,
    /// In [`MemoryLog::commit`], all that gathered as one batch.
    Manual,
}

/// A log that commits on its caller's thread.
pub struct MemoryLog<T> {
    view: Arc<View>,
    budget: Arc<Budget>,
    counts: Arc<Counts>,
    pace: Pace,
    queue: Mutex<VecDeque<Queued<T>>>,
    // Held while committing and calling the sink: one batch at a time.
    work: Mutex<Work<T>>,
}

struct Work<T> {
    committer: Committer,
    sink: Box<dyn FnMut(Vec<Committed<T>>) + Send>,
    on_fatal: Option<Box<dyn FnOnce(LogError) + Send>>,
}

impl<T: Send> MemoryLog<T> {
    /// Starts over a store. `sink` and `on_fatal` are called as by
    /// [`LocalLog::start`](super::LocalLog::start), but on the thread that
    /// appends or commits; the sink must not append inline.
    ///
    /// # Errors
    /// [`StoreError`] when the store can't be read.
    pub fn start(
        store: Store,
        options: Options,
        pace: Pace,
        sink: impl FnMut(Vec<Committed<T>>) + Send + 'static,
        on_fatal: impl FnOnce(LogError) + Send + 'static,
    ) -> Result<Self, StoreError> {
        let view = Arc::new(View::new(store));
        let counts = Arc::new(Counts::new());
        let work = Work {
            committer: Committer::new(Arc::clone(&view), Arc::clone(&counts))?,
            sink: Box::new(sink),
            on_fatal: Some(Box::new(on_fatal)),
        };
        Ok(Self {
            view,
            budget: Budget::new(options.queue_appends, options.queue_bytes),
            counts,
            pace,
            queue: Mutex::default(),
            work: Mutex::new(work),
        })
    }

    /// Commits all that was handed over as one batch. Does nothing without any.
    pub fn commit(&self) {
        let mut work = self.work.lock();
        let group: Vec<_> = self.queue.lock().drain(..).collect();
        // After a failure nothing is committed any more.
        if group.is_empty() || work.on_fatal.is_none() {
            return;
        }
        match work.committer.commit(group) {
            Ok((committed, permits)) => {
                (work.sink)(committed);
                drop(permits);
            }
            Err(error) => {
                self.budget.close();
                if let Some(on_fatal) = work.on_fatal.take() {
                    on_fatal(error);
                }
            }
        }
    }

    /// Appends that wait for a commit.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.queue.lock().len()
    }
}

impl<T: Send> Log<T> for MemoryLog<T> {
    fn reserve(&self, size_bytes: usize) -> Result<Permit, ReserveError> {
        self.budget.reserve(None, size_bytes)
    }

    fn reserve_for(&self, user: UserId, size_bytes: usize) -> Result<Permit, ReserveError> {
        self.budget.reserve(Some(user), size_bytes)
    }

    fn append(&self, permit: Permit, append: Append<T>) {
        self.queue.lock().push_back(Queued { append, permit });
        if self.pace == Pace::Inline {
            self.commit();
        }
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
        Progress { at_work: None, waiting: self.budget.waiting() }
    }

    fn close(&self) {
        self.budget.close();
        self.commit();
    }
}
