//! Opening a store: the data folder, its marker, and every reason to refuse.
//!
//! A folder is ours if it holds the marker file `PARLEY`. The marker is read
//! before anything else and written, synced, before the database is made. So
//! a refusal leaves every byte as it was, and a creation that died half-way
//! is taken up where it stopped. The marker file is also what is locked
//! against a second server, since a database that is opened in vain has
//! already touched its folder.

use std::fs::{self, DirBuilder, File, Permissions, TryLockError};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::engine::rocks::{Budget, Rocks};
use super::engine::{Engine, Trouble};
use super::tables::meta::Meta;
use super::{Facts, Inner, Store, StoreError};
use crate::base::random;

/// The on-disk format this build reads and writes.
pub const FORMAT: u32 = 1;

/// Shards of a store unless chosen otherwise.
pub const SHARD_COUNT: u16 = 64;

/// How often opening to look is tried again.
const LOOKS: u32 = 5;

const MARKER: &str = "PARLEY";
const NEW_MARKER: &str = "PARLEY.new";
const DATABASE: &str = "db";

/// What may lie in the data folder before the store is made: what other parts
/// of the node keep there, and what file systems and people put there.
const NEIGHBOURS: [&str; 5] = [NEW_MARKER, "tls", "parley.toml", "lost+found", ".gitignore"];

/// How to open a store.
#[derive(Debug, Clone)]
pub struct Options {
    /// The data folder. Made if missing, with mode 0700.
    pub path: PathBuf,
    /// Number of shards, 1 to 4096. Counts when the store is made; afterwards
    /// it has to be the same.
    pub shard_count: u16,
    /// Memory for blocks read from disk.
    pub cache_bytes: usize,
    /// Memory for rows not yet in files, over all column families.
    pub write_buffer_bytes: usize,
    /// The write-ahead log is kept below this; it bounds the time of recovery.
    pub wal_bytes: u64,
    /// Table files held open; more of them than this are closed again.
    pub open_files: usize,
}

impl Options {
    /// The defaults for a folder.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            shard_count: SHARD_COUNT,
            cache_bytes: 64 * 1024 * 1024,
            write_buffer_bytes: 96 * 1024 * 1024,
            wal_bytes: 256 * 1024 * 1024,
            open_files: 1024,
        }
    }
}

/// Why a store was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("the data folder {} is in use by another server", path.display())]
    InUse {
        /// The data folder.
        path: PathBuf,
    },
    /// The folder holds something, and it is not a Parley store.
    #[error("{} is not a Parley store: it holds {found}; expected an empty folder or one with a file {MARKER}", path.display())]
    Unknown {
        /// The data folder.
        path: PathBuf,
        /// What is there instead.
        found: String,
    },
    /// The store was made by a build with another format.
    #[error("the store in {} has format {found}, this build reads format {expected}", path.display())]
    Format {
        /// The data folder.
        path: PathBuf,
        /// The store's format.
        found: u32,
        /// The build's format.
        expected: u32,
    },
    /// The store was made with another number of shards.
    #[error("the store in {} was made with {found} shards and the configuration says {configured}; the number can't be changed", path.display())]
    ShardCount {
        /// The data folder.
        path: PathBuf,
        /// The store's number.
        found: u16,
        /// The configured number.
        configured: u16,
    },
    /// The configured number of shards is out of bounds.
    #[error("a store has 1 to 4096 shards, not {configured}")]
    ShardCountInvalid {
        /// The configured number.
        configured: u16,
    },
    /// Parts of the store are missing.
    #[error("the store in {} is damaged: {found}", path.display())]
    Damaged {
        /// The data folder.
        path: PathBuf,
        /// What is wrong.
        found: String,
    },
    /// The folder or a file in it can't be read or written.
    #[error("could not {doing} {}: {source}", path.display())]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// What was being done, as an infinitive.
        doing: &'static str,
        /// The system's answer.
        source: io::Error,
    },
    /// The database can't be opened.
    #[error("could not open the store in {}: {source}", path.display())]
    Store {
        /// The data folder.
        path: PathBuf,
        /// Its answer.
        source: StoreError,
    },
}

