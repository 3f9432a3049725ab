//! The tables that say what became of messages: what is written is found, by
//! range, by user, by time, and neighbours are not mixed up.

use std::collections::BTreeSet;
use std::sync::Arc;

use parley_protocol::ids::{ConversationId, ShardId, UserId};
use parley_protocol::wire;
use proptest::prelude::*;

use super::*;
use crate::storage::store::engine::memory::MemoryEngine;
use crate::storage::store::*;

const SHARD: ShardId = ShardId(3);
const HERE: Place = Place { shard: SHARD, conversation: ConversationId::new([5; 16]) };
const NEXT: Place = Place { shard: SHARD, conversation: ConversationId::new([6; 16]) };
const ANN: UserId = UserId::new([1; 16]);
const BEN: UserId = UserId::new([2; 16]);

fn store(rows: &[Write]) -> Store {
    let store = Store::over(Arc::new(MemoryEngine::new()), 4, [7; 16]).unwrap();
    store.write_synced(rows).unwrap();
    store
}

fn related(target: u64, relation: &Relation, seq: u64) -> Write {
    relations::put(HERE, target, relation, seq)
}

#[test]
fn relations_come_by_sort_and_target_and_reactions_are_left_out_first() {
    let laugh = Relation::Reaction { user: ANN, emoji_hash: 77 };
    let store = store(&[
        related(5, &laugh, 9),
        related(5, &Relation::Edit { seq: 7 }, 7),
        related(5, &Relation::Edit { seq: 8 }, 8),
        related(6, &Relation::Delete, 10),
        related(9, &Relation::Edit { seq: 12 }, 12),
        related(9, &Relation::Pin, 13),
        related(14, &Relation::Change, 14),
        related(16, &Relation::Change, 16),
        relations::put(NEXT, 5, &Relation::Delete, 99),
    ]);
    let all = store.relations(HERE, 5, 6, 10).unwrap();
    let edit = |seq| (5, Relation::Edit { seq }, seq);
    assert_eq!(all, [edit(7), edit(8), (6, Relation::Delete, 10), (5, laugh, 9)]);
    assert_eq!(store.relations(HERE, 5, 6, 3).unwrap(), all[..3]);
    assert!(store.relations(HERE, 6, 5, 9).unwrap().is_empty());
    assert_eq!(store.edits(HERE, 5, 0, 10).unwrap(), [7, 8]);
    assert_eq!(store.edits(HERE, 5, 7, 10).unwrap(), [8]);
    assert_eq!(store.edits_before(HERE, 5, 9, 10).unwrap(), [8, 7]);
    assert_eq!(store.edits_before(HERE, 5, 8, 10).unwrap(), [7]);
    assert_eq!(store.edits_before(HERE, 9, 99, 1).unwrap(), [12]);
    assert_eq!(store.relation(HERE, 9, &Relation::Pin).unwrap(), Some(13));
    assert_eq!(store.changes_before(HERE, 17, 9).unwrap(), [16, 14]);
    assert_eq!(store.changes_before(HERE, 16, 9).unwrap(), [14]);
    assert_eq!(store.deletions(HERE, 1, 9, 10).unwrap(), [(6, 10)]);
    assert_eq!(store.relation(HERE, 5, &laugh).unwrap(), Some(9));
    assert_eq!(store.relation(HERE, 6, &laugh).unwrap(), None);
}

#[test]
fn a_reaction_taken_back_is_gone_and_counts_are_of_one_user_and_message() {
    let reaction = |user, emoji_hash| Relation::Reaction { user, emoji_hash };
    let store = store(&[
        related(5, &reaction(ANN, 1), 6),
        related(5, &reaction(ANN, 2), 7),
        related(5, &reaction(BEN, 1), 8),
        related(6, &reaction(ANN, 1), 9),
    ]);
    let count = |target, user| store.count_reactions(HERE, target, user, 8).unwrap();
    assert_eq!((count(5, ANN), count(5, BEN), count(6, ANN), count(6, BEN)), (2, 1, 1, 0));
    assert_eq!(store.count_reactions(HERE, 5, ANN, 1).unwrap(), 1);
    assert_eq!(
        store.reactions(HERE, 5, 6, 10).unwrap(),
        (vec![(5, 6), (5, 7), (5, 8), (6, 9)], false)
    );
    assert!(store.reactions(HERE, 5, 6, 3).unwrap().1);
    store.write_synced(&[relations::delete(HERE, 5, &reaction(ANN, 2))]).unwrap();
    assert_eq!(count(5, ANN), 1);
}

