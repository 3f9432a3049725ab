//! The bodies of entries: what a client may send, checked once at the border.
//!
//! The log never looks inside a body. Kinds this build doesn't know can't be
//! sent through it, but are stored and passed on when they come from a newer
//! node.

mod group;
mod text;

use bytes::Bytes;
use prost::Message;

use crate::errors::Code;
use crate::limits;
use crate::wire::{
    ConversationChanged, Delete, Edit, EntryKind, GroupCreated, HistoryErased, MemberLeft,
    MemberRemoved, MemberUnbanned, MembersAdded, Mention, Pin, Reaction, RoleChanged, Text,
};

/// A body that may become an entry: of a known kind, well formed, within limits.
#[derive(Clone, PartialEq)]
pub struct ValidatedBody {
    kind: EntryKind,
    content: Content,
    bytes: Bytes,
}

/// What a body says, as far as the server has to know. Ids and numbers in it
/// are well formed; whether they mean anything is the conversation's to say.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// A message; its words stay in the bytes.
    Text {
        /// Seq of the message it answers; 0 for none.
        reply_to: u64,
        /// Whom it names.
        mentions: Vec<Mention>,
    },
    /// The seq of the message that gets another text.
    Edit(u64),
    /// A message is deleted for all.
    Delete(Delete),
    /// Somebody reacts to a message.
    Reaction(Reaction),
    /// A message is pinned.
    Pin(Pin),
    /// A group begins.
    GroupCreated(GroupCreated),
    /// Info or settings change.
    ConversationChanged(ConversationChanged),
    /// People come in.
    MembersAdded(MembersAdded),
    /// Somebody is put out.
    MemberRemoved(MemberRemoved),
    /// Somebody may come in again.
    MemberUnbanned(MemberUnbanned),
    /// The sender goes.
    MemberLeft,
    /// Somebody may do more, or less.
    RoleChanged(RoleChanged),
    /// The sender came by a link. The server writes the body.
    MemberJoined,
    /// The beginning is erased.
    HistoryErased(HistoryErased),
}

// What people write stays out of debug output, and so out of logs.
impl std::fmt::Debug for ValidatedBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ValidatedBody")
            .field("kind", &self.kind)
            .field("bytes", &self.bytes.len())
            .finish()
    }
}

impl ValidatedBody {
    /// Checks `bytes` as the body of an entry of `kind`, with at most
    /// `text_chars` characters of text.
    ///
    /// # Errors
    /// [`Code::BodyTooLarge`], [`Code::KindInvalid`], [`Code::TextEmpty`],
    /// [`Code::TextTooLong`], or [`Code::BadRequest`] for a field that can't be.
    pub fn new(kind: u32, bytes: Bytes, text_chars: u32) -> Result<Self, Code> {
        if bytes.len() > limits::BODY_BYTES {
            return Err(Code::BodyTooLarge);
        }
        let kind = i32::try_from(kind)
            .ok()
            .and_then(|kind| EntryKind::try_from(kind).ok())
            .ok_or(Code::KindInvalid)?;
        let content = content(kind, bytes.clone(), text_chars)?;
        Ok(Self { kind, content, bytes })
    }

    /// What the bytes hold.
    #[must_use]
    pub const fn kind(&self) -> EntryKind {
        self.kind
    }

    /// What they say.
    #[must_use]
    pub const fn content(&self) -> &Content {
        &self.content
    }

    /// The encoded body, as the client sent it.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

/// Whether entries of this kind count as messages: they move the ordinal, and
/// with it the unread counts. Kinds this build doesn't know don't.
#[must_use]
pub const fn is_countable(kind: u32) -> bool {
    kind == EntryKind::Text as u32
}

fn content(kind: EntryKind, bytes: Bytes, text_chars: u32) -> Result<Content, Code> {
    match kind {
        EntryKind::Unspecified => Err(Code::KindInvalid),
        EntryKind::Text => {
            let body: Text = decode(bytes)?;
            text::check(&body.text, &body.mentions, text_chars)?;
            Ok(Content::Text { reply_to: body.reply_to, mentions: body.mentions })
        }
        EntryKind::Edit => {
            let body: Edit = decode(bytes)?;
            text::check(&body.text, &body.mentions, text_chars)?;
            target(body.seq).map(Content::Edit)
        }
        EntryKind::Delete => {
            let body: Delete = decode(bytes)?;
            target(body.seq)?;
            Ok(Content::Delete(body))
        }
        EntryKind::Reaction => {
            let body: Reaction = decode(bytes)?;
            target(body.seq)?;
            let fits = (1..=limits::EMOJI_BYTES).contains(&body.emoji.len())
                && !body.emoji.chars().any(char::is_control);
            if fits { Ok(Content::Reaction(body)) } else { Err(Code::BadRequest) }
        }
        EntryKind::Pin => {
            let body: Pin = decode(bytes)?;
            target(body.seq)?;
            Ok(Content::Pin(body))
        }
        EntryKind::GroupCreated => {
            let body: GroupCreated = decode(bytes)?;
            group::check_created(&body)?;
            Ok(Content::GroupCreated(body))
        }
        EntryKind::ConversationChanged => {
            let body: ConversationChanged = decode(bytes)?;
            group::check_changed(&body)?;
            Ok(Content::ConversationChanged(body))
        }
        EntryKind::MembersAdded => {
            let body: MembersAdded = decode(bytes)?;
            group::check_users(&body.users)?;
            if body.users.is_empty() {
                return Err(Code::BadRequest);
            }
            Ok(Content::MembersAdded(body))
        }
        EntryKind::MemberRemoved => {
            let body: MemberRemoved = decode(bytes)?;
            group::check_users(std::slice::from_ref(&body.user))?;
            Ok(Content::MemberRemoved(body))
        }
        EntryKind::MemberUnbanned => {
            let body: MemberUnbanned = decode(bytes)?;
            group::check_users(std::slice::from_ref(&body.user))?;
            Ok(Content::MemberUnbanned(body))
        }
        EntryKind::MemberLeft => decode::<MemberLeft>(bytes).map(|_| Content::MemberLeft),
        EntryKind::RoleChanged => {
            let body: RoleChanged = decode(bytes)?;
            group::check_users(std::slice::from_ref(&body.user))?;
            group::check_role(body.role)?;
            Ok(Content::RoleChanged(body))
        }
        EntryKind::MemberJoined if bytes.is_empty() => Ok(Content::MemberJoined),
        EntryKind::MemberJoined => Err(Code::KindInvalid),
        EntryKind::HistoryErased => {
            let body: HistoryErased = decode(bytes)?;
            target(body.up_to)?;
            Ok(Content::HistoryErased(body))
        }
    }
}

fn decode<M: Message + Default>(bytes: Bytes) -> Result<M, Code> {
    M::decode(bytes).map_err(|_| Code::KindInvalid)
}

fn target(seq: u64) -> Result<u64, Code> {
    if seq == 0 { Err(Code::BadRequest) } else { Ok(seq) }
}

#[cfg(test)]
mod tests;
