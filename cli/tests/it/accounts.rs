//! Accounts: who gets in, who does not, and what a sign-out ends.

use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use parley_protocol::Code;
use parley_protocol::http::{Account, SignedIn};
use parley_protocol::wire::{ClientEnvelope, client_envelope};

use crate::common::http::{credentials, password_of};
use crate::common::session::hello;
use crate::common::{Api, Connection, Launch, Person, Server, Session, Transport};

/// A promise of the product, not a guess about the machine.
const CUT_WITHIN: Duration = Duration::from_secs(2);

async fn server() -> (tempfile::TempDir, Server, Api) {
    let folder = tempfile::tempdir().unwrap();
    let server = Launch::new(&folder.path().join("data")).start().await;
    let api = Api::over_tls(&server.ready);
    (folder, server, api)
}

#[tokio::test]
async fn sign_up_login_and_logout() {
    let (_folder, mut server, api) = server().await;
    let ann = api.sign_up("ann", "phone").await;
    let account: Account = api.get("/v1/account", Some(&ann.bearer)).await.json();
    assert_eq!((account.name.as_str(), account.user_id), ("ann", ann.user.to_string()));
    assert_eq!(account.device_id, ann.device.to_string());

    let again = api.login("ann", "phone").await;
    assert_eq!((again.user, again.device), (ann.user, ann.device), "the same device again");
    assert_ne!(again.bearer, ann.bearer);
    let laptop = api.login("ann", "laptop").await;
    assert_eq!(laptop.user, ann.user);
    assert_ne!(laptop.device, ann.device);

    let devices = api.devices(&laptop).await.devices;
    let names: Vec<_> =
        devices.iter().map(|device| (device.name.as_str(), device.current)).collect();
    assert_eq!(names, [("phone", false), ("laptop", true)]);
    assert!(devices.iter().all(|device| device.platform == "test" && device.created_ms > 0));

    server.restart().await;
    let api = Api::over_tls(&server.ready);
    for person in [&ann, &again, &laptop] {
        let account = api.get("/v1/account", Some(&person.bearer)).await;
        assert!(account.status.is_success(), "the tokens outlive a kill");
    }
    let reply = api.call(Method::POST, "/v1/logout", Some(&laptop.bearer), None).await;
    assert!(reply.status.is_success(), "{reply:?}");
    let after = api.get("/v1/account", Some(&laptop.bearer)).await;
    assert_eq!(after.code(), Code::TokenInvalid);
    server.restart().await;
    let after = Api::plain(&server.ready).get("/v1/account", Some(&laptop.bearer)).await;
    assert_eq!(after.code(), Code::TokenInvalid, "a logout outlives a kill");
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_name_get_the_same_answer() {
    let (_folder, _server, api) = server().await;
    api.sign_up("ann", "phone").await;
    let wrong = api.post("/v1/login", None, &credentials("ann", "not the password", "x")).await;
    let unknown =
        api.post("/v1/login", None, &credentials("nobody", "not the password", "x")).await;
    assert_eq!(wrong.code(), Code::CredentialsWrong);
    assert_eq!((wrong.status, wrong.body), (unknown.status, unknown.body));
    let without_date = |headers: &hyper::HeaderMap| {
        let mut headers = headers.clone();
        headers.remove("date");
        headers
    };
    assert_eq!(without_date(&wrong.headers), without_date(&unknown.headers));
}

#[tokio::test]
async fn names_passwords_and_devices_are_checked() {
    let (_folder, _server, api) = server().await;
    let long_name = "a".repeat(33);
    let names = [
        "",
        "ab",
        &long_name,
        "Ann",
        "1ann",
        ".ann",
        "an n",
        "ann\0",
        "änn",
        "ann@example",
        "ａｎｎ",
        "ann\u{202e}",
        "../ann",
        "ann\n",
    ];
    for name in names {
        let reply = api.post("/v1/accounts", None, &credentials(name, "long enough", "x")).await;
        assert_eq!(reply.code(), Code::NameInvalid, "{name:?}");
    }
    let long_password = "x".repeat(257);
    for password in ["", "1234567", &long_password] {
        let reply = api.post("/v1/accounts", None, &credentials("ann", password, "x")).await;
        assert_eq!(reply.code(), Code::PasswordInvalid, "{} bytes", password.len());
    }
    let long_device = "x".repeat(65);
    for device in ["", "a\0b", "a\nb", &long_device] {
        let reply =
            api.post("/v1/accounts", None, &credentials("ann", "long enough", device)).await;
        assert_eq!(reply.code(), Code::DeviceInvalid, "{device:?}");
    }
    // None of it has taken the name; these are the limits themselves.
    let password = "🔑".repeat(64);
    let device = "ж".repeat(64);
    for name in ["abc".to_owned(), "a".repeat(32), "a.b-c_9".to_owned()] {
        let reply = api.post("/v1/accounts", None, &credentials(&name, &password, &device)).await;
        let signed_in: SignedIn = reply.json();
        assert_eq!(signed_in.name, name);
    }
    let reply = api.post("/v1/accounts", None, &credentials("abc", &password, &device)).await;
    assert_eq!(reply.code(), Code::NameTaken);
}

#[tokio::test]
async fn one_name_is_given_once_however_many_ask() {
    let (_folder, server, _) = server().await;
    let mut tries = tokio::task::JoinSet::new();
    for number in 0..8 {
        let api = Api::plain(&server.ready);
        tries.spawn(async move {
            let device = format!("device {number}");
            api.post("/v1/accounts", None, &credentials("ann", &password_of("ann"), &device)).await
        });
    }
    let replies = tries.join_all().await;
    let (won, lost): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status.is_success());
    assert_eq!(won.len(), 1);
    for reply in lost {
        assert!(matches!(reply.code(), Code::NameTaken | Code::Overloaded), "{reply:?}");
    }
}

