//! What is synced is always there; what isn't may be lost in every way that is meant to
//! be; a disk that forgets syncs is found out.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};

use super::content::Content;
use super::cut::{Mood, Order};
use super::names::Names;
use super::{Mounted, disk::Forgets};

const MOODS: [Mood; 3] = [Mood::Nothing, Mood::Everything, Mood::Any];

/// Changes a file at random; returns what is to be read.
fn change(content: &mut Content, model: &mut Vec<u8>, random: &mut fastrand::Rng) {
    if random.u8(..8) == 0 {
        let length = random.usize(..20_000);
        content.resize(length);
        model.resize(length, 0);
        return;
    }
    let at = if random.bool() { model.len() } else { random.usize(..20_000) };
    let bytes = vec![random.u8(1..); random.usize(1..6000)];
    content.write(at, &bytes);
    let end = at + bytes.len();
    model.resize(model.len().max(end), 0);
    model[at..end].copy_from_slice(&bytes);
}

#[test]
fn a_file_is_after_a_cut_as_it_was_synced_or_some_way_further() {
    let mut ways = BTreeSet::new();
    for seed in 0..3000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut content, mut model) = (Content::default(), Vec::new());
        for _ in 0..random.u8(..6) {
            change(&mut content, &mut model, &mut random);
        }
        let reach = content.reach();
        let synced = model.clone();
        // Every state a page may be seen in; a file is never shorter than in all of them.
        let mut states = vec![synced.clone()];
        for _ in 0..random.u8(..6) {
            change(&mut content, &mut model, &mut random);
            states.push(model.clone());
        }
        content.sync(reach);
        assert_eq!((content.bytes(), content.on_disk()), (model.as_slice(), synced.clone()));
        let mood = MOODS[random.usize(..3)];
        content.cut(mood, &mut random);
        let (now, lengths) = (content.bytes(), states.iter().map(Vec::len));
        let (shortest, longest) = (lengths.clone().min().unwrap(), lengths.max().unwrap());
        assert!((shortest..=longest).contains(&now.len()), "seed {seed}");
        assert!(content.is_synced() && content.on_disk() == now, "seed {seed}");
        match mood {
            Mood::Nothing => assert_eq!(now, synced, "seed {seed}"),
            Mood::Everything => assert_eq!(now, model, "seed {seed}"),
            Mood::Any => {
                for (at, sector) in now.chunks(512).enumerate() {
                    let range = at * 512..at * 512 + sector.len();
                    // Zeros are where the length is newer than the bytes.
                    let was = states.iter().any(|state| {
                        let then = &state[range.start.min(state.len())..];
                        let mut bytes = sector.iter().enumerate();
                        bytes.all(|(at, byte)| *byte == 0 || then.get(at) == Some(byte))
                    });
                    assert!(was, "seed {seed}: a sector that never was, at {range:?}");
                }
            }
        }
        ways.extend((now != synced).then_some("newer"));
        ways.extend((now != model).then_some("older"));
        ways.extend((now.len() > synced.len()).then_some("longer"));
        ways.extend((now.len() < model.len()).then_some("not as long"));
        ways.extend((now != model && now != synced).then_some("between"));
    }
    assert_eq!(ways.len(), 5, "{ways:?}");
}

#[test]
fn pages_are_lost_in_any_order_torn_and_left_as_zeros() {
    let mut ways = BTreeSet::new();
    for seed in 0..2000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut content = Content::default();
        content.write(0, &[1; 8192]);
        content.sync(content.reach());
        content.write(0, &[2; 8192]);
        content.write(8192, &[2; 8192]);
        content.cut(Mood::Any, &mut random);
        let bytes = content.bytes();
        let page = |at: usize| bytes.get(at * 4096..(at + 1) * 4096).unwrap_or_default();
        let is =
            |at: usize, byte: u8| page(at).len() == 4096 && page(at).iter().all(|b| *b == byte);
        ways.extend((is(0, 1) && is(1, 2)).then_some("the second without the first"));
        ways.extend((is(0, 2) && is(1, 1)).then_some("the first without the second"));
        ways.extend((is(2, 0) && is(3, 2)).then_some("zeros before the end"));
        ways.extend((is(2, 2) && is(3, 0)).then_some("zeros at the end"));
        ways.extend((page(0).contains(&1) && page(0).contains(&2)).then_some("torn"));
        ways.extend((bytes.len() == 12_288).then_some("half as long"));
        ways.extend((bytes.len() == 8192).then_some("not longer"));
    }
    assert_eq!(ways.len(), 7, "{ways:?}");
}

#[test]
fn what_a_sync_failed_on_is_never_on_the_disk() {
    let mut content = Content::default();
    content.write(0, b"synced....");
    content.sync(content.reach());
    content.write(2, b"LOST");
    content.give_up(content.reach());
    content.write(4, b"kept");
    content.write(10, b"more");
    content.sync(content.reach());
    assert_eq!(content.bytes(), b"syLOkept..more");
    assert_eq!(content.on_disk(), b"synckept..more");
    content.cut(Mood::Everything, &mut fastrand::Rng::with_seed(1));
    assert_eq!(content.bytes(), b"synckept..more");
}

const FOLDER: u64 = 1;

fn seen(names: &Names) -> Vec<(String, u64)> {
    names.list(FOLDER).map(|(name, of)| (name.to_str().unwrap().to_owned(), of)).collect()
}

