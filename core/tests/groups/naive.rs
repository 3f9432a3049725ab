//! The reference: a list of entries, and questions answered by going through it.
//!
//! Written from the protocol document, not from the code it checks.

use std::collections::{BTreeMap, BTreeSet};

use parley_core::conversation::{Act, Bounds, Change, Role, Settings, Target};
use parley_protocol::{Code, UserId, limits};

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) sender: UserId,
    pub(crate) act: Act,
    pub(crate) time_ms: u64,
}

/// The entries from seq 1 on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Naive {
    pub(crate) entries: Vec<Entry>,
}

/// One member's last stay.
#[derive(Debug, Clone, Copy)]
struct Stay {
    user: UserId,
    role: Role,
    came: u64,
    /// The first entry that is theirs to see.
    sees_from: u64,
    went: Option<u64>,
}

impl Naive {
    fn numbered(&self) -> impl Iterator<Item = (u64, &Entry)> {
        (1..).zip(&self.entries)
    }

    /// The last stay of everybody who ever was in, in order of first coming.
    fn stays(&self) -> Vec<Stay> {
        let mut stays: Vec<Stay> = Vec::new();
        let mut open_from = None;
        for (seq, Entry { sender, act, .. }) in self.numbered() {
            let Act::Change(change) = act else { continue };
            let mut comes = Vec::new();
            match change {
                Change::Created { settings: first, members, .. } => {
                    open_from = first.history_for_newcomers.then_some(1);
                    comes.push((*sender, Role::Owner));
                    comes.extend(members.iter().map(|user| (*user, Role::Member)));
                }
                Change::Changed { settings: Some(new), .. } => {
                    // From the entry behind the one that switched it on.
                    let since = open_from.unwrap_or(seq + 1);
                    open_from = new.history_for_newcomers.then_some(since);
                }
                Change::Added(users) => {
                    comes.extend(users.iter().map(|user| (*user, Role::Member)));
                }
                Change::Joined => comes.push((*sender, Role::Member)),
                Change::Removed(user) | Change::Banned(user) => go(&mut stays, *user, seq),
                Change::Left => {
                    let owner = stays.iter().any(|stay| {
                        stay.user == *sender && stay.went.is_none() && stay.role == Role::Owner
                    });
                    go(&mut stays, *sender, seq);
                    if owner {
                        inherit(&mut stays);
                    }
                }
                Change::Role(user, role) => {
                    for stay in &mut stays {
                        if stay.user == *user {
                            stay.role = *role;
                        } else if stay.user == *sender && *role == Role::Owner {
                            stay.role = Role::Admin;
                        }
                    }
                }
                Change::Changed { settings: None, .. }
                | Change::Unbanned(_)
                | Change::Erased(_)
                | Change::Pinned { .. } => {}
            }
            for (user, role) in comes {
                // Never more of what was before than the last time.
                let before = stays.iter().find(|stay| stay.user == user);
                let before = before.map_or(1, |stay| stay.sees_from);
                let sees_from = open_from.map_or(seq, |since| since.min(seq)).max(before);
                stays.retain(|stay| stay.user != user);
                stays.push(Stay { user, role, came: seq, sees_from, went: None });
            }
        }
        stays
    }

    fn stay(&self, user: UserId) -> Option<Stay> {
        self.stays().into_iter().find(|stay| stay.user == user)
    }

    pub(crate) fn members(&self) -> BTreeMap<UserId, Role> {
        let inside = |stay: &Stay| stay.went.is_none();
        self.stays().into_iter().filter(inside).map(|stay| (stay.user, stay.role)).collect()
    }

    pub(crate) fn settings(&self) -> Settings {
        let mut settings = Settings::default();
        for entry in &self.entries {
            if let Act::Change(
                Change::Created { settings: new, .. } | Change::Changed { settings: Some(new), .. },
            ) = &entry.act
            {
                settings = *new;
            }
        }
        settings
    }

    fn erased_up_to(&self) -> u64 {
        let erased = self.entries.iter().map(|entry| match entry.act {
            Act::Change(Change::Erased(up_to)) => up_to,
            _ => 0,
        });
        erased.max().unwrap_or(0)
    }

