//! How far the write-ahead log reaches, read without opening the database.
//!
//! Opening replays the log up to the first record it can't read, takes that for the
//! end and clears the rest away. So whoever wants to refuse has to look before. The
//! log is read as `RocksDB` wrote it (`db/log_format.h`): blocks of 32 KiB, in each
//! one fragments of records, each with a checksum; a record begins with the number
//! of the first row it writes and with how many there are. A log goes on in the next
//! file, by the order of their numbers, with the row behind the last one of the file
//! before.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

const BLOCK_BYTES: usize = 32 * 1024;
const HEADER_BYTES: usize = 7;

/// Number of the first row, and how many.
const RECORD_HEAD_BYTES: usize = 8 + 4;

/// What the files of a write-ahead log hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Extent {
    /// Files of the log.
    pub(crate) files: usize,
    /// Bytes of all of them.
    pub(crate) bytes: u64,
    /// Number of the first row; none when no record can be read.
    pub(crate) first: Option<u64>,
    /// Number of the last row up to which nothing is missing, counted from the first
    /// file; none when no record can be read.
    pub(crate) end: Option<u64>,
    /// Where reading stopped before the end of the last file, if it did.
    pub(crate) stop: Option<Stop>,
    /// Number of the last row of a record that can be read behind that place.
    pub(crate) beyond: Option<u64>,
}

/// A place from which on the log can't be followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stop {
    /// The file's name.
    pub(crate) file: String,
    /// Bytes from its beginning.
    pub(crate) offset: u64,
    /// What is wrong there.
    pub(crate) why: Bad,
}

/// Reads the log in a database's folder. Blocks; takes two blocks of memory.
///
/// # Errors
/// When the folder or a file in it can't be read.
pub(crate) fn scan(database: &Path) -> io::Result<Extent> {
    let mut extent = Extent::default();
    for path in files(database)? {
        let file = File::open(&path)?;
        extent.files += 1;
        extent.bytes = extent.bytes.saturating_add(file.metadata()?.len());
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        extent.take(&name.unwrap_or_default(), file)?;
    }
    Ok(extent)
}

/// The log's files, oldest first.
fn files(database: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(database)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            let number = path.file_stem().and_then(|stem| stem.to_str()?.parse::<u64>().ok());
            found.extend(number.map(|number| (number, path)));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

impl Extent {
    fn take(&mut self, name: &str, file: impl Read) -> io::Result<()> {
        let mut records = Records::new(file, RECORD_HEAD_BYTES);
        while let Some(found) = records.next()? {
            match found {
                Found::Record => match rows_of(records.head()) {
                    Some((first, count)) => self.record(name, records.at, first, count),
                    None => self.stop(name, records.at, Bad::Short),
                },
                Found::Bad(why) => self.stop(name, records.at, why),
            }
        }
        Ok(())
    }

    fn record(&mut self, name: &str, offset: u64, first: u64, count: u32) {
        // An empty batch moves nothing on.
        let last = first.saturating_add(u64::from(count)).saturating_sub(1);
        match self.end {
            None if self.stop.is_none() => {
                self.first = Some(first);
                self.end = Some(last);
            }
            // Also behind a torn end: the log was gone on with from there.
            Some(end) if first == end.saturating_add(1) => {
                self.end = Some(last);
                self.stop = None;
            }
            _ => {
                self.stop(name, offset, Bad::Gap);
                self.beyond = self.beyond.max(Some(last));
            }
        }
    }

    fn stop(&mut self, name: &str, offset: u64, why: Bad) {
        self.stop.get_or_insert_with(|| Stop { file: name.to_owned(), offset, why });
    }
}

/// The number of the first row that a record writes, and how many it writes.
fn rows_of(head: &[u8]) -> Option<(u64, u32)> {
    let (first, rest) = head.split_first_chunk()?;
    let (count, _) = rest.split_first_chunk()?;
    Some((u64::from_le_bytes(*first), u32::from_le_bytes(*count)))
}

/// What is wrong at a place of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bad {
    /// The file ends within a record.
    Cut,
    /// A checksum is wrong.
    Checksum,
    /// A record begins within another, or ends without having begun.
    Torn,
    /// A record is shorter than its head.
    Short,
    /// The rows before this record are missing.
    Gap,
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cut => "it is cut",
            Self::Checksum => "a checksum is wrong",
            Self::Torn => "a record has no beginning or no end",
            Self::Short => "a record is too short",
            Self::Gap => "rows are missing before it",
        })
    }
}

