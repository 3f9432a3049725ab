//! What the commit thread does beyond the contract: groups, bounds, endings.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, unbounded};
use parley_protocol::ids::ShardId;

use super::*;
use crate::storage::log::Urgency;
use crate::storage::log::conformance::send;
use crate::storage::store::engine::Engine;
use crate::storage::store::engine::faulty::Faulty;
use crate::storage::store::engine::memory::MemoryEngine;

const S0: ShardId = ShardId(0);
const LONG: Duration = Duration::from_secs(30);

struct Bench {
    log: LocalLog<u64>,
    /// The contexts of each batch.
    batches: Receiver<Vec<u64>>,
    fatal: Receiver<LogError>,
    faults: Arc<Faulty>,
}

fn start(options: Options) -> Bench {
    let faults = Arc::new(Faulty::new(Arc::new(MemoryEngine::new())));
    let store = Store::over(Arc::clone(&faults) as Arc<dyn Engine>, 4, [1; 16]).unwrap();
    let (told, batches) = unbounded();
    let (died, fatal) = unbounded();
    let log = LocalLog::start(
        store,
        options,
        move |batch: Vec<Committed<u64>>| {
            told.send(batch.iter().map(|committed| committed.context).collect()).unwrap();
        },
        move |error| died.send(error).unwrap(),
    );
    Bench { log: log.unwrap(), batches, fatal, faults }
}

impl Bench {
    /// Hands over `bodies` as seq 2, 3, … while seq 1 is being synced, and
    /// returns the batches they end up in.
    fn batches_of(&self, bodies: &[usize]) -> Vec<Vec<u64>> {
        let held = self.faults.hold_syncs();
        self.log.try_append(send(S0, 1, 1, 10)).unwrap();
        assert!(self.faults.wait_until_held(LONG), "no sync");
        for (seq, body) in (2..).zip(bodies) {
            self.log.try_append(send(S0, 1, seq, *body)).unwrap();
        }
        drop(held);
        self.log.close();
        self.batches.try_iter().collect()
    }
}

#[test]
fn what_gathers_during_a_sync_is_the_next_batch() {
    let bench = start(Options::default());
    let batches = bench.batches_of(&[10; 9]);
    assert_eq!(batches, [vec![1], (2..=10).collect()]);
    // One sync each, and one when the store was opened.
    assert_eq!(bench.faults.syncs(), 3);
    assert_eq!((bench.log.counts().batches(), bench.log.counts().syncs()), (2, 2));
}

#[test]
fn a_batch_is_bounded_in_appends_and_bytes() {
    let bench = start(Options { batch_appends: 2, ..Options::default() });
    assert_eq!(bench.batches_of(&[10; 5]), [vec![1], vec![2, 3], vec![4, 5], vec![6]]);
    let bench = start(Options { batch_bytes: 2_600, ..Options::default() });
    assert_eq!(bench.batches_of(&[1_000; 5]), [vec![1], vec![2, 3], vec![4, 5], vec![6]]);
    // One above the bound goes alone.
    let bench = start(Options { batch_bytes: 500, ..Options::default() });
    assert_eq!(bench.batches_of(&[10, 1_000, 10]), [vec![1], vec![2], vec![3], vec![4]]);
}

#[test]
fn small_ones_do_not_wait_for_a_big_one_behind_them() {
    let bench = start(Options { big_bytes: 5_000, ..Options::default() });
    let batches = bench.batches_of(&[10, 10, 9_000, 9_000, 10, 9_000]);
    assert_eq!(batches, [vec![1], vec![2, 3], vec![4, 5, 6], vec![7]]);
}

#[test]
fn a_sink_that_panics_is_told_as_fatal_and_nothing_is_taken_any_more() {
    let store = Store::over(Arc::new(MemoryEngine::new()), 4, [1; 16]).unwrap();
    let (died, fatal) = unbounded();
    let log = LocalLog::<u64>::start(
        store,
        Options::default(),
        |_| panic!("this panic belongs to the test"),
        move |error| died.send(error).unwrap(),
    )
    .unwrap();
    log.try_append(send(S0, 1, 1, 10)).unwrap();
    assert_eq!(fatal.recv_timeout(LONG).unwrap(), LogError::Panicked);
    assert_eq!(log.reserve(1).unwrap_err(), ReserveError::Closed);
    log.close();
    assert!(fatal.is_empty());
}

#[test]
fn a_clean_close_is_not_fatal_also_from_the_sink() {
    let bench = start(Options::default());
    drop(bench.log);
    assert!(bench.fatal.is_empty());

    let store = Store::over(Arc::new(MemoryEngine::new()), 4, [1; 16]).unwrap();
    let slot: Arc<Mutex<Option<Arc<LocalLog<u64>>>>> = Arc::default();
    let (inside, done) = (Arc::clone(&slot), unbounded());
    let closed = done.0;
    let log = LocalLog::start(
        store,
        Options::default(),
        move |_| {
            if let Some(log) = inside.lock().take() {
                log.close();
            }
            closed.send(()).unwrap();
        },
        |error| panic!("{error}"),
    );
    let log = Arc::new(log.unwrap());
    *slot.lock() = Some(Arc::clone(&log));
    log.try_append(send(S0, 1, 1, 10)).unwrap();
    done.1.recv_timeout(LONG).unwrap();
    assert_eq!(log.reserve(1).unwrap_err(), ReserveError::Closed);
}

#[test]
fn many_threads_lose_nothing_and_keep_their_order() {
    const THREADS: u8 = 4;
    const EACH: u64 = 500;
    let bench = start(Options { queue_appends: 16, ..Options::default() });
    let refusals = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for n in 0..THREADS {
            let (log, refusals) = (&bench.log, &refusals);
            scope.spawn(move || {
                for seq in 1..=EACH {
                    let mut append = Append {
                        context: u64::from(n) << 32 | seq,
                        ..send(ShardId(u16::from(n)), n, seq, 20)
                    };
                    while let Err(refused) = log.try_append(append) {
                        assert_eq!(refused.error, ReserveError::Full);
                        refusals.fetch_add(1, Ordering::Relaxed);
                        append = *refused.append;
                        std::thread::yield_now();
                    }
                }
            });
        }
    });
    bench.log.close();
    let mut last = [0u64; THREADS as usize];
    for context in bench.batches.try_iter().flatten() {
        let last = &mut last[(context >> 32) as usize];
        assert_eq!(context & 0xffff_ffff, *last + 1);
        *last += 1;
    }
    assert_eq!(last, [EACH; THREADS as usize]);
    let counts = bench.log.counts();
    assert_eq!(counts.appends(), u64::from(THREADS) * EACH);
    assert_eq!(counts.syncs(), counts.batches());
}

#[test]
fn an_append_without_a_sync_costs_none() {
    let bench = start(Options::default());
    let append = Append { urgency: Urgency::Written, ..send(S0, 1, 1, 10) };
    bench.log.try_append(append).unwrap();
    assert_eq!(bench.batches.recv_timeout(LONG).unwrap(), [1]);
    assert_eq!(bench.log.counts().syncs(), 0);
}
