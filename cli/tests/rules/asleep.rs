//! Two devices of one account, one of them asleep for 10,000 messages across 500
//! conversations: texts, mentions, edits, deletions, reactions, people who come
//! and go, what the user reads, sends, hides and sets on the other device. When
//! it wakes up, both have the same feed, a new third device too, and all of
//! it is what counting by hand gives: from the logs, as others read them.

use std::collections::BTreeMap;

use bytes::Bytes;
use parley_protocol::wire::{Changes, ConversationSettings, FeedEntry};
use parley_protocol::{ConversationId, Message, UserId, wire};

use crate::common::asks;
use crate::common::ledger::Ledger;
use crate::common::session::{Ask, Said, Session, conversation_of, entries_of};
use crate::common::{Api, Launch, Person, Server, Transport};

const PEERS: usize = 24;
const GROUPS: usize = 500 - PEERS;
const MESSAGES: usize = 10_000;

/// One conversation and what the user did there on the device that is awake.
struct Room {
    id: ConversationId,
    /// The one who sees all of it, and the others in it.
    owner: usize,
    others: Vec<usize>,
    direct: bool,
    /// The user is in it.
    inside: bool,
    /// Messages: seq, ordinal, author.
    said: Vec<(u64, u64, usize)>,
    last: u64,
    read: u64,
    cleared: u64,
    hidden: Vec<u64>,
    preferences: wire::Preferences,
}

struct World {
    server: Server,
    dice: fastrand::Rng,
    sam: Person,
    awake: Session,
    peers: Vec<(Person, Session)>,
    rooms: Vec<Room>,
    sends: usize,
    messages: usize,
    _folder: tempfile::TempDir,
}

/// A device's feed: the newest entry of each conversation.
#[derive(Default)]
struct Feed {
    entries: BTreeMap<Bytes, FeedEntry>,
    position: u64,
    bytes: usize,
}

impl Feed {
    fn take(&mut self, changes: &Changes) {
        self.bytes += changes.encoded_len();
        for entry in &changes.entries {
            self.entries.insert(entry.conversation.clone(), entry.clone());
        }
        self.position = changes.feed_position;
    }

    /// Takes a Welcome and all pages that follow.
    async fn catch_up(&mut self, session: &mut Session) {
        let mut changes = session.welcome.changes.clone().expect("changes");
        loop {
            self.take(&changes);
            if !changes.more {
                return;
            }
            changes = session.sync(self.position).await.expect("a page");
        }
    }

    /// Without what orders the feed of each device.
    fn shown(&self) -> BTreeMap<Bytes, FeedEntry> {
        self.entries.clone()
    }
}

impl World {
    async fn start(seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Launch::new(&folder.path().join("data"))
            // Ten thousand messages within a minute, into rooms that few people make.
            .with("PARLEY_RATES__SENDS_BURST", "100000")
            .with("PARLEY_RATES__NEW_DEVICES_BURST", "1000")
            .with("PARLEY_RATES__ENTRIES_BURST", "100000")
            .with("PARLEY_RATES__STRANGERS_BURST", "1000")
            .with("PARLEY_RATES__FIRST_MESSAGES_BURST", "1000")
            .with("PARLEY_RATES__STRANGER_GROUPS_BURST", "1000")
            .with("PARLEY_RATES__GROUPS_BURST", "1000")
            .with("PARLEY_RATES__ADDS_BURST", "100000")
            // Hidden, cleared and marked as unread as well, thousands of times.
            .with("PARLEY_RATES__CHANGES_BURST", "100000")
            .with("PARLEY_RATES__INVITES_BURST", "10000")
            .start()
            .await;
        let api = Api::plain(&server.ready);
        let sam = api.sign_up("sam", "awake").await;
        let awake = Session::open(&server.ready, Transport::Tls, &sam).await;
        let mut peers = Vec::new();
        for n in 0..PEERS {
            let peer = api.sign_up(&format!("peer{n}"), "x").await;
            let transport = Transport::ALL[n % 3];
            let session = Session::open(&server.ready, transport, &peer).await;
            peers.push((peer, session));
        }
        Self {
            server,
            dice: fastrand::Rng::with_seed(seed),
            sam,
            awake,
            peers,
            rooms: Vec::new(),
            sends: 0,
            messages: 0,
            _folder: folder,
        }
    }

    fn id(&mut self) -> String {
        self.sends += 1;
        format!("{}", self.sends)
    }

    fn user(&self, peer: usize) -> UserId {
        self.peers[peer].0.user
    }

    async fn peer(&mut self, peer: usize, ask: Ask) -> Said {
        let session = &mut self.peers[peer].1;
        let said = session.ask(ask).await.unwrap_or_else(|ended| panic!("peer {peer}: {ended}"));
        session.pushes.clear();
        said
    }

