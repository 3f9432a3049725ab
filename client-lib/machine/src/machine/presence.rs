//! Who is watched, who types, and the notices: what the user lets others know
//! without an answer. All tables are bounded.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use parley_protocol::ids::{ConversationId, UserId};
use parley_protocol::limits;
use parley_protocol::wire::{self, client_envelope::Kind};

/// People who type at the same time, at most.
const TYPING: usize = 1_024;

/// The user's own typing is said again after so long.
const TYPING_AGAIN_MS: u64 = 3_000;

#[derive(Debug, Default)]
pub(crate) struct Presence {
    /// Whose presence the application watches; renewed in every session.
    watched: BTreeSet<UserId>,
    watch_at_ms: Option<u64>,
    /// Who types, until when.
    typing: BTreeMap<(ConversationId, UserId), u64>,
    /// When the user's own typing was last said.
    own_typing: HashMap<ConversationId, u64>,
    /// One-way messages that have not left: no answer comes to them.
    notices: VecDeque<Kind>,
}

impl Presence {
    /// Follows a subscription, to renew it in every session. Returns false when
    /// it would be of more users than a session may watch.
    pub(crate) fn watch(&mut self, subscribe: &wire::Subscribe) -> bool {
        let ids = |list: &[bytes::Bytes]| -> Vec<UserId> {
            list.iter().filter_map(|id| UserId::from_slice(id).ok()).collect()
        };
        let mut watched = self.watched.clone();
        for user in ids(&subscribe.drop) {
            watched.remove(&user);
        }
        watched.extend(ids(&subscribe.users));
        let fits = watched.len() <= limits::SUBSCRIPTIONS;
        if fits {
            self.watched = watched;
        }
        fits
    }

    /// A session begins: what is watched is to be subscribed to in it.
    pub(crate) fn begin_session(&mut self, now_ms: u64) {
        self.watch_at_ms = (!self.watched.is_empty()).then_some(now_ms);
    }

    /// Whom to subscribe to, when that is due. It counts as made.
    pub(crate) fn take_watch(&mut self, now_ms: u64) -> Option<wire::Subscribe> {
        self.watch_at_ms.filter(|at| *at <= now_ms)?;
        self.watch_at_ms = None;
        let users = self.watched.iter().map(|user| user.to_wire()).collect();
        Some(wire::Subscribe { users, ..wire::Subscribe::default() })
    }

    /// The subscription was refused for now; again at that moment.
    pub(crate) const fn retry_watch(&mut self, at_ms: u64) {
        self.watch_at_ms = Some(at_ms);
    }

    /// When the subscription is due, if it is not due already.
    pub(crate) fn watch_deadline(&self, now_ms: u64) -> Option<u64> {
        self.watch_at_ms.filter(|at| *at > now_ms)
    }

    /// The user types in a conversation, or stopped. Said at most every three seconds.
    pub(crate) fn set_typing(&mut self, now_ms: u64, conversation: ConversationId, active: bool) {
        let said = self.own_typing.get(&conversation).copied();
        let again = said.is_none_or(|at| now_ms >= at.saturating_add(TYPING_AGAIN_MS));
        if active && again {
            if self.own_typing.len() >= TYPING {
                self.own_typing.clear();
            }
            self.own_typing.insert(conversation, now_ms);
            self.notify_typing(conversation, false);
        } else if !active && said.is_some() {
            self.own_typing.remove(&conversation);
            self.notify_typing(conversation, true);
        }
    }

    fn notify_typing(&mut self, conversation: ConversationId, stopped: bool) {
        let typing = wire::Typing { conversation: conversation.to_wire(), stopped };
        // Newer words replace those that have not left.
        self.notices.retain(|kind| match kind {
            Kind::Typing(other) => other.conversation != typing.conversation,
            _ => true,
        });
        if self.notices.len() < TYPING {
            self.notices.push_back(Kind::Typing(typing));
        }
    }

    /// The next notice to send.
    pub(crate) fn next_notice(&mut self) -> Option<Kind> {
        self.notices.pop_front()
    }

