//! Whole screens, drawn into a buffer of cells.

use crossterm::event::{KeyCode, KeyModifiers};
use parley_client::State;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use std::time::Duration;

use super::draw;
use crate::chat::app::form::{Form, Purpose};
use crate::chat::app::tests::{
    NOW_MS, error, line, message, open_with, press, signed_in, state, type_text,
};
use crate::chat::app::{App, Input};
use crate::chat::clock::Zone;

/// The screen as lines of text, without the blanks at their ends.
fn screen(app: &App, (columns, rows): (u16, u16)) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    terminal.draw(|frame| draw(app, frame)).unwrap();
    let buffer = terminal.backend().buffer();
    (0..rows)
        .map(|row| {
            let cells: String =
                (0..columns).map(|column| buffer[(column, row)].symbol().to_owned()).collect();
            cells.trim_end().to_owned()
        })
        .collect()
}

fn whole(app: &App, size: (u16, u16)) -> String {
    screen(app, size).join("\n")
}

#[test]
fn a_chat_shows_list_messages_ticks_and_connection() {
    let size = (72, 12);
    let mut app = signed_in(size);
    open_with(&mut app, vec![message(1, false, "hello alice"), message(2, true, "hello bob")], 0);
    type_text(&mut app, "how are");
    assert_eq!(
        screen(&app, size),
        [
            "Parley · alice          │bob",
            "bob                12:00│",
            "draft: how are          │",
            "                        │──────── the conversation begins here ─────────",
            "                        │───────────────── 2025-11-22 ──────────────────",
            "                        │bob",
            "                        │  hello alice                          12:00",
            "                        │alice",
            "                        │  hello bob                            12:00  ✓",
            "                        │───────────────────────────────────────────────",
            "                        │› how are",
            "● connected by quic                                              F1 help",
        ]
    );
}

#[test]
fn unread_conversations_carry_their_number() {
    let size = (80, 10);
    let mut app = signed_in(size);
    app.update(Input::List(vec![line(9, 3)]), NOW_MS);
    let shown = whole(&app, size);
    assert!(shown.contains("(3)"), "{shown}");
    assert!(shown.contains("3 unread"), "{shown}");
}

#[test]
fn a_message_cannot_steer_the_terminal_or_leave_its_pane() {
    let size = (72, 14);
    let mut app = signed_in(size);
    let nasty = [
        "\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31m",
        "\u{202e}reversed\u{2066}",
        "👩‍👩‍👧‍👦👩‍👩‍👧‍👦 漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字",
        "שלום עולם العربية",
        "a\u{301}\u{301}\u{301}\u{301}\u{301}\0\r\n\t.",
    ];
    let messages = (1..).zip(nasty).map(|(seq, text)| message(seq, false, text)).collect();
    open_with(&mut app, messages, 0);
    let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).unwrap();
    terminal.draw(|frame| draw(&app, frame)).unwrap();
    let buffer = terminal.backend().buffer();
    for cell in buffer.content() {
        assert!(!cell.symbol().chars().any(char::is_control), "{:?}", cell.symbol());
    }
    for row in 0..size.1 - 1 {
        assert_eq!(buffer[(24, row)].symbol(), "│", "row {row}");
    }
}

#[test]
fn the_form_never_shows_the_password() {
    let size = (70, 16);
    let form = Form::new("parley://localhost:7443", "", "alice", Purpose::SignUp);
    let mut app = App::new(form, size, Zone::UTC, [0; 16]);
    type_text(&mut app, "correct horse");
    let shown = whole(&app, size);
    assert!(shown.contains("Sign up") && shown.contains("alice"), "{shown}");
    assert!(shown.contains(&"•".repeat(13)) && !shown.contains("horse"), "{shown}");
}

#[test]
fn being_offline_shows_the_countdown() {
    let size = (90, 10);
    let mut app = signed_in(size);
    state(&mut app, State::Waiting { retry_in: Duration::from_secs(7), error: error() });
    app.update(Input::Tick, NOW_MS + 2_500);
    let shown = whole(&app, size);
    assert!(shown.contains("trying again in 5 s"), "{shown}");
}

#[test]
fn every_size_draws_in_every_state() {
    for columns in [0, 1, 2, 5, 12, 40, 63, 64, 90, 200] {
        for rows in [0, 1, 2, 3, 4, 8, 24, 60] {
            let size = (columns, rows);
            let form = Form::new("x", "", "", Purpose::SignIn);
            whole(&App::new(form, size, Zone::UTC, [0; 16]), size);
            let mut app = signed_in(size);
            whole(&app, size);
            app.update(Input::List(vec![line(9, 3)]), NOW_MS);
            press(&mut app, KeyCode::Down, KeyModifiers::ALT);
            whole(&app, size);
            for seq in 1..40 {
                let text = "漢字 and 👩‍👩‍👧‍👦 words ".repeat(seq);
                app.update(
                    Input::Event(parley_client::Event::Message(message(seq as u64, false, &text))),
                    NOW_MS,
                );
            }
            app.update(Input::Paste("a\nb\nc 漢字漢字漢字\n\nd".to_owned()), NOW_MS);
            press(&mut app, KeyCode::PageUp, KeyModifiers::NONE);
            whole(&app, size);
            press(&mut app, KeyCode::PageDown, KeyModifiers::NONE);
            press(&mut app, KeyCode::Char('k'), KeyModifiers::CONTROL);
            type_text(&mut app, "漢字bo");
            whole(&app, size);
            press(&mut app, KeyCode::F(1), KeyModifiers::NONE);
            whole(&app, size);
        }
    }
}

#[test]
fn a_resize_keeps_the_row_at_the_top() {
    let mut app = signed_in((72, 14));
    let messages = (1..=60).map(|seq| message(seq, false, &format!("message {seq}"))).collect();
    open_with(&mut app, messages, 0);
    for _ in 0..3 {
        press(&mut app, KeyCode::PageUp, KeyModifiers::NONE);
    }
    let before = screen(&app, (72, 14));
    let top = before[1].split('│').nth(1).unwrap().trim().to_owned();
    app.update(Input::Resize(100, 30), NOW_MS);
    let after = screen(&app, (100, 30));
    assert!(after[1].contains(top.split("  ").next().unwrap()), "{top} in {after:?}");
}
