//! What a run found, as JSON.
//!
//! `benches/load/result.schema.json` describes it. Scripts read the fields: they are added
//! to, never renamed.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use hdrhistogram::Histogram;
use serde::Serialize;

use crate::args::{Arrivals, Load};
use crate::probe::Usage;

/// Result of a scenario with messages.
#[derive(Debug, Serialize)]
pub(crate) struct Result {
    pub(crate) version: &'static str,
    pub(crate) scenario: &'static str,
    pub(crate) transport: &'static str,
    pub(crate) users: usize,
    pub(crate) size_bytes: usize,
    /// Messages a second of an open loop; null for a closed one.
    pub(crate) rate: Option<f64>,
    pub(crate) arrivals: Option<&'static str>,
    /// In flight for each sender in a closed loop; null for an open one.
    pub(crate) window: Option<usize>,
    pub(crate) warmup_s: f64,
    pub(crate) seconds: f64,
    pub(crate) sent_per_s: f64,
    pub(crate) delivered_per_s: f64,
    pub(crate) server_core_us_per_message: Option<f64>,
    pub(crate) server_core_us_per_delivery: Option<f64>,
    pub(crate) server_switches_per_message: Option<f64>,
    /// Intended send to the peer's receipt.
    pub(crate) latency_us: Percentiles,
    /// Intended send to the sender's `Sent`.
    pub(crate) sent_latency_us: Percentiles,
    /// Intended send to the generator's write.
    pub(crate) late_us: Percentiles,
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
}

/// Result of the idle scenario.
#[derive(Debug, Serialize)]
pub(crate) struct IdleResult {
    pub(crate) version: &'static str,
    pub(crate) scenario: &'static str,
    pub(crate) transport: &'static str,
    pub(crate) connections: usize,
    pub(crate) heartbeat_s: Option<f64>,
    pub(crate) warmup_s: f64,
    pub(crate) seconds: f64,
    /// Growth of the server's anonymous memory for each connection.
    pub(crate) bytes_per_connection: Option<f64>,
    /// Growth of what its allocator has handed out for each connection.
    pub(crate) allocated_bytes_per_connection: Option<f64>,
    /// Growth of all its resident memory for each connection.
    pub(crate) resident_bytes_per_connection: Option<f64>,
    pub(crate) server_us_per_connection_s: Option<f64>,
    /// What opening cost: connection, handshake, Hello and Welcome.
    pub(crate) server_us_per_open: Option<f64>,
    pub(crate) opened_per_s: f64,
    #[serde(flatten)]
    pub(crate) usage: Usage,
    pub(crate) broken_connections: u64,
    pub(crate) void: bool,
    pub(crate) void_reasons: Vec<String>,
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

impl Result {
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
