//! Copies every row that is what it should be, and remembers how far each log went by what
//! other rows say of it.

use std::collections::HashMap;

use bytes::Bytes;
use parley_core::conversation::Position;
use parley_protocol::ids::ConversationId;
use prost::Message as _;

use super::{New, put};
use crate::storage::doctor::replay::Said;
use crate::storage::doctor::rows::{Cx, Rows};
use crate::storage::store::{
    ConversationRow, CursorRow, DedupeRow, DeletedRow, EngineError, FeedRow, OutboxRow, Record,
    RelationRow, RetentionRow, RowKey, Table,
};

/// Conversations whose ends are remembered; of more, an end that is lost is given again.
const ENDS: usize = 2_000_000;

/// What was learned while copying.
#[derive(Debug, Default)]
pub(in crate::storage::doctor) struct Copied {
    /// How far logs went, by any row that says so.
    pub(super) ends: HashMap<ConversationId, Position>,
    /// The highest number of a start that anything says.
    pub(super) boots: u64,
    /// Feeds that are to be made anew, since the outbox says so.
    pub(super) promised: Vec<ConversationId>,
}

impl Copied {
    fn reaches(&mut self, conversation: ConversationId, at: Position) {
        if self.ends.len() >= ENDS && !self.ends.contains_key(&conversation) {
            return;
        }
        let known = self.ends.entry(conversation).or_default();
        known.seq = known.seq.max(at.seq);
        known.ordinal = known.ordinal.max(at.ordinal);
        known.time_ms = known.time_ms.max(at.time_ms);
    }
}

/// Copies all tables but those that are made anew from others.
pub(super) fn all(cx: &mut Cx<'_>, new: &New) -> Result<Copied, EngineError> {
    let mut copied = Copied::default();
    for table in Table::ALL {
        if matches!(table, Table::FeedIndex | Table::Skeletons | Table::Outbox | Table::Meta) {
            continue;
        }
        for shard in cx.count.all() {
            let mut rows = Rows::of(cx, *table, shard)?;
            while let Some((key, value)) = rows.take(cx) {
                row(&key, value, new, &mut copied)?;
            }
        }
    }
    for shard in cx.count.all() {
        let mut rows = Rows::of(cx, Table::Outbox, shard)?;
        while let Some((_, value)) = rows.take(cx) {
            for range in OutboxRow::decode(value).unwrap_or_default().ranges {
                let Ok(id) = ConversationId::from_slice(&range.conversation) else { continue };
                copied.promised.push(id);
                copied.reaches(id, at(range.to_seq));
            }
        }
    }
    Ok(copied)
}

const fn at(seq: u64) -> Position {
    Position { seq, ordinal: 0, time_ms: 0 }
}

fn row(key: &RowKey, value: Bytes, new: &New, copied: &mut Copied) -> Result<(), EngineError> {
    match key {
        RowKey::Entry { conversation, seq, .. } => {
            let record = Record::decode(value.clone()).unwrap_or_default();
            let Some(said) = Said::of(&record).filter(|said| said.head.seq == *seq) else {
                copied.reaches(*conversation, at(*seq));
                return Ok(());
            };
            copied.boots = copied.boots.max(said.head.epoch);
            copied.reaches(*conversation, said.head.position());
        }
        RowKey::Dedupe { conversation, .. } => {
            let row = DedupeRow::decode(value.clone()).unwrap_or_default();
            copied.reaches(*conversation, row.position());
        }
        RowKey::Conversation { conversation, .. } => {
            let row = ConversationRow::decode(value.clone()).unwrap_or_default();
            let named = row.members.iter().map(|it| it.joined_seq.max(it.left_seq)).max();
            copied.reaches(*conversation, at(named.unwrap_or(0).max(row.erased_up_to)));
        }
        RowKey::Cursor { conversation, .. } => {
            let row = CursorRow::decode(value.clone()).unwrap_or_default();
            let far = Position { ordinal: row.read_ordinal, ..at(row.delivered.max(row.read)) };
            copied.reaches(*conversation, far);
        }
        RowKey::Relation { conversation, .. } => {
            let row = RelationRow::decode(value.clone()).unwrap_or_default();
            copied.reaches(*conversation, at(row.seq));
        }
        RowKey::Deleted { conversation, ordinal, .. } => {
            let row = DeletedRow::decode(value.clone()).unwrap_or_default();
            copied.reaches(*conversation, Position { ordinal: *ordinal, ..at(row.seq) });
        }
        RowKey::Mention { conversation, seq, .. } | RowKey::Step { conversation, seq, .. } => {
            copied.reaches(*conversation, at(*seq));
        }
        RowKey::Retention { conversation, .. } => {
            let row = RetentionRow::decode(value.clone()).unwrap_or_default();
            copied.reaches(*conversation, Position { ordinal: row.ordinal, ..at(row.seq) });
        }
        RowKey::Feed { shard, user, conversation } => {
            let row = FeedRow::decode(value.clone()).unwrap_or_default();
            // A version has the number of a start above its lower 40 bits.
            copied.boots = copied.boots.max(row.version >> 40);
            let (seq, ordinal, time_ms) = (row.last_seq, row.last_ordinal, row.last_time_ms);
            copied.reaches(*conversation, Position { seq, ordinal, time_ms });
            let place = RowKey::FeedIndex { shard: *shard, user: *user, version: row.version };
            new.write(put(&place, Bytes::copy_from_slice(conversation.as_bytes())))?;
        }
        _ => {}
    }
    new.write(put(key, value))
}
