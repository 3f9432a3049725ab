//! What was sent and is not answered yet.
//!
//! One lane for each target. A lane has at most one send on its way, so that a
//! refusal can't let a later message overtake an earlier one; lanes go side by
//! side. A send without an answer goes out again after a reconnect with the
//! same client message id. A recoverable refusal parks its lane, an
//! unrecoverable one ends only its item. Bounds are the caller's: it pushes an
//! item only when there is room. Draining is here as well: the client ends when
//! this is empty.

use std::collections::{BTreeMap, HashMap, VecDeque};

use bytes::Bytes;
use parley_protocol::errors::Retry;
use parley_protocol::ids::{ClientMessageId, ConversationId};

use super::connect::Tick;
use crate::backoff::Backoff;
use crate::error::{Error, verdict};
use crate::model::{LocalId, To};

/// One message that waits.
#[derive(Clone, PartialEq, Eq)]
pub struct Item {
    /// Its name here.
    pub local_id: LocalId,
    /// Whom it is for.
    pub to: To,
    /// Its name on the wire.
    pub client_message_id: ClientMessageId,
    /// What `body` holds.
    pub kind: u32,
    /// The entry's encoded body.
    pub body: Bytes,
}

// The body is message text: it stays out of logs.
impl std::fmt::Debug for Item {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Item").field("local_id", &self.local_id).finish_non_exhaustive()
    }
}

/// What a refusal means for its item.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It stays at the head of its lane and goes again.
    Parked,
    /// It is out.
    Failed(Item),
}

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    items: BTreeMap<LocalId, Item>,
    lanes: HashMap<To, Lane>,
    /// Lanes with something to send, in turn.
    turn: VecDeque<To>,
    last_local_id: u64,
    /// The client ends once everything is sent, at the latest at this moment.
    drain_until_ms: Option<u64>,
}

#[derive(Debug, Default)]
struct Lane {
    queue: VecDeque<LocalId>,
    in_flight: bool,
    /// The head was on its way when a connection ended: it may have arrived.
    unanswered: bool,
    parked_until_ms: u64,
    /// Recoverable refusals in a row.
    refusals: u32,
}

impl Outbox {
    /// An empty one that goes on after this local id.
    pub(crate) fn new(last_local_id: u64) -> Self {
        Self { last_local_id, ..Self::default() }
    }

    /// A local id that was never given before.
    pub(crate) const fn next_local_id(&mut self) -> LocalId {
        self.last_local_id += 1;
        LocalId(self.last_local_id)
    }

    /// The client ends once everything is sent, at the latest at this moment.
    pub(crate) const fn start_drain(&mut self, until_ms: u64) {
        self.drain_until_ms = Some(until_ms);
    }

    pub(crate) const fn is_draining(&self) -> bool {
        self.drain_until_ms.is_some()
    }

    pub(crate) const fn drain_until_ms(&self) -> Option<u64> {
        self.drain_until_ms
    }

    /// The client ended. Returns how many sends are left, when it was drained.
    pub(crate) fn end_drain(&mut self) -> Option<usize> {
        self.drain_until_ms.take().map(|_| self.len())
    }

    /// Items not answered yet.
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(crate) fn push(&mut self, item: Item) {
        self.last_local_id = self.last_local_id.max(item.local_id.0);
        let lane = self.lanes.entry(item.to.clone()).or_default();
        lane.queue.push_back(item.local_id);
        if lane.queue.len() == 1 {
            self.turn.push_back(item.to.clone());
        }
        self.items.insert(item.local_id, item);
    }

