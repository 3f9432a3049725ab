//! The feed over a store in memory: pages, flushes, crashes, sessions.

use std::collections::HashMap;

use parley_protocol::wire::ConversationKind;
use parley_protocol::{ClientMessageId, Message as _, wire};
use proptest::prelude::*;

use super::*;
use crate::chat::link::Next;
use crate::storage::log::{Append, Log as _, MemoryLog, Op, StampedEntry, Urgency};
use crate::storage::store::engine::memory::{Crash, MemoryEngine};
use crate::storage::store::{
    ConversationRow, CursorRow, DedupeRow, MemberRow, Place, Record, tables,
};

const ANN: UserId = UserId::new([1; 16]);
const BEN: UserId = UserId::new([2; 16]);
const NODE_ID: [u8; 16] = [9; 16];

fn count() -> ShardCount {
    ShardCount::new(4).unwrap()
}

fn homes_over(engine: &Arc<MemoryEngine>) -> Homes {
    let options = Options { sessions_per_user: 2, dirty_entries: 1000 };
    let store = Store::over(Arc::clone(engine) as _, count().get(), NODE_ID).unwrap();
    Homes::new(options, count(), store)
}

fn conversation(n: u8) -> ConversationId {
    ConversationId::new([n; 16])
}

fn change(seq: u64) -> FeedEntry {
    FeedEntry { last_seq: seq, last_ordinal: seq, last_time_ms: seq, ..FeedEntry::default() }
}

/// Reads the feed page by page, as a client does.
fn read_all(
    homes: &Homes,
    user: UserId,
    mut since: u64,
    limit: usize,
) -> (Vec<wire::FeedEntry>, u64) {
    let mut entries = Vec::new();
    loop {
        let page = homes.changes(user, since, limit, None).unwrap();
        assert!(page.entries.len() <= limit);
        assert!(page.entries.iter().all(|entry| entry.version > since), "nothing old comes again");
        assert!(page.entries.is_sorted_by_key(|entry| entry.version));
        entries.extend(page.entries);
        assert!(page.feed_position >= since);
        if !page.more {
            return (entries, page.feed_position);
        }
        assert!(page.feed_position > since, "a page that leads nowhere");
        since = page.feed_position;
    }
}

#[derive(Debug, Clone)]
enum Step {
    Change { conversation: u8, seq: u64 },
    Flush,
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0u8..12, 1u64..50).prop_map(|(conversation, seq)| Step::Change { conversation, seq }),
        2 => Just(Step::Flush),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 0..60)
}

proptest! {
    /// Whatever is in memory and whatever is flushed, paging through the feed
    /// gives every conversation once, in its newest state; and whoever asks
    /// from an earlier position gets exactly what changed since.
    #[test]
    fn pages_give_everything_once(before in steps(), after in steps(), limit in 1usize..6) {
        let engine = Arc::new(MemoryEngine::new());
        let mut homes = homes_over(&engine);
        let mut truth: HashMap<u8, u64> = HashMap::new();
        let mut play = |homes: &mut Homes, steps: Vec<Step>| {
            let mut touched: Vec<u8> = Vec::new();
            for step in steps {
                match step {
                    Step::Change { conversation: n, seq } => {
                        homes.handle_read(ANN, conversation(n), change(seq));
                        let known = truth.entry(n).or_default();
                        *known = (*known).max(seq);
                        touched.push(n);
                    }
                    Step::Flush => homes.flush().unwrap(),
                    Step::Restart => {
                        homes.flush().unwrap();
                        *homes = homes_over(&engine);
                    }
                }
            }
            touched.sort_unstable();
            touched.dedup();
            touched
        };
        play(&mut homes, before);
        let (first, position) = read_all(&homes, ANN, 0, limit);
        let touched = play(&mut homes, after);
        let (later, end) = read_all(&homes, ANN, position, limit);
        let mut changed: Vec<u8> = later.iter().map(|entry| entry.conversation[0]).collect();
        changed.sort_unstable();
        prop_assert_eq!(changed, touched);
        prop_assert_eq!(homes.position(ANN).unwrap(), end);
        // A device that took both parts holds the truth.
        let held: HashMap<u8, u64> =
            first.iter().chain(&later).map(|entry| (entry.conversation[0], entry.last_seq)).collect();
        prop_assert_eq!(held, truth);
    }
}

#[test]
fn a_position_from_elsewhere_starts_from_the_beginning() {
    let homes = homes_over(&Arc::new(MemoryEngine::new()));
    homes.handle_read(ANN, conversation(1), change(3));
    let page = homes.changes(ANN, u64::MAX, 10, None).unwrap();
    assert_eq!((page.entries.len(), page.entries[0].last_seq), (1, 3));
    assert_eq!(homes.position(ANN).unwrap(), page.feed_position);
}

