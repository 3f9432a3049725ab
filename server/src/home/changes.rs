//! Reading the feed: what changed since a position.

use std::collections::HashMap;

use parley_core::conversation::{Membership, Stamped};
use parley_core::user::FeedEntry;
use parley_protocol::wire::{self, Changes};
use parley_protocol::{ConversationId, UserId};

use super::Homes;
use crate::store::{FeedRow, StoreError};

impl Homes {
    /// The user's feed position: the highest version given out.
    ///
    /// Reads the store once per session; after that it is in memory. Blocks.
    ///
    /// # Errors
    /// [`StoreError`] when the store can't be read.
    pub fn position(&self, user: UserId) -> Result<u64, StoreError> {
        if let Some(known) = self.known_position(user) {
            return Ok(known);
        }
        let stored = self.store.feed_position(self.count.of_user(user), user)?;
        let mut home = self.lock(user);
        // Only kept while a session makes use of it.
        match home.users.get_mut(&user) {
            Some(state) => Ok(*state.position.insert(state.position.unwrap_or(0).max(stored))),
            None => Ok(stored),
        }
    }

    /// The position, if it is in memory. Never blocks.
    #[must_use]
    pub fn known_position(&self, user: UserId) -> Option<u64> {
        self.lock(user).users.get(&user).and_then(|user| user.position)
    }

    /// What changed after `since`, at most about `limit` conversations, oldest
    /// change first. A position from somewhere else, above anything given out
    /// here, starts from the beginning. Blocks.
    ///
    /// # Errors
    /// [`StoreError`] when the store can't be read.
    pub fn changes(&self, user: UserId, since: u64, limit: usize) -> Result<Changes, StoreError> {
        let shard = self.count.of_user(user);
        let position = self.position(user)?;
        let since = if since > position { 0 } else { since };
        // Memory first, then the store: a change that is flushed in between is
        // seen twice, never not at all, and merging twice changes nothing.
        let changed: HashMap<ConversationId, FeedEntry> =
            self.lock(user).users.get(&user).map(|user| user.changed.clone()).unwrap_or_default();
        let page = self.store.feed_after(shard, user, since, limit)?;
        let mut merged: HashMap<ConversationId, FeedEntry> =
            page.rows.iter().map(|(conversation, row)| (*conversation, entry(row))).collect();
        for (conversation, change) in changed {
            let base = match merged.get(&conversation) {
                Some(stored) => *stored,
                None => self
                    .store
                    .feed_row(shard, user, conversation)?
                    .as_ref()
                    .map(entry)
                    .unwrap_or_default(),
            };
            let mut now = base;
            now.merge(&change);
            merged.insert(conversation, now);
        }
        // Past a cut page only the store knows what comes next.
        let complete_to = if page.more { page.position } else { position };
        let mut entries: Vec<_> = merged
            .into_iter()
            .filter(|(_, entry)| entry.version > since && entry.version <= complete_to)
            .collect();
        entries.sort_unstable_by_key(|(_, entry)| entry.version);
        let more = page.more || entries.len() > limit;
        entries.truncate(limit);
        let feed_position = match entries.last() {
            Some((_, last)) if entries.len() == limit && more => last.version,
            _ => complete_to,
        };
        let on_wire = |(conversation, entry)| self.on_wire(user, conversation, entry);
        let entries = entries.into_iter().map(on_wire).collect::<Result<_, _>>()?;
        Ok(Changes { entries, feed_position, more })
    }

    /// The delivered cursor moves with every message and is no change of the
    /// feed: it is read where it is kept.
    fn on_wire(
        &self,
        user: UserId,
        id: ConversationId,
        entry: FeedEntry,
    ) -> Result<wire::FeedEntry, StoreError> {
        let cursor =
            self.store.cursor(self.count.of_conversation(id), id, user)?.unwrap_or_default();
        Ok(wire::FeedEntry {
            conversation: id.to_wire(),
            version: entry.version,
            last_seq: entry.last_seq,
            unread: entry.unread(0),
            read: entry.read_seq,
            last_time_ms: entry.last_time_ms,
            delivered: cursor.delivered,
            last_ordinal: entry.last_ordinal,
            floor_ordinal: entry.floor_ordinal,
            ..wire::FeedEntry::default()
        })
    }
}

/// A stored row as the rules see it.
pub(super) fn entry(row: &FeedRow) -> FeedEntry {
    FeedEntry {
        version: row.version,
        last_seq: row.last_seq,
        last_ordinal: row.last_ordinal,
        last_time_ms: row.last_time_ms,
        read_seq: row.read,
        floor_ordinal: row.floor_ordinal,
        sent_seq: row.sent_seq,
        revision: row.revision,
    }
}

/// What an entry changes in the feed of somebody who sees it.
pub(crate) fn change_of(member: &Membership, stamped: Stamped, own_message: bool) -> FeedEntry {
    // What is older than their joining never counts as unread, nor what is
    // older than their own last message.
    let joined = member.joined_seq == stamped.seq;
    let floor_ordinal = if own_message {
        stamped.ordinal
    } else if joined {
        member.joined_ordinal
    } else {
        0
    };
    FeedEntry {
        last_seq: stamped.seq,
        last_ordinal: stamped.ordinal,
        last_time_ms: stamped.time_ms,
        floor_ordinal,
        sent_seq: if own_message { stamped.seq } else { 0 },
        ..FeedEntry::default()
    }
}
