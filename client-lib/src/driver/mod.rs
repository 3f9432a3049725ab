//! The one task that owns a client's machine, transport and store.
//!
//! It takes commands from a bounded channel, envelopes from the transport and
//! the time, gives them to the machine, and does what the machine says. What
//! must be durable is committed before anybody hears of it. It ends when the
//! client is closed or the last handle is dropped.

mod auth;
mod command;
mod options;
mod shared;
mod sign_in;
mod start;

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use parley_protocol::wire::{self, client_envelope};
use prost::Message as _;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

pub(crate) use auth::Auth;
pub(crate) use command::{Command, Draft, Queued};
pub(crate) use options::Options;
pub(crate) use shared::{Shared, unexpected};
pub(crate) use start::start;

use crate::events::Broadcast;
use crate::machine::{
    CallId, Error, ErrorKind, Event, HistoryPage, LocalId, Machine, Output, Reply, Save,
    SendStatus, State, Tick, Token, User, history,
};
use crate::store::Store;
use crate::transport::Connection;
use crate::transport::dial::Dialer;
use sign_in::SignIn;

/// Commands waiting for the driver.
pub(crate) const COMMANDS: usize = 256;

/// Commands or envelopes taken in one go before anything is done about them.
const BATCH: usize = 64;

/// Positions and cached entries reach the disk within this time; a restart
/// after a crash fetches again what is younger.
const SAVE_WITHIN: Duration = Duration::from_millis(200);

/// Changes kept for the next commit, at most.
const SAVES: usize = 512;

pub(crate) struct Driver {
    machine: Machine,
    store: Store,
    dialer: Dialer,
    sign_in: SignIn,
    commands: mpsc::Receiver<Command>,
    state: watch::Sender<State>,
    token: watch::Sender<Option<Token>>,
    events: Broadcast,
    started: Instant,
    connection: Option<Connection>,
    /// The transport took no more; wait until it does.
    blocked: bool,
    attempt: Option<Attempt>,
    sends: HashMap<LocalId, Following>,
    calls: HashMap<CallId, oneshot::Sender<Result<Reply, Error>>>,
    next_call: u64,
    drains: Vec<oneshot::Sender<usize>>,
    /// New sends whose callers wait for the commit.
    queued: Vec<(LocalId, oneshot::Sender<Queued>)>,
    saves: Vec<Save>,
    save_at: Option<Instant>,
    closed: bool,
    /// Writes the last words of the connection that was hung up last.
    parting: Option<JoinHandle<()>>,
}

/// One send that somebody may follow.
struct Following {
    status: watch::Sender<SendStatus>,
    /// Its room in the outbox, until it is answered.
    permits: Option<[OwnedSemaphorePermit; 2]>,
}

/// What is being tried in the background.
enum Attempt {
    Dial(AbortOnDropHandle<Result<Connection, Error>>),
    SignIn(AbortOnDropHandle<Result<Token, Error>>),
}

enum Finished {
    Dial(Result<Connection, Error>),
    SignIn(Result<Token, Error>),
}

impl Attempt {
    /// # Cancel safety
    /// Dropping the future leaves the attempt running.
    async fn finish(&mut self) -> Finished {
        fn flat<T>(joined: Result<Result<T, Error>, tokio::task::JoinError>) -> Result<T, Error> {
            joined.unwrap_or_else(|error| {
                Err(Error::with_source(ErrorKind::Network, "the attempt was cut off", error))
            })
        }
        match self {
            Self::Dial(task) => Finished::Dial(flat(task.await)),
            Self::SignIn(task) => Finished::SignIn(flat(task.await)),
        }
    }
}

impl Driver {
    pub(crate) async fn run(mut self) {
        self.machine.start();
        loop {
            self.act().await;
            if self.closed {
                break;
            }
            let deadline = self.deadline();
            let full = self.connection.as_ref().filter(|_| self.blocked);
            let full = full.map(|connection| connection.outgoing.clone());
            tokio::select! {
                command = self.commands.recv() => self.handle_commands(command).await,
                frame = receive(self.connection.as_mut()) => self.handle_frames(frame),
                finished = finish(self.attempt.as_mut()) => {
                    self.attempt = None;
                    self.handle_finished(finished).await;
                }
                () = room(full) => self.blocked = false,
                () = tokio::time::sleep_until(deadline) => {}
            }
            let tick = self.tick();
            if self.machine.deadline(tick.now_ms).is_some_and(|at| at <= tick.now_ms) {
                self.machine.handle_timeout(tick);
            }
        }
        self.commit(true).await;
        // A program that ends after `close` would cut off the goodbye, and leave
        // a session behind. The task bounds itself.
        if let Some(parting) = self.parting.take() {
            let _ = parting.await;
        }
        // A program that waits for `commands` to close may open the store again.
        self.store = Store::Memory;
        self.events.close();
    }

