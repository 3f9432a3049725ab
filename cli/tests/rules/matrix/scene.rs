//! The people of the matrix, and a fresh conversation for every cell.

use std::collections::BTreeMap;

use parley_protocol::wire::{ConversationSettings, Entry, Role, invites};
use parley_protocol::{Code, ConversationId, UserId};
use serde_json::json;

use super::table::Stage;
use crate::codes::PER_USER;
use crate::common::asks;
use crate::common::caller::{Caller, Way};
use crate::common::session::{Ask, Said, conversation_of};
use crate::common::{Api, Launch, Person, Server};

/// Everybody who acts or is acted upon. In a 1:1, `Owner` is the other one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    /// Never was in it.
    Stranger,
    /// Was put out.
    Former,
    /// Was put out for good.
    Banned,
    /// Came in when all was said.
    Newcomer,
    Member,
    /// A member, in a 1:1 the other one, whom the owner has blocked.
    Blocked,
    /// The other way round: they have blocked the owner.
    Blocker,
    Admin,
    Owner,
    /// A second admin, a second member: to act upon.
    OtherAdmin,
    OtherMember,
    /// Lets nobody add them to groups.
    Shy,
    /// Deleted their account.
    Gone,
}

const EVERYBODY: [(Who, &str); 13] = [
    (Who::Stranger, "stranger"),
    (Who::Former, "former"),
    (Who::Banned, "banned"),
    (Who::Newcomer, "newcomer"),
    (Who::Member, "regular"),
    (Who::Blocked, "blocked"),
    (Who::Blocker, "blocker"),
    (Who::Admin, "warden"),
    (Who::Owner, "founder"),
    (Who::OtherAdmin, "other-warden"),
    (Who::OtherMember, "other-member"),
    (Who::Shy, "shy"),
    (Who::Gone, "gone"),
];

/// A server and everybody signed in.
pub(crate) struct World {
    way: Way,
    pub(crate) server: Server,
    people: BTreeMap<Who, Person>,
    callers: BTreeMap<Who, Caller>,
    sends: u64,
    /// The 1:1s with the owner, each with a message of both.
    talks: BTreeMap<Who, ConversationId>,
    _folder: tempfile::TempDir,
}

/// A conversation as it is when the actor acts.
pub(crate) struct Scene {
    people: BTreeMap<Who, Person>,
    pub(crate) group: ConversationId,
    /// The actors' own messages in the group: seq and ordinal.
    own: BTreeMap<Who, (u64, u64)>,
    /// What each may see of the group: first and last seq.
    sees: BTreeMap<Who, (u64, u64)>,
    /// A message by the other member, which is pinned; one that was deleted.
    pub(crate) others: (u64, u64),
    pub(crate) deleted: (u64, u64),
    pub(crate) last: u64,
    pub(crate) code: String,
    pub(crate) link: Vec<u8>,
    pub(crate) ended_code: String,
    talks: BTreeMap<Who, ConversationId>,
    /// Makes ids of sends unique.
    pub(crate) number: u64,
}

impl World {
    pub(crate) async fn start(way: Way) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // A few people make thousands of conversations: what a user may do in a time is
        // not what is asked here.
        let rates = PER_USER.iter().chain(&["ADDRESS_LOOKUPS"]);
        let launch = rates.fold(Launch::new(&folder.path().join("data")), |launch, rate| {
            launch.with(&format!("PARLEY_RATES__{rate}_BURST"), "1000000")
        });
        let server = launch.start().await;
        let api = Api::plain(&server.ready);
        let (mut people, mut callers) = (BTreeMap::new(), BTreeMap::new());
        for (who, name) in EVERYBODY {
            let person = api.sign_up(name, "x").await;
            callers.insert(who, Caller::open(&server.ready, way, &person).await.unwrap());
            people.insert(who, person);
        }
        let mut world = Self {
            way,
            server,
            people,
            callers,
            sends: 0,
            talks: BTreeMap::new(),
            _folder: folder,
        };
        world.talk().await;
        let user = |who: &Who| world.people[who].user;
        let (owner, blocked) = (user(&Who::Owner), user(&Who::Blocked));
        world.must(Who::Owner, asks::block(&blocked)).await;
        world.must(Who::Blocker, asks::block(&owner)).await;
        world.must(Who::Shy, shut(|settings| settings.group_adds = NOBODY)).await;
        world.must(Who::Owner, about("here")).await;
        delete_account(&api, &world.people[&Who::Gone]).await;
        world
    }

    /// The owner talks to some of them, and each answers.
    async fn talk(&mut self) {
        let owner = self.people[&Who::Owner].user;
        for who in [Who::Member, Who::Blocked, Who::Blocker] {
            let user = self.people[&who].user;
            let sent = self.must(Who::Owner, asks::text_to(&user, "talk", "hello")).await;
            self.must(who, asks::text_to(&owner, "talk", "hello yourself")).await;
            self.talks.insert(who, conversation(&sent));
        }
    }

    pub(crate) async fn ask(&mut self, who: Who, ask: Ask) -> Result<Said, Code> {
        let caller = self.callers.get_mut(&who).expect("everybody has one");
        let got = caller.ask(ask).await;
        if let Caller::Session(session) = caller {
            session.pushes.clear();
        }
        got
    }

    /// The same on a session of its own.
    pub(crate) async fn ask_fresh(&mut self, who: Who, ask: Ask) -> Result<Said, Code> {
        let person = &self.people[&who];
        let opened = Caller::open(&self.server.ready, self.way, person).await;
        opened.expect("a session").ask(ask).await
    }

    /// Says for everybody that they are still there.
    async fn beat(&mut self) {
        for (who, caller) in &mut self.callers {
            if let Caller::Session(session) = caller
                && *who != Who::Gone
            {
                session.ping().await.unwrap_or_else(|ended| panic!("{who:?}: {ended}"));
                session.pushes.clear();
            }
        }
    }

    /// Asks what must be answered.
    async fn must(&mut self, who: Who, ask: Ask) -> Said {
        match self.ask(who, ask.clone()).await {
            Ok(said) => said,
            Err(code) => panic!("setting the scene, {who:?} got {code} for {ask:?}"),
        }
    }
}

