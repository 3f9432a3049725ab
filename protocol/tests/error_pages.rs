//! `docs/errors/` says what the error table says, and nothing is left over.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeSet;

use support::{error_pages, root};

#[test]
fn the_pages_are_what_the_table_says() {
    for file in error_pages::files() {
        let there = std::fs::read_to_string(&file.path).unwrap_or_default();
        assert!(there == file.text, "{} is stale: run `make fix`", file.path.display());
    }
}

#[test]
fn there_is_no_page_without_a_code() {
    let wanted: BTreeSet<_> =
        error_pages::files().iter().map(|file| file.path.file_name().unwrap().to_owned()).collect();
    for entry in std::fs::read_dir(root().join("docs/errors")).unwrap() {
        let name = entry.unwrap().file_name();
        assert!(wanted.contains(&name), "docs/errors/{} belongs to no code", name.display());
    }
}
