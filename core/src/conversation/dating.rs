//! How old an entry is, when clocks were wrong.
//!
//! A stamp is what the clock showed. Where the clock was ahead, later entries have
//! lower times: what stands before one of them was there when it came, so that an
//! entry is as old as the oldest at or behind it. Where the clock knew nothing (a
//! time from before there was Parley) its entry is as old as the next that has one.

use crate::believed::EARLIEST_MS;

/// Turns that are remembered: of a clock that was put back more often the first are
/// forgotten, and what stands around those may be found too early.
pub const TURNS: usize = 32;

/// Whether a stamp says nothing of when its entry was made, at `now_ms`.
#[must_use]
pub const fn is_odd(time_ms: u64, now_ms: u64) -> bool {
    time_ms < EARLIEST_MS || time_ms > now_ms.saturating_add(super::AHEAD_MS)
}

/// Notes that the time of the entry with this seq is lower than that before it.
pub(super) fn note_turn(turns: &mut Vec<u64>, seq: u64) {
    if turns.len() >= TURNS {
        turns.remove(0);
    }
    turns.push(seq);
}

/// The last seq above `after`, up to `last`, whose entry is from before `time_ms`;
/// `after` when there is none. All at or before it are as old. `turns` are the seqs
/// at which times go back, ascending: between them halving finds it. Asks for few
/// times.
///
/// # Errors
/// What `time_of` says.
pub fn last_before<E>(
    turns: &[u64],
    (after, last): (u64, u64),
    time_ms: u64,
    mut time_of: impl FnMut(u64) -> Result<u64, E>,
) -> Result<u64, E> {
    let within = turns.iter().copied().filter(|turn| *turn > after + 1 && *turn <= last);
    let mut ends = last;
    for begins in within.rev().chain([after + 1]) {
        let (mut low, mut high) = (begins, ends + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            if time_of(middle)? < time_ms {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let found = low - 1;
        if found >= begins && time_of(found)? >= EARLIEST_MS {
            return Ok(found);
        }
        ends = begins - 1;
    }
    Ok(after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const T: u64 = EARLIEST_MS;

    fn turns_of(times: &[u64]) -> Vec<u64> {
        let mut turns = Vec::new();
        for (seq, pair) in (2..).zip(times.windows(2)) {
            if pair[1] < pair[0] {
                note_turn(&mut turns, seq);
            }
        }
        turns
    }

    fn find(times: &[u64], within: (u64, u64), time_ms: u64) -> u64 {
        let of = |seq: u64| Ok::<_, ()>(times[seq as usize - 1]);
        last_before(&turns_of(times), within, time_ms, of).unwrap()
    }

    #[test]
    fn what_was_stamped_ahead_is_as_old_as_what_came_behind_it() {
        let times = [T + 1, T + 900, T + 901, T + 3, T + 5];
        assert_eq!([1, 2, 4, 6].map(|now| find(&times, (0, 5), T + now)), [0, 1, 4, 5]);
        // What is behind the range does not count.
        assert_eq!(find(&times, (0, 3), T + 6), 1);
        assert_eq!(find(&times, (3, 5), T + 4), 4);
    }

    #[test]
    fn what_was_stamped_by_a_clock_that_knew_nothing_is_as_old_as_the_next() {
        let times = [7, 9, T + 5];
        assert_eq!(find(&times, (0, 3), T + 5), 0);
        assert_eq!(find(&times, (0, 3), T + 6), 3);
        assert_eq!(find(&times[..2], (0, 2), T + 6), 0, "never by itself");
        assert_eq!(find(&[T + 1, 9, 11, T + 5], (0, 4), T + 3), 1);
    }

    #[test]
    fn an_empty_range_has_none() {
        assert_eq!(find(&[], (0, 0), u64::MAX), 0);
        assert_eq!(find(&[T], (1, 1), u64::MAX), 1);
    }

    proptest! {
        /// Halving equals looking at all, wherever times go back.
        #[test]
        fn it_equals_looking_at_all(
            times in prop::collection::vec(prop_oneof![0..40u64, T..T + 40], 1..40),
            after in 0u64..40,
            time_ms in T - 1..T + 45,
        ) {
            let last = times.len() as u64;
            let after = after.min(last);
            let old = |seq: &u64| (T..time_ms).contains(&times[*seq as usize - 1]);
            let wanted = (after + 1..=last).rfind(old).unwrap_or(after);
            let found = find(&times, (after, last), time_ms);
            // With more turns than are remembered it may stop early, never late.
            if turns_of(&times).len() < TURNS {
                prop_assert_eq!(found, wanted);
            } else {
                prop_assert!(found <= wanted);
            }
        }
    }
}
