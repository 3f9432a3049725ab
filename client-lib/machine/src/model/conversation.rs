//! Conversations: what they are, who is in them, what this user set for them.

use std::fmt;
use std::sync::Arc;

use parley_protocol::ids::{ConversationId, UserId};

use super::{Entry, Message, User};

/// What sort of conversation it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConversationKind {
    /// Two users, or one with themselves.
    Direct,
    /// Any number of users.
    Group,
}

/// What a member may do; the later may do more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// What the settings let members do.
    Member,
    /// Adds and removes members, changes info and settings.
    Admin,
    /// One a group: also makes admins, hands the group over, erases.
    Owner,
}

/// Who may do something in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Who {
    /// Every member.
    Members,
    /// Admins and the owner.
    Admins,
}

/// What a group is called.
#[derive(Clone, PartialEq, Eq)]
pub struct Info {
    /// Its title; empty in a 1:1.
    pub title: Arc<str>,
    /// What it is about.
    pub description: Arc<str>,
    /// Where its picture is.
    pub picture: Arc<str>,
}

impl Default for Info {
    fn default() -> Self {
        Self { title: "".into(), description: "".into(), picture: "".into() }
    }
}

impl fmt::Debug for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Info").field("title_bytes", &self.title.len()).finish_non_exhaustive()
    }
}

/// How a conversation works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConversationSettings {
    /// Who sends messages and reactions.
    pub send: Who,
    /// Who adds people and makes invite links.
    pub add: Who,
    /// Who changes title, description and picture, and pins.
    pub edit_info: Who,
    /// Newcomers see everything instead of what follows their joining.
    pub history_for_newcomers: bool,
    /// Seconds after which entries are erased; 0 keeps them for ever.
    pub retention_s: u64,
}

impl Default for ConversationSettings {
    fn default() -> Self {
        Self {
            send: Who::Members,
            add: Who::Admins,
            edit_info: Who::Admins,
            history_for_newcomers: false,
            retention_s: 0,
        }
    }
}

/// One line of the conversation list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// Its id.
    pub id: ConversationId,
    /// What it is; a 1:1 until known.
    pub kind: ConversationKind,
    /// The other user of a 1:1 (or the user itself, in a conversation with
    /// oneself); `None` until known, and in groups.
    pub peer: Option<User>,
    /// What a group is called; empty otherwise.
    pub info: Info,
    /// How many are in it, as far as known.
    pub members: usize,
    /// What this user may do in it; `None` when unknown or no longer a member.
    pub role: Option<Role>,
    /// The user is no longer a member: it can be read, nothing more.
    pub former: bool,
    /// The highest seq known to exist.
    pub last_seq: u64,
    /// Messages this user has not read.
    pub unread: u64,
    /// Those of them that mention the user.
    pub mentions: u64,
    /// Up to where this user has read, on any device.
    pub read: u64,
    /// Up to where a device of somebody else has everything.
    pub peer_delivered: u64,
    /// Up to where somebody else has read.
    pub peer_read: u64,
    /// Time of the last entry, Unix milliseconds; 0 when unknown.
    pub last_time_ms: u64,
    /// What the user set for it.
    pub preferences: Preferences,
    /// A stranger began it and the user has not taken it up.
    pub request: bool,
}

/// One member of a conversation, with cursors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The user who is a member.
    pub user: User,
    /// What they may do; in a 1:1 [`Role::Member`].
    pub role: Role,
    /// Seq of the entry that brought them in.
    pub joined_seq: u64,
    /// Up to where one of the member's devices has everything.
    pub delivered: u64,
    /// Up to where the member has read.
    pub read: u64,
    /// When `delivered` last moved, Unix milliseconds; 0 for never.
    pub delivered_ms: u64,
    /// When `read` last moved, Unix milliseconds; 0 for never.
    pub read_ms: u64,
}

/// What a conversation is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Its id.
    pub conversation: ConversationId,
    /// What sort.
    pub kind: ConversationKind,
    /// Its members; for a former member, those who were in when they left.
    pub members: Vec<Member>,
    /// Its highest seq.
    pub last_seq: u64,
    /// What a group is called.
    pub info: Info,
    /// How it works.
    pub settings: ConversationSettings,
    /// Seqs of the pinned messages, ascending.
    pub pinned: Vec<u64>,
    /// Entries up to here are not there for this user.
    pub first_after: u64,
    /// The user is no longer a member.
    pub former: bool,
    /// When it came to be, Unix milliseconds.
    pub created_ms: u64,
}

impl Description {
    /// Whether it is 1:1 (with somebody, or with oneself).
    #[must_use]
    pub const fn is_direct(&self) -> bool {
        matches!(self.kind, ConversationKind::Direct)
    }

    /// The member with this id.
    #[must_use]
    pub fn member(&self, user: UserId) -> Option<&Member> {
        self.members.iter().find(|member| member.user.id == user)
    }
}

/// Which part of a conversation to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Range {
    /// Entries above this seq, oldest first; `After(0)` is the beginning.
    After(u64),
    /// The newest entries below this seq, in order.
    Before(u64),
    /// Entries on both sides of this seq, in order.
    Around(u64),
    /// The newest entries, in order.
    Latest,
    /// Entries on both sides of the first one at or after this moment (Unix
    /// milliseconds), in order.
    AroundTime(u64),
    /// The newest messages below this seq that mention the user, in order and
    /// with gaps; `u64::MAX` for the newest of all.
    MentionsBefore(u64),
    /// All pinned messages, in order and with gaps.
    Pinned,
    /// The edits of the message with this seq, in order and with gaps.
    EditsOf(u64),
}

