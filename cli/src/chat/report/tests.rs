//! The lines as scripts read them.

use std::sync::Arc;

use parley_client::{
    Change, ConversationId, Edit, Entry, HistoryPage, Mention, Mentioned, Message, Origin,
    Reaction, ReactionGroup, Role, Sent, User, UserId, What,
};
use serde_json::{Value, json};

use super::*;

const ID: &str = "07070707-0707-0707-0707-070707070707";
const CONVERSATION: ConversationId = ConversationId::new([7; 16]);

fn ben() -> User {
    User { id: UserId::new([2; 16]), name: "ben".into() }
}

fn names() -> Names {
    let names = Names::default();
    names.learn(&ben());
    names
}

fn origin(seq: u64) -> Origin {
    Origin { conversation: CONVERSATION, seq, sender: ben(), time_ms: 5, own: false }
}

fn message() -> Message {
    Message::plain(CONVERSATION, 3, ben(), "hi\n\0\u{1b}😀", 5, false)
}

fn value(report: &Report) -> Value {
    let line = report.to_line().unwrap();
    assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1, "one line");
    serde_json::from_slice(&line).unwrap()
}

#[test]
fn a_plain_message_has_the_first_contract_s_fields_and_no_others() {
    let fields = json!({
        "conversation": ID, "seq": 3, "from": "ben",
        "text": "hi\n\0\u{1b}😀", "time_ms": 5, "own": false,
    });
    assert_eq!(value(&Report::message(&message(), &names())), json!({ "message": fields }));
}

#[test]
fn a_message_tells_what_it_answers_whom_it_names_and_what_became_of_it() {
    let mention = |who| Mention { start: 0, length: 4, who };
    let full = Message {
        reply_to: Some(1),
        mentions: vec![mention(Mentioned::User(ben().id)), mention(Mentioned::Everyone)],
        forwarded: true,
        pinned: true,
        deleted: true,
        reactions: vec![ReactionGroup { emoji: "👍".into(), users: vec![ben()] }],
        ..message()
    };
    let line = value(&Report::message(&full, &names()));
    let told = &line["message"];
    assert_eq!(told["reply_to"], 1);
    assert_eq!(
        told["mentions"],
        json!([
            {"user": "ben", "start": 0, "length": 4},
            {"everyone": true, "start": 0, "length": 4},
        ])
    );
    assert_eq!(told["reactions"], json!([{"emoji": "👍", "users": ["ben"]}]));
    for flag in ["forwarded", "pinned", "deleted"] {
        assert_eq!(told[flag], true, "{flag}");
    }
}

#[test]
fn what_is_done_to_a_message_names_the_message_and_the_entry() {
    let edit = Edit { origin: origin(8), target: 3, text: "new".into(), mentions: Vec::new() };
    assert_eq!(
        value(&Report::edit(&edit, &names())),
        json!({"edit": {
            "conversation": ID, "seq": 3, "text": "new", "from": "ben", "time_ms": 5,
            "own": false, "entry_seq": 8,
        }})
    );
    let emoji: Arc<str> = "👍".into();
    let reaction = Reaction { origin: origin(9), target: 3, emoji, removed: true };
    let line = value(&Report::reaction(&reaction, &names()));
    assert_eq!(
        (&line["reaction"]["emoji"], &line["reaction"]["removed"]),
        (&json!("👍"), &json!(true))
    );
    let hidden = HiddenReport { conversation: ID.to_owned(), seqs: vec![3], r#for: "me", id: None };
    let line = value(&Report::Hidden(hidden));
    assert_eq!(line, json!({"delete": {"conversation": ID, "seqs": [3], "for": "me"}}));
}

#[test]
fn a_change_of_a_group_says_what_and_by_whom() {
    let change = Change { origin: origin(4), what: What::Role { user: ben(), role: Role::Admin } };
    let report = GroupReport::changed(&change, None, &names());
    assert_eq!(
        value(&Report::Group(Box::new(report))),
        json!({"group": {
            "conversation": ID, "change": "role", "by": "ben", "users": ["ben"], "role": "admin",
            "seq": 4, "time_ms": 5,
        }})
    );
}

#[test]
fn a_history_is_a_list_beside_its_ends() {
    let change = Change { origin: origin(4), what: What::Left };
    let page = HistoryPage {
        entries: vec![Entry::Message(message()), Entry::Change(change)],
        quoted: Vec::new(),
        at_start: false,
        at_end: true,
        last_seq: 4,
        reactions_cut: false,
        from_cache: false,
    };
    let about = HistoryAbout {
        conversation: Some(ID.to_owned()),
        last_seq: 4,
        at_start: false,
        at_end: true,
        id: None,
    };
    let report = Report::History { history: history_items(&page, &names()).collect(), about };
    assert_eq!(
        value(&report),
        json!({
            "history": [
                {
                    "conversation": ID, "seq": 3, "from": "ben",
                    "text": "hi\n\0\u{1b}😀", "time_ms": 5, "own": false,
                },
                {
                    "conversation": ID, "seq": 4, "from": "ben", "time_ms": 5, "own": false,
                    "group": {"change": "left", "by": "ben"},
                },
            ],
            "conversation": ID, "last_seq": 4, "at_start": false, "at_end": true,
        })
    );
}

#[test]
fn sent_and_errors_have_the_contract_s_fields() {
    let sent = Sent { conversation: CONVERSATION, seq: 1, time_ms: 9, duplicate: true };
    let sent = value(&Report::sent("my-1".to_owned(), sent));
    assert_eq!((&sent["sent"]["id"], &sent["sent"]["seq"]), (&json!("my-1"), &json!(1)));
    assert_eq!(sent["sent"]["duplicate"], json!(true));
    let error = ErrorReport {
        code: 300,
        name: "bad_request".to_owned(),
        text: "no".to_owned(),
        retry_after_ms: None,
        id: Some("x".to_owned()),
    };
    assert_eq!(
        value(&Report::Error(error)),
        json!({"error": {"code": 300, "name": "bad_request", "text": "no", "id": "x"}})
    );
}
