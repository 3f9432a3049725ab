//! Makes anew what follows from the logs of the new store: places of lost entries, states
//! that are gone, the rows that lead from one entry to another. What contradicts a log
//! goes. Feeds that miss something are named in the outbox, from which the server's next
//! start makes them.

use std::collections::BTreeSet;

use bytes::Bytes;
use parley_core::conversation::{Act, Position, State};
use parley_protocol::body::is_countable;
use parley_protocol::ids::{ConversationId, ShardId};
use parley_protocol::wire::EntryKind;
use prost::Message as _;

use super::place::{Answers, hold};
use super::state::{Proofs, shown_least};
use super::{Copied, New, delete};
use crate::storage::doctor::finding::Line;
use crate::storage::doctor::replay::{Replay, Said};
use crate::storage::doctor::rows::{Asked, ask};
use crate::storage::store::engine::rocks::walk::Step;
use crate::storage::store::keys::Reference;
use crate::storage::store::tables::mentions::EVERYONE;
use crate::storage::store::tables::{conversations, outbox, relations};
use crate::storage::store::{
    ConversationRow, DedupeRow, EngineError, FeedRow, Key, OutboxRange, OutboxRow, Place, Record,
    Relation, RelationRow, RowKey, Table, state as rows,
};

/// Places that are held behind one another at most: of a longer run the last ones.
const HELD: u64 = 1_000_000;

/// Conversations that one row of the outbox names.
const RANGES: usize = 100;

/// Of each sort of loss, examples that are shown.
const EXAMPLES: usize = 50;

#[derive(Default)]
struct Outcome {
    entries: u64,
    conversations: u64,
    lost: u64,
    examples: Vec<String>,
    rebuilt: u64,
    gone: u64,
    feeds: u64,
}

/// Mends the conversations of the new store, and says what is lost of them.
pub(super) fn mend(copied: &Copied, new: &New) -> Result<Line, EngineError> {
    let mut outcome = Outcome::default();
    for shard in new.count.all() {
        let mut ranges = Vec::new();
        for conversation in ids(new, shard, copied)? {
            let place = Place { shard, conversation };
            let mended = one(place, copied, new, &mut outcome)?;
            if let Some(to_seq) = mended {
                let conversation = conversation.to_wire();
                ranges.push(OutboxRange { conversation, from_seq: 1, to_seq });
            }
        }
        outcome.feeds += ranges.len() as u64;
        for (index, ranges) in (1..).zip(ranges.chunks(RANGES)) {
            new.write(outbox::put(shard, index, &OutboxRow { ranges: ranges.to_vec() }))?;
        }
        new.flush()?;
    }
    Ok(outcome.line())
}

impl Outcome {
    fn lost(&mut self, count: u64, place: impl FnOnce() -> String) {
        self.lost += count;
        if self.examples.len() < EXAMPLES {
            self.examples.push(place());
        }
    }

    fn line(self) -> Line {
        const CHECK: &str = "conversations kept";
        let Self { entries, conversations, lost, examples, rebuilt, gone, feeds } = self;
        let found = format!(
            "{entries} entries of {conversations} conversations; {lost} entries are lost and {gone} \
             conversations; {rebuilt} states were made anew, {feeds} conversations' feeds will be"
        );
        if lost + gone == 0 {
            return Line::ok(CHECK, found);
        }
        let remedy = "their places say that something is missing; a copy may still have them";
        Line { examples, ..Line::problem(CHECK, found, remedy) }
    }
}

/// The conversations of a shard of which anything is left.
fn ids(
    new: &New,
    shard: ShardId,
    copied: &Copied,
) -> Result<BTreeSet<ConversationId>, EngineError> {
    let known = copied.ends.keys().copied();
    let mut ids: BTreeSet<_> = known.filter(|id| new.count.of_conversation(*id) == shard).collect();
    let prefix = Key::prefix(Table::Conversations, shard);
    each(new, Table::Conversations, &prefix, |key, _| {
        if let RowKey::Conversation { conversation, .. } = key {
            ids.insert(*conversation);
        }
        Ok(())
    })?;
    Ok(ids)
}

/// Goes through the rows of a table of the new store whose keys begin with `prefix`.
pub(super) fn each(
    new: &New,
    table: Table,
    prefix: &Key,
    mut take: impl FnMut(&RowKey, Bytes) -> Result<(), EngineError>,
) -> Result<(), EngineError> {
    let to = prefix.successor();
    let mut walk =
        new.rocks.walk(table.family(), prefix.as_bytes(), to.as_ref().map(Key::as_bytes))?;
    while let Some(step) = walk.next() {
        let Step::Row(key, value) = step else { continue };
        if let Ok(key) = RowKey::decode(table.family(), &key) {
            take(&key, value)?;
        }
    }
    Ok(())
}

