//! What the paths of the HTTP API destroy and reveal of an account, whoever calls
//! them: every path that needs a token × everybody who has none that is good for
//! this account, and last its owner, for whom each must work.
//!
//! What is there is looked at after every call, through the owner's eyes, and no
//! answer may hold anything of what is theirs alone.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, ORIGIN};
use parley_protocol::http::Renewed;
use parley_protocol::wire::ClientEnvelope;
use parley_protocol::{Code, Message as _};
use serde_json::{Value, json};

use super::scene::delete_account;
use crate::codes::{PER_USER, paths_with_a_token};
use crate::common::http::{Reply, credentials, password_of};
use crate::common::session::{Ask, send_to};
use crate::common::{Api, Launch, Person, Server, Session, Transport, asks};

/// One path, filled with what is the owner's.
struct Path {
    method: &'static str,
    pattern: &'static str,
    /// What stands in the place of a name in braces.
    named: fn(&World) -> String,
    body: fn(&World) -> Value,
    /// What somebody else gets, who is signed in to an account of their own.
    others: &'static str,
}

const fn path(method: &'static str, pattern: &'static str, others: &'static str) -> Path {
    Path { method, pattern, named: |_| String::new(), body: |_| Value::Null, others }
}

impl Path {
    const fn of(self, named: fn(&World) -> String) -> Self {
        Self { named, ..self }
    }

    const fn with(self, body: fn(&World) -> Value) -> Self {
        Self { body, ..self }
    }
}

/// In an order in which the owner can call all of them: what ends comes last.
#[rustfmt::skip]
const PATHS: &[Path] = &[
    path("GET", "/v1/account", "ok"),
    path("GET", "/v1/devices", "ok"),
    path("GET", "/v1/profile", "ok"),
    path("GET", "/v1/contacts", "ok"),
    path("GET", "/v1/blocks", "ok"),
    path("GET", "/v1/account/export", "ok"),
    path("GET", "/v1/users/{name}", "ok").of(|w| w.ann.name.clone()),
    path("GET", "/v1/profiles/{user}", "ok").of(|w| w.ann.user.to_string()),
    path("POST", "/v1/ticket", "ok"),
    path("POST", "/v1/request", "ok").with(|_| json!("a request")),
    path("POST", "/v1/reports", "ok").with(|w| json!({"user_id": w.ann.user.to_string(), "reason": "spam"})),
    path("PATCH", "/v1/profile", "ok").with(|_| json!({"about": "changed"})),
    path("PATCH", "/v1/settings", "ok").with(|_| json!({"presence": "nobody"})),
    path("PUT", "/v1/contacts/{user}", "ok").of(|w| w.eve.user.to_string()),
    path("DELETE", "/v1/contacts/{user}", "ok").of(|w| w.ben.user.to_string()),
    path("PUT", "/v1/blocks/{user}", "ok").of(|w| w.ben.user.to_string()),
    path("DELETE", "/v1/blocks/{user}", "ok").of(|w| w.dan.user.to_string()),
    path("DELETE", "/v1/devices/{device_id}", "not_found").of(|w| w.tablet.device.to_string()),
    path("DELETE", "/v1/devices", "ok"),
    path("POST", "/v1/account/password", "credentials_wrong").with(|_| json!({"old": password_of("ann"), "new": "another password"})),
    path("POST", "/v1/logout", "ok"),
    path("DELETE", "/v1/account", "credentials_wrong").with(|_| json!({"password": password_of("ann")})),
];

/// How somebody shows who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shows {
    Nothing,
    /// A token that nobody was ever given.
    Invented,
    /// Of a device of hers that was signed out.
    SignedOut,
    /// Of hers, from before the password changed.
    Replaced,
    /// Of an account that was deleted.
    Deleted,
    /// Her own cookie, without a word on the slot.
    NoSlot,
    /// Her own cookie, for another slot.
    OtherSlot,
    /// Her own cookie, as a page of another site sends it.
    Foreign,
    /// Her cookie as a page of another site sends it that says nothing of itself.
    CrossSite,
    /// The cookie of a device of hers that was signed out.
    OldCookie,
    /// Her cookie, but somebody else's token: the token goes first.
    TokenFirst,
    /// Somebody else's token, somebody else's cookie.
    Other,
    OtherCookie,
}

