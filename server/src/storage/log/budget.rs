//! How much may be on its way through a log at once, in appends and bytes, and how
//! much of it for one user.
//!
//! A user has an eighth at most, so that nobody's own flood is refused to others.
//! Shares are counted in [`SHARES`] slots by the user's id; those whose slot is the
//! same share it. The bound holds from `reserve` until the sink was called: it covers the
//! queue, the batch being committed, and what is reserved and not yet stamped.

use std::sync::Arc;

use parking_lot::Mutex;

use parley_protocol::UserId;

use super::ReserveError;

/// Slots in which users' shares are counted.
const SHARES: usize = 1024;

/// The part of the whole that one user may take.
const PART: usize = 8;

/// The bounds and what is taken of them.
#[derive(Debug)]
pub(super) struct Budget {
    whole: Room,
    share: Room,
    taken: Mutex<Taken>,
}

/// So many appends of so many bytes together.
#[derive(Debug, Clone, Copy, Default)]
struct Room {
    appends: usize,
    bytes: usize,
}

impl Room {
    /// Whether one more append fits into what is left of `self`. One is let in
    /// whatever its size.
    const fn has(self, taken: Self, size_bytes: usize) -> bool {
        let bytes = taken.bytes.saturating_add(size_bytes);
        taken.appends < self.appends && (bytes <= self.bytes || taken.appends == 0)
    }

    const fn take(&mut self, size_bytes: usize) {
        self.appends += 1;
        self.bytes = self.bytes.saturating_add(size_bytes);
    }

    const fn give_back(&mut self, size_bytes: usize) {
        self.appends = self.appends.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(size_bytes);
    }
}

#[derive(Debug)]
struct Taken {
    whole: Room,
    shares: Box<[Room]>,
    closed: bool,
}

/// Room for one append. Gives it back when dropped.
#[derive(Debug)]
pub struct Permit {
    budget: Arc<Budget>,
    size_bytes: usize,
    /// Whose share it is of, if anybody's.
    slot: Option<usize>,
}

/// The slot of a user: the end of an id is random.
fn slot(user: UserId) -> usize {
    let [.., high, low] = *user.as_bytes();
    usize::from(u16::from_be_bytes([high, low])) % SHARES
}

impl Budget {
    pub(super) fn new(appends: usize, bytes: usize) -> Arc<Self> {
        let share = Room { appends: appends.div_ceil(PART), bytes: bytes / PART };
        let shares = vec![Room::default(); SHARES].into();
        let taken = Taken { whole: Room::default(), shares, closed: false };
        Arc::new(Self { whole: Room { appends, bytes }, share, taken: Mutex::new(taken) })
    }

    /// Takes room for one append, of the share of `user` if it is for one. One is
    /// let in whatever its size.
    pub(super) fn reserve(
        self: &Arc<Self>,
        user: Option<UserId>,
        size_bytes: usize,
    ) -> Result<Permit, ReserveError> {
        let slot = user.map(slot);
        let mut taken = self.taken.lock();
        let Taken { whole, shares, closed } = &mut *taken;
        if *closed {
            return Err(ReserveError::Closed);
        }
        let mut share = slot.and_then(|slot| shares.get_mut(slot));
        let fits = share.as_ref().is_none_or(|share| self.share.has(**share, size_bytes));
        if !fits || !self.whole.has(*whole, size_bytes) {
            return Err(ReserveError::Full);
        }
        whole.take(size_bytes);
        if let Some(share) = &mut share {
            share.take(size_bytes);
        }
        Ok(Permit { budget: Arc::clone(self), size_bytes, slot })
    }

    /// Appends on their way.
    pub(super) fn waiting(&self) -> usize {
        self.taken.lock().whole.appends
    }

    /// Whether over half of either bound is taken.
    pub(super) fn is_strained(&self) -> bool {
        let Room { appends, bytes } = self.taken.lock().whole;
        appends > self.whole.appends / 2 || bytes > self.whole.bytes / 2
    }

    /// Refuses from now on. True the first time.
    pub(super) fn close(&self) -> bool {
        !std::mem::replace(&mut self.taken.lock().closed, true)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut taken = self.budget.taken.lock();
        taken.whole.give_back(self.size_bytes);
        if let Some(share) = self.slot.and_then(|slot| taken.shares.get_mut(slot)) {
            share.give_back(self.size_bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_bounds_hold_and_room_comes_back() {
        let budget = Budget::new(2, 100);
        let first = budget.reserve(None, 60).unwrap();
        assert_eq!(budget.reserve(None, 41).unwrap_err(), ReserveError::Full);
        let second = budget.reserve(None, 40).unwrap();
        assert_eq!(budget.reserve(None, 0).unwrap_err(), ReserveError::Full);
        drop(second);
        drop(budget.reserve(None, 0).unwrap());
        drop(first);
        // Alone, even one above the bound gets through: else it never would.
        let big = budget.reserve(None, 1_000).unwrap();
        assert_eq!(budget.reserve(None, 1).unwrap_err(), ReserveError::Full);
        drop(big);
        drop(budget.reserve(None, 100).unwrap());
    }

    #[test]
    fn one_user_takes_a_share_and_no_more() {
        let user = |n| UserId::new([n; 16]);
        let budget = Budget::new(64, 8_000);
        let mut held: Vec<_> = (0..8).map(|_| budget.reserve(Some(user(1)), 10).unwrap()).collect();
        assert_eq!(budget.reserve(Some(user(1)), 10).unwrap_err(), ReserveError::Full);
        // Others are let in, as are those that are nobody's.
        drop([budget.reserve(Some(user(2)), 10).unwrap(), budget.reserve(None, 10).unwrap()]);
        held.pop();
        assert_eq!(budget.reserve(Some(user(1)), 931).unwrap_err(), ReserveError::Full);
        held.push(budget.reserve(Some(user(1)), 930).unwrap());
        held.clear();
        // Alone, even one above the share gets through.
        let big = budget.reserve(Some(user(1)), 5_000).unwrap();
        assert_eq!(budget.reserve(Some(user(1)), 1).unwrap_err(), ReserveError::Full);
        assert_eq!(budget.reserve(Some(user(2)), 3_001).unwrap_err(), ReserveError::Full);
        drop(big);
        let taken = budget.taken.lock();
        assert_eq!((taken.whole.appends, taken.whole.bytes), (0, 0));
        assert!(taken.shares.iter().all(|share| share.appends == 0 && share.bytes == 0));
    }

    #[test]
    fn over_half_of_either_bound_is_strained() {
        let budget = Budget::new(4, 100);
        let two = [budget.reserve(None, 0).unwrap(), budget.reserve(None, 50).unwrap()];
        assert!(!budget.is_strained());
        drop(budget.reserve(None, 1).unwrap());
        let bytes = budget.reserve(None, 0).unwrap();
        assert!(budget.is_strained());
        drop(bytes);
        assert!(!budget.is_strained());
        drop(two);
        let _big = budget.reserve(None, 51).unwrap();
        assert!(budget.is_strained());
    }

    #[test]
    fn closing_refuses_for_good() {
        let budget = Budget::new(2, 100);
        let permit = budget.reserve(None, 1).unwrap();
        assert!(budget.close());
        assert!(!budget.close());
        drop(permit);
        assert_eq!(budget.reserve(None, 1).unwrap_err(), ReserveError::Closed);
    }
}
