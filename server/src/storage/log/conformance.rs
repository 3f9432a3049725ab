//! The suite every log passes, also across crash and reopen.
//!
//! A [`Subject`] opens a log on what survived of the last one; the checks know
//! nothing else of it. Each check is one promise of the contract in
//! [`super::Log`]. The subjects are at the end.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use crossbeam_channel::{Receiver, unbounded};
use parley_protocol::ids::{ClientMessageId, ConversationId, DeviceId, ShardId};
use parley_protocol::wire;
use prost::Message;

use super::*;
use crate::storage::store::engine::faulty::{Call, Faulty};
use crate::storage::store::engine::memory::{Crash, MemoryEngine};
use crate::storage::store::engine::{Engine, Trouble};
use crate::storage::store::tables::cursors;
use crate::storage::store::{CursorRow, Place, Record, Store};

/// An implementation under test, with the state that outlives its logs.
pub(crate) trait Subject {
    /// Opens a log on what is there.
    fn open(&mut self, options: Options) -> Running;

    /// Keeps what a crash at this moment leaves for the next `open`.
    fn crash(&mut self, crash: Crash);
}

/// A log and all that can be seen and done around it.
pub(crate) struct Running {
    pub(crate) log: Arc<dyn Log<u64>>,
    /// What the sink was told.
    pub(crate) seen: Receiver<Committed<u64>>,
    /// What `on_fatal` was told.
    pub(crate) fatal: Receiver<LogError>,
    pub(crate) faults: Arc<Faulty>,
    pub(crate) store: Store,
    /// Commits what was handed over, for logs that don't by themselves.
    pub(crate) pump: Pump,
}

pub(crate) type Pump = Box<dyn Fn() + Send + Sync>;

/// Far longer than anything takes; only a failing test waits for it.
const LONG: Duration = Duration::from_secs(30);

impl Running {
    /// Pumps and returns the contexts of the next `count` commits.
    fn settle(&self, count: usize) -> Vec<u64> {
        (self.pump)();
        (0..count).map(|_| self.seen.recv_timeout(LONG).expect("a commit").context).collect()
    }

    fn append(&self, append: Append<u64>) {
        self.log.try_append(append).expect("room");
    }

    /// The sink is called before the room is given back: waits until `appends`
    /// fit at once.
    fn wait_for_room(&self, appends: usize) {
        let begun = std::time::Instant::now();
        let fit =
            || (0..appends).map(|_| self.log.reserve(1)).collect::<Result<Vec<_>, _>>().is_ok();
        while !fit() {
            assert!(begun.elapsed() < LONG, "the room never came back");
            std::thread::yield_now();
        }
    }

    fn failed(&self) -> LogError {
        (self.pump)();
        self.fatal.recv_timeout(LONG).expect("a fatal error")
    }

    fn all(&self, place: Place) -> Vec<StoredEntry> {
        self.log.read(place, ReadRange::After(0), ALL, 0).unwrap()
    }
}

const ALL: ReadLimit = ReadLimit { entries: usize::MAX, bytes: usize::MAX };
const S0: ShardId = ShardId(0);
const S1: ShardId = ShardId(1);
const DEVICE: DeviceId = DeviceId::new([0xd0; 16]);

fn conversation(n: u8) -> ConversationId {
    ConversationId::new([n; 16])
}

fn place(shard: ShardId, n: u8) -> Place {
    Place { shard, conversation: conversation(n) }
}

fn message_id(seq: u64) -> ClientMessageId {
    ClientMessageId::new(format!("m-{seq}").into_bytes().into()).unwrap()
}

fn answer(seq: u64) -> DedupeRow {
    DedupeRow { seq, ordinal: seq, time_ms: 1_000 + seq, digest: seq }
}

