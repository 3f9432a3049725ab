//! What handles ask of the driver.

use std::time::Duration;

use bytes::Bytes;
use parley_protocol::ids::{ClientMessageId, ConversationId};
use secrecy::SecretString;
use tokio::sync::{OwnedSemaphorePermit, oneshot, watch};

use crate::machine::{Call, Error, HistoryPage, LocalId, Range, Reply, SendStatus, To, Token};

/// The answer to a send: queued, and durably so with a store.
pub(crate) type Queued = Result<(LocalId, watch::Receiver<SendStatus>), Error>;

pub(crate) enum Command {
    Send {
        draft: Draft,
        reply: oneshot::Sender<Queued>,
    },
    Abort {
        local_id: LocalId,
        reply: oneshot::Sender<bool>,
    },
    Call {
        call: Call,
        reply: oneshot::Sender<Result<Reply, Error>>,
    },
    Cached {
        conversation: ConversationId,
        range: Range,
        limit: u32,
        reply: oneshot::Sender<Result<Option<HistoryPage>, Error>>,
    },
    Drain {
        patience: Duration,
        reply: oneshot::Sender<usize>,
    },
    Typing {
        conversation: ConversationId,
        active: bool,
    },
    Background(bool),
    NewPassword(SecretString),
    /// The token that took the place of the one there was; answered once it is kept.
    NewToken {
        token: Token,
        reply: oneshot::Sender<()>,
    },
    Close,
    /// Wipe the store, then close.
    Forget,
    ForceReconnect,
    Rebind {
        reply: oneshot::Sender<Result<(), Error>>,
    },
}

/// A message on its way into the outbox.
pub(crate) struct Draft {
    pub(crate) to: To,
    pub(crate) client_message_id: ClientMessageId,
    pub(crate) kind: u32,
    pub(crate) body: Bytes,
    /// Its room in the outbox: one item, and its KiB.
    pub(crate) permits: [OwnedSemaphorePermit; 2],
}
