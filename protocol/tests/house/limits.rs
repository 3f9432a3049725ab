//! Limits that a client can meet stand in one file, `protocol/src/limits.rs`, and
//! so in the protocol's document.

use super::{code_lines, files, is_test, names_it, read};

/// The codes that say something is too long, too many or too large.
const CODES: &[&str] = &[
    "Code::BadRequest",
    "Code::BodyTooLarge",
    "Code::FrameTooLarge",
    "Code::GroupFull",
    "Code::ListFull",
    "Code::SlowConsumer",
    "Code::TextTooLong",
    "Code::TooManyConnections",
    "Code::TooManyDevices",
    "Code::TooManyRequests",
    "Code::UnauthenticatedBytes",
];

/// Lines before a refusal in which what it compares with is looked for.
const NEAR: usize = 8;

#[test]
fn what_a_client_is_refused_for_is_in_limits() {
    let mut found = Vec::new();
    for folder in ["core/src", "server/src"] {
        for path in files(folder, "rs").into_iter().filter(|path| !is_test(path)) {
            let text = read(&path);
            for (number, constant) in own_limits(&text) {
                found.push(format!("{}:{number}: {constant}", path.display()));
            }
        }
    }
    assert!(found.is_empty(), "these belong into protocol/src/limits.rs:\n{}", found.join("\n"));
}

/// The constants of a file that one of its refusals is near to, with its line.
fn own_limits(text: &str) -> Vec<(usize, &str)> {
    let code = text.split("#[cfg(test)]\nmod").next().unwrap_or_default();
    let lines: Vec<_> = code_lines(code).collect();
    let constants: Vec<_> = lines
        .iter()
        .filter_map(|(_, line)| line.split_once("const ")?.1.split_once(':'))
        .map(|(name, _)| name)
        .filter(|name| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
        .collect();
    let mut found = Vec::new();
    for (index, (number, line)) in lines.iter().enumerate() {
        if CODES.iter().any(|code| names_it(line, code)) {
            let near = &lines[index.saturating_sub(NEAR)..=index];
            let used = |constant: &&&str| {
                near.iter().any(|(_, line)| !line.contains("const ") && names_it(line, constant))
            };
            found.extend(constants.iter().filter(used).map(|constant| (*number, *constant)));
        }
    }
    found
}

#[test]
fn a_limit_of_a_files_own_is_found() {
    let lie =
        "const MOST: usize = 9;\nif list.len() > MOST {\n    return Err(Code::ListFull);\n}\n";
    assert_eq!(own_limits(lie), [(3, "MOST")]);
    let kept = "if list.len() > limits::MOST {\n    return Err(Code::ListFull);\n}\n";
    assert!(own_limits(kept).is_empty());
}
