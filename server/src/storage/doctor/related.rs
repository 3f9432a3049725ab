//! The tables of one conversation against its log: answers to sends, what refers to what,
//! who is named, what counts no more, cursors, invites, how far it is erased.

use std::collections::HashMap;

use bytes::Bytes;
use parley_protocol::wire::EntryKind;
use prost::Message as _;
use sha2::{Digest as _, Sha256};

use super::conversations::{Log, Side, named, of};
use super::finding::Check;
use super::replay::{Replay, Said, Stands};
use super::rows::{Cx, Rows};
use super::shape::{Known, Shape};
use super::sums::Sum;
use crate::storage::store::engine::rocks::walk::Step;
use crate::storage::store::keys::Reference;
use crate::storage::store::{
    CursorRow, DedupeRow, DeletedRow, Engine as _, InviteRow, Key, MentionRow, Place, Record,
    Relation, RelationRow, RetentionRow, RowKey, Table,
};

const TEXT: u32 = EntryKind::Text as u32;

impl Side<'_> {
    /// Every table of the conversation but its log and its state.
    pub(super) fn compare_rows(&mut self, cx: &mut Cx<'_>, place: Place, mut log: Log) {
        self.compare_dedupe(cx, place, &log);
        self.compare_relations(cx, place, &log);
        self.compare_mentions(cx, place, &log);
        self.compare_deleted(cx, place, &mut log);
        self.compare_cursors(cx, place, &log.shape);
        self.compare_rest(cx, place, &log.shape);
    }

    fn compare_dedupe(&mut self, cx: &mut Cx<'_>, place: Place, log: &Log) {
        let mut sum = Sum::default();
        each(&mut self.dedupe, cx, place, |cx, key, value| {
            let Ok(row) = DedupeRow::decode(value.clone()) else { return };
            cx.tally.saw(Check::Dedupe, 1);
            match log.shape.of(row.seq) {
                Known::There { .. } => sum.add(key.encode().as_bytes(), &value),
                Known::Unknown => {}
                Known::Beyond => {
                    let what = "answers to sends name entries beyond the end";
                    cx.tally.note(Check::Dedupe, what, || at(place, row.seq));
                }
            }
        });
        let comparable = !is_torn(&mut self.dedupe, Table::Dedupe, place) && !log.torn;
        if comparable && sum != log.dedupe {
            name_difference(cx, place, Table::Dedupe, Check::Dedupe);
        }
    }

    fn compare_relations(&mut self, cx: &mut Cx<'_>, place: Place, log: &Log) {
        let mut sum = Sum::default();
        let mut standing = log.replay.standing();
        let mut pins = log.replay.pins.clone();
        let Log { shape, replay, .. } = log;
        each(&mut self.relations, cx, place, |cx, key, value| {
            let RowKey::Relation { reference, .. } = *key else { return };
            let Ok(row) = RelationRow::decode(value.clone()) else { return };
            cx.tally.saw(Check::Relations, 1);
            let Reference { target, relation } = reference;
            let kind = match relation {
                Relation::Edit { .. } => EntryKind::Edit,
                Relation::Delete => EntryKind::Delete,
                Relation::Reaction { .. } => EntryKind::Reaction,
                Relation::Pin => EntryKind::Pin,
                Relation::Change => EntryKind::ConversationChanged,
            } as u32;
            let erased = match shape.of(row.seq) {
                Known::There { kind: found, erased } if found == kind => erased,
                Known::Unknown => return,
                Known::There { .. } | Known::Beyond => {
                    let what = "relations lead to an entry that isn't theirs";
                    return cx.tally.note(Check::Relations, what, || at(place, row.seq));
                }
            };
            if shape.of(target) == Known::Beyond {
                let what = "relations name a message beyond the end";
                return cx.tally.note(Check::Relations, what, || at(place, target));
            }
            match relation {
                Relation::Edit { .. } | Relation::Change if !erased => {
                    sum.add(key.encode().as_bytes(), &value);
                }
                Relation::Delete => {
                    if !erased {
                        sum.add(key.encode().as_bytes(), &value);
                    }
                    if matches!(shape.of(target), Known::There { erased: false, .. }) {
                        let what = "deleted messages still have their bodies";
                        cx.tally.note(Check::Relations, what, || at(place, target));
                    }
                }
                Relation::Reaction { user, emoji_hash } if !erased => {
                    let stands = standing.get(&row.seq).is_some_and(|it| {
                        it.target == target && it.user == user && it.hashes.contains(&emoji_hash)
                    });
                    if stands {
                        standing.remove(&row.seq);
                    } else if !replay.too_many_reactions && row.seq > replay.missing_up_to {
                        let what = "reactions stand that the log doesn't have";
                        cx.tally.note(Check::Relations, what, || at(place, row.seq));
                    }
                }
                Relation::Pin if !erased && replay.knows_pins => {
                    if pins.remove(&target) != Some(row.seq) {
                        let what = "pins stand that the log doesn't have";
                        cx.tally.note(Check::Relations, what, || at(place, row.seq));
                    }
                }
                Relation::Edit { .. }
                | Relation::Change
                | Relation::Reaction { .. }
                | Relation::Pin => {}
            }
        });
        if is_torn(&mut self.relations, Table::Relations, place) || log.torn {
            return;
        }
        if sum != log.relations {
            name_difference(cx, place, Table::Relations, Check::Relations);
        }
        missing_reactions(cx, place, log, &standing);
        if replay.knows_pins {
            for seq in pins.into_values() {
                cx.tally.note(Check::Relations, "pins have no row", || at(place, seq));
            }
        }
    }

    fn compare_mentions(&mut self, cx: &mut Cx<'_>, place: Place, log: &Log) {
        let mut sum = Sum::default();
        each(&mut self.mentions, cx, place, |cx, key, value| {
            let RowKey::Mention { seq, .. } = *key else { return };
            let Ok(row) = MentionRow::decode(value.clone()) else { return };
            cx.tally.saw(Check::Mentions, 1);
            match log.shape.of(seq) {
                Known::There { kind: TEXT, erased: false } => {
                    sum.add(key.encode().as_bytes(), &value);
                    if log.shape.ordinal(seq).is_some_and(|ordinal| ordinal != row.ordinal) {
                        let what = "mentions have another ordinal than their message";
                        cx.tally.note(Check::Mentions, what, || at(place, seq));
                    }
                }
                Known::Unknown => {}
                Known::There { .. } | Known::Beyond => {
                    let what = "mentions name no message";
                    cx.tally.note(Check::Mentions, what, || at(place, seq));
                }
            }
        });
        let comparable = !is_torn(&mut self.mentions, Table::Mentions, place)
            && !log.torn
            && log.replay.knows_members;
        if comparable && sum != log.mentions {
            name_difference(cx, place, Table::Mentions, Check::Mentions);
        }
    }

    fn compare_deleted(&mut self, cx: &mut Cx<'_>, place: Place, log: &mut Log) {
        let shape = &mut log.shape;
        each(&mut self.deleted, cx, place, |cx, key, value| {
            let RowKey::Deleted { ordinal, .. } = *key else { return };
            let Ok(row) = DeletedRow::decode(value) else { return };
            if shape.of(row.seq) == Known::Unknown {
                return;
            }
            let other = shape.ordinal(row.seq).is_some_and(|counted| counted != ordinal);
            if !shape.cover(row.seq, row.count) || other {
                let what = "rows say of messages that are there that they are gone";
                cx.tally.note(Check::Mentions, what, || at(place, row.seq));
            }
        });
        if is_torn(&mut self.deleted, Table::Deleted, place) || log.torn {
            return;
        }
        if let Some(seq) = log.shape.uncovered() {
            let what = "messages that are gone still count";
            cx.tally.note(Check::Mentions, what, || at(place, seq));
        }
    }

    fn compare_cursors(&mut self, cx: &mut Cx<'_>, place: Place, shape: &Shape) {
        each(&mut self.cursors, cx, place, |cx, key, value| {
            let RowKey::Cursor { user, .. } = *key else { return };
            let Ok(row) = CursorRow::decode(value) else { return };
            cx.tally.saw(Check::Cursors, 1);
            let told = row.told.unwrap_or_default();
            let at = || format!("{} user {user}", named(place));
            let highest = row.delivered.max(row.read).max(told.delivered).max(told.read);
            if highest > 0 && shape.of(highest) == Known::Beyond {
                cx.tally.note(Check::Cursors, "cursors are beyond the end", at);
            } else if shape.ordinal(row.read).is_some_and(|ordinal| ordinal != row.read_ordinal) {
                cx.tally.note(Check::Cursors, "cursors count other messages than the log", at);
            }
        });
        each(&mut self.steps, cx, place, |cx, key, _| {
            let RowKey::Step { user, seq, .. } = *key else { return };
            if shape.of(seq) == Known::Beyond {
                let at = || format!("{} user {user} seq {seq}", named(place));
                cx.tally.note(Check::Cursors, "steps of cursors are beyond the end", at);
            }
        });
    }

    fn compare_rest(&mut self, cx: &mut Cx<'_>, place: Place, shape: &Shape) {
        each(&mut self.invites, cx, place, |cx, key, value| {
            let RowKey::Invite { invite, .. } = *key else { return };
            let Ok(row) = InviteRow::decode(value) else { return };
            cx.tally.saw(Check::Retention, 1);
            if Sha256::digest(&row.secret).get(..invite.len()) != Some(&invite[..]) {
                cx.tally.note(Check::Retention, "invites have another secret", || named(place));
            }
        });
        each(&mut self.retention, cx, place, |cx, _, value| {
            let Ok(row) = RetentionRow::decode(value) else { return };
            cx.tally.saw(Check::Retention, 1);
            if row.seq > 0 && shape.of(row.seq) == Known::Beyond {
                let what = "conversations are erased beyond their end";
                cx.tally.note(Check::Retention, what, || at(place, row.seq));
            } else if let Some(seq) = shape.unerased(row.seq) {
                let what = "entries have their bodies where all are erased";
                cx.tally.note(Check::Retention, what, || at(place, seq));
            }
        });
    }
}

