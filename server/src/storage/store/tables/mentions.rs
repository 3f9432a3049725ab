//! Which messages name whom: shard, kind, conversation, user, seq → [`MentionRow`].
//!
//! Written with the message, deleted when it is deleted for all.

use std::ops::Range;

use parley_protocol::ids::UserId;

use crate::storage::store::engine::{Order, Scan, Write};
use crate::storage::store::keys::{RowKey, Table};
use crate::storage::store::{Place, Store, StoreError};

/// Stands for every member. No user has this id: theirs are UUIDv7.
pub const EVERYONE: UserId = UserId::new([0; 16]);

/// Where a message that names somebody is counted.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct MentionRow {
    /// Its ordinal.
    #[prost(uint64, tag = "1")]
    pub ordinal: u64,
}

/// The write that notes that the message `seq` names `user`, or [`EVERYONE`].
#[must_use]
pub fn put(Place { shard, conversation }: Place, user: UserId, seq: u64, ordinal: u64) -> Write {
    super::put(&RowKey::Mention { shard, conversation, user, seq }, &MentionRow { ordinal })
}

/// The write that forgets it: the message was deleted.
#[must_use]
pub fn delete(Place { shard, conversation }: Place, user: UserId, seq: u64) -> Write {
    super::delete(&RowKey::Mention { shard, conversation, user, seq })
}

impl Store {
    /// Seqs within `seqs` of messages that name `user` or everyone, newest
    /// first, each once, at most `limit`; and whether there are more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn mentions(
        &self,
        place: Place,
        user: UserId,
        seqs: Range<u64>,
        limit: usize,
    ) -> Result<(Vec<u64>, bool), StoreError> {
        let mut found = Vec::new();
        let mut more = false;
        for named in [user, EVERYONE] {
            let (of_one, rest) = self.mentions_of(place, named, seqs.clone(), limit)?;
            found.extend(of_one.into_iter().map(|(seq, _)| seq));
            more |= rest;
        }
        found.sort_unstable_by(|a, b| b.cmp(a));
        found.dedup();
        more |= found.len() > limit;
        found.truncate(limit);
        Ok((found, more))
    }

    /// Seqs of the messages with an ordinal above `above` and up to `up_to` that
    /// name `user` or everyone, ascending, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn unread_mentions(
        &self,
        place: Place,
        user: UserId,
        (above, up_to): (u64, u64),
        limit: usize,
    ) -> Result<Vec<u64>, StoreError> {
        if above >= up_to {
            return Ok(Vec::new());
        }
        let mut seqs = Vec::new();
        for named in [user, EVERYONE] {
            self.mentions_within(place, named, (above, up_to), limit, &mut seqs)?;
        }
        seqs.sort_unstable();
        seqs.dedup();
        seqs.truncate(limit);
        Ok(seqs)
    }

    /// Ordinals grow with seqs: from the newest back to the first one at or
    /// below the floor, in small steps, since there are few.
    fn mentions_within(
        &self,
        place: Place,
        named: UserId,
        (above, up_to): (u64, u64),
        limit: usize,
        seqs: &mut Vec<u64>,
    ) -> Result<(), StoreError> {
        let (mut below, mut counted, mut step) = (u64::MAX, 0, 8);
        loop {
            let (found, more) = self.mentions_of(place, named, 1..below, step)?;
            for (seq, ordinal) in &found {
                if *ordinal <= above || counted >= limit {
                    return Ok(());
                }
                if *ordinal <= up_to {
                    seqs.push(*seq);
                    counted += 1;
                }
                below = *seq;
            }
            if !more {
                return Ok(());
            }
            step = (step * 4).min(1000);
        }
    }

    fn mentions_of(
        &self,
        Place { shard, conversation }: Place,
        user: UserId,
        seqs: Range<u64>,
        limit: usize,
    ) -> Result<(Vec<(u64, u64)>, bool), StoreError> {
        if seqs.is_empty() || limit == 0 {
            return Ok((Vec::new(), false));
        }
        let key = |seq| RowKey::Mention { shard, conversation, user, seq }.encode();
        let scan = Scan {
            from: key(seqs.start),
            to: key(seqs.end),
            order: Order::Descending,
            rows: limit,
            bytes: usize::MAX,
        };
        let found = self.scan_around(Table::Mentions, &scan)?;
        let mut seqs = Vec::with_capacity(found.rows.len());
        for (key, value) in found.rows {
            let row: MentionRow = super::decode_row(Table::Mentions, &key, value)?;
            match RowKey::decode(Table::Mentions.family(), &key) {
                Ok(RowKey::Mention { seq, .. }) => seqs.push((seq, row.ordinal)),
                _ => return Err(StoreError::corrupt(Table::Mentions, &key)),
            }
        }
        Ok((seqs, found.more))
    }
}
