//! Every listed code of every path of the HTTP API; and its OpenAPI document has
//! each status that was seen, and the bodies that the document's table lists.

use std::collections::BTreeSet;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, ORIGIN};
use hyper::{Method, Request, StatusCode};
use parley_protocol::limits;
use parley_protocol::wire::update_account::Change;
use serde_json::{Value, json};

use super::asks::crowd;
use super::book::Book;
use super::{small, strict, table};
use crate::common::http::{Kept, Reply, password_of};
use crate::common::{Api, Person, Ready, Session, Transport, asks};

type Route = (String, String);

/// One who calls paths, and notes what is refused.
struct Calls {
    book: Book<Route>,
    /// For what has a body: a refusal may come before the body was read, and
    /// ends the connection.
    once: Api,
    /// For all else.
    http: Kept,
    openapi: Value,
    undocumented: BTreeSet<String>,
}

/// How a request shows who asks.
#[derive(Clone, Copy)]
enum As<'a> {
    Nobody,
    Bearer(&'a Person),
    /// With the cookie of the first slot, but another slot's number in the header.
    NoSlot(&'a Person),
    /// A page of another site, with the cookie.
    Foreign(&'a Person),
}

impl Calls {
    async fn new(book: Book<Route>, ready: &Ready) -> Self {
        let mut http = Kept::new(ready);
        let request = Request::get("/v1/openapi.json").header(HOST, "localhost");
        let reply = http.request(request.body(Full::default()).unwrap()).await;
        let once = Api::plain(ready);
        Self { book, once, http, openapi: reply.json(), undocumented: BTreeSet::new() }
    }

    /// From now on asks another server.
    fn turn_to(&mut self, ready: &Ready) {
        (self.once, self.http) = (Api::plain(ready), Kept::new(ready));
    }

    /// Calls `route`, whose path is filled with `named`.
    async fn call(
        &mut self,
        route: &Route,
        named: &str,
        who: As<'_>,
        kind: Option<&str>,
        body: Bytes,
    ) -> Reply {
        let (method, pattern) = route;
        let path = match (pattern.find('{'), pattern.find('}')) {
            (Some(from), Some(to)) => format!("{}{named}{}", &pattern[..from], &pattern[to + 1..]),
            _ if named.starts_with('?') => format!("{pattern}{named}"),
            _ => pattern.clone(),
        };
        let mut head =
            Request::builder().method(method.as_str()).uri(path).header(HOST, "localhost");
        let cookie = |person: &Person| format!("parley-0={}", person.bearer);
        head = match who {
            As::Nobody => head,
            As::Bearer(person) => head.header(AUTHORIZATION, format!("Bearer {}", person.bearer)),
            As::NoSlot(person) => {
                head.header(COOKIE, cookie(person)).header("parley-account", "99")
            }
            As::Foreign(person) => head
                .header(COOKIE, cookie(person))
                .header("parley-account", "0")
                .header(ORIGIN, "https://elsewhere.example"),
        };
        if let Some(kind) = kind {
            head = head.header(CONTENT_TYPE, kind);
        }
        let has_body = !body.is_empty();
        let request = head.body(Full::new(body)).unwrap();
        let reply = if has_body {
            self.once.request(request).await
        } else {
            self.http.request(request).await
        };
        let status = reply.status;
        if !status.is_success() && status != StatusCode::SWITCHING_PROTOCOLS {
            self.book.note(route, reply.code());
        }
        let method = method.to_lowercase();
        let documented = &self.openapi["paths"][pattern][method]["responses"];
        if documented.get(status.as_str()).is_none() {
            self.undocumented.insert(format!("{route:?}: {status}"));
        }
        reply
    }

    async fn json(&mut self, route: (&str, &str), named: &str, who: As<'_>, body: Value) -> Reply {
        let route = (route.0.to_owned(), route.1.to_owned());
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let kind = (!body.is_empty()).then_some("application/json");
        self.call(&route, named, who, kind, body).await
    }
}

fn credentials(name: &str, password: &str, device: &str) -> Value {
    json!({"name": name, "password": password, "device": {"name": device}})
}

const NOBODY: &str = "01890abc-def0-7abc-8def-000000000a11";
const SIGN_UP: (&str, &str) = ("POST", "/v1/accounts");
const LOGIN: (&str, &str) = ("POST", "/v1/login");
const PASSWORD: (&str, &str) = ("POST", "/v1/account/password");
const END: (&str, &str) = ("DELETE", "/v1/account");

#[tokio::test]
async fn each_path_is_refused_with_what_its_row_lists_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let server = small(&folder.path().join("data")).start().await;
    let api = Api::plain(&server.ready);
    let (ann, ben) = (api.sign_up("ann", "a").await, api.sign_up("ben", "b").await);
    let mut calls = Calls::new(Book::new(table::paths()), &server.ready).await;
    on_every_path(&mut calls, &ann).await;
    methods(&mut calls).await;
    accounts(&mut calls, &ann).await;
    people(&mut calls, &server.ready, &ann, &ben).await;

    let folder = tempfile::tempdir().unwrap();
    let closed = small(&folder.path().join("data")).with("PARLEY_ACCOUNTS__SIGN_UP", "closed");
    let closed = closed.start().await;
    calls.turn_to(&closed.ready);
    calls.json(SIGN_UP, "", As::Nobody, credentials("zoe", "password", "d")).await;

    let folder = tempfile::tempdir().unwrap();
    let server = strict(&folder.path().join("data")).start().await;
    calls.turn_to(&server.ready);
    rates(&mut calls, &server.ready).await;
    assert!(
        calls.undocumented.is_empty(),
        "not in the OpenAPI document: {:#?}",
        calls.undocumented
    );
    calls.book.close();
}

/// What comes before anything is looked at, wherever it is listed.
async fn on_every_path(calls: &mut Calls, ann: &Person) {
    use parley_protocol::Code;
    let routes: Vec<_> =
        calls.book.rows().map(|(route, row)| (route.clone(), row.clone())).collect();
    for (route, row) in routes {
        let (json, proto) = (Some("application/json"), Some("application/x-protobuf"));
        let kind = if route.1 == "/v1/request" { proto } else { json };
        if row.lists(Code::TokenInvalid) {
            for who in [As::Nobody, As::NoSlot(ann), As::Foreign(ann)] {
                calls.call(&route, NOBODY, who, kind, Bytes::new()).await;
            }
        }
        if row.lists(Code::MediaTypeUnsupported) {
            calls.call(&route, "", As::Bearer(ann), None, Bytes::from_static(b"{}")).await;
            let much = limits::HTTP_BODY_BYTES.max(limits::FRAME_BYTES as usize) + 1;
            calls.call(&route, "", As::Bearer(ann), kind, vec![b' '; much].into()).await;
            calls.call(&route, "", As::Bearer(ann), kind, Bytes::from_static(b"[null]")).await;
        }
        if row.lists(Code::NotFound) {
            for named in ["no-id", NOBODY] {
                if route.1 != "/v1/reports" {
                    calls.call(&route, named, As::Bearer(ann), kind, Bytes::new()).await;
                }
            }
        }
        if route.1 == "/v1/sign-ins" {
            calls.call(&route, "", As::Foreign(ann), None, Bytes::new()).await;
        }
        if route.1 == "/v1/ws" {
            calls.call(&route, "", As::Nobody, None, Bytes::new()).await;
            calls.call(&route, "?ticket=00", As::Nobody, None, Bytes::new()).await;
        }
    }
    let request = ("POST".to_owned(), "/v1/request".to_owned());
    let cut = Bytes::from_static(&[0x12, 0x7f]);
    calls.call(&request, "", As::Bearer(ann), Some("application/x-protobuf"), cut).await;
}

/// A known path with another method, and an unknown path.
async fn methods(calls: &mut Calls) {
    let routes: Vec<_> = calls.book.rows().map(|(route, _)| route.1.clone()).collect();
    let unknown = ["/v1/nothing".to_owned()];
    for path in routes.iter().chain(&unknown) {
        let path = path.replace("{user}", NOBODY).replace("{device_id}", NOBODY);
        let request = Request::builder().method(Method::TRACE).uri(path.replace("{name}", "ann"));
        let request = request.header(HOST, "localhost").body(Full::default()).unwrap();
        let reply = calls.http.request(request).await;
        let expected = if path == unknown[0] { "not_found" } else { "method_not_allowed" };
        assert_eq!(reply.code().name(), expected, "{path}");
    }
}

async fn accounts(calls: &mut Calls, ann: &Person) {
    let right = password_of("ann");
    for route in [SIGN_UP, LOGIN] {
        for (name, password, device) in [
            ("Bob", "password", "d"),
            ("bob", "short", "d"),
            ("bob", "password", ""),
            ("ann", "wrong password", "d"),
        ] {
            calls.json(route, "", As::Nobody, credentials(name, password, device)).await;
        }
        for name in ["admin", "ann_"] {
            calls.json(route, "", As::Nobody, credentials(name, "password", "d")).await;
        }
        let mut cookie = credentials("carl", "password", "d");
        cookie["session"] = json!("cookie");
        calls.json(route, "", As::Foreign(ann), cookie).await;
    }
    for device in ["second", "third"] {
        calls.json(LOGIN, "", As::Nobody, credentials("ann", &right, device)).await;
    }
    for (old, new) in [(&*right, "short"), ("wrong password", "password")] {
        let body = json!({"old": old, "new": new});
        calls.json(PASSWORD, "", As::Bearer(ann), body).await;
    }
    calls.json(END, "", As::Bearer(ann), json!({"password": "wrong password"})).await;
    for _ in 0..=limits::TICKETS {
        calls.json(("POST", "/v1/ticket"), "", As::Bearer(ann), Value::Null).await;
    }
}

async fn people(calls: &mut Calls, ready: &Ready, ann: &Person, ben: &Person) {
    let report = json!({"user_id": NOBODY, "reason": "spam"});
    calls.json(("POST", "/v1/reports"), "", As::Bearer(ann), report).await;
    let mut crowd = crowd(ready, limits::CONTACTS + 1).await;
    let last = crowd.pop().unwrap();
    // All but the last by a session, which is quicker.
    let mut session = Session::open(ready, Transport::Tls, ben).await;
    for change in [Change::AddContact as fn(Bytes) -> Change, Change::Block] {
        let asks = crowd.iter().map(|user| asks::update(change(user.to_wire())));
        session.ask_all(asks.collect()).await.unwrap();
    }
    for path in ["/v1/contacts/{user}", "/v1/blocks/{user}"] {
        calls.json(("PUT", path), &last.to_string(), As::Bearer(ben), Value::Null).await;
    }
    // What succeeds is documented too.
    for (method, path, named) in [
        ("GET", "/v1/account", ""),
        ("GET", "/v1/account/export", ""),
        ("GET", "/v1/devices", ""),
        ("GET", "/v1/users/{name}", "ben"),
        ("GET", "/v1/profiles/{user}", &ben.user.to_string()),
        ("GET", "/v1/profile", ""),
        ("GET", "/v1/contacts", ""),
        ("GET", "/v1/blocks", ""),
        ("DELETE", "/v1/contacts/{user}", &ben.user.to_string()),
        ("DELETE", "/v1/blocks/{user}", &ben.user.to_string()),
        ("GET", "/v1/discovery", ""),
        ("GET", "/v1/sign-ins", ""),
        ("GET", "/livez", ""),
        ("GET", "/readyz", ""),
        ("DELETE", "/v1/devices", ""),
    ] {
        let reply = calls.json((method, path), named, As::Bearer(ann), Value::Null).await;
        assert!(reply.status.is_success(), "{method} {path}: {reply:?}");
    }
}

async fn rates(calls: &mut Calls, ready: &Ready) {
    let api = Api::plain(ready);
    let ann = api.sign_up("ann", "a").await;
    for _ in 0..3 {
        for (method, path, named, body) in [
            ("GET", "/v1/users/{name}", "ann", Value::Null),
            ("GET", "/v1/profiles/{user}", &*ann.user.to_string(), Value::Null),
            ("GET", "/v1/account/export", "", Value::Null),
            ("PATCH", "/v1/profile", "", json!({"about": "x"})),
            ("PATCH", "/v1/settings", "", json!({"typing": true})),
            ("PUT", "/v1/contacts/{user}", NOBODY, Value::Null),
            ("DELETE", "/v1/contacts/{user}", NOBODY, Value::Null),
            ("PUT", "/v1/blocks/{user}", NOBODY, Value::Null),
            ("DELETE", "/v1/blocks/{user}", NOBODY, Value::Null),
            ("POST", "/v1/reports", "", json!({"user_id": NOBODY, "reason": "spam"})),
            ("POST", "/v1/login", "", credentials("ann", "wrong password", "a")),
            (
                "POST",
                "/v1/account/password",
                "",
                json!({"old": "wrong password", "new": "password"}),
            ),
            ("DELETE", "/v1/account", "", json!({"password": "wrong password"})),
        ] {
            calls.json((method, path), named, As::Bearer(&ann), body).await;
        }
    }
    let request = ("POST".to_owned(), "/v1/request".to_owned());
    for _ in 0..40 {
        // No envelope, but bytes.
        let body = Bytes::from(vec![0; limits::FRAME_BYTES as usize]);
        calls.call(&request, "", As::Bearer(&ann), Some("application/x-protobuf"), body).await;
    }
    // More sign-ups than one address may.
    for n in 0..200 {
        let reply =
            calls.json(SIGN_UP, "", As::Nobody, credentials(&format!("p{n:03}"), "password", "d"));
        if reply.await.status == StatusCode::TOO_MANY_REQUESTS {
            return;
        }
    }
    panic!("200 sign-ups from one address passed");
}

#[tokio::test]
async fn the_documents_bodies_are_those_of_the_openapi_document() {
    let folder = tempfile::tempdir().unwrap();
    let server = small(&folder.path().join("data")).start().await;
    let openapi: Value = Api::plain(&server.ready).get("/v1/openapi.json", None).await.json();
    let schemas = openapi["components"]["schemas"].as_object().unwrap();
    let mut wrong = Vec::new();
    for (name, fields) in table::bodies() {
        let schema = &schemas[&name];
        let there: BTreeSet<_> =
            schema["properties"].as_object().unwrap().keys().cloned().collect();
        if !there.iter().eq(fields.keys()) {
            wrong.push(format!("{name}: {there:?}, the document has {:?}", fields.keys()));
        }
        for (field, may_miss) in &fields {
            let needed = schema["required"].as_array();
            let needed = needed.is_some_and(|needed| needed.contains(&json!(field)));
            // What an answer always has may have a default for older servers.
            if *may_miss && needed {
                wrong.push(format!("{name}.{field} is required"));
            }
        }
    }
    let named = table::bodies();
    for (name, schema) in schemas {
        if schema["type"] == "object" && !named.contains_key(name) {
            wrong.push(format!("{name} is not in the document"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
