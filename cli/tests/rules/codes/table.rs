//! The tables of `docs/protocol.md`: which codes a request, or a path of the HTTP
//! API, may be refused with.
//!
//! A code in backticks is listed; with `°` behind it, it comes from load, a disk
//! or the end of the server, and no test provokes it.

use std::collections::{BTreeMap, BTreeSet};

use parley_protocol::Code;

/// What one row lists.
#[derive(Debug, Clone, Default)]
pub(super) struct Row {
    /// To be provoked.
    pub(super) provoked: BTreeSet<Code>,
    /// Not to be provoked.
    pub(super) beyond: BTreeSet<Code>,
}

impl Row {
    fn read(text: &str) -> Self {
        let mut row = Self::default();
        // Every second piece stands between backticks.
        let pieces: Vec<_> = text.split('`').collect();
        for (index, name) in pieces.iter().enumerate().skip(1).step_by(2) {
            let Some(code) = Code::ALL.iter().copied().find(|code| code.name() == *name) else {
                continue;
            };
            let marked = pieces.get(index + 1).is_some_and(|next| next.starts_with('°'));
            if marked {
                row.beyond.insert(code)
            } else {
                row.provoked.insert(code)
            };
        }
        row
    }

    fn take(&mut self, other: &Self) {
        self.provoked.extend(&other.provoked);
        self.beyond.extend(&other.beyond);
        self.beyond.retain(|code| !self.provoked.contains(code));
    }

    pub(super) fn lists(&self, code: Code) -> bool {
        self.provoked.contains(&code) || self.beyond.contains(&code)
    }
}

/// The rows of requests by name, `Hello` among them; the last one is of an
/// unknown kind and is named "".
pub(super) fn requests() -> BTreeMap<String, Row> {
    let text = document();
    let common = paragraph(&text, "Any request but `Ping` and `Goodbye` may also fail with");
    let (common, _) = common.split_once(", and with").unwrap();
    let common = Row::read(common);
    let mut rows = BTreeMap::new();
    for cells in table(&text, "| Client sends |") {
        let mut row = Row::read(&cells[2]);
        // Not those that end the session, have no answer, or none but `Failure`.
        let closes = cells[2].contains("by `Close`");
        if !closes && !cells[2].is_empty() && cells[1] != "`Failure`" {
            row.take(&common);
        }
        let names: Vec<_> = cells[0].split('`').skip(1).step_by(2).collect();
        if names.is_empty() {
            rows.insert(String::new(), row.clone());
        }
        for name in names {
            rows.insert(name.to_owned(), row.clone());
        }
    }
    assert!(rows.len() > 22, "{:?}", rows.keys());
    rows
}

/// The rows of the HTTP API by method and path.
pub(super) fn paths() -> BTreeMap<(String, String), Row> {
    let text = document();
    let sets = paragraph(&text, "T: `token_invalid`");
    let (t, rest) = sets.split_once(" B:").unwrap();
    let (b, rest) = rest.split_once(" W:").unwrap();
    let (w, any) = rest.split_once(" Any ").unwrap();
    let (any, _) = any.split_once(';').unwrap();
    let sets = [("T", t), ("B", b), ("W", w)].map(|(name, text)| (name, Row::read(text)));
    let any = Row::read(any);
    let mut rows = BTreeMap::new();
    for cells in table(&text, "| Request | Token |") {
        let mut row = Row::read(&cells[4]);
        for (name, set) in &sets {
            if cells[4].split(", ").any(|word| word == *name) {
                row.take(set);
            }
        }
        row.take(&any);
        for route in cells[0].split('`').skip(1).step_by(2) {
            let (method, path) = route.split_once(' ').unwrap();
            rows.insert((method.to_owned(), path.to_owned()), row.clone());
        }
    }
    assert!(rows.len() > 25, "{:?}", rows.keys());
    rows
}

/// The fields of the bodies of the HTTP API by its name: with whether a question
/// mark stands behind.
pub(super) fn bodies() -> BTreeMap<String, BTreeMap<String, bool>> {
    let mut bodies = BTreeMap::new();
    for cells in table(&document(), "| Body |") {
        let mut fields = BTreeMap::new();
        // What stands in parentheses is of values, what follows ": list" of types.
        let mut depth = 0;
        let plain: String = cells[1]
            .chars()
            .filter(|c| {
                depth += i32::from(*c == '(');
                let outside = depth == 0;
                depth -= i32::from(*c == ')');
                outside
            })
            .collect();
        for field in plain.split(';').next().unwrap().split(", ") {
            let name = field.split('`').nth(1).unwrap();
            let behind = field.split('`').nth(2).unwrap_or_default();
            fields.insert(name.to_owned(), behind.starts_with('?'));
        }
        let name = cells[0].split('`').nth(1).unwrap();
        bodies.insert(name.to_owned(), fields);
    }
    assert!(bodies.len() > 20, "{bodies:?}");
    bodies
}

fn document() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/protocol.md");
    std::fs::read_to_string(path).unwrap()
}

/// The paragraph that begins so, in one line.
fn paragraph(text: &str, start: &str) -> String {
    let mut paragraphs = text.split("\n\n").map(|lines| lines.replace('\n', " "));
    let found = paragraphs.find(|paragraph| paragraph.starts_with(start));
    found.unwrap_or_else(|| panic!("docs/protocol.md lacks {start:?}"))
}

/// The rows below a heading, as cells.
fn table(text: &str, heading: &str) -> Vec<Vec<String>> {
    let lines = text.lines().skip_while(|line| !line.starts_with(heading)).skip(2);
    let rows = lines.take_while(|line| line.starts_with('|')).map(|line| {
        let cells = line.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().to_owned()).collect::<Vec<_>>()
    });
    rows.collect()
}
