//! What presence knows, in memory: users with sessions (`user`), and who watches
//! whom. No clock, no disk; time is an argument.
//!
//! Bounds: sessions are bounded by the homes, subscriptions for each session by
//! the protocol, lost connections to one sign a user for as long as it holds.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parley_core::believed::STEP_MS;
use parley_core::session::notice;
use parley_protocol::wire::{self, server_envelope::Kind};
use parley_protocol::{SessionId, UserId, limits};

use super::Gone;
use super::user::{Change, Updates, UserState};
use crate::base::clock::Moment;
use crate::chat::link::{Link, Shed};

/// Bytes that one subscription takes, about: twice the id, the watch, their room.
const WATCH_BYTES: usize = 320;

/// Revisions, over all users: enough that nobody's own changes stand in the way of
/// what is asked about others.
const REVISIONS: usize = 4096;

/// The revision of a user: the end of an id is random.
fn stripe(user: UserId) -> usize {
    let [.., high, low] = *user.as_bytes();
    usize::from(u16::from_be_bytes([high, low])) % REVISIONS
}

/// The table.
pub(super) struct Table {
    patience_ms: u64,
    /// Users with a session, or who had one a moment ago.
    users: HashMap<UserId, UserState>,
    watchers: Watchers,
    /// Users whose signs of life are to be looked at before the next sweep.
    changed: HashSet<UserId>,
    /// Users whose watchers are asked about again with the next sweep, and
    /// with the one after it.
    recheck: [HashSet<UserId>; 2],
    /// Each grows when one of its users may know more or less than before.
    revisions: Box<[u64]>,
    online: usize,
}

/// Who watches whom, and who has news for their watchers.
#[derive(Default)]
struct Watchers {
    watched: HashMap<UserId, Watched>,
    /// Watched users whose watchers may have to be told something.
    pending: HashSet<UserId>,
}

/// A user whom somebody watches.
#[derive(Default)]
struct Watched {
    /// When they were last online, as far as it was looked up.
    last_seen_ms: u64,
    watchers: HashMap<SessionId, Watch>,
}

struct Watch {
    link: Arc<Link>,
    /// What it was last told; nothing while its first answer is on the way.
    told: Option<Status>,
    profile_due: bool,
}

