//! One limit: a token bucket for each key, kept on this node, full at start.

use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use governor::clock::{Clock as _, DefaultClock};
use governor::{Quota, RateLimiter};
use parking_lot::Mutex;

use super::bounded::Bounded;
#[cfg(test)]
pub(crate) use super::bounded::SHARED;
pub(crate) use super::bounded::WhenFull;
use crate::base::clock;
use crate::base::metrics::list as metric;

/// How often buckets that are full again are forgotten.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// The same while keys find no room.
const SWEEP_FULL_EVERY: Duration = Duration::from_secs(1);

const HOUR: Duration = Duration::from_secs(3600);

const MINUTE: Duration = Duration::from_secs(60);

/// A bucket's size and how it fills again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bucket {
    /// What may be done at once.
    pub burst: u32,
    /// Time until one is back.
    pub every: Duration,
}

impl Bucket {
    /// Longest time from empty to full: a hundred years. The buckets count in
    /// nanoseconds, of which a number holds 584 years.
    pub const FILL_MOST: Duration = Duration::from_secs(100 * 366 * 86_400);

    /// Time from empty to full.
    #[must_use]
    pub const fn fill(self) -> Duration {
        self.every.saturating_mul(self.burst)
    }

    /// As many at once.
    #[must_use]
    pub const fn burst(self, burst: u32) -> Self {
        Self { burst, ..self }
    }

    /// As many come back in an hour, one by one.
    #[must_use]
    pub fn per_hour(self, count: u32) -> Self {
        Self { every: HOUR / count.max(1), ..self }
    }

    /// As many at once as come back in a minute.
    #[must_use]
    pub fn per_minute(self, count: u32) -> Self {
        Self { burst: count, every: MINUTE / count.max(1) }
    }

    /// As many bytes at once.
    #[must_use]
    pub const fn burst_bytes(self, bytes: u32) -> Self {
        self.burst(bytes)
    }

    /// As many bytes come back in a second.
    #[must_use]
    pub fn bytes_per_second(self, bytes: u32) -> Self {
        Self { every: Duration::from_secs(1) / bytes.max(1), ..self }
    }

    /// The same for so many at a time.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        let burst = self.burst.saturating_mul(times);
        Self { burst, every: self.every / times.max(1) }
    }

    /// The configuration refuses what takes too long to fill; whatever else
    /// comes here is held to the most that can be counted.
    fn quota(self) -> Quota {
        let every = self.every.clamp(Duration::from_nanos(1), Self::FILL_MOST);
        let most = u32::try_from(Self::FILL_MOST.as_nanos() / every.as_nanos());
        let burst = self.burst.min(most.unwrap_or(u32::MAX));
        let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
        match Quota::with_period(every) {
            Some(quota) => quota.allow_burst(burst),
            // Only a period of zero has no quota.
            None => Quota::per_second(burst),
        }
    }
}

/// Counts a refusal by the limit `name`; returns the wait to say, which is
/// never zero.
pub(super) fn limited(name: &'static str, wait: Duration) -> Duration {
    metrics::counter!(metric::RATE_LIMITED, "limit" => name).increment(1);
    wait.max(Duration::from_millis(1))
}

/// A bucket for each key.
pub(crate) struct Limit<K: Hash + Eq + Clone> {
    name: &'static str,
    limiter: RateLimiter<K, Bounded<K>, DefaultClock>,
    burst: u32,
    full: Arc<AtomicBool>,
    swept: Mutex<Instant>,
}

impl<K: Hash + Eq + Clone> Limit<K> {
    pub(crate) fn new(
        name: &'static str,
        bucket: Bucket,
        keys: usize,
        when_full: WhenFull,
    ) -> Self {
        let (quota, buckets) = (bucket.quota(), Bounded::new(name, when_full, keys));
        Self {
            name,
            full: buckets.full(),
            limiter: RateLimiter::new(quota, buckets, DefaultClock::default()),
            burst: quota.burst_size().get(),
            swept: Mutex::new(clock::now()),
        }
    }

    /// Takes one out of the key's bucket.
    ///
    /// # Errors
    /// How long until there is one.
    pub(crate) fn check(&self, key: &K) -> Result<(), Duration> {
        self.check_n(key, 1)
    }

    /// Takes `n` out of the key's bucket, or nothing. More than a bucket ever
    /// holds takes a full one.
    ///
    /// # Errors
    /// How long until there are as many.
    pub(crate) fn check_n(&self, key: &K, n: u32) -> Result<(), Duration> {
        let Some(n) = NonZeroU32::new(n.min(self.burst)) else { return Ok(()) };
        self.sweep();
        match self.limiter.check_key_n(key, n) {
            Ok(Err(not_until)) => {
                let wait = not_until.wait_time_from(DefaultClock::default().now());
                Err(limited(self.name, wait))
            }
            Ok(Ok(())) | Err(_) => Ok(()),
        }
    }

