//! One conversation as this device knows it: who is in it, what it holds, what
//! is unread. The rules are in `log`, `delivered` and `read`; this file keeps
//! them together.

use std::sync::Arc;

use parley_protocol::ids::{ConversationId, UserId};
use parley_protocol::{body, wire};

use super::delivered::Acknowledged;
use super::log::Log;
use super::read::ReadMark;
use crate::model;

/// Authors that are no members (any more), whose names can't be found out.
const STRANGERS: usize = 64;

#[derive(Debug)]
pub(crate) struct Conversation {
    pub(crate) id: ConversationId,
    pub(crate) log: Log,
    pub(crate) acknowledged: Acknowledged,
    pub(crate) read: ReadMark,
    /// Whether it is known where this device begins.
    pub(crate) begun: bool,
    members: Option<Vec<model::Member>>,
    direct: bool,
    /// The session in which the members' cursors were last asked for; 0 for none.
    pub(crate) described_in: u64,
    pub(crate) describing: bool,
    pub(crate) describe_again: bool,
    /// Not before this moment, after a failure.
    pub(crate) describe_at_ms: u64,
    strangers: Vec<UserId>,
    unread: u64,
    /// Up to where `unread` counts.
    counted: u64,
    last_time_ms: u64,
    pub(crate) fetched_ms: u64,
}

/// What a store keeps of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedConversation {
    /// Its id.
    pub id: ConversationId,
    /// Everything up to this seq was emitted.
    pub held: u64,
    /// The highest seq known to exist.
    pub last: u64,
    /// Up to where the server has our acknowledgement.
    pub confirmed: u64,
    /// Up to where an acknowledgement is wanted.
    pub wanted: u64,
    /// Up to where the user has read, as the server knows.
    pub read: u64,
    /// Up to where the user has read, as the application said.
    pub read_wanted: u64,
    /// Messages not read.
    pub unread: u64,
    /// Up to where `unread` counts.
    pub counted: u64,
    /// Time of the last entry, Unix milliseconds.
    pub last_time_ms: u64,
    /// Whether it is 1:1.
    pub direct: bool,
    /// The members, when known.
    pub members: Option<Vec<model::Member>>,
}

impl Conversation {
    /// A conversation this device begins to hold after `held`, or whose
    /// beginning is not known yet.
    pub(crate) fn new(id: ConversationId, held: Option<u64>) -> Self {
        let at = held.unwrap_or(0);
        Self {
            id,
            log: Log::new(at, at),
            acknowledged: Acknowledged::new(at, 0),
            read: ReadMark::default(),
            begun: held.is_some(),
            members: None,
            direct: false,
            described_in: 0,
            describing: false,
            describe_again: false,
            describe_at_ms: 0,
            strangers: Vec::new(),
            unread: 0,
            counted: at,
            last_time_ms: 0,
            fetched_ms: 0,
        }
    }

    pub(crate) fn restore(saved: SavedConversation) -> Self {
        Self {
            log: Log::new(saved.held, saved.last),
            acknowledged: Acknowledged::new(saved.confirmed, saved.wanted),
            read: ReadMark::new(saved.read, saved.read_wanted),
            members: saved.members,
            direct: saved.direct,
            unread: saved.unread,
            counted: saved.counted,
            last_time_ms: saved.last_time_ms,
            ..Self::new(saved.id, Some(saved.held))
        }
    }

    pub(crate) fn saved(&self) -> SavedConversation {
        SavedConversation {
            id: self.id,
            held: self.log.held(),
            last: self.log.last(),
            confirmed: self.acknowledged.confirmed(),
            wanted: self.acknowledged.wanted(),
            read: self.read.confirmed(),
            read_wanted: self.read.wanted(),
            unread: self.unread,
            counted: self.counted,
            last_time_ms: self.last_time_ms,
            direct: self.direct,
            members: self.members.clone(),
        }
    }

    /// This device begins to hold it after `held`.
    pub(crate) fn begin(&mut self, held: u64) {
        // Another device may have acknowledged meanwhile what was pushed to this
        // one just now: that is news here all the same.
        let pushed = self.log.first_waiting().map_or(u64::MAX, |seq| seq.saturating_sub(1));
        self.log.begin_at(held.min(pushed));
        self.begun = true;
    }

