//! One user on one connection: sends, receives, acknowledges as a client does.
//!
//! A [`User`] is opened (Hello, and what an earlier run left is caught up), then run as a task
//! through the phases of the whole run. It moves envelopes between the link and its parts: what it
//! sends (`outgoing`), what it receives (`incoming`) and what it acknowledges (`acknowledging`).
//! The pair's two users meet again in the audit (`outcome`).

mod acknowledging;
mod incoming;
mod outcome;
mod outgoing;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use parley_protocol::cursors::delivered_every_ms;
use parley_protocol::wire::client_envelope::Kind as ClientKind;
use parley_protocol::{Code, UserId, wire};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::args::LoadArgs;
use crate::driver::{Actor, Phase, Source};
use crate::measure::run::{Run, Samples};
use crate::measure::spread::Spreads;
use crate::net::Connector;
use crate::net::accounts::Account;
use crate::net::link::Link;
use crate::net::protocol::{self, ACKNOWLEDGE, Event, FIRST_SEND, Mark, Protocol};
use crate::net::session::{self, Session, Visibility, name};
use acknowledging::Acknowledging;
use incoming::Incoming;
pub(crate) use outcome::{Outcome, conclude, conclude_pairs};
use outgoing::Outgoing;

/// Least time between two acknowledgements in a 1:1, as in the SDK.
const ACKNOWLEDGE_EVERY: Duration = Duration::from_millis(100);

/// Messages taken from the schedule at once; more make the write larger, not later.
const TAKE: usize = 64;

/// One user on an open connection.
pub(crate) struct User {
    index: usize,
    run: Arc<Run>,
    link: Link,
    protocol: Protocol,
    heartbeat: Duration,
    /// Where messages go, once it is known.
    conversation: Option<Bytes>,
    outgoing: Outgoing,
    incoming: Incoming,
    acknowledging: Acknowledging,
    /// Envelopes for the next write.
    out: Vec<Bytes>,
    samples: Samples,
    settled: bool,
}

/// Which messages are large.
#[derive(Clone, Copy)]
pub(crate) struct Large {
    pub(crate) share: f64,
    pub(crate) size: usize,
}

impl Large {
    /// As the command line has it, else a share of `share`.
    pub(crate) fn of(load: &LoadArgs, share: f64) -> Self {
        Self { share: load.large_share.unwrap_or(share), size: load.large_size }
    }

    /// Whether the next message is.
    pub(crate) fn draw(self) -> bool {
        self.share > 0.0 && fastrand::f64() < self.share
    }
}

impl User {
    /// Connects to Parley as `account`, to talk to `peer`.
    ///
    /// # Errors
    /// When the connection or the session is refused.
    pub(crate) async fn parley(
        connector: &Connector,
        run: &Arc<Run>,
        index: usize,
        load: &LoadArgs,
        account: &Account,
        peer: &Account,
    ) -> anyhow::Result<Self> {
        let large = Large::of(load, 0.0);
        let protocol =
            Protocol::Parley { own: account.user()?, peer: peer.user()?, background: false };
        Self::open(connector, run, index, (load.size, large), account, protocol).await
    }

    /// Connects to Parley as `account`, to send nothing, with the app in the background.
    ///
    /// # Errors
    /// As [`User::parley`].
    pub(crate) async fn idle(
        connector: &Connector,
        run: &Arc<Run>,
        index: usize,
        account: &Account,
    ) -> anyhow::Result<Self> {
        let size = protocol::LEAST_BYTES;
        let large = Large { share: 0.0, size };
        let own = account.user()?;
        let protocol = Protocol::Parley { own: own.clone(), peer: own, background: true };
        Self::open(connector, run, index, (size, large), account, protocol).await
    }

    async fn open(
        connector: &Connector,
        run: &Arc<Run>,
        index: usize,
        (size, large): (usize, Large),
        account: &Account,
        protocol: Protocol,
    ) -> anyhow::Result<Self> {
        let visibility = match protocol {
            Protocol::Parley { background: true, .. } => Visibility::Background,
            _ => Visibility::Foreground,
        };
        let link = connector.open().await?;
        let opened = session::welcome(link, account.token(0)?, 0, visibility).await?;
        let mut session = opened.session;
        let (entries, _) = session.rest_of_feed(opened.changes).await?;
        for entry in entries {
            session.catch_up(&entry).await?;
        }
        let run = Arc::clone(run);
        Ok(Self::new(session.link, run, index, size, large, protocol, opened.heartbeat))
    }

    /// Makes a group of this user and `others`; what is sent goes there.
    ///
    /// # Errors
    /// When the server refuses it.
    pub(crate) async fn create_group(mut self, others: &[Account]) -> anyhow::Result<Self> {
        let members: Vec<Bytes> =
            others.iter().map(Account::user).collect::<anyhow::Result<_>>()?;
        self.outgoing.set_recipients(members.len() as u64);
        let id = self.run.id.to_be_bytes().to_vec().into();
        let mut session = Session { link: self.link, aside: Vec::new() };
        let sent = session.create_group(id, members).await?;
        self.link = session.link;
        self.conversation = Some(sent.conversation);
        Ok(self)
    }

