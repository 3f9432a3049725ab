//! Fan-out: what follows from a commit.
//!
//! In commit order, after the sync. An entry is applied to its conversation, its
//! author is answered, and each member's home learns of it. Nothing here waits
//! for a session: each has a bounded queue, and one that is too slow is ended.
//!
//! The commit thread carries out small groups itself: the fewer threads a message
//! passes, the sooner it arrives. Larger ones it hands to a task: sessions that
//! a worker of the runtime wakes are run by it next, without a system call for
//! each, and the next group is synced meanwhile. At most `AHEAD` groups wait for
//! the task; then the commit thread does, whose queue has the named overflow.

mod outgoing;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use metrics::Counter;
use parley_core::conversation::{Act, Kind, MovedCursor};
use parley_core::user::FeedEntry;
use parley_protocol::wire::Receipt;
use parley_protocol::{ConversationId, ShardId, UserId};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use self::outgoing::{Outgoing, Turn};
use crate::base::metrics::list as metric;
use crate::chat::home::{Delivery, Homes, change_of};
use crate::chat::link::Link;
use crate::chat::receipts::Receipts;
use crate::chat::retention::Candidates;
use crate::chat::shard::{
    Pending, PendingCursor, PendingEntry, PendingOwn, ReplyTo, States, answer_again, moved_answer,
    sent_answer,
};
use crate::storage::log::Committed;
use crate::storage::store::tables::entries::without_body;

/// A group of so many is large.
const LARGE: usize = 8;

/// Groups that may be committed while the task carries out one before them.
const AHEAD: usize = 2;

/// A group of the log, in order.
type Group = Vec<Committed<Pending>>;

/// Carries out what follows from commits.
pub struct Fanout {
    states: Arc<States>,
    homes: Arc<Homes>,
    candidates: Arc<Candidates>,
    receipts: Receipts,
    /// Registered once: looking a counter up by name costs more than counting.
    committed: Counter,
}

impl Fanout {
    /// Fan-out from these shards to these homes; receipts of groups by way of
    /// `receipts`, what has to be erased by way of `candidates`.
    #[must_use]
    pub fn new(
        states: Arc<States>,
        homes: Arc<Homes>,
        receipts: Receipts,
        candidates: Arc<Candidates>,
    ) -> Self {
        Self { states, homes, candidates, receipts, committed: metric::messages_committed() }
    }

    /// Starts the task. Returns what the log is to call with each group, and the
    /// task, which ends once that is dropped and everything was carried out.
    ///
    /// Call it within a runtime; what the log calls must be called outside of one.
    /// It panics when the task did, so that the log ends the node: nothing may
    /// be committed of which nobody learns.
    pub fn start(self) -> (impl FnMut(Group) + Send + 'static, JoinHandle<()>) {
        let (hand_over, groups) = mpsc::channel(AHEAD);
        let fanout = Arc::new(self);
        let handed_over = Arc::new(AtomicUsize::new(0));
        let task = tokio::spawn(Arc::clone(&fanout).run(groups, Arc::clone(&handed_over)));
        let sink = move |group: Group| {
            // With none handed over, all before it are carried out.
            if group.len() < LARGE && handed_over.load(Ordering::Acquire) == 0 {
                fanout.carry_out(group);
                return;
            }
            handed_over.fetch_add(1, Ordering::Relaxed);
            if hand_over.blocking_send(group).is_err() {
                unreachable!("fan-out ends after the log");
            }
        };
        (sink, task)
    }

    /// Carries out a small group, with nothing that waits.
    fn carry_out(&self, group: Group) {
        let outbox: Vec<_> = indexes(&group).collect();
        let mut at_once = Outgoing::default();
        for committed in group {
            self.handle(committed, &mut at_once);
        }
        self.homes.carried(&outbox);
    }

    async fn run(
        self: Arc<Self>,
        mut groups: mpsc::Receiver<Group>,
        handed_over: Arc<AtomicUsize>,
    ) {
        let mut outgoing = Outgoing::busy();
        let mut outbox = Vec::new();
        loop {
            let group = tokio::select! {
                biased;
                () = outgoing.due() => {
                    outgoing.flush_due();
                    continue;
                }
                group = groups.recv() => group,
            };
            let Some(group) = group else { break };
            outbox.extend(indexes(&group));
            let mut turn = Turn::default();
            for committed in group {
                let bytes = bytes_of(&committed);
                if turn.ends_with(self.handle(committed, &mut outgoing), bytes) {
                    outgoing.wake_group();
                    tokio::task::yield_now().await;
                }
            }
            outgoing.wake_group();
            self.homes.carried(&outbox);
            outbox.clear();
            let waiting = handed_over.fetch_sub(1, Ordering::Release);
            assert!(waiting > 0, "a group was carried out that was never handed over");
        }
        outgoing.flush_all();
    }

