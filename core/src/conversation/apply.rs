//! What a committed entry does to its conversation. The same on every replica;
//! it never fails and never asks the time.

use std::sync::Arc;

use parley_protocol::UserId;

use super::{Act, Conversation, Position, State};

/// What follows from a committed entry for the members' feeds.
#[derive(Debug, Clone)]
pub struct Applied {
    /// The end of the log after it.
    pub head: Position,
    /// Who is in before it.
    pub before: Arc<State>,
    /// Who is in after it.
    pub after: Arc<State>,
}

impl Applied {
    /// Whether the entry changed who is in or how it works.
    #[must_use]
    pub fn changed(&self) -> bool {
        !Arc::ptr_eq(&self.before, &self.after)
    }
}

impl Conversation {
    /// Takes a committed entry.
    ///
    /// # Panics
    /// When the entry is not the next one, or doesn't stand where it was
    /// stamped: the log broke its contract, and going on would lose or double
    /// a message.
    pub fn apply(&mut self, sender: UserId, act: &Act, entry: Position) -> Applied {
        assert!(
            entry.seq == self.committed.seq + 1,
            "{}: applied seq {} after {}",
            self.id,
            entry.seq,
            self.committed.seq
        );
        assert!(
            entry.ordinal == self.committed.ordinal + u64::from(act.is_countable()),
            "{}: applied {entry:?} after {:?}",
            self.id,
            self.committed
        );
        assert!(
            entry.seq != self.stamped.seq || entry == self.stamped,
            "{}: applied {entry:?}, stamped {:?}",
            self.id,
            self.stamped
        );
        let before = Arc::clone(&self.state);
        let turns = entry.time_ms < self.committed.time_ms;
        self.committed = entry;
        // A replica that didn't stamp follows what its leader stamped.
        let follows = self.stamped.seq < entry.seq;
        if follows {
            self.stamped = self.committed;
        }
        if entry.seq == 1 || turns || self.state.is_changed_by(act) {
            if self.stamped.seq == entry.seq && !follows {
                // Nothing else is on its way: both are the same value again.
                self.state = Arc::clone(&self.next);
            } else {
                Arc::make_mut(&mut self.state).take(sender, act, entry, turns);
            }
            if follows {
                self.next = Arc::clone(&self.state);
            }
        }
        if let Act::Edit(seq) = act
            && let Some(waiting) = self.editing.get_mut(seq)
        {
            *waiting = waiting.saturating_sub(1);
            if *waiting == 0 {
                self.editing.remove(seq);
            }
        }
        if act.is_countable() {
            self.senders.note(sender, entry.seq);
            self.ordinals.note(entry.seq);
        }
        Applied { head: self.committed, before, after: Arc::clone(&self.state) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::{AHEAD_MS, Admitted, Bounds, Change, Info, Settings};
    use parley_protocol::ConversationId;

    const ANN: UserId = UserId::new([1; 16]);
    const BEN: UserId = UserId::new([2; 16]);
    const HELLO: Act = Act::Message { reply_to: None, mentions: Vec::new(), everyone: false };

    fn stamp(conversation: &mut Conversation, sender: UserId, act: &Act, now_ms: u64) -> Position {
        let entry = Admitted { sender, act: act.clone(), target: None };
        conversation.stamp(&entry, now_ms, Bounds::of(200)).unwrap().stamped
    }

    #[test]
    fn a_follower_that_applies_equals_the_leader_that_stamped() {
        let created = Act::Change(Change::Created {
            info: Info::default(),
            settings: Settings::default(),
            members: vec![BEN],
        });
        let mut leader = Conversation::group(ConversationId::new([7; 16]));
        let mut follower = leader.clone();
        let acts = [created, HELLO, Act::Change(Change::Removed(BEN)), HELLO];
        // All stamped before the first is applied, and one by one.
        for together in [true, false] {
            let (mut leader, mut follower) = (leader.clone(), follower.clone());
            let mut waiting = Vec::new();
            for (act, now_ms) in acts.iter().zip([5, 9 + AHEAD_MS, 7, 11]) {
                waiting.push((act, stamp(&mut leader, ANN, act, now_ms)));
                assert!(!leader.is_settled());
                if !together {
                    waiting
                        .drain(..)
                        .for_each(|(act, entry)| both(&mut leader, &mut follower, act, entry));
                }
            }
            waiting.drain(..).for_each(|(act, entry)| both(&mut leader, &mut follower, act, entry));
            assert_eq!(leader.state, follower.state);
            assert_eq!(leader, follower);
            assert_eq!(leader.state.turns, [3]);
            assert!(leader.is_settled() && leader.state == leader.next);
        }
        let first = stamp(&mut leader, ANN, &acts[0], 1);
        both(&mut leader, &mut follower, &acts[0], first);
        assert_eq!(leader.state().len(), 2);
    }

    fn both(leader: &mut Conversation, follower: &mut Conversation, act: &Act, entry: Position) {
        let (led, followed) = (leader.apply(ANN, act, entry), follower.apply(ANN, act, entry));
        assert_eq!(
            (led.head, led.before, led.after),
            (followed.head, followed.before, followed.after)
        );
    }

    #[test]
    fn an_entry_that_changes_nobody_leaves_the_state_alone() {
        let mut conversation = Conversation::direct(ANN, BEN);
        let first = stamp(&mut conversation, ANN, &HELLO, 1);
        assert!(conversation.apply(ANN, &HELLO, first).changed());
        let second = stamp(&mut conversation, ANN, &HELLO, 2);
        assert!(!conversation.apply(ANN, &HELLO, second).changed());
    }

    #[test]
    #[should_panic(expected = "after Position { seq: 1, ordinal: 1, time_ms: 7 }")]
    fn an_ordinal_that_falls_stops_everything() {
        let mut conversation = Conversation::direct(ANN, BEN);
        conversation.apply(ANN, &HELLO, Position { seq: 1, ordinal: 1, time_ms: 7 });
        conversation.apply(ANN, &HELLO, Position { seq: 2, ordinal: 1, time_ms: 7 });
    }

    #[test]
    #[should_panic(expected = "stamped Position { seq: 1, ordinal: 1, time_ms: 1 }")]
    fn an_entry_that_was_stamped_otherwise_stops_everything() {
        let mut conversation = Conversation::direct(ANN, BEN);
        let stamped = stamp(&mut conversation, ANN, &HELLO, 1);
        conversation.apply(ANN, &HELLO, Position { time_ms: 2, ..stamped });
    }

    #[test]
    #[should_panic(expected = "applied seq 3 after 0")]
    fn a_hole_in_the_log_stops_everything() {
        let entry = Position { seq: 3, ordinal: 3, time_ms: 1 };
        Conversation::direct(ANN, BEN).apply(ANN, &HELLO, entry);
    }
}
