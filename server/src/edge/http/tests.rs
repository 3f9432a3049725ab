//! The router without sockets: every route, and every failure in full form.

use super::*;
use crate::accounts::{Commit, CommitError, HashOptions, Options as AccountOptions, Sessions};
use crate::base::rates::{Bucket, SignInOptions};
use crate::edge::listen::{
    self, ConnectionCaps, ConnectionPermit, FrameReader, FrameWriter, HttpPeer, Peer, Transport,
};
use crate::storage::store::engine::memory::MemoryEngine;
use crate::storage::store::{Store, Write};
use axum::http::{Method, Response, StatusCode, header};
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use http_body_util::BodyExt as _;
use parley_core::shard::placement::ShardCount;
use parley_protocol::Message as _;
use parley_protocol::http::{Devices, Discovery, ErrorBody, SignedIn};
use parley_protocol::wire::client_envelope::Kind as Ask;
use parley_protocol::wire::server_envelope::Kind as Answer;
use parley_protocol::wire::{self, ServerEnvelope};
use parley_protocol::{Code, DeviceId, ShardId, UserId};
use serde_json::{Value, json};
use std::time::Duration;
use tower::ServiceExt as _;

#[derive(Clone)]
struct NoHost;

impl SessionHost for NoHost {
    async fn serve<R: FrameReader, W: FrameWriter>(
        &self,
        _: R,
        _: W,
        _: Peer,
        _: ConnectionPermit,
    ) {
    }
}

struct Direct(Store);

impl Commit for Direct {
    fn commit(&self, _: ShardId, writes: Vec<Write>) -> BoxFuture<'_, Result<(), CommitError>> {
        Box::pin(async move { self.0.write_synced(&writes).map_err(|_| CommitError::Closed) })
    }
}

/// Knows names, limits reports, and echoes nothing else.
struct SomeDesk(Accounts);

impl Desk for SomeDesk {
    fn request(
        &self,
        from: std::net::IpAddr,
        caller: crate::accounts::Identity,
        envelope: bytes::Bytes,
    ) -> BoxFuture<'_, Result<ServerEnvelope, Unanswered>> {
        assert!(from.is_loopback() && !caller.name.is_empty());
        Box::pin(async move {
            let Ok(asked) = wire::ClientEnvelope::decode(envelope) else {
                return Err(Unanswered { code: Code::BadEnvelope, after: None });
            };
            let answer = match asked.kind {
                Some(Ask::Lookup(wire::Lookup { by: Some(wire::lookup::By::Name(name)) })) => {
                    let found = self.0.find_by_name(&name).await.unwrap();
                    found.map(|user| {
                        let user = wire::User { id: user.id.to_wire(), name: user.name };
                        Answer::Found(wire::Found { user: Some(user) })
                    })
                }
                Some(Ask::Report(_)) => {
                    let (code, text) = (Code::RateLimited as u32, String::new());
                    let failure = wire::Failure { code, text, retry_after_ms: 1500 };
                    Some(Answer::Failure(failure))
                }
                _ => None,
            };
            let missing = || {
                let (code, text) = (Code::NotFound as u32, String::new());
                Answer::Failure(wire::Failure { code, text, retry_after_ms: 0 })
            };
            let kind = Some(answer.unwrap_or_else(missing));
            Ok(ServerEnvelope { request: asked.request, kind })
        })
    }

    fn delete_account(
        &self,
        _: std::net::IpAddr,
        _: crate::accounts::Identity,
        password: String,
    ) -> BoxFuture<'_, Result<(), Unanswered>> {
        let code = Code::CredentialsWrong;
        let done =
            if password == "password" { Ok(()) } else { Err(Unanswered { code, after: None }) };
        Box::pin(async move { done })
    }

    fn export(
        &self,
        _: std::net::IpAddr,
        caller: crate::accounts::Identity,
    ) -> Result<BoxStream<'static, bytes::Bytes>, Unanswered> {
        let lines = [format!("{}\n", caller.name), "end\n".to_owned()];
        Ok(futures_util::stream::iter(lines.map(bytes::Bytes::from)).boxed())
    }

    fn frame_bytes(&self) -> usize {
        1000
    }
}

struct NoSessions;

impl Sessions for NoSessions {
    fn cut(&self, _: UserId, _: DeviceId, _: Code) {}
    fn open_sessions(&self, _: UserId, _: DeviceId) -> u32 {
        0
    }
}

struct Bench {
    router: Router,
    connections: Connections,
    readiness: Readiness,
}

