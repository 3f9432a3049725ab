//! Connections that come and then take their time: a byte and nothing more,
//! at every step of every way in. Each is cut within its ten seconds; honest
//! people notice nothing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parley_protocol::{Code, version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::common::tls::client_config;
use crate::common::wire::{open_tcp, open_tls};
use crate::common::{Api, Connection, Launch, Ready, Session, Transport, patiently};
use crate::honest::Besieged;

/// The promise is ten seconds; the rest is for a busy machine.
const CUT_WITHIN: Duration = Duration::from_secs(20);

/// The drip of a slow start.
const DRIP: Duration = Duration::from_secs(2);

const LOCAL: ([u8; 4], u16) = ([127, 0, 0, 1], 0);

/// Reads until the other side ends the connection, dripping one byte now and then.
async fn drip_until_cut(
    what: &str,
    mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin,
) -> Vec<u8> {
    let began = Instant::now();
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while began.elapsed() < CUT_WITHIN {
        match timeout(DRIP, stream.read(&mut buffer)).await {
            Ok(Ok(0) | Err(_)) => return answer,
            Ok(Ok(read)) => answer.extend_from_slice(&buffer[..read]),
            Err(_) => {
                if stream.write_all(b"a").await.is_err() || stream.flush().await.is_err() {
                    return answer;
                }
            }
        }
    }
    panic!("{what}: not cut after {CUT_WITHIN:?}")
}

async fn tcp(to: SocketAddr, first: &[u8]) -> TcpStream {
    let mut stream = open_tcp(to, LOCAL.into()).await.unwrap();
    stream.write_all(first).await.unwrap();
    stream
}

async fn tls(
    ready: &Ready,
    alpn: &[u8],
    first: &[u8],
) -> impl AsyncReadExt + AsyncWriteExt + Unpin + use<> {
    let mut stream = open_tls(ready, LOCAL.into(), alpn).await.unwrap();
    stream.write_all(first).await.unwrap();
    stream.flush().await.unwrap();
    stream
}

/// Reads until the other side ends the connection, saying `again` now and then.
async fn until_cut(
    what: &str,
    mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin,
    again: &[u8],
) {
    let began = Instant::now();
    let mut buffer = [0; 4096];
    while began.elapsed() < CUT_WITHIN {
        match timeout(DRIP, stream.read(&mut buffer)).await {
            Ok(Ok(0) | Err(_)) => return,
            Ok(Ok(_)) => {}
            Err(_) if again.is_empty() => {}
            Err(_) => {
                if stream.write_all(again).await.is_err() || stream.flush().await.is_err() {
                    return;
                }
            }
        }
    }
    panic!("{what}: not cut after {CUT_WITHIN:?}")
}

#[tokio::test]
async fn beginnings_that_break_no_rule_and_lead_nowhere_are_cut() {
    let besieged = Besieged::begin().await;
    let ready = besieged.server.ready.clone();
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
    const PING: &[u8] = &[0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    const GET: &[u8] = b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n";
    const UPGRADE: &[u8] = b"GET /v1/ws HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\n\
        upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-protocol: parley.v1\r\n\
        sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    const WS_PING: &[u8] = &[0x89, 0x80, 0, 0, 0, 0];
    let both = [PREFACE, SETTINGS].concat();
    /// Its name, its protocol in ALPN, what it says first, and what it goes on with.
    type Beginning<'a> = (&'a str, &'a [u8], Vec<u8>, &'a [u8]);
    let beginnings: [Beginning<'_>; 9] = [
        ("HTTP/2 in silence", b"h2", Vec::new(), b""),
        ("HTTP/2 after its preface", b"h2", PREFACE.to_vec(), b""),
        ("HTTP/2 without a request", b"h2", both.clone(), b""),
        ("HTTP/2 that pings", b"h2", both, PING),
        ("HTTP/1.1 in silence", b"http/1.1", Vec::new(), b""),
        ("HTTP/1.1 after a request", b"http/1.1", GET.to_vec(), b""),
        ("HTTP/1.1 with cheap requests", b"http/1.1", GET.to_vec(), GET),
        ("a WebSocket in silence", b"http/1.1", UPGRADE.to_vec(), b""),
        ("a WebSocket that pings", b"http/1.1", UPGRADE.to_vec(), WS_PING),
    ];
    let mut cuts = JoinSet::new();
    for (what, alpn, first, again) in beginnings {
        let ready = ready.clone();
        cuts.spawn(async move {
            until_cut(what, tls(&ready, alpn, &first).await, again).await;
            if alpn != b"h2" {
                until_cut(what, tcp(ready.http_address(), &first).await, again).await;
            }
        });
    }
    while let Some(cut) = cuts.join_next().await {
        cut.unwrap();
    }
    besieged.unharmed("valid beginnings").await;
}

