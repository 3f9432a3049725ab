//! Home: per user, the feed and the live sessions.
//!
//! Fan-out says what changed; the home gives the change a feed version, keeps
//! it in memory until the next flush, and pushes it to the user's sessions, all
//! under one lock, so that versions reach each session in order. Reading the
//! feed merges what is in memory over what is stored. The flush runs beside
//! the commit thread and needs no sync: what a crash forgets is rebuilt from
//! the outbox.

mod changes;
mod flush;
mod rebuild;
mod shed;
mod standing;
mod telling;
mod unread;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use metrics::Counter;
use parking_lot::{Mutex, MutexGuard};
use parley_core::session::notice;
use parley_core::shard::placement::ShardCount;
use parley_core::user::{FeedEntry, FeedVersions};
use parley_protocol::wire::{Receipt, ServerEnvelope, server_envelope::Kind};
use parley_protocol::{Code, ConversationId, DeviceId, SessionId, ShardId, UserId};
use rustc_hash::FxHashMap;

use crate::base::metrics::list as metric;
use crate::base::slots::Slots;
use crate::base::worker::Nudge;
use crate::chat::link::{Item, Link, Opener, Shed};
use crate::storage::store::Store;
pub(crate) use changes::change_of;
pub use telling::Telling;

/// Bounds of the homes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Sessions of one user at a time. Above it a new one is refused.
    pub sessions_per_user: usize,
    /// Feed changes in memory before a flush is asked for; at four times as
    /// many the commit thread flushes itself before it goes on.
    pub dirty_entries: usize,
}

/// The homes of all users of this node.
pub struct Homes {
    options: Options,
    count: ShardCount,
    store: Store,
    shards: Slots<Mutex<Shard>>,
    dirty: AtomicUsize,
    flushing: Mutex<flush::Marks>,
    /// Held by the flush at work.
    pass: Mutex<()>,
    /// Wakes the thread that flushes early.
    nudge: Nudge,
    /// Registered once: looking a counter up by name costs more than counting.
    deliveries: Counter,
    receipts_shed: Counter,
}

/// The users whose home shard this is, as far as anything about them is in memory.
struct Shard {
    versions: FeedVersions,
    users: FxHashMap<UserId, User>,
}

#[derive(Default)]
struct User {
    /// Changes since the last flush; merged over the stored rows they are the truth.
    changed: FxHashMap<ConversationId, FeedEntry>,
    /// The highest version given out, once it is known.
    position: Option<u64>,
    sessions: Vec<Arc<Link>>,
}

/// An entry on its way to the members' sessions.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    /// The conversation it was committed to.
    pub conversation: ConversationId,
    /// Its position in the conversation.
    pub seq: u64,
    /// The encoded entry.
    pub entry: &'a Bytes,
    /// The session that sent it; it is answered, not delivered to.
    pub origin: SessionId,
}

/// What became of a notice of little worth, over a user's sessions.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Offered {
    /// Sessions it was queued for.
    pub taken: u64,
    /// Sessions it was not queued for, as too much waited there.
    pub dropped: u64,
}

impl Homes {
    /// Homes over `store`, whose changes since the last flush are rebuilt by
    /// [`Homes::rebuild`] before any session is attached.
    #[must_use]
    pub fn new(options: Options, count: ShardCount, store: Store) -> Self {
        let start = store.facts().boots;
        let shards = Slots::new(usize::from(count.get()), || {
            Mutex::new(Shard { versions: FeedVersions::new(start), users: FxHashMap::default() })
        });
        Self {
            options,
            count,
            store,
            shards,
            dirty: AtomicUsize::new(0),
            flushing: Mutex::default(),
            pass: Mutex::default(),
            nudge: Nudge::new(),
            deliveries: metric::deliveries(),
            receipts_shed: metric::shed("receipt"),
        }
    }

