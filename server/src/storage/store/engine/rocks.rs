//! The engine on disk: RocksDB, one database, one write-ahead log.
//!
//! The WAL is flushed and synced by hand ([`Rocks::flush`], [`Rocks::sync`]):
//! a write goes into a buffer of the process first, so one sync serves many
//! batches. Recovery stops at the first damaged record of the WAL. Whether what is
//! behind it was acknowledged is seen before, by `store/floor`; files of it that are
//! missing the database notices by itself.
//! A rotten table or blob file costs what it holds: the database is opened without
//! RocksDB's paranoid checks, which would stop all writes when a compaction meets it.
//! What these checks did for writes is done here: the first that fails is the last
//! (`Health`), and so is the first table that can't be written (`rot`).
//! No other module names a RocksDB type but `rot`. Its own messages go to tracing, its
//! LOG files are off: opening writes nothing but the database.

pub mod walk;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB,
    DBCompressionType, DBRecoveryMode, InfoLogger, LogLevel, Options, ReadOptions, SliceTransform,
    WriteBatch, WriteBufferManager, WriteOptions,
};

use super::rot::{self, Complaints, Resting};
use super::{
    Engine, EngineError, Family, FamilyUsage, Gathering, Order, Scan, Scanned, Trouble, Usage,
    Write,
};
use crate::base::worker::Worker;
use crate::storage::store::families::{Compression, FAMILIES, Filter, Tuning};

/// Memory and disk the database may take beyond its data.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// Blocks read from disk, indexes and filters.
    pub cache_bytes: usize,
    /// Memtables of all families.
    pub write_buffer_bytes: usize,
    /// Write-ahead log.
    pub wal_bytes: u64,
    /// Table files held open by an owner.
    pub open_files: usize,
}

/// An open database.
pub struct Rocks {
    // Dropped first: it holds the database.
    watch: Option<Worker>,
    db: Arc<DB>,
    health: Arc<Health>,
    cache: Cache,
    manager: WriteBufferManager,
    writes: bool,
    #[cfg(test)]
    options: Options,
    #[cfg(test)]
    resting: Arc<Resting>,
}

/// Whether the database can still be written.
#[derive(Debug, Default)]
pub(super) struct Health {
    failed: Mutex<Option<EngineError>>,
    /// Held by whoever writes. What was synced is true only once all that was being
    /// written meanwhile is known to have gone well: a write that failed may have
    /// taken others' bytes out of the log's buffer with it.
    writing: RwLock<()>,
}

impl Health {
    fn check(&self) -> Result<(), EngineError> {
        match &*self.failed.lock() {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }

    /// Nothing is written from now on; the first reason stays.
    pub(super) fn fail(&self, error: &EngineError) {
        self.failed.lock().get_or_insert_with(|| error.clone());
    }

    fn failing(&self, doing: &'static str, error: rocksdb::Error) -> EngineError {
        let error = engine_error(doing, error);
        self.fail(&error);
        error
    }

    /// Waits for what is being written, and says whether all went well until now.
    fn settle(&self) -> Result<(), EngineError> {
        drop(self.writing.write());
        self.check()
    }
}

/// How much of a damaged write-ahead log is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// All of it: every record of it was looked at and can be read.
    Whole,
    /// All up to the first record that can't be read. A missing file is an error.
    Prefix,
    /// Whatever can be read: for who has accepted that something is missing.
    Remains,
}

/// Who opens a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    /// The one process that writes.
    Owner(Recovery),
    /// Somebody who looks.
    Guest,
    /// The one process that has the folder, and can't write.
    Reader(Recovery),
    /// Somebody who looks at what is left of it.
    Rescuer,
}

impl Rocks {
    /// Opens the database in `path`, or makes one.
    ///
    /// # Errors
    /// [`EngineError`], with [`Trouble::InUse`] when another process has it open.
    pub fn open(path: &Path, budget: Budget, recovery: Recovery) -> Result<Self, EngineError> {
        Self::open_as(path, budget, Access::Owner(recovery))
    }

    /// Opens the database in `path` as it is now and only to read, also while
    /// its owner has it open. What its owner writes later is not seen.
    ///
    /// # Errors
    /// [`EngineError`], also when the owner moved files meanwhile: try again.
    pub fn look(path: &Path, budget: Budget) -> Result<Self, EngineError> {
        Self::open_as(path, budget, Access::Guest)
    }

