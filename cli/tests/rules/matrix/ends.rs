//! What the end of an account does to each kind of conversation, and what it must
//! not do to any: whoever goes takes themselves out of groups, with the links that
//! were theirs, and changes nothing that others made or said.

use std::collections::BTreeMap;

use bytes::Bytes;
use parley_protocol::wire::{ConversationSettings, EntryKind, Role, fetch::From, invites};
use parley_protocol::{Code, ConversationId};

use super::scene::{conversation, delete_account, place, shut};
use crate::common::session::{Ask, Said, entries_of, send_into};
use crate::common::{Api, Launch, Person, Server, Session, Transport, asks};

/// A conversation as one of those who stay sees it.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    members: BTreeMap<Bytes, i32>,
    settings: ConversationSettings,
    peer_retention_s: u64,
    pinned: Vec<u64>,
    banned: Vec<Bytes>,
    first_after: u64,
    /// Kind, sender and words of each entry; no words once they are gone.
    entries: Vec<(u32, Bytes, Option<Bytes>)>,
}

struct World {
    server: Server,
    people: BTreeMap<&'static str, Person>,
    sessions: BTreeMap<&'static str, Session>,
    sends: u32,
    _folder: tempfile::TempDir,
}

impl World {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Launch::new(&folder.path().join("data"))
            .with("PARLEY_RATES__SENDS_BURST", "1000")
            .start()
            .await;
        let api = Api::plain(&server.ready);
        let (mut people, mut sessions) = (BTreeMap::new(), BTreeMap::new());
        for name in ["ann", "ben", "cat", "eve"] {
            let person = api.sign_up(name, "x").await;
            sessions.insert(name, Session::open(&server.ready, Transport::Tls, &person).await);
            people.insert(name, person);
        }
        Self { server, people, sessions, sends: 0, _folder: folder }
    }

    async fn ask(&mut self, who: &str, ask: Ask) -> Result<Said, Code> {
        let session = self.sessions.get_mut(who).unwrap();
        match session.ask(ask).await.unwrap() {
            Said::Failure(failure) => Err(Code::from_number(failure.code).unwrap()),
            said => Ok(said),
        }
    }

    async fn must(&mut self, who: &str, ask: Ask) -> Said {
        let shown = format!("{ask:?}");
        self.ask(who, ask).await.unwrap_or_else(|code| panic!("{who} got {code} for {shown}"))
    }

    fn id(&mut self) -> String {
        self.sends += 1;
        format!("id-{}", self.sends)
    }

    /// A group of `owner` with these members.
    async fn group(&mut self, owner: &str, members: &[&str]) -> ConversationId {
        let users: Vec<_> = members.iter().map(|name| self.people[name].user).collect();
        let made = asks::new_group(&self.id(), "Friends", ConversationSettings::default(), &users);
        conversation(&self.must(owner, made).await)
    }

    async fn link(&mut self, who: &str, group: &ConversationId) -> String {
        let create = asks::invites(group, invites::Act::Create(Default::default()));
        match self.must(who, create).await {
            Said::InviteLinks(links) => links.links[0].code.clone(),
            other => panic!("{other:?}"),
        }
    }

    async fn say(&mut self, who: &str, id: &ConversationId) -> (u64, u64) {
        let name = self.id();
        place(&self.must(who, send_into(id, &name, &format!("words of {who}"))).await)
    }

    async fn act(&mut self, who: &str, make: impl FnOnce(&str) -> Ask) -> u64 {
        let name = self.id();
        place(&self.must(who, make(&name)).await).0
    }

    async fn look(&mut self, who: &str, id: &ConversationId) -> Seen {
        let Said::Described(described) = self.must(who, asks::describe(id)).await else {
            panic!("not Described")
        };
        let Said::Fetched(page) = self.must(who, asks::fetch(id, From::AfterSeq(0), 0)).await
        else {
            panic!("not Fetched")
        };
        assert!(page.at_end, "more than a page");
        let entries = entries_of(&page.entries).into_iter().map(|entry| {
            let words = (!entry.erased).then_some(entry.body);
            (entry.kind, entry.sender, words)
        });
        Seen {
            members: described.members.into_iter().map(|one| (one.user, one.role)).collect(),
            settings: described.settings.unwrap_or_default(),
            peer_retention_s: described.peer_retention_s,
            pinned: described.pinned,
            banned: described.banned,
            first_after: described.first_after,
            entries: entries.collect(),
        }
    }

    /// Ann's account ends.
    async fn ann_ends(&mut self) {
        delete_account(&Api::plain(&self.server.ready), &self.people["ann"]).await;
    }
}

