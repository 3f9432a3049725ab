//! What a member can put into a conversation.

use std::fmt;
use std::sync::Arc;

use parley_protocol::ids::UserId;

use super::{ConversationSettings, Mention, Mentioned, Role};

/// What becomes an entry of a conversation. All of them go through the outbox:
/// in order, once, surviving reconnects.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Says something.
    Text(NewMessage),
    /// Gives an own message another text. Only text and mentions of `message` count.
    Edit {
        /// Seq of the message.
        seq: u64,
        /// What it says from now on.
        message: NewMessage,
    },
    /// Deletes a message for all.
    Delete {
        /// Seq of the message.
        seq: u64,
        /// Its ordinal ([`super::Message::ordinal`]).
        ordinal: u64,
    },
    /// Reacts to a message, or takes it back.
    React {
        /// Seq of the message.
        seq: u64,
        /// How: 1 to 64 bytes, usually one emoji.
        emoji: String,
        /// Takes it back.
        removed: bool,
    },
    /// Pins a message, or takes the pin off.
    Pin {
        /// Seq of the message.
        seq: u64,
        /// Takes it off.
        removed: bool,
    },
    /// Makes a group; goes to [`super::To::NewGroup`].
    CreateGroup(NewGroup),
    /// Changes info or settings.
    ChangeConversation(ConversationChange),
    /// Brings people in.
    AddMembers(Vec<UserId>),
    /// Puts a member out.
    RemoveMember(UserId),
    /// Keeps somebody out, and puts them out if they are in.
    BanMember(UserId),
    /// Lets somebody come in again.
    UnbanMember(UserId),
    /// Leaves.
    Leave,
    /// Lets a member do more, or less. [`Role::Owner`] hands the group over.
    SetRole {
        /// The member.
        user: UserId,
        /// The role from now on.
        role: Role,
    },
    /// Comes in by an invite code; goes to [`super::To::Invite`].
    Join,
    /// Erases everything up to a seq for all.
    EraseHistory {
        /// The last one that goes.
        up_to: u64,
    },
}

/// A message to send. A text becomes one by `into()`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct NewMessage {
    pub(crate) text: String,
    pub(crate) reply_to: u64,
    pub(crate) mentions: Vec<Mention>,
    pub(crate) forwarded: bool,
}

impl NewMessage {
    /// Says this.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// Answers the message with this seq.
    #[must_use]
    pub fn reply_to(mut self, seq: u64) -> Self {
        self.reply_to = seq;
        self
    }

    /// These characters (Unicode scalar values) of the text name `user`.
    /// Mentions are given in order and don't overlap.
    #[must_use]
    pub fn mention(mut self, start: u32, length: u32, user: UserId) -> Self {
        self.mentions.push(Mention { start, length, who: Mentioned::User(user) });
        self
    }

    /// These characters of the text name every member.
    #[must_use]
    pub fn mention_everyone(mut self, start: u32, length: u32) -> Self {
        self.mentions.push(Mention { start, length, who: Mentioned::Everyone });
        self
    }

    /// It was written elsewhere and is passed on.
    #[must_use]
    pub fn forwarded(mut self) -> Self {
        self.forwarded = true;
        self
    }
}

impl From<&str> for NewMessage {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for NewMessage {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl From<&String> for NewMessage {
    fn from(text: &String) -> Self {
        Self::text(text.clone())
    }
}

impl From<&Arc<str>> for NewMessage {
    fn from(text: &Arc<str>) -> Self {
        Self::text(text.as_ref())
    }
}

// The text stays out of debug output, and so out of logs.
impl fmt::Debug for NewMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewMessage")
            .field("bytes", &self.text.len())
            .field("reply_to", &self.reply_to)
            .finish_non_exhaustive()
    }
}

/// A group to make. The user who makes it owns it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct NewGroup {
    /// 1 to 128 characters.
    pub title: String,
    /// At most 2,048 characters.
    pub description: String,
    /// Where its picture is, at most 512 bytes.
    pub picture: String,
    /// How it works.
    pub settings: ConversationSettings,
    /// Who is in it from the start, besides the owner.
    pub members: Vec<UserId>,
}

impl NewGroup {
    /// A group with this title.
    pub fn titled(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    /// With this member from the start.
    #[must_use]
    pub fn member(mut self, user: UserId) -> Self {
        self.members.push(user);
        self
    }
}

impl fmt::Debug for NewGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewGroup").field("members", &self.members.len()).finish_non_exhaustive()
    }
}

/// What to change in a conversation; what is `None` stays.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ConversationChange {
    /// 1 to 128 characters.
    pub title: Option<String>,
    /// At most 2,048 characters.
    pub description: Option<String>,
    /// At most 512 bytes.
    pub picture: Option<String>,
    /// How it works, whole. Admins only.
    pub settings: Option<ConversationSettings>,
}

impl fmt::Debug for ConversationChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConversationChange")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
