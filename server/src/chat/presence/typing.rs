//! Who writes: told to the other members at once, and kept nowhere.
//!
//! Of what one user says in one conversation, at most one word in
//! [`THROTTLE_MS`] is passed on, whatever the number of their devices and
//! connections; "stopped" only after something that was passed on. What isn't
//! passed on is dropped: it expires by itself.

use std::collections::HashMap;
use std::sync::Arc;

use metrics::Counter;
use parking_lot::Mutex;
use parley_core::conversation::{Conversation, Kind};
use parley_core::session::notice;
use parley_protocol::wire::{Typed, server_envelope};
use parley_protocol::{Code, ConversationId, UserId, limits};

use crate::base::clock::Monotonic;
use crate::base::metrics::list as metric;
use crate::chat::home::Homes;
use crate::chat::link::Shed;
use crate::chat::reading::takes_part;
use crate::chat::shard::{Asker, Pair, Shards};
use crate::people::People;

/// The least time between two words that are passed on.
const THROTTLE_MS: u64 = 2_000;

/// Members of the largest group in which it is told who writes.
const MEMBERS: usize = 1_000;

/// Who writes where at a time, as far as it is remembered; beyond it more is
/// dropped.
const WRITING: usize = 100_000;

/// Passes on who writes.
pub struct Typing {
    shards: Shards,
    homes: Arc<Homes>,
    people: People,
    clock: Monotonic,
    throttle: Mutex<Throttle>,
    passed: Counter,
    shed: Counter,
}

/// Who else is there.
enum Others {
    Peer(Option<Pair>),
    Members(Vec<UserId>),
}

impl Typing {
    /// Nobody writes yet.
    #[must_use]
    pub fn new(shards: Shards, homes: Arc<Homes>, people: People, clock: Monotonic) -> Self {
        let (passed, shed) = (metric::typing(), metric::shed("typing"));
        let throttle = Mutex::new(Throttle::new(WRITING));
        Self { shards, homes, people, clock, throttle, passed, shed }
    }

    /// `user` writes in the conversation, or stopped. Gives what the others are
    /// told, whether or not they are. Cancel safe.
    ///
    /// # Errors
    /// [`Code::NotFound`] for whoever never was a member, [`Code::Forbidden`]
    /// for whoever may not send there, [`Code::Internal`] when the store can't
    /// be read.
    pub async fn handle(
        &self,
        user: UserId,
        conversation: ConversationId,
        stopped: bool,
    ) -> Result<Typed, Code> {
        let asker = Asker::User(user);
        let others = self.shards.with(asker, conversation, |found, _| others(found, user)).await;
        let others = others.map_err(|error| error.code())?.ok_or(Code::NotFound)??;
        let typed = Typed {
            conversation: conversation.to_wire(),
            user: user.to_wire(),
            stopped,
            expires_ms: if stopped { 0 } else { limits::TYPING_MS },
        };
        if !self.throttle.lock().passes((user, conversation), stopped, self.clock.now_ms()) {
            return Ok(typed);
        }
        if self.shards.log().is_strained() {
            self.shed.increment(1);
            return Ok(typed);
        }
        for other in self.listeners(user, conversation, others).await {
            let notice = notice(server_envelope::Kind::Typed(typed.clone()));
            let offered = self.homes.offer(other, &notice, Shed::Early);
            self.passed.increment(offered.taken);
            self.shed.increment(offered.dropped);
        }
        Ok(typed)
    }

    /// Those of the others who may know.
    async fn listeners(&self, user: UserId, id: ConversationId, others: Others) -> Vec<UserId> {
        match others {
            Others::Peer(None) => Vec::new(),
            Others::Peer(Some(pair)) => {
                // What can't be read is not told.
                let shows = self.shows(user, id, pair).await.unwrap_or(false);
                if shows { vec![pair.peer] } else { Vec::new() }
            }
            Others::Members(mut members) => {
                let Ok(person) = self.people.person(user).await else { return Vec::new() };
                if !person.privacy.settings.typing {
                    return Vec::new();
                }
                members.retain(|member| !person.privacy.hides_activity_from(*member));
                members
            }
        }
    }
}

