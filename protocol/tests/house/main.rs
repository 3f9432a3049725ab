//! Keeps the house as ARCHITECTURE.md describes it: the arrows between crates
//! and modules, what each part must not name, and that the documents speak of
//! what exists. Lives here because this crate builds without RocksDB.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod arrows;
mod circles;
mod documents;
mod limits;
mod paths;
mod shape;
mod sources;
mod width;
mod wings;

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).canonicalize().unwrap()
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Every file below `folder` with this extension, relative to the root; none
/// when the folder isn't there. Build output and what is not ours is left out.
fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    walk(&root().join(folder), &mut |path| {
        if path.extension().is_some_and(|e| e == extension) {
            found.push(path.strip_prefix(root()).unwrap().to_owned());
        }
    });
    found.sort();
    found
}

fn walk(folder: &Path, take: &mut dyn FnMut(&Path)) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            let ours = !matches!(name.as_str(), "target" | "node_modules" | "corpus" | "artifacts");
            if ours && (!name.starts_with('.') || name == ".ci") {
                walk(&path, take);
            }
        } else {
            take(&path);
        }
    }
}

/// The lines of a Rust file that are code, with their numbers.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line.split(" // ").next().unwrap()))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// Test modules in files of their own may use what they like.
fn is_test(path: &Path) -> bool {
    path.components().any(|part| {
        let part = part.as_os_str().to_string_lossy();
        part == "tests" || ["tests.rs", "_test.rs"].iter().any(|end| part.ends_with(end))
    })
}

/// Whether a line names `name` as a whole word.
fn names_it(line: &str, name: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(name).any(|(at, _)| {
        let before = line[..at].chars().next_back().is_none_or(|c| !word(c));
        let after =
            name.ends_with(':') || line[at + name.len()..].chars().next().is_none_or(|c| !word(c));
        before && after
    })
}
