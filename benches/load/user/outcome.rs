//! What users know at the end of a run, and the result that is made of it.

use anyhow::bail;

use crate::driver::{self, Plan, Ran};
use crate::measure::audit::{self, Heard, Said};
use crate::measure::run::Run;
use crate::report::Result as Report;

/// What a player knows at the end.
pub(crate) struct Outcome {
    pub(crate) said: Said,
    pub(crate) heard: Heard,
    pub(crate) gaps: u64,
    /// Own messages for which the peer's acknowledgement never came.
    pub(crate) without_receipt: bool,
    /// Why the connection ended too early.
    pub(crate) broke: Option<String>,
}

/// Reports on players: each of `audits` is somebody who said and somebody who heard it.
///
/// # Errors
/// When the histograms can't be added, which is a bug.
pub(crate) fn conclude(
    plan: &Plan<'_>,
    run: &Run,
    ran: Ran<Outcome>,
    audits: impl Iterator<Item = (usize, usize)>,
) -> anyhow::Result<Report> {
    let outcomes = &ran.outcomes;
    let count = |what: fn(&Outcome) -> u64| outcomes.iter().map(what).sum::<u64>();
    let messages = count(|outcome| outcome.said.next);
    let gaps = count(|outcome| outcome.gaps);
    let without_receipt = count(|outcome| u64::from(outcome.without_receipt));
    let not_acknowledged = count(|outcome| outcome.said.not_acknowledged.len() as u64);
    let mut found = audit::Verdict::default();
    for (from, to) in audits {
        let (Some(from), Some(to)) = (outcomes.get(from), outcomes.get(to)) else {
            bail!("nobody to audit");
        };
        // Whoever's connection broke could not hear; the run is void for it.
        if to.broke.is_none() {
            found += audit::check(&from.said, &to.heard);
        }
    }
    let broke: Vec<String> = outcomes.iter().filter_map(|outcome| outcome.broke.clone()).collect();
    let broke: Vec<&str> = broke.iter().map(String::as_str).collect();
    let mut result = driver::conclude(plan, run, ran, &broke)?;
    result.messages = messages;
    result.unanswered = not_acknowledged.saturating_sub(result.refused);
    result.lost = found.lost;
    result.duplicates = found.duplicates;
    result.reordered = found.reordered;
    result.gaps = gaps;
    result.without_receipt = without_receipt;
    Ok(result)
}

/// Reports on pairs, and audits both directions of each.
///
/// # Errors
/// When the histograms can't be added, which is a bug.
pub(crate) fn conclude_pairs(
    plan: &Plan<'_>,
    run: &Run,
    ran: Ran<Outcome>,
) -> anyhow::Result<Report> {
    let talks = ran.outcomes.len() / 2;
    let audits = (0..talks).flat_map(|talk| {
        let (one, other) = (2 * talk, 2 * talk + 1);
        [(one, other), (other, one)]
    });
    conclude(plan, run, ran, audits)
}
