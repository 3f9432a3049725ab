//! A folder is restored from a copy as the page for operators says: stop, put the copy in its
//! place, start. Whoever held a future that no longer is drops it, and nothing that is
//! sent afterwards is missed by anybody.

use std::fs;

use parley_client::{Event, ResetReason};

use crate::common::{Server, copy_all, patiently};
use crate::support::{ann_and_ben, builder, messages, pick, server, texts};

async fn stop(server: &mut Server) {
    server.terminate();
    assert_eq!(server.exited().await.code(), Some(0));
}

#[tokio::test]
async fn after_a_restore_nothing_is_missed_by_clients_ahead_behind_or_away() {
    let (folder, mut server) = server().await;
    let data = server.ready.data.clone();
    let (ann, up) = ann_and_ben(&server.ready).await;
    let ready = server.ready.clone();
    let device = |name: &'static str| {
        builder(&ready, &ready.tls, "ben").device_name(name).store(folder.path().join(name))
    };
    let behind = patiently("behind", device("behind").connect()).await.unwrap();
    let ahead = patiently("ahead", device("ahead").connect()).await.unwrap();
    let (mut up_saw, mut behind_saw, mut ahead_saw) =
        (up.events(), behind.events(), ahead.events());
    for n in 0..11 {
        patiently("sent", ann.send("ben", format!("kept {n}")).await.unwrap().sent())
            .await
            .unwrap();
    }
    let conversation = messages(&mut up_saw, 11).await[0].conversation;
    messages(&mut behind_saw, 11).await;
    behind.close().await;
    stop(&mut server).await;
    copy_all(&data, &folder.path().join("copy"));
    server.restart().await;

    for n in 0..20 {
        patiently("sent", ann.send("ben", format!("lost {n}")).await.unwrap().sent())
            .await
            .unwrap();
    }
    messages(&mut up_saw, 20).await;
    messages(&mut ahead_saw, 31).await;
    ahead.close().await;
    stop(&mut server).await;
    fs::remove_dir_all(&data).unwrap();
    copy_all(&folder.path().join("copy"), &data);
    server.restart().await;

    let reset = pick(&mut up_saw, "the reset", |event| match event {
        Event::Reset(reset) => Some(reset),
        _ => None,
    });
    let reset = reset.await;
    assert_eq!((reset.conversation, reset.reason), (None, ResetReason::StorePutBack));
    for n in 0..25 {
        patiently("sent", ann.send("ben", format!("new {n}")).await.unwrap().sent()).await.unwrap();
    }
    let expected: Vec<String> =
        (0..11).map(|n| format!("kept {n}")).chain((0..25).map(|n| format!("new {n}"))).collect();
    // The one that stayed up is shown each new one, once and in order.
    let mut new = Vec::new();
    while new.len() < 25 {
        let message = messages(&mut up_saw, 1).await.remove(0);
        if message.seq > 11 {
            new.push(message.text.to_string());
        }
    }
    assert_eq!(new, expected[11..]);
    let behind = patiently("behind again", device("behind").connect()).await.unwrap();
    let ahead = patiently("ahead again", device("ahead").connect()).await.unwrap();
    for (name, client) in [("ann", &ann), ("up", &up), ("behind", &behind), ("ahead", &ahead)] {
        assert_eq!(texts(client, conversation).await, expected, "{name}");
    }
    // And from then on everybody is shown everything.
    let mut seen = [up.events(), behind.events(), ahead.events()];
    ann.send("ben", "at last").await.unwrap();
    for seen in &mut seen {
        loop {
            let message = messages(seen, 1).await.remove(0);
            if message.seq == 37 {
                assert_eq!(message.text.as_ref(), "at last");
                break;
            }
        }
    }
}
