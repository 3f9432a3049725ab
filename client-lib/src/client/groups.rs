//! Groups: making them, who is in them, what they are called, invite links.

use parley_protocol::ids::{ConversationId, UserId};
use parley_protocol::wire::{self, client_envelope::Kind, invites::Act, server_envelope};

use super::{Client, SendHandle, unexpected};
use crate::machine::{
    Action, ConversationChange, Error, Invite, InviteId, InvitePreview, NewGroup, Role, To, User,
    convert,
};

impl Client {
    /// Makes a group. Its id is in what [`SendHandle::sent`] returns.
    ///
    /// # Errors
    /// As [`Client::submit`]. The handle fails with `group_full`, `not_found` or,
    /// when somebody doesn't want to be added, `not_accepted`.
    ///
    /// # Cancel safety
    /// As [`Client::submit`].
    pub async fn create_group(&self, group: NewGroup) -> Result<SendHandle, Error> {
        self.submit(To::NewGroup, Action::CreateGroup(group), None).await
    }

    /// Brings people into a group.
    ///
    /// # Errors
    /// As [`Client::create_group`]; `forbidden`.
    ///
    /// # Cancel safety
    /// As [`Client::submit`].
    pub async fn add_members(
        &self,
        conversation: ConversationId,
        users: &[UserId],
    ) -> Result<SendHandle, Error> {
        self.submit(conversation, Action::AddMembers(users.to_vec()), None).await
    }

    /// Removes a member whose role is lower than the own one from a group.
    ///
    /// # Errors
    /// As [`Client::submit`]. The handle fails with `forbidden` or `target_invalid`.
    ///
    /// # Cancel safety
    /// As [`Client::submit`].
    pub async fn remove_member(
        &self,
        conversation: ConversationId,
        user: UserId,
    ) -> Result<SendHandle, Error> {
        self.submit(conversation, Action::RemoveMember(user), None).await
    }

    /// Keeps somebody out of a group, and removes them if they are in. They need
    /// not be known to the group. Adding them lifts it, as [`Client::unban_member`]
    /// does.
    ///
    /// # Errors
    /// As [`Client::remove_member`]; `list_full`.
    ///
    /// # Cancel safety
    /// As [`Client::submit`].
    pub async fn ban_member(
        &self,
        conversation: ConversationId,
        user: UserId,
    ) -> Result<SendHandle, Error> {
        self.submit(conversation, Action::BanMember(user), None).await
    }

    /// Lets somebody come in again who was banned.
    ///
    /// # Errors
    /// As [`Client::remove_member`].
    ///
    /// # Cancel safety
    /// As [`Client::submit`].
    pub async fn unban_member(
        &self,
        conversation: ConversationId,
        user: UserId,
    ) -> Result<SendHandle, Error> {
        self.submit(conversation, Action::UnbanMember(user), None).await
    }

    /// Who is banned from a group. Admins and the owner are told; everybody else
    /// is told of nobody.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Refused`] with code `not_found`; [`crate::ErrorKind::Timeout`].
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn banned(&self, conversation: ConversationId) -> Result<Vec<User>, Error> {
        let describe = Kind::Describe(wire::Describe { conversation: conversation.to_wire() });
        let server_envelope::Kind::Described(described) = self.shared.ask(describe).await? else {
            return Err(unexpected());
        };
        let ids = described.banned.iter().map(|id| convert::user_id(id));
        let ids = ids.collect::<Result<Vec<_>, Error>>()?;
        let names = self.users(ids.iter().copied(), Vec::new()).await?;
        let named = |id| names.get(&id).cloned().unwrap_or_else(|| User::nameless(id));
        Ok(ids.into_iter().map(named).collect())
    }

    /// Leaves a group. What was said until then stays readable.
    ///
    /// # Errors
    /// As [`Client::submit`]. The handle fails with `forbidden`.
    ///
    /// # Cancel safety
    /// As [`Client::submit`].
    pub async fn leave(&self, conversation: ConversationId) -> Result<SendHandle, Error> {
        self.submit(conversation, Action::Leave, None).await
    }

