//! The life of a group as scripts live it: made, grown, led, joined, left.

use serde_json::{Value, json};

use crate::common::chat::Chat;
use crate::support::{chats, server};

/// Who is in, and as what.
fn members(group: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let members = group["members"].as_array().unwrap().iter();
    let mut members: Vec<_> =
        members.map(|member| (text(&member["user"]), text(&member["role"]))).collect();
    // Who came with one entry is in no particular order.
    members.sort();
    members
}

fn pair(user: &str, role: &str) -> (String, String) {
    (user.to_owned(), role.to_owned())
}

/// The answer to the group command with this id.
async fn answer(chat: &mut Chat, id: &str) -> Value {
    chat.event_where("group", |group| group["id"] == id).await
}

async fn change(chat: &mut Chat, change: &str) -> Value {
    chat.event_where("group", |group| group["change"] == change).await
}

async fn refused(chat: &mut Chat, id: &str) -> Value {
    chat.event_where("error", |error| error["id"] == id).await["name"].clone()
}

/// A group of ann's with ben in it.
async fn walks(ann: &mut Chat, ben: &mut Chat) -> Value {
    let create = json!({"title": "Walks", "members": ["ben"], "id": "g"});
    ann.tell(&json!({"group": {"create": create}}));
    let made = answer(ann, "g").await;
    assert_eq!(made["title"], "Walks", "{made}");
    assert_eq!(members(&made), [pair("ann", "owner"), pair("ben", "member")]);
    let seen = change(ben, "created").await;
    assert_eq!((&seen["conversation"], &seen["by"]), (&made["conversation"], &json!("ann")));
    made["conversation"].clone()
}

#[tokio::test]
async fn a_group_is_made_grown_and_led() {
    let (folder, server) = server().await;
    let [mut ann, mut ben, mut cat] = chats(&server, &folder, ["ann", "ben", "cat"]).await;
    let group = walks(&mut ann, &mut ben).await;
    ben.tell(&json!({"group": {"add": {"conversation": group, "members": ["cat"], "id": "no"}}}));
    assert_eq!(refused(&mut ben, "no").await, "forbidden");

    ann.tell(&json!({"group": {"add": {"conversation": group, "members": ["cat"], "id": "a"}}}));
    let added = answer(&mut ann, "a").await;
    assert_eq!((&added["change"], &added["users"]), (&json!("added"), &json!(["cat"])));
    assert_eq!(members(&added).len(), 3, "the answer says how the group stands since: {added}");
    let seen = change(&mut cat, "added").await;
    assert_eq!((&seen["by"], &seen["title"]), (&json!("ann"), &json!("Walks")));

    let role = json!({"conversation": group, "user": "ben", "role": "admin", "id": "r"});
    ann.tell(&json!({"group": {"role": role}}));
    assert!(members(&answer(&mut ann, "r").await).contains(&pair("ben", "admin")));
    let seen = change(&mut ben, "role").await;
    assert_eq!((&seen["users"], &seen["role"]), (&json!(["ben"]), &json!("admin")));
    let info = json!({"conversation": group, "title": "Long walks", "description": "uphill",
        "settings": {"send": "admins"}, "id": "i"});
    ben.tell(&json!({"group": {"info": info}}));
    let told = answer(&mut ben, "i").await;
    assert_eq!(told["change"], "info");
    let seen = change(&mut cat, "info").await;
    assert_eq!((&seen["title"], &seen["description"]), (&json!("Long walks"), &json!("uphill")));
    assert_eq!(seen["settings"]["send"], "admins");
    assert_eq!(seen["settings"]["add"], "admins", "what is not given stays");
    cat.tell(&json!({"send": {"conversation": group, "text": "x", "id": "quiet"}}));
    assert_eq!(refused(&mut cat, "quiet").await, "forbidden");

    let remove = json!({"conversation": group, "user": "cat", "id": "out"});
    ben.tell(&json!({"group": {"remove": remove}}));
    assert_eq!(members(&answer(&mut ben, "out").await).len(), 2);
    let seen = change(&mut cat, "removed").await;
    assert_eq!((&seen["by"], &seen["former"]), (&json!("ben"), &json!(true)));
    ann.tell(&json!({"send": {"conversation": group, "text": "among us", "id": "m"}}));
    ann.sent("m").await;
    cat.tell(&json!({"history": {"conversation": group}}));
    let history = cat.event("history").await;
    let last = history.as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["group"]["change"], "removed", "nothing after it is seen: {history}");

    ann.tell(&json!({"group": {"leave": {"conversation": group, "id": "bye"}}}));
    assert_eq!(answer(&mut ann, "bye").await["former"], true);
    change(&mut ben, "left").await;
    ben.tell(&json!({"group": {"info": {"conversation": group, "id": "who"}}}));
    let alone = answer(&mut ben, "who").await;
    assert_eq!(members(&alone), [pair("ben", "owner")], "the admin is the heir");
}

