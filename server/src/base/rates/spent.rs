//! A limit on what is paid after the fact: the work of queries, and answers that
//! there is no such thing.
//!
//! Who has something left may begin, whatever it will cost; who took more than
//! there was waits until that is back (`core::bucket`). Bounded in memory: when as
//! many keys are remembered as may be, further ones share a thousand buckets,
//! which is stricter, never laxer.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use parley_core::bucket;

use super::bounded::{SHARED, WhenFull};
use super::limit::{Bucket, limited};
use crate::base::clock;

/// A bucket for each key, taken from after the fact.
pub(crate) struct Spent<K> {
    name: &'static str,
    bucket: bucket::Bucket,
    most: usize,
    hasher: RandomState,
    begun: Instant,
    buckets: Mutex<Buckets<K>>,
}

/// When each bucket will be full, since the limit was made.
struct Buckets<K> {
    own: HashMap<K, u64>,
    shared: HashMap<u64, u64>,
    /// Full ones are looked for when as many are remembered.
    prune_at: usize,
}

impl<K: Hash + Eq + Copy> Spent<K> {
    pub(super) fn new(name: &'static str, bucket: Bucket, keys: usize, _: WhenFull) -> Self {
        let every_ns = u64::try_from(bucket.every.as_nanos()).unwrap_or(u64::MAX).max(1);
        let bucket = bucket::Bucket { burst: u64::from(bucket.burst.max(1)), every_ns };
        let buckets =
            Buckets { own: HashMap::new(), shared: HashMap::new(), prune_at: 1_000.min(keys) };
        Self {
            name,
            bucket,
            most: keys,
            hasher: RandomState::new(),
            begun: clock::now(),
            buckets: Mutex::new(buckets),
        }
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Whether the key has anything left.
    ///
    /// # Errors
    /// How long until it has.
    pub(crate) fn check(&self, key: &K) -> Result<(), Duration> {
        let buckets = self.buckets.lock();
        let full_ns = match buckets.own.get(key) {
            Some(own) => *own,
            None => buckets.shared.get(&self.slot(key)).copied().unwrap_or(0),
        };
        drop(buckets);
        match self.bucket.wait_ns(full_ns, self.now_ns()) {
            0 => Ok(()),
            wait => Err(limited(self.name, Duration::from_nanos(wait))),
        }
    }

    /// Takes `count` out of the key's bucket, whether or not there are as many.
    pub(crate) fn take(&self, key: &K, count: u64) {
        let now = self.now_ns();
        let slot = self.slot(key);
        let mut buckets = self.buckets.lock();
        buckets.prune(now, self.most);
        let room = buckets.own.contains_key(key) || buckets.own.len() < self.most;
        let full_ns = if room {
            buckets.own.entry(*key).or_default()
        } else {
            buckets.shared.entry(slot).or_default()
        };
        *full_ns = self.bucket.take(*full_ns, now, count);
    }

    fn slot(&self, key: &K) -> u64 {
        self.hasher.hash_one(key) % SHARED
    }
}

impl<K> Buckets<K> {
    /// Forgets buckets that are full, now and then.
    fn prune(&mut self, now: u64, most: usize) {
        if self.own.len() >= self.prune_at {
            self.own.retain(|_, full_ns| *full_ns > now);
            self.shared.retain(|_, full_ns| *full_ns > now);
            self.prune_at = (self.own.len() * 2).clamp(1_000.min(most), most.max(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spent(keys: usize) -> Spent<u32> {
        let bucket = Bucket::default().burst(100).per_hour(3600);
        Spent::new("test", bucket, keys, WhenFull::Shared)
    }

    #[test]
    fn whoever_took_more_than_there_was_waits_for_it() {
        let spent = spent(10);
        spent.take(&1, 99);
        assert_eq!(spent.check(&1), Ok(()));
        spent.take(&1, 30);
        let wait = spent.check(&1).unwrap_err();
        let thirty = Duration::from_secs(30);
        assert!(wait <= thirty && wait > thirty - Duration::from_secs(5), "{wait:?}");
        assert_eq!(spent.check(&2), Ok(()), "another has their own");
    }

    #[test]
    fn memory_is_bounded_and_what_is_full_is_shared_not_open() {
        let spent = spent(10);
        (0..5000).for_each(|key| spent.take(&key, 100));
        let buckets = spent.buckets.lock();
        assert_eq!(buckets.own.len(), 10);
        assert!(buckets.shared.len() as u64 <= SHARED);
        drop(buckets);
        assert!((0..10).all(|key| spent.check(&key).is_err()), "nobody who owes is let go");
        let passed = (5_000..6_000).filter(|key| spent.check(key).is_ok()).count();
        assert!(passed < 100, "{passed}");
    }
}
