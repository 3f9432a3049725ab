//! When messages of a conversation get too old to be kept.
//!
//! A retention counts for what was stamped after it was set, and stays with it:
//! taken off again it brings nothing back. In a 1:1 each side sets it for its own
//! messages. What is known of it is learned from the entries that set it.

use parley_protocol::ids::UserId;
use parley_protocol::wire::{self, EntryKind};

use super::Conversation;
use crate::history;
use crate::model::ConversationKind;

/// Periods that are remembered; the oldest goes first.
const PERIODS: usize = 64;

/// Who set what a group's description told.
const NOBODY: UserId = UserId::new([0; 16]);

/// Least and most milliseconds after which what may have expired is looked for again.
const LOOK_MS: (u64, u64) = (1_000, 300_000);

/// From when on a conversation's messages expire, and how soon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// It counts for entries after this one.
    pub after: u64,
    /// Who set it.
    pub by: UserId,
    /// 0 for never.
    pub retention_s: u64,
}

/// What is known of a conversation's retention. All times are the server's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expiry {
    /// By `after`.
    periods: Vec<Period>,
    /// Elsewhere a period is about its author's messages only.
    is_group: bool,
    /// When something expires next.
    next_ms: Option<u64>,
    last_ms: u64,
}

impl Expiry {
    /// As a store knows it; `last_ms` is the time of the newest entry.
    pub(crate) fn new(periods: Vec<Period>, last_ms: u64) -> Self {
        let mut expiry = Self::default();
        for period in periods.iter().filter(|period| period.retention_s > 0) {
            expiry.expect(0, after(last_ms, period.retention_s));
        }
        expiry.periods = periods;
        expiry
    }

    /// What a store keeps.
    #[must_use]
    pub fn periods(&self) -> &[Period] {
        &self.periods
    }

    /// When something expires next.
    pub(crate) const fn next_ms(&self) -> Option<u64> {
        self.next_ms
    }

    pub(crate) const fn set_group(&mut self, is_group: bool) {
        self.is_group = is_group;
    }

    /// What counts for an entry.
    fn period(&self, seq: u64, sender: UserId) -> Option<Period> {
        let counts = |it: &&Period| it.after < seq && (self.is_group || it.by == sender);
        self.periods.iter().rev().find(counts).copied()
    }

    /// When an entry of this time expires.
    fn of(&self, seq: u64, sender: UserId, time_ms: u64) -> Option<u64> {
        let period = self.period(seq, sender).filter(|period| period.retention_s > 0)?;
        Some(after(time_ms, period.retention_s))
    }

    /// When a message expires; never for anything else.
    #[must_use]
    pub fn of_message(&self, entry: &wire::Entry) -> Option<u64> {
        let is_text = entry.kind == EntryKind::Text as u32;
        is_text.then(|| self.of(entry.seq, history::sender(entry), entry.time_ms)).flatten()
    }

    /// The retention is so from this entry on.
    fn set(&mut self, period: Period) {
        // What was only taken for so gives way.
        let told = period.by != NOBODY;
        self.periods.retain(|it| it.after != period.after && (it.after > 0 || !told));
        let at = self.periods.partition_point(|other| other.after < period.after);
        self.periods.insert(at, period);
        // What a group's description told may have been so for longer.
        let mut before = None;
        self.periods.retain(|it| {
            let repeats = it.by == NOBODY && before == Some(it.retention_s);
            before = Some(it.retention_s);
            !repeats
        });
        if self.periods.len() > PERIODS {
            self.periods.remove(0);
        }
    }

    /// The server says what counts after an entry of a group. Where nothing is known
    /// of the time before, it is taken for what counted then, too: what it gives is
    /// there all the same.
    pub(crate) fn describe(&mut self, after: u64, retention_s: u64) {
        let known = self.period(after.saturating_add(1), NOBODY).map_or(0, |it| it.retention_s);
        if self.is_group && known != retention_s {
            let after = if self.periods.is_empty() { 0 } else { after };
            self.set(Period { after, by: NOBODY, retention_s });
        }
    }

