//! One shard's conversations, one after another: the log of each, and every table of the
//! conversation against it. All tables are read once and side by side.

use std::collections::HashMap;

use parley_core::conversation::{Kind, State, direct_id, group_id};
use parley_protocol::ids::{ConversationId, ShardId};
use prost::Message as _;

use super::finding::Check;
use super::replay::{self, Replay, Said};
use super::rows::{Asked, Cx, Rows, ask};
use super::shape::Shape;
use super::sums::Sum;
use crate::storage::store::{
    ConversationRow, EngineError, FeedRow, Key, Place, Record, RowKey, Table, Write, state,
};

/// Conversations with entries that are still to be carried to feeds, and up to which seq.
#[derive(Debug, Default)]
pub(super) struct Pending {
    pub(super) known: HashMap<ConversationId, u64>,
    /// There are more than are remembered: feeds are not compared.
    pub(super) too_many: bool,
}

/// The tables of one shard, side by side.
pub(super) struct Side<'a> {
    pub(super) log: Rows<'a>,
    pub(super) states: Rows<'a>,
    pub(super) dedupe: Rows<'a>,
    pub(super) cursors: Rows<'a>,
    pub(super) relations: Rows<'a>,
    pub(super) mentions: Rows<'a>,
    pub(super) deleted: Rows<'a>,
    pub(super) steps: Rows<'a>,
    pub(super) invites: Rows<'a>,
    pub(super) retention: Rows<'a>,
}

/// What a log turned out to be.
pub(super) struct Log {
    pub(super) shape: Shape,
    pub(super) replay: Replay,
    /// Rows may be lost anywhere in it.
    pub(super) torn: bool,
    /// The rows that follow from it, by table.
    pub(super) dedupe: Sum,
    pub(super) relations: Sum,
    pub(super) mentions: Sum,
    first: Option<Record>,
}

/// The conversation a key belongs to.
pub(super) const fn of(key: &RowKey) -> Option<ConversationId> {
    match key {
        RowKey::Entry { conversation, .. }
        | RowKey::Dedupe { conversation, .. }
        | RowKey::Conversation { conversation, .. }
        | RowKey::Cursor { conversation, .. }
        | RowKey::Relation { conversation, .. }
        | RowKey::Mention { conversation, .. }
        | RowKey::Deleted { conversation, .. }
        | RowKey::Step { conversation, .. }
        | RowKey::Invite { conversation, .. }
        | RowKey::Retention { conversation, .. } => Some(*conversation),
        _ => None,
    }
}

/// Checks all conversations of a shard.
pub(super) fn check(
    cx: &mut Cx<'_>,
    shard: ShardId,
    pending: &mut Pending,
) -> Result<(), EngineError> {
    let mut side = Side::of(cx, shard)?;
    while let Some(conversation) = side.next(cx) {
        side.check(cx, Place { shard, conversation }, pending);
    }
    Ok(())
}

impl<'a> Side<'a> {
    fn of(cx: &Cx<'a>, shard: ShardId) -> Result<Self, EngineError> {
        let rows = |table| Rows::of(cx, table, shard);
        Ok(Self {
            log: rows(Table::Entries)?,
            states: rows(Table::Conversations)?,
            dedupe: rows(Table::Dedupe)?,
            cursors: rows(Table::Cursors)?,
            relations: rows(Table::Relations)?,
            mentions: rows(Table::Mentions)?,
            deleted: rows(Table::Deleted)?,
            steps: rows(Table::Steps)?,
            invites: rows(Table::Invites)?,
            retention: rows(Table::Retention)?,
        })
    }

    fn all(&mut self) -> [&mut Rows<'a>; 10] {
        let Self { log, states, dedupe, cursors, relations, .. } = self;
        let Self { mentions, deleted, steps, invites, retention, .. } = self;
        [log, states, dedupe, cursors, relations, mentions, deleted, steps, invites, retention]
    }

    /// The lowest conversation of which any table has a row left.
    fn next(&mut self, cx: &mut Cx<'_>) -> Option<ConversationId> {
        self.all().into_iter().filter_map(|rows| rows.peek(cx).and_then(of)).min()
    }

    fn check(&mut self, cx: &mut Cx<'_>, place: Place, pending: &mut Pending) {
        let row = self.state(cx, place);
        let log = self.read_log(cx, place);
        let promised = pending.known.remove(&place.conversation);
        if let Some(state) = &row {
            cx.tally.saw(Check::States, 1);
            compare_state(cx, place, &log, state);
            if promised.is_none() && !pending.too_many {
                compare_feeds(cx, place, &log, state);
            }
        } else if !self.states.is_torn(Key::of_place(Table::Conversations, place).as_bytes()) {
            cx.tally.note(Check::States, "conversations have rows and no state", || named(place));
        }
        if promised.is_some_and(|to_seq| to_seq > log.shape.end.seq) && !log.torn {
            cx.tally
                .note(Check::Outbox, "outbox rows name entries beyond the end", || named(place));
        }
        self.compare_rows(cx, place, log);
    }

    fn state(&mut self, cx: &mut Cx<'_>, place: Place) -> Option<State> {
        let (_, value) = self.states.take_if(cx, |key| of(key) == Some(place.conversation))?;
        ConversationRow::decode(value).ok().map(|row| state::to_state(&row))
    }

