//! A device's session token, kept out of logs and wiped when it is dropped.

use std::fmt;
use std::sync::Arc;

use parley_protocol::limits::TOKEN_BYTES;
use secrecy::{ExposeSecret, SecretBox, SecretString};

use crate::error::{Error, ErrorKind};
use crate::hex;

/// A device's session token: a secret. Wiped from memory when dropped, and
/// never in `Debug` output.
#[derive(Clone)]
pub struct Token(Arc<SecretBox<[u8; TOKEN_BYTES]>>);

impl Token {
    /// The token with these bytes.
    #[must_use]
    pub fn new(bytes: [u8; TOKEN_BYTES]) -> Self {
        Self(Arc::new(SecretBox::new(Box::new(bytes))))
    }

    /// Reads the 64 hex digits that the HTTP API answers a login with.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for anything else.
    pub fn from_hex(text: &str) -> Result<Self, Error> {
        let bytes = hex::decode(text).ok_or_else(|| {
            Error::new(ErrorKind::InvalidArgument, "a token is written as 64 hex digits")
        })?;
        Ok(Self::new(bytes))
    }

    /// The token as 64 hex digits. Keep it as you would a password.
    #[must_use]
    pub fn expose_hex(&self) -> SecretString {
        base16ct::lower::encode_string(self.expose()).into()
    }

    /// Its bytes. Keep them as you would a password.
    #[must_use]
    pub fn expose(&self) -> &[u8; TOKEN_BYTES] {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_round_trip_and_never_show() {
        let token = Token::new([0xab; 32]);
        assert_eq!(Token::from_hex(&"ab".repeat(32)).unwrap().expose(), token.expose());
        assert_eq!(token.expose_hex().expose_secret(), "ab".repeat(32));
        assert_eq!(format!("{token:?}"), "Token(..)");
        for odd in ["", "ab", &"g".repeat(64), &"a".repeat(65)] {
            assert!(Token::from_hex(odd).is_err(), "{odd:?}");
        }
    }
}
