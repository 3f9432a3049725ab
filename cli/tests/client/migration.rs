//! A client that changes its address in the middle of a conversation: no
//! reconnect, nothing lost, nothing sent twice.

use parley_client::{Event, Transport};

use crate::common::patiently;
use crate::support::{ann_and_ben, assert_dense, messages, server, texts};

#[tokio::test]
async fn quic_moves_to_another_socket_without_a_reconnect() {
    let (_folder, server) = server().await;
    let (ann, ben) = ann_and_ben(&server.ready).await;
    let (mut ann_saw, mut ben_saw) = (ann.events(), ben.events());
    let before = ann.ready().await.unwrap();
    assert_eq!(before.transport, Transport::Quic);

    let mut handles = Vec::new();
    for round in 0..5 {
        // Some sends are on their way when the address changes.
        for n in 0..4 {
            handles.push(ann.send("ben", format!("{round}.{n}")).await.unwrap());
        }
        patiently("rebinding", ann.rebind()).await.unwrap();
        handles.push(ann.send("ben", format!("{round}.moved")).await.unwrap());
        // The other direction works as well, without a word from ann first.
        ben.send("ann", format!("{round}.back")).await.unwrap();
    }
    for handle in &handles {
        let sent = patiently("sent", handle.sent()).await.unwrap();
        assert!(!sent.duplicate, "nothing was sent twice");
    }
    assert_dense(&messages(&mut ben_saw, 30).await);

    let mut seen = Vec::new();
    while seen.len() < 30 {
        match patiently("ann's events", ann_saw.next()).await.unwrap() {
            Event::Message(message) => seen.push(message),
            Event::StateChanged(state) if !seen.is_empty() => {
                panic!("a change of state: {state:?}")
            }
            _ => {}
        }
    }
    assert_dense(&seen);
    let after = ann.ready().await.unwrap();
    assert_eq!(after.id, before.id, "it is the same session");

    let conversation = seen[0].conversation;
    let mine: Vec<String> = texts(&ben, conversation)
        .await
        .into_iter()
        .filter(|text| !text.ends_with("back"))
        .collect();
    let expected = (0..5).flat_map(|round| {
        let sends = (0..4).map(move |n| format!("{round}.{n}"));
        sends.chain([format!("{round}.moved")])
    });
    assert_eq!(mine, expected.collect::<Vec<_>>(), "each once, in the order of sending");
}

#[tokio::test]
async fn other_transports_say_that_they_cannot() {
    let (_folder, server) = server().await;
    let (ann, _ben) = ann_and_ben(&server.ready).await;
    ann.close().await;
    let builder = crate::support::builder(&server.ready, &server.ready.tls, "ann");
    let ann = patiently("ann", builder.connect()).await.unwrap();
    let error = ann.rebind().await.unwrap_err();
    assert_eq!(error.kind(), parley_client::ErrorKind::InvalidArgument);
}
