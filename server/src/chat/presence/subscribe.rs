//! Asking who is there, once or from now on.
//!
//! A session watches before anything is read, so that whatever happens
//! meanwhile is told after the answer; and the answer is put into the
//! session's queue under the table's lock, so that no news overtakes it.

use std::collections::HashMap;
use std::sync::Arc;

use parley_core::session::{RequestNumber, reply};
use parley_protocol::wire::{Subscribed, server_envelope::Kind};
use parley_protocol::{Code, UserId};

use super::table::{NotWatched, Status};
use super::{Inner, Presence};
use crate::base::clock::Moment;
use crate::chat::link::{Item, Link};
use crate::storage::store::StoreError;

/// How often somebody is looked up whose privacy changes meanwhile; more in a row,
/// and they are said not to be there until it has been looked at again.
const TRIES: usize = 8;

/// Why a session was not subscribed. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The session has as many subscriptions as it may.
    #[error("the session has as many subscriptions as it may")]
    Full,
    /// There is no session that could be told later.
    #[error("no session")]
    NoSession,
    /// The store can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Refusal {
    /// The code on the wire.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Full => Code::ListFull,
            Self::NoSession => Code::SessionNeeded,
            Self::Store(_) => Code::Internal,
        }
    }
}

impl From<NotWatched> for Refusal {
    fn from(not: NotWatched) -> Self {
        match not {
            NotWatched::Gone => Self::NoSession,
            NotWatched::Full => Self::Full,
        }
    }
}

/// Whether an answer stands for the subscription, so that only what differs
/// from it is news. Who asks once may have asked for something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    For,
    Not,
}

/// What is known of a user before the table is asked.
struct Looked {
    sees: bool,
    stored_ms: u64,
}

impl Presence {
    /// Answers `request` with how `users` are, by way of the link, and tells
    /// of them from now on; no longer of `drop`. Blocks on the disk.
    ///
    /// # Errors
    /// [`Refusal`]; then nothing was answered.
    pub fn subscribe(
        &self,
        link: &Arc<Link>,
        request: RequestNumber,
        users: &[UserId],
        drop: &[UserId],
    ) -> Result<(), Refusal> {
        self.inner.subscribe(link, request, users, drop, self.inner.now())
    }

    /// Answers `request` with how `users` are, by way of the link, which may
    /// be no session's. Blocks on the disk.
    ///
    /// # Errors
    /// [`Refusal`]; then nothing was answered.
    pub fn query(
        &self,
        link: &Arc<Link>,
        request: RequestNumber,
        users: &[UserId],
    ) -> Result<(), Refusal> {
        self.inner.answer(link, request, users, Holds::Not, self.inner.now())
    }
}

impl Inner {
    fn now(&self) -> Moment {
        self.parts.clock.moment()
    }

    pub(super) fn subscribe(
        &self,
        link: &Arc<Link>,
        request: RequestNumber,
        users: &[UserId],
        drop: &[UserId],
        now: Moment,
    ) -> Result<(), Refusal> {
        let (added, grown) = self.table.lock().watch(link, users, drop)?;
        self.figures.subscriptions.increment(grown as f64);
        let answered = self.answer(link, request, users, Holds::For, now);
        if answered.is_err()
            && let Ok((_, grown)) = self.table.lock().watch(link, &[], &added)
        {
            self.figures.subscriptions.increment(grown as f64);
        }
        answered
    }

    pub(super) fn answer(
        &self,
        link: &Arc<Link>,
        request: RequestNumber,
        users: &[UserId],
        holds: Holds,
        now: Moment,
    ) -> Result<(), Refusal> {
        let mut looked = HashMap::with_capacity(users.len());
        let mut wanted: Vec<UserId> = users.to_vec();
        let mut tries = 0;
        loop {
            tries += 1;
            let mut found = Vec::with_capacity(wanted.len());
            for user in wanted.drain(..) {
                let as_of = self.table.lock().revisions_of(link.user, user);
                found.push((user, as_of, self.look(link.user, user)?));
            }
            let mut table = self.table.lock();
            looked.extend(found.into_iter().map(|(user, as_of, found)| (user, (as_of, found))));
            let stale = |user: &&UserId| {
                let known = looked.get(*user).map(|(as_of, _)| *as_of);
                known != Some(table.revisions_of(link.user, **user))
            };
            wanted.extend(users.iter().filter(stale));
            if !wanted.is_empty() && tries < TRIES {
                continue;
            }
            let mut presence = Vec::with_capacity(users.len());
            for user in users {
                let Some((_, Looked { sees, stored_ms })) = looked.get(user) else { continue };
                // What is stored is taken over also for those who are hidden:
                // it is what is told once they are not.
                let status = table.status(*user, *stored_ms, now);
                // Who changes all the time is not there; the truth follows.
                let restless = wanted.contains(user);
                let status = if *sees && !restless { status } else { Status::Offline(0) };
                if holds == Holds::For {
                    table.told(*user, link.id, status);
                    if restless {
                        table.recheck(*user);
                    }
                }
                presence.push(status.to_wire(*user, now.wall_ms));
            }
            link.push(Item::Answer(reply(request, Kind::Subscribed(Subscribed { presence }))));
            return Ok(());
        }
    }

    fn look(&self, viewer: UserId, target: UserId) -> Result<Looked, StoreError> {
        let shard = self.parts.count.of_user(target);
        let sees = self.sees(viewer, target);
        let stored = self.parts.store.presence(shard, target)?;
        Ok(Looked { sees, stored_ms: stored.map_or(0, |row| row.last_seen_ms) })
    }
}
