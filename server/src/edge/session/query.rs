//! Requests that only read, one at a time for each session; how many read at a
//! time is bounded over all sessions.

use parley_core::session::{Identity, Query, pong, reply};
use parley_protocol::wire::{Fetched, Found, ServerEnvelope, User, server_envelope::Kind};
use parley_protocol::{Code, ConversationId, SessionId};

use super::refusal::Refusal;
use super::{Host, Running, server_time_ms};
use crate::accounts::AccountError;
use crate::chat::link::Item;
use crate::chat::reading::{self, Page};
use crate::storage::store::StoreError;

impl Running<'_> {
    /// Answers a heartbeat from memory.
    pub(super) fn ping(&self, request: u64) {
        let homes = &self.host.inner.homes;
        // Known since `Welcome`, which read the feed.
        let position = homes.known_position(self.opened.identity.user).unwrap_or(0);
        let answer = pong(request, position, server_time_ms());
        // A ping with request 0 was not counted as waiting for its answer.
        let item = if request == 0 { Item::Notice(answer) } else { Item::Answer(answer) };
        self.opened.link.push(item);
    }
}

impl Host {
    pub(super) async fn answer(
        &self,
        identity: &Identity,
        session: SessionId,
        request: u64,
        query: Query,
    ) -> Result<Item, Refusal> {
        let answer = |kind| Item::Answer(reply(request, kind));
        match query {
            Query::Ping { .. } | Query::Typing { .. } | Query::Subscribe { .. } => {
                Err(Code::UnknownRequest.into())
            }
            Query::GetProfile(user) => Ok(answer(self.profile(identity.user, user).await?)),
            Query::GetAccount => Ok(answer(self.account(identity.user).await?)),
            Query::UpdateAccount(change) => {
                Ok(answer(self.update_account(identity.user, change, session).await?))
            }
            Query::Report(report) => Ok(answer(self.report(identity, report).await?)),
            Query::Sync { since } => {
                Ok(answer(Kind::Changes(self.changes(identity.user, since).await?)))
            }
            Query::FindByName(name) => {
                let found = self.inner.accounts.find_by_name(&name).await;
                Ok(answer(Kind::Found(user(found)?)))
            }
            Query::FindById(id) => {
                let found = self.inner.accounts.find_by_id(id).await;
                Ok(answer(Kind::Found(user(found)?)))
            }
            Query::Describe(conversation) => {
                let asker = self.inner.people.person(identity.user).await?;
                let _place = self.inner.reads.place().await;
                let shards = &self.inner.shards;
                let described = reading::describe(shards, &asker, identity, conversation).await?;
                Ok(answer(Kind::Described(described)))
            }
            Query::Receipts { conversation, seq } => {
                let asker = self.inner.people.person(identity.user).await?;
                let _place = self.inner.reads.place().await;
                let shards = &self.inner.shards;
                let list = reading::receipts(shards, &asker, identity, conversation, seq).await?;
                Ok(answer(Kind::ReceiptList(list)))
            }
            Query::SetPreferences(conversation, change) => {
                let preferences = &self.inner.preferences;
                let accepts = change.accepted.unwrap_or(false);
                let changed = preferences.set(identity, session, conversation, change).await?;
                if accepts {
                    // The stranger who was taken up sees the user from now on.
                    self.inner.presence.reconsider(identity.user);
                }
                Ok(answer(Kind::Changed(changed)))
            }
            Query::Hide { conversation, seqs } => {
                let preferences = &self.inner.preferences;
                let changed = preferences.hide(identity, session, conversation, seqs).await?;
                Ok(answer(Kind::Changed(changed)))
            }
            Query::Hidden { conversation, after } => {
                let _place = self.inner.reads.place().await;
                let hidden = self.inner.preferences.hidden(identity, conversation, after).await?;
                Ok(answer(Kind::HiddenSeqs(hidden)))
            }
            Query::Invites { conversation, act } => {
                let shards = &self.inner.shards;
                let links = reading::invites(shards, identity, conversation, act).await?;
                Ok(answer(Kind::InviteLinks(links)))
            }
            Query::PeekInvite(code) => {
                let _place = self.inner.reads.place().await;
                let preview = reading::peek(&self.inner.shards, identity, &code.0).await?;
                Ok(answer(Kind::InvitePreview(preview)))
            }
            Query::Fetch { conversation, range, limit } => {
                let _place = self.inner.reads.place().await;
                let shards = &self.inner.shards;
                let page = reading::fetch(shards, identity, conversation, range, limit).await?;
                let given = page.interval();
                Ok(Item::Fetched(fetched(request, conversation, page), conversation, given))
            }
        }
    }

    /// Reads from the store, in turn.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Code> {
        let read = move || {
            read().map_err(|error| {
                tracing::error!(%error, "the store could not be read");
                Code::Internal
            })
        };
        self.inner.reads.run(read).await
    }
}

fn user(found: Result<Option<crate::accounts::User>, AccountError>) -> Result<Found, Code> {
    match found {
        Ok(Some(user)) => {
            Ok(Found { user: Some(User { id: user.id.to_wire(), name: user.name.to_string() }) })
        }
        Ok(None) => Err(Code::NotFound),
        Err(error) => Err(error.code()),
    }
}

fn fetched(request: u64, conversation: ConversationId, page: Page) -> ServerEnvelope {
    let Page { entries, related, related_cut, at_start, at_end, last_seq, dense: _ } = page;
    let entries = entries.into_iter().map(|(_, entry)| entry).collect();
    reply(
        request,
        Kind::Fetched(Fetched {
            conversation: conversation.to_wire(),
            entries,
            at_start,
            at_end,
            last_seq,
            related,
            related_cut,
        }),
    )
}
