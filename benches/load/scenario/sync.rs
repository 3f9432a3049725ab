//! Catching up after absence.
//!
//! Part one: each client has so many messages waiting; it connects, says Hello, fetches all of
//! them and goes, again and again for the whole window. Nothing is acknowledged before the
//! end, so that the same backlog waits each time, as for a new device. The handshake is in the
//! figures.
//!
//! Part two: one client has very many conversations, of which few changed since its last
//! connection. What it receives, and how long it takes, should follow what changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use parley_protocol::wire::server_envelope::Kind as ServerKind;
use parley_protocol::wire::{self, send};
use prost::Message as _;

use super::backlog;
use crate::args::SyncArgs;
use crate::measure::audit::{self, ReceivedLog, SentLog, Verdict};
use crate::measure::histogram::{self, Percentiles, curve};
use crate::measure::per;
use crate::measure::run::{Run, Samples};
use crate::measure::system::{self, Usage};
use crate::net::Connector;
use crate::net::accounts::{self, Account};
use crate::net::protocol::{self, FIRST_SEND, Mark};
use crate::net::session::{self, Session, Visibility};
use crate::report::{Details, Reconnect, Result, Sync};

/// The scenario.
///
/// # Errors
/// When the server can't be reached or sampled, or the arguments make no sense.
pub(crate) async fn measure(args: &SyncArgs) -> anyhow::Result<Result> {
    ensure!(args.users >= 1 && args.backlog >= 1, "--users and --backlog are at least 1");
    ensure!((protocol::LEAST_BYTES..=100_000).contains(&args.size), "--size is from 48 to 100000");
    ensure!(args.seconds > 0.0 && args.warmup >= 0.0, "--seconds is above 0, --warmup not below");
    ensure!(args.changed <= args.conversations || args.conversations == 0, "--changed is too many");
    ensure!(args.rounds >= 1, "--rounds is at least 1");
    let target = &args.target;
    let connector = Arc::new(Connector::new(&target.server, target.trust.as_deref()).await?);
    let accounts = accounts::prepare(target, 2 * args.users, 1).await?;
    let (readers, writers) = accounts.split_at(args.users);
    let shared = Arc::new(Shared {
        run: Run::new()?,
        connector: Arc::clone(&connector),
        backlog: args.backlog,
        bytes: AtomicU64::new(0),
    });
    let mut clients = Vec::with_capacity(args.users);
    for (reader, writer) in readers.iter().zip(writers) {
        let mut session = session::open(&connector, writer, 0, u64::MAX).await?.session;
        let messages = backlog::messages(shared.run.id, &reader.user()?, args.backlog, args.size);
        let sent = session.send_many(messages).await?;
        session.close().await;
        let first = sent.first().context("nothing was sent")?;
        clients.push(Client {
            own: reader.user()?,
            token: reader.token(0)?,
            conversation: first.conversation.clone(),
            base: first.seq - 1,
        });
    }

    eprintln!("catching up");
    let from_ns = shared.run.now_ns() + nanos(args.warmup);
    let to_ns = from_ns + nanos(args.seconds);
    shared.run.set_window(from_ns, to_ns);
    let workers: Vec<_> = clients
        .into_iter()
        .enumerate()
        .map(|(index, client)| {
            tokio::spawn(client.again_and_again(index, Arc::clone(&shared), to_ns))
        })
        .collect();
    tokio::time::sleep_until(shared.run.instant(from_ns).into()).await;
    let before = system::sample(target.server_pid, target.metrics.as_deref()).await?;
    tokio::time::sleep_until(shared.run.instant(to_ns).into()).await;
    let after = system::sample(target.server_pid, target.metrics.as_deref()).await?;
    let mut found = Verdict::default();
    for worker in workers {
        found += worker.await??;
    }
    let reconnect = match args.conversations {
        0 => None,
        _ => {
            let (reader, writer) = (readers.first(), writers.first());
            let (reader, writer) = reader.zip(writer).context("no users")?;
            Some(reconnect(args, &connector, reader, writer).await?)
        }
    };

    let latencies = shared.run.latencies()?.delivery;
    let syncs = shared.run.window_acknowledged.load(Ordering::Relaxed);
    let messages = syncs * args.backlog as u64;
    let usage = Usage::between(&before, &after, args.seconds);
    let per_s = messages as f64 / args.seconds;
    let mut result = Result {
        size_bytes: args.size,
        warmup_s: args.warmup,
        seconds: args.seconds,
        delivered_per_s: Some(per_s),
        server_core_us_per_delivery: per(usage.server_cpu_us, messages),
        latency_us: Some(Percentiles::from(&latencies)),
        latency_curve: curve(&latencies),
        messages,
        lost: found.lost,
        duplicates: found.duplicates,
        reordered: found.reordered,
        details: Some(Details::Sync(Sync {
            backlog: args.backlog,
            syncs,
            messages_per_s: per_s,
            messages_per_core_s: usage
                .server_cpu_us
                .filter(|us| *us > 0)
                .map(|us| messages as f64 / (us as f64 / 1e6)),
            bytes_per_message: shared.bytes.load(Ordering::Relaxed) as f64
                / (messages as f64).max(1.0),
            reconnect,
        })),
        usage,
        ..Result::new("sync", connector.transport.name(), args.users)
    };
    if syncs == 0 {
        result.void("nobody caught up within the window".to_owned());
    }
    Ok(result)
}

