//! A real node over a real folder, and people who do all sorts of things in it.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parley_core::conversation::{Given, Interval, Move, direct_id};
use parley_core::session::{CursorMove, Identity};
use parley_core::user::name::skeleton;
use parley_protocol::wire::client_envelope::Kind as Ask;
use parley_protocol::wire::server_envelope::Kind as Said;
use parley_protocol::wire::{self, ClientEnvelope, EntryKind, fetch, send};
use parley_protocol::{ConversationId, DeviceId, Message as _, UserId};

use crate::chat::link::Link;
use crate::edge::session::Requester;
use crate::node::Backend;
use crate::node::config::Config;
use crate::storage::store::tables::{devices, meta, names, skeletons, tokens, users};
use crate::storage::store::{self, DeviceRow, DeviceToken, Fact, Store, TokenRow, UserRow};
use parley_core::shard::placement::ShardCount;

pub(in super::super) const SHARDS: u16 = 4;
const PEOPLE: u8 = 6;

pub(in super::super) fn count() -> ShardCount {
    ShardCount::new(SHARDS).unwrap()
}

pub(in super::super) const fn user(n: u8) -> UserId {
    UserId::new([n + 1; 16])
}

fn device(n: u8) -> DeviceId {
    DeviceId::new([n + 1; 16])
}

/// Small numbers that look like chance, the same each time.
pub(in super::super) struct Dice(u64);

impl Dice {
    pub(in super::super) const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(in super::super) fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % most.max(1)
    }
}

/// A node at work.
pub(in super::super) struct World {
    backend: Backend,
    sent: AtomicU64,
}

pub(in super::super) fn options(path: &Path) -> store::Options {
    store::Options { shard_count: SHARDS, ..store::Options::new(path) }
}

impl World {
    pub(in super::super) fn open(path: &Path) -> Self {
        let store = Store::open(&options(path)).unwrap();
        let count = count();
        let mut writes = vec![meta::note(Fact::Skeletons, &[1])];
        for n in
            (0..PEOPLE).filter(|n| store.user(count.of_user(user(*n)), user(*n)).unwrap().is_none())
        {
            let (name, token_hash) = (format!("user{n}"), [n; 32]);
            let row = UserRow { name: name.clone(), created_ms: 1, ..UserRow::default() };
            let token = DeviceToken { hash: Bytes::copy_from_slice(&token_hash), created_ms: 1 };
            let row_of_device = DeviceRow { tokens: vec![token], ..DeviceRow::default() };
            let home = count.of_user(user(n));
            let like = skeleton(&name);
            writes.extend([
                users::put(home, user(n), &row),
                names::put(count.of_name(&name), &name, user(n)),
                skeletons::put(count.of_name(&like), &like, &name),
                devices::put(home, user(n), device(n), &row_of_device),
                tokens::put(
                    count.of_bytes(&token_hash),
                    token_hash,
                    &TokenRow::new(user(n), device(n)),
                ),
            ]);
        }
        store.write_synced(&writes).unwrap();
        Self::over(store)
    }

    /// Without making anything that isn't there.
    pub(in super::super) fn open_as_it_is(path: &Path) -> Self {
        Self::over(Store::open(&options(path)).unwrap())
    }

    fn over(store: Store) -> Self {
        let mut config = Config::default();
        config.storage.erase_every_ms = 10;
        let backend = Backend::start(&config, store, |error| panic!("{error}")).unwrap();
        Self { backend, sent: AtomicU64::new(0) }
    }

    pub(in super::super) async fn close(self) {
        self.backend.close().await;
    }

    async fn ask(&self, n: u8, kind: Ask) -> Option<Said> {
        let identity = Identity { user: user(n), name: "x".into(), device: device(n) };
        let requester = Requester { identity, from: IpAddr::V4(Ipv4Addr::LOCALHOST) };
        let envelope = ClientEnvelope { request: 1, kind: Some(kind) };
        self.backend.host().answer(&requester, envelope).await.ok()?.kind
    }

    /// Sends something and says where it went; `None` when it was refused.
    pub(in super::super) async fn send(
        &self,
        n: u8,
        to: send::To,
        kind: EntryKind,
        body: Vec<u8>,
    ) -> Option<wire::Sent> {
        let id = self.sent.fetch_add(1, Ordering::Relaxed);
        let salt = self.backend.host() as *const _ as usize;
        let send = wire::Send {
            to: Some(to),
            client_message_id: format!("{salt:x}-{id}").into(),
            kind: kind as u32,
            body: body.into(),
        };
        match self.ask(n, Ask::Send(send)).await {
            Some(Said::Sent(sent)) => Some(sent),
            _ => None,
        }
    }

    pub(in super::super) async fn text(
        &self,
        n: u8,
        to: send::To,
        text: &str,
    ) -> Option<wire::Sent> {
        let body = wire::Text { text: text.to_owned(), ..Default::default() };
        self.send(n, to, EntryKind::Text, body.encode_to_vec()).await
    }

