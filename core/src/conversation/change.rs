//! The rules of membership: who may change what, and what a change does.
//!
//! [`State::check`] refuses before anything is stamped; [`State::apply`] never
//! refuses and gives every replica the same state.

use parley_protocol::{Code, UserId, limits};

use super::Position;
use super::state::{Bounds, Info, Kind, Membership, Role, Settings, State};

/// A change of who is in a conversation or how it works.
#[derive(Clone, PartialEq, Eq)]
pub enum Change {
    /// A group begins; its maker owns it.
    Created {
        /// What it is called.
        info: Info,
        /// How it works.
        settings: Settings,
        /// Who is in besides its maker.
        members: Vec<UserId>,
    },
    /// What is given changes.
    Changed {
        /// The title.
        title: Option<String>,
        /// What it is about.
        description: Option<String>,
        /// Where its picture is.
        picture: Option<String>,
        /// All settings.
        settings: Option<Settings>,
    },
    /// These come in.
    Added(Vec<UserId>),
    /// A member is put out.
    Removed(UserId),
    /// Somebody is put out, if they are in, and may not come in again.
    Banned(UserId),
    /// Somebody may come in again.
    Unbanned(UserId),
    /// The sender goes.
    Left,
    /// A member may do more or less; an owner's role is handed over.
    Role(UserId, Role),
    /// The sender came by an invite link.
    Joined,
    /// The beginning is erased, up to this seq.
    Erased(u64),
    /// A message is pinned, or no longer.
    Pinned {
        /// Seq of the message.
        seq: u64,
        /// Whether the pin is taken off.
        removed: bool,
    },
}

// Titles and descriptions are people's words: they stay out of debug output,
// and so out of logs.
impl std::fmt::Debug for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Created { members, .. } => write!(f, "Created({} members)", members.len()),
            Self::Changed { .. } => f.write_str("Changed"),
            Self::Added(users) => write!(f, "Added({users:?})"),
            Self::Removed(user) => write!(f, "Removed({user})"),
            Self::Banned(user) => write!(f, "Banned({user})"),
            Self::Unbanned(user) => write!(f, "Unbanned({user})"),
            Self::Left => f.write_str("Left"),
            Self::Role(user, role) => write!(f, "Role({user}, {role:?})"),
            Self::Joined => f.write_str("Joined"),
            Self::Erased(up_to) => write!(f, "Erased({up_to})"),
            Self::Pinned { seq, removed } => write!(f, "Pinned({seq}, removed: {removed})"),
        }
    }
}

impl State {
    /// Whether `actor` may make this change as the entry after `last_seq`, within
    /// what this node allows.
    ///
    /// # Errors
    /// [`Code::NotFound`] for whoever never was a member, [`Code::Forbidden`],
    /// [`Code::GroupFull`], [`Code::ListFull`], [`Code::TargetInvalid`],
    /// [`Code::InviteInvalid`] or [`Code::BadRequest`].
    pub fn check(
        &self,
        actor: UserId,
        change: &Change,
        last_seq: u64,
        bounds: Bounds,
    ) -> Result<(), Code> {
        match change {
            Change::Created { members, settings, .. } => {
                // Only as the first entry, which makes the conversation.
                if last_seq != 0 || self.kind != Kind::Group {
                    return Err(Code::TargetInvalid);
                }
                if members.contains(&actor) {
                    return Err(Code::BadRequest);
                }
                fits(members.len() + 1, bounds)?;
                self.check_retention(None, settings.retention_s, bounds.least_retention_s)
            }
            Change::Joined => {
                if self.kind != Kind::Group {
                    return Err(Code::Forbidden);
                }
                if self.active(actor).is_some() {
                    return Err(Code::TargetInvalid);
                }
                // A link ends when its maker goes, and all when nobody is left.
                if self.is_empty() || self.is_banned(actor) {
                    return Err(Code::InviteInvalid);
                }
                fits(self.len() + 1, bounds)
            }
            Change::Changed { .. }
            | Change::Added(_)
            | Change::Removed(_)
            | Change::Banned(_)
            | Change::Unbanned(_)
            | Change::Left
            | Change::Role(..)
            | Change::Erased(_)
            | Change::Pinned { .. } => self.check_member(actor, change, last_seq, bounds),
        }
    }

