//! One conversation as the terminal knows it: its line in the list, the loaded
//! timeline, what is being written and what waits to be sent.
//!
//! A room exists before its conversation does: it begins with a peer, and gets
//! its id from the first message. Drafts and waiting sends stay with the room.

use parley_client::{
    ClientMessageId, Conversation, ConversationId, ConversationKind, Description, NewMessage,
    Preferences, Role, Sent, To, User, UserId,
};

use super::anchor::Anchor;
use super::block::Tick;
use super::composer::Composer;
use super::row::{Marks, Row, Shape};
use super::scroll::Pane;
use super::timeline::{Side, Timeline};
use crate::chat::text::{one_line, sanitise};

/// Rows kept of a conversation that isn't open.
const CLOSED_ROWS: usize = 200;

/// People shown as writing at once.
const WRITERS: usize = 8;

/// A send without an answer yet, or a refused one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pending {
    pub(crate) id: ClientMessageId,
    /// With what it answers and whom it names, to be sent again.
    pub(crate) message: NewMessage,
    /// As it was typed, which is sanitised.
    pub(crate) text: String,
    pub(crate) reply_to: Option<u64>,
    /// Why it was refused for good.
    pub(crate) failed: Option<String>,
}

/// What the composer's text will be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Writing {
    #[default]
    Message,
    /// An answer to the message with this seq.
    Reply(u64),
    /// The new text of the own message with this seq.
    Edit(u64),
}

/// Somebody in the conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) id: UserId,
    /// As the server has it.
    pub(crate) name: String,
    pub(crate) role: Role,
}

/// A range being loaded: its name, so that a late answer to an older question
/// is not taken for the answer to this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Loading {
    pub(crate) side: Side,
    pub(crate) ticket: u64,
}

/// One conversation.
#[derive(Debug, Default)]
pub(crate) struct Room {
    /// Names the room within the app, also before it has an id.
    pub(crate) key: u64,
    pub(crate) id: Option<ConversationId>,
    pub(crate) peer: Option<User>,
    pub(crate) group: bool,
    /// What a group is called, sanitised.
    group_title: String,
    /// Who is in it, once it was asked.
    pub(crate) people: Vec<Person>,
    /// How many are in it, as far as known.
    pub(crate) size: usize,
    /// No longer a member: it can be read, nothing more.
    pub(crate) former: bool,
    /// A stranger began it.
    pub(crate) request: bool,
    pub(crate) preferences: Preferences,
    pub(crate) unread: u64,
    /// Unread messages that name this user.
    pub(crate) mentions: u64,
    /// Up to where this user has read.
    pub(crate) read: u64,
    pub(crate) last_seq: u64,
    pub(crate) last_time_ms: u64,
    peer_delivered: u64,
    peer_read: u64,
    pub(crate) timeline: Timeline,
    pub(crate) loading: Option<Loading>,
    /// After a load failed: not again before this moment.
    pub(crate) load_not_before_ms: u64,
    pub(crate) anchor: Anchor,
    /// While open: what was read when it was opened, if something was unread.
    pub(crate) unread_after: Option<u64>,
    /// A moment to go to with the next load.
    pub(crate) seek_ms: Option<u64>,
    pub(crate) composer: Composer,
    /// When a key last changed the composer.
    pub(crate) touched_ms: u64,
    pub(crate) writing: Writing,
    /// The message that the next command is about.
    pub(crate) picked: Option<u64>,
    /// Who writes at the moment.
    pub(crate) writers: Vec<(UserId, String)>,
    /// Whether the other one of a 1:1 is there, and when they were last seen.
    pub(crate) presence: Option<(bool, Option<u64>)>,
    pub(crate) pending: Vec<Pending>,
    /// The newest message, in one line, for the list.
    pub(crate) preview: String,
    /// Which message that is, and when it is too old to be shown.
    preview_of: Option<(u64, Option<u64>)>,
    /// Messages that came while the reader was further up.
    pub(crate) below: u64,
}

impl Room {
    /// A room for a user there is no conversation with yet.
    pub(crate) fn with_peer(peer: User) -> Self {
        Self { peer: Some(peer), ..Self::default() }
    }

    /// A room for a conversation that came from elsewhere.
    pub(crate) fn with_id(id: ConversationId, peer: Option<User>) -> Self {
        Self { id: Some(id), peer, ..Self::default() }
    }

    /// What it is called: sanitised, one line.
    pub(crate) fn title(&self) -> String {
        if self.group && !self.group_title.is_empty() {
            return self.group_title.clone();
        }
        match (&self.peer, self.id) {
            (Some(peer), _) => one_line(&peer.name),
            (None, Some(id)) => id.to_string().chars().take(8).collect(),
            (None, None) => "new".to_owned(),
        }
    }

