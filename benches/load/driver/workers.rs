//! The threads that run users: one for each processor, each with a runtime of its own.
//!
//! Everything of a user is on one thread: connection, timers, due times. So nothing a user does
//! wakes another thread, which would cost more than what it does; one wait of the thread brings
//! what came for many users. The two of a pair share a thread, since their messages
//! come together. Who sends to a whole group is on a thread apart, with nobody of the group: a message
//! that is due must not wait for two hundred deliveries of the one before.

use std::ops::Range;
use std::sync::Arc;
use std::thread::JoinHandle as ThreadHandle;

use anyhow::Context as _;
use futures_util::{StreamExt as _, TryStreamExt as _};
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::priority::{self, Rank};
use crate::net::{Connector, Transport};
use crate::threads;

/// Users who are opened at a time, and so handshakes.
pub(crate) const PARALLEL: usize = 64;

/// The threads, each with its own way to the server.
pub(crate) struct Workers {
    /// Those of ordinary users, then those of groups' senders.
    workers: Vec<Worker>,
    /// Members of each group, whose first has a thread apart.
    members: Option<usize>,
}

struct Worker {
    runtime: Handle,
    /// None where other servers are measured, which have their own ways.
    connector: Option<Arc<Connector>>,
    /// Dropped with this, which ends the thread.
    _stop: oneshot::Sender<()>,
    _thread: ThreadHandle<()>,
}

impl Workers {
    /// Starts the threads; each makes its own sockets.
    ///
    /// # Errors
    /// For what [`Connector::new`] says, and when there are no threads.
    pub(crate) async fn start(url: &str, fingerprint: Option<&str>) -> anyhow::Result<Self> {
        Self::start_unconnected()?.connected(url, fingerprint).await
    }

    /// Starts the threads for so many groups of so many members, of whom the first sends to the
    /// others.
    ///
    /// # Errors
    /// As [`Workers::start`].
    pub(crate) async fn start_for_groups(
        url: &str,
        fingerprint: Option<&str>,
        groups: usize,
        members: usize,
    ) -> anyhow::Result<Self> {
        let workers =
            Self::with_threads(threads::count() + groups.min(threads::count()), Some(members))?;
        workers.connected(url, fingerprint).await
    }

    async fn connected(mut self, url: &str, fingerprint: Option<&str>) -> anyhow::Result<Self> {
        for worker in &mut self.workers {
            let (url, pin) = (url.to_owned(), fingerprint.map(str::to_owned));
            let making = async move { Connector::new(&url, pin.as_deref()).await };
            worker.connector = Some(Arc::new(worker.runtime.spawn(making).await??));
        }
        Ok(self)
    }

    /// Starts the threads alone.
    ///
    /// # Errors
    /// When there are none.
    pub(crate) fn start_unconnected() -> anyhow::Result<Self> {
        Self::with_threads(threads::count(), None)
    }

    fn with_threads(threads: usize, members: Option<usize>) -> anyhow::Result<Self> {
        let workers = (0..threads).map(|number| {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let handle = runtime.handle().clone();
            let (stop, stopped) = oneshot::channel::<()>();
            let thread = std::thread::Builder::new()
                .name(format!("users-{number}"))
                .spawn(move || drop(runtime.block_on(stopped)))?;
            Ok(Worker { runtime: handle, connector: None, _stop: stop, _thread: thread })
        });
        Ok(Self { workers: workers.collect::<anyhow::Result<_>>()?, members })
    }

    /// The way to the server for user `index`, to be used by its own thread.
    fn connector(&self, index: usize) -> anyhow::Result<&Arc<Connector>> {
        self.worker(index)?.connector.as_ref().context("no way to the server")
    }

    /// The name of the transport.
    pub(crate) fn transport(&self) -> Transport {
        // There is at least one.
        let first = self.workers.first().and_then(|worker| worker.connector.as_ref());
        first.map_or(Transport::Tls, |connector| connector.transport)
    }

