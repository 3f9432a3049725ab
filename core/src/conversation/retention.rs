//! For how long entries are kept: what was in force when an entry was stamped
//! governs it, whatever is set later.
//!
//! A [`Period`] is a run of seqs under one retention. In a group it covers
//! everybody's entries and is the owner's to set; in a 1:1 each side has periods
//! of their own, which cover what they wrote. What is about a message (an edit, a
//! reaction, a pin, a deletion) goes when the message goes, not before and not
//! after.

use parley_protocol::{Code, UserId, limits};

use super::state::{Kind, State};
use crate::believed::EARLIEST_MS;

/// A run of seqs that are kept for the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// Whose entries it covers; everybody's without.
    pub of: Option<UserId>,
    /// It covers entries above this seq.
    pub after: u64,
    /// The last seq it covers; `None` while it is in force.
    pub up_to: Option<u64>,
    /// Seconds for which its entries are kept.
    pub retention_s: u64,
}

impl Period {
    /// Whether it covers the entry with this seq, written by `sender`.
    #[must_use]
    pub fn covers(&self, seq: u64, sender: UserId) -> bool {
        seq > self.after
            && self.up_to.is_none_or(|last| seq <= last)
            && self.of.is_none_or(|of| of == sender)
    }

    /// Entries of it stamped before this moment are gone at `now_ms`.
    #[must_use]
    pub const fn oldest_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.retention_s.saturating_mul(1000))
    }

    /// Whether it is the same period, as far as it went then.
    #[must_use]
    pub fn is(&self, of: Option<UserId>, after: u64) -> bool {
        self.of == of && self.after == after
    }
}

/// What is in a conversation's state without having an effect any more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spent {
    /// Pinned messages that are gone.
    pub pins: Vec<u64>,
    /// Periods that ended and whose entries are all erased, by whose they are
    /// and where they begin.
    pub periods: Vec<(Option<UserId>, u64)>,
}

impl Spent {
    /// Whether there is nothing of the kind.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.pins.is_empty() && self.periods.is_empty()
    }
}

impl State {
    /// Whose retention `user` sets: everybody's in a group, their own in a 1:1.
    #[must_use]
    pub fn keeper(&self, user: UserId) -> Option<UserId> {
        (self.kind == Kind::Direct).then_some(user)
    }

    /// Seconds for which new entries of `keeper` are kept; `None` for ever.
    #[must_use]
    pub fn retention_of(&self, keeper: Option<UserId>) -> Option<u64> {
        let mut current =
            self.periods.iter().filter(|period| period.of == keeper && period.up_to.is_none());
        current.next().map(|period| period.retention_s)
    }

    /// Whether an entry that was stamped at `time_ms` is too old to keep at `now_ms`,
    /// as far as that says it ([`dating`](super::dating)).
    #[must_use]
    pub fn is_expired(&self, seq: u64, sender: UserId, time_ms: u64, now_ms: u64) -> bool {
        let known = time_ms >= EARLIEST_MS;
        let mut periods = self.periods.iter();
        known
            && periods
                .any(|period| period.covers(seq, sender) && time_ms < period.oldest_ms(now_ms))
    }

    /// Whether `keeper` may have another retention from here on.
    pub(super) fn check_retention(
        &self,
        keeper: Option<UserId>,
        retention_s: Option<u64>,
        least_s: u64,
    ) -> Result<(), Code> {
        if retention_s.is_some_and(|wanted| wanted < least_s) {
            return Err(Code::BadRequest);
        }
        let theirs = self.periods.iter().filter(|period| period.of == keeper).count();
        let more = retention_s.is_some() && theirs >= limits::RETENTIONS;
        if more { Err(Code::ListFull) } else { Ok(()) }
    }

    /// Entries of `keeper` above `seq` are kept so long.
    pub(super) fn keep_for(&mut self, keeper: Option<UserId>, retention_s: Option<u64>, seq: u64) {
        if self.retention_of(keeper) == retention_s {
            return;
        }
        for period in &mut self.periods {
            if period.of == keeper && period.up_to.is_none() {
                period.up_to = Some(seq);
            }
        }
        // One that never covered anything says nothing.
        self.periods.retain(|period| period.up_to.is_none_or(|last| last > period.after));
        if let Some(retention_s) = retention_s {
            self.periods.push(Period { of: keeper, after: seq, up_to: None, retention_s });
        }
    }

    /// Drops what has no effect any more. Nobody sees, or may do, anything else
    /// after it; every replica may do so when it likes.
    pub fn tidy(&mut self, spent: &Spent) {
        self.pinned.retain(|seq| !spent.pins.contains(seq));
        self.periods.retain(|period| {
            let over = spent.periods.iter().any(|(of, after)| period.is(*of, *after));
            period.up_to.is_none() || !over
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: UserId = UserId::new([1; 16]);
    const BEN: UserId = UserId::new([2; 16]);
    const T: u64 = EARLIEST_MS;

    #[test]
    fn what_was_in_force_governs_and_what_comes_later_changes_nothing() {
        let mut state = State::empty();
        state.keep_for(None, Some(100), 10);
        state.keep_for(None, Some(1), 20);
        state.keep_for(None, None, 30);
        let expired = |seq| state.is_expired(seq, ANN, T, T + 50_000);
        // Before it was set, under a hundred seconds, under one, and without any.
        assert_eq!([10, 11, 20, 21, 30, 31].map(expired), [false, false, false, true, true, false]);
        assert!(state.is_expired(11, ANN, T, T + 100_001));
        assert!(!state.is_expired(11, ANN, T, T + 100_000));
        assert!(!state.is_expired(11, ANN, T - 1, u64::MAX), "a clock that knew nothing");
        assert_eq!(state.retention_of(None), None);
    }

    #[test]
    fn in_a_direct_conversation_each_covers_their_own() {
        let mut state = State::direct(ANN, BEN);
        state.keep_for(state.keeper(BEN), Some(1), 3);
        assert!(state.is_expired(4, BEN, T, T + 5000) && !state.is_expired(4, ANN, T, T + 5000));
        assert_eq!(state.retention_of(Some(BEN)), Some(1));
        assert_eq!(state.retention_of(Some(ANN)), None);
    }

    #[test]
    fn saying_the_same_again_begins_no_period() {
        let mut state = State::empty();
        state.keep_for(None, Some(7), 3);
        state.keep_for(None, Some(7), 9);
        assert_eq!(state.periods, [Period { of: None, after: 3, up_to: None, retention_s: 7 }]);
    }

    #[test]
    fn periods_are_bounded_for_each_keeper_and_the_spent_ones_make_room() {
        let mut state = State::direct(ANN, BEN);
        let most = limits::RETENTIONS as u64;
        for n in 0..most {
            assert_eq!(state.check_retention(Some(ANN), Some(10 + n), 5), Ok(()));
            state.keep_for(Some(ANN), Some(10 + n), 1 + n);
        }
        assert_eq!(state.check_retention(Some(ANN), Some(9), 5), Err(Code::ListFull));
        assert_eq!(state.check_retention(Some(ANN), None, 5), Ok(()));
        assert_eq!(state.check_retention(Some(BEN), Some(9), 5), Ok(()));
        assert_eq!(state.check_retention(Some(BEN), Some(4), 5), Err(Code::BadRequest));
        // The one in force is never spent.
        let all = (1..=most).map(|after| (Some(ANN), after)).collect();
        state.tidy(&Spent { periods: all, ..Spent::default() });
        assert_eq!(state.periods.len(), 1);
        assert_eq!(state.check_retention(Some(ANN), Some(9), 5), Ok(()));
    }
}
