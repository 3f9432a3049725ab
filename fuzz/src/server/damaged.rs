//! A store whose rows are not what the server wrote: cut, flipped, swapped,
//! gone, or never there before. The server starts or says why not; it never
//! panics, never answers with what is no answer, and a conversation none of
//! whose rows was touched reads as before.

use std::sync::OnceLock;

use arbitrary::Arbitrary;
use bytes::Bytes;
use parley_core::session::Identity;
use parley_protocol::wire::client_envelope::Kind as Ask;
use parley_protocol::wire::server_envelope::Kind as Answer;
use parley_protocol::wire::{self, EntryKind, send};
use parley_protocol::{Message as _, ShardId};
use parley_server::storage::store::engine::Order;
use parley_server::storage::store::engine::memory::MemoryEngine;
use parley_server::storage::store::families::{FAMILIES, Family};
use parley_server::storage::store::keys::{NODE, RowKey};
use parley_server::storage::store::{Engine as _, Key, Scan, Table, Write};

use super::{SHARDS, Server};
use crate::program::{Blob, steps};

const HARMS: usize = 12;

#[derive(Debug, Arbitrary)]
enum Harm {
    Cut {
        row: u16,
        to: u8,
    },
    Flip {
        row: u16,
        at: u16,
        with: u8,
    },
    Overwrite {
        row: u16,
        value: Blob,
    },
    Delete {
        row: u16,
    },
    /// The value of another row, mostly of another table.
    Swap {
        row: u16,
        other: u16,
    },
    /// A row that nobody wrote.
    Add {
        table: u8,
        shard: u8,
        key: Blob,
        value: Blob,
    },
}

/// First byte: whether only one conversation's rows are harmed. The rest is a
/// list of harms.
pub fn damaged(data: &[u8]) {
    let [one, rest @ ..] = data else { return };
    let healthy = HEALTHY.get_or_init(Healthy::new);
    let only = (one % 2 == 1).then_some(&healthy.victim);
    let rows: Vec<&Row> = healthy.rows.iter().filter(|row| row.is_of(only)).collect();
    let engine = healthy.engine();
    for harm in steps::<Harm>(rest).take(HARMS) {
        let Some(write) = harm.write(&rows, only.is_some()) else { continue };
        engine.write(&[write]).unwrap_or_else(|error| panic!("{error}"));
    }
    // That it doesn't start over damaged rows of its own is a clear answer.
    let server = match Server::over(engine) {
        Ok(server) => server,
        Err(error) => return assert!(!error.is_empty()),
    };
    for person in &healthy.people {
        for (conversation, page) in &healthy.pages {
            let answer = server.try_ask(person, read(conversation));
            let untouched = conversation != &healthy.victim && only.is_some();
            if untouched && let Some((_, page)) = page.iter().find(|(who, _)| who == person) {
                assert_eq!(answer.as_ref(), Ok(page), "an untouched conversation reads otherwise");
            }
        }
    }
    healthy.people.iter().for_each(|person| healthy.visit(&server, person));
}

/// A row as it was written.
struct Row {
    table: Table,
    key: Bytes,
    value: Bytes,
}

impl Row {
    fn is_of(&self, only: Option<&Bytes>) -> bool {
        only.is_none_or(|only| self.key.windows(only.len()).any(|part| part == only))
    }

    /// The key again, from its bytes.
    fn key(&self) -> Key {
        let decoded = RowKey::decode(self.table.family(), &self.key);
        decoded.unwrap_or_else(|error| panic!("{error}: {:?}", self.key)).encode()
    }
}

