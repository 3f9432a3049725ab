//! Loss, duplicates and order, for every message of a run.
//!
//! The receiver's [`ReceivedLog`] takes every message as it comes; the sender's [`SentLog`] knows
//! which were acknowledged. Once both are at rest [`check`] compares them: an
//! acknowledged message that the peer never got is lost. Messages without an answer
//! may or may not arrive; both are right.

use std::collections::BTreeSet;

/// What one user received from the peer.
#[derive(Debug, Default)]
pub(crate) struct ReceivedLog {
    next: u64,
    holes: BTreeSet<u64>,
    last_seq: u64,
    /// Messages, each counted once.
    pub(crate) count: u64,
    /// Messages that came again.
    pub(crate) duplicates: u64,
    /// Messages that came after a later one, or whose seq did not grow.
    pub(crate) reordered: u64,
}

/// What one user sent and what became of it.
#[derive(Debug, Default)]
pub(crate) struct SentLog {
    /// Messages sent: numbers below this.
    pub(crate) next: u64,
    /// Those the server did not acknowledge, because it refused or never answered.
    pub(crate) not_acknowledged: BTreeSet<u64>,
}

/// The seqs one user saw of the conversation, own and foreign.
#[derive(Debug, Default)]
pub(crate) struct Seqs {
    lowest: Option<u64>,
    highest: u64,
    count: u64,
}

/// What is wrong in one direction of one pair.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) lost: u64,
    pub(crate) duplicates: u64,
    pub(crate) reordered: u64,
}

impl ReceivedLog {
    /// Takes message `number` with its `seq`, 0 where there is none.
    pub(crate) fn take(&mut self, number: u64, seq: u64) {
        if number >= self.next {
            self.holes.extend(self.next..number);
            self.next = number + 1;
            self.count += 1;
            if seq != 0 && seq <= self.last_seq {
                self.reordered += 1;
            }
        } else if self.holes.remove(&number) {
            self.count += 1;
            self.reordered += 1;
        } else {
            self.duplicates += 1;
        }
        self.last_seq = self.last_seq.max(seq);
    }

    fn has(&self, number: u64) -> bool {
        number < self.next && !self.holes.contains(&number)
    }
}

impl Seqs {
    /// Takes one seq.
    pub(crate) fn take(&mut self, seq: u64) {
        if seq != 0 {
            self.lowest = Some(self.lowest.map_or(seq, |lowest| lowest.min(seq)));
            self.highest = self.highest.max(seq);
            self.count += 1;
        }
    }

    /// The highest so far.
    pub(crate) const fn highest(&self) -> u64 {
        self.highest
    }

    /// Seqs between the first and the last that were never seen, or seen twice.
    pub(crate) fn gaps(&self) -> u64 {
        self.lowest.map_or(0, |lowest| (self.highest - lowest + 1).abs_diff(self.count))
    }
}

impl std::ops::AddAssign for Verdict {
    fn add_assign(&mut self, other: Self) {
        self.lost += other.lost;
        self.duplicates += other.duplicates;
        self.reordered += other.reordered;
    }
}

/// Compares what one user sent with what the peer received.
pub(crate) fn check(sent: &SentLog, received: &ReceivedLog) -> Verdict {
    let lost = (received.next..sent.next)
        .chain(received.holes.iter().copied())
        .filter(|number| !sent.not_acknowledged.contains(number) && !received.has(*number))
        .count();
    Verdict { lost: lost as u64, duplicates: received.duplicates, reordered: received.reordered }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(messages: &[(u64, u64)]) -> ReceivedLog {
        let mut received = ReceivedLog::default();
        for (number, seq) in messages {
            received.take(*number, *seq);
        }
        received
    }

    fn sent(next: u64, not_acknowledged: &[u64]) -> SentLog {
        SentLog { next, not_acknowledged: not_acknowledged.iter().copied().collect() }
    }

    #[test]
    fn a_clean_run_is_clean() {
        let received = received(&[(0, 4), (1, 6), (2, 7)]);
        assert_eq!(check(&sent(3, &[]), &received), Verdict::default());
        assert_eq!(received.count, 3);
    }

    #[test]
    fn a_message_lost_in_the_middle_or_at_the_end_is_found() {
        assert_eq!(check(&sent(4, &[]), &received(&[(0, 1), (2, 3)])).lost, 2);
        assert_eq!(check(&sent(1, &[]), &ReceivedLog::default()).lost, 1);
    }

    #[test]
    fn a_message_nobody_acknowledged_may_be_missing_or_there() {
        assert_eq!(check(&sent(3, &[1, 2]), &received(&[(0, 1)])).lost, 0);
        assert_eq!(check(&sent(3, &[1, 2]), &received(&[(0, 1), (1, 2)])).lost, 0);
    }

    #[test]
    fn duplicates_and_order_are_told_apart() {
        let twice = received(&[(0, 1), (1, 2), (1, 2)]);
        assert_eq!((twice.duplicates, twice.reordered, twice.count), (1, 0, 2));
        let late = received(&[(0, 1), (2, 3), (1, 2)]);
        assert_eq!((late.duplicates, late.reordered, late.count), (0, 1, 3));
        assert_eq!(check(&sent(3, &[]), &late).lost, 0);
        let falling = received(&[(0, 5), (1, 4)]);
        assert_eq!(falling.reordered, 1);
    }

    #[test]
    fn seqs_are_dense_or_the_gap_is_counted() {
        let gaps = |seqs: &[u64]| {
            let mut all = Seqs::default();
            seqs.iter().for_each(|seq| all.take(*seq));
            all.gaps()
        };
        assert_eq!(gaps(&[]), 0);
        assert_eq!(gaps(&[7, 5, 6, 8]), 0);
        assert_eq!(gaps(&[5, 7, 8]), 1);
        assert_eq!(gaps(&[5, 6, 6]), 1);
    }
}
