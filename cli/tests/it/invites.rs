//! Invite links: whoever may add people makes them, whoever has one joins, and
//! no more often than it says.

use std::time::Duration;

use parley_protocol::wire::{
    ConversationSettings, InviteLink, InvitePreview, NewInvite, Role, Who, invites,
};
use parley_protocol::{Code, ConversationId};

use crate::common::asks;
use crate::common::session::{Ask, Said, conversation_of, send_into};
use crate::common::{Api, Launch, Session, Transport};
use crate::groups::{people, people_with};
use crate::history::{done, group};

fn create(id: &ConversationId, expires_ms: u64, max_uses: u32) -> Ask {
    asks::invites(id, invites::Act::Create(NewInvite { expires_ms, max_uses }))
}

async fn links(session: &mut Session, ask: Ask) -> Vec<InviteLink> {
    match session.ask(ask).await {
        Ok(Said::InviteLinks(links)) => links.links,
        other => panic!("not InviteLinks: {other:?}"),
    }
}

async fn list(session: &mut Session, id: &ConversationId) -> Vec<InviteLink> {
    links(session, asks::invites(id, invites::Act::List(true))).await
}

async fn peek(session: &mut Session, code: &str) -> InvitePreview {
    match session.ask(asks::peek(code)).await {
        Ok(Said::InvitePreview(preview)) => preview,
        other => panic!("not InvitePreview: {other:?}"),
    }
}

#[tokio::test]
async fn a_link_leads_into_the_group_until_it_is_ended() {
    let (_folder, mut server, [ann, ben, eve]) = people(["ann", "ben", "eve"]).await;
    let mut a = Session::open(&server.ready, Transport::Quic, &ann).await;
    let mut b = Session::open(&server.ready, Transport::Tls, &ben).await;
    let mut e = Session::open(&server.ready, Transport::WebSocket, &eve).await;
    let id = group(&mut a, &[&ben]).await;
    assert_eq!(b.refused(create(&id, 0, 0)).await, Some(Code::Forbidden));
    assert_eq!(e.refused(create(&id, 0, 0)).await, Some(Code::NotFound));
    let link = links(&mut a, create(&id, 0, 0)).await.remove(0);
    assert_eq!((link.code.len(), link.uses, &link.created_by), (43, 0, &ann.user.to_wire()));
    let preview = peek(&mut e, &link.code).await;
    assert_eq!((preview.conversation, preview.members, preview.joined), (id.to_wire(), 2, false));
    assert_eq!(preview.info.unwrap().title, "Friends");
    assert!(peek(&mut b, &link.code).await.joined);

    server.kill();
    server.restart().await;
    let mut a = Session::open(&server.ready, Transport::Quic, &ann).await;
    let mut e = Session::open(&server.ready, Transport::WebSocket, &eve).await;
    let sent = e.send(asks::join(&link.code, "join")).await.unwrap();
    assert_eq!((conversation_of(&sent), sent.seq), (id, 2));
    assert!(e.send(asks::join(&link.code, "join")).await.unwrap().duplicate, "the same again");
    done(&mut e, send_into(&id, "hi", "here I am")).await;
    assert_eq!(list(&mut a, &id).await[0].uses, 1);
    let other = links(&mut a, create(&id, 0, 1)).await.remove(0);
    assert_eq!(list(&mut a, &id).await.len(), 2);

    let revoke = asks::invites(&id, invites::Act::Revoke(link.id.clone()));
    let left = links(&mut a, revoke.clone()).await;
    assert_eq!(left.iter().map(|link| &link.code).collect::<Vec<_>>(), [&other.code]);
    assert_eq!(a.refused(revoke).await, Some(Code::InviteInvalid));
    done(&mut e, asks::leave(&id, "leave")).await;
    assert_eq!(e.refused(asks::join(&link.code, "again")).await, Some(Code::InviteInvalid));
    assert_eq!(e.refused(asks::peek(&link.code)).await, Some(Code::InviteInvalid));
    // Used up, it leads nowhere; nor does what never was a code.
    e.send(asks::join(&other.code, "other")).await.unwrap();
    assert_eq!(e.refused(asks::peek(&other.code)).await, Some(Code::InviteInvalid));
    let mut wrong = other.code.clone();
    wrong.replace_range(30..31, if &wrong[30..31] == "A" { "B" } else { "A" });
    for code in ["", "x", wrong.as_str(), &"A".repeat(43), &"é".repeat(43)] {
        assert_eq!(e.refused(asks::peek(code)).await, Some(Code::InviteInvalid), "{code}");
        let join = asks::join(code, "wrong");
        assert_eq!(e.refused(join).await, Some(Code::InviteInvalid), "{code}");
    }
    assert!(list(&mut a, &id).await.is_empty());
}