fn each(
    rows: &mut Rows<'_>,
    cx: &mut Cx<'_>,
    place: Place,
    mut take: impl FnMut(&mut Cx<'_>, &RowKey, Bytes),
) {
    while let Some((key, value)) = rows.take_if(cx, |key| of(key) == Some(place.conversation)) {
        take(cx, &key, value);
    }
}

fn is_torn(rows: &mut Rows<'_>, table: Table, place: Place) -> bool {
    rows.is_torn(Key::of_place(table, place).as_bytes())
}

fn at(place: Place, seq: u64) -> String {
    format!("{} seq {seq}", named(place))
}

/// Reactions that stand by the log and have no row. What a later one of unknown content
/// may have taken back is spared.
fn missing_reactions(cx: &mut Cx<'_>, place: Place, log: &Log, left: &HashMap<u64, &Stands>) {
    if log.replay.too_many_reactions {
        return cx.tally.spare(Check::Relations, "conversations with too many reactions");
    }
    for seq in left.keys().filter(|seq| **seq > log.replay.unknown_reaction) {
        cx.tally.note(Check::Relations, "reactions have no row", || at(place, *seq));
    }
}

/// Goes through a log again whose rows of one table are not those that follow from it, and
/// names the first of them.
fn name_difference(cx: &mut Cx<'_>, place: Place, table: Table, check: Check) {
    let prefix = Key::of_place(Table::Entries, place);
    let to = prefix.successor();
    let walk =
        cx.rocks.walk(Table::Entries.family(), prefix.as_bytes(), to.as_ref().map(Key::as_bytes));
    let Ok(mut walk) = walk else { return };
    let (mut replay, mut found) = (Replay::new(place), false);
    while let Some(step) = walk.next() {
        let Step::Row(_, value) = step else { continue };
        let Ok(record) = Record::decode(value) else { continue };
        let Some(said) = Said::of(&record) else { continue };
        let seq = said.head.seq;
        let Cx { rocks, tally, .. } = cx;
        replay.take(&record, &said, &mut |write| {
            if write.table != table {
                return;
            }
            match rocks.read(table.family(), write.key.as_bytes()) {
                Ok(None) => {
                    found = true;
                    tally.note(check, "rows are missing", || at(place, seq));
                }
                Ok(Some(value)) if Some(&value) != write.value.as_ref() => {
                    found = true;
                    tally.note(check, "rows say other than the log", || at(place, seq));
                }
                Ok(Some(_)) | Err(_) => {}
            }
        });
    }
    if !found {
        cx.tally.note(check, "rows are there that don't follow from the log", || named(place));
    }
}
