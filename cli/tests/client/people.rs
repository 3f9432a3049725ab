//! People: profiles, contacts, blocks, presence, typing, and the account's end.

use parley_client::{
    AccountSettingsChange, Audience, Code, ErrorKind, Event, ProfileChange, State,
};

use crate::common::http::password_of;
use crate::common::patiently;
use crate::support::{ann_and_ben, builder, messages, pick, server};

#[tokio::test]
async fn profiles_contacts_and_blocks() {
    let (_folder, server) = server().await;
    let (ann, ben) = ann_and_ben(&server.ready).await;
    let ann_id = ann.ready().await.unwrap().user.id;
    let ben_id = ben.ready().await.unwrap().user.id;
    let laptop = builder(&server.ready, &server.ready.tls, "ann").device_name("laptop");
    let laptop = patiently("laptop", laptop.connect()).await.unwrap();
    let mut laptop_saw = laptop.events();
    let change = ProfileChange {
        display_name: Some("Ann A.".into()),
        phone: Some("+1 555".into()),
        ..ProfileChange::default()
    };
    patiently("changing", ann.change_profile(change)).await.unwrap();
    pick(&mut laptop_saw, "the news", |event| match event {
        Event::AccountChanged { .. } => Some(()),
        _ => None,
    })
    .await;
    let seen = patiently("looking", ben.profile(ann_id)).await.unwrap();
    assert_eq!((&*seen.display_name, &*seen.phone), ("Ann A.", ""), "phones are for contacts");
    patiently("adding", ann.add_contact(ben_id)).await.unwrap();
    let seen = patiently("looking", ben.profile(ann_id)).await.unwrap();
    assert_eq!(&*seen.phone, "+1 555");
    let settings =
        AccountSettingsChange { phone: Some(Audience::Nobody), ..AccountSettingsChange::default() };
    patiently("settings", ann.change_account_settings(settings)).await.unwrap();
    let account = patiently("account", laptop.account()).await.unwrap();
    assert_eq!((account.settings.phone, account.contacts.len()), (Audience::Nobody, 1));

    patiently("blocking", ann.block(ben_id)).await.unwrap();
    let refused = ben.send("ann", "hello?").await.unwrap();
    let refused = patiently("refused", refused.sent()).await.unwrap_err();
    assert_eq!(refused.code(), Some(Code::NotAccepted as u32));
    assert_eq!(patiently("account", ann.account()).await.unwrap().blocked.len(), 1);
    patiently("unblocking", ann.unblock(ben_id)).await.unwrap();
    let taken = ben.send("ann", "hello!").await.unwrap();
    patiently("sent", taken.sent()).await.unwrap();
}

#[tokio::test]
async fn who_is_there_and_who_writes() {
    let (_folder, server) = server().await;
    let (ann, ben) = ann_and_ben(&server.ready).await;
    let ben_id = ben.ready().await.unwrap().user.id;
    let mut saw = ann.events();
    let now = patiently("presence", ann.subscribe_presence(&[ben_id])).await.unwrap();
    assert_eq!((&*now[0].user.name, now[0].online), ("ben", true));
    let said = ben.send("ann", "first").await.unwrap();
    let place = patiently("sent", said.sent()).await.unwrap().conversation;
    messages(&mut saw, 1).await;
    // Strangers don't see each other type.
    let answer = ann.send("ben", "second").await.unwrap();
    patiently("sent", answer.sent()).await.unwrap();
    ben.typing(place, true).await.unwrap();
    let typing = async |saw: &mut parley_client::Events| {
        pick(saw, "typing", |event| match event {
            Event::Typing(typing) => Some((typing.user.name.to_string(), typing.active)),
            _ => None,
        })
        .await
    };
    assert_eq!(typing(&mut saw).await, ("ben".to_owned(), true));
    ben.typing(place, false).await.unwrap();
    assert_eq!(typing(&mut saw).await, ("ben".to_owned(), false));
    ben.set_background(true).await.unwrap();
    let presence = async |saw: &mut parley_client::Events, online: bool| {
        pick(saw, "presence", |event| match event {
            Event::Presence(presence) => (presence.online == online).then_some(presence),
            _ => None,
        })
        .await
    };
    let gone = presence(&mut saw, false).await;
    assert!(gone.user.id == ben_id && gone.last_seen_ms.is_some());
    ben.set_background(false).await.unwrap();
    presence(&mut saw, true).await;
    // Over a reconnect the subscription goes on, and tells anew.
    ann.force_reconnect().await.unwrap();
    assert_eq!(&*presence(&mut saw, true).await.user.name, "ben");
}

#[tokio::test]
async fn a_new_password_others_signed_out_an_export_and_the_end() {
    let (_folder, server) = server().await;
    let (ann, ben) = ann_and_ben(&server.ready).await;
    let said = ann.send("ben", "keep this").await.unwrap();
    patiently("sent", said.sent()).await.unwrap();
    let laptop = builder(&server.ready, &server.ready.tls, "ann").device_name("laptop");
    let laptop = patiently("laptop", laptop.connect()).await.unwrap();
    let mut over = laptop.state();
    let changed = ann.change_password(password_of("ann"), "another long password");
    patiently("the new password", changed).await.unwrap();
    // It has only the old password.
    let closed = patiently("the end", over.wait_for(State::is_closed)).await.unwrap().clone();
    let State::Closed(Some(error)) = closed else { panic!("{closed:?}") };
    assert_eq!(error.kind(), ErrorKind::SignIn);
    patiently("others", ann.log_out_others()).await.unwrap();
    let devices = patiently("devices", ann.devices()).await.unwrap();
    assert!(devices.iter().any(|device| device.current));

    let mut export = Vec::new();
    let bytes = ann.export(|piece| {
        export.extend_from_slice(&piece);
        Ok(())
    });
    let bytes = patiently("the export", bytes).await.unwrap();
    assert_eq!(bytes, export.len() as u64);
    let lines = String::from_utf8(export).unwrap();
    assert!(lines.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
    assert!(lines.contains("keep this"));

    let wrong = patiently("no", ann.delete_account("not the password")).await.unwrap_err();
    assert_eq!(wrong.code_name(), Some("credentials_wrong"));
    patiently("the end", ann.delete_account("another long password")).await.unwrap();
    assert!(ann.state().borrow().is_closed());
    let gone = patiently("nobody", ben.send("ann", "are you there?")).await.unwrap();
    let gone = patiently("refused", gone.sent()).await.unwrap_err();
    assert_eq!(gone.code(), Some(Code::NotFound as u32));
}
