//! What must be true of a server that was asked one thing after another: the
//! list of what it acknowledged, and questions answered by going through it.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use parley_protocol::wire::{self, EntryKind, send};
use parley_protocol::{DeviceId, Message as _, UserId};

/// One entry that was acknowledged.
#[derive(Debug, Clone)]
struct Said {
    sender: UserId,
    kind: EntryKind,
    /// As it was sent; a joiner's is filled in by the server.
    body: Bytes,
    sent: wire::Sent,
}

/// A conversation, from seq 1 on.
#[derive(Debug, Default)]
struct Log {
    said: Vec<Said>,
    /// The two of a 1:1; empty for groups.
    pair: BTreeSet<UserId>,
    hidden: BTreeMap<UserId, BTreeSet<u64>>,
    cleared: BTreeMap<UserId, u64>,
    /// The bytes of each seq, as they were first read.
    read: BTreeMap<u64, wire::Entry>,
}

/// What somebody may see.
struct Sight {
    /// Up to here nothing.
    above: u64,
    to: u64,
}

/// Everything that was acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    logs: BTreeMap<Bytes, Log>,
    ids: BTreeMap<(DeviceId, Bytes, Bytes), (u32, Bytes, wire::Sent)>,
}

impl Truth {
    /// A send was acknowledged.
    pub(crate) fn sent(
        &mut self,
        user: UserId,
        device: DeviceId,
        send: &wire::Send,
        sent: &wire::Sent,
    ) {
        let key = (device, sent.conversation.clone(), send.client_message_id.clone());
        let plain = wire::Sent { duplicate: false, feed_position: 0, ..sent.clone() };
        let before = self.ids.get(&key);
        assert_eq!(sent.duplicate, before.is_some(), "{key:?} was {before:?}");
        if let Some((kind, body, answer)) = before {
            assert_eq!((kind, body, answer), (&send.kind, &send.body, &plain), "another answer");
            return;
        }
        let log = self.logs.entry(sent.conversation.clone()).or_default();
        let ordinal = log.said.last().map_or(0, |said| said.sent.ordinal);
        let countable = send.kind == EntryKind::Text as u32;
        let place = (log.said.len() as u64 + 1, ordinal + u64::from(countable));
        assert_eq!((sent.seq, sent.ordinal), place, "of {send:?}");
        if let Some(send::To::Peer(peer)) = &send.to {
            log.pair = [user].into_iter().chain(UserId::from_slice(peer)).collect();
        }
        let Ok(kind) = EntryKind::try_from(send.kind as i32) else { panic!("{send:?} was taken") };
        let body = send.body.clone();
        assert!(log.may_send(user, kind), "{user} is not in, and sent {send:?}");
        log.said.push(Said { sender: user, kind, body: body.clone(), sent: plain.clone() });
        self.ids.insert(key, (send.kind, body, plain));
    }

    /// Messages were hidden.
    pub(crate) fn hidden(&mut self, user: UserId, hide: &wire::Hide) {
        let log = self.logs.entry(hide.conversation.clone()).or_default();
        log.hidden.entry(user).or_default().extend(&hide.seqs);
    }

    /// A history was cleared for oneself.
    pub(crate) fn cleared(&mut self, user: UserId, conversation: &Bytes, up_to: u64) {
        let log = self.logs.entry(conversation.clone()).or_default();
        let best = log.cleared.entry(user).or_default();
        *best = up_to.max(*best);
    }

    /// How many messages there are up to a seq.
    pub(crate) fn ordinal(&self, conversation: &Bytes, seq: u64) -> u64 {
        let said = self.logs.get(conversation).map_or(&[][..], |log| &log.said);
        let upto = said.iter().take(seq as usize);
        upto.filter(|said| said.kind == EntryKind::Text).count() as u64
    }

    /// Somebody was told what a conversation is.
    pub(crate) fn described(&self, user: UserId, described: &wire::Described) {
        let log = self.log(user, &described.conversation);
        let Some(sight) = log.sight(user) else { panic!("{user} was told {described:?}") };
        assert_eq!((described.first_after, described.last_seq), (sight.above, sight.to));
    }

    /// Somebody was told where conversations stand.
    pub(crate) fn changes(&self, user: UserId, changes: &wire::Changes) {
        for entry in &changes.entries {
            let log = self.log(user, &entry.conversation);
            assert!(log.is_known_to(user), "{user} was told of {entry:?}");
            assert!(entry.last_seq <= log.said.len() as u64, "{entry:?}");
        }
    }

