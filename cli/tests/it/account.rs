//! The life of an account beyond signing in: devices seen and signed out,
//! another password, all of one's data, and an end that leaves no half.

use std::time::{Duration, Instant};

use hyper::Method;
use parley_protocol::wire::update_account::Change;
use parley_protocol::wire::{ConversationSettings, Entry, EntryKind, Profile, ProfileChange};
use parley_protocol::{Code, ConversationId};
use serde_json::{Value, json};

use super::groups::{create, people, people_with, seen};
use crate::common::asks::{block, look_up_id, profile_of, update};
use crate::common::http::{credentials, password_of};
use crate::common::session::{Said, conversation_of, send_into, send_to};
use crate::common::{Api, Launch, Person, Server, Session, Transport};

async fn with_body(
    api: &Api,
    method: Method,
    path: &str,
    who: &Person,
    body: Value,
) -> Option<Code> {
    let reply = api.call(method, path, Some(&who.bearer), Some(body.to_string().into())).await;
    if reply.status.is_success() { None } else { Some(reply.code()) }
}

async fn sessions_on_all(server: &Server, person: &Person) -> Vec<Session> {
    let mut sessions = Vec::new();
    for transport in Transport::ALL {
        sessions.push(Session::open(&server.ready, transport, person).await);
    }
    sessions
}

