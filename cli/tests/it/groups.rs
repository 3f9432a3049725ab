//! The life of a group: made once, joined, left, handed over; who sees what of
//! it, and that all of it survives a kill.

use parley_protocol::wire::{
    self, ConversationSettings, Entry, EntryKind, GroupCreated, GroupInfo, MemberLeft,
    MemberRemoved, MembersAdded, RoleChanged, Send, send,
};
use parley_protocol::{Code, ConversationId, Message};

use crate::common::session::{Ask, Said, conversation_of, entries_of, send_into};
use crate::common::{Api, Launch, Person, Server, Session, Transport};

/// A server with these people.
pub(crate) async fn people<const N: usize>(
    names: [&str; N],
) -> (tempfile::TempDir, Server, [Person; N]) {
    people_with(names, |launch| launch).await
}

/// The same with settings.
pub(crate) async fn people_with<const N: usize>(
    names: [&str; N],
    set: impl FnOnce(Launch) -> Launch,
) -> (tempfile::TempDir, Server, [Person; N]) {
    let folder = tempfile::tempdir().unwrap();
    let server = set(Launch::new(&folder.path().join("data"))).start().await;
    let api = Api::plain(&server.ready);
    let mut signed = Vec::new();
    for name in names {
        signed.push(api.sign_up(name, "phone").await);
    }
    let people = signed.try_into().unwrap_or_else(|_| unreachable!("as many as names"));
    (folder, server, people)
}

/// An entry of a kind into a conversation.
pub(crate) fn put(
    conversation: &ConversationId,
    id: &str,
    kind: EntryKind,
    body: &impl Message,
) -> Ask {
    put_bytes(conversation, id, kind, body.encode_to_vec())
}

/// The same with an encoded body.
pub(crate) fn put_bytes(
    conversation: &ConversationId,
    id: &str,
    kind: EntryKind,
    body: Vec<u8>,
) -> Ask {
    Ask::Send(Send {
        to: Some(send::To::Conversation(conversation.to_wire())),
        client_message_id: id.as_bytes().to_vec().into(),
        kind: kind as u32,
        body: body.into(),
    })
}

/// A new group.
pub(crate) fn create(id: &str, settings: ConversationSettings, members: &[&Person]) -> Ask {
    let info = GroupInfo { title: "Friends".to_owned(), ..GroupInfo::default() };
    let members = members.iter().map(|person| person.user.to_wire()).collect();
    let body = GroupCreated { info: Some(info), settings: Some(settings), members };
    Ask::Send(Send {
        to: Some(send::To::NewGroup(true)),
        client_message_id: id.as_bytes().to_vec().into(),
        kind: EntryKind::GroupCreated as u32,
        body: body.encode_to_vec().into(),
    })
}

fn added(conversation: &ConversationId, id: &str, who: &Person) -> Ask {
    let body = MembersAdded { users: vec![who.user.to_wire()] };
    put(conversation, id, EntryKind::MembersAdded, &body)
}

fn removed(conversation: &ConversationId, id: &str, who: &Person) -> Ask {
    let body = MemberRemoved { user: who.user.to_wire(), ban: false };
    put(conversation, id, EntryKind::MemberRemoved, &body)
}

/// All a person may see of a conversation.
pub(crate) async fn seen(session: &mut Session, conversation: &ConversationId) -> Vec<Entry> {
    entries_of(&session.fetch_all(conversation, 0).await.unwrap())
}

fn seqs(entries: &[Entry]) -> Vec<u64> {
    entries.iter().map(|entry| entry.seq).collect()
}

#[tokio::test]
async fn a_group_is_made_once_however_often_and_wherever_it_is_sent() {
    let (_folder, mut server, [ann, ben]) = people(["ann", "ben"]).await;
    let ask = || create("my group", ConversationSettings::default(), &[&ben]);
    let mut session = Session::open(&server.ready, Transport::Quic, &ann).await;
    let mut reader = Session::open(&server.ready, Transport::WebSocket, &ben).await;
    let first = session.send(ask()).await.unwrap();
    assert_eq!((first.seq, first.ordinal, first.duplicate), (1, 0, false));
    let group = conversation_of(&first);
    let deliver = reader.deliver().await.unwrap();
    assert_eq!(entries_of(&deliver.entries)[0].kind, EntryKind::GroupCreated as u32);
    for round in 0..2 {
        for transport in Transport::ALL {
            let mut again = Session::open(&server.ready, transport, &ann).await;
            let sent = again.send(ask()).await.unwrap();
            assert_eq!((conversation_of(&sent), sent.seq), (group, 1), "{round} {transport:?}");
            assert!(sent.duplicate);
        }
        server.kill();
        server.restart().await;
    }
    // The same id with other members is a mistake, not another group.
    let mut session = Session::open(&server.ready, Transport::Tls, &ann).await;
    let other = create("my group", ConversationSettings::default(), &[]);
    assert_eq!(session.refused(other).await, Some(Code::MessageIdReused));
    let another = create("another", ConversationSettings::default(), &[&ben]);
    assert_ne!(conversation_of(&session.send(another).await.unwrap()), group);
}

