//! What the server and the machine used, sampled at both ends of the window.
//!
//! CPU times come from the kernel's accounting in /proc, so the server needs no
//! cooperation. What the server's process started counts as the server: other servers are
//! several processes under one. The rest of the machine is sampled too: on a shared machine a figure
//! without what else was running says little.

use std::fs;

use anyhow::Context as _;
use serde::Serialize;

use super::metrics::{self, Counters};
use super::process::{self, Process, TICK_US};

/// One sample.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sample {
    pub(crate) server: Option<Process>,
    pub(crate) own: Process,
    /// CPU of everything on this machine.
    pub(crate) machine_us: u64,
    /// CPU time the hypervisor gave to others.
    pub(crate) stolen_us: u64,
    pub(crate) counters: Option<Counters>,
}

/// The difference of two samples, as it goes into the result.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Usage {
    pub(crate) server_cores: Option<f64>,
    pub(crate) generator_cores: f64,
    pub(crate) other_cores: f64,
    pub(crate) stolen_cores: f64,
    pub(crate) server_cpu_us: Option<u64>,
    pub(crate) server_switches: Option<u64>,
    pub(crate) server_resident_bytes: Option<u64>,
    pub(crate) server_anonymous_bytes: Option<u64>,
    pub(crate) syncs_per_s: Option<f64>,
    /// Their product is `synced_records_per_s`: the messages that the log made durable.
    pub(crate) records_per_sync: Option<f64>,
    pub(crate) synced_records_per_s: Option<f64>,
    pub(crate) appends_per_sync: Option<f64>,
    pub(crate) log_bytes_per_sync: Option<f64>,
    /// Share of the window in which a sync was on its way.
    pub(crate) sync_share: Option<f64>,
}

/// Takes a sample.
///
/// # Errors
/// When the process is gone or /proc or the metrics can't be read.
pub(crate) async fn sample(pid: Option<u32>, metrics: Option<&str>) -> anyhow::Result<Sample> {
    let counters = match metrics {
        Some(url) => Some(metrics::counters(url).await?),
        None => None,
    };
    let stat = fs::read_to_string("/proc/stat")?;
    let (machine_us, stolen_us) = parse_machine(&stat).context("/proc/stat")?;
    Ok(Sample {
        server: pid.map(process::with_family).transpose()?,
        own: process::usage("self")?,
        machine_us,
        stolen_us,
        counters,
    })
}

impl Usage {
    /// What was used between two samples that lie `seconds` apart.
    pub(crate) fn between(before: &Sample, after: &Sample, seconds: f64) -> Self {
        let server = before.server.zip(after.server);
        let cpu = |before: &Process, after: &Process| after.cpu_us.saturating_sub(before.cpu_us);
        let server_cpu_us = server.map(|(before, after)| cpu(&before, &after));
        let own_us = cpu(&before.own, &after.own);
        let machine_us = after.machine_us.saturating_sub(before.machine_us);
        let other_us = machine_us.saturating_sub(own_us + server_cpu_us.unwrap_or(0));
        let cores = |us: u64| us as f64 / 1e6 / seconds;
        let log = before.counters.zip(after.counters).map(|(before, after)| Counters {
            syncs: after.syncs - before.syncs,
            records: after.records - before.records,
            appends: after.appends - before.appends,
            log_bytes: after.log_bytes - before.log_bytes,
            sync_s: after.sync_s - before.sync_s,
            allocated_bytes: after.allocated_bytes - before.allocated_bytes,
        });
        let per_sync = |count: fn(&Counters) -> f64| {
            log.filter(|log| log.syncs > 0.0).map(|log| count(&log) / log.syncs)
        };
        Self {
            server_cores: server_cpu_us.map(cores),
            generator_cores: cores(own_us),
            other_cores: cores(other_us),
            stolen_cores: cores(after.stolen_us.saturating_sub(before.stolen_us)),
            server_cpu_us,
            server_switches: server
                .map(|(before, after)| after.switches.saturating_sub(before.switches)),
            server_resident_bytes: after.server.map(|server| server.resident_bytes),
            server_anonymous_bytes: after.server.map(|server| server.anonymous_bytes),
            syncs_per_s: log.map(|log| log.syncs / seconds),
            records_per_sync: per_sync(|log| log.records),
            synced_records_per_s: log.map(|log| log.records / seconds),
            appends_per_sync: per_sync(|log| log.appends),
            log_bytes_per_sync: per_sync(|log| log.log_bytes),
            sync_share: log.map(|log| log.sync_s / seconds),
        }
    }
}

/// Busy and stolen time of all processors.
fn parse_machine(stat: &str) -> Option<(u64, u64)> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<u64> = line.split_whitespace().filter_map(|tick| tick.parse().ok()).collect();
    let [user, nice, system, _idle, _wait, irq, softirq, stolen, ..] = ticks.as_slice() else {
        return None;
    };
    Some(((user + nice + system + irq + softirq) * TICK_US, stolen * TICK_US))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_and_waiting_time_is_not_busy() {
        let stat = "cpu  1 2 3 400 500 6 7 8 0 0\ncpu0 1";
        assert_eq!(parse_machine(stat), Some((190_000, 80_000)));
    }

    #[test]
    fn a_difference_splits_the_machine_into_server_generator_and_others() {
        let process = |cpu_us| Process { cpu_us, ..Process::default() };
        let sample = |server, own, machine_us| Sample {
            server: Some(process(server)),
            own: process(own),
            machine_us,
            ..Sample::default()
        };
        let usage = Usage::between(&sample(0, 0, 0), &sample(4_000_000, 3_000_000, 9_000_000), 2.0);
        assert_eq!(usage.server_cores, Some(2.0));
        assert_eq!((usage.generator_cores, usage.other_cores), (1.5, 1.0));
    }

    #[test]
    fn syncs_times_records_of_each_are_the_durable_messages() {
        let counted = |syncs, records, sync_s| Sample {
            counters: Some(Counters { syncs, records, sync_s, ..Counters::default() }),
            ..Sample::default()
        };
        let usage = Usage::between(&counted(10.0, 50.0, 1.0), &counted(30.0, 650.0, 2.5), 2.0);
        assert_eq!((usage.syncs_per_s, usage.records_per_sync), (Some(10.0), Some(30.0)));
        assert_eq!((usage.synced_records_per_s, usage.sync_share), (Some(300.0), Some(0.75)));
    }
}
