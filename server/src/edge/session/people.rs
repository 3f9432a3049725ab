//! Requests about people.

use parley_core::session::{Identity, notice};
use parley_protocol::wire::server_envelope::Kind;
use parley_protocol::wire::{AccountChanged, Report, Reported, update_account};
use parley_protocol::{Code, ConversationId, SessionId, UserId};

use super::Host;
use super::refusal::Refusal;

impl Host {
    pub(super) async fn profile(&self, asker: UserId, user: UserId) -> Result<Kind, Refusal> {
        Ok(Kind::Profile(self.inner.people.profile(asker, user).await?))
    }

    pub(super) async fn account(&self, user: UserId) -> Result<Kind, Refusal> {
        Ok(Kind::AccountState(self.inner.people.account(user).await?))
    }

    /// Changes the account and tells the user's other sessions.
    pub(super) async fn update_account(
        &self,
        user: UserId,
        change: update_account::Change,
        origin: SessionId,
    ) -> Result<Kind, Refusal> {
        let updated = self.inner.people.update(user, change).await?;
        let changed = Kind::AccountChanged(AccountChanged { revision: updated.revision });
        if !updated.changed() {
            return Ok(changed);
        }
        self.account_changed(user, &updated);
        self.inner.homes.notify(user, &notice(changed.clone()), Some(origin));
        Ok(changed)
    }

    /// Keeps a report. Who reports a conversation has to see it.
    pub(super) async fn report(
        &self,
        identity: &Identity,
        report: Report,
    ) -> Result<Kind, Refusal> {
        if !report.conversation.is_empty() {
            let id = ConversationId::from_slice(&report.conversation);
            let id = id.map_err(|_| Code::BadRequest)?;
            let seen = self.inner.shards.visible(identity, id).await;
            seen.map_err(|error| error.code())?;
        }
        self.inner.people.report(identity.user, report).await?;
        Ok(Kind::Reported(Reported {}))
    }
}
