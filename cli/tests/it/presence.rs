//! Who is there: told to whoever may know, to nobody else, and kept.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parley_protocol::wire::{
    self, AccountSettings, Audience, Presence, Profile, ProfileChange, update_account::Change,
};
use parley_protocol::{Code, UserId};

use crate::common::session::{Ask, Said, conversation_of, hello};
use crate::common::{Api, Connection, Launch, Person, Server, Session, Transport, asks};
use crate::groups::people;

/// Silence after which somebody is offline in these tests.
const PATIENCE_MS: u64 = 1_000;

/// A server that takes a second's silence for being away.
async fn quick<const N: usize>(names: [&str; N]) -> (tempfile::TempDir, Server, [Person; N]) {
    let folder = tempfile::tempdir().unwrap();
    let server = Launch::new(&folder.path().join("data"))
        .with("PARLEY_SESSIONS__HEARTBEAT_MS", "400")
        .with("PARLEY_PRESENCE__OFFLINE_AFTER_MS", &PATIENCE_MS.to_string())
        .start()
        .await;
    let api = Api::plain(&server.ready);
    let mut signed = Vec::new();
    for name in names {
        signed.push(api.sign_up(name, "phone").await);
    }
    let people = signed.try_into().unwrap_or_else(|_| unreachable!("as many as names"));
    (folder, server, people)
}

/// A session in the background: it need not say much, and makes nobody online.
async fn behind(server: &Server, transport: Transport, person: &Person) -> Session {
    let wire = Connection::open(&server.ready, transport).await.unwrap();
    let hello = wire::Hello { background: true, ..hello(&person.token, 0) };
    Session::over(wire, hello).await.unwrap()
}

/// Online, and when last seen; 0 for never.
async fn presence(session: &mut Session, users: &[UserId], once: bool) -> Vec<(bool, u64)> {
    match session.ask(asks::subscribe(users, once)).await {
        Ok(Said::Subscribed(answer)) => {
            let ids = answer.presence.iter().map(|presence| presence.user.clone());
            assert!(ids.eq(users.iter().map(|user| user.to_wire())), "in the order asked");
            let state = |of: &Presence| (of.online, of.last_seen_ms);
            answer.presence.iter().map(state).collect()
        }
        other => panic!("not Subscribed: {other:?}"),
    }
}

/// The next news of somebody that is like this.
async fn told(session: &mut Session, of: &Person, online: bool) -> u64 {
    let told = session.pushed(|said| match said {
        Said::Presence(presence) if presence.user == of.user.to_wire() => {
            (presence.online == online).then_some(presence.last_seen_ms)
        }
        _ => None,
    });
    told.await.unwrap()
}

fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

fn settings(change: AccountSettings) -> Ask {
    asks::update(Change::Settings(change))
}

async fn must(session: &mut Session, ask: Ask) {
    let said = session.ask(ask).await;
    assert!(matches!(said, Ok(Said::AccountChanged(_))), "{said:?}");
}

#[tokio::test]
async fn who_vanishes_without_a_word_is_offline_after_a_while_and_was_seen_until_then() {
    let (_folder, server, [ann, ben]) = quick(["ann", "ben"]).await;
    let mut watcher = behind(&server, Transport::Tls, &ann).await;
    assert_eq!(presence(&mut watcher, &[ben.user], false).await, [(false, 0)]);
    let mut silent = Vec::new();
    for transport in Transport::ALL {
        let mut session = Session::open(&server.ready, transport, &ben).await;
        told(&mut watcher, &ben, true).await;
        session.ping().await.unwrap();
        let last_ms = now_ms();
        match transport {
            Transport::Quic => session.wire.vanish(),
            // The connection stays, and nobody is at its other end.
            Transport::Tls | Transport::WebSocket => silent.push(session),
        }
        let seen_ms = told(&mut watcher, &ben, false).await;
        assert!(seen_ms <= last_ms, "{transport:?}: seen at {seen_ms}, the last word at {last_ms}");
        let waited_ms = now_ms() - seen_ms;
        assert!(waited_ms >= PATIENCE_MS, "{transport:?}: after {waited_ms} ms");
        assert_eq!(presence(&mut watcher, &[ben.user], true).await, [(false, seen_ms)]);
    }
}

