//! Every scenario against a real server: small loads, whole courses, and the figures that
//! scripts read.
//!
//! Needs the binary `parley` beside `parley-bench`, as a build of the workspace leaves it there.
//! Nothing here says how fast anything is: other tests run beside it, and a run that
//! the machine made late is void, which is no failure.

#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "../../load/goals/limits.rs"]
mod limits;
mod network;
mod server;
mod stall;

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use server::Server;

/// Fields that scripts read in the result of each scenario.
const RELIED_ON: [&str; 11] = [
    "delivered_per_s",
    "server_core_us_per_message",
    "server_core_us_per_delivery",
    "latency_us",
    "sent_latency_us",
    "bytes_per_connection",
    "lost",
    "duplicates",
    "reordered",
    "void",
    "void_reasons",
];

fn bench(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_parley-bench")).args(arguments).output().unwrap()
}

/// Runs a scenario; its result has what scripts rely on and no broken promise.
fn measure(server: &Server, url: &str, arguments: &[&str]) -> Value {
    let pid = server.pid().to_string();
    let metrics = format!("{}/metrics", server.operator);
    let (scenario, options) = arguments.split_first().unwrap();
    let mut all = vec![*scenario, "--server", url, "--trust", &server.fingerprint];
    all.extend(["--server-pid", &pid, "--metrics", &metrics]);
    all.extend(options);
    let output = bench(&all);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(0 | 2)), "{arguments:?}: {said}");
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    for field in RELIED_ON {
        assert!(result.get(field).is_some(), "{scenario} has no {field}");
    }
    for audit in ["lost", "duplicates", "reordered", "gaps", "unanswered", "broken_connections"] {
        assert_eq!(result[audit], 0, "{audit} of {arguments:?}: {said}");
    }
    assert_eq!(result["scenario"], *scenario);
    is_described(scenario, &result);
    assert!(result["server_cpu_us"].as_u64().is_some(), "{result}");
    result
}

/// The schema names every field of the result.
fn is_described(scenario: &str, result: &Value) {
    let schema: Value =
        serde_json::from_str(include_str!("../../load/result.schema.json")).unwrap();
    let named = |part: &str, field: &str| !schema["$defs"][part]["properties"][field].is_null();
    for field in result.as_object().unwrap().keys() {
        let parts = ["common", "usage", scenario];
        assert!(parts.iter().any(|part| named(part, field)), "the schema lacks {scenario} {field}");
    }
}

fn number(result: &Value, field: &str) -> f64 {
    result.pointer(field).and_then(Value::as_f64).unwrap_or_else(|| panic!("{field}: {result}"))
}

#[test]
fn pairs_with_large_messages_tell_them_apart() {
    let server = Server::start();
    let load = ["pairs", "--users", "4", "--window", "2", "--seconds", "2", "--warmup", "0.2"];
    let large = ["--large-share", "0.2", "--large-size", "20000"];
    let result = measure(&server, &server.tls, &[&load[..], &large[..]].concat());
    assert!(number(&result, "/delivered_per_s") > 0.0);
    assert!(number(&result, "/latency_us/p50") > 0.0);
    assert!(number(&result, "/large_latency_us/p50") > 0.0);
    assert_eq!(result["large_bytes"], 20_000);
    assert!(!result["timeline"].as_array().unwrap().is_empty());
}

#[test]
fn a_group_says_how_far_apart_its_members_hear_with_and_without_receipts() {
    let server = Server::start();
    let load = ["group", "--users", "12", "--members", "6", "--rate", "40", "--seconds", "2"];
    let with = measure(&server, &server.quic, &[&load[..], &["--warmup", "0.2"]].concat());
    assert_eq!((&with["receipts"], &with["members"]), (&Value::Bool(true), &Value::from(6)));
    assert!(number(&with, "/receipts_per_s") > 0.0);
    assert!(number(&with, "/spread_us/max") > 0.0);
    // Five take each message; 2 s at 40 a second and the warm-up.
    let messages = number(&with, "/messages");
    assert!((60.0..=120.0).contains(&messages), "{messages}");
    let quiet = ["--warmup", "0.2", "--no-receipts"];
    let without = measure(&server, &server.quic, &[&load[..], &quiet[..]].concat());
    assert_eq!(without["receipts"], false);
    assert_eq!(number(&without, "/receipts_per_s"), 0.0);
}

