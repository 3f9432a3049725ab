//! What a description, a receipt and the feed do to a conversation, and what is kept of it.

use super::*;
use crate::model::{Member, Role, User};

const ANN: UserId = UserId::new([1; 16]);
const BEN: UserId = UserId::new([2; 16]);
const PLACE: ConversationId = ConversationId::new([9; 16]);

fn conversation() -> Conversation {
    Conversation::new(PLACE, Some(0))
}

fn member(user: UserId, name: &str, joined_seq: u64) -> Member {
    let user = User { id: user, name: name.into() };
    let (delivered, read, delivered_ms, read_ms) = (0, 0, 0, 0);
    Member { user, role: Role::Member, joined_seq, delivered, read, delivered_ms, read_ms }
}

fn described(kind: ConversationKind, members: Vec<Member>, last_seq: u64) -> Description {
    let roster = Roster { kind, members, ..Roster::unknown() };
    let mut empty = conversation();
    empty.roster = Some(roster);
    Description { last_seq, ..empty.description().unwrap() }
}

fn both() -> Description {
    let members = vec![member(ANN, "ann", 1), member(BEN, "ben", 1)];
    described(ConversationKind::Direct, members, 0)
}

#[test]
fn the_peer_is_the_other_one_or_oneself() {
    let mut conversation = conversation();
    assert_eq!(conversation.peer(ANN), None);
    conversation.handle_described(both(), Some(ANN), 1);
    assert_eq!(conversation.peer(ANN).unwrap().id, BEN);
    let alone = described(ConversationKind::Direct, vec![member(ANN, "ann", 1)], 0);
    conversation.handle_described(alone, Some(ANN), 1);
    assert_eq!(conversation.peer(ANN).unwrap().id, ANN);
}

#[test]
fn receipts_only_move_forward() {
    let mut conversation = conversation();
    conversation.handle_described(both(), Some(ANN), 1);
    let receipt = |delivered, read| model::Receipt {
        conversation: PLACE,
        user: BEN,
        delivered,
        read,
        time_ms: 7,
    };
    assert!(conversation.handle_receipt(&receipt(5, 3)));
    assert!(!conversation.handle_receipt(&receipt(4, 2)));
    assert_eq!(conversation.others(ANN), (5, 3));
}

#[test]
fn a_latecomer_begins_with_their_coming() {
    let mut conversation = conversation();
    conversation.log.note_last(60, 0, false);
    let members = vec![member(BEN, "ben", 1), member(ANN, "ann", 57)];
    conversation.handle_described(described(ConversationKind::Group, members, 60), Some(ANN), 1);
    assert_eq!(conversation.log.held(), 56);
}

#[test]
fn a_description_from_before_what_is_known_is_asked_again_a_few_times() {
    let mut conversation = conversation();
    let now = described(ConversationKind::Group, vec![member(ANN, "ann", 1)], 9);
    conversation.handle_described(now, Some(ANN), 1);
    let old = || described(ConversationKind::Group, Vec::new(), 4);
    for _ in 0..OLD_DESCRIPTIONS {
        conversation.handle_described(old(), Some(ANN), 1);
        assert!(conversation.needs_describing());
        assert_eq!(conversation.line(Some(ANN)).members, 1);
    }
    conversation.handle_described(old(), Some(ANN), 1);
    assert!(!conversation.needs_describing());
}

#[test]
fn what_is_saved_comes_back() {
    let mut conversation = conversation();
    conversation.handle_described(both(), Some(ANN), 1);
    conversation.log.note_last(9, 0, false);
    let preferences = wire::Preferences { draft: "later".into(), ..Default::default() };
    let feed = wire::FeedEntry {
        last_seq: 9,
        unread: 3,
        mentions: 1,
        preferences: Some(preferences),
        request: true,
        ..wire::FeedEntry::default()
    };
    conversation.handle_feed(&feed, 0);
    let saved = conversation.saved();
    assert_eq!(&*saved.preferences.draft, "later");
    assert_eq!(Conversation::restore(saved.clone()).saved(), saved);
}

#[test]
fn clearing_is_news_once() {
    let mut conversation = conversation();
    let feed = |cleared_up_to| wire::FeedEntry {
        last_seq: 9,
        preferences: Some(wire::Preferences { cleared_up_to, ..Default::default() }),
        ..wire::FeedEntry::default()
    };
    assert_eq!(conversation.handle_feed(&feed(0), 0).cleared, None);
    assert_eq!(conversation.handle_feed(&feed(4), 0).cleared, Some(4));
    assert_eq!(conversation.handle_feed(&feed(4), 0).cleared, None);
}

#[test]
fn the_time_of_a_clock_that_was_ahead_gives_way_to_the_next_and_an_older_one_changes_nothing() {
    let mut conversation = conversation();
    let entry = |last_seq, last_time_ms| wire::FeedEntry {
        last_seq,
        last_time_ms,
        ..wire::FeedEntry::default()
    };
    for (last_seq, last_time_ms, wanted) in [(3, 9000, 9000), (4, 10, 10), (2, 99, 10)] {
        conversation.handle_feed(&entry(last_seq, last_time_ms), 0);
        assert_eq!(conversation.last_time_ms, wanted);
    }
}
