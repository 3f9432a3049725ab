//! Everything behind the sockets over a store in memory: what strangers learn of
//! conversations that are not theirs.

use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use parley_core::conversation::{Move, direct_id};
use parley_core::session::{CursorMove, Identity};
use parley_protocol::wire::client_envelope::Kind as Ask;
use parley_protocol::wire::server_envelope::Kind as Said;
use parley_protocol::wire::{self, ClientEnvelope, EntryKind, ServerEnvelope, fetch, send};
use parley_protocol::{Code, ConversationId, DeviceId, Message as _, UserId};

use super::*;
use crate::chat::link::Link;
use crate::edge::session::Requester;
use crate::storage::store::engine::memory::MemoryEngine;
use crate::storage::store::engine::{Engine, EngineError, Scan, Scanned, Usage};
use crate::storage::store::families::Family;
use crate::storage::store::tables::users;
use crate::storage::store::{UserRow, Write};

const ANN: UserId = UserId::new([0xa1; 16]);
const BEN: UserId = UserId::new([0xb2; 16]);
const EVE: UserId = UserId::new([0xe5; 16]);
const SHARDS: u16 = 4;

/// An engine that remembers which keys were read.
struct Watched {
    inner: MemoryEngine,
    read: parking_lot::Mutex<Vec<(Family, Vec<u8>)>>,
}

impl Engine for Watched {
    fn read(&self, family: Family, key: &[u8]) -> Result<Option<Bytes>, EngineError> {
        self.read.lock().push((family, key.to_vec()));
        self.inner.read(family, key)
    }

    fn scan(&self, family: Family, scan: &Scan) -> Result<Scanned, EngineError> {
        self.read.lock().push((family, scan.from.as_bytes().to_vec()));
        self.inner.scan(family, scan)
    }

    fn write(&self, batch: &[Write]) -> Result<(), EngineError> {
        self.inner.write(batch)
    }

    fn flush(&self) -> Result<(), EngineError> {
        self.inner.flush()
    }

    fn sync(&self) -> Result<(), EngineError> {
        self.inner.sync()
    }

    fn roll(&self) -> Result<(), EngineError> {
        self.inner.roll()
    }

    fn usage(&self) -> Usage {
        self.inner.usage()
    }
}

struct Node {
    backend: Backend,
    engine: Arc<Watched>,
}

fn start(engine: Arc<Watched>) -> Node {
    let store = Store::over(Arc::clone(&engine) as _, SHARDS, [7; 16]).unwrap();
    let count = shard_count(&store).unwrap();
    let row = |user: UserId| {
        let row = UserRow { name: format!("user{:?}", user.as_bytes()[0]), ..UserRow::default() };
        users::put(count.of_user(user), user, &row)
    };
    store.write_synced(&[ANN, BEN, EVE].map(row)).unwrap();
    let config = Config::default();
    let backend = Backend::start(&config, store, |error| panic!("{error}")).unwrap();
    Node { backend, engine }
}

fn node() -> Node {
    start(Arc::new(Watched { inner: MemoryEngine::new(), read: parking_lot::Mutex::default() }))
}

fn identity(user: UserId) -> Identity {
    Identity { user, name: "x".into(), device: DeviceId::new(*user.as_bytes()) }
}

impl Node {
    async fn ask(&self, user: UserId, kind: Ask) -> ServerEnvelope {
        let from = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let requester = Requester { identity: identity(user), from };
        let envelope = ClientEnvelope { request: 1, kind: Some(kind) };
        self.backend.host.answer(&requester, envelope).await.unwrap()
    }

    async fn send(&self, from: UserId, to: send::To, id: &str) -> Result<wire::Sent, u32> {
        match self.ask(from, text(to, id)).await.kind {
            Some(Said::Sent(sent)) => Ok(sent),
            Some(Said::Failure(failure)) => Err(failure.code),
            other => panic!("{other:?}"),
        }
    }

