//! `parley doctor --salvage`: a new store of all that can be read of a damaged one.
//!
//! Rows that are what they should be are copied; what follows from the logs is made anew;
//! the place of an entry that is lost is held, so that no seq is given twice. The old
//! store is only read. The new one is made in a folder within the new data folder and
//! moved to its place at the end: a salvage that was cut short leaves nothing that a
//! server would start on.

mod accounts;
mod conversations;
mod copy;
mod place;
mod state;

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use parking_lot::Mutex;
use parley_core::shard::placement::ShardCount;

use super::finding::{Line, Tally};
use super::marker::Marker;
use super::pace::Pace;
use super::rows::{Asked, Cx, value};
use super::{BUDGET, DATABASE};
use crate::storage::store::engine::rocks::{Budget, Recovery, Rocks};
use crate::storage::store::tables::meta;
use crate::storage::store::{
    Engine as _, EngineError, Fact, OpenError, Options, RowKey, Store, Write,
};
pub(super) use copy::Copied;

/// Where the new store is made until it is whole.
const UNFINISHED: &str = ".unfinished";

/// Bytes of rows that are written at a time.
const BATCH_BYTES: usize = 1 << 20;

/// Why nothing was salvaged.
#[derive(Debug, thiserror::Error)]
pub enum SalvageError {
    /// A server runs on the old folder.
    #[error("a server runs on {}; stop it first", .0.display())]
    InUse(PathBuf),
    /// The new folder holds something.
    #[error("{} is not empty; name a new folder", .0.display())]
    NotEmpty(PathBuf),
    /// The new store can't be made.
    #[error("the new store can't be made: {0}")]
    Open(#[from] OpenError),
    /// The old one can't be read, or the new one not written.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A folder or file can't be read or written.
    #[error("could not {doing} {}: {source}", path.display())]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// What was being done, as an infinitive.
        doing: &'static str,
        /// The system's answer.
        source: io::Error,
    },
}

/// The new store while it is made.
pub(super) struct New {
    pub(super) rocks: Rocks,
    pub(super) count: ShardCount,
    batch: Mutex<Batch>,
}

#[derive(Default)]
struct Batch {
    writes: Vec<Write>,
    bytes: usize,
}

impl New {
    fn over(rocks: Rocks, count: ShardCount) -> Self {
        Self { rocks, count, batch: Mutex::default() }
    }

    /// Writes a row, together with others.
    pub(super) fn write(&self, write: Write) -> Result<(), EngineError> {
        let mut batch = self.batch.lock();
        batch.bytes += write.size_bytes();
        batch.writes.push(write);
        if batch.bytes < BATCH_BYTES {
            return Ok(());
        }
        let Batch { writes, .. } = std::mem::take(&mut *batch);
        self.rocks.write(&writes)
    }

    /// Writes what waits, so that it is read.
    pub(super) fn flush(&self) -> Result<(), EngineError> {
        let Batch { writes, .. } = std::mem::take(&mut *self.batch.lock());
        self.rocks.write(&writes)
    }
}

/// Makes a store in the folder `target` of all that can be read of the one in `source`,
/// whose database is `rocks`. Blocks. Says, one line for each sort of rows, what was kept
/// and what is lost.
///
/// # Errors
/// [`SalvageError`]; the folder `target` then holds no store.
pub fn salvage(
    rocks: &Rocks,
    marker: &Marker,
    (source, target): (&Path, &Path),
    pace: Pace<'_>,
) -> Result<Vec<Line>, SalvageError> {
    // Held to the end: no server starts on it meanwhile.
    let _lock = lock(source)?;
    let work = made(target)?;
    let shards = marker.shards;
    let options = Options { shard_count: shards.get(), ..Options::new(&work) };
    drop(Store::open(&options)?);
    let budget = Budget {
        cache_bytes: BUDGET.cache_bytes,
        write_buffer_bytes: options.write_buffer_bytes,
        wal_bytes: options.wal_bytes,
        open_files: options.open_files,
    };
    let new = Rocks::open(&work.join(DATABASE), budget, Recovery::Prefix)?;
    let new = New::over(new, shards);
    let mut cx = Cx { rocks, count: shards, tally: Tally::default(), pace, newest_ms: 0 };
    cx.pace.expect(rocks.file_bytes());
    let copied = copy::all(&mut cx, &new)?;
    new.flush()?;
    let mut lines = cx.tally.lines();
    lines.retain(|line| !line.examples.is_empty());
    lines.push(conversations::mend(&copied, &new)?);
    lines.push(accounts::mend(&new)?);
    facts(rocks, &copied, &new)?;
    new.flush()?;
    new.rocks.sync()?;
    new.rocks.roll()?;
    drop(new);
    // Opened and closed as a server does it, so that the folder is what a server leaves.
    drop(Store::open(&options)?);
    copy_files(&source.join("tls"), &work.join("tls"))?;
    move_up(&work, target)?;
    Ok(lines)
}

