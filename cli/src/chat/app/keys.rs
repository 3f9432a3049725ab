//! What each key does, screen by screen.
//!
//! Popups come first, then the screen. Whatever isn't a command is text for the
//! field that has the focus. [`HELP`] is what the help shows; a key that is added
//! here is added there.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::anchor::Anchor;
use super::composer::{Composer, Move};
use super::layout::Front;
use super::room::{Room, Writing};
use super::scroll::Pane;
use super::sheet::Sheet;
use super::switcher::{Choice, Switcher};
use super::{App, Effect, Popup, Screen};

/// The keys, as the help shows them.
pub(crate) const HELP: &[(&str, &str)] = &[
    ("Enter", "send"),
    ("Alt+Enter, Ctrl+J", "new line"),
    ("paste", "one message, where the terminal brackets it; else one a line"),
    ("Ctrl+K, Ctrl+N", "go to, or begin, a conversation"),
    ("Alt+Up, Alt+Down", "previous, next conversation"),
    ("Alt+Shift+Up, Down", "previous, next unread one"),
    ("Up, Down, PageUp, PageDown", "scroll"),
    ("Ctrl+Up, Ctrl+Down", "pick a message for a command"),
    ("/help, Tab", "the commands; Tab completes them and @names"),
    ("Ctrl+Home, Ctrl+End", "first loaded, newest message"),
    ("Esc", "leave off, to the newest message, or back"),
    ("Ctrl+W, Ctrl+U", "delete a word, to the line's start"),
    ("Ctrl+R, Ctrl+X", "send failed ones again, drop them"),
    ("F5", "try to connect now"),
    ("Ctrl+L", "draw the screen anew"),
    ("F1", "this help"),
    ("Ctrl+C, Ctrl+Q", "quit"),
];

/// Lines a page key moves a sheet.
const SHEET_PAGE: usize = 10;

impl App {
    pub(super) fn handle_key(&mut self, key: KeyEvent, effects: &mut Vec<Effect>) {
        if key.kind == KeyEventKind::Release {
            return;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c' | 'q') if control => effects.push(Effect::Quit),
            KeyCode::Char('l') if control => effects.push(Effect::Redraw),
            KeyCode::F(1) => {
                self.popup = match self.popup.take() {
                    Some(Popup::Help) => None,
                    _ => Some(Popup::Help),
                };
            }
            _ => match (self.popup.take(), self.screen) {
                // Any key but those above closes the help.
                (Some(Popup::Help), _) => {}
                (Some(Popup::Switcher(switcher)), _) => self.switcher_key(switcher, key, effects),
                (Some(Popup::Sheet(sheet)), _) => self.sheet_key(sheet, key),
                (None, Screen::SignIn) => self.form_key(key, effects),
                (None, Screen::Chat) => self.chat_key(key, effects),
            },
        }
    }

    pub(super) fn handle_paste(&mut self, text: &str) {
        let text_chars = self.text_chars;
        match (&mut self.popup, self.screen) {
            (Some(Popup::Help | Popup::Sheet(_)), _) => {}
            (Some(Popup::Switcher(switcher)), _) => switcher.insert(text),
            (None, Screen::SignIn) => {
                if !self.form.busy {
                    self.form.insert(text);
                }
            }
            (None, Screen::Chat) => {
                let now_ms = self.now_ms;
                let whole = self.open_room_mut().is_none_or(|room| {
                    room.touched_ms = now_ms;
                    room.composer.insert(text, text_chars)
                });
                if !whole {
                    self.notify(format!("a message has at most {text_chars} characters"));
                }
            }
        }
    }

    fn form_key(&mut self, key: KeyEvent, effects: &mut Vec<Effect>) {
        if self.form.busy {
            if key.code == KeyCode::Esc {
                self.form.reopen(None);
                effects.push(Effect::Disconnect);
            }
            return;
        }
        match key.code {
            KeyCode::Tab | KeyCode::Down => self.form.next(),
            KeyCode::BackTab | KeyCode::Up => self.form.previous(),
            KeyCode::F(2) => self.form.toggle_purpose(),
            KeyCode::Enter => {
                effects.extend(self.form.submit().map(Effect::SignIn));
            }
            KeyCode::Char(character) if is_typed(key) => {
                self.form.insert(character.encode_utf8(&mut [0; 4]));
            }
            _ => drop(edit(self.form.focused(), key)),
        }
    }

