//! What a script is told: one JSON object on a line, with one main key.
//!
//! Ids are text, times Unix milliseconds, users are named by their names.
//! Fields may be added; scripts pass over what they don't know.

use parley_client::{Conversation, Entry, HistoryPage, Message, Receipt, Sent, Session, State};
use serde::Serialize;

use super::command::Refusal;
use crate::chat::link::code_and_name;

/// One line of output.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Report {
    Ready {
        ready: Ready,
    },
    State {
        state: StateReport,
    },
    Message {
        message: MessageReport,
    },
    UnknownEntry {
        unknown_entry: UnknownReport,
    },
    Sent {
        sent: SentReport,
    },
    History {
        history: Vec<HistoryItem>,
        #[serde(flatten)]
        about: HistoryAbout,
    },
    Read {
        read: ReadReport,
    },
    Conversations {
        conversations: Vec<ConversationReport>,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
    },
    Conversation {
        conversation: ConversationReport,
    },
    Receipt {
        receipt: ReceiptReport,
    },
    FellBack {
        fell_back: FellBackReport,
    },
    Lagged {
        lagged: LaggedReport,
    },
    Error {
        error: ErrorReport,
    },
}

#[derive(Debug, Serialize)]
pub(crate) struct Ready {
    user: String,
    user_id: String,
    device: String,
    device_id: String,
    transport: String,
    server: String,
    text_chars: u32,
}

#[derive(Debug, Serialize)]
pub(crate) struct StateReport {
    name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    transport: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_in_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorReport>,
}

#[derive(Debug, Serialize)]
pub(crate) struct MessageReport {
    conversation: String,
    seq: u64,
    from: String,
    text: String,
    time_ms: u64,
    own: bool,
}

/// An entry of a kind this build doesn't know.
#[derive(Debug, Serialize)]
pub(crate) struct UnknownReport {
    conversation: String,
    seq: u64,
    from: String,
    kind: u32,
    time_ms: u64,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum HistoryItem {
    Message(MessageReport),
    Unknown(UnknownReport),
}

/// What stands beside the list of a history.
#[derive(Debug, Default, Serialize)]
pub(crate) struct HistoryAbout {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) conversation: Option<String>,
    pub(crate) last_seq: u64,
    pub(crate) at_start: bool,
    pub(crate) at_end: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct SentReport {
    id: String,
    conversation: String,
    seq: u64,
    time_ms: u64,
    duplicate: bool,
}

#[derive(Debug, Serialize)]
pub(crate) struct ReadReport {
    pub(crate) conversation: String,
    pub(crate) up_to: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct ConversationReport {
    conversation: String,
    /// The other user's name; absent until known, and in groups.
    #[serde(skip_serializing_if = "Option::is_none")]
    with: Option<String>,
    last_seq: u64,
    unread: u64,
    read: u64,
    peer_delivered: u64,
    peer_read: u64,
    last_time_ms: u64,
}

#[derive(Debug, Serialize)]
pub(crate) struct ReceiptReport {
    conversation: String,
    user: String,
    user_id: String,
    delivered: u64,
    read: u64,
    time_ms: u64,
}

#[derive(Debug, Serialize)]
pub(crate) struct FellBackReport {
    pub(crate) from: String,
    pub(crate) to: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct LaggedReport {
    /// Events that were missed; history still has everything.
    pub(crate) missed: u64,
}

#[derive(Debug, Serialize)]
pub(crate) struct ErrorReport {
    pub(crate) code: u32,
    pub(crate) name: String,
    pub(crate) text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
}

impl Report {
    pub(crate) fn ready(session: &Session, device: &str, server: &str) -> Self {
        Self::Ready {
            ready: Ready {
                user: session.user.name.to_string(),
                user_id: session.user.id.to_string(),
                device: device.to_owned(),
                device_id: session.device.to_string(),
                transport: session.transport.to_string(),
                server: server.to_owned(),
                text_chars: session.text_chars,
            },
        }
    }

    pub(crate) fn state(state: &State) -> Self {
        let mut report =
            StateReport { name: "unknown", transport: None, retry_in_ms: None, error: None };
        match state {
            State::Idle => report.name = "idle",
            State::SigningIn => report.name = "signing_in",
            State::Connecting => report.name = "connecting",
            State::Handshaking => report.name = "handshaking",
            State::Ready(session) => {
                report.name = "ready";
                report.transport = Some(session.transport.to_string());
            }
            State::Waiting { retry_in, error } => {
                report.name = "waiting";
                report.retry_in_ms = u64::try_from(retry_in.as_millis()).ok();
                report.error = Some(ErrorReport::of(error, None));
            }
            State::Draining => report.name = "draining",
            State::Closed(error) => {
                report.name = "closed";
                report.error = error.as_ref().map(|error| ErrorReport::of(error, None));
            }
            _ => {}
        }
        Self::State { state: report }
    }

    pub(crate) fn message(message: &Message) -> Self {
        Self::Message { message: message_report(message) }
    }

    pub(crate) fn sent(id: String, sent: Sent) -> Self {
        Self::Sent {
            sent: SentReport {
                id,
                conversation: sent.conversation.to_string(),
                seq: sent.seq,
                time_ms: sent.time_ms,
                duplicate: sent.duplicate,
            },
        }
    }

    pub(crate) fn conversations(list: &[Conversation], id: Option<String>) -> Self {
        Self::Conversations { conversations: list.iter().map(conversation_report).collect(), id }
    }

