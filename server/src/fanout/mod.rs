//! Effects: what follows from a commit.
//!
//! Runs on the log's commit thread, in commit order, after the sync. An entry
//! is applied to its conversation, its author is answered, and each member's
//! home learns of it. Nothing here waits: sessions have bounded queues that
//! cut off whoever is too slow.

use std::sync::Arc;

use metrics::Counter;
use parley_core::user::FeedEntry;
use parley_protocol::wire::Receipt;
use parley_protocol::{ShardId, UserId};

use crate::home::{Delivery, Homes};
use crate::log::Committed;
use crate::metrics::list as metric;
use crate::shard::{
    Pending, PendingCursor, PendingEntry, States, answer_again, answer_moved, answer_sent,
};

/// Carries out what follows from commits.
pub struct Fanout {
    states: Arc<States>,
    homes: Arc<Homes>,
    /// Registered once: looking a counter up by name costs more than counting.
    committed: Counter,
}

impl Fanout {
    /// Fan-out from these shards to these homes.
    #[must_use]
    pub fn new(states: Arc<States>, homes: Arc<Homes>) -> Self {
        Self { states, homes, committed: metric::messages_committed() }
    }

    /// Takes a commit batch, in order. Called by the commit thread only.
    pub fn handle_committed(&self, batch: Vec<Committed<Pending>>) {
        let mut outbox = Vec::new();
        for committed in batch {
            let shard = committed.shard;
            match committed.context {
                Pending::Entry(entry) => self.entry(shard, &entry),
                Pending::Again(to, conversation, stamped) => {
                    answer_again(&to, conversation, stamped);
                }
                Pending::Unmoved(to, conversation, moved) => {
                    answer_moved(&to, conversation, &moved);
                }
                Pending::Cursor(cursor) => self.cursor(shard, &cursor),
                // Whoever waited may have gone; the rows are durable all the same.
                Pending::Rows(done) => drop(done.send(())),
            }
            outbox.extend(committed.outbox.map(|index| (shard, index)));
        }
        self.homes.carried(&outbox);
    }

    fn entry(&self, shard: ShardId, pending: &PendingEntry) {
        let PendingEntry { key, sender, stamped, countable, entry, reply: to } = pending;
        let members: Vec<UserId> = {
            let mut state = self.states.lock(shard);
            state.apply(key, *sender, *stamped);
            let conversation = state.conversation(key.conversation);
            conversation
                .map(|found| found.members().iter().map(|member| member.user).collect())
                .unwrap_or_default()
        };
        self.committed.increment(1);
        let change = FeedEntry {
            last_seq: stamped.seq,
            last_ordinal: stamped.ordinal,
            last_time_ms: stamped.time_ms,
            ..FeedEntry::default()
        };
        let delivery = Delivery {
            conversation: key.conversation,
            seq: stamped.seq,
            entry,
            origin: to.link.id,
        };
        let mut feed_position = 0;
        for member in members {
            if member == *sender {
                let floor_ordinal = if *countable { stamped.ordinal } else { 0 };
                let own = FeedEntry { floor_ordinal, ..change };
                feed_position = self.homes.handle_entry(member, own, &delivery);
            } else {
                self.homes.handle_entry(member, change, &delivery);
            }
        }
        // Last, so that whoever hears of the answer finds every feed changed.
        answer_sent(to, key.conversation, *stamped, false, feed_position);
    }

    fn cursor(&self, shard: ShardId, pending: &PendingCursor) {
        let PendingCursor { conversation, user, moved, reply: to } = pending;
        let mut receipt = Receipt {
            conversation: conversation.to_wire(),
            user: user.to_wire(),
            delivered: moved.delivered.seq,
            read: moved.read.seq,
            time_ms: moved.delivered.time_ms.max(moved.read.time_ms),
            feed_position: 0,
        };
        let members: Vec<UserId> = {
            let mut state = self.states.lock(shard);
            let conversation = state.apply_move(*conversation, *user, moved);
            conversation
                .map(|found| found.members().iter().map(|member| member.user).collect())
                .unwrap_or_default()
        };
        for member in members.into_iter().filter(|member| member != user) {
            self.homes.handle_receipt(member, &receipt, None);
        }
        if moved.read_moved {
            let change = FeedEntry {
                read_seq: moved.read.seq,
                floor_ordinal: moved.read.ordinal,
                ..FeedEntry::default()
            };
            receipt.feed_position = self.homes.handle_read(*user, *conversation, change);
            self.homes.handle_receipt(*user, &receipt, Some(to.link.id));
        }
        // Last, so that whoever has the answer finds the feed changed.
        answer_moved(to, *conversation, moved);
    }
}
