//! The conversations a shard holds in memory, bounded by second chance.
//!
//! A conversation with entries between stamp and commit is never dropped, so
//! the bound can be passed by as many as are in flight, which the log's queue
//! bounds.

use std::collections::{HashMap, VecDeque};

use parley_protocol::ConversationId;

use crate::conversation::Conversation;

#[derive(Debug)]
struct Slot {
    conversation: Conversation,
    used: bool,
}

#[derive(Debug)]
pub(super) struct Cache {
    capacity: usize,
    slots: HashMap<ConversationId, Slot>,
    /// Every loaded id once, in the order the clock hand meets them.
    hand: VecDeque<ConversationId>,
    evictions: u64,
}

impl Cache {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            slots: HashMap::new(),
            hand: VecDeque::new(),
            evictions: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) const fn evictions(&self) -> u64 {
        self.evictions
    }

    pub(super) fn touch(&mut self, id: ConversationId) -> Option<&mut Conversation> {
        let slot = self.slots.get_mut(&id)?;
        slot.used = true;
        Some(&mut slot.conversation)
    }

    pub(super) fn insert(&mut self, conversation: Conversation) {
        let id = conversation.id();
        if self.touch(id).is_some() {
            return;
        }
        self.make_room();
        self.slots.insert(id, Slot { conversation, used: true });
        self.hand.push_back(id);
    }

    pub(super) fn remove(&mut self, id: ConversationId) {
        if self.slots.remove(&id).is_some() {
            self.hand.retain(|known| *known != id);
            self.evictions += 1;
        }
    }

    fn make_room(&mut self) {
        // Twice round: the first pass may only take second chances away.
        let mut steps = 2 * self.hand.len();
        while self.slots.len() >= self.capacity && steps > 0 {
            steps -= 1;
            let Some(id) = self.hand.pop_front() else { return };
            match self.slots.get_mut(&id) {
                Some(slot) if slot.used || !slot.conversation.is_settled() => {
                    slot.used = false;
                    self.hand.push_back(id);
                }
                _ => {
                    self.slots.remove(&id);
                    self.evictions += 1;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::{Act, Admitted};
    use parley_protocol::UserId;

    fn conversation(n: u8) -> Conversation {
        Conversation::direct(UserId::new([n; 16]), UserId::new([n; 16]))
    }

    fn message(n: u8) -> Admitted {
        let act = Act::Message { reply_to: None, mentions: Vec::new(), everyone: false };
        Admitted { sender: UserId::new([n; 16]), act, target: None }
    }

    #[test]
    fn it_stays_within_its_capacity() {
        let mut cache = Cache::new(3);
        (0..50).for_each(|n| cache.insert(conversation(n)));
        assert_eq!((cache.len(), cache.hand.len()), (3, 3));
        assert!(cache.touch(conversation(49).id()).is_some());
    }

    #[test]
    fn what_is_used_outlives_what_is_not() {
        let mut cache = Cache::new(3);
        (0..3).for_each(|n| cache.insert(conversation(n)));
        cache.insert(conversation(3)); // takes 0, clears the marks of 1 and 2
        cache.touch(conversation(1).id());
        cache.insert(conversation(4));
        assert!(cache.touch(conversation(1).id()).is_some());
        assert!(cache.touch(conversation(2).id()).is_none());
    }

    #[test]
    fn what_is_in_flight_is_never_dropped() {
        let mut cache = Cache::new(2);
        for n in 0..5 {
            cache.insert(conversation(n));
            let entry = message(n);
            cache
                .touch(conversation(n).id())
                .unwrap()
                .stamp(&entry, 1, crate::conversation::Bounds::of(200))
                .unwrap();
        }
        assert_eq!(cache.len(), 5);
    }

    #[test]
    fn loading_again_keeps_the_newer_state() {
        let mut cache = Cache::new(2);
        let mut newer = conversation(1);
        let entry = message(1);
        newer.stamp(&entry, 1, crate::conversation::Bounds::of(200)).unwrap();
        cache.insert(newer.clone());
        cache.insert(conversation(1));
        assert_eq!(cache.touch(newer.id()), Some(&mut newer));
    }
}
