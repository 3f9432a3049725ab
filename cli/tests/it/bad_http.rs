//! Bad input to the HTTP API: a JSON error from the table for each, never a 5xx.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use parley_protocol::Code;
use serde_json::Value;

use crate::common::http::raw_exchange;
use crate::common::{Api, Ready};
use crate::honest::Besieged;

const GOOD: &str = r#"{"name":"newcomer","password":"long enough","device":{"name":"x"}}"#;

fn post(path: &str, media_type: Option<&str>, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let mut request = Request::post(path).header(HOST, "localhost");
    if let Some(media_type) = media_type {
        request = request.header(CONTENT_TYPE, media_type);
    }
    request.body(Full::new(body.into())).unwrap()
}

/// Both ways in.
fn apis(ready: &Ready) -> [Api; 2] {
    [Api::plain(ready), Api::over_tls(ready)]
}

#[tokio::test]
async fn bodies_that_are_not_what_they_should_be() {
    let besieged = Besieged::begin().await;
    let json = Some("application/json");
    let deep_array = format!("{}{}", "[".repeat(8_000), "]".repeat(8_000));
    let deep_object = "{\"device\":".repeat(1_600);
    let bodies: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", Vec::new()),
        ("no JSON", b"hello".to_vec()),
        ("half", GOOD.as_bytes()[..30].to_vec()),
        ("two", GOOD.repeat(2).into_bytes()),
        ("null", b"null".to_vec()),
        ("an array", b"[]".to_vec()),
        ("a missing field", br#"{"name":"newcomer"}"#.to_vec()),
        ("an unknown field", GOOD.replacen('{', r#"{"admin":true,"#, 1).into_bytes()),
        (
            "an unknown inner field",
            GOOD.replace(r#"{"name":"x"}"#, r#"{"name":"x","id":1}"#).into_bytes(),
        ),
        ("a key twice", GOOD.replacen('{', r#"{"name":"other","#, 1).into_bytes()),
        ("a number for a name", GOOD.replace("\"newcomer\"", "7").into_bytes()),
        ("a lone high surrogate", GOOD.replace("newcomer", "\\ud800").into_bytes()),
        ("a lone low surrogate", GOOD.replace("newcomer", "ab\\udfffcd").into_bytes()),
        (
            "surrogates the wrong way round",
            GOOD.replace("long enough", "\\udc00\\ud800xxxxxx").into_bytes(),
        ),
        ("no UTF-8", GOOD.replace("newcomer", "XX").replace("XX", "\u{1}").into_bytes()),
        ("bytes that are no UTF-8", [b"{\"name\":\"\xff\xfe\"".as_slice(), b"}"].concat()),
        ("UTF-16", GOOD.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("deep arrays", deep_array.into_bytes()),
        ("deep objects", deep_object.into_bytes()),
    ];
    for api in apis(&besieged.server.ready) {
        for path in ["/v1/accounts", "/v1/login"] {
            for (what, body) in &bodies {
                let reply = api.request(post(path, json, body.clone())).await;
                assert_eq!(reply.code(), Code::BadRequest, "{what} to {path}");
            }
            for media_type in [None, Some("text/plain"), Some("application/x-www-form-urlencoded")]
            {
                let reply = api.request(post(path, media_type, GOOD)).await;
                assert_eq!(reply.code(), Code::MediaTypeUnsupported, "{media_type:?} to {path}");
            }
        }
    }
    // Refused by what is announced, before the body comes; and found out on the way.
    let head = "POST /v1/login HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    for rest in ["content-length: 70000\r\n\r\n{", "content-length: 9999999999\r\n\r\n"] {
        let answer = raw_head(&besieged.server.ready, format!("{head}{rest}").as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{rest}: {answer}");
    }
    let chunk = format!("4000\r\n{}\r\n", " ".repeat(0x4000));
    let chunks = format!("{head}transfer-encoding: chunked\r\n\r\n{}", chunk.repeat(6));
    let answer = raw_head(&besieged.server.ready, chunks.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "chunks: {answer}");
    // A zero byte is a character of JSON, but not of a name.
    let zero = GOOD.replace("newcomer", "new\\u0000comer");
    let reply = besieged.api.request(post("/v1/accounts", json, zero)).await;
    assert_eq!(reply.code(), Code::NameInvalid);
    // None of it has made an account.
    besieged.api.sign_up("newcomer", "phone").await;
    besieged.unharmed("HTTP bodies").await;
}

#[tokio::test]
async fn wrong_paths_and_methods() {
    let besieged = Besieged::begin().await;
    let token = Some(besieged.eve.bearer.as_str());
    for api in apis(&besieged.server.ready) {
        for path in [
            "/v1",
            "/v1/nothing",
            "/v1/users/",
            "/v2/accounts",
            "/v1/accounts/../login",
            "/%00",
            "//",
        ] {
            let reply = api.get(path, token).await;
            assert_eq!(reply.code(), Code::NotFound, "{path}");
        }
        for (method, path) in [
            (Method::GET, "/v1/accounts"),
            (Method::DELETE, "/v1/login"),
            (Method::PUT, "/v1/account"),
            (Method::POST, "/v1/devices"),
            (Method::PATCH, "/livez"),
            (Method::from_bytes(b"BREW").unwrap(), "/v1/discovery"),
        ] {
            let reply = api.call(method.clone(), path, token, None).await;
            assert_eq!(reply.code(), Code::MethodNotAllowed, "{method} {path}");
        }
        // The method can't be overridden.
        let request = Request::get("/v1/accounts").header(HOST, "localhost");
        let request = request.header("x-http-method-override", "POST");
        let reply = api.request(request.body(Full::new(GOOD.into())).unwrap()).await;
        assert_eq!(reply.code(), Code::MethodNotAllowed);
        for id in ["x", "00000000-0000-0000-0000-000000000000", "%00", "..%2f..", &"9".repeat(3000)]
        {
            let reply = api.revoke(&besieged.eve, id).await;
            let code = reply.code();
            assert!(matches!(code, Code::NotFound | Code::BadRequest), "{id}: {code:?}");
        }
        for name in ["x", "%00%00%00", "%ff%fe", "a%2fb", &"a".repeat(3000)] {
            let reply = api.get(&format!("/v1/users/{name}"), token).await;
            let code = reply.code();
            assert!(matches!(code, Code::NotFound | Code::BadRequest), "{name}: {code:?}");
        }
    }
    besieged.unharmed("paths and methods").await;
}

#[tokio::test]
async fn metrics_are_for_operators_alone() {
    let besieged = Besieged::begin().await;
    let ready = &besieged.server.ready;
    let operator = Api::plain(&ready.operator());
    let metrics = operator.get("/metrics", None).await;
    assert!(metrics.status.is_success());
    assert!(String::from_utf8_lossy(&metrics.body).contains("parley_"));
    for path in ["/livez", "/readyz"] {
        assert!(operator.get(path, None).await.status.is_success());
    }
    for path in ["/v1/discovery", "/v1/account", "/"] {
        assert_eq!(operator.get(path, None).await.code(), Code::NotFound);
    }
    for api in apis(ready) {
        assert_eq!(api.get("/metrics", None).await.code(), Code::NotFound);
    }
    besieged.unharmed("metrics").await;
}

#[tokio::test]
async fn what_is_served_describes_itself() {
    let besieged = Besieged::begin().await;
    for api in apis(&besieged.server.ready) {
        let document: Value = api.get("/v1/openapi.json", None).await.json();
        let paths = document["paths"].as_object().unwrap();
        for path in [
            "/v1/accounts",
            "/v1/login",
            "/v1/logout",
            "/v1/account",
            "/v1/devices",
            "/v1/discovery",
        ] {
            assert!(paths.contains_key(path), "{path} is not in the document");
        }
        let found: parley_protocol::http::Discovery = api.get("/v1/discovery", None).await.json();
        assert_eq!(found.nodes.len(), 1);
        assert!(!found.nodes[0].draining && found.ttl_ms > 0);
        let ready = &besieged.server.ready;
        assert!(found.nodes[0].urls.contains(&ready.quic), "{found:?}");
        assert!(found.nodes[0].urls.contains(&ready.tls), "{found:?}");
        let reply = api.get("/v1/discovery", None).await;
        assert_eq!(reply.headers["x-content-type-options"], "nosniff");
    }
    besieged.unharmed("documents").await;
}

#[tokio::test]
async fn requests_that_are_no_http() {
    let besieged = Besieged::begin().await;
    let many_headers = (0..10_000).map(|number| format!("x-{number}: y\r\n")).collect::<String>();
    let get = |rest: &str| format!("GET /livez HTTP/1.1\r\nhost: localhost\r\n{rest}\r\n");
    let requests: Vec<(&str, Vec<u8>)> = vec![
        ("nonsense", b"\x00\x01\x02\x03\r\n\r\n".to_vec()),
        ("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec()),
        ("no version", b"GET /livez\r\n\r\n".to_vec()),
        ("version 9", b"GET /livez HTTP/9.9\r\nhost: localhost\r\n\r\n".to_vec()),
        ("10,000 headers", get(&many_headers).into_bytes()),
        ("a long header", get(&format!("x: {}\r\n", "y".repeat(200_000))).into_bytes()),
        ("a long URL", format!("GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n", "a".repeat(70_000)).into_bytes()),
        ("a header without a colon", get("broken\r\n").into_bytes()),
        ("a zero byte in a header", get("x: a\0b\r\n").into_bytes()),
        ("two lengths", b"POST /v1/login HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\nabcd".to_vec()),
        ("a length that is none", b"POST /v1/login HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n".to_vec()),
        ("a length beyond numbers", b"POST /v1/login HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99999999999999999999\r\n\r\n".to_vec()),
        (
            "length and chunks, as in smuggling",
            b"POST /v1/login HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n0\r\n\r\nGET /metrics HTTP/1.1\r\n\r\n".to_vec(),
        ),
        ("a bad chunk", b"POST /v1/login HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\nzz\r\n".to_vec()),
        ("a chunk of 2^64", b"POST /v1/login HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\nffffffffffffffffff\r\n".to_vec()),
    ];
    for (what, bytes) in &requests {
        let answer = raw_exchange(&besieged.server.ready, bytes).await;
        let line = String::from_utf8_lossy(&answer[..answer.len().min(15)]).into_owned();
        let fine =
            answer.is_empty() || line.starts_with("HTTP/1.1 4") || line.starts_with("HTTP/1.0 4");
        assert!(fine || line.starts_with("HTTP/1.1 505"), "{what}: {line}");
        let answers = String::from_utf8_lossy(&answer).matches("HTTP/1.").count();
        assert!(answers <= 1, "{what}: {answers} answers to one request");
    }
    besieged.unharmed("no HTTP").await;
}

#[tokio::test]
async fn websocket_handshakes_that_are_none() {
    let besieged = Besieged::begin().await;
    let handshake = |drop: &str, add: &str| {
        let lines = [
            "host: 127.0.0.1",
            "connection: Upgrade",
            "upgrade: websocket",
            "sec-websocket-version: 13",
            "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
            "sec-websocket-protocol: parley.v1",
        ];
        let kept: Vec<_> =
            lines.into_iter().filter(|line| drop.is_empty() || !line.starts_with(drop)).collect();
        format!("GET /v1/ws HTTP/1.1\r\n{}\r\n{add}\r\n", kept.join("\r\n"))
    };
    let cases = [
        ("no upgrade", handshake("upgrade", "connection: close\r\n")),
        ("no key", handshake("sec-websocket-key", "")),
        ("no version", handshake("sec-websocket-version", "")),
        ("no subprotocol", handshake("sec-websocket-protocol", "")),
        (
            "another subprotocol",
            handshake("sec-websocket-protocol", "sec-websocket-protocol: chat\r\n"),
        ),
        ("a foreign page", handshake("", "origin: https://evil.example\r\n")),
        ("a page without origin", handshake("", "origin: null\r\n")),
    ];
    for (what, request) in cases {
        let answer = raw_head(&besieged.server.ready, request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 4"), "{what}: {answer}");
    }
    let own = handshake("", "origin: http://127.0.0.1\r\n");
    let answer = raw_head(&besieged.server.ready, own.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 101"), "the page of the server itself: {answer}");
    besieged.unharmed("handshakes").await;
}

/// Writes a request and reads the head of the answer.
async fn raw_head(ready: &Ready, bytes: &[u8]) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(ready.http_address()).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut head = Vec::new();
    crate::common::patiently("the head of an answer", async {
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => break,
            }
        }
    })
    .await;
    String::from_utf8_lossy(&head).into_owned()
}
