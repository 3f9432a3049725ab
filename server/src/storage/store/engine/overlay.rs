//! An engine over another that can only be read: what is written stays in memory and goes
//! with the process. For a node that serves readers from a full disk: the rows it works
//! out for itself (feeds, marks) have a place, and nothing it is told is ever
//! acknowledged.
//!
//! Bounded: beyond `MOST_BYTES` a write fails as on a full disk.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::RwLock;

use super::{Engine, EngineError, Family, Gathering, Order, Scan, Scanned, Trouble, Usage, Write};
use crate::storage::store::keys::Key;

/// Bytes of rows it holds at most.
const MOST_BYTES: usize = 256 * 1024 * 1024;

/// What a row takes beside its bytes, about.
const ROW_BYTES: usize = 96;

/// Rows in memory over those of a lower engine.
pub struct Overlay {
    lower: Arc<dyn Engine>,
    upper: RwLock<Upper>,
}

/// Rows as they are now; `None` for those that are deleted.
#[derive(Default)]
struct Upper {
    rows: BTreeMap<(Family, Bytes), Option<Bytes>>,
    bytes: usize,
}

impl Overlay {
    /// Over `lower`, which is never written to.
    #[must_use]
    pub fn new(lower: Arc<dyn Engine>) -> Self {
        Self { lower, upper: RwLock::default() }
    }

    /// Rows of the range in memory, in the order of the scan.
    fn upper(&self, family: Family, scan: &Scan) -> Vec<(Bytes, Option<Bytes>)> {
        let bound = |key: &Key| (family, Bytes::copy_from_slice(key.as_bytes()));
        let (from, to) = (bound(&scan.from), bound(&scan.to));
        let upper = self.upper.read();
        let range = upper.rows.range((Bound::Included(from), Bound::Excluded(to)));
        let mut rows: Vec<_> =
            range.map(|((_, key), value)| (key.clone(), value.clone())).collect();
        if scan.order == Order::Descending {
            rows.reverse();
        }
        rows
    }
}

impl Engine for Overlay {
    fn read(&self, family: Family, key: &[u8]) -> Result<Option<Bytes>, EngineError> {
        let found = self.upper.read().rows.get(&(family, Bytes::copy_from_slice(key))).cloned();
        match found {
            Some(value) => Ok(value),
            None => self.lower.read(family, key),
        }
    }

    fn scan(&self, family: Family, scan: &Scan) -> Result<Scanned, EngineError> {
        let mut gathering = Gathering::new(scan);
        if scan.from.as_bytes() >= scan.to.as_bytes() {
            return Ok(gathering.found);
        }
        let mut upper = self.upper(family, scan).into_iter().peekable();
        let before = |a: &Bytes, b: &Bytes| match scan.order {
            Order::Ascending => a < b,
            Order::Descending => a > b,
        };
        // The lower rows page by page: some of them are gone, or others by now.
        let mut page = Scan { rows: scan.rows.max(1), ..scan.clone() };
        loop {
            let lower = self.lower.scan(family, &page)?;
            for (key, value) in &lower.rows {
                while let Some((own, row)) = upper.next_if(|(own, _)| before(own, key)) {
                    if row.is_some_and(|row| !gathering.take(&own, &row)) {
                        return Ok(gathering.found);
                    }
                }
                let value = match upper.next_if(|(own, _)| own == key) {
                    Some((_, own)) => own,
                    None => Some(value.clone()),
                };
                if value.is_some_and(|value| !gathering.take(key, &value)) {
                    return Ok(gathering.found);
                }
            }
            let Some((last, _)) = lower.rows.last().filter(|_| lower.more) else { break };
            match scan.order {
                Order::Ascending => page.from = after(last),
                Order::Descending => page.to = Key::of_bytes(last),
            }
        }
        for (own, row) in upper {
            if row.is_some_and(|row| !gathering.take(&own, &row)) {
                break;
            }
        }
        Ok(gathering.found)
    }

    fn write(&self, batch: &[Write]) -> Result<(), EngineError> {
        let mut upper = self.upper.write();
        let more: usize = batch.iter().map(|write| write.size_bytes() + ROW_BYTES).sum();
        if upper.bytes.saturating_add(more) > MOST_BYTES {
            return Err(EngineError {
                doing: "write a batch",
                trouble: Trouble::NoSpace,
                cause: "the disk is full, and so is what may be kept in memory".to_owned(),
            });
        }
        for write in batch {
            let key = Bytes::copy_from_slice(write.key.as_bytes());
            let size = write.size_bytes() + ROW_BYTES;
            let old = upper.rows.insert((write.table.family(), key.clone()), write.value.clone());
            let freed = old.map_or(0, |old| key.len() + old.map_or(0, |old| old.len()) + ROW_BYTES);
            upper.bytes = (upper.bytes + size).saturating_sub(freed);
        }
        Ok(())
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
        self.lower.usage()
    }
}

/// The first key behind this one.
fn after(key: &[u8]) -> Key {
    let mut next = key.to_vec();
    next.push(0);
    Key::of_bytes(&next)
}
