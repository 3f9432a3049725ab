//! The floor: how much was acknowledged, kept beside the database.
//!
//! A database can't tell that its newest part is gone: a write-ahead log that was
//! cut, emptied, removed or hit by a flipped bit ends earlier, and that is all one
//! sees. So after each sync, and before anybody is answered, the number of the last
//! row that is durable goes into the file `FLOOR` of the data folder. A start that
//! finds less refuses, and says what is missing ([`loss`]).
//!
//! The file is handed to the operating system and synced once a second on a thread of
//! its own: a killed process leaves it exact, a power cut up to a second old. It is
//! never ahead of what was synced. It is written over in place and needs no room; when
//! it can't be written, what it says is old and still true, so commits go on.
//!
//! It also knows its own file: in a copy of the folder the file is another one, and the
//! store gets a new incarnation there.

mod bytes;
pub(crate) mod loss;
pub(crate) mod manifest;
pub(crate) mod wal;

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use parking_lot::Mutex;
use parley_protocol::ConversationId;

pub(crate) use bytes::Gain;
use bytes::{CELL_BYTES, CELLS, CELLS_AT, FILE_BYTES, Head, PAGE_BYTES};

/// The file's name in the data folder.
pub(crate) const FILE: &str = "FLOOR";

const SYNC_EVERY: Duration = Duration::from_secs(1);

/// What was found of a floor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    head: Head,
    gains: Vec<Gain>,
    /// The file is the one it was written for, and no copy of it.
    original: bool,
}

impl Found {
    /// Number of the last row that was acknowledged.
    pub(crate) const fn rows(&self) -> u64 {
        self.head.rows
    }

    pub(crate) const fn boots(&self) -> u64 {
        self.head.boots
    }

    pub(crate) const fn node_id(&self) -> [u8; 16] {
        self.head.node_id
    }

    pub(crate) const fn is_original(&self) -> bool {
        self.original
    }

    /// Files of long texts whose loss was accepted.
    pub(crate) const fn missing_files(&self) -> u64 {
        self.head.missing_files
    }

    /// What conversations gained in commits that reach beyond this row; false when
    /// older gains of that sort may be overwritten.
    pub(crate) fn gains_beyond(&self, rows: u64) -> (impl Iterator<Item = &Gain>, bool) {
        let oldest = self.gains.iter().map(|gain| gain.rows).min();
        let all = self.head.cells <= CELLS || oldest.is_some_and(|oldest| oldest <= rows);
        (self.gains.iter().filter(move |gain| gain.rows > rows), all)
    }
}

/// Reads the floor in a data folder, if there is one.
///
/// # Errors
/// When it can't be read; [`io::ErrorKind::InvalidData`] when no head of it is whole.
pub(crate) fn read(folder: &Path) -> io::Result<Option<Found>> {
    let file = match File::open(folder.join(FILE)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut heads = [0, PAGE_BYTES].into_iter().map(|at| head_at(&file, at));
    let newest = heads.by_ref().flatten().max_by_key(|head| head.turn);
    let head = newest.ok_or(io::ErrorKind::InvalidData)?;
    let mut cells = vec![0; CELL_BYTES * usize::try_from(CELLS).unwrap_or(0)];
    let read = fill(&file, &mut cells, CELLS_AT)?;
    let gains = cells.get(..read).unwrap_or_default().chunks_exact(CELL_BYTES);
    let gains = gains.filter_map(Gain::decode).collect();
    let original = identity(&file.metadata()?) == (head.inode, head.born_ns);
    Ok(Some(Found { head, gains, original }))
}

fn head_at(file: &File, at: u64) -> Option<Head> {
    let mut page = [0; 512];
    let read = fill(file, &mut page, at).ok()?;
    Head::decode(page.get(..read)?)
}

/// Reads as much as there is; a file that was cut is no error.
fn fill(file: &File, bytes: &mut [u8], at: u64) -> io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = bytes.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, at + done as u64) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// What tells a file from any copy of it: its number and when it was made.
fn identity(metadata: &Metadata) -> (u64, u64) {
    // Both: the number of a file that was removed is given again.
    let born = metadata.created().ok().and_then(|born| born.duration_since(UNIX_EPOCH).ok());
    let born_ns = born.map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(0));
    (metadata.ino(), born_ns)
}

/// The floor of a store that is open. Closed when dropped: the last of it is synced.
pub(crate) struct Floor {
    shared: Arc<Shared>,
    thread: Option<(Sender<()>, thread::JoinHandle<()>)>,
}

struct Shared {
    file: File,
    state: Mutex<State>,
}

struct State {
    head: Head,
    /// Written since the last sync.
    dirty: bool,
    /// Writing failed, and that was said.
    failing: bool,
    cells: Vec<u8>,
}

/// What a floor begins with at a start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Beginning {
    pub(crate) rows: u64,
    pub(crate) boots: u64,
    pub(crate) node_id: [u8; 16],
    pub(crate) missing_files: u64,
}

