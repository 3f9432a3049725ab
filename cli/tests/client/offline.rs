//! Messages written while there is no server: the outbox keeps them, on disk if
//! asked to, and sends each once and in order.

use parley_client::{Client, ErrorKind, Event, Range, SendStatus, State};

use crate::common::patiently;
use crate::support::{PATIENT, ann_and_ben, builder, messages, pick, server, texts};

async fn until_waiting(client: &Client) {
    let mut state = client.state();
    let waiting = state.wait_for(|state| matches!(state, State::Waiting { .. }));
    patiently("the loss", waiting).await.unwrap();
}

#[tokio::test]
async fn what_is_written_offline_is_sent_in_order_on_return() {
    let (_folder, mut server) = server().await;
    let (ann, ben) = ann_and_ben(&server.ready).await;
    ben.close().await;
    server.kill();
    until_waiting(&ann).await;

    let mut handles = Vec::new();
    for n in 0..20 {
        handles.push(ann.send("ben", n.to_string()).await.unwrap());
    }
    assert!(matches!(handles[0].status(), SendStatus::Queued));
    // What has not left can be taken back.
    assert!(handles[7].abort().await.unwrap());
    assert_eq!(handles[7].sent().await.unwrap_err().kind(), ErrorKind::Aborted);
    server.restart().await;
    let mut conversation = None;
    for (n, handle) in handles.iter().enumerate().filter(|(n, _)| *n != 7) {
        let sent = patiently("sent", handle.sent()).await.unwrap();
        assert_eq!(sent.seq, (n + 1 - usize::from(n > 7)) as u64);
        assert!(!handle.abort().await.unwrap());
        conversation = Some(sent.conversation);
    }
    let expected = (0..20).filter(|n| *n != 7).map(|n| n.to_string());
    assert_eq!(texts(&ann, conversation.unwrap()).await, expected.collect::<Vec<_>>());
}

#[tokio::test]
async fn a_stored_outbox_survives_the_process_and_needs_no_password() {
    let (folder, mut server) = server().await;
    let (ann, ben) = ann_and_ben(&server.ready).await;
    ann.close().await;
    let path = folder.path().join("ann.store");
    let stored = || builder(&server.ready, &server.ready.quic, "ann").store(&path);
    let ann = patiently("ann", stored().connect()).await.unwrap();
    let first = ann.send("ben", "first").await.unwrap().sent().await.unwrap();
    // It is in the cache once it was emitted.
    messages(&mut ann.events(), 1).await;
    let ready = server.ready.clone();
    server.kill();
    until_waiting(&ann).await;
    for n in 0..5 {
        ann.send("ben", n.to_string()).await.unwrap();
    }
    // As a crash would: the handle goes, nothing is drained.
    ann.close().await;
    drop(ann);

    let trust = parley_client::Trust::fingerprint(&ready.fingerprint).unwrap();
    let again = || Client::connect(&ready.quic).trust(trust.clone()).store(&path);
    let ann = again().start().await.unwrap();
    // The list and the history are there before the server is.
    let cached = ann.history(first.conversation, Range::Latest, 10).await.unwrap();
    assert!(cached.from_cache && cached.entries[0].message().unwrap().own);
    let mut ben_saw = ben.events();
    server.restart().await;
    let texts: Vec<String> =
        messages(&mut ben_saw, 6).await.iter().map(|message| message.text.to_string()).collect();
    assert_eq!(texts, ["first", "0", "1", "2", "3", "4"]);
    assert_eq!(patiently("draining", ann.drain(PATIENT)).await.unwrap(), 0);

    // A third start has nothing left to send and nothing to emit again.
    let ann = patiently("again", again().connect()).await.unwrap();
    let sent = ann.send("ben", "last").await.unwrap().sent().await.unwrap();
    assert_eq!(sent.seq, 7);
    let mut ann_saw = ann.events();
    assert_eq!(messages(&mut ann_saw, 1).await[0].seq, 7);
}

#[tokio::test]
async fn one_store_serves_one_user_and_one_client() {
    let (folder, server) = server().await;
    let (ann, ben) = ann_and_ben(&server.ready).await;
    ann.close().await;
    ben.close().await;
    let path = folder.path().join("store");
    let stored = |name| builder(&server.ready, &server.ready.quic, name).store(&path);
    let ann = patiently("ann", stored("ann").connect()).await.unwrap();
    let second = stored("ann").connect().await.unwrap_err();
    assert_eq!(second.kind(), ErrorKind::Store, "{second}");
    ann.close().await;
    let other = patiently("ben", stored("ben").connect()).await.unwrap_err();
    assert_eq!(other.kind(), ErrorKind::Store, "{other}");
    let ann = patiently("ann", stored("ann").connect()).await.unwrap();
    // Signing out wipes it.
    patiently("logout", ann.logout()).await.unwrap();
    let empty = Client::connect(&server.ready.quic).store(&path).connect().await.unwrap_err();
    assert_eq!(empty.kind(), ErrorKind::InvalidArgument, "{empty}");
}

#[tokio::test]
async fn a_full_outbox_says_so_and_takes_more_when_there_is_room() {
    let (_folder, mut server) = server().await;
    let (ann, ben) = ann_and_ben(&server.ready).await;
    ann.close().await;
    let small = builder(&server.ready, &server.ready.quic, "ann").outbox_limit(3, 64);
    let ann = patiently("ann", small.connect()).await.unwrap();
    server.kill();
    until_waiting(&ann).await;
    for n in 0..3 {
        ann.try_send("ben", n.to_string()).await.unwrap();
    }
    let full = ann.try_send("ben", "3").await.unwrap_err();
    assert_eq!(full.kind(), ErrorKind::Full);
    assert!(full.is_retryable());
    let sender = ann.clone();
    let waiting = tokio::spawn(async move { sender.send("ben", "3").await.unwrap().sent().await });
    let mut seen = ben.events();
    server.restart().await;
    assert_eq!(patiently("the one that waited", waiting).await.unwrap().unwrap().seq, 4);
    assert_eq!(messages(&mut seen, 4).await.len(), 4);
}

#[tokio::test]
async fn a_client_without_a_server_says_why_it_waits() {
    let folder = tempfile::tempdir().unwrap();
    let _ = folder;
    let port = crate::common::server::free_port();
    let client = Client::builder(&format!("ws://127.0.0.1:{port}")).credentials("ann", "12345678");
    let client = client.start().await.unwrap();
    let mut events = client.events();
    let error = pick(&mut events, "the reason", |event| match event {
        Event::StateChanged(State::Waiting { error, .. }) => Some(error),
        _ => None,
    });
    assert_eq!(error.await.kind(), ErrorKind::Network);
    client.close().await;
    assert!(matches!(*client.state().borrow(), State::Closed(None)));
    assert_eq!(client.send("ben", "x").await.unwrap_err().kind(), ErrorKind::Closed);
}
