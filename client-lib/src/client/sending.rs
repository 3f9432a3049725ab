//! What goes through the outbox: messages, what is done to them, and every
//! other entry of a conversation.

use std::sync::Arc;

use bytes::Bytes;
use parley_protocol::ids::{ClientMessageId, ConversationId};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::{Client, SendHandle};
use crate::driver::{Command, Draft};
use crate::machine::{Action, Error, ErrorKind, NewMessage, Range, To, compose, convert};

impl Client {
    /// Puts an action into the outbox and returns its handle; every other sending
    /// method is a short form of this one. With a store it is on disk when this
    /// returns. Works offline. Actions in one conversation arrive in the order of
    /// these calls. Waits while the outbox is full.
    ///
    /// Without an `id` a new one is made. The server answers the same id with the
    /// same content from the same device and conversation with the first answer,
    /// for ever.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] for what no server would take, as an empty text;
    /// [`ErrorKind::InvalidArgument`], [`ErrorKind::Store`], [`ErrorKind::Closed`].
    ///
    /// # Cancel safety
    /// Dropped before it returns, the action was either queued whole or not at
    /// all; say it again with the same id to be sure.
    pub async fn submit(
        &self,
        to: impl Into<To>,
        action: Action,
        id: Option<ClientMessageId>,
    ) -> Result<SendHandle, Error> {
        let to = to.into();
        let (kind, body) = compose(&to, action)?;
        let inner = &self.shared.0;
        let item = Arc::clone(&inner.outbox_items).acquire_owned().await;
        let kib = Arc::clone(&inner.outbox_kib).acquire_many_owned(self.kib(&body)?).await;
        let permits = [item, kib].map(|permit| permit.map_err(|_| Error::closed()));
        self.enqueue(to, kind, body, id, permits).await
    }

    /// Sends a message; a text becomes one.
    ///
    /// # Errors
    /// As [`Client::submit`].
    ///
    /// # Cancel safety
    /// As [`Client::submit`].
    pub async fn send(
        &self,
        to: impl Into<To>,
        message: impl Into<NewMessage>,
    ) -> Result<SendHandle, Error> {
        self.submit(to, Action::Text(message.into()), None).await
    }

    /// As [`Client::send`], with an id chosen by the caller.
    ///
    /// # Errors
    /// As [`Client::submit`].
    ///
    /// # Cancel safety
    /// As [`Client::submit`].
    pub async fn send_with_id(
        &self,
        to: impl Into<To>,
        message: impl Into<NewMessage>,
        id: ClientMessageId,
    ) -> Result<SendHandle, Error> {
        self.submit(to, Action::Text(message.into()), Some(id)).await
    }

    /// As [`Client::send`], but does not wait for room.
    ///
    /// # Errors
    /// As [`Client::submit`], and [`ErrorKind::Full`] when the outbox is full.
    ///
    /// # Cancel safety
    /// As [`Client::submit`].
    pub async fn try_send(
        &self,
        to: impl Into<To>,
        message: impl Into<NewMessage>,
    ) -> Result<SendHandle, Error> {
        let to = to.into();
        let (kind, body) = compose(&to, Action::Text(message.into()))?;
        let inner = &self.shared.0;
        let full = || Error::new(ErrorKind::Full, "the outbox is full");
        let item = Arc::clone(&inner.outbox_items).try_acquire_owned();
        let kib = Arc::clone(&inner.outbox_kib).try_acquire_many_owned(self.kib(&body)?);
        let permits = [item, kib].map(|permit| permit.map_err(|_| full()));
        self.enqueue(to, kind, body, None, permits).await
    }

    /// Gives an own message another text. What it said before stays readable
    /// ([`Range::EditsOf`]).
    ///
    /// # Errors
    /// As [`Client::submit`]. The handle fails with `forbidden` for somebody
    /// else's message, `target_invalid` for one that is gone.
    ///
    /// # Cancel safety
    /// As [`Client::submit`].
    pub async fn edit(
        &self,
        conversation: ConversationId,
        seq: u64,
        message: impl Into<NewMessage>,
    ) -> Result<SendHandle, Error> {
        self.submit(conversation, Action::Edit { seq, message: message.into() }, None).await
    }

