//! What the terminal client knows and decides: pure.
//!
//! Drive it so: call [`App::update`] with each input and the time, carry out the
//! effects it returns, then draw it. It does no I/O, asks no clock and awaits
//! nothing; the answers to its effects come back as inputs. `view` draws it,
//! `terminal` drives it.
//!
//! Invariants: what is drawn of the network is sanitised on its way in; a
//! message is in the waiting list or in the timeline, and leaves the former only
//! by the server's answer or by the user's hand.

pub(crate) mod anchor;
pub(crate) mod block;
mod commands;
pub(crate) mod composer;
mod events;
pub(crate) mod form;
pub(crate) mod keys;
pub(crate) mod layout;
mod mentions;
mod reading;
pub(crate) mod room;
pub(crate) mod row;
pub(crate) mod scroll;
pub(crate) mod sheet;
pub(crate) mod slash;
pub(crate) mod switcher;
pub(crate) mod timeline;

use crossterm::event::KeyEvent;
use parley_client::{
    ClientMessageId, Conversation, ConversationId, Description, Event, HistoryPage, NewMessage,
    Presence, Range, To, Transport, User, UserId,
};

use self::form::{Credentials, Form};
use self::layout::{Areas, Front, areas};
use self::reading::Dwell;
use self::room::Room;
use self::scroll::Pane;
use self::sheet::Sheet;
use self::switcher::Switcher;
use crate::chat::act::Act;
use crate::chat::clock::Zone;
use crate::chat::report::Report;

/// How long a remark in the status line stays.
const NOTICE_MS: u64 = 6_000;

/// What happens to the app.
#[derive(Debug)]
pub(crate) enum Input {
    Key(KeyEvent),
    Paste(String),
    /// Columns and rows.
    Resize(u16, u16),
    /// The terminal got or lost the focus.
    Focus(bool),
    /// Time passed.
    Tick,
    /// The client reports something.
    Event(Event),
    /// The conversation list, asked for by [`Effect::List`].
    List(Vec<Conversation>),
    /// Answers [`Effect::Load`].
    Page {
        room: u64,
        ticket: u64,
        result: Result<HistoryPage, String>,
    },
    /// Answers [`Effect::Peek`].
    Peeked(HistoryPage),
    /// Answers [`Effect::Find`].
    Found {
        name: String,
        result: Result<User, String>,
    },
    /// Answers [`Effect::Describe`].
    Described(Description),
    /// Answers [`Effect::Watch`].
    Present(Vec<Presence>),
    /// Answers [`Effect::Do`].
    Done(Result<Vec<Report>, String>),
    /// The client could not even be started.
    SignInFailed(String),
    /// A send didn't get into the outbox.
    NotQueued {
        id: ClientMessageId,
        reason: String,
    },
}

/// What the app wants done.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Start a client; its events follow.
    SignIn(Credentials),
    /// Drop the client.
    Disconnect,
    List,
    Send {
        id: ClientMessageId,
        to: To,
        message: NewMessage,
    },
    /// Carry out what a slash command asked for; `quietly` says nothing of it.
    Do {
        act: Box<Act>,
        quietly: bool,
    },
    /// Ask who is in a conversation.
    Describe {
        conversation: ConversationId,
    },
    /// Tell when this user comes and goes, from now on or no longer.
    Watch {
        user: UserId,
        on: bool,
    },
    /// The user writes, or stopped.
    Typing {
        conversation: ConversationId,
        active: bool,
    },
    /// Nobody looks at the screen, or somebody does again.
    Background(bool),
    Load {
        room: u64,
        ticket: u64,
        conversation: ConversationId,
        range: Range,
    },
    /// Ask for the newest message, for the list.
    Peek {
        conversation: ConversationId,
    },
    Find {
        name: String,
    },
    MarkRead {
        conversation: ConversationId,
        up_to: u64,
    },
    Reconnect,
    /// Draw everything anew, as after somebody else wrote to the terminal.
    Redraw,
    Quit,
}

/// Which screen is in front.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Screen {
    SignIn,
    Chat,
}

/// What lies over the screen.
#[derive(Debug, Clone)]
pub(crate) enum Popup {
    Help,
    Switcher(Switcher),
    /// Something to read.
    Sheet(Sheet),
}

/// Where the connection stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Link {
    Idle,
    SigningIn,
    Connecting,
    Ready(Transport),
    /// Lost; tried again at this moment.
    Waiting {
        until_ms: u64,
        reason: String,
    },
    Closed(Option<String>),
}

/// Everything the terminal client knows.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) screen: Screen,
    pub(crate) form: Form,
    pub(crate) link: Link,
    pub(crate) me: Option<User>,
    /// Characters the server takes in one text.
    pub(crate) text_chars: usize,
    /// The conversations, the newest first.
    pub(crate) rooms: Vec<Room>,
    /// The key of the open one.
    pub(crate) open: Option<u64>,
    pub(crate) front: Front,
    pub(crate) popup: Option<Popup>,
    /// A remark for the status line, and until when.
    pub(crate) notice: Option<(String, u64)>,
    pub(crate) now_ms: u64,
    size: (u16, u16),
    pub(crate) zone: Zone,
    focused: bool,
    dwell: Dwell,
    /// What was last said of writing: where, and since when.
    typing: Option<(ConversationId, u64)>,
    next_key: u64,
    next_ticket: u64,
    /// Makes client message ids unique; the rest is a counter.
    seed: [u8; 16],
    next_message: u64,
}