    /// Stops and starts again over the same rows.
    async fn restart(self) -> Self {
        let Self { backend, engine } = self;
        backend.close().await;
        start(engine)
    }

    /// What the asker is told, without what names the conversation, and the
    /// shape of every read.
    async fn probe(&self, user: UserId, kind: Ask, id: ConversationId) -> Probe {
        self.engine.read.lock().clear();
        let code = match self.ask(user, kind).await.kind {
            Some(Said::Failure(failure)) => Some(failure.code),
            _ => None,
        };
        self.reads(code, user, id)
    }

    async fn probe_move(&self, user: UserId, which: Move, id: ConversationId) -> Probe {
        self.engine.read.lock().clear();
        let link = Link::of_no_session(&identity(user), 1 << 20);
        let wanted = CursorMove { conversation: id, which, up_to: 1, given: Default::default() };
        self.backend.host.move_one(&identity(user), &link, wanted).await;
        let code = match link.first_answer().await.unwrap().kind {
            Some(Said::Failure(failure)) => Some(failure.code),
            _ => None,
        };
        self.reads(code, user, id)
    }

    fn reads(&self, code: Option<u32>, user: UserId, id: ConversationId) -> Probe {
        let reads = std::mem::take(&mut *self.engine.read.lock());
        let names = |key: &[u8], id: &[u8; 16]| key.windows(16).any(|part| part == id);
        let foreign = reads
            .iter()
            .filter(|(_, key)| names(key, id.as_bytes()) && !names(key, user.as_bytes()))
            .count();
        let shape = reads.iter().map(|(family, key)| (*family, key.len())).collect();
        Probe { code, foreign, shape }
    }
}

#[derive(Debug, PartialEq)]
struct Probe {
    code: Option<u32>,
    /// Reads of rows that are the conversation's and not the asker's own.
    foreign: usize,
    shape: Vec<(Family, usize)>,
}

fn text(to: send::To, id: &str) -> Ask {
    let body = wire::Text { text: "hello".into(), ..Default::default() };
    Ask::Send(wire::Send {
        to: Some(to),
        client_message_id: Bytes::copy_from_slice(id.as_bytes()),
        kind: EntryKind::Text as u32,
        body: body.encode_to_vec().into(),
    })
}

/// Every request without a session that names a conversation.
fn requests(id: ConversationId) -> Vec<Ask> {
    let conversation = id.to_wire();
    let fetch =
        |from| Ask::Fetch(wire::Fetch { conversation: id.to_wire(), from: Some(from), limit: 10 });
    let entry = |kind: EntryKind, body: Vec<u8>| {
        Ask::Send(wire::Send {
            to: Some(send::To::Conversation(id.to_wire())),
            client_message_id: Bytes::from(format!("probe {kind:?}")),
            kind: kind as u32,
            body: body.into(),
        })
    };
    let invites = |act| Ask::Invites(wire::Invites { conversation: id.to_wire(), act: Some(act) });
    let users = vec![ANN.to_wire()];
    let edit = wire::Edit { seq: 1, text: "x".into(), ..Default::default() };
    vec![
        fetch(fetch::From::AfterSeq(0)),
        fetch(fetch::From::BeforeSeq(9)),
        fetch(fetch::From::AroundSeq(1)),
        fetch(fetch::From::AroundTimeMs(1)),
        fetch(fetch::From::MentionsBefore(9)),
        fetch(fetch::From::Pinned(true)),
        fetch(fetch::From::EditsOf(1)),
        Ask::Describe(wire::Describe { conversation: conversation.clone() }),
        Ask::Receipts(wire::Receipts { conversation: conversation.clone(), seq: 1 }),
        Ask::Typing(wire::Typing { conversation: conversation.clone(), stopped: false }),
        Ask::SetPreferences(wire::SetPreferences {
            conversation: conversation.clone(),
            archived: Some(true),
            ..Default::default()
        }),
        Ask::Hide(wire::Hide { conversation: conversation.clone(), seqs: vec![1] }),
        Ask::Hidden(wire::Hidden { conversation: conversation.clone(), after: 0 }),
        invites(wire::invites::Act::List(true)),
        invites(wire::invites::Act::Create(wire::NewInvite::default())),
        invites(wire::invites::Act::Revoke(Bytes::from_static(&[1; 8]))),
        Ask::Report(wire::Report {
            user: ANN.to_wire(),
            conversation: conversation.clone(),
            seqs: vec![1],
            reason: "x".into(),
        }),
        text(send::To::Conversation(conversation), "probe"),
        entry(EntryKind::Edit, edit.encode_to_vec()),
        entry(EntryKind::Delete, wire::Delete { seq: 1, ordinal: 1 }.encode_to_vec()),
        entry(EntryKind::MembersAdded, wire::MembersAdded { users }.encode_to_vec()),
        entry(EntryKind::MemberLeft, Vec::new()),
    ]
}

