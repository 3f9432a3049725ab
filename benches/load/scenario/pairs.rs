//! 1:1 conversations: user 0 with 1, 2 with 3, and so on; each sends to the other.

use std::sync::Arc;

use anyhow::{Context as _, ensure};

use crate::args::{LoadArgs, PairsArgs};
use crate::driver::workers::Workers;
use crate::driver::{self, Plan};
use crate::measure::run::Run;
use crate::net::accounts;
use crate::peers;
use crate::report::Result;
use crate::user::{self, User};

/// What Parley makes durable before it acknowledges.
const DURABILITY: &str = "synced (RocksDB's log, fdatasync) before `Sent`";

/// The scenario: makes users, connects, drives.
///
/// # Errors
/// When the server can't be reached or refuses, or the arguments make no sense.
pub(crate) async fn measure(args: &PairsArgs) -> anyhow::Result<Result> {
    let mut load = args.load.clone();
    if let Some(minutes) = args.soak {
        load.seconds = minutes * 60.0;
    }
    check(args.users, &load)?;
    let target = &args.target;
    if peers::is_peer(&target.server) {
        return peers::measure(&PairsArgs { load, ..args.clone() }).await;
    }
    let workers = Workers::start(&target.server, target.trust.as_deref()).await?;
    let accounts = accounts::prepare(target, args.users, 1).await?;
    let run = Arc::new(Run::new()?);
    let load = &load;
    let users = workers
        .open(0..args.users, |index, connector| {
            let own = accounts.get(index).context("too few users")?.clone();
            let peer = accounts.get(index ^ 1).context("too few users")?.clone();
            let (run, load) = (Arc::clone(&run), load.clone());
            Ok(async move { User::parley(&connector, &run, index, &load, &own, &peer).await })
        })
        .await?;
    let plan = Plan::of("pairs", workers.transport().name(), target, load);
    let finished = driver::drive(&plan, &run, &workers, users).await?;
    let mut result = user::conclude_pairs(&plan, &run, finished)?;
    result.durability = Some(args.durability.clone().unwrap_or_else(|| DURABILITY.to_owned()));
    Ok(result)
}

/// Whether pairs can be made of so many users, with messages of that size.
pub(crate) fn check(users: usize, load: &LoadArgs) -> anyhow::Result<()> {
    ensure!(users >= 2 && users.is_multiple_of(2), "--users is an even number above 0");
    driver::check_load(load)
}
