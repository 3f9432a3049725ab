//! The rule for the commonest act: a member sends an entry.
//!
//! Who may do what is checked, then the entry gets its position: the next seq, the
//! ordinal if it counts, a time that only goes back when the clock had been far
//! ahead. From here on its bytes are fixed; the log makes them durable.

use std::sync::Arc;

use parley_protocol::{Code, UserId};

use super::dating::note_turn;
use super::{Act, Bounds, Conversation, Position, State, Target};

/// What a member wants to append, checked as far as one can without the
/// conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// The author; set by the server from the session.
    pub sender: UserId,
    /// What the entry does.
    pub act: Act,
    /// The entry it refers to, as far as there is one.
    pub target: Option<Target>,
}

/// A stamped entry and what has to be written with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamping {
    /// The position it was given.
    pub stamped: Position,
    /// The conversation's state after it, if it changes.
    pub state: Option<Arc<State>>,
}

/// Deletions remembered, so that nothing is added to what is on its way out.
const DELETED: usize = 64;

impl Conversation {
    /// Gives an entry the position behind everything stamped so far, within what
    /// this node allows.
    ///
    /// # Errors
    /// [`Code::NotFound`] when the sender never was a member: whoever may not
    /// see a conversation can't tell it from one that does not exist. Else what
    /// [`State::check_act`] returns.
    pub fn stamp(
        &mut self,
        entry: &Admitted,
        now_ms: u64,
        bounds: Bounds,
    ) -> Result<Stamping, Code> {
        let Admitted { sender, act, target } = entry;
        let target = target.map(|target| self.as_of_now(act, target, now_ms));
        self.next.check_act(*sender, act, target, self.stamped.seq, bounds)?;
        let first = self.stamped.seq == 0;
        let stamped = self.stamped.next(act.is_countable(), now_ms);
        let turns = stamped.time_ms < self.stamped.time_ms;
        self.stamped = stamped;
        if let Act::Delete { seq, .. } = act {
            if self.deleted.len() >= DELETED
                && let Some((oldest, _)) = self.deleted.pop_back()
            {
                self.deletions_after = oldest;
            }
            self.deleted.push_front((stamped.seq, *seq));
        }
        if let Act::Edit(seq) = act {
            *self.editing.entry(*seq).or_default() += 1;
        }
        if first || turns || self.next.is_changed_by(act) {
            let next = Arc::make_mut(&mut self.next);
            next.take(*sender, act, stamped, turns);
            return Ok(Stamping { stamped, state: Some(Arc::clone(&self.next)) });
        }
        Ok(Stamping { stamped, state: None })
    }
}

impl Conversation {
    /// What was looked up of a target, with what became of it since: it expired,
    /// or its deletion is on its way.
    fn as_of_now(&self, act: &Act, target: Target, now_ms: u64) -> Target {
        let Some(seq) = act.target() else { return target };
        let deleted = self.deleted.iter().any(|(_, gone)| *gone == seq);
        let expired = self.next.is_expired(seq, target.sender, target.time_ms, now_ms);
        Target { erased: target.erased || deleted || expired, ..target }
    }
}

