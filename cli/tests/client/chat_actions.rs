//! What scripts do to messages, and what the others see of it: answers, new texts,
//! deletions, reactions, pins, mentions, receipts, reading anywhere.

use serde_json::{Value, json};

use crate::common::chat::Chat;
use crate::support::{chats, server};

async fn say(chat: &mut Chat, id: &str, more: &Value) -> Value {
    let mut send = more.clone();
    send["id"] = json!(id);
    chat.tell(&json!({"send": send}));
    chat.sent(id).await
}

#[tokio::test]
async fn what_is_done_to_a_message_is_seen_by_the_others_live_and_later() {
    let (folder, server) = server().await;
    let [mut ann, mut ben] = chats(&server, &folder, ["ann", "ben"]).await;
    let sent = say(&mut ann, "m1", &json!({"to": "ben", "text": "helo"})).await;
    let talk = sent["conversation"].clone();
    let on = |seq: u64| json!({"conversation": talk, "seq": seq});
    let with = |seq: u64, more: Value| {
        let mut value = on(seq);
        for (name, field) in more.as_object().unwrap() {
            value[name] = field.clone();
        }
        value
    };
    ann.tell(&json!({"edit": with(1, json!({"text": "hello", "id": "e"}))}));
    ann.sent("e").await;
    let edit = ben.event("edit").await;
    assert_eq!(
        (&edit["seq"], &edit["text"], &edit["from"]),
        (&json!(1), &json!("hello"), &json!("ann"))
    );
    ben.tell(&json!({"edit": with(1, json!({"text": "mine now", "id": "no"}))}));
    let refused = ben.event_where("error", |error| error["id"] == "no").await;
    assert_eq!(refused["name"], "forbidden", "{refused}");

    let answer = json!({"to": "ann", "text": "hi @ann", "reply_to": 1, "mentions": ["ann"]});
    say(&mut ben, "m2", &answer).await;
    let message = ann.event_where("message", |message| message["from"] == "ben").await;
    assert_eq!(message["reply_to"], 1, "{message}");
    assert_eq!(message["mentions"], json!([{"user": "ann", "start": 3, "length": 4}]));

    ben.tell(&json!({"react": with(1, json!({"emoji": "👍", "id": "r"}))}));
    let reaction = ann.event("reaction").await;
    assert_eq!((&reaction["emoji"], &reaction["removed"]), (&json!("👍"), &json!(false)));
    ann.tell(&json!({"pin": with(1, json!({"id": "p"}))}));
    assert_eq!(ben.event("pin").await["seq"], 1);

    ben.tell(&json!({"history": {"conversation": talk, "after_seq": 0}}));
    let history = ben.event("history").await;
    let first = &history[0];
    assert_eq!(
        (&first["text"], &first["edited"], &first["pinned"]),
        (&json!("hello"), &json!(true), &json!(true)),
        "{history}"
    );
    assert_eq!(first["reactions"], json!([{"emoji": "👍", "users": ["ben"]}]));
    assert_eq!(history[1]["edit"], json!({"seq": 1, "text": "hello"}), "{history}");

    ben.tell(&json!({"react": with(1, json!({"emoji": "👍", "remove": true}))}));
    assert_eq!(ann.event("reaction").await["removed"], true);
    ann.tell(&json!({"delete": with(1, json!({"for": "all", "id": "d"}))}));
    ann.sent("d").await;
    let gone = ben.event("delete").await;
    assert_eq!((&gone["seq"], &gone["for"]), (&json!(1), &json!("all")), "{gone}");
    ben.tell(&json!({"history": {"conversation": talk, "after_seq": 0}}));
    let history = ben.event("history").await;
    assert_eq!((&history[0]["deleted"], &history[0]["text"]), (&json!(true), &json!("")));
    assert!(!history.to_string().contains("hello"), "no word of it is left: {history}");
}

#[tokio::test]
async fn what_one_deletes_for_oneself_is_there_for_the_others() {
    let (folder, server) = server().await;
    let [mut ann, mut ben] = chats(&server, &folder, ["ann", "ben"]).await;
    let talk =
        say(&mut ann, "m1", &json!({"to": "ben", "text": "one"})).await["conversation"].clone();
    say(&mut ann, "m2", &json!({"to": "ben", "text": "two"})).await;
    ben.event_where("message", |message| message["text"] == "two").await;
    let hide = json!({"conversation": talk, "seq": 1, "for": "me", "id": "h"});
    ben.tell(&json!({"delete": hide}));
    let hidden = ben.event_where("delete", |deleted| deleted["id"] == "h").await;
    assert_eq!((&hidden["for"], &hidden["seqs"]), (&json!("me"), &json!([1])));
    ben.tell(&json!({"history": {"conversation": talk, "after_seq": 0}}));
    let history = ben.event("history").await;
    assert_eq!((&history[0]["deleted"], &history[1]["text"]), (&json!(true), &json!("two")));
    ann.tell(&json!({"history": {"conversation": talk, "after_seq": 0}}));
    assert_eq!(ann.event("history").await[0]["text"], "one");
}

