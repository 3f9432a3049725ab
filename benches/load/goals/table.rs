//! The table of the goals as Markdown.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use serde::Serialize;
use serde_json::Value;

use super::rows::Row;
use super::{Round, is_broken};
use crate::args::GoalsArgs;
use crate::report::compare::void;
use crate::report::number::number;

/// Under what the figures hold.
#[derive(Debug, Serialize)]
pub(super) struct Conditions {
    processor: String,
    processors: usize,
    kernel: String,
    rounds: usize,
    seconds: f64,
    warmup_s: f64,
    /// Of the counts of connections, clients and conversations.
    scale: f64,
    prefix: Option<String>,
    /// Of the generator's threads in open loops.
    generator_priority: BTreeSet<String>,
    /// The most that other programs used in any run, in processors.
    other_cores: Option<f64>,
    messages: u64,
}

/// Looks at the machine and at what ran on it.
pub(super) fn conditions(args: &GoalsArgs, rounds: &[Round]) -> Conditions {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let results = || rounds.iter().flat_map(|round| round.0.values());
    Conditions {
        processor: model.map_or_else(|| "unknown".to_owned(), |(_, name)| name.to_owned()),
        processors: std::thread::available_parallelism().map_or(1, usize::from),
        kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        rounds: rounds.len(),
        seconds: args.seconds,
        warmup_s: args.warmup,
        scale: args.scale,
        prefix: args.prefix.clone(),
        generator_priority: results()
            .filter(|result| result.get("rate").is_some_and(Value::is_number))
            .filter_map(|result| Some(result.get("generator_priority")?.as_str()?.to_owned()))
            .collect(),
        other_cores: results()
            .filter_map(|result| result.get("other_cores")?.as_f64())
            .reduce(f64::max),
        messages: results().filter_map(|result| result.get("messages")?.as_u64()).sum(),
    }
}

/// The whole page.
pub(super) fn markdown(
    conditions: &Conditions,
    rows: &[Row],
    rounds: &[Round],
    failed: &[String],
) -> String {
    let mut page = String::new();
    let Conditions { processor, processors, kernel, seconds, warmup_s, .. } = conditions;
    let _ = writeln!(
        page,
        "{} rounds of {seconds} s after {warmup_s} s of warm-up (searches half of both), server and generator on the same {processors} \
         processors ({processor}), Linux {kernel}, loopback, TLS 1.3, synced before `Sent`. Other programs used up to {} processors.{}{}{}\n",
        conditions.rounds,
        conditions.other_cores.map_or_else(|| "?".to_owned(), number),
        conditions
            .prefix
            .as_ref()
            .map_or_else(String::new, |prefix| format!(" Both ran under `{prefix}`.")),
        conditions
            .generator_priority
            .iter()
            .map(|priority| format!(" Open loops: the generator's priority was {priority}."))
            .collect::<String>(),
        if conditions.scale < 1.0 {
            format!(
                " **Counts of connections, clients and conversations scaled by {}.**",
                conditions.scale
            )
        } else {
            String::new()
        },
    );
    page.push_str("| Goal | Figure | Target | Stretch | Median (range) | Runs | Verdict |\n");
    page.push_str("|---|---|---|---|---|---|---|\n");
    for row in rows {
        let measured = match (row.median, row.least, row.most) {
            (Some(median), Some(least), Some(most)) if row.runs > 1 => {
                format!("{} ({} to {})", number(median), number(least), number(most))
            }
            (Some(median), ..) => number(median),
            _ => "–".to_owned(),
        };
        let runs = if row.void > 0 {
            format!("{}, {} void", row.runs, row.void)
        } else {
            row.runs.to_string()
        };
        let Row { goal, figure, target, stretch, verdict, .. } = row;
        let _ = writeln!(
            page,
            "| {goal} | {figure} | {target} | {stretch} | {measured} | {runs} | {verdict} |"
        );
    }
    let named = || {
        rounds.iter().zip(1..).flat_map(|(round, number)| {
            round.0.iter().map(move |(name, result)| (number, name, result))
        })
    };
    let broken: Vec<String> = named()
        .filter(|(.., result)| is_broken(result))
        .map(|(number, name, _)| format!("round {number}, {name}"))
        .collect();
    let _ = match broken.is_empty() {
        true => writeln!(
            page,
            "\nNothing was lost, doubled or out of order in {} messages.",
            conditions.messages
        ),
        false => writeln!(
            page,
            "\n**Messages were lost, doubled or out of order: {}.**",
            broken.join("; ")
        ),
    };
    for (number, name, result) in named() {
        let parts = [Some(result), result.get("relay_tls"), result.get("relay_quic")];
        for reasons in parts.into_iter().flatten().filter_map(void) {
            let _ = writeln!(page, "\nVoid: round {number}, {name}: {reasons}");
        }
        if let Some(tried) = result.get("tried").and_then(Value::as_array) {
            let tried: Vec<String> = tried.iter().map(one_rate).collect();
            let _ = writeln!(page, "\nRound {number}, {name}: {}", tried.join(", "));
        }
    }
    for failure in failed {
        let _ = writeln!(page, "\nFailed: {failure}");
    }
    page
}

fn one_rate(tried: &Value) -> String {
    let figure = |field| tried.get(field).and_then(Value::as_f64).unwrap_or(0.0);
    format!("{}/s p99 {} ms", number(figure("rate")), number(figure("p99_us") / 1000.0))
}