    fn tick(&self) -> Tick {
        let now_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        Tick { now_ms, wall_ms, random: fastrand::u64(..) }
    }

    fn deadline(&self) -> Instant {
        let far = Duration::from_secs(3600);
        let now_ms = self.tick().now_ms;
        let machine = match self.machine.deadline(now_ms) {
            // Rounded up, so that the machine's millisecond has passed.
            Some(at_ms) => Duration::from_millis(at_ms.saturating_sub(now_ms)).min(far),
            None => far,
        };
        let at = Instant::now() + machine;
        self.save_at.map_or(at, |save_at| save_at.min(at))
    }

    /// Does everything the machine wants, until it wants nothing more now.
    async fn act(&mut self) {
        loop {
            self.commit(false).await;
            let mut idle = true;
            while let Some(output) = self.machine.poll_output() {
                idle = false;
                self.handle_output(output);
            }
            self.machine.set_busy(self.events.is_busy());
            self.transmit();
            if idle {
                break;
            }
        }
    }

    /// Makes durable what has to be, and from time to time the rest.
    async fn commit(&mut self, now: bool) {
        self.saves.extend(self.machine.take_saves());
        let due = self.save_at.is_some_and(|at| at <= Instant::now());
        let urgent =
            self.saves.iter().any(|save| matches!(save, Save::Queued(_) | Save::Account(_)));
        if !self.saves.is_empty() && (now || due || urgent || self.saves.len() >= SAVES) {
            self.save_at = None;
            let saves = std::mem::take(&mut self.saves);
            if let Err(error) = self.store.commit(saves).await {
                tracing::error!(%error, "the client's store can't be written");
                self.refuse_queued(&error);
            }
        } else if !self.saves.is_empty() && self.save_at.is_none() {
            self.save_at = Some(Instant::now() + SAVE_WITHIN);
        }
        for (local_id, reply) in std::mem::take(&mut self.queued) {
            if let Some(following) = self.sends.get(&local_id) {
                let _ = reply.send(Ok((local_id, following.status.subscribe())));
            }
        }
    }

    /// What is not on disk was not taken.
    fn refuse_queued(&mut self, error: &Error) {
        for (local_id, reply) in std::mem::take(&mut self.queued) {
            self.machine.abort(local_id);
            let _ = reply.send(Err(error.clone()));
        }
    }

    fn transmit(&mut self) {
        let now_ms = self.tick().now_ms;
        let Some(connection) = &self.connection else { return };
        while !self.blocked {
            let Ok(permit) = connection.outgoing.try_reserve() else {
                self.blocked = !connection.outgoing.is_closed();
                return;
            };
            let Some(envelope) = self.machine.poll_transmit(now_ms) else { return };
            permit.send(envelope.encode_to_vec().into());
        }
    }

    fn handle_output(&mut self, output: Output) {
        match output {
            Output::Dial => {
                let dialer = self.dialer.clone();
                let task = tokio::spawn(async move { dialer.dial().await });
                self.attempt = Some(Attempt::Dial(AbortOnDropHandle::new(task)));
            }
            Output::SignIn => {
                let task = tokio::spawn(self.sign_in.clone().run());
                self.attempt = Some(Attempt::SignIn(AbortOnDropHandle::new(task)));
            }
            Output::Hangup => self.hang_up(),
            Output::State(state) => self.handle_state(state),
            Output::Emit(event) => self.events.send(event),
            Output::Reply(call, answer) => {
                if let Some(reply) = self.calls.remove(&call) {
                    let _ = reply.send(answer);
                }
            }
            Output::Status(local_id, status) => self.handle_status(local_id, status),
            Output::Stalled(conversation) => {
                tracing::warn!(%conversation, "the server lacks entries it announced");
            }
            Output::Untrack(local_id) => {
                self.sends.remove(&local_id);
            }
            Output::Drained(left) => {
                for reply in self.drains.drain(..) {
                    let _ = reply.send(left);
                }
            }
        }
    }

