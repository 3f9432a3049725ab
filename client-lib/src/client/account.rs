//! The account: its devices, its password, its data, its end. By HTTP, since
//! what they do must not hang on a session.

use bytes::Bytes;
use parley_protocol::http::Device;
use parley_protocol::ids::DeviceId;
use secrecy::SecretString;
use tokio::sync::oneshot;

use super::Client;
use crate::driver::Command;
use crate::machine::{Error, Token};

impl Client {
    /// The devices of this account.
    ///
    /// # Errors
    /// The server's refusal, or [`crate::ErrorKind::Network`].
    ///
    /// # Cancel safety
    /// Dropping the future cuts the HTTP request.
    pub async fn devices(&self) -> Result<Vec<Device>, Error> {
        self.shared.0.http.devices(&self.shared.token()?).await
    }

    /// Signs a device out: its tokens die and its sessions end.
    ///
    /// # Errors
    /// As [`Client::devices`].
    ///
    /// # Cancel safety
    /// Dropped before it returns, it may or may not have happened.
    pub async fn revoke_device(&self, device: DeviceId) -> Result<(), Error> {
        self.shared.0.http.revoke_device(&self.shared.token()?, device).await
    }

    /// Signs all other devices out, and ends every other token of this one. The
    /// client goes on with a new token, which it keeps.
    ///
    /// # Errors
    /// As [`Client::devices`].
    ///
    /// # Cancel safety
    /// Dropped before it returns, it may or may not have happened; if it has, the
    /// client has to sign in again.
    pub async fn log_out_others(&self) -> Result<(), Error> {
        let token = self.shared.0.http.revoke_other_devices(&self.shared.token()?).await?;
        self.renew(token).await;
        Ok(())
    }

    /// Goes on with a token that took the place of the one before.
    async fn renew(&self, token: Token) {
        let (reply, kept) = oneshot::channel();
        // A client that is closed has no more use for it.
        let _ = self.shared.command(Command::NewToken { token, reply }).await;
        let _ = kept.await;
    }

    /// Signs this device out and closes the client.
    ///
    /// # Errors
    /// As [`Client::devices`]; the client stays open then.
    ///
    /// # Cancel safety
    /// Dropped before it returns, it may or may not have happened.
    pub async fn logout(&self) -> Result<(), Error> {
        self.shared.0.http.logout(&self.shared.token()?).await?;
        self.forget().await;
        Ok(())
    }

    /// Changes the password, which signs out and replaces tokens as
    /// [`Client::log_out_others`] does. A client that was given the old password
    /// uses the new one from now on.
    ///
    /// # Errors
    /// `credentials_wrong`, `password_invalid`; as [`Client::devices`].
    ///
    /// # Cancel safety
    /// As [`Client::log_out_others`].
    pub async fn change_password(
        &self,
        old: impl Into<SecretString>,
        new: impl Into<SecretString>,
    ) -> Result<(), Error> {
        let (old, new) = (old.into(), new.into());
        let http = &self.shared.0.http;
        let token = http.change_password(&self.shared.token()?, &old, &new).await?;
        // A client that is closed signs in no more.
        let _ = self.shared.command(Command::NewPassword(new)).await;
        self.renew(token).await;
        Ok(())
    }

    /// All data of the account as lines of JSON, given piece by piece to `take`
    /// as they come. Returns how many bytes there were.
    ///
    /// # Errors
    /// What `take` fails with; as [`Client::devices`].
    ///
    /// # Cancel safety
    /// Dropping the future cuts the HTTP request.
    pub async fn export(
        &self,
        take: impl FnMut(Bytes) -> std::io::Result<()>,
    ) -> Result<u64, Error> {
        self.shared.0.http.export(&self.shared.token()?, take).await
    }

    /// Deletes the account for good: it leaves its groups, its profile and
    /// devices go, its name stays taken. Then the client closes.
    ///
    /// # Errors
    /// `credentials_wrong`; as [`Client::devices`]. The client stays open then.
    ///
    /// # Cancel safety
    /// Dropped before it returns, it may or may not have happened.
    pub async fn delete_account(&self, password: impl Into<SecretString>) -> Result<(), Error> {
        self.shared.0.http.delete_account(&self.shared.token()?, &password.into()).await?;
        self.forget().await;
        Ok(())
    }

    /// Wipes what this device kept and closes.
    async fn forget(&self) {
        let _ = self.shared.command(Command::Forget).await;
        self.shared.0.commands.closed().await;
    }
}
