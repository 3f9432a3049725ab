//! Finding places in a log by time: between the turns of a conversation times never
//! go back, so halving finds them.

use parley_core::believed::EARLIEST_MS;
use parley_core::conversation::Period;
use parley_core::conversation::dating::{is_odd, last_before};

use crate::storage::store::{Place, Store, StoreError};

/// Up to where the entries of a period are too old to keep; looks at what is
/// committed, up to `last`, and returns the seq before its first when none is.
pub(super) fn expired(
    store: &Store,
    place: Place,
    turns: &[u64],
    period: &Period,
    last: u64,
    now_ms: u64,
) -> Result<u64, StoreError> {
    let Period { after, .. } = *period;
    let end = period.up_to.unwrap_or(last).min(last);
    let oldest_ms = period.oldest_ms(now_ms);
    if end <= after {
        return Ok(after);
    }
    let of = |seq| time_of(store, place, seq, last);
    let (first_ms, end_ms) = (of(after + 1)?, of(end)?);
    // One that ended long ago is gone as a whole.
    if (EARLIEST_MS..oldest_ms).contains(&end_ms) {
        return Ok(end);
    }
    let mut found = after;
    if turns.is_empty() && first_ms >= EARLIEST_MS {
        if first_ms < oldest_ms {
            found = last_before(turns, (after, end), oldest_ms, of)?;
        }
    } else {
        // What is behind the period says how old its entries are.
        let within = (after, last);
        found = last_before(turns, within, oldest_ms, of)?.min(end);
    }
    if found < end && is_odd(end_ms, now_ms) {
        let row = store.retention(place)?.unwrap_or_default();
        if (EARLIEST_MS..oldest_ms).contains(&row.seen_ms) {
            found = found.max(row.seen_seq.min(end));
        }
    }
    Ok(found)
}

/// The first seq above `after`, up to `last`, whose entry was stamped at or after
/// `time_ms`, as far as clocks were right; one above `last` when there is none.
pub(crate) fn first_from(
    store: &Store,
    place: Place,
    turns: &[u64],
    (after, last): (u64, u64),
    time_ms: u64,
) -> Result<u64, StoreError> {
    let within = (after, last.max(after));
    Ok(last_before(turns, within, time_ms, |seq| time_of(store, place, seq, last))? + 1)
}

/// When the entry was stamped; of one that can't be read, when the readable one before
/// it was.
fn time_of(store: &Store, place: Place, seq: u64, last: u64) -> Result<u64, StoreError> {
    Ok(store.position(place, seq, last)?.time_ms)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parley_protocol::{ConversationId, Message as _, ShardId};
    use proptest::prelude::*;

    use super::*;
    use crate::storage::store::engine::memory::MemoryEngine;
    use crate::storage::store::{EntryHead, Record, RetentionRow, tables};

    const HERE: Place = Place { shard: ShardId(1), conversation: ConversationId::new([5; 16]) };

    fn store(times: &[u64]) -> Store {
        let store = Store::over(Arc::new(MemoryEngine::new()), 4, [7; 16]).unwrap();
        let put = |(seq, time_ms): (u64, &u64)| {
            let head = EntryHead { seq, time_ms: *time_ms, ..EntryHead::default() };
            let record = Record { entry: head.encode_to_vec().into(), ..Record::default() };
            tables::entries::put_encoded(HERE, seq, record.encode_to_vec().into())
        };
        store.write_synced(&(1..).zip(times).map(put).collect::<Vec<_>>()).unwrap();
        store
    }

    fn period(after: u64, up_to: Option<u64>, retention_s: u64) -> Period {
        Period { of: None, after, up_to, retention_s }
    }

    const T: u64 = EARLIEST_MS;

    proptest! {
        /// Halving equals looking at every entry, wherever the period begins and
        /// ends.
        #[test]
        fn what_is_too_old_equals_looking_at_all(
            mut times in prop::collection::vec(T..T + 20_000, 1..40),
            after in 0u64..40,
            covered in prop::option::of(0u64..40),
            now_ms in T..T + 40_000,
            retention_s in 1u64..20,
        ) {
            times.sort_unstable();
            let last = times.len() as u64;
            let after = after.min(last);
            let period = period(after, covered.map(|covered| after + covered), retention_s);
            let oldest = now_ms.saturating_sub(retention_s * 1000);
            let end = period.up_to.unwrap_or(last).min(last);
            let old = |seq: &u64| times[*seq as usize - 1] < oldest;
            let wanted = (after + 1..=end).take_while(old).last().unwrap_or(after);
            let store = store(&times);
            prop_assert_eq!(expired(&store, HERE, &[], &period, last, now_ms).unwrap(), wanted);
            let all = times.iter().filter(|time| **time < oldest).count() as u64;
            let first = first_from(&store, HERE, &[], (after, last), oldest).unwrap();
            prop_assert_eq!(first, all.max(after) + 1);
        }
    }

    #[test]
    fn nothing_is_too_old_in_an_empty_range() {
        let store = store(&[T + 1, T + 2, T + 3]);
        let now = T + 1_000_000;
        assert_eq!(expired(&store, HERE, &[], &period(3, None, 1), 3, now).unwrap(), 3);
        assert_eq!(expired(&store, HERE, &[], &period(0, None, u64::MAX), 3, now).unwrap(), 0);
        assert_eq!(first_from(&store, HERE, &[], (0, 0), 5).unwrap(), 1);
    }

    /// What stands behind a period says how old its entries are, and what was seen of
    /// entries whose own times say nothing.
    #[test]
    fn what_was_stamped_by_a_wrong_clock_is_as_old_as_what_is_known_of_it() {
        const AHEAD: u64 = T + 900_000_000;
        let late = T + 60_000;
        let store = store(&[AHEAD, AHEAD + 1, T + 1, AHEAD]);
        let turns = [3];
        let up_to =
            |period: &Period, last| expired(&store, HERE, &turns, period, last, late).unwrap();
        assert_eq!(up_to(&period(0, Some(2), 9), 4), 2);
        assert_eq!(up_to(&period(0, None, 9), 2), 0, "nothing is known yet");
        assert_eq!(up_to(&period(0, None, 9), 4), 3);
        let seen = |seen_seq, seen_ms| {
            let row = RetentionRow { seen_seq, seen_ms, ..RetentionRow::default() };
            store.write_synced(&[tables::retention::put(HERE, &row)]).unwrap();
        };
        seen(4, T + 2);
        assert_eq!(up_to(&period(0, None, 9), 4), 4);
        assert_eq!(up_to(&period(0, None, 59), 4), 4);
        assert_eq!(up_to(&period(0, None, 60), 4), 0);
        let blind = self::store(&[7, 8]);
        let found = || expired(&blind, HERE, &[], &period(0, None, 9), 2, late).unwrap();
        assert_eq!(found(), 0);
        let row = RetentionRow { seen_seq: 1, seen_ms: T + 2, ..RetentionRow::default() };
        blind.write_synced(&[tables::retention::put(HERE, &row)]).unwrap();
        assert_eq!(found(), 1);
    }
}
