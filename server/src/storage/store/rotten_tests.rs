//! Rotten files under a real database: what is lost is what they held, it is said to
//! be, and nothing else is.

use std::fs;
use std::path::{Path, PathBuf};

use parley_protocol::wire::EntryKind;
use parley_protocol::{ConversationId, ShardId, UserId};

use proptest::prelude::*;

use super::tables::{conversations, dedupe, entries, feed, names, outbox};
use super::*;

const SHARD: ShardId = ShardId(1);
const HERE: Place = Place { shard: SHARD, conversation: ConversationId::new([5; 16]) };
const ALL: ReadLimit = ReadLimit { entries: usize::MAX, bytes: usize::MAX };

/// Entries of the log: enough for many blocks, every tenth in a blob.
const ENTRIES: u64 = 1500;

fn options(path: &Path) -> Options {
    Options { shard_count: 4, ..Options::new(path) }
}

/// What an entry is; one of ten lies in a blob file. Of words that can't be packed.
fn record(seq: u64) -> Record {
    let length = if seq.is_multiple_of(10) { 5000 } else { 100 };
    let words = (0u64..length / 8)
        .flat_map(|n| (seq * 1_000_003 + n).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    let entry = parley_protocol::wire::Entry {
        seq,
        ordinal: seq,
        time_ms: 1000 + seq,
        sender: UserId::new([1; 16]).to_wire(),
        kind: EntryKind::Text as u32,
        body: words.collect::<Vec<u8>>().into(),
        ..parley_protocol::wire::Entry::default()
    };
    Record { entry: entry.encode_to_vec().into(), ..Record::default() }
}

/// A folder with one log, all of it in table and blob files.
fn written(path: &Path) {
    let store = Store::open(&options(path)).unwrap();
    let put = |seq| entries::put_encoded(HERE, seq, record(seq).encode_to_vec().into());
    store.write_synced(&(1..=ENTRIES).map(put).collect::<Vec<_>>()).unwrap();
    let row = ConversationRow { created_ms: 7, ..ConversationRow::default() };
    store.write_synced(&[conversations::put(HERE, &row)]).unwrap();
    store.roll().unwrap();
}

/// The biggest file of a kind.
fn biggest(path: &Path, ending: &str) -> PathBuf {
    let files = fs::read_dir(path.join("db")).unwrap().map(|entry| entry.unwrap().path());
    let of_kind = files.filter(|path| path.extension().is_some_and(|found| found == ending));
    of_kind.max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap()
}

fn flip(path: &Path, at: impl Fn(usize) -> usize) {
    let mut bytes = fs::read(path).unwrap();
    let at = at(bytes.len());
    bytes[at] ^= 0x10;
    fs::write(path, bytes).unwrap();
}

/// Reads all of the log in pages, one way, as whoever knows where it ends.
fn pages(store: &Store, forward: bool) -> Vec<StoredEntry> {
    let limit = ReadLimit { entries: 200, bytes: 400_000 };
    let (mut all, mut at) = (Vec::new(), if forward { 0 } else { ENTRIES + 1 });
    loop {
        let range = if forward { ReadRange::After(at) } else { ReadRange::Before(at) };
        let page = store.entries(HERE, range, limit, ENTRIES).unwrap();
        let Some(next) = (if forward { page.last() } else { page.first() }) else { break };
        at = next.seq;
        if forward {
            all.extend(page);
        } else {
            all.splice(0..0, page);
        }
    }
    all
}

/// The seqs that are damaged; all others are the true ones, both ways and one by one.
fn damaged(store: &Store) -> Vec<u64> {
    let all = pages(store, true);
    assert_eq!(
        all.iter().map(|stored| stored.seq).collect::<Vec<_>>(),
        (1..=ENTRIES).collect::<Vec<_>>()
    );
    assert!(pages(store, false) == all, "both ways give the same");
    let mut damaged = Vec::new();
    for StoredEntry { seq, record: found } in all {
        if found == Record::damaged(seq) {
            damaged.push(seq);
        } else {
            assert!(found == record(seq), "{seq} is neither true nor damaged");
        }
        assert!(store.known_entry(HERE, seq).unwrap() == found);
        let around = ReadRange::Around(seq);
        let page = store.entries(HERE, around, ReadLimit { entries: 3, ..ALL }, ENTRIES).unwrap();
        assert!(page.iter().any(|stored| stored.seq == seq) && page.len() == 3);
    }
    damaged
}

#[test]
fn a_rotten_blob_costs_one_message() {
    let folder = tempfile::tempdir().unwrap();
    written(folder.path());
    flip(&biggest(folder.path(), "blob"), |length| length / 2);
    let store = Store::open(&options(folder.path())).unwrap();
    let damaged = damaged(&store);
    assert!(matches!(damaged[..], [seq] if seq.is_multiple_of(10)), "{damaged:?}");
}

#[test]
fn a_rotten_block_costs_what_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    written(folder.path());
    flip(&biggest(folder.path(), "sst"), |length| length * 2 / 5);
    let store = Store::open(&options(folder.path())).unwrap();
    let damaged = damaged(&store);
    let (first, last) = (damaged[0], damaged[damaged.len() - 1]);
    assert_eq!(damaged, (first..=last).collect::<Vec<_>>(), "one block");
    assert!((10..400).contains(&damaged.len()), "{}", damaged.len());
    // Positions of what is lost lie between those around it.
    let at = store.position(HERE, first + 3, ENTRIES).unwrap();
    assert_eq!((at.ordinal, at.time_ms), (first + 3, 1000 + first - 1));
    // It is written over, and is then what was written.
    let at = record(first).head().unwrap();
    store.write_synced(&[entries::put_erased(HERE, first, &at)]).unwrap();
    assert!(store.known_entry(HERE, first).unwrap().head().unwrap().erased);
    assert_eq!(store.known_entry(HERE, first + 1).unwrap(), Record::damaged(first + 1));
}

