//! Accounts: who somebody is, and which devices may act for them.
//!
//! Sign-up, login, logout, devices, tokens. Reads go to the store, writes go
//! through [`Commit`] and count only when that resolved. It does not know HTTP
//! or frames: `http` and the session driver call it. Passwords are hashed with
//! argon2id on a bounded pool; tokens are 32 random bytes of which only the
//! SHA-256 is kept.
//!
//! Invariants: an unknown name costs and answers exactly what a wrong password
//! does; a revoked token is dead before `revoke` answers; one name has at most
//! one account.

use futures_util::future::BoxFuture;
use parley_protocol::{Code, DeviceId, ShardId, UserId};

use crate::store::Write;

/// Makes writes durable; the node implements it over the log.
pub trait Commit: Send + Sync + 'static {
    /// Resolves once all of `writes` are durable. They commit together or not
    /// at all. Dropping the future does not take them back.
    fn commit(&self, shard: ShardId, writes: Vec<Write>) -> BoxFuture<'_, Result<(), CommitError>>;
}

/// Why writes were not committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// The commit queue is full; nothing was accepted.
    #[error("the commit queue is full")]
    Full,
    /// The node is closing or its disk failed. Whether the writes were kept is
    /// unknown.
    #[error("the log is closed")]
    Closed,
}

/// Reaches the live sessions of a device; the node implements it over the hub.
pub trait Sessions: Send + Sync + 'static {
    /// Closes the device's sessions with `code`. Returns at once.
    fn cut(&self, user: UserId, device: DeviceId, code: Code);

    /// How many sessions the device has open.
    fn open_sessions(&self, user: UserId, device: DeviceId) -> u32;
}

/// Who a token speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The user.
    pub user: UserId,
    /// The device the token was given to.
    pub device: DeviceId,
    /// The user's name.
    pub name: std::sync::Arc<str>,
}

// The API that follows in accounts/{sign_in,devices,...}.rs:
//
// #[derive(Clone)] pub struct Accounts;
// Accounts::new(options: Options, shards: u16, store: Store, commit: Arc<dyn Commit>, sessions: Arc<dyn Sessions>) -> Result<Accounts, ..>
// async fn sign_up(&self, from: IpAddr, request: Credentials) -> Result<SignedIn, AccountError>
// async fn login(&self, from: IpAddr, request: Credentials) -> Result<SignedIn, AccountError>
// async fn authenticate(&self, token: &[u8]) -> Result<Identity, AccountError>   // TokenInvalid
// async fn logout(&self, identity: &Identity) -> Result<(), AccountError>        // revokes the device
// async fn revoke(&self, user: UserId, device: DeviceId, code: Code) -> Result<(), AccountError>
// async fn devices(&self, identity: &Identity) -> Result<Vec<http::Device>, AccountError>
// async fn find_by_name(&self, name: &str) -> Result<Option<User>, AccountError>  // User { id, name, created_ms }
// async fn find_by_id(&self, user: UserId) -> Result<Option<User>, AccountError>
// async fn exists(&self, user: UserId) -> Result<bool, AccountError>
// AccountError::code() -> Code, ::retry_after_ms() -> Option<u64>
