//! The rule for the commonest act: a member sends an entry.
//!
//! Who may send is checked, then the entry gets its place: the next seq, the
//! ordinal if it counts, a time that never goes back. From here on its bytes
//! are fixed; the log makes them durable.

use parley_protocol::{Code, UserId};

use super::{Conversation, Head};

/// What a member wants to append, checked as far as one can without the
/// conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admitted {
    /// The author; set by the server from the session.
    pub sender: UserId,
    /// Whether the entry moves the ordinal, and with it the unread counts.
    pub countable: bool,
}

/// An entry's place in its conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamped {
    /// Position: one above the entry before.
    pub seq: u64,
    /// Countable entries up to and including this one.
    pub ordinal: u64,
    /// Unix milliseconds; never below the entry before.
    pub time_ms: u64,
}

impl Conversation {
    /// Gives an entry its place behind everything stamped so far.
    ///
    /// # Errors
    /// [`Code::NotFound`] when the sender is no member: whoever may not see a
    /// conversation can't tell it from one that does not exist.
    pub fn stamp(&mut self, entry: Admitted, now_ms: u64) -> Result<Stamped, Code> {
        if self.member(entry.sender).is_none() {
            return Err(Code::NotFound);
        }
        let head = Head {
            seq: self.stamped.seq + 1,
            ordinal: self.stamped.ordinal + u64::from(entry.countable),
            // The wall clock may step back; a conversation's time may not.
            time_ms: now_ms.max(self.stamped.time_ms),
        };
        self.stamped = head;
        Ok(Stamped { seq: head.seq, ordinal: head.ordinal, time_ms: head.time_ms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: UserId = UserId::new([1; 16]);
    const BEN: UserId = UserId::new([2; 16]);
    const EVE: UserId = UserId::new([3; 16]);

    fn message(sender: UserId) -> Admitted {
        Admitted { sender, countable: true }
    }

    #[test]
    fn seqs_are_dense_and_shared_by_all_senders() {
        let mut conversation = Conversation::direct(ANN, BEN);
        let seqs: Vec<u64> = [ANN, BEN, BEN, ANN]
            .map(|sender| conversation.stamp(message(sender), 5).unwrap().seq)
            .into();
        assert_eq!(seqs, [1, 2, 3, 4]);
    }

    #[test]
    fn only_countable_entries_move_the_ordinal() {
        let mut conversation = Conversation::direct(ANN, BEN);
        conversation.stamp(message(ANN), 5).unwrap();
        let quiet = conversation.stamp(Admitted { sender: BEN, countable: false }, 6).unwrap();
        assert_eq!(quiet, Stamped { seq: 2, ordinal: 1, time_ms: 6 });
    }

    #[test]
    fn time_never_goes_back() {
        let mut conversation = Conversation::direct(ANN, BEN);
        conversation.stamp(message(ANN), 1000).unwrap();
        assert_eq!(conversation.stamp(message(BEN), 10).unwrap().time_ms, 1000);
    }

    #[test]
    fn strangers_find_nothing() {
        let mut conversation = Conversation::direct(ANN, BEN);
        assert_eq!(conversation.stamp(message(EVE), 1), Err(Code::NotFound));
        assert!(conversation.is_settled());
    }
}
