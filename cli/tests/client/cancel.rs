//! Futures that are dropped half-way break nothing and lose nothing.

use futures_util::poll;
use parley_client::{ClientMessageId, Range};

use crate::common::patiently;
use crate::support::{PATIENT, ann_and_ben, builder, messages, server, texts};

fn id(text: String) -> ClientMessageId {
    ClientMessageId::new(text.into()).unwrap()
}

#[tokio::test]
async fn a_dropped_send_is_whole_or_nothing_and_can_be_said_again() {
    let (_folder, server) = server().await;
    let (ann, ben) = ann_and_ben(&server.ready).await;
    for n in 0..50 {
        let text = format!("{n}");
        let mut send = Box::pin(ann.send_with_id("ben", text.clone(), id(text.clone())));
        // Dropped after none to several polls.
        for _ in 0..n % 4 {
            if poll!(&mut send).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(send);
        let again = ann.send_with_id("ben", text.clone(), id(text)).await.unwrap();
        patiently("sent", again.sent()).await.unwrap();
    }
    let mut seen = ben.events();
    let first = messages(&mut seen, 1).await.remove(0);
    let expected: Vec<String> = (0..50).map(|n| n.to_string()).collect();
    assert_eq!(texts(&ben, first.conversation).await, expected);
}

#[tokio::test]
async fn dropped_waits_and_requests_leave_the_client_whole() {
    let (_folder, server) = server().await;
    let (ann, ben) = ann_and_ben(&server.ready).await;
    // Whoever wrote to somebody lets them know of deliveries and reading.
    let first = ben.send("ann", "first").await.unwrap();
    patiently("sent", first.sent()).await.unwrap();
    let handle = ann.send("ben", "x").await.unwrap();
    for _ in 0..3 {
        let mut sent = Box::pin(handle.sent());
        let _ = poll!(&mut sent);
        let mut delivered = Box::pin(handle.delivered());
        let _ = poll!(&mut delivered);
    }
    let sent = patiently("sent", handle.sent()).await.unwrap();
    for _ in 0..20 {
        let mut history = Box::pin(ann.history(sent.conversation, Range::Latest, 1));
        let _ = poll!(&mut history);
        let mut list = Box::pin(ann.conversations());
        let _ = poll!(&mut list);
        let mut user = Box::pin(ann.find_user("ben"));
        let _ = poll!(&mut user);
        let mut ready = Box::pin(ann.ready());
        let _ = poll!(&mut ready);
        tokio::task::yield_now().await;
    }
    // Marking as read is said in any case once it was polled.
    let mut seen = ben.events();
    messages(&mut seen, 1).await;
    let mut marking = Box::pin(ben.mark_read(sent.conversation, sent.seq));
    let pending = poll!(&mut marking).is_pending();
    drop(marking);
    assert!(pending);
    patiently("read", handle.read()).await.unwrap();

    // A dropped drain drains all the same.
    let mut draining = Box::pin(ann.drain(PATIENT));
    while poll!(&mut draining).is_pending() {
        if ann.state().borrow().is_closed() {
            break;
        }
        tokio::task::yield_now().await;
    }
    drop(draining);
    let mut state = ann.state();
    patiently("the end", state.wait_for(parley_client::State::is_closed)).await.unwrap();
}

#[tokio::test]
async fn a_dropped_connect_leaves_no_session_behind() {
    let (_folder, server) = server().await;
    let (ann, ben) = ann_and_ben(&server.ready).await;
    ben.close().await;
    for polls in 0..6 {
        let mut connecting = Box::pin(builder(&server.ready, &server.ready.quic, "ben").connect());
        for _ in 0..polls {
            let _ = poll!(&mut connecting);
            tokio::task::yield_now().await;
        }
    }
    let ben = builder(&server.ready, &server.ready.quic, "ben");
    let ben = patiently("ben", ben.connect()).await.unwrap();
    let sessions = async {
        loop {
            let devices = ben.devices().await.unwrap();
            let open: u32 = devices.iter().map(|device| device.sessions).sum();
            if open == 1 {
                return;
            }
        }
    };
    patiently("one session", sessions).await;
    drop(ann);
}