#[test]
fn a_missing_blob_file_costs_what_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    written(folder.path());
    let store = Store::open(&options(folder.path())).unwrap();
    fs::remove_file(biggest(folder.path(), "blob")).unwrap();
    assert_eq!(damaged(&store), (1..=ENTRIES / 10).map(|n| n * 10).collect::<Vec<_>>());
}

#[test]
fn rows_that_are_gone_or_garbage_are_damaged_entries() {
    let engine = Arc::new(engine::memory::MemoryEngine::new());
    let store = Store::over(engine, 4, [1; 16]).unwrap();
    let put = |seq| entries::put_encoded(HERE, seq, record(seq).encode_to_vec().into());
    let mut rows: Vec<_> = (1..=ENTRIES).filter(|seq| seq % 7 != 3).map(put).collect();
    let garbage = Bytes::from_static(b"\xff\xff\xff");
    rows.push(entries::put_encoded(HERE, 100, garbage.clone()));
    let torn = Record { entry: garbage, ..record(200) };
    rows.push(entries::put_encoded(HERE, 200, torn.encode_to_vec().into()));
    store.write_synced(&rows).unwrap();
    let lost = |seq: &u64| seq % 7 == 3 || [100, 200].contains(seq);
    assert_eq!(damaged(&store), (1..=ENTRIES).filter(lost).collect::<Vec<_>>());
    // Whoever does not know how far it reaches is told of the damage.
    assert!(store.entries(HERE, ReadRange::After(90), ALL, 0).is_err());
}

#[test]
fn where_a_log_ends_is_known_without_its_last_entries() {
    let folder = tempfile::tempdir().unwrap();
    written(folder.path());
    let store = Store::open(&options(folder.path())).unwrap();
    let garbage = Bytes::from_static(b"\xff\xff\xff");
    let write = entries::put_encoded(HERE, ENTRIES, garbage);
    store.write_synced(&[write]).unwrap();
    let damage = || StoreError::corrupt(Table::Entries, &[]);
    // Nothing tells: no seq is given twice by mistake.
    assert_eq!(store.tail_beside(HERE, damage()), Err(damage()));
    let sent = dedupe::put(
        HERE,
        parley_protocol::DeviceId::new([3; 16]),
        parley_protocol::ClientMessageId::new(Bytes::from_static(b"m")).unwrap(),
        &DedupeRow { seq: ENTRIES, ordinal: 40, time_ms: 50, digest: 1 },
    );
    store.write_synced(&[sent]).unwrap();
    let tail = store.tail_beside(HERE, damage()).unwrap();
    assert_eq!((tail.seq, tail.ordinal, tail.time_ms), (ENTRIES, 40, 50));
    // A feed says more, and what is not in it yet is in the outbox.
    let user = UserId::new([1; 16]);
    let home = parley_core::shard::placement::ShardCount::new(4).unwrap().of_user(user);
    let row = FeedRow { version: 1, last_seq: ENTRIES - 1, last_ordinal: 70, ..FeedRow::default() };
    let mut rows = feed::put(home, user, HERE.conversation, None, &row);
    let member = MemberRow { user: user.to_wire(), joined_seq: 1, ..MemberRow::default() };
    let members = ConversationRow { members: vec![member], ..ConversationRow::default() };
    rows.push(conversations::put(HERE, &members));
    let range = OutboxRange {
        conversation: HERE.conversation.to_wire(),
        from_seq: ENTRIES,
        to_seq: ENTRIES + 2,
    };
    rows.push(outbox::put(ShardId(3), 9, &OutboxRow { ranges: vec![range] }));
    store.write_synced(&rows).unwrap();
    let tail = store.tail_beside(HERE, damage()).unwrap();
    assert_eq!((tail.seq, tail.ordinal), (ENTRIES + 2, 73));
}

