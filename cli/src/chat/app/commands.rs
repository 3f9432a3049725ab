//! What is written: messages, answers, new texts of old messages, and slash
//! commands; and telling the others that something is being written.

use parley_client::{PreferencesChange, UserId};

use super::composer::Composer;
use super::mentions::Named;
use super::room::{Room, Writing};
use super::row::Row;
use super::sheet::Sheet;
use super::slash::{self, Spot, Wish};
use super::{App, Effect, Popup};
use crate::chat::act::{Act, MentionOf, MentionSpan, Part, Target};
use crate::chat::report::Report;

/// While somebody writes this is said again.
const TYPING_AGAIN_MS: u64 = 3_000;

/// Who touched no key for this long writes no longer.
const TYPING_PAUSE_MS: u64 = 5_000;

/// Characters of a draft that travels between devices.
const DRAFT_CHARS: usize = 4_096;

impl App {
    /// Enter: sends, changes or carries out what the composer holds.
    pub(super) fn submit(&mut self, effects: &mut Vec<Effect>) {
        let Some(room) = self.open_room() else { return };
        let text = room.composer.text();
        if text.trim().is_empty() {
            return;
        }
        if let Writing::Edit(seq) = room.writing {
            return self.send_edit(seq, effects);
        }
        match slash::parse(text.trim_end(), &self.spot(room)) {
            None => self.send(effects),
            Some(Err(reason)) => self.notify(reason),
            Some(Ok(wish)) => {
                if let Some(room) = self.open_room_mut() {
                    drop(room.composer.take());
                }
                self.carry_out(wish, effects);
            }
        }
    }

    fn carry_out(&mut self, wish: Wish, effects: &mut Vec<Effect>) {
        match wish {
            Wish::Help => self.popup = Some(Popup::Sheet(Sheet::commands())),
            Wish::Do(act) => {
                if let Some(room) = self.open_room_mut() {
                    room.picked = None;
                }
                effects.push(Effect::Do { act: Box::new(act), quietly: false });
            }
            Wish::Go(Part::AroundTime(time_ms)) => self.go_to_time(time_ms),
            Wish::Go(_) => {}
            Wish::Reply { seq, text } => {
                let Some(room) = self.open_room_mut() else { return };
                room.writing = Writing::Reply(seq);
                if !text.is_empty() {
                    room.composer = Composer::with_text(&text);
                    self.send(effects);
                }
            }
            Wish::Edit { seq } => {
                let Some(room) = self.open_room_mut() else { return };
                match room.timeline.row(seq).filter(|row| row.own && row.is_message()) {
                    Some(row) => {
                        room.composer = Composer::with_text(row.written());
                        room.writing = Writing::Edit(seq);
                    }
                    None => self.notify("only an own message can be changed"),
                }
            }
        }
    }

    /// Sends the composer's text as a message.
    fn send(&mut self, effects: &mut Vec<Effect>) {
        let Some(id) = self.next_message_id() else { return };
        let Some(room) = self.open_room_mut() else { return };
        if room.former {
            return self.notify("you are no longer in this group");
        }
        let Some(to) = room.to() else { return };
        let text = room.composer.take();
        // What shall begin with a slash begins with two.
        let text = if text.starts_with("//") { text.replacen('/', "", 1) } else { text };
        let message = room.compose(&text);
        room.queue(id.clone(), message.clone(), &text);
        room.unread_after = None;
        super::keys::go_to_end(room);
        effects.push(Effect::Send { id, to, message });
    }

    fn send_edit(&mut self, seq: u64, effects: &mut Vec<Effect>) {
        let Some(room) = self.open_room_mut() else { return };
        let Some(of) = room.id.map(Target::Conversation) else { return };
        room.writing = Writing::Message;
        room.picked = None;
        let text = room.composer.take();
        let mentions = room
            .named(&text)
            .into_iter()
            .map(|Named { start, length, name, who }| MentionSpan {
                who: who.map_or(MentionOf::Everyone, |_| MentionOf::User(name)),
                at: Some((start, length)),
            })
            .collect();
        let act = Act::Edit { of, seq, text, mentions };
        effects.push(Effect::Do { act: Box::new(act), quietly: true });
    }

    /// What a command written in this room is about.
    fn spot(&self, room: &Room) -> Spot {
        let seq = |row: &Row| row.seq;
        Spot {
            conversation: room.id,
            peer: room.peer.as_ref().filter(|_| !room.group).map(|peer| peer.name.to_string()),
            picked: room.picked,
            newest: room.timeline.messages().next().map(seq),
            newest_own: room.timeline.messages().find(|row| row.own).map(seq),
            newest_of_others: room.timeline.messages().find(|row| !row.own).map(seq),
            last_seq: room.last_seq,
            now_ms: self.now_ms,
            zone: self.zone,
        }
    }

