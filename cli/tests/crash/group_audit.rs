//! What must hold of the groups after each kill and at the end.
//!
//! The owner sees everything; from the log as the owner reads it a [`Ledger`]
//! says what everybody else may see, what is erased and how much is unread, and
//! the server's own word is held against that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use parley_protocol::Message as _;
use parley_protocol::wire::{
    Delete, Edit, Entry, EntryKind, MemberRemoved, MembersAdded, Reaction,
};

use crate::common::ledger::{Ledger, user};
use crate::common::session::entries_of;
use crate::common::{Api, Ready, Session, Transport};
use crate::groups::{Act, GROUPS, GUEST, Groups, Outcome, PEOPLE};

pub(crate) struct GroupAuditor {
    groups: Arc<Groups>,
    ledgers: Vec<Ledger>,
}

impl GroupAuditor {
    pub(crate) fn new(groups: &Arc<Groups>) -> Self {
        Self { groups: Arc::clone(groups), ledgers: vec![Ledger::default(); GROUPS] }
    }

    /// After a restart, while nobody acts: the news go into the ledgers, an
    /// older part is as it was or erased, and one person's feed is right.
    pub(crate) async fn after_restart(
        &mut self,
        ready: &Ready,
        kill: u64,
        random: &mut fastrand::Rng,
    ) {
        let transport = Transport::ALL[random.usize(..3)];
        let groups = Arc::clone(&self.groups);
        let mut owner = Session::open(ready, transport, &groups.auditors[0]).await;
        for group in 0..GROUPS {
            let id = groups.ids[group];
            let ledger = &mut self.ledgers[group];
            let news = owner.fetch_all(&id, ledger.last()).await.expect("the news of a group");
            entries_of(&news).into_iter().for_each(|entry| ledger.take(entry));
            let from = random.u64(0..ledger.last());
            let window = owner.fetch_after(&id, from, 60).await.expect("a window");
            for now in entries_of(&window.entries) {
                let before = &ledger.entries[now.seq as usize - 1];
                assert_eq!(differs(ledger, before, &now), None, "kill {kill}, group {group}");
            }
            for act in groups.acts(group) {
                let Outcome::Acked(seq, ..) = act.outcome else { continue };
                assert!(seq <= ledger.last(), "kill {kill}: {seq} of group {group} is gone");
            }
        }
        self.check_feed(ready, random.usize(..PEOPLE), kill, random).await;
    }

    /// What the feed says of the groups is what counting gives.
    async fn check_feed(
        &self,
        ready: &Ready,
        person: usize,
        kill: u64,
        random: &mut fastrand::Rng,
    ) {
        let transport = Transport::ALL[random.usize(..3)];
        let whose = &self.groups.auditors[person];
        let session = Session::open(ready, transport, whose).await;
        let changes = session.welcome.changes.clone().expect("changes");
        assert!(!changes.more);
        for (group, ledger) in self.ledgers.iter().enumerate() {
            let id = self.groups.ids[group].to_wire();
            let entry = changes.entries.iter().find(|entry| entry.conversation == id);
            let entry = entry.unwrap_or_else(|| panic!("kill {kill}: no feed of group {group}"));
            let (_, end) = ledger.visible(whose.user).expect("was a member");
            let counted = (
                end,
                ledger.unread(whose.user, entry.read).len() as u64,
                ledger.mentions(whose.user, entry.read),
            );
            let said = (entry.last_seq, entry.unread, entry.mentions);
            assert_eq!(said, counted, "kill {kill}: the feed of {person} in group {group}");
            let read = self.groups.read_of(person, group);
            assert!(entry.read >= read, "kill {kill}: {person} read {read}, now {}", entry.read);
        }
    }

    /// At the end: the same for everybody, from new devices on all transports.
    pub(crate) async fn judge(&mut self, ready: &Ready, random: &mut fastrand::Rng) -> String {
        self.after_restart(ready, 0, random).await;
        let mut summary = BTreeMap::<String, usize>::new();
        for person in 0..PEOPLE {
            self.check_feed(ready, person, 0, random).await;
        }
        for group in 0..GROUPS {
            let readings = self.read_on_all(ready, group).await;
            let log = entries_of(&readings[0]);
            assert!(readings.iter().all(|reading| *reading == readings[0]), "readers differ");
            let ledger = Ledger::of(log);
            self.check_acts(group, &ledger, &mut summary);
            self.check_guest(ready, group, &ledger).await;
            self.check_related(ready, group, &ledger).await;
        }
        for what in ["Text", "Edit", "Delete", "Reaction", "Pin", "MembersAdded", "MemberRemoved"] {
            let count = summary.get(what).copied().unwrap_or(0);
            assert!(count > 5, "void: only {count} of {what}: {summary:?}");
        }
        format!("{summary:?}")
    }