impl Harm {
    /// The harm as a write; `one`: to the rows there are, and no others.
    fn write(self, rows: &[&Row], one: bool) -> Option<Write> {
        let row = |number: u16| rows.get(usize::from(number) % rows.len().max(1)).copied();
        let harmed = |row: &Row, value: Option<Vec<u8>>| Write {
            table: row.table,
            key: row.key(),
            value: value.map(Bytes::from),
        };
        Some(match self {
            Self::Cut { row: number, to } => {
                let row = row(number)?;
                let cut = usize::from(to) % row.value.len().max(1);
                harmed(row, Some(row.value.slice(..cut).to_vec()))
            }
            Self::Flip { row: number, at, with } => {
                let row = row(number)?;
                let mut value = row.value.to_vec();
                let at = usize::from(at) % value.len().max(1);
                *value.get_mut(at)? ^= with;
                harmed(row, Some(value))
            }
            Self::Overwrite { row: number, value } => harmed(row(number)?, Some(value.0)),
            Self::Delete { row: number } => harmed(row(number)?, None),
            Self::Swap { row: number, other } => {
                harmed(row(number)?, Some(row(other)?.value.to_vec()))
            }
            Self::Add { table, shard, key, value } if !one => {
                let table = *Table::ALL.get(usize::from(table) % Table::ALL.len())?;
                let shard = if shard == 255 { NODE } else { ShardId(u16::from(shard) % SHARDS) };
                let key = Key::prefix(table, shard).with(&key.0);
                Write { table, key, value: Some(value.0.into()) }
            }
            Self::Add { .. } => return None,
        })
    }
}

/// A store with a little of everything, and what everybody reads in it.
struct Healthy {
    rows: Vec<Row>,
    people: Vec<Identity>,
    /// Each conversation with the first page of those who are in it.
    pages: Vec<(Bytes, Vec<(Identity, Answer)>)>,
    /// The conversation that is harmed when only one is.
    victim: Bytes,
}

static HEALTHY: OnceLock<Healthy> = OnceLock::new();

impl Healthy {
    fn new() -> Self {
        let server = Server::new();
        let people: Vec<_> = server.people().into_iter().map(|person| person.identity).collect();
        let [ann, ben, cat] = people.as_slice() else { panic!("three people") };
        let group = said(&server, ann, send::To::NewGroup(true), 0, &created(ben));
        let direct = said(&server, ann, send::To::Peer(ben.user.to_wire()), 0, &text("one"));
        let other = said(&server, cat, send::To::Peer(ben.user.to_wire()), 0, &text("two"));
        let kinds = [
            (EntryKind::Text, text("three").1),
            (EntryKind::Edit, edit(2)),
            (EntryKind::Reaction, reaction(2)),
            (EntryKind::Pin, wire::Pin { seq: 2, removed: false }.encode_to_vec()),
            (EntryKind::Text, text("four").1),
            (EntryKind::Delete, wire::Delete { seq: 6, ordinal: 2 }.encode_to_vec()),
        ];
        for (id, entry) in (1u8..).zip(kinds) {
            said(&server, ann, send::To::Conversation(group.clone()), id, &entry);
        }
        let invites = wire::invites::Act::Create(wire::NewInvite::default());
        let invites = wire::Invites { conversation: group.clone(), act: Some(invites) };
        server.ask(ann, Ask::Invites(invites));
        server.ask(ben, Ask::Hide(wire::Hide { conversation: group.clone(), seqs: vec![2] }));
        let draft = Some("a draft".to_owned());
        let conversation = direct.clone();
        let draft = wire::SetPreferences { conversation, draft, ..wire::SetPreferences::default() };
        server.ask(ben, Ask::SetPreferences(draft));
        for change in [
            wire::update_account::Change::AddContact(ben.user.to_wire()),
            wire::update_account::Change::Block(cat.user.to_wire()),
        ] {
            server.ask(ann, Ask::UpdateAccount(wire::UpdateAccount { change: Some(change) }));
        }
        let page = |conversation: &Bytes| {
            let reads = |who: &Identity| (who.clone(), server.ask(who, read(conversation)));
            (conversation.clone(), people.iter().map(reads).collect::<Vec<_>>())
        };
        let pages = Vec::from([&group, &direct, &other].map(page));
        let engine = server.survivor();
        let rows = FAMILIES.iter().flat_map(|tuning| rows(&engine, tuning.family)).collect();
        Self { rows, pages, victim: group, people }
    }

    fn engine(&self) -> MemoryEngine {
        let engine = MemoryEngine::new();
        let write =
            |row: &Row| Write { table: row.table, key: row.key(), value: Some(row.value.clone()) };
        let all: Vec<_> = self.rows.iter().map(write).collect();
        engine.write(&all).unwrap_or_else(|error| panic!("{error}"));
        engine
    }

