//! The disk under the data folder: how much room it has, how much a start needs, and
//! the file that keeps room for that.
//!
//! What is refused when is [`base::space`](crate::base::space)'s; here is looked, with
//! system calls, by a thread of its own and at a start. Knows no row.

mod disk;
mod marks;
mod reserve;
mod watch;

use std::path::Path;

pub use disk::{Room, room};
pub use marks::{MARGIN, log_bytes, marks, reserve_bytes};
pub use reserve::{RESERVE, Reserve};
pub use watch::{Watched, watch};

/// How much is to be kept free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// Free bytes below which nothing new is taken; 0 goes by the file system's size.
    pub free_bytes: u64,
    /// Bytes of the reserve file; 0 goes by the file system's size.
    pub reserve_bytes: u64,
}

/// What a start needs, and what there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Boot {
    /// Bytes of the write-ahead log: recovery writes as much into files.
    pub log_bytes: u64,
    /// Bytes needed: those, and a margin.
    pub needed: u64,
    /// Bytes the file system gives, the reserve given up if it was needed.
    pub free: u64,
    /// Whether the reserve was given up.
    pub gave_reserve: bool,
}

impl std::fmt::Display for Boot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mib = |bytes: u64| bytes.div_ceil(1024 * 1024);
        let (free, needed, log) = (mib(self.free), mib(self.needed), mib(self.log_bytes));
        write!(
            f,
            "{free} MiB free and a start needs {needed} MiB, of which {log} MiB are for the "
        )?;
        f.write_str("write-ahead log")
    }
}

impl Boot {
    /// Looks how much the database in `database` needs to start, and makes room by
    /// giving up the reserve of `folder` if there is too little. A file system that
    /// doesn't say how much it gives counts as roomy.
    #[must_use]
    pub fn prepare(folder: &Path, database: &Path) -> Self {
        let log_bytes = disk::bytes_of(database, "log");
        let needed = log_bytes.saturating_add(MARGIN);
        let free = || room(folder).map_or(u64::MAX, |room| room.free);
        let mut boot = Self { log_bytes, needed, free: free(), gave_reserve: false };
        if !boot.suffices() && reserve::give_up(folder) {
            boot = Self { free: free(), gave_reserve: true, ..boot };
        }
        boot
    }

    /// Whether a start has the room it needs.
    #[must_use]
    pub const fn suffices(&self) -> bool {
        self.free >= self.needed
    }
}
