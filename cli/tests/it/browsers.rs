//! Signing in as browsers do: cookies that no script reads, several accounts in
//! one browser, tickets for sessions, and pages of other sites kept out.

use std::collections::BTreeMap;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, COOKIE, HOST, SET_COOKIE};
use hyper::{Method, Request};
use parley_protocol::Code;
use parley_protocol::http::{Account, SignIns, SignedIn, Ticket};
use parley_protocol::wire::{Hello, Welcome};
use serde_json::{Value, json};

use crate::common::http::Reply;
use crate::common::session::{Session, hello};
use crate::common::wire::Connection;
use crate::common::{Api, Launch, Server, Transport};

/// A browser: keeps cookies, and says what its page is.
struct Browser {
    api: Api,
    cookies: BTreeMap<String, String>,
    /// What it says of the page besides, in each request.
    page: Vec<(&'static str, String)>,
}

impl Browser {
    fn new(api: Api) -> Self {
        let page = vec![("sec-fetch-site", "same-origin".to_owned())];
        Self { api, cookies: BTreeMap::new(), page }
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        slot: Option<&str>,
        body: &Value,
    ) -> Request<Full<Bytes>> {
        let mut request = Request::builder().method(method).uri(path).header(HOST, "localhost");
        let cookies: Vec<_> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request = request.header(COOKIE, cookies.join("; "));
        }
        if let Some(slot) = slot {
            request = request.header("parley-account", slot);
        }
        for (name, value) in &self.page {
            request = request.header(*name, value);
        }
        let body = if body.is_null() {
            Bytes::new()
        } else {
            request = request.header(CONTENT_TYPE, "application/json");
            body.to_string().into()
        };
        request.body(Full::new(body)).unwrap()
    }

