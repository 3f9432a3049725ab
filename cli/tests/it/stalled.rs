//! A client that stops reading: cut at its cap, nobody waits for it, and
//! nothing is lost for it when it returns.

use std::net::SocketAddr;
use std::time::Duration;

use parley_protocol::Code;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::common::session::{Said, conversation_of, entries_of, send_to, text_of};
use crate::common::{Api, Session, Transport};
use crate::honest::Besieged;

/// One message; a few of them fill every buffer on the way.
const TEXT_CHARS: usize = 100_000;

/// More than the kernel, the transport and the server may hold for one client.
const MESSAGES: usize = 300;

#[tokio::test]
async fn who_stops_reading_is_cut_and_loses_nothing() {
    let besieged = Besieged::begin().await;
    let ready = besieged.server.ready.clone();
    let api = Api::plain(&ready);
    for transport in Transport::ALL {
        // Each transport has a sleeper of its own, with a second device that is awake.
        let name = format!("sleeper-{transport:?}").to_lowercase();
        let sleeper = api.sign_up(&name, "asleep").await;
        let awake = api.login(&name, "awake").await;
        let stalled = Session::open(&ready, transport, &sleeper).await;
        let mut awake = Session::open(&ready, Transport::Tls, &awake).await;
        let mut sender = Session::open(&ready, Transport::Tls, &besieged.ben).await;
        let texts: Vec<String> = (0..MESSAGES)
            .map(|number| format!("{number} {}", "x".repeat(TEXT_CHARS - 10)))
            .collect();
        let mut conversation = None;
        let mut sent_before_the_cut = None;
        for (number, text) in texts.iter().enumerate() {
            let id = text.split(' ').next().unwrap();
            let sent = sender.send(send_to(&sleeper.user, id, text)).await;
            let sent = sent.unwrap_or_else(|failure| panic!("{transport:?}: {failure:?}"));
            conversation = Some(conversation_of(&sent));
            // The other device is served at its own pace.
            let entry = awake.delivered_up_to(&conversation.unwrap(), sent.seq).await.pop();
            assert!(text_of(&entry.unwrap()) == *text);
            if sent_before_the_cut.is_none() && api.sessions(&sleeper).await == 0 {
                sent_before_the_cut = Some(number);
            }
        }
        // By its cap, not by a timer some time after.
        let cut = sent_before_the_cut;
        assert!(cut.is_some(), "{transport:?}: {MESSAGES} large messages wait for one sleeper");
        let growth = besieged.growth();
        assert!(growth < 64 << 20, "{transport:?}: {growth} bytes for one sleeper");
        // It wakes up, finds out why, and gets everything.
        let mut stalled = stalled;
        let ended = stalled.ended().await;
        if transport != Transport::Tls {
            let code = ended.code();
            assert!(matches!(code, Some(Code::SlowConsumer) | None), "{transport:?}: {ended}");
        }
        let mut back = Session::open(&ready, transport, &sleeper).await;
        let all = entries_of(&back.fetch_all(&conversation.unwrap(), 0).await.unwrap());
        assert!(all.iter().map(text_of).eq(texts), "{transport:?}: {} entries", all.len());
    }
    besieged.unharmed("sleepers").await;
}