    /// Conversations and groups among some people.
    pub(in super::super) async fn begin(&self) -> Vec<ConversationId> {
        let mut all = Vec::new();
        for n in 1..PEOPLE {
            let sent = self.text(0, send::To::Peer(user(n).to_wire()), "first").await.unwrap();
            assert_eq!(sent.conversation, direct_id(user(0), user(n)).to_wire());
            self.text(n, send::To::Peer(user(0).to_wire()), "answer").await.unwrap();
            all.push(direct_id(user(0), user(n)));
        }
        for n in 0..3 {
            let created = wire::GroupCreated {
                info: Some(wire::GroupInfo { title: format!("g{n}"), ..Default::default() }),
                members: (0..PEOPLE)
                    .filter(|other| *other != n)
                    .map(|other| user(other).to_wire())
                    .collect(),
                ..Default::default()
            };
            let kind = EntryKind::GroupCreated;
            let made = self.send(n, send::To::NewGroup(true), kind, created.encode_to_vec()).await;
            all.push(ConversationId::from_slice(&made.unwrap().conversation).unwrap());
        }
        all
    }

    /// Some hundred things that people do; most are taken, some refused.
    pub(in super::super) async fn busy(
        &self,
        dice: &mut Dice,
        places: &[ConversationId],
        steps: usize,
    ) -> u64 {
        let mut ends = vec![2u64; places.len()];
        let mut taken = 0;
        for _ in 0..steps {
            let at = dice.below(places.len() as u64) as usize;
            let n = dice.below(u64::from(PEOPLE)) as u8;
            taken += u64::from(self.one(dice, n, places[at], &mut ends[at]).await);
        }
        taken
    }

    async fn one(&self, dice: &mut Dice, n: u8, id: ConversationId, end: &mut u64) -> bool {
        let to = || send::To::Conversation(id.to_wire());
        let seq = 1 + dice.below(*end + 2);
        let other = user(dice.below(u64::from(PEOPLE)) as u8);
        let (kind, body) = match dice.below(26) {
            0..=6 => {
                let text = "@x wort ".repeat(1 + dice.below(700) as usize);
                let who = match dice.below(6) {
                    0 => Some(wire::mention::Who::Everyone(true)),
                    1 | 2 => Some(wire::mention::Who::User(other.to_wire())),
                    _ => None,
                };
                let mention = who.map(|who| wire::Mention { start: 0, length: 2, who: Some(who) });
                let body = wire::Text {
                    text,
                    mentions: mention.into_iter().collect(),
                    ..Default::default()
                };
                (EntryKind::Text, body.encode_to_vec())
            }
            7..=9 => {
                let body = wire::Edit { seq, text: "other".into(), ..Default::default() };
                (EntryKind::Edit, body.encode_to_vec())
            }
            10 | 11 => {
                let page = self.page(n, id, seq).await;
                let ordinal = page.iter().find(|entry| entry.seq == seq).map_or(0, |it| it.ordinal);
                (EntryKind::Delete, wire::Delete { seq, ordinal }.encode_to_vec())
            }
            12..=15 => {
                let emoji = ["👍", "👍\u{fe0f}", "x", "y"][dice.below(4) as usize].to_owned();
                let removed = dice.below(3) == 0;
                (EntryKind::Reaction, wire::Reaction { seq, emoji, removed }.encode_to_vec())
            }
            16 | 17 => {
                let removed = dice.below(3) == 0;
                (EntryKind::Pin, wire::Pin { seq, removed }.encode_to_vec())
            }
            18 => {
                let body = wire::MemberRemoved { user: other.to_wire(), ban: dice.below(3) == 0 };
                (EntryKind::MemberRemoved, body.encode_to_vec())
            }
            19 => {
                let body = wire::MembersAdded { users: vec![other.to_wire()] };
                (EntryKind::MembersAdded, body.encode_to_vec())
            }
            20 => {
                let role = dice.below(2) as i32 + 1;
                (
                    EntryKind::RoleChanged,
                    wire::RoleChanged { user: other.to_wire(), role }.encode_to_vec(),
                )
            }
            21 => {
                let settings = wire::ConversationSettings {
                    history_for_newcomers: dice.below(2) == 0,
                    retention_s: [0, 1, 5, 3600][dice.below(4) as usize],
                    ..Default::default()
                };
                let body =
                    wire::ConversationChanged { settings: Some(settings), ..Default::default() };
                (EntryKind::ConversationChanged, body.encode_to_vec())
            }
            22 if dice.below(4) == 0 => {
                let up_to = end.saturating_sub(5).max(1);
                (EntryKind::HistoryErased, wire::HistoryErased { up_to }.encode_to_vec())
            }
            23 if dice.below(4) == 0 => (EntryKind::MemberLeft, Vec::new()),
            24 => return self.aside(dice, n, id, seq).await,
            _ => {
                self.move_cursor(dice, n, id, seq).await;
                return true;
            }
        };
        let sent = self.send(n, to(), kind, body).await;
        if let Some(sent) = &sent {
            *end = sent.seq;
        }
        sent.is_some()
    }

