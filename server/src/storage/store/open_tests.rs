//! Folders that are taken, and folders that are refused and left alone.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::storage::store::engine::memory::MemoryEngine;
use crate::storage::store::folder::marker_text;
use crate::storage::store::{Fact, RowKey, Table, Write};

fn options(path: &Path) -> Options {
    Options { shard_count: 4, ..Options::new(path) }
}

/// Every file below a folder with its bytes, every folder without.
fn contents(path: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut all = BTreeMap::new();
    let mut open = vec![path.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                all.insert(path.clone(), None);
                open.push(path);
            } else {
                all.insert(path.clone(), Some(fs::read(&path).unwrap()));
            }
        }
    }
    all
}

/// Opens, expects a refusal, and sees that nothing in the folder changed.
fn refused(options: &Options) -> OpenError {
    let before = contents(&options.path);
    let error = Store::open(options).expect_err("it should be refused");
    assert_eq!(contents(&options.path), before, "{error}");
    error
}

#[test]
fn a_missing_folder_is_made_for_its_owner_alone_and_reopened() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("new/data");
    let first = Store::open(&options(&path)).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(
        fs::read_to_string(path.join("PARLEY")).unwrap(),
        "parley store\nformat 1\nshards 4\nfloor 1\n"
    );
    assert_eq!((first.facts().shard_count, first.facts().boots), (4, 1));
    let node_id = first.facts().node_id;
    let incarnation = first.facts().incarnation;
    assert!(node_id != [0; 16] && incarnation != [0; 16] && incarnation != node_id);
    drop(first);
    let second = Store::open(&options(&path)).unwrap();
    assert_eq!(second.facts(), Facts { shard_count: 4, boots: 2, node_id, incarnation });
    assert_eq!(second.path(), Some(&*path.canonicalize().unwrap()));
}

#[test]
fn a_store_from_before_incarnations_draws_one_and_keeps_it() {
    let folder = tempfile::tempdir().unwrap();
    let older = Store::open(&options(folder.path())).unwrap();
    let key = RowKey::Meta { fact: Fact::Incarnation }.encode();
    older.write_synced(&[Write { table: Table::Meta, key, value: None }]).unwrap();
    drop(older);
    let looked = Store::look(folder.path()).unwrap();
    assert_eq!(looked.facts().incarnation, [0; 16]);
    drop(looked);
    let drawn = Store::open(&options(folder.path())).unwrap().facts().incarnation;
    assert_ne!(drawn, [0; 16]);
    assert_eq!(Store::look(folder.path()).unwrap().facts().incarnation, drawn);
    assert_eq!(Store::open(&options(folder.path())).unwrap().facts().incarnation, drawn);
}

#[test]
fn a_second_server_on_the_folder_is_refused_while_the_first_runs() {
    let folder = tempfile::tempdir().unwrap();
    let first = Store::open(&options(folder.path())).unwrap();
    let error = refused(&options(folder.path()));
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    drop(first);
    assert_eq!(Store::open(&options(folder.path())).unwrap().facts().boots, 2);
}

#[test]
fn a_folder_with_other_things_in_it_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("letter.txt"), "dear").unwrap();
    fs::create_dir(folder.path().join("db")).unwrap();
    let error = refused(&options(folder.path()));
    assert!(
        matches!(&error, OpenError::Unknown { found, .. } if found == "db, letter.txt"),
        "{error}"
    );
}

#[test]
fn a_file_in_place_of_the_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("data");
    fs::write(&file, "x").unwrap();
    let error = Store::open(&options(&file)).unwrap_err();
    assert!(matches!(error, OpenError::Unknown { .. }), "{error}");
    assert_eq!(fs::read(&file).unwrap(), b"x");
}

