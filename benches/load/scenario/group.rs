//! Groups: the first member of each sends, all others take and acknowledge.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Context as _, ensure};

use crate::args::GroupArgs;
use crate::driver::workers::Workers;
use crate::driver::{self, Plan};
use crate::measure::histogram::Percentiles;
use crate::measure::run::Run;
use crate::measure::spread::Spreads;
use crate::net::accounts;
use crate::report::{Details, Group, Result};
use crate::user::{self, User};

/// The scenario: makes users and groups, connects, drives.
///
/// # Errors
/// When the server can't be reached or refuses, or the arguments make no sense.
pub(crate) async fn measure(args: &GroupArgs) -> anyhow::Result<Result> {
    let members = args.members.unwrap_or(args.users);
    ensure!(members >= 2, "--members is at least 2");
    ensure!(
        args.users > 0 && args.users.is_multiple_of(members),
        "--users is a multiple of --members"
    );
    driver::check_load(&args.load)?;
    let target = &args.target;
    let trust = target.trust.as_deref();
    let workers =
        Workers::start_for_groups(&target.server, trust, args.users / members, members).await?;
    let accounts = accounts::prepare(target, args.users, 1).await?;
    let run = Arc::new(Run::new()?);
    let mut users = Vec::with_capacity(args.users);
    for first in (0..args.users).step_by(members) {
        let group = accounts.get(first..first + members).context("too few users")?;
        let (owner, others) = group.split_first().context("an empty group")?;
        let spreads = Arc::new(Spreads::new(others.len()));
        // The others join once the group is there, and take its first entry as what
        // they missed.
        let creator = workers.open(first..first + 1, |index, connector| {
            let (run, load, owner) = (Arc::clone(&run), args.load.clone(), owner.clone());
            let others = others.to_vec();
            Ok(async move {
                let sender = User::parley(&connector, &run, index, &load, &owner, &owner).await?;
                sender.create_group(&others).await
            })
        });
        users.extend(creator.await?);
        let recipients = workers.open(first + 1..first + members, |index, connector| {
            let (run, load, owner) = (Arc::clone(&run), args.load.clone(), owner.clone());
            let account = accounts.get(index).context("too few users")?.clone();
            let spreads = Arc::clone(&spreads);
            Ok(async move {
                let mut recipient =
                    User::parley(&connector, &run, index, &load, &account, &owner).await?;
                recipient.receive_only(members, account.user_id()?, spreads);
                Ok(recipient)
            })
        });
        users.extend(recipients.await?);
    }
    if args.no_receipts {
        users.iter_mut().for_each(User::send_no_receipts);
    }
    let plan = Plan::of("group", workers.transport().name(), target, &args.load);
    let finished = driver::drive(&plan, &run, &workers, users).await?;
    let audits = (0..finished.outcomes.len())
        .filter(|index| !index.is_multiple_of(members))
        .map(|index| (index - index % members, index));
    let mut result = user::conclude(&plan, &run, finished, audits)?;
    let receipts = run.window_receipts.load(Ordering::Relaxed);
    result.details = Some(Details::Group(Group {
        members,
        receipts: !args.no_receipts,
        receipts_per_s: receipts as f64 / args.load.seconds,
        spread_us: Percentiles::from(&run.latencies()?.spread),
    }));
    Ok(result)
}
