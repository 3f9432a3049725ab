//! Cursors: how far a member's devices hold, and how far the member has read.
//!
//! They are cumulative, only move forward, and never pass what the asking
//! device was given. What it was given is known per session as [`Given`]: at
//! most two runs of seqs without holes, one at the live end and one where the
//! device catches up.

use parley_protocol::{Code, UserId};

use super::{Conversation, Membership, Position, Progress, Told};

/// Which cursor to move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// The device holds everything up to the seq.
    Delivered,
    /// The user has read everything up to the seq. Implies `Delivered`.
    Read,
}

/// Seqs `from..=to`, all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// The first seq.
    pub from: u64,
    /// The last seq.
    pub to: u64,
}

impl Interval {
    /// Both as one, when they overlap or touch.
    fn join(self, other: Self) -> Option<Self> {
        let touch =
            self.from <= other.to.saturating_add(1) && other.from <= self.to.saturating_add(1);
        touch.then(|| Self { from: self.from.min(other.from), to: self.to.max(other.to) })
    }
}

/// What one session was given of one conversation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Given {
    live: Option<Interval>,
    caught_up: Option<Interval>,
}

impl Given {
    /// Notes that the entries of `interval` were written to the session.
    pub fn add(&mut self, interval: Interval) {
        let joined = [self.live, self.caught_up]
            .into_iter()
            .flatten()
            .fold(interval, |sum, known| sum.join(known).unwrap_or(sum));
        let outside = |known: &Interval| joined.join(*known).is_none();
        match self.live.filter(outside) {
            // The new run lies apart below the live one: it is where the
            // device catches up, or looks at old history.
            Some(live) if live.from > joined.to => self.caught_up = Some(joined),
            kept => {
                self.caught_up = kept.or(self.caught_up.filter(outside));
                self.live = Some(joined);
            }
        }
    }

    /// Whether a device whose user already holds everything up to `held` has,
    /// with this, everything up to `up_to`.
    #[must_use]
    pub fn covers(&self, held: u64, up_to: u64) -> bool {
        up_to <= held
            || [self.live, self.caught_up]
                .into_iter()
                .flatten()
                .any(|run| run.from <= held.saturating_add(1) && up_to <= run.to)
    }
}

/// A member's cursors after a move, and what changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MovedCursor {
    /// Where delivered stands.
    pub delivered: Position,
    /// Where read stands.
    pub read: Position,
    /// Whether delivered moved.
    pub delivered_moved: bool,
    /// Whether read moved.
    pub read_moved: bool,
}

/// What others may learn of a member's cursors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Both cursors.
    All,
    /// What was delivered; reading is hidden.
    Delivered,
    /// What was read, which was delivered too; delivery alone is hidden.
    Read,
    /// Nothing.
    Nothing,
}

impl Shown {
    /// Whether delivery is shown by itself.
    #[must_use]
    pub const fn delivery(self) -> bool {
        matches!(self, Self::All | Self::Delivered)
    }

    /// Whether reading is.
    #[must_use]
    pub const fn reading(self) -> bool {
        matches!(self, Self::All | Self::Read)
    }
}

/// Whether the cursors pass a message on a move. What else is in a log shows
/// nowhere: that it was delivered would say no more than that a device is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Passed {
    /// On the way of the delivered cursor.
    pub delivered: bool,
    /// On the way of the read cursor.
    pub read: bool,
}

/// Where others are told that a member's cursors stand now, if they are told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Telling {
    /// Delivered.
    pub delivered: Option<Position>,
    /// Read.
    pub read: Option<Position>,
}

impl Telling {
    /// Nobody is told anything.
    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        self.delivered.is_none() && self.read.is_none()
    }
}

impl MovedCursor {
    /// What others are told of the move, who may learn what is `shown`.
    #[must_use]
    pub fn telling(&self, shown: Shown, passed: Passed) -> Telling {
        let read = (shown.reading() && self.read_moved && passed.read).then_some(self.read);
        let delivered = (shown.delivery() && self.delivered_moved && passed.delivered)
            .then_some(self.delivered)
            // Who has read it has it.
            .or(read);
        Telling { delivered, read }
    }
}

impl Conversation {
    /// Whether `user` may move a cursor to `up_to`, having been `given` that; nothing
    /// up to `gone` can be read any more, as far as is known. Returns whether the
    /// move would change anything.
    ///
    /// # Errors
    /// [`Code::NotFound`] when they never were a member, [`Code::CursorAhead`]
    /// when the cursor would pass what they may see or what the device was given.
    pub fn check_move(
        &self,
        user: UserId,
        which: Move,
        up_to: u64,
        given: Given,
        gone: u64,
    ) -> Result<bool, Code> {
        let member = self.state().member(user).ok_or(Code::NotFound)?;
        let end = self.last_seen(member);
        let progress = self.progress(user);
        let floor = member.sees_after.max(self.state().erased_up_to).max(gone);
        let held = progress.delivered.seq.max(floor);
        if up_to > end || !given.covers(held, up_to) {
            return Err(Code::CursorAhead);
        }
        Ok(match which {
            Move::Delivered => up_to > progress.delivered.seq,
            Move::Read => up_to > progress.read.seq,
        })
    }

