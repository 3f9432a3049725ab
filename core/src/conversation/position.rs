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

/// How far stamps may run ahead of the clock so that none is lower than the one
/// before: more than what daemons correct at once, less than anybody minds on a
/// screen. A clock that was further ahead was wrong, and is not held to.
pub const AHEAD_MS: u64 = 5 * 60_000;

impl Position {
    /// The position of the entry behind this one.
    #[must_use]
    pub(super) fn next(self, countable: bool, now_ms: u64) -> Self {
        let ahead_ms = self.time_ms.saturating_sub(now_ms);
        Self {
            seq: self.seq + 1,
            ordinal: self.ordinal + u64::from(countable),
            time_ms: if ahead_ms > AHEAD_MS { now_ms } else { now_ms.max(self.time_ms) },
        }
    }
}
