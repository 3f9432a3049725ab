//! One conversation as this device knows it: who is in it, what it holds, what
//! is unread.
//!
//! The rules are one to a file: `roster`, `count`, `log` (the gap rule),
//! `delivered` and `read` (the user's own cursors), `marks` and `doubt` (is the log
//! still the same?). This file keeps them together, `entries` and `cursors` route what comes to them, and `next` says
//! what the conversation has to ask or say. Everything else goes through the
//! methods here.

mod count;
mod cursors;
mod delivered;
mod doubt;
mod entries;
mod expiry;
mod log;
mod marks;
mod next;
mod read;
mod roster;

use parley_protocol::ids::{ConversationId, UserId};
use parley_protocol::wire;

pub use count::Count;
pub(crate) use expiry::Expired;
pub use expiry::{Expiry, Period};
pub use marks::Mark;
pub use roster::Roster;

use super::CallId;
use crate::convert;
use crate::model::{self, CatchUp, ConversationKind, Description, Preferences};
use delivered::Acknowledged;
pub(crate) use entries::detach;
use log::Log;
use marks::Marks;
pub(crate) use next::{Context, Next, describe, fetch};
use read::ReadMark;
use roster::Followed;

/// Descriptions in a row that are older than what is known, after which one is
/// taken as it is.
const OLD_DESCRIPTIONS: u8 = 3;

#[derive(Debug)]
pub(crate) struct Conversation {
    id: ConversationId,
    log: Log,
    marks: Marks,
    /// An entry came at a seq at which another one was taken.
    contradicted: bool,
    /// The server is to be asked whether its log still has what was taken.
    doubted: bool,
    /// Up to where that was taken when it was asked.
    asked_held: Option<u64>,
    acknowledged: Acknowledged,
    read: ReadMark,
    count: Count,
    expiry: Expiry,
    /// Nothing up to here is there for this user, as pages of this run told.
    gone_up_to: u64,
    /// Whether it is known where this device begins.
    begun: bool,
    roster: Option<Roster>,
    /// The session in which the members' cursors were last asked for; 0 for none.
    described_in: u64,
    describing: bool,
    describe_again: bool,
    /// Not before this moment, after a failure.
    describe_at_ms: u64,
    old_descriptions: u8,
    /// The entry for whose people names were asked.
    naming: u64,
    preferences: Preferences,
    request: bool,
    /// How many messages the user hid, as the server says and as is known here.
    hidden: u32,
    hidden_known: u32,
    asking_hidden: bool,
    last_time_ms: u64,
    /// When the last page of a gap came.
    fetched_ms: u64,
}

/// What an entry of the feed changed, beyond the conversation itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct FeedNews {
    /// How far the user cleared it, when that is further than was known.
    pub(crate) cleared: Option<u64>,
    /// Calls that waited for the user's read cursor to stand there.
    pub(crate) read: Vec<CallId>,
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
    /// What is known of its retention, by `after`.
    pub periods: Vec<Period>,
    /// The newest entry that was taken.
    pub mark: Option<Mark>,
}

impl Conversation {
    /// A conversation this device begins to hold after `held`, or whose
    /// beginning is not known yet.
    pub(crate) fn new(id: ConversationId, held: Option<u64>) -> Self {
        let at = held.unwrap_or(0);
        Self {
            id,
            log: Log::new(at, at),
            marks: Marks::default(),
            contradicted: false,
            doubted: false,
            asked_held: None,
            acknowledged: Acknowledged::new(at, 0),
            read: ReadMark::default(),
            count: Count::new(at),
            expiry: Expiry::default(),
            gone_up_to: 0,
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
        let mut conversation = Self {
            log: Log::new(saved.held, saved.last),
            marks: Marks::new(saved.mark),
            acknowledged,
            read: ReadMark::new(saved.read, saved.read_wanted),
            count: saved.count,
            roster: saved.roster,
            preferences: saved.preferences,
            request: saved.request,
            hidden: saved.hidden,
            hidden_known: saved.hidden,
            last_time_ms: saved.last_time_ms,
            expiry: Expiry::new(saved.periods, saved.last_time_ms),
            ..Self::new(saved.id, Some(saved.held))
        };
        conversation.set_expiry_kind();
        conversation
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
            periods: self.expiry.periods().to_vec(),
            mark: self.marks.newest(),
        }
    }

    /// This device begins to hold it after `held`.
    fn begin(&mut self, held: u64) {
        // Another device may have acknowledged meanwhile what was pushed to this
        // one just now: that is news here all the same.
        let pushed = self.log.first_waiting().map_or(u64::MAX, |seq| seq.saturating_sub(1));
        self.log.begin_at(held.min(pushed));
        self.begun = true;
    }

    /// A device without a feed position begins where `catch_up` says.
    pub(crate) fn begin_by(&mut self, catch_up: CatchUp, entry: &wire::FeedEntry) {
        if self.begun {
            return;
        }
        self.begin(match catch_up {
            CatchUp::Undelivered => entry.delivered.min(entry.last_seq),
            CatchUp::Unread => entry.read.min(entry.last_seq),
            CatchUp::Everything => 0,
        });
        // Whatever is read from now on comes without what is hidden.
        self.hidden_known = entry.hidden;
    }

