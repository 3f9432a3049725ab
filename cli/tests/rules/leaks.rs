//! Nobody learns what is not theirs: everything that the server says by itself
//! to strangers, to who was put out, across a block, and about who hides, while
//! the others live on. The control is a member who must hear of all of it.

use std::collections::BTreeMap;
use std::time::Duration;

use parley_protocol::wire::{self, ConversationSettings, update_account::Change};
use parley_protocol::{ConversationId, UserId};

use crate::common::asks;
use crate::common::session::{Ask, Said, Session, conversation_of, entries_of, envelope};
use crate::common::{Api, Launch, Person, Transport};

/// Who is who: ann owns the group; cat was put out of it; ann blocked dan; gil
/// blocked ann; eve was never there; fay hides all that can be hidden.
const NAMES: [&str; 7] = ["ann", "ben", "cat", "dan", "eve", "fay", "gil"];
const BLOCKS: [(&str, &str); 2] = [("ann", "dan"), ("gil", "ann")];

struct World {
    people: BTreeMap<&'static str, Person>,
    /// Everybody has a session on each transport.
    sessions: BTreeMap<(&'static str, Transport), Session>,
    heard: Vec<(&'static str, Said)>,
    group: ConversationId,
    talks: BTreeMap<&'static str, ConversationId>,
    left: u64,
    count: u64,
    server: crate::common::Server,
    _folder: tempfile::TempDir,
}

impl World {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Launch::new(&folder.path().join("data")).start().await;
        let api = Api::plain(&server.ready);
        let (mut people, mut sessions) = (BTreeMap::new(), BTreeMap::new());
        for name in NAMES {
            let person = api.sign_up(name, "x").await;
            for transport in Transport::ALL {
                let session = Session::open(&server.ready, transport, &person).await;
                sessions.insert((name, transport), session);
            }
            people.insert(name, person);
        }
        let mut world = Self {
            people,
            sessions,
            heard: Vec::new(),
            group: ConversationId::new([0; 16]),
            talks: BTreeMap::new(),
            left: 0,
            count: 0,
            server,
            _folder: folder,
        };
        world.set().await;
        world
    }

    async fn set(&mut self) {
        let hide = wire::AccountSettings {
            presence: wire::Audience::Nobody as i32,
            read_receipts: Some(false),
            typing: Some(false),
            ..wire::AccountSettings::default()
        };
        self.does("fay", asks::update(Change::Settings(hide))).await;
        let inside = ["ben", "cat", "dan", "fay", "gil"].map(|name| self.user(name));
        let made = asks::new_group("g", "G", ConversationSettings::default(), &inside);
        self.group = sent(&self.does("ann", made).await).0;
        for name in ["ben", "dan", "fay", "gil"] {
            let ask = asks::text_to(&self.user(name), "talk", "hello");
            let talk = sent(&self.does("ann", ask).await).0;
            self.talks.insert(name, talk);
        }
        let out = asks::remove(&self.group, "out", &self.user("cat"));
        self.left = sent(&self.does("ann", out).await).1;
        for (who, whom) in BLOCKS {
            self.does(who, asks::block(&self.user(whom))).await;
        }
        let all = NAMES.map(|name| self.user(name));
        for (name, session) in &mut self.sessions {
            session
                .ask(asks::subscribe(&all, false))
                .await
                .unwrap_or_else(|e| panic!("{name:?}: {e}"));
        }
        // What came until now came before the blocks.
        self.listen().await;
        self.heard.clear();
    }

    fn user(&self, name: &str) -> UserId {
        self.people[name].user
    }

    fn name(&self, user: &[u8]) -> &'static str {
        let found = self.people.iter().find(|(_, person)| person.user.to_wire() == user);
        found.map_or("nobody", |(name, _)| name)
    }

    /// Asks on one transport after the other.
    async fn does(&mut self, name: &'static str, ask: Ask) -> Said {
        self.count += 1;
        let transport = Transport::ALL[self.count as usize % 3];
        let session = self.sessions.get_mut(&(name, transport)).expect("a session");
        session.ask(ask).await.unwrap_or_else(|ended| panic!("{name}: {ended}"))
    }

    fn id(&self) -> String {
        format!("id-{}", self.count)
    }