impl Scene {
    /// Sets a new one.
    pub(crate) async fn set(world: &mut World, stage: Stage) -> Self {
        world.sends += 1;
        let number = world.sends;
        if number.is_multiple_of(10) {
            world.beat().await;
        }
        let id = |name: &str| format!("{name}-{number}");
        let user = |world: &World, who: Who| world.people[&who].user;
        let inside =
            [Who::Former, Who::Banned, Who::Member, Who::Admin, Who::OtherAdmin, Who::OtherMember];
        let members: Vec<UserId> = inside.iter().map(|who| user(world, *who)).collect();
        let settings = ConversationSettings::default();
        let made = asks::new_group(&id("group"), "Friends", settings, &members);
        let group = conversation(&world.must(Who::Owner, made).await);
        let link = |said: Said| match said {
            Said::InviteLinks(links) => links.links[0].clone(),
            other => panic!("{other:?}"),
        };
        let create = || asks::invites(&group, invites::Act::Create(Default::default()));
        let good = link(world.must(Who::Owner, create()).await);
        let ended = link(world.must(Who::Owner, create()).await);
        // With a block in between nobody is added, but may come by themselves.
        for who in [Who::Blocked, Who::Blocker] {
            world.must(who, asks::join(&ended.code, &id("join"))).await;
        }
        world.must(Who::Owner, asks::invites(&group, invites::Act::Revoke(ended.id))).await;
        for who in [Who::Admin, Who::OtherAdmin] {
            let admin =
                asks::role(&group, &id(&format!("{who:?}")), &user(world, who), Role::Admin);
            world.must(Who::Owner, admin).await;
        }
        let mut own = BTreeMap::new();
        let mut last = 0;
        let mut speakers = inside.to_vec();
        speakers.extend([Who::Blocked, Who::Blocker, Who::Owner]);
        for who in &speakers {
            let said = asks::text(&group, &id("own"), "mine", 0, &[user(world, Who::Former)]);
            own.insert(*who, place(&world.must(*who, said).await));
        }
        let deleted =
            place(&world.must(Who::Owner, asks::text(&group, &id("gone"), "x", 0, &[])).await);
        world.must(Who::Owner, asks::delete(&group, &id("delete"), deleted.0, deleted.1)).await;
        world
            .must(Who::OtherMember, asks::edit(&group, &id("edit"), own[&Who::OtherMember].0, "y"))
            .await;
        world
            .must(Who::Owner, asks::pin(&group, &id("pin"), own[&Who::OtherMember].0, false))
            .await;
        let out = asks::remove(&group, &id("out"), &user(world, Who::Former));
        let left = place(&world.must(Who::Owner, out).await).0;
        let ban = asks::ban(&group, &id("ban"), &user(world, Who::Banned));
        let banned = place(&world.must(Who::Owner, ban).await).0;
        world.must(Who::Owner, asks::text(&group, &id("after"), "after", 0, &[])).await;
        let comes = asks::add(&group, &id("in"), &[user(world, Who::Newcomer)]);
        let came = place(&world.must(Who::Owner, comes).await).0;
        let said = asks::text(&group, &id("late"), "mine", own[&Who::Admin].0, &[]);
        // An answer to what the newcomer can't see.
        last = last.max(place(&world.must(Who::Admin, said.clone()).await).0);
        let said = asks::text(&group, &id("new"), "mine", 0, &[]);
        own.insert(Who::Newcomer, place(&world.must(Who::Newcomer, said).await));
        last = last.max(own[&Who::Newcomer].0);
        if let Some(settings) = stage.settings() {
            last =
                place(&world.must(Who::Owner, asks::settings(&group, &id("set"), settings)).await)
                    .0;
        }
        let mut sees: BTreeMap<Who, (u64, u64)> =
            speakers.iter().map(|who| (*who, (1, u64::MAX))).collect();
        // The group's entry, then each of the two who joined.
        sees.insert(Who::Blocked, (2, u64::MAX));
        sees.insert(Who::Blocker, (3, u64::MAX));
        sees.insert(Who::Former, (1, left));
        sees.insert(Who::Banned, (1, banned));
        sees.insert(Who::Newcomer, (came, u64::MAX));
        Self {
            people: world.people.clone(),
            group,
            others: own[&Who::OtherMember],
            own,
            sees,
            deleted,
            last,
            code: good.code,
            link: good.id.to_vec(),
            ended_code: ended.code,
            talks: world.talks.clone(),
            number,
        }
    }