/// As many as there are places: the operators hear all the same, and people get in once
/// the idle ones are cut.
#[tokio::test]
async fn health_answers_while_every_place_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let server = Launch::new(&folder.path().join("data"))
        // So few that a test can take them all.
        .with("PARLEY_CONNECTIONS__UNAUTHENTICATED", "40")
        .start()
        .await;
    let ready = server.ready.clone();
    let ann = Api::plain(&ready).sign_up("ann", "phone").await;
    let mut held = Vec::new();
    while let Ok(stream) = open_tls(&ready, LOCAL.into(), b"h2").await {
        held.push(stream);
        assert!(held.len() <= 40, "the cap does not hold");
    }
    let operator = Api::plain(&ready.operator());
    for path in ["/livez", "/readyz", "/metrics"] {
        assert!(operator.get(path, None).await.status.is_success(), "{path}");
    }
    let metrics = operator.get("/metrics", None).await;
    let text = String::from_utf8_lossy(&metrics.body).into_owned();
    assert!(text.contains("parley_connections_refused_total"), "{text}");
    // Nobody lets go; the server does.
    let mut honest = loop {
        match Session::resume(&ready, Transport::Tls, &ann, 0).await {
            Ok(session) => break session,
            Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    };
    honest.ping().await.unwrap();
    drop(held);
}

