//! A server that stands still for 500 ms shows in the latencies of every scenario: the generator
//! neither waits with what is due nor forgets when it was.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::number;
use super::server::Server;

/// Runs a scenario; once it says `begun`, its server stands for 500 ms.
fn measure_stalled(transport: &str, begun: &str, arguments: &[&str]) -> Value {
    let server = Server::start();
    let url = if transport == "quic" { &server.quic } else { &server.tls };
    let (scenario, options) = arguments.split_first().unwrap();
    let mut process = Command::new(env!("CARGO_BIN_EXE_parley-bench"))
        .args([scenario, "--server", url, "--trust", &server.fingerprint])
        .args(options)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(process.stderr.take().unwrap()).lines();
    let all: Vec<String> =
        said.by_ref().map(Result::unwrap).take_while(|line| !line.contains(begun)).collect();
    let signal =
        |name: &str| Command::new("kill").args([name, &server.pid().to_string()]).status().unwrap();
    assert!(signal("-STOP").success());
    std::thread::sleep(Duration::from_millis(500));
    assert!(signal("-CONT").success());
    // Whoever isn't listened to can't end.
    let rest: Vec<String> = said.map(Result::unwrap).collect();
    let output = process.wait_with_output().unwrap();
    assert!(matches!(output.status.code(), Some(0 | 2)), "{all:?} {rest:?}");
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&result["lost"], &result["duplicates"]), (&0.into(), &0.into()), "{result}");
    result
}

/// What stood waits for at least 300 ms of it: the beginning of the stop isn't exact.
fn shows(result: &Value, figure: &str) {
    let us = number(result, figure);
    assert!(us > 300_000.0, "{figure} is {us}: {}", result["latency_us"]);
}

#[test]
fn in_pairs() {
    for transport in ["tls", "quic"] {
        let load = ["pairs", "--users", "4", "--rate", "100", "--seconds", "4", "--warmup", "0.5"];
        let result = measure_stalled(transport, "measuring", &load);
        // Those that were due while it stood waited for it, about 50 of 400.
        shows(&result, "/latency_us/p99");
        shows(&result, "/sent_latency_us/p99");
    }
}

#[test]
fn in_pairs_of_a_closed_loop() {
    let load = ["pairs", "--users", "4", "--window", "2", "--seconds", "3", "--warmup", "0.5"];
    shows(&measure_stalled("tls", "measuring", &load), "/latency_us/max");
}

#[test]
fn in_groups() {
    let load = ["group", "--users", "5", "--rate", "50", "--seconds", "4", "--warmup", "0.5"];
    shows(&measure_stalled("tls", "measuring", &load), "/latency_us/p99");
}

#[test]
fn in_mixed_life() {
    let load = ["mixed", "--users", "20", "--rate", "60", "--seconds", "4", "--warmup", "0.5"];
    // Each message counts once in what its sender waits for. Deliveries are up to 19 a message, so
    // that one large group's after the stop can be more than all that waited.
    shows(&measure_stalled("quic", "measuring", &load), "/sent_latency_us/p99");
}

#[test]
fn in_handshakes() {
    let load = ["handshake", "--users", "2", "--rate", "40", "--seconds", "3", "--warmup", "0"];
    shows(&measure_stalled("tls", "opening connections", &load), "/latency_us/p99");
}

#[test]
fn in_a_storm() {
    let storm = ["storm", "--users", "200", "--missed", "2"];
    shows(&measure_stalled("tls", "the storm", &storm), "/latency_us/p99");
}

#[test]
fn in_catching_up() {
    let sync = ["sync", "--users", "2", "--backlog", "200", "--seconds", "3", "--warmup", "0"];
    shows(&measure_stalled("tls", "catching up", &sync), "/latency_us/max");
}
