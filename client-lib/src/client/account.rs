//! The account: its devices, its password, its data, its end. By HTTP, since
//! what they do must not hang on a session.

use bytes::Bytes;
use parley_protocol::http::Device;
use parley_protocol::ids::DeviceId;
use secrecy::SecretString;

use super::Client;
use crate::driver::Command;
use crate::machine::Error;

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

    /// Signs all other devices out.
    ///
    /// # Errors
    /// As [`Client::devices`].
    ///
    /// # Cancel safety
    /// Dropped before it returns, it may or may not have happened.
    pub async fn log_out_others(&self) -> Result<(), Error> {
        self.shared.0.http.revoke_other_devices(&self.shared.token()?).await
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

    /// Changes the password, which signs all other devices out. A client that
    /// was given the old one uses the new one from now on.
    ///
    /// # Errors
    /// `credentials_wrong`, `password_invalid`; as [`Client::devices`].
    ///
    /// # Cancel safety
    /// Dropped before it returns, it may or may not have happened.
    pub async fn change_password(
        &self,
        old: impl Into<SecretString>,
        new: impl Into<SecretString>,
    ) -> Result<(), Error> {
        let (old, new) = (old.into(), new.into());
        self.shared.0.http.change_password(&self.shared.token()?, &old, &new).await?;
        // A client that is closed signs in no more.
        let _ = self.shared.command(Command::NewPassword(new)).await;
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
