//! The engine in memory, for tests and simulation.
//!
//! It keeps what is written apart from what is flushed and what is synced, so
//! that the survivor of a [`Crash`] lacks exactly what a real one may lose. It
//! never fails by itself: faults come from [`super::faulty`].

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;
use parking_lot::Mutex;

use super::{
    Engine, EngineError, Family, FamilyUsage, Gathering, Order, Scan, Scanned, Usage, Write,
};
use crate::storage::store::families::FAMILIES;

/// Rows in memory.
#[derive(Default)]
pub struct MemoryEngine {
    state: Mutex<State>,
}

/// What a crash spares of the batches that are not synced yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    /// The process is killed: what was flushed stays.
    Killed,
    /// The power goes: of the batches not synced, the first so many happen to
    /// be on the disk already. 0 is the worst case.
    PowerCut {
        /// How many batches beyond the last sync stay.
        spared: usize,
    },
}

type Rows = BTreeMap<(Family, Bytes), Bytes>;

#[derive(Default)]
struct State {
    /// What readers see.
    written: Rows,
    /// What survives a power cut.
    synced: Rows,
    /// Batches written since the last sync, in order.
    since_sync: Vec<Vec<Write>>,
    /// How many of them are flushed.
    flushed: usize,
}

impl MemoryEngine {
    /// An empty engine.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What is found after a crash at this moment. This engine goes on as it
    /// is, so that whoever still writes to it can't reach the survivor.
    #[must_use]
    pub fn survivor(&self, crash: Crash) -> Self {
        let state = self.state.lock();
        let spared = match crash {
            Crash::Killed => state.flushed,
            Crash::PowerCut { spared } => spared.min(state.since_sync.len()),
        };
        let mut synced = state.synced.clone();
        for batch in state.since_sync.iter().take(spared) {
            apply(&mut synced, batch);
        }
        let state = State { written: synced.clone(), synced, ..State::default() };
        Self { state: Mutex::new(state) }
    }
}

impl Engine for MemoryEngine {
    fn read(&self, family: Family, key: &[u8]) -> Result<Option<Bytes>, EngineError> {
        let key = (family, Bytes::copy_from_slice(key));
        Ok(self.state.lock().written.get(&key).cloned())
    }

    fn scan(&self, family: Family, scan: &Scan) -> Result<Scanned, EngineError> {
        let bound = |key: &super::Key| (family, Bytes::copy_from_slice(key.as_bytes()));
        let (from, to) = (bound(&scan.from), bound(&scan.to));
        let mut gathering = Gathering::new(scan);
        if from >= to {
            return Ok(gathering.found);
        }
        let state = self.state.lock();
        let mut range = state.written.range((Bound::Included(from), Bound::Excluded(to)));
        loop {
            let row = match scan.order {
                Order::Ascending => range.next(),
                Order::Descending => range.next_back(),
            };
            match row {
                Some(((_, key), value)) if gathering.take(key, value) => {}
                _ => return Ok(gathering.found),
            }
        }
    }

    fn write(&self, batch: &[Write]) -> Result<(), EngineError> {
        let state = &mut *self.state.lock();
        apply(&mut state.written, batch);
        state.since_sync.push(batch.to_vec());
        Ok(())
    }

    fn flush(&self) -> Result<(), EngineError> {
        let state = &mut *self.state.lock();
        state.flushed = state.since_sync.len();
        Ok(())
    }

    fn roll(&self) -> Result<(), EngineError> {
        Ok(())
    }

    fn sync(&self) -> Result<(), EngineError> {
        let state = &mut *self.state.lock();
        for batch in state.since_sync.drain(..) {
            apply(&mut state.synced, &batch);
        }
        state.flushed = 0;
        Ok(())
    }

    fn usage(&self) -> Usage {
        let state = self.state.lock();
        let families = FAMILIES.iter().map(|tuning| {
            let mut usage = FamilyUsage { name: tuning.name, ..FamilyUsage::default() };
            for ((family, key), value) in &state.written {
                if *family == tuning.family {
                    usage.rows += 1;
                    usage.memory_bytes += (key.len() + value.len()) as u64;
                }
            }
            usage
        });
        Usage { families: families.collect(), ..Usage::default() }
    }
}

fn apply(rows: &mut Rows, batch: &[Write]) {
    for write in batch {
        let key = (write.table.family(), Bytes::copy_from_slice(write.key.as_bytes()));
        match &write.value {
            Some(value) => drop(rows.insert(key, value.clone())),
            None => drop(rows.remove(&key)),
        }
    }
}
