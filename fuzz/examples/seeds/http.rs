//! Requests as bytes: one for each route and each kind of envelope, and what is
//! wrong with requests.

use crate::{hex, name, put, vectors};

/// A request for each route, and what is wrong with requests.
pub(crate) fn http() {
    let bearer = "Authorization: Bearer {token}\r\n";
    let json = "Content-Type: application/json\r\n";
    let account =
        r#"{"name":"dan","password":"correct horse","device":{"name":"phone","platform":"linux"}}"#;
    let login = r#"{"name":"ann","password":"correct horse","device":{"name":"phone"}}"#;
    let passwords = r#"{"old":"correct horse","new":"battery staple"}"#;
    let slot = "Parley-Account: 0\r\n";
    let cookie = "Parley-Account: 0\r\nSec-Fetch-Site: same-origin\r\nOrigin: http://parley\r\n\
        Cookie: a=b; parley-0={token}; parley-1=00\r\n";
    let other = "Parley-Account: 0\r\nSec-Fetch-Site: cross-site\r\nCookie: parley-0={token}\r\n";
    let kept =
        r#"{"name":"ann","password":"correct horse","device":{"name":"tab"},"session":"cookie"}"#;
    let routes = [
        ("sign-up", "POST /v1/accounts", "", account),
        ("login", "POST /v1/login", "", login),
        ("logout", "POST /v1/logout", bearer, ""),
        ("account", "GET /v1/account", bearer, ""),
        ("delete-account", "DELETE /v1/account", bearer, r#"{"password":"correct horse"}"#),
        ("password", "POST /v1/account/password", bearer, passwords),
        ("export", "GET /v1/account/export", bearer, ""),
        ("devices", "GET /v1/devices", bearer, ""),
        ("revoke-others", "DELETE /v1/devices", bearer, ""),
        ("revoke", "DELETE /v1/devices/{id}", bearer, ""),
        ("user", "GET /v1/users/ben", bearer, ""),
        ("profile-of", "GET /v1/profiles/{id}", bearer, ""),
        ("profile", "GET /v1/profile", bearer, ""),
        ("change-profile", "PATCH /v1/profile", bearer, r#"{"about":"here","display_name":"Ann"}"#),
        ("settings", "PATCH /v1/settings", bearer, r#"{"messages":"contacts","typing":false}"#),
        ("contacts", "GET /v1/contacts", bearer, ""),
        ("add-contact", "PUT /v1/contacts/{id}", bearer, ""),
        ("remove-contact", "DELETE /v1/contacts/{id}", bearer, ""),
        ("blocks", "GET /v1/blocks", bearer, ""),
        ("block", "PUT /v1/blocks/{id}", bearer, ""),
        ("unblock", "DELETE /v1/blocks/{id}", bearer, ""),
        ("report", "POST /v1/reports", bearer, r#"{"user_id":"{id}","reason":"spam"}"#),
        ("discovery", "GET /v1/discovery", "", ""),
        ("openapi", "GET /v1/openapi.json", "", ""),
        ("live", "HEAD /livez", "", ""),
        ("ready", "GET /readyz?x=1&x=2", "", ""),
        ("metrics", "GET /metrics", "", ""),
        ("login-into-a-cookie", "POST /v1/login", slot, kept),
        ("sign-ins", "GET /v1/sign-ins", cookie, ""),
        ("sign-ins-from-elsewhere", "GET /v1/sign-ins", other, ""),
        ("ticket", "POST /v1/ticket", bearer, ""),
        ("ticket-by-cookie", "POST /v1/ticket", cookie, ""),
        ("ticket-from-elsewhere", "POST /v1/ticket", other, ""),
        ("logout-by-cookie", "POST /v1/logout", cookie, ""),
        ("no-such-path", "GET /v2/%2e%2e/etc/passwd", bearer, ""),
        ("no-such-method", "BREW /v1/account", bearer, ""),
        ("twice-a-key", "POST /v1/login", "", r#"{"name":"ann","name":"ben","password":"x"}"#),
        ("wrong-token", "GET /v1/account", "Authorization: Bearer 00\r\n", ""),
    ];
    let all = |head: &str, fields: &str, body: &str| {
        let length = if body.is_empty() {
            String::new()
        } else {
            format!("{json}Content-Length: {}\r\n", body.replace("{id}", &"i".repeat(36)).len())
        };
        format!("{head} HTTP/1.1\r\nHost: parley\r\n{fields}{length}\r\n{body}")
    };
    // The first byte says where to cut.
    let put = |name: &str, text: &str| put("http", name, &[&[255], text.as_bytes()].concat());
    for (name, head, fields, body) in routes {
        put(name, &all(head, fields, body));
    }
    let chunked = "Transfer-Encoding: chunked\r\n";
    put(
        "chunked",
        &all("POST /v1/login", &format!("{json}{chunked}"), "")
            .replace("\r\n\r\n", "\r\n\r\n5\r\n{\"nam\r\n0\r\n\r\n"),
    );
    let both = format!("{json}{chunked}");
    put("length-and-chunks", &all("POST /v1/login", &both, login));
    put(
        "two-in-a-row",
        &all("GET /livez", "", "")
            .replace("\r\n\r\n", "\r\n\r\nGET /v1/account HTTP/1.1\r\nHost: parley\r\n\r\n"),
    );
    put("many-headers", &all("GET /livez", &"A: b\r\n".repeat(70), ""));
    put("long-path", &all(&format!("GET /{}", "a".repeat(20_000)), "", ""));
    put("http-1-0", &all("GET /livez", "", "").replace("HTTP/1.1", "HTTP/1.0"));
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Protocol: parley.v1\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
    let ping = "\u{2}\u{2}";
    put("upgrade", &format!("{}{ping}", all("GET /v1/ws", upgrade, "")));
    put("upgrade-without-key", &all("GET /v1/ws", &upgrade[..100], ""));
    let foreign = format!("{upgrade}Origin: https://elsewhere.example\r\n");
    put("upgrade-from-elsewhere", &all("GET /v1/ws", &foreign, ""));
    let wrong = format!("GET /v1/ws?ticket={}", "0".repeat(64));
    put("upgrade-with-a-wrong-ticket", &all(&wrong, upgrade, ""));
    // One envelope of each kind, as a single request.
    for vector in vectors("client") {
        let body = hex(&vector["bytes"]);
        let head = format!(
            "POST /v1/request HTTP/1.1\r\nHost: parley\r\n{bearer}\
             Content-Type: application/x-protobuf\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let bytes = [&[255], head.as_bytes(), &body].concat();
        super::put("http", &format!("request-{}", name(&vector)), &bytes);
    }
}
