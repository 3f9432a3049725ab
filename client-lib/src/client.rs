//! The handle an application holds.
//!
//! Every method turns into one command to the driver over a bounded channel and
//! waits for its answer; none does I/O itself, except the few that speak HTTP.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parley_protocol::http::{Device, Discovery};
use parley_protocol::ids::{ClientMessageId, ConversationId, DeviceId};
use parley_protocol::{body, limits, wire};
use prost::Message as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use crate::auth::Token;
use crate::builder::ClientBuilder;
use crate::driver::{Command, Draft};
use crate::error::{Error, ErrorKind};
use crate::events::{Broadcast, Events};
use crate::history;
use crate::http::HttpApi;
use crate::machine::{Call, Reply};
use crate::model::{Conversation, Description, HistoryPage, Range, State, To, User};
use crate::send::SendHandle;

/// A signed-in device. Cheap to clone; the connection ends when the last clone
/// and the last [`SendHandle`] are dropped, or by [`Client::close`].
#[derive(Clone, Debug)]
pub struct Client {
    shared: Shared,
}

/// What the handles share with the driver.
#[derive(Clone)]
pub(crate) struct Shared(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) state: watch::Receiver<State>,
    pub(crate) token: watch::Receiver<Option<Token>>,
    pub(crate) events: Broadcast,
    /// One permit for each send in the outbox.
    pub(crate) outbox_items: Arc<Semaphore>,
    /// One permit for each KiB of body in the outbox.
    pub(crate) outbox_kib: Arc<Semaphore>,
    pub(crate) outbox_max_kib: u32,
    pub(crate) request_timeout: Duration,
    pub(crate) http: HttpApi,
    pub(crate) store: Option<PathBuf>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("state", &*self.0.state.borrow()).finish_non_exhaustive()
    }
}

impl Shared {
    pub(crate) async fn command(&self, command: Command) -> Result<(), Error> {
        self.0.commands.send(command).await.map_err(|_| self.closed())
    }

    /// Why there is no driver any more.
    fn closed(&self) -> Error {
        match &*self.0.state.borrow() {
            State::Closed(Some(error)) => error.clone(),
            _ => Error::closed(),
        }
    }

    async fn call(&self, call: Call) -> Result<Reply, Error> {
        let (reply, answer) = oneshot::channel();
        let asked = async {
            self.command(Command::Call { call, reply }).await?;
            answer.await.map_err(|_| self.closed())?
        };
        match tokio::time::timeout(self.0.request_timeout, asked).await {
            Ok(answer) => answer,
            Err(_) => Err(Error::new(ErrorKind::Timeout, "no answer in time")),
        }
    }

    fn token(&self) -> Result<Token, Error> {
        self.0
            .token
            .borrow()
            .clone()
            .ok_or_else(|| Error::new(ErrorKind::SignIn, "not signed in yet"))
    }
}

impl Client {
    /// Starts to describe a connection: `Client::connect(url).credentials(..).await`.
    ///
    /// The scheme of `url` picks the transport: `parley://` (QUIC, then TLS),
    /// `quic://`, `tls://`, `wss://`, or `ws://` for loopback.
    pub fn connect(url: &str) -> ClientBuilder {
        ClientBuilder::new(url)
    }

    /// The same as [`Client::connect`], for those who like to say builder.
    pub fn builder(url: &str) -> ClientBuilder {
        ClientBuilder::new(url)
    }

    pub(crate) fn from_shared(shared: Shared) -> Self {
        Self { shared }
    }

