//! Opening conversations, loading what shows of them, and saying what was read.
//!
//! Runs after every input: one load at a time for the open conversation, none
//! while offline, and none right after a failed one. "Read" is said only of what
//! stood on a focused screen for a while.

use parley_client::{PreferencesChange, Range};

use super::layout::Front;
use super::room::{Loading, Room};
use super::timeline::Side;
use super::{App, Effect, Link, Screen};
use crate::chat::act::{Act, Target};

/// How long a message is on the screen before it counts as read.
const DWELL_MS: u64 = 1_500;

/// How long a failed load is left alone.
const LOAD_AGAIN_MS: u64 = 3_000;

/// What has been on the screen since when.
#[derive(Debug, Default)]
pub(super) struct Dwell {
    shown: Option<(u64, u64)>,
    since_ms: u64,
}

impl App {
    /// Opens a room at its first unread message.
    pub(super) fn open(&mut self, key: u64, effects: &mut Vec<Effect>) {
        if self.open != Some(key) {
            self.close_room(effects);
        }
        self.open = Some(key);
        self.front = Front::Room;
        self.look_around(effects);
        self.unmark(key, effects);
        let Some(pane) = self.pane() else { return };
        let Some(room) = self.room_mut(key) else { return };
        // Not the read cursor alone: what somebody wrote, they had read up to.
        let floor = room.read.max(room.last_seq.saturating_sub(room.unread));
        room.unread_after = (room.unread > 0).then_some(floor);
        // The mark is in a part that isn't loaded: begin with that part.
        let first = room.timeline.first_seq();
        if room.unread_after.is_some_and(|read| first.is_some_and(|first| first > read + 1)) {
            room.timeline.clear();
        }
        room.scroll_to_unread(pane);
    }

    /// Leaves the open room.
    pub(super) fn close_room(&mut self, effects: &mut Vec<Effect>) {
        if let Some(user) = self.watched() {
            effects.push(Effect::Watch { user, on: false });
        }
        if let Some(key) = self.open {
            self.keep_draft(key, effects);
        }
        if let Some(room) = self.open_room_mut() {
            room.close();
        }
        self.open = None;
        self.front = Front::List;
    }

    /// Opens the room `step` lines further down the list, or the next one with
    /// something unread.
    pub(super) fn open_neighbour(
        &mut self,
        down: bool,
        unread_only: bool,
        effects: &mut Vec<Effect>,
    ) {
        let at = self.rooms.iter().position(|room| Some(room.key) == self.open);
        let wanted = |room: &&Room| !unread_only || room.unread > 0;
        let found = match (at, down) {
            (None, _) => self.rooms.iter().find(wanted),
            (Some(at), true) => self.rooms.iter().skip(at + 1).find(wanted),
            (Some(at), false) => self.rooms.iter().take(at).rev().find(wanted),
        };
        if let Some(key) = found.map(|room| room.key) {
            self.open(key, effects);
        }
    }

    /// Asks for the part of the open conversation that shows or nearly does.
    pub(super) fn load_what_shows(&mut self, effects: &mut Vec<Effect>) {
        if self.screen != Screen::Chat || !matches!(self.link, Link::Ready(_)) {
            return;
        }
        let (Some(pane), now_ms, ticket) = (self.pane(), self.now_ms, self.next_ticket) else {
            return;
        };
        let Some(room) = self.open_room_mut() else { return };
        if room.loading.is_some() || room.load_not_before_ms > now_ms {
            return;
        }
        let (Some(conversation), Some(side)) = (room.id, room.wants(pane)) else { return };
        let range = match side {
            Side::Fresh => match room.seek_ms {
                Some(time_ms) => Range::AroundTime(time_ms),
                None => room.unread_after.map_or(Range::Latest, Range::Around),
            },
            Side::Older => Range::Before(room.timeline.first_seq().unwrap_or(u64::MAX)),
            Side::Newer => Range::After(room.timeline.last_seq().unwrap_or(0)),
        };
        room.loading = Some(Loading { side, ticket });
        effects.push(Effect::Load { room: room.key, ticket, conversation, range });
        self.next_ticket += 1;
    }

