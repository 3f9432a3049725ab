//! Rows that can't be read any more: said in the log once each, and counted.
//!
//! At most [`ROWS_SAID`] rows are remembered as said, and [`AT_ONCE`] are said a
//! minute: a whole file that rotted fills no log. Each time one is met counts in
//! `parley_store_damaged_rows_total`.

use std::collections::HashSet;
use std::hash::BuildHasher as _;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustc_hash::FxBuildHasher;

use super::engine::Trouble;
use super::{EngineError, StoreError, Table};
use crate::base::clock::now;
use crate::base::metrics::list as metric;

/// Rows remembered as said; beyond it all are forgotten and may be said again.
const ROWS_SAID: usize = 4096;

/// Rows said a minute; the next line says how many were not.
const AT_ONCE: u32 = 10;

const MINUTE: Duration = Duration::from_secs(60);

/// What was said of damaged rows.
#[derive(Debug, Default)]
pub(super) struct Damage {
    said: Mutex<Said>,
}

#[derive(Debug, Default)]
struct Said {
    rows: HashSet<u64, FxBuildHasher>,
    since: Option<Instant>,
    in_minute: u32,
    unsaid: u64,
}

impl Damage {
    /// Notes that a row can't be read, and says what it is to be called. `cause` is
    /// the engine's, `None` when the row was read and is not what its table holds.
    pub(super) fn met(&self, table: Table, key: &[u8], cause: Option<&EngineError>) -> StoreError {
        metric::damaged_rows().increment(1);
        let error = StoreError::corrupt(table, key);
        if let Some(unsaid) = self.said.lock().may_say(table, key) {
            let cause = cause.map_or("it does not decode", |cause| cause.cause.as_str());
            tracing::warn!(
                %error, cause, unsaid,
                "a row can't be read: what it holds is missing, and nothing else; `parley doctor` finds all such rows"
            );
        }
        error
    }
}

impl Said {
    /// Whether this row is said now, and how many were not since the last one.
    fn may_say(&mut self, table: Table, key: &[u8]) -> Option<u64> {
        let hash = FxBuildHasher.hash_one((table.name(), key));
        if self.rows.contains(&hash) {
            return None;
        }
        let now = now();
        if self.since.is_none_or(|since| now.saturating_duration_since(since) >= MINUTE) {
            (self.since, self.in_minute) = (Some(now), 0);
        }
        if self.in_minute >= AT_ONCE {
            self.unsaid = self.unsaid.saturating_add(1);
            return None;
        }
        self.in_minute += 1;
        if self.rows.len() >= ROWS_SAID {
            self.rows.clear();
        }
        self.rows.insert(hash);
        Some(std::mem::take(&mut self.unsaid))
    }
}

impl StoreError {
    /// Whether a row is damaged, and not the disk as a whole in trouble.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Corrupt { .. } => true,
            Self::Engine(error) => error.trouble == Trouble::Corrupt,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_is_said_once_and_few_at_a_time() {
        let mut said = Said::default();
        assert_eq!(said.may_say(Table::Entries, b"a"), Some(0));
        assert_eq!(said.may_say(Table::Entries, b"a"), None);
        assert_eq!(said.may_say(Table::Users, b"a"), Some(0));
        let more =
            (0..1000u32).filter(|n| said.may_say(Table::Entries, &n.to_be_bytes()).is_some());
        assert_eq!(more.count(), AT_ONCE as usize - 2);
        said.since = None;
        assert_eq!(said.may_say(Table::Entries, b"b"), Some(1000 - u64::from(AT_ONCE - 2)));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut said = Said::default();
        for n in 0..3 * ROWS_SAID as u64 {
            said.in_minute = 0;
            said.may_say(Table::Entries, &n.to_be_bytes());
            assert!(said.rows.len() <= ROWS_SAID);
        }
    }
}
