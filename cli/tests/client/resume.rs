//! After any gap exactly what is missing comes, once and in order.

use crate::common::patiently;
use crate::support::{ann_and_ben, assert_dense, builder, messages, server, texts};

#[tokio::test]
async fn reconnects_and_server_deaths_lose_and_double_nothing() {
    let (_folder, mut server) = server().await;
    let (ann, ben) = ann_and_ben(&server.ready).await;
    // What was delivered and read is told to contacts.
    let ann_id = ann.ready().await.unwrap().user.id;
    patiently("adding", ben.add_contact(ann_id)).await.unwrap();
    let mut seen = ben.events();
    let mut handles = Vec::new();
    for round in 0..8 {
        for n in 0..5 {
            handles.push(ann.send("ben", format!("{round}.{n}")).await.unwrap());
        }
        match round % 4 {
            0 => ben.force_reconnect().await.unwrap(),
            1 => ann.force_reconnect().await.unwrap(),
            2 => server.restart().await,
            _ => {}
        }
    }
    for handle in &handles {
        patiently("delivered", handle.delivered()).await.unwrap();
    }
    let messages = messages(&mut seen, handles.len()).await;
    assert_dense(&messages);
    let all = texts(&ann, messages[0].conversation).await;
    let expected = (0..8).flat_map(|round| (0..5).map(move |n| format!("{round}.{n}")));
    assert_eq!(all, expected.collect::<Vec<_>>());
}

#[tokio::test]
async fn a_long_absence_is_caught_up_in_pages() {
    let (_folder, server) = server().await;
    let (ann, ben) = ann_and_ben(&server.ready).await;
    // What was delivered is told to contacts.
    let ann_id = ann.ready().await.unwrap().user.id;
    patiently("adding", ben.add_contact(ann_id)).await.unwrap();
    ben.close().await;
    let mut last = None;
    for n in 0..450 {
        last = Some(ann.send("ben", n.to_string()).await.unwrap());
    }
    let last = last.unwrap();
    patiently("sent", last.sent()).await.unwrap();
    let ben = builder(&server.ready, &server.ready.tls, "ben");
    let ben = patiently("ben", ben.connect()).await.unwrap();
    let mut seen = ben.events();
    assert_dense(&messages(&mut seen, 450).await);
    // Everything was acknowledged, so nothing comes again on yet another device.
    patiently("delivered", last.delivered()).await.unwrap();
    let tablet = builder(&server.ready, &server.ready.quic, "ben").device_name("tablet");
    let tablet = patiently("tablet", tablet.connect()).await.unwrap();
    let mut tablet_saw = tablet.events();
    let line = patiently("the list", tablet.conversation_with("ann")).await.unwrap().unwrap();
    assert_eq!((line.unread, line.last_seq), (450, 450));
    ann.send("ben", "new").await.unwrap();
    assert_eq!(messages(&mut tablet_saw, 1).await[0].seq, 451);
}
