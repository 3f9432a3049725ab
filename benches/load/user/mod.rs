//! One user on one connection: sends, takes, acknowledges as a client does.
//!
//! A [`Player`] is opened (Hello, and what an earlier run left is caught up), then run as a task
//! through the phases of the whole run. Acknowledgements are cumulative, at
//! most one on its way and as often as the SDK says them. The pair's two
//! players meet again in the audit.

mod outcome;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use parley_protocol::cursors::delivered_every_ms;
use parley_protocol::wire::client_envelope::Kind as Ask;
use parley_protocol::{Code, UserId, wire};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::args::LoadArgs;
use crate::driver::{Actor, Phase, Source};
use crate::measure::audit::{Heard, Said, Seqs};
use crate::measure::run::{Run, Samples};
use crate::measure::spread::Spreads;
use crate::net::Connector;
use crate::net::accounts::Account;
use crate::net::link::Link;
use crate::net::protocol::{self, ACKNOWLEDGE, Dialect, Event, FIRST_SEND, Mark};
use crate::net::session::{self, Ground, Session, name};
pub(crate) use outcome::{Outcome, conclude, conclude_pairs};

/// Messages taken from the schedule at once; more make the write larger, not later.
const TAKE: usize = 64;

/// One user on an open connection.
pub(crate) struct Player {
    index: usize,
    size: usize,
    large: Large,
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
    /// Sent without an answer, in order.
    waiting: VecDeque<Waiting>,
    out: Vec<Bytes>,
    samples: Samples,
    /// The highest seq of the peer's.
    wanted: u64,
    confirmed: u64,
    acknowledging: bool,
    acknowledged_at: Option<Instant>,
    /// Least time between two acknowledgements, as in the SDK.
    acknowledge_every: Duration,
    /// The highest own seq, and how far the peer says it holds.
    own_seq: u64,
    receipt: u64,
    settled: bool,
    /// Acknowledges nothing.
    quiet: bool,
    /// Recipients of one message.
    takers: u64,
    /// Sends nothing; its group's spreads.
    spreads: Option<Arc<Spreads>>,
}

/// A message without an answer.
struct Waiting {
    number: u64,
    intended_ns: u64,
    large: bool,
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

impl Player {
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
        let dialect =
            Dialect::Parley { own: account.user()?, peer: peer.user()?, background: false };
        Self::open(connector, run, index, (load.size, large), account, dialect).await
    }

    /// Connects to Parley as `account`, to say nothing, with the app in the background.
    ///
    /// # Errors
    /// As [`Player::parley`].
    pub(crate) async fn idle(
        connector: &Connector,
        run: &Arc<Run>,
        index: usize,
        account: &Account,
    ) -> anyhow::Result<Self> {
        let size = protocol::LEAST_BYTES;
        let large = Large { share: 0.0, size };
        let own = account.user()?;
        let dialect = Dialect::Parley { own: own.clone(), peer: own, background: true };
        Self::open(connector, run, index, (size, large), account, dialect).await
    }

    async fn open(
        connector: &Connector,
        run: &Arc<Run>,
        index: usize,
        (size, large): (usize, Large),
        account: &Account,
        dialect: Dialect,
    ) -> anyhow::Result<Self> {
        let ground = match dialect {
            Dialect::Parley { background: true, .. } => Ground::Back,
            _ => Ground::Front,
        };
        let link = connector.open().await?;
        let opened = session::welcome(link, account.token(0)?, 0, ground).await?;
        let mut session = opened.session;
        let (entries, _) = session.rest_of_feed(opened.changes).await?;
        for entry in entries {
            session.catch_up(&entry).await?;
        }
        let run = Arc::clone(run);
        Ok(Self::new(session.link, run, index, size, large, dialect, opened.heartbeat))
    }

    /// Makes a group of this user and `others`; what is sent goes there.
    ///
    /// # Errors
    /// When the server refuses it.
    pub(crate) async fn found_group(mut self, others: &[Account]) -> anyhow::Result<Self> {
        let members: Vec<Bytes> =
            others.iter().map(Account::user).collect::<anyhow::Result<_>>()?;
        self.takers = members.len() as u64;
        let id = self.run.id.to_be_bytes().to_vec().into();
        let mut session = Session { link: self.link, aside: Vec::new() };
        let sent = session.create_group(id, members).await?;
        self.link = session.link;
        self.conversation = Some(sent.conversation);
        Ok(self)
    }

    /// Sends nothing, as `user` in a group of `members`, and measures how far apart the
    /// recipients of a message are.
    pub(crate) fn only_take(&mut self, members: usize, user: UserId, spreads: Arc<Spreads>) {
        self.acknowledge_every = Duration::from_millis(delivered_every_ms(members, user));
        self.spreads = Some(spreads);
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
        link.send(&mut vec![protocol::relay_hello(u32::try_from(index)?)]).await?;
        let never = Duration::from_secs(3600);
        let large = Large { share: 0.0, size };
        Ok(Self::new(link, Arc::clone(run), index, size, large, Dialect::Relay, never))
    }

    fn new(
        link: Link,
        run: Arc<Run>,
        index: usize,
        size: usize,
        large: Large,
        dialect: Dialect,
        heartbeat: Duration,
    ) -> Self {
        Self {
            index,
            size: size.max(protocol::LEAST_BYTES),
            large,
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
            acknowledge_every: Duration::from_millis(100),
            own_seq: 0,
            receipt: 0,
            settled: false,
            quiet: false,
            takers: 1,
            spreads: None,
        }
    }

    /// How often the server wants to hear from us.
    pub(crate) const fn heartbeat(&self) -> Duration {
        self.heartbeat
    }

