//! What a user lets others do and see: settings, contacts, blocks, and the
//! rules between two people that follow.
//!
//! Everything is as of when it was read. The server keeps it and asks it before
//! it lets something through; what only the store knows, how a 1:1 stands, is an
//! argument.

use std::collections::HashSet;
use std::sync::Arc;

use parley_protocol::UserId;

use crate::conversation::Shown;

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

impl Default for Settings {
    /// What holds until the user says otherwise.
    fn default() -> Self {
        Self {
            presence: Audience::Everyone,
            phone: Audience::Contacts,
            email: Audience::Contacts,
            group_adds: Audience::Everyone,
            messages: Audience::Everyone,
            read_receipts: true,
            typing: true,
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
    Accepted,
}

impl Standing {
    /// Whether the other one may say in it for how long is kept what they write.
    /// Whoever neither answered nor took it up is not to see what was written to
    /// them go by a stranger's clock. What they let strangers do is not asked:
    /// the answer would tell.
    #[must_use]
    pub fn lets_keep_for_a_while(self) -> bool {
        self == Self::Accepted
    }
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
    /// Sorts them and drops repeats.
    #[must_use]
    pub fn new(mut users: Vec<UserId>) -> Self {
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

/// How one user is to be treated, and treats others.
#[derive(Debug, Clone)]
pub struct Privacy {
    /// The user.
    pub user: UserId,
    /// What they set.
    pub settings: Settings,
    /// Their contacts.
    pub contacts: Users,
    /// Those they blocked.
    pub blocked: Users,
    /// More people blocked them than are kept in memory.
    pub blocked_by_many: bool,
    /// Those of whom one blocked the other: receipts and typing of this user
    /// are hidden from them. Incomplete for a user whom many blocked, whose
    /// activity is hidden from everybody.
    pub blocked_either_way: Arc<HashSet<UserId>>,
}

impl Privacy {
    /// Whether `other` is in their contact list.
    #[must_use]
    pub fn is_contact(&self, other: UserId) -> bool {
        self.contacts.contains(other)
    }

    /// Whether one of the two blocked the other.
    #[must_use]
    pub fn is_blocked_with(&self, other: &Self) -> bool {
        self.blocked.contains(other.user) || other.blocked.contains(self.user)
    }

    /// Whether receipts and typing of this one are hidden from `other`.
    #[must_use]
    pub fn hides_activity_from(&self, other: UserId) -> bool {
        other != self.user && (self.blocked_by_many || self.blocked_either_way.contains(&other))
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
        !self.is_blocked_with(other) && self.admits(self.settings.group_adds, other.user)
    }

    /// What becomes of a message of `other`, when their 1:1 stands so for this one.
    #[must_use]
    pub fn takes_from(&self, other: &Self, standing: Standing) -> Welcome {
        if other.user == self.user {
            return Welcome::Yes;
        }
        if self.is_blocked_with(other) {
            return Welcome::No;
        }
        if self.is_contact(other.user) || standing == Standing::Accepted {
            return Welcome::Yes;
        }
        match self.settings.messages {
            Audience::Everyone => Welcome::Yes,
            Audience::Contacts => Welcome::Request,
            Audience::Nobody => Welcome::No,
        }
    }

    /// Whether the 1:1 with `other`, which stands so for this one, waits for
    /// this one to accept it.
    #[must_use]
    pub fn has_request_of(&self, other: UserId, standing: Standing) -> bool {
        standing == Standing::Pending
            && self.settings.messages != Audience::Everyone
            && other != self.user
            && !self.is_contact(other)
    }

    /// What others may learn of how far this one is: in a 1:1 with `peer`, in
    /// which this one takes part or not, or in a group. To a stranger nothing is
    /// shown before an answer; that something was delivered says that a device is
    /// there, and is shown as presence is.
    #[must_use]
    pub fn shows_progress(&self, peer: Option<UserId>, takes_part: bool) -> Shown {
        let peer = peer.filter(|peer| *peer != self.user);
        let stranger = |peer: UserId| !takes_part && !self.is_contact(peer);
        let hides = |peer: UserId| self.hides_activity_from(peer) || stranger(peer);
        if self.blocked_by_many || peer.is_some_and(hides) {
            return Shown::Nothing;
        }
        let presence = self.settings.presence;
        let delivered = match peer {
            Some(peer) => self.admits(presence, peer),
            // Of a group not everybody is a contact.
            None => presence == Audience::Everyone,
        };
        match (delivered, self.settings.read_receipts) {
            (true, true) => Shown::All,
            (true, false) => Shown::Delivered,
            (false, true) => Shown::Read,
            (false, false) => Shown::Nothing,
        }
    }

    /// Whether `peer` may learn that this one types in their 1:1: neither of two
    /// strangers does before an answer. `takes_part` is said of this one and of
    /// the peer.
    #[must_use]
    pub fn shows_typing_to(&self, peer: &Self, takes_part: (bool, bool)) -> bool {
        let knows = |one: &Self, other: &Self, takes: bool| takes || one.is_contact(other.user);
        self.settings.typing
            && !self.blocked_by_many
            && !self.hides_activity_from(peer.user)
            && knows(self, peer, takes_part.0)
            && knows(peer, self, takes_part.1)
    }

    /// Whether `viewer` may see if this one is there, when their 1:1 stands so
    /// for this one. Who hides from everybody sees nobody.
    #[must_use]
    pub fn shows_presence_to(&self, viewer: &Self, standing: Standing) -> bool {
        viewer.user == self.user
            || (!self.is_blocked_with(viewer)
                && self.admits(self.settings.presence, viewer.user)
                && viewer.settings.presence != Audience::Nobody
                && !self.has_request_of(viewer.user, standing))
    }
}

#[cfg(test)]
#[path = "privacy_tests.rs"]
mod tests;