    async fn aside(&self, dice: &mut Dice, n: u8, id: ConversationId, seq: u64) -> bool {
        let conversation = id.to_wire();
        let other = user(dice.below(u64::from(PEOPLE)) as u8).to_wire();
        let ask = match dice.below(5) {
            0 => Ask::Hide(wire::Hide { conversation, seqs: vec![seq] }),
            1 => Ask::SetPreferences(wire::SetPreferences {
                conversation,
                archived: Some(true),
                ..Default::default()
            }),
            2 => {
                let act = Some(wire::invites::Act::Create(wire::NewInvite::default()));
                Ask::Invites(wire::Invites { conversation, act })
            }
            3 => {
                let change = wire::update_account::Change::Block(other);
                Ask::UpdateAccount(wire::UpdateAccount { change: Some(change) })
            }
            _ => {
                let change = wire::update_account::Change::Unblock(other);
                Ask::UpdateAccount(wire::UpdateAccount { change: Some(change) })
            }
        };
        !matches!(self.ask(n, ask).await, Some(Said::Failure(_)) | None)
    }

    async fn page(&self, n: u8, id: ConversationId, seq: u64) -> Vec<wire::Entry> {
        let from = Some(fetch::From::AroundSeq(seq));
        let fetch = wire::Fetch { conversation: id.to_wire(), from, limit: 1 };
        match self.ask(n, Ask::Fetch(fetch)).await {
            Some(Said::Fetched(page)) => page
                .entries
                .iter()
                .filter_map(|bytes| wire::Entry::decode(bytes.clone()).ok())
                .collect(),
            _ => Vec::new(),
        }
    }

    async fn move_cursor(&self, dice: &mut Dice, n: u8, id: ConversationId, up_to: u64) {
        let which = if dice.below(2) == 0 { Move::Read } else { Move::Delivered };
        self.move_to(n, id, up_to, which).await;
    }

    async fn move_to(&self, n: u8, id: ConversationId, up_to: u64, which: Move) {
        let identity = Identity { user: user(n), name: "x".into(), device: device(n) };
        let link = Link::of_no_session(&identity, 1 << 20);
        let mut given = Given::default();
        given.add(Interval { from: 1, to: up_to });
        let wanted = CursorMove { conversation: id, which, up_to, given };
        self.backend.host().move_one(&identity, &link, wanted).await;
        let _ = link.first_answer().await;
    }

    /// One of everything, so that no table is empty.
    pub(in super::super) async fn all_sorts(&self, id: ConversationId, which: Move) {
        let to = || send::To::Conversation(id.to_wire());
        for n in 0..PEOPLE {
            let who = Some(wire::mention::Who::User(user(0).to_wire()));
            let mention = wire::Mention { start: 0, length: 2, who };
            let body = wire::Text {
                text: "@x hello".into(),
                mentions: vec![mention],
                ..Default::default()
            };
            let Some(sent) = self.send(n, to(), EntryKind::Text, body.encode_to_vec()).await else {
                continue;
            };
            let seq = sent.seq;
            let edit = wire::Edit { seq, text: "hm".into(), ..Default::default() };
            self.send(n, to(), EntryKind::Edit, edit.encode_to_vec()).await;
            let react = wire::Reaction { seq, emoji: "👍".into(), removed: false };
            self.send(n, to(), EntryKind::Reaction, react.encode_to_vec()).await;
            let gone = self.text(n, to(), "gone").await.unwrap();
            let delete = wire::Delete { seq: gone.seq, ordinal: gone.ordinal };
            self.send(n, to(), EntryKind::Delete, delete.encode_to_vec()).await;
            self.send(n, to(), EntryKind::Pin, wire::Pin { seq, removed: false }.encode_to_vec())
                .await;
            let about =
                wire::ConversationChanged { description: Some("x".into()), ..Default::default() };
            self.send(n, to(), EntryKind::ConversationChanged, about.encode_to_vec()).await;
            self.ask(n, Ask::Hide(wire::Hide { conversation: id.to_wire(), seqs: vec![seq] }))
                .await;
            let act = Some(wire::invites::Act::Create(wire::NewInvite::default()));
            self.ask(n, Ask::Invites(wire::Invites { conversation: id.to_wire(), act })).await;
            let change = wire::update_account::Change::Block(user((n + 1) % PEOPLE).to_wire());
            if n == PEOPLE - 1 {
                self.ask(n, Ask::UpdateAccount(wire::UpdateAccount { change: Some(change) })).await;
            }
            self.move_to(n, id, seq, which).await;
        }
    }
}
