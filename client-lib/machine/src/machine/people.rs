//! People: the names that entries and pages need, who is online, who types.

use parley_protocol::ids::{ConversationId, UserId};
use parley_protocol::wire;

use super::Machine;
use super::connect::Tick;
use super::inbound::{Malformed, conversation_id, user_id};
use crate::convert;
use crate::history::{self, Page};
use crate::model::{Event, Typing, User};

/// Names asked one by one for one entry; for more, the whole conversation is described.
const ONE_BY_ONE: usize = 4;

impl Machine {
    /// Whether the names that an entry needs are known, or can't be. Asks for
    /// them when they are not.
    pub(super) fn can_name(&mut self, id: ConversationId, seq: u64, people: &[UserId]) -> bool {
        let Some(conversation) = self.conversations.get_mut(id) else { return true };
        let missing = self.names.missing(conversation, people);
        if missing.is_empty() {
            return true;
        }
        if !conversation.start_naming(seq) {
            // Asked already: waits for what is on its way, and for nothing else.
            return !self.names.are_requested(&missing) && !conversation.awaits_description();
        }
        if missing.len() > ONE_BY_ONE {
            conversation.describe_again();
            return false;
        }
        !self.names.request(id, &missing)
    }

    /// A name came, or can't be had.
    pub(super) fn handle_name(&mut self, user: UserId, found: Option<User>) {
        for id in self.names.handle_name(user, found) {
            self.advance(id);
            if self.conversations.get(id).is_some_and(|known| known.peek().is_some()) {
                self.names.wait(id);
            }
        }
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
        let conversation = self.conversations.get(id);
        let named = people.iter().filter_map(|user| {
            conversation.and_then(|it| it.named(*user)).or_else(|| self.names.get(*user)).cloned()
        });
        named.collect()
    }

    /// Those of these users who are known from anywhere; from now on they are
    /// known by themselves.
    pub(super) fn find_users(&mut self, ids: &[UserId]) -> Vec<User> {
        let find = |id: &UserId| {
            let own = self.account.user().filter(|own| own.id == *id);
            let met = || self.conversations.member(*id);
            own.or_else(|| self.names.get(*id)).or_else(met).cloned()
        };
        let found: Vec<User> = ids.iter().filter_map(find).collect();
        for user in &found {
            self.names.learn(user.clone());
        }
        found
    }

    /// The user by id; called by the id when the name is not known.
    pub(super) fn user(&self, id: UserId) -> User {
        let own = self.account.user().filter(|own| own.id == id);
        own.or_else(|| self.names.get(id)).cloned().unwrap_or_else(|| User::nameless(id))
    }

    pub(super) fn handle_profile(&mut self, profile: &wire::Profile) -> Result<(), Malformed> {
        let profile = convert::profile(profile).map_err(|_| Malformed)?;
        if !profile.deleted {
            self.names.learn(profile.user.clone());
        }
        self.outputs.emit(Event::Profile(profile));
        Ok(())
    }

    pub(super) fn handle_presence(&mut self, presence: &wire::Presence) -> Result<(), Malformed> {
        let user = self.user(user_id(&presence.user)?);
        self.outputs.emit(Event::Presence(convert::presence(presence, user)));
        Ok(())
    }

    pub(super) fn handle_typed(
        &mut self,
        tick: Tick,
        typed: &wire::Typed,
    ) -> Result<(), Malformed> {
        let id = conversation_id(&typed.conversation)?;
        let user = user_id(&typed.user)?;
        if Some(user) == self.me() || self.conversations.get(id).is_none() {
            return Ok(());
        }
        if typed.stopped {
            self.handle_stopped_typing(id, user);
        } else if self.presence.handle_typing(tick.now_ms, id, user, typed.expires_ms) {
            self.emit_typing(id, user, true);
        }
        Ok(())
    }

    /// They stopped, or sent what they wrote.
    pub(super) fn handle_stopped_typing(&mut self, id: ConversationId, user: UserId) {
        if self.presence.stop_typing(id, user) {
            self.emit_typing(id, user, false);
        }
    }

    pub(super) fn emit_typing(&mut self, id: ConversationId, user: UserId, active: bool) {
        let user = match self.conversations.get(id) {
            Some(conversation) => self.names.name_in(conversation, user),
            None => self.user(user),
        };
        self.outputs.emit(Event::Typing(Typing { conversation: id, user, active }));
    }
}
