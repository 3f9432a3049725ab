//! The app as a whole: inputs in, effects and state out.

use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{KeyCode, KeyModifiers};
use parley_client::{
    Change, ConversationKind, DeviceId, Edit, Entry, Error, HistoryPage, Info, LocalId, Member,
    Message, Origin, Preferences, Role, Sent, Session, SessionId, State, Trust, Typing, UserId,
    What,
};

use super::block::Tick;
use super::form::Purpose;
use super::scroll::Anchor;
use super::*;

pub(crate) const BOB: UserId = UserId::new([2; 16]);
pub(crate) const CONVERSATION: ConversationId = ConversationId::new([7; 16]);
pub(crate) const NOW_MS: u64 = 1_763_812_800_000;

pub(crate) fn user(byte: u8, name: &str) -> User {
    User { id: UserId::new([byte; 16]), name: name.into() }
}

pub(crate) fn error() -> Error {
    let Err(error) = Trust::fingerprint("none") else { panic!("an error") };
    error
}

pub(crate) fn session() -> Session {
    Session {
        id: SessionId::new([0; 16]),
        user: user(1, "alice"),
        device: DeviceId::new([0; 16]),
        transport: Transport::Quic,
        text_chars: 100,
        group_members: 200,
        server_time_ms: NOW_MS,
    }
}

/// An app with alice signed in, on a screen of this size.
pub(crate) fn signed_in(size: (u16, u16)) -> App {
    let form = Form::new("quic://localhost:7443", "", "alice", Purpose::SignIn);
    let mut app = App::new(form, size, Zone::UTC, [9; 16]);
    let effects = state(&mut app, State::Ready(Arc::new(session())));
    assert!(matches!(effects[..], [Effect::List]));
    app
}

pub(crate) fn state(app: &mut App, state: State) -> Vec<Effect> {
    app.update(Input::Event(Event::StateChanged(state)), NOW_MS)
}

pub(crate) fn line(last_seq: u64, unread: u64) -> Conversation {
    Conversation {
        id: CONVERSATION,
        kind: ConversationKind::Direct,
        peer: Some(user(2, "bob")),
        info: Info::default(),
        members: 2,
        role: None,
        former: false,
        last_seq,
        unread,
        mentions: 0,
        read: last_seq - unread,
        peer_delivered: 0,
        peer_read: 0,
        last_time_ms: NOW_MS,
        preferences: Preferences::default(),
        request: false,
    }
}

pub(crate) fn message(seq: u64, own: bool, text: &str) -> Message {
    let sender = if own { user(1, "alice") } else { user(2, "bob") };
    Message::plain(CONVERSATION, seq, sender, text, NOW_MS, own)
}

pub(crate) fn page(messages: Vec<Message>, last_seq: u64) -> HistoryPage {
    HistoryPage {
        at_start: messages.first().is_none_or(|message| message.seq == 1),
        at_end: messages.last().is_none_or(|message| message.seq == last_seq),
        entries: messages.into_iter().map(Entry::Message).collect(),
        last_seq,
        quoted: Vec::new(),
        reactions_cut: false,
        from_cache: false,
    }
}

pub(crate) fn press(app: &mut App, code: KeyCode, modifiers: KeyModifiers) -> Vec<Effect> {
    app.update(Input::Key(KeyEvent::new(code, modifiers)), NOW_MS)
}

pub(crate) fn type_text(app: &mut App, text: &str) {
    for character in text.chars() {
        press(app, KeyCode::Char(character), KeyModifiers::NONE);
    }
}

/// Opens bob's conversation with these messages in it.
pub(crate) fn open_with(app: &mut App, messages: Vec<Message>, unread: u64) {
    let last_seq = messages.last().map_or(0, |message| message.seq);
    app.update(Input::List(vec![line(last_seq, unread)]), NOW_MS);
    let effects = press(app, KeyCode::Down, KeyModifiers::ALT);
    let load = loads(&effects);
    let [(room, ticket, conversation, range)] = load[..] else {
        panic!("loads what shows, not {effects:?}")
    };
    assert_eq!(conversation, CONVERSATION);
    let expected = if unread > 0 { Range::Around(last_seq - unread) } else { Range::Latest };
    assert_eq!(range, expected);
    let result = Ok(page(messages, last_seq));
    app.update(Input::Page { room, ticket, result }, NOW_MS);
}

