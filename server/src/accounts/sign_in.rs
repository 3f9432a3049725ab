//! Sign-up and login: how a device gets its token.

use std::net::IpAddr;

use parley_protocol::http::{Credentials, DeviceLabel, SignedIn};
use parley_protocol::{Code, DeviceId, UserId};
use zeroize::Zeroizing;

use super::password::{Password, Verdict};
use super::tokens::{self, TokenHash};
use super::{AccountError, Accounts, check};
use crate::base::address::prefix;
use crate::base::clock::wall_ms;
use crate::base::metrics::list as metric;
use crate::base::random;
use crate::storage::store::tables::{devices, names, tokens as token_rows, users};
use crate::storage::store::{DeviceRow, DeviceToken, TokenRow, UserRow, Write};

impl Accounts {
    /// Makes an account with its first device and signs that in.
    ///
    /// Cancel safe: once begun it runs to its end; the account may then exist
    /// although nobody was told.
    ///
    /// # Errors
    /// `sign_up_closed`, `name_invalid`, `password_invalid`, `device_invalid`,
    /// `name_taken`, `rate_limited`, `overloaded`, `storage_failed`, `internal`.
    pub async fn sign_up(
        &self,
        from: IpAddr,
        request: Credentials,
    ) -> Result<SignedIn, AccountError> {
        let done = self.try_sign_up(from, request).await;
        metrics::counter!(metric::SIGN_UPS, "outcome" => outcome(&done)).increment(1);
        done
    }

    /// Signs a device in to an account.
    ///
    /// Cancel safe as [`Accounts::sign_up`].
    ///
    /// # Errors
    /// `credentials_wrong` alike for unknown names and wrong passwords,
    /// `too_many_devices`, `name_invalid`, `password_invalid`,
    /// `device_invalid`, `rate_limited`, `overloaded`, `storage_failed`,
    /// `internal`.
    pub async fn login(
        &self,
        from: IpAddr,
        request: Credentials,
    ) -> Result<SignedIn, AccountError> {
        let done = self.try_login(from, request).await;
        metrics::counter!(metric::LOGINS, "outcome" => outcome(&done)).increment(1);
        done
    }

    async fn try_sign_up(
        &self,
        from: IpAddr,
        request: Credentials,
    ) -> Result<SignedIn, AccountError> {
        let Credentials { name, password, device, .. } = request;
        let password: Password = Zeroizing::new(password);
        if !self.inner.options.sign_up {
            return Err(Code::SignUpClosed.into());
        }
        check_all(&name, &password, &device)?;
        self.inner.rates.sign_up(prefix(from))?;
        // Before the hash, which is what costs; and again under the lock.
        self.refuse_taken(&name).await?;
        let password_hash = self.inner.hasher.hash(password).await?;
        let this = self.clone();
        Self::finish(async move {
            let _lock = this.inner.names.lock(&name).await;
            this.refuse_taken(&name).await?;
            this.create(name, password_hash, device).await
        })
        .await
    }

    async fn try_login(
        &self,
        from: IpAddr,
        request: Credentials,
    ) -> Result<SignedIn, AccountError> {
        let Credentials { name, password, device, .. } = request;
        let password: Password = Zeroizing::new(password);
        check_all(&name, &password, &device)?;
        let source = prefix(from);
        self.inner.rates.login(source, &name)?;
        let account = self.account(name.clone()).await?;
        let stored = account.as_ref().map(|(_, row)| row.password_hash.clone());
        let verdict = self.inner.hasher.verify(password.clone(), stored).await?;
        let Some((user, row)) = account.filter(|_| verdict != Verdict::Wrong) else {
            self.inner.rates.login_failed(source, &name);
            return Err(Code::CredentialsWrong.into());
        };
        let rehashed = match verdict {
            // A login is good without it, so a full pool doesn't refuse it.
            Verdict::Outdated => self.inner.hasher.hash(password).await.ok(),
            _ => None,
        };
        let this = self.clone();
        Self::finish(async move {
            let _lock = this.inner.users.lock(user).await;
            // The password may have been changed, or the account ended, meanwhile.
            let row = this.unchanged(user, &row.password_hash).await?;
            this.sign_in_device(source, user, row, rehashed, device).await
        })
        .await
    }

    async fn refuse_taken(&self, name: &str) -> Result<(), AccountError> {
        let name = name.to_owned();
        let taken = self
            .read(move |inner| inner.store.user_of_name(inner.shards.of_name(&name), &name))
            .await?;
        if taken.is_some() { Err(Code::NameTaken.into()) } else { Ok(()) }
    }