    /// Whom its messages are for.
    pub(crate) fn to(&self) -> Option<To> {
        match (self.id, &self.peer) {
            (Some(id), _) => Some(To::Conversation(id)),
            (None, Some(peer)) => Some(To::User(peer.id)),
            (None, None) => None,
        }
    }

    /// Whether this room is, or is about to become, that conversation.
    pub(crate) fn is(&self, id: ConversationId, peer: Option<&User>) -> bool {
        match self.id {
            Some(own) => own == id,
            None => matches!((&self.peer, peer), (Some(own), Some(peer)) if own.id == peer.id),
        }
    }

    /// Takes the list's line. Cursors only move forward.
    pub(crate) fn take_line(&mut self, line: &Conversation) {
        self.id = Some(line.id);
        if line.peer.is_some() {
            self.peer.clone_from(&line.peer);
        }
        self.group = line.kind == ConversationKind::Group;
        self.group_title = one_line(&line.info.title);
        self.size = line.members;
        self.former = line.former;
        self.request = line.request;
        let cleared = line.preferences.cleared_up_to;
        if cleared > self.preferences.cleared_up_to {
            self.timeline.forget_up_to(cleared);
            if self.preview_of.is_some_and(|(seq, _)| seq <= cleared) {
                self.forget_preview();
            }
        }
        self.take_preferences(&line.preferences);
        self.mentions = line.mentions;
        self.unread = line.unread;
        self.read = self.read.max(line.read);
        // What is known to be said last says more than any entry's time.
        if self.preview_of.is_none() || line.last_seq > self.last_seq {
            self.last_time_ms = self.last_time_ms.max(line.last_time_ms);
        }
        self.last_seq = self.last_seq.max(line.last_seq);
        self.take_cursors(line.peer_delivered, line.peer_read);
    }

    /// Takes what was set on any device. A draft comes into the composer unless
    /// something else is being written here.
    fn take_preferences(&mut self, new: &Preferences) {
        let untouched = self.composer.text() == &*self.preferences.draft;
        if untouched && new.draft != self.preferences.draft && self.writing == Writing::Message {
            self.composer = Composer::with_text(&new.draft);
        }
        self.preferences = new.clone();
    }

    /// Takes who is in it.
    pub(crate) fn take_description(&mut self, description: &Description) {
        self.group = !description.is_direct();
        self.group_title = one_line(&description.info.title);
        self.size = description.members.len();
        self.former = description.former;
        let people = description.members.iter().map(|member| Person {
            id: member.user.id,
            name: member.user.name.to_string(),
            role: member.role,
        });
        self.people = people.collect();
        if description.first_after > 0 {
            self.timeline.forget_up_to(description.first_after);
        }
    }

    /// Somebody began to write, or stopped.
    pub(crate) fn take_typing(&mut self, user: &User, active: bool) {
        self.writers.retain(|(id, _)| *id != user.id);
        if active && self.writers.len() < WRITERS {
            self.writers.push((user.id, one_line(&user.name)));
        }
    }

    /// Who writes, in words; empty when nobody does.
    pub(crate) fn typing_line(&self) -> String {
        match self.writers.as_slice() {
            [] => String::new(),
            [(_, one)] => format!("{one} is writing\u{2026}"),
            [(_, one), (_, two)] => format!("{one} and {two} are writing\u{2026}"),
            more => format!("{} people are writing\u{2026}", more.len()),
        }
    }

    /// Whether it is quiet at this moment.
    pub(crate) fn is_muted(&self, now_ms: u64) -> bool {
        self.preferences.muted_until_ms > now_ms
    }

    /// The other side's cursors moved.
    pub(crate) fn take_cursors(&mut self, delivered: u64, read: u64) {
        self.peer_read = self.peer_read.max(read);
        self.peer_delivered = self.peer_delivered.max(delivered).max(self.peer_read);
    }

    /// Takes a new row. True when it is the newest one.
    pub(crate) fn take_row(&mut self, row: Row) -> bool {
        let newest = row.seq > self.last_seq || (row.seq == self.last_seq && self.below == 0);
        if row.seq >= self.last_seq {
            self.last_seq = row.seq;
            // What is done to messages moves no room.
            if !row.is_silent() {
                self.last_time_ms = self.last_time_ms.max(row.time_ms);
            }
            self.set_preview(&row);
        }
        let fresh = self.timeline.row(row.seq).is_none();
        if fresh && !row.own && row.is_message() && self.anchor != Anchor::Bottom {
            self.below += 1;
        }
        self.timeline.take_live(row);
        newest
    }

