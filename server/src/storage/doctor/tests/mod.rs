//! A store that is well gives no finding, and each sort of damage is found and named.

mod damage;
mod world;

use bytes::Bytes;
use parley_protocol::ids::{ClientMessageId, ShardId, UserId};
use parley_protocol::wire;
use prost::Message as _;

use super::*;
use crate::storage::store::keys::Reference;
use crate::storage::store::{self, Relation, Write};
use damage::{delete, put};
use world::{Dice, World, count};

fn look(path: &Path) -> Vec<Line> {
    let (rocks, trouble) = open(path).unwrap();
    assert!(trouble.is_none(), "{trouble:?}");
    check(&rocks, count(), Pace::new(None, |_| {})).unwrap().lines
}

fn findings(lines: &[Line]) -> Vec<&Line> {
    lines.iter().filter(|line| line.status != Status::Ok).collect()
}

/// Whatever people did, and also while they go on.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_at_work_and_after_it_gives_no_finding() {
    for seed in 1..=6 {
        let folder = tempfile::tempdir().unwrap();
        let mut dice = Dice::new(seed);
        let mut world = World::open(folder.path());
        let places = world.begin().await;
        for round in 0..4 {
            let taken = world.busy(&mut dice, &places, 150).await;
            assert!(taken > 20, "{taken}");
            let lines = look(folder.path());
            assert!(
                findings(&lines).is_empty(),
                "seed {seed} round {round}: {:#?}",
                findings(&lines)
            );
            if round % 2 == 1 {
                world.close().await;
                let lines = look(folder.path());
                assert!(findings(&lines).is_empty(), "seed {seed} closed: {:#?}", findings(&lines));
                world = World::open(folder.path());
            }
        }
        world.close().await;
    }
}