    /// Shows what was said at that moment.
    pub(super) fn go_to_time(&mut self, time_ms: u64) {
        let Some(room) = self.open_room_mut() else { return };
        room.seek_ms = Some(time_ms);
        room.unread_after = None;
        room.loading = None;
        room.timeline.clear();
    }

    /// Takes the answer to a load, unless the room was left meanwhile.
    pub(super) fn handle_page(
        &mut self,
        key: u64,
        ticket: u64,
        result: Result<parley_client::HistoryPage, String>,
    ) {
        let (pane, now_ms) = (self.pane(), self.now_ms);
        let Some(room) = self.room_mut(key) else { return };
        let Some(loading) = room.loading.filter(|loading| loading.ticket == ticket) else { return };
        room.loading = None;
        room.load_not_before_ms = 0;
        match result {
            Ok(page) => {
                room.timeline.take_page(loading.side, &page);
                if room.timeline.at_end()
                    && let Some(row) = room.timeline.newest_shown().cloned()
                {
                    room.set_preview(&row);
                }
                if let Some(pane) = pane {
                    match loading.side {
                        Side::Fresh => match room.seek_ms.take() {
                            Some(time_ms) => room.scroll_to_time(time_ms, pane),
                            None => room.scroll_to_unread(pane),
                        },
                        Side::Newer => room.settle(pane),
                        Side::Older => {}
                    }
                }
            }
            Err(reason) => {
                room.load_not_before_ms = now_ms + LOAD_AGAIN_MS;
                self.notify(format!("could not load messages: {reason}"));
            }
        }
    }

    /// Takes away what is too old to be shown by now.
    pub(super) fn expire(&mut self, effects: &mut Vec<Effect>) {
        let (now_ms, open, pane) = (self.now_ms, self.open, self.pane());
        for room in &mut self.rooms {
            let pane = pane.filter(|_| open == Some(room.key));
            if room.expire(now_ms, pane)
                && room.preview.is_empty()
                && let Some(conversation) = room.id
            {
                effects.push(Effect::Peek { conversation });
            }
        }
    }

    /// Takes the mark off that it is to be read: it is.
    fn unmark(&mut self, key: u64, effects: &mut Vec<Effect>) {
        let Some(room) = self.room_mut(key).filter(|room| room.preferences.marked_unread) else {
            return;
        };
        let Some(id) = room.id else { return };
        room.preferences.marked_unread = false;
        let change =
            PreferencesChange { marked_unread: Some(false), ..PreferencesChange::default() };
        let act = Act::Preferences { of: Target::Conversation(id), change: Box::new(change) };
        effects.push(Effect::Do { act: Box::new(act), quietly: true });
    }

    /// Says what was read, once it has been on the screen long enough.
    pub(super) fn read_what_shows(&mut self, effects: &mut Vec<Effect>) {
        let shown = self.newest_on_screen();
        if shown != self.dwell.shown {
            self.dwell = Dwell { shown, since_ms: self.now_ms };
        }
        let Some((key, seq)) = shown else { return };
        if self.now_ms < self.dwell.since_ms + DWELL_MS {
            return;
        }
        let Some(room) = self.room_mut(key) else { return };
        room.read = seq;
        room.unread = 0;
        room.mentions = 0;
        if let Some(conversation) = room.id {
            effects.push(Effect::MarkRead { conversation, up_to: seq });
        }
        self.unmark(key, effects);
    }

    /// The newest row of the open room, if somebody is looking at it and it
    /// wasn't read yet: the room's key and the row's seq.
    fn newest_on_screen(&self) -> Option<(u64, u64)> {
        let looking = self.focused
            && self.screen == Screen::Chat
            && self.popup.is_none()
            && matches!(self.link, Link::Ready(_));
        self.pane().filter(|pane| looking && pane.height > 0)?;
        let room = self.open_room()?;
        let newest = room.timeline.newest()?;
        let at_end = room.anchor == super::anchor::Anchor::Bottom && room.timeline.at_end();
        (at_end && newest.seq > room.read && (room.unread > 0 || !newest.own))
            .then_some((room.key, newest.seq))
    }
}
