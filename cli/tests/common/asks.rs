//! Everything a client can ask, as short calls. Ids are taken as they are, so
//! that wrong ones can be asked with too.

use bytes::Bytes;
use parley_protocol::wire::{
    self, ConversationChanged, ConversationSettings, Delete, Edit, EntryKind, Fetch, GroupCreated,
    GroupInfo, HistoryErased, MemberRemoved, MembersAdded, Mention, Pin, Reaction, Role,
    RoleChanged, Send, SetPreferences, Text, UpdateAccount, fetch, invites, mention, send,
    update_account,
};
use parley_protocol::{ConversationId, Message, UserId};

use super::session::Ask;

/// A send of any kind of entry.
pub(crate) fn send(to: send::To, id: &str, kind: EntryKind, body: &impl Message) -> Ask {
    Ask::Send(Send {
        to: Some(to),
        client_message_id: Bytes::copy_from_slice(id.as_bytes()),
        kind: kind as u32,
        body: body.encode_to_vec().into(),
    })
}

/// An entry into a conversation.
pub(crate) fn put(
    conversation: &ConversationId,
    id: &str,
    kind: EntryKind,
    body: &impl Message,
) -> Ask {
    send(send::To::Conversation(conversation.to_wire()), id, kind, body)
}

/// A new group.
pub(crate) fn new_group(
    id: &str,
    title: &str,
    settings: ConversationSettings,
    members: &[UserId],
) -> Ask {
    let info = GroupInfo { title: title.to_owned(), ..GroupInfo::default() };
    let members = members.iter().copied().map(UserId::to_wire).collect();
    let body = GroupCreated { info: Some(info), settings: Some(settings), members };
    send(send::To::NewGroup(true), id, EntryKind::GroupCreated, &body)
}

/// Joins by a link.
pub(crate) fn join(code: &str, id: &str) -> Ask {
    send(
        send::To::Invite(code.to_owned()),
        id,
        EntryKind::MemberJoined,
        &wire::MemberJoined::default(),
    )
}

/// A text that answers and mentions; whom it mentions is named in the text.
pub(crate) fn text(
    conversation: &ConversationId,
    id: &str,
    words: &str,
    reply_to: u64,
    mentions: &[UserId],
) -> Ask {
    put(conversation, id, EntryKind::Text, &mentioning(words, reply_to, mentions))
}

/// The same to a person.
pub(crate) fn text_to(peer: &UserId, id: &str, words: &str) -> Ask {
    send(send::To::Peer(peer.to_wire()), id, EntryKind::Text, &mentioning(words, 0, &[]))
}

fn mentioning(words: &str, reply_to: u64, mentions: &[UserId]) -> Text {
    let names: String = mentions.iter().map(|_| "@").collect();
    let mentions = (0..).zip(mentions).map(|(start, user)| Mention {
        start,
        length: 1,
        who: Some(mention::Who::User(user.to_wire())),
    });
    Text {
        text: format!("{names}{words}"),
        reply_to,
        mentions: mentions.collect(),
        forwarded: false,
    }
}

/// A text to everybody.
pub(crate) fn to_everyone(conversation: &ConversationId, id: &str, words: &str) -> Ask {
    let all = Mention { start: 0, length: 1, who: Some(mention::Who::Everyone(true)) };
    let body = Text { text: format!("@{words}"), mentions: vec![all], ..Text::default() };
    put(conversation, id, EntryKind::Text, &body)
}

pub(crate) fn edit(conversation: &ConversationId, id: &str, seq: u64, words: &str) -> Ask {
    let body = Edit { seq, text: words.to_owned(), mentions: Vec::new() };
    put(conversation, id, EntryKind::Edit, &body)
}

pub(crate) fn delete(conversation: &ConversationId, id: &str, seq: u64, ordinal: u64) -> Ask {
    put(conversation, id, EntryKind::Delete, &Delete { seq, ordinal })
}

pub(crate) fn react(conversation: &ConversationId, id: &str, seq: u64, emoji: &str) -> Ask {
    let body = Reaction { seq, emoji: emoji.to_owned(), removed: false };
    put(conversation, id, EntryKind::Reaction, &body)
}

pub(crate) fn unreact(conversation: &ConversationId, id: &str, seq: u64, emoji: &str) -> Ask {
    let body = Reaction { seq, emoji: emoji.to_owned(), removed: true };
    put(conversation, id, EntryKind::Reaction, &body)
}

pub(crate) fn pin(conversation: &ConversationId, id: &str, seq: u64, removed: bool) -> Ask {
    put(conversation, id, EntryKind::Pin, &Pin { seq, removed })
}

pub(crate) fn add(conversation: &ConversationId, id: &str, users: &[UserId]) -> Ask {
    let users = users.iter().copied().map(UserId::to_wire).collect();
    put(conversation, id, EntryKind::MembersAdded, &MembersAdded { users })
}

pub(crate) fn remove(conversation: &ConversationId, id: &str, user: &UserId) -> Ask {
    put(
        conversation,
        id,
        EntryKind::MemberRemoved,
        &MemberRemoved { user: user.to_wire(), ban: false },
    )
}

pub(crate) fn leave(conversation: &ConversationId, id: &str) -> Ask {
    put(conversation, id, EntryKind::MemberLeft, &wire::MemberLeft {})
}

