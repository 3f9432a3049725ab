//! Receipts of groups, gathered: of all that one member says of one
//! conversation within [`EVERY`], a reader is told the sum.
//!
//! Receipts are cumulative, so the newest says it all and the ones before it
//! need no frame. Fan-out notes, a thread tells. More than `PENDING` at a time
//! are told at once by the thread that notes the one too many: the named
//! overflow. Nothing noted is lost, but for sessions that have more waiting than
//! receipts are worth; `Describe` says it again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use metrics::Counter;
use parking_lot::Mutex;
use parley_protocol::UserId;
use parley_protocol::wire::Receipt;

use crate::base::metrics::list as metric;
use crate::base::worker::{Nudge, Stop, Worker};

/// How long receipts gather.
pub const EVERY: Duration = Duration::from_millis(300);

/// Receipts that may gather, over all readers.
const PENDING: usize = 100_000;

/// Where receipts go; the homes are one.
pub trait ReceiptSink: Send + Sync + 'static {
    /// Queues the receipt for the reader's sessions that asked for receipts.
    /// Never waits.
    fn send_receipt(&self, reader: UserId, receipt: &Receipt);
}

/// Gathers receipts. Cheap to clone.
#[derive(Clone)]
pub struct Receipts {
    inner: Arc<Inner>,
}

struct Inner {
    sink: Arc<dyn ReceiptSink>,
    pending: Mutex<HashMap<Key, Receipt>>,
    /// Wakes the thread for the first of a gathering.
    nudge: Nudge,
    most: usize,
    noted: Counter,
    told: Counter,
}

/// Reader, conversation, and the member whose cursors moved.
type Key = (UserId, Bytes, Bytes);

impl Receipts {
    /// Gathers for the readers behind `sink`, who are told once
    /// [`Receipts::start`] was called.
    #[must_use]
    pub fn new(sink: Arc<dyn ReceiptSink>) -> Self {
        Self::with_room(sink, PENDING)
    }

