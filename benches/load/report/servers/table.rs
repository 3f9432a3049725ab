//! A comparison as Markdown: the servers under each load, Parley over each of the others, the goals.

use super::{Comparison, FIGURES, Load, MESSAGES, Server};
use crate::report::compare::Spread;

/// All of it.
pub(super) fn markdown(comparison: &Comparison) -> String {
    let mut lines: Vec<String> =
        comparison.conditions.iter().map(|condition| format!("* {condition}")).collect();
    for (name, load) in &comparison.loads {
        lines.push(format!("\n## {name}\n"));
        servers(load, &mut lines);
        ratios(load, &mut lines);
    }
    goals(comparison, &mut lines);
    lines.push(String::new());
    lines.join("\n")
}

fn servers(load: &Load, lines: &mut Vec<String>) {
    let headings: Vec<_> = FIGURES.iter().map(|(_, heading, _)| *heading).collect();
    let headings = headings.join(" | ");
    lines.push(format!("| | Durable before the acknowledgement | {headings} | Runs |"));
    lines.push(format!("|---|---|{}---|", "---|".repeat(FIGURES.len())));
    for (name, server) in &load.servers {
        let figure = |(at, _, unit): &(&str, &str, f64)| {
            show(server.figures.get(at).copied().flatten(), *unit)
        };
        let figures: Vec<_> = FIGURES.iter().map(figure).collect();
        let (durability, figures) = (&server.durability, figures.join(" | "));
        lines.push(format!("| {name} | {durability} | {figures} | {} |", run_counts(server)));
    }
    lines.push(String::new());
    for (name, server) in &load.servers {
        lines.extend(server.void.iter().map(|reason| format!("* A void run of {name}: {reason}")));
    }
}

fn ratios(load: &Load, lines: &mut Vec<String>) {
    lines.push("\nParley's figure over the other's, round by round:\n".to_owned());
    lines.push("| | Against | Messages/s | Core-µs a message | p50 | p99 |".to_owned());
    lines.push("|---|---|---|---|---|---|".to_owned());
    // One pair's ratios stand together.
    for pair in load
        .ratios
        .chunk_by(|one, next| (&one.parley, &one.against) == (&next.parley, &next.against))
    {
        let Some(first) = pair.first() else { continue };
        let cells: Vec<_> = pair.iter().map(|it| show(it.ratio, 1.0)).collect();
        lines.push(format!("| {} | {} | {} |", first.parley, first.against, cells.join(" | ")));
    }
}

fn goals(comparison: &Comparison, lines: &mut Vec<String>) {
    lines.push("\n## Goals, at an equal window\n".to_owned());
    lines.push("| Goal | Load | | Target | Measured | |".to_owned());
    lines.push("|---|---|---|---|---|---|".to_owned());
    for it in &comparison.verdicts {
        let figure = if it.figure == MESSAGES { "messages/s" } else { "core-µs a message" };
        let met = match it.met {
            Some(true) => "met",
            Some(false) => "missed",
            None => "not measured",
        };
        let what = format!("{figure}, {} over {}", it.parley, it.against);
        let measured = show(it.ratio, 1.0);
        lines.push(format!(
            "| {} | {} | {what} | {} | {measured} | {met} |",
            it.goal, it.load, it.target
        ));
    }
}

/// How many runs there were, and what was wrong with them.
fn run_counts(server: &Server) -> String {
    let mut words = vec![server.runs.to_string()];
    if !server.void.is_empty() {
        words.push(format!("{} void", server.void.len()));
    }
    if server.failed > 0 {
        words.push(format!("{} failed", server.failed));
    }
    words.extend(server.broken.iter().cloned());
    words.join(", ")
}

/// Median and range in units.
fn show(spread: Option<Spread>, unit: f64) -> String {
    let number = |value: f64| match value / unit {
        value if value >= 1000.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.3}"),
    };
    match spread {
        None => "none".to_owned(),
        Some(one) if one.runs == 1 => number(one.median),
        Some(all) => {
            format!("{} ({} to {})", number(all.median), number(all.least), number(all.most))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_as_many_digits_as_they_deserve() {
        let spread = |values: &[f64]| Spread::over(values);
        assert_eq!(show(spread(&[1234.56]), 1.0), "1235");
        assert_eq!(show(spread(&[12_345.0]), 1000.0), "12.3");
        assert_eq!(show(spread(&[1.0, 2.0, 3.0]), 1.0), "2.000 (1.000 to 3.000)");
        assert_eq!(show(None, 1.0), "none");
    }

    #[test]
    fn what_was_wrong_stands_behind_the_runs() {
        let server = Server {
            durability: String::new(),
            runs: 3,
            void: vec!["late".to_owned()],
            failed: 1,
            broken: vec!["2 lost".to_owned()],
            figures: std::collections::BTreeMap::new(),
        };
        assert_eq!(run_counts(&server), "3, 1 void, 1 failed, 2 lost");
    }
}
