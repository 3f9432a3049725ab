//! People to each other: profiles and who sees what of them, contacts, blocks
//! that hold at once, whose messages come in, and what operators are told.

use parley_protocol::wire::update_account::Change;
use parley_protocol::wire::{
    AccountSettings, AccountState, Audience, ConversationSettings, Profile, ProfileChange,
};
use parley_protocol::{Code, UserId};

use super::groups::{create, people};
use crate::common::asks::{self, block, look_up, profile_of, report, unblock, update};
use crate::common::session::{Ask, Said, conversation_of, send_into, send_to};
use crate::common::{Api, Launch, Person, Session, Transport};

async fn profile(session: &mut Session, user: &UserId) -> Profile {
    match session.ask(profile_of(user)).await.unwrap() {
        Said::Profile(profile) => profile,
        other => panic!("no profile: {other:?}"),
    }
}

async fn account(session: &mut Session) -> AccountState {
    match session.ask(Ask::GetAccount(parley_protocol::wire::GetAccount {})).await.unwrap() {
        Said::AccountState(account) => account,
        other => panic!("no account: {other:?}"),
    }
}

/// Makes a change; gives the revision.
async fn changed(session: &mut Session, change: Change) -> u64 {
    match session.ask(update(change)).await.unwrap() {
        Said::AccountChanged(changed) => changed.revision,
        other => panic!("not changed: {other:?}"),
    }
}

fn settings(set: impl FnOnce(&mut AccountSettings)) -> Change {
    let mut settings = AccountSettings::default();
    set(&mut settings);
    Change::Settings(settings)
}

fn name_only(person: &Person) -> Profile {
    Profile { user: person.user.to_wire(), name: person.name.clone(), ..Profile::default() }
}

async fn open(server: &crate::common::Server, person: &Person) -> Session {
    Session::open(&server.ready, Transport::Tls, person).await
}

#[tokio::test]
async fn a_profile_is_kept_and_shown_as_its_owner_wants() {
    let (_folder, mut server, [ann, ben]) = people(["ann", "ben"]).await;
    let (mut a, mut b) = (open(&server, &ann).await, open(&server, &ben).await);
    assert_eq!(profile(&mut b, &ann.user).await, name_only(&ann));
    let mut second = Session::open(&server.ready, Transport::WebSocket, &ann).await;
    let said = Profile {
        display_name: "Ann ☀".into(),
        about: "two\nlines".into(),
        picture: "x:1".into(),
        phone: "+1 555".into(),
        email: "ann@example.org".into(),
        ..name_only(&ann)
    };
    let change = ProfileChange {
        display_name: Some(said.display_name.clone()),
        about: Some(said.about.clone()),
        picture: Some(said.picture.clone()),
        phone: Some(said.phone.clone()),
        email: Some(said.email.clone()),
    };
    let revision = changed(&mut a, Change::Profile(change)).await;
    let told = second.pushed(|said| match said {
        Said::AccountChanged(changed) => Some(changed.revision),
        _ => None,
    });
    assert_eq!(told.await.unwrap(), revision, "her other session is told");
    // Numbers are for contacts at first; his list doesn't matter, hers does.
    let public = Profile { phone: String::new(), email: String::new(), ..said.clone() };
    assert_eq!(profile(&mut b, &ann.user).await, public);
    changed(&mut b, Change::AddContact(ann.user.to_wire())).await;
    assert_eq!(profile(&mut b, &ann.user).await, public);
    changed(&mut a, Change::AddContact(ben.user.to_wire())).await;
    assert_eq!(profile(&mut b, &ann.user).await, said);
    changed(&mut a, settings(|set| set.phone = Audience::Nobody as i32)).await;
    assert_eq!(profile(&mut b, &ann.user).await.phone, "");
    assert_eq!(profile(&mut a, &ann.user).await, said, "one sees all of oneself");
    // The same again changes nothing, not even the revision.
    let before = account(&mut a).await;
    let same = changed(&mut a, Change::AddContact(ben.user.to_wire())).await;
    assert_eq!((same, account(&mut a).await), (before.revision, before.clone()));
    // All of it is there after a kill, and Welcome says which it is.
    server.kill();
    server.restart().await;
    let mut a = open(&server, &ann).await;
    assert_eq!(a.welcome.account_revision, before.revision);
    let after = account(&mut a).await;
    assert_eq!(after, before);
    assert_eq!(after.contacts, [name_only(&ben)]);
    assert_eq!(after.settings.unwrap().phone, Audience::Nobody as i32);
    assert_eq!(profile(&mut a, &ann.user).await, said);
}

