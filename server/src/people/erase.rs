//! What goes of a person when their account is deleted.

use parley_protocol::{UserId, limits};
use tokio::sync::OwnedMutexGuard;

use super::{People, PeopleError};
use crate::storage::store::Write;
use crate::storage::store::tables::{blocks, contacts, persons};

/// The writes that erase a person. While it is held nothing of them changes;
/// [`Erasure::done`] says that the writes are durable.
pub struct Erasure {
    people: People,
    user: UserId,
    /// To be committed together with the end of the account.
    pub writes: Vec<Write>,
    _lock: OwnedMutexGuard<()>,
}

impl std::fmt::Debug for Erasure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Erasure").field("writes", &self.writes.len()).finish_non_exhaustive()
    }
}

impl Erasure {
    /// The writes are durable: nobody is answered from memory any more.
    pub fn done(self) {
        self.people.inner.cache.forget(self.user);
    }
}

impl People {
    /// What erases profile, settings, contacts and blocks of a user. That
    /// others know or blocked them stays: it is theirs.
    ///
    /// # Errors
    /// `internal`.
    pub async fn erase(&self, user: UserId) -> Result<Erasure, PeopleError> {
        let lock = self.inner.users.lock(user).await;
        let read = move |this: &Self| {
            let (shards, store) = (this.inner.shards, &this.inner.store);
            let home = shards.of_user(user);
            let mut writes = vec![persons::delete(home, user)];
            for contact in store.contacts(home, user, limits::CONTACTS)? {
                writes.push(contacts::delete(home, user, contact));
            }
            for blocked in store.blocked(home, user, limits::CONTACTS)? {
                writes.extend(blocks::delete((home, user), (shards.of_user(blocked), blocked)));
            }
            Ok(writes)
        };
        let writes = self.read(read).await?;
        Ok(Erasure { people: self.clone(), user, writes, _lock: lock })
    }
}