/// Of what is written to somebody else no row is read for a stranger, in memory
/// or not, and no answer and no read sets it apart from what isn't there.
#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_of_others_costs_and_says_what_none_does() {
    let mut node = node();
    node.send(ANN, send::To::Peer(BEN.to_wire()), "m1").await.unwrap();
    let (there, none) = (direct_id(ANN, BEN), direct_id(ANN, UserId::new([0xcc; 16])));
    for round in ["in memory", "after a restart"] {
        // People are remembered once they were asked for, whatever they are asked.
        for ask in requests(none) {
            node.probe(EVE, ask, none).await;
        }
        for (exists, missing) in requests(there).into_iter().zip(requests(none)) {
            let said = format!("{round}: {exists:?}");
            let exists = node.probe(EVE, exists, there).await;
            let missing = node.probe(EVE, missing, none).await;
            assert_eq!(exists.code, Some(Code::NotFound as u32), "{said}");
            assert_eq!(exists.foreign, 0, "{said}");
            assert_eq!(exists, missing, "{said}");
        }
        for which in [Move::Delivered, Move::Read] {
            let exists = node.probe_move(EVE, which, there).await;
            assert_eq!((exists.code, exists.foreign), (Some(Code::NotFound as u32), 0));
            assert_eq!(exists, node.probe_move(EVE, which, none).await);
        }
        node = node.restart().await;
    }
    assert_eq!(node.backend.states.loaded(), 0, "nothing was loaded for her");
    node.backend.close().await;
}

/// Who is in finds it: at once, before and after the feed is written, after a
/// restart; and so does whoever was in it.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_or_was_in_it_finds_it_at_any_time() {
    let mut node = node();
    let sent = node.send(ANN, send::To::Peer(BEN.to_wire()), "m1").await.unwrap();
    assert_eq!(sent.conversation, direct_id(ANN, BEN).to_wire());
    let created = wire::GroupCreated {
        info: Some(wire::GroupInfo { title: "g".into(), ..Default::default() }),
        members: vec![BEN.to_wire(), EVE.to_wire()],
        ..Default::default()
    };
    let make = Ask::Send(wire::Send {
        to: Some(send::To::NewGroup(true)),
        client_message_id: Bytes::from_static(b"g"),
        kind: EntryKind::GroupCreated as u32,
        body: created.encode_to_vec().into(),
    });
    let Some(Said::Sent(made)) = node.ask(ANN, make).await.kind else { panic!("no group") };
    let group = ConversationId::from_slice(&made.conversation).unwrap();
    let leave = Ask::Send(wire::Send {
        to: Some(send::To::Conversation(group.to_wire())),
        client_message_id: Bytes::from_static(b"l"),
        kind: EntryKind::MemberLeft as u32,
        body: Bytes::new(),
    });
    assert!(matches!(node.ask(EVE, leave).await.kind, Some(Said::Sent(_))));
    let describe =
        |id: ConversationId| Ask::Describe(wire::Describe { conversation: id.to_wire() });
    for _ in 0..3 {
        for (user, id) in [
            (ANN, direct_id(ANN, BEN)),
            (BEN, direct_id(BEN, ANN)),
            (ANN, group),
            (BEN, group),
            (EVE, group),
        ] {
            let said = node.ask(user, describe(id)).await.kind;
            let Some(Said::Described(described)) = said else { panic!("{user:?} {id}: {said:?}") };
            assert_eq!(described.former, user == EVE);
        }
        node = node.restart().await;
    }
    node.backend.close().await;
}

