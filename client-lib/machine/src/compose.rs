//! From an action to what travels: an entry's kind and body, checked.

use bytes::Bytes;
use parley_protocol::ids::UserId;
use parley_protocol::wire::{self, EntryKind, mention};
use parley_protocol::{body, limits};

use crate::convert;
use crate::error::{Error, ErrorKind};
use crate::model::{Action, ConversationChange, Mention, Mentioned, NewGroup, NewMessage, To};

/// The kind and the encoded body of the entry that an action makes.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`] when the action does not go to such a target,
/// [`ErrorKind::Refused`] when no server could take it.
pub fn compose(to: &To, action: Action) -> Result<(u32, Bytes), Error> {
    let makes = matches!(action, Action::CreateGroup(_));
    let joins = matches!(action, Action::Join);
    if makes != (*to == To::NewGroup) || joins != matches!(to, To::Invite(_)) {
        let text = "making a group and joining one have targets of their own";
        return Err(Error::new(ErrorKind::InvalidArgument, text));
    }
    let (kind, bytes) = encode(action);
    // The server's own limit of a text, known once connected, can only be lower
    // and is checked when the message leaves.
    body::ValidatedBody::new(kind as u32, bytes.clone(), limits::TEXT_CHARS)
        .map_err(|code| Error::from_code(code as u32, code.text(), 0))?;
    Ok((kind as u32, bytes))
}

fn encode(action: Action) -> (EntryKind, Bytes) {
    match action {
        Action::Text(message) => pack(EntryKind::Text, &text(message)),
        Action::Edit { seq, message } => {
            let wire::Text { text, mentions, .. } = text(message);
            pack(EntryKind::Edit, &wire::Edit { seq, text, mentions })
        }
        Action::Delete { seq, ordinal } => pack(EntryKind::Delete, &wire::Delete { seq, ordinal }),
        Action::React { seq, emoji, removed } => {
            pack(EntryKind::Reaction, &wire::Reaction { seq, emoji, removed })
        }
        Action::Pin { seq, removed } => pack(EntryKind::Pin, &wire::Pin { seq, removed }),
        Action::CreateGroup(group) => pack(EntryKind::GroupCreated, &created(group)),
        Action::ChangeConversation(change) => {
            let ConversationChange { title, description, picture, settings } = change;
            let settings = settings.as_ref().map(convert::settings_to_wire);
            let changed = wire::ConversationChanged { title, description, picture, settings };
            pack(EntryKind::ConversationChanged, &changed)
        }
        Action::AddMembers(users) => {
            let users = users.into_iter().map(UserId::to_wire).collect();
            pack(EntryKind::MembersAdded, &wire::MembersAdded { users })
        }
        Action::RemoveMember(user) => removed(user, false),
        Action::BanMember(user) => removed(user, true),
        Action::UnbanMember(user) => {
            pack(EntryKind::MemberUnbanned, &wire::MemberUnbanned { user: user.to_wire() })
        }
        Action::Leave => pack(EntryKind::MemberLeft, &wire::MemberLeft {}),
        Action::SetRole { user, role } => {
            let role = convert::role_to_wire(role) as i32;
            pack(EntryKind::RoleChanged, &wire::RoleChanged { user: user.to_wire(), role })
        }
        // The server says by which link.
        Action::Join => (EntryKind::MemberJoined, Bytes::new()),
        Action::EraseHistory { up_to } => {
            pack(EntryKind::HistoryErased, &wire::HistoryErased { up_to })
        }
    }
}

fn pack(kind: EntryKind, message: &impl prost::Message) -> (EntryKind, Bytes) {
    (kind, message.encode_to_vec().into())
}

fn removed(user: UserId, ban: bool) -> (EntryKind, Bytes) {
    pack(EntryKind::MemberRemoved, &wire::MemberRemoved { user: user.to_wire(), ban })
}

fn text(message: NewMessage) -> wire::Text {
    let NewMessage { text, reply_to, mentions, forwarded } = message;
    let mentions = mentions.into_iter().map(mention).collect();
    wire::Text { text, reply_to, mentions, forwarded }
}

fn mention(mention: Mention) -> wire::Mention {
    let who = Some(match mention.who {
        Mentioned::User(user) => mention::Who::User(user.to_wire()),
        Mentioned::Everyone => mention::Who::Everyone(true),
    });
    wire::Mention { start: mention.start, length: mention.length, who }
}

