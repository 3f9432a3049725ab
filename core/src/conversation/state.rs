//! Who is in a conversation and how it works: what its membership entries say.
//!
//! The same value follows from the same entries on every replica. A leader
//! holds it twice: with everything stamped, by which it admits, and with
//! everything committed, by which it delivers and lets read.

use parley_protocol::UserId;
use parley_protocol::limits::FORMER_MEMBERS;

use super::retention::Period;

/// What sort of conversation it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Two users, or one with themselves.
    Direct,
    /// Any number of users.
    Group,
}

/// What a member may do; the later may do more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// What the settings let members do.
    #[default]
    Member,
    /// Adds and removes members, changes info and settings.
    Admin,
    /// One a group: also makes admins, hands the group over, erases.
    Owner,
}

/// What a group is called.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Info {
    /// Its title; empty in a 1:1.
    pub title: String,
    /// What it is about.
    pub description: String,
    /// Where its picture is.
    pub picture: String,
}

// People's words stay out of debug output, and so out of logs.
impl std::fmt::Debug for Info {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Info").field("title_bytes", &self.title.len()).finish_non_exhaustive()
    }
}

/// How a conversation works. The roles are the lowest that may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Sends messages and reactions.
    pub send: Role,
    /// Adds people and makes invite links.
    pub add: Role,
    /// Changes info, pins, mentions everyone.
    pub edit_info: Role,
    /// Newcomers see what was written since this was set, not only what follows
    /// their joining.
    pub history_for_newcomers: bool,
    /// Seconds after which entries from here on are erased; `None` keeps them for
    /// ever. In a 1:1 it is not kept here: each side has one of their own.
    pub retention_s: Option<u64>,
}

/// What a conversation may have at most, and least, on this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Members of one group.
    pub members: usize,
    /// The shortest retention that may be set, seconds.
    pub least_retention_s: u64,
}

impl Bounds {
    /// Groups of at most `members`, and any retention.
    #[must_use]
    pub const fn of(members: usize) -> Self {
        Self { members, least_retention_s: 1 }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            send: Role::Member,
            add: Role::Admin,
            edit_info: Role::Admin,
            history_for_newcomers: false,
            retention_s: None,
        }
    }
}

/// Somebody who is or was in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Membership {
    /// Who is or was in.
    pub user: UserId,
    /// What they may do.
    pub role: Role,
    /// Seq of the entry that brought them in.
    pub joined_seq: u64,
    /// Messages up to it: what is older never counts as unread.
    pub joined_ordinal: u64,
    /// Entries up to this seq are not theirs to see.
    pub sees_after: u64,
    /// Seq of the entry that put them out, the last one they see; `None` while
    /// they are in.
    pub left_seq: Option<u64>,
}

impl Membership {
    /// Whether they are in now.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        self.left_seq.is_none()
    }

    /// Whether the entry with this seq is theirs to see.
    #[must_use]
    pub fn sees(&self, seq: u64) -> bool {
        seq > self.sees_after && self.left_seq.is_none_or(|last| seq <= last)
    }
}

/// Who is in a conversation and how it works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// What sort it is.
    pub kind: Kind,
    /// Members and former members, by user id.
    pub members: Vec<Membership>,
    /// What it is called.
    pub info: Info,
    /// How it works.
    pub settings: Settings,
    /// For how long entries are kept, oldest first: periods that are in force,
    /// and those of which something may be left.
    pub periods: Vec<Period>,
    /// Newcomers see entries above this seq; `None` when they see only what
    /// follows their joining.
    pub open_after: Option<u64>,
    /// Who may not come in, by user id.
    pub banned: Vec<UserId>,
    /// Seqs of the pinned messages, ascending. Those that expired may still be
    /// among them.
    pub pinned: Vec<u64>,
    /// Nobody sees entries up to this seq.
    pub erased_up_to: u64,
    /// When its first entry was stamped, Unix milliseconds; 0 before.
    pub created_ms: u64,
    /// Seqs of entries whose time is lower than that of the one before, ascending:
    /// the clock had been ahead ([`dating`](super::dating)).
    pub turns: Vec<u64>,
}

impl State {
    /// Two users, or one with themselves, who see everything.
    #[must_use]
    pub fn direct(a: UserId, b: UserId) -> Self {
        let mut state = Self { kind: Kind::Direct, ..Self::empty() };
        for user in if a == b { vec![a] } else { vec![a.min(b), a.max(b)] } {
            state.members.push(Membership {
                user,
                role: Role::Member,
                joined_seq: 1,
                joined_ordinal: 0,
                sees_after: 0,
                left_seq: None,
            });
        }
        state
    }

