//! The client without I/O: connection, outbox and sync as one pure machine.
//!
//! It knows no socket, disk, clock, random source or runtime. A driver calls it:
//!
//! 1. Inputs are `handle_*` and `queue`, `abort`, `call`, `drain`, `close`; each
//!    takes a [`Tick`] where time or chance matters.
//! 2. After every input: take [`Machine::take_saves`] and make them durable
//!    where they say so, then [`Machine::poll_output`] until `None`, then
//!    [`Machine::poll_transmit`] until `None` or until the transport is full.
//! 3. Sleep until [`Machine::deadline`], then [`Machine::handle_timeout`].
//!
//! Invariants: entries of a conversation are emitted in order, each once; a
//! send is in the outbox until the server committed or refused it, and goes out
//! with the same id each time; what was not confirmed is said again after a
//! reconnect.
//!
//! Its state is in parts that own it, one to a file: `connect`, `account`,
//! `liveness`, `requests`, `outbox`, `tracking`, `conversations` (with their
//! `schedule`; what one is, is in `conversation`), `names`, `presence`, `calls`,
//! `feed`, `outputs`. The machine routes between them: `commands` from the
//! application, `inbound` (with `changes`, `entries`, `cursors`, `people`,
//! `refusals`, `targets`, `reset`) from the server, `outbound` to it, `time`.

mod account;
mod calls;
mod changes;
mod commands;
mod connect;
mod conversation;
mod conversations;
mod cursors;
mod entries;
mod expiries;
mod feed;
mod inbound;
mod liveness;
mod names;
mod outbound;
mod outbox;
mod outputs;
mod people;
mod presence;
mod refusals;
mod requests;
mod reset;
mod schedule;
mod targets;
mod time;
mod tracking;
mod types;

use std::sync::Arc;

use parley_protocol::ids::{ConversationId, UserId};

pub use connect::Tick;
pub use conversation::{Count, Expiry, Mark, Period, Roster, SavedConversation};
pub use outbox::Item;
pub use types::{Call, CallId, Config, Output, Reply, Save, Saved, SavedAccount, Sizes};

use crate::error::Error;
use crate::model::{Description, State, Transport};
use crate::token::Token;
use account::Account;
use calls::Calls;
use connect::{Connect, Phase, Step};
use conversation::Conversation;
use conversations::Conversations;
use feed::Feed;
use liveness::Liveness;
use names::Names;
use outbox::Outbox;
use outputs::Outputs;
use presence::Presence;
use requests::{Pending, Requests};
use time::Clock;
use tracking::Tracking;

/// Requests of the application without an answer yet, at most.
pub const CALLS: usize = 1_024;

/// The machine. See the module's documentation for how to drive it.
#[derive(Debug)]
pub struct Machine {
    config: Config,
    connect: Connect,
    account: Account,
    liveness: Liveness,
    requests: Requests,
    outbox: Outbox,
    tracking: Tracking,
    conversations: Conversations,
    names: Names,
    presence: Presence,
    calls: Calls,
    feed: Feed,
    outputs: Outputs,
    clock: Clock,
}

impl Machine {
    /// A machine that goes on where `saved` ended. Nothing happens before
    /// [`Machine::start`].
    #[must_use]
    pub fn new(config: Config, saved: Saved) -> Self {
        let mut machine = Self {
            connect: Connect::new(config.backoff, config.has_token, config.can_sign_in),
            account: Account::new(saved.account),
            liveness: Liveness::new(),
            requests: Requests::new(),
            outbox: Outbox::new(saved.last_local_id),
            tracking: Tracking::default(),
            conversations: Conversations::new(saved.conversations, config.keeps),
            names: Names::default(),
            presence: Presence::default(),
            calls: Calls::default(),
            feed: Feed::new(saved.feed_position),
            outputs: Outputs::new(config.keeps),
            clock: Clock::default(),
            config,
        };
        machine.learn_peers();
        let mut outbox = saved.outbox;
        outbox.sort_by_key(|item| item.local_id);
        for item in outbox {
            machine.push(item);
        }
        machine
    }

    /// Begins to connect.
    pub fn start(&mut self) {
        if matches!(self.connect.phase(), Phase::Idle) {
            let step = self.connect.start();
            self.apply_step(step, 0);
        }
    }

    /// Takes the token for the next `Hello`; after [`Output::SignIn`] it goes on.
    pub fn handle_token(&mut self, token: Token) {
        let step = self.connect.handle_token(token);
        self.apply_step(step, 0);
    }

    /// The transport is open.
    pub fn handle_connected(&mut self, tick: Tick, transport: Transport) {
        self.connect.handle_connected(tick.now_ms, transport);
        self.liveness.handle_heard(tick.now_ms);
        self.report_state(tick.now_ms);
    }

