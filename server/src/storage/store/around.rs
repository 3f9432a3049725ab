//! Reading a range around what can't be read of it, for those who go through rows of
//! many owners: what is damaged costs what it holds.
//!
//! A scan ends at a block that rotted, and says not where the block ends. So from there
//! on rows are asked for one by one, and the next place from which one can be read is
//! found by halving what is left of the range. Whoever must not miss a row (who is
//! blocked, say) doesn't read so: for them damage is an error.

use prost::Message;

use super::engine::{Order, Scan, Scanned};
use super::{Key, RowKey, Store, StoreError, Table, tables};

/// Damaged places that one read goes around; more are an error.
const PLACES: usize = 64;

/// Bytes of keys that halving tells apart, behind those that both ends share.
const TOLD_APART: usize = 16;

impl Store {
    /// The rows of a scan that can be read, each with what `pick` takes of its key.
    ///
    /// # Errors
    /// [`StoreError`] when the disk can't be read, or is damaged all over.
    pub(super) fn readable_rows<M: Message + Default, R>(
        &self,
        table: Table,
        scan: &Scan,
        pick: impl Fn(RowKey, M) -> Option<R>,
    ) -> Result<Vec<R>, StoreError> {
        let found = self.scan_around(table, scan)?.rows.into_iter();
        Ok(found
            .filter_map(|(key, value)| {
                let row = tables::decode_row(table, &key, value).ok();
                let named = RowKey::decode(table.family(), &key).ok();
                let picked = named.zip(row).and_then(|(key, row)| pick(key, row));
                if picked.is_none() {
                    self.inner.damage.met(table, &key, None);
                }
                picked
            })
            .collect())
    }

    /// As a scan, without the rows that can't be read.
    ///
    /// # Errors
    /// [`StoreError`] when the disk can't be read, or is damaged all over.
    pub(super) fn scan_around(&self, table: Table, scan: &Scan) -> Result<Scanned, StoreError> {
        match self.scan(table, scan) {
            Err(error) if error.is_damage() => self.one_by_one_around(table, scan),
            found => found,
        }
    }

    fn one_by_one_around(&self, table: Table, scan: &Scan) -> Result<Scanned, StoreError> {
        let mut found = Scanned::default();
        let (mut left, mut bytes, mut places) = (scan.clone(), 0usize, 0);
        left.rows = 1;
        loop {
            let next = match self.inner.engine.scan(table.family(), &left) {
                Ok(next) => next.rows.into_iter().next(),
                Err(error) => {
                    let at = end_of(&left).as_bytes();
                    let error = match StoreError::from(error.clone()) {
                        damage if damage.is_damage() => {
                            self.inner.damage.met(table, at, Some(&error))
                        }
                        error => return Err(error),
                    };
                    places += 1;
                    if places > PLACES {
                        return Err(error);
                    }
                    self.pass(table, &mut left)?;
                    continue;
                }
            };
            let Some((key, value)) = next else { return Ok(found) };
            bytes = bytes.saturating_add(key.len()).saturating_add(value.len());
            let over = bytes > scan.bytes && !found.rows.is_empty();
            if over || found.rows.len() >= scan.rows {
                found.more = true;
                return Ok(found);
            }
            match scan.order {
                Order::Ascending => left.from = Key::of_bytes(&key).with(&[0]),
                Order::Descending => left.to = Key::of_bytes(&key),
            }
            found.rows.push((key, value));
        }
    }

    /// Narrows a scan whose first row can't be read to one whose first can, or to none.
    fn pass(&self, table: Table, left: &mut Scan) -> Result<(), StoreError> {
        let shared = left.from.as_bytes().iter().zip(left.to.as_bytes());
        let shared = shared.take_while(|(a, b)| a == b).count();
        let head = left.from.as_bytes().get(..shared).unwrap_or_default().to_vec();
        let (mut bad, mut good) = (
            number(end_of(left).as_bytes(), shared),
            number(other_end_of(left).as_bytes(), shared),
        );
        let at = |number: u128| Key::of_bytes(&head).with(&number.to_be_bytes());
        let with_end = |end: Key| match left.order {
            Order::Ascending => Scan { from: end, ..left.clone() },
            Order::Descending => Scan { to: end, ..left.clone() },
        };
        while bad.abs_diff(good) > 1 {
            let middle = bad.min(good) + bad.abs_diff(good) / 2;
            match self.inner.engine.scan(table.family(), &with_end(at(middle))) {
                Ok(_) => good = middle,
                Err(error) => {
                    let error = StoreError::from(error);
                    if !error.is_damage() {
                        return Err(error);
                    }
                    bad = middle;
                }
            }
        }
        let end = at(good);
        // Never beyond the range itself, whose ends have lengths of their own.
        match left.order {
            Order::Ascending => {
                left.from = end.max(left.from.clone().with(&[0])).min(left.to.clone());
            }
            Order::Descending => {
                left.to = end.min(left.to.clone()).max(left.from.clone());
            }
        }
        Ok(())
    }
}

