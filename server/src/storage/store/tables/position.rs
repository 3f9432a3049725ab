//! Where an entry stands, also when it can't be read: the entries around it tell,
//! as far as they can.
//!
//! Between the readable one below and the readable one above, ordinals and times
//! only grow. Of an unreadable entry the highest ordinal is taken that fits, so that
//! nothing counts as unread which nobody can read, and the lowest time.

use parley_core::conversation::Position;
use parley_protocol::body;

use super::entries::EntryHead;
use crate::storage::store::{Place, Store, StoreError};

/// Entries looked at one after another; then each step is twice as wide.
const NEAR: u64 = 64;

impl Store {
    /// Where an entry up to `last`, which is known to be there, stands; before the
    /// first for seq 0.
    ///
    /// # Errors
    /// [`StoreError`] when the disk can't be read.
    pub fn position(&self, place: Place, seq: u64, last: u64) -> Result<Position, StoreError> {
        if seq == 0 {
            return Ok(Position::default());
        }
        let failed = match self.known_head(place, seq) {
            Ok(Some(head)) => return Ok(Position { seq, ..head.position() }),
            Ok(None) => None,
            Err(error) if error.is_damage() => None,
            Err(error) => Some(error),
        };
        let below = self.readable(place, |distance| seq.checked_sub(distance).filter(|at| *at > 0));
        let above = self.readable(place, |distance| {
            seq.checked_add(distance).filter(|at| *at <= last.max(seq))
        });
        if let (None, None, Some(error)) = (&below, &above, failed) {
            return Err(error);
        }
        let below =
            below.map_or_else(Position::default, |(seq, head)| Position { seq, ..head.position() });
        let most = below.ordinal.saturating_add(seq - below.seq);
        let ordinal = above.map_or(most, |(_, head)| {
            let before = head.ordinal.saturating_sub(u64::from(body::is_countable(head.kind)));
            most.min(before).max(below.ordinal)
        });
        Ok(Position { seq, ordinal, time_ms: below.time_ms })
    }

    /// The nearest entry in a direction that can be read, about.
    fn readable(&self, place: Place, at: impl Fn(u64) -> Option<u64>) -> Option<(u64, EntryHead)> {
        let mut distance = 1u64;
        while let Some(seq) = at(distance) {
            if let Ok(Some(head)) = self.known_head(place, seq) {
                return Some((seq, head));
            }
            distance = distance.saturating_add(if distance < NEAR { 1 } else { distance });
        }
        None
    }

    /// The head of an entry that says where it stands.
    fn known_head(&self, place: Place, seq: u64) -> Result<Option<EntryHead>, StoreError> {
        let head = self.entry(place, seq)?.and_then(|record| record.head().ok());
        // What was written in place of a damaged entry may know nothing of it.
        Ok(head.filter(|head| !head.damaged || head.time_ms > 0))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use parley_protocol::wire::EntryKind;
    use parley_protocol::{ConversationId, Message as _, ShardId};
    use proptest::prelude::*;

    use super::*;
    use crate::storage::store::engine::memory::MemoryEngine;
    use crate::storage::store::{Record, tables};

    const HERE: Place = Place { shard: ShardId(1), conversation: ConversationId::new([5; 16]) };

    proptest! {
        /// Whatever can't be read, positions only grow, stay within what is possible,
        /// and those of readable entries are the true ones.
        #[test]
        fn positions_only_grow(
            log in prop::collection::vec((any::<bool>(), 0u64..3, 0u8..4), 1..150),
        ) {
            let store = Store::over(Arc::new(MemoryEngine::new()), 4, [7; 16]).unwrap();
            let (mut at, mut truth, mut rows) = (Position::default(), Vec::new(), Vec::new());
            for (counts, later, damage) in log {
                at = Position {
                    seq: at.seq + 1,
                    ordinal: at.ordinal + u64::from(counts),
                    time_ms: at.time_ms + later,
                };
                let kind = if counts { EntryKind::Text } else { EntryKind::Edit } as u32;
                let Position { seq, ordinal, time_ms } = at;
                let head = EntryHead { seq, ordinal, time_ms, kind, ..EntryHead::default() };
                let record = Record { entry: head.encode_to_vec().into(), ..Record::default() };
                let bytes = match damage {
                    0 => Some(Bytes::from_static(b"\xff\xff")),
                    1 => None,
                    _ => Some(record.encode_to_vec().into()),
                };
                rows.extend(bytes.map(|bytes| tables::entries::put_encoded(HERE, seq, bytes)));
                truth.push((at, damage > 1));
            }
            store.write_synced(&rows).unwrap();
            let last = truth.len() as u64;
            let mut before = Position::default();
            for (true_one, readable) in truth {
                let found = store.position(HERE, true_one.seq, last).unwrap();
                prop_assert_eq!(found.seq, true_one.seq);
                prop_assert!(found.ordinal >= before.ordinal && found.time_ms >= before.time_ms);
                prop_assert!(found.ordinal >= true_one.ordinal || !readable);
                prop_assert!(found.ordinal <= found.seq && found.time_ms <= true_one.time_ms);
                if readable {
                    prop_assert_eq!(found, true_one);
                }
                before = found;
            }
        }
    }
}
