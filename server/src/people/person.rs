//! A user with an account, as the store says: profile and settings as they are
//! stored, and the privacy that follows (`core::user::Privacy` has the rules).

use std::sync::Arc;

use parley_core::user::{Audience, Privacy, Settings};
use parley_protocol::{UserId, wire};

use crate::storage::store::PersonRow;

/// What a stored or sent number means; `default` for none, and for one from a
/// newer release.
pub(super) fn audience(number: i32, default: Audience) -> Audience {
    match wire::Audience::try_from(number) {
        Ok(wire::Audience::Everyone) => Audience::Everyone,
        Ok(wire::Audience::Contacts) => Audience::Contacts,
        Ok(wire::Audience::Nobody) => Audience::Nobody,
        Ok(wire::Audience::Unspecified) | Err(_) => default,
    }
}

/// An audience's number on the wire.
pub(super) const fn number(audience: Audience) -> i32 {
    match audience {
        Audience::Everyone => wire::Audience::Everyone as i32,
        Audience::Contacts => wire::Audience::Contacts as i32,
        Audience::Nobody => wire::Audience::Nobody as i32,
    }
}

/// The settings of a row, with defaults for what was never set.
pub(super) fn settings(row: &PersonRow) -> Settings {
    let default = Settings::default();
    let audience = |number: u32, default| audience(number.cast_signed(), default);
    Settings {
        presence: audience(row.presence, default.presence),
        phone: audience(row.phone_for, default.phone),
        email: audience(row.email_for, default.email),
        group_adds: audience(row.group_adds, default.group_adds),
        messages: audience(row.messages, default.messages),
        read_receipts: !row.hides_reads,
        typing: !row.hides_typing,
    }
}

/// A user with an account, as of when it was read.
pub struct Person {
    /// Their name.
    pub name: Arc<str>,
    /// When the account was made, Unix milliseconds.
    pub created_ms: u64,
    /// Profile, settings as they are stored, and the revision of all of it.
    pub(super) row: PersonRow,
    /// What they let others do and see.
    pub privacy: Privacy,
}

/// Ids and counts only: the rest is people's own.
impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Person")
            .field("user", &self.privacy.user)
            .field("revision", &self.row.revision)
            .field("contacts", &self.privacy.contacts.len())
            .field("blocked", &self.privacy.blocked.len())
            .field("blocked_either_way", &self.privacy.blocked_either_way.len())
            .finish_non_exhaustive()
    }
}

impl Person {
    /// Whose account it is.
    #[must_use]
    pub const fn user(&self) -> UserId {
        self.privacy.user
    }

    /// Grows with every change of profile, settings, contacts and blocks.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.row.revision
    }

    /// Bytes it takes in memory, about.
    pub(super) fn size_bytes(&self) -> usize {
        let (row, privacy) = (&self.row, &self.privacy);
        let texts = row.display_name.len() + row.about.len() + row.picture.len();
        let ids =
            privacy.contacts.len() + privacy.blocked.len() + 2 * privacy.blocked_either_way.len();
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
pub(super) mod tests {
    use super::*;
    use parley_core::user::Users;

    /// Somebody with nothing but an id.
    pub(in crate::people) fn person(user: UserId, row: PersonRow) -> Person {
        let privacy = Privacy {
            user,
            settings: settings(&row),
            contacts: Users::default(),
            blocked: Users::default(),
            blocked_by_many: false,
            blocked_either_way: Arc::default(),
        };
        Person { name: "a-secret".into(), created_ms: 1, row, privacy }
    }

    #[test]
    fn what_was_never_set_is_the_default() {
        assert_eq!(settings(&PersonRow::default()), Settings::default());
        // A number of a newer release is the default, not an error.
        let row = PersonRow { presence: 99, ..PersonRow::default() };
        assert_eq!(settings(&row).presence, Audience::Everyone);
    }

    #[test]
    fn debug_output_says_nothing_of_the_person() {
        let (about, phone) = ("a-secret".into(), "a-secret".into());
        let secret = person(UserId::new([1; 16]), PersonRow { about, phone, ..Default::default() });
        let shown = format!("{secret:?} {:?}", secret.row);
        assert!(!shown.contains("a-secret") && shown.contains("revision"), "{shown}");
    }
}
