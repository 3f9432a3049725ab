//! The buckets of one limit, in bounded memory.
//!
//! Whoever has a bucket keeps it. A key that comes when as many are remembered
//! as may be passes uncounted (open), or shares one of a thousand buckets with
//! others (shared), which is stricter, never laxer.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::state::keyed::ShrinkableKeyedStateStore;
use parking_lot::Mutex;

use crate::base::metrics::list as metric;

/// Buckets that keys without a place of their own share.
pub(crate) const SHARED: u64 = 1024;

/// What happens to a key for which there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhenFull {
    /// It is let through.
    Open,
    /// It shares a bucket.
    Shared,
}

/// Buckets by key.
pub(super) struct Bounded<K> {
    name: &'static str,
    when_full: WhenFull,
    most: usize,
    hasher: RandomState,
    /// A key found no room since this was last cleared.
    full: Arc<AtomicBool>,
    buckets: Mutex<Buckets<K>>,
}

struct Buckets<K> {
    own: HashMap<K, Nanos>,
    shared: HashMap<u64, Nanos>,
}

impl<K> Bounded<K> {
    pub(super) fn new(name: &'static str, when_full: WhenFull, most: usize) -> Self {
        let buckets = Buckets { own: HashMap::new(), shared: HashMap::new() };
        Self {
            name,
            when_full,
            most,
            hasher: RandomState::new(),
            full: Arc::default(),
            buckets: Mutex::new(buckets),
        }
    }

    /// Set when a key finds no room; whoever makes room clears it.
    pub(super) fn full(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.full)
    }
}

impl<K: Hash + Eq + Clone> StateStore for Bounded<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut buckets = self.buckets.lock();
        if let Some(own) = buckets.own.get_mut(key) {
            let (done, now) = measure(Some(*own))?;
            *own = now;
            return Ok(done);
        }
        if buckets.own.len() < self.most {
            let (done, now) = measure(None)?;
            buckets.own.insert(key.clone(), now);
            return Ok(done);
        }
        self.full.store(true, Ordering::Relaxed);
        match self.when_full {
            WhenFull::Open => {
                metrics::counter!(metric::RATE_LIMITS_FULL, "limit" => self.name).increment(1);
                measure(None).map(|(done, _)| done)
            }
            WhenFull::Shared => {
                let slot = self.hasher.hash_one(key) % SHARED;
                let (done, now) = measure(buckets.shared.get(&slot).copied())?;
                buckets.shared.insert(slot, now);
                Ok(done)
            }
        }
    }
}

impl<K: Hash + Eq + Clone> ShrinkableKeyedStateStore<K> for Bounded<K> {
    fn retain_recent(&self, drop_below: Nanos) {
        let mut buckets = self.buckets.lock();
        buckets.own.retain(|_, bucket| *bucket > drop_below);
        buckets.shared.retain(|_, bucket| *bucket > drop_below);
    }

    fn shrink_to_fit(&self) {
        self.buckets.lock().own.shrink_to_fit();
    }

    fn len(&self) -> usize {
        let buckets = self.buckets.lock();
        buckets.own.len() + buckets.shared.len()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