    /// A group before its first entry.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            kind: Kind::Group,
            members: Vec::new(),
            info: Info::default(),
            settings: Settings::default(),
            periods: Vec::new(),
            open_after: None,
            banned: Vec::new(),
            pinned: Vec::new(),
            erased_up_to: 0,
            created_ms: 0,
            turns: Vec::new(),
        }
    }

    /// Whoever has this id and is or was a member.
    #[must_use]
    pub fn member(&self, user: UserId) -> Option<&Membership> {
        let at = self.members.binary_search_by_key(&user, |member| member.user).ok()?;
        self.members.get(at)
    }

    pub(super) fn member_mut(&mut self, user: UserId) -> Option<&mut Membership> {
        let at = self.members.binary_search_by_key(&user, |member| member.user).ok()?;
        self.members.get_mut(at)
    }

    /// The member with this id who is in now.
    #[must_use]
    pub fn active(&self, user: UserId) -> Option<&Membership> {
        self.member(user).filter(|member| member.is_active())
    }

    /// Those who are in now, by user id.
    pub fn actives(&self) -> impl Iterator<Item = &Membership> {
        self.members.iter().filter(|member| member.is_active())
    }

    /// How many are in now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.actives().count()
    }

    /// Whether nobody is in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.actives().next().is_none()
    }

    /// The other one of a 1:1; `None` in a group or a conversation with oneself.
    #[must_use]
    pub fn peer(&self, of: UserId) -> Option<UserId> {
        let other = self.members.iter().find(|member| member.user != of);
        other.filter(|_| self.kind == Kind::Direct).map(|member| member.user)
    }

    /// Whether somebody may not come in.
    #[must_use]
    pub fn is_banned(&self, user: UserId) -> bool {
        self.banned.binary_search(&user).is_ok()
    }

    /// Whether somebody who is in may make invite links, and keeps those that
    /// they made.
    #[must_use]
    pub fn may_invite(&self, user: UserId) -> bool {
        self.kind == Kind::Group
            && self.active(user).is_some_and(|member| member.role >= self.settings.add)
    }

    /// Brings somebody in, or in again.
    pub(super) fn put(&mut self, member: Membership) {
        match self.members.binary_search_by_key(&member.user, |member| member.user) {
            Ok(at) => {
                if let Some(known) = self.members.get_mut(at) {
                    *known = member;
                }
            }
            Err(at) => self.members.insert(at, member),
        }
    }

    /// Puts somebody out at `seq`.
    pub(super) fn put_out(&mut self, user: UserId, seq: u64) {
        if let Some(member) = self.member_mut(user) {
            member.left_seq = Some(seq);
            member.role = Role::Member;
        }
        let former = self.members.iter().filter(|member| !member.is_active());
        if former.clone().count() > FORMER_MEMBERS
            && let Some(first) = former.min_by_key(|member| member.left_seq).map(|first| first.user)
        {
            self.members.retain(|member| member.user != first);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(n: u16) -> UserId {
        let [high, low] = n.to_be_bytes();
        UserId::new([high, low, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
    }

    fn member(n: u16) -> Membership {
        Membership {
            user: user(n),
            role: Role::Member,
            joined_seq: 5,
            joined_ordinal: 2,
            sees_after: 4,
            left_seq: None,
        }
    }

    #[test]
    fn a_former_member_sees_up_to_the_entry_that_put_them_out() {
        let mut state = State::empty();
        state.put(member(1));
        state.put_out(user(1), 9);
        let former = state.member(user(1)).unwrap();
        assert!(!former.sees(4) && former.sees(5) && former.sees(9) && !former.sees(10));
        assert!(state.active(user(1)).is_none() && state.is_empty());
    }

    #[test]
    fn members_are_found_whatever_the_order_they_came_in() {
        let mut state = State::empty();
        [5, 1, 9, 3].into_iter().for_each(|n| state.put(member(n)));
        assert!([1, 3, 5, 9].iter().all(|n| state.active(user(*n)).is_some()));
        assert!(state.active(user(4)).is_none());
        assert_eq!(state.len(), 4);
    }

    #[test]
    fn former_members_are_bounded() {
        let mut state = State::empty();
        for n in 0..1500 {
            state.put(member(n));
            state.put_out(user(n), 10 + u64::from(n));
        }
        assert_eq!(state.members.len(), FORMER_MEMBERS);
        assert!(state.member(user(499)).is_none() && state.member(user(500)).is_some());
    }

    #[test]
    fn the_peer_is_the_other_one() {
        let state = State::direct(user(2), user(1));
        assert_eq!(state.peer(user(1)), Some(user(2)));
        assert_eq!(State::direct(user(1), user(1)).peer(user(1)), None);
        assert_eq!(State::empty().peer(user(1)), None);
    }
}
