//! How much of what isn't synced a power cut keeps, and what it bit off.

use std::fmt;
use std::ops::AddAssign;

/// What one cut is like. Extremes come often: they are what most errors need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// What isn't synced is gone.
    Nothing,
    /// All is there, as after a kill.
    Everything,
    /// Any part is there.
    Any,
}

impl Mood {
    pub(crate) fn choose(random: &mut fastrand::Rng) -> Self {
        match random.u8(..10) {
            0..2 => Self::Nothing,
            2 => Self::Everything,
            _ => Self::Any,
        }
    }

    /// How many of `count`, the oldest first.
    pub(crate) fn some_of(self, count: usize, random: &mut fastrand::Rng) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Everything => count,
            Self::Any => match random.u8(..3) {
                0 => 0,
                1 => count,
                _ => random.usize(..=count),
            },
        }
    }
}

/// In which order names reach the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// In the order they were made, and with the sync of a file all up to its own: ext4.
    Journal,
    /// In any, as far as one isn't made of the other: all that POSIX promises.
    Loose,
}

/// What was there before a cut and is not after it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Bites {
    /// Files with another content or length.
    pub(crate) files: usize,
    /// Bytes in them that are others or none.
    pub(crate) bytes: usize,
    /// Pages of which a part is older than the rest.
    pub(crate) torn: usize,
    /// Of the bytes, those in files of a write-ahead log.
    pub(crate) of_logs: usize,
    /// Names that were made, taken away or moved, and aren't.
    pub(crate) names: usize,
}

impl Bites {
    pub(crate) fn of_file(before: &[u8], after: &[u8], torn: usize) -> Self {
        let other = before.iter().zip(after).filter(|(before, after)| before != after).count();
        let bytes = other + before.len().abs_diff(after.len());
        Self { files: usize::from(bytes > 0), bytes, torn, of_logs: 0, names: 0 }
    }
}

impl AddAssign for Bites {
    fn add_assign(&mut self, more: Self) {
        self.files += more.files;
        self.bytes += more.bytes;
        self.torn += more.torn;
        self.of_logs += more.of_logs;
        self.names += more.names;
    }
}

impl fmt::Display for Bites {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { files, bytes, torn, of_logs, names } = self;
        write!(f, "{bytes} bytes of {files} files, {of_logs} of them of logs, ")?;
        write!(f, "{torn} torn pages, {names} names")
    }
}
