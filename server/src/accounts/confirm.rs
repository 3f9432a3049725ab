//! The password asked again: for changing it, and for ending the account.

use parley_protocol::http::Renewed;
use parley_protocol::{Code, ShardId, UserId};
use zeroize::Zeroizing;

use super::password::{Password, Urgency, Verdict};
use super::{AccountError, Accounts, Asking, check};
use crate::base::address::prefix;
use crate::base::space::Need;
use crate::storage::rows::CommitError;
use crate::storage::store::tables::users;
use crate::storage::store::{UserRow, Write};

impl Accounts {
    /// Gives the account another password, and ends every credential but the
    /// asking one as [`Accounts::revoke_others`] does: returns what took its
    /// place. Cancel safe: once begun it runs to its end.
    ///
    /// # Errors
    /// `credentials_wrong` for the wrong old password, `password_invalid`,
    /// `token_invalid`, `rate_limited`, `overloaded`, `storage_failed`,
    /// `internal`.
    pub async fn change_password(
        &self,
        asking: &Asking,
        old: String,
        new: String,
    ) -> Result<Renewed, AccountError> {
        let (old, new): (Password, Password) = (Zeroizing::new(old), Zeroizing::new(new));
        check::password(&new)?;
        self.need(Need::Upkeep)?;
        let known = self.confirm(asking, old).await?;
        let password_hash = self.inner.hasher.hash(new, Urgency::Known).await?;
        let (this, asking) = (self.clone(), asking.clone());
        let user = asking.identity.user;
        Self::finish(async move {
            let _lock = this.inner.users.lock(user).await;
            let row = this.unchanged(user, &known).await?;
            let home = this.inner.shards.of_user(user);
            let write = users::put(home, user, &UserRow { password_hash, ..row });
            this.put_others_out(&asking, vec![write]).await
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
        asking: &Asking,
        password: Password,
    ) -> Result<String, AccountError> {
        let Asking { identity, credential, from } = asking;
        // Who holds a stolen token guesses no faster than who has none, and uses up
        // nobody else's tries.
        let tried = self.inner.rates.signed_in(prefix(*from), &credential.0)?;
        let row = self.user_row(identity.user).await?.ok_or(Code::TokenInvalid)?;
        let stored = row.password_hash;
        let verdict = self.inner.hasher.verify(
            &identity.name,
            password,
            Some(stored.clone()),
            Urgency::Known,
        );
        let verdict = verdict.await;
        if matches!(verdict, Ok(Verdict::Wrong)) {
            return Err(Code::CredentialsWrong.into());
        }
        self.inner.rates.right(tried);
        verdict?;
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
