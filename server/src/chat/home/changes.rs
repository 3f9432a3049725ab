//! Reading the feed: what changed since a position.

use std::collections::{HashMap, HashSet};

use parley_core::conversation::{self, Membership, Position};
use parley_core::session::notice;
use parley_core::user::{Audience, FeedEntry, Standing};
use parley_protocol::wire::{self, Changes, server_envelope::Kind};
use parley_protocol::{ConversationId, Message as _, SessionId, UserId, limits};
use rustc_hash::FxHashMap;

use super::Homes;
use super::unread::Unread;
use crate::base::work;
use crate::chat::link::Item;
use crate::people::Person;
use crate::storage::store::{FeedRow, Place, PreferencesRow, StoreError, state};

impl Homes {
    /// The user's feed position: the highest version given out.
    ///
    /// Reads the store once per session; after that it is in memory. Blocks.
    ///
    /// # Errors
    /// [`StoreError`] when the store can't be read.
    pub fn position(&self, user: UserId) -> Result<u64, StoreError> {
        if let Some(known) = self.known_position(user) {
            return Ok(known);
        }
        let stored = self.store.feed_position(self.count.of_user(user), user)?;
        let mut home = self.lock(user);
        // Only kept while a session makes use of it.
        match home.users.get_mut(&user) {
            Some(state) => Ok(*state.position.insert(state.position.unwrap_or(0).max(stored))),
            None => Ok(stored),
        }
    }

    /// The position, if it is in memory. Never blocks.
    #[must_use]
    pub fn known_position(&self, user: UserId) -> Option<u64> {
        self.lock(user).users.get(&user).and_then(|user| user.position)
    }

    /// What changed after `since`, at most about `limit` conversations, oldest
    /// change first. A position from somewhere else, above anything given out
    /// here, starts from the beginning. What `person`, the user, asks of
    /// strangers decides which are requests. Blocks.
    ///
    /// # Errors
    /// [`StoreError`] when the store can't be read.
    pub fn changes(
        &self,
        user: UserId,
        since: u64,
        limit: usize,
        person: Option<&Person>,
    ) -> Result<Changes, StoreError> {
        let shard = self.count.of_user(user);
        let position = self.position(user)?;
        let since = if since > position { 0 } else { since };
        // Memory first, then the store: a change that is flushed in between is
        // seen twice, never not at all, and merging twice changes nothing.
        let changed: FxHashMap<ConversationId, FeedEntry> =
            self.lock(user).users.get(&user).map(|user| user.changed.clone()).unwrap_or_default();
        let page = self.store.feed_after(shard, user, since, limit)?;
        let mut merged: HashMap<ConversationId, FeedEntry> =
            page.rows.iter().map(|(conversation, row)| (*conversation, entry(row))).collect();
        for (conversation, change) in changed {
            let base = match merged.get(&conversation) {
                Some(stored) => *stored,
                None => self
                    .store
                    .feed_row_or_anew(shard, user, conversation)?
                    .as_ref()
                    .map(entry)
                    .unwrap_or_default(),
            };
            let mut now = base;
            now.merge(&change);
            merged.insert(conversation, now);
        }
        // Past a cut page only the store knows what comes next.
        let complete_to = if page.more { page.position } else { position };
        let mut changed: Vec<_> = merged
            .into_iter()
            .filter(|(_, entry)| entry.version > since && entry.version <= complete_to)
            .collect();
        changed.sort_unstable_by_key(|(_, entry)| entry.version);
        let mut entries = Vec::new();
        let mut bytes = 0;
        let mut last = since;
        let begun = work::noted();
        let whole = changed.len();
        for (conversation, entry) in changed.into_iter().take(limit) {
            let shown = match self.on_wire(user, conversation, entry, person) {
                // What belongs to it can't be read; all others are told of.
                Err(error) if error.is_damage() => bare(conversation, &entry),
                shown => shown?,
            };
            bytes += shown.encoded_len();
            // What is counted for a conversation may be much, and others make it.
            let worked = work::noted().wrapping_sub(begun) > PAGE_ROWS;
            if (bytes > limits::CHANGES_BYTES || worked) && !entries.is_empty() {
                break;
            }
            last = entry.version;
            entries.push(shown);
        }
        if entries.len() < whole {
            return Ok(Changes { entries, feed_position: last, more: true });
        }
        Ok(Changes { entries, feed_position: complete_to, more: page.more })
    }

    /// One conversation as it stands for the user now. Blocks.
    ///
    /// # Errors
    /// [`StoreError`] when the store can't be read.
    pub fn feed_entry(
        &self,
        user: UserId,
        conversation: ConversationId,
        person: Option<&Person>,
    ) -> Result<wire::FeedEntry, StoreError> {
        let entry = self.merged(user, conversation)?;
        self.on_wire(user, conversation, entry, person)
    }

