//! Whoever puts others out puts everybody out, with whatever they came, and a device
//! that comes back is the one it was.

use bytes::Bytes;
use hyper::Method;
use parley_protocol::Code;
use parley_protocol::http::Renewed;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::groups::{people, people_with};
use crate::common::http::{credentials, password_of};
use crate::common::session::{conversation_of, hello, send_to};
use crate::common::wire::open_tcp;
use crate::common::{Api, Connection, Launch, Person, Server, Session, Transport, patiently};

/// A session on each transport by this person's token.
async fn everywhere(server: &Server, person: &Person) -> Vec<Session> {
    let mut sessions = Vec::new();
    for transport in Transport::ALL {
        sessions.push(Session::open(&server.ready, transport, person).await);
    }
    sessions
}

async fn all_end(sessions: Vec<Session>, event: &str) {
    for mut session in sessions {
        let transport = session.wire.transport();
        let ended = session.ended().await;
        assert_eq!(ended.code(), Some(Code::SessionRevoked), "{event}, {transport:?}: {ended}");
    }
}

async fn is_out(server: &Server, who: &Person, event: &str) {
    let reply = Api::plain(&server.ready).get("/v1/account", Some(&who.bearer)).await;
    assert_eq!(reply.code(), Code::TokenInvalid, "{event}");
    for transport in Transport::ALL {
        let wire = Connection::open(&server.ready, transport).await.unwrap();
        let ended = Session::over(wire, hello(&who.token, 0)).await.err();
        let ended = ended.unwrap_or_else(|| panic!("{event}: a session on {transport:?}"));
        assert_eq!(ended.code(), Some(Code::TokenInvalid), "{event}, {transport:?}: {ended}");
    }
}

async fn change_password(api: &Api, who: &Person, old: &str, new: &str) -> Person {
    let body = Bytes::from(json!({ "old": old, "new": new }).to_string());
    let path = "/v1/account/password";
    let reply = api.call(Method::POST, path, Some(&who.bearer), Some(body)).await;
    who.renewed(&reply.json::<Renewed>())
}

async fn sign_others_out(api: &Api, who: &Person) -> Person {
    let reply = api.call(Method::DELETE, "/v1/devices", Some(&who.bearer), None).await;
    who.renewed(&reply.json::<Renewed>())
}

#[tokio::test]
async fn a_thief_under_the_same_device_name_is_put_out_on_every_transport() {
    for event in ["password", "others", "logout", "revoke", "end"] {
        let (_folder, server, [ann, ben]) = people(["ann", "ben"]).await;
        let api = Api::plain(&server.ready);
        let thief = api.login("ann", "phone").await;
        assert_eq!(thief.device, ann.device, "a login under a known name is that device");
        let tablet = api.login("ann", "tablet").await;
        let of_thief = everywhere(&server, &thief).await;
        let mut own = Session::open(&server.ready, Transport::Quic, &ann).await;
        let mut bystander = Session::open(&server.ready, Transport::Tls, &ben).await;
        let asked = match event {
            "password" => {
                Some(change_password(&api, &ann, &password_of("ann"), "another password").await)
            }
            "others" => Some(sign_others_out(&api, &ann).await),
            "logout" => {
                api.call(Method::POST, "/v1/logout", Some(&ann.bearer), None).await;
                None
            }
            "revoke" => {
                api.revoke(&tablet, &ann.device.to_string()).await;
                None
            }
            _ => {
                let body = json!({ "password": password_of("ann") }).to_string().into();
                api.call(Method::DELETE, "/v1/account", Some(&ann.bearer), Some(body)).await;
                None
            }
        };
        all_end(of_thief, event).await;
        is_out(&server, &thief, event).await;
        // Neither does a copy of the asking token open anything.
        is_out(&server, &ann, event).await;
        bystander.ping().await.unwrap();
        match asked {
            Some(ann) => {
                own.ping().await.unwrap();
                is_out(&server, &tablet, event).await;
                Session::open(&server.ready, Transport::WebSocket, &ann).await;
                assert_eq!(api.devices(&ann).await.devices.len(), 1);
            }
            None => {
                let ended = own.ended().await;
                assert_eq!(ended.code(), Some(Code::SessionRevoked), "{event}: {ended}");
            }
        }
    }
}

