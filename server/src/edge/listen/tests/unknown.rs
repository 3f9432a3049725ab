//! Beginnings that break no rule of their protocol and lead nowhere: HTTP on which
//! nobody signs in, in silence or with cheap requests; frames that carry nothing.
//! Each is cut; who is signed in is not, and gets in meanwhile.

use futures_util::{SinkExt as _, StreamExt as _};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use super::*;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
const LIVEZ: &[u8] = b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n";

fn impatient() -> Running {
    start(Setup { handshake: Duration::from_millis(600), ..Setup::default() })
}

/// HEADERS of `GET https://localhost/known` on a stream, which also ends it.
fn get_known(stream: u8) -> Vec<u8> {
    let block = [&[0x82, 0x87, 0x04, 6][..], b"/known", &[0x01, 9], b"localhost"].concat();
    let length = u8::try_from(block.len()).unwrap();
    [&[0, 0, length, 1, 5, 0, 0, 0, stream][..], &block].concat()
}

/// Reads HTTP/2 frames until HEADERS come: the answer.
async fn until_answered(stream: &mut (impl AsyncRead + Unpin)) {
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.unwrap();
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        stream.read_exact(&mut vec![0; length]).await.unwrap();
        if head[3] == 1 {
            return;
        }
    }
}

/// An HTTP/2 connection on which somebody signed in.
async fn known(running: &Running) -> TlsStream<TcpStream> {
    let mut stream = running.tls(&[b"h2"]).await.unwrap();
    stream.write_all(&[PREFACE, SETTINGS, &get_known(1)].concat()).await.unwrap();
    stream.flush().await.unwrap();
    until_answered(&mut stream).await;
    stream
}

#[tokio::test]
async fn http2_is_cut_in_silence_after_the_preface_and_between_requests() {
    let running = impatient();
    let beginnings: [&[&[u8]]; 3] = [&[], &[PREFACE], &[PREFACE, SETTINGS]];
    for beginning in beginnings {
        let mut stream = running.tls(&[b"h2"]).await.unwrap();
        stream.write_all(&beginning.concat()).await.unwrap();
        stream.flush().await.unwrap();
        drain(&mut stream).await;
    }
    running.stop().await;
}