    /// The server gave an entry: it may say when messages expire, or expire itself.
    pub(crate) fn handle_given(&mut self, entry: &wire::Entry) {
        if let Some(at_ms) = self.of_message(entry) {
            self.expect(at_ms, at_ms);
        }
        let settings = match EntryKind::try_from(i32::try_from(entry.kind).unwrap_or(0)) {
            _ if entry.erased => None,
            Ok(EntryKind::GroupCreated) => {
                history::read::<wire::GroupCreated>(&entry.body).and_then(|body| body.settings)
            }
            Ok(EntryKind::ConversationChanged) => {
                let body = history::read::<wire::ConversationChanged>(&entry.body);
                body.and_then(|body| body.settings)
            }
            _ => None,
        };
        self.is_group |= entry.kind == EntryKind::GroupCreated as u32;
        if let Some(settings) = settings {
            let by = history::sender(entry);
            self.set(Period { after: entry.seq, by, retention_s: settings.retention_s });
        }
    }

    fn expect(&mut self, next_ms: u64, last_ms: u64) {
        self.next_ms = Some(self.next_ms.map_or(next_ms, |known| known.min(next_ms)));
        self.last_ms = self.last_ms.max(last_ms);
    }

    /// It is so late. Returns whether something may have expired.
    fn handle_time(&mut self, now_ms: u64) -> bool {
        if self.next_ms.is_none_or(|next_ms| next_ms > now_ms) {
            return false;
        }
        // When exactly those between go is known to whoever shows them.
        let left_ms = self.last_ms.saturating_sub(now_ms);
        let pause_ms = (left_ms / 16).clamp(LOOK_MS.0, LOOK_MS.1);
        self.next_ms = (left_ms > 0).then(|| now_ms.saturating_add(pause_ms));
        true
    }
}

const fn after(time_ms: u64, retention_s: u64) -> u64 {
    time_ms.saturating_add(retention_s.saturating_mul(1000))
}

/// What the passing of time did to a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expired {
    /// Nothing.
    Nothing,
    /// Something may have gone.
    Something,
    /// And the count is stale by it.
    Stale,
}

impl Conversation {
    /// What is known of its retention.
    pub(crate) const fn expiry(&self) -> &Expiry {
        &self.expiry
    }

    /// An entry came apart from the log.
    pub(crate) fn note_expiry(&mut self, entry: &wire::Entry) {
        self.expiry.handle_given(entry);
    }

    /// It is so late by the server's clock.
    pub(crate) fn handle_time(&mut self, now_ms: u64, me: Option<UserId>) -> Expired {
        if !self.expiry.handle_time(now_ms) {
            return Expired::Nothing;
        }
        let peer = me.and_then(|me| self.peer(me)).map_or(NOBODY, |peer| peer.id);
        let own = me.and_then(|me| self.roster.as_ref()?.member(me));
        let floor = self.read.confirmed().max(own.map_or(0, |own| own.joined_seq));
        let newest = self.log.last().saturating_add(1);
        // Where all that may be unread came under it, and the newest is too old.
        let all = self.expiry.period(newest, peer).is_some_and(|period| {
            let at_ms = self.expiry.of(newest, peer, self.last_time_ms);
            period.after <= floor && at_ms.is_some_and(|at_ms| at_ms <= now_ms)
        });
        if self.count.handle_expired(all) { Expired::Stale } else { Expired::Something }
    }