#[tokio::test]
async fn a_revoked_device_is_cut_on_every_transport_and_stays_out() {
    let (_folder, mut server, api) = server().await;
    let ann = api.sign_up("ann", "phone").await;
    let lost = api.login("ann", "lost").await;
    let ben = api.sign_up("ben", "phone").await;
    let mut kept = Session::open(&server.ready, Transport::Quic, &ann).await;
    let mut other = Session::open(&server.ready, Transport::Tls, &ben).await;
    let mut cut = Vec::new();
    for transport in Transport::ALL {
        cut.push(Session::open(&server.ready, transport, &lost).await);
    }
    assert_eq!(api.sessions(&lost).await, 3);
    // Somebody else can't do it, and can't tell that the device exists.
    let reply = api.revoke(&ben, &lost.device.to_string()).await;
    assert_eq!(reply.code(), Code::NotFound);
    let reply = api.revoke(&ann, &lost.device.to_string()).await;
    assert!(reply.status.is_success(), "{reply:?}");

    for mut session in cut {
        let transport = session.wire.transport();
        let ended = tokio::time::timeout(CUT_WITHIN, session.ended()).await;
        let ended = ended.unwrap_or_else(|_| panic!("{transport:?} goes on after {CUT_WITHIN:?}"));
        assert_eq!(ended.code(), Some(Code::SessionRevoked), "{transport:?}: {ended}");
    }
    kept.ping().await.unwrap();
    other.ping().await.unwrap();
    assert_refused(&server, &lost.token).await;
    assert_eq!(api.get("/v1/devices", Some(&lost.bearer)).await.code(), Code::TokenInvalid);
    let names: Vec<_> =
        api.devices(&ann).await.devices.into_iter().map(|device| device.name).collect();
    assert_eq!(names, ["phone"]);
    server.restart().await;
    assert_refused(&server, &lost.token).await;
    Session::open(&server.ready, Transport::Tls, &ann).await;
}

#[tokio::test]
async fn a_logout_cuts_its_own_sessions() {
    let (_folder, server, api) = server().await;
    let ann = api.sign_up("ann", "phone").await;
    let mut session = Session::open(&server.ready, Transport::WebSocket, &ann).await;
    let reply = api.call(Method::POST, "/v1/logout", Some(&ann.bearer), None).await;
    assert!(reply.status.is_success(), "{reply:?}");
    let ended = tokio::time::timeout(CUT_WITHIN, session.ended()).await.unwrap();
    assert_eq!(ended.code(), Some(Code::SessionRevoked), "{ended}");
    assert_refused(&server, &ann.token).await;
}

/// On every transport.
async fn assert_refused(server: &Server, token: &[u8]) {
    for transport in Transport::ALL {
        let wire = Connection::open(&server.ready, transport).await.unwrap();
        let ended = Session::over(wire, hello(token, 0)).await.err();
        let ended = ended.unwrap_or_else(|| panic!("{transport:?}: a session with a bad token"));
        assert_eq!(ended.code(), Some(Code::TokenInvalid), "{transport:?}: {ended}");
    }
}

#[tokio::test]
async fn forged_tokens_open_nothing() {
    let (_folder, server, api) = server().await;
    let ann = api.sign_up("ann", "phone").await;
    let mut flipped = ann.token.clone();
    flipped[31] ^= 1;
    let mut longer = ann.token.clone();
    longer.push(0);
    let forged: [&[u8]; 8] = [
        b"",
        b"x",
        &ann.token[..31],
        &longer,
        &flipped,
        &[0; 32],
        ann.user.as_bytes(),
        b"eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4ifQ.",
    ];
    for token in forged {
        assert_refused(&server, token).await;
    }
    let bearers = [
        String::new(),
        "x".to_owned(),
        ann.bearer[..62].to_owned(),
        format!("{}00", ann.bearer),
        "0".repeat(64),
        "z".repeat(64),
        ann.user.to_string(),
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4ifQ.".to_owned(),
        "x".repeat(4000),
    ];
    for api in [Api::plain(&server.ready), api] {
        for bearer in &bearers {
            let reply = api.get("/v1/devices", Some(bearer)).await;
            assert_eq!(reply.code(), Code::TokenInvalid, "{bearer:?}");
        }
        assert_eq!(api.get("/v1/devices", None).await.code(), Code::TokenInvalid);
        let path = format!("/v1/devices?token={}", ann.bearer);
        assert_eq!(api.get(&path, None).await.code(), Code::TokenInvalid, "no secrets in URLs");
    }
}