#[tokio::test]
async fn a_slow_start_is_cut_at_every_step() {
    let besieged = Besieged::begin().await;
    let ready = besieged.server.ready.clone();
    let mut cuts = JoinSet::new();
    const HEAD: &[u8] =
        b"POST /v1/login HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    let heads: [(&str, Vec<u8>); 4] = [
        ("nothing at all", Vec::new()),
        ("one byte of HTTP", b"G".to_vec()),
        ("half an HTTP head", HEAD.to_vec()),
        (
            "a WebSocket upgrade without an end",
            b"GET /v1/ws HTTP/1.1\r\nupgrade: websocket\r\nx".to_vec(),
        ),
    ];
    for (what, first) in heads {
        let ready = ready.clone();
        cuts.spawn(async move {
            drip_until_cut(what, tcp(ready.http_address(), &first).await).await;
            drip_until_cut(what, tls(&ready, b"http/1.1", &first).await).await;
        });
    }
    for over_tls in [false, true] {
        let ready = ready.clone();
        cuts.spawn(async move {
            let first = [HEAD, b"content-length: 60000\r\n\r\n{"].concat();
            let answer = if over_tls {
                drip_until_cut("an HTTP body", tls(&ready, b"http/1.1", &first).await).await
            } else {
                drip_until_cut("an HTTP body", tcp(ready.http_address(), &first).await).await
            };
            let answer = String::from_utf8_lossy(&answer).into_owned();
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
        });
    }
    for first in [&b""[..], b"\x16", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"] {
        let ready = ready.clone();
        let first = first.to_vec();
        cuts.spawn(async move {
            drip_until_cut("a TLS hello", tcp(ready.tls_address(), &first).await).await;
        });
    }
    let h2 = ready.clone();
    cuts.spawn(async move {
        drip_until_cut("an HTTP/2 preface", tls(&h2, b"h2", b"PRI * HTTP/2.0\r\n").await).await;
    });
    // In frames: there the reason is told.
    for transport in Transport::ALL {
        for first in [&b""[..], &[0x20], &[0x80], &[0xff, 0x7f, 1, 2]] {
            if transport == Transport::WebSocket && !first.is_empty() {
                continue;
            }
            let ready = ready.clone();
            let first = first.to_vec();
            cuts.spawn(async move {
                let mut wire = Connection::open(&ready, transport).await.unwrap();
                wire.write_bytes(&first).await.unwrap();
                let ended = timeout(CUT_WITHIN, wire.ended()).await;
                let ended = ended.unwrap_or_else(|_| panic!("{transport:?} {first:?}: not cut"));
                // A stream of QUIC that carries nothing does not exist for the server.
                let code = ended.code();
                assert_eq!(code, Some(Code::HandshakeTimeout), "{transport:?} {first:?}: {ended}");
            });
        }
    }
    let ws = ready.clone();
    cuts.spawn(async move {
        // The head of a WebSocket message, then a drip; and pings, which are no Hello.
        let mut wire = Connection::open(&ws, Transport::WebSocket).await.unwrap();
        wire.write_bytes(&[0x82, 0xfe, 0x10, 0x00, 1, 2, 3, 4, 5]).await.unwrap();
        let ended = timeout(CUT_WITHIN, wire.ended()).await.expect("cut");
        assert_eq!(ended.code(), Some(Code::HandshakeTimeout), "{ended}");
        let mut wire = Connection::open(&ws, Transport::WebSocket).await.unwrap();
        let pings = async {
            loop {
                if wire.write_bytes(&[0x89, 0x80, 1, 2, 3, 4]).await.is_err() {
                    break;
                }
                if let Ok(ended) = timeout(DRIP, wire.ended()).await {
                    assert_eq!(ended.code(), Some(Code::HandshakeTimeout), "{ended}");
                    break;
                }
            }
        };
        timeout(CUT_WITHIN, pings).await.expect("a pinging connection is cut");
    });
    while let Some(cut) = cuts.join_next().await {
        cut.unwrap();
    }
    besieged.unharmed("slow starts").await;
}

#[tokio::test]
async fn a_silent_quic_connection_is_cut() {
    let besieged = Besieged::begin().await;
    let crypto = client_config(&besieged.server.ready.fingerprint, version::ALPN);
    let crypto = quinn::crypto::rustls::QuicClientConfig::try_from(crypto).unwrap();
    let config = quinn::ClientConfig::new(Arc::new(crypto));
    let endpoint = quinn::Endpoint::client(LOCAL.into()).unwrap();
    let address = besieged.server.ready.quic_address();
    let connecting = endpoint.connect_with(config, address, "localhost").unwrap();
    // No stream is ever opened.
    let connection = connecting.await.unwrap();
    let ended = timeout(CUT_WITHIN, connection.closed()).await.expect("cut");
    let quinn::ConnectionError::ApplicationClosed(close) = ended else {
        panic!("{ended}");
    };
    assert_eq!(close.error_code.into_inner(), Code::HandshakeTimeout as u64);
    besieged.unharmed("a silent QUIC connection").await;
}