    /// Sends nothing, as `user` in a group of `members`, and measures how far apart the
    /// recipients of a message are.
    pub(crate) fn receive_only(&mut self, members: usize, user: UserId, spreads: Arc<Spreads>) {
        let every = Duration::from_millis(delivered_every_ms(members, user));
        self.acknowledging.set_every(every);
        self.incoming.set_spreads(spreads);
    }

    /// Acknowledges nothing from now on.
    pub(crate) const fn send_no_receipts(&mut self) {
        self.acknowledging.disable();
    }

    /// Connects to the bare relay.
    ///
    /// # Errors
    /// When the connection is refused.
    pub(crate) async fn relay(
        connector: &Connector,
        run: &Arc<Run>,
        index: usize,
        size: usize,
    ) -> anyhow::Result<Self> {
        let mut link = connector.open().await?;
        link.send(&mut vec![protocol::relay_hello(u32::try_from(index)?)]).await?;
        let never = Duration::from_secs(3600);
        let large = Large { share: 0.0, size };
        Ok(Self::new(link, Arc::clone(run), index, size, large, Protocol::Relay, never))
    }

    fn new(
        link: Link,
        run: Arc<Run>,
        index: usize,
        size: usize,
        large: Large,
        protocol: Protocol,
        heartbeat: Duration,
    ) -> Self {
        Self {
            index,
            run,
            link,
            protocol,
            heartbeat,
            conversation: None,
            outgoing: Outgoing::new(size, large),
            incoming: Incoming::new(large),
            acknowledging: Acknowledging::new(ACKNOWLEDGE_EVERY),
            out: Vec::new(),
            samples: Samples::default(),
            settled: false,
        }
    }

    /// How often the server wants to hear from us.
    pub(crate) const fn heartbeat(&self) -> Duration {
        self.heartbeat
    }