/// A send that people refuse leaves nothing that could be described or typed in.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_is_not_there() {
    let node = node();
    let edit = wire::Edit { seq: 1, text: "x".into(), ..Default::default() };
    let edit = Ask::Send(wire::Send {
        to: Some(send::To::Peer(BEN.to_wire())),
        client_message_id: Bytes::from_static(b"e"),
        kind: EntryKind::Edit as u32,
        body: edit.encode_to_vec().into(),
    });
    let Some(Said::Failure(refused)) = node.ask(ANN, edit).await.kind else { panic!("taken") };
    assert_eq!(refused.code, Code::TargetInvalid as u32);
    let id = direct_id(ANN, BEN);
    for ask in requests(id) {
        let said = format!("{ask:?}");
        let code = node.probe(ANN, ask, id).await.code;
        assert_eq!(code, Some(Code::NotFound as u32), "{said}");
    }
    node.backend.close().await;
}

/// Somebody's session, without a connection: what is queued for it can be looked at.
fn attach(node: &Node, user: UserId) -> Arc<Link> {
    let Identity { device, .. } = identity(user);
    let id = crate::chat::link::session_id();
    let link = Arc::new(Link::new(id, user, device, true, 1 << 20));
    node.backend.homes.attach(&link).unwrap();
    link
}

/// Receipts and typing that wait for it.
fn signs(link: &Link) -> Vec<Said> {
    let mut found = Vec::new();
    while let crate::chat::link::Next::Write(items, bytes) = link.next(1 << 20) {
        link.written(bytes);
        found.extend(items.into_iter().filter_map(|(item, _)| item.into_envelope().kind));
    }
    found.retain(|said| matches!(said, Said::Receipt(_) | Said::Typed(_)));
    found
}

impl Node {
    /// Acknowledges as the user's device does, and waits until that is carried out.
    async fn acknowledge(&self, user: UserId, which: Move, id: ConversationId, up_to: u64) {
        let mut given = parley_core::conversation::Given::default();
        given.add(parley_core::conversation::Interval { from: 1, to: up_to });
        let link = Link::of_no_session(&identity(user), 1 << 20);
        let wanted = CursorMove { conversation: id, which, up_to, given };
        self.backend.host.move_one(&identity(user), &link, wanted).await;
        let answer = link.first_answer().await.unwrap().kind;
        assert!(matches!(answer, Some(Said::Moved(_))), "{answer:?}");
    }

    /// What `viewer` is told of how far `of` is: live, described, listed for `seq`.
    async fn shown(&self, viewer: UserId, of: UserId, id: ConversationId, seq: u64) -> [u64; 4] {
        let ask = Ask::Describe(wire::Describe { conversation: id.to_wire() });
        let Some(Said::Described(described)) = self.ask(viewer, ask).await.kind else { panic!() };
        let member = described.members.iter().find(|member| member.user == of.to_wire()).unwrap();
        let ask = Ask::Receipts(wire::Receipts { conversation: id.to_wire(), seq });
        let Some(Said::ReceiptList(list)) = self.ask(viewer, ask).await.kind else { panic!() };
        let listed = list.members.iter().find(|member| member.user == of.to_wire()).unwrap();
        let since = u64::from(listed.delivered_ms > 0);
        [member.delivered, member.read, since, u64::from(listed.read_ms > 0)]
    }