/// A part of a conversation, in order of seq. Messages in it are as they are
/// now: with their newest text, reactions and pins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryPage {
    /// The entries.
    pub entries: Vec<Entry>,
    /// The messages that messages in `entries` answer, as far as they lie
    /// elsewhere, by seq.
    pub quoted: Vec<Message>,
    /// Nothing older exists for this reader than the first entry.
    pub at_start: bool,
    /// Nothing newer existed than the last entry.
    pub at_end: bool,
    /// The highest seq of the conversation when this was read.
    pub last_seq: u64,
    /// Some reactions are missing, because there were too many.
    pub reactions_cut: bool,
    /// Whether it came from the local store, because the server was out of reach.
    pub from_cache: bool,
}

/// Somebody's cursors moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The conversation the cursors are in.
    pub conversation: ConversationId,
    /// The member whose cursors they are.
    pub user: UserId,
    /// Up to where one of the user's devices has everything.
    pub delivered: u64,
    /// Up to where the user has read.
    pub read: u64,
    /// When, Unix milliseconds.
    pub time_ms: u64,
}

/// When a member got and read one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberReceipt {
    /// The member it is about.
    pub user: User,
    /// When a device of theirs had it, Unix milliseconds.
    pub delivered_ms: Option<u64>,
    /// When they read it, Unix milliseconds.
    pub read_ms: Option<u64>,
}

/// How far a conversation lets notifications through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum NotifyLevel {
    /// Everything.
    #[default]
    All,
    /// Only mentions.
    Mentions,
    /// Nothing.
    None,
}

/// What the user set for a conversation, the same on all their devices.
#[derive(Clone, PartialEq, Eq)]
pub struct Preferences {
    /// Quiet until this moment, Unix milliseconds; `u64::MAX` for ever, 0 not muted.
    pub muted_until_ms: u64,
    /// Put away.
    pub archived: bool,
    /// Kept at the top.
    pub pinned: bool,
    /// To be looked at again.
    pub marked_unread: bool,
    /// How far notifications come through.
    pub level: NotifyLevel,
    /// A message not sent yet; empty for none.
    pub draft: Arc<str>,
    /// What the draft answers.
    pub draft_reply_to: Option<u64>,
    /// The user cleared everything up to this seq for themselves.
    pub cleared_up_to: u64,
    /// The user took up a conversation that a stranger began.
    pub accepted: bool,
}

impl Default for Preferences {
    fn default() -> Self {
        Self {
            muted_until_ms: 0,
            archived: false,
            pinned: false,
            marked_unread: false,
            level: NotifyLevel::All,
            draft: "".into(),
            draft_reply_to: None,
            cleared_up_to: 0,
            accepted: false,
        }
    }
}

// The draft stays out of debug output, and so out of logs.
impl fmt::Debug for Preferences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Preferences")
            .field("muted_until_ms", &self.muted_until_ms)
            .field("archived", &self.archived)
            .field("pinned", &self.pinned)
            .field("marked_unread", &self.marked_unread)
            .field("level", &self.level)
            .field("cleared_up_to", &self.cleared_up_to)
            .field("accepted", &self.accepted)
            .finish_non_exhaustive()
    }
}

/// What to set for a conversation; what is `None` stays.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct PreferencesChange {
    /// As [`Preferences::muted_until_ms`].
    pub muted_until_ms: Option<u64>,
    /// As [`Preferences::archived`].
    pub archived: Option<bool>,
    /// As [`Preferences::pinned`].
    pub pinned: Option<bool>,
    /// As [`Preferences::marked_unread`].
    pub marked_unread: Option<bool>,
    /// As [`Preferences::level`].
    pub level: Option<NotifyLevel>,
    /// As [`Preferences::draft`], at most 4,096 characters; empty takes it away.
    pub draft: Option<String>,
    /// As [`Preferences::draft_reply_to`]; 0 takes it away.
    pub draft_reply_to: Option<u64>,
    /// As [`Preferences::cleared_up_to`]; only grows.
    pub cleared_up_to: Option<u64>,
    /// Takes up what a stranger began.
    pub accept: bool,
}

impl fmt::Debug for PreferencesChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreferencesChange").finish_non_exhaustive()
    }
}

/// Names an invite link; not the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct InviteId(pub [u8; 8]);

impl fmt::Display for InviteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base16ct::lower::encode_string(&self.0))
    }
}

impl std::str::FromStr for InviteId {
    type Err = crate::Error;

    fn from_str(text: &str) -> Result<Self, crate::Error> {
        crate::hex::decode(text).map(Self).ok_or_else(|| {
            let text = "an invite's id is written as 16 hex digits";
            crate::Error::new(crate::ErrorKind::InvalidArgument, text)
        })
    }
}

/// An invite link that works.
#[derive(Clone, PartialEq, Eq)]
pub struct Invite {
    /// Its name.
    pub id: InviteId,
    /// What is given to others; whoever has it can join.
    pub code: String,
    /// Who made it.
    pub created_by: UserId,
    /// When, Unix milliseconds.
    pub created_ms: u64,
    /// When it ends, Unix milliseconds.
    pub expires_ms: Option<u64>,
    /// How often it can be used.
    pub max_uses: Option<u32>,
    /// How often it was used.
    pub uses: u32,
}

// Anybody who has the code can join.
impl fmt::Debug for Invite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invite")
            .field("id", &self.id)
            .field("uses", &self.uses)
            .finish_non_exhaustive()
    }
}

/// What an invite link leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvitePreview {
    /// The group.
    pub conversation: ConversationId,
    /// What it is called.
    pub info: Info,
    /// How many are in it.
    pub members: u32,
    /// The user is in it already.
    pub joined: bool,
}