    /// Takes what everybody was told.
    async fn listen(&mut self) {
        for ((name, _), session) in &mut self.sessions {
            session.ping().await.unwrap_or_else(|ended| panic!("{name}: {ended}"));
            self.heard.extend(session.pushes.drain(..).map(|said| (*name, said)));
        }
    }

    /// One round of everything that others could be told of.
    async fn live(&mut self) {
        let group = self.group;
        let mut last = 0;
        for name in ["ann", "ben", "dan", "fay", "gil"] {
            let said = self.does(name, asks::text(&group, &self.id(), "hi", 0, &[])).await;
            last = sent(&said).1;
            self.does(name, asks::react(&group, &self.id(), last, "x")).await;
            self.does(name, asks::edit(&group, &self.id(), last, "ho")).await;
            self.does(name, asks::typing(&group)).await;
        }
        self.does("ann", asks::title(&group, &self.id(), "New")).await;
        for name in ["ann", "ben", "dan", "fay", "gil"] {
            self.reads(name, group).await;
        }
        for (name, talk) in self.talks.clone() {
            for who in ["ann", name] {
                self.does(who, asks::typing(&talk)).await;
                self.does(who, asks::text(&talk, &self.id(), "hi", 0, &[])).await;
                self.reads(who, talk).await;
            }
        }
        for name in NAMES {
            let about = Some(format!("about {}", self.count));
            let profile = wire::ProfileChange { about, ..wire::ProfileChange::default() };
            self.does(name, asks::update(Change::Profile(profile))).await;
        }
        assert!(last > self.left);
    }

    /// Fetches all of it and reads it.
    async fn reads(&mut self, name: &'static str, conversation: ConversationId) {
        let session = self.sessions.get_mut(&(name, Transport::Tls)).expect("a session");
        let entries = entries_of(&session.fetch_all(&conversation, 0).await.unwrap());
        let last = entries.last().expect("entries").seq;
        session.delivered(&conversation, last.saturating_sub(1)).await.unwrap();
        session.must_read(&conversation, last).await;
    }

    /// Somebody goes, and comes again.
    async fn goes_and_comes(&mut self, name: &'static str) {
        for transport in Transport::ALL {
            let mut session = self.sessions.remove(&(name, transport)).expect("a session");
            session.wire.write(&[envelope(0, Ask::Goodbye(wire::Goodbye {}))]).await.unwrap();
            drop(session.ended().await);
        }
        tokio::time::sleep(Duration::from_millis(1200)).await;
        self.listen().await;
        let all = NAMES.map(|name| self.user(name));
        for transport in Transport::ALL {
            let person = &self.people[name];
            let mut session = Session::open(&self.server.ready, transport, person).await;
            session.ask(asks::subscribe(&all, false)).await.unwrap();
            self.sessions.insert((name, transport), session);
        }
        tokio::time::sleep(Duration::from_millis(1200)).await;
        self.listen().await;
    }

    fn blocked(&self, one: &str, other: &str) -> bool {
        BLOCKS.iter().any(|pair| *pair == (one, other) || *pair == (other, one))
    }

    /// Whether somebody is in a conversation now.
    fn inside(&self, name: &str, conversation: &[u8]) -> bool {
        if conversation == self.group.to_wire() {
            return name != "cat" && name != "eve";
        }
        let talk = self.talks.iter().find(|(_, talk)| talk.to_wire() == conversation);
        talk.is_some_and(|(peer, _)| name == "ann" || name == *peer)
    }

