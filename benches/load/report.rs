//! What a run found, as JSON.
//!
//! `benches/load/result.schema.json` describes it. Scripts read the fields: they are added
//! to, never renamed. All scenarios give the same first fields; what a scenario has
//! beyond them is its own [`Details`].

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use hdrhistogram::Histogram;
use serde::Serialize;

use crate::args::{Arrivals, Load};
use crate::probe::Usage;
use crate::timeline::{Drift, Point};

/// Where the curve of a distribution is given.
const QUANTILES: [f64; 14] =
    [0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999, 1.0];

/// Result of a scenario against a server.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Result {
    pub(crate) version: &'static str,
    pub(crate) scenario: &'static str,
    pub(crate) transport: &'static str,
    /// What the server makes durable before it acknowledges.
    pub(crate) durability: Option<String>,
    pub(crate) users: usize,
    pub(crate) size_bytes: usize,
    /// Messages a second of an open loop; null for a closed one.
    pub(crate) rate: Option<f64>,
    pub(crate) arrivals: Option<&'static str>,
    /// In flight for each sender in a closed loop; null for an open one.
    pub(crate) window: Option<usize>,
    /// Share of the messages that are large, and their size.
    pub(crate) large_share: f64,
    pub(crate) large_bytes: Option<usize>,
    pub(crate) warmup_s: f64,
    pub(crate) seconds: f64,
    pub(crate) sent_per_s: Option<f64>,
    pub(crate) delivered_per_s: Option<f64>,
    pub(crate) server_core_us_per_message: Option<f64>,
    pub(crate) server_core_us_per_delivery: Option<f64>,
    pub(crate) server_switches_per_message: Option<f64>,
    /// Intended send to the receipt by each recipient, messages of the ordinary size.
    pub(crate) latency_us: Option<Percentiles>,
    /// The same for the large ones.
    pub(crate) large_latency_us: Option<Percentiles>,
    /// Intended send to the sender's `Sent`.
    pub(crate) sent_latency_us: Option<Percentiles>,
    /// Intended send to the generator's write.
    pub(crate) late_us: Option<Percentiles>,
    /// What the threads that play users ran at.
    pub(crate) generator_priority: Option<String>,
    /// Messages of an open loop that were due within the window.
    pub(crate) planned: Option<u64>,
    /// The distribution of `latency_us`: quantile and microseconds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) latency_curve: Vec<(f64, u64)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) timeline: Vec<Point>,
    pub(crate) drift: Option<Drift>,
    #[serde(flatten)]
    pub(crate) usage: Usage,
    pub(crate) bytes_per_connection: Option<f64>,
    pub(crate) messages: u64,
    pub(crate) refused: u64,
    pub(crate) unanswered: u64,
    pub(crate) lost: u64,
    pub(crate) duplicates: u64,
    pub(crate) reordered: u64,
    /// Seqs of a conversation that neither side saw, or saw twice.
    pub(crate) gaps: u64,
    /// Users whose last messages the peer's acknowledgement never reached.
    pub(crate) without_receipt: u64,
    pub(crate) broken_connections: u64,
    pub(crate) void: bool,
    pub(crate) void_reasons: Vec<String>,
    #[serde(flatten)]
    pub(crate) details: Option<Details>,
}

/// What only one scenario measures.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Details {
    Idle(Idle),
    Group(Group),
    Mixed(Mixed),
    Storm(Storm),
    Sync(Sync),
    Handshake(Handshake),
}

/// Connections held.
#[derive(Debug, Serialize)]
pub(crate) struct Idle {
    pub(crate) connections: usize,
    pub(crate) heartbeat_s: Option<f64>,
    /// Growth of what the server's allocator has handed out for each connection.
    pub(crate) allocated_bytes_per_connection: Option<f64>,
    /// Growth of all its resident memory for each connection.
    pub(crate) resident_bytes_per_connection: Option<f64>,
    pub(crate) server_us_per_connection_s: Option<f64>,
    /// What opening cost: connection, handshake, Hello and Welcome.
    pub(crate) server_us_per_open: Option<f64>,
    pub(crate) opened_per_s: f64,
}

/// One sends, all others take.
#[derive(Debug, Serialize)]
pub(crate) struct Group {
    pub(crate) members: usize,
    /// Whether the members acknowledge.
    pub(crate) receipts: bool,
    /// Receipts that the senders heard, within the window.
    pub(crate) receipts_per_s: f64,
    /// From the first recipient of a message to the last.
    pub(crate) spread_us: Percentiles,
}

/// Everyday life.
#[derive(Debug, Serialize)]
pub(crate) struct Mixed {
    pub(crate) devices: usize,
    /// Conversations of each kind: 1:1, small groups, large groups.
    pub(crate) conversations: [usize; 3],
    /// Deliveries that one message has in the mean.
    pub(crate) deliveries_per_message: f64,
    pub(crate) receipts_per_s: f64,
    /// Devices that dropped their connection and came back.
    pub(crate) reconnects: u64,
    /// From opening the connection to holding what was missed.
    pub(crate) reconnect_us: Percentiles,
    /// Gaps that devices found in what was pushed to them, and fetched.
    pub(crate) gaps_fetched: u64,
}