#[tokio::test]
async fn quic_beginnings_without_an_end_and_garbage_keep_nobody_out() {
    let besieged = Besieged::begin().await;
    let ready = &besieged.server.ready;
    // Real first packets, caught on their way to somewhere else.
    let trap = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let crypto = client_config(&ready.fingerprint, version::ALPN);
    let crypto = quinn::crypto::rustls::QuicClientConfig::try_from(crypto).unwrap();
    let config = quinn::ClientConfig::new(Arc::new(crypto));
    let endpoint = quinn::Endpoint::client(LOCAL.into()).unwrap();
    let attacker = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut random = fastrand::Rng::with_seed(3);
    let mut packet = [0; 2048];
    for number in 0..1000 {
        let to = trap.local_addr().unwrap();
        let connecting = endpoint.connect_with(config.clone(), to, "localhost").unwrap();
        let (length, _) = trap.recv_from(&mut packet).await.unwrap();
        drop(connecting);
        let first = &mut packet[..length];
        attacker.send_to(first, ready.quic_address()).await.unwrap();
        // The same with bits flipped, cut short, and nothing but noise.
        first[random.usize(..length)] ^= 1 << random.u8(..8);
        attacker.send_to(first, ready.quic_address()).await.unwrap();
        let cut = &first[..random.usize(1..length)];
        attacker.send_to(cut, ready.quic_address()).await.unwrap();
        let noise: Vec<u8> = (0..random.usize(1..1400)).map(|_| random.u8(..)).collect();
        attacker.send_to(&noise, ready.quic_address()).await.unwrap();
        if number % 250 == 0 {
            let mut eve = besieged.eve(Transport::Quic).await;
            eve.ping().await.unwrap();
        }
    }
    let growth = besieged.growth();
    assert!(growth < 64 << 20, "a thousand beginnings took {growth} bytes");
    let mut eve = besieged.eve(Transport::Quic).await;
    eve.say(&besieged.ben, "after", "still here").await;
    besieged.unharmed("QUIC beginnings").await;
}

#[tokio::test]
async fn a_wrong_alpn_name_is_refused() {
    let besieged = Besieged::begin().await;
    let ready = &besieged.server.ready;
    for alpn in [&b"parley/9"[..], b"h3", b"smtp"] {
        assert!(open_tls(ready, LOCAL.into(), alpn).await.is_err(), "{alpn:?} on TLS");
        let crypto = client_config(&ready.fingerprint, alpn);
        let crypto = quinn::crypto::rustls::QuicClientConfig::try_from(crypto).unwrap();
        let config = quinn::ClientConfig::new(Arc::new(crypto));
        let endpoint = quinn::Endpoint::client(LOCAL.into()).unwrap();
        let connecting = endpoint.connect_with(config, ready.quic_address(), "localhost");
        assert!(connecting.unwrap().await.is_err(), "{alpn:?} on QUIC");
    }
    // TLS 1.2 is not spoken unless the operator says so.
    let mut old = client_config(&ready.fingerprint, version::ALPN);
    old.alpn_protocols.clear();
    let connector = TlsConnector::from(Arc::new(old));
    let stream = open_tcp(ready.tls_address(), LOCAL.into()).await.unwrap();
    let stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
    assert_eq!(stream.get_ref().1.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
    besieged.unharmed("wrong ALPN names").await;
}

#[tokio::test]
async fn a_thousand_idle_connections_do_not_keep_people_out() {
    let besieged = Besieged::begin().await;
    let ready = besieged.server.ready.clone();
    let mut idle = Vec::new();
    let mut cut = JoinSet::new();
    for number in 0..1000u32 {
        let to = if number % 2 == 0 { ready.tls_address() } else { ready.http_address() };
        let from = SocketAddr::from(([127, 0, 0, 2 + (number % 200) as u8], 0));
        let stream = open_tcp(to, from).await.unwrap();
        if number % 10 == 0 {
            cut.spawn(drip_until_cut("an idle connection", stream));
        } else {
            idle.push(stream);
        }
    }
    let growth = besieged.growth();
    assert!(growth < 32 << 20, "a thousand idle connections took {growth} bytes");
    // Meanwhile somebody new comes in.
    let api = Api::over_tls(&ready);
    let newcomer = api.sign_up("newcomer", "phone").await;
    for transport in Transport::ALL {
        let mut session = Session::open(&ready, transport, &newcomer).await;
        let id = format!("{transport:?}");
        session.say(&besieged.ben, &id, "hello").await;
    }
    while let Some(cut) = cut.join_next().await {
        cut.unwrap();
    }
    for stream in &mut idle {
        let ended = timeout(CUT_WITHIN, stream.read(&mut [0; 64])).await;
        let ended = ended.expect("an idle connection is cut");
        assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
    }
    // The server waits a moment for those that don't let go.
    patiently("the end of idle connections", async {
        while besieged.server.descriptors() >= 300 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
    besieged.unharmed("a thousand idle connections").await;
}
