//! What is unread: the feed's count, moved on by the entries that follow it.
//!
//! The server counts; the device only carries its number on until the next word
//! of the feed, so that a list is right at once. Where it can't be sure (a
//! deletion may be counted already, a cursor may stand amid the unread) it keeps
//! its guess, marks it stale, and the feed is asked.

use parley_protocol::ids::UserId;
use parley_protocol::{body, wire};

use crate::model::{Entry, What};

/// What is unread in a conversation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Messages not read.
    pub unread: u64,
    /// Those that mention the user.
    pub mentions: u64,
    /// Up to which seq is counted.
    pub up_to: u64,
    /// Messages up to that one; a lower bound.
    pub ordinal: u64,
    /// Messages up to the furthest of read, own last message, joining; a lower bound.
    pub floor: u64,
    /// Version of the feed entry it comes from.
    pub version: u64,
    /// It may be wrong until the feed speaks again.
    pub stale: bool,
}

impl Count {
    pub(crate) fn new(up_to: u64) -> Self {
        Self { up_to, ..Self::default() }
    }

    /// Takes the feed's word, unless it is older than our own.
    pub(crate) fn handle_feed(&mut self, entry: &wire::FeedEntry) {
        self.version = self.version.max(entry.version);
        self.floor = self.floor.max(entry.floor_ordinal);
        self.ordinal = self.ordinal.max(entry.last_ordinal);
        if entry.last_seq >= self.up_to {
            self.up_to = entry.last_seq;
            self.unread = entry.unread;
            self.mentions = u64::from(entry.mentions);
            self.stale = false;
        }
    }

    /// Takes the next entry. Returns whether that makes the count stale.
    pub(crate) fn handle_taken(
        &mut self,
        entry: &wire::Entry,
        read: &Entry,
        me: Option<UserId>,
        own: bool,
    ) -> bool {
        self.ordinal = self.ordinal.max(entry.ordinal);
        if entry.seq <= self.up_to {
            return false;
        }
        self.up_to = entry.seq;
        match read {
            // Who answers has read.
            Entry::Message(_) if own => self.all_read(),
            Entry::Message(message) => {
                self.unread = self.unread.saturating_add(1);
                self.mentions = self.mentions.saturating_add(u64::from(message.mentions_me));
            }
            Entry::Deletion(deletion) if deletion.target_ordinal > self.floor => {
                self.unread = self.unread.saturating_sub(1);
                return self.mark_stale();
            }
            Entry::Change(change) if matches!(change.what, What::Erased { .. }) => {
                return self.mark_stale();
            }
            // Coming into a group is a floor of its own.
            Entry::Change(change) if brings_in(&change.what, own, me) => self.all_read(),
            // Erased by its age, or newer than this build: it may count.
            Entry::Erased(_) | Entry::Unknown(_) if body::is_countable(entry.kind) => {
                return self.mark_stale();
            }
            // Whether it counts, only the server can tell.
            Entry::Damaged(_) => return self.mark_stale(),
            _ => {}
        }
        false
    }

    /// The user's read cursor stands at `up_to`. Returns whether
    /// that makes the count stale.
    pub(crate) fn handle_read(&mut self, up_to: u64) -> bool {
        if up_to >= self.up_to {
            self.all_read();
        }
        self.unread > 0 && self.mark_stale()
    }

    /// Messages grew too old: all that are unread, or perhaps some. Returns whether
    /// that makes the count stale.
    pub(crate) fn handle_expired(&mut self, all: bool) -> bool {
        if all {
            self.unread = 0;
            self.mentions = 0;
        }
        self.unread > 0 && self.mark_stale()
    }

    fn all_read(&mut self) {
        self.unread = 0;
        self.mentions = 0;
        self.floor = self.floor.max(self.ordinal);
    }

    fn mark_stale(&mut self) -> bool {
        self.stale = true;
        true
    }
}

