//! Locks by key, in bounded memory: keys share 64 stripes.
//!
//! They make read-check-commit of one name, or of one user's devices, one step.
//! The guards are owned, so that the change holds them and not its caller.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::Arc;

use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::base::slots::Slots;

const STRIPES: usize = 64;

pub(crate) struct Stripes {
    hasher: RandomState,
    locks: Slots<Arc<Mutex<()>>>,
}

impl Stripes {
    pub(crate) fn new() -> Self {
        Self { hasher: RandomState::new(), locks: Slots::new(STRIPES, Arc::default) }
    }

    /// Which stripe the key is in: one lock holds all keys of a stripe.
    pub(crate) fn stripe(&self, key: impl Hash) -> usize {
        self.locks.index(self.hasher.hash_one(key))
    }

    /// Waits until no other key of the stripe is held. A task may hold one of
    /// each set of stripes at most.
    pub(crate) async fn lock(&self, key: impl Hash) -> OwnedMutexGuard<()> {
        Arc::clone(self.of(key)).lock_owned().await
    }

    /// Takes the lock if no key of the stripe is held. A task may hold several
    /// of these, as long as it waits for none.
    pub(crate) fn try_lock(&self, key: impl Hash) -> Option<OwnedMutexGuard<()>> {
        Arc::clone(self.of(key)).try_lock_owned().ok()
    }

    fn of(&self, key: impl Hash) -> &Arc<Mutex<()>> {
        self.locks.slot(self.hasher.hash_one(key))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn a_held_key_excludes_itself_and_its_stripe_alone() {
        let stripes = Stripes::new();
        let held = stripes.try_lock(1).unwrap();
        assert!(stripes.try_lock(1).is_none());
        assert!(stripes.lock(1).now_or_never().is_none());
        let other = (2..).find(|key| stripes.stripe(key) != stripes.stripe(1)).unwrap();
        assert!(stripes.try_lock(other).is_some());
        drop(held);
        assert!(stripes.lock(1).now_or_never().is_some());
    }
}
