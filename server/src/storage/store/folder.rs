//! The data folder: its marker, and every reason to leave it alone.
//!
//! A folder is ours if it holds the marker file `PARLEY`. The marker is read
//! before anything else and written, synced, before the database is made. So
//! a refusal leaves every byte as it was, and a creation that died half-way
//! is taken up where it stopped. The marker file is also what is locked
//! against a second server, since a database that is opened in vain has
//! already touched its folder. Once a store is whole its marker says so.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::open::{FORMAT, OpenError};

pub(super) const MARKER: &str = "PARLEY";
const NEW_MARKER: &str = "PARLEY.new";
pub(crate) const DATABASE: &str = "db";

/// The marker's last line, once the store was made.
const WHOLE: &str = "floor 1\n";

/// What may lie in the data folder before the store is made: what other parts
/// of the node keep there, and what file systems and people put there.
const NEIGHBOURS: [&str; 5] = [NEW_MARKER, "tls", "parley.toml", "lost+found", ".gitignore"];

/// The data folder, held by this process.
pub(super) struct Folder {
    path: PathBuf,
    /// The marker says that a store was made here, with its floor.
    whole: bool,
    // Holds the lock; the system gives it up with the file, whatever way we end.
    _marker: File,
}

impl Folder {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }

    /// A store was made here before.
    pub(super) const fn is_whole(&self) -> bool {
        self.whole
    }

    /// Whether there is a database.
    pub(super) fn has_database(&self) -> bool {
        self.database().join("CURRENT").exists()
    }

    /// Whether there are its files with data.
    pub(super) fn has_tables(&self) -> Result<bool, OpenError> {
        holds_tables(&self.database())
    }

    /// Has the marker say that the store was made. The marker is not replaced, since
    /// whoever holds it has its lock.
    pub(super) fn note_whole(&mut self) -> Result<(), OpenError> {
        if self.whole {
            return Ok(());
        }
        let path = self.path.join(MARKER);
        let write = || {
            let mut file = OpenOptions::new().append(true).open(&path)?;
            file.write_all(WHOLE.as_bytes())?;
            file.sync_all()
        };
        write().map_err(io_error(&path, "write"))?;
        self.whole = true;
        Ok(())
    }
}

/// Makes sure the folder is ours and nobody else's, and locks it.
pub(super) fn take(path: &Path, configured: u16) -> Result<Folder, OpenError> {
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
    let whole = check_marker(&path, &marker, configured)?;
    close_to_others(&path);
    close_to_others(&path.join(DATABASE));
    Ok(Folder { path, whole, _marker: marker })
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

pub(super) fn open_marker(path: &Path) -> Result<Option<File>, OpenError> {
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

pub(super) fn marker_text(shard_count: u16) -> String {
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

/// Returns whether the store was made.
fn check_marker(path: &Path, marker: &File, configured: u16) -> Result<bool, OpenError> {
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
    Ok(lines.next().is_some_and(|line| line.starts_with("floor")))
}

/// Makes the database's folder, and sees that a database that lost its root
/// file is not taken for one that was never made: RocksDB would start an empty
/// one and sweep the old files away.
pub(super) fn prepare_database(path: &Path) -> Result<(), OpenError> {
    let database = path.join(DATABASE);
    let made = DirBuilder::new().mode(0o700).create(&database);
    match made {
        Ok(()) => return sync_folder(path),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(source) => return Err(OpenError::Io { path: database, doing: "create", source }),
    }
    if !database.join("CURRENT").exists() && holds_tables(&database)? {
        return Err(OpenError::Damaged {
            path: path.to_owned(),
            found: format!("{DATABASE}/CURRENT is missing although there are data files"),
        });
    }
    Ok(())
}

fn holds_tables(database: &Path) -> Result<bool, OpenError> {
    if !database.exists() {
        return Ok(false);
    }
    for entry in fs::read_dir(database).map_err(io_error(database, "list the folder"))? {
        let entry = entry.map_err(io_error(database, "list the folder"))?.path();
        let is_a = |sort| entry.extension().is_some_and(|extension| extension == sort);
        let holds = |path: &Path| fs::metadata(path).is_ok_and(|found| found.len() > 0);
        if is_a("sst") || is_a("blob") || is_a("log") && holds(&entry) {
            return Ok(true);
        }
    }
    Ok(false)
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

pub(super) fn io_error(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> OpenError {
    let path = path.to_owned();
    move |source| OpenError::Io { path, doing, source }
}
