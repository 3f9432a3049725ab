//! Erasing over a store in memory: what goes, what stays, and that a pass that
//! ended early is taken up.

use parley_core::believed::EARLIEST_MS;
use parley_protocol::wire::{self, ConversationKind};
use parley_protocol::{ClientMessageId, DeviceId, Message as _};

use super::*;
use crate::base::clock::{Moment, Monotonic, wall_ms};
use crate::storage::log::memory::Pace;
use crate::storage::log::{MemoryLog, StampedEntry};
use crate::storage::store::engine::memory::MemoryEngine;
use crate::storage::store::{
    DedupeRow, PeriodRow, ReadLimit, ReadRange, Record, SettingsRow, tables,
};

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
    parts(count, store, Arc::new(log))
}

/// Whom the feeds told, and of what.
#[derive(Default)]
struct Told(Mutex<Vec<ConversationId>>);

impl Feeds for Told {
    fn tell(&self, conversation: ConversationId, _: &[UserId]) {
        self.0.lock().push(conversation);
    }
}

fn parts(count: ShardCount, store: Store, log: Arc<dyn Log<Pending>>) -> Eraser {
    let bounds = parley_core::conversation::Bounds::of(200);
    let options = crate::chat::shard::Options { conversations: 100, epoch: 1, bounds };
    let parts = Parts {
        candidates: Arc::default(),
        count,
        dates: Arc::new(Dates::start(&store, Monotonic::start()).unwrap()),
        store,
        log,
        states: Arc::new(States::new(count, options)),
        feeds: Arc::new(Told::default()),
    };
    Eraser::new(parts)
}

/// Of a clock that is right.
fn tick(now_ms: u64) -> Tick {
    Tick { erase_ms: now_ms, latest_ms: now_ms, note: None }
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
            shard: self.parts.count.of_conversation(id),
            ops: vec![Op::Entry(stamped)],
            urgency: Urgency::Synced,
            context: Pending::Rows(done),
        };
        self.parts.log.try_append(append).unwrap();
    }

    fn keep(&self, id: ConversationId, retention_s: u64, erased_up_to: u64) {
        let in_force = Some(PeriodRow { retention_s, ..PeriodRow::default() });
        let row = ConversationRow {
            kind: ConversationKind::Group as u32,
            settings: Some(SettingsRow { retention_s, ..SettingsRow::default() }),
            erased_up_to,
            periods: Vec::from_iter(in_force.filter(|period| period.retention_s > 0)),
            dated: true,
            ..ConversationRow::default()
        };
        let put = tables::conversations::put(Place::of(self.parts.count, id), &row);
        self.parts.store.write_synced(&[put]).unwrap();
    }

    /// Seqs that still have a body.
    fn bodies(&self, id: ConversationId) -> Vec<u64> {
        let limit = ReadLimit { entries: 10_000, bytes: usize::MAX };
        let place = Place::of(self.parts.count, id);
        let all = self.parts.store.entries(place, ReadRange::After(0), limit, 0).unwrap();
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
    eraser.pass(true, tick(wall_ms()), &stop).unwrap();
    assert_eq!(eraser.bodies(HERE), [1201]);
    assert_eq!(eraser.bodies(ELSEWHERE).len(), 1200);
    let place = Place::of(eraser.parts.count, HERE);
    let done = eraser.parts.store.retention(place).unwrap().unwrap();
    assert_eq!((done.seq, done.periods[0].seq), (0, 1200));
    assert_eq!(eraser.parts.store.count_deleted(place, (0, 1201)).unwrap(), 1200);
    assert_eq!(eraser.parts.store.count_deleted(place, (1000, 1100)).unwrap(), 100);
    // It is looked after from here on, the other one isn't.
    assert_eq!(eraser.parts.candidates.known.lock().ids, HashSet::from([HERE]));
    eraser.say(HERE, 1202, now);
    eraser.keep(HERE, 60, 1201);
    eraser.pass(false, tick(wall_ms()), &stop).unwrap();
    assert_eq!(eraser.bodies(HERE), [1202]);
}

#[test]
fn what_the_owner_erased_goes_once_and_is_looked_after_no_longer() {
    let eraser = eraser();
    let (_set, stop) = Stop::new();
    (1..=5).for_each(|seq| eraser.say(HERE, seq, EARLIEST_MS));
    eraser.keep(HERE, 0, 3);
    eraser.parts.candidates.note(HERE);
    eraser.pass(false, tick(wall_ms()), &stop).unwrap();
    assert_eq!(eraser.bodies(HERE), [4, 5]);
    assert!(eraser.parts.candidates.known.lock().ids.is_empty());
}