    /// Why this should not have been said to `to`.
    fn leak(&self, to: &str, said: &Said) -> Option<String> {
        let why = |bad: bool, what: String| bad.then(|| format!("{to}: {what}"));
        match said {
            Said::Deliver(deliver) => {
                let group = deliver.conversation == self.group.to_wire();
                let seqs: Vec<_> = entries_of(&deliver.entries).iter().map(|e| e.seq).collect();
                let until_put_out = group && to == "cat" && seqs.iter().all(|s| *s <= self.left);
                let good = self.inside(to, &deliver.conversation) || until_put_out;
                why(!good, format!("entries {seqs:?}"))
            }
            Said::Receipt(receipt) => {
                let from = self.name(&receipt.user);
                let inside = self.inside(to, &receipt.conversation);
                // She hides what she reads, and when she is there, which deliveries would tell.
                let hidden = from == "fay" && to != "fay";
                let bad = !inside || self.blocked(to, from) || hidden;
                why(bad, format!("a receipt of {from}, read {}", receipt.read))
            }
            Said::Typed(typed) => {
                let from = self.name(&typed.user);
                let bad = !self.inside(to, &typed.conversation)
                    || self.blocked(to, from)
                    || (from == "fay" && to != "fay");
                why(bad, format!("{from} types"))
            }
            Said::Presence(presence) => {
                let of = self.name(&presence.user);
                let shows = presence.online || presence.last_seen_ms > 0;
                let hides = to != of && (of == "fay" || to == "fay");
                why(shows && (hides || self.blocked(to, of)), format!("{of} is there"))
            }
            Said::Profile(profile) => {
                let of = self.name(&profile.user);
                let shows = !profile.about.is_empty();
                why(shows && self.blocked(to, of), format!("the profile of {of}"))
            }
            Said::Changes(changes) => {
                let outside = |entry: &&wire::FeedEntry| {
                    let until_put_out = to == "cat" && entry.last_seq <= self.left;
                    !self.inside(to, &entry.conversation) && !until_put_out
                };
                why(changes.entries.iter().any(|entry| outside(&entry)), "a feed".to_owned())
            }
            _ => None,
        }
    }

    fn heard(&self, to: &str, wanted: impl Fn(&Said) -> bool) -> bool {
        self.heard.iter().any(|(name, said)| *name == to && wanted(said))
    }
}

fn sent(said: &Said) -> (ConversationId, u64) {
    match said {
        Said::Sent(sent) => (conversation_of(sent), sent.seq),
        other => panic!("not Sent: {other:?}"),
    }
}

#[tokio::test]
async fn nobody_is_told_what_is_not_theirs() {
    let mut world = World::start().await;
    for _ in 0..3 {
        world.live().await;
        world.listen().await;
        // Receipts of groups are gathered, typing is throttled.
        tokio::time::sleep(Duration::from_millis(2100)).await;
        world.listen().await;
    }
    for name in ["ann", "dan", "fay", "gil"] {
        world.goes_and_comes(name).await;
    }
    let leaks: Vec<_> = world.heard.iter().filter_map(|(to, said)| world.leak(to, said)).collect();
    assert!(leaks.is_empty(), "{} leaks:\n{}", leaks.len(), leaks.join("\n"));

    // The control: ben hears of ann all that he may.
    let of = |user: &[u8], name: &str| world.name(user) == name;
    let in_group = |conversation: &[u8]| conversation == world.group.to_wire();
    assert!(
        world.heard("ben", |said| matches!(said, Said::Deliver(d) if in_group(&d.conversation)))
    );
    assert!(world.heard("ben", |said| matches!(said, Said::Receipt(r) if of(&r.user, "ann") && in_group(&r.conversation) && r.read > 0)));
    assert!(world.heard(
        "ben",
        |said| matches!(said, Said::Typed(t) if of(&t.user, "ann") && in_group(&t.conversation))
    ));
    assert!(world.heard(
        "ben",
        |said| matches!(said, Said::Typed(t) if of(&t.user, "ann") && !in_group(&t.conversation))
    ));
    assert!(
        world.heard(
            "ben",
            |said| matches!(said, Said::Presence(p) if of(&p.user, "ann") && p.online)
        )
    );
    assert!(world.heard("ben", |said| matches!(said, Said::Presence(p) if of(&p.user, "ann") && !p.online && p.last_seen_ms > 0)));
    assert!(world.heard(
        "ben",
        |said| matches!(said, Said::Profile(p) if of(&p.user, "ann") && !p.about.is_empty())
    ));
    assert!(world.heard(
        "ann",
        |said| matches!(said, Said::Receipt(r) if of(&r.user, "ben") && r.delivered > 0)
    ));
    assert!(
        world.heard("dan", |said| matches!(said, Said::Deliver(d) if in_group(&d.conversation)))
    );
    assert!(world.heard("eve", |said| matches!(said, Said::Presence(p) if of(&p.user, "ann"))));
}
