//! Who reads, from where, and what they may see of it.

use parley_protocol::UserId;

use super::sight::Sight;
use crate::chat::shard::Shards;

/// Reads for one reader what they see.
pub(super) struct Reader<'a> {
    pub(super) shards: &'a Shards,
    pub(super) sight: &'a Sight,
    pub(super) user: UserId,
}
