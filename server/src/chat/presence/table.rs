//! What presence knows, in memory: the sessions of whoever is here, and who
//! watches whom. No clock, no disk; time is an argument.
//!
//! Bounds: sessions are bounded by the homes, subscriptions for each session by
//! the protocol, lost connections to one sign a user for as long as it holds.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parley_core::session::notice;
use parley_core::user::{Sign, is_online};
use parley_protocol::wire::{self, server_envelope::Kind};
use parley_protocol::{SessionId, UserId, limits};

use super::{Gone, SAVE_MS};
use crate::base::clock::Moment;
use crate::chat::link::{Link, Shed};

/// The table.
pub(super) struct Table {
    patience_ms: u64,
    here: HashMap<UserId, Here>,
    watched: HashMap<UserId, Watched>,
    /// Whose signs are to be looked at before the next sweep.
    stirred: HashSet<UserId>,
    /// Watched users whose watchers may have to be told something.
    due: HashSet<UserId>,
    /// Users to reconsider with the next sweep, and with the one after it.
    soon: [HashSet<UserId>; 2],
    /// Grows when somebody may know more or less than before.
    revision: u64,
    online: usize,
}

/// Somebody with a session, or who had one a moment ago.
#[derive(Default)]
struct Here {
    sessions: Vec<Present>,
    /// The newest sign of a connection that was lost.
    lost: Option<Sign>,
    online: bool,
    /// When they were last in the foreground, on the sessions' clock; 0 for never.
    seen_ms: u64,
    /// The same as of the last look.
    judged_ms: u64,
    /// The same on the wall's, once they went offline.
    last_seen_ms: u64,
    /// When `seen_ms` was last written down.
    saved_ms: Option<u64>,
    /// It is not to be written down any more.
    forgotten: bool,
}

struct Present {
    link: Arc<Link>,
    watches: HashSet<UserId>,
}

#[derive(Default)]
struct Watched {
    /// When they were last online, as far as it was looked up.
    last_seen_ms: u64,
    watchers: HashMap<SessionId, Watch>,
}

struct Watch {
    link: Arc<Link>,
    /// What it was last told; nothing while its first answer is on the way.
    told: Option<Shown>,
    profile_due: bool,
}

/// What somebody is shown of somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    Online,
    /// When last, Unix milliseconds; 0 for unknown or hidden.
    Offline(u64),
}

/// What a look at the signs asks for.
#[derive(Default)]
pub(super) struct Judged {
    /// When users were last online, to be written down.
    pub(super) rows: Vec<(UserId, u64)>,
    /// Users to forget once that is done.
    pub(super) leaving: Vec<UserId>,
}

/// Whom to ask privacy about, for one watched user.
#[derive(Default)]
pub(super) struct Ask {
    pub(super) viewers: HashSet<UserId>,
    /// Those of them who wait for a new profile.
    pub(super) profiles: HashSet<UserId>,
}

/// What privacy said.
#[derive(Default)]
pub(super) struct Allowed {
    pub(super) sees: HashMap<UserId, bool>,
    pub(super) profiles: HashMap<UserId, Option<wire::Profile>>,
}

/// How much was told, and put off.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) pushed: u64,
    pub(super) shed: u64,
}

/// A session's subscriptions can't be changed like this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotWatched {
    /// The session isn't here.
    Gone,
    /// More than a session may have.
    Full,
}

impl Table {
    pub(super) fn new(patience_ms: u64) -> Self {
        Self {
            patience_ms,
            here: HashMap::new(),
            watched: HashMap::new(),
            stirred: HashSet::new(),
            due: HashSet::new(),
            soon: Default::default(),
            revision: 0,
            online: 0,
        }
    }

    pub(super) fn attach(&mut self, link: &Arc<Link>) {
        let here = self.here.entry(link.user).or_default();
        here.sessions.push(Present { link: Arc::clone(link), watches: HashSet::new() });
        self.stirred.insert(link.user);
    }

