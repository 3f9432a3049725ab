//! What of a conversation is too old to keep, at this moment: the one answer for
//! readers, counts, senders and the eraser.
//!
//! A period of retention covers a run of seqs, and an entry is as old as the oldest
//! behind it, so what expired of a period is its beginning. Not its business: what
//! became of the bytes.

mod dated;
mod time;

use bytes::Bytes;
use parley_core::conversation::{Kind, Period, State};
use parley_protocol::wire::EntryKind;
use parley_protocol::{Message as _, UserId};

use crate::storage::store::{Place, Store, StoreError};
pub(crate) use dated::{done, gone_pins, state_of};
pub(crate) use time::first_from;

/// What expired of a conversation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Gone {
    runs: Vec<Run>,
}

/// Seqs above `after` and up to `up_to` of those that `of` wrote, or of everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) of: Option<UserId>,
    pub(crate) after: u64,
    pub(crate) up_to: u64,
}

impl Run {
    const fn has(&self, seq: u64) -> bool {
        seq > self.after && seq <= self.up_to
    }
}

impl Gone {
    /// What expired up to the committed seq `last`. Blocks.
    ///
    /// # Errors
    /// [`StoreError`] when the store can't be read.
    pub(crate) fn look(
        store: &Store,
        place: Place,
        state: &State,
        last: u64,
        now_ms: u64,
    ) -> Result<Self, StoreError> {
        let mut runs = Vec::new();
        for period in &state.periods {
            let up_to = time::expired(store, place, &state.turns, period, last, now_ms)?;
            if up_to > period.after {
                runs.push(Run { of: period.of, after: period.after, up_to });
            }
        }
        runs.sort_unstable_by_key(|run| (run.after, run.up_to));
        Ok(Self { runs })
    }

    /// Whether nothing did.
    pub(crate) const fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Whether an entry of this sender did.
    pub(crate) fn has(&self, seq: u64, sender: UserId) -> bool {
        self.runs.iter().any(|run| run.has(seq) && run.of.is_none_or(|of| of == sender))
    }

    /// Whether it is so whoever wrote it; `None` when the sender decides.
    pub(crate) fn has_of_all(&self, seq: u64) -> Option<bool> {
        let mut here = self.runs.iter().filter(|run| run.has(seq)).peekable();
        if here.peek().is_none() {
            return Some(false);
        }
        here.any(|run| run.of.is_none()).then_some(true)
    }

    /// Whether the message with this seq did. Blocks when its sender decides.
    ///
    /// # Errors
    /// [`StoreError`] when the store can't be read.
    pub(crate) fn has_message(
        &self,
        store: &Store,
        place: Place,
        seq: u64,
    ) -> Result<bool, StoreError> {
        if let Some(known) = self.has_of_all(seq) {
            return Ok(known);
        }
        let head = store.known_entry(place, seq)?.head().ok();
        let sender = head.and_then(|head| UserId::from_slice(&head.sender).ok());
        Ok(sender.is_some_and(|sender| self.has(seq, sender)))
    }

    /// The runs of entries that could be unread for `reader`: everybody's in a
    /// group, the other one's in a 1:1.
    pub(crate) fn of_others(&self, reader: UserId) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter(move |run| run.of != Some(reader))
    }

    /// Up to where the entries of this period expired.
    pub(crate) fn up_to(&self, period: &Period) -> u64 {
        let mut same =
            self.runs.iter().filter(|run| run.of == period.of && run.after == period.after);
        same.next().map_or(period.after, |run| run.up_to)
    }

    /// Up to where nothing is left for anybody, beginning from `floor`.
    pub(crate) fn floor(&self, state: &State, floor: u64) -> u64 {
        let along = |keeper: Option<UserId>| {
            self.runs
                .iter()
                .filter(|run| run.of == keeper)
                .fold(floor, |at, run| if run.after <= at { at.max(run.up_to) } else { at })
        };
        match state.kind {
            Kind::Group => along(None),
            Kind::Direct => {
                let all = state.members.iter().map(|member| along(Some(member.user)));
                all.min().unwrap_or(floor)
            }
        }
    }
}

/// Whether entries of this kind are about the message that their body names first:
/// they go when it goes.
pub(crate) const fn is_about_another(kind: u32) -> bool {
    kind == EntryKind::Edit as u32
        || kind == EntryKind::Delete as u32
        || kind == EntryKind::Reaction as u32
        || kind == EntryKind::Pin as u32
}

/// The beginning of such a body.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
struct About {
    #[prost(uint64, tag = "1")]
    seq: u64,
}

/// The seq that such a body names first.
pub(crate) fn target_of(body: &Bytes) -> Option<u64> {
    About::decode(body.clone()).ok().map(|about| about.seq).filter(|seq| *seq > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: UserId = UserId::new([1; 16]);
    const BEN: UserId = UserId::new([2; 16]);

    fn run(of: Option<UserId>, after: u64, up_to: u64) -> Run {
        Run { of, after, up_to }
    }

    #[test]
    fn the_floor_rises_over_what_is_gone_without_a_hole() {
        let group = State::empty();
        let gone = Gone { runs: vec![run(None, 2, 5), run(None, 5, 8), run(None, 10, 12)] };
        // Before 3 something is left, so that nothing rises; from there to 8.
        assert_eq!([0, 2, 4, 9, 10].map(|floor| gone.floor(&group, floor)), [0, 8, 8, 9, 12]);
        let direct = State::direct(ANN, BEN);
        let both = Gone { runs: vec![run(Some(ANN), 0, 9), run(Some(BEN), 1, 6)] };
        assert_eq!([0, 1].map(|floor| both.floor(&direct, floor)), [0, 6]);
        let myself = State::direct(ANN, ANN);
        assert_eq!(Gone { runs: vec![run(Some(ANN), 0, 9)] }.floor(&myself, 0), 9);
    }

    #[test]
    fn in_a_direct_conversation_the_sender_decides() {
        let gone = Gone { runs: vec![run(Some(ANN), 2, 5)] };
        assert!(gone.has(3, ANN) && !gone.has(3, BEN) && !gone.has(6, ANN));
        assert_eq!([2, 3, 6].map(|seq| gone.has_of_all(seq)), [Some(false), None, Some(false)]);
        assert_eq!((gone.of_others(ANN).count(), gone.of_others(BEN).count()), (0, 1));
    }
}
