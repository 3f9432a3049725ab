//! Entries as the application sees them.

use std::sync::Arc;

use bytes::Bytes;
use parley_protocol::ids::{ConversationId, UserId};
use parley_protocol::wire;
use prost::Message as _;

use crate::machine::Page;
use crate::model::{Description, Entry, HistoryPage, Message, UnknownEntry, User};

/// What an entry says; one whose body can't be read is passed on as it came.
pub(crate) fn entry(
    conversation: ConversationId,
    entry: wire::Entry,
    sender: User,
    own: bool,
) -> Entry {
    let wire::Entry { seq, time_ms, kind, body, .. } = entry;
    match text(kind, &body) {
        Some(text) => Entry::Message(Message { conversation, seq, sender, text, time_ms, own }),
        None => Entry::Unknown(UnknownEntry { conversation, seq, sender, kind, body, time_ms }),
    }
}

/// A page with the names of its authors.
pub(crate) fn page(
    conversation: ConversationId,
    page: Page,
    description: &Description,
) -> HistoryPage {
    let name = |id: UserId| {
        let member = description.members.iter().find(|member| member.user.id == id);
        member.map_or_else(
            || User { id, name: Arc::from(id.to_string()) },
            |member| member.user.clone(),
        )
    };
    let entries = page.entries.into_iter().map(|raw| {
        let sender = UserId::from_slice(&raw.sender).unwrap_or(UserId::new([0; 16]));
        entry(conversation, raw, name(sender), Some(sender) == page.me)
    });
    HistoryPage {
        entries: entries.collect(),
        at_start: page.at_start,
        at_end: page.at_end,
        last_seq: page.last_seq,
        from_cache: false,
    }
}

fn text(kind: u32, body: &Bytes) -> Option<Arc<str>> {
    if kind != wire::EntryKind::Text as u32 {
        return None;
    }
    wire::Text::decode(body.clone()).ok().map(|body| Arc::from(body.text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_kinds_and_broken_bodies_are_passed_on() {
        let sender = || User { id: UserId::new([1; 16]), name: "ann".into() };
        let make = |kind, body: &'static [u8]| wire::Entry {
            seq: 3,
            kind,
            body: Bytes::from_static(body),
            ..wire::Entry::default()
        };
        let id = ConversationId::new([2; 16]);
        let text = entry(id, make(1, b"\x0a\x02hi"), sender(), false);
        assert_eq!(text.message().map(|message| &*message.text), Some("hi"));
        for odd in [make(77, b"\x0a\x02hi"), make(1, b"\xff\xff")] {
            let entry = entry(id, odd, sender(), false);
            assert!(entry.message().is_none());
            assert_eq!(entry.seq(), 3);
        }
    }
}
