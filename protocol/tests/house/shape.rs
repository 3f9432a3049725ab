//! How files look: a header, a bounded length, plain words.

use super::{code_lines, files, read, root};

/// More than this and a file holds more than one rule.
const MOST_LINES: usize = 600;

const CRATES: [&str; 8] =
    ["protocol", "core", "server", "client-lib/machine", "client-lib", "cli", "fuzz", "benches"];

#[test]
fn no_source_file_is_too_long() {
    let mut long = Vec::new();
    for path in sources() {
        let lines = read(&path).lines().count();
        if lines > MOST_LINES {
            long.push(format!("{}: {lines} lines", path.display()));
        }
    }
    assert!(long.is_empty(), "above {MOST_LINES} lines:\n{}", long.join("\n"));
}

#[test]
fn every_source_file_says_what_it_is_for() {
    let silent: Vec<_> = sources()
        .into_iter()
        .filter(|path| !read(path).trim_start().starts_with("//!"))
        .map(|path| path.display().to_string())
        .collect();
    assert!(silent.is_empty(), "without a header:\n{}", silent.join("\n"));
}

#[test]
fn lints_are_silenced_with_a_reason() {
    for path in
        sources().into_iter().filter(|path| path.components().any(|c| c.as_os_str() == "src"))
    {
        let text = read(&path);
        for (number, line) in code_lines(&text) {
            let silences = line.contains("#[allow(") && !line.contains("reason");
            assert!(
                !silences || line.contains("missing_docs"),
                "{}:{number}: {line}",
                path.display()
            );
        }
    }
}

#[test]
fn every_crate_takes_the_workspace_lints() {
    for name in CRATES {
        let manifest = read(format!("{name}/Cargo.toml"));
        assert!(manifest.contains("[lints]\nworkspace = true"), "{name}");
    }
}

#[test]
fn the_scripts_can_be_run() {
    for script in [
        ".ci/bench",
        ".ci/check",
        ".ci/packaged",
        ".ci/power",
        ".ci/run",
        ".ci/setup",
        ".ci/tools",
        "benches/compare/install",
        "benches/compare/run",
        "benches/compare/server",
        "fuzz/libfuzzer/run",
    ] {
        let path = root().join(script);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert!(mode & 0o111 != 0, "{script} is not executable");
        }
        // .ci/check goes on after a failure, to show all of them.
        let strict = ["set -euo pipefail", "set -uo pipefail"];
        assert!(strict.iter().any(|line| read(&path).contains(line)), "{script}");
    }
}

fn sources() -> Vec<std::path::PathBuf> {
    CRATES.iter().flat_map(|name| files(name, "rs")).collect()
}