/// What each gets; `None` where the path says it.
#[rustfmt::skip]
const SHOWN: &[(Shows, Option<&str>)] = &[
    (Shows::Nothing, Some("token_invalid")),
    (Shows::Invented, Some("token_invalid")),
    (Shows::SignedOut, Some("token_invalid")),
    (Shows::Replaced, Some("token_invalid")),
    (Shows::Deleted, Some("token_invalid")),
    (Shows::NoSlot, Some("token_invalid")),
    (Shows::OtherSlot, Some("token_invalid")),
    (Shows::Foreign, Some("forbidden")),
    (Shows::CrossSite, Some("forbidden")),
    (Shows::OldCookie, Some("token_invalid")),
    (Shows::TokenFirst, None),
    (Shows::Other, None),
    (Shows::OtherCookie, None),
];

/// What is hers alone. No name of theirs has any of these in it.
const SECRETS: [&str; 5] =
    ["+49 30 1234567", "her-tablet", "ben-in-her-list", "dan-in-her-list", "for ben alone"];

struct World {
    server: Server,
    api: Api,
    ann: Person,
    tablet: Person,
    ben: Person,
    dan: Person,
    eve: Person,
    /// Tokens that are good no more.
    signed_out: String,
    replaced: String,
    deleted: String,
    _folder: tempfile::TempDir,
}

