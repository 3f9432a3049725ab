//! The session driver: one task that reads, decides and writes for one
//! connection.
//!
//! The rules are [`parley_core::session::Session`]'s; this file feeds it and
//! carries out what it says. Sends and cursor moves go to the shards one after
//! another, so their order is the client's. A query runs beside the writing,
//! one at a time. Meanwhile, and while as many requests as allowed wait for their
//! answers, a little is read ahead, so that heartbeats are answered: a server at its
//! limit, or on a slow disk, must not be left by everybody who waits. Beyond
//! that nothing more is read: a client that asks for more than it takes is slowed
//! by its own transport.
//! Everything to be written passes the session's [`Link`], which bounds it.
//!
//! The task never waits for the client without a way out: reading, writing
//! and the deadline are watched together, and whoever ends the link wakes it.

mod charge;
mod dispatch;
mod open;
mod people;
mod presence;
mod query;
mod refusal;
mod room;
mod single;
mod submit;
mod write;

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use parley_core::session::{Action, Identity, Options as Rules, Session};
use parley_protocol::Code;
use tokio_util::sync::CancellationToken;

use crate::accounts::{Accounts, Credential};
use crate::base::clock;
use crate::base::clock::Monotonic;
use crate::base::memory::Memory;
use crate::base::metrics::list as metric;
use crate::base::rates::Rates;
use crate::base::reads::Reads;
use crate::base::space::Space;
use crate::chat::home::Homes;
use crate::chat::link::{Item, Link, session_id};
use crate::chat::preferences::Preferences;
use crate::chat::presence::{Gone, Presence, Typing};
use crate::chat::shard::Shards;
use crate::edge::listen::{ConnectionPermit, FrameReader, FrameWriter, Peer, SessionHost};
use crate::people::People;
use dispatch::{Begun, PendingAnswer};
pub use single::{Requester, Unanswered};

/// How often the accounts are told that a device is active, in milliseconds:
/// asking costs a look-up, and they keep it to the minute.
const NOTE_EVERY_MS: u64 = 20_000;

/// What sessions are held to.
#[derive(Debug, Clone)]
pub struct Options {
    /// The rules of the protocol with this server's limits.
    pub rules: Arc<Rules>,
    /// Bytes that may wait for one session. Above it the session is closed as
    /// a slow consumer and resumes from the log.
    pub outbound_bytes: usize,
    /// How long one write may take without any progress of the peer.
    pub write_timeout: Duration,
    /// Reads of the store at a time, over all sessions; more wait.
    pub reads: usize,
}

/// Everything a session needs of the node. Cheap to clone.
#[derive(Clone)]
pub struct Host {
    inner: Arc<Inner>,
}

struct Inner {
    options: Options,
    accounts: Accounts,
    people: People,
    preferences: Preferences,
    rates: Rates,
    shards: Shards,
    homes: Arc<Homes>,
    presence: Presence,
    typing: Typing,
    reads: Reads,
    memory: Arc<Memory>,
    space: Space,
    clock: Monotonic,
    /// Cancelled when the node stops taking sessions.
    draining: CancellationToken,
}

/// The parts of the node that sessions use.
pub struct Parts {
    /// Who somebody is.
    pub accounts: Accounts,
    /// Whom they let do what.
    pub people: People,
    /// How much they may do.
    pub rates: Rates,
    /// The way into the conversations.
    pub shards: Shards,
    /// Feeds and live sessions.
    pub homes: Arc<Homes>,
    /// Who is there; on the same clock.
    pub presence: Presence,
    /// What all sessions may hold together.
    pub memory: Arc<Memory>,
    /// What the disk has room for.
    pub space: Space,
    /// The clock of deadlines and signs of life.
    pub clock: Monotonic,
}

impl Host {
    /// A host whose sessions use these parts.
    #[must_use]
    pub fn new(options: Options, parts: Parts, draining: CancellationToken) -> Self {
        let Parts { accounts, people, rates, shards, homes, presence, memory, space, clock } =
            parts;
        let preferences = Preferences::new(shards.clone(), Arc::clone(&homes), people.clone());
        let reads = Reads::new(options.reads);
        let typing = Typing::new(shards.clone(), Arc::clone(&homes), people.clone(), clock);
        Self {
            inner: Arc::new(Inner {
                options,
                accounts,
                people,
                preferences,
                rates,
                shards,
                homes,
                presence,
                typing,
                reads,
                memory,
                space,
                clock,
                draining,
            }),
        }
    }

