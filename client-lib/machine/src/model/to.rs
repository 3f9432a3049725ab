//! Where an action goes, and what that can be said with.

use std::fmt;
use std::sync::Arc;

use parley_protocol::ids::{ConversationId, UserId};

use super::{Conversation, Message, Origin, User};

/// Where an action goes.
#[derive(Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum To {
    /// The 1:1 conversation with the user of this name; looked up when the message leaves.
    Name(String),
    /// The 1:1 conversation with this user.
    User(UserId),
    /// A conversation the sender is a member of.
    Conversation(ConversationId),
    /// A group that this very action makes: [`Action::CreateGroup`](super::Action::CreateGroup).
    NewGroup,
    /// The group that this invite code leads to: [`Action::Join`](super::Action::Join).
    Invite(String),
}

// Names and invite codes stay out of debug output, and so out of logs.
impl fmt::Debug for To {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(_) => f.write_str("Name"),
            Self::User(user) => f.debug_tuple("User").field(user).finish(),
            Self::Conversation(id) => f.debug_tuple("Conversation").field(id).finish(),
            Self::NewGroup => f.write_str("NewGroup"),
            Self::Invite(_) => f.write_str("Invite"),
        }
    }
}

/// `To` from what an application has at hand: a name, a user, an entry, a line of
/// the conversation list, an id.
macro_rules! to_from {
    ($($from:ty: |$it:ident| $to:expr;)*) => {
        $(impl From<$from> for To {
            fn from($it: $from) -> Self {
                $to
            }
        })*
    };
}

to_from! {
    &str: |name| Self::Name(name.to_owned());
    String: |name| Self::Name(name);
    &String: |name| Self::Name(name.clone());
    Arc<str>: |name| Self::Name(name.as_ref().to_owned());
    &Arc<str>: |name| Self::Name(name.as_ref().to_owned());
    UserId: |user| Self::User(user);
    &User: |user| Self::User(user.id);
    User: |user| Self::User(user.id);
    ConversationId: |conversation| Self::Conversation(conversation);
    &Conversation: |line| Self::Conversation(line.id);
    &Message: |message| Self::Conversation(message.conversation);
    &Origin: |origin| Self::Conversation(origin.conversation);
    &To: |to| to.clone();
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: UserId = UserId::new([1; 16]);
    const PLACE: ConversationId = ConversationId::new([9; 16]);

    #[test]
    fn a_target_is_made_of_what_is_at_hand() {
        let ann = User { id: ANN, name: "ann".into() };
        let message = Message::plain(PLACE, 1, ann.clone(), "hi", 0, false);
        let named = To::Name("ann".to_owned());
        assert!(To::from(&message.sender.name) == named && To::from("ann") == named);
        assert!(To::from(&"ann".to_owned()) == named && To::from(Arc::clone(&ann.name)) == named);
        assert!(To::from(&ann) == To::User(ANN) && To::from(ANN) == To::User(ANN));
        assert!(To::from(&message) == To::Conversation(PLACE));
        assert!(To::from(PLACE) == To::Conversation(PLACE));
    }
}