    /// The owner's and another member's reading of a group, on each transport.
    async fn read_on_all(&self, ready: &Ready, group: usize) -> Vec<Vec<Bytes>> {
        let mut readings = Vec::new();
        for transport in Transport::ALL {
            for person in [0, 1] {
                let name = &self.groups.people[person].name;
                let device = format!("fresh {transport:?} {group}");
                let fresh = Api::plain(ready).login(name, &device).await;
                let mut session = Session::open(ready, transport, &fresh).await;
                readings.push(session.fetch_all(&self.groups.ids[group], 0).await.expect("all"));
            }
        }
        readings
    }

    /// Every entry is what somebody sent and was told of, once; nothing that
    /// was refused is there; what was deleted, and only that, is erased.
    fn check_acts(&self, group: usize, ledger: &Ledger, summary: &mut BTreeMap<String, usize>) {
        let mut known = BTreeSet::new();
        for Act { person, send, outcome } in self.groups.acts(group) {
            match outcome {
                Outcome::Unknown => panic!("never answered: {send:?}"),
                Outcome::Refused(code) => *summary.entry(code.to_string()).or_default() += 1,
                Outcome::Acked(seq, ordinal, time_ms) => {
                    assert!(known.insert(seq), "seq {seq} of group {group} was given twice");
                    let sender = self.groups.people[person].user.to_wire();
                    let entry = &ledger.entries[seq as usize - 1];
                    let got = (entry.seq, entry.ordinal, entry.time_ms, &entry.sender, entry.kind);
                    assert_eq!(got, (seq, ordinal, time_ms, &sender, send.kind), "group {group}");
                    let sent = Entry { body: send.body.clone(), erased: false, ..entry.clone() };
                    assert_eq!(differs(ledger, &sent, entry), None, "group {group}");
                    let name = format!("{:?}", EntryKind::try_from(send.kind as i32).unwrap());
                    *summary.entry(name).or_default() += 1;
                }
            }
        }
        assert_eq!(known.len() as u64, ledger.last(), "entries from nowhere in group {group}");
        let mut before = Entry::default();
        for entry in &ledger.entries {
            let counts = u64::from(entry.kind == EntryKind::Text as u32);
            assert_eq!(entry.ordinal, before.ordinal + counts, "seq {}", entry.seq);
            assert!(entry.time_ms >= before.time_ms, "seq {}", entry.seq);
            before = entry.clone();
        }
    }

    /// The guest sees their last stay and nothing else; nothing was ever pushed
    /// to them from outside a stay.
    async fn check_guest(&self, ready: &Ready, group: usize, ledger: &Ledger) {
        let guest = &self.groups.auditors[GUEST];
        let (from, to) = ledger.visible(guest.user).expect("was a member");
        let mut session = Session::open(ready, Transport::Quic, guest).await;
        let seen = session.fetch_all(&self.groups.ids[group], 0).await.expect("what they see");
        let seqs: Vec<_> = entries_of(&seen).iter().map(|entry| entry.seq).collect();
        assert_eq!(seqs, (from..=to).collect::<Vec<_>>(), "what the guest of group {group} sees");
        let stays = stays(ledger, guest.user);
        let pushed = self.groups.pushed.lock().unwrap()[group].clone();
        assert!(!pushed.is_empty(), "void: nothing was pushed to the guest of group {group}");
        for entry in entries_of(&pushed.into_iter().collect::<Vec<_>>()) {
            let inside = stays.iter().any(|(came, went)| (*came..=*went).contains(&entry.seq));
            assert!(inside, "seq {} was pushed outside {stays:?} of group {group}", entry.seq);
            let now = &ledger.entries[entry.seq as usize - 1];
            assert_eq!(differs(ledger, &entry, now), None, "group {group}");
        }
    }