    /// A new entry for a member: changes the feed and delivers it to all the
    /// member's sessions but its origin, by pushing with `push`. Returns the feed
    /// position after it.
    pub fn handle_entry(
        &self,
        user: UserId,
        change: FeedEntry,
        delivery: &Delivery<'_>,
        mut push: impl FnMut(&Arc<Link>, Item),
    ) -> u64 {
        let mut home = self.lock(user);
        let feed_position = self.change(&mut home, user, delivery.conversation, change);
        for link in home.sessions(user).iter().filter(|link| link.id != delivery.origin) {
            self.deliveries.increment(1);
            let deliver = Item::Deliver {
                conversation: delivery.conversation,
                feed_position,
                seq: delivery.seq,
                entry: delivery.entry.clone(),
            };
            push(link, deliver);
        }
        feed_position
    }

    /// The user read something: changes the feed. Returns the position after it.
    pub fn handle_read(
        &self,
        user: UserId,
        conversation: ConversationId,
        change: FeedEntry,
    ) -> u64 {
        let mut home = self.lock(user);
        self.change(&mut home, user, conversation, change)
    }

    /// Tells the user's sessions that want to know, all but `except`, by pushing
    /// with `push`. What is said of others is left out where too much waits for
    /// it; it can be asked.
    pub fn handle_receipt(
        &self,
        user: UserId,
        receipt: &Receipt,
        except: Option<SessionId>,
        mut push: impl FnMut(&Arc<Link>, Item),
    ) {
        let home = self.lock(user);
        let wanting = |link: &&Arc<Link>| link.receipts && Some(link.id) != except;
        for link in home.sessions(user).iter().filter(wanting) {
            // One with a feed position is of the user's own reading.
            if receipt.feed_position == 0 && !link.has_room(Shed::Late) {
                self.receipts_shed.increment(1);
            } else {
                push(link, Item::Notice(notice(Kind::Receipt(receipt.clone()))));
            }
        }
    }

    /// Tells all the user's sessions but `except`.
    pub fn notify(&self, user: UserId, notice: &ServerEnvelope, except: Option<SessionId>) {
        let home = self.lock(user);
        for link in home.sessions(user).iter().filter(|link| Some(link.id) != except) {
            link.push(Item::Notice(notice.clone()));
        }
    }

    /// Offers a notice of little worth to all the user's sessions.
    pub fn offer(&self, user: UserId, notice: &ServerEnvelope, shed: Shed) -> Offered {
        let home = self.lock(user);
        let mut offered = Offered::default();
        for link in home.sessions(user) {
            if link.offer(notice.clone(), shed) {
                offered.taken += 1;
            } else {
                offered.dropped += 1;
            }
        }
        offered
    }

    /// From here on the session is delivered to.
    ///
    /// # Errors
    /// [`Code::TooManyConnections`] when the user has as many as they may.
    pub fn attach(&self, link: &Arc<Link>) -> Result<(), Code> {
        let mut home = self.lock(link.user);
        let user = home.users.entry(link.user).or_default();
        if user.sessions.len() >= self.options.sessions_per_user {
            return Err(Code::TooManyConnections);
        }
        user.sessions.push(Arc::clone(link));
        metric::sessions().increment(1.0);
        Ok(())
    }

    /// The session is over: nothing more is delivered to it.
    pub fn detach(&self, link: &Link) {
        let mut home = self.lock(link.user);
        let Some(user) = home.users.get_mut(&link.user) else { return };
        let before = user.sessions.len();
        user.sessions.retain(|other| other.id != link.id);
        if user.sessions.len() < before {
            metric::sessions().decrement(1.0);
        }
        home.forget(link.user);
    }

    /// Whether the user has a live session.
    #[must_use]
    pub fn is_there(&self, user: UserId) -> bool {
        !self.lock(user).sessions(user).is_empty()
    }

    /// Whether the session is still live.
    #[must_use]
    pub fn is_attached(&self, link: &Link) -> bool {
        let home = self.lock(link.user);
        home.sessions(link.user).iter().any(|other| other.id == link.id)
    }