fn record(seq: u64, body: usize) -> Bytes {
    let entry = wire::Entry {
        seq,
        ordinal: seq,
        time_ms: 1_000 + seq,
        epoch: 1,
        body: vec![b'x'; body].into(),
        ..wire::Entry::default()
    };
    let record = Record {
        client_message_id: message_id(seq).as_bytes().clone(),
        content_digest: seq,
        entry: entry.encode_to_vec().into(),
        ..Record::default()
    };
    record.encode_to_vec().into()
}

fn entry_of(conversation: ConversationId, seq: u64, body: usize) -> Op {
    Op::Entry(StampedEntry {
        conversation,
        seq,
        record: record(seq, body),
        device: DEVICE,
        client_message_id: message_id(seq),
        dedupe: answer(seq),
    })
}

/// An append of one entry, durable, with the seq as context.
pub(crate) fn send(shard: ShardId, n: u8, seq: u64, body: usize) -> Append<u64> {
    let ops = vec![entry_of(conversation(n), seq, body)];
    Append { shard, ops, urgency: Urgency::Synced, context: seq }
}

fn move_cursor(shard: ShardId, n: u8, up_to: u64, urgency: Urgency) -> Append<u64> {
    let row = CursorRow { delivered: up_to, ..CursorRow::default() };
    let user = parley_protocol::ids::UserId::new([n; 16]);
    let ops = vec![Op::Rows(vec![cursors::put(place(shard, n), user, &row)])];
    Append { shard, ops, urgency, context: up_to }
}

fn cursor(running: &Running, shard: ShardId, n: u8) -> u64 {
    let user = parley_protocol::ids::UserId::new([n; 16]);
    let row = running.store.cursor(place(shard, n), user).unwrap();
    row.map_or(0, |row| row.delivered)
}

/// Entries 1 to `last` are there with their bytes and answers, and no others.
fn assert_holds(running: &Running, shard: ShardId, n: u8, last: u64) {
    let found = running.all(place(shard, n));
    let seqs: Vec<_> = found.iter().map(|entry| entry.seq).collect();
    assert_eq!(seqs, (1..=last).collect::<Vec<_>>());
    for StoredEntry { seq, record } in found {
        assert_eq!(record.head().unwrap().seq, seq);
        assert_eq!(record.content_digest, seq);
        let found = running.log.find(place(shard, n), DEVICE, &message_id(seq)).unwrap();
        assert_eq!(found, Some(answer(seq)));
    }
    let beyond = running.log.find(place(shard, n), DEVICE, &message_id(last + 1)).unwrap();
    assert_eq!(beyond, None);
    let tail = running.log.tail(place(shard, n)).unwrap();
    let expected =
        (last > 0).then_some(Position { seq: last, ordinal: last, time_ms: 1_000 + last });
    assert_eq!(tail, expected);
}

/// What all outbox rows say was added, per conversation. Each row is in the shard
/// of one of its conversations.
fn outbox(store: &Store) -> BTreeMap<Bytes, Vec<u64>> {
    let mut all: BTreeMap<Bytes, Vec<u64>> = BTreeMap::new();
    for shard in (0..store.facts().shard_count).map(ShardId) {
        for (_, row) in store.outbox(shard, 0, usize::MAX).unwrap() {
            for range in row.ranges {
                all.entry(range.conversation).or_default().extend(range.from_seq..=range.to_seq);
            }
        }
    }
    // Rows of several shards may name one conversation.
    all.values_mut().for_each(|seqs| seqs.sort_unstable());
    all
}

/// Runs every check, each on a subject of its own.
pub(crate) fn run(new: &mut dyn FnMut() -> Box<dyn Subject>) {
    let checks: [fn(&mut dyn Subject); 13] = [
        an_empty_log_answers_with_nothing,
        commits_keep_the_order_of_each_shard,
        what_the_sink_saw_survives_a_power_cut,
        what_was_only_written_survives_a_kill,
        nobody_sees_what_is_not_committed,
        what_survives_is_a_prefix,
        the_outbox_names_every_entry_once,
        a_full_log_refuses_and_later_takes,
        a_failed_write_or_sync_is_the_end,
        a_gap_is_the_end,
        closing_commits_what_was_handed_over,
        reads_are_bounded_and_dense,
        random_histories_hold,
    ];
    for check in checks {
        check(&mut *new());
    }
}