    /// Who may not come in.
    pub(crate) fn banned(&self) -> BTreeSet<UserId> {
        let mut banned = BTreeSet::new();
        for entry in &self.entries {
            match &entry.act {
                Act::Change(Change::Banned(user)) => drop(banned.insert(*user)),
                Act::Change(Change::Unbanned(user)) => drop(banned.remove(user)),
                Act::Change(Change::Added(users)) => {
                    banned.retain(|banned| !users.contains(banned));
                }
                _ => {}
            }
        }
        banned
    }

    /// Which entries are too old to keep. Each is kept for so long as was set
    /// before it, the first as it sets itself.
    fn old(&self, now_ms: u64) -> Vec<bool> {
        let mut kept: Option<u64> = None;
        let mut old = Vec::new();
        for entry in &self.entries {
            if let Act::Change(Change::Created { settings, .. }) = &entry.act {
                kept = settings.retention_s;
            }
            old.push(kept.is_some_and(|kept| entry.time_ms + kept * 1000 < now_ms));
            if let Act::Change(Change::Changed { settings: Some(settings), .. }) = &entry.act {
                kept = settings.retention_s;
            }
        }
        old
    }

    /// Whether an entry is too old to keep.
    pub(crate) fn expired(&self, seq: u64, now_ms: u64) -> bool {
        self.old(now_ms).get(seq as usize - 1).copied().unwrap_or(false)
    }

    /// Messages that nobody can read any more.
    pub(crate) fn lost(&self, now_ms: u64) -> BTreeSet<u64> {
        let erased = self.erased_up_to();
        let mut lost = self.deleted();
        let old = self.old(now_ms);
        for ((seq, entry), old) in self.numbered().zip(old) {
            if is_message(entry) && (seq <= erased || old) {
                lost.insert(seq);
            }
        }
        lost
    }

    pub(crate) fn pinned(&self, now_ms: u64) -> BTreeSet<u64> {
        let mut pinned = BTreeSet::new();
        for entry in &self.entries {
            match entry.act {
                Act::Change(Change::Pinned { seq, removed: false }) => drop(pinned.insert(seq)),
                Act::Change(Change::Pinned { seq, removed: true }) => drop(pinned.remove(&seq)),
                Act::Change(Change::Erased(up_to)) => pinned.retain(|seq| *seq > up_to),
                Act::Delete { seq, .. } => drop(pinned.remove(&seq)),
                _ => {}
            }
        }
        pinned.retain(|seq| !self.expired(*seq, now_ms));
        pinned
    }

    /// Whether an entry is delivered to somebody: within their last stay.
    pub(crate) fn sees(&self, user: UserId, seq: u64) -> bool {
        self.stay(user)
            .is_some_and(|stay| seq >= stay.sees_from && stay.went.is_none_or(|went| seq <= went))
    }

    /// Up to here nothing is theirs to read.
    pub(crate) fn floor(&self, user: UserId) -> u64 {
        let before = self.stay(user).map_or(0, |stay| stay.sees_from - 1);
        before.max(self.erased_up_to())
    }

    /// Up to here nothing is theirs to read, what is too old considered.
    pub(crate) fn gone(&self, user: UserId, now_ms: u64) -> u64 {
        let floor = self.floor(user);
        let old =
            (floor + 1..=self.entries.len() as u64).take_while(|seq| self.expired(*seq, now_ms));
        old.last().unwrap_or(floor)
    }

    /// The last seq of theirs; `None` for strangers.
    pub(crate) fn end(&self, user: UserId) -> Option<u64> {
        let last = self.entries.len() as u64;
        self.stay(user).map(|stay| stay.went.unwrap_or(last))
    }

    pub(crate) fn ordinal(&self, seq: u64) -> u64 {
        self.numbered().filter(|(at, entry)| *at <= seq && is_message(entry)).count() as u64
    }

    pub(crate) fn deleted(&self) -> BTreeSet<u64> {
        let target = |entry: &Entry| match entry.act {
            Act::Delete { seq, .. } => Some(seq),
            _ => None,
        };
        self.entries.iter().filter_map(target).collect()
    }