fn lock(source: &Path) -> Result<File, SalvageError> {
    let path = source.join("PARLEY");
    let marker = File::open(&path).map_err(failed(&path, "open"))?;
    match marker.try_lock() {
        Ok(()) => Ok(marker),
        Err(fs::TryLockError::WouldBlock) => Err(SalvageError::InUse(source.to_owned())),
        Err(fs::TryLockError::Error(source)) => {
            Err(SalvageError::Io { path, doing: "lock", source })
        }
    }
}

/// Makes the new folder, and the one within it.
fn made(target: &Path) -> Result<PathBuf, SalvageError> {
    let make = |path: &Path| DirBuilder::new().recursive(true).mode(0o700).create(path);
    make(target).map_err(failed(target, "create"))?;
    let mut inside = fs::read_dir(target).map_err(failed(target, "list"))?;
    if inside.next().is_some() {
        return Err(SalvageError::NotEmpty(target.to_owned()));
    }
    let work = target.join(UNFINISHED);
    make(&work).map_err(failed(&work, "create"))?;
    Ok(work)
}

/// What the node noted of itself. It is another life of the store: its incarnation was
/// drawn when it was made, and what is numbered by starts goes on above what was ever
/// given.
fn facts(old: &Rocks, copied: &Copied, new: &New) -> Result<(), EngineError> {
    let of = |fact| match value(old, &RowKey::Meta { fact }) {
        Asked::There(value) => Some(value),
        Asked::Missing | Asked::Unreadable => None,
    };
    let noted = of(Fact::Boots).and_then(|value| value.first_chunk().copied());
    let boots = noted.map_or(0, u64::from_be_bytes).max(copied.boots) + 1;
    new.write(meta::note(Fact::Boots, &boots.to_be_bytes()))?;
    for (fact, value) in [Fact::Clock, Fact::Erasing].map(|fact| (fact, of(fact))) {
        if let Some(value) = value {
            new.write(meta::note(fact, &value))?;
        }
    }
    Ok(())
}

/// Copies a folder's files with their rights; one that isn't there is none.
fn copy_files(from: &Path, to: &Path) -> Result<(), SalvageError> {
    let entries = match fs::read_dir(from) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(from, "list")(error)),
    };
    DirBuilder::new().recursive(true).mode(0o700).create(to).map_err(failed(to, "create"))?;
    for entry in entries {
        let path = entry.map_err(failed(from, "list"))?.path();
        let (Some(name), true) = (path.file_name(), path.is_file()) else { continue };
        let copy = to.join(name);
        fs::copy(&path, &copy).map_err(failed(&path, "copy"))?;
        File::open(&copy).and_then(|file| file.sync_all()).map_err(failed(&copy, "sync"))?;
    }
    Ok(())
}

/// Moves the whole store to its place, the marker last.
fn move_up(work: &Path, target: &Path) -> Result<(), SalvageError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(work).map_err(failed(work, "list"))? {
        names.push(entry.map_err(failed(work, "list"))?.file_name());
    }
    names.sort_by_key(|name| name == "PARLEY");
    for name in names {
        let (from, to) = (work.join(&name), target.join(&name));
        fs::rename(&from, &to).map_err(failed(&to, "move"))?;
        File::open(target).and_then(|folder| folder.sync_all()).map_err(failed(target, "sync"))?;
    }
    fs::remove_dir(work).map_err(failed(work, "remove"))
}

fn failed(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> SalvageError {
    let path = path.to_owned();
    move |source| SalvageError::Io { path, doing, source }
}

/// The write of a row.
pub(super) fn put(key: &RowKey, value: impl Into<Bytes>) -> Write {
    Write { table: key.table(), key: key.encode(), value: Some(value.into()) }
}

/// The write that takes a row away.
pub(super) fn delete(key: &RowKey) -> Write {
    Write { table: key.table(), key: key.encode(), value: None }
}
