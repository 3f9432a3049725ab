//! Finding places in a log by time: entries' times never go back within a
//! conversation, so halving finds them.

use crate::storage::store::{Place, Store, StoreError, Table};

/// Up to where entries are older than `retention_s` seconds; looks between
/// `after` and `last`, which are committed, and returns `after` when there is none.
pub(crate) fn expired(
    store: &Store,
    place: Place,
    retention_s: u64,
    (after, last): (u64, u64),
    now_ms: u64,
) -> Result<u64, StoreError> {
    let oldest_ms = now_ms.saturating_sub(retention_s.saturating_mul(1000));
    // What is erased already needs no looking at.
    let erased = store.retention(place)?.map_or(0, |row| row.seq);
    let after = after.max(erased.min(last));
    if after >= last || time_of(store, place, after + 1)? >= oldest_ms {
        return Ok(after);
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
        if time_of(store, place, middle)? < time_ms {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

fn time_of(store: &Store, place: Place, seq: u64) -> Result<u64, StoreError> {
    let damaged = || StoreError::corrupt(Table::Entries, place.conversation.as_bytes());
    let record = store.entry(place, seq)?.ok_or_else(damaged)?;
    Ok(record.head().map_err(|_| damaged())?.time_ms)
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

    proptest! {
        /// Halving equals looking at every entry, wherever the looking begins
        /// and however much is erased already.
        #[test]
        fn what_is_too_old_equals_looking_at_all(
            mut times in prop::collection::vec(0u64..20_000, 1..40),
            after in 0u64..40,
            now_ms in 0u64..40_000,
            retention_s in 1u64..20,
            erased in 0u64..40,
        ) {
            times.sort_unstable();
            let last = times.len() as u64;
            let after = after.min(last);
            let oldest = now_ms.saturating_sub(retention_s * 1000);
            let old = times.iter().filter(|time| **time < oldest).count() as u64;
            let store = store(&times);
            // The pass erases nothing that is not too old.
            let erased = erased.min(old);
            let row = RetentionRow { seq: erased, ordinal: erased };
            store.write_synced(&[tables::retention::put(HERE, &row)]).unwrap();
            let found = expired(&store, HERE, retention_s, (after, last), now_ms).unwrap();
            prop_assert_eq!(found, old.max(after));
            let first = first_from(&store, HERE, (after, last), oldest).unwrap();
            prop_assert_eq!(first, old.max(after) + 1);
        }
    }

    #[test]
    fn nothing_is_too_old_in_an_empty_range() {
        let store = store(&[1, 2, 3]);
        assert_eq!(expired(&store, HERE, 1, (3, 3), 1_000_000).unwrap(), 3);
        assert_eq!(expired(&store, HERE, u64::MAX, (0, 3), 1_000_000).unwrap(), 0);
        assert_eq!(first_from(&store, HERE, (0, 0), 5).unwrap(), 1);
    }
}
