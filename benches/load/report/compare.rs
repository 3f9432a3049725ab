//! Two results, or two sets of runs of the same scenario: is the second worse?
//!
//! A figure is worse when its median moved in the wrong direction by more than the tolerance
//! and, where both sides have several runs, the ranges don't overlap: the machine alone moves figures
//! by a quarter within minutes. Exit status: 1 for a regression, or when the second lost,
//! doubled or reordered anything; 2 when a run is void or the two can't be compared.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use serde::Serialize;
use serde_json::Value;

use crate::args::CompareArgs;
use crate::measure::median;

/// What is compared: where it lies in a result, and which way is better.
const FIGURES: [(&str, Better); 27] = [
    ("/sent_per_s", Better::More),
    ("/delivered_per_s", Better::More),
    ("/server_core_us_per_message", Better::Less),
    ("/server_core_us_per_delivery", Better::Less),
    ("/latency_us/p50", Better::Less),
    ("/latency_us/p99", Better::Less),
    ("/sent_latency_us/p50", Better::Less),
    ("/sent_latency_us/p99", Better::Less),
    ("/large_latency_us/p99", Better::Less),
    ("/spread_us/p99", Better::Less),
    ("/reconnect_us/p99", Better::Less),
    ("/bytes_per_connection", Better::Less),
    ("/server_us_per_connection_s", Better::Less),
    ("/server_us_per_open", Better::Less),
    ("/opened_per_s", Better::More),
    ("/all_back_s", Better::Less),
    ("/server_us_per_client", Better::Less),
    ("/against_bare", Better::Less),
    ("/messages_per_core_s", Better::More),
    ("/bytes_per_message", Better::Less),
    ("/reconnect/caught_up_us/p50", Better::Less),
    ("/reconnect/caught_up_bytes", Better::Less),
    ("/drift/p99", Better::Less),
    ("/drift/memory", Better::Less),
    ("/server_anonymous_bytes", Better::Less),
    ("/relay_tls/server_core_us_per_message", Better::Less),
    ("/relay_quic/server_core_us_per_message", Better::Less),
];

/// What must be the same for figures to be comparable.
const CONDITIONS: [&str; 15] = [
    "/scenario",
    "/transport",
    "/users",
    "/connections",
    "/members",
    "/devices",
    "/receipts",
    "/size_bytes",
    "/rate",
    "/window",
    "/large_share",
    "/missed",
    "/backlog",
    "/bare",
    "/generator_priority",
];

/// Audits: none of it may happen.
const AUDITS: [&str; 4] = ["/lost", "/duplicates", "/reordered", "/gaps"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Better {
    Less,
    More,
}

/// One figure on both sides.
#[derive(Debug, PartialEq)]
struct Row {
    figure: &'static str,
    before: Spread,
    after: Spread,
    verdict: Verdict,
}

/// Several runs of the same: their median and range.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) least: f64,
    pub(crate) median: f64,
    pub(crate) most: f64,
    pub(crate) runs: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Same,
    Better,
    Worse,
    /// Beyond the tolerance, but the ranges overlap.
    Unsure,
}

