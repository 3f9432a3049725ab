//! The password asked again: for changing it, and for ending the account.

use std::net::IpAddr;

use parley_protocol::{Code, ShardId, UserId};
use zeroize::Zeroizing;

use super::password::{Password, Verdict};
use super::{AccountError, Accounts, Identity, check};
use crate::base::address::prefix;
use crate::storage::rows::CommitError;
use crate::storage::store::tables::users;
use crate::storage::store::{UserRow, Write};

impl Accounts {
    /// Gives the account another password. All devices but the asking one are
    /// signed out: their tokens are dead and their sessions told to close when
    /// this returns. Cancel safe: once begun it runs to its end.
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

    /// Makes other rows of users durable.
    ///
    /// # Errors
    /// [`CommitError`]; whether they were kept is then unknown.
    pub(super) async fn commit_rows(
        &self,
        shard: ShardId,
        writes: Vec<Write>,
    ) -> Result<(), CommitError> {
        self.inner.commit.commit(shard, writes).await
    }

    /// Checks the password of somebody who is signed in. Returns the hash that
    /// it matched, which stays out of debug output and logs.
    ///
    /// # Errors
    /// `credentials_wrong`, `token_invalid`, `rate_limited`, `overloaded`, `internal`.
    pub(super) async fn confirm(
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