    /// The next item to put on the wire, now on its way. An item waits while an
    /// earlier one has a target that may turn out to be the same conversation:
    /// a name not looked up yet, a user whose conversation is not known when
    /// `is_known` does not say who is in this one, and the reverse.
    pub(crate) fn next(
        &mut self,
        now_ms: u64,
        is_known: impl Fn(ConversationId) -> bool,
    ) -> Option<&Item> {
        let first_name = self.first_of(|to| matches!(to, To::Name(_)));
        let first_user = self.first_of(|to| matches!(to, To::User(_)));
        let first_unknown =
            self.first_of(|to| matches!(to, To::Conversation(id) if !is_known(*id)));
        for _ in 0..self.turn.len() {
            let to = self.turn.pop_front()?;
            let Some(lane) = self.lanes.get_mut(&to) else { continue };
            let Some(head) = lane.queue.front().copied() else { continue };
            self.turn.push_back(to.clone());
            let unclear = match to {
                To::Name(_) => true,
                // Nothing that waits can turn out to be the same.
                To::NewGroup | To::Invite(_) => false,
                To::User(_) => [first_name, first_unknown].iter().flatten().any(|it| *it < head),
                To::Conversation(id) => {
                    first_name.is_some_and(|name| name < head)
                        || (first_user.is_some_and(|user| user < head) && !is_known(id))
                }
            };
            if unclear || lane.in_flight || lane.parked_until_ms > now_ms {
                continue;
            }
            lane.in_flight = true;
            return self.items.get(&head);
        }
        None
    }

    /// The earliest item in lanes of a sort.
    fn first_of(&self, sort: impl Fn(&To) -> bool) -> Option<LocalId> {
        let lanes = self.turn.iter().filter(|to| sort(to)).filter_map(|to| self.lanes.get(to));
        lanes.filter_map(|lane| lane.queue.front().copied()).min()
    }

    /// Names that have to be looked up before their lanes can move.
    pub(crate) fn unresolved(&self) -> impl Iterator<Item = &str> {
        self.turn.iter().filter_map(|to| match to {
            To::Name(name) => Some(name.as_str()),
            To::User(_) | To::Conversation(_) | To::NewGroup | To::Invite(_) => None,
        })
    }

    /// Two targets turned out to be the same: their lanes become one, in the
    /// order in which the messages were queued.
    /// Returns those that have another target by it.
    pub(crate) fn merge(&mut self, from: &To, to: &To) -> Vec<Item> {
        if from == to {
            return Vec::new();
        }
        let Some(old) = self.lanes.remove(from) else { return Vec::new() };
        let lane = self.lanes.entry(to.clone()).or_default();
        let mut changed = Vec::new();
        for id in &old.queue {
            if let Some(item) = self.items.get_mut(id) {
                item.to = to.clone();
                changed.push(item.clone());
            }
        }
        let mut queue: Vec<LocalId> = lane.queue.drain(..).chain(old.queue).collect();
        queue.sort_unstable();
        lane.queue = queue.into();
        lane.in_flight |= old.in_flight;
        lane.unanswered |= old.unanswered;
        lane.parked_until_ms = lane.parked_until_ms.max(old.parked_until_ms);
        lane.refusals = lane.refusals.max(old.refusals);
        self.turn.retain(|other| other != from && other != to);
        self.turn.push_back(to.clone());
        changed
    }

    /// Takes out all items of some kinds, on their way or not.
    pub(crate) fn take_back(&mut self, kinds: impl Fn(u32) -> bool) -> Vec<Item> {
        let ids = self.items.values().filter(|item| kinds(item.kind)).map(|item| item.local_id);
        let ids: Vec<LocalId> = ids.collect();
        ids.into_iter().filter_map(|id| self.remove(id)).collect()
    }

    /// The server committed it.
    pub(crate) fn handle_sent(&mut self, local_id: LocalId) -> Option<Item> {
        let item = self.items.get(&local_id)?;
        if let Some(lane) = self.lanes.get_mut(&item.to) {
            lane.in_flight = false;
            lane.unanswered = false;
            lane.refusals = 0;
        }
        self.remove(local_id)
    }

    /// The server refused it.
    pub(crate) fn handle_failure(
        &mut self,
        tick: Tick,
        local_id: LocalId,
        error: &Error,
        backoff: Backoff,
    ) -> Option<Refusal> {
        let item = self.items.get(&local_id)?;
        let lane = self.lanes.get_mut(&item.to)?;
        lane.in_flight = false;
        let class = error.code().map_or(Retry::After, verdict);
        if class == Retry::Stop {
            lane.unanswered = false;
            lane.refusals = 0;
            return self.remove(local_id).map(Refusal::Failed);
        }
        // "Now" is taken at its word once; then it waits like the others.
        let wait_ms = match (class, lane.refusals) {
            (Retry::Now, 0) => 0,
            (_, refusals) => backoff.wait_ms(refusals, tick.random, error.retry_after()),
        };
        lane.refusals = lane.refusals.saturating_add(1);
        lane.parked_until_ms = tick.now_ms.saturating_add(wait_ms);
        Some(Refusal::Parked)
    }

