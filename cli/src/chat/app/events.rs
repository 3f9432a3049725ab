//! What the client reports, brought into the rooms.
//!
//! Events may come in any order between conversations, and for a conversation
//! that was begun here and elsewhere at once: then two rooms become one.

use parley_client::{
    Change, Conversation, ConversationId, Entry, Event, HistoryPage, Origin, Presence, Reset,
    State, User, What,
};

use super::room::Room;
use super::row::Row;
use super::{App, Effect, Link, Popup, Screen};
use crate::chat::text::one_line;

/// Conversations whose newest message is asked for at the start: about what a
/// screen shows.
const PEEKS: usize = 30;

impl App {
    pub(super) fn handle_event(&mut self, event: Event, effects: &mut Vec<Effect>) {
        match event {
            Event::Message(message) => {
                let peer = (!message.own).then_some(&message.sender);
                let key = self.room_for(message.conversation, peer);
                let pane = self.pane().filter(|_| self.open == Some(key));
                if let Some(room) = self.room_mut(key) {
                    room.take_typing(&message.sender, false);
                    room.take_row(Row::from(&message));
                    match pane {
                        Some(pane) => room.settle(pane),
                        None => room.shrink(),
                    }
                }
                self.sort();
            }
            Event::UnknownEntry(entry) => {
                self.take_entry(entry.conversation, Row::from(&entry), |_| {});
            }
            Event::Damaged(entry) => {
                self.take_entry(entry.conversation, Row::from(&entry), |_| {});
            }
            Event::Reset(reset) => self.handle_reset(reset, effects),
            Event::Edited(edit) => {
                self.take_deed(&edit.origin, edit.target, |row| row.edit(&edit.text));
            }
            Event::Deleted(deletion) => {
                self.take_deed(&deletion.origin, deletion.target, Row::delete);
            }
            Event::Reacted(reaction) => {
                self.take_deed(&reaction.origin, reaction.target, |row| row.react(&reaction));
            }
            Event::Pinned(pin) => {
                self.take_deed(&pin.origin, pin.target, |row| row.marks.pinned = !pin.removed);
            }
            Event::Changed(change) => self.handle_change(&change, effects),
            Event::Erased(erased) => {
                let origin = erased.origin;
                let row = Row::silent(origin.seq, origin.time_ms, origin.own);
                self.take_entry(origin.conversation, row, |_| {});
            }
            Event::Hidden { conversation, seqs } => {
                let room = self.rooms.iter_mut().find(|room| room.id == Some(conversation));
                if let Some(room) = room {
                    room.hide(&seqs);
                }
            }
            Event::Typing(typing) => {
                let id = Some(typing.conversation);
                if let Some(room) = self.rooms.iter_mut().find(|room| room.id == id) {
                    room.take_typing(&typing.user, typing.active);
                }
            }
            Event::Presence(presence) => self.handle_presence(&presence),
            Event::Receipt(receipt) => {
                let own = self.me.as_ref().is_some_and(|me| me.id == receipt.user);
                let room = self.rooms.iter_mut().find(|room| room.id == Some(receipt.conversation));
                if let Some(room) = room.filter(|_| !own) {
                    room.take_cursors(receipt.delivered, receipt.read);
                }
            }
            Event::Sent { client_message_id, sent, .. } => {
                let name = self.me.as_ref().map_or_else(String::new, |me| one_line(&me.name));
                self.rooms.iter_mut().any(|room| room.take_sent(&client_message_id, sent, &name));
                self.unite(sent.conversation, None);
                self.sort();
            }
            Event::SendFailed { client_message_id, error, .. } => {
                let reason = error.to_string();
                self.rooms.iter_mut().any(|room| room.take_refusal(&client_message_id, &reason));
            }
            Event::Conversation(line) => {
                self.take_line(&line);
                self.sort();
            }
            Event::SignedIn(sign_in) => {
                let name = one_line(&sign_in.name);
                let text = if sign_in.new_device { "New sign-in" } else { "Signed in again" };
                self.notify(format!("{text}: {name}"));
            }
            Event::StateChanged(state) => self.handle_state(state, effects),
            Event::FellBack { from, to, .. } => {
                self.notify(format!("no way through by {from}, trying {to}"));
            }
            Event::Lagged(_) => {
                // What was missed is in the log: the ends are loaded again.
                for room in &mut self.rooms {
                    room.timeline.doubt_end();
                }
                effects.push(Effect::List);
            }
            _ => {}
        }
    }