    /// Takes away what is too old to be shown by now. Returns whether the list has
    /// to look for another preview.
    pub(crate) fn expire(&mut self, now_ms: u64, pane: Option<Pane>) -> bool {
        if self.timeline.expire(now_ms) {
            let there = |seq: &u64| self.timeline.row(*seq).is_none_or(Row::is_message);
            self.picked = self.picked.filter(there);
            if let Some(pane) = pane {
                self.settle(pane);
            }
        }
        let at_ms = self.preview_of.and_then(|(_, at_ms)| at_ms);
        let gone = at_ms.is_some_and(|at_ms| at_ms <= now_ms);
        if gone {
            self.forget_preview();
        }
        gone
    }

    /// What the list says of it is gone; the newest that is loaded takes its place.
    pub(crate) fn forget_preview(&mut self) {
        (self.preview, self.preview_of) = (String::new(), None);
        let newest = self.timeline.newest_shown().filter(|_| self.timeline.at_end()).cloned();
        if let Some(row) = newest {
            self.set_preview(&row);
        }
    }

    /// These messages were hidden by the user.
    pub(crate) fn hide(&mut self, seqs: &[u64]) {
        for seq in seqs {
            self.timeline.change(*seq, Row::delete);
        }
        if self.preview_of.is_some_and(|(seq, _)| seqs.contains(&seq)) {
            self.forget_preview();
        }
    }

    pub(crate) fn set_preview(&mut self, row: &Row) {
        let text = row.quote().text;
        if row.is_silent() {
            return;
        }
        self.preview_of = Some((row.seq, row.expires_ms));
        self.preview = match row.shape {
            Shape::Silent => String::new(),
            Shape::Happening | Shape::Unknown | Shape::Damaged => text,
            _ if row.own => format!("you: {text}"),
            _ if self.group => format!("{}: {text}", row.sender),
            _ => text,
        };
    }

    /// Puts a text among the waiting sends.
    pub(crate) fn queue(&mut self, id: ClientMessageId, message: NewMessage, text: &str) {
        let text = sanitise(text).into_owned();
        let reply_to = match self.writing {
            Writing::Reply(seq) => Some(seq),
            Writing::Message | Writing::Edit(_) => None,
        };
        self.pending.push(Pending { id, message, text, reply_to, failed: None });
        self.writing = Writing::Message;
        self.picked = None;
        self.anchor = Anchor::Bottom;
        self.below = 0;
    }

    /// The server committed a waiting send: it becomes a row.
    pub(crate) fn take_sent(&mut self, id: &ClientMessageId, sent: Sent, own_name: &str) -> bool {
        let Some(at) = self.pending.iter().position(|pending| pending.id == *id) else {
            return false;
        };
        let pending = self.pending.remove(at);
        self.id = Some(sent.conversation);
        self.take_row(Row {
            seq: sent.seq,
            sender: own_name.to_owned(),
            own: true,
            time_ms: sent.time_ms,
            text: pending.text,
            shape: Shape::Message,
            marks: Marks { reply_to: pending.reply_to, ..Marks::default() },
            ..Row::default()
        });
        true
    }

    /// The server refused a waiting send for good.
    pub(crate) fn take_refusal(&mut self, id: &ClientMessageId, reason: &str) -> bool {
        let Some(pending) = self.pending.iter_mut().find(|pending| pending.id == *id) else {
            return false;
        };
        pending.failed = Some(one_line(reason));
        true
    }

    /// How far an own row is.
    pub(crate) fn tick(&self, row: &Row) -> Option<Tick> {
        row.own.then_some(if row.seq <= self.peer_read {
            Tick::Read
        } else if row.seq <= self.peer_delivered {
            Tick::Delivered
        } else {
            Tick::Sent
        })
    }

    /// The client is gone: what waited is kept for another try. The ids stay, so
    /// a message that did arrive is not doubled by it.
    pub(crate) fn disconnect(&mut self) {
        self.loading = None;
        self.writers.clear();
        self.presence = None;
        for pending in self.pending.iter_mut().filter(|pending| pending.failed.is_none()) {
            pending.failed = Some("the client was closed before the answer came".to_owned());
        }
    }

    /// The server has another store: what came from it goes, what was written stays.
    pub(crate) fn reset(&mut self) {
        let kept = std::mem::take(self);
        *self = Self {
            key: kept.key,
            id: kept.id,
            peer: kept.peer,
            group: kept.group,
            group_title: kept.group_title,
            composer: kept.composer,
            touched_ms: kept.touched_ms,
            pending: kept.pending,
            ..Self::default()
        };
    }

    /// Whether the user has something here that the server does not.
    pub(crate) fn has_unsent(&self) -> bool {
        !self.composer.is_empty() || !self.pending.is_empty()
    }