    /// The name can't be resolved: everything for it fails.
    pub(crate) fn fail_lane(&mut self, to: &To) -> Vec<Item> {
        let ids = self.lanes.get(to).map(|lane| lane.queue.clone()).unwrap_or_default();
        ids.into_iter().filter_map(|id| self.remove(id)).collect()
    }

    /// Takes an item back that has not left and can't have arrived.
    pub(crate) fn abort(&mut self, local_id: LocalId) -> Option<Item> {
        let item = self.items.get(&local_id)?;
        let lane = self.lanes.get(&item.to)?;
        let may_have_left =
            (lane.in_flight || lane.unanswered) && lane.queue.front() == Some(&local_id);
        if may_have_left { None } else { self.remove(local_id) }
    }

    /// The connection is gone: what was on its way goes again.
    pub(crate) fn end_session(&mut self) {
        for lane in self.lanes.values_mut() {
            lane.unanswered |= lane.in_flight;
            lane.in_flight = false;
        }
    }

    /// When the first parked lane may go again.
    pub(crate) fn deadline(&self, now_ms: u64) -> Option<u64> {
        let parked = |lane: &Lane| {
            (lane.parked_until_ms > now_ms && !lane.queue.is_empty())
                .then_some(lane.parked_until_ms)
        };
        self.lanes.values().filter_map(parked).min()
    }

