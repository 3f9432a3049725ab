//! Who sent what last, as far as anybody waits to hear who has it.

use parley_protocol::UserId;

/// The members who sent something lately.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Senders {
    /// Each with the seq of their last message, ascending.
    recent: Vec<(u64, UserId)>,
    /// Whoever sent something above this seq is among the recent ones.
    complete_after: u64,
}

/// Senders remembered. Beyond it those who were silent longest are forgotten,
/// and with them who sent what up to there.
const SENDERS: usize = 64;

impl Senders {
    /// Nothing is known of what was sent up to `seq`.
    pub(super) const fn unknown_up_to(seq: u64) -> Self {
        Self { recent: Vec::new(), complete_after: seq }
    }

    /// `user` sent the message with this seq, which is the last one.
    pub(super) fn note(&mut self, user: UserId, seq: u64) {
        self.recent.retain(|(_, known)| *known != user);
        if self.recent.len() >= SENDERS {
            let (forgotten, _) = self.recent.remove(0);
            self.complete_after = self.complete_after.max(forgotten);
        }
        self.recent.push((seq, user));
    }

    /// Whether somebody is known to have sent a message.
    pub(super) fn contains(&self, user: UserId) -> bool {
        self.recent.iter().any(|(_, known)| *known == user)
    }

    /// Those who sent something above `seq`; `None` when they are not known.
    pub(super) fn since(&self, seq: u64) -> Option<impl Iterator<Item = UserId>> {
        let known = seq >= self.complete_after;
        let recent = self.recent.iter().filter(move |(sent, _)| *sent > seq);
        known.then(|| recent.map(|(_, user)| *user))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    fn user(n: u8) -> UserId {
        UserId::new([n; 16])
    }

    proptest! {
        /// Nobody who waits is left out: either all who sent since are given,
        /// and nobody else, or it is said that they are not known.
        #[test]
        fn who_is_given_sent_something_since(
            start in 0u64..5, sent in prop::collection::vec(0u8..100, 0..200), from in 0u64..220,
        ) {
            let mut senders = Senders::unknown_up_to(start);
            let mut last = BTreeMap::new();
            for (seq, n) in (start + 1..).zip(sent) {
                senders.note(user(n), seq);
                last.insert(user(n), seq);
            }
            prop_assert!(senders.recent.len() <= SENDERS);
            let since = senders.since(from).map(|given| given.collect::<BTreeSet<_>>());
            match since {
                Some(given) => {
                    let all: BTreeSet<_> = last.iter().filter(|(_, seq)| **seq > from).map(|(user, _)| *user).collect();
                    prop_assert_eq!(given, all);
                }
                None => prop_assert!(from < start || last.len() > SENDERS),
            }
        }
    }
}
