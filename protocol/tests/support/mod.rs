//! Shared by the tests and by the examples that write the generated files.
#![allow(dead_code, unreachable_pub, reason = "each test and example uses its own part")]

pub mod error_pages;
pub mod proto_json;
pub mod schema;
pub mod vectors;

use std::path::PathBuf;

/// A generated file: where it belongs and what it should hold.
pub struct Generated {
    pub path: PathBuf,
    pub text: String,
}

/// The root of the repository.
pub fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn from_hex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "odd hex");
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}
