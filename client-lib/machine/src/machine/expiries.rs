//! In which conversation a message expires next: an index, so that nobody has to
//! look through all of them. [`super::conversations::Conversations`] owns it and
//! tells it.

use std::collections::{BTreeSet, HashMap};

use parley_protocol::ids::ConversationId;

/// The conversations in which something expires, in order of time. All times are
/// the server's.
#[derive(Debug, Default)]
pub(crate) struct Expiries {
    order: BTreeSet<(u64, ConversationId)>,
    times: HashMap<ConversationId, u64>,
}

impl Expiries {
    /// In this conversation something expires then, or nothing does.
    pub(crate) fn set(&mut self, id: ConversationId, at_ms: Option<u64>) {
        let before = match at_ms {
            Some(at_ms) => self.times.insert(id, at_ms),
            None => self.times.remove(&id),
        };
        if before == at_ms {
            return;
        }
        if let Some(before) = before {
            self.order.remove(&(before, id));
        }
        if let Some(at_ms) = at_ms {
            self.order.insert((at_ms, id));
        }
    }

    /// When something expires next.
    pub(crate) fn first_ms(&self) -> Option<u64> {
        self.order.first().map(|(at_ms, _)| *at_ms)
    }

    /// Where something expired by now, the earliest first.
    pub(crate) fn due(&self, now_ms: u64) -> Vec<ConversationId> {
        self.order.iter().take_while(|(at_ms, _)| *at_ms <= now_ms).map(|(_, id)| *id).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use bytes::Bytes;
    use parley_protocol::wire::{self, EntryKind};
    use proptest::prelude::*;
    use prost::Message as _;

    use super::super::conversations::Conversations;
    use super::*;

    fn entry(seq: u64, time_ms: u64, kind: EntryKind, body: Bytes) -> wire::Entry {
        wire::Entry { seq, time_ms, kind: kind as u32, body, ..wire::Entry::default() }
    }

    /// A group whose messages expire after so many seconds.
    fn created(retention_s: u64) -> wire::Entry {
        let settings = wire::ConversationSettings { retention_s, ..Default::default() };
        let body = wire::GroupCreated { settings: Some(settings), ..Default::default() };
        entry(1, 0, EntryKind::GroupCreated, body.encode_to_vec().into())
    }

    /// What the index has to say, found by looking at all.
    fn next_of_all(conversations: &Conversations) -> Option<u64> {
        conversations.iter().filter_map(|known| known.expiry().next_ms()).min()
    }

    fn due_of_all(conversations: &Conversations, now_ms: u64) -> BTreeSet<ConversationId> {
        let due = |at_ms: u64| at_ms <= now_ms;
        let all = conversations.iter().filter(|known| known.expiry().next_ms().is_some_and(due));
        all.map(|known| known.id()).collect()
    }

    proptest! {
        /// Messages come, time passes, the client starts anew: the index says and finds
        /// what looking at all conversations would.
        #[test]
        fn the_index_equals_looking_at_all(
            steps in prop::collection::vec((0u8..8, 0u8..6, 0u64..40), 0..120),
        ) {
            let mut conversations = Conversations::new(Vec::new(), true);
            let (mut now_ms, mut seq) = (10_000, 1);
            for (what, which, number) in steps {
                let id = ConversationId::new([which; 16]);
                seq += 1;
                match what {
                    0 => conversations.ensure(id, Some(0)).note_expiry(&created(number % 8)),
                    1..=4 => {
                        let text = entry(seq, now_ms - number * 100, EntryKind::Text, Bytes::new());
                        if let Some(known) = conversations.get_mut(id) {
                            known.note_expiry(&text);
                        }
                    }
                    5 | 6 => {
                        now_ms += number * 100;
                        let due = due_of_all(&conversations, now_ms);
                        let found = conversations.handle_time(now_ms, None);
                        prop_assert_eq!(found.len(), due.len());
                        prop_assert_eq!(found.into_iter().map(|(id, _)| id).collect::<BTreeSet<_>>(), due);
                    }
                    _ => {
                        (0..6).for_each(|which| conversations.touch(ConversationId::new([which; 16])));
                        conversations = Conversations::new(conversations.take_unsaved(), true);
                    }
                }
                prop_assert_eq!(conversations.expiry_ms(), next_of_all(&conversations));
            }
        }
    }
}