#[tokio::test]
async fn heartbeats_keep_online_and_the_background_does_not() {
    let (_folder, server, [ann, ben]) = quick(["ann", "ben"]).await;
    // A password's hash takes longer than a heartbeat.
    let tablet = Api::plain(&server.ready).login("ben", "tablet").await;
    let mut watcher = behind(&server, Transport::Tls, &ann).await;
    presence(&mut watcher, &[ben.user], false).await;
    let mut session = Session::open(&server.ready, Transport::Quic, &ben).await;
    assert_eq!(
        (session.welcome.heartbeat_ms, session.welcome.background_heartbeat_ms),
        (400, 30_000)
    );
    told(&mut watcher, &ben, true).await;
    for _ in 0..12 {
        tokio::time::sleep(Duration::from_millis(250)).await;
        session.ping().await.unwrap();
    }
    let ping = |background| Ask::Ping(wire::Ping { background });
    let before_ms = now_ms();
    session.ask(ping(true)).await.unwrap();
    let seen_ms = told(&mut watcher, &ben, false).await;
    assert!(seen_ms + 100 >= before_ms, "he was there until he said so");
    session.ask(ping(false)).await.unwrap();
    told(&mut watcher, &ben, true).await;
    // One of two devices in front is enough.
    let mut second = behind(&server, Transport::WebSocket, &tablet).await;
    second.ask(ping(true)).await.unwrap();
    session.ping().await.unwrap();
    assert!(presence(&mut watcher, &[ben.user], true).await[0].0);
    let news = watcher.pushes.iter().filter(|said| matches!(said, Said::Presence(_))).count();
    assert_eq!(news, 0, "{:?}", watcher.pushes);
}

#[tokio::test]
async fn a_goodbye_is_told_at_once_and_last_seen_survives_restarts() {
    let (_folder, mut server, [ann, ben, eve]) = people(["ann", "ben", "eve"]).await;
    let mut watcher = Session::open(&server.ready, Transport::Tls, &ann).await;
    presence(&mut watcher, &[ben.user], false).await;
    let mut session = Session::open(&server.ready, Transport::Quic, &ben).await;
    told(&mut watcher, &ben, true).await;
    let begun = std::time::Instant::now();
    session
        .wire
        .write(&[crate::common::session::envelope(0, Ask::Goodbye(wire::Goodbye {}))])
        .await
        .unwrap();
    let seen_ms = told(&mut watcher, &ben, false).await;
    assert!(begun.elapsed() < Duration::from_secs(30), "before silence would have told it");
    // Eve is online all the while; a kill forgets at most half a minute of her.
    let _eve = Session::open(&server.ready, Transport::Tls, &eve).await;
    presence(&mut watcher, &[eve.user], false).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    server.restart().await;
    let mut watcher = Session::open(&server.ready, Transport::Tls, &ann).await;
    let [ben_is, (false, eve_ms)] = presence(&mut watcher, &[ben.user, eve.user], true).await[..]
    else {
        panic!()
    };
    assert_eq!(ben_is, (false, seen_ms));
    assert!((seen_ms..=now_ms()).contains(&eve_ms), "{eve_ms}");
    // After an orderly end it is exact for whoever was online.
    drop(watcher);
    let mut session = Session::open(&server.ready, Transport::Tls, &ben).await;
    session.ping().await.unwrap();
    let last_ms = now_ms();
    server.terminate();
    server.exited().await;
    server.restart().await;
    let mut watcher = Session::open(&server.ready, Transport::Tls, &ann).await;
    let [(false, ben_ms)] = presence(&mut watcher, &[ben.user], true).await[..] else { panic!() };
    assert!((last_ms.saturating_sub(1_000)..=now_ms()).contains(&ben_ms), "{ben_ms}, {last_ms}");
}