/// What is to be loaded: room, ticket, conversation and range.
fn loads(effects: &[Effect]) -> Vec<(u64, u64, ConversationId, Range)> {
    let load = |effect: &Effect| match effect {
        Effect::Load { room, ticket, conversation, range } => {
            Some((*room, *ticket, *conversation, *range))
        }
        _ => None,
    };
    effects.iter().filter_map(load).collect()
}

/// The one message that is to be sent.
fn sends(effects: &[Effect]) -> (ClientMessageId, To, NewMessage) {
    let send = |effect: &Effect| match effect {
        Effect::Send { id, to, message } => Some((id.clone(), to.clone(), message.clone())),
        _ => None,
    };
    let sends: Vec<_> = effects.iter().filter_map(send).collect();
    let [send] = &sends[..] else { panic!("sends one, not {effects:?}") };
    send.clone()
}

/// What is to be carried out.
fn acts(effects: &[Effect]) -> Vec<&Act> {
    let act = |effect| match effect {
        &Effect::Do { ref act, .. } => Some(&**act),
        _ => None,
    };
    effects.iter().filter_map(act).collect()
}

fn ticks(app: &App) -> Vec<Option<Tick>> {
    let lines = app.open_room().unwrap().visible(app.pane().unwrap());
    lines
        .into_iter()
        .filter_map(|line| match line {
            block::Line::Text { tick, .. } => Some(tick),
            _ => None,
        })
        .collect()
}

fn queue_a_message(app: &mut App) -> ClientMessageId {
    type_text(app, "hi");
    let effects = press(app, KeyCode::Enter, KeyModifiers::NONE);
    let (id, to, message) = sends(&effects);
    assert_eq!((to, message), (To::Conversation(CONVERSATION), NewMessage::text("hi")));
    id
}

fn sent(id: &ClientMessageId, seq: u64) -> Event {
    Event::Sent {
        local_id: LocalId(1),
        client_message_id: id.clone(),
        sent: Sent { conversation: CONVERSATION, seq, time_ms: NOW_MS, duplicate: false },
    }
}

#[test]
fn a_message_climbs_the_ladder_of_ticks() {
    let mut app = signed_in((80, 24));
    open_with(&mut app, vec![message(1, false, "hello")], 0);
    let id = queue_a_message(&mut app);
    assert_eq!(ticks(&app), [None, Some(Tick::Waiting)]);
    app.update(Input::Event(sent(&id, 2)), NOW_MS);
    assert_eq!(ticks(&app), [None, Some(Tick::Sent)]);
    app.update(Input::Event(Event::Message(message(2, true, "hi"))), NOW_MS);
    assert_eq!(ticks(&app).len(), 2, "the delivery of the own message doubles nothing");
    let receipt = |user, delivered, read| {
        Input::Event(Event::Receipt(parley_client::Receipt {
            conversation: CONVERSATION,
            user,
            delivered,
            read,
            time_ms: NOW_MS,
        }))
    };
    app.update(receipt(UserId::new([1; 16]), 2, 2), NOW_MS);
    assert_eq!(ticks(&app)[1], Some(Tick::Sent), "one's own cursor says nothing about the peer");
    app.update(receipt(BOB, 2, 0), NOW_MS);
    assert_eq!(ticks(&app)[1], Some(Tick::Delivered));
    app.update(receipt(BOB, 2, 2), NOW_MS);
    assert_eq!(ticks(&app)[1], Some(Tick::Read));
}

#[test]
fn a_refused_message_can_be_sent_again_with_its_id_or_dropped() {
    let mut app = signed_in((80, 24));
    open_with(&mut app, vec![message(1, false, "hello")], 0);
    let id = queue_a_message(&mut app);
    app.update(Input::NotQueued { id: id.clone(), reason: "no".to_owned() }, NOW_MS);
    assert_eq!(ticks(&app)[1], Some(Tick::Failed));
    let effects = press(&mut app, KeyCode::Char('r'), KeyModifiers::CONTROL);
    assert_eq!(sends(&effects).0, id);
    app.update(
        Input::Event(Event::SendFailed {
            local_id: LocalId(2),
            client_message_id: id,
            error: error(),
        }),
        NOW_MS,
    );
    press(&mut app, KeyCode::Char('x'), KeyModifiers::CONTROL);
    assert_eq!(ticks(&app), [None]);
}

