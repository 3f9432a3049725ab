//! What a check found: one line for each check, with some examples and the remedy.

use std::collections::BTreeMap;

use serde::Serialize;

/// How a thing stands. The worst of several is the highest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Ok,
    /// Works, and should be looked at.
    Warning,
    /// Something is wrong.
    Problem,
}

/// What one check found. As JSON it is one line of the operator's output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Which check.
    pub check: &'static str,
    /// How it stands.
    pub status: Status,
    /// What was found, in words.
    pub found: String,
    /// Where, of each sort of trouble the first ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<String>,
    /// What the operator can do about it; empty when nothing is to be done.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub remedy: &'static str,
}

impl Line {
    /// A check that found nothing to complain of.
    pub fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, status: Status::Ok, found: found.into(), examples: Vec::new(), remedy: "" }
    }

    /// A check that found something to be looked at.
    pub fn warning(check: &'static str, found: impl Into<String>, remedy: &'static str) -> Self {
        Self { status: Status::Warning, remedy, ..Self::ok(check, found) }
    }

    /// A check that found something wrong.
    pub fn problem(check: &'static str, found: impl Into<String>, remedy: &'static str) -> Self {
        Self { status: Status::Problem, remedy, ..Self::ok(check, found) }
    }
}

/// The checks that go through the rows of a store, in the order they are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Check {
    /// Checksums: every row can be read.
    Checksums,
    /// Keys and values are what their tables hold, where they belong.
    Rows,
    /// Logs are dense, and entries are what was sent.
    Logs,
    /// Conversations are what their logs made of them.
    States,
    /// Each entry has the answer to its send.
    Dedupe,
    /// Edits, deletions, reactions and pins.
    Relations,
    /// Who is named where, and what counts no more.
    Mentions,
    /// Cursors and when they moved.
    Cursors,
    /// How far conversations are erased, and invites.
    Retention,
    /// What is still to be carried to feeds.
    Outbox,
    /// Feeds and their index.
    Feeds,
    /// Users, names, devices, tokens.
    Accounts,
    /// Blocks, and what people hid.
    People,
}

const RESCUE: &str = "restore a copy, or stop the server and run: parley doctor --salvage NEWDIR; \
                      the new store has all that can be read";
const ANEW: &str =
    "stop the server and run: parley doctor --salvage NEWDIR; it makes these rows anew";

impl Check {
    /// All of them.
    pub(super) const ALL: [Self; 13] = [
        Self::Checksums,
        Self::Rows,
        Self::Logs,
        Self::States,
        Self::Dedupe,
        Self::Relations,
        Self::Mentions,
        Self::Cursors,
        Self::Retention,
        Self::Outbox,
        Self::Feeds,
        Self::Accounts,
        Self::People,
    ];

    /// Its name in the output. Scripts read it: it never changes.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Checksums => "checksums",
            Self::Rows => "rows",
            Self::Logs => "logs",
            Self::States => "conversations",
            Self::Dedupe => "dedupe",
            Self::Relations => "relations",
            Self::Mentions => "mentions",
            Self::Cursors => "cursors",
            Self::Retention => "retention",
            Self::Outbox => "outbox",
            Self::Feeds => "feeds",
            Self::Accounts => "accounts",
            Self::People => "people",
        }
    }

    const fn remedy(self) -> &'static str {
        match self {
            Self::Checksums | Self::Rows | Self::Logs | Self::States => RESCUE,
            Self::Dedupe
            | Self::Relations
            | Self::Mentions
            | Self::Cursors
            | Self::Retention
            | Self::Outbox
            | Self::Feeds
            | Self::Accounts
            | Self::People => ANEW,
        }
    }
}

/// Of one sort of trouble, examples that are kept.
const EXAMPLES: usize = 8;

