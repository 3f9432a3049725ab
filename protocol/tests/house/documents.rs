//! The documents speak of what exists, and leave nothing out that must be in.

use std::path::Path;

use parley_protocol::{Code, limits};

use super::{files, read, root};

/// Documents that map the code: every path they name in backticks exists. A module
/// may be named without its ".rs", a room of the server by its wing: `chat/home`.
const MAPS: [&str; 3] = ["ARCHITECTURE.md", "docs/message-path.md", "CONTRIBUTING.md"];

#[test]
fn every_file_the_maps_name_exists() {
    let mut missing = Vec::new();
    for map in MAPS {
        for name in in_backticks(&read(map)) {
            let looks_like_a_path = name.contains('/')
                && name.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c))
                && !name.starts_with('/')
                && !name.starts_with("parley/");
            let places = [name.clone(), format!("{name}.rs")];
            let exists = ["", "server/src/"]
                .iter()
                .any(|folder| places.iter().any(|place| root().join(folder).join(place).exists()));
            if looks_like_a_path && !exists {
                missing.push(format!("{map}: {name}"));
            }
        }
    }
    assert!(missing.is_empty(), "named, but not there:\n{}", missing.join("\n"));
}

/// `docs/testing.md` names tests as `path::function`.
#[test]
fn every_test_that_is_promised_exists() {
    let mut seen = 0;
    for name in in_backticks(&read("docs/testing.md")) {
        if let Some((path, function)) = name.split_once(".rs::") {
            let code = read(format!("{path}.rs"));
            assert!(code.contains(&format!("fn {function}(")), "{path}.rs has no {function}");
            seen += 1;
        } else if name.contains('/') {
            assert!(root().join(&name).exists(), "docs/testing.md: {name}");
        }
    }
    assert!(seen > 20, "docs/testing.md names {seen} tests");
}

#[test]
fn every_link_leads_somewhere() {
    let mut broken = Vec::new();
    for file in files("", "md") {
        let text = read(&file);
        for target in links(&text) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let there = if path.is_empty() {
                root().join(&file)
            } else {
                root().join(file.parent().unwrap_or(Path::new(""))).join(path)
            };
            let anchored = anchor.is_empty()
                || std::fs::read_to_string(&there)
                    .is_ok_and(|text| headings(&text).any(|heading| heading == anchor));
            if !there.exists() || !anchored {
                broken.push(format!("{}: {target}", file.display()));
            }
        }
    }
    assert!(broken.is_empty(), "broken links:\n{}", broken.join("\n"));
}

#[test]
fn the_protocol_document_names_every_message_and_code() {
    let text = read("docs/protocol.md");
    for file in files("protocol/proto", "proto") {
        for line in read(&file).lines() {
            let Some(name) = line.strip_prefix("message ").and_then(|rest| rest.split(' ').next())
            else {
                continue;
            };
            assert!(text.contains(&format!("`{name}`")), "docs/protocol.md doesn't name {name}");
        }
    }
    for code in Code::ALL {
        assert!(
            text.contains(&format!("`{}`", code.name())),
            "docs/protocol.md doesn't name {code}"
        );
    }
}

#[test]
fn the_protocol_document_has_each_code_in_its_retry_class() {
    let text = read("docs/protocol.md");
    for class in ["retry_now", "retry_after", "stop", "sign_in"] {
        let row = text.lines().find(|line| line.starts_with(&format!("| `{class}` |")));
        let said = in_backticks(row.expect("a row"));
        let codes = Code::ALL.iter().filter(|code| code.retry().name() == class);
        let codes: Vec<_> = codes.map(|code| code.name()).collect();
        let found: Vec<_> =
            said.iter().filter(|name| *name != class && *name != "retry_after_ms").collect();
        assert!(found.iter().copied().eq(&codes), "{class}: {found:?}, not {codes:?}");
    }
}

