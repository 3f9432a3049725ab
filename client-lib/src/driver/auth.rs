//! How the client proves who it is: a token, credentials, or a callback.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use secrecy::SecretString;

use crate::machine::{Error, Token};

pub(crate) type TokenFuture = Pin<Box<dyn Future<Output = Result<Token, Error>> + Send>>;
pub(crate) type TokenCallback = Arc<dyn Fn() -> TokenFuture + Send + Sync>;

/// What the builder was given to sign in with.
#[derive(Clone, Default)]
pub(crate) enum Auth {
    /// Only what the store holds.
    #[default]
    Stored,
    Token(Token),
    Credentials {
        name: String,
        password: SecretString,
        sign_up: bool,
    },
    Callback(TokenCallback),
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stored => "Stored",
            Self::Token(_) => "Token(..)",
            Self::Credentials { .. } => "Credentials(..)",
            Self::Callback(_) => "Callback(..)",
        })
    }
}
