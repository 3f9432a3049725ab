//! Those who leave, are put out, or come to nobody; and links, when the one who
//! made them is not who they were.

use parley_protocol::wire::{ConversationSettings, Role, Who, fetch::From, invites};
use parley_protocol::{Code, ConversationId};

use super::groups::{people, seen};
use crate::common::session::{Said, conversation_of, entries_of, send_into};
use crate::common::{Api, Session, Transport, asks};
use crate::history::{done, feed, fetched, group, seqs};

async fn link(session: &mut Session, id: &ConversationId) -> String {
    let create = asks::invites(id, invites::Act::Create(Default::default()));
    match session.ask(create).await {
        Ok(Said::InviteLinks(links)) => links.links[0].code.clone(),
        other => panic!("not InviteLinks: {other:?}"),
    }
}

const OPEN: ConversationSettings = ConversationSettings {
    send: 0,
    add: Who::Members as i32,
    edit_info: 0,
    history_for_newcomers: true,
    retention_s: 0,
};

#[tokio::test]
async fn who_comes_back_sees_no_further_than_before_and_counts_nothing_of_meanwhile() {
    let (_folder, mut server, [ann, ben]) = people(["ann", "ben"]).await;
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let mut b = Session::open(&server.ready, Transport::Quic, &ben).await;
    let id = group(&mut a, &[]).await;
    done(&mut a, send_into(&id, "2", "before his time")).await;
    let came = done(&mut a, asks::add(&id, "in", &[ben.user])).await;
    let own = done(&mut b, send_into(&id, "own", "his")).await;
    let hidden = done(&mut a, send_into(&id, "hide", "hidden by him")).await;
    b.ask(asks::hide(&id, &[hidden])).await.unwrap();
    b.ask(asks::prefer(&id, |set| set.cleared_up_to = Some(came))).await.unwrap();
    b.ask(asks::prefer(&id, |set| set.draft = Some("half a thought".to_owned()))).await.unwrap();
    let left = done(&mut b, asks::leave(&id, "leave")).await;
    for n in 0..3 {
        let named = asks::text(&id, &format!("away{n}"), "named", 0, &[ben.user]);
        done(&mut a, named).await;
    }
    // Gone, he sees what he saw, and can set nothing going there.
    assert_eq!(seqs(&seen(&mut b, &id).await), [own, hidden, left]);
    let away = feed(&mut b, &id).await;
    assert_eq!((away.last_seq, away.unread, away.mentions), (left, 0, 0), "{away:?}");
    let no = Some(Code::Forbidden);
    assert_eq!(b.refused(send_into(&id, "late", "late")).await, no);
    assert_eq!(b.refused(asks::edit(&id, "edit", own, "other words")).await, no);
    assert_eq!(b.refused(asks::delete(&id, "delete", own, 2)).await, no);
    assert_eq!(b.refused(asks::typing(&id)).await, no);
    assert_eq!(b.refused(asks::receipts(&id, own)).await, no);
    let join = asks::invites(&id, invites::Act::Create(Default::default()));
    assert_eq!(b.refused(join).await, no);
    let back = done(&mut a, asks::add(&id, "back", &[ben.user])).await;
    let named = asks::text(&id, "named", "named", 0, &[ben.user]);
    let fresh = done(&mut a, named).await;
    for round in 0..2 {
        let mut b = Session::open(&server.ready, Transport::WebSocket, &ben).await;
        assert_eq!(seqs(&seen(&mut b, &id).await), [back, fresh], "round {round}");
        let here = feed(&mut b, &id).await;
        assert_eq!((here.unread, here.mentions), (1, 1), "round {round}: {here:?}");
        let page = fetched(&mut b, &id, From::MentionsBefore(u64::MAX), 0).await;
        assert_eq!(seqs(&entries_of(&page.entries)), [fresh], "round {round}");
        // What he set for himself is as he left it.
        let own = here.preferences.unwrap();
        assert_eq!((own.draft.as_str(), own.cleared_up_to), ("half a thought", came));
        // He is given nothing of meanwhile, and needs none of it to move on.
        assert_eq!(b.refused(asks::hide(&id, &[left + 1])).await, Some(Code::TargetInvalid));
        if round == 1 {
            assert_eq!(b.must_read(&id, fresh).await.read, fresh);
            assert_eq!(feed(&mut b, &id).await.unread, 0);
        }
        server.kill();
        server.restart().await;
    }
}