    async fn call(
        &mut self,
        method: Method,
        path: &str,
        slot: Option<&str>,
        body: &Value,
    ) -> Reply {
        let reply = self.api.request(self.request(method, path, slot, body)).await;
        for cookie in reply.headers.get_all(SET_COOKIE) {
            let cookie = cookie.to_str().unwrap();
            let (name, rest) = cookie.split_once('=').unwrap();
            match rest.split(';').next().unwrap() {
                "" => self.cookies.remove(name),
                value => self.cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
        reply
    }

    async fn get(&mut self, path: &str, slot: &str) -> Reply {
        self.call(Method::GET, path, Some(slot), &Value::Null).await
    }

    async fn sign_up(&mut self, name: &str, slot: &str) -> Reply {
        self.call(Method::POST, "/v1/accounts", Some(slot), &sign_in(name)).await
    }

    async fn who(&mut self, slot: &str) -> Result<String, Code> {
        let reply = self.get("/v1/account", slot).await;
        if reply.status.is_success() { Ok(reply.json::<Account>().name) } else { Err(reply.code()) }
    }

    async fn signed_in(&mut self) -> Vec<(u8, String)> {
        let reply = self.call(Method::GET, "/v1/sign-ins", None, &Value::Null).await;
        let sign_ins = reply.json::<SignIns>().sign_ins;
        sign_ins.into_iter().map(|sign_in| (sign_in.slot, sign_in.name)).collect()
    }

    async fn ticket(&mut self, slot: &str) -> Ticket {
        self.call(Method::POST, "/v1/ticket", Some(slot), &Value::Null).await.json()
    }
}

fn sign_in(name: &str) -> Value {
    let password = format!("password of {name}");
    json!({"name": name, "password": password, "device": {"name": "browser"}, "session": "cookie"})
}

async fn server() -> (tempfile::TempDir, Server) {
    let folder = tempfile::tempdir().unwrap();
    let server = Launch::new(&folder.path().join("data")).start().await;
    (folder, server)
}

#[tokio::test]
async fn a_cookie_keeps_the_token_from_scripts_on_both_ports() {
    let (_folder, server) = server().await;
    let ports = [
        (Api::plain(&server.ready), "ann", "parley-3", ""),
        (Api::over_tls(&server.ready), "ben", "__Host-parley-3", "; Secure"),
    ];
    for (api, name, cookie, secure) in ports {
        let mut browser = Browser::new(api);
        let reply = browser.sign_up(name, "3").await;
        let kept = reply.headers[SET_COOKIE].to_str().unwrap().to_owned();
        assert_eq!(reply.headers.get_all(SET_COOKIE).iter().count(), 1);
        let token = browser.cookies[cookie].clone();
        assert_eq!(
            kept,
            format!(
                "{cookie}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age=34560000{secure}"
            )
        );
        let body = String::from_utf8_lossy(&reply.body).into_owned();
        assert!(!body.contains("token"), "{body}");
        assert_eq!(reply.json::<SignedIn>().name, name);
        assert_eq!(reply.headers["cache-control"], "no-store");

        assert_eq!(browser.who("3").await.as_deref(), Ok(name));
        assert_eq!(browser.who("2").await, Err(Code::TokenInvalid), "another slot");
        for wrong in ["8", "-1", "", "x", "33"] {
            assert_eq!(browser.who(wrong).await, Err(Code::BadRequest), "{wrong:?}");
        }
        let without = browser.call(Method::GET, "/v1/account", None, &Value::Null).await;
        assert_eq!(without.code(), Code::TokenInvalid, "a cookie alone counts for nothing");
        // A token in the head goes first, also a bad one.
        browser.page.push(("authorization", format!("Bearer {}", "0".repeat(64))));
        assert_eq!(browser.who("3").await, Err(Code::TokenInvalid));
        browser.page.pop();
        // What the cookie holds is a token as any other.
        let device = browser.api.get("/v1/account", Some(&token)).await;
        assert_eq!(device.json::<Account>().name, name);

        let again = browser.call(Method::POST, "/v1/login", Some("3"), &sign_in(name)).await;
        assert!(again.status.is_success() && browser.cookies[cookie] != token);
        assert_eq!(browser.who("3").await.as_deref(), Ok(name));
    }
    // A proxy that took HTTPS says so; then they are secure on the plain port too.
    let mut proxied = Browser::new(Api::plain(&server.ready));
    proxied.page.push(("x-forwarded-proto", "https".to_owned()));
    proxied.sign_up("cleo", "0").await;
    assert_eq!(proxied.cookies.keys().collect::<Vec<_>>(), ["__Host-parley-0"]);
    assert_eq!(proxied.who("0").await.as_deref(), Ok("cleo"));
}

#[tokio::test]
async fn pages_of_other_sites_get_nothing_done() {
    let (_folder, server) = server().await;
    let mut browser = Browser::new(Api::over_tls(&server.ready));
    browser.sign_up("ann", "0").await;
    let own = browser.page.clone();
    let foreign: [&[(&str, &str)]; 7] = [
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "cross-site"), ("origin", "https://localhost")],
        &[("sec-fetch-site", "same-origin"), ("origin", "https://evil.example")],
        &[("origin", "https://localhost:1")],
        &[("origin", "https://localhost.evil.example")],
        &[("origin", "null")],
    ];
    let requests: [(Method, &str, Value); 9] = [
        (Method::GET, "/v1/account", Value::Null),
        (Method::GET, "/v1/account/export", Value::Null),
        (Method::GET, "/v1/sign-ins", Value::Null),
        (Method::POST, "/v1/ticket", Value::Null),
        (Method::POST, "/v1/logout", Value::Null),
        (Method::POST, "/v1/login", sign_in("ann")),
        (Method::POST, "/v1/accounts", sign_in("eve")),
        (Method::DELETE, "/v1/account", json!({"password": "password of ann"})),
        (Method::DELETE, "/v1/devices", Value::Null),
    ];
    for page in foreign {
        browser.page = page.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        for (method, path, body) in &requests {
            let reply = browser.call(method.clone(), path, Some("0"), body).await;
            assert_eq!(reply.code(), Code::Forbidden, "{method} {path} from {page:?}");
            assert!(!reply.headers.contains_key(SET_COOKIE), "{method} {path} from {page:?}");
        }
        // The question that a browser asks before it sends Parley-Account.
        let asked = browser.call(Method::OPTIONS, "/v1/account", None, &Value::Null).await;
        assert_eq!(asked.code(), Code::MethodNotAllowed);
        let allowed = asked.headers.keys().any(|name| name.as_str().starts_with("access-control"));
        assert!(!allowed, "{:?}", asked.headers);
    }
    browser.page = own;
    assert_eq!(browser.signed_in().await, [(0, "ann".to_owned())], "nothing happened");
    assert_eq!(browser.api.get("/v1/users/eve", None).await.code(), Code::TokenInvalid);
    assert_eq!(browser.get("/v1/users/eve", "0").await.code(), Code::NotFound);
}