#[test]
fn a_marker_that_is_none_of_ours_is_refused() {
    let long = "x".repeat(100_000);
    for text in [
        "",
        "parley",
        "parley store\n",
        "parley store\nformat one\n",
        "parley store\nformat 1\n",
        &long,
    ] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("PARLEY"), text).unwrap();
        let error = refused(&options(folder.path()));
        assert!(matches!(error, OpenError::Unknown { .. }), "{error}");
        assert!(error.to_string().len() < 500, "{error}");
    }
}

#[test]
fn another_format_is_refused_with_both_numbers() {
    let folder = tempfile::tempdir().unwrap();
    drop(Store::open(&options(folder.path())).unwrap());
    fs::write(folder.path().join("PARLEY"), "parley store\nformat 2\nwho knows\n").unwrap();
    let error = refused(&options(folder.path()));
    assert!(matches!(error, OpenError::Format { found: 2, expected: 1, .. }), "{error}");
    assert!(error.to_string().contains("has format 2, this build reads format 1"), "{error}");
}

#[test]
fn another_number_of_shards_is_refused_with_both_numbers() {
    let folder = tempfile::tempdir().unwrap();
    drop(Store::open(&options(folder.path())).unwrap());
    let error = refused(&Options { shard_count: 8, ..options(folder.path()) });
    assert!(matches!(error, OpenError::ShardCount { found: 4, configured: 8, .. }), "{error}");
    for configured in [0, 4097, 0xffff] {
        let error = refused(&Options { shard_count: configured, ..options(folder.path()) });
        assert!(matches!(error, OpenError::ShardCountInvalid { .. }), "{error}");
    }
}

#[test]
fn a_creation_that_died_at_any_step_is_taken_up() {
    type Step = fn(&Path);
    let marker: Step = |path| fs::write(path.join("PARLEY"), marker_text(4)).unwrap();
    let steps: [Step; 5] = [
        |path| fs::write(path.join("PARLEY.new"), "parley st").unwrap(),
        marker,
        |path| fs::create_dir(path.join("db")).unwrap(),
        |path| fs::write(path.join("db/LOCK"), "").unwrap(),
        |path| fs::write(path.join("db/MANIFEST-000001"), "").unwrap(),
    ];
    for died_after in 1..=steps.len() {
        let folder = tempfile::tempdir().unwrap();
        for step in &steps[..died_after] {
            step(folder.path());
        }
        let store = Store::open(&options(folder.path())).unwrap();
        assert_eq!(store.facts().boots, 1, "died after {died_after} steps");
    }
}

#[test]
fn what_other_parts_keep_in_the_folder_is_no_stranger() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("tls")).unwrap();
    fs::write(folder.path().join("parley.toml"), "").unwrap();
    drop(Store::open(&options(folder.path())).unwrap());
}

#[test]
fn a_database_without_its_root_file_is_not_taken_for_a_new_one() {
    let folder = tempfile::tempdir().unwrap();
    drop(Store::open(&options(folder.path())).unwrap());
    fs::write(folder.path().join("db/000123.sst"), "data").unwrap();
    fs::remove_file(folder.path().join("db/CURRENT")).unwrap();
    let error = refused(&options(folder.path()));
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
}

#[test]
fn a_folder_that_cant_be_made_says_where_and_why() {
    // Holds for root too: /proc takes no folders.
    let error = Store::open(&options(Path::new("/proc/parley-data"))).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, OpenError::Io { .. }), "{text}");
    assert!(text.starts_with("could not create the data folder /proc/parley-data: "), "{text}");
}

#[test]
fn a_store_in_memory_counts_its_boots_too() {
    let engine = Arc::new(MemoryEngine::new());
    let open = |shards| Store::over(Arc::clone(&engine) as Arc<dyn Engine>, shards, [1; 16]);
    assert_eq!(open(4).unwrap().facts().boots, 1);
    assert_eq!(open(4).unwrap().facts().boots, 2);
    assert!(matches!(open(5), Err(OpenError::ShardCount { found: 4, configured: 5, .. })));
}
