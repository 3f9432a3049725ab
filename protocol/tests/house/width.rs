//! Documents are read beside the code: their lines are at most 120 wide. Rows of
//! tables, code and single long words can't be broken and may be wider.

use super::{files, read};

const WIDEST: usize = 120;

#[test]
fn lines_of_documents_fit_beside_the_code() {
    let mut wide = Vec::new();
    for path in files("", "md") {
        for number in too_wide(&read(&path)) {
            wide.push(format!("{}:{number}", path.display()));
        }
    }
    assert!(wide.is_empty(), "above {WIDEST} characters:\n{}", wide.join("\n"));
}

/// The numbers of the lines that are too wide and could be broken.
fn too_wide(text: &str) -> Vec<usize> {
    let mut code = false;
    let mut wide = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            code = !code;
        }
        let start = line.len() - line.trim_start_matches([' ', '*', '-', '>']).len();
        let can_break = line[start..].contains(' ');
        let fixed = code || line.starts_with(['|', '#', '<']) || !can_break;
        if !fixed && line.chars().count() > WIDEST {
            wide.push(index + 1);
        }
    }
    wide
}

#[test]
fn a_wide_line_is_found() {
    let words = "word ".repeat(30);
    assert_eq!(too_wide(&format!("short\n{words}\n| {words} |\n```\n{words}\n```\n")), [2]);
    assert!(too_wide(&"x".repeat(200)).is_empty());
}
