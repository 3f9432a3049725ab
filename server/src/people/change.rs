//! Changing one thing of one's own account.

use parley_core::user::Audience;
use parley_protocol::wire::update_account::Change;
use parley_protocol::wire::{AccountSettings, ProfileChange};
use parley_protocol::{Code, UserId, limits};

use super::person::{audience, number};
use super::{People, PeopleError, Person};
use crate::base::clock::wall_ms;
use crate::base::metrics::list as metric;
use crate::storage::store::tables::{blocks, contacts, persons};
use crate::storage::store::{KnownRow, PersonRow, Write};

/// A change that was made, or was the case already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Updated {
    /// The account's revision now.
    pub revision: u64,
    /// What others see of the user may have changed.
    pub profile: bool,
    /// Whom the user shows what, or who sees the user, may have changed.
    pub standing: bool,
    /// The one who was blocked or unblocked.
    pub other: Option<UserId>,
}

impl Updated {
    /// Whether anything is other than before.
    #[must_use]
    pub const fn changed(&self) -> bool {
        self.profile || self.standing
    }
}

impl People {
    /// Makes a change, whose form was checked. Once this answers, every
    /// question asked of the people is answered by it.
    ///
    /// Cancel safe: once begun it runs to its end.
    ///
    /// # Errors
    /// `not_found` when the other user has no account, `bad_request` for
    /// oneself, `list_full`, `token_invalid` when the own account is gone,
    /// `overloaded`, `storage_failed`, `internal`.
    pub async fn update(&self, user: UserId, change: Change) -> Result<Updated, PeopleError> {
        let this = self.clone();
        Self::finish(async move {
            let _lock = this.inner.users.lock(user).await;
            // Not from the cache: what is written next builds on it.
            let person = this.read(move |this| this.inner.load(user)).await?;
            let person = person.ok_or(Code::TokenInvalid)?;
            this.apply(&person, change).await
        })
        .await
    }

    async fn apply(&self, person: &Person, change: Change) -> Result<Updated, PeopleError> {
        let mut row = person.row.clone();
        let mut updated =
            Updated { revision: row.revision, profile: false, standing: false, other: None };
        let lists = match change {
            Change::Profile(change) => {
                updated.profile = true;
                set_profile(&mut row, change);
                Vec::new()
            }
            Change::Settings(change) => {
                updated.standing = true;
                set_settings(&mut row, &change);
                Vec::new()
            }
            Change::AddContact(id) => {
                updated.standing = true;
                self.contact(person, other(person, &id)?, true).await?
            }
            Change::RemoveContact(id) => {
                updated.standing = true;
                self.contact(person, other(person, &id)?, false).await?
            }
            Change::Block(id) => {
                let other = other(person, &id)?;
                (updated.standing, updated.other) = (true, Some(other));
                self.block(person, other, true).await?
            }
            Change::Unblock(id) => {
                let other = other(person, &id)?;
                (updated.standing, updated.other) = (true, Some(other));
                self.block(person, other, false).await?
            }
        };
        if lists.is_empty() && row == person.row {
            // It was so already: nothing follows for anybody.
            return Ok(Updated { profile: false, standing: false, other: None, ..updated });
        }
        row.revision += 1;
        updated.revision = row.revision;
        self.write(person.user(), &row, lists, updated.other).await?;
        metrics::counter!(metric::PEOPLE_CHANGES).increment(1);
        Ok(updated)
    }

    async fn write(
        &self,
        user: UserId,
        row: &PersonRow,
        mut writes: Vec<Write>,
        other: Option<UserId>,
    ) -> Result<(), PeopleError> {
        let home = self.inner.shards.of_user(user);
        writes.push(persons::put(home, user, row));
        let committed = self.inner.commit.commit(home, writes).await;
        // Also when it failed: whether it was kept is then unknown.
        self.inner.cache.forget(user);
        if let Some(other) = other {
            self.inner.cache.forget(other);
        }
        Ok(committed?)
    }

    async fn contact(
        &self,
        person: &Person,
        other: UserId,
        known: bool,
    ) -> Result<Vec<Write>, PeopleError> {
        let home = self.inner.shards.of_user(person.user());
        match (known, person.privacy.is_contact(other)) {
            (true, false) => {
                self.person(other).await?;
                room(person.privacy.contacts.len())?;
                Ok(vec![contacts::put(home, person.user(), other, &since_now())])
            }
            (false, true) => Ok(vec![contacts::delete(home, person.user(), other)]),
            (true, true) | (false, false) => Ok(Vec::new()),
        }
    }

    async fn block(
        &self,
        person: &Person,
        other: UserId,
        blocked: bool,
    ) -> Result<Vec<Write>, PeopleError> {
        let shards = self.inner.shards;
        let by = (shards.of_user(person.user()), person.user());
        let whom = (shards.of_user(other), other);
        match (blocked, person.privacy.blocked.contains(other)) {
            (true, false) => {
                self.person(other).await?;
                room(person.privacy.blocked.len())?;
                Ok(blocks::put(by, whom, &since_now()))
            }
            (false, true) => Ok(blocks::delete(by, whom)),
            (true, true) | (false, false) => Ok(Vec::new()),
        }
    }
}

fn other(person: &Person, id: &[u8]) -> Result<UserId, Code> {
    let other = UserId::from_slice(id).map_err(|_| Code::BadRequest)?;
    if other == person.user() { Err(Code::BadRequest) } else { Ok(other) }
}

fn room(listed: usize) -> Result<(), Code> {
    if listed < limits::CONTACTS { Ok(()) } else { Err(Code::ListFull) }
}

fn since_now() -> KnownRow {
    KnownRow { since_ms: wall_ms() }
}

fn set_profile(row: &mut PersonRow, change: ProfileChange) {
    let ProfileChange { display_name, about, picture, phone, email } = change;
    let fields = [
        (&mut row.display_name, display_name),
        (&mut row.about, about),
        (&mut row.picture, picture),
        (&mut row.phone, phone),
        (&mut row.email, email),
    ];
    for (field, given) in fields {
        if let Some(given) = given {
            *field = given;
        }
    }
}

fn set_settings(row: &mut PersonRow, change: &AccountSettings) {
    let fields = [
        (&mut row.presence, change.presence),
        (&mut row.phone_for, change.phone),
        (&mut row.email_for, change.email),
        (&mut row.group_adds, change.group_adds),
        (&mut row.messages, change.messages),
    ];
    for (field, given) in fields {
        // 0 keeps what is set; a number from a newer release was refused.
        if given != 0 {
            *field = number(audience(given, Audience::Nobody)).cast_unsigned();
        }
    }
    row.hides_reads = change.read_receipts.map_or(row.hides_reads, |shown| !shown);
    row.hides_typing = change.typing.map_or(row.hides_typing, |shown| !shown);
}
