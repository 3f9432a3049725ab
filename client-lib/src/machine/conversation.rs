//! One conversation as this device knows it: who is in it, what it holds, what
//! is unread. The rules are in `roster`, `count`, `log`, `delivered` and `read`;
//! this file keeps them together.

use parley_protocol::cursors::delivered_every_ms;
use parley_protocol::ids::{ConversationId, UserId};
use parley_protocol::wire;

use super::count::Count;
use super::delivered::Acknowledged;
use super::log::Log;
use super::read::ReadMark;
use super::roster::{Followed, Roster};
use crate::convert;
use crate::model::{self, ConversationKind, Description, Preferences};

/// Descriptions in a row that are older than what is known, after which one is
/// taken as it is.
const OLD_DESCRIPTIONS: u8 = 3;

#[derive(Debug)]
pub(crate) struct Conversation {
    pub(crate) id: ConversationId,
    pub(crate) log: Log,
    pub(crate) acknowledged: Acknowledged,
    pub(crate) read: ReadMark,
    pub(crate) count: Count,
    /// Whether it is known where this device begins.
    pub(crate) begun: bool,
    roster: Option<Roster>,
    /// The session in which the members' cursors were last asked for; 0 for none.
    pub(crate) described_in: u64,
    pub(crate) describing: bool,
    pub(crate) describe_again: bool,
    /// Not before this moment, after a failure.
    pub(crate) describe_at_ms: u64,
    old_descriptions: u8,
    /// The entry for whose people names were asked.
    pub(crate) naming: u64,
    preferences: Preferences,
    request: bool,
    /// How many messages the user hid, as the server says and as is known here.
    pub(crate) hidden: u32,
    pub(crate) hidden_known: u32,
    pub(crate) asking_hidden: bool,
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
    /// What is unread.
    pub count: Count,
    /// Time of the last entry, Unix milliseconds.
    pub last_time_ms: u64,
    /// Who is in it, when known.
    pub roster: Option<Roster>,
    /// What the user set for it.
    pub preferences: Preferences,
    /// A stranger began it and the user has not taken it up.
    pub request: bool,
    /// How many hidden messages are known.
    pub hidden: u32,
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
            count: Count::new(at),
            begun: held.is_some(),
            roster: None,
            described_in: 0,
            describing: false,
            describe_again: false,
            describe_at_ms: 0,
            old_descriptions: 0,
            naming: 0,
            preferences: Preferences::default(),
            request: false,
            hidden: 0,
            hidden_known: 0,
            asking_hidden: false,
            last_time_ms: 0,
            fetched_ms: 0,
        }
    }

    pub(crate) fn restore(saved: SavedConversation) -> Self {
        let mut acknowledged = Acknowledged::new(saved.confirmed, saved.wanted);
        acknowledged.handle_floor(saved.roster.as_ref().map_or(0, |roster| roster.first_after));
        Self {
            log: Log::new(saved.held, saved.last),
            acknowledged,
            read: ReadMark::new(saved.read, saved.read_wanted),
            count: saved.count,
            roster: saved.roster,
            preferences: saved.preferences,
            request: saved.request,
            hidden: saved.hidden,
            hidden_known: saved.hidden,
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
            count: self.count,
            last_time_ms: self.last_time_ms,
            roster: self.roster.clone(),
            preferences: self.preferences.clone(),
            request: self.request,
            hidden: self.hidden_known,
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

    /// Takes what the feed says. Gives how far the user cleared it, when that is news.
    pub(crate) fn handle_feed(&mut self, entry: &wire::FeedEntry, now_ms: u64) -> Option<u64> {
        self.log.note_last(entry.last_seq, now_ms, false);
        // Who has read something has it.
        let delivered = entry.delivered.max(entry.read);
        self.acknowledged.handle_confirmed(delivered.min(entry.last_seq));
        self.last_time_ms = self.last_time_ms.max(entry.last_time_ms);
        self.count.handle_feed(entry);
        self.request = entry.request;
        self.hidden = self.hidden.max(entry.hidden);
        let cleared = self.preferences.cleared_up_to;
        self.preferences = entry.preferences.as_ref().map(convert::preferences).unwrap_or_default();
        let now = self.preferences.cleared_up_to;
        (now > cleared).then_some(now)
    }

    /// An entry was taken: moves the count and the roster, and wants its
    /// acknowledgement. Gives whether the server has to be asked for the count.
    pub(crate) fn handle_taken(
        &mut self,
        entry: &wire::Entry,
        read: &model::Entry,
        me: Option<UserId>,
        own: bool,
    ) -> bool {
        self.last_time_ms = self.last_time_ms.max(entry.time_ms);
        if !own {
            self.acknowledged.handle_taken(entry.seq);
        }
        if let Some(roster) = &mut self.roster {
            match roster.follow(entry.seq, read, me) {
                Followed::Lost => self.describe_again = true,
                // A history that was erased can't be given any more.
                Followed::Changed => self.acknowledged.handle_floor(roster.first_after),
                Followed::Same => {}
            }
        }
        self.count.handle_taken(entry, read, me, own)
    }

    /// The server says who is in it and where everybody's cursors stand.
    pub(crate) fn handle_described(
        &mut self,
        description: Description,
        me: Option<UserId>,
        session: u64,
    ) {
        let own = description.members.iter().find(|member| Some(member.user.id) == me);
        let delivered = own.map_or(0, |own| own.delivered.max(own.read));
        let joined = own.map_or(0, |own| own.joined_seq);
        self.acknowledged.handle_confirmed(delivered.min(self.log.last()));
        self.described_in = session;
        self.describing = false;
        self.describe_again = false;
        let known = self.roster.as_ref().map_or(0, |roster| roster.seq);
        if description.last_seq < known && self.old_descriptions < OLD_DESCRIPTIONS {
            // Made before entries that were followed already.
            self.old_descriptions += 1;
            self.describe_again = true;
            return;
        }
        self.old_descriptions = 0;
        let roster = Roster::new(description);
        // Whoever comes late into a group begins with their coming, even where
        // they may look further back.
        let before = joined.saturating_sub(1).max(roster.first_after);
        if roster.kind == ConversationKind::Group && self.begun && self.log.held() < before {
            self.begin(before);
        }
        self.acknowledged.handle_floor(roster.first_after.min(self.log.last()));
        self.roster = Some(roster);
    }

    /// The server doesn't describe it: entries are emitted without names.
    pub(crate) fn handle_undescribable(&mut self, session: u64) {
        self.described_in = session;
        self.describing = false;
        self.describe_again = false;
        self.roster.get_or_insert_with(Roster::unknown);
    }

    /// Least milliseconds between two acknowledgements.
    pub(crate) fn delivered_every_ms(&self, me: Option<UserId>) -> u64 {
        let members = self.roster.as_ref().map_or(0, |roster| roster.members.len());
        me.map_or(0, |me| delivered_every_ms(members, me))
    }

    pub(crate) const fn is_described(&self) -> bool {
        self.roster.is_some()
    }

    pub(crate) fn needs_describing(&self) -> bool {
        !self.describing && (self.roster.is_none() || self.describe_again)
    }

    pub(crate) const fn needs_hidden(&self) -> bool {
        !self.asking_hidden && self.hidden > self.hidden_known
    }

    /// The member with this id, as a user with a name.
    pub(crate) fn named(&self, user: UserId) -> Option<&model::User> {
        self.roster.as_ref()?.member(user).map(|member| &member.user)
    }

    /// A member's cursors moved. Gives whether they did.
    pub(crate) fn handle_receipt(&mut self, receipt: &model::Receipt) -> bool {
        let Some(member) = self.roster.as_mut().and_then(|roster| roster.member_mut(receipt.user))
        else {
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
        let members = self.roster.iter().flat_map(|roster| &roster.members);
        let others = members.filter(|member| member.user.id != me);
        others.fold((0, 0), |(delivered, read), member| {
            (delivered.max(member.delivered).max(member.read), read.max(member.read))
        })
    }

    /// The other one of a 1:1; oneself in a conversation with oneself.
    pub(crate) fn peer(&self, me: UserId) -> Option<&model::User> {
        let roster =
            self.roster.as_ref().filter(|roster| roster.kind == ConversationKind::Direct)?;
        let other = roster.members.iter().find(|member| member.user.id != me);
        other.or_else(|| roster.members.first()).map(|member| &member.user)
    }

    /// What is known of it; `None` before it was described.
    pub(crate) fn description(&self) -> Option<Description> {
        let description = self.roster.clone()?.into_description(self.id);
        Some(Description {
            last_seq: self.log.last(),
            first_after: description.first_after.max(self.preferences.cleared_up_to),
            ..description
        })
    }

    pub(crate) fn line(&self, me: Option<UserId>) -> model::Conversation {
        let (peer_delivered, peer_read) = me.map_or((0, 0), |me| self.others(me));
        let roster = self.roster.as_ref();
        let former = roster.is_some_and(|roster| roster.former);
        let own = me.and_then(|me| roster?.member(me));
        model::Conversation {
            id: self.id,
            kind: roster.map_or(ConversationKind::Direct, |roster| roster.kind),
            peer: me.and_then(|me| self.peer(me)).cloned(),
            info: roster.map(|roster| roster.info.clone()).unwrap_or_default(),
            members: roster.map_or(0, |roster| roster.members.len()),
            role: own.filter(|_| !former).map(|member| member.role),
            former,
            last_seq: self.log.last(),
            unread: self.count.unread,
            mentions: self.count.mentions,
            read: self.read.confirmed(),
            peer_delivered,
            peer_read,
            last_time_ms: self.last_time_ms,
            preferences: self.preferences.clone(),
            request: self.request,
        }
    }

    pub(crate) fn handle_disconnected(&mut self) {
        self.log.handle_disconnected();
        self.acknowledged.handle_disconnected();
        self.read.handle_disconnected();
        self.describing = false;
        self.describe_at_ms = 0;
        self.old_descriptions = 0;
        self.asking_hidden = false;
        self.naming = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Member, Role, User};

    const ANN: UserId = UserId::new([1; 16]);
    const BEN: UserId = UserId::new([2; 16]);
    const PLACE: ConversationId = ConversationId::new([9; 16]);

    fn conversation() -> Conversation {
        Conversation::new(PLACE, Some(0))
    }

    fn member(user: UserId, name: &str, joined_seq: u64) -> Member {
        let user = User { id: user, name: name.into() };
        let (delivered, read, delivered_ms, read_ms) = (0, 0, 0, 0);
        Member { user, role: Role::Member, joined_seq, delivered, read, delivered_ms, read_ms }
    }

    fn described(kind: ConversationKind, members: Vec<Member>, last_seq: u64) -> Description {
        let roster = Roster { kind, members, ..Roster::unknown() };
        let mut empty = conversation();
        empty.roster = Some(roster);
        Description { last_seq, ..empty.description().unwrap() }
    }

    fn both() -> Description {
        let members = vec![member(ANN, "ann", 1), member(BEN, "ben", 1)];
        described(ConversationKind::Direct, members, 0)
    }

    #[test]
    fn the_peer_is_the_other_one_or_oneself() {
        let mut conversation = conversation();
        assert_eq!(conversation.peer(ANN), None);
        conversation.handle_described(both(), Some(ANN), 1);
        assert_eq!(conversation.peer(ANN).unwrap().id, BEN);
        let alone = described(ConversationKind::Direct, vec![member(ANN, "ann", 1)], 0);
        conversation.handle_described(alone, Some(ANN), 1);
        assert_eq!(conversation.peer(ANN).unwrap().id, ANN);
    }

    #[test]
    fn receipts_only_move_forward() {
        let mut conversation = conversation();
        conversation.handle_described(both(), Some(ANN), 1);
        let receipt = |delivered, read| model::Receipt {
            conversation: PLACE,
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
    fn a_latecomer_begins_with_their_coming() {
        let mut conversation = conversation();
        conversation.log.note_last(60, 0, false);
        let members = vec![member(BEN, "ben", 1), member(ANN, "ann", 57)];
        conversation.handle_described(
            described(ConversationKind::Group, members, 60),
            Some(ANN),
            1,
        );
        assert_eq!(conversation.log.held(), 56);
    }

    #[test]
    fn a_description_from_before_what_is_known_is_asked_again_a_few_times() {
        let mut conversation = conversation();
        let now = described(ConversationKind::Group, vec![member(ANN, "ann", 1)], 9);
        conversation.handle_described(now, Some(ANN), 1);
        let old = || described(ConversationKind::Group, Vec::new(), 4);
        for _ in 0..OLD_DESCRIPTIONS {
            conversation.handle_described(old(), Some(ANN), 1);
            assert!(conversation.needs_describing());
            assert_eq!(conversation.line(Some(ANN)).members, 1);
        }
        conversation.handle_described(old(), Some(ANN), 1);
        assert!(!conversation.needs_describing());
    }

    #[test]
    fn what_is_saved_comes_back() {
        let mut conversation = conversation();
        conversation.handle_described(both(), Some(ANN), 1);
        conversation.log.note_last(9, 0, false);
        let preferences = wire::Preferences { draft: "later".into(), ..Default::default() };
        let feed = wire::FeedEntry {
            last_seq: 9,
            unread: 3,
            mentions: 1,
            preferences: Some(preferences),
            request: true,
            ..wire::FeedEntry::default()
        };
        conversation.handle_feed(&feed, 0);
        let saved = conversation.saved();
        assert_eq!(&*saved.preferences.draft, "later");
        assert_eq!(Conversation::restore(saved.clone()).saved(), saved);
    }

    #[test]
    fn clearing_is_news_once() {
        let mut conversation = conversation();
        let feed = |cleared_up_to| wire::FeedEntry {
            last_seq: 9,
            preferences: Some(wire::Preferences { cleared_up_to, ..Default::default() }),
            ..wire::FeedEntry::default()
        };
        assert_eq!(conversation.handle_feed(&feed(0), 0), None);
        assert_eq!(conversation.handle_feed(&feed(4), 0), Some(4));
        assert_eq!(conversation.handle_feed(&feed(4), 0), None);
    }
}
