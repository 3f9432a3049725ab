//! The feed: shard, kind, user, conversation → [`FeedRow`], and its index:
//! shard, kind, user, version → conversation.
//!
//! The version orders a user's feed and only grows; a change moves a
//! conversation to the end of the index. Both rows change in one batch. The
//! feed is derived: it needs no sync of its own and is rebuilt from the outbox.

use bytes::Bytes;
use parley_core::shard::placement::ShardCount;
use parley_protocol::ids::{ConversationId, ShardId, UserId};
use parley_protocol::wire::ConversationKind;

use super::entries::{ReadLimit, ReadRange};
use crate::storage::store::engine::{Order, Scan, Write};
use crate::storage::store::keys::{Key, RowKey, Table};
use crate::storage::store::{Place, Store, StoreError};

/// One conversation as it stands for one user.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct FeedRow {
    /// Place in the user's feed.
    #[prost(uint64, tag = "1")]
    pub version: u64,
    /// Last seq of the conversation.
    #[prost(uint64, tag = "2")]
    pub last_seq: u64,
    /// Countable entries up to it.
    #[prost(uint64, tag = "3")]
    pub last_ordinal: u64,
    /// When the last entry was stamped, Unix milliseconds.
    #[prost(uint64, tag = "4")]
    pub last_time_ms: u64,
    /// The user's own delivered cursor.
    #[prost(uint64, tag = "5")]
    pub delivered: u64,
    /// The user's own read cursor.
    #[prost(uint64, tag = "6")]
    pub read: u64,
    /// Countable entries up to the highest of: read, own last sent, join. What
    /// is above counts as unread.
    #[prost(uint64, tag = "7")]
    pub floor_ordinal: u64,
    /// Seq of the user's own last message.
    #[prost(uint64, tag = "8")]
    pub sent_seq: u64,
    /// Revision of what the user set for the conversation.
    #[prost(uint64, tag = "9")]
    pub revision: u64,
    /// When the newest message was stamped, or the user came in, Unix milliseconds.
    #[prost(uint64, tag = "10")]
    pub message_ms: u64,
    /// It is a 1:1.
    #[prost(bool, tag = "11")]
    pub direct: bool,
    /// Seq of what `message_ms` is the time of.
    #[prost(uint64, tag = "12")]
    pub message_seq: u64,
}

/// The writes that give a conversation its new row. `old_version` is the
/// version of the row it replaces, whose place in the index is given up.
#[must_use]
pub fn put(
    shard: ShardId,
    user: UserId,
    conversation: ConversationId,
    old_version: Option<u64>,
    row: &FeedRow,
) -> Vec<Write> {
    let index = |version| RowKey::FeedIndex { shard, user, version };
    let moved = old_version.filter(|old| *old != row.version);
    let mut writes: Vec<_> = moved.map(|old| super::delete(&index(old))).into_iter().collect();
    writes.push(super::put(&RowKey::Feed { shard, user, conversation }, row));
    writes.push(Write {
        table: Table::FeedIndex,
        key: index(row.version).encode(),
        value: Some(Bytes::copy_from_slice(conversation.as_bytes())),
    });
    writes
}

/// A page of a user's feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedPage {
    /// Conversations in order of version.
    pub rows: Vec<(ConversationId, FeedRow)>,
    /// The version up to which this page is complete: ask after it for the next.
    pub position: u64,
    /// There is a next page.
    pub more: bool,
}

