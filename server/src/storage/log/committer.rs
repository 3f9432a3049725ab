//! One commit: from a group of appends to one batch, one sync, and what the
//! sink is told. The same code for every log that writes to a local store.
//!
//! It is called from one place at a time, and never again after an error.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parley_protocol::ids::{ConversationId, ShardId};
use rustc_hash::FxHashMap;

use super::budget::Permit;
use super::counts::{Batch, Counts};
use super::view::View;
use super::{Append, Committed, LogError, Op, StampedEntry, Urgency};
use crate::base::clock;
use crate::storage::store::tables::{dedupe, entries, outbox};
use crate::storage::store::{OutboxRange, OutboxRow, Place, Store, StoreError, Write};

/// An append with its room in the queue, which it keeps until the sink was called.
pub(super) struct Queued<T> {
    pub(super) append: Append<T>,
    pub(super) permit: Permit,
}

/// Commits groups of appends to a store, in order.
pub(super) struct Committer {
    view: Arc<View>,
    counts: Arc<Counts>,
    /// Index of the last outbox row, per shard.
    outbox_ends: FxHashMap<ShardId, u64>,
    batch: Vec<Write>,
}

/// What a conversation gains in one group: its first and last new seq. `None` when
/// it is touched and gains no entry.
type Gain = Option<(u64, u64)>;

/// Each shard's conversations that the outbox has to know of.
type Gains = BTreeMap<ShardId, FxHashMap<ConversationId, Gain>>;

impl Committer {
    pub(super) fn new(view: Arc<View>, counts: Arc<Counts>) -> Result<Self, StoreError> {
        let outbox_ends = outbox_ends(view.store())?;
        Ok(Self { view, counts, outbox_ends, batch: Vec::new() })
    }

    /// Commits the group as one batch and says what the sink is to be told.
    /// The permits come back with it, to be dropped after the sink was called.
    ///
    /// # Panics
    /// When the group is empty.
    pub(super) fn commit<T>(
        &mut self,
        group: Vec<Queued<T>>,
    ) -> Result<(Vec<Committed<T>>, Vec<Permit>), LogError> {
        assert!(!group.is_empty(), "a group without appends is no commit");
        let sync = group.iter().any(|queued| queued.append.urgency == Urgency::Synced);
        let mut counted = Batch { appends: group.len() as u64, ..Batch::default() };
        let mut gains = Gains::new();
        let mut committed: Vec<(Committed<T>, bool)> = Vec::with_capacity(group.len());
        let mut permits = Vec::with_capacity(group.len());
        self.batch.clear();
        for Queued { append, permit } in group {
            let Append { shard, ops, context, .. } = append;
            let (entries, touched) = self.take_ops(shard, ops, &mut gains)?;
            counted.entries += entries;
            let in_outbox = entries > 0 || touched;
            committed.push((Committed { shard, context, outbox: None }, in_outbox));
            permits.push(permit);
        }
        let row = self.add_outbox_row(&gains);
        let committed = committed
            .into_iter()
            .map(|(committed, in_outbox)| Committed {
                outbox: row.filter(|_| in_outbox),
                ..committed
            })
            .collect();
        // Neighbours in a memtable are found on almost the same way. Stable: of a
        // row that is written twice, the later value stays.
        self.batch.sort_by(|a, b| a.place().cmp(&b.place()));
        counted.bytes = self.batch.iter().map(|write| write.size_bytes() as u64).sum();
        counted.sync = self.write(&gains, sync)?;
        self.counts.add(&counted);
        Ok((committed, permits))
    }

    /// Writes the batch and makes it as durable as asked; until then its entries
    /// are hidden. Returns how long the sync took, if there was one.
    fn write(&self, gains: &Gains, sync: bool) -> Result<Option<Duration>, LogError> {
        let firsts = gains.values().flatten().filter_map(|(conversation, gain)| {
            let (first, _) = (*gain)?;
            Some((*conversation, first))
        });
        self.view.hide(firsts);
        let store = self.view.store();
        let engine = store.engine();
        engine.write(&self.batch)?;
        let took = if sync {
            let rows = engine.rows_written();
            let begun = clock::now();
            engine.sync()?;
            let took = begun.elapsed();
            let gained =
                |(conversation, gain): (&ConversationId, &Gain)| Some((*conversation, (*gain)?));
            store.raise_floor(rows, gains.values().flatten().filter_map(gained));
            Some(took)
        } else {
            engine.flush()?;
            None
        };
        self.view.show_all();
        Ok(took)
    }

    /// Adds the ops of one append to the batch. Returns the number of entries, and
    /// whether the outbox has to know of it without any.
    fn take_ops(
        &mut self,
        shard: ShardId,
        ops: Vec<Op>,
        gains: &mut Gains,
    ) -> Result<(u64, bool), LogError> {
        let mut entries = 0;
        let mut touched = false;
        for op in ops {
            match op {
                Op::Rows(rows) => self.batch.extend(rows),
                Op::Touched(conversation) => {
                    touched = true;
                    gains.entry(shard).or_default().entry(conversation).or_default();
                }
                Op::Entry(entry) => {
                    let conversations = gains.entry(shard).or_default();
                    add_entry(conversations.entry(entry.conversation).or_default(), &entry)?;
                    entries += 1;
                    self.put_entry(shard, entry);
                }
            }
        }
        Ok((entries, touched))
    }

    fn put_entry(&mut self, shard: ShardId, entry: StampedEntry) {
        let StampedEntry { conversation, seq, record, device, client_message_id, dedupe } = entry;
        let place = Place { shard, conversation };
        self.batch.push(entries::put_encoded(place, seq, record));
        self.batch.push(dedupe::put(place, device, client_message_id, &dedupe));
    }

    /// One row for the whole group, in the shard of its first entry: a row for
    /// each shard would cost as much as the entries of a group that many share.
    fn add_outbox_row(&mut self, gains: &Gains) -> Option<(ShardId, u64)> {
        let shard = *gains.keys().next()?;
        let mut ranges: Vec<_> = gains
            .values()
            .flatten()
            .map(|(conversation, gain)| {
                let (from_seq, to_seq) = gain.unwrap_or_default();
                OutboxRange { conversation: conversation.to_wire(), from_seq, to_seq }
            })
            .collect();
        // The bytes depend on what was appended and on nothing else.
        ranges.sort_by(|a, b| a.conversation.cmp(&b.conversation));
        let index = self.outbox_end(shard) + 1;
        self.batch.push(outbox::put(shard, index, &OutboxRow { ranges }));
        self.outbox_ends.insert(shard, index);
        Some((shard, index))
    }

    fn outbox_end(&self, shard: ShardId) -> u64 {
        self.outbox_ends.get(&shard).copied().unwrap_or(0)
    }
}

/// Adds an entry to what its conversation gains: it has to follow the one before
/// it in the group.
fn add_entry(gain: &mut Gain, entry: &StampedEntry) -> Result<(), LogError> {
    let (conversation, seq) = (entry.conversation, entry.seq);
    match gain {
        None if seq > 0 => *gain = Some((seq, seq)),
        Some((_, last)) if last.checked_add(1) == Some(seq) => *last = seq,
        _ => {
            let previous = gain.map_or(0, |(_, last)| last);
            return Err(LogError::OutOfOrder { conversation, previous, seq });
        }
    }
    Ok(())
}

fn outbox_ends(store: &Store) -> Result<FxHashMap<ShardId, u64>, StoreError> {
    let shards = (0..store.facts().shard_count).map(ShardId);
    shards.map(|shard| Ok((shard, store.outbox_end(shard)?))).collect()
}
