//! The generator against its own relay: the whole course of a run, without a server.
//!
//! What the binary prints is what scripts read, so the test reads it the same way.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::process::Command;

use serde_json::Value;

fn floor(load: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_parley-bench"))
        .args(["floor", "--users", "20", "--seconds", "0.5", "--warmup", "0.2"])
        .args(["--dir", env!("CARGO_TARGET_TMPDIR")])
        .arg("--only")
        .args(load)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn is_clean(relay: &Value) {
    assert!(relay["delivered_per_s"].as_f64().unwrap() > 0.0, "{relay}");
    assert!(relay["server_core_us_per_message"].as_f64().is_some(), "{relay}");
    for broken in ["lost", "duplicates", "reordered", "unanswered", "broken_connections"] {
        assert_eq!(relay[broken], 0, "{broken}: {relay}");
    }
    let latency = &relay["latency_us"];
    assert!(latency["p50"].as_u64().unwrap() <= latency["p999"].as_u64().unwrap());
}

#[test]
fn a_closed_loop_over_both_relays_loses_nothing() {
    let floors = floor(&["relays,handshakes", "--window", "4"]);
    is_clean(&floors["relay_tls"]);
    is_clean(&floors["relay_quic"]);
    for transport in ["handshake_tls", "handshake_quic"] {
        assert!(floors[transport]["opened_per_s"].as_f64().unwrap() > 0.0);
    }
    assert!(floors["sync_growing"].is_null(), "what was not asked for is not measured");
}

#[test]
fn syncs_are_counted_for_each_size() {
    let floors = floor(&["syncs"]);
    let sizes = floors["sync_sizes"].as_array().unwrap();
    assert_eq!(sizes.len(), 5);
    assert_eq!((&sizes[0], &sizes[0]["bytes"]), (&floors["sync_growing"], &Value::from(4096)));
    for size in sizes.iter().chain([&floors["sync_written"]]) {
        assert!(size["calls"].as_u64().unwrap() > 0, "{size}");
        assert!(size["calls_per_s"].as_f64().unwrap() > 0.0, "{size}");
        assert!(size["latency_us"]["p50"].as_u64().unwrap() > 0, "{size}");
    }
    assert!(floors["relay_tls"].is_null());
}

#[test]
fn an_open_loop_sends_what_the_schedule_says() {
    let floors = floor(&["relays", "--rate", "500", "--arrivals", "constant"]);
    for relay in [&floors["relay_tls"], &floors["relay_quic"]] {
        is_clean(relay);
        // 0.7 s at 500 a second, whatever the relay does.
        assert!(relay["messages"].as_u64().unwrap().abs_diff(350) <= 1, "{relay}");
    }
}
