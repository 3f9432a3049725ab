//! One conversation of the model test's server: its log, who was in it when,
//! and what counting says for one user.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use parley_protocol::ids::UserId;
use parley_protocol::wire::{self, EntryKind};
use parley_protocol::{Code, ConversationId as Id};
use prost::Message as _;

use super::server::name;

#[derive(Default, Clone)]
pub(super) struct Log {
    pub(super) group: bool,
    title: String,
    memberships: Vec<Membership>,
    pub(super) entries: Vec<wire::Entry>,
    pub(super) origins: Vec<(u8, Bytes)>,
    pub(super) cursors: HashMap<UserId, (u64, u64)>,
    deleted: BTreeSet<u64>,
    pub(super) preferences: HashMap<UserId, wire::Preferences>,
    pub(super) hidden: HashMap<UserId, Vec<u64>>,
}

#[derive(Clone)]
struct Membership {
    user: UserId,
    owner: bool,
    joined_seq: u64,
    sees_after: u64,
    left_seq: u64,
    /// Who was in when they left.
    left_with: Vec<(UserId, bool, u64)>,
}

/// What counting says about a conversation, for one user.
pub(super) struct Truth {
    pub(super) sees_after: u64,
    pub(super) last: u64,
    pub(super) last_of_others: u64,
    pub(super) unread: u64,
    pub(super) mentions: u64,
    pub(super) read: u64,
    pub(super) delivered: u64,
    pub(super) former: bool,
    pub(super) members: usize,
    pub(super) title: String,
    pub(super) archived: bool,
    pub(super) hidden: Vec<u64>,
}

impl Log {
    pub(super) fn direct(members: impl IntoIterator<Item = UserId>) -> Self {
        let mut log = Self::default();
        for user in members {
            log.bring_in(user, false, 1, 0);
        }
        log
    }

    pub(super) fn ever(&self, user: UserId) -> bool {
        self.memberships.iter().any(|member| member.user == user)
    }

    pub(super) fn actives(&self) -> Vec<UserId> {
        self.active().map(|member| member.user).collect()
    }

    /// Up to where somebody sees, and after what.
    pub(super) fn view(&self, user: UserId) -> (u64, u64) {
        let member = self.memberships.iter().find(|member| member.user == user).unwrap();
        let end = match member.left_seq {
            0 => self.entries.len() as u64,
            left => left,
        };
        (member.sees_after, end)
    }

    pub(super) fn time_ms(&self, seq: u64) -> u64 {
        self.entries.get((seq as usize).wrapping_sub(1)).map_or(0, |entry| entry.time_ms)
    }

    /// Whether `me` may do this now.
    pub(super) fn check(&self, me: UserId, kind: EntryKind, body: &Bytes) -> Result<(), Code> {
        if self.entries.is_empty() {
            // What was about a conversation that is not there any more begins none.
            let begins = matches!(kind, EntryKind::Text | EntryKind::GroupCreated);
            return if begins { Ok(()) } else { Err(Code::TargetInvalid) };
        }
        let member = self.active().find(|member| member.user == me).ok_or(Code::Forbidden)?;
        let (after, _) = self.view(me);
        let message = |seq: u64| {
            let entry =
                self.entries.get((seq as usize).wrapping_sub(1)).filter(|it| it.seq > after);
            let entry = entry.filter(|it| it.kind == EntryKind::Text as u32 && !it.erased);
            entry.ok_or(Code::TargetInvalid)
        };
        match kind {
            EntryKind::Text => Ok(()),
            EntryKind::Edit => {
                let body = wire::Edit::decode(body.clone()).unwrap();
                let own = message(body.seq)?.sender == me.to_wire();
                if own { Ok(()) } else { Err(Code::Forbidden) }
            }
            EntryKind::Delete => {
                let body = wire::Delete::decode(body.clone()).unwrap();
                let target = message(body.seq)?;
                let may = target.sender == me.to_wire() || member.owner;
                if may && target.ordinal == body.ordinal { Ok(()) } else { Err(Code::Forbidden) }
            }
            EntryKind::Reaction => {
                message(wire::Reaction::decode(body.clone()).unwrap().seq).map(drop)
            }
            EntryKind::MemberLeft if self.group => Ok(()),
            EntryKind::MembersAdded => {
                let body = wire::MembersAdded::decode(body.clone()).unwrap();
                let user = UserId::from_slice(&body.users[0]).unwrap();
                let may = member.owner && !self.actives().contains(&user);
                if may { Ok(()) } else { Err(Code::Forbidden) }
            }
            EntryKind::MemberRemoved => {
                let body = wire::MemberRemoved::decode(body.clone()).unwrap();
                let user = UserId::from_slice(&body.user).unwrap();
                let may = member.owner && user != me && self.actives().contains(&user);
                if may { Ok(()) } else { Err(Code::Forbidden) }
            }
            EntryKind::ConversationChanged if self.group && member.owner => Ok(()),
            _ => Err(Code::Forbidden),
        }
    }

