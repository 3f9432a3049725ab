//! What the server and the machine used, sampled at both ends of the window.
//!
//! CPU times come from the kernel's accounting in /proc, so the server needs no
//! cooperation. What the server's process started counts as the server: other servers are
//! several processes under one. The rest of the machine is sampled too: on a shared machine a figure
//! without what else was running says little.

use std::fs;

use anyhow::Context as _;
use serde::Serialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Microseconds of one tick in /proc: USER_HZ is 100 on every Linux.
const TICK_US: u64 = 10_000;

/// Where /proc/PID/stat has the process's own time, counted behind the name.
const OWN: usize = 11;

/// Where it has that of the children it waited for.
const CHILDREN: usize = 13;

/// Most bytes read of /metrics.
const METRICS_BYTES: u64 = 4 << 20;

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

/// One process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) cpu_us: u64,
    pub(crate) switches: u64,
    pub(crate) resident_bytes: u64,
    /// Resident memory that isn't backed by a file.
    pub(crate) anonymous_bytes: u64,
}

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
        Some(url) => Some(parse_metrics(&scrape(url).await?)),
        None => None,
    };
    let stat = fs::read_to_string("/proc/stat")?;
    let (machine_us, stolen_us) = parse_machine(&stat).context("/proc/stat")?;
    Ok(Sample {
        server: pid.map(server).transpose()?,
        own: process("self")?,
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

/// CPU and memory of a process and of all it started.
///
/// # Errors
/// When the process itself is gone. One of the others may end at any time: its CPU is then
/// that of whoever waited for it.
fn server(pid: u32) -> anyhow::Result<Process> {
    let (root, others) = family(pid)?;
    let mut sum = with_children_waited_for(root)?;
    for other in others.into_iter().filter_map(|pid| with_children_waited_for(pid).ok()) {
        sum.cpu_us += other.cpu_us;
        sum.switches += other.switches;
        sum.resident_bytes += other.resident_bytes;
        sum.anonymous_bytes += other.anonymous_bytes;
    }
    Ok(sum)
}

fn with_children_waited_for(pid: u32) -> anyhow::Result<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let waited_us = parse_cpu(&stat, CHILDREN).context("a process's stat")?;
    let own = process(&pid.to_string())?;
    Ok(Process { cpu_us: own.cpu_us + waited_us, ..own })
}

/// A process and its descendants.
///
/// # Errors
/// When /proc can't be read.
pub(crate) fn family(pid: u32) -> anyhow::Result<(u32, Vec<u32>)> {
    let numbers = fs::read_dir("/proc")?.flatten().map(|entry| entry.file_name());
    let parents: Vec<(u32, u32)> = numbers
        .filter_map(|name| {
            let child = name.to_str()?.parse().ok()?;
            let stat = fs::read_to_string(format!("/proc/{child}/stat")).ok()?;
            Some((child, parse_parent(&stat)?))
        })
        .collect();
    Ok((pid, descendants(pid, &parents)))
}

/// Whoever has `pid` among its ancestors; `parents` are pairs of child and parent.
fn descendants(pid: u32, parents: &[(u32, u32)]) -> Vec<u32> {
    let mut found = Vec::new();
    let mut generation = vec![pid];
    while !generation.is_empty() {
        let next = parents.iter().filter(|(_, parent)| generation.contains(parent));
        generation = next.map(|(child, _)| *child).collect();
        found.extend(&generation);
    }
    found
}

/// CPU and memory of a process now.
///
/// # Errors
/// When it is gone.
pub(crate) fn process(pid: &str) -> anyhow::Result<Process> {
    let read = |path: String| {
        fs::read_to_string(&path).with_context(|| format!("{path}: is the process gone?"))
    };
    let stat = read(format!("/proc/{pid}/stat"))?;
    let status = read(format!("/proc/{pid}/status"))?;
    let mut switches = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))?.flatten() {
        // A thread may end meanwhile.
        if let Ok(status) = fs::read_to_string(task.path().join("status")) {
            switches += field(&status, "voluntary_ctxt_switches:").unwrap_or(0);
            switches += field(&status, "nonvoluntary_ctxt_switches:").unwrap_or(0);
        }
    }
    Ok(Process {
        cpu_us: parse_cpu(&stat, OWN).context("a process's stat")?,
        switches,
        resident_bytes: field(&status, "VmRSS:").unwrap_or(0) * 1024,
        anonymous_bytes: field(&status, "RssAnon:").unwrap_or(0) * 1024,
    })
}

/// The parent in /proc/PID/stat.
fn parse_parent(stat: &str) -> Option<u32> {
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(1)?.parse().ok()
}

/// User and system time of /proc/PID/stat, from field `at` behind the name; the name may hold
/// anything.
fn parse_cpu(stat: &str, at: usize) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(at);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((user + system) * TICK_US)
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

fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
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
    fn cpu_is_read_past_a_name_with_spaces_and_brackets() {
        let stat = "7 (a) b) R 1 2 3 4 5 6 7 8 9 10 30 12 5 6 20 0";
        assert_eq!(parse_cpu(stat, OWN), Some(420_000));
        assert_eq!(parse_cpu(stat, CHILDREN), Some(110_000));
        assert_eq!(parse_cpu("7 (a", OWN), None);
        assert_eq!(parse_parent(stat), Some(1));
    }

    #[test]
    fn a_family_is_all_that_one_process_started() {
        let parents = [(2, 1), (3, 2), (4, 1), (5, 3), (6, 4), (1, 0)];
        assert_eq!(descendants(2, &parents), [3, 5]);
        assert_eq!(descendants(1, &parents), [2, 4, 3, 6, 5]);
        assert!(descendants(6, &parents).is_empty());
    }

    #[test]
    fn what_a_server_started_and_waited_for_is_its_own() {
        // The inner shell works and ends, and the outer one then waits for a line.
        let work = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
        let mut outer = std::process::Command::new("sh")
            .args(["-c", &format!("sh -c '{work}'; echo done; read line; :")])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = [0; 5];
        std::io::Read::read_exact(outer.stdout.as_mut().unwrap(), &mut said).unwrap();
        let pid = outer.id();
        let (whole, alone) = (server(pid).unwrap(), process(&pid.to_string()).unwrap());
        assert!(whole.cpu_us > alone.cpu_us, "{whole:?} {alone:?}");
        drop(outer.stdin.take());
        outer.wait().unwrap();
    }

    #[test]
    fn idle_and_waiting_time_is_not_busy() {
        let stat = "cpu  1 2 3 400 500 6 7 8 0 0\ncpu0 1";
        assert_eq!(parse_machine(stat), Some((190_000, 80_000)));
    }

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

    #[test]
    fn this_process_has_used_memory() {
        let own = process("self").unwrap();
        assert!(own.resident_bytes > 0 && own.anonymous_bytes <= own.resident_bytes);
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