#[tokio::test]
async fn mentions_pins_and_moments_are_found_again() {
    let (folder, server) = server().await;
    let [mut ann, mut ben] = chats(&server, &folder, ["ann", "ben"]).await;
    let first =
        say(&mut ann, "m1", &json!({"to": "ben", "text": "@ben 1", "mentions": ["ben"]})).await;
    let talk = first["conversation"].clone();
    let mut times = vec![first["time_ms"].as_u64().unwrap()];
    for n in 2..=20 {
        let (id, text) = (format!("m{n}"), json!({"to": "ben", "text": format!("{n}")}));
        times.push(say(&mut ann, &id, &text).await["time_ms"].as_u64().unwrap());
    }
    ann.tell(&json!({"pin": {"conversation": talk, "seq": 7, "id": "p"}}));
    ann.sent("p").await;
    let mut ask = async |how: Value| {
        let mut history = how;
        history["conversation"] = talk.clone();
        ben.tell(&json!({"history": history}));
        let found = ben.event("history").await;
        found.as_array().unwrap().iter().map(|m| m["seq"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(ask(json!({"mentions": true})).await, [1]);
    assert_eq!(ask(json!({"pinned": true})).await, [7]);
    let around = ask(json!({"around_seq": 10, "limit": 5})).await;
    assert!(around.len() == 5 && around.contains(&10), "{around:?}");
    // Several may have been stamped within the same millisecond.
    let tenth = times[9];
    let first_then = times.iter().position(|time| *time >= tenth).unwrap() as u64 + 1;
    let then = ask(json!({"around_time_ms": tenth, "limit": 4})).await;
    assert!(then.contains(&first_then), "{then:?} without {first_then}");
    ben.tell(&json!({"conversations": {}}));
    let line = ben.event("conversations").await[0].clone();
    assert_eq!((&line["unread"], &line["mentions"]), (&json!(20), &json!(1)), "{line}");
}

#[tokio::test]
async fn who_has_a_message_is_told_as_it_happens_and_when_asked() {
    let (folder, server) = server().await;
    let [mut ann, mut ben, mut cat] = chats(&server, &folder, ["ann", "ben", "cat"]).await;
    let create = json!({"title": "three", "members": ["ben", "cat"], "id": "g"});
    ann.tell(&json!({"group": {"create": create}}));
    let made = ann.event_where("group", |group| group["id"] == "g").await;
    let group = made["conversation"].clone();
    let seq =
        say(&mut ann, "m", &json!({"conversation": group, "text": "hi"})).await["seq"].clone();
    // A device says by itself that it has it.
    let has = |user: &'static str| {
        let seq = seq.as_u64();
        move |receipt: &Value| receipt["user"] == user && receipt["delivered"].as_u64() >= seq
    };
    ann.event_where("receipt", has("ben")).await;
    cat.event_where("message", |message| message["text"] == "hi").await;
    ben.tell(&json!({"read": {"conversation": group, "up_to": seq, "id": "r"}}));
    ben.event_where("read", |read| read["id"] == "r").await;
    let receipt = ann.event_where("receipt", |receipt| receipt["read"] == seq).await;
    assert_eq!(receipt["user"], "ben");
    assert!(receipt["time_ms"].as_u64() > Some(1_700_000_000_000), "{receipt}");
    ann.tell(&json!({"receipts": {"conversation": group, "seq": seq}}));
    let receipts = ann.event("receipts").await;
    let of = |name: &str| {
        let members = receipts["members"].as_array().unwrap();
        members.iter().find(|member| member["user"] == name).unwrap().clone()
    };
    assert_eq!(of("ben")["read_ms"], receipt["time_ms"], "{receipts}");
    assert_eq!(of("cat")["read_ms"], 0);
    let moved = json!({"conversation": group, "up_to": seq, "id": "d"});
    cat.tell(&json!({"delivered": moved}));
    assert_eq!(cat.event("delivered").await["id"], "d");
}
