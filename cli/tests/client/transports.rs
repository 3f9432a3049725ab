//! The same on every transport: send, receive, ticks, history, unread, drain.

use parley_client::{Event, Range, SendStatus};

use crate::common::patiently;
use crate::support::{PATIENT, ann_and_ben, builder, messages, pick, server, urls};

#[tokio::test]
async fn a_message_goes_from_queued_to_read_on_every_transport() {
    let (_folder, server) = server().await;
    let (ann, ben) = ann_and_ben(&server.ready).await;
    // What was delivered and read is told to contacts.
    let ann_id = ann.ready().await.unwrap().user.id;
    patiently("adding", ben.add_contact(ann_id)).await.unwrap();
    drop((ann, ben));
    for (turn, url) in urls(&server.ready).iter().enumerate() {
        let ann = patiently("ann", builder(&server.ready, url, "ann").connect()).await.unwrap();
        let ben = patiently("ben", builder(&server.ready, url, "ben").connect()).await.unwrap();
        let mut seen = ben.events();
        let text = format!("over {url}: \u{202e}👩‍👩‍👧 \0");
        let handle = ann.send("ben", text.as_str()).await.unwrap();
        let sent = patiently("sent", handle.sent()).await.unwrap();
        assert_eq!((sent.seq, sent.duplicate), (turn as u64 + 1, false), "{url}");

        let message = messages(&mut seen, 1).await.remove(0);
        assert_eq!((&*message.text, &*message.sender.name), (text.as_str(), "ann"), "{url}");
        assert_eq!((message.seq, message.own, message.time_ms), (sent.seq, false, sent.time_ms));
        // Delivery is acknowledged without being asked for, reading is not.
        patiently("delivered", handle.delivered()).await.unwrap();
        assert!(matches!(handle.status(), SendStatus::Delivered(_)), "{url}");
        let line = patiently("the list", ben.conversation_with("ann")).await.unwrap().unwrap();
        assert_eq!((line.unread, line.last_seq), (1, sent.seq), "{url}");
        patiently("marking", ben.mark_read(sent.conversation, sent.seq)).await.unwrap();
        patiently("read", handle.read()).await.unwrap();
        let line = patiently("the list", ben.conversation_with("ann")).await.unwrap().unwrap();
        assert_eq!((line.unread, line.read), (0, sent.seq), "{url}");

        let page = ben.history(sent.conversation, Range::Latest, 1).await.unwrap();
        assert_eq!(page.entries[0].message(), Some(&message), "{url}");
        assert!(page.at_end && page.at_start == (turn == 0), "{url}");
        assert_eq!(patiently("draining", ann.drain(PATIENT)).await.unwrap(), 0);
        ben.close().await;
    }
}

#[tokio::test]
async fn the_longest_text_passes_and_one_character_more_is_refused_here() {
    let (_folder, server) = server().await;
    let (ann, ben) = ann_and_ben(&server.ready).await;
    let mut seen = ben.events();
    let longest = "😀".repeat(100_000);
    ann.send("ben", longest.as_str()).await.unwrap();
    assert_eq!(*messages(&mut seen, 1).await[0].text, *longest);
    let error = ann.send("ben", "x".repeat(100_001)).await.unwrap_err();
    assert_eq!(error.code_name(), Some("text_too_long"));
    assert!(!error.is_retryable());
    assert_eq!(ann.send("ben", "").await.unwrap_err().code_name(), Some("text_empty"));
}

#[tokio::test]
async fn own_messages_come_to_the_other_device_and_reading_there_counts_here() {
    let (_folder, server) = server().await;
    let (ann, ben) = ann_and_ben(&server.ready).await;
    let laptop = builder(&server.ready, &server.ready.tls, "ann").device_name("laptop");
    let laptop = patiently("laptop", laptop.connect()).await.unwrap();
    let (mut here, mut there) = (ann.events(), laptop.events());
    let sent = ann.send("ben", "one").await.unwrap().sent().await.unwrap();
    let copy = messages(&mut there, 1).await.remove(0);
    assert!(copy.own && copy.seq == sent.seq);

    let answer = ben.send(sent.conversation, "two").await.unwrap().sent().await.unwrap();
    assert_eq!(messages(&mut here, 2).await.len(), 2);
    messages(&mut there, 1).await;
    patiently("marking", laptop.mark_read(sent.conversation, answer.seq)).await.unwrap();
    let read = pick(&mut here, "the other device's reading", |event| match event {
        Event::Conversation(line) if line.read == answer.seq => Some(line),
        _ => None,
    });
    assert_eq!(read.await.unread, 0);
}

#[tokio::test]
async fn a_message_to_nobody_fails_alone() {
    let (_folder, server) = server().await;
    let (ann, _ben) = ann_and_ben(&server.ready).await;
    let nobody = ann.send("nobody-here", "x").await.unwrap();
    let ben = ann.send("ben", "y").await.unwrap();
    let error = patiently("the refusal", nobody.sent()).await.unwrap_err();
    assert_eq!(error.code_name(), Some("not_found"));
    patiently("the other one", ben.sent()).await.unwrap();
    assert!(patiently("lookup", ann.find_user("nobody-here")).await.is_err());
}
