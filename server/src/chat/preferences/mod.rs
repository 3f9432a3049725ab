//! What users set for conversations, and what they hid from themselves there.
//!
//! The rows are in the user's home shard and nobody else's to see. A change is
//! durable before it is answered, takes the way of everything else that is
//! kept, and comes to the user's other sessions as a change of the feed.
//!
//! Sessions drive it. It does not know frames; who may see a conversation is
//! the router's to say. Invariants: the revision grows with every change; what
//! was cleared stays cleared.

mod apply;

use std::sync::Arc;

use parley_core::session::Identity;
use parley_core::user::FeedEntry;
use parley_protocol::wire::{Changed, HiddenSeqs, SetPreferences};
use parley_protocol::{Code, ConversationId, SessionId, UserId, limits};

use crate::base::locks::Stripes;
use crate::base::reads;
use crate::chat::home::Homes;
use crate::chat::reading::Visible;
use crate::chat::shard::{Error, Shards};
use crate::people::People;
use crate::storage::store::{PreferencesRow, Write, tables};

/// How often the entry for the other sessions is made anew because the
/// conversation changed meanwhile. After that they are told what is known.
const TRIES: usize = 5;

/// The preferences of all users of this node. Cheap to clone.
#[derive(Clone)]
pub struct Preferences {
    inner: Arc<Inner>,
}

struct Inner {
    shards: Shards,
    homes: Arc<Homes>,
    people: People,
    /// One change of a user at a time: each is made of the one before.
    users: Stripes,
}

/// A change to make.
enum Change {
    Set(SetPreferences),
    Hide(Vec<u64>),
}

/// A change that was made, before it is kept.
struct Made {
    rows: Vec<Write>,
    feed: FeedEntry,
}

impl Preferences {
    /// Preferences over these shards and homes.
    #[must_use]
    pub fn new(shards: Shards, homes: Arc<Homes>, people: People) -> Self {
        Self { inner: Arc::new(Inner { shards, homes, people, users: Stripes::new() }) }
    }

    /// Changes what is given for the conversation, for `identity` alone. Once
    /// begun it runs to its end, whether or not the caller waits.
    ///
    /// # Errors
    /// [`Code::NotFound`] for whoever never was a member, [`Code::TargetInvalid`]
    /// when more would be cleared than there is, or the log's and the store's.
    pub async fn set(
        &self,
        identity: &Identity,
        origin: SessionId,
        conversation: ConversationId,
        change: SetPreferences,
    ) -> Result<Changed, Code> {
        self.change(identity, origin, conversation, Change::Set(change)).await
    }

    /// Hides messages from `identity` alone, as [`Preferences::set`].
    ///
    /// # Errors
    /// [`Code::NotFound`], [`Code::TargetInvalid`] for a message they don't
    /// see, [`Code::ListFull`], or the log's and the store's.
    pub async fn hide(
        &self,
        identity: &Identity,
        origin: SessionId,
        conversation: ConversationId,
        seqs: Vec<u64>,
    ) -> Result<Changed, Code> {
        self.change(identity, origin, conversation, Change::Hide(seqs)).await
    }

    /// What `identity` hid in the conversation, without the first `after`.
    /// Cancel safe.
    ///
    /// # Errors
    /// [`Code::NotFound`] for whoever never was a member, or the store's.
    pub async fn hidden(
        &self,
        identity: &Identity,
        conversation: ConversationId,
        after: u32,
    ) -> Result<HiddenSeqs, Code> {
        let Inner { shards, .. } = &*self.inner;
        shards.visible(identity, conversation).await.map_err(|error| error.code())?;
        let (shards, user) = (shards.clone(), identity.user);
        let read = move || {
            let (store, home) = (shards.store(), shards.count().of_user(user));
            let seqs = store.hidden(home, user, conversation, after, limits::HIDE_SEQS)?;
            let total = store.preferences(home, user, conversation)?.map_or(0, |row| row.hidden);
            Ok(HiddenSeqs { conversation: conversation.to_wire(), seqs, total })
        };
        blocking(read).await
    }