fn created(group: NewGroup) -> wire::GroupCreated {
    let NewGroup { title, description, picture, settings, members } = group;
    wire::GroupCreated {
        info: Some(wire::GroupInfo { title, description, picture }),
        settings: Some(convert::settings_to_wire(&settings)),
        members: members.into_iter().map(UserId::to_wire).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ConversationSettings, Role};
    use parley_protocol::{Code, ConversationId};
    use prost::Message as _;

    const PLACE: To = To::Conversation(ConversationId::new([1; 16]));
    const ANN: UserId = UserId::new([2; 16]);

    #[test]
    fn every_action_makes_a_body_that_a_server_takes() {
        let invite = To::Invite("code".into());
        let message = || NewMessage::text("hi @ann").mention(3, 4, ANN).reply_to(7).forwarded();
        let change = ConversationChange {
            title: Some("t".into()),
            settings: Some(ConversationSettings::default()),
            ..ConversationChange::default()
        };
        let all = [
            (&PLACE, Action::Text(message())),
            (&PLACE, Action::Edit { seq: 3, message: message() }),
            (&PLACE, Action::Delete { seq: 3, ordinal: 2 }),
            (&PLACE, Action::React { seq: 3, emoji: "👍".into(), removed: false }),
            (&PLACE, Action::Pin { seq: 3, removed: true }),
            (&To::NewGroup, Action::CreateGroup(NewGroup::titled("t").member(ANN))),
            (&PLACE, Action::ChangeConversation(change)),
            (&PLACE, Action::AddMembers(vec![ANN])),
            (&PLACE, Action::RemoveMember(ANN)),
            (&PLACE, Action::BanMember(ANN)),
            (&PLACE, Action::UnbanMember(ANN)),
            (&PLACE, Action::Leave),
            (&PLACE, Action::SetRole { user: ANN, role: Role::Owner }),
            (&invite, Action::Join),
            (&PLACE, Action::EraseHistory { up_to: 4 }),
        ];
        for (to, action) in all {
            assert!(compose(to, action.clone()).is_ok(), "{action:?}");
        }
    }

    #[test]
    fn a_ban_is_a_removal_that_says_so() {
        let removal = |action| {
            let (kind, body) = compose(&PLACE, action).unwrap();
            assert_eq!(kind, EntryKind::MemberRemoved as u32);
            wire::MemberRemoved::decode(body).unwrap()
        };
        assert!(!removal(Action::RemoveMember(ANN)).ban);
        let ban = removal(Action::BanMember(ANN));
        assert_eq!((ban.ban, ban.user), (true, ANN.to_wire()));
        let (kind, body) = compose(&PLACE, Action::UnbanMember(ANN)).unwrap();
        assert_eq!(kind, EntryKind::MemberUnbanned as u32);
        assert_eq!(wire::MemberUnbanned::decode(body).unwrap().user, ANN.to_wire());
    }

    #[test]
    fn what_no_server_takes_is_refused_here() {
        let code = |to: &To, action| compose(to, action).unwrap_err().code();
        let empty = Action::Text(NewMessage::default());
        assert_eq!(code(&PLACE, empty), Some(Code::TextEmpty as u32));
        let beyond = NewMessage::text("short").mention(3, 9, ANN);
        assert_eq!(code(&PLACE, Action::Text(beyond)), Some(Code::BadRequest as u32));
        let untitled = Action::CreateGroup(NewGroup::default());
        assert_eq!(code(&To::NewGroup, untitled), Some(Code::BadRequest as u32));
    }

    #[test]
    fn a_group_is_made_and_joined_only_where_that_belongs() {
        let kind = |to: &To, action| compose(to, action).unwrap_err().kind();
        let make = || Action::CreateGroup(NewGroup::titled("t"));
        assert_eq!(kind(&PLACE, make()), ErrorKind::InvalidArgument);
        assert_eq!(kind(&To::NewGroup, Action::Join), ErrorKind::InvalidArgument);
        let text = Action::Text("hi".into());
        assert_eq!(kind(&To::Invite("x".into()), text), ErrorKind::InvalidArgument);
    }
}