    pub(crate) fn user(&self, who: Who) -> UserId {
        self.people[&who].user
    }

    pub(crate) fn name(&self, who: Who) -> &str {
        &self.people[&who].name
    }

    /// The id of a send.
    pub(crate) fn id(&self) -> String {
        format!("act-{}", self.number)
    }

    /// A message of one's own in the group; whoever has none takes another's.
    pub(crate) fn own(&self, who: Who) -> (u64, u64) {
        self.own.get(&who).copied().unwrap_or(self.others)
    }

    /// The 1:1 of the actor with the owner; strangers try that of the member.
    pub(crate) fn talk(&self, who: Who) -> ConversationId {
        self.talks.get(&who).copied().unwrap_or(self.talks[&Who::Member])
    }

    /// The last seq of the group that the actor may see.
    pub(crate) fn end(&self, who: Who) -> u64 {
        self.sees.get(&who).map_or(self.last, |(_, to)| *to).min(self.last)
    }

    /// What an answer shows of the group that the actor may not see.
    pub(crate) fn leaks(&self, who: Who, said: &Said) -> Vec<String> {
        let Said::Fetched(fetched) = said else { return Vec::new() };
        if fetched.conversation != self.group.to_wire() {
            return Vec::new();
        }
        let (from, to) = self.sees.get(&who).copied().unwrap_or((1, 0));
        let entries: Vec<Entry> = super::entries_in(said);
        let unseen = entries.iter().filter(|entry| entry.seq < from || entry.seq > to);
        unseen.map(|entry| format!("shows seq {} of {from} to {to}", entry.seq)).collect()
    }
}

const NOBODY: i32 = parley_protocol::wire::Audience::Nobody as i32;

/// Changes some settings.
pub(crate) fn shut(change: impl FnOnce(&mut parley_protocol::wire::AccountSettings)) -> Ask {
    let mut settings = parley_protocol::wire::AccountSettings::default();
    change(&mut settings);
    asks::update(parley_protocol::wire::update_account::Change::Settings(settings))
}

fn about(text: &str) -> Ask {
    let profile = parley_protocol::wire::ProfileChange {
        about: Some(text.to_owned()),
        phone: Some("1234".to_owned()),
        ..Default::default()
    };
    asks::update(parley_protocol::wire::update_account::Change::Profile(profile))
}

/// The conversation of a Sent.
pub(crate) fn conversation(said: &Said) -> ConversationId {
    match said {
        Said::Sent(sent) => conversation_of(sent),
        other => panic!("not Sent: {other:?}"),
    }
}

/// Seq and ordinal of a Sent.
pub(crate) fn place(said: &Said) -> (u64, u64) {
    match said {
        Said::Sent(sent) => (sent.seq, sent.ordinal),
        other => panic!("not Sent: {other:?}"),
    }
}

/// Deletes somebody's account for good.
pub(crate) async fn delete_account(api: &Api, person: &Person) {
    let body = json!({"password": crate::common::http::password_of(&person.name)});
    let body = serde_json::to_vec(&body).unwrap().into();
    let reply =
        api.call(hyper::Method::DELETE, "/v1/account", Some(&person.bearer), Some(body)).await;
    assert!(reply.status.is_success(), "{reply:?}");
}