#[tokio::test]
async fn everyone_sees_what_was_said_while_they_were_in() {
    let (_folder, mut server, [ann, ben, cat]) = people(["ann", "ben", "cat"]).await;
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let made = a.send(create("g", ConversationSettings::default(), &[&ben])).await.unwrap();
    let group = conversation_of(&made);
    a.send(send_into(&group, "2", "before cat")).await.unwrap();
    a.send(added(&group, "3", &cat)).await.unwrap();
    a.send(send_into(&group, "4", "with cat")).await.unwrap();
    a.send(removed(&group, "5", &ben)).await.unwrap();
    a.send(send_into(&group, "6", "without ben")).await.unwrap();
    for round in 0..2 {
        let mut a = Session::open(&server.ready, Transport::Quic, &ann).await;
        let mut b = Session::open(&server.ready, Transport::WebSocket, &ben).await;
        let mut c = Session::open(&server.ready, Transport::WebSocket, &cat).await;
        assert_eq!(seqs(&seen(&mut a, &group).await), [1, 2, 3, 4, 5, 6], "round {round}");
        assert_eq!(seqs(&seen(&mut b, &group).await), [1, 2, 3, 4, 5], "round {round}");
        assert_eq!(seqs(&seen(&mut c, &group).await), [3, 4, 5, 6], "round {round}");
        // Nor may the one put out do anything there, or a stranger know of it.
        let sent = send_into(&group, "x", "am I in?");
        assert_eq!(b.refused(sent).await, Some(Code::Forbidden));
        let last = b.fetch_after(&group, 0, 100).await.unwrap();
        assert!(last.at_end && last.last_seq == 5);
        server.kill();
        server.restart().await;
    }
}

#[tokio::test]
async fn newcomers_see_everything_where_the_group_is_set_so_and_nothing_is_unread() {
    let (_folder, server, [ann, ben]) = people(["ann", "ben"]).await;
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let open = ConversationSettings { history_for_newcomers: true, ..Default::default() };
    let group = conversation_of(&a.send(create("g", open, &[])).await.unwrap());
    for id in ["2", "3", "4"] {
        a.send(send_into(&group, id, id)).await.unwrap();
    }
    a.send(added(&group, "5", &ben)).await.unwrap();
    a.send(send_into(&group, "6", "welcome")).await.unwrap();
    let mut b = Session::open(&server.ready, Transport::Tls, &ben).await;
    assert_eq!(seqs(&seen(&mut b, &group).await), [1, 2, 3, 4, 5, 6]);
    let changes = b.welcome.changes.clone().unwrap();
    assert_eq!((changes.entries.len(), changes.entries[0].unread), (1, 1));
}

#[tokio::test]
async fn whoever_is_put_out_hears_of_it_and_of_nothing_after() {
    let (_folder, server, [ann, ben, cat]) = people(["ann", "ben", "cat"]).await;
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let made = a.send(create("g", ConversationSettings::default(), &[&ben, &cat])).await.unwrap();
    let group = conversation_of(&made);
    let mut b = Session::open(&server.ready, Transport::Quic, &ben).await;
    a.send(removed(&group, "out", &ben)).await.unwrap();
    let deliver = b.deliver().await.unwrap();
    let entry = entries_of(&deliver.entries).remove(0);
    assert_eq!((entry.seq, entry.kind), (2, EntryKind::MemberRemoved as u32));
    for id in ["3", "4", "5"] {
        a.send(send_into(&group, id, "not for ben")).await.unwrap();
    }
    // A message of their own comes after all that was pushed before it.
    let marker = a.say(&ben, "marker", "for ben").await;
    let deliver = b.deliver().await.unwrap();
    assert_eq!(deliver.conversation, marker.conversation);
    // Unread counts nothing of what they don't see.
    let changes = b.sync(0).await.unwrap();
    let of_group = changes.entries.iter().find(|entry| entry.conversation == group.to_wire());
    assert_eq!(of_group.unwrap().last_seq, 2);
}

