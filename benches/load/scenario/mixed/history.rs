//! What one device holds of one conversation, and whether all devices hold the same.
//!
//! Every device keeps which seqs it has and a sum over (seq, message): two devices with the
//! same seqs and the same sum hold the same messages in the same order. One device of each conversation
//! also keeps the messages themselves; by these the senders' answers are checked.

use std::collections::{BTreeMap, BTreeSet};

/// What names a message within a run: its device and its number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Id {
    pub(crate) device: u32,
    pub(crate) number: u32,
}

/// How an entry came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Pushed: in order of seq and never twice within a session.
    Pushed,
    /// Asked for, or known from an own send's answer.
    Requested,
}

/// One device's part of one conversation.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// The seq before the run.
    base: u64,
    /// Everything from the base to here is held.
    held: u64,
    /// Held beyond a gap.
    beyond: BTreeSet<u64>,
    sum: u64,
    count: u64,
    /// The last one pushed in this session.
    pushed: u64,
    /// The messages themselves, on the device that keeps them.
    messages: Option<BTreeMap<u64, Option<Id>>>,
    pub(crate) duplicates: u64,
    pub(crate) reordered: u64,
}

/// What is wrong in one conversation.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Seqs that a device lacks, and acknowledged messages that are nowhere.
    pub(crate) lost: u64,
    /// Messages under two seqs.
    pub(crate) duplicates: u64,
    /// A sender's messages out of its order, and devices that hold something else.
    pub(crate) reordered: u64,
}

impl History {
    /// Of a conversation that stood at `base`; one device `keeps` the messages.
    pub(crate) fn new(base: u64, keeps: bool) -> Self {
        let messages = keeps.then(BTreeMap::new);
        Self { base, held: base, pushed: base, messages, ..Self::default() }
    }

    /// Takes an entry; says whether it is new here.
    pub(crate) fn take(&mut self, seq: u64, id: Option<Id>, origin: Origin) -> bool {
        if origin == Origin::Pushed {
            if seq == self.pushed {
                self.duplicates += 1;
            } else if seq < self.pushed {
                self.reordered += 1;
            }
            self.pushed = self.pushed.max(seq);
        }
        if seq <= self.held || self.beyond.contains(&seq) {
            return false;
        }
        self.sum = self.sum.wrapping_add(mix(seq, id));
        self.count += 1;
        if let Some(messages) = &mut self.messages {
            messages.insert(seq, id);
        }
        if seq == self.held + 1 {
            self.held = seq;
            while self.beyond.remove(&(self.held + 1)) {
                self.held += 1;
            }
        } else {
            self.beyond.insert(seq);
        }
        true
    }

    /// A new session begins: what was pushed before may be pushed again.
    pub(crate) const fn reconnect(&mut self) {
        self.pushed = 0;
    }

    /// Everything up to here is held.
    pub(crate) const fn held(&self) -> u64 {
        self.held
    }

    /// Whether something beyond a gap is held.
    pub(crate) fn has_gap(&self) -> bool {
        !self.beyond.is_empty()
    }

    fn highest(&self) -> u64 {
        self.beyond.last().copied().unwrap_or(self.held)
    }
}

/// Compares all devices of one conversation, the one that keeps the messages among them, and
/// what its senders were answered: seq and message.
pub(crate) fn check<'a>(
    devices: impl Iterator<Item = &'a History> + Clone,
    answered: impl Iterator<Item = (u64, Id)> + Clone,
) -> Verdict {
    let mut verdict = Verdict::default();
    let seen = devices.clone().map(History::highest);
    let end = seen.chain(answered.clone().map(|(seq, _)| seq)).max().unwrap_or(0);
    let Some(keeper) = devices.clone().find(|history| history.messages.is_some()) else {
        return verdict;
    };
    for history in devices {
        verdict.lost += (end - history.base).saturating_sub(history.count);
        verdict.duplicates += history.duplicates;
        verdict.reordered += history.reordered;
        let comparable = history.base == keeper.base && history.count == keeper.count;
        verdict.reordered += u64::from(comparable && history.sum != keeper.sum);
    }
    let messages = keeper.messages.as_ref().into_iter().flatten();
    let mut last: BTreeMap<u32, u32> = BTreeMap::new();
    let mut known = BTreeSet::new();
    for id in messages.filter_map(|(_, id)| *id) {
        if !known.insert(id) {
            verdict.duplicates += 1;
        } else if last.insert(id.device, id.number).is_some_and(|before| before > id.number) {
            verdict.reordered += 1;
        }
    }
    let at = |seq| keeper.messages.as_ref().and_then(|messages| messages.get(&seq).copied());
    // What the keeper lacks altogether was counted above.
    let wrong = answered.filter(|(seq, id)| at(*seq).is_some_and(|found| found != Some(*id)));
    verdict.lost += wrong.count() as u64;
    verdict
}

