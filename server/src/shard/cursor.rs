//! Cursor moves on their way in.
//!
//! A move is written with the next commit group but does not ask for a sync of
//! its own (see the decision on receipts): a killed process keeps it, after a
//! power cut a device may have to say it again.

use std::sync::Arc;

use parley_core::conversation::{Cursor, Given, Move, MovedCursor};
use parley_core::session::Identity;
use parley_protocol::{Code, ConversationId, ShardId};

use super::{Error, Pending, PendingCursor, ReplyTo, Shards};
use crate::clock::wall_ms;
use crate::link::Link;
use crate::log::{Append, Durability, Op};
use crate::store::{CursorRow, tables};

/// A move as its session gives it.
#[derive(Debug, Clone, Copy)]
pub struct MoveRequest {
    /// Where.
    pub conversation: ConversationId,
    /// Which cursor.
    pub which: Move,
    /// To which seq.
    pub up_to: u64,
    /// What the session was given.
    pub given: Given,
}

/// Bytes a cursor's append takes.
const APPEND_BYTES: usize = 128;

impl Shards {
    /// Takes a cursor move; the answer goes to `link`. Cancel safe: dropped, it
    /// has moved the cursor or not.
    ///
    /// # Errors
    /// [`Error`]: a rule broken, the log full or closed, the store unreadable.
    pub async fn move_cursor(
        &self,
        identity: &Identity,
        link: &Arc<Link>,
        request: u64,
        wanted: MoveRequest,
    ) -> Result<(), Error> {
        let reply = ReplyTo { link: Arc::clone(link), request };
        loop {
            if !self.load(wanted.conversation, None).await? {
                return Err(Code::NotFound.into());
            }
            let ordinal = self.ordinal(identity, wanted).await?;
            if self.advance(identity, &reply, wanted, ordinal)? {
                return Ok(());
            }
        }
    }

    /// Countable entries up to the seq. Only a read cursor needs them, and only
    /// one that is not at the end has to look into the log.
    async fn ordinal(&self, identity: &Identity, wanted: MoveRequest) -> Result<u64, Error> {
        let shard = self.shard_of(wanted.conversation);
        {
            let mut state = self.states.lock(shard);
            let MoveRequest { conversation, which, up_to, given } = wanted;
            let moves = state.check_move(conversation, identity.user, which, up_to, given);
            let head =
                state.conversation(conversation).map(|found| found.committed()).unwrap_or_default();
            if which == Move::Delivered || !moves? || up_to == head.seq {
                return Ok(head.ordinal);
            }
        }
        let this = self.clone();
        let read = move || this.store.entry(shard, wanted.conversation, wanted.up_to);
        let record = tokio::task::spawn_blocking(read).await.map_err(|_| Code::Internal)??;
        let head = record.and_then(|record| record.head().ok()).ok_or(Code::Internal)?;
        Ok(head.ordinal)
    }

    fn advance(
        &self,
        identity: &Identity,
        reply: &ReplyTo,
        wanted: MoveRequest,
        ordinal: u64,
    ) -> Result<bool, Error> {
        let MoveRequest { conversation, which, up_to, given } = wanted;
        let shard = self.shard_of(conversation);
        let permit = self.log.reserve(APPEND_BYTES)?;
        let mut state = self.states.lock(shard);
        if state.conversation(conversation).is_none() {
            return Ok(false);
        }
        let moves = state.check_move(conversation, identity.user, which, up_to, given)?;
        let to = Cursor { seq: up_to, ordinal, time_ms: wall_ms() };
        let Some(moved) = state.move_cursor(conversation, identity.user, which, to) else {
            return Err(Code::NotFound.into());
        };
        if !moves {
            // It may be there because of a move that is still on its way: the
            // answer comes behind that one.
            let context = Pending::Unmoved(reply.clone(), conversation, moved);
            self.log.append(
                permit,
                Append { shard, ops: Vec::new(), durability: Durability::Written, context },
            );
            return Ok(true);
        }
        let row = row(shard, conversation, identity, &moved);
        let moved_read = moved.read_moved;
        let pending =
            PendingCursor { conversation, user: identity.user, moved, reply: reply.clone() };
        let context = Pending::Cursor(Box::new(pending));
        let mut ops = vec![Op::Rows(vec![row])];
        if moved_read {
            ops.push(Op::Touched(conversation));
        }
        self.log.append(permit, Append { shard, ops, durability: Durability::Written, context });
        Ok(true)
    }
}

fn row(
    shard: ShardId,
    id: ConversationId,
    identity: &Identity,
    moved: &MovedCursor,
) -> crate::store::Write {
    let row = CursorRow {
        delivered: moved.delivered.seq,
        delivered_ms: moved.delivered.time_ms,
        read: moved.read.seq,
        read_ms: moved.read.time_ms,
        read_ordinal: moved.read.ordinal,
    };
    tables::cursors::put(shard, id, identity.user, &row)
}