    /// A page was read.
    pub(crate) fn fetched(&mut self, user: UserId, fetch: &wire::Fetch, page: &wire::Fetched) {
        assert_eq!(page.conversation, fetch.conversation);
        let Some(log) = self.logs.get_mut(&page.conversation) else {
            panic!("{user} read what was never written: {page:?}")
        };
        let Some(sight) = log.sight(user) else { panic!("{user} is a stranger and read {page:?}") };
        use wire::fetch::From;
        let dense = !matches!(
            fetch.from,
            Some(From::MentionsBefore(_) | From::Pinned(_) | From::EditsOf(_))
        );
        let mut last = None;
        for bytes in &page.entries {
            let entry = log.agrees(user, &sight, bytes);
            if let Some(last) = last {
                assert!(entry.seq > last, "{} after {last}", entry.seq);
                assert!(!dense || entry.seq == last + 1, "a hole after {last}");
            }
            last = Some(entry.seq);
        }
        if let (Some(From::AfterSeq(after)), Some(bytes)) = (&fetch.from, page.entries.first()) {
            let first = wire::Entry::decode(bytes.clone()).map_or(0, |entry| entry.seq);
            assert_eq!(first, sight.above.max(*after) + 1, "the page begins late");
        }
        for bytes in &page.related {
            log.agrees(user, &sight, bytes);
        }
        assert_eq!(page.last_seq, sight.to, "the last that {user} may see");
    }

    /// The seqs somebody may read, for a look at the end.
    pub(crate) fn readable(&self, user: UserId) -> Vec<(Bytes, u64, u64)> {
        let of = |(id, log): (&Bytes, &Log)| {
            log.sight(user).map(|sight| (id.clone(), sight.above, sight.to))
        };
        self.logs.iter().filter_map(of).collect()
    }

    fn log(&self, user: UserId, conversation: &Bytes) -> &Log {
        let log = self.logs.get(conversation);
        log.unwrap_or_else(|| panic!("{user} was told of {conversation:?}, which isn't there"))
    }
}

impl Log {
    fn may_send(&self, user: UserId, kind: EntryKind) -> bool {
        let begins = kind == EntryKind::GroupCreated && self.said.is_empty();
        let joins = kind == EntryKind::MemberJoined && !self.is_banned(user);
        begins || joins || self.is_in(user)
    }

    /// Whether somebody may not come in by themselves.
    fn is_banned(&self, user: UserId) -> bool {
        let user = user.to_wire();
        let mut banned = false;
        for said in &self.said {
            let body = said.body.clone();
            match said.kind {
                EntryKind::MemberRemoved => {
                    let removed = wire::MemberRemoved::decode(body).unwrap_or_default();
                    banned |= removed.ban && removed.user == user;
                }
                EntryKind::MemberUnbanned => {
                    let unbanned = wire::MemberUnbanned::decode(body).unwrap_or_default();
                    banned &= unbanned.user != user;
                }
                EntryKind::MembersAdded => {
                    let added = wire::MembersAdded::decode(body).unwrap_or_default();
                    banned &= !added.users.contains(&user);
                }
                _ => {}
            }
        }
        banned
    }

    fn is_known_to(&self, user: UserId) -> bool {
        self.pair.contains(&user) || self.stay(user).is_some()
    }

    fn is_in(&self, user: UserId) -> bool {
        self.pair.contains(&user) || matches!(self.stay(user), Some((_, _, None)))
    }

    /// Somebody's last stay in a group: when they came, what comes before the first
    /// entry they see, when they went.
    fn stay(&self, user: UserId) -> Option<(u64, u64, Option<u64>)> {
        let (mut stay, mut open): (Option<(u64, u64, Option<u64>)>, _) = (None, None);
        for (seq, said) in (1u64..).zip(&self.said) {
            let comes = match said.kind {
                EntryKind::GroupCreated => {
                    let created = wire::GroupCreated::decode(said.body.clone()).unwrap_or_default();
                    let shows = created.settings.is_some_and(|set| set.history_for_newcomers);
                    open = shows.then_some(0);
                    said.sender == user || created.members.contains(&user.to_wire())
                }
                EntryKind::ConversationChanged => {
                    let changed = wire::ConversationChanged::decode(said.body.clone());
                    let settings = changed.unwrap_or_default().settings;
                    // From where it was set on.
                    open = settings
                        .map_or(open, |set| set.history_for_newcomers.then(|| open.unwrap_or(seq)));
                    false
                }
                EntryKind::MembersAdded => {
                    let added = wire::MembersAdded::decode(said.body.clone()).unwrap_or_default();
                    added.users.contains(&user.to_wire())
                }
                EntryKind::MemberJoined => said.sender == user,
                _ => false,
            };
            let goes = match said.kind {
                EntryKind::MemberRemoved => {
                    let gone = wire::MemberRemoved::decode(said.body.clone()).unwrap_or_default();
                    gone.user == user.to_wire()
                }
                EntryKind::MemberLeft => said.sender == user,
                _ => false,
            };
            if comes {
                let earlier = stay.map_or(0, |(_, before, _)| before);
                stay = Some((seq, open.unwrap_or(seq - 1).max(earlier), None));
            } else if goes {
                stay = stay.map(|(came, open, went)| (came, open, went.or(Some(seq))));
            }
        }
        stay
    }