fn an_empty_log_answers_with_nothing(subject: &mut dyn Subject) {
    let running = subject.open(Options::default());
    assert_holds(&running, S0, 1, 0);
    assert_eq!(running.log.counts().batches(), 0);
}

fn commits_keep_the_order_of_each_shard(subject: &mut dyn Subject) {
    let running = subject.open(Options::default());
    let mut handed_over: HashMap<ShardId, Vec<u64>> = HashMap::new();
    for seq in 1..=50 {
        for (shard, n) in [(S0, 1), (S1, 2), (S0, 3)] {
            running.append(Append { context: seq * 10 + u64::from(n), ..send(shard, n, seq, 20) });
            handed_over.entry(shard).or_default().push(seq * 10 + u64::from(n));
        }
    }
    (running.pump)();
    let mut told: HashMap<ShardId, Vec<u64>> = HashMap::new();
    let mut outbox_ends: HashMap<ShardId, u64> = HashMap::new();
    for _ in 0..150 {
        let commit = running.seen.recv_timeout(LONG).expect("a commit");
        told.entry(commit.shard).or_default().push(commit.context);
        let (shard, index) = commit.outbox.expect("an outbox row for entries");
        let end = outbox_ends.insert(shard, index).unwrap_or(0);
        assert!(index == end || index == end + 1, "{index} after {end}");
    }
    assert_eq!(told, handed_over);
    assert!(running.seen.is_empty());
    for (shard, n) in [(S0, 1), (S1, 2), (S0, 3)] {
        assert_holds(&running, shard, n, 50);
    }
    // The same id in another shard or conversation is another send.
    assert_eq!(running.log.find(place(S1, 1), DEVICE, &message_id(1)).unwrap(), None);
    let counts = running.log.counts();
    assert_eq!((counts.entries(), counts.appends()), (150, 150));
    assert_eq!(counts.syncs(), counts.batches());
}

fn what_the_sink_saw_survives_a_power_cut(subject: &mut dyn Subject) {
    let mut last = 0;
    for round in 1..=3 {
        let running = subject.open(Options::default());
        assert_holds(&running, S0, 1, last);
        for seq in last + 1..=last + 20 {
            // One of them big: it takes another way through the engine.
            running.append(send(S0, 1, seq, if seq % 20 == 7 { 300_000 } else { 100 }));
        }
        running.settle(20);
        last += 20;
        assert_eq!(running.store.facts().boots, round);
        subject.crash(Crash::PowerCut { spared: 0 });
    }
    let running = subject.open(Options::default());
    assert_holds(&running, S0, 1, last);
}

fn what_was_only_written_survives_a_kill(subject: &mut dyn Subject) {
    let running = subject.open(Options::default());
    running.append(move_cursor(S0, 1, 7, Urgency::Written));
    assert_eq!(running.settle(1), [7]);
    assert_eq!(running.log.counts().syncs(), 0);
    assert_eq!(cursor(&running, S0, 1), 7);
    subject.crash(Crash::Killed);
    let running = subject.open(Options::default());
    assert_eq!(cursor(&running, S0, 1), 7);
    // In a batch with one that wants the sync, both get it.
    running.append(move_cursor(S0, 1, 8, Urgency::Synced));
    assert_eq!(running.settle(1), [8]);
    assert_eq!(running.log.counts().syncs(), 1);
}

