//! People as scripts meet them: who is there and writes, profiles, blocks, what is
//! set for a conversation, devices, the account's end.

use serde_json::{Value, json};

use crate::common::chat::Chat;
use crate::support::{chats, server};

async fn named(chat: &mut Chat, event: &str, id: &str) -> Value {
    chat.event_where(event, |value| value["id"] == id).await
}

async fn talk(ann: &mut Chat, ben: &mut Chat) -> Value {
    ann.send("ben", "first", "hi");
    let conversation = ann.sent("first").await["conversation"].clone();
    ben.event("message").await;
    conversation
}

#[tokio::test]
async fn who_is_there_and_who_writes_is_told() {
    let (folder, server) = server().await;
    let [mut ann, mut ben] = chats(&server, &folder, ["ann", "ben"]).await;
    let talk = talk(&mut ann, &mut ben).await;
    // Strangers don't see each other type.
    ben.send("ann", "answer", "hello");
    ben.sent("answer").await;
    ann.event("message").await;
    ann.tell(&json!({"presence": {"subscribe": ["ben"], "id": "s"}}));
    let there = named(&mut ann, "presence", "s").await;
    assert_eq!((&there["user"], &there["online"]), (&json!("ben"), &json!(true)), "{there}");

    ben.tell(&json!({"typing": {"conversation": talk}}));
    let typing = ann.event("typing").await;
    assert_eq!((&typing["user"], &typing["active"]), (&json!("ben"), &json!(true)), "{typing}");
    ben.tell(&json!({"typing": {"conversation": talk, "stopped": true}}));
    assert_eq!(ann.event("typing").await["active"], false);

    ben.tell(&json!({"quit": {}}));
    let gone = ann.event_where("presence", |presence| presence["online"] == false).await;
    assert_eq!(gone["user"], "ben");
    assert!(gone["last_seen_ms"].as_u64() > Some(1_700_000_000_000), "{gone}");
    assert!(ben.exited().await.success());
    ann.tell(&json!({"presence": {"fetch": ["ben"], "id": "f"}}));
    assert_eq!(named(&mut ann, "presence", "f").await["online"], false);
}

#[tokio::test]
async fn a_block_holds_at_once_and_can_be_taken_back() {
    let (folder, server) = server().await;
    let [mut ann, mut ben] = chats(&server, &folder, ["ann", "ben"]).await;
    let talk = talk(&mut ann, &mut ben).await;
    ann.tell(&json!({"block": {"user": "ben", "id": "b"}}));
    assert_eq!(named(&mut ann, "block", "b").await["user"], "ben");
    ben.tell(&json!({"send": {"conversation": talk, "text": "hello?", "id": "no"}}));
    assert_eq!(named(&mut ben, "error", "no").await["name"], "not_accepted");
    ben.tell(&json!({"group": {"create": {"title": "t", "members": ["ann"], "id": "g"}}}));
    assert_eq!(named(&mut ben, "error", "g").await["name"], "not_accepted");
    ben.tell(&json!({"presence": {"fetch": ["ann"], "id": "p"}}));
    let hidden = named(&mut ben, "presence", "p").await;
    assert_eq!((&hidden["online"], &hidden["last_seen_ms"]), (&json!(false), &json!(0)));
    ann.tell(&json!({"blocked": {"id": "l"}}));
    assert_eq!(ann.event("blocked").await[0]["user"], "ben");
    ann.tell(&json!({"unblock": {"user": "ben", "id": "u"}}));
    named(&mut ann, "unblock", "u").await;
    ben.tell(&json!({"send": {"conversation": talk, "text": "again", "id": "yes"}}));
    ben.sent("yes").await;
    assert_eq!(ann.event("message").await["text"], "again");
}

#[tokio::test]
async fn profiles_contacts_and_settings_say_what_was_set() {
    let (folder, server) = server().await;
    let [mut ann, mut ben] = chats(&server, &folder, ["ann", "ben"]).await;
    let change = json!({"display_name": "Ann W.", "phone": "+49 1", "id": "me"});
    ann.tell(&json!({"profile": change}));
    assert_eq!(named(&mut ann, "profile", "me").await["display_name"], "Ann W.");
    ben.tell(&json!({"profile": {"user": "ann", "id": "p"}}));
    let seen = named(&mut ben, "profile", "p").await;
    assert_eq!((&seen["display_name"], &seen["phone"]), (&json!("Ann W."), &json!("")), "{seen}");
    ann.tell(&json!({"contact": {"add": "ben", "id": "c"}}));
    assert_eq!(named(&mut ann, "contact", "c").await["contact"], true);
    ann.tell(&json!({"contacts": {}}));
    assert_eq!(ann.event("contacts").await[0]["user"], "ben");
    ben.tell(&json!({"profile": {"user": "ann", "id": "q"}}));
    let seen = named(&mut ben, "profile", "q").await;
    assert_eq!(seen["phone"], "+49 1", "contacts see it: {seen}");
    ann.tell(&json!({"settings": {"messages": "contacts", "read_receipts": false, "id": "s"}}));
    let set = named(&mut ann, "settings", "s").await;
    assert_eq!((&set["messages"], &set["read_receipts"]), (&json!("contacts"), &json!(false)));
    assert_eq!(set["presence"], "everyone", "what is not given stays");
    ann.tell(&json!({"report": {"user": "ben", "reason": "rude", "id": "r"}}));
    assert_eq!(named(&mut ann, "report", "r").await["user"], "ben");
}

