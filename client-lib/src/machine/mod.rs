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
//! reconnect. Rules are one to a file: `connect`, `requests`, `outbox`, `log`,
//! `delivered`, `read`, `count`, `roster`, `people`, `feed`, `tracking`.

mod calls;
mod connect;
mod conversation;
mod count;
mod cursors;
mod delivered;
mod entries;
mod feed;
#[cfg(test)]
mod hostile_test;
mod inbound;
mod log;
#[cfg(test)]
mod model_test;
mod outbound;
mod outbox;
mod people;
mod read;
mod refusals;
mod requests;
mod roster;
mod targets;
mod time;
mod tracking;
mod types;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use parley_protocol::ids::{ClientMessageId, ConversationId, UserId};
use parley_protocol::wire::client_envelope;

pub use connect::Tick;
pub use conversation::SavedConversation;
pub use count::Count;
pub use outbox::Item;
pub use roster::Roster;
pub use types::{Call, CallId, Config, Output, Page, Reply, Save, Saved, SavedAccount};

use crate::error::Error;
use crate::model::{Description, Event, LocalId, SendStatus, Session, State, To, Transport, User};
use connect::{Connect, Phase, Step};
use conversation::Conversation;
use outbox::Outbox;
use requests::{Pending, Requests};
use tracking::Tracking;

/// Requests of the application without an answer yet, at most.
pub const CALLS: usize = 1_024;

/// Names of users kept for later sends, at most.
const NAMES: usize = 4_096;

/// The machine. See the module's documentation for how to drive it.
#[derive(Debug)]
pub struct Machine {
    config: Config,
    connect: Connect,
    requests: Requests,
    outbox: Outbox,
    tracking: Tracking,
    conversations: HashMap<ConversationId, Conversation>,
    /// Conversations with something to ask or say, and those that will have at a time.
    work: BTreeSet<ConversationId>,
    timers: BTreeSet<(u64, ConversationId)>,
    /// Those that wait for a description or a gap fetch of others to be done.
    in_line: BTreeSet<ConversationId>,
    direct: HashMap<UserId, ConversationId>,
    names: HashMap<String, User>,
    looking_up: HashSet<String>,
    wanted_names: BTreeSet<String>,
    lookup_at_ms: u64,
    calls: BTreeMap<CallId, (Call, u64)>,
    to_ask: VecDeque<CallId>,
    account: Option<SavedAccount>,
    session: Option<Arc<Session>>,
    session_number: u64,
    transport: Option<Transport>,
    /// Names of users met, by id; those asked for; those to ask for; those the
    /// server doesn't name; and the conversations that wait for a name.
    known: HashMap<UserId, User>,
    asking_names: HashSet<UserId>,
    wanted_people: BTreeSet<UserId>,
    nameless: HashSet<UserId>,
    naming: BTreeSet<ConversationId>,
    /// Whose presence the application watches; renewed in every session.
    watched: BTreeSet<UserId>,
    watch_at_ms: Option<u64>,
    /// Who writes, until when; and when the user's own typing was last said.
    typing: BTreeMap<(ConversationId, UserId), u64>,
    own_typing: HashMap<ConversationId, u64>,
    /// What is said without an answer.
    to_say: VecDeque<client_envelope::Kind>,
    feed_position: u64,
    /// From where the feed is to be asked again, when that is before the position.
    feed_doubt: Option<u64>,
    /// From where it is being asked.
    feed_asked: Option<u64>,
    doubted: bool,
    /// Syncs in a row that left a doubt.
    doubts: u32,
    /// All pages of the first answer were taken.
    synced: bool,
    /// A device without a feed position begins by [`CatchUp`].
    fresh: bool,
    sync_at_ms: Option<u64>,
    hello_due: bool,
    token: Option<crate::Token>,
    /// Heartbeats in front of the user and behind.
    heartbeats_ms: (u64, u64),
    background: bool,
    ping_at_ms: u64,
    heard_ms: u64,
    describing: usize,
    fetching: usize,
    busy: bool,
    drain_until_ms: Option<u64>,
    last_local_id: u64,
    outputs: VecDeque<Output>,
    saves: Vec<Save>,
    unsaved: BTreeSet<ConversationId>,
    changed: BTreeSet<ConversationId>,
}