/// A part's failure is turned into a code where ARCHITECTURE.md says, and
/// nowhere else.
#[test]
fn failures_become_codes_where_the_map_says() {
    let text = read("ARCHITECTURE.md");
    let (_, errors) = text.split_once("\n## Errors\n").expect("a chapter on errors");
    let mut said = in_backticks(errors);
    said.retain(|name| name.ends_with(".rs") && !name.starts_with("protocol/"));
    said.sort();
    let turns = |file: &Path| {
        let code = read(file);
        code.contains("fn code(&self) -> Code") || code.contains("fn code(&self) -> Option<Code>")
    };
    let found: Vec<_> = files("server/src", "rs")
        .into_iter()
        .filter(|file| turns(file))
        .map(|file| file.strip_prefix("server/src").unwrap().display().to_string())
        .collect();
    assert_eq!(said, found);
}

#[test]
fn the_protocol_document_states_every_limit() {
    let text = read("docs/protocol.md");
    let number = |value: u64| {
        let digits = value.to_string();
        let mut grouped = String::new();
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        grouped
    };
    let table = [
        ("FRAME_BYTES", u64::from(limits::FRAME_BYTES)),
        ("UNAUTHENTICATED_BYTES", u64::from(limits::UNAUTHENTICATED_BYTES)),
        ("UNAUTHENTICATED_MS", limits::UNAUTHENTICATED_MS),
        ("TEXT_CHARS", u64::from(limits::TEXT_CHARS)),
        ("BODY_BYTES", limits::BODY_BYTES as u64),
        ("PROTOBUF_DEPTH", u64::from(limits::PROTOBUF_DEPTH)),
        ("REQUESTS_IN_FLIGHT", u64::from(limits::REQUESTS_IN_FLIGHT)),
        ("FETCH_ENTRIES", u64::from(limits::FETCH_ENTRIES)),
        ("FETCH_BYTES", limits::FETCH_BYTES as u64),
        ("CHANGES_ENTRIES", limits::CHANGES_ENTRIES as u64),
        ("CLIENT_MESSAGE_ID_BYTES", limits::CLIENT_MESSAGE_ID_BYTES as u64),
        ("CLIENT_NAME_BYTES", limits::CLIENT_NAME_BYTES as u64),
        ("FEATURES", limits::FEATURES as u64),
        ("TOKEN_BYTES", limits::TOKEN_BYTES as u64),
        ("TICKET_MS", limits::TICKET_MS),
        ("TICKETS", limits::TICKETS as u64),
        ("ACCOUNT_SLOTS", u64::from(limits::ACCOUNT_SLOTS)),
        ("USER_NAME_CHARS", limits::USER_NAME_CHARS.1 as u64),
        ("PASSWORD_BYTES", limits::PASSWORD_BYTES.1 as u64),
        ("DEVICE_NAME_CHARS", limits::DEVICE_NAME_CHARS as u64),
        ("MISSED_HEARTBEATS", u64::from(limits::MISSED_HEARTBEATS)),
        ("SESSIONS", limits::SESSIONS as u64),
        ("GIVEN_CONVERSATIONS", limits::GIVEN_CONVERSATIONS as u64),
        ("HTTP_BODY_BYTES", limits::HTTP_BODY_BYTES as u64),
        ("UNAUTHENTICATED_BODY_BYTES", limits::UNAUTHENTICATED_BODY_BYTES as u64),
        ("GROUP_MEMBERS", u64::from(limits::GROUP_MEMBERS)),
        ("TITLE_CHARS", limits::TITLE_CHARS as u64),
        ("DESCRIPTION_CHARS", limits::DESCRIPTION_CHARS as u64),
        ("PICTURE_BYTES", limits::PICTURE_BYTES as u64),
        ("MENTIONS", limits::MENTIONS as u64),
        ("EMOJI_BYTES", limits::EMOJI_BYTES as u64),
        ("REACTIONS", limits::REACTIONS as u64),
        ("EDITS", limits::EDITS as u64),
        ("PINS", limits::PINS as u64),
        ("LEAST_RETENTION_S", limits::LEAST_RETENTION_S),
        ("RETENTIONS", limits::RETENTIONS as u64),
        ("BANNED", limits::BANNED as u64),
        ("FORMER_MEMBERS", limits::FORMER_MEMBERS as u64),
        ("INVITES", limits::INVITES as u64),
        ("RELATED_ENTRIES", limits::RELATED_ENTRIES as u64),
        ("RELATED_BYTES", limits::RELATED_BYTES as u64),
        ("DRAFT_CHARS", limits::DRAFT_CHARS as u64),
        ("CHANGES_BYTES", limits::CHANGES_BYTES as u64),
        ("HIDE_SEQS", limits::HIDE_SEQS as u64),
        ("HIDDEN_SEQS", limits::HIDDEN_SEQS as u64),
        ("SUBSCRIPTIONS", limits::SUBSCRIPTIONS as u64),
        ("TYPING_MS", u64::from(limits::TYPING_MS)),
        ("REQUESTS", limits::REQUESTS as u64),
        ("CONTACTS", limits::CONTACTS as u64),
        ("DISPLAY_NAME_CHARS", limits::DISPLAY_NAME_CHARS as u64),
        ("ABOUT_CHARS", limits::ABOUT_CHARS as u64),
        ("PHONE_BYTES", limits::PHONE_BYTES as u64),
        ("EMAIL_BYTES", limits::EMAIL_BYTES as u64),
        ("REPORT_CHARS", limits::REPORT_CHARS as u64),
        ("REPORT_SEQS", limits::REPORT_SEQS as u64),
    ];
    for (name, value) in table {
        let row = text
            .lines()
            .find(|line| line.contains(&format!("`{name}`")))
            .unwrap_or_else(|| panic!("docs/protocol.md lacks the limit {name}"));
        assert!(
            row.contains(&format!(" {} ", number(value))),
            "{name} is {value}, the document says {row}"
        );
    }
    let constants = read("protocol/src/limits.rs").matches("pub const ").count();
    assert_eq!(
        constants,
        table.len(),
        "a limit is missing in this test and perhaps in the document"
    );
}

