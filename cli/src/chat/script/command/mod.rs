//! What a script may ask for: one JSON object on a line, with one key.
//!
//! ```text
//! {"send":{"to":"bob","text":"hi","id":"my-1"}}
//! {"group":{"create":{"title":"Walks","members":["bob"]}}}
//! {"history":{"with":"bob","after_seq":0,"limit":100}}
//! {"quit":{}}
//! ```
//!
//! Pure: bytes in, a [`Command`] or a [`Refusal`] out; `docs/chat.md` lists all
//! of them. A line that can't be understood is answered with an error that
//! carries the command's id when there is one, and the next line is read.

mod fields;
mod group;
mod message;
mod people;

use std::collections::BTreeMap;

use parley_client::Code;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use self::fields::Fields;
use crate::chat::act::Act;
use crate::chat::report::{ErrorReport, Report};

/// Every command, as the errors list them.
const NAMES: &[&str] = &[
    "send",
    "edit",
    "delete",
    "react",
    "pin",
    "group",
    "history",
    "receipts",
    "read",
    "delivered",
    "typing",
    "presence",
    "conversations",
    "preferences",
    "profile",
    "contact",
    "contacts",
    "block",
    "unblock",
    "blocked",
    "report",
    "settings",
    "devices",
    "account",
    "quit",
];

/// One line of input, understood.
#[cfg_attr(test, derive(Debug, PartialEq, Eq))]
pub(crate) struct Command {
    /// Given back with the answer. For what becomes an entry it is the client
    /// message id: sent again with the same id, also after a restart, the entry
    /// exists once and gets the same answer.
    pub(crate) id: Option<String>,
    pub(crate) act: Act,
}

/// Why a line is not a command.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: Code,
    pub(crate) text: String,
    /// The id the command gave, if it could be read.
    pub(crate) id: Option<String>,
}

impl From<Refusal> for Report {
    fn from(Refusal { code, text, id }: Refusal) -> Self {
        let name = code.name().to_owned();
        Self::Error(ErrorReport { code: code as u32, name, text, retry_after_ms: None, id })
    }
}

/// What can be read of a command that is otherwise wrong.
#[derive(Deserialize)]
struct Remains {
    id: Option<String>,
}

impl Command {
    /// Reads one line. An empty line is no command and no error.
    ///
    /// # Errors
    /// [`Refusal`] when the line is not JSON (a lone surrogate is not), not a
    /// command, or lacks a field.
    pub(crate) fn parse(line: &[u8]) -> Result<Option<Self>, Refusal> {
        if line.iter().all(u8::is_ascii_whitespace) {
            return Ok(None);
        }
        let object: Map<String, Value> =
            serde_json::from_slice(line).map_err(|error| explain(line, &error))?;
        let refused = |code, text: String, id| Refusal { code, text, id };
        let mut commands = object.into_iter();
        let (Some((name, value)), None) = (commands.next(), commands.next()) else {
            let text = "a line is an object with one command".to_owned();
            return Err(refused(Code::BadRequest, text, None));
        };
        let id = id_within(&value);
        if !NAMES.contains(&name.as_str()) {
            let text = format!("the commands are {}", NAMES.join(", "));
            return Err(refused(Code::UnknownRequest, text, id));
        }
        let understood = Fields::of(value).and_then(|mut fields| {
            let mut id = fields.text_opt("id")?;
            let act = act(&name, &mut fields, &mut id)?;
            fields.end()?;
            Ok(Self { id, act })
        });
        understood
            .map(Some)
            .map_err(|text| refused(Code::BadRequest, format!("{name}: {text}"), id))
    }
}

/// The id of a command, whatever else is wrong with it.
fn id_within(fields: &Value) -> Option<String> {
    let id = |value: &Value| value.get("id").and_then(Value::as_str).map(str::to_owned);
    let inner = || fields.as_object()?.values().find_map(id);
    id(fields).or_else(inner)
}

/// `id` is what the command gave so far; one in its inner braces is put there.
fn act(name: &str, fields: &mut Fields, id: &mut Option<String>) -> Result<Act, String> {
    Ok(match name {
        "send" => message::send(fields)?,
        "edit" => message::edit(fields)?,
        "delete" => message::delete(fields)?,
        "react" => Act::React {
            of: fields.target("with")?,
            seq: fields.number("seq")?,
            emoji: fields.text("emoji")?,
            remove: fields.flag("remove")?,
        },
        "pin" => Act::Pin {
            of: fields.target("with")?,
            seq: fields.number("seq")?,
            remove: fields.flag("remove")?,
        },
        "group" => group::parse(fields, id)?,
        "history" => Act::History(message::history(fields)?),
        "receipts" => Act::Receipts { of: fields.target("with")?, seq: fields.number("seq")? },
        "read" => Act::Read { of: fields.target("with")?, up_to: fields.number("up_to")? },
        "delivered" => {
            Act::Delivered { of: fields.target("with")?, up_to: fields.number("up_to")? }
        }
        "typing" => Act::Typing { of: fields.target("with")?, stopped: fields.flag("stopped")? },
        "presence" => Act::Presence(people::presence(fields)?),
        "conversations" => Act::Conversations,
        "preferences" => Act::Preferences {
            of: fields.target("with")?,
            change: Box::new(message::preferences(fields)?),
        },
        "profile" => people::profile(fields)?,
        "contact" => people::contact(fields)?,
        "contacts" => Act::Contacts,
        "block" => Act::Block { user: fields.text("user")?, remove: false },
        "unblock" => Act::Block { user: fields.text("user")?, remove: true },
        "blocked" => Act::Blocked,
        "report" => people::report(fields)?,
        "settings" => Act::Settings(people::settings(fields)?),
        "devices" => people::devices(fields)?,
        "account" => people::account(fields, id)?,
        "quit" => Act::Quit,
        _ => return Err("there is no such command".to_owned()),
    })
}

/// Why a line is not even an object of JSON, with what can be read of it.
fn explain(line: &[u8], error: &serde_json::Error) -> Refusal {
    // The text of a line is user data; serde's messages name types and positions,
    // and of the content at most one unexpected scalar.
    let remains = serde_json::from_slice::<BTreeMap<String, Remains>>(line).ok();
    let id = remains.and_then(|commands| commands.into_values().find_map(|command| command.id));
    let known = serde_json::from_slice::<BTreeMap<String, IgnoredAny>>(line)
        .is_ok_and(|commands| commands.keys().all(|name| NAMES.contains(&name.as_str())));
    let code = if known || id.is_none() { Code::BadRequest } else { Code::UnknownRequest };
    Refusal { code, text: format!("not a command: {error}"), id }
}

#[cfg(test)]
mod tests;