impl Machine {
    /// A machine that goes on where `saved` ended. Nothing happens before
    /// [`Machine::start`].
    #[must_use]
    pub fn new(config: Config, saved: Saved) -> Self {
        let connect = Connect::new(config.backoff, config.has_token, config.can_sign_in);
        let mut machine = Self {
            config,
            connect,
            requests: Requests::new(),
            outbox: Outbox::default(),
            tracking: Tracking::default(),
            conversations: HashMap::new(),
            work: BTreeSet::new(),
            timers: BTreeSet::new(),
            in_line: BTreeSet::new(),
            direct: HashMap::new(),
            names: HashMap::new(),
            looking_up: HashSet::new(),
            wanted_names: BTreeSet::new(),
            lookup_at_ms: 0,
            calls: BTreeMap::new(),
            to_ask: VecDeque::new(),
            account: saved.account,
            session: None,
            session_number: 0,
            transport: None,
            known: HashMap::new(),
            asking_names: HashSet::new(),
            wanted_people: BTreeSet::new(),
            nameless: HashSet::new(),
            naming: BTreeSet::new(),
            watched: BTreeSet::new(),
            watch_at_ms: None,
            typing: BTreeMap::new(),
            own_typing: HashMap::new(),
            to_say: VecDeque::new(),
            feed_position: saved.feed_position,
            feed_doubt: None,
            feed_asked: None,
            doubted: false,
            doubts: 0,
            synced: false,
            fresh: saved.feed_position == 0,
            sync_at_ms: None,
            hello_due: false,
            token: None,
            heartbeats_ms: (30_000, 30_000),
            background: false,
            ping_at_ms: u64::MAX,
            heard_ms: 0,
            describing: 0,
            fetching: 0,
            busy: false,
            drain_until_ms: None,
            last_local_id: saved.last_local_id,
            outputs: VecDeque::new(),
            saves: Vec::new(),
            unsaved: BTreeSet::new(),
            changed: BTreeSet::new(),
        };
        for conversation in saved.conversations {
            let conversation = Conversation::restore(conversation);
            machine.conversations.insert(conversation.id, conversation);
        }
        machine.learn_peers();
        let mut outbox = saved.outbox;
        outbox.sort_by_key(|item| item.local_id);
        for item in outbox {
            machine.last_local_id = machine.last_local_id.max(item.local_id.0);
            machine.push(item);
        }
        machine
    }

    /// Begins to connect.
    pub fn start(&mut self) {
        if matches!(self.connect.phase(), Phase::Idle) {
            let step = self.connect.start();
            self.follow(step, 0);
        }
    }

    /// Gives the token for the next `Hello`; after [`Output::SignIn`] it goes on.
    pub fn handle_token(&mut self, token: crate::Token) {
        self.token = Some(token);
        if matches!(self.connect.phase(), Phase::SigningIn) {
            let step = self.connect.handle_token();
            self.follow(step, 0);
        }
    }

    /// The transport is open.
    pub fn handle_connected(&mut self, tick: Tick, transport: Transport) {
        self.connect.handle_connected(tick.now_ms);
        self.transport = Some(transport);
        self.hello_due = self.connect.is_handshaking();
        self.heard_ms = tick.now_ms;
        self.say_state(tick.now_ms);
    }

    /// A sign-in or a dial failed, or the transport ended.
    pub fn handle_failure(&mut self, tick: Tick, error: Error) {
        self.forget_session();
        let step = self.connect.handle_failure(tick, error);
        self.follow(step, tick.now_ms);
    }