#[test]
fn mixed_life_loses_nothing_while_devices_come_and_go() {
    let server = Server::start();
    // 12 of 40 devices a second lose their connection.
    let load = ["mixed", "--users", "20", "--rate", "60", "--reconnects", "18"];
    let size = ["--large-share", "0.02", "--seconds", "4", "--warmup", "0.5"];
    let result = measure(&server, &server.tls, &[&load[..], &size[..]].concat());
    assert_eq!((&result["users"], &result["devices"]), (&Value::from(20), &Value::from(40)));
    assert!(number(&result, "/reconnects") > 10.0, "{result}");
    assert!(number(&result, "/reconnect_us/p50") > 0.0);
    assert!(number(&result, "/receipts_per_s") > 0.0);
    // A 1:1 has 3 other devices, a group of 10 has 19, one of 20 has 39.
    let mean = number(&result, "/deliveries_per_message");
    assert!((3.0..39.0).contains(&mean), "{mean}");
    assert_eq!(result["conversations"][0], 10);
}

#[test]
fn a_storm_brings_everybody_back_with_what_they_missed() {
    let server = Server::start();
    for url in [&server.quic, &server.ws] {
        let storm = ["storm", "--users", "30", "--missed", "3"];
        let result = measure(&server, url, &storm);
        assert_eq!(result["messages"], 90);
        assert!(number(&result, "/all_back_s") > 0.0);
        // The relay speaks no WebSocket without TLS.
        assert_eq!(result["against_bare"].is_null(), result["transport"] == "ws");
    }
}

#[test]
fn a_backlog_is_fetched_whole_and_many_conversations_cost_little() {
    let server = Server::start();
    let sync = ["sync", "--users", "2", "--backlog", "450", "--seconds", "1", "--warmup", "0.2"];
    let many = ["--conversations", "200", "--changed", "5", "--rounds", "4"];
    let result = measure(&server, &server.tls, &[&sync[..], &many[..]].concat());
    assert!(number(&result, "/messages_per_s") > 0.0);
    // 100 bytes of text are some more on the wire, and far from twice as many.
    let bytes = number(&result, "/bytes_per_message");
    assert!((100.0..250.0).contains(&bytes), "{bytes}");
    let (all, changed) = (200.0 * 16.0, number(&result, "/reconnect/welcome_bytes"));
    assert!(changed < all, "{changed}: the whole feed came");
    assert!(number(&result, "/reconnect/caught_up_bytes") > changed);
    assert!(number(&result, "/reconnect/caught_up_us/p50") > 0.0);
}

#[test]
fn handshakes_are_counted_with_and_without_a_session() {
    let server = Server::start();
    let closed =
        ["handshake", "--users", "2", "--window", "3", "--seconds", "1", "--warmup", "0.1"];
    for url in [&server.tls, &server.quic, &server.ws] {
        let result = measure(&server, url, &closed);
        assert!(number(&result, "/opened_per_s") > 0.0);
        assert_eq!(result["bare"], false);
    }
    let bare = measure(&server, &server.tls, &[&closed[..], &["--bare"]].concat());
    assert_eq!(bare["bare"], true);
    let open = ["handshake", "--users", "2", "--rate", "20", "--arrivals", "constant", "--seconds"];
    let result = measure(&server, &server.tls, &[&open[..], &["2", "--warmup", "0"]].concat());
    assert!((10.0..=21.0).contains(&number(&result, "/opened_per_s")), "{result}");
}

#[test]
fn results_are_compared_and_drawn() {
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("compare-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let write = |name: &str, p99: u64, lost: u64| {
        let result = serde_json::json!({
            "scenario": "pairs", "transport": "tls", "lost": lost, "void": false,
            "latency_us": {"p50": 5, "p99": p99}, "latency_curve": [[0.5, 5], [0.99, p99]],
        });
        let path = folder.join(name);
        std::fs::write(&path, result.to_string()).unwrap();
        path.to_string_lossy().into_owned()
    };
    let (slow, fast) = (write("slow.json", 300, 0), write("fast.json", 100, 0));
    let lossy = write("lossy.json", 100, 1);
    let code = |arguments: &[&str]| bench(arguments).status.code();
    assert_eq!(code(&["compare", &slow, &fast]), Some(0));
    assert_eq!(code(&["compare", &fast, &slow]), Some(1));
    assert_eq!(code(&["compare", &fast, &slow, "--tolerance", "2.5"]), Some(0));
    assert_eq!(code(&["compare", &fast, &lossy]), Some(1));
    assert_eq!(code(&["compare", &fast, "/nowhere.json"]), Some(3));
    let html = folder.join("report.html");
    let drawn = html.to_string_lossy();
    assert_eq!(code(&["report", &slow, &fast, "--html", &drawn]), Some(0));
    let page = std::fs::read_to_string(&html).unwrap();
    assert!(page.contains("<svg") && page.contains("<th>slow</th>"), "{page}");
    std::fs::remove_dir_all(&folder).unwrap();
}