    /// The server has another store: what came from it is loaded anew.
    fn handle_reset(&mut self, reset: Reset, effects: &mut Vec<Effect>) {
        let open = self.open;
        match reset.conversation {
            Some(id) => {
                self.rooms.iter_mut().filter(|room| room.id == Some(id)).for_each(Room::reset);
                self.notify("The server has another history here than this device had.");
            }
            None => {
                // The others come back with the list, if the server has them.
                self.rooms.retain(|room| Some(room.key) == open || room.has_unsent());
                self.rooms.iter_mut().for_each(Room::reset);
                self.notify("The server was restored from a copy. What was newer is gone.");
            }
        }
        effects.push(Effect::List);
    }

    /// Brings in an entry, with what it does to the room.
    fn take_entry(
        &mut self,
        conversation: ConversationId,
        row: Row,
        change: impl FnOnce(&mut Room),
    ) {
        let key = self.room_for(conversation, None);
        let pane = self.pane().filter(|_| self.open == Some(key));
        if let Some(room) = self.room_mut(key) {
            change(room);
            room.take_row(row);
            if let Some(pane) = pane {
                room.settle(pane);
            }
        }
    }

    /// Something was done to a message: its row changes, the entry has no lines.
    fn take_deed(&mut self, origin: &Origin, target: u64, deed: impl FnOnce(&mut Row)) {
        let row = Row::silent(origin.seq, origin.time_ms, origin.own);
        self.take_entry(origin.conversation, row, |room| {
            room.timeline.change(target, deed);
            if room.timeline.newest_shown().is_some_and(|row| row.seq == target) {
                let row = room.timeline.newest_shown().cloned();
                row.iter().for_each(|row| room.set_preview(row));
            }
        });
    }

    fn handle_change(&mut self, change: &Change, effects: &mut Vec<Effect>) {
        let conversation = change.origin.conversation;
        self.take_entry(conversation, Row::from(change), |room| {
            if let What::Erased { up_to } = change.what {
                room.timeline.forget_up_to(up_to);
            }
        });
        self.sort();
        // Who is here shows only in the open one; others ask when they open.
        if self.open_room().is_some_and(|room| room.id == Some(conversation)) {
            effects.push(Effect::Describe { conversation });
        }
    }

    pub(super) fn handle_presence(&mut self, presence: &Presence) {
        let with = |room: &&mut Room| {
            !room.group && room.peer.as_ref().is_some_and(|peer| peer.id == presence.user.id)
        };
        for room in self.rooms.iter_mut().filter(with) {
            room.presence = Some((presence.online, presence.last_seen_ms));
        }
    }

    pub(super) fn handle_list(&mut self, list: &[Conversation], effects: &mut Vec<Effect>) {
        for line in list {
            self.take_line(line);
        }
        self.sort();
        let unseen = self.rooms.iter().take(PEEKS).filter(|room| room.preview.is_empty());
        let unseen = unseen.filter(|room| room.last_seq > 0).filter_map(|room| room.id);
        effects.extend(unseen.map(|conversation| Effect::Peek { conversation }));
    }

    pub(super) fn handle_peek(&mut self, page: &HistoryPage) {
        // The newest may be something that is done to a message, or too old.
        let row = |entry: &Entry| match entry {
            Entry::Message(message) => Some((message.conversation, Row::from(message))),
            Entry::Change(change) => Some((change.origin.conversation, Row::from(change))),
            _ => None,
        };
        let mut rows = page.entries.iter().rev().filter_map(row);
        let Some((conversation, row)) = rows.find(|(_, row)| !row.is_expired(self.now_ms)) else {
            return;
        };
        let room = self.rooms.iter_mut().find(|room| room.id == Some(conversation));
        if let Some(room) = room.filter(|room| room.preview.is_empty()) {
            room.set_preview(&row);
        }
    }

