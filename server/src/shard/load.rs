//! Loading a conversation from the store into its shard.

use parley_core::conversation::{Conversation, Cursor, Head, Kind, Member};
use parley_protocol::wire::ConversationKind;
use parley_protocol::{ConversationId, ShardId, UserId};

use super::{Error, Shards};
use crate::store::{ConversationRow, CursorRow, Store, StoreError, Tail};

/// Members read with a conversation; groups above it are refused when made.
const MEMBERS: usize = 100_000;

impl Shards {
    /// Makes sure the conversation is in its shard's memory. Gives false when
    /// there is none and `direct` doesn't say between whom it would be.
    ///
    /// Reads on the blocking pool. Cancel safe.
    pub(crate) async fn load(
        &self,
        id: ConversationId,
        direct: Option<(UserId, UserId)>,
    ) -> Result<bool, Error> {
        let shard = self.shard_of(id);
        loop {
            let as_of = {
                let mut state = self.states.lock(shard);
                if state.conversation(id).is_some() {
                    return Ok(true);
                }
                state.evictions()
            };
            let this = self.clone();
            let read = tokio::task::spawn_blocking(move || this.restore(shard, id)).await;
            // A panic of the read has been logged; the request fails.
            let stored = read.map_err(|_| parley_protocol::Code::Internal)??;
            let Some(conversation) =
                stored.or_else(|| direct.map(|(a, b)| Conversation::direct(a, b)))
            else {
                return Ok(false);
            };
            if self.states.lock(shard).load(conversation, as_of) {
                return Ok(true);
            }
        }
    }

    fn restore(
        &self,
        shard: ShardId,
        id: ConversationId,
    ) -> Result<Option<Conversation>, StoreError> {
        let Some(row) = self.store.conversation(shard, id)? else {
            return Ok(None);
        };
        let tail = self.log.tail(shard, id)?;
        conversation(&self.store, shard, id, &row, tail).map(Some)
    }
}

/// The conversation that the rows describe.
pub(crate) fn conversation(
    store: &Store,
    shard: ShardId,
    id: ConversationId,
    row: &ConversationRow,
    tail: Option<Tail>,
) -> Result<Conversation, StoreError> {
    let mut members = Vec::with_capacity(row.members.len());
    for member in &row.members {
        // A damaged member blocks nobody else; it is simply not one.
        let Ok(user) = UserId::from_slice(&member.user) else { continue };
        members.push(Member {
            joined_after: member.joined_seq.saturating_sub(1),
            ..Member::new(user)
        });
    }
    for (user, cursor) in store.cursors(shard, id, MEMBERS)? {
        if let Some(member) = members.iter_mut().find(|member| member.user == user) {
            let (delivered, read) = cursors(&cursor);
            *member = member.clone().with_cursors(delivered, read);
        }
    }
    let kind = if row.kind == ConversationKind::Group as u32 { Kind::Group } else { Kind::Direct };
    let head = tail.map_or_else(Head::default, |tail| Head {
        seq: tail.seq,
        ordinal: tail.ordinal,
        time_ms: tail.time_ms,
    });
    Ok(Conversation::restore(id, kind, members, head))
}

fn cursors(row: &CursorRow) -> (Cursor, Cursor) {
    let delivered = Cursor { seq: row.delivered, ordinal: 0, time_ms: row.delivered_ms };
    let read = Cursor { seq: row.read, ordinal: row.read_ordinal, time_ms: row.read_ms };
    (delivered, read)
}