    async fn sams(&mut self, ask: Ask) -> Said {
        let said = self.awake.ask(ask).await.unwrap_or_else(|ended| panic!("sam: {ended}"));
        self.awake.pushes.clear();
        said
    }

    /// Talks with everybody, and groups that a peer owns.
    async fn found(&mut self) {
        for peer in 0..PEERS {
            let (id, sam) = (self.id(), self.sam.user);
            let made = self.peer(peer, asks::text_to(&sam, &id, "hello")).await;
            self.room(&made, peer, Vec::new(), true);
        }
        for n in 0..GROUPS {
            let owner = n % PEERS;
            let others = vec![(owner + 1) % PEERS, (owner + 2 + n % 5) % PEERS];
            let mut members: Vec<_> = others.iter().map(|peer| self.user(*peer)).collect();
            members.push(self.sam.user);
            let settings = ConversationSettings {
                history_for_newcomers: n % 3 == 0,
                edit_info: wire::Who::Members as i32,
                ..ConversationSettings::default()
            };
            let id = self.id();
            let made = self.peer(owner, asks::new_group(&id, "G", settings, &members)).await;
            self.room(&made, owner, others, false);
        }
    }

    fn room(&mut self, made: &Said, owner: usize, others: Vec<usize>, direct: bool) {
        let Said::Sent(sent) = made else { panic!("not made: {made:?}") };
        self.rooms.push(Room {
            id: conversation_of(sent),
            owner,
            others,
            direct,
            inside: true,
            said: if direct { vec![(1, 1, owner)] } else { Vec::new() },
            last: sent.seq,
            read: 0,
            cleared: 0,
            hidden: Vec::new(),
            preferences: wire::Preferences::default(),
        });
    }

    /// One thing happens in one room.
    async fn happen(&mut self) {
        let at = self.dice.usize(..self.rooms.len());
        match self.dice.u32(..100) {
            0..66 => self.says(at).await,
            66..72 => self.edits(at).await,
            72..79 => self.deletes(at).await,
            79..82 => self.reacts(at).await,
            82..85 => self.comes_or_goes(at).await,
            85..90 => self.sam_reads(at).await,
            90..94 => self.sam_says(at).await,
            94..97 => self.sam_prefers(at).await,
            _ => self.sam_hides(at).await,
        }
    }

    /// Somebody else who is in the room.
    fn somebody(&mut self, at: usize) -> usize {
        let room = &self.rooms[at];
        match self.dice.usize(..=room.others.len()) {
            0 => room.owner,
            n => room.others[n - 1],
        }
    }

    async fn says(&mut self, at: usize) {
        let who = self.somebody(at);
        let (room, id) = (self.rooms[at].id, self.id());
        let ask = match self.dice.u32(..12) {
            0 if !self.rooms[at].direct => asks::to_everyone(&room, &id, "all of you"),
            1 | 2 => asks::text(&room, &id, "you", 0, &[self.sam.user]),
            3 => asks::text(&room, &id, "you", 0, &[self.user(who), self.sam.user]),
            _ => asks::text(&room, &id, "so", 0, &[]),
        };
        let said = self.peer(who, ask).await;
        let Said::Sent(sent) = said else { panic!("not sent: {said:?}") };
        self.rooms[at].said.push((sent.seq, sent.ordinal, who));
        self.rooms[at].last = sent.seq;
        self.messages += 1;
    }

    /// Puts an entry that is no message.
    async fn put(&mut self, at: usize, who: usize, ask: Ask) {
        let said = self.peer(who, ask).await;
        let Said::Sent(sent) = said else { panic!("not sent: {said:?}") };
        self.rooms[at].last = sent.seq;
    }

    fn message(&mut self, at: usize) -> Option<(u64, u64, usize)> {
        let said = &self.rooms[at].said;
        if said.is_empty() { None } else { Some(said[self.dice.usize(..said.len())]) }
    }

    async fn edits(&mut self, at: usize) {
        let Some((seq, _, who)) = self.message(at) else { return };
        let id = self.id();
        self.put(at, who, asks::edit(&self.rooms[at].id, &id, seq, "other words")).await;
    }

    async fn deletes(&mut self, at: usize) {
        let Some((seq, ordinal, author)) = self.message(at) else { return };
        let id = self.id();
        self.put(at, author, asks::delete(&self.rooms[at].id, &id, seq, ordinal)).await;
        self.rooms[at].said.retain(|said| said.0 != seq);
    }

    async fn reacts(&mut self, at: usize) {
        let Some((seq, _, _)) = self.message(at) else { return };
        let (who, id) = (self.rooms[at].owner, self.id());
        self.put(at, who, asks::react(&self.rooms[at].id, &id, seq, "x")).await;
    }