fn bench() -> Bench {
    let store = Store::over(Arc::new(MemoryEngine::new()), 64, [1; 16]).unwrap();
    let accounts = Accounts::new(
        AccountOptions {
            sign_up: true,
            devices: 3,
            tokens: 2,
            hash: HashOptions { memory_kib: 16, passes: 1, lanes: 1, parallel: 2, waiting: 8 },
            token_cache: 10,
            rates: SignInOptions {
                sign_ups: Bucket::default().per_minute(2),
                logins: Bucket::default().per_minute(100),
                failures: Bucket::default().per_minute(100),
                new_devices: Bucket::default().burst(6).per_hour(30),
                loopback: Bucket::default().per_minute(100),
                limit_loopback: false,
                keys: 100,
            },
        },
        ShardCount::new(64).unwrap(),
        store.clone(),
        Arc::new(Direct(store)),
        Arc::new(NoSessions),
    )
    .unwrap();
    let caps =
        ConnectionCaps { total: 10, per_address: 10, unauthenticated: 10, limit_loopback: false };
    let connections = Connections::new(caps);
    let options = listen::Options {
        address: ([127, 0, 0, 1], 0).into(),
        http: ([127, 0, 0, 1], 0).into(),
        handshake: Duration::from_secs(10),
        idle: Duration::from_secs(60),
        frame_bytes: 1024,
        origins: Vec::new(),
        web_transport: false,
    };
    let readiness = Readiness::default();
    readiness.set_ready(true);
    let router = plain_router(Api {
        desk: Arc::new(SomeDesk(accounts.clone())),
        accounts,
        connections: connections.clone(),
        websockets: WebSockets::new(NoHost, options),
        readiness: readiness.clone(),
        metrics: Metrics::install(),
        assets: Arc::default(),
        web_transport: None,
        urls: vec!["quic://127.0.0.1:7443".to_owned(), "tls://127.0.0.1:7443".to_owned()],
    });
    Bench { router, connections, readiness }
}

impl Bench {
    async fn call(&self, request: Request<Body>) -> Response<Body> {
        self.call_from("127.0.0.1:5000", Duration::from_secs(10), request).await
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
    let deep = "[".repeat(60_000);
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
    let patience = Duration::from_secs(10);
    for number in 0..2 {
        let request = post("/v1/accounts", &credentials(&format!("bob{number}")));
        assert_eq!(
            bench.call_from("192.0.2.1:1", patience, request).await.status(),
            StatusCode::CREATED
        );
    }
    let answer =
        bench.call_from("192.0.2.1:2", patience, post("/v1/accounts", &credentials("bob3"))).await;
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
    bench.readiness.set_ready(false);
    assert_eq!(get("/livez").await.status(), 200);
    is(get("/readyz").await, Code::Draining).await;
    let discovery: Discovery = body(get("/v1/discovery").await).await;
    assert!(discovery.nodes[0].draining);
    assert_eq!(discovery.nodes[0].urls, ["quic://127.0.0.1:7443", "tls://127.0.0.1:7443"]);
    let metrics = get("/metrics").await;
    assert!(
        metrics.headers()[header::CONTENT_TYPE]
            .to_str()
            .unwrap()
            .starts_with("text/plain; version=0.0.4")
    );
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
            for (status, response) in operation["responses"].as_object().unwrap() {
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
    assert_eq!(operations, 31);
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let text = document.to_string();
    for reference in text.split("#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(schemas.contains_key(name), "{name}");
    }
    assert_eq!(document["components"]["securitySchemes"]["token"]["scheme"], "bearer");
}

#[tokio::test]
async fn requests_reach_the_desk_and_its_failures_come_back() {
    let bench = bench();
    let bob = bench.sign_up("bob").await;
    is(bench.call(as_user(Method::GET, "/v1/users/nobody", &bob.token)).await, Code::NotFound)
        .await;
    let report = json!({"user_id": bob.user_id, "reason": "spam"});
    let answer = bench.call(with_body(Method::POST, "/v1/reports", &bob.token, &report)).await;
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.headers()[header::RETRY_AFTER], "2");
    let failed: ErrorBody = body(answer).await;
    assert_eq!(failed.error.retry_after_ms, Some(1500));
    for bad in ["/v1/contacts/nobody", "/v1/blocks/0"] {
        is(bench.call(as_user(Method::PUT, bad, &bob.token)).await, Code::NotFound).await;
    }
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
    assert_eq!(bench.call(end("password")).await.status(), StatusCode::NO_CONTENT);
    let answer = bench.call(as_user(Method::GET, "/v1/account/export", &bob.token)).await;
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/x-ndjson");
    let lines = answer.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(&*lines, b"bob\nend\n");
}
