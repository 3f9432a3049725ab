//! After a start: the feed changes that the last run carried but had not yet
//! written are worked out again from the outbox and the log.

use parley_core::conversation::{Membership, State};
use parley_core::user::FeedEntry;
use parley_protocol::body::is_countable;
use parley_protocol::{ConversationId, UserId};

use super::Homes;
use super::changes::entry;
use crate::storage::store::{OutboxRange, Place, ReadLimit, ReadRange, StoreError, StoredEntry};

/// Outbox rows and entries read at a time.
const PAGE: usize = 1000;

impl Homes {
    /// Works out what the outbox says is missing and writes it to the feed.
    /// Doing it twice changes nothing. Returns how many entries it looked at.
    /// Blocks; to be called before any session is attached.
    ///
    /// # Errors
    /// [`StoreError`] when the store can't be read or written.
    pub fn rebuild(&self) -> Result<u64, StoreError> {
        let mut entries = 0;
        for shard in self.count.all() {
            let mut after = 0;
            loop {
                let rows = self.store.outbox(shard, after, PAGE)?;
                let Some((last, _)) = rows.last() else { break };
                after = *last;
                for range in rows.iter().flat_map(|(_, row)| &row.ranges) {
                    entries += self.replay(range)?;
                }
                self.carried(&[(shard, after)]);
                if self.wants_flush() {
                    self.flush()?;
                }
            }
        }
        if self.dirty() > 0 {
            self.flush()?;
        }
        Ok(entries)
    }

    fn replay(&self, range: &OutboxRange) -> Result<u64, StoreError> {
        let Ok(conversation) = ConversationId::from_slice(&range.conversation) else {
            tracing::error!("an outbox row names no conversation; passed over");
            return Ok(0);
        };
        // Its own; the row is in the shard of the batch's first entry.
        let place = Place::of(self.count, conversation);
        let row = match self.store.conversation(place) {
            // Nobody can read it, and nobody's feed waits for it.
            Err(error) if error.is_damage() => None,
            found => found?,
        };
        let Some(row) = row else { return Ok(0) };
        let state = crate::storage::store::state::to_state(&row);
        self.replay_own(place, &state)?;
        let mut after = range.from_seq.saturating_sub(1);
        let mut count = 0;
        while after < range.to_seq {
            let limit = ReadLimit { entries: PAGE, bytes: 4 << 20 };
            let page = self.store.entries(place, ReadRange::After(after), limit, range.to_seq)?;
            let Some(last) = page.last() else { break };
            after = last.seq;
            for stored in page.iter().filter(|stored| stored.seq <= range.to_seq) {
                count += 1;
                self.replay_entry(place, &state, stored, range.to_seq)?;
            }
        }
        Ok(count)
    }

    /// Read cursors and preferences are rows of their own; what they say of the
    /// feed is merged again, for all members, since the outbox doesn't name
    /// whose changed.
    fn replay_own(&self, place: Place, state: &State) -> Result<(), StoreError> {
        let id = place.conversation;
        for Membership { user, .. } in &state.members {
            let cursor = self.store.cursor(place, *user)?.unwrap_or_default();
            let own = self.store.preferences(self.count.of_user(*user), *user, id)?;
            let own = own.unwrap_or_default();
            let change = FeedEntry {
                read_seq: cursor.read,
                floor_ordinal: cursor.read_ordinal.max(own.cleared_ordinal),
                revision: own.revision,
                ..FeedEntry::default()
            };
            self.note(*user, id, change)?;
        }
        Ok(())
    }

    fn replay_entry(
        &self,
        place: Place,
        state: &State,
        stored: &StoredEntry,
        last: u64,
    ) -> Result<(), StoreError> {
        let head = stored.record.head().unwrap_or_default();
        let stamped = if head.damaged {
            self.store.position(place, stored.seq, last)?
        } else {
            head.position()
        };
        let sender = UserId::from_slice(&head.sender).ok();
        // Who left and came again is known since they came again; what they saw
        // before, lower seqs say in vain.
        for member in state.members.iter().filter(|member| member.sees(stamped.seq)) {
            let message = is_countable(head.kind).then_some(Some(member.user) == sender);
            let change = super::change_of(member, stamped, state.kind, message);
            self.note(member.user, place.conversation, change)?;
        }
        Ok(())
    }

    /// Merges a change, unless the stored row has it already: what the last
    /// run wrote down keeps its version, and a device that knows it is not
    /// told again.
    fn note(&self, user: UserId, id: ConversationId, change: FeedEntry) -> Result<(), StoreError> {
        let stored = self.store.feed_row_or_anew(self.count.of_user(user), user, id)?;
        let known = stored.as_ref().map(entry).unwrap_or_default();
        let mut merged = known;
        merged.merge(&change);
        if merged != known {
            self.handle_read(user, id, change);
        }
        Ok(())
    }
}
