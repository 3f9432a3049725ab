//! What a request to the people may fail with.

use std::time::Duration;

use parley_protocol::Code;

use crate::base::space::ROOM_WAIT;
use crate::storage::rows::CommitError;
use crate::storage::store::StoreError;

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    /// It was refused.
    #[error("{}", .0.text())]
    Refused(Code),
    /// The change could not be made durable.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The store could not be read.
    #[error("the store failed: {0}")]
    Store(#[from] StoreError),
}

impl PeopleError {
    /// The code to answer with. What the operator should know is logged here.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Refused(code) => *code,
            Self::Commit(CommitError::Full) => Code::Overloaded,
            Self::Commit(CommitError::NoRoom) => Code::StorageLow,
            Self::Commit(CommitError::Closed) => Code::StorageFailed,
            Self::Store(error) => {
                tracing::error!(%error, "people could not be read");
                Code::Internal
            }
        }
    }

    /// How long to wait, when that is known.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Commit(CommitError::Full) => Some(Duration::from_secs(1)),
            Self::Commit(CommitError::NoRoom) => Some(ROOM_WAIT),
            Self::Commit(CommitError::Closed) | Self::Refused(_) | Self::Store(_) => None,
        }
    }
}

impl From<Code> for PeopleError {
    fn from(code: Code) -> Self {
        Self::Refused(code)
    }
}
