//! The end of an account.
//!
//! One commit ends it: from then on nobody can sign in, nobody is told anything
//! but that it was deleted, and a departure is noted. Then the user leaves each
//! group by a real entry, what they set for conversations is erased, and the
//! departure with it ([`departure`]). A crash in between is made up for at the
//! next start.

mod departure;

use std::sync::Arc;

use zeroize::Zeroizing;

use super::{AccountError, Accounts, Asking, Identity, Parts};
use crate::base::clock::wall_ms;
use crate::base::metrics::list as metric;
use crate::storage::store::tables::{departures, presence, users};
use crate::storage::store::{DepartureRow, UserRow, Write};

/// Ends accounts. Cheap to clone.
#[derive(Clone)]
pub struct Ending {
    parts: Arc<Parts>,
}

impl Ending {
    /// Ends accounts of these parts.
    #[must_use]
    pub const fn new(parts: Arc<Parts>) -> Self {
        Self { parts }
    }

    /// Ends the account of who asks, whose password it takes. When this returns
    /// its user has left every group. Cancel safe: once begun it runs to its end.
    ///
    /// # Errors
    /// `credentials_wrong`, `rate_limited`, `overloaded`, `storage_failed`,
    /// `internal`; after the last three the account may be gone all the same.
    pub async fn end(&self, asking: Asking, password: String) -> Result<(), AccountError> {
        let this = self.clone();
        Accounts::finish(async move {
            let accounts = &this.parts.accounts;
            let password_hash = accounts.confirm(&asking, Zeroizing::new(password)).await?;
            this.end_confirmed(&asking.identity, password_hash).await
        })
        .await
    }

    async fn end_confirmed(
        &self,
        identity: &Identity,
        password_hash: String,
    ) -> Result<(), AccountError> {
        let Parts { accounts, people, presence: online, shards, .. } = &*self.parts;
        let user = identity.user;
        let mut erasure = people.erase(user).await.map_err(|error| error.code())?;
        let mut writes = std::mem::take(&mut erasure.writes);
        writes.push(presence::delete(shards.count().of_user(user), user));
        online.forget(user);
        let ended = accounts.end(identity, password_hash, writes).await;
        // Also when it failed: whether it was committed is then unknown.
        erasure.done();
        ended?;
        self.parts.erased.note_erased();
        online.privacy_changed(user);
        online.profile_changed(user);
        self.depart(user, identity.device).await?;
        Ok(())
    }
}

impl Accounts {
    /// Ends the account in one commit with `more`: nobody can sign in, every
    /// token is dead, every session told to close, and the name stays taken.
    /// What is left of it is noted as a departure. Cancel safe: once begun it
    /// runs to its end.
    ///
    /// # Errors
    /// `credentials_wrong` when the password is no longer the one with this
    /// hash, `token_invalid` when the account is gone, `overloaded`,
    /// `storage_failed`, `internal`.
    pub(super) async fn end(
        &self,
        identity: &Identity,
        password_hash: String,
        more: Vec<Write>,
    ) -> Result<(), AccountError> {
        let (this, Identity { user, device, .. }) = (self.clone(), identity.clone());
        Self::finish(async move {
            let _lock = this.inner.users.lock(user).await;
            let row = this.unchanged(user, &password_hash).await?;
            let home = this.inner.shards.of_user(user);
            let gone = UserRow {
                name: String::new(),
                password_hash: String::new(),
                created_ms: row.created_ms,
                deleted_ms: wall_ms().max(1),
            };
            let mut writes = more;
            writes.push(users::put(home, user, &gone));
            let leaving = DepartureRow { device: device.to_wire() };
            writes.push(departures::put(home, user, &leaving));
            let ending = this.all(user).await?;
            this.sign_out(user, ending, writes).await?;
            metrics::counter!(metric::ACCOUNTS_DELETED).increment(1);
            Ok(())
        })
        .await
    }
}
