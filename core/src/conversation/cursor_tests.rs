//! Cursors against the log, against what was given, and what others are told.

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
    assert_eq!(conversation.check_move(ANN, Move::Read, 6, all, 0), Err(Code::CursorAhead));
    assert_eq!(conversation.check_move(ANN, Move::Read, 5, all, 0), Ok(true));
    let some = given(&[(1, 3)]);
    assert_eq!(conversation.check_move(ANN, Move::Delivered, 4, some, 0), Err(Code::CursorAhead));
    assert_eq!(
        conversation.check_move(UserId::new([7; 16]), Move::Read, 1, all, 0),
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
    assert_eq!(conversation.check_move(ANN, Move::Read, 3, Given::default(), 0), Ok(false));
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
    assert_eq!(conversation.check_move(EVE, Move::Read, 3, all, 0), Ok(true));
    assert_eq!(conversation.check_move(EVE, Move::Read, 4, all, 0), Err(Code::CursorAhead));
}

#[test]
fn a_receipt_matters_to_those_who_sent_something_since() {
    let mut conversation = conversation(0);
    let hello = Act::Message { reply_to: None, mentions: Vec::new(), everyone: false };
    let mut say = |sender: UserId| {
        let entry = Admitted { sender, act: hello.clone(), target: None };
        let stamped =
            conversation.stamp(&entry, 1, crate::conversation::Bounds::of(200)).unwrap().stamped;
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
