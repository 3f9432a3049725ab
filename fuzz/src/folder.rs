//! Opening a data folder whatever lies in it. A store is opened only with the
//! marker as we write it; every other folder is refused with a reason, and
//! every byte in it is what it was.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use parley_server::storage::store::{FORMAT, OpenError, Options, Store};

const SHARDS: u16 = 3;

/// First byte: what else lies there. The rest is the marker.
pub fn folder(data: &[u8]) {
    let [else_there, marker @ ..] = data else { return };
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let path = folder.path();
    let write = |name: &str, bytes: &[u8]| {
        let path = path.join(name);
        let made = path.parent().map_or(Ok(()), fs::create_dir_all);
        made.unwrap_or_else(|error| panic!("{name}: {error}"));
        fs::write(path, bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    };
    if else_there & 1 == 0 {
        write("PARLEY", marker);
    }
    if else_there & 2 == 2 {
        write("PARLEY.new", marker);
    }
    if else_there & 4 == 4 {
        write("db/CURRENT", marker);
    }
    if else_there & 8 == 8 {
        write("db/000012.sst", marker);
    }
    if else_there & 16 == 16 {
        write("a-letter", marker);
    }
    let before = contents(path);
    let ours = format!("parley store\nformat {FORMAT}\nshards {SHARDS}\n");
    let options = Options {
        shard_count: SHARDS,
        cache_bytes: 1 << 20,
        write_buffer_bytes: 1 << 20,
        ..Options::new(path)
    };
    // To look changes nothing, whatever it finds.
    let _ = Store::look(path);
    assert_eq!(contents(path), before, "looking changed the folder");

    match Store::open(&options) {
        Ok(store) => {
            assert!(before.get("PARLEY").is_none_or(|marker| begins(marker, &ours)));
            assert!(!before.contains_key("a-letter") || before.contains_key("PARLEY"));
            assert!(!before.contains_key("db/CURRENT"), "somebody else's database was opened");
            assert_eq!((store.facts().shard_count, store.facts().boots), (SHARDS, 1));
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            // A database that is there may be looked into before it is refused.
            if !matches!(error, OpenError::Store { .. }) {
                assert_eq!(contents(path), before, "{error}, and the folder was changed");
            }
        }
    }
}

/// What follows the marker's lines is left to later builds.
fn begins(marker: &[u8], ours: &str) -> bool {
    let text = String::from_utf8_lossy(marker);
    let number = |line: Option<&str>, word: &str| {
        line.and_then(|line| line.strip_prefix(word)?.parse::<u32>().ok())
    };
    let mut lines = text.lines();
    let mut own = ours.lines();
    lines.next() == own.next()
        && number(lines.next(), "format ") == Some(FORMAT)
        && number(lines.next(), "shards ") == Some(SHARDS.into())
}

/// Every file with its bytes.
fn contents(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let at = entry.path();
            if at.is_dir() {
                folders.push(at);
            } else {
                let name = at.strip_prefix(path).unwrap_or(&at).to_string_lossy().into_owned();
                found.insert(name, fs::read(&at).unwrap_or_default());
            }
        }
    }
    found
}
