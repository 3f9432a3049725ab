//! Who is called what: users come with ids, people want names.
//!
//! Shared by whatever makes reports. Bounded: when it is full it is emptied,
//! and names are learnt again when needed. Where a name can't be learnt the id
//! stands for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use parley_client::{Client, ConversationId, Description, User, UserId};

/// Names remembered.
const NAMES: usize = 10_000;

/// The names learnt so far. Cheap to clone; the clones are one.
#[derive(Clone, Default)]
pub(crate) struct Names(Arc<Mutex<HashMap<UserId, Arc<str>>>>);

impl Names {
    pub(crate) fn learn(&self, user: &User) {
        if is_nameless(user) {
            return;
        }
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= NAMES {
            names.clear();
        }
        names.insert(user.id, Arc::clone(&user.name));
    }

    pub(crate) fn learn_members(&self, description: &Description) {
        description.members.iter().for_each(|member| self.learn(&member.user));
    }

    /// The name, or the id.
    pub(crate) fn of(&self, user: UserId) -> String {
        self.known(user).map_or_else(|| user.to_string(), |name| name.to_string())
    }

    /// The name of a user as it came, or what is known of them.
    pub(crate) fn of_user(&self, user: &User) -> String {
        if is_nameless(user) { self.of(user.id) } else { user.name.to_string() }
    }

    /// As [`Names::of`], but asks the server who is in the conversation first.
    pub(crate) async fn ask(
        &self,
        client: &Client,
        conversation: ConversationId,
        user: UserId,
    ) -> String {
        if self.known(user).is_none()
            && let Ok(description) = client.describe(conversation).await
        {
            self.learn_members(&description);
        }
        self.of(user)
    }

    /// The id of the user of this name, if it was learnt.
    pub(crate) fn id_of(&self, name: &str) -> Option<UserId> {
        let names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        names.iter().find(|(_, known)| &***known == name).map(|(id, _)| *id)
    }

    fn known(&self, user: UserId) -> Option<Arc<str>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&user).cloned()
    }
}

/// The SDK calls whom it has no name of by the id; no name is as long.
fn is_nameless(user: &User) -> bool {
    user.name.is_empty() || (user.name.len() > 32 && *user.name == *user.id.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_user_is_called_by_the_id_and_the_memory_is_bounded() {
        let names = Names::default();
        let user = |n: u32| {
            let mut id = [0; 16];
            id[..4].copy_from_slice(&n.to_be_bytes());
            User { id: UserId::new(id), name: "ben".into() }
        };
        assert_eq!(names.of(user(1).id), user(1).id.to_string());
        names.learn(&user(1));
        assert_eq!(names.clone().of(user(1).id), "ben");
        assert_eq!((names.id_of("ben"), names.id_of("cat")), (Some(user(1).id), None));
        names.learn(&User { name: "".into(), ..user(1) });
        assert_eq!(names.of(user(1).id), "ben");
        (0..=u32::try_from(NAMES).unwrap()).for_each(|n| names.learn(&user(n)));
        assert!(names.0.lock().unwrap().len() <= NAMES);
    }
}