#[tokio::test]
async fn nobody_gets_at_what_was_before_them_by_going_and_coming() {
    let (_folder, server, [ann, ben, eve]) = people(["ann", "ben", "eve"]).await;
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let mut b = Session::open(&server.ready, Transport::Quic, &ben).await;
    let mut e = Session::open(&server.ready, Transport::Tls, &eve).await;
    let id = group(&mut a, &[]).await;
    done(&mut a, send_into(&id, "2", "for ann alone")).await;
    let came = done(&mut a, asks::add(&id, "in", &[ben.user])).await;
    done(&mut a, asks::role(&id, "own", &ben.user, Role::Owner)).await;
    // He owns it now, and may set what he likes.
    let set = done(&mut b, asks::settings(&id, "open", OPEN)).await;
    let code = link(&mut b, &id).await;
    let other = link(&mut a, &id).await;
    done(&mut b, asks::leave(&id, "leave")).await;
    assert_eq!(b.refused(asks::join(&code, "own link")).await, Some(Code::InviteInvalid));
    b.send(asks::join(&other, "other link")).await.unwrap();
    let first = seqs(&seen(&mut b, &id).await)[0];
    assert!(first >= came && first > set, "sees {first}, set at {set}, came at {came}");
    // Switched off and on again it shows less, not more.
    done(&mut a, asks::settings(&id, "shut", ConversationSettings::default())).await;
    done(&mut a, send_into(&id, "shut words", "while shut")).await;
    let again = done(&mut a, asks::settings(&id, "open again", OPEN)).await;
    let fresh = done(&mut a, asks::add(&id, "eve", &[eve.user])).await;
    assert_eq!(seqs(&seen(&mut e, &id).await), [fresh]);
    assert_eq!(e.describe(&id).await.first_after, again);
}

