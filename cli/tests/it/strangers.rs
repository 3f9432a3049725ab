//! What strangers bring about: nothing, by what is refused; and no more than their
//! words, before somebody answers them or takes them up.

use parley_protocol::wire::{
    self, Audience, ConversationSettings, EntryKind, fetch::From, invites, send,
    update_account::Change,
};
use parley_protocol::{Code, ConversationId, UserId};
use sha2::{Digest, Sha256};

use super::groups::{people, people_with};
use crate::common::session::{Ask, Said, conversation_of, send_into};
use crate::common::{Launch, Person, Session, Transport, asks};
use crate::history::done;

/// The id that the 1:1 of two would have, as the server makes it.
fn direct_id(a: UserId, b: UserId) -> ConversationId {
    let hash = Sha256::new().chain_update(b"parley direct 1");
    let hash = hash.chain_update(a.min(b).as_bytes()).chain_update(a.max(b).as_bytes()).finalize();
    let mut id: [u8; 16] = hash[..16].try_into().unwrap();
    id[6] = id[6] & 0x0f | 0x80;
    id[8] = id[8] & 0x3f | 0x80;
    ConversationId::new(id)
}

fn to(peer: &Person, kind: EntryKind, body: &impl parley_protocol::Message) -> Ask {
    asks::send(send::To::Peer(peer.user.to_wire()), &format!("{kind:?}"), kind, body)
}

fn keeps(retention_s: u64) -> ConversationSettings {
    ConversationSettings { retention_s, ..ConversationSettings::default() }
}

fn kept(retention_s: u64) -> wire::ConversationChanged {
    wire::ConversationChanged { settings: Some(keeps(retention_s)), ..Default::default() }
}

async fn takes(session: &mut Session, messages: Audience) {
    let messages = messages as i32;
    let settings = wire::AccountSettings { messages, ..Default::default() };
    session.ask(asks::update(Change::Settings(settings))).await.unwrap();
}

/// Nothing knows of the conversation, whoever of the two asks.
async fn is_not_there(session: &mut Session, id: &ConversationId, after: &str) {
    for ask in [
        asks::describe(id),
        asks::fetch(id, From::AfterSeq(0), 0),
        asks::typing(id),
        asks::prefer(id, |set| set.draft = Some("a draft".to_owned())),
        asks::prefer(id, |set| set.accepted = Some(true)),
        asks::hide(id, &[1]),
        asks::hidden(id, 0),
        asks::receipts(id, 1),
        asks::read(id, 1),
        asks::delivered(id, 1),
        asks::invites(id, invites::Act::List(true)),
        send_into(id, "into it", "words"),
        asks::react(id, "reaction", 1, "x"),
        asks::settings(id, "settings", keeps(86_400)),
    ] {
        let shown = format!("{ask:?} after {after}");
        assert_eq!(session.refused(ask).await, Some(Code::NotFound), "{shown}");
    }
}

/// All kinds of sends that bring no conversation about.
fn refused(ann: &Person) -> Vec<(&'static str, Ask)> {
    let answer = wire::Text { text: "so".to_owned(), reply_to: 7, ..Default::default() };
    let edit = wire::Edit { seq: 1, text: "other words".to_owned(), ..Default::default() };
    let reaction = wire::Reaction { seq: 1, emoji: "x".to_owned(), removed: false };
    let title = wire::ConversationChanged { title: Some("Us".to_owned()), ..Default::default() };
    vec![
        ("an answer", to(ann, EntryKind::Text, &answer)),
        ("an edit", to(ann, EntryKind::Edit, &edit)),
        ("a deletion", to(ann, EntryKind::Delete, &wire::Delete { seq: 1, ordinal: 1 })),
        ("a reaction", to(ann, EntryKind::Reaction, &reaction)),
        ("a pin", to(ann, EntryKind::Pin, &wire::Pin { seq: 1, removed: false })),
        ("a title", to(ann, EntryKind::ConversationChanged, &title)),
        ("a retention", to(ann, EntryKind::ConversationChanged, &kept(86_400))),
        ("leaving", to(ann, EntryKind::MemberLeft, &wire::MemberLeft {})),
    ]
}