    pub(crate) fn conversation(line: &Conversation) -> Self {
        Self::Conversation { conversation: conversation_report(line) }
    }

    pub(crate) fn receipt(receipt: &Receipt, user: &str) -> Self {
        Self::Receipt {
            receipt: ReceiptReport {
                conversation: receipt.conversation.to_string(),
                user: user.to_owned(),
                user_id: receipt.user.to_string(),
                delivered: receipt.delivered,
                read: receipt.read,
                time_ms: receipt.time_ms,
            },
        }
    }

    pub(crate) fn unknown_entry(entry: &parley_client::UnknownEntry) -> Self {
        Self::UnknownEntry { unknown_entry: unknown_report(entry) }
    }

    pub(crate) fn error(error: &parley_client::Error, id: Option<String>) -> Self {
        Self::Error { error: ErrorReport::of(error, id) }
    }

    pub(crate) fn refusal(refusal: Refusal) -> Self {
        let Refusal { code, text, id } = refusal;
        let name = code.name().to_owned();
        Self::Error { error: ErrorReport { code: code as u32, name, text, id } }
    }

    /// The line as it is written, with its end.
    pub(crate) fn to_line(&self) -> Option<Vec<u8>> {
        let mut line = serde_json::to_vec(self).ok()?;
        line.push(b'\n');
        Some(line)
    }
}

impl ErrorReport {
    fn of(error: &parley_client::Error, id: Option<String>) -> Self {
        let (code, name) = code_and_name(error);
        Self { code, name, text: error.to_string(), id }
    }
}

/// The entries of a page as the items of a history.
pub(crate) fn history_items(page: &HistoryPage) -> impl Iterator<Item = HistoryItem> + '_ {
    page.entries.iter().filter_map(|entry| match entry {
        Entry::Message(message) => Some(HistoryItem::Message(message_report(message))),
        Entry::Unknown(entry) => Some(HistoryItem::Unknown(unknown_report(entry))),
        _ => None,
    })
}

fn message_report(message: &Message) -> MessageReport {
    MessageReport {
        conversation: message.conversation.to_string(),
        seq: message.seq,
        from: message.sender.name.to_string(),
        text: message.text.to_string(),
        time_ms: message.time_ms,
        own: message.own,
    }
}

fn unknown_report(entry: &parley_client::UnknownEntry) -> UnknownReport {
    UnknownReport {
        conversation: entry.conversation.to_string(),
        seq: entry.seq,
        from: entry.sender.name.to_string(),
        kind: entry.kind,
        time_ms: entry.time_ms,
    }
}

fn conversation_report(line: &Conversation) -> ConversationReport {
    ConversationReport {
        conversation: line.id.to_string(),
        with: line.peer.as_ref().map(|peer| peer.name.to_string()),
        last_seq: line.last_seq,
        unread: line.unread,
        read: line.read,
        peer_delivered: line.peer_delivered,
        peer_read: line.peer_read,
        last_time_ms: line.last_time_ms,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parley_client::{ConversationId, User, UserId};
    use serde_json::{Value, json};

    fn message() -> Message {
        Message {
            conversation: ConversationId::new([7; 16]),
            seq: 3,
            sender: User { id: UserId::new([2; 16]), name: "bob".into() },
            text: "hi\n\0\u{1b}😀".into(),
            time_ms: 5,
            own: false,
        }
    }

    fn value(report: &Report) -> Value {
        let line = report.to_line().unwrap();
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1, "one line");
        serde_json::from_slice(&line).unwrap()
    }

    #[test]
    fn messages_and_history_have_the_contract_s_fields() {
        let conversation = "07070707-0707-0707-0707-070707070707";
        let fields = json!({
            "conversation": conversation, "seq": 3, "from": "bob",
            "text": "hi\n\0\u{1b}😀", "time_ms": 5, "own": false,
        });
        assert_eq!(value(&Report::message(&message())), json!({ "message": fields }));
        let page = HistoryPage {
            entries: vec![Entry::Message(message())],
            at_start: false,
            at_end: true,
            last_seq: 3,
            from_cache: false,
        };
        let about = HistoryAbout {
            conversation: Some(conversation.to_owned()),
            last_seq: 3,
            at_start: false,
            at_end: true,
            id: None,
        };
        let report = Report::History { history: history_items(&page).collect(), about };
        assert_eq!(
            value(&report),
            json!({
                "history": [fields], "conversation": conversation,
                "last_seq": 3, "at_start": false, "at_end": true,
            })
        );
    }

    #[test]
    fn sent_and_errors_have_the_contract_s_fields() {
        let sent = Sent {
            conversation: ConversationId::new([7; 16]),
            seq: 1,
            time_ms: 9,
            duplicate: true,
        };
        let sent = value(&Report::sent("my-1".to_owned(), sent));
        assert_eq!((&sent["sent"]["id"], &sent["sent"]["seq"]), (&json!("my-1"), &json!(1)));
        assert_eq!(sent["sent"]["duplicate"], json!(true));
        let refusal = Refusal {
            code: parley_client::Code::BadRequest,
            text: "no".to_owned(),
            id: Some("x".to_owned()),
        };
        assert_eq!(
            value(&Report::refusal(refusal)),
            json!({"error": {"code": 300, "name": "bad_request", "text": "no", "id": "x"}})
        );
    }
}