#[tokio::test]
async fn a_link_brings_people_in_until_it_is_used_up_or_revoked() {
    let (folder, server) = server().await;
    let [mut ann, mut ben, mut cat, mut dan] =
        chats(&server, &folder, ["ann", "ben", "cat", "dan"]).await;
    let group = walks(&mut ann, &mut ben).await;
    let create = json!({"conversation": group, "create": {"max_uses": 1}, "id": "l"});
    ann.tell(&json!({"group": {"invite": create}}));
    let link = answer(&mut ann, "l").await["invite"].clone();
    cat.tell(&json!({"group": {"peek": {"code": link["code"], "id": "p"}}}));
    let preview = answer(&mut cat, "p").await;
    assert_eq!((&preview["title"], &preview["member_count"]), (&json!("Walks"), &json!(2)));
    cat.tell(&json!({"group": {"join": {"code": link["code"], "id": "j"}}}));
    let joined = answer(&mut cat, "j").await;
    assert_eq!(joined["conversation"], group);
    assert!(members(&joined).contains(&pair("cat", "member")), "{joined}");
    assert_eq!(change(&mut ann, "joined").await["by"], "cat");
    dan.tell(&json!({"group": {"join": {"code": link["code"], "id": "late"}}}));
    assert_eq!(refused(&mut dan, "late").await, "invite_invalid");

    ann.tell(&json!({"group": {"invite": {"conversation": group, "id": "second"}}}));
    let link = answer(&mut ann, "second").await["invite"].clone();
    ann.tell(&json!({"group": {"invite": {"conversation": group, "list": {}, "id": "ls"}}}));
    let links = answer(&mut ann, "ls").await["invites"].clone();
    assert!(links.as_array().unwrap().iter().any(|other| other["id"] == link["id"]), "{links}");
    let revoke = json!({"conversation": group, "revoke": link["id"], "id": "rv"});
    ann.tell(&json!({"group": {"invite": revoke}}));
    let left = answer(&mut ann, "rv").await["invites"].clone();
    assert!(left.as_array().unwrap().iter().all(|other| other["id"] != link["id"]), "{left}");
    dan.tell(&json!({"group": {"join": {"code": link["code"], "id": "gone"}}}));
    assert_eq!(refused(&mut dan, "gone").await, "invite_invalid");
}

#[tokio::test]
async fn who_is_banned_is_said_listed_and_let_in_again() {
    let (folder, server) = server().await;
    let [mut ann, mut ben, mut cat] = chats(&server, &folder, ["ann", "ben", "cat"]).await;
    let group = walks(&mut ann, &mut ben).await;
    ann.tell(&json!({"group": {"invite": {"conversation": group, "id": "l"}}}));
    let code = answer(&mut ann, "l").await["invite"]["code"].clone();
    let both = json!({"conversation": group, "members": ["ben", "cat"], "id": "b"});
    ann.tell(&json!({"group": {"ban": both}}));
    let banned = answer(&mut ann, "b").await;
    assert_eq!((&banned["change"], &banned["users"]), (&json!("banned"), &json!(["ben", "cat"])));
    assert_eq!(members(&banned), [pair("ann", "owner")]);
    let seen = change(&mut ben, "banned").await;
    assert_eq!((&seen["by"], &seen["former"]), (&json!("ann"), &json!(true)));
    cat.tell(&json!({"group": {"join": {"code": code, "id": "no"}}}));
    assert_eq!(refused(&mut cat, "no").await, "invite_invalid");

    ann.tell(&json!({"group": {"banned": {"conversation": group, "id": "who"}}}));
    let mut who = answer(&mut ann, "who").await["banned"].as_array().unwrap().clone();
    who.sort_by_key(|name| name.as_str().unwrap().to_owned());
    assert_eq!(who, [json!("ben"), json!("cat")]);
    ann.tell(&json!({"group": {"unban": {"conversation": group, "user": "cat", "id": "u"}}}));
    assert_eq!(answer(&mut ann, "u").await["change"], "unbanned");
    ann.tell(&json!({"group": {"banned": {"conversation": group, "id": "left"}}}));
    assert_eq!(answer(&mut ann, "left").await["banned"], json!(["ben"]));
    cat.tell(&json!({"group": {"join": {"code": code, "id": "in"}}}));
    assert_eq!(answer(&mut cat, "in").await["change"], "joined");
}

#[tokio::test]
async fn the_same_id_makes_one_group_however_often_it_is_said() {
    let (folder, server) = server().await;
    let [mut ann, mut ben] = chats(&server, &folder, ["ann", "ben"]).await;
    let group = walks(&mut ann, &mut ben).await;
    let create = json!({"title": "Walks", "members": ["ben"], "id": "g"});
    ann.tell(&json!({"group": {"create": create}}));
    assert_eq!(answer(&mut ann, "g").await["conversation"], group);
    ann.tell(&json!({"conversations": {"id": "list"}}));
    let list = ann.event("conversations").await;
    let [line] = &list.as_array().unwrap()[..] else { panic!("one group, not {list}") };
    assert_eq!(
        (&line["kind"], &line["title"], &line["role"]),
        (&json!("group"), &json!("Walks"), &json!("owner"))
    );
}