    /// What a page says belongs to its messages is what the log says.
    async fn check_related(&self, ready: &Ready, group: usize, ledger: &Ledger) {
        let mut session = Session::open(ready, Transport::Tls, &self.groups.auditors[0]).await;
        let mut after = 0;
        while after < ledger.last() {
            let page = session.fetch_after(&self.groups.ids[group], after, 40).await;
            let page = page.expect("a page");
            let on_page: BTreeSet<u64> =
                entries_of(&page.entries).iter().map(|entry| entry.seq).collect();
            assert!(!page.related_cut, "more related than expected");
            let (mut edits, mut deleted) = (BTreeMap::new(), BTreeSet::new());
            let mut reactions = BTreeSet::new();
            for entry in entries_of(&page.related) {
                match EntryKind::try_from(entry.kind as i32) {
                    Ok(EntryKind::Edit) => {
                        let target = Edit::decode(entry.body).unwrap().seq;
                        edits.insert(target, entry.seq);
                    }
                    Ok(EntryKind::Delete) => {
                        deleted.insert(Delete::decode(entry.body).unwrap().seq);
                    }
                    Ok(EntryKind::Reaction) => {
                        let reaction = Reaction::decode(entry.body).unwrap();
                        reactions.insert((reaction.seq, user(&entry.sender), reaction.emoji));
                    }
                    _ => {}
                }
            }
            let on = |seq: &u64| on_page.contains(seq);
            let there = |seq: &u64| on(seq) && !ledger.deleted.contains(seq);
            let newest = |(seq, edits): (&u64, &Vec<u64>)| (*seq, *edits.last().unwrap());
            let wanted: BTreeMap<u64, u64> =
                ledger.edits.iter().filter(|(seq, _)| there(seq)).map(newest).collect();
            edits.retain(|seq, _| there(seq));
            assert_eq!(edits, wanted, "edits after {after} of group {group}");
            let wanted: BTreeSet<u64> = ledger.deleted.iter().copied().filter(on).collect();
            deleted.retain(on);
            assert_eq!(deleted, wanted, "deletions after {after} of group {group}");
            let mut wanted = ledger.reactions.clone();
            wanted.retain(|(seq, ..)| there(seq));
            reactions.retain(|(seq, ..)| there(seq));
            assert_eq!(reactions, wanted, "reactions after {after} of group {group}");
            after = on_page.last().copied().expect("a page with entries");
        }
    }
}

/// How an entry differs from what it was, beyond being erased as it must.
fn differs(ledger: &Ledger, before: &Entry, now: &Entry) -> Option<String> {
    let target = match EntryKind::try_from(before.kind as i32) {
        Ok(EntryKind::Text) => Some(before.seq),
        Ok(EntryKind::Edit) if !before.erased => {
            Some(Edit::decode(before.body.clone()).unwrap().seq)
        }
        _ => None,
    };
    let erased = before.erased || target.is_some_and(|seq| ledger.deleted.contains(&seq));
    let wanted = if erased {
        Entry { body: Bytes::new(), erased: true, ..before.clone() }
    } else {
        before.clone()
    };
    (wanted != *now).then(|| format!("{now:?} instead of {wanted:?}"))
}

/// From which entry to which somebody was in, time and again.
fn stays(ledger: &Ledger, who: parley_protocol::UserId) -> Vec<(u64, u64)> {
    let (mut stays, mut came) = (Vec::new(), Some(1));
    for entry in &ledger.entries {
        match EntryKind::try_from(entry.kind as i32) {
            Ok(EntryKind::MembersAdded) => {
                let users = MembersAdded::decode(entry.body.clone()).unwrap().users;
                if users.iter().any(|id| user(id) == who) {
                    came = Some(entry.seq);
                }
            }
            Ok(EntryKind::MemberRemoved)
                if user(&MemberRemoved::decode(entry.body.clone()).unwrap().user) == who =>
            {
                stays.extend(came.take().map(|came| (came, entry.seq)));
            }
            Ok(EntryKind::MemberLeft) if user(&entry.sender) == who => {
                stays.extend(came.take().map(|came| (came, entry.seq)));
            }
            _ => {}
        }
    }
    stays.extend(came.map(|came| (came, ledger.last())));
    stays
}
