//! What people do to messages and conversations, and what they see of others
//! doing it.

use parley_client::{
    Change, ConversationKind, Edit, Info, Member, Origin, Preferences, Role, Typing, What,
};

use super::*;

fn origin(seq: u64) -> Origin {
    let sender = user(2, "bob");
    Origin { conversation: CONVERSATION, seq, sender, time_ms: NOW_MS, own: false }
}

fn happens(app: &mut App, event: Event) -> Vec<Effect> {
    app.update(Input::Event(event), NOW_MS)
}

/// The texts that show, without days and senders.
fn texts(app: &App) -> Vec<String> {
    let lines = app.open_room().unwrap().visible(app.pane().unwrap());
    lines
        .into_iter()
        .filter_map(|line| match line {
            block::Line::Text { text, .. }
            | block::Line::Note { text, .. }
            | block::Line::Happening(text) => Some(text),
            _ => None,
        })
        .collect()
}

/// Types a line and presses Enter.
fn enter(app: &mut App, text: &str) -> Vec<Effect> {
    type_text(app, text);
    press(app, KeyCode::Enter, KeyModifiers::NONE)
}

#[test]
fn opening_looks_who_is_there_and_closing_looks_away() {
    let mut app = signed_in((80, 24));
    app.update(Input::List(vec![line(1, 0)]), NOW_MS);
    let effects = press(&mut app, KeyCode::Down, KeyModifiers::ALT);
    assert!(effects.iter().any(|e| matches!(e, Effect::Watch { user: BOB, on: true })));
    assert!(effects.iter().any(|e| matches!(e, Effect::Describe { .. })));
    let presence = Presence { user: user(2, "bob"), online: true, last_seen_ms: None };
    app.update(Input::Present(vec![presence]), NOW_MS);
    assert_eq!(app.open_room().unwrap().presence, Some((true, None)));
    let effects = press(&mut app, KeyCode::Esc, KeyModifiers::NONE);
    assert!(effects.iter().any(|e| matches!(e, Effect::Watch { user: BOB, on: false })));
}

#[test]
fn what_is_done_to_a_message_changes_its_row_and_leaves_no_gap() {
    let mut app = signed_in((80, 24));
    open_with(&mut app, vec![message(1, false, "one"), message(2, false, "two")], 0);
    let text: Arc<str> = "zwei".into();
    let edit = Edit { origin: origin(3), target: 2, text, mentions: Vec::new() };
    happens(&mut app, Event::Edited(edit));
    assert_eq!(app.rooms[0].preview, "zwei", "the list shows the text as it is");
    happens(
        &mut app,
        Event::Deleted(parley_client::Deletion { origin: origin(4), target: 1, target_ordinal: 1 }),
    );
    let effects = happens(&mut app, Event::Message(message(5, false, "three")));
    assert!(loads(&effects).is_empty(), "nothing is missing");
    assert_eq!(texts(&app), ["deleted", "zwei \u{270e}", "three"]);
    let left = Change { origin: origin(6), what: What::Left };
    happens(&mut app, Event::Changed(left));
    assert_eq!(texts(&app).last().unwrap(), "bob left");
}

#[test]
fn an_answer_goes_with_what_it_answers() {
    let mut app = signed_in((80, 24));
    open_with(&mut app, vec![message(1, false, "tea?"), message(2, true, "hm")], 0);
    assert!(enter(&mut app, "/reply").iter().all(|e| !matches!(e, Effect::Send { .. })));
    let (id, _, message) = sends(&enter(&mut app, "yes, @bob"));
    assert_eq!(message, NewMessage::text("yes, @bob").mention(5, 4, BOB).reply_to(1));
    happens(&mut app, sent(&id, 3));
    assert!(texts(&app).contains(&"\u{2503} bob: tea?".to_owned()));
    let (_, _, plain) = sends(&enter(&mut app, "more"));
    assert_eq!(plain, NewMessage::text("more"), "the next one answers nothing");
}

