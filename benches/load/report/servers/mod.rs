//! Parley among other servers: one table for each load from the results of many runs, and
//! whether the goals are met that name other servers.
//!
//! Ratios are taken round by round, since the machine drifts from one to the next, and then
//! their median and range. Void runs and runs with a broken audit count for nothing; how
//! many there were stands in the table ([`table`]).

mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use serde::Serialize;
use serde_json::Value;

use crate::args::StandingArgs;
use crate::report::compare::{self, Spread};
use crate::report::write;

/// Figures of the table: where they lie in a result, their heading, and what one unit is there.
pub(super) const FIGURES: [(&str, &str, f64); 7] = [
    ("/delivered_per_s", "Messages/s", 1.0),
    ("/server_core_us_per_message", "Server core-µs a message", 1.0),
    ("/latency_us/p50", "p50, ms", 1000.0),
    ("/latency_us/p99", "p99, ms", 1000.0),
    ("/server_cores", "Server's processors", 1.0),
    ("/generator_cores", "Generator's", 1.0),
    ("/other_cores", "Others'", 1.0),
];

pub(super) const MESSAGES: &str = FIGURES[0].0;
const CORE_US: &str = FIGURES[1].0;

/// Prefix of Parley's names; what follows is the transport.
const PARLEY: &str = "parley-";

/// What Parley is to reach at an equal window, against whom; `key` is its name in the JSON.
const GOALS: [Goal; 5] = [
    Goal {
        name: "P6",
        key: "ejabberd_archive_messages",
        figure: MESSAGES,
        against: "ejabberd-archive",
        target: Target::Least(25.0),
    },
    Goal {
        name: "P6",
        key: "ejabberd_archive_core_us",
        figure: CORE_US,
        against: "ejabberd-archive",
        target: Target::Most(0.05),
    },
    Goal {
        name: "P6",
        key: "ejabberd_messages",
        figure: MESSAGES,
        against: "ejabberd",
        target: Target::Least(4.0),
    },
    Goal {
        name: "P6",
        key: "ejabberd_core_us",
        figure: CORE_US,
        against: "ejabberd",
        target: Target::Most(0.25),
    },
    Goal {
        name: "P7",
        key: "jetstream_messages",
        figure: MESSAGES,
        against: "nats",
        target: Target::Least(0.5),
    },
];

#[derive(Clone, Copy)]
struct Goal {
    name: &'static str,
    key: &'static str,
    figure: &'static str,
    against: &'static str,
    target: Target,
}

/// Bounds of Parley's figure over the other's.
#[derive(Clone, Copy)]
enum Target {
    Least(f64),
    Most(f64),
}

/// Runs of one server under one load, by round; none for a run that failed.
type Runs = BTreeMap<String, Option<Value>>;

/// All runs, by load and by server.
type Results = BTreeMap<String, BTreeMap<String, Runs>>;

/// What is written as JSON.
#[derive(Serialize)]
pub(super) struct Comparison {
    pub(super) conditions: Vec<String>,
    pub(super) loads: BTreeMap<String, Load>,
    pub(super) verdicts: Vec<Outcome>,
    /// The worst median of each goal, of all transports and windows; null where nothing was measured.
    pub(super) goals: BTreeMap<&'static str, Option<f64>>,
}

#[derive(Serialize)]
pub(super) struct Load {
    pub(super) servers: BTreeMap<String, Server>,
    pub(super) ratios: Vec<Ratio>,
}

#[derive(Serialize)]
pub(super) struct Server {
    pub(super) durability: String,
    pub(super) runs: usize,
    /// Reasons of runs that count for nothing.
    pub(super) void: Vec<String>,
    pub(super) failed: usize,
    pub(super) broken: Vec<String>,
    pub(super) figures: BTreeMap<&'static str, Option<Spread>>,
}

/// Parley's figure over the other's.
#[derive(Serialize)]
pub(super) struct Ratio {
    pub(super) parley: String,
    pub(super) against: String,
    pub(super) figure: &'static str,
    pub(super) ratio: Option<Spread>,
}

#[derive(Serialize)]
pub(super) struct Outcome {
    pub(super) goal: &'static str,
    pub(super) key: &'static str,
    pub(super) load: String,
    pub(super) parley: String,
    pub(super) against: &'static str,
    pub(super) figure: &'static str,
    pub(super) target: String,
    pub(super) ratio: Option<Spread>,
    pub(super) met: Option<bool>,
}