async fn cut(sessions: Vec<Session>) {
    let started = Instant::now();
    for mut session in sessions {
        assert_eq!(session.ended().await.code(), Some(Code::SessionRevoked));
    }
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

#[tokio::test]
async fn devices_say_when_they_were_active_and_all_others_go_at_once() {
    let (_folder, mut server, [ann]) = people(["ann"]).await;
    let api = Api::plain(&server.ready);
    let (tablet, desk) = (api.login("ann", "tablet").await, api.login("ann", "desk").await);
    let others = [sessions_on_all(&server, &tablet).await, sessions_on_all(&server, &desk).await];
    let mut own = Session::open(&server.ready, Transport::Quic, &ann).await;
    let listed = api.devices(&ann).await.devices;
    let names: Vec<_> = listed.iter().map(|device| device.name.as_str()).collect();
    assert_eq!(names, ["phone", "tablet", "desk"]);
    assert!(listed.iter().all(|device| device.last_active_ms >= device.created_ms));
    assert_eq!(listed.iter().filter(|device| device.current).count(), 1);
    // To the minute it outlives a kill.
    let before: Vec<_> = listed.iter().map(|device| device.last_active_ms).collect();
    tokio::time::sleep(Duration::from_millis(200)).await;
    server.kill();
    server.restart().await;
    drop(others);
    let api = Api::plain(&server.ready);
    let after = api.devices(&ann).await.devices;
    for (device, before) in after.iter().zip(before) {
        assert!(device.last_active_ms + 60_000 >= before, "{device:?} {before}");
    }
    assert!(own.ping().await.is_err(), "that server is gone");
    let mut own = Session::open(&server.ready, Transport::Quic, &ann).await;
    let mut others = sessions_on_all(&server, &tablet).await;
    others.extend(sessions_on_all(&server, &desk).await);
    let reply = api.call(Method::DELETE, "/v1/devices", Some(&ann.bearer), None).await;
    let ann = ann.renewed(&reply.json());
    cut(others).await;
    own.ping().await.unwrap();
    assert_eq!(api.devices(&ann).await.devices.len(), 1);
    for gone in [&tablet, &desk] {
        let reply = api.get("/v1/account", Some(&gone.bearer)).await;
        assert_eq!(reply.code(), Code::TokenInvalid);
        let end = Session::resume(&server.ready, Transport::Tls, gone, 0).await.err().unwrap();
        assert_eq!(end.code(), Some(Code::TokenInvalid));
    }
}

#[tokio::test]
async fn another_password_signs_all_other_devices_out() {
    let (_folder, mut server, [ann]) = people(["ann"]).await;
    let api = Api::plain(&server.ready);
    let tablet = api.login("ann", "tablet").await;
    let others = sessions_on_all(&server, &tablet).await;
    let mut own = Session::open(&server.ready, Transport::WebSocket, &ann).await;
    let path = "/v1/account/password";
    let change = |old: &str, new: &str| json!({ "old": old, "new": new });
    let old = password_of("ann");
    let post = Method::POST;
    let wrong = change("not this one", "another password");
    assert_eq!(
        with_body(&api, post.clone(), path, &ann, wrong).await,
        Some(Code::CredentialsWrong)
    );
    let short = change(&old, "short");
    assert_eq!(with_body(&api, post.clone(), path, &ann, short).await, Some(Code::PasswordInvalid));
    assert_eq!(api.devices(&ann).await.devices.len(), 2, "what is refused changes nothing");
    let right = change(&old, "another password").to_string();
    let reply = api.call(post, path, Some(&ann.bearer), Some(right.into())).await;
    let ann = ann.renewed(&reply.json());
    cut(others).await;
    own.ping().await.unwrap();
    server.kill();
    server.restart().await;
    let api = Api::plain(&server.ready);
    let login = async |password: &str| {
        api.post("/v1/login", None, &credentials("ann", password, "tablet")).await
    };
    assert_eq!(login(&old).await.code(), Code::CredentialsWrong);
    assert_eq!(login("another password").await.status, 200);
    assert_eq!(api.get("/v1/account", Some(&ann.bearer)).await.status, 200);
    assert_eq!(api.get("/v1/account", Some(&tablet.bearer)).await.code(), Code::TokenInvalid);
}

async fn is_gone(session: &mut Session, who: &Person) {
    let Said::Profile(profile) = session.ask(profile_of(&who.user)).await.unwrap() else {
        panic!("no profile")
    };
    let gone = Profile { user: who.user.to_wire(), deleted: true, ..Profile::default() };
    assert_eq!(profile, gone);
    assert_eq!(session.refused(look_up_id(&who.user)).await, Some(Code::NotFound));
    assert_eq!(session.lookup(&who.name).await, Err(Some(Code::NotFound)));
    assert_eq!(session.refused(send_to(&who.user, "x", "hello?")).await, Some(Code::NotFound));
    let group = create("g", ConversationSettings::default(), &[who]);
    assert_eq!(session.refused(group).await, Some(Code::NotFound));
}

fn last(entries: &[Entry]) -> (EntryKind, Vec<u8>) {
    let entry = entries.last().unwrap();
    (EntryKind::try_from(i32::try_from(entry.kind).unwrap()).unwrap(), entry.sender.to_vec())
}

#[tokio::test]
async fn an_account_that_ends_leaves_its_groups_and_nothing_of_itself() {
    let (_folder, mut server, [ann, ben]) = people(["ann", "ben"]).await;
    let api = Api::plain(&server.ready);
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let mut b = Session::open(&server.ready, Transport::Quic, &ben).await;
    let direct = conversation_of(&a.say(&ben, "1", "you may keep this").await);
    let mut groups: Vec<ConversationId> = Vec::new();
    for n in 0..3 {
        let made = create(&format!("g{n}"), ConversationSettings::default(), &[&ben]);
        groups.push(conversation_of(&a.send(made).await.unwrap()));
        a.send(send_into(&groups[n], &format!("m{n}"), "and this")).await.unwrap();
    }
    let about = ProfileChange { about: Some("me".into()), ..ProfileChange::default() };
    a.ask(update(Change::Profile(about))).await.unwrap();
    a.ask(block(&ben.user)).await.unwrap();
    let sessions = sessions_on_all(&server, &ann).await;
    let end = |password: String| json!({ "password": password });
    let wrong =
        with_body(&api, Method::DELETE, "/v1/account", &ann, end("wrong pass".into())).await;
    assert_eq!(wrong, Some(Code::CredentialsWrong));
    a.ping().await.unwrap();
    let right = end(password_of("ann"));
    assert_eq!(with_body(&api, Method::DELETE, "/v1/account", &ann, right).await, None);
    cut(sessions).await;
    cut(vec![a]).await;
    for round in 0..2 {
        let mut b = Session::open(&server.ready, Transport::WebSocket, &ben).await;
        is_gone(&mut b, &ann).await;
        for group in &groups {
            let entries = seen(&mut b, group).await;
            assert_eq!(last(&entries), (EntryKind::MemberLeft, ann.user.to_wire().to_vec()));
            let described = b.describe(group).await;
            assert_eq!(described.members.len(), 1, "round {round}");
        }
        // What she wrote stays, nameless; there is nobody to write to.
        assert_eq!(seen(&mut b, &direct).await.len(), 1);
        let described = b.describe(&direct).await;
        let name = |user: &[u8]| {
            let member = described.members.iter().find(|member| member.user == user);
            member.unwrap().name.clone()
        };
        assert_eq!(name(&ann.user.to_wire()), "");
        assert_eq!(b.refused(send_into(&direct, "y", "hello?")).await, Some(Code::NotFound));
        let api = Api::plain(&server.ready);
        assert_eq!(api.get("/v1/account", Some(&ann.bearer)).await.code(), Code::TokenInvalid);
        let again = credentials("ann", &password_of("ann"), "phone");
        assert_eq!(api.post("/v1/login", None, &again).await.code(), Code::CredentialsWrong);
        assert_eq!(api.post("/v1/accounts", None, &again).await.code(), Code::NameTaken);
        server.kill();
        server.restart().await;
    }
    let told = b.deliver().await;
    assert!(told.is_ok(), "he was told while he was online");
}

#[tokio::test]
async fn a_kill_in_the_middle_of_an_end_is_made_up_for() {
    // One person makes forty groups.
    let more = |launch: Launch| {
        launch
            .with("PARLEY_RATES__GROUPS_BURST", "100")
            .with("PARLEY_RATES__STRANGERS_BURST", "100")
            .with("PARLEY_RATES__STRANGER_GROUPS_BURST", "100")
    };
    let (_folder, mut server, [ann, ben]) = people_with(["ann", "ben"], more).await;
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let mut groups = Vec::new();
    for n in 0..40 {
        let made = create(&format!("g{n}"), ConversationSettings::default(), &[&ben]);
        groups.push(conversation_of(&a.send(made).await.unwrap()));
    }
    let api = Api::plain(&server.ready);
    let body = json!({ "password": password_of("ann") }).to_string();
    let bearer = ann.bearer.clone();
    let ending = tokio::spawn(async move {
        let request = hyper::Request::builder().method(Method::DELETE).uri("/v1/account");
        let request =
            request.header("host", "localhost").header("content-type", "application/json");
        let request = request.header("authorization", format!("Bearer {bearer}"));
        let body = http_body_util::Full::new(bytes::Bytes::from(body));
        api.try_request(request.body(body).unwrap()).await
    });
    // From her sessions' end on the account is gone; the groups are being left.
    assert_eq!(a.ended().await.code(), Some(Code::SessionRevoked));
    server.kill();
    assert!(ending.await.unwrap().is_err(), "the kill came too late to bite");
    server.restart().await;
    let mut b = Session::open(&server.ready, Transport::Tls, &ben).await;
    is_gone(&mut b, &ann).await;
    let deadline = Instant::now() + Duration::from_secs(20);
    for group in &groups {
        loop {
            let entries = seen(&mut b, group).await;
            if last(&entries) == (EntryKind::MemberLeft, ann.user.to_wire().to_vec()) {
                let kinds = entries.iter().map(|entry| entry.kind);
                let left = kinds.filter(|kind| *kind == EntryKind::MemberLeft as u32).count();
                assert_eq!(left, 1, "left once");
                break;
            }
            assert!(Instant::now() < deadline, "a group was not left");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test]
async fn an_export_has_all_of_ones_own_and_nothing_of_others() {
    // A history of 450 messages.
    let more = |launch: Launch| launch.with("PARLEY_RATES__SENDS_BURST", "1000");
    let (_folder, server, [ann, ben]) = people_with(["ann", "ben"], more).await;
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let mut b = Session::open(&server.ready, Transport::Tls, &ben).await;
    a.ask(update(Change::AddContact(ben.user.to_wire()))).await.unwrap();
    let direct = conversation_of(&a.say(&ben, "0", "mine 0").await);
    for n in 1..450 {
        a.send(send_into(&direct, &n.to_string(), &format!("mine {n}"))).await.unwrap();
    }
    b.say(&ann, "1", "a secret of ben's").await;
    let made = create("g", ConversationSettings::default(), &[&ben]);
    let group = conversation_of(&a.send(made).await.unwrap());
    b.send(send_into(&group, "2", "another secret")).await.unwrap();
    let reply = Api::over_tls(&server.ready).get("/v1/account/export", Some(&ann.bearer)).await;
    assert_eq!(reply.headers["content-type"], "application/x-ndjson");
    let text = String::from_utf8(reply.body.to_vec()).unwrap();
    assert!(!text.contains("secret"), "what others wrote is theirs");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["account"]["name"], "ann");
    assert_eq!(lines.last().unwrap(), &json!({ "end": true }));
    let of = |kind: &str| lines.iter().filter(|line| line.get(kind).is_some()).count();
    assert_eq!((of("contact"), of("device"), of("conversation")), (1, 1, 2));
    let mut texts: Vec<&str> =
        lines.iter().filter_map(|line| line["message"]["text"].as_str()).collect();
    texts.sort_unstable();
    let mut expected: Vec<String> = (0..450).map(|n| format!("mine {n}")).collect();
    expected.sort_unstable();
    assert_eq!(texts, expected);
    let unasked = Api::plain(&server.ready).get("/v1/account/export", None).await;
    assert_eq!(unasked.code(), Code::TokenInvalid);
}
