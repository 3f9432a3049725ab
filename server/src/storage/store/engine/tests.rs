//! The engines answer alike, and the one on disk really syncs.

use std::sync::Arc;

use parley_protocol::ids::ShardId;
use proptest::prelude::*;
use rocksdb::statistics::Ticker;

use super::memory::MemoryEngine;
use super::overlay::Overlay;
use super::rocks::{Budget, Recovery, Rocks};
use super::*;

const BUDGET: Budget = Budget {
    cache_bytes: 1 << 20,
    write_buffer_bytes: 1 << 20,
    wal_bytes: 1 << 20,
    open_files: 64,
};
const TABLES: [Table; 3] = [Table::Entries, Table::Dedupe, Table::Feed];

/// Keys of few shards and prefixes and of many lengths, also shorter than a prefix.
fn key(table: Table) -> impl Strategy<Value = Key> {
    let bytes = proptest::collection::vec(prop_oneof![Just(0u8), Just(1), Just(0xff)], 0..4);
    (0u16..2, 0u8..3, bytes, any::<bool>()).prop_map(move |(shard, id, tail, long)| {
        let key = Key::prefix(table, ShardId(shard));
        if long { key.with(&[id; 16]).with(&tail) } else { key.with(&tail) }
    })
}

fn write() -> impl Strategy<Value = Write> {
    proptest::sample::select(&TABLES[..]).prop_flat_map(|table| {
        let value = proptest::option::weighted(0.8, prop_oneof![Just(10usize), Just(6_000)]);
        (key(table), value).prop_map(move |(key, size)| {
            let value = size.map(|size| Bytes::from(vec![size as u8; size]));
            Write { table, key, value }
        })
    })
}

fn scan() -> impl Strategy<Value = (Table, Scan)> {
    proptest::sample::select(&TABLES[..]).prop_flat_map(|table| {
        let order = prop_oneof![Just(Order::Ascending), Just(Order::Descending)];
        let limits = (
            prop_oneof![0usize..5, Just(usize::MAX)],
            prop_oneof![0usize..20_000, Just(usize::MAX)],
        );
        (key(table), key(table), order, limits).prop_map(move |(from, to, order, (rows, bytes))| {
            (table, Scan { from, to, order, rows, bytes })
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// What is written over rows that can't be is as if it were in one engine.
    #[test]
    fn an_overlay_answers_as_one_engine_and_writes_nothing_below(
        lower in proptest::collection::vec(write(), 0..40),
        upper in proptest::collection::vec(write(), 0..40),
        scans in proptest::collection::vec(scan(), 30),
    ) {
        let (below, whole) = (Arc::new(MemoryEngine::new()), MemoryEngine::new());
        below.write(&lower).unwrap();
        whole.write(&lower).unwrap();
        let before = below.usage().families.iter().map(|family| family.rows).sum::<u64>();
        let overlay = Overlay::new(Arc::clone(&below) as Arc<dyn Engine>);
        overlay.write(&upper).unwrap();
        whole.write(&upper).unwrap();
        for write in lower.iter().chain(&upper) {
            let (family, key) = write.place();
            prop_assert_eq!(overlay.read(family, key), whole.read(family, key));
        }
        for (table, scan) in scans {
            let found = overlay.scan(table.family(), &scan);
            prop_assert_eq!(found, whole.scan(table.family(), &scan), "{:?}", scan);
        }
        let after = below.usage().families.iter().map(|family| family.rows).sum::<u64>();
        prop_assert_eq!(after, before);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn disk_and_memory_answer_alike(
        batches in proptest::collection::vec(proptest::collection::vec(write(), 0..20), 0..8),
        scans in proptest::collection::vec(scan(), 30),
        reopen: bool,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let memory = MemoryEngine::new();
        let mut disk = Rocks::open(folder.path(), BUDGET, Recovery::Prefix).unwrap();
        for batch in &batches {
            memory.write(batch).unwrap();
            disk.write(batch).unwrap();
        }
        if reopen {
            drop(disk);
            disk = Rocks::open(folder.path(), BUDGET, Recovery::Prefix).unwrap();
        }
        for write in batches.iter().flatten() {
            let (family, key) = (write.table.family(), write.key.as_bytes());
            prop_assert_eq!(memory.read(family, key), disk.read(family, key));
        }
        for (table, scan) in &scans {
            prop_assert_eq!(memory.scan(table.family(), scan), disk.scan(table.family(), scan), "{:?}", scan);
        }
    }
}

#[test]
fn a_sync_reaches_the_disk_and_a_flush_does_not_wait_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Rocks::open(folder.path(), BUDGET, Recovery::Prefix).unwrap();
    let key = Key::prefix(Table::Dedupe, ShardId(1));
    let batch = [Write { table: Table::Dedupe, key, value: Some(Bytes::from_static(b"x")) }];
    let before = engine.ticker(Ticker::WalFileSynced);
    engine.write(&batch).unwrap();
    engine.flush().unwrap();
    assert_eq!(engine.ticker(Ticker::WalFileSynced), before);
    engine.sync().unwrap();
    assert_eq!(engine.ticker(Ticker::WalFileSynced), before + 1);
}

#[test]
fn a_database_that_is_open_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let first: Arc<dyn Engine> =
        Arc::new(Rocks::open(folder.path(), BUDGET, Recovery::Prefix).unwrap());
    let error = Rocks::open(folder.path(), BUDGET, Recovery::Prefix).err().unwrap();
    assert_eq!(error.trouble, Trouble::InUse, "{error}");
    assert_eq!(first.usage().families.len(), 6);
}
