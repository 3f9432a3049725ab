//! How far members are: shard, kind, conversation, user → [`CursorRow`].

use parley_protocol::ids::UserId;

use crate::storage::store::engine::{Order, Scan, Write};
use crate::storage::store::keys::{Key, RowKey, Table};
use crate::storage::store::{Place, Store, StoreError};

/// How far one member is. Both cursors are cumulative and only grow.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct CursorRow {
    /// At least one device holds everything up to this seq.
    #[prost(uint64, tag = "1")]
    pub delivered: u64,
    /// When that last moved, Unix milliseconds.
    #[prost(uint64, tag = "2")]
    pub delivered_ms: u64,
    /// The user has read everything up to this seq.
    #[prost(uint64, tag = "3")]
    pub read: u64,
    /// When that last moved, Unix milliseconds.
    #[prost(uint64, tag = "4")]
    pub read_ms: u64,
    /// Countable entries up to `read`.
    #[prost(uint64, tag = "5")]
    pub read_ordinal: u64,
    /// What others may know of it, where that is less.
    #[prost(message, optional, tag = "6")]
    pub told: Option<ToldRow>,
}

/// A member's cursors as others may know them.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct ToldRow {
    /// As [`CursorRow::delivered`].
    #[prost(uint64, tag = "1")]
    pub delivered: u64,
    /// As [`CursorRow::delivered_ms`].
    #[prost(uint64, tag = "2")]
    pub delivered_ms: u64,
    /// As [`CursorRow::read`].
    #[prost(uint64, tag = "3")]
    pub read: u64,
    /// As [`CursorRow::read_ms`].
    #[prost(uint64, tag = "4")]
    pub read_ms: u64,
}

/// The write that creates or replaces the row.
#[must_use]
pub fn put(Place { shard, conversation }: Place, user: UserId, row: &CursorRow) -> Write {
    super::put(&RowKey::Cursor { shard, conversation, user }, row)
}

impl Store {
    /// How far one member is; one whose row can't be read begins anew.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn cursor(
        &self,
        Place { shard, conversation }: Place,
        user: UserId,
    ) -> Result<Option<CursorRow>, StoreError> {
        self.row_or_lost(&RowKey::Cursor { shard, conversation, user })
    }

    /// How far these members of a conversation are, but for those whose rows can't be
    /// read: for them it begins anew, and what they say next is kept again.
    ///
    /// # Errors
    /// [`StoreError`] when the disk can't be read.
    pub fn readable_cursors(
        &self,
        place: Place,
        members: impl Iterator<Item = UserId>,
        limit: usize,
    ) -> Result<Vec<(UserId, CursorRow)>, StoreError> {
        match self.cursors(place, limit) {
            Err(error) if error.is_damage() => {}
            found => return found,
        }
        let mut found = Vec::new();
        for user in members.take(limit) {
            found.extend(self.cursor(place, user)?.map(|row| (user, row)));
        }
        Ok(found)
    }

    /// How far the members of a conversation are, by user id, at most `limit`
    /// of them. Who never acknowledged anything has no row.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn cursors(
        &self,
        place: Place,
        limit: usize,
    ) -> Result<Vec<(UserId, CursorRow)>, StoreError> {
        let prefix = Key::of_place(Table::Cursors, place);
        let (from, to) = super::under(&prefix);
        let scan = Scan { from, to, order: Order::Ascending, rows: limit, bytes: usize::MAX };
        self.rows(Table::Cursors, &scan, |key, row| match key {
            RowKey::Cursor { user, .. } => Some((user, row)),
            _ => None,
        })
    }
}