#[tokio::test]
async fn one_browser_holds_several_accounts_and_each_ends_by_itself() {
    let (_folder, server) = server().await;
    let mut browser = Browser::new(Api::plain(&server.ready));
    assert!(browser.signed_in().await.is_empty());
    for (slot, name) in [("0", "ann"), ("1", "ben"), ("2", "cleo"), ("7", "dora")] {
        assert!(browser.sign_up(name, slot).await.status.is_success());
    }
    let all = ["ann", "ben", "cleo", "dora"].map(str::to_owned);
    let expected: Vec<_> = [0u8, 1, 2, 7].into_iter().zip(all).collect();
    assert_eq!(browser.signed_in().await, expected);
    assert_eq!(browser.who("1").await.as_deref(), Ok("ben"));

    // Signing out takes the cookie too.
    let out = browser.call(Method::POST, "/v1/logout", Some("1"), &Value::Null).await;
    assert_eq!(out.status, 204);
    assert!(!browser.cookies.contains_key("parley-1"));
    assert_eq!(browser.who("0").await.as_deref(), Ok("ann"), "the others stay");
    // Signed out from elsewhere: the cookie is dead, and goes with the next logout.
    let elsewhere = Api::plain(&server.ready).login("cleo", "phone").await;
    let revoked = elsewhere_revokes(&server, &elsewhere.bearer).await;
    assert_eq!(revoked.status, 200);
    assert_eq!(browser.who("2").await, Err(Code::TokenInvalid));
    assert!(browser.cookies.contains_key("parley-2"));
    let out = browser.call(Method::POST, "/v1/logout", Some("2"), &Value::Null).await;
    assert_eq!(out.code(), Code::TokenInvalid);
    assert!(!browser.cookies.contains_key("parley-2"));
    // Another password leaves this browser signed in.
    let before = browser.cookies["parley-0"].clone();
    let change = json!({"old": "password of ann", "new": "another password"});
    let changed = browser.call(Method::POST, "/v1/account/password", Some("0"), &change).await;
    assert_eq!(changed.status, 204);
    assert_ne!(browser.cookies["parley-0"], before, "in place of the old one");
    assert_eq!(browser.who("0").await.as_deref(), Ok("ann"));
    let copied = Api::plain(&server.ready).get("/v1/account", Some(&before)).await;
    assert_eq!(copied.code(), Code::TokenInvalid, "a copy of the old one is worth nothing");
    // A wrong password ends nothing, the right one the account and the cookie.
    let delete = |password: &str| json!({"password": password});
    let wrong = delete("not the password");
    let wrong = browser.call(Method::DELETE, "/v1/account", Some("7"), &wrong).await;
    assert_eq!(wrong.code(), Code::CredentialsWrong);
    assert_eq!(browser.who("7").await.as_deref(), Ok("dora"));
    let right = delete("password of dora");
    let gone = browser.call(Method::DELETE, "/v1/account", Some("7"), &right).await;
    assert_eq!(gone.status, 204);
    assert_eq!(browser.cookies.keys().collect::<Vec<_>>(), ["parley-0"]);
    assert_eq!(browser.signed_in().await, [(0, "ann".to_owned())]);
    // A cookie that is none is passed over.
    browser.cookies.insert("parley-5".to_owned(), "f".repeat(64));
    browser.cookies.insert("parley-6".to_owned(), "rubbish".to_owned());
    assert_eq!(browser.signed_in().await, [(0, "ann".to_owned())]);
}

async fn elsewhere_revokes(server: &Server, bearer: &str) -> Reply {
    Api::plain(&server.ready).call(Method::DELETE, "/v1/devices", Some(bearer), None).await
}

/// Opens a session with a ticket in the URL.
async fn enter(server: &Server, ticket: &str, hello: Hello) -> Result<Welcome, Code> {
    let wire = Connection::open_with_ticket(&server.ready, ticket).await.expect("an upgrade");
    match Session::over(wire, hello).await {
        Ok(session) => Ok(session.welcome),
        Err(ended) => Err(ended.code().unwrap_or_else(|| panic!("no code: {ended}"))),
    }
}