    /// What a server finds when it looks the entry up.
    pub(crate) fn target(&self, seq: u64) -> Option<Target> {
        let (_, entry) = self.numbered().find(|(at, _)| *at == seq)?;
        Some(Target {
            sender: entry.sender,
            message: is_message(entry),
            ordinal: self.ordinal(seq),
            time_ms: entry.time_ms,
            erased: self.deleted().contains(&seq),
        })
    }

    /// Messages that are theirs to read, not read, not older than their own
    /// last one or their coming, and not deleted.
    pub(crate) fn unread(&self, user: UserId, read: u64, now_ms: u64) -> Vec<u64> {
        let Some(stay) = self.stay(user) else { return Vec::new() };
        let deleted = self.lost(now_ms);
        let own = self.numbered().filter(|(_, entry)| entry.sender == user && is_message(entry));
        let own = own.map(|(seq, _)| seq).max().unwrap_or(0);
        let floor = read.max(own).max(stay.came);
        let end = stay.went.unwrap_or(u64::MAX);
        let counts = |(seq, entry): (u64, &Entry)| {
            let unread = seq > floor && seq <= end && is_message(entry) && !deleted.contains(&seq);
            unread.then_some(seq)
        };
        self.numbered().filter_map(counts).collect()
    }

    /// Whether a message mentions somebody.
    pub(crate) fn mentions(&self, seq: u64, user: UserId) -> bool {
        match self.entries.get(seq as usize - 1) {
            Some(Entry { sender, act: Act::Message { mentions, everyone, .. }, .. }) => {
                *sender != user && (*everyone || mentions.contains(&user))
            }
            _ => false,
        }
    }

    /// The messages that mention somebody and are there.
    pub(crate) fn mentioning(&self, user: UserId, now_ms: u64) -> impl Iterator<Item = u64> {
        let deleted = self.lost(now_ms);
        (1..=self.entries.len() as u64)
            .filter(move |seq| self.mentions(*seq, user) && !deleted.contains(seq))
    }

    /// Whether somebody may do this next; `target` is what was found for it.
    pub(crate) fn verdict(
        &self,
        actor: UserId,
        act: &Act,
        target: Option<Target>,
        bounds: Bounds,
        now_ms: u64,
    ) -> Result<(), Code> {
        let members = self.members();
        let settings = self.settings();
        let most = bounds.members;
        if let Act::Change(change) = act {
            match change {
                Change::Created { members, .. } if members.contains(&actor) => {
                    return Err(Code::BadRequest);
                }
                Change::Created { members, .. } if members.len() >= most => {
                    return Err(Code::GroupFull);
                }
                Change::Created { settings, .. } => return may_keep(settings, bounds),
                Change::Joined if members.contains_key(&actor) => return Err(Code::TargetInvalid),
                Change::Joined if members.is_empty() || self.banned().contains(&actor) => {
                    return Err(Code::InviteInvalid);
                }
                Change::Joined if members.len() >= most => return Err(Code::GroupFull),
                Change::Joined => return Ok(()),
                _ => {}
            }
        }
        if self.stay(actor).is_none() {
            return Err(Code::NotFound);
        }
        let role = *members.get(&actor).ok_or(Code::Forbidden)?;
        let least = |least: Role| if role >= least { Ok(()) } else { Err(Code::Forbidden) };
        // There, a message, theirs to see, and nobody is about to delete it.
        let seq = act.target().unwrap_or(0);
        let was = target.filter(|target| target.message && self.sees(actor, seq));
        let target = was.filter(|target| !target.erased && !self.lost(now_ms).contains(&seq));
        let there = || target.ok_or(Code::TargetInvalid);
        match act {
            Act::Message { reply_to, everyone, .. } => {
                least(settings.send)?;
                if *everyone {
                    least(settings.edit_info)?;
                }
                // What is gone may be answered.
                if reply_to.is_some() { was.map(drop).ok_or(Code::TargetInvalid) } else { Ok(()) }
            }
            Act::Edit(_) => {
                least(settings.send)?;
                if there()?.sender == actor { Ok(()) } else { Err(Code::Forbidden) }
            }
            Act::Delete { ordinal, .. } => {
                let target = there()?;
                if target.sender != actor {
                    least(Role::Admin)?;
                }
                if target.ordinal == *ordinal { Ok(()) } else { Err(Code::TargetInvalid) }
            }
            Act::React { .. } => {
                least(settings.send)?;
                there().map(drop)
            }
            Act::Change(Change::Pinned { seq, removed }) => {
                least(settings.edit_info)?;
                let pinned = self.pinned(now_ms);
                if pinned.contains(seq) != *removed {
                    return Err(Code::TargetInvalid);
                }
                if *removed {
                    return Ok(());
                }
                if pinned.len() >= limits::PINS {
                    return Err(Code::ListFull);
                }
                there().map(drop)
            }
            Act::Change(change) => self.may_change(actor, role, change, bounds),
        }
    }

