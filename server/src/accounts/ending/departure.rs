//! What follows the end of an account: its user leaves every group, and what
//! they set for conversations is erased.
//!
//! The departure's row goes last, so that the next start goes on with what was
//! interrupted.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parley_core::conversation::{Act, Change, Kind};
use parley_core::session::{Identity, RequestNumber};
use parley_protocol::body::ValidatedBody;
use parley_protocol::wire::EntryKind;
use parley_protocol::wire::server_envelope::Kind as Answer;
use parley_protocol::{ClientMessageId, Code, ConversationId, DeviceId, UserId, limits};

use super::super::AccountError;
use super::Ending;
use crate::base::random;
use crate::chat::link::Link;
use crate::chat::shard::{self, Asker, SendRequest, SendTo};
use crate::storage::rows::CommitError;
use crate::storage::store::tables;

/// How often leaving one group is tried, a second apart, before the next start
/// has to.
const TRIES: u32 = 10;

/// Rows erased in one commit.
const BATCH: usize = 1000;

/// Departures of each shard that are gone on with at a start.
const DEPARTURES: usize = 10_000;

/// Bytes that may wait for the one answer to leaving a group.
const ANSWER_BYTES: usize = 64 * 1024;

impl Ending {
    /// Goes on with the departures that a crash interrupted.
    pub async fn resume(&self) {
        let shards = self.parts.shards.count();
        let read = self.parts.accounts.read(move |inner| {
            let mut found = Vec::new();
            for shard in shards.all() {
                found.extend(inner.store.departures(shard, DEPARTURES)?);
            }
            Ok(found)
        });
        for (user, row) in read.await.unwrap_or_default() {
            // A damaged id is no reason not to leave: any device will do.
            let device = DeviceId::from_slice(&row.device).unwrap_or(DeviceId::new([0; 16]));
            if let Err(error) = self.depart(user, device).await {
                tracing::warn!(%user, %error, "a deleted account has not left everything; the next start tries again");
            }
        }
    }

    /// Has the user leave every group, and erases what they set.
    ///
    /// # Errors
    /// `overloaded`, `storage_failed`, `internal`; the departure's row is kept.
    pub(super) async fn depart(&self, user: UserId, device: DeviceId) -> Result<(), AccountError> {
        let identity = Identity { user, name: Arc::default(), device };
        let mut since = 0;
        loop {
            let homes = Arc::clone(&self.parts.homes);
            let page = move |_: &_| homes.changes(user, since, limits::CHANGES_ENTRIES, None);
            let page = self.parts.accounts.read(page).await?;
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
            let asker = Asker::User(identity.user);
            let is_in = self.parts.shards.with(asker, id, |found, _| {
                let state = found.state();
                state.kind == Kind::Group && state.active(identity.user).is_some()
            });
            let is_in = match is_in.await {
                // Nobody can be in what nobody can read.
                Err(shard::Error::Store(error)) if error.is_damage() => {
                    tracing::warn!(conversation = %id, %error, "a deleted account can't leave what can't be read");
                    return Ok(());
                }
                is_in => is_in.map_err(|error| error.code())?,
            };
            if is_in != Some(true) {
                return Ok(());
            }
            let send = SendRequest {
                to: SendTo::Conversation(id),
                id: ClientMessageId::new(Bytes::copy_from_slice(&random::id()))
                    .map_err(|_| Code::Internal)?,
                body: ValidatedBody::new(EntryKind::MemberLeft as u32, Bytes::new(), 1)?,
                act: Act::Change(Change::Left),
                refused: None,
            };
            let link = Link::of_no_session(identity, ANSWER_BYTES);
            let sent = self.parts.shards.send(identity, &link, RequestNumber::MIN, send).await;
            if sent.is_ok() && matches!(link.first_answer().await?.kind, Some(Answer::Sent(_))) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        Err(Code::Overloaded)
    }

    /// Erases what the user set for conversations, and at last the departure.
    async fn erase_rows(&self, user: UserId) -> Result<(), AccountError> {
        let home = self.parts.shards.count().of_user(user);
        let accounts = &self.parts.accounts;
        loop {
            let writes = accounts.read(move |inner| inner.store.erasing(home, user, BATCH)).await?;
            let last = writes.is_empty();
            let writes = if last { vec![tables::departures::delete(home, user)] } else { writes };
            let done = accounts.commit_rows(home, writes).await;
            done.map_err(|error| match error {
                CommitError::Full => Code::Overloaded,
                CommitError::NoRoom => Code::StorageLow,
                CommitError::Closed => Code::StorageFailed,
            })?;
            if last {
                // Drafts among it, which the write-ahead log still holds.
                self.parts.erased.note_erased();
                return Ok(());
            }
        }
    }
}