    pub(super) fn set_expiry_kind(&mut self) {
        let kind = self.roster.as_ref().map(|roster| roster.kind);
        self.expiry.set_group(kind == Some(ConversationKind::Group));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use prost::Message as _;

    const ME: UserId = UserId::new([1; 16]);
    const ANN: UserId = UserId::new([2; 16]);

    fn period(after: u64, by: UserId, retention_s: u64) -> Period {
        Period { after, by, retention_s }
    }

    fn entry(seq: u64, kind: EntryKind, body: Bytes) -> wire::Entry {
        let sender = ANN.to_wire();
        wire::Entry {
            seq,
            sender,
            time_ms: 1000,
            kind: kind as u32,
            body,
            ..wire::Entry::default()
        }
    }

    #[test]
    fn a_retention_counts_for_what_comes_after_it_and_in_a_direct_one_for_its_author() {
        let mut expiry = Expiry::default();
        expiry.set(period(5, ANN, 10));
        expiry.set(period(8, ANN, 0));
        let at = |expiry: &Expiry, seq, sender| expiry.of(seq, sender, 1000);
        assert_eq!((at(&expiry, 5, ANN), at(&expiry, 6, ANN)), (None, Some(11_000)));
        assert_eq!((at(&expiry, 6, ME), at(&expiry, 9, ANN)), (None, None));
        expiry.set_group(true);
        assert_eq!((at(&expiry, 6, ME), at(&expiry, 9, ME)), (Some(11_000), None));
        // Learned again, and late, it is the same.
        expiry.set(period(2, ME, 3));
        expiry.set(period(5, ANN, 10));
        assert_eq!((at(&expiry, 3, ME), at(&expiry, 6, ME)), (Some(4000), Some(11_000)));
    }

    #[test]
    fn what_the_server_describes_of_a_group_counts_for_what_comes() {
        let mut expiry = Expiry::default();
        expiry.describe(7, 5);
        expiry.set_group(true);
        expiry.describe(7, 0);
        assert!(expiry.periods().is_empty());
        expiry.describe(7, 5);
        expiry.describe(9, 5);
        assert_eq!(expiry.periods(), [period(0, NOBODY, 5)]);
        expiry.describe(12, 0);
        assert_eq!((expiry.of(12, ANN, 0), expiry.of(13, ANN, 0)), (Some(5000), None));
        // The entry that set it comes later.
        expiry.set(period(3, ANN, 5));
        assert_eq!(expiry.periods().iter().map(|it| it.after).collect::<Vec<_>>(), [3, 12]);
    }

    #[test]
    fn entries_say_it_and_what_can_not_be_read_says_nothing() {
        let mut expiry = Expiry::default();
        let settings = wire::ConversationSettings { retention_s: 5, ..Default::default() };
        let created = wire::GroupCreated { settings: Some(settings), ..Default::default() };
        expiry.handle_given(&entry(1, EntryKind::GroupCreated, created.encode_to_vec().into()));
        let changed = wire::ConversationChanged { settings: Some(settings), ..Default::default() };
        let changed = Bytes::from(changed.encode_to_vec());
        expiry.handle_given(&entry(4, EntryKind::ConversationChanged, changed));
        let bad = Bytes::from_static(&[0xff; 3]);
        expiry.handle_given(&entry(6, EntryKind::ConversationChanged, bad));
        assert_eq!(expiry.periods(), [period(1, ANN, 5), period(4, ANN, 5)]);
        expiry.handle_given(&entry(7, EntryKind::Text, Bytes::new()));
        assert_eq!(expiry.next_ms(), Some(6000));
        for seq in 10..200 {
            expiry.set(period(seq, ANN, 1));
        }
        assert_eq!(expiry.periods().len(), PERIODS);
    }

    fn unread(unread: u64, after: u64) -> Conversation {
        let mut conversation =
            Conversation::new(parley_protocol::ConversationId::new([9; 16]), Some(0));
        conversation.count.unread = unread;
        conversation.expiry.set(period(after, ANN, 5));
        conversation.expiry.set_group(true);
        conversation.last_time_ms = 2000;
        conversation.note_expiry(&entry(after + 1, EntryKind::Text, Bytes::new()));
        conversation
    }

    #[test]
    fn what_is_unread_is_gone_once_the_newest_of_all_expired() {
        let mut conversation = unread(2, 0);
        assert_eq!(conversation.handle_time(5_999, Some(ME)), Expired::Nothing);
        assert_eq!(conversation.handle_time(6_000, Some(ME)), Expired::Stale);
        assert_eq!(conversation.count.unread, 2);
        conversation.note_expiry(&entry(2, EntryKind::Text, Bytes::new()));
        assert_eq!(conversation.handle_time(7_000, Some(ME)), Expired::Something);
        assert_eq!((conversation.count.unread, conversation.expiry.next_ms()), (0, None));
        // Some of it may be from before the retention.
        let mut older = unread(2, 3);
        assert_eq!(older.handle_time(9_000, Some(ME)), Expired::Stale);
        assert_eq!(older.count.unread, 2);
    }

    #[test]
    fn what_an_earlier_run_knew_is_looked_at_once_and_again_while_something_may_be_left() {
        let mut expiry = Expiry::new(vec![period(1, ANN, 100)], 50_000);
        assert!(expiry.handle_time(100_000));
        assert_eq!(expiry.next_ms(), Some(100_000 + 50_000 / 16));
        assert!(!expiry.handle_time(100_001));
        assert!(expiry.handle_time(150_000));
        assert_eq!(expiry.next_ms(), None);
        let mut hostile = Expiry::new(vec![period(1, ANN, u64::MAX)], u64::MAX);
        assert!(hostile.handle_time(u64::MAX - 1));
    }
}
