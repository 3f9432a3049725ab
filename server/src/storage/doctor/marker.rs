//! The marker of a data folder, read without touching anything, and who holds its lock.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use parley_core::shard::placement::ShardCount;

/// The marker's name.
const MARKER: &str = "PARLEY";

/// More than a marker ever has.
const MOST_BYTES: u64 = 256;

/// What a marker says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marker {
    /// The format of the store.
    pub format: u32,
    /// Its number of shards.
    pub shards: ShardCount,
}

/// Why there is no marker.
#[derive(Debug, thiserror::Error)]
pub enum MarkerError {
    /// There is none, or it can't be read.
    #[error("the marker {MARKER} can't be read: {0}")]
    Read(#[from] io::Error),
    /// It says something else.
    #[error("the marker {MARKER} is not one: it says {0:?}")]
    Unknown(String),
}

impl Marker {
    /// Reads the marker of a data folder.
    ///
    /// # Errors
    /// [`MarkerError`].
    pub fn read(data: &Path) -> Result<Self, MarkerError> {
        let mut bytes = Vec::new();
        File::open(data.join(MARKER))?.take(MOST_BYTES).read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        Self::parse(&text).ok_or_else(|| MarkerError::Unknown(text.chars().take(40).collect()))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let first = lines.next()?;
        let mut number =
            |word: &str| lines.next()?.strip_prefix(word)?.strip_prefix(' ')?.parse().ok();
        let (format, shards) = (number("format")?, number("shards")?);
        let shards = ShardCount::new(u16::try_from(shards).ok()?)?;
        (first == "parley store").then_some(Self { format, shards })
    }
}

/// The process that holds the lock of a data folder, by what the kernel lists. The lock is
/// not tried: a server that starts at that moment would be refused.
///
/// # Errors
/// The system's, when it doesn't list locks.
pub fn holder(data: &Path) -> io::Result<Option<u32>> {
    let marker = fs::metadata(data.join(MARKER))?;
    let (device, inode) = (marker.dev(), marker.ino());
    // As the kernel puts a device's two numbers into one.
    let major = device >> 8 & 0xfff | device >> 32 & !0xfff;
    let minor = device & 0xff | device >> 12 & !0xff & 0xffff_ffff;
    Ok(holder_of(&fs::read_to_string("/proc/locks")?, &format!("{major:02x}:{minor:02x}:{inode}")))
}

fn holder_of(locks: &str, file: &str) -> Option<u32> {
    let lines = locks.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mut held = lines.filter_map(|words| match words.as_slice() {
        [_, "FLOCK", _, "WRITE", process, at, ..] if *at == file => process.parse().ok(),
        _ => None,
    });
    held.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_read_and_anything_else_is_none() {
        let marker = Marker::parse("parley store\nformat 1\nshards 64\n").unwrap();
        assert_eq!((marker.format, marker.shards.get()), (1, 64));
        for text in
            ["", "parley store\n", "x\nformat 1\nshards 64", "parley store\nformat 1\nshards 0"]
        {
            assert_eq!(Marker::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn the_holder_of_a_lock_is_found_among_others() {
        let locks = "1: POSIX  ADVISORY  WRITE 7 fd:01:99 0 EOF\n\
                     2: FLOCK  ADVISORY  WRITE 1234 fd:01:99 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 5 fd:01:99 0 EOF\n";
        assert_eq!(holder_of(locks, "fd:01:99"), Some(1234));
        assert_eq!(holder_of(locks, "fd:01:98"), None);
    }

    #[test]
    fn who_locks_a_folder_is_seen_without_taking_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let marker = folder.path().join(MARKER);
        fs::write(&marker, "parley store\nformat 1\nshards 4\n").unwrap();
        assert_eq!(holder(folder.path()).unwrap(), None);
        let file = File::open(&marker).unwrap();
        file.try_lock().unwrap();
        assert_eq!(holder(folder.path()).unwrap(), Some(std::process::id()));
    }
}