impl Typing {
    /// Whether the other one of a 1:1 may know.
    async fn shows(&self, user: UserId, id: ConversationId, pair: Pair) -> Result<bool, Code> {
        let Self { shards, people, .. } = self;
        let Pair { peer, own, peers } = pair;
        let own = takes_part(shards, people, id, (user, peer), own).await?;
        let peers = takes_part(shards, people, id, (peer, user), peers).await?;
        let shows = people.shows_typing(user, peer, (own, peers)).await;
        shows.map_err(|error| error.code())
    }
}

/// Who else is in it now, if `user` may send.
fn others(conversation: &Conversation, user: UserId) -> Result<Others, Code> {
    let state = conversation.state();
    let member = state.member(user).filter(|_| conversation.is_begun()).ok_or(Code::NotFound)?;
    if !member.is_active() || (state.kind == Kind::Group && member.role < state.settings.send) {
        return Err(Code::Forbidden);
    }
    if state.kind == Kind::Direct {
        return Ok(Others::Peer(Pair::of(conversation, user)));
    }
    let mut members: Vec<_> = state.actives().map(|member| member.user).collect();
    if members.len() > MEMBERS {
        members.clear();
    }
    members.retain(|member| *member != user);
    Ok(Others::Members(members))
}

type Writer = (UserId, ConversationId);

/// What was passed on lately.
struct Throttle {
    most: usize,
    /// When somebody was last said to write, and whether that stands.
    last: HashMap<Writer, (u64, bool)>,
    /// Memory is looked through when this many are remembered.
    prune_at: usize,
}

impl Throttle {
    fn new(most: usize) -> Self {
        Self { most, last: HashMap::new(), prune_at: 1_000.min(most) }
    }

    fn passes(&mut self, writer: Writer, stopped: bool, now_ms: u64) -> bool {
        if let Some((at_ms, stands)) = self.last.get_mut(&writer) {
            if stopped {
                return std::mem::replace(stands, false);
            }
            let passes = now_ms >= at_ms.saturating_add(THROTTLE_MS);
            if passes {
                (*at_ms, *stands) = (now_ms, true);
            }
            return passes;
        }
        if stopped || !self.has_room(now_ms) {
            return false;
        }
        self.last.insert(writer, (now_ms, true));
        true
    }

    /// Forgets whose words have expired, now and then.
    fn has_room(&mut self, now_ms: u64) -> bool {
        if self.last.len() >= self.prune_at {
            let kept_ms = u64::from(limits::TYPING_MS);
            self.last.retain(|_, (at_ms, _)| now_ms < at_ms.saturating_add(kept_ms));
            self.prune_at = (self.last.len() * 2).clamp(1_000.min(self.most), self.most);
        }
        self.last.len() < self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer(n: u16) -> Writer {
        let [high, low] = n.to_be_bytes();
        let id = [high, low, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        (UserId::new(id), ConversationId::new([1; 16]))
    }

    #[test]
    fn a_word_in_two_seconds_and_one_end_for_each() {
        let mut throttle = Throttle::new(10);
        assert!(!throttle.passes(writer(1), true, 0), "nothing to stop");
        assert!(throttle.passes(writer(1), false, 0));
        assert!(!throttle.passes(writer(1), false, 1_999));
        assert!(throttle.passes(writer(2), false, 1_999), "others are not held back");
        assert!(throttle.passes(writer(1), true, 1_999));
        assert!(!throttle.passes(writer(1), true, 1_999));
        assert!(throttle.passes(writer(1), false, 2_000));
    }

    #[test]
    fn what_is_remembered_is_bounded_and_room_comes_back() {
        let mut throttle = Throttle::new(10);
        assert!((0..10).all(|n| throttle.passes(writer(n), false, 0)));
        assert!(!throttle.passes(writer(10), false, 5_999));
        assert!(throttle.passes(writer(10), false, 6_000));
        assert_eq!(throttle.last.len(), 1);
    }
}