    /// Takes over what another room of the same conversation holds.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.peer = self.peer.take().or(other.peer);
        self.unread = self.unread.max(other.unread);
        self.read = self.read.max(other.read);
        self.last_seq = self.last_seq.max(other.last_seq);
        self.last_time_ms = self.last_time_ms.max(other.last_time_ms);
        self.take_cursors(other.peer_delivered, other.peer_read);
        self.pending.extend(other.pending);
        if self.composer.is_empty() {
            self.composer = other.composer;
        }
        if self.preview.is_empty() {
            (self.preview, self.preview_of) = (other.preview, other.preview_of);
        }
        // Two runs may have a hole between them; what shows is loaded again.
        self.timeline.clear();
        self.loading = None;
    }

    /// The reader left: what was unread is a thing of the past.
    pub(crate) fn close(&mut self) {
        self.unread_after = None;
        self.anchor = Anchor::Bottom;
        self.below = 0;
        self.loading = None;
        self.picked = None;
        self.shrink();
    }

    /// Keeps little of a conversation nobody looks at.
    pub(crate) fn shrink(&mut self) {
        self.timeline.shrink(CLOSED_ROWS);
    }
}

#[cfg(test)]
mod tests {
    use super::super::timeline::tests::{message, page};
    use super::*;
    use parley_client::UserId;

    #[test]
    fn a_draft_of_another_device_comes_unless_something_is_written_here() {
        let mut room = room();
        let draft = |text: &str| Preferences { draft: text.into(), ..Preferences::default() };
        room.take_preferences(&draft("there"));
        assert_eq!(room.composer.text(), "there");
        room.composer.insert(" and here", 100);
        room.take_preferences(&draft("elsewhere"));
        assert_eq!(room.composer.text(), "there and here");
    }

    #[test]
    fn who_writes_is_said_in_a_few_words() {
        let mut room = room();
        let user = |byte: u8| User { id: UserId::new([byte; 16]), name: format!("u{byte}").into() };
        for byte in 0..20 {
            room.take_typing(&user(byte), true);
        }
        assert_eq!(room.typing_line(), "8 people are writing\u{2026}");
        (1..20).for_each(|byte| room.take_typing(&user(byte), false));
        assert_eq!(room.typing_line(), "u0 is writing\u{2026}");
    }

    fn id(text: &str) -> ClientMessageId {
        ClientMessageId::new(text.to_owned().into()).unwrap()
    }

    fn sent(seq: u64) -> Sent {
        Sent { conversation: ConversationId::new([7; 16]), seq, time_ms: 5, duplicate: false }
    }

    fn room() -> Room {
        Room::with_peer(User { id: UserId::new([2; 16]), name: "bob".into() })
    }

    #[test]
    fn a_send_goes_from_waiting_to_read() {
        let mut room = room();
        assert_eq!(room.to(), Some(To::User(UserId::new([2; 16]))));
        let empty =
            parley_client::HistoryPage { entries: Vec::new(), at_start: true, ..page(1..=1, 0) };
        room.timeline.take_page(Side::Fresh, &empty);
        room.queue(id("a"), NewMessage::text("hi"), "hi");
        assert!(room.take_sent(&id("a"), sent(1), "alice"));
        assert!(room.pending.is_empty());
        let row = room.timeline.newest().unwrap().clone();
        assert_eq!((row.seq, row.text.as_str(), room.tick(&row)), (1, "hi", Some(Tick::Sent)));
        room.take_cursors(1, 0);
        assert_eq!(room.tick(&row), Some(Tick::Delivered));
        room.take_cursors(0, 1);
        assert_eq!(room.tick(&row), Some(Tick::Read));
        assert_eq!(room.to(), Some(To::Conversation(ConversationId::new([7; 16]))));
        assert_eq!(room.preview, "you: hi");
    }

    #[test]
    fn the_answer_and_the_delivery_of_one_message_make_one_row() {
        let mut room = room();
        room.timeline.take_page(Side::Fresh, &page(1..=2, 2));
        room.last_seq = 2;
        room.queue(id("a"), NewMessage::text("text"), "text");
        room.take_row(Row::from(&message(3, true, "text")));
        assert!(room.take_sent(&id("a"), sent(3), "alice"));
        assert_eq!(room.timeline.len(), 3);
    }

    #[test]
    fn a_refused_send_stays_with_its_reason() {
        let mut room = room();
        room.queue(id("a"), NewMessage::text("hi"), "hi");
        assert!(room.take_refusal(&id("a"), "too\nlong"));
        assert!(!room.take_refusal(&id("b"), "x"));
        assert_eq!(room.pending[0].failed.as_deref(), Some("too\u{21b5}long"));
    }

    #[test]
    fn messages_below_the_reader_are_counted() {
        let mut room = room();
        room.timeline.take_page(Side::Fresh, &page(1..=2, 2));
        room.anchor = Anchor::Top { seq: 1, line: 0 };
        room.take_row(Row::from(&message(3, false, "x")));
        room.take_row(Row::from(&message(3, false, "x")));
        assert_eq!(room.below, 1);
    }
}
