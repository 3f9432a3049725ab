//! What a conversation's log means for somebody, counted by hand.
//!
//! Made from the entries that somebody read who saw all of them, and from
//! nothing else: who was in when, what each may see, how much of it is unread
//! and mentions them, what was deleted. Tests hold the server's own counts
//! against it. Written from docs/protocol.md, not from the server's code.

use std::collections::{BTreeMap, BTreeSet};

use parley_protocol::Message;
use parley_protocol::UserId;
use parley_protocol::wire::{
    self, ConversationSettings, Delete, Edit, Entry, EntryKind, GroupCreated, HistoryErased,
    MemberRemoved, MembersAdded, Pin, Reaction, Role, RoleChanged, Text, mention,
};

/// Somebody's last stay in a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stay {
    /// Seq of the entry that brought them in; 0 in a 1:1.
    pub(crate) came: u64,
    /// What was before is theirs to see too.
    pub(crate) sees_all: bool,
    /// Seq of the entry that put them out.
    pub(crate) went: Option<u64>,
    pub(crate) role: Role,
}

/// A conversation from its first entry on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    pub(crate) entries: Vec<Entry>,
    pub(crate) stays: BTreeMap<UserId, Stay>,
    pub(crate) settings: ConversationSettings,
    /// Seqs of messages that were deleted.
    pub(crate) deleted: BTreeSet<u64>,
    /// Edits of each message.
    pub(crate) edits: BTreeMap<u64, Vec<u64>>,
    /// Standing reactions: message, user, emoji.
    pub(crate) reactions: BTreeSet<(u64, UserId, String)>,
    pub(crate) pinned: BTreeSet<u64>,
    pub(crate) erased_up_to: u64,
}

impl Ledger {
    /// Of a group, from all its entries.
    pub(crate) fn of(entries: Vec<Entry>) -> Self {
        let mut ledger = Self::default();
        entries.into_iter().for_each(|entry| ledger.take(entry));
        ledger
    }

    /// Of a 1:1.
    pub(crate) fn of_direct(users: [UserId; 2], entries: Vec<Entry>) -> Self {
        let stay = Stay { came: 0, sees_all: true, went: None, role: Role::Member };
        let stays = users.into_iter().map(|user| (user, stay.clone())).collect();
        let mut ledger = Self { stays, ..Self::default() };
        entries.into_iter().for_each(|entry| ledger.take(entry));
        ledger
    }

    pub(crate) fn take(&mut self, entry: Entry) {
        let seq = entry.seq;
        assert_eq!(seq, self.last() + 1, "the entries of a ledger are all there");
        let sender = user(&entry.sender);
        let body = entry.body.clone();
        match EntryKind::try_from(entry.kind as i32).expect("a kind this client knows") {
            EntryKind::Edit if entry.erased => {}
            EntryKind::Edit => {
                let target = Edit::decode(body).expect("an edit").seq;
                self.edits.entry(target).or_default().push(seq);
            }
            EntryKind::Delete => {
                let deleted = Delete::decode(body).expect("a deletion").seq;
                self.deleted.insert(deleted);
                self.pinned.remove(&deleted);
            }
            EntryKind::Reaction => {
                let reaction = Reaction::decode(body).expect("a reaction");
                let key = (reaction.seq, sender, reaction.emoji);
                if reaction.removed {
                    self.reactions.remove(&key);
                } else {
                    self.reactions.insert(key);
                }
            }
            EntryKind::Pin => {
                let pin = Pin::decode(body).expect("a pin");
                if pin.removed {
                    self.pinned.remove(&pin.seq);
                } else {
                    self.pinned.insert(pin.seq);
                }
            }
            EntryKind::GroupCreated => {
                let created = GroupCreated::decode(body).expect("a group");
                self.settings = created.settings.unwrap_or_default();
                for member in &created.members {
                    self.come(user(member), seq, Role::Member);
                }
                self.come(sender, seq, Role::Owner);
            }
            EntryKind::ConversationChanged => {
                let changed = wire::ConversationChanged::decode(body).expect("a change");
                self.settings = changed.settings.unwrap_or(self.settings);
            }
            EntryKind::MembersAdded => {
                for member in MembersAdded::decode(body).expect("additions").users {
                    self.come(user(&member), seq, Role::Member);
                }
            }
            EntryKind::MemberJoined => {
                self.come(sender, seq, Role::Member);
            }
            EntryKind::MemberRemoved => {
                self.go(user(&MemberRemoved::decode(body).expect("a removal").user), seq);
            }
            EntryKind::MemberLeft => self.go(sender, seq),
            EntryKind::RoleChanged => {
                let changed = RoleChanged::decode(body).expect("a role");
                let role = changed.role();
                if role == Role::Owner {
                    self.stays.get_mut(&sender).expect("the owner").role = Role::Admin;
                }
                self.stays.get_mut(&user(&changed.user)).expect("a member").role = role;
            }
            EntryKind::MemberUnbanned => {}
            EntryKind::HistoryErased => {
                let up_to = HistoryErased::decode(body).expect("an erasure").up_to;
                self.erased_up_to = self.erased_up_to.max(up_to);
                self.pinned.retain(|seq| *seq > up_to);
            }
            EntryKind::Text | EntryKind::Unspecified => {}
        }
        self.entries.push(entry);
    }