impl Floor {
    /// Makes the file or goes on with the one there is, notes the beginning and syncs it.
    ///
    /// # Errors
    /// When it can't be made, written or synced.
    pub(crate) fn open(
        folder: &Path,
        found: Option<&Found>,
        beginning: Beginning,
    ) -> io::Result<Self> {
        let path = folder.join(FILE);
        let file = match found {
            Some(_) => OpenOptions::new().read(true).write(true).open(&path)?,
            None => make(&path)?,
        };
        let (inode, born_ns) = identity(&file.metadata()?);
        let (turn, cells) = found.map_or((0, 0), |found| (found.head.turn, found.head.cells));
        let Beginning { rows, boots, node_id, missing_files } = beginning;
        let head =
            Head { turn: turn + 1, rows, cells, boots, node_id, inode, born_ns, missing_files };
        file.write_all_at(&head.encode(), head.offset())?;
        file.sync_all()?;
        File::open(folder)?.sync_all()?;
        let state = State { head, dirty: false, failing: false, cells: Vec::new() };
        let shared = Arc::new(Shared { file, state: Mutex::new(state) });
        let (stop, stopped) = channel::<()>();
        let for_thread = Arc::clone(&shared);
        let run = move || {
            while stopped.recv_timeout(SYNC_EVERY) == Err(RecvTimeoutError::Timeout) {
                for_thread.sync();
            }
            for_thread.sync();
        };
        let thread = thread::Builder::new().name("parley-floor".to_owned()).spawn(run)?;
        Ok(Self { shared, thread: Some((stop, thread)) })
    }

    /// Notes that all rows up to `rows` are synced, and what conversations gained in
    /// the commit that ends with it. To be called before anybody is told of them.
    pub(crate) fn note(
        &self,
        rows: u64,
        gains: impl Iterator<Item = (ConversationId, (u64, u64))>,
    ) {
        let mut state = self.shared.state.lock();
        let written = state.note(&self.shared.file, rows, gains);
        let failed = written.is_err();
        if failed != std::mem::replace(&mut state.failing, failed) {
            match written {
                Err(error) => tracing::error!(
                    %error,
                    "{FILE} can't be written: a loss of what is acknowledged from here on would \
                     not be noticed"
                ),
                Ok(()) => tracing::warn!("{FILE} is written again"),
            }
        }
    }
}

impl State {
    fn note(
        &mut self,
        file: &File,
        rows: u64,
        gains: impl Iterator<Item = (ConversationId, (u64, u64))>,
    ) -> io::Result<()> {
        self.cells.clear();
        for (conversation, seqs) in gains {
            self.cells.extend_from_slice(&Gain { conversation, seqs, rows }.encode());
        }
        let mut head =
            Head { turn: self.head.turn + 1, rows: rows.max(self.head.rows), ..self.head };
        // Cells first: a head that counts them must not be there without them.
        head.cells = put_cells(file, &self.cells, head.cells)?;
        file.write_all_at(&head.encode(), head.offset())?;
        self.head = head;
        self.dirty = true;
        Ok(())
    }
}

/// Writes cells into the ring, which may end among them. Returns how many were ever written.
fn put_cells(file: &File, cells: &[u8], before: u64) -> io::Result<u64> {
    let mut written = before;
    let mut rest = cells;
    while !rest.is_empty() {
        let place = written % CELLS;
        let room = usize::try_from(CELLS - place).unwrap_or(usize::MAX).saturating_mul(CELL_BYTES);
        let (here, behind) = rest.split_at(rest.len().min(room));
        file.write_all_at(here, CELLS_AT + place * CELL_BYTES as u64)?;
        written += (here.len() / CELL_BYTES) as u64;
        rest = behind;
    }
    Ok(written)
}

impl Shared {
    fn sync(&self) {
        if !std::mem::take(&mut self.state.lock().dirty) {
            return;
        }
        // Without the lock: a commit never waits for it.
        if let Err(error) = self.file.sync_data() {
            tracing::warn!(%error, "{FILE} can't be synced");
        }
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.thread.take() {
            drop(stop);
            // Its panic was logged; the file stays what it was.
            let _ = thread.join();
        }
    }
}

/// Makes the file with all its room, which it never leaves again.
fn make(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).create(true).truncate(true).mode(0o600);
    let file = options.open(path)?;
    let zeros = vec![0; 64 * 1024];
    let mut at = 0;
    while at < FILE_BYTES {
        let length = usize::try_from(FILE_BYTES - at).unwrap_or(zeros.len()).min(zeros.len());
        file.write_all_at(zeros.get(..length).unwrap_or_default(), at)?;
        at += length as u64;
    }
    file.sync_all()?;
    Ok(file)
}

/// Takes away a floor that is no use, so that a new one is made.
pub(crate) fn set_aside(folder: &Path) -> io::Result<PathBuf> {
    let aside = folder.join("FLOOR.bad");
    fs::rename(folder.join(FILE), &aside)?;
    Ok(aside)
}

#[cfg(test)]
#[path = "floor_tests.rs"]
mod tests;
