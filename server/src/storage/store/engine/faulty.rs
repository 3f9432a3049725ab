//! An engine around another that fails or waits on request, for tests of what
//! happens above it. Without a request it changes nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::{Condvar, Mutex};

use super::{Engine, EngineError, Family, Scan, Scanned, Trouble, Usage, Write};

/// The engine and its switches.
pub struct Faulty {
    inner: Arc<dyn Engine>,
    switches: Mutex<Switches>,
    turned: Condvar,
    syncs: AtomicU64,
}

/// A call that can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// [`Engine::write`], before anything is written.
    Write,
    /// [`Engine::flush`].
    Flush,
    /// [`Engine::sync`], after the batch was written.
    Sync,
}

/// Lets syncs go on when dropped.
pub struct HeldSyncs<'a>(&'a Faulty);

impl Drop for HeldSyncs<'_> {
    fn drop(&mut self) {
        self.0.switches.lock().hold = false;
        self.0.turned.notify_all();
    }
}

#[derive(Default)]
struct Switches {
    fail: Option<(Call, Trouble)>,
    hold: bool,
    held: bool,
}

impl Faulty {
    /// Wraps `inner`, healthy.
    #[must_use]
    pub fn new(inner: Arc<dyn Engine>) -> Self {
        Self { inner, switches: Mutex::default(), turned: Condvar::new(), syncs: AtomicU64::new(0) }
    }

    /// The next call of this kind fails, once.
    pub fn fail_next(&self, call: Call, trouble: Trouble) {
        self.switches.lock().fail = Some((call, trouble));
    }

    /// Syncs wait from now on, until the guard is dropped: also by a test that
    /// fails, which else would wait for them for ever.
    #[must_use]
    pub fn hold_syncs(&self) -> HeldSyncs<'_> {
        self.switches.lock().hold = true;
        HeldSyncs(self)
    }

    /// Returns true once a sync waits, false if none does for `patience`. Call
    /// [`Faulty::hold_syncs`] before.
    #[must_use]
    pub fn wait_until_held(&self, patience: Duration) -> bool {
        let mut switches = self.switches.lock();
        let waited = self.turned.wait_while_for(&mut switches, |switches| !switches.held, patience);
        !waited.timed_out()
    }

    /// Syncs that succeeded.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::SeqCst)
    }

    fn check(&self, call: Call, doing: &'static str) -> Result<(), EngineError> {
        let mut switches = self.switches.lock();
        match switches.fail {
            Some((asked, trouble)) if asked == call => {
                switches.fail = None;
                Err(EngineError { doing, trouble, cause: "the test asked for it".to_owned() })
            }
            _ => Ok(()),
        }
    }
}

impl Engine for Faulty {
    fn read(&self, family: Family, key: &[u8]) -> Result<Option<Bytes>, EngineError> {
        self.inner.read(family, key)
    }

    fn scan(&self, family: Family, scan: &Scan) -> Result<Scanned, EngineError> {
        self.inner.scan(family, scan)
    }

    fn write(&self, batch: &[Write]) -> Result<(), EngineError> {
        self.check(Call::Write, "write a batch")?;
        self.inner.write(batch)
    }

    fn flush(&self) -> Result<(), EngineError> {
        self.check(Call::Flush, "flush the write-ahead log")?;
        self.inner.flush()
    }

    fn roll(&self) -> Result<(), EngineError> {
        self.inner.roll()
    }

    fn sync(&self) -> Result<(), EngineError> {
        {
            let mut switches = self.switches.lock();
            while switches.hold {
                switches.held = true;
                self.turned.notify_all();
                self.turned.wait(&mut switches);
            }
            switches.held = false;
        }
        self.check(Call::Sync, "sync the write-ahead log")?;
        self.inner.sync()?;
        self.syncs.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn rows_written(&self) -> u64 {
        self.inner.rows_written()
    }

    fn usage(&self) -> Usage {
        self.inner.usage()
    }
}