/// The hex in the worked example is that of the golden vectors.
#[test]
fn the_worked_example_is_made_of_golden_vectors() {
    let vectors =
        format!("{}{}", read("protocol/vectors/client.json"), read("protocol/vectors/server.json"));
    let text = read("docs/protocol.md");
    let example = text.split("## Worked example").nth(1).unwrap();
    let mut seen = 0;
    for block in example.split("```hex\n").skip(1) {
        let hex: String = block.split("```").next().unwrap().split_whitespace().collect();
        assert!(
            vectors.contains(&format!("\"frame\": \"{hex}\"")),
            "no vector has this frame: {hex}"
        );
        seen += 1;
    }
    assert!(seen >= 4, "the worked example shows {seen} frames");
}

#[test]
fn every_metric_is_in_the_operators_document() {
    let text = read("docs/operating.md");
    let metric = |part: &&str| {
        part.strip_prefix("parley_").is_some_and(|rest| {
            !matches!(rest, "" | "server" | "log_")
                && rest.chars().all(|c| c.is_ascii_lowercase() || c == '_')
        })
    };
    for file in files("server/src", "rs") {
        let code = read(&file);
        let code = code.split("#[cfg(test)]").next().unwrap();
        for name in code.split('"').filter(metric) {
            assert!(
                text.contains(&format!("`{name}`")),
                "docs/operating.md lacks the metric {name}"
            );
        }
    }
}

fn in_backticks(text: &str) -> Vec<String> {
    let prose: Vec<_> = text.split("```").step_by(2).collect();
    prose.iter().flat_map(|part| part.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

fn links(text: &str) -> Vec<String> {
    let prose: Vec<_> = text.split("```").step_by(2).collect();
    let targets = prose.iter().flat_map(|part| part.split("](").skip(1));
    let targets = targets.filter_map(|rest| rest.split(')').next());
    // Where a piece of code ends behind the bracket, it was no link.
    targets.filter(|target| !target.contains('`')).map(str::to_owned).collect()
}

/// The anchors of a document's headings, as code hosts make them.
fn headings(text: &str) -> impl Iterator<Item = String> {
    text.lines().filter(|line| line.starts_with('#')).map(|line| {
        line.trim_start_matches('#')
            .trim()
            .to_lowercase()
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect()
    })
}