#[tokio::test]
async fn a_link_ends_in_time_and_there_are_only_so_many() {
    // More links than there may be, of one person.
    let more = |launch: Launch| launch.with("PARLEY_RATES__INVITES_BURST", "100");
    let (_folder, server, [ann, ben]) = people_with(["ann", "ben"], more).await;
    let mut a = Session::open(&server.ready, Transport::Quic, &ann).await;
    let mut b = Session::open(&server.ready, Transport::Tls, &ben).await;
    let settings =
        ConversationSettings { add: Who::Members as i32, ..ConversationSettings::default() };
    let ask = asks::new_group("g", "Open", settings, &[ben.user]);
    let id = conversation_of(&a.send(ask).await.unwrap());
    let soon = a.ping().await.unwrap().server_time_ms + 300;
    let short = links(&mut b, create(&id, soon, 0)).await.remove(0);
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(a.refused(asks::peek(&short.code)).await, Some(Code::InviteInvalid));
    for _ in 0..50 {
        links(&mut b, create(&id, 0, 0)).await;
    }
    assert_eq!(b.refused(create(&id, 0, 0)).await, Some(Code::ListFull));
    assert_eq!(list(&mut a, &id).await.len(), 50);
    // A 1:1 has none.
    let direct = conversation_of(&a.say(&ben, "1", "x").await);
    assert_eq!(a.refused(create(&direct, 0, 0)).await, Some(Code::Forbidden));
}

#[tokio::test]
async fn a_link_for_three_takes_three_however_many_come_at_once() {
    let (_folder, server, [ann]) = people(["ann"]).await;
    let mut a = Session::open(&server.ready, Transport::Quic, &ann).await;
    let id = group(&mut a, &[]).await;
    let link = links(&mut a, create(&id, 0, 3)).await.remove(0);
    let api = Api::plain(&server.ready);
    let mut joins = Vec::new();
    for n in 0..12 {
        let person = api.sign_up(&format!("guest{n}"), "phone").await;
        let mut session = Session::open(&server.ready, Transport::Tls, &person).await;
        let code = link.code.clone();
        joins.push(async move { session.send(asks::join(&code, "join")).await.map(|_| ()) });
    }
    let joined = futures_util::future::join_all(joins).await;
    let refused = Code::InviteInvalid as u32;
    assert_eq!(joined.iter().filter(|done| done.is_ok()).count(), 3, "{joined:?}");
    let codes = joined.iter().filter_map(|done| done.as_ref().err()).map(|failure| failure.code);
    assert!(codes.into_iter().all(|code| code == refused));
    assert_eq!(a.describe(&id).await.members.len(), 4);
}

#[tokio::test]
async fn a_link_ends_with_the_right_of_who_made_it() {
    let (_folder, mut server, [ann, ben, eve]) = people(["ann", "ben", "eve"]).await;
    let mut a = Session::open(&server.ready, Transport::Quic, &ann).await;
    let mut b = Session::open(&server.ready, Transport::Tls, &ben).await;
    let mut e = Session::open(&server.ready, Transport::WebSocket, &eve).await;
    let id = group(&mut a, &[&ben]).await;
    let gone = Some(Code::InviteInvalid);
    let admin = |name: &str| asks::role(&id, name, &ben.user, Role::Admin);
    done(&mut a, admin("r1")).await;
    let first = links(&mut b, create(&id, 0, 0)).await.remove(0);
    let own = links(&mut a, create(&id, 0, 0)).await.remove(0);
    done(&mut a, asks::role(&id, "r2", &ben.user, Role::Member)).await;
    assert_eq!(e.refused(asks::peek(&first.code)).await, gone);
    // It doesn't come back with the right.
    done(&mut a, admin("r3")).await;
    assert_eq!(e.refused(asks::join(&first.code, "j1")).await, gone);
    let second = links(&mut b, create(&id, 0, 0)).await.remove(0);
    done(&mut a, asks::remove(&id, "out", &ben.user)).await;
    done(&mut a, asks::add(&id, "in", &[ben.user])).await;
    done(&mut a, admin("r4")).await;
    server.kill();
    server.restart().await;
    let mut a = Session::open(&server.ready, Transport::Quic, &ann).await;
    let mut e = Session::open(&server.ready, Transport::WebSocket, &eve).await;
    assert_eq!(e.refused(asks::join(&second.code, "j2")).await, gone);
    assert_eq!(list(&mut a, &id).await.len(), 1);
    e.send(asks::join(&own.code, "j3")).await.unwrap();
}