    /// Whether the conversation is in the user's feed: whether they are or were in
    /// it. Costs the same for one they never were in, whether or not it exists.
    /// Blocks.
    ///
    /// # Errors
    /// [`StoreError`] when the store can't be read.
    pub fn holds(&self, user: UserId, id: ConversationId) -> Result<bool, StoreError> {
        // Memory first: a change that is flushed in between is seen twice.
        let changed = {
            let home = self.lock(user);
            home.users.get(&user).is_some_and(|user| user.changed.contains_key(&id))
        };
        let shard = self.count.of_user(user);
        Ok(changed || self.store.feed_row_or_anew(shard, user, id)?.is_some())
    }

    /// How many 1:1 conversations wait for an answer of the user, counted to `most`:
    /// others wrote, and the user neither wrote nor accepted it. Blocks.
    ///
    /// # Errors
    /// [`StoreError`] when the store can't be read.
    pub fn unanswered(&self, user: UserId, most: usize) -> Result<usize, StoreError> {
        let shard = self.count.of_user(user);
        // Memory first: a change that is flushed in between is seen twice.
        let changed: FxHashMap<ConversationId, FeedEntry> =
            self.lock(user).users.get(&user).map(|user| user.changed.clone()).unwrap_or_default();
        let stored = self.store.feed_unanswered(shard, user, UNANSWERED_ROWS)?;
        let mut waiting: HashSet<_> = stored.into_iter().collect();
        for (id, change) in changed {
            if change.sent_seq > 0 {
                waiting.remove(&id);
            } else if change.direct {
                waiting.insert(id);
            }
        }
        // Only who has very many is looked at more closely.
        if waiting.len() < most {
            return Ok(waiting.len());
        }
        let mut count = 0;
        for id in waiting {
            let own = self.store.preferences(shard, user, id)?;
            // In memory there may be only what changed since an answer.
            let accepted = own.is_some_and(|row| row.accepted);
            if !accepted && self.merged(user, id)?.sent_seq == 0 {
                count += 1;
            }
            if count >= most {
                break;
            }
        }
        Ok(count)
    }

    /// A conversation's place in the user's feed, memory over store.
    pub(super) fn merged(&self, user: UserId, id: ConversationId) -> Result<FeedEntry, StoreError> {
        // Memory first: a change that is flushed in between is seen twice.
        let changed = {
            let home = self.lock(user);
            home.users.get(&user).and_then(|user| user.changed.get(&id).copied())
        };
        let stored = self.store.feed_row_or_anew(self.count.of_user(user), user, id)?;
        let mut now = stored.as_ref().map(entry).unwrap_or_default();
        now.merge(&changed.unwrap_or_default());
        Ok(now)
    }

    /// Tells the user's sessions but `except` how a conversation is now: `shown`, as
    /// [`Homes::feed_entry`] returned it, under a new version. Returns the feed
    /// position after that; `None`, and nobody is told, when the conversation
    /// changed since, unless they are to be told `anyway`.
    ///
    /// The version is taken and queued in one step, so that no session is told of
    /// a later one before it.
    pub fn announce(
        &self,
        user: UserId,
        id: ConversationId,
        shown: wire::FeedEntry,
        except: Option<SessionId>,
        anyway: bool,
    ) -> Option<u64> {
        let mut home = self.lock(user);
        let changed = home.users.get(&user).and_then(|user| user.changed.get(&id));
        if changed.is_some_and(|now| now.version > shown.version) && !anyway {
            return None;
        }
        let others: Vec<_> =
            home.sessions(user).iter().filter(|link| Some(link.id) != except).cloned().collect();
        if others.is_empty() {
            return Some(shown.version);
        }
        let feed_position = self.change(&mut home, user, id, FeedEntry::default());
        let entries = vec![wire::FeedEntry { version: feed_position, ..shown }];
        let notice = notice(Kind::Changes(Changes { entries, feed_position, more: false }));
        for link in others {
            link.push(Item::Notice(notice.clone()));
        }
        Some(feed_position)
    }