    /// What came of a command.
    pub(super) fn handle_done(
        &mut self,
        result: Result<Vec<Report>, String>,
        effects: &mut Vec<Effect>,
    ) {
        let reports = match result {
            Ok(reports) => reports,
            Err(reason) => return self.notify(crate::chat::text::one_line(&reason)),
        };
        if let Some(Report::Group(group)) = reports.first()
            && group
                .change
                .as_ref()
                .is_some_and(|change| matches!(change.change, "created" | "joined"))
            && let Ok(conversation) = group.conversation.parse()
        {
            // Whoever makes a group or comes into one wants to be there.
            let key = self.room_for(conversation, None);
            self.open(key, effects);
        }
        if let Some(sheet) = Sheet::of(&reports, self.zone) {
            self.popup = Some(Popup::Sheet(sheet));
        } else if let Some(notice) = reports.iter().find_map(Sheet::notice) {
            self.notify(notice);
        }
    }

    /// Completes the command or the name before the cursor. False when there is
    /// nothing to complete.
    pub(super) fn complete(&mut self) -> bool {
        let text_chars = self.text_chars;
        let Some(room) = self.open_room_mut() else { return false };
        let before = room.composer.before_cursor();
        let word = before.rsplit(char::is_whitespace).next().unwrap_or_default();
        let (start, whole) = if let Some(name) = word.strip_prefix('@') {
            (name, room.complete_name(name))
        } else if let Some(command) = before.strip_prefix('/').filter(|rest| !rest.contains(' ')) {
            (command, slash::complete(command))
        } else {
            return false;
        };
        let rest = whole.and_then(|whole| whole.get(start.len()..)).map(|rest| format!("{rest} "));
        if let Some(rest) = rest {
            room.composer.insert(&rest, text_chars);
        }
        true
    }

    /// Tells the others that something is being written, or no longer.
    pub(super) fn say_what_is_written(&mut self, effects: &mut Vec<Effect>) {
        let writes = self.open_room().filter(|room| {
            let text = room.composer.text();
            let lately = self.now_ms < room.touched_ms.saturating_add(TYPING_PAUSE_MS);
            lately && !text.is_empty() && !text.starts_with('/') && !room.former
        });
        let now = writes.and_then(|room| room.id);
        let said = self.typing.map(|(conversation, _)| conversation);
        if let Some(conversation) = said.filter(|_| said != now) {
            self.typing = None;
            effects.push(Effect::Typing { conversation, active: false });
        }
        let due = self.typing.is_none_or(|(_, since)| self.now_ms >= since + TYPING_AGAIN_MS);
        if let Some(conversation) = now.filter(|_| due) {
            self.typing = Some((conversation, self.now_ms));
            effects.push(Effect::Typing { conversation, active: true });
        }
    }

    /// Keeps what was begun for the user's other devices.
    pub(super) fn keep_draft(&mut self, key: u64, effects: &mut Vec<Effect>) {
        let Some(room) = self.room_mut(key) else { return };
        let text = room.composer.text();
        let whole = text.chars().count() <= DRAFT_CHARS && room.writing == Writing::Message;
        let Some(id) = room.id.filter(|_| whole && *text != *room.preferences.draft) else {
            return;
        };
        let change =
            PreferencesChange { draft: Some(text.to_owned()), ..PreferencesChange::default() };
        room.preferences.draft = text.into();
        let act = Act::Preferences { of: Target::Conversation(id), change: Box::new(change) };
        effects.push(Effect::Do { act: Box::new(act), quietly: true });
    }

    /// Looks at who is here as soon as a conversation is opened.
    pub(super) fn look_around(&self, effects: &mut Vec<Effect>) {
        let Some(room) = self.open_room() else { return };
        if let Some(conversation) = room.id {
            effects.push(Effect::Describe { conversation });
        }
        if let Some(user) = self.watched() {
            effects.push(Effect::Watch { user, on: true });
        }
    }

    /// Whose coming and going the open conversation shows.
    pub(super) fn watched(&self) -> Option<UserId> {
        let me = self.me.as_ref().map(|me| me.id);
        let room = self.open_room().filter(|room| !room.group)?;
        room.peer.as_ref().map(|peer| peer.id).filter(|peer| Some(*peer) != me)
    }
}
