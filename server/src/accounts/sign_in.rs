//! Sign-up and login: how a device gets its token.

use std::net::IpAddr;

use parley_core::session::notice;
use parley_core::user::name::{is_reserved, skeleton};
use parley_protocol::http::{Credentials, DeviceLabel, SignedIn};
use parley_protocol::wire::server_envelope::Kind;
use parley_protocol::{Code, DeviceId, UserId, wire};
use zeroize::Zeroizing;

use super::devices::ALL;
use super::password::{Password, Urgency, Verdict};
use super::tokens::{self, TokenHash};
use super::{AccountError, Accounts, Credential, Inner, check};
use crate::base::address::prefix;
use crate::base::clock::wall_ms;
use crate::base::metrics::list as metric;
use crate::base::random;
use crate::base::space::Need;
use crate::storage::store::tables::{
    devices, ended, names, skeletons, tokens as token_rows, users,
};
use crate::storage::store::{DeviceRow, DeviceToken, TokenRow, UserRow, Write};

impl Accounts {
    /// Makes an account with its first device and signs that in.
    ///
    /// Cancel safe: once begun it runs to its end; the account may then exist
    /// although nobody was told.
    ///
    /// # Errors
    /// `sign_up_closed`, `name_invalid`, `password_invalid`, `device_invalid`,
    /// `name_reserved`, `name_taken`, `name_too_similar`, `rate_limited`, `overloaded`, `storage_failed`, `internal`.
    pub async fn sign_up(
        &self,
        from: IpAddr,
        request: Credentials,
    ) -> Result<SignedIn, AccountError> {
        let done = self.try_sign_up(from, request).await;
        metrics::counter!(metric::SIGN_UPS, "outcome" => outcome(&done)).increment(1);
        done
    }

