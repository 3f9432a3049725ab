//! One user on one connection: sends, takes, acknowledges as a client does.
//!
//! A [`Player`] is opened (Hello, and what an earlier run left is caught up), then run as a task
//! through the phases of the whole run. Acknowledgements are cumulative, at
//! most one on its way and at most every 100 ms, as the SDK has it. The pair's two
//! players meet again in the audit.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use parley_protocol::wire::client_envelope::Kind as Ask;
use parley_protocol::wire::server_envelope::Kind as Say;
use parley_protocol::wire::{self, fetch};
use parley_protocol::{Code, version};
use prost::Message as _;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::accounts::Account;
use crate::audit::{Heard, Said, Seqs};
use crate::dialect::{self, Dialect, Event, FIRST_SEND, Mark};
use crate::link::Link;
use crate::net::Connector;
use crate::run::{Run, Samples};

/// Least time between two acknowledgements, as in the SDK.
const ACKNOWLEDGE_EVERY: Duration = Duration::from_millis(100);

/// Messages taken from the schedule at once; more make the write larger, not later.
const TAKE: usize = 64;

/// Where the run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Connections are being opened.
    Waiting,
    /// Messages are sent.
    Sending,
    /// Nothing new is sent; what is on its way arrives.
    Draining,
    /// The last acknowledgements.
    Settling,
    /// Goodbye.
    Ended,
}

/// What makes this player send.
pub(crate) enum Source {
    /// Times that the pacer gives.
    Schedule(mpsc::Receiver<u64>),
    /// As many as this may wait for their `Sent`.
    Window(usize),
    /// Nothing.
    Silent,
}

/// One user on an open connection.
pub(crate) struct Player {
    index: usize,
    size: usize,
    run: Arc<Run>,
    link: Link,
    dialect: Dialect,
    heartbeat: Duration,
    conversation: Option<Bytes>,
    said: Said,
    /// Messages written: numbers below this.
    written: u64,
    heard: Heard,
    seqs: Seqs,
    /// Sent without an answer: number and intended time, in order.
    waiting: VecDeque<(u64, u64)>,
    out: Vec<Bytes>,
    samples: Samples,
    /// The highest seq of the peer's.
    wanted: u64,
    confirmed: u64,
    acknowledging: bool,
    acknowledged_at: Option<Instant>,
    /// The highest own seq, and how far the peer says it holds.
    own_seq: u64,
    receipt: u64,
    settled: bool,
    /// Acknowledges nothing.
    quiet: bool,
}

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

impl Player {
    /// Connects to Parley as `account`, to talk to `peer`.
    ///
    /// # Errors
    /// When the connection or the session is refused.
    pub(crate) async fn parley(
        connector: &Connector,
        run: &Arc<Run>,
        index: usize,
        size: usize,
        account: &Account,
        peer: &Account,
    ) -> anyhow::Result<Self> {
        let dialect = Dialect::Parley { own: account.user()?, peer: peer.user()? };
        let mut link = connector.open().await?;
        let hello = wire::Hello {
            version_min: version::OLDEST,
            version_max: version::NEWEST,
            token: account.token()?,
            client_name: "parley-bench".to_owned(),
            client_version: env!("CARGO_PKG_VERSION").to_owned(),
            features: vec![wire::Feature::Receipts as i32],
            feed_position: 0,
            background: false,
        };
        let Say::Welcome(welcome) = call(&mut link, Ask::Hello(hello)).await? else {
            bail!("no Welcome (are the users of --tokens from another data folder?)");
        };
        for entry in welcome.changes.map(|changes| changes.entries).unwrap_or_default() {
            catch_up(&mut link, &entry).await?;
        }
        let heartbeat = Duration::from_millis(u64::from(welcome.heartbeat_ms.max(100)));
        Ok(Self::new(link, Arc::clone(run), index, size, dialect, heartbeat))
    }

