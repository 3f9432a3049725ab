//! The feed: per user and conversation, how far things are.
//!
//! It is derived state. Every field but the times only grows, so that merging is
//! taking the larger of each; a time goes with the seq it belongs to, so that one of a
//! clock that was ahead gives way to the next. So updates may come
//! twice or in any order, a burst merges into one write, and after a crash replaying
//! the outbox ends at the same value.
//!
//! Unread is not counted, it follows: messages up to the end of the log minus
//! messages up to the floor, where the floor is the furthest of what was read,
//! what the user last sent, and where they joined; less those deleted since.

/// One conversation as it stands for one user.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FeedEntry {
    /// Orders the user's feed; larger than any version given before.
    pub version: u64,
    /// End of the conversation's log.
    pub last_seq: u64,
    /// Messages up to it.
    pub last_ordinal: u64,
    /// Its time, Unix milliseconds.
    pub last_time_ms: u64,
    /// Seq of the newest message, or of the entry by which the user came in.
    pub message_seq: u64,
    /// When that was stamped.
    pub message_ms: u64,
    /// The user's read cursor.
    pub read_seq: u64,
    /// Messages up to the floor.
    pub floor_ordinal: u64,
    /// Seq of the user's own last message.
    pub sent_seq: u64,
    /// Revision of what the user set here for themselves.
    pub revision: u64,
    /// It is a 1:1; of one that was written before this was kept it isn't known.
    pub direct: bool,
}

impl FeedEntry {
    /// Takes what `other` knows better.
    pub fn merge(&mut self, other: &Self) {
        self.version = self.version.max(other.version);
        (self.last_seq, self.last_time_ms) =
            (self.last_seq, self.last_time_ms).max((other.last_seq, other.last_time_ms));
        (self.message_seq, self.message_ms) =
            (self.message_seq, self.message_ms).max((other.message_seq, other.message_ms));
        self.last_ordinal = self.last_ordinal.max(other.last_ordinal);
        self.read_seq = self.read_seq.max(other.read_seq);
        self.floor_ordinal = self.floor_ordinal.max(other.floor_ordinal);
        self.sent_seq = self.sent_seq.max(other.sent_seq);
        self.revision = self.revision.max(other.revision);
        self.direct |= other.direct;
    }

    /// Ordinals that may be unread: above the first, up to the second.
    #[must_use]
    pub const fn unread_range(&self) -> (u64, u64) {
        (self.floor_ordinal, self.last_ordinal)
    }

    /// Messages the user has not read, when `deleted` of those in
    /// [`unread_range`](Self::unread_range) are deleted.
    #[must_use]
    pub const fn unread(&self, deleted: u64) -> u64 {
        self.last_ordinal.saturating_sub(self.floor_ordinal).saturating_sub(deleted)
    }
}

/// Gives out feed versions that only grow, also across restarts.
///
/// A version is the number of the start in its upper 24 bits and a counter in
/// the lower 40. Feed rows are written lazily, so a crash may forget the last
/// versions given out; the next start's are larger all the same, and a device
/// never misses a change because its position was forgotten.
#[derive(Debug, Clone)]
pub struct FeedVersions {
    next: u64,
}

impl FeedVersions {
    const COUNTER_BITS: u32 = 40;

    /// Versions of the `start`-th start of this data folder, counting from 1.
    #[must_use]
    pub const fn new(start: u64) -> Self {
        Self { next: (start << Self::COUNTER_BITS) + 1 }
    }

