//! Effects: what follows from a commit.
//!
//! Runs on the log's commit thread, in commit order, after the sync. An entry
//! is applied to its conversation, its author is answered, and each member's
//! home learns of it. Nothing here waits: sessions have bounded queues that
//! cut off whoever is too slow.

use std::sync::Arc;

use metrics::Counter;
use parley_core::conversation::{Kind, Shown};
use parley_core::user::FeedEntry;
use parley_protocol::wire::Receipt;
use parley_protocol::{ShardId, UserId};

use crate::home::{Delivery, Homes, change_of};
use crate::log::Committed;
use crate::metrics::list as metric;
use crate::receipts::Receipts;
use crate::retention::Watch;
use crate::shard::{
    Pending, PendingCursor, PendingEntry, PendingOwn, States, answer_again, answer_moved,
    answer_sent,
};

/// Carries out what follows from commits.
pub struct Fanout {
    states: Arc<States>,
    homes: Arc<Homes>,
    watch: Arc<Watch>,
    receipts: Receipts,
    /// Registered once: looking a counter up by name costs more than counting.
    committed: Counter,
}

impl Fanout {
    /// Fan-out from these shards to these homes; receipts of groups by way of
    /// `receipts`, what has to be erased by way of `watch`.
    #[must_use]
    pub fn new(
        states: Arc<States>,
        homes: Arc<Homes>,
        receipts: Receipts,
        watch: Arc<Watch>,
    ) -> Self {
        Self { states, homes, watch, receipts, committed: metric::messages_committed() }
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
                Pending::Own(own) => {
                    let PendingOwn { conversation, user, change, done } = *own;
                    let _ = done.send(self.homes.handle_read(user, conversation, change));
                }
                // Whoever waited may have gone; the rows are durable all the same.
                Pending::Rows(done) => drop(done.send(())),
            }
            outbox.extend(committed.outbox.map(|index| (shard, index)));
        }
        self.homes.carried(&outbox);
    }

    fn entry(&self, shard: ShardId, pending: &PendingEntry) {
        let PendingEntry { key, sender, stamped, act, entry, reply: to } = pending;
        let applied = self.states.lock(shard).apply(key, *sender, act, *stamped);
        self.committed.increment(1);
        let (before, after) = (&applied.before, &applied.after);
        let erases = after.settings.retention_s > 0 || after.erased_up_to > before.erased_up_to;
        if applied.changed() && erases {
            self.watch.note(key.conversation);
        }
        let delivery = Delivery {
            conversation: key.conversation,
            seq: stamped.seq,
            entry,
            origin: to.link.id,
        };
        let mut feed_position = 0;
        // Who was put out by this very entry sees it as their last.
        for member in applied.after.members.iter().filter(|member| member.sees(stamped.seq)) {
            let own = member.user == *sender;
            let change = change_of(member, *stamped, own && act.is_countable());
            let position = self.homes.handle_entry(member.user, change, &delivery);
            if own {
                feed_position = position;
            }
        }
        // Last, so that whoever hears of the answer finds every feed changed.
        answer_sent(to, key.conversation, *stamped, false, feed_position);
    }

    fn cursor(&self, shard: ShardId, pending: &PendingCursor) {
        let PendingCursor { conversation, user, moved, visibility, reply: to } = pending;
        let (told, readers, direct) = {
            let mut state = self.states.lock(shard);
            let found = state.apply_move(*conversation, *user, moved, visibility.shown);
            found.map_or_else(Default::default, |found| {
                let readers = match visibility.shown {
                    Shown::Nothing => Vec::new(),
                    Shown::All | Shown::Delivered => found.receipt_readers(*user, moved.from_seq),
                };
                (found.progress(*user).told, readers, found.state().kind == Kind::Direct)
            })
        };
        let mut receipt = Receipt {
            conversation: conversation.to_wire(),
            user: user.to_wire(),
            delivered: told.delivered.seq,
            read: told.read.seq,
            time_ms: told.delivered.time_ms.max(told.read.time_ms),
            feed_position: 0,
        };
        let moved_for_others = moved.delivered_moved || visibility.shown == Shown::All;
        let readers = readers.into_iter().filter(|reader| !visibility.hidden_from.contains(reader));
        for reader in readers.filter(|_| moved_for_others) {
            self.tell(reader, &receipt, direct);
        }
        if moved.read_moved {
            let change = FeedEntry {
                read_seq: moved.read.seq,
                floor_ordinal: moved.read.ordinal,
                ..FeedEntry::default()
            };
            receipt.delivered = moved.delivered.seq;
            receipt.read = moved.read.seq;
            receipt.time_ms = moved.delivered.time_ms.max(moved.read.time_ms);
            receipt.feed_position = self.homes.handle_read(*user, *conversation, change);
            self.homes.handle_receipt(*user, &receipt, Some(to.link.id));
        }
        // Last, so that whoever has the answer finds the feed changed.
        answer_moved(to, *conversation, moved);
    }

    /// Tells somebody that another's cursors moved: at once in a 1:1; gathered
    /// in a group, where many say it of every message.
    fn tell(&self, reader: UserId, receipt: &Receipt, direct: bool) {
        if direct {
            self.homes.handle_receipt(reader, receipt, None);
        } else {
            self.receipts.note(reader, receipt);
        }
    }
}