impl State {
    /// Takes what an entry changes. A conversation comes to be with its first.
    pub fn take(&mut self, sender: UserId, act: &Act, stamped: Position, turns: bool) {
        if turns {
            note_turn(&mut self.turns, stamped.seq);
        }
        if stamped.seq == 1 {
            self.created_ms = stamped.time_ms;
        }
        match act {
            Act::Change(change) => self.apply(sender, change, stamped),
            Act::Delete { seq, .. } => self.pinned.retain(|pinned| pinned != seq),
            Act::Message { .. } | Act::Edit(_) | Act::React { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::{Change, Info, Settings};
    use parley_protocol::ConversationId;

    const ANN: UserId = UserId::new([1; 16]);
    const BEN: UserId = UserId::new([2; 16]);
    const EVE: UserId = UserId::new([3; 16]);

    fn entry(sender: UserId, act: Act) -> Admitted {
        Admitted { sender, act, target: None }
    }

    fn message(sender: UserId) -> Admitted {
        entry(sender, Act::Message { reply_to: None, mentions: Vec::new(), everyone: false })
    }

    fn stamp(conversation: &mut Conversation, entry: &Admitted, now_ms: u64) -> Position {
        conversation.stamp(entry, now_ms, Bounds::of(200)).unwrap().stamped
    }

    fn group() -> Conversation {
        let mut group = Conversation::group(ConversationId::new([7; 16]));
        let change = Change::Created {
            info: Info::default(),
            settings: Settings::default(),
            members: vec![BEN],
        };
        stamp(&mut group, &entry(ANN, Act::Change(change)), 1);
        group
    }

    #[test]
    fn seqs_are_dense_and_shared_by_all_senders() {
        let mut conversation = Conversation::direct(ANN, BEN);
        let seqs: Vec<u64> = [ANN, BEN, BEN, ANN]
            .map(|sender| stamp(&mut conversation, &message(sender), 5).seq)
            .into();
        assert_eq!(seqs, [1, 2, 3, 4]);
    }

    #[test]
    fn only_messages_move_the_ordinal() {
        let mut conversation = Conversation::direct(ANN, BEN);
        stamp(&mut conversation, &message(ANN), 5);
        let target =
            Some(Target { sender: ANN, message: true, ordinal: 1, time_ms: 1, erased: false });
        let edit = Admitted { target, ..entry(ANN, Act::Edit(1)) };
        assert_eq!(stamp(&mut conversation, &edit, 6), Position { seq: 2, ordinal: 1, time_ms: 6 });
    }

    #[test]
    fn time_never_goes_back() {
        let mut conversation = Conversation::direct(ANN, BEN);
        stamp(&mut conversation, &message(ANN), 1000);
        assert_eq!(stamp(&mut conversation, &message(BEN), 10).time_ms, 1000);
    }

    #[test]
    fn strangers_find_nothing() {
        let mut conversation = Conversation::direct(ANN, BEN);
        assert_eq!(conversation.stamp(&message(EVE), 1, Bounds::of(200)), Err(Code::NotFound));
        assert!(conversation.is_settled());
    }

    #[test]
    fn a_change_counts_for_the_next_entry_before_it_is_committed() {
        let mut group = group();
        let removed = entry(ANN, Act::Change(Change::Removed(BEN)));
        let stamping = group.stamp(&removed, 2, Bounds::of(200)).unwrap();
        assert!(stamping.state.unwrap().active(BEN).is_none());
        assert_eq!(group.stamp(&message(BEN), 3, Bounds::of(200)), Err(Code::Forbidden));
        // Readers still go by what is committed: nothing is.
        assert!(group.state().member(BEN).is_none());
    }

    #[test]
    fn nothing_is_added_to_what_is_on_its_way_out() {
        let mut conversation = Conversation::direct(ANN, BEN);
        stamp(&mut conversation, &message(ANN), 1);
        let target =
            Some(Target { sender: ANN, message: true, ordinal: 1, time_ms: 1, erased: false });
        let delete = entry(ANN, Act::Delete { seq: 1, ordinal: 1 });
        stamp(&mut conversation, &Admitted { target, ..delete }, 2);
        // What was looked up before the deletion doesn't know of it.
        let edit = Admitted { target, ..entry(ANN, Act::Edit(1)) };
        assert_eq!(conversation.stamp(&edit, 3, Bounds::of(200)), Err(Code::TargetInvalid));
    }

    #[test]
    fn an_edit_is_known_until_it_is_committed() {
        let mut conversation = Conversation::direct(ANN, BEN);
        let first = stamp(&mut conversation, &message(ANN), 1);
        conversation.apply(ANN, &message(ANN).act, first);
        let target =
            Some(Target { sender: ANN, message: true, ordinal: 1, time_ms: 1, erased: false });
        let edit = Admitted { target, ..entry(ANN, Act::Edit(1)) };
        let second = stamp(&mut conversation, &edit, 2);
        assert!(conversation.is_editing(1) && !conversation.is_editing(2));
        conversation.apply(ANN, &edit.act, second);
        assert!(!conversation.is_editing(1));
    }

    #[test]
    fn the_first_entry_says_when_it_began() {
        let mut conversation = Conversation::direct(ANN, BEN);
        let first = conversation.stamp(&message(ANN), 77, Bounds::of(200)).unwrap();
        assert_eq!(first.state.unwrap().created_ms, 77);
        assert_eq!(conversation.stamp(&message(ANN), 78, Bounds::of(200)).unwrap().state, None);
    }
}