    async fn react(&self, from: UserId, id: ConversationId, name: &str, removed: bool) -> u64 {
        let body = wire::Reaction { seq: 1, emoji: "+".into(), removed };
        let ask = Ask::Send(wire::Send {
            to: Some(send::To::Conversation(id.to_wire())),
            client_message_id: Bytes::copy_from_slice(name.as_bytes()),
            kind: EntryKind::Reaction as u32,
            body: body.encode_to_vec().into(),
        });
        let Some(Said::Sent(sent)) = self.ask(from, ask).await.kind else { panic!("{name}") };
        sent.seq
    }
}

/// Who wrote once and reacts to their own message learns of no device, before an
/// answer and after it; what is told of messages is told as before.
#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_told_nothing_and_nobody_of_what_is_no_message() {
    let node = node();
    let id = direct_id(EVE, BEN);
    node.send(EVE, send::To::Peer(BEN.to_wire()), "m1").await.unwrap();
    let eve = attach(&node, EVE);
    node.acknowledge(BEN, Move::Delivered, id, 1).await;
    node.acknowledge(BEN, Move::Read, id, 1).await;
    assert!(signs(&eve).is_empty(), "he never wrote to her");
    assert_eq!(node.shown(EVE, BEN, id, 1).await, [0; 4]);
    // He answers: from now on messages are told, the first one with his own.
    let own = node.send(BEN, send::To::Peer(EVE.to_wire()), "m2").await.unwrap().seq;
    node.acknowledge(BEN, Move::Read, id, own).await;
    let told = signs(&eve);
    let [Said::Receipt(receipt)] = &told[..] else { panic!("{told:?}") };
    assert_eq!((receipt.delivered, receipt.read), (own, own));
    let seq = node.react(EVE, id, "r3", false).await;
    node.acknowledge(BEN, Move::Delivered, id, seq).await;
    let seq = node.react(EVE, id, "r4", true).await;
    node.acknowledge(BEN, Move::Delivered, id, seq).await;
    node.acknowledge(BEN, Move::Read, id, seq).await;
    assert!(signs(&eve).is_empty(), "a reaction is delivered in silence");
    assert_eq!(node.shown(EVE, BEN, id, 1).await, [own, own, 1, 1]);
    let seq = node.send(EVE, send::To::Peer(BEN.to_wire()), "m5").await.unwrap().seq;
    node.acknowledge(BEN, Move::Delivered, id, seq).await;
    let told = signs(&eve);
    let [Said::Receipt(receipt)] = &told[..] else { panic!("{told:?}") };
    assert_eq!((receipt.delivered, receipt.read), (seq, own));
    node.acknowledge(BEN, Move::Read, id, seq).await;
    assert_eq!(signs(&eve).len(), 1);
    assert_eq!(node.shown(EVE, BEN, id, seq).await, [seq, seq, 1, 1]);
    node.backend.close().await;
}

