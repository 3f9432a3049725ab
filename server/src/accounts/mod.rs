//! Accounts: who somebody is, and which devices may act for them.
//!
//! Sign-up, login, logout, devices, tokens, tickets. Reads go to the store, writes go
//! through [`Commit`] and count only when that resolved. It does not know HTTP
//! or frames: `http` and the session driver call it. Passwords are hashed with
//! argon2id on a bounded pool; tokens are 32 random bytes of which only the
//! SHA-256 is kept.
//!
//! Invariants: an unknown name costs and answers exactly what a wrong password
//! does; a revoked token is dead before [`Accounts::revoke`] answers; one name
//! has at most one account; a caller that goes away never leaves half a change.

mod active;
mod check;
mod devices;
mod ending;
mod error;
mod password;
mod rates;
mod sign_in;
mod tickets;
mod tokens;

use std::sync::Arc;

use parley_core::shard::placement::ShardCount;
use parley_protocol::{Code, DeviceId, UserId};

use crate::base::locks::Stripes;
use crate::base::rates::SignInOptions;
use crate::base::reads::Reads;
use crate::chat::home::Homes;
use crate::storage::store::{Store, StoreError};

pub use crate::storage::rows::{Commit, CommitError};
pub use ending::Confirmed;
pub use error::{AccountError, StartError};
pub use password::HashOptions;
pub use tokens::Credential;

/// Reads of the store at a time; more wait.
const PARALLEL_READS: usize = 16;

/// Reaches the live sessions of a device.
pub trait Sessions: Send + Sync + 'static {
    /// Closes the device's sessions with `code`. Returns at once.
    fn cut(&self, user: UserId, device: DeviceId, code: Code);

    /// How many sessions the device has open.
    fn open_sessions(&self, user: UserId, device: DeviceId) -> u32;
}

impl Sessions for Homes {
    fn cut(&self, user: UserId, device: DeviceId, code: Code) {
        Self::cut(self, user, device, code);
    }

    fn open_sessions(&self, user: UserId, device: DeviceId) -> u32 {
        Self::open_sessions(self, user, device)
    }
}

/// Who a token speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The user.
    pub user: UserId,
    /// The device the token was given to.
    pub device: DeviceId,
    /// The user's name.
    pub name: Arc<str>,
}

/// What anybody may know of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// Its name.
    pub name: String,
    /// When it was made, Unix milliseconds.
    pub created_ms: u64,
}

/// What the operator decides.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whether anybody may sign up.
    pub sign_up: bool,
    /// Devices of one account.
    pub devices: usize,
    /// Session tokens of one device.
    pub tokens: usize,
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

struct Inner {
    options: Options,
    shards: ShardCount,
    store: Store,
    reads: Reads,
    commit: Arc<dyn Commit>,
    sessions: Arc<dyn Sessions>,
    hasher: password::Hasher,
    rates: rates::Rates,
    cache: tokens::Cache,
    tickets: tickets::Tickets,
    active: active::Active,
    names: Stripes,
    users: Stripes,
}

impl Accounts {
    /// Accounts in `store`. Computes one password hash, which takes tens of
    /// milliseconds.
    ///
    /// # Errors
    /// [`StartError`] when the hash parameters are impossible.
    pub fn new(
        options: Options,
        shards: ShardCount,
        store: Store,
        commit: Arc<dyn Commit>,
        sessions: Arc<dyn Sessions>,
    ) -> Result<Self, StartError> {
        Ok(Self {
            inner: Arc::new(Inner {
                hasher: password::Hasher::new(&options.hash).map_err(|_| StartError::Hash)?,
                rates: rates::Rates::new(&options.rates),
                cache: tokens::Cache::new(options.token_cache),
                tickets: tickets::Tickets::new(),
                active: active::Active::new(options.token_cache),
                names: Stripes::new(),
                users: Stripes::new(),
                reads: Reads::new(PARALLEL_READS),
                options,
                shards,
                store,
                commit,
                sessions,
            }),
        })
    }

    /// Reads from the store away from the runtime's workers.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Inner) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, AccountError> {
        let inner = Arc::clone(&self.inner);
        self.inner.reads.run(move || Ok(read(&inner)?)).await
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