    /// Runs `work` on the thread of user `index`.
    ///
    /// # Errors
    /// When there is no such thread, which is a bug.
    pub(crate) fn spawn<F>(&self, index: usize, work: F) -> anyhow::Result<JoinHandle<F::Output>>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        Ok(self.worker(index)?.runtime.spawn(work))
    }

    /// Which thread runs this user.
    pub(crate) fn thread_of(&self, user: usize) -> usize {
        match self.members {
            Some(members) if user.is_multiple_of(members) => {
                let apart = self.workers.len().saturating_sub(threads::count()).max(1);
                threads::count() + user / members % apart
            }
            _ => threads::of_user(user),
        }
    }

    /// Lets the threads go before everything of ordinary priority, where that is permitted; says
    /// what they have then. Of groups only those that send: many who read, each woken for a frame
    /// or two, would go before the server while it writes to the others.
    ///
    /// # Errors
    /// When a thread ended, which is a bug.
    pub(crate) async fn raise_priority(&self) -> anyhow::Result<String> {
        let groups = self.members.is_some();
        let raise = |number| async move {
            match number < threads::count() {
                true if groups => priority::ORDINARY.to_owned(),
                true => priority::raise(Rank::Users),
                false => priority::raise(Rank::Senders),
            }
        };
        let mut got = String::new();
        for raised in self.spawn_on_each(raise) {
            got = raised.await?;
        }
        Ok(got)
    }

    /// Runs `work` once on each thread.
    pub(crate) fn spawn_on_each<F>(&self, work: impl Fn(usize) -> F) -> Vec<JoinHandle<F::Output>>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        let workers = self.workers.iter().enumerate();
        workers.map(|(number, worker)| worker.runtime.spawn(work(number))).collect()
    }

    /// Opens these users, each on its own thread, some at a time.
    ///
    /// # Errors
    /// The first of theirs.
    pub(crate) async fn open<T, F>(
        &self,
        users: Range<usize>,
        open: impl Fn(usize, Arc<Connector>) -> anyhow::Result<F>,
    ) -> anyhow::Result<Vec<T>>
    where
        F: Future<Output = anyhow::Result<T>> + Send + 'static,
        T: Send + 'static,
    {
        self.open_unconnected(users, |index| open(index, Arc::clone(self.connector(index)?))).await
    }

    /// The same for those who have their own way to a server.
    ///
    /// # Errors
    /// The first of theirs.
    pub(crate) async fn open_unconnected<T, F>(
        &self,
        users: Range<usize>,
        open: impl Fn(usize) -> anyhow::Result<F>,
    ) -> anyhow::Result<Vec<T>>
    where
        F: Future<Output = anyhow::Result<T>> + Send + 'static,
        T: Send + 'static,
    {
        futures_util::stream::iter(users)
            .map(|index| {
                let opening = open(index).and_then(|work| self.spawn(index, work));
                async move { opening?.await? }
            })
            .buffered(PARALLEL)
            .try_collect()
            .await
    }

    fn worker(&self, index: usize) -> anyhow::Result<&Worker> {
        self.workers.get(self.thread_of(index)).context("no such thread")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_sends_to_a_group_shares_no_thread_with_those_who_take() {
        for groups in [1, 2, 7] {
            let apart = groups.min(threads::count());
            let workers = Workers::with_threads(threads::count() + apart, Some(4)).unwrap();
            let senders: std::collections::BTreeSet<_> =
                (0..groups).map(|group| workers.thread_of(4 * group)).collect();
            assert_eq!(senders, (threads::count()..threads::count() + apart).collect());
            let mut recipients = (0..4 * groups).filter(|user| !user.is_multiple_of(4));
            assert!(recipients.all(|user| workers.thread_of(user) < threads::count()));
            assert!((0..4 * groups).all(|user| workers.worker(user).is_ok()));
        }
    }
}