    /// The account of a name. Reads as much for one that doesn't exist.
    async fn account(&self, name: String) -> Result<Option<(UserId, UserRow)>, AccountError> {
        self.read(move |inner| {
            let user = inner.store.user_of_name(inner.shards.of_name(&name), &name)?;
            let id = user.unwrap_or(UserId::new([0; 16]));
            let row = inner.store.user(inner.shards.of_user(id), id)?;
            Ok(user.zip(row.filter(|row| !row.is_deleted())))
        })
        .await
    }

    async fn create(
        &self,
        name: String,
        password_hash: String,
        label: DeviceLabel,
    ) -> Result<SignedIn, AccountError> {
        let shards = self.inner.shards;
        let user = UserId::new(random::id());
        let home = shards.of_user(user);
        let now = wall_ms();
        let row = UserRow { name: name.clone(), password_hash, created_ms: now, deleted_ms: 0 };
        let mut device = NewToken::mint(user, DeviceId::new(random::id()))?;
        let token = std::mem::take(&mut device.token);
        let device_row = DeviceRow {
            name: label.name,
            platform: label.platform,
            created_ms: now,
            tokens: vec![device.row(now)],
        };
        let writes = vec![
            names::put(shards.of_name(&name), &name, user),
            users::put(home, user, &row),
            devices::put(home, user, device.id, &device_row),
            device.write(self),
        ];
        self.inner.commit.commit(home, writes).await?;
        Ok(signed_in(user, name, device.id, token))
    }

    /// Signs the device in; the caller holds the user's lock.
    async fn sign_in_device(
        &self,
        from: IpAddr,
        user: UserId,
        account: UserRow,
        rehashed: Option<String>,
        label: DeviceLabel,
    ) -> Result<SignedIn, AccountError> {
        let (home, most) = (self.inner.shards.of_user(user), self.inner.options.devices);
        let known = self.read(move |inner| inner.store.devices(home, user, most)).await?;
        let full = known.len() >= most;
        let same = known.into_iter().find(|(_, row)| row.name == label.name);
        if same.is_none() && full {
            return Err(Code::TooManyDevices.into());
        }
        if same.is_none() {
            self.inner.rates.new_device(from, user)?;
        }
        let now = wall_ms();
        let (id, mut row) = same.unwrap_or_else(|| {
            let row = DeviceRow {
                name: label.name,
                platform: String::new(),
                created_ms: now,
                tokens: Vec::new(),
            };
            (DeviceId::new(random::id()), row)
        });
        row.platform = label.platform;
        let mut device = NewToken::mint(user, id)?;
        let token = std::mem::take(&mut device.token);
        let excess =
            (row.tokens.len() + 1).saturating_sub(self.inner.options.tokens).min(row.tokens.len());
        let ended: Vec<TokenHash> =
            row.tokens.drain(..excess).filter_map(|old| hash_of(&old)).collect();
        row.tokens.push(device.row(now));
        let mut writes = vec![devices::put(home, user, id, &row), device.write(self)];
        writes.extend(ended.iter().map(|hash| self.delete_token(hash)));
        let name = account.name.clone();
        if let Some(password_hash) = rehashed {
            writes.push(users::put(home, user, &UserRow { password_hash, ..account }));
        }
        self.inner.commit.commit(home, writes).await?;
        self.inner.cache.revoke(ended.into_iter());
        Ok(signed_in(user, name, id, token))
    }

    pub(super) fn delete_token(&self, hash: &TokenHash) -> Write {
        token_rows::delete(self.inner.shards.of_bytes(&hash.0), hash.0)
    }
}

/// A token for a device, not yet written.
struct NewToken {
    user: UserId,
    id: DeviceId,
    token: String,
    hash: TokenHash,
}

impl NewToken {
    fn mint(user: UserId, id: DeviceId) -> Result<Self, AccountError> {
        let (token, hash) = tokens::mint()?;
        Ok(Self { user, id, token, hash })
    }

    fn row(&self, created_ms: u64) -> DeviceToken {
        DeviceToken { hash: bytes::Bytes::copy_from_slice(&self.hash.0), created_ms }
    }

    fn write(&self, accounts: &Accounts) -> Write {
        let shard = accounts.inner.shards.of_bytes(&self.hash.0);
        token_rows::put(shard, self.hash.0, &TokenRow::new(self.user, self.id))
    }
}

pub(super) fn hash_of(token: &DeviceToken) -> Option<TokenHash> {
    token.hash.as_ref().try_into().ok().map(TokenHash)
}

fn signed_in(user: UserId, name: String, device: DeviceId, token: String) -> SignedIn {
    SignedIn { user_id: user.to_string(), name, device_id: device.to_string(), token }
}

fn check_all(name: &str, password: &str, device: &DeviceLabel) -> Result<(), Code> {
    check::name(name)?;
    check::password(password)?;
    check::device(device)
}

fn outcome(done: &Result<SignedIn, AccountError>) -> &'static str {
    match done {
        Ok(_) => "done",
        Err(error) => error.code().name(),
    }
}
