//! What users know at the end of a run, and the result that is made of it.

use anyhow::bail;

use crate::driver::{self, Finished, Plan};
use crate::measure::audit::{self, ReceivedLog, SentLog};
use crate::measure::run::Run;
use crate::report::Result as Report;

/// What a user knows at the end of a run.
pub(crate) struct Outcome {
    pub(crate) sent: SentLog,
    pub(crate) received: ReceivedLog,
    pub(crate) gaps: u64,
    /// Own messages for which the peer's acknowledgement never came.
    pub(crate) without_receipt: bool,
    /// Why the connection ended too early.
    pub(crate) broke: Option<String>,
}

/// Reports on users: each of `audits` is somebody who sent and somebody who received it.
///
/// # Errors
/// When the histograms can't be added, which is a bug.
pub(crate) fn conclude(
    plan: &Plan<'_>,
    run: &Run,
    finished: Finished<Outcome>,
    audits: impl Iterator<Item = (usize, usize)>,
) -> anyhow::Result<Report> {
    let outcomes = &finished.outcomes;
    let count = |what: fn(&Outcome) -> u64| outcomes.iter().map(what).sum::<u64>();
    let messages = count(|outcome| outcome.sent.next);
    let gaps = count(|outcome| outcome.gaps);
    let without_receipt = count(|outcome| u64::from(outcome.without_receipt));
    let not_acknowledged = count(|outcome| outcome.sent.not_acknowledged.len() as u64);
    let mut found = audit::Verdict::default();
    for (from, to) in audits {
        let (Some(from), Some(to)) = (outcomes.get(from), outcomes.get(to)) else {
            bail!("nobody to audit");
        };
        // A user whose connection broke could not receive; the run is void for it.
        if to.broke.is_none() {
            found += audit::check(&from.sent, &to.received);
        }
    }
    let broke: Vec<String> = outcomes.iter().filter_map(|outcome| outcome.broke.clone()).collect();
    let broke: Vec<&str> = broke.iter().map(String::as_str).collect();
    let mut result = driver::conclude(plan, run, finished, &broke)?;
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
    finished: Finished<Outcome>,
) -> anyhow::Result<Report> {
    let talks = finished.outcomes.len() / 2;
    let audits = (0..talks).flat_map(|talk| {
        let (one, other) = (2 * talk, 2 * talk + 1);
        [(one, other), (other, one)]
    });
    conclude(plan, run, finished, audits)
}