    /// Opens the database in `path` only to read, for whoever holds its folder: nothing
    /// is written, and nothing can be.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn read(path: &Path, budget: Budget, recovery: Recovery) -> Result<Self, EngineError> {
        Self::open_as(path, budget, Access::Reader(recovery))
    }

    /// As [`Rocks::look`], also at a database that nobody could work with: without
    /// the files that are missing, and with what follows damage in the write-ahead
    /// log.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn look_at_the_rest(path: &Path, budget: Budget) -> Result<Self, EngineError> {
        Self::open_as(path, budget, Access::Rescuer)
    }

    fn open_as(path: &Path, budget: Budget, access: Access) -> Result<Self, EngineError> {
        let cache = Cache::new_hyper_clock_cache(budget.cache_bytes, 0);
        let manager =
            WriteBufferManager::new_write_buffer_manager(budget.write_buffer_bytes, false);
        let complaints = Arc::new(Complaints::new());
        let mut options = database_options(budget, &manager, Arc::clone(&complaints));
        if cfg!(test) {
            options.enable_statistics();
        }
        let families = |compacts: bool| {
            let cache = cache.clone();
            FAMILIES.iter().map(move |tuning| {
                let mut options = family_options(tuning, &cache);
                options.set_disable_auto_compactions(!compacts);
                ColumnFamilyDescriptor::new(tuning.name, options)
            })
        };
        let db = match access {
            Access::Owner(recovery) => {
                options.set_track_and_verify_wals_in_manifest(recovery != Recovery::Remains);
                options.set_wal_recovery_mode(mode(recovery));
                if recovery == Recovery::Prefix {
                    // Without the checks a damaged log is passed over and not ended at:
                    // what can be read of it goes into tables first, with them.
                    let whole = DB::open_cf_descriptors(&options, path, families(false));
                    whole
                        .map_err(|error| engine_error("open the database", error))?
                        .cancel_all_background_work(true);
                }
                options.set_paranoid_checks(false);
                DB::open_cf_descriptors(&options, path, families(true))
            }
            Access::Guest | Access::Rescuer => {
                track_logs(&mut options);
                // All files are opened at once, so that none goes away later.
                options.set_max_open_files(-1);
                if access == Access::Rescuer {
                    options.set_paranoid_checks(false);
                    options.set_wal_recovery_mode(DBRecoveryMode::SkipAnyCorruptedRecord);
                }
                options.create_if_missing(false);
                let look = |options: &Options| {
                    DB::open_cf_descriptors_read_only(options, path, families(false), false)
                };
                look(&options).or_else(|_| {
                    options.set_paranoid_checks(false);
                    look(&options)
                })
            }
            Access::Reader(recovery) => {
                track_logs(&mut options);
                options.create_if_missing(false);
                options.set_wal_recovery_mode(mode(recovery));
                // As above: without the checks only what is whole.
                options.set_paranoid_checks(recovery == Recovery::Prefix);
                DB::open_cf_descriptors_read_only(&options, path, families(false), false)
            }
        };
        let db = Arc::new(db.map_err(|error| engine_error("open the database", error))?);
        let (health, resting) = (Arc::<Health>::default(), Arc::<Resting>::default());
        let watch = match access {
            Access::Owner(_) => {
                all_tables_are_there(&db, path)?;
                let shared = (Arc::clone(&db), Arc::clone(&health));
                let watch = rot::watch(shared.0, shared.1, complaints, Arc::clone(&resting));
                Some(watch.map_err(|error| EngineError {
                    doing: "start a thread of the database",
                    trouble: Trouble::Io,
                    cause: error.to_string(),
                })?)
            }
            Access::Guest | Access::Rescuer | Access::Reader(_) => None,
        };
        Ok(Self {
            watch,
            db,
            health,
            cache,
            manager,
            writes: matches!(access, Access::Owner(_)),
            #[cfg(test)]
            options,
            #[cfg(test)]
            resting,
        })
    }

    /// Families that rest from compactions.
    #[cfg(test)]
    pub(in crate::storage::store) fn resting(&self) -> Vec<Family> {
        self.resting.families()
    }

    /// Table files of a family that no compaction has looked at yet.
    #[cfg(test)]
    pub(in crate::storage::store) fn new_tables(&self, family: Family) -> u64 {
        self.figure(family, "rocksdb.num-files-at-level0")
    }

    /// How often work in the background failed.
    #[cfg(test)]
    pub(in crate::storage::store) fn background_errors(&self) -> u64 {
        self.figure(Family::Meta, "rocksdb.background-errors")
    }

    /// Number of the last row: of all that was written, or found at opening.
    #[must_use]
    pub fn last_row(&self) -> u64 {
        self.db.latest_sequence_number()
    }

    /// How many files with long values the tables refer to, and their bytes.
    pub(in crate::storage::store) fn blob_files(&self) -> (u64, u64) {
        let sum =
            |property| FAMILIES.iter().map(|tuning| self.figure(tuning.family, property)).sum();
        (sum("rocksdb.num-blob-files"), sum("rocksdb.total-blob-file-size"))
    }

    /// What the database counted, so that a test can see a sync.
    #[cfg(test)]
    pub(super) fn ticker(&self, ticker: rocksdb::statistics::Ticker) -> u64 {
        self.options.get_ticker_count(ticker)
    }

    fn family(&self, family: Family) -> Result<&ColumnFamily, EngineError> {
        // All of them were opened; the database would not have opened without one.
        self.db.cf_handle(family.name()).ok_or_else(|| EngineError {
            doing: "find a column family",
            trouble: Trouble::Corrupt,
            cause: format!("there is no family {:?}", family.name()),
        })
    }

    /// One file that is missing is damage; a folder that is, the disk's trouble.
    fn read_error(&self, doing: &'static str, error: rocksdb::Error) -> EngineError {
        let mut error = engine_error(doing, error);
        let missing = error.cause.contains("No such file or directory");
        if error.trouble == Trouble::Io && missing && self.db.path().join("CURRENT").exists() {
            error.trouble = Trouble::Corrupt;
        }
        error
    }

    fn figure(&self, family: Family, property: &str) -> u64 {
        let figure = self.family(family).ok().map(|cf| self.db.property_int_value_cf(cf, property));
        figure.and_then(Result::ok).flatten().unwrap_or(0)
    }
}

