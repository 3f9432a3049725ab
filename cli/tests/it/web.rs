//! The web client as the binary serves it, and the headers of every answer.

use std::fs;
use std::path::Path;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, ETAG, HOST, IF_NONE_MATCH,
};
use hyper::{Method, Request};
use parley_protocol::Code;

use crate::common::http::Reply;
use crate::common::server::parley;
use crate::common::{Api, Launch, Server};

/// What browsers send when somebody goes to an address.
const NAVIGATES: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

async fn ask(api: &Api, method: Method, path: &str, more: &[(&str, &str)]) -> Reply {
    let mut request = Request::builder().method(method).uri(path).header(HOST, "localhost:7480");
    for (name, value) in more {
        request = request.header(*name, *value);
    }
    api.request(request.body(Full::new(Bytes::new())).unwrap()).await
}

/// A small web client with compressed forms, such as a build makes.
fn build_at(folder: &Path) {
    fs::create_dir_all(folder.join("assets")).unwrap();
    for (name, content) in [
        ("index.html", "<!doctype html><title>x</title>"),
        ("index.html.br", "brotli of the page"),
        ("sw.js", "self"),
        ("assets/main-1a2b.js", "main()"),
        ("assets/main-1a2b.js.gz", "gzip of main"),
    ] {
        fs::write(folder.join(name), content).unwrap();
    }
}

async fn server(folder: &Path) -> Server {
    build_at(&folder.join("web"));
    let web = folder.join("web");
    let launch = Launch::new(&folder.join("data"));
    launch.with("PARLEY_WEB__FOLDER", web.to_str().unwrap()).start().await
}

fn both(server: &Server) -> [Api; 2] {
    [Api::plain(&server.ready), Api::over_tls(&server.ready)]
}

#[tokio::test]
async fn files_and_addresses_are_served_on_both_ports() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path()).await;
    for api in both(&server) {
        let page = ask(&api, Method::GET, "/", &[]).await;
        assert_eq!(page.status, 200);
        assert_eq!(page.body, "<!doctype html><title>x</title>");
        assert_eq!(page.headers[CONTENT_TYPE], "text/html; charset=utf-8");
        assert_eq!(page.headers[CACHE_CONTROL], "no-cache");
        let packed = ask(&api, Method::GET, "/", &[("accept-encoding", "gzip, br")]).await;
        assert_eq!(packed.body, "brotli of the page");
        assert_eq!(packed.headers[CONTENT_ENCODING], "br");
        let known = page.headers[ETAG].to_str().unwrap();
        let again = ask(&api, Method::GET, "/", &[(IF_NONE_MATCH.as_str(), known)]).await;
        assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
        let head = ask(&api, Method::HEAD, "/", &[]).await;
        assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));

        for address in ["/u/0/c/01890abc-def0-7abc-8def-000000000a11", "/settings", "/u/3/?x=/v1/"]
        {
            let page = ask(&api, Method::GET, address, &[(ACCEPT.as_str(), NAVIGATES)]).await;
            assert_eq!((page.status.as_u16(), page.body.len()), (200, 31), "{address}");
        }
        let script =
            ask(&api, Method::GET, "/assets/main-1a2b.js", &[(ACCEPT_ENCODING.as_str(), "gzip")])
                .await;
        assert_eq!(script.body, "gzip of main");
        assert_eq!(script.headers[CACHE_CONTROL], "public, max-age=31536000, immutable");
        assert_eq!(ask(&api, Method::GET, "/sw.js", &[]).await.headers[CACHE_CONTROL], "no-cache");

        // What is not there is not there, also for a browser.
        for missing in [
            "/assets/old-0000.js",
            "/assets/",
            "/favicon.ico",
            "/index.html.br",
            "/v1/nothing",
            "/%2e%2e/data/PARLEY.x",
            "/assets/..%2f..%2fdata",
        ] {
            let reply = ask(&api, Method::GET, missing, &[(ACCEPT.as_str(), NAVIGATES)]).await;
            assert_eq!(reply.code(), Code::NotFound, "{missing}");
        }
        // Scripts get the API's answer.
        assert_eq!(ask(&api, Method::GET, "/settings", &[]).await.code(), Code::NotFound);
        assert_eq!(ask(&api, Method::POST, "/", &[]).await.code(), Code::NotFound);
    }
}

