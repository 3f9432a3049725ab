//! Who is in a conversation and how it works: what the server described, moved
//! on by the entries that change it.
//!
//! The same rules as the server's, as far as a device can follow them. Where it
//! can't (an entry whose content is gone, a return after having been out), the
//! roster says so and the server is asked again.

use parley_protocol::ids::{ConversationId, UserId};

use crate::model::{
    Change, ConversationKind, ConversationSettings, Description, Entry, Info, Member, Role, User,
    What,
};

/// Members and settings as of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roster {
    /// What sort of conversation.
    pub kind: ConversationKind,
    /// Those who are in, in order of joining.
    pub members: Vec<Member>,
    /// What it is called.
    pub info: Info,
    /// How it works.
    pub settings: ConversationSettings,
    /// Seqs of the pinned messages, ascending.
    pub pinned: Vec<u64>,
    /// Entries up to here are not there for this user.
    pub first_after: u64,
    /// The user is no longer a member.
    pub former: bool,
    /// When it came to be, Unix milliseconds.
    pub created_ms: u64,
    /// Everything up to this seq is in it.
    pub seq: u64,
}

/// What an entry did to a roster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Followed {
    /// Nothing.
    Same,
    /// It changed.
    Changed,
    /// It can't be followed: the server has to be asked.
    Lost,
}

impl Roster {
    /// A conversation the server doesn't describe.
    #[must_use]
    pub fn unknown() -> Self {
        Self {
            kind: ConversationKind::Group,
            members: Vec::new(),
            info: Info::default(),
            settings: ConversationSettings::default(),
            pinned: Vec::new(),
            first_after: 0,
            former: false,
            created_ms: 0,
            seq: 0,
        }
    }

    /// As the server describes it.
    #[must_use]
    pub fn new(description: Description) -> Self {
        Self {
            kind: description.kind,
            members: description.members,
            info: description.info,
            settings: description.settings,
            pinned: description.pinned,
            first_after: description.first_after,
            former: description.former,
            created_ms: description.created_ms,
            seq: description.last_seq,
        }
    }

    /// The same as a description, as of [`Roster::seq`].
    #[must_use]
    pub fn into_description(self, conversation: ConversationId) -> Description {
        Description {
            conversation,
            kind: self.kind,
            members: self.members,
            last_seq: self.seq,
            info: self.info,
            settings: self.settings,
            pinned: self.pinned,
            first_after: self.first_after,
            former: self.former,
            created_ms: self.created_ms,
        }
    }

    pub(crate) fn member(&self, user: UserId) -> Option<&Member> {
        self.members.iter().find(|member| member.user.id == user)
    }

