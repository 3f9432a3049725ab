//! The fields of keys: how each is written behind the ones before it, and read again.

use std::cmp::Ordering;

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

/// How an entry refers to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Relation {
    /// It gives the message another text.
    Edit {
        /// The edit's own seq.
        seq: u64,
    },
    /// It deletes the message for all.
    Delete,
    /// It reacts to the message.
    Reaction {
        /// Who reacts.
        user: UserId,
        /// XXH3-64 of the emoji.
        emoji_hash: u64,
    },
    /// It pins the message.
    Pin,
    /// It refers to itself: it changes info or settings of the conversation.
    Change,
}

impl Relation {
    pub(in crate::storage::store) const EDIT: u8 = 1;
    pub(in crate::storage::store) const DELETE: u8 = 2;
    pub(in crate::storage::store) const REACTION: u8 = 3;
    pub(in crate::storage::store) const PIN: u8 = 4;
    pub(in crate::storage::store) const CHANGE: u8 = 5;

    const fn sort(self) -> u8 {
        match self {
            Self::Edit { .. } => Self::EDIT,
            Self::Delete => Self::DELETE,
            Self::Reaction { .. } => Self::REACTION,
            Self::Pin => Self::PIN,
            Self::Change => Self::CHANGE,
        }
    }
}

/// That an entry refers to the message `target`, and how. The sort comes first
/// in the key: the newest edits of a page are found without reading its
/// reactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the fields are named after what they hold")]
pub struct Reference {
    pub target: u64,
    pub relation: Relation,
}

impl Ord for Reference {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |of: &Self| (of.relation.sort(), of.target, of.relation);
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for Reference {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Field for Reference {
    fn put(&self, key: &mut Vec<u8>) {
        key.push(self.relation.sort());
        self.target.put(key);
        match self.relation {
            Relation::Edit { seq } => seq.put(key),
            Relation::Reaction { user, emoji_hash } => {
                user.put(key);
                emoji_hash.put(key);
            }
            Relation::Delete | Relation::Pin | Relation::Change => {}
        }
    }

    fn take(rest: &mut Rest<'_>) -> Result<Self, KeyError> {
        let [sort] = rest.array()?;
        let target = Field::take(rest)?;
        let relation = match sort {
            Relation::EDIT => Relation::Edit { seq: Field::take(rest)? },
            Relation::DELETE => Relation::Delete,
            Relation::REACTION => {
                Relation::Reaction { user: Field::take(rest)?, emoji_hash: Field::take(rest)? }
            }
            Relation::PIN => Relation::Pin,
            Relation::CHANGE => Relation::Change,
            _ => return Err(KeyError::Field),
        };
        Ok(Self { target, relation })
    }
}