    /// It is newer than the first list: it begins at its beginning. Returns
    /// whether that was not known before.
    pub(crate) fn begin_at_start(&mut self) -> bool {
        !std::mem::replace(&mut self.begun, true)
    }

    pub(crate) const fn has_begun(&self) -> bool {
        self.begun
    }

    pub(crate) const fn id(&self) -> ConversationId {
        self.id
    }

    /// Takes what the feed says.
    pub(crate) fn handle_feed(&mut self, entry: &wire::FeedEntry, now_ms: u64) -> FeedNews {
        self.doubt(entry.last_seq, entry.last_time_ms);
        // A time goes with its entry: that of a clock that was ahead gives way.
        if entry.last_seq >= self.log.last() {
            self.last_time_ms = entry.last_time_ms;
        }
        self.log.note_last(entry.last_seq, now_ms, false);
        // Who has read something has it.
        let delivered = entry.delivered.max(entry.read);
        self.acknowledged.handle_confirmed(delivered.min(entry.last_seq));
        self.count.handle_feed(entry);
        self.request = entry.request;
        self.hidden = self.hidden.max(entry.hidden);
        let cleared = self.preferences.cleared_up_to;
        self.preferences = entry.preferences.as_ref().map(convert::preferences).unwrap_or_default();
        let now = self.preferences.cleared_up_to;
        FeedNews {
            cleared: (now > cleared).then_some(now),
            read: self.read.handle_confirmed(entry.read.min(entry.last_seq)),
        }
    }

    /// Version of the feed entry its count comes from, when the count is stale.
    pub(crate) fn stale_version(&self) -> Option<u64> {
        self.count.stale.then_some(self.count.version)
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
        self.doubt_end(description.last_seq);
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
        let (last_seq, retention_s) = (description.last_seq, description.settings.retention_s);
        let roster = Roster::new(description);
        // Somebody who comes late into a group begins with their coming, even where
        // they may look further back.
        let before = joined.saturating_sub(1).max(roster.first_after);
        if roster.kind == ConversationKind::Group && self.begun && self.log.held() < before {
            self.begin(before);
        }
        self.acknowledged.handle_floor(roster.first_after.min(self.log.last()));
        self.roster = Some(roster);
        self.set_expiry_kind();
        // Whatever set it before: it counts for what comes now.
        self.expiry.describe(last_seq, retention_s);
    }

    /// The server doesn't describe it: entries are emitted without names.
    pub(crate) fn handle_undescribable(&mut self, session: u64) {
        self.described_in = session;
        self.describing = false;
        self.describe_again = false;
        self.roster.get_or_insert_with(Roster::unknown);
    }

    pub(crate) const fn is_described(&self) -> bool {
        self.roster.is_some()
    }

    /// Whether it was described in this session: receipts keep it up to date since.
    pub(crate) const fn is_described_in(&self, session: u64) -> bool {
        self.roster.is_some() && self.described_in == session
    }

    /// Has the server describe it once more.
    pub(crate) const fn describe_again(&mut self) {
        self.describe_again = true;
    }

    /// Whether a description is on its way, or will be asked for.
    pub(crate) const fn awaits_description(&self) -> bool {
        self.describe_again || self.describing
    }

    /// A description was refused for now; again at that moment.
    pub(crate) const fn retry_describing(&mut self, at_ms: u64) {
        self.describing = false;
        self.describe_at_ms = at_ms;
    }

    fn needs_describing(&self) -> bool {
        !self.describing && (self.roster.is_none() || self.describe_again)
    }

    const fn needs_hidden(&self) -> bool {
        !self.asking_hidden && self.hidden > self.hidden_known
    }

    /// The next of what the user hid came: so many messages.
    pub(crate) fn handle_hidden(&mut self, count: usize) {
        self.asking_hidden = false;
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.hidden_known = self.hidden_known.saturating_add(count);
        if count == 0 {
            // Nothing more is given: asking on would be for ever.
            self.hidden_known = self.hidden;
        }
    }

    /// What the user hid was not given: again with the next change, or in the
    /// next session.
    pub(crate) const fn handle_hidden_refused(&mut self) {
        self.asking_hidden = false;
        self.hidden = self.hidden_known;
    }

    /// Notes that names are asked for the people of this entry. Returns false
    /// when they were asked for already.
    pub(crate) const fn start_naming(&mut self, seq: u64) -> bool {
        let new = self.naming != seq;
        self.naming = seq;
        new
    }

    /// Whether something is left to do that an earlier session did not finish.
    pub(crate) fn is_unfinished(&self) -> bool {
        self.roster.is_none()
            || self.describe_again
            || self.log.has_gap()
            || self.has_pending_cursors()
            || self.needs_hidden()
            || self.doubted
    }

    /// The member with this id, as a user with a name.
    pub(crate) fn named(&self, user: UserId) -> Option<&model::User> {
        self.roster.as_ref()?.member(user).map(|member| &member.user)
    }

    /// A member's cursors moved. Returns whether that is news.
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

    /// Forgets what belonged to one session.
    pub(crate) fn end_session(&mut self) {
        self.log.end_session();
        self.asked_held = None;
        self.acknowledged.end_session();
        self.read.end_session();
        self.describing = false;
        self.describe_at_ms = 0;
        self.old_descriptions = 0;
        self.asking_hidden = false;
        self.naming = 0;
    }
}

#[cfg(test)]
mod tests;
