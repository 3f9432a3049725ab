//! Erasing over a store in memory: what goes, what stays, and that a pass that
//! ended early is taken up.

use parley_protocol::wire::{self, ConversationKind};
use parley_protocol::{ClientMessageId, DeviceId, Message as _};

use super::*;
use crate::storage::log::memory::Pace;
use crate::storage::log::{MemoryLog, StampedEntry};
use crate::storage::store::engine::memory::MemoryEngine;
use crate::storage::store::{DedupeRow, Record, SettingsRow};

const HERE: ConversationId = ConversationId::new([5; 16]);
const ELSEWHERE: ConversationId = ConversationId::new([6; 16]);

fn eraser() -> Eraser {
    let count = ShardCount::new(4).unwrap();
    let store = Store::over(Arc::new(MemoryEngine::new()), count.get(), [9; 16]).unwrap();
    let sink = |batch: Vec<crate::storage::log::Committed<Pending>>| {
        for committed in batch {
            if let Pending::Rows(done) = committed.context {
                let _ = done.send(());
            }
        }
    };
    let options = crate::storage::log::Options::default();
    let log = MemoryLog::start(store.clone(), options, Pace::Inline, sink, |_| {}).unwrap();
    Eraser::new(Arc::default(), count, store, Arc::new(log))
}

impl Eraser {
    fn say(&self, id: ConversationId, seq: u64, time_ms: u64) {
        let body = wire::Text { text: "a-secret".into(), ..Default::default() }.encode_to_vec();
        let entry = wire::Entry {
            seq,
            ordinal: seq,
            time_ms,
            kind: 1,
            body: body.into(),
            ..Default::default()
        };
        let record = Record { entry: entry.encode_to_vec().into(), ..Record::default() };
        let stamped = StampedEntry {
            conversation: id,
            seq,
            record: record.encode_to_vec().into(),
            device: DeviceId::new([5; 16]),
            client_message_id: ClientMessageId::new(seq.to_be_bytes().to_vec().into()).unwrap(),
            dedupe: DedupeRow::default(),
        };
        let (done, _) = oneshot::channel();
        let append = Append {
            shard: self.count.of_conversation(id),
            ops: vec![Op::Entry(stamped)],
            urgency: Urgency::Synced,
            context: Pending::Rows(done),
        };
        self.log.try_append(append).unwrap();
    }

    fn keep(&self, id: ConversationId, retention_s: u64, erased_up_to: u64) {
        let row = ConversationRow {
            kind: ConversationKind::Group as u32,
            settings: Some(SettingsRow { retention_s, ..SettingsRow::default() }),
            erased_up_to,
            ..ConversationRow::default()
        };
        let put = tables::conversations::put(Place::of(self.count, id), &row);
        self.store.write_synced(&[put]).unwrap();
    }

    /// Seqs that still have a body.
    fn bodies(&self, id: ConversationId) -> Vec<u64> {
        let limit = ReadLimit { entries: 10_000, bytes: usize::MAX };
        let place = Place::of(self.count, id);
        let all = self.store.entries(place, ReadRange::After(0), limit).unwrap();
        assert!(all.iter().zip(1..).all(|(entry, seq)| entry.seq == seq), "the log stays dense");
        let of = |bytes: &bytes::Bytes| wire::Entry::decode(bytes.clone()).unwrap();
        let with = all.into_iter().filter(|stored| {
            let entry = of(&stored.record.entry);
            assert_eq!((entry.seq, entry.ordinal), (stored.seq, stored.seq));
            assert_eq!(entry.erased, entry.body.is_empty());
            !entry.erased
        });
        with.map(|stored| stored.seq).collect()
    }
}

#[test]
fn what_is_too_old_goes_and_the_rest_stays() {
    let eraser = eraser();
    let (_set, stop) = Stop::new();
    let now = wall_ms();
    for seq in 1..=1200 {
        eraser.say(HERE, seq, now - 100_000);
        eraser.say(ELSEWHERE, seq, now - 100_000);
    }
    eraser.say(HERE, 1201, now);
    eraser.keep(HERE, 60, 0);
    eraser.keep(ELSEWHERE, 0, 0);
    eraser.pass(true, &stop).unwrap();
    assert_eq!(eraser.bodies(HERE), [1201]);
    assert_eq!(eraser.bodies(ELSEWHERE).len(), 1200);
    let place = Place::of(eraser.count, HERE);
    let row = RetentionRow { seq: 1200, ordinal: 1200 };
    assert_eq!(eraser.store.retention(place).unwrap(), Some(row));
    // It is looked after from here on, the other one isn't.
    assert_eq!(eraser.candidates.known.lock().ids, HashSet::from([HERE]));
    eraser.say(HERE, 1202, now);
    eraser.keep(HERE, 60, 1201);
    eraser.pass(false, &stop).unwrap();
    assert_eq!(eraser.bodies(HERE), [1202]);
}

#[test]
fn what_the_owner_erased_goes_once_and_is_looked_after_no_longer() {
    let eraser = eraser();
    let (_set, stop) = Stop::new();
    (1..=5).for_each(|seq| eraser.say(HERE, seq, 1));
    eraser.keep(HERE, 0, 3);
    eraser.candidates.note(HERE);
    eraser.pass(false, &stop).unwrap();
    assert_eq!(eraser.bodies(HERE), [4, 5]);
    assert!(eraser.candidates.known.lock().ids.is_empty());
}

#[test]
fn a_pass_that_was_stopped_is_taken_up_where_it_was() {
    let eraser = eraser();
    let (set, stop) = Stop::new();
    (1..=1100).for_each(|seq| eraser.say(HERE, seq, 1));
    eraser.keep(HERE, 1, 0);
    eraser.candidates.note(HERE);
    drop(set);
    assert!(eraser.pass(false, &stop).is_err());
    assert_eq!(eraser.bodies(HERE).len(), 600, "one step was made");
    let (_set, stop) = Stop::new();
    eraser.pass(false, &stop).unwrap();
    assert!(eraser.bodies(HERE).is_empty());
}

#[test]
fn the_thread_erases_what_is_noted_and_stops_when_dropped() {
    let eraser = eraser();
    let Eraser { candidates, count, store, log } = &eraser;
    let thread = Eraser::new(Arc::clone(candidates), *count, store.clone(), Arc::clone(log));
    eraser.say(HERE, 1, 1);
    let worker = thread.start(Duration::from_millis(5)).unwrap();
    eraser.keep(HERE, 1, 0);
    eraser.candidates.note(HERE);
    let begun = std::time::Instant::now();
    while !eraser.bodies(HERE).is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(20), "nothing was erased");
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(worker);
}