    async fn change(
        &self,
        identity: &Identity,
        origin: SessionId,
        conversation: ConversationId,
        change: Change,
    ) -> Result<Changed, Code> {
        let visible = self.inner.shards.visible(identity, conversation).await;
        let visible = visible.map_err(|error| error.code())?;
        let (this, user) = (self.clone(), identity.user);
        let run = async move {
            let _held = this.inner.users.lock(user).await;
            let feed_position = this.make(user, origin, conversation, visible, change).await?;
            Ok(Changed { conversation: conversation.to_wire(), feed_position })
        };
        tokio::spawn(run).await.map_err(|_| Code::Internal)?
    }

    async fn make(
        &self,
        user: UserId,
        origin: SessionId,
        conversation: ConversationId,
        visible: Visible,
        change: Change,
    ) -> Result<u64, Code> {
        let Inner { shards, homes, .. } = &*self.inner;
        let this = Arc::clone(&self.inner);
        let made = blocking(move || this.made(user, conversation, &visible, change)).await?;
        let Some(Made { rows, feed }) = made else {
            // It was so already.
            let homes = Arc::clone(homes);
            return blocking(move || Ok(homes.position(user)?)).await;
        };
        let kept = shards.keep_own(conversation, user, rows, feed).await;
        let position = kept.map_err(|error| error.code())?;
        let told = self.tell(user, origin, conversation).await;
        Ok(told.unwrap_or(position))
    }

    /// Gives the other sessions the conversation as it is now.
    async fn tell(
        &self,
        user: UserId,
        origin: SessionId,
        conversation: ConversationId,
    ) -> Option<u64> {
        // Whoever is told nothing now finds it in the feed.
        let person = self.inner.people.person(user).await.ok();
        for attempt in 1..=TRIES {
            let (homes, person) = (Arc::clone(&self.inner.homes), person.clone());
            let read = move || Ok(homes.feed_entry(user, conversation, person.as_deref())?);
            let entry = blocking(read).await.ok()?;
            let last = attempt == TRIES;
            let told = self.inner.homes.announce(user, conversation, entry, Some(origin), last);
            if told.is_some() {
                return told;
            }
        }
        None
    }
}

impl Inner {
    /// Makes the change from what is stored; `None` when that changes nothing.
    fn made(
        &self,
        user: UserId,
        id: ConversationId,
        visible: &Visible,
        change: Change,
    ) -> Result<Option<Made>, Error> {
        let store = self.shards.store();
        let home = self.shards.count().of_user(user);
        let old = store.preferences(home, user, id)?.unwrap_or_default();
        let mut row = old.clone();
        let mut rows = Vec::new();
        match change {
            Change::Set(set) => {
                apply::set(&mut row, set);
                if row.cleared_up_to > visible.last_seq {
                    return Err(Code::TargetInvalid.into());
                }
                if row.cleared_up_to > old.cleared_up_to {
                    let at = store.position(visible.place, row.cleared_up_to, visible.last_seq)?;
                    row.cleared_ordinal = at.ordinal;
                }
            }
            Change::Hide(seqs) => {
                if seqs.iter().any(|seq| *seq <= visible.floor || *seq > visible.last_seq) {
                    return Err(Code::TargetInvalid.into());
                }
                let known = store.hidden(home, user, id, 0, limits::HIDDEN_SEQS)?;
                let new = apply::hide(&mut row, &known, seqs)?;
                let put = |(number, seq)| tables::hidden::put(home, user, id, number, seq);
                rows.extend(new.into_iter().map(put));
            }
        }
        if row == old {
            return Ok(None);
        }
        row.revision = old.revision.saturating_add(1);
        rows.push(tables::preferences::put(home, user, id, &row));
        Ok(Some(Made { rows, feed: change_of(&row) }))
    }
}

/// What the row says of the feed.
fn change_of(row: &PreferencesRow) -> FeedEntry {
    FeedEntry { revision: row.revision, floor_ordinal: row.cleared_ordinal, ..FeedEntry::default() }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Code> {
    reads::blocking(work).await.map_err(|error| {
        if let Error::Store(error) = &error {
            tracing::error!(%error, "preferences could not be read");
        }
        error.code()
    })
}