#[tokio::test]
async fn what_cannot_be_is_refused_and_changes_nothing() {
    let (_folder, server, [ann]) = people(["ann"]).await;
    let mut a = open(&server, &ann).await;
    let nobody = UserId::new([9; 16]);
    let about = |text: String| {
        update(Change::Profile(ProfileChange { about: Some(text), ..ProfileChange::default() }))
    };
    let name = ProfileChange { display_name: Some("two\nlines".into()), ..Default::default() };
    for (ask, code) in [
        (about("é".repeat(501)), Code::BadRequest),
        (update(Change::Profile(name)), Code::BadRequest),
        (update(settings(|set| set.presence = 77)), Code::BadRequest),
        (update(Change::AddContact(ann.user.to_wire())), Code::BadRequest),
        (block(&ann.user), Code::BadRequest),
        (block(&nobody), Code::NotFound),
        (update(Change::AddContact(nobody.to_wire())), Code::NotFound),
        (profile_of(&nobody), Code::NotFound),
        (look_up("nobody"), Code::NotFound),
    ] {
        assert_eq!(a.refused(ask.clone()).await, Some(code), "{ask:?}");
    }
    assert_eq!(account(&mut a).await.revision, 0);
    let whole = about("é".repeat(500));
    assert!(matches!(a.ask(whole).await.unwrap(), Said::AccountChanged(_)));
}

#[tokio::test]
async fn a_block_holds_at_once_in_both_directions_and_ends_without_a_trace() {
    let (_folder, mut server, [ann, ben, cat]) = people(["ann", "ben", "cat"]).await;
    let (mut a, mut b) = (open(&server, &ann).await, open(&server, &ben).await);
    let sent = b.say(&ann, "1", "hello").await;
    let direct = conversation_of(&sent);
    let about = ProfileChange { about: Some("hi".into()), ..ProfileChange::default() };
    changed(&mut a, Change::Profile(about)).await;
    assert!(matches!(a.ask(block(&ben.user)).await.unwrap(), Said::AccountChanged(_)));
    for round in 0..2 {
        let (mut a, mut b) = (open(&server, &ann).await, open(&server, &ben).await);
        for (session, other) in [(&mut a, &ben), (&mut b, &ann)] {
            for ask in [
                send_to(&other.user, "2", "still there?"),
                send_into(&direct, "3", "still there?"),
                asks::react(&direct, "4", 1, "x"),
                create("5", ConversationSettings::default(), &[other, &cat]),
            ] {
                let refused = session.refused(ask.clone()).await;
                assert_eq!(refused, Some(Code::NotAccepted), "{round} {ask:?}");
            }
            assert_eq!(profile(session, &other.user).await, name_only(other), "{round}");
            // What was said before stays readable.
            assert_eq!(session.fetch_all(&direct, 0).await.unwrap().len(), 1);
        }
        // What was committed before the block keeps its answer.
        let again = b.send(send_to(&ann.user, "1", "hello")).await.unwrap();
        assert!(again.duplicate && again.seq == 1, "{round}");
        server.kill();
        server.restart().await;
    }
    let (mut a, mut b) = (open(&server, &ann).await, open(&server, &ben).await);
    assert_eq!(account(&mut a).await.blocked, [name_only(&ben)]);
    a.ask(unblock(&ben.user)).await.unwrap();
    assert_eq!(profile(&mut b, &ann.user).await.about, "hi");
    assert_eq!(b.say(&ann, "6", "again").await.seq, 2);
    assert!(a.send(create("7", ConversationSettings::default(), &[&ben])).await.is_ok());
}

