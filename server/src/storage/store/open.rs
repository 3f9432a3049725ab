//! Opening a store: what is compared before anything is changed, and what a start notes.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::engine::rocks::{Budget, Rocks};
use super::engine::{Engine, EngineError};
use super::floor::loss::Loss;
use super::floor::{self, Beginning, Floor};
use super::folder::{self, DATABASE, MARKER, io_error, open_marker};
use super::opening::Opening;
use super::tables::meta::Meta;
use super::{Facts, Inner, Store, StoreError, full};
use crate::base::random;
use crate::base::space::Space;
use crate::storage::space::{self, Boot};

/// The on-disk format this build reads and writes.
pub const FORMAT: u32 = 1;

/// Shards of a store unless chosen otherwise.
pub const SHARD_COUNT: u16 = 64;

/// How often opening to look is tried again.
const LOOKS: u32 = 5;

/// Starts that a store may have had behind a copy of it: a store with a new incarnation
/// counts on above them.
const STARTS_LOST: u64 = 4096;

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
    /// How much of the disk is to be kept free.
    pub space: space::Options,
    /// The [`Loss::id`] that an operator accepts.
    pub accept_loss: Option<String>,
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
            space: space::Options::default(),
            accept_loss: None,
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
    /// Something that was acknowledged is missing.
    #[error("something that was acknowledged is missing in {}: {loss}", path.display())]
    Lost {
        /// The data folder.
        path: PathBuf,
        /// What it is.
        loss: Box<Loss>,
    },
    /// The disk has no room for a start.
    #[error("the disk of {} has {boot}", path.display())]
    NoRoom {
        /// The data folder.
        path: PathBuf,
        /// What it needs, and what there is.
        boot: Boot,
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

impl Store {
    /// Opens the store in a folder, or makes one in an empty or missing folder.
    /// Counts a boot. Blocks, for seconds after a crash under load.
    ///
    /// # Errors
    /// [`OpenError`]. After `InUse`, `Unknown`, `Format`, `ShardCount`, `Damaged` and
    /// `Lost` all that the folder held is what it was.
    pub fn open(options: &Options) -> Result<Self, OpenError> {
        let configured = options.shard_count;
        if !(1..=4096).contains(&configured) {
            return Err(OpenError::ShardCountInvalid { configured });
        }
        let mut opening = Opening::of(options, folder::take(&options.path, configured)?);
        let found = opening.floor()?;
        let recovery = opening.reach(found.as_ref())?;
        folder::prepare_database(opening.folder().path())?;
        let path = opening.folder().path().to_owned();
        let (space, room) = (Space::watched(), Boot::prepare(&path, &opening.folder().database()));
        let no_room = |error| full::explain(error, &path, room);
        let engine = if room.suffices() {
            opening.engine(recovery).map_err(no_room)?
        } else {
            full::open(opening.folder(), opening.budget(), recovery, room, &space)?
        };
        let missing_files = opening.long_texts(&engine, found.as_ref())?;
        let meta = match (Meta::read(&engine), &found) {
            // The marker and the floor know all of it but the incarnation.
            (Err(error), Some(floor)) if error.is_damage() => {
                tracing::error!(%error, "what the store knows of itself is noted anew");
                let (boots, node_id) = (Some(floor.boots()), Some(floor.node_id()));
                Meta { boots, node_id, ..Meta::default() }
            }
            (meta, _) => meta.map_err(|source| OpenError::Store { path: path.clone(), source })?,
        };
        let of_another =
            |found: &floor::Found| meta.node_id.is_some_and(|id| id != found.node_id());
        if found.as_ref().is_some_and(of_another) {
            opening.give_up(Loss::of_other_store())?;
        }
        let (mut folder, lost) = opening.end();
        let copied = found.as_ref().is_some_and(|found| !found.is_original());
        if copied {
            tracing::warn!("the data folder is a copy: clients drop what they hold and read anew");
        }
        let history = History {
            boots: found.as_ref().map_or(0, floor::Found::boots),
            broken: copied || lost,
        };
        let engine = full::writable(engine, &space);
        let facts = boot(&*engine, meta, configured, history, &path, random_id).map_err(no_room)?;
        if space.needed().is_some() {
            return Ok(Self {
                inner: Arc::new(Inner::new(engine, facts, space, None, Some(folder))),
            });
        }
        let beginning = Beginning {
            rows: engine.rows_written(),
            boots: facts.boots,
            node_id: facts.node_id,
            missing_files,
        };
        let floor = Floor::open(&path, found.as_ref(), beginning)
            .map_err(io_error(&path.join(floor::FILE), "write"))?;
        folder.note_whole()?;
        let (floor, folder) = (Some(floor), Some(folder));
        Ok(Self { inner: Arc::new(Inner::new(engine, facts, space, floor, folder)) })
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
        let space = Space::endless();
        Ok(Self { inner: Arc::new(Inner::new(Arc::new(engine), facts, space, None, None)) })
    }

    /// A store over any engine, for tests and simulation. Counts a boot.
    ///
    /// # Errors
    /// [`OpenError::ShardCount`], [`OpenError::Format`] or [`OpenError::Store`].
    pub fn over(
        engine: Arc<dyn Engine>,
        shard_count: u16,
        node_id: [u8; 16],
    ) -> Result<Self, OpenError> {
        let path = PathBuf::from("memory");
        let meta = Meta::read(&*engine)
            .map_err(|source| OpenError::Store { path: path.clone(), source })?;
        let facts = boot(&*engine, meta, shard_count, History::default(), &path, || Ok(node_id))?;
        let space = Space::endless();
        Ok(Self { inner: Arc::new(Inner::new(engine, facts, space, None, None)) })
    }
}

/// What is known of earlier starts beside the database.
#[derive(Debug, Clone, Copy, Default)]
struct History {
    boots: u64,
    /// There was a future that this store has not: of a copy, or one that was lost.
    broken: bool,
}

/// Checks what the store knows of itself, counts a boot and notes it, synced.
fn boot(
    engine: &dyn Engine,
    meta: Meta,
    configured: u16,
    history: History,
    path: &Path,
    random_id: impl Fn() -> io::Result<[u8; 16]>,
) -> Result<Facts, OpenError> {
    let format = meta.format.unwrap_or(FORMAT);
    if format != FORMAT {
        return Err(OpenError::Format { path: path.to_owned(), found: format, expected: FORMAT });
    }
    let found = meta.shard_count.unwrap_or(configured);
    if found != configured {
        return Err(OpenError::ShardCount { path: path.to_owned(), found, configured });
    }
    let draw = || {
        random_id().map_err(|source| OpenError::Io {
            path: path.to_owned(),
            doing: "draw a random id for",
            source,
        })
    };
    let node_id = meta.node_id.map_or_else(draw, Ok)?;
    let incarnation = match meta.incarnation {
        Some(incarnation) if !history.broken => incarnation,
        _ => draw()?,
    };
    let before = meta.boots.unwrap_or(0).max(history.boots);
    let lost = if history.broken { STARTS_LOST } else { 0 };
    let boots = before.saturating_add(1).saturating_add(lost);
    let now = Meta {
        format: Some(FORMAT),
        shard_count: Some(found),
        boots: Some(boots),
        node_id: Some(node_id),
        incarnation: Some(incarnation),
    };
    let write = || -> Result<(), EngineError> {
        engine.write(&now.puts())?;
        engine.sync()
    };
    write().map_err(|error| OpenError::Store { path: path.to_owned(), source: error.into() })?;
    Ok(Facts { shard_count: found, boots, node_id, incarnation })
}

fn random_id() -> io::Result<[u8; 16]> {
    let mut id = [0; 16];
    random::fill(&mut id).map_err(io::Error::other)?;
    Ok(id)
}

#[cfg(test)]
#[path = "open_tests.rs"]
mod tests;