    /// The next version.
    pub const fn next(&mut self) -> u64 {
        let version = self.next;
        self.next += 1;
        version
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What happens to one user's conversation, in terms anyone can count.
    #[derive(Debug, Clone)]
    enum Happening {
        OtherSends { countable: bool },
        UserSends,
        UserReads { back: u64 },
        Deletes { back: u64 },
    }

    fn happenings() -> impl Strategy<Value = Vec<Happening>> {
        let one = prop_oneof![
            4 => any::<bool>().prop_map(|countable| Happening::OtherSends { countable }),
            1 => Just(Happening::UserSends),
            2 => (0u64..6).prop_map(|back| Happening::UserReads { back }),
            1 => (0u64..9).prop_map(|back| Happening::Deletes { back }),
        ];
        prop::collection::vec(one, 0..60)
    }

    proptest! {
        /// The arithmetic equals counting, deletions included, and neither order nor repetition of
        /// the updates matters.
        #[test]
        fn unread_equals_counting(history in happenings(), shuffle: u64) {
            // (seq, countable, own) of every entry, and what is read.
            let (mut log, mut read, mut updates) = (Vec::new(), 0usize, Vec::new());
            let mut deleted = std::collections::BTreeSet::new();
            let ordinal = |log: &[(bool, bool)], to: usize| log[..to].iter().filter(|e| e.0).count() as u64;
            for step in history {
                let mut update = FeedEntry::default();
                match step {
                    Happening::OtherSends { countable } => log.push((countable, false)),
                    Happening::UserSends => {
                        log.push((true, true));
                        update.floor_ordinal = ordinal(&log, log.len());
                    }
                    Happening::UserReads { back } => {
                        read = read.max(log.len().saturating_sub(back as usize));
                        update.read_seq = read as u64;
                        update.floor_ordinal = ordinal(&log, read);
                    }
                    Happening::Deletes { back } => {
                        let seq = log.len().saturating_sub(back as usize);
                        if seq > 0 && log[seq - 1].0 {
                            deleted.insert(seq);
                            log.push((false, false));
                        }
                    }
                }
                update.last_seq = log.len() as u64;
                update.last_ordinal = ordinal(&log, log.len());
                updates.push(update);
            }
            let own_last = log.iter().rposition(|e| e.1).map_or(0, |at| at + 1);
            let floor = read.max(own_last);
            let unread = |seq: &usize| *seq > floor && log[seq - 1].0 && !deleted.contains(seq);
            let expected = (1..=log.len()).filter(unread).count() as u64;

            let mut entry = FeedEntry::default();
            let n = updates.len();
            for at in 0..2 * n {
                // Any order, every update at least once, many twice.
                let pick = if at < n { at } else { (at as u64).wrapping_mul(shuffle | 1) as usize % n };
                entry.merge(&updates[n - 1 - pick]);
            }
            let (above, to) = entry.unread_range();
            let gone = deleted.iter().map(|seq| ordinal(&log, *seq));
            let gone = gone.filter(|ordinal| *ordinal > above && *ordinal <= to).count() as u64;
            prop_assert_eq!(entry.unread(gone), expected);
        }
    }

    #[test]
    fn a_time_gives_way_to_that_of_a_later_entry_in_any_order() {
        let at = |seq, time_ms, message_seq, message_ms| FeedEntry {
            last_seq: seq,
            last_time_ms: time_ms,
            message_seq,
            message_ms,
            ..FeedEntry::default()
        };
        // A message of a clock that was ahead, a reaction, a message.
        let updates = [at(1, 9000, 1, 9000), at(2, 10, 0, 0), at(3, 20, 3, 20)];
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [0, 2, 1]] {
            let mut entry = FeedEntry::default();
            order.iter().chain(&order).for_each(|which| entry.merge(&updates[*which]));
            assert_eq!((entry.last_time_ms, entry.message_ms), (20, 20));
        }
        // A row from before the seq was kept.
        let mut old = at(1, 9000, 0, 9000);
        old.merge(&at(2, 10, 0, 0));
        assert_eq!((old.last_time_ms, old.message_ms), (10, 9000));
        old.merge(&at(3, 20, 3, 20));
        assert_eq!(old.message_ms, 20);
    }

    #[test]
    fn the_versions_of_a_start_are_pinned() {
        // Devices keep them as their positions: the next server's must be larger.
        assert_eq!(FeedVersions::new(1).next(), (1 << 40) + 1);
        assert_eq!(FeedVersions::new(3).next(), (3 << 40) + 1);
    }

    #[test]
    fn versions_grow_across_restarts() {
        let mut first = FeedVersions::new(1);
        let last = (0..1000).map(|_| first.next()).max().unwrap();
        assert!(FeedVersions::new(2).next() > last);
        assert!(FeedVersions::new(1).next() > 0);
    }
}