    /// Gives how many subscriptions ended with it.
    pub(super) fn detach(&mut self, link: &Link, gone: Gone) -> usize {
        let Some(here) = self.here.get_mut(&link.user) else { return 0 };
        let Some(at) = here.sessions.iter().position(|present| present.link.id == link.id) else {
            return 0;
        };
        let present = here.sessions.swap_remove(at);
        let sign = present.link.sign();
        here.seen_ms = here.seen_ms.max(sign.seen_ms);
        if gone == Gone::Lost && sign.foreground {
            here.lost = here.lost.max_by_seen(sign);
        }
        self.stirred.insert(link.user);
        for target in &present.watches {
            self.unwatch(*target, link.id);
        }
        present.watches.len()
    }

    pub(super) fn stir(&mut self, user: UserId) {
        if self.here.contains_key(&user) {
            self.stirred.insert(user);
        }
    }

    pub(super) fn reconsider(&mut self, user: UserId) {
        self.revision += 1;
        let sessions = self.here.get(&user).map(|here| &here.sessions);
        let watches = sessions.into_iter().flatten().flat_map(|present| &present.watches);
        self.due.extend(watches.copied());
        if self.watched.contains_key(&user) {
            self.due.insert(user);
        }
    }

    pub(super) fn forget(&mut self, user: UserId) {
        if let Some(here) = self.here.get_mut(&user) {
            here.forgotten = true;
        }
    }

    pub(super) fn reconsider_soon(&mut self, user: UserId) {
        if self.watched.contains_key(&user) {
            self.soon[1].insert(user);
        }
    }

    pub(super) fn profile_changed(&mut self, user: UserId) {
        if let Some(watched) = self.watched.get_mut(&user) {
            watched.watchers.values_mut().for_each(|watch| watch.profile_due = true);
            self.due.insert(user);
        }
    }

    pub(super) const fn revision(&self) -> u64 {
        self.revision
    }

    /// Users who are online.
    pub(super) const fn online(&self) -> usize {
        self.online
    }

    /// Users in memory for their sessions.
    #[cfg(test)]
    pub(super) fn known(&self) -> usize {
        self.here.len()
    }

    /// Users in memory for their watchers.
    #[cfg(test)]
    pub(super) fn watched(&self) -> usize {
        self.watched.len()
    }

    /// Watched users whose watchers wait for news.
    pub(super) fn due(&self) -> usize {
        self.due.len()
    }

    /// Looks at the signs of everybody, or of those who were stirred.
    pub(super) fn judge(&mut self, now: Moment, all: bool) -> Judged {
        let mut judged = Judged::default();
        let stirred = std::mem::take(&mut self.stirred);
        if all {
            let [next, later] = std::mem::take(&mut self.soon);
            self.soon[0] = later;
            next.into_iter().for_each(|user| self.reconsider(user));
            for (user, here) in &mut self.here {
                let turned = here.judge(*user, now, self.patience_ms, &mut judged);
                turned.note(*user, here, &mut self.watched, &mut self.due, &mut self.online);
            }
        } else {
            for user in stirred {
                let Some(here) = self.here.get_mut(&user) else { continue };
                let turned = here.judge(user, now, self.patience_ms, &mut judged);
                turned.note(user, here, &mut self.watched, &mut self.due, &mut self.online);
            }
        }
        judged
    }

    /// When everybody here was last online, for the last time.
    pub(super) fn last_seen(&self, now: Moment) -> Vec<(UserId, u64)> {
        let seen = self.here.iter().filter(|(_, here)| here.seen_ms > 0 && !here.forgotten);
        seen.map(|(user, here)| (*user, now.wall_of(here.newest_ms()))).collect()
    }

    /// What was to be written down is, or is not.
    pub(super) fn saved(&mut self, judged: &Judged, written: bool) {
        if !written {
            for (user, _) in &judged.rows {
                if let Some(here) = self.here.get_mut(user) {
                    here.saved_ms = None;
                }
            }
            return;
        }
        for user in &judged.leaving {
            if self.here.get(user).is_some_and(Here::is_empty) {
                self.here.remove(user);
            }
        }
    }

