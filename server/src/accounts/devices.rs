//! Tokens in use, and the devices behind them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parley_protocol::http::{self, Renewed};
use parley_protocol::{Code, DeviceId, UserId};

use super::idle::has_ended;
use super::sign_in::{NewToken, hash_of};
use super::tokens::{Lookup, TokenHash};
use super::{AccountError, Accounts, Credential, Identity, Inner, User, check};
use crate::base::clock::{self, wall_ms};
use crate::chat::link::Opener;
use crate::storage::store::tables::{devices, ended, seen};
use crate::storage::store::{DeviceRow, EndedDevice, EndedRow, StoreError, Write};

/// What ends the sign-in of some devices.
#[derive(Default)]
pub(super) struct Ending {
    devices: Vec<DeviceId>,
    tokens: Vec<TokenHash>,
    writes: Vec<Write>,
    /// The credential that stays, what took its place, and where it asks from:
    /// sessions of all others end.
    renewed: Option<(Opener, TokenHash)>,
}

/// Who asks for something that only a certain credential may survive.
#[derive(Clone)]
pub struct Asking {
    /// Whom it speaks for.
    pub identity: Identity,
    /// What it asks with.
    pub credential: Credential,
    /// Where it asks from.
    pub from: IpAddr,
}

/// All of a user's devices: as many as there ever might be, also when fewer are
/// allowed now.
pub(super) const ALL: usize = usize::MAX;

/// Signed-out devices of one account that come back as the same: the last so many
/// names.
const REMEMBERED: usize = 128;

/// Reads of the store for one token while others are being revoked.
const TRIES: usize = 4;

impl Accounts {
    /// Who a token speaks for.
    ///
    /// # Errors
    /// As [`Accounts::identify`].
    pub async fn authenticate(&self, token: &[u8]) -> Result<Identity, AccountError> {
        self.identify(&Credential::of_token(token).ok_or(Code::TokenInvalid)?).await
    }

    /// Who a credential speaks for.
    ///
    /// A session that has just been attached to the user's home asks
    /// again: a revocation in between has not seen it. That costs no read.
    ///
    /// # Errors
    /// `token_invalid`, `internal`.
    pub async fn identify(&self, credential: &Credential) -> Result<Identity, AccountError> {
        let hash = credential.0;
        let mut read = None;
        for _ in 0..TRIES {
            let asked_at = match self.inner.cache.find(&hash, clock::now()) {
                Lookup::Known(identity) => return Ok(identity),
                Lookup::Ask(asked_at) => asked_at,
            };
            let identity =
                self.read(move |inner| owner(inner, &hash)).await?.ok_or(Code::TokenInvalid)?;
            if self.inner.cache.fill(hash, &identity, asked_at, clock::now()) {
                return Ok(identity);
            }
            read = Some(identity);
        }
        // Something is revoked all the time; this token was good a moment ago.
        read.ok_or_else(AccountError::internal)
    }

    /// Signs the asking device out.
    ///
    /// # Errors
    /// As [`Accounts::revoke`].
    pub async fn logout(&self, identity: &Identity) -> Result<(), AccountError> {
        self.revoke(identity.user, identity.device).await
    }

    /// Signs a device out: its tokens are dead and its sessions told to close
    /// when this answers. Cancel safe: once begun it runs to its end.
    ///
    /// # Errors
    /// `not_found` when the user has no such device, `overloaded`,
    /// `storage_failed`, `internal`.
    pub async fn revoke(&self, user: UserId, device: DeviceId) -> Result<(), AccountError> {
        let this = self.clone();
        Self::finish(async move {
            let _lock = this.inner.users.lock(user).await;
            let home = this.inner.shards.of_user(user);
            let read = move |inner: &Inner| {
                Ok((inner.store.device(home, user, device)?, inner.store.ended(home, user)?))
            };
            let (row, remembered) = this.read(read).await?;
            let ending = this.ending(user, vec![(device, row.ok_or(Code::NotFound)?)], remembered);
            this.sign_out(user, ending, Vec::new()).await
        })
        .await
    }

