//! Counts as they are kept, and what a new count means.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

/// Instructions that a count may move by itself: what start-up took isn't quite the same twice.
const SLACK: f64 = 4.0;

/// Instructions of each step, and the compiler that made them.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Baseline {
    pub(crate) compiler: String,
    pub(crate) instructions: BTreeMap<String, f64>,
}

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Same,
    /// Fewer: the baseline is to be made anew, or the gain can be lost unseen.
    Fewer,
    More,
    /// The baseline doesn't have it.
    Unknown,
}

impl Change {
    /// For the table.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Same => "",
            Self::Fewer => "fewer: record the baseline anew",
            Self::More => "MORE",
            Self::Unknown => "not in the baseline",
        }
    }
}

impl Baseline {
    /// Reads it.
    ///
    /// # Errors
    /// When it isn't there or is something else.
    pub(crate) fn load(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("reading {}", path.display()))
    }

    /// Writes it.
    ///
    /// # Errors
    /// When it can't be written.
    pub(crate) fn save(&self, path: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))
    }

    /// The exit status of a check: 1 when a step takes more than the tolerance allows, 2 when one
    /// is not in here, 0 for counts of another compiler.
    pub(crate) fn verdict(&self, now: &Self, tolerance: f64) -> u8 {
        if self.compiler != now.compiler {
            return 0;
        }
        let changes = now.instructions.iter().map(|(step, count)| {
            match self.judge(step, *count, tolerance).1 {
                Change::Same | Change::Fewer => 0,
                Change::More => 1,
                Change::Unknown => 2,
            }
        });
        changes.max().unwrap_or(0)
    }

    /// What it says of a step, and what `count` means beside it.
    pub(crate) fn judge(&self, step: &str, count: f64, tolerance: f64) -> (Option<f64>, Change) {
        let Some(was) = self.instructions.get(step).copied() else {
            return (None, Change::Unknown);
        };
        let change = if count > was * (1.0 + tolerance) + SLACK {
            Change::More
        } else if count < was * (1.0 - tolerance) - SLACK {
            Change::Fewer
        } else {
            Change::Same
        };
        (Some(was), change)
    }
}

/// The count in what cachegrind says: `==1== I   refs:      1,234,567`.
pub(crate) fn parse_count(said: &str) -> Option<u64> {
    let line = said.lines().find(|line| line.contains("refs:") && line.contains("I "))?;
    let (_, count) = line.rsplit_once(' ')?;
    count.replace(',', "").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_read() {
        let said = "==7== Cachegrind\n==7== \n==7== I   refs:      12,345,678\n";
        assert_eq!(parse_count(said), Some(12_345_678));
        assert_eq!(parse_count("==7== Cachegrind"), None);
    }

    #[test]
    fn growth_beyond_the_tolerance_is_more() {
        let instructions = BTreeMap::from([("a".to_owned(), 1000.0)]);
        let baseline = Baseline { compiler: String::new(), instructions };
        let change = |count| baseline.judge("a", count, 0.03).1;
        assert_eq!(change(1034.0), Change::Same);
        assert_eq!(change(1035.0), Change::More);
        assert_eq!(change(965.0), Change::Fewer);
        assert_eq!(baseline.judge("b", 1.0, 0.03), (None, Change::Unknown));
    }

    #[test]
    fn growth_fails_a_check_and_another_compiler_does_not() {
        let counted = |compiler: &str, steps: &[(&str, f64)]| Baseline {
            compiler: compiler.to_owned(),
            instructions: steps.iter().map(|(step, count)| ((*step).to_owned(), *count)).collect(),
        };
        let baseline = counted("one", &[("a", 1000.0), ("b", 50.0)]);
        let verdict = |now: &Baseline| baseline.verdict(now, 0.03);
        assert_eq!(verdict(&counted("one", &[("a", 900.0), ("b", 55.0)])), 0);
        assert_eq!(verdict(&counted("one", &[("a", 1000.0), ("b", 56.0)])), 1);
        assert_eq!(verdict(&counted("one", &[("c", 1.0), ("b", 56.0)])), 2);
        assert_eq!(verdict(&counted("two", &[("a", 9000.0)])), 0);
    }
}