    /// Gives a member another role. Only the owner may. [`Role::Owner`] hands the
    /// group over.
    ///
    /// # Errors
    /// As [`Client::submit`]. The handle fails with `forbidden` or `target_invalid`.
    ///
    /// # Cancel safety
    /// As [`Client::submit`].
    pub async fn set_role(
        &self,
        conversation: ConversationId,
        user: UserId,
        role: Role,
    ) -> Result<SendHandle, Error> {
        self.submit(conversation, Action::SetRole { user, role }, None).await
    }

    /// Changes title, description, picture or settings.
    ///
    /// # Errors
    /// As [`Client::submit`]. The handle fails with `forbidden`.
    ///
    /// # Cancel safety
    /// As [`Client::submit`].
    pub async fn change_conversation(
        &self,
        conversation: ConversationId,
        change: ConversationChange,
    ) -> Result<SendHandle, Error> {
        self.submit(conversation, Action::ChangeConversation(change), None).await
    }

    /// Erases everything up to a seq for all members. Only the owner may.
    ///
    /// # Errors
    /// As [`Client::submit`]. The handle fails with `forbidden` or `target_invalid`.
    ///
    /// # Cancel safety
    /// As [`Client::submit`].
    pub async fn erase_history(
        &self,
        conversation: ConversationId,
        up_to: u64,
    ) -> Result<SendHandle, Error> {
        self.submit(conversation, Action::EraseHistory { up_to }, None).await
    }

    /// Joins the group that an invite code leads to.
    ///
    /// # Errors
    /// As [`Client::submit`]. The handle fails with `invite_invalid` or `group_full`.
    ///
    /// # Cancel safety
    /// As [`Client::submit`].
    pub async fn join(&self, code: impl Into<String>) -> Result<SendHandle, Error> {
        self.submit(To::Invite(code.into()), Action::Join, None).await
    }

    /// What an invite code leads to.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Refused`] with code `invite_invalid`; [`crate::ErrorKind::Timeout`].
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn peek_invite(&self, code: impl Into<String>) -> Result<InvitePreview, Error> {
        let peek = Kind::PeekInvite(wire::PeekInvite { code: code.into() });
        match self.shared.ask(peek).await? {
            server_envelope::Kind::InvitePreview(preview) => convert::preview(&preview),
            _ => Err(unexpected()),
        }
    }

    /// Makes an invite link: until `expires_ms` (Unix milliseconds), for at most
    /// `max_uses` people.
    ///
    /// # Errors
    /// The server's refusal; [`crate::ErrorKind::Timeout`].
    ///
    /// # Cancel safety
    /// Dropped before it returns, there may be a link that nobody was told of;
    /// [`Client::invites`] lists it. The same after a reconnect.
    pub async fn create_invite(
        &self,
        conversation: ConversationId,
        expires_ms: Option<u64>,
        max_uses: Option<u32>,
    ) -> Result<Invite, Error> {
        let (expires_ms, max_uses) = (expires_ms.unwrap_or(0), max_uses.unwrap_or(0));
        let act = Act::Create(wire::NewInvite { expires_ms, max_uses });
        let mut links = self.invite_act(conversation, act).await?;
        links.pop().ok_or_else(convert::malformed)
    }

    /// Ends an invite link.
    ///
    /// # Errors
    /// As [`Client::create_invite`].
    ///
    /// # Cancel safety
    /// Dropped before it returns, it may or may not have happened.
    pub async fn revoke_invite(
        &self,
        conversation: ConversationId,
        invite: InviteId,
    ) -> Result<(), Error> {
        let act = Act::Revoke(invite.0.to_vec().into());
        self.invite_act(conversation, act).await.map(|_| ())
    }

    /// The invite links that still work, oldest first.
    ///
    /// # Errors
    /// As [`Client::create_invite`].
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn invites(&self, conversation: ConversationId) -> Result<Vec<Invite>, Error> {
        self.invite_act(conversation, Act::List(true)).await
    }

    async fn invite_act(
        &self,
        conversation: ConversationId,
        act: Act,
    ) -> Result<Vec<Invite>, Error> {
        let conversation = conversation.to_wire();
        let invites = Kind::Invites(wire::Invites { conversation, act: Some(act) });
        match self.shared.ask(invites).await? {
            server_envelope::Kind::InviteLinks(links) => {
                links.links.into_iter().map(convert::invite).collect()
            }
            _ => Err(unexpected()),
        }
    }
}