    /// A sign-in or a dial failed, or the transport ended.
    pub fn handle_failure(&mut self, tick: Tick, error: Error) {
        self.end_session();
        let step = self.connect.handle_failure(tick, error);
        self.apply_step(step, tick.now_ms);
    }

    /// The user that is signed in, as far as known.
    #[must_use]
    pub fn me(&self) -> Option<UserId> {
        self.account.me()
    }

    /// Whether the transport that was opened is still wanted.
    #[must_use]
    pub fn wants_transport(&self) -> bool {
        self.connect.is_ready() || self.connect.is_handshaking()
    }

    /// What this device knows of a conversation's members and cursors.
    #[must_use]
    pub fn description(&self, conversation: ConversationId) -> Option<Description> {
        self.conversations.get(conversation)?.description()
    }

    /// How much the machine holds.
    #[must_use]
    pub fn sizes(&self) -> Sizes {
        let (names, requested_names) = self.names.sizes();
        let (typing, notices) = self.presence.sizes();
        Sizes {
            conversations: self.conversations.iter().count(),
            names,
            requested_names,
            typing,
            notices,
            calls: self.calls.len(),
        }
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.poll()
    }

    /// What changed since the last call and has to be kept.
    pub fn take_saves(&mut self) -> Vec<Save> {
        self.outputs.take_saves(self.conversations.take_unsaved())
    }

    /// Forgets what belonged to one connection.
    fn end_session(&mut self) {
        self.connect.end_session();
        self.liveness.end_session();
        self.feed.end_session();
        self.names.end_session();
        self.presence.end_session();
        self.outbox.end_session();
        for pending in self.requests.drain() {
            // What the application waits for is asked again.
            if let Pending::Call(call) = pending {
                self.calls.enqueue(call);
            }
        }
        let had_session = self.account.end_session();
        self.conversations.end_session(had_session);
    }

    fn apply_step(&mut self, step: Step, now_ms: u64) {
        match step {
            Step::Nothing => return,
            Step::SignIn => {
                self.outputs.push(Output::Hangup);
                self.outputs.push(Output::SignIn);
            }
            Step::Dial => self.outputs.push(Output::Dial),
            Step::Wait => self.outputs.push(Output::Hangup),
            Step::Redial => {
                self.end_session();
                self.outputs.push(Output::Hangup);
                self.outputs.push(Output::Dial);
            }
            Step::Close => {
                self.end_session();
                self.outputs.push(Output::Hangup);
                self.end_calls();
            }
        }
        self.report_state(now_ms);
        self.finish_input(now_ms);
    }

    /// The client is closed: answers all calls and the drain.
    fn end_calls(&mut self) {
        let error = match self.connect.phase() {
            Phase::Closed(Some(error)) => error.clone(),
            _ => Error::closed(),
        };
        for call in self.calls.drain() {
            self.outputs.reply(call, Err(error.clone()));
        }
        if let Some(left) = self.outbox.end_drain() {
            self.outputs.push(Output::Drained(left));
        }
    }

    fn report_state(&mut self, now_ms: u64) {
        let state = match self.connect.phase() {
            Phase::Closed(error) => State::Closed(error.clone()),
            _ if self.outbox.is_draining() => State::Draining,
            Phase::Idle => State::Idle,
            Phase::SigningIn => State::SigningIn,
            Phase::Connecting => State::Connecting,
            Phase::Handshaking { .. } => State::Handshaking,
            Phase::Ready { .. } => match self.account.session() {
                Some(session) => State::Ready(Arc::clone(session)),
                None => State::Handshaking,
            },
            Phase::Waiting { until_ms, error } => State::Waiting {
                retry_in: std::time::Duration::from_millis(until_ms.saturating_sub(now_ms)),
                error: error.clone(),
            },
        };
        self.outputs.push(Output::State(state));
    }

    /// At the end of an input: one event for each line that changed, and what
    /// became possible by it.
    fn finish_input(&mut self, now_ms: u64) {
        for line in self.conversations.take_changed(self.me()) {
            self.outputs.emit(crate::model::Event::Conversation(line));
        }
        self.feed.schedule_resync(now_ms);
        self.reply_lists();
        self.finish_drain(now_ms);
    }

    fn finish_drain(&mut self, now_ms: u64) {
        let Some(until_ms) = self.outbox.drain_until_ms() else { return };
        if self.connect.is_closed() {
            return;
        }
        let quiet = self.outbox.is_empty() && !self.conversations.have_pending_cursors();
        if quiet || now_ms >= until_ms {
            let step = self.connect.close(None);
            self.apply_step(step, now_ms);
        }
    }
}
