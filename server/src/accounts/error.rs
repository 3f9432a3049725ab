//! What a request to the accounts may fail with.

use std::time::Duration;

use parley_protocol::Code;

use super::CommitError;
use crate::base::space::ROOM_WAIT;
use crate::storage::store::StoreError;

/// Why the accounts could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// argon2 can't hash with these parameters.
    #[error(
        "passwords cannot be hashed with accounts.hash_memory_kib, hash_passes and hash_lanes as they are set"
    )]
    Hash,
    /// The names could not be gone through.
    #[error("the store failed: {0}")]
    Store(#[from] StoreError),
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// It was refused.
    #[error("{}", .0.text())]
    Refused(Code),
    /// It may succeed later.
    #[error("{}", code.text())]
    Later {
        /// The reason, for the client.
        code: Code,
        /// How long to wait.
        after: Duration,
    },
    /// The store could not be read.
    #[error("the store failed: {0}")]
    Store(#[from] StoreError),
}

impl AccountError {
    /// The code to answer with.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Refused(code) | Self::Later { code, .. } => *code,
            Self::Store(_) => Code::Internal,
        }
    }

    /// How long to wait, when that is known.
    #[must_use]
    pub fn retry_after_ms(&self) -> Option<u64> {
        match self {
            Self::Later { after, .. } => {
                Some(u64::try_from(after.as_millis()).unwrap_or(u64::MAX).max(1))
            }
            Self::Refused(_) | Self::Store(_) => None,
        }
    }

    /// The disk has no room for it.
    pub(super) const fn no_room() -> Self {
        Self::Later { code: Code::StorageLow, after: ROOM_WAIT }
    }

    /// A part of the server is gone; its own log says why.
    pub(super) const fn internal() -> Self {
        Self::Refused(Code::Internal)
    }
}

impl From<Code> for AccountError {
    fn from(code: Code) -> Self {
        Self::Refused(code)
    }
}

impl From<CommitError> for AccountError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Full => {
                Self::Later { code: Code::Overloaded, after: Duration::from_secs(1) }
            }
            CommitError::NoRoom => Self::no_room(),
            CommitError::Closed => Self::Refused(Code::StorageFailed),
        }
    }
}