    /// Takes what the feed says.
    pub(crate) fn handle_feed(&mut self, entry: &wire::FeedEntry, now_ms: u64) {
        self.log.note_last(entry.last_seq, now_ms, false);
        // Who has read something has it.
        let delivered = entry.delivered.max(entry.read);
        self.acknowledged.handle_confirmed(delivered.min(entry.last_seq));
        self.last_time_ms = self.last_time_ms.max(entry.last_time_ms);
        // An older word of the count than our own is no news.
        if entry.last_seq >= self.counted {
            self.counted = entry.last_seq;
            self.unread = entry.unread;
        }
    }

    /// An entry was taken: moves the count and wants its acknowledgement.
    pub(crate) fn handle_taken(&mut self, entry: &wire::Entry, own: bool) {
        self.last_time_ms = self.last_time_ms.max(entry.time_ms);
        if !own {
            self.acknowledged.handle_taken(entry.seq);
        }
        if entry.seq > self.counted {
            self.counted = entry.seq;
            if own {
                // Who answers has read.
                self.unread = 0;
            } else if body::is_countable(entry.kind) {
                self.unread = self.unread.saturating_add(1);
            }
        }
    }

    /// The user's read cursor stands there. Gives whether the count is exact;
    /// when not, the feed knows it.
    pub(crate) fn handle_read(&mut self, up_to: u64) -> bool {
        if up_to >= self.counted {
            self.unread = 0;
        }
        self.unread == 0
    }

    /// The server says who is in it and where everybody's cursors stand.
    pub(crate) fn handle_described(
        &mut self,
        direct: bool,
        members: Vec<model::Member>,
        me: Option<UserId>,
        session: u64,
    ) {
        let own = members.iter().find(|member| Some(member.user.id) == me);
        let delivered = own.map_or(0, |own| own.delivered.max(own.read));
        self.acknowledged.handle_confirmed(delivered.min(self.log.last()));
        self.direct = direct;
        self.members = Some(members);
        self.described_in = session;
        self.describing = false;
        if std::mem::take(&mut self.describe_again)
            && let Some(sender) =
                self.log.peek().and_then(|entry| UserId::from_slice(&entry.sender).ok())
            && !self.is_member(sender)
            && self.strangers.len() < STRANGERS
        {
            self.strangers.push(sender);
        }
    }

    /// The server doesn't describe it: entries are emitted without names.
    pub(crate) fn handle_undescribable(&mut self, session: u64) {
        let members = self.members.take().unwrap_or_default();
        self.handle_described(self.direct, members, None, session);
    }

    pub(crate) const fn is_described(&self) -> bool {
        self.members.is_some()
    }

    pub(crate) fn needs_describing(&self) -> bool {
        !self.describing && (self.members.is_none() || self.describe_again)
    }

    fn is_member(&self, user: UserId) -> bool {
        self.members.iter().flatten().any(|member| member.user.id == user)
    }

    /// Whether the author's name is known, or can't be.
    pub(crate) fn can_name(&self, user: UserId) -> bool {
        self.is_member(user)
            || self.strangers.contains(&user)
            || self.strangers.len() >= STRANGERS
            || self.members.as_ref().is_some_and(Vec::is_empty)
    }

    /// The user by id; one whose name can't be known is called by the id.
    pub(crate) fn name(&self, user: UserId) -> model::User {
        let member = self.members.iter().flatten().find(|member| member.user.id == user);
        match member {
            Some(member) => member.user.clone(),
            None => model::User { id: user, name: Arc::from(user.to_string()) },
        }
    }

    /// A member's cursors moved. Gives whether they did.
    pub(crate) fn handle_receipt(&mut self, receipt: &model::Receipt) -> bool {
        let mut members = self.members.iter_mut().flatten();
        let Some(member) = members.find(|member| member.user.id == receipt.user) else {
            return false;
        };
        let mut moved = false;
        if receipt.delivered > member.delivered {
            (member.delivered, member.delivered_ms, moved) =
                (receipt.delivered, receipt.time_ms, true);
        }
        if receipt.read > member.read {
            (member.read, member.read_ms, moved) = (receipt.read, receipt.time_ms, true);
        }
        moved
    }

    /// The furthest of the others' cursors: delivered, read.
    pub(crate) fn others(&self, me: UserId) -> (u64, u64) {
        let others = self.members.iter().flatten().filter(|member| member.user.id != me);
        others.fold((0, 0), |(delivered, read), member| {
            (delivered.max(member.delivered).max(member.read), read.max(member.read))
        })
    }