    fn switcher_key(&mut self, mut switcher: Switcher, key: KeyEvent, effects: &mut Vec<Effect>) {
        match key.code {
            KeyCode::Esc => return,
            KeyCode::Down | KeyCode::Tab => switcher.pick_next(&self.rooms),
            KeyCode::Up | KeyCode::BackTab => switcher.pick_previous(),
            KeyCode::Enter => match switcher.choice(&self.rooms) {
                Some(Choice::Open { key, .. }) => return self.open(key, effects),
                Some(Choice::Find(name)) => {
                    switcher.searching = Some(name.clone());
                    effects.push(Effect::Find { name });
                }
                None => {}
            },
            KeyCode::Char(character) if is_typed(key) => {
                switcher.insert(character.encode_utf8(&mut [0; 4]));
            }
            _ => {
                if edit(&mut switcher.input, key) {
                    switcher.edited();
                }
            }
        }
        self.popup = Some(Popup::Switcher(switcher));
    }

    fn sheet_key(&mut self, mut sheet: Sheet, key: KeyEvent) {
        match key.code {
            KeyCode::Down => sheet.scroll(true, 1),
            KeyCode::Up => sheet.scroll(false, 1),
            KeyCode::PageDown => sheet.scroll(true, SHEET_PAGE),
            KeyCode::PageUp => sheet.scroll(false, SHEET_PAGE),
            _ => return,
        }
        self.popup = Some(Popup::Sheet(sheet));
    }

    fn chat_key(&mut self, key: KeyEvent, effects: &mut Vec<Effect>) {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        let shift = key.modifiers.contains(KeyModifiers::SHIFT);
        match key.code {
            KeyCode::Char('k' | 'n') if control => {
                self.popup = Some(Popup::Switcher(Switcher::default()));
            }
            KeyCode::Up | KeyCode::Down if alt => {
                self.open_neighbour(key.code == KeyCode::Down, shift, effects);
            }
            KeyCode::Up | KeyCode::Down if control => {
                let pane = self.pane();
                if let (Some(room), Some(pane)) = (self.open_room_mut(), pane) {
                    room.pick(key.code == KeyCode::Down, pane);
                }
            }
            KeyCode::Tab if self.complete() => {}
            KeyCode::Tab => self.open_neighbour(true, false, effects),
            KeyCode::BackTab => self.open_neighbour(false, false, effects),
            KeyCode::F(5) => effects.push(Effect::Reconnect),
            _ if self.front == Front::List || self.open.is_none() => self.list_key(key, effects),
            KeyCode::Enter if !(alt || shift) => self.submit(effects),
            KeyCode::Char('r') if control => self.send_failed_again(effects),
            KeyCode::Char('x') if control => {
                if let Some(room) = self.open_room_mut() {
                    room.pending.retain(|pending| pending.failed.is_none());
                }
            }
            KeyCode::Esc => self.step_back(effects),
            _ => self.room_key(key, control),
        }
    }

    /// Keys of the list while no conversation is in front.
    fn list_key(&mut self, key: KeyEvent, effects: &mut Vec<Effect>) {
        match key.code {
            KeyCode::Down | KeyCode::Up => {
                self.open_neighbour(key.code == KeyCode::Down, false, effects);
            }
            KeyCode::Enter => match self.open.or_else(|| Some(self.rooms.first()?.key)) {
                Some(key) => self.open(key, effects),
                None => self.popup = Some(Popup::Switcher(Switcher::default())),
            },
            KeyCode::Char(character) if is_typed(key) => {
                let mut switcher = Switcher::default();
                switcher.insert(character.encode_utf8(&mut [0; 4]));
                self.popup = Some(Popup::Switcher(switcher));
            }
            _ => {}
        }
    }

