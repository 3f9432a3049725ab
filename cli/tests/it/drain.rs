//! SIGTERM: the server says so, lets go, ends well, and has kept every
//! acknowledged message.

use parley_protocol::{Code, ConversationId};

use crate::common::session::{Said, conversation_of, entries_of, send_to, text_of};
use crate::common::{Api, Launch, Session, Transport, patiently};
use crate::delivery::{ann_and_ben, ann_and_ben_with};

#[tokio::test]
async fn sigterm_drains() {
    let (_folder, mut server, ann, _) = ann_and_ben().await;
    let api = Api::plain(&server.ready);
    assert!(api.get("/readyz", None).await.status.is_success());
    let mut sessions = Vec::new();
    for transport in Transport::ALL {
        sessions.push(Session::open(&server.ready, transport, &ann).await);
    }
    server.terminate();
    for session in &mut sessions {
        let transport = session.wire.transport();
        let within = session.pushed(|said| match said {
            Said::Drain(drain) => Some(drain.within_ms),
            _ => None,
        });
        let within = within.await.unwrap_or_else(|ended| panic!("{transport:?}: {ended}"));
        assert!(within > 0, "{transport:?}: reconnects are to be spread");
    }
    for session in &mut sessions {
        let transport = session.wire.transport();
        let ended = session.ended().await;
        assert_eq!(ended.code(), Some(Code::Draining), "{transport:?}: {ended}");
    }
    let status = server.exited().await;
    assert_eq!(status.code(), Some(0), "{status}: {}", server.stderr());
}

#[tokio::test]
async fn readyz_says_503_before_the_sessions_go() {
    let (_folder, server, ann, _) = ann_and_ben().await;
    let api = Api::plain(&server.ready);
    let mut session = Session::open(&server.ready, Transport::Tls, &ann).await;
    server.terminate();
    let drain = session.pushed(|said| matches!(said, Said::Drain(_)).then_some(()));
    drain.await.unwrap();
    // The session is still there, and a balancer is told to look elsewhere.
    let reply = api.get("/readyz", None).await;
    assert_eq!(reply.status.as_u16(), 503, "{reply:?}");
    let reply = api.get("/livez", None).await;
    assert!(reply.status.is_success(), "{reply:?}");
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_by_a_drain_under_load() {
    // Three writers who don't pause.
    let more = |launch: Launch| {
        let more = launch.with("PARLEY_RATES__SENDS_BURST", "1000000");
        more.with("PARLEY_RATES__ENTRIES_BURST", "1000000")
    };
    let (_folder, mut server, ann, ben) = ann_and_ben_with(more).await;
    let mut writers = Vec::new();
    for (number, transport) in Transport::ALL.into_iter().enumerate() {
        let mut session = Session::open(&server.ready, transport, &ann).await;
        let peer = ben.user;
        writers.push(tokio::spawn(async move {
            let mut acked = Vec::new();
            for counter in 0.. {
                let text = format!("{number} {counter}");
                match session.ask(send_to(&peer, &text, &text)).await {
                    Ok(Said::Sent(sent)) => acked.push((conversation_of(&sent), sent.seq, text)),
                    Ok(Said::Failure(failure)) => {
                        assert_eq!(failure.code, Code::Draining as u32, "{failure:?}");
                    }
                    Ok(other) => panic!("neither Sent nor Failure: {other:?}"),
                    Err(ended) => {
                        assert_eq!(ended.code(), Some(Code::Draining), "{transport:?}: {ended}");
                        return acked;
                    }
                }
            }
            unreachable!("the counter has no end")
        }));
    }
    // Some load first.
    let mut reader = Session::open(&server.ready, Transport::Tls, &ben).await;
    patiently("some load", async { while reader.deliver().await.unwrap().entries.is_empty() {} })
        .await;
    server.terminate();
    let mut acked = Vec::new();
    for writer in writers {
        acked.extend(writer.await.unwrap());
    }
    assert_eq!(server.exited().await.code(), Some(0));
    server.restart().await;
    let conversation: ConversationId = acked.first().expect("some were acknowledged").0;
    let mut session = Session::open(&server.ready, Transport::Quic, &ben).await;
    let all = entries_of(&session.fetch_all(&conversation, 0).await.unwrap());
    assert!(all.iter().map(|entry| entry.seq).eq(1..=all.len() as u64), "dense");
    for (_, seq, text) in acked {
        assert_eq!(text_of(&all[seq as usize - 1]), text, "seq {seq}");
    }
}

#[tokio::test]
async fn a_second_sigterm_and_idle_connections_do_not_hold_the_end_up() {
    let (_folder, mut server, ann, _) = ann_and_ben().await;
    // One that never says anything, on each transport, and one HTTP connection.
    let mut idle = Vec::new();
    for transport in Transport::ALL {
        idle.push(crate::common::Connection::open(&server.ready, transport).await.unwrap());
    }
    let http = tokio::net::TcpStream::connect(server.ready.http_address()).await.unwrap();
    let session = Session::open(&server.ready, Transport::Quic, &ann).await;
    server.terminate();
    server.terminate();
    let status = server.exited().await;
    assert_eq!(status.code(), Some(0), "{}", server.stderr());
    drop((idle, http, session));
}