    /// Makes a group of this user and `others`; what is sent goes there.
    ///
    /// # Errors
    /// When the server refuses it.
    pub(crate) async fn found_group(&mut self, others: &[Account]) -> anyhow::Result<()> {
        let info = wire::GroupInfo { title: "Load".to_owned(), ..wire::GroupInfo::default() };
        let members = others.iter().map(Account::user).collect::<anyhow::Result<_>>()?;
        let body = wire::GroupCreated { info: Some(info), settings: None, members };
        let send = wire::Send {
            to: Some(wire::send::To::NewGroup(true)),
            client_message_id: self.run.id.to_be_bytes().to_vec().into(),
            kind: wire::EntryKind::GroupCreated as u32,
            body: body.encode_to_vec().into(),
        };
        let Say::Sent(sent) = call(&mut self.link, Ask::Send(send)).await? else {
            bail!("no Sent");
        };
        self.conversation = Some(sent.conversation);
        Ok(())
    }

    /// Acknowledges nothing from now on.
    pub(crate) const fn stay_quiet(&mut self) {
        self.quiet = true;
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
        link.send(&mut vec![dialect::relay_hello(u32::try_from(index)?)]).await?;
        let never = Duration::from_secs(3600);
        Ok(Self::new(link, Arc::clone(run), index, size, Dialect::Relay, never))
    }

    fn new(
        link: Link,
        run: Arc<Run>,
        index: usize,
        size: usize,
        dialect: Dialect,
        heartbeat: Duration,
    ) -> Self {
        Self {
            index,
            size: size.max(dialect::LEAST_BYTES),
            run,
            link,
            dialect,
            heartbeat,
            conversation: None,
            said: Said::default(),
            written: 0,
            heard: Heard::default(),
            seqs: Seqs::default(),
            waiting: VecDeque::new(),
            out: Vec::new(),
            samples: Samples::default(),
            wanted: 0,
            confirmed: 0,
            acknowledging: false,
            acknowledged_at: None,
            own_seq: 0,
            receipt: 0,
            settled: false,
            quiet: false,
        }
    }

    /// How often the server wants to hear from us.
    pub(crate) const fn heartbeat(&self) -> Duration {
        self.heartbeat
    }

    /// Plays until the phase is [`Phase::Ended`] or the connection breaks.
    pub(crate) async fn play(
        mut self,
        mut source: Source,
        mut phase: watch::Receiver<Phase>,
    ) -> Outcome {
        let broke = match self.rounds(&mut source, &mut phase).await {
            Ok(()) => None,
            Err(error) => Some(format!("{error:#}")),
        };
        self.run.record(self.index, &mut self.samples);
        self.said.not_acknowledged.extend(self.waiting.iter().map(|(number, _)| *number));
        if broke.is_none() {
            self.out.push(dialect::ask(0, Ask::Goodbye(wire::Goodbye {})));
            if matches!(self.dialect, Dialect::Parley { .. }) {
                let _ = self.link.send(&mut self.out).await;
            }
            self.link.close().await;
        }
        Outcome {
            gaps: self.seqs.gaps(),
            without_receipt: !self.quiet && self.receipt < self.own_seq,
            said: self.said,
            heard: self.heard,
            broke,
        }
    }