#[tokio::test]
async fn nobody_joins_a_group_that_all_have_left() {
    let (_folder, server, [ann, eve]) = people(["ann", "eve"]).await;
    let mut a = Session::open(&server.ready, Transport::Quic, &ann).await;
    let mut e = Session::open(&server.ready, Transport::WebSocket, &eve).await;
    let id = group(&mut a, &[]).await;
    let link = links(&mut a, create(&id, 0, 0)).await.remove(0);
    done(&mut a, send_into(&id, "2", "for myself")).await;
    done(&mut a, asks::leave(&id, "leave")).await;
    assert_eq!(e.refused(asks::join(&link.code, "j")).await, Some(Code::InviteInvalid));
    assert_eq!(e.refused(asks::peek(&link.code)).await, Some(Code::InviteInvalid));
    assert_eq!(a.refused(asks::join(&link.code, "k")).await, Some(Code::InviteInvalid));
    assert_eq!(e.refused(asks::describe(&id)).await, Some(Code::NotFound));
}

#[tokio::test]
async fn who_is_banned_comes_by_no_link_and_is_added_by_admins_alone() {
    let (_folder, mut server, [ann, ben, eve]) = people(["ann", "ben", "eve"]).await;
    let mut a = Session::open(&server.ready, Transport::Quic, &ann).await;
    let mut b = Session::open(&server.ready, Transport::Tls, &ben).await;
    let settings =
        ConversationSettings { add: Who::Members as i32, ..ConversationSettings::default() };
    let ask = asks::new_group("g", "Open", settings, &[ben.user, eve.user]);
    let id = conversation_of(&a.send(ask).await.unwrap());
    let link = links(&mut b, create(&id, 0, 0)).await.remove(0);
    assert_eq!(b.refused(asks::ban(&id, "b0", &eve.user)).await, Some(Code::Forbidden));
    done(&mut a, asks::ban(&id, "b1", &eve.user)).await;
    server.kill();
    server.restart().await;
    let mut a = Session::open(&server.ready, Transport::Quic, &ann).await;
    let mut b = Session::open(&server.ready, Transport::Tls, &ben).await;
    let mut e = Session::open(&server.ready, Transport::WebSocket, &eve).await;
    assert_eq!(e.refused(asks::join(&link.code, "j")).await, Some(Code::InviteInvalid));
    assert_eq!(e.refused(asks::peek(&link.code)).await, Some(Code::InviteInvalid));
    assert_eq!(b.refused(asks::add(&id, "m", &[eve.user])).await, Some(Code::Forbidden));
    assert_eq!(a.describe(&id).await.banned, [eve.user.to_wire()]);
    assert!(b.describe(&id).await.banned.is_empty() && e.describe(&id).await.banned.is_empty());
    done(&mut a, asks::unban(&id, "u", &eve.user)).await;
    assert_eq!(a.refused(asks::unban(&id, "u2", &eve.user)).await, Some(Code::TargetInvalid));
    e.send(asks::join(&link.code, "k")).await.unwrap();
    done(&mut a, asks::ban(&id, "b2", &eve.user)).await;
    done(&mut a, asks::add(&id, "a", &[eve.user])).await;
    assert!(a.describe(&id).await.banned.is_empty(), "an admin who adds them lifts it");
}

#[tokio::test]
async fn newcomers_see_what_was_written_since_it_was_shown_to_them() {
    let (_folder, mut server, [ann, ben, eve]) = people(["ann", "ben", "eve"]).await;
    let mut a = Session::open(&server.ready, Transport::Quic, &ann).await;
    let id = group(&mut a, &[&ben]).await;
    done(&mut a, send_into(&id, "2", "among us")).await;
    done(&mut a, asks::add(&id, "in", &[eve.user])).await;
    let open =
        ConversationSettings { history_for_newcomers: true, ..ConversationSettings::default() };
    done(&mut a, asks::settings(&id, "open", open)).await;
    done(&mut a, send_into(&id, "5", "for all")).await;
    // Gone and back again shows no more than before, and not what was in between.
    let mut e = Session::open(&server.ready, Transport::WebSocket, &eve).await;
    done(&mut e, asks::leave(&id, "leave")).await;
    done(&mut a, send_into(&id, "7", "without her")).await;
    done(&mut a, asks::add(&id, "again", &[eve.user])).await;
    server.kill();
    server.restart().await;
    let mut e = Session::open(&server.ready, Transport::WebSocket, &eve).await;
    assert_eq!(e.describe(&id).await.first_after, 4);
    let seen = crate::groups::seen(&mut e, &id).await;
    assert_eq!(crate::history::seqs(&seen), [5, 6, 7, 8]);
}
