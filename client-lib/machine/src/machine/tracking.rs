//! Which committed sends still want to know that they were delivered and read.
//!
//! Bounded: above [`TRACKED`] the oldest are let go, and their handles end.

use std::collections::{BTreeMap, HashMap, VecDeque};

use parley_protocol::ids::ConversationId;

use crate::model::{LocalId, SendStatus, Sent};

/// Committed sends that are followed, at most.
pub(crate) const TRACKED: usize = 4_096;

#[derive(Debug, Default)]
pub(crate) struct Tracking {
    sends: HashMap<ConversationId, BTreeMap<u64, Tracked>>,
    /// In order of commitment; may name some that are done.
    order: VecDeque<(ConversationId, u64)>,
    count: usize,
}

#[derive(Debug)]
struct Tracked {
    local_id: LocalId,
    sent: Sent,
    delivered: bool,
}

impl Tracking {
    /// Follows a send. Returns those that are let go for it.
    pub(crate) fn add(&mut self, local_id: LocalId, sent: Sent) -> Vec<LocalId> {
        let lane = self.sends.entry(sent.conversation).or_default();
        // The same id sent twice gives the same seq twice.
        let before = lane.insert(sent.seq, Tracked { local_id, sent, delivered: false });
        let mut gone: Vec<LocalId> = before.map(|tracked| tracked.local_id).into_iter().collect();
        if gone.is_empty() {
            self.count += 1;
            self.order.push_back((sent.conversation, sent.seq));
        }
        while self.count > TRACKED || self.order.len() > 2 * TRACKED {
            let Some((conversation, seq)) = self.order.pop_front() else { break };
            gone.extend(self.remove(conversation, seq).map(|tracked| tracked.local_id));
        }
        gone
    }

    /// The others' cursors stand there: what gets further by it.
    pub(crate) fn handle_cursors(
        &mut self,
        conversation: ConversationId,
        delivered: u64,
        read: u64,
    ) -> Vec<(LocalId, SendStatus)> {
        let Some(lane) = self.sends.get_mut(&conversation) else { return Vec::new() };
        let mut further = Vec::new();
        while let Some(entry) = lane.first_entry()
            && *entry.key() <= read
        {
            let tracked = entry.remove();
            self.count -= 1;
            further.push((tracked.local_id, SendStatus::Read(tracked.sent)));
        }
        for tracked in lane.range_mut(..=delivered).map(|(_, tracked)| tracked) {
            if !std::mem::replace(&mut tracked.delivered, true) {
                further.push((tracked.local_id, SendStatus::Delivered(tracked.sent)));
            }
        }
        if lane.is_empty() {
            self.sends.remove(&conversation);
        }
        further
    }

    /// Conversations with sends that still wait for a cursor.
    pub(crate) fn conversations(&self) -> impl Iterator<Item = ConversationId> {
        self.sends.keys().copied()
    }

    /// Follows none of a conversation any more. Returns those that are let go.
    pub(crate) fn forget(&mut self, conversation: ConversationId) -> Vec<LocalId> {
        let lane = self.sends.remove(&conversation).unwrap_or_default();
        self.count -= lane.len();
        lane.into_values().map(|tracked| tracked.local_id).collect()
    }

    /// Follows none any more. Returns those that are let go.
    pub(crate) fn forget_all(&mut self) -> Vec<LocalId> {
        let all = std::mem::take(self).sends.into_values();
        all.flatten().map(|(_, tracked)| tracked.local_id).collect()
    }

    fn remove(&mut self, conversation: ConversationId, seq: u64) -> Option<Tracked> {
        let lane = self.sends.get_mut(&conversation)?;
        let tracked = lane.remove(&seq)?;
        self.count -= 1;
        if lane.is_empty() {
            self.sends.remove(&conversation);
        }
        Some(tracked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: ConversationId = ConversationId::new([1; 16]);

    fn sent(seq: u64) -> Sent {
        Sent { conversation: PLACE, seq, time_ms: 0, duplicate: false }
    }

    fn statuses(further: Vec<(LocalId, SendStatus)>) -> Vec<(u64, &'static str)> {
        let name = |status| match status {
            SendStatus::Delivered(_) => "delivered",
            SendStatus::Read(_) => "read",
            _ => "other",
        };
        further.into_iter().map(|(id, status)| (id.0, name(status))).collect()
    }

    #[test]
    fn cursors_move_sends_forward_each_step_once() {
        let mut tracking = Tracking::default();
        for n in 1..=3 {
            tracking.add(LocalId(n), sent(n));
        }
        let delivered = tracking.handle_cursors(PLACE, 2, 0);
        assert_eq!(statuses(delivered), vec![(1, "delivered"), (2, "delivered")]);
        assert!(tracking.handle_cursors(PLACE, 2, 0).is_empty());
        let read = tracking.handle_cursors(PLACE, 3, 2);
        assert_eq!(statuses(read), vec![(1, "read"), (2, "read"), (3, "delivered")]);
        tracking.handle_cursors(PLACE, 3, 3);
        assert_eq!((tracking.count, tracking.conversations().count()), (0, 0));
    }

    #[test]
    fn the_oldest_are_let_go_above_the_bound() {
        let mut tracking = Tracking::default();
        for n in 1..=TRACKED as u64 {
            assert!(tracking.add(LocalId(n), sent(n)).is_empty());
        }
        assert_eq!(tracking.add(LocalId(9_999), sent(9_999)), vec![LocalId(1)]);
        assert_eq!(tracking.count, TRACKED);
    }

    #[test]
    fn done_ones_do_not_pile_up() {
        let mut tracking = Tracking::default();
        for n in 1..=3 * TRACKED as u64 {
            tracking.add(LocalId(n), sent(n));
            tracking.handle_cursors(PLACE, n, n);
        }
        assert!(tracking.order.len() <= 2 * TRACKED);
    }
}
