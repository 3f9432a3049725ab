//! The ordered key-value engine under the store: a small trait, so that the
//! rules above it run the same on RocksDB and in memory.
//!
//! Three words that are never mixed. *Written*: readers see it, a crash of
//! the process loses it. *Flushed*: the operating system has it, a crash of
//! the process keeps it, a power cut may lose it. *Synced*: it survives a
//! power cut. Whatever is lost is lost from the end: what survives is a prefix
//! of the batches in the order they were written.

pub mod faulty;
pub mod memory;
pub mod overlay;
pub mod rocks;
mod rot;

use bytes::Bytes;

use super::families::Family;
use super::keys::{Key, Table};

/// What an engine can do. Every call may block on the disk: none belongs on a
/// runtime worker.
pub trait Engine: Send + Sync {
    /// One row.
    ///
    /// # Errors
    /// [`EngineError`] when the disk or the data can't be read.
    fn read(&self, family: Family, key: &[u8]) -> Result<Option<Bytes>, EngineError>;

    /// The rows of a range, bounded.
    ///
    /// # Errors
    /// [`EngineError`] when the disk or the data can't be read.
    fn scan(&self, family: Family, scan: &Scan) -> Result<Scanned, EngineError>;

    /// Writes a batch, all of it or nothing, in the order of the calls.
    ///
    /// # Errors
    /// [`EngineError`]; the batch may then be written or not, and the engine
    /// must not be written to again.
    fn write(&self, batch: &[Write]) -> Result<(), EngineError>;

    /// Flushes all that was written: a crash of the process keeps it.
    ///
    /// # Errors
    /// [`EngineError`]; never to be tried again.
    fn flush(&self) -> Result<(), EngineError>;

    /// Syncs all that was written before the call: a power cut keeps it.
    ///
    /// # Errors
    /// [`EngineError`]; never to be tried again, since the kernel may have
    /// dropped the pages it could not write and say yes the next time.
    fn sync(&self) -> Result<(), EngineError>;

    /// Writes what is in memory to tables and begins a new write-ahead log, so that
    /// what was overwritten is in no log any more.
    ///
    /// # Errors
    /// [`EngineError`]; as with every write that failed.
    fn roll(&self) -> Result<(), EngineError>;

    /// Number of the last row that was written, counted from the engine's beginning and
    /// across restarts; 0 for an engine that doesn't count.
    fn rows_written(&self) -> u64 {
        0
    }

    /// Bytes in memory that are to go into files.
    fn unfiled_bytes(&self) -> u64 {
        0
    }

    /// Figures for metrics.
    fn usage(&self) -> Usage;
}

/// One change of one row.
#[derive(Clone, PartialEq, Eq)]
pub struct Write {
    /// The table.
    pub table: Table,
    /// The row.
    pub key: Key,
    /// Its value from now on; `None` deletes it.
    pub value: Option<Bytes>,
}

/// Without key and value: they hold what people wrote, names and token hashes.
impl std::fmt::Debug for Write {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Write")
            .field("table", &self.table)
            .field("value_bytes", &self.value.as_ref().map(Bytes::len))
            .finish_non_exhaustive()
    }
}

impl Write {
    /// Where the row lies: rows of one family compare as the engine orders them.
    #[must_use]
    pub fn place(&self) -> (Family, &[u8]) {
        (self.table.family(), self.key.as_bytes())
    }

    /// Bytes of key and value.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.key.as_bytes().len() + self.value.as_ref().map_or(0, Bytes::len)
    }
}

/// Which way a scan goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// From the lowest key up.
    Ascending,
    /// From the highest key down.
    Descending,
}

/// A bounded range read.
#[derive(Debug, Clone)]
pub struct Scan {
    /// Lowest key, itself included.
    pub from: Key,
    /// Highest key, itself not included.
    pub to: Key,
    /// Which way.
    pub order: Order,
    /// At most this many rows.
    pub rows: usize,
    /// At most this many bytes of keys and values; the first row is given in any case.
    pub bytes: usize,
}

/// What a scan found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scanned {
    /// Keys and values in the order of the scan.
    pub rows: Vec<(Bytes, Bytes)>,
    /// The limits ended it; the range holds more.
    pub more: bool,
}

/// Gathers rows until a limit of the scan ends it. Shared by the engines, so
/// that limits mean the same in all of them.
struct Gathering<'a> {
    scan: &'a Scan,
    bytes: usize,
    found: Scanned,
}

impl<'a> Gathering<'a> {
    fn new(scan: &'a Scan) -> Self {
        Self { scan, bytes: 0, found: Scanned::default() }
    }

    /// Whether it holds as many rows as it may.
    fn is_full(&self) -> bool {
        !self.found.rows.is_empty() && self.found.rows.len() >= self.scan.rows
    }

    /// Takes the next row of the range; false when it was one too many.
    fn take(&mut self, key: &[u8], value: &[u8]) -> bool {
        self.bytes = self.bytes.saturating_add(key.len()).saturating_add(value.len());
        let rows = &mut self.found.rows;
        let over = self.bytes > self.scan.bytes && !rows.is_empty();
        self.found.more = over || rows.len() >= self.scan.rows;
        if !self.found.more {
            rows.push((Bytes::copy_from_slice(key), Bytes::copy_from_slice(value)));
        }
        !self.found.more
    }
}

/// What kind of trouble an engine is in; decides what an operator is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The disk is full or the quota is used up.
    NoSpace,
    /// The folder or file system can't be written to.
    ReadOnly,
    /// Another process has the store open.
    InUse,
    /// The data on disk is not what was written.
    Corrupt,
    /// Any other failure of the disk.
    Io,
}

/// An engine call failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("could not {doing}: {cause}")]
pub struct EngineError {
    /// What was being done, as an infinitive.
    pub doing: &'static str,
    /// What kind of trouble it is.
    pub trouble: Trouble,
    /// The engine's own words.
    pub cause: String,
}

impl EngineError {
    /// The database says that a file of its write-ahead log is gone or too short.
    pub(in crate::storage::store) fn is_of_a_missing_log(&self) -> bool {
        // It has no error of its own for that.
        self.trouble == Trouble::Corrupt
            && ["Missing WAL", "Size mismatch: WAL"].iter().any(|words| self.cause.contains(words))
    }
}

/// Figures of an engine.
#[derive(Debug, Clone, Default)]
pub struct Usage {
    /// One per family.
    pub families: Vec<FamilyUsage>,
    /// Bytes in the block cache.
    pub cache_bytes: u64,
    /// Bytes in memtables of all families.
    pub write_buffer_bytes: u64,
    /// Writes are stopped until compaction catches up.
    pub writes_stopped: bool,
}

/// Figures of one family. Estimates of the engine, not counts.
#[derive(Debug, Clone, Default)]
pub struct FamilyUsage {
    /// Its name on disk.
    pub name: &'static str,
    /// Rows, estimated.
    pub rows: u64,
    /// Bytes in sorted files.
    pub table_bytes: u64,
    /// Bytes in blob files.
    pub blob_bytes: u64,
    /// Bytes in memory, not yet in files.
    pub memory_bytes: u64,
    /// Bytes that wait for compaction.
    pub compaction_bytes: u64,
}

#[cfg(test)]
mod rotten_tests;
#[cfg(test)]
mod tests;
