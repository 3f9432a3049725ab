//! The handle of one send.
//!
//! It follows the message through queued, sending, sent, delivered and read.
//! Dropping it changes nothing about the send.

use parley_protocol::ids::ClientMessageId;
use tokio::sync::{oneshot, watch};

use crate::driver::{Command, Shared};
use crate::machine::{Error, ErrorKind, LocalId, SendStatus, Sent};

/// Follows one send.
#[derive(Debug, Clone)]
pub struct SendHandle {
    local_id: LocalId,
    client_message_id: ClientMessageId,
    status: watch::Receiver<SendStatus>,
    shared: Shared,
}

impl SendHandle {
    pub(super) fn new(
        local_id: LocalId,
        client_message_id: ClientMessageId,
        status: watch::Receiver<SendStatus>,
        shared: Shared,
    ) -> Self {
        Self { local_id, client_message_id, status, shared }
    }

    /// The send's name within this client.
    #[must_use]
    pub fn local_id(&self) -> LocalId {
        self.local_id
    }

    /// The send's name on the wire: sending it again gives the same answer.
    #[must_use]
    pub fn client_message_id(&self) -> &ClientMessageId {
        &self.client_message_id
    }

    /// How far it is now.
    #[must_use]
    pub fn status(&self) -> SendStatus {
        self.status.borrow().clone()
    }

    /// Its progress, as a watch.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<SendStatus> {
        self.status.clone()
    }

    /// Waits until the server committed it. Reconnects by itself meanwhile, for
    /// as long as it takes; put a timeout around it to stop waiting.
    ///
    /// # Errors
    /// The server's refusal, [`ErrorKind::Aborted`], or [`ErrorKind::Closed`]
    /// when the client closed first: then the message may or may not have
    /// arrived, and with a store it is sent after the next start.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing about the send.
    pub async fn sent(&self) -> Result<Sent, Error> {
        self.wait(SendStatus::sent).await
    }

    /// Waits until a device of somebody else has it.
    ///
    /// # Errors
    /// As [`SendHandle::sent`]; also [`ErrorKind::Closed`] when the client
    /// follows too many sends and let go of this one.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing about the send.
    pub async fn delivered(&self) -> Result<Sent, Error> {
        self.wait(|status| match status {
            SendStatus::Delivered(sent) | SendStatus::Read(sent) => Some(*sent),
            _ => None,
        })
        .await
    }

    /// Waits until somebody else read it.
    ///
    /// # Errors
    /// As [`SendHandle::delivered`].
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing about the send.
    pub async fn read(&self) -> Result<Sent, Error> {
        self.wait(|status| match status {
            SendStatus::Read(sent) => Some(*sent),
            _ => None,
        })
        .await
    }

    /// Takes the message back if it has not left yet. True when it did so; false
    /// when it was sent, or may have been.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`] when the client is closed.
    ///
    /// # Cancel safety
    /// Dropping the future leaves open whether the message was taken back; its
    /// status says so.
    pub async fn abort(&self) -> Result<bool, Error> {
        let (reply, answer) = oneshot::channel();
        self.shared.command(Command::Abort { local_id: self.local_id, reply }).await?;
        answer.await.map_err(|_| Error::closed())
    }

    async fn wait(&self, done: impl Fn(&SendStatus) -> Option<Sent>) -> Result<Sent, Error> {
        let mut watch = self.status.clone();
        loop {
            match &*watch.borrow_and_update() {
                SendStatus::Failed(error) => return Err(error.clone()),
                SendStatus::Aborted => {
                    return Err(Error::new(ErrorKind::Aborted, "the send was aborted"));
                }
                status => {
                    if let Some(sent) = done(status) {
                        return Ok(sent);
                    }
                }
            }
            if watch.changed().await.is_err() {
                return Err(Error::closed());
            }
        }
    }
}