/// A row of each sort that a message has, with its seq.
fn about(eraser: &Eraser, seq: u64, edit: u64) {
    let place = Place::of(eraser.parts.count, HERE);
    let body = wire::Edit { seq, text: "another-secret".into(), ..Default::default() };
    let entry = wire::Entry {
        seq: edit,
        ordinal: seq,
        time_ms: wall_ms(),
        kind: 2,
        body: body.encode_to_vec().into(),
        ..Default::default()
    };
    let record = Record { entry: entry.encode_to_vec().into(), ..Record::default() };
    let relation = crate::storage::store::Relation::Edit { seq: edit };
    eraser
        .parts
        .store
        .write_synced(&[
            tables::entries::put_encoded(place, edit, record.encode_to_vec().into()),
            tables::relations::put(place, seq, &relation, edit),
        ])
        .unwrap();
}

#[test]
fn what_was_said_before_a_period_and_after_it_stays() {
    let eraser = eraser();
    let (_set, stop) = Stop::new();
    (1..=9).for_each(|seq| eraser.say(HERE, seq, EARLIEST_MS));
    eraser.keep(HERE, 0, 0);
    let place = Place::of(eraser.parts.count, HERE);
    let mut row = eraser.parts.store.conversation(place).unwrap().unwrap();
    row.periods = vec![PeriodRow { after: 3, up_to: 6, retention_s: 5, ..PeriodRow::default() }];
    eraser.parts.store.write_synced(&[tables::conversations::put(place, &row)]).unwrap();
    eraser.pass(true, tick(wall_ms()), &stop).unwrap();
    assert_eq!(eraser.bodies(HERE), [1, 2, 3, 7, 8, 9]);
    // What is left of a period that is over needs no looking after.
    assert!(eraser.parts.candidates.known.lock().ids.is_empty());
    let state = expiry::state_of(&eraser.parts.store, place, &row, wall_ms()).unwrap();
    assert!(state.periods.is_empty());
    assert_eq!(eraser.parts.store.count_deleted(place, (2, 5)).unwrap(), 2);
}

#[test]
fn an_edit_goes_with_its_message_wherever_it_lies() {
    let eraser = eraser();
    let (_set, stop) = Stop::new();
    (1..=4).for_each(|seq| eraser.say(HERE, seq, EARLIEST_MS));
    // Of the second, which is too old, and of the first, which is kept.
    about(&eraser, 2, 5);
    about(&eraser, 1, 6);
    eraser.keep(HERE, 0, 0);
    let place = Place::of(eraser.parts.count, HERE);
    let mut row = eraser.parts.store.conversation(place).unwrap().unwrap();
    let period = |after, up_to| PeriodRow { after, up_to, retention_s: 5, ..PeriodRow::default() };
    row.periods = vec![period(1, 3), period(5, 0)];
    eraser.parts.store.write_synced(&[tables::conversations::put(place, &row)]).unwrap();
    eraser.pass(true, tick(wall_ms()), &stop).unwrap();
    let erased =
        |seq| eraser.parts.store.entry(place, seq).unwrap().unwrap().head().unwrap().erased;
    assert_eq!([1, 2, 3, 4, 5, 6].map(erased), [false, true, true, false, true, false]);
    assert_eq!(eraser.parts.store.edits(place, 2, 0, 9).unwrap(), [0; 0]);
    assert_eq!(eraser.parts.store.edits(place, 1, 0, 9).unwrap(), [6]);
}

#[test]
fn a_pass_that_was_stopped_is_taken_up_where_it_was() {
    let eraser = eraser();
    let (set, stop) = Stop::new();
    (1..=1100).for_each(|seq| eraser.say(HERE, seq, EARLIEST_MS));
    eraser.keep(HERE, 1, 0);
    eraser.parts.candidates.note(HERE);
    drop(set);
    assert!(eraser.pass(false, tick(wall_ms()), &stop).is_err());
    assert_eq!(eraser.bodies(HERE).len(), 600, "one step was made");
    let (_set, stop) = Stop::new();
    eraser.pass(false, tick(wall_ms()), &stop).unwrap();
    assert!(eraser.bodies(HERE).is_empty());
}

#[test]
fn what_can_t_be_read_keeps_nothing_from_being_erased() {
    let eraser = eraser();
    let (_set, stop) = Stop::new();
    for id in [HERE, ELSEWHERE] {
        (1..=9).for_each(|seq| eraser.say(id, seq, EARLIEST_MS));
    }
    eraser.keep(HERE, 1, 0);
    eraser.keep(ELSEWHERE, 0, 9);
    let garbage = bytes::Bytes::from_static(b"\xff\xff");
    let place = |id| Place::of(eraser.parts.count, id);
    let rotten = |id, seq| tables::entries::put_encoded(place(id), seq, garbage.clone());
    let mut gone = rotten(HERE, 5);
    gone.value = None;
    // One conversation of which nothing can be read at all.
    let mut lost = tables::conversations::put(place(ConversationId::new([7; 16])), &<_>::default());
    lost.value = Some(garbage.clone());
    let rows = [rotten(HERE, 4), gone, rotten(HERE, 9), rotten(ELSEWHERE, 1), lost];
    eraser.parts.store.write_synced(&rows).unwrap();
    eraser.parts.candidates.note(ConversationId::new([7; 16]));
    eraser.pass(true, tick(wall_ms()), &stop).unwrap();
    for id in [HERE, ELSEWHERE] {
        for seq in 1..=9 {
            let entry = eraser.parts.store.entry(place(id), seq).unwrap().unwrap();
            assert!(entry.head().unwrap().erased, "{id} {seq}");
        }
        assert_eq!(eraser.parts.store.count_deleted(place(id), (0, 9)).unwrap(), 9);
    }
}

