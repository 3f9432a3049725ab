//! What the handles share with the driver: the way to it, and what they may see.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parley_protocol::wire::{client_envelope, server_envelope};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use super::Command;
use crate::events::Broadcast;
use crate::http::HttpApi;
use crate::machine::{Call, Error, ErrorKind, Reply, State, Token};

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

    pub(crate) async fn call(&self, call: Call) -> Result<Reply, Error> {
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
    pub(crate) async fn ask(
        &self,
        kind: client_envelope::Kind,
    ) -> Result<server_envelope::Kind, Error> {
        match self.call(Call::Ask(kind)).await? {
            Reply::Answer(answer) => Ok(*answer),
            _ => Err(unexpected()),
        }
    }

    pub(crate) fn token(&self) -> Result<Token, Error> {
        self.0
            .token
            .borrow()
            .clone()
            .ok_or_else(|| Error::new(ErrorKind::SignIn, "not signed in yet"))
    }
}

/// The answer is of another kind than the request.
pub(crate) fn unexpected() -> Error {
    Error::new(ErrorKind::Protocol, "the answer is of another kind than the request")
}
