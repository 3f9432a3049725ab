//! Users by name and by id.
//!
//! A name that a send or a call is for is looked up. The names of members come
//! with descriptions; an author who left or somebody just added is asked for by
//! id. What the server doesn't name is called by its id, so that no message
//! waits for ever. All tables are bounded.

use std::collections::{BTreeSet, HashMap, HashSet};

use parley_protocol::ids::{ConversationId, UserId};

use super::conversation::Conversation;
use crate::model::User;

/// Users kept by id, and by name, at most.
const KNOWN: usize = 4_096;

#[derive(Debug, Default)]
pub(crate) struct Names {
    by_name: HashMap<String, User>,
    /// Names to look up; those being looked up; and not before when.
    wanted_names: BTreeSet<String>,
    looking_up: HashSet<String>,
    lookup_at_ms: u64,
    by_id: HashMap<UserId, User>,
    /// Ids whose names were asked for and did not come yet; those of them whose
    /// question is still to be made.
    requested: HashSet<UserId>,
    wanted_ids: BTreeSet<UserId>,
    /// Whom the server does not name.
    nameless: HashSet<UserId>,
    /// Conversations whose next entry waits for a name.
    waiting: BTreeSet<ConversationId>,
}

impl Names {
    /// The user of this name, if known.
    pub(crate) fn by_name(&self, name: &str) -> Option<&User> {
        self.by_name.get(name)
    }

    pub(crate) fn learn_by_name(&mut self, user: User) {
        if self.by_name.len() >= KNOWN {
            self.by_name.clear();
        }
        self.by_name.insert(user.name.to_string(), user);
    }

    /// Has a name looked up, unless it is being looked up.
    pub(crate) fn want_lookup(&mut self, name: &str) {
        if !self.looking_up.contains(name) {
            self.wanted_names.insert(name.to_owned());
        }
    }

    /// What a new session has to look up.
    pub(crate) fn set_lookups(&mut self, names: impl Iterator<Item = String>) {
        self.wanted_names = names.collect();
    }

    /// The next name to look up. It counts as asked for.
    pub(crate) fn next_lookup(&mut self, now_ms: u64) -> Option<String> {
        if self.lookup_at_ms > now_ms {
            return None;
        }
        while let Some(name) = self.wanted_names.pop_first() {
            if self.looking_up.insert(name.clone()) {
                return Some(name);
            }
        }
        None
    }

    /// A lookup was answered or refused.
    pub(crate) fn finish_lookup(&mut self, name: &str) {
        self.looking_up.remove(name);
    }

    /// A lookup was refused for now; again at that moment.
    pub(crate) fn retry_lookup(&mut self, name: String, at_ms: u64) {
        self.lookup_at_ms = at_ms;
        self.wanted_names.insert(name);
    }

    /// When lookups may go on, if they wait.
    pub(crate) fn lookup_deadline(&self, now_ms: u64) -> Option<u64> {
        Some(self.lookup_at_ms).filter(|at| *at > now_ms)
    }

    /// The user with this id, if known.
    pub(crate) fn get(&self, id: UserId) -> Option<&User> {
        self.by_id.get(&id)
    }

    pub(crate) fn learn(&mut self, user: User) {
        if self.by_id.len() >= KNOWN {
            self.by_id.clear();
        }
        self.by_id.insert(user.id, user);
    }

    /// The user by id, as a conversation or this table knows them; called by the
    /// id when the name is not known.
    pub(crate) fn name_in(&self, conversation: &Conversation, id: UserId) -> User {
        let named = conversation.named(id).or_else(|| self.get(id));
        named.cloned().unwrap_or_else(|| User::nameless(id))
    }

    /// Those of some people, each once, whom neither a conversation nor this table
    /// can name.
    pub(crate) fn missing(&self, conversation: &Conversation, people: &[UserId]) -> Vec<UserId> {
        let unnamed = |id: &&UserId| conversation.named(**id).is_none() && self.get(**id).is_none();
        let mut missing: Vec<UserId> = people.iter().filter(unnamed).copied().collect();
        missing.sort_unstable();
        missing.dedup();
        missing
    }

    /// Asks for the names of those that the server may name, and has the
    /// conversation wait for them. Returns false when there are none.
    pub(crate) fn request(&mut self, conversation: ConversationId, users: &[UserId]) -> bool {
        let mut requests = false;
        for user in users.iter().filter(|user| !self.nameless.contains(user)) {
            requests = true;
            if self.requested.insert(*user) {
                self.wanted_ids.insert(*user);
            }
        }
        if requests {
            self.waiting.insert(conversation);
        }
        requests
    }

