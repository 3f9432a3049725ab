//! The caps on connections, as a client meets them.

use super::*;

fn capped(caps: ConnectionCaps) -> Running {
    start(Setup { caps, ..Setup::default() })
}

fn caps() -> ConnectionCaps {
    ConnectionCaps { total: 10, per_address: 10, unauthenticated: 10, limit_loopback: true }
}

async fn session(running: &Running) -> TlsStream<TcpStream> {
    let mut stream = running.tls(&[version::ALPN]).await.unwrap();
    send(&mut stream, &pong(1)).await;
    assert!(receive(&mut stream).await.is_some());
    stream
}

/// Waits until the server has noticed that connections are gone.
async fn until_open(running: &Running, open: usize) {
    while running.connections.open() != open {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn is_full(running: &Running) {
    assert!(running.tls(&[version::ALPN]).await.is_err());
    let endpoint = running.quic_endpoint();
    is_refused(&running.quic(&endpoint).await);
    let mut plain = TcpStream::connect(running.addresses.http).await.unwrap();
    let _ = plain.write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert_eq!(drain(&mut plain).await, b"");
}

#[tokio::test]
async fn the_total_and_the_address_cap_close_at_once_on_every_transport() {
    for caps in [ConnectionCaps { total: 2, ..caps() }, ConnectionCaps { per_address: 2, ..caps() }]
    {
        let running = capped(caps);
        let held = (session(&running).await, session(&running).await);
        is_full(&running).await;
        drop(held);
        until_open(&running, 0).await;
        drop(session(&running).await);
        running.stop().await;
    }
}

#[tokio::test]
async fn idle_strangers_do_not_keep_sessions_out_for_ever() {
    let running = start(Setup {
        handshake: Duration::from_millis(300),
        caps: ConnectionCaps { unauthenticated: 2, ..caps() },
        ..Setup::default()
    });
    let open = session(&running).await;
    let strangers = (
        TcpStream::connect(running.addresses.tls).await.unwrap(),
        TcpStream::connect(running.addresses.tls).await.unwrap(),
    );
    until_open(&running, 3).await;
    assert!(running.tls(&[version::ALPN]).await.is_err());
    until_open(&running, 1).await;
    drop(session(&running).await);
    drop((open, strangers));
    running.stop().await;
}

#[tokio::test]
async fn a_websocket_keeps_the_place_of_its_connection() {
    let running = capped(ConnectionCaps { total: 1, ..caps() });
    let mut plain = TcpStream::connect(running.addresses.http).await.unwrap();
    plain
        .write_all(
            b"GET /v1/ws HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
              sec-websocket-version: 13\r\nsec-websocket-protocol: parley.v1\r\n\
              sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        )
        .await
        .unwrap();
    let mut head = [0; 12];
    plain.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 101");
    is_full(&running).await;
    assert_eq!(running.connections.open(), 1);
    drop(plain);
    until_open(&running, 0).await;
    running.stop().await;
}

#[tokio::test]
async fn a_crowd_of_idle_strangers_leaves_others_alone() {
    // Enough that QUIC makes newcomers prove their address first.
    let crowd = 300;
    let many = ConnectionCaps { total: 1000, per_address: 1000, unauthenticated: 1000, ..caps() };
    let running = capped(many);
    let mut strangers = Vec::new();
    for _ in 0..crowd {
        strangers.push(TcpStream::connect(running.addresses.tls).await.unwrap());
    }
    until_open(&running, crowd).await;
    drop(session(&running).await);
    let endpoint = running.quic_endpoint();
    let connection = running.quic(&endpoint).await.unwrap();
    let (mut send_half, mut receive_half) = connection.open_bi().await.unwrap();
    send(&mut send_half, &pong(1)).await;
    assert_eq!(receive(&mut receive_half).await, Some(pong(1)));
    connection.close(0u32.into(), b"");
    drop(strangers);
    running.stop().await;
}

/// Opens a QUIC session, which ends when any of what is given back is dropped.
async fn quic_session(
    running: &Running,
    endpoint: &quinn::Endpoint,
) -> (quinn::Connection, quinn::SendStream, quinn::RecvStream) {
    let connection = running.quic(endpoint).await.unwrap();
    let (mut send_half, mut receive_half) = connection.open_bi().await.unwrap();
    send(&mut send_half, &pong(1)).await;
    assert_eq!(receive(&mut receive_half).await, Some(pong(1)));
    (connection, send_half, receive_half)
}

#[tokio::test]
async fn a_burst_over_quic_waits_for_its_turn_and_nobody_is_refused() {
    // Many more than may be unauthenticated, and than go without a proof of their address.
    let burst = 400;
    let many = 2 * burst;
    let all = ConnectionCaps { total: many, per_address: many, unauthenticated: 16, ..caps() };
    // Long enough for a machine that does other work: who waits too long is refused.
    let running =
        start(Setup { handshake: Duration::from_secs(120), caps: all, ..Setup::default() });
    let endpoint = running.quic_endpoint();
    let sessions = (0..burst).map(|_| quic_session(&running, &endpoint));
    let open = futures_util::future::join_all(sessions).await;
    assert!(running.connections.open() >= burst);
    drop(open);
    until_open(&running, 0).await;
    running.stop().await;
}

fn is_refused(connected: &Result<quinn::Connection, quinn::ConnectionError>) {
    match connected {
        Err(quinn::ConnectionError::ConnectionClosed(close)) => {
            assert_eq!(close.error_code, quinn::TransportErrorCode::CONNECTION_REFUSED);
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn who_waits_over_quic_is_refused_at_the_deadline_and_holds_a_place_until_then() {
    let running = start(Setup {
        handshake: Duration::from_millis(300),
        caps: ConnectionCaps { unauthenticated: 1, total: 2, ..caps() },
        ..Setup::default()
    });
    let only = running.connections.admit(local(), Transport::Tls).unwrap();
    let endpoint = running.quic_endpoint();
    let wait = async {
        until_open(&running, 2).await;
        // A place of all is taken, none of the unauthenticated.
        assert_eq!(running.connections.unauthenticated(), 1);
        is_refused(&running.quic(&endpoint).await);
    };
    let (waited, ()) = tokio::join!(running.quic(&endpoint), wait);
    is_refused(&waited);
    until_open(&running, 1).await;
    drop(only);
    drop(quic_session(&running, &endpoint).await);
    running.stop().await;
}

#[tokio::test]
async fn who_waits_over_quic_is_refused_when_the_server_stops() {
    let running = capped(ConnectionCaps { unauthenticated: 1, ..caps() });
    let only = running.connections.admit(local(), Transport::Tls).unwrap();
    let endpoint = running.quic_endpoint();
    let stop = async {
        until_open(&running, 2).await;
        running.shutdown.cancel();
    };
    let (waited, ()) = tokio::join!(running.quic(&endpoint), stop);
    is_refused(&waited);
    drop(only);
    running.stop().await;
}