impl World {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut launch = Launch::new(&folder.path().join("data"))
            .with("PARLEY_ACCOUNTS__HASH_MEMORY_KIB", "8")
            .with("PARLEY_ACCOUNTS__HASH_PASSES", "1");
        // Everybody asks everything, and somebody else signs up for each.
        launch = launch.with("PARLEY_RATES__EXPORTS_BURST", "1000");
        for rate in PER_USER {
            launch = launch.with(&format!("PARLEY_RATES__{rate}_BURST"), "1000000");
        }
        for rate in ["SIGN_UPS_BURST", "LOGINS_PER_MINUTE", "ADDRESS_LOOKUPS_BURST"] {
            launch = launch.with(&format!("PARLEY_RATES__{rate}"), "1000000");
        }
        let server = launch.start().await;
        let api = Api::plain(&server.ready);
        let old = api.sign_up("ann", "laptop").await;
        let signed_out = api.login("ann", "lost").await;
        assert!(api.revoke(&old, &signed_out.device.to_string()).await.status.is_success());
        let body = json!({"old": password_of("ann"), "new": password_of("ann")});
        let reply = api.post("/v1/account/password", Some(&old.bearer), &body).await;
        let ann = old.renewed(&reply.json::<Renewed>());
        let tablet = api.login("ann", "her-tablet").await;
        let (ben, dan, eve) = (
            api.sign_up("ben-in-her-list", "x").await,
            api.sign_up("dan-in-her-list", "x").await,
            api.sign_up("eve", "x").await,
        );
        let gone = api.sign_up("gone", "x").await;
        delete_account(&api, &gone).await;
        let mut session = Session::open(&server.ready, Transport::Tls, &ann).await;
        let about = json!({"about": "here", "phone": SECRETS[0]});
        let body = Some(Bytes::from(about.to_string()));
        api.call(hyper::Method::PATCH, "/v1/profile", Some(&ann.bearer), body).await;
        for (list, who) in [("contacts", &ben), ("blocks", &dan)] {
            let path = format!("/v1/{list}/{}", who.user);
            let reply = api.call(hyper::Method::PUT, &path, Some(&ann.bearer), None).await;
            assert!(reply.status.is_success(), "{reply:?}");
        }
        session.send(send_to(&ben.user, "1", SECRETS[4])).await.unwrap();
        let (signed_out, replaced, deleted) = (signed_out.bearer, old.bearer, gone.bearer);
        Self {
            server,
            api,
            ann,
            tablet,
            ben,
            dan,
            eve,
            signed_out,
            replaced,
            deleted,
            _folder: folder,
        }
    }

    fn request(&self, path: &Path, shows: Shows, other: &Person) -> Request<Full<Bytes>> {
        let uri = match (path.pattern.find('{'), path.pattern.find('}')) {
            (Some(from), Some(to)) => {
                let (head, tail) = (&path.pattern[..from], &path.pattern[to + 1..]);
                format!("{head}{}{tail}", (path.named)(self))
            }
            _ => path.pattern.to_owned(),
        };
        let head = Request::builder().method(path.method).uri(uri).header(HOST, "localhost");
        let bearer = |token: &str| format!("Bearer {token}");
        let cookie = |token: &str| format!("parley-0={token}");
        let slot = "parley-account";
        let head = match shows {
            Shows::Nothing => head,
            Shows::Invented => head.header(AUTHORIZATION, bearer(&"5a".repeat(32))),
            Shows::SignedOut => head.header(AUTHORIZATION, bearer(&self.signed_out)),
            Shows::Replaced => head.header(AUTHORIZATION, bearer(&self.replaced)),
            Shows::Deleted => head.header(AUTHORIZATION, bearer(&self.deleted)),
            Shows::NoSlot => head.header(COOKIE, cookie(&self.ann.bearer)),
            Shows::OtherSlot => head.header(COOKIE, cookie(&self.ann.bearer)).header(slot, "1"),
            Shows::Foreign => head
                .header(COOKIE, cookie(&self.ann.bearer))
                .header(slot, "0")
                .header(ORIGIN, "https://elsewhere.example"),
            Shows::CrossSite => head
                .header(COOKIE, cookie(&self.ann.bearer))
                .header(slot, "0")
                .header("sec-fetch-site", "cross-site"),
            Shows::OldCookie => head.header(COOKIE, cookie(&self.signed_out)).header(slot, "0"),
            Shows::TokenFirst => head
                .header(AUTHORIZATION, bearer(&other.bearer))
                .header(COOKIE, cookie(&self.ann.bearer))
                .header(slot, "0"),
            Shows::Other => head.header(AUTHORIZATION, bearer(&other.bearer)),
            Shows::OtherCookie => head.header(COOKIE, cookie(&other.bearer)).header(slot, "0"),
        };
        let (kind, body) = match (path.pattern, (path.body)(self)) {
            ("/v1/request", _) => {
                // What a thief would ask: all her people.
                let kind = Some(Ask::GetAccount(Default::default()));
                let envelope = ClientEnvelope { request: 1, kind };
                ("application/x-protobuf", Bytes::from(envelope.encode_to_vec()))
            }
            (_, Value::Null) => ("", Bytes::new()),
            (_, body) => ("application/json", Bytes::from(body.to_string())),
        };
        let head = if kind.is_empty() { head } else { head.header(CONTENT_TYPE, kind) };
        head.body(Full::new(body)).unwrap()
    }

    /// All that is hers, as she is told it. What changes with time is left out.
    async fn look(&self) -> Vec<Value> {
        let mut seen = Vec::new();
        for path in ["/v1/account", "/v1/devices", "/v1/profile", "/v1/contacts", "/v1/blocks"] {
            let mut answer: Value = self.api.get(path, Some(&self.ann.bearer)).await.json();
            for device in answer["devices"].as_array_mut().into_iter().flatten() {
                for field in ["sessions", "last_active_ms"] {
                    device.as_object_mut().unwrap().remove(field);
                }
            }
            seen.push(answer);
        }
        seen
    }
}

fn said(reply: &Reply) -> &'static str {
    if reply.status.is_success() { "ok" } else { reply.code().name() }
}