#[test]
fn an_own_message_is_changed_and_another_s_is_not() {
    let mut app = signed_in((80, 24));
    open_with(&mut app, vec![message(1, true, "helo"), message(2, false, "hi")], 0);
    enter(&mut app, "/edit");
    assert_eq!(app.open_room().unwrap().composer.text(), "helo");
    type_text(&mut app, "!");
    let effects = press(&mut app, KeyCode::Enter, KeyModifiers::NONE);
    assert!(matches!(acts(&effects)[..], [Act::Edit { seq: 1, text, .. }] if text == "helo!"));
    press(&mut app, KeyCode::Up, KeyModifiers::CONTROL);
    assert_eq!(app.open_room().unwrap().picked, Some(2));
    assert!(acts(&enter(&mut app, "/edit")).is_empty());
    assert!(app.notice.is_some());
    assert!(app.open_room().unwrap().composer.is_empty());
}

#[test]
fn a_command_is_carried_out_and_its_answer_read() {
    let mut app = signed_in((80, 24));
    open_with(&mut app, vec![message(1, false, "a")], 0);
    let effects = enter(&mut app, "/devices");
    assert!(matches!(acts(&effects)[..], [Act::Devices]));
    app.update(Input::Done(Ok(vec![Report::Devices { devices: Vec::new(), id: None }])), NOW_MS);
    assert!(matches!(&app.popup, Some(Popup::Sheet(sheet)) if sheet.title == "Devices"));
    press(&mut app, KeyCode::Esc, KeyModifiers::NONE);
    app.update(Input::Done(Err("no\nway".to_owned())), NOW_MS);
    assert_eq!(app.notice.as_ref().unwrap().0, "no\u{21b5}way");
    enter(&mut app, "/dance");
    assert!(app.notice.as_ref().unwrap().0.contains("no command"));
    let (_, _, literal) = sends(&{
        press(&mut app, KeyCode::Char('u'), KeyModifiers::CONTROL);
        enter(&mut app, "//dance")
    });
    assert_eq!(literal, NewMessage::text("/dance"));
}

#[test]
fn commands_and_names_are_completed() {
    let mut app = signed_in((80, 24));
    open_with(&mut app, vec![message(1, false, "a")], 0);
    type_text(&mut app, "/dev");
    press(&mut app, KeyCode::Tab, KeyModifiers::NONE);
    assert_eq!(app.open_room().unwrap().composer.text(), "/devices ");
    press(&mut app, KeyCode::Char('u'), KeyModifiers::CONTROL);
    type_text(&mut app, "hi @b");
    press(&mut app, KeyCode::Tab, KeyModifiers::NONE);
    assert_eq!(app.open_room().unwrap().composer.text(), "hi @bob ");
}

#[test]
fn writing_is_told_while_it_lasts() {
    let mut app = signed_in((80, 24));
    open_with(&mut app, vec![message(1, false, "a")], 0);
    let typing = |effects: Vec<Effect>| -> Vec<bool> {
        let said = |effect: &Effect| match effect {
            Effect::Typing { active, .. } => Some(*active),
            _ => None,
        };
        effects.iter().filter_map(said).collect()
    };
    let key = |c| KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE);
    assert_eq!(typing(app.update(Input::Key(key('/')), NOW_MS)), [false; 0], "a command");
    press(&mut app, KeyCode::Backspace, KeyModifiers::NONE);
    assert_eq!(typing(app.update(Input::Key(key('h')), NOW_MS)), [true]);
    assert_eq!(typing(app.update(Input::Key(key('i')), NOW_MS + 1_000)), [false; 0]);
    assert_eq!(typing(app.update(Input::Tick, NOW_MS + 3_000)), [true]);
    assert_eq!(typing(app.update(Input::Tick, NOW_MS + 6_100)), [false], "no key for a while");
    assert_eq!(typing(app.update(Input::Tick, NOW_MS + 9_000)), [false; 0]);
    assert_eq!(typing(app.update(Input::Key(key('!')), NOW_MS + 9_500)), [true]);
    let enter = KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE);
    assert_eq!(typing(app.update(Input::Key(enter), NOW_MS + 9_600)), [false], "it was sent");
}

