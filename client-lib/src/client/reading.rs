//! Conversations and their history, cursors, and what the user set for them.

use parley_protocol::ids::ConversationId;
use parley_protocol::wire::{self, client_envelope::Kind, server_envelope};
use tokio::sync::oneshot;

use super::{Client, unexpected};
use crate::driver::Command;
use crate::machine::history::{self, Reader};
use crate::machine::{
    Call, Conversation, Description, Error, HistoryPage, MemberReceipt, PreferencesChange, Range,
    Reply, User, convert,
};

impl Client {
    /// Reads a part of a conversation, at most `limit` entries (the server's
    /// own limit applies too). Messages come as they are now: edited, deleted,
    /// with their reactions. Offline it is answered from the store's cache, as
    /// far as that goes.
    ///
    /// # Errors
    /// The server's refusal; [`crate::ErrorKind::Timeout`] when offline and not cached.
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
        let Reply::Page(page) =
            self.shared.call(Call::Fetch { conversation, range, limit }).await?
        else {
            return Err(unexpected());
        };
        let people = page.entries.iter().chain(&page.related).flat_map(history::people);
        let names = self.users(people, page.names.clone()).await?;
        let name = |user| names.get(&user).cloned().unwrap_or_else(|| User::nameless(user));
        Ok(Reader { conversation, me: page.me, name: &name }.page(page))
    }

    pub(super) async fn cached(
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
    /// the server's answer; offline it returns what is known.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Closed`], [`crate::ErrorKind::Timeout`].
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

    /// What a conversation is and who is in it, with everybody's cursors as far
    /// as this client knows them.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Refused`] with code `not_found`; [`crate::ErrorKind::Timeout`].
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
    /// The server's refusal; [`crate::ErrorKind::Timeout`] when offline for too
    /// long, and then it is still said after the reconnect.
    ///
    /// # Cancel safety
    /// Once polled, it is said in any case.
    pub async fn mark_read(&self, conversation: ConversationId, up_to: u64) -> Result<(), Error> {
        self.shared.call(Call::Read { conversation, up_to }).await.map(|_| ())
    }

    /// Says that this device holds everything up to `up_to`. The client does so
    /// by itself for what it emits; this is for programs that want to say it.
    ///
    /// # Errors
    /// `cursor_ahead` for more than this device was given; [`crate::ErrorKind::Timeout`].
    ///
    /// # Cancel safety
    /// Dropped before it returns, it may or may not have been said.
    pub async fn mark_delivered(
        &self,
        conversation: ConversationId,
        up_to: u64,
    ) -> Result<(), Error> {
        let delivered = wire::Delivered { conversation: conversation.to_wire(), up_to };
        match self.shared.ask(Kind::Delivered(delivered)).await? {
            server_envelope::Kind::Moved(_) => Ok(()),
            _ => Err(unexpected()),
        }
    }

    /// Who has a message and who read it, other than its author, as far as they
    /// let this user know.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Refused`] with code `not_found`; [`crate::ErrorKind::Timeout`].
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn receipts(
        &self,
        conversation: ConversationId,
        seq: u64,
    ) -> Result<Vec<MemberReceipt>, Error> {
        let receipts = wire::Receipts { conversation: conversation.to_wire(), seq };
        let server_envelope::Kind::ReceiptList(list) =
            self.shared.ask(Kind::Receipts(receipts)).await?
        else {
            return Err(unexpected());
        };
        let ids = list.members.iter().map(|it| convert::user_id(&it.user));
        let ids = ids.collect::<Result<Vec<_>, Error>>()?;
        let names = self.users(ids.iter().copied(), Vec::new()).await?;
        let at = |time_ms: u64| (time_ms > 0).then_some(time_ms);
        let members = ids.iter().zip(&list.members).map(|(id, member)| MemberReceipt {
            user: names.get(id).cloned().unwrap_or_else(|| User::nameless(*id)),
            delivered_ms: at(member.delivered_ms),
            read_ms: at(member.read_ms),
        });
        Ok(members.collect())
    }

    /// Sets something for a conversation, on all devices of the user: mute,
    /// archive, pin, mark unread, level, draft, clear, accept.
    ///
    /// # Errors
    /// The server's refusal; [`crate::ErrorKind::Timeout`].
    ///
    /// # Cancel safety
    /// Dropped before it returns, it may or may not have happened.
    pub async fn set_preferences(
        &self,
        conversation: ConversationId,
        change: PreferencesChange,
    ) -> Result<(), Error> {
        let set = Kind::SetPreferences(convert::set_preferences(conversation, change));
        changed(&self.shared.ask(set).await?)
    }

    /// Hides messages from the user themselves, on all their devices; at most
    /// 500 at once. Nobody else notices.
    ///
    /// # Errors
    /// The server's refusal; [`crate::ErrorKind::Timeout`].
    ///
    /// # Cancel safety
    /// Dropped before it returns, it may or may not have happened.
    pub async fn hide(&self, conversation: ConversationId, seqs: &[u64]) -> Result<(), Error> {
        let hide = wire::Hide { conversation: conversation.to_wire(), seqs: seqs.to_vec() };
        changed(&self.shared.ask(Kind::Hide(hide)).await?)
    }
}

fn changed(answer: &server_envelope::Kind) -> Result<(), Error> {
    match answer {
        server_envelope::Kind::Changed(_) => Ok(()),
        _ => Err(unexpected()),
    }
}
