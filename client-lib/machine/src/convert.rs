//! Between the wire's words and the model's, for everything but entries.

use std::sync::Arc;

use parley_protocol::ids::{ConversationId, UserId};
use parley_protocol::wire;

use crate::error::{Error, ErrorKind};
use crate::model::{
    Account, AccountSettings, AccountSettingsChange, Audience, ConversationKind,
    ConversationSettings, Description, Info, Invite, InviteId, InvitePreview, Member, NotifyLevel,
    Preferences, PreferencesChange, Presence, Profile, ProfileChange, Role, User, Who,
};

/// The answer doesn't keep to the protocol.
#[must_use]
pub fn malformed() -> Error {
    Error::new(ErrorKind::Protocol, "the server's answer is malformed")
}

/// The user's id in a field.
///
/// # Errors
/// [`malformed`] when it is no id.
pub fn user_id(bytes: &[u8]) -> Result<UserId, Error> {
    UserId::from_slice(bytes).map_err(|_| malformed())
}

pub(crate) fn conversation_id(bytes: &[u8]) -> Result<ConversationId, Error> {
    ConversationId::from_slice(bytes).map_err(|_| malformed())
}

/// The role a number means. One of a newer server may do no more than a member.
pub(crate) fn role(number: i32) -> Role {
    match wire::Role::try_from(number) {
        Ok(wire::Role::Owner) => Role::Owner,
        Ok(wire::Role::Admin) => Role::Admin,
        Ok(wire::Role::Member | wire::Role::Unspecified) | Err(_) => Role::Member,
    }
}

pub(crate) const fn role_to_wire(role: Role) -> wire::Role {
    match role {
        Role::Member => wire::Role::Member,
        Role::Admin => wire::Role::Admin,
        Role::Owner => wire::Role::Owner,
    }
}

pub(crate) fn info(info: &wire::GroupInfo) -> Info {
    Info {
        title: info.title.as_str().into(),
        description: info.description.as_str().into(),
        picture: info.picture.as_str().into(),
    }
}

pub(crate) fn settings(settings: &wire::ConversationSettings) -> ConversationSettings {
    let default = ConversationSettings::default();
    let who = |number, otherwise| match wire::Who::try_from(number) {
        Ok(wire::Who::Members) => Who::Members,
        Ok(wire::Who::Admins) => Who::Admins,
        Ok(wire::Who::Unspecified) | Err(_) => otherwise,
    };
    ConversationSettings {
        send: who(settings.send, default.send),
        add: who(settings.add, default.add),
        edit_info: who(settings.edit_info, default.edit_info),
        history_for_newcomers: settings.history_for_newcomers,
        retention_s: settings.retention_s,
    }
}

pub(crate) fn settings_to_wire(settings: &ConversationSettings) -> wire::ConversationSettings {
    let who = |who| match who {
        Who::Members => wire::Who::Members as i32,
        Who::Admins => wire::Who::Admins as i32,
    };
    wire::ConversationSettings {
        send: who(settings.send),
        add: who(settings.add),
        edit_info: who(settings.edit_info),
        history_for_newcomers: settings.history_for_newcomers,
        retention_s: settings.retention_s,
    }
}

/// What a conversation is, as the server describes it.
///
/// # Errors
/// [`malformed`] when an id in it is none.
pub fn description(described: &wire::Described) -> Result<Description, Error> {
    let member = |member: &wire::Member| {
        let id = user_id(&member.user)?;
        // A deleted account has no name.
        let user = match member.name.as_str() {
            "" => User::nameless(id),
            name => User { id, name: name.into() },
        };
        Ok(Member {
            user,
            role: role(member.role),
            joined_seq: member.joined_seq,
            delivered: member.delivered,
            read: member.read,
            delivered_ms: member.delivered_ms,
            read_ms: member.read_ms,
        })
    };
    let members: Result<Vec<Member>, Error> = described.members.iter().map(member).collect();
    Ok(Description {
        conversation: conversation_id(&described.conversation)?,
        kind: match described.kind() {
            wire::ConversationKind::Direct => ConversationKind::Direct,
            wire::ConversationKind::Group | wire::ConversationKind::Unspecified => {
                ConversationKind::Group
            }
        },
        members: members?,
        last_seq: described.last_seq,
        info: described.info.as_ref().map(info).unwrap_or_default(),
        settings: described.settings.as_ref().map(settings).unwrap_or_default(),
        pinned: described.pinned.clone(),
        first_after: described.first_after,
        former: described.former,
        created_ms: described.created_ms,
    })
}