pub(crate) fn role(conversation: &ConversationId, id: &str, user: &UserId, role: Role) -> Ask {
    let body = RoleChanged { user: user.to_wire(), role: role as i32 };
    put(conversation, id, EntryKind::RoleChanged, &body)
}

pub(crate) fn title(conversation: &ConversationId, id: &str, title: &str) -> Ask {
    let body =
        ConversationChanged { title: Some(title.to_owned()), ..ConversationChanged::default() };
    put(conversation, id, EntryKind::ConversationChanged, &body)
}

pub(crate) fn settings(
    conversation: &ConversationId,
    id: &str,
    settings: ConversationSettings,
) -> Ask {
    let body = ConversationChanged { settings: Some(settings), ..ConversationChanged::default() };
    put(conversation, id, EntryKind::ConversationChanged, &body)
}

pub(crate) fn erase(conversation: &ConversationId, id: &str, up_to: u64) -> Ask {
    put(conversation, id, EntryKind::HistoryErased, &HistoryErased { up_to })
}

pub(crate) fn fetch(conversation: &ConversationId, from: fetch::From, limit: u32) -> Ask {
    Ask::Fetch(Fetch { conversation: conversation.to_wire(), from: Some(from), limit })
}

pub(crate) fn describe(conversation: &ConversationId) -> Ask {
    Ask::Describe(wire::Describe { conversation: conversation.to_wire() })
}

pub(crate) fn receipts(conversation: &ConversationId, seq: u64) -> Ask {
    Ask::Receipts(wire::Receipts { conversation: conversation.to_wire(), seq })
}

pub(crate) fn delivered(conversation: &ConversationId, up_to: u64) -> Ask {
    Ask::Delivered(wire::Delivered { conversation: conversation.to_wire(), up_to })
}

pub(crate) fn read(conversation: &ConversationId, up_to: u64) -> Ask {
    Ask::Read(wire::Read { conversation: conversation.to_wire(), up_to })
}

pub(crate) fn typing(conversation: &ConversationId) -> Ask {
    Ask::Typing(wire::Typing { conversation: conversation.to_wire(), stopped: false })
}

pub(crate) fn subscribe(users: &[UserId], once: bool) -> Ask {
    let users = users.iter().copied().map(UserId::to_wire).collect();
    Ask::Subscribe(wire::Subscribe { users, drop: Vec::new(), once })
}

/// Preferences; `change` fills what is to change.
pub(crate) fn prefer(
    conversation: &ConversationId,
    change: impl FnOnce(&mut SetPreferences),
) -> Ask {
    let mut asked =
        SetPreferences { conversation: conversation.to_wire(), ..SetPreferences::default() };
    change(&mut asked);
    Ask::SetPreferences(asked)
}

pub(crate) fn hide(conversation: &ConversationId, seqs: &[u64]) -> Ask {
    Ask::Hide(wire::Hide { conversation: conversation.to_wire(), seqs: seqs.to_vec() })
}

pub(crate) fn hidden(conversation: &ConversationId, after: u32) -> Ask {
    Ask::Hidden(wire::Hidden { conversation: conversation.to_wire(), after })
}

pub(crate) fn invites(conversation: &ConversationId, act: invites::Act) -> Ask {
    Ask::Invites(wire::Invites { conversation: conversation.to_wire(), act: Some(act) })
}

pub(crate) fn peek(code: &str) -> Ask {
    Ask::PeekInvite(wire::PeekInvite { code: code.to_owned() })
}

pub(crate) fn sync(feed_position: u64) -> Ask {
    Ask::Sync(wire::Sync { feed_position })
}

pub(crate) fn look_up(name: &str) -> Ask {
    Ask::Lookup(wire::Lookup { by: Some(wire::lookup::By::Name(name.to_owned())) })
}

pub(crate) fn look_up_id(user: &UserId) -> Ask {
    Ask::Lookup(wire::Lookup { by: Some(wire::lookup::By::User(user.to_wire())) })
}

pub(crate) fn profile_of(user: &UserId) -> Ask {
    Ask::GetProfile(wire::GetProfile { user: user.to_wire() })
}

pub(crate) fn update(change: update_account::Change) -> Ask {
    Ask::UpdateAccount(UpdateAccount { change: Some(change) })
}

pub(crate) fn block(user: &UserId) -> Ask {
    update(update_account::Change::Block(user.to_wire()))
}

pub(crate) fn unblock(user: &UserId) -> Ask {
    update(update_account::Change::Unblock(user.to_wire()))
}

pub(crate) fn report(user: &UserId, conversation: Option<&ConversationId>, seqs: &[u64]) -> Ask {
    Ask::Report(wire::Report {
        user: user.to_wire(),
        conversation: conversation.copied().map(ConversationId::to_wire).unwrap_or_default(),
        seqs: seqs.to_vec(),
        reason: "spam".to_owned(),
    })
}

/// Puts somebody out for good.
pub(crate) fn ban(conversation: &ConversationId, id: &str, user: &UserId) -> Ask {
    put(
        conversation,
        id,
        EntryKind::MemberRemoved,
        &MemberRemoved { user: user.to_wire(), ban: true },
    )
}

/// Lets somebody come in again.
pub(crate) fn unban(conversation: &ConversationId, id: &str, user: &UserId) -> Ask {
    let body = wire::MemberUnbanned { user: user.to_wire() };
    put(conversation, id, EntryKind::MemberUnbanned, &body)
}