#[tokio::test]
async fn what_is_refused_to_a_stranger_leaves_nothing_behind() {
    // Everybody asks everything after each of them.
    let more = |launch: Launch| {
        ["SENDS", "CHANGES", "TYPING", "INVITES", "MISSES"].iter().fold(launch, |launch, rate| {
            launch.with(&format!("PARLEY_RATES__{rate}_BURST"), "10000")
        })
    };
    let (_folder, server, [ann, eve, dan]) = people_with(["ann", "eve", "dan"], more).await;
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let mut e = Session::open(&server.ready, Transport::Quic, &eve).await;
    let mut d = Session::open(&server.ready, Transport::Tls, &dan).await;
    let id = direct_id(ann.user, eve.user);
    // By what people let, and by what a conversation that isn't there lets.
    for (audience, wanted) in
        [(Audience::Nobody, Some(Code::NotAccepted)), (Audience::Everyone, None)]
    {
        takes(&mut a, audience).await;
        let words = asks::text_to(&ann.user, "words", "hello");
        let mut all = refused(&ann);
        if wanted.is_some() {
            all.push(("words", words));
        }
        for (what, ask) in all {
            let code = e.refused(ask).await;
            let other = matches!(code, Some(Code::Forbidden | Code::TargetInvalid));
            assert!(code == wanted || (wanted.is_none() && other), "{what}: {code:?}");
            is_not_there(&mut e, &id, what).await;
            is_not_there(&mut a, &id, what).await;
            // Whoever knows the id is told the same.
            is_not_there(&mut d, &id, what).await;
        }
    }
    let heard = |session: &mut Session| {
        let told = session.pushes.iter().any(|said| !matches!(said, Said::AccountChanged(_)));
        assert!(!told, "{:?}", session.pushes);
    };
    a.ping().await.unwrap();
    heard(&mut a);
    for session in [&mut a, &mut e] {
        assert!(session.sync(0).await.unwrap().entries.is_empty());
    }
    // It was the right one all along.
    let sent = e.say(&ann, "words", "hello").await;
    assert_eq!((conversation_of(&sent), sent.seq, sent.duplicate), (id, 1, false));
    let feed = crate::history::feed(&mut a, &id).await;
    assert_eq!(feed.preferences, None, "rows of what was refused");
    e.describe(&id).await;
}

#[tokio::test]
async fn a_stranger_sets_no_retention_before_they_are_answered_or_taken_up() {
    let (_folder, server, [ann, gil]) = people(["ann", "gil"]).await;
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let no = Some(Code::Forbidden);
    for (audience, contact, takes_up) in [
        (Audience::Everyone, false, false),
        (Audience::Everyone, true, true),
        (Audience::Contacts, false, true),
        (Audience::Contacts, true, false),
    ] {
        takes(&mut a, audience).await;
        let case = format!("{audience:?}, a contact: {contact}, taken up: {takes_up}");
        let name = format!("stranger-{}-{contact}-{takes_up}", audience as i32);
        let person = crate::common::Api::plain(&server.ready).sign_up(&name, "x").await;
        let mut s = Session::open(&server.ready, Transport::Quic, &person).await;
        if contact {
            let add = Change::AddContact(person.user.to_wire());
            a.ask(asks::update(add)).await.unwrap();
        }
        // Instead of a first message, and after it.
        let first = to(&ann, EntryKind::ConversationChanged, &kept(86_400));
        assert_eq!(s.refused(first).await, no, "{case}");
        let id = conversation_of(&s.say(&ann, "words", "hello").await);
        let wanted = |name: &str| asks::settings(&id, name, keeps(86_400));
        assert_eq!(s.refused(wanted("early")).await, no, "{case}");
        assert_eq!(a.describe(&id).await.last_seq, 1, "{case}");
        // She may: they wrote.
        let own = done(&mut a, asks::settings(&id, "hers", keeps(3600))).await;
        assert_eq!(s.refused(wanted("still")).await, no, "a setting is no answer, {case}");
        if takes_up {
            a.ask(asks::prefer(&id, |set| set.accepted = Some(true))).await.unwrap();
        } else {
            done(&mut a, send_into(&id, "answer", "hello yourself")).await;
        }
        assert!(done(&mut s, wanted("now")).await > own, "{case}");
        // What was refused under an id is not done under it later; it is said anew.
        assert_eq!(s.describe(&id).await.settings.unwrap().retention_s, 86_400, "{case}");
        assert_eq!(a.describe(&id).await.peer_retention_s, 86_400, "{case}");
    }
    // Nobody asks whom about notes to oneself.
    let mut g = Session::open(&server.ready, Transport::Tls, &gil).await;
    let own = conversation_of(&g.say(&gil, "1", "a note").await);
    done(&mut g, asks::settings(&own, "s", keeps(3600))).await;
}
