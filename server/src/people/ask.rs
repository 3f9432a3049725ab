//! The questions others ask before they let something through.

use std::collections::HashSet;
use std::sync::Arc;

use parley_core::conversation::{Shown, direct_id};
use parley_core::user::{Audience, Privacy, Standing, Welcome};
use parley_protocol::{Code, UserId};

use super::{People, PeopleError};
use crate::storage::store::StoreError;

impl People {
    /// Whether `from` may write to `to` in their 1:1. Cancel safe.
    ///
    /// # Errors
    /// `not_found` when `to` has no account, `not_accepted` when one of the two
    /// blocked the other or `to` doesn't take messages of strangers, `internal`.
    pub async fn may_message(&self, from: UserId, to: UserId) -> Result<(), Code> {
        if from == to {
            return Ok(());
        }
        let asked = async {
            // First, so that who isn't there is not told from who never was.
            let to = self.person(to).await?;
            let from = self.person(from).await?;
            let (to, from) = (&to.privacy, &from.privacy);
            let mut welcome = to.takes_from(from, Standing::None);
            if welcome == Welcome::No {
                // Asked of whoever is blocked too, so that no time tells a block
                // from a setting.
                welcome = to.takes_from(from, self.standing(to.user, from.user).await?);
            }
            Ok::<_, PeopleError>(welcome)
        };
        match asked.await.map_err(|error| error.code())? {
            Welcome::Yes | Welcome::Request => Ok(()),
            Welcome::No => Err(Code::NotAccepted),
        }
    }

    /// Whether `from` may set for how long their 1:1 with `to` keeps what they
    /// write. Cancel safe.
    ///
    /// # Errors
    /// As [`People::may_message`], and `forbidden` while `to` neither wrote there
    /// nor took it up.
    pub async fn may_keep(&self, from: UserId, to: UserId) -> Result<(), Code> {
        self.may_message(from, to).await?;
        if from == to {
            return Ok(());
        }
        let standing = self.standing(to, from).await.map_err(|error| error.code())?;
        if standing.lets_keep_for_a_while() { Ok(()) } else { Err(Code::Forbidden) }
    }

    /// Whether `actor` may bring all of `users` into a group. Cancel safe.
    ///
    /// # Errors
    /// `not_found` when one of them has no account, else `not_accepted` when
    /// one of them doesn't let the actor, `internal`.
    pub async fn may_add(&self, actor: UserId, users: &[UserId]) -> Result<(), Code> {
        let users: Vec<UserId> = users.iter().copied().filter(|user| *user != actor).collect();
        let found = self.read(move |this| {
            let persons = users.iter().map(|user| this.person_blocking(*user));
            let persons = persons.collect::<Result<Option<Vec<_>>, _>>()?;
            Ok(persons.zip(this.person_blocking(actor)?))
        });
        let found = found.await.map_err(|error| error.code())?;
        let (persons, actor) = found.ok_or(Code::NotFound)?;
        let all = persons.iter().all(|person| person.privacy.lets_add(&actor.privacy));
        if all { Ok(()) } else { Err(Code::NotAccepted) }
    }

    /// Those of `users` who don't know `actor`: whose contact the actor isn't, and
    /// who neither wrote to the actor nor accepted what the actor wrote. Cancel safe.
    ///
    /// # Errors
    /// `internal`.
    pub async fn strangers(
        &self,
        actor: UserId,
        users: &[UserId],
    ) -> Result<Vec<UserId>, PeopleError> {
        let users: Vec<UserId> = users.iter().copied().filter(|user| *user != actor).collect();
        self.read(move |this| {
            let mut strangers = Vec::new();
            for user in users {
                let Some(person) = this.person_blocking(user)? else { continue };
                let known = person.privacy.is_contact(actor) || {
                    let standing = this.inner.standings.standing(user, direct_id(user, actor))?;
                    standing == Standing::Accepted
                };
                if !known {
                    strangers.push(user);
                }
            }
            Ok(strangers)
        })
        .await
    }

    /// Whether `viewer` may see if `target` is there, and when they last were.
    /// Cancel safe.
    ///
    /// # Errors
    /// `internal`.
    pub async fn sees_presence(&self, viewer: UserId, target: UserId) -> Result<bool, PeopleError> {
        self.read(move |this| this.sees_presence_blocking(viewer, target)).await
    }

    /// As [`People::sees_presence`]. May block on the disk.
    ///
    /// # Errors
    /// [`StoreError`] when the store can't be read.
    pub fn sees_presence_blocking(
        &self,
        viewer: UserId,
        target: UserId,
    ) -> Result<bool, StoreError> {
        let (viewer, target) = (self.person_blocking(viewer)?, self.person_blocking(target)?);
        let Some((viewer, target)) = viewer.zip(target) else { return Ok(false) };
        let (viewer, target) = (&viewer.privacy, &target.privacy);
        let standing = self.standing_if_asked(target, viewer.user)?;
        Ok(target.shows_presence_to(viewer, standing))
    }

    /// Whether `to` may learn that `typist` writes in their 1:1, in which the two
    /// take part or not. Cancel safe.
    ///
    /// # Errors
    /// `internal`, `not_found` when one of them has no account any more.
    pub async fn shows_typing(
        &self,
        typist: UserId,
        to: UserId,
        takes_part: (bool, bool),
    ) -> Result<bool, PeopleError> {
        let (typist, to) = (self.person(typist).await?, self.person(to).await?);
        Ok(typist.privacy.shows_typing_to(&to.privacy, takes_part))
    }

    /// What others may learn of how far `reader` is, in a 1:1 with `peer`, in
    /// which the reader takes part or not, or in a group; and from which members
    /// of a group even that is kept. Cancel safe.
    ///
    /// # Errors
    /// `not_found` when the reader has no account any more, `internal`.
    pub async fn shown(
        &self,
        reader: UserId,
        peer: Option<UserId>,
        takes_part: bool,
    ) -> Result<(Shown, Arc<HashSet<UserId>>), PeopleError> {
        let reader = self.person(reader).await?;
        let shown = reader.privacy.shows_progress(peer, takes_part);
        Ok((shown, Arc::clone(&reader.privacy.blocked_either_way)))
    }

    /// Whether `user` wrote in the 1:1 with `peer`, or accepted it. Cancel safe.
    ///
    /// # Errors
    /// `internal`.
    pub async fn takes_part(&self, user: UserId, peer: UserId) -> Result<bool, PeopleError> {
        Ok(self.standing(user, peer).await? == Standing::Accepted)
    }

    async fn standing(&self, user: UserId, peer: UserId) -> Result<Standing, PeopleError> {
        self.read(move |this| this.inner.standings.standing(user, direct_id(user, peer))).await
    }

    fn standing_if_asked(&self, person: &Privacy, peer: UserId) -> Result<Standing, StoreError> {
        if asks(person, peer) {
            self.inner.standings.standing(person.user, direct_id(person.user, peer))
        } else {
            Ok(Standing::None)
        }
    }
}

/// Whether it matters how the 1:1 stands: a message of `peer` would be a
/// request. Saves the look-up for nearly everybody.
fn asks(person: &Privacy, peer: UserId) -> bool {
    person.settings.messages != Audience::Everyone && person.has_request_of(peer, Standing::Pending)
}