/// The same as a message of the wire, for a store.
#[must_use]
pub fn described(id: ConversationId, description: &Description) -> wire::Described {
    let member = |member: &Member| wire::Member {
        user: member.user.id.to_wire(),
        name: member.user.name.to_string(),
        delivered: member.delivered,
        read: member.read,
        delivered_ms: member.delivered_ms,
        read_ms: member.read_ms,
        role: role_to_wire(member.role) as i32,
        joined_seq: member.joined_seq,
    };
    let info = &description.info;
    wire::Described {
        conversation: id.to_wire(),
        kind: match description.kind {
            ConversationKind::Direct => wire::ConversationKind::Direct as i32,
            ConversationKind::Group => wire::ConversationKind::Group as i32,
        },
        members: description.members.iter().map(member).collect(),
        last_seq: description.last_seq,
        info: Some(wire::GroupInfo {
            title: info.title.to_string(),
            description: info.description.to_string(),
            picture: info.picture.to_string(),
        }),
        settings: Some(settings_to_wire(&description.settings)),
        pinned: description.pinned.clone(),
        first_after: description.first_after,
        former: description.former,
        created_ms: description.created_ms,
        ..wire::Described::default()
    }
}

/// What the user set for a conversation.
#[must_use]
pub fn preferences(preferences: &wire::Preferences) -> Preferences {
    Preferences {
        muted_until_ms: preferences.muted_until_ms,
        archived: preferences.archived,
        pinned: preferences.pinned,
        marked_unread: preferences.marked_unread,
        level: match preferences.level() {
            wire::NotifyLevel::Unspecified | wire::NotifyLevel::All => NotifyLevel::All,
            wire::NotifyLevel::Mentions => NotifyLevel::Mentions,
            wire::NotifyLevel::None => NotifyLevel::None,
        },
        draft: preferences.draft.as_str().into(),
        draft_reply_to: (preferences.draft_reply_to > 0).then_some(preferences.draft_reply_to),
        cleared_up_to: preferences.cleared_up_to,
        accepted: preferences.accepted,
    }
}

/// The same as a message of the wire, for a store.
#[must_use]
pub fn preferences_to_wire(preferences: &Preferences) -> wire::Preferences {
    wire::Preferences {
        muted_until_ms: preferences.muted_until_ms,
        archived: preferences.archived,
        pinned: preferences.pinned,
        marked_unread: preferences.marked_unread,
        level: level(preferences.level),
        draft: preferences.draft.to_string(),
        draft_reply_to: preferences.draft_reply_to.unwrap_or(0),
        cleared_up_to: preferences.cleared_up_to,
        accepted: preferences.accepted,
    }
}

/// A change of what the user set for a conversation.
#[must_use]
pub fn set_preferences(
    conversation: ConversationId,
    change: PreferencesChange,
) -> wire::SetPreferences {
    wire::SetPreferences {
        conversation: conversation.to_wire(),
        muted_until_ms: change.muted_until_ms,
        archived: change.archived,
        pinned: change.pinned,
        marked_unread: change.marked_unread,
        level: change.level.map(level),
        draft: change.draft,
        draft_reply_to: change.draft_reply_to,
        cleared_up_to: change.cleared_up_to,
        accepted: change.accept.then_some(true),
    }
}

const fn level(level: NotifyLevel) -> i32 {
    match level {
        NotifyLevel::All => wire::NotifyLevel::All as i32,
        NotifyLevel::Mentions => wire::NotifyLevel::Mentions as i32,
        NotifyLevel::None => wire::NotifyLevel::None as i32,
    }
}

/// An invite link.
///
/// # Errors
/// [`malformed`] when an id in it is none.
pub fn invite(link: wire::InviteLink) -> Result<Invite, Error> {
    Ok(Invite {
        id: InviteId(link.id.as_ref().try_into().map_err(|_| malformed())?),
        code: link.code,
        created_by: user_id(&link.created_by)?,
        created_ms: link.created_ms,
        expires_ms: (link.expires_ms > 0).then_some(link.expires_ms),
        max_uses: (link.max_uses > 0).then_some(link.max_uses),
        uses: link.uses,
    })
}

/// What an invite link leads to.
///
/// # Errors
/// [`malformed`] when an id in it is none.
pub fn preview(preview: &wire::InvitePreview) -> Result<InvitePreview, Error> {
    Ok(InvitePreview {
        conversation: conversation_id(&preview.conversation)?,
        info: preview.info.as_ref().map(info).unwrap_or_default(),
        members: preview.members,
        joined: preview.joined,
    })
}

