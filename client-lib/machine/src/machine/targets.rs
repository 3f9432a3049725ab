//! Where sends go: names become users, users become their 1:1 conversations, as
//! soon as that is known.

use parley_protocol::ids::ConversationId;

use super::{Item, Machine};
use crate::model::{To, User};

impl Machine {
    pub(super) fn push(&mut self, mut item: Item) {
        item.to = self.resolve(item.to);
        if let To::Name(name) = &item.to {
            self.names.want_lookup(name);
        }
        self.outbox.push(item);
    }

    /// The most certain form of a target.
    pub(super) fn resolve(&self, to: To) -> To {
        let to = match to {
            To::Name(name) => match self.names.by_name(&name) {
                Some(user) => To::User(user.id),
                None => To::Name(name),
            },
            other => other,
        };
        match to {
            To::User(user) => match self.conversations.direct(user) {
                Some(conversation) => To::Conversation(conversation),
                None => To::User(user),
            },
            other => other,
        }
    }

    /// Learns which user is behind which 1:1 conversation.
    pub(super) fn learn_peers(&mut self) {
        let Some(me) = self.me() else { return };
        for (id, peer) in self.conversations.peers(me) {
            self.learn_peer(id, peer);
        }
    }

    pub(super) fn learn_peer(&mut self, conversation: ConversationId, peer: User) {
        self.conversations.set_direct(peer.id, conversation);
        self.outbox.merge(&To::User(peer.id), &To::Conversation(conversation));
        self.learn_name(peer);
    }

    pub(super) fn learn_name(&mut self, user: User) {
        let name = To::Name(user.name.to_string());
        let to = self.resolve(To::User(user.id));
        self.outbox.merge(&name, &to);
        self.names.learn_by_name(user);
    }
}
