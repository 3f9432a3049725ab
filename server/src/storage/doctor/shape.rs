//! The shape of one log: of each entry its kind and whether its body is gone, one byte
//! each, and where it ends. By it rows that name an entry are checked without reading
//! the entry again.

use parley_core::conversation::Position;
use parley_protocol::body::is_countable;

use crate::storage::store::EntryHead;

/// Entries of one conversation that are remembered; what names later ones is not
/// compared.
const ENTRIES: usize = 64 << 20;

/// Entries between two ordinals that are remembered.
const EVERY: usize = 256;

const KIND: u8 = 0x3f;
const COVERED: u8 = 0x40;
const ERASED: u8 = 0x80;
const MISSING: u8 = KIND;

/// The shape of one log.
#[derive(Debug, Default)]
pub(super) struct Shape {
    entries: Vec<u8>,
    ordinals: Vec<u64>,
    /// Where it ends.
    pub(super) end: Position,
    /// Whether entries are missing in it.
    pub(super) has_holes: bool,
    /// Whether entries may be missing at its end.
    pub(super) is_open: bool,
}

/// What is known of one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// It is there.
    There { kind: u32, erased: bool },
    /// It can't be read, or isn't remembered.
    Unknown,
    /// The log doesn't reach so far, or there is no such seq.
    Beyond,
}

impl Shape {
    /// Notes the next entry, behind which the ones before it are missing if they weren't
    /// noted.
    pub(super) fn push(&mut self, seq: u64, head: &EntryHead) {
        self.skip_to(seq);
        if self.entries.len() < ENTRIES {
            if self.entries.len().is_multiple_of(EVERY) {
                // Messages before it.
                self.ordinals.push(head.ordinal.saturating_sub(u64::from(is_countable(head.kind))));
            }
            let kind = u8::try_from(head.kind).unwrap_or(KIND).min(KIND - 1);
            self.entries.push(kind | if head.erased { ERASED } else { 0 });
        }
        self.end = Position { seq, ..head.position() };
    }

    /// Notes that what was at this seq is lost, and where the log stands there.
    pub(super) fn hold(&mut self, seq: u64, head: &EntryHead) {
        self.skip_to(seq + 1);
        self.has_holes = true;
        self.end = Position { seq, ..head.position() };
    }

    /// The entries before this seq that weren't noted are missing.
    pub(super) fn skip_to(&mut self, seq: u64) {
        while (self.entries.len() as u64) < seq.saturating_sub(1) && self.entries.len() < ENTRIES {
            self.has_holes = true;
            if self.entries.len().is_multiple_of(EVERY) {
                self.ordinals.push(self.end.ordinal);
            }
            self.entries.push(MISSING);
        }
    }

    fn at(&self, seq: u64) -> Option<usize> {
        usize::try_from(seq).ok()?.checked_sub(1)
    }

    /// What is known of an entry.
    pub(super) fn of(&self, seq: u64) -> Known {
        match self.at(seq).map(|at| self.entries.get(at)) {
            Some(Some(entry)) if entry & KIND == MISSING => Known::Unknown,
            Some(Some(entry)) => {
                Known::There { kind: u32::from(entry & KIND), erased: entry & ERASED != 0 }
            }
            Some(None) if seq <= self.end.seq || self.is_open => Known::Unknown,
            Some(None) | None => Known::Beyond,
        }
    }

    /// Messages up to a seq, when nothing is missing.
    pub(super) fn ordinal(&self, seq: u64) -> Option<u64> {
        let at = self.at(seq)?;
        if self.has_holes || at >= self.entries.len() {
            return None;
        }
        let first = at / EVERY * EVERY;
        let counted = self.entries.get(first..=at)?.iter();
        let counted = counted.filter(|entry| is_countable(u32::from(**entry & KIND))).count();
        Some(self.ordinals.get(at / EVERY)? + counted as u64)
    }

    /// Notes that something says that this message counts no more, and as many messages
    /// before it as `count` says. Returns whether they are messages whose bodies are gone.
    pub(super) fn cover(&mut self, seq: u64, count: u64) -> bool {
        let (mut left, mut at) = (count.max(1), self.at(seq));
        while let Some(now) = at {
            let Some(entry) = self.entries.get_mut(now) else { return false };
            let kind = *entry & KIND;
            if kind == MISSING {
                return true;
            }
            if is_countable(u32::from(kind)) {
                if *entry & ERASED == 0 {
                    return false;
                }
                *entry |= COVERED;
                left -= 1;
                if left == 0 {
                    return true;
                }
            }
            at = now.checked_sub(1);
        }
        false
    }

    /// The first message whose body is gone and that nothing covers.
    pub(super) fn uncovered(&self) -> Option<u64> {
        let open = |entry: &u8| {
            is_countable(u32::from(entry & KIND)) && entry & (ERASED | COVERED) == ERASED
        };
        self.entries.iter().position(open).map(|at| at as u64 + 1)
    }

    /// The first entry up to `seq` that still has its body.
    pub(super) fn unerased(&self, seq: u64) -> Option<u64> {
        let up_to = usize::try_from(seq).unwrap_or(usize::MAX).min(self.entries.len());
        let kept = |entry: &u8| entry & KIND != MISSING && entry & ERASED == 0;
        self.entries.get(..up_to)?.iter().position(kept).map(|at| at as u64 + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(seq: u64, ordinal: u64, kind: u32, erased: bool) -> EntryHead {
        EntryHead { seq, ordinal, kind, erased, ..EntryHead::default() }
    }

    #[test]
    fn entries_are_found_and_counted() {
        let mut shape = Shape::default();
        let mut ordinal = 0;
        for seq in 1..=1000 {
            let kind = if seq % 3 == 0 { 4 } else { 1 };
            ordinal += u64::from(kind == 1);
            shape.push(seq, &head(seq, ordinal, kind, false));
            assert_eq!(shape.ordinal(seq), Some(ordinal), "{seq}");
        }
        assert_eq!(shape.of(3), Known::There { kind: 4, erased: false });
        assert_eq!((shape.of(0), shape.of(1001)), (Known::Beyond, Known::Beyond));
        assert_eq!(shape.end.seq, 1000);
        assert_eq!(shape.ordinal(256), Some(256 - 85));
    }

    #[test]
    fn what_is_missing_is_unknown() {
        let mut shape = Shape::default();
        shape.push(1, &head(1, 1, 1, false));
        shape.push(4, &head(4, 3, 1, false));
        assert_eq!(shape.of(2), Known::Unknown);
        assert_eq!(shape.ordinal(4), None);
    }

    #[test]
    fn a_run_covers_messages_and_passes_over_the_rest() {
        let mut shape = Shape::default();
        for (seq, kind, erased) in [(1, 1, false), (2, 1, true), (3, 4, true), (4, 1, true)] {
            shape.push(seq, &head(seq, seq, kind, erased));
        }
        assert_eq!(shape.uncovered(), Some(2));
        assert!(shape.cover(4, 2));
        assert_eq!(shape.uncovered(), None);
        assert!(!shape.cover(4, 3) && !shape.cover(1, 0) && !shape.cover(9, 1));
        assert_eq!((shape.unerased(4), shape.unerased(0)), (Some(1), None));
    }
}
