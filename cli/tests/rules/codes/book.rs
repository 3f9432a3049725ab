//! What was asked, and the codes it was refused with.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Debug, Write as _};

use parley_protocol::Code;

use super::table::Row;

/// Notes each refusal and compares them with the rows.
pub(super) struct Book<K> {
    rows: BTreeMap<K, Row>,
    seen: BTreeMap<K, BTreeSet<Code>>,
    wrong: String,
}

impl<K: Ord + Clone + Debug> Book<K> {
    pub(super) fn new(rows: BTreeMap<K, Row>) -> Self {
        Self { rows, seen: BTreeMap::new(), wrong: String::new() }
    }

    /// Something of this name was refused with a code.
    pub(super) fn note(&mut self, name: &K, code: Code) {
        let row = self.rows.get(name).unwrap_or_else(|| panic!("no row for {name:?}"));
        if self.seen.entry(name.clone()).or_default().insert(code) && !row.lists(code) {
            let _ = writeln!(self.wrong, "{name:?} answers {code}, which its row doesn't list");
        }
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = (&K, &Row)> {
        self.rows.iter()
    }

    /// # Panics
    /// When something was not listed, or what is listed was not seen.
    pub(super) fn close(mut self) {
        for (name, row) in &self.rows {
            let seen = self.seen.get(name).cloned().unwrap_or_default();
            for code in row.provoked.difference(&seen) {
                let _ = writeln!(self.wrong, "{name:?} lists {code}, which nothing provoked");
            }
        }
        assert!(self.wrong.is_empty(), "docs/protocol.md is wrong, or this test:\n{}", self.wrong);
    }
}