#[tokio::test]
async fn what_is_set_for_a_conversation_comes_to_the_other_device() {
    let (folder, server) = server().await;
    let [mut ann, mut ben] = chats(&server, &folder, ["ann", "ben"]).await;
    let talk = talk(&mut ann, &mut ben).await;
    let more = ["--device", "laptop"];
    let mut laptop = Chat::start(&server.ready.tls, &server.ready, "ann", folder.path(), &more);
    laptop.event("ready").await;
    let change = json!({"conversation": talk, "muted": true, "draft": "half a",
        "level": "mentions", "id": "p"});
    ann.tell(&json!({"preferences": change}));
    let set = named(&mut ann, "preferences", "p").await;
    assert_eq!(set["muted_until_ms"], u64::MAX);
    let line = laptop.event_where("conversation", |line| line["muted"] == true).await;
    assert_eq!(line["conversation"], talk);
    laptop.tell(&json!({"preferences": {"conversation": talk, "id": "q"}}));
    let there = named(&mut laptop, "preferences", "q").await;
    assert_eq!((&there["draft"], &there["level"]), (&json!("half a"), &json!("mentions")));
}

#[tokio::test]
async fn devices_are_listed_and_logged_out_and_the_account_ends() {
    let (folder, server) = server().await;
    let [mut ann, mut ben] = chats(&server, &folder, ["ann", "ben"]).await;
    let other = |device: &str| {
        let more = ["--device", device];
        Chat::start(&server.ready.tls, &server.ready, "ann", folder.path(), &more)
    };
    let (mut laptop, mut phone) = (other("laptop"), other("phone"));
    laptop.event("ready").await;
    phone.event("ready").await;
    ann.tell(&json!({"devices": {"id": "d"}}));
    let devices = ann.event("devices").await;
    let devices = devices.as_array().unwrap();
    assert_eq!(devices.len(), 3);
    assert_eq!(devices.iter().filter(|device| device["current"] == true).count(), 1);
    assert!(
        devices.iter().all(|device| device["last_active_ms"].as_u64() > Some(0)),
        "{devices:?}"
    );
    let phone_id = devices.iter().find(|device| device["name"] == "phone").unwrap();
    ann.tell(&json!({"devices": {"log_out": phone_id["device_id"]}}));
    assert_eq!(ann.event("devices").await.as_array().unwrap().len(), 2);

    let line = json!({"password": {"old": "wrong password", "new": "another password"}, "id": "w"});
    ann.tell(&json!({"account": line}));
    assert_eq!(named(&mut ann, "error", "w").await["name"], "credentials_wrong");
    ann.tell(&json!({"account": {"export": {"id": "x"}}}));
    let exported = named(&mut ann, "account", "x").await["exported"].as_u64().unwrap();
    let lines = ann.seen.iter().filter(|line| line.get("export").is_some()).count();
    assert!(exported > 0 && lines as u64 == exported, "{exported} lines, {lines} seen");

    let delete = json!({"delete": {"password": "password of ann"}, "id": "end"});
    ann.tell(&json!({"account": delete}));
    assert_eq!(named(&mut ann, "account", "end").await["deleted"], true);
    assert!(ann.exited().await.success());
    ben.tell(&json!({"send": {"to": "ann", "text": "still there?", "id": "no"}}));
    assert_eq!(named(&mut ben, "error", "no").await["name"], "not_found");
}

#[tokio::test]
async fn a_sign_in_elsewhere_is_told() {
    let (folder, server) = server().await;
    let [mut ann] = chats(&server, &folder, ["ann"]).await;
    let ready = &server.ready;
    let elsewhere = folder.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let mut tablet = Chat::start(&ready.tls, ready, "ann", &elsewhere, &["--device", "tablet"]);
    let there = tablet.event("ready").await;
    let told = ann.event("signed_in").await;
    assert_eq!((&told["device"], &told["new_device"]), (&json!("tablet"), &json!(true)), "{told}");
    assert_eq!(told["device_id"], there["device_id"]);
    assert!(told["time_ms"].as_u64() > Some(1_700_000_000_000), "{told}");
}
