//! The engine on disk: RocksDB, one database, one write-ahead log.
//!
//! The WAL is flushed and synced by hand ([`Rocks::flush`], [`Rocks::sync`]):
//! a write goes into a buffer of the process first, so one sync serves many
//! batches. Recovery stops at the first damaged record of the WAL. Whether what is
//! behind it was acknowledged is seen before, by `store/floor`; files of it that are
//! missing the database notices by itself.
//! No other module names a RocksDB type. Its own messages go to tracing, its
//! LOG files are off: opening writes nothing but the database.

use std::path::Path;

use bytes::Bytes;
use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB,
    DBCompressionType, DBRecoveryMode, InfoLogger, LogLevel, Options, ReadOptions, SliceTransform,
    WriteBatch, WriteBufferManager, WriteOptions,
};

use super::{
    Engine, EngineError, Family, FamilyUsage, Gathering, Order, Scan, Scanned, Trouble, Usage,
    Write,
};
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
    db: DB,
    cache: Cache,
    manager: WriteBufferManager,
    writes: bool,
    #[cfg(test)]
    options: Options,
}

/// How much of a damaged write-ahead log is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
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

    fn open_as(path: &Path, budget: Budget, access: Access) -> Result<Self, EngineError> {
        let cache = Cache::new_hyper_clock_cache(budget.cache_bytes, 0);
        let manager =
            WriteBufferManager::new_write_buffer_manager(budget.write_buffer_bytes, false);
        let mut options = database_options(budget, &manager);
        if cfg!(test) {
            options.enable_statistics();
        }
        let families = FAMILIES
            .iter()
            .map(|tuning| ColumnFamilyDescriptor::new(tuning.name, family_options(tuning, &cache)));
        let db = match access {
            Access::Owner(recovery) => {
                options.set_track_and_verify_wals_in_manifest(recovery == Recovery::Prefix);
                options.set_wal_recovery_mode(mode(recovery));
                DB::open_cf_descriptors(&options, path, families)
            }
            Access::Guest => {
                // All files are opened at once, so that none goes away later.
                options.set_max_open_files(-1);
                options.create_if_missing(false);
                DB::open_cf_descriptors_read_only(&options, path, families, false)
            }
            Access::Reader(recovery) => {
                options.create_if_missing(false);
                options.set_wal_recovery_mode(mode(recovery));
                DB::open_cf_descriptors_read_only(&options, path, families, false)
            }
        };
        let db = db.map_err(|error| engine_error("open the database", error))?;
        Ok(Self {
            db,
            cache,
            manager,
            writes: matches!(access, Access::Owner(_)),
            #[cfg(test)]
            options,
        })
    }

    /// Number of the last row: of all that was written, or found at opening.
    pub(in crate::storage::store) fn last_row(&self) -> u64 {
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
        self.db
            .write_opt(rows, &WriteOptions::default())
            .map_err(|error| engine_error("write a batch", error))
    }

    fn flush(&self) -> Result<(), EngineError> {
        let flushed = self.db.flush_wal(false);
        flushed.map_err(|error| engine_error("flush the write-ahead log", error))
    }

    fn sync(&self) -> Result<(), EngineError> {
        let synced = self.db.flush_wal(true);
        synced.map_err(|error| engine_error("sync the write-ahead log", error))
    }

    fn roll(&self) -> Result<(), EngineError> {
        let families = FAMILIES.iter().map(|tuning| self.family(tuning.family));
        let families = families.collect::<Result<Vec<_>, _>>()?;
        self.db
            .flush_cfs_opt(&families, &rocksdb::FlushOptions::default())
            .map_err(|error| engine_error("write the tables", error))
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
        Recovery::Prefix => DBRecoveryMode::PointInTime,
        Recovery::Remains => DBRecoveryMode::SkipAnyCorruptedRecord,
    }
}

fn database_options(budget: Budget, manager: &WriteBufferManager) -> Options {
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
    options.set_info_logger(InfoLogger::new_callback_logger(LogLevel::Warn, |level, text| {
        match level {
            LogLevel::Error | LogLevel::Fatal => {
                tracing::error!(target: "parley::rocksdb", "{text}");
            }
            LogLevel::Warn => tracing::warn!(target: "parley::rocksdb", "{text}"),
            LogLevel::Debug | LogLevel::Info | LogLevel::Header => {}
        }
    }));
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
    let says = |text: &str| cause.contains(text);
    // RocksDB passes the system's error on as text only.
    let trouble = if says("No space left on device") || says("Disk quota exceeded") {
        Trouble::NoSpace
    } else if says("Read-only file system") || says("Permission denied") {
        Trouble::ReadOnly
    } else if says("LOCK: Resource temporarily unavailable") || says("lock hold by current process")
    {
        Trouble::InUse
    } else if error.kind() == rocksdb::ErrorKind::Corruption {
        Trouble::Corrupt
    } else {
        Trouble::Io
    };
    EngineError { doing, trouble, cause }
}