#[tokio::test]
async fn every_answer_has_the_headers_that_keep_others_out() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path()).await;
    for api in both(&server) {
        for path in ["/", "/settings", "/sw.js", "/assets/main-1a2b.js"] {
            let reply = ask(&api, Method::GET, path, &[(ACCEPT.as_str(), NAVIGATES)]).await;
            let policy = reply.headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
            for part in [
                "default-src 'none'",
                "script-src 'self'",
                "style-src 'self'",
                "base-uri 'none'",
                "form-action 'none'",
                "frame-ancestors 'none'",
                "require-trusted-types-for 'script'",
                "trusted-types svelte-trusted-html parley-sw",
                "connect-src 'self' ws://localhost:7480 wss://localhost:7480",
            ] {
                assert!(
                    policy.split("; ").any(|has| has.trim() == part),
                    "{path}: {part} in {policy}"
                );
            }
            assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
            assert_eq!(reply.headers["cross-origin-opener-policy"], "same-origin", "{path}");
            assert_eq!(reply.headers["cross-origin-resource-policy"], "same-origin", "{path}");
        }
        // The host is the client's word: it must not write the policy.
        let request = Request::get("/").header(HOST, "x'unsafe-inline'");
        let odd = api.request(request.body(Full::default()).unwrap()).await;
        let policy = odd.headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
        // The plain port answers nothing under such a name.
        let none = odd.status == 421 && policy == "default-src 'none'; frame-ancestors 'none'";
        assert!(none || policy.ends_with("connect-src 'self'"), "{policy}");

        let routes = ["/", "/livez", "/readyz", "/v1/discovery", "/v1/openapi.json", "/v1/account"];
        for path in routes.into_iter().chain(["/v1/nothing", "/v1/ws", "/v1/sign-ins", "/x.js"]) {
            let reply = ask(&api, Method::GET, path, &[]).await;
            assert_eq!(reply.headers["x-content-type-options"], "nosniff", "{path}");
            assert_eq!(reply.headers["referrer-policy"], "no-referrer", "{path}");
            assert!(reply.headers.contains_key(CONTENT_SECURITY_POLICY), "{path}");
            if path != "/" {
                assert_eq!(reply.headers[CACHE_CONTROL], "no-store", "{path}");
                let policy = &reply.headers[CONTENT_SECURITY_POLICY];
                assert_eq!(policy, "default-src 'none'; frame-ancestors 'none'", "{path}");
            }
        }
    }
}

#[tokio::test]
async fn a_folder_without_a_web_client_is_refused_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = parley();
    command.arg("serve").arg("--data").arg(folder.path().join("data"));
    command.args(["--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
    command.args(["--operator", "127.0.0.1:0"]);
    command.env("PARLEY_WEB__FOLDER", folder.path());
    let refused = Server::run(command, None).await.err().unwrap();
    assert!(!refused.status.success());
    assert!(refused.stderr.contains("web.folder"), "{}", refused.stderr);
    assert!(!folder.path().join("data").exists(), "nothing was made");
}

/// The binary's own web client, which is there or not: the page says which.
#[tokio::test]
async fn the_binary_serves_its_own_or_says_that_it_has_none() {
    let folder = tempfile::tempdir().unwrap();
    let server = Launch::new(&folder.path().join("data")).start().await;
    let page = ask(&Api::plain(&server.ready), Method::GET, "/", &[]).await;
    let text = String::from_utf8_lossy(&page.body).into_owned();
    assert_eq!(page.headers[CONTENT_TYPE], "text/html; charset=utf-8");
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("web/index.html");
    if own.exists() {
        assert_eq!((page.status.as_u16(), text), (200, fs::read_to_string(own).unwrap()));
    } else {
        assert_eq!(page.status, 404);
        assert!(text.contains("holds no web client"), "{text}");
        assert!(server.stderr().contains("holds no web client"), "{}", server.stderr());
    }
    assert!(server.stderr().contains(&format!("{}/", server.ready.http)), "where to open it");
}