/// What a request for an upgrade with this query is refused with.
async fn refused(server: &Server, query: &str, origin: Option<&str>) -> Code {
    let mut request = Request::get(format!("/v1/ws?{query}")).header(HOST, "localhost:7480");
    for (name, value) in [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA=="),
        ("sec-websocket-protocol", "parley.v1"),
    ] {
        request = request.header(name, value);
    }
    if let Some(origin) = origin {
        request = request.header("origin", origin);
    }
    let request = request.body(Full::default()).unwrap();
    Api::plain(&server.ready).request(request).await.code()
}

#[tokio::test]
async fn a_ticket_opens_one_session_and_no_other() {
    let (_folder, server) = server().await;
    let mut browser = Browser::new(Api::plain(&server.ready));
    browser.sign_up("ann", "0").await;
    browser.sign_up("ben", "1").await;
    let ticket = browser.ticket("0").await;
    assert_eq!(ticket.ticket.len(), 64);
    // Its URL says whose session it is, whatever else the browser is signed in to.
    let welcome = enter(&server, &ticket.ticket, hello(b"", 0)).await.unwrap();
    assert_eq!(welcome.user_name, "ann");
    let once_more = format!("ticket={}", ticket.ticket);
    assert_eq!(refused(&server, &once_more, None).await, Code::TicketInvalid);
    for wrong in ["ticket=", "ticket=x", &format!("ticket={}", "0".repeat(64))] {
        assert_eq!(refused(&server, wrong, None).await, Code::TicketInvalid, "{wrong}");
    }
    let twice = format!("ticket={0}&ticket={0}", "0".repeat(64));
    assert_eq!(refused(&server, &twice, None).await, Code::BadRequest);
    // Native clients may ask for one too.
    let api = Api::plain(&server.ready);
    let phone = api.login("ben", "phone").await;
    let reply = api.call(Method::POST, "/v1/ticket", Some(&phone.bearer), None).await;
    assert!(!reply.headers.contains_key(SET_COOKIE));
    let of_phone: Ticket = reply.json();
    // One word on who it is, not two, be it the same.
    let both = enter(&server, &of_phone.ticket, hello(&phone.token, 0)).await;
    assert_eq!(both.unwrap_err(), Code::BadRequest);
    // Neither is none.
    let wire = Connection::open(&server.ready, Transport::WebSocket).await.unwrap();
    let neither = Session::over(wire, hello(b"", 0)).await.err().unwrap();
    assert_eq!(neither.code(), Some(Code::TokenInvalid));
    // It is no good any longer than the sign-in behind it.
    let late = browser.ticket("1").await;
    elsewhere_revokes(&server, &phone.bearer).await;
    let ended = enter(&server, &late.ticket, hello(b"", 0)).await;
    assert_eq!(ended.unwrap_err(), Code::TokenInvalid);
    assert_eq!(browser.get("/v1/account", "1").await.code(), Code::TokenInvalid);
    let none = browser.call(Method::POST, "/v1/ticket", Some("1"), &Value::Null).await;
    assert_eq!(none.code(), Code::TokenInvalid);

    let log = server.stderr();
    for secret in [&ticket.ticket, &of_phone.ticket, &browser.cookies["parley-0"]] {
        assert!(!log.contains(secret.as_str()), "a secret is in the log");
    }
}

#[tokio::test]
async fn a_ticket_does_not_open_a_session_for_a_page_of_another_site() {
    let (_folder, server) = server().await;
    let mut browser = Browser::new(Api::plain(&server.ready));
    browser.sign_up("ann", "0").await;
    for origin in ["http://localhost", "http://localhost:7481", "http://evil.example", "null"] {
        let query = format!("ticket={}", browser.ticket("0").await.ticket);
        assert_eq!(refused(&server, &query, Some(origin)).await, Code::BadRequest, "{origin}");
        assert_eq!(refused(&server, "", Some(origin)).await, Code::BadRequest, "{origin}");
    }
}

#[tokio::test]
async fn a_cookie_in_use_never_ends() {
    let (_folder, server) = server().await;
    let mut browser = Browser::new(Api::plain(&server.ready));
    browser.sign_up("ann", "0").await;
    let token = browser.cookies["parley-0"].clone();
    let reply = browser.call(Method::POST, "/v1/ticket", Some("0"), &Value::Null).await;
    let cookie = reply.headers[SET_COOKIE].to_str().unwrap();
    assert!(cookie.starts_with(&format!("parley-0={token};")), "the same token");
    assert!(cookie.contains("; Max-Age=34560000"), "{cookie}");
}
