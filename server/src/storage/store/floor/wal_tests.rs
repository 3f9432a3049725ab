//! The scanner beside the database itself: what it says is what opening finds.

use std::fs;

use bytes::Bytes;
use parley_protocol::ids::{ConversationId, ShardId};
use proptest::prelude::*;

use super::*;
use crate::storage::store::engine::rocks::{Budget, Recovery, Rocks};
use crate::storage::store::floor::manifest;
use crate::storage::store::tables::entries;
use crate::storage::store::{Engine as _, Place, Write};

const SMALL: Budget = Budget {
    cache_bytes: 1 << 20,
    write_buffer_bytes: 64 << 20,
    wal_bytes: 300_000,
    open_files: 64,
};

fn entry(seq: u64, bytes: usize) -> Write {
    let place = Place { shard: ShardId(1), conversation: ConversationId::new([1; 16]) };
    entries::put_encoded(place, seq, Bytes::from(vec![b'x'; bytes]))
}

/// A folder as a killed process leaves it: batches of so many rows of so many bytes.
/// Returns it with the number of the last row.
fn killed(batches: &[(u8, u16)]) -> (tempfile::TempDir, u64) {
    let (made, left) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let engine = Rocks::open(made.path(), SMALL, Recovery::Prefix).unwrap();
    let mut seq = 0;
    for (rows, bytes) in batches {
        let batch: Vec<_> = (0..*rows)
            .map(|_| {
                seq += 1;
                entry(seq, usize::from(*bytes))
            })
            .collect();
        engine.write(&batch).unwrap();
        engine.sync().unwrap();
    }
    copy(made.path(), left.path());
    (left, engine.last_row())
}

/// Copies the files of a folder, once none comes or goes meanwhile.
fn copy(from: &Path, to: &Path) {
    let names = || {
        let mut names: Vec<_> =
            fs::read_dir(from).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let copied = || {
        let before = names();
        let all = before.iter().all(|name| fs::copy(from.join(name), to.join(name)).is_ok());
        all && names() == before
    };
    while !copied() {
        for entry in fs::read_dir(to).unwrap() {
            fs::remove_file(entry.unwrap().path()).unwrap();
        }
    }
}

fn newest(folder: &Path) -> PathBuf {
    files(folder).unwrap().pop().unwrap()
}

/// What opening finds, on a copy of the folder.
fn opened(folder: &Path) -> u64 {
    let scratch = tempfile::tempdir().unwrap();
    copy(folder, scratch.path());
    Rocks::open(scratch.path(), SMALL, Recovery::Prefix).unwrap().last_row()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever was written, with files that end where they may and records of any
    /// length, the scanner follows it to its end.
    #[test]
    fn it_ends_where_the_database_ends(
        batches in prop::collection::vec((1u8..20, prop_oneof![0u16..200, 30_000u16..40_000]), 1..40)
    ) {
        let (folder, last) = killed(&batches);
        let extent = scan(folder.path()).unwrap();
        prop_assert_eq!(extent.end, Some(last));
        prop_assert_eq!(&extent.stop, &None);
        // Whatever the log doesn't hold any more is in tables.
        let tables = manifest::last_row(folder.path()).unwrap();
        prop_assert!(tables.unwrap_or(0) + 1 >= extent.first.unwrap(), "{tables:?}, {extent:?}");
    }

    /// A log that is cut anywhere, or in which a bit is flipped, ends where opening ends.
    #[test]
    fn what_is_damaged_ends_where_the_database_ends(
        batches in prop::collection::vec((1u8..9, 0u16..3000), 2..30),
        at in 0.0..1.0f64,
        cut: bool,
    ) {
        let (folder, last) = killed(&batches);
        let file = newest(folder.path());
        let mut bytes = fs::read(&file).unwrap();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let at = (bytes.len() as f64 * at) as usize;
        if cut {
            bytes.truncate(at);
        } else if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 4;
        }
        fs::write(&file, bytes).unwrap();
        let extent = scan(folder.path()).unwrap();
        if let Some(end) = extent.end {
            prop_assert_eq!(end, opened(folder.path()));
            prop_assert!(end <= last);
        }
    }
}

#[test]
fn what_lies_behind_a_flipped_bit_is_seen() {
    let (folder, last) = killed(&[(2, 100); 100]);
    let file = newest(folder.path());
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 3;
    bytes[middle] ^= 1;
    // So that there is another block: a bad one is left out as a whole.
    fs::write(&file, &bytes).unwrap();
    let extent = scan(folder.path()).unwrap();
    let stop = extent.stop.unwrap();
    assert_eq!(stop.why, Bad::Checksum);
    assert!(stop.offset <= middle as u64 && extent.end.unwrap() < last, "{stop:?}");
}

#[test]
fn records_behind_a_bad_block_and_files_behind_a_missing_one_are_seen() {
    let (folder, last) = killed(&[(1, 30_000); 8]);
    let file = newest(folder.path());
    let mut bytes = fs::read(&file).unwrap();
    bytes[40_000] ^= 1;
    fs::write(&file, &bytes).unwrap();
    let extent = scan(folder.path()).unwrap();
    assert_eq!((extent.end, extent.beyond), (Some(1), Some(last)));
    // As if a file between two were gone: rows 1 to 3, and then from 7 on.
    let mut gap = Extent::default();
    gap.record("1.log", 0, 1, 3);
    gap.record("3.log", 0, 7, 2);
    assert_eq!((gap.end, gap.beyond), (Some(3), Some(8)));
    assert_eq!(gap.stop.unwrap().why, Bad::Gap);
}

#[test]
fn a_log_gone_on_with_behind_a_torn_end_is_whole() {
    let mut extent = Extent::default();
    extent.record("1.log", 0, 1, 3);
    extent.stop("1.log", 90, Bad::Cut);
    extent.record("2.log", 0, 4, 1);
    assert_eq!((extent.end, extent.stop, extent.beyond), (Some(4), None, None));
}

#[test]
fn an_empty_folder_and_an_empty_file_have_no_end() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(scan(folder.path()).unwrap(), Extent::default());
    fs::write(folder.path().join("000004.log"), b"").unwrap();
    let extent = scan(folder.path()).unwrap();
    assert_eq!((extent.files, extent.end, extent.stop), (1, None, None));
}