/// What is planted, and the check and the words by which it is to be found.
type Case = (&'static str, fn(&Path) -> Vec<Write>, &'static str, &'static str);

fn altered<M: prost::Message + Default>(value: &Bytes, change: impl FnOnce(&mut M)) -> Vec<u8> {
    let mut row = M::decode(value.clone()).unwrap();
    change(&mut row);
    row.encode_to_vec()
}

fn first(path: &Path, table: Table) -> (RowKey, Bytes) {
    damage::one(path, table, |_, _| true)
}

fn relation(path: &Path, is: fn(&Relation) -> bool) -> RowKey {
    let found = damage::one(
        path,
        Table::Relations,
        |key, _| matches!(key, RowKey::Relation { reference, .. } if is(&reference.relation)),
    );
    found.0
}

const CASES: &[Case] = &[
    (
        "an answer to a send is gone",
        |path| vec![delete(&first(path, Table::Dedupe).0)],
        "dedupe",
        "1 rows are missing",
    ),
    (
        "an answer to a send is another",
        |path| {
            let (key, value) = first(path, Table::Dedupe);
            vec![put(&key, altered::<store::DedupeRow>(&value, |row| row.ordinal += 1))]
        },
        "dedupe",
        "1 rows say other than the log",
    ),
    (
        "a send has two answers",
        |path| {
            let (key, value) = first(path, Table::Dedupe);
            let RowKey::Dedupe { shard, conversation, device, .. } = key else { panic!() };
            let client_message_id = ClientMessageId::new(Bytes::from_static(b"other")).unwrap();
            vec![put(&RowKey::Dedupe { shard, conversation, device, client_message_id }, value)]
        },
        "dedupe",
        "1 rows are there that don't follow from the log",
    ),
    (
        "an edit is not found",
        |path| vec![delete(&relation(path, |it| matches!(it, Relation::Edit { .. })))],
        "relations",
        "rows are missing",
    ),
    (
        "a reaction is not found",
        |path| vec![delete(&relation(path, |it| matches!(it, Relation::Reaction { .. })))],
        "relations",
        "1 reactions have no row",
    ),
    (
        "a pin is not found",
        |path| vec![delete(&relation(path, |it| matches!(it, Relation::Pin)))],
        "relations",
        "1 pins have no row",
    ),
    (
        "a change of settings is not found",
        |path| vec![delete(&relation(path, |it| matches!(it, Relation::Change)))],
        "relations",
        "rows are missing",
    ),
    (
        "a reaction is there twice",
        |path| {
            let key = relation(path, |it| matches!(it, Relation::Reaction { .. }));
            let (_, value) = damage::one(path, Table::Relations, |it, _| *it == key);
            let RowKey::Relation { shard, conversation, reference } = key else { panic!() };
            let Relation::Reaction { user, .. } = reference.relation else { panic!() };
            let relation = Relation::Reaction { user, emoji_hash: 1 };
            let reference = Reference { relation, ..reference };
            vec![put(&RowKey::Relation { shard, conversation, reference }, value)]
        },
        "relations",
        "reactions stand that the log doesn't have",
    ),
    (
        "a relation leads beyond the end",
        |path| {
            let key = relation(path, |it| matches!(it, Relation::Edit { .. }));
            vec![put(&key, store::RelationRow { seq: 1 << 40 }.encode_to_vec())]
        },
        "relations",
        "relations lead to an entry that isn't theirs",
    ),
    (
        "a mention is gone",
        |path| vec![delete(&first(path, Table::Mentions).0)],
        "mentions",
        "1 rows are missing",
    ),
    (
        "somebody is mentioned who isn't",
        |path| {
            let (key, value) = first(path, Table::Mentions);
            let RowKey::Mention { shard, conversation, seq, .. } = key else { panic!() };
            let key = RowKey::Mention { shard, conversation, seq, user: UserId::new([0xee; 16]) };
            vec![put(&key, value)]
        },
        "mentions",
        "1 rows are there that don't follow from the log",
    ),
    (
        "a deleted message counts",
        |path| vec![delete(&first(path, Table::Deleted).0)],
        "mentions",
        "messages that are gone still count",
    ),
    (
        "an entry is gone",
        |path| vec![delete(&damage::one(path, Table::Entries, |key, _| seq_of(key) == 3).0)],
        "logs",
        "1 runs of entries are missing",
    ),
    (
        "an entry is another",
        |path| {
            let text = |_: &RowKey, value: &Bytes| {
                let entry =
                    wire::Entry::decode(store::Record::decode(value.clone()).unwrap().entry);
                entry.is_ok_and(|entry| entry.kind == 1 && !entry.erased)
            };
            let (key, value) = damage::one(path, Table::Entries, text);
            let change = |row: &mut store::Record| {
                let mut entry = wire::Entry::decode(row.entry.clone()).unwrap();
                entry.body = wire::Text { text: "forged".into(), ..Default::default() }
                    .encode_to_vec()
                    .into();
                row.entry = entry.encode_to_vec().into();
            };
            vec![put(&key, altered::<store::Record>(&value, change))]
        },
        "logs",
        "1 entries are not what was sent",
    ),
    (
        "a state is gone",
        |path| vec![delete(&first(path, Table::Conversations).0)],
        "conversations",
        "1 conversations have rows and no state",
    ),
    (
        "a member is gone",
        |path| {
            let (key, value) = first(path, Table::Conversations);
            let change = |row: &mut store::ConversationRow| drop(row.members.pop());
            vec![put(&key, altered::<store::ConversationRow>(&value, change))]
        },
        "conversations",
        "1 conversations have ",
    ),
    (
        "a value is not what its table holds",
        |path| vec![put(&first(path, Table::Cursors).0, &b"\xff\xff\xff"[..])],
        "rows",
        "1 rows are not what their tables hold",
    ),
    (
        "a row lies elsewhere",
        |path| {
            let (key, value) = first(path, Table::Conversations);
            let RowKey::Conversation { shard, conversation } = key else { panic!() };
            let shard = ShardId((shard.0 + 1) % damage::shards());
            vec![put(&RowKey::Conversation { shard, conversation }, value)]
        },
        "rows",
        "1 rows lie in a shard that doesn't own them",
    ),
    (
        "a row lies in no shard",
        |path| {
            let (key, value) = first(path, Table::Entries);
            let RowKey::Entry { conversation, seq, .. } = key else { panic!() };
            vec![put(&RowKey::Entry { shard: ShardId(900), conversation, seq }, value)]
        },
        "rows",
        "1 rows lie in a shard that doesn't own them",
    ),
    (
        "a cursor is beyond the end",
        |path| {
            let (key, value) = first(path, Table::Cursors);
            vec![put(&key, altered::<store::CursorRow>(&value, |row| row.read = 1 << 30))]
        },
        "cursors",
        "1 cursors are beyond the end",
    ),
    (
        "a cursor counts wrong",
        |path| {
            let (key, value) = damage::one(path, Table::Cursors, |_, value| {
                store::CursorRow::decode(value.clone()).unwrap().read > 0
            });
            vec![put(&key, altered::<store::CursorRow>(&value, |row| row.read_ordinal += 1))]
        },
        "cursors",
        "1 cursors count other messages than the log",
    ),
    (
        "a step is beyond the end",
        |path| {
            let (key, value) = first(path, Table::Steps);
            let RowKey::Step { shard, conversation, user, which, .. } = key else { panic!() };
            vec![put(&RowKey::Step { shard, conversation, user, which, seq: 1 << 30 }, value)]
        },
        "cursors",
        "1 steps of cursors are beyond the end",
    ),
    (
        "more is said to be erased than is",
        |path| {
            let (key, _) = damage::one(path, Table::Conversations, |_, value| {
                store::ConversationRow::decode(value.clone()).unwrap().kind == 1
            });
            let RowKey::Conversation { shard, conversation } = key else { panic!() };
            let row = store::RetentionRow { seq: 2, ..Default::default() };
            vec![put(&RowKey::Retention { shard, conversation }, row.encode_to_vec())]
        },
        "retention",
        "1 entries have their bodies where all are erased",
    ),
    (
        "an invite has another secret",
        |path| {
            let (key, value) = first(path, Table::Invites);
            let change = |row: &mut store::InviteRow| row.secret = Bytes::from_static(&[9; 16]);
            vec![put(&key, altered::<store::InviteRow>(&value, change))]
        },
        "retention",
        "1 invites have another secret",
    ),
    (
        "the outbox promises too much",
        |path| {
            let (key, _) = first(path, Table::Conversations);
            let RowKey::Conversation { shard, conversation } = key else { panic!() };
            let range = store::OutboxRange {
                conversation: conversation.to_wire(),
                from_seq: 1,
                to_seq: 1 << 30,
            };
            let row = store::OutboxRow { ranges: vec![range] };
            vec![put(&RowKey::Outbox { shard, index: 1 << 20 }, row.encode_to_vec())]
        },
        "outbox",
        "1 outbox rows name entries beyond the end",
    ),
    (
        "a feed row is gone",
        |path| vec![delete(&first(path, Table::Feed).0)],
        "feeds",
        "1 places in the index lead to no feed row",
    ),
    (
        "a place in the index is gone",
        |path| vec![delete(&first(path, Table::FeedIndex).0)],
        "feeds",
        "1 feed rows have no place in the index",
    ),
    (
        "a place in the index is there twice",
        |path| {
            let (key, value) = first(path, Table::FeedIndex);
            let RowKey::FeedIndex { shard, user, version } = key else { panic!() };
            vec![put(&RowKey::FeedIndex { shard, user, version: version + (1 << 30) }, value)]
        },
        "feeds",
        "1 places in the index lead to no feed row",
    ),
    (
        "a feed row lags behind",
        |path| {
            let (key, value) = first(path, Table::Feed);
            vec![put(&key, altered::<store::FeedRow>(&value, |row| row.last_seq = 1))]
        },
        "feeds",
        "1 feed rows lag behind",
    ),
    (
        "a name is free again",
        |path| vec![delete(&first(path, Table::Names).0)],
        "accounts",
        "1 users don't have their name",
    ),
    (
        "a user is gone",
        |path| vec![delete(&first(path, Table::Users).0)],
        "accounts",
        "1 names lead to no user",
    ),
    (
        "a skeleton is gone",
        |path| vec![delete(&first(path, Table::Skeletons).0)],
        "accounts",
        "1 names that look like theirs can be taken",
    ),
    (
        "a token is gone",
        |path| vec![delete(&first(path, Table::Tokens).0)],
        "accounts",
        "1 devices have tokens that don't lead to them",
    ),
    (
        "a device is gone",
        |path| vec![delete(&first(path, Table::Devices).0)],
        "accounts",
        "1 tokens work that their device doesn't list",
    ),
    (
        "half a block is gone",
        |path| vec![delete(&first(path, Table::Blocks).0)],
        "people",
        "1 blocks are noted on one side alone",
    ),
    (
        "a hidden message is forgotten",
        |path| vec![delete(&first(path, Table::Hidden).0)],
        "people",
        "1 messages that were hidden are forgotten",
    ),
];

const fn seq_of(key: &RowKey) -> u64 {
    match key {
        RowKey::Entry { seq, .. } => *seq,
        _ => 0,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_sort_of_damage_is_found_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let well = folder.path().join("well");
    damage::busy_store(&well).await;
    assert!(findings(&look(&well)).is_empty(), "{:#?}", findings(&look(&well)));
    let mut missed = Vec::new();
    for (n, (what, plant, check, words)) in CASES.iter().enumerate() {
        let path = folder.path().join(n.to_string());
        damage::copy(&well, &path);
        damage::plant(&path, &plant(&path));
        let lines = look(&path);
        let line = lines.iter().find(|line| line.check == *check).unwrap();
        if line.status != Status::Problem || !line.found.contains(words) {
            missed.push(format!("{what}: {:#?}", findings(&lines)));
        } else {
            assert!(!line.examples.is_empty() && !line.remedy.is_empty(), "{line:?}");
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

/// A bit in a file: it is said that rows can't be read, and nothing that only follows
/// from it is complained of.
#[tokio::test(flavor = "multi_thread")]
async fn flipped_bits_are_found_and_cause_no_other_complaint() {
    let folder = tempfile::tempdir().unwrap();
    let well = folder.path().join("well");
    damage::busy_store(&well).await;
    let mut found = 0;
    for (extension, flips) in [("sst", 5), ("blob", 3)] {
        for file in damage::files(&well, extension) {
            let bytes = std::fs::read(&file).unwrap();
            for n in 0..flips {
                damage::flip(&file, bytes.len() * n / flips + 40);
                let (rocks, trouble) = open(&well).unwrap();
                let lines = check(&rocks, count(), Pace::new(None, |_| {})).unwrap().lines;
                drop(rocks);
                std::fs::write(&file, &bytes).unwrap();
                let complaints: Vec<_> = findings(&lines).iter().map(|line| line.check).collect();
                let follows = complaints.iter().all(|it| ["checksums", "logs"].contains(it));
                assert!(follows, "{} at {n}: {:#?}", file.display(), findings(&lines));
                found += usize::from(complaints.contains(&"checksums") || trouble.is_some());
            }
        }
    }
    assert!(found >= 8, "{found}");
    assert!(findings(&look(&well)).is_empty());
}

/// What a salvaged folder serves: the store that it was, without what is lost.
fn salvaged(source: &Path, target: &Path) -> Vec<Line> {
    let rocks = open_remains(source).unwrap();
    let marker = Marker::read(source).unwrap();
    salvage(&rocks, &marker, (source, target), Pace::new(None, |_| {})).unwrap()
}

fn all_well(lines: &[Line]) -> bool {
    lines.iter().all(|line| line.status == Status::Ok)
}

/// The rows that a server's clients see are the same in a store that was well.
#[tokio::test(flavor = "multi_thread")]
async fn a_salvaged_store_that_was_well_has_every_row() {
    let folder = tempfile::tempdir().unwrap();
    let (well, new) = (folder.path().join("well"), folder.path().join("new"));
    damage::busy_store(&well).await;
    std::fs::create_dir(well.join("tls")).unwrap();
    std::fs::write(well.join("tls/quic-reset.key"), [7; 64]).unwrap();
    assert!(all_well(&salvaged(&well, &new)));
    for table in Table::ALL {
        // The skeletons are made at the next start; the node's own facts are new.
        if !matches!(table, Table::Skeletons | Table::Meta) {
            assert_eq!(damage::rows(&new, *table), damage::rows(&well, *table), "{table:?}");
        }
    }
    assert_eq!(std::fs::read(new.join("tls/quic-reset.key")).unwrap(), [7; 64]);
    assert!(findings(&look(&new)).is_empty(), "{:#?}", findings(&look(&new)));
    let (old, new) = (store::Store::look(&well).unwrap(), store::Store::look(&new).unwrap());
    assert_ne!(new.facts().incarnation, old.facts().incarnation);
    assert!(new.facts().boots > old.facts().boots);
    let error = salvage(
        &open(&well).unwrap().0,
        &Marker::read(&well).unwrap(),
        (&well, folder.path()),
        Pace::new(None, |_| {}),
    );
    assert!(matches!(error, Err(SalvageError::NotEmpty(_))));
}

/// Whatever rows are lost or wrong: the new store starts, and after a start nothing is
/// wrong with it but what nothing else in the store contradicts or replaces.
#[tokio::test(flavor = "multi_thread")]
async fn a_salvaged_store_is_well_whatever_rows_were_damaged() {
    const KEPT: [&str; 9] = [
        "an entry is another",
        "a member is gone",
        "a value is not what its table holds",
        "a cursor is beyond the end",
        "a cursor counts wrong",
        "a step is beyond the end",
        "more is said to be erased than is",
        "an invite has another secret",
        "a user is gone",
    ];
    let folder = tempfile::tempdir().unwrap();
    let (bad, new) = (folder.path().join("bad"), folder.path().join("new"));
    damage::busy_store(&bad).await;
    for (what, plant, ..) in CASES {
        if !KEPT.contains(what) {
            damage::plant(&bad, &plant(&bad));
        }
    }
    assert!(findings(&look(&bad)).len() >= 8);
    salvaged(&bad, &new);
    World::open_as_it_is(&new).close().await;
    let lines = look(&new);
    let left: Vec<_> = lines.iter().filter(|line| line.status == Status::Problem).collect();
    assert!(left.is_empty(), "{left:#?}");
}

/// Bits flipped all over: all that can be read is in the new store, every place of a log
/// is held, and no seq is given twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_salvaged_store_goes_on_above_what_was_lost() {
    let folder = tempfile::tempdir().unwrap();
    let (bad, new) = (folder.path().join("bad"), folder.path().join("new"));
    let places = damage::busy_store(&bad).await;
    let ends = |path: &Path| {
        let mut ends = std::collections::BTreeMap::new();
        for (key, _) in damage::rows(path, Table::Entries) {
            let RowKey::Entry { conversation, seq, .. } = key else { continue };
            let end: &mut u64 = ends.entry(conversation).or_default();
            *end = seq.max(*end);
        }
        ends
    };
    let before = ends(&bad);
    // The newest entries of one conversation, one within another, and the state of a third.
    let entries = damage::rows(&bad, Table::Entries);
    let mut gone: Vec<_> = entries
        .iter()
        .filter(|(key, _)| match key {
            RowKey::Entry { conversation, seq, .. } if *conversation == places[0] => {
                *seq + 2 > before[conversation]
            }
            RowKey::Entry { conversation, seq, .. } => *conversation == places[1] && *seq == 4,
            _ => false,
        })
        .map(|(key, _)| delete(key))
        .collect();
    let state =
        |id| damage::one(&bad, Table::Conversations, |key, _| conversations::of(key) == Some(id));
    gone.push(delete(&state(places[2]).0));
    gone.push(delete(&state(places[6]).0));
    damage::plant(&bad, &gone);
    let lines = salvaged(&bad, &new);
    let kept = lines.iter().find(|line| line.check == "conversations kept").unwrap();
    assert!(kept.found.contains("; 3 entries are lost and 0 conversations; 2 states"), "{kept:?}");
    let (world, old) = (World::open_as_it_is(&new), before);
    assert_eq!(ends(&new), old);
    let sent =
        world.text(1, wire::send::To::Peer(world::user(0).to_wire()), "on it goes").await.unwrap();
    assert_eq!(sent.seq, old[&places[0]] + 1);
    world.close().await;
    let lines = look(&new);
    let problems: Vec<_> = lines.iter().filter(|line| line.status == Status::Problem).collect();
    assert!(problems.is_empty(), "{problems:#?}");
}