    /// Moves a member's cursor to `to`, which [`Conversation::check_move`] let
    /// pass; one that is already there stays. When something moved,
    /// [`Conversation::settle_move`] is due once that is committed. Returns
    /// `None` when the user never was a member.
    ///
    /// # Panics
    /// When the cursor would pass what the member sees: it was not checked.
    pub fn move_cursor(&mut self, user: UserId, which: Move, to: Position) -> Option<MovedCursor> {
        let end = self.last_seen(self.state().member(user)?);
        assert!(to.seq <= end, "{}: a cursor at {} of {end}", self.id, to.seq);
        let progress = self.progress.entry(user).or_default();
        let read_moved = which == Move::Read && advance(&mut progress.read, to);
        // Who has read it has it.
        let delivered_moved = advance(&mut progress.delivered, to);
        let moved = MovedCursor {
            delivered: progress.delivered,
            read: progress.read,
            delivered_moved,
            read_moved,
        };
        self.moves_in_flight += u32::from(delivered_moved || read_moved);
        Some(moved)
    }

    /// Seq of the last committed entry that the member sees.
    fn last_seen(&self, member: &Membership) -> u64 {
        member.left_seq.unwrap_or(self.committed.seq)
    }

    /// Where others are told that the cursors of `user` stand, once what is on its
    /// way is committed.
    #[must_use]
    pub fn told(&self, user: UserId) -> Told {
        self.telling.get(&user).copied().unwrap_or_else(|| self.progress(user).told)
    }

    /// Whether a message lies between what others were told of the cursors of `user`
    /// and `up_to`, of what is `shown`; `None` when only the log knows.
    ///
    /// From what they were told and not from where the cursors stand: what was not
    /// shown to a stranger is told with the move that follows the answer.
    #[must_use]
    pub fn passes(&self, user: UserId, up_to: u64, shown: Shown) -> Option<Passed> {
        let Told { delivered, read } = self.told(user);
        let passes = |shows: bool, from: u64| {
            if !shows || from >= up_to {
                return Some(false);
            }
            Some(self.ordinal_at(from)? < self.ordinal_at(up_to)?)
        };
        Some(Passed {
            delivered: passes(shown.delivery(), delivered.seq)?,
            read: passes(shown.reading(), read.seq)?,
        })
    }

    /// The same without what `user` sent themselves: that one's own message is on
    /// another device of one's own is nobody else's.
    #[must_use]
    pub fn without_own(&self, user: UserId, passed: Passed) -> Passed {
        let Told { delivered, read } = self.told(user);
        let others = |from: u64| match self.senders.since(from) {
            Some(mut senders) => senders.any(|sender| sender != user),
            None => true,
        };
        Passed {
            delivered: passed.delivered && others(delivered.seq),
            read: passed.read && others(read.seq),
        }
    }

    /// A cursor move of which others will be told this is on its way. Returns
    /// where they are told that the cursors stand once it and those before it are
    /// committed.
    pub fn will_tell(&mut self, user: UserId, telling: Telling) -> Told {
        let told = self.told(user);
        let next = self.telling.entry(user).or_insert(told);
        if let Some(delivered) = telling.delivered {
            advance(&mut next.delivered, delivered);
        }
        if let Some(read) = telling.read {
            advance(&mut next.read, read);
        }
        *next
    }

    /// A cursor move was committed: others may be told of it. Returns the seq up to
    /// which they were told before, of what they are told now.
    ///
    /// # Panics
    /// When no move is on its way.
    pub fn settle_move(&mut self, user: UserId, telling: Telling) -> u64 {
        assert!(self.moves_in_flight > 0, "{}: a move was settled twice", self.id);
        self.moves_in_flight -= 1;
        if self.moves_in_flight == 0 {
            self.telling.clear();
        }
        let mut from_seq = u64::MAX;
        if let Some(Progress { told, .. }) = self.progress.get_mut(&user) {
            let parts = [(&mut told.delivered, telling.delivered), (&mut told.read, telling.read)];
            for (told, now) in parts {
                if let Some(now) = now {
                    from_seq = from_seq.min(told.seq);
                    advance(told, now);
                }
            }
        }
        from_seq
    }

    /// Whom it matters to that `user` moved a cursor, of which others knew up to `from_seq`:
    /// those others who sent a message after it, or all when that is not known.
    #[must_use]
    pub fn receipt_readers(&self, user: UserId, from_seq: u64) -> Vec<UserId> {
        let state = self.state();
        match self.senders.since(from_seq) {
            Some(waiting) => {
                let there = |other: &UserId| *other != user && state.active(*other).is_some();
                waiting.filter(there).collect()
            }
            None => {
                let others = state.actives().map(|member| member.user);
                others.filter(|other| *other != user).collect()
            }
        }
    }
}

fn advance(cursor: &mut Position, to: Position) -> bool {
    let moves = to.seq > cursor.seq;
    if moves {
        *cursor = to;
    }
    moves
}

#[cfg(test)]
#[path = "cursor_tests.rs"]
mod tests;
