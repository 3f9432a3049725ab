//! Reads of the disk: away from the runtime's workers, and so many at a time.
//!
//! The bound is on reads at work. At it more wait, each user's in the order they
//! came and the users in turns (`core::turns`): who asks for much waits for
//! themselves. How many may wait is bounded where requests come in, as each
//! session and each call of the HTTP API reads for one request at a time.
//!
//! A read that panicked fails its request with [`Code::Internal`]; what it said
//! is in the log already.

use std::sync::Arc;

use parking_lot::Mutex;
use parley_core::turns::Turns;
use parley_protocol::{Code, UserId};
use tokio::sync::oneshot;

use crate::base::work;

/// Permits to read. Cheap to clone: all clones share the permits.
#[derive(Clone)]
pub(crate) struct Reads {
    turns: Arc<Mutex<Turns<UserId, oneshot::Sender<ReadPermit>>>>,
}

/// One read may be at work while this is held.
pub(crate) struct ReadPermit {
    user: UserId,
    /// `None` for one that was handed on.
    of: Option<Reads>,
}

/// Stands for whoever asks on nobody's behalf.
pub(crate) const NODE: UserId = UserId::new([0; 16]);

impl Drop for ReadPermit {
    fn drop(&mut self) {
        if let Some(reads) = self.of.take() {
            reads.give_back(self.user);
        }
    }
}

impl Reads {
    /// `parallel` reads at a time, at least one.
    pub(crate) fn new(parallel: usize) -> Self {
        Self { turns: Arc::new(Mutex::new(Turns::new(parallel))) }
    }

    /// Waits for a permit, for requests of `user` that call [`blocking`] once or
    /// more while they hold it. Cancel safe.
    pub(crate) async fn permit(&self, user: UserId) -> ReadPermit {
        let (turn, comes) = oneshot::channel();
        if self.turns.lock().enter(user, turn).is_some() {
            return ReadPermit { user, of: Some(self.clone()) };
        }
        match comes.await {
            Ok(permit) => permit,
            Err(_) => unreachable!("who waits is kept until their turn"),
        }
    }

    fn give_back(&self, user: UserId) {
        let mut next = self.turns.lock().leave(user);
        while let Some((waiting, turn)) = next {
            let permit = ReadPermit { user: waiting, of: Some(self.clone()) };
            // Who went away meanwhile leaves the place to the next.
            let Err(mut refused) = turn.send(permit) else { return };
            refused.of = None;
            next = self.turns.lock().refuse(waiting);
        }
    }

    /// Waits for a permit and runs `read` on the blocking pool. Once it runs it
    /// holds the permit to its end, also when the caller goes away: an abandoned
    /// read still costs. Cancel safe.
    ///
    /// # Errors
    /// What `read` fails with.
    pub(crate) async fn run<T, E>(
        &self,
        user: UserId,
        read: impl FnOnce() -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Code> + Send + 'static,
    {
        let permit = self.permit(user).await;
        blocking(move || {
            let _permit = permit;
            read()
        })
        .await
    }
}

/// Runs `work` on the blocking pool, with no bound of its own: for callers that
/// hold a [`ReadPermit`], and for commands, of which each session has one at a time.
/// Cancel safe; what has begun runs to its end.
///
/// # Errors
/// What `work` fails with.
pub(crate) async fn blocking<T, E>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<Code> + Send + 'static,
{
    match tokio::task::spawn_blocking(work::carried(work)).await {
        Ok(result) => result,
        Err(_) => Err(Code::Internal.into()),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tokio::sync::oneshot;

    use super::*;

    const ANN: UserId = UserId::new([1; 16]);
    const BEN: UserId = UserId::new([2; 16]);

    #[tokio::test]
    async fn who_asks_for_much_waits_for_themselves_and_who_left_takes_no_turn() {
        let reads = Reads::new(1);
        let held = reads.permit(ANN).await;
        let mut more: Vec<_> = (0..100).map(|_| Box::pin(reads.permit(ANN))).collect();
        assert!(more.iter_mut().all(|wish| wish.as_mut().now_or_never().is_none()));
        let mut gone = Box::pin(reads.permit(BEN));
        assert!(gone.as_mut().now_or_never().is_none());
        let mut other = Box::pin(reads.permit(BEN));
        assert!(other.as_mut().now_or_never().is_none());
        drop(gone);
        drop(held);
        let held = more[0].as_mut().now_or_never().expect("she came first");
        assert!(other.as_mut().now_or_never().is_none());
        drop(held);
        let held = other.as_mut().now_or_never().expect("his turn comes before her hundred");
        assert!(more[1].as_mut().now_or_never().is_none());
        // One that has it and drops it unseen gives it back too.
        drop(more);
        drop(held);
        assert!(reads.permit(BEN).now_or_never().is_some());
    }

    #[tokio::test]
    async fn above_the_bound_reads_wait_and_an_abandoned_one_keeps_its_permit() {
        let reads = Reads::new(1);
        let (begun, has_begun) = oneshot::channel();
        let (end, ends) = oneshot::channel::<()>();
        let shared = reads.clone();
        let read = move || {
            let _ = begun.send(());
            ends.blocking_recv().map_err(|_| Code::Internal)
        };
        let long = tokio::spawn(async move { shared.run(ANN, read).await });
        has_begun.await.unwrap();
        long.abort();
        assert!(long.await.unwrap_err().is_cancelled());
        assert!(reads.permit(ANN).now_or_never().is_none(), "the read is still at work");
        end.send(()).unwrap();
        assert_eq!(reads.run(ANN, || Ok::<_, Code>(7)).await, Ok(7));
    }

    #[tokio::test]
    async fn a_panic_is_an_internal_error_and_returns_the_permit() {
        let reads = Reads::new(0);
        let failed =
            reads.run(ANN, || -> Result<(), Code> { panic!("this panic belongs to the test") });
        assert_eq!(failed.await, Err(Code::Internal));
        assert!(reads.permit(ANN).now_or_never().is_some());
    }
}