/// Prints the comparison.
///
/// # Errors
/// When a file can't be read.
pub(crate) fn run(args: &CompareArgs) -> anyhow::Result<ExitCode> {
    ensure!(args.tolerance >= 0.0, "--tolerance is not below 0");
    let (before, after) = (load(&args.before)?, load(&args.after)?);
    let all = || before.iter().chain(&after);
    if let Some(condition) = differs(&before, &after) {
        println!("not comparable: {condition} differs");
        return Ok(ExitCode::from(2));
    }
    let rows = rows(&before, &after, args.tolerance);
    for row in &rows {
        println!("{}", line(row));
    }
    let broken = broken(&after);
    for audit in &broken {
        println!("broken promise: {audit}");
    }
    if !broken.is_empty() {
        return Ok(ExitCode::from(1));
    }
    if let Some(reason) = all().find_map(void) {
        println!("void: {reason}");
        return Ok(ExitCode::from(2));
    }
    if rows.is_empty() {
        println!("nothing to compare");
        return Ok(ExitCode::from(2));
    }
    let worse = rows.iter().any(|row| row.verdict == Verdict::Worse);
    Ok(if worse { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// A result, or all results of a folder.
///
/// # Errors
/// When there is none, or one can't be read.
pub(crate) fn load(path: &Path) -> anyhow::Result<Vec<Value>> {
    let read = |path: &Path| -> anyhow::Result<Value> {
        let text = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("reading {}", path.display()))
    };
    if !path.is_dir() {
        return Ok(vec![read(path)?]);
    }
    let mut files: Vec<_> = std::fs::read_dir(path)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    if files.is_empty() {
        bail!("{} has no results", path.display());
    }
    files.iter().map(|path| read(path)).collect()
}

/// The first condition that is not the same in all results.
fn differs(one: &[Value], other: &[Value]) -> Option<&'static str> {
    CONDITIONS.into_iter().find(|condition| {
        let mut values = one.iter().chain(other).map(|result| result.pointer(condition));
        let first = values.next();
        values.any(|value| Some(value) != first)
    })
}

/// Why a run says nothing, if it is void.
pub(crate) fn void(result: &Value) -> Option<String> {
    let void = result.get("void")?.as_bool()?;
    void.then(|| result.get("void_reasons").map_or_else(String::new, Value::to_string))
}

/// Which promises were broken, and how often.
pub(crate) fn broken(results: &[Value]) -> Vec<String> {
    let count = |audit: &&str| {
        results.iter().filter_map(|result| result.pointer(audit)?.as_u64()).sum::<u64>()
    };
    AUDITS
        .iter()
        .map(|audit| (audit, count(audit)))
        .filter(|(_, count)| *count > 0)
        .map(|(audit, count)| format!("{count} {}", audit.trim_start_matches('/')))
        .collect()
}

fn rows(before: &[Value], after: &[Value], tolerance: f64) -> Vec<Row> {
    FIGURES
        .into_iter()
        .filter_map(|(figure, better)| {
            let (before, after) = (Spread::of(before, figure)?, Spread::of(after, figure)?);
            let verdict = judge(&before, &after, better, tolerance);
            Some(Row { figure, before, after, verdict })
        })
        .collect()
}

fn judge(before: &Spread, after: &Spread, better: Better, tolerance: f64) -> Verdict {
    // As if less were always better.
    let (was, is) = match better {
        Better::Less => (before.median, after.median),
        Better::More => (after.median, before.median),
    };
    let moved = if is > was * (1.0 + tolerance) {
        Verdict::Worse
    } else if was > is * (1.0 + tolerance) {
        Verdict::Better
    } else {
        return Verdict::Same;
    };
    let several = before.runs > 1 && after.runs > 1;
    let overlap = before.least <= after.most && after.least <= before.most;
    if several && overlap { Verdict::Unsure } else { moved }
}

impl Spread {
    fn of(results: &[Value], figure: &str) -> Option<Self> {
        let figures = results.iter().filter_map(|result| result.pointer(figure)?.as_f64());
        Self::over(&figures.collect::<Vec<_>>())
    }

    /// The spread of these; none when there are none.
    pub(crate) fn over(values: &[f64]) -> Option<Self> {
        Some(Self {
            least: values.iter().copied().reduce(f64::min)?,
            median: median(values.iter().copied())?,
            most: values.iter().copied().reduce(f64::max)?,
            runs: values.len(),
        })
    }
}

fn line(row: &Row) -> String {
    let side = |side: &Spread| {
        if side.runs > 1 {
            format!("{:.2} ({:.2} to {:.2})", side.median, side.least, side.most)
        } else {
            format!("{:.2}", side.median)
        }
    };
    let ratio = row.after.median / row.before.median;
    let verdict = match row.verdict {
        Verdict::Same => "",
        Verdict::Better => "better",
        Verdict::Worse => "WORSE",
        Verdict::Unsure => "ranges overlap",
    };
    let figure = row.figure.trim_start_matches('/').replace('/', ".");
    format!(
        "{figure:<34} {:>28} {:>28} {ratio:>7.3} {verdict}",
        side(&row.before),
        side(&row.after)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn results(p99: &[u64]) -> Vec<Value> {
        p99.iter().map(|p99| json!({"scenario": "pairs", "latency_us": {"p99": p99}})).collect()
    }

    fn verdict(before: &[u64], after: &[u64]) -> Verdict {
        let rows = rows(&results(before), &results(after), 0.1);
        assert_eq!(rows.len(), 1);
        rows[0].verdict
    }

    #[test]
    fn a_figure_may_move_within_the_tolerance() {
        assert_eq!(verdict(&[100], &[110]), Verdict::Same);
        assert_eq!(verdict(&[100], &[112]), Verdict::Worse);
        assert_eq!(verdict(&[112], &[100]), Verdict::Better);
    }

    #[test]
    fn overlapping_ranges_prove_nothing() {
        assert_eq!(verdict(&[100, 105, 140], &[130, 150, 160]), Verdict::Unsure);
        assert_eq!(verdict(&[100, 105, 120], &[130, 150, 160]), Verdict::Worse);
        assert_eq!(verdict(&[130, 150, 160], &[100, 105, 120]), Verdict::Better);
    }

    #[test]
    fn more_a_second_is_better() {
        let rate = |rate: u64| vec![json!({"delivered_per_s": rate})];
        assert_eq!(rows(&rate(100), &rate(50), 0.1)[0].verdict, Verdict::Worse);
        assert_eq!(rows(&rate(50), &rate(100), 0.1)[0].verdict, Verdict::Better);
    }

    #[test]
    fn figures_that_one_side_lacks_are_not_compared() {
        let null = vec![json!({"latency_us": null})];
        assert!(rows(&results(&[1]), &null, 0.1).is_empty());
    }

    #[test]
    fn other_conditions_are_named() {
        let same =
            [json!({"scenario": "pairs", "rate": 5.0}), json!({"scenario": "pairs", "rate": 5.0})];
        assert_eq!(differs(&same, &same), None);
        let other =
            [json!({"scenario": "pairs", "rate": 5.0}), json!({"scenario": "pairs", "rate": null})];
        assert_eq!(differs(&other, &[]), Some("/rate"));
    }

    #[test]
    fn losses_and_void_runs_are_found() {
        assert_eq!(
            broken(&[json!({"lost": 0}), json!({"lost": 2, "gaps": 1})]),
            ["2 lost", "1 gaps"]
        );
        assert!(broken(&[json!({"lost": 0})]).is_empty());
        assert!(void(&json!({"void": true, "void_reasons": ["late"]})).unwrap().contains("late"));
        assert_eq!(void(&json!({"void": false})), None);
    }
}
