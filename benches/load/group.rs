//! Groups: the first member of each sends, all others take and acknowledge.
//!
//! The course of the run and the audit are those of `pairs`.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use futures_util::{StreamExt as _, TryStreamExt as _};

use crate::accounts;
use crate::args::GroupArgs;
use crate::net::Connector;
use crate::pairs::{self, Cast, PARALLEL, Plan};
use crate::player::Player;
use crate::report::Result;
use crate::run::Run;

/// The scenario: makes users and groups, connects, drives.
///
/// # Errors
/// When the server can't be reached or refuses, or the arguments make no sense.
pub(crate) async fn measure(args: &GroupArgs) -> anyhow::Result<Result> {
    let members = args.members.unwrap_or(args.users);
    ensure!(members >= 2, "--members is at least 2");
    ensure!(args.users.is_multiple_of(members), "--users is a multiple of --members");
    pairs::check_load(&args.load)?;
    let target = &args.target;
    let connector = Connector::new(&target.server, target.trust.as_deref()).await?;
    let accounts = accounts::prepare(target, args.users).await?;
    let run = Arc::new(Run::new()?);
    let mut players = Vec::with_capacity(args.users);
    for (number, group) in accounts.chunks_exact(members).enumerate() {
        let first = number * members;
        let (owner, others) = group.split_first().context("an empty group")?;
        let mut sender =
            Player::parley(&connector, &run, first, args.load.size, owner, owner).await?;
        sender.found_group(others).await?;
        players.push(sender);
        // They join once the group is there, and take its first entry as what
        // they missed.
        let (connector, run) = (&connector, &run);
        let takers: Vec<Player> = futures_util::stream::iter(others.iter().enumerate())
            .map(|(at, account)| async move {
                let index = first + 1 + at;
                Player::parley(connector, run, index, args.load.size, account, owner).await
            })
            .buffered(PARALLEL)
            .try_collect()
            .await?;
        players.extend(takers);
    }
    if args.no_receipts {
        players.iter_mut().for_each(Player::stay_quiet);
    }
    let plan = Plan {
        scenario: "group",
        transport: connector.transport.name(),
        load: &args.load,
        server_pid: target.server_pid,
        metrics: target.metrics.as_deref(),
        cast: Cast::Groups(members),
    };
    pairs::drive(&plan, &run, players).await
}