    /// Whether one of these names is still to come.
    pub(crate) fn are_requested(&self, users: &[UserId]) -> bool {
        users.iter().any(|user| self.requested.contains(user))
    }

    /// The next user whose name is to be asked for.
    pub(crate) fn next_request(&mut self) -> Option<UserId> {
        self.wanted_ids.pop_first()
    }

    /// A name came, or can't be had. Returns the conversations that waited for one.
    pub(crate) fn handle_name(
        &mut self,
        user: UserId,
        found: Option<User>,
    ) -> BTreeSet<ConversationId> {
        self.requested.remove(&user);
        match found {
            Some(found) => self.learn(found),
            None => {
                if self.nameless.len() >= KNOWN {
                    self.nameless.clear();
                }
                self.nameless.insert(user);
            }
        }
        std::mem::take(&mut self.waiting)
    }

    /// The next entry of a conversation waits for a name.
    pub(crate) fn wait(&mut self, conversation: ConversationId) {
        self.waiting.insert(conversation);
    }

    /// Users known by id, and those whose names were asked for.
    pub(crate) fn sizes(&self) -> (usize, usize) {
        (self.by_id.len(), self.requested.len())
    }

    /// What was on its way is asked for again in the next session.
    pub(crate) fn end_session(&mut self) {
        self.looking_up.clear();
        self.lookup_at_ms = 0;
        self.wanted_ids = self.requested.iter().copied().collect();
        self.nameless.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: UserId = UserId::new([1; 16]);
    const BEN: UserId = UserId::new([2; 16]);
    const PLACE: ConversationId = ConversationId::new([9; 16]);

    fn user(id: UserId, name: &str) -> User {
        User { id, name: name.into() }
    }

    #[test]
    fn a_name_is_looked_up_once_and_again_after_a_refusal() {
        let mut names = Names::default();
        names.want_lookup("ann");
        assert_eq!(names.next_lookup(0).as_deref(), Some("ann"));
        names.want_lookup("ann");
        assert_eq!(names.next_lookup(0), None, "it is being looked up");
        names.finish_lookup("ann");
        names.retry_lookup("ann".to_owned(), 500);
        assert_eq!((names.next_lookup(499), names.lookup_deadline(499)), (None, Some(500)));
        assert_eq!(names.next_lookup(500).as_deref(), Some("ann"));
        names.learn_by_name(user(ANN, "ann"));
        assert_eq!(names.by_name("ann").map(|user| user.id), Some(ANN));
    }

    #[test]
    fn an_unknown_author_is_asked_for_once_and_one_without_a_name_never_again() {
        let conversation = Conversation::new(PLACE, Some(0));
        let mut names = Names::default();
        names.learn(user(ANN, "ann"));
        let missing = names.missing(&conversation, &[BEN, ANN, BEN]);
        assert_eq!(missing, vec![BEN]);
        assert!(names.request(PLACE, &missing) && names.request(PLACE, &missing));
        assert_eq!((names.next_request(), names.next_request()), (Some(BEN), None));
        assert!(names.are_requested(&missing));
        assert_eq!(names.handle_name(BEN, None), BTreeSet::from([PLACE]));
        assert!(!names.request(PLACE, &missing));
        assert_eq!(&*names.name_in(&conversation, BEN).name, BEN.to_string());
        assert_eq!(&*names.name_in(&conversation, ANN).name, "ann");
    }

    #[test]
    fn what_was_on_its_way_is_asked_for_again_in_the_next_session() {
        let mut names = Names::default();
        names.request(PLACE, &[BEN]);
        assert_eq!(names.next_request(), Some(BEN));
        names.end_session();
        assert_eq!(names.next_request(), Some(BEN));
        assert_eq!(names.handle_name(BEN, Some(user(BEN, "ben"))), BTreeSet::from([PLACE]));
        names.end_session();
        assert_eq!(names.next_request(), None);
    }

    #[test]
    fn the_tables_are_bounded() {
        let mut names = Names::default();
        for n in 0..=KNOWN as u128 {
            let id = UserId::new(n.to_be_bytes());
            names.learn(user(id, "one"));
            names.learn_by_name(user(id, &n.to_string()));
            names.handle_name(id, None);
        }
        assert!(names.by_id.len() <= KNOWN && names.by_name.len() <= KNOWN);
        assert!(names.nameless.len() <= KNOWN);
    }
}