#[tokio::test]
async fn who_asks_for_much_and_reads_nothing_is_cut() {
    let besieged = Besieged::begin().await;
    let ready = besieged.server.ready.clone();
    let mut sender = Session::open(&ready, Transport::Tls, &besieged.ben).await;
    let text = "x".repeat(TEXT_CHARS);
    let mut conversation = None;
    for number in 0..20 {
        let sent = sender.say(&besieged.eve, &number.to_string(), &text).await;
        conversation = Some(conversation_of(&sent));
    }
    for transport in Transport::ALL {
        let mut eve = besieged.eve(transport).await;
        let fetch = parley_protocol::wire::Fetch {
            conversation: conversation.unwrap().to_wire(),
            from: Some(parley_protocol::wire::fetch::From::AfterSeq(0)),
            limit: 200,
        };
        // Never reads an answer. Either the server stops reading, so that
        // writing stalls, or it ends the session; its memory stays bounded.
        let asks = async {
            for request in 10.. {
                let ask = crate::common::session::Ask::Fetch(fetch.clone());
                let envelope = crate::common::session::envelope(request, ask);
                if eve.wire.write(&[envelope]).await.is_err() || request > 20_000 {
                    break;
                }
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(5), asks).await;
        let growth = besieged.growth();
        println!("{transport:?}: {growth} bytes for one who asks and doesn't read");
        assert!(growth < 64 << 20, "{transport:?}: {growth} bytes for one who doesn't read");
    }
    let mut eve = besieged.eve(Transport::Quic).await;
    assert!(matches!(
        eve.ask(send_to(&besieged.ben.user, "after", "hello")).await,
        Ok(Said::Sent(_))
    ));
    besieged.unharmed("unread answers").await;
}

#[tokio::test]
async fn a_silent_session_ends_when_its_heartbeats_are_missed() {
    let besieged =
        Besieged::with(|launch| launch.with("PARLEY_SESSIONS__HEARTBEAT_MS", "500")).await;
    let mut sessions = Vec::new();
    for transport in Transport::ALL {
        let session = besieged.eve(transport).await;
        assert_eq!(session.welcome.heartbeat_ms, 500);
        sessions.push(session);
    }
    for session in &mut sessions {
        let ended = session.ended().await;
        let transport = session.wire.transport();
        assert_eq!(ended.code(), Some(Code::HeartbeatMissed), "{transport:?}: {ended}");
    }
    besieged.unharmed("missed heartbeats").await;
}

#[tokio::test]
async fn a_device_that_vanishes_without_a_word_misses_nothing() {
    let besieged = Besieged::begin().await;
    let ready = besieged.server.ready.clone();
    let gone = besieged.eve(Transport::Quic).await;
    let position = gone.welcome.changes.as_ref().unwrap().feed_position;
    gone.wire.vanish();
    let mut sender = Session::open(&ready, Transport::Tls, &besieged.ben).await;
    let mut last = None;
    for number in 0..100 {
        last = Some(sender.say(&besieged.eve, &number.to_string(), &number.to_string()).await);
    }
    let conversation = conversation_of(&last.unwrap());
    for transport in Transport::ALL {
        let back = Session::resume(&ready, transport, &besieged.eve, position).await;
        let mut back = back.unwrap();
        let changes = back.welcome.changes.clone().unwrap();
        assert_eq!(changes.entries.len(), 1, "{transport:?}: {changes:?}");
        assert_eq!((changes.entries[0].last_seq, changes.entries[0].unread), (100, 100));
        let all = entries_of(&back.fetch_all(&conversation, 0).await.unwrap());
        assert!(all.iter().map(text_of).eq((0..100).map(|number| number.to_string())));
    }
    besieged.unharmed("a vanished device").await;
}

/// Passes on what the server says at 12 KB a second, and what it is told at once.
async fn slow_relay(to: SocketAddr) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let socket = TcpSocket::new_v4().unwrap();
            // What lies in the kernel's buffers has not passed the line.
            socket.set_recv_buffer_size(16 * 1024).unwrap();
            let server: TcpStream = socket.connect(to).await.unwrap();
            tokio::spawn(async move {
                let (mut from_client, mut to_client) = client.into_split();
                let (mut from_server, mut to_server) = server.into_split();
                tokio::spawn(async move {
                    let _ = tokio::io::copy(&mut from_client, &mut to_server).await;
                });
                let mut some = [0; 1200];
                while let Ok(read @ 1..) = from_server.read(&mut some).await {
                    if to_client.write_all(&some[..read]).await.is_err() {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            });
        }
    });
    address
}

/// A page is larger than what such a line carries in the time one write may stand still.
#[tokio::test]
async fn who_is_on_a_slow_line_gets_whole_pages() {
    let besieged = Besieged::begin().await;
    let mut sender = Session::open(&besieged.server.ready, Transport::Tls, &besieged.ben).await;
    let text = "x".repeat(99_000);
    let mut conversation = None;
    for number in 0..8 {
        let sent = sender.say(&besieged.eve, &number.to_string(), &text).await;
        conversation = Some(conversation_of(&sent));
    }
    let mut fetching = tokio::task::JoinSet::new();
    for transport in [Transport::Tls, Transport::WebSocket] {
        let mut ready = besieged.server.ready.clone();
        ready.tls = format!("tls://{}", slow_relay(ready.tls_address()).await);
        ready.http = format!("http://{}", slow_relay(ready.http_address()).await);
        let eve = besieged.eve.clone();
        fetching.spawn(async move {
            let mut session = Session::open(&ready, transport, &eve).await;
            session.fetch_all(&conversation.unwrap(), 0).await.unwrap().len()
        });
    }
    while let Some(entries) = fetching.join_next().await {
        assert_eq!(entries.unwrap(), 8);
    }
    besieged.unharmed("a slow line").await;
}