#[test]
fn what_is_looked_at_for_a_while_is_read() {
    let mut app = signed_in((80, 24));
    open_with(&mut app, vec![message(1, false, "a"), message(2, false, "b")], 1);
    let read = |effects: Vec<Effect>| {
        effects.iter().any(|effect| matches!(effect, Effect::MarkRead { up_to: 2, .. }))
    };
    assert!(!read(app.update(Input::Tick, NOW_MS + 1_000)));
    app.update(Input::Focus(false), NOW_MS + 1_100);
    assert!(!read(app.update(Input::Tick, NOW_MS + 9_000)), "nobody is looking");
    app.update(Input::Focus(true), NOW_MS + 10_000);
    assert!(read(app.update(Input::Tick, NOW_MS + 11_600)));
    assert!(!read(app.update(Input::Tick, NOW_MS + 20_000)), "said once");
    assert_eq!(app.unread(), 0);
}

#[test]
fn a_conversation_begun_here_and_on_another_device_is_one() {
    let mut app = signed_in((80, 24));
    press(&mut app, KeyCode::Char('k'), KeyModifiers::CONTROL);
    type_text(&mut app, "bob");
    let effects = press(&mut app, KeyCode::Enter, KeyModifiers::NONE);
    assert!(matches!(&effects[..], [Effect::Find { name }] if name == "bob"));
    app.update(Input::Found { name: "bob".to_owned(), result: Ok(user(2, "bob")) }, NOW_MS);
    type_text(&mut app, "hi");
    let effects = press(&mut app, KeyCode::Enter, KeyModifiers::NONE);
    let (id, to, _) = sends(&effects);
    assert_eq!(to, To::User(BOB));
    // The own other device wrote first: its message names no peer.
    app.update(Input::Event(Event::Message(message(1, true, "first"))), NOW_MS);
    assert_eq!(app.rooms.len(), 2);
    app.update(Input::Event(sent(&id, 2)), NOW_MS);
    assert_eq!(app.rooms.len(), 1);
    app.update(Input::Event(Event::Conversation(line(2, 0))), NOW_MS);
    assert_eq!((app.rooms.len(), app.rooms[0].title().as_str()), (1, "bob"));
    assert_eq!(app.open, Some(app.rooms[0].key));
}

#[test]
fn the_unread_mark_stands_behind_the_own_last_message() {
    let mut app = signed_in((80, 24));
    // Written from another device that never said "read".
    let line = Conversation { read: 0, ..line(4, 1) };
    app.update(Input::List(vec![line]), NOW_MS);
    press(&mut app, KeyCode::Down, KeyModifiers::ALT);
    assert_eq!(app.open_room().unwrap().unread_after, Some(3));
}

#[test]
fn the_list_asks_for_what_it_shows_of_each_conversation() {
    let mut app = signed_in((80, 24));
    let effects = app.update(Input::List(vec![line(4, 1)]), NOW_MS);
    assert!(matches!(effects[..], [Effect::Peek { conversation: CONVERSATION }]), "{effects:?}");
    app.update(Input::Peeked(page(vec![message(4, false, "newest\nmessage")], 4)), NOW_MS);
    assert_eq!(app.rooms[0].preview, "newest\u{21b5}message");
    assert!(app.update(Input::List(vec![line(4, 1)]), NOW_MS).is_empty());
}

#[test]
fn an_unknown_name_is_said_in_the_switcher() {
    let mut app = signed_in((80, 24));
    press(&mut app, KeyCode::Char('n'), KeyModifiers::CONTROL);
    type_text(&mut app, "nobody");
    press(&mut app, KeyCode::Enter, KeyModifiers::NONE);
    let result = Err("no such user".to_owned());
    app.update(Input::Found { name: "nobody".to_owned(), result }, NOW_MS);
    let Some(Popup::Switcher(switcher)) = &app.popup else { panic!("still open") };
    assert_eq!(switcher.problem.as_deref(), Some("no such user"));
}

#[test]
fn scrolling_up_loads_older_messages_once() {
    let mut app = signed_in((80, 24));
    let messages = (100..=150).map(|seq| message(seq, false, "x")).collect();
    open_with(&mut app, messages, 0);
    let loads: usize = (0..10)
        .flat_map(|_| press(&mut app, KeyCode::PageUp, KeyModifiers::NONE))
        .filter(|effect| matches!(effect, Effect::Load { range: Range::Before(100), .. }))
        .count();
    assert_eq!(loads, 1);
}