    /// Deletes a message for all: an own one, or in a group anybody's as an admin.
    ///
    /// # Errors
    /// As [`Client::submit`] and [`Client::ordinal`]. The handle fails with
    /// `forbidden` or `target_invalid`.
    ///
    /// # Cancel safety
    /// As [`Client::submit`].
    pub async fn delete_for_all(
        &self,
        conversation: ConversationId,
        seq: u64,
    ) -> Result<SendHandle, Error> {
        let ordinal = self.ordinal(conversation, seq).await?;
        self.submit(conversation, Action::Delete { seq, ordinal }, None).await
    }

    /// The ordinal of a message, which [`Action::Delete`] needs; from the store
    /// or else from the server.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] with code `target_invalid` when there is no such
    /// message; [`ErrorKind::Timeout`] when offline and not cached.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn ordinal(&self, conversation: ConversationId, seq: u64) -> Result<u64, Error> {
        let range = Range::After(seq.saturating_sub(1));
        let page = match self.cached(conversation, range, 1).await? {
            Some(page) => page,
            None => self.history(conversation, range, 1).await?,
        };
        let mut messages = page.entries.iter().filter_map(|entry| entry.message());
        let found = messages.find(|message| message.seq == seq && !message.deleted);
        found.map(|message| message.ordinal).ok_or_else(|| {
            let code = parley_protocol::Code::TargetInvalid;
            Error::from_code(code as u32, code.text(), 0)
        })
    }

    /// Reacts to a message, usually with one emoji.
    ///
    /// # Errors
    /// As [`Client::submit`]. The handle fails with `list_full` for more than eight.
    ///
    /// # Cancel safety
    /// As [`Client::submit`].
    pub async fn react(
        &self,
        conversation: ConversationId,
        seq: u64,
        emoji: impl Into<String>,
    ) -> Result<SendHandle, Error> {
        let action = Action::React { seq, emoji: emoji.into(), removed: false };
        self.submit(conversation, action, None).await
    }

    /// Takes an own reaction back.
    ///
    /// # Errors
    /// As [`Client::submit`].
    ///
    /// # Cancel safety
    /// As [`Client::submit`].
    pub async fn unreact(
        &self,
        conversation: ConversationId,
        seq: u64,
        emoji: impl Into<String>,
    ) -> Result<SendHandle, Error> {
        let action = Action::React { seq, emoji: emoji.into(), removed: true };
        self.submit(conversation, action, None).await
    }

    /// Pins a message.
    ///
    /// # Errors
    /// As [`Client::submit`]. The handle fails with `forbidden`, `list_full`,
    /// or `target_invalid`.
    ///
    /// # Cancel safety
    /// As [`Client::submit`].
    pub async fn pin(&self, conversation: ConversationId, seq: u64) -> Result<SendHandle, Error> {
        self.submit(conversation, Action::Pin { seq, removed: false }, None).await
    }

    /// Takes a pin off.
    ///
    /// # Errors
    /// As [`Client::pin`].
    ///
    /// # Cancel safety
    /// As [`Client::submit`].
    pub async fn unpin(&self, conversation: ConversationId, seq: u64) -> Result<SendHandle, Error> {
        self.submit(conversation, Action::Pin { seq, removed: true }, None).await
    }

    fn kib(&self, body: &Bytes) -> Result<u32, Error> {
        let kib = u32::try_from(body.len().div_ceil(1024)).unwrap_or(u32::MAX).max(1);
        if kib > self.shared.0.outbox_max_kib {
            return Err(Error::new(ErrorKind::Full, "the message is larger than the outbox"));
        }
        Ok(kib)
    }

    async fn enqueue(
        &self,
        to: To,
        kind: u32,
        body: Bytes,
        id: Option<ClientMessageId>,
        permits: [Result<OwnedSemaphorePermit, Error>; 2],
    ) -> Result<SendHandle, Error> {
        let [item, kib] = permits;
        let id = id.map_or_else(random_id, Ok)?;
        let permits = [item?, kib?];
        let draft = Draft { to, client_message_id: id.clone(), kind, body, permits };
        let (reply, answer) = oneshot::channel();
        self.shared.command(Command::Send { draft, reply }).await?;
        let (local_id, status) = answer.await.map_err(|_| Error::closed())??;
        Ok(SendHandle::new(local_id, id, status, self.shared.clone()))
    }
}

fn random_id() -> Result<ClientMessageId, Error> {
    let id = uuid::Uuid::now_v7();
    ClientMessageId::new(Bytes::copy_from_slice(id.as_bytes())).map_err(|_| convert::malformed())
}
