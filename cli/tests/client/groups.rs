//! The life of a group: made, joined, left, handed over; who sees what.

use parley_client::{
    Client, Code, ConversationChange, ConversationId, ConversationKind, Entry, Event, Events,
    NewGroup, Range, Role, SendHandle, UserId, What,
};

use crate::common::{Ready, patiently};
use crate::support::{builder, messages, pick, server, sign_up};

async fn done(handle: Result<SendHandle, parley_client::Error>) -> ConversationId {
    patiently("the commit", handle.unwrap().sent()).await.unwrap().conversation
}

async fn refused(handle: Result<SendHandle, parley_client::Error>) -> Option<u32> {
    patiently("the refusal", handle.unwrap().sent()).await.unwrap_err().code()
}

async fn id(client: &Client) -> UserId {
    patiently("a session", client.ready()).await.unwrap().user.id
}

async fn what(events: &mut Events, of: &str) -> What {
    pick(events, of, |event| match event {
        Event::Changed(change) => Some(change.what),
        _ => None,
    })
    .await
}

async fn three(ready: &Ready) -> (Client, Client, Client) {
    (sign_up(ready, "ann").await, sign_up(ready, "ben").await, sign_up(ready, "cat").await)
}

#[tokio::test]
async fn a_group_is_made_named_joined_and_left() {
    let (_folder, server) = server().await;
    let (ann, ben, cat) = three(&server.ready).await;
    let mut ben_saw = ben.events();
    let made = NewGroup::titled("Friends").member(id(&ben).await);
    let place = done(ann.create_group(made).await).await;
    let What::Created { info, members, .. } = what(&mut ben_saw, "the beginning").await else {
        panic!()
    };
    assert_eq!((&*info.title, &*members[0].name), ("Friends", "ben"));

    // Ben may not add people, Ann may; and Cat's name is known to him at once.
    let add = ben.add_members(place, &[id(&cat).await]).await;
    assert_eq!(refused(add).await, Some(Code::Forbidden as u32));
    done(ann.add_members(place, &[id(&cat).await]).await).await;
    let What::Added(users) = what(&mut ben_saw, "cat's coming").await else { panic!() };
    assert_eq!(&*users[0].name, "cat");

    done(ann.set_role(place, id(&cat).await, Role::Admin).await).await;
    let title = Some("Good friends".to_owned());
    let change = ConversationChange { title, ..ConversationChange::default() };
    done(cat.change_conversation(place, change).await).await;
    done(ann.leave(place).await).await;
    let description = loop {
        let description = patiently("members", ben.describe(place)).await.unwrap();
        if description.members.len() == 2 {
            break description;
        }
        ben_saw.next().await;
    };
    assert_eq!(description.kind, ConversationKind::Group);
    assert_eq!(&*description.info.title, "Good friends");
    let role = |user| description.member(user).unwrap().role;
    // The admin inherited the group.
    assert_eq!((role(id(&cat).await), role(id(&ben).await)), (Role::Owner, Role::Member));

    // Who left reads what was, and says nothing more.
    let line = patiently("the list", ann.conversations()).await.unwrap().remove(0);
    assert!(line.former && line.role.is_none());
    done(ben.send(place, "she is gone").await).await;
    let page = patiently("history", ann.history(place, Range::Latest, 0)).await.unwrap();
    assert!(page.entries.iter().all(|entry| entry.message().is_none()));
    let Some(Entry::Change(last)) = page.entries.last() else { panic!("{page:?}") };
    assert_eq!((&last.what, last.origin.own), (&What::Left, true));
    assert_eq!(refused(ann.send(place, "hello?").await).await, Some(Code::Forbidden as u32));
}

#[tokio::test]
async fn an_invite_leads_into_the_group_and_newcomers_see_what_follows() {
    let (_folder, server) = server().await;
    let (ann, ben, _cat) = three(&server.ready).await;
    let place = done(ann.create_group(NewGroup::titled("Open")).await).await;
    done(ann.send(place, "before").await).await;
    let invite = patiently("a link", ann.create_invite(place, None, Some(1))).await.unwrap();
    let preview = patiently("a look", ben.peek_invite(&invite.code)).await.unwrap();
    assert_eq!((&*preview.info.title, preview.members, preview.joined), ("Open", 1, false));
    let mut saw = ben.events();
    assert_eq!(done(ben.join(&invite.code).await).await, place);
    assert_eq!(what(&mut saw, "the coming").await, What::Joined);
    done(ann.send(place, "after").await).await;
    assert_eq!(&*messages(&mut saw, 1).await[0].text, "after");
    let page = patiently("history", ben.history(place, Range::After(0), 0)).await.unwrap();
    assert!(page.at_start && page.entries.first().unwrap().seq() > 2);
    assert!(patiently("links", ann.invites(place)).await.unwrap().is_empty(), "it was for one");
    let again = ben.join(&invite.code).await;
    assert!(refused(again).await.is_some());
}