/// The same when nothing is remembered of the log, and in a group.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_and_in_a_group_reactions_are_silent_too() {
    let node = node();
    let created = wire::GroupCreated {
        info: Some(wire::GroupInfo { title: "g".into(), ..Default::default() }),
        members: vec![BEN.to_wire()],
        ..Default::default()
    };
    let make = Ask::Send(wire::Send {
        to: Some(send::To::NewGroup(true)),
        client_message_id: Bytes::from_static(b"g"),
        kind: EntryKind::GroupCreated as u32,
        body: created.encode_to_vec().into(),
    });
    let Some(Said::Sent(made)) = node.ask(EVE, make).await.kind else { panic!("no group") };
    let group = ConversationId::from_slice(&made.conversation).unwrap();
    let to = || send::To::Conversation(group.to_wire());
    let message = node.send(EVE, to(), "m").await.unwrap().seq;
    node.acknowledge(BEN, Move::Delivered, group, message).await;
    assert_eq!(node.shown(EVE, BEN, group, message).await, [message, 0, 1, 0]);
    let react = |emoji: &str| {
        let body = wire::Reaction { seq: message, emoji: emoji.into(), removed: false };
        Ask::Send(wire::Send {
            to: Some(to()),
            client_message_id: Bytes::copy_from_slice(emoji.as_bytes()),
            kind: EntryKind::Reaction as u32,
            body: body.encode_to_vec().into(),
        })
    };
    let Some(Said::Sent(first)) = node.ask(EVE, react("+")).await.kind else { panic!() };
    let node = node.restart().await;
    node.acknowledge(BEN, Move::Delivered, group, first.seq).await;
    assert_eq!(node.shown(EVE, BEN, group, message).await, [message, 0, 1, 0]);
    let Some(Said::Sent(second)) = node.ask(EVE, react("-")).await.kind else { panic!() };
    node.acknowledge(BEN, Move::Delivered, group, second.seq).await;
    assert_eq!(node.shown(EVE, BEN, group, message).await, [message, 0, 1, 0]);
    let message = node.send(EVE, to(), "m2").await.unwrap().seq;
    node.acknowledge(BEN, Move::Delivered, group, message).await;
    assert_eq!(node.shown(EVE, BEN, group, message).await, [message, 0, 1, 0]);
    node.backend.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_strangers_do_not_see_each_other_type_and_are_told_no_more_than_before() {
    let node = node();
    let id = direct_id(EVE, BEN);
    node.send(EVE, send::To::Peer(BEN.to_wire()), "m1").await.unwrap();
    let (eve, ben) = (attach(&node, EVE), attach(&node, BEN));
    let typing = |stopped| Ask::Typing(wire::Typing { conversation: id.to_wire(), stopped });
    for user in [EVE, BEN] {
        let echo = node.ask(user, typing(false)).await.kind;
        assert!(matches!(echo, Some(Said::Typed(_))), "{echo:?}");
        node.ask(user, typing(true)).await;
    }
    assert!(signs(&eve).is_empty() && signs(&ben).is_empty());
    node.send(BEN, send::To::Peer(EVE.to_wire()), "m2").await.unwrap();
    // "Stopped" ended the last word; the next may come after the throttle's time.
    tokio::time::sleep(std::time::Duration::from_millis(2_100)).await;
    for user in [EVE, BEN] {
        node.ask(user, typing(false)).await;
    }
    assert_eq!((signs(&eve).len(), signs(&ben).len()), (1, 1));
    node.backend.close().await;
}

/// From outside of loopback, where everything is counted.
async fn first_message(node: &Node, from: UserId, to: UserId) -> Option<wire::Failure> {
    let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    let requester = Requester { identity: identity(from), from: address };
    let kind = Some(text(send::To::Peer(to.to_wire()), "first"));
    let envelope = ClientEnvelope { request: 1, kind };
    match node.backend.host.answer(&requester, envelope).await.unwrap().kind {
        Some(Said::Failure(failure)) => Some(failure),
        Some(Said::Sent(_)) => None,
        other => panic!("{other:?}"),
    }
}

fn user(n: u8) -> UserId {
    let mut id = [n; 16];
    id[0] = 0x77;
    UserId::new(id)
}

