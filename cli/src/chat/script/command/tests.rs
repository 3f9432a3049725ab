//! Lines that scripts write, and what is made of them.

use parley_client::{Audience, ConversationId, NotifyLevel, PreferencesChange, Role, Who};

use super::*;
use crate::chat::act::{
    GroupAct, History, MentionOf, MentionSpan, Part, Password, PresenceAct, SendExtras,
    SettingsChange, Target,
};

const ID: &str = "018f0000-0000-7000-8000-000000000001";

fn parse(line: &str) -> Command {
    Command::parse(line.as_bytes()).unwrap().unwrap()
}

/// The act of a command line, in which `ID` stands for a conversation.
fn act(line: &str) -> Act {
    parse(&line.replace("ID", &format!("{ID:?}"))).act
}

fn refusal(line: impl AsRef<[u8]>) -> (Code, Option<String>) {
    let refusal = Command::parse(line.as_ref()).unwrap_err();
    (refusal.code, refusal.id)
}

fn conversation() -> ConversationId {
    ID.parse().unwrap()
}

fn ben() -> Target {
    Target::User("ben".to_owned())
}

#[test]
fn the_first_contract_is_still_understood() {
    assert_eq!(
        parse(r#"{"send":{"to":"ben","text":"hi","id":"my-1"}}"#),
        Command {
            id: Some("my-1".to_owned()),
            act: Act::Send { to: ben(), text: "hi".to_owned(), extras: SendExtras::default() },
        }
    );
    assert_eq!(
        act(r#"{"history":{"with":"ben","after_seq":0,"limit":100}}"#),
        Act::History(History { of: ben(), range: Part::After(0), limit: 100 })
    );
    assert_eq!(act(r#"{"quit":{}}"#), Act::Quit);
    assert_eq!(act(r#"{"conversations":{}}"#), Act::Conversations);
    assert_eq!(
        act(r#"{"read":{"conversation":ID,"up_to":7}}"#),
        Act::Read { of: Target::Conversation(conversation()), up_to: 7 }
    );
}

#[test]
fn groups_are_made_and_changed() {
    let line = r#"{"group":{"create":{"title":"Walks","members":["ben","cat"],"id":"g"}}}"#;
    assert_eq!(
        parse(line),
        Command {
            id: Some("g".to_owned()),
            act: Act::NewGroup {
                title: "Walks".to_owned(),
                description: String::new(),
                picture: String::new(),
                members: vec!["ben".to_owned(), "cat".to_owned()],
                settings: SettingsChange::default(),
            },
        }
    );
    let of = |act| Act::Group { conversation: conversation(), act };
    let users = || vec!["ben".to_owned()];
    let cases = [
        (r#"{"add":{"conversation":ID,"members":["ben"]}}"#, GroupAct::Add { users: users() }),
        (r#"{"remove":{"conversation":ID,"user":"ben"}}"#, GroupAct::Remove { users: users() }),
        (r#"{"ban":{"conversation":ID,"user":"ben"}}"#, GroupAct::Ban { users: users() }),
        (r#"{"unban":{"conversation":ID,"members":["ben"]}}"#, GroupAct::Unban { users: users() }),
        (r#"{"banned":{"conversation":ID}}"#, GroupAct::Banned),
        (r#"{"leave":{"conversation":ID}}"#, GroupAct::Leave),
        (
            r#"{"role":{"conversation":ID,"user":"ben","role":"admin"}}"#,
            GroupAct::Role { user: "ben".to_owned(), role: Role::Admin },
        ),
        (
            r#"{"info":{"conversation":ID}}"#,
            GroupAct::Info { title: None, description: None, picture: None, settings: None },
        ),
        (r#"{"invite":{"conversation":ID}}"#, GroupAct::Invite { expires_ms: 0, max_uses: 0 }),
        (
            r#"{"invite":{"conversation":ID,"create":{"max_uses":2}}}"#,
            GroupAct::Invite { expires_ms: 0, max_uses: 2 },
        ),
        (r#"{"invite":{"conversation":ID,"list":{}}}"#, GroupAct::Invites),
        (
            r#"{"invite":{"conversation":ID,"revoke":"ab"}}"#,
            GroupAct::Revoke { link: "ab".to_owned() },
        ),
    ];
    for (line, expected) in cases {
        assert_eq!(act(&format!("{{\"group\":{line}}}")), of(expected), "{line}");
    }
    let line = r#"{"group":{"join":{"code":"abc"}}}"#;
    assert_eq!(act(line), Act::Join { code: "abc".to_owned() });
}

#[test]
fn settings_of_a_group_change_one_by_one() {
    let line = r#"{"group":{"info":{"conversation":ID,"title":"T",
        "settings":{"send":"admins","retention_s":60}}}}"#;
    let Act::Group { act: GroupAct::Info { title, settings, .. }, .. } = act(line) else {
        panic!("info")
    };
    let expected = SettingsChange {
        send: Some(Who::Admins),
        retention_s: Some(60),
        ..SettingsChange::default()
    };
    assert_eq!((title.as_deref(), settings), (Some("T"), Some(expected)));
    let wrong = line.replace("ID", &format!("{ID:?}")).replace("admins", "nobody");
    assert_eq!(refusal(wrong).0, Code::BadRequest);
}

#[test]
fn messages_carry_replies_and_mentions_and_are_acted_upon() {
    let line = r#"{"send":{"conversation":ID,"text":"@ben hi","reply_to":3,"forwarded":true,
        "mentions":["ben",{"user":"cat","start":0,"length":4},{"everyone":true}]}}"#;
    let Act::Send { extras, .. } = act(line) else { panic!("a send") };
    let named = |name: &str| MentionOf::User(name.to_owned());
    assert_eq!(
        extras,
        SendExtras {
            reply_to: 3,
            forwarded: true,
            mentions: vec![
                MentionSpan { who: named("ben"), at: None },
                MentionSpan { who: named("cat"), at: Some((0, 4)) },
                MentionSpan { who: MentionOf::Everyone, at: None },
            ],
        }
    );
    let text = "x".to_owned();
    assert_eq!(
        act(r#"{"edit":{"with":"ben","seq":4,"text":"x"}}"#),
        Act::Edit { of: ben(), seq: 4, text, mentions: Vec::new() }
    );
    for (how, expected) in [
        (r#""seq":4"#, Act::DeleteForAll { of: ben(), seq: 4 }),
        (r#""seq":4,"for":"all""#, Act::DeleteForAll { of: ben(), seq: 4 }),
        (r#""seqs":[4,5],"for":"me""#, Act::DeleteForMe { of: ben(), seqs: vec![4, 5] }),
    ] {
        assert_eq!(act(&format!(r#"{{"delete":{{"with":"ben",{how}}}}}"#)), expected);
    }
    assert_eq!(refusal(r#"{"delete":{"with":"ben","seqs":[1,2]}}"#).0, Code::BadRequest);
    let emoji = "👍".to_owned();
    assert_eq!(
        act(r#"{"react":{"with":"ben","seq":4,"emoji":"👍","remove":true}}"#),
        Act::React { of: ben(), seq: 4, emoji, remove: true }
    );
    assert_eq!(
        act(r#"{"pin":{"with":"ben","seq":4}}"#),
        Act::Pin { of: ben(), seq: 4, remove: false }
    );
    assert_eq!(act(r#"{"typing":{"with":"ben"}}"#), Act::Typing { of: ben(), stopped: false });
    assert_eq!(act(r#"{"receipts":{"with":"ben","seq":1}}"#), Act::Receipts { of: ben(), seq: 1 });
}

#[test]
fn a_history_has_one_range_and_is_bounded() {
    let range = |how: &str| {
        let line = format!(r#"{{"history":{{"with":"ben",{how}"limit":4000000000}}}}"#);
        let Act::History(history) = act(&line) else { panic!("a history") };
        assert_eq!(history.limit, message::HISTORY_LIMIT.1);
        history.range
    };
    assert_eq!(range(""), Part::Newest);
    assert_eq!(range(r#""around_seq":5,"#), Part::Around(5));
    assert_eq!(range(r#""around_time_ms":5,"#), Part::AroundTime(5));
    assert_eq!(range(r#""mentions":true,"#), Part::MentionsBefore(u64::MAX));
    assert_eq!(range(r#""mentions":9,"#), Part::MentionsBefore(9));
    assert_eq!(range(r#""pinned":true,"#), Part::Pinned);
    assert_eq!(range(r#""edits_of":9,"#), Part::EditsOf(9));
    let two = r#"{"history":{"with":"ben","after_seq":1,"before_seq":9,"id":"h"}}"#;
    assert_eq!(refusal(two), (Code::BadRequest, Some("h".to_owned())));
}

#[test]
fn people_and_the_account() {
    let names = || vec!["ben".to_owned()];
    assert_eq!(
        act(r#"{"presence":{"subscribe":["ben"]}}"#),
        Act::Presence(PresenceAct::Subscribe(names()))
    );
    assert_eq!(act(r#"{"presence":{"fetch":"ben"}}"#), Act::Presence(PresenceAct::Fetch(names())));
    assert_eq!(act(r#"{"profile":{}}"#), Act::Profile { user: None });
    let Act::ChangeProfile(change) = act(r#"{"profile":{"about":"out"}}"#) else { panic!() };
    assert_eq!(change.about.as_deref(), Some("out"));
    assert_eq!(refusal(r#"{"profile":{"user":"ben","about":"out"}}"#).0, Code::BadRequest);
    assert_eq!(
        act(r#"{"contact":{"add":"ben"}}"#),
        Act::Contact { user: "ben".to_owned(), remove: false }
    );
    assert_eq!(
        act(r#"{"block":{"user":"ben"}}"#),
        Act::Block { user: "ben".to_owned(), remove: false }
    );
    assert_eq!(act(r#"{"devices":{}}"#), Act::Devices);
    assert_eq!(act(r#"{"devices":{"log_out_others":{}}}"#), Act::LogOutOthers);
    let Act::Settings(settings) = act(r#"{"settings":{"presence":"nobody","typing":false}}"#)
    else {
        panic!("settings")
    };
    assert_eq!((settings.presence, settings.typing), (Some(Audience::Nobody), Some(false)));
    let line = r#"{"account":{"password":{"old":"o","new":"n"},"id":"p"}}"#;
    let password = |text: &str| Password(text.to_owned().into());
    let expected = Act::Password { old: password("o"), new: password("n") };
    assert_eq!(parse(line), Command { id: Some("p".to_owned()), act: expected });
    assert!(!format!("{:?}", password("horse")).contains("horse"));
}

#[test]
fn preferences_change_what_is_given() {
    let Act::Preferences { change, .. } =
        act(r#"{"preferences":{"with":"ben","muted":true,"level":"mentions"}}"#)
    else {
        panic!("preferences")
    };
    assert_eq!(
        (change.muted_until_ms, change.level),
        (Some(u64::MAX), Some(NotifyLevel::Mentions))
    );

    let Act::Preferences { change, .. } = act(r#"{"preferences":{"with":"ben"}}"#) else {
        panic!("preferences")
    };
    assert_eq!(*change, PreferencesChange::default());
}

#[test]
fn any_text_that_json_can_hold_is_taken() {
    let line = r#"{"send":{"to":"ben","text":"\u0000\ud83d\ude00\u202e"}}"#;
    let Act::Send { text, .. } = act(line) else { panic!("a send") };
    assert_eq!(text, "\0😀\u{202e}");
}

#[test]
fn a_lone_surrogate_is_refused_with_the_id() {
    for text in [r"\ud83d", r"\ude00", r"\ud83dx", r"\ud83d\ud83d"] {
        let line = format!(r#"{{"send":{{"to":"ben","text":"{text}","id":"my-2"}}}}"#);
        assert_eq!(refusal(line), (Code::BadRequest, Some("my-2".to_owned())), "{text}");
    }
}

#[test]
fn bytes_that_are_not_utf8_are_refused() {
    let line = b"{\"send\":{\"to\":\"ben\",\"text\":\"\xff\",\"id\":\"my-3\"}}";
    assert_eq!(refusal(line).0, Code::BadRequest);
}

#[test]
fn what_is_no_command_says_so() {
    assert_eq!(refusal("hello"), (Code::BadRequest, None));
    assert_eq!(refusal("[]"), (Code::BadRequest, None));
    assert_eq!(refusal("{}"), (Code::BadRequest, None));
    assert_eq!(refusal(r#"{"dance":{"id":"d"}}"#), (Code::UnknownRequest, Some("d".into())));
    let with_id = |line: &str| assert_eq!(refusal(line), (Code::BadRequest, Some("a".into())));
    with_id(r#"{"send":{"to":"ben","id":"a"}}"#);
    with_id(r#"{"send":{"to":"ben","conversation":"x","text":"t","id":"a"}}"#);
    with_id(r#"{"send":{"to":"ben","text":"t","colour":1,"id":"a"}}"#);
    with_id(r#"{"group":{"leave":{"conversation":"x","id":"a"}}}"#);
    with_id(r#"{"group":{"join":{},"leave":{},"id":"a"}}"#);
    with_id(r#"{"group":{"join":{"code":"c","id":"b"},"id":"a"}}"#);
    with_id(r#"{"read":{"with":"ben","up_to":-1,"id":"a"}}"#);
    with_id(r#"{"presence":{"subscribe":[1],"id":"a"}}"#);
    assert_eq!(refusal(r#"{"history":{"limit":1}}"#), (Code::BadRequest, None));
    let two = r#"{"quit":{},"send":{"to":"ben","text":"t","id":"a"}}"#;
    assert_eq!(refusal(two).0, Code::BadRequest);
    assert_eq!(refusal("[".repeat(100_000)), (Code::BadRequest, None));
    let deep = format!(r#"{{"send":{{"to":{}}}}}"#, "[".repeat(100_000));
    assert_eq!(refusal(deep), (Code::BadRequest, None));
}

#[test]
fn every_command_is_listed_and_known() {
    for name in NAMES {
        let refused = Command::parse(format!("{{\"{name}\":{{\"colour\":1}}}}").as_bytes());
        assert_eq!(refused.unwrap_err().code, Code::BadRequest, "{name}");
        let bare = Command::parse(format!("{{\"{name}\":{{}}}}").as_bytes());
        let text = bare.err().map_or_else(String::new, |refusal| refusal.text);
        assert!(!text.contains("no such command"), "{name}: {text}");
    }
}

#[test]
fn an_empty_line_is_passed_over() {
    assert_eq!(Command::parse(b"").unwrap(), None);
    assert_eq!(Command::parse(b" \t\r").unwrap(), None);
}
