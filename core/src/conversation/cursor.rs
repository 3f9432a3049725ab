//! Cursors: how far a member's devices hold, and how far the member has read.
//!
//! They are cumulative, only move forward, and never pass what the asking
//! device was given. What it was given is known per session as [`Given`]: at
//! most two runs of seqs without holes, one at the live end and one where the
//! device catches up.

use parley_protocol::{Code, UserId};

use super::{Conversation, Kind, Membership, Position};

/// Which cursor to move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// The device holds everything up to the seq.
    Delivered,
    /// The user has read everything up to the seq. Implies `Delivered`.
    Read,
}

/// Seqs `from..=to`, all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// The first seq.
    pub from: u64,
    /// The last seq.
    pub to: u64,
}

impl Interval {
    /// Both as one, when they overlap or touch.
    fn join(self, other: Self) -> Option<Self> {
        let touch =
            self.from <= other.to.saturating_add(1) && other.from <= self.to.saturating_add(1);
        touch.then(|| Self { from: self.from.min(other.from), to: self.to.max(other.to) })
    }
}

/// What one session was given of one conversation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Given {
    live: Option<Interval>,
    caught_up: Option<Interval>,
}

impl Given {
    /// Notes that the entries of `interval` were written to the session.
    pub fn add(&mut self, interval: Interval) {
        let joined = [self.live, self.caught_up]
            .into_iter()
            .flatten()
            .fold(interval, |sum, known| sum.join(known).unwrap_or(sum));
        let outside = |known: &Interval| joined.join(*known).is_none();
        match self.live.filter(outside) {
            // The new run lies apart below the live one: it is where the
            // device catches up, or looks at old history.
            Some(live) if live.from > joined.to => self.caught_up = Some(joined),
            kept => {
                self.caught_up = kept.or(self.caught_up.filter(outside));
                self.live = Some(joined);
            }
        }
    }

    /// Whether a device whose user already holds everything up to `held` has,
    /// with this, everything up to `up_to`.
    #[must_use]
    pub fn covers(&self, held: u64, up_to: u64) -> bool {
        up_to <= held
            || [self.live, self.caught_up]
                .into_iter()
                .flatten()
                .any(|run| run.from <= held.saturating_add(1) && up_to <= run.to)
    }
}

/// A member's cursors after a move, and what changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MovedCursor {
    /// Where delivered stands.
    pub delivered: Position,
    /// Where read stands.
    pub read: Position,
    /// Whether delivered moved.
    pub delivered_moved: bool,
    /// Whether read moved.
    pub read_moved: bool,
    /// From where the lower of what moved came.
    pub from_seq: u64,
}

/// What others may learn of a member's cursors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Both cursors.
    All,
    /// What was delivered; reading is hidden.
    Delivered,
    /// Nothing.
    Nothing,
}

impl Conversation {
    /// Whether `user` may move a cursor to `up_to`, having been `given` that.
    /// Returns whether the move would change anything.
    ///
    /// # Errors
    /// [`Code::NotFound`] when they never were a member, [`Code::CursorAhead`]
    /// when the cursor would pass what they may see or what the device was given.
    pub fn check_move(
        &self,
        user: UserId,
        which: Move,
        up_to: u64,
        given: Given,
    ) -> Result<bool, Code> {
        let member = self.state().member(user).ok_or(Code::NotFound)?;
        let end = self.last_seen(member);
        let progress = self.progress(user);
        let floor = member.sees_after.max(self.state().erased_up_to);
        let held = progress.delivered.seq.max(floor);
        if up_to > end || !given.covers(held, up_to) {
            return Err(Code::CursorAhead);
        }
        Ok(match which {
            Move::Delivered => up_to > progress.delivered.seq,
            Move::Read => up_to > progress.read.seq,
        })
    }

    /// Moves a member's cursor to `to`, which [`Conversation::check_move`] let
    /// pass; one that is already there stays. When something moved,
    /// [`Conversation::settle_move`] is due once that is committed. Returns
    /// `None` when the user never was a member.
    ///
    /// # Panics
    /// When the cursor would pass what the member sees: it was not checked.
    pub fn move_cursor(&mut self, user: UserId, which: Move, to: Position) -> Option<MovedCursor> {
        let end = self.last_seen(self.state().member(user)?);
        assert!(to.seq <= end, "{}: a cursor at {} of {end}", self.id, to.seq);
        let progress = self.progress.entry(user).or_default();
        let before = *progress;
        let read_moved = which == Move::Read && advance(&mut progress.read, to);
        // Who has read it has it.
        let delivered_moved = advance(&mut progress.delivered, to);
        let from_delivered = if delivered_moved { before.delivered.seq } else { u64::MAX };
        let from_read = if read_moved { before.read.seq } else { u64::MAX };
        let moved = MovedCursor {
            delivered: progress.delivered,
            read: progress.read,
            delivered_moved,
            read_moved,
            from_seq: from_delivered.min(from_read),
        };
        self.moves_in_flight += u32::from(delivered_moved || read_moved);
        Some(moved)
    }