fn nobody_sees_what_is_not_committed(subject: &mut dyn Subject) {
    let running = subject.open(Options::default());
    for seq in 1..=3 {
        running.append(send(S0, 1, seq, 20));
    }
    running.settle(3);
    let held = running.faults.hold_syncs();
    running.append(send(S0, 1, 4, 20));
    running.append(send(S0, 2, 1, 20));
    std::thread::scope(|scope| {
        let _held = held;
        scope.spawn(|| (running.pump)());
        assert!(running.faults.wait_until_held(LONG), "no sync");
        assert_holds(&running, S0, 1, 3);
        let newest = |range| {
            let limit = ReadLimit { entries: 2, bytes: usize::MAX };
            let found = running.log.read(place(S0, 1), range, limit, 0).unwrap();
            found.iter().map(|entry| entry.seq).collect::<Vec<_>>()
        };
        // What is hidden takes no room from what is not.
        assert_eq!(newest(ReadRange::Before(u64::MAX)), [2, 3]);
        assert_eq!(newest(ReadRange::Around(4)), [3]);
        assert_eq!(newest(ReadRange::After(2)), [3]);
        assert!(running.seen.is_empty(), "told before the sync");
    });
    running.settle(2);
    assert_holds(&running, S0, 1, 4);
    assert_holds(&running, S0, 2, 1);
}

fn what_survives_is_a_prefix(subject: &mut dyn Subject) {
    let mut last = 0;
    for spared in [0, 1, 2, 9] {
        let running = subject.open(Options { batch_appends: 1, ..Options::default() });
        running.append(send(S0, 1, last + 1, 20));
        running.settle(1);
        let held = running.faults.hold_syncs();
        for seq in last + 2..=last + 4 {
            running.append(send(S0, 1, seq, 20));
        }
        std::thread::scope(|scope| {
            let _held = held;
            scope.spawn(|| (running.pump)());
            assert!(running.faults.wait_until_held(LONG), "no sync");
            subject.crash(Crash::PowerCut { spared });
        });
        running.settle(3);
        let reopened = subject.open(Options::default());
        let kept = reopened.log.tail(place(S0, 1)).unwrap().expect("a tail").seq;
        assert!((last + 1..=last + 4).contains(&kept), "{kept} after {last}");
        assert_holds(&reopened, S0, 1, kept);
        last = kept;
    }
}

fn the_outbox_names_every_entry_once(subject: &mut dyn Subject) {
    let mut expected: BTreeMap<Bytes, Vec<u64>> = BTreeMap::new();
    for round in 0..3u64 {
        let running = subject.open(Options::default());
        for seq in round * 5 + 1..=round * 5 + 5 {
            for (shard, n) in [(S0, 1), (S0, 2), (S1, 3)] {
                running.append(send(shard, n, seq, 10));
                expected.entry(conversation(n).to_wire()).or_default().push(seq);
            }
            // Several batches in one life of the log.
            running.settle(3);
        }
        // A batch without entries adds no row.
        running.append(move_cursor(S0, 9, round, Urgency::Synced));
        running.settle(1);
        assert_eq!(outbox(&running.store), expected);
        assert!(running.store.outbox(ShardId(2), 0, 10).unwrap().is_empty());
        subject.crash(Crash::PowerCut { spared: 0 });
    }
}

fn a_full_log_refuses_and_later_takes(subject: &mut dyn Subject) {
    let options = Options { queue_appends: 3, queue_bytes: 1_000, ..Options::default() };
    let running = subject.open(options);
    let first = running.log.reserve(400).unwrap();
    let second = running.log.reserve(400).unwrap();
    assert_eq!(running.log.reserve(400).unwrap_err(), ReserveError::Full);
    let refused = running.log.try_append(send(S0, 1, 1, 300)).unwrap_err();
    assert_eq!((refused.error, refused.append.context), (ReserveError::Full, 1));
    // A permit is a promise: the append it was taken for gets in, though full.
    running.log.append(first, *refused.append);
    drop(second);
    running.settle(1);
    for seq in 2..=20 {
        running.append(send(S0, 1, seq, 10));
        running.settle(1);
    }
    assert_holds(&running, S0, 1, 20);
    running.wait_for_room(3);
    // What is being synced counts as well.
    let held = running.faults.hold_syncs();
    for seq in 21..=23 {
        running.append(send(S0, 1, seq, 10));
    }
    std::thread::scope(|scope| {
        let _held = held;
        scope.spawn(|| (running.pump)());
        assert!(running.faults.wait_until_held(LONG), "no sync");
        assert_eq!(running.log.reserve(1).unwrap_err(), ReserveError::Full);
    });
    running.settle(3);
    assert_holds(&running, S0, 1, 23);
}

