//! A walk over all rows of a range that goes around what can't be read.
//!
//! An iterator of the database ends at the first block or value whose checksum is
//! wrong. Behind the last good key the walk seeks in growing strides for one that
//! can be read, and then between the last bad and the first good one for the first
//! good one: some hundred seeks for a gap. It reads past the cache, so that a server
//! beside it keeps its own in memory.

use bytes::Bytes;
use rocksdb::{ColumnFamily, DB, DBRawIteratorWithThreadMode, ReadOptions};

use super::{EngineError, Family, Rocks, engine_error};
use crate::storage::store::families::{FAMILIES, Tuning};

/// What a walk comes upon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A row.
    Row(Bytes, Bytes),
    /// Rows that can't be read, or none.
    Gap(Gap),
}

/// A run of keys of which no row can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The last readable key before it, or where the walk began.
    pub after: Vec<u8>,
    /// The first readable key behind it; `None` when nothing follows.
    pub before: Option<Vec<u8>>,
    /// The database's own words.
    pub cause: String,
}

/// A walk. It sees the database as it was when the walk began, unless its owner writes to
/// it meanwhile.
pub struct Walk<'a> {
    db: &'a DB,
    family: &'a ColumnFamily,
    rows: DBRawIteratorWithThreadMode<'a, DB>,
    /// Keys of the family have about this length.
    width: usize,
    to: Option<Vec<u8>>,
    /// The last key that was read, or where it begins.
    last: Vec<u8>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The iterator stands on the next row, or at the end.
    Here,
    /// The row under the iterator was given.
    Given,
    Over,
}

impl Rocks {
    /// Walks over the rows of a family from the key `from` on, up to `to`, itself not
    /// included; to its end without.
    ///
    /// # Errors
    /// [`EngineError`] when there is no such family.
    pub fn walk(
        &self,
        family: Family,
        from: &[u8],
        to: Option<&[u8]>,
    ) -> Result<Walk<'_>, EngineError> {
        let (db, family, width) = (&*self.db, self.family(family)?, key_bytes(family));
        let to = to.map(<[u8]>::to_vec);
        let rows = standing_at(db, family, to.as_deref(), from);
        Ok(Walk { db, family, rows, width, to, last: from.to_vec(), state: State::Here })
    }

    /// Bytes in table and blob files.
    #[must_use]
    pub fn file_bytes(&self) -> u64 {
        let of = |tuning: &Tuning| {
            self.figure(tuning.family, "rocksdb.live-sst-files-size")
                + self.figure(tuning.family, "rocksdb.live-blob-file-size")
        };
        FAMILIES.iter().map(of).sum()
    }
}

/// An iterator that stands on the first row from `key` on.
fn standing_at<'a>(
    db: &'a DB,
    family: &'a ColumnFamily,
    to: Option<&[u8]>,
    key: &[u8],
) -> DBRawIteratorWithThreadMode<'a, DB> {
    let mut options = ReadOptions::default();
    options.fill_cache(false);
    options.set_verify_checksums(true);
    options.set_total_order_seek(true);
    if let Some(to) = to {
        options.set_iterate_upper_bound(to);
    }
    let mut rows = db.raw_iterator_cf_opt(family, options);
    rows.seek(key);
    rows
}

/// Behind a gap that could not be bridged it is tried again so often.
const TRIES: usize = 8;

/// How long the keys of a family are, most of them.
const fn key_bytes(family: Family) -> usize {
    match family {
        Family::Meta => 4,
        Family::Log => 26,
        Family::Dedupe => 50,
        Family::State => 44,
        Family::Feed => 35,
        Family::Accounts => 51,
    }
}

impl Walk<'_> {
    /// What comes next; `None` at the end.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator of the standard library ends once, with less to say"
    )]
    pub fn next(&mut self) -> Option<Step> {
        match self.state {
            State::Over => return None,
            State::Given => self.rows.next(),
            State::Here => {}
        }
        if let Some((key, value)) = self.rows.item() {
            self.state = State::Given;
            self.last.clear();
            self.last.extend_from_slice(key);
            return Some(Step::Row(Bytes::copy_from_slice(key), Bytes::copy_from_slice(value)));
        }
        match self.rows.status() {
            Ok(()) => {
                self.state = State::Over;
                None
            }
            Err(error) => {
                let cause = engine_error("read a range", error).cause;
                Some(Step::Gap(self.go_around(cause)))
            }
        }
    }

    /// Finds the first readable key behind the last one and stands on it.
    fn go_around(&mut self, cause: String) -> Gap {
        let after = self.last.clone();
        let width = self.width.max(after.len());
        let end = self.to.as_ref().map_or_else(|| vec![0xff; width], |to| padded(to, width));
        let mut base = padded(&after, width);
        let mut before = None;
        for _ in 0..TRIES {
            let good = self.first_good(&base, &end);
            if good >= end {
                break;
            }
            // A row that was read already is not read again: the first good key is above.
            if self.lands(&good) {
                before = self.rows.key().map(<[u8]>::to_vec);
                break;
            }
            base = good;
        }
        match &before {
            Some(before) => {
                self.state = State::Here;
                self.last.clone_from(before);
            }
            None => self.state = State::Over,
        }
        Gap { after, before, cause }
    }

    /// The lowest key found above `base` from which on something can be read; `end` when
    /// there is none.
    fn first_good(&mut self, base: &[u8], end: &[u8]) -> Vec<u8> {
        let (mut bad, mut good) = (base.to_vec(), end.to_vec());
        for bit in 0..base.len() * 8 {
            let probe = match plus(base, bit) {
                Some(probe) if probe.as_slice() < end => probe,
                Some(_) | None => break,
            };
            if self.lands(&probe) {
                good = probe;
                break;
            }
            bad = probe;
        }
        while let Some(middle) = between(&bad, &good) {
            if self.lands(&middle) { good = middle } else { bad = middle }
        }
        good
    }

    /// Whether something can be read from there on. With an iterator of its own: one that
    /// met damage may go on to complain of it elsewhere.
    fn lands(&mut self, key: &[u8]) -> bool {
        self.rows = standing_at(self.db, self.family, self.to.as_deref(), key);
        self.rows.status().is_ok()
    }
}

fn padded(key: &[u8], width: usize) -> Vec<u8> {
    let mut key = key.to_vec();
    key.resize(width, 0);
    key
}

/// The number with a power of two added; `None` above the highest of this width.
fn plus(number: &[u8], bit: usize) -> Option<Vec<u8>> {
    let mut sum = number.to_vec();
    let mut carry = 1u16 << (bit % 8);
    for byte in sum.iter_mut().rev().skip(bit / 8) {
        let total = u16::from(*byte) + carry;
        *byte = (total & 0xff) as u8;
        carry = total >> 8;
        if carry == 0 {
            return Some(sum);
        }
    }
    None
}

/// The number in the middle of two of one width; `None` when none is between.
fn between(low: &[u8], high: &[u8]) -> Option<Vec<u8>> {
    let mut sum = vec![0u8; low.len()];
    let mut carry = 0u16;
    for ((to, a), b) in sum.iter_mut().zip(low).zip(high).rev() {
        let total = u16::from(*a) + u16::from(*b) + carry;
        *to = (total & 0xff) as u8;
        carry = total >> 8;
    }
    for byte in &mut sum {
        let whole = carry << 8 | u16::from(*byte);
        *byte = (whole >> 1) as u8;
        carry = whole & 1;
    }
    (sum.as_slice() > low && sum.as_slice() < high).then_some(sum)
}

#[cfg(test)]
#[path = "walk_tests.rs"]
mod tests;
