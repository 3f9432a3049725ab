//! Debug output of messages that hold a token or people's words: sizes instead
//! of contents, so that no log, panic or test report of a server shows them.
//!
//! `build.rs` names the messages for which prost is told to derive none.

use std::fmt::{Debug, Formatter, Result};

use prost::Message;

use crate::wire::{
    AccountState, ConversationChanged, Deliver, Described, Edit, Entry, FeedEntry, Fetched,
    GroupCreated, GroupInfo, Hello, InviteLink, InvitePreview, PeekInvite, Preferences, Profile,
    ProfileChange, Reaction, Report, Send, SetPreferences, Text, send,
};

/// Shows of a message its name and its encoded size.
macro_rules! sizes {
    ($($message:ident)*) => {
        $(impl Debug for $message {
            fn fmt(&self, f: &mut Formatter<'_>) -> Result {
                write!(f, concat!(stringify!($message), "({} bytes)"), self.encoded_len())
            }
        })*
    };
}

sizes! {
    AccountState ConversationChanged Edit GroupCreated GroupInfo InviteLink InvitePreview
    PeekInvite Preferences Profile ProfileChange Reaction Report SetPreferences Text
}

impl Debug for Hello {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("Hello")
            .field("version_min", &self.version_min)
            .field("version_max", &self.version_max)
            .field("token_bytes", &self.token.len())
            .field("client_name", &self.client_name)
            .field("client_version", &self.client_version)
            .field("features", &self.features)
            .field("feed_position", &self.feed_position)
            .field("background", &self.background)
            .finish()
    }
}

impl Debug for Send {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("Send")
            .field("to", &self.to)
            .field("client_message_id", &self.client_message_id)
            .field("kind", &self.kind)
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

impl Debug for send::To {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Conversation(id) => f.debug_tuple("Conversation").field(id).finish(),
            Self::Peer(id) => f.debug_tuple("Peer").field(id).finish(),
            Self::NewGroup(yes) => f.debug_tuple("NewGroup").field(yes).finish(),
            // Whoever has the code can join.
            Self::Invite(_) => f.write_str("Invite"),
        }
    }
}

impl Debug for Entry {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("Entry")
            .field("seq", &self.seq)
            .field("ordinal", &self.ordinal)
            .field("time_ms", &self.time_ms)
            .field("epoch", &self.epoch)
            .field("sender", &self.sender)
            .field("kind", &self.kind)
            .field("body_bytes", &self.body.len())
            .field("erased", &self.erased)
            .finish()
    }
}

impl Debug for Deliver {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("Deliver")
            .field("conversation", &self.conversation)
            .field("feed_position", &self.feed_position)
            .field("entries", &self.entries.len())
            .finish()
    }
}

impl Debug for Fetched {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("Fetched")
            .field("conversation", &self.conversation)
            .field("entries", &self.entries.len())
            .field("at_start", &self.at_start)
            .field("at_end", &self.at_end)
            .field("last_seq", &self.last_seq)
            .field("related", &self.related.len())
            .finish()
    }
}

impl Debug for Described {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("Described")
            .field("conversation", &self.conversation)
            .field("kind", &self.kind)
            .field("members", &self.members.len())
            .field("last_seq", &self.last_seq)
            .field("former", &self.former)
            .finish()
    }
}

impl Debug for FeedEntry {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("FeedEntry")
            .field("conversation", &self.conversation)
            .field("version", &self.version)
            .field("last_seq", &self.last_seq)
            .field("unread", &self.unread)
            .field("read", &self.read)
            .field("delivered", &self.delivered)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::ValidatedBody;
    use crate::wire::{self, client_envelope, server_envelope};
    use prost::Message;

    const SECRET: &str = "attack at dawn";

    /// Whether `value` shows the secret, as text or as a list of bytes.
    fn shows(value: &impl Debug) -> bool {
        let shown = format!("{value:?} {value:#?}");
        let bytes = format!("{:?}", SECRET.as_bytes());
        shown.contains(SECRET) || shown.contains(&bytes)
    }

    #[test]
    fn no_token_or_text_shows_in_debug_output() {
        let body = Text { text: SECRET.to_owned(), ..Text::default() }.encode_to_vec();
        let entry = Entry { body: body.clone().into(), ..Entry::default() };
        let entries = vec![entry.encode_to_vec().into()];
        let from_client = [
            client_envelope::Kind::Hello(Hello { token: SECRET.into(), ..Hello::default() }),
            client_envelope::Kind::Send(Send { body: body.clone().into(), ..Send::default() }),
        ];
        for kind in from_client {
            assert!(!shows(&wire::ClientEnvelope { request: 1, kind: Some(kind) }));
        }
        let from_server = [
            server_envelope::Kind::Deliver(Deliver {
                entries: entries.clone(),
                ..Deliver::default()
            }),
            server_envelope::Kind::Fetched(Fetched { entries, ..Fetched::default() }),
        ];
        for kind in from_server {
            assert!(!shows(&wire::ServerEnvelope { request: 1, kind: Some(kind) }));
        }
        assert!(!shows(&entry) && !shows(&Text { text: SECRET.to_owned(), ..Text::default() }));
        assert!(!shows(&ValidatedBody::new(1, body.into(), 100)));
    }

    #[test]
    fn the_test_would_see_it() {
        assert!(shows(&SECRET) && shows(&SECRET.as_bytes()) && shows(&vec![SECRET]));
        assert!(shows(&bytes::Bytes::from_static(SECRET.as_bytes())));
    }
}
