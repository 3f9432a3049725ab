//! Tells people that there is less in a conversation: what expired or was erased
//! takes its place in counts and pins with it.

use std::sync::Arc;

use parley_protocol::{ConversationId, UserId};

use super::Homes;
use crate::chat::retention::Feeds;
use crate::people::People;

/// How often it is said anew because the conversation changed meanwhile.
const TRIES: usize = 5;

/// Tells the members of a conversation how it stands for them now.
pub struct Telling {
    homes: Arc<Homes>,
    people: People,
}

impl Telling {
    /// By way of these homes.
    #[must_use]
    pub const fn new(homes: Arc<Homes>, people: People) -> Self {
        Self { homes, people }
    }

    fn tell_one(&self, user: UserId, id: ConversationId) {
        // Who is away finds it in the feed.
        self.homes.handle_read(user, id, super::FeedEntry::default());
        if !self.homes.is_there(user) {
            return;
        }
        let person = self.people.person_blocking(user).ok().flatten();
        for attempt in 1..=TRIES {
            match self.homes.feed_entry(user, id, person.as_deref()) {
                Ok(shown) => {
                    let told = self.homes.announce(user, id, shown, None, attempt == TRIES);
                    if told.is_some() {
                        return;
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "somebody could not be told what expired");
                    return;
                }
            }
        }
    }
}

impl Feeds for Telling {
    fn tell(&self, conversation: ConversationId, members: &[UserId]) {
        members.iter().for_each(|user| self.tell_one(*user, conversation));
    }
}