    async fn rounds(
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
            let wants_spacing = self.has_to_acknowledge();
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
                phase = &mut changed => {
                    let phase = phase?;
                    now = *phase.borrow();
                    changed = Box::pin(next(phase));
                }
            }
            if now == Phase::Ended {
                return Ok(());
            }
            self.say(source, &mut due, now);
            if self.acknowledge(now) {
                spacing.as_mut().reset(Instant::now() + self.acknowledge_every);
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
        let number = self.said.next;
        let mark = Mark { run: self.run.id, number, intended_ns };
        let large = self.large.draw();
        let size = if large { self.large.size } else { self.size };
        self.out.push(self.dialect.message(mark, size, self.conversation.as_ref()));
        self.waiting.push_back(Waiting { number, intended_ns, large });
        self.said.next += 1;
    }

    /// Whether there is something to acknowledge and no answer to wait for before. Never for the
    /// quiet: the timer would ring for them again and again.
    const fn has_to_acknowledge(&self) -> bool {
        !self.quiet && !self.acknowledging && self.wanted > self.confirmed
    }

    /// Queues an acknowledgement when one is due; says whether it did.
    fn acknowledge(&mut self, phase: Phase) -> bool {
        let settling = matches!(phase, Phase::Settling);
        if !self.has_to_acknowledge() {
            return false;
        }
        let early = self.acknowledged_at.is_some_and(|at| at.elapsed() < self.acknowledge_every);
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
            let written = self.written;
            let fresh = self.waiting.iter().rev().take_while(|message| message.number >= written);
            let late = fresh
                .map(|message| (message.intended_ns, now_ns.saturating_sub(message.intended_ns)));
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
                if let Some(Waiting { intended_ns, large, .. }) = self.answered(number) {
                    if !large {
                        let latency = now_ns.saturating_sub(intended_ns);
                        self.samples.sent.push((intended_ns, latency));
                    }
                    self.run.count_acknowledged(now_ns, self.takers);
                }
            }
            Event::Message { mark: Some(mark), bytes, seq, conversation }
                if mark.run == self.run.id =>
            {
                self.know(&conversation);
                self.take(mark, bytes, seq, now_ns);
            }
            Event::Message { .. } => {}
            Event::Receipt { delivered } => {
                self.run.count_receipt(now_ns);
                self.receipt = self.receipt.max(delivered);
            }
            Event::Moved { delivered } => {
                self.acknowledging = false;
                self.confirmed = self.confirmed.max(delivered);
            }
            Event::Failure { request, code } if request >= FIRST_SEND => {
                if self.answered(request - FIRST_SEND).is_some() {
                    self.said.not_acknowledged.insert(request - FIRST_SEND);
                    self.run.refused.fetch_add(1, Ordering::Relaxed);
                }
                if !pushes_back(code) {
                    bail!("a send failed with {}", name(code));
                }
            }
            // Said again with the next one.
            Event::Failure { request: ACKNOWLEDGE, code } if pushes_back(code) => {
                self.acknowledging = false;
            }
            Event::Failure { code, .. } => bail!("a request failed with {}", name(code)),
            Event::Close { code } => bail!("the server closed with {}", name(code)),
        }
        Ok(())
    }

    /// Takes a message of this run.
    fn take(&mut self, mark: Mark, bytes: usize, seq: u64, now_ns: u64) {
        let before = self.heard.count;
        self.heard.take(mark.number, seq);
        if self.heard.count > before {
            self.seqs.take(seq);
            let latency = now_ns.saturating_sub(mark.intended_ns);
            let sample = (mark.intended_ns, latency);
            if self.large.share > 0.0 && bytes == self.large.size {
                self.samples.large.push(sample);
            } else {
                self.samples.delivery.push(sample);
            }
            self.run.count_delivered(now_ns);
            if let Some(spreads) = &self.spreads
                && let Some(spread_ns) = spreads.take(mark.number, now_ns)
            {
                self.samples.spread.push((mark.intended_ns, spread_ns));
            }
        }
        self.wanted = self.wanted.max(seq);
    }

    fn know(&mut self, conversation: &Bytes) {
        if self.conversation.is_none() && !conversation.is_empty() {
            // Not a part of the buffer it came in, which would be kept with it.
            self.conversation = Some(Bytes::copy_from_slice(conversation));
        }
    }

    /// Takes `number` off those without an answer.
    fn answered(&mut self, number: u64) -> Option<Waiting> {
        let at = self.waiting.iter().position(|waiting| waiting.number == number)?;
        self.waiting.remove(at)
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

impl Actor for Player {
    type Outcome = Outcome;

    fn sends(&self) -> bool {
        self.spreads.is_none()
    }

    async fn play(mut self, mut source: Source, phase: watch::Receiver<Phase>) -> Outcome {
        let broke = match self.rounds(&mut source, phase).await {
            Ok(()) => None,
            Err(error) => Some(format!("{error:#}")),
        };
        self.run.record(self.index, &mut self.samples);
        self.said.not_acknowledged.extend(self.waiting.iter().map(|waiting| waiting.number));
        if broke.is_none() {
            self.out.push(protocol::ask(0, Ask::Goodbye(wire::Goodbye {})));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_waits_for_the_acknowledgements_of_the_quiet() {
        let run = Arc::new(Run::new().unwrap());
        let large = Large { share: 0.0, size: 100 };
        let never = Duration::from_secs(3600);
        let mut player = Player::new(Link::gone(), run, 0, 100, large, Dialect::Relay, never);
        assert!(!player.has_to_acknowledge());
        player.wanted = 5;
        assert!(player.has_to_acknowledge());
        player.acknowledging = true;
        assert!(!player.has_to_acknowledge());
        player.acknowledging = false;
        player.stay_quiet();
        assert!(!player.has_to_acknowledge());
    }
}