    pub(crate) fn member_mut(&mut self, user: UserId) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.user.id == user)
    }

    /// Takes the next entry.
    pub(crate) fn follow(&mut self, seq: u64, entry: &Entry, me: Option<UserId>) -> Followed {
        if seq <= self.seq {
            return Followed::Same;
        }
        self.seq = seq;
        match entry {
            Entry::Change(change) => self.change(change, me),
            Entry::Pin(pin) => {
                self.pinned.retain(|pinned| *pinned != pin.target);
                if !pin.removed {
                    let place = self.pinned.partition_point(|pinned| *pinned < pin.target);
                    self.pinned.insert(place, pin.target);
                }
                Followed::Changed
            }
            // What is deleted is no longer pinned.
            Entry::Deletion(deletion) => {
                self.pinned.retain(|pinned| *pinned != deletion.target);
                Followed::Changed
            }
            Entry::Erased(_) | Entry::Damaged(_) => Followed::Lost,
            Entry::Message(_) | Entry::Edit(_) | Entry::Reaction(_) | Entry::Unknown(_) => {
                Followed::Same
            }
        }
    }

    fn change(&mut self, change: &Change, me: Option<UserId>) -> Followed {
        let origin = &change.origin;
        let sender = &origin.sender;
        match &change.what {
            What::Created { info, settings, members } => {
                self.kind = ConversationKind::Group;
                self.info = info.clone();
                self.settings = *settings;
                self.created_ms = origin.time_ms;
                self.bring_in(sender, Role::Owner, origin.seq);
                for user in members {
                    self.bring_in(user, Role::Member, origin.seq);
                }
            }
            What::Changed { title, description, picture, settings } => {
                let Info { title: old_title, description: old_about, picture: old_picture } =
                    &mut self.info;
                for (old, new) in
                    [(old_title, title), (old_about, description), (old_picture, picture)]
                {
                    if let Some(new) = new {
                        old.clone_from(new);
                    }
                }
                self.settings = settings.unwrap_or(self.settings);
            }
            What::Added(users) => {
                for user in users {
                    self.bring_in(user, Role::Member, origin.seq);
                }
                return self.welcomed(users.iter().any(|user| Some(user.id) == me));
            }
            What::Joined => {
                let role = if self.members.is_empty() { Role::Owner } else { Role::Member };
                self.bring_in(sender, role, origin.seq);
                return self.welcomed(Some(sender.id) == me);
            }
            What::Removed { user, .. } => self.put_out(user.id, me),
            // Who is banned is the server's to say: it tells admins alone.
            What::Unbanned(_) => {}
            What::Left => {
                let owned = self.member(sender.id).is_some_and(|it| it.role == Role::Owner);
                self.put_out(sender.id, me);
                if owned {
                    self.crown();
                }
            }
            What::Role { user, role } => {
                if *role == Role::Owner
                    && let Some(before) = self.member_mut(sender.id)
                {
                    before.role = Role::Admin;
                }
                if let Some(member) = self.member_mut(user.id) {
                    member.role = *role;
                }
            }
            What::Erased { up_to } => {
                self.first_after = self.first_after.max(*up_to);
                self.pinned.retain(|pinned| pinned > up_to);
            }
        }
        Followed::Changed
    }

    /// Who was out meanwhile did not hear what happened then.
    fn welcomed(&mut self, myself: bool) -> Followed {
        if myself && std::mem::take(&mut self.former) { Followed::Lost } else { Followed::Changed }
    }

    fn bring_in(&mut self, user: &User, role: Role, joined_seq: u64) {
        self.members.retain(|member| member.user.id != user.id);
        self.members.push(Member {
            user: user.clone(),
            role,
            joined_seq,
            delivered: 0,
            read: 0,
            delivered_ms: 0,
            read_ms: 0,
        });
    }

    fn put_out(&mut self, user: UserId, me: Option<UserId>) {
        self.members.retain(|member| member.user.id != user);
        self.former |= Some(user) == me;
    }

    /// Makes an owner of the admin, else the member, who is in the longest.
    fn crown(&mut self) {
        let heir = self.members.iter_mut().min_by_key(|member| {
            (std::cmp::Reverse(member.role), member.joined_seq, member.user.id)
        });
        if let Some(heir) = heir {
            heir.role = Role::Owner;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Origin, Pin};
    use parley_protocol::ConversationId;

    fn id(n: u8) -> UserId {
        UserId::new([n; 16])
    }

    fn change(seq: u64, by: u8, what: What) -> Entry {
        let origin = Origin {
            conversation: ConversationId::new([9; 16]),
            seq,
            sender: User::nameless(id(by)),
            time_ms: seq,
            own: false,
        };
        Entry::Change(Change { origin, what })
    }

    fn users(ids: &[u8]) -> Vec<User> {
        ids.iter().map(|n| User::nameless(id(*n))).collect()
    }

    fn removed(n: u8) -> What {
        What::Removed { user: User::nameless(id(n)), ban: false }
    }

    /// Owner 1, members 2 and 3; this user is 2.
    fn group() -> Roster {
        let mut roster = Roster::unknown();
        let what = What::Created {
            info: Info { title: "t".into(), ..Info::default() },
            settings: ConversationSettings::default(),
            members: users(&[2, 3]),
        };
        assert_eq!(roster.follow(1, &change(1, 1, what), Some(id(2))), Followed::Changed);
        roster
    }

    fn roles(roster: &Roster) -> Vec<(u8, Role)> {
        roster.members.iter().map(|it| (it.user.id.as_bytes()[0], it.role)).collect()
    }

    #[test]
    fn members_come_go_and_rise() {
        let mut roster = group();
        roster.follow(2, &change(2, 1, What::Added(users(&[4]))), Some(id(2)));
        let admin = What::Role { user: users(&[4]).remove(0), role: Role::Admin };
        roster.follow(3, &change(3, 1, admin), Some(id(2)));
        roster.follow(4, &change(4, 4, removed(3)), Some(id(2)));
        let expected = vec![(1, Role::Owner), (2, Role::Member), (4, Role::Admin)];
        assert_eq!(roles(&roster), expected);
        // The admin inherits, though a member is in for longer.
        roster.follow(5, &change(5, 1, What::Left), Some(id(2)));
        assert_eq!(roles(&roster), vec![(2, Role::Member), (4, Role::Owner)]);
        let hand_over = What::Role { user: users(&[2]).remove(0), role: Role::Owner };
        roster.follow(6, &change(6, 4, hand_over), Some(id(2)));
        assert_eq!(roles(&roster), vec![(2, Role::Owner), (4, Role::Admin)]);
    }

    #[test]
    fn a_ban_puts_out_who_is_in_and_nobody_else() {
        let mut roster = group();
        let ban = |n| What::Removed { user: User::nameless(id(n)), ban: true };
        roster.follow(2, &change(2, 1, ban(3)), Some(id(2)));
        let expected = vec![(1, Role::Owner), (2, Role::Member)];
        assert_eq!(roles(&roster), expected);
        roster.follow(3, &change(3, 1, ban(7)), Some(id(2)));
        roster.follow(4, &change(4, 1, What::Unbanned(User::nameless(id(3)))), Some(id(2)));
        assert_eq!(roles(&roster), expected, "to be let in is not to be in");
        roster.follow(5, &change(5, 1, ban(2)), Some(id(2)));
        assert!(roster.former);
    }

    #[test]
    fn what_was_described_already_is_not_done_twice() {
        let mut roster = group();
        roster.seq = 5;
        let before = roster.clone();
        let late = change(5, 1, removed(3));
        assert_eq!(roster.follow(5, &late, None), Followed::Same);
        assert_eq!(roster, before);
    }

    #[test]
    fn who_comes_back_asks_anew() {
        let mut roster = group();
        let out = change(2, 1, removed(2));
        assert_eq!(roster.follow(2, &out, Some(id(2))), Followed::Changed);
        assert!(roster.former);
        let back = change(9, 1, What::Added(users(&[2])));
        assert_eq!(roster.follow(9, &back, Some(id(2))), Followed::Lost);
        assert!(!roster.former);
        let gone = Entry::Erased(crate::model::Erased {
            origin: match change(10, 1, What::Left) {
                Entry::Change(change) => change.origin,
                other => panic!("{other:?}"),
            },
            kind: 18,
        });
        assert_eq!(roster.follow(10, &gone, Some(id(2))), Followed::Lost);
    }

    #[test]
    fn pins_stand_until_taken_off_or_erased() {
        let mut roster = group();
        for (seq, target, removed) in [(5, 4, false), (6, 3, false), (7, 4, true), (8, 2, false)] {
            let Entry::Change(Change { origin, .. }) = change(seq, 1, What::Left) else { panic!() };
            roster.follow(seq, &Entry::Pin(Pin { origin, target, removed }), None);
        }
        assert_eq!(roster.pinned, vec![2, 3]);
        roster.follow(9, &change(9, 1, What::Erased { up_to: 2 }), None);
        assert_eq!((&*roster.pinned, roster.first_after), (&[3][..], 2));
        let Entry::Change(Change { origin, .. }) = change(10, 1, What::Left) else { panic!() };
        let deletion = crate::model::Deletion { origin, target: 3, target_ordinal: 3 };
        roster.follow(10, &Entry::Deletion(deletion), None);
        assert!(roster.pinned.is_empty());
    }
}
