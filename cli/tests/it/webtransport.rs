//! WebTransport from outside: a native client of HTTP/3's few frames that it
//! needs. Browsers' own side of it is tested in `web/e2e`.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::BytesMut;
use hyper::Method;
use parley_protocol::frame::{self, Decoder};
use parley_protocol::http::{Discovery, Ticket, WebTransport};
use parley_protocol::wire::ServerEnvelope;
use parley_protocol::{Code, Message as _, version};
use quinn::crypto::rustls::QuicClientConfig;
use tokio::io::AsyncReadExt as _;
use web_transport_proto::{
    Capsule, ConnectError, ConnectRequest, ConnectResponse, Frame, Http3CapsuleReader, Settings,
    VarInt,
};

use crate::common::http::Person;
use crate::common::session::{Ask, Said, envelope, hello};
use crate::common::tls::client_config;
use crate::common::{Api, Launch, Ready, Server, patiently};

async fn server(more: &[(&str, &str)]) -> (tempfile::TempDir, Server) {
    let folder = tempfile::tempdir().unwrap();
    let mut launch = Launch::new(&folder.path().join("data"));
    for (name, value) in more {
        launch = launch.with(name, value);
    }
    (folder, launch.start().await)
}

const ON: (&str, &str) = ("PARLEY_WEBTRANSPORT__ENABLED", "true");

async fn discovered(ready: &Ready) -> Option<WebTransport> {
    let discovery: Discovery = Api::plain(ready).get("/v1/discovery", None).await.json();
    discovery.nodes[0].wt.clone()
}

async fn ticket(ready: &Ready, person: &Person) -> String {
    let api = Api::plain(ready);
    let reply = api.call(Method::POST, "/v1/ticket", Some(&person.bearer), None).await;
    reply.json::<Ticket>().ticket
}

/// A QUIC connection that asks for HTTP/3 and takes one certificate.
async fn connect(ready: &Ready, fingerprint: &str) -> Result<quinn::Connection, String> {
    let crypto = client_config(fingerprint, version::WEBTRANSPORT_ALPN);
    let crypto = QuicClientConfig::try_from(crypto).unwrap();
    let mut endpoint = quinn::Endpoint::client(([127, 0, 0, 1], 0).into()).unwrap();
    endpoint.set_default_client_config(quinn::ClientConfig::new(Arc::new(crypto)));
    let connecting = endpoint.connect(ready.quic_address(), "localhost").unwrap();
    patiently("a handshake", connecting).await.map_err(|error| error.to_string())
}

/// An open session, as a browser holds it.
struct Web {
    connection: quinn::Connection,
    send: quinn::SendStream,
    receive: quinn::RecvStream,
    connect: (quinn::SendStream, quinn::RecvStream),
    _control: (quinn::SendStream, quinn::RecvStream),
    decoder: Decoder,
    buffer: BytesMut,
}

impl Web {
    async fn open(ready: &Ready, target: &str, origin: Option<&str>) -> Result<Self, ConnectError> {
        let wt = discovered(ready).await.unwrap();
        let hash = BASE64_STANDARD.decode(wt.certificate_sha256.unwrap()).unwrap();
        let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        let connection = connect(ready, &hash).await.unwrap();
        let mut control = connection.open_uni().await.unwrap();
        let mut settings = Settings::default();
        settings.enable_webtransport(1);
        settings.write(&mut control).await.unwrap();
        let mut theirs = connection.accept_uni().await.unwrap();
        let settings = Settings::read(&mut theirs).await.unwrap();
        assert_eq!(settings.supports_webtransport(), 1, "one session a connection");

        let (mut ask, mut answer) = connection.open_bi().await.unwrap();
        let url: url::Url = format!("https://{}{target}", ready.quic_address()).parse().unwrap();
        let mut request = ConnectRequest::new(url);
        if let Some(origin) = origin {
            let name = web_transport_proto::http::header::ORIGIN;
            request = request.with_header(name, origin.parse().unwrap());
        }
        request.write(&mut ask).await.unwrap();
        patiently("an answer", ConnectResponse::read(&mut answer)).await?;
        let (mut send, receive) = connection.open_bi().await.unwrap();
        let mut head = BytesMut::new();
        Frame::WEBTRANSPORT.encode(&mut head);
        VarInt::from_u64(u64::from(ask.id())).unwrap().encode(&mut head);
        send.write_all(&head).await.unwrap();
        let (connect, decoder) = ((ask, answer), Decoder::new(u32::MAX));
        let _control = (control, theirs);
        let buffer = BytesMut::new();
        Ok(Self { connection, send, receive, connect, _control, decoder, buffer })
    }

    async fn ask(&mut self, request: u64, ask: Ask) -> Said {
        let mut out = BytesMut::new();
        frame::encode(&envelope(request, ask), &mut out);
        self.send.write_all(&out).await.unwrap();
        self.said().await.expect("an answer")
    }

