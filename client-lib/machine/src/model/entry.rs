//! What a conversation's log holds: messages, and what is done to them and to
//! the conversation.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use parley_protocol::ids::{ConversationId, UserId};

use super::{ConversationSettings, Info, Role, User};

/// One message.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Where it is.
    pub conversation: ConversationId,
    /// Its position there.
    pub seq: u64,
    /// Messages up to and including this one.
    pub ordinal: u64,
    /// Who wrote it.
    pub sender: User,
    /// What it says; in a history page, what it says now. Empty when deleted.
    pub text: Arc<str>,
    /// The server's clock, Unix milliseconds.
    pub time_ms: u64,
    /// Whether this user wrote it, on this or another device.
    pub own: bool,
    /// Seq of the message it answers.
    pub reply_to: Option<u64>,
    /// Whom the text names, in order.
    pub mentions: Vec<Mention>,
    /// Whether it names this user, or everyone.
    pub mentions_me: bool,
    /// It was written elsewhere and passed on.
    pub forwarded: bool,
    /// The newest edit, when the author gave it another text. In history pages.
    pub edited: Option<Edited>,
    /// Deleted for all, erased, or hidden by this user.
    pub deleted: bool,
    /// Whether it is pinned. In history pages.
    pub pinned: bool,
    /// Who reacts to it how, the oldest reaction first. In history pages.
    pub reactions: Vec<ReactionGroup>,
    /// From this moment of the device's clock on it is too old to be shown.
    pub expires_ms: Option<u64>,
}

impl Message {
    /// A message that only says something: for tests and placeholders.
    #[must_use]
    pub fn plain(
        conversation: ConversationId,
        seq: u64,
        sender: User,
        text: impl Into<Arc<str>>,
        time_ms: u64,
        own: bool,
    ) -> Self {
        Self {
            conversation,
            seq,
            ordinal: seq,
            sender,
            text: text.into(),
            time_ms,
            own,
            reply_to: None,
            mentions: Vec::new(),
            mentions_me: false,
            forwarded: false,
            edited: None,
            deleted: false,
            pinned: false,
            reactions: Vec::new(),
            expires_ms: None,
        }
    }
}

// The text stays out of debug output, and so out of logs.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("conversation", &self.conversation)
            .field("seq", &self.seq)
            .field("sender", &self.sender.id)
            .field("own", &self.own)
            .finish_non_exhaustive()
    }
}

/// A part of a text that names somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mention {
    /// Where it begins, in characters (Unicode scalar values) of the text.
    pub start: u32,
    /// How long it is, in characters.
    pub length: u32,
    /// Whom it names.
    pub who: Mentioned,
}

/// Whom a mention names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mentioned {
    /// One user.
    User(UserId),
    /// Every member.
    Everyone,
}

/// When a message got the text it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edited {
    /// Seq of the edit.
    pub seq: u64,
    /// The server's clock, Unix milliseconds.
    pub time_ms: u64,
}

/// All who react to a message in the same way.
#[derive(Clone, PartialEq, Eq)]
pub struct ReactionGroup {
    /// How, usually one emoji.
    pub emoji: Arc<str>,
    /// Who, the first one first.
    pub users: Vec<User>,
}

impl fmt::Debug for ReactionGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReactionGroup").field("users", &self.users).finish_non_exhaustive()
    }
}

/// Where an entry is and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Its conversation.
    pub conversation: ConversationId,
    /// Its position there.
    pub seq: u64,
    /// Who did it.
    pub sender: User,
    /// The server's clock, Unix milliseconds.
    pub time_ms: u64,
    /// Whether this user did it, on this or another device.
    pub own: bool,
}

/// The author gave a message another text.
#[derive(Clone, PartialEq, Eq)]
pub struct Edit {
    /// Where it is and whose it is.
    pub origin: Origin,
    /// Seq of the message.
    pub target: u64,
    /// What the message says from then on.
    pub text: Arc<str>,
    /// Whom the text names; they are not told again.
    pub mentions: Vec<Mention>,
}

impl fmt::Debug for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Edit")
            .field("origin", &self.origin)
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}

/// A message was deleted for all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletion {
    /// Where it is and whose it is.
    pub origin: Origin,
    /// Seq of the message.
    pub target: u64,
    /// The message's ordinal.
    pub target_ordinal: u64,
}

/// Somebody reacted to a message, or took it back.
#[derive(Clone, PartialEq, Eq)]
pub struct Reaction {
    /// Where it is and whose it is.
    pub origin: Origin,
    /// Seq of the message.
    pub target: u64,
    /// How, usually one emoji.
    pub emoji: Arc<str>,
    /// It was taken back.
    pub removed: bool,
}

impl fmt::Debug for Reaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reaction")
            .field("origin", &self.origin)
            .field("target", &self.target)
            .field("removed", &self.removed)
            .finish_non_exhaustive()
    }
}