    /// Carries out one commit. Returns about how many users it reached.
    fn handle(&self, committed: Committed<Pending>, outgoing: &mut Outgoing) -> usize {
        let shard = committed.shard;
        match committed.context {
            Pending::Entry(entry) => return self.entry(shard, &entry, outgoing),
            Pending::Again(to, conversation, stamped) => answer_again(&to, conversation, stamped),
            Pending::Unmoved(to, conversation, moved) => {
                answer_moved(&to, conversation, &moved, outgoing);
            }
            Pending::Cursor(cursor) => self.cursor(shard, &cursor, outgoing),
            Pending::Own(own) => {
                let PendingOwn { conversation, user, change, done } = *own;
                let _ = done.send(self.homes.handle_read(user, conversation, change));
            }
            // Those that waited may have gone; the rows are durable all the same.
            Pending::Rows(done) => drop(done.send(())),
        }
        1
    }

    fn entry(&self, shard: ShardId, pending: &PendingEntry, outgoing: &mut Outgoing) -> usize {
        let PendingEntry { key, sender, stamped, act, entry, blind, reply: to } = pending;
        let applied = self.states.lock(shard).apply(key, *sender, act, *stamped);
        self.committed.increment(1);
        let (before, after) = (&applied.before, &applied.after);
        let erases = !after.periods.is_empty() || after.erased_up_to > before.erased_up_to;
        if applied.changed() && erases {
            self.candidates.note(key.conversation);
        }
        if matches!(act, Act::Delete { .. }) {
            self.candidates.note_erased();
        }
        let delivery = Delivery {
            conversation: key.conversation,
            seq: stamped.seq,
            entry,
            origin: to.link.id,
        };
        // Who hid a message is not shown its new words.
        let bare = (!blind.is_empty()).then(|| without_body(stamped.seq, entry));
        let mut feed_position = 0;
        // Who was put out by this very entry sees it as their last.
        for member in applied.after.members.iter().filter(|member| member.sees(stamped.seq)) {
            let own = member.user == *sender;
            let message = act.is_countable().then_some(own);
            let change = change_of(member, *stamped, after.kind, message);
            let hidden = bare.as_ref().filter(|_| blind.contains(&member.user));
            let delivery = Delivery { entry: hidden.unwrap_or(entry), ..delivery };
            let push = |link: &Arc<Link>, item| outgoing.push_with_group(link, item);
            let position = self.homes.handle_entry(member.user, change, &delivery, push);
            if own {
                feed_position = position;
            }
        }
        // Last, so that a client that has the answer finds every feed changed.
        let answer = sent_answer(to, key.conversation, *stamped, false, feed_position);
        outgoing.push_with_group(&to.link, answer);
        applied.after.members.len()
    }

    fn cursor(&self, shard: ShardId, pending: &PendingCursor, outgoing: &mut Outgoing) {
        let PendingCursor { conversation, user, moved, telling, hidden_from, reply: to } = pending;
        let (told, readers, direct) = {
            let mut state = self.states.lock(shard);
            let found = state.apply_move(*conversation, *user, *telling);
            found.map_or_else(Default::default, |(found, from_seq)| {
                let readers = if telling.is_nothing() {
                    Vec::new()
                } else {
                    found.receipt_readers(*user, from_seq)
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
        for reader in readers.into_iter().filter(|reader| !hidden_from.contains(reader)) {
            self.tell(reader, &receipt, direct, outgoing);
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
            self.homes.handle_receipt(*user, &receipt, Some(to.link.id), |link, item| {
                outgoing.push_soon(link, item);
            });
        }
        // Last, so that a client that has the answer finds the feed changed.
        answer_moved(to, *conversation, moved, outgoing);
    }

    /// Tells somebody that another's cursors moved: at once in a 1:1, unless the
    /// node is busy; gathered in a group, where many say it of every message.
    fn tell(&self, reader: UserId, receipt: &Receipt, direct: bool, outgoing: &mut Outgoing) {
        if direct {
            self.homes
                .handle_receipt(reader, receipt, None, |link, item| outgoing.push_soon(link, item));
        } else {
            self.receipts.note(reader, receipt);
        }
    }
}

/// Bytes that are queued for each session it reaches.
fn bytes_of(committed: &Committed<Pending>) -> usize {
    match &committed.context {
        Pending::Entry(entry) => entry.entry.len(),
        _ => 0,
    }
}

/// The outbox rows that are carried out with the group.
fn indexes(group: &Group) -> impl Iterator<Item = (ShardId, u64)> {
    group.iter().filter_map(|committed| committed.outbox)
}

fn answer_moved(
    to: &ReplyTo,
    conversation: ConversationId,
    moved: &MovedCursor,
    outgoing: &mut Outgoing,
) {
    if let Some(answer) = moved_answer(to, conversation, moved) {
        outgoing.push_soon(&to.link, answer);
    }
}
