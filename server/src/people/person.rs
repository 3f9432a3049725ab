//! One user as others are held to them: settings, contacts, blocks, and the
//! rules that follow. Pure; [`super::People`] keeps them and asks the store.

use std::collections::HashSet;
use std::sync::Arc;

use parley_protocol::{UserId, wire};

use crate::storage::store::PersonRow;

/// Whom the user lets see or do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Anybody.
    Everyone,
    /// Those in the user's contact list.
    Contacts,
    /// Nobody; for messages: nobody but contacts.
    Nobody,
}

impl Audience {
    /// What a stored or sent number means; `default` for none, and for one
    /// from a newer release.
    #[must_use]
    pub fn from_number(number: i32, default: Self) -> Self {
        match wire::Audience::try_from(number) {
            Ok(wire::Audience::Everyone) => Self::Everyone,
            Ok(wire::Audience::Contacts) => Self::Contacts,
            Ok(wire::Audience::Nobody) => Self::Nobody,
            Ok(wire::Audience::Unspecified) | Err(_) => default,
        }
    }

    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> i32 {
        match self {
            Self::Everyone => wire::Audience::Everyone as i32,
            Self::Contacts => wire::Audience::Contacts as i32,
            Self::Nobody => wire::Audience::Nobody as i32,
        }
    }
}

/// How an account behaves towards others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Who sees whether the user is there.
    pub presence: Audience,
    /// Who sees the phone number.
    pub phone: Audience,
    /// Who sees the e-mail address.
    pub email: Audience,
    /// Who may add the user to groups.
    pub group_adds: Audience,
    /// Whose first message comes without asking.
    pub messages: Audience,
    /// Others learn what the user has read.
    pub read_receipts: bool,
    /// Others learn that the user is typing.
    pub typing: bool,
}

impl Settings {
    pub(super) fn of(row: &PersonRow) -> Self {
        let audience = |number: u32, default| Audience::from_number(number.cast_signed(), default);
        Self {
            presence: audience(row.presence, Audience::Everyone),
            phone: audience(row.phone_for, Audience::Contacts),
            email: audience(row.email_for, Audience::Contacts),
            group_adds: audience(row.group_adds, Audience::Everyone),
            messages: audience(row.messages, Audience::Everyone),
            read_receipts: !row.hides_reads,
            typing: !row.hides_typing,
        }
    }
}

/// How a 1:1 stands for one of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing was said in it yet.
    None,
    /// The other one wrote; this one neither answered nor accepted it.
    Pending,
    /// This one wrote or accepted it.
    TakenUp,
}

/// What becomes of a message from somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Welcome {
    /// It comes without asking.
    Yes,
    /// It comes as a request.
    Request,
    /// It is refused.
    No,
}

/// Ids in order, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Users(Box<[UserId]>);

impl Users {
    pub(super) fn new(mut users: Vec<UserId>) -> Self {
        users.sort_unstable();
        users.dedup();
        Self(users.into())
    }

    /// Whether somebody is among them.
    #[must_use]
    pub fn contains(&self, user: UserId) -> bool {
        self.0.binary_search(&user).is_ok()
    }

    /// All of them, in order of id.
    pub fn iter(&self) -> impl Iterator<Item = UserId> + '_ {
        self.0.iter().copied()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A user with an account, as of when it was read.
pub struct Person {
    /// Who.
    pub user: UserId,
    /// Their name.
    pub name: Arc<str>,
    /// When the account was made, Unix milliseconds.
    pub created_ms: u64,
    /// Profile, settings as they are stored, and the revision of all of it.
    pub(super) row: PersonRow,
    /// How they want to be treated.
    pub settings: Settings,
    /// Whom they know.
    pub contacts: Users,
    /// Whom they blocked.
    pub blocked: Users,
    /// More people blocked them than are kept in memory.
    pub shunned: bool,
    /// Those from whom what this one lets out (receipts, typing) is kept: one
    /// of the two blocked the other. For whoever is shunned it is incomplete,
    /// and nobody learns anything.
    pub hushed: Arc<HashSet<UserId>>,
}

/// Ids and counts only: the rest is people's own.
impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Person")
            .field("user", &self.user)
            .field("revision", &self.row.revision)
            .field("contacts", &self.contacts.len())
            .field("blocked", &self.blocked.len())
            .field("hushed", &self.hushed.len())
            .finish_non_exhaustive()
    }
}

impl Person {
    /// Grows with every change of profile, settings, contacts and blocks.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.row.revision
    }

    /// Whether `other` is in their contact list.
    #[must_use]
    pub fn is_contact(&self, other: UserId) -> bool {
        self.contacts.contains(other)
    }

    /// Whether one of the two blocked the other.
    #[must_use]
    pub fn is_apart_from(&self, other: &Self) -> bool {
        self.blocked.contains(other.user) || other.blocked.contains(self.user)
    }

    /// Whether what this one lets out is kept from `other`.
    #[must_use]
    pub fn is_hushed_for(&self, other: UserId) -> bool {
        other != self.user && (self.shunned || self.hushed.contains(&other))
    }

    /// Whether `audience`, as this one set it, takes `other` in.
    #[must_use]
    pub fn admits(&self, audience: Audience, other: UserId) -> bool {
        other == self.user
            || match audience {
                Audience::Everyone => true,
                Audience::Contacts => self.is_contact(other),
                Audience::Nobody => false,
            }
    }

    /// Whether `other` may add this one to a group.
    #[must_use]
    pub fn lets_add(&self, other: &Self) -> bool {
        !self.is_apart_from(other) && self.admits(self.settings.group_adds, other.user)
    }

    /// What becomes of a message of `other`, when their 1:1 stands so for this one.
    #[must_use]
    pub fn takes_from(&self, other: &Self, standing: Standing) -> Welcome {
        if other.user == self.user {
            return Welcome::Yes;
        }
        if self.is_apart_from(other) {
            return Welcome::No;
        }
        if self.is_contact(other.user) || standing == Standing::TakenUp {
            return Welcome::Yes;
        }
        match self.settings.messages {
            Audience::Everyone => Welcome::Yes,
            Audience::Contacts => Welcome::Request,
            Audience::Nobody => Welcome::No,
        }
    }

    /// Whether the 1:1 with `other`, which stands so for this one, waits for
    /// this one to take it up.
    #[must_use]
    pub fn has_request_of(&self, other: UserId, standing: Standing) -> bool {
        standing == Standing::Pending
            && self.settings.messages != Audience::Everyone
            && other != self.user
            && !self.is_contact(other)
    }

    /// Whether `viewer` may see if this one is there, when their 1:1 stands so
    /// for this one. Who hides from everybody sees nobody.
    #[must_use]
    pub fn shows_presence_to(&self, viewer: &Self, standing: Standing) -> bool {
        viewer.user == self.user
            || (!self.is_apart_from(viewer)
                && self.admits(self.settings.presence, viewer.user)
                && viewer.settings.presence != Audience::Nobody
                && !self.has_request_of(viewer.user, standing))
    }

    /// Bytes it takes in memory, about.
    pub(super) fn size_bytes(&self) -> usize {
        let row = &self.row;
        let texts = row.display_name.len() + row.about.len() + row.picture.len();
        let ids = self.contacts.len() + self.blocked.len() + 2 * self.hushed.len();
        size_of::<Self>()
            + 64
            + self.name.len()
            + texts
            + row.phone.len()
            + row.email.len()
            + size_of::<UserId>() * ids
    }
}

#[cfg(test)]
#[path = "person_tests.rs"]
mod tests;
