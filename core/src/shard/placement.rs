//! Which shard owns what. Part of the stored format and of the wire between
//! nodes: XXH3 with seed 0 over the id, modulo the fixed number of shards.

use parley_protocol::{ConversationId, ShardId, UserId};
use xxhash_rust::xxh3::xxh3_64;

/// How many shards a data folder or cluster has; chosen once, then fixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShardCount(u16);

impl ShardCount {
    /// Lowest and highest count; the ids above are reserved.
    pub const RANGE: std::ops::RangeInclusive<u16> = 1..=4096;

    /// A count within [`ShardCount::RANGE`], or `None`.
    #[must_use]
    pub fn new(count: u16) -> Option<Self> {
        Self::RANGE.contains(&count).then_some(Self(count))
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// Every shard.
    pub fn all(self) -> impl Iterator<Item = ShardId> {
        (0..self.0).map(ShardId)
    }

    /// The shard of a conversation.
    #[must_use]
    pub fn of_conversation(self, id: ConversationId) -> ShardId {
        self.of_bytes(id.as_bytes())
    }

    /// The home shard of a user.
    #[must_use]
    pub fn of_user(self, id: UserId) -> ShardId {
        self.of_bytes(id.as_bytes())
    }

    /// The shard that owns a user name.
    #[must_use]
    pub fn of_name(self, name: &str) -> ShardId {
        self.of_bytes(name.as_bytes())
    }

    /// The shard of any other key, for example the hash of a token.
    #[must_use]
    pub fn of_bytes(self, key: &[u8]) -> ShardId {
        // The remainder fits: it is below a u16.
        ShardId((xxh3_64(key) % u64::from(self.0)) as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placement_is_pinned() {
        // Stored data lies where these say: they may never change. Remainders
        // of XXH3-64 with seed 0, computed by another implementation.
        let id = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
        for (count, of_id, of_name, of_bytes) in [(64, 27, 8, 46), (4096, 219, 712, 2542)] {
            let count = ShardCount::new(count).unwrap();
            assert_eq!(count.of_conversation(ConversationId::new(id)).0, of_id);
            assert_eq!(count.of_user(UserId::new(id)).0, of_id);
            assert_eq!(count.of_name("ann").0, of_name);
            assert_eq!(count.of_bytes(&[7; 32]).0, of_bytes);
        }
    }

    #[test]
    fn counts_out_of_range_are_refused() {
        assert!(ShardCount::new(0).is_none());
        assert!(ShardCount::new(4097).is_none());
        assert_eq!(ShardCount::new(3).unwrap().all().count(), 3);
    }

    #[test]
    fn users_spread_over_all_shards() {
        let count = ShardCount::new(64).unwrap();
        let mut users = [0u32; 64];
        for n in 0..64_000u32 {
            let mut id = [0; 16];
            id[..4].copy_from_slice(&n.to_be_bytes());
            users[usize::from(count.of_user(UserId::new(id)).0)] += 1;
        }
        assert!(users.iter().all(|n| (800..1200).contains(n)), "{users:?}");
    }
}
