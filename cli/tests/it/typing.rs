//! Who writes: told to those who are in it and may know, now and then, and
//! over by itself.

use parley_protocol::wire::{
    self, AccountSettings, Audience, ConversationSettings, Typed, update_account::Change,
};
use parley_protocol::{Code, ConversationId};

use crate::common::session::{Ask, Said, conversation_of, envelope, send_into};
use crate::common::{Api, Session, Transport, asks};
use crate::groups::{create, people};

fn stopped(conversation: &ConversationId) -> Ask {
    Ask::Typing(wire::Typing { conversation: conversation.to_wire(), stopped: true })
}

/// What was said of who writes until the entry `seq` came.
async fn typed_until(session: &mut Session, conversation: &ConversationId, seq: u64) -> Vec<Typed> {
    let mut typed = Vec::new();
    let until = session.pushed(|said| {
        match said {
            Said::Typed(word) => typed.push(word.clone()),
            Said::Deliver(deliver) if deliver.conversation == conversation.to_wire() => {
                let entries = crate::common::session::entries_of(&deliver.entries);
                return entries.iter().any(|entry| entry.seq >= seq).then_some(());
            }
            _ => {}
        }
        None
    });
    until.await.unwrap();
    typed
}

#[tokio::test]
async fn the_others_in_a_group_are_told_and_nobody_else() {
    let (_folder, server, [ann, ben, cat, dan, eve]) =
        people(["ann", "ben", "cat", "dan", "eve"]).await;
    let ready = &server.ready;
    let mut writer = Session::open(ready, Transport::Quic, &ann).await;
    let tablet = Api::plain(ready).login("ann", "tablet").await;
    let mut own = Session::open(ready, Transport::Tls, &tablet).await;
    let mut reader = Session::open(ready, Transport::WebSocket, &ben).await;
    let mut removed = Session::open(ready, Transport::Tls, &cat).await;
    let mut blocks = Session::open(ready, Transport::Tls, &dan).await;
    let mut stranger = Session::open(ready, Transport::Tls, &eve).await;
    let everyone = [&ben, &cat, &dan];
    let made = writer.send(create("g", ConversationSettings::default(), &everyone)).await.unwrap();
    let group = conversation_of(&made);
    writer.send(asks::remove(&group, "r", &cat.user)).await.unwrap();
    assert!(matches!(blocks.ask(asks::block(&ann.user)).await, Ok(Said::AccountChanged(_))));

    // Five words at once, of which one is passed on; each is answered by its echo.
    for _ in 0..5 {
        let Ok(Said::Typed(echo)) = writer.ask(asks::typing(&group)).await else { panic!() };
        assert_eq!((echo.user, echo.stopped), (ann.user.to_wire(), false));
    }
    assert!(matches!(writer.ask(stopped(&group)).await, Ok(Said::Typed(_))));
    assert!(matches!(writer.ask(stopped(&group)).await, Ok(Said::Typed(_))));
    let sent = writer.send(send_into(&group, "m", "done")).await.unwrap();
    let words = typed_until(&mut reader, &group, sent.seq).await;
    let word = |stopped, expires_ms| Typed {
        conversation: group.to_wire(),
        user: ann.user.to_wire(),
        stopped,
        expires_ms,
    };
    assert_eq!(words, [word(false, 6_000), word(true, 0)]);
    for other in [&mut own, &mut blocks] {
        assert_eq!(typed_until(other, &group, sent.seq).await, []);
    }
    for (other, code) in [(&mut removed, Code::Forbidden), (&mut stranger, Code::NotFound)] {
        assert_eq!(other.refused(asks::typing(&group)).await, Some(code));
        other.ping().await.unwrap();
        assert!(!other.pushes.iter().any(|said| matches!(said, Said::Typed(_))));
    }
}

#[tokio::test]
async fn without_a_number_nothing_is_answered() {
    let (_folder, server, [ann, ben]) = people(["ann", "ben"]).await;
    let mut writer = Session::open(&server.ready, Transport::Tls, &ann).await;
    let mut reader = Session::open(&server.ready, Transport::Tls, &ben).await;
    let direct = conversation_of(&writer.say(&ben, "1", "hello").await);
    reader.say(&ann, "1", "hello").await;
    writer.pushed(|said| matches!(said, Said::Deliver(_)).then_some(())).await.unwrap();
    let nowhere = ConversationId::new([5; 16]);
    let asks = [envelope(0, asks::typing(&nowhere)), envelope(0, asks::typing(&direct))];
    writer.wire.write(&asks).await.unwrap();
    writer.ping().await.unwrap();
    assert!(writer.pushes.is_empty(), "{:?}", writer.pushes);
    let word = reader.pushed(|said| match said {
        Said::Typed(typed) => Some(typed.conversation.clone()),
        _ => None,
    });
    assert_eq!(word.await.unwrap(), direct.to_wire());
}

/// In a 1:1: off by setting, off by a block of either, off while the other's
/// request waits; on in between.
#[tokio::test]
async fn who_hides_it_and_who_may_not_know() {
    let (_folder, server, [ann, ben]) = people(["ann", "ben"]).await;
    let ready = &server.ready;
    let mut writer = Session::open(ready, Transport::Quic, &ann).await;
    let mut reader = Session::open(ready, Transport::Tls, &ben).await;
    // Ben is a stranger to Ann, who wants to be asked: until she answers, he
    // is not told that she writes.
    let change = |typing, messages| {
        let messages = messages as i32;
        let settings = AccountSettings { typing: Some(typing), messages, ..Default::default() };
        asks::update(Change::Settings(settings))
    };
    let changed = writer.ask(change(true, Audience::Contacts)).await;
    assert!(matches!(changed, Ok(Said::AccountChanged(_))), "{changed:?}");
    let direct = conversation_of(&reader.say(&ann, "1", "hello").await);
    assert!(matches!(writer.ask(asks::typing(&direct)).await, Ok(Said::Typed(_))));
    let sent = writer.say(&ben, "2", "hello yourself").await;
    assert_eq!(typed_until(&mut reader, &direct, sent.seq).await, []);

    tokio::time::sleep(std::time::Duration::from_millis(2_100)).await;
    assert!(matches!(
        writer.ask(change(false, Audience::Everyone)).await,
        Ok(Said::AccountChanged(_))
    ));
    assert!(matches!(writer.ask(asks::typing(&direct)).await, Ok(Said::Typed(_))));
    let sent = writer.say(&ben, "3", "quietly").await;
    assert_eq!(typed_until(&mut reader, &direct, sent.seq).await, []);

    tokio::time::sleep(std::time::Duration::from_millis(2_100)).await;
    assert!(matches!(
        writer.ask(change(true, Audience::Everyone)).await,
        Ok(Said::AccountChanged(_))
    ));
    assert!(matches!(writer.ask(asks::typing(&direct)).await, Ok(Said::Typed(_))));
    let sent = writer.say(&ben, "4", "loudly").await;
    assert_eq!(typed_until(&mut reader, &direct, sent.seq).await.len(), 1);

    tokio::time::sleep(std::time::Duration::from_millis(2_100)).await;
    assert!(matches!(reader.ask(asks::block(&ann.user)).await, Ok(Said::AccountChanged(_))));
    assert!(matches!(writer.ask(asks::typing(&direct)).await, Ok(Said::Typed(_))), "no hint of it");
    assert!(matches!(reader.ask(asks::unblock(&ann.user)).await, Ok(Said::AccountChanged(_))));
    let sent = writer.say(&ben, "5", "again").await;
    assert_eq!(typed_until(&mut reader, &direct, sent.seq).await, []);
}
