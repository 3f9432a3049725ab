//! What each transport carries, and how it closes.

use futures_util::{SinkExt as _, StreamExt as _};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::*;

#[tokio::test]
async fn quic_carries_frames_and_closes_with_the_code() {
    let running = start(Setup::default());
    let endpoint = running.quic_endpoint();
    let connection = running.quic(&endpoint).await.unwrap();
    let (mut send_half, mut receive_half) = connection.open_bi().await.unwrap();
    for envelope in [pong(1), large(2, 300_000), pong(3)] {
        send(&mut send_half, &envelope).await;
        assert_eq!(receive(&mut receive_half).await.unwrap(), envelope);
    }
    send(&mut send_half, &pong(99)).await;
    assert_eq!(receive(&mut receive_half).await, Some(closing(Code::Draining)));
    match connection.closed().await {
        quinn::ConnectionError::ApplicationClosed(close) => {
            assert_eq!(close.error_code.into_inner(), Code::Draining as u64);
            assert_eq!(close.reason, "draining");
        }
        other => panic!("{other}"),
    }
    running.stop().await;
}

#[tokio::test]
async fn a_quic_client_has_one_stream_and_may_move() {
    let running = start(Setup::default());
    let endpoint = running.quic_endpoint();
    let connection = running.quic(&endpoint).await.unwrap();
    let (mut send_half, mut receive_half) = connection.open_bi().await.unwrap();
    send(&mut send_half, &pong(1)).await;
    assert!(receive(&mut receive_half).await.is_some());
    assert!(
        futures_util::poll!(std::pin::pin!(connection.open_bi())).is_pending(),
        "no second stream"
    );
    assert!(futures_util::poll!(std::pin::pin!(connection.open_uni())).is_pending());
    assert!(connection.max_datagram_size().is_none());
    endpoint.rebind(UdpSocket::bind(local()).unwrap()).unwrap();
    send(&mut send_half, &pong(2)).await;
    assert_eq!(receive(&mut receive_half).await, Some(pong(2)));
    connection.close(0u32.into(), b"");
    running.stop().await;
}

#[tokio::test]
async fn tls_carries_frames_and_closes_after_the_last_one() {
    let running = start(Setup::default());
    let mut stream = running.tls(&[version::ALPN]).await.unwrap();
    for envelope in [pong(1), large(2, 300_000), pong(3)] {
        send(&mut stream, &envelope).await;
        assert_eq!(receive(&mut stream).await.unwrap(), envelope);
    }
    // More is on its way when the server closes: its last frame arrives anyway.
    send(&mut stream, &pong(99)).await;
    send(&mut stream, &large(4, 50_000)).await;
    assert_eq!(receive(&mut stream).await, Some(closing(Code::Draining)));
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "a clean close_notify");
    drop(stream);
    running.stop().await;
}

#[tokio::test]
async fn a_bad_frame_closes_with_its_code() {
    let running = start(Setup::default());
    let cases: [(&[u8], Code); 4] = [
        (b"\x00", Code::BadFrame),
        (b"\x81\x00", Code::BadFrame),
        (b"\xff\xff\xff\xff\x7f", Code::FrameTooLarge),
        (b"\x02\xff\xff", Code::BadEnvelope),
    ];
    for (bytes, code) in cases {
        let mut stream = running.tls(&[version::ALPN]).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.flush().await.unwrap();
        assert_eq!(receive(&mut stream).await, Some(closing(code)), "{bytes:?}");
    }
    running.stop().await;
}

#[tokio::test]
async fn alpn_decides_and_strangers_are_refused() {
    let running = start(Setup::default());
    assert!(running.tls(&[b"smtp"]).await.is_err());
    let mut bare = running.tls(&[]).await.unwrap();
    bare.write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let answer = String::from_utf8(drain(&mut bare).await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("alive"), "{answer}");

    let stream = running.tls(&[b"h2", b"http/1.1"]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let io = TokioIo::new(stream);
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    let driver = tokio::spawn(connection);
    let request =
        hyper::Request::get("https://localhost/livez").body(Empty::<bytes::Bytes>::new()).unwrap();
    let answer = client.send_request(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "alive");
    drop(client);
    let _ = driver.await;
    running.stop().await;
}

async fn websocket<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    protocol: &'static str,
    origin: Option<&'static str>,
) -> Result<WebSocketStream<S>, WsError> {
    let mut request = "ws://localhost/v1/ws".into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", protocol.parse().unwrap());
    if let Some(origin) = origin {
        request.headers_mut().insert("origin", origin.parse().unwrap());
    }
    client_async(request, stream).await.map(|(socket, _)| socket)
}

async fn plain(running: &Running) -> TcpStream {
    TcpStream::connect(running.addresses.http).await.unwrap()
}

async fn echo_and_close<S: AsyncRead + AsyncWrite + Unpin>(mut socket: WebSocketStream<S>) {
    for envelope in [pong(1), large(2, 300_000), pong(3)] {
        socket.send(Message::binary(envelope.encode_to_vec())).await.unwrap();
        let Message::Binary(bytes) = socket.next().await.unwrap().unwrap() else {
            panic!("not binary")
        };
        assert_eq!(ServerEnvelope::decode(bytes).unwrap(), envelope);
    }
    socket.send(Message::binary(pong(99).encode_to_vec())).await.unwrap();
    assert_eq!(closed_with(&mut socket).await, (Some(closing(Code::Draining)), 4504));
}