#[test]
fn a_step_says_when_a_message_was_reached() {
    let step = |user, which, seq, time_ms| steps::put(HERE, user, which, seq, time_ms);
    let store = store(&[
        step(ANN, Which::Delivered, 3, 30),
        step(ANN, Which::Delivered, 8, 80),
        step(ANN, Which::Read, 2, 20),
        step(BEN, Which::Delivered, 9, 90),
        steps::put(NEXT, ANN, Which::Read, 9, 99),
    ]);
    let at = |user, which, seq| store.step(HERE, user, which, seq).unwrap();
    let delivered = |seq| at(ANN, Which::Delivered, seq);
    assert_eq!([1, 3, 4, 8, 9].map(delivered), [Some(30), Some(30), Some(80), Some(80), None]);
    assert_eq!([2, 3].map(|seq| at(ANN, Which::Read, seq)), [Some(20), None]);
    assert_eq!(at(BEN, Which::Read, 1), None);
}

#[test]
fn hidden_messages_come_in_the_order_they_were_hidden() {
    let hide = |number, seq| hidden::put(SHARD, ANN, HERE.conversation, number, seq);
    let store = store(&[
        hide(0, 9),
        hide(1, 4),
        hide(2, 7),
        hidden::put(SHARD, BEN, HERE.conversation, 0, 1),
    ]);
    assert_eq!(store.hidden(SHARD, ANN, HERE.conversation, 0, 10).unwrap(), [9, 4, 7]);
    assert_eq!(store.hidden(SHARD, ANN, HERE.conversation, 1, 1).unwrap(), [4]);
    assert!(store.hidden(SHARD, ANN, HERE.conversation, 3, 10).unwrap().is_empty());
    assert!(store.hidden(SHARD, ANN, NEXT.conversation, 0, 10).unwrap().is_empty());
}

#[test]
fn preferences_invites_and_retention_are_found_where_they_were_put() {
    let preferences = PreferencesRow { revision: 4, draft: "d".into(), ..Default::default() };
    let invite = InviteRow { max_uses: 2, uses: 1, ..InviteRow::default() };
    let erased = RetentionRow { seq: 5, ordinal: 3, ..RetentionRow::default() };
    let store = store(&[
        preferences::put(SHARD, ANN, HERE.conversation, &preferences),
        invites::put(HERE, [1; 8], &invite),
        invites::put(NEXT, [2; 8], &invite),
        retention::put(HERE, &erased),
    ]);
    assert_eq!(store.preferences(SHARD, ANN, HERE.conversation).unwrap(), Some(preferences));
    assert_eq!(store.preferences(SHARD, ANN, NEXT.conversation).unwrap(), None);
    assert_eq!(store.invites(HERE, 9).unwrap(), [([1; 8], invite.clone())]);
    assert_eq!(store.invite(NEXT, [2; 8]).unwrap(), Some(invite));
    assert_eq!(store.retention(HERE).unwrap(), Some(erased));
    store.write_synced(&[invites::delete(HERE, [1; 8])]).unwrap();
    assert_eq!(store.invite(HERE, [1; 8]).unwrap(), None);
}

#[test]
fn an_invite_works_until_one_of_its_ends() {
    let open = InviteRow::default();
    assert!(open.works(u64::MAX));
    let timed = InviteRow { expires_ms: 10, ..open.clone() };
    assert!(timed.works(9) && !timed.works(10));
    let counted = InviteRow { max_uses: 2, uses: 1, ..open.clone() };
    assert!(counted.works(0) && !InviteRow { uses: 2, ..counted }.works(0));
    assert!(!InviteRow { revoked: true, ..open }.works(0));
}