    /// Asks for all there is. Whatever the answers are, they are answers.
    fn visit(&self, server: &Server, person: &Identity) {
        let user = person.user.to_wire();
        for (conversation, _) in &self.pages {
            let of = || conversation.clone();
            let from =
                |from| Ask::Fetch(wire::Fetch { conversation: of(), from: Some(from), limit: 3 });
            use wire::fetch::From;
            for ask in [
                from(From::BeforeSeq(u64::MAX)),
                from(From::AroundTimeMs(1)),
                from(From::MentionsBefore(u64::MAX)),
                from(From::Pinned(true)),
                from(From::EditsOf(2)),
                Ask::Describe(wire::Describe { conversation: of() }),
                Ask::Receipts(wire::Receipts { conversation: of(), seq: 2 }),
                Ask::Hidden(wire::Hidden { conversation: of(), after: 0 }),
                Ask::Hide(wire::Hide { conversation: of(), seqs: vec![1] }),
                Ask::Invites(wire::Invites {
                    conversation: of(),
                    act: Some(wire::invites::Act::List(true)),
                }),
                Ask::Typing(wire::Typing { conversation: of(), stopped: false }),
            ] {
                let _ = server.try_ask(person, ask);
            }
            let to = send::To::Conversation(of());
            let _ = server.try_ask(person, Ask::Send(message(to, 9, &text("after"))));
        }
        for ask in [
            Ask::Sync(wire::Sync { feed_position: 0 }),
            Ask::GetAccount(wire::GetAccount {}),
            Ask::GetProfile(wire::GetProfile { user }),
            Ask::Lookup(wire::Lookup { by: Some(wire::lookup::By::Name("ben".to_owned())) }),
        ] {
            let _ = server.try_ask(person, ask);
        }
    }
}

fn rows(engine: &MemoryEngine, family: Family) -> Vec<Row> {
    let all = Scan {
        from: Key::prefix(Table::Entries, ShardId(0)),
        to: Key::prefix(Table::Entries, NODE).with(&[0xff; 100]),
        order: Order::Ascending,
        rows: 10_000,
        bytes: 1 << 30,
    };
    let found = engine.scan(family, &all).unwrap_or_else(|error| panic!("{error}"));
    let row = |(key, value): (Bytes, Bytes)| {
        let decoded = RowKey::decode(family, &key).unwrap_or_else(|e| panic!("{e}: {key:?}"));
        Row { table: decoded.table(), key, value }
    };
    found.rows.into_iter().map(row).collect()
}

fn read(conversation: &Bytes) -> Ask {
    let from = Some(wire::fetch::From::AfterSeq(0));
    Ask::Fetch(wire::Fetch { conversation: conversation.clone(), from, limit: 50 })
}

fn said(
    server: &Server,
    who: &Identity,
    to: send::To,
    id: u8,
    entry: &(EntryKind, Vec<u8>),
) -> Bytes {
    match server.ask(who, Ask::Send(message(to, id, entry))) {
        Answer::Sent(sent) => sent.conversation,
        other => panic!("{other:?} to {entry:?}"),
    }
}

fn message(to: send::To, id: u8, (kind, body): &(EntryKind, Vec<u8>)) -> wire::Send {
    let (to, kind, body) = (Some(to), *kind as u32, body.clone().into());
    wire::Send { to, client_message_id: Bytes::copy_from_slice(&[id; 4]), kind, body }
}

fn text(text: &str) -> (EntryKind, Vec<u8>) {
    let text = wire::Text { text: text.to_owned(), ..wire::Text::default() };
    (EntryKind::Text, text.encode_to_vec())
}

fn created(other: &Identity) -> (EntryKind, Vec<u8>) {
    let info = wire::GroupInfo { title: "t".to_owned(), ..wire::GroupInfo::default() };
    let members = vec![other.user.to_wire()];
    let created = wire::GroupCreated { info: Some(info), settings: None, members };
    (EntryKind::GroupCreated, created.encode_to_vec())
}

fn edit(seq: u64) -> Vec<u8> {
    wire::Edit { seq, text: "edited".to_owned(), mentions: Vec::new() }.encode_to_vec()
}

fn reaction(seq: u64) -> Vec<u8> {
    wire::Reaction { seq, emoji: "x".to_owned(), removed: false }.encode_to_vec()
}