pub(super) enum Found {
    Record,
    Bad(Bad),
}

/// The records of one file of the log, or of one that is framed like it.
pub(super) struct Records<R> {
    file: R,
    block: Vec<u8>,
    /// Of the block's bytes, those that were taken.
    taken: usize,
    /// Where in the file the block begins.
    base: u64,
    /// Where the record that is read begins.
    at: u64,
    /// The first bytes of the record, so many of them at most.
    head: Vec<u8>,
    head_bytes: usize,
    /// A record was begun and is not ended.
    within: bool,
}

impl<R: Read> Records<R> {
    pub(super) fn new(file: R, head_bytes: usize) -> Self {
        let (block, head) = (Vec::new(), Vec::with_capacity(head_bytes));
        Self { file, block, taken: 0, base: 0, at: 0, head, head_bytes, within: false }
    }

    /// The first bytes of the record that was found last.
    pub(super) fn head(&self) -> &[u8] {
        &self.head
    }

    /// The next whole record, or the next place that is none. After a bad place it
    /// goes on with the next block.
    pub(super) fn next(&mut self) -> io::Result<Option<Found>> {
        loop {
            let offset = self.base + self.taken as u64;
            let rest = self.block.get(self.taken..).unwrap_or_default();
            // Less than a header at a block's end is filled up with zeros.
            if rest.len() < HEADER_BYTES {
                let cut = !rest.is_empty() && self.block.len() < BLOCK_BYTES;
                if cut {
                    self.taken = self.block.len();
                    self.at = offset;
                    return Ok(Some(Found::Bad(Bad::Cut)));
                }
                if self.fill()? {
                    continue;
                }
                if std::mem::take(&mut self.within) {
                    return Ok(Some(Found::Bad(Bad::Cut)));
                }
                return Ok(None);
            }
            if !self.within {
                self.at = offset;
            }
            let (sort, body) = match fragment(rest) {
                Ok(fragment) => fragment,
                Err(why) => {
                    self.within = false;
                    self.at = offset;
                    self.taken = self.block.len();
                    return Ok(Some(Found::Bad(why)));
                }
            };
            self.taken += HEADER_BYTES + body.len();
            let (begins, ends) = match sort {
                Sort::Full => (true, true),
                Sort::First => (true, false),
                Sort::Middle => (false, false),
                Sort::Last => (false, true),
                Sort::Other => continue,
            };
            if begins == self.within {
                self.within = begins && !ends;
                self.head.clear();
                if begins {
                    self.head.extend(body.iter().take(self.head_bytes));
                }
                return Ok(Some(Found::Bad(Bad::Torn)));
            }
            if begins {
                self.head.clear();
            }
            let missing = self.head_bytes.saturating_sub(self.head.len());
            self.head.extend(body.iter().take(missing));
            self.within = !ends;
            if ends {
                return Ok(Some(Found::Record));
            }
        }
    }

    /// Reads the next block; false at the end of the file.
    fn fill(&mut self) -> io::Result<bool> {
        self.base += self.block.len() as u64;
        self.taken = 0;
        self.block.clear();
        let mut part = (&mut self.file).take(BLOCK_BYTES as u64);
        part.read_to_end(&mut self.block)?;
        Ok(!self.block.is_empty())
    }
}

/// What a fragment is of a record.
enum Sort {
    Full,
    First,
    Middle,
    Last,
    /// Facts about the file, which are no rows.
    Other,
}

/// The fragment at the beginning of these bytes of a block.
fn fragment(bytes: &[u8]) -> Result<(Sort, &[u8]), Bad> {
    let (header, rest) = bytes.split_at_checked(HEADER_BYTES).ok_or(Bad::Cut)?;
    let [c0, c1, c2, c3, l0, l1, sort] = *header else { return Err(Bad::Cut) };
    let length = usize::from(u16::from_le_bytes([l0, l1]));
    let body = rest.get(..length).ok_or(Bad::Cut)?;
    let covered = crc32c::crc32c_append(crc32c::crc32c(&[sort]), body);
    if mask(covered) != u32::from_le_bytes([c0, c1, c2, c3]) {
        return Err(Bad::Checksum);
    }
    let sort = match sort {
        1 => Sort::Full,
        2 => Sort::First,
        3 => Sort::Middle,
        4 => Sort::Last,
        _ => Sort::Other,
    };
    Ok((sort, body))
}

/// Checksums are stored masked, since checksums over checksums are weak.
const fn mask(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
#[path = "wal_tests.rs"]
mod tests;