/// A database's way of replacing a file: the new one beside it, then renamed over it.
fn replaced(sync: bool) -> Names {
    let mut names = Names::default();
    names.add_folder(FOLDER);
    names.make(FOLDER, OsStr::new("current"), 2);
    names.make(FOLDER, OsStr::new("log"), 3);
    names.sync(FOLDER, names.reach());
    names.make(FOLDER, OsStr::new("new"), 4);
    names.rename((FOLDER, OsStr::new("new")), (FOLDER, OsStr::new("current")));
    if sync {
        names.sync(FOLDER, names.reach());
    }
    names.take_away(FOLDER, OsStr::new("log"));
    names
}

#[test]
fn names_are_there_or_not_and_a_rename_is_whole() {
    for order in [Order::Journal, Order::Loose] {
        for sync in [false, true] {
            let mut found = BTreeSet::new();
            for seed in 0..500 {
                let mut random = fastrand::Rng::with_seed(seed);
                let mut names = replaced(sync);
                names.cut(order, Mood::Any, &mut random);
                found.insert(
                    seen(&names)
                        .iter()
                        .map(|(name, of)| format!("{name} {of}"))
                        .collect::<Vec<_>>()
                        .join(", "),
                );
            }
            let expected: &[&str] = match (order, sync) {
                (_, true) => &["current 4", "current 4, log 3"],
                (Order::Journal, false) => &[
                    "current 2, log 3",
                    "current 2, log 3, new 4",
                    "current 4",
                    "current 4, log 3",
                ],
                (Order::Loose, false) => &[
                    "current 2",
                    "current 2, log 3",
                    "current 2, log 3, new 4",
                    "current 2, new 4",
                    "current 4",
                    "current 4, log 3",
                ],
            };
            let expected: BTreeSet<_> = expected.iter().map(|&names| names.to_owned()).collect();
            assert_eq!(found, expected, "{order:?}, synced: {sync}");
        }
    }
}

#[test]
fn a_journal_has_the_name_of_a_file_that_was_synced() {
    for seed in 0..200 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut names = replaced(false);
        names.sync_of(4);
        names.cut(Order::Journal, Mood::Nothing, &mut random);
        assert_eq!(seen(&names), [("current".to_owned(), 4), ("log".to_owned(), 3)]);
    }
}

/// Writes and syncs as careful programs do, cuts, and says whether all is there.
fn keeps(forgets: Forgets) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let mut disk = Mounted::new(&folder.path().join("disk")).expect("mounting");
    let mut random = fastrand::Rng::with_seed(7);
    disk.disk().forget(forgets);
    let mut all = true;
    for round in 0..20_u8 {
        let place = disk.folder().join("data");
        let path = place.join(format!("file {round}"));
        fs::create_dir_all(&place).unwrap();
        let mut file = OpenOptions::new().create(true).append(true).open(&path).unwrap();
        file.write_all(&[round + 1; 10_000]).unwrap();
        file.sync_data().unwrap();
        fs::File::open(&place).unwrap().sync_all().unwrap();
        fs::File::open(disk.folder()).unwrap().sync_all().unwrap();
        let number = file.metadata().unwrap().ino();
        file.write_all(b"not synced").unwrap();
        drop(file);
        disk.disk().stop();
        disk.disk().let_go();
        disk.come_back(&mut random);
        let Ok(bytes) = fs::read(&path) else {
            all = false;
            continue;
        };
        all &= bytes.starts_with(&[round + 1; 10_000]);
        assert_eq!(fs::metadata(&path).unwrap().ino(), number, "the same file");
    }
    all
}

#[test]
#[ignore = "needs root and /dev/fuse: make test runs it where they are"]
fn what_was_synced_is_there_after_every_cut_and_a_disk_that_forgets_is_found_out() {
    assert!(keeps(Forgets::Nothing));
    assert!(!keeps(Forgets::Files), "syncs of files are forgotten, and nobody finds out");
    assert!(!keeps(Forgets::Folders), "syncs of folders are forgotten, and nobody finds out");
}

#[test]
#[ignore = "needs root and /dev/fuse: make test runs it where they are"]
fn files_and_folders_are_as_on_any_disk() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Mounted::new(&folder.path().join("disk")).expect("mounting");
    let place = disk.folder().join("a/b");
    fs::create_dir_all(&place).unwrap();
    let path = place.join("file");
    let mut random = fastrand::Rng::with_seed(1);
    let bytes: Vec<u8> = (0..3_000_000).map(|_| random.u8(..)).collect();
    fs::write(&path, &bytes).unwrap();
    assert!(fs::read(&path).unwrap() == bytes);
    let file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    file.write_all_at(b"over", 5000).unwrap();
    file.set_len(6000).unwrap();
    file.set_len(7000).unwrap();
    let now = fs::read(&path).unwrap();
    assert_eq!((now.len(), &now[5000..5004], &now[6000..]), (7000, &b"over"[..], &[0; 1000][..]));
    for number in 0..500 {
        fs::write(place.join(format!("many {number:03}")), b"x").unwrap();
    }
    assert_eq!(fs::read_dir(&place).unwrap().count(), 501);
    fs::rename(&path, disk.folder().join("moved")).unwrap();
    assert!(fs::metadata(&path).is_err() && disk.folder().join("moved").exists());
    assert!(fs::remove_dir(&place).is_err(), "not empty");
    fs::remove_dir_all(disk.folder().join("a")).unwrap();
    // A file without a name is there for who holds it.
    fs::remove_file(disk.folder().join("moved")).unwrap();
    let mut held = [0; 4];
    file.read_exact_at(&mut held, 5000).unwrap();
    assert_eq!(&held, b"over");
    // Locks are the kernel's.
    let lock = fs::File::create(disk.folder().join("lock")).unwrap();
    lock.try_lock().unwrap();
    let other = fs::File::open(disk.folder().join("lock")).unwrap();
    assert!(other.try_lock().is_err());
}