/// Mends one conversation. Returns the end of its log when feeds are to be made anew.
fn one(
    place: Place,
    copied: &Copied,
    new: &New,
    outcome: &mut Outcome,
) -> Result<Option<u64>, EngineError> {
    let mut log = Reading::new(place);
    let prefix = Key::of_place(Table::Entries, place);
    each(new, Table::Entries, &prefix, |key, value| {
        let (RowKey::Entry { seq, .. }, Ok(record)) = (key, Record::decode(value)) else {
            return Ok(());
        };
        log.take(*seq, &record, new)
    })?;
    if log.entries == 0 {
        // Nothing of what was said is left, and nobody could be shown it.
        outcome.gone += 1;
        outcome.lost(0, || format!("conversation {}: no entry is left", place.conversation));
        return Ok(None);
    }
    let end = copied.ends.get(&place.conversation).copied().unwrap_or_default();
    let end = log.end_at(end);
    outcome.conversations += 1;
    outcome.entries += log.entries;
    hold_places(place, &log, new, outcome)?;
    new.flush()?;
    mend_rows(place, &log, new)?;
    let (state, rebuilt) = mend_state(place, &log, new)?;
    outcome.rebuilt += u64::from(rebuilt);
    let promised = copied.promised.contains(&place.conversation);
    let feeds = promised || rebuilt || feeds_miss(place, &state, end, new);
    Ok(feeds.then_some(end))
}

/// A log as it was read.
struct Reading {
    replay: Replay,
    proofs: Proofs,
    entries: u64,
    end: Position,
    /// Runs of lost entries: behind the first and before the second.
    holes: Vec<(Position, Position)>,
}

impl Reading {
    fn new(place: Place) -> Self {
        Self {
            replay: Replay::new(place),
            proofs: Proofs::new(),
            entries: 0,
            end: Position::default(),
            holes: Vec::new(),
        }
    }

    fn take(&mut self, seq: u64, record: &Record, new: &New) -> Result<(), EngineError> {
        let Some(said) = Said::of(record) else { return Ok(()) };
        let at = said.head.position();
        if seq > self.end.seq + 1 {
            let before = at.ordinal - u64::from(is_countable(said.head.kind)).min(at.ordinal);
            self.miss(Position { seq, ordinal: before, time_ms: at.time_ms });
        }
        if said.damaged {
            self.replay.misses(seq);
        } else {
            self.entries += 1;
            let mut writes = Vec::new();
            self.replay.take(record, &said, &mut |write| writes.push(write));
            writes.into_iter().try_for_each(|write| new.write(write))?;
            if let Some(sender) = said.sender {
                self.proofs.insert(sender, seq);
            }
        }
        self.end = at;
        Ok(())
    }

    fn miss(&mut self, to: Position) {
        self.replay.misses(to.seq - 1);
        self.holes.push((self.end, to));
    }

    /// The log went at least so far. Returns where it ends now. What is said of entries far
    /// beyond all that is left is wrong rather than all of them lost.
    fn end_at(&mut self, known: Position) -> u64 {
        if known.seq > self.end.seq && known.seq - self.end.seq <= HELD {
            let ordinal = known.ordinal.max(self.end.ordinal);
            let time_ms = known.time_ms.max(self.end.time_ms);
            self.miss(Position { seq: known.seq + 1, ordinal, time_ms });
            self.end.seq = known.seq;
        }
        self.end.seq
    }
}

fn hold_places(
    place: Place,
    log: &Reading,
    new: &New,
    outcome: &mut Outcome,
) -> Result<(), EngineError> {
    if log.holes.is_empty() {
        return Ok(());
    }
    let mut answers = Answers::new();
    each(new, Table::Dedupe, &Key::of_place(Table::Dedupe, place), |_, value| {
        let row = DedupeRow::decode(value).unwrap_or_default();
        if log.holes.iter().any(|(from, to)| from.seq < row.seq && row.seq < to.seq) {
            answers.insert(row.seq, row.position());
        }
        Ok(())
    })?;
    for (from, to) in &log.holes {
        let (first, last) = (from.seq + 1, to.seq - 1);
        outcome.lost(last + 1 - first, || {
            format!("conversation {} seqs {first} to {last}", place.conversation)
        });
        let from = Position { seq: from.seq.max(last.saturating_sub(HELD)), ..*from };
        hold(place, from, *to, &answers).into_iter().try_for_each(|write| new.write(write))?;
    }
    Ok(())
}

