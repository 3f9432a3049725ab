//! The server's own counters, from its /metrics.

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Most bytes read of /metrics.
const METRICS_BYTES: u64 = 4 << 20;

/// The server's own counters.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Counters {
    pub(crate) syncs: f64,
    /// Entries of conversations.
    pub(crate) records: f64,
    /// All that was appended, cursors too.
    pub(crate) appends: f64,
    /// Bytes of keys and values.
    pub(crate) log_bytes: f64,
    /// Time that the syncs took, together.
    pub(crate) sync_s: f64,
    /// What the server's allocator has handed out.
    pub(crate) allocated_bytes: f64,
}

fn parse_metrics(text: &str) -> Counters {
    let value = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.strip_prefix(name));
        lines.find_map(|rest| rest.strip_prefix(' ')?.trim().parse().ok()).unwrap_or(0.0)
    };
    Counters {
        syncs: value("parley_log_syncs_total"),
        records: value("parley_log_records_total"),
        appends: value("parley_log_appends_total"),
        log_bytes: value("parley_log_bytes_total"),
        sync_s: value("parley_log_sync_seconds_sum"),
        allocated_bytes: value("parley_allocator_allocated_bytes"),
    }
}

/// Fetches the counters from `url`, for example http://127.0.0.1:7481/metrics.
///
/// # Errors
/// When it is no such URL, or nothing answers there.
pub(super) async fn counters(url: &str) -> anyhow::Result<Counters> {
    Ok(parse_metrics(&scrape(url).await?))
}

async fn scrape(url: &str) -> anyhow::Result<String> {
    let rest = url.strip_prefix("http://").context("--metrics is an http:// URL")?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, "metrics"));
    let mut tcp = TcpStream::connect(authority).await.context("--metrics")?;
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    tcp.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    tcp.take(METRICS_BYTES).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_found_among_others() {
        let text = "# HELP parley_log_syncs_total x\nparley_log_syncs_total 12\n\
                    parley_log_records_total 345\nparley_allocator_allocated_bytes 1.5e6\n\
                    parley_log_sync_seconds_bucket{le=\"1\"} 12\nparley_log_sync_seconds_sum 0.25\n\
                    parley_log_appends_total 600\nparley_log_bytes_total 9000\n";
        let log = Counters {
            syncs: 12.0,
            records: 345.0,
            appends: 600.0,
            log_bytes: 9000.0,
            sync_s: 0.25,
            allocated_bytes: 1.5e6,
        };
        assert_eq!(parse_metrics(text), log);
    }
}