#[test]
fn loops_over_many_rows_go_around_a_rotten_block() {
    let folder = tempfile::tempdir().unwrap();
    {
        let store = Store::open(&options(folder.path())).unwrap();
        let name = |n: u32| format!("{n:05}{}", "x".repeat(100));
        let put = |n: u32| names::put(SHARD, &name(n), UserId::new([n as u8; 16]));
        store.write_synced(&(0..5000).map(put).collect::<Vec<_>>()).unwrap();
        store.roll().unwrap();
    }
    let healthy = names_of(&Store::open(&options(folder.path())).unwrap());
    assert_eq!(healthy.len(), 5000);
    flip(&biggest(folder.path(), "sst"), |length| length * 2 / 5);
    let store = Store::open(&options(folder.path())).unwrap();
    let found = names_of(&store);
    let lost = healthy.iter().filter(|name| !found.contains(name)).count();
    assert!((1..1000).contains(&lost), "{lost}");
    assert!(found.is_sorted());
    // Who asks for one of the lost is told.
    let gone = healthy.iter().find(|name| !found.contains(name)).unwrap();
    assert!(store.user_of_name(SHARD, gone).unwrap_err().is_damage());
    assert!(store.user_of_name(SHARD, &found[0]).unwrap().is_some());
}

fn names_of(store: &Store) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    loop {
        let page = store.names(SHARD, all.last().map(String::as_str), 300).unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

/// Every file of tables and long texts.
fn rottable(path: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(path.join("db")).unwrap().map(|entry| entry.unwrap().path());
    let ends = |path: &PathBuf| path.extension().is_some_and(|end| end == "sst" || end == "blob");
    let mut files: Vec<_> = files.filter(ends).collect();
    files.sort();
    files
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    /// Whichever byte of whichever file rots: each entry is the true one or damaged, no
    /// page fails, and what is written from then on is kept.
    #[test]
    fn any_byte_may_rot(file: prop::sample::Index, at: prop::sample::Index, bit in 0u8..8) {
        let folder = tempfile::tempdir().unwrap();
        for entry in [folder.path().to_owned(), folder.path().join("db")] {
            fs::create_dir_all(entry).unwrap();
        }
        for name in template().keys() {
            fs::write(folder.path().join(name), &template()[name]).unwrap();
        }
        let path = file.get(&rottable(folder.path())).clone();
        let mut bytes = fs::read(&path).unwrap();
        let place = at.index(bytes.len());
        bytes[place] ^= 1 << bit;
        fs::write(&path, bytes).unwrap();
        match Store::open(&options(folder.path())) {
            Ok(store) => {
                let (forward, backward) = (pages(&store, true), pages(&store, false));
                prop_assert!(forward == backward);
                prop_assert_eq!(forward.len() as u64, ENTRIES);
                for (stored, seq) in forward.into_iter().zip(1..) {
                    let StoredEntry { record: found, .. } = stored;
                    prop_assert!(found == record(seq) || found == Record::damaged(seq), "{}", seq);
                }
                let next = record(ENTRIES + 1);
                let put = entries::put_encoded(HERE, ENTRIES + 1, next.encode_to_vec().into());
                store.write_synced(&[put]).unwrap();
                prop_assert_eq!(store.entry(HERE, ENTRIES + 1).unwrap(), Some(next));
            }
            Err(error) => prop_assert!(false, "{}", error),
        }
    }
}

/// The files of a folder, made once.
fn template() -> &'static std::collections::BTreeMap<PathBuf, Vec<u8>> {
    static FILES: std::sync::OnceLock<std::collections::BTreeMap<PathBuf, Vec<u8>>> =
        std::sync::OnceLock::new();
    FILES.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        written(folder.path());
        let mut files = std::collections::BTreeMap::new();
        for inner in ["", "db"] {
            for entry in fs::read_dir(folder.path().join(inner)).unwrap() {
                let path = entry.unwrap().path();
                if path.is_file() {
                    let name = path.strip_prefix(folder.path()).unwrap().to_owned();
                    files.insert(name, fs::read(path).unwrap());
                }
            }
        }
        files
    })
}
