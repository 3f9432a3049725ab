//! The fields of keys: how each is written behind the ones before it, and read again.

use bytes::Bytes;
use parley_protocol::ids::{ClientMessageId, ConversationId, DeviceId, UserId};

use super::{KeyError, NAME_BYTES};

/// A part of a key. Its bytes order as its values do, and either have one
/// length or are the last of the key.
pub(super) trait Field: Sized {
    fn put(&self, key: &mut Vec<u8>);

    fn take(rest: &mut Rest<'_>) -> Result<Self, KeyError>;
}

/// What of a key is still to be read.
pub(super) struct Rest<'a>(pub(super) &'a [u8]);

impl Rest<'_> {
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], KeyError> {
        let (head, tail) = self.0.split_first_chunk().ok_or(KeyError::Length)?;
        self.0 = tail;
        Ok(*head)
    }
}

impl<const N: usize> Field for [u8; N] {
    fn put(&self, key: &mut Vec<u8>) {
        key.extend_from_slice(self);
    }

    fn take(rest: &mut Rest<'_>) -> Result<Self, KeyError> {
        rest.array()
    }
}

impl Field for u64 {
    fn put(&self, key: &mut Vec<u8>) {
        key.extend_from_slice(&self.to_be_bytes());
    }

    fn take(rest: &mut Rest<'_>) -> Result<Self, KeyError> {
        rest.array().map(Self::from_be_bytes)
    }
}

impl Field for u32 {
    fn put(&self, key: &mut Vec<u8>) {
        key.extend_from_slice(&self.to_be_bytes());
    }

    fn take(rest: &mut Rest<'_>) -> Result<Self, KeyError> {
        rest.array().map(Self::from_be_bytes)
    }
}

macro_rules! ids {
    ($($id:ident)*) => {
        $(impl Field for $id {
            fn put(&self, key: &mut Vec<u8>) {
                key.extend_from_slice(self.as_bytes());
            }

            fn take(rest: &mut Rest<'_>) -> Result<Self, KeyError> {
                rest.array().map(Self::new)
            }
        })*
    };
}

ids! { ConversationId DeviceId UserId }

impl Field for ClientMessageId {
    fn put(&self, key: &mut Vec<u8>) {
        key.extend_from_slice(self.as_bytes());
    }

    fn take(rest: &mut Rest<'_>) -> Result<Self, KeyError> {
        Self::new(Bytes::copy_from_slice(std::mem::take(&mut rest.0))).map_err(|_| KeyError::Length)
    }
}

/// A user name.
impl Field for String {
    fn put(&self, key: &mut Vec<u8>) {
        key.extend_from_slice(self.as_bytes());
    }

    fn take(rest: &mut Rest<'_>) -> Result<Self, KeyError> {
        let bytes = std::mem::take(&mut rest.0);
        match bytes.len() {
            1..=NAME_BYTES => {
                std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| KeyError::Field)
            }
            _ => Err(KeyError::Length),
        }
    }
}

/// Which of a member's cursors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Which {
    /// What their devices hold.
    Delivered,
    /// What they have read.
    Read,
}

impl Field for Which {
    fn put(&self, key: &mut Vec<u8>) {
        key.push(match self {
            Self::Delivered => 1,
            Self::Read => 2,
        });
    }

    fn take(rest: &mut Rest<'_>) -> Result<Self, KeyError> {
        match rest.array()? {
            [1] => Ok(Self::Delivered),
            [2] => Ok(Self::Read),
            [_] => Err(KeyError::Field),
        }
    }
}

/// That an entry refers to a message, and how. The sort comes first in the
/// key: the newest edits of a page are found without reading its reactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the fields are named after what they hold")]
pub enum Reference {
    /// The entry `seq` gives it another text.
    Edit { target: u64, seq: u64 },
    /// It was deleted for all.
    Delete { target: u64 },
    /// Somebody reacted; the emoji is known by its XXH3-64.
    Reaction { target: u64, user: UserId, emoji_hash: u64 },
    /// It is pinned.
    Pin { target: u64 },
    /// The entry itself changes info or settings of the conversation.
    Change { target: u64 },
}

impl Reference {
    pub(in crate::storage::store) const EDIT: u8 = 1;
    pub(in crate::storage::store) const DELETE: u8 = 2;
    pub(in crate::storage::store) const REACTION: u8 = 3;
    pub(in crate::storage::store) const PIN: u8 = 4;
    pub(in crate::storage::store) const CHANGE: u8 = 5;
}

impl Field for Reference {
    fn put(&self, key: &mut Vec<u8>) {
        match self {
            Self::Edit { target, seq } => {
                key.push(Self::EDIT);
                target.put(key);
                seq.put(key);
            }
            Self::Delete { target } => {
                key.push(Self::DELETE);
                target.put(key);
            }
            Self::Reaction { target, user, emoji_hash } => {
                key.push(Self::REACTION);
                target.put(key);
                user.put(key);
                emoji_hash.put(key);
            }
            Self::Pin { target } => {
                key.push(Self::PIN);
                target.put(key);
            }
            Self::Change { target } => {
                key.push(Self::CHANGE);
                target.put(key);
            }
        }
    }

    fn take(rest: &mut Rest<'_>) -> Result<Self, KeyError> {
        let [sort] = rest.array()?;
        let target = Field::take(rest)?;
        match sort {
            Self::EDIT => Ok(Self::Edit { target, seq: Field::take(rest)? }),
            Self::DELETE => Ok(Self::Delete { target }),
            Self::REACTION => Ok(Self::Reaction {
                target,
                user: Field::take(rest)?,
                emoji_hash: Field::take(rest)?,
            }),
            Self::PIN => Ok(Self::Pin { target }),
            Self::CHANGE => Ok(Self::Change { target }),
            _ => Err(KeyError::Field),
        }
    }
}
