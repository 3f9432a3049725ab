//! The handle an application holds.
//!
//! Every method turns into commands to the driver over a bounded channel and
//! waits for their answers; none does I/O itself, except the few that speak
//! HTTP. Here is the connection; what it carries is in `sending`, `reading`,
//! `groups`, `people` and `account`.

mod account;
mod builder;
mod groups;
mod people;
mod reading;
mod send_handle;
mod sending;

use std::sync::Arc;
use std::time::Duration;

use parley_protocol::http::Discovery;
use tokio::sync::{oneshot, watch};

pub use builder::ClientBuilder;
pub use send_handle::SendHandle;

use crate::driver::{Command, Shared, unexpected};
use crate::events::Events;
use crate::machine::{Error, State, Token};

/// A signed-in device. Cheap to clone; the connection ends when the last clone
/// and the last [`SendHandle`](crate::SendHandle) are dropped, or by [`Client::close`].
#[derive(Clone, Debug)]
pub struct Client {
    shared: Shared,
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
    pub async fn ready(&self) -> Result<Arc<crate::machine::Session>, Error> {
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
    /// Returns the number of sends that were left; a store keeps them.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Closed`] when the client was closed already.
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
    /// [`crate::ErrorKind::Closed`].
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
    /// [`crate::ErrorKind::InvalidArgument`] on other transports or without a
    /// connection; [`crate::ErrorKind::Network`] when no socket can be opened.
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
    /// [`crate::ErrorKind::Network`].
    ///
    /// # Cancel safety
    /// Dropping the future cuts the HTTP request.
    pub async fn discovery(&self) -> Result<Discovery, Error> {
        self.shared.0.http.discovery().await
    }

    /// The device's session token, to sign in again without the password.
    ///
    /// # Errors
    /// [`crate::ErrorKind::SignIn`] before the first sign-in.
    pub fn token(&self) -> Result<Token, Error> {
        self.shared.token()
    }
}