    /// What is kept elsewhere joins what the feed knows: the delivered cursor,
    /// which moves with every message and is no change of the feed, what was
    /// deleted, who was mentioned, what the user set.
    fn on_wire(
        &self,
        user: UserId,
        id: ConversationId,
        entry: FeedEntry,
        person: Option<&Person>,
    ) -> Result<wire::FeedEntry, StoreError> {
        let (store, place) = (&self.store, Place::of(self.count, id));
        let cursor = store.cursor(place, user)?.unwrap_or_default();
        let erased = store.retention(place)?.unwrap_or_default();
        // What is erased is not unread.
        let floor = entry.floor_ordinal.max(erased.ordinal.min(entry.last_ordinal));
        let entry = FeedEntry { floor_ordinal: floor, ..entry };
        let Unread { floor, messages: unread, mentions } = self.unread(user, place, &entry)?;
        let entry = FeedEntry { floor_ordinal: floor, ..entry };
        let own = store.preferences(self.count.of_user(user), user, id)?;
        let accepted = own.as_ref().is_some_and(|row| row.accepted);
        let hidden = own.as_ref().map_or(0, |row| row.hidden);
        let request = match person {
            Some(person) if !accepted => self.is_request(person, id, &entry)?,
            _ => false,
        };
        Ok(wire::FeedEntry {
            conversation: id.to_wire(),
            version: entry.version,
            last_seq: entry.last_seq,
            unread,
            read: entry.read_seq,
            last_time_ms: entry.last_time_ms,
            delivered: cursor.delivered,
            last_ordinal: entry.last_ordinal,
            floor_ordinal: entry.floor_ordinal,
            mentions,
            preferences: own.map(preferences),
            hidden,
            request,
            last_message_ms: entry.message_ms,
        })
    }

    /// Whether a stranger began it. Only who asks strangers to wait has the
    /// conversation looked up, and only while they said nothing in it.
    fn is_request(
        &self,
        person: &Person,
        id: ConversationId,
        entry: &FeedEntry,
    ) -> Result<bool, StoreError> {
        if person.privacy.settings.messages == Audience::Everyone || entry.sent_seq > 0 {
            return Ok(false);
        }
        let row = self.store.conversation(Place::of(self.count, id))?;
        let peer = row.and_then(|row| state::to_state(&row).peer(person.user()));
        Ok(peer.is_some_and(|peer| person.privacy.has_request_of(peer, Standing::Pending)))
    }
}

/// Rows read for one page of the feed, about; what is left is the next page.
const PAGE_ROWS: u64 = 20_000;

/// Rows of a feed that are looked at for what waits for an answer.
const UNANSWERED_ROWS: usize = 20_000;

/// A conversation of which no more can be read than that it is there.
fn bare(id: ConversationId, entry: &FeedEntry) -> wire::FeedEntry {
    wire::FeedEntry {
        conversation: id.to_wire(),
        version: entry.version,
        last_seq: entry.last_seq,
        read: entry.read_seq,
        last_time_ms: entry.last_time_ms,
        last_ordinal: entry.last_ordinal,
        floor_ordinal: entry.last_ordinal,
        last_message_ms: entry.message_ms,
        ..wire::FeedEntry::default()
    }
}

fn preferences(row: PreferencesRow) -> wire::Preferences {
    wire::Preferences {
        muted_until_ms: row.muted_until_ms,
        archived: row.archived,
        pinned: row.pinned,
        marked_unread: row.marked_unread,
        level: row.level,
        draft: row.draft,
        draft_reply_to: row.draft_reply_to,
        cleared_up_to: row.cleared_up_to,
        accepted: row.accepted,
    }
}

/// A stored row as the rules see it.
pub(super) fn entry(row: &FeedRow) -> FeedEntry {
    FeedEntry {
        version: row.version,
        last_seq: row.last_seq,
        last_ordinal: row.last_ordinal,
        last_time_ms: row.last_time_ms,
        read_seq: row.read,
        floor_ordinal: row.floor_ordinal,
        sent_seq: row.sent_seq,
        revision: row.revision,
        message_seq: row.message_seq,
        message_ms: row.message_ms,
        direct: row.direct,
    }
}

/// What an entry changes in the feed of somebody who sees it. Of a message it is
/// said whether it is their own.
pub(crate) fn change_of(
    member: &Membership,
    stamped: Position,
    kind: conversation::Kind,
    message: Option<bool>,
) -> FeedEntry {
    let own_message = message == Some(true);
    // What is older than their joining never counts as unread, nor what is
    // older than their own last message.
    let joined = member.joined_seq == stamped.seq;
    let floor_ordinal = if own_message {
        stamped.ordinal
    } else if joined {
        member.joined_ordinal
    } else {
        0
    };
    let newest = message.is_some() || joined;
    FeedEntry {
        last_seq: stamped.seq,
        last_ordinal: stamped.ordinal,
        last_time_ms: stamped.time_ms,
        floor_ordinal,
        sent_seq: if own_message { stamped.seq } else { 0 },
        message_seq: if newest { stamped.seq } else { 0 },
        message_ms: if newest { stamped.time_ms } else { 0 },
        direct: kind == conversation::Kind::Direct,
        ..FeedEntry::default()
    }
}
