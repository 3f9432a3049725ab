//! What one person is shown of another, and of themselves.

use std::sync::Arc;

use parley_core::user::Users;
use parley_protocol::wire::{AccountSettings, AccountState, Profile};
use parley_protocol::{Code, UserId};

use super::person::number;
use super::{People, PeopleError, Person};
use crate::storage::store::StoreError;

/// Bytes of names in one `AccountState`. A list at its limit with the longest
/// of names would not fit a frame; what is left out is there in `GetProfile`.
const NAMES_BYTES: usize = 256 * 1024;

/// People of a list that are read at a time.
const LISTED: usize = 100;

impl People {
    /// What `viewer` may know of `user`. Cancel safe.
    ///
    /// # Errors
    /// `not_found` for whoever never had an account, `internal`.
    pub async fn profile(&self, viewer: UserId, user: UserId) -> Result<Profile, PeopleError> {
        let read = move |this: &Self| {
            let found = this.person_blocking(user)?;
            match found {
                Some(found) => Ok(Some((Some(found), this.person_blocking(viewer)?))),
                None => Ok(this.existed(user)?.then_some((None, None))),
            }
        };
        Ok(match self.read(read).await?.ok_or(Code::NotFound)? {
            (Some(person), Some(viewer)) => profile(&person, &viewer),
            // The viewer's own account is gone: nothing but the name.
            (Some(person), None) => name_only(&person),
            (None, _) => deleted(user),
        })
    }

    /// All of a user's own account data. Cancel safe.
    ///
    /// # Errors
    /// `not_found` when the account is gone, `internal`.
    pub async fn account(&self, user: UserId) -> Result<AccountState, PeopleError> {
        let person = self.person(user).await?;
        let contacts = self.listed(&person.privacy.contacts, NAMES_BYTES).await?;
        // Of whom one blocked one sees the name.
        let blocked = self.listed(&person.privacy.blocked, 0).await?;
        Ok(AccountState {
            revision: person.revision(),
            profile: Some(own(&person)),
            settings: Some(settings(&person)),
            contacts,
            blocked,
        })
    }

    /// What `viewer` is told when the profile of `user` changes: nothing, when
    /// one blocked the other. May block on the disk.
    ///
    /// # Errors
    /// [`StoreError`] when the store can't be read.
    pub fn profile_news(
        &self,
        viewer: UserId,
        user: UserId,
    ) -> Result<Option<Profile>, StoreError> {
        let Some(person) = self.person_blocking(user)? else { return Ok(Some(deleted(user))) };
        let viewer = self.person_blocking(viewer)?;
        let told = viewer.filter(|viewer| !person.privacy.is_blocked_with(&viewer.privacy));
        Ok(told.map(|viewer| profile(&person, &viewer)))
    }

    /// Names of a list. Display names as long as there is room. Read in parts, so
    /// that others have their turn in between.
    async fn listed(&self, users: &Users, room: usize) -> Result<Vec<Profile>, PeopleError> {
        let users: Vec<UserId> = users.iter().collect();
        let (mut listed, mut room) = (Vec::with_capacity(users.len()), room);
        for part in users.chunks(LISTED) {
            let part = part.to_vec();
            let read = move |this: &Self| {
                let shown = |user: UserId| {
                    let Some(person) = this.person_blocking(user)? else {
                        return Ok(deleted(user));
                    };
                    let mut shown = name_only(&person);
                    let bytes = person.row.display_name.len();
                    if bytes <= room {
                        room -= bytes;
                        shown.display_name.clone_from(&person.row.display_name);
                    }
                    Ok(shown)
                };
                let shown: Result<Vec<_>, StoreError> = part.into_iter().map(shown).collect();
                Ok((shown?, room))
            };
            let (shown, left) = self.read(read).await?;
            listed.extend(shown);
            room = left;
        }
        Ok(listed)
    }

    fn existed(&self, user: UserId) -> Result<bool, StoreError> {
        let inner = &self.inner;
        Ok(inner.store.user(inner.shards.of_user(user), user)?.is_some())
    }
}

fn profile(person: &Arc<Person>, viewer: &Person) -> Profile {
    let (privacy, viewer) = (&person.privacy, &viewer.privacy);
    if privacy.is_blocked_with(viewer) {
        return name_only(person);
    }
    let mut shown = own(person);
    if !privacy.admits(privacy.settings.phone, viewer.user) {
        shown.phone.clear();
    }
    if !privacy.admits(privacy.settings.email, viewer.user) {
        shown.email.clear();
    }
    shown
}

fn own(person: &Person) -> Profile {
    let row = &person.row;
    Profile {
        user: person.user().to_wire(),
        name: person.name.to_string(),
        display_name: row.display_name.clone(),
        about: row.about.clone(),
        picture: row.picture.clone(),
        phone: row.phone.clone(),
        email: row.email.clone(),
        deleted: false,
    }
}

fn name_only(person: &Person) -> Profile {
    Profile { user: person.user().to_wire(), name: person.name.to_string(), ..Profile::default() }
}

fn deleted(user: UserId) -> Profile {
    Profile { user: user.to_wire(), deleted: true, ..Profile::default() }
}

fn settings(person: &Person) -> AccountSettings {
    let of = &person.privacy.settings;
    AccountSettings {
        presence: number(of.presence),
        phone: number(of.phone),
        email: number(of.email),
        group_adds: number(of.group_adds),
        messages: number(of.messages),
        read_receipts: Some(of.read_receipts),
        typing: Some(of.typing),
    }
}