#[tokio::test]
async fn who_is_put_out_and_brought_in_again_goes_on_from_there() {
    let (_folder, server) = server().await;
    let (ann, ben, _cat) = three(&server.ready).await;
    let made = NewGroup::titled("Revolving").member(id(&ben).await);
    let place = done(ann.create_group(made).await).await;
    let mut saw = ben.events();
    done(ann.send(place, "one").await).await;
    assert_eq!(&*messages(&mut saw, 1).await[0].text, "one");
    done(ann.remove_member(place, id(&ben).await).await).await;
    assert!(matches!(what(&mut saw, "the end").await, What::Removed { ban: false, .. }));
    done(ann.send(place, "not for ben").await).await;
    done(ann.add_members(place, &[id(&ben).await]).await).await;
    done(ann.send(place, "two").await).await;
    assert!(matches!(what(&mut saw, "the return").await, What::Added(_)));
    assert_eq!(&*messages(&mut saw, 1).await[0].text, "two");
    let lines = patiently("the list", ben.conversations()).await.unwrap();
    assert_eq!((lines[0].former, lines[0].unread), (false, 1));
}

#[tokio::test]
async fn who_is_banned_stays_out_until_let_in() {
    let (_folder, server) = server().await;
    let (ann, ben, cat) = three(&server.ready).await;
    let (ben_is, cat_is) = (id(&ben).await, id(&cat).await);
    let made = NewGroup::titled("Quiet").member(ben_is).member(cat_is);
    let place = done(ann.create_group(made).await).await;
    let invite = patiently("a link", ann.create_invite(place, None, None)).await.unwrap();
    let (mut ben_saw, mut cat_saw) = (ben.events(), cat.events());
    let forbidden = Some(Code::Forbidden as u32);
    assert_eq!(refused(ben.ban_member(place, cat_is).await).await, forbidden);

    done(ann.ban_member(place, cat_is).await).await;
    for saw in [&mut ben_saw, &mut cat_saw] {
        let removed = pick(saw, "the ban", |event| match event {
            Event::Changed(change) => match change.what {
                What::Removed { user, ban } => Some((user.id, ban)),
                _ => None,
            },
            _ => None,
        });
        assert_eq!(removed.await, (cat_is, true));
    }
    let banned = patiently("the list", ann.banned(place)).await.unwrap();
    assert_eq!(
        banned.iter().map(|user| (user.id, &*user.name)).collect::<Vec<_>>(),
        [(cat_is, "cat")]
    );
    assert!(patiently("the list", ben.banned(place)).await.unwrap().is_empty(), "no admin");
    let invalid = Some(Code::InviteInvalid as u32);
    assert_eq!(refused(cat.join(&invite.code).await).await, invalid);
    assert!(patiently("a look", cat.peek_invite(&invite.code)).await.is_err());

    done(ann.unban_member(place, cat_is).await).await;
    assert!(matches!(what(&mut ben_saw, "the end of it").await, What::Unbanned(user)
        if user.id == cat_is));
    assert!(patiently("the list", ann.banned(place)).await.unwrap().is_empty());
    assert_eq!(done(cat.join(&invite.code).await).await, place);

    // Also who never was in; an admin who adds them lifts it.
    let dan = sign_up(&server.ready, "dan").await;
    done(ann.ban_member(place, id(&dan).await).await).await;
    assert_eq!(patiently("the list", ann.banned(place)).await.unwrap().len(), 1);
    done(ann.add_members(place, &[id(&dan).await]).await).await;
    assert!(patiently("the list", ann.banned(place)).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_new_device_knows_the_group_and_the_names_of_those_who_left() {
    let (_folder, server) = server().await;
    let (ann, ben, cat) = three(&server.ready).await;
    let made = NewGroup::titled("Old").member(id(&ben).await).member(id(&cat).await);
    let place = done(ann.create_group(made).await).await;
    done(cat.send(place, "my last words").await).await;
    done(cat.leave(place).await).await;
    let tablet = builder(&server.ready, &server.ready.tls, "ben").device_name("tablet");
    let tablet = patiently("tablet", tablet.connect()).await.unwrap();
    let line = patiently("the list", tablet.conversations()).await.unwrap().remove(0);
    assert_eq!((&*line.info.title, line.members, line.unread), ("Old", 2, 1));
    let page = patiently("history", tablet.history(place, Range::Latest, 0)).await.unwrap();
    let words = page.entries.iter().find_map(Entry::message).unwrap();
    assert_eq!((&*words.sender.name, &*words.text), ("cat", "my last words"));
}