    /// The user is put out, or comes in again.
    async fn comes_or_goes(&mut self, at: usize) {
        let (sam, id) = (self.sam.user, self.id());
        let room = &mut self.rooms[at];
        if room.direct {
            return;
        }
        let (owner, group) = (room.owner, room.id);
        room.inside = !room.inside;
        let ask = if room.inside {
            asks::add(&group, &id, &[sam])
        } else {
            asks::remove(&group, &id, &sam)
        };
        self.put(at, owner, ask).await;
    }

    async fn sam_reads(&mut self, at: usize) {
        let (id, read) = (self.rooms[at].id, self.rooms[at].read);
        let page = self.awake.fetch_after(&id, read, 0).await.expect("a page");
        let entries = entries_of(&page.entries);
        let Some(last) = entries.last().map(|entry| entry.seq) else { return };
        // Not always all of it.
        let up_to = entries[self.dice.usize(..entries.len())].seq.max(last.saturating_sub(3));
        let said = self.sams(asks::read(&id, up_to)).await;
        assert!(matches!(&said, Said::Moved(moved) if moved.read >= up_to), "{said:?}");
        self.rooms[at].read = self.rooms[at].read.max(up_to);
    }

    async fn sam_says(&mut self, at: usize) {
        if !self.rooms[at].inside {
            return;
        }
        let (room, id) = (self.rooms[at].id, self.id());
        let said = self.sams(asks::text(&room, &id, "mine", 0, &[])).await;
        let Said::Sent(sent) = said else { panic!("not sent: {said:?}") };
        self.rooms[at].last = sent.seq;
        self.messages += 1;
    }

    async fn sam_prefers(&mut self, at: usize) {
        let what = self.dice.u32(..7);
        let number = u64::from(self.dice.u32(1..1000));
        let room = &mut self.rooms[at];
        let visible = if room.inside { room.last } else { 0 };
        let now = &mut room.preferences;
        match what {
            0 => now.muted_until_ms = number,
            1 => now.archived = !now.archived,
            2 => now.pinned = !now.pinned,
            3 => now.marked_unread = !now.marked_unread,
            4 => now.level = wire::NotifyLevel::Mentions as i32,
            5 => now.draft = format!("draft {number}"),
            _ if visible > 4 => {
                now.cleared_up_to = now.cleared_up_to.max(visible - 4);
                room.cleared = now.cleared_up_to;
            }
            _ => return,
        }
        let now = now.clone();
        let ask = asks::prefer(&room.id, |asked| match what {
            0 => asked.muted_until_ms = Some(now.muted_until_ms),
            1 => asked.archived = Some(now.archived),
            2 => asked.pinned = Some(now.pinned),
            3 => asked.marked_unread = Some(now.marked_unread),
            4 => asked.level = Some(now.level),
            5 => asked.draft = Some(now.draft),
            _ => asked.cleared_up_to = Some(now.cleared_up_to),
        });
        let said = self.sams(ask).await;
        assert!(matches!(said, Said::Changed(_)), "{said:?}");
    }

    async fn sam_hides(&mut self, at: usize) {
        let room = &self.rooms[at];
        let fresh = room.said.last().map(|said| said.0).filter(|seq| !room.hidden.contains(seq));
        let Some(seq) = fresh.filter(|seq| room.inside && *seq > room.cleared) else { return };
        // Only what they see: they may have come in after it.
        let (id, page) = (room.id, self.awake.fetch_after(&room.id, seq - 1, 1).await.unwrap());
        if entries_of(&page.entries).first().is_none_or(|entry| entry.seq != seq) {
            return;
        }
        let said = self.sams(asks::hide(&id, &[seq])).await;
        assert!(matches!(said, Said::Changed(_)), "{said:?}");
        self.rooms[at].hidden.push(seq);
    }

    /// The log of a room as its owner reads it.
    async fn ledger(&mut self, at: usize) -> Ledger {
        let (id, owner) = (self.rooms[at].id, self.rooms[at].owner);
        let users = [self.user(owner), self.sam.user];
        let session = &mut self.peers[owner].1;
        let entries = entries_of(&session.fetch_all(&id, 0).await.expect("the log"));
        session.pushes.clear();
        if self.rooms[at].direct { Ledger::of_direct(users, entries) } else { Ledger::of(entries) }
    }

