//! The generator's users: signed up in parallel, kept in a file on demand.
//!
//! A password hash costs the server about 20 ms on purpose, so thousands of
//! users take a while; with `--tokens` the next run has them at once. The file
//! holds session tokens of made-up users and is readable by its owner alone.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use parley_client::{Error, HttpApi, Trust};
use parley_protocol::UserId;
use parley_protocol::http::SignedIn;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::args::TargetArgs;

/// Sign-ups at a time; the server hashes four at a time by default.
const PARALLEL: usize = 8;

/// Tries of one sign-up that the server puts off.
const TRIES: u32 = 20;

/// One user who can open sessions.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Account {
    user: String,
    token: String,
    /// Tokens of further devices.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    more: Vec<String>,
}

impl Account {
    /// The user's id as a wire field.
    ///
    /// # Errors
    /// When the server's answer, or the file, holds something else.
    pub(crate) fn user(&self) -> anyhow::Result<Bytes> {
        Ok(self.user_id()?.to_wire())
    }

    /// The id of the user.
    ///
    /// # Errors
    /// As [`Account::user`].
    pub(crate) fn user_id(&self) -> anyhow::Result<UserId> {
        self.user.parse().context("a user id")
    }

    /// The token of a device, from 0, as a wire field.
    ///
    /// # Errors
    /// As [`Account::user`], and when there is no such device.
    pub(crate) fn token(&self, device: usize) -> anyhow::Result<Bytes> {
        let token = match device.checked_sub(1) {
            None => &self.token,
            Some(more) => self.more.get(more).context("no such device")?,
        };
        Ok(base16ct::mixed::decode_vec(token)
            .ok()
            .context("a token is written in hex digits")?
            .into())
    }
}

/// Returns `users` users with so many devices each, from the file as far as it goes, the
/// rest by sign-up.
///
/// # Errors
/// When the server refuses a sign-up, or the file can't be read or written.
pub(crate) async fn prepare(
    target: &TargetArgs,
    users: usize,
    devices: usize,
) -> anyhow::Result<Vec<Account>> {
    let mut accounts = match &target.tokens {
        Some(path) if path.exists() => load(path)?,
        _ => Vec::new(),
    };
    // Passwords aren't kept, so a user who lacks a device is of no use here.
    accounts.retain(|account: &Account| account.more.len() + 1 >= devices);
    let missing = users.saturating_sub(accounts.len());
    if missing > 0 {
        eprintln!("signing up {missing} users");
        accounts.extend(sign_up(target, missing, devices).await?);
        if let Some(path) = &target.tokens {
            save(path, &accounts)?;
        }
    }
    accounts.truncate(users);
    Ok(accounts)
}

async fn sign_up(
    target: &TargetArgs,
    count: usize,
    devices: usize,
) -> anyhow::Result<Vec<Account>> {
    let trust = match &target.trust {
        Some(pin) => Trust::fingerprint(pin)?,
        None => Trust::system(),
    };
    let api = HttpApi::new(&target.server, trust)?;
    let batch = format!("bench-{:08x}", fastrand::u32(..));
    let api = &api;
    let batch = &batch;
    futures_util::stream::iter(0..count)
        .map(|number| async move { one(api, &format!("{batch}-{number}"), devices).await })
        .buffered(PARALLEL)
        .try_collect()
        .await
}

async fn one(api: &HttpApi, name: &str, devices: usize) -> anyhow::Result<Account> {
    // Nobody needs to know it: the tokens are what opens sessions.
    let password = &SecretString::from(format!("{:032x}", fastrand::u128(..)));
    let first = with_retries(|| api.sign_up(name, password, "bench", "bench")).await?;
    let mut account = Account { user: first.user_id, token: first.token, more: Vec::new() };
    for device in 1..devices {
        let device = format!("bench-{device}");
        let more = with_retries(|| api.login(name, password, &device, "bench")).await?;
        account.more.push(more.token);
    }
    Ok(account)
}

/// Tries again as long as the server says so.
async fn with_retries<F>(mut call: impl FnMut() -> F) -> anyhow::Result<SignedIn>
where
    F: Future<Output = Result<SignedIn, Error>>,
{
    let mut last = None;
    for _ in 0..TRIES {
        match call().await {
            Ok(signed_in) => return Ok(signed_in),
            Err(error) if error.is_retryable() => {
                let wait = error.retry_after().unwrap_or(Duration::from_millis(500));
                last = Some(error);
                tokio::time::sleep(wait).await;
            }
            Err(error) => return Err(error).context("sign-up"),
        }
    }
    let last = last.map_or_else(String::new, |error| format!(", at last with: {error}"));
    bail!("sign-ups were put off again and again{last}")
}

fn load(path: &Path) -> anyhow::Result<Vec<Account>> {
    let text = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("reading {}", path.display()))
}

fn save(path: &Path, accounts: &[Account]) -> anyhow::Result<()> {
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("writing {}", path.display()))?;
    file.write_all(&serde_json::to_vec(accounts)?)?;
    Ok(())
}
