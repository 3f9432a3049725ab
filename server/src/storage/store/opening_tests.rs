//! Everything that can be gone of a folder, on a real one: the start says so and
//! touches nothing, goes on when the operator names the loss, and has another
//! incarnation then.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use parley_protocol::ids::{ConversationId, ShardId};

use crate::storage::store::engine::rocks::{Budget, Recovery, Rocks};
use crate::storage::store::tables::entries;
use crate::storage::store::{Facts, OpenError, Options, Place, Store, Write};

const PLACE: Place = Place { shard: ShardId(1), conversation: ConversationId::new([1; 16]) };

fn options(path: &Path) -> Options {
    Options { shard_count: 4, ..Options::new(path) }
}

fn accepting(path: &Path, loss: &str) -> Options {
    Options { accept_loss: Some(loss.to_owned()), ..options(path) }
}

fn contents(path: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut all = BTreeMap::new();
    let mut open = vec![path.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path.clone());
            }
            // A lock, and what the database says to itself, is no data.
            let bytes = path.is_file().then(|| fs::read(&path).unwrap());
            if path.file_name().is_some_and(|name| name != "LOCK") {
                all.insert(path, bytes);
            }
        }
    }
    all
}

fn entry(seq: u64, bytes: usize) -> Write {
    entries::put_encoded(PLACE, seq, vec![b'x'; bytes].into())
}

/// Commits an entry as the log does: written, synced, noted.
fn commit(store: &Store, seq: u64, bytes: usize) {
    store.write_synced(&[entry(seq, bytes)]).unwrap();
    let rows = store.engine().rows_written();
    store.raise_floor(rows, [(PLACE.conversation, (seq, seq))].into_iter());
}

/// A folder as a killed process leaves it, with entries 1 to `count`; and what the store
/// was. The original goes on to be open, as the lock of the copy is another.
struct Killed {
    folder: tempfile::TempDir,
    facts: Facts,
}

impl Killed {
    fn with(count: u64, bytes: usize) -> Self {
        Self::after(count, bytes, |_| {})
    }

    fn after(count: u64, bytes: usize, last: impl Fn(&Store)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&options(folder.path())).unwrap();
        for seq in 1..=count {
            commit(&store, seq, bytes);
        }
        last(&store);
        let facts = store.facts();
        // Left open: nothing is written at a close. Only the lock is given up.
        let kept = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(folder.path()).unwrap() {
            let path = entry.unwrap().path();
            copy(&path, &kept.path().join(path.file_name().unwrap()));
        }
        drop(store);
        // The files themselves, with the bytes they had: a copy would be known as one.
        for path in contents(folder.path()).into_keys().filter(|path| path.is_file()) {
            if !kept.path().join(path.strip_prefix(folder.path()).unwrap()).exists() {
                fs::remove_file(path).unwrap();
            }
        }
        for (path, bytes) in contents(kept.path()) {
            let Some(bytes) = bytes else { continue };
            let home = folder.path().join(path.strip_prefix(kept.path()).unwrap());
            fs::write(home, bytes).unwrap();
        }
        Self { folder, facts }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn logs(&self) -> Vec<PathBuf> {
        let all = contents(&self.path().join("db")).into_keys();
        all.filter(|path| path.extension().is_some_and(|found| found == "log")).collect()
    }

    /// Refused, with nothing changed; returns the words and the loss's name.
    fn refused(&self) -> (String, String) {
        let before = contents(self.path());
        let error = Store::open(&options(self.path())).expect_err("it should be refused");
        assert!(contents(self.path()) == before, "the refusal changed something: {error}");
        let words = error.to_string();
        let OpenError::Lost { loss, .. } = error else { panic!("{words}") };
        // Another loss's name opens nothing.
        let other = Store::open(&accepting(self.path(), "00000000"));
        assert!(matches!(other, Err(OpenError::Lost { .. })));
        (words, loss.id())
    }

    /// Refused, then opened without what is lost: another life, and again without a word.
    fn accepted(&self) -> (String, Store) {
        let (words, id) = self.refused();
        let store = Store::open(&accepting(self.path(), &id)).unwrap();
        assert_ne!(store.facts().incarnation, self.facts.incarnation);
        assert!(store.facts().boots > self.facts.boots, "epochs never go back");
        let facts = store.facts();
        drop(store);
        let store = Store::open(&options(self.path())).unwrap();
        assert_eq!(store.facts().incarnation, facts.incarnation);
        assert_eq!(store.facts().boots, facts.boots + 1);
        (words, store)
    }
}

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap() {
            let path = entry.unwrap().path();
            copy(&path, &to.join(path.file_name().unwrap()));
        }
    } else {
        fs::copy(from, to).unwrap();
    }
}