#[tokio::test]
async fn a_link_is_worth_what_its_maker_may_and_no_ban_is_gone_round() {
    let (_folder, mut server, [ann, ben, cat, eve]) = people(["ann", "ben", "cat", "eve"]).await;
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let mut b = Session::open(&server.ready, Transport::Quic, &ben).await;
    let mut c = Session::open(&server.ready, Transport::WebSocket, &cat).await;
    let mut e = Session::open(&server.ready, Transport::Tls, &eve).await;
    let id = group(&mut a, &[&ben, &cat]).await;
    let gone = Some(Code::InviteInvalid);
    done(&mut a, asks::settings(&id, "open", OPEN)).await;
    let (of_ben, of_cat) = (link(&mut b, &id).await, link(&mut c, &id).await);
    // The right goes from all members at once, but not from who is an admin by then.
    done(&mut a, asks::role(&id, "cat", &cat.user, Role::Admin)).await;
    done(&mut a, asks::settings(&id, "shut", ConversationSettings::default())).await;
    assert_eq!(e.refused(asks::peek(&of_ben)).await, gone);
    assert!(matches!(e.ask(asks::peek(&of_cat)).await, Ok(Said::InvitePreview(_))));
    done(&mut a, asks::settings(&id, "open again", OPEN)).await;
    assert_eq!(e.refused(asks::join(&of_ben, "j0")).await, gone);
    // A banned maker's link; one in the pocket of the banned; one made after.
    let of_ben = link(&mut b, &id).await;
    done(&mut a, asks::ban(&id, "ban", &ben.user)).await;
    assert_eq!(e.refused(asks::join(&of_ben, "j1")).await, gone);
    let later = link(&mut a, &id).await;
    for code in [&of_cat, &later] {
        assert_eq!(b.refused(asks::peek(code)).await, gone);
        assert_eq!(b.refused(asks::join(code, &code[..8])).await, gone);
    }
    // No member lifts it, by adding or otherwise, alone or among others.
    done(&mut a, asks::role(&id, "cat2", &cat.user, Role::Member)).await;
    let no = Some(Code::Forbidden);
    assert_eq!(c.refused(asks::add(&id, "a1", &[ben.user])).await, no);
    assert_eq!(c.refused(asks::add(&id, "a2", &[eve.user, ben.user])).await, no);
    assert_eq!(c.refused(asks::unban(&id, "u1", &ben.user)).await, no);
    // Nor does the banned by the way of one who was there before.
    assert_eq!(b.refused(asks::unban(&id, "u2", &ben.user)).await, no);
    assert_eq!(b.refused(asks::add(&id, "a3", &[ben.user])).await, no);
    // Whoever owns it later keeps the list; so does a restart.
    done(&mut a, asks::role(&id, "own", &cat.user, Role::Owner)).await;
    done(&mut a, asks::leave(&id, "leave")).await;
    server.kill();
    server.restart().await;
    let mut b = Session::open(&server.ready, Transport::Quic, &ben).await;
    let mut c = Session::open(&server.ready, Transport::WebSocket, &cat).await;
    assert_eq!(c.describe(&id).await.banned, [ben.user.to_wire()]);
    let of_cat = link(&mut c, &id).await;
    assert_eq!(b.refused(asks::join(&of_cat, "j2")).await, gone);
    // What he says again is answered as it was: nothing is done by it.
    assert_eq!(b.refused(asks::join(&of_cat, "j2")).await, gone);
    done(&mut c, asks::unban(&id, "u3", &ben.user)).await;
    let back = b.send(asks::join(&of_cat, "j2")).await.unwrap();
    assert_eq!(conversation_of(&back), id);
    assert_eq!(seqs(&seen(&mut b, &id).await).last(), Some(&back.seq));
}

#[tokio::test]
async fn a_group_that_its_owner_left_by_ending_is_empty_for_good() {
    let (_folder, mut server, [ann, ben, eve]) = people(["ann", "ben", "eve"]).await;
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let mut b = Session::open(&server.ready, Transport::Quic, &ben).await;
    let id = group(&mut a, &[&ben]).await;
    let said = done(&mut b, send_into(&id, "said", "his words")).await;
    let code = link(&mut a, &id).await;
    let left = done(&mut b, asks::leave(&id, "leave")).await;
    done(&mut a, send_into(&id, "after", "without him")).await;
    let body = serde_json::json!({ "password": crate::common::http::password_of("ann") });
    let api = Api::plain(&server.ready);
    let body = Some(body.to_string().into());
    let reply = api.call(hyper::Method::DELETE, "/v1/account", Some(&ann.bearer), body).await;
    assert!(reply.status.is_success(), "{reply:?}");
    for round in 0..2 {
        let mut b = Session::open(&server.ready, Transport::Quic, &ben).await;
        let mut e = Session::open(&server.ready, Transport::Tls, &eve).await;
        for session in [&mut b, &mut e] {
            let gone = Some(Code::InviteInvalid);
            assert_eq!(session.refused(asks::peek(&code)).await, gone, "round {round}");
            let join = asks::join(&code, &format!("join{round}"));
            assert_eq!(session.refused(join).await, gone, "round {round}");
        }
        // He reads what he saw; nobody is brought in, and nothing is said.
        assert_eq!(seqs(&seen(&mut b, &id).await), [1, said, left], "round {round}");
        let no = Some(Code::Forbidden);
        let add = asks::add(&id, &format!("add{round}"), &[eve.user]);
        assert_eq!(b.refused(add).await, no, "round {round}");
        let say = send_into(&id, &format!("say{round}"), "anybody?");
        assert_eq!(b.refused(say).await, no, "round {round}");
        assert_eq!(e.refused(asks::describe(&id)).await, Some(Code::NotFound), "round {round}");
        server.kill();
        server.restart().await;
    }
}
