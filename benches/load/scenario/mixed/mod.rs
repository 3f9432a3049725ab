//! Everyday life: of the messages 70 % go to 1:1 conversations, 25 % to groups of 10 to 20 and
//! 5 % to groups of 100 to 200; each user has two devices; now and then one loses its connection;
//! one message in a thousand is large; all acknowledge, the first device of each user reads.
//!
//! `membership` says who is in what, `view` is one conversation on one `device`, `history` what it holds
//! and the audit. The phases of the run are those of the other scenarios.

mod device;
mod history;
mod membership;
mod view;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use parley_protocol::UserId;
use parley_protocol::cursors::delivered_every_ms;
use parley_protocol::wire::send;

use crate::args::MixedArgs;
use crate::driver::workers::{PARALLEL, Workers};
use crate::driver::{self, Finished, Plan};
use crate::measure::histogram::{Percentiles, histogram};
use crate::measure::run::Run;
use crate::net::Connector;
use crate::net::accounts::{self, Account};
use crate::net::protocol::{self, Mark};
use crate::net::session::{self, Session};
use crate::report::{Details, Mixed, Result};
use crate::user::Large;
use device::{Device, Outcome, Shared};
use membership::Membership;
use view::View;

/// Share of large messages when nothing is said.
const LARGE_SHARE: f64 = 0.001;

/// A conversation as it stands before the run.
#[derive(Clone)]
struct Created {
    conversation: Bytes,
    seq: u64,
}

/// The scenario.
///
/// # Errors
/// When the server can't be reached or refuses, or the arguments make no sense.
pub(crate) async fn measure(args: &MixedArgs) -> anyhow::Result<Result> {
    ensure!(args.users >= 20 && args.users.is_multiple_of(2), "--users is even and at least 20");
    ensure!((1..=8).contains(&args.devices), "--devices is from 1 to 8");
    ensure!((0.0..=60.0).contains(&args.reconnects), "--reconnects is from 0 to 60");
    let mut load = args.load.clone();
    load.large_share = Some(load.large_share.unwrap_or(LARGE_SHARE));
    driver::check_load(&load)?;
    let target = &args.target;
    let connector = Connector::new(&target.server, target.trust.as_deref()).await?;
    let workers = Workers::start(&target.server, target.trust.as_deref()).await?;
    let accounts = accounts::prepare(target, args.users, args.devices).await?;
    let run = Arc::new(Run::new()?);
    let membership = Membership::new(args.users, &mut fastrand::Rng::new());
    eprintln!("creating {} conversations", membership.conversations.len());
    let created = create(&connector, &accounts, &membership, run.id).await?;
    let shared = Arc::new(Shared {
        run: Arc::clone(&run),
        size: load.size,
        large: Large::of(&load, LARGE_SHARE),
        reconnect_every: (args.reconnects > 0.0)
            .then(|| Duration::from_secs_f64(60.0 / args.reconnects)),
    });
    let devices = workers
        .open(0..args.users * args.devices, |index, connector| {
            let (user, device) = (index / args.devices, index % args.devices);
            let account = accounts.get(user).context("too few users")?.clone();
            let id = account.user_id()?;
            let views = views(&membership, &created, args.devices, (user, id), device)?;
            let shared = Arc::clone(&shared);
            Ok(open(shared, connector, index, device, account, views))
        })
        .await?;
    let plan = Plan::of("mixed", connector.transport.name(), target, &load);
    let finished = driver::drive(&plan, &run, &workers, devices).await?;
    conclude(&plan, &run, &membership, args.users, finished)
}

/// Makes all conversations, each by its first member.
async fn create(
    connector: &Connector,
    accounts: &[Account],
    membership: &Membership,
    run: u64,
) -> anyhow::Result<Vec<Created>> {
    let by_creator = (0..accounts.len()).map(|user| {
        let own = membership.conversations.iter().enumerate();
        own.filter(move |(_, members)| members.first() == Some(&user))
    });
    let created: Vec<Vec<(usize, Created)>> =
        futures_util::stream::iter(accounts.iter().zip(by_creator))
            .map(|(account, own)| async move {
                let mut created = Vec::new();
                let mut sends = Vec::new();
                for (index, members) in own {
                    let others = members
                        .iter()
                        .skip(1)
                        .map(|member| accounts.get(*member).context("no such user")?.user());
                    let others: Vec<Bytes> = others.collect::<anyhow::Result<_>>()?;
                    created.push(index);
                    let number = index as u64;
                    sends.push(match others.as_slice() {
                        [peer] if membership.is_direct(index) => {
                            // Not of this run: nobody counts it.
                            let mark = Mark { run: !run, number, intended_ns: 0 };
                            let to = send::To::Peer(peer.clone());
                            protocol::send(to, mark, protocol::LEAST_BYTES)
                        }
                        _ => {
                            // Other than the id of any message: both name sends in the new
                            // group.
                            let id = [(!run).to_be_bytes(), number.to_be_bytes()].concat();
                            session::new_group(id.into(), others)
                        }
                    });
                }
                if sends.is_empty() {
                    return Ok(Vec::new());
                }
                let mut session = session::open(connector, account, 0, u64::MAX).await?.session;
                let sent = session.send_many(sends).await?;
                session.close().await;
                let sent = sent.into_iter();
                let sent =
                    sent.map(|sent| Created { conversation: sent.conversation, seq: sent.seq });
                anyhow::Ok(created.into_iter().zip(sent).collect())
            })
            .buffered(PARALLEL)
            .try_collect()
            .await?;
    let mut created: Vec<(usize, Created)> = created.into_iter().flatten().collect();
    created.sort_by_key(|(index, _)| *index);
    ensure!(created.len() == membership.conversations.len(), "a conversation has no creator");
    Ok(created.into_iter().map(|(_, created)| created).collect())
}

