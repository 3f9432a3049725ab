//! What a shard decides: sends and cursor moves. The people are asked first.

use std::sync::Arc;

use parley_core::conversation::{Act, Change};
use parley_core::session::{Command, CursorMove, Identity, RequestNumber, To};
use parley_protocol::{Code, ConversationId, UserId};

use super::Host;
use super::refusal::Refusal;
use crate::chat::link::{Item, Link};
use crate::chat::reading;
use crate::chat::shard::{Error, MoveRequest, SendRequest, SendTo, Visibility};

impl Host {
    /// Hands a send to its shard. It is answered by way of `link`: at once when
    /// it is refused, otherwise when it is committed.
    pub(super) async fn submit(
        &self,
        identity: &Identity,
        link: &Arc<Link>,
        request: RequestNumber,
        command: Command,
    ) {
        if let Err(refusal) = self.send(identity, link, request, command).await {
            link.push(Item::Answer(refusal.answer(request)));
        }
    }

    /// Hands a cursor move to its shard. It is answered by way of `link`, unless
    /// it has no number.
    pub(super) async fn move_cursor(
        &self,
        identity: &Identity,
        link: &Arc<Link>,
        request: Option<RequestNumber>,
        wanted: CursorMove,
    ) {
        if let Err(refusal) = self.move_to(identity, link, request, wanted).await
            && let Some(request) = request
        {
            link.push(Item::Answer(refusal.answer(request)));
        }
    }

    async fn send(
        &self,
        identity: &Identity,
        link: &Arc<Link>,
        request: RequestNumber,
        command: Command,
    ) -> Result<(), Refusal> {
        let Command { to, id, body, act } = command;
        let to = self.target(to).await?;
        let refused = self.refused(identity.user, to, &act).await?;
        self.wrote(identity.user, &act);
        let send = SendRequest { to, id, body, act, refused };
        let sent = self.inner.shards.send(identity, link, request, send).await;
        sent.map_err(|error| explain(link, &error).into())
    }

    async fn move_to(
        &self,
        identity: &Identity,
        link: &Arc<Link>,
        request: Option<RequestNumber>,
        wanted: CursorMove,
    ) -> Result<(), Refusal> {
        let CursorMove { conversation, which, up_to, given } = wanted;
        let visibility = self.visibility(identity.user, conversation).await?;
        let wanted = MoveRequest { conversation, which, up_to, given, visibility };
        let moved = self.inner.shards.move_cursor(identity, link, request, wanted).await;
        moved.map_err(|error| explain(link, &error).into())
    }

    /// What a send is for.
    async fn target(&self, to: To) -> Result<SendTo, Code> {
        match to {
            To::Conversation(id) => Ok(SendTo::Conversation(id)),
            To::NewGroup => Ok(SendTo::NewGroup),
            To::Invite(code) => {
                let (group, link) = reading::resolve(&self.inner.shards, &code.0).await?;
                Ok(SendTo::Invite(group, link))
            }
            To::Peer(peer) => Ok(SendTo::Peer(peer)),
        }
    }

    /// Why people don't take it, if they don't: a block, a setting, or there is
    /// nobody. Whether the conversation takes it is the shard's to say.
    async fn refused(&self, user: UserId, to: SendTo, act: &Act) -> Result<Option<Code>, Code> {
        let people = &self.inner.people;
        let asked = match (act, to) {
            (Act::Change(Change::Created { members: named, .. } | Change::Added(named)), _) => {
                people.may_add(user, named).await
            }
            (act, SendTo::Peer(peer)) => self.may_write(user, peer, act).await,
            (act, SendTo::Conversation(id)) => match self.peer(user, id).await? {
                Some(peer) => self.may_write(user, peer, act).await,
                None => Ok(()),
            },
            (_, SendTo::NewGroup | SendTo::Invite(..)) => Ok(()),
        };
        match asked {
            Ok(()) => Ok(None),
            Err(code @ (Code::NotFound | Code::NotAccepted | Code::Forbidden)) => Ok(Some(code)),
            Err(code) => Err(code),
        }
    }

    /// Whether the other one of a 1:1 takes it.
    async fn may_write(&self, user: UserId, peer: UserId, act: &Act) -> Result<(), Code> {
        let people = &self.inner.people;
        match act {
            Act::Change(Change::Changed { settings: Some(_), .. }) => {
                people.may_keep(user, peer).await
            }
            _ => people.may_message(user, peer).await,
        }
    }

    /// The other one, if the conversation is a 1:1.
    async fn peer(&self, user: UserId, id: ConversationId) -> Result<Option<UserId>, Code> {
        let peer = self.inner.shards.with(id, |found, _| found.state().peer(user)).await;
        peer.map(Option::flatten).map_err(|error| error.code())
    }

    /// What others may learn of where the user's cursors go.
    async fn visibility(&self, user: UserId, id: ConversationId) -> Result<Visibility, Refusal> {
        let peer = self.peer(user, id).await?;
        let (shown, hidden_from) = self.inner.people.shown(user, peer).await?;
        Ok(Visibility { shown, hidden_from })
    }
}

fn explain(link: &Link, error: &Error) -> Code {
    let code = error.code();
    if code == Code::Internal {
        tracing::error!(session = %link.id, %error, "a command failed");
    }
    code
}
