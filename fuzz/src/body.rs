//! Bodies of entries. A body that is taken is within every limit; what it is
//! refused for is true of it.

use bytes::Bytes;
use parley_protocol::body::{Content, ValidatedBody, is_countable};
use parley_protocol::wire::{Edit, EntryKind, GroupCreated, Mention, Text};
use parley_protocol::{Code, Message, limits};

/// First byte: the kind. Second: how many characters are allowed. The rest is
/// the body.
pub fn body(data: &[u8]) {
    let [kind, most, body @ ..] = data else { return };
    let (number, most) = (u32::from(*kind), u32::from(*most));
    let kind = EntryKind::try_from(i32::from(*kind)).ok();
    let words = match kind {
        Some(EntryKind::Text) => Text::decode(body).ok().map(|text| (text.text, text.mentions)),
        Some(EntryKind::Edit) => Edit::decode(body).ok().map(|edit| (edit.text, edit.mentions)),
        _ => None,
    };
    let chars = words.as_ref().map(|(text, _)| text.chars().count());
    match ValidatedBody::new(number, Bytes::copy_from_slice(body), most) {
        Ok(taken) => {
            assert_eq!(Some(taken.kind()), kind);
            assert_eq!(taken.bytes(), body);
            assert_eq!(is_countable(number), kind == Some(EntryKind::Text));
            if let Some((_, mentions)) = words {
                assert!((1..=most as usize).contains(&chars.unwrap_or(0)));
                within(&mentions, chars.unwrap_or(0) as u64);
            }
            names_something(taken.content());
        }
        Err(Code::TextEmpty) => assert_eq!(chars, Some(0)),
        Err(Code::TextTooLong) => assert!(chars > Some(most as usize)),
        Err(Code::KindInvalid) => assert!(words.is_none(), "{kind:?}"),
        Err(Code::BodyTooLarge) => assert!(body.len() > limits::BODY_BYTES),
        Err(Code::BadRequest) => assert!(kind.is_some_and(|kind| kind != EntryKind::Unspecified)),
        Err(other) => panic!("refused with {other}"),
    }
}

/// Mentions lie in the text, one after the other.
fn within(mentions: &[Mention], chars: u64) {
    assert!(mentions.len() <= limits::MENTIONS);
    let mut end = 0;
    for mention in mentions {
        let start = u64::from(mention.start);
        assert!(start >= end && mention.length > 0 && mention.who.is_some());
        end = start + u64::from(mention.length);
        assert!(end <= chars);
    }
}

/// Nothing refers to seq 0, and no list holds somebody twice.
fn names_something(content: &Content) {
    match content {
        Content::Edit(seq) => assert!(*seq > 0),
        Content::Delete(delete) => assert!(delete.seq > 0),
        Content::Reaction(reaction) => {
            assert!(reaction.seq > 0 && (1..=limits::EMOJI_BYTES).contains(&reaction.emoji.len()));
        }
        Content::Pin(pin) => assert!(pin.seq > 0),
        Content::HistoryErased(erased) => assert!(erased.up_to > 0),
        Content::GroupCreated(GroupCreated { info, members, .. }) => {
            let title = info.as_ref().map_or(0, |info| info.title.chars().count());
            assert!((1..=limits::TITLE_CHARS).contains(&title));
            once(members);
        }
        Content::MembersAdded(added) => {
            assert!(!added.users.is_empty());
            once(&added.users);
        }
        Content::MemberRemoved(removed) => assert_eq!(removed.user.len(), 16),
        Content::MemberUnbanned(unbanned) => assert_eq!(unbanned.user.len(), 16),
        Content::RoleChanged(changed) => {
            assert!(changed.user.len() == 16 && (1..=3).contains(&changed.role));
        }
        Content::Text { .. }
        | Content::ConversationChanged(_)
        | Content::MemberLeft
        | Content::MemberJoined => {}
    }
}

fn once(users: &[Bytes]) {
    let mut seen = std::collections::HashSet::new();
    assert!(users.iter().all(|user| user.len() == 16 && seen.insert(user)));
}
