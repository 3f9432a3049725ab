//! How much may be on its way through a log at once, in appends and bytes.
//!
//! The bound holds from `reserve` until the sink was called: it covers the
//! queue, the batch being committed, and what is reserved and not yet stamped.

use std::sync::Arc;

use parking_lot::Mutex;

use super::ReserveError;

/// The bounds and what is taken of them.
#[derive(Debug)]
pub(super) struct Budget {
    appends: usize,
    bytes: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    appends: usize,
    bytes: usize,
    closed: bool,
}

/// Room for one append. Gives it back when dropped.
#[derive(Debug)]
pub struct Permit {
    budget: Arc<Budget>,
    size_bytes: usize,
}

impl Budget {
    pub(super) fn new(appends: usize, bytes: usize) -> Arc<Self> {
        Arc::new(Self { appends, bytes, taken: Mutex::default() })
    }

    /// Takes room for one append. One is let in whatever its size.
    pub(super) fn reserve(self: &Arc<Self>, size_bytes: usize) -> Result<Permit, ReserveError> {
        let mut taken = self.taken.lock();
        if taken.closed {
            return Err(ReserveError::Closed);
        }
        let bytes = taken.bytes.saturating_add(size_bytes);
        if taken.appends >= self.appends || (bytes > self.bytes && taken.appends > 0) {
            return Err(ReserveError::Full);
        }
        taken.appends += 1;
        taken.bytes = bytes;
        Ok(Permit { budget: Arc::clone(self), size_bytes })
    }

    /// Whether over half of either bound is taken.
    pub(super) fn is_strained(&self) -> bool {
        let taken = self.taken.lock();
        taken.appends > self.appends / 2 || taken.bytes > self.bytes / 2
    }

    /// Refuses from now on. True the first time.
    pub(super) fn close(&self) -> bool {
        !std::mem::replace(&mut self.taken.lock().closed, true)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut taken = self.budget.taken.lock();
        taken.appends = taken.appends.saturating_sub(1);
        taken.bytes = taken.bytes.saturating_sub(self.size_bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_bounds_hold_and_room_comes_back() {
        let budget = Budget::new(2, 100);
        let first = budget.reserve(60).unwrap();
        assert_eq!(budget.reserve(41).unwrap_err(), ReserveError::Full);
        let second = budget.reserve(40).unwrap();
        assert_eq!(budget.reserve(0).unwrap_err(), ReserveError::Full);
        drop(second);
        drop(budget.reserve(0).unwrap());
        drop(first);
        // Alone, even one above the bound gets through: else it never would.
        let big = budget.reserve(1_000).unwrap();
        assert_eq!(budget.reserve(1).unwrap_err(), ReserveError::Full);
        drop(big);
        drop(budget.reserve(100).unwrap());
    }

    #[test]
    fn over_half_of_either_bound_is_strained() {
        let budget = Budget::new(4, 100);
        let two = [budget.reserve(0).unwrap(), budget.reserve(50).unwrap()];
        assert!(!budget.is_strained());
        drop(budget.reserve(1).unwrap());
        let bytes = budget.reserve(0).unwrap();
        assert!(budget.is_strained());
        drop(bytes);
        assert!(!budget.is_strained());
        drop(two);
        let _big = budget.reserve(51).unwrap();
        assert!(budget.is_strained());
    }

    #[test]
    fn closing_refuses_for_good() {
        let budget = Budget::new(2, 100);
        let permit = budget.reserve(1).unwrap();
        assert!(budget.close());
        assert!(!budget.close());
        drop(permit);
        assert_eq!(budget.reserve(1).unwrap_err(), ReserveError::Closed);
    }
}
