//! Everything the node keeps on disk: typed rows over an ordered key-value engine.
//!
//! [`keys`] is the registry of key kinds, [`tables`] has one file per table,
//! [`families`] the tuning, [`engine`] the engines. `docs/storage.md` lists the
//! bytes. The store decides nothing: who may write what, and in which order, is
//! the business of shards; while the server runs, all writes go through
//! [`crate::storage::log`], which alone knows when they are durable.
//!
//! Invariants: a row that doesn't decode is an error and never a panic; a
//! folder that is refused is not touched; every call may block on the disk, so
//! none belongs on a runtime worker.

mod around;
mod damage;
pub mod engine;
pub mod families;
pub(crate) mod floor;
mod folder;
mod full;
pub mod keys;
pub mod open;
mod opening;
mod place;
pub(crate) mod state;
pub mod tables;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use parley_protocol::ConversationId;
use prost::Message;

use self::floor::Floor;
use self::folder::Folder;
use crate::base::space::Space;
use crate::base::work;
pub use engine::{Engine, EngineError, Scan, Scanned, Trouble, Usage, Write};
pub use floor::loss::Loss;
pub(crate) use folder::DATABASE;
pub use keys::{Fact, Key, Relation, RowKey, Table, Which};
pub use open::{FORMAT, OpenError, Options};
pub use place::Place;
pub use tables::contacts::KnownRow;
pub use tables::conversations::{ConversationRow, MemberRow, PeriodRow, SettingsRow};
pub use tables::cursors::{CursorRow, ToldRow};
pub use tables::dedupe::DedupeRow;
pub use tables::deleted::DeletedRow;
pub use tables::departures::DepartureRow;
pub use tables::devices::{DeviceRow, DeviceToken};
pub use tables::ended::{EndedDevice, EndedRow};
pub use tables::entries::{EntryHead, ReadLimit, ReadRange, Record, StoredEntry};
pub use tables::feed::{FeedPage, FeedRow};
pub use tables::hidden::HiddenRow;
pub use tables::invites::InviteRow;
pub use tables::mentions::MentionRow;
pub use tables::outbox::{OutboxRange, OutboxRow};
pub use tables::persons::PersonRow;
pub use tables::preferences::PreferencesRow;
pub use tables::presence::PresenceRow;
pub use tables::relations::RelationRow;
pub use tables::reports::{ReportRow, Reported};
pub use tables::retention::{ErasedRow, RetentionRow};
pub use tables::seen::SeenRow;
pub use tables::steps::StepRow;
pub use tables::tokens::TokenRow;
pub use tables::users::UserRow;

/// A read or write of the store failed: the disk, or a row on it that is damaged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A row is not what its table holds.
    #[error("the row {key} of table {table} is damaged")]
    Corrupt {
        /// Name of the table.
        table: &'static str,
        /// Shard, kind and first id of its key, in hex. What clients chose is left out.
        key: String,
    },
}

impl StoreError {
    pub(crate) fn corrupt(table: Table, key: &[u8]) -> Self {
        // Shard, kind and one id lead to the place; what is behind may be a
        // client's own words, and names and token hashes don't belong in logs.
        let shown = match table {
            Table::Names | Table::Tokens => 3,
            _ => 19,
        };
        let key = base16ct::lower::encode_string(key.get(..shown).unwrap_or(key));
        Self::Corrupt { table: table.name(), key }
    }
}

/// An open store. Cheap to clone; closes when the last clone is dropped.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Arc<dyn Engine>,
    facts: Facts,
    damage: damage::Damage,
    space: Space,
    // Dropped after the engine: fields drop in order.
    floor: Option<Floor>,
    folder: Option<Folder>,
}

impl Inner {
    fn new(
        engine: Arc<dyn Engine>,
        facts: Facts,
        space: Space,
        floor: Option<Floor>,
        folder: Option<Folder>,
    ) -> Self {
        Self { engine, facts, damage: damage::Damage::default(), space, floor, folder }
    }
}

/// What a store knows of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Number of shards, chosen when the store was made.
    pub shard_count: u16,
    /// How often it was opened, this time included. Grows with every open,
    /// whatever happened in between.
    pub boots: u64,
    /// The node's id, made with the store.
    pub node_id: [u8; 16],
    /// Which life of the store this is: drawn when it is made, and anew when something
    /// it had may be gone (it was put back from a copy, or a loss was accepted). Zeros
    /// in a store that was only looked into and has none yet.
    pub incarnation: [u8; 16],
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("facts", &self.inner.facts)
            .field("path", &self.path())
            .finish_non_exhaustive()
    }
}

impl Store {
    /// What the store knows of itself.
    #[must_use]
    pub fn facts(&self) -> Facts {
        self.inner.facts
    }

    /// The room its disk has.
    #[must_use]
    pub fn space(&self) -> &Space {
        &self.inner.space
    }