    /// Appends, and does what the entry does.
    pub(super) fn append(
        &mut self,
        me: UserId,
        send: &wire::Send,
        origin: (u8, Bytes),
        now_ms: u64,
    ) {
        let seq = self.entries.len() as u64 + 1;
        let before = self.entries.last().map_or(0, |entry| entry.ordinal);
        let ordinal = before + u64::from(send.kind == EntryKind::Text as u32);
        self.entries.push(wire::Entry {
            seq,
            ordinal,
            time_ms: now_ms,
            epoch: 1,
            sender: me.to_wire(),
            kind: send.kind,
            body: send.body.clone(),
            erased: false,
            damaged: false,
        });
        self.origins.push(origin);
        self.apply(me, seq, EntryKind::try_from(send.kind as i32).unwrap(), &send.body);
    }

    fn apply(&mut self, me: UserId, seq: u64, kind: EntryKind, body: &Bytes) {
        let user = |id: &Bytes| UserId::from_slice(id).unwrap();
        match kind {
            EntryKind::GroupCreated => {
                let body = wire::GroupCreated::decode(body.clone()).unwrap();
                self.group = true;
                self.title = body.info.unwrap().title;
                for id in &body.members {
                    self.bring_in(user(id), false, seq, seq - 1);
                }
                self.bring_in(me, true, seq, seq - 1);
            }
            EntryKind::MembersAdded => {
                let body = wire::MembersAdded::decode(body.clone()).unwrap();
                for id in &body.users {
                    self.bring_in(user(id), false, seq, seq - 1);
                }
            }
            EntryKind::MemberRemoved => {
                self.put_out(user(&wire::MemberRemoved::decode(body.clone()).unwrap().user), seq);
            }
            EntryKind::MemberLeft => self.put_out(me, seq),
            EntryKind::ConversationChanged => {
                let body = wire::ConversationChanged::decode(body.clone()).unwrap();
                self.title = body.title.unwrap();
            }
            EntryKind::Delete => {
                let body = wire::Delete::decode(body.clone()).unwrap();
                self.deleted.insert(body.ordinal);
                let target = &mut self.entries[body.seq as usize - 1];
                (target.body, target.erased) = (Bytes::new(), true);
            }
            _ => {}
        }
    }

    fn active(&self) -> impl Iterator<Item = &Membership> {
        self.memberships.iter().filter(|member| member.left_seq == 0)
    }

    fn bring_in(&mut self, user: UserId, owner: bool, joined_seq: u64, sees_after: u64) {
        self.memberships.retain(|member| member.user != user);
        let (left_seq, left_with) = (0, Vec::new());
        let member = Membership { user, owner, joined_seq, sees_after, left_seq, left_with };
        self.memberships.push(member);
    }

