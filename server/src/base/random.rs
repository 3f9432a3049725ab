//! Randomness of the operating system: the only file of the server that asks for it.

use uuid::Uuid;

/// The operating system has no randomness to give.
pub use getrandom::Error;

/// Fills `bytes` with unpredictable ones, fit for tokens and keys.
///
/// # Errors
/// [`Error`]; `bytes` are then not to be used.
pub fn fill(bytes: &mut [u8]) -> Result<(), Error> {
    getrandom::fill(bytes)
}

/// A new id nobody has had: a UUID of version 7 (RFC 9562), which sorts by the
/// time it was made.
#[must_use]
pub fn id() -> [u8; 16] {
    Uuid::now_v7().into_bytes()
}