#[tokio::test]
async fn a_blocked_group_mate_is_not_added_and_a_member_without_the_right_learns_nothing() {
    let (_folder, server, [ann, ben, cat]) = people(["ann", "ben", "cat"]).await;
    let (mut a, mut b) = (open(&server, &ann).await, open(&server, &ben).await);
    let mut c = open(&server, &cat).await;
    c.ask(block(&ann.user)).await.unwrap();
    let made = a.send(create("g", ConversationSettings::default(), &[&ben])).await.unwrap();
    let group = conversation_of(&made);
    let add = |id: &str| asks::add(&group, id, &[cat.user]);
    assert_eq!(a.refused(add("1")).await, Some(Code::NotAccepted));
    // Ben may not add anybody: that is what he is told, blocked or not.
    b.ask(block(&cat.user)).await.unwrap();
    assert_eq!(b.refused(add("2")).await, Some(Code::Forbidden));
    assert_eq!(c.refused(add("3")).await, Some(Code::NotFound));
    let nobody = asks::add(&group, "4", &[UserId::new([9; 16])]);
    assert_eq!(a.refused(nobody).await, Some(Code::NotFound));
    changed(&mut c, settings(|set| set.group_adds = Audience::Nobody as i32)).await;
    c.ask(unblock(&ann.user)).await.unwrap();
    assert_eq!(a.refused(add("5")).await, Some(Code::NotAccepted));
    changed(&mut c, settings(|set| set.group_adds = Audience::Contacts as i32)).await;
    assert_eq!(a.refused(add("6")).await, Some(Code::NotAccepted));
    changed(&mut c, Change::AddContact(ann.user.to_wire())).await;
    assert!(a.send(add("7")).await.is_ok());
}

#[tokio::test]
async fn first_messages_come_as_the_setting_says() {
    let (_folder, server, [ann, ben, cat]) = people(["ann", "ben", "cat"]).await;
    let (mut a, mut b) = (open(&server, &ann).await, open(&server, &ben).await);
    let mut c = open(&server, &cat).await;
    changed(&mut a, settings(|set| set.messages = Audience::Nobody as i32)).await;
    assert_eq!(b.refused(send_to(&ann.user, "1", "hi")).await, Some(Code::NotAccepted));
    changed(&mut a, Change::AddContact(cat.user.to_wire())).await;
    assert_eq!(c.say(&ann, "1", "hi").await.seq, 1, "contacts may");
    // Whom she writes to may answer.
    a.say(&ben, "2", "hello").await;
    let answer = b.say(&ann, "3", "thanks").await;
    assert_eq!(answer.seq, 2);
    // With contacts a stranger's is a request, until she takes it up.
    changed(&mut a, settings(|set| set.messages = Audience::Contacts as i32)).await;
    let dan = Api::plain(&server.ready).sign_up("dan", "phone").await;
    let mut d = open(&server, &dan).await;
    let asked = conversation_of(&d.say(&ann, "1", "do you know me?").await);
    let requested = async |session: &mut Session| {
        let changes = session.sync(0).await.unwrap();
        let entry = changes.entries.iter().find(|entry| entry.conversation == asked.to_wire());
        entry.unwrap().request
    };
    assert!(requested(&mut a).await);
    a.say(&dan, "4", "yes").await;
    assert!(!requested(&mut a).await);
}

