//! What refers to a message: shard, kind, conversation, sort, target seq, and
//! by sort the edit's seq or who reacted with what → [`RelationRow`].
//!
//! Reactions and pins have a row while they stand, edits and deletions for ever.

use parley_protocol::ids::UserId;

use crate::storage::store::engine::{Order, Scan, Scanned, Write};
use crate::storage::store::keys::{Key, Reference, Relation, RowKey, Table};
use crate::storage::store::{Place, Store, StoreError};

/// The entry that refers to the message.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct RelationRow {
    /// Its seq.
    #[prost(uint64, tag = "1")]
    pub seq: u64,
}

/// The write that notes that the entry `seq` refers to `target_seq`.
#[must_use]
pub fn put(
    Place { shard, conversation }: Place,
    target_seq: u64,
    relation: &Relation,
    seq: u64,
) -> Write {
    let reference = Reference { target: target_seq, relation: *relation };
    super::put(&RowKey::Relation { shard, conversation, reference }, &RelationRow { seq })
}

/// The write that forgets it: the reaction or the pin was taken back.
#[must_use]
pub fn delete(Place { shard, conversation }: Place, target_seq: u64, relation: &Relation) -> Write {
    let reference = Reference { target: target_seq, relation: *relation };
    super::delete(&RowKey::Relation { shard, conversation, reference })
}

/// A found relation: the target's seq, how it is referred to, and the seq of
/// the entry that does.
pub type Related = (u64, Relation, u64);

/// Rows of one sort under `start`, before `end`.
struct Within<'a> {
    start: &'a [u8],
    end: &'a [u8],
    order: Order,
    limit: usize,
    /// Rows that can't be read are left out: it is for showing.
    around: bool,
}