#[tokio::test]
async fn cheap_requests_do_not_keep_a_connection_and_its_last_answer_says_so() {
    let running = impatient();
    let mut plain = TcpStream::connect(running.addresses.http).await.unwrap();
    let mut answers = Vec::new();
    let mut some = [0; 4096];
    loop {
        if plain.write_all(LIVEZ).await.is_err() {
            break;
        }
        match plain.read(&mut some).await {
            Ok(read @ 1..) => answers.push(String::from_utf8_lossy(&some[..read]).into_owned()),
            Ok(0) | Err(_) => break,
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(answers.len() > 1, "{answers:?}");
    let last = answers.last().unwrap();
    assert!(last.starts_with("HTTP/1.1 200") && last.contains("connection: close"), "{last}");
    running.stop().await;
}

#[tokio::test]
async fn requests_of_strangers_have_a_budget_of_bytes() {
    let running = start(Setup::default());
    let mut plain = TcpStream::connect(running.addresses.http).await.unwrap();
    let head = format!("GET /livez HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "x".repeat(900));
    let mut sent = 0;
    let mut some = [0; 4096];
    while plain.write_all(head.as_bytes()).await.is_ok() {
        if !matches!(plain.read(&mut some).await, Ok(1..)) {
            break;
        }
        sent += head.len();
    }
    assert!((30_000..=66_000).contains(&sent), "{sent}");
    running.stop().await;
}

#[tokio::test]
async fn who_signed_in_may_be_silent_and_leaves_the_places_of_strangers() {
    let running = impatient();
    let io = TokioIo::new(running.tls(&[b"h2"]).await.unwrap());
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    let driver = tokio::spawn(connection);
    for _ in 0..2 {
        let request = hyper::Request::get("https://localhost/known");
        let request = request.body(http_body_util::Empty::<bytes::Bytes>::new()).unwrap();
        assert_eq!(client.send_request(request).await.unwrap().status(), 200);
        assert_eq!((running.connections.open(), running.connections.unauthenticated()), (1, 0));
        tokio::time::sleep(Duration::from_millis(1500)).await;
    }
    drop(client);
    let _ = driver.await;
    running.stop().await;
}

#[tokio::test]
async fn floods_of_control_frames_are_cut_also_after_a_sign_in() {
    let running = start(Setup::default());
    let floods: [&[u8]; 6] = [
        &[0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8],
        SETTINGS,
        &[0, 0, 5, 2, 0, 0, 0, 0, 3, 0, 0, 0, 0, 9],
        &[0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        &[0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 8],
        &[0, 0, 1, 0xfa, 0, 0, 0, 0, 0, 0],
    ];
    for flood in floods {
        let stream = known(&running).await;
        let (mut reading, mut writing) = tokio::io::split(stream);
        let many = flood.repeat(100);
        let flooding = async {
            while writing.write_all(&many).await.is_ok() && writing.flush().await.is_ok() {}
        };
        // Ends only when the server ends it.
        tokio::join!(flooding, drain(&mut reading));
    }
    running.stop().await;
}

async fn upgrade(stream: TcpStream) -> tokio_tungstenite::WebSocketStream<TcpStream> {
    let mut request = "ws://localhost/v1/ws".into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "parley.v1".parse().unwrap());
    client_async(request, stream).await.unwrap().0
}

#[tokio::test]
async fn an_upgrade_does_not_begin_the_time_anew() {
    let running = start(Setup {
        handshake: Duration::from_secs(3),
        authenticates: false,
        ..Setup::default()
    });
    let old = TcpStream::connect(running.addresses.http).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let mut young = upgrade(TcpStream::connect(running.addresses.http).await.unwrap()).await;
    let mut old = upgrade(old).await;
    let ended = |message| matches!(message, Some(Ok(Message::Binary(_) | Message::Close(_))));
    tokio::select! {
        first = old.next() => assert!(ended(first)),
        _ = young.next() => panic!("the younger connection was cut first"),
    }
    drop((old, young));
    running.stop().await;
}

#[tokio::test]
async fn pings_and_endless_fragments_are_cut_in_an_open_session() {
    let running = start(Setup::default());
    // A masked ping; a fragment without an end and without a byte.
    let floods: [&[u8]; 2] = [&[0x89, 0x80, 0, 0, 0, 0], &[0x00, 0x80, 0, 0, 0, 0]];
    for flood in floods {
        let mut socket = upgrade(TcpStream::connect(running.addresses.http).await.unwrap()).await;
        socket.send(Message::binary(pong(1).encode_to_vec())).await.unwrap();
        assert!(matches!(socket.next().await, Some(Ok(Message::Binary(_)))));
        let mut stream = socket.into_inner();
        if flood[0] == 0 {
            stream.write_all(&[0x02, 0x80, 0, 0, 0, 0]).await.unwrap();
        }
        let (mut reading, mut writing) = stream.split();
        let many = flood.repeat(1000);
        let flooding = async { while writing.write_all(&many).await.is_ok() {} };
        let ((), answer) = tokio::join!(flooding, drain(&mut reading));
        let name = Code::RateLimited.name().as_bytes();
        assert!(answer.windows(name.len()).any(|part| part == name), "{answer:?}");
    }
    running.stop().await;
}

#[tokio::test]
async fn honest_people_get_in_while_strangers_idle_on_http() {
    let running = start(Setup {
        handshake: Duration::from_millis(600),
        caps: ConnectionCaps {
            total: 100,
            per_address: 100,
            unauthenticated: 6,
            limit_loopback: true,
        },
        ..Setup::default()
    });
    let mut strangers = Vec::new();
    for beginning in [&[][..], PREFACE, &[PREFACE, SETTINGS].concat()] {
        for _ in 0..2 {
            let mut stream = running.tls(&[b"h2"]).await.unwrap();
            stream.write_all(beginning).await.unwrap();
            stream.flush().await.unwrap();
            strangers.push(stream);
        }
    }
    // Refused while they hold every place, and no longer.
    let mut honest = loop {
        match running.tls(&[version::ALPN]).await {
            Ok(stream) => break stream,
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    send(&mut honest, &pong(1)).await;
    assert_eq!(receive(&mut honest).await, Some(pong(1)));
    drop((honest, strangers));
    running.stop().await;
}

#[tokio::test]
async fn an_answer_before_the_body_was_read_keeps_the_connection_or_says_it_ends() {
    let running = start(Setup::default());
    let head = |length: usize| {
        format!("POST /livez HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n")
    };
    // Refused by its method; the body comes in a packet of its own.
    let mut plain = TcpStream::connect(running.addresses.http).await.unwrap();
    for _ in 0..20 {
        plain.write_all(head(11).as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
        plain.write_all(b"{\"a\":\"bcd\"}").await.unwrap();
        let mut some = [0; 4096];
        let read = plain.read(&mut some).await.unwrap();
        let answer = String::from_utf8_lossy(&some[..read]).into_owned();
        assert!(answer.starts_with("HTTP/1.1 405"), "{answer}");
        assert!(!answer.contains("connection: close"), "{answer}");
    }
    for (more, body) in [("", 600_000), ("expect: 100-continue\r\n", 11)] {
        let mut plain = TcpStream::connect(running.addresses.http).await.unwrap();
        let head = head(body).replace("\r\n\r\n", &format!("\r\n{more}\r\n"));
        plain.write_all(head.as_bytes()).await.unwrap();
        let answer = String::from_utf8(drain(&mut plain).await).unwrap();
        assert!(answer.contains("connection: close"), "{answer}");
    }
    running.stop().await;
}