#[tokio::test]
async fn reports_are_kept_for_the_operator_and_only_of_what_one_sees() {
    let (_folder, mut server, [ann, ben, cat]) = people(["ann", "ben", "cat"]).await;
    let (mut a, mut c) = (open(&server, &ann).await, open(&server, &cat).await);
    let direct = conversation_of(&a.say(&ben, "1", "hi").await);
    let reported = a.ask(report(&ben.user, Some(&direct), &[1])).await.unwrap();
    assert!(matches!(reported, Said::Reported(_)));
    assert_eq!(c.refused(report(&ben.user, Some(&direct), &[1])).await, Some(Code::NotFound));
    let nobody = UserId::new([9; 16]);
    assert_eq!(c.refused(report(&nobody, None, &[])).await, Some(Code::NotFound));
    c.ask(report(&ben.user, None, &[])).await.unwrap();
    let data = server.ready.data.clone();
    // While the server runs, after a kill, and once it is stopped.
    let running = listed(&data).await;
    assert_eq!(running.len(), 2);
    server.kill();
    assert_eq!(listed(&data).await, running);
    let first = &running[0];
    assert_eq!(first["reporter"], ann.user.to_string());
    assert_eq!(first["user"], ben.user.to_string());
    assert_eq!(first["conversation"], direct.to_string());
    assert_eq!(first["seqs"], serde_json::json!([1]));
    assert!(
        first["time_ms"].as_u64().unwrap() > 0 && !first["reason"].as_str().unwrap().is_empty()
    );
}

async fn listed(data: &std::path::Path) -> Vec<serde_json::Value> {
    let mut command = crate::common::server::parley();
    command.arg("reports").arg("--data").arg(data);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn http_has_the_same_people() {
    let folder = tempfile::tempdir().unwrap();
    let server = Launch::new(&folder.path().join("data")).start().await;
    let api = Api::over_tls(&server.ready);
    let (ann, ben) = (api.sign_up("ann", "phone").await, api.sign_up("ben", "phone").await);
    let call = async |method: &str, path: &str, who: &Person, body: Option<serde_json::Value>| {
        let body = body.map(|body| body.to_string().into());
        let method = method.parse().unwrap();
        api.call(method, path, Some(&who.bearer), body).await
    };
    let about = serde_json::json!({ "about": "hello", "phone": "1" });
    let reply = call("PATCH", "/v1/profile", &ann, Some(about)).await;
    assert_eq!(reply.json::<serde_json::Value>()["revision"], 1);
    let strict = serde_json::json!({ "presence": "nobody", "read_receipts": false });
    call("PATCH", "/v1/settings", &ann, Some(strict)).await.json::<serde_json::Value>();
    let own: serde_json::Value = call("GET", "/v1/profile", &ann, None).await.json();
    assert_eq!(own["settings"]["presence"], "nobody");
    assert_eq!(own["settings"]["read_receipts"], false);
    assert_eq!((&own["revision"], &own["profile"]["phone"]), (&2.into(), &"1".into()));
    let path = format!("/v1/profiles/{}", ann.user);
    let seen: serde_json::Value = call("GET", &path, &ben, None).await.json();
    assert_eq!((&seen["about"], &seen["phone"]), (&"hello".into(), &"".into()));
    let path = format!("/v1/blocks/{}", ben.user);
    assert_eq!(call("PUT", &path, &ann, None).await.json::<serde_json::Value>()["revision"], 3);
    let blocked: serde_json::Value = call("GET", "/v1/blocks", &ann, None).await.json();
    assert_eq!(blocked["people"][0]["name"], "ben");
    let mut b = open(&server, &ben).await;
    assert_eq!(b.refused(send_to(&ann.user, "1", "hi")).await, Some(Code::NotAccepted));
    call("DELETE", &path, &ann, None).await;
    assert_eq!(b.say(&ann, "2", "hi").await.seq, 1);
    let odd = serde_json::json!({ "presence": "friends" });
    assert_eq!(call("PATCH", "/v1/settings", &ann, Some(odd)).await.code(), Code::BadRequest);
}