/// The last envelope and the close code.
async fn closed_with<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
) -> (Option<ServerEnvelope>, u16) {
    let mut last = None;
    loop {
        match socket.next().await.unwrap().unwrap() {
            Message::Binary(bytes) => last = Some(ServerEnvelope::decode(bytes).unwrap()),
            Message::Close(Some(close)) => return (last, u16::from(close.code)),
            Message::Close(None) => return (last, u16::from(CloseCode::Status)),
            _ => {}
        }
    }
}

#[tokio::test]
async fn websockets_carry_envelopes_on_both_ports() {
    let running = start(Setup::default());
    echo_and_close(websocket(plain(&running).await, "parley.v1", None).await.unwrap()).await;
    let stream = running.tls(&[b"http/1.1"]).await.unwrap();
    echo_and_close(websocket(stream, "chat, parley.v1", None).await.unwrap()).await;
    running.stop().await;
}

#[tokio::test]
async fn text_empty_and_oversize_messages_close_with_their_codes() {
    let running = start(Setup::default());
    let cases = [
        (Message::text("hello"), Code::TextFrame),
        (Message::binary(Vec::new()), Code::BadFrame),
        (Message::binary(vec![0; 600_000]), Code::FrameTooLarge),
    ];
    for (message, code) in cases {
        let mut socket = websocket(plain(&running).await, "parley.v1", None).await.unwrap();
        socket.send(Message::binary(pong(1).encode_to_vec())).await.unwrap();
        assert!(matches!(socket.next().await, Some(Ok(Message::Binary(_)))));
        // The server may cut a large message off while it is being sent.
        let _ = socket.send(message).await;
        let number = 4000 + u16::try_from(code as u32).unwrap();
        assert_eq!(closed_with(&mut socket).await, (Some(closing(code)), number));
    }
    running.stop().await;
}

#[tokio::test]
async fn a_websocket_needs_its_protocol_and_an_own_origin() {
    let running =
        start(Setup { origins: vec!["https://chat.example".to_owned()], ..Setup::default() });
    for (protocol, origin) in
        [("chat", None), ("parley.v1", Some("https://evil.example")), ("parley.v1", Some("null"))]
    {
        match websocket(plain(&running).await, protocol, origin).await {
            Err(WsError::Http(answer)) => assert_eq!(answer.status(), 400),
            other => panic!("{protocol} {origin:?}: {:?}", other.err()),
        }
    }
    for origin in ["http://localhost", "https://LOCALHOST", "https://chat.example"] {
        assert!(
            websocket(plain(&running).await, "parley.v1", Some(origin)).await.is_ok(),
            "{origin}"
        );
    }
    running.stop().await;
}

#[tokio::test]
async fn shutting_down_waits_for_sessions_and_takes_no_more() {
    let running = start(Setup::default());
    let mut stream = running.tls(&[version::ALPN]).await.unwrap();
    send(&mut stream, &pong(1)).await;
    assert!(receive(&mut stream).await.is_some());
    running.shutdown.cancel();
    // The acceptor is gone once connecting fails; sessions stay.
    while TcpStream::connect(running.addresses.tls).await.is_ok() {
        tokio::task::yield_now().await;
    }
    send(&mut stream, &pong(2)).await;
    assert_eq!(receive(&mut stream).await, Some(pong(2)));
    assert!(!running.task.is_finished());
    drop(stream);
    running.stop().await;
}

#[tokio::test]
async fn plain_http_beyond_loopback_and_taken_ports_are_refused_by_name() {
    let options = Options {
        address: local(),
        http: SocketAddr::from(([0, 0, 0, 0], 0)),
        operator: None,
        handshake: Duration::from_secs(1),
        idle: Duration::from_secs(30),
        frame_bytes: 1024,
        origins: Vec::new(),
        web_transport: false,
        proxies: Arc::default(),
    };
    let refused = Sockets::bind(&options).err().unwrap();
    assert!(refused.to_string().contains("loopback"), "{refused}");
    let options = Options { http: local(), ..options };
    let bound = Sockets::bind(&options).unwrap().addresses();
    assert_eq!(bound.quic, bound.tls);
    let held = Sockets::bind(&options).unwrap();
    let taken = Options { address: held.addresses().tls, ..options };
    let error = Sockets::bind(&taken).err().unwrap().to_string();
    assert!(error.contains(&held.addresses().tls.to_string()), "{error}");
}

#[tokio::test]
async fn a_refused_body_does_not_cost_the_answer() {
    let running = start(Setup::default());
    let mut plain = plain(&running).await;
    // Refused by its method, so nobody reads the body.
    let head = b"POST /livez HTTP/1.1\r\nhost: localhost\r\ncontent-length: 600000\r\n\r\n";
    plain.write_all(head).await.unwrap();
    for _ in 0..600 {
        plain.write_all(&[b'x'; 1000]).await.unwrap();
    }
    let mut answer = Vec::new();
    plain.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 405"), "{answer:?}");
    running.stop().await;
}
