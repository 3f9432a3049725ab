//! Counting the uses of an invite link, also of those on their way.

use std::collections::HashMap;

use parking_lot::Mutex;
use parley_protocol::{Code, ConversationId, ShardId};

use super::{Error, Shards};
use crate::clock::wall_ms;
use crate::store::{InviteRow, Write, tables};

/// Uses stamped of links used since the start. A link's row may be behind it by
/// what is on its way to the disk.
#[derive(Default)]
pub(super) struct Uses(Mutex<HashMap<[u8; 8], u32>>);

/// Links whose uses are remembered; beyond it all are forgotten, and the rows
/// count, which by then are up to date for all but the newest.
const LINKS: usize = 16_384;

impl Shards {
    /// Takes one use of a link; gives the write that records it. Called under
    /// the lock of the group's shard.
    ///
    /// # Errors
    /// [`Code::InviteInvalid`] when it can't be used (any more).
    pub(super) fn use_invite(
        &self,
        shard: ShardId,
        conversation: ConversationId,
        id: [u8; 8],
    ) -> Result<Write, Error> {
        let row = self.store.invite(shard, conversation, id)?.ok_or(Code::InviteInvalid)?;
        let mut known = self.invites.0.lock();
        let used = row.uses.max(known.get(&id).copied().unwrap_or(0));
        if !is_usable(&row, used, wall_ms()) {
            return Err(Code::InviteInvalid.into());
        }
        if known.len() >= LINKS && !known.contains_key(&id) {
            known.clear();
        }
        let uses = used.saturating_add(1);
        known.insert(id, uses);
        Ok(tables::invites::put(shard, conversation, id, &InviteRow { uses, ..row }))
    }
}

/// Whether a link that was `used` so often still works.
pub(crate) fn is_usable(row: &InviteRow, used: u32, now_ms: u64) -> bool {
    let in_time = row.expires_ms == 0 || now_ms < row.expires_ms;
    let left = row.max_uses == 0 || used < row.max_uses;
    !row.revoked && in_time && left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_works_until_it_ends_is_used_up_or_revoked() {
        let row = InviteRow { expires_ms: 100, max_uses: 2, ..InviteRow::default() };
        assert!(is_usable(&row, 1, 99));
        assert!(!is_usable(&row, 2, 99));
        assert!(!is_usable(&row, 0, 100));
        assert!(!is_usable(&InviteRow { revoked: true, ..row }, 0, 1));
        assert!(is_usable(&InviteRow::default(), u32::MAX, u64::MAX));
    }
}
