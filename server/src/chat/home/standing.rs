//! How 1:1 conversations stand for their users, for the people to decide by.

use parley_core::user::Standing;
use parley_protocol::{ConversationId, UserId};

use super::Homes;
use crate::chat::shard::Feeds;
use crate::people::Standings;
use crate::storage::store::StoreError;

impl Standings for Homes {
    fn standing(&self, user: UserId, conversation: ConversationId) -> Result<Standing, StoreError> {
        let shard = self.count.of_user(user);
        let now = self.merged(user, conversation)?;
        if now.last_seq == 0 {
            return Ok(Standing::None);
        }
        let accepted = || -> Result<bool, StoreError> {
            let preferences = self.store.preferences(shard, user, conversation)?;
            Ok(preferences.is_some_and(|row| row.accepted))
        };
        let accepted = now.sent_seq > 0 || accepted()?;
        Ok(if accepted { Standing::Accepted } else { Standing::Pending })
    }
}

impl Feeds for Homes {
    fn holds(&self, user: UserId, id: ConversationId) -> Result<bool, StoreError> {
        Self::holds(self, user, id)
    }
}
