//! One device of one user, in several conversations, that now and then loses its connection.
//!
//! It does what the SDK does: sends with an id, takes what is pushed, fetches what is missing,
//! acknowledges cumulatively, and after a reconnect goes on from its feed position, sending again
//! what has no answer. The first device of a user reads, the others only hold. What it waits for
//! while it reconnects is in the latencies.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use parley_protocol::Code;
use parley_protocol::wire::client_envelope::Kind as ClientKind;
use parley_protocol::wire::server_envelope::Kind as ServerKind;
use parley_protocol::wire::{self, send};
use prost::Message as _;
use tokio::sync::watch;
use tokio::time::Instant;

use super::history::{History, Id, Origin};
use super::membership;
use super::view::View;
use crate::driver::{Actor, Phase, Source};
use crate::measure::run::{Run, Samples};
use crate::net::Connector;
use crate::net::link::Link;
use crate::net::protocol::{self, FIRST_SEND, Mark, PING};
use crate::net::session::{self, Session, Visibility, name};
use crate::user::{Large, take};

/// Request numbers: the conversation's place among the device's own is added.
const CURSOR: u64 = 4;
const FETCH: u64 = CURSOR + membership::KINDS as u64;
const SYNC: u64 = FETCH + membership::KINDS as u64;
const _: () = assert!(SYNC < FIRST_SEND && CURSOR > PING);

/// What all devices of a run share.
pub(crate) struct Shared {
    pub(crate) run: Arc<Run>,
    pub(crate) size: usize,
    pub(crate) large: Large,
    /// Mean time between two losses of a device's connection.
    pub(crate) reconnect_every: Option<Duration>,
}

/// One device with an open session.
pub(crate) struct Device {
    shared: Arc<Shared>,
    connector: Arc<Connector>,
    index: u32,
    token: Bytes,
    /// Whether its user looks at it.
    reads: bool,
    link: Link,
    heartbeat: Duration,
    views: Vec<View>,
    feed_position: u64,
    /// Pages of the feed are still to come.
    paging: bool,
    waiting: VecDeque<Waiting>,
    next_request: u64,
    out: Vec<Bytes>,
    samples: Samples,
    random: fastrand::Rng,
    /// The generator can't be late with what was due before.
    ready_ns: u64,
    /// When the connection was lost, until everything missed is held.
    lost_at: Option<Instant>,
    settled: bool,
    report: Report,
}

/// A message without an answer.
struct Waiting {
    request: u64,
    view: usize,
    id: Id,
    intended_ns: u64,
    large: bool,
    written: bool,
    envelope: Bytes,
}

/// What a device counted.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) messages: u64,
    pub(crate) unanswered: u64,
    pub(crate) reconnects: u64,
    pub(crate) reconnect_us: Vec<u64>,
    pub(crate) gaps_fetched: u64,
    /// Of each acknowledged message: conversation, seq, message.
    pub(crate) answered: Vec<(usize, u64, Id)>,
    pub(crate) broke: Option<String>,
}

/// What a device knows at the end.
pub(crate) struct Outcome {
    pub(crate) report: Report,
    /// Of each of its conversations, by place in the membership.
    pub(crate) histories: Vec<(usize, History)>,
}

impl Device {
    /// A device on an open session, which holds the feed up to `feed_position`.
    pub(crate) fn new(
        shared: Arc<Shared>,
        connector: Arc<Connector>,
        index: u32,
        (token, reads): (Bytes, bool),
        (session, heartbeat, feed_position): (Session, Duration, u64),
        views: Vec<View>,
    ) -> Self {
        Self {
            shared,
            connector,
            index,
            token,
            reads,
            link: session.link,
            heartbeat,
            views,
            feed_position,
            paging: false,
            waiting: VecDeque::new(),
            next_request: FIRST_SEND,
            out: Vec::new(),
            samples: Samples::default(),
            random: fastrand::Rng::new(),
            ready_ns: 0,
            lost_at: None,
            settled: false,
            report: Report::default(),
        }
    }