    /// Seq of the last committed entry that the member sees.
    fn last_seen(&self, member: &Membership) -> u64 {
        member.left_seq.unwrap_or(self.committed.seq)
    }

    /// A cursor move was committed: others may be told of what is shown.
    ///
    /// # Panics
    /// When no move is on its way.
    pub fn settle_move(&mut self, user: UserId, moved: &MovedCursor, shown: Shown) {
        assert!(self.moves_in_flight > 0, "{}: a move was settled twice", self.id);
        self.moves_in_flight -= 1;
        if let Some(progress) = self.progress.get_mut(&user) {
            if shown != Shown::Nothing {
                advance(&mut progress.told.delivered, moved.delivered);
            }
            if shown == Shown::All {
                advance(&mut progress.told.read, moved.read);
            }
        }
    }

    /// Whom it matters to that `user` moved a cursor onwards from `from_seq`:
    /// in a 1:1 the other one, in a group those who sent something after it.
    #[must_use]
    pub fn receipt_readers(&self, user: UserId, from_seq: u64) -> Vec<UserId> {
        let state = self.state();
        match (state.kind, self.senders.since(from_seq)) {
            (Kind::Group, Some(waiting)) => {
                let there = |other: &UserId| *other != user && state.active(*other).is_some();
                waiting.filter(there).collect()
            }
            (Kind::Direct, _) | (Kind::Group, None) => {
                let others = state.actives().map(|member| member.user);
                others.filter(|other| *other != user).collect()
            }
        }
    }
}

