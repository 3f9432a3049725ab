//! Why a command was not taken.

use parley_protocol::Code;

use crate::storage::log::ReserveError;
use crate::storage::store::StoreError;

/// Why a command was not taken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command breaks a rule.
    #[error("refused: {0}")]
    Refused(Code),
    /// The log takes nothing now.
    #[error(transparent)]
    Log(#[from] ReserveError),
    /// The store can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Error {
    /// The code on the wire.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Refused(code) => *code,
            Self::Log(ReserveError::Full) => Code::Overloaded,
            Self::Log(ReserveError::NoRoom) => Code::StorageLow,
            Self::Log(ReserveError::Closed) => Code::Draining,
            Self::Store(_) => Code::Internal,
        }
    }
}

impl From<Code> for Error {
    fn from(code: Code) -> Self {
        Self::Refused(code)
    }
}
