//! Writes `protocol/vectors/*.json`. New vectors are added; one that is there
//! is frozen, and other bytes for it are refused: delete it by hand first if
//! it was never released.
#![allow(clippy::unwrap_used, reason = "a tool for developers")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::process::ExitCode;

use serde_json::Value;
use support::vectors;

fn main() -> ExitCode {
    for file in vectors::files() {
        let there = std::fs::read_to_string(&file.path).unwrap_or_default();
        let changed = changed(&there, &file.text);
        if !changed.is_empty() {
            eprintln!(
                "{}: frozen vectors would change: {}",
                file.path.display(),
                changed.join(", ")
            );
            return ExitCode::FAILURE;
        }
        if there != file.text {
            std::fs::create_dir_all(file.path.parent().unwrap()).unwrap();
            std::fs::write(&file.path, file.text).unwrap();
            println!("wrote {}", file.path.display());
        }
    }
    ExitCode::SUCCESS
}

/// The names of vectors whose bytes differ between two states of a file.
fn changed(there: &str, new: &str) -> Vec<String> {
    let bytes = |text: &str, key: &str| -> Vec<(String, Value)> {
        let json: Value = serde_json::from_str(text).unwrap_or_default();
        let vectors = json["vectors"].as_array().cloned().unwrap_or_default();
        vectors.iter().map(|v| (v["name"].to_string(), v[key].clone())).collect()
    };
    let mut names = Vec::new();
    for key in ["bytes", "stream", "body"] {
        let new = bytes(new, key);
        for (name, value) in bytes(there, key) {
            if new.iter().any(|(other, other_value)| *other == name && *other_value != value) {
                names.push(name);
            }
        }
    }
    names
}