    fn with_room(sink: Arc<dyn ReceiptSink>, most: usize) -> Self {
        let inner = Inner {
            sink,
            pending: Mutex::default(),
            nudge: Nudge::new(),
            most,
            noted: metric::receipts_noted(),
            told: metric::receipts_told(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The reader will be told, with whatever else comes of this member in
    /// this conversation meanwhile. Never waits.
    pub fn note(&self, reader: UserId, receipt: &Receipt) {
        let inner = &*self.inner;
        inner.noted.increment(1);
        let key = (reader, receipt.conversation.clone(), receipt.user.clone());
        let mut pending = inner.pending.lock();
        let first = pending.is_empty();
        pending.entry(key).and_modify(|known| merge(known, receipt)).or_insert(receipt.clone());
        let full = pending.len() > inner.most;
        drop(pending);
        if full {
            self.flush();
        } else if first {
            inner.nudge.wake();
        }
    }

    /// Starts the thread that tells, `every` so often while there is something to
    /// tell. Dropping it stops it after telling what is left.
    ///
    /// # Errors
    /// The operating system's, when it gives no thread.
    pub fn start(&self, every: Duration) -> std::io::Result<Worker> {
        let receipts = self.clone();
        Worker::start("parley-receipts", move |stop| receipts.run(every, stop))
    }

    fn run(&self, every: Duration, stop: &Stop) {
        loop {
            let stopped =
                stop.sleep_until_nudged(&self.inner.nudge, Duration::MAX) || stop.sleep(every);
            self.flush();
            if stopped {
                return;
            }
        }
    }

    /// Tells everything noted so far.
    pub fn flush(&self) {
        let pending = std::mem::take(&mut *self.inner.pending.lock());
        self.inner.told.increment(pending.len() as u64);
        for ((reader, ..), receipt) in pending {
            self.inner.sink.send_receipt(reader, &receipt);
        }
    }
}

/// Both cursors only move forward, each by itself.
fn merge(known: &mut Receipt, newer: &Receipt) {
    known.delivered = known.delivered.max(newer.delivered);
    known.read = known.read.max(newer.read);
    known.time_ms = known.time_ms.max(newer.time_ms);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Default)]
    struct Heard(Mutex<Vec<(UserId, Receipt)>>);

    impl ReceiptSink for Heard {
        fn send_receipt(&self, reader: UserId, receipt: &Receipt) {
            self.0.lock().push((reader, receipt.clone()));
        }
    }

    const fn reader(n: u8) -> UserId {
        UserId::new([n; 16])
    }

    fn receipt(member: u16, delivered: u64, read: u64) -> Receipt {
        Receipt {
            conversation: vec![7; 16].into(),
            user: member.to_be_bytes().to_vec().into(),
            delivered,
            read,
            time_ms: delivered.max(read),
            feed_position: 0,
        }
    }

    /// What 200 members say of 50 messages that came together is 199 receipts
    /// for their author, not 19,900.
    #[test]
    fn a_burst_in_a_large_group_is_one_receipt_a_member() {
        let heard = Arc::new(Heard::default());
        let receipts = Receipts::new(Arc::clone(&heard) as Arc<dyn ReceiptSink>);
        for seq in 1..=50 {
            for member in 1..200 {
                receipts.note(reader(1), &receipt(member, seq, 0));
                receipts.note(reader(1), &receipt(member, seq, seq));
            }
        }
        receipts.flush();
        let told = std::mem::take(&mut *heard.0.lock());
        assert_eq!(told.len(), 199);
        assert!(told.iter().all(|(_, receipt)| (receipt.delivered, receipt.read) == (50, 50)));
        receipts.flush();
        assert!(heard.0.lock().is_empty(), "nothing is told twice");
    }

    #[test]
    fn over_the_bound_it_tells_at_once() {
        let heard = Arc::new(Heard::default());
        let receipts = Receipts::with_room(Arc::clone(&heard) as Arc<dyn ReceiptSink>, 10);
        (0..10).for_each(|member| receipts.note(reader(1), &receipt(member, 1, 0)));
        assert!(heard.0.lock().is_empty());
        receipts.note(reader(1), &receipt(10, 1, 0));
        assert_eq!(heard.0.lock().len(), 11);
    }

    #[test]
    fn the_thread_tells_by_itself_and_what_is_left_when_it_stops() {
        let heard = Arc::new(Heard::default());
        let receipts = Receipts::new(Arc::clone(&heard) as Arc<dyn ReceiptSink>);
        let worker = receipts.start(Duration::from_millis(1)).unwrap();
        receipts.note(reader(1), &receipt(1, 1, 0));
        while heard.0.lock().is_empty() {
            std::thread::yield_now();
        }
        drop(worker);
        let worker = receipts.start(Duration::from_secs(600)).unwrap();
        receipts.note(reader(1), &receipt(1, 2, 0));
        drop(worker);
        assert_eq!(heard.0.lock().last().unwrap().1.delivered, 2);
    }

    proptest! {
        /// Whenever it is told in between, each reader ends with the highest
        /// cursors noted, and never hears of higher ones than were.
        #[test]
        fn the_last_word_is_never_lost(
            notes in prop::collection::vec((0u8..3, 0u16..3, 0u64..20, 0u64..20, any::<bool>()), 0..80)
        ) {
            let heard = Arc::new(Heard::default());
            let receipts = Receipts::with_room(Arc::clone(&heard) as Arc<dyn ReceiptSink>, 4);
            let mut truth: HashMap<(UserId, Bytes), (u64, u64)> = HashMap::new();
            for (to, member, delivered, read, flush) in notes {
                let receipt = receipt(member, delivered, read);
                let known = truth.entry((reader(to), receipt.user.clone())).or_default();
                *known = (known.0.max(delivered), known.1.max(read));
                receipts.note(reader(to), &receipt);
                if flush {
                    receipts.flush();
                }
            }
            receipts.flush();
            let mut told: HashMap<(UserId, Bytes), (u64, u64)> = HashMap::new();
            for (to, receipt) in heard.0.lock().iter() {
                let known = told.entry((*to, receipt.user.clone())).or_default();
                *known = (known.0.max(receipt.delivered), known.1.max(receipt.read));
            }
            prop_assert_eq!(told, truth);
        }
    }
}