fn a_failed_write_or_sync_is_the_end(subject: &mut dyn Subject) {
    let mut last = 0;
    for (call, urgency, trouble) in [
        (Call::Write, Urgency::Synced, Trouble::NoSpace),
        (Call::Sync, Urgency::Synced, Trouble::Io),
        (Call::Write, Urgency::Written, Trouble::Io),
        (Call::Flush, Urgency::Written, Trouble::NoSpace),
    ] {
        let running = subject.open(Options::default());
        last = running.log.tail(place(S0, 1)).unwrap().map_or(last, |tail| tail.seq);
        running.append(send(S0, 1, last + 1, 10));
        running.settle(1);
        running.faults.fail_next(call, trouble);
        running.append(Append { urgency, ..send(S0, 1, last + 2, 10) });
        match running.failed() {
            LogError::Engine(error) => assert_eq!(error.trouble, trouble),
            other => panic!("{other}"),
        }
        // Never again, also when the disk would do it now.
        assert_eq!(running.log.reserve(1).unwrap_err(), ReserveError::Closed);
        (running.pump)();
        running.log.close();
        assert!(running.seen.is_empty(), "acknowledged after a failed {call:?}");
        assert!(running.fatal.is_empty());
        assert_holds(&running, S0, 1, last + 1);
        subject.crash(Crash::PowerCut { spared: 0 });
    }
}

fn a_gap_is_the_end(subject: &mut dyn Subject) {
    let running = subject.open(Options::default());
    let ops = vec![entry_of(conversation(1), 1, 10), entry_of(conversation(1), 3, 10)];
    running.append(Append { shard: S0, ops, urgency: Urgency::Synced, context: 0 });
    let expected = LogError::OutOfOrder { conversation: conversation(1), previous: 1, seq: 3 };
    assert_eq!(running.failed(), expected);
    assert!(running.seen.is_empty());
    assert_holds(&running, S0, 1, 0);
}

fn closing_commits_what_was_handed_over(subject: &mut dyn Subject) {
    let running = subject.open(Options::default());
    let late = running.log.reserve(1).unwrap();
    for seq in 1..=30 {
        running.append(send(S0, 1, seq, 10));
    }
    running.log.close();
    assert_eq!(running.seen.len(), 30);
    assert_eq!(running.log.reserve(1).unwrap_err(), ReserveError::Closed);
    running.log.append(late, send(S0, 2, 1, 10));
    running.log.close();
    assert!(running.fatal.is_empty());
    subject.crash(Crash::PowerCut { spared: 0 });
    let running = subject.open(Options::default());
    assert_holds(&running, S0, 1, 30);
}

