//! Slow starts and floods before authentication: each is cut.
//!
//! The patience is short here; that a cut comes at all is what is tested. A
//! connection that is not cut hangs its test.

use futures_util::{SinkExt as _, StreamExt as _};
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use super::*;

fn impatient() -> Running {
    start(Setup { handshake: Duration::from_millis(300), authenticates: false, ..Setup::default() })
}

/// Sends one byte now and then until the peer closes.
async fn dribble(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), bytes: &[u8]) -> Vec<u8> {
    let (mut reading, mut writing) = tokio::io::split(stream);
    let trickle = async {
        for byte in bytes.iter().cycle() {
            if writing.write_all(&[*byte]).await.is_err() || writing.flush().await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = trickle => Vec::new(),
        all = drain(&mut reading) => all,
    }
}

#[tokio::test]
async fn a_silent_or_dribbling_tls_hello_is_cut() {
    let running = impatient();
    let mut silent = TcpStream::connect(running.addresses.tls).await.unwrap();
    drain(&mut silent).await;
    let mut dribbling = TcpStream::connect(running.addresses.tls).await.unwrap();
    // The head of a record that promises 512 bytes of ClientHello.
    let mut hello = vec![0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03];
    hello.resize(500, 7);
    dribble(&mut dribbling, &hello).await;
    running.stop().await;
}

#[tokio::test]
async fn a_slow_http_head_is_cut_on_both_ports() {
    let running = impatient();
    let head = b"GET /livez HTTP/1.1\r\nhost: localhost\r\nx-slow: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    let mut plain = TcpStream::connect(running.addresses.http).await.unwrap();
    dribble(&mut plain, head).await;
    let mut silent = TcpStream::connect(running.addresses.http).await.unwrap();
    drain(&mut silent).await;
    for alpn in [&b"http/1.1"[..], b"h2"] {
        let mut secure = running.tls(&[alpn]).await.unwrap();
        dribble(&mut secure, head).await;
    }
    running.stop().await;
}

#[tokio::test]
async fn an_idle_http_connection_does_not_stay() {
    let running = impatient();
    let mut plain = TcpStream::connect(running.addresses.http).await.unwrap();
    plain.write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let answer = drain(&mut plain).await;
    assert!(answer.starts_with(b"HTTP/1.1 200"));
    running.stop().await;
}

#[tokio::test]
async fn silence_half_a_prefix_and_half_a_frame_are_cut_on_tls() {
    let running = impatient();
    for start in [&b""[..], b"\x80", b"\x20abc"] {
        let mut stream = running.tls(&[version::ALPN]).await.unwrap();
        stream.write_all(start).await.unwrap();
        stream.flush().await.unwrap();
        assert_eq!(receive(&mut stream).await, Some(closing(Code::HandshakeTimeout)));
    }
    running.stop().await;
}

#[tokio::test]
async fn a_quic_client_must_open_its_stream_and_speak() {
    let running = impatient();
    let endpoint = running.quic_endpoint();
    let code = |error| match error {
        quinn::ConnectionError::ApplicationClosed(close) => close.error_code.into_inner(),
        other => panic!("{other}"),
    };
    let no_stream = running.quic(&endpoint).await.unwrap();
    assert_eq!(code(no_stream.closed().await), Code::HandshakeTimeout as u64);
    let half_a_frame = running.quic(&endpoint).await.unwrap();
    let (mut send_half, mut receive_half) = half_a_frame.open_bi().await.unwrap();
    send_half.write_all(b"\x20abc").await.unwrap();
    assert_eq!(receive(&mut receive_half).await, Some(closing(Code::HandshakeTimeout)));
    assert_eq!(code(half_a_frame.closed().await), Code::HandshakeTimeout as u64);
    running.stop().await;
}

#[tokio::test]
async fn a_quic_initial_that_goes_no_further_gives_its_place_back() {
    let running = impatient();
    let endpoint = running.quic_endpoint();
    let connecting = endpoint.connect(running.addresses.quic, "localhost").unwrap();
    while running.connections.open() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    drop(connecting);
    endpoint.close(0u32.into(), b"");
    drop(endpoint);
    running.stop().await;
}

#[tokio::test]
async fn an_authenticated_connection_may_be_silent() {
    let running = start(Setup { handshake: Duration::from_millis(300), ..Setup::default() });
    let mut stream = running.tls(&[version::ALPN]).await.unwrap();
    send(&mut stream, &pong(1)).await;
    assert!(receive(&mut stream).await.is_some());
    tokio::time::sleep(Duration::from_millis(600)).await;
    send(&mut stream, &pong(2)).await;
    assert_eq!(receive(&mut stream).await, Some(pong(2)));
    drop(stream);
    running.stop().await;
}

#[tokio::test]
async fn more_than_the_budget_is_cut_on_tls() {
    let running = start(Setup { authenticates: false, ..Setup::default() });
    let mut stream = running.tls(&[version::ALPN]).await.unwrap();
    let mut frames = bytes::BytesMut::new();
    (0..70).for_each(|request| frame::encode(&large(request, 1000), &mut frames));
    let (mut reading, mut writing) = tokio::io::split(&mut stream);
    let (all, _) = tokio::join!(drain(&mut reading), async {
        let _ = writing.write_all(&frames).await;
        let _ = writing.flush().await;
    });
    let mut expected = bytes::BytesMut::new();
    frame::encode(&closing(Code::UnauthenticatedBytes), &mut expected);
    assert!(all.ends_with(&expected));
    running.stop().await;
}

#[tokio::test]
async fn a_websocket_is_cut_for_silence_and_for_bytes_of_any_kind() {
    let silent = impatient();
    assert_eq!(flood(&silent, None).await, 4105);
    silent.stop().await;
    let patient = start(Setup { authenticates: false, ..Setup::default() });
    assert_eq!(flood(&patient, Some(Message::binary(large(1, 1000).encode_to_vec()))).await, 4107);
    assert_eq!(flood(&patient, Some(Message::Ping(vec![0; 100].into()))).await, 4107);
    assert_eq!(flood(&patient, Some(Message::binary(vec![0; 100_000]))).await, 4107);
    patient.stop().await;
}

/// Sends the same message until the server closes; gives the close code.
async fn flood(running: &Running, message: Option<Message>) -> u16 {
    let mut request = "ws://localhost/v1/ws".into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "parley.v1".parse().unwrap());
    let stream = TcpStream::connect(running.addresses.http).await.unwrap();
    let (socket, _) = client_async(request, stream).await.unwrap();
    let (mut sink, mut source) = socket.split();
    let sending = async {
        if let Some(message) = message {
            while sink.send(message.clone()).await.is_ok() {}
        }
        std::future::pending::<()>().await;
    };
    let closing = async {
        loop {
            match source.next().await {
                Some(Ok(Message::Close(Some(close)))) => return u16::from(close.code),
                Some(Ok(_)) => {}
                other => panic!("no close: {other:?}"),
            }
        }
    };
    tokio::select! {
        () = sending => 0,
        code = closing => code,
    }
}