    fn check_member(
        &self,
        actor: UserId,
        change: &Change,
        last_seq: u64,
        bounds: Bounds,
    ) -> Result<(), Code> {
        let role = self.role(actor)?;
        match change {
            Change::Pinned { seq, removed } => {
                self.needs(role, self.settings.edit_info)?;
                match (self.pinned.contains(seq), removed) {
                    (true, false) | (false, true) => Err(Code::TargetInvalid),
                    (false, false) if self.pinned.len() >= limits::PINS => Err(Code::ListFull),
                    (false, false) | (true, true) => Ok(()),
                }
            }
            Change::Changed { title, description, picture, settings } => {
                let named = title.is_some() || description.is_some() || picture.is_some();
                if self.kind == Kind::Direct && named {
                    return Err(Code::Forbidden);
                }
                if named {
                    self.needs(role, self.settings.edit_info)?;
                }
                match settings {
                    Some(settings) => self.check_settings(actor, role, settings, bounds),
                    None => Ok(()),
                }
            }
            // The rest is of groups alone.
            _ if self.kind == Kind::Direct => Err(Code::Forbidden),
            Change::Added(users) => {
                self.needs(role, self.settings.add)?;
                if users.iter().any(|user| self.active(*user).is_some()) {
                    return Err(Code::TargetInvalid);
                }
                // Adding somebody lifts their ban, which is not for everybody to do.
                if users.iter().any(|user| self.is_banned(*user)) {
                    self.needs(role, Role::Admin)?;
                }
                fits(self.len() + users.len(), bounds)
            }
            Change::Removed(user) => {
                self.needs(role, Role::Admin)?;
                let target = self.active(*user).ok_or(Code::TargetInvalid)?;
                if target.role < role && *user != actor { Ok(()) } else { Err(Code::Forbidden) }
            }
            Change::Banned(user) => {
                self.needs(role, Role::Admin)?;
                // Who isn't in is banned all the same: they may hold a link.
                let below = self.active(*user).is_none_or(|target| target.role < role);
                if *user == actor || !below {
                    return Err(Code::Forbidden);
                }
                match (self.is_banned(*user), self.banned.len() >= limits::BANNED) {
                    (true, _) => Err(Code::TargetInvalid),
                    (false, true) => Err(Code::ListFull),
                    (false, false) => Ok(()),
                }
            }
            Change::Unbanned(user) => {
                self.needs(role, Role::Admin)?;
                if self.is_banned(*user) { Ok(()) } else { Err(Code::TargetInvalid) }
            }
            Change::Role(user, _) => {
                self.needs(role, Role::Owner)?;
                let known = self.active(*user).is_some() && *user != actor;
                if known { Ok(()) } else { Err(Code::TargetInvalid) }
            }
            Change::Erased(up_to) => {
                self.needs(role, Role::Owner)?;
                if *up_to <= last_seq { Ok(()) } else { Err(Code::TargetInvalid) }
            }
            Change::Left | Change::Created { .. } | Change::Joined => Ok(()),
        }
    }

    /// Settings are an admin's to change; for how long a group keeps what everybody
    /// wrote is its owner's alone.
    fn check_settings(
        &self,
        actor: UserId,
        role: Role,
        settings: &Settings,
        bounds: Bounds,
    ) -> Result<(), Code> {
        self.needs(role, Role::Admin)?;
        let keeper = self.keeper(actor);
        if settings.retention_s == self.retention_of(keeper) {
            return Ok(());
        }
        self.needs(role, Role::Owner)?;
        self.check_retention(keeper, settings.retention_s, bounds.least_retention_s)
    }

    /// The role of somebody who is in.
    ///
    /// # Errors
    /// [`Code::NotFound`] for whoever never was, [`Code::Forbidden`] for whoever
    /// is no longer a member.
    pub(super) fn role(&self, user: UserId) -> Result<Role, Code> {
        let member = self.member(user).ok_or(Code::NotFound)?;
        if member.is_active() { Ok(member.role) } else { Err(Code::Forbidden) }
    }

    /// Refuses a role below `least`, in a group.
    pub(super) fn needs(&self, role: Role, least: Role) -> Result<(), Code> {
        let may = self.kind == Kind::Direct || role >= least;
        if may { Ok(()) } else { Err(Code::Forbidden) }
    }