/// Takes away the rows that the log contradicts, and adds those that stand by it.
fn mend_rows(place: Place, log: &Reading, new: &New) -> Result<(), EngineError> {
    let Place { shard, conversation } = place;
    let entry = |seq| {
        let found: Asked<Record> = ask(&new.rocks, &RowKey::Entry { shard, conversation, seq });
        match found {
            Asked::There(record) => Said::of(&record),
            Asked::Missing | Asked::Unreadable => None,
        }
    };
    let standing = log.replay.standing();
    each(new, Table::Relations, &Key::of_place(Table::Relations, place), |key, value| {
        let RowKey::Relation { reference, .. } = key else { return Ok(()) };
        let row = RelationRow::decode(value).unwrap_or_default();
        let said = entry(row.seq);
        let stands = said.as_ref().is_some_and(|said| match (&said.act, reference.relation) {
            (Some(Act::Edit(target)), Relation::Edit { .. }) => *target == reference.target,
            (Some(Act::Delete { seq, .. }), Relation::Delete) => *seq == reference.target,
            (Some(Act::React { .. }), Relation::Reaction { user, emoji_hash }) => {
                log.replay.too_many_reactions
                    || standing.get(&row.seq).is_some_and(|it| {
                        it.target == reference.target
                            && it.user == user
                            && it.hashes.contains(&emoji_hash)
                    })
            }
            (Some(Act::Change(_)), Relation::Pin) => {
                !log.replay.knows_pins || log.replay.pins.get(&reference.target) == Some(&row.seq)
            }
            (Some(Act::Change(_)), Relation::Change) => true,
            (Some(_), _) => false,
            // What was deleted stays so, whatever became of the entry that says it.
            (None, Relation::Delete) => true,
            (None, relation) => !said.damaged && said.head.kind == kind_of(relation),
        });
        if stands { Ok(()) } else { new.write(delete(key)) }
    })?;
    each(new, Table::Mentions, &Key::of_place(Table::Mentions, place), |key, _| {
        let RowKey::Mention { user, seq, .. } = key else { return Ok(()) };
        let named = match entry(*seq).and_then(|said| said.act) {
            Some(Act::Message { mentions, everyone, .. }) => {
                mentions.contains(user) || (everyone && *user == EVERYONE)
            }
            Some(_) | None => false,
        };
        if named { Ok(()) } else { new.write(delete(key)) }
    })?;
    each(new, Table::Dedupe, &Key::of_place(Table::Dedupe, place), |key, value| {
        let RowKey::Dedupe { device, client_message_id, .. } = key else { return Ok(()) };
        let row = DedupeRow::decode(value).unwrap_or_default();
        let of: Asked<Record> =
            ask(&new.rocks, &RowKey::Entry { shard, conversation, seq: row.seq });
        let theirs = match of {
            // What is lost has no sender: the answer to its send is all there is of it.
            Asked::There(record) => {
                record.device.is_empty()
                    || (record.device().is_ok_and(|it| it == *device)
                        && record.client_message_id().is_ok_and(|it| it == *client_message_id))
            }
            Asked::Missing | Asked::Unreadable => true,
        };
        if theirs { Ok(()) } else { new.write(delete(key)) }
    })?;
    for stands in standing.values().filter(|it| it.seq > log.replay.unknown_reaction) {
        let Some(emoji_hash) = stands.hashes.first().copied() else { continue };
        let relation = Relation::Reaction { user: stands.user, emoji_hash };
        let is_there = stands.hashes.iter().any(|hash| {
            let relation = Relation::Reaction { user: stands.user, emoji_hash: *hash };
            let reference = Reference { target: stands.target, relation };
            let key = RowKey::Relation { shard, conversation, reference };
            !matches!(ask::<RelationRow>(&new.rocks, &key), Asked::Missing)
        });
        if !is_there {
            new.write(relations::put(place, stands.target, &relation, stands.seq))?;
        }
    }
    if log.replay.knows_pins {
        for (target, seq) in &log.replay.pins {
            new.write(relations::put(place, *target, &Relation::Pin, *seq))?;
        }
    }
    Ok(())
}

const fn kind_of(relation: Relation) -> u32 {
    (match relation {
        Relation::Edit { .. } => EntryKind::Edit,
        Relation::Delete => EntryKind::Delete,
        Relation::Reaction { .. } => EntryKind::Reaction,
        Relation::Pin => EntryKind::Pin,
        Relation::Change => EntryKind::ConversationChanged,
    }) as u32
}

/// The state of the conversation, and whether it had to be made from the log.
fn mend_state(place: Place, log: &Reading, new: &New) -> Result<(State, bool), EngineError> {
    let Place { shard, conversation } = place;
    let kept = ask::<ConversationRow>(&new.rocks, &RowKey::Conversation { shard, conversation });
    if let Asked::There(row) = kept {
        return Ok((rows::to_state(&row), false));
    }
    let state = shown_least(log.replay.state().clone(), log.replay.lost_at, &log.proofs);
    new.write(conversations::put(place, &rows::of_state(&state)))?;
    Ok((state, true))
}

/// Whether somebody who is in doesn't have all of it in their feed.
fn feeds_miss(place: Place, state: &State, end: u64, new: &New) -> bool {
    let Place { conversation, .. } = place;
    state.actives().any(|member| {
        let user = member.user;
        let key = RowKey::Feed { shard: new.count.of_user(user), user, conversation };
        match ask::<FeedRow>(&new.rocks, &key) {
            Asked::There(row) => row.last_seq < end,
            Asked::Missing | Asked::Unreadable => true,
        }
    })
}