#[tokio::test]
async fn a_device_keeps_its_eight_newest_tokens_and_an_account_its_32_devices() {
    let folder = tempfile::tempdir().unwrap();
    let server = Launch::new(&folder.path().join("data"))
        // As many devices as an account may have, one after the other.
        .with("PARLEY_RATES__NEW_DEVICES_BURST", "40")
        .start()
        .await;
    let api = Api::plain(&server.ready);
    let first = api.sign_up("ann", "phone").await;
    let mut newer = Vec::new();
    for _ in 0..8 {
        newer.push(api.login("ann", "phone").await);
    }
    assert_eq!(api.get("/v1/account", Some(&first.bearer)).await.code(), Code::TokenInvalid);
    for person in &newer {
        assert!(api.get("/v1/account", Some(&person.bearer)).await.status.is_success());
    }
    for number in 1..32 {
        api.login("ann", &format!("device {number}")).await;
    }
    let body = credentials("ann", &password_of("ann"), "one too many");
    assert_eq!(api.post("/v1/login", None, &body).await.code(), Code::TooManyDevices);
    // A known device still gets in, and a revoked one makes room.
    let again = api.login("ann", "device 7").await;
    let reply = api.revoke(&again, &newer[0].device.to_string()).await;
    assert!(reply.status.is_success(), "{reply:?}");
    let body = api.post("/v1/login", None, &body).await;
    Person::new("ann", &body.json());
}

#[tokio::test]
async fn people_are_found_by_exact_name_only() {
    let (_folder, server, api) = server().await;
    let ann = api.sign_up("ann", "phone").await;
    let ben = api.sign_up("ben", "phone").await;
    let mut session = Session::open(&server.ready, Transport::Tls, &ann).await;
    assert_eq!(session.lookup("ben").await, Ok(ben.user));
    for name in ["be", "benn", "Ben", "ben ", "b%", "b*", "", "\0", &"x".repeat(10_000)] {
        assert_eq!(session.lookup(name).await, Err(Some(Code::NotFound)), "{name:?}");
    }
    let found = api.get("/v1/users/ben", Some(&ann.bearer)).await;
    assert!(found.status.is_success(), "{found:?}");
    assert!(String::from_utf8_lossy(&found.body).contains(&ben.user.to_string()));
    assert_eq!(api.get("/v1/users/nobody", Some(&ann.bearer)).await.code(), Code::NotFound);
    assert_eq!(api.get("/v1/users/ben", None).await.code(), Code::TokenInvalid);
}

#[tokio::test]
async fn no_secret_reaches_the_log_or_the_metrics() {
    let folder = tempfile::tempdir().unwrap();
    let launch = Launch::new(&folder.path().join("data")).with("PARLEY_LOGGING__LEVEL", "trace");
    let server = launch.start().await;
    let api = Api::plain(&server.ready);
    let ann = api.sign_up("ann", "phone").await;
    let ben = api.sign_up("ben", "phone").await;
    let secret = "the text that nobody else may read";
    for transport in Transport::ALL {
        let mut session = Session::open(&server.ready, transport, &ann).await;
        session.say(&ben, &format!("{transport:?}"), secret).await;
        // Also on the way of an error.
        let envelope = ClientEnvelope {
            request: 9,
            kind: Some(client_envelope::Kind::Hello(hello(&ann.token, 0))),
        };
        session.wire.write(&[envelope]).await.unwrap();
        session.ended().await;
    }
    api.post("/v1/login", None, &credentials("ann", "a wrong password", "x")).await;
    let metrics = Api::plain(&server.ready.operator()).get("/metrics", None).await;
    assert!(metrics.status.is_success());
    let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
    let debug_token = format!("{:?}", Bytes::from(ann.token.clone()));
    let password = password_of("ann");
    let secrets =
        [secret, &password, &ann.bearer, "a wrong password", debug_token.trim_matches('"')];
    for (place, text) in
        [("log", server.stderr()), ("metrics", metrics), ("output", server.stdout().join("\n"))]
    {
        for secret in secrets {
            assert!(!text.contains(secret), "{secret:?} is in the {place}");
        }
    }
}
