//! What a script may ask for: one JSON object on a line, with one key.
//!
//! ```text
//! {"send":{"to":"bob","text":"hi","id":"my-1"}}
//! {"history":{"with":"bob","after_seq":0,"limit":100}}
//! {"read":{"conversation":"0198…","up_to":7}}
//! {"conversations":{}}
//! {"quit":{}}
//! ```
//!
//! Pure: bytes in, a [`Command`] or a [`Refusal`] out. A line that can't be
//! understood is answered with an error that carries the command's id when
//! there is one, and the next line is read.

use parley_client::{Code, ConversationId};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::BTreeMap;

/// Entries one `history` gives when it doesn't say, and at most.
const HISTORY_LIMIT: (u32, u32) = (100, 10_000);

/// Every command, as the errors list them.
const NAMES: &[&str] = &["send", "history", "read", "conversations", "quit"];

/// One line of input, understood.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Send a text.
    Send(Send),
    /// Read a range of a conversation.
    History(History),
    /// Mark a conversation as read.
    Read(Read),
    /// List the conversations.
    Conversations {
        /// Given back with the answer.
        id: Option<String>,
    },
    /// Finish what is queued, then exit.
    Quit,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Send {
    pub(crate) to: Target,
    pub(crate) text: String,
    /// The client message id: sent again with the same id, also after a
    /// restart, the message exists once and gets the same answer.
    pub(crate) id: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct History {
    pub(crate) of: Target,
    pub(crate) range: Range,
    pub(crate) limit: u32,
    pub(crate) id: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) of: Target,
    pub(crate) up_to: u64,
    pub(crate) id: Option<String>,
}

/// Which conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// The 1:1 conversation with the user of this name.
    User(String),
    Conversation(ConversationId),
}

/// Which part of a conversation. Answers are ascending in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Range {
    /// From behind this seq on.
    After(u64),
    /// The newest before this seq.
    Before(u64),
    /// The newest.
    Newest,
}