#[test]
fn the_thread_erases_what_is_noted_and_stops_when_dropped() {
    let eraser = eraser();
    let Parts { candidates, count, store, log, .. } = &eraser.parts;
    let mut thread = parts(*count, store.clone(), Arc::clone(log));
    thread.parts.candidates = Arc::clone(candidates);
    eraser.say(HERE, 1, EARLIEST_MS);
    let worker = thread.start(Duration::from_millis(5), Duration::ZERO).unwrap();
    eraser.keep(HERE, 1, 0);
    eraser.parts.candidates.note(HERE);
    let begun = std::time::Instant::now();
    while !eraser.bodies(HERE).is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(20), "nothing was erased");
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(worker);
}

const DAY_MS: u64 = 86_400_000;

/// A wall clock that is wrong for a moment, or from a start on, erases nothing for
/// good: hours, days and years ahead, and in 1970.
#[test]
fn a_wrong_wall_clock_erases_nothing_that_the_right_one_would_keep() {
    let eraser = eraser();
    let (_set, stop) = Stop::new();
    let now = wall_ms();
    eraser.say(HERE, 1, now - 2 * DAY_MS);
    eraser.say(HERE, 2, now - 60_000);
    eraser.keep(HERE, 86_400, 0);
    let pass = |eraser: &Eraser, time: &Dates, wall_ms, ms| {
        eraser.pass(true, time.at(Moment { ms, wall_ms }), &stop).unwrap();
        eraser.bodies(HERE)
    };
    let start = |wall_ms| {
        let moment = Moment { ms: 0, wall_ms };
        Dates::at_start(&eraser.parts.store, Monotonic::start(), moment).unwrap()
    };
    // In 1970 even what is too old stays.
    let right = start(now);
    assert_eq!(pass(&eraser, &right, 7, 1_000), [1, 2]);
    assert_eq!(pass(&eraser, &right, now + 2_000, 2_000), [2]);
    // While it runs.
    for (at, ahead) in [(8_000, 2), (16_000, 400), (24_000, 36_500)] {
        assert_eq!(pass(&eraser, &right, now + at + ahead * DAY_MS, at), [2]);
        assert_eq!(pass(&eraser, &right, now + at + 4_000, at + 4_000), [2]);
    }
    // A start years ahead, and again, and one for longer than a moment.
    for ahead in [2 * DAY_MS, 730 * DAY_MS] {
        for _ in 0..2 {
            let wrong = start(now + ahead);
            assert_eq!(pass(&eraser, &wrong, now + ahead + 2_000, 2_000), [2]);
            assert_eq!(pass(&eraser, &wrong, now + ahead + 540_000, 540_000), [2]);
        }
    }
    // Off for two days: it goes, once both clocks have agreed for a while.
    let off = start(now + 2 * DAY_MS);
    let mut at = 0;
    while pass(&eraser, &off, now + 2 * DAY_MS + at, at) == [2] {
        at += 60_000;
        assert!(at < DAY_MS / 4, "never caught up");
    }
    assert!(at > 600_000);
    assert_eq!(eraser.bodies(HERE), [0; 0]);
}

/// What a clock stamped that was far ahead, or knew no time: nothing comes behind it,
/// and it goes all the same, as long after it was seen as anything else.
#[test]
fn what_a_wrong_clock_stamped_is_kept_from_when_it_was_seen() {
    let now = wall_ms();
    for stamped in [now + 36_500 * DAY_MS, 7] {
        let eraser = eraser();
        let (_set, stop) = Stop::new();
        eraser.say(HERE, 1, stamped);
        eraser.keep(HERE, 60, 0);
        // As long as the clock is so wrong, nothing is known.
        eraser.pass(true, tick(stamped), &stop).unwrap();
        for (after_ms, left) in [(0, 1), (59_000, 1), (60_000, 1), (60_001, 0)] {
            eraser.pass(false, tick(now + after_ms), &stop).unwrap();
            assert_eq!(eraser.bodies(HERE).len(), left, "{stamped}, after {after_ms} ms");
        }
    }
}