/// Who sees whom, by the other's audience, their contacts, the own audience and
/// blocks. The rule is written here once more, by hand.
#[tokio::test]
async fn who_may_not_know_is_told_what_is_told_of_nobody() {
    let (_folder, server, [ben, cat, dan]) = people(["ben", "cat", "dan"]).await;
    let ready = &server.ready;
    let mut target = Session::open(ready, Transport::Quic, &ben).await;
    let mut friend = Session::open(ready, Transport::Tls, &cat).await;
    let mut stranger = Session::open(ready, Transport::WebSocket, &dan).await;
    must(&mut target, asks::update(Change::AddContact(cat.user.to_wire()))).await;
    for session in [&mut friend, &mut stranger] {
        assert!(presence(session, &[ben.user], false).await[0].0);
    }
    let (mut friend_sees, mut stranger_sees) = (true, true);
    let everyone = Audience::Everyone as i32;
    for (audience, friend_may, stranger_may) in [
        (Audience::Contacts, true, false),
        (Audience::Nobody, false, false),
        (Audience::Everyone, true, true),
        (Audience::Nobody, false, false),
        (Audience::Contacts, true, false),
        (Audience::Everyone, true, true),
    ] {
        let presence_for = audience as i32;
        must(
            &mut target,
            settings(AccountSettings { presence: presence_for, ..Default::default() }),
        )
        .await;
        for (session, may, sees) in [
            (&mut friend, friend_may, &mut friend_sees),
            (&mut stranger, stranger_may, &mut stranger_sees),
        ] {
            let now = presence(session, &[ben.user], true).await[0];
            assert_eq!(now.0, may, "{audience:?}");
            assert!(may || now == (false, 0), "{audience:?}: {now:?}");
            if may != *sees {
                let last_seen_ms = told(session, &ben, may).await;
                assert!(may || last_seen_ms == 0, "{audience:?}: {last_seen_ms}");
            }
            *sees = may;
        }
    }
    // Who hides sees nobody, but themselves.
    let hides = AccountSettings { presence: Audience::Nobody as i32, ..Default::default() };
    must(&mut stranger, settings(hides)).await;
    assert_eq!(presence(&mut stranger, &[ben.user], true).await, [(false, 0)]);
    assert_eq!(told(&mut stranger, &ben, false).await, 0);
    assert!(presence(&mut stranger, &[dan.user], true).await[0].0);
    must(&mut stranger, settings(AccountSettings { presence: everyone, ..Default::default() }))
        .await;
    told(&mut stranger, &ben, true).await;
    // A block, in both directions and whatever the audience; and back.
    assert!(presence(&mut target, &[cat.user], false).await[0].0);
    must(&mut target, asks::block(&cat.user)).await;
    assert_eq!(presence(&mut friend, &[ben.user], true).await, [(false, 0)]);
    assert_eq!(presence(&mut target, &[cat.user], true).await, [(false, 0)]);
    assert_eq!(told(&mut friend, &ben, false).await, 0);
    assert_eq!(told(&mut target, &cat, false).await, 0);
    must(&mut target, asks::unblock(&cat.user)).await;
    told(&mut friend, &ben, true).await;
    told(&mut target, &cat, true).await;
    // Nobody is told of who isn't there.
    let nobody = UserId::new([77; 16]);
    assert_eq!(presence(&mut friend, &[nobody], false).await, [(false, 0)]);
}