/// Whether a user is online, as a watcher is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Online,
    /// When they were last seen, Unix milliseconds; 0 for unknown or hidden.
    Offline(u64),
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
            users: HashMap::new(),
            watchers: Watchers::default(),
            changed: HashSet::new(),
            recheck: Default::default(),
            revisions: vec![0; REVISIONS].into(),
            online: 0,
        }
    }

    pub(super) fn attach(&mut self, link: &Arc<Link>) {
        self.users.entry(link.user).or_default().attach(link);
        self.changed.insert(link.user);
    }

    /// Returns how many subscriptions ended with it.
    pub(super) fn detach(&mut self, link: &Link, gone: Gone) -> usize {
        let Some(user) = self.users.get_mut(&link.user) else { return 0 };
        let Some(subscriptions) = user.detach(link, gone) else { return 0 };
        self.changed.insert(link.user);
        for target in &subscriptions {
            self.watchers.remove(*target, link.id);
        }
        subscriptions.len()
    }

    pub(super) fn foreground_changed(&mut self, user: UserId) {
        if self.users.contains_key(&user) {
            self.changed.insert(user);
        }
    }

    pub(super) fn privacy_changed(&mut self, user: UserId) {
        if let Some(revision) = self.revisions.get_mut(stripe(user)) {
            *revision += 1;
        }
        let subscriptions = self.users.get(&user).into_iter().flat_map(UserState::subscriptions);
        self.watchers.pending.extend(subscriptions.copied());
        if self.watchers.watched.contains_key(&user) {
            self.watchers.pending.insert(user);
        }
    }

    pub(super) fn privacy_will_change(&mut self, user: UserId) {
        if self.watchers.watched.contains_key(&user) {
            self.recheck[1].insert(user);
        }
    }

    pub(super) fn forget(&mut self, user: UserId) {
        if let Some(state) = self.users.get_mut(&user) {
            state.forget();
        }
    }

    pub(super) fn profile_changed(&mut self, user: UserId) {
        if let Some(watched) = self.watchers.watched.get_mut(&user) {
            watched.watchers.values_mut().for_each(|watch| watch.profile_due = true);
            self.watchers.pending.insert(user);
        }
    }

    /// Differs from what it was when `user` may know more or less than before, or
    /// be known so; now and then it differs for nothing.
    fn revision(&self, user: UserId) -> u64 {
        self.revisions.get(stripe(user)).copied().unwrap_or(0)
    }

    /// The revisions that what `viewer` may know of `target` rests on.
    pub(super) fn revisions_of(&self, viewer: UserId, target: UserId) -> (u64, u64) {
        (self.revision(viewer), self.revision(target))
    }

    /// What the watchers of `user` were told is looked at again.
    pub(super) fn recheck(&mut self, user: UserId) {
        if self.watchers.watched.contains_key(&user) {
            self.watchers.pending.insert(user);
        }
    }

    /// Users who are online.
    pub(super) const fn online(&self) -> usize {
        self.online
    }

    /// Users in memory for their sessions.
    #[cfg(test)]
    pub(super) fn known(&self) -> usize {
        self.users.len()
    }

    /// Users in memory for their watchers.
    #[cfg(test)]
    pub(super) fn watched(&self) -> usize {
        self.watchers.watched.len()
    }

    /// Watched users whose watchers wait for news.
    pub(super) fn pending(&self) -> usize {
        self.watchers.pending.len()
    }

    /// Looks at the signs of life of everybody, or of those whose signs changed.
    pub(super) fn update(&mut self, now: Moment, all: bool) -> Updates {
        let mut updates = Updates::default();
        let changed = std::mem::take(&mut self.changed);
        if all {
            let [next, later] = std::mem::take(&mut self.recheck);
            self.recheck[0] = later;
            next.into_iter().for_each(|user| self.privacy_changed(user));
            for (user, state) in &mut self.users {
                let change = state.update(*user, now, self.patience_ms, &mut updates);
                self.online = change.counted(self.online);
                self.watchers.note(*user, change, state.stored_last_seen_ms());
            }
        } else {
            for user in changed {
                let Some(state) = self.users.get_mut(&user) else { continue };
                let change = state.update(user, now, self.patience_ms, &mut updates);
                self.online = change.counted(self.online);
                self.watchers.note(user, change, state.stored_last_seen_ms());
            }
        }
        updates
    }

    /// When everybody here was last online, for the last time.
    pub(super) fn last_seen(&self, now: Moment) -> Vec<(UserId, u64)> {
        let seen = |(user, state): (&UserId, &UserState)| Some((*user, state.to_save_ms(now)?));
        self.users.iter().filter_map(seen).collect()
    }

    /// The updates' rows were written down, or were not.
    pub(super) fn saved(&mut self, updates: &Updates, written: bool) {
        if !written {
            for (user, _) in &updates.rows {
                if let Some(state) = self.users.get_mut(user) {
                    state.not_saved();
                }
            }
            return;
        }
        for user in &updates.leaving {
            if self.users.get(user).is_some_and(UserState::is_empty) {
                self.users.remove(user);
            }
        }
    }

    /// Begins to watch `users` and ends watching `drop`. Returns those who were
    /// not watched before, and by how many the subscriptions have grown.
    pub(super) fn watch(
        &mut self,
        link: &Arc<Link>,
        users: &[UserId],
        drop: &[UserId],
    ) -> Result<(Vec<UserId>, isize), NotWatched> {
        let user = self.users.get_mut(&link.user).ok_or(NotWatched::Gone)?;
        let subscriptions = user.subscriptions_of(link.id).ok_or(NotWatched::Gone)?;
        let mut wanted = subscriptions.clone();
        for user in drop {
            wanted.remove(user);
        }
        wanted.extend(users);
        if wanted.len() > limits::SUBSCRIPTIONS {
            return Err(NotWatched::Full);
        }
        let before = std::mem::replace(subscriptions, wanted.clone());
        for target in before.difference(&wanted) {
            self.watchers.remove(*target, link.id);
        }
        let added: Vec<_> = wanted.difference(&before).copied().collect();
        for target in &added {
            self.watchers.add(*target, link);
        }
        link.keeps(wanted.len() * WATCH_BYTES);
        Ok((added, wanted.len() as isize - before.len() as isize))
    }

    /// How `target` is now, if one may know; `stored_ms` is when they were last
    /// online as it was written down.
    pub(super) fn status(&mut self, target: UserId, stored_ms: u64, now: Moment) -> Status {
        // Nobody was seen in the future: a clock was wrong then, or is now.
        let can_be = |ms: u64| if ms > now.wall_ms.saturating_add(STEP_MS) { 0 } else { ms };
        let mut last_seen_ms = can_be(stored_ms);
        if let Some(watched) = self.watchers.watched.get_mut(&target) {
            last_seen_ms = last_seen_ms.max(can_be(watched.last_seen_ms));
            watched.last_seen_ms = last_seen_ms;
        }
        match self.users.get(&target) {
            Some(state) if state.is_online(now, self.patience_ms) => Status::Online,
            Some(state) => Status::Offline(last_seen_ms.max(can_be(state.last_seen_ms(now)))),
            None => Status::Offline(last_seen_ms),
        }
    }

    /// The session was told this of `target`.
    pub(super) fn told(&mut self, target: UserId, session: SessionId, status: Status) {
        let watched = self.watchers.watched.get_mut(&target);
        if let Some(watch) = watched.and_then(|watched| watched.watchers.get_mut(&session)) {
            watch.told = Some(status);
        }
    }

    /// Watched users with news. What becomes news from here on is marked again.
    pub(super) fn take_pending(&mut self) -> Vec<UserId> {
        std::mem::take(&mut self.watchers.pending).into_iter().collect()
    }

    /// Whom privacy has to be asked about before [`Table::tell`].
    pub(super) fn ask(&self, target: UserId) -> Ask {
        let mut ask = Ask::default();
        let watchers = self.watchers.watched.get(&target).map(|watched| watched.watchers.values());
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
        if self.watchers.pending.contains(&target) {
            return told;
        }
        let status = self.status(target, 0, now);
        let Some(watched) = self.watchers.watched.get_mut(&target) else { return told };
        for watch in watched.watchers.values_mut() {
            let Some(sees) = allowed.sees.get(&watch.link.user) else { continue };
            let status = if *sees { status } else { Status::Offline(0) };
            if watch.told.is_some_and(|before| before != status) {
                let presence = Kind::Presence(status.to_wire(target, now.wall_ms));
                if told.count(watch.link.offer(notice(presence), Shed::Early)) {
                    watch.told = Some(status);
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
            self.watchers.pending.insert(target);
        }
        told
    }
}

impl Watchers {
    fn add(&mut self, target: UserId, link: &Arc<Link>) {
        let watch = Watch { link: Arc::clone(link), told: None, profile_due: false };
        self.watched.entry(target).or_default().watchers.insert(link.id, watch);
    }

    fn remove(&mut self, target: UserId, session: SessionId) {
        let Some(watched) = self.watched.get_mut(&target) else { return };
        watched.watchers.remove(&session);
        if watched.watchers.is_empty() {
            self.watched.remove(&target);
            self.pending.remove(&target);
        }
    }

    /// `user` changed; their watchers may have to be told.
    fn note(&mut self, user: UserId, change: Change, last_seen_ms: u64) {
        if change == Change::None {
            return;
        }
        if let Some(watched) = self.watched.get_mut(&user) {
            if last_seen_ms > 0 {
                watched.last_seen_ms = last_seen_ms;
            }
            self.pending.insert(user);
        }
    }
}

impl Status {
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