    /// Puts a message into the outbox. The caller sees to its bounds.
    pub fn queue(&mut self, to: To, id: ClientMessageId, kind: u32, body: Bytes) -> LocalId {
        self.last_local_id += 1;
        let local_id = LocalId(self.last_local_id);
        let item = Item { local_id, to, client_message_id: id, kind, body };
        if self.config.keeps {
            self.saves.push(Save::Queued(item.clone()));
        }
        self.push(item);
        local_id
    }

    /// Takes a message back. True when it has not left.
    pub fn abort(&mut self, local_id: LocalId) -> bool {
        let Some(item) = self.outbox.abort(local_id) else { return false };
        self.save(Save::Done(item.local_id));
        self.outputs.push_back(Output::Status(local_id, SendStatus::Aborted));
        true
    }

    /// Sends not answered yet.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.outbox.len()
    }

    /// The user that is signed in, as far as known.
    #[must_use]
    pub fn me(&self) -> Option<UserId> {
        self.account.as_ref().map(|account| account.user.id)
    }

    /// Whether the transport that was opened is still wanted.
    #[must_use]
    pub fn wants_transport(&self) -> bool {
        self.connect.is_ready() || self.connect.is_handshaking()
    }

    /// What this device knows of a conversation's members and cursors.
    #[must_use]
    pub fn description(&self, conversation: ConversationId) -> Option<Description> {
        self.conversations.get(&conversation)?.description()
    }

    /// Whether readers are behind: catching up then goes slowly.
    pub fn set_busy(&mut self, busy: bool) {
        self.busy = busy;
    }

    /// The app went behind, or came back in front of its user. Said at once.
    pub fn set_background(&mut self, tick: Tick, background: bool) {
        if std::mem::replace(&mut self.background, background) != background
            && self.connect.is_ready()
        {
            self.ping_at_ms = tick.now_ms;
        }
    }

    const fn heartbeat_ms(&self) -> u64 {
        if self.background { self.heartbeats_ms.1 } else { self.heartbeats_ms.0 }
    }

    /// Asks for a sign of life now, after the network changed under the transport.
    pub fn probe(&mut self, tick: Tick) {
        if self.connect.is_ready() {
            self.ping_at_ms = tick.now_ms;
        }
    }

    /// Drops the connection and opens a new one.
    pub fn force_reconnect(&mut self, tick: Tick) {
        let step = self.connect.force_reconnect();
        self.forget_session();
        self.follow(step, tick.now_ms);
    }

    /// Ends when everything is sent and acknowledged, at the latest after `patience_ms`.
    pub fn drain(&mut self, tick: Tick, patience_ms: u64) {
        self.drain_until_ms = Some(tick.now_ms.saturating_add(patience_ms));
        // What waited for others to be acknowledged with goes now.
        for known in self.conversations.values_mut().filter(|it| it.acknowledged.is_pending()) {
            known.acknowledged.hurry();
            self.work.insert(known.id);
        }
        self.say_state(tick.now_ms);
        self.settle(tick.now_ms);
    }

    /// Ends now.
    pub fn close(&mut self, tick: Tick) {
        let step = self.connect.close(None);
        self.follow(step, tick.now_ms);
    }

    /// Ends with an error.
    pub(crate) fn fail(&mut self, tick: Tick, error: Error) {
        let step = self.connect.close(Some(error));
        self.follow(step, tick.now_ms);
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// What changed since the last call and has to be kept.
    pub fn take_saves(&mut self) -> Vec<Save> {
        let mut saves = std::mem::take(&mut self.saves);
        for id in std::mem::take(&mut self.unsaved) {
            if let Some(conversation) = self.conversations.get(&id).filter(|it| it.begun) {
                saves.push(Save::Conversation(Box::new(conversation.saved())));
            }
        }
        // The feed position only once the conversations it speaks of are kept.
        saves.sort_by_key(|save| matches!(save, Save::Feed(_)));
        saves
    }

    fn save(&mut self, save: Save) {
        if self.config.keeps {
            self.saves.push(save);
        }
    }

    /// A conversation's state changed: keep it, and look at what it needs.
    fn touch(&mut self, id: ConversationId) {
        if self.config.keeps {
            self.unsaved.insert(id);
        }
        self.work.insert(id);
    }

    /// Forgets what belonged to one connection.
    fn forget_session(&mut self) {
        self.hello_due = false;
        self.transport = None;
        self.ping_at_ms = u64::MAX;
        self.sync_at_ms = None;
        self.handle_feed_unanswered();
        self.synced = false;
        self.looking_up.clear();
        self.lookup_at_ms = 0;
        self.forget_asked_names();
        self.watch_at_ms = None;
        self.to_say.clear();
        self.own_typing.clear();
        self.describing = 0;
        self.fetching = 0;
        self.timers.clear();
        self.in_line.clear();
        self.outbox.handle_disconnected();
        for pending in self.requests.drain() {
            // What the application waits for is asked again.
            if let Pending::Page(call) = pending {
                self.to_ask.push_back(call);
            }
        }
        if self.session.take().is_some() {
            for conversation in self.conversations.values_mut() {
                conversation.handle_disconnected();
            }
        }
    }

    fn follow(&mut self, step: Step, now_ms: u64) {
        match step {
            Step::Nothing => return,
            Step::SignIn => self.outputs.extend([Output::Hangup, Output::SignIn]),
            Step::Dial => self.outputs.push_back(Output::Dial),
            Step::Wait => self.outputs.push_back(Output::Hangup),
            Step::Redial => {
                self.forget_session();
                self.outputs.extend([Output::Hangup, Output::Dial]);
            }
            Step::Close => {
                self.forget_session();
                self.outputs.push_back(Output::Hangup);
                self.disappoint_all();
            }
        }
        self.say_state(now_ms);
        self.settle(now_ms);
    }

    fn disappoint_all(&mut self) {
        let error = match self.connect.phase() {
            Phase::Closed(Some(error)) => error.clone(),
            _ => Error::closed(),
        };
        self.to_ask.clear();
        for call in std::mem::take(&mut self.calls).into_keys() {
            self.outputs.push_back(Output::Reply(call, Err(error.clone())));
        }
        if self.drain_until_ms.take().is_some() {
            self.outputs.push_back(Output::Drained(self.outbox.len()));
        }
    }

    fn say_state(&mut self, now_ms: u64) {
        let state = match self.connect.phase() {
            Phase::Closed(error) => State::Closed(error.clone()),
            _ if self.drain_until_ms.is_some() => State::Draining,
            Phase::Idle => State::Idle,
            Phase::SigningIn => State::SigningIn,
            Phase::Connecting => State::Connecting,
            Phase::Handshaking { .. } => State::Handshaking,
            Phase::Ready { .. } => match &self.session {
                Some(session) => State::Ready(Arc::clone(session)),
                None => State::Handshaking,
            },
            Phase::Waiting { until_ms, error } => State::Waiting {
                retry_in: std::time::Duration::from_millis(until_ms.saturating_sub(now_ms)),
                error: error.clone(),
            },
        };
        self.outputs.push_back(Output::State(state));
    }

    /// At the end of an input: what became possible, and one event a changed line.
    fn settle(&mut self, now_ms: u64) {
        let me = self.me();
        for id in std::mem::take(&mut self.changed) {
            if let Some(conversation) = self.conversations.get(&id).filter(|it| it.begun) {
                self.outputs.push_back(Output::Emit(Event::Conversation(conversation.line(me))));
            }
        }
        self.schedule_doubts(now_ms);
        self.settle_lists();
        self.settle_drain(now_ms);
    }

    fn settle_drain(&mut self, now_ms: u64) {
        let Some(until_ms) = self.drain_until_ms else { return };
        if self.connect.is_closed() {
            return;
        }
        let quiet = self.outbox.is_empty()
            && self.conversations.values().all(|conversation| {
                !conversation.acknowledged.is_pending() && !conversation.read.is_pending()
            });
        if quiet || now_ms >= until_ms {
            let step = self.connect.close(None);
            self.follow(step, now_ms);
        }
    }
}