#[test]
fn erasing_takes_the_body_and_nothing_else() {
    let entry = wire::Entry {
        seq: 5,
        ordinal: 4,
        time_ms: 300,
        epoch: 2,
        sender: ANN.to_wire(),
        kind: 1,
        body: Bytes::from_static(b"a-secret"),
        erased: false,
        damaged: false,
    };
    let mut bytes = entry.encode_to_vec();
    // A field of a newer build.
    prost::encoding::uint64::encode(99, &7, &mut bytes);
    let record = Record { entry: bytes.into(), content_digest: 9, ..Record::default() };
    let store = store(&[]);
    store.write_synced(&[entries::erase(HERE, 5, &record)]).unwrap();
    let found = store.entry(HERE, 5).unwrap().unwrap();
    // The digest of few words says what they were.
    assert_eq!(found.content_digest, 0);
    let (entry_before, digest) = (record.entry.clone(), record.content_digest);
    let kept = Record { entry: entry_before, content_digest: digest, ..found.clone() };
    assert_eq!(kept, record);
    let erased = wire::Entry::decode(found.entry.clone()).unwrap();
    assert_eq!(erased, wire::Entry { body: Bytes::new(), erased: true, ..entry });
    assert!(found.entry.ends_with(b"\x98\x06\x07\x40\x01"), "the unknown field stays");
    assert!(found.head().unwrap().erased);
    // Twice is the same as once.
    assert_eq!(entries::without_body(5, &found.entry), found.entry);
    // Nothing is kept of what is no entry.
    let damaged = Record { entry: Bytes::from_static(b"\xff\xffa-secret"), ..record };
    store.write_synced(&[entries::erase(HERE, 5, &damaged)]).unwrap();
    let head = store.entry(HERE, 5).unwrap().unwrap().head().unwrap();
    assert!(head.seq == 5 && head.erased);
}

proptest! {
    /// Counting and paging equal looking at every message.
    #[test]
    fn mentions_and_deletions_equal_counting(
        messages in prop::collection::vec((any::<bool>(), any::<bool>(), any::<bool>(), 1u64..4), 0..60),
        above in 0u64..70,
        up_to in 0u64..70,
        below in 1u64..200,
        limit in 1usize..20,
    ) {
        let (mut rows, mut seq) = (Vec::new(), 0);
        let (mut named, mut gone) = (BTreeSet::new(), BTreeSet::new());
        for (at, (ann, everyone, deleted, step)) in messages.iter().enumerate() {
            seq += step;
            let ordinal = at as u64 + 1;
            if *ann { rows.push(mentions::put(HERE, ANN, seq, ordinal)); }
            if *everyone { rows.push(mentions::put(HERE, mentions::EVERYONE, seq, ordinal)); }
            rows.push(mentions::put(HERE, BEN, seq, ordinal));
            if *ann || *everyone { named.insert((seq, ordinal)); }
            if *deleted {
                rows.push(deleted::put(HERE, ordinal, seq));
                gone.insert(ordinal);
            }
        }
        let store = store(&rows);
        let within = |ordinal: &u64| *ordinal > above && *ordinal <= up_to;
        let expected = named.iter().filter(|(_, ordinal)| within(ordinal)).count();
        let counted = store.unread_mentions(HERE, ANN, (above, up_to), usize::MAX).unwrap().len();
        prop_assert_eq!(counted, expected);
        let capped = store.unread_mentions(HERE, ANN, (above, up_to), limit).unwrap().len();
        prop_assert_eq!(capped, expected.min(limit));
        let expected = gone.iter().filter(|ordinal| within(ordinal)).count() as u64;
        prop_assert_eq!(store.count_deleted(HERE, (above, up_to)).unwrap(), expected);
        let all: Vec<u64> = named.iter().rev().map(|(seq, _)| *seq).filter(|seq| *seq < below).collect();
        let (page, more) = store.mentions(HERE, ANN, 1..below, limit).unwrap();
        prop_assert_eq!(&page[..], &all[..all.len().min(limit)]);
        prop_assert_eq!(more, all.len() > limit);
    }

    /// However often messages were edited, each has one newest edit.
    #[test]
    fn the_newest_edits_equal_looking_at_all(
        edits in prop::collection::btree_set((1u64..12, 12u64..60), 0..50),
        from in 1u64..12,
        to in 0u64..14,
        limit in 1usize..12,
    ) {
        let rows: Vec<_> =
            edits.iter().map(|(target, seq)| related(*target, &Relation::Edit { seq: *seq }, *seq)).collect();
        let store = store(&rows);
        let newest = |target: u64| {
            edits.iter().filter(|edit| edit.0 == target).map(|edit| edit.1).max().map(|seq| (target, seq))
        };
        let expected: Vec<_> = (from..=to).filter_map(newest).collect();
        let found = store.newest_edits(HERE, from, to, limit).unwrap();
        prop_assert_eq!(&found[..], &expected[expected.len().saturating_sub(limit)..]);
    }
}
