//! The router over the real parts in memory, without sockets: every route, and
//! every failure in full form.

use super::*;
use crate::edge::listen::{HttpPeer, Transport};
use crate::node::Backend;
use crate::node::config::Config;
use crate::storage::store::Store;
use crate::storage::store::engine::memory::MemoryEngine;
use axum::http::{Method, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use parley_protocol::http::{Devices, Discovery, ErrorBody, SignedIn};
use parley_protocol::wire::client_envelope::Kind as Ask;
use parley_protocol::wire::server_envelope::Kind as Answer;
use parley_protocol::wire::{self, ServerEnvelope};
use parley_protocol::{Code, Message as _};
use serde_json::{Value, json};
use std::time::Duration;
use tower::ServiceExt as _;

/// From where limits hold.
const FAR: &str = "192.0.2.1:1";
const PATIENCE: Duration = Duration::from_secs(10);

struct Bench {
    router: Router,
    operator: Router,
    /// With a certificate of the operator's.
    certified: Router,
    connections: Connections,
    readiness: Readiness,
    // Closed when the test is over.
    _backend: Backend,
}

fn bench() -> Bench {
    let mut config = Config::default();
    let (accounts, rates) = (&mut config.accounts, &mut config.rates);
    // The least that hashing takes: what it costs is not the question here.
    (accounts.hash_memory_kib, accounts.hash_passes) = (8, 1);
    (accounts.devices, accounts.tokens) = (3, 2);
    (rates.sign_ups_burst, rates.sign_ups_per_hour) = (2, 120);
    (rates.reports_burst, rates.reports_per_hour) = (1, 60);
    config.sessions.frame_bytes = 1000;
    let store = Store::over(Arc::new(MemoryEngine::new()), 4, [1; 16]).unwrap();
    let backend =
        Backend::start(&config, store, |error| panic!("the log failed: {error}")).unwrap();
    let connections = Connections::new(config.connection_caps());
    let websockets = WebSockets::new(backend.host().clone(), config.listen_options().unwrap());
    let urls = vec!["quic://127.0.0.1:7443".to_owned(), "tls://127.0.0.1:7443".to_owned()];
    let api = backend.api(connections.clone(), websockets, urls);
    let readiness = api.shared.readiness.clone();
    readiness.set_ready(true);
    let mut certified = api.clone();
    certified.shared.certified = true;
    let certified = tls_router(certified);
    let operator = operator_router(api.shared.clone(), true);
    Bench {
        router: plain_router(api),
        operator,
        certified,
        connections,
        readiness,
        _backend: backend,
    }
}

impl Bench {
    async fn call(&self, request: Request<Body>) -> Response<Body> {
        self.call_from("127.0.0.1:5000", PATIENCE, request).await
    }

    async fn call_from(
        &self,
        from: &str,
        patience: Duration,
        mut request: Request<Body>,
    ) -> Response<Body> {
        let from = from.parse().unwrap();
        let permit = self.connections.admit(from, Transport::Tls).unwrap();
        request.extensions_mut().insert(HttpPeer::new(from, patience, permit));
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn sign_up(&self, name: &str) -> SignedIn {
        let answer = self.call(post("/v1/accounts", &credentials(name))).await;
        assert_eq!(answer.status(), StatusCode::CREATED);
        body(answer).await
    }
}

fn credentials(name: &str) -> Value {
    json!({ "name": name, "password": "password", "device": { "name": "laptop", "platform": "linux" } })
}

fn post(path: &str, body: &Value) -> Request<Body> {
    let request =
        Request::post(path).header(header::CONTENT_TYPE, "application/json; charset=utf-8");
    request.body(Body::from(body.to_string())).unwrap()
}

fn as_user(method: Method, path: &str, token: &str) -> Request<Body> {
    let bearer = format!("Bearer {token}");
    Request::builder()
        .method(method)
        .uri(path)
        .header(header::AUTHORIZATION, bearer)
        .body(Body::empty())
        .unwrap()
}

fn with_body(method: Method, path: &str, token: &str, body: &Value) -> Request<Body> {
    let mut request = post(path, body);
    *request.method_mut() = method;
    let bearer = format!("Bearer {token}").parse().unwrap();
    request.headers_mut().insert(header::AUTHORIZATION, bearer);
    request
}

async fn body<T: serde::de::DeserializeOwned>(answer: Response<Body>) -> T {
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{error}: {bytes:?}"))
}

/// Checks that the answer is this failure in full form.
async fn is(answer: Response<Body>, code: Code) {
    assert_eq!(answer.status().as_u16(), code.http_status(), "{code}");
    assert_eq!(answer.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/json");
    let failure: ErrorBody = body(answer).await;
    assert_eq!((failure.error.code, &*failure.error.name), (code as u32, code.name()));
    assert_eq!(failure.error.retry, code.retry().name());
}

#[tokio::test]
async fn a_life_of_an_account() {
    let bench = bench();
    let bob = bench.sign_up("bob").await;
    let phone = json!({ "name": "bob", "password": "password", "device": { "name": "phone" } });
    let answer = bench.call(post("/v1/login", &phone)).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let phone: SignedIn = body(answer).await;
    let account: Value =
        body(bench.call(as_user(Method::GET, "/v1/account", &bob.token)).await).await;
    assert_eq!((&account["name"], &account["device_id"]), (&json!("bob"), &json!(bob.device_id)));
    let devices: Devices =
        body(bench.call(as_user(Method::GET, "/v1/devices", &bob.token)).await).await;
    let current: Vec<_> =
        devices.devices.iter().map(|device| (&*device.name, device.current)).collect();
    assert_eq!(current, [("laptop", true), ("phone", false)]);
    let found: Value =
        body(bench.call(as_user(Method::GET, "/v1/users/bob", &bob.token)).await).await;
    assert_eq!(found["user_id"], json!(bob.user_id));
    let path = format!("/v1/devices/{}", phone.device_id);
    let answer = bench.call(as_user(Method::DELETE, &path, &bob.token)).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    is(bench.call(as_user(Method::GET, "/v1/account", &phone.token)).await, Code::TokenInvalid)
        .await;
    is(bench.call(as_user(Method::DELETE, &path, &bob.token)).await, Code::NotFound).await;
    let answer = bench.call(as_user(Method::POST, "/v1/logout", &bob.token)).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    is(bench.call(as_user(Method::POST, "/v1/logout", &bob.token)).await, Code::TokenInvalid).await;
}

#[tokio::test]
async fn every_refusal_is_an_error_body() {
    let bench = bench();
    bench.sign_up("bob").await;
    is(bench.call(post("/v1/accounts", &credentials("bob"))).await, Code::NameTaken).await;
    is(bench.call(post("/v1/accounts", &credentials("Bob"))).await, Code::NameInvalid).await;
    let mut wrong = credentials("bob");
    wrong["password"] = json!("wrong password");
    is(bench.call(post("/v1/login", &wrong)).await, Code::CredentialsWrong).await;
    is(bench.call(post("/v1/login", &credentials("nobody"))).await, Code::CredentialsWrong).await;
    for (method, path) in
        [("POST", "/"), ("GET", "/v2/accounts"), ("POST", "/v1/accounts/"), ("GET", "/v1/%ff")]
    {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        is(bench.call(request).await, Code::NotFound).await;
    }
    for (method, path) in
        [("GET", "/v1/accounts"), ("PUT", "/v1/login"), ("PUT", "/v1/devices"), ("POST", "/livez")]
    {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let answer = bench.call(request).await;
        assert!(answer.headers().contains_key(header::ALLOW), "{method} {path}");
        is(answer, Code::MethodNotAllowed).await;
    }
    for token in ["", "xyz", &"0".repeat(64)] {
        let answer = bench.call(as_user(Method::GET, "/v1/account", token)).await;
        assert_eq!(answer.headers()[header::WWW_AUTHENTICATE], "Bearer");
        is(answer, Code::TokenInvalid).await;
    }
    is(
        bench.call(Request::get("/v1/devices").body(Body::empty()).unwrap()).await,
        Code::TokenInvalid,
    )
    .await;
    is(bench.call(Request::get("/v1/ws").body(Body::empty()).unwrap()).await, Code::BadRequest)
        .await;
}

#[tokio::test]
async fn bad_bodies_are_the_senders_fault() {
    let bench = bench();
    let send = |kind: &'static str, body: Body| {
        let request =
            Request::post("/v1/login").header(header::CONTENT_TYPE, kind).body(body).unwrap();
        bench.call(request)
    };
    for kind in ["text/plain", "", "application/jsonp", "multipart/form-data"] {
        is(send(kind, Body::from("{}")).await, Code::MediaTypeUnsupported).await;
    }
    let malformed = [
        "",
        "{",
        "[]",
        "null",
        "{}",
        "\u{0}",
        "{\"name\":1}",
        r#"{"name":"bob","password":"password","device":{"name":"x"},"more":1}"#,
        r#"{"name":"bob","password":"\ud800pass","device":{"name":"x"}}"#,
    ];
    for text in malformed {
        is(send("application/json", Body::from(text)).await, Code::BadRequest).await;
    }
    let deep = "[".repeat(10_000);
    is(send("application/json", Body::from(deep)).await, Code::BadRequest).await;
    is(
        send("application/json", Body::from(b"{\"name\":\"\xff\"}".to_vec())).await,
        Code::BadRequest,
    )
    .await;
    is(send("application/json", Body::from("x".repeat(70_000))).await, Code::BodyTooLarge).await;
    // Without a declared length it is found out while reading.
    let endless = futures_util::stream::repeat_with(|| {
        Ok::<_, std::io::Error>(bytes::Bytes::from_static(&[b' '; 1000]))
    });
    is(send("application/json", Body::from_stream(endless)).await, Code::BodyTooLarge).await;
    let broken =
        futures_util::stream::iter([Err::<bytes::Bytes, _>(std::io::Error::other("gone"))]);
    is(send("application/json", Body::from_stream(broken)).await, Code::BadRequest).await;
    let silent =
        Body::from_stream(futures_util::stream::pending::<Result<bytes::Bytes, std::io::Error>>());
    let request = Request::post("/v1/login")
        .header(header::CONTENT_TYPE, "application/json")
        .body(silent)
        .unwrap();
    let answer = bench.call_from("127.0.0.1:1", Duration::from_millis(50), request).await;
    is(answer, Code::HandshakeTimeout).await;
}

#[tokio::test]
async fn a_rate_limit_says_when_to_come_back() {
    let bench = bench();
    for number in 0..2 {
        let request = post("/v1/accounts", &credentials(&format!("bob{number}")));
        assert_eq!(bench.call_from(FAR, PATIENCE, request).await.status(), StatusCode::CREATED);
    }
    let request = post("/v1/accounts", &credentials("bob3"));
    let answer = bench.call_from("192.0.2.1:2", PATIENCE, request).await;
    assert!(answer.headers()[header::RETRY_AFTER].to_str().unwrap().parse::<u64>().unwrap() >= 1);
    assert_eq!(answer.status(), 429);
    let failure: ErrorBody = body(answer).await;
    assert_eq!(failure.error.code, Code::RateLimited as u32);
    assert!(failure.error.retry_after_ms.unwrap() > 0);
}

#[tokio::test]
async fn health_follows_readiness() {
    let bench = bench();
    let get = |path: &'static str| bench.call(Request::get(path).body(Body::empty()).unwrap());
    assert_eq!(get("/livez").await.status(), 200);
    assert_eq!(get("/readyz").await.status(), 200);
    bench.readiness.set_stalled(true);
    assert_eq!(get("/livez").await.status(), 200);
    is(get("/readyz").await, Code::StorageFailed).await;
    let discovery: Discovery = body(get("/v1/discovery").await).await;
    assert!(!discovery.nodes[0].draining, "who is there stays");
    bench.readiness.set_stalled(false);
    assert_eq!(get("/readyz").await.status(), 200);
    bench.readiness.set_ready(false);
    assert_eq!(get("/livez").await.status(), 200);
    is(get("/readyz").await, Code::Draining).await;
    let discovery: Discovery = body(get("/v1/discovery").await).await;
    assert!(discovery.nodes[0].draining);
    assert_eq!(discovery.nodes[0].urls, ["quic://127.0.0.1:7443", "tls://127.0.0.1:7443"]);
    assert_eq!(get("/metrics").await.status(), 404);
    let metrics = Request::get("/metrics").body(Body::empty()).unwrap();
    let metrics = bench.operator.clone().oneshot(metrics).await.unwrap();
    assert!(
        metrics.headers()[header::CONTENT_TYPE]
            .to_str()
            .unwrap()
            .starts_with("text/plain; version=0.0.4")
    );
}

#[tokio::test]
async fn under_names_of_others_the_loopback_ports_answer_nothing() {
    let bench = bench();
    let livez =
        |host: &str| Request::get("/livez").header(header::HOST, host).body(Body::empty()).unwrap();
    for own in ["localhost:7480", "127.0.0.1", "[::1]:7480"] {
        assert_eq!(bench.call(livez(own)).await.status(), 200, "{own}");
    }
    for other in ["rebound.example:7480", "rebound.example", "192.0.2.1:7480"] {
        is(bench.call(livez(other)).await, Code::HostUnknown).await;
        is(bench.operator.clone().oneshot(livez(other)).await.unwrap(), Code::HostUnknown).await;
        // Where TLS says who is asked, names are no matter.
        assert_eq!(bench.certified.clone().oneshot(livez(other)).await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn browsers_are_held_to_tls_where_the_certificate_is_the_operators() {
    let bench = bench();
    for path in ["/livez", "/", "/v1/account", "/nothing"] {
        let request = || Request::get(path).body(Body::empty()).unwrap();
        let secure = bench.certified.clone().oneshot(request()).await.unwrap();
        assert_eq!(secure.headers()[header::STRICT_TRANSPORT_SECURITY], "max-age=31536000");
        let plain = bench.call(request()).await;
        assert!(!plain.headers().contains_key(header::STRICT_TRANSPORT_SECURITY), "{path}");
    }
}

#[tokio::test]
async fn a_page_may_spell_out_its_default_port() {
    let bench = bench();
    let sign_up = |name: &str, host: &str, origin: &str| {
        let mut request = post("/v1/accounts", &credentials(name));
        let headers = request.headers_mut();
        headers.insert(header::HOST, host.parse().unwrap());
        headers.insert(header::ORIGIN, origin.parse().unwrap());
        headers.insert("sec-fetch-site", "same-origin".parse().unwrap());
        let body = json!({
            "name": name, "password": "correct horse", "session": "cookie",
            "device": {"name": "b", "platform": "web"},
        });
        *request.body_mut() = Body::from(body.to_string());
        bench.certified.clone().oneshot({
            let from = FAR.parse().unwrap();
            let permit = bench.connections.admit(from, Transport::Tls).unwrap();
            request.extensions_mut().insert(HttpPeer::new(from, PATIENCE, permit));
            request
        })
    };
    let spelled = sign_up("zoe", "chat.example:443", "https://chat.example").await.unwrap();
    assert_eq!(spelled.status(), 201);
    let other = sign_up("eve", "chat.example:443", "https://chat.example:8443").await.unwrap();
    is(other, Code::Forbidden).await;
}

#[tokio::test]
async fn the_document_has_every_route_and_every_failure_a_body() {
    let bench = bench();
    let document: Value =
        body(bench.call(Request::get("/v1/openapi.json").body(Body::empty()).unwrap()).await).await;
    let mut operations = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            operations += 1;
            // The route is there: whatever it answers, it is not "no such path" or "no such method".
            let concrete =
                path.replace("{name}", "x").replace("{user}", "x").replace("{device_id}", "x");
            let method: Method = method.to_uppercase().parse().unwrap();
            let request = Request::builder()
                .method(method.clone())
                .uri(&concrete)
                .body(Body::empty())
                .unwrap();
            let status = bench.call(request).await.status();
            assert!(status != 404 && status != 405, "{method} {path}: {status}");
            let responses = operation["responses"].as_object().unwrap();
            let described = |status: &str| responses.contains_key(status);
            // With a token one may come with a bad one, with a body with a bad one.
            if operation.get("security").is_none() {
                assert!(described("401") && described("500"), "{method} {path}");
            }
            if operation.get("requestBody").is_some() {
                let bad = ["400", "408", "413", "415"];
                assert!(bad.into_iter().all(described), "{method} {path}");
            }
            for (status, response) in responses {
                if status.starts_with(['4', '5']) {
                    let schema = &response["content"]["application/json"]["schema"]["$ref"];
                    assert_eq!(
                        schema, "#/components/schemas/ErrorBody",
                        "{method} {path} {status}"
                    );
                }
            }
        }
    }
    assert_eq!(operations, 30);
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let text = document.to_string();
    for reference in text.split("#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(schemas.contains_key(name), "{name}");
    }
    assert_eq!(document["components"]["securitySchemes"]["token"]["scheme"], "bearer");
}

#[tokio::test]
async fn requests_are_answered_as_in_a_session_and_their_failures_come_back() {
    let bench = bench();
    let bob = bench.sign_up("bob").await;
    let eve = bench.sign_up("eve").await;
    is(bench.call(as_user(Method::GET, "/v1/users/nobody", &bob.token)).await, Code::NotFound)
        .await;
    let profile = json!({ "display_name": "Bob" });
    let change = with_body(Method::PATCH, "/v1/profile", &bob.token, &profile);
    assert_eq!(bench.call(change).await.status(), StatusCode::OK);
    let long = json!({ "display_name": "x".repeat(1000) });
    let change = with_body(Method::PATCH, "/v1/profile", &bob.token, &long);
    is(bench.call(change).await, Code::BadRequest).await;
    let path = format!("/v1/profiles/{}", bob.user_id);
    let seen: Value = body(bench.call(as_user(Method::GET, &path, &eve.token)).await).await;
    assert_eq!(seen["display_name"], "Bob");
    for bad in ["/v1/contacts/nobody", "/v1/blocks/0"] {
        is(bench.call(as_user(Method::PUT, bad, &bob.token)).await, Code::NotFound).await;
    }
}

#[tokio::test]
async fn a_request_takes_from_its_users_rates() {
    let bench = bench();
    let bob = bench.sign_up("bob").await;
    let eve = bench.sign_up("eve").await;
    let report = json!({ "user_id": eve.user_id, "reason": "spam" });
    let send = || with_body(Method::POST, "/v1/reports", &bob.token, &report);
    let kept = bench.call_from(FAR, PATIENCE, send()).await;
    assert_eq!(kept.status(), StatusCode::NO_CONTENT);
    let answer = bench.call_from(FAR, PATIENCE, send()).await;
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    let wait_s: u64 = answer.headers()[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
    let failed: ErrorBody = body(answer).await;
    let wait_ms = failed.error.retry_after_ms.unwrap();
    assert!((1..=60_000).contains(&wait_ms) && wait_s == wait_ms.div_ceil(1000), "{wait_ms}");
}

#[tokio::test]
async fn one_envelope_in_gives_one_out() {
    let bench = bench();
    let bob = bench.sign_up("bob").await;
    let ask = |kind: &str, bytes: Vec<u8>| {
        Request::builder()
            .method(Method::POST)
            .uri("/v1/request")
            .header(header::AUTHORIZATION, format!("Bearer {}", bob.token))
            .header(header::CONTENT_TYPE, kind)
            .body(Body::from(bytes))
            .unwrap()
    };
    let protobuf = "application/x-protobuf";
    let by = Some(wire::lookup::By::Name("bob".into()));
    let lookup = wire::ClientEnvelope { request: 9, kind: Some(Ask::Lookup(wire::Lookup { by })) };
    let answer = bench.call(ask(protobuf, lookup.encode_to_vec())).await;
    assert_eq!(
        (answer.status(), &answer.headers()[header::CONTENT_TYPE]),
        (StatusCode::OK, &protobuf.parse().unwrap())
    );
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    let answer = ServerEnvelope::decode(bytes).unwrap();
    assert!(answer.request == 9 && matches!(answer.kind, Some(Answer::Found(_))));

    is(bench.call(ask("application/json", Vec::new())).await, Code::MediaTypeUnsupported).await;
    is(bench.call(ask(protobuf, vec![0; 1001])).await, Code::BodyTooLarge).await;
    is(bench.call(ask(protobuf, vec![0xff])).await, Code::BadEnvelope).await;
    let mut stranger = ask(protobuf, Vec::new());
    stranger.headers_mut().remove(header::AUTHORIZATION);
    is(bench.call(stranger).await, Code::TokenInvalid).await;
}

#[tokio::test]
async fn an_account_is_ended_with_its_password_and_exported_in_lines() {
    let bench = bench();
    let bob = bench.sign_up("bob").await;
    let end = |password: &str| {
        let body = json!({ "password": password });
        with_body(Method::DELETE, "/v1/account", &bob.token, &body)
    };
    is(bench.call(end("wrong")).await, Code::CredentialsWrong).await;
    let answer = bench.call(as_user(Method::GET, "/v1/account/export", &bob.token)).await;
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/x-ndjson");
    let lines = answer.into_body().collect().await.unwrap().to_bytes();
    let lines: Vec<Value> = lines
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    assert_eq!(lines[0]["account"]["name"], "bob");
    assert_eq!(lines.last(), Some(&json!({ "end": true })));
    assert_eq!(bench.call(end("password")).await.status(), StatusCode::NO_CONTENT);
    let export = as_user(Method::GET, "/v1/account/export", &bob.token);
    is(bench.call(export).await, Code::TokenInvalid).await;
    is(bench.call(post("/v1/login", &credentials("bob"))).await, Code::CredentialsWrong).await;
}
