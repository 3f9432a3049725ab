//! What says who is in a conversation and what they may do.

use bytes::Bytes;

use crate::errors::Code;
use crate::ids::UserId;
use crate::limits;
use crate::visible::{is_one_line, shows_something};
use crate::wire::{ConversationChanged, ConversationSettings, GroupCreated, Role, Who};

/// Longest retention, seconds: a hundred years.
const RETENTION_S: u64 = 100 * 366 * 86_400;

pub(super) fn check_created(body: &GroupCreated) -> Result<(), Code> {
    let info = body.info.as_ref().ok_or(Code::BadRequest)?;
    check_title(&info.title)?;
    check_description(&info.description)?;
    check_picture(&info.picture)?;
    body.settings.as_ref().map_or(Ok(()), check_settings)?;
    check_users(&body.members)
}

pub(super) fn check_changed(body: &ConversationChanged) -> Result<(), Code> {
    let ConversationChanged { title, description, picture, settings } = body;
    if title.is_none() && description.is_none() && picture.is_none() && settings.is_none() {
        return Err(Code::BadRequest);
    }
    title.as_deref().map_or(Ok(()), check_title)?;
    description.as_deref().map_or(Ok(()), check_description)?;
    picture.as_deref().map_or(Ok(()), check_picture)?;
    settings.as_ref().map_or(Ok(()), check_settings)
}

/// Checks user ids; each is named once.
pub(super) fn check_users(users: &[Bytes]) -> Result<(), Code> {
    let mut seen = std::collections::HashSet::with_capacity(users.len());
    let good = |user: &Bytes| UserId::from_slice(user).is_ok_and(|user| seen.insert(user));
    if users.iter().all(good) { Ok(()) } else { Err(Code::BadRequest) }
}

pub(super) fn check_role(role: i32) -> Result<(), Code> {
    match Role::try_from(role) {
        Ok(Role::Member | Role::Admin | Role::Owner) => Ok(()),
        Ok(Role::Unspecified) | Err(_) => Err(Code::BadRequest),
    }
}

fn check_title(title: &str) -> Result<(), Code> {
    let fits = title.chars().count() <= limits::TITLE_CHARS;
    let shown = shows_something(title) && is_one_line(title);
    if fits && shown { Ok(()) } else { Err(Code::BadRequest) }
}

fn check_description(description: &str) -> Result<(), Code> {
    let fits = description.chars().count() <= limits::DESCRIPTION_CHARS;
    if fits { Ok(()) } else { Err(Code::BadRequest) }
}

fn check_picture(picture: &str) -> Result<(), Code> {
    if picture.len() <= limits::PICTURE_BYTES { Ok(()) } else { Err(Code::BadRequest) }
}

fn check_settings(settings: &ConversationSettings) -> Result<(), Code> {
    let known = [settings.send, settings.add, settings.edit_info]
        .into_iter()
        .all(|who| Who::try_from(who).is_ok());
    if known && settings.retention_s <= RETENTION_S { Ok(()) } else { Err(Code::BadRequest) }
}