    /// Begins to watch `users` and ends watching `drop`. Gives those who were
    /// not watched before, and by how many the subscriptions have grown.
    pub(super) fn watch(
        &mut self,
        link: &Arc<Link>,
        users: &[UserId],
        drop: &[UserId],
    ) -> Result<(Vec<UserId>, isize), NotWatched> {
        let here = self.here.get_mut(&link.user).ok_or(NotWatched::Gone)?;
        let mut sessions = here.sessions.iter_mut();
        let present =
            sessions.find(|present| present.link.id == link.id).ok_or(NotWatched::Gone)?;
        let mut watches = present.watches.clone();
        drop.iter().for_each(|user| {
            watches.remove(user);
        });
        watches.extend(users);
        if watches.len() > limits::SUBSCRIPTIONS {
            return Err(NotWatched::Full);
        }
        let before = std::mem::replace(&mut present.watches, watches.clone());
        for target in before.difference(&watches) {
            self.unwatch(*target, link.id);
        }
        let added: Vec<_> = watches.difference(&before).copied().collect();
        for target in &added {
            let watch = Watch { link: Arc::clone(link), told: None, profile_due: false };
            self.watched.entry(*target).or_default().watchers.insert(link.id, watch);
        }
        Ok((added, watches.len() as isize - before.len() as isize))
    }

    fn unwatch(&mut self, target: UserId, session: SessionId) {
        let Some(watched) = self.watched.get_mut(&target) else { return };
        watched.watchers.remove(&session);
        if watched.watchers.is_empty() {
            self.watched.remove(&target);
            self.due.remove(&target);
        }
    }

    /// How `target` is now, if one may know; `stored_ms` is when they were last
    /// online as it was written down.
    pub(super) fn state(&mut self, target: UserId, stored_ms: u64, now: Moment) -> Shown {
        let mut last_seen_ms = stored_ms;
        if let Some(watched) = self.watched.get_mut(&target) {
            last_seen_ms = last_seen_ms.max(watched.last_seen_ms);
            watched.last_seen_ms = last_seen_ms;
        }
        match self.here.get(&target) {
            Some(here) if is_online(here.signs(), now.ms, self.patience_ms) => Shown::Online,
            Some(here) => Shown::Offline(last_seen_ms.max(here.last_seen_ms(now))),
            None => Shown::Offline(last_seen_ms),
        }
    }

    /// The session was told this of `target`.
    pub(super) fn told(&mut self, target: UserId, session: SessionId, shown: Shown) {
        let watched = self.watched.get_mut(&target);
        if let Some(watch) = watched.and_then(|watched| watched.watchers.get_mut(&session)) {
            watch.told = Some(shown);
        }
    }

    /// Watched users with news. What becomes news from here on is marked again.
    pub(super) fn take_due(&mut self) -> Vec<UserId> {
        std::mem::take(&mut self.due).into_iter().collect()
    }

    /// Whom privacy has to be asked about before [`Table::tell`].
    pub(super) fn ask(&self, target: UserId) -> Ask {
        let mut ask = Ask::default();
        let watchers = self.watched.get(&target).map(|watched| watched.watchers.values());
        for watch in watchers.into_iter().flatten().filter(|watch| watch.told.is_some()) {
            ask.viewers.insert(watch.link.user);
            if watch.profile_due {
                ask.profiles.insert(watch.link.user);
            }
        }
        ask
    }

    /// Tells the watchers of `target` what is new to them, unless what they may
    /// know has changed since privacy was asked: then later.
    pub(super) fn tell(&mut self, target: UserId, allowed: &Allowed, now: Moment) -> Told {
        let mut told = Told::default();
        if self.due.contains(&target) {
            return told;
        }
        let state = self.state(target, 0, now);
        let Some(watched) = self.watched.get_mut(&target) else { return told };
        for watch in watched.watchers.values_mut() {
            let Some(sees) = allowed.sees.get(&watch.link.user) else { continue };
            let shown = if *sees { state } else { Shown::Offline(0) };
            if watch.told.is_some_and(|before| before != shown) {
                let presence = Kind::Presence(shown.to_wire(target, now.wall_ms));
                if told.count(watch.link.offer(notice(presence), Shed::Early)) {
                    watch.told = Some(shown);
                }
            }
            if !watch.profile_due {
                continue;
            }
            match allowed.profiles.get(&watch.link.user) {
                Some(Some(profile)) => {
                    let profile = Kind::Profile(profile.clone());
                    watch.profile_due = !told.count(watch.link.offer(notice(profile), Shed::Early));
                }
                Some(None) => watch.profile_due = false,
                None => {}
            }
        }
        if told.shed > 0 {
            self.due.insert(target);
        }
        told
    }
}

