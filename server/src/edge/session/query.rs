//! Queries, one at a time for each session; how many read at a time is bounded
//! over all sessions.

use std::sync::Arc;

use parley_core::session::{Identity, Query, Range, RequestNumber, pong, reply};
use parley_protocol::wire::{Fetched, Found, SetPreferences, User, server_envelope::Kind};
use parley_protocol::{Code, ConversationId, SessionId, UserId};

use super::refusal::Refusal;
use super::{Host, Running};
use crate::accounts::{self, AccountError};
use crate::base::clock::wall_ms;
use crate::chat::link::{Item, Link};
use crate::chat::reading::{self, Page};
use crate::storage::store::StoreError;

impl Running<'_> {
    /// Answers a heartbeat from memory.
    pub(super) fn ping(&self, request: Option<RequestNumber>) {
        let homes = &self.host.inner.homes;
        // Known since `Welcome`, which read the feed.
        let position = homes.known_position(self.opened.identity.user).unwrap_or(0);
        let answer = pong(request, position, wall_ms());
        // One without a number was not counted as waiting for its answer.
        let item = match request {
            Some(_) => Item::Answer(answer),
            None => Item::Notice(answer),
        };
        self.opened.link.push(item);
    }
}

impl Host {
    /// Answers a query: returns what is to be written, unless it is in the link
    /// already.
    pub(super) async fn query(
        &self,
        identity: &Identity,
        link: &Arc<Link>,
        request: RequestNumber,
        query: Query,
    ) -> Result<Option<Item>, Refusal> {
        let user = identity.user;
        let kind = match query {
            Query::Presence(users) => {
                self.presence_of(link, request, users).await?;
                return Ok(None);
            }
            Query::Fetch { conversation, range, limit } => {
                let page = self.fetch(identity, conversation, range, limit).await?;
                let given = page.interval();
                let answer = reply(request, Kind::Fetched(fetched(conversation, page)));
                return Ok(Some(Item::Fetched(answer, conversation, given)));
            }
            Query::GetProfile(wanted) => self.profile(user, wanted).await?,
            Query::GetAccount => self.account(user).await?,
            Query::UpdateAccount(change) => self.update_account(user, change, link.id).await?,
            Query::Report(report) => self.report(identity, report).await?,
            Query::Sync { since } => Kind::Changes(self.changes(user, since).await?),
            Query::FindByName(name) => found(self.inner.accounts.find_by_name(&name).await)?,
            Query::FindById(id) => found(self.inner.accounts.find_by_id(id).await)?,
            Query::Describe(conversation) => self.describe(identity, conversation).await?,
            Query::Receipts { conversation, seq } => {
                self.receipts(identity, conversation, seq).await?
            }
            Query::SetPreferences(conversation, change) => {
                self.set_preferences(identity, link.id, conversation, change).await?
            }
            Query::Hide { conversation, seqs } => {
                let preferences = &self.inner.preferences;
                Kind::Changed(preferences.hide(identity, link.id, conversation, seqs).await?)
            }
            Query::Hidden { conversation, after } => {
                let _permit = self.inner.reads.permit(identity.user).await;
                let preferences = &self.inner.preferences;
                Kind::HiddenSeqs(preferences.hidden(identity, conversation, after).await?)
            }
            Query::Invites { conversation, act } => {
                let shards = &self.inner.shards;
                Kind::InviteLinks(reading::invites(shards, identity, conversation, act).await?)
            }
            Query::PeekInvite(code) => {
                let _permit = self.inner.reads.permit(identity.user).await;
                Kind::InvitePreview(reading::peek(&self.inner.shards, identity, &code.0).await?)
            }
        };
        Ok(Some(Item::Answer(reply(request, kind))))
    }

    async fn fetch(
        &self,
        identity: &Identity,
        conversation: ConversationId,
        range: Range,
        limit: u32,
    ) -> Result<Page, Code> {
        let _permit = self.inner.reads.permit(identity.user).await;
        reading::fetch(&self.inner.shards, identity, conversation, range, limit).await
    }

    async fn describe(&self, identity: &Identity, id: ConversationId) -> Result<Kind, Refusal> {
        let person = self.inner.people.person(identity.user).await?;
        let _permit = self.inner.reads.permit(identity.user).await;
        let shards = &self.inner.shards;
        Ok(Kind::Described(reading::describe(shards, &person, identity, id).await?))
    }

    async fn receipts(
        &self,
        identity: &Identity,
        id: ConversationId,
        seq: u64,
    ) -> Result<Kind, Refusal> {
        let person = self.inner.people.person(identity.user).await?;
        let _permit = self.inner.reads.permit(identity.user).await;
        let shards = &self.inner.shards;
        Ok(Kind::ReceiptList(reading::receipts(shards, &person, identity, id, seq).await?))
    }

    async fn set_preferences(
        &self,
        identity: &Identity,
        session: SessionId,
        id: ConversationId,
        change: SetPreferences,
    ) -> Result<Kind, Refusal> {
        let accepts = change.accepted.unwrap_or(false);
        let changed = self.inner.preferences.set(identity, session, id, change).await?;
        if accepts {
            self.inner.shards.note_taking_part(id, identity.user, true);
            // The stranger who was accepted sees the user from now on.
            self.inner.presence.privacy_changed(identity.user);
        }
        Ok(Kind::Changed(changed))
    }

    /// Reads from the store, in turn.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        user: UserId,
        read: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Code> {
        let read = move || {
            read().map_err(|error| {
                tracing::error!(%error, "the store could not be read");
                Code::Internal
            })
        };
        self.inner.reads.run(user, read).await
    }
}

fn found(found: Result<Option<accounts::User>, AccountError>) -> Result<Kind, Code> {
    match found {
        Ok(Some(user)) => {
            let user = User { id: user.id.to_wire(), name: user.name };
            Ok(Kind::Found(Found { user: Some(user) }))
        }
        Ok(None) => Err(Code::NotFound),
        Err(error) => Err(error.code()),
    }
}

fn fetched(conversation: ConversationId, page: Page) -> Fetched {
    let Page { entries, related, related_cut, at_start, at_end, last_seq, dense: _ } = page;
    Fetched {
        conversation: conversation.to_wire(),
        entries: entries.into_iter().map(|(_, entry)| entry).collect(),
        at_start,
        at_end,
        last_seq,
        related,
        related_cut,
    }
}
