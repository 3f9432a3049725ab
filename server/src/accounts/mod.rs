//! Accounts: who somebody is, and which devices may act for them.
//!
//! [`Accounts`] is sign-up, login, logout, devices, tokens, tickets. What reaches
//! the rest of a user as well is apart: [`Ending`] ends an account, [`Exports`]
//! hands its data out. Reads go to the store, writes go through [`Commit`] and
//! count only when that resolved. None of it knows HTTP or frames. Passwords are
//! hashed with argon2id on a bounded pool; tokens are 32 random bytes of which
//! only the SHA-256 is kept.
//!
//! Invariants: an unknown name costs and answers exactly what a wrong password
//! does; a revoked token is dead before [`Accounts::revoke`] returns; one name
//! has at most one account; a caller that goes away never leaves half a change.

mod active;
mod check;
mod confirm;
mod devices;
mod ending;
mod error;
mod export;
mod idle;
mod password;
mod rates;
mod sign_in;
mod skeletons;
mod tickets;
mod tokens;

use std::sync::Arc;
use std::time::Duration;

use parley_core::shard::placement::ShardCount;
use parley_protocol::UserId;

use crate::base::clock::{self, wall_ms};
use crate::base::locks::Stripes;
use crate::base::rates::Rates;
use crate::base::rates::SignInOptions;
use crate::base::reads::{NODE, Reads};
use crate::base::space::Need;
use crate::chat::home::Homes;
use crate::chat::presence::Presence;
use crate::chat::retention::Candidates;
use crate::chat::shard::Shards;
use crate::people::People;
use crate::storage::store::{Store, StoreError};

pub use crate::storage::rows::{Commit, CommitError};
pub use devices::Asking;
pub use ending::Ending;
pub use error::{AccountError, StartError};
pub use export::Exports;
pub use parley_core::session::Identity;
pub use password::HashOptions;
pub use tokens::Credential;

/// Accounts of each shard by which hashes of names without one are chosen.
const SAMPLE: usize = 16;

/// Reads of the store at a time; more wait.
const PARALLEL_READS: usize = 16;

/// What anybody may know of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    pub name: String,
    /// When it was made, Unix milliseconds.
    pub created_ms: u64,
}

/// What the operator decides.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whether anybody may sign up.
    pub sign_up: bool,
    /// Names nobody may take, besides those of the rule.
    pub reserved: Vec<String>,
    /// Devices of one account.
    pub devices: usize,
    /// Session tokens of one device.
    pub tokens: usize,
    /// How long a token may be unused; zero is for ever.
    pub token_idle: Duration,
    /// Password hashing.
    pub hash: HashOptions,
    /// Tokens remembered in memory.
    pub token_cache: usize,
    /// Rate limits.
    pub rates: SignInOptions,
}

/// The accounts of this node. Cheap to clone.
#[derive(Clone)]
pub struct Accounts {
    inner: Arc<Inner>,
}

/// What the end of an account and its export reach.
pub struct Parts {
    /// The accounts themselves.
    pub accounts: Accounts,
    /// Profiles, settings, contacts, blocks.
    pub people: People,
    /// Who is online, for those who watch.
    pub presence: Presence,
    /// How often a user may have their data.
    pub rates: Rates,
    /// The conversations.
    pub shards: Shards,
    /// The feeds.
    pub homes: Arc<Homes>,
    /// Who is told that words were erased.
    pub erased: Arc<Candidates>,
}

struct Inner {
    options: Options,
    shards: ShardCount,
    store: Store,
    reads: Reads,
    commit: Arc<dyn Commit>,
    homes: Arc<Homes>,
    hasher: password::Hasher,
    rates: rates::Rates,
    cache: tokens::Cache,
    tickets: tickets::Tickets,
    active: active::Active,
    /// Dates the uses of tokens.
    lasting: idle::Clock,
    names: Stripes,
    users: Stripes,
}

impl Accounts {
    /// Accounts in `store`. Computes one password hash, which takes tens of
    /// milliseconds.
    ///
    /// # Errors
    /// [`StartError`] when the hash parameters are impossible, or the store fails.
    pub fn new(
        options: Options,
        shards: ShardCount,
        store: Store,
        commit: Arc<dyn Commit>,
        homes: Arc<Homes>,
    ) -> Result<Self, StartError> {
        skeletons::index(&store, shards)?;
        let mut sample = Vec::new();
        for shard in shards.all() {
            sample.extend(store.users(shard, SAMPLE)?.into_iter().map(|row| row.password_hash));
        }
        Ok(Self {
            inner: Arc::new(Inner {
                hasher: password::Hasher::new(&options.hash, &sample)
                    .map_err(|_| StartError::Hash)?,
                rates: rates::Rates::new(&options.rates),
                cache: tokens::Cache::new(options.token_cache, options.token_idle),
                tickets: tickets::Tickets::new(),
                active: active::Active::new(options.token_cache),
                lasting: idle::Clock::start(&store, wall_ms(), clock::now())?,
                names: Stripes::new(),
                users: Stripes::new(),
                reads: Reads::new(PARALLEL_READS),
                options,
                shards,
                store,
                commit,
                homes,
            }),
        })
    }

    /// Whether the disk has room for what is needed for this.
    fn need(&self, need: Need) -> Result<(), AccountError> {
        self.inner.store.space().check(need).map_err(|_| AccountError::no_room())
    }

    /// Reads from the store away from the runtime's workers.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Inner) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, AccountError> {
        let inner = Arc::clone(&self.inner);
        self.inner.reads.run(NODE, move || Ok(read(&inner)?)).await
    }

    /// Runs a change to its end, whether or not the caller waits for it.
    async fn finish<T: Send + 'static>(
        change: impl Future<Output = Result<T, AccountError>> + Send + 'static,
    ) -> Result<T, AccountError> {
        tokio::spawn(change).await.map_err(|_| AccountError::internal())?
    }
}

#[cfg(test)]
mod tests;