    /// What the feed must say of a room.
    async fn check(&mut self, at: usize, entry: &FeedEntry) -> Result<(), String> {
        let mut ledger = self.ledger(at).await;
        // What sam hid counts for sam no more than what was deleted.
        ledger.deleted.extend(&self.rooms[at].hidden);
        let (room, sam) = (&self.rooms[at], self.sam.user);
        let (_, end) = ledger.visible(sam).expect("a member or a former one");
        let floor = room.read.max(room.cleared);
        let wanted = (
            end,
            room.read,
            ledger.unread(sam, floor).len() as u64,
            ledger.mentions(sam, floor),
            room.preferences.clone(),
            room.hidden.len() as u32,
        );
        let got = (
            entry.last_seq,
            entry.read,
            entry.unread,
            entry.mentions,
            entry.preferences.clone().unwrap_or_default(),
            entry.hidden,
        );
        // What a device works out for itself.
        let deleted = ledger.deleted.iter().map(|seq| ledger.ordinal(*seq));
        let within =
            |ordinal: &u64| *ordinal > entry.floor_ordinal && *ordinal <= entry.last_ordinal;
        let own = entry.last_ordinal - entry.floor_ordinal - deleted.filter(within).count() as u64;
        if got == wanted && own == entry.unread {
            return Ok(());
        }
        let show = |x: &(u64, u64, u64, u32, wire::Preferences, u32)| {
            format!("last {} read {} unread {} mentions {} hidden {}", x.0, x.1, x.2, x.3, x.5)
        };
        Err(format!(
            "room {at} (direct {}, inside {}, cleared {}): {}; counted {}; own count {own}; preferences equal {}",
            room.direct,
            room.inside,
            room.cleared,
            show(&got),
            show(&wanted),
            got.4 == wanted.4
        ))
    }
}

#[tokio::test]
async fn a_device_that_slept_through_ten_thousand_messages_counts_as_the_other() {
    let seed = std::env::var("PARLEY_SEED").map_or(7, |seed| seed.parse().unwrap());
    let mut world = World::start(seed).await;
    world.found().await;
    let api = Api::plain(&world.server.ready);
    let asleep = api.login("sam", "asleep").await;
    let mut feed = Feed::default();
    let mut session = Session::open(&world.server.ready, Transport::Quic, &asleep).await;
    feed.catch_up(&mut session).await;
    assert_eq!(feed.entries.len(), PEERS + GROUPS);
    drop(session);

    while world.messages < MESSAGES {
        world.happen().await;
    }

    // It wakes up, and a third device is new.
    let woken = Session::resume(&world.server.ready, Transport::WebSocket, &asleep, feed.position);
    let mut woken = woken.await.unwrap();
    feed.bytes = 0;
    feed.catch_up(&mut woken).await;
    let fresh = api.login("sam", "fresh").await;
    let mut new = Feed::default();
    new.catch_up(&mut Session::open(&world.server.ready, Transport::Tls, &fresh).await).await;
    let mut awake = Feed::default();
    awake.take(&world.awake.sync(0).await.unwrap());
    while awake.entries.len() < PEERS + GROUPS {
        let before = awake.position;
        awake.take(&world.awake.sync(before).await.unwrap());
        assert!(awake.position > before, "a page that does not go on");
    }
    assert_eq!(feed.shown(), new.shown(), "the device that slept and a new one");
    assert_eq!(feed.shown(), awake.shown(), "the device that slept and the one that did not");
    println!("woke up with {} bytes of feed", feed.bytes);

    let mut wrong = Vec::new();
    let mut unread = (0, 0);
    for at in 0..world.rooms.len() {
        let entry = feed.entries[&world.rooms[at].id.to_wire()].clone();
        unread = (unread.0 + entry.unread, unread.1 + u64::from(entry.mentions));
        wrong.extend(world.check(at, &entry).await.err());
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), world.rooms.len(), wrong.join("\n"));
    assert!(unread.0 > 1000 && unread.1 > 100, "too little to count: {unread:?}");

    // What each may fetch is the same on both, to the byte.
    for at in (0..world.rooms.len()).step_by(7) {
        let id = world.rooms[at].id;
        let here = woken.fetch_all(&id, 0).await.unwrap();
        assert_eq!(here, world.awake.fetch_all(&id, 0).await.unwrap(), "room {at}");
        for seq in &world.rooms[at].hidden {
            let entry = entries_of(&here).into_iter().find(|entry| entry.seq == *seq);
            assert!(entry.is_none_or(|entry| entry.erased && entry.body.is_empty()), "room {at}");
        }
    }

    // And so it stays when the server dies and works the feed out again.
    world.server.kill();
    world.server.restart().await;
    let mut again = Feed::default();
    again.catch_up(&mut Session::open(&world.server.ready, Transport::Quic, &asleep).await).await;
    let without_version = |feed: &Feed| -> Vec<FeedEntry> {
        let entries = feed.entries.values().cloned();
        entries.map(|entry| FeedEntry { version: 0, ..entry }).collect()
    };
    assert_eq!(without_version(&again), without_version(&feed), "after a kill");
}