    pub(super) fn handle_found(
        &mut self,
        name: &str,
        result: Result<User, String>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(Popup::Switcher(switcher)) = &mut self.popup else { return };
        if switcher.searching.as_deref() != Some(name) {
            return;
        }
        switcher.searching = None;
        match result {
            Ok(user) => {
                self.popup = None;
                let known = self.rooms.iter().find(|room| {
                    !room.group && room.peer.as_ref().is_some_and(|peer| peer.id == user.id)
                });
                let key = match known {
                    Some(room) => room.key,
                    None => self.add(Room::with_peer(user)),
                };
                self.open(key, effects);
            }
            Err(reason) => switcher.problem = Some(one_line(&reason)),
        }
    }

    fn handle_state(&mut self, state: State, effects: &mut Vec<Effect>) {
        self.link = match state {
            State::Idle | State::Draining => Link::Idle,
            State::SigningIn => Link::SigningIn,
            State::Connecting | State::Handshaking => Link::Connecting,
            State::Ready(session) => {
                self.welcome(&session.user, effects);
                self.text_chars = usize::try_from(session.text_chars).unwrap_or(usize::MAX);
                Link::Ready(session.transport)
            }
            State::Waiting { retry_in, error } => Link::Waiting {
                until_ms: self.now_ms + u64::try_from(retry_in.as_millis()).unwrap_or(u64::MAX / 2),
                reason: one_line(&error.to_string()),
            },
            State::Closed(error) => {
                let reason = error.map(|error| one_line(&error.to_string()));
                self.screen = Screen::SignIn;
                self.popup = None;
                self.form.reopen(reason.clone());
                for room in &mut self.rooms {
                    room.disconnect();
                }
                effects.push(Effect::Disconnect);
                Link::Closed(reason)
            }
            _ => return,
        };
    }

    fn welcome(&mut self, user: &User, effects: &mut Vec<Effect>) {
        if self.me.as_ref().is_some_and(|me| me.id != user.id) {
            // Somebody else signed in: nothing of the other account stays.
            self.rooms.clear();
            self.open = None;
            self.front = super::Front::List;
        }
        self.me = Some(user.clone());
        self.form.forget_password();
        self.screen = Screen::Chat;
        effects.push(Effect::List);
        // A new session knows nothing of whom the old one watched.
        self.look_around(effects);
    }

    fn take_line(&mut self, line: &Conversation) {
        self.unite(line.id, line.peer.as_ref());
        let key = self.room_for(line.id, line.peer.as_ref());
        if let Some(room) = self.room_mut(key) {
            room.take_line(line);
        }
    }

    /// Makes one room of those that turn out to be the same conversation: one
    /// begun with a user here, and one that came from another device.
    fn unite(&mut self, id: parley_client::ConversationId, peer: Option<&User>) {
        let same = |room: &&Room| room.is(id, peer);
        if self.rooms.iter().filter(same).count() < 2 {
            return;
        }
        let open = self.open;
        let kept = self.rooms.iter().filter(same).max_by_key(|room| Some(room.key) == open);
        let Some(kept) = kept.map(|room| room.key) else { return };
        let mut others = Vec::new();
        while let Some(at) = self.rooms.iter().position(|room| room.key != kept && same(&room)) {
            others.push(self.rooms.remove(at));
        }
        if let Some(room) = self.room_mut(kept) {
            room.id = Some(id);
            for other in others {
                room.absorb(other);
            }
        }
    }

    /// The room of a conversation, made if it isn't there yet.
    pub(super) fn room_for(
        &mut self,
        id: parley_client::ConversationId,
        peer: Option<&User>,
    ) -> u64 {
        let known = self.rooms.iter().find(|room| room.id == Some(id));
        let begun = || self.rooms.iter().find(|room| room.is(id, peer));
        if let Some(key) = known.or_else(begun).map(|room| room.key) {
            if let Some(room) = self.room_mut(key) {
                room.id = Some(id);
            }
            return key;
        }
        self.add(Room::with_id(id, peer.cloned()))
    }
}