struct Shared {
    run: Run,
    connector: Arc<Connector>,
    backlog: usize,
    /// Received within the window.
    bytes: AtomicU64,
}

/// One client and what waits for it.
struct Client {
    own: Bytes,
    token: Bytes,
    conversation: Bytes,
    /// The seq before its backlog.
    base: u64,
}

impl Client {
    async fn again_and_again(
        self,
        index: usize,
        shared: Arc<Shared>,
        to_ns: u64,
    ) -> anyhow::Result<Verdict> {
        let sent = SentLog { next: shared.backlog as u64, ..SentLog::default() };
        let mut found = Verdict::default();
        let mut samples = Samples::default();
        while shared.run.now_ns() < to_ns {
            let began_ns = shared.run.now_ns();
            let (mut session, received, held) = self.catch_up(&shared).await?;
            let now_ns = shared.run.now_ns();
            samples.delivery.push((began_ns, now_ns - began_ns));
            shared.run.record(index, &mut samples);
            shared.run.count_acknowledged(now_ns, 0);
            if shared.run.measures(now_ns) {
                shared.bytes.fetch_add(session.link.received_bytes, Ordering::Relaxed);
            }
            found += audit::check(&sent, &received);
            if now_ns >= to_ns {
                session.delivered(&self.conversation, held).await?;
                session.close().await;
            }
        }
        Ok(found)
    }

    async fn catch_up(&self, shared: &Shared) -> anyhow::Result<(Session, ReceivedLog, u64)> {
        let link = shared.connector.open_briefly().await?;
        let opened = session::welcome(link, self.token.clone(), 0, Visibility::Foreground).await?;
        let mut session = opened.session;
        let (entries, _) = session.rest_of_feed(opened.changes).await?;
        if !entries.iter().any(|entry| entry.conversation == self.conversation) {
            bail!("the feed doesn't name the conversation");
        }
        let mut received = ReceivedLog::default();
        let take = |entry| backlog::receive(&mut received, entry, shared.run.id, &self.own);
        let held = session.fetch(&self.conversation, self.base, take).await?;
        Ok((session, received, held))
    }
}