/// The data folder, held by this process.
pub(super) struct Folder {
    path: PathBuf,
    // Holds the lock; the system gives it up with the file, whatever way we end.
    _marker: File,
}

impl Folder {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Store {
    /// Opens the store in a folder, or makes one in an empty or missing folder.
    /// Counts a boot. Blocks, for seconds after a crash under load.
    ///
    /// # Errors
    /// [`OpenError`]. After `InUse`, `Unknown`, `Format`, `ShardCount` and
    /// `Damaged` every byte in the folder is what it was.
    pub fn open(options: &Options) -> Result<Self, OpenError> {
        let configured = options.shard_count;
        if !(1..=4096).contains(&configured) {
            return Err(OpenError::ShardCountInvalid { configured });
        }
        let folder = take_folder(&options.path, configured)?;
        let database = folder.path.join(DATABASE);
        let budget = Budget {
            cache_bytes: options.cache_bytes,
            write_buffer_bytes: options.write_buffer_bytes,
            wal_bytes: options.wal_bytes,
            open_files: options.open_files,
        };
        let engine = Rocks::open(&database, budget).map_err(|error| match error.trouble {
            Trouble::InUse => OpenError::InUse { path: folder.path.clone() },
            _ => OpenError::Store { path: folder.path.clone(), source: error.into() },
        })?;
        Self::boot(Arc::new(engine), configured, Some(folder), random_id)
    }

    /// Looks into the store in a folder as it is now, also while a server has it
    /// open: for the operator's tools. Nothing can be written, and what a server
    /// writes later is not seen. Blocks.
    ///
    /// # Errors
    /// [`OpenError`]; nothing in the folder is changed.
    pub fn look(path: &Path) -> Result<Self, OpenError> {
        let budget = Budget {
            cache_bytes: 8 << 20,
            write_buffer_bytes: 1 << 20,
            wal_bytes: 0,
            // A guest holds all of them.
            open_files: usize::MAX,
        };
        if open_marker(&path.join(MARKER))?.is_none() {
            let found = format!("no file {MARKER}");
            return Err(OpenError::Unknown { path: path.to_owned(), found });
        }
        let failed = |source| OpenError::Store { path: path.to_owned(), source };
        // A server that compacts may move a file between two steps of opening.
        let mut tries = 0;
        let engine = loop {
            match Rocks::look(&path.join(DATABASE), budget) {
                Ok(engine) => break engine,
                Err(_) if tries < LOOKS => tries += 1,
                Err(error) => return Err(failed(error.into())),
            }
        };
        let meta = Meta::read(&engine).map_err(failed)?;
        let damaged = || OpenError::Damaged {
            path: path.to_owned(),
            found: "a database without its facts".to_owned(),
        };
        let facts = Facts {
            shard_count: meta.shard_count.ok_or_else(damaged)?,
            boots: meta.boots.unwrap_or(0),
            node_id: meta.node_id.ok_or_else(damaged)?,
            incarnation: meta.incarnation.unwrap_or_default(),
        };
        match meta.format {
            Some(FORMAT) => {}
            found => {
                let (path, found) = (path.to_owned(), found.unwrap_or(0));
                return Err(OpenError::Format { path, found, expected: FORMAT });
            }
        }
        Ok(Self { inner: Arc::new(Inner { engine: Arc::new(engine), facts, folder: None }) })
    }

    /// A store over any engine, for tests and simulation. Counts a boot. A new
    /// one has `node_id` as its incarnation too.
    ///
    /// # Errors
    /// [`OpenError::ShardCount`], [`OpenError::Format`] or [`OpenError::Store`].
    pub fn over(
        engine: Arc<dyn Engine>,
        shard_count: u16,
        node_id: [u8; 16],
    ) -> Result<Self, OpenError> {
        Self::boot(engine, shard_count, None, || Ok(node_id))
    }