/// What is left of `before` when `gone` has left, and `heir` owns what was theirs.
fn without(before: &Seen, gone: &Person, heir: Option<&Person>) -> Seen {
    let mut after = before.clone();
    after.members.remove(&gone.user.to_wire());
    if let Some(heir) = heir {
        after.members.insert(heir.user.to_wire(), Role::Owner as i32);
    }
    let left = (EntryKind::MemberLeft as u32, gone.user.to_wire(), Some(Bytes::new()));
    after.entries.push(left);
    after
}

#[tokio::test]
async fn an_account_that_ends_takes_itself_out_of_groups_and_nothing_else() {
    let mut world = World::start().await;
    let kept = ConversationSettings { retention_s: 86_400, ..ConversationSettings::default() };
    let people = world.people.clone();
    let (ann, ben, cat, eve) = (&people["ann"], &people["ben"], &people["cat"], &people["eve"]);
    // One of hers, with an admin, a ban, a pin, a retention and links.
    let hers = world.group("ann", &["ben", "cat", "eve"]).await;
    world.act("ann", |id| asks::role(&hers, id, &ben.user, Role::Admin)).await;
    world.act("ann", |id| asks::settings(&hers, id, kept)).await;
    world.act("ann", |id| asks::ban(&hers, id, &eve.user)).await;
    let (seq, _) = world.say("ann", &hers).await;
    world.act("ann", |id| asks::pin(&hers, id, seq, false)).await;
    let (deleted, ordinal) = world.say("cat", &hers).await;
    world.act("ann", |id| asks::delete(&hers, id, deleted, ordinal)).await;
    let (of_ann, of_ben) = (world.link("ann", &hers).await, world.link("ben", &hers).await);
    // One of hers among members, of whom cat came before ben.
    let plain = world.group("ann", &["cat"]).await;
    world.act("ann", |id| asks::add(&plain, id, &[ben.user])).await;
    // One that is hers alone.
    let lonely = world.group("ann", &[]).await;
    let to_nobody = world.link("ann", &lonely).await;
    // One of ben's where she is an admin, and banned eve.
    let helped = world.group("ben", &["ann", "cat", "eve"]).await;
    world.act("ben", |id| asks::role(&helped, id, &ann.user, Role::Admin)).await;
    world.act("ann", |id| asks::ban(&helped, id, &eve.user)).await;
    let helper = world.link("ann", &helped).await;
    // Those that she was put out of.
    let (former, banned) = (world.group("ben", &["ann"]).await, world.group("ben", &["ann"]).await);
    world.say("ann", &former).await;
    world.act("ben", |id| asks::remove(&former, id, &ann.user)).await;
    world.act("ben", |id| asks::ban(&banned, id, &ann.user)).await;
    let seen_by = [
        ("ben", hers, Some(ben)),
        ("cat", plain, Some(cat)),
        ("ben", helped, None),
        ("ben", former, None),
        ("ben", banned, None),
    ];
    let mut before = Vec::new();
    for (who, id, _) in &seen_by {
        before.push(world.look(who, id).await);
    }
    world.ann_ends().await;
    for round in ["at once", "after a restart"] {
        for ((who, id, heir), before) in seen_by.iter().zip(&before) {
            let was_in = before.members.contains_key(&ann.user.to_wire());
            let wanted = if was_in { without(before, ann, *heir) } else { before.clone() };
            assert_eq!(world.look(who, id).await, wanted, "{id} as {who} sees it, {round}");
        }
        for dead in [&of_ann, &helper, &to_nobody] {
            let peeked = world.ask("eve", asks::peek(dead)).await;
            assert_eq!(peeked.unwrap_err(), Code::InviteInvalid, "{round}");
        }
        for lost in [&lonely] {
            let found = world.ask("eve", asks::describe(lost)).await;
            assert_eq!(found.unwrap_err(), Code::NotFound, "{round}");
        }
        // The ban that she made holds; the link of who stays leads in all the same.
        let join = asks::join(&of_ben, &world.id());
        assert_eq!(world.ask("eve", join).await.unwrap_err(), Code::InviteInvalid, "{round}");
        world.must("ben", asks::peek(&of_ben)).await;
        // Nobody brings back who is no more.
        for id in [&hers, &former, &banned] {
            let add = asks::add(id, &world.id(), &[ann.user]);
            assert_eq!(world.ask("ben", add).await.unwrap_err(), Code::NotFound, "{round}");
        }
        world.server.kill();
        world.server.restart().await;
        for name in ["ben", "cat", "eve"] {
            let person = &people[name];
            let session = Session::open(&world.server.ready, Transport::Quic, person).await;
            world.sessions.insert(name, session);
        }
    }
}