#[tokio::test]
async fn an_owner_who_leaves_is_followed_and_roles_hold_at_once() {
    let (_folder, server, [ann, ben, cat]) = people(["ann", "ben", "cat"]).await;
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let mut b = Session::open(&server.ready, Transport::Tls, &ben).await;
    let made = a.send(create("g", ConversationSettings::default(), &[&ben, &cat])).await.unwrap();
    let group = conversation_of(&made);
    assert_eq!(b.refused(removed(&group, "early", &cat)).await, Some(Code::Forbidden));
    let role = RoleChanged { user: ben.user.to_wire(), role: wire::Role::Admin as i32 };
    let left = put(&group, "left", EntryKind::MemberLeft, &MemberLeft {});
    // All at once: each is judged by what was stamped before it.
    let asks = vec![
        put(&group, "role", EntryKind::RoleChanged, &role),
        left,
        send_into(&group, "late", "still here?"),
    ];
    let answers = a.ask_all(asks).await.unwrap();
    let failed = |said: &Said| match said {
        Said::Failure(failure) => failure.code,
        _ => 0,
    };
    let codes: Vec<u32> = answers.iter().map(failed).collect();
    assert_eq!(codes, [0, 0, Code::Forbidden as u32]);
    let described = b.describe(&group).await;
    let of = |person: &Person| {
        described.members.iter().find(|member| member.user == person.user.to_wire())
    };
    assert!(of(&ann).is_none());
    assert_eq!(of(&ben).unwrap().role, wire::Role::Owner as i32);
    assert_eq!(of(&cat).unwrap().role, wire::Role::Member as i32);
    b.send(removed(&group, "now", &cat)).await.unwrap();
}

#[tokio::test]
async fn a_group_takes_as_many_as_configured() {
    let folder = tempfile::tempdir().unwrap();
    let server =
        Launch::new(&folder.path().join("data")).with("PARLEY_GROUPS__MEMBERS", "3").start().await;
    let api = Api::plain(&server.ready);
    let mut people = Vec::new();
    for name in ["ann", "ben", "cat", "dan"] {
        people.push(api.sign_up(name, "phone").await);
    }
    let [ann, ben, cat, dan] = &people[..] else { unreachable!() };
    let mut a = Session::open(&server.ready, Transport::Tls, ann).await;
    assert_eq!(a.welcome.limits.unwrap().group_members, 3);
    let four = create("four", ConversationSettings::default(), &[ben, cat, dan]);
    assert_eq!(a.refused(four).await, Some(Code::GroupFull));
    let three = create("three", ConversationSettings::default(), &[ben, cat]);
    let group = conversation_of(&a.send(three).await.unwrap());
    assert_eq!(a.refused(added(&group, "dan", dan)).await, Some(Code::GroupFull));
    a.send(removed(&group, "cat", cat)).await.unwrap();
    // A refused send may be tried again under its id.
    a.send(added(&group, "dan", dan)).await.unwrap();
}

async fn invite(session: &mut Session, group: &ConversationId, max_uses: u32) -> String {
    let create = wire::NewInvite { expires_ms: 0, max_uses };
    let act = Some(wire::invites::Act::Create(create));
    let ask = Ask::Invites(wire::Invites { conversation: group.to_wire(), act });
    match session.ask(ask).await.unwrap() {
        Said::InviteLinks(mut links) => links.links.remove(0).code,
        other => panic!("{other:?}"),
    }
}

fn join(code: &str, id: &str) -> Ask {
    Ask::Send(Send {
        to: Some(send::To::Invite(code.to_owned())),
        client_message_id: id.as_bytes().to_vec().into(),
        kind: EntryKind::MemberJoined as u32,
        body: bytes::Bytes::new(),
    })
}

#[tokio::test]
async fn who_joined_by_the_last_use_of_a_link_is_answered_again() {
    let (_folder, mut server, [ann, ben, cat]) = people(["ann", "ben", "cat"]).await;
    let mut a = Session::open(&server.ready, Transport::Tls, &ann).await;
    let made = a.send(create("g", ConversationSettings::default(), &[])).await.unwrap();
    let group = conversation_of(&made);
    let code = invite(&mut a, &group, 1).await;
    let mut b = Session::open(&server.ready, Transport::Quic, &ben).await;
    // Twice at once, as after an answer that was lost.
    let twice = vec![join(&code, "in"), join(&code, "in")];
    let seqs: Vec<u64> = b
        .ask_all(twice)
        .await
        .unwrap()
        .iter()
        .map(|said| match said {
            Said::Sent(sent) => sent.seq,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(seqs, [2, 2]);
    let mut c = Session::open(&server.ready, Transport::Tls, &cat).await;
    assert_eq!(c.refused(join(&code, "in")).await, Some(Code::InviteInvalid));
    server.kill();
    server.restart().await;
    let mut b = Session::open(&server.ready, Transport::WebSocket, &ben).await;
    let again = b.send(join(&code, "in")).await.unwrap();
    assert!(again.duplicate && again.seq == 2);
    assert_eq!(b.refused(join(&code, "another")).await, Some(Code::InviteInvalid));
}