    /// Bytes in memory that are to go into files.
    #[must_use]
    pub fn unfiled_bytes(&self) -> u64 {
        self.inner.engine.unfiled_bytes()
    }

    /// The data folder; none for a store in memory.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.inner.folder.as_ref().map(Folder::path)
    }

    /// Figures for metrics. Reads counters of the engine, no data.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.inner.engine.usage()
    }

    /// Writes and syncs at once: for boot and tools, where no log runs.
    ///
    /// # Errors
    /// [`StoreError::Engine`]; the store must then be closed.
    pub fn write_synced(&self, batch: &[Write]) -> Result<(), StoreError> {
        self.inner.engine.write(batch)?;
        Ok(self.inner.engine.sync()?)
    }

    /// Writes without a sync of its own, for derived rows: later syncs cover
    /// it, and a crash before that forgets it and nothing written before it.
    ///
    /// # Errors
    /// [`StoreError::Engine`].
    pub fn write_unsynced(&self, batch: &[Write]) -> Result<(), StoreError> {
        Ok(self.inner.engine.write(batch)?)
    }

    /// Hands what was written to the operating system: a killed process keeps
    /// it, a power cut may lose it.
    ///
    /// # Errors
    /// [`StoreError::Engine`].
    pub fn flush(&self) -> Result<(), StoreError> {
        Ok(self.inner.engine.flush()?)
    }

    /// Begins a new write-ahead log, behind which what was overwritten is gone.
    /// Blocks for as long as it takes to write what is in memory.
    ///
    /// # Errors
    /// [`StoreError`] when it can't be written.
    pub fn roll(&self) -> Result<(), StoreError> {
        Ok(self.inner.engine.roll()?)
    }

    /// Notes, beside the database, that all rows up to `rows` are synced, with what
    /// conversations gained by them: before anybody is told.
    pub(crate) fn raise_floor(
        &self,
        rows: u64,
        gains: impl Iterator<Item = (ConversationId, (u64, u64))>,
    ) {
        if let Some(floor) = &self.inner.floor {
            floor.note(rows, gains);
        }
    }

    /// The engine, for the log.
    pub(crate) fn engine(&self) -> &dyn Engine {
        &*self.inner.engine
    }

    fn value(&self, table: Table, key: &Key) -> Result<Option<Bytes>, StoreError> {
        let found = self.inner.engine.read(table.family(), key.as_bytes());
        let found = found.map_err(|error| match error.trouble {
            Trouble::Corrupt => self.inner.damage.met(table, key.as_bytes(), Some(&error)),
            _ => error.into(),
        })?;
        work::note(1, found.as_ref().map_or(0, Bytes::len));
        Ok(found)
    }

    fn row<M: Message + Default>(&self, key: &RowKey) -> Result<Option<M>, StoreError> {
        let (table, key) = (key.table(), key.encode());
        self.value(table, &key)?
            .map(|value| tables::decode_row(table, key.as_bytes(), value))
            .transpose()
            .map_err(|_| self.inner.damage.met(table, key.as_bytes(), None))
    }

    /// Notes a row that does not hold what its table holds.
    fn damaged(&self, key: &RowKey) -> StoreError {
        self.inner.damage.met(key.table(), key.encode().as_bytes(), None)
    }

    /// A row that its owner can do without: one that can't be read is none, and is
    /// written over when there is something new to keep.
    fn row_or_lost<M: Message + Default>(&self, key: &RowKey) -> Result<Option<M>, StoreError> {
        match self.row(key) {
            Err(error) if error.is_damage() => Ok(None),
            found => found,
        }
    }

    fn scan(&self, table: Table, scan: &Scan) -> Result<Scanned, StoreError> {
        let found = self.inner.engine.scan(table.family(), scan);
        let found = found.map_err(|error| match error.trouble {
            Trouble::Corrupt => self.inner.damage.met(table, scan.from.as_bytes(), Some(&error)),
            _ => error.into(),
        })?;
        let bytes = |(key, value): &(Bytes, Bytes)| key.len() + value.len();
        // One for the look, also when there is nothing.
        work::note(1 + found.rows.len(), found.rows.iter().map(bytes).sum());
        Ok(found)
    }

    /// The rows of a scan, each with what `pick` takes of its key.
    fn rows<M: Message + Default, R>(
        &self,
        table: Table,
        scan: &Scan,
        pick: impl Fn(RowKey, M) -> Option<R>,
    ) -> Result<Vec<R>, StoreError> {
        let found = self.scan(table, scan)?.rows.into_iter();
        found
            .map(|(key, value)| {
                let row = tables::decode_row(table, &key, value).ok();
                let named = RowKey::decode(table.family(), &key).ok();
                let picked = named.zip(row).and_then(|(key, row)| pick(key, row));
                picked.ok_or_else(|| self.inner.damage.met(table, &key, None))
            })
            .collect()
    }
}

#[cfg(test)]
mod rotten_tests;
