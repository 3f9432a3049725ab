//! Who may use whom.

use std::collections::BTreeSet;
use std::path::Path;

use super::{code_lines, files, is_test, names_it, read};

/// What no pure part names: runtime, disk, network, clock, randomness, environment.
const IMPURE: &[&str] = &[
    "tokio",
    "std::fs",
    "std::net",
    "std::thread",
    "std::env",
    "std::process",
    "std::io",
    "SystemTime",
    "Instant",
    "rand::",
    "getrandom",
    "fastrand",
    "quinn",
    "rustls",
    "hyper",
    "axum",
    "rocksdb",
    "redb",
    "tracing",
];

#[test]
fn core_and_protocol_name_nothing_impure() {
    for folder in ["core/src", "protocol/src"] {
        assert_absent(folder, IMPURE);
    }
}

#[test]
fn the_clients_machine_names_nothing_impure() {
    assert_absent("client-lib/machine/src", IMPURE);
}

#[test]
fn only_the_session_knows_the_wire() {
    for folder in ["conversation", "shard", "user", "ring"] {
        let wire =
            ["wire", "parley_protocol::body", "parley_protocol::http", "parley_protocol::frame"];
        assert_absent(&format!("core/src/{folder}"), &wire);
    }
}

#[test]
fn crates_depend_along_the_arrows_only() {
    let arrows: [(&str, &[&str]); 7] = [
        ("protocol", &[]),
        ("core", &["parley-protocol"]),
        ("server", &["parley-core", "parley-protocol"]),
        ("client-lib/machine", &["parley-protocol"]),
        ("client-lib", &["parley-client-machine", "parley-protocol"]),
        ("cli", &["parley-client", "parley-server"]),
        // It measures a server from outside, and builds without its database.
        ("benches", &["parley-client", "parley-core", "parley-protocol"]),
    ];
    for (folder, allowed) in arrows {
        let ours = dependencies(folder, "dependencies");
        for name in ours.iter().filter(|name| name.starts_with("parley")) {
            assert!(allowed.contains(&name.as_str()), "{folder} must not depend on {name}");
        }
    }
}

/// A new dependency of the pure crates is a decision, not an accident.
#[test]
fn the_pure_crates_depend_on_little() {
    let known =
        |names: &[&str]| -> BTreeSet<String> { names.iter().map(|n| (*n).to_owned()).collect() };
    assert_eq!(
        dependencies("protocol", "dependencies"),
        known(&["base16ct", "bytes", "prost", "serde", "thiserror", "utoipa"])
    );
    assert_eq!(
        dependencies("core", "dependencies"),
        known(&["bytes", "parley-protocol", "sha2", "thiserror", "xxhash-rust"])
    );
    assert_eq!(
        dependencies("client-lib/machine", "dependencies"),
        known(&["base16ct", "bytes", "parley-protocol", "prost", "secrecy"])
    );
}

/// The names in a table of a crate's Cargo.toml.
fn dependencies(folder: &str, table: &str) -> BTreeSet<String> {
    let text = read(format!("{folder}/Cargo.toml"));
    let start =
        text.find(&format!("[{table}]\n")).unwrap_or_else(|| panic!("{folder}: no [{table}]"));
    text[start..]
        .lines()
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split(['.', ' ', '=']).next())
        .filter(|name| !name.is_empty() && !name.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

fn assert_absent(folder: &str, names: &[&str]) {
    for path in files(folder, "rs").into_iter().filter(|path| !is_test(path)) {
        assert_absent_in(&path, names);
    }
}

fn assert_absent_in(path: &Path, names: &[&str]) {
    let Ok(text) = std::fs::read_to_string(super::root().join(path)) else { return };
    for (number, line) in code_lines(&text) {
        for name in names {
            assert!(
                !names_it(line, name),
                "{}:{number} names {name}: {}",
                path.display(),
                line.trim()
            );
        }
    }
}

#[test]
fn words_are_found_as_wholes() {
    assert!(names_it("use tokio::net;", "tokio"));
    assert!(names_it("let x = std::fs::read();", "std::fs"));
    assert!(!names_it("let tokio_like = 1;", "tokio"));
    assert!(!names_it("use std::fsx;", "std::fs"));
    assert!(!names_it("operand::new()", "rand::"));
}