    async fn rounds(
        &mut self,
        source: &mut Source,
        phase: &mut watch::Receiver<Phase>,
    ) -> anyhow::Result<()> {
        // Heartbeats of many connections must not come together.
        let first = Instant::now() + self.heartbeat.mul_f64(fastrand::f64());
        let mut heartbeat = tokio::time::interval_at(first, self.heartbeat);
        let spacing = tokio::time::sleep(Duration::ZERO);
        tokio::pin!(spacing);
        let (mut envelopes, mut events, mut due) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            let wants_spacing = self.wanted > self.confirmed && !self.acknowledging;
            tokio::select! {
                received = self.link.receive(&mut envelopes) => {
                    received?;
                    let now_ns = self.run.now_ns();
                    for envelope in envelopes.drain(..) {
                        self.dialect.read(envelope, &mut events)?;
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
                _ = heartbeat.tick() => self.out.extend(self.dialect.ping()),
                changed = phase.changed() => changed.context("the run was given up")?,
            }
            let now = *phase.borrow();
            if now == Phase::Ended {
                return Ok(());
            }
            self.say(source, &mut due, now);
            if self.acknowledge(now) {
                spacing.as_mut().reset(Instant::now() + ACKNOWLEDGE_EVERY);
            }
            self.flush().await?;
            if now == Phase::Settling {
                self.settle();
            }
        }
    }

    /// Queues what is to be said now.
    fn say(&mut self, source: &Source, due: &mut Vec<u64>, phase: Phase) {
        for intended_ns in due.drain(..) {
            self.push(intended_ns);
        }
        if let (Source::Window(window), Phase::Sending) = (source, phase) {
            // The first message makes the conversation known.
            let window = if self.said.next == 0 || self.needs_conversation() { 1 } else { *window };
            while self.waiting.len() < window {
                self.push(self.run.now_ns());
            }
        }
    }

    fn needs_conversation(&self) -> bool {
        matches!(self.dialect, Dialect::Parley { .. }) && self.conversation.is_none()
    }

    fn push(&mut self, intended_ns: u64) {
        let mark = Mark { run: self.run.id, number: self.said.next, intended_ns };
        self.out.push(self.dialect.message(mark, self.size, self.conversation.as_ref()));
        self.waiting.push_back((mark.number, intended_ns));
        self.said.next += 1;
    }

    /// Queues an acknowledgement when one is due; says whether it did.
    fn acknowledge(&mut self, phase: Phase) -> bool {
        let settling = matches!(phase, Phase::Settling);
        if self.quiet || self.acknowledging || self.wanted <= self.confirmed {
            return false;
        }
        let early = self.acknowledged_at.is_some_and(|at| at.elapsed() < ACKNOWLEDGE_EVERY);
        let Some(conversation) = self.conversation.as_ref().filter(|_| settling || !early) else {
            return false;
        };
        // At the end own ones too, so that the next run has nothing to catch up.
        let up_to = if settling { self.seqs.highest() } else { self.wanted };
        self.out.extend(self.dialect.delivered(conversation, up_to));
        self.acknowledging = true;
        self.acknowledged_at = Some(Instant::now());
        true
    }

    async fn flush(&mut self) -> anyhow::Result<()> {
        if !self.out.is_empty() {
            self.link.send(&mut self.out).await?;
            let now_ns = self.run.now_ns();
            // What this write carried is at the end of the queue.
            let fresh = self.waiting.iter().rev().take_while(|(number, _)| *number >= self.written);
            let late = fresh.map(|(_, intended)| (*intended, now_ns.saturating_sub(*intended)));
            self.samples.late.extend(late);
            self.run.written.fetch_add(self.said.next - self.written, Ordering::Relaxed);
            self.written = self.said.next;
        }
        self.run.record(self.index, &mut self.samples);
        Ok(())
    }

    fn handle(&mut self, event: Event, now_ns: u64) -> anyhow::Result<()> {
        match event {
            Event::Sent { number, seq, conversation } => {
                self.know(&conversation);
                self.seqs.take(seq);
                self.own_seq = self.own_seq.max(seq);
                if let Some(intended_ns) = self.answered(number) {
                    let latency = now_ns.saturating_sub(intended_ns);
                    self.samples.sent.push((intended_ns, latency));
                    self.run.acknowledged.fetch_add(1, Ordering::Relaxed);
                    if self.run.measures(now_ns) {
                        self.run.window_acknowledged.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
            Event::Message { mark: Some(mark), seq, conversation } if mark.run == self.run.id => {
                self.know(&conversation);
                let before = self.heard.count;
                self.heard.take(mark.number, seq);
                if self.heard.count > before {
                    self.seqs.take(seq);
                    let latency = now_ns.saturating_sub(mark.intended_ns);
                    self.samples.delivery.push((mark.intended_ns, latency));
                    self.run.delivered.fetch_add(1, Ordering::Relaxed);
                    if self.run.measures(now_ns) {
                        self.run.window_delivered.fetch_add(1, Ordering::Relaxed);
                    }
                }
                self.wanted = self.wanted.max(seq);
            }
            Event::Message { .. } => {}
            Event::Receipt { delivered } => self.receipt = self.receipt.max(delivered),
            Event::Moved { delivered } => {
                self.acknowledging = false;
                self.confirmed = self.confirmed.max(delivered);
            }
            Event::Failure { request, code } if request >= FIRST_SEND => {
                if self.answered(request - FIRST_SEND).is_some() {
                    self.said.not_acknowledged.insert(request - FIRST_SEND);
                    self.run.refused.fetch_add(1, Ordering::Relaxed);
                }
                // Only being pushed back is part of a measurement.
                if !matches!(
                    Code::from_number(code),
                    Some(Code::Overloaded | Code::TooManyRequests | Code::RateLimited)
                ) {
                    bail!("a send failed with {}", name(code));
                }
            }
            Event::Failure { code, .. } => bail!("a request failed with {}", name(code)),
            Event::Close { code } => bail!("the server closed with {}", name(code)),
        }
        Ok(())
    }

    fn know(&mut self, conversation: &Bytes) {
        if self.conversation.is_none() && !conversation.is_empty() {
            self.conversation = Some(conversation.clone());
        }
    }

    /// Takes `number` off those without an answer; gives its intended time.
    fn answered(&mut self, number: u64) -> Option<u64> {
        let at = self.waiting.iter().position(|(waiting, _)| *waiting == number)?;
        self.waiting.remove(at).map(|(_, intended_ns)| intended_ns)
    }

    fn settle(&mut self) {
        let complete =
            self.quiet || (self.wanted <= self.confirmed && self.own_seq <= self.receipt);
        if complete && !self.settled {
            self.settled = true;
            self.run.settled.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Waits for due times; 0 when there will be none any more.
async fn take(source: &mut Source, due: &mut Vec<u64>) -> usize {
    match source {
        Source::Schedule(queue) => queue.recv_many(due, TAKE).await,
        Source::Window(_) | Source::Silent => std::future::pending().await,
    }
}

/// One request before the run; what the server says by itself meanwhile is passed over.
async fn call(link: &mut Link, kind: Ask) -> anyhow::Result<Say> {
    const REQUEST: u64 = 3;
    link.send(&mut vec![dialect::ask(REQUEST, kind)]).await?;
    loop {
        let mut answers = Vec::new();
        link.receive(&mut answers).await?;
        for answer in answers {
            match wire::ServerEnvelope::decode(answer)? {
                wire::ServerEnvelope { kind: Some(Say::Close(close)), .. } => {
                    bail!("the server closed with {}", name(close.code));
                }
                wire::ServerEnvelope { request: REQUEST, kind: Some(Say::Failure(failure)) } => {
                    bail!("a request failed with {}", name(failure.code));
                }
                wire::ServerEnvelope { request: REQUEST, kind: Some(answer) } => return Ok(answer),
                _ => {}
            }
        }
    }
}

/// Takes and acknowledges what an earlier run left behind.
async fn catch_up(link: &mut Link, entry: &wire::FeedEntry) -> anyhow::Result<()> {
    let mut held = entry.delivered;
    while held < entry.last_seq {
        let fetch = wire::Fetch {
            conversation: entry.conversation.clone(),
            from: Some(fetch::From::AfterSeq(held)),
            limit: 0,
        };
        let Say::Fetched(page) = call(link, Ask::Fetch(fetch)).await? else {
            bail!("no Fetched");
        };
        let last = page.entries.last().cloned().context("an empty page")?;
        held = wire::Entry::decode(last)?.seq;
    }
    if held > entry.delivered {
        let delivered = wire::Delivered { conversation: entry.conversation.clone(), up_to: held };
        call(link, Ask::Delivered(delivered)).await?;
    }
    Ok(())
}

fn name(code: u32) -> String {
    Code::from_number(code).map_or_else(|| code.to_string(), |code| code.name().to_owned())
}