    /// Somebody types, for so long unless they say so again. Returns whether
    /// that is news.
    pub(crate) fn handle_typing(
        &mut self,
        now_ms: u64,
        conversation: ConversationId,
        user: UserId,
        expires_ms: u32,
    ) -> bool {
        let lasts_ms = u64::from(expires_ms).clamp(500, 60_000);
        let key = (conversation, user);
        let known = self.typing.contains_key(&key);
        let fits = known || self.typing.len() < TYPING;
        if fits {
            self.typing.insert(key, now_ms.saturating_add(lasts_ms));
        }
        fits && !known
    }

    /// They stopped, or sent what they wrote. Returns whether that is news.
    pub(crate) fn stop_typing(&mut self, conversation: ConversationId, user: UserId) -> bool {
        self.typing.remove(&(conversation, user)).is_some()
    }

    /// Those whose time is up: they count as stopped.
    pub(crate) fn expire_typing(&mut self, now_ms: u64) -> Vec<(ConversationId, UserId)> {
        let over = |until: &u64| *until <= now_ms;
        let stopped: Vec<(ConversationId, UserId)> =
            self.typing.iter().filter(|(_, until)| over(until)).map(|(key, _)| *key).collect();
        self.typing.retain(|_, until| !over(until));
        stopped
    }

    /// When the first of those who type counts as stopped.
    pub(crate) fn typing_deadline(&self) -> Option<u64> {
        self.typing.values().min().copied()
    }

    /// People who type, and notices that have not left.
    pub(crate) fn sizes(&self) -> (usize, usize) {
        (self.typing.len(), self.notices.len())
    }

    /// Forgets what belonged to one session. Those who type stop by themselves.
    pub(crate) fn end_session(&mut self) {
        self.watch_at_ms = None;
        self.notices.clear();
        self.own_typing.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: ConversationId = ConversationId::new([9; 16]);
    const BEN: UserId = UserId::new([2; 16]);
    const EVE: UserId = UserId::new([3; 16]);

    fn subscribe(users: &[UserId], drop: &[UserId]) -> wire::Subscribe {
        let ids = |list: &[UserId]| list.iter().map(|user| user.to_wire()).collect();
        wire::Subscribe { users: ids(users), drop: ids(drop), once: false }
    }

    #[test]
    fn who_types_stops_by_word_and_by_time() {
        let mut presence = Presence::default();
        assert!(presence.handle_typing(0, PLACE, BEN, 6_000));
        assert!(!presence.handle_typing(3_000, PLACE, BEN, 6_000), "said again is no news");
        assert_eq!(presence.typing_deadline(), Some(9_000));
        assert!(presence.expire_typing(8_999).is_empty());
        assert_eq!(presence.expire_typing(9_000), vec![(PLACE, BEN)]);
        assert!(!presence.stop_typing(PLACE, BEN));
        presence.handle_typing(9_000, PLACE, EVE, 0);
        assert_eq!(presence.typing_deadline(), Some(9_500), "at least half a second");
        assert!(presence.stop_typing(PLACE, EVE));
    }

    #[test]
    fn only_the_newest_word_about_the_own_typing_leaves() {
        let mut presence = Presence::default();
        presence.set_typing(0, PLACE, true);
        presence.set_typing(2_999, PLACE, true);
        presence.set_typing(3_000, PLACE, false);
        let Some(Kind::Typing(typing)) = presence.next_notice() else { panic!() };
        assert!(typing.stopped);
        assert!(presence.next_notice().is_none());
        presence.set_typing(3_001, PLACE, false);
        assert!(presence.next_notice().is_none(), "the end is said once");
    }

    #[test]
    fn what_is_watched_is_subscribed_to_in_every_session() {
        let mut presence = Presence::default();
        presence.begin_session(0);
        assert!(presence.take_watch(0).is_none(), "nobody is watched");
        assert!(presence.watch(&subscribe(&[BEN, EVE], &[])));
        assert!(presence.watch(&subscribe(&[], &[EVE])));
        presence.begin_session(5);
        assert_eq!(presence.take_watch(5), Some(subscribe(&[BEN], &[])));
        assert!(presence.take_watch(5).is_none());
        presence.retry_watch(1_000);
        assert_eq!((presence.take_watch(999), presence.watch_deadline(999)), (None, Some(1_000)));
        presence.end_session();
        assert!(presence.take_watch(1_000).is_none());
        let many = (0..=limits::SUBSCRIPTIONS as u128).map(|n| UserId::new(n.to_be_bytes()));
        assert!(!presence.watch(&subscribe(&many.collect::<Vec<_>>(), &[])));
    }
}