fn reads_are_bounded_and_dense(subject: &mut dyn Subject) {
    let running = subject.open(Options::default());
    // Neighbours on both sides, which no read may stray into.
    for n in [1, 2, 3] {
        for seq in 1..=100 {
            running.append(send(S0, n, seq, 100));
        }
    }
    running.settle(300);
    let read = |range, entries, bytes| {
        let found = running.log.read(place(S0, 2), range, ReadLimit { entries, bytes }, 0).unwrap();
        found.iter().map(|entry| entry.seq).collect::<Vec<_>>()
    };
    let seqs = |range: std::ops::RangeInclusive<u64>| range.collect::<Vec<_>>();
    let most = usize::MAX;
    let none: [u64; 0] = [];
    assert_eq!(read(ReadRange::After(0), 10, most), seqs(1..=10));
    assert_eq!(read(ReadRange::After(95), 10, most), seqs(96..=100));
    assert_eq!(read(ReadRange::After(100), 10, most), none);
    assert_eq!(read(ReadRange::After(u64::MAX), 10, most), none);
    assert_eq!(read(ReadRange::Before(u64::MAX), 10, most), seqs(91..=100));
    assert_eq!(read(ReadRange::Before(5), 10, most), seqs(1..=4));
    assert_eq!(read(ReadRange::Before(50), 10, most), seqs(40..=49));
    assert_eq!(read(ReadRange::Before(1), 10, most), none);
    assert_eq!(read(ReadRange::Before(0), 10, most), none);
    assert_eq!(read(ReadRange::Around(50), 10, most), seqs(45..=54));
    assert_eq!(read(ReadRange::Around(2), 10, most), seqs(1..=10));
    assert_eq!(read(ReadRange::Around(99), 10, most), seqs(91..=100));
    assert_eq!(read(ReadRange::Around(0), 3, most), seqs(1..=3));
    assert_eq!(read(ReadRange::Around(1_000), 3, most), seqs(98..=100));
    assert_eq!(read(ReadRange::Around(50), 1, most), [50]);
    assert_eq!(read(ReadRange::After(0), 0, most), none);
    // One entry in any case, and not one byte more than asked beyond it.
    let size = running.all(place(S0, 2))[49].size_bytes();
    assert_eq!(read(ReadRange::After(49), 10, 0), [50]);
    assert_eq!(read(ReadRange::Before(50), 10, 0), [49]);
    assert_eq!(read(ReadRange::Around(50), 10, 0), [50]);
    assert_eq!(read(ReadRange::After(49), 10, 3 * size), seqs(50..=52));
    assert_eq!(read(ReadRange::After(49), 10, 3 * size - 1), seqs(50..=51));
    assert_eq!(read(ReadRange::Around(50), 10, 4 * size), seqs(48..=51));
    for bytes in 0..6 * size {
        let found = read(ReadRange::Around(50), 10, bytes);
        assert!(found.len() <= (bytes / size).max(1), "{bytes}: {found:?}");
        assert!(
            found.contains(&50) && found.is_sorted_by(|a, b| a + 1 == *b),
            "{bytes}: {found:?}"
        );
    }
}

/// Random appends over shards and conversations with crashes in between:
/// after each, what the sink was told is there, and what is there was handed over.
fn random_histories_hold(subject: &mut dyn Subject) {
    let mut random = Random(0x5eed);
    // Per conversation: the last seq the sink was told of, and the last handed over.
    let mut told = [0u64; 6];
    for round in 0..12 {
        let options = Options { batch_appends: 1 + random.below(8) as usize, ..Options::default() };
        let running = subject.open(options);
        for (n, told) in told.iter_mut().enumerate() {
            let (shard, n) = (ShardId(n as u16 % 3), n as u8);
            let tail = running.log.tail(place(shard, n)).unwrap().map_or(0, |tail| tail.seq);
            assert!(tail >= *told, "round {round}: {n} has {tail}, the sink was told of {told}");
            assert_holds(&running, shard, n, tail);
            *told = tail;
        }
        let mut stamped = told;
        let sends = 1 + random.below(60) as usize;
        for _ in 0..sends {
            let n = random.below(6) as usize;
            stamped[n] += 1;
            let body = if random.below(20) == 0 { 5_000 } else { random.below(300) as usize };
            let context = (n as u64) << 32 | stamped[n];
            running.append(Append {
                context,
                ..send(ShardId(n as u16 % 3), n as u8, stamped[n], body)
            });
        }
        // Crash with only a part of it acknowledged.
        let awaited = random.below(sends as u64 + 1) as usize;
        for context in running.settle(awaited) {
            let (n, seq) = ((context >> 32) as usize, context & 0xffff_ffff);
            assert_eq!(seq, told[n] + 1, "round {round}: order of conversation {n}");
            told[n] = seq;
        }
        // No batch may be under way while a folder is copied.
        running.log.close();
        subject.crash(Crash::PowerCut { spared: random.below(3) as usize });
    }
}

/// Splitmix64: the same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

mod subjects;