    /// Every live session.
    #[must_use]
    pub fn sessions(&self) -> Vec<Arc<Link>> {
        let of_shard = |shard: &Mutex<Shard>| -> Vec<_> {
            shard.lock().users.values().flat_map(|user| user.sessions.clone()).collect()
        };
        self.shards.iter().flat_map(of_shard).collect()
    }

    fn lock(&self, user: UserId) -> MutexGuard<'_, Shard> {
        self.lock_shard(self.count.of_user(user))
    }

    fn lock_shard(&self, shard: ShardId) -> MutexGuard<'_, Shard> {
        self.shards.slot(shard.0.into()).lock()
    }

    /// Merges a change under a new version.
    ///
    /// # Panics
    /// When the version is not above the one before: a device that has that one
    /// would never be told of this change.
    fn change(
        &self,
        home: &mut Shard,
        user: UserId,
        conversation: ConversationId,
        change: FeedEntry,
    ) -> u64 {
        let version = home.versions.next();
        let state = home.users.entry(user).or_default();
        state.position = Some(version);
        let entry = state.changed.entry(conversation).or_insert_with(|| {
            if self.dirty.fetch_add(1, Ordering::Relaxed) >= self.options.dirty_entries {
                self.nudge.wake();
            }
            FeedEntry::default()
        });
        assert!(entry.version < version, "feed version {version} after {}", entry.version);
        entry.merge(&FeedEntry { version, ..change });
        version
    }
}

impl Shard {
    /// The user's live sessions.
    fn sessions(&self, user: UserId) -> &[Arc<Link>] {
        self.users.get(&user).map_or(&[], |user| &user.sessions)
    }

    /// Drops what is known of a user nobody needs it for.
    fn forget(&mut self, user: UserId) {
        if self
            .users
            .get(&user)
            .is_some_and(|user| user.sessions.is_empty() && user.changed.is_empty())
        {
            self.users.remove(&user);
        }
    }
}

impl crate::chat::receipts::ReceiptSink for Homes {
    fn send_receipt(&self, reader: UserId, receipt: &Receipt) {
        self.handle_receipt(reader, receipt, None, |link, item| link.push(item));
    }
}

impl Homes {
    /// Closes the device's sessions with `code`. Returns at once.
    pub fn cut(&self, user: UserId, device: DeviceId, code: Code) {
        let home = self.lock(user);
        for link in home.sessions(user).iter().filter(|link| link.device == device) {
            link.end(code);
        }
    }

    /// Closes the user's sessions that were opened with one of these credentials.
    /// Returns at once.
    pub fn cut_opened_by(&self, user: UserId, credentials: &[[u8; 32]], code: Code) {
        let home = self.lock(user);
        for link in home.sessions(user) {
            if link.opener().is_some_and(|opener| credentials.contains(&opener.credential)) {
                link.end(code);
            }
        }
    }

    /// Closes all the user's sessions but those that `kept` opened, which go on
    /// under the credential that took its place. One of these that came from
    /// elsewhere than `kept` asks from is told to open anew: whoever has no more
    /// than a copy of the old credential can't. Returns at once.
    pub fn cut_others(&self, user: UserId, kept: &Opener, renewed: [u8; 32], code: Code) {
        let home = self.lock(user);
        for link in home.sessions(user) {
            match link.opener() {
                Some(opener) if opener == *kept => link.renew(renewed),
                Some(opener) if opener.credential == kept.credential => {
                    link.end(Code::TokenReplaced);
                }
                Some(_) | None => link.end(code),
            }
        }
    }

    /// How many sessions the device has open.
    #[must_use]
    pub fn open_sessions(&self, user: UserId, device: DeviceId) -> u32 {
        let home = self.lock(user);
        let open = home.sessions(user).iter().filter(|link| link.device == device).count();
        u32::try_from(open).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests;