    /// The other one of a 1:1; oneself in a conversation with oneself.
    pub(crate) fn peer(&self, me: UserId) -> Option<&model::User> {
        let members = self.members.as_ref().filter(|_| self.direct)?;
        let other = members.iter().find(|member| member.user.id != me);
        other.or_else(|| members.first()).map(|member| &member.user)
    }

    pub(crate) fn description(&self) -> model::Description {
        model::Description {
            conversation: self.id,
            direct: self.direct,
            members: self.members.clone().unwrap_or_default(),
            last_seq: self.log.last(),
        }
    }

    pub(crate) fn line(&self, me: Option<UserId>) -> model::Conversation {
        let (peer_delivered, peer_read) = me.map_or((0, 0), |me| self.others(me));
        model::Conversation {
            id: self.id,
            peer: me.and_then(|me| self.peer(me)).cloned(),
            last_seq: self.log.last(),
            unread: self.unread,
            read: self.read.confirmed(),
            peer_delivered,
            peer_read,
            last_time_ms: self.last_time_ms,
        }
    }

    pub(crate) fn handle_disconnected(&mut self) {
        self.log.handle_disconnected();
        self.acknowledged.handle_disconnected();
        self.read.handle_disconnected();
        self.describing = false;
        self.describe_at_ms = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: UserId = UserId::new([1; 16]);
    const BEN: UserId = UserId::new([2; 16]);

    fn conversation() -> Conversation {
        Conversation::new(ConversationId::new([9; 16]), Some(0))
    }

    fn member(user: UserId, name: &str) -> model::Member {
        let user = model::User { id: user, name: name.into() };
        model::Member { user, delivered: 0, read: 0, delivered_ms: 0, read_ms: 0 }
    }

    fn entry(seq: u64) -> wire::Entry {
        wire::Entry { seq, kind: wire::EntryKind::Text as u32, ..wire::Entry::default() }
    }

    #[test]
    fn unread_follows_pushes_feed_own_sends_and_reads() {
        let mut conversation = conversation();
        conversation.handle_taken(&entry(1), false);
        conversation.handle_taken(&entry(2), false);
        assert_eq!(conversation.unread, 2);
        // The feed's older word changes nothing, a newer one counts ahead of what is taken.
        conversation
            .handle_feed(&wire::FeedEntry { last_seq: 1, unread: 1, ..Default::default() }, 0);
        assert_eq!(conversation.unread, 2);
        conversation
            .handle_feed(&wire::FeedEntry { last_seq: 4, unread: 4, ..Default::default() }, 0);
        conversation.handle_taken(&entry(3), false);
        assert_eq!(conversation.unread, 4);
        assert!(!conversation.handle_read(2));
        assert!(conversation.handle_read(4));
        conversation.handle_taken(&entry(5), false);
        conversation.handle_taken(&entry(6), true);
        assert_eq!(conversation.unread, 0);
    }

    #[test]
    fn the_peer_is_the_other_one_or_oneself() {
        let mut conversation = conversation();
        assert_eq!(conversation.peer(ANN), None);
        conversation.handle_described(
            true,
            vec![member(ANN, "ann"), member(BEN, "ben")],
            Some(ANN),
            1,
        );
        assert_eq!(conversation.peer(ANN).unwrap().id, BEN);
        conversation.handle_described(true, vec![member(ANN, "ann")], Some(ANN), 1);
        assert_eq!(conversation.peer(ANN).unwrap().id, ANN);
    }

    #[test]
    fn receipts_only_move_forward() {
        let mut conversation = conversation();
        conversation.handle_described(
            true,
            vec![member(ANN, "ann"), member(BEN, "ben")],
            Some(ANN),
            1,
        );
        let receipt = |delivered, read| model::Receipt {
            conversation: ConversationId::new([9; 16]),
            user: BEN,
            delivered,
            read,
            time_ms: 7,
        };
        assert!(conversation.handle_receipt(&receipt(5, 3)));
        assert!(!conversation.handle_receipt(&receipt(4, 2)));
        assert_eq!(conversation.others(ANN), (5, 3));
    }

    #[test]
    fn what_is_saved_comes_back() {
        let mut conversation = conversation();
        conversation.handle_described(true, vec![member(BEN, "ben")], Some(ANN), 1);
        conversation.log.note_last(9, 0, false);
        conversation.handle_taken(&entry(1), false);
        let saved = conversation.saved();
        assert_eq!(Conversation::restore(saved.clone()).saved(), saved);
    }
}