/// Counts what the checks of rows find. Bounded: of each sort the number and the first
/// examples.
#[derive(Debug, Default)]
pub(super) struct Tally {
    troubles: BTreeMap<(Check, &'static str), Trouble>,
    /// What a check went through.
    seen: BTreeMap<Check, u64>,
    /// What could not be compared, and why.
    spared: BTreeMap<(Check, &'static str), u64>,
}

#[derive(Debug, Default)]
struct Trouble {
    count: u64,
    examples: Vec<String>,
}

impl Tally {
    /// Notes `count` of one sort of trouble; where is asked for the first ones alone.
    pub(super) fn note(
        &mut self,
        check: Check,
        what: &'static str,
        place: impl FnOnce() -> String,
    ) {
        let trouble = self.troubles.entry((check, what)).or_default();
        trouble.count += 1;
        if trouble.examples.len() < EXAMPLES {
            trouble.examples.push(place());
        }
    }

    /// Counts something that was looked at.
    pub(super) fn saw(&mut self, check: Check, count: u64) {
        *self.seen.entry(check).or_default() += count;
    }

    /// Counts something that was not compared.
    pub(super) fn spare(&mut self, check: Check, why: &'static str) {
        *self.spared.entry((check, why)).or_default() += 1;
    }

    /// One line for each check.
    pub(super) fn lines(&self) -> Vec<Line> {
        Check::ALL.into_iter().map(|check| self.line(check)).collect()
    }

    fn line(&self, check: Check) -> Line {
        let of = |(key, _): &(&(Check, &'static str), _)| key.0 == check;
        let troubles: Vec<_> = self.troubles.iter().filter(|it| it.0.0 == check).collect();
        let mut found: Vec<String> =
            troubles.iter().map(|((_, what), it)| format!("{} {what}", it.count)).collect();
        if found.is_empty() {
            let seen = self.seen.get(&check).copied().unwrap_or(0);
            found.push(format!("{seen} looked at"));
        }
        let spared: Vec<_> = self.spared.iter().filter(of).collect();
        found.extend(spared.iter().map(|((_, why), count)| format!("{count} not compared: {why}")));
        let example = |((_, what), it): &(&(Check, &'static str), &Trouble)| {
            let more = it.count - it.examples.len() as u64;
            let mut examples: Vec<_> =
                it.examples.iter().map(|place| format!("{what}: {place}")).collect();
            if more > 0 {
                examples.push(format!("{what}: and {more} more"));
            }
            examples
        };
        let status = match (troubles.is_empty(), spared.is_empty()) {
            (false, _) => Status::Problem,
            (true, false) => Status::Warning,
            (true, true) => Status::Ok,
        };
        let remedy = match status {
            Status::Problem => check.remedy(),
            Status::Warning | Status::Ok => "",
        };
        Line {
            check: check.name(),
            status,
            found: found.join("; "),
            examples: troubles.iter().flat_map(example).collect(),
            remedy,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_counts_all_and_shows_the_first() {
        let mut tally = Tally::default();
        for n in 0..20 {
            tally.note(Check::Logs, "entries are missing", || format!("seq {n}"));
        }
        tally.saw(Check::Feeds, 7);
        let lines = tally.lines();
        let logs = lines.iter().find(|line| line.check == "logs").unwrap();
        assert_eq!((logs.status, &*logs.found), (Status::Problem, "20 entries are missing"));
        assert_eq!(logs.examples.len(), EXAMPLES + 1);
        assert_eq!(logs.examples[EXAMPLES], "entries are missing: and 12 more");
        let feeds = lines.iter().find(|line| line.check == "feeds").unwrap();
        assert_eq!((feeds.status, &*feeds.found), (Status::Ok, "7 looked at"));
    }

    #[test]
    fn a_line_as_json_is_pinned() {
        let ok = serde_json::to_string(&Line::ok("space", "1 GiB free")).unwrap();
        assert_eq!(ok, r#"{"check":"space","status":"ok","found":"1 GiB free"}"#);
        let problem = Line {
            examples: vec!["a".to_owned()],
            ..Line::problem("logs", "1 entry is missing", "do something")
        };
        assert_eq!(
            serde_json::to_string(&problem).unwrap(),
            r#"{"check":"logs","status":"problem","found":"1 entry is missing","examples":["a"],"remedy":"do something"}"#
        );
    }
}
