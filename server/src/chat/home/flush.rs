//! Writing the feed down, lazily and merged.
//!
//! A pass notes which outbox rows were carried out, writes every change that
//! is in memory, and only then deletes those outbox rows. All go through the
//! same WAL in this order, so a crash at any point leaves the outbox rows of
//! what is not yet in the feed. No sync: what a crash forgets is rebuilt.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parley_core::user::FeedEntry;
use parley_protocol::{ConversationId, ShardId, UserId};

use super::Homes;
use super::changes::entry;
use crate::base::worker::{Stop, Worker};
use crate::storage::store::{FeedRow, StoreError, Write, tables};

/// How far each shard's outbox was carried, and how far it is deleted.
#[derive(Debug, Default)]
pub(super) struct Marks {
    carried: HashMap<ShardId, u64>,
    pruned: HashMap<ShardId, u64>,
}

/// Changes written in one batch.
const BATCH: usize = 1000;

impl Homes {
    /// Starts the thread that writes the feed every `interval`, and sooner when
    /// much has changed. Dropping it stops it after a last pass.
    ///
    /// # Errors
    /// The operating system's, when it gives no thread.
    pub fn start_flushing(self: &Arc<Self>, interval: Duration) -> std::io::Result<Worker> {
        let homes = Arc::clone(self);
        Worker::start("parley-feed", move |stop| homes.keep_flushing(interval, stop))
    }

    fn keep_flushing(&self, interval: Duration, stop: &Stop) {
        loop {
            let stopped = stop.sleep_until_nudged(&self.nudge, interval);
            // What is in memory stays there while the disk is full.
            if self.dirty() > 0
                && self.store.space().takes_writes()
                && let Err(error) = self.flush()
            {
                tracing::error!(%error, "the feed could not be written; it will be rebuilt from the outbox");
            }
            if stopped {
                return;
            }
        }
    }

    /// What the outbox rows up to these indexes say is in memory now. Called
    /// by the commit thread, which flushes here itself when the flusher has
    /// fallen far behind: the named overflow of the feed's memory.
    pub fn carried(&self, outbox: &[(ShardId, u64)]) {
        let mut marks = self.flushing.lock();
        for (shard, index) in outbox {
            let mark = marks.carried.entry(*shard).or_default();
            *mark = (*mark).max(*index);
        }
        drop(marks);
        if self.dirty.load(Ordering::Relaxed) >= self.options.dirty_entries.saturating_mul(4)
            && self.store.space().takes_writes()
            && let Err(error) = self.flush()
        {
            tracing::error!(%error, "the feed could not be written; it will be rebuilt from the outbox");
        }
    }

    /// Whether so much has changed that a flush should not wait.
    pub(super) fn wants_flush(&self) -> bool {
        self.dirty.load(Ordering::Relaxed) >= self.options.dirty_entries
    }

    /// Feed changes in memory.
    #[must_use]
    pub fn dirty(&self) -> usize {
        self.dirty.load(Ordering::Relaxed)
    }

    /// Writes every change that is in memory now. Blocks; passes exclude each other.
    ///
    /// # Errors
    /// [`StoreError`]; what was not written stays in memory and in the outbox.
    pub fn flush(&self) -> Result<(), StoreError> {
        let _pass = self.pass.lock();
        let carried = self.flushing.lock().carried.clone();
        for shard in self.count.all() {
            let changed: Vec<(UserId, ConversationId, FeedEntry)> = {
                let home = self.lock_shard(shard);
                let of_user = |(user, state): (&UserId, &super::User)| {
                    let user = *user;
                    state
                        .changed
                        .iter()
                        .map(move |(id, entry)| (user, *id, *entry))
                        .collect::<Vec<_>>()
                };
                home.users.iter().flat_map(of_user).collect()
            };
            for chunk in changed.chunks(BATCH) {
                self.write(shard, chunk)?;
            }
        }
        self.prune(&carried)
    }

    fn write(
        &self,
        shard: ShardId,
        changed: &[(UserId, ConversationId, FeedEntry)],
    ) -> Result<(), StoreError> {
        let mut batch = Vec::with_capacity(changed.len() * 3);
        for (user, conversation, change) in changed {
            let old = self.store.feed_row_or_anew(shard, *user, *conversation)?;
            let mut now = old.as_ref().map(entry).unwrap_or_default();
            now.merge(change);
            let old_version = old.map(|old| old.version);
            batch.extend(tables::feed::put(shard, *user, *conversation, old_version, &row(&now)));
        }
        self.store.write_unsynced(&batch)?;
        let mut home = self.lock_shard(shard);
        for (user, conversation, written) in changed {
            let Some(state) = home.users.get_mut(user) else { continue };
            // What changed again since stays for the next pass.
            if state.changed.get(conversation).is_some_and(|now| now == written) {
                state.changed.remove(conversation);
                let dirty = self.dirty.fetch_sub(1, Ordering::Relaxed);
                assert!(dirty > 0, "a change was flushed that was never counted");
            }
            home.forget(*user);
        }
        Ok(())
    }

    fn prune(&self, carried: &HashMap<ShardId, u64>) -> Result<(), StoreError> {
        for (shard, to) in carried {
            let from = self.flushing.lock().pruned.get(shard).copied();
            let from = match from {
                Some(from) => from,
                // The first pass since the start: rows from before it are there too.
                None => self
                    .store
                    .outbox(*shard, 0, 1)?
                    .first()
                    .map_or(*to, |(first, _)| first.saturating_sub(1)),
            };
            let deletes: Vec<Write> =
                (from + 1..=*to).map(|index| tables::outbox::delete(*shard, index)).collect();
            for chunk in deletes.chunks(BATCH) {
                self.store.write_unsynced(chunk)?;
            }
            self.flushing.lock().pruned.insert(*shard, *to);
        }
        Ok(())
    }
}

fn row(entry: &FeedEntry) -> FeedRow {
    FeedRow {
        version: entry.version,
        last_seq: entry.last_seq,
        last_ordinal: entry.last_ordinal,
        last_time_ms: entry.last_time_ms,
        read: entry.read_seq,
        floor_ordinal: entry.floor_ordinal,
        sent_seq: entry.sent_seq,
        revision: entry.revision,
        message_seq: entry.message_seq,
        message_ms: entry.message_ms,
        direct: entry.direct,
        ..FeedRow::default()
    }
}