    /// What may be taken at once.
    pub(crate) const fn burst(&self) -> u32 {
        self.burst
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.limiter.len()
    }

    /// Forgets keys that no longer hold anybody back, now and then.
    fn sweep(&self) {
        // Whoever finds the lock taken leaves the work to its holder.
        let Some(mut swept) = self.swept.try_lock() else { return };
        let full = self.full.load(Ordering::Relaxed);
        if swept.elapsed() >= if full { SWEEP_FULL_EVERY } else { SWEEP_EVERY } {
            *swept = clock::now();
            self.full.store(false, Ordering::Relaxed);
            self.limiter.retain_recent();
            self.limiter.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(burst: u32, keys: usize, when_full: WhenFull) -> Limit<u32> {
        Limit::new("test", Bucket::default().burst(burst).per_hour(4), keys, when_full)
    }

    #[test]
    fn a_burst_passes_and_then_the_wait_is_the_real_one() {
        let limit = limit(50, 10, WhenFull::Open);
        assert!((0..50).all(|_| limit.check(&1).is_ok()));
        let wait = limit.check(&1).unwrap_err();
        let quarter = Duration::from_secs(900);
        assert!(wait <= quarter && wait > quarter - Duration::from_secs(5), "{wait:?}");
        assert!(limit.check(&2).is_ok(), "another key has its own");
    }

    #[test]
    fn no_size_is_too_large() {
        for (burst, per_hour) in [(u32::MAX, 1), (100_000_000, 4), (u32::MAX, u32::MAX), (1, 1)] {
            let bucket = Bucket::default().burst(burst).per_hour(per_hour).times(16);
            let limit = Limit::new("test", bucket, 10, WhenFull::Open);
            assert!(limit.check(&1).is_ok() && limit.check_n(&2, u32::MAX).is_ok());
        }
    }

    #[test]
    fn many_are_taken_at_once_or_not_at_all() {
        let limit = limit(10, 10, WhenFull::Open);
        assert!(limit.check_n(&1, 8).is_ok());
        assert!(limit.check_n(&1, 3).is_err());
        assert!(limit.check_n(&1, 2).is_ok(), "what was refused took nothing");
        assert!(limit.check_n(&1, 0).is_ok());
        assert!(
            limit.check_n(&2, 1000).is_ok() && limit.check(&2).is_err(),
            "it took all there was"
        );
    }

    #[test]
    fn no_size_is_too_much_to_count() {
        let ends = [0, 1, 2, 1000, u32::MAX / 2, u32::MAX];
        let buckets = ends.iter().flat_map(|burst| {
            ends.iter().flat_map(move |count| {
                let bucket = Bucket::default().burst(*burst);
                [
                    bucket.per_hour(*count),
                    bucket.bytes_per_second(*count),
                    bucket.per_minute(*count),
                ]
            })
        });
        for bucket in buckets.chain([Bucket { burst: u32::MAX, every: Duration::MAX }]) {
            let limit = Limit::new("test", bucket, 10, WhenFull::Shared);
            for n in [1, 7, u32::MAX, u32::MAX, 1] {
                let _ = limit.check_n(&1_u32, n);
            }
            assert!(limit.check_n(&2, u32::MAX).is_ok(), "{bucket:?}: a full one is given");
        }
        assert_eq!(Bucket::default().per_minute(u32::MAX).fill().as_secs(), 55, "13 ns each");
    }

    #[test]
    fn bytes_fill_again_by_the_second() {
        let bucket = Bucket::default().burst_bytes(1000).bytes_per_second(2_000_000);
        let limit = Limit::new("test", bucket, 10, WhenFull::Open);
        assert!(limit.check_n(&1, 1000).is_ok());
        let wait = limit.check_n(&1, 1000).unwrap_err();
        assert!(wait <= Duration::from_millis(1), "{wait:?}");
    }

    #[test]
    fn full_is_open_or_shared_and_memory_is_bounded() {
        let shared = limit(1, 10, WhenFull::Shared);
        let taken = (0..5000).filter(|key| shared.check(key).is_ok()).count();
        assert!(shared.len() <= 10 + usize::try_from(SHARED).unwrap());
        assert!((10..=10 + usize::try_from(SHARED).unwrap()).contains(&taken), "{taken}");
        let open = limit(1, 10, WhenFull::Open);
        assert!((0..5000).all(|key| open.check(&key).is_ok()));
        assert_eq!(open.len(), 10);
        // Filling it up frees nobody who is held back.
        assert!((0..10).all(|key| open.check(&key).is_err()));
        assert!((0..10).all(|key| shared.check(&key).is_err()));
    }
}