    fn sight(&self, user: UserId) -> Option<Sight> {
        let last = self.said.len() as u64;
        let (before, to) = if self.pair.contains(&user) {
            (0, last)
        } else {
            let (_, before, went) = self.stay(user)?;
            (before, went.unwrap_or(last))
        };
        let above = before.max(self.erased_up_to()).max(*self.cleared.get(&user).unwrap_or(&0));
        Some(Sight { above: above.min(to), to })
    }

    fn erased_up_to(&self) -> u64 {
        let erased = self.said.iter().filter(|said| said.kind == EntryKind::HistoryErased);
        let up_to = |said: &Said| wire::HistoryErased::decode(said.body.clone()).map(|e| e.up_to);
        erased.filter_map(|said| up_to(said).ok()).max().unwrap_or(0)
    }

    /// Whether a message was deleted, or is an edit of one that was.
    fn is_deleted(&self, seq: u64) -> bool {
        let target = |said: &Said| match said.kind {
            EntryKind::Delete => wire::Delete::decode(said.body.clone()).map(|d| d.seq).ok(),
            _ => None,
        };
        let deleted = |seq: u64| self.said.iter().any(|said| target(said) == Some(seq));
        let Some(said) = self.said.get(seq as usize - 1) else { return false };
        match said.kind {
            EntryKind::Edit => wire::Edit::decode(said.body.clone()).is_ok_and(|e| deleted(e.seq)),
            _ => deleted(seq),
        }
    }

    /// The message that an entry is about: the first number of its body.
    fn about(&self, seq: u64) -> Option<u64> {
        let said = self.said.get(seq as usize - 1)?;
        match said.kind {
            EntryKind::Edit | EntryKind::Delete | EntryKind::Reaction | EntryKind::Pin => {
                // Any body that has a number there, and nothing else, reads it.
                wire::HistoryErased::decode(said.body.clone()).ok().map(|about| about.up_to)
            }
            _ => None,
        }
    }

    /// The message that an edit is of.
    fn edits(&self, seq: u64) -> Option<u64> {
        let said = self.said.get(seq as usize - 1).filter(|said| said.kind == EntryKind::Edit);
        said.and_then(|said| wire::Edit::decode(said.body.clone()).ok()).map(|edit| edit.seq)
    }

    /// An entry that was read is theirs to see, and what was sent, or erased
    /// for a reason.
    fn agrees(&mut self, user: UserId, sight: &Sight, bytes: &Bytes) -> wire::Entry {
        let entry = wire::Entry::decode(bytes.clone()).unwrap_or_else(|e| panic!("{e}: {bytes:?}"));
        let seq = entry.seq;
        assert!(seq > sight.above && seq <= sight.to, "{seq} is not {user}'s to see");
        let Some(said) = self.said.get(seq as usize - 1) else { panic!("nobody sent {entry:?}") };
        assert_eq!(entry.sender, said.sender.to_wire());
        assert_eq!(
            (entry.kind, entry.ordinal, entry.time_ms),
            (said.kind as u32, said.sent.ordinal, said.sent.time_ms),
            "{entry:?}"
        );
        let hides = |seq| self.hidden.get(&user).is_some_and(|seqs| seqs.contains(&seq));
        // The new words of what they hid are hidden too.
        let hidden = hides(seq) || self.edits(seq).is_some_and(hides);
        // What is about an erased part of the history goes with it.
        let erased = self.about(seq).is_some_and(|about| about <= self.erased_up_to());
        assert_eq!(entry.erased, hidden || erased || self.is_deleted(seq), "{entry:?}");
        assert!(!entry.erased || entry.body.is_empty(), "{entry:?} has a body");
        if !entry.erased {
            let filled_in = said.kind == EntryKind::MemberJoined;
            assert!(filled_in || entry.body == said.body, "{entry:?} is another than {said:?}");
            let first = self.read.entry(seq).or_insert_with(|| entry.clone());
            assert_eq!(*first, entry, "not the same for all");
        }
        entry
    }
}