fn sign_up(node: &Node, users: impl Iterator<Item = UserId>) {
    let count = shard_count(&node.backend.store).unwrap();
    let row = |user: UserId| {
        users::put(count.of_user(user), user, &UserRow { name: "x".into(), ..UserRow::default() })
    };
    node.backend.store.write_synced(&users.map(row).collect::<Vec<_>>()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_account_reaches_few_strangers_and_those_who_wrote_at_any_time() {
    let node = node();
    sign_up(&node, (0..40).map(user));
    for n in 0..30 {
        assert_eq!(first_message(&node, EVE, user(n)).await, None, "{n}");
    }
    let refused = first_message(&node, EVE, user(30)).await.unwrap();
    assert_eq!(refused.code, Code::RateLimited as u32);
    assert!(refused.retry_after_ms > 0 && refused.retry_after_ms <= 120_000);
    // Who wrote first is no stranger, nor whom she wrote to already.
    assert_eq!(first_message(&node, user(31), EVE).await, None);
    assert_eq!(first_message(&node, EVE, user(31)).await, None);
    // Of a group whose members don't know her the same bucket pays.
    let from = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    let group = |id: &str, members: Vec<UserId>| {
        let created = wire::GroupCreated {
            info: Some(wire::GroupInfo { title: "g".into(), ..Default::default() }),
            members: members.iter().map(|user| user.to_wire()).collect(),
            ..Default::default()
        };
        let kind = Some(Ask::Send(wire::Send {
            to: Some(send::To::NewGroup(true)),
            client_message_id: Bytes::copy_from_slice(id.as_bytes()),
            kind: EntryKind::GroupCreated as u32,
            body: created.encode_to_vec().into(),
        }));
        let requester = Requester { identity: identity(EVE), from };
        let host = node.backend.host.clone();
        async move {
            let envelope = ClientEnvelope { request: 1, kind };
            match host.answer(&requester, envelope).await.unwrap().kind {
                Some(Said::Failure(failure)) => failure.code,
                _ => 0,
            }
        }
    };
    assert_eq!(group("a", vec![user(32)]).await, Code::RateLimited as u32);
    assert_eq!(group("b", vec![user(31)]).await, 0, "he wrote to her");
    assert_eq!(group("c", (0..31).map(user).collect()).await, Code::TooManyStrangers as u32);
    node.backend.close().await;
}

/// Whatever many strangers do to one, those whom that one knows come through.
#[tokio::test(flavor = "multi_thread")]
async fn a_victim_gets_so_much_of_strangers_and_friends_are_not_held_back() {
    let node = node();
    sign_up(&node, (0..70).map(user));
    for n in 0..60 {
        assert_eq!(first_message(&node, user(n), BEN).await, None, "{n}");
    }
    let refused = first_message(&node, user(60), BEN).await.unwrap();
    assert_eq!(refused.code, Code::RateLimited as u32);
    let add = wire::UpdateAccount {
        change: Some(wire::update_account::Change::AddContact(user(61).to_wire())),
    };
    assert!(matches!(
        node.ask(BEN, Ask::UpdateAccount(add)).await.kind,
        Some(Said::AccountChanged(_))
    ));
    assert_eq!(first_message(&node, user(61), BEN).await, None, "a contact");
    // What waits for an answer is counted, also once the feed is written.
    let homes = &node.backend.homes;
    assert_eq!(homes.unanswered(BEN, 1000).unwrap(), 61);
    homes.flush().unwrap();
    assert_eq!(homes.unanswered(BEN, 1000).unwrap(), 61);
    node.send(BEN, send::To::Peer(user(0).to_wire()), "answer").await.unwrap();
    assert_eq!(homes.unanswered(BEN, 1000).unwrap(), 60);
    assert_eq!(homes.unanswered(BEN, 7).unwrap(), 7);
    node.backend.close().await;
}

/// Ids that a client makes up take no bucket, and asking for what isn't there ends.
#[tokio::test(flavor = "multi_thread")]
async fn who_guesses_is_held_back_and_fills_nothing() {
    let node = node();
    let requester =
        Requester { identity: identity(EVE), from: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)) };
    let mut codes = Vec::new();
    for n in 0..210u64 {
        let mut id = [0x11; 16];
        id[..8].copy_from_slice(&n.to_be_bytes());
        let kind = Some(text(send::To::Conversation(ConversationId::new(id).to_wire()), "x"));
        let envelope = ClientEnvelope { request: 1, kind };
        let answer = node.backend.host.answer(&requester, envelope).await.unwrap();
        let Some(Said::Failure(failure)) = answer.kind else { panic!("{n}") };
        codes.push(failure.code);
    }
    assert!(codes[..200].iter().all(|code| *code == Code::NotFound as u32));
    assert!(codes[205..].iter().all(|code| *code == Code::RateLimited as u32));
    assert_eq!(node.backend.host.send_buckets(), 0);
    node.backend.close().await;
}