/// Prints and writes the comparison. Exit status: 1 when Parley broke a promise, 2 when a run is void
/// or failed.
///
/// # Errors
/// When there are no results, or one can't be read.
pub(crate) fn run(args: &StandingArgs) -> anyhow::Result<ExitCode> {
    let results = load(&args.results)?;
    let conditions = fs::read_to_string(args.results.join("conditions.txt")).unwrap_or_default();
    let comparison = Comparison::of(&results, conditions.lines().map(str::to_owned).collect());
    let text = table::markdown(&comparison);
    print!("{text}");
    if let Some(path) = &args.markdown {
        fs::write(path, &text).with_context(|| format!("writing {}", path.display()))?;
    }
    if args.json.is_some() {
        write(&comparison, args.json.as_deref())?;
    }
    Ok(ExitCode::from(comparison.status()))
}

/// Reads LOAD/SERVER/ROUND.json, or ROUND.failed where there is no result.
fn load(folder: &Path) -> anyhow::Result<Results> {
    let mut results = Results::new();
    for load in folders(folder)? {
        for server in folders(&folder.join(&load))? {
            let place = folder.join(&load).join(&server);
            let mut runs = Runs::new();
            for entry in fs::read_dir(&place)?.flatten() {
                let path = entry.path();
                let name = |part: Option<&std::ffi::OsStr>| {
                    part.map(|it| it.to_string_lossy().into_owned())
                };
                let Some(round) = name(path.file_stem()) else { continue };
                match name(path.extension()).as_deref() {
                    Some("json") => {
                        runs.insert(round, compare::load(&path)?.pop());
                    }
                    Some("failed") => {
                        runs.entry(round).or_insert(None);
                    }
                    _ => {}
                }
            }
            results.entry(load.clone()).or_default().insert(server, runs);
        }
    }
    ensure!(!results.is_empty(), "{} has no results", folder.display());
    Ok(results)
}