/// Commits an entry of ANN's to a 1:1 with BEN, as the shard does.
fn commit_entry(log: &MemoryLog<()>, id: ConversationId, seq: u64) {
    let entry = wire::Entry {
        seq,
        ordinal: seq,
        time_ms: seq,
        sender: ANN.to_wire(),
        kind: 1,
        ..Default::default()
    };
    let record = Record { entry: entry.encode_to_vec().into(), ..Record::default() };
    let members = [ANN, BEN]
        .map(|user| MemberRow { user: user.to_wire(), joined_seq: 1, ..MemberRow::default() })
        .to_vec();
    let row = ConversationRow {
        kind: ConversationKind::Direct as u32,
        members,
        created_ms: 1,
        ..ConversationRow::default()
    };
    let place = Place::of(count(), id);
    let stamped = StampedEntry {
        conversation: id,
        seq,
        record: record.encode_to_vec().into(),
        device: DeviceId::new([5; 16]),
        client_message_id: ClientMessageId::new(seq.to_be_bytes().to_vec().into()).unwrap(),
        dedupe: DedupeRow::default(),
    };
    let rows = Op::Rows(vec![tables::conversations::put(place, &row)]);
    let ops = vec![Op::Entry(stamped), rows];
    let shard = place.shard;
    log.try_append(Append { shard, ops, urgency: Urgency::Synced, context: () }).unwrap();
}

/// BEN reads up to a seq, as the shard writes it.
fn commit_read(log: &MemoryLog<()>, id: ConversationId, seq: u64) {
    let place = Place::of(count(), id);
    let row = CursorRow { delivered: seq, read: seq, read_ordinal: seq, ..CursorRow::default() };
    let ops = vec![Op::Rows(vec![tables::cursors::put(place, BEN, &row)]), Op::Touched(id)];
    let shard = place.shard;
    log.try_append(Append { shard, ops, urgency: Urgency::Synced, context: () }).unwrap();
}

fn log_over(engine: &Arc<MemoryEngine>) -> MemoryLog<()> {
    let store = Store::over(Arc::clone(engine) as _, count().get(), NODE_ID).unwrap();
    let options = crate::storage::log::Options::default();
    MemoryLog::start(store, options, crate::storage::log::memory::Pace::Inline, |_| {}, |_| {})
        .unwrap()
}

#[test]
fn what_a_crash_forgot_of_the_feed_is_rebuilt_from_the_outbox() {
    let engine = Arc::new(MemoryEngine::new());
    let log = log_over(&engine);
    for n in 1..=3 {
        (1..=5).for_each(|seq| commit_entry(&log, conversation(n), seq));
    }
    commit_read(&log, conversation(2), 4);
    // The feed was never told: power is cut before any flush.
    let survivor = Arc::new(engine.survivor(Crash::PowerCut { spared: 0 }));
    let homes = homes_over(&survivor);
    assert_eq!(homes.rebuild().unwrap(), 15);
    let unread = |user| -> HashMap<u8, u64> {
        let (entries, _) = read_all(&homes, user, 0, 2);
        entries.iter().map(|entry| (entry.conversation[0], entry.unread)).collect()
    };
    assert_eq!(unread(BEN), HashMap::from([(1, 5), (2, 1), (3, 5)]));
    assert_eq!(unread(ANN), HashMap::from([(1, 0), (2, 0), (3, 0)]));
}

#[test]
fn a_second_rebuild_finds_nothing_new() {
    let engine = Arc::new(MemoryEngine::new());
    let log = log_over(&engine);
    (1..=5).for_each(|seq| commit_entry(&log, conversation(1), seq));
    let homes = homes_over(&engine);
    homes.rebuild().unwrap();
    let (_, position) = read_all(&homes, BEN, 0, 10);
    let again = homes_over(&engine);
    again.rebuild().unwrap();
    assert_eq!(read_all(&again, BEN, position, 10).0, []);
}

fn link(user: UserId, session: u8) -> Arc<Link> {
    let device = DeviceId::new([session; 16]);
    Arc::new(Link::new(SessionId::new([session; 16]), user, device, true, 1 << 20))
}

#[test]
fn an_entry_reaches_every_session_but_its_origin() {
    let homes = homes_over(&Arc::new(MemoryEngine::new()));
    let (origin, other) = (link(ANN, 1), link(ANN, 2));
    homes.attach(&origin).unwrap();
    homes.attach(&other).unwrap();
    assert_eq!(homes.attach(&link(ANN, 3)), Err(Code::TooManyConnections));
    let entry = Bytes::from_static(b"entry");
    let delivery =
        Delivery { conversation: conversation(1), seq: 1, entry: &entry, origin: origin.id };
    let position = homes.handle_entry(ANN, change(1), &delivery, |link, item| link.push(item));
    assert!(matches!(origin.next(1000), Next::Idle));
    let Next::Write(items, _) = other.next(1000) else { panic!("nothing was delivered") };
    let [(Item::Deliver { feed_position, .. }, _)] = &Vec::from(items)[..] else { panic!() };
    assert_eq!(*feed_position, position);
    homes.detach(&other);
    homes.handle_entry(ANN, change(2), &Delivery { seq: 2, ..delivery }, |link, item| {
        link.push(item);
    });
    assert!(matches!(other.next(1000), Next::Idle));
}

#[test]
fn cutting_a_device_ends_its_sessions_alone() {
    let homes = homes_over(&Arc::new(MemoryEngine::new()));
    let (one, two) = (link(ANN, 1), link(ANN, 2));
    homes.attach(&one).unwrap();
    homes.attach(&two).unwrap();
    assert_eq!(homes.open_sessions(ANN, one.device), 1);
    homes.cut(ANN, one.device, Code::SessionRevoked);
    assert_eq!((one.ending(), two.ending()), (Some(Code::SessionRevoked), None));
}
