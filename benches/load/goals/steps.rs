//! What is run for the goals, in the order of a round.

use anyhow::ensure;

use crate::args::GoalsArgs;

/// Windows shorter than this say nothing.
const LEAST_S: f64 = 4.0;

/// A warm-up is this part of its window when both are made to fit.
const WARMUP: f64 = 0.4;

/// Seconds to start a server, sign its users up and let what is on its way arrive.
const AROUND_S: f64 = 3.0;

/// Seconds of the syncs and the bare store.
const FLOOR_S: f64 = 35.0;

/// Seconds in which one client of a storm comes, goes, comes back, and opens two bare connections.
const STORM_CLIENT_S: f64 = 0.0075;

/// Seconds to open an idle connection.
const IDLE_CONNECTION_S: f64 = 0.0024;

/// Seconds at full speed before a soak: the store's memtables and cache fill up, as they would in
/// half an hour under its load, and what grows after that is no start.
const FILL_S: f64 = 90.0;

/// Runs of one search, about.
const TRIES: f64 = 5.0;

/// One measurement.
pub(super) struct Step {
    /// Its result's file.
    pub(super) name: String,
    pub(super) work: Work,
    /// In the first round alone.
    pub(super) once: bool,
}

/// How it is made.
pub(super) enum Work {
    Floor(Vec<String>),
    Scenario {
        transport: &'static str,
        load: Vec<String>,
    },
    /// A long one on a server that was given `fill` before.
    Soak {
        transport: &'static str,
        fill: Vec<String>,
        load: Vec<String>,
    },
    /// The highest of these rates that is carried.
    Search {
        transport: &'static str,
        rates: &'static [u32],
        first: usize,
        load: Vec<String>,
    },
}

/// Messages a second that are tried over TLS, and over QUIC.
const TLS_RATES: &[u32] = &[
    4000, 6000, 8000, 9000, 10_000, 11_000, 12_000, 13_000, 14_000, 16_000, 18_000, 20_000, 24_000,
];
const QUIC_RATES: &[u32] =
    &[2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000, 10_000, 12_000, 14_000, 16_000];

/// All steps of the goals that are asked for.
pub(super) fn all(args: &GoalsArgs) -> Vec<Step> {
    let wants = |goals: &[&str]| {
        args.only.is_empty()
            || goals.iter().any(|goal| args.only.iter().any(|only| only.eq_ignore_ascii_case(goal)))
    };
    let scaled = |count: f64, least: f64| ((count * args.scale / 2.0).round() * 2.0).max(least);
    let timed = format!("--seconds {} --warmup {}", args.seconds, args.warmup);
    // A rate is searched in several runs: each may be shorter.
    let half = format!("--seconds {} --warmup {}", args.seconds / 2.0, args.warmup / 2.0);
    let mut steps = Vec::new();
    let mut add = |goals: &[&str], name: String, work: Work| {
        if wants(goals) {
            steps.push(Step { name, work, once: false });
        }
    };
    add(
        &["P4", "P5"],
        "floor".to_owned(),
        Work::Floor(words("--only syncs,store --rate 1000 --seconds 5")),
    );
    for transport in ["tls", "quic"] {
        let run = |load: String| Work::Scenario { transport, load: words(&load) };
        add(
            &["P1", "P3", "P5"],
            format!("bursty-{transport}"),
            run(format!("pairs --users 100 --window 16 {timed}")),
        );
        add(
            &["P4"],
            format!("calm-{transport}"),
            run(format!("pairs --users 400 --rate 1000 {timed}")),
        );
    }
    let relays = format!("--only relays --users 2000 --rate 10000 {timed}");
    add(&["P2"], "relays".to_owned(), Work::Floor(words(&relays)));
    for (transport, rates, first) in [("tls", TLS_RATES, 4), ("quic", QUIC_RATES, 4)] {
        let scattered = format!("pairs --users 2000 --rate 10000 {timed}");
        add(
            &["P2"],
            format!("scattered-{transport}"),
            Work::Scenario { transport, load: words(&scattered) },
        );
        // What the generator is late is in the latency, so the search needs no priority that costs
        // processor time at the limit.
        let load = words(&format!("pairs --users 2000 --ordinary-priority {half}"));
        add(&["P3"], format!("search-{transport}"), Work::Search { transport, rates, first, load });
    }
    let group = format!("group --users 200 --members 200 {timed}");
    for transport in ["tls", "quic"] {
        let run =
            |more: &str| Work::Scenario { transport, load: words(&format!("{group} {more}")) };
        add(&["P8", "P10"], format!("group-{transport}"), run("--rate 20 --no-receipts"));
        add(&["P9", "P10"], format!("group-receipts-{transport}"), run("--rate 20"));
    }
    let bursts = words(&format!("{group} --window 16 --no-receipts"));
    add(&["P8"], "group-bursts-tls".to_owned(), Work::Scenario { transport: "tls", load: bursts });
    for transport in ["tls", "quic", "wss"] {
        let users = scaled(5000.0, 40.0);
        let idle = format!(
            "idle --users {users} --per-user 3 --warmup 25 --seconds {}",
            args.seconds.max(30.0)
        );
        add(
            &["P11", "P12"],
            format!("idle-{transport}"),
            Work::Scenario { transport, load: words(&idle) },
        );
    }
    for transport in ["tls", "quic"] {
        let storm = format!("storm --users {}", scaled(10_000.0, 20.0));
        add(
            &["P13"],
            format!("storm-{transport}"),
            Work::Scenario { transport, load: words(&storm) },
        );
    }
    let sync = format!(
        "sync --users 10 --backlog 1000 --conversations {} --changed 10 {timed}",
        scaled(10_000.0, 20.0)
    );
    add(&["P14"], "sync-tls".to_owned(), Work::Scenario { transport: "tls", load: words(&sync) });
    for (name, share) in [("sizes-small", "0"), ("sizes-mixed", "0.01")] {
        let load = format!("pairs --users 400 --rate 500 --size 200 --large-share {share} {timed}");
        add(&["P15"], name.to_owned(), Work::Scenario { transport: "tls", load: words(&load) });
    }
    if let Some(minutes) = args.soak.filter(|_| wants(&["P15"])) {
        let load = words(&format!(
            "pairs --users 400 --rate 1000 --soak {minutes} --warmup {}",
            args.warmup
        ));
        let fill = words(&format!("pairs --users 400 --window 16 --seconds {FILL_S} --warmup 0"));
        let work = Work::Soak { transport: "tls", fill, load };
        steps.push(Step { name: "soak-tls".to_owned(), work, once: true });
    }
    steps
}