impl Store {
    /// One conversation as it stands for one user.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn feed_row(
        &self,
        shard: ShardId,
        user: UserId,
        conversation: ConversationId,
    ) -> Result<Option<FeedRow>, StoreError> {
        self.row(&RowKey::Feed { shard, user, conversation })
    }

    /// As [`Store::feed_row`]; one that can't be read is worked out anew, as far as
    /// the conversation tells. Its version is then 0.
    ///
    /// # Errors
    /// [`StoreError`] when the disk can't be read.
    pub fn feed_row_or_anew(
        &self,
        shard: ShardId,
        user: UserId,
        conversation: ConversationId,
    ) -> Result<Option<FeedRow>, StoreError> {
        match self.feed_row(shard, user, conversation) {
            Err(error) if error.is_damage() => self.feed_row_anew(user, conversation),
            found => found,
        }
    }

    /// Where the conversation ends for the user and what they have read of it. Whether
    /// they wrote in it is not known, so that a stranger's asks again.
    fn feed_row_anew(
        &self,
        user: UserId,
        conversation: ConversationId,
    ) -> Result<Option<FeedRow>, StoreError> {
        let Some(count) = ShardCount::new(self.facts().shard_count) else { return Ok(None) };
        let place = Place::of(count, conversation);
        let row = match self.conversation(place) {
            Err(error) if error.is_damage() => None,
            found => found?,
        };
        let Some(row) = row else { return Ok(None) };
        let Some(member) = row.members.iter().find(|row| row.user == user.as_bytes().as_slice())
        else {
            return Ok(None);
        };
        let read = self.cursor(place, user)?.unwrap_or_default();
        let below = if member.left_seq == 0 { u64::MAX } else { member.left_seq + 1 };
        let limit = ReadLimit { entries: 1, bytes: 0 };
        let newest = match self.entries(place, ReadRange::Before(below), limit, 0) {
            Err(error) if error.is_damage() => Vec::new(),
            found => found?,
        };
        let newest = newest.first().and_then(|stored| stored.record.head().ok());
        let newest = newest.unwrap_or_default();
        Ok(Some(FeedRow {
            last_seq: newest.seq.max(read.read).max(member.joined_seq).max(member.left_seq),
            last_ordinal: newest.ordinal.max(read.read_ordinal).max(member.joined_ordinal),
            last_time_ms: newest.time_ms.max(row.created_ms),
            message_ms: newest.time_ms.max(row.created_ms),
            read: read.read,
            floor_ordinal: read.read_ordinal.max(member.joined_ordinal),
            direct: row.kind == ConversationKind::Direct as u32,
            ..FeedRow::default()
        }))
    }

    /// What changed after a version, at most `limit` conversations.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn feed_after(
        &self,
        shard: ShardId,
        user: UserId,
        version: u64,
        limit: usize,
    ) -> Result<FeedPage, StoreError> {
        let from = RowKey::FeedIndex { shard, user, version: version.saturating_add(1) }.encode();
        let (index, more) = self.feed_index(shard, user, from, Order::Ascending, limit)?;
        let mut page = FeedPage { rows: Vec::with_capacity(index.len()), position: version, more };
        for (version, conversation) in index {
            page.position = version;
            // A row that moved between the two reads comes again under its new version.
            let row = match self.feed_row(shard, user, conversation) {
                Err(error) if error.is_damage() => {
                    let row = self.feed_row_anew(user, conversation)?;
                    row.map(|row| FeedRow { version, ..row })
                }
                found => found?,
            };
            if let Some(row) = row
                && row.version == version
            {
                page.rows.push((conversation, row));
            }
        }
        Ok(page)
    }

    /// The 1:1 conversations in a user's feed in which the user sent nothing, of
    /// the first `rows` rows.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn feed_unanswered(
        &self,
        shard: ShardId,
        user: UserId,
        rows: usize,
    ) -> Result<Vec<ConversationId>, StoreError> {
        let (from, to) = super::under(&Key::prefix(Table::Feed, shard).with(user.as_bytes()));
        let scan = Scan { from, to, order: Order::Ascending, rows, bytes: usize::MAX };
        self.rows(Table::Feed, &scan, |key, row: FeedRow| match key {
            RowKey::Feed { conversation, .. } => {
                Some((row.direct && row.sent_seq == 0).then_some(conversation))
            }
            _ => None,
        })
        .map(|found| found.into_iter().flatten().collect())
    }

    /// The highest version in a user's feed, 0 while it is empty.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn feed_position(&self, shard: ShardId, user: UserId) -> Result<u64, StoreError> {
        let from = Key::prefix(Table::FeedIndex, shard).with(user.as_bytes());
        let (newest, _) = self.feed_index(shard, user, from, Order::Descending, 1)?;
        Ok(newest.first().map_or(0, |(version, _)| *version))
    }

    fn feed_index(
        &self,
        shard: ShardId,
        user: UserId,
        from: Key,
        order: Order,
        limit: usize,
    ) -> Result<(Vec<(u64, ConversationId)>, bool), StoreError> {
        let (_, to) = super::under(&Key::prefix(Table::FeedIndex, shard).with(user.as_bytes()));
        let scan = Scan { from, to, order, rows: limit, bytes: usize::MAX };
        let found = self.scan(Table::FeedIndex, &scan)?;
        let mut index = Vec::with_capacity(found.rows.len());
        for (key, value) in found.rows {
            let version = match RowKey::decode(Table::FeedIndex.family(), &key) {
                Ok(RowKey::FeedIndex { version, .. }) => version,
                _ => return Err(StoreError::corrupt(Table::FeedIndex, &key)),
            };
            let conversation = ConversationId::from_slice(&value)
                .map_err(|_| StoreError::corrupt(Table::FeedIndex, &key))?;
            index.push((version, conversation));
        }
        Ok((index, found.more))
    }
}
