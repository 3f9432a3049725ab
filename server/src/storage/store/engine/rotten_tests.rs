//! A database that goes on over a rotten table, and one that does not over a disk that
//! takes no more.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use parley_protocol::ids::ShardId;

use super::rocks::{Budget, Recovery, Rocks};
use super::*;

const BUDGET: Budget = Budget {
    cache_bytes: 1 << 20,
    write_buffer_bytes: 1 << 20,
    wal_bytes: 64 << 20,
    open_files: 64,
};

const LONG: Duration = Duration::from_secs(120);

fn open(path: &Path) -> Rocks {
    Rocks::open(path, BUDGET, Recovery::Whole).unwrap()
}

fn key(table: Table, n: u64) -> Key {
    let key = Key::prefix(table, ShardId(1)).with(&[7; 16]);
    key.with(&n.to_be_bytes())
}

/// A value that no compression makes shorter, and that says whose it is.
fn value(n: u64, round: u8) -> Bytes {
    let words = (0..32u64)
        .flat_map(|at| (n * 1_000_003 + at).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    words.chain([round]).collect()
}

fn rows(table: Table, round: u8) -> Vec<Write> {
    let put = |n| Write { table, key: key(table, n), value: Some(value(n, round)) };
    (0..2000).map(put).collect()
}

fn biggest(path: &Path, ending: &str) -> PathBuf {
    let files = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let of_kind = files.filter(|path| path.extension().is_some_and(|found| found == ending));
    of_kind.max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap()
}

/// Writes until compactions rest, each write synced and true.
fn write_until_it_rests(engine: &Rocks) {
    let begun = Instant::now();
    for round in 10u8.. {
        engine.write(&rows(Table::Entries, round)).unwrap();
        engine.sync().unwrap();
        engine.roll().unwrap();
        if engine.resting() == [Family::Log] {
            return;
        }
        assert!(begun.elapsed() < LONG && round < 250, "no compaction met the rotten block");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_compaction_that_meets_a_rotten_block_stops_no_write() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(folder.path());
    for round in 0..3 {
        engine.write(&rows(Table::Entries, round)).unwrap();
        engine.roll().unwrap();
    }
    drop(engine);
    let table = biggest(folder.path(), "sst");
    let mut bytes = fs::read(&table).unwrap();
    let at = bytes.len() * 2 / 5;
    bytes[at] ^= 1;
    fs::write(&table, bytes).unwrap();
    for _ in 0..2 {
        let engine = open(folder.path());
        write_until_it_rests(&engine);
        for round in 0..40 {
            engine.write(&rows(Table::Entries, round)).unwrap();
            engine.sync().unwrap();
            engine.roll().unwrap();
        }
        for n in 0..2000 {
            let key = key(Table::Entries, n);
            assert_eq!(engine.read(Family::Log, key.as_bytes()).unwrap(), Some(value(n, 39)));
        }
        // The others are compacted as ever.
        for round in 0..6 {
            engine.write(&rows(Table::Names, round)).unwrap();
            engine.roll().unwrap();
        }
        let begun = Instant::now();
        while engine.new_tables(Family::Accounts) >= 4 {
            assert!(begun.elapsed() < LONG, "no other family is compacted");
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(engine.resting(), [Family::Log]);
        assert!(engine.background_errors() < 5, "it is not tried again and again");
    }
}

#[test]
fn what_was_not_written_ends_all_writing() {
    let folder = tempfile::tempdir().unwrap();
    let (here, away) = (folder.path().join("db"), folder.path().join("away"));
    let engine = open(&here);
    engine.write(&rows(Table::Entries, 0)).unwrap();
    engine.sync().unwrap();
    fs::rename(&here, &away).unwrap();
    let begun = Instant::now();
    let error = loop {
        let tried = engine.write(&rows(Table::Entries, 1)).and_then(|()| engine.sync());
        if let Err(error) = tried {
            break error;
        }
        assert!(begun.elapsed() < LONG, "no table is missed");
        std::thread::sleep(Duration::from_millis(20));
    };
    // Also when the disk is there again: what was lost meanwhile nobody knows.
    fs::rename(&away, &here).unwrap();
    assert_eq!(engine.write(&rows(Table::Dedupe, 1)).unwrap_err(), error);
    assert_eq!(engine.flush().unwrap_err(), error);
    assert_eq!(engine.sync().unwrap_err(), error);
}

#[test]
fn a_damaged_log_ends_at_its_damage_whatever_the_checks() {
    let folder = tempfile::tempdir().unwrap();
    // All of it in one file of the log.
    let budget = Budget { write_buffer_bytes: 64 << 20, ..BUDGET };
    let open = |recovery| Rocks::open(folder.path(), budget, recovery).unwrap();
    let engine = open(Recovery::Whole);
    for n in 0..100 {
        let put =
            Write { table: Table::Dedupe, key: key(Table::Dedupe, n), value: Some(value(n, 0)) };
        engine.write(&[put]).unwrap();
    }
    engine.sync().unwrap();
    drop(engine);
    let log = biggest(folder.path(), "log");
    let mut bytes = fs::read(&log).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::write(&log, bytes).unwrap();
    let engine = open(Recovery::Prefix);
    let there =
        |n| engine.read(Family::Dedupe, key(Table::Dedupe, n).as_bytes()).unwrap().is_some();
    let first_gone = (0..100).find(|n| !there(*n)).unwrap();
    assert!((10..90).contains(&first_gone), "{first_gone}");
    assert!((first_gone..100).all(|n| !there(n)), "nothing from behind the damage");
}