/// Why a line is not a command.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: Code,
    pub(crate) text: String,
    /// The id the command gave, if it could be read.
    pub(crate) id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawCommand {
    Send(RawSend),
    History(RawHistory),
    Read(RawRead),
    Conversations(RawPlain),
    Quit(RawPlain),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSend {
    to: Option<String>,
    conversation: Option<String>,
    text: String,
    id: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHistory {
    with: Option<String>,
    conversation: Option<String>,
    after_seq: Option<u64>,
    before_seq: Option<u64>,
    limit: Option<u32>,
    id: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRead {
    with: Option<String>,
    conversation: Option<String>,
    up_to: u64,
    id: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPlain {
    id: Option<String>,
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
        let raw = serde_json::from_slice(line).map_err(|error| explain(line, &error))?;
        let id_of_raw = match &raw {
            RawCommand::Send(RawSend { id, .. })
            | RawCommand::History(RawHistory { id, .. })
            | RawCommand::Read(RawRead { id, .. })
            | RawCommand::Conversations(RawPlain { id })
            | RawCommand::Quit(RawPlain { id }) => id.clone(),
        };
        Self::from_raw(raw).map(Some).map_err(|text| Refusal {
            code: Code::BadRequest,
            text,
            id: id_of_raw,
        })
    }

    fn from_raw(raw: RawCommand) -> Result<Self, String> {
        Ok(match raw {
            RawCommand::Send(raw) => Self::Send(Send {
                to: target(raw.to, raw.conversation, "to")?,
                text: raw.text,
                id: raw.id,
            }),
            RawCommand::History(raw) => Self::History(History {
                of: target(raw.with, raw.conversation, "with")?,
                range: match (raw.after_seq, raw.before_seq) {
                    (Some(seq), None) => Range::After(seq),
                    (None, Some(seq)) => Range::Before(seq),
                    (None, None) => Range::Newest,
                    (Some(_), Some(_)) => {
                        return Err("give after_seq or before_seq, not both".to_owned());
                    }
                },
                limit: match raw.limit {
                    None | Some(0) => HISTORY_LIMIT.0,
                    Some(limit) => limit.min(HISTORY_LIMIT.1),
                },
                id: raw.id,
            }),
            RawCommand::Read(raw) => Self::Read(Read {
                of: target(raw.with, raw.conversation, "with")?,
                up_to: raw.up_to,
                id: raw.id,
            }),
            RawCommand::Conversations(raw) => Self::Conversations { id: raw.id },
            RawCommand::Quit(_) => Self::Quit,
        })
    }
}

fn target(
    user: Option<String>,
    conversation: Option<String>,
    user_field: &str,
) -> Result<Target, String> {
    match (user, conversation) {
        (Some(user), None) => Ok(Target::User(user)),
        (None, Some(conversation)) => conversation
            .parse()
            .map(Target::Conversation)
            .map_err(|error| format!("conversation: {error}")),
        _ => Err(format!("give either {user_field} or conversation")),
    }
}

fn explain(line: &[u8], error: &serde_json::Error) -> Refusal {
    // The text of a line is user data; serde's messages name fields, types and
    // positions, and of the content at most one unexpected scalar.
    let remains = serde_json::from_slice::<BTreeMap<String, Remains>>(line).ok();
    let id = remains.and_then(|commands| commands.into_values().find_map(|command| command.id));
    let unknown = serde_json::from_slice::<BTreeMap<String, IgnoredAny>>(line)
        .ok()
        .and_then(|commands| commands.into_keys().find(|name| !NAMES.contains(&name.as_str())));
    match unknown {
        Some(_) => Refusal {
            code: Code::UnknownRequest,
            text: format!("the commands are {}", NAMES.join(", ")),
            id,
        },
        None => Refusal { code: Code::BadRequest, text: format!("not a command: {error}"), id },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Command {
        Command::parse(line.as_bytes()).unwrap().unwrap()
    }

    fn refusal(line: impl AsRef<[u8]>) -> (Code, Option<String>) {
        let refusal = Command::parse(line.as_ref()).unwrap_err();
        (refusal.code, refusal.id)
    }

    #[test]
    fn the_contract_is_understood() {
        assert_eq!(
            parse(r#"{"send":{"to":"bob","text":"hi","id":"my-1"}}"#),
            Command::Send(Send {
                to: Target::User("bob".to_owned()),
                text: "hi".to_owned(),
                id: Some("my-1".to_owned()),
            })
        );
        assert_eq!(
            parse(r#"{"history":{"with":"bob","after_seq":0,"limit":100}}"#),
            Command::History(History {
                of: Target::User("bob".to_owned()),
                range: Range::After(0),
                limit: 100,
                id: None,
            })
        );
        assert_eq!(parse(r#"{"quit":{}}"#), Command::Quit);
        assert_eq!(parse(r#"{"conversations":{}}"#), Command::Conversations { id: None });
        let id = "018f0000-0000-7000-8000-000000000001";
        assert_eq!(
            parse(&format!(r#"{{"read":{{"conversation":"{id}","up_to":7}}}}"#)),
            Command::Read(Read {
                of: Target::Conversation(id.parse().unwrap()),
                up_to: 7,
                id: None,
            })
        );
    }

    #[test]
    fn any_text_that_json_can_hold_is_taken() {
        let line = r#"{"send":{"to":"bob","text":"\u0000\ud83d\ude00\u202e"}}"#;
        let Command::Send(send) = parse(line) else { panic!("a send") };
        assert_eq!(send.text, "\0😀\u{202e}");
    }

    #[test]
    fn a_lone_surrogate_is_refused_with_the_id() {
        for text in [r"\ud83d", r"\ude00", r"\ud83dx", r"\ud83d\ud83d"] {
            let line = format!(r#"{{"send":{{"to":"bob","text":"{text}","id":"my-2"}}}}"#);
            assert_eq!(refusal(line), (Code::BadRequest, Some("my-2".to_owned())), "{text}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_are_refused() {
        let line = b"{\"send\":{\"to\":\"bob\",\"text\":\"\xff\",\"id\":\"my-3\"}}";
        assert_eq!(refusal(line).0, Code::BadRequest);
    }

    #[test]
    fn what_is_no_command_says_so() {
        assert_eq!(refusal("hello"), (Code::BadRequest, None));
        assert_eq!(refusal("[]"), (Code::BadRequest, None));
        assert_eq!(refusal("{}"), (Code::BadRequest, None));
        assert_eq!(refusal(r#"{"dance":{"id":"d"}}"#), (Code::UnknownRequest, Some("d".into())));
        assert_eq!(
            refusal(r#"{"send":{"to":"bob","id":"a"}}"#),
            (Code::BadRequest, Some("a".into()))
        );
        let both = r#"{"send":{"to":"bob","conversation":"x","text":"t","id":"a"}}"#;
        assert_eq!(refusal(both), (Code::BadRequest, Some("a".into())));
        let neither = r#"{"history":{"limit":1}}"#;
        assert_eq!(refusal(neither), (Code::BadRequest, None));
        let unknown_field = r#"{"send":{"to":"bob","text":"t","colour":1,"id":"a"}}"#;
        assert_eq!(refusal(unknown_field), (Code::BadRequest, Some("a".into())));
        let two = r#"{"quit":{},"send":{"to":"bob","text":"t","id":"a"}}"#;
        assert_eq!(refusal(two).0, Code::BadRequest);
        assert_eq!(refusal("[".repeat(100_000)), (Code::BadRequest, None));
    }

    #[test]
    fn an_empty_line_is_passed_over() {
        assert_eq!(Command::parse(b"").unwrap(), None);
        assert_eq!(Command::parse(b" \t\r").unwrap(), None);
    }

    #[test]
    fn a_history_is_bounded() {
        let Command::History(history) = parse(r#"{"history":{"with":"bob","limit":4000000000}}"#)
        else {
            panic!("a history")
        };
        assert_eq!((history.limit, history.range), (HISTORY_LIMIT.1, Range::Newest));
    }
}
