//! Cursor moves on their way in.
//!
//! A move is written with the next commit group but does not ask for a sync of
//! its own (see the decision on receipts): a killed process keeps it, after a
//! power cut a device may have to say it again.

use std::collections::HashSet;
use std::sync::Arc;

use parley_core::conversation::{
    Conversation, Given, Kind, Move, Passed, Position, Progress, Shown, Telling, Told,
};
use parley_core::session::{Identity, RequestNumber};
use parley_protocol::{Code, ConversationId, UserId};

use super::{Asker, Error, Fresh, Pending, PendingCursor, ReplyTo, Shards};
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

/// The other one of a 1:1, and who of the two is known to take part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// The other one.
    pub peer: UserId,
    /// Whether the one wrote or accepted it, when that is known in memory.
    pub own: Option<bool>,
    /// The same of the other.
    pub peers: Option<bool>,
}

impl Pair {
    /// The two, from where `user` stands; `None` for a group.
    #[must_use]
    pub fn of(conversation: &Conversation, user: UserId) -> Option<Self> {
        let peer = conversation.state().peer(user)?;
        let (own, peers) = (conversation.takes_part(user), conversation.takes_part(peer));
        Some(Self { peer, own, peers })
    }
}

/// Bytes a cursor's append takes.
const APPEND_BYTES: usize = 256;

impl Shards {
    /// Notes what the store says of a user of a 1:1.
    pub fn note_taking_part(&self, conversation: ConversationId, user: UserId, takes: bool) {
        let shard = self.place_of(conversation).shard;
        self.states.lock(shard).note_taking_part(conversation, user, takes);
    }

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
            let asker = Asker::User(identity.user);
            if !self.load(wanted.conversation, Fresh::None, asker).await? {
                return Err(Code::NotFound.into());
            }
            let moved = match self.way(identity, &wanted, gone).await {
                Ok(way) => self.advance(identity, &reply, &wanted, way, gone),
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
        let found = self.with(Asker::User(user), conversation, look).await?.flatten();
        let (state, member, head, place) = found.ok_or(Code::NotFound)?;
        let this = self.clone();
        let read = move || {
            let (store, home) = (&this.store, this.count().of_user(user));
            let own = store.preferences(home, user, conversation)?.unwrap_or_default();
            let last = member.left_seq.unwrap_or(head);
            let floor = member.sees_after.max(state.erased_up_to).max(own.cleared_up_to).min(last);
            let gone = Gone::look(store, place, &state, last, wall_ms())?;
            Ok::<_, Error>(gone.floor(&state, floor))
        };
        blocking(read).await
    }

    /// Messages up to the seq, and which cursors pass one on the way. Only what is
    /// no longer remembered is looked up in the log.
    async fn way(
        &self,
        identity: &Identity,
        wanted: &MoveRequest,
        gone: u64,
    ) -> Result<Way, Error> {
        let MoveRequest { conversation, which, up_to, given, ref visibility } = *wanted;
        let (place, user, shown) = (self.place_of(conversation), identity.user, visibility.shown);
        let (told, last) = {
            let mut state = self.states.lock(place.shard);
            let moves = state.check_move(conversation, user, which, up_to, given, gone)?;
            let found = state.conversation(conversation).ok_or(Code::NotFound)?;
            if !moves {
                return Ok(Way::default());
            }
            if let Some(way) = remembered(found, user, up_to, shown) {
                return Ok(way);
            }
            (found.told(user), found.committed().seq)
        };
        let this = self.clone();
        let read = move || {
            let at = |seq| this.store.position(place, seq, last).map(|at| at.ordinal);
            let ordinal = at(up_to)?;
            let passes = |shows: bool, from: Position| -> Result<bool, Error> {
                Ok(shows && from.seq < up_to && at(from.seq)? < ordinal)
            };
            let passed = Passed {
                delivered: passes(shown.delivery(), told.delivered)?,
                read: passes(shown.reading(), told.read)?,
            };
            Ok::<_, Error>(Way { ordinal, passed })
        };
        blocking(read).await
    }

    fn advance(
        &self,
        identity: &Identity,
        reply: &ReplyTo,
        wanted: &MoveRequest,
        way: Way,
        gone: u64,
    ) -> Result<bool, Error> {
        let MoveRequest { conversation, which, up_to, given, ref visibility } = *wanted;
        let place = self.place_of(conversation);
        let permit = self.log.reserve_for(identity.user, APPEND_BYTES)?;
        let mut state = self.states.lock(place.shard);
        if state.conversation(conversation).is_none() {
            return Ok(false);
        }
        let moves = state.check_move(conversation, identity.user, which, up_to, given, gone)?;
        // Since it was looked at another device of the user may have moved it.
        let way = state.conversation(conversation).map_or(way, |found| {
            let way = remembered(found, identity.user, up_to, visibility.shown).unwrap_or(way);
            Way { passed: found.without_own(identity.user, way.passed), ..way }
        });
        let to = Position { seq: up_to, ordinal: way.ordinal, time_ms: self.dates.stamp_ms() };
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
        let telling = moved.telling(visibility.shown, way.passed);
        let told = state.will_tell(conversation, identity.user, telling).unwrap_or(progress.told);
        let rows = rows(identity.user, place, &progress, told, telling);
        let pending = PendingCursor {
            conversation,
            user: identity.user,
            moved,
            telling,
            hidden_from: Arc::clone(&visibility.hidden_from),
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

/// What lies on a cursor's way.
#[derive(Debug, Clone, Copy, Default)]
struct Way {
    /// Messages up to where it goes.
    ordinal: u64,
    passed: Passed,
}

/// The way to `up_to`, if all of it is remembered.
fn remembered(found: &Conversation, user: UserId, up_to: u64, shown: Shown) -> Option<Way> {
    Some(Way { ordinal: found.ordinal_at(up_to)?, passed: found.passes(user, up_to, shown)? })
}

/// The cursor's row, and the steps that say when others could know of it.
fn rows(
    user: UserId,
    place: Place,
    progress: &Progress,
    told: Told,
    telling: Telling,
) -> Vec<Write> {
    let row = store::state::of_progress(&Progress { told, ..*progress });
    let mut rows = vec![tables::cursors::put(place, user, &row)];
    let mut step = |which, to: Option<Position>, told: Position| {
        // What others could know before they knew since then.
        if let Some(to) = to.filter(|to| to.seq > told.seq) {
            rows.push(tables::steps::put(place, user, which, to.seq, to.time_ms));
        }
    };
    step(Which::Delivered, telling.delivered, progress.told.delivered);
    step(Which::Read, telling.read, progress.told.read);
    rows
}
