//! A position in a conversation's log: what an entry is given, where the log
//! ends, and where a member's cursors stand.

/// A position in a conversation's log, and when it was reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Position {
    /// Seq of the entry there; 0 before the first.
    pub seq: u64,
    /// Countable entries up to and including it.
    pub ordinal: u64,
    /// Unix milliseconds: when the entry was stamped; for a cursor, when it
    /// moved there.
    pub time_ms: u64,
}

impl Position {
    /// The position of the entry behind this one.
    #[must_use]
    pub(super) fn next(self, countable: bool, now_ms: u64) -> Self {
        Self {
            seq: self.seq + 1,
            ordinal: self.ordinal + u64::from(countable),
            // The wall clock may step back; a conversation's time may not.
            time_ms: now_ms.max(self.time_ms),
        }
    }
}
