//! Reads of the disk: away from the runtime's workers, and so many at a time.
//!
//! The bound is on reads at work. At it more wait, in the order they came; how
//! many may wait is bounded where requests come in, as each session and each
//! call of the HTTP API reads for one request at a time.
//!
//! A read that panicked fails its request with [`Code::Internal`]; what it said
//! is in the log already.

use std::sync::Arc;

use parley_protocol::Code;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Permits to read. Cheap to clone: all clones share the permits.
#[derive(Debug, Clone)]
pub(crate) struct Reads {
    permits: Arc<Semaphore>,
}

/// One read may be at work while this is held.
#[derive(Debug)]
pub(crate) struct ReadPermit {
    _permit: OwnedSemaphorePermit,
}

impl Reads {
    /// `parallel` reads at a time, at least one.
    pub(crate) fn new(parallel: usize) -> Self {
        Self { permits: Arc::new(Semaphore::new(parallel.max(1))) }
    }

    /// Waits for a permit: for requests that call [`blocking`] once or more while
    /// they hold it. Cancel safe.
    pub(crate) async fn permit(&self) -> ReadPermit {
        match Arc::clone(&self.permits).acquire_owned().await {
            Ok(permit) => ReadPermit { _permit: permit },
            Err(_) => unreachable!("nobody closes the semaphore"),
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
        read: impl FnOnce() -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Code> + Send + 'static,
    {
        let permit = self.permit().await;
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
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(_) => Err(Code::Internal.into()),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tokio::sync::oneshot;

    use super::*;

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
        let long = tokio::spawn(async move { shared.run(read).await });
        has_begun.await.unwrap();
        long.abort();
        assert!(long.await.unwrap_err().is_cancelled());
        assert!(reads.permit().now_or_never().is_none(), "the read is still at work");
        end.send(()).unwrap();
        assert_eq!(reads.run(|| Ok::<_, Code>(7)).await, Ok(7));
    }

    #[tokio::test]
    async fn a_panic_is_an_internal_error_and_returns_the_permit() {
        let reads = Reads::new(0);
        let failed = reads.run(|| -> Result<(), Code> { panic!("this panic belongs to the test") });
        assert_eq!(failed.await, Err(Code::Internal));
        assert!(reads.permit().now_or_never().is_some());
    }
}