    fn remove(&mut self, local_id: LocalId) -> Option<Item> {
        let item = self.items.remove(&local_id)?;
        if let Some(lane) = self.lanes.get_mut(&item.to) {
            lane.queue.retain(|id| *id != local_id);
            if lane.queue.is_empty() {
                self.lanes.remove(&item.to);
                self.turn.retain(|to| *to != item.to);
            }
        }
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parley_protocol::Code;
    use parley_protocol::ids::UserId;

    const NOW: Tick = Tick { now_ms: 1000, wall_ms: 1000, random: 77 };

    fn to(byte: u8) -> To {
        To::User(UserId::new([byte; 16]))
    }

    fn item(id: u64, to: To) -> Item {
        let client_message_id =
            ClientMessageId::new(Bytes::from(id.to_be_bytes().to_vec())).unwrap();
        Item { local_id: LocalId(id), to, client_message_id, kind: 1, body: Bytes::new() }
    }

    fn outbox(items: &[(u64, To)]) -> Outbox {
        let mut outbox = Outbox::default();
        for (id, to) in items {
            outbox.push(item(*id, to.clone()));
        }
        outbox
    }

    fn next(outbox: &mut Outbox, now_ms: u64) -> Option<u64> {
        outbox.next(now_ms, |_| false).map(|item| item.local_id.0)
    }

    fn refuse(outbox: &mut Outbox, id: u64, code: Code, after_ms: u64) -> Refusal {
        let error = Error::from_code(code as u32, "", after_ms);
        outbox.handle_failure(NOW, LocalId(id), &error, Backoff::default()).unwrap()
    }

    #[test]
    fn a_lane_has_one_on_its_way_and_lanes_go_side_by_side() {
        let mut outbox = outbox(&[(1, to(1)), (2, to(1)), (3, to(2))]);
        assert_eq!(next(&mut outbox, 0), Some(1));
        assert_eq!(next(&mut outbox, 0), Some(3));
        assert_eq!(next(&mut outbox, 0), None);
        outbox.handle_sent(LocalId(1)).unwrap();
        assert_eq!(next(&mut outbox, 0), Some(2));
    }

    #[test]
    fn a_recoverable_refusal_parks_its_lane_only() {
        let mut outbox = outbox(&[(1, to(1)), (2, to(1)), (3, to(2))]);
        assert_eq!(next(&mut outbox, 1000), Some(1));
        assert!(matches!(refuse(&mut outbox, 1, Code::RateLimited, 500), Refusal::Parked));
        assert_eq!(next(&mut outbox, 1000), Some(3));
        assert_eq!(next(&mut outbox, 1000), None);
        let again = outbox.deadline(1000).unwrap();
        assert!(again >= 1500);
        assert_eq!(next(&mut outbox, again), Some(1));
    }

    #[test]
    fn an_unrecoverable_refusal_ends_only_its_item() {
        let mut outbox = outbox(&[(1, to(1)), (2, to(1))]);
        assert_eq!(next(&mut outbox, 0), Some(1));
        let Refusal::Failed(failed) = refuse(&mut outbox, 1, Code::TextTooLong, 0) else {
            panic!()
        };
        assert_eq!(failed.local_id, LocalId(1));
        assert_eq!(next(&mut outbox, 0), Some(2));
    }

    #[test]
    fn after_a_disconnect_the_unanswered_goes_again_first() {
        let mut outbox = outbox(&[(1, to(1)), (2, to(1))]);
        assert_eq!(next(&mut outbox, 0), Some(1));
        outbox.end_session();
        assert_eq!(outbox.abort(LocalId(1)), None, "it may have arrived");
        assert_eq!(next(&mut outbox, 0), Some(1));
    }

    #[test]
    fn names_wait_and_merge_in_the_order_of_queueing() {
        let conversation = To::Conversation(ConversationId::new([9; 16]));
        let mut outbox = outbox(&[(1, "bob".into()), (2, to(1)), (3, "bob".into())]);
        assert_eq!(outbox.unresolved().collect::<Vec<_>>(), vec!["bob"]);
        assert_eq!(next(&mut outbox, 0), None, "it may be for the same conversation");
        outbox.merge(&"bob".into(), &to(1));
        assert_eq!(next(&mut outbox, 0), Some(1));
        outbox.handle_sent(LocalId(1)).unwrap();
        outbox.merge(&to(1), &conversation);
        for id in [2, 3] {
            assert_eq!(next(&mut outbox, 0), Some(id));
            outbox.handle_sent(LocalId(id)).unwrap();
        }
        assert!(outbox.is_empty() && outbox.lanes.is_empty() && outbox.turn.is_empty());
    }

    #[test]
    fn a_conversation_of_unknown_members_waits_for_an_earlier_user() {
        let id = ConversationId::new([9; 16]);
        let mut outbox = outbox(&[(1, to(1)), (2, To::Conversation(id))]);
        assert_eq!(next(&mut outbox, 0), Some(1));
        assert_eq!(next(&mut outbox, 0), None);
        assert_eq!(outbox.next(0, |known| known == id).map(|item| item.local_id.0), Some(2));
    }

    #[test]
    fn a_user_waits_for_an_earlier_conversation_of_unknown_members() {
        let id = ConversationId::new([9; 16]);
        let mut outbox = outbox(&[(1, To::Conversation(id)), (2, to(1)), (3, To::NewGroup)]);
        assert_eq!(next(&mut outbox, 0), Some(1));
        assert_eq!(next(&mut outbox, 0), Some(3), "that can't be the same");
        assert_eq!(next(&mut outbox, 0), None);
        assert_eq!(outbox.next(0, |known| known == id).map(|item| item.local_id.0), Some(2));
    }

    #[test]
    fn local_ids_go_on_after_those_of_an_earlier_run() {
        let mut outbox = Outbox::new(3);
        outbox.push(item(7, to(1)));
        assert_eq!(outbox.next_local_id(), LocalId(8));
    }

    #[test]
    fn a_drain_ends_once_with_what_is_left() {
        let mut outbox = outbox(&[(1, to(1))]);
        assert_eq!(outbox.end_drain(), None);
        outbox.start_drain(50);
        assert!(outbox.is_draining());
        assert_eq!((outbox.drain_until_ms(), outbox.end_drain()), (Some(50), Some(1)));
        assert_eq!(outbox.end_drain(), None);
    }

    #[test]
    fn only_what_has_not_left_can_be_taken_back() {
        let mut outbox = outbox(&[(1, to(1)), (2, to(1))]);
        assert_eq!(next(&mut outbox, 0), Some(1));
        assert_eq!(outbox.abort(LocalId(1)), None);
        assert_eq!(outbox.abort(LocalId(2)).map(|item| item.local_id), Some(LocalId(2)));
        outbox.handle_sent(LocalId(1)).unwrap();
        assert_eq!(outbox.len(), 0);
        assert_eq!(outbox.fail_lane(&"nobody".into()).len(), 0);
    }
}