/// The conversations of a user, as one device holds them.
fn views(
    membership: &Membership,
    created: &[Created],
    devices: usize,
    (user, id): (usize, UserId),
    device: usize,
) -> anyhow::Result<Vec<View>> {
    let own = membership.of_user.get(user).context("no such user")?;
    let views = own.iter().map(|conversation| {
        let members = membership.conversations.get(*conversation).context("no members")?;
        let created = created.get(*conversation).context("not created")?;
        let recipients = (members.len() * devices - 1) as u64;
        let keeps = device == 0 && members.first() == Some(&user);
        let every = Duration::from_millis(delivered_every_ms(members.len(), id));
        let of = created.conversation.clone();
        Ok(View::new(*conversation, of, recipients, every, created.seq, keeps))
    });
    views.collect()
}

/// Opens one device. The first of a user takes what there is.
async fn open(
    shared: Arc<Shared>,
    connector: Arc<Connector>,
    index: usize,
    device: usize,
    account: Account,
    views: Vec<View>,
) -> anyhow::Result<Device> {
    let opened = session::open(&connector, &account, device, 0).await?;
    let mut session: Session = opened.session;
    let (entries, position) = session.rest_of_feed(opened.changes).await?;
    if device == 0 {
        for entry in &entries {
            session.catch_up(entry).await?;
        }
    }
    let identity = (account.token(device)?, device == 0);
    let session = (session, opened.heartbeat, position);
    Ok(Device::new(shared, connector, u32::try_from(index)?, identity, session, views))
}

fn conclude(
    plan: &Plan<'_>,
    run: &Run,
    membership: &Membership,
    users: usize,
    mut finished: Finished<Outcome>,
) -> anyhow::Result<Result> {
    let mut histories: Vec<Vec<history::History>> =
        membership.conversations.iter().map(|_| Vec::new()).collect();
    let mut answered: Vec<Vec<(u64, history::Id)>> =
        membership.conversations.iter().map(|_| Vec::new()).collect();
    let mut reconnects = histogram()?;
    let (mut messages, mut unanswered, mut reconnected, mut gaps_fetched) = (0, 0, 0, 0);
    let mut broke = Vec::new();
    for outcome in &mut finished.outcomes {
        let report = &mut outcome.report;
        messages += report.messages;
        unanswered += report.unanswered;
        reconnected += report.reconnects;
        gaps_fetched += report.gaps_fetched;
        broke.extend(report.broke.take());
        report.reconnect_us.iter().for_each(|us| reconnects.saturating_record((*us).max(1)));
        for (conversation, seq, id) in report.answered.drain(..) {
            answered.get_mut(conversation).context("no such conversation")?.push((seq, id));
        }
        for (conversation, history) in outcome.histories.drain(..) {
            histories.get_mut(conversation).context("no such conversation")?.push(history);
        }
    }
    let devices = finished.outcomes.len();
    let broke: Vec<&str> = broke.iter().map(String::as_str).collect();
    let mut result = driver::conclude(plan, run, finished, &broke)?;
    result.users = users;
    result.messages = messages;
    result.unanswered = unanswered;
    for (histories, answered) in histories.iter().zip(&answered) {
        let verdict = history::check(histories.iter(), answered.iter().copied());
        result.lost += verdict.lost;
        result.duplicates += verdict.duplicates;
        result.reordered += verdict.reordered;
    }
    let acknowledged = run.acknowledged.load(Ordering::Relaxed);
    let expected = run.expected.load(Ordering::Relaxed);
    let receipts = run.window_receipts.load(Ordering::Relaxed);
    result.details = Some(Details::Mixed(Mixed {
        devices,
        conversations: membership.kinds,
        deliveries_per_message: expected as f64 / (acknowledged as f64).max(1.0),
        receipts_per_s: receipts as f64 / plan.load.seconds,
        reconnects: reconnected,
        reconnect_us: Percentiles::from(&reconnects),
        gaps_fetched,
    }));
    Ok(result)
}
