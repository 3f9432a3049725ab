//! A server that was restored, and one whose disk lost a message.

use parley_client::{DamagedEntry, Reset, ResetReason};

use super::*;
use crate::chat::app::block::{self, Line, Surroundings};
use crate::chat::app::row::Row;

fn reset(app: &mut App, conversation: Option<ConversationId>) -> Vec<Effect> {
    let reason = ResetReason::StorePutBack;
    app.update(Input::Event(Event::Reset(Reset { conversation, reason })), NOW_MS)
}

#[test]
fn what_came_from_the_old_store_goes_and_what_is_written_stays() {
    for conversation in [None, Some(CONVERSATION)] {
        let mut app = signed_in((100, 20));
        open_with(&mut app, vec![message(1, false, "gone"), message(2, true, "gone too")], 0);
        type_text(&mut app, "half a sentence");
        let effects = reset(&mut app, conversation);
        assert!(effects.iter().any(|effect| matches!(effect, Effect::List)));
        let notice = app.notice.clone().unwrap().0;
        assert!(notice.starts_with("The server"), "{notice}");
        let room = app.rooms.first().unwrap();
        assert!(room.timeline.newest().is_none() && room.preview.is_empty());
        assert_eq!((room.read, room.last_seq, room.unread), (0, 0, 0));
        assert_eq!(room.composer.text(), "half a sentence");
    }
}

#[test]
fn conversations_that_the_server_has_no_more_leave_the_list() {
    let mut app = signed_in((100, 20));
    app.update(Input::List(vec![line(2, 0)]), NOW_MS);
    assert_eq!(app.rooms.len(), 1);
    reset(&mut app, None);
    assert!(app.rooms.is_empty());
}

#[test]
fn a_message_that_the_disk_lost_has_a_line_and_no_time() {
    let mut app = signed_in((100, 20));
    open_with(&mut app, vec![message(1, false, "one")], 0);
    let lost = DamagedEntry { conversation: CONVERSATION, seq: 2 };
    app.update(Input::Event(Event::Damaged(lost)), NOW_MS);
    app.update(Input::Event(Event::Message(message(3, false, "three"))), NOW_MS);
    let timeline = &app.rooms.first().unwrap().timeline;
    assert_eq!(timeline.newest().map(|row| row.seq), Some(3));
    let lines = |row: &Row, previous| {
        let around = Surroundings {
            previous,
            unread_after: None,
            remark: None,
            quote: None,
            picked: false,
            zone: Zone::UTC,
            width: 60,
        };
        block::lines(row, None, &around)
    };
    let row = timeline.row(2).unwrap();
    let text = DamagedEntry::FALLBACK.to_owned();
    assert_eq!(lines(row, timeline.row(1)), vec![Line::Happening(text)]);
    let next = lines(timeline.row(3).unwrap(), Some(row));
    assert!(!next.iter().any(|line| matches!(line, Line::Day(_))), "{next:?}");
}