impl App {
    /// An app that begins with `form`. `seed` is random: it makes the ids of
    /// this run's messages.
    pub(crate) fn new(form: Form, size: (u16, u16), zone: Zone, seed: [u8; 16]) -> Self {
        Self {
            screen: Screen::SignIn,
            form,
            link: Link::Idle,
            me: None,
            text_chars: 100_000,
            rooms: Vec::new(),
            open: None,
            front: Front::List,
            popup: None,
            notice: None,
            now_ms: 0,
            size,
            zone,
            focused: true,
            dwell: Dwell::default(),
            typing: None,
            next_key: 1,
            next_ticket: 1,
            seed,
            next_message: 0,
        }
    }

    /// Takes one input at a time (Unix milliseconds) and returns what is to be done.
    /// Time that jumps makes a countdown wrong for a moment, nothing else.
    pub(crate) fn update(&mut self, input: Input, now_ms: u64) -> Vec<Effect> {
        self.now_ms = now_ms;
        let mut effects = Vec::new();
        let only_time = matches!(input, Input::Tick);
        match input {
            Input::Key(key) => self.handle_key(key, &mut effects),
            Input::Paste(text) => self.handle_paste(&text),
            Input::Resize(columns, rows) => self.size = (columns, rows),
            Input::Focus(focused) => {
                self.focused = focused;
                if self.screen == Screen::Chat {
                    effects.push(Effect::Background(!focused));
                }
            }
            Input::Tick => {}
            Input::Event(event) => self.handle_event(event, &mut effects),
            Input::List(list) => self.handle_list(&list, &mut effects),
            Input::Peeked(page) => self.handle_peek(&page),
            Input::Page { room, ticket, result } => self.handle_page(room, ticket, result),
            Input::Found { name, result } => self.handle_found(&name, result, &mut effects),
            Input::Described(description) => {
                let id = description.conversation;
                if let Some(room) = self.rooms.iter_mut().find(|room| room.id == Some(id)) {
                    room.take_description(&description);
                }
            }
            Input::Present(presences) => {
                presences.iter().for_each(|presence| self.handle_presence(presence));
            }
            Input::Done(result) => self.handle_done(result, &mut effects),
            Input::SignInFailed(reason) => self.form.reopen(Some(reason)),
            Input::NotQueued { id, reason } => {
                self.rooms.iter_mut().any(|room| room.take_refusal(&id, &reason));
            }
        }
        if self.notice.as_ref().is_some_and(|(_, until)| *until <= now_ms) {
            self.notice = None;
        }
        self.expire(&mut effects);
        if !only_time || self.open_room().is_some_and(|room| room.load_not_before_ms > 0) {
            self.load_what_shows(&mut effects);
        }
        self.read_what_shows(&mut effects);
        self.say_what_is_written(&mut effects);
        effects
    }

    /// Where things stand on the screen now.
    pub(crate) fn areas(&self) -> Areas {
        let columns = areas(self.size, self.front, 1)
            .room
            .map_or(0, |room| usize::from(room.composer.width).saturating_sub(2));
        let lines = self.open_room().map_or(1, |room| room.composer.layout(columns).lines.len());
        areas(self.size, self.front, lines)
    }

    /// The pane of the open conversation.
    pub(crate) fn pane(&self) -> Option<Pane> {
        let timeline = self.areas().room?.timeline;
        Some(Pane { width: timeline.width, height: timeline.height, zone: self.zone })
    }

    pub(crate) fn open_room(&self) -> Option<&Room> {
        self.room(self.open?)
    }

    /// Whether time alone changes what is drawn.
    pub(crate) fn shows_time(&self) -> bool {
        self.notice.is_some() || matches!(self.link, Link::Waiting { .. })
    }

    /// Messages that wait, in all conversations that aren't muted.
    pub(crate) fn unread(&self) -> u64 {
        let loud = self.rooms.iter().filter(|room| !room.is_muted(self.now_ms));
        loud.map(|room| room.unread).fold(0, u64::saturating_add)
    }

    fn room(&self, key: u64) -> Option<&Room> {
        self.rooms.iter().find(|room| room.key == key)
    }

    fn room_mut(&mut self, key: u64) -> Option<&mut Room> {
        self.rooms.iter_mut().find(|room| room.key == key)
    }

    fn open_room_mut(&mut self) -> Option<&mut Room> {
        self.room_mut(self.open?)
    }

    /// Puts a room into the list and returns its key.
    fn add(&mut self, mut room: Room) -> u64 {
        let key = self.next_key;
        self.next_key += 1;
        room.key = key;
        self.rooms.push(room);
        self.sort();
        key
    }

    /// The newest first; what has no message yet, then what is kept on top before
    /// that, what was put away behind it.
    fn sort(&mut self) {
        self.rooms.sort_by_key(|room| {
            let preferences = &room.preferences;
            let place = (room.id.is_some(), preferences.archived, !preferences.pinned);
            (place, std::cmp::Reverse(room.last_time_ms), room.key)
        });
    }

    /// Puts a remark into the status line.
    pub(crate) fn say(&mut self, text: &str) {
        self.notify(text);
    }

    fn notify(&mut self, text: impl Into<String>) {
        self.notice = Some((text.into(), self.now_ms + NOTICE_MS));
    }

    fn next_message_id(&mut self) -> Option<ClientMessageId> {
        let mut id = self.seed.to_vec();
        id.extend_from_slice(&self.next_message.to_be_bytes());
        self.next_message += 1;
        ClientMessageId::new(id.into()).ok()
    }
}

#[cfg(test)]
pub(crate) mod tests;