/// The end that a scan begins at.
fn end_of(scan: &Scan) -> &Key {
    match scan.order {
        Order::Ascending => &scan.from,
        Order::Descending => &scan.to,
    }
}

fn other_end_of(scan: &Scan) -> &Key {
    match scan.order {
        Order::Ascending => &scan.to,
        Order::Descending => &scan.from,
    }
}

/// The bytes behind the shared ones, as a number that orders as they do.
fn number(key: &[u8], shared: usize) -> u128 {
    let mut bytes = [0; TOLD_APART];
    let rest = key.get(shared..).unwrap_or_default();
    bytes.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    u128::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use parley_protocol::ShardId;
    use proptest::prelude::*;

    use super::*;
    use crate::storage::store::engine::memory::MemoryEngine;
    use crate::storage::store::engine::{Engine, EngineError, Trouble, Usage, Write};
    use crate::storage::store::families::Family;

    /// An engine some of whose blocks, each of a few keys, rotted.
    struct Rotten {
        inner: MemoryEngine,
        blocks: Vec<(Vec<u8>, Vec<u8>)>,
    }

    impl Rotten {
        fn hits(&self, from: &[u8], to: &[u8]) -> bool {
            self.blocks.iter().any(|(first, last)| from <= last.as_slice() && to > first.as_slice())
        }

        fn error() -> EngineError {
            let cause = "the test asked for it".to_owned();
            EngineError { doing: "read a range", trouble: Trouble::Corrupt, cause }
        }
    }

    impl Engine for Rotten {
        fn read(&self, family: Family, key: &[u8]) -> Result<Option<Bytes>, EngineError> {
            self.inner.read(family, key)
        }

        fn scan(&self, family: Family, scan: &Scan) -> Result<Scanned, EngineError> {
            let found = self.inner.scan(family, scan)?;
            // What it has to look at to give these rows.
            let (from, to) = (scan.from.as_bytes(), scan.to.as_bytes());
            let end = found.rows.last().filter(|_| found.more).map(|(key, _)| key.to_vec());
            let hit = match (scan.order, end) {
                (_, None) => self.hits(from, to),
                (Order::Ascending, Some(end)) => self.hits(from, &[&*end, &[0]].concat()),
                (Order::Descending, Some(end)) => self.hits(&end, to),
            };
            if hit { Err(Self::error()) } else { Ok(found) }
        }

        fn write(&self, batch: &[Write]) -> Result<(), EngineError> {
            self.inner.write(batch)
        }

        fn flush(&self) -> Result<(), EngineError> {
            Ok(())
        }

        fn sync(&self) -> Result<(), EngineError> {
            Ok(())
        }

        fn roll(&self) -> Result<(), EngineError> {
            Ok(())
        }

        fn usage(&self) -> Usage {
            self.inner.usage()
        }
    }

    proptest! {
        /// All that lies outside of damaged blocks is given, in order, up to the limit.
        #[test]
        fn what_is_not_damaged_is_given(
            keys in prop::collection::btree_set(prop::collection::vec(1u8..5, 1..6), 1..40),
            blocks in prop::collection::vec((0usize..40, 0usize..3), 0..3),
            rows in prop_oneof![1usize..10, Just(usize::MAX)],
            descending: bool,
        ) {
            let prefix = Key::prefix(Table::Names, ShardId(1));
            let keys: Vec<Key> = keys.iter().map(|key| prefix.clone().with(key)).collect();
            let inner = MemoryEngine::new();
            for key in &keys {
                let value = Some(Bytes::from_static(b"x"));
                inner.write(&[Write { table: Table::Names, key: key.clone(), value }]).unwrap();
            }
            let bound = |at: usize| keys[at.min(keys.len() - 1)].as_bytes().to_vec();
            let blocks: Vec<_> =
                blocks.into_iter().map(|(at, more)| (bound(at), bound(at + more))).collect();
            let mut wanted: Vec<Vec<u8>> = keys
                .iter()
                .map(|key| key.as_bytes().to_vec())
                .filter(|key| !blocks.iter().any(|(first, last)| key >= first && key <= last))
                .collect();
            let order = if descending { Order::Descending } else { Order::Ascending };
            if descending {
                wanted.reverse();
            }
            // Between two damaged blocks halving may pass what is good.
            let alone = blocks.len() < 2;
            let store =
                Store::over(Arc::new(Rotten { inner, blocks }), 4, [7; 16]).unwrap();
            let to = prefix.successor().unwrap();
            let scan = Scan { from: prefix, to, order, rows, bytes: usize::MAX };
            let found = store.scan_around(Table::Names, &scan).unwrap();
            let found: Vec<Vec<u8>> = found.rows.into_iter().map(|(key, _)| key.to_vec()).collect();
            if alone {
                prop_assert_eq!(&found, &wanted[..wanted.len().min(rows)]);
            } else {
                prop_assert!(found.iter().all(|key| wanted.contains(key)));
                prop_assert!(found.windows(2).all(|pair| (pair[0] < pair[1]) != descending));
            }
        }
    }
}