    /// The next envelope; `None` at the end of the stream.
    async fn said(&mut self) -> Option<Said> {
        loop {
            if let Some(body) = self.decoder.next(&mut self.buffer).unwrap() {
                return ServerEnvelope::decode(body).unwrap().kind;
            }
            match patiently("bytes", self.receive.read_buf(&mut self.buffer)).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// The code in the end of the session.
    async fn ended(&mut self) -> Option<u32> {
        let mut capsules = Http3CapsuleReader::new(&mut self.connect.1);
        match patiently("the end", capsules.read()).await {
            Ok(Some(Capsule::CloseWebTransportSession { code, .. })) => Some(code),
            _ => None,
        }
    }
}

fn with(ticket: &str) -> String {
    format!("/v1/wt?ticket={ticket}")
}

#[tokio::test]
async fn a_browser_chats_over_webtransport_and_is_told_why_it_ends() {
    let (_folder, server) = server(&[ON]).await;
    let ready = &server.ready;
    let ann = Api::plain(ready).sign_up("ann", "browser").await;
    let wt = discovered(ready).await.unwrap();
    // At the name under which it was asked, on QUIC's port.
    assert_eq!(wt.url, format!("https://localhost:{}/v1/wt", ready.quic_address().port()));
    let one = ticket(ready, &ann).await;
    let mut web = Web::open(ready, &with(&one), Some(&ready.http)).await.unwrap();
    let Said::Welcome(welcome) = web.ask(1, Ask::Hello(hello(b"", 0))).await else { panic!() };
    assert_eq!(welcome.user_name, "ann");
    let sent = web.ask(2, crate::common::session::send_to(&ann.user, "one", "to myself")).await;
    assert!(matches!(sent, Said::Sent(_)), "{sent:?}");
    // The same ticket again opens nothing.
    let again = Web::open(ready, &with(&one), None).await;
    assert!(matches!(again.err(), Some(ConnectError::WrongStatus(_))));

    // Without a ticket, the token of Hello is as good as elsewhere.
    let mut other = Web::open(ready, "/v1/wt", None).await.unwrap();
    let said = other.ask(1, Ask::Hello(hello(&ann.token, 0))).await;
    assert!(matches!(said, Said::Welcome(_)), "{said:?}");

    // Signed out: the last frame, and the code in the session's end.
    let out = Api::plain(ready).call(Method::POST, "/v1/logout", Some(&ann.bearer), None).await;
    assert_eq!(out.status, 204);
    let mut last = None;
    while let Some(said) = web.said().await {
        last = Some(said);
    }
    let Some(Said::Close(close)) = last else { panic!("{last:?}") };
    assert_eq!(close.code, Code::SessionRevoked as u32);
    assert_eq!(web.ended().await, Some(Code::SessionRevoked as u32));
    web.connection.close(0u32.into(), b"");
}

#[tokio::test]
async fn who_may_not_is_refused_before_a_stream() {
    let (_folder, server) = server(&[ON]).await;
    let ready = &server.ready;
    let ann = Api::plain(ready).sign_up("ann", "browser").await;
    let cases = [
        ("/v1/wt?ticket=x".to_owned(), None),
        (with(&"0".repeat(64)), None),
        ("/v1/nothing".to_owned(), None),
        (with(&ticket(ready, &ann).await), Some("https://evil.example")),
        (with(&ticket(ready, &ann).await), Some("null")),
    ];
    for (target, origin) in cases {
        let refused = Web::open(ready, &target, origin).await.err();
        assert!(
            matches!(refused, Some(ConnectError::WrongStatus(Some(_)))),
            "{target} {refused:?}"
        );
    }
    // The native clients' certificate stays what it was, and is not shown here.
    assert!(connect(ready, &ready.fingerprint).await.is_err());
}

#[tokio::test]
async fn whoever_says_nothing_is_cut() {
    let (_folder, server) = server(&[ON, ("PARLEY_CONNECTIONS__HANDSHAKE_MS", "500")]).await;
    let wt = discovered(&server.ready).await.unwrap();
    let hash = BASE64_STANDARD.decode(wt.certificate_sha256.unwrap()).unwrap();
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let silent = connect(&server.ready, &hash).await.unwrap();
    patiently("the cut", silent.closed()).await;
    // With settings, but then nothing.
    let half = connect(&server.ready, &hash).await.unwrap();
    let mut control = half.open_uni().await.unwrap();
    let mut settings = Settings::default();
    settings.enable_webtransport(1);
    settings.write(&mut control).await.unwrap();
    patiently("the cut", half.closed()).await;
}

#[tokio::test]
async fn it_is_not_there_unless_asked_for() {
    let (_folder, server) = server(&[]).await;
    assert!(discovered(&server.ready).await.is_none());
    assert!(connect(&server.ready, &server.ready.fingerprint).await.is_err());
}
