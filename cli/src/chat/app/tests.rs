//! The app as a whole: inputs in, effects and state out.

use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{KeyCode, KeyModifiers};
use parley_client::{
    ConversationKind, DeviceId, Entry, Error, HistoryPage, Info, LocalId, Message, Preferences,
    Sent, Session, SessionId, State, Trust, UserId,
};

use super::anchor::Anchor;
use super::block::Tick;
use super::form::Purpose;
use super::*;

mod acting;
mod restored;

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
    let mut acts = Vec::new();
    for effect in effects {
        if let Effect::Do { act, .. } = effect {
            acts.push(&**act);
        }
    }
    acts
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
