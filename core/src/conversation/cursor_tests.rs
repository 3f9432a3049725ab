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
const PASSED: Passed = Passed { delivered: true, read: true };

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
    conversation.settle_move(ANN, moved.telling(Shown::All, PASSED));
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
    for _ in 0..2 {
        conversation.settle_move(ANN, moved.telling(Shown::All, PASSED));
    }
}

#[test]
fn others_are_told_what_is_shown() {
    let mut conversation = conversation(5);
    let at = |seq| Position { seq, ordinal: seq, time_ms: seq };
    for (up_to, shown, delivered, read) in [
        (1, Shown::Nothing, 0, 0),
        (2, Shown::Delivered, 2, 0),
        (3, Shown::Read, 3, 3),
        (4, Shown::All, 4, 4),
    ] {
        let moved = conversation.move_cursor(ANN, Move::Read, at(up_to)).unwrap();
        conversation.settle_move(ANN, moved.telling(shown, PASSED));
        let told = conversation.progress(ANN).told;
        assert_eq!((told.delivered.seq, told.read.seq), (delivered, read));
    }
}

/// Who hides that something was delivered and shows what they read tells both
/// at once, when they read.
#[test]
fn delivery_alone_is_told_by_who_shows_it() {
    let mut conversation = conversation(5);
    let at = |seq| Position { seq, ordinal: seq, time_ms: seq };
    let moved = conversation.move_cursor(ANN, Move::Delivered, at(4)).unwrap();
    for (shown, told) in [
        (Shown::All, Some(at(4))),
        (Shown::Delivered, Some(at(4))),
        (Shown::Read, None),
        (Shown::Nothing, None),
    ] {
        assert_eq!(moved.telling(shown, PASSED), Telling { delivered: told, read: None });
    }
    let moved = conversation.move_cursor(ANN, Move::Read, at(3)).unwrap();
    let both = Telling { delivered: Some(at(3)), read: Some(at(3)) };
    assert_eq!(moved.telling(Shown::Read, PASSED), both);
    assert!(moved.telling(Shown::Delivered, PASSED).is_nothing());
}

/// Reactions, edits, pins and deletions are delivered in silence.
#[test]
fn what_is_no_message_is_not_told() {
    let mut conversation = conversation(0);
    let hello = Act::Message { reply_to: None, mentions: Vec::new(), everyone: false };
    let react = Act::React { seq: 1, emoji: "+".into(), removed: false };
    let delete = Act::Delete { seq: 1, ordinal: 1 };
    let (mut ordinal, acts) = (0, [hello.clone(), react, Act::Edit(1), delete, hello]);
    for (seq, act) in (1..).zip(acts) {
        ordinal += u64::from(act.is_countable());
        conversation.apply(BEN, &act, Position { seq, ordinal, time_ms: seq });
        let passed = conversation.passes(ANN, seq, Shown::All).unwrap();
        let message = act.is_countable();
        // Nothing was told of reading yet.
        assert_eq!(passed, Passed { delivered: message, read: true });
        let to = Position { seq, ordinal, time_ms: seq };
        let moved = conversation.move_cursor(ANN, Move::Delivered, to).unwrap();
        let telling = moved.telling(Shown::All, passed);
        assert_eq!(telling.delivered.is_some(), message, "{act:?}");
        conversation.settle_move(ANN, telling);
    }
    assert_eq!(conversation.progress(ANN).told.delivered.seq, 5);
}

#[test]
fn what_one_sent_oneself_is_not_told_as_delivered() {
    let mut conversation = conversation(0);
    let hello = Act::Message { reply_to: None, mentions: Vec::new(), everyone: false };
    for (seq, sender) in [(1, ANN), (2, ANN), (3, BEN)] {
        conversation.apply(sender, &hello, Position { seq, ordinal: seq, time_ms: seq });
        let passed = conversation.passes(ANN, seq, Shown::All).unwrap();
        let others = sender == BEN;
        assert_eq!(
            conversation.without_own(ANN, passed),
            Passed { delivered: others, read: others }
        );
    }
}

#[test]
fn what_is_not_remembered_is_not_guessed() {
    let conversation = conversation(5);
    assert_eq!(conversation.passes(ANN, 4, Shown::All), None);
    assert_eq!(
        conversation.passes(ANN, 5, Shown::All),
        Some(Passed { delivered: true, read: true })
    );
    assert_eq!((conversation.ordinal_at(0), conversation.ordinal_at(5)), (Some(0), Some(5)));
}

#[test]
fn who_takes_part_does_so_for_ever() {
    let mut direct = Conversation::direct(ANN, BEN);
    assert_eq!(direct.takes_part(ANN), None);
    direct.note_taking_part(ANN, false);
    assert_eq!(direct.takes_part(ANN), Some(false));
    direct.note_taking_part(ANN, true);
    direct.note_taking_part(ANN, false);
    direct.note_taking_part(EVE, true);
    assert_eq!((direct.takes_part(ANN), direct.takes_part(EVE)), (Some(true), None));
    let hello = Act::Message { reply_to: None, mentions: Vec::new(), everyone: false };
    direct.apply(BEN, &hello, Position { seq: 1, ordinal: 1, time_ms: 1 });
    assert_eq!(direct.takes_part(BEN), Some(true));
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

#[test]
fn a_move_on_its_way_takes_nothing_back_of_what_another_will_tell() {
    let mut conversation = conversation(9);
    let at = |seq| Position { seq, ordinal: seq, time_ms: seq };
    let read =
        conversation.move_cursor(BEN, Move::Read, at(5)).unwrap().telling(Shown::All, PASSED);
    conversation.will_tell(BEN, read);
    let more =
        conversation.move_cursor(BEN, Move::Delivered, at(7)).unwrap().telling(Shown::All, PASSED);
    let told = conversation.will_tell(BEN, more);
    assert_eq!((told.read, told.delivered), (at(5), at(7)));
    conversation.settle_move(BEN, read);
    conversation.settle_move(BEN, more);
    assert_eq!(conversation.progress(BEN).told, told);
}

/// What a stranger was not told is told with the first move after the answer.
#[test]
fn what_was_not_shown_is_told_with_the_next_move_that_is() {
    let mut conversation = conversation(0);
    let hello = Act::Message { reply_to: None, mentions: Vec::new(), everyone: false };
    let at = |seq| Position { seq, ordinal: seq, time_ms: seq };
    conversation.apply(BEN, &hello, at(1));
    let moved = conversation.move_cursor(ANN, Move::Read, at(1)).unwrap();
    let hidden = conversation.passes(ANN, 1, Shown::Nothing).unwrap();
    assert_eq!(hidden, Passed::default());
    conversation.settle_move(ANN, moved.telling(Shown::Nothing, hidden));
    // The answer, which alone would be told to nobody.
    conversation.apply(ANN, &hello, at(2));
    let passed = conversation.passes(ANN, 2, Shown::All).unwrap();
    let passed = conversation.without_own(ANN, passed);
    let moved = conversation.move_cursor(ANN, Move::Read, at(2)).unwrap();
    let telling = moved.telling(Shown::All, passed);
    assert_eq!(telling, Telling { delivered: Some(at(2)), read: Some(at(2)) });
    assert_eq!(conversation.settle_move(ANN, telling), 0);
    assert_eq!(conversation.receipt_readers(ANN, 0), [BEN]);
    conversation.apply(ANN, &hello, at(3));
    let passed = conversation.passes(ANN, 3, Shown::All).unwrap();
    assert_eq!(conversation.without_own(ANN, passed), Passed::default());
}
