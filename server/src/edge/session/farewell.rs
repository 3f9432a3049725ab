//! Ending an account.
//!
//! One commit ends it: from then on nobody can sign in, nobody is told anything
//! but that it was deleted, and a departure is noted. Then the user leaves each
//! group by a real entry, what they set for conversations is erased, and the
//! departure with it. A crash in between is made up for at the next start.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parley_core::conversation::{Act, Change, Kind};
use parley_core::session::{Command, Identity, To};
use parley_protocol::body::ValidatedBody;
use parley_protocol::wire::EntryKind;
use parley_protocol::wire::server_envelope::Kind as Answer;
use parley_protocol::{ClientMessageId, Code, ConversationId, DeviceId, UserId, limits};
use uuid::Uuid;

use super::single::{Unanswered, first_of, some_id};
use super::{Asker, Host};
use crate::accounts::{self, AccountError};
use crate::storage::rows::CommitError;
use crate::storage::store::tables;

/// How often leaving one group is tried, a second apart, before the next start
/// has to.
const TRIES: u32 = 10;

/// Rows erased in one commit.
const BATCH: usize = 1000;

/// Departures taken up at a start, of each shard.
const DEPARTURES: usize = 10_000;

impl Host {
    /// Ends the account of whoever asks, who knows its password. When this
    /// answers they have left every group. Cancel safe: once begun it runs to
    /// its end.
    ///
    /// # Errors
    /// [`Unanswered`] with `credentials_wrong`, `rate_limited`, `overloaded`,
    /// `storage_failed`, `internal`.
    pub async fn delete_account(&self, asker: Asker, password: String) -> Result<(), Unanswered> {
        let this = self.clone();
        let done = tokio::spawn(async move { this.end_account(asker, password).await });
        done.await.map_err(|_| Code::Internal)?
    }

    async fn end_account(&self, asker: Asker, password: String) -> Result<(), Unanswered> {
        let Asker { identity, from } = asker;
        let inner = &*self.inner;
        let account = accounts::Identity {
            user: identity.user,
            device: identity.device,
            name: identity.name.as_str().into(),
        };
        let confirmed = inner.accounts.confirm_end(from, &account, password).await?;
        let mut erasure = inner.people.erase(identity.user).await.map_err(|error| error.code())?;
        let mut writes = std::mem::take(&mut erasure.writes);
        let home = inner.shards.count().of_user(identity.user);
        writes.push(tables::presence::delete(home, identity.user));
        inner.presence.forget(identity.user);
        let ended = inner.accounts.end(&account, confirmed, writes).await;
        // Also when it failed: whether it was kept is then unknown.
        erasure.done();
        ended?;
        inner.presence.reconsider(identity.user);
        inner.presence.profile_changed(identity.user);
        self.depart(identity.user, identity.device).await?;
        Ok(())
    }

    /// Takes up the departures that a crash interrupted.
    pub async fn resume_departures(&self) {
        let (shards, store) = (self.inner.shards.count(), self.inner.shards.store().clone());
        let read = self.read(move || {
            let mut found = Vec::new();
            for shard in shards.all() {
                found.extend(store.departures(shard, DEPARTURES)?);
            }
            Ok(found)
        });
        for (user, row) in read.await.unwrap_or_default() {
            // A damaged id is no reason not to leave: any device will do.
            let device = DeviceId::from_slice(&row.device).unwrap_or(DeviceId::new([0; 16]));
            if let Err(code) = self.depart(user, device).await {
                tracing::warn!(%user, %code, "a deleted account has not left everything; the next start tries again");
            }
        }
    }

    async fn depart(&self, user: UserId, device: DeviceId) -> Result<(), Code> {
        let identity = Identity { user, name: String::new(), device };
        let mut since = 0;
        loop {
            let homes = Arc::clone(&self.inner.homes);
            let page = move || homes.changes(user, since, limits::CHANGES_ENTRIES, None);
            let page = self.read(page).await?;
            for entry in &page.entries {
                if let Ok(id) = ConversationId::from_slice(&entry.conversation) {
                    self.leave(&identity, id).await?;
                }
            }
            since = page.feed_position;
            if !page.more {
                break;
            }
        }
        self.erase_rows(user).await
    }

    async fn leave(&self, identity: &Identity, id: ConversationId) -> Result<(), Code> {
        for _ in 0..TRIES {
            let is_in = self.inner.shards.with(id, |found, _| {
                let state = found.state();
                state.kind == Kind::Group && state.active(identity.user).is_some()
            });
            if is_in.await.map_err(|error| error.code())? != Some(true) {
                return Ok(());
            }
            let link = self.nobodys_link(identity, some_id());
            let name = ClientMessageId::new(Bytes::copy_from_slice(Uuid::now_v7().as_bytes()));
            let body = ValidatedBody::new(EntryKind::MemberLeft as u32, Bytes::new(), 1)?;
            let command = Command::Send {
                to: To::Conversation(id),
                id: name.map_err(|_| Code::Internal)?,
                body,
                act: Act::Change(Change::Left),
            };
            self.submit(identity, &link, 1, command).await;
            let answer = first_of(&link).await.map_err(|error| error.code)?;
            if matches!(answer.kind, Some(Answer::Sent(_))) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        Err(Code::Overloaded)
    }

    /// Erases what the user set for conversations, and at last the departure.
    async fn erase_rows(&self, user: UserId) -> Result<(), Code> {
        let home = self.inner.shards.count().of_user(user);
        loop {
            let store = self.inner.shards.store().clone();
            let writes = self.read(move || store.erasing(home, user, BATCH)).await?;
            let last = writes.is_empty();
            let writes = if last { vec![tables::departures::delete(home, user)] } else { writes };
            let done = self.inner.accounts.commit_rows(home, writes).await;
            done.map_err(|error| match error {
                CommitError::Full => Code::Overloaded,
                CommitError::Closed => Code::StorageFailed,
            })?;
            if last {
                return Ok(());
            }
        }
    }
}

impl From<AccountError> for Unanswered {
    fn from(error: AccountError) -> Self {
        if let AccountError::Store(cause) = &error {
            tracing::error!(error = %cause, "the accounts could not be read");
        }
        let after = error.retry_after_ms().map(Duration::from_millis);
        Self { code: error.code(), after }
    }
}