    /// Signs a device in to an account. A device that shows a token which the
    /// account gave it, also one that has ended since, is let try its own number
    /// of passwords, whatever others do.
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
        shown: Option<Credential>,
    ) -> Result<SignedIn, AccountError> {
        let done = self.try_login(from, request, shown).await;
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
        check::new_device(&device.name)?;
        self.need(Need::Growth)?;
        if is_reserved(&name, &self.inner.options.reserved) {
            return Err(Code::NameReserved.into());
        }
        self.inner.rates.sign_up(prefix(from))?;
        // Before anything is said of the name: to ask for it costs the same as to
        // get it.
        let password_hash = self.inner.hasher.hash(password, Urgency::Stranger).await?;
        let this = self.clone();
        Self::finish(async move {
            // One lock for all names that look alike.
            let _lock = this.inner.names.lock(skeleton(&name)).await;
            this.refuse_taken(&name).await?;
            this.create(from, name, password_hash, device).await
        })
        .await
    }

    async fn try_login(
        &self,
        from: IpAddr,
        request: Credentials,
        shown: Option<Credential>,
    ) -> Result<SignedIn, AccountError> {
        let Credentials { name, password, device, .. } = request;
        let password: Password = Zeroizing::new(password);
        check_all(&name, &password, &device)?;
        self.need(Need::Upkeep)?;
        let source = prefix(from);
        if shown.is_none() {
            self.inner.rates.login(source)?;
        }
        let (account, known) = self.account(name.clone(), shown.clone()).await?;
        let tried = match (&account, known) {
            (Some((user, _)), Some(device)) => self.inner.rates.known(*user, device)?,
            _ => {
                if shown.is_some() {
                    self.inner.rates.login(source)?;
                }
                self.inner.rates.stranger(source, &name)?
            }
        };
        let stored = account.as_ref().map(|(_, row)| row.password_hash.clone());
        let urgency = if known.is_some() { Urgency::Known } else { Urgency::Stranger };
        let verdict = self.inner.hasher.verify(&name, password.clone(), stored, urgency).await;
        let Some((user, row)) = account.filter(|_| !matches!(verdict, Ok(Verdict::Wrong))) else {
            return Err(verdict.err().unwrap_or_else(|| Code::CredentialsWrong.into()));
        };
        // A known device pays for each try: it goes ahead of all others.
        if known.is_none() {
            self.inner.rates.right(tried);
        }
        let verdict = verdict?;
        let rehashed = match verdict {
            // A login is good without it, so a full pool doesn't refuse it.
            Verdict::Outdated => self.inner.hasher.hash(password, urgency).await.ok(),
            _ => None,
        };
        let this = self.clone();
        Self::finish(async move {
            let _lock = this.inner.users.lock(user).await;
            // The password may have been changed, or the account ended, meanwhile.
            let row = this.unchanged(user, &row.password_hash).await?;
            this.sign_in_device(from, user, row, rehashed, device).await
        })
        .await
    }

    async fn refuse_taken(&self, name: &str) -> Result<(), AccountError> {
        let (name, skeleton) = (name.to_owned(), skeleton(name));
        let read = move |inner: &Inner| {
            let taken = inner.store.user_of_name(inner.shards.of_name(&name), &name)?;
            let alike = inner.store.has_skeleton(inner.shards.of_name(&skeleton), &skeleton)?;
            Ok((taken.is_some(), alike))
        };
        match self.read(read).await? {
            (true, _) => Err(Code::NameTaken.into()),
            (false, true) => Err(Code::NameTooSimilar.into()),
            (false, false) => Ok(()),
        }
    }

    /// The account of a name, and its device that had the token which is shown.
    /// Reads as much for a name that doesn't exist.
    async fn account(
        &self,
        name: String,
        shown: Option<Credential>,
    ) -> Result<(Option<(UserId, UserRow)>, Option<DeviceId>), AccountError> {
        self.read(move |inner| {
            let user = inner.store.user_of_name(inner.shards.of_name(&name), &name)?;
            let id = user.unwrap_or(UserId::new([0; 16]));
            let home = inner.shards.of_user(id);
            let row = inner.store.user(home, id)?;
            let account = user.zip(row.filter(|row| !row.is_deleted()));
            let Some(Credential(hash)) = shown else { return Ok((account, None)) };
            let token = inner.store.token(inner.shards.of_bytes(&hash.0), hash.0)?;
            let owner = token.and_then(|row| row.owner().ok());
            let live = owner.filter(|(of, _)| *of == id).map(|(_, device)| device);
            let had = |row: &DeviceRow| row.past.iter().any(|past| past == hash.0.as_slice());
            let devices = inner.store.devices(home, id, ALL)?;
            let past = devices.into_iter().find(|(_, row)| had(row)).map(|(device, _)| device);
            let ended = inner.store.ended(home, id)?.of_token(&hash.0);
            Ok((account, live.or(past).or(ended)))
        })
        .await
    }

    async fn create(
        &self,
        from: IpAddr,
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
            past: Vec::new(),
            signed_in_ms: now,
            signed_in_from: source_text(from),
        };
        let writes = vec![
            names::put(shards.of_name(&name), &name, user),
            skeletons::put(shards.of_name(&skeleton(&name)), &skeleton(&name), &name),
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
        let read = move |inner: &Inner| {
            Ok((inner.store.devices(home, user, ALL)?, inner.store.ended(home, user)?))
        };
        let (known, mut ended_devices) = self.read(read).await?;
        let full = known.len() >= most;
        let same = known.into_iter().find(|(_, row)| row.name == label.name);
        if same.is_none() {
            if !ended_devices.devices.iter().any(|known| known.name == label.name) {
                check::new_device(&label.name)?;
            }
            if full {
                return Err(Code::TooManyDevices.into());
            }
            self.inner.rates.new_device(user)?;
        }
        let now = wall_ms();
        let new_device = same.is_none();
        let mut writes = Vec::new();
        let (id, mut row) = same.unwrap_or_else(|| {
            let back = ended_devices.take(&label.name);
            if back.is_some() {
                writes.push(ended::put(home, user, &ended_devices));
            }
            let row = DeviceRow { name: label.name, created_ms: now, ..DeviceRow::default() };
            // The one it was before: what it sent and sends again is told apart by it.
            (back.unwrap_or_else(|| DeviceId::new(random::id())), row)
        });
        row.platform = label.platform;
        (row.signed_in_ms, row.signed_in_from) = (now, source_text(from));
        let mut device = NewToken::mint(user, id)?;
        let token = std::mem::take(&mut device.token);
        let excess =
            (row.tokens.len() + 1).saturating_sub(self.inner.options.tokens).min(row.tokens.len());
        let past: Vec<DeviceToken> = row.tokens.drain(..excess).collect();
        let ended: Vec<TokenHash> = past.iter().filter_map(hash_of).collect();
        row.remember(past);
        row.tokens.push(device.row(now));
        writes.push(devices::put(home, user, id, &row));
        writes.push(device.write(self));
        writes.extend(ended.iter().map(|hash| self.delete_token(hash)));
        let name = account.name.clone();
        if let Some(password_hash) = rehashed {
            writes.push(users::put(home, user, &UserRow { password_hash, ..account }));
        }
        self.inner.commit.commit(home, writes).await?;
        let opened: Vec<_> = ended.iter().map(|hash| hash.0).collect();
        self.inner.cache.revoke(ended.into_iter());
        // What newer tokens pushed out takes its sessions along.
        self.inner.homes.cut_opened_by(user, &opened, Code::SessionRevoked);
        // Whoever it was: those who are there see it now, the others in the list.
        let told =
            wire::SignedIn { device: id.to_wire(), name: row.name, new_device, time_ms: now };
        self.inner.homes.notify(user, &notice(Kind::SignedIn(told)), None);
        Ok(signed_in(user, name, id, token))
    }

    pub(super) fn delete_token(&self, hash: &TokenHash) -> Write {
        token_rows::delete(self.inner.shards.of_bytes(&hash.0), hash.0)
    }
}

/// A token for a device, not yet written.
pub(super) struct NewToken {
    user: UserId,
    id: DeviceId,
    pub(super) token: String,
    pub(super) hash: TokenHash,
}

impl NewToken {
    pub(super) fn mint(user: UserId, id: DeviceId) -> Result<Self, AccountError> {
        let (token, hash) = tokens::mint()?;
        Ok(Self { user, id, token, hash })
    }

    pub(super) fn row(&self, created_ms: u64) -> DeviceToken {
        DeviceToken { hash: bytes::Bytes::copy_from_slice(&self.hash.0), created_ms }
    }

    pub(super) fn write(&self, accounts: &Accounts) -> Write {
        let shard = accounts.inner.shards.of_bytes(&self.hash.0);
        token_rows::put(shard, self.hash.0, &TokenRow::new(self.user, self.id))
    }
}

pub(super) fn hash_of(token: &DeviceToken) -> Option<TokenHash> {
    token.hash.as_ref().try_into().ok().map(TokenHash)
}

/// A source, as its owner may read it.
fn source_text(from: IpAddr) -> String {
    match prefix(from) {
        IpAddr::V6(network) if !network.is_loopback() => format!("{network}/64"),
        address => address.to_string(),
    }
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
