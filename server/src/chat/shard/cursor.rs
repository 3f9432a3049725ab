//! Cursor moves on their way in.
//!
//! A move is written with the next commit group but does not ask for a sync of
//! its own (see the decision on receipts): a killed process keeps it, after a
//! power cut a device may have to say it again.

use std::collections::HashSet;
use std::sync::Arc;

use parley_core::conversation::{
    Conversation, Given, Kind, Move, MovedCursor, Position, Progress, Shown, Told,
};
use parley_core::session::{Identity, RequestNumber};
use parley_protocol::{Code, ConversationId, UserId};

use super::{Error, Fresh, Pending, PendingCursor, ReplyTo, Shards};
use crate::base::clock::wall_ms;
use crate::base::reads::blocking;
use crate::chat::expiry::Gone;
use crate::chat::link::Link;
use crate::storage::log::{Append, Op, Urgency};
use crate::storage::store::{self, Place, Which, Write, tables};

/// A move as its session gives it.
#[derive(Debug, Clone)]
pub struct MoveRequest {
    pub conversation: ConversationId,
    /// Which cursor.
    pub which: Move,
    /// The seq it moves to.
    pub up_to: u64,
    /// What the session was given.
    pub given: Given,
    /// What others may learn of it.
    pub visibility: Visibility,
}

/// What others may learn of a user's cursors.
#[derive(Debug, Clone)]
pub struct Visibility {
    /// Which of the two.
    pub shown: Shown,
    /// Who learns nothing whatever is shown.
    pub hidden_from: Arc<HashSet<UserId>>,
}

impl Default for Visibility {
    fn default() -> Self {
        Self { shown: Shown::All, hidden_from: Arc::default() }
    }
}

