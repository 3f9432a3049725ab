//! SIGTERM and SIGINT: the first has the server drain, the second cuts that short, and
//! the process ends in bounded time whatever its disk does.
//!
//! On a thread with a runtime of its own: the server's may wait for the disk with every
//! thread it has.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context as _;
use parley_server::node::Unsynced;
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::logging;

/// What is left after the drain, or after the second signal, for the last sessions and
/// for what was accepted to be committed.
const CLOSE_WITHIN: Duration = Duration::from_secs(15);

/// How long an end may take that does nothing any more: the store's own threads are waited
/// for, and they may wait for the disk.
const EXIT_WITHIN: Duration = Duration::from_secs(2);

/// What is told, and what there is to say.
pub(crate) struct Told {
    /// Cancelled by the first signal.
    pub(crate) stop: CancellationToken,
    /// Cancelled by the second.
    pub(crate) now: CancellationToken,
    /// How long the drain may take.
    pub(crate) drain: Duration,
    /// Set once the node has started.
    pub(crate) unsynced: Arc<OnceLock<Unsynced>>,
}

/// Watches from now on, until the process ends.
pub(crate) fn watch(told: Told) -> anyhow::Result<()> {
    let runtime =
        Builder::new_current_thread().enable_all().build().context("cannot watch for signals")?;
    let signals = {
        let _within = runtime.enter();
        Signals::new()?
    };
    std::thread::Builder::new()
        .name("parley-signals".to_owned())
        .spawn(move || runtime.block_on(run(signals, told)))
        .context("cannot watch for signals")?;
    Ok(())
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        let open = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            terminate: open(SignalKind::terminate())?,
            interrupt: open(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

async fn run(mut signals: Signals, told: Told) {
    signals.next().await;
    tracing::info!("told to stop: draining; a second signal cuts it short");
    told.stop.cancel();
    let last = Instant::now() + told.drain + CLOSE_WITHIN;
    tokio::select! {
        () = signals.next() => {
            tracing::info!("told again: closing at once");
            told.now.cancel();
            sleep_until(last.min(Instant::now() + CLOSE_WITHIN)).await;
        }
        () = sleep_until(last) => {}
    }
    give_up(&told);
}

fn give_up(told: &Told) -> ! {
    let waiting = told.unsynced.get().map_or(0, Unsynced::count);
    tracing::error!(waiting, "not closed in time: ending the process");
    logging::tell(format_args!(
        "parley: not closed within {} s of the drain: {waiting} writes were not synced, and none \
         of them acknowledged. Look at the disk, then start again.",
        CLOSE_WITHIN.as_secs()
    ));
    exit_failed()
}

/// Ends the process with 1, or by force should that take long.
pub(crate) fn exit_failed() -> ! {
    std::thread::spawn(|| {
        std::thread::sleep(EXIT_WITHIN);
        let _ =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    });
    std::process::exit(1);
}