    fn now_ms(&self) -> u64 {
        self.inner.clock.now_ms()
    }

    /// The device was heard; known to the accounts to the minute.
    fn note_active(&self, opened: &Opened) {
        let now_ms = self.now_ms();
        let noted_ms = opened.noted_ms.load(Ordering::Relaxed);
        if now_ms.saturating_sub(noted_ms) >= NOTE_EVERY_MS {
            opened.noted_ms.store(now_ms, Ordering::Relaxed);
            // The credential that is good now: another may have taken its place.
            let Some(opener) = opened.link.opener() else { return };
            let credential = Credential::from_bytes(opener.credential);
            let Identity { user, device, .. } = opened.identity;
            self.inner.accounts.note_active(user, device, &credential);
        }
    }
}

impl SessionHost for Host {
    async fn serve<R, W>(
        &self,
        mut reader: R,
        mut writer: W,
        peer: Peer,
        mut permit: ConnectionPermit,
    ) where
        R: FrameReader + 'static,
        W: FrameWriter + 'static,
    {
        let rules = Arc::clone(&self.inner.options.rules);
        let mut session = Session::new(rules, session_id(), self.now_ms());
        // Boxed where a session is only once or seldom: what it holds while
        // nothing is said must not have room for it.
        let opened = Box::pin(self.open(&mut session, &mut reader, &mut writer, peer)).await;
        let end = match opened {
            Ok(Some(mut opened)) => {
                permit.set_authenticated();
                reader.set_authenticated(session.frame_bytes());
                tracing::debug!(session = %session.id(), transport = peer.transport.name(), "session opened");
                opened.link.heard(self.now_ms(), session.is_foreground());
                opened.attached.show();
                let end = Running { host: self, session: &mut session, opened: &opened }
                    .run(&mut reader, &mut writer)
                    .await;
                opened.attached.gone = end.gone();
                drop(opened);
                end
            }
            Ok(None) => End::Gone,
            Err(end) => end,
        };
        metric::session_ends(end.name()).increment(1);
        tracing::debug!(session = %session.id(), end = end.name(), "session ended");
        Box::pin(self.close(&mut writer, end)).await;
    }
}

/// An open session and whose it is.
struct Opened {
    identity: Identity,
    link: Arc<Link>,
    attached: Attached,
    /// Where it came from when the connection was accepted.
    from: IpAddr,
    /// When the accounts were last told that the device is active, on the
    /// session's clock.
    noted_ms: AtomicU64,
}

/// A link in the tables of sessions, out of which it goes when this is dropped: also when
/// the session's task panics.
struct Attached {
    host: Host,
    link: Arc<Link>,
    shown: bool,
    /// Why it goes, as presence needs it.
    gone: Gone,
}

impl Attached {
    /// Joins the user's home.
    fn new(host: &Host, link: &Arc<Link>) -> Result<Self, Code> {
        host.inner.homes.attach(link)?;
        let (host, link) = (host.clone(), Arc::clone(link));
        Ok(Self { host, link, shown: false, gone: Gone::Lost })
    }

    /// Lets those who watch the user know.
    fn show(&mut self) {
        self.shown = true;
        self.host.inner.presence.attach(&self.link);
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        if self.shown {
            self.host.inner.presence.detach(&self.link, self.gone);
        }
        self.host.inner.homes.detach(&self.link);
    }
}

/// Why a session is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Tell the client this.
    Close(Code),
    /// The client said goodbye.
    Goodbye,
    /// The connection is gone.
    Gone,
}

impl End {
    const fn name(self) -> &'static str {
        match self {
            Self::Close(code) => code.name(),
            Self::Goodbye => "goodbye",
            Self::Gone => "gone",
        }
    }

    /// Whether the user may be back in a moment.
    const fn gone(self) -> Gone {
        match self {
            Self::Goodbye | Self::Close(Code::SessionRevoked) => Gone::Left,
            Self::Gone | Self::Close(_) => Gone::Lost,
        }
    }
}

