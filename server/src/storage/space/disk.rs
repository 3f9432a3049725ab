//! What the file system says of itself.

use std::fs;
use std::io;
use std::path::Path;

/// The room of a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Bytes it gives to this user.
    pub free: u64,
    /// Bytes it has.
    pub total: u64,
}

/// The room of the file system that `path` is on.
///
/// # Errors
/// The system's.
pub fn room(path: &Path) -> io::Result<Room> {
    let found = rustix::fs::statvfs(path)?;
    let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
    Ok(Room { free: bytes(found.f_bavail), total: bytes(found.f_blocks) })
}

/// Bytes of the files in `folder` whose names end so. 0 where it can't be read: whoever
/// opens it next says so.
pub(super) fn bytes_of(folder: &Path, extension: &str) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let of = |entry: fs::DirEntry| {
        let counts = entry.path().extension().is_some_and(|found| found == extension);
        if counts { entry.metadata().map_or(0, |found| found.len()) } else { 0 }
    };
    entries.flatten().map(of).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_a_size_and_no_more_room_than_that() {
        let found = room(&std::env::temp_dir()).unwrap();
        assert!(found.total > 0 && found.free <= found.total, "{found:?}");
        assert!(room(Path::new("/there/is/no/such/folder")).is_err());
    }

    #[test]
    fn only_files_of_that_name_count() {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in [("000004.log", 10), ("000009.log", 20), ("000005.sst", 40)] {
            fs::write(folder.path().join(name), vec![1; bytes]).unwrap();
        }
        assert_eq!(bytes_of(folder.path(), "log"), 30);
        assert_eq!(bytes_of(&folder.path().join("missing"), "log"), 0);
    }
}