    /// Ends every credential of the account but the asking one, which is
    /// replaced: returns the token that took its place. Other devices are signed
    /// out, other tokens of the asking device are dead, and sessions that others
    /// opened are told to close when this answers. Cancel safe: once begun it
    /// runs to its end.
    ///
    /// # Errors
    /// `token_invalid` when the asking token ended meanwhile, `overloaded`,
    /// `storage_failed`, `internal`.
    pub async fn revoke_others(&self, asking: &Asking) -> Result<Renewed, AccountError> {
        let (this, asking) = (self.clone(), asking.clone());
        Self::finish(async move {
            let _lock = this.inner.users.lock(asking.identity.user).await;
            this.put_others_out(&asking, Vec::new()).await
        })
        .await
    }

    /// Ends every credential but the asking one, which it replaces, in one commit
    /// with `more`. The caller holds the user's lock.
    pub(super) async fn put_others_out(
        &self,
        asking: &Asking,
        more: Vec<Write>,
    ) -> Result<Renewed, AccountError> {
        let Asking { identity: Identity { user, device, .. }, credential, from } = asking;
        let (user, device, old) = (*user, *device, credential.0);
        let home = self.inner.shards.of_user(user);
        let read = move |inner: &Inner| {
            Ok((inner.store.devices(home, user, ALL)?, inner.store.ended(home, user)?))
        };
        let (mut rows, remembered) = self.read(read).await?;
        let own = rows.iter().position(|(id, _)| *id == device).map(|at| rows.swap_remove(at));
        // Whoever was put out while this waited puts nobody out.
        let (_, mut row) = own.ok_or(Code::TokenInvalid)?;
        if !row.tokens.iter().any(|token| hash_of(token) == Some(old)) {
            return Err(Code::TokenInvalid.into());
        }
        let mut ending = self.ending(user, rows, remembered);
        let ended: Vec<TokenHash> = row.tokens.iter().filter_map(hash_of).collect();
        let past = std::mem::take(&mut row.tokens);
        row.remember(past);
        let mut new = NewToken::mint(user, device)?;
        let token = std::mem::take(&mut new.token);
        row.tokens = vec![new.row(wall_ms())];
        ending.writes.extend(ended.iter().map(|hash| self.delete_token(hash)));
        ending.writes.push(devices::put(home, user, device, &row));
        ending.writes.push(new.write(self));
        ending.tokens.extend(ended);
        ending.renewed = Some((credential.opener(*from), new.hash));
        self.sign_out(user, ending, more).await?;
        Ok(Renewed { token })
    }

    /// What signs all devices out for good. The caller holds the user's lock.
    pub(super) async fn all(&self, user: UserId) -> Result<Ending, AccountError> {
        let home = self.inner.shards.of_user(user);
        let rows = self.read(move |inner| inner.store.devices(home, user, ALL)).await?;
        let mut ending = self.ending(user, rows, EndedRow::default());
        // After what the others left: nobody comes back to this account.
        ending.writes.push(ended::delete(home, user));
        Ok(ending)
    }

    /// What signs these devices out, and remembers them among those that were.
    fn ending(
        &self,
        user: UserId,
        rows: Vec<(DeviceId, DeviceRow)>,
        mut remembered: EndedRow,
    ) -> Ending {
        let home = self.inner.shards.of_user(user);
        let mut ending = Ending::default();
        for (device, row) in rows {
            ending.writes.push(devices::delete(home, user, device));
            ending.writes.push(seen::delete(home, user, device));
            ending.tokens.extend(row.tokens.iter().filter_map(hash_of));
            ending.devices.push(device);
            let tokens = row.past.into_iter().chain(row.tokens.into_iter().map(|token| token.hash));
            let tokens = tokens.collect();
            let ended = EndedDevice { device: device.to_wire(), name: row.name, tokens };
            remembered.remember(ended, REMEMBERED);
        }
        if !ending.devices.is_empty() {
            ending.writes.push(ended::put(home, user, &remembered));
        }
        ending.writes.extend(ending.tokens.iter().map(|hash| self.delete_token(hash)));
        ending
    }

