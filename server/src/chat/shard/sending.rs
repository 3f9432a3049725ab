//! A send at work: what was asked, and what was looked up for it.

use parley_core::conversation::Act;
use parley_core::conversation::dedupe::SendKey;
use parley_protocol::body::ValidatedBody;
use parley_protocol::{Code, UserId};

use super::ReplyTo;
use super::facts::Facts;

/// A send at work.
pub(super) struct Sending {
    pub(super) key: SendKey,
    pub(super) sender: UserId,
    pub(super) body: ValidatedBody,
    pub(super) act: Act,
    pub(super) invite: Option<[u8; 8]>,
    pub(super) refused: Option<Code>,
    /// Whether it may be the conversation's first entry.
    pub(super) begins: bool,
    pub(super) digest: u64,
    pub(super) facts: Facts,
    pub(super) reply: ReplyTo,
}
