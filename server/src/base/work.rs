//! The work that a request turns out to be: rows and bytes it has read, for
//! whoever bills it once it is done.
//!
//! The store notes what it reads, on the thread that reads; what runs on the
//! blocking pool for a request adds it to the request's [`Work`]. A request that
//! was abandoned is billed as well, when the last read of it has ended.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

/// Bytes that count as much as a row.
const ROW_BYTES: usize = 1024;

thread_local! {
    /// Units noted on this thread since it began.
    static NOTED: Cell<u64> = const { Cell::new(0) };
}

tokio::task_local! {
    static WORK: Arc<Work>;
}

/// What one request has read so far. Bills it when the last holder is gone.
pub(crate) struct Work {
    units: AtomicU64,
    bill: Mutex<Option<Bill>>,
}

/// Whom to tell the units.
type Bill = Box<dyn FnOnce(u64) + Send>;

impl Work {
    /// Nothing yet; `bill` is called with the units in the end.
    pub(crate) fn new(bill: impl FnOnce(u64) + Send + 'static) -> Arc<Self> {
        // Also what reads nothing costs something.
        Arc::new(Self { units: AtomicU64::new(1), bill: Mutex::new(Some(Box::new(bill))) })
    }

    /// Counts what `request` has read on the blocking pool for it.
    pub(crate) async fn count<F: Future>(self: Arc<Self>, request: F) -> F::Output {
        WORK.scope(self, request).await
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if let Some(bill) = self.bill.get_mut().take() {
            bill(self.units.load(Ordering::Relaxed));
        }
    }
}

/// Notes rows and bytes that were read on this thread.
pub(crate) fn note(rows: usize, bytes: usize) {
    let units = (rows + bytes / ROW_BYTES) as u64;
    NOTED.with(|noted| noted.set(noted.get().wrapping_add(units)));
}

/// Units noted on this thread since it began.
pub(crate) fn noted() -> u64 {
    NOTED.with(Cell::get)
}

/// `work`, for another thread: what is noted there counts for the request at
/// hand, if there is one.
pub(crate) fn carried<T>(work: impl FnOnce() -> T) -> impl FnOnce() -> T {
    let of = WORK.try_with(Arc::clone).ok();
    move || {
        let before = noted();
        let done = work();
        if let Some(of) = of {
            of.units.fetch_add(noted().wrapping_sub(before), Ordering::Relaxed);
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::base::reads::blocking;
    use parley_protocol::Code;

    #[tokio::test]
    async fn what_is_read_for_a_request_is_billed_to_it_alone() {
        let (billed, bills) = mpsc::channel();
        let work = Work::new(move |units| billed.send(units).unwrap());
        let read = |rows, bytes| {
            blocking(move || {
                note(rows, bytes);
                Ok::<_, Code>(())
            })
        };
        read(500, 0).await.unwrap();
        let request = async {
            read(3, 0).await.unwrap();
            read(0, 2 * ROW_BYTES).await.unwrap();
        };
        work.count(request).await;
        read(700, 0).await.unwrap();
        assert_eq!(bills.try_iter().collect::<Vec<_>>(), [6]);
    }

    #[tokio::test]
    async fn an_abandoned_read_is_billed_when_it_ends() {
        let (billed, bills) = mpsc::channel();
        let (go, wait) = mpsc::channel::<()>();
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let work = Work::new(move |units| billed.send(units).unwrap());
        let request = tokio::spawn(work.count(blocking(move || {
            let _ = begun.send(());
            let _ = wait.recv();
            note(9, 0);
            Ok::<_, Code>(())
        })));
        has_begun.await.unwrap();
        request.abort();
        assert!(request.await.unwrap_err().is_cancelled());
        assert!(bills.try_recv().is_err());
        go.send(()).unwrap();
        assert_eq!(bills.recv().unwrap(), 10);
    }
}
