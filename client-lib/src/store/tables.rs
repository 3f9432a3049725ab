//! What all tables of the store share: the key of a conversation, and how a
//! failure of the database reads.

use parley_protocol::ids::ConversationId;

use crate::machine::{Error, ErrorKind};

pub(super) fn key(id: ConversationId) -> u128 {
    u128::from_be_bytes(*id.as_bytes())
}

pub(super) fn failed(error: impl Into<redb::Error>) -> Error {
    Error::with_source(ErrorKind::Store, "the store failed", error.into())
}