fn folders(folder: &Path) -> anyhow::Result<BTreeSet<String>> {
    let entries = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    let folders = entries.flatten().filter(|entry| entry.path().is_dir());
    Ok(folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
}

/// Whether a run counts.
fn counts(result: &Value) -> bool {
    compare::void(result).is_none() && compare::broken(std::slice::from_ref(result)).is_empty()
}

impl Server {
    fn of(runs: &Runs) -> Self {
        let there: Vec<&Value> = runs.values().flatten().collect();
        let spread = |figure: &str| {
            let counted = there.iter().filter(|result| counts(result));
            let figures = counted.filter_map(|result| result.pointer(figure)?.as_f64());
            Spread::over(&figures.collect::<Vec<_>>())
        };
        let durability = there.iter().find_map(|result| result.get("durability")?.as_str());
        let whole: Vec<Value> = there.iter().map(|result| (*result).clone()).collect();
        Self {
            durability: durability.unwrap_or("unknown").to_owned(),
            runs: there.len(),
            void: there.iter().filter_map(|result| compare::void(result)).collect(),
            failed: runs.len() - there.len(),
            broken: compare::broken(&whole),
            figures: FIGURES.iter().map(|(at, ..)| (*at, spread(at))).collect(),
        }
    }
}

/// One figure of Parley over another server's, round by round.
fn ratio(parley: &Runs, other: &Runs, figure: &str) -> Option<Spread> {
    let value = |runs: &Runs, round: &String| {
        runs.get(round)?.as_ref().filter(|result| counts(result))?.pointer(figure)?.as_f64()
    };
    let of_round = |round| {
        let (ours, theirs) = (value(parley, round)?, value(other, round)?);
        (theirs > 0.0).then(|| ours / theirs)
    };
    Spread::over(&parley.keys().filter_map(of_round).collect::<Vec<_>>())
}

impl Comparison {
    fn of(results: &Results, conditions: Vec<String>) -> Self {
        let mut comparison = Self {
            conditions,
            loads: BTreeMap::new(),
            verdicts: Vec::new(),
            goals: BTreeMap::new(),
        };
        for (name, servers) in results {
            let (ours, others): (Vec<_>, Vec<_>) =
                servers.iter().partition(|(server, _)| server.starts_with(PARLEY));
            let mut ratios = Vec::new();
            for ((parley, own), (against, theirs)) in
                others.iter().flat_map(|other| ours.iter().map(move |ours| (*ours, *other)))
            {
                let of = |(figure, ..): &(&'static str, &str, f64)| Ratio {
                    parley: parley.clone(),
                    against: against.clone(),
                    figure,
                    ratio: ratio(own, theirs, figure),
                };
                ratios.extend(FIGURES[..4].iter().map(of));
            }
            let closed = |runs: &Runs| runs.values().flatten().any(|run| run["window"].is_u64());
            if servers.values().any(closed) {
                comparison.verdicts.extend(goals(name, &ratios));
            }
            let servers = servers.iter().map(|(name, runs)| (name.clone(), Server::of(runs)));
            comparison.loads.insert(name.clone(), Load { servers: servers.collect(), ratios });
        }
        comparison.goals = GOALS.iter().map(|goal| (goal.key, comparison.worst(goal))).collect();
        comparison
    }

    fn worst(&self, goal: &Goal) -> Option<f64> {
        let of_goal = self.verdicts.iter().filter(|verdict| verdict.key == goal.key);
        let medians = of_goal.filter_map(|verdict| Some(verdict.ratio?.median));
        match goal.target {
            Target::Least(_) => medians.reduce(f64::min),
            Target::Most(_) => medians.reduce(f64::max),
        }
    }

    fn status(&self) -> u8 {
        let servers = || self.loads.values().flat_map(|load| &load.servers);
        if servers().any(|(name, server)| name.starts_with(PARLEY) && !server.broken.is_empty()) {
            return 1;
        }
        let bad = |server: &Server| {
            !server.void.is_empty() || !server.broken.is_empty() || server.failed > 0
        };
        if servers().any(|(_, server)| bad(server)) { 2 } else { 0 }
    }
}

fn goals(load: &str, ratios: &[Ratio]) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for goal in GOALS {
        for it in ratios.iter().filter(|it| it.against == goal.against && it.figure == goal.figure)
        {
            let (target, met): (String, fn(f64, f64) -> bool) = match goal.target {
                Target::Least(bound) => (format!("≥ {bound}"), |is, bound| is >= bound),
                Target::Most(bound) => (format!("≤ {bound}"), |is, bound| is <= bound),
            };
            let (Target::Least(bound) | Target::Most(bound)) = goal.target;
            outcomes.push(Outcome {
                goal: goal.name,
                key: goal.key,
                load: load.to_owned(),
                parley: it.parley.clone(),
                against: goal.against,
                figure: goal.figure,
                target,
                ratio: it.ratio,
                met: it.ratio.map(|ratio| met(ratio.median, bound)),
            });
        }
    }
    outcomes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn run(per_s: f64, core_us: f64) -> Option<Value> {
        Some(json!({
            "delivered_per_s": per_s, "server_core_us_per_message": core_us, "window": 4,
            "durability": "synced", "lost": 0, "void": false,
        }))
    }

    fn comparison(nats: [Option<Value>; 3]) -> Comparison {
        let rounds = |runs: [Option<Value>; 3]| {
            ["1", "2", "3"].map(str::to_owned).into_iter().zip(runs).collect()
        };
        let ours = rounds([run(100.0, 5.0), run(300.0, 5.0), run(80.0, 5.0)]);
        let servers = [("parley-tls".to_owned(), ours), ("nats".to_owned(), rounds(nats))];
        Comparison::of(&BTreeMap::from([("window-4".to_owned(), servers.into())]), Vec::new())
    }

    #[test]
    fn ratios_are_taken_round_by_round() {
        let comparison = comparison([run(50.0, 10.0), run(100.0, 10.0), run(160.0, 10.0)]);
        let ratio = comparison.verdicts[0].ratio.unwrap();
        // 2, 3 and 0.5; the medians' ratio would be 1.
        assert_eq!((ratio.least, ratio.median, ratio.most), (0.5, 2.0, 3.0));
        assert_eq!((comparison.verdicts.len(), comparison.verdicts[0].met), (1, Some(true)));
        assert_eq!(comparison.status(), 0);
        assert_eq!(comparison.goals["jetstream_messages"], Some(2.0));
        assert_eq!(comparison.goals["ejabberd_messages"], None);
        let text = table::markdown(&comparison);
        assert!(text.contains("| P7 | window-4 | messages/s, parley-tls over nats | ≥ 0.5 | 2.000 (0.500 to 3.000) | met |"), "{text}");
        assert!(text.contains("| parley-tls | nats | 2.000 (0.500 to 3.000) | 0.500"), "{text}");
    }

    #[test]
    fn void_and_failed_runs_count_for_nothing_and_are_told() {
        let mut late = run(1.0, 1.0).unwrap();
        late["void"] = true.into();
        let comparison = comparison([Some(late), None, run(160.0, 10.0)]);
        let ratio = comparison.verdicts[0].ratio.unwrap();
        assert_eq!((ratio.runs, ratio.median), (1, 0.5));
        assert_eq!(comparison.loads["window-4"].servers["nats"].void.len(), 1);
        assert_eq!(comparison.status(), 2);
    }

    #[test]
    fn parleys_own_losses_weigh_most() {
        let mut comparison = comparison([run(1.0, 1.0), run(1.0, 1.0), run(1.0, 1.0)]);
        let load = comparison.loads.get_mut("window-4").unwrap();
        load.servers.get_mut("parley-tls").unwrap().broken.push("1 lost".to_owned());
        assert_eq!(comparison.status(), 1);
    }

    #[test]
    fn without_a_counted_run_nothing_is_claimed() {
        let comparison = comparison([None, None, None]);
        assert_eq!(comparison.verdicts[0].met, None);
        assert!(table::markdown(&comparison).contains("not measured"));
    }
}