#[tokio::test]
async fn a_stranger_who_waits_sees_nothing_until_taken_up() {
    let (_folder, server, [ben, dan, eve]) = people(["ben", "dan", "eve"]).await;
    let mut target = Session::open(&server.ready, Transport::Quic, &ben).await;
    let asks_first = AccountSettings { messages: Audience::Contacts as i32, ..Default::default() };
    must(&mut target, settings(asks_first)).await;
    let mut waiting = Vec::new();
    for person in [&dan, &eve] {
        let mut session = Session::open(&server.ready, Transport::Tls, person).await;
        let sent = session.say(&ben, "1", "hello").await;
        assert_eq!(presence(&mut session, &[ben.user], false).await, [(false, 0)]);
        waiting.push((session, conversation_of(&sent)));
    }
    // By an answer, and by saying so.
    target.say(&dan, "1", "hello yourself").await;
    told(&mut waiting[0].0, &ben, true).await;
    let conversation = waiting[1].1;
    target.ask(asks::prefer(&conversation, |change| change.accepted = Some(true))).await.unwrap();
    told(&mut waiting[1].0, &ben, true).await;
}

#[tokio::test]
async fn a_new_profile_comes_to_whoever_watches_and_may_know() {
    let (_folder, server, [ann, ben, eve]) = people(["ann", "ben", "eve"]).await;
    let mut watcher = Session::open(&server.ready, Transport::Tls, &ann).await;
    let mut blocked = Session::open(&server.ready, Transport::Tls, &eve).await;
    let mut session = Session::open(&server.ready, Transport::Quic, &ben).await;
    must(&mut session, asks::block(&eve.user)).await;
    for watcher in [&mut watcher, &mut blocked] {
        presence(watcher, &[ben.user], false).await;
    }
    let change = |about: &str| {
        let phone = Some("+1 555".to_owned());
        let about = Some(about.to_owned());
        asks::update(Change::Profile(ProfileChange { about, phone, ..ProfileChange::default() }))
    };
    must(&mut session, change("fishing")).await;
    let profile: Profile = watcher
        .pushed(|said| match said {
            Said::Profile(profile) => Some(profile.clone()),
            _ => None,
        })
        .await
        .unwrap();
    assert_eq!((&*profile.name, &*profile.about, &*profile.phone), ("ben", "fishing", ""));
    // Once the block is gone she is told again; what came before is not in it.
    must(&mut session, asks::unblock(&eve.user)).await;
    must(&mut session, change("sailing")).await;
    let first = blocked.pushed(|said| match said {
        Said::Profile(profile) => Some(profile.about.clone()),
        _ => None,
    });
    assert_eq!(first.await.unwrap(), "sailing");
}

#[tokio::test]
async fn subscriptions_have_a_bound_and_can_be_ended() {
    let (_folder, server, [ann, ben]) = people(["ann", "ben"]).await;
    let mut watcher = Session::open(&server.ready, Transport::Tls, &ann).await;
    let mut many: Vec<UserId> = (0..499u16)
        .map(|n| {
            let [high, low] = n.to_be_bytes();
            UserId::new([high, low, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9])
        })
        .collect();
    many.push(ben.user);
    assert_eq!(presence(&mut watcher, &many, false).await.len(), 500);
    let more = [UserId::new([8; 16])];
    assert_eq!(watcher.refused(asks::subscribe(&more, false)).await, Some(Code::ListFull));
    assert_eq!(presence(&mut watcher, &more, true).await, [(false, 0)], "once needs no room");
    let users = more.iter().map(|user| user.to_wire()).collect();
    let drop = vec![ben.user.to_wire()];
    let swap = Ask::Subscribe(wire::Subscribe { users, drop, once: false });
    assert!(matches!(watcher.ask(swap).await, Ok(Said::Subscribed(_))));
    // Of ben nothing is told any more.
    let _ben = Session::open(&server.ready, Transport::Quic, &ben).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    watcher.ping().await.unwrap();
    assert!(!watcher.pushes.iter().any(|said| matches!(said, Said::Presence(_))));
    assert!(presence(&mut watcher, &[ben.user], true).await[0].0);
}
