//! CPU and memory of processes, from /proc.

use std::fs;

use anyhow::Context as _;

/// Microseconds of one tick in /proc: USER_HZ is 100 on every Linux.
pub(super) const TICK_US: u64 = 10_000;

/// Where /proc/PID/stat has the process's own time, counted behind the name.
const OWN: usize = 11;

/// Where it has that of the children it waited for.
const CHILDREN: usize = 13;

/// One process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) cpu_us: u64,
    pub(crate) switches: u64,
    pub(crate) resident_bytes: u64,
    /// Resident memory that isn't backed by a file.
    pub(crate) anonymous_bytes: u64,
}

/// Returns CPU and memory of a process and of all it started.
///
/// # Errors
/// When the process itself is gone. One of the others may end at any time: its CPU is then
/// that of the process that waited for it.
pub(super) fn with_family(pid: u32) -> anyhow::Result<Process> {
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
    let own = usage(&pid.to_string())?;
    Ok(Process { cpu_us: own.cpu_us + waited_us, ..own })
}

/// Returns a process and its descendants.
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

/// Returns what has `pid` among its ancestors; `parents` are pairs of child and parent.
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

/// Returns CPU and memory of a process now.
///
/// # Errors
/// When it is gone.
pub(crate) fn usage(pid: &str) -> anyhow::Result<Process> {
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

fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
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
        let (whole, alone) = (with_family(pid).unwrap(), usage(&pid.to_string()).unwrap());
        assert!(whole.cpu_us > alone.cpu_us, "{whole:?} {alone:?}");
        drop(outer.stdin.take());
        outer.wait().unwrap();
    }

    #[test]
    fn this_process_has_used_memory() {
        let own = usage("self").unwrap();
        assert!(own.resident_bytes > 0 && own.anonymous_bytes <= own.resident_bytes);
    }
}