/// What a user says about themselves.
///
/// # Errors
/// [`malformed`] when an id in it is none.
pub fn profile(profile: &wire::Profile) -> Result<Profile, Error> {
    let id = user_id(&profile.user)?;
    let word = |word: &str| Arc::<str>::from(word);
    Ok(Profile {
        user: match profile.name.as_str() {
            "" => User::nameless(id),
            name => User { id, name: name.into() },
        },
        display_name: word(&profile.display_name),
        about: word(&profile.about),
        picture: word(&profile.picture),
        phone: word(&profile.phone),
        email: word(&profile.email),
        deleted: profile.deleted,
    })
}

/// All of the user's own account data.
///
/// # Errors
/// [`malformed`] when the profile is missing or an id is none.
pub fn account(state: &wire::AccountState) -> Result<Account, Error> {
    let profiles = |list: &[wire::Profile]| -> Result<Vec<Profile>, Error> {
        list.iter().map(profile).collect()
    };
    let settings = state.settings.unwrap_or_default();
    let audience = |number, first| match wire::Audience::try_from(number) {
        Ok(wire::Audience::Everyone) => Audience::Everyone,
        Ok(wire::Audience::Contacts) => Audience::Contacts,
        Ok(wire::Audience::Nobody) => Audience::Nobody,
        Ok(wire::Audience::Unspecified) | Err(_) => first,
    };
    Ok(Account {
        revision: state.revision,
        profile: profile(state.profile.as_ref().ok_or_else(malformed)?)?,
        settings: AccountSettings {
            presence: audience(settings.presence, Audience::Everyone),
            phone: audience(settings.phone, Audience::Contacts),
            email: audience(settings.email, Audience::Contacts),
            group_adds: audience(settings.group_adds, Audience::Everyone),
            messages: audience(settings.messages, Audience::Everyone),
            read_receipts: settings.read_receipts.unwrap_or(true),
            typing: settings.typing.unwrap_or(true),
        },
        contacts: profiles(&state.contacts)?,
        blocked: profiles(&state.blocked)?,
    })
}

/// A change of the own profile.
#[must_use]
pub fn profile_change(change: ProfileChange) -> wire::ProfileChange {
    let ProfileChange { display_name, about, picture, phone, email } = change;
    wire::ProfileChange { display_name, about, picture, phone, email }
}

/// A change of the account's settings.
#[must_use]
pub fn account_settings(change: &AccountSettingsChange) -> wire::AccountSettings {
    let audience = |audience: Option<Audience>| match audience {
        None => wire::Audience::Unspecified as i32,
        Some(Audience::Everyone) => wire::Audience::Everyone as i32,
        Some(Audience::Contacts) => wire::Audience::Contacts as i32,
        Some(Audience::Nobody) => wire::Audience::Nobody as i32,
    };
    wire::AccountSettings {
        presence: audience(change.presence),
        phone: audience(change.phone),
        email: audience(change.email),
        group_adds: audience(change.group_adds),
        messages: audience(change.messages),
        read_receipts: change.read_receipts,
        typing: change.typing,
    }
}

/// How somebody is now; `user` knows the name.
#[must_use]
pub fn presence(presence: &wire::Presence, user: User) -> Presence {
    let last_seen_ms = (presence.last_seen_ms > 0).then_some(presence.last_seen_ms);
    Presence { user, online: presence.online, last_seen_ms }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_leaves_out_is_the_default() {
        let settings = settings(&wire::ConversationSettings::default());
        assert_eq!(settings, ConversationSettings::default());
        assert_eq!(super::settings(&settings_to_wire(&settings)), settings);
        let profile = wire::Profile { user: vec![1; 16].into(), ..wire::Profile::default() };
        let state = wire::AccountState { profile: Some(profile), ..wire::AccountState::default() };
        let account = account(&state).unwrap();
        assert_eq!(account.settings.phone, Audience::Contacts);
        assert!(account.settings.read_receipts && account.settings.typing);
        assert_eq!(&*account.profile.user.name, UserId::new([1; 16]).to_string());
    }

    #[test]
    fn numbers_of_a_newer_server_grant_nothing() {
        assert_eq!((role(9), role(-1), role(3)), (Role::Member, Role::Member, Role::Owner));
        let odd = wire::ConversationSettings { add: 77, ..wire::ConversationSettings::default() };
        assert_eq!(settings(&odd).add, Who::Admins);
    }

    #[test]
    fn preferences_round_trip() {
        let preferences = Preferences {
            muted_until_ms: u64::MAX,
            archived: true,
            pinned: true,
            marked_unread: true,
            level: NotifyLevel::Mentions,
            draft: "later".into(),
            draft_reply_to: Some(4),
            cleared_up_to: 9,
            accepted: true,
        };
        assert_eq!(super::preferences(&preferences_to_wire(&preferences)), preferences);
    }
}
