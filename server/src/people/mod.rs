//! People: what users say about themselves, whom they know, whom they block,
//! and what follows for others.
//!
//! Profiles, settings, contacts, blocks and reports. Reads go through a bounded
//! cache, changes through [`Commit`] and count once that resolved; from then on
//! every answer knows of them, so that a block holds at once. It does not know
//! frames' way, HTTP, shards or sessions: they ask it before they let something
//! through. The rules between two people are
//! `core::user::Privacy`'s.
//!
//! Invariants: a block is in both homes or in neither; who has no account, or
//! deleted it, is told apart from nobody; what people say never is in a log line.

mod ask;
mod cache;
mod change;
mod erase;
mod error;
mod operator;
mod person;
mod report;
mod view;

use std::sync::Arc;

use parley_core::shard::placement::ShardCount;
use parley_core::user::{Privacy, Standing, Users};
use parley_protocol::{Code, ConversationId, UserId, limits};

use crate::base::locks::Stripes;
use crate::base::reads::{NODE, Reads};
use crate::storage::rows::Commit;
use crate::storage::store::{Store, StoreError};
use cache::{Cache, Lookup};

pub use change::Updated;
pub use erase::Erasure;
pub use error::PeopleError;
pub use operator::{LookError, ReportLine, reports};
pub use person::Person;

/// Reads of the store at a time; more wait.
const PARALLEL_READS: usize = 16;

/// Reads of the store for one person while others change.
const TRIES: usize = 4;

/// Those who blocked somebody that are kept in memory. The activity
/// (receipts, typing) of a user whom more people blocked is shown to nobody.
const BLOCKED_BY: usize = 20_000;

/// Says how 1:1 conversations stand; the homes know.
pub trait Standings: Send + Sync + 'static {
    /// How the conversation stands for `user`. May block on the disk.
    ///
    /// # Errors
    /// [`StoreError`] when the store can't be read.
    fn standing(&self, user: UserId, conversation: ConversationId) -> Result<Standing, StoreError>;
}

/// What the operator decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Bytes of people kept in memory.
    pub cache_bytes: usize,
}

/// The people of this node. Cheap to clone.
#[derive(Clone)]
pub struct People {
    inner: Arc<Inner>,
}

struct Inner {
    shards: ShardCount,
    store: Store,
    reads: Reads,
    commit: Arc<dyn Commit>,
    standings: Arc<dyn Standings>,
    cache: Cache,
    users: Stripes,
}

impl People {
    /// The people in `store`.
    #[must_use]
    pub fn new(
        options: Options,
        shards: ShardCount,
        store: Store,
        commit: Arc<dyn Commit>,
        standings: Arc<dyn Standings>,
    ) -> Self {
        let inner = Inner {
            shards,
            store,
            reads: Reads::new(PARALLEL_READS),
            commit,
            standings,
            cache: Cache::new(options.cache_bytes),
            users: Stripes::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Somebody with an account. Cancel safe.
    ///
    /// # Errors
    /// `not_found` for whoever has none or deleted it, `internal`.
    pub async fn person(&self, user: UserId) -> Result<Arc<Person>, PeopleError> {
        if let Some(known) = self.cached(user) {
            return Ok(known);
        }
        let found = self.read(move |this| this.person_blocking(user)).await?;
        Ok(found.ok_or(Code::NotFound)?)
    }

    /// As [`People::person`], `None` for whoever has no account. May block on
    /// the disk: for threads of their own and the blocking pool.
    ///
    /// # Errors
    /// [`StoreError`] when the store can't be read.
    pub fn person_blocking(&self, user: UserId) -> Result<Option<Arc<Person>>, StoreError> {
        let inner = &*self.inner;
        let mut read = None;
        for _ in 0..TRIES {
            let asked_at = match inner.cache.find(user) {
                Lookup::Known(person) => return Ok(Some(person)),
                Lookup::Ask(asked_at) => asked_at,
            };
            let Some(person) = inner.load(user)?.map(Arc::new) else { return Ok(None) };
            if inner.cache.fill(&person, asked_at) {
                return Ok(Some(person));
            }
            read = Some(person);
        }
        // Somebody changes all the time; this was right a moment ago.
        Ok(read)
    }

    /// Somebody, if they are in memory. Never blocks.
    #[must_use]
    pub fn cached(&self, user: UserId) -> Option<Arc<Person>> {
        match self.inner.cache.find(user) {
            Lookup::Known(person) => Some(person),
            Lookup::Ask(_) => None,
        }
    }

    /// Reads from the store away from the runtime's workers.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Self) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, PeopleError> {
        let this = self.clone();
        self.inner.reads.run(NODE, move || Ok(read(&this)?)).await
    }

    /// Runs a change to its end, whether or not the caller waits for it.
    async fn finish<T: Send + 'static>(
        change: impl Future<Output = Result<T, PeopleError>> + Send + 'static,
    ) -> Result<T, PeopleError> {
        tokio::spawn(change).await.map_err(|_| Code::Internal)?
    }
}

impl Inner {
    fn load(&self, user: UserId) -> Result<Option<Person>, StoreError> {
        let home = self.shards.of_user(user);
        let Some(account) = self.store.user(home, user)?.filter(|row| !row.is_deleted()) else {
            return Ok(None);
        };
        let row = self.store.person(home, user)?;
        let blocked = Users::new(self.store.blocked(home, user, limits::CONTACTS)?);
        let blocked_by = self.store.blocked_by(home, user, BLOCKED_BY + 1)?;
        let privacy = Privacy {
            user,
            settings: person::settings(&row),
            contacts: Users::new(self.store.contacts(home, user, limits::CONTACTS)?),
            blocked_by_many: blocked_by.len() > BLOCKED_BY,
            blocked_either_way: Arc::new(blocked.iter().chain(blocked_by).collect()),
            blocked,
        };
        let (name, created_ms) = (account.name.into(), account.created_ms);
        Ok(Some(Person { name, created_ms, row, privacy }))
    }
}

#[cfg(test)]
mod tests;
