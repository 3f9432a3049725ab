//! How 1:1 conversations stand for their users, for the people to decide by.

use parley_protocol::{ConversationId, UserId};

use super::Homes;
use super::changes::entry;
use crate::people::{Standing, Standings};
use crate::store::StoreError;

impl Standings for Homes {
    fn standing(&self, user: UserId, conversation: ConversationId) -> Result<Standing, StoreError> {
        let shard = self.count.of_user(user);
        // Memory first: a change that is flushed in between is seen twice.
        let changed = {
            let home = self.lock(user);
            home.users.get(&user).and_then(|user| user.changed.get(&conversation).copied())
        };
        let stored = self.store.feed_row(shard, user, conversation)?;
        let mut now = stored.as_ref().map(entry).unwrap_or_default();
        if let Some(changed) = changed {
            now.merge(&changed);
        }
        if now.last_seq == 0 {
            return Ok(Standing::None);
        }
        let accepted = || -> Result<bool, StoreError> {
            let preferences = self.store.preferences(shard, user, conversation)?;
            Ok(preferences.is_some_and(|row| row.accepted))
        };
        let taken_up = now.sent_seq > 0 || accepted()?;
        Ok(if taken_up { Standing::TakenUp } else { Standing::Pending })
    }
}