    /// Takes the change made by the entry `at` this position.
    pub fn apply(&mut self, actor: UserId, change: &Change, at: Position) {
        match change {
            Change::Created { info, settings, members } => {
                self.info = info.clone();
                // The first entry itself is under them.
                self.take_settings(None, settings, at.seq - 1);
                self.created_ms = at.time_ms;
                for user in members {
                    self.bring_in(*user, Role::Member, at);
                }
                self.bring_in(actor, Role::Owner, at);
            }
            Change::Changed { title, description, picture, settings } => {
                let Info { title: old_title, description: old_about, picture: old_picture } =
                    &mut self.info;
                replace(old_title, title.as_ref());
                replace(old_about, description.as_ref());
                replace(old_picture, picture.as_ref());
                if let Some(settings) = settings {
                    self.take_settings(self.keeper(actor), settings, at.seq);
                }
            }
            Change::Added(users) => {
                for user in users {
                    self.bring_in(*user, Role::Member, at);
                }
            }
            Change::Joined => self.bring_in(actor, Role::Member, at),
            Change::Removed(user) => self.put_out(*user, at.seq),
            Change::Banned(user) => {
                if self.active(*user).is_some() {
                    self.put_out(*user, at.seq);
                }
                if let Err(place) = self.banned.binary_search(user) {
                    self.banned.insert(place, *user);
                }
            }
            Change::Unbanned(user) => self.banned.retain(|banned| banned != user),
            Change::Left => {
                let owned = self.member(actor).is_some_and(|member| member.role == Role::Owner);
                self.put_out(actor, at.seq);
                if owned {
                    self.crown();
                }
            }
            Change::Role(user, role) => {
                if *role == Role::Owner
                    && let Some(former) = self.member_mut(actor)
                {
                    former.role = Role::Admin;
                }
                if let Some(member) = self.member_mut(*user) {
                    member.role = *role;
                }
            }
            Change::Erased(up_to) => self.erased_up_to = self.erased_up_to.max(*up_to),
            Change::Pinned { seq, removed } => {
                self.pinned.retain(|pinned| pinned != seq);
                if !removed {
                    let place = self.pinned.partition_point(|pinned| pinned < seq);
                    self.pinned.insert(place, *seq);
                }
            }
        }
        let erased_up_to = self.erased_up_to;
        self.pinned.retain(|pinned| *pinned > erased_up_to);
    }

    /// Takes settings; for how long entries are kept counts for those above `after`.
    fn take_settings(&mut self, keeper: Option<UserId>, settings: &Settings, after: u64) {
        self.keep_for(keeper, settings.retention_s, after);
        if keeper.is_some() {
            return;
        }
        self.open_after = match (settings.history_for_newcomers, self.open_after) {
            (false, _) => None,
            (true, Some(before)) => Some(before),
            // What was said before it was set was not said to newcomers.
            (true, None) => Some(after),
        };
        self.settings = *settings;
    }

    fn bring_in(&mut self, user: UserId, role: Role, at: Position) {
        // Who comes back sees no more of what was before than they did then.
        let before = self.member(user).map_or(0, |known| known.sees_after);
        let sees_after = self.open_after.unwrap_or(at.seq - 1).max(before);
        self.banned.retain(|banned| *banned != user);
        self.put(Membership {
            user,
            role,
            joined_seq: at.seq,
            joined_ordinal: at.ordinal,
            sees_after,
            left_seq: None,
        });
    }

    /// Makes an owner of the admin, else the member, who is in the longest.
    fn crown(&mut self) {
        let heir = self
            .actives()
            .min_by_key(|member| (std::cmp::Reverse(member.role), member.joined_seq, member.user));
        if let Some(heir) = heir.map(|member| member.user)
            && let Some(member) = self.member_mut(heir)
        {
            member.role = Role::Owner;
        }
    }
}

fn fits(members: usize, bounds: Bounds) -> Result<(), Code> {
    if members <= bounds.members { Ok(()) } else { Err(Code::GroupFull) }
}

fn replace(old: &mut String, new: Option<&String>) {
    if let Some(new) = new {
        new.clone_into(old);
    }
}

#[cfg(test)]
#[path = "change_tests.rs"]
mod tests;
