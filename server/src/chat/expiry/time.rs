//! Finding places in a log by time: entries' times never go back within a
//! conversation, so halving finds them.

use parley_core::conversation::Period;

use crate::storage::store::{Place, Store, StoreError};

/// Up to where the entries of a period are too old to keep; looks at what is
/// committed, up to `last`, and returns the seq before its first when none is.
pub(super) fn expired(
    store: &Store,
    place: Place,
    period: &Period,
    last: u64,
    now_ms: u64,
) -> Result<u64, StoreError> {
    let Period { after, .. } = *period;
    let last = period.up_to.unwrap_or(last).min(last);
    let oldest_ms = period.oldest_ms(now_ms);
    if last <= after || time_of(store, place, after + 1, last)? >= oldest_ms {
        return Ok(after);
    }
    // One that ended long ago is gone as a whole.
    if time_of(store, place, last, last)? < oldest_ms {
        return Ok(last);
    }
    Ok(first_from(store, place, (after, last), oldest_ms)? - 1)
}

/// The first seq above `after`, up to `last`, whose entry was stamped at or
/// after `time_ms`; one above `last` when there is none. Times never go back
/// within a conversation, so halving finds it.
pub(crate) fn first_from(
    store: &Store,
    place: Place,
    (after, last): (u64, u64),
    time_ms: u64,
) -> Result<u64, StoreError> {
    let mut low = after + 1;
    let mut high = last.max(after) + 1;
    while low < high {
        let middle = low + (high - low) / 2;
        if time_of(store, place, middle, last)? < time_ms {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
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
    use crate::storage::store::{EntryHead, Record, tables};

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

    proptest! {
        /// Halving equals looking at every entry, wherever the period begins and
        /// ends.
        #[test]
        fn what_is_too_old_equals_looking_at_all(
            mut times in prop::collection::vec(0u64..20_000, 1..40),
            after in 0u64..40,
            covered in prop::option::of(0u64..40),
            now_ms in 0u64..40_000,
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
            prop_assert_eq!(expired(&store, HERE, &period, last, now_ms).unwrap(), wanted);
            let all = times.iter().filter(|time| **time < oldest).count() as u64;
            let first = first_from(&store, HERE, (after, last), oldest).unwrap();
            prop_assert_eq!(first, all.max(after) + 1);
        }
    }

    #[test]
    fn nothing_is_too_old_in_an_empty_range() {
        let store = store(&[1, 2, 3]);
        assert_eq!(expired(&store, HERE, &period(3, None, 1), 3, 1_000_000).unwrap(), 3);
        assert_eq!(expired(&store, HERE, &period(0, None, u64::MAX), 3, 1_000_000).unwrap(), 0);
        assert_eq!(first_from(&store, HERE, (0, 0), 5).unwrap(), 1);
    }
}