#[test]
fn who_writes_shows_until_they_stop_or_it_came() {
    let mut app = signed_in((80, 24));
    open_with(&mut app, vec![message(1, false, "a")], 0);
    let typing = Typing { conversation: CONVERSATION, user: user(2, "bob"), active: true };
    happens(&mut app, Event::Typing(typing.clone()));
    assert_eq!(app.open_room().unwrap().typing_line(), "bob is writing\u{2026}");
    happens(&mut app, Event::Message(message(2, false, "b")));
    assert_eq!(app.open_room().unwrap().typing_line(), "");
    happens(&mut app, Event::Typing(typing.clone()));
    happens(&mut app, Event::Typing(Typing { active: false, ..typing }));
    assert_eq!(app.open_room().unwrap().typing_line(), "");
}

#[test]
fn drafts_are_kept_for_the_other_devices() {
    let mut app = signed_in((80, 24));
    open_with(&mut app, vec![message(1, false, "a")], 0);
    type_text(&mut app, "half");
    let effects = press(&mut app, KeyCode::Esc, KeyModifiers::NONE);
    let [Act::Preferences { change, .. }] = acts(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!(change.draft.as_deref(), Some("half"));
    press(&mut app, KeyCode::Down, KeyModifiers::ALT);
    assert!(acts(&press(&mut app, KeyCode::Esc, KeyModifiers::NONE)).is_empty(), "said once");
}

#[test]
fn a_group_has_its_title_its_people_and_its_place() {
    let mut app = signed_in((80, 24));
    let info = Info { title: "Walks".into(), ..Info::default() };
    let group = Conversation {
        id: ConversationId::new([8; 16]),
        kind: ConversationKind::Group,
        peer: None,
        info: info.clone(),
        role: Some(Role::Owner),
        preferences: Preferences { pinned: true, ..Preferences::default() },
        last_time_ms: 1,
        ..line(3, 0)
    };
    app.update(Input::List(vec![line(4, 0), group.clone()]), NOW_MS);
    let titles: Vec<String> = app.rooms.iter().map(Room::title).collect();
    assert_eq!(titles, ["Walks", "bob"], "what is pinned stands on top");
    let put_away = Preferences { archived: true, ..Preferences::default() };
    let group = Conversation { preferences: put_away, last_time_ms: NOW_MS + 1, ..group };
    happens(&mut app, Event::Conversation(group));
    assert_eq!(app.rooms[1].title(), "Walks");
    let member = |byte, name: &str, role| Member {
        user: user(byte, name),
        role,
        joined_seq: 1,
        delivered: 0,
        read: 0,
        delivered_ms: 0,
        read_ms: 0,
    };
    app.update(
        Input::Described(Description {
            conversation: ConversationId::new([8; 16]),
            kind: ConversationKind::Group,
            members: vec![member(1, "alice", Role::Owner), member(4, "dan", Role::Member)],
            last_seq: 3,
            info,
            settings: parley_client::ConversationSettings::default(),
            pinned: Vec::new(),
            first_after: 0,
            former: false,
            created_ms: 1,
        }),
        NOW_MS,
    );
    let message = app.rooms[1].compose("@dan @bob @everyone");
    let expected = NewMessage::text("@dan @bob @everyone")
        .mention(0, 4, UserId::new([4; 16]))
        .mention_everyone(10, 9);
    assert_eq!(message, expected, "bob is not in it");
}

#[test]
fn going_to_a_day_loads_it_and_stands_there() {
    let mut app = signed_in((80, 10));
    open_with(&mut app, vec![message(9, false, "new")], 0);
    let effects = enter(&mut app, "/at 2023-11-14");
    let [(room, ticket, _, Range::AroundTime(time_ms))] = loads(&effects)[..] else {
        panic!("loads that day, not {effects:?}")
    };
    let old = (20..60).map(|seq| {
        let time_ms = time_ms + seq * 60_000 - 30 * 60_000;
        Message { time_ms, ..message(seq, false, "old") }
    });
    let result = Ok(page(old.collect(), 900));
    app.update(Input::Page { room, ticket, result }, NOW_MS);
    assert_eq!(app.open_room().unwrap().anchor, Anchor::Top { seq: 30, line: 0 });
}

#[test]
fn what_is_too_old_leaves_the_screen_and_the_list_by_itself() {
    let mut app = signed_in((80, 24));
    let secret = Message { expires_ms: Some(NOW_MS + 5_000), ..message(2, false, "secret") };
    let answer = Message { reply_to: Some(2), ..message(3, true, "an answer") };
    open_with(&mut app, vec![message(1, false, "stays"), secret, answer], 0);
    let texts = |app: &App| {
        let timeline = &app.open_room().unwrap().timeline;
        timeline.messages().map(|row| row.text.clone()).collect::<Vec<_>>()
    };
    assert_eq!(texts(&app), ["an answer", "secret", "stays"]);
    assert!(app.open_room().unwrap().timeline.quote(2).is_some());
    app.update(Input::Tick, NOW_MS + 4_999);
    assert_eq!(texts(&app).len(), 3);
    app.update(Input::Tick, NOW_MS + 5_000);
    assert_eq!(texts(&app), ["an answer", "stays"]);
    assert!(app.open_room().unwrap().timeline.quote(2).is_none());
}

#[test]
fn a_preview_that_expired_gives_way_to_what_is_there() {
    let mut app = signed_in((80, 24));
    app.update(Input::List(vec![line(2, 1)]), NOW_MS);
    let secret = Message { expires_ms: Some(NOW_MS + 5_000), ..message(2, false, "secret") };
    let both = vec![message(1, false, "stays"), secret];
    app.update(Input::Peeked(page(both.clone(), 2)), NOW_MS);
    assert_eq!(app.rooms[0].preview, "secret");
    let effects = app.update(Input::Tick, NOW_MS + 5_000);
    assert!(matches!(effects[..], [Effect::Peek { conversation: CONVERSATION }]), "{effects:?}");
    assert_eq!(app.rooms[0].preview, "");
    app.update(Input::Peeked(page(both, 2)), NOW_MS + 5_000);
    assert_eq!(app.rooms[0].preview, "stays");
}

#[test]
fn a_hidden_message_is_no_preview() {
    let mut app = signed_in((80, 24));
    open_with(&mut app, vec![message(1, false, "seen"), message(2, false, "hidden")], 0);
    let hidden = Event::Hidden { conversation: CONVERSATION, seqs: vec![2] };
    app.update(Input::Event(hidden), NOW_MS);
    assert!(!app.rooms[0].preview.contains("hidden"), "{}", app.rooms[0].preview);
}

#[test]
fn opening_takes_the_mark_off_that_it_is_to_be_read() {
    let mut app = signed_in((80, 24));
    let marked = Preferences { marked_unread: true, ..Preferences::default() };
    app.update(Input::List(vec![Conversation { preferences: marked, ..line(4, 0) }]), NOW_MS);
    let effects = press(&mut app, KeyCode::Down, KeyModifiers::ALT);
    let unmarks = |effect: &Effect| {
        let Effect::Do { act, quietly: true } = effect else { return false };
        matches!(&**act, Act::Preferences { change, .. } if change.marked_unread == Some(false))
    };
    assert_eq!(effects.iter().filter(|effect| unmarks(effect)).count(), 1);
    assert!(!app.rooms[0].preferences.marked_unread);
}

#[test]
fn a_sign_in_elsewhere_is_told_in_one_line() {
    let mut app = signed_in((80, 24));
    let mut told = |new_device| {
        let device = parley_client::DeviceId::new([9; 16]);
        let sign_in = parley_client::SignIn {
            device,
            name: "a\u{1b}[2Jtablet".into(),
            new_device,
            time_ms: 1,
        };
        app.update(Input::Event(Event::SignedIn(sign_in)), NOW_MS);
        app.notice.clone().unwrap().0
    };
    let said = told(true);
    assert!(said.starts_with("New sign-in: ") && said.ends_with("tablet"), "{said}");
    assert!(!said.contains('\u{1b}'));
    assert!(told(false).starts_with("Signed in again: "));
}
