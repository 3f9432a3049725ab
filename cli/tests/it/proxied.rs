//! Behind nginx, with the configuration that the documents give out: people are told
//! apart by their own addresses, and what is the operator's stays out of reach.
//!
//! Addresses of the loopback network stand for clients elsewhere; 127.0.0.1 is the
//! proxy. Without nginx on the machine the tests fail: `make setup-test` installs it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use parley_protocol::Code;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;

use crate::common::http::{Reply, credentials, password_of};
use crate::common::server::free_port;
use crate::common::wire::{open_tcp, open_tls};
use crate::common::{Api, Launch, Ready, Server, Session, Transport, patiently};

const DOCUMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/nginx");

/// nginx with one of the documents' files, and the port it listens on.
struct Nginx {
    child: Child,
    port: u16,
    folder: PathBuf,
}

impl Nginx {
    /// Starts it before this server, with the file in this block.
    async fn start(folder: &Path, server: &Server, block: &str, file: &str) -> Self {
        let folder = folder.join("nginx");
        std::fs::create_dir_all(folder.join("logs")).unwrap();
        let port = free_port();
        let text = std::fs::read_to_string(Path::new(DOCUMENTS).join(file)).unwrap();
        let tls = server.ready.data.join("tls");
        let replace = [
            ("127.0.0.1:7480", server.ready.http_address().to_string()),
            ("127.0.0.1:17443", server.ready.tls_address().to_string()),
            ("listen 443", format!("listen 127.0.0.1:{port}")),
            ("listen 7443", format!("listen 127.0.0.1:{port}")),
            ("/etc/ssl/chat.example.pem", tls.join("certificate.pem").display().to_string()),
            ("/etc/ssl/chat.example.key", tls.join("key.pem").display().to_string()),
        ];
        let text = replace.iter().fold(text, |text, (from, to)| text.replace(from, to));
        std::fs::write(folder.join("included.conf"), text).unwrap();
        let module = "/usr/lib/nginx/modules/ngx_stream_module.so";
        let load = if block == "stream" && Path::new(module).exists() {
            format!("load_module {module};")
        } else {
            String::new()
        };
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|of| format!("{of}_temp_path {}/{of};", folder.display()))
            .join("\n");
        let temporary = if block == "http" { temporary } else { String::new() };
        let main = format!(
            "daemon off;\nworker_processes 1;\npid {0}/pid;\nerror_log {0}/error.log;\n{load}\n\
             events {{}}\n{block} {{\naccess_log off;\n{temporary}\ninclude {0}/included.conf;\n}}\n",
            folder.display()
        );
        std::fs::write(folder.join("nginx.conf"), main).unwrap();
        let child = Command::new(program())
            .arg("-p")
            .arg(&folder)
            .arg("-c")
            .arg(folder.join("nginx.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.join("stderr.log")).unwrap())
            .spawn()
            .unwrap_or_else(|error| panic!("nginx: {error}; `make setup-test` installs it"));
        let mut nginx = Self { child, port, folder };
        patiently("nginx to listen", async {
            while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                if let Some(status) = nginx.child.try_wait().unwrap() {
                    panic!("nginx ended with {status}:\n{}", nginx.log());
                }
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        })
        .await;
        nginx
    }

    fn log(&self) -> String {
        ["stderr.log", "error.log"]
            .map(|file| std::fs::read_to_string(self.folder.join(file)).unwrap_or_default())
            .concat()
    }

    /// The server's addresses with nginx in its place.
    fn ready(&self, server: &Server) -> Ready {
        Ready { tls: format!("tls://127.0.0.1:{}", self.port), ..server.ready.clone() }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its worker ends with it, which a kill would leave behind.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- nginx said ---\n{}", self.log());
        }
    }
}

/// Debian has it where not every user looks.
fn program() -> &'static str {
    if Path::new("/usr/sbin/nginx").exists() { "/usr/sbin/nginx" } else { "nginx" }
}