#[tokio::test]
async fn an_account_that_ends_leaves_direct_conversations_as_they_were() {
    let mut world = World::start().await;
    let people = world.people.clone();
    let ann = &people["ann"];
    world.must("eve", shut(|settings| settings.messages = 2)).await;
    world.must("ann", shut(|settings| settings.messages = 2)).await;
    // With ben both wrote; ann keeps hers for a day. Eve was asked by her, and
    // asks nobody; cat asked her.
    let to = |who: &str| asks::text_to(&people[who].user, "first", "words");
    let talk = conversation(&world.must("ben", to("ann")).await);
    let (answer, _) = world.say("ann", &talk).await;
    world.act("ben", |id| asks::react(&talk, id, answer, "x")).await;
    world.act("ben", |id| asks::pin(&talk, id, answer, false)).await;
    let kept = ConversationSettings { retention_s: 86_400, ..ConversationSettings::default() };
    world.act("ann", |id| asks::settings(&talk, id, kept)).await;
    world.say("ann", &talk).await;
    let asked = conversation(&world.must("ann", to("eve")).await);
    let asks_her = conversation(&world.must("cat", to("ann")).await);
    let own = conversation(&world.must("ann", asks::text_to(&ann.user, "own", "a note")).await);
    let seen_by = [("ben", talk), ("eve", asked), ("cat", asks_her)];
    let mut before = Vec::new();
    for (who, id) in &seen_by {
        before.push(world.look(who, id).await);
    }
    assert_eq!(before[0].peer_retention_s, 86_400);
    world.ann_ends().await;
    for ((who, id), before) in seen_by.iter().zip(&before) {
        assert_eq!(world.look(who, id).await, *before, "{id} as {who} sees it");
        // Nobody reads what is written there, so nobody writes.
        let say = send_into(id, &world.id(), "hello?");
        assert_eq!(world.ask(who, say).await.unwrap_err(), Code::NotFound, "{who}");
        let keep = asks::settings(id, &world.id(), kept);
        assert_eq!(world.ask(who, keep).await.unwrap_err(), Code::NotFound, "{who}");
    }
    // What ben said he may take back still.
    world.must("ben", asks::hide(&talk, &[answer])).await;
    for who in ["ben", "eve"] {
        let found = world.ask(who, asks::describe(&own)).await;
        assert_eq!(found.unwrap_err(), Code::NotFound);
    }
}
