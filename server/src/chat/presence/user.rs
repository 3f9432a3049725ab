//! One user as presence knows them: their sessions, whether they are online, and
//! when they were last seen. Time is an argument.
//!
//! Signs of life are read from the sessions' links; `update` works out what
//! follows, and is called for a sweep and for a user whose signs changed.

use std::collections::HashSet;
use std::sync::Arc;

use parley_core::user::{Sign, is_online};
use parley_protocol::{SessionId, UserId};

use super::{Gone, SAVE_MS};
use crate::base::clock::Moment;
use crate::chat::link::Link;

/// A user with a session, or who had one a moment ago.
#[derive(Default)]
pub(super) struct UserState {
    sessions: Vec<Present>,
    /// The newest sign of a connection that was lost.
    lost: Option<Sign>,
    online: bool,
    /// When they were last in the foreground, on the sessions' clock; 0 for never.
    seen_ms: u64,
    /// The same as of the last update.
    updated_ms: u64,
    /// The same on the wall's, once they went offline.
    last_seen_ms: u64,
    /// When `seen_ms` was last written down.
    saved_ms: Option<u64>,
    /// It is not to be written down any more.
    forgotten: bool,
}

struct Present {
    link: Arc<Link>,
    subscriptions: HashSet<UserId>,
}

/// What updates ask for.
#[derive(Default)]
pub(super) struct Updates {
    /// When users were last online, to be written down.
    pub(super) rows: Vec<(UserId, u64)>,
    /// Users to forget once that is done.
    pub(super) leaving: Vec<UserId>,
}

/// What an update found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Online,
    Offline,
    /// Online and offline between two updates, or offline later than it seemed.
    SeenLater,
    None,
}

impl Change {
    /// The number of users online after it.
    pub(super) const fn counted(self, online: usize) -> usize {
        match self {
            Self::Online => online + 1,
            Self::Offline => online.saturating_sub(1),
            Self::SeenLater | Self::None => online,
        }
    }
}

impl UserState {
    pub(super) fn attach(&mut self, link: &Arc<Link>) {
        self.sessions.push(Present { link: Arc::clone(link), subscriptions: HashSet::new() });
    }

    /// Returns what the session was subscribed to, if it is one of the user's.
    pub(super) fn detach(&mut self, link: &Link, gone: Gone) -> Option<HashSet<UserId>> {
        let at = self.sessions.iter().position(|present| present.link.id == link.id)?;
        let present = self.sessions.swap_remove(at);
        let sign = present.link.sign();
        self.seen_ms = self.seen_ms.max(sign.seen_ms);
        if gone == Gone::Lost && sign.foreground {
            let newer = self.lost.filter(|lost| lost.seen_ms >= sign.seen_ms);
            self.lost = Some(newer.unwrap_or(sign));
        }
        Some(present.subscriptions)
    }

    /// What all sessions together are subscribed to.
    pub(super) fn subscriptions(&self) -> impl Iterator<Item = &UserId> {
        self.sessions.iter().flat_map(|present| &present.subscriptions)
    }

    /// What one session is subscribed to.
    pub(super) fn subscriptions_of(&mut self, session: SessionId) -> Option<&mut HashSet<UserId>> {
        let present = self.sessions.iter_mut().find(|present| present.link.id == session)?;
        Some(&mut present.subscriptions)
    }

    pub(super) const fn forget(&mut self) {
        self.forgotten = true;
    }

    /// What the last update wanted to be written down was not.
    pub(super) const fn not_saved(&mut self) {
        self.saved_ms = None;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sessions.is_empty() && self.lost.is_none() && !self.online
    }

    pub(super) fn is_online(&self, now: Moment, patience_ms: u64) -> bool {
        is_online(self.signs(), now.ms, patience_ms)
    }

    /// When they were last in the foreground, on the wall's clock; 0 for never.
    pub(super) fn last_seen_ms(&self, now: Moment) -> u64 {
        match self.newest_ms() {
            newest_ms if newest_ms > self.updated_ms => now.wall_of(newest_ms),
            _ => self.last_seen_ms,
        }
    }

    /// The same as of the last time they went offline.
    pub(super) const fn stored_last_seen_ms(&self) -> u64 {
        self.last_seen_ms
    }

    /// What is to be written down when the node stops.
    pub(super) fn to_save_ms(&self, now: Moment) -> Option<u64> {
        (self.seen_ms > 0 && !self.forgotten).then(|| now.wall_of(self.newest_ms()))
    }

    /// Works out what the signs of life say now.
    pub(super) fn update(
        &mut self,
        user: UserId,
        now: Moment,
        patience_ms: u64,
        updates: &mut Updates,
    ) -> Change {
        let online = self.is_online(now, patience_ms);
        self.seen_ms = self.newest_ms();
        self.lost = self.lost.filter(|sign| is_online([*sign], now.ms, patience_ms));
        let change = match (self.online, online) {
            (false, true) => Change::Online,
            (true, false) => Change::Offline,
            (false, false) if self.seen_ms > self.updated_ms => Change::SeenLater,
            _ => Change::None,
        };
        (self.online, self.updated_ms) = (online, self.seen_ms);
        if change != Change::None {
            self.saved_ms = None;
        }
        if matches!(change, Change::Offline | Change::SeenLater) {
            self.last_seen_ms = now.wall_of(self.seen_ms);
        }
        let due = self.saved_ms.is_none_or(|at| online && now.ms >= at.saturating_add(SAVE_MS));
        if due && self.seen_ms > 0 && !self.forgotten {
            self.saved_ms = Some(now.ms);
            updates.rows.push((user, now.wall_of(self.seen_ms)));
        }
        if self.is_empty() {
            updates.leaving.push(user);
        }
        change
    }

    fn signs(&self) -> impl Iterator<Item = Sign> {
        self.sessions.iter().map(|present| present.link.sign()).chain(self.lost)
    }

    /// When they were last in the foreground, on the sessions' clock.
    fn newest_ms(&self) -> u64 {
        self.signs().map(|sign| sign.seen_ms).fold(self.seen_ms, u64::max)
    }
}