fn has(store: &Store, seq: u64) -> bool {
    store
        .engine()
        .read(crate::storage::store::Table::Entries.family(), entry(seq, 0).key.as_bytes())
        .unwrap()
        .is_some()
}

#[test]
fn a_store_that_was_killed_opens_and_keeps_its_incarnation() {
    let killed = Killed::with(30, 100);
    let store = Store::open(&options(killed.path())).unwrap();
    assert!((1..=30).all(|seq| has(&store, seq)));
    let Facts { incarnation, boots, .. } = killed.facts;
    assert_eq!((store.facts().incarnation, store.facts().boots), (incarnation, boots + 1));
    assert_ne!(incarnation, [0; 16]);
}

#[test]
fn a_log_that_is_cut_emptied_or_gone_is_said_with_what_is_missing() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 3] = [
        ("cut", |log| {
            let bytes = fs::read(log).unwrap();
            fs::write(log, &bytes[..bytes.len() / 2]).unwrap();
        }),
        ("emptied", |log| fs::write(log, b"").unwrap()),
        ("gone", |log| fs::remove_file(log).unwrap()),
    ];
    for (name, damage) in damages {
        let killed = Killed::with(30, 100);
        for log in killed.logs() {
            damage(&log);
        }
        let (words, store) = killed.accepted();
        assert!(words.contains("entries of 1 conversations are missing"), "{name}: {words}");
        assert!(words.contains(&format!("{}", PLACE.conversation)), "{name}: {words}");
        assert!(!has(&store, 30), "{name}");
        commit(&store, 31, 10);
        drop(store);
        assert!(has(&Store::open(&options(killed.path())).unwrap(), 31), "{name}");
    }
}

#[test]
fn a_flipped_bit_in_the_log_is_said_and_what_lies_behind_it_is_kept_when_accepted() {
    let killed = Killed::with(40, 2_000);
    let log = killed.logs().pop().unwrap();
    let mut bytes = fs::read(&log).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&log, bytes).unwrap();
    let (words, store) = killed.accepted();
    assert!(words.contains("a checksum is wrong"), "{words}");
    assert!(words.contains("can be read"), "{words}");
    assert!(has(&store, 1) && has(&store, 40));
    assert!((1..=40).any(|seq| !has(&store, seq)));
}

#[test]
fn rows_that_nobody_was_told_of_may_be_torn_off() {
    let killed = Killed::after(10, 100, |store| {
        store.write_unsynced(&[entry(11, 3_000)]).unwrap();
        store.flush().unwrap();
    });
    let log = killed.logs().pop().unwrap();
    let bytes = fs::read(&log).unwrap();
    fs::write(&log, &bytes[..bytes.len() - 500]).unwrap();
    let store = Store::open(&options(killed.path())).unwrap();
    assert!(has(&store, 10) && !has(&store, 11));
    assert_eq!(store.facts().incarnation, killed.facts.incarnation);
}

#[test]
fn an_older_log_that_is_gone_while_newer_ones_are_there_is_said() {
    // One family is never full, so its first log stays while others come.
    let killed = Killed::after(3, 100, |store| {
        store.engine().write(&[entry(4, 40 << 20)]).unwrap();
        for seq in 5..=8 {
            commit(store, seq, 100);
        }
    });
    let logs = killed.logs();
    assert!(logs.len() >= 2, "{logs:?}");
    fs::remove_file(&logs[0]).unwrap();
    let (words, _store) = killed.accepted();
    assert!(words.contains("write-ahead log"), "{words}");
}

#[test]
fn a_database_that_is_gone_or_empty_beside_a_good_marker_is_said() {
    for leave_folder in [true, false] {
        let killed = Killed::with(5, 100);
        let database = killed.path().join("db");
        fs::remove_dir_all(&database).unwrap();
        if leave_folder {
            fs::create_dir(&database).unwrap();
        }
        let (words, store) = killed.accepted();
        assert!(words.contains("is a disk not mounted?"), "{words}");
        assert!(!has(&store, 1));
    }
}

#[test]
fn an_older_copy_of_the_database_and_another_stores_are_said() {
    let killed = Killed::with(5, 100);
    let older = Killed::with(3, 100);
    let (database, theirs) = (killed.path().join("db"), older.path().join("db"));
    // Its own, from before.
    let store = Store::open(&options(killed.path())).unwrap();
    drop(store);
    let aside = tempfile::tempdir().unwrap();
    copy(&database, aside.path());
    let store = Store::open(&options(killed.path())).unwrap();
    commit(&store, 6, 100);
    drop(store);
    fs::remove_dir_all(&database).unwrap();
    copy(aside.path(), &database);
    let (words, store) = killed.accepted();
    assert!(words.contains("at most 1 entries of 1 conversations"), "{words}");
    drop(store);
    // Another store's, that reaches as far.
    let store = Store::open(&options(older.path())).unwrap();
    for seq in 4..40 {
        commit(&store, seq, 100);
    }
    drop(store);
    fs::remove_dir_all(&database).unwrap();
    copy(&theirs, &database);
    let error = Store::open(&options(killed.path())).unwrap_err().to_string();
    assert!(error.contains("the database of another store"), "{error}");
}

