//! One budget of bytes for what waits in memory for clients, over all sessions.
//!
//! Whoever takes is never refused here: over the limit the one that holds most is
//! ended, and so the next, until it fits again. Who looks for the largest is woken
//! once; should it be late, at a quarter above the limit whoever takes more is
//! ended itself.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::base::worker::Nudge;

/// The budget.
pub struct Memory {
    limit: usize,
    used: AtomicUsize,
    over: Nudge,
}

/// How it stands with a budget after something was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// It is within the limit, or soon will be.
    Enough,
    /// It is far above: whoever took has to give up.
    None,
}

impl Memory {
    /// `limit` bytes, of which none is used.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit, used: AtomicUsize::new(0), over: Nudge::new() }
    }

    /// Takes so many bytes.
    pub fn take(&self, bytes: usize) -> Room {
        let before = self.used.fetch_add(bytes, Ordering::Relaxed);
        let now = before.saturating_add(bytes);
        if now <= self.limit {
            return Room::Enough;
        }
        if before <= self.limit {
            self.over.wake();
        }
        if now <= self.limit.saturating_add(self.limit / 4) { Room::Enough } else { Room::None }
    }

    /// Gives back what was taken.
    ///
    /// # Panics
    /// When more is given back than was taken: the count would mean nothing.
    pub fn give_back(&self, bytes: usize) {
        let before = self.used.fetch_sub(bytes, Ordering::Relaxed);
        assert!(before >= bytes, "{bytes} bytes were given back of {before}");
    }

    /// Bytes in use.
    #[must_use]
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Bytes above the limit.
    #[must_use]
    pub fn excess(&self) -> usize {
        self.used().saturating_sub(self.limit)
    }

    /// Wakes whoever makes room.
    pub(crate) const fn over(&self) -> &Nudge {
        &self.over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_over_the_limit_before_it_is_full() {
        let memory = Memory::new(1000);
        assert_eq!(memory.take(1000), Room::Enough);
        assert_eq!((memory.used(), memory.excess()), (1000, 0));
        assert_eq!(memory.take(250), Room::Enough);
        assert_eq!(memory.excess(), 250);
        assert_eq!(memory.take(1), Room::None);
        memory.give_back(1251);
        assert_eq!((memory.used(), memory.excess()), (0, 0));
    }

    #[test]
    #[should_panic(expected = "2 bytes were given back of 1")]
    fn more_than_was_taken_is_not_given_back() {
        let memory = Memory::new(10);
        let _ = memory.take(1);
        memory.give_back(2);
    }
}
