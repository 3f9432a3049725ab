//! Getting a token: sign-up once if asked, login, or the application's callback.

use parley_protocol::Code;
use parley_protocol::http::SignedIn;
use secrecy::SecretString;

use super::Auth;
use crate::http::HttpApi;
use crate::machine::{Error, ErrorKind, Token};

#[derive(Clone)]
pub(super) struct SignIn {
    pub(super) auth: Auth,
    pub(super) http: HttpApi,
    pub(super) device_name: String,
    pub(super) platform: String,
    /// The account is to be made first.
    pub(super) sign_up: bool,
    /// The token there was last, to be shown at the next login.
    pub(super) had: Option<Token>,
    /// A sign-up had no answer: the account may be there.
    pub(super) sign_up_unknown: bool,
}

impl SignIn {
    pub(super) async fn run(self) -> Result<Token, Error> {
        match &self.auth {
            Auth::Credentials { name, password, .. } => {
                let (device, platform) = (&self.device_name, &self.platform);
                let signed_in = if self.sign_up {
                    match self.http.sign_up(name, password, device, platform).await {
                        Err(error)
                            if self.sign_up_unknown
                                && error.code() == Some(Code::NameTaken as u32) =>
                        {
                            self.login(name, password).await?
                        }
                        other => other?,
                    }
                } else {
                    self.login(name, password).await?
                };
                Token::from_hex(&signed_in.token).map_err(|_| {
                    Error::new(ErrorKind::Protocol, "the server gave something that is no token")
                })
            }
            Auth::Callback(callback) => callback().await,
            Auth::Token(_) | Auth::Stored => {
                Err(Error::new(ErrorKind::SignIn, "the token was refused"))
            }
        }
    }

    async fn login(&self, name: &str, password: &SecretString) -> Result<SignedIn, Error> {
        let (device, platform) = (&self.device_name, &self.platform);
        match &self.had {
            Some(had) => self.http.login_again(had, name, password, device, platform).await,
            None => self.http.login(name, password, device, platform).await,
        }
    }

    /// The password was changed by this client.
    pub(super) fn new_password(&mut self, new: SecretString) {
        if let Auth::Credentials { password, .. } = &mut self.auth {
            *password = new;
        }
    }

    pub(super) fn signed_up(&mut self) {
        self.sign_up = false;
    }

    pub(super) fn handle_failure(&mut self, error: &Error) {
        if self.sign_up && matches!(error.kind(), ErrorKind::Network | ErrorKind::Timeout) {
            self.sign_up_unknown = true;
        }
    }
}