    fn handle_state(&mut self, state: State) {
        tracing::debug!(state = state.name(), "the connection changed state");
        self.closed |= state.is_closed();
        self.state.send_replace(state.clone());
        self.events.send(Event::StateChanged(state));
    }

    fn handle_status(&mut self, local_id: LocalId, status: SendStatus) {
        let Some(following) = self.sends.get_mut(&local_id) else { return };
        let answered = status.sent().is_some();
        let over = status.is_final() || (answered && following.status.is_closed());
        following.status.send_replace(status);
        if answered {
            following.permits = None;
        }
        if over {
            self.sends.remove(&local_id);
        }
    }

    fn hang_up(&mut self) {
        self.attempt = None;
        self.blocked = false;
        if let Some(connection) = self.connection.take() {
            let kind = Some(client_envelope::Kind::Goodbye(wire::Goodbye {}));
            let goodbye = wire::ClientEnvelope { request: 0, kind };
            // A full queue means nobody listens.
            let _ = connection.outgoing.try_send(goodbye.encode_to_vec().into());
            self.parting = Some(connection.end());
        }
    }

    async fn handle_finished(&mut self, finished: Finished) {
        let tick = self.tick();
        match finished {
            Finished::Dial(Ok(connection)) => {
                tracing::debug!(transport = %connection.transport, "connected");
                self.machine.handle_connected(tick, connection.transport);
                self.blocked = false;
                self.connection = Some(connection);
            }
            Finished::SignIn(Ok(token)) => {
                self.sign_in.signed_up();
                self.take_token(token).await;
            }
            Finished::Dial(Err(error)) => self.machine.handle_failure(tick, error),
            Finished::SignIn(Err(error)) => {
                self.sign_in.handle_failure(&error);
                self.machine.handle_failure(tick, error);
            }
        }
    }

    /// Keeps a token, and uses it from now on.
    async fn take_token(&mut self, token: Token) {
        self.token.send_replace(Some(token.clone()));
        self.sign_in.had = Some(token.clone());
        if let Err(error) = self.store.keep_token(token.clone()).await {
            tracing::error!(%error, "the token can't be kept");
        }
        self.machine.handle_token(token);
    }

    fn handle_frames(&mut self, first: Option<Result<Bytes, Error>>) {
        let mut next = first;
        for _ in 0..BATCH {
            let tick = self.tick();
            let frame = match next {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => return self.lose(tick, error),
                None => {
                    let error = Error::new(ErrorKind::Network, "the connection ended");
                    return self.lose(tick, error);
                }
            };
            match wire::ServerEnvelope::decode(frame) {
                Ok(envelope) => self.machine.handle_envelope(tick, envelope),
                Err(error) => {
                    let text = "the server sent something that is no envelope";
                    let error = Error::with_source(ErrorKind::Protocol, text, error);
                    return self.lose(tick, error);
                }
            }
            // After a Close the end of the transport is no news.
            let Some(connection) =
                self.connection.as_mut().filter(|_| self.machine.wants_transport())
            else {
                return;
            };
            match connection.incoming.try_recv() {
                Ok(frame) => next = Some(frame),
                Err(_) => return,
            }
        }
    }

    fn lose(&mut self, tick: Tick, error: Error) {
        tracing::debug!(%error, "the connection is lost");
        self.connection = None;
        self.blocked = false;
        self.machine.handle_failure(tick, error);
    }

    async fn handle_commands(&mut self, first: Option<Command>) {
        let Some(first) = first else {
            // The last handle is gone.
            self.machine.close(self.tick());
            return;
        };
        let mut next = Some(first);
        for _ in 0..BATCH {
            let Some(command) = next.take() else { return };
            self.handle_command(command).await;
            next = self.commands.try_recv().ok();
        }
        if let Some(command) = next {
            self.handle_command(command).await;
        }
    }