    fn boot(
        engine: Arc<dyn Engine>,
        configured: u16,
        folder: Option<Folder>,
        draw: impl Fn() -> io::Result<[u8; 16]>,
    ) -> Result<Self, OpenError> {
        let path =
            folder.as_ref().map_or_else(|| PathBuf::from("memory"), |folder| folder.path.clone());
        let failed = |source| OpenError::Store { path: path.clone(), source };
        let meta = Meta::read(&*engine).map_err(failed)?;
        let format = meta.format.unwrap_or(FORMAT);
        if format != FORMAT {
            return Err(OpenError::Format { path, found: format, expected: FORMAT });
        }
        let found = meta.shard_count.unwrap_or(configured);
        if found != configured {
            return Err(OpenError::ShardCount { path, found, configured });
        }
        let kept_or_drawn = |kept: Option<[u8; 16]>| match kept {
            Some(id) => Ok(id),
            None => draw().map_err(|source| OpenError::Io {
                path: path.clone(),
                doing: "draw a random id for",
                source,
            }),
        };
        let node_id = kept_or_drawn(meta.node_id)?;
        let incarnation = kept_or_drawn(meta.incarnation)?;
        let boots = meta.boots.unwrap_or(0).saturating_add(1);
        let now = Meta {
            format: Some(FORMAT),
            shard_count: Some(found),
            boots: Some(boots),
            node_id: Some(node_id),
            incarnation: Some(incarnation),
        };
        let facts = Facts { shard_count: found, boots, node_id, incarnation };
        let store = Self { inner: Arc::new(Inner { engine, facts, folder }) };
        store.write_synced(&now.puts()).map_err(failed)?;
        Ok(store)
    }
}

fn random_id() -> io::Result<[u8; 16]> {
    let mut id = [0; 16];
    random::fill(&mut id).map_err(io::Error::other)?;
    Ok(id)
}

/// Makes sure the folder is ours and nobody else's, and locks it.
fn take_folder(path: &Path, configured: u16) -> Result<Folder, OpenError> {
    make_folder(path)?;
    let path = path.canonicalize().map_err(io_error(path, "find the folder"))?;
    let marker_path = path.join(MARKER);
    let marker = match open_marker(&marker_path)? {
        Some(marker) => marker,
        None => {
            refuse_strangers(&path)?;
            write_marker(&path, configured)?;
            open_marker(&marker_path)?.ok_or_else(|| OpenError::Damaged {
                path: path.clone(),
                found: format!("the file {MARKER} is gone just after it was made"),
            })?
        }
    };
    match marker.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(OpenError::InUse { path }),
        Err(TryLockError::Error(source)) => {
            return Err(OpenError::Io { path: marker_path, doing: "lock", source });
        }
    }
    check_marker(&path, &marker, configured)?;
    prepare_database(&path)?;
    close_to_others(&path);
    close_to_others(&path.join(DATABASE));
    Ok(Folder { path, _marker: marker })
}

fn make_folder(path: &Path) -> Result<(), OpenError> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => Err(OpenError::Unknown {
            path: path.to_owned(),
            found: "a file, not a folder".to_owned(),
        }),
        // A link to a disk that isn't mounted: nothing is made in its place.
        Err(source) if fs::symlink_metadata(path).is_ok() => {
            Err(OpenError::Io { path: path.to_owned(), doing: "follow the link", source })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
            made.map_err(io_error(path, "create the data folder"))?;
            match path.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => sync_folder(parent),
                _ => sync_folder(Path::new(".")),
            }
        }
        Err(source) => Err(OpenError::Io { path: path.to_owned(), doing: "look into", source }),
    }
}

fn open_marker(path: &Path) -> Result<Option<File>, OpenError> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(OpenError::Io { path: path.to_owned(), doing: "open", source }),
    }
}

fn refuse_strangers(path: &Path) -> Result<(), OpenError> {
    let mut strangers = Vec::new();
    for entry in fs::read_dir(path).map_err(io_error(path, "list the folder"))? {
        let name = entry.map_err(io_error(path, "list the folder"))?.file_name();
        let known = name.to_str().is_some_and(|name| NEIGHBOURS.contains(&name));
        if !known {
            strangers.push(name.to_string_lossy().into_owned());
        }
    }
    if strangers.is_empty() {
        return Ok(());
    }
    strangers.sort();
    let (count, shown) = (strangers.len(), 5);
    strangers.truncate(shown);
    let mut found = strangers.join(", ");
    if count > shown {
        found.push_str(&format!(" and {} more", count - shown));
    }
    Err(OpenError::Unknown { path: path.to_owned(), found })
}

