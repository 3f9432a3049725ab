//! People: the names of those known by id, who is online, who writes.
//!
//! Names come with descriptions; an author who left or somebody just added is
//! asked for. What the server doesn't name is called by its id, so that no
//! message waits for ever. All tables are bounded.

use std::collections::HashMap;

use parley_protocol::ids::{ConversationId, UserId};
use parley_protocol::limits;
use parley_protocol::wire::{self, client_envelope::Kind};

use super::connect::Tick;
use super::conversation::Conversation;
use super::inbound::{Malformed, conversation_id, user_id};
use super::{Machine, Output, Page};
use crate::convert;
use crate::history;
use crate::model::{Event, Typing, User};

/// Users whose names are kept, at most.
pub(super) const KNOWN: usize = 4_096;

/// Names asked one by one for one entry; for more, the whole conversation is described.
const ONE_BY_ONE: usize = 4;

/// People who write at the same time, at most.
const TYPING: usize = 1_024;

/// The user's own typing is said again after so long.
const TYPING_AGAIN_MS: u64 = 3_000;

/// The user by id; one whose name is not known is called by the id.
pub(super) fn name(
    conversation: &Conversation,
    known: &HashMap<UserId, User>,
    user: UserId,
) -> User {
    let named = conversation.named(user).or_else(|| known.get(&user));
    named.cloned().unwrap_or_else(|| User::nameless(user))
}

impl Machine {
    /// Whether the names that an entry needs are known, or can't be. Asks for
    /// them when they are not.
    pub(super) fn can_name(&mut self, id: ConversationId, seq: u64, people: &[UserId]) -> bool {
        let Some(conversation) = self.conversations.get_mut(&id) else { return true };
        let unnamed = |user: &&UserId| {
            conversation.named(**user).is_none() && !self.known.contains_key(*user)
        };
        let mut missing: Vec<UserId> = people.iter().filter(unnamed).copied().collect();
        missing.sort_unstable();
        missing.dedup();
        if missing.is_empty() {
            return true;
        }
        if conversation.naming == seq {
            // Asked already: waits for what is on its way, and for nothing else.
            let coming = missing.iter().any(|user| self.asking_names.contains(user));
            return !coming && !conversation.describe_again && !conversation.describing;
        }
        conversation.naming = seq;
        if missing.len() > ONE_BY_ONE {
            conversation.describe_again = true;
            return false;
        }
        let asked: Vec<UserId> =
            missing.into_iter().filter(|user| !self.nameless.contains(user)).collect();
        for user in &asked {
            if self.asking_names.insert(*user) {
                self.wanted_people.insert(*user);
            }
        }
        if !asked.is_empty() {
            self.naming.insert(id);
        }
        asked.is_empty()
    }

    /// A name came, or can't be had.
    pub(super) fn handle_name(&mut self, user: UserId, found: Option<User>) {
        self.asking_names.remove(&user);
        match found {
            Some(found) => self.know(found),
            None => {
                if self.nameless.len() >= KNOWN {
                    self.nameless.clear();
                }
                self.nameless.insert(user);
            }
        }
        for id in std::mem::take(&mut self.naming) {
            self.advance(id);
            let waits = self.conversations.get(&id).is_some_and(|it| it.log.peek().is_some());
            if waits {
                self.naming.insert(id);
            }
        }
    }

    pub(super) fn know(&mut self, user: User) {
        if self.known.len() >= KNOWN {
            self.known.clear();
        }
        self.known.insert(user.id, user);
    }

    /// The names of a page's people, as far as they are known.
    #[must_use]
    pub fn names(&self, conversation: ConversationId, page: &Page) -> Vec<User> {
        self.names_in(conversation, page.entries.iter().chain(&page.related))
    }

