//! What is unread: messages after the user's floor, less what is gone for them.
//!
//! Erased, expired, deleted and hidden messages are not unread, from the moment
//! they are so, whether or not their bodies have left the disk.

use parley_core::user::FeedEntry;
use parley_protocol::{ConversationId, UserId, limits};

use super::Homes;
use crate::base::clock::wall_ms;
use crate::chat::expiry::{Gone, state_of};
use crate::storage::store::{ConversationRow, Place, StoreError};

/// Mentions counted at most: beyond it people don't.
const MENTIONS_COUNTED: usize = 10_000;

/// What is unread.
pub(super) struct Unread {
    /// Up to this ordinal nothing is.
    pub(super) floor: u64,
    pub(super) messages: u64,
    pub(super) mentions: u32,
}

/// Ordinals above the first, up to the second.
type Ordinals = (u64, u64);

impl Homes {
    /// Counts what is unread of a conversation. Blocks.
    pub(super) fn unread(
        &self,
        user: UserId,
        place: Place,
        entry: &FeedEntry,
    ) -> Result<Unread, StoreError> {
        let store = &self.store;
        let all = entry.unread_range();
        let parts = self.left(user, place, entry, all)?;
        // A client counts from the floor by itself: it stands before what is left.
        let floor = parts.first().map_or(all.1.max(all.0), |first| first.0);
        let (mut messages, mut mentions) = (0, Vec::new());
        for part in &parts {
            messages += (part.1 - part.0).saturating_sub(store.count_deleted(place, *part)?);
        }
        if messages > 0 {
            for part in &parts {
                let most = MENTIONS_COUNTED - mentions.len();
                mentions.extend(store.unread_mentions(place, user, *part, most)?);
            }
            for (seq, ordinal) in self.hidden_unread(user, place, entry, &parts)? {
                mentions.retain(|named| *named != seq);
                // One that was also deleted is not counted twice.
                if store.count_deleted(place, (ordinal - 1, ordinal))? == 0 {
                    messages = messages.saturating_sub(1);
                }
            }
        }
        let mentions = u32::try_from(mentions.len()).unwrap_or(u32::MAX);
        Ok(Unread { floor, messages, mentions })
    }

    /// The parts of a range of ordinals that are neither erased nor expired.
    fn left(
        &self,
        user: UserId,
        place: Place,
        entry: &FeedEntry,
        (above, up_to): Ordinals,
    ) -> Result<Vec<Ordinals>, StoreError> {
        if above >= up_to {
            return Ok(Vec::new());
        }
        let Some(row) = self.store.conversation(place)?.filter(has_holes) else {
            return Ok(vec![(above, up_to)]);
        };
        let now_ms = wall_ms();
        let state = state_of(&self.store, place, &row, now_ms)?;
        let gone = Gone::look(&self.store, place, &state, entry.last_seq, now_ms)?;
        let mut holes = vec![(0, self.ordinal_of(place, row.erased_up_to, entry.last_seq)?)];
        for run in gone.of_others(user) {
            let ordinal = |seq| self.ordinal_of(place, seq, entry.last_seq);
            holes.push((ordinal(run.after)?, ordinal(run.up_to)?));
        }
        Ok(without((above, up_to), holes))
    }

    /// Messages up to the entry with this seq.
    fn ordinal_of(&self, place: Place, seq: u64, last: u64) -> Result<u64, StoreError> {
        Ok(self.store.position(place, seq, last)?.ordinal)
    }

    /// The messages within these parts that the user hid, with their ordinals.
    fn hidden_unread(
        &self,
        user: UserId,
        place: Place,
        entry: &FeedEntry,
        parts: &[Ordinals],
    ) -> Result<Vec<(u64, u64)>, StoreError> {
        let (home, id): (_, ConversationId) = (self.count.of_user(user), place.conversation);
        let own = self.store.preferences(home, user, id)?;
        if own.is_none_or(|row| row.hidden == 0) {
            return Ok(Vec::new());
        }
        let read = entry.read_seq.max(entry.sent_seq);
        let mut found = Vec::new();
        for seq in self.store.hidden(home, user, id, 0, limits::HIDDEN_SEQS)? {
            if seq <= read {
                continue;
            }
            let Ok(head) = self.store.known_entry(place, seq)?.head() else { continue };
            let message = parley_protocol::body::is_countable(head.kind);
            let inside = parts.iter().any(|part| head.ordinal > part.0 && head.ordinal <= part.1);
            if message && inside {
                found.push((seq, head.ordinal));
            }
        }
        Ok(found)
    }
}

/// Whether something of it may be erased or expired.
fn has_holes(row: &ConversationRow) -> bool {
    let kept = row.settings.is_some_and(|settings| settings.retention_s > 0);
    kept || !row.periods.is_empty() || row.erased_up_to > 0
}

/// A range without these holes.
fn without((above, up_to): Ordinals, mut holes: Vec<Ordinals>) -> Vec<Ordinals> {
    holes.sort_unstable();
    let (mut parts, mut at) = (Vec::new(), above);
    for (from, to) in holes {
        let before = from.min(up_to);
        if before > at {
            parts.push((at, before));
        }
        at = at.max(to);
    }
    if at < up_to {
        parts.push((at, up_to));
    }
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// What is left of a range is what no hole covers.
        #[test]
        fn holes_are_taken_out(
            above in 0u64..20,
            length in 0u64..20,
            holes in prop::collection::vec((0u64..40, 0u64..10), 0..6),
        ) {
            let holes: Vec<_> = holes.into_iter().map(|(from, length)| (from, from + length)).collect();
            let parts = without((above, above + length), holes.clone());
            for ordinal in 1..60u64 {
                let inside = |(from, to): &(u64, u64)| ordinal > *from && ordinal <= *to;
                let wanted = inside(&(above, above + length)) && !holes.iter().any(inside);
                prop_assert_eq!(parts.iter().filter(|part| inside(part)).count(), usize::from(wanted));
            }
            prop_assert!(parts.is_sorted());
        }
    }
}