    fn come(&mut self, who: UserId, seq: u64, role: Role) {
        let sees_all = self.settings.history_for_newcomers;
        self.stays.insert(who, Stay { came: seq, sees_all, went: None, role });
    }

    fn go(&mut self, who: UserId, seq: u64) {
        let stay = self.stays.get_mut(&who).expect("who goes was in");
        let owner = stay.role == Role::Owner;
        (stay.went, stay.role) = (Some(seq), Role::Member);
        if owner {
            let inside = self.stays.iter_mut().filter(|(_, stay)| stay.went.is_none());
            let heir =
                inside.min_by_key(|(who, stay)| (stay.role != Role::Admin, stay.came, **who));
            if let Some((_, stay)) = heir {
                stay.role = Role::Owner;
            }
        }
    }

    pub(crate) fn last(&self) -> u64 {
        self.entries.len() as u64
    }

    pub(crate) fn members(&self) -> BTreeMap<UserId, Role> {
        let inside = self.stays.iter().filter(|(_, stay)| stay.went.is_none());
        inside.map(|(user, stay)| (*user, stay.role)).collect()
    }

    pub(crate) fn ordinal(&self, seq: u64) -> u64 {
        seq.checked_sub(1).and_then(|at| self.entries.get(at as usize)).map_or(0, |e| e.ordinal)
    }

    /// The seqs that somebody may read, first and last; `None` for strangers.
    pub(crate) fn visible(&self, who: UserId) -> Option<(u64, u64)> {
        let stay = self.stays.get(&who)?;
        let from = if stay.sees_all { 1 } else { stay.came.max(1) };
        Some((from.max(self.erased_up_to + 1), stay.went.unwrap_or(self.last())))
    }

    /// The messages that somebody has not read, who read up to `read`.
    pub(crate) fn unread(&self, who: UserId, read: u64) -> Vec<u64> {
        let Some(stay) = self.stays.get(&who) else { return Vec::new() };
        let end = stay.went.unwrap_or(self.last());
        let messages = || self.entries.iter().filter(|e| e.kind == EntryKind::Text as u32);
        let own = messages().filter(|entry| user(&entry.sender) == who && entry.seq <= end);
        let own = own.map(|entry| entry.seq).max().unwrap_or(0);
        let floor = read.max(own).max(stay.came);
        let unread = messages().filter(|entry| entry.seq > floor && entry.seq <= end);
        unread.map(|entry| entry.seq).filter(|seq| !self.deleted.contains(seq)).collect()
    }

    /// How many of those mention them.
    pub(crate) fn mentions(&self, who: UserId, read: u64) -> u32 {
        let unread = self.unread(who, read);
        unread.iter().filter(|seq| self.mentioned(**seq).contains(&who)).count() as u32
    }

    /// Whom a message that is still there mentions, of those who were in.
    fn mentioned(&self, seq: u64) -> BTreeSet<UserId> {
        let entry = &self.entries[seq as usize - 1];
        let text = Text::decode(entry.body.clone()).expect("a text");
        let mut all = BTreeSet::new();
        for mention in text.mentions {
            match mention.who {
                Some(mention::Who::User(id)) => drop(all.insert(user(&id))),
                Some(mention::Who::Everyone(_)) => all.extend(self.stays.keys()),
                None => {}
            }
        }
        all.remove(&user(&entry.sender));
        all
    }
}

/// An id from the wire.
pub(crate) fn user(id: &[u8]) -> UserId {
    UserId::from_slice(id).expect("a user id")
}