/// Whether somebody comes in by this, and it is `me`.
fn brings_in(what: &What, own: bool, me: Option<UserId>) -> bool {
    match what {
        What::Added(users) => users.iter().any(|user| Some(user.id) == me),
        What::Joined => own,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Reader;
    use crate::model::User;
    use bytes::Bytes;
    use parley_protocol::ConversationId;
    use prost::Message as _;

    const ME: UserId = UserId::new([1; 16]);

    fn take(count: &mut Count, seq: u64, kind: wire::EntryKind, body: Bytes, own: bool) -> bool {
        let kind = kind as u32;
        let entry = wire::Entry { seq, ordinal: seq, kind, body, ..wire::Entry::default() };
        let conversation = ConversationId::new([9; 16]);
        let reader = Reader { conversation, me: Some(ME), name: &User::nameless };
        let read = reader.entry(entry.clone());
        count.handle_taken(&entry, &read, Some(ME), own)
    }

    fn text(count: &mut Count, seq: u64, own: bool, everyone: bool) -> bool {
        let who = Some(wire::mention::Who::Everyone(true));
        let mention = wire::Mention { start: 0, length: 1, who };
        let mentions = if everyone { vec![mention] } else { Vec::new() };
        let text = wire::Text { text: "x".into(), mentions, ..wire::Text::default() };
        take(count, seq, wire::EntryKind::Text, text.encode_to_vec().into(), own)
    }

    fn feed(last_seq: u64, unread: u64, floor_ordinal: u64) -> wire::FeedEntry {
        wire::FeedEntry { last_seq, unread, floor_ordinal, ..wire::FeedEntry::default() }
    }

    #[test]
    fn unread_follows_pushes_feed_own_sends_and_reads() {
        let mut count = Count::default();
        assert!(!text(&mut count, 1, false, false));
        assert!(!text(&mut count, 2, false, true));
        assert_eq!((count.unread, count.mentions), (2, 1));
        // The feed's older word changes nothing, a newer one counts ahead of what is taken.
        count.handle_feed(&feed(1, 1, 0));
        assert_eq!(count.unread, 2);
        count.handle_feed(&feed(4, 4, 0));
        text(&mut count, 3, false, false);
        assert_eq!(count.unread, 4);
        assert!(count.handle_read(2), "amid the unread nobody knows how many are left");
        assert!(!count.handle_read(4));
        text(&mut count, 5, false, true);
        assert!(!text(&mut count, 6, true, false));
        assert_eq!((count.unread, count.mentions), (0, 0));
    }

    #[test]
    fn only_own_messages_are_answers() {
        let mut count = Count::default();
        text(&mut count, 1, false, false);
        let reaction = wire::Reaction { seq: 1, emoji: "x".into(), removed: false };
        let body = reaction.encode_to_vec().into();
        assert!(!take(&mut count, 2, wire::EntryKind::Reaction, body, true));
        assert_eq!(count.unread, 1);
    }

    #[test]
    fn who_comes_back_has_nothing_unread_from_before() {
        let mut count = Count::default();
        text(&mut count, 1, false, true);
        let added = |user: UserId| {
            Bytes::from(wire::MembersAdded { users: vec![user.to_wire()] }.encode_to_vec())
        };
        let other = added(UserId::new([2; 16]));
        assert!(!take(&mut count, 2, wire::EntryKind::MembersAdded, other, false));
        assert_eq!((count.unread, count.mentions), (1, 1));
        assert!(!take(&mut count, 9, wire::EntryKind::MembersAdded, added(ME), false));
        text(&mut count, 10, false, false);
        assert_eq!((count.unread, count.mentions, count.floor), (1, 0, 9));
    }

    #[test]
    fn a_deletion_of_something_unread_is_carried_on_and_stale() {
        let mut count = Count::default();
        count.handle_feed(&feed(3, 2, 1));
        let delete = |ordinal| Bytes::from(wire::Delete { seq: ordinal, ordinal }.encode_to_vec());
        assert!(!take(&mut count, 4, wire::EntryKind::Delete, delete(1), false));
        assert_eq!(count.unread, 2);
        assert!(take(&mut count, 5, wire::EntryKind::Delete, delete(3), false));
        assert!(count.unread == 1 && count.stale);
        count.handle_feed(&feed(5, 1, 1));
        assert!(!count.stale);
    }
}
