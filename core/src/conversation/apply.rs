//! What a committed entry does to its conversation. The same on every replica;
//! it never fails and never asks the time.

use parley_protocol::UserId;

use super::{Conversation, Head, Stamped};

/// What follows from a committed entry for the members' feeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applied {
    /// The end of the log after it.
    pub head: Head,
    /// Who wrote it: for them it counts as read.
    pub sender: UserId,
}

impl Conversation {
    /// Takes a committed entry.
    ///
    /// # Panics
    /// When the entry is not the next one: the log broke its contract, and
    /// going on would lose or double a message.
    pub fn apply(&mut self, sender: UserId, entry: Stamped) -> Applied {
        assert!(
            entry.seq == self.committed.seq + 1,
            "{}: applied seq {} after {}",
            self.id,
            entry.seq,
            self.committed.seq
        );
        self.committed = Head { seq: entry.seq, ordinal: entry.ordinal, time_ms: entry.time_ms };
        // A replica that didn't stamp follows what its leader stamped.
        if self.stamped.seq < entry.seq {
            self.stamped = self.committed;
        }
        Applied { head: self.committed, sender }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::Admitted;

    const ANN: UserId = UserId::new([1; 16]);
    const BEN: UserId = UserId::new([2; 16]);

    #[test]
    fn a_follower_that_applies_equals_the_leader_that_stamped() {
        let mut leader = Conversation::direct(ANN, BEN);
        let mut follower = leader.clone();
        for now_ms in [5, 9, 7] {
            let entry = leader.stamp(Admitted { sender: ANN, countable: true }, now_ms).unwrap();
            assert!(!leader.is_settled());
            assert_eq!(leader.apply(ANN, entry), follower.apply(ANN, entry));
        }
        assert_eq!(leader, follower);
        assert!(leader.is_settled());
    }

    #[test]
    #[should_panic(expected = "applied seq 3 after 0")]
    fn a_hole_in_the_log_stops_everything() {
        let entry = Stamped { seq: 3, ordinal: 3, time_ms: 1 };
        Conversation::direct(ANN, BEN).apply(ANN, entry);
    }
}
