//! People: profiles, presence, and how the own account behaves towards others.

use std::fmt;
use std::sync::Arc;

use parley_protocol::ids::{ConversationId, UserId};

use super::User;

/// Whom the user lets see or do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Audience {
    /// Everyone.
    Everyone,
    /// Those in the user's own contact list.
    Contacts,
    /// Nobody.
    Nobody,
}

/// What a user says about themselves. What this user may not see is empty.
#[derive(Clone, PartialEq, Eq)]
pub struct Profile {
    /// Who, with the unique name.
    pub user: User,
    /// What they like to be called; empty: by the name.
    pub display_name: Arc<str>,
    /// A few words.
    pub about: Arc<str>,
    /// Where the picture is.
    pub picture: Arc<str>,
    /// Phone number.
    pub phone: Arc<str>,
    /// E-mail address.
    pub email: Arc<str>,
    /// The account was deleted.
    pub deleted: bool,
}

// What people say about themselves stays out of logs.
impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Profile")
            .field("user", &self.user.id)
            .field("deleted", &self.deleted)
            .finish_non_exhaustive()
    }
}

/// What to change in the own profile; what is `None` stays.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ProfileChange {
    /// At most 64 characters.
    pub display_name: Option<String>,
    /// At most 500 characters.
    pub about: Option<String>,
    /// At most 512 bytes.
    pub picture: Option<String>,
    /// At most 64 bytes.
    pub phone: Option<String>,
    /// At most 254 bytes.
    pub email: Option<String>,
}

impl fmt::Debug for ProfileChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProfileChange").finish_non_exhaustive()
    }
}

/// How the account behaves towards others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountSettings {
    /// Who sees whether the user is online and when they were last seen. With
    /// nobody the user doesn't see it of others either.
    pub presence: Audience,
    /// Who sees the phone number.
    pub phone: Audience,
    /// Who sees the e-mail address.
    pub email: Audience,
    /// Who may add the user to groups.
    pub group_adds: Audience,
    /// Whose first message comes without asking.
    pub messages: Audience,
    /// Whether others learn what the user has read.
    pub read_receipts: bool,
    /// Whether others learn that the user is typing.
    pub typing: bool,
}

/// What to change in the settings; what is `None` stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AccountSettingsChange {
    /// As [`AccountSettings::presence`].
    pub presence: Option<Audience>,
    /// As [`AccountSettings::phone`].
    pub phone: Option<Audience>,
    /// As [`AccountSettings::email`].
    pub email: Option<Audience>,
    /// As [`AccountSettings::group_adds`].
    pub group_adds: Option<Audience>,
    /// As [`AccountSettings::messages`].
    pub messages: Option<Audience>,
    /// As [`AccountSettings::read_receipts`].
    pub read_receipts: Option<bool>,
    /// As [`AccountSettings::typing`].
    pub typing: Option<bool>,
}

/// All of the user's own account data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Grows with every change.
    pub revision: u64,
    /// The own profile, whole.
    pub profile: Profile,
    /// The settings.
    pub settings: AccountSettings,
    /// The contacts.
    pub contacts: Vec<Profile>,
    /// Whom the user blocked.
    pub blocked: Vec<Profile>,
}

/// Whether somebody is there. Who may not be seen is offline and was never seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presence {
    /// The user it is about.
    pub user: User,
    /// Whether a device of theirs is in front of them.
    pub online: bool,
    /// When they were last online, Unix milliseconds; `None` when unknown or hidden.
    pub last_seen_ms: Option<u64>,
}

/// Tells the operators about somebody.
#[derive(Clone, PartialEq, Eq)]
pub struct Report {
    /// About whom.
    pub user: UserId,
    /// Where it happened.
    pub conversation: Option<ConversationId>,
    /// Messages it is about, at most 100.
    pub seqs: Vec<u64>,
    /// Why, 1 to 1,000 characters.
    pub reason: String,
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Report").field("user", &self.user).finish_non_exhaustive()
    }
}
