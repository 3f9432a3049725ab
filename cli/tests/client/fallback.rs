//! `parley://` where UDP does not get through, and certificates nobody trusts.

use parley_client::{Client, ErrorKind, Event, Transport, Trust};
use tokio::net::{TcpListener, TcpStream};

use crate::common::http::password_of;
use crate::common::patiently;
use crate::support::{ann_and_ben, builder, pick, server};

/// A port that passes TCP on to `server`, and on which nobody hears UDP.
async fn without_udp(server: std::net::SocketAddr) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut far = TcpStream::connect(server).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            });
        }
    });
    address
}

#[tokio::test]
async fn without_udp_it_falls_back_to_tls_and_says_so() {
    let (_folder, server) = server().await;
    let (ann, ben) = ann_and_ben(&server.ready).await;
    // Whoever wrote to somebody lets them know of deliveries.
    let first = ben.send("ann", "first").await.unwrap();
    patiently("sent", first.sent()).await.unwrap();
    ben.close().await;
    let relay = without_udp(server.ready.tls_address()).await;
    let ben = builder(&server.ready, &format!("parley://{relay}"), "ben").start().await.unwrap();
    let mut seen = ben.events();
    let fell_back = pick(&mut seen, "the fallback", |event| match event {
        Event::FellBack { from, to, .. } => Some((from, to)),
        _ => None,
    });
    assert_eq!(fell_back.await, (Transport::Quic, Transport::Tls));
    assert_eq!(patiently("ready", ben.ready()).await.unwrap().transport, Transport::Tls);
    let handle = ann.send("ben", "through the relay").await.unwrap();
    patiently("delivered", handle.delivered()).await.unwrap();

    // The winner is remembered: a reconnect does not try QUIC first again.
    let before = ben.ready().await.unwrap().id;
    ben.force_reconnect().await.unwrap();
    let again = pick(&mut seen, "the second session", |event| match event {
        Event::FellBack { .. } => panic!("it tried QUIC again"),
        Event::StateChanged(parley_client::State::Ready(session)) => {
            (session.id != before).then_some(session.transport)
        }
        _ => None,
    });
    assert_eq!(again.await, Transport::Tls);
}

#[tokio::test]
async fn with_udp_it_is_quic() {
    let (_folder, server) = server().await;
    let (ann, _ben) = ann_and_ben(&server.ready).await;
    ann.close().await;
    let url = server.ready.quic.replace("quic://", "parley://");
    let ann = patiently("ann", builder(&server.ready, &url, "ann").connect()).await.unwrap();
    assert_eq!(ann.ready().await.unwrap().transport, Transport::Quic);
}

#[tokio::test]
async fn an_untrusted_certificate_ends_it_at_once_on_every_transport() {
    let (_folder, server) = server().await;
    let (ann, _ben) = ann_and_ben(&server.ready).await;
    let token = ann.token().unwrap();
    let wrong = "ab".repeat(32);
    for url in [&server.ready.quic, &server.ready.tls, &server.ready.tls.replace("tls", "wss")] {
        for trust in [Trust::fingerprint(&wrong).unwrap(), Trust::system()] {
            let builder = Client::builder(url).token(token.clone()).trust(trust.clone());
            let error = patiently("the refusal", builder.connect()).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Untrusted, "{url} {trust:?}: {error:?}");
        }
        // The password is not shown to a server that is not believed either.
        let builder = Client::builder(url).credentials("ann", password_of("ann"));
        let builder = builder.trust(Trust::fingerprint(&wrong).unwrap());
        let error = patiently("the refusal", builder.connect()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Untrusted, "{url}");
        let builder = Client::builder(url).token(token.clone());
        let builder = builder.trust(Trust::danger_accept_any_certificate());
        patiently("believing anybody", builder.connect()).await.unwrap();
    }
}
