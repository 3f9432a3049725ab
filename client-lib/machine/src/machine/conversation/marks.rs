//! What the newest entries that were taken look like: by that this device notices
//! that a seq was given again, to another entry.
//!
//! A mark tells entries apart and keeps no text. The newest one survives a
//! restart of the client.

use std::collections::VecDeque;

use parley_protocol::wire;

/// Entries of one conversation that are remembered so.
const MARKS: usize = 16;

/// What one entry looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Its position.
    pub seq: u64,
    /// The server's clock, Unix milliseconds.
    pub time_ms: u64,
    /// A digest of its ordinal, author and kind.
    pub origin: u64,
    /// A digest of its body; 0 where that is not known.
    pub body: u64,
}

impl Mark {
    /// `None` for one that the server itself can't read.
    fn of(entry: &wire::Entry) -> Option<Self> {
        if entry.damaged {
            return None;
        }
        let numbers = [entry.ordinal.to_be_bytes(), u64::from(entry.kind).to_be_bytes()];
        let origin = digest(numbers.as_flattened().iter().chain(&entry.sender));
        // The body may be taken away, and the server may complete that of an own
        // send, of which the answer says no epoch.
        let is_whole = !entry.erased && entry.epoch > 0;
        let body = if is_whole { digest(entry.body.iter()).max(1) } else { 0 };
        Some(Self { seq: entry.seq, time_ms: entry.time_ms, origin, body })
    }

    /// Whether these can't be the same entry.
    fn contradicts(&self, other: &Self) -> bool {
        let bodies = self.body > 0 && other.body > 0 && self.body != other.body;
        self.time_ms != other.time_ms || self.origin != other.origin || bodies
    }
}

#[derive(Debug, Default)]
pub(crate) struct Marks {
    /// In order of seq.
    ring: VecDeque<Mark>,
}

impl Marks {
    pub(crate) fn new(newest: Option<Mark>) -> Self {
        Self { ring: newest.into_iter().collect() }
    }

    /// The newest one.
    pub(crate) fn newest(&self) -> Option<Mark> {
        self.ring.back().copied()
    }

    /// An entry was taken.
    pub(crate) fn note(&mut self, entry: &wire::Entry) {
        let Some(mark) = Mark::of(entry) else { return };
        if self.ring.len() >= MARKS {
            self.ring.pop_front();
        }
        self.ring.push_back(mark);
    }

    /// Whether the entry that was taken at this seq is remembered.
    pub(crate) fn know(&self, seq: u64) -> bool {
        self.ring.iter().any(|mark| mark.seq == seq)
    }

    /// Whether another entry was taken at this one's seq.
    pub(crate) fn contradict(&self, entry: &wire::Entry) -> bool {
        let known = self.ring.iter().find(|mark| mark.seq == entry.seq);
        known.zip(Mark::of(entry)).is_some_and(|(known, new)| known.contradicts(&new))
    }
}

/// FNV-1a: it is kept on disk, so it must stay what it is.
fn digest<'a>(bytes: impl Iterator<Item = &'a u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn entry(seq: u64) -> wire::Entry {
        wire::Entry {
            seq,
            ordinal: seq,
            time_ms: 5,
            epoch: 1,
            sender: Bytes::from_static(&[1; 16]),
            kind: 1,
            body: Bytes::from_static(b"hi"),
            ..wire::Entry::default()
        }
    }

    fn marks(seqs: impl Iterator<Item = u64>) -> Marks {
        let mut marks = Marks::default();
        seqs.for_each(|seq| marks.note(&entry(seq)));
        marks
    }

    #[test]
    fn another_entry_at_a_known_seq_is_noticed_whatever_differs() {
        let marks = marks(1..=3);
        assert!(!marks.contradict(&entry(2)));
        for other in [
            wire::Entry { time_ms: 6, ..entry(2) },
            wire::Entry { ordinal: 1, ..entry(2) },
            wire::Entry { kind: 2, ..entry(2) },
            wire::Entry { sender: Bytes::from_static(&[2; 16]), ..entry(2) },
            wire::Entry { body: Bytes::from_static(b"ho"), ..entry(2) },
            wire::Entry { body: Bytes::new(), ..entry(2) },
        ] {
            assert!(marks.contradict(&other), "{other:?}");
        }
        assert!(!marks.contradict(&wire::Entry { time_ms: 6, ..entry(4) }));
    }

    #[test]
    fn what_may_change_of_an_entry_does_not_count() {
        let erased = wire::Entry { body: Bytes::new(), erased: true, ..entry(2) };
        let damaged = wire::Entry { seq: 2, damaged: true, ..wire::Entry::default() };
        let own = wire::Entry { epoch: 0, body: Bytes::new(), ..entry(2) };
        for same in [&erased, &damaged, &own] {
            assert!(!marks(1..=3).contradict(same));
            let mut known = Marks::default();
            known.note(same);
            assert!(!known.contradict(&entry(2)));
        }
        let mut known = Marks::default();
        known.note(&erased);
        assert!(known.contradict(&wire::Entry { time_ms: 6, ..entry(2) }));
    }

    #[test]
    fn the_newest_are_remembered_and_one_survives() {
        let marks = marks(1..=40);
        let other = |seq| wire::Entry { time_ms: 6, ..entry(seq) };
        assert!(!marks.contradict(&other(24)) && marks.contradict(&other(25)));
        let again = Marks::new(marks.newest());
        assert!(again.contradict(&other(40)) && !again.contradict(&entry(40)));
    }

    #[test]
    fn digests_are_what_they_were() {
        assert_eq!(digest(b"".iter()), 0xcbf2_9ce4_8422_2325);
        assert_eq!(digest(b"hi".iter()), 0x08ba_5f07_b55e_c3da);
    }
}
