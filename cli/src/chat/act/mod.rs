//! What a user can want of the client beyond looking: one [`Act`] for each wish.
//!
//! Scripts write acts as JSON lines, people as slash commands; `perform` carries
//! both out through the SDK and returns an outcome, which becomes a line of output
//! or something to read on the screen. Users are named by their names here.
//! Acts hold texts and passwords, so they have no debug output but in tests.

mod named;
pub(crate) mod perform;
mod words;

use parley_client::{
    AccountSettingsChange, ConversationId, PreferencesChange, ProfileChange, Role, Who,
};
use secrecy::SecretString;

pub(crate) use self::named::{is_named, name_at};
pub(crate) use self::words::Words;

/// What is to be done.
#[cfg_attr(test, derive(Debug, PartialEq, Eq))]
pub(crate) enum Act {
    Send {
        to: Target,
        text: String,
        extras: SendExtras,
    },
    Edit {
        of: Target,
        seq: u64,
        text: String,
        mentions: Vec<MentionSpan>,
    },
    DeleteForAll {
        of: Target,
        seq: u64,
    },
    DeleteForMe {
        of: Target,
        seqs: Vec<u64>,
    },
    React {
        of: Target,
        seq: u64,
        emoji: String,
        remove: bool,
    },
    Pin {
        of: Target,
        seq: u64,
        remove: bool,
    },
    NewGroup {
        title: String,
        description: String,
        picture: String,
        members: Vec<String>,
        settings: SettingsChange,
    },
    /// Comes in by an invite link.
    Join {
        code: String,
    },
    /// Asks what an invite link leads to.
    Peek {
        code: String,
    },
    /// Something of one group.
    Group {
        conversation: ConversationId,
        act: GroupAct,
    },
    History(History),
    Receipts {
        of: Target,
        seq: u64,
    },
    Read {
        of: Target,
        up_to: u64,
    },
    Delivered {
        of: Target,
        up_to: u64,
    },
    Typing {
        of: Target,
        stopped: bool,
    },
    Presence(PresenceAct),
    Conversations,
    Preferences {
        of: Target,
        change: Box<PreferencesChange>,
    },
    /// Somebody's profile; the user's own for `None`.
    Profile {
        user: Option<String>,
    },
    ChangeProfile(ProfileChange),
    Contact {
        user: String,
        remove: bool,
    },
    Contacts,
    Block {
        user: String,
        remove: bool,
    },
    Blocked,
    /// Something to tell the operators.
    Report {
        user: String,
        conversation: Option<ConversationId>,
        seqs: Vec<u64>,
        reason: String,
    },
    /// Changes what is given; with nothing given it only shows them.
    Settings(AccountSettingsChange),
    Devices,
    /// A device's id, as it was given.
    LogOut {
        device: String,
    },
    LogOutOthers,
    Password {
        old: Password,
        new: Password,
    },
    /// Writes everything to this file, or to the output line by line.
    Export {
        file: Option<String>,
    },
    DeleteAccount {
        password: Password,
    },
    /// Finish what is queued, then exit.
    Quit,
}

#[cfg(not(test))]
impl std::fmt::Debug for Act {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Act(..)")
    }
}

/// Which conversation.
#[cfg_attr(test, derive(Debug, PartialEq, Eq))]
#[derive(Clone)]
pub(crate) enum Target {
    /// The 1:1 conversation with the user of this name.
    User(String),
    Conversation(ConversationId),
}

/// What a message may carry beside its text.
#[cfg_attr(test, derive(Debug, PartialEq, Eq))]
#[derive(Clone, Default)]
pub(crate) struct SendExtras {
    /// Seq of the message it answers; 0 for none.
    pub(crate) reply_to: u64,
    pub(crate) mentions: Vec<MentionSpan>,
    pub(crate) forwarded: bool,
}

/// A part of a text that names somebody.
#[cfg_attr(test, derive(Debug, PartialEq, Eq))]
#[derive(Clone)]
pub(crate) struct MentionSpan {
    pub(crate) who: MentionOf,
    /// Start and length in characters; `None`: where the text says `@name`.
    pub(crate) at: Option<(u32, u32)>,
}

/// Who is named.
#[cfg_attr(test, derive(Debug, PartialEq, Eq))]
#[derive(Clone)]
pub(crate) enum MentionOf {
    User(String),
    Everyone,
}

/// What to do with one group.
#[cfg_attr(test, derive(Debug, PartialEq, Eq))]
pub(crate) enum GroupAct {
    Add {
        users: Vec<String>,
    },
    /// One entry for each.
    Remove {
        users: Vec<String>,
    },
    /// Keeps them out, also who is not in. One entry for each.
    Ban {
        users: Vec<String>,
    },
    /// One entry for each.
    Unban {
        users: Vec<String>,
    },
    /// Who is kept out.
    Banned,
    Leave,
    Role {
        user: String,
        role: Role,
    },
    /// Changes what is given; with nothing given it only describes.
    Info {
        title: Option<String>,
        description: Option<String>,
        picture: Option<String>,
        settings: Option<SettingsChange>,
    },
    Invite {
        /// Unix milliseconds; 0 for never.
        expires_ms: u64,
        /// 0 without limit.
        max_uses: u32,
    },
    /// Ends the link with this id, as it was given.
    Revoke {
        link: String,
    },
    Invites,
    /// Erases the beginning for all, up to a seq; `None` for everything.
    Erase {
        up_to: Option<u64>,
    },
}

/// How a group works; what is absent stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct SettingsChange {
    pub(crate) send: Option<Who>,
    pub(crate) add: Option<Who>,
    pub(crate) edit_info: Option<Who>,
    pub(crate) history_for_newcomers: Option<bool>,
    pub(crate) retention_s: Option<u64>,
}

/// A part of a conversation to read.
#[cfg_attr(test, derive(Debug, PartialEq, Eq))]
pub(crate) struct History {
    pub(crate) of: Target,
    pub(crate) range: Part,
    pub(crate) limit: u32,
}

/// Which part of a conversation. Answers are ascending in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// From behind this seq on.
    After(u64),
    /// The newest before this seq.
    Before(u64),
    /// Both sides of this seq.
    Around(u64),
    /// Both sides of this moment, Unix milliseconds.
    AroundTime(u64),
    /// The newest below this seq that mention the reader.
    MentionsBefore(u64),
    /// The pinned ones.
    Pinned,
    /// What was made of the message with this seq.
    EditsOf(u64),
    /// The newest.
    Newest,
}

/// What to do about presence.
#[cfg_attr(test, derive(Debug, PartialEq, Eq))]
pub(crate) enum PresenceAct {
    Subscribe(Vec<String>),
    Unsubscribe(Vec<String>),
    Fetch(Vec<String>),
    /// Whether this client is in front of its user.
    Background(bool),
}

/// A password: never in debug output.
#[cfg_attr(test, derive(Debug))]
pub(crate) struct Password(pub(crate) SecretString);

#[cfg(test)]
impl PartialEq for Password {
    fn eq(&self, other: &Self) -> bool {
        use secrecy::ExposeSecret as _;
        self.0.expose_secret() == other.0.expose_secret()
    }
}

#[cfg(test)]
impl Eq for Password {}