    async fn run_phases(
        &mut self,
        source: &mut Source,
        phase: &mut watch::Receiver<Phase>,
    ) -> anyhow::Result<()> {
        // Heartbeats of many connections must not come together.
        let first = Instant::now() + self.heartbeat.mul_f64(fastrand::f64());
        let mut heartbeat = tokio::time::interval_at(first, self.heartbeat);
        let mut loses_at = self.next_loss();
        let (mut envelopes, mut due) = (Vec::new(), Vec::new());
        loop {
            let acknowledges_at = self.views.iter().filter_map(View::acknowledges_at).min();
            let far = Instant::now() + Duration::from_secs(3600);
            let mut loses = false;
            tokio::select! {
                received = self.link.receive(&mut envelopes) => {
                    received?;
                    let now_ns = self.shared.run.now_ns();
                    for envelope in envelopes.drain(..) {
                        self.handle(envelope, now_ns)?;
                    }
                }
                count = take(source, &mut due) => {
                    if count == 0 {
                        *source = Source::Silent;
                    }
                }
                () = tokio::time::sleep_until(acknowledges_at.unwrap_or(far)),
                    if acknowledges_at.is_some() => {}
                () = tokio::time::sleep_until(loses_at.unwrap_or(far)), if loses_at.is_some() => {
                    loses = true;
                }
                _ = heartbeat.tick() => {
                    self.out.push(protocol::request(PING, ClientKind::Ping(wire::Ping::default())));
                }
                changed = phase.changed() => changed.context("the run was given up")?,
            }
            let now = *phase.borrow();
            if now == Phase::Ended {
                return Ok(());
            }
            if loses {
                loses_at = self.next_loss();
                if now == Phase::Sending {
                    self.reconnect().await?;
                }
            }
            self.send_due(source, &mut due, now);
            self.acknowledge(now == Phase::Settling);
            self.flush().await?;
            self.note_back();
            if now == Phase::Settling && !self.settled && self.views.iter().all(View::is_settled) {
                self.settled = true;
                self.shared.run.settled.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn next_loss(&mut self) -> Option<Instant> {
        let mean = self.shared.reconnect_every?;
        // 1 - f64() is never 0, so the logarithm is finite.
        Some(Instant::now() + mean.mul_f64(-(1.0 - self.random.f64()).ln()))
    }

    /// Queues what is to be sent now.
    fn send_due(&mut self, source: &Source, due: &mut Vec<u64>, phase: Phase) {
        for intended_ns in due.drain(..) {
            self.push(intended_ns);
        }
        if let (Source::Window(window), Phase::Sending) = (source, phase) {
            while self.waiting.len() < *window {
                self.push(self.shared.run.now_ns());
            }
        }
    }

    fn push(&mut self, intended_ns: u64) {
        let kind = membership::draw(&mut self.random);
        let Some(view) = self.views.get_mut(kind) else { return };
        let id = Id { device: self.index, number: view.next_number };
        view.next_number += 1;
        let number = u64::from(id.device) << 32 | u64::from(id.number);
        let mark = Mark { run: self.shared.run.id, number, intended_ns };
        let large = self.shared.large.draw();
        let size = if large { self.shared.large.size } else { self.shared.size };
        let to = send::To::Conversation(view.conversation.clone());
        let request = self.next_request;
        let envelope = protocol::request(request, ClientKind::Send(protocol::send(to, mark, size)));
        self.next_request += 1;
        self.report.messages += 1;
        self.shared.run.written.fetch_add(1, Ordering::Relaxed);
        self.out.push(envelope.clone());
        let (view, written) = (kind, false);
        self.waiting.push_back(Waiting {
            request,
            view,
            id,
            intended_ns,
            large,
            written,
            envelope,
        });
    }

    fn acknowledge(&mut self, at_the_end: bool) {
        for (view, request) in self.views.iter_mut().zip(CURSOR..) {
            if let Some(up_to) = view.acknowledge(at_the_end) {
                let conversation = view.conversation.clone();
                self.out.push(protocol::request(
                    request,
                    match self.reads {
                        true => ClientKind::Read(wire::Read { conversation, up_to }),
                        false => ClientKind::Delivered(wire::Delivered { conversation, up_to }),
                    },
                ));
            }
        }
    }

    async fn flush(&mut self) -> anyhow::Result<()> {
        if !self.out.is_empty() {
            let fresh = self.out.len();
            self.link.send(&mut self.out).await?;
            let now_ns = self.shared.run.now_ns();
            // What this write carried is at the end of the queue; the rest of it were requests.
            for waiting in self.waiting.iter_mut().rev().take(fresh) {
                if !std::mem::replace(&mut waiting.written, true)
                    && waiting.intended_ns >= self.ready_ns
                {
                    let late = now_ns.saturating_sub(waiting.intended_ns);
                    self.samples.late.push((waiting.intended_ns, late));
                }
            }
        }
        self.shared.run.record(self.index as usize, &mut self.samples);
        Ok(())
    }

    /// Loses the connection without a word, and comes back.
    async fn reconnect(&mut self) -> anyhow::Result<()> {
        self.lost_at = Some(Instant::now());
        self.report.reconnects += 1;
        self.link = Link::gone();
        self.out.clear();
        self.views.iter_mut().for_each(View::reconnect);
        let link = self.connector.open().await?;
        let opened =
            session::welcome(link, self.token.clone(), self.feed_position, Visibility::Foreground)
                .await?;
        self.link = opened.session.link;
        self.ready_ns = self.shared.run.now_ns();
        let named: Vec<Bytes> =
            opened.changes.entries.iter().map(|entry| entry.conversation.clone()).collect();
        self.take_changes(&opened.changes);
        for at in 0..self.views.len() {
            let Some(view) = self.views.get(at) else { continue };
            if !named.contains(&view.conversation)
                && let Some(held) = view.unconfirmed()
            {
                self.fetch(at, held);
            }
        }
        for envelope in opened.session.aside {
            self.handle(envelope, self.ready_ns)?;
        }
        self.out.extend(self.waiting.iter().map(|waiting| waiting.envelope.clone()));
        Ok(())
    }

    /// Everything missed is held again.
    fn note_back(&mut self) {
        if !self.paging
            && self.views.iter().all(|view| !view.fetching)
            && let Some(lost_at) = self.lost_at.take()
        {
            let us = u64::try_from(lost_at.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.report.reconnect_us.push(us);
        }
    }

    fn take_changes(&mut self, changes: &wire::Changes) {
        for entry in &changes.entries {
            let at = self.views.iter().position(|view| view.conversation == entry.conversation);
            if let Some(at) = at
                && let Some(view) = self.views.get(at)
                && let Some(held) = view.missing(entry.last_seq, entry.delivered)
            {
                self.fetch(at, held);
            }
        }
        self.feed_position = self.feed_position.max(changes.feed_position);
        self.paging = changes.more;
        if changes.more {
            let sync = wire::Sync { feed_position: changes.feed_position };
            self.out.push(protocol::request(SYNC, ClientKind::Sync(sync)));
        }
    }

    fn fetch(&mut self, at: usize, held: u64) {
        if let Some(view) = self.views.get_mut(at) {
            view.fetching = true;
            let ask = session::after(&view.conversation, held);
            self.out.push(protocol::request(FETCH + at as u64, ask));
        }
    }

    fn handle(&mut self, envelope: Bytes, now_ns: u64) -> anyhow::Result<()> {
        let wire::ServerEnvelope { request, kind } = wire::ServerEnvelope::decode(envelope)?;
        match kind {
            Some(ServerKind::Sent(sent)) => self.handle_sent(request, &sent, now_ns),
            Some(ServerKind::Deliver(deliver)) => {
                self.know(deliver.feed_position);
                let own = |view: &View| view.conversation == deliver.conversation;
                if let Some(at) = self.views.iter().position(own) {
                    for entry in deliver.entries {
                        self.take_entry(at, entry, Origin::Pushed, now_ns)?;
                    }
                    if let Some(view) = self.views.get(at)
                        && view.history.has_gap()
                        && !view.fetching
                    {
                        self.report.gaps_fetched += 1;
                        self.fetch(at, view.history.held());
                    }
                }
            }
            Some(ServerKind::Fetched(page)) => {
                let at = request.saturating_sub(FETCH) as usize;
                let view = self.views.get_mut(at).context("an answer to nothing")?;
                view.fetching = false;
                let mut last = None;
                for entry in page.entries {
                    last = Some(self.take_entry(at, entry, Origin::Requested, now_ns)?);
                }
                if let Some(last) = last.filter(|_| !page.at_end) {
                    self.fetch(at, last);
                }
            }
            Some(ServerKind::Moved(moved)) => {
                let at = request.saturating_sub(CURSOR) as usize;
                let up_to = if self.reads { moved.read } else { moved.delivered };
                if let Some(view) = self.views.get_mut(at) {
                    view.confirm(up_to);
                }
            }
            Some(ServerKind::Receipt(receipt)) => {
                self.know(receipt.feed_position);
                self.shared.run.count_receipt(now_ns);
            }
            Some(ServerKind::Changes(changes)) => self.take_changes(&changes),
            Some(ServerKind::Failure(failure)) => self.handle_failure(request, failure.code)?,
            Some(ServerKind::Close(close)) => bail!("the server closed with {}", name(close.code)),
            _ => {}
        }
        Ok(())
    }

    fn handle_sent(&mut self, request: u64, sent: &wire::Sent, now_ns: u64) {
        self.know(sent.feed_position);
        let Some(waiting) = self.answered(request) else { return };
        let Some(view) = self.views.get_mut(waiting.view) else { return };
        view.history.take(sent.seq, Some(waiting.id), Origin::Requested);
        self.report.answered.push((view.index, sent.seq, waiting.id));
        self.shared.run.count_acknowledged(now_ns, view.recipients);
        if !waiting.large {
            let latency = now_ns.saturating_sub(waiting.intended_ns);
            self.samples.sent.push((waiting.intended_ns, latency));
        }
    }

    fn handle_failure(&mut self, request: u64, code: u32) -> anyhow::Result<()> {
        let known = Code::from_number(code);
        if request >= FIRST_SEND {
            if self.answered(request).is_some() {
                self.shared.run.refused.fetch_add(1, Ordering::Relaxed);
            }
            // Only being pushed back is part of a measurement.
            if matches!(known, Some(Code::Overloaded | Code::TooManyRequests | Code::RateLimited)) {
                return Ok(());
            }
        } else if known == Some(Code::CursorAhead) {
            // After a reconnect, an own send that was answered as a repeat was not given to
            // this session: it has to be asked for.
            let at = request.saturating_sub(CURSOR) as usize;
            let view = self.views.get_mut(at).context("an answer to nothing")?;
            let held = view.refused();
            self.fetch(at, held);
            return Ok(());
        }
        bail!("a request failed with {}", name(code))
    }

    /// Takes an entry; returns its seq.
    fn take_entry(
        &mut self,
        at: usize,
        entry: Bytes,
        origin: Origin,
        now_ns: u64,
    ) -> anyhow::Result<u64> {
        let entry = wire::Entry::decode(entry)?;
        let view = self.views.get_mut(at).context("no such conversation")?;
        let text = wire::Text::decode(entry.body).unwrap_or_default().text;
        let mark = protocol::parse(&text).filter(|mark| mark.run == self.shared.run.id);
        let id = mark.and_then(|mark| {
            let device = u32::try_from(mark.number >> 32).ok()?;
            Some(Id { device, number: u32::try_from(mark.number & u64::from(u32::MAX)).ok()? })
        });
        let new = view.history.take(entry.seq, id, origin);
        let Some(mark) = mark.filter(|_| id.is_some_and(|id| id.device != self.index)) else {
            return Ok(entry.seq);
        };
        view.want(entry.seq);
        if new {
            let sample = (mark.intended_ns, now_ns.saturating_sub(mark.intended_ns));
            if self.shared.large.share > 0.0 && text.len() == self.shared.large.size {
                self.samples.large.push(sample);
            } else {
                self.samples.delivery.push(sample);
            }
            self.shared.run.count_delivered(now_ns);
        }
        Ok(entry.seq)
    }

    /// The feed is known up to here, unless pages of it are still to come.
    fn know(&mut self, feed_position: u64) {
        if !self.paging {
            self.feed_position = self.feed_position.max(feed_position);
        }
    }

    fn answered(&mut self, request: u64) -> Option<Waiting> {
        let at = self.waiting.iter().position(|waiting| waiting.request == request)?;
        self.waiting.remove(at)
    }
}

impl Actor for Device {
    type Outcome = Outcome;

    fn sends(&self) -> bool {
        true
    }

    async fn run(mut self, mut source: Source, mut phase: watch::Receiver<Phase>) -> Outcome {
        if let Err(error) = self.run_phases(&mut source, &mut phase).await {
            self.report.broke = Some(format!("{error:#}"));
        }
        self.shared.run.record(self.index as usize, &mut self.samples);
        self.report.unanswered = self.waiting.len() as u64;
        Session { link: self.link, aside: Vec::new() }.close().await;
        let histories = self.views.into_iter().map(|view| (view.index, view.history)).collect();
        Outcome { report: self.report, histories }
    }
}