/// One open session at work.
struct Running<'a> {
    host: &'a Host,
    session: &'a mut Session,
    opened: &'a Opened,
}

impl<'a> Running<'a> {
    async fn run<R: FrameReader, W: FrameWriter>(&mut self, reader: &mut R, writer: &mut W) -> End {
        let link = Arc::clone(&self.opened.link);
        let mut sleep = Box::pin(tokio::time::sleep_until(self.deadline()));
        let mut query = None;
        // Boxed: nearly always it is empty.
        let mut ahead = Box::<Ahead>::default();
        let mut held: Option<Box<Held>> = None;
        // The answer to Hello lies in the writer.
        if let Err(end) = self.write(writer).await {
            return end;
        }
        loop {
            let next = if query.is_none() { ahead.next() } else { None };
            let begun = if let Some(action) = next {
                self.perform(action)
            } else if ahead.ended && query.is_none() {
                return End::Gone;
            } else {
                let wants = self.session.wants_input() && ahead.has_room();
                let reads = held.is_none() && !ahead.ended;
                tokio::select! {
                    biased;
                    // Only then: what waits for company must not go out alone because
                    // something came in.
                    () = link.woken() => match self.write(writer).await {
                        Ok(()) => continue,
                        Err(end) => return end,
                    },
                    item = answer(&mut query) => {
                        query = None;
                        if let Some(item) = item {
                            link.push(item);
                        }
                        continue;
                    }
                    envelope = held_back(&mut held), if wants => {
                        ahead.busy = query.is_some();
                        self.take(envelope, &mut held, &mut ahead)
                    }
                    read = reader.next(), if reads => match read {
                        Ok(Some(envelope)) if wants || Session::is_ping(&envelope) => {
                            ahead.busy = query.is_some();
                            self.take(envelope, &mut held, &mut ahead)
                        }
                        // Read for the heartbeats: it waits until there is room.
                        Ok(Some(envelope)) => {
                            let until = clock::now().into();
                            held = Some(Box::new(Held { envelope, until }));
                            continue;
                        }
                        // What came before its end is answered still.
                        Ok(None) if query.is_some() => {
                            ahead.ended = true;
                            continue;
                        }
                        Ok(None) => return End::Gone,
                        Err(error) => return error.code().map_or(End::Gone, End::Close),
                    },
                    () = &mut sleep => {
                        if !wants && held.is_some() {
                            self.session.handle_deafness(self.host.now_ms());
                        }
                        if let Some(code) = self.session.handle_timeout(self.host.now_ms()) {
                            return End::Close(code);
                        }
                        // Something came in since the timer was set.
                        sleep.as_mut().reset(self.deadline());
                        continue;
                    }
                }
            };
            match begun {
                Ok(None) => {}
                Ok(Some(Begun::Command(command))) => command.await,
                Ok(Some(Begun::Query(asked))) => query = Some(asked),
                Err(end) => return end,
            }
        }
    }

    fn deadline(&self) -> tokio::time::Instant {
        self.host.inner.clock.instant(self.session.deadline_ms()).into()
    }