/// A number for a message at a place, by splitmix64's finish.
fn mix(seq: u64, id: Option<Id>) -> u64 {
    let id = id.map_or(0, |id| (u64::from(id.device) + 1) << 32 | u64::from(id.number));
    let mut z = seq.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ id;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(device: u32, number: u32) -> Id {
        Id { device, number }
    }

    /// A device that had these pushed, from seq 6 on.
    fn device(keeps: bool, ids: &[Id]) -> History {
        let mut history = History::new(5, keeps);
        for (seq, id) in (6..).zip(ids) {
            assert!(history.take(seq, Some(*id), Origin::Pushed));
        }
        history
    }

    fn verdict(devices: &[History], answered: &[(u64, Id)]) -> Verdict {
        check(devices.iter(), answered.iter().copied())
    }

    const CLEAN: [Id; 3] =
        [Id { device: 1, number: 0 }, Id { device: 2, number: 0 }, Id { device: 1, number: 1 }];

    #[test]
    fn devices_that_hold_the_same_are_clean() {
        let devices = [device(true, &CLEAN), device(false, &CLEAN)];
        let answered = [(6, id(1, 0)), (7, id(2, 0)), (8, id(1, 1))];
        assert_eq!(verdict(&devices, &answered), Verdict::default());
    }

    #[test]
    fn a_missing_entry_is_lost_wherever_it_lies() {
        let devices = [device(true, &CLEAN), device(false, &CLEAN[..2])];
        assert_eq!(verdict(&devices, &[]).lost, 1);
        let mut gap = History::new(5, false);
        gap.take(6, Some(id(1, 0)), Origin::Pushed);
        gap.take(8, Some(id(1, 1)), Origin::Pushed);
        assert!(gap.has_gap());
        assert_eq!(verdict(&[device(true, &CLEAN), gap], &[]).lost, 1);
        // Nobody has what the sender was told is kept.
        let devices = [device(true, &CLEAN), device(false, &CLEAN)];
        assert_eq!(verdict(&devices, &[(9, id(2, 1))]).lost, 2);
    }

    #[test]
    fn another_message_at_the_same_place_is_found() {
        let other = [id(1, 0), id(2, 7), id(1, 1)];
        assert_eq!(verdict(&[device(true, &CLEAN), device(false, &other)], &[]).reordered, 1);
        let swapped = [id(2, 0), id(1, 0), id(1, 1)];
        assert_eq!(verdict(&[device(true, &CLEAN), device(false, &swapped)], &[]).reordered, 1);
        assert_eq!(verdict(&[device(true, &CLEAN)], &[(6, id(2, 0))]).lost, 1);
    }

    #[test]
    fn a_message_under_two_seqs_and_a_sender_out_of_order_are_found() {
        let doubled = [id(1, 0), id(1, 0)];
        assert_eq!(verdict(&[device(true, &doubled)], &[]).duplicates, 1);
        let falling = [id(1, 1), id(1, 0)];
        assert_eq!(verdict(&[device(true, &falling)], &[]).reordered, 1);
    }

    #[test]
    fn pushes_go_up_within_a_session_and_may_repeat_after_a_reconnect() {
        let mut history = device(false, &CLEAN);
        assert!(!history.take(8, Some(id(1, 1)), Origin::Pushed));
        assert!(!history.take(7, Some(id(2, 0)), Origin::Pushed));
        assert_eq!((history.duplicates, history.reordered), (1, 1));
        history.reconnect();
        assert!(!history.take(8, Some(id(1, 1)), Origin::Pushed));
        assert!(!history.take(8, Some(id(1, 1)), Origin::Requested));
        assert_eq!((history.duplicates, history.reordered), (1, 1));
    }

    #[test]
    fn a_gap_closes_when_what_is_missing_comes() {
        let mut history = History::new(0, false);
        for seq in [2, 4, 3] {
            history.take(seq, None, Origin::Requested);
        }
        assert_eq!((history.held(), history.has_gap(), history.highest()), (0, true, 4));
        assert!(history.take(1, None, Origin::Requested));
        assert_eq!((history.held(), history.has_gap()), (4, false));
    }
}