#[test]
fn a_floor_that_is_gone_or_damaged_is_said() {
    for damage in [None, Some(vec![0; 100])] {
        let killed = Killed::with(5, 100);
        let floor = killed.path().join("FLOOR");
        match &damage {
            None => fs::remove_file(&floor).unwrap(),
            Some(bytes) => fs::write(&floor, bytes).unwrap(),
        }
        let (words, store) = killed.accepted();
        assert!(words.contains("can't be known"), "{words}");
        assert!(has(&store, 5));
    }
}

#[test]
fn a_copy_of_the_whole_folder_has_another_incarnation_and_its_epochs_go_on() {
    let killed = Killed::with(5, 100);
    let (aside, path) = (tempfile::tempdir().unwrap(), killed.path().to_owned());
    copy(&path, aside.path());
    let mut facts = killed.facts;
    for _ in 0..5 {
        facts = Store::open(&options(&path)).unwrap().facts();
    }
    fs::remove_dir_all(&path).unwrap();
    copy(aside.path(), &path);
    let restored = Store::open(&options(&path)).unwrap().facts();
    assert_ne!(restored.incarnation, facts.incarnation);
    assert!(restored.boots > facts.boots, "{restored:?}, {facts:?}");
    let next = Store::open(&options(&path)).unwrap().facts();
    assert_eq!((next.incarnation, next.boots), (restored.incarnation, restored.boots + 1));
}

#[test]
fn a_file_of_long_texts_that_is_missing_or_cut_is_said_once() {
    for cut in [false, true] {
        let killed = Killed::after(5, 50_000, |store| store.roll().unwrap());
        let mut files = contents(&killed.path().join("db")).into_keys();
        let blob =
            files.find(|path| path.extension().is_some_and(|found| found == "blob")).unwrap();
        if cut {
            let bytes = fs::read(&blob).unwrap();
            fs::write(&blob, &bytes[..bytes.len() / 2]).unwrap();
        } else {
            fs::remove_file(&blob).unwrap();
        }
        let error = Store::open(&options(killed.path())).unwrap_err();
        let words = error.to_string();
        let OpenError::Lost { loss, .. } = error else { panic!("{words}") };
        assert!(words.contains("long texts"), "{words}");
        drop(Store::open(&accepting(killed.path(), &loss.id())).unwrap());
        drop(Store::open(&options(killed.path())).unwrap());
    }
}

/// The manifest in force.
fn manifest(path: &Path) -> PathBuf {
    let name = fs::read_to_string(path.join("db/CURRENT")).unwrap();
    path.join("db").join(name.trim_end())
}

#[test]
fn a_list_of_tables_that_is_older_than_the_log_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&options(folder.path())).unwrap();
    let older = fs::read(manifest(folder.path())).unwrap();
    for seq in 1..=5 {
        commit(&store, seq, 100);
    }
    store.roll().unwrap();
    commit(&store, 6, 100);
    let facts = store.facts();
    drop(store);
    let killed = Killed { folder, facts };
    fs::write(manifest(killed.path()), older).unwrap();
    let (words, _store) = killed.accepted();
    assert!(words.contains("MANIFEST"), "{words}");
}

#[test]
fn an_old_folder_without_a_floor_gets_one() {
    let killed = Killed::with(5, 100);
    fs::remove_file(killed.path().join("FLOOR")).unwrap();
    fs::write(killed.path().join("PARLEY"), "parley store\nformat 1\nshards 4\n").unwrap();
    drop(Store::open(&options(killed.path())).unwrap());
    assert!(killed.path().join("FLOOR").exists());
    let marker = fs::read_to_string(killed.path().join("PARLEY")).unwrap();
    assert_eq!(marker, "parley store\nformat 1\nshards 4\nfloor 1\n");
}

#[test]
fn the_databases_own_words_for_a_missing_log_are_known() {
    let killed = Killed::after(3, 100, |store| {
        store.engine().write(&[entry(4, 40 << 20)]).unwrap();
        commit(store, 5, 100);
    });
    fs::remove_file(&killed.logs()[0]).unwrap();
    let budget = Budget {
        cache_bytes: 1 << 20,
        write_buffer_bytes: 64 << 20,
        wal_bytes: 1 << 30,
        open_files: 64,
    };
    let error = Rocks::open(&killed.path().join("db"), budget, Recovery::Prefix).err().unwrap();
    assert!(error.is_of_a_missing_log(), "{error}");
}
