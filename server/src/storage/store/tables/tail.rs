//! Where a log ends whose last entries can't be read: never before an entry that was
//! committed, so that no seq is given twice.
//!
//! Feeds and outbox name every committed entry between them (`docs/storage.md`): a
//! member's feed row says where the log ended when it was written, and what came since
//! is in the outbox. Where no feed row can be read, the dedupe rows tell. What is known
//! of a seq alone counts as a message, and as old as the newest known.

use parley_core::conversation::Position;
use parley_core::shard::placement::ShardCount;
use parley_protocol::UserId;
use parley_protocol::ids::ConversationId;

use super::conversations::ConversationRow;
use super::dedupe::DedupeRow;
use super::entries::{ReadLimit, ReadRange};
use crate::storage::store::engine::{Order, Scan};
use crate::storage::store::keys::{Key, Table};
use crate::storage::store::{Place, Store, StoreError};

/// Rows read at a time.
const PAGE: usize = 1000;

impl Store {
    /// The end of a log of which reading the end failed with `error`: at or above its
    /// last entry.
    ///
    /// # Errors
    /// `error`, when nothing tells.
    pub fn tail_beside(&self, place: Place, error: StoreError) -> Result<Position, StoreError> {
        let row = self.conversation(place)?.unwrap_or_default();
        let mut tail = match self.tail_by_feeds(place.conversation, &row)? {
            Some(tail) => tail,
            None => self.tail_by_dedupe(place)?.ok_or(error)?,
        };
        let mut reach = |seq: u64| {
            let more = seq.saturating_sub(tail.seq);
            tail.seq += more;
            tail.ordinal = tail.ordinal.saturating_add(more);
        };
        self.outbox_of(place.conversation)?.into_iter().for_each(&mut reach);
        row.members.iter().for_each(|member| reach(member.joined_seq.max(member.left_seq)));
        let members = row.members.iter().filter_map(|row| UserId::from_slice(&row.user).ok());
        for (_, cursor) in self.readable_cursors(place, members, usize::MAX)? {
            reach(cursor.read.max(cursor.delivered));
        }
        // What can be read above says more than all of that.
        let limit = ReadLimit { entries: PAGE, bytes: 1 << 20 };
        while let Ok(page) = self.entries(place, ReadRange::After(tail.seq), limit, 0)
            && let Some(last) = page.last()
        {
            let head = last.record.head().unwrap_or_default();
            let (ordinal, time_ms) =
                (tail.ordinal.max(head.ordinal), tail.time_ms.max(head.time_ms));
            tail = Position { seq: last.seq, ordinal, time_ms };
        }
        tracing::warn!(
            conversation = %place.conversation, seq = tail.seq,
            "the newest entries of a conversation can't be read; it goes on behind them"
        );
        Ok(tail)
    }

    fn tail_by_feeds(
        &self,
        conversation: ConversationId,
        row: &ConversationRow,
    ) -> Result<Option<Position>, StoreError> {
        let Some(count) = ShardCount::new(self.facts().shard_count) else { return Ok(None) };
        let mut newest: Option<Position> = None;
        for member in row.members.iter().filter(|member| member.left_seq == 0) {
            let Ok(user) = UserId::from_slice(&member.user) else { continue };
            let found = match self.feed_row(count.of_user(user), user, conversation) {
                Ok(found) => found,
                Err(error) if error.is_damage() => continue,
                Err(error) => return Err(error),
            };
            let Some(row) = found else { continue };
            let at = Position {
                seq: row.last_seq,
                ordinal: row.last_ordinal,
                time_ms: row.last_time_ms,
            };
            if newest.is_none_or(|newest| at.seq > newest.seq) {
                newest = Some(at);
            }
        }
        Ok(newest)
    }

    fn tail_by_dedupe(&self, place: Place) -> Result<Option<Position>, StoreError> {
        let (mut from, to) = super::under(&Key::of_place(Table::Dedupe, place));
        let mut newest: Option<Position> = None;
        loop {
            let scan = Scan {
                from: from.clone(),
                to: to.clone(),
                order: Order::Ascending,
                rows: PAGE,
                bytes: usize::MAX,
            };
            let found = self.scan(Table::Dedupe, &scan)?;
            let Some((last, _)) = found.rows.last() else { return Ok(newest) };
            from = Key::of_bytes(last).with(&[0]);
            for (key, value) in found.rows {
                let row: DedupeRow = super::decode_row(Table::Dedupe, &key, value)?;
                if newest.is_none_or(|newest| row.seq > newest.seq) {
                    newest = Some(row.position());
                }
            }
        }
    }

    /// The last seqs that outbox rows of any shard name for a conversation.
    fn outbox_of(&self, conversation: ConversationId) -> Result<Vec<u64>, StoreError> {
        let mut seqs = Vec::new();
        for shard in (0..self.facts().shard_count).map(parley_protocol::ShardId) {
            let mut after = 0;
            loop {
                let rows = self.outbox(shard, after, PAGE)?;
                let Some((last, _)) = rows.last() else { break };
                after = *last;
                let ranges = rows.iter().flat_map(|(_, row)| &row.ranges);
                let of = |range: &&super::outbox::OutboxRange| {
                    range.conversation == conversation.as_bytes().as_slice()
                };
                seqs.extend(ranges.filter(of).map(|range| range.to_seq));
            }
        }
        Ok(seqs)
    }
}
