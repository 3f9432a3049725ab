//! The relay that makes a bad network: clients sign up and talk through it, by TCP and by UDP.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::server::Server;
use super::{measure, number};

#[test]
fn clients_of_both_transports_reach_the_server_through_a_bad_network() {
    let server = Server::start();
    let (_, authority) = server.tls.split_once("://").unwrap();
    let delay = ["--delay-ms", "10", "--loss", "0.01"];
    // It ends with its standard input.
    let mut relay = Command::new(env!("CARGO_BIN_EXE_parley-bench"))
        .args(["impair", "--server", authority])
        .args(delay)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(relay.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let urls: Value = serde_json::from_str(line.strip_prefix("impair ").unwrap()).unwrap();
    for transport in ["quic", "tls"] {
        let url = urls[transport].as_str().unwrap();
        let load = ["pairs", "--users", "4", "--rate", "20", "--seconds", "2", "--warmup", "0.5"];
        let result = measure(&server, url, &load);
        // Two ways through the relay, each delayed by 10 ms.
        assert!(number(&result, "/latency_us/p50") >= 20_000.0, "{result}");
    }
    drop(relay.stdin.take());
    assert!(relay.wait().unwrap().success());
}
