//! The reserve: a file that takes room while there is plenty, so that a start finds
//! some when others have filled the disk.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;

/// Its name in the data folder.
pub const RESERVE: &str = "RESERVE";

/// The reserve of a data folder.
#[derive(Debug)]
pub struct Reserve {
    path: PathBuf,
    /// Why it could not be made, once that is known.
    failed: bool,
}

impl Reserve {
    /// That of this folder, there or not.
    #[must_use]
    pub fn of(folder: &Path) -> Self {
        Self { path: folder.join(RESERVE), failed: false }
    }

    /// Bytes it has now.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        fs::metadata(&self.path).map_or(0, |found| found.len())
    }

    /// Makes it as large as this, if it isn't. The caller has seen that there is room.
    /// Blocks on the disk. One that can't be made is said once and left alone.
    pub fn keep(&mut self, bytes: u64) {
        if self.failed || self.bytes() >= bytes {
            return;
        }
        if let Err(error) = make(&self.path, bytes) {
            self.failed = true;
            let _ = fs::remove_file(&self.path);
            tracing::warn!(%error, path = %self.path.display(), "the reserve could not be made");
        }
    }
}

/// Gives the reserve of a folder up. Returns whether there was one.
pub(super) fn give_up(folder: &Path) -> bool {
    let path = folder.join(RESERVE);
    match fs::remove_file(&path) {
        Ok(()) => {
            // So that the room is there at once, and after a power cut too.
            let synced = File::open(folder).and_then(|folder| folder.sync_all());
            if let Err(error) = synced {
                tracing::warn!(%error, path = %path.display(), "the reserve was given up unsynced");
            }
            true
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), "the reserve could not be given up");
            false
        }
    }
}

fn make(path: &Path, bytes: u64) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
    match fallocate(&file, FallocateFlags::empty(), 0, bytes) {
        Ok(()) => {}
        // No such thing there: written, as a hole takes no room.
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => fill(&mut file, bytes)?,
        Err(error) => return Err(error.into()),
    }
    file.sync_all()
}

fn fill(file: &mut File, bytes: u64) -> io::Result<()> {
    let chunk = vec![0; 1024 * 1024];
    let mut left = bytes;
    while left > 0 {
        let next = usize::try_from(left).unwrap_or(usize::MAX).min(chunk.len());
        file.write_all(chunk.get(..next).unwrap_or(&chunk))?;
        left = left.saturating_sub(next as u64);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn it_takes_room_and_gives_it_up() {
        let folder = tempfile::tempdir().unwrap();
        let mut reserve = Reserve::of(folder.path());
        assert!(!give_up(folder.path()));
        reserve.keep(3 << 20);
        assert_eq!(reserve.bytes(), 3 << 20);
        // No hole: the blocks are there.
        let blocks = fs::metadata(folder.path().join(RESERVE)).unwrap().blocks();
        assert!(blocks * 512 >= 3 << 20, "{blocks}");
        reserve.keep(1 << 20);
        assert_eq!(reserve.bytes(), 3 << 20, "it doesn't shrink");
        assert!(give_up(folder.path()));
        assert_eq!(reserve.bytes(), 0);
    }

    #[test]
    fn what_can_not_be_made_is_left_alone() {
        let mut reserve = Reserve::of(Path::new("/there/is/no/such/folder"));
        reserve.keep(1);
        assert!(reserve.failed);
    }

    #[test]
    fn without_fallocate_it_is_written() {
        let mut file = tempfile::tempfile().unwrap();
        fill(&mut file, (2 << 20) + 5).unwrap();
        assert_eq!(file.metadata().unwrap().len(), (2 << 20) + 5);
    }
}