impl Engine for Rocks {
    fn read(&self, family: Family, key: &[u8]) -> Result<Option<Bytes>, EngineError> {
        let found = self.db.get_pinned_cf(self.family(family)?, key);
        let found = found.map_err(|error| self.read_error("read a row", error))?;
        Ok(found.map(|value| Bytes::copy_from_slice(&value)))
    }

    fn scan(&self, family: Family, scan: &Scan) -> Result<Scanned, EngineError> {
        let mut gathering = Gathering::new(scan);
        let (from, to) = (scan.from.as_bytes(), scan.to.as_bytes());
        if from >= to {
            return Ok(gathering.found);
        }
        let mut options = ReadOptions::default();
        options.set_iterate_lower_bound(from);
        options.set_iterate_upper_bound(to);
        // Prefix filters may only be asked by a scan that stays in one prefix.
        let prefix = family.tuning().prefix_bytes;
        let within_prefix =
            prefix.is_some_and(|n| from.get(..n).is_some_and(|head| to.get(..n) == Some(head)));
        options.set_prefix_same_as_start(within_prefix);
        options.set_total_order_seek(!within_prefix);
        let mut rows = self.db.raw_iterator_cf_opt(self.family(family)?, options);
        match scan.order {
            Order::Ascending => rows.seek(from),
            // Lands below the upper bound, which is not part of the range.
            Order::Descending => rows.seek_for_prev(to),
        }
        while let Some((key, value)) = rows.item() {
            if !gathering.take(key, value) {
                return Ok(gathering.found);
            }
            match scan.order {
                Order::Ascending => rows.next(),
                Order::Descending => rows.prev(),
            }
        }
        // An iterator ends at the end of the range and at an error alike.
        match rows.status() {
            // It was one row too many that can't be read.
            Err(_) if gathering.is_full() => gathering.found.more = true,
            status => status.map_err(|error| self.read_error("read a range", error))?,
        }
        Ok(gathering.found)
    }

    fn write(&self, batch: &[Write]) -> Result<(), EngineError> {
        let size: usize = batch.iter().map(|write| write.size_bytes() + 16).sum();
        let mut rows = WriteBatch::with_capacity_bytes(size + 16);
        for write in batch {
            let family = self.family(write.table.family())?;
            match &write.value {
                Some(value) => rows.put_cf(family, write.key.as_bytes(), value),
                None => rows.delete_cf(family, write.key.as_bytes()),
            }
        }
        let _writing = self.health.writing.read();
        self.health.check()?;
        self.db
            .write_opt(rows, &WriteOptions::default())
            .map_err(|error| self.health.failing("write a batch", error))
    }

