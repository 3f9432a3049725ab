//! Commands about groups: making them, who is in, who may do what, invite links.

use parley_client::Role;
use serde_json::Value;

use super::fields::Fields;
use crate::chat::act::{Act, GroupAct, SettingsChange};

const ACTS: &[&str] = &[
    "create", "add", "remove", "ban", "unban", "banned", "leave", "role", "info", "invite", "join",
    "peek", "erase",
];

/// Reads what stands in `{"group":{…}}`. The id may stand within the act too.
pub(super) fn parse(fields: &mut Fields, id: &mut Option<String>) -> Result<Act, String> {
    let (name, mut inner) = fields.one_of(ACTS)?;
    let parsed = inner.inner_id(id).and_then(|()| group(name, &mut inner));
    parsed.and_then(|group| inner.end().map(|()| group)).map_err(|error| format!("{name}: {error}"))
}

fn group(name: &str, fields: &mut Fields) -> Result<Act, String> {
    match name {
        "create" => {
            return Ok(Act::NewGroup {
                title: fields.text("title")?,
                description: fields.text_opt("description")?.unwrap_or_default(),
                picture: fields.text_opt("picture")?.unwrap_or_default(),
                members: fields.texts_opt("members")?.unwrap_or_default(),
                settings: settings(fields)?.unwrap_or_default(),
            });
        }
        "join" => return Ok(Act::Join { code: fields.text("code")? }),
        "peek" => return Ok(Act::Peek { code: fields.text("code")? }),
        _ => {}
    }
    let conversation = fields.conversation()?;
    let act = match name {
        "add" => GroupAct::Add { users: users(fields)? },
        "remove" => GroupAct::Remove { users: users(fields)? },
        "ban" => GroupAct::Ban { users: users(fields)? },
        "unban" => GroupAct::Unban { users: users(fields)? },
        "banned" => GroupAct::Banned,
        "leave" => GroupAct::Leave,
        "role" => GroupAct::Role { user: fields.text("user")?, role: role(fields)? },
        "info" => GroupAct::Info {
            title: fields.text_opt("title")?,
            description: fields.text_opt("description")?,
            picture: fields.text_opt("picture")?,
            settings: settings(fields)?,
        },
        "invite" => invite(fields)?,
        _ => GroupAct::Erase { up_to: fields.number_opt("up_to")? },
    };
    Ok(Act::Group { conversation, act })
}

fn users(fields: &mut Fields) -> Result<Vec<String>, String> {
    match (fields.text_opt("user")?, fields.texts_opt("members")?) {
        (Some(user), None) => Ok(vec![user]),
        (None, Some(members)) if !members.is_empty() => Ok(members),
        _ => Err("give either user or members".to_owned()),
    }
}

fn role(fields: &mut Fields) -> Result<Role, String> {
    fields.word_opt("role")?.ok_or_else(|| "role is missing".to_owned())
}

fn settings(fields: &mut Fields) -> Result<Option<SettingsChange>, String> {
    let Some(mut inner) = fields.fields_opt("settings")? else { return Ok(None) };
    let change = SettingsChange {
        send: inner.word_opt("send")?,
        add: inner.word_opt("add")?,
        edit_info: inner.word_opt("edit_info")?,
        history_for_newcomers: inner.flag_opt("history_for_newcomers")?,
        retention_s: inner.number_opt("retention_s")?,
    };
    inner.end().map_err(|error| format!("settings: {error}"))?;
    Ok(Some(change))
}

fn invite(fields: &mut Fields) -> Result<GroupAct, String> {
    let create = fields.fields_opt("create")?;
    let revoke = fields.text_opt("revoke")?;
    let list = match fields.take("list") {
        None | Some(Value::Bool(false)) => false,
        Some(_) => true,
    };
    match (create, revoke, list) {
        (None, Some(link), false) => Ok(GroupAct::Revoke { link }),
        (None, None, true) => Ok(GroupAct::Invites),
        (Some(mut inner), None, false) => {
            let act = limits(&mut inner)?;
            inner.end().map_err(|error| format!("create: {error}"))?;
            Ok(act)
        }
        // Short for `create`.
        (None, None, false) => limits(fields),
        _ => Err("give one of create, revoke, list".to_owned()),
    }
}

fn limits(fields: &mut Fields) -> Result<GroupAct, String> {
    Ok(GroupAct::Invite {
        expires_ms: fields.number_opt("expires_ms")?.unwrap_or(0),
        max_uses: fields.small_opt("max_uses")?.unwrap_or(0),
    })
}