    fn room_key(&mut self, key: KeyEvent, control: bool) {
        let (text_chars, pane, now_ms) = (self.text_chars, self.pane(), self.now_ms);
        let Some(room) = self.open_room_mut() else { return };
        if is_typed(key) && matches!(key.code, KeyCode::Char(_) | KeyCode::Backspace) {
            room.touched_ms = now_ms;
        }
        let mut whole = true;
        match key.code {
            KeyCode::Enter => whole = room.composer.insert("\n", text_chars),
            KeyCode::Char('j') if control => whole = room.composer.insert("\n", text_chars),
            KeyCode::Char(character) if is_typed(key) => {
                whole = room.composer.insert(character.encode_utf8(&mut [0; 4]), text_chars);
            }
            _ => {
                let scrolled = pane.is_some_and(|pane| scroll(room, key.code, control, pane));
                if !scrolled {
                    edit(&mut room.composer, key);
                }
            }
        }
        if !whole {
            self.notify(format!("a message has at most {text_chars} characters"));
        }
    }

    /// Leaves off what was begun, then goes to the end of the conversation, and
    /// from there to the list.
    fn step_back(&mut self, effects: &mut Vec<Effect>) {
        let Some(room) = self.open_room_mut() else { return };
        match room.writing {
            Writing::Edit(_) => {
                room.writing = Writing::Message;
                drop(room.composer.take());
            }
            Writing::Reply(_) => room.writing = Writing::Message,
            Writing::Message if room.picked.is_some() => room.picked = None,
            Writing::Message if room.anchor == Anchor::Bottom => self.close_room(effects),
            Writing::Message => go_to_end(room),
        }
    }

    fn send_failed_again(&mut self, effects: &mut Vec<Effect>) {
        let Some(room) = self.open_room_mut() else { return };
        let Some(to) = room.to() else { return };
        for pending in room.pending.iter_mut().filter(|pending| pending.failed.is_some()) {
            pending.failed = None;
            let (id, message) = (pending.id.clone(), pending.message.clone());
            effects.push(Effect::Send { id, to: to.clone(), message });
        }
    }
}

/// Shows the newest rows; when they aren't loaded, they are loaded afresh.
pub(super) fn go_to_end(room: &mut Room) {
    room.anchor = Anchor::Bottom;
    room.below = 0;
    if !room.timeline.at_end() {
        room.unread_after = None;
        room.loading = None;
        room.timeline.clear();
    }
}

/// True when the key scrolls.
fn scroll(room: &mut Room, code: KeyCode, control: bool, pane: Pane) -> bool {
    let page = usize::from(pane.height.saturating_sub(1)).max(1);
    match code {
        KeyCode::PageUp => room.scroll_up(page, pane),
        KeyCode::PageDown => room.scroll_down(page, pane),
        KeyCode::Up => room.scroll_up(1, pane),
        KeyCode::Down => room.scroll_down(1, pane),
        KeyCode::Home if control => room.scroll_to_start(),
        KeyCode::End if control => go_to_end(room),
        _ => return false,
    }
    true
}

/// A character to insert, not a command.
fn is_typed(key: KeyEvent) -> bool {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    let alt = key.modifiers.contains(KeyModifiers::ALT);
    // AltGr is reported as both on some keyboards.
    control == alt
}

/// The keys every text field knows. True when the text changed.
fn edit(composer: &mut Composer, key: KeyEvent) -> bool {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Backspace if control => composer.delete_word_before(),
        KeyCode::Char('w') if control => composer.delete_word_before(),
        KeyCode::Char('u') if control => composer.delete_to_line_start(),
        KeyCode::Backspace => composer.delete_before(),
        KeyCode::Delete => composer.delete_behind(),
        KeyCode::Left if control => composer.move_cursor(Move::WordLeft),
        KeyCode::Right if control => composer.move_cursor(Move::WordRight),
        KeyCode::Left => composer.move_cursor(Move::Left),
        KeyCode::Right => composer.move_cursor(Move::Right),
        KeyCode::Home => composer.move_cursor(Move::LineStart),
        KeyCode::Char('a') if control => composer.move_cursor(Move::LineStart),
        KeyCode::End => composer.move_cursor(Move::LineEnd),
        KeyCode::Char('e') if control => composer.move_cursor(Move::LineEnd),
        _ => return false,
    }
    matches!(key.code, KeyCode::Backspace | KeyCode::Delete | KeyCode::Char('w' | 'u'))
}
