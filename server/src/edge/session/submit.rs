//! Commands: what changes a conversation. The people are asked first, the shard
//! decides.

use std::sync::Arc;

use parley_core::conversation::{Act, Change};
use parley_core::session::{Command, Identity, To};
use parley_protocol::{Code, ConversationId, UserId};

use super::Host;
use super::refusal::Refusal;
use crate::chat::link::{Item, Link};
use crate::chat::reading;
use crate::chat::shard::{Error, MoveRequest, SendRequest, SendTo, Visibility};

impl Host {
    /// Carries a command out; its answer goes to `link`, now or when it is
    /// committed. Request 0 asked for no answer, not even that it failed.
    pub(super) async fn submit(
        &self,
        identity: &Identity,
        link: &Arc<Link>,
        request: u64,
        command: Command,
    ) {
        if let Err(refusal) = self.command(identity, link, request, command).await
            && request != 0
        {
            link.push(Item::Answer(refusal.answer(request)));
        }
    }

    async fn command(
        &self,
        identity: &Identity,
        link: &Arc<Link>,
        request: u64,
        command: Command,
    ) -> Result<(), Refusal> {
        let shards = &self.inner.shards;
        let done = match command {
            Command::Send { to, id, body, act } => {
                let to = self.target(identity, to).await?;
                let refused = self.refused(identity.user, to, &act).await?;
                self.wrote(identity.user, &act);
                let send = SendRequest { to, id, body, act, refused };
                shards.send(identity, link, request, send).await
            }
            Command::MoveCursor { conversation, which, up_to, given } => {
                let visibility = self.visibility(identity.user, conversation).await?;
                let wanted = MoveRequest { conversation, which, up_to, given, visibility };
                shards.move_cursor(identity, link, request, wanted).await
            }
        };
        done.map_err(|error| explain(link, &error).into())
    }

    /// What a send is for.
    async fn target(&self, _identity: &Identity, to: To) -> Result<SendTo, Code> {
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
    /// nobody. Whether the conversation does is the shard's to say.
    async fn refused(&self, user: UserId, to: SendTo, act: &Act) -> Result<Option<Code>, Code> {
        let people = &self.inner.people;
        let asked = match (act, to) {
            (Act::Change(Change::Created { members: named, .. } | Change::Added(named)), _) => {
                people.may_add(user, named).await
            }
            (_, SendTo::Peer(peer)) => people.may_message(user, peer).await,
            (_, SendTo::Conversation(id)) => match self.peer(user, id).await? {
                Some(peer) => people.may_message(user, peer).await,
                None => Ok(()),
            },
            (_, SendTo::NewGroup | SendTo::Invite(..)) => Ok(()),
        };
        match asked {
            Ok(()) => Ok(None),
            Err(code @ (Code::NotFound | Code::NotAccepted)) => Ok(Some(code)),
            Err(code) => Err(code),
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