#[test]
fn a_failed_load_is_not_repeated_at_once() {
    let mut app = signed_in((80, 24));
    app.update(Input::List(vec![line(5, 0)]), NOW_MS);
    let effects = press(&mut app, KeyCode::Down, KeyModifiers::ALT);
    let [(room, ticket, ..)] = loads(&effects)[..] else { panic!("{effects:?}") };
    let result = Err("timeout".to_owned());
    assert!(app.update(Input::Page { room, ticket, result }, NOW_MS).is_empty());
    assert!(app.update(Input::Tick, NOW_MS + 2_000).is_empty());
    assert_eq!(app.update(Input::Tick, NOW_MS + 3_001).len(), 1);
}

#[test]
fn after_lag_the_end_is_loaded_before_it_is_followed() {
    let mut app = signed_in((80, 24));
    open_with(&mut app, vec![message(1, false, "a")], 0);
    let effects = app.update(Input::Event(Event::Lagged(3)), NOW_MS);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::List)));
    let newer = |effect: &Effect| matches!(effect, Effect::Load { range: Range::After(1), .. });
    assert!(effects.iter().any(newer), "{effects:?}");
}

#[test]
fn drafts_and_waiting_messages_survive_a_lost_sign_in() {
    let mut app = signed_in((80, 24));
    open_with(&mut app, vec![message(1, false, "a")], 0);
    queue_a_message(&mut app);
    type_text(&mut app, "draft");
    let effects = state(&mut app, State::Closed(Some(error())));
    assert!(matches!(effects[..], [Effect::Disconnect]));
    assert_eq!(app.screen, Screen::SignIn);
    assert!(app.form.problem.is_some());
    state(&mut app, State::Ready(Arc::new(session())));
    let room = app.open_room().unwrap();
    assert_eq!((room.composer.text(), room.pending.len()), ("draft", 1));
    // Somebody else doesn't see any of it.
    let other = Session { user: user(3, "carol"), ..session() };
    state(&mut app, State::Ready(Arc::new(other)));
    assert!(app.rooms.is_empty());
}

#[test]
fn the_countdown_runs_down() {
    let mut app = signed_in((80, 24));
    state(&mut app, State::Waiting { retry_in: Duration::from_secs(7), error: error() });
    let Link::Waiting { until_ms, .. } = app.link else { panic!("waiting") };
    assert_eq!(until_ms, NOW_MS + 7_000);
    let effects = press(&mut app, KeyCode::F(5), KeyModifiers::NONE);
    assert!(matches!(effects[..], [Effect::Reconnect]));
}

#[test]
fn the_limit_of_characters_holds_for_paste_and_keys() {
    let mut app = signed_in((80, 24));
    open_with(&mut app, vec![message(1, false, "a")], 0);
    app.update(Input::Paste("é".repeat(101)), NOW_MS);
    assert_eq!(app.open_room().unwrap().composer.chars(), 100);
    assert!(app.notice.is_some());
    app.update(Input::Tick, NOW_MS + 60_000);
    assert!(app.notice.is_none());
}

#[test]
fn escape_goes_to_the_end_and_then_back() {
    let mut app = signed_in((50, 12));
    let messages = (1..=50).map(|seq| message(seq, false, "x")).collect();
    open_with(&mut app, messages, 0);
    press(&mut app, KeyCode::PageUp, KeyModifiers::NONE);
    assert_ne!(app.open_room().unwrap().anchor, Anchor::Bottom);
    press(&mut app, KeyCode::Esc, KeyModifiers::NONE);
    assert_eq!(app.open_room().unwrap().anchor, Anchor::Bottom);
    press(&mut app, KeyCode::Esc, KeyModifiers::NONE);
    assert_eq!((app.open, app.front), (None, Front::List));
}

#[test]
fn ids_of_messages_are_never_used_twice() {
    let mut app = signed_in((80, 24));
    open_with(&mut app, vec![message(1, false, "a")], 0);
    let first = queue_a_message(&mut app);
    let second = queue_a_message(&mut app);
    assert_ne!(first, second);
}

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