    /// Where the connection stands, as a watch.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<State> {
        self.shared.0.state.clone()
    }

    /// What happens from now on; the first reader also gets what came before.
    #[must_use]
    pub fn events(&self) -> Events {
        self.shared.0.events.subscribe()
    }

    /// Waits until a session is open.
    ///
    /// # Errors
    /// Why the client closed, when it did.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn ready(&self) -> Result<Arc<crate::model::Session>, Error> {
        let mut state = self.state();
        loop {
            match &*state.borrow_and_update() {
                State::Ready(session) => return Ok(Arc::clone(session)),
                State::Closed(error) => {
                    return Err(error.clone().unwrap_or_else(Error::closed));
                }
                _ => {}
            }
            if state.changed().await.is_err() {
                return Err(Error::closed());
            }
        }
    }

    /// Puts a text into the outbox and gives its handle. With a store it is on
    /// disk when this returns. Works offline. Sends to one conversation arrive
    /// in the order of these calls. Waits while the outbox is full.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for an empty or too long text,
    /// [`ErrorKind::Store`], [`ErrorKind::Closed`].
    ///
    /// # Cancel safety
    /// Dropped before it returns, the message was either queued whole or not at
    /// all; use [`Client::send_with_id`] and send again with the same id to be sure.
    pub async fn send(
        &self,
        to: impl Into<To>,
        text: impl Into<String>,
    ) -> Result<SendHandle, Error> {
        self.send_with_id(to, text, random_id()?).await
    }

    /// As [`Client::send`], with an id chosen by the caller. The server answers
    /// the same id with the same content from the same device and conversation
    /// with the first answer, for ever.
    ///
    /// # Errors
    /// As [`Client::send`].
    ///
    /// # Cancel safety
    /// As [`Client::send`].
    pub async fn send_with_id(
        &self,
        to: impl Into<To>,
        text: impl Into<String>,
        id: ClientMessageId,
    ) -> Result<SendHandle, Error> {
        let body = text_body(text.into())?;
        let inner = &self.shared.0;
        let item = Arc::clone(&inner.outbox_items).acquire_owned().await;
        let kib = Arc::clone(&inner.outbox_kib).acquire_many_owned(self.kib(&body)?).await;
        let permits = [item, kib].map(|permit| permit.map_err(|_| Error::closed()));
        self.enqueue(to.into(), body, id, permits).await
    }

    /// As [`Client::send`], but does not wait for room.
    ///
    /// # Errors
    /// As [`Client::send`], and [`ErrorKind::Full`] when the outbox is full.
    ///
    /// # Cancel safety
    /// As [`Client::send`].
    pub async fn try_send(
        &self,
        to: impl Into<To>,
        text: impl Into<String>,
    ) -> Result<SendHandle, Error> {
        let body = text_body(text.into())?;
        let inner = &self.shared.0;
        let full = || Error::new(ErrorKind::Full, "the outbox is full");
        let item = Arc::clone(&inner.outbox_items).try_acquire_owned();
        let kib = Arc::clone(&inner.outbox_kib).try_acquire_many_owned(self.kib(&body)?);
        let permits = [item, kib].map(|permit| permit.map_err(|_| full()));
        self.enqueue(to.into(), body, random_id()?, permits).await
    }

    /// Reads a part of a conversation, at most `limit` entries (the server's
    /// own limit applies too). Offline it is answered from the store's cache,
    /// as far as that goes.
    ///
    /// # Errors
    /// The server's refusal; [`ErrorKind::Timeout`] when offline and not cached.
    ///
    /// # Cancel safety
    /// Dropping the future drops the answer, nothing else.
    pub async fn history(
        &self,
        conversation: ConversationId,
        range: Range,
        limit: u32,
    ) -> Result<HistoryPage, Error> {
        if !self.shared.0.state.borrow().is_ready()
            && let Some(page) = self.cached(conversation, range, limit).await?
        {
            return Ok(page);
        }
        let description = self.describe(conversation).await?;
        match self.shared.call(Call::Fetch { conversation, range, limit }).await? {
            Reply::Page(page) => Ok(history::page(conversation, page, &description)),
            _ => Err(unexpected()),
        }
    }

    async fn cached(
        &self,
        conversation: ConversationId,
        range: Range,
        limit: u32,
    ) -> Result<Option<HistoryPage>, Error> {
        if self.shared.0.store.is_none() {
            return Ok(None);
        }
        let (reply, answer) = oneshot::channel();
        self.shared.command(Command::Cached { conversation, range, limit, reply }).await?;
        answer.await.map_err(|_| Error::closed())?
    }

    /// The conversation list, newest first. Right after the start it waits for
    /// the server's answer; offline it gives what is known.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`], [`ErrorKind::Timeout`].
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn conversations(&self) -> Result<Vec<Conversation>, Error> {
        match self.shared.call(Call::List).await? {
            Reply::List(list) => Ok(list),
            _ => Err(unexpected()),
        }
    }

    /// The 1:1 conversation with the user of this name, if there is one yet.
    ///
    /// # Errors
    /// As [`Client::find_user`].
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn conversation_with(&self, name: &str) -> Result<Option<Conversation>, Error> {
        let named = |list: Vec<Conversation>| {
            list.into_iter().find(|line| line.peer.as_ref().is_some_and(|peer| &*peer.name == name))
        };
        if let Some(found) = named(self.conversations().await?) {
            return Ok(Some(found));
        }
        // An unknown name is an error, a known one without a conversation is not.
        self.find_user(name).await?;
        Ok(named(self.conversations().await?))
    }

    /// Finds a user by exact name.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] with code `not_found`; [`ErrorKind::Timeout`].
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn find_user(&self, name: &str) -> Result<User, Error> {
        match self.shared.call(Call::Lookup { name: name.to_owned() }).await? {
            Reply::Found(user) => Ok(user),
            _ => Err(unexpected()),
        }
    }

    /// What a conversation is and who is in it, with everybody's cursors as far
    /// as this client knows them.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] with code `not_found`; [`ErrorKind::Timeout`].
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn describe(&self, conversation: ConversationId) -> Result<Description, Error> {
        match self.shared.call(Call::Describe { conversation }).await? {
            Reply::Described(description) => Ok(description),
            _ => Err(unexpected()),
        }
    }

    /// Says that the user has read everything up to `up_to`, and waits until the
    /// server took it. Cumulative: the highest wins, and it survives reconnects.
    ///
    /// # Errors
    /// The server's refusal; [`ErrorKind::Timeout`] when offline for too long,
    /// and then it is still said after the reconnect.
    ///
    /// # Cancel safety
    /// Once polled, it is said in any case.
    pub async fn mark_read(&self, conversation: ConversationId, up_to: u64) -> Result<(), Error> {
        self.shared.call(Call::Read { conversation, up_to }).await.map(|_| ())
    }

    /// Takes nothing new, waits until everything queued is sent and every
    /// delivery acknowledged, then closes. After `patience` it closes anyway.
    /// Gives the number of sends that were left; a store keeps them.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`] when the client was closed already.
    ///
    /// # Cancel safety
    /// Once polled, the client drains and closes in any case, after `patience`.
    pub async fn drain(&self, patience: Duration) -> Result<usize, Error> {
        let (reply, answer) = oneshot::channel();
        self.shared.command(Command::Drain { patience, reply }).await?;
        let left = answer.await.map_err(|_| Error::closed())?;
        // The store is free for the next client only after that.
        self.shared.0.commands.closed().await;
        Ok(left)
    }

    /// Closes the connection and waits until the driver is gone. Queued sends
    /// stay in the store, if there is one.
    ///
    /// # Cancel safety
    /// Once polled, the client closes in any case.
    pub async fn close(&self) {
        let _ = self.shared.command(Command::Close).await;
        self.shared.0.commands.closed().await;
    }

    /// Drops the connection and opens a new one at once; for networks that
    /// changed, and for tests.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`].
    ///
    /// # Cancel safety
    /// Dropped before it returns, it may or may not happen.
    pub async fn force_reconnect(&self) -> Result<(), Error> {
        self.shared.command(Command::ForceReconnect).await
    }

    /// Moves the connection to a new local socket without a reconnect, as when a
    /// phone leaves Wi-Fi. Only QUIC can do that.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] on other transports or without a
    /// connection; [`ErrorKind::Network`] when no socket can be opened.
    ///
    /// # Cancel safety
    /// Dropped before it returns, it may or may not happen.
    pub async fn rebind(&self) -> Result<(), Error> {
        let (reply, answer) = oneshot::channel();
        self.shared.command(Command::Rebind { reply }).await?;
        answer.await.map_err(|_| Error::closed())?
    }

    /// The devices of this account.
    ///
    /// # Errors
    /// The server's refusal, or [`ErrorKind::Network`].
    ///
    /// # Cancel safety
    /// Dropping the future cuts the HTTP request.
    pub async fn devices(&self) -> Result<Vec<Device>, Error> {
        self.shared.0.http.devices(&self.shared.token()?).await
    }

    /// Signs a device out: its tokens die and its sessions end.
    ///
    /// # Errors
    /// As [`Client::devices`].
    ///
    /// # Cancel safety
    /// Dropped before it returns, it may or may not have happened.
    pub async fn revoke_device(&self, device: DeviceId) -> Result<(), Error> {
        self.shared.0.http.revoke_device(&self.shared.token()?, device).await
    }

    /// Signs this device out and closes the client.
    ///
    /// # Errors
    /// As [`Client::devices`]; the client stays open then.
    ///
    /// # Cancel safety
    /// Dropped before it returns, it may or may not have happened.
    pub async fn logout(&self) -> Result<(), Error> {
        self.shared.0.http.logout(&self.shared.token()?).await?;
        let _ = self.shared.command(Command::Forget).await;
        self.shared.0.commands.closed().await;
        Ok(())
    }

    /// Where to connect, best first, as the server says.
    ///
    /// # Errors
    /// [`ErrorKind::Network`].
    ///
    /// # Cancel safety
    /// Dropping the future cuts the HTTP request.
    pub async fn discovery(&self) -> Result<Discovery, Error> {
        self.shared.0.http.discovery().await
    }

    /// The device's session token, to sign in again without the password.
    ///
    /// # Errors
    /// [`ErrorKind::SignIn`] before the first sign-in.
    pub fn token(&self) -> Result<Token, Error> {
        self.shared.token()
    }

    fn kib(&self, body: &bytes::Bytes) -> Result<u32, Error> {
        let kib = u32::try_from(body.len().div_ceil(1024)).unwrap_or(u32::MAX).max(1);
        if kib > self.shared.0.outbox_max_kib {
            return Err(Error::new(ErrorKind::Full, "the message is larger than the outbox"));
        }
        Ok(kib)
    }

    async fn enqueue(
        &self,
        to: To,
        body: bytes::Bytes,
        client_message_id: ClientMessageId,
        permits: [Result<OwnedSemaphorePermit, Error>; 2],
    ) -> Result<SendHandle, Error> {
        let [item, kib] = permits;
        let draft = Draft {
            to,
            client_message_id: client_message_id.clone(),
            kind: wire::EntryKind::Text as u32,
            body,
            permits: [item?, kib?],
        };
        let (reply, answer) = oneshot::channel();
        self.shared.command(Command::Send { draft, reply }).await?;
        let (local_id, status) = answer.await.map_err(|_| Error::closed())??;
        Ok(SendHandle::new(local_id, client_message_id, status, self.shared.clone()))
    }
}

fn text_body(text: String) -> Result<bytes::Bytes, Error> {
    let bytes: bytes::Bytes = wire::Text { text, ..wire::Text::default() }.encode_to_vec().into();
    // The server's own limit, known once connected, can only be lower and is
    // checked when the message leaves.
    body::ValidatedBody::new(wire::EntryKind::Text as u32, bytes.clone(), limits::TEXT_CHARS)
        .map_err(|code| Error::from_code(code as u32, code.text(), 0))?;
    Ok(bytes)
}

fn random_id() -> Result<ClientMessageId, Error> {
    let id = uuid::Uuid::now_v7();
    ClientMessageId::new(bytes::Bytes::copy_from_slice(id.as_bytes()))
        .map_err(|error| Error::with_source(ErrorKind::InvalidArgument, "bad message id", error))
}

fn unexpected() -> Error {
    Error::new(ErrorKind::Protocol, "the answer is of another kind than the request")
}
