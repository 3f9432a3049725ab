//! What a shard decides: sends and cursor moves. The people are asked first.

use std::net::IpAddr;
use std::sync::Arc;

use parley_core::conversation::{Act, Change};
use parley_core::session::{Command, CursorMove, Identity, RequestNumber, To};
use parley_protocol::{Code, ConversationId, UserId};

use super::refusal::Refusal;
use super::{Host, Inner};
use crate::base::space::Need;
use crate::chat::link::{Item, Link};
use crate::chat::reading;
use crate::chat::shard::{Error, MoveRequest, SendRequest, SendTo, Visibility};

impl Host {
    /// Hands a send to its shard. It is answered by way of `link`: at once when
    /// it is refused, otherwise when it is committed.
    pub(super) async fn submit(
        &self,
        identity: &Identity,
        from: IpAddr,
        link: &Arc<Link>,
        request: RequestNumber,
        command: Command,
    ) {
        let work = self.work(from, identity.user);
        let sent = work.count(self.send(identity, from, link, request, command)).await;
        if let Err(refusal) = sent {
            self.note_refusal(from, identity.user, &refusal);
            link.push(Item::Answer(refusal.answer(request)));
        }
    }

    /// Hands a cursor move to its shard. It is answered by way of `link`, unless
    /// it has no number.
    pub(super) async fn move_cursor(
        &self,
        identity: &Identity,
        from: IpAddr,
        link: &Arc<Link>,
        request: Option<RequestNumber>,
        wanted: CursorMove,
    ) {
        let moved = async {
            self.inner.space.check(Need::Upkeep)?;
            self.charge_guess(from, identity.user)?;
            self.move_to(identity, link, request, wanted).await
        };
        if let Err(refusal) = moved.await {
            self.note_refusal(from, identity.user, &refusal);
            if let Some(request) = request {
                link.push(Item::Answer(refusal.answer(request)));
            }
        }
    }

    /// Conversations of users for which a bucket is kept.
    #[cfg(test)]
    pub(crate) fn send_buckets(&self) -> usize {
        self.inner.rates.send_buckets()
    }

    /// A cursor move by itself, for tests of the whole.
    #[cfg(test)]
    pub(crate) async fn move_one(&self, identity: &Identity, link: &Arc<Link>, wanted: CursorMove) {
        let from = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
        self.move_cursor(identity, from, link, Some(RequestNumber::MIN), wanted).await;
    }

    async fn send(
        &self,
        identity: &Identity,
        from: IpAddr,
        link: &Arc<Link>,
        request: RequestNumber,
        command: Command,
    ) -> Result<(), Refusal> {
        let Command { to, id, body, act } = command;
        let to = self.target(to).await?;
        // First, so that of what is none to the sender nothing else is asked.
        let pair = match to {
            SendTo::Conversation(id) => reading::pair(&self.inner.shards, identity, id).await?,
            SendTo::Peer(_) | SendTo::NewGroup | SendTo::Invite(..) => None,
        };
        let peer = pair.map(|pair| pair.peer);
        let refused = self.refused(identity.user, to, peer, &act).await?;
        if refused.is_none() {
            self.charge_send(identity, from, to, &act).await?;
        }
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
        let visibility = self.visibility(identity, conversation).await?;
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
    async fn refused(
        &self,
        user: UserId,
        to: SendTo,
        peer: Option<UserId>,
        act: &Act,
    ) -> Result<Option<Code>, Code> {
        let people = &self.inner.people;
        let asked = match (act, to) {
            (Act::Change(Change::Created { members: named, .. } | Change::Added(named)), _) => {
                people.may_add(user, named).await
            }
            (act, SendTo::Peer(peer)) => self.may_write(user, peer, act).await,
            (act, SendTo::Conversation(_)) => match peer {
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

    /// What others may learn of where the user's cursors go.
    async fn visibility(
        &self,
        identity: &Identity,
        id: ConversationId,
    ) -> Result<Visibility, Refusal> {
        let Inner { people, shards, .. } = &*self.inner;
        let user = identity.user;
        let pair = reading::pair(shards, identity, id).await?;
        let takes_part = match pair {
            Some(pair) => {
                reading::takes_part(shards, people, id, (user, pair.peer), pair.own).await?
            }
            None => true,
        };
        let peer = pair.map(|pair| pair.peer);
        let (shown, hidden_from) = people.shown(user, peer, takes_part).await?;
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