/// All reconnect at once.
#[derive(Debug, Serialize)]
pub(crate) struct Storm {
    /// Messages that waited for each client.
    pub(crate) missed: usize,
    /// From the first connection attempt to the last client that holds all it missed.
    pub(crate) all_back_s: f64,
    pub(crate) back_per_s: f64,
    pub(crate) server_us_per_client: Option<f64>,
    /// Attempts that failed and were made again.
    pub(crate) retries: u64,
    /// The same number of bare handshakes with the relay, as many at a time; the mean of before and after.
    pub(crate) bare_s: Option<f64>,
    pub(crate) bare_us_per_handshake: Option<f64>,
    /// `all_back_s` over `bare_s`.
    pub(crate) against_bare: Option<f64>,
    /// `server_us_per_client` over `bare_us_per_handshake`.
    pub(crate) cpu_against_bare: Option<f64>,
}

/// Catching up after absence.
#[derive(Debug, Serialize)]
pub(crate) struct Sync {
    /// Messages that waited for each client.
    pub(crate) backlog: usize,
    /// Clients that caught up from the beginning, counted each time.
    pub(crate) syncs: u64,
    pub(crate) messages_per_s: f64,
    pub(crate) messages_per_core_s: Option<f64>,
    /// Bytes of frames received for each message.
    pub(crate) bytes_per_message: f64,
    pub(crate) reconnect: Option<Reconnect>,
}

/// One client with many conversations of which few changed.
#[derive(Debug, Serialize)]
pub(crate) struct Reconnect {
    pub(crate) conversations: usize,
    pub(crate) changed: usize,
    pub(crate) rounds: usize,
    /// From sending Hello to Welcome, on an open connection.
    pub(crate) welcome_us: Percentiles,
    /// From sending Hello to holding every missed entry.
    pub(crate) caught_up_us: Percentiles,
    /// From opening the connection to holding every missed entry.
    pub(crate) from_connect_us: Percentiles,
    /// Bytes of frames up to Welcome, and up to holding every missed entry; the most of all rounds.
    pub(crate) welcome_bytes: u64,
    pub(crate) caught_up_bytes: u64,
    pub(crate) server_us_per_reconnect: Option<f64>,
}

/// Connections opened.
#[derive(Debug, Serialize)]
pub(crate) struct Handshake {
    /// Whether only the transport's handshake is made, without Hello and Welcome.
    pub(crate) bare: bool,
    pub(crate) opened_per_s: f64,
    pub(crate) server_us_per_open: Option<f64>,
}

/// Microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Percentiles {
    pub(crate) p50: u64,
    pub(crate) p90: u64,
    pub(crate) p99: u64,
    pub(crate) p999: u64,
    pub(crate) max: u64,
}

impl From<&Histogram<u64>> for Percentiles {
    fn from(histogram: &Histogram<u64>) -> Self {
        Self {
            p50: histogram.value_at_quantile(0.5),
            p90: histogram.value_at_quantile(0.9),
            p99: histogram.value_at_quantile(0.99),
            p999: histogram.value_at_quantile(0.999),
            max: histogram.max(),
        }
    }
}

/// The distribution as points.
pub(crate) fn curve(histogram: &Histogram<u64>) -> Vec<(f64, u64)> {
    QUANTILES.iter().map(|at| (*at, histogram.value_at_quantile(*at))).collect()
}

impl Result {
    /// A result in which nothing was measured yet.
    pub(crate) fn new(scenario: &'static str, transport: &'static str, users: usize) -> Self {
        let version = env!("CARGO_PKG_VERSION");
        Self { version, scenario, transport, users, ..Self::default() }
    }

    /// Makes the run void.
    pub(crate) fn void(&mut self, reason: String) {
        self.void_reasons.push(reason);
        self.void = true;
    }

    /// 1 when the server broke a promise, 2 when the run says nothing, else 0.
    pub(crate) fn exit_code(&self) -> ExitCode {
        if self.lost + self.duplicates + self.reordered + self.gaps > 0 {
            ExitCode::from(1)
        } else if self.void {
            ExitCode::from(2)
        } else {
            ExitCode::SUCCESS
        }
    }
}

/// The load as the result's three fields: rate, arrivals, window.
pub(crate) fn load_fields(load: Load) -> (Option<f64>, Option<&'static str>, Option<usize>) {
    match load {
        Load::Open { rate, arrivals: Arrivals::Constant } => (Some(rate), Some("constant"), None),
        Load::Open { rate, arrivals: Arrivals::Poisson } => (Some(rate), Some("poisson"), None),
        Load::Closed { window } => (None, None, Some(window)),
    }
}

/// A total for each of so many; none when there were none.
pub(crate) fn per(total: Option<u64>, count: u64) -> Option<f64> {
    total.filter(|_| count > 0).map(|total| total as f64 / count as f64)
}

/// Writes the result to `path`, or to standard output.
///
/// # Errors
/// When it can't be written.
pub(crate) fn write(result: &impl Serialize, path: Option<&Path>) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(result)?;
    match path {
        Some(path) => {
            std::fs::write(path, text + "\n").with_context(|| format!("writing {}", path.display()))
        }
        None => {
            println!("{text}");
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_lie_beside_the_common_fields() {
        let mut result = Result::new("handshake", "tls", 3);
        let details = Handshake { bare: true, opened_per_s: 4.0, server_us_per_open: None };
        result.details = Some(Details::Handshake(details));
        let json = serde_json::to_value(&result).unwrap();
        assert_eq!(json["bare"], true);
        assert_eq!(json["users"], 3);
        assert!(json["latency_us"].is_null() && json["latency_us"]["p99"].is_null());
        assert!(json.get("details").is_none());
        result.details = None;
        assert!(serde_json::to_value(&result).unwrap().get("bare").is_none());
    }
}