/// Whether somebody came or went.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turned {
    Came,
    Went,
    /// Came and went between two looks, or went later than it seemed.
    Glimpsed,
    Stayed,
}

impl Turned {
    fn note(
        self,
        user: UserId,
        here: &Here,
        watched: &mut HashMap<UserId, Watched>,
        due: &mut HashSet<UserId>,
        online: &mut usize,
    ) {
        match self {
            Self::Stayed => return,
            Self::Glimpsed => {}
            Self::Came => *online += 1,
            Self::Went => *online = online.saturating_sub(1),
        }
        if let Some(watched) = watched.get_mut(&user) {
            watched.last_seen_ms = watched.last_seen_ms.max(here.last_seen_ms);
            due.insert(user);
        }
    }
}

impl Here {
    fn signs(&self) -> impl Iterator<Item = Sign> {
        self.sessions.iter().map(|present| present.link.sign()).chain(self.lost)
    }

    /// When they were last in the foreground.
    fn newest_ms(&self) -> u64 {
        self.signs().map(|sign| sign.seen_ms).fold(self.seen_ms, u64::max)
    }

    /// When that was on the wall's clock, once they are offline; 0 for never.
    fn last_seen_ms(&self, now: Moment) -> u64 {
        match self.newest_ms() {
            newest_ms if newest_ms > self.judged_ms => now.wall_of(newest_ms),
            _ => self.last_seen_ms,
        }
    }

    fn is_empty(&self) -> bool {
        self.sessions.is_empty() && self.lost.is_none() && !self.online
    }

    fn judge(
        &mut self,
        user: UserId,
        now: Moment,
        patience_ms: u64,
        judged: &mut Judged,
    ) -> Turned {
        let online = is_online(self.signs(), now.ms, patience_ms);
        self.seen_ms = self.newest_ms();
        self.lost = self.lost.filter(|sign| is_online([*sign], now.ms, patience_ms));
        let turned = match (self.online, online) {
            (false, true) => Turned::Came,
            (true, false) => Turned::Went,
            (false, false) if self.seen_ms > self.judged_ms => Turned::Glimpsed,
            _ => Turned::Stayed,
        };
        (self.online, self.judged_ms) = (online, self.seen_ms);
        if turned != Turned::Stayed {
            self.saved_ms = None;
        }
        if matches!(turned, Turned::Went | Turned::Glimpsed) {
            self.last_seen_ms = now.wall_of(self.seen_ms);
        }
        let due = self.saved_ms.is_none_or(|at| online && now.ms >= at.saturating_add(SAVE_MS));
        if due && self.seen_ms > 0 && !self.forgotten {
            self.saved_ms = Some(now.ms);
            judged.rows.push((user, now.wall_of(self.seen_ms)));
        }
        if self.is_empty() {
            judged.leaving.push(user);
        }
        turned
    }
}

trait Newer {
    fn max_by_seen(self, other: Sign) -> Option<Sign>;
}

impl Newer for Option<Sign> {
    fn max_by_seen(self, other: Sign) -> Option<Sign> {
        Some(self.filter(|sign| sign.seen_ms >= other.seen_ms).unwrap_or(other))
    }
}

impl Shown {
    pub(super) fn to_wire(self, user: UserId, wall_ms: u64) -> wire::Presence {
        let (online, last_seen_ms) = match self {
            Self::Online => (true, wall_ms),
            Self::Offline(last_seen_ms) => (false, last_seen_ms),
        };
        wire::Presence { user: user.to_wire(), online, last_seen_ms }
    }
}

impl Told {
    fn count(&mut self, taken: bool) -> bool {
        if taken {
            self.pushed += 1;
        } else {
            self.shed += 1;
        }
        taken
    }
}