    fn flush(&self) -> Result<(), EngineError> {
        self.health.check()?;
        let flushed = self.db.flush_wal(false);
        flushed.map_err(|error| self.health.failing("flush the write-ahead log", error))?;
        self.health.settle()
    }

    fn sync(&self) -> Result<(), EngineError> {
        self.health.check()?;
        let synced = self.db.flush_wal(true);
        synced.map_err(|error| self.health.failing("sync the write-ahead log", error))?;
        self.health.settle()
    }

    fn roll(&self) -> Result<(), EngineError> {
        let families = FAMILIES.iter().map(|tuning| self.family(tuning.family));
        let families = families.collect::<Result<Vec<_>, _>>()?;
        self.db
            .flush_cfs_opt(&families, &rocksdb::FlushOptions::default())
            .map_err(|error| self.health.failing("write the tables", error))
    }

    fn rows_written(&self) -> u64 {
        self.last_row()
    }

    fn unfiled_bytes(&self) -> u64 {
        let of = |tuning: &Tuning| self.figure(tuning.family, "rocksdb.cur-size-all-mem-tables");
        FAMILIES.iter().map(of).sum()
    }

    fn usage(&self) -> Usage {
        let families = FAMILIES.iter().map(|tuning| {
            let figure = |property| self.figure(tuning.family, property);
            FamilyUsage {
                name: tuning.name,
                rows: figure("rocksdb.estimate-num-keys"),
                table_bytes: figure("rocksdb.live-sst-files-size"),
                blob_bytes: figure("rocksdb.live-blob-file-size"),
                memory_bytes: figure("rocksdb.size-all-mem-tables"),
                compaction_bytes: figure("rocksdb.estimate-pending-compaction-bytes"),
            }
        });
        Usage {
            families: families.collect(),
            cache_bytes: self.cache.get_usage() as u64,
            write_buffer_bytes: self.manager.get_usage() as u64,
            writes_stopped: self.figure(Family::Meta, "rocksdb.is-write-stopped") != 0,
        }
    }
}

impl Drop for Rocks {
    fn drop(&mut self) {
        drop(self.watch.take());
        // The log has synced what it acknowledged; this is for rows written
        // without a promise. An error changes nothing any more.
        if self.writes
            && let Err(error) = self.sync()
        {
            tracing::warn!(%error, "closing the store");
        }
        self.db.cancel_all_background_work(true);
    }
}

const fn mode(recovery: Recovery) -> DBRecoveryMode {
    match recovery {
        Recovery::Whole | Recovery::Prefix => DBRecoveryMode::PointInTime,
        Recovery::Remains => DBRecoveryMode::SkipAnyCorruptedRecord,
    }
}

/// A table file that rotted costs what it holds; one that is missing, or is not as long
/// as it was, is most likely not rot but a copy that is not whole.
fn all_tables_are_there(db: &DB, path: &Path) -> Result<(), EngineError> {
    let missing = || {
        let tables = db.live_files().map_err(|error| engine_error("list the tables", error))?;
        let gone = tables.into_iter().filter_map(|table| {
            let name = table.name.trim_start_matches('/').to_owned();
            let length = std::fs::metadata(path.join(&name)).map(|found| found.len());
            let whole = length.is_ok_and(|length| length == table.size as u64);
            (!whole).then_some(name)
        });
        Ok(gone.collect::<Vec<_>>())
    };
    let gone = missing()?;
    // A compaction may have taken one away meanwhile; then it belongs to no table now.
    let still = if gone.is_empty() { Vec::new() } else { missing()? };
    match gone.into_iter().find(|name| still.contains(name)) {
        None => Ok(()),
        Some(name) => Err(EngineError {
            doing: "open the database",
            trouble: Trouble::Corrupt,
            cause: format!("the table file {name} is missing or cut"),
        }),
    }
}

/// Who only reads has to track the files of the log as their owner does: told not to, the
/// database means to strike them off its list, which a reader has no means for, and the
/// process dies of a null pointer.
fn track_logs(options: &mut Options) {
    options.set_track_and_verify_wals_in_manifest(true);
}

