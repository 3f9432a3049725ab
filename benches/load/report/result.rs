//! What a run found, as JSON.
//!
//! `benches/load/result.schema.json` describes it. Scripts read the fields: they are added
//! to, never renamed. All scenarios give the same first fields; what a scenario has
//! beyond them is its own [`Details`].

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use serde::Serialize;

use super::details::Details;
use crate::args::{Arrivals, Load};
use crate::measure::histogram::Percentiles;
use crate::measure::system::Usage;
use crate::measure::timeline::{Drift, Point};

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
    /// What the threads that run users ran at.
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
        let details =
            crate::report::Handshake { bare: true, opened_per_s: 4.0, server_us_per_open: None };
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
