//! How many messages there are up to a recent seq, without asking the log.

use std::collections::VecDeque;

use super::Position;

/// The runs of messages at the end of a log, as far as they are remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ordinals {
    /// First and last seq of each run without anything between that is no
    /// message, ascending, but for the newest.
    older: VecDeque<(u64, u64)>,
    /// The newest run, which begins empty: nearly every message only makes it longer.
    newest: (u64, u64),
    /// Every message above this seq is in a run.
    known_after: u64,
}

/// Runs remembered. Beyond it the oldest is forgotten.
const RUNS: usize = 32;

impl Ordinals {
    /// Nothing is known of what is in the log up to `seq`.
    pub(super) const fn unknown_up_to(seq: u64) -> Self {
        Self { older: VecDeque::new(), newest: (seq + 1, seq), known_after: seq }
    }

    /// The entry with this seq, which is the last one, is a message.
    pub(super) fn note(&mut self, seq: u64) {
        if self.newest.1 + 1 == seq {
            self.newest.1 = seq;
        } else {
            self.begin(seq);
        }
    }

    #[cold]
    fn begin(&mut self, seq: u64) {
        let (first, last) = std::mem::replace(&mut self.newest, (seq, seq));
        if first > last {
            return;
        }
        self.older.push_back((first, last));
        if self.older.len() >= RUNS
            && let Some((_, last)) = self.older.pop_front()
        {
            self.known_after = self.known_after.max(last);
        }
    }

    /// Messages up to `seq`, which is not above `head`, the end of the log;
    /// `None` when that is no longer known.
    pub(super) fn at(&self, seq: u64, head: Position) -> Option<u64> {
        if seq == 0 {
            return Some(0);
        }
        if seq < self.known_after {
            return None;
        }
        let mut above = 0;
        for (first, last) in std::iter::once(&self.newest).chain(self.older.iter().rev()) {
            if *last <= seq {
                break;
            }
            above += *last - (*first - 1).max(seq);
        }
        Some(head.ordinal.saturating_sub(above))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever is said of a seq is what counting says, and of what was noted
        /// since the beginning of a short log everything is known.
        #[test]
        fn it_equals_counting(
            start in 0u64..20, log in prop::collection::vec(any::<bool>(), 0..200),
        ) {
            let mut ordinals = Ordinals::unknown_up_to(start);
            // What came before counts in full.
            let mut counts: Vec<u64> = (0..=start).collect();
            for message in log {
                let seq = counts.len() as u64;
                if message {
                    ordinals.note(seq);
                }
                counts.push(counts[counts.len() - 1] + u64::from(message));
            }
            let seq = counts.len() as u64 - 1;
            let head = Position { seq, ordinal: counts[counts.len() - 1], time_ms: 1 };
            prop_assert!(ordinals.older.len() < RUNS);
            for (seq, count) in counts.iter().enumerate() {
                let at = ordinals.at(seq as u64, head);
                prop_assert!(at.is_none_or(|at| at == *count), "{seq}: {at:?}");
                let known = seq == 0 || seq as u64 >= ordinals.known_after;
                prop_assert_eq!(at.is_some(), known);
            }
            if counts.len() < 2 * RUNS {
                prop_assert_eq!(ordinals.known_after, start);
            }
        }
    }
}
