//! One user of another server: sends, receives and acknowledges as `crate::user` does with
//! Parley, and hands over the same samples and the same account for the audit.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context as _;
use bytes::BytesMut;
use tokio::sync::watch;
use tokio::time::Instant;

use super::{Event, Peer, Stream};
use crate::driver::{Actor, Phase, Source};
use crate::measure::audit::{ReceivedLog, SentLog};
use crate::measure::run::{Run, Samples};
use crate::net::protocol::Mark;
use crate::user::{self, Outcome};

/// Least time between two acknowledgements, as with Parley.
const ACKNOWLEDGE_EVERY: Duration = Duration::from_millis(100);

/// One user on an open session.
pub(super) struct PeerUser<P> {
    run: Arc<Run>,
    index: usize,
    size: usize,
    stream: Stream,
    peer: P,
    sent: SentLog,
    /// Messages written: numbers below this.
    written: u64,
    /// Sent without an acknowledgement: number and intended time, in order.
    waiting: VecDeque<(u64, u64)>,
    received: ReceivedLog,
    out: BytesMut,
    samples: Samples,
    settled: bool,
}

impl<P: Peer> PeerUser<P> {
    pub(super) fn new(run: Arc<Run>, index: usize, size: usize, stream: Stream, peer: P) -> Self {
        Self {
            run,
            index,
            size,
            stream,
            peer,
            sent: SentLog::default(),
            written: 0,
            waiting: VecDeque::new(),
            received: ReceivedLog::default(),
            out: BytesMut::new(),
            samples: Samples::default(),
            settled: false,
        }
    }

    pub(super) const fn peer(&self) -> &P {
        &self.peer
    }

    async fn run_phases(
        &mut self,
        source: &mut Source,
        phase: &mut watch::Receiver<Phase>,
    ) -> anyhow::Result<()> {
        let spacing = tokio::time::sleep(Duration::ZERO);
        tokio::pin!(spacing);
        let (mut events, mut due) = (Vec::new(), Vec::new());
        // What came with the last answer of the opening is read first.
        self.read(&mut events)?;
        loop {
            let unacknowledged = self.peer.has_unacknowledged();
            tokio::select! {
                more = self.stream.more() => {
                    more?;
                    self.read(&mut events)?;
                }
                count = user::take(source, &mut due) => {
                    if count == 0 {
                        *source = Source::Silent;
                    }
                }
                () = &mut spacing, if unacknowledged => {}
                changed = phase.changed() => changed.context("the run was given up")?,
            }
            let now = *phase.borrow();
            if now == Phase::Ended {
                return Ok(());
            }
            self.send_due(source, &mut due, now);
            if self.peer.has_unacknowledged() && (now == Phase::Settling || spacing.is_elapsed()) {
                self.peer.acknowledge(&mut self.out);
                spacing.as_mut().reset(Instant::now() + ACKNOWLEDGE_EVERY);
            }
            self.flush().await?;
            if now == Phase::Settling && !self.settled {
                self.settled = true;
                self.run.settled.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn read(&mut self, events: &mut Vec<Event>) -> anyhow::Result<()> {
        let read = self.peer.read(&mut self.stream.input, events, &mut self.out);
        let now_ns = self.run.now_ns();
        for event in events.drain(..) {
            match event {
                Event::Sent { number } => self.acknowledged(number, now_ns),
                Event::Message { mark, seq, .. } if mark.run == self.run.id => {
                    let before = self.received.count;
                    self.received.take(mark.number, seq);
                    if self.received.count > before {
                        self.count_delivered(mark.intended_ns, now_ns);
                    }
                }
                Event::Message { .. } => {}
            }
        }
        read
    }

    fn acknowledged(&mut self, number: u64, now_ns: u64) {
        let Some(at) = self.waiting.iter().position(|(waiting, _)| *waiting == number) else {
            return;
        };
        if let Some((_, intended_ns)) = self.waiting.remove(at) {
            self.samples.sent.push((intended_ns, now_ns.saturating_sub(intended_ns)));
            self.run.count_acknowledged(now_ns, 1);
            if !P::DELIVERS {
                self.count_delivered(intended_ns, now_ns);
            }
        }
    }

    fn count_delivered(&mut self, intended_ns: u64, now_ns: u64) {
        self.samples.delivery.push((intended_ns, now_ns.saturating_sub(intended_ns)));
        self.run.count_delivered(now_ns);
    }

    /// Queues what is to be sent now.
    fn send_due(&mut self, source: &Source, due: &mut Vec<u64>, phase: Phase) {
        for intended_ns in due.drain(..) {
            self.push(intended_ns);
        }
        if let (Source::Window(window), Phase::Sending) = (source, phase) {
            while self.waiting.len() < *window {
                self.push(self.run.now_ns());
            }
        }
    }

    fn push(&mut self, intended_ns: u64) {
        let number = self.sent.next;
        let mark = Mark { run: self.run.id, number, intended_ns };
        self.peer.write_message(mark, self.size, &mut self.out);
        self.waiting.push_back((number, intended_ns));
        self.sent.next += 1;
    }

    async fn flush(&mut self) -> anyhow::Result<()> {
        if !self.out.is_empty() {
            self.stream.write(&self.out).await?;
            self.out.clear();
            let now_ns = self.run.now_ns();
            let written = self.written;
            let fresh = self.waiting.iter().rev().take_while(|(number, _)| *number >= written);
            let late = fresh.map(|(_, intended)| (*intended, now_ns.saturating_sub(*intended)));
            self.samples.late.extend(late);
            self.run.written.fetch_add(self.sent.next - self.written, Ordering::Relaxed);
            self.written = self.sent.next;
        }
        self.run.record(self.index, &mut self.samples);
        Ok(())
    }
}

impl<P: Peer> Actor for PeerUser<P> {
    type Outcome = Outcome;

    fn sends(&self) -> bool {
        true
    }

    async fn run(mut self, mut source: Source, mut phase: watch::Receiver<Phase>) -> Outcome {
        let mut broke = self.run_phases(&mut source, &mut phase).await.err();
        self.run.record(self.index, &mut self.samples);
        self.sent.not_acknowledged.extend(self.waiting.iter().map(|(number, _)| *number));
        if broke.is_none() && !P::DELIVERS {
            match self.peer.read_back(self.stream).await {
                Ok(numbers) => {
                    for number in numbers {
                        self.received.take(number, 0);
                    }
                }
                Err(error) => broke = Some(error.context("reading back")),
            }
        }
        Outcome {
            gaps: 0,
            without_receipt: false,
            sent: self.sent,
            received: self.received,
            broke: broke.map(|error| format!("{error:#}")),
        }
    }
}
