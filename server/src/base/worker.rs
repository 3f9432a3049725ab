//! A thread that does one thing now and then: nudged when there is something to
//! do, stopped and waited for when its [`Worker`] is dropped.
//!
//! What it runs is a loop of its owner's that sleeps by way of `Stop`. It holds
//! no queue: a nudge carries no data, and nudges that come before it wakes are
//! one.

use std::io;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, bounded, select};

/// A running thread. Dropping it tells the thread to stop and waits until it has.
#[derive(Debug)]
pub struct Worker {
    /// Dropped to tell the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts a thread of this name. `run` returns soon after its [`Stop`] is
    /// set, having done what may not be left undone.
    ///
    /// # Errors
    /// The operating system's, when it gives no thread.
    pub(crate) fn start(name: &str, run: impl FnOnce(&Stop) + Send + 'static) -> io::Result<Self> {
        let (stop, stopped) = Stop::new();
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || run(&stopped))?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.stop.take());
        let Some(thread) = self.thread.take() else { return };
        let name = thread.thread().name().unwrap_or_default().to_owned();
        if thread.join().is_err() {
            tracing::error!("the thread {name} panicked");
        }
    }
}

/// Tells a worker that it is to stop; it sleeps by this.
#[derive(Debug)]
pub(crate) struct Stop {
    stopped: Receiver<()>,
}

impl Stop {
    /// A stop that is set once the sender is dropped.
    pub(crate) fn new() -> (Sender<()>, Self) {
        let (stop, stopped) = bounded(0);
        (stop, Self { stopped })
    }

    /// Whether it is set.
    pub(crate) fn is_set(&self) -> bool {
        self.stopped.try_recv() != Err(TryRecvError::Empty)
    }

    /// Sleeps this long, or until it is set. Returns whether it is.
    #[must_use]
    pub(crate) fn sleep(&self, time: Duration) -> bool {
        self.stopped.recv_timeout(time) != Err(RecvTimeoutError::Timeout)
    }

    /// Sleeps until it is set, until nudged, or this long: for ever with
    /// [`Duration::MAX`]. Returns whether it is set.
    #[must_use]
    pub(crate) fn sleep_until_nudged(&self, nudge: &Nudge, most: Duration) -> bool {
        select! {
            recv(self.stopped) -> _ => true,
            recv(nudge.nudged) -> _ => false,
            default(most) => false,
        }
    }
}

/// Wakes a worker early. It may be held, and nudge, before the worker runs.
#[derive(Debug)]
pub(crate) struct Nudge {
    nudge: Sender<()>,
    nudged: Receiver<()>,
}

impl Nudge {
    pub(crate) fn new() -> Self {
        let (nudge, nudged) = bounded(1);
        Self { nudge, nudged }
    }

    /// Wakes the worker, now or when it next sleeps. Never waits.
    pub(crate) fn wake(&self) {
        // When it is full the worker is going to wake anyway.
        let _ = self.nudge.try_send(());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    #[test]
    fn dropping_it_wakes_it_and_waits_for_its_last_act() {
        let acts = Arc::new(AtomicUsize::new(0));
        let (begun, begins) = std::sync::mpsc::channel();
        let run = {
            let acts = Arc::clone(&acts);
            move |stop: &Stop| {
                assert!(!stop.is_set());
                begun.send(()).unwrap();
                assert!(stop.sleep(LONG) && stop.is_set());
                assert!(stop.sleep_until_nudged(&Nudge::new(), Duration::MAX));
                acts.fetch_add(1, Ordering::Relaxed);
            }
        };
        let worker = Worker::start("test", run).unwrap();
        begins.recv().unwrap();
        assert_eq!(acts.load(Ordering::Relaxed), 0);
        drop(worker);
        assert_eq!(acts.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn nudges_before_it_sleeps_are_one_and_not_forgotten() {
        let (_stop, stopped) = Stop::new();
        let nudge = Nudge::new();
        (0..3).for_each(|_| nudge.wake());
        assert!(!stopped.sleep_until_nudged(&nudge, Duration::MAX));
        assert!(nudge.nudged.is_empty());
        assert!(!stopped.sleep_until_nudged(&nudge, Duration::from_millis(1)));
        nudge.wake();
        assert!(!stopped.sleep(Duration::from_millis(1)), "deaf to nudges");
        assert_eq!(nudge.nudged.len(), 1);
    }

    #[test]
    fn a_worker_that_panicked_can_be_dropped() {
        let run = |_: &Stop| panic!("this panic belongs to the test");
        drop(Worker::start("test", run).unwrap());
    }
}
