//! From what a body says to what it does: the wire's words become the rules'.

use bytes::Bytes;
use parley_protocol::body::{Content, ValidatedBody};
use parley_protocol::wire::{self, mention::Who as Named};
use parley_protocol::{Code, UserId};

use super::query::user;
use crate::conversation::{Act, Change, Info, Role, Settings};

/// What a stored entry with this kind and body does.
///
/// # Errors
/// The code with which the border refuses such a body, whatever the length of its text.
pub fn act_of(kind: u32, body: Bytes) -> Result<Act, Code> {
    // Of these the server writes the body itself.
    if kind == wire::EntryKind::MemberJoined as u32 {
        return Ok(Act::Change(Change::Joined));
    }
    act(&ValidatedBody::new(kind, body, u32::MAX)?)
}

/// What an entry with this body does.
///
/// # Errors
/// [`Code::BadRequest`] for what the border should have refused.
pub(super) fn act(body: &ValidatedBody) -> Result<Act, Code> {
    Ok(match body.content() {
        Content::Text { reply_to, mentions } => message(*reply_to, mentions)?,
        Content::Edit(seq) => Act::Edit(*seq),
        Content::Delete(delete) => Act::Delete { seq: delete.seq, ordinal: delete.ordinal },
        Content::Reaction(reaction) => Act::React {
            seq: reaction.seq,
            emoji: reaction.emoji.clone(),
            removed: reaction.removed,
        },
        Content::Pin(pin) => Act::Change(Change::Pinned { seq: pin.seq, removed: pin.removed }),
        Content::GroupCreated(created) => Act::Change(Change::Created {
            info: info(created.info.as_ref()),
            settings: created.settings.map(|given| settings(&given)).unwrap_or_default(),
            members: users(&created.members)?,
        }),
        Content::ConversationChanged(changed) => Act::Change(Change::Changed {
            title: changed.title.clone(),
            description: changed.description.clone(),
            picture: changed.picture.clone(),
            settings: changed.settings.map(|given| settings(&given)),
        }),
        Content::MembersAdded(added) => Act::Change(Change::Added(users(&added.users)?)),
        Content::MemberRemoved(removed) if removed.ban => {
            Act::Change(Change::Banned(user(&removed.user)?))
        }
        Content::MemberRemoved(removed) => Act::Change(Change::Removed(user(&removed.user)?)),
        Content::MemberUnbanned(body) => Act::Change(Change::Unbanned(user(&body.user)?)),
        Content::MemberLeft => Act::Change(Change::Left),
        Content::RoleChanged(changed) => {
            let role = match wire::Role::try_from(changed.role) {
                Ok(wire::Role::Owner) => Role::Owner,
                Ok(wire::Role::Admin) => Role::Admin,
                Ok(wire::Role::Member) => Role::Member,
                Ok(wire::Role::Unspecified) | Err(_) => return Err(Code::BadRequest),
            };
            Act::Change(Change::Role(user(&changed.user)?, role))
        }
        Content::MemberJoined => Act::Change(Change::Joined),
        Content::HistoryErased(erased) => Act::Change(Change::Erased(erased.up_to)),
    })
}

fn message(reply_to: u64, mentions: &[wire::Mention]) -> Result<Act, Code> {
    let mut named = Vec::new();
    let mut everyone = false;
    for mention in mentions {
        match &mention.who {
            Some(Named::User(id)) => named.push(user(id)?),
            Some(Named::Everyone(all)) => everyone |= all,
            None => {}
        }
    }
    named.sort_unstable();
    named.dedup();
    let reply_to = (reply_to > 0).then_some(reply_to);
    Ok(Act::Message { reply_to, mentions: named, everyone })
}

fn users(ids: &[Bytes]) -> Result<Vec<UserId>, Code> {
    ids.iter().map(|id| user(id)).collect()
}

fn info(given: Option<&wire::GroupInfo>) -> Info {
    given.map_or_else(Info::default, |given| Info {
        title: given.title.clone(),
        description: given.description.clone(),
        picture: given.picture.clone(),
    })
}

fn settings(given: &wire::ConversationSettings) -> Settings {
    let default = Settings::default();
    let least = |who, otherwise| match wire::Who::try_from(who) {
        Ok(wire::Who::Members) => Role::Member,
        Ok(wire::Who::Admins) => Role::Admin,
        Ok(wire::Who::Unspecified) | Err(_) => otherwise,
    };
    Settings {
        send: least(given.send, default.send),
        add: least(given.add, default.add),
        edit_info: least(given.edit_info, default.edit_info),
        history_for_newcomers: given.history_for_newcomers,
        retention_s: (given.retention_s > 0).then_some(given.retention_s),
    }
}