#[tokio::test]
async fn no_path_destroys_or_reveals_anything_of_an_account_but_to_its_owner() {
    let mut named = BTreeSet::new();
    named.extend(PATHS.iter().map(|path| (path.method.to_owned(), path.pattern.to_owned())));
    assert_eq!(named, paths_with_a_token(), "a path without a row");
    let world = World::start().await;
    let before = world.look().await;
    let (mut wrong, mut number) = (String::new(), 0);
    for path in PATHS {
        for (shows, wanted) in SHOWN {
            number += 1;
            // Whoever is somebody else ends their own account now and then.
            let other = match wanted {
                Some(_) => world.eve.clone(),
                None => world.api.sign_up(&format!("other-{number}"), "x").await,
            };
            let reply = world.api.request(world.request(path, *shows, &other)).await;
            let (got, wanted) = (said(&reply), wanted.unwrap_or(path.others));
            let Path { method, pattern, .. } = path;
            if got != wanted {
                let _ = writeln!(wrong, "{method} {pattern} by {shows:?}: {got}, not {wanted}");
            }
            let body = String::from_utf8_lossy(&reply.body);
            for secret in SECRETS.iter().filter(|secret| body.contains(**secret)) {
                let _ = writeln!(wrong, "{method} {pattern} shows {shows:?} {secret:?}");
            }
            let after = world.look().await;
            if after != before {
                let _ = writeln!(wrong, "{method} {pattern} by {shows:?} made it {after:?}");
            }
        }
    }
    assert!(wrong.is_empty(), "of {number} calls:\n{wrong}");
    // And her password is what it was.
    world.api.login("ann", "her-tablet").await;
    let found = world.server.stderr();
    assert!(SECRETS.iter().all(|secret| !found.contains(secret)), "a secret in the log");
}

/// The control: for her each path does what it is for.
#[tokio::test]
async fn every_path_does_what_it_is_for_to_the_owner() {
    let mut world = World::start().await;
    let mut session = Session::open(&world.server.ready, Transport::Tls, &world.ben).await;
    for path in PATHS {
        let before = world.look().await;
        let owner = world.ann.clone();
        let reply = world.api.request(world.request(path, Shows::Other, &owner)).await;
        assert_eq!(said(&reply), "ok", "{} {}", path.method, path.pattern);
        let body = String::from_utf8_lossy(&reply.body).into_owned();
        match (path.method, path.pattern) {
            ("GET", "/v1/users/{name}") | ("POST", "/v1/ticket" | "/v1/reports") => {}
            ("GET", "/v1/account") => assert!(body.contains("ann")),
            ("GET", _) | ("POST", "/v1/request") => {
                let shows = SECRETS.iter().any(|secret| body.contains(secret));
                assert!(shows || path.pattern == "/v1/profiles/{user}", "{}", path.pattern);
            }
            ("DELETE", "/v1/devices") => {
                let past = world.ann.bearer.clone();
                world.ann = world.ann.renewed(&reply.json::<Renewed>());
                let reply = world.api.get("/v1/account", Some(&past)).await;
                assert_eq!(reply.code(), Code::TokenInvalid);
            }
            ("POST", "/v1/account/password") => {
                world.ann = world.ann.renewed(&reply.json::<Renewed>());
                let old = credentials("ann", &password_of("ann"), "x");
                let reply = world.api.post("/v1/login", None, &old).await;
                assert_eq!(reply.code(), Code::CredentialsWrong);
                // What follows asks with the first one.
                let body = json!({"old": "another password", "new": password_of("ann")});
                let path = "/v1/account/password";
                let reply = world.api.post(path, Some(&world.ann.bearer), &body).await;
                world.ann = world.ann.renewed(&reply.json::<Renewed>());
            }
            ("POST", "/v1/logout") => {
                let reply = world.api.get("/v1/account", Some(&world.ann.bearer)).await;
                assert_eq!(reply.code(), Code::TokenInvalid);
                world.ann = world.api.login("ann", "laptop").await;
            }
            ("DELETE", "/v1/account") => {
                let again = credentials("ann", &password_of("ann"), "x");
                let reply = world.api.post("/v1/login", None, &again).await;
                assert_eq!(reply.code(), Code::CredentialsWrong);
                let gone = session.ask(asks::look_up_id(&owner.user)).await.unwrap();
                assert!(matches!(gone, crate::common::session::Said::Failure(_)), "{gone:?}");
            }
            _ => assert_ne!(world.look().await, before, "{} {}", path.method, path.pattern),
        }
    }
}