#[tokio::test]
async fn a_ninth_login_ends_the_sessions_of_the_first() {
    let (_folder, server, [ann]) = people(["ann"]).await;
    let api = Api::plain(&server.ready);
    let first = everywhere(&server, &ann).await;
    let second = api.login("ann", "phone").await;
    let mut kept = Session::open(&server.ready, Transport::Tls, &second).await;
    for _ in 0..7 {
        api.login("ann", "phone").await;
    }
    all_end(first, "pushed out").await;
    kept.ping().await.unwrap();
}

#[tokio::test]
async fn an_export_ends_with_its_token() {
    let more = |launch: Launch| launch.with("PARLEY_RATES__SENDS_BURST", "1000");
    let (_folder, server, [ann, ben]) = people_with(["ann", "ben"], more).await;
    let mut session = Session::open(&server.ready, Transport::Tls, &ann).await;
    // More than waits between the server and a client that reads nothing.
    let text = "x".repeat(60_000);
    for n in 0..400 {
        session.say(&ben, &n.to_string(), &text).await;
    }
    let api = Api::plain(&server.ready);
    let thief = api.login("ann", "phone").await;
    let from = ([127, 0, 0, 1], 0).into();
    let mut stalled = open_tcp(server.ready.http_address(), from).await.unwrap();
    let head = format!(
        "GET /v1/account/export HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\r\n",
        thief.bearer
    );
    stalled.write_all(head.as_bytes()).await.unwrap();
    let mut got = vec![0; 1000];
    patiently("its beginning", stalled.read_exact(&mut got)).await.unwrap();
    assert!(got.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&got));
    sign_others_out(&api, &ann).await;
    let rest = async {
        // However the connection ends.
        let _ = stalled.read_to_end(&mut got).await;
    };
    patiently("its end", rest).await;
    assert!(got.len() < 23_000_000, "{} bytes came all the same", got.len());
    let end = br#"{"end":true}"#;
    assert!(!got.windows(end.len()).any(|window| window == end), "whole all the same");
}

/// Sends "pay 5" and never hears of it: the server has it, its sender doesn't know.
async fn pay(server: &Server, from: &Person, to: &Person) {
    let mut session = Session::open(&server.ready, Transport::Tls, from).await;
    let sent = session.say(to, "pay", "pay 5").await;
    assert!(!sent.duplicate);
}

#[tokio::test]
async fn a_message_sent_again_after_signing_in_again_lands_once() {
    for event in ["logout", "revoke", "password", "others"] {
        let (_folder, mut server, [ann, ben]) = people(["ann", "ben"]).await;
        let api = Api::plain(&server.ready);
        let tablet = api.login("ann", "tablet").await;
        pay(&server, &ann, &ben).await;
        let mut password = password_of("ann");
        match event {
            "logout" => {
                api.call(Method::POST, "/v1/logout", Some(&ann.bearer), None).await;
            }
            "revoke" => {
                api.revoke(&tablet, &ann.device.to_string()).await;
            }
            "password" => {
                let old = std::mem::replace(&mut password, "another password".to_owned());
                change_password(&api, &tablet, &old, &password).await;
            }
            _ => {
                sign_others_out(&api, &tablet).await;
            }
        }
        server.kill();
        server.restart().await;
        let api = Api::plain(&server.ready);
        let body = credentials("ann", &password, "phone");
        let back = Person::new("ann", &api.post("/v1/login", None, &body).await.json());
        assert_eq!(back.device, ann.device, "{event}");
        let mut session = Session::open(&server.ready, Transport::Quic, &back).await;
        let again = session.send(send_to(&ben.user, "pay", "pay 5")).await.unwrap();
        assert_eq!((again.seq, again.duplicate), (1, true), "{event}");
        let conversation = conversation_of(&again);
        let mut peer = Session::open(&server.ready, Transport::Tls, &ben).await;
        let entries = peer.fetch_all(&conversation, 0).await.unwrap();
        assert_eq!(entries.len(), 1, "{event}: {entries:?}");
        // Other content under the id is still refused.
        let other = session.refused(send_to(&ben.user, "pay", "pay 50")).await;
        assert_eq!(other, Some(Code::MessageIdReused), "{event}");
    }
}
