//! Walks over real files with flipped bits: what is lost is little, and all the rest is
//! found.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use parley_protocol::ids::ShardId;

use super::super::super::{Engine as _, Write};
use super::*;
use crate::storage::store::engine::rocks::{Budget, Recovery};
use crate::storage::store::{Key, Table};

/// One flush makes one file: what lies in several young files hides each other.
const BUDGET: Budget = Budget {
    cache_bytes: 1 << 20,
    write_buffer_bytes: 64 << 20,
    wal_bytes: 64 << 20,
    open_files: 64,
};

const CONVERSATIONS: u8 = 8;
const ENTRIES: u64 = 400;

fn key(conversation: u8, seq: u64) -> Key {
    let id = [conversation.wrapping_mul(37); 16];
    Key::prefix(Table::Entries, ShardId(1)).with(&id).with(&seq.to_be_bytes())
}

/// Values that don't compress, every eighth of them in a blob file.
fn value(conversation: u8, seq: u64) -> Vec<u8> {
    let length = if seq.is_multiple_of(8) { 5000 } else { 120 };
    let mut state = u64::from(conversation) << 32 | (seq + 1);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..length).map(|_| next()).collect()
}

/// A database whose rows are all in files, and the rows.
fn made(path: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let rocks = Rocks::open(path, BUDGET, Recovery::Prefix).unwrap();
    let mut rows = BTreeMap::new();
    for conversation in 0..CONVERSATIONS {
        for seq in 1..=ENTRIES {
            let (key, value) = (key(conversation, seq), value(conversation, seq));
            rows.insert(key.as_bytes().to_vec(), value.clone());
            let write = Write { table: Table::Entries, key, value: Some(value.into()) };
            rocks.write(&[write]).unwrap();
        }
    }
    rocks.sync().unwrap();
    rocks.roll().unwrap();
    rows
}

fn files(path: &Path, extension: &str) -> Vec<PathBuf> {
    let all = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    all.filter(|path| path.extension().is_some_and(|found| found == extension)).collect()
}

fn flip(file: &Path, at: u64) {
    let mut bytes = fs::read(file).unwrap();
    bytes[at as usize] ^= 0x10;
    fs::write(file, bytes).unwrap();
}

struct Found {
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
    gaps: Vec<Gap>,
}

fn walked(path: &Path) -> Found {
    let rocks = Rocks::look(path, BUDGET).unwrap();
    let mut walk = rocks.walk(Family::Log, &[], None).unwrap();
    let mut found = Found { rows: BTreeMap::new(), gaps: Vec::new() };
    let mut last = Vec::new();
    while let Some(step) = walk.next() {
        match step {
            Step::Row(key, value) => {
                assert!(*key > *last, "rows come once and in order");
                last = key.to_vec();
                found.rows.insert(key.to_vec(), value.to_vec());
            }
            Step::Gap(gap) => found.gaps.push(gap),
        }
    }
    found
}

#[test]
fn a_whole_database_has_no_gap() {
    let folder = tempfile::tempdir().unwrap();
    let rows = made(folder.path());
    let found = walked(folder.path());
    assert_eq!((found.rows, found.gaps), (rows, vec![]));
}

#[test]
fn a_flipped_bit_in_a_table_loses_a_block_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let rows = made(folder.path());
    let tables = files(folder.path(), "sst");
    let biggest = tables.iter().max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
    let bytes = fs::metadata(biggest).unwrap().len();
    for eighth in 0..7 {
        let at = bytes * eighth / 10 + 7;
        flip(biggest, at);
        let found = walked(folder.path());
        flip(biggest, at);
        let lost: Vec<_> = rows.keys().filter(|key| !found.rows.contains_key(*key)).collect();
        assert_eq!(found.gaps.len(), 1, "one block: {:?}", found.gaps);
        // A block has 16 KiB of such rows, about 110 of them.
        assert!(!lost.is_empty() && lost.len() < 300, "{} lost", lost.len());
        let gap = &found.gaps[0];
        assert!(gap.cause.contains("checksum"), "{}", gap.cause);
        let within = |key: &&Vec<u8>| {
            **key >= gap.after && gap.before.as_ref().is_none_or(|before| *key < before)
        };
        assert!(lost.iter().all(within), "all that is lost is in the gap");
        assert!(found.rows.iter().all(|(key, value)| rows[key] == *value));
    }
}

#[test]
fn a_flipped_bit_in_a_blob_loses_one_row() {
    let folder = tempfile::tempdir().unwrap();
    let rows = made(folder.path());
    let blobs = files(folder.path(), "blob");
    assert_eq!(blobs.len(), 1);
    let blob = &blobs[0];
    let bytes = fs::metadata(blob).unwrap().len();
    flip(blob, bytes / 2);
    let found = walked(folder.path());
    let lost: Vec<_> = rows.keys().filter(|key| !found.rows.contains_key(*key)).collect();
    assert_eq!((lost.len(), found.gaps.len()), (1, 1));
    let gap = &found.gaps[0];
    assert!(gap.after < *lost[0] && gap.before.as_ref().unwrap() > lost[0]);
    // Without the file every eighth row is gone, and every other one is there.
    fs::remove_file(blob).unwrap();
    let rocks = Rocks::look_at_the_rest(folder.path(), BUDGET).unwrap();
    let mut walk = rocks.walk(Family::Log, &[], None).unwrap();
    let mut left = 0;
    while let Some(step) = walk.next() {
        left += usize::from(matches!(step, Step::Row(..)));
    }
    assert_eq!(left, rows.len() - rows.len() / 8);
}

#[test]
fn damage_at_the_beginning_and_at_the_end_is_gone_around() {
    let folder = tempfile::tempdir().unwrap();
    let rows = made(folder.path());
    let tables = files(folder.path(), "sst");
    let biggest = tables.iter().max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
    flip(biggest, 3);
    let found = walked(folder.path());
    assert!(found.gaps[0].after.is_empty(), "{:?}", found.gaps[0].after);
    let last = rows.keys().next_back().unwrap();
    assert!(found.rows.contains_key(last) && found.rows.len() > rows.len() - 300);
}

#[test]
fn numbers_are_added_and_halved() {
    assert_eq!(plus(&[0, 255], 0), Some(vec![1, 0]));
    assert_eq!(plus(&[0, 255], 8), Some(vec![1, 255]));
    assert_eq!(plus(&[255, 255], 0), None);
    assert_eq!(plus(&[1, 2], 15), Some(vec![129, 2]));
    assert_eq!(between(&[0, 0], &[1, 0]), Some(vec![0, 128]));
    assert_eq!(between(&[255, 254], &[255, 255]), None);
    assert_eq!(between(&[255, 0], &[255, 255]), Some(vec![255, 127]));
}
