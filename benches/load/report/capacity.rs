//! What a service of so many people takes, computed from measured costs.
//!
//! Arithmetic, not a measurement: it multiplies what one node was seen to cost, and every
//! assumption is printed with the table. Costs come from a folder that `goals` wrote, as medians
//! over its rounds, or from flags. Nothing of a cluster was measured: its replicas are
//! taken to cost what a bare commit costs on each further node, its links between nodes nothing.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::{compare, number::number};
use crate::args::CapacityArgs;
use crate::measure::median;

/// Daily users of the rows.
const USERS: [f64; 6] = [10_000.0, 100_000.0, 1e6, 1e7, 1e8, 5e8];

/// Seconds of a day.
const DAY_S: f64 = 86_400.0;

/// Memory of the kernel for a connection, of the bare library's floor.
const KERNEL_BYTES: f64 = 4900.0;

/// Which costs, in core-microseconds and bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Costs {
    /// A scattered 1:1 message, all of it.
    message_us: f64,
    /// One more delivery of a message in a group.
    delivery_us: f64,
    /// A second of an idle connection.
    idle_us: f64,
    /// Memory of an idle connection, the kernel's not counted.
    connection_bytes: f64,
    /// One more copy of a message on another node: a bare group commit.
    copy_us: f64,
    /// Keys and values that a message leaves on disk, before compression.
    disk_bytes: f64,
}

/// What is asked of one service.
#[derive(Debug, Clone, Copy)]
struct Demand {
    users: f64,
    messages_a_day: f64,
    deliveries: f64,
    connected: f64,
    peak: f64,
    copies: f64,
    busy: f64,
}

/// What that takes.
#[derive(Debug, PartialEq)]
struct Need {
    peak_per_s: f64,
    connections: f64,
    cores: f64,
    memory_gb: f64,
    disk_tb_a_year: f64,
    nodes: f64,
}

/// Prints the table.
///
/// # Errors
/// When a cost is not known.
pub(crate) fn run(args: &CapacityArgs) -> anyhow::Result<()> {
    let costs = costs(args)?;
    ensure!(args.busy > 0.0 && args.busy <= 1.0, "--busy is above 0 and at most 1");
    ensure!(
        args.copies >= 1.0 && args.deliveries >= 1.0,
        "--copies and --deliveries are at least 1"
    );
    print!("{}", markdown(args, &costs));
    Ok(())
}

fn costs(args: &CapacityArgs) -> anyhow::Result<Costs> {
    let measured = |flag: Option<f64>, name: &str, step: &str, pointers: &[&str]| {
        let found = || {
            let values = results(args.results.as_deref()?, step);
            let value = |result: &Value| {
                pointers.iter().map(|pointer| result.pointer(pointer)?.as_f64()).reduce(
                    |one, other| {
                        // Two pointers are a quotient.
                        Some(one? / other?)
                    },
                )?
            };
            median(values.iter().filter_map(value))
        };
        flag.or_else(found)
            .with_context(|| format!("--{name} is not given, and no {step} is among the results"))
    };
    Ok(Costs {
        message_us: measured(
            args.message_us,
            "message-us",
            "scattered-tls",
            &["/server_core_us_per_message"],
        )?,
        delivery_us: measured(
            args.delivery_us,
            "delivery-us",
            "group-receipts-tls",
            &["/server_core_us_per_delivery"],
        )?,
        idle_us: measured(args.idle_us, "idle-us", "idle-tls", &["/server_us_per_connection_s"])?,
        connection_bytes: measured(
            args.connection_bytes,
            "connection-bytes",
            "idle-tls",
            &["/bytes_per_connection"],
        )?,
        copy_us: measured(args.copy_us, "copy-us", "floor", &["/store/2/core_us_per_append"])?,
        disk_bytes: measured(
            args.disk_bytes,
            "disk-bytes",
            "bursty-tls",
            &["/log_bytes_per_sync", "/records_per_sync"],
        )?,
    })
}

/// A step's results in all rounds.
fn results(folder: &Path, step: &str) -> Vec<Value> {
    let rounds =
        (1..).map(|round| folder.join(format!("round-{round}"))).take_while(|round| round.is_dir());
    let files = rounds.map(|round| round.join(format!("{step}.json")));
    files.filter_map(|file| compare::load(&file).ok()?.into_iter().next()).collect()
}

