//! The steps of opening a folder's store. Each compares what is there with what was
//! acknowledged, and refuses, unless the operator named this very loss.

use std::io;

use super::engine::rocks::{Budget, Recovery, Rocks};
use super::engine::{EngineError, Trouble};
use super::floor::loss::{self, Loss};
use super::floor::{self, Found, manifest, wal};
use super::folder::{Folder, io_error};
use super::open::{OpenError, Options};
use crate::storage::space;

/// How often files are counted before one is said to be missing.
const COUNTS: u32 = 3;

/// A folder on its way to be a store.
pub(super) struct Opening<'a> {
    options: &'a Options,
    folder: Folder,
    lost: bool,
}

impl<'a> Opening<'a> {
    pub(super) const fn of(options: &'a Options, folder: Folder) -> Self {
        Self { options, folder, lost: false }
    }

    pub(super) const fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The folder, and whether something of it was given up.
    pub(super) fn end(self) -> (Folder, bool) {
        (self.folder, self.lost)
    }

    /// Goes on without what is lost, if the operator named it.
    pub(super) fn give_up(&mut self, loss: Loss) -> Result<(), OpenError> {
        if !loss.is(self.options.accept_loss.as_deref()) {
            let (path, loss) = (self.folder.path().to_owned(), Box::new(loss));
            return Err(OpenError::Lost { path, loss });
        }
        tracing::error!(loss = loss.id(), "going on without what is missing: {loss}");
        self.lost = true;
        Ok(())
    }

    /// What was acknowledged at least.
    pub(super) fn floor(&mut self) -> Result<Option<Found>, OpenError> {
        let path = self.folder.path().join(floor::FILE);
        match floor::read(self.folder.path()) {
            Ok(None) if self.folder.is_whole() => {
                self.give_up(Loss::of_floor("is missing"))?;
                Ok(None)
            }
            Ok(found) => Ok(found),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                // Of a store that was never whole it is a beginning.
                if self.folder.is_whole() {
                    self.give_up(Loss::of_floor("is damaged"))?;
                }
                floor::set_aside(self.folder.path()).map_err(io_error(&path, "move"))?;
                Ok(None)
            }
            Err(source) => Err(OpenError::Io { path, doing: "read", source }),
        }
    }

    /// Compares how far the database reaches with the floor, before it is opened.
    pub(super) fn reach(&mut self, floor: Option<&Found>) -> Result<Recovery, OpenError> {
        let Some(floor) = floor.filter(|floor| floor.rows() > 0) else {
            let made = self.folder.has_database();
            return Ok(if made { Recovery::Prefix } else { Recovery::Whole });
        };
        if !self.folder.has_database() {
            if self.folder.has_tables()? {
                // Damaged in another way, which whoever prepares the database says.
                return Ok(Recovery::Prefix);
            }
            self.give_up(Loss::of_database(floor.rows()))?;
            return Ok(Recovery::Remains);
        }
        let database = self.folder.database();
        let extent = wal::scan(&database).map_err(io_error(&database, "read the log in"))?;
        if let Some(first) = extent.first {
            let known = manifest::last_row(&database).ok().flatten();
            // One that can't be read at all is the database's to refuse.
            if let Some(known) = known.filter(|known| known.saturating_add(1) < first) {
                self.give_up(Loss::of_tables(known, first))?;
                return Ok(Recovery::Remains);
            }
        }
        let end = match extent.end {
            Some(end) => end,
            // Without one record all there is is in tables: these are cheap to ask.
            None => self.engine_of_a_guest()?.last_row(),
        };
        match Loss::behind(end, &extent, floor) {
            Some(loss) => {
                self.give_up(loss)?;
                Ok(Recovery::Remains)
            }
            None if extent.stop.is_none() => Ok(Recovery::Whole),
            None => Ok(Recovery::Prefix),
        }
    }

    fn engine_of_a_guest(&self) -> Result<Rocks, OpenError> {
        let looked = Rocks::look(&self.folder.database(), self.budget());
        looked.map_err(|error| self.store_error(error))
    }

    /// Opens the database.
    pub(super) fn engine(&mut self, recovery: Recovery) -> Result<Rocks, OpenError> {
        let database = self.folder.database();
        match Rocks::open(&database, self.budget(), recovery) {
            Ok(engine) => Ok(engine),
            Err(error) if error.is_of_a_missing_log() => {
                self.give_up(Loss::of_log_file(&error.cause))?;
                let opened = Rocks::open(&database, self.budget(), Recovery::Remains);
                opened.map_err(|error| self.store_error(error))
            }
            Err(error) => Err(self.store_error(error)),
        }
    }

    /// Compares the files with long texts with those that tables refer to. Returns how
    /// many are missing.
    pub(super) fn long_texts(
        &mut self,
        engine: &Rocks,
        floor: Option<&Found>,
    ) -> Result<u64, OpenError> {
        let database = self.folder.database();
        let count = || -> Result<(u64, u64), OpenError> {
            let (wanted, wanted_bytes) = engine.blob_files();
            let found = loss::long_text_files(&database).map_err(io_error(&database, "list"))?;
            let missing = wanted.saturating_sub(found.0);
            let cut = missing == 0 && found.1 < wanted_bytes;
            Ok((missing.max(u64::from(cut)), wanted))
        };
        let (mut missing, mut wanted) = count()?;
        // The database compacts already, and may give one up between the two counts.
        for _ in 1..COUNTS {
            if missing > 0 {
                (missing, wanted) = count()?;
            }
        }
        if missing > floor.map_or(0, Found::missing_files) {
            self.give_up(Loss::of_long_texts(missing, wanted))?;
        } else if missing > 0 {
            tracing::error!(missing, "files with long texts are missing, as was accepted");
        }
        Ok(missing)
    }

    pub(super) fn budget(&self) -> Budget {
        let most = self.options.wal_bytes;
        let room = space::room(self.folder.path());
        Budget {
            cache_bytes: self.options.cache_bytes,
            write_buffer_bytes: self.options.write_buffer_bytes,
            wal_bytes: room.map_or(most, |room| space::log_bytes(most, room.total)),
            open_files: self.options.open_files,
        }
    }

    fn store_error(&self, error: EngineError) -> OpenError {
        let path = self.folder.path().to_owned();
        match error.trouble {
            Trouble::InUse => OpenError::InUse { path },
            _ => OpenError::Store { path, source: error.into() },
        }
    }
}

#[cfg(test)]
#[path = "opening_tests.rs"]
mod tests;