    /// Takes an envelope, unless its user has no bytes left: then it is held
    /// back for a while and nothing more is read.
    fn take(
        &mut self,
        envelope: Bytes,
        held: &mut Option<Box<Held>>,
        ahead: &mut Ahead,
    ) -> Result<Option<Begun<'a>>, End> {
        let identity = &self.opened.identity;
        let rates = &self.host.inner.rates;
        match rates.check_inbound(identity.user, envelope.len()) {
            Ok(()) => self.handle(envelope, ahead),
            Err(wait) => {
                let until = tokio::time::Instant::from(clock::now()) + wait;
                *held = Some(Box::new(Held { envelope, until }));
                Ok(None)
            }
        }
    }

    /// Takes an envelope; returns what it began, if that has to be waited for. A
    /// heartbeat is answered at once, whatever is at work: who waits for an answer
    /// is there. All else waits for its turn.
    fn handle(&mut self, envelope: Bytes, ahead: &mut Ahead) -> Result<Option<Begun<'a>>, End> {
        let (host, opened) = (self.host, self.opened);
        let (now_ms, bytes) = (self.host.now_ms(), envelope.len());
        let action = self.session.handle_envelope(envelope, now_ms);
        let Opened { identity, link, .. } = opened;
        if link.heard(now_ms, self.session.is_foreground()) {
            host.inner.presence.foreground_changed(identity.user);
        }
        host.note_active(opened);
        if ahead.busy && !matches!(action, Action::Ping(_)) {
            ahead.add(action, bytes);
            return Ok(None);
        }
        self.perform(action)
    }

    /// Does what an envelope asked for; returns what it began, if that has to be
    /// waited for.
    fn perform(&mut self, action: Action) -> Result<Option<Begun<'a>>, End> {
        let (host, opened) = (self.host, self.opened);
        let Opened { identity, link, from, .. } = opened;
        match action {
            Action::Request(request) => match host.charge(*from, identity.user, &request) {
                Ok(()) => return Ok(Some(host.begin(identity, *from, link, request))),
                Err(refusal) => {
                    if let Some(request) = request.number() {
                        link.push(Item::Answer(refusal.answer(request)));
                    }
                }
            },
            Action::MoveCursor(request, wanted) => {
                let moved = host.move_cursor(identity, *from, link, request, wanted);
                return Ok(Some(Begun::Command(moved.boxed())));
            }
            Action::Subscribe(request, wanted) => {
                let done = match host.charge_query(*from, identity.user) {
                    Ok(()) => {
                        host.clone().subscribe(Arc::clone(link), request, wanted).left_future()
                    }
                    Err(refusal) => std::future::ready(Err(refusal)).right_future(),
                };
                let asked = host.billed(identity.user, *from, Some(request), done);
                return Ok(Some(Begun::Query(asked)));
            }
            Action::Ping(request) => self.ping(request),
            Action::Reply(envelope) => link.push(Item::Notice(envelope)),
            Action::Nothing => {}
            Action::Close(code) => return Err(End::Close(code)),
            Action::End => return Err(End::Goodbye),
            // Only an unopened session authenticates.
            Action::Authenticate(_) => return Err(End::Close(Code::HelloTwice)),
        }
        Ok(None)
    }
}

/// What was read while a query was at work, to be done in turn: so few and so
/// little that reading ahead is for heartbeats and costs no memory to speak of.
#[derive(Default)]
struct Ahead {
    actions: VecDeque<(Action, usize)>,
    bytes: usize,
    /// A query is at work: what comes in waits here.
    busy: bool,
    /// The client has said its last.
    ended: bool,
}

/// Requests read ahead of the query at work.
const AHEAD: usize = 16;

/// Bytes of them; one above it is taken when nothing else waits.
const AHEAD_BYTES: usize = 16 * 1024;

impl Ahead {
    fn has_room(&self) -> bool {
        self.actions.len() < AHEAD && self.bytes < AHEAD_BYTES
    }

    fn add(&mut self, action: Action, bytes: usize) {
        self.bytes += bytes;
        self.actions.push_back((action, bytes));
    }

    fn next(&mut self) -> Option<Action> {
        let (action, bytes) = self.actions.pop_front()?;
        self.bytes -= bytes;
        if self.actions.is_empty() {
            // A burst must not hold its memory for ever.
            self.actions = VecDeque::new();
        }
        Some(action)
    }
}

/// The answer of the query at work; never, while there is none. Cancel safe.
async fn answer(query: &mut Option<PendingAnswer>) -> Option<Item> {
    match query {
        Some(query) => query.await,
        None => std::future::pending().await,
    }
}

/// An envelope for which its user has no bytes left yet, or its session no room.
struct Held {
    envelope: Bytes,
    until: tokio::time::Instant,
}

/// The envelope that was held back, when its time has come. Cancel safe.
async fn held_back(held: &mut Option<Box<Held>>) -> Bytes {
    match held {
        Some(waiting) => tokio::time::sleep_until(waiting.until).await,
        None => std::future::pending().await,
    }
    held.take().map(|held| held.envelope).unwrap_or_default()
}

#[cfg(test)]
mod tests;