    async fn handle_command(&mut self, command: Command) {
        let tick = self.tick();
        match command {
            Command::Send { draft, reply } => self.handle_send(draft, reply),
            Command::Abort { local_id, reply } => {
                let _ = reply.send(self.machine.abort(local_id));
            }
            Command::Call { call, reply } => {
                let id = CallId(self.next_call);
                self.next_call += 1;
                self.calls.insert(id, reply);
                self.machine.call(tick, id, call);
            }
            Command::Cached { conversation, range, limit, reply } => {
                let cached = self.store.cached(conversation, range, limit).await;
                let _ = reply.send(cached.map(|page| self.named(conversation, page)));
            }
            Command::Drain { patience, reply } => {
                let patience_ms = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
                self.drains.push(reply);
                self.machine.drain(tick, patience_ms);
            }
            Command::Typing { conversation, active } => {
                self.machine.typing(tick, conversation, active);
            }
            Command::Background(background) => self.machine.set_background(tick, background),
            Command::NewPassword(password) => self.sign_in.new_password(password),
            Command::NewToken { token, reply } => {
                self.take_token(token).await;
                let _ = reply.send(());
            }
            Command::Close => self.machine.close(tick),
            Command::Forget => {
                self.machine.close(tick);
                self.saves.clear();
                let _ = self.machine.take_saves();
                if let Err(error) = self.store.wipe().await {
                    tracing::error!(%error, "the store can't be wiped");
                }
                self.store = Store::Memory;
            }
            Command::ForceReconnect => self.machine.force_reconnect(tick),
            Command::Rebind { reply } => {
                let moved = match &self.connection {
                    Some(connection) => connection.rebind(),
                    None => Err(Error::new(ErrorKind::InvalidArgument, "there is no connection")),
                };
                // The server learns of the new path with the first packet.
                self.machine.probe(tick);
                let _ = reply.send(moved);
            }
        }
    }

    fn handle_send(&mut self, draft: Draft, reply: oneshot::Sender<Queued>) {
        if self.closed || !self.drains.is_empty() {
            let _ = reply.send(Err(Error::closed()));
            return;
        }
        let Draft { to, client_message_id, kind, body, permits } = draft;
        let local_id = self.machine.queue(to, client_message_id, kind, body);
        let (status, _) = watch::channel(SendStatus::Queued);
        self.sends.insert(local_id, Following { status, permits: Some(permits) });
        self.queued.push((local_id, reply));
    }

    fn named(
        &self,
        conversation: parley_protocol::ConversationId,
        page: Option<crate::machine::Page>,
    ) -> Option<HistoryPage> {
        let mut page = page?;
        page.names = self.machine.names(conversation, &page);
        let wall_ms = self.tick().wall_ms;
        for entry in page.entries.iter_mut().chain(&mut page.related) {
            let Some(at_ms) = self.machine.expires_ms(conversation, entry) else { continue };
            page.expires.insert(entry.seq, at_ms);
            // The file may have kept it.
            if at_ms <= wall_ms {
                (entry.erased, entry.body) = (true, Bytes::new());
            }
        }
        let gone = |entry: &wire::Entry| {
            let target = history::target(entry).and_then(|target| page.expires.get(&target));
            target.is_some_and(|at_ms| *at_ms <= wall_ms)
        };
        let (entries, related) = (&mut page.entries, &mut page.related);
        for entry in entries.iter_mut().filter(|entry| gone(entry)) {
            (entry.erased, entry.body) = (true, Bytes::new());
        }
        related.retain(|entry| !gone(entry));
        let named = |id| page.names.iter().find(|user| user.id == id).cloned();
        let name = |id| named(id).unwrap_or_else(|| User::nameless(id));
        let me = self.machine.me();
        let page = history::Reader { conversation, me, name: &name }.page(page.clone());
        Some(HistoryPage { from_cache: true, ..page })
    }
}

/// The next envelope; never, without a connection.
async fn receive(connection: Option<&mut Connection>) -> Option<Result<Bytes, Error>> {
    match connection {
        Some(connection) => connection.incoming.recv().await,
        None => std::future::pending().await,
    }
}

async fn finish(attempt: Option<&mut Attempt>) -> Finished {
    match attempt {
        Some(attempt) => attempt.finish().await,
        None => std::future::pending().await,
    }
}

/// Resolves when a full transport takes envelopes again.
async fn room(full: Option<mpsc::Sender<Bytes>>) {
    match full {
        Some(outgoing) => {
            let _ = outgoing.reserve().await;
        }
        None => std::future::pending().await,
    }
}
