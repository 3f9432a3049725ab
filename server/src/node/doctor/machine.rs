//! What the machine gives: open files, memory, processors.

use std::fs;

use rustix::process::{Resource, getrlimit};

use super::folder::size;
use crate::node::config::Config;
use crate::node::descriptors::Shares;
use crate::storage::doctor::Line;

/// Whether connections and the store fit under the limit of open files: of the server that
/// runs, or of whoever starts one from here.
pub(super) fn descriptors(connections: usize, server: Option<u32>) -> Line {
    const CHECK: &str = "descriptors";
    const REMEDY: &str = "raise the limit of open files (LimitNOFILE of a systemd unit, ulimit -n), or \
                          lower connections.total";
    let of_server = server.and_then(limit_of);
    let whose = if of_server.is_some() { "the server" } else { "a process started here" };
    let limit = of_server.unwrap_or_else(|| getrlimit(Resource::Nofile).maximum);
    let shown = limit.map_or_else(|| "any number of".to_owned(), |limit| limit.to_string());
    match Shares::of(limit, connections) {
        Err(error) => Line::problem(CHECK, error.to_string(), REMEDY),
        Ok(shares) => {
            let found = format!(
                "{whose} may have {shown} open files: {} connections, {} tables of the store",
                shares.connections, shares.store
            );
            if shares.connections < connections {
                let found = format!("{found}; connections.total is {connections}");
                Line::warning(CHECK, found, REMEDY)
            } else {
                Line::ok(CHECK, found)
            }
        }
    }
}

/// The limit of a process that runs; the inner none is no limit.
fn limit_of(process: u32) -> Option<Option<u64>> {
    let limits = fs::read_to_string(format!("/proc/{process}/limits")).ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let soft = line.split_whitespace().next()?;
    if soft == "unlimited" { Some(None) } else { soft.parse().ok().map(Some) }
}

/// Whether the memory that the configuration allows is there.
pub(super) fn memory(config: &Config) -> Line {
    const CHECK: &str = "machine";
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let storage = config.storage.cache_bytes + config.storage.write_buffer_bytes;
    let may_take = (storage + config.sessions.memory_bytes) as u64;
    let Some(there) = there() else {
        return Line::ok(
            CHECK,
            format!("{processors} processors; the system doesn't say its memory"),
        );
    };
    let found = format!(
        "{processors} processors, {} of memory; caches and queues may take {}",
        size(there),
        size(may_take)
    );
    if may_take > there / 4 * 3 {
        let remedy =
            "lower storage.cache_bytes, storage.write_buffer_bytes or sessions.memory_bytes";
        Line::warning(CHECK, found, remedy)
    } else {
        Line::ok(CHECK, found)
    }
}

/// Bytes of memory that this process may take: the machine's, or its group's.
fn there() -> Option<u64> {
    let meminfo = fs::read_to_string("/proc/meminfo").ok()?;
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let total = line.split_whitespace().next()?.parse::<u64>().ok()? * 1024;
    let group = fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let group = group.and_then(|text| text.trim().parse().ok()).unwrap_or(u64::MAX);
    Some(total.min(group))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::doctor::Status;

    #[test]
    fn more_connections_than_files_are_warned_of() {
        let own = std::process::id();
        let Some(Some(limit)) = limit_of(own) else { return };
        let line = descriptors(usize::MAX, Some(own));
        assert_eq!(line.status, Status::Warning, "{line:?}");
        assert!(line.found.starts_with(&format!("the server may have {limit} open files")));
        assert_eq!(limit_of(0), None);
    }

    #[test]
    fn a_cache_beyond_the_memory_is_warned_of() {
        let mut config = Config::default();
        assert!(memory(&config).found.contains("processors"));
        config.storage.cache_bytes = usize::MAX / 4;
        assert_eq!(memory(&config).status, Status::Warning);
    }
}