fn database_options(
    budget: Budget,
    manager: &WriteBufferManager,
    complaints: Arc<Complaints>,
) -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_manual_wal_flush(true);
    options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    options.set_wal_bytes_per_sync(1024 * 1024);
    options.set_bytes_per_sync(1024 * 1024);
    options.set_max_total_wal_size(budget.wal_bytes);
    options.set_write_buffer_manager(manager);
    // Files are opened when needed; more of them than this are closed again.
    options.set_max_open_files(i32::try_from(budget.open_files).unwrap_or(i32::MAX));
    options.set_max_background_jobs(2);
    options.set_avoid_unnecessary_blocking_io(true);
    // Compaction may not take the disk from the commit thread for long.
    options.set_ratelimiter(128 * 1024 * 1024, 100_000, 10);
    options.set_stats_dump_period_sec(0);
    options.set_stats_persist_period_sec(0);
    let log = move |level, text: &str| {
        complaints.hear(text);
        match level {
            LogLevel::Error | LogLevel::Fatal => {
                tracing::error!(target: "parley::rocksdb", "{text}");
            }
            LogLevel::Warn => tracing::warn!(target: "parley::rocksdb", "{text}"),
            LogLevel::Debug | LogLevel::Info | LogLevel::Header => {}
        }
    };
    options.set_info_logger(InfoLogger::new_callback_logger(LogLevel::Warn, log));
    options
}

fn family_options(tuning: &Tuning, cache: &Cache) -> Options {
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(cache);
    blocks.set_block_size(16 * 1024);
    blocks.set_format_version(6);
    blocks.set_cache_index_and_filter_blocks(true);
    blocks.set_pin_l0_filter_and_index_blocks_in_cache(true);
    let mut options = Options::default();
    options.set_write_buffer_size(tuning.write_buffer_bytes);
    options.set_level_compaction_dynamic_level_bytes(true);
    if let Some(bytes) = tuning.prefix_bytes {
        options.set_prefix_extractor(SliceTransform::create_fixed_prefix(bytes));
    }
    match tuning.filter {
        Filter::None => {}
        Filter::WholeKey => {
            blocks.set_hybrid_ribbon_filter(10.0, 1);
            blocks.set_whole_key_filtering(true);
            options.set_memtable_whole_key_filtering(true);
            options.set_memtable_prefix_bloom_ratio(0.05);
        }
        Filter::Prefix => {
            blocks.set_hybrid_ribbon_filter(10.0, 1);
            blocks.set_whole_key_filtering(false);
            options.set_memtable_prefix_bloom_ratio(0.02);
            // The log grows without end: its index is read in parts.
            blocks.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
            blocks.set_partition_filters(true);
            blocks.set_metadata_block_size(4 * 1024);
            blocks.set_pin_top_level_index_and_filter(true);
        }
    }
    match tuning.compression {
        Compression::None => options.set_compression_type(DBCompressionType::None),
        Compression::Lz4 => options.set_compression_type(DBCompressionType::Lz4),
        Compression::Lz4ThenZstd => {
            options.set_compression_type(DBCompressionType::Lz4);
            options.set_bottommost_compression_type(DBCompressionType::Zstd);
        }
    }
    if let Some(bytes) = tuning.blob_from_bytes {
        options.set_enable_blob_files(true);
        options.set_min_blob_size(bytes);
        options.set_blob_file_size(128 * 1024 * 1024);
        options.set_blob_compression_type(DBCompressionType::Lz4);
        options.set_enable_blob_gc(true);
    }
    options.set_block_based_table_factory(&blocks);
    options
}

#[expect(clippy::needless_pass_by_value, reason = "it is the shape map_err wants")]
fn engine_error(doing: &'static str, error: rocksdb::Error) -> EngineError {
    let cause = error.to_string();
    let trouble = match trouble_of(&cause) {
        Trouble::Io if error.kind() == rocksdb::ErrorKind::Corruption => Trouble::Corrupt,
        trouble => trouble,
    };
    EngineError { doing, trouble, cause }
}

/// What kind of trouble the database speaks of: it passes the system's error on as text
/// only.
pub(super) fn trouble_of(cause: &str) -> Trouble {
    let says = |text: &str| cause.contains(text);
    if says("No space left on device") || says("Disk quota exceeded") {
        Trouble::NoSpace
    } else if says("Read-only file system") || says("Permission denied") {
        Trouble::ReadOnly
    } else if says("LOCK: Resource temporarily unavailable") || says("lock hold by current process")
    {
        Trouble::InUse
    } else {
        Trouble::Io
    }
}