    /// Signs devices out, in one commit with `more`. The caller holds the
    /// user's lock.
    pub(super) async fn sign_out(
        &self,
        user: UserId,
        ending: Ending,
        more: Vec<Write>,
    ) -> Result<(), AccountError> {
        let Ending { devices, tokens, mut writes, renewed } = ending;
        writes.extend(more);
        if writes.is_empty() {
            return Ok(());
        }
        self.inner.commit.commit(self.inner.shards.of_user(user), writes).await?;
        self.inner.cache.revoke(tokens.into_iter());
        let homes = &self.inner.homes;
        if let Some((kept, new)) = renewed {
            homes.cut_others(user, &kept, new.0, Code::SessionRevoked);
        }
        for device in devices {
            self.inner.active.forget(device);
            homes.cut(user, device, Code::SessionRevoked);
        }
        Ok(())
    }

    /// The devices of the one who asks, oldest first.
    ///
    /// # Errors
    /// `internal`.
    pub async fn devices(&self, identity: &Identity) -> Result<Vec<http::Device>, AccountError> {
        let user = identity.user;
        let home = self.inner.shards.of_user(user);
        let read = move |inner: &Inner| {
            let seen: HashMap<_, _> = inner.store.seen(home, user, ALL)?.into_iter().collect();
            Ok((inner.store.devices(home, user, ALL)?, seen))
        };
        let (rows, seen) = self.read(read).await?;
        let last_active = |id: &DeviceId| {
            // What was written may be of a clock that was ahead.
            match self.inner.active.last_ms(*id) {
                0 => seen.get(id).map_or(0, |row| row.active_ms),
                heard_ms => heard_ms,
            }
        };
        let mut devices: Vec<_> = rows
            .into_iter()
            .map(|(id, row)| http::Device {
                device_id: id.to_string(),
                name: row.name,
                platform: row.platform,
                created_ms: row.created_ms,
                current: id == identity.device,
                sessions: self.inner.homes.open_sessions(user, id),
                last_active_ms: last_active(&id),
                signed_in_ms: row.signed_in_ms,
                tokens: u32::try_from(row.tokens.len()).unwrap_or(u32::MAX),
                signed_in_from: row.signed_in_from,
            })
            .collect();
        devices.sort_by_key(|device| device.created_ms);
        Ok(devices)
    }

    /// The account with exactly this name.
    ///
    /// # Errors
    /// `internal`.
    pub async fn find_by_name(&self, name: &str) -> Result<Option<User>, AccountError> {
        if check::name(name).is_err() {
            return Ok(None);
        }
        let name = name.to_owned();
        self.read(move |inner| {
            match inner.store.user_of_name(inner.shards.of_name(&name), &name)? {
                Some(id) => user(inner, id),
                None => Ok(None),
            }
        })
        .await
    }

    /// The account with this id.
    ///
    /// # Errors
    /// `internal`.
    pub async fn find_by_id(&self, id: UserId) -> Result<Option<User>, AccountError> {
        self.read(move |inner| user(inner, id)).await
    }

    /// Whether there is an account with this id.
    ///
    /// # Errors
    /// `internal`.
    pub async fn exists(&self, id: UserId) -> Result<bool, AccountError> {
        Ok(self.find_by_id(id).await?.is_some())
    }
}

fn user(inner: &Inner, id: UserId) -> Result<Option<User>, StoreError> {
    let row = inner.store.user(inner.shards.of_user(id), id)?.filter(|row| !row.is_deleted());
    Ok(row.map(|row| User { id, name: row.name, created_ms: row.created_ms }))
}

fn owner(inner: &Inner, hash: &TokenHash) -> Result<Option<Identity>, StoreError> {
    let Some(row) = inner.store.token(inner.shards.of_bytes(&hash.0), hash.0)? else {
        return Ok(None);
    };
    let now_ms = inner.lasting.now_ms(clock::now());
    if has_ended(row.used_ms, now_ms, inner.options.token_idle) {
        return Ok(None);
    }
    let Ok((user, device)) = row.owner() else {
        tracing::error!("a stored session token names no user");
        return Ok(None);
    };
    let account = inner.store.user(inner.shards.of_user(user), user)?;
    Ok(account.filter(|account| !account.is_deleted()).map(|account| Identity {
        user,
        device,
        name: Arc::from(account.name),
    }))
}
