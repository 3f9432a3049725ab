//! Password hashing: argon2id on a pool that is bounded in memory and queue.
//!
//! A hash takes tens of milliseconds and 19 MiB, so only a few run at a time
//! and only so many requests wait; more are refused with a time to come back.
//! The place of a hash is held by the hash itself: a request that goes away
//! doesn't make room while its work still runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use parley_protocol::Code;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::AccountError;
use crate::base::clock;
use crate::base::metrics::list as metric;
use crate::base::random;

/// Memory of one hash that a stored hash may ask for, in KiB.
const MEMORY_CAP_KIB: u32 = 1 << 20;

/// Cost and bounds of hashing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashOptions {
    /// argon2id m, in KiB.
    pub memory_kib: u32,
    /// argon2id t.
    pub passes: u32,
    /// argon2id p.
    pub lanes: u32,
    /// Hashes at a time.
    pub parallel: usize,
    /// Requests that may wait for one.
    pub waiting: usize,
}

/// A password, wiped when dropped.
pub(super) type Password = Zeroizing<String>;

pub(super) struct Hasher {
    parameters: Params,
    // Verified for names that don't exist, so that they take the same time.
    dummy: Arc<str>,
    workers: Arc<Semaphore>,
    places: Arc<Semaphore>,
    hashes: Arc<AtomicU64>,
}

/// What a verification found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Wrong,
    Right,
    /// Right, and hashed with other parameters than today's.
    Outdated,
}

impl Hasher {
    pub(super) fn new(options: &HashOptions) -> Result<Self, AccountError> {
        let parameters = Params::new(options.memory_kib, options.passes, options.lanes, None)
            .map_err(|_| AccountError::internal())?;
        let dummy = hash(&parameters, "no password has this hash")?;
        Ok(Self {
            parameters,
            dummy: dummy.into(),
            workers: Arc::new(Semaphore::new(options.parallel)),
            places: Arc::new(Semaphore::new(
                options.parallel.saturating_add(options.waiting).min(Semaphore::MAX_PERMITS),
            )),
            hashes: Arc::default(),
        })
    }

    /// Hashes a new password.
    pub(super) async fn hash(&self, password: Password) -> Result<String, AccountError> {
        let parameters = self.parameters.clone();
        self.run(move || hash(&parameters, &password)).await?
    }

    /// Verifies a password against a stored hash, or, for a name that has
    /// none, does the same work and finds it wrong.
    pub(super) async fn verify(
        &self,
        password: Password,
        stored: Option<String>,
    ) -> Result<Verdict, AccountError> {
        let known = stored.is_some();
        let stored: Arc<str> = stored.map_or_else(|| Arc::clone(&self.dummy), Into::into);
        let parameters = self.parameters.clone();
        let verdict = self.run(move || verify(&parameters, &password, &stored)).await??;
        Ok(if known { verdict } else { Verdict::Wrong })
    }

    /// How many hashes were computed, for tests of what is hashed at all.
    #[cfg(test)]
    pub(super) fn hashes(&self) -> u64 {
        self.hashes.load(Ordering::Relaxed)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, AccountError> {
        let busy = AccountError::Later { code: Code::Overloaded, after: Duration::from_secs(2) };
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| busy)?;
        let waiting = Waiting::new();
        let worker = Arc::clone(&self.workers)
            .acquire_owned()
            .await
            .map_err(|_| AccountError::internal())?;
        drop(waiting);
        let hashes = Arc::clone(&self.hashes);
        let running = tokio::task::spawn_blocking(move || {
            let _held = (place, worker);
            hashes.fetch_add(1, Ordering::Relaxed);
            let started = clock::now();
            let done = work();
            metrics::histogram!(metric::PASSWORD_HASH_SECONDS).record(started.elapsed());
            done
        });
        running.await.map_err(|_| AccountError::internal())
    }
}

/// One request in the queue; it counts until dropped, also by cancellation.
struct Waiting;

impl Waiting {
    fn new() -> Self {
        metrics::gauge!(metric::PASSWORD_HASH_WAITING).increment(1.0);
        Self
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        metrics::gauge!(metric::PASSWORD_HASH_WAITING).decrement(1.0);
    }
}

fn argon2(parameters: &Params) -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters.clone())
}

