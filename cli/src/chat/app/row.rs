//! One entry as it is drawn: a message with what became of it, a happening, or
//! nothing at all.
//!
//! Edits, deletions and reactions are entries too. They change the row of the
//! message they are about and are themselves rows without lines, because a
//! timeline is a run of entries without holes. All strings are sanitised here.

use parley_client::machine::history::same_emoji;
use parley_client::{
    Change, DamagedEntry, Entry, Message, Reaction, UnknownEntry, User, UserId, What,
};

use crate::chat::act::Words as _;
use crate::chat::text::{one_line, sanitise};

/// Characters of a message that a quote shows.
const QUOTE_CHARS: usize = 80;

/// What a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Shape {
    #[default]
    Message,
    /// A message that was deleted.
    Deleted,
    /// Something that happened to the conversation.
    Happening,
    /// Takes up a seq and no line.
    Silent,
    /// An entry of a kind this build can't show.
    Unknown,
    /// An entry that the server can't read any more. It has no time.
    Damaged,
}

/// One entry as it is drawn.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct Row {
    pub(crate) seq: u64,
    pub(crate) sender: String,
    pub(crate) own: bool,
    pub(crate) time_ms: u64,
    pub(crate) text: String,
    pub(crate) shape: Shape,
    pub(crate) marks: Marks,
    /// When a message is too old to be shown.
    pub(crate) expires_ms: Option<u64>,
    /// What was written, where it can't be drawn so.
    pub(crate) written: Option<String>,
}

/// What stands beside the text of a message.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct Marks {
    pub(crate) reply_to: Option<u64>,
    pub(crate) forwarded: bool,
    pub(crate) edited: bool,
    pub(crate) pinned: bool,
    /// The text names this user, or everyone.
    pub(crate) names_me: bool,
    pub(crate) reactions: Vec<Reacted>,
}

/// One reaction and who gave it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Reacted {
    pub(crate) emoji: String,
    pub(crate) users: Vec<UserId>,
}

/// What a reply shows of the message it answers.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Quote {
    pub(crate) author: String,
    pub(crate) text: String,
    pub(crate) expires_ms: Option<u64>,
}

// What people write stays out of debug output.
impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { seq, own, shape, .. } = self;
        f.debug_struct("Row")
            .field("seq", seq)
            .field("own", own)
            .field("shape", shape)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Quote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Quote").finish_non_exhaustive()
    }
}

impl From<&Message> for Row {
    fn from(message: &Message) -> Self {
        let reacted = |group: &parley_client::ReactionGroup| Reacted {
            emoji: one_line(&group.emoji),
            users: group.users.iter().map(|user| user.id).collect(),
        };
        Self {
            seq: message.seq,
            sender: one_line(&message.sender.name),
            own: message.own,
            time_ms: message.time_ms,
            text: if message.deleted {
                String::new()
            } else {
                sanitise(&message.text).into_owned()
            },
            shape: if message.deleted { Shape::Deleted } else { Shape::Message },
            marks: Marks {
                reply_to: message.reply_to,
                forwarded: message.forwarded,
                edited: message.edited.is_some(),
                pinned: message.pinned,
                names_me: message.mentions_me && !message.own,
                reactions: message.reactions.iter().map(reacted).collect(),
            },
            expires_ms: message.expires_ms,
            written: written(&message.text),
        }
    }
}

impl From<&Change> for Row {
    fn from(change: &Change) -> Self {
        Self {
            seq: change.origin.seq,
            sender: one_line(&change.origin.sender.name),
            own: change.origin.own,
            time_ms: change.origin.time_ms,
            text: one_line(&happening(change)),
            shape: Shape::Happening,
            marks: Marks::default(),
            expires_ms: None,
            written: None,
        }
    }
}

impl From<&UnknownEntry> for Row {
    fn from(entry: &UnknownEntry) -> Self {
        Self {
            seq: entry.seq,
            sender: one_line(&entry.sender.name),
            time_ms: entry.time_ms,
            text: UnknownEntry::FALLBACK.to_owned(),
            shape: Shape::Unknown,
            ..Self::default()
        }
    }
}

