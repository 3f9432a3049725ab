//! What is run for the goals, in the order of a round.

use crate::args::GoalsArgs;

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
        let load = words(&format!("pairs --users 2000 {half}"));
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
        let work = Work::Scenario { transport: "tls", load };
        steps.push(Step { name: "soak-tls".to_owned(), work, once: true });
    }
    steps
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}
