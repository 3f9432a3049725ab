//! Typed ids, and how they are read from the wire and from text.
//!
//! An id is validated once, where it enters; behind that its type is the proof.
//! The text form of the 16-byte ids is the hyphenated lower-case hex of
//! RFC 9562; reading also takes it without hyphens.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;

use crate::limits::CLIENT_MESSAGE_ID_BYTES;

/// Why bytes or text are not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// A 16-byte id had another length.
    #[error("an id has 16 bytes, this has {0}")]
    Length(usize),
    /// A text form held something other than hex digits and hyphens.
    #[error("an id is written as 32 hex digits, with or without hyphens")]
    Text,
    /// A client message id was empty or too long.
    #[error("a client message id has 1 to 64 bytes, this has {0}")]
    ClientMessageId(usize),
}

macro_rules! id16 {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// The id with these 16 bytes.
            #[must_use]
            pub const fn new(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// Reads the id from a wire field of exactly 16 bytes.
            ///
            /// # Errors
            /// [`IdError::Length`] for any other length.
            pub fn from_slice(bytes: &[u8]) -> Result<Self, IdError> {
                bytes.try_into().map(Self).map_err(|_| IdError::Length(bytes.len()))
            }

            /// The id's 16 bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }

            /// The id as a wire field.
            #[must_use]
            pub fn to_wire(self) -> Bytes {
                Bytes::copy_from_slice(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hyphenated(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hyphenated(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                parse_hex(text).map(Self)
            }
        }
    };
}

id16!(
    /// A user, for ever: UUIDv7 (RFC 9562), made at sign-up. Names may change, this never does.
    UserId
);
id16!(
    /// One device of a user: UUIDv7, made at its first login.
    DeviceId
);
id16!(
    /// A conversation: for 1:1 a hash of the two user ids, for groups a UUIDv7.
    ConversationId
);
id16!(
    /// One connection of a device, random. For logs; it proves nothing.
    SessionId
);

/// A shard: one ordered stream of commands that owns many conversations and users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u16);

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a client calls one of its sends: 1 to 64 bytes, any bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientMessageId(Bytes);

impl ClientMessageId {
    /// Takes a wire field.
    ///
    /// # Errors
    /// [`IdError::ClientMessageId`] when it is empty or longer than 64 bytes.
    pub fn new(bytes: Bytes) -> Result<Self, IdError> {
        match bytes.len() {
            1..=CLIENT_MESSAGE_ID_BYTES => Ok(Self(bytes)),
            length => Err(IdError::ClientMessageId(length)),
        }
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &Bytes {
        &self.0
    }
}

fn write_hyphenated(bytes: &[u8; 16], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut digits = [0; 32];
    let mut rest = base16ct::lower::encode_str(bytes, &mut digits).map_err(|_| fmt::Error)?;
    for length in [8, 4, 4, 4] {
        let (group, others) = rest.split_at_checked(length).ok_or(fmt::Error)?;
        f.write_str(group)?;
        f.write_str("-")?;
        rest = others;
    }
    f.write_str(rest)
}

fn parse_hex(text: &str) -> Result<[u8; 16], IdError> {
    // The cap comes first: the text may be of any length and from anybody.
    if text.len() > 36 {
        return Err(IdError::Text);
    }
    let mut digits = [0; 32];
    let mut given = text.bytes().filter(|byte| *byte != b'-');
    for digit in &mut digits {
        *digit = given.next().ok_or(IdError::Text)?;
    }
    let mut bytes = [0u8; 16];
    match (given.next(), base16ct::mixed::decode(digits, &mut bytes)) {
        (None, Ok(_)) => Ok(bytes),
        _ => Err(IdError::Text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn text_form_round_trips(bytes: [u8; 16]) {
            let id = UserId::new(bytes);
            prop_assert_eq!(id.to_string().parse::<UserId>(), Ok(id));
            prop_assert_eq!(id.to_string().replace('-', "").parse::<UserId>(), Ok(id));
        }

        #[test]
        fn no_text_panics(text: String) {
            let _ = text.parse::<UserId>();
        }
    }

    #[test]
    fn text_form_is_the_rfc_9562_one() {
        let id = ConversationId::new(
            *b"\x01\x89\x0a\xbc\xde\xf0\x7a\xbc\x8d\xef\x01\x23\x45\x67\x89\xab",
        );
        assert_eq!(id.to_string(), "01890abc-def0-7abc-8def-0123456789ab");
    }

    #[test]
    fn other_lengths_and_texts_are_refused() {
        assert_eq!(UserId::from_slice(&[0; 15]), Err(IdError::Length(15)));
        assert_eq!("".parse::<UserId>(), Err(IdError::Text));
        assert_eq!("g".repeat(32).parse::<UserId>(), Err(IdError::Text));
        assert_eq!("0".repeat(33).parse::<UserId>(), Err(IdError::Text));
        assert_eq!("0".repeat(31).parse::<UserId>(), Err(IdError::Text));
    }

    #[test]
    fn client_message_ids_have_1_to_64_bytes() {
        assert_eq!(ClientMessageId::new(Bytes::new()), Err(IdError::ClientMessageId(0)));
        assert!(ClientMessageId::new(Bytes::from(vec![0; 64])).is_ok());
        assert_eq!(
            ClientMessageId::new(Bytes::from(vec![0; 65])),
            Err(IdError::ClientMessageId(65))
        );
    }
}
