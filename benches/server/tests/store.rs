//! The floor of the store, as `parley-bench floor` starts it.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::Path;
use std::process::Command;

use serde_json::Value;

#[test]
fn every_batch_size_is_measured_and_nothing_stays_behind() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("store-floor");
    std::fs::create_dir_all(&folder).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_parley-bench-store"))
        .args(["--seconds", "0.5", "--batches", "1,32", "--dir"])
        .arg(&folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let all: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let batches: Vec<_> = all.iter().map(|commits| commits["batch"].as_u64().unwrap()).collect();
    assert_eq!(batches, [1, 32]);
    for commits in &all {
        let figure = |name: &str| commits[name].as_f64().unwrap();
        assert!(figure("appends_per_s") > 0.0 && figure("bytes_per_message") > 250.0, "{commits}");
        let of_syncs = figure("syncs_per_s") * figure("batch");
        assert!((of_syncs / figure("appends_per_s") - 1.0).abs() < 1e-6, "{commits}");
    }
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "it cleans up");
}

#[test]
fn nonsense_is_refused() {
    let code = |arguments: &[&str]| {
        let program = env!("CARGO_BIN_EXE_parley-bench-store");
        Command::new(program).args(arguments).output().unwrap().status.code()
    };
    assert_eq!(code(&["--batches", "0"]), Some(3));
    assert_eq!(code(&["--seconds", "-1"]), Some(64));
    assert_eq!(code(&["--dir", "/nowhere/at/all", "--seconds", "0.1"]), Some(3));
}