    async fn run_phases(
        &mut self,
        source: &mut Source,
        phase: watch::Receiver<Phase>,
    ) -> anyhow::Result<()> {
        // Heartbeats of many connections must not come together.
        let first = Instant::now() + self.heartbeat.mul_f64(fastrand::f64());
        let mut heartbeat = tokio::time::interval_at(first, self.heartbeat);
        let spacing = tokio::time::sleep(Duration::ZERO);
        tokio::pin!(spacing);
        // Kept over the rounds: to begin waiting anew costs more than a round.
        let mut now = *phase.borrow();
        let mut changed = Box::pin(next(phase));
        let (mut envelopes, mut events, mut due) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            let wants_spacing = self.acknowledging.is_wanted();
            tokio::select! {
                received = self.link.receive(&mut envelopes) => {
                    received?;
                    let now_ns = self.run.now_ns();
                    for envelope in envelopes.drain(..) {
                        self.protocol.read(envelope, &mut events)?;
                    }
                    for event in events.drain(..) {
                        self.handle(event, now_ns)?;
                    }
                }
                count = take(source, &mut due) => {
                    if count == 0 {
                        *source = Source::Silent;
                    }
                }
                () = &mut spacing, if wants_spacing => {}
                _ = heartbeat.tick() => self.out.extend(self.protocol.ping()),
                phase = &mut changed => {
                    let phase = phase?;
                    now = *phase.borrow();
                    changed = Box::pin(next(phase));
                }
            }
            if now == Phase::Ended {
                return Ok(());
            }
            self.send_due(source, &mut due, now);
            if self.acknowledge(now) {
                spacing.as_mut().reset(Instant::now() + self.acknowledging.every());
            }
            self.flush().await?;
            if now == Phase::Settling {
                self.settle();
            }
        }
    }

    /// Queues what is to be sent now.
    fn send_due(&mut self, source: &Source, due: &mut Vec<u64>, phase: Phase) {
        for intended_ns in due.drain(..) {
            self.push(intended_ns);
        }
        if let (Source::Window(window), Phase::Sending) = (source, phase) {
            // The first message makes the conversation known.
            let first = self.outgoing.is_fresh() || self.needs_conversation();
            for _ in 0..self.outgoing.room(if first { 1 } else { *window }) {
                self.push(self.run.now_ns());
            }
        }
    }

    fn needs_conversation(&self) -> bool {
        matches!(self.protocol, Protocol::Parley { .. }) && self.conversation.is_none()
    }

    fn push(&mut self, intended_ns: u64) {
        let (number, size) = self.outgoing.next(intended_ns);
        let mark = Mark { run: self.run.id, number, intended_ns };
        self.out.push(self.protocol.message(mark, size, self.conversation.as_ref()));
    }

    /// Queues an acknowledgement when one is due; returns whether it did.
    fn acknowledge(&mut self, phase: Phase) -> bool {
        let settling = phase == Phase::Settling;
        let Some(conversation) = &self.conversation else { return false };
        if !self.acknowledging.begin(settling) {
            return false;
        }
        // At the end own ones too, so that the next run has nothing to catch up.
        let up_to = if settling { self.incoming.highest() } else { self.acknowledging.wanted() };
        self.out.extend(self.protocol.delivered(conversation, up_to));
        true
    }

    async fn flush(&mut self) -> anyhow::Result<()> {
        if !self.out.is_empty() {
            self.link.send(&mut self.out).await?;
            let written = self.outgoing.note_written(self.run.now_ns(), &mut self.samples.late);
            self.run.written.fetch_add(written, Ordering::Relaxed);
        }
        self.run.record(self.index, &mut self.samples);
        Ok(())
    }

    fn handle(&mut self, event: Event, now_ns: u64) -> anyhow::Result<()> {
        match event {
            Event::Sent { number, seq, conversation } => {
                self.know(&conversation);
                self.incoming.note_own(seq);
                if let Some(message) = self.outgoing.handle_sent(number, seq) {
                    if !message.large {
                        let latency = now_ns.saturating_sub(message.intended_ns);
                        self.samples.sent.push((message.intended_ns, latency));
                    }
                    self.run.count_acknowledged(now_ns, self.outgoing.recipients());
                }
            }
            Event::Message { mark: Some(mark), bytes, seq, conversation }
                if mark.run == self.run.id =>
            {
                self.know(&conversation);
                if self.incoming.take(mark, bytes, seq, now_ns, &mut self.samples) {
                    self.run.count_delivered(now_ns);
                }
                self.acknowledging.want(seq);
            }
            Event::Message { .. } => {}
            Event::Receipt { delivered } => {
                self.run.count_receipt(now_ns);
                self.outgoing.handle_receipt(delivered);
            }
            Event::Moved { delivered } => self.acknowledging.confirm(delivered),
            Event::Failure { request, code } if request >= FIRST_SEND => {
                if self.outgoing.handle_refused(request - FIRST_SEND) {
                    self.run.refused.fetch_add(1, Ordering::Relaxed);
                }
                if !pushes_back(code) {
                    bail!("a send failed with {}", name(code));
                }
            }
            // Repeated with the next one.
            Event::Failure { request: ACKNOWLEDGE, code } if pushes_back(code) => {
                self.acknowledging.refuse();
            }
            Event::Failure { code, .. } => bail!("a request failed with {}", name(code)),
            Event::Close { code } => bail!("the server closed with {}", name(code)),
        }
        Ok(())
    }

    fn know(&mut self, conversation: &Bytes) {
        if self.conversation.is_none() && !conversation.is_empty() {
            // Not a part of the buffer it came in, which would be kept with it.
            self.conversation = Some(Bytes::copy_from_slice(conversation));
        }
    }

    fn settle(&mut self) {
        let complete = !self.acknowledging.is_enabled()
            || self.acknowledging.is_complete() && self.outgoing.has_receipt();
        if complete && !self.settled {
            self.settled = true;
            self.run.settled.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Actor for User {
    type Outcome = Outcome;

    fn sends(&self) -> bool {
        !self.incoming.is_all()
    }

    async fn run(mut self, mut source: Source, phase: watch::Receiver<Phase>) -> Outcome {
        let broke = match self.run_phases(&mut source, phase).await {
            Ok(()) => None,
            Err(error) => Some(format!("{error:#}")),
        };
        self.run.record(self.index, &mut self.samples);
        if broke.is_none() {
            self.out.push(protocol::request(0, ClientKind::Goodbye(wire::Goodbye {})));
            if matches!(self.protocol, Protocol::Parley { .. }) {
                let _ = self.link.send(&mut self.out).await;
            }
            self.link.close().await;
        }
        let receipts = self.acknowledging.is_enabled();
        let without_receipt = receipts && !self.outgoing.has_receipt();
        let (received, gaps) = self.incoming.into_log();
        Outcome { sent: self.outgoing.into_log(), received, gaps, without_receipt, broke }
    }
}

/// Only being pushed back is part of a measurement.
pub(crate) fn pushes_back(code: u32) -> bool {
    matches!(
        Code::from_number(code),
        Some(Code::Overloaded | Code::TooManyRequests | Code::RateLimited)
    )
}

/// Waits for the next phase.
async fn next(mut phase: watch::Receiver<Phase>) -> anyhow::Result<watch::Receiver<Phase>> {
    phase.changed().await.context("the run was given up")?;
    Ok(phase)
}

/// Waits for due times; 0 when there will be none any more.
pub(crate) async fn take(source: &mut Source, due: &mut Vec<u64>) -> usize {
    match source {
        Source::Schedule(queue) => queue.recv_many(due, TAKE).await,
        Source::Window(_) | Source::Silent => std::future::pending().await,
    }
}