/// Sends one request through nginx from an address.
async fn ask(ready: &Ready, from: &str, request: Request<Full<Bytes>>) -> Reply {
    patiently("an answer through nginx", async {
        let from = format!("{from}:0").parse().unwrap();
        let stream = open_tls(ready, from, b"http/1.1").await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        let driver = tokio::spawn(connection);
        let (head, body) = sender.send_request(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        driver.abort();
        Reply { status: head.status, headers: head.headers, body }
    })
    .await
}

fn get(path: &str) -> Request<Full<Bytes>> {
    let request = Request::get(path).header(HOST, "chat.example");
    request.body(Full::default()).unwrap()
}

fn login(name: &str, password: &str, forwarded: &[(&str, &str)]) -> Request<Full<Bytes>> {
    let body = serde_json::to_vec(&credentials(name, password, "phone")).unwrap();
    let mut request = Request::builder().method(Method::POST).uri("/v1/login");
    for (name, value) in forwarded {
        request = request.header(*name, *value);
    }
    let request = request.header(HOST, "chat.example").header(CONTENT_TYPE, "application/json");
    request.body(Full::new(body.into())).unwrap()
}

async fn behind_nginx() -> (tempfile::TempDir, Server, Nginx, Ready) {
    let folder = tempfile::tempdir().unwrap();
    let server = Launch::new(&folder.path().join("data"))
        .with("PARLEY_PROXIES__TRUSTED", "127.0.0.1")
        // Five hundred wrong passwords are not to take the machine's minutes.
        .with("PARLEY_ACCOUNTS__HASH_MEMORY_KIB", "8")
        .with("PARLEY_ACCOUNTS__HASH_PASSES", "1")
        .start()
        .await;
    let nginx = Nginx::start(folder.path(), &server, "http", "parley.conf").await;
    let ready = nginx.ready(&server);
    (folder, server, nginx, ready)
}

#[tokio::test]
async fn wrong_passwords_from_one_address_do_not_stop_another() {
    let (_folder, server, _nginx, ready) = behind_nginx().await;
    for name in ["ann", "ben"] {
        Api::plain(&server.ready).sign_up(name, "phone").await;
    }
    let mut refused = 0;
    for n in 0..500 {
        // Whatever the client says of itself, it is one address.
        let made_up = format!("203.0.113.{}, 198.51.100.{}", n % 250, n % 250);
        let hidden = format!("for=203.0.113.{}", n % 250);
        let lies =
            [("x-forwarded-for", &*made_up), ("forwarded", &*hidden), ("x-real-ip", "10.0.0.9")];
        let reply = ask(&ready, "127.0.0.2", login("ann", "a wrong password", &lies)).await;
        match reply.code() {
            Code::CredentialsWrong => {}
            Code::RateLimited => refused += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(refused >= 400, "{refused} of 500");
    let reply = ask(&ready, "127.0.0.2", login("ben", &password_of("ben"), &[])).await;
    assert_eq!(reply.code(), Code::RateLimited, "the address has used up its logins");
    let reply = ask(&ready, "127.0.0.3", login("ben", &password_of("ben"), &[])).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    for address in ["127.0.0.2", "127.0.0.3"] {
        assert!(
            server.stderr().contains(&format!("from={address}")),
            "{address} is not in the log"
        );
    }
    assert!(
        !server.stderr().contains("203.0.113."),
        "an address that a client made up is believed"
    );
    // Whatever can be sent without a limit leaves no line: it would fill the disk.
    for path in ["/v1/login", "/v1/accounts", "/v1/account/password"] {
        for body in ["{\"x", "[]", "{\"old\":\"a password\",\"new\":\"another one\"}"] {
            let request = Request::post(path).header(HOST, "chat.example");
            let request = request.header(CONTENT_TYPE, "application/json");
            let request = request.header("authorization", format!("Bearer {}", "00".repeat(32)));
            let request = request.body(Full::new(Bytes::from(body))).unwrap();
            let reply = ask(&ready, "127.0.0.4", request).await;
            assert!(reply.status.is_client_error(), "{path} {body}: {reply:?}");
        }
    }
    let log = server.stderr();
    assert!(!log.contains("from=127.0.0.4"), "{log}");
}

#[tokio::test]
async fn what_is_the_operators_is_not_reachable_through_it() {
    let (_folder, _server, _nginx, ready) = behind_nginx().await;
    for path in ["/metrics", "//metrics", "/metrics/", "/%6detrics", "/./metrics", "/x/../metrics"]
    {
        let reply = ask(&ready, "127.0.0.2", get(path)).await;
        assert_ne!(reply.status, StatusCode::OK, "{path}");
        assert!(!String::from_utf8_lossy(&reply.body).contains("parley_"), "{path}");
    }
    let reply = ask(&ready, "127.0.0.2", get("/v1/discovery")).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    assert_eq!(reply.headers["strict-transport-security"], "max-age=31536000");
}

#[tokio::test]
async fn a_websocket_goes_through_and_counts_for_its_own_address() {
    let folder = tempfile::tempdir().unwrap();
    let server = Launch::new(&folder.path().join("data"))
        .with("PARLEY_PROXIES__TRUSTED", "127.0.0.1")
        .with("PARLEY_CONNECTIONS__PER_ADDRESS", "3")
        .start()
        .await;
    let nginx = Nginx::start(folder.path(), &server, "http", "parley.conf").await;
    let ready = nginx.ready(&server);
    let upgrade = async |from: &str| {
        let from = format!("{from}:0").parse().unwrap();
        let stream = open_tls(&ready, from, b"http/1.1").await.unwrap();
        let mut request = "wss://chat.example/v1/ws".into_client_request().unwrap();
        let headers = request.headers_mut();
        headers.insert("sec-websocket-protocol", HeaderValue::from_static("parley.v1"));
        headers.insert("origin", HeaderValue::from_static("https://chat.example"));
        tokio_tungstenite::client_async(request, stream).await
    };
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(upgrade("127.0.0.2").await.unwrap());
    }
    assert!(upgrade("127.0.0.2").await.is_err(), "a fourth from one address");
    for other in ["127.0.0.3", "127.0.0.4"] {
        held.push(upgrade(other).await.unwrap());
    }
}

#[tokio::test]
async fn through_a_stream_the_proxy_protocol_tells_people_apart() {
    let folder = tempfile::tempdir().unwrap();
    let server = Launch::new(&folder.path().join("data"))
        .with("PARLEY_PROXIES__TRUSTED", "127.0.0.1")
        .with("PARLEY_PROXIES__PROTOCOL", "true")
        .with("PARLEY_RATES__LOGINS_PER_MINUTE", "2")
        .start()
        .await;
    let nginx = Nginx::start(folder.path(), &server, "stream", "stream.conf").await;
    let ready = nginx.ready(&server);
    let body = serde_json::to_vec(&credentials("ann", &password_of("ann"), "phone")).unwrap();
    let sign_up = Request::post("/v1/accounts").header(HOST, "chat.example");
    let sign_up = sign_up.header(CONTENT_TYPE, "application/json").body(Full::new(body.into()));
    let reply = ask(&ready, "127.0.0.2", sign_up.unwrap()).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{reply:?}");
    let person = crate::common::Person::new("ann", &reply.json());
    for expected in [StatusCode::OK, StatusCode::OK, StatusCode::TOO_MANY_REQUESTS] {
        let reply = ask(&ready, "127.0.0.2", login("ann", &password_of("ann"), &[])).await;
        assert_eq!(reply.status, expected);
    }
    let reply = ask(&ready, "127.0.0.3", login("ann", &password_of("ann"), &[])).await;
    assert_eq!(reply.status, StatusCode::OK);
    // A framed session, and the name of whoever is signed in over HTTP.
    let mut session = Session::open(&ready, Transport::Tls, &person).await;
    session.ping().await.unwrap();
    let account = Request::get("/v1/account").header(HOST, "chat.example");
    let account = account.header(AUTHORIZATION, format!("Bearer {}", person.bearer));
    let reply = ask(&ready, "127.0.0.4", account.body(Full::default()).unwrap()).await;
    assert_eq!(reply.status, StatusCode::OK);
    // Who is no proxy comes without it; a proxy never does.
    let direct = open_tls(&server.ready, "127.0.0.5:0".parse().unwrap(), b"http/1.1").await;
    assert!(direct.is_ok());
    assert!(open_tls(&server.ready, "127.0.0.1:0".parse().unwrap(), b"http/1.1").await.is_err());
}

#[tokio::test]
async fn a_proxy_that_is_not_trusted_is_warned_of_once_and_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let server = Launch::new(&folder.path().join("data"))
        .with("PARLEY_RATES__LOGINS_PER_MINUTE", "2")
        .start()
        .await;
    Api::plain(&server.ready).sign_up("ann", "phone").await;
    let mut codes = Vec::new();
    for n in 0..4 {
        let stream = open_tcp(server.ready.http_address(), "127.0.0.1:0".parse().unwrap()).await;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream.unwrap())).await.unwrap();
        tokio::spawn(connection);
        let other = format!("203.0.113.{n}");
        let mut request = login("ann", &password_of("ann"), &[("x-forwarded-for", &other)]);
        request.headers_mut().insert(HOST, HeaderValue::from_static("localhost"));
        codes.push(sender.send_request(request).await.unwrap().status().as_u16());
    }
    assert_eq!(codes, [200, 200, 429, 429]);
    assert_eq!(server.stderr().matches("set proxies.trusted").count(), 1);
    // Under a name of its own a page gets nothing from the plain port.
    let mut request = get("/v1/discovery");
    request.headers_mut().insert(HOST, HeaderValue::from_static("rebound.example:7480"));
    let reply = Api::plain(&server.ready).request(request).await;
    assert_eq!(reply.code(), Code::HostUnknown);
}