/// Part two.
async fn reconnect(
    args: &SyncArgs,
    connector: &Connector,
    reader: &Account,
    writer: &Account,
) -> anyhow::Result<Reconnect> {
    eprintln!("making {} conversations", args.conversations);
    let run = fastrand::u64(..);
    let mut session = session::open(connector, writer, 0, u64::MAX).await?.session;
    let member = reader.user()?;
    let groups = (0..args.conversations as u64).map(|number| {
        // Other than the id of any message: both name sends in the new group.
        let id = [(!run).to_be_bytes(), number.to_be_bytes()].concat();
        session::new_group(id.into(), vec![member.clone()])
    });
    let groups = session.send_many(groups.collect()).await?;
    // All that there is until now is known to the reader.
    let opened = session::open(connector, reader, 0, 0).await?;
    let mut own = opened.session;
    let (_, position) = own.rest_of_feed(opened.changes).await?;
    own.close().await;
    let step = (args.conversations / args.changed.max(1)).max(1);
    let messages =
        groups.iter().step_by(step).take(args.changed).zip(0..).map(|(group, number)| {
            let mark = Mark { run, number, intended_ns: 0 };
            protocol::send(send::To::Conversation(group.conversation.clone()), mark, args.size)
        });
    session.send_many(messages.collect()).await?;
    session.close().await;
    // Feeds are merged after the answer: wait for the last of them.
    tokio::time::sleep(Duration::from_millis(200)).await;

    eprintln!("reconnecting");
    let (mut welcome, mut caught_up, mut from_connect) =
        (histogram::histogram()?, histogram::histogram()?, histogram::histogram()?);
    let (mut welcome_bytes, mut caught_up_bytes) = (0, 0);
    let pid = args.target.server_pid;
    let before = system::sample(pid, None).await?;
    for _ in 0..args.rounds {
        let began = Instant::now();
        let link = connector.open().await?;
        let hello = Instant::now();
        let opened =
            session::welcome(link, reader.token(0)?, position, Visibility::Foreground).await?;
        welcome.saturating_record(us(hello));
        let mut session = opened.session;
        welcome_bytes = session.link.received_bytes.max(welcome_bytes);
        let (entries, _) = session.rest_of_feed(opened.changes).await?;
        ensure!(entries.len() == args.changed, "{} conversations changed", entries.len());
        let missed = fetch_together(&mut session, &entries).await?;
        ensure!(missed >= args.changed, "only {missed} entries came");
        caught_up.saturating_record(us(hello));
        from_connect.saturating_record(us(began));
        caught_up_bytes = session.link.received_bytes.max(caught_up_bytes);
        session.close().await;
    }
    let after = system::sample(pid, None).await?;
    let usage = Usage::between(&before, &after, 1.0);
    Ok(Reconnect {
        conversations: args.conversations,
        changed: args.changed,
        rounds: args.rounds,
        welcome_us: Percentiles::from(&welcome),
        caught_up_us: Percentiles::from(&caught_up),
        from_connect_us: Percentiles::from(&from_connect),
        welcome_bytes,
        caught_up_bytes,
        server_us_per_reconnect: per(usage.server_cpu_us, args.rounds as u64),
    })
}

/// Asks for what each of them has above what was there when its group was made, all at
/// once; returns how many entries came.
async fn fetch_together(
    session: &mut Session,
    entries: &[wire::FeedEntry],
) -> anyhow::Result<usize> {
    let mut out: Vec<Bytes> = (FIRST_SEND..)
        .zip(entries)
        .map(|(request, entry)| {
            // The entry that made the group was seen before.
            let held = entry.last_seq.saturating_sub(1);
            protocol::request(request, session::after(&entry.conversation, held))
        })
        .collect();
    let (mut waiting, mut came) = (out.len(), 0);
    session.link.send(&mut out).await?;
    let mut received = Vec::new();
    while waiting > 0 {
        session.link.receive(&mut received).await?;
        for envelope in received.drain(..) {
            match wire::ServerEnvelope::decode(envelope)?.kind {
                Some(ServerKind::Fetched(page)) => {
                    came += page.entries.len();
                    waiting -= 1;
                }
                Some(ServerKind::Failure(failure)) => {
                    bail!("a request failed with {}", session::name(failure.code))
                }
                _ => {}
            }
        }
    }
    Ok(came)
}

fn us(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX).max(1)
}

fn nanos(seconds: f64) -> u64 {
    u64::try_from(Duration::from_secs_f64(seconds).as_nanos()).unwrap_or(u64::MAX / 4)
}