impl From<&DamagedEntry> for Row {
    fn from(entry: &DamagedEntry) -> Self {
        let text = DamagedEntry::FALLBACK.to_owned();
        Self { seq: entry.seq, text, shape: Shape::Damaged, ..Self::default() }
    }
}

/// What was written, unless it is drawn as it is.
fn written(text: &str) -> Option<String> {
    matches!(sanitise(text), std::borrow::Cow::Owned(_)).then(|| text.to_owned())
}

impl Row {
    /// The row of a history entry.
    pub(crate) fn of_entry(entry: &Entry) -> Self {
        match entry {
            Entry::Message(message) => Self::from(message),
            Entry::Change(change) => Self::from(change),
            Entry::Unknown(entry) => Self::from(entry),
            Entry::Damaged(entry) => Self::from(entry),
            other => Self::silent(other.seq(), 0, false),
        }
    }

    /// An entry that shows only in another row.
    pub(crate) fn silent(seq: u64, time_ms: u64, own: bool) -> Self {
        Self { seq, time_ms, own, shape: Shape::Silent, ..Self::default() }
    }

    pub(crate) fn is_silent(&self) -> bool {
        self.shape == Shape::Silent
    }

    /// Whether something can be done to it: answered, reacted to, pinned.
    pub(crate) fn is_message(&self) -> bool {
        self.shape == Shape::Message
    }

    pub(crate) fn quote(&self) -> Quote {
        let text = match self.shape {
            Shape::Deleted => "deleted".to_owned(),
            _ => one_line(&self.text.chars().take(QUOTE_CHARS).collect::<String>()),
        };
        Quote { author: self.sender.clone(), text, expires_ms: self.expires_ms }
    }

    pub(crate) fn edit(&mut self, text: &str) {
        if self.is_message() {
            self.text = sanitise(text).into_owned();
            self.written = written(text);
            self.marks.edited = true;
        }
    }

    /// What was written, as an edit begins with it.
    pub(crate) fn written(&self) -> &str {
        self.written.as_deref().unwrap_or(&self.text)
    }

    /// Whether it is too old to be shown.
    pub(crate) fn is_expired(&self, now_ms: u64) -> bool {
        self.expires_ms.is_some_and(|at_ms| at_ms <= now_ms)
    }

    /// Takes away all that was said; its place stays.
    pub(crate) fn expire(&mut self) {
        *self = Self::silent(self.seq, self.time_ms, self.own);
    }

    pub(crate) fn delete(&mut self) {
        if self.is_message() {
            self.shape = Shape::Deleted;
            self.text = String::new();
            self.written = None;
            self.marks = Marks::default();
        }
    }

    pub(crate) fn react(&mut self, reaction: &Reaction) {
        if !self.is_message() {
            return;
        }
        let emoji = one_line(&reaction.emoji);
        let user = reaction.origin.sender.id;
        let reactions = &mut self.marks.reactions;
        let known = reactions.iter_mut().find(|known| same_emoji(&known.emoji, &emoji));
        match (known, reaction.removed) {
            (Some(known), true) => known.users.retain(|other| *other != user),
            (Some(known), false) if !known.users.contains(&user) => known.users.push(user),
            (None, false) => reactions.push(Reacted { emoji, users: vec![user] }),
            (Some(_), false) | (None, true) => {}
        }
        reactions.retain(|known| !known.users.is_empty());
    }

    /// The reactions and the pin in one line; empty without any.
    pub(crate) fn footer(&self) -> String {
        let pinned = self.marks.pinned.then(|| "pinned".to_owned());
        let reactions = self.marks.reactions.iter().map(|reaction| match reaction.users.len() {
            1 => reaction.emoji.clone(),
            count => format!("{} {count}", reaction.emoji),
        });
        pinned.into_iter().chain(reactions).collect::<Vec<_>>().join("  ")
    }
}