fn advance(cursor: &mut Position, to: Position) -> bool {
    let moves = to.seq > cursor.seq;
    if moves {
        *cursor = to;
    }
    moves
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::{Act, Admitted, Role, State};
    use parley_protocol::ConversationId;
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use std::collections::HashMap;

    const ANN: UserId = UserId::new([1; 16]);
    const BEN: UserId = UserId::new([2; 16]);
    const EVE: UserId = UserId::new([3; 16]);

    fn conversation(seq: u64) -> Conversation {
        let head = Position { seq, ordinal: seq, time_ms: 1 };
        let mut state = State::empty();
        state.members = [ANN, BEN, EVE]
            .map(|user| Membership {
                user,
                role: Role::Member,
                joined_seq: 1,
                joined_ordinal: 0,
                sees_after: 0,
                left_seq: (user == EVE).then_some(3),
            })
            .into();
        Conversation::restore(ConversationId::new([9; 16]), state, HashMap::new(), head)
    }

    fn given(runs: &[(u64, u64)]) -> Given {
        let mut given = Given::default();
        for (from, to) in runs {
            given.add(Interval { from: *from, to: *to });
        }
        given
    }

    #[test]
    fn live_deliveries_and_the_fetched_gap_become_one_run() {
        // Held up to 3, live from 6 on, then the gap is fetched.
        assert!(!given(&[(6, 6), (7, 7)]).covers(3, 7));
        assert!(given(&[(6, 6), (7, 7), (4, 5)]).covers(3, 7));
        assert!(given(&[(6, 6), (4, 6), (7, 7)]).covers(3, 7));
    }

    #[test]
    fn pages_far_behind_the_live_end_cover_their_own_part() {
        let pages = given(&[(1000, 1000), (4, 203), (204, 403), (1001, 1001)]);
        assert!(pages.covers(3, 403));
        assert!(!pages.covers(3, 404));
        assert!(!pages.covers(3, 1001));
    }

    #[test]
    fn nothing_given_covers_only_what_is_held() {
        assert!(Given::default().covers(3, 3));
        assert!(!Given::default().covers(3, 4));
        assert!(!given(&[(u64::MAX, u64::MAX)]).covers(3, 4));
    }

    #[test]
    fn a_cursor_never_passes_the_log_or_what_was_given() {
        let conversation = conversation(5);
        let all = given(&[(1, 9)]);
        assert_eq!(conversation.check_move(ANN, Move::Read, 6, all), Err(Code::CursorAhead));
        assert_eq!(conversation.check_move(ANN, Move::Read, 5, all), Ok(true));
        let some = given(&[(1, 3)]);
        assert_eq!(conversation.check_move(ANN, Move::Delivered, 4, some), Err(Code::CursorAhead));
        assert_eq!(
            conversation.check_move(UserId::new([7; 16]), Move::Read, 1, all),
            Err(Code::NotFound)
        );
    }

    #[test]
    fn cursors_only_move_forward_and_read_implies_delivered() {
        let mut conversation = conversation(5);
        let at = |seq| Position { seq, ordinal: seq, time_ms: seq };
        let moved = conversation.move_cursor(ANN, Move::Read, at(4)).unwrap();
        assert!(moved.delivered_moved && moved.read_moved && moved.delivered.seq == 4);
        let back = conversation.move_cursor(ANN, Move::Delivered, at(2)).unwrap();
        assert!(!back.delivered_moved && back.delivered == at(4));
        assert_eq!(conversation.check_move(ANN, Move::Read, 3, Given::default()), Ok(false));
        // One move is on its way, the other changed nothing.
        assert!(!conversation.is_settled());
        assert_eq!(conversation.progress(ANN).told.read, Position::default());
        conversation.settle_move(ANN, &moved, Shown::All);
        assert!(conversation.is_settled());
        assert_eq!(conversation.progress(ANN).told.read, at(4));
    }

    #[test]
    #[should_panic(expected = "a cursor at 6 of 5")]
    fn a_cursor_past_the_log_stops_everything() {
        conversation(5).move_cursor(ANN, Move::Read, Position { seq: 6, ..Position::default() });
    }

    #[test]
    #[should_panic(expected = "a move was settled twice")]
    fn a_move_that_was_settled_twice_stops_everything() {
        let mut conversation = conversation(5);
        let to = Position { seq: 4, ..Position::default() };
        let moved = conversation.move_cursor(ANN, Move::Read, to).unwrap();
        (0..2).for_each(|_| conversation.settle_move(ANN, &moved, Shown::All));
    }

    #[test]
    fn others_are_told_what_is_shown() {
        let mut conversation = conversation(5);
        let at = |seq| Position { seq, ordinal: seq, time_ms: seq };
        for (up_to, shown, delivered, read) in
            [(2, Shown::Nothing, 0, 0), (3, Shown::Delivered, 3, 0), (4, Shown::All, 4, 4)]
        {
            let moved = conversation.move_cursor(ANN, Move::Read, at(up_to)).unwrap();
            conversation.settle_move(ANN, &moved, shown);
            let told = conversation.progress(ANN).told;
            assert_eq!((told.delivered.seq, told.read.seq), (delivered, read));
        }
    }

    #[test]
    fn a_former_member_moves_up_to_where_they_left() {
        let conversation = conversation(5);
        let all = given(&[(1, 9)]);
        assert_eq!(conversation.check_move(EVE, Move::Read, 3, all), Ok(true));
        assert_eq!(conversation.check_move(EVE, Move::Read, 4, all), Err(Code::CursorAhead));
    }

    #[test]
    fn a_receipt_matters_to_those_who_sent_something_since() {
        let mut conversation = conversation(0);
        let hello = Act::Message { reply_to: None, mentions: Vec::new(), everyone: false };
        let mut say = |sender: UserId| {
            let entry = Admitted { sender, act: hello.clone(), target: None };
            let stamped = conversation.stamp(&entry, 1, 200).unwrap().stamped;
            conversation.apply(sender, &hello, stamped);
        };
        [ANN, ANN, BEN].into_iter().for_each(&mut say);
        assert_eq!(conversation.receipt_readers(BEN, 0), [ANN]);
        assert_eq!(conversation.receipt_readers(BEN, 1), [ANN]);
        assert!(conversation.receipt_readers(BEN, 2).is_empty());
        assert_eq!(conversation.receipt_readers(EVE, 2), [BEN]);
    }

    proptest! {
        /// Whatever was written in whatever order, `covers` never claims a
        /// seq that was not given.
        #[test]
        fn covers_never_claims_too_much(
            runs in prop::collection::vec((1u64..40, 0u64..6), 0..12),
            held in 0u64..10,
            up_to in 0u64..50,
        ) {
            let mut sum = Given::default();
            let mut truth: BTreeSet<u64> = (1..=held).collect();
            for (from, length) in runs {
                sum.add(Interval { from, to: from + length });
                truth.extend(from..=from + length);
            }
            if sum.covers(held, up_to) {
                prop_assert!((1..=up_to).all(|seq| truth.contains(&seq)));
            }
        }

        /// A device that catches up in order is always covered.
        #[test]
        fn a_device_that_catches_up_in_order_is_covered(
            held in 0u64..20, page in 1u64..7, live in 1u64..9, head in 20u64..40,
        ) {
            let mut sum = Given::default();
            for seq in head + 1..=head + live {
                sum.add(Interval { from: seq, to: seq });
            }
            let mut at = held;
            while at < head {
                let to = (at + page).min(head);
                sum.add(Interval { from: at + 1, to });
                prop_assert!(sum.covers(held, to));
                at = to;
            }
            prop_assert!(sum.covers(held, head + live));
        }
    }
}