/// A message was pinned, or its pin taken off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// Where it is and whose it is.
    pub origin: Origin,
    /// Seq of the message.
    pub target: u64,
    /// The pin was taken off.
    pub removed: bool,
}

/// Who is in the conversation, or how it works, changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Where it is and who did it.
    pub origin: Origin,
    /// What.
    pub what: What,
}

/// What changed in a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// The group began; who did it is its owner.
    Created {
        /// What it was called.
        info: Info,
        /// How it worked.
        settings: ConversationSettings,
        /// Who was in it from the start, besides its owner.
        members: Vec<User>,
    },
    /// Info or settings; what is `None` stayed.
    Changed {
        /// The title.
        title: Option<Arc<str>>,
        /// The description.
        description: Option<Arc<str>>,
        /// The reference to the picture.
        picture: Option<Arc<str>>,
        /// How it works.
        settings: Option<ConversationSettings>,
    },
    /// These came in.
    Added(Vec<User>),
    /// A member was put out.
    Removed {
        /// Who it was.
        user: User,
        /// And is kept out; then they need not have been in.
        ban: bool,
    },
    /// This user may come in again.
    Unbanned(User),
    /// The sender left.
    Left,
    /// A member may do more, or less. A new owner makes an admin of who did it.
    Role {
        /// The member.
        user: User,
        /// The role from now on.
        role: Role,
    },
    /// The sender came by an invite link.
    Joined,
    /// Nobody sees entries up to this seq any more.
    Erased {
        /// The last one that is gone.
        up_to: u64,
    },
}

/// An entry, other than a message, whose content is gone: an edit of a deleted
/// message, or what was erased by its age.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erased {
    /// Where it is and whose it was.
    pub origin: Origin,
    /// What it was: a number of `EntryKind`.
    pub kind: u32,
}

/// An entry of a kind this build doesn't know, or whose body it can't read.
#[derive(Clone, PartialEq, Eq)]
pub struct UnknownEntry {
    /// Where it is.
    pub conversation: ConversationId,
    /// Its position there.
    pub seq: u64,
    /// Who wrote it.
    pub sender: User,
    /// What the body holds: a number of a newer `EntryKind`.
    pub kind: u32,
    /// The body as it came.
    pub body: Bytes,
    /// The server's clock, Unix milliseconds.
    pub time_ms: u64,
}

impl UnknownEntry {
    /// What to show in its place.
    pub const FALLBACK: &str = "This needs a newer version of the app.";
}

impl fmt::Debug for UnknownEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnknownEntry")
            .field("conversation", &self.conversation)
            .field("seq", &self.seq)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// An entry that the server can't read any more: its disk damaged or lost it. Only
/// its place is known. It may come back, when the operator brings it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DamagedEntry {
    /// Where it is.
    pub conversation: ConversationId,
    /// Its position there.
    pub seq: u64,
}

impl DamagedEntry {
    /// What to show in its place.
    pub const FALLBACK: &str = "[this message can't be read: the server's disk lost it]";
}

/// One entry of a history page.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Entry {
    /// A message.
    Message(Message),
    /// A message got another text.
    Edit(Edit),
    /// A message was deleted.
    Deletion(Deletion),
    /// A reaction.
    Reaction(Reaction),
    /// A pin.
    Pin(Pin),
    /// Who is in it or how it works.
    Change(Change),
    /// Something whose content is gone.
    Erased(Erased),
    /// Something that the server can't read any more.
    Damaged(DamagedEntry),
    /// Something newer than this build.
    Unknown(UnknownEntry),
}

impl Entry {
    /// The entry's position in its conversation.
    #[must_use]
    pub fn seq(&self) -> u64 {
        match self {
            Self::Message(message) => message.seq,
            Self::Unknown(entry) => entry.seq,
            Self::Damaged(entry) => entry.seq,
            other => other.origin().map_or(0, |origin| origin.seq),
        }
    }

    /// The message, unless it is something else.
    #[must_use]
    pub fn message(&self) -> Option<&Message> {
        match self {
            Self::Message(message) => Some(message),
            _ => None,
        }
    }

    /// Where it is and whose, of everything but messages, damaged and unknown entries.
    fn origin(&self) -> Option<&Origin> {
        match self {
            Self::Edit(edit) => Some(&edit.origin),
            Self::Deletion(deletion) => Some(&deletion.origin),
            Self::Reaction(reaction) => Some(&reaction.origin),
            Self::Pin(pin) => Some(&pin.origin),
            Self::Change(change) => Some(&change.origin),
            Self::Erased(erased) => Some(&erased.origin),
            Self::Message(_) | Self::Damaged(_) | Self::Unknown(_) => None,
        }
    }
}
