//! Which messages a user hid from themselves: shard, kind, user, conversation,
//! number → [`HiddenRow`].
//!
//! Numbers count from 0 in the order of hiding, so that a device asks for what
//! follows those it knows. `PreferencesRow.hidden` says how many there are.

use parley_protocol::ids::{ConversationId, ShardId, UserId};

use crate::storage::store::engine::{Order, Scan, Write};
use crate::storage::store::keys::{Key, RowKey, Table};
use crate::storage::store::{Store, StoreError};

/// A hidden message.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct HiddenRow {
    /// Its seq.
    #[prost(uint64, tag = "1")]
    pub seq: u64,
}

/// The write that hides a message. `shard` is the user's home.
#[must_use]
pub fn put(
    shard: ShardId,
    user: UserId,
    conversation: ConversationId,
    number: u32,
    seq: u64,
) -> Write {
    super::put(&RowKey::Hidden { shard, user, conversation, number }, &HiddenRow { seq })
}

/// The write that shows it again: the account is deleted.
#[must_use]
pub fn delete(shard: ShardId, user: UserId, conversation: ConversationId, number: u32) -> Write {
    super::delete(&RowKey::Hidden { shard, user, conversation, number })
}

impl Store {
    /// The messages a user hid, in that order, without the first `after`, at
    /// most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn hidden(
        &self,
        shard: ShardId,
        user: UserId,
        conversation: ConversationId,
        after: u32,
        limit: usize,
    ) -> Result<Vec<u64>, StoreError> {
        let from = RowKey::Hidden { shard, user, conversation, number: after }.encode();
        let prefix = Key::prefix(Table::Hidden, shard);
        let (_, to) = super::under(&prefix.with(user.as_bytes()).with(conversation.as_bytes()));
        let scan = Scan { from, to, order: Order::Ascending, rows: limit, bytes: usize::MAX };
        self.readable_rows(Table::Hidden, &scan, |_, row: HiddenRow| Some(row.seq))
    }
}