fn need(demand: &Demand, costs: &Costs, args: &CapacityArgs) -> Need {
    let a_day = demand.users * demand.messages_a_day;
    let peak_per_s = a_day / DAY_S * demand.peak;
    let connections = demand.users * demand.connected;
    let message_us = costs.message_us
        + (demand.deliveries - 1.0) * costs.delivery_us
        + (demand.copies - 1.0) * costs.copy_us;
    let busy_us = peak_per_s * message_us + connections * costs.idle_us;
    let cores = busy_us / 1e6 / demand.busy;
    let memory_gb = connections * (costs.connection_bytes + KERNEL_BYTES) / 1e9;
    let disk_tb_a_year = a_day * 365.0 * costs.disk_bytes * demand.copies / 1e12;
    let nodes = (cores / args.node_cores).max(memory_gb / (args.node_memory_gb / 2.0)).ceil();
    let nodes = if nodes > 1.0 { nodes.max(demand.copies) } else { 1.0 };
    Need { peak_per_s, connections, cores, memory_gb, disk_tb_a_year, nodes }
}

fn markdown(args: &CapacityArgs, costs: &Costs) -> String {
    let Costs { message_us, delivery_us, idle_us, connection_bytes, copy_us, disk_bytes } = *costs;
    let mut page = String::new();
    let _ = writeln!(
        page,
        "Costs: {} core-µs a 1:1 message, {} a further delivery, {} a copy on another node, {} a second of an idle connection; {} bytes of memory a \
         connection and {} of the kernel; {} bytes of keys and values a message.\n",
        number(message_us),
        number(delivery_us),
        number(copy_us),
        number(idle_us),
        number(connection_bytes),
        number(KERNEL_BYTES),
        number(disk_bytes)
    );
    let _ = writeln!(
        page,
        "Assumed: {} messages a user and day, {} deliveries each, {} of all users connected at the peak, which is {} times the mean; processors {} \
         busy at the peak; {} copies where there is more than one node; nodes of {} cores and {} GB, half of it for connections.\n",
        number(args.messages),
        number(args.deliveries),
        number(args.connected),
        number(args.peak),
        number(args.busy),
        number(args.copies),
        number(args.node_cores),
        number(args.node_memory_gb)
    );
    page.push_str("| Daily users | Messages/s at the peak | Connections | Cores | Memory of connections, GB | Disk a year, TB | Nodes |\n|---|---|---|---|---|---|---|\n");
    for users in USERS {
        let demand = |copies| Demand {
            users,
            messages_a_day: args.messages,
            deliveries: args.deliveries,
            connected: args.connected,
            peak: args.peak,
            copies,
            busy: args.busy,
        };
        // What fits on one node needs no copies.
        let alone = need(&demand(1.0), costs, args);
        let need = if alone.nodes > 1.0 { need(&demand(args.copies), costs, args) } else { alone };
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} | {} | {} | {} |",
            number(users),
            number(need.peak_per_s),
            number(need.connections),
            number(need.cores),
            number(need.memory_gb),
            number(need.disk_tb_a_year),
            number(need.nodes)
        );
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    fn args(line: &str) -> CapacityArgs {
        let words = ["parley-bench", "capacity"].into_iter().chain(line.split_whitespace());
        match crate::args::Cli::try_parse_from(words).unwrap().command {
            crate::args::Command::Capacity(args) => args,
            _ => panic!("another command"),
        }
    }

    const ALL: &str = "--message-us 100 --delivery-us 10 --idle-us 1 --connection-bytes 15100 --copy-us 5 --disk-bytes 400";

    #[test]
    fn twenty_billion_messages_a_day_are_counted_right() {
        let args = args(ALL);
        let costs = costs(&args).unwrap();
        let demand = Demand {
            users: 5e8,
            messages_a_day: 40.0,
            deliveries: 3.0,
            connected: 0.2,
            peak: 3.0,
            copies: 3.0,
            busy: 0.5,
        };
        let need = need(&demand, &costs, &args);
        let near =
            |is: f64, wanted: f64| assert!((is / wanted - 1.0).abs() < 1e-3, "{is} {wanted}");
        // 20e9 / 86,400 * 3.
        near(need.peak_per_s, 694_444.0);
        near(need.connections, 1e8);
        // 694,444 * (100 + 2 * 10 + 2 * 5) + 1e8 * 1 core-µs a second, half busy.
        near(need.cores, (694_444.0 * 130.0 + 1e8) / 1e6 / 0.5);
        near(need.memory_gb, 2000.0);
        near(need.disk_tb_a_year, 20e9 * 365.0 * 400.0 * 3.0 / 1e12);
    }

    #[test]
    fn what_fits_on_one_node_is_one_node_without_copies() {
        let page = markdown(&args(ALL), &costs(&args(ALL)).unwrap());
        let row = page.lines().find(|line| line.starts_with("| 10,000 ")).unwrap();
        assert!(row.ends_with("| 1 |"), "{row}");
        let row = page.lines().find(|line| line.starts_with("| 500,000,000 ")).unwrap();
        assert!(!row.ends_with("| 1 |"), "{row}");
    }

    #[test]
    fn a_cost_that_nobody_measured_is_asked_for() {
        let error = costs(&args("--message-us 100")).unwrap_err().to_string();
        assert!(error.contains("--delivery-us"), "{error}");
    }
}