fn hash(parameters: &Params, password: &str) -> Result<String, AccountError> {
    let mut salt = [0; 16];
    random::fill(&mut salt).map_err(|_| AccountError::internal())?;
    argon2(parameters)
        .hash_password_with_salt(password.as_bytes(), &salt)
        .map(|hash| hash.to_string())
        .map_err(|_| AccountError::internal())
}

fn verify(parameters: &Params, password: &str, stored: &str) -> Result<Verdict, AccountError> {
    let damaged = || {
        tracing::error!("a stored password hash cannot be read");
        AccountError::internal()
    };
    let hash = PasswordHash::new(stored).map_err(|_| damaged())?;
    let of_hash = Params::try_from(&hash).map_err(|_| damaged())?;
    if of_hash.m_cost() > MEMORY_CAP_KIB {
        return Err(damaged());
    }
    if argon2(parameters).verify_password(password.as_bytes(), &hash).is_err() {
        return Ok(Verdict::Wrong);
    }
    let costs = |of: &Params| (of.m_cost(), of.t_cost(), of.p_cost());
    let current =
        costs(&of_hash) == costs(parameters) && hash.algorithm == Algorithm::Argon2id.ident();
    Ok(if current { Verdict::Right } else { Verdict::Outdated })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> HashOptions {
        HashOptions { memory_kib: 16, passes: 1, lanes: 1, parallel: 1, waiting: 1 }
    }

    fn password(text: &str) -> Password {
        Zeroizing::new(text.to_owned())
    }

    #[tokio::test]
    async fn a_hash_verifies_its_own_password_alone() {
        let hasher = Hasher::new(&options()).unwrap();
        let hash = hasher.hash(password("correct horse")).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=16,t=1,p=1$"), "{hash}");
        assert_ne!(hasher.hash(password("correct horse")).await.unwrap(), hash, "salted");
        assert_eq!(
            hasher.verify(password("correct horse"), Some(hash.clone())).await.unwrap(),
            Verdict::Right
        );
        assert_eq!(
            hasher.verify(password("battery"), Some(hash.clone())).await.unwrap(),
            Verdict::Wrong
        );
        let stronger = Hasher::new(&HashOptions { passes: 2, ..options() }).unwrap();
        assert_eq!(
            stronger.verify(password("correct horse"), Some(hash)).await.unwrap(),
            Verdict::Outdated
        );
    }

    #[tokio::test]
    async fn an_unknown_name_costs_one_hash_and_is_always_wrong() {
        let hasher = Hasher::new(&options()).unwrap();
        let verdict = hasher.verify(password("no password has this hash"), None).await.unwrap();
        assert_eq!((verdict, hasher.hashes()), (Verdict::Wrong, 1));
    }

    #[tokio::test]
    async fn damaged_and_monstrous_hashes_are_errors() {
        let hasher = Hasher::new(&options()).unwrap();
        let monstrous = "$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$c2FsdHNhbHRzYWx0c2FsdHNhbHRzYWx0c2FsdHNhbHQ";
        for stored in ["", "rubbish", monstrous] {
            let error = hasher.verify(password("x"), Some(stored.to_owned())).await.unwrap_err();
            assert_eq!(error.code(), Code::Internal);
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_queue_is_bounded_and_an_abandoned_hash_keeps_its_place() {
        let hasher = Arc::new(Hasher::new(&options()).unwrap());
        let (release, held) = std::sync::mpsc::channel::<()>();
        let (begun, begins) = tokio::sync::oneshot::channel();
        let at_work = tokio::spawn({
            let hasher = Arc::clone(&hasher);
            async move {
                hasher
                    .run(move || {
                        let _ = begun.send(());
                        let _ = held.recv();
                    })
                    .await
            }
        });
        begins.await.unwrap();
        at_work.abort();
        let _ = at_work.await;
        let mut waiting = std::pin::pin!(hasher.hash(password("12345678")));
        assert!(futures_util::poll!(waiting.as_mut()).is_pending(), "one worker, still busy");
        let refused = hasher.hash(password("12345678")).await.unwrap_err();
        assert_eq!((refused.code(), refused.retry_after_ms()), (Code::Overloaded, Some(2000)));
        release.send(()).unwrap();
        assert!(waiting.await.is_ok());
    }
}
