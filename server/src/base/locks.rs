//! Locks by key, in bounded memory: keys share 64 stripes.
//!
//! They make read-check-commit of one name, or of one user's devices, one step.
//! The guards are owned, so that the change holds them and not its caller.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::Arc;

use tokio::sync::{Mutex, OwnedMutexGuard};

const STRIPES: usize = 64;

pub(crate) struct Stripes {
    hasher: RandomState,
    locks: [Arc<Mutex<()>>; STRIPES],
}

impl Stripes {
    pub(crate) fn new() -> Self {
        Self { hasher: RandomState::new(), locks: std::array::from_fn(|_| Arc::default()) }
    }

    /// Which stripe the key is in: one lock holds all keys of a stripe.
    pub(crate) fn stripe(&self, key: impl Hash) -> usize {
        usize::try_from(self.hasher.hash_one(key) % STRIPES as u64).unwrap_or(0)
    }

    /// Waits until no other key of the stripe is held. A task may hold one of
    /// each set of stripes at most.
    pub(crate) async fn lock(&self, key: impl Hash) -> OwnedMutexGuard<()> {
        match self.locks.get(self.stripe(key)) {
            Some(lock) => Arc::clone(lock).lock_owned().await,
            // Never: the remainder is below the number of stripes.
            None => Arc::new(Mutex::new(())).lock_owned().await,
        }
    }

    /// Takes the lock if no key of the stripe is held. A task may hold several
    /// of these, as long as it waits for none.
    pub(crate) fn try_lock(&self, key: impl Hash) -> Option<OwnedMutexGuard<()>> {
        Arc::clone(self.locks.get(self.stripe(key))?).try_lock_owned().ok()
    }
}
