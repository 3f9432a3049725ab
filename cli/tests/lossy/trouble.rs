//! Errors of the disk: from a certain call on, for once or for good.

use rustix::io::Errno;

/// The calls that can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Open,
    Write,
    Sync,
    SyncFolder,
    Rename,
    Truncate,
}

impl Call {
    pub(crate) const ALL: [Self; 6] =
        [Self::Open, Self::Write, Self::Sync, Self::SyncFolder, Self::Rename, Self::Truncate];
}

/// What is to fail, and what did.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    planned: Option<Planned>,
    failed: usize,
}

/// What is to fail.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Planned {
    pub(crate) call: Call,
    /// So many calls go well before.
    pub(crate) after: usize,
    pub(crate) errno: Errno,
    /// Later calls fail too.
    pub(crate) for_good: bool,
}

impl Trouble {
    pub(crate) fn begin(&mut self, planned: Planned) {
        *self = Self { planned: Some(planned), failed: 0 };
    }

    /// The disk is whole again. Returns how many calls failed.
    pub(crate) fn end(&mut self) -> usize {
        std::mem::take(self).failed
    }

    /// Asked before each call.
    pub(super) fn before(&mut self, call: Call) -> Result<(), Errno> {
        let Some(planned) = self.planned.as_mut().filter(|planned| planned.call == call) else {
            return Ok(());
        };
        if planned.after > 0 {
            planned.after -= 1;
            return Ok(());
        }
        let errno = planned.errno;
        if !planned.for_good {
            self.planned = None;
        }
        self.failed += 1;
        Err(errno)
    }
}
