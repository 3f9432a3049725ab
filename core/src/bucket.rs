//! A token bucket that is paid after the fact: what something costs is known
//! once it is done, and whoever took more than there was waits for longer.
//!
//! The state of a bucket is one number: the time at which it will be full.
//! Times are nanoseconds on any clock that only grows.

/// A bucket's size and how it fills again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// What may be taken at once.
    pub burst: u64,
    /// Nanoseconds until one is back.
    pub every_ns: u64,
}

impl Bucket {
    const fn whole_ns(self) -> u64 {
        self.burst.saturating_mul(self.every_ns)
    }

    /// How long until there is one, of a bucket that will be full at `full_ns`;
    /// 0 when there is now.
    #[must_use]
    pub const fn wait_ns(self, full_ns: u64, now_ns: u64) -> u64 {
        let missing = full_ns.saturating_sub(now_ns);
        missing.saturating_add(self.every_ns).saturating_sub(self.whole_ns())
    }

    /// Takes `count`, whether or not there are as many. Returns when the bucket
    /// will be full. The debt is at most another full bucket.
    #[must_use]
    pub fn take(self, full_ns: u64, now_ns: u64, count: u64) -> u64 {
        let most = now_ns.saturating_add(self.whole_ns().saturating_mul(2));
        let taken = count.saturating_mul(self.every_ns);
        full_ns.max(now_ns).saturating_add(taken).min(most.max(full_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BUCKET: Bucket = Bucket { burst: 10, every_ns: 100 };

    #[test]
    fn a_burst_passes_and_the_wait_is_the_real_one() {
        let full = BUCKET.take(0, 5_000, 9);
        assert_eq!(BUCKET.wait_ns(full, 5_000), 0);
        let full = BUCKET.take(full, 5_000, 1);
        assert_eq!(BUCKET.wait_ns(full, 5_000), 100);
        assert_eq!(BUCKET.wait_ns(full, 5_100), 0);
    }

    #[test]
    fn a_debt_is_waited_for_and_has_a_top() {
        let full = BUCKET.take(0, 0, 15);
        assert_eq!(BUCKET.wait_ns(full, 0), 600);
        let full = BUCKET.take(full, 0, u64::MAX);
        assert_eq!(BUCKET.wait_ns(full, 0), 1_100, "a full bucket, and one");
        assert_eq!(BUCKET.take(full, 0, 0), full);
    }

    proptest! {
        /// It equals counting tokens, as long as the debt is below its top.
        #[test]
        fn it_equals_counting(steps in prop::collection::vec((0u64..3, 0u64..4), 0..60)) {
            let (mut full, mut now, mut tokens) = (0, 0, 10i64);
            for (count, pause) in steps {
                now += pause * BUCKET.every_ns;
                tokens = (tokens + i64::try_from(pause).unwrap()).min(10);
                prop_assert_eq!(BUCKET.wait_ns(full, now) == 0, tokens >= 1);
                if tokens >= 1 {
                    full = BUCKET.take(full, now, count);
                    tokens -= i64::try_from(count).unwrap();
                }
            }
        }

        #[test]
        fn no_number_panics(burst: u64, every_ns: u64, full: u64, now: u64, count: u64) {
            let bucket = Bucket { burst, every_ns };
            let taken = bucket.take(full, now, count);
            prop_assert!(taken >= full);
            let _ = bucket.wait_ns(taken, now);
        }
    }
}