/// What happened, in words.
fn happening(change: &Change) -> String {
    let by = &change.origin.sender.name;
    let names = |users: &[User]| -> String {
        let names: Vec<&str> = users.iter().take(10).map(|user| &*user.name).collect();
        let more = users.len().saturating_sub(names.len());
        let names = names.join(", ");
        if more > 0 { format!("{names} and {more} more") } else { names }
    };
    match &change.what {
        What::Created { info, members, .. } if members.is_empty() => {
            format!("{by} made the group {}", info.title)
        }
        What::Created { info, members, .. } => {
            format!("{by} made the group {} with {}", info.title, names(members))
        }
        What::Changed { title: Some(title), .. } => format!("{by} named the group {title}"),
        What::Changed { description: Some(_), .. } => format!("{by} changed the description"),
        What::Changed { picture: Some(_), .. } => format!("{by} changed the picture"),
        What::Changed { .. } => format!("{by} changed the settings"),
        What::Added(users) => format!("{by} added {}", names(users)),
        What::Removed { user, ban: false } => format!("{by} removed {}", user.name),
        What::Removed { user, ban: true } => format!("{by} banned {}", user.name),
        What::Unbanned(user) => format!("{by} unbanned {}", user.name),
        What::Left => format!("{by} left"),
        What::Joined => format!("{by} joined by a link"),
        What::Role { user, role } => format!("{by} made {} {}", user.name, role.word()),
        What::Erased { .. } => format!("{by} erased the history"),
        _ => UnknownEntry::FALLBACK.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::timeline::tests::message;
    use super::*;
    use parley_client::{ConversationId, Origin};

    fn origin(byte: u8) -> Origin {
        let sender = User { id: UserId::new([byte; 16]), name: "ben\n".into() };
        let conversation = ConversationId::new([7; 16]);
        Origin { conversation, seq: 4, sender, time_ms: 1, own: false }
    }

    fn reaction(byte: u8, removed: bool) -> Reaction {
        Reaction { origin: origin(byte), target: 1, emoji: "👍".into(), removed }
    }

    #[test]
    fn reactions_are_counted_and_taken_back() {
        let mut row = Row::from(&message(1, false, "hi"));
        row.react(&reaction(1, false));
        row.react(&reaction(1, false));
        assert_eq!(row.footer(), "👍");
        row.react(&reaction(2, false));
        row.marks.pinned = true;
        assert_eq!(row.footer(), "pinned  👍 2");
        row.react(&reaction(1, true));
        row.react(&reaction(2, true));
        assert_eq!(row.footer(), "pinned");
    }

    #[test]
    fn a_deleted_message_keeps_nothing() {
        let mut row = Row::from(&message(1, false, "secret"));
        row.react(&reaction(1, false));
        row.delete();
        row.edit("again");
        row.react(&reaction(1, false));
        assert_eq!((row.text.as_str(), row.footer().as_str()), ("", ""));
        assert_eq!(row.quote().text, "deleted");
        let gone = Message { deleted: true, ..message(1, false, "secret") };
        assert_eq!((Row::from(&gone).text.as_str(), Row::from(&gone).shape), ("", Shape::Deleted));
    }

    #[test]
    fn happenings_are_one_line_in_words() {
        let said = |what| Row::from(&Change { origin: origin(2), what }).text;
        assert_eq!(said(What::Left), "ben\u{21b5} left");
        let many: Vec<User> = (0..12).map(|_| origin(3).sender).collect();
        assert!(said(What::Added(many)).ends_with("and 2 more"));
        let removed = |ban| said(What::Removed { user: origin(3).sender, ban });
        assert_eq!(removed(false), "ben\u{21b5} removed ben\u{21b5}");
        assert_eq!(removed(true), "ben\u{21b5} banned ben\u{21b5}");
        let again = said(What::Unbanned(origin(3).sender));
        assert_eq!(again, "ben\u{21b5} unbanned ben\u{21b5}");
    }

    #[test]
    fn texts_stay_out_of_debug_output() {
        let row = Row::from(&message(1, false, "secret"));
        assert!(!format!("{row:?}").contains("secret"));
    }
}
