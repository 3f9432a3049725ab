//! The handle an application holds.
//!
//! Every method turns into commands to the driver over a bounded channel and
//! waits for their answers; none does I/O itself, except the few that speak
//! HTTP. Here is the connection; what it carries is in `sending`, `reading`,
//! `groups`, `people` and `account`.

mod account;
mod groups;
mod people;
mod reading;
mod sending;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parley_protocol::http::Discovery;
use parley_protocol::wire::{client_envelope, server_envelope};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use crate::auth::Token;
use crate::builder::ClientBuilder;
use crate::driver::Command;
use crate::error::{Error, ErrorKind};
use crate::events::{Broadcast, Events};
use crate::http::HttpApi;
use crate::machine::{Call, Reply};
use crate::model::State;

/// A signed-in device. Cheap to clone; the connection ends when the last clone
/// and the last [`SendHandle`](crate::SendHandle) are dropped, or by [`Client::close`].
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

    /// Makes a request that has an answer of its own.
    async fn ask(&self, kind: client_envelope::Kind) -> Result<server_envelope::Kind, Error> {
        match self.call(Call::Ask(kind)).await? {
            Reply::Answer(answer) => Ok(*answer),
            _ => Err(unexpected()),
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
}

fn unexpected() -> Error {
    Error::new(ErrorKind::Protocol, "the answer is of another kind than the request")
}