fn marker_text(shard_count: u16) -> String {
    format!("parley store\nformat {FORMAT}\nshards {shard_count}\n")
}

fn write_marker(path: &Path, shard_count: u16) -> Result<(), OpenError> {
    let (new, marker) = (path.join(NEW_MARKER), path.join(MARKER));
    let write = || {
        let mut file = File::create(&new)?;
        file.write_all(marker_text(shard_count).as_bytes())?;
        file.sync_all()
    };
    write().map_err(io_error(&new, "write"))?;
    fs::rename(&new, &marker).map_err(io_error(&marker, "create"))?;
    sync_folder(path)
}

fn check_marker(path: &Path, marker: &File, configured: u16) -> Result<(), OpenError> {
    let mut text = Vec::new();
    // Whatever is called PARLEY: no more of it is read than a marker can have.
    let read = marker.take(256).read_to_end(&mut text);
    read.map_err(io_error(&path.join(MARKER), "read"))?;
    let text = String::from_utf8_lossy(&text);
    let unknown = || {
        let shown: String = text.chars().take(40).collect();
        OpenError::Unknown {
            path: path.to_owned(),
            found: format!("a file {MARKER} that says {shown:?}"),
        }
    };
    let mut lines = text.lines();
    if lines.next() != Some("parley store") {
        return Err(unknown());
    }
    let number =
        |line: Option<&str>, word: &str| line?.strip_prefix(word)?.strip_prefix(' ')?.parse().ok();
    let format = number(lines.next(), "format").ok_or_else(unknown)?;
    if format != FORMAT {
        return Err(OpenError::Format { path: path.to_owned(), found: format, expected: FORMAT });
    }
    let found =
        number(lines.next(), "shards").and_then(|n| u16::try_from(n).ok()).ok_or_else(unknown)?;
    if found != configured {
        return Err(OpenError::ShardCount { path: path.to_owned(), found, configured });
    }
    Ok(())
}

/// Makes the database's folder, and sees that a database that lost its root
/// file is not taken for one that was never made: RocksDB would start an empty
/// one and sweep the old files away.
fn prepare_database(path: &Path) -> Result<(), OpenError> {
    let database = path.join(DATABASE);
    let made = DirBuilder::new().mode(0o700).create(&database);
    match made {
        Ok(()) => return sync_folder(path),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(source) => return Err(OpenError::Io { path: database, doing: "create", source }),
    }
    if database.join("CURRENT").exists() {
        return Ok(());
    }
    for entry in fs::read_dir(&database).map_err(io_error(&database, "list the folder"))? {
        let entry = entry.map_err(io_error(&database, "list the folder"))?.path();
        let holds_data = entry.extension().is_some_and(|ext| ext == "sst" || ext == "blob");
        if holds_data {
            return Err(OpenError::Damaged {
                path: path.to_owned(),
                found: format!("{DATABASE}/CURRENT is missing although there are data files"),
            });
        }
    }
    Ok(())
}

/// Takes the rights of everybody but its owner off a folder. A folder that is somebody
/// else's is left as it is: the system that made it so does it again.
fn close_to_others(folder: &Path) {
    let Ok(mode) = fs::metadata(folder).map(|found| found.permissions().mode() & 0o7777) else {
        return;
    };
    if mode & 0o077 == 0 {
        return;
    }
    let shown = folder.display();
    match fs::set_permissions(folder, Permissions::from_mode(mode & !0o077)) {
        Ok(()) => tracing::warn!("{shown} was open to others (mode {mode:04o}), and is no more"),
        Err(error) => {
            tracing::warn!("{shown} is open to others (mode {mode:04o}): {error}; chmod 700 it");
        }
    }
}

fn sync_folder(path: &Path) -> Result<(), OpenError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(io_error(path, "sync the folder"))
}

fn io_error(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> OpenError {
    let path = path.to_owned();
    move |source| OpenError::Io { path, doing, source }
}

#[cfg(test)]
#[path = "open_tests.rs"]
mod tests;