/// Seconds that all rounds take, about: on a machine with two processors, when no run is void.
pub(super) fn estimate(args: &GoalsArgs) -> f64 {
    let steps = all(args);
    let rounds = |step: &&Step| if step.once { 1.0 } else { args.rounds as f64 };
    steps.iter().map(|step| step.estimate(args) * rounds(&step)).sum()
}

/// The same with windows that fit into `--minutes`, when that is given.
///
/// # Errors
/// When not even the shortest do.
pub(super) fn fitted(args: &GoalsArgs) -> anyhow::Result<GoalsArgs> {
    let Some(minutes) = args.minutes else { return Ok(args.clone()) };
    let with = |seconds: f64| GoalsArgs {
        seconds,
        warmup: args.warmup.min((seconds * WARMUP).round()),
        ..args.clone()
    };
    let (mut least, mut most) = (LEAST_S.min(args.seconds), args.seconds.floor());
    let needed = estimate(&with(least)) / 60.0;
    ensure!(
        needed <= minutes,
        "--minutes {minutes} is too little: the shortest windows take {needed:.0} in {} rounds; \
         fewer --rounds or --only some goals take less",
        args.rounds
    );
    while most - least >= 1.0 {
        let middle = f64::midpoint(least, most).ceil();
        if estimate(&with(middle)) <= minutes * 60.0 {
            least = middle;
        } else {
            most = middle - 1.0;
        }
    }
    Ok(with(least))
}

impl Step {
    /// Seconds that it takes once, about.
    fn estimate(&self, args: &GoalsArgs) -> f64 {
        let window = args.seconds + args.warmup + AROUND_S;
        match &self.work {
            Work::Floor(load) if load.iter().any(|word| word == "relays") => 2.0 * window,
            Work::Floor(_) => FLOOR_S,
            Work::Search { .. } => TRIES * ((args.seconds + args.warmup) / 2.0 + AROUND_S),
            Work::Scenario { load, .. } | Work::Soak { load, .. } => {
                let value = |flag: &str| {
                    let at = load.iter().position(|word| word == flag)?;
                    load.get(at + 1)?.parse::<f64>().ok()
                };
                let users = value("--users").unwrap_or(0.0);
                match load.first().map(String::as_str) {
                    Some("storm") => AROUND_S + users * STORM_CLIENT_S,
                    Some("idle") => {
                        let held =
                            value("--seconds").unwrap_or(0.0) + value("--warmup").unwrap_or(0.0);
                        held + users * value("--per-user").unwrap_or(1.0) * IDLE_CONNECTION_S
                    }
                    _ => value("--soak").map_or(window, |minutes| window + FILL_S + minutes * 60.0),
                }
            }
        }
    }
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use clap::Parser as _;

    fn parsed(more: &str) -> GoalsArgs {
        let line = format!("parley-bench goals --out x {more}");
        match Cli::parse_from(line.split_whitespace()).command {
            Command::Goals(args) => args,
            _ => unreachable!("goals was asked for"),
        }
    }

    #[test]
    fn windows_are_as_long_as_the_minutes_allow() {
        let fitted_to = |more: &str| fitted(&parsed(more)).unwrap();
        let short = fitted_to("--rounds 1 --minutes 14");
        assert!(estimate(&short) <= 14.0 * 60.0);
        assert!((8.0..15.0).contains(&short.seconds), "{}", short.seconds);
        let longer = GoalsArgs { seconds: short.seconds + 1.0, ..short.clone() };
        assert!(estimate(&longer) > 14.0 * 60.0 || short.warmup > 0.4 * short.seconds);
        // More time makes nothing longer than was asked for, and without a budget nothing changes.
        let long = fitted_to("--rounds 2 --minutes 10000 --seconds 30 --warmup 7");
        assert_eq!((long.seconds, long.warmup), (30.0, 7.0));
        assert_eq!(fitted_to("").seconds, 60.0);
        assert!(fitted(&parsed("--rounds 5 --minutes 14")).is_err());
    }

    #[test]
    fn fewer_goals_rounds_and_clients_take_less() {
        let whole = estimate(&parsed("--rounds 2"));
        assert!((estimate(&parsed("--rounds 4")) / whole - 2.0).abs() < 1e-9);
        assert!(estimate(&parsed("--rounds 2 --only P13 --scale 0.1")) < 50.0);
        let soak = estimate(&parsed("--rounds 2 --soak 30"));
        assert!((1800.0..2000.0).contains(&(soak - whole)));
    }
}
