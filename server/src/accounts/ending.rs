//! What asks for the password again: changing it, and ending the account.

use std::net::IpAddr;

use parley_protocol::{Code, ShardId, UserId};
use zeroize::Zeroizing;

use super::password::{Password, Verdict};
use super::{AccountError, Accounts, Identity, check};
use crate::base::address::prefix;
use crate::base::clock::wall_ms;
use crate::base::metrics::list as metric;
use crate::storage::rows::CommitError;
use crate::storage::store::tables::{departures, users};
use crate::storage::store::{DepartureRow, UserRow, Write};

impl Accounts {
    /// Gives the account another password. All devices but the asking one are
    /// signed out: their tokens are dead and their sessions told to close when
    /// this answers. Cancel safe: once begun it runs to its end.
    ///
    /// # Errors
    /// `credentials_wrong` for the wrong old password, `password_invalid`,
    /// `rate_limited`, `overloaded`, `storage_failed`, `internal`.
    pub async fn change_password(
        &self,
        from: IpAddr,
        identity: &Identity,
        old: String,
        new: String,
    ) -> Result<(), AccountError> {
        let (old, new): (Password, Password) = (Zeroizing::new(old), Zeroizing::new(new));
        check::password(&new)?;
        let known = self.confirm(from, identity, old).await?;
        let password_hash = self.inner.hasher.hash(new).await?;
        let (this, Identity { user, device, .. }) = (self.clone(), identity.clone());
        Self::finish(async move {
            let _lock = this.inner.users.lock(user).await;
            let row = this.unchanged(user, &known).await?;
            let home = this.inner.shards.of_user(user);
            let write = users::put(home, user, &UserRow { password_hash, ..row });
            let ending = this.all_but(user, Some(device)).await?;
            this.sign_out(user, ending, vec![write]).await
        })
        .await
    }

    /// Whether it is really the owner who asks to end the account; gives what
    /// [`Accounts::end`] wants.
    ///
    /// # Errors
    /// `credentials_wrong`, `rate_limited`, `overloaded`, `internal`.
    pub async fn confirm_end(
        &self,
        from: IpAddr,
        identity: &Identity,
        password: String,
    ) -> Result<Confirmed, AccountError> {
        self.confirm(from, identity, Zeroizing::new(password)).await.map(Confirmed)
    }

    /// Ends the account in one commit with `more`: nobody can sign in, every
    /// token is dead, every session told to close, and the name stays taken.
    /// What is left of it is noted as a departure, for whoever leaves its groups.
    /// Cancel safe: once begun it runs to its end.
    ///
    /// # Errors
    /// `credentials_wrong` when the password was changed meanwhile,
    /// `token_invalid` when the account is gone, `overloaded`,
    /// `storage_failed`, `internal`.
    pub async fn end(
        &self,
        identity: &Identity,
        confirmed: Confirmed,
        more: Vec<Write>,
    ) -> Result<(), AccountError> {
        let (this, Identity { user, device, .. }) = (self.clone(), identity.clone());
        Self::finish(async move {
            let _lock = this.inner.users.lock(user).await;
            let row = this.unchanged(user, &confirmed.0).await?;
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
            let ending = this.all_but(user, None).await?;
            this.sign_out(user, ending, writes).await?;
            metrics::counter!(metric::ACCOUNTS_DELETED).increment(1);
            Ok(())
        })
        .await
    }

    /// Makes other rows of users durable.
    ///
    /// # Errors
    /// [`CommitError`]; whether they were kept is then unknown.
    pub(crate) async fn commit_rows(
        &self,
        shard: ShardId,
        writes: Vec<Write>,
    ) -> Result<(), CommitError> {
        self.inner.commit.commit(shard, writes).await
    }

    /// Checks the password of somebody who is signed in. Gives the hash that
    /// it matched.
    async fn confirm(
        &self,
        from: IpAddr,
        identity: &Identity,
        password: Password,
    ) -> Result<String, AccountError> {
        let (source, user) = (prefix(from), identity.user);
        // Who holds a stolen token guesses no faster than who has none.
        self.inner.rates.login(source, &identity.name)?;
        let row = self.user_row(user).await?.ok_or(Code::TokenInvalid)?;
        let stored = row.password_hash;
        let verdict = self.inner.hasher.verify(password, Some(stored.clone())).await?;
        if verdict == Verdict::Wrong {
            self.inner.rates.login_failed(source, &identity.name);
            return Err(Code::CredentialsWrong.into());
        }
        Ok(stored)
    }

    /// The account, if its password is still the one that was checked. The
    /// caller holds the user's lock.
    pub(super) async fn unchanged(
        &self,
        user: UserId,
        password_hash: &str,
    ) -> Result<UserRow, AccountError> {
        let row = self.user_row(user).await?.ok_or(Code::TokenInvalid)?;
        if row.password_hash == password_hash {
            Ok(row)
        } else {
            Err(Code::CredentialsWrong.into())
        }
    }

    async fn user_row(&self, user: UserId) -> Result<Option<UserRow>, AccountError> {
        let home = self.inner.shards.of_user(user);
        let row = self.read(move |inner| inner.store.user(home, user)).await?;
        Ok(row.filter(|row| !row.is_deleted()))
    }
}

/// The owner was asked for the password and knew it.
pub struct Confirmed(String);

// The hash stays out of debug output.
impl std::fmt::Debug for Confirmed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Confirmed")
    }
}