    fn put_out(&mut self, user: UserId, seq: u64) {
        let owned = self.active().any(|member| member.user == user && member.owner);
        if owned {
            let heir = self.active().filter(|member| member.user != user);
            let heir = heir.min_by_key(|member| (member.joined_seq, member.user));
            let heir = heir.map(|member| member.user);
            for member in &mut self.memberships {
                member.owner = Some(member.user) == heir;
            }
        }
        let rest = self.active().filter(|member| member.user != user);
        let rest = rest.map(|it| (it.user, it.owner, it.joined_seq)).collect();
        let member = self.memberships.iter_mut().find(|member| member.user == user).unwrap();
        (member.left_seq, member.left_with, member.owner) = (seq, rest, false);
    }

    pub(super) fn truth(&self, me: UserId) -> Truth {
        let (delivered, read) = self.cursors.get(&me).copied().unwrap_or_default();
        let (sees_after, last) = self.view(me);
        let member = self.memberships.iter().find(|member| member.user == me).unwrap();
        let seen = || self.entries.iter().filter(|it| it.seq > sees_after && it.seq <= last);
        let own = |entry: &&wire::Entry| entry.sender == me.to_wire();
        let message = |entry: &&wire::Entry| entry.kind == EntryKind::Text as u32;
        let last_own = seen().filter(own).filter(message).map(|it| it.seq).max().unwrap_or(0);
        let floor = read.max(last_own);
        // What is deleted only later than one left is not known to be.
        let deleted =
            |entry: &&wire::Entry| self.deleted.contains(&entry.ordinal) && message(entry);
        let unread = || seen().filter(message).filter(|it| it.seq > floor && !deleted(it));
        let mentions = |entry: &&wire::Entry| {
            let text = wire::Text::decode(entry.body.clone()).unwrap();
            text.mentions.iter().any(|mention| match &mention.who {
                Some(wire::mention::Who::User(id)) => *id == me.to_wire(),
                Some(wire::mention::Who::Everyone(everyone)) => *everyone,
                None => false,
            })
        };
        let others = seen().filter(|entry| !own(entry));
        Truth {
            sees_after,
            last,
            last_of_others: others.map(|entry| entry.seq).max().unwrap_or(0),
            unread: unread().count() as u64,
            mentions: unread().filter(mentions).count() as u64,
            read,
            delivered,
            former: member.left_seq > 0,
            members: match member.left_seq {
                0 => self.active().count(),
                _ => member.left_with.len(),
            },
            title: self.title.clone(),
            archived: self.preferences.get(&me).is_some_and(|it| it.archived),
            hidden: self.hidden.get(&me).cloned().unwrap_or_default(),
        }
    }

    pub(super) fn described(&self, id: Id, me: UserId) -> wire::Described {
        let own = self.memberships.iter().find(|member| member.user == me).unwrap();
        let listed: Vec<(UserId, bool, u64)> = match own.left_seq {
            0 => self.active().map(|it| (it.user, it.owner, it.joined_seq)).collect(),
            _ => own.left_with.clone(),
        };
        let members = listed.into_iter().map(|(user, owner, joined_seq)| {
            let (delivered, read) = self.cursors.get(&user).copied().unwrap_or_default();
            let role = if owner { wire::Role::Owner } else { wire::Role::Member } as i32;
            let (user, name) = (user.to_wire(), name(user));
            wire::Member {
                user,
                name,
                delivered,
                read,
                role,
                joined_seq,
                ..wire::Member::default()
            }
        });
        let kind = match self.group {
            true => wire::ConversationKind::Group,
            false => wire::ConversationKind::Direct,
        };
        let (first_after, last_seq) = self.view(me);
        wire::Described {
            conversation: id.to_wire(),
            kind: kind as i32,
            members: members.collect(),
            last_seq,
            info: Some(wire::GroupInfo { title: self.title.clone(), ..Default::default() }),
            first_after,
            former: own.left_seq > 0,
            ..wire::Described::default()
        }
    }
}