    fn may_change(
        &self,
        actor: UserId,
        role: Role,
        change: &Change,
        bounds: Bounds,
    ) -> Result<(), Code> {
        let most = bounds.members;
        let (members, settings) = (self.members(), self.settings());
        let least = |least: Role| if role >= least { Ok(()) } else { Err(Code::Forbidden) };
        match change {
            Change::Changed { settings: Some(new), .. } => {
                least(Role::Admin)?;
                if new.retention_s == settings.retention_s {
                    return Ok(());
                }
                least(Role::Owner)?;
                may_keep(new, bounds)
            }
            Change::Changed { .. } => least(settings.edit_info),
            Change::Added(users) => {
                least(settings.add)?;
                if users.iter().any(|user| members.contains_key(user)) {
                    return Err(Code::TargetInvalid);
                }
                if users.iter().any(|user| self.banned().contains(user)) {
                    least(Role::Admin)?;
                }
                if members.len() + users.len() > most { Err(Code::GroupFull) } else { Ok(()) }
            }
            Change::Removed(user) => {
                least(Role::Admin)?;
                let other = *members.get(user).ok_or(Code::TargetInvalid)?;
                if *user != actor && other < role { Ok(()) } else { Err(Code::Forbidden) }
            }
            Change::Banned(user) => {
                least(Role::Admin)?;
                if *user == actor || members.get(user).is_some_and(|other| *other >= role) {
                    return Err(Code::Forbidden);
                }
                if self.banned().contains(user) { Err(Code::TargetInvalid) } else { Ok(()) }
            }
            Change::Unbanned(user) => {
                least(Role::Admin)?;
                if self.banned().contains(user) { Ok(()) } else { Err(Code::TargetInvalid) }
            }
            Change::Role(user, _) => {
                least(Role::Owner)?;
                let other = members.contains_key(user) && *user != actor;
                if other { Ok(()) } else { Err(Code::TargetInvalid) }
            }
            Change::Erased(up_to) => {
                least(Role::Owner)?;
                if *up_to <= self.entries.len() as u64 { Ok(()) } else { Err(Code::TargetInvalid) }
            }
            Change::Left => Ok(()),
            Change::Created { .. } | Change::Joined | Change::Pinned { .. } => unreachable!(),
        }
    }
}

fn is_message(entry: &Entry) -> bool {
    matches!(entry.act, Act::Message { .. })
}

fn go(stays: &mut [Stay], user: UserId, seq: u64) {
    for stay in stays.iter_mut().filter(|stay| stay.user == user && stay.went.is_none()) {
        stay.went = Some(seq);
        stay.role = Role::Member;
    }
}

/// The group goes to the admin who has been in the longest, else the member;
/// of those who came together, to the one with the lowest id.
fn inherit(stays: &mut [Stay]) {
    let mut heirs: Vec<_> = stays.iter_mut().filter(|stay| stay.went.is_none()).collect();
    heirs.sort_by_key(|stay| (stay.role != Role::Admin, stay.came, stay.user));
    if let Some(heir) = heirs.first_mut() {
        heir.role = Role::Owner;
    }
}

fn may_keep(settings: &Settings, bounds: Bounds) -> Result<(), Code> {
    let short = settings.retention_s.is_some_and(|kept| kept < bounds.least_retention_s);
    if short { Err(Code::BadRequest) } else { Ok(()) }
}
