//! Effects: what follows from a commit.
//!
//! Runs on the log's commit thread, in commit order, after the sync. An entry
//! is applied to its conversation, its author is answered, and each member's
//! home learns of it. Nothing here waits: sessions have bounded queues that
//! cut off whoever is too slow.

use std::sync::Arc;

use parley_core::conversation::{MovedCursor, Stamped};
use parley_core::session::reply;
use parley_core::user::FeedEntry;
use parley_protocol::wire::{Moved, Receipt, Sent, ServerEnvelope, server_envelope::Kind};
use parley_protocol::{ConversationId, ShardId, UserId};

use crate::home::{Delivery, Homes};
use crate::log::Committed;
use crate::metrics::list as metric;
use crate::session::Item;
use crate::shard::{Pending, PendingCursor, PendingEntry, ReplyTo, States};

/// Carries out what follows from commits.
pub struct Fanout {
    states: Arc<States>,
    homes: Arc<Homes>,
}

impl Fanout {
    /// Fan-out from these shards to these homes.
    #[must_use]
    pub const fn new(states: Arc<States>, homes: Arc<Homes>) -> Self {
        Self { states, homes }
    }

    /// Takes a commit batch, in order. Called by the commit thread only.
    pub fn handle_committed(&self, batch: Vec<Committed<Pending>>) {
        let mut outbox = Vec::new();
        for committed in batch {
            let shard = committed.shard;
            match committed.context {
                Pending::Entry(entry) => self.entry(shard, &entry),
                Pending::Again(to, conversation, stamped) => answer_again(&to, conversation, stamped),
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
            conversation.map(|found| found.members().iter().map(|member| member.user).collect()).unwrap_or_default()
        };
        metric::messages_committed().increment(1);
        let change = FeedEntry {
            last_seq: stamped.seq,
            last_ordinal: stamped.ordinal,
            last_time_ms: stamped.time_ms,
            ..FeedEntry::default()
        };
        let delivery = Delivery { conversation: key.conversation, seq: stamped.seq, entry, origin: to.link.id };
        for member in members {
            if member == *sender {
                let floor_ordinal = if *countable { stamped.ordinal } else { 0 };
                let own = FeedEntry { floor_ordinal, ..change };
                let feed_position = self.homes.handle_entry(member, own, &delivery);
                answer_sent(to, key.conversation, *stamped, false, feed_position);
            } else {
                self.homes.handle_entry(member, change, &delivery);
            }
        }
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
            let conversation = state.apply_move(*conversation);
            conversation.map(|found| found.members().iter().map(|member| member.user).collect()).unwrap_or_default()
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

/// Answers a send that was committed before.
pub(crate) fn answer_again(to: &ReplyTo, conversation: ConversationId, stamped: Stamped) {
    answer_sent(to, conversation, stamped, true, 0);
}

fn answer_sent(to: &ReplyTo, conversation: ConversationId, stamped: Stamped, duplicate: bool, feed_position: u64) {
    let sent = Kind::Sent(Sent {
        conversation: conversation.to_wire(),
        seq: stamped.seq,
        time_ms: stamped.time_ms,
        ordinal: stamped.ordinal,
        duplicate,
        feed_position,
    });
    let envelope: ServerEnvelope = reply(to.request, sent);
    if duplicate {
        // An old entry is not new to the device's other reading.
        to.link.push(Item::Answer(envelope));
    } else {
        to.link.push(Item::Sent(envelope, conversation, stamped.seq));
    }
}

/// Answers a cursor move.
pub(crate) fn answer_moved(to: &ReplyTo, conversation: ConversationId, moved: &MovedCursor) {
    if to.request == 0 {
        return;
    }
    let kind = Kind::Moved(Moved {
        conversation: conversation.to_wire(),
        delivered: moved.delivered.seq,
        read: moved.read.seq,
    });
    to.link.push(Item::Answer(reply(to.request, kind)));
}