/// Bytes a cursor's append takes.
const APPEND_BYTES: usize = 256;

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
        request: Option<RequestNumber>,
        wanted: MoveRequest,
    ) -> Result<(), Error> {
        let reply = ReplyTo { link: Arc::clone(link), request };
        // What can't be read any more is looked up only when it stands in the way.
        let mut gone = 0;
        loop {
            if !self.load(wanted.conversation, Fresh::None).await? {
                return Err(Code::NotFound.into());
            }
            let moved = match self.ordinal(identity, &wanted, gone).await {
                Ok(ordinal) => self.advance(identity, &reply, &wanted, ordinal, gone),
                Err(error) => Err(error),
            };
            match moved {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(Error::Refused(Code::CursorAhead)) if gone == 0 => {
                    gone = self.gone(identity.user, wanted.conversation).await?;
                    if gone == 0 {
                        return Err(Code::CursorAhead.into());
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Up to where nothing is left for the user to read, whatever the reason.
    async fn gone(&self, user: UserId, conversation: ConversationId) -> Result<u64, Error> {
        let look = |found: &Conversation, place| {
            let state = Arc::clone(found.state());
            state.member(user).copied().map(|member| (state, member, found.committed().seq, place))
        };
        let found = self.with(conversation, look).await?.flatten();
        let (state, member, head, place) = found.ok_or(Code::NotFound)?;
        let this = self.clone();
        let read = move || {
            let (store, home) = (&this.store, this.count().of_user(user));
            let own = store.preferences(home, user, conversation)?.unwrap_or_default();
            let last = member.left_seq.unwrap_or(head);
            let floor = member.sees_after.max(state.erased_up_to).max(own.cleared_up_to).min(last);
            let gone = Gone::look(store, place, &state.periods, last, wall_ms())?;
            Ok::<_, Error>(gone.floor(&state, floor))
        };
        blocking(read).await
    }

    /// Countable entries up to the seq. Only a read cursor needs them, and only
    /// one that is not at the end has to look into the log.
    async fn ordinal(
        &self,
        identity: &Identity,
        wanted: &MoveRequest,
        gone: u64,
    ) -> Result<u64, Error> {
        let place = self.place_of(wanted.conversation);
        {
            let mut state = self.states.lock(place.shard);
            let MoveRequest { conversation, which, up_to, given, .. } = *wanted;
            let moves = state.check_move(conversation, identity.user, which, up_to, given, gone);
            let head =
                state.conversation(conversation).map(|found| found.committed()).unwrap_or_default();
            if which == Move::Delivered || !moves? || up_to == head.seq {
                return Ok(head.ordinal);
            }
        }
        let this = self.clone();
        let up_to = wanted.up_to;
        let read = move || Ok::<_, Error>(this.store.entry(place, up_to)?);
        let record = blocking(read).await?;
        let head = record.and_then(|record| record.head().ok()).ok_or(Code::Internal)?;
        Ok(head.ordinal)
    }

    fn advance(
        &self,
        identity: &Identity,
        reply: &ReplyTo,
        wanted: &MoveRequest,
        ordinal: u64,
        gone: u64,
    ) -> Result<bool, Error> {
        let MoveRequest { conversation, which, up_to, given, ref visibility } = *wanted;
        let place = self.place_of(conversation);
        let permit = self.log.reserve(APPEND_BYTES)?;
        let mut state = self.states.lock(place.shard);
        if state.conversation(conversation).is_none() {
            return Ok(false);
        }
        let moves = state.check_move(conversation, identity.user, which, up_to, given, gone)?;
        let to = Position { seq: up_to, ordinal, time_ms: wall_ms() };
        let Some(moved) = state.move_cursor(conversation, identity.user, which, to) else {
            return Err(Code::NotFound.into());
        };
        if !moves {
            // It may be there because of a move that is still on its way: the
            // answer comes behind that one.
            let context = Pending::Unmoved(reply.clone(), conversation, moved);
            self.log.append(
                permit,
                Append { shard: place.shard, ops: Vec::new(), urgency: Urgency::Written, context },
            );
            return Ok(true);
        }
        let progress = state
            .conversation(conversation)
            .map(|found| found.progress(identity.user))
            .unwrap_or_default();
        let rows = rows(identity.user, place, &progress, &moved, visibility.shown);
        let pending = PendingCursor {
            conversation,
            user: identity.user,
            moved,
            visibility: visibility.clone(),
            reply: reply.clone(),
        };
        let mut ops = vec![Op::Rows(rows)];
        let mut urgency = Urgency::Written;
        if moved.read_moved {
            ops.push(Op::Touched(conversation));
        } else if state
            .conversation(conversation)
            .is_some_and(|found| found.state().kind == Kind::Group)
        {
            // Those who learn of it are told now and then only, see `receipts`.
            urgency = Urgency::Deferred;
        }
        let context = Pending::Cursor(Box::new(pending));
        self.log.append(permit, Append { shard: place.shard, ops, urgency, context });
        Ok(true)
    }
}

/// The cursor's row, and the steps that say when others could know of it.
fn rows(
    user: UserId,
    place: Place,
    progress: &Progress,
    moved: &MovedCursor,
    shown: Shown,
) -> Vec<Write> {
    let tell_delivered = shown != Shown::Nothing;
    let tell_read = shown == Shown::All;
    // Moves before this one may still be on their way to be told.
    let told = Told {
        delivered: if tell_delivered { moved.delivered } else { progress.told.delivered },
        read: if tell_read { moved.read } else { progress.told.read },
    };
    let row = store::state::of_progress(&Progress { told, ..*progress });
    let mut rows = vec![tables::cursors::put(place, user, &row)];
    let mut step = |which, to: &Position| {
        rows.push(tables::steps::put(place, user, which, to.seq, to.time_ms));
    };
    if moved.delivered_moved && tell_delivered {
        step(Which::Delivered, &moved.delivered);
    }
    if moved.read_moved && tell_read {
        step(Which::Read, &moved.read);
    }
    rows
}