    pub(super) fn names_in<'a>(
        &self,
        id: ConversationId,
        entries: impl Iterator<Item = &'a wire::Entry>,
    ) -> Vec<User> {
        let mut people: Vec<UserId> = entries.flat_map(history::people).collect();
        people.sort_unstable();
        people.dedup();
        let conversation = self.conversations.get(&id);
        let named = people.iter().filter_map(|user| {
            conversation.and_then(|it| it.named(*user)).or_else(|| self.known.get(user)).cloned()
        });
        named.collect()
    }

    /// Those of these users who are known from anywhere; from now on they are
    /// known by themselves.
    pub(super) fn find_users(&mut self, ids: &[UserId]) -> Vec<User> {
        let own = self.account.as_ref().map(|account| &account.user);
        let find = |id: &UserId| {
            let met = || self.conversations.values().find_map(|it| it.named(*id));
            let own = own.filter(|own| own.id == *id);
            own.or_else(|| self.known.get(id)).or_else(met).cloned()
        };
        let found: Vec<User> = ids.iter().filter_map(find).collect();
        for user in &found {
            self.know(user.clone());
        }
        found
    }

    /// The user by id; called by the id when the name is not known.
    pub(super) fn user(&self, id: UserId) -> User {
        let own = self.account.as_ref().map(|account| &account.user).filter(|own| own.id == id);
        own.or_else(|| self.known.get(&id)).cloned().unwrap_or_else(|| User::nameless(id))
    }

    /// What was on its way to be named is asked again in the next session.
    pub(super) fn forget_asked_names(&mut self) {
        self.wanted_people = self.asking_names.iter().copied().collect();
        self.nameless.clear();
    }

    pub(super) fn next_name(&mut self) -> Option<UserId> {
        self.wanted_people.pop_first()
    }

    pub(super) fn handle_profile(&mut self, profile: &wire::Profile) -> Result<(), Malformed> {
        let profile = convert::profile(profile).map_err(|_| Malformed)?;
        if !profile.deleted {
            self.know(profile.user.clone());
        }
        self.outputs.push_back(Output::Emit(Event::Profile(profile)));
        Ok(())
    }

    pub(super) fn handle_presence(&mut self, presence: &wire::Presence) -> Result<(), Malformed> {
        let user = self.user(user_id(&presence.user)?);
        let presence = convert::presence(presence, user);
        self.outputs.push_back(Output::Emit(Event::Presence(presence)));
        Ok(())
    }

    /// Follows a subscription, to renew it in every session. False when it
    /// would be of more users than a session may watch.
    pub(super) fn watch(&mut self, subscribe: &wire::Subscribe) -> bool {
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

    /// The user writes in a conversation, or stopped. Said at most every three
    /// seconds; without a session it is not said at all.
    pub fn typing(&mut self, tick: Tick, conversation: ConversationId, active: bool) {
        if !self.connect.is_ready() {
            return;
        }
        let said = self.own_typing.get(&conversation).copied();
        let again = said.is_none_or(|at| tick.now_ms >= at.saturating_add(TYPING_AGAIN_MS));
        if active && again {
            if self.own_typing.len() >= TYPING {
                self.own_typing.clear();
            }
            self.own_typing.insert(conversation, tick.now_ms);
            self.say_typing(conversation, false);
        } else if !active && said.is_some() {
            self.own_typing.remove(&conversation);
            self.say_typing(conversation, true);
        }
    }

    fn say_typing(&mut self, conversation: ConversationId, stopped: bool) {
        let typing = wire::Typing { conversation: conversation.to_wire(), stopped };
        // Newer words replace those that have not left.
        self.to_say.retain(|kind| match kind {
            Kind::Typing(other) => other.conversation != typing.conversation,
            _ => true,
        });
        if self.to_say.len() < TYPING {
            self.to_say.push_back(Kind::Typing(typing));
        }
    }

    pub(super) fn handle_typed(
        &mut self,
        tick: Tick,
        typed: &wire::Typed,
    ) -> Result<(), Malformed> {
        let id = conversation_id(&typed.conversation)?;
        let user = user_id(&typed.user)?;
        if Some(user) == self.me() || !self.conversations.contains_key(&id) {
            return Ok(());
        }
        if typed.stopped {
            self.handle_stopped_typing(id, user);
            return Ok(());
        }
        let lasts_ms = u64::from(typed.expires_ms).clamp(500, 60_000);
        let known = self.typing.contains_key(&(id, user));
        if known || self.typing.len() < TYPING {
            self.typing.insert((id, user), tick.now_ms.saturating_add(lasts_ms));
            if !known {
                self.say_typed(id, user, true);
            }
        }
        Ok(())
    }

    /// They stopped, or sent what they wrote.
    pub(super) fn handle_stopped_typing(&mut self, id: ConversationId, user: UserId) {
        if self.typing.remove(&(id, user)).is_some() {
            self.say_typed(id, user, false);
        }
    }

    /// When the first of those who write counts as stopped.
    pub(super) fn typing_deadline(&self) -> Option<u64> {
        self.typing.values().min().copied()
    }

    pub(super) fn expire_typing(&mut self, now_ms: u64) {
        let over = |until: &u64| *until <= now_ms;
        let stopped: Vec<(ConversationId, UserId)> =
            self.typing.iter().filter(|(_, until)| over(until)).map(|(key, _)| *key).collect();
        for (id, user) in stopped {
            self.handle_stopped_typing(id, user);
        }
    }

    fn say_typed(&mut self, id: ConversationId, user: UserId, active: bool) {
        let user = match self.conversations.get(&id) {
            Some(conversation) => name(conversation, &self.known, user),
            None => self.user(user),
        };
        let typing = Typing { conversation: id, user, active };
        self.outputs.push_back(Output::Emit(Event::Typing(typing)));
    }
}

#[cfg(test)]
#[path = "people_tests.rs"]
mod tests;