    fn read_log(&mut self, cx: &mut Cx<'_>, place: Place) -> Log {
        let mut log = Log::new(place);
        let here = |key: &RowKey| of(key) == Some(place.conversation);
        while let Some((key, value)) = self.log.take_if(cx, here) {
            let (RowKey::Entry { seq, .. }, Ok(record)) = (key, Record::decode(value)) else {
                continue;
            };
            cx.tally.saw(Check::Logs, 1);
            log.take(cx, place, seq, record);
        }
        log.torn = self.log.is_torn(Key::of_place(Table::Entries, place).as_bytes());
        if log.torn {
            log.shape.has_holes = true;
            log.shape.is_open = true;
            log.replay.misses(log.shape.end.seq);
        }
        log
    }
}

impl Log {
    fn new(place: Place) -> Self {
        Self {
            shape: Shape::default(),
            replay: Replay::new(place),
            torn: false,
            dedupe: Sum::default(),
            relations: Sum::default(),
            mentions: Sum::default(),
            first: None,
        }
    }

    fn take(&mut self, cx: &mut Cx<'_>, place: Place, seq: u64, record: Record) {
        let Cx { tally, newest_ms, .. } = cx;
        let at = || format!("{} seq {seq}", named(place));
        let Some(said) = Said::of(&record) else {
            return tally.note(Check::Logs, "entries can't be read", at);
        };
        let (head, end) = (&said.head, self.shape.end);
        if said.damaged {
            // Its place is held: nothing more is known of it.
            tally.spare(Check::Logs, "entries were lost, and their places are held");
            self.replay.misses(seq);
            self.shape.hold(seq, head);
            return;
        }
        if head.seq != seq {
            return tally.note(Check::Logs, "entries say another seq than their keys", at);
        }
        if seq == end.seq + 1 {
            let countable = u64::from(parley_protocol::body::is_countable(head.kind));
            if head.ordinal != end.ordinal + countable {
                tally.note(Check::Logs, "ordinals don't follow", at);
            }
        } else {
            let (from, to) = (end.seq + 1, seq - 1);
            tally.note(Check::Logs, "runs of entries are missing", || {
                format!("{} seqs {from} to {to}", named(place))
            });
            self.replay.misses(to);
        }
        *newest_ms = head.time_ms.max(*newest_ms);
        if said.sender.is_none() {
            tally.note(Check::Logs, "entries have no sender", at);
        }
        if !replay::is_what_was_sent(&record, &said) {
            tally.note(Check::Logs, "entries are not what was sent", at);
        }
        let Self { replay, dedupe, relations, mentions, .. } = self;
        replay.take(&record, &said, &mut |write: Write| {
            let sum = match write.table {
                Table::Dedupe => &mut *dedupe,
                Table::Relations => &mut *relations,
                Table::Mentions => &mut *mentions,
                _ => return,
            };
            sum.add(write.key.as_bytes(), write.value.as_deref().unwrap_or_default());
        });
        self.shape.push(seq, head);
        if seq == 1 {
            self.first = Some(record);
        }
    }
}

fn compare_state(cx: &mut Cx<'_>, place: Place, log: &Log, state: &State) {
    let at = || named(place);
    if log.torn {
        return;
    }
    if log.shape.end.seq == 0 {
        return cx.tally.note(Check::States, "conversations have a state and no log", at);
    }
    if let Err(what) = replay::fits(&log.replay, state) {
        cx.tally.note(Check::States, what, at);
    }
    let id = match (state.kind, state.members.as_slice(), &log.first) {
        (Kind::Direct, [one], _) => Some(direct_id(one.user, one.user)),
        (Kind::Direct, [one, other], _) => Some(direct_id(one.user, other.user)),
        (Kind::Direct, ..) => None,
        (Kind::Group, _, Some(first)) => match (first.device(), first.client_message_id()) {
            (Ok(device), Ok(id)) => Some(group_id(device, &id)),
            _ => None,
        },
        // Its first entry is missing.
        (Kind::Group, _, None) => Some(place.conversation),
    };
    if id != Some(place.conversation) {
        cx.tally.note(Check::States, "conversations have an id that isn't theirs", at);
    }
}

/// That everybody who is in has the conversation in their feed, up to its end.
fn compare_feeds(cx: &mut Cx<'_>, place: Place, log: &Log, state: &State) {
    let end = log.shape.end;
    if log.torn || end.seq == 0 {
        return;
    }
    for member in state.actives().filter(|member| member.sees(end.seq)) {
        let shard = cx.count.of_user(member.user);
        let (user, conversation) = (member.user, place.conversation);
        let at = || format!("{} user {user}", named(place));
        match ask::<FeedRow>(cx.rocks, &RowKey::Feed { shard, user, conversation }) {
            Asked::Missing => cx.tally.note(Check::Feeds, "members have no feed row", at),
            Asked::There(row) if row.last_seq < end.seq => {
                cx.tally.note(Check::Feeds, "feed rows lag behind", at);
            }
            Asked::There(row)
                if row.last_seq > end.seq
                    || row.read > end.seq
                    || row.sent_seq > end.seq
                    || row.last_ordinal > end.ordinal
                    || row.floor_ordinal > end.ordinal =>
            {
                cx.tally.note(Check::Feeds, "feed rows are ahead of the log", at);
            }
            Asked::There(_) | Asked::Unreadable => {}
        }
    }
}

/// A conversation in words.
pub(super) fn named(place: Place) -> String {
    format!("conversation {}", place.conversation)
}