impl Store {
    /// What refers to the messages `from..=to`: first their edits, then their
    /// deletions, then their standing reactions, each by target. At most
    /// `limit`, so that reactions are what is missing first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn relations(
        &self,
        place: Place,
        from: u64,
        to: u64,
        limit: usize,
    ) -> Result<Vec<Related>, StoreError> {
        let mut found = Vec::new();
        for sort in [Relation::EDIT, Relation::DELETE, Relation::REACTION] {
            let rest = limit - found.len();
            found.extend(self.relations_of(place, sort, (from, to), rest)?.0);
        }
        Ok(found)
    }

    /// The edits of one message above the entry `after`, ascending, at most
    /// `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn edits(
        &self,
        place: Place,
        target: u64,
        after: u64,
        limit: usize,
    ) -> Result<Vec<u64>, StoreError> {
        let start = [target.to_be_bytes(), after.saturating_add(1).to_be_bytes()].concat();
        let end = target.saturating_add(1).to_be_bytes();
        let within =
            Within { start: &start, end: &end, order: Order::Ascending, limit, around: false };
        let (found, _) = self.related(place, Relation::EDIT, &within)?;
        Ok(found.into_iter().map(|(_, _, seq)| seq).collect())
    }

    /// The newest edits of one message below the entry `below`, newest first, at
    /// most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn edits_before(
        &self,
        place: Place,
        target: u64,
        below: u64,
        limit: usize,
    ) -> Result<Vec<u64>, StoreError> {
        let start = target.to_be_bytes();
        let end = [target.to_be_bytes(), below.to_be_bytes()].concat();
        let within =
            Within { start: &start, end: &end, order: Order::Descending, limit, around: true };
        let (found, _) = self.related(place, Relation::EDIT, &within)?;
        Ok(found.into_iter().map(|(_, _, seq)| seq).collect())
    }

    /// The entries below `below` that changed info or settings of the
    /// conversation, newest first, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn changes_before(
        &self,
        place: Place,
        below: u64,
        limit: usize,
    ) -> Result<Vec<u64>, StoreError> {
        let (start, end) = (0u64.to_be_bytes(), below.to_be_bytes());
        let within =
            Within { start: &start, end: &end, order: Order::Descending, limit, around: true };
        let (found, _) = self.related(place, Relation::CHANGE, &within)?;
        Ok(found.into_iter().map(|(seq, _, _)| seq).collect())
    }

    /// The newest edit of each of the messages `from..=to` that has one, at
    /// most `limit`, by target. Costs one seek an edited message, however often
    /// each was edited.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn newest_edits(
        &self,
        place: Place,
        from: u64,
        to: u64,
        limit: usize,
    ) -> Result<Vec<(u64, u64)>, StoreError> {
        let mut found = Vec::new();
        let (start, mut below) = (from.to_be_bytes(), to.saturating_add(1));
        while found.len() < limit && below > from {
            let end = below.to_be_bytes();
            let within = Within {
                start: &start,
                end: &end,
                order: Order::Descending,
                limit: 1,
                around: true,
            };
            let (newest, _) = self.related(place, Relation::EDIT, &within)?;
            let Some((target, _, seq)) = newest.first().copied() else { break };
            found.push((target, seq));
            below = target;
        }
        found.reverse();
        Ok(found)
    }

    /// The deletions of the messages `from..=to`, by target, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn deletions(
        &self,
        place: Place,
        from: u64,
        to: u64,
        limit: usize,
    ) -> Result<Vec<(u64, u64)>, StoreError> {
        let (found, _) = self.relations_of(place, Relation::DELETE, (from, to), limit)?;
        Ok(found.into_iter().map(|(target, _, seq)| (target, seq)).collect())
    }

    /// The standing reactions to the messages `from..=to`, by target, each with its
    /// seq, at most `limit`; and whether there are more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn reactions(
        &self,
        place: Place,
        from: u64,
        to: u64,
        limit: usize,
    ) -> Result<(Vec<(u64, u64)>, bool), StoreError> {
        let (found, more) = self.relations_of(place, Relation::REACTION, (from, to), limit)?;
        Ok((found.into_iter().map(|(target, _, seq)| (target, seq)).collect(), more))
    }

    /// How many reactions of one user to one message stand, counted up to `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn count_reactions(
        &self,
        place: Place,
        target: u64,
        user: UserId,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let prefix = sort_prefix(place, Relation::REACTION);
        let prefix = prefix.with(&target.to_be_bytes()).with(user.as_bytes());
        let (from, to) = super::under(&prefix);
        let scan = Scan { from, to, order: Order::Ascending, rows: limit, bytes: usize::MAX };
        Ok(self.scan(Table::Relations, &scan)?.rows.len())
    }

    /// Whether this relation to `target` stands, and the seq of its entry.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn relation(
        &self,
        Place { shard, conversation }: Place,
        target: u64,
        relation: &Relation,
    ) -> Result<Option<u64>, StoreError> {
        let reference = Reference { target, relation: *relation };
        let row: Option<RelationRow> =
            self.row(&RowKey::Relation { shard, conversation, reference })?;
        Ok(row.map(|row| row.seq))
    }

    fn relations_of(
        &self,
        place: Place,
        sort: u8,
        (from, to): (u64, u64),
        limit: usize,
    ) -> Result<(Vec<Related>, bool), StoreError> {
        if from > to {
            return Ok((Vec::new(), false));
        }
        let (start, end) = (from.to_be_bytes(), to.saturating_add(1).to_be_bytes());
        let within =
            Within { start: &start, end: &end, order: Order::Ascending, limit, around: true };
        self.related(place, sort, &within)
    }

    fn related(
        &self,
        place: Place,
        sort: u8,
        within: &Within<'_>,
    ) -> Result<(Vec<Related>, bool), StoreError> {
        if within.limit == 0 || within.start >= within.end {
            return Ok((Vec::new(), false));
        }
        let prefix = sort_prefix(place, sort);
        let scan = Scan {
            from: prefix.clone().with(within.start),
            to: prefix.with(within.end),
            order: within.order,
            rows: within.limit,
            bytes: usize::MAX,
        };
        let found = if within.around {
            self.scan_around(Table::Relations, &scan)
        } else {
            self.scan(Table::Relations, &scan)
        };
        let Scanned { rows, more } = found?;
        let mut found = Vec::with_capacity(rows.len());
        for (key, value) in rows {
            let row: RelationRow = super::decode_row(Table::Relations, &key, value)?;
            match RowKey::decode(Table::Relations.family(), &key) {
                Ok(RowKey::Relation { reference, .. }) => {
                    found.push((reference.target, reference.relation, row.seq));
                }
                _ => return Err(StoreError::corrupt(Table::Relations, &key)),
            }
        }
        Ok((found, more))
    }
}

fn sort_prefix(place: Place, sort: u8) -> Key {
    Key::of_place(Table::Relations, place).with(&[sort])
}
