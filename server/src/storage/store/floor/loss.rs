//! What is missing of a store, found before anything is changed: the words a start
//! refuses with, and the name under which an operator may go on without it.

use std::fmt;
use std::io;
use std::path::Path;

use parley_protocol::ConversationId;
use rustc_hash::FxHashMap;
use xxhash_rust::xxh3::xxh3_64;

use super::Found;
use super::wal::{Extent, Stop};

/// Conversations that a refusal names.
const NAMED: usize = 10;

/// What is missing of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Floor(&'static str),
    Database { rows: u64 },
    OtherStore,
    Behind(Behind),
    Tables { known: u64, log_from: u64 },
    LogFile(String),
    LongTexts { files: u64, of: u64 },
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Behind {
    found: u64,
    acknowledged: u64,
    stop: Option<Stop>,
    beyond: bool,
    log_files: usize,
    /// Sorted by conversation: its first and last entry that may be missing.
    missing: Vec<(ConversationId, (u64, u64))>,
    /// There may be others.
    others: bool,
}

impl Loss {
    /// What was acknowledged isn't noted any more.
    pub(crate) const fn of_floor(why: &'static str) -> Self {
        Self(Kind::Floor(why))
    }

    /// The database is gone.
    pub(crate) const fn of_database(rows: u64) -> Self {
        Self(Kind::Database { rows })
    }

    /// The database is another store's.
    pub(crate) const fn of_other_store() -> Self {
        Self(Kind::OtherStore)
    }

    /// A file of the write-ahead log that the database wants is gone or too short.
    pub(crate) fn of_log_file(cause: &str) -> Self {
        Self(Kind::LogFile(cause.to_owned()))
    }

    /// The database has forgotten tables: it knows rows up to `known`, and the log begins
    /// with `log_from`.
    pub(crate) const fn of_tables(known: u64, log_from: u64) -> Self {
        Self(Kind::Tables { known, log_from })
    }

    /// Files of long texts are gone or too short.
    pub(crate) const fn of_long_texts(files: u64, of: u64) -> Self {
        Self(Kind::LongTexts { files, of })
    }

    /// Compares how far a database reaches with what was acknowledged.
    pub(crate) fn behind(found: u64, extent: &Extent, floor: &Found) -> Option<Self> {
        if found >= floor.rows() {
            return None;
        }
        let (gains, all) = floor.gains_beyond(found);
        let mut missing = FxHashMap::default();
        for gain in gains {
            let (first, last) = gain.seqs;
            let seqs: &mut (u64, u64) = missing.entry(gain.conversation).or_insert(gain.seqs);
            *seqs = (seqs.0.min(first), seqs.1.max(last));
        }
        let mut missing: Vec<_> = missing.into_iter().collect();
        missing.sort_unstable();
        Some(Self(Kind::Behind(Behind {
            found,
            acknowledged: floor.rows(),
            stop: extent.stop.clone(),
            beyond: extent.beyond.is_some(),
            log_files: extent.files,
            missing,
            others: !all,
        })))
    }

    /// Names this very loss: eight hex digits, other ones for any other loss.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{:08x}", xxh3_64(self.to_string().as_bytes()) >> 32)
    }

    /// Whether this is what an operator named.
    #[must_use]
    pub fn is(&self, named: Option<&str>) -> bool {
        named.is_some_and(|named| named.eq_ignore_ascii_case(&self.id()))
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Floor(why) => write!(
                f,
                "the file FLOOR, which says how much was acknowledged, {why}: whether something \
                 is missing can't be known"
            ),
            Kind::Database { rows } => write!(
                f,
                "db/ is gone or empty, and {rows} rows were acknowledged: all accounts and all \
                 conversations are missing (is a disk not mounted?)"
            ),
            Kind::OtherStore => write!(f, "db/ is the database of another store"),
            Kind::Behind(behind) => behind.fmt(f),
            Kind::Tables { known, log_from } => write!(
                f,
                "db/MANIFEST, the list of tables, knows rows up to {known}, and the write-ahead \
                 log begins with row {log_from}: what was written between is missing (the list is \
                 cut, or is an older one; opening the database takes tables away that it doesn't \
                 list)"
            ),
            Kind::LogFile(cause) => {
                write!(f, "a file of the write-ahead log is missing or cut ({cause})")
            }
            Kind::LongTexts { files, of } => write!(
                f,
                "{files} of the {of} files with long texts (db/*.blob) are missing or cut: what \
                 was longer than 4 KiB can't be read where it lay in them"
            ),
        }
    }
}

impl fmt::Display for Behind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { found, acknowledged, stop, beyond, log_files, missing, others } = self;
        write!(f, "the database ends at row {found}, and {acknowledged} were acknowledged")?;
        match stop {
            Some(Stop { file, offset, why }) => {
                write!(f, " (db/{file} can't be followed from byte {offset}: {why}")?;
                if *beyond {
                    write!(f, "; what lies behind it can be read")?;
                }
                write!(f, ")")?;
            }
            None if *log_files == 0 => write!(f, " (there is no write-ahead log in db/)")?,
            None => write!(f, " (the write-ahead log in db/ is cut, or is an older one)")?,
        }
        let count = |seqs: (u64, u64)| seqs.1.saturating_sub(seqs.0).saturating_add(1);
        let entries: u64 = missing.iter().map(|(_, seqs)| count(*seqs)).sum();
        let conversations = missing.len();
        write!(f, "; at most {entries} entries of {conversations} conversations are missing")?;
        for (index, (conversation, (first, last))) in missing.iter().take(NAMED).enumerate() {
            let before = if index == 0 { ": " } else { ", " };
            write!(f, "{before}{conversation} {first} to {last}")?;
        }
        if conversations > NAMED {
            write!(f, " and {} more conversations", conversations - NAMED)?;
        }
        if *others {
            // An entry takes two rows at least.
            let more = (acknowledged - found) / 2;
            write!(f, ", and of conversations that are not noted any more {more} at most")?;
        }
        Ok(())
    }
}

/// How many files with long texts a database's folder holds, and their bytes. The database
/// may be open and take files away meanwhile.
///
/// # Errors
/// When the folder can't be read.
pub(crate) fn long_text_files(database: &Path) -> io::Result<(u64, u64)> {
    let (mut files, mut bytes) = (0_u64, 0_u64);
    for entry in std::fs::read_dir(database)? {
        let entry = entry?;
        if entry.path().extension().is_none_or(|extension| extension != "blob") {
            continue;
        }
        match entry.metadata() {
            Ok(found) => {
                files += 1;
                bytes = bytes.saturating_add(found.len());
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok((files, bytes))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_that_is_taken_away_while_files_are_counted_is_not_counted() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("stays.blob"), [0; 10]).unwrap();
        std::thread::scope(|threads| {
            let taken = threads.spawn(|| {
                for round in 0..200 {
                    let path = |file| folder.path().join(format!("{round}-{file}.blob"));
                    (0..20).for_each(|file| fs::write(path(file), []).unwrap());
                    (0..20).for_each(|file| fs::remove_file(path(file)).unwrap());
                }
            });
            while !taken.is_finished() {
                let (files, bytes) = long_text_files(folder.path()).unwrap();
                assert!(files >= 1 && bytes == 10, "{files}, {bytes}");
            }
        });
    }
}
