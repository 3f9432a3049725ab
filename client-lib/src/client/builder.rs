//! Everything that can be said about a connection before it is opened.

use std::future::{Future, IntoFuture};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use super::Client;
use crate::driver::{self, Auth, Options};
use crate::machine::{Backoff, CatchUp, Error, ErrorKind, State, Token};
use crate::transport::trust::Trust;

/// Describes a connection. Await it, or call [`ClientBuilder::connect`], to
/// connect; call [`ClientBuilder::start`] to begin offline.
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until it is awaited"]
pub struct ClientBuilder {
    options: Options,
    sign_up: bool,
    connect_timeout: Duration,
}

impl ClientBuilder {
    pub(super) fn new(url: &str) -> Self {
        Self {
            options: Options::new(url),
            sign_up: false,
            connect_timeout: Duration::from_secs(30),
        }
    }

    /// Signs in with a name and a password, again whenever the token is refused.
    pub fn credentials(
        mut self,
        name: impl Into<String>,
        password: impl Into<SecretString>,
    ) -> Self {
        let (name, password) = (name.into(), password.into());
        self.options.auth = Auth::Credentials { name, password, sign_up: self.sign_up };
        self
    }

    /// Makes the account first. A name that is taken is an error.
    pub fn sign_up(mut self, yes: bool) -> Self {
        self.sign_up = yes;
        if let Auth::Credentials { sign_up, .. } = &mut self.options.auth {
            *sign_up = yes;
        }
        self
    }

    /// Signs in with a token from an earlier sign-in.
    pub fn token(mut self, token: Token) -> Self {
        self.options.auth = Auth::Token(token);
        self
    }

    /// Asks this for a token at the start and whenever one is refused.
    pub fn authenticate<F, Fut>(mut self, callback: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Token, Error>> + Send + 'static,
    {
        self.options.auth = Auth::Callback(Arc::new(move || Box::pin(callback())));
        self
    }

    /// What this device calls itself; the same name again is the same device.
    pub fn device_name(mut self, name: impl Into<String>) -> Self {
        self.options.device_name = name.into();
        self
    }

    /// The device's platform, for the list of devices. The operating system by default.
    pub fn platform(mut self, platform: impl Into<String>) -> Self {
        self.options.platform = platform.into();
        self
    }

    /// Which server certificates are believed. The system's roots by default.
    pub fn trust(mut self, trust: Trust) -> Self {
        self.options.trust = trust;
        self
    }

    /// Keeps outbox, positions, a cache of entries and the token in this file,
    /// readable only by its owner. Without it they live in memory.
    pub fn store(mut self, path: impl Into<PathBuf>) -> Self {
        self.options.store = Some(path.into());
        self
    }

    /// Entries of each conversation the store keeps for offline reading. 1,000 by default.
    pub fn cache_entries(mut self, entries: u32) -> Self {
        self.options.cache_entries = entries;
        self
    }

    /// How to wait between attempts.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.options.backoff = backoff;
        self
    }

    /// How long [`ClientBuilder::connect`] waits for the first session. 30 s by default.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long a request waits for its answer. 30 s by default. A send waits for ever.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.options.request_timeout = timeout;
        self
    }

    /// What the event buffer holds for the slowest reader: 4,096 events and
    /// 16 MiB of text by default.
    pub fn event_limit(mut self, events: usize, bytes: usize) -> Self {
        self.options.event_limit = (events, bytes);
        self
    }

    /// What the outbox holds: 10,000 messages and 64 MiB (65,536 KiB) by default.
    pub fn outbox_limit(mut self, messages: u32, kib: u32) -> Self {
        self.options.outbox_limit = (messages, kib);
        self
    }

    /// Where to start in conversations this device holds nothing of.
    pub fn catch_up(mut self, catch_up: CatchUp) -> Self {
        self.options.catch_up = catch_up;
        self
    }

    /// What the server's log calls this program; at most 64 bytes each.
    pub fn client_name(mut self, name: impl Into<String>, version: impl Into<String>) -> Self {
        self.options.client_name = (name.into(), version.into());
        self
    }

    /// Starts without waiting for a connection: sends are queued, and the client
    /// connects when it can.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for a bad URL or name, or when there is
    /// nothing to sign in with; [`ErrorKind::Store`].
    ///
    /// # Cancel safety
    /// Dropping the future starts nothing.
    pub async fn start(self) -> Result<Client, Error> {
        Ok(Client { shared: driver::start(self.options).await? })
    }

    /// Starts and waits for the first session. Network errors are retried until
    /// the connect timeout; wrong credentials and untrusted certificates are not.
    ///
    /// # Errors
    /// As [`ClientBuilder::start`]; what the sign-in or the last attempt failed with.
    ///
    /// # Cancel safety
    /// Dropping the future closes what was opened.
    pub async fn connect(self) -> Result<Client, Error> {
        let patience = self.connect_timeout;
        let client = self.start().await?;
        match tokio::time::timeout(patience, client.ready()).await {
            Ok(ready) => ready.map(|_| client),
            Err(_) => {
                let state = client.state().borrow().clone();
                client.close().await;
                Err(match state {
                    State::Waiting { error, .. } => error,
                    _ => Error::new(ErrorKind::Timeout, "no session in time"),
                })
            }
        }
    }
}

impl IntoFuture for ClientBuilder {
    type Output = Result<Client, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.connect())
    }
}
